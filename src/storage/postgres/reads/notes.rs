//! What people note about authors for each other. They go with the author.

use uuid::Uuid;

use super::super::db::{Cells as _, Db, number};
use super::super::work::Work;
use super::super::{sites, uid};
use crate::domain::comment::ExternalId;
use crate::domain::decision::Actor;
use crate::domain::reads::{AuthorNote, NoteRemoval};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// Notes that are shown of one author.
const SHOWN: i64 = 200;

pub(super) async fn add(
    work: &Work,
    site: SiteId,
    author: &ExternalId,
    text: &str,
    by: &str,
    at: Timestamp,
) -> Result<AuthorNote> {
    sites::hold(work, site).await?;
    let uid = uid::new(at)?;
    let hash = work.reader(site, author.as_str());
    let write = "INSERT INTO author_note (uid, site, author, by_name, at, text) VALUES ($1, $2, $3, $4, $5, $6)";
    work.execute(write, &[&uid, &number(site), &hash.as_slice(), &by, &at.as_millis(), &text]).await?;
    // Neither the author's name nor what was noted: both are to be erasable.
    let name = work.site_name(work, site).await?;
    work.audit(&Actor::Person(by.to_owned()), "author.note", &uid.to_string(), &name, at);
    Ok(AuthorNote { id: uid, text: text.to_owned(), by: by.to_owned(), at })
}

pub(super) async fn remove(
    work: &Work,
    (site, author): (SiteId, &ExternalId),
    note: Uuid,
    by: &str,
    any: bool,
    at: Timestamp,
) -> Result<NoteRemoval> {
    let hash = work.reader(site, author.as_str());
    let read = "SELECT by_name FROM author_note WHERE uid = $1 AND author = $2 FOR UPDATE";
    let Some(row) = work.query_opt(read, &[&note, &hash.as_slice()]).await? else { return Ok(NoteRemoval::Missing) };
    if !any && !row.cell::<&str>(0)?.eq_ignore_ascii_case(by) {
        return Ok(NoteRemoval::NotYours);
    }
    work.execute("DELETE FROM author_note WHERE uid = $1", &[&note]).await?;
    let name = work.site_name(work, site).await?;
    work.audit(&Actor::Person(by.to_owned()), "author.note-remove", &note.to_string(), &name, at);
    Ok(NoteRemoval::Removed)
}

/// Latest first.
pub(super) async fn list(db: &Db, author: &[u8; 16]) -> Result<Vec<AuthorNote>> {
    let read = "SELECT uid, by_name, at, text FROM author_note WHERE author = $1 ORDER BY id DESC LIMIT $2";
    let mut notes = Vec::new();
    for row in db.query(read, &[&author.as_slice(), &SHOWN]).await? {
        let at = Timestamp::from_millis(row.cell(2)?);
        notes.push(AuthorNote { id: row.cell(0)?, by: row.cell(1)?, at, text: row.cell(3)? });
    }
    Ok(notes)
}
