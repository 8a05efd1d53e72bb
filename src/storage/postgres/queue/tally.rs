//! Counts of everything under the filter, from groups of rows that are alike in all that the page offers a choice of.
//!
//! The database counts how many rows each group has: fifty thousand rows are some thousands of groups, read in one pass. Here each group is held
//! against the conditions of the filter, and counted wherever all of them hold but the one that is counted by. Campaigns are counted apart:
//! there are so many of them that nearly every row would be a group of its own.

use std::collections::{BTreeMap, HashMap};

use tokio_postgres::Row as Cell;

use super::super::db::{Cells as _, Db};
use crate::domain::service::queues::{Queues, Waits};
use crate::domain::site::SiteId;
use crate::domain::store::{AuthorKind, QueueFilter, QueuePage, QueueSum, Result};
use crate::domain::time::Timestamp;
use crate::storage::waiting::{category_code, category_name, category_of, kind_of};

/// What rows are grouped by, of `queue q` as `counted` reads it; and what is counted of them.
pub(super) const COLUMNS: &str =
    "site, category, signals, section, lang, author_known, claimed, count(*), min(held_at)";

/// Rows that are alike.
pub(super) struct Group<'a> {
    pub(super) site: SiteId,
    pub(super) category: i16,
    pub(super) signals: &'a str,
    pub(super) section: Option<&'a str>,
    pub(super) lang: Option<&'a str>,
    known: bool,
    claimed: Option<&'a str>,
    count: u64,
    oldest: i64,
}

impl<'a> Group<'a> {
    /// Reads a row of [`COLUMNS`].
    fn read(row: &'a Cell) -> Result<Self> {
        Ok(Self {
            site: row.site(0)?,
            category: row.cell(1)?,
            signals: row.cell(2)?,
            section: row.cell(3)?,
            lang: row.cell(4)?,
            known: row.cell(5)?,
            claimed: row.cell(6)?,
            count: u64::try_from(row.cell::<i64>(7)?).unwrap_or_default(),
            oldest: row.cell(8)?,
        })
    }
}

/// Conditions of a filter that the page offers a choice of.
mod of {
    pub(super) const SITE: u16 = 1;
    pub(super) const CATEGORY: u16 = 1 << 1;
    pub(super) const SIGNAL: u16 = 1 << 2;
    pub(super) const SECTION: u16 = 1 << 3;
    pub(super) const LANG: u16 = 1 << 4;
    pub(super) const AUTHOR_KIND: u16 = 1 << 5;
    pub(super) const ASSIGNED: u16 = 1 << 6;
    pub(super) const QUEUE: u16 = 1 << 7;
}

/// A filter, with its names looked up.
pub(super) struct Sieve<'a> {
    pub filter: &'a QueueFilter,
    pub sites: Option<&'a [i32]>,
}

impl Sieve<'_> {
    /// The conditions that do not hold.
    fn missed(&self, group: &Group<'_>, queue: Option<usize>) -> u16 {
        let filter = self.filter;
        let is = |holds: bool, condition: u16| if holds { 0 } else { condition };
        let named = |asked: &Option<String>, name: Option<&str>| asked.is_none() || asked.as_deref() == name;
        let site = |sites: &[i32]| sites.iter().any(|site| u32::try_from(*site) == Ok(group.site.0));
        let signal = |asked: &String| group.signals.split_ascii_whitespace().any(|signal| signal == asked);
        let assigned = filter.assigned.as_deref().is_none_or(|by| group.claimed.unwrap_or(NOBODY) == by);
        is(self.sites.is_none_or(site), of::SITE)
            | is(filter.category.is_none_or(|one| category_code(Some(one)) == group.category), of::CATEGORY)
            | is(filter.signal.as_ref().is_none_or(signal), of::SIGNAL)
            | is(named(&filter.section, group.section), of::SECTION)
            | is(named(&filter.lang, group.lang), of::LANG)
            | is(filter.author_kind.is_none_or(|kind| kind == kind_of(group.known)), of::AUTHOR_KIND)
            | is(assigned, of::ASSIGNED)
            | is(
                filter.queue.as_deref().is_none_or(|name| queue.is_some() && filter.queues.find(name) == queue),
                of::QUEUE,
            )
    }
}

/// What is free is counted under this name, and asked for by it.
const NOBODY: &str = "none";

/// Counts by everything that the page offers a choice of.
#[derive(Default)]
struct Tally<'a> {
    held: u64,
    oldest: Option<i64>,
    site: HashMap<SiteId, u64>,
    category: BTreeMap<i16, u64>,
    signal: HashMap<&'a str, u64>,
    section: HashMap<&'a str, u64>,
    lang: HashMap<&'a str, u64>,
    kind: BTreeMap<AuthorKind, u64>,
    assigned: HashMap<&'a str, u64>,
    queue: BTreeMap<usize, Option<QueueSum>>,
}

impl<'a> Tally<'a> {
    fn add(&mut self, group: &Group<'a>, queue: Option<usize>, missed: u16) {
        let counts = |condition: u16| missed & !condition == 0;
        let count = group.count;
        if missed == 0 {
            self.held += count;
            self.oldest = Some(self.oldest.map_or(group.oldest, |oldest| oldest.min(group.oldest)));
        }
        if counts(of::SITE) {
            *self.site.entry(group.site).or_default() += count;
        }
        if counts(of::CATEGORY) {
            *self.category.entry(group.category).or_default() += count;
        }
        if counts(of::SIGNAL) {
            for signal in group.signals.split_ascii_whitespace() {
                *self.signal.entry(signal).or_default() += count;
            }
        }
        if let Some(section) = group.section.filter(|_| counts(of::SECTION)) {
            *self.section.entry(section).or_default() += count;
        }
        if let Some(lang) = group.lang.filter(|_| counts(of::LANG)) {
            *self.lang.entry(lang).or_default() += count;
        }
        if counts(of::AUTHOR_KIND) {
            *self.kind.entry(kind_of(group.known)).or_default() += count;
        }
        if counts(of::ASSIGNED) {
            *self.assigned.entry(group.claimed.unwrap_or(NOBODY)).or_default() += count;
        }
        if let Some(queue) = queue.filter(|_| counts(of::QUEUE)) {
            QueueSum::add(self.queue.entry(queue).or_default(), count, Timestamp::from_millis(group.oldest));
        }
    }

    async fn named(self, db: &Db, queues: &Queues) -> Result<QueuePage> {
        let mut by_site = BTreeMap::new();
        for (site, count) in self.site {
            by_site.insert(db.site_name(db, site).await?.to_string(), count);
        }
        let texts = |counts: HashMap<&str, u64>| counts.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        let mut by_category = BTreeMap::new();
        for (code, count) in self.category {
            *by_category.entry(category_name(code).to_owned()).or_default() += count;
        }
        Ok(QueuePage {
            held: self.held,
            oldest: self.oldest.map(Timestamp::from_millis),
            by_site,
            by_category,
            by_signal: texts(self.signal),
            by_section: texts(self.section),
            by_lang: texts(self.lang),
            by_author_kind: self.kind,
            by_assigned: texts(self.assigned),
            by_queue: self
                .queue
                .into_iter()
                .filter_map(|(at, sum)| Some((queues.get(at)?.name.clone(), sum?)))
                .collect(),
            ..QueuePage::default()
        })
    }
}

/// Groups from rows of [`COLUMNS`], each with the place of the queue that its rows wait in.
pub(super) async fn named<'a>(db: &Db, rows: &'a [Cell], queues: &Queues) -> Result<Vec<(Group<'a>, Option<usize>)>> {
    let mut named = Vec::with_capacity(rows.len());
    for row in rows {
        let group = Group::read(row)?;
        let queue = if queues.is_empty() {
            None
        } else {
            queues.of(&Waits {
                site: &db.site_name(db, group.site).await?,
                category: category_of(group.category),
                signals: group.signals,
                section: group.section,
                lang: group.lang,
            })
        };
        named.push((group, queue));
    }
    Ok(named)
}

/// Everything of a page but its items, and its counts by campaign.
pub(super) async fn count(db: &Db, groups: &[(Group<'_>, Option<usize>)], sieve: &Sieve<'_>) -> Result<QueuePage> {
    let mut tally = Tally::default();
    for (group, queue) in groups {
        tally.add(group, *queue, sieve.missed(group, *queue));
    }
    tally.named(db, &sieve.filter.queues).await
}
