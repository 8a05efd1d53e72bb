//! What waits for a person: one row for each, in and out in the commit that changes the status.
//!
//! Here they are written, many in one statement. [`page`](mod@page) shows them and counts; [`items`] puts together what a page shows.

mod items;
mod page;
mod tally;

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

pub(super) use self::page::page;
use super::batch::Keys;
use super::db::{Cells as _, Db, number};
use super::rows::Row;
use super::seen::Known;
use super::work::Work;
use crate::domain::comment::Article;
use crate::domain::decision::Status;
use crate::domain::people::Person;
use crate::domain::site::SiteId;
use crate::domain::store::{AuthorKind, Result};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};
use crate::storage::waiting::Waiting;

/// A comment whose place in the queue is to be made right.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub row: &'a Row,
    pub content: &'a Content,
    pub held_at: Timestamp,
}

/// Puts a comment into the queue.
pub(super) async fn add(work: &Work, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    add_all(work, &[Placed { row, content, held_at }]).await
}

/// Puts comments into the queue. What is there already keeps its claim, and what was known of its author.
pub(super) async fn add_all(work: &Work, all: &[Placed<'_>]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    hold_sections(work, all).await?;
    let mut known = Known::default();
    known.learn(work, all.iter().map(|placed| (placed.row.site, placed.content))).await?;
    let mut rows = Columns::default();
    for placed in all {
        rows.push(work, placed, &known);
    }
    rows.write(work).await
}

/// Puts a comment whose status may have changed where it belongs. A claim on it, and what was known of its author, stay as long as it is held.
pub(super) async fn replace(work: &Work, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    replace_all(work, &[Placed { row, content, held_at }]).await
}

/// The same, of many.
pub(super) async fn replace_all(work: &Work, all: &[Placed<'_>]) -> Result<()> {
    let not_held: Vec<_> = all.iter().filter(|placed| placed.row.status != Status::Held).collect();
    let drawn = if not_held.is_empty() { HashSet::new() } else { drawn(work, &not_held).await? };
    let (stay, go): (Vec<Placed<'_>>, Vec<Placed<'_>>) = all
        .iter()
        .partition(|placed| placed.row.status == Status::Held || drawn.contains(&(placed.row.site, placed.row.uid)));
    if !go.is_empty() {
        let keys = Keys::of(go.iter().map(|placed| placed.row));
        let delete = "DELETE FROM queue q USING unnest($1::integer[], $2::uuid[]) AS gone(site, comment) \
                      WHERE q.site = gone.site AND q.comment = gone.comment";
        work.execute(delete, &[&keys.sites, &keys.comments]).await?;
    }
    add_all(work, &stay).await
}

/// Which of these wait although they are not held.
async fn drawn(work: &Work, of: &[&Placed<'_>]) -> Result<HashSet<(SiteId, Uuid)>> {
    let keys = Keys::of(of.iter().map(|placed| placed.row));
    let read = "SELECT s.site, s.comment FROM unnest($1::integer[], $2::uuid[]) AS asked(site, comment) \
                JOIN sample s ON s.site = asked.site AND s.comment = asked.comment WHERE s.ruling IS NULL";
    let found = work.query(read, &[&keys.sites, &keys.comments]).await?;
    found.iter().map(|row| Ok((row.site(0)?, row.cell(1)?))).collect()
}

/// Until the end of this transaction no article of these comments changes its section: whoever changes it waits, and then finds them in the queue
/// ([`follow_article`]). Comments that came with a section of their own do not depend on it.
async fn hold_sections(work: &Work, all: &[Placed<'_>]) -> Result<()> {
    let depends = all.iter().filter(|placed| placed.content.comment.article.section.is_none());
    let articles: BTreeSet<i64> = depends.map(|placed| placed.row.article.cast_signed()).collect();
    if articles.is_empty() {
        return Ok(());
    }
    let articles: Vec<i64> = articles.into_iter().collect();
    let lock = "SELECT pg_advisory_xact_lock_shared(article) FROM unnest($1::bigint[]) AS asked(article)";
    work.query(lock, &[&articles]).await?;
    Ok(())
}

/// Rows to be written, by column.
#[derive(Default)]
struct Columns<'a> {
    keys: Keys,
    authors_before: Vec<i64>,
    categories: Vec<i16>,
    signals: Vec<String>,
    sections: Vec<Option<String>>,
    langs: Vec<Option<&'a str>>,
    articles: Vec<i64>,
    authors: Vec<i64>,
    priorities: Vec<f64>,
    held_at: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, work: &Work, placed: &Placed<'a>, known: &Known) {
        let Placed { row, content, held_at } = *placed;
        let waiting = Waiting::of(work, row.site, row.status, content);
        self.keys.sites.push(number(row.site));
        self.keys.comments.push(row.uid);
        self.authors_before.push(row.author.cast_signed());
        self.categories.push(waiting.category);
        self.signals.push(waiting.signals);
        self.sections.push(known.section(row.site, content).map(ToOwned::to_owned));
        self.langs.push(waiting.lang);
        self.articles.push(waiting.article);
        self.authors.push(waiting.author);
        self.priorities.push(waiting.priority);
        self.held_at.push(held_at.as_millis());
    }

    async fn write(&self, work: &Work) -> Result<()> {
        // Whether the author had a comment approved there before is looked up in the same statement. By the author alone: a planner that does
        // not know the table yet would go through all comments of the site, newest first.
        let write = format!(
            "INSERT INTO queue (site, comment, category, signals, section, lang, article, author, priority, held_at, campaign, author_known) \
             SELECT n.site, n.comment, n.category, n.signals, n.section, n.lang, n.article, n.author, n.priority, n.held_at, \
             (SELECT m.campaign FROM campaign_member m WHERE m.site = n.site AND m.comment = n.comment), \
             EXISTS (SELECT 1 FROM (SELECT c.status FROM comment c WHERE (c.site = n.site) IS TRUE AND c.author = n.by AND c.uid < n.comment \
             ORDER BY c.uid DESC LIMIT {}) before WHERE before.status = {}) \
             FROM unnest($1::integer[], $2::uuid[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::bigint[], \
             $9::bigint[], $10::double precision[], $11::bigint[]) \
             AS n(site, comment, by, category, signals, section, lang, article, author, priority, held_at) \
             ON CONFLICT (site, comment) DO UPDATE SET campaign = excluded.campaign, category = excluded.category, signals = excluded.signals, \
             section = excluded.section, lang = excluded.lang, article = excluded.article, author = excluded.author, \
             priority = excluded.priority, held_at = excluded.held_at",
            AuthorKind::DEPTH,
            codec::status_code(Status::Approved),
        );
        work.execute(
            &write,
            &[
                &self.keys.sites,
                &self.keys.comments,
                &self.authors_before,
                &self.categories,
                &self.signals,
                &self.sections,
                &self.langs,
                &self.articles,
                &self.authors,
                &self.priorities,
                &self.held_at,
            ],
        )
        .await?;
        Ok(())
    }
}

/// Puts comments that wait, and came without a section of their own, into that of their article: who may see them depends on it. Whoever calls
/// holds the article's lock alone (`articles::put`), so nobody puts one into the queue meanwhile who did not see the new section.
pub(super) async fn follow_article(work: &Work, site: SiteId, article: &Article) -> Result<()> {
    let id = article.id.as_str();
    let read = "SELECT q.comment, c.b FROM queue q JOIN comment c ON c.site = q.site AND c.uid = q.comment \
                WHERE q.site = $1 AND q.article = $2";
    let key = crate::storage::waiting::article_key(work, id);
    let mut follow: Vec<Uuid> = Vec::new();
    for row in work.query(read, &[&number(site), &key]).await? {
        let sent = codec::decode_sent("a comment", row.cell(1)?)?.article;
        if sent.section.is_none() && sent.id == article.id {
            follow.push(row.cell(0)?);
        }
    }
    follow.sort_unstable();
    let write = "UPDATE queue SET section = $3 WHERE site = $1 AND comment = ANY($2)";
    work.execute(write, &[&number(site), &follow, &article.section]).await?;
    Ok(())
}

/// Since when a comment waits, if it does.
pub(super) async fn held_at(db: &Db, site: SiteId, comment: Uuid) -> Result<Option<Timestamp>> {
    let read = "SELECT held_at FROM queue WHERE site = $1 AND comment = $2";
    let found = db.query_opt(read, &[&number(site), &comment]).await?;
    found.map(|row| row.cell(0).map(Timestamp::from_millis)).transpose()
}

/// Leases what is free, or theirs already.
pub(super) async fn claim(
    work: &Work,
    uids: &[Uuid],
    by: &Person,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    // In the order of uids, so that two who claim the same do not wait for each other.
    let read = "SELECT q.site, q.comment, q.section, q.lang FROM site s JOIN queue q ON q.site = s.id WHERE q.comment = ANY($1) \
                AND (q.claimed_by IS NULL OR q.claimed_by = $2 OR q.claimed_until <= $3) ORDER BY q.comment FOR UPDATE OF q";
    let mut free = HashMap::new();
    for row in work.query(read, &[&uids, &by.email, &now.as_millis()]).await? {
        let site = row.site(0)?;
        let (section, lang): (Option<&str>, Option<&str>) = (row.cell(2)?, row.cell(3)?);
        if by.reach.is_all() || by.reach.covers(&work.site_name(work, site).await?, section, lang) {
            free.insert(row.cell::<Uuid>(1)?, site);
        }
    }
    let (found, sites): (Vec<Uuid>, Vec<i32>) = free.iter().map(|(uid, site)| (*uid, number(*site))).unzip();
    let write = "UPDATE queue q SET claimed_by = $3, claimed_until = $4 FROM unnest($1::integer[], $2::uuid[]) AS free(site, comment) \
                 WHERE q.site = free.site AND q.comment = free.comment";
    work.execute(write, &[&sites, &found, &by.email, &until.as_millis()]).await?;
    Ok(once(uids, |uid| free.contains_key(uid)))
}

/// Gives leases back.
pub(super) async fn release(work: &Work, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
    let write = "UPDATE queue q SET claimed_by = NULL, claimed_until = NULL FROM \
                 (SELECT q.site, q.comment FROM site s JOIN queue q ON q.site = s.id WHERE q.comment = ANY($1) AND q.claimed_by = $2 \
                 ORDER BY q.comment FOR UPDATE OF q) theirs WHERE q.site = theirs.site AND q.comment = theirs.comment RETURNING q.comment";
    let given = work.query(write, &[&uids, &by]).await?;
    let given = given.iter().map(|row| row.cell(0)).collect::<Result<HashSet<Uuid>>>()?;
    Ok(once(uids, |uid| given.contains(uid)))
}

/// Those that `holds`, each once, in the order in which they were asked for.
fn once(uids: &[Uuid], holds: impl Fn(&Uuid) -> bool) -> Vec<Uuid> {
    let mut met = HashSet::new();
    uids.iter().filter(|uid| holds(uid) && met.insert(**uid)).copied().collect()
}
