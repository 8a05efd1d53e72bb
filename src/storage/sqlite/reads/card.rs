//! What stands around one comment.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::index::Chain;
use super::super::lists::Walk;
use super::super::rows::{self, Row};
use super::super::rulings;
use super::super::shared::Shared;
use super::{glimpse, numbers};
use crate::domain::comment::ExternalId;
use crate::domain::people::Reach;
use crate::domain::reads::{Glimpse, Surroundings};
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// The parent, and up to three before it.
const ANCESTORS: usize = 4;
/// Siblings on each side.
const SIBLINGS: usize = 3;
/// Rows under the same article that are looked at for siblings, on each side.
const LOOKED_AT: usize = 100;
/// Rows after the comment, of whatever article, among which later siblings are looked for.
const ROWS_AFTER: u32 = 4_096;
/// An author's rows that are counted.
const COUNTED: usize = 2_000;
/// The same on a card among many.
const COUNTED_ON_CARDS: usize = 100;

pub(super) fn surroundings(
    connection: &Connection,
    shared: &Shared,
    uid: Uuid,
    reach: &Reach,
    whole: bool,
    now: Timestamp,
) -> Result<Option<Surroundings>> {
    let Some(row) = rows::by_uid(connection, shared, uid)? else { return Ok(None) };
    let content = rows::content(connection, row.id)?;
    if !rulings::place_of(connection, shared, &row, &content)?.lies_within(reach) {
        return Ok(None);
    }
    let parent = content.comment.parent_id.clone();
    let article = content.comment.article.id.clone();
    let (trace, record) = (row.trace()?, rows::record(connection, shared, &row, content)?);
    let around = Around { connection, shared, reach, row: &row, parent, article };
    let account = record.comment.author.id.as_ref().map(|id| shared.hasher.account(row.site, id.as_str()));
    let chain = match account {
        Some(key) => Some((Chain::Account, key, trace.author)),
        None if trace.author_known => Some((Chain::Author, shared.hasher.author(trace.author), trace.author)),
        None => None,
    };
    let counted = if whole { COUNTED } else { COUNTED_ON_CARDS };
    let author = chain.map(|chain| numbers(connection, shared, chain, row.id, counted, now)).transpose()?;
    let (before, after) = if whole { (around.before()?, around.after()?) } else { (Vec::new(), Vec::new()) };
    Ok(Some(Surroundings { ancestors: around.ancestors()?, before, after, record, trace, author }))
}

struct Around<'a> {
    connection: &'a Connection,
    shared: &'a Shared,
    reach: &'a Reach,
    row: &'a Row,
    parent: Option<ExternalId>,
    article: ExternalId,
}

impl Around<'_> {
    fn ancestors(&self) -> Result<Vec<Glimpse>> {
        let mut above = Vec::new();
        let mut next = self.parent.clone();
        // A site may send comments that answer each other in a circle.
        while let Some(id) = next.take().filter(|_| above.len() < ANCESTORS) {
            let candidates = self.shared.index.rows(self.shared.hasher.id(self.row.site, id.as_str()));
            let Some((row, content)) = rows::find(self.connection, &candidates, self.row.site, id.as_str())? else {
                break;
            };
            if row.id == self.row.id {
                break;
            }
            let Some(seen) = glimpse(self.connection, self.shared, &row, self.reach)? else { break };
            if above.iter().any(|known: &Glimpse| known.uid == seen.uid) {
                break;
            }
            above.push(seen);
            next = content.comment.parent_id;
        }
        Ok(above)
    }

    fn before(&self) -> Result<Vec<Glimpse>> {
        let key = self.shared.hasher.article(self.row.site, self.article.as_str());
        let mut walk = Walk::start(self.connection, self.shared, Chain::Article, key, self.row.id)?;
        let (mut found, mut looked_at) = (Vec::new(), 0);
        while walk.peek() > 0 && found.len() < SIBLINGS && looked_at < LOOKED_AT {
            let Some(row) = walk.step(self.connection)? else { continue };
            looked_at += 1;
            found.extend(self.sibling(&row)?);
        }
        found.reverse();
        Ok(found)
    }

    /// Chains lead back only: those after it are found among the rows that were written next, by the article's key. One that an edit brought
    /// under the article later is not among them.
    fn after(&self) -> Result<Vec<Glimpse>> {
        let key = self.shared.hasher.article(self.row.site, self.article.as_str());
        let read = "SELECT id FROM comment WHERE id > ?1 AND id <= ?2 AND site = ?3 AND substr(keys, 25, 8) = ?4 \
                    ORDER BY id LIMIT ?5";
        let mut query = self.connection.prepare_cached(read)?;
        let last = self.row.id.saturating_add(ROWS_AFTER);
        let most = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX);
        let ids = query.query_map(params![self.row.id, last, self.row.site.0, key.to_le_bytes(), most], |row| {
            row.get::<_, u32>(0)
        })?;
        let mut found = Vec::new();
        for id in ids {
            if found.len() == SIBLINGS {
                break;
            }
            if let Some(row) = rows::row(self.connection, id?)? {
                found.extend(self.sibling(&row)?);
            }
        }
        Ok(found)
    }

    /// The row at a glance, when it answers the same and lies within the reach.
    fn sibling(&self, row: &Row) -> Result<Option<Glimpse>> {
        if row.status.is_none() || row.site != self.row.site {
            return Ok(None);
        }
        let seen = glimpse(self.connection, self.shared, row, self.reach)?;
        Ok(seen.filter(|seen| {
            seen.article_id == self.article.as_str()
                && seen.parent_id.as_deref() == self.parent.as_ref().map(ExternalId::as_str)
        }))
    }
}
