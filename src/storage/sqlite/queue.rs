//! What waits for a person: small rows beside the comments, in and out in the commit that changes the status.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{articles, campaigns, lists, reports, rulings, samples};
use crate::domain::category::Category;
use crate::domain::comment::Article;
use crate::domain::decision::Status;
use crate::domain::people::{Person, Reach};
use crate::domain::signal::Outcome;
use crate::domain::site::SiteId;
use crate::domain::store::{
    Claim, ListError, PageRequest, QueueFilter, QueueItem, QueuePage, QueueSort, Result, StoreError,
};
use crate::domain::time::Timestamp;
use crate::storage::codec::Content;

/// Bodies read for one search. Held comments beyond that, newest first, are neither found nor counted.
const SEARCHED_MAX: usize = 20_000;

/// Readers' reports that an item shows.
const REPORTS_SHOWN: u32 = 5;

/// Puts a comment into the queue.
pub(super) fn add(work: &Work<'_>, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    let comment = &content.comment;
    let section = match &comment.article.section {
        Some(section) => Some(section.clone()),
        None => articles::find(work.connection, row.site, &comment.article.id)?.and_then(|article| article.section),
    };
    let author = comment.author.id.as_ref().map_or(0, |id| author_key(work.shared, id.as_str()));
    // Signal ids are kebab-case, so blanks can part them.
    // What was drawn lies here like what is held, by whatever can be seen of it.
    let drawn = row.status != Some(Status::Held);
    let category = if drawn { content.verdict.as_held().category } else { content.verdict.category };
    let priority = if drawn { samples::priority(work, row, content) } else { content.priority };
    let hits = content.verdict.signals.iter().filter(|signal| matches!(signal.outcome, Outcome::Hit { .. }));
    let write = "INSERT INTO queue (id, site, category, signals, section, lang, article, author, priority, held_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    work.connection.prepare_cached(write)?.execute(params![
        row.id,
        row.site.0,
        category_code(category),
        hits.map(|signal| signal.id.as_ref()).collect::<Vec<_>>().join(" "),
        section,
        content.lang,
        article_key(work.shared, comment.article.id.as_str()),
        author,
        priority,
        held_at.as_millis(),
    ])?;
    Ok(())
}

/// Puts a comment whose status may have changed where it belongs. A claim on it stays as long as it is held.
pub(super) fn replace(work: &Work<'_>, row: &Row, content: &Content, held_at: Timestamp) -> Result<()> {
    let claim = claim_of(work.connection, row.id)?;
    work.connection.prepare_cached("DELETE FROM queue WHERE id = ?1")?.execute([row.id])?;
    if row.status != Some(Status::Held) && !samples::is_open(work.connection, row.id)? {
        return Ok(());
    }
    add(work, row, content, held_at)?;
    if let Some((by, until)) = claim {
        let write = "UPDATE queue SET claimed_by = ?2, claimed_until = ?3 WHERE id = ?1";
        work.connection.prepare_cached(write)?.execute(params![row.id, by, until])?;
    }
    Ok(())
}

/// Puts comments that wait, and came without a section of their own, into that of their article: who may see them depends on it.
pub(super) fn follow_article(work: &Work<'_>, site: SiteId, article: &Article) -> Result<()> {
    let read = "SELECT id FROM queue WHERE site = ?1 AND article = ?2";
    let mut query = work.connection.prepare_cached(read)?;
    let key = article_key(work.shared, article.id.as_str());
    let waiting = query.query_map(params![site.0, key], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
    for id in waiting {
        let sent = rows::content(work.connection, id)?.comment.article;
        if sent.section.is_none() && sent.id == article.id {
            let write = "UPDATE queue SET section = ?2 WHERE id = ?1";
            work.connection.prepare_cached(write)?.execute(params![id, article.section])?;
        }
    }
    Ok(())
}

/// Since when a comment waits, if it does.
pub(super) fn held_at(connection: &Connection, id: u32) -> Result<Option<Timestamp>> {
    let mut query = connection.prepare_cached("SELECT held_at FROM queue WHERE id = ?1")?;
    Ok(query.query_row([id], |row| row.get(0)).optional()?.map(Timestamp::from_millis))
}

fn claim_of(connection: &Connection, id: u32) -> Result<Option<(String, i64)>> {
    let read = "SELECT claimed_by, claimed_until FROM queue WHERE id = ?1 AND claimed_by IS NOT NULL";
    Ok(connection.prepare_cached(read)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Leases what is free, or theirs already.
pub(super) fn claim(
    work: &Work<'_>,
    uids: &[Uuid],
    by: &Person,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let write = "UPDATE queue SET claimed_by = ?2, claimed_until = ?3 \
                 WHERE id = ?1 AND (claimed_by IS NULL OR claimed_by = ?2 OR claimed_until <= ?4)";
    each_held(work, uids, &by.reach, |id| {
        Ok(work.connection.prepare_cached(write)?.execute(params![id, by.email, until.as_millis(), now.as_millis()])?)
    })
}

/// Gives leases back.
pub(super) fn release(work: &Work<'_>, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
    let write = "UPDATE queue SET claimed_by = NULL, claimed_until = NULL WHERE id = ?1 AND claimed_by = ?2";
    each_held(work, uids, &Reach::ALL, |id| Ok(work.connection.prepare_cached(write)?.execute(params![id, by])?))
}

fn each_held(
    work: &Work<'_>,
    uids: &[Uuid],
    reach: &Reach,
    mut change: impl FnMut(u32) -> Result<usize>,
) -> Result<Vec<Uuid>> {
    let (mut changed, mut met) = (Vec::new(), HashSet::new());
    for uid in uids.iter().filter(|uid| met.insert(**uid)) {
        let Some(row) = rulings::permitted(work, *uid, reach)? else { continue };
        if change(row.id)? > 0 {
            changed.push(*uid);
        }
    }
    Ok(changed)
}

/// A held comment's place in the chosen order: smaller comes first.
type Place = (u64, u32);

/// A page of the queue, with counts of everything under the filter.
pub(super) fn page(
    connection: &Connection,
    shared: &Shared,
    filter: &QueueFilter,
    sort: QueueSort,
    page: &PageRequest,
    now: Timestamp,
) -> std::result::Result<QueuePage, ListError> {
    let after = page.cursor.as_deref().map(|cursor| place_of_cursor(shared, sort, cursor)).transpose()?;
    let mut found = count(connection, shared, filter, sort, now)?;
    found.places.retain(|place| after.is_none_or(|after| *place > after));
    let limit = lists::limit(page);
    let more = found.places.len() > limit;
    if more {
        found.places.select_nth_unstable(limit);
        found.places.truncate(limit);
    }
    found.places.sort_unstable();
    let next_cursor = found.places.last().filter(|_| more).map(|place| cursor_of_place(shared, sort, *place));
    let items = found
        .places
        .iter()
        .map(|place| item(connection, shared, row_of(*place, sort), now))
        .collect::<Result<Vec<_>>>()?;
    let rechecks = campaigns::rechecks(connection, shared, &filter.reach)?;
    Ok(QueuePage { items, rechecks, next_cursor, ..found.page })
}

struct Found {
    places: Vec<Place>,
    page: QueuePage,
}

/// A row of `queue`, as far as filters and counts need it.
struct Waiting {
    id: u32,
    site: SiteId,
    category: i64,
    signals: String,
    section: Option<String>,
    lang: Option<String>,
    article: i64,
    author: i64,
    priority: f64,
    held_at: Timestamp,
    claimed_by: Option<String>,
}

fn count(
    connection: &Connection,
    shared: &Shared,
    filter: &QueueFilter,
    sort: QueueSort,
    now: Timestamp,
) -> Result<Found> {
    let sieve = Sieve::new(connection, shared, filter)?;
    let read = "SELECT id, site, category, signals, section, lang, article, author, priority, held_at, \
                CASE WHEN claimed_until > ?1 THEN claimed_by END FROM queue ORDER BY id DESC";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([now.as_millis()])?;
    let (mut places, mut searched) = (Vec::new(), 0);
    let (mut by_site, mut by_category, mut by_signal) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut oldest: Option<Timestamp> = None;
    while let Some(row) = rows.next()? {
        let waiting = Waiting::read(row)?;
        if !sieve.passes(&waiting) {
            continue;
        }
        if !sieve.words.is_empty() {
            searched += 1;
            if searched > SEARCHED_MAX {
                break;
            }
            if !sieve.found_in(&rows::content(connection, waiting.id)?.comment.body) {
                continue;
            }
        }
        *by_site.entry(waiting.site).or_insert(0_u64) += 1;
        *by_category.entry(category_name(waiting.category).to_owned()).or_insert(0_u64) += 1;
        for signal in waiting.signals.split_ascii_whitespace() {
            match by_signal.get_mut(signal) {
                Some(count) => *count += 1,
                None => drop(by_signal.insert(signal.to_owned(), 1_u64)),
            }
        }
        oldest = Some(oldest.map_or(waiting.held_at, |oldest| oldest.min(waiting.held_at)));
        places.push(place(&waiting, sort));
    }
    let by_site = by_site.into_iter().map(|(site, count)| Ok((shared.site_name(connection, site)?.to_string(), count)));
    let by_site = by_site.collect::<Result<_>>()?;
    let held = places.len() as u64;
    Ok(Found { places, page: QueuePage { held, by_site, by_category, by_signal, oldest, ..QueuePage::default() } })
}

impl Waiting {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            site: SiteId(row.get(1)?),
            category: row.get(2)?,
            signals: row.get(3)?,
            section: row.get(4)?,
            lang: row.get(5)?,
            article: row.get(6)?,
            author: row.get(7)?,
            priority: row.get(8)?,
            held_at: Timestamp::from_millis(row.get(9)?),
            claimed_by: row.get(10)?,
        })
    }
}

/// A filter, with its names looked up.
struct Sieve<'a> {
    filter: &'a QueueFilter,
    sites: Option<HashSet<SiteId>>,
    /// Names of sites, where the reach depends on them.
    names: HashMap<SiteId, String>,
    article: Option<i64>,
    author: Option<i64>,
    campaign: Option<HashSet<u32>>,
    reported: Option<HashSet<u32>>,
    words: Vec<String>,
}

impl<'a> Sieve<'a> {
    fn new(connection: &Connection, shared: &Shared, filter: &'a QueueFilter) -> Result<Self> {
        let sites = if filter.sites.is_empty() { None } else { Some(site_ids(connection, &filter.sites)?) };
        let words = filter.q.as_deref().unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
        Ok(Self {
            filter,
            sites,
            names: if filter.reach.is_all() { HashMap::new() } else { site_names(connection)? },
            article: filter.article.as_deref().map(|id| article_key(shared, id)),
            author: filter.author.as_deref().map(|id| author_key(shared, id)),
            campaign: filter.campaign.map(|uid| campaigns::rows_of(connection, uid)).transpose()?,
            reported: filter.reported.then(|| reports::waiting(connection)).transpose()?,
            words,
        })
    }

    fn passes(&self, waiting: &Waiting) -> bool {
        let filter = self.filter;
        let claimed = waiting.claimed_by.as_deref();
        self.is_within_reach(waiting)
            && self.sites.as_ref().is_none_or(|sites| sites.contains(&waiting.site))
            && filter.category.is_none_or(|category| category_code(Some(category)) == waiting.category)
            && filter.signal.as_deref().is_none_or(|id| waiting.signals.split_ascii_whitespace().any(|hit| hit == id))
            && (filter.section.is_none() || filter.section == waiting.section)
            && (filter.lang.is_none() || filter.lang == waiting.lang)
            && self.article.is_none_or(|article| article == waiting.article)
            && self.author.is_none_or(|author| author == waiting.author)
            && self.campaign.as_ref().is_none_or(|members| members.contains(&waiting.id))
            && self.reported.as_ref().is_none_or(|reported| reported.contains(&waiting.id))
            && match filter.assigned.as_deref() {
                None => true,
                Some("none") => claimed.is_none(),
                Some(person) => claimed == Some(person),
            }
    }

    fn is_within_reach(&self, waiting: &Waiting) -> bool {
        let reach = &self.filter.reach;
        let covers = |site: &String| reach.covers(site, waiting.section.as_deref(), waiting.lang.as_deref());
        reach.is_all() || self.names.get(&waiting.site).is_some_and(covers)
    }

    fn found_in(&self, body: &str) -> bool {
        let body = body.to_lowercase();
        self.words.iter().all(|word| body.contains(word.as_str()))
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

fn site_names(connection: &Connection) -> Result<HashMap<SiteId, String>> {
    let mut query = connection.prepare_cached("SELECT id, name FROM site")?;
    let names = query.query_map([], |row| Ok((SiteId(row.get(0)?), row.get(1)?)))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

fn item(connection: &Connection, shared: &Shared, id: u32, now: Timestamp) -> Result<QueueItem> {
    let gone = || StoreError::Corrupt(format!("comment row {id} is in the queue, and missing"));
    let row = rows::row(connection, id)?.ok_or_else(gone)?;
    let record = rows::load(connection, shared, &row)?;
    let read = "SELECT priority, held_at, claimed_by, claimed_until FROM queue WHERE id = ?1";
    let (priority, held_at, by, until): (f64, i64, Option<String>, Option<i64>) = connection
        .prepare_cached(read)?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let claim = by.zip(until).map(|(by, until)| Claim { by, until: Timestamp::from_millis(until) });
    let sent = &record.comment.article;
    let article: Article = match articles::find(connection, row.site, &sent.id)? {
        Some(known) => known,
        None => sent.clone(),
    };
    Ok(QueueItem {
        article,
        record,
        held_at: Timestamp::from_millis(held_at),
        priority,
        claim: claim.filter(|claim| claim.until > now),
        campaign: campaigns::of_comment(connection, id)?,
        readers: reports::view(connection, id)?,
        reports: reports::open(connection, id, REPORTS_SHOWN)?,
    })
}

fn place(waiting: &Waiting, sort: QueueSort) -> Place {
    // Moments as unsigned numbers in the same order; positive doubles are in the order of their bits.
    let moment = waiting.held_at.as_millis().cast_unsigned() ^ (1 << 63);
    match sort {
        QueueSort::Priority => (u64::MAX - waiting.priority.max(0.0).to_bits(), waiting.id),
        QueueSort::Oldest => (moment, waiting.id),
        QueueSort::Newest => (u64::MAX - moment, u32::MAX - waiting.id),
    }
}

const fn row_of(place: Place, sort: QueueSort) -> u32 {
    match sort {
        QueueSort::Priority | QueueSort::Oldest => place.1,
        QueueSort::Newest => u32::MAX - place.1,
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

fn article_key(shared: &Shared, id: &str) -> i64 {
    shared.hasher.article(SiteId(0), id).cast_signed()
}

fn author_key(shared: &Shared, id: &str) -> i64 {
    shared.hasher.account(SiteId(0), id).cast_signed()
}

const fn category_code(category: Option<Category>) -> i64 {
    match category {
        None => 0,
        Some(Category::Spam) => 1,
        Some(Category::OffTopic) => 2,
        Some(Category::Abuse) => 3,
    }
}

fn category_name(code: i64) -> &'static str {
    Category::ALL.into_iter().find(|category| category_code(Some(*category)) == code).map_or("none", Category::name)
}
