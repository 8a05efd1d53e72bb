//! One page of the queue, and counts of everything under the filter.
//!
//! All is of one moment: what is kept in memory is brought to the commit that this reader sees, under a lock that was taken before it began to see.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::super::rows;
use super::super::shared::Shared;
use super::super::{articles, campaigns, lists, reports};
use super::kept::{Entry, Kept, NONE};
use super::named::Named;
use crate::domain::comment::Article;
use crate::domain::search::Question;
use crate::domain::service::queues::Queues;
use crate::domain::site::SiteId;
use crate::domain::store::{
    AuthorKind, Claim, ListError, PageRequest, QueueFilter, QueueItem, QueuePage, QueueSort, QueueSum, Result,
    StoreError,
};
use crate::domain::time::Timestamp;
use crate::storage::damage::left_out;
use crate::storage::waiting::{article_key, author_key, category_code, category_name, kind_of};

/// Readers' reports that an item shows.
const REPORTS_SHOWN: u32 = 5;

/// Stands for a name that nothing in the queue has.
const UNKNOWN: u32 = u32::MAX;

/// A held comment's place in the chosen order: smaller comes first.
type Place = (u64, u32);

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
    let mut names = HashMap::new();
    let readable = shown.into_iter().filter_map(|shown| {
        let id = shown.entry.id;
        left_out("the queue", &id, item(connection, shared, shown, &mut names)).transpose()
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
    let mut sieve = Sieve::new(connection, shared, &kept, filter, answers)?;
    let mut named = Named::new(&filter.queues);
    let mut tally = Tally::new(&kept, &filter.queues);
    let now = now.as_millis();
    let (mut held, mut places, mut oldest) = (0_u64, Vec::<(Place, usize)>::new(), None::<i64>);
    for (at, entry) in kept.entries().iter().enumerate() {
        let claimed = if entry.claimed_until > now { entry.claimed_by } else { NONE };
        let queue = named.of(connection, shared, &kept, entry)?;
        let missed = sieve.missed(&kept, entry, claimed, queue);
        if missed == 0 {
            held += 1;
            let place = place(entry, sort);
            if after.is_none_or(|after| place > after) {
                places.push((place, at));
            }
            oldest = Some(oldest.map_or(entry.held_at, |oldest| oldest.min(entry.held_at)));
        }
        tally.add(entry, claimed, queue, missed);
    }
    let more = places.len() > limit;
    if more {
        places.select_nth_unstable(limit);
        places.truncate(limit);
    }
    places.sort_unstable();
    let oldest = oldest.map(Timestamp::from_millis);
    let mut show = |at: usize| -> Result<Shown> {
        let entry = &kept.entries()[at];
        let by = kept.people.name(entry.claimed_by).filter(|_| entry.claimed_until > now);
        let queue = named.of(connection, shared, &kept, entry)?;
        Ok(Shown {
            entry: *entry,
            claim: by.map(|by| Claim { by: by.to_owned(), until: Timestamp::from_millis(entry.claimed_until) }),
            campaign: (entry.campaign != NONE).then(|| kept.campaigns()[entry.campaign as usize]),
            queue: queue.and_then(|at| filter.queues.get(at)).map(|queue| queue.name.clone()),
        })
    };
    let shown = places.iter().map(|(_, at)| show(*at)).collect::<Result<_>>()?;
    let page = QueuePage { held, oldest, ..tally.named(connection, shared, &kept, &filter.queues)? };
    Ok(Found { shown, more, page })
}

/// The rows of comments by name; names that are none are left out.
fn rows_of(connection: &Connection, shared: &Shared, uids: &[Uuid]) -> Result<HashSet<u32>> {
    let found = uids.iter().filter_map(|uid| rows::by_uid(connection, shared, *uid).transpose());
    found.map(|row| Ok(row?.id)).collect()
}

/// Conditions of a filter that the page offers a choice of; and all the others.
mod of {
    pub(super) const SITE: u16 = 1;
    pub(super) const CATEGORY: u16 = 1 << 1;
    pub(super) const SIGNAL: u16 = 1 << 2;
    pub(super) const SECTION: u16 = 1 << 3;
    pub(super) const LANG: u16 = 1 << 4;
    pub(super) const AUTHOR_KIND: u16 = 1 << 5;
    pub(super) const ASSIGNED: u16 = 1 << 6;
    pub(super) const CAMPAIGN: u16 = 1 << 7;
    pub(super) const OTHER: u16 = 1 << 8;
    pub(super) const QUEUE: u16 = 1 << 9;
}

/// A filter, with its names looked up.
struct Sieve<'a> {
    filter: &'a QueueFilter,
    sites: Option<Vec<bool>>,
    /// Names of sites, where the reach depends on them, and what it covers, as it is met.
    names: Option<Vec<String>>,
    covered: HashMap<(u32, u32, u32), bool>,
    category: Option<i16>,
    /// Which of the sets of signals hold the one asked for.
    signals: Option<Vec<bool>>,
    section: Option<u32>,
    lang: Option<u32>,
    known: Option<bool>,
    assigned: Option<u32>,
    article: Option<i64>,
    author: Option<i64>,
    campaign: Option<u32>,
    /// The place of the queue that is asked for; none of those that there are, when there is none of its name.
    queue: Option<Option<usize>>,
    reported: Option<HashSet<u32>>,
    answers: Option<HashSet<u32>>,
    /// Rows that are asked for by name.
    rows: Option<HashSet<u32>>,
}

impl<'a> Sieve<'a> {
    fn new(
        connection: &Connection,
        shared: &Shared,
        kept: &Kept,
        filter: &'a QueueFilter,
        answers: Option<HashSet<u32>>,
    ) -> Result<Self> {
        let named = |slot: Option<u32>| slot.unwrap_or(UNKNOWN);
        let sites = if filter.sites.is_empty() { None } else { Some(site_ids(connection, &filter.sites)?) };
        let names = kept.sites().map(|site| Ok(shared.site_name(connection, site)?.to_string()));
        Ok(Self {
            filter,
            sites: sites.map(|sites| kept.sites().map(|site| sites.contains(&site)).collect()),
            names: if filter.reach.is_all() { None } else { Some(names.collect::<Result<_>>()?) },
            covered: HashMap::new(),
            category: filter.category.map(|category| category_code(Some(category))),
            signals: filter.signal.as_deref().map(|id| kept.signal_sets_with(id)),
            section: filter.section.as_deref().map(|section| named(kept.sections.find(section))),
            lang: filter.lang.as_deref().map(|lang| named(kept.langs.find(lang))),
            known: filter.author_kind.map(|kind| kind == AuthorKind::Known),
            assigned: filter
                .assigned
                .as_deref()
                .map(|by| if by == "none" { NONE } else { named(kept.people.find(by)) }),
            article: filter.article.as_deref().map(|id| article_key(shared, id)),
            author: filter.author.as_deref().map(|id| author_key(shared, id)),
            campaign: match filter.campaign {
                None => None,
                Some(uid) => Some(named(kept.campaign(campaigns::number_of(connection, uid)?))),
            },
            queue: filter.queue.as_deref().map(|name| filter.queues.find(name)),
            reported: filter.reported.then(|| reports::waiting(connection)).transpose()?,
            answers,
            rows: filter.uids.as_deref().map(|uids| rows_of(connection, shared, uids)).transpose()?,
        })
    }

    /// The conditions that do not hold.
    fn missed(&mut self, kept: &Kept, entry: &Entry, claimed: u32, queue: Option<usize>) -> u16 {
        let other = self.is_within_reach(kept, entry)
            && self.answers.as_ref().is_none_or(|answers| answers.contains(&entry.id))
            && self.reported.as_ref().is_none_or(|reported| reported.contains(&entry.id))
            && self.rows.as_ref().is_none_or(|rows| rows.contains(&entry.id))
            && self.article.is_none_or(|article| article == entry.article)
            && self.author.is_none_or(|author| author == entry.author);
        if !other {
            return of::OTHER;
        }
        let is = |holds: bool, condition: u16| if holds { 0 } else { condition };
        let at = |list: &Option<Vec<bool>>, slot: u32| list.as_ref().is_none_or(|list| list[slot as usize]);
        is(at(&self.sites, entry.site), of::SITE)
            | is(self.category.is_none_or(|category| category == i16::from(entry.category)), of::CATEGORY)
            | is(at(&self.signals, entry.signals), of::SIGNAL)
            | is(self.section.is_none_or(|section| section == entry.section), of::SECTION)
            | is(self.lang.is_none_or(|lang| lang == entry.lang), of::LANG)
            | is(self.known.is_none_or(|known| known == entry.author_known), of::AUTHOR_KIND)
            | is(self.assigned.is_none_or(|by| by == claimed), of::ASSIGNED)
            | is(self.campaign.is_none_or(|campaign| campaign == entry.campaign), of::CAMPAIGN)
            | is(self.queue.is_none_or(|asked| asked.is_some() && asked == queue), of::QUEUE)
    }

    fn is_within_reach(&mut self, kept: &Kept, entry: &Entry) -> bool {
        let Some(names) = &self.names else { return true };
        let reach = &self.filter.reach;
        *self.covered.entry((entry.site, entry.section, entry.lang)).or_insert_with(|| {
            let name = names.get(entry.site as usize);
            name.is_some_and(|name| reach.covers(name, kept.sections.name(entry.section), kept.langs.name(entry.lang)))
        })
    }
}

/// Counts by everything that the page offers a choice of.
struct Tally {
    site: Vec<u64>,
    category: [u64; 4],
    signals: Vec<u64>,
    section: Vec<u64>,
    lang: Vec<u64>,
    known: [u64; 2],
    assigned: Vec<u64>,
    campaign: Vec<u64>,
    queue: Vec<Option<QueueSum>>,
}

impl Tally {
    fn new(kept: &Kept, queues: &Queues) -> Self {
        Self {
            site: vec![0; kept.sites().count()],
            category: [0; 4],
            signals: vec![0; kept.signals.len()],
            section: vec![0; kept.sections.len()],
            lang: vec![0; kept.langs.len()],
            known: [0; 2],
            assigned: vec![0; kept.people.len()],
            campaign: vec![0; kept.campaigns().len()],
            queue: vec![None; queues.len()],
        }
    }

    /// Counts a comment wherever all conditions hold but the one that is counted by.
    fn add(&mut self, entry: &Entry, claimed: u32, queue: Option<usize>, missed: u16) {
        let counts = |condition: u16| u64::from(missed & !condition == 0);
        if missed == of::OTHER {
            return;
        }
        self.site[entry.site as usize] += counts(of::SITE);
        self.category[usize::from(entry.category & 3)] += counts(of::CATEGORY);
        self.signals[entry.signals as usize] += counts(of::SIGNAL);
        self.section[entry.section as usize] += counts(of::SECTION);
        self.lang[entry.lang as usize] += counts(of::LANG);
        self.known[usize::from(entry.author_known)] += counts(of::AUTHOR_KIND);
        self.assigned[claimed as usize] += counts(of::ASSIGNED);
        self.campaign[entry.campaign as usize] += counts(of::CAMPAIGN);
        if let Some(queue) = queue.filter(|_| counts(of::QUEUE) > 0) {
            QueueSum::add(&mut self.queue[queue], 1, Timestamp::from_millis(entry.held_at));
        }
    }

    fn named(self, connection: &Connection, shared: &Shared, kept: &Kept, queues: &Queues) -> Result<QueuePage> {
        let mut by_site = BTreeMap::new();
        for (site, count) in kept.sites().zip(self.site).filter(|(_, count)| *count > 0) {
            by_site.insert(shared.site_name(connection, site)?.to_string(), count);
        }
        let mut by_signal = BTreeMap::new();
        for (set, count) in kept.signals.names().zip(&self.signals).filter(|(_, count)| **count > 0) {
            for signal in set.split_ascii_whitespace() {
                add_to(&mut by_signal, signal, *count);
            }
        }
        let mut by_assigned = counted(kept.people.names(), &self.assigned);
        if self.assigned[NONE as usize] > 0 {
            by_assigned.insert("none".to_owned(), self.assigned[NONE as usize]);
        }
        let categories = (0_i16..).zip(self.category).filter(|(_, count)| *count > 0);
        let kinds = [false, true].into_iter().zip(self.known).filter(|(_, count)| *count > 0);
        let campaigns = kept.campaigns().iter().copied().zip(self.campaign).skip(1);
        let mut campaigns: Vec<(i64, u64)> = campaigns.filter(|(_, count)| *count > 0).collect();
        campaigns.sort_unstable_by_key(|(number, count)| (std::cmp::Reverse(*count), *number));
        let mut by_campaign = BTreeMap::new();
        for (number, count) in campaigns.into_iter().take(QueuePage::CAMPAIGNS) {
            if let Some(uid) = campaigns::uid_of(connection, number)? {
                by_campaign.insert(uid, count);
            }
        }
        Ok(QueuePage {
            by_site,
            by_category: categories.map(|(code, count)| (category_name(code).to_owned(), count)).collect(),
            by_signal,
            by_section: counted(kept.sections.names(), &self.section),
            by_lang: counted(kept.langs.names(), &self.lang),
            by_author_kind: kinds.map(|(known, count)| (kind_of(known), count)).collect(),
            by_assigned,
            by_campaign,
            by_queue: queues
                .iter()
                .zip(self.queue)
                .filter_map(|(queue, sum)| Some((queue.name.clone(), sum?)))
                .collect(),
            ..QueuePage::default()
        })
    }
}

/// What was counted, by name; what has none (the first) is left out.
fn counted<'a>(names: impl Iterator<Item = &'a str>, counts: &[u64]) -> BTreeMap<String, u64> {
    let named = names.zip(counts).skip(1).filter(|(_, count)| **count > 0);
    named.map(|(name, count)| (name.to_owned(), *count)).collect()
}

fn add_to(counts: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    match counts.get_mut(name) {
        Some(known) => *known += count,
        None => drop(counts.insert(name.to_owned(), count)),
    }
}

fn site_ids(connection: &Connection, names: &[String]) -> Result<HashSet<SiteId>> {
    let mut query = connection.prepare_cached("SELECT id FROM site WHERE name = ?1")?;
    let mut ids = HashSet::new();
    for name in names {
        ids.extend(query.query_row([name], |row| row.get(0)).optional()?.map(SiteId));
    }
    Ok(ids)
}

/// An item of the page; `names` are campaigns by number, as they are met.
fn item(
    connection: &Connection,
    shared: &Shared,
    shown: Shown,
    names: &mut HashMap<i64, Option<Uuid>>,
) -> Result<QueueItem> {
    let Shown { entry, claim, campaign, queue } = shown;
    let id = entry.id;
    let gone = || StoreError::Corrupt(format!("comment row {id} is in the queue, and missing"));
    let row = rows::row(connection, id)?.ok_or_else(gone)?;
    let record = rows::load(connection, shared, &row)?;
    let sent = &record.comment.article;
    let article: Article = match articles::find(connection, row.site, &sent.id)? {
        Some(known) => known,
        None => sent.clone(),
    };
    let readers = reports::view(connection, id)?;
    let reports = if readers.reports > 0 { reports::open(connection, id, REPORTS_SHOWN)? } else { Vec::new() };
    let campaign = match campaign {
        None => None,
        Some(number) => match names.get(&number) {
            Some(uid) => *uid,
            None => *names.entry(number).or_insert(campaigns::uid_of(connection, number)?),
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

fn place(waiting: &Entry, sort: QueueSort) -> Place {
    // Moments as unsigned numbers in the same order; positive doubles are in the order of their bits.
    let moment = waiting.held_at.cast_unsigned() ^ (1 << 63);
    match sort {
        QueueSort::Priority => (u64::MAX - waiting.priority.max(0.0).to_bits(), waiting.id),
        QueueSort::Oldest => (moment, waiting.id),
        QueueSort::Newest => (u64::MAX - moment, u32::MAX - waiting.id),
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
