//! What filters and counts need of everything that waits, in memory: tens of bytes for each held comment.
//!
//! It is right because it follows the table `queue_change`, in the snapshot of whoever asks: every commit that touched the queue, of this process
//! or another, says there which rows to look at again. When numbers are missing there, everything is read anew.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::orders::Orders;
use crate::domain::site::SiteId;
use crate::domain::store::Result;

/// The slot of what has no name.
pub(super) const NONE: u32 = 0;

/// Names beyond which all is read anew, besides four for each comment: whoever sends ever new sections does not fill the memory.
const NAMES_MAX: usize = 20_000;

/// A row of `queue`, with the number of its campaign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub id: u32,
    pub site: u32,
    pub category: u8,
    pub author_known: bool,
    pub signals: u32,
    pub section: u32,
    pub lang: u32,
    pub claimed_by: u32,
    pub claimed_until: i64,
    pub article: i64,
    pub author: i64,
    pub priority: f64,
    pub held_at: i64,
    pub campaign: u32,
}

/// Names, each with a small number; [`NONE`] is no name at all.
#[derive(Debug)]
pub(super) struct Names {
    slots: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { slots: HashMap::new(), names: vec!["".into()] }
    }
}

impl Names {
    fn slot(&mut self, name: Option<&str>) -> u32 {
        let Some(name) = name else { return NONE };
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = u32::try_from(self.names.len()).unwrap_or(NONE);
        self.names.push(name.into());
        self.slots.insert(name.into(), slot);
        slot
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.slots.get(name).copied()
    }

    /// The name in that slot; none in [`NONE`].
    pub(super) fn name(&self, slot: u32) -> Option<&str> {
        self.names.get(slot as usize).filter(|_| slot != NONE).map(AsRef::as_ref)
    }

    /// By slot, the empty one first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Kept {
    /// The last change that is in it; `None` before anything was read.
    seen: Option<i64>,
    entries: Vec<Entry>,
    /// Where in `entries` a row is.
    at: HashMap<u32, usize>,
    pub(super) orders: Orders,
    sites: Vec<SiteId>,
    site_slots: HashMap<SiteId, u32>,
    /// Numbers of campaigns by slot; zero, the first, for none.
    campaigns: Vec<i64>,
    campaign_slots: HashMap<i64, u32>,
    /// Signals that hit, joined by blanks.
    pub(super) signals: Names,
    pub(super) sections: Names,
    pub(super) langs: Names,
    pub(super) people: Names,
}

const READ: &str = "SELECT q.id, q.site, q.category, coalesce(q.author_known, 0), q.signals, q.section, q.lang, q.claimed_by, \
                    coalesce(q.claimed_until, 0), q.article, q.author, q.priority, q.held_at, coalesce(m.campaign, 0) \
                    FROM queue q LEFT JOIN campaign_member m ON m.comment = q.id";

impl Kept {
    /// Brings it to what this reader sees.
    pub(super) fn follow(&mut self, connection: &Connection) -> Result<()> {
        let crowded = self.names() > NAMES_MAX + 4 * self.entries.len();
        match changes(connection, self.seen.filter(|_| !crowded))? {
            Changes::All { last } => {
                *self = Self::default();
                let mut query = connection.prepare_cached(READ)?;
                let mut rows = query.query([])?;
                while let Some(row) = rows.next()? {
                    self.put(row)?;
                }
                self.seen = Some(last);
            }
            Changes::Of { ids, last } => {
                for id in ids {
                    let mut query = connection.prepare_cached(&format!("{READ} WHERE q.id = ?1"))?;
                    let mut rows = query.query([id])?;
                    match rows.next()? {
                        Some(row) => self.put(row)?,
                        None => self.remove(id),
                    }
                }
                self.seen = Some(last);
            }
        }
        Ok(())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entry(&self, id: u32) -> Option<&Entry> {
        self.at.get(&id).map(|at| &self.entries[*at])
    }

    /// By slot.
    pub(super) fn sites(&self) -> impl Iterator<Item = SiteId> {
        self.sites.iter().copied()
    }

    /// The one in that slot.
    pub(super) fn site(&self, slot: u32) -> Option<SiteId> {
        self.sites.get(slot as usize).copied()
    }

    /// Which of the sets of signals hold that one.
    pub(super) fn signal_sets_with(&self, id: &str) -> Vec<bool> {
        self.signals.names().map(|set| set.split_ascii_whitespace().any(|signal| signal == id)).collect()
    }

    /// By slot, the empty one first.
    pub(super) fn campaigns(&self) -> &[i64] {
        &self.campaigns
    }

    /// The slot of the campaign of that number.
    pub(super) fn campaign(&self, number: i64) -> Option<u32> {
        self.campaign_slots.get(&number).copied()
    }

    fn campaign_slot(&mut self, number: i64) -> u32 {
        if self.campaigns.is_empty() {
            self.campaigns.push(0);
            self.campaign_slots.insert(0, NONE);
        }
        let next = u32::try_from(self.campaigns.len()).unwrap_or(NONE);
        let slot = *self.campaign_slots.entry(number).or_insert(next);
        if slot == next {
            self.campaigns.push(number);
        }
        slot
    }

    fn names(&self) -> usize {
        self.campaigns.len() + self.signals.len() + self.sections.len() + self.langs.len() + self.people.len()
    }

    fn put(&mut self, row: &Row<'_>) -> Result<()> {
        let text = |column: usize| -> Result<Option<&str>> {
            Ok(row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?)
        };
        let site = SiteId(row.get(1)?);
        let next = u32::try_from(self.sites.len()).unwrap_or(u32::MAX);
        let slot = *self.site_slots.entry(site).or_insert(next);
        if slot == next {
            self.sites.push(site);
        }
        let entry = Entry {
            id: row.get(0)?,
            site: slot,
            category: row.get(2)?,
            author_known: row.get(3)?,
            signals: self.signals.slot(text(4)?.filter(|signals| !signals.is_empty())),
            section: self.sections.slot(text(5)?),
            lang: self.langs.slot(text(6)?),
            claimed_by: self.people.slot(text(7)?),
            claimed_until: row.get(8)?,
            article: row.get(9)?,
            author: row.get(10)?,
            priority: row.get(11)?,
            held_at: row.get(12)?,
            campaign: self.campaign_slot(row.get(13)?),
        };
        if let Some(at) = self.at.get(&entry.id) {
            let before = std::mem::replace(&mut self.entries[*at], entry);
            self.orders.remove(&before);
        } else {
            self.at.insert(entry.id, self.entries.len());
            self.entries.push(entry);
        }
        self.orders.add(&entry);
        Ok(())
    }

    fn remove(&mut self, id: u32) {
        let Some(at) = self.at.remove(&id) else { return };
        let gone = self.entries.swap_remove(at);
        self.orders.remove(&gone);
        if let Some(moved) = self.entries.get(at) {
            self.at.insert(moved.id, at);
        }
    }
}

/// What happened to the queue.
pub(super) enum Changes {
    /// These rows are to be read again, or are gone.
    Of { ids: Vec<u32>, last: i64 },
    /// Nobody knows: all are to be read.
    All { last: i64 },
}

/// Changes after number `seen`.
pub(super) fn changes(connection: &Connection, seen: Option<i64>) -> Result<Changes> {
    let read = "SELECT coalesce((SELECT min(n) FROM queue_change), 1), coalesce((SELECT max(n) FROM queue_change), 0)";
    let (first, last): (i64, i64) =
        connection.prepare_cached(read)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(seen) = seen.filter(|seen| *seen <= last && first <= *seen + 1) else { return Ok(Changes::All { last }) };
    if seen == last {
        return Ok(Changes::Of { ids: Vec::new(), last });
    }
    let mut query = connection.prepare_cached("SELECT DISTINCT id FROM queue_change WHERE n > ?1")?;
    let ids = query.query_map([seen], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Changes::Of { ids, last })
}

/// Changes that are left for others to follow.
const CHANGES_KEPT: i64 = 50_000;

/// Whether there are changes to be forgotten.
pub(in super::super) fn has_old_changes(connection: &Connection) -> Result<bool> {
    let read = "SELECT coalesce((SELECT max(n) FROM queue_change) - (SELECT min(n) FROM queue_change) > ?1, 0)";
    Ok(connection.prepare_cached(read)?.query_row([2 * CHANGES_KEPT], |row| row.get(0))?)
}

/// Forgets the oldest changes, at most `most`. The last always stays, so that its number is not used again.
pub(in super::super) fn forget_changes(connection: &Connection, most: usize) -> Result<()> {
    let delete = "DELETE FROM queue_change WHERE n <= (SELECT max(n) FROM queue_change) - ?1 \
                  AND n < (SELECT min(n) FROM queue_change) + ?2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    connection.prepare_cached(delete)?.execute(params![CHANGES_KEPT, most])?;
    Ok(())
}
