//! Sanctions, and what they did.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::SqliteStore;
use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{appeals, audit, intake, lists, outbox, queue, rulings};
use crate::domain::decision::{Actor, DecidedBy, Status};
use crate::domain::people::Reach;
use crate::domain::sanction::{
    Effect, Lifted, Measure, NewSanction, Sanction, SanctionFilter, Sanctions, TargetHash, TargetKind, lifted_from,
};
use crate::domain::site::SiteId;
use crate::domain::store::{HappeningKind, ListError, Page, PageRequest, Result, Ruled, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Happened};
use crate::storage::sanctioned::{Others, name};

const COLUMNS: &str = "sanction.id, sanction.uid, sanction.site, site.name, measure, kind, hash, hint, cause, shadow, by_name, at, \
                       expires_at, lifted_at, lifted_by, ruling";
const FROM: &str = "sanction LEFT JOIN site ON site.id = sanction.site";

pub(super) fn add(work: &mut Work<'_>, new: &NewSanction) -> Result<(Sanction, Option<Ruled>)> {
    let ruled = new.also.as_ref().map(|ruling| rulings::rule_as(work, ruling, false)).transpose()?;
    let ruling = ruled.as_ref().filter(|ruled| !ruled.applied.is_empty()).map(|ruled| ruled.decision);
    let connection = work.connection;
    let uid = rulings::new_uid(new.at)?;
    let write = "INSERT INTO sanction (uid, site, measure, kind, hash, hint, cause, shadow, by_name, at, expires_at, ruling) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    connection.prepare_cached(write)?.execute(params![
        uid.as_bytes(),
        new.site.map(|site| site.0),
        new.measure.name(),
        new.kind.name(),
        new.hash,
        new.hint,
        new.cause,
        new.shadow,
        name(&new.by),
        new.at.as_millis(),
        new.expires_at.map(Timestamp::as_millis),
        ruling.map(|ruling| ruling.as_bytes().to_vec()),
    ])?;
    let number = connection.last_insert_rowid();
    let shadow = if new.shadow { ", shadow" } else { "" };
    let detail = format!("{} {}{shadow}", new.measure.name(), new.kind.name());
    audit::add(connection, &new.by, "sanction", &uid.to_string(), &detail, new.at)?;
    let added = by_number(connection, number)?.ok_or_else(|| StoreError::Corrupt("a sanction is gone".to_owned()))?;
    Ok((added, ruled))
}

fn by_number(connection: &Connection, number: i64) -> Result<Option<Sanction>> {
    let read = format!("SELECT {COLUMNS} FROM {FROM} WHERE sanction.id = ?1");
    let mut query = connection.prepare_cached(&read)?;
    let mut rows = query.query([number])?;
    rows.next()?.map(read_row).transpose()
}

pub(super) fn active(connection: &Connection, now: Timestamp) -> Result<Vec<Sanction>> {
    let read =
        format!("SELECT {COLUMNS} FROM {FROM} WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)");
    let mut query = connection.prepare_cached(&read)?;
    let mut rows = query.query([now.as_millis()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read_row(row)?);
    }
    Ok(all)
}

pub(super) fn find(connection: &Connection, uid: Uuid) -> Result<Option<Sanction>> {
    let read = format!("SELECT {COLUMNS} FROM {FROM} WHERE sanction.uid = ?1");
    let mut query = connection.prepare_cached(&read)?;
    let mut rows = query.query([uid.as_bytes()])?;
    rows.next()?.map(read_row).transpose()
}

/// Those that aim at what has this hash, oldest first.
pub(super) fn of_hash(connection: &Connection, hash: &TargetHash) -> Result<Vec<Sanction>> {
    let read = format!("SELECT {COLUMNS} FROM {FROM} WHERE sanction.hash = ?1 ORDER BY sanction.id");
    let mut query = connection.prepare_cached(&read)?;
    let mut rows = query.query([hash])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read_row(row)?);
    }
    Ok(all)
}

pub(super) fn list(
    connection: &Connection,
    shared: &Shared,
    filter: &SanctionFilter,
    page: &PageRequest,
) -> std::result::Result<Page<Sanction>, ListError> {
    let below = match &page.cursor {
        Some(cursor) => i64::from(lists::row_of_cursor(shared, cursor)?),
        None => i64::MAX,
    };
    let limit = lists::limit(page);
    let some = |error: rusqlite::Error| ListError::Store(error.into());
    let read = format!("SELECT {COLUMNS} FROM {FROM} WHERE sanction.id < ?1 ORDER BY sanction.id DESC");
    let mut query = connection.prepare_cached(&read).map_err(some)?;
    let mut rows = query.query([below]).map_err(some)?;
    let (mut items, mut more): (Vec<Sanction>, bool) = (Vec::new(), false);
    while let Some(row) = rows.next().map_err(some)? {
        let sanction = read_row(row)?;
        let site = sanction.site_name.as_deref();
        if site.is_some_and(|site| !filter.reach.covers_site(site))
            || filter.site.as_deref().is_some_and(|wanted| site != Some(wanted))
            || filter.active_at.is_some_and(|now| !sanction.is_active(now))
            || filter.over_at.is_some_and(|now| sanction.is_active(now))
        {
            continue;
        }
        if items.len() == limit {
            more = true;
            break;
        }
        items.push(sanction);
    }
    let last = items.last().map(|sanction| u32::try_from(sanction.number).unwrap_or(u32::MAX));
    let next_cursor = last.filter(|_| more).map(|last| lists::cursor_of_row(shared, last));
    Ok(Page { items, next_cursor })
}

fn read_row(row: &rusqlite::Row<'_>) -> Result<Sanction> {
    let text = |at: usize| row.get::<_, String>(at);
    let measure = text(4)?;
    let kind = text(5)?;
    let hash: TargetHash = row.get(6)?;
    let lifted_at: Option<i64> = row.get(13)?;
    let ruling: Option<[u8; 16]> = row.get(15)?;
    Ok(Sanction {
        number: row.get(0)?,
        uid: Uuid::from_bytes(row.get(1)?),
        site: row.get::<_, Option<u32>>(2)?.map(SiteId),
        site_name: row.get(3)?,
        measure: Measure::from_name(&measure).ok_or_else(|| StoreError::Corrupt(format!("measure {measure}")))?,
        kind: TargetKind::from_name(&kind).ok_or_else(|| StoreError::Corrupt(format!("target {kind}")))?,
        hash,
        hint: text(7)?,
        cause: text(8)?,
        shadow: row.get(9)?,
        by: text(10)?,
        at: Timestamp::from_millis(row.get(11)?),
        expires_at: row.get::<_, Option<i64>>(12)?.map(Timestamp::from_millis),
        lifted: lifted_at.map(Timestamp::from_millis).zip(row.get::<_, Option<String>>(14)?),
        ruling: ruling.map(Uuid::from_bytes),
    })
}

/// Notes what a sanction did to a comment; what an earlier revision's sanction did no longer counts.
pub(super) fn note_effect(connection: &Connection, row: &Row, effect: Option<Effect>) -> Result<()> {
    connection.prepare_cached("DELETE FROM sanction_effect WHERE comment = ?1")?.execute([row.id])?;
    if let Some(effect) = effect {
        let write = "INSERT INTO sanction_effect (sanction, comment, version, status_without) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(write)?.execute(params![
            effect.sanction,
            row.id,
            row.version,
            codec::status_code(effect.without)
        ])?;
    }
    Ok(())
}

pub(super) fn lift(
    work: &mut Work<'_>,
    uid: Uuid,
    undo: bool,
    by: &Actor,
    at: Timestamp,
    tell_at: Timestamp,
) -> Result<Option<Lifted>> {
    let Some(sanction) = find(work.connection, uid)?.filter(|sanction| sanction.lifted.is_none()) else {
        return Ok(None);
    };
    let write = "UPDATE sanction SET lifted_at = ?2, lifted_by = ?3 WHERE id = ?1";
    work.connection.prepare_cached(write)?.execute(params![sanction.number, at.as_millis(), name(by)])?;
    let mut restored = Vec::new();
    if undo {
        restored.push(restore_all(work, &sanction, by, at, tell_at)?);
        if let Some(ruling) = sanction.ruling
            && let Ok(ruled) = rulings::unrule(work, ruling, by, &Reach::ALL, at)?
        {
            restored.push(ruled);
        }
    }
    let count: usize = restored.iter().map(|ruled| ruled.applied.len()).sum();
    audit::add(work.connection, by, "sanction.lift", &uid.to_string(), &format!("{count} comments restored"), at)?;
    let sanction = by_number(work.connection, sanction.number)?.unwrap_or(sanction);
    Ok(Some(Lifted { sanction, restored }))
}

fn restore_all(work: &Work<'_>, sanction: &Sanction, by: &Actor, at: Timestamp, tell_at: Timestamp) -> Result<Ruled> {
    let mut ruled = Ruled { decision: sanction.uid, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    let others = Others::new(active(work.connection, at)?);
    for (comment, version, policy) in effects(work.connection, sanction.number)? {
        let Some(mut row) = rows::row(work.connection, comment)?.filter(|row| row.status.is_some()) else { continue };
        if row.version != version {
            ruled.conflicts.push(rows::load(work.connection, work.shared, &row)?);
            continue;
        }
        let before = row.live()?;
        let content = rows::content(work.connection, row.id)?;
        let sentence = others.sentence(&work.shared.target_key, row.site, &content.comment);
        let (after, effect) = lifted_from(policy, &content.verdict.causes, sentence.as_ref());
        if effect.is_some() && after == before {
            note_effect(work.connection, &row, effect)?; // the other sanction answers for it from now on
            ruled.conflicts.push(rows::load(work.connection, work.shared, &row)?);
            continue;
        }
        let decided_by = if effect.is_some() { DecidedBy::Rule } else { DecidedBy::Policy };
        let closed = appeals::close(work, &row, None, at)?;
        intake::update_row(work.connection, &mut row, after, decided_by, at)?;
        note_effect(work.connection, &row, effect)?;
        let content = rows::content(work.connection, row.id)?;
        queue::replace(work, &row, &content, at)?;
        let happened = Happened { kind: HappeningKind::Lifted, status: after, decided_by, by: by.clone() };
        rulings::note_happening(work.connection, &row, at, None, &happened)?;
        if before != after {
            outbox::tell_status(work, &row, None, tell_at)?;
        }
        appeals::tell_closed(work, &row, closed, tell_at)?;
        ruled.applied.push((rows::load(work.connection, work.shared, &row)?, row.trace()?));
    }
    Ok(ruled)
}

fn effects(connection: &Connection, sanction: i64) -> Result<Vec<(u32, u32, Status)>> {
    let read = "SELECT comment, version, status_without FROM sanction_effect WHERE sanction = ?1 ORDER BY comment";
    let mut query = connection.prepare_cached(read)?;
    let found = query.query_map([sanction], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found = found.collect::<rusqlite::Result<Vec<(u32, u32, i64)>>>()?;
    let status =
        |code| codec::status_of(code)?.ok_or_else(|| StoreError::Corrupt("an effect without status".to_owned()));
    found.into_iter().map(|(comment, version, code)| Ok((comment, version, status(code)?))).collect()
}

/// Puts one that was lifted in force again.
fn resume(work: &Work<'_>, uid: Uuid, by: &Actor, at: Timestamp) -> Result<Option<Sanction>> {
    let Some(sanction) = find(work.connection, uid)? else { return Ok(None) };
    if sanction.lifted.is_some() {
        let write = "UPDATE sanction SET lifted_at = NULL, lifted_by = NULL WHERE id = ?1";
        work.connection.prepare_cached(write)?.execute([sanction.number])?;
        audit::add(work.connection, by, "sanction.resume", &uid.to_string(), "", at)?;
    }
    by_number(work.connection, sanction.number)
}

/// How many comments each has decided.
fn count_effects(connection: &Connection, numbers: &[i64]) -> Result<Vec<u64>> {
    let mut query = connection.prepare_cached("SELECT count(*) FROM sanction_effect WHERE sanction = ?1")?;
    numbers.iter().map(|number| Ok(query.query_row([number], |row| row.get(0))?)).collect()
}

/// Ends and forgets what aims at an author since before `until` or that moment itself: nothing of it is left that could be recognised.
pub(super) fn forget_author(connection: &Connection, hash: &TargetHash, until: Timestamp) -> Result<u64> {
    let which = params![hash, until.as_millis()];
    let effects =
        "DELETE FROM sanction_effect WHERE sanction IN (SELECT id FROM sanction WHERE hash = ?1 AND at <= ?2)";
    connection.prepare_cached(effects)?.execute(which)?;
    Ok(connection.prepare_cached("DELETE FROM sanction WHERE hash = ?1 AND at <= ?2")?.execute(which)? as u64)
}

#[async_trait]
impl Sanctions for SqliteStore {
    fn target_key(&self) -> [u8; 32] {
        self.shared.target_key
    }

    async fn sanction_add(&self, new: NewSanction) -> Result<(Sanction, Option<Ruled>)> {
        self.writer.run(move |work| add(work, &new)).await
    }

    async fn sanctions_active(&self, now: Timestamp) -> Result<Vec<Sanction>> {
        self.readers.ask(move |connection| active(connection, now)).await
    }

    async fn sanction_find(&self, uid: Uuid) -> Result<Option<Sanction>> {
        self.readers.ask(move |connection| find(connection, uid)).await
    }

    async fn sanction_list(
        &self,
        filter: &SanctionFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Sanction>, ListError> {
        let (shared, filter, page) = (Arc::clone(&self.shared), filter.clone(), page.clone());
        self.readers.ask(move |connection| list(connection, &shared, &filter, &page)).await
    }

    async fn sanction_resume(&self, uid: Uuid, by: Actor, at: Timestamp) -> Result<Option<Sanction>> {
        self.writer.run(move |work| resume(work, uid, &by, at)).await
    }

    async fn sanction_effects(&self, numbers: &[i64]) -> Result<Vec<u64>> {
        let numbers = numbers.to_vec();
        self.readers.ask(move |connection| count_effects(connection, &numbers)).await
    }

    async fn sanction_lift(
        &self,
        uid: Uuid,
        undo: bool,
        by: Actor,
        at: Timestamp,
        tell_at: Timestamp,
    ) -> Result<Option<Lifted>> {
        self.writer.run(move |work| lift(work, uid, undo, &by, at, tell_at)).await
    }
}
