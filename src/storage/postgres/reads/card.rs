//! What stands around one comment.

use std::sync::Arc;

use uuid::Uuid;

use super::super::db::{Db, number};
use super::super::rows;
use super::super::samples;
use super::super::seen::{self, Known, Seen};
use super::{By, numbers, within};
use crate::domain::comment::ExternalId;
use crate::domain::people::Reach;
use crate::domain::reads::{Glimpse, Surroundings};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// The parent, and up to three before it.
const ANCESTORS: usize = 4;
/// Siblings on each side.
const SIBLINGS: usize = 3;
/// Comments under the same article that are looked at for siblings, on each side.
const LOOKED_AT: i64 = 100;
/// An author's comments that are counted.
const COUNTED: i64 = 2_000;
/// The same on a card among many.
const COUNTED_ON_CARDS: i64 = 100;

pub(super) async fn surroundings(
    db: &Db,
    uid: Uuid,
    reach: &Reach,
    whole: bool,
    now: Timestamp,
) -> Result<Option<Surroundings>> {
    let Some((seen, known)) = within(db, uid, reach).await? else { return Ok(None) };
    let (site, trace) = (seen.row.site, seen.row.trace()?);
    let name = known.name(site);
    let comment = &seen.content.comment;
    let around = Around {
        db,
        reach,
        site,
        name: Arc::clone(&name),
        uid,
        parent: comment.parent_id.clone(),
        article: comment.article.id.clone(),
    };
    let by = match comment.author.id.as_ref() {
        Some(id) => Some(By::Account(db.hasher.account(site, id.as_str()))),
        None if trace.author_known => Some(By::Author(db.hasher.author(trace.author))),
        None => None,
    };
    let counted = if whole { COUNTED } else { COUNTED_ON_CARDS };
    let author = async {
        match by {
            Some(by) => numbers(db, site, by, Some(uid), counted, now).await.map(Some),
            None => Ok(None),
        }
    };
    let (author, ancestors, before, after) = tokio::try_join!(
        author,
        around.ancestors(),
        around.siblings(whole, Side::Before),
        around.siblings(whole, Side::After)
    )?;
    Ok(Some(Surroundings { ancestors, before, after, record: seen.record(&name), trace, author }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

struct Around<'a> {
    db: &'a Db,
    reach: &'a Reach,
    site: SiteId,
    name: Arc<str>,
    uid: Uuid,
    parent: Option<ExternalId>,
    article: ExternalId,
}

impl Around<'_> {
    async fn ancestors(&self) -> Result<Vec<Glimpse>> {
        let mut above: Vec<Glimpse> = Vec::new();
        let mut next = self.parent.clone();
        // A site may send comments that answer each other in a circle.
        while let Some(id) = next.take().filter(|_| above.len() < ANCESTORS) {
            let Some(row) = rows::find(self.db, self.site, id.as_str()).await? else { break };
            if row.uid == self.uid || above.iter().any(|known| known.uid == row.uid) {
                break;
            }
            let waits = samples::waits(self.db, row.site, row.uid).await?;
            let seen = Seen { content: row.content()?, row, waits };
            let parent = seen.content.comment.parent_id.clone();
            let Some(seen) = self.within(vec![seen]).await?.pop() else { break };
            above.push(seen.glimpse(&self.name));
            next = parent;
        }
        Ok(above)
    }

    /// Those that answer the same, or stand as it does under the same article: oldest first.
    async fn siblings(&self, whole: bool, side: Side) -> Result<Vec<Glimpse>> {
        if !whole {
            return Ok(Vec::new());
        }
        let (than, order) = match side {
            Side::Before => ("<", "DESC"),
            Side::After => (">", "ASC"),
        };
        let by = By::Article(self.db.hasher.article(self.site, self.article.as_str()));
        let read = format!(
            "SELECT {} FROM comment c WHERE c.site = $1 AND {} AND c.uid {than} $3 ORDER BY c.uid {order} LIMIT {LOOKED_AT}",
            seen::columns(),
            by.condition()
        );
        let found = self.db.query(&read, &[&number(self.site), &by.key(), &self.uid]).await?;
        let near = found.iter().map(Seen::read).collect::<Result<Vec<_>>>()?;
        let alike = near.into_iter().filter(|seen| {
            let comment = &seen.content.comment;
            comment.article.id == self.article && comment.parent_id == self.parent
        });
        let siblings = self.within(alike.collect()).await?.into_iter().take(SIBLINGS);
        let mut siblings: Vec<Glimpse> = siblings.map(|seen| seen.glimpse(&self.name)).collect();
        if side == Side::Before {
            siblings.reverse();
        }
        Ok(siblings)
    }

    async fn within(&self, mut all: Vec<Seen>) -> Result<Vec<Seen>> {
        let mut known = Known::default();
        known.learn_seen(self.db, &all).await?;
        all.retain(|seen| known.lies_within(seen.row.site, &seen.content, self.reach));
        Ok(all)
    }
}
