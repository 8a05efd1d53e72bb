//! The queue: one small row for each held comment, so that filters and counts read nothing else.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::comments::article_find;
use super::errors::store_error;
use super::index::{hash, stored};
use super::rows::{Cursor, StoredRow};
use super::uid::Uids;
use super::writer::Work;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::decision::{Record, Verdict};
use crate::domain::signal::Outcome;
use crate::domain::site::SiteId;
use crate::domain::store::{Claim, NewRecord, QueueFilter, QueueItem, QueuePage, QueueSort, Result};
use crate::domain::time::Timestamp;
use crate::domain::trace::{account, scoped};

/// What the queue knows of a held comment.
pub(super) struct Place {
    site: SiteId,
    category: Option<&'static str>,
    section: Option<String>,
    lang: Option<String>,
    article: u64,
    author: u64,
    priority: f64,
    held_at: Timestamp,
    signals: String,
}

impl Place {
    pub(super) fn of(new: &NewRecord) -> Self {
        Self {
            site: new.site.id,
            category: new.verdict.category.map(crate::domain::category::Category::name),
            section: new.comment.article.section.clone(),
            lang: new.lang.clone(),
            article: new.trace.article,
            author: new.trace.author,
            priority: new.priority,
            held_at: new.received_at,
            signals: signals(&new.verdict),
        }
    }

    /// The place of a comment that waits again.
    pub(super) fn again(row: &StoredRow, record: &Record, priority: f64, held_at: Timestamp) -> Self {
        Self {
            site: row.site,
            category: record.verdict.category.map(crate::domain::category::Category::name),
            section: record.comment.article.section.clone(),
            lang: record.comment.article.lang.clone(),
            article: row.article,
            author: row.author,
            priority,
            held_at,
            signals: signals(&record.verdict),
        }
    }
}

/// The signals that hit, each between commas.
fn signals(verdict: &Verdict) -> String {
    let hits = verdict.signals.iter().filter(|signal| matches!(signal.outcome, Outcome::Hit { .. }));
    hits.fold(String::from(","), |list, signal| list + &signal.id + ",")
}

pub(super) fn insert(connection: &Connection, row: u64, place: &Place) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO queue (comment, site, category, section, lang, article_hash, author_hash, priority, held_at, signals) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.execute(params![
                row, place.site.0, place.category, place.section, place.lang, stored(place.article), stored(place.author),
                place.priority, place.held_at.as_millis(), place.signals
            ])
        })
        .map(drop)
        .map_err(store_error)
}

/// Takes a comment out of the queue; answers its priority and since when it waited, when it was there.
pub(super) fn remove(connection: &Connection, row: u64) -> Result<Option<(f64, i64)>> {
    let mut statement = connection.prepare_cached("DELETE FROM queue WHERE comment = ? RETURNING priority, held_at").map_err(store_error)?;
    let mut rows = statement.query([row]).map_err(store_error)?;
    let mut removed = None;
    while let Some(row) = rows.next().map_err(store_error)? {
        removed = Some((row.get(0).map_err(store_error)?, row.get(1).map_err(store_error)?));
    }
    Ok(removed)
}

struct Waiting {
    row: u64,
    site: String,
    category: Option<String>,
    section: Option<String>,
    lang: Option<String>,
    article: u64,
    author: u64,
    priority: f64,
    held_at: i64,
    signals: String,
    claim: Option<(String, i64)>,
    site_id: u32,
}

pub(super) fn page(
    connection: &Connection,
    uids: &Uids,
    filter: &QueueFilter,
    sort: QueueSort,
    cursor: Option<Cursor>,
    limit: usize,
    now: Timestamp,
) -> Result<QueuePage> {
    let mut waiting = matching(connection, uids, filter, now)?;
    let mut page = QueuePage {
        items: Vec::new(),
        held: waiting.len() as u64,
        by_site: BTreeMap::new(),
        by_category: BTreeMap::new(),
        by_signal: BTreeMap::new(),
        oldest: waiting.iter().map(|waiting| waiting.held_at).min().map(Timestamp::from_millis),
        next_cursor: None,
    };
    for waiting in &waiting {
        *page.by_site.entry(waiting.site.clone()).or_default() += 1;
        *page.by_category.entry(waiting.category.clone().unwrap_or_else(|| "none".to_owned())).or_default() += 1;
        for signal in waiting.signals.split(',').filter(|signal| !signal.is_empty()) {
            *page.by_signal.entry(signal.to_owned()).or_default() += 1;
        }
    }
    waiting.sort_by_key(|waiting| key(waiting, sort));
    let after = |cursor: Cursor| waiting.partition_point(|waiting| key(waiting, sort) <= (cursor.key, cursor.row));
    let start = cursor.map_or(0, after);
    for waiting in waiting.iter().skip(start).take(limit) {
        let Some(row) = StoredRow::find(connection, waiting.row)? else { continue };
        let record = row.record(uids)?;
        let article = article_find(connection, row.site, record.comment.article.id.as_str())?;
        page.items.push(QueueItem {
            article: article.unwrap_or_else(|| Article::named(record.comment.article.id.clone())),
            record,
            held_at: Timestamp::from_millis(waiting.held_at),
            priority: waiting.priority,
            claim: waiting.claim.clone().map(|(by, until)| Claim { by, until: Timestamp::from_millis(until) }),
        });
    }
    if start + limit < waiting.len()
        && let Some(last) = waiting.get(start + limit - 1)
    {
        let (key, row) = key(last, sort);
        page.next_cursor = Some(Cursor { key, row }.to_string());
    }
    Ok(page)
}

/// The sort key; its order is the page's order, and the row makes it unique.
fn key(waiting: &Waiting, sort: QueueSort) -> (u64, u64) {
    let held_at = waiting.held_at.cast_unsigned();
    match sort {
        // Priorities lie within 0 and 1, where the bits of a double sort like its value.
        QueueSort::Priority => (!waiting.priority.max(0.0).to_bits(), waiting.row),
        QueueSort::Oldest => (held_at, waiting.row),
        QueueSort::Newest => (!held_at, !waiting.row),
    }
}

fn matching(connection: &Connection, uids: &Uids, filter: &QueueFilter, now: Timestamp) -> Result<Vec<Waiting>> {
    let sql = "SELECT q.comment, s.name, q.category, q.section, q.lang, q.article_hash, q.author_hash, q.priority, q.held_at, q.signals, \
               q.claimed_by, q.claimed_until, q.site FROM queue q JOIN site s ON s.id = q.site";
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let waiting = waiting(row, now).map_err(store_error)?;
        if matches(&waiting, filter) {
            found.push(waiting);
        }
    }
    if let Some(words) = &filter.q {
        let needles: Vec<String> = crate::domain::normalise::fold_plain(words).text().split_whitespace().map(str::to_owned).collect();
        let mut kept = Vec::new();
        for waiting in found {
            if holds(connection, uids, waiting.row, &needles)? {
                kept.push(waiting);
            }
        }
        found = kept;
    }
    Ok(found)
}

fn waiting(row: &rusqlite::Row<'_>, now: Timestamp) -> rusqlite::Result<Waiting> {
    let claim = match (row.get::<_, Option<String>>(10)?, row.get::<_, Option<i64>>(11)?) {
        (Some(by), Some(until)) if until > now.as_millis() => Some((by, until)),
        _ => None,
    };
    Ok(Waiting {
        row: row.get(0)?,
        site: row.get(1)?,
        category: row.get(2)?,
        section: row.get(3)?,
        lang: row.get(4)?,
        article: hash(row.get(5)?),
        author: hash(row.get(6)?),
        priority: row.get(7)?,
        held_at: row.get(8)?,
        signals: row.get(9)?,
        claim,
        site_id: row.get(12)?,
    })
}

fn matches(waiting: &Waiting, filter: &QueueFilter) -> bool {
    let site = SiteId(waiting.site_id);
    let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
    let author = |name: &String| ExternalId::parse("author", name.clone()).is_ok_and(|id| account(site, &id) == waiting.author);
    let assigned = |by: &String| match &waiting.claim {
        None => by == "none",
        Some((holder, _)) => by == holder,
    };
    (filter.sites.is_empty() || filter.sites.contains(&waiting.site))
        && filter.category.is_none_or(|category| waiting.category.as_deref() == Some(category.name()))
        && filter.signal.as_ref().is_none_or(|signal| waiting.signals.contains(&format!(",{signal},")))
        && is(&filter.section, &waiting.section)
        && is(&filter.lang, &waiting.lang)
        && filter.article.as_ref().is_none_or(|name| scoped(site, "article", name) == waiting.article)
        && filter.author.as_ref().is_none_or(author)
        && filter.assigned.as_ref().is_none_or(assigned)
}

/// Whether a comment's body holds every one of the words.
fn holds(connection: &Connection, uids: &Uids, row: u64, needles: &[String]) -> Result<bool> {
    let Some(row) = StoredRow::find(connection, row)? else { return Ok(false) };
    let comment = row.record(uids)?.comment;
    let body = crate::domain::normalise::fold_body(&comment.body, comment.format);
    Ok(needles.iter().all(|needle| body.contains(needle)))
}

pub(super) fn claim(work: &Work<'_>, uids: &[Uuid], by: &str, until: Timestamp, now: Timestamp) -> Result<Vec<Uuid>> {
    let sql = "UPDATE queue SET claimed_by = ?, claimed_until = ? WHERE comment = ? AND (claimed_by IS NULL OR claimed_by = ? OR claimed_until <= ?)";
    each(work, uids, |connection, row| connection.execute(sql, params![by, until.as_millis(), row, by, now.as_millis()]))
}

pub(super) fn release(work: &Work<'_>, uids: &[Uuid], by: &str) -> Result<Vec<Uuid>> {
    let sql = "UPDATE queue SET claimed_by = NULL, claimed_until = NULL WHERE comment = ? AND claimed_by = ?";
    each(work, uids, |connection, row| connection.execute(sql, params![row, by]))
}

fn each(work: &Work<'_>, uids: &[Uuid], change: impl Fn(&Connection, u64) -> rusqlite::Result<usize>) -> Result<Vec<Uuid>> {
    let mut changed = Vec::new();
    for uid in uids {
        if let Some((row, _)) = work.uids.read(*uid)
            && change(work.connection, row).map_err(store_error)? == 1
        {
            changed.push(*uid);
        }
    }
    Ok(changed)
}
