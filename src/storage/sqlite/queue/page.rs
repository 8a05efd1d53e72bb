//! One page of the queue, and counts of everything under the filter.
//!
//! All is of one moment: what is kept in memory is brought to the commit that this reader sees, under a lock that was taken before it began to see.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use rusqlite::{CachedStatement, Connection};
use uuid::Uuid;

use super::super::rows;
use super::super::shared::Shared;
use super::super::{articles, campaigns, lists, reports};
use super::kept::{Entry, Kept, NONE};
use super::named::Named;
use super::orders::{Alike, Place, Rows, place};
use super::sieve::Sieve;
use super::tally::Tally;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::readers::ReaderView;
use crate::domain::search::Question;
use crate::domain::service::queues::Queues;
use crate::domain::site::SiteId;
use crate::domain::store::{
    Claim, ListError, PageRequest, QueueFilter, QueueItem, QueuePage, QueueSort, Result, StoreError,
};
use crate::domain::time::Timestamp;
use crate::storage::codec;
use crate::storage::damage::left_out;
use crate::storage::waiting::kind_of;

/// Readers' reports that an item shows.
const REPORTS_SHOWN: u32 = 5;

/// A page of the queue, with counts of everything under the filter.
pub(in super::super) fn page(
    connection: &Connection,
    shared: &Shared,
    filter: &QueueFilter,
    sort: QueueSort,
    page: &PageRequest,
    now: Timestamp,
) -> std::result::Result<QueuePage, ListError> {
    let after = page.cursor.as_deref().map(|cursor| place_of_cursor(shared, sort, cursor)).transpose()?;
    let Found { shown, more, page } = count(connection, shared, filter, sort, after, lists::limit(page), now)?;
    let last = shown.last().filter(|_| more);
    let next_cursor = last.map(|shown| cursor_of_place(shared, sort, place(&shown.entry, sort)));
    let mut items = Items::new(connection, shared)?;
    let readable = shown.into_iter().filter_map(|shown| {
        let id = shown.entry.id;
        left_out("the queue", &id, items.item(shown)).transpose()
    });
    let items = readable.collect::<Result<Vec<_>>>()?;
    let rechecks = campaigns::rechecks(connection, shared, &filter.reach)?;
    Ok(QueuePage { items, rechecks, next_cursor, ..page })
}

struct Found {
    /// What stands on the page, in order.
    shown: Vec<Shown>,
    /// Whether there is more behind it.
    more: bool,
    /// The counts.
    page: QueuePage,
}

/// What is kept of one item of the page.
struct Shown {
    entry: Entry,
    claim: Option<Claim>,
    /// The number of its campaign.
    campaign: Option<i64>,
    /// The name of the queue that it waits in.
    queue: Option<String>,
}

fn count(
    connection: &Connection,
    shared: &Shared,
    filter: &QueueFilter,
    sort: QueueSort,
    after: Option<Place>,
    limit: usize,
    now: Timestamp,
) -> Result<Found> {
    // Nothing may be read before the locks are held: what is kept must never be of a later commit than what this reader sees.
    let question = filter.q.as_deref().map(Question::read);
    let mut words = None;
    if question.is_some() {
        let mut held = shared.held_words();
        if !held.is_loaded() {
            held.follow(connection)?; // takes seconds, and is not to keep other pages waiting
            connection.execute_batch("COMMIT; BEGIN")?;
        }
        words = Some(held);
    }
    let mut kept = shared.kept();
    let answers = match (&question, &mut words) {
        (Some(question), Some(words)) => {
            words.follow(connection)?;
            Some(words.find(question))
        }
        _ => None,
    };
    drop(words);
    kept.follow(connection)?;
    let kept: &Kept = &kept;
    let sieve = Sieve::new(connection, shared, kept, filter, answers)?;
    let mut choice =
        Choice { kept, sieve, named: Named::new(connection, shared, kept, &filter.queues), now: now.as_millis() };
    let tally = choice.count(&filter.queues)?;
    let places = choice.walk(sort, after, limit, tally.held)?;
    let more = places.len() > limit;
    let shown = places.iter().take(limit).map(|entry| choice.show(entry, &filter.queues)).collect::<Result<_>>()?;
    let page = tally.named(connection, shared, kept, &filter.queues)?;
    Ok(Found { shown, more, page })
}

/// Which rows are asked for, and how they are come by: by sets of rows that are alike and along the orders that are kept, or one by one where that
/// is quicker. Both say the same.
struct Choice<'a> {
    kept: &'a Kept,
    sieve: Sieve<'a>,
    named: Named<'a>,
    /// Milliseconds.
    now: i64,
}

/// How far an order is walked before rows are looked at one by one, which takes a sixth of the time for each.
const WALK: usize = 16;

impl<'a> Choice<'a> {
    /// Whether a row is asked for.
    fn has(&mut self, entry: &Entry) -> Result<bool> {
        let queue = self.named.of(&entry.into())?;
        Ok(self.sieve.missed(entry, self.claimed(entry), queue) == 0)
    }

    /// Who has it now.
    fn claimed(&self, entry: &Entry) -> u32 {
        if entry.claimed_until > self.now { entry.claimed_by } else { NONE }
    }

    fn count(&mut self, queues: &Queues) -> Result<Tally> {
        let mut tally = Tally::new(self.kept, queues);
        let orders = &self.kept.orders;
        if !self.sieve.sees_alike() || orders.sets() > self.kept.entries().len() / 4 {
            for entry in self.kept.entries() {
                let (alike, claimed) = (Alike::from(entry), self.claimed(entry));
                let queue = self.named.of(&alike)?;
                let missed = self.sieve.missed(entry, claimed, queue);
                tally.add(&alike, claimed, queue, missed, Rows { count: 1, since: entry.held_at });
            }
            return Ok(tally);
        }
        for (alike, rows) in orders.alike() {
            let queue = self.named.of(alike)?;
            tally.add(alike, NONE, queue, self.sieve.missed_of(alike, NONE, queue), rows);
        }
        for entry in orders.claimed().filter_map(|id| self.kept.entry(id)) {
            let queue = self.named.of(&entry.into())?;
            let claimed = self.claimed(entry);
            tally.claim(claimed, self.sieve.missed(entry, claimed, queue));
        }
        Ok(tally)
    }

    /// The first rows behind that place, one more than the limit if there are as many; `held` are asked for in all.
    fn walk(&mut self, sort: QueueSort, after: Option<Place>, limit: usize, held: u64) -> Result<Vec<&'a Entry>> {
        let kept = self.kept;
        let mut found = Vec::new();
        let mut ids = kept.orders.walk(sort, after);
        for id in ids.by_ref().take(WALK * (limit + 1)) {
            let Some(entry) = kept.entry(id) else { continue };
            if self.has(entry)? {
                found.push(entry);
            }
            if found.len() > limit || found.len() as u64 == held {
                return Ok(found);
            }
        }
        if ids.next().is_none() {
            return Ok(found);
        }
        let mut places = Vec::new();
        for (at, entry) in kept.entries().iter().enumerate() {
            let place = place(entry, sort);
            if after.is_none_or(|after| place > after) && self.has(entry)? {
                places.push((place, at));
            }
        }
        if places.len() > limit + 1 {
            places.select_nth_unstable(limit);
            places.truncate(limit + 1);
        }
        places.sort_unstable();
        Ok(places.into_iter().map(|(_, at)| &kept.entries()[at]).collect())
    }

    fn show(&mut self, entry: &Entry, queues: &Queues) -> Result<Shown> {
        let by = self.kept.people.name(self.claimed(entry));
        let queue = self.named.of(&entry.into())?;
        Ok(Shown {
            entry: *entry,
            claim: by.map(|by| Claim { by: by.to_owned(), until: Timestamp::from_millis(entry.claimed_until) }),
            campaign: (entry.campaign != NONE).then(|| self.kept.campaigns()[entry.campaign as usize]),
            queue: queue.and_then(|at| queues.get(at)).map(|queue| queue.name.clone()),
        })
    }
}

/// Makes the items of a page, one statement for each, and what they have in common once.
struct Items<'a> {
    connection: &'a Connection,
    shared: &'a Shared,
    read: CachedStatement<'a>,
    campaigns: HashMap<i64, Option<Uuid>>,
    articles: HashMap<(SiteId, ExternalId), Option<Article>>,
}

impl<'a> Items<'a> {
    fn new(connection: &'a Connection, shared: &'a Shared) -> Result<Self> {
        let read = connection.prepare_cached(&format!(
            "SELECT {}, (SELECT b FROM content WHERE content.id = c.id), \
             EXISTS (SELECT 1 FROM report WHERE report.comment = c.id) OR EXISTS (SELECT 1 FROM vote WHERE vote.comment = c.id) \
             FROM comment c WHERE c.id = ?1",
            rows::COLUMNS
        ))?;
        Ok(Self { connection, shared, read, campaigns: HashMap::new(), articles: HashMap::new() })
    }

    fn item(&mut self, shown: Shown) -> Result<QueueItem> {
        let Shown { entry, claim, campaign, queue } = shown;
        let (connection, id) = (self.connection, entry.id);
        let missing = || StoreError::Corrupt(format!("comment row {id} is in the queue, and missing"));
        let mut found = self.read.query([id])?;
        let found = found.next()?.ok_or_else(missing)?;
        let row = rows::Row::read(found)?;
        let content = found.get_ref(rows::COLUMN_COUNT)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        let content = codec::decode_content("a comment", content.ok_or_else(missing)?)?;
        let read_by_people: bool = found.get(rows::COLUMN_COUNT + 1)?;
        let record =
            rows::record_named(self.shared, self.shared.site_name(connection, row.site)?, &row, content, true)?;
        let sent = &record.comment.article;
        let known = match self.articles.entry((row.site, sent.id.clone())) {
            Occupied(known) => known.into_mut(),
            Vacant(new) => new.insert(articles::find(connection, row.site, &sent.id)?),
        };
        let article = known.clone().unwrap_or_else(|| sent.clone());
        let readers = if read_by_people { reports::view(connection, id)? } else { ReaderView::default() };
        let reports = if readers.reports > 0 { reports::open(connection, id, REPORTS_SHOWN)? } else { Vec::new() };
        let campaign = match campaign {
            None => None,
            Some(number) => match self.campaigns.entry(number) {
                Occupied(known) => *known.get(),
                Vacant(new) => *new.insert(campaigns::uid_of(connection, number)?),
            },
        };
        Ok(QueueItem {
            article,
            record,
            held_at: Timestamp::from_millis(entry.held_at),
            priority: entry.priority,
            author_kind: kind_of(entry.author_known),
            claim,
            campaign,
            queue,
            readers,
            reports,
        })
    }
}

const fn letter(sort: QueueSort) -> char {
    match sort {
        QueueSort::Priority => 'p',
        QueueSort::Oldest => 'o',
        QueueSort::Newest => 'n',
    }
}

fn cursor_of_place(shared: &Shared, sort: QueueSort, place: Place) -> String {
    format!("{}{:016x}{}", letter(sort), place.0, lists::cursor_of_row(shared, place.1))
}

fn place_of_cursor(shared: &Shared, sort: QueueSort, cursor: &str) -> std::result::Result<Place, ListError> {
    let rest = cursor.strip_prefix(letter(sort)).ok_or(ListError::BadCursor)?;
    let (first, row) = rest.split_at_checked(16).ok_or(ListError::BadCursor)?;
    let first = u64::from_str_radix(first, 16).map_err(|_| ListError::BadCursor)?;
    Ok((first, lists::row_of_cursor(shared, row)?))
}
