//! Sanctions, and what they did.

use async_trait::async_trait;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::PostgresStore;
use super::cursor::{self, cursor_of, place_of};
use super::db::{Cells as _, Db, number, signed};
use super::rows::{self, Row};
use super::work::{Work, transact};
use super::{appeals, batch, intake, outbox, queue, rulings, uid};
use crate::domain::decision::{Actor, DecidedBy, Status};
use crate::domain::people::Reach;
use crate::domain::sanction::{
    Effect, Lifted, Measure, NewSanction, Sanction, SanctionFilter, Sanctions, TargetHash, TargetKind, lifted_from,
};
use crate::domain::store::{HappeningKind, ListError, Page, PageRequest, Result, Ruled, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Happened};
use crate::storage::sanctioned::{Others, name};

const COLUMNS: &str = "s.id, s.uid, s.site, site.name, s.measure, s.kind, s.hash, s.hint, s.cause, s.shadow, s.by_name, s.at, \
                       s.expires_at, s.lifted_at, s.lifted_by, s.ruling";
const FROM: &str = "sanction s LEFT JOIN site ON site.id = s.site";
/// What cursors of the list are signed for.
const LIST: &str = "sanctions";

async fn add(work: &Work, new: &NewSanction) -> Result<(Sanction, Option<Ruled>)> {
    let ruled = match &new.also {
        Some(ruling) => Some(rulings::rule_as(work, ruling, false).await?),
        None => None,
    };
    let ruling = ruled.as_ref().filter(|ruled| !ruled.applied.is_empty()).map(|ruled| ruled.decision);
    let uid = uid::new(new.at)?;
    let write = "INSERT INTO sanction (uid, site, measure, kind, hash, hint, cause, shadow, by_name, at, expires_at, ruling) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let (site, expires_at) = (new.site.map(number), new.expires_at.map(Timestamp::as_millis));
    work.execute(
        write,
        &[
            &uid,
            &site,
            &new.measure.name(),
            &new.kind.name(),
            &new.hash.as_slice(),
            &new.hint,
            &new.cause,
            &new.shadow,
            &name(&new.by),
            &new.at.as_millis(),
            &expires_at,
            &ruling,
        ],
    )
    .await?;
    let shadow = if new.shadow { ", shadow" } else { "" };
    let detail = format!("{} {}{shadow}", new.measure.name(), new.kind.name());
    work.audit(&new.by, "sanction", &uid.to_string(), &detail, new.at);
    let added = find(work, uid).await?.ok_or_else(|| StoreError::Corrupt("a sanction is gone".to_owned()))?;
    Ok((added, ruled))
}

async fn active(db: &Db, now: Timestamp) -> Result<Vec<Sanction>> {
    let read = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE s.lifted_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $1) ORDER BY s.id"
    );
    db.query(&read, &[&now.as_millis()]).await?.iter().map(read_row).collect()
}

async fn find(db: &Db, uid: Uuid) -> Result<Option<Sanction>> {
    let read = format!("SELECT {COLUMNS} FROM {FROM} WHERE s.uid = $1");
    db.query_opt(&read, &[&uid]).await?.as_ref().map(read_row).transpose()
}

/// Those that aim at what has this hash, oldest first.
pub(super) async fn of_hash(db: &Db, hash: &TargetHash) -> Result<Vec<Sanction>> {
    let read = format!("SELECT {COLUMNS} FROM {FROM} WHERE s.hash = $1 ORDER BY s.id");
    db.query(&read, &[&hash.as_slice()]).await?.iter().map(read_row).collect()
}

async fn list(db: &Db, filter: &SanctionFilter, page: &PageRequest) -> std::result::Result<Page<Sanction>, ListError> {
    let below: i64 = match &page.cursor {
        Some(cursor) => place_of(&db.shared, LIST, cursor)?,
        None => i64::MAX,
    };
    let limit = cursor::limit(page);
    let in_force = "s.lifted_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $";
    let read = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE s.id < $1 AND ($2::text IS NULL OR site.name = $2) \
         AND ($3::text[] IS NULL OR site.name IS NULL OR site.name = ANY ($3)) \
         AND ($4::bigint IS NULL OR ({in_force}4))) AND ($5::bigint IS NULL OR NOT ({in_force}5))) \
         ORDER BY s.id DESC LIMIT $6"
    );
    let (active_at, over_at) = (filter.active_at.map(Timestamp::as_millis), filter.over_at.map(Timestamp::as_millis));
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let found = db.query(&read, &[&below, &filter.site, &filter.reach.sites, &active_at, &over_at, &most]).await?;
    let mut items = found.iter().map(read_row).collect::<Result<Vec<_>>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more).map(|sanction| sanction.number);
    Ok(Page { items, next_cursor: last.map(|last| cursor_of(&db.shared, LIST, &last)) })
}

fn read_row(row: &Cell) -> Result<Sanction> {
    let (measure, kind): (&str, &str) = (row.cell(4)?, row.cell(5)?);
    let hash: &[u8] = row.cell(6)?;
    let lifted_at: Option<i64> = row.cell(13)?;
    let site: Option<i32> = row.cell(2)?;
    Ok(Sanction {
        number: row.cell(0)?,
        uid: row.cell(1)?,
        site: site.map(|_| row.site(2)).transpose()?,
        site_name: row.cell(3)?,
        measure: Measure::from_name(measure).ok_or_else(|| StoreError::Corrupt(format!("measure {measure}")))?,
        kind: TargetKind::from_name(kind).ok_or_else(|| StoreError::Corrupt(format!("target {kind}")))?,
        hash: hash.try_into().map_err(|_| StoreError::Corrupt("a sanction's hash".to_owned()))?,
        hint: row.cell(7)?,
        cause: row.cell(8)?,
        shadow: row.cell(9)?,
        by: row.cell(10)?,
        at: Timestamp::from_millis(row.cell(11)?),
        expires_at: row.cell::<Option<i64>>(12)?.map(Timestamp::from_millis),
        lifted: lifted_at.map(Timestamp::from_millis).zip(row.cell::<Option<String>>(14)?),
        ruling: row.cell(15)?,
    })
}

/// Notes what a sanction did to a comment; what an earlier revision's sanction did no longer counts.
pub(super) async fn note_effect(work: &Work, row: &Row, effect: Option<Effect>) -> Result<()> {
    let forget = "DELETE FROM sanction_effect WHERE site = $1 AND comment = $2";
    work.execute(forget, &[&number(row.site), &row.uid]).await?;
    if let Some(effect) = effect {
        let write = "INSERT INTO sanction_effect (sanction, site, comment, version, status_without) VALUES ($1, $2, $3, $4, $5)";
        let (version, without) = (signed(row.version), batch::status_code(effect.without));
        work.execute(write, &[&effect.sanction, &number(row.site), &row.uid, &version, &without]).await?;
    }
    Ok(())
}

async fn lift(
    work: &Work,
    uid: Uuid,
    undo: bool,
    by: &Actor,
    at: Timestamp,
    tell_at: Timestamp,
) -> Result<Option<Lifted>> {
    if undo {
        lock_comments(work, uid).await?;
    }
    // Of two who lift it at once the other one waits here, and finds it lifted.
    let write = "UPDATE sanction SET lifted_at = $2, lifted_by = $3 WHERE uid = $1 AND lifted_at IS NULL";
    if work.execute(write, &[&uid, &at.as_millis(), &name(by)]).await? == 0 {
        return Ok(None);
    }
    let sanction = find(work, uid).await?.ok_or_else(|| StoreError::Corrupt("a sanction is gone".to_owned()))?;
    let mut restored = Vec::new();
    if undo {
        restored.push(restore_all(work, &sanction, by, at, tell_at).await?);
        if let Some(ruling) = sanction.ruling
            && let Ok(ruled) = rulings::unrule(work, ruling, by, &Reach::ALL, at).await?
        {
            restored.push(ruled);
        }
    }
    let count: usize = restored.iter().map(|ruled| ruled.applied.len()).sum();
    work.audit(by, "sanction.lift", &uid.to_string(), &format!("{count} comments restored"), at);
    Ok(Some(Lifted { sanction, restored }))
}

async fn restore_all(work: &Work, sanction: &Sanction, by: &Actor, at: Timestamp, tell_at: Timestamp) -> Result<Ruled> {
    let mut ruled = Ruled { decision: sanction.uid, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    let others = Others::new(active(work, at).await?);
    let effects = effects(work, sanction.number).await?;
    let jobs = effects.into_iter().map(|(row, version, policy)| {
        let others = &others;
        async move {
            let mut row = row;
            let is_restored =
                row.version == version && restore(work, &mut row, policy, others, (by, at, tell_at)).await?;
            Ok((is_restored, rows::load(work, &row).await?, row.trace()?))
        }
    });
    for (is_restored, record, trace) in batch::each(jobs.collect()).await? {
        if is_restored {
            ruled.applied.push((record, trace));
        } else {
            ruled.conflicts.push(record);
        }
    }
    Ok(ruled)
}

/// Makes of a comment what `policy` alone would have made of it, under the other sanctions; `false` when one of them decides alike.
async fn restore(
    work: &Work,
    row: &mut Row,
    policy: Status,
    others: &Others,
    (by, at, tell_at): (&Actor, Timestamp, Timestamp),
) -> Result<bool> {
    let before = row.status;
    let content = row.content()?;
    let sentence = others.sentence(&work.target_key, row.site, &content.comment);
    let (after, effect) = lifted_from(policy, &content.verdict.causes, sentence.as_ref());
    if effect.is_some() && after == before {
        note_effect(work, row, effect).await?; // the other sanction answers for it from now on
        return Ok(false);
    }
    let decided_by = if effect.is_some() { DecidedBy::Rule } else { DecidedBy::Policy };
    let closed = appeals::close(work, row, None, at).await?;
    intake::update_row(work, row, after, decided_by, at).await?;
    note_effect(work, row, effect).await?;
    queue::replace(work, row, &content, at).await?;
    let happened = Happened { kind: HappeningKind::Lifted, status: after, decided_by, by: by.clone() };
    rulings::note_happening(work, row, at, None, &happened).await?;
    if before != after {
        outbox::tell_status(work, row, None, tell_at).await?;
    }
    appeals::tell_closed(work, row, closed, tell_at).await?;
    Ok(true)
}

/// Locks everything that lifting a sanction changes back: what it decided, and what was rejected with it. Whoever changes comments of a campaign has
/// locked them all before the campaign, so nothing may be locked here after the first of them has led to its own.
async fn lock_comments(work: &Work, sanction: Uuid) -> Result<()> {
    let lock = "SELECT count(*) FROM (SELECT 1 FROM (SELECT e.site, e.comment FROM sanction s JOIN sanction_effect e ON e.sanction = s.id \
                WHERE s.uid = $1 UNION SELECT i.site, i.comment FROM sanction s JOIN ruling_item i ON i.ruling = s.ruling WHERE s.uid = $1) k \
                JOIN comment c ON c.site = k.site AND c.uid = k.comment ORDER BY c.uid FOR UPDATE OF c) locked";
    work.query_one(lock, &[&sanction]).await?;
    Ok(())
}

/// What it decided, locked: the comment, the version that it led to, what would have been without it.
async fn effects(work: &Work, sanction: i64) -> Result<Vec<(Row, u32, Status)>> {
    // Locked by a statement of its own: whoever waited for an edit there would have the comment after it beside the effect before it.
    let lock = "SELECT c.uid FROM sanction_effect e JOIN comment c ON c.site = e.site AND c.uid = e.comment \
                WHERE e.sanction = $1 ORDER BY c.uid FOR UPDATE OF c";
    let locked = work.query(lock, &[&sanction]).await?;
    let locked = locked.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
    let read = format!(
        "SELECT {}, e.version, e.status_without FROM sanction_effect e JOIN comment c ON c.site = e.site AND c.uid = e.comment \
         WHERE e.sanction = $1 AND e.comment = ANY ($2) ORDER BY c.uid",
        rows::COLUMNS
    );
    let found = work.query(&read, &[&sanction, &locked]).await?;
    let without = |cell: &Cell| -> Result<Status> {
        let status = codec::status_of(i64::from(cell.cell::<i16>(14)?))?;
        status.ok_or_else(|| StoreError::Corrupt("an effect without status".to_owned()))
    };
    found.iter().map(|cell| Ok((Row::read(cell)?, cell.natural(13)?, without(cell)?))).collect()
}

/// Puts one that was lifted in force again.
async fn resume(work: &Work, uid: Uuid, by: &Actor, at: Timestamp) -> Result<Option<Sanction>> {
    let write = "UPDATE sanction SET lifted_at = NULL, lifted_by = NULL WHERE uid = $1 AND lifted_at IS NOT NULL";
    if work.execute(write, &[&uid]).await? > 0 {
        work.audit(by, "sanction.resume", &uid.to_string(), "", at);
    }
    find(work, uid).await
}

/// How many comments each has decided, in the order of `numbers`.
async fn count_effects(db: &Db, numbers: &[i64]) -> Result<Vec<u64>> {
    let read = "SELECT count(e.sanction) FROM unnest($1::bigint[]) WITH ORDINALITY AS n (number, place) \
                LEFT JOIN sanction_effect e ON e.sanction = n.number GROUP BY n.place ORDER BY n.place";
    let found = db.query(read, &[&numbers]).await?;
    found.iter().map(|row| row.cell::<i64>(0).map(i64::unsigned_abs)).collect()
}

/// Ends and forgets what aims at an author since before `until` or that moment itself: nothing of it is left that could be recognised.
pub(super) async fn forget_author(work: &Work, hash: &TargetHash, until: Timestamp) -> Result<u64> {
    let (hash, until) = (hash.as_slice(), until.as_millis());
    let effects =
        "DELETE FROM sanction_effect WHERE sanction IN (SELECT id FROM sanction WHERE hash = $1 AND at <= $2)";
    work.execute(effects, &[&hash, &until]).await?;
    work.execute("DELETE FROM sanction WHERE hash = $1 AND at <= $2", &[&hash, &until]).await
}

#[async_trait]
impl Sanctions for PostgresStore {
    fn target_key(&self) -> [u8; 32] {
        self.shared.target_key
    }

    async fn sanction_add(&self, new: NewSanction) -> Result<(Sanction, Option<Ruled>)> {
        transact!(self, work => add(&work, &new).await)
    }

    async fn sanctions_active(&self, now: Timestamp) -> Result<Vec<Sanction>> {
        let db = self.db().await?;
        active(&db, now).await
    }

    async fn sanction_find(&self, uid: Uuid) -> Result<Option<Sanction>> {
        let db = self.db().await?;
        find(&db, uid).await
    }

    async fn sanction_list(
        &self,
        filter: &SanctionFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Sanction>, ListError> {
        let db = self.db().await?;
        list(&db, filter, page).await
    }

    async fn sanction_resume(&self, uid: Uuid, by: Actor, at: Timestamp) -> Result<Option<Sanction>> {
        transact!(self, work => resume(&work, uid, &by, at).await)
    }

    async fn sanction_effects(&self, numbers: &[i64]) -> Result<Vec<u64>> {
        let db = self.db().await?;
        count_effects(&db, numbers).await
    }

    async fn sanction_lift(
        &self,
        uid: Uuid,
        undo: bool,
        by: Actor,
        at: Timestamp,
        tell_at: Timestamp,
    ) -> Result<Option<Lifted>> {
        transact!(self, work => lift(&work, uid, undo, &by, at, tell_at).await)
    }
}
