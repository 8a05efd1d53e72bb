//! What people read beside the queue. Nothing here writes to a comment, and every way through rows is bounded.

mod also;
mod article;
mod author;
mod card;
mod figures;
pub(super) mod notes;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use uuid::Uuid;

use super::index::Chain;
use super::lists::Walk;
use super::rows::{self, Row};
use super::shared::Shared;
use super::{SqliteStore, rulings, samples};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{DecidedBy, Status};
use crate::domain::explain::WhatIf;
use crate::domain::figures::Figures;
use crate::domain::history::Standing;
use crate::domain::people::Reach;
use crate::domain::reads::{
    AlsoLetsThrough, ArticleNumbers, AuthorNote, AuthorNumbers, AuthorProfile, Behind, Glimpse, NoteRemoval, Reads,
    Surroundings,
};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// A live row as people see it: what waits is held.
fn standing(connection: &Connection, row: &Row) -> Result<Standing> {
    let status = row.live()?;
    if status != Status::Held && samples::waits(connection, row.id)? {
        return Ok(Standing { status: Status::Held, by_person: false });
    }
    Ok(Standing { status, by_person: row.decided_by == DecidedBy::Person })
}

/// A live row at a glance, if it lies within the reach.
fn glimpse(connection: &Connection, shared: &Shared, row: &Row, reach: &Reach) -> Result<Option<Glimpse>> {
    let content = rows::content(connection, row.id)?;
    if !reach.is_all() && !rulings::place_of(connection, shared, row, &content)?.lies_within(reach) {
        return Ok(None);
    }
    Ok(Some(Glimpse::of(&rows::record(connection, shared, row, content)?)))
}

/// When a person last decided within a reach, told by the first comment of each decision.
fn last_decided(connection: &Connection, shared: &Shared, reach: &Reach) -> Result<Option<Timestamp>> {
    let read = "SELECT at, (SELECT MIN(comment) FROM ruling_item WHERE ruling = ruling.id) FROM ruling \
                WHERE undone_at IS NULL ORDER BY id DESC LIMIT 100";
    let mut query = connection.prepare_cached(read)?;
    let mut found = query.query([])?;
    while let Some(ruling) = found.next()? {
        let at = Timestamp::from_millis(ruling.get(0)?);
        if reach.is_all() {
            return Ok(Some(at));
        }
        let Some(id) = ruling.get::<_, Option<u32>>(1)? else { continue };
        let Some(row) = rows::row(connection, id)?.filter(|row| row.status.is_some()) else { continue };
        if rulings::place(connection, shared, &row)?.lies_within(reach) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// What became of the comments in a chain of one author, but `except`; looks at `most` rows.
fn numbers(
    connection: &Connection,
    shared: &Shared,
    (chain, key, author): (Chain, u64, u64),
    except: u32,
    most: usize,
    now: Timestamp,
) -> Result<AuthorNumbers> {
    let mut walk = Walk::start(connection, shared, chain, key, u32::MAX)?;
    let (mut numbers, mut looked_at) = (AuthorNumbers::default(), 0);
    while walk.peek() > 0 {
        if looked_at == most {
            numbers.goes_further_back = true;
            break;
        }
        let Some(row) = walk.step(connection)? else { continue };
        looked_at += 1;
        if row.status.is_some() && row.id != except && row.trace()?.author == author {
            numbers.count(row.received_at, standing(connection, &row)?, now);
        }
    }
    Ok(numbers)
}

#[async_trait]
impl Reads for SqliteStore {
    async fn surroundings(
        &self,
        uid: Uuid,
        reach: &Reach,
        whole: bool,
        now: Timestamp,
    ) -> Result<Option<Surroundings>> {
        self.must_serve()?;
        let (shared, reach) = (Arc::clone(&self.shared), reach.clone());
        self.readers.ask(move |connection| card::surroundings(connection, &shared, uid, &reach, whole, now)).await
    }

    async fn behind(&self, uid: Uuid, reach: &Reach) -> Result<Option<Behind>> {
        self.must_serve()?;
        let (shared, reach) = (Arc::clone(&self.shared), reach.clone());
        self.readers.ask(move |connection| article::behind(connection, &shared, uid, &reach)).await
    }

    async fn article_numbers(&self, site: SiteId, article: &ExternalId, reach: &Reach) -> Result<ArticleNumbers> {
        self.must_serve()?;
        let (shared, article, reach) = (Arc::clone(&self.shared), article.clone(), reach.clone());
        self.readers.ask(move |connection| article::numbers(connection, &shared, site, &article, &reach)).await
    }

    async fn last_decided(&self, reach: &Reach) -> Result<Option<Timestamp>> {
        self.must_serve()?;
        let (shared, reach) = (Arc::clone(&self.shared), reach.clone());
        self.readers.ask(move |connection| last_decided(connection, &shared, &reach)).await
    }

    async fn author_profile(
        &self,
        site: SiteId,
        author: &ExternalId,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<AuthorProfile> {
        self.must_serve()?;
        let (shared, author, reach) = (Arc::clone(&self.shared), author.clone(), reach.clone());
        self.readers.ask(move |connection| author::profile(connection, &shared, site, &author, &reach, now)).await
    }

    async fn author_note_add(
        &self,
        site: SiteId,
        author: &ExternalId,
        text: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<AuthorNote> {
        let (author, text, by) = (author.clone(), text.to_owned(), by.to_owned());
        self.writer.run(move |work| notes::add(work, site, &author, &text, &by, at)).await
    }

    async fn author_note_remove(
        &self,
        site: SiteId,
        author: &ExternalId,
        note: Uuid,
        by: &str,
        any: bool,
        at: Timestamp,
    ) -> Result<NoteRemoval> {
        let (author, by) = (author.clone(), by.to_owned());
        self.writer.run(move |work| notes::remove(work, (site, &author), note, &by, any, at)).await
    }

    async fn also_lets_through(&self, what_if: &WhatIf, but: Uuid, reach: &Reach) -> Result<AlsoLetsThrough> {
        let (shared, what_if, reach) = (Arc::clone(&self.shared), what_if.clone(), reach.clone());
        self.readers.ask(move |connection| also::lets_through(connection, &shared, &what_if, but, &reach)).await
    }

    async fn figures(&self, sites: Option<&[String]>, since: Timestamp, now: Timestamp) -> Result<Figures> {
        let sites = sites.map(<[String]>::to_vec);
        self.readers.ask(move |connection| figures::figures(connection, sites.as_deref(), since, now)).await
    }
}
