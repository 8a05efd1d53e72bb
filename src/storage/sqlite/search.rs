//! Finding comments by their words, over an FTS5 table that is filled after their commit.
//!
//! The index is behind by some seconds, so a search looks at three things, newest first: comments that the index has not reached (directly), those
//! that were edited since (directly, whatever the index says of them), and the index. An erasure takes the words out in its own transaction.

use std::collections::HashMap;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{SqliteStore, articles, lists, privacy, queue, rulings, samples};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{Record, Status};
use crate::domain::search::{Indexed, Question, Search, SearchFilter, Words};
use crate::domain::site::SiteId;
use crate::domain::store::{ListError, Page, PageRequest, Result};
use crate::storage::damage::left_out;

/// In `meta`: the last row that the index has looked at.
const INDEXED_TO: &str = "search_to";

/// Comments looked at for one page. A page that finds little in so many is short, and says where to go on.
const SCAN_MAX: usize = 2_000;

/// Comments whose text is read for one page, because the index does not know it: some forty microseconds each.
const READ_MAX: usize = 1_000;

/// Changes to the queue that are forgotten at a time.
const CHANGES_FORGOTTEN: usize = 5_000;

#[async_trait]
impl Search for SqliteStore {
    async fn comment_search(
        &self,
        filter: &SearchFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError> {
        let (shared, filter, page) = (std::sync::Arc::clone(&self.shared), filter.clone(), page.clone());
        self.readers.ask(move |connection| find(connection, &shared, &filter, &page)).await
    }

    async fn search_index(&self, most: usize) -> Result<Indexed> {
        let is_busy = self.writer.is_busy();
        let shared = std::sync::Arc::clone(&self.shared);
        let most = most.max(1);
        let due = move |connection: &Connection| -> Result<(bool, Result<Due>)> {
            let mut held = shared.held_words(); // before anything is read: see `queue::page`
            let followed = held.follow(connection);
            drop(held);
            Ok((queue::has_old_changes(connection)?, followed.and_then(|()| due(connection, most))))
        };
        let turn = self.words.lock().await;
        let (forget, due) = self.readers.ask(due).await?;
        drop(turn);
        if forget {
            // Whatever becomes of the rest: they would be more and more.
            self.writer.run(|work| queue::forget_changes(work.connection, CHANGES_FORGOTTEN)).await?;
        }
        let due = due?;
        if due.is_empty() {
            return Ok(Indexed { entered: 0, more: false, is_busy });
        }
        let more = due.is_full;
        let entered = self.writer.run(move |work| enter(work, &due)).await?;
        Ok(Indexed { entered, more, is_busy })
    }
}

/// Words of comments, with the titles of articles that were met.
#[derive(Default)]
pub(super) struct Titles(HashMap<(SiteId, ExternalId), Option<String>>);

impl Titles {
    /// Of a live comment.
    pub(super) fn words(&mut self, connection: &Connection, id: u32) -> Result<Words> {
        let mut query = connection.prepare_cached("SELECT site FROM comment WHERE id = ?1")?;
        let site = SiteId(query.query_row([id], |row| row.get(0))?);
        let comment = rows::content(connection, id)?.comment;
        let key = (site, comment.article.id.clone());
        let title = if let Some(title) = self.0.get(&key) {
            title.clone()
        } else {
            let article = left_out("articles", &key.1, articles::find(connection, site, &key.1))?.flatten();
            let title = article.and_then(|article| article.title);
            self.0.insert(key, title.clone());
            title
        };
        Ok(Words::of(&comment, title.as_deref()))
    }
}

/// What is to be entered, made ready beside the writer.
struct Due {
    /// Row, revision and words.
    words: Vec<(u32, u32, String)>,
    /// Where the mark stood, and where it will.
    from: u32,
    to: u32,
    is_full: bool,
}

impl Due {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.to == self.from
    }
}

fn due(connection: &Connection, most: usize) -> Result<Due> {
    let from = indexed_to(connection)?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let read = "SELECT d.id, c.status, c.revision FROM search_due d JOIN comment c ON c.id = d.id WHERE d.id <= ?1 ORDER BY d.id LIMIT ?2";
    let mut found = read_due(connection, read, params![from, limit])?;
    let read = "SELECT id, status, revision FROM comment WHERE id > ?1 ORDER BY id LIMIT ?2";
    let left = i64::try_from(most - found.len().min(most)).unwrap_or(0);
    let next = read_due(connection, read, params![from, left])?;
    let to = next.last().map_or(from, |(id, ..)| *id);
    found.extend(next);
    let is_full = found.len() >= most;
    let mut titles = Titles::default();
    let mut words = Vec::new();
    for (id, status, revision) in found {
        if status == 0 {
            continue;
        }
        // What cannot be read is entered without words, or nothing after it would ever be.
        let all = left_out("the index of words", &id, titles.words(connection, id))?;
        words.push((id, revision, all.map(|all| all.iter().collect::<Vec<_>>().join(" ")).unwrap_or_default()));
    }
    Ok(Due { words, from, to, is_full })
}

fn read_due(connection: &Connection, read: &str, params: impl rusqlite::Params) -> Result<Vec<(u32, i64, u32)>> {
    let mut query = connection.prepare_cached(read)?;
    let rows = query.query_map(params, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Enters what is still as it was when it was read.
fn enter(work: &Work<'_>, due: &Due) -> Result<u64> {
    let connection = work.connection;
    if indexed_to(connection)? != due.from {
        return Ok(0); // another process was faster
    }
    let mut still = Vec::with_capacity(due.words.len());
    for (id, revision, words) in &due.words {
        let now: Option<(i64, u32)> = connection
            .prepare_cached("SELECT status, revision FROM comment WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match now {
            Some((status, now)) if status != 0 && now == *revision => still.push((id, words)),
            Some((status, _)) if status != 0 => {
                connection.prepare_cached("INSERT OR IGNORE INTO search_due (id) VALUES (?1)")?.execute([id])?; // edited meanwhile: the next time
            }
            _ => {}
        }
    }
    for (id, _) in &still {
        if **id <= due.from {
            forget(connection, **id)?;
        } else {
            connection.prepare_cached("DELETE FROM search_due WHERE id = ?1")?.execute([id])?;
        }
    }
    // Words that go and words that come must not be written by FTS5 at once: with `secure-delete` and `detail = 'none'` that leaves words behind, and an
    // index that does not pass its check (seen in SQLite 3.53.2). What it gathered is written when a savepoint begins.
    connection.execute_batch("SAVEPOINT written; RELEASE written")?;
    let mut enter = connection.prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")?;
    for (id, words) in &still {
        enter.execute(params![id, words])?;
    }
    if due.to > due.from {
        privacy::meta_set(connection, INDEXED_TO, &due.to.to_le_bytes())?;
    }
    Ok(still.len() as u64)
}

/// Takes a comment's words out.
pub(super) fn forget(connection: &Connection, id: u32) -> Result<()> {
    connection.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([id])?;
    connection.prepare_cached("DELETE FROM search_due WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn indexed_to(connection: &Connection) -> Result<u32> {
    let known =
        privacy::meta(connection, INDEXED_TO)?.and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)));
    Ok(known.unwrap_or(0))
}

/// The question in the index's own words. What was cut holds letters and digits only, so nothing in it is syntax; it is quoted all the same.
fn expression(question: &Question) -> String {
    let term = |word: &str, star: &str| format!("\"{}\"{star}", word.replace('"', ""));
    let terms = question.terms.iter().map(|asked| term(&asked.word, if asked.is_prefix { "*" } else { "" }));
    terms.collect::<Vec<_>>().join(" ")
}

fn find(
    connection: &Connection,
    shared: &Shared,
    filter: &SearchFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Record>, ListError> {
    let below =
        page.cursor.as_deref().map(|cursor| lists::row_of_cursor(shared, cursor)).transpose()?.unwrap_or(u32::MAX);
    let nothing = Page { items: Vec::new(), next_cursor: None };
    if filter.question.terms.is_empty() {
        return Ok(nothing);
    }
    let site = match filter.site.as_deref() {
        None => None,
        Some(name) => match site_of(connection, name)? {
            None => return Ok(nothing),
            site => site,
        },
    };
    let limit = lists::limit(page);
    let mut hunt = Hunt {
        connection,
        shared,
        filter,
        site,
        limit,
        items: Vec::new(),
        last: below,
        scanned: 0,
        read: 0,
        titles: Titles::default(),
    };
    let more = hunt.run(below)?;
    let next_cursor = more.then(|| lists::cursor_of_row(shared, hunt.last));
    Ok(Page { items: hunt.items, next_cursor })
}

fn site_of(connection: &Connection, name: &str) -> Result<Option<SiteId>> {
    let mut query = connection.prepare_cached("SELECT id FROM site WHERE name = ?1")?;
    Ok(query.query_row([name], |row| row.get(0)).optional()?.map(SiteId))
}

struct Hunt<'a> {
    connection: &'a Connection,
    shared: &'a Shared,
    filter: &'a SearchFilter,
    site: Option<SiteId>,
    limit: usize,
    items: Vec<Record>,
    last: u32,
    scanned: usize,
    read: usize,
    titles: Titles,
}

impl Hunt<'_> {
    /// Whether there may be more below the last row looked at.
    fn run(&mut self, below: u32) -> Result<bool> {
        let indexed = indexed_to(self.connection)?;
        let mut query =
            self.connection.prepare_cached("SELECT id FROM comment WHERE id < ?1 AND id > ?2 ORDER BY id DESC")?;
        let mut behind = query.query(params![below, indexed])?;
        while let Some(row) = behind.next()? {
            if self.is_full() {
                return Ok(true);
            }
            self.look_past(row.get(0)?, true)?;
        }
        let below = below.min(indexed.saturating_add(1));
        let mut query = self.connection.prepare_cached("SELECT id FROM search_due WHERE id < ?1 ORDER BY id")?;
        let mut edited = query.query_map([below], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()?;
        let read = "SELECT rowid FROM search WHERE search MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC";
        let mut query = self.connection.prepare_cached(read)?;
        let mut known = query.query(params![expression(&self.filter.question), below])?;
        let mut next = step(&mut known)?;
        loop {
            let directly = edited.last().copied().filter(|edited| next.is_none_or(|next| *edited >= next));
            let Some(id) = directly.or(next) else { return Ok(false) };
            if self.is_full() {
                return Ok(true);
            }
            if directly.is_some() {
                edited.pop();
            }
            if next == Some(id) {
                next = step(&mut known)?;
            }
            self.look_past(id, directly.is_some())?;
        }
    }

    const fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.scanned >= SCAN_MAX || self.read >= READ_MAX
    }

    /// [`Self::look_at`], or past it when it cannot be read.
    fn look_past(&mut self, id: u32, directly: bool) -> Result<()> {
        let looked = self.look_at(id, directly);
        left_out("searches", &id, looked).map(drop)
    }

    /// Puts the row on the page if it belongs there; `directly` when only its text can tell whether it has the words.
    fn look_at(&mut self, id: u32, directly: bool) -> Result<()> {
        self.last = id;
        self.scanned += 1;
        let Some(row) = rows::row(self.connection, id)?.filter(|row| self.site.is_none_or(|site| site == row.site))
        else {
            return Ok(());
        };
        let Some(status) = row.status else { return Ok(()) };
        if !self.has_status(&row, status)? || !self.may_lie_within(&row)? {
            return Ok(());
        }
        if directly {
            self.read += 1;
            if !self.titles.words(self.connection, id)?.answer(&self.filter.question) {
                return Ok(());
            }
        }
        let content = rows::content(self.connection, id)?;
        let author = content.comment.author.id.as_ref().map(ExternalId::as_str);
        if self.filter.author.as_deref().is_some_and(|wanted| author != Some(wanted)) {
            return Ok(());
        }
        if !self.filter.reach.is_all()
            && !rulings::place_of(self.connection, self.shared, &row, &content)?.lies_within(&self.filter.reach)
        {
            return Ok(());
        }
        self.items.push(rows::record(self.connection, self.shared, &row, content)?);
        Ok(())
    }

    fn has_status(&self, row: &Row, status: Status) -> Result<bool> {
        let Some(wanted) = self.filter.status else { return Ok(true) };
        let seen = if samples::waits(self.connection, row.id)? { Status::Held } else { status };
        Ok(seen == wanted)
    }

    /// What the site alone tells of the reach: the rest needs the text.
    fn may_lie_within(&self, row: &Row) -> Result<bool> {
        Ok(self.filter.reach.sites.is_none()
            || self.filter.reach.covers_site(&self.shared.site_name(self.connection, row.site)?))
    }
}

fn step(rows: &mut rusqlite::Rows<'_>) -> Result<Option<u32>> {
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}
