//! A site's comments, newest first; what an author did before; what the history is rebuilt from.

use rusqlite::{Connection, params};

use super::index::Chain;
use super::rows::{self, Row};
use super::shared::Shared;
use super::{rulings, samples, start};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{DecidedBy, Record, Status};
use crate::domain::history::{AuthorPast, Standing};
use crate::domain::site::SiteId;
use crate::domain::store::{CommentFilter, ListError, Page, PageRequest, Remembered, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec;

/// Rows looked at for one page. A page that finds little in so many is short, and says where to go on.
const SCAN_MAX: usize = 5_000;

/// Items on a page.
pub(super) fn limit(page: &PageRequest) -> usize {
    page.limit.clamp(1, 500)
}

/// The cursor that stands for a row number: sealed like a uid, so that none can be made up and nothing counted by it.
pub(super) fn cursor_of_row(shared: &Shared, row: u32) -> String {
    shared.seal.uid(Timestamp::EPOCH, row).simple().to_string()
}

/// The row number of a cursor.
pub(super) fn row_of_cursor(shared: &Shared, cursor: &str) -> std::result::Result<u32, ListError> {
    let uid = uuid::Uuid::try_parse(cursor).map_err(|_| ListError::BadCursor)?;
    let sealed = shared.seal.open(uid).filter(|sealed| sealed.is_of(Timestamp::EPOCH));
    sealed.map(|sealed| sealed.row).ok_or(ListError::BadCursor)
}

/// Goes down a chain, newest first: its rows, and those that an edit moved to it.
pub(super) struct Walk {
    chain: Chain,
    next: u32,
    moved: Vec<u32>,
}

impl Walk {
    /// Starts below row `below`.
    pub(super) fn start(connection: &Connection, shared: &Shared, chain: Chain, key: u64, below: u32) -> Result<Self> {
        let read = "SELECT comment FROM moved WHERE chain = ?1 AND key = ?2 AND comment < ?3 ORDER BY comment";
        let mut query = connection.prepare_cached(read)?;
        let moved = query.query_map(params![chain.code(), key.cast_signed(), below], |row| row.get(0))?;
        let moved = moved.collect::<rusqlite::Result<_>>()?;
        let mut next = shared.index.head(chain, key);
        if next >= below {
            // The row of a cursor mostly hangs in the chain itself, and says what comes next.
            match rows::row(connection, below)? {
                Some(row) if chain.key(row.site, &row.keys) == key => next = row.prev(chain),
                _ => {
                    while next >= below {
                        next = rows::row(connection, next)?.map_or(0, |row| row.prev(chain));
                    }
                }
            }
        }
        Ok(Self { chain, next, moved })
    }

    /// The next row, erased ones included.
    pub(super) fn step(&mut self, connection: &Connection) -> Result<Option<Row>> {
        let id = self.peek();
        if id == 0 {
            return Ok(None);
        }
        if self.moved.last() == Some(&id) {
            self.moved.pop();
        }
        let row = rows::row(connection, id)?;
        if id == self.next {
            // Only ever downwards, so that no damage to the file can make this walk in circles.
            self.next = row.as_ref().map_or(0, |row| row.prev(self.chain)).min(id - 1);
        }
        Ok(row)
    }

    pub(super) fn peek(&self) -> u32 {
        self.next.max(self.moved.last().copied().unwrap_or(0))
    }
}

/// One page of a site's comments.
pub(super) fn list(
    connection: &Connection,
    shared: &Shared,
    site: SiteId,
    filter: &CommentFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Record>, ListError> {
    let below = page.cursor.as_deref().map(|cursor| row_of_cursor(shared, cursor)).transpose()?.unwrap_or(u32::MAX);
    let mut listing =
        Listing { connection, shared, site, filter, limit: limit(page), items: Vec::new(), scanned: 0, last: below };
    let more = listing.run()?;
    let next_cursor = more.then(|| cursor_of_row(shared, listing.last));
    Ok(Page { items: listing.items, next_cursor })
}

struct Listing<'a> {
    connection: &'a Connection,
    shared: &'a Shared,
    site: SiteId,
    filter: &'a CommentFilter,
    limit: usize,
    items: Vec<Record>,
    scanned: usize,
    /// The last row looked at.
    last: u32,
}

impl Listing<'_> {
    /// Fills the page; whether there may be more.
    fn run(&mut self) -> Result<bool> {
        // Comments received before `floor` come only when something happened to them since.
        let since = self.filter.updated_since;
        let floor = since.map_or(Ok(1), |since| start::first_row_since(self.connection, since.as_millis()))?;
        let (chain, key) = self.chain();
        let mut walk = Walk::start(self.connection, self.shared, chain, key, self.last)?;
        while walk.peek() >= floor {
            if self.is_full() {
                return Ok(true);
            }
            let Some(row) = walk.step(self.connection)? else { continue };
            self.look_at(&row)?;
        }
        match since {
            Some(since) if floor > 1 => self.changed_since(since, floor),
            _ => Ok(false),
        }
    }

    /// Older comments to which something happened since.
    fn changed_since(&mut self, since: Timestamp, floor: u32) -> Result<bool> {
        let read =
            "SELECT DISTINCT comment FROM happening WHERE at >= ?1 AND comment < ?2 ORDER BY comment DESC LIMIT ?3";
        let mut query = self.connection.prepare_cached(read)?;
        let limit = i64::try_from(SCAN_MAX + 1).unwrap_or(i64::MAX);
        let found =
            query.query_map(params![since.as_millis(), self.last.min(floor), limit], |row| row.get::<_, u32>(0))?;
        for id in found {
            if self.is_full() {
                return Ok(true);
            }
            if let Some(row) = rows::row(self.connection, id?)? {
                self.look_at(&row)?;
            }
        }
        Ok(false)
    }

    fn chain(&self) -> (Chain, u64) {
        match (&self.filter.author, &self.filter.article) {
            (Some(author), _) => (Chain::Account, self.shared.hasher.account(self.site, author)),
            (None, Some(article)) => (Chain::Article, self.shared.hasher.article(self.site, article)),
            (None, None) => (Chain::Site, u64::from(self.site.0)),
        }
    }

    fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.scanned >= SCAN_MAX
    }

    /// Puts the row on the page if it belongs there.
    fn look_at(&mut self, row: &Row) -> Result<()> {
        self.last = row.id;
        self.scanned += 1;
        let (filter, Some(status)) = (self.filter, row.status) else { return Ok(()) };
        let waits = filter.as_people_see && filter.status.is_some() && samples::waits(self.connection, row.id)?;
        let seen = if waits { Status::Held } else { status };
        let wanted = row.site == self.site
            && filter.status.is_none_or(|wanted| wanted == seen)
            && filter.updated_since.is_none_or(|since| row.updated_at >= since);
        if !wanted {
            return Ok(());
        }
        let content = rows::content(self.connection, row.id)?;
        let author = content.comment.author.id.as_ref().map(ExternalId::as_str);
        let article = content.comment.article.id.as_str();
        if !filter.reach.is_all() {
            let place = rulings::place_of(self.connection, self.shared, row, &content)?;
            if !filter.reach.covers(&place.site, place.section.as_deref(), place.lang.as_deref()) {
                return Ok(());
            }
        }
        if filter.author.as_deref().is_none_or(|wanted| author == Some(wanted))
            && filter.article.as_deref().is_none_or(|wanted| article == wanted)
        {
            self.items.push(rows::record(self.connection, self.shared, row, content)?);
        }
        Ok(())
    }
}

/// What became of an author's comments before a moment. The comment of `trace` itself is never part of it.
pub(super) fn author_past(
    connection: &Connection,
    shared: &Shared,
    trace: &Trace,
    before: Timestamp,
    depth: usize,
) -> Result<AuthorPast> {
    let mut walk = Walk::start(connection, shared, Chain::Author, shared.hasher.author(trace.author), u32::MAX)?;
    let (mut past, mut counted, mut scanned) = (AuthorPast::default(), 0, 0);
    while counted < depth && scanned < depth.saturating_add(SCAN_MAX) && walk.peek() > 0 {
        let Some(row) = walk.step(connection)? else { continue };
        scanned += 1;
        let Some(status) = row.status else { continue };
        if row.received_at >= before {
            continue;
        }
        let earlier = row.trace()?;
        let itself = earlier.comment == trace.comment && earlier.site == trace.site;
        if earlier.author == trace.author && !itself {
            count(&mut past, status, row.decided_by, row.received_at);
            counted += 1;
        }
    }
    Ok(past)
}

fn count(past: &mut AuthorPast, status: Status, decided_by: DecidedBy, at: Timestamp) {
    let by_person = u32::from(decided_by == DecidedBy::Person);
    match status {
        Status::Approved => {
            past.approved += 1;
            past.approved_by_person += by_person;
        }
        Status::Rejected => {
            past.rejected += 1;
            past.rejected_by_person += by_person;
        }
        Status::Held => past.held += 1,
    }
    past.first_at = Some(past.first_at.map_or(at, |first| first.min(at)));
    past.last_at = Some(past.last_at.map_or(at, |last| last.max(at)));
}

/// Hands the latest comments since `since` to `each`, at most `most` of them, oldest first.
pub(super) fn remembered(
    connection: &Connection,
    since: Timestamp,
    most: usize,
    each: &mut (dyn FnMut(Remembered) + Send),
) -> Result<()> {
    let floor = start::first_row_since(connection, since.as_millis())?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let first = "SELECT min(id) FROM (SELECT id FROM comment WHERE id >= ?1 AND received_at >= ?2 AND status <> 0 \
                 ORDER BY id DESC LIMIT ?3)";
    let first: Option<u32> =
        connection.prepare_cached(first)?.query_row(params![floor, since.as_millis(), most], |row| row.get(0))?;
    let Some(first) = first else { return Ok(()) };
    let read = "SELECT status, decided_by, received_at, trace FROM comment \
                WHERE id >= ?1 AND received_at >= ?2 AND status <> 0 ORDER BY id";
    let mut query = connection.prepare_cached(read)?;
    let mut found = query.query(params![first, since.as_millis()])?;
    while let Some(row) = found.next()? {
        let Some(status) = codec::status_of(row.get(0)?)? else { continue };
        let by_person = codec::decided_by_of(row.get(1)?)? == DecidedBy::Person;
        let trace = row.get_ref(3)?.as_blob().map_err(|error| StoreError::Corrupt(error.to_string()))?;
        each(Remembered {
            trace: codec::decode_trace("a comment's trace", trace)?,
            received_at: Timestamp::from_millis(row.get(2)?),
            standing: Standing { status, by_person },
        });
    }
    Ok(())
}
