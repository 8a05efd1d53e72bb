//! What sites have yet to be told: rows written in the commit of what they tell of, taken by those who deliver.
//!
//! Several nodes may deliver at once. A notice is given out to one of them until its lease runs out, and of a comment one at a time: the next
//! one is not sendable while an older one is there, whoever may have that one. What was on its way when a node died is sent again when its
//! lease has run out: a node that starts cannot know what others are sending.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use futures_util::future::try_join5;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::batch::Keys;
use super::cursor;
use super::db::{Cells as _, Db, Params, number, signed};
use super::rows::{self, Row};
use super::work::{Work, transact};
use super::{PostgresStore, patience, samples, uid};
use crate::domain::appeal::AppealState;
use crate::domain::decision::{Record, Status};
use crate::domain::outbox::{
    Attempt, Channel, Due, Letter, LetterFilter, Notice, Outbox, OutboxState, Receiver, RulingTold, Settled,
};
use crate::domain::site::SiteId;
use crate::domain::store::{ListError, Page, PageRequest, Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, Content, RulingText};
pub(super) use crate::storage::told::Stored;
use crate::storage::told::{CALLBACK, GONE, Then, UNREADABLE, or_damage, unless_damaged};

fn now(row: &Row) -> Then {
    Then {
        version: row.version,
        revision: row.revision,
        status: row.status,
        decided_by: row.decided_by,
        at: row.updated_at,
    }
}

/// Writes a notice, if the site wants to be told anything at all. What a gone receiver misses waits as a dead letter. Nobody else tells anything
/// of the comment meanwhile: its row is locked, or new.
pub(super) async fn tell(
    work: &Work,
    site: SiteId,
    comment: Uuid,
    ruling: Option<Uuid>,
    not_before: Timestamp,
    stored: &Stored,
) -> Result<()> {
    let keys = Keys { sites: vec![number(site)], comments: vec![comment] };
    tell_all(work, &keys, ruling, not_before, vec![codec::encode(stored)?]).await
}

async fn tell_all(
    work: &Work,
    keys: &Keys,
    ruling: Option<Uuid>,
    not_before: Timestamp,
    stored: Vec<Vec<u8>>,
) -> Result<()> {
    // Not before what it waits for anyway: whoever looks for what is due does not come upon it again and again.
    let write = "INSERT INTO outbox (uid, site, comment, ruling, not_before, next_at, dead_at, problem, b) \
                 SELECT k.uid, k.site, k.comment, $5::uuid, $6::int8, greatest($6, (SELECT max(o.next_at) FROM outbox o \
                 WHERE o.site = k.site AND o.comment = k.comment AND o.dead_at IS NULL AND o.callback IS NULL)), \
                 CASE WHEN s.webhook_gone_at IS NOT NULL THEN $6 END, CASE WHEN s.webhook_gone_at IS NOT NULL THEN $7::text END, k.b \
                 FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::bytea[]) WITH ORDINALITY k (site, comment, uid, b, place) \
                 JOIN site s ON s.id = k.site WHERE s.webhook IS NOT NULL ORDER BY k.place";
    let uids = stored.iter().map(|_| uid::unordered(not_before)).collect::<Result<Vec<_>>>()?;
    let told = work
        .execute(write, &[&keys.sites, &keys.comments, &uids, &stored, &ruling, &not_before.as_millis(), &GONE])
        .await?;
    if told > 0 {
        work.tell();
    }
    Ok(())
}

/// Tells the site what `row` is now, and whoever asked for it to be called back.
pub(super) async fn tell_status(work: &Work, row: &Row, ruling: Option<Uuid>, not_before: Timestamp) -> Result<()> {
    tell_statuses(work, [row], ruling, not_before).await?;
    call_back(work, [row], ruling, not_before).await
}

/// Calls back what asked for it with these comments, those of which there is a verdict to tell.
pub(super) async fn call_back(
    work: &Work,
    rows: impl IntoIterator<Item = &Row> + Send,
    ruling: Option<Uuid>,
    not_before: Timestamp,
) -> Result<()> {
    let rows: Vec<&Row> = rows.into_iter().filter(|row| row.status != Status::Held).collect();
    let keys = Keys::of(rows.iter().copied());
    if keys.is_empty() {
        return Ok(());
    }
    let stored = rows.iter().map(|row| codec::encode(&Stored::Status(now(row)))).collect::<Result<Vec<_>>>()?;
    let write = "INSERT INTO outbox (uid, site, comment, ruling, not_before, next_at, b, callback) \
                 SELECT k.uid, k.site, k.comment, $5::uuid, $6::int8, greatest($6, (SELECT max(o.next_at) FROM outbox o \
                 WHERE o.site = k.site AND o.comment = k.comment AND o.dead_at IS NULL AND o.callback IS NOT NULL)), k.b, a.url \
                 FROM unnest($1::int4[], $2::uuid[], $3::uuid[], $4::bytea[]) WITH ORDINALITY k (site, comment, uid, b, place) \
                 JOIN akismet_callback a ON a.site = k.site AND a.comment = k.comment ORDER BY k.place";
    let uids = stored.iter().map(|_| uid::unordered(not_before)).collect::<Result<Vec<_>>>()?;
    let told =
        work.execute(write, &[&keys.sites, &keys.comments, &uids, &stored, &ruling, &not_before.as_millis()]).await?;
    if told > 0 {
        work.tell();
    }
    Ok(())
}

/// Notes where somebody wants to be called back about a comment.
pub(super) async fn note_callback(work: &Work, row: &Row, url: &str) -> Result<()> {
    let write = "INSERT INTO akismet_callback (site, comment, url) VALUES ($1, $2, $3)";
    work.execute(write, &[&number(row.site), &row.uid, &url]).await?;
    Ok(())
}

/// What notices have in their column `callback`.
const fn of(to: Channel) -> &'static str {
    match to {
        Channel::Webhook => "IS NULL",
        Channel::Callback => "IS NOT NULL",
    }
}

/// Tells sites what each of `rows` is now.
pub(super) async fn tell_statuses(
    work: &Work,
    rows: impl IntoIterator<Item = &Row> + Clone + Send,
    ruling: Option<Uuid>,
    not_before: Timestamp,
) -> Result<()> {
    let stored = rows.clone().into_iter().map(|row| codec::encode(&Stored::Status(now(row))));
    let stored = stored.collect::<Result<Vec<_>>>()?;
    let keys = Keys::of(rows);
    if keys.is_empty() {
        return Ok(());
    }
    tell_all(work, &keys, ruling, not_before, stored).await
}

/// Tells the site how it stands with an appeal, and what the comment is now.
pub(super) async fn tell_appeal(
    work: &Work,
    row: &Row,
    (appeal, state): (Uuid, AppealState),
    answer: Option<String>,
    not_before: Timestamp,
) -> Result<()> {
    let told = Stored::Appeal { appeal, state, answer, then: now(row) };
    tell(work, row.site, row.uid, None, not_before, &told).await
}

/// Takes back the notices of a ruling that nobody has tried to send yet; of which of `keys` there was one.
pub(super) async fn untell(work: &Work, keys: &Keys, ruling: Uuid, to: Channel) -> Result<HashSet<Uuid>> {
    let which = of(to);
    let delete = format!(
        "DELETE FROM outbox o USING unnest($1::int4[], $2::uuid[]) k (site, comment) WHERE o.site = k.site \
         AND o.comment = k.comment AND o.ruling = $3 AND o.attempts = 0 AND o.dead_at IS NULL AND o.callback {which} \
         RETURNING o.comment"
    );
    let taken = work.query(&delete, &[&keys.sites, &keys.comments, &ruling]).await?;
    taken.iter().map(|row| row.cell(0)).collect()
}

/// Takes back the notice that an appeal was answered, if nobody has tried to send it yet; whether there was one.
pub(super) async fn untell_appeal(work: &Work, site: SiteId, comment: Uuid, appeal: Uuid) -> Result<bool> {
    let read =
        "SELECT id, b FROM outbox WHERE site = $1 AND comment = $2 AND attempts = 0 AND dead_at IS NULL FOR UPDATE";
    let mut answers: Vec<i64> = Vec::new();
    for row in work.query(read, &[&number(site), &comment]).await? {
        let Some(stored) = stored_of(&row, 1)? else { continue };
        if matches!(stored, Stored::Appeal { appeal: of, state, .. } if of == appeal && state != AppealState::Open) {
            answers.push(row.cell(0)?);
        }
    }
    delete(work, site, &answers).await?;
    Ok(!answers.is_empty())
}

/// The notice in a column; `None` when it is damaged.
fn stored_of(row: &Cell, column: usize) -> Result<Option<Stored>> {
    unless_damaged(codec::decode("a notice", row.cell(column)?))
}

async fn delete(work: &Work, site: SiteId, numbers: &[i64]) -> Result<()> {
    if !numbers.is_empty() {
        work.execute("DELETE FROM outbox WHERE site = $1 AND id = ANY($2)", &[&number(site), &numbers]).await?;
    }
    Ok(())
}

/// Whether the site has yet to be told something of this comment.
pub(super) async fn has_news(db: &Db, site: SiteId, comment: Uuid) -> Result<bool> {
    let read = "SELECT 1 FROM outbox WHERE site = $1 AND comment = $2 AND dead_at IS NULL AND callback IS NULL LIMIT 1";
    db.exists(read, &[&number(site), &comment]).await
}

/// Forgets everything that was to be told of a comment. What is on its way stays until it has arrived or failed, so that nothing overtakes
/// it; no words are left in it.
pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let delete = "DELETE FROM outbox WHERE site = $1 AND comment = $2 AND taken_until IS NULL";
    work.execute(delete, &[&number(site), &comment]).await?;
    let left = "SELECT id, b FROM outbox WHERE site = $1 AND comment = $2 FOR UPDATE";
    for row in work.query(left, &[&number(site), &comment]).await? {
        match stored_of(&row, 1)? {
            Some(Stored::Appeal { appeal, state, answer: Some(_), then }) => {
                let wordless = codec::encode(&Stored::Appeal { appeal, state, answer: None, then })?;
                let write = "UPDATE outbox SET b = $3 WHERE site = $1 AND id = $2";
                work.execute(write, &[&number(site), &row.cell::<i64>(0)?, &wordless]).await?;
            }
            Some(_) => {}
            None => self::delete(work, site, &[row.cell(0)?]).await?, // nobody knows what words are left in it
        }
    }
    Ok(())
}

/// One row of those that may be sent: nothing older of the same comment waits or is on its way, and nothing younger is on its way (as may
/// be when a dead letter is sent again). Webhooks and callbacks do not wait for one another: they go to different receivers.
fn sendable(to: Channel) -> String {
    let which = of(to);
    format!(
        "o.dead_at IS NULL AND o.next_at <= $1 AND (o.taken_until IS NULL OR o.taken_until <= $1) AND o.callback {which} \
         AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.site = o.site AND e.comment = o.comment AND e.dead_at IS NULL \
         AND e.callback {which} AND (e.id < o.id OR e.id > o.id AND e.taken_until > $1))"
    )
}

async fn sites(db: &Db, to: Channel, now: Timestamp) -> Result<Vec<SiteId>> {
    let sendable = sendable(to);
    // Of every site the first is looked for by the index. Asked whether there is one, PostgreSQL reads the outbox of all.
    let read = format!(
        "SELECT s.id FROM site s CROSS JOIN LATERAL (SELECT FROM outbox o WHERE o.site = s.id AND {sendable} \
         ORDER BY o.next_at, o.id LIMIT 1) due ORDER BY s.id"
    );
    db.query(&read, &[&now.as_millis()]).await?.iter().map(|row| row.site(0)).collect()
}

/// Whoever sends dead letters again holds the lock alone that is held here: a letter that comes back to life is older than others of its comment,
/// and one of those could be on its way unseen, in a transaction that has not ended yet. Nobody waits for it here: other sites have their turn meanwhile.
async fn take(
    work: &Work,
    site: SiteId,
    to: Channel,
    most: usize,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Due>> {
    let sendable = sendable(to);
    // Awaited before the next is sent: what that sees begins when this lock is there.
    let lock = "SELECT pg_try_advisory_xact_lock_shared($1, $2)";
    if !work.query_one(lock, &[&work.locks.outbox, &number(site)]).await?.cell::<bool>(0)? {
        return Ok(Vec::new());
    }
    // As an array the numbers are looked up by the index, however many a plan for any number expects.
    let take = format!(
        "UPDATE outbox t SET attempts = t.attempts + 1, taken_until = $4 WHERE t.site = $2 AND t.id = ANY (ARRAY( \
         SELECT o.id FROM outbox o WHERE o.site = $2 AND {sendable} \
         ORDER BY o.next_at, o.id LIMIT $3 FOR UPDATE OF o SKIP LOCKED)) \
         RETURNING t.id, t.uid, t.comment, t.attempts, t.not_before, t.ruling, t.b, t.refused_since, t.next_at, t.callback"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut taken = work.query(&take, &[&now.as_millis(), &number(site), &most, &until.as_millis()]).await?;
    taken.sort_by_key(|row| (row.cell::<i64>(8).ok(), row.cell::<i64>(0).ok()));
    let stored = taken.iter().map(|row| Ok(codec::decode("a notice", row.cell(6)?)));
    let stored = stored.collect::<Result<Vec<Result<Stored>>>>()?;
    let said = Said::read(work, site, &taken, &stored).await?;
    let due = |(row, stored): (&Cell, Result<Stored>)| {
        let (comment, ruling) = (row.cell(2)?, row.cell(5)?);
        let (notice, damage) = or_damage(stored.and_then(|stored| said.notice(comment, ruling, stored)))?;
        Ok(Due {
            number: row.cell(0)?,
            message: row.cell(1)?,
            site,
            attempts: row.natural(3)?,
            until,
            not_before: Timestamp::from_millis(row.cell(4)?),
            refused_since: row.cell::<Option<i64>>(7)?.map(Timestamp::from_millis),
            callback: row.cell(9)?,
            notice,
            damage,
        })
    };
    taken.iter().zip(stored).map(due).collect()
}

/// What notices are made of, besides what is stored of them. What is damaged of it spoils those notices alone that are made of it.
struct Said {
    site: std::sync::Arc<str>,
    comments: HashMap<Uuid, std::result::Result<Row, Damage>>,
    waiting: HashSet<Uuid>,
    /// Earlier revisions.
    earlier: HashMap<(Uuid, u32), Vec<u8>>,
    rulings: HashMap<Uuid, std::result::Result<RulingTold, Damage>>,
}

/// What is wrong with something that was read.
type Damage = String;

fn or_its_damage<T>(read: Result<T>) -> Result<std::result::Result<T, Damage>> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(StoreError::Corrupt(damage)) => Ok(Err(damage)),
        Err(error) => Err(error),
    }
}

fn there<T>(read: &std::result::Result<T, Damage>) -> Result<&T> {
    read.as_ref().map_err(|damage| StoreError::Corrupt(damage.clone()))
}

impl Said {
    async fn read(db: &Db, site: SiteId, taken: &[Cell], stored: &[Result<Stored>]) -> Result<Self> {
        let mut keys = Keys::default();
        let (mut revisions, mut rulings): (Vec<i32>, Vec<Uuid>) = (Vec::new(), Vec::new());
        for (row, stored) in taken.iter().zip(stored) {
            if let Ok(Stored::Status(then) | Stored::Appeal { then, .. }) = stored {
                keys.sites.push(number(site));
                keys.comments.push(row.cell(2)?);
                revisions.push(signed(then.revision));
                rulings.extend(row.cell::<Option<Uuid>>(5)?);
            }
        }
        let comments = format!(
            "SELECT {} FROM unnest($1::int4[], $2::uuid[]) k (site, comment) JOIN comment c ON c.site = k.site AND c.uid = k.comment",
            rows::COLUMNS
        );
        let earlier = "SELECT r.comment, r.revision, r.b FROM unnest($1::int4[], $2::uuid[], $3::int4[]) k (site, comment, revision) \
                       JOIN revision r ON r.site = k.site AND r.comment = k.comment AND r.revision = k.revision";
        let (name, comments, waiting, earlier, rulings) = try_join5(
            db.site_name(db, site),
            db.query(&comments, &[&keys.sites, &keys.comments]),
            samples::waiting(db, &keys),
            db.query(earlier, &[&keys.sites, &keys.comments, &revisions]),
            db.query("SELECT uid, b FROM ruling WHERE uid = ANY($1)", &[&rulings]),
        )
        .await?;
        let comments = comments.iter().map(|row| Ok((row.cell(1)?, or_its_damage(Row::read(row))?)));
        let earlier = earlier.iter().map(|row| Ok(((row.cell(0)?, row.natural(1)?), row.cell(2)?)));
        let rulings = rulings.iter().map(|row| Ok((row.cell(0)?, or_its_damage(told(row))?)));
        Ok(Self {
            site: name,
            comments: comments.collect::<Result<_>>()?,
            waiting,
            earlier: earlier.collect::<Result<_>>()?,
            rulings: rulings.collect::<Result<_>>()?,
        })
    }

    fn notice(&self, comment: Uuid, ruling: Option<Uuid>, stored: Stored) -> Result<Option<Notice>> {
        if let Stored::Erased { id, uid } = stored {
            return Ok(Some(Notice::Erased { id, uid }));
        }
        let Some(row) = self.comments.get(&comment).map(there).transpose()? else { return Ok(None) };
        match stored {
            Stored::Status(then) => {
                let ruling = ruling.and_then(|ruling| self.rulings.get(&ruling)).map(there).transpose()?.cloned();
                Ok(Some(Notice::Status { record: Box::new(self.record_then(row, &then)?), ruling }))
            }
            Stored::Appeal { appeal, state, answer, then } => {
                Ok(Some(Notice::Appeal { appeal, state, answer, record: Box::new(self.record_then(row, &then)?) }))
            }
            Stored::Erased { .. } => Ok(None),
        }
    }

    fn record_then(&self, row: &Row, then: &Then) -> Result<Record> {
        let Then { version, revision, status, decided_by, at } = *then;
        let waits = self.waiting.contains(&row.uid);
        let record = rows::record_named(self.site.clone(), row, self.content_of(row, revision)?, waits);
        Ok(Record { version, revision, status, decided_by, updated_at: at, ..record })
    }

    fn content_of(&self, row: &Row, revision: u32) -> Result<Content> {
        match self.earlier.get(&(row.uid, revision)) {
            Some(bytes) if revision != row.revision => codec::decode_content("an earlier revision", bytes),
            Some(_) | None => row.content(),
        }
    }
}

fn told(row: &Cell) -> Result<RulingTold> {
    let text: RulingText = codec::decode("a ruling", row.cell(1)?)?;
    Ok(RulingTold { id: row.cell(0)?, category: text.category, reason: text.reason })
}

async fn settle(work: &Work, site: SiteId, settled: &[(Attempt, Settled)], now: Timestamp) -> Result<()> {
    let (of_site, at_now) = (number(site), now.as_millis());
    for (Attempt { number, until }, settled) in settled {
        let until = until.as_millis();
        match settled {
            Settled::Delivered => delivered(work, site, *number).await?,
            Settled::Again { at, problem, refused } => {
                let write = "UPDATE outbox SET taken_until = NULL, next_at = $3, problem = $4, \
                             refused_since = CASE WHEN $5 THEN coalesce(refused_since, $6) END \
                             WHERE site = $1 AND id = $2 AND taken_until = $7 RETURNING comment, callback IS NULL";
                let again: Params<'_> = &[&of_site, number, &at.as_millis(), problem, refused, &at_now, &until];
                let again = work.query_opt(write, again).await?;
                let Some(again) = again else { continue };
                // What waits for it waits as long, and is not come upon again and again meanwhile.
                let behind = "UPDATE outbox SET next_at = $4 WHERE site = $1 AND comment = $2 AND id > $3 AND next_at < $4 \
                              AND dead_at IS NULL AND (callback IS NULL) = $5";
                let (comment, to_webhook): (Uuid, bool) = (again.cell(0)?, again.cell(1)?);
                work.execute(behind, &[&of_site, &comment, number, &at.as_millis(), &to_webhook]).await?;
            }
            Settled::Dead { problem } => {
                let write = "UPDATE outbox SET taken_until = NULL, dead_at = $3, problem = $4 \
                             WHERE site = $1 AND id = $2 AND taken_until = $5";
                work.execute(write, &[&of_site, number, &at_now, problem, &until]).await?;
            }
            Settled::Gone { url } => {
                let there = "SELECT 1 FROM outbox WHERE site = $1 AND id = $2 AND taken_until = $3";
                if !work.exists(there, &[&of_site, number, &until]).await? {
                    continue;
                }
                let write = "UPDATE site SET webhook_gone_at = $2 WHERE id = $1 AND webhook = $3";
                if work.execute(write, &[&of_site, &at_now, url]).await? == 0 {
                    // Another address was set meanwhile, and of that one nothing was said.
                    let write = "UPDATE outbox SET taken_until = NULL, next_at = $3, refused_since = NULL \
                                 WHERE site = $1 AND id = $2";
                    work.execute(write, &[&of_site, number, &at_now]).await?;
                    continue;
                }
                work.batch(patience::AT_LENGTH).await?; // it may be all that was not told for days
                let write = "UPDATE outbox SET taken_until = NULL, dead_at = $2, problem = $3 \
                             WHERE site = $1 AND dead_at IS NULL AND callback IS NULL";
                work.execute(write, &[&of_site, &at_now, &GONE]).await?;
            }
        }
    }
    Ok(())
}

/// The site has it. What older letters of the same comment, or of the same appeal, tell is past: sent now, they would undo it there.
async fn delivered(work: &Work, site: SiteId, of: i64) -> Result<()> {
    let read = "SELECT id, b FROM outbox WHERE site = $1 AND id <= $2 \
                AND (comment, callback IS NULL) = (SELECT comment, callback IS NULL FROM outbox WHERE site = $1 AND id = $2) \
                ORDER BY id DESC FOR UPDATE";
    let found = work.query(read, &[&number(site), &of]).await?;
    let Some((told, older)) = found.split_first() else { return Ok(()) };
    let (told, mut past): (Option<Stored>, Vec<i64>) = (stored_of(told, 1)?, vec![of]);
    for row in older {
        let older = stored_of(row, 1)?;
        if told.as_ref().zip(older.as_ref()).is_some_and(|(told, older)| told.supersedes(older)) {
            past.push(row.cell(0)?);
        }
    }
    delete(work, site, &past).await
}

async fn receiver(db: &Db, site: SiteId, now: Timestamp) -> Result<Option<Receiver>> {
    let read = "SELECT name, webhook, webhook_secret, CASE WHEN webhook_before_until > $2 THEN webhook_before END \
                FROM site WHERE id = $1";
    let found = db.query_opt(read, &[&number(site), &now.as_millis()]).await?;
    let receiver = |row: Cell| {
        Ok(Receiver { name: row.cell(0)?, url: row.cell(1)?, secret: row.cell(2)?, secret_before: row.cell(3)? })
    };
    found.map(receiver).transpose()
}

async fn letters(db: &Db, filter: &LetterFilter, below: i64, limit: usize) -> Result<Page<Letter>> {
    // Numbers are given out over all sites, and kept in order for each: of every site the latest are looked at.
    let dead = if filter.dead { "AND dead_at IS NOT NULL" } else { "" };
    let read = format!(
        "SELECT o.id, o.uid, s.name, c.uid, o.attempts, o.next_at, o.dead_at, o.problem, o.b, o.callback IS NOT NULL FROM site s \
         CROSS JOIN LATERAL (SELECT * FROM outbox WHERE site = s.id AND id < $1 {dead} ORDER BY id DESC LIMIT $2) o \
         LEFT JOIN comment c ON c.site = o.site AND c.uid = o.comment \
         WHERE ($3::text IS NULL OR s.name = $3) AND ($4::text[] IS NULL OR s.name = ANY($4)) ORDER BY o.id DESC LIMIT $2"
    );
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut found = db.query(&read, &[&below, &most, &filter.site, &filter.within]).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = match found.last() {
        Some(last) if more => Some(cursor::cursor_of(db, LIST, &last.cell::<i64>(0)?)),
        Some(_) | None => None,
    };
    let letter = |row: &Cell| {
        let stored = stored_of(row, 8)?;
        let dead_at: Option<i64> = row.cell(6)?;
        Ok(Letter {
            id: row.cell(1)?,
            site: row.cell(2)?,
            kind: if row.cell(9)? { CALLBACK } else { stored.as_ref().map_or(UNREADABLE, Stored::kind) }.to_owned(),
            uid: match stored {
                Some(Stored::Erased { uid, .. }) => Some(uid),
                Some(Stored::Status(_) | Stored::Appeal { .. }) | None => row.cell(3)?,
            },
            attempts: row.natural(4)?,
            next_at: if dead_at.is_some() { None } else { Some(Timestamp::from_millis(row.cell(5)?)) },
            dead_at: dead_at.map(Timestamp::from_millis),
            problem: row.cell(7)?,
        })
    };
    Ok(Page { items: found.iter().map(letter).collect::<Result<_>>()?, next_cursor: next })
}

/// The list's name in its cursors.
const LIST: &str = "outbox";

/// Letters that are sent again in one commit: while it lasts, nobody takes anything of that site.
const RESENT_AT_ONCE: usize = 500;

/// The sites whose dead letters `filter` may mean.
async fn resent_sites(db: &Db, filter: &LetterFilter) -> Result<Vec<SiteId>> {
    let read = "SELECT id FROM site WHERE ($1::text IS NULL OR name = $1) AND ($2::text[] IS NULL OR name = ANY($2)) ORDER BY id";
    db.query(read, &[&filter.site, &filter.within]).await?.iter().map(|row| row.site(0)).collect()
}

/// Sends some dead letters of a site again, those with the next numbers after `after`; their numbers. Notices are given their time anew: they are
/// not too old to be tried for another few days. What may still be taken back waits for that, and what was never tried can be taken back as before.
async fn resend(work: &Work, site: SiteId, filter: &LetterFilter, after: i64, now: Timestamp) -> Result<Vec<i64>> {
    work.query("SELECT pg_advisory_xact_lock($1, $2)", &[&work.locks.outbox, &number(site)]).await?;
    let again = "UPDATE outbox SET dead_at = NULL, next_at = greatest($1, not_before), not_before = greatest($1, not_before), \
                 attempts = least(attempts, 1), refused_since = NULL, problem = NULL \
                 WHERE site = $2 AND id = ANY (ARRAY(SELECT id FROM outbox WHERE site = $2 AND id > $4 AND dead_at IS NOT NULL \
                 AND ($3::uuid[] IS NULL OR uid = ANY($3)) ORDER BY id LIMIT $5)) AND dead_at IS NOT NULL RETURNING id";
    let most = i64::try_from(RESENT_AT_ONCE).unwrap_or(i64::MAX);
    let sent = work.query(again, &[&now.as_millis(), &number(site), &filter.ids, &after, &most]).await?;
    if !sent.is_empty() {
        let there = "UPDATE site SET webhook_gone_at = NULL WHERE id = $1 AND webhook_gone_at IS NOT NULL \
                     AND EXISTS (SELECT 1 FROM outbox WHERE outbox.site = site.id AND dead_at IS NULL AND callback IS NULL)";
        work.execute(there, &[&number(site)]).await?;
        work.tell();
    }
    sent.iter().map(|row| row.cell(0)).collect()
}

async fn state(db: &Db) -> Result<OutboxState> {
    let read = "SELECT count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NOT NULL), \
                min(not_before) FILTER (WHERE dead_at IS NULL) FROM outbox";
    let found = db.query_one(read, &[]).await?;
    let count = |at| found.cell::<i64>(at).map(i64::cast_unsigned);
    let oldest: Option<i64> = found.cell(2)?;
    Ok(OutboxState { waiting: count(0)?, dead: count(1)?, oldest: oldest.map(Timestamp::from_millis) })
}

#[async_trait]
impl Outbox for PostgresStore {
    async fn outbox_news(&self) {
        self.shared.news.notified().await;
    }

    async fn outbox_sites(&self, now: Timestamp) -> Result<Vec<SiteId>> {
        sites(&self.db().await?, Channel::Webhook, now).await
    }

    async fn outbox_take(&self, site: SiteId, most: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Due>> {
        transact!(self, work => take(&work, site, Channel::Webhook, most, now, until).await)
    }

    async fn callback_sites(&self, now: Timestamp) -> Result<Vec<SiteId>> {
        sites(&self.db().await?, Channel::Callback, now).await
    }

    async fn callback_take(&self, site: SiteId, most: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Due>> {
        transact!(self, work => take(&work, site, Channel::Callback, most, now, until).await)
    }

    async fn outbox_settle(&self, site: SiteId, settled: Vec<(Attempt, Settled)>, now: Timestamp) -> Result<()> {
        transact!(self, work => settle(&work, site, &settled, now).await)
    }

    async fn outbox_receiver(&self, site: SiteId, now: Timestamp) -> Result<Option<Receiver>> {
        receiver(&self.db().await?, site, now).await
    }

    async fn outbox_list(
        &self,
        filter: &LetterFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Letter>, ListError> {
        let below = match &page.cursor {
            Some(cursor) => cursor::place_of(&self.shared, LIST, cursor)?,
            None => i64::MAX,
        };
        Ok(letters(&self.db().await?, filter, below, cursor::limit(page)).await?)
    }

    async fn outbox_resend(&self, filter: &LetterFilter, now: Timestamp) -> Result<u64> {
        let sites = resent_sites(&self.db().await?, filter).await?;
        let mut all = 0;
        for site in sites {
            let mut after = 0; // whatever dies again meanwhile is not sent again and again
            loop {
                let sent = transact!(self, work => resend(&work, site, filter, after, now).await)?;
                all += sent.len() as u64;
                match sent.iter().max() {
                    Some(last) if sent.len() >= RESENT_AT_ONCE => after = *last,
                    Some(_) | None => break,
                }
            }
        }
        Ok(all)
    }

    async fn outbox_prune(&self, before: Timestamp) -> Result<u64> {
        let delete = "DELETE FROM outbox WHERE dead_at IS NOT NULL AND dead_at < $1";
        transact!(self, work => {
            work.batch(patience::AT_LENGTH).await?;
            work.execute(delete, &[&before.as_millis()]).await
        })
    }

    async fn outbox_state(&self) -> Result<OutboxState> {
        state(&self.db().await?).await
    }
}
