//! Appeals: opened against the rejection in force, answered once.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::SqliteStore;
use super::outbox;
use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{articles, audit, lists, rulings};
use crate::domain::appeal::{AnswerError, Appeal, AppealAnswer, AppealState, Appeals, Opened};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{Action, Actor, Status};
use crate::domain::people::Reach;
use crate::domain::site::SiteId;
use crate::domain::store::{KeptAppeal, ListError, Page, PageRequest, Result, Ruled, Ruling, Seen, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::appealed::{self, Words};

/// A row of `appeal`.
struct Found {
    id: i64,
    uid: Uuid,
    comment: u32,
    version: u32,
    state: AppealState,
    at: Timestamp,
    answered_at: Option<Timestamp>,
    words: Words,
}

const COLUMNS: &str = "id, uid, comment, version, state, at, answered_at, b";

pub(super) fn open(
    work: &Work<'_>,
    site: SiteId,
    comment: &ExternalId,
    text: Option<String>,
    at: Timestamp,
) -> Result<Opened> {
    let candidates = work.rows(work.shared.hasher.id(site, comment.as_str()));
    let Some((row, content)) = rows::find(work.connection, &candidates, site, comment.as_str())? else {
        return Ok(Opened::NoComment);
    };
    if let Some(last) = last_of(work.connection, row.id)? {
        match last.state {
            AppealState::Open => return Ok(Opened::Waits(Box::new(whole(work.connection, work.shared, last)?))),
            // An answer that let the rejection stand is the last word on that version.
            AppealState::Upheld if last.version == row.version => {
                return Ok(Opened::Answered(Box::new(whole(work.connection, work.shared, last)?)));
            }
            AppealState::Upheld | AppealState::Overturned | AppealState::Closed => {}
        }
    }
    if row.status != Some(Status::Rejected) {
        return Ok(Opened::NotRejected);
    }
    let uid = rulings::new_uid(at)?;
    let words = Words { text, verdict: content.verdict, answer: None, answered_by: None, ruling: None };
    let write = "INSERT INTO appeal (uid, site, comment, version, state, at, b) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    work.connection.prepare_cached(write)?.execute(params![
        uid.as_bytes(),
        site.0,
        row.id,
        row.version,
        appealed::state_code(AppealState::Open),
        at.as_millis(),
        words.encode()?,
    ])?;
    let by = Actor::Site(work.shared.site_name(work.connection, site)?.to_string());
    audit::add(work.connection, &by, "appeal.open", &uid.to_string(), "", at)?;
    outbox::tell_appeal(work, row.id, (uid, AppealState::Open), None, at)?;
    let opened = by_uid(work.connection, uid)?.ok_or_else(|| StoreError::Corrupt("an appeal is gone".to_owned()))?;
    Ok(Opened::New(Box::new(whole(work.connection, work.shared, opened)?)))
}

pub(super) fn list(
    connection: &Connection,
    shared: &Shared,
    state: Option<AppealState>,
    site: Option<&str>,
    reach: &Reach,
    page: &PageRequest,
) -> std::result::Result<Page<Appeal>, ListError> {
    let above = match &page.cursor {
        Some(cursor) => i64::from(lists::row_of_cursor(shared, cursor)?),
        None => 0,
    };
    let limit = lists::limit(page);
    let listed = |connection: &Connection| -> Result<Page<Appeal>> {
        let read = format!("SELECT {COLUMNS} FROM appeal WHERE id > ?1 AND (?2 IS NULL OR state = ?2) ORDER BY id");
        let mut query = connection.prepare_cached(&read)?;
        let mut rows = query.query(params![above, state.map(appealed::state_code)])?;
        let (mut items, mut last, mut more) = (Vec::new(), 0, false);
        while let Some(row) = rows.next()? {
            let found = read_row(row)?;
            let Some(comment) = rows::row(connection, found.comment)?.filter(|row| row.status.is_some()) else {
                continue;
            };
            let place = rulings::place(connection, shared, &comment)?;
            if site.is_some_and(|site| *site != *place.site)
                || !reach.covers(&place.site, place.section.as_deref(), place.lang.as_deref())
            {
                continue;
            }
            if items.len() == limit {
                more = true;
                break;
            }
            last = found.id;
            items.push(whole(connection, shared, found)?);
        }
        let last = u32::try_from(last).unwrap_or(u32::MAX);
        Ok(Page { items, next_cursor: more.then(|| lists::cursor_of_row(shared, last)) })
    };
    listed(connection).map_err(ListError::Store)
}

pub(super) fn answer(
    work: &mut Work<'_>,
    answer: &AppealAnswer,
) -> Result<std::result::Result<(Appeal, Option<Ruled>), AnswerError>> {
    let Some(mut found) = by_uid(work.connection, answer.uid)? else { return Ok(Err(AnswerError::NotFound)) };
    let row = rows::row(work.connection, found.comment)?.filter(|row| row.status.is_some());
    let Some(row) = row else { return Ok(Err(AnswerError::NotFound)) };
    let place = rulings::place(work.connection, work.shared, &row)?;
    if !answer.reach.covers(&place.site, place.section.as_deref(), place.lang.as_deref()) {
        return Ok(Err(AnswerError::NotFound));
    }
    if found.state != AppealState::Open || found.version != row.version {
        return Ok(Err(AnswerError::NotOpen));
    }
    found.state = if answer.overturn { AppealState::Overturned } else { AppealState::Upheld };
    found.answered_at = Some(answer.at);
    found.words.answer.clone_from(&answer.answer);
    found.words.answered_by = match &answer.by {
        Actor::Person(email) => Some(email.clone()),
        Actor::Site(_) | Actor::Console => None,
    };
    write_state(work.connection, &found)?; // first: the ruling closes what is still open
    let detail = found.state.name();
    audit::add(work.connection, &answer.by, "appeal.answer", &found.uid.to_string(), detail, answer.at)?;
    let ruled = if answer.overturn { Some(approve(work, &row, answer)?) } else { None };
    if let Some(ruled) = &ruled {
        found.words.ruling = Some(ruled.decision);
        write_state(work.connection, &found)?;
    }
    let told = (found.uid, found.state);
    outbox::tell_appeal(work, row.id, told, found.words.answer.clone(), answer.tell_at)?;
    Ok(Ok((whole(work.connection, work.shared, found)?, ruled)))
}

fn approve(work: &mut Work<'_>, row: &Row, answer: &AppealAnswer) -> Result<Ruled> {
    let seen = Seen { uid: row.uid(work.shared), seen_version: row.version };
    let ruling = Ruling {
        items: vec![seen],
        action: Action::Approve,
        category: None,
        reason: answer.answer.clone(),
        note: None,
        by: answer.by.clone(),
        at: answer.at,
        reach: Reach::ALL,
        tell_at: answer.tell_at,
    };
    rulings::rule(work, &ruling)
}

/// The comment was changed, by `ruling` if a person did it: whoever appealed against what it was before gets no answer any more.
#[must_use = "the site is told after it was told what the comment is now"]
pub(super) fn close(work: &Work<'_>, row: &Row, ruling: Option<Uuid>, at: Timestamp) -> Result<Option<Closed>> {
    let Some(mut found) = last_of(work.connection, row.id)?.filter(|found| found.state == AppealState::Open) else {
        return Ok(None);
    };
    found.state = AppealState::Closed;
    found.answered_at = Some(at);
    found.words.ruling = ruling;
    write_state(work.connection, &found)?;
    Ok(Some(Closed(found.uid)))
}

/// The comment has a new version, and is what it was: whoever appealed still waits for an answer.
pub(super) fn follow(connection: &Connection, row: &Row) -> Result<()> {
    let Some(mut found) = last_of(connection, row.id)?.filter(|found| found.state == AppealState::Open) else {
        return Ok(());
    };
    found.version = row.version;
    write_state(connection, &found)
}

/// An appeal that was closed, of which the site has yet to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed(Uuid);

/// Tells the site of it.
pub(super) fn tell_closed(work: &Work<'_>, row: &Row, closed: Option<Closed>, not_before: Timestamp) -> Result<()> {
    let Some(Closed(appeal)) = closed else { return Ok(()) };
    outbox::tell_appeal(work, row.id, (appeal, AppealState::Closed), None, not_before)
}

/// The ruling that answered or closed an appeal was taken back: the appeal waits again, and the answer was never given if the site has not heard of it.
pub(super) fn reopen(work: &Work<'_>, row: &Row, ruling: Uuid, at: Timestamp) -> Result<()> {
    let last = last_of(work.connection, row.id)?;
    let Some(mut found) = last.filter(|found| found.words.ruling == Some(ruling)) else { return Ok(()) };
    found.state = AppealState::Open;
    found.version = row.version;
    found.answered_at = None;
    found.words = found.words.unanswered();
    write_state(work.connection, &found)?;
    if outbox::untell_appeal(work.connection, row.id, found.uid)? {
        return Ok(());
    }
    outbox::tell_appeal(work, row.id, (found.uid, found.state), None, at)
}

/// An appeal on a comment that is still there, within somebody's reach.
pub(super) fn find(connection: &Connection, shared: &Shared, uid: Uuid, reach: &Reach) -> Result<Option<Appeal>> {
    let Some(found) = by_uid(connection, uid)? else { return Ok(None) };
    let row = rows::row(connection, found.comment)?.filter(|row| row.status.is_some());
    let Some(row) = row else { return Ok(None) };
    let place = rulings::place(connection, shared, &row)?;
    if !reach.covers(&place.site, place.section.as_deref(), place.lang.as_deref()) {
        return Ok(None);
    }
    whole(connection, shared, found).map(Some)
}

/// Appeals on a comment, for its author.
pub(super) fn kept(connection: &Connection, comment: u32) -> Result<Vec<KeptAppeal>> {
    let mut query =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM appeal WHERE comment = ?1 ORDER BY id"))?;
    let mut rows = query.query([comment])?;
    let mut appeals = Vec::new();
    while let Some(row) = rows.next()? {
        let Found { uid, state, at, words, .. } = read_row(row)?;
        appeals.push(KeptAppeal { uid, state, text: words.text, at, answer: words.answer });
    }
    Ok(appeals)
}

/// Forgets appeals on a comment.
pub(super) fn forget(connection: &Connection, comment: u32) -> Result<()> {
    connection.prepare_cached("DELETE FROM appeal WHERE comment = ?1")?.execute([comment])?;
    Ok(())
}

fn write_state(connection: &Connection, found: &Found) -> Result<()> {
    let write = "UPDATE appeal SET state = ?2, answered_at = ?3, b = ?4, version = ?5, clean = 0 WHERE id = ?1";
    connection.prepare_cached(write)?.execute(params![
        found.id,
        appealed::state_code(found.state),
        found.answered_at.map(Timestamp::as_millis),
        found.words.encode()?,
        found.version,
    ])?;
    Ok(())
}

fn by_uid(connection: &Connection, uid: Uuid) -> Result<Option<Found>> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM appeal WHERE uid = ?1"))?;
    let mut rows = query.query([uid.as_bytes()])?;
    rows.next()?.map(read_row).transpose()
}

fn last_of(connection: &Connection, comment: u32) -> Result<Option<Found>> {
    let read = format!("SELECT {COLUMNS} FROM appeal WHERE comment = ?1 ORDER BY id DESC LIMIT 1");
    let mut query = connection.prepare_cached(&read)?;
    let mut rows = query.query([comment])?;
    rows.next()?.map(read_row).transpose()
}

fn read_row(row: &rusqlite::Row<'_>) -> Result<Found> {
    Ok(Found {
        id: row.get(0)?,
        uid: Uuid::from_bytes(row.get(1)?),
        comment: row.get(2)?,
        version: row.get(3)?,
        state: appealed::state_of(row.get(4)?)?,
        at: Timestamp::from_millis(row.get(5)?),
        answered_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        words: Words::decode(&row.get::<_, Vec<u8>>(7)?)?,
    })
}

fn whole(connection: &Connection, shared: &Shared, found: Found) -> Result<Appeal> {
    let gone = || StoreError::Corrupt("an appeal on an erased comment".to_owned());
    let row = rows::row(connection, found.comment)?.filter(|row| row.status.is_some()).ok_or_else(gone)?;
    let record = rows::load(connection, shared, &row)?;
    let known = articles::find(connection, row.site, &record.comment.article.id)?;
    let mut earlier = kept(connection, found.comment)?;
    earlier.truncate(earlier.iter().position(|one| one.uid == found.uid).unwrap_or(0));
    Ok(Appeal {
        earlier,
        uid: found.uid,
        state: found.state,
        text: found.words.text,
        at: found.at,
        verdict: found.words.verdict,
        article: known.unwrap_or_else(|| record.comment.article.clone()),
        history: rulings::history(connection, shared, record.uid)?,
        record,
        answer: found.words.answer,
        answered_by: found.words.answered_by,
        answered_at: found.answered_at,
    })
}

#[async_trait]
impl Appeals for SqliteStore {
    async fn appeal_open(
        &self,
        site: SiteId,
        comment: &ExternalId,
        text: Option<String>,
        at: Timestamp,
    ) -> Result<Opened> {
        self.must_serve()?;
        let comment = comment.clone();
        self.writer.run(move |work| open(work, site, &comment, text, at)).await
    }

    async fn appeal_list(
        &self,
        state: Option<AppealState>,
        site: Option<&str>,
        reach: &Reach,
        page: &PageRequest,
    ) -> std::result::Result<Page<Appeal>, ListError> {
        let (shared, site, reach, page) =
            (Arc::clone(&self.shared), site.map(str::to_owned), reach.clone(), page.clone());
        self.readers.ask(move |connection| list(connection, &shared, state, site.as_deref(), &reach, &page)).await
    }

    async fn appeal_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Appeal>> {
        let (shared, reach) = (Arc::clone(&self.shared), reach.clone());
        self.readers.ask(move |connection| find(connection, &shared, uid, &reach)).await
    }

    async fn appeal_answer(&self, given: AppealAnswer) -> std::result::Result<(Appeal, Option<Ruled>), AnswerError> {
        self.writer.run(move |work| answer(work, &given)).await?
    }
}
