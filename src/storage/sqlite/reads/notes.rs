//! What people note about authors for each other. They go with the author.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::super::writer::Work;
use super::super::{audit, rulings};
use crate::domain::comment::ExternalId;
use crate::domain::decision::Actor;
use crate::domain::reads::{AuthorNote, NoteRemoval};
use crate::domain::site::SiteId;
use crate::domain::store::{KeptNote, Result};
use crate::domain::time::Timestamp;

/// Notes that are shown of one author.
const SHOWN: u32 = 200;

pub(super) fn add(
    work: &Work<'_>,
    site: SiteId,
    author: &ExternalId,
    text: &str,
    by: &str,
    at: Timestamp,
) -> Result<AuthorNote> {
    let uid = rulings::new_uid(at)?;
    let hash = work.shared.reader(site, author.as_str());
    let write = "INSERT INTO author_note (uid, site, author, by_name, at, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    work.connection.prepare_cached(write)?.execute(params![uid.as_bytes(), site.0, hash, by, at.as_millis(), text])?;
    // Neither the author's name nor what was noted: both are to be erasable.
    let name = work.shared.site_name(work.connection, site)?;
    audit::add(work.connection, &Actor::Person(by.to_owned()), "author.note", &uid.to_string(), &name, at)?;
    Ok(AuthorNote { id: uid, text: text.to_owned(), by: by.to_owned(), at })
}

pub(super) fn remove(
    work: &mut Work<'_>,
    (site, author): (SiteId, &ExternalId),
    note: Uuid,
    by: &str,
    any: bool,
    at: Timestamp,
) -> Result<NoteRemoval> {
    let hash = work.shared.reader(site, author.as_str());
    let read = "SELECT by_name FROM author_note WHERE uid = ?1 AND author = ?2";
    let mut query = work.connection.prepare_cached(read)?;
    let whose: Option<String> = query.query_row(params![note.as_bytes(), hash], |row| row.get(0)).optional()?;
    match whose {
        None => return Ok(NoteRemoval::Missing),
        Some(whose) if !any && !whose.eq_ignore_ascii_case(by) => return Ok(NoteRemoval::NotYours),
        Some(_) => {}
    }
    work.connection.prepare_cached("DELETE FROM author_note WHERE uid = ?1")?.execute([note.as_bytes()])?;
    let name = work.shared.site_name(work.connection, site)?;
    audit::add(work.connection, &Actor::Person(by.to_owned()), "author.note-remove", &note.to_string(), &name, at)?;
    work.note_erasure();
    Ok(NoteRemoval::Removed)
}

/// Latest first.
pub(super) fn list(connection: &Connection, author: &[u8; 16]) -> Result<Vec<AuthorNote>> {
    let read = "SELECT uid, by_name, at, text FROM author_note WHERE author = ?1 ORDER BY id DESC LIMIT ?2";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query(params![author, SHOWN])?;
    let mut notes = Vec::new();
    while let Some(row) = rows.next()? {
        notes.push(AuthorNote {
            id: Uuid::from_bytes(row.get(0)?),
            by: row.get(1)?,
            at: Timestamp::from_millis(row.get(2)?),
            text: row.get(3)?,
        });
    }
    Ok(notes)
}

/// For the author, oldest first.
pub(in super::super) fn kept(connection: &Connection, author: &[u8; 16]) -> Result<Vec<KeptNote>> {
    let mut query = connection.prepare_cached("SELECT text, at FROM author_note WHERE author = ?1 ORDER BY id")?;
    let notes =
        query.query_map([author], |row| Ok(KeptNote { text: row.get(0)?, at: Timestamp::from_millis(row.get(1)?) }))?;
    Ok(notes.collect::<rusqlite::Result<_>>()?)
}

/// Forgets those until that moment.
pub(in super::super) fn forget(connection: &Connection, author: &[u8; 16], until: Timestamp) -> Result<u64> {
    let delete = "DELETE FROM author_note WHERE author = ?1 AND at <= ?2";
    Ok(connection.prepare_cached(delete)?.execute(params![author, until.as_millis()])? as u64)
}
