//! Labels and what sites taught.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{SqliteStore, articles, audit, samples};
use crate::domain::decision::Actor;
use crate::domain::learning::{
    Agreement, ChangeKind, Conclusion, Due, Fate, Force, Label, LabelCounts, Learning, ModelChange, Said, SiteModel,
    Taught,
};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, Ruling, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content};

/// Changes kept of one site.
const CHANGES_KEPT: i64 = 500;

/// Notes what a ruling says of a comment; `teaches` is false where it was about something else.
pub(super) fn note(work: &Work<'_>, row: &Row, ruling: &Ruling, number: i64, teaches: bool) -> Result<()> {
    let sampled = if teaches {
        samples::answer(work.connection, row, ruling, number)?
    } else {
        samples::discard(work.connection, row.id)?;
        false
    };
    let said = Said::of(ruling.action, ruling.category);
    let fate = match (teaches, said.is_something()) {
        (false, _) => Fate::Sanction,
        (true, false) => Fate::Category,
        (true, true) => Fate::Waiting,
    };
    let write = "INSERT INTO label (site, comment, revision, ruling, at, spam, abuse, sampled, fate) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    work.connection.prepare_cached(write)?.execute(params![
        row.site.0,
        row.id,
        row.revision,
        number,
        ruling.at.as_millis(),
        said.spam,
        said.abuse,
        sampled,
        fate.name(),
    ])?;
    changed(work.connection, row.site)
}

/// The ruling was taken back, and its label with it.
pub(super) fn undo(work: &Work<'_>, row: &Row, number: i64, at: Timestamp) -> Result<()> {
    samples::reopen(work.connection, row.id, number)?;
    let write = "UPDATE label SET undone_at = ?3 WHERE comment = ?1 AND ruling = ?2 AND undone_at IS NULL";
    if work.connection.prepare_cached(write)?.execute(params![row.id, number, at.as_millis()])? > 0 {
        changed(work.connection, row.site)?;
    }
    Ok(())
}

/// The comment is no more, and nothing was ever said of it.
pub(super) fn forget(work: &Work<'_>, row: &Row) -> Result<()> {
    samples::forget(work.connection, row.id)?;
    if work.connection.prepare_cached("DELETE FROM label WHERE comment = ?1")?.execute([row.id])? > 0 {
        // What is in force is learned anew without it; what is not goes at once.
        let old = "DELETE FROM site_model WHERE site = ?1 AND ended_at IS NOT NULL";
        work.connection.prepare_cached(old)?.execute([row.site.0])?;
        changed(work.connection, row.site)?;
    }
    Ok(())
}

pub(super) fn changed(connection: &Connection, site: SiteId) -> Result<()> {
    let write = "INSERT INTO learner (site, changes, seen) VALUES (?1, 1, 0) ON CONFLICT (site) DO UPDATE SET changes = changes + 1";
    connection.prepare_cached(write)?.execute([site.0])?;
    Ok(())
}

fn due(connection: &Connection) -> Result<Vec<Due>> {
    let mut query = connection.prepare_cached("SELECT site, changes, seen FROM learner ORDER BY site")?;
    let due =
        query.query_map([], |row| Ok(Due { site: SiteId(row.get(0)?), changes: row.get(1)?, seen: row.get(2)? }))?;
    Ok(due.collect::<rusqlite::Result<_>>()?)
}

/// In force: not taken back, about something, and nothing was said of the comment later.
const IN_FORCE: &str = "undone_at IS NULL AND fate NOT IN ('sanction', 'category', 'set-aside') AND NOT EXISTS \
                        (SELECT 1 FROM label later WHERE later.comment = label.comment AND later.id > label.id \
                        AND later.undone_at IS NULL AND later.fate <> 'sanction')";

fn ids(connection: &Connection, site: SiteId) -> Result<Vec<i64>> {
    let read = format!("SELECT id FROM label WHERE site = ?1 AND {IN_FORCE} ORDER BY id");
    let mut query = connection.prepare_cached(&read)?;
    Ok(query.query_map([site.0], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

fn labels(connection: &Connection, ids: &[i64]) -> Result<Vec<Label>> {
    // Labels of imports come of no ruling.
    let read = "SELECT label.comment, label.revision, coalesce(ruling.uid, zeroblob(16)), label.spam, label.abuse FROM label \
                LEFT JOIN ruling ON ruling.id = label.ruling WHERE label.id = ?1 AND label.undone_at IS NULL";
    let mut query = connection.prepare_cached(read)?;
    let mut labels = Vec::with_capacity(ids.len());
    for id in ids {
        type Found = (u32, u32, [u8; 16], Option<bool>, Option<bool>);
        let found: Option<Found> = query
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .optional()?;
        let Some((comment, revision, decision, spam, abuse)) = found else { continue };
        let Some(row) = rows::row(connection, comment)?.filter(|row| row.status.is_some()) else { continue };
        let Some(content) = revised(connection, &row, revision)? else { continue };
        labels.push(Label {
            id: *id,
            decision: Uuid::from_bytes(decision),
            said: Said { spam, abuse },
            article: articles::find(connection, row.site, &content.comment.article.id)?,
            comment: content.comment,
        });
    }
    Ok(labels)
}

/// What a comment said in that revision.
fn revised(connection: &Connection, row: &Row, revision: u32) -> Result<Option<Content>> {
    if row.revision == revision {
        return rows::content(connection, row.id).map(Some);
    }
    let read = "SELECT b FROM revision WHERE comment = ?1 AND revision = ?2";
    let bytes: Option<Vec<u8>> =
        connection.prepare_cached(read)?.query_row(params![row.id, revision], |row| row.get(0)).optional()?;
    bytes.map(|bytes| codec::decode_content("an earlier revision", &bytes)).transpose()
}

fn counts(connection: &Connection, site: SiteId) -> Result<LabelCounts> {
    let read = "SELECT CASE WHEN undone_at IS NULL THEN fate ELSE 'undone' END, count(*) FROM label WHERE site = ?1 GROUP BY 1";
    let mut query = connection.prepare_cached(read)?;
    Ok(query.query_map([site.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?)
}

fn conclude(work: &Work<'_>, shared: &Shared, conclusion: &Conclusion) -> Result<Option<Option<u32>>> {
    let Conclusion { site, over, seen, fates, force, change, at } = conclusion;
    let connection = work.connection;
    if !connection.prepare_cached("SELECT 1 FROM learner WHERE site = ?1")?.exists([site.0])? {
        return Ok(None); // the site is gone
    }
    // What was concluded before a person took a model out of force must not replace what answers now.
    let before = in_force(connection, *site)?;
    let answers = |of: &SiteModel| of.site == *site;
    if before != *over && (over.is_some() || models(connection)?.iter().any(answers)) {
        return Ok(None);
    }
    if let Force::New(_, taught) = force {
        // A decision taken back meanwhile must not live on in what was learned of it. One that came is looked at next.
        let now = ids(connection, *site)?;
        if taught.labels.iter().flatten().any(|id| now.binary_search(id).is_err()) {
            return Ok(None);
        }
    }
    let number = match force {
        Force::Same => before,
        Force::Base => {
            end(connection, *site, *at)?;
            None
        }
        Force::New(base, taught) => {
            end(connection, *site, *at)?;
            Some(insert(connection, *site, (base, taught), before, *at)?)
        }
    };
    let mut write = connection.prepare_cached(
        "UPDATE label SET fate = ?2, model = CASE WHEN ?2 = 'learned' THEN coalesce(model, ?3) ELSE model END \
         WHERE id = ?1 AND fate NOT IN ('set-aside', ?2)",
    )?;
    for (id, fate) in fates {
        write.execute(params![id, fate.name(), number])?;
    }
    connection.prepare_cached("UPDATE learner SET seen = ?2 WHERE site = ?1")?.execute(params![site.0, seen])?;
    if let Some((kind, reason, figures)) = change {
        let change = Noted { kind: *kind, number, by: None, reason, figures: &figures.to_string() };
        note_change(connection, *site, &change, *at)?;
        if *kind != ChangeKind::Refused {
            let action = format!("model.{}", kind.name());
            let name = shared.site_name(connection, *site)?;
            audit::add(connection, &Actor::Console, &action, &name, reason, *at)?;
        }
    }
    Ok(Some(number))
}

fn in_force(connection: &Connection, site: SiteId) -> Result<Option<u32>> {
    let read = "SELECT number FROM site_model WHERE site = ?1 AND ended_at IS NULL ORDER BY number DESC LIMIT 1";
    Ok(connection.prepare_cached(read)?.query_row([site.0], |row| row.get(0)).optional()?)
}

fn end(connection: &Connection, site: SiteId, at: Timestamp) -> Result<usize> {
    let write = "UPDATE site_model SET ended_at = ?2 WHERE site = ?1 AND ended_at IS NULL";
    Ok(connection.prepare_cached(write)?.execute(params![site.0, at.as_millis()])?)
}

fn insert(
    connection: &Connection,
    site: SiteId,
    (base, taught): (&str, &Taught),
    before: Option<u32>,
    at: Timestamp,
) -> Result<u32> {
    let read = "SELECT coalesce(max(number), 0) + 1 FROM site_model WHERE site = ?1";
    let number: u32 = connection.prepare_cached(read)?.query_row([site.0], |row| row.get(0))?;
    let bytes = codec::encode(taught)?;
    let checksum = Sha256::digest(&bytes);
    let write =
        "INSERT INTO site_model (site, number, base, at, b, checksum, before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(write)?.execute(params![
        site.0,
        number,
        base,
        at.as_millis(),
        bytes,
        checksum.as_slice(),
        before,
    ])?;
    // The one in force and those before it are all that is ever asked for.
    let old = "DELETE FROM site_model WHERE site = ?1 AND number < ?2 - 4 AND number IS NOT ?3";
    connection.prepare_cached(old)?.execute(params![site.0, number, before])?;
    Ok(number)
}

/// A change to be noted.
struct Noted<'a> {
    kind: ChangeKind,
    number: Option<u32>,
    by: Option<&'a str>,
    reason: &'a str,
    figures: &'a str,
}

fn note_change(connection: &Connection, site: SiteId, change: &Noted<'_>, at: Timestamp) -> Result<()> {
    if change.kind == ChangeKind::Refused {
        // One after the other for the same reason: the last says everything.
        let same = "DELETE FROM model_change WHERE id = (SELECT max(id) FROM model_change WHERE site = ?1) AND kind = ?2 AND reason = ?3";
        connection.prepare_cached(same)?.execute(params![site.0, change.kind.name(), change.reason])?;
    }
    let write = "INSERT INTO model_change (site, at, kind, number, by_name, reason, figures) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Noted { kind, number, by, reason, figures } = change;
    connection.prepare_cached(write)?.execute(params![
        site.0,
        at.as_millis(),
        kind.name(),
        number,
        by,
        reason,
        figures
    ])?;
    let old = "DELETE FROM model_change WHERE site = ?1 AND id <= (SELECT id FROM model_change WHERE site = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    connection.prepare_cached(old)?.execute(params![site.0, CHANGES_KEPT])?;
    Ok(())
}

fn models(connection: &Connection) -> Result<Vec<SiteModel>> {
    let read = "SELECT site, number FROM site_model WHERE ended_at IS NULL ORDER BY site, number";
    let mut query = connection.prepare_cached(read)?;
    let found = query.query_map([], |row| Ok((SiteId(row.get(0)?), row.get(1)?)))?;
    let mut models = Vec::new();
    for name in found {
        let (site, number): (SiteId, u32) = name?;
        match model(connection, site, number) {
            Ok(model) => models.extend(model),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                site = site.0,
                number,
                "what a site taught cannot be read; the shipped model answers alone there"
            ),
        }
    }
    Ok(models)
}

fn model(connection: &Connection, site: SiteId, number: u32) -> Result<Option<SiteModel>> {
    type Found = (String, i64, Vec<u8>, Vec<u8>);
    let read = "SELECT base, at, b, checksum FROM site_model WHERE site = ?1 AND number = ?2";
    let found: Option<Found> = connection
        .prepare_cached(read)?
        .query_row(params![site.0, number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((base, at, bytes, checksum)) = found else { return Ok(None) };
    if Sha256::digest(&bytes).as_slice() != checksum {
        return Err(StoreError::Corrupt(format!("what site {} taught, number {number}: checksum", site.0)));
    }
    let taught: Taught = codec::decode("what a site taught", &bytes)?;
    Ok(Some(SiteModel { site, number, base, at: Timestamp::from_millis(at), taught }))
}

fn end_by_person(
    work: &Work<'_>,
    site: SiteId,
    to_before: bool,
    base: &str,
    by: &Actor,
    at: Timestamp,
) -> Result<Option<Option<SiteModel>>> {
    let connection = work.connection;
    let Some(number) = in_force(connection, site)? else { return Ok(None) };
    end(connection, site, at)?;
    let before = if to_before { before(connection, site, number, base)? } else { None };
    if let Some(before) = &before {
        let write = "UPDATE site_model SET ended_at = NULL WHERE site = ?1 AND number = ?2";
        connection.prepare_cached(write)?.execute(params![site.0, before.number])?;
    }
    set_aside(connection, site, before.as_ref())?;
    let kind = if to_before { ChangeKind::RolledBackByPerson } else { ChangeKind::Reset };
    let reason = match &before {
        Some(before) => format!("number {number} out of force, number {} back", before.number),
        None => format!("number {number} out of force, the shipped model alone"),
    };
    let name = match by {
        Actor::Site(name) | Actor::Person(name) => Some(name.as_str()),
        Actor::Console => None,
    };
    let now = before.as_ref().map(|before| before.number);
    note_change(connection, site, &Noted { kind, number: now, by: name, reason: &reason, figures: "null" }, at)?;
    let action = if to_before { "model.rollback" } else { "model.reset" };
    audit::add(connection, by, action, &work.shared.site_name(connection, site)?, &reason, at)?;
    Ok(Some(before))
}

/// What is not in what answers now teaches nothing any more: it would bring back at once what a person took out of force.
fn set_aside(connection: &Connection, site: SiteId, answers: Option<&SiteModel>) -> Result<()> {
    let kept: HashSet<i64> = answers.iter().flat_map(|model| model.taught.labels.iter().flatten().copied()).collect();
    let mut write = connection.prepare_cached("UPDATE label SET fate = 'set-aside' WHERE id = ?1")?;
    for id in ids(connection, site)?.into_iter().filter(|id| !kept.contains(id)) {
        write.execute([id])?;
    }
    Ok(())
}

/// The model that it took the place of, when all that it learned still holds. Never one that was out of force by then: there was a reason.
fn before(connection: &Connection, site: SiteId, number: u32, base: &str) -> Result<Option<SiteModel>> {
    let read = "SELECT before FROM site_model WHERE site = ?1 AND number = ?2";
    let before: Option<u32> = connection.prepare_cached(read)?.query_row(params![site.0, number], |row| row.get(0))?;
    let Some(before) = before.map(|before| model(connection, site, before)).transpose()?.flatten() else {
        return Ok(None);
    };
    let in_force = ids(connection, site)?;
    let holds = before.taught.labels.iter().flatten().all(|label| in_force.binary_search(label).is_ok());
    Ok(Some(before).filter(|before| holds && before.base == base))
}

fn changes(connection: &Connection, site: SiteId, most: usize) -> Result<Vec<ModelChange>> {
    let read =
        "SELECT at, kind, number, by_name, reason, figures FROM model_change WHERE site = ?1 ORDER BY id DESC LIMIT ?2";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query(params![site.0, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        let known = ChangeKind::ALL.into_iter().find(|known| known.name() == kind);
        changes.push(ModelChange {
            site,
            at: Timestamp::from_millis(row.get(0)?),
            kind: known.ok_or_else(|| StoreError::Corrupt(format!("a model's change {kind}")))?,
            number: row.get(2)?,
            by: row.get(3)?,
            reason: row.get(4)?,
            figures: serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default(),
        });
    }
    Ok(changes)
}

#[async_trait]
impl Learning for SqliteStore {
    async fn labels_due(&self) -> Result<Vec<Due>> {
        self.readers.ask(due).await
    }

    async fn label_ids(&self, site: SiteId) -> Result<Vec<i64>> {
        self.readers.ask(move |connection| ids(connection, site)).await
    }

    async fn labels(&self, of: &[i64]) -> Result<Vec<Label>> {
        let of = of.to_vec();
        self.readers.ask(move |connection| labels(connection, &of)).await
    }

    async fn label_counts(&self, site: SiteId) -> Result<LabelCounts> {
        self.readers.ask(move |connection| counts(connection, site)).await
    }

    async fn conclude(&self, conclusion: Conclusion) -> Result<Option<Option<u32>>> {
        let shared = Arc::clone(&self.shared);
        self.writer.run(move |work| conclude(work, &shared, &conclusion)).await
    }

    async fn site_models(&self) -> Result<Vec<SiteModel>> {
        self.readers.ask(models).await
    }

    async fn site_model_end(
        &self,
        site: SiteId,
        to_before: bool,
        base: &str,
        by: Actor,
        at: Timestamp,
    ) -> Result<Option<Option<SiteModel>>> {
        let base = base.to_owned();
        self.writer.run(move |work| end_by_person(work, site, to_before, &base, &by, at)).await
    }

    async fn model_changes(&self, site: SiteId, most: usize) -> Result<Vec<ModelChange>> {
        self.readers.ask(move |connection| changes(connection, site, most)).await
    }

    async fn agreements(&self) -> Result<Vec<Agreement>> {
        self.readers.ask(samples::agreements).await
    }
}
