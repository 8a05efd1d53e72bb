//! What sites have yet to be told: rows written in the commit of what they tell of, taken by the one who delivers.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::SqliteStore;
use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{lists, rulings};
use crate::domain::appeal::AppealState;
use crate::domain::decision::{Record, Status};
use crate::domain::outbox::{
    Attempt, Channel, Due, Letter, LetterFilter, Notice, Outbox, OutboxState, Receiver, RulingTold, Settled,
};
use crate::domain::site::SiteId;
use crate::domain::store::{ListError, Page, PageRequest, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, RulingText};
pub(super) use crate::storage::told::Stored;
use crate::storage::told::{CALLBACK, GONE, Then, UNREADABLE, or_damage, unless_damaged};

fn now(row: &Row) -> Result<Then> {
    Ok(Then {
        version: row.version,
        revision: row.revision,
        status: row.live()?,
        decided_by: row.decided_by,
        at: row.updated_at,
    })
}

/// Writes a notice, if the site wants to be told anything at all. What a gone receiver misses waits as a dead letter.
pub(super) fn tell(
    work: &Work<'_>,
    site: SiteId,
    comment: u32,
    ruling: Option<i64>,
    not_before: Timestamp,
    stored: &Stored,
) -> Result<()> {
    let read = "SELECT webhook_gone_at FROM site WHERE id = ?1 AND webhook IS NOT NULL";
    let receiver: Option<Option<i64>> =
        work.connection.prepare_cached(read)?.query_row([site.0], |row| row.get(0)).optional()?;
    let Some(gone_at) = receiver else { return Ok(()) };
    // Not before what it waits for anyway: whoever looks for what is due does not come upon it again and again.
    let write = "INSERT INTO outbox (uid, site, comment, ruling, not_before, next_at, dead_at, problem, b) \
                 VALUES (?1, ?2, ?3, ?4, ?5, max(?5, coalesce((SELECT max(next_at) FROM outbox \
                 WHERE comment = ?3 AND dead_at IS NULL AND callback IS NULL), ?5)), ?6, ?7, ?8)";
    work.connection.prepare_cached(write)?.execute(params![
        rulings::new_uid(not_before)?.as_bytes(),
        site.0,
        comment,
        ruling,
        not_before.as_millis(),
        gone_at.map(|_| not_before.as_millis()),
        gone_at.map(|_| GONE),
        codec::encode(stored)?,
    ])?;
    work.shared.news.write();
    Ok(())
}

/// Tells the site what `row` is now, and whoever asked for it to be called back.
pub(super) fn tell_status(work: &Work<'_>, row: &Row, ruling: Option<i64>, not_before: Timestamp) -> Result<()> {
    tell_webhook(work, row, ruling, not_before)?;
    call_back(work, row, ruling, not_before)
}

/// Tells the site's webhook what `row` is now.
pub(super) fn tell_webhook(work: &Work<'_>, row: &Row, ruling: Option<i64>, not_before: Timestamp) -> Result<()> {
    tell(work, row.site, row.id, ruling, not_before, &Stored::Status(now(row)?))
}

/// Calls back what asked for it with the comment, when there is a verdict to tell.
pub(super) fn call_back(work: &Work<'_>, row: &Row, ruling: Option<i64>, not_before: Timestamp) -> Result<()> {
    if row.live()? == Status::Held {
        return Ok(());
    }
    let read = "SELECT url FROM akismet_callback WHERE comment = ?1";
    let url: Option<String> =
        work.connection.prepare_cached(read)?.query_row([row.id], |found| found.get(0)).optional()?;
    let Some(url) = url else { return Ok(()) };
    let write = "INSERT INTO outbox (uid, site, comment, ruling, not_before, next_at, b, callback) \
                 VALUES (?1, ?2, ?3, ?4, ?5, max(?5, coalesce((SELECT max(next_at) FROM outbox \
                 WHERE comment = ?3 AND dead_at IS NULL AND callback IS NOT NULL), ?5)), ?6, ?7)";
    work.connection.prepare_cached(write)?.execute(params![
        rulings::new_uid(not_before)?.as_bytes(),
        row.site.0,
        row.id,
        ruling,
        not_before.as_millis(),
        codec::encode(&Stored::Status(now(row)?))?,
        url,
    ])?;
    work.shared.news.write();
    Ok(())
}

/// Notes where somebody wants to be called back about a comment.
pub(super) fn note_callback(connection: &Connection, comment: u32, url: &str) -> Result<()> {
    let write = "INSERT INTO akismet_callback (comment, url) VALUES (?1, ?2)";
    connection.prepare_cached(write)?.execute(params![comment, url])?;
    Ok(())
}

/// Tells the site how it stands with an appeal, and what the comment is now.
pub(super) fn tell_appeal(
    work: &Work<'_>,
    comment: u32,
    (appeal, state): (Uuid, AppealState),
    answer: Option<String>,
    not_before: Timestamp,
) -> Result<()> {
    let row = rows::row(work.connection, comment)?.filter(|row| row.status.is_some());
    let Some(row) = row else { return Ok(()) };
    let told = Stored::Appeal { appeal, state, answer, then: now(&row)? };
    tell(work, row.site, row.id, None, not_before, &told)
}

/// Takes back the notice of a ruling that nobody has tried to send yet; whether there was one.
pub(super) fn untell(connection: &Connection, comment: u32, ruling: i64, to: Channel) -> Result<bool> {
    let which = of(to);
    let delete = format!(
        "DELETE FROM outbox WHERE comment = ?1 AND ruling = ?2 AND attempts = 0 AND dead_at IS NULL AND callback {which}"
    );
    Ok(connection.prepare_cached(&delete)?.execute(params![comment, ruling])? > 0)
}

/// What notices have in their column `callback`.
const fn of(to: Channel) -> &'static str {
    match to {
        Channel::Webhook => "IS NULL",
        Channel::Callback => "IS NOT NULL",
    }
}

/// Takes back the notice that an appeal was answered, if nobody has tried to send it yet; whether there was one.
pub(super) fn untell_appeal(connection: &Connection, comment: u32, appeal: Uuid) -> Result<bool> {
    let read = "SELECT id, b FROM outbox WHERE comment = ?1 AND attempts = 0 AND dead_at IS NULL";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([comment])?;
    let mut taken = false;
    while let Some(row) = rows.next()? {
        let Some(stored) = stored_of(row, 1)? else { continue };
        if matches!(stored, Stored::Appeal { appeal: of, state, .. } if of == appeal && state != AppealState::Open) {
            connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([row.get::<_, i64>(0)?])?;
            taken = true;
        }
    }
    Ok(taken)
}

/// The notice in a column; `None` when it is damaged.
fn stored_of(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<Stored>> {
    unless_damaged(codec::decode("a notice", &row.get::<_, Vec<u8>>(column)?))
}

const HAS_NEWS: &str = "SELECT 1 FROM outbox WHERE comment = ?1 AND dead_at IS NULL AND callback IS NULL";

/// Whether the site has yet to be told something of this comment.
pub(super) fn has_news(connection: &Connection, comment: u32) -> Result<bool> {
    Ok(connection.prepare_cached(HAS_NEWS)?.exists([comment])?)
}

/// Forgets everything that was to be told of a comment. What is on its way stays until it has arrived or failed, so that nothing overtakes
/// it; no words are left in it.
pub(super) fn forget(connection: &Connection, comment: u32) -> Result<()> {
    let delete = "DELETE FROM outbox WHERE comment = ?1 AND taken_until IS NULL";
    connection.prepare_cached(delete)?.execute([comment])?;
    let mut query = connection.prepare_cached("SELECT id, b FROM outbox WHERE comment = ?1")?;
    let mut rows = query.query([comment])?;
    while let Some(row) = rows.next()? {
        match stored_of(row, 1)? {
            Some(Stored::Appeal { appeal, state, answer: Some(_), then }) => {
                let wordless = codec::encode(&Stored::Appeal { appeal, state, answer: None, then })?;
                let write = "UPDATE outbox SET b = ?2 WHERE id = ?1";
                connection.prepare_cached(write)?.execute(params![row.get::<_, i64>(0)?, wordless])?;
            }
            Some(_) => {}
            None => {
                // Nobody knows what words are left in it.
                connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([row.get::<_, i64>(0)?])?;
            }
        }
    }
    Ok(())
}

/// After a start nobody is on the way with anything.
pub(super) fn release_all(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE outbox SET taken_until = NULL WHERE taken_until IS NOT NULL", [])?;
    Ok(())
}

/// One row of those that may be sent: nothing older of the same comment waits or is on its way, and nothing younger is on its way (as may
/// be when a dead letter is sent again). Webhooks and callbacks do not wait for one another: they go to different receivers.
fn sendable(to: Channel) -> String {
    let which = of(to);
    format!(
        "o.dead_at IS NULL AND o.next_at <= ?2 AND (o.taken_until IS NULL OR o.taken_until <= ?2) AND o.callback {which} \
         AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.comment = o.comment AND e.dead_at IS NULL AND e.callback {which} \
         AND (e.id < o.id OR e.id > o.id AND e.taken_until > ?2))"
    )
}

pub(super) fn sites(connection: &Connection, to: Channel, now: Timestamp) -> Result<Vec<SiteId>> {
    let sendable = sendable(to);
    let read = format!(
        "SELECT id FROM site WHERE EXISTS (SELECT 1 FROM outbox o WHERE o.site = site.id AND ?1 = ?1 AND {sendable})"
    );
    let mut query = connection.prepare_cached(&read)?;
    let found = query.query_map(params![0, now.as_millis()], |row| row.get(0).map(SiteId))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn take(
    work: &Work<'_>,
    site: SiteId,
    to: Channel,
    most: usize,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Due>> {
    let sendable = sendable(to);
    let read = format!(
        "SELECT o.id, o.uid, o.comment, o.attempts, o.not_before, o.ruling, o.b, o.refused_since, o.callback FROM outbox o \
         WHERE o.site = ?1 AND {sendable} ORDER BY o.next_at, o.id LIMIT ?3"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut query = work.connection.prepare_cached(&read)?;
    let mut found = query.query(params![site.0, now.as_millis(), most])?;
    let mut due = Vec::new();
    while let Some(row) = found.next()? {
        let number: i64 = row.get(0)?;
        let stored: Result<Stored> = codec::decode("a notice", &row.get::<_, Vec<u8>>(6)?);
        let (comment, ruling) = (row.get(2)?, row.get(5)?);
        let notice = stored.and_then(|stored| notice(work.connection, work.shared, comment, ruling, stored));
        let (notice, damage) = or_damage(notice)?;
        due.push(Due {
            number,
            message: Uuid::from_bytes(row.get(1)?),
            site,
            attempts: row.get::<_, u32>(3)? + 1,
            until,
            not_before: Timestamp::from_millis(row.get(4)?),
            refused_since: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
            callback: row.get(8)?,
            notice,
            damage,
        });
    }
    let mut write =
        work.connection.prepare_cached("UPDATE outbox SET attempts = attempts + 1, taken_until = ?2 WHERE id = ?1")?;
    for due in &due {
        write.execute(params![due.number, until.as_millis()])?;
    }
    Ok(due)
}

fn notice(
    connection: &Connection,
    shared: &Shared,
    comment: u32,
    ruling: Option<i64>,
    stored: Stored,
) -> Result<Option<Notice>> {
    if let Stored::Erased { id, uid } = stored {
        return Ok(Some(Notice::Erased { id, uid }));
    }
    let Some(row) = rows::row(connection, comment)?.filter(|row| row.status.is_some()) else { return Ok(None) };
    match stored {
        Stored::Status(then) => {
            let record = Box::new(record_then(connection, shared, &row, &then)?);
            let ruling = ruling.map(|ruling| told(connection, ruling)).transpose()?.flatten();
            Ok(Some(Notice::Status { record, ruling }))
        }
        Stored::Appeal { appeal, state, answer, then } => {
            let record = Box::new(record_then(connection, shared, &row, &then)?);
            Ok(Some(Notice::Appeal { appeal, state, answer, record }))
        }
        Stored::Erased { .. } => Ok(None),
    }
}

fn record_then(connection: &Connection, shared: &Shared, row: &Row, then: &Then) -> Result<Record> {
    let Then { version, revision, status, decided_by, at } = *then;
    let record = rows::record(connection, shared, row, content_of(connection, row, revision)?)?;
    Ok(Record { version, revision, status, decided_by, updated_at: at, ..record })
}

fn content_of(connection: &Connection, row: &Row, revision: u32) -> Result<codec::Content> {
    if revision == row.revision {
        return rows::content(connection, row.id);
    }
    let read = "SELECT b FROM revision WHERE comment = ?1 AND revision = ?2";
    let bytes: Option<Vec<u8>> =
        connection.prepare_cached(read)?.query_row(params![row.id, revision], |row| row.get(0)).optional()?;
    bytes
        .map_or_else(|| rows::content(connection, row.id), |bytes| codec::decode_content("an earlier revision", &bytes))
}

fn told(connection: &Connection, ruling: i64) -> Result<Option<RulingTold>> {
    let mut query = connection.prepare_cached("SELECT uid, b FROM ruling WHERE id = ?1")?;
    let found: Option<([u8; 16], Vec<u8>)> =
        query.query_row([ruling], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((uid, bytes)) = found else { return Ok(None) };
    let text: RulingText = codec::decode("a ruling", &bytes)?;
    Ok(Some(RulingTold { id: Uuid::from_bytes(uid), category: text.category, reason: text.reason }))
}

pub(super) fn settle(
    connection: &Connection,
    site: SiteId,
    settled: &[(Attempt, Settled)],
    now: Timestamp,
) -> Result<()> {
    for (Attempt { number, until }, settled) in settled {
        let until = until.as_millis();
        match settled {
            Settled::Delivered => delivered(connection, *number)?,
            Settled::Again { at, problem, refused } => {
                let write = "UPDATE outbox SET taken_until = NULL, next_at = ?2, problem = ?3, \
                             refused_since = CASE WHEN ?4 THEN coalesce(refused_since, ?5) END \
                             WHERE id = ?1 AND taken_until = ?6";
                let again = params![number, at.as_millis(), problem, refused, now.as_millis(), until];
                if connection.prepare_cached(write)?.execute(again)? == 0 {
                    continue;
                }
                // What waits for it waits as long, and is not come upon again and again meanwhile.
                let behind = "UPDATE outbox SET next_at = ?2 WHERE id > ?1 AND next_at < ?2 AND dead_at IS NULL \
                              AND (comment, callback IS NULL) = (SELECT comment, callback IS NULL FROM outbox WHERE id = ?1)";
                connection.prepare_cached(behind)?.execute(params![number, at.as_millis()])?;
            }
            Settled::Dead { problem } => {
                let write = "UPDATE outbox SET taken_until = NULL, dead_at = ?2, problem = ?3 WHERE id = ?1 AND taken_until = ?4";
                connection.prepare_cached(write)?.execute(params![number, now.as_millis(), problem, until])?;
            }
            Settled::Gone { url } => {
                let there = "SELECT 1 FROM outbox WHERE id = ?1 AND taken_until = ?2";
                if !connection.prepare_cached(there)?.exists([*number, until])? {
                    continue;
                }
                let write = "UPDATE site SET webhook_gone_at = ?2 WHERE id = ?1 AND webhook = ?3";
                if connection.prepare_cached(write)?.execute(params![site.0, now.as_millis(), url])? == 0 {
                    // Another address was set meanwhile, and of that one nothing was said.
                    let write =
                        "UPDATE outbox SET taken_until = NULL, next_at = ?2, refused_since = NULL WHERE id = ?1";
                    connection.prepare_cached(write)?.execute(params![number, now.as_millis()])?;
                    continue;
                }
                let write = "UPDATE outbox SET taken_until = NULL, dead_at = ?2, problem = ?3 \
                             WHERE site = ?1 AND dead_at IS NULL AND callback IS NULL";
                connection.prepare_cached(write)?.execute(params![site.0, now.as_millis(), GONE])?;
            }
        }
    }
    Ok(())
}

/// The site has it. What older letters of the same comment, or of the same appeal, tell is past: sent now, they would undo it there.
fn delivered(connection: &Connection, number: i64) -> Result<()> {
    let read = "SELECT id, b FROM outbox WHERE id <= ?1 \
                AND (comment, callback IS NULL) = (SELECT comment, callback IS NULL FROM outbox WHERE id = ?1) ORDER BY id DESC";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([number])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let told = stored_of(row, 1)?;
    while let Some(row) = rows.next()? {
        let older = stored_of(row, 1)?;
        if told.as_ref().zip(older.as_ref()).is_some_and(|(told, older)| told.supersedes(older)) {
            connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([row.get::<_, i64>(0)?])?;
        }
    }
    connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([number])?;
    Ok(())
}

pub(super) fn receiver(connection: &Connection, site: SiteId, now: Timestamp) -> Result<Option<Receiver>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Receiver { name: row.get(0)?, url: row.get(1)?, secret: row.get(2)?, secret_before: row.get(3)? })
    };
    let mut query = connection.prepare_cached(
        "SELECT name, webhook, webhook_secret, CASE WHEN webhook_before_until > ?2 THEN webhook_before END FROM site WHERE id = ?1",
    )?;
    Ok(query.query_row(params![site.0, now.as_millis()], read).optional()?)
}

pub(super) fn list(
    connection: &Connection,
    shared: &Shared,
    filter: &LetterFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Letter>, ListError> {
    let below = match &page.cursor {
        Some(cursor) => i64::from(lists::row_of_cursor(shared, cursor)?),
        None => i64::MAX,
    };
    let limit = lists::limit(page);
    letters(connection, shared, filter, below, limit).map_err(ListError::Store)
}

fn letters(
    connection: &Connection,
    shared: &Shared,
    filter: &LetterFilter,
    below: i64,
    limit: usize,
) -> Result<Page<Letter>> {
    let read = "SELECT o.id, o.uid, s.name, o.comment, o.attempts, o.next_at, o.dead_at, o.problem, o.b, o.callback IS NOT NULL \
                FROM outbox o JOIN site s ON s.id = o.site \
                WHERE o.id < ?1 AND (?2 IS NULL OR s.name = ?2) AND (?3 = 0 OR o.dead_at IS NOT NULL) \
                AND (?5 IS NULL OR s.name IN (SELECT value FROM json_each(?5))) \
                ORDER BY o.id DESC LIMIT ?4";
    let mut query = connection.prepare_cached(read)?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut found = query.query(params![below, filter.site, filter.dead, most, within(filter)?])?;
    let (mut items, mut last, mut more) = (Vec::new(), 0_u32, false);
    while let Some(row) = found.next()? {
        if items.len() == limit {
            more = true;
            break;
        }
        last = u32::try_from(row.get::<_, i64>(0)?).unwrap_or(u32::MAX);
        let stored = stored_of(row, 8)?;
        let uid = if let Some(Stored::Erased { uid, .. }) = &stored {
            Some(*uid)
        } else {
            let row = unless_damaged(rows::row(connection, row.get(3)?))?.flatten();
            row.filter(|row| row.status.is_some()).map(|row| row.uid(shared))
        };
        let dead_at: Option<i64> = row.get(6)?;
        let next_at: i64 = row.get(5)?;
        items.push(Letter {
            id: Uuid::from_bytes(row.get(1)?),
            site: row.get(2)?,
            kind: if row.get(9)? { CALLBACK } else { stored.as_ref().map_or(UNREADABLE, Stored::kind) }.to_owned(),
            uid,
            attempts: row.get(4)?,
            next_at: dead_at.is_none().then(|| Timestamp::from_millis(next_at)),
            dead_at: dead_at.map(Timestamp::from_millis),
            problem: row.get(7)?,
        });
    }
    Ok(Page { items, next_cursor: more.then(|| lists::cursor_of_row(shared, last)) })
}

/// The sites of `filter.within`, as SQLite reads a list.
fn within(filter: &LetterFilter) -> Result<Option<String>> {
    let list = filter.within.as_ref().map(serde_json::to_string).transpose();
    list.map_err(|error| StoreError::Unavailable(Box::new(error)))
}

/// Letters that are sent again in one commit: so long everybody waits who writes.
const RESENT_AT_ONCE: usize = 1_000;

/// Sends some dead letters again, those with the next numbers after `after`; how many, and the last number. Notices are given their time anew: they
/// are not too old to be tried for another few days. What may still be taken back waits for that, and what was never tried can be taken back as before.
fn resend(
    connection: &Connection,
    filter: &LetterFilter,
    id: Option<Uuid>,
    after: i64,
    now: Timestamp,
) -> Result<(usize, i64)> {
    let again = "UPDATE outbox SET dead_at = NULL, next_at = max(?1, not_before), not_before = max(?1, not_before), \
                 attempts = min(attempts, 1), refused_since = NULL, problem = NULL \
                 WHERE id IN (SELECT id FROM outbox WHERE dead_at IS NOT NULL AND id > ?5 \
                 AND (?2 IS NULL OR site = (SELECT id FROM site WHERE name = ?2)) AND (?3 IS NULL OR uid = ?3) \
                 AND (?4 IS NULL OR site IN (SELECT id FROM site WHERE name IN (SELECT value FROM json_each(?4)))) \
                 ORDER BY id LIMIT ?6) RETURNING id";
    let id = id.map(|id| id.as_bytes().to_vec());
    let most = i64::try_from(RESENT_AT_ONCE).unwrap_or(i64::MAX);
    let mut write = connection.prepare_cached(again)?;
    let sent =
        write.query_map(params![now.as_millis(), filter.site, id, within(filter)?, after, most], |row| row.get(0))?;
    let sent = sent.collect::<rusqlite::Result<Vec<i64>>>()?;
    if !sent.is_empty() {
        let there = "UPDATE site SET webhook_gone_at = NULL WHERE webhook_gone_at IS NOT NULL AND EXISTS \
                     (SELECT 1 FROM outbox WHERE outbox.site = site.id AND dead_at IS NULL AND callback IS NULL)";
        connection.execute(there, [])?;
    }
    Ok((sent.len(), sent.into_iter().max().unwrap_or(after)))
}

pub(super) fn prune(connection: &Connection, before: Timestamp) -> Result<u64> {
    let delete = "DELETE FROM outbox WHERE dead_at IS NOT NULL AND dead_at < ?1";
    Ok(connection.prepare_cached(delete)?.execute([before.as_millis()])? as u64)
}

pub(super) fn state(connection: &Connection) -> Result<OutboxState> {
    let read = "SELECT count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NOT NULL), \
                min(not_before) FILTER (WHERE dead_at IS NULL) FROM outbox";
    let state = connection.prepare_cached(read)?.query_row([], |row| {
        let oldest: Option<i64> = row.get(2)?;
        Ok(OutboxState { waiting: row.get(0)?, dead: row.get(1)?, oldest: oldest.map(Timestamp::from_millis) })
    })?;
    Ok(state)
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn outbox_news(&self) {
        self.shared.news.read().await;
    }

    async fn outbox_sites(&self, now: Timestamp) -> Result<Vec<SiteId>> {
        self.readers.ask(move |connection| sites(connection, Channel::Webhook, now)).await
    }

    async fn outbox_take(&self, site: SiteId, most: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Due>> {
        self.writer.run(move |work| take(work, site, Channel::Webhook, most, now, until)).await
    }

    async fn callback_sites(&self, now: Timestamp) -> Result<Vec<SiteId>> {
        self.readers.ask(move |connection| sites(connection, Channel::Callback, now)).await
    }

    async fn callback_take(&self, site: SiteId, most: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Due>> {
        self.writer.run(move |work| take(work, site, Channel::Callback, most, now, until)).await
    }

    async fn outbox_settle(&self, site: SiteId, settled: Vec<(Attempt, Settled)>, now: Timestamp) -> Result<()> {
        self.writer.run(move |work| settle(work.connection, site, &settled, now)).await
    }

    async fn outbox_receiver(&self, site: SiteId, now: Timestamp) -> Result<Option<Receiver>> {
        self.readers.ask(move |connection| receiver(connection, site, now)).await
    }

    async fn outbox_list(
        &self,
        filter: &LetterFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Letter>, ListError> {
        let (shared, filter, page) = (Arc::clone(&self.shared), filter.clone(), page.clone());
        self.readers.ask(move |connection| list(connection, &shared, &filter, &page)).await
    }

    async fn outbox_resend(&self, filter: &LetterFilter, now: Timestamp) -> Result<u64> {
        let ids: Vec<Option<Uuid>> = match &filter.ids {
            None => vec![None],
            Some(ids) => ids.iter().copied().map(Some).collect(),
        };
        let mut all = 0;
        for id in ids {
            let mut after = 0; // whatever dies again meanwhile is not sent again and again
            loop {
                let filter = filter.clone();
                let some = move |work: &mut Work<'_>| {
                    work.shared.news.write();
                    resend(work.connection, &filter, id, after, now)
                };
                let (sent, last) = self.writer.run(some).await?;
                all += sent as u64;
                after = last;
                if sent < RESENT_AT_ONCE {
                    break;
                }
            }
        }
        Ok(all)
    }

    async fn outbox_prune(&self, before: Timestamp) -> Result<u64> {
        self.writer.run(move |work| prune(work.connection, before)).await
    }

    async fn outbox_state(&self) -> Result<OutboxState> {
        self.readers.ask(state).await
    }
}
