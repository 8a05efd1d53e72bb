//! Alerts, and messages to operators.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::PostgresStore;
use super::db::{Cells as _, Db};
use super::uid;
use super::work::transact;
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::notices::{
    Alert, AlertKind, Channel, Decided, Message, Notices, SeenMessage, Sending, SendingState, TakenMessage,
};
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::waves::{HOUR_MS, Pressure, SitePressure};
use crate::storage::codec::{self, RulingText};
use crate::storage::moderated::decided;

/// What a message is read from.
const MESSAGE: &str = "name, channel, event, subject, text, data, made_at, attempts, recipient";

async fn put(db: &Db, messages: &[Message]) -> Result<usize> {
    let write = "INSERT INTO operator_message (name, channel, event, subject, text, data, made_at, next_at, recipient) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8) ON CONFLICT (name) DO NOTHING";
    let mut count = 0;
    for Message { key, channel, recipient, event, subject, text, data, made_at } in messages {
        let (channel, made_at) = (channel.name(), made_at.as_millis());
        count += db.execute(write, &[key, &channel, event, subject, text, data, &made_at, recipient]).await?;
    }
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Reads a row of [`MESSAGE`].
fn message(row: &Cell) -> Result<TakenMessage> {
    let channel: &str = row.cell(1)?;
    let message = Message {
        key: row.cell(0)?,
        channel: Channel::named(channel)
            .ok_or_else(|| StoreError::Corrupt(format!("a message that goes by {channel}")))?,
        recipient: row.cell(8)?,
        event: row.cell(2)?,
        subject: row.cell(3)?,
        text: row.cell(4)?,
        data: row.cell(5)?,
        made_at: Timestamp::from_millis(row.cell(6)?),
    };
    Ok(TakenMessage { message, attempts: row.natural(7)? })
}

fn moment(row: &Cell, at: usize) -> Result<Option<Timestamp>> {
    Ok(row.cell::<Option<i64>>(at)?.map(Timestamp::from_millis))
}

fn count(row: &Cell, at: usize) -> Result<u64> {
    Ok(u64::try_from(row.cell::<i64>(at)?).unwrap_or_default())
}

/// When the latest comment came that lies beyond the latest `most` of those that came from `from` on and before `until`; none where there are no more
/// than that. Told from keys alone, of each site no more than are asked about of all; they are sorted only if there are more.
async fn first_beyond(db: &Db, from: Timestamp, until: Timestamp, most: u32) -> Result<Option<Timestamp>> {
    let (from, until, most) = (uid::first(from), uid::first(until), i64::from(most));
    let of_each = "FROM site s, LATERAL (SELECT site, uid FROM comment WHERE site = s.id AND uid >= $1 AND uid < $2 \
                   ORDER BY uid DESC LIMIT $3::bigint + 1) k";
    let read = format!("SELECT count(*) {of_each}");
    let there: i64 = db.query_one(&read, &[&from, &until, &most]).await?.cell(0)?;
    if there <= most {
        return Ok(None);
    }
    let read = format!(
        "WITH beyond AS (SELECT k.site, k.uid {of_each} ORDER BY k.uid DESC OFFSET $3::bigint LIMIT 1) \
         SELECT c.received_at FROM beyond b JOIN comment c ON c.site = b.site AND c.uid = b.uid"
    );
    let found = db.query_opt(&read, &[&from, &until, &most]).await?;
    found.map(|row| Ok(Timestamp::from_millis(row.cell(0)?))).transpose()
}

#[async_trait]
impl Notices for PostgresStore {
    async fn alerts(&self) -> Result<Vec<Alert>> {
        let read = "SELECT kind, about, facts, raised_at, told_at, cleared_at FROM alert \
                    ORDER BY cleared_at IS NOT NULL, raised_at DESC, kind COLLATE \"C\", about COLLATE \"C\"";
        let mut alerts = Vec::new();
        for row in &self.db().await?.query(read, &[]).await? {
            let Some(kind) = AlertKind::named(row.cell(0)?) else { continue }; // of a version after this one
            alerts.push(Alert {
                kind,
                about: row.cell(1)?,
                facts: row.cell(2)?,
                raised_at: Timestamp::from_millis(row.cell(3)?),
                told_at: moment(row, 4)?,
                cleared_at: moment(row, 5)?,
            });
        }
        Ok(alerts)
    }

    async fn alert_raise(
        &self,
        kind: AlertKind,
        about: &str,
        facts: &str,
        told: bool,
        at: Timestamp,
        messages: &[Message],
    ) -> Result<bool> {
        let write = "INSERT INTO alert (kind, about, facts, raised_at, told_at) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (kind, about) DO UPDATE SET facts = excluded.facts, raised_at = excluded.raised_at, \
                     told_at = coalesce(excluded.told_at, alert.told_at), cleared_at = NULL WHERE alert.cleared_at IS NOT NULL";
        let told = told.then_some(at.as_millis());
        transact!(self, work => async {
            let is_new = work.execute(write, &[&kind.name(), &about, &facts, &at.as_millis(), &told]).await? > 0;
            if is_new {
                put(&work, messages).await?;
            }
            Ok(is_new)
        }.await)
    }

    async fn alert_tell(
        &self,
        kind: AlertKind,
        about: &str,
        facts: &str,
        before: Option<Timestamp>,
        at: Timestamp,
        messages: &[Message],
    ) -> Result<bool> {
        let write = "UPDATE alert SET facts = $3, told_at = $5 \
                     WHERE kind = $1 AND about = $2 AND cleared_at IS NULL AND told_at IS NOT DISTINCT FROM $4";
        let before = before.map(Timestamp::as_millis);
        transact!(self, work => async {
            let is_told = work.execute(write, &[&kind.name(), &about, &facts, &before, &at.as_millis()]).await? > 0;
            if is_told {
                put(&work, messages).await?;
            }
            Ok(is_told)
        }.await)
    }

    async fn alert_clear(&self, kind: AlertKind, about: &str, at: Timestamp, messages: &[Message]) -> Result<bool> {
        let write = "UPDATE alert SET cleared_at = $3 WHERE kind = $1 AND about = $2 AND cleared_at IS NULL";
        transact!(self, work => async {
            let is_over = work.execute(write, &[&kind.name(), &about, &at.as_millis()]).await? > 0;
            if is_over {
                put(&work, messages).await?;
            }
            Ok(is_over)
        }.await)
    }

    async fn messages_put(&self, messages: &[Message]) -> Result<usize> {
        transact!(self, work => put(&work, messages).await)
    }

    async fn message_is_known(&self, key: &str) -> Result<bool> {
        self.db().await?.exists("SELECT 1 FROM operator_message WHERE name = $1", &[&key]).await
    }

    async fn messages_take(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<Vec<TakenMessage>> {
        let write = format!(
            "UPDATE operator_message SET attempts = attempts + 1, next_at = $2 WHERE id IN \
             (SELECT id FROM operator_message WHERE next_at <= $1 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING {MESSAGE}, id"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let found = self.db().await?.query(&write, &[&now.as_millis(), &until.as_millis(), &most]).await?;
        let mut taken = found.iter().map(|row| Ok((row.cell(9)?, message(row)?))).collect::<Result<Vec<(i64, _)>>>()?;
        taken.sort_by_key(|(id, _)| *id); // what is returned comes in any order
        Ok(taken.into_iter().map(|(_, message)| message).collect())
    }

    async fn message_settle(&self, key: &str, sending: &Sending) -> Result<()> {
        let (next, sent, given_up, problem) = match sending {
            Sending::Sent { at } => (None, Some(at), None, None),
            Sending::Again { at, problem } => (Some(at), None, None, Some(problem)),
            Sending::GivenUp { at, problem } => (None, None, Some(at), Some(problem)),
        };
        let ms = |at: Option<&Timestamp>| at.map(|at| at.as_millis());
        let write = "UPDATE operator_message SET next_at = $2, sent_at = $3, given_up_at = $4, problem = coalesce($5, problem) \
                     WHERE name = $1 AND sent_at IS NULL";
        self.db().await?.execute(write, &[&key, &ms(next), &ms(sent), &ms(given_up), &problem]).await?;
        Ok(())
    }

    async fn messages_lately(&self, most: usize) -> Result<Vec<SeenMessage>> {
        let read = format!(
            "SELECT {MESSAGE}, next_at, sent_at, given_up_at, problem FROM operator_message ORDER BY id DESC LIMIT $1"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let seen = |row: &Cell| -> Result<SeenMessage> {
            let TakenMessage { message, attempts } = message(row)?;
            Ok(SeenMessage {
                message,
                attempts,
                next_at: moment(row, 9)?,
                sent_at: moment(row, 10)?,
                given_up_at: moment(row, 11)?,
                problem: row.cell(12)?,
            })
        };
        self.db().await?.query(&read, &[&most]).await?.iter().map(seen).collect()
    }

    async fn messages_state(&self) -> Result<SendingState> {
        let read = "SELECT count(*) FILTER (WHERE next_at IS NOT NULL), count(problem) FILTER (WHERE next_at IS NOT NULL), \
                    min(made_at) FILTER (WHERE next_at IS NOT NULL), count(given_up_at), \
                    (SELECT problem FROM operator_message WHERE problem IS NOT NULL AND sent_at IS NULL ORDER BY id DESC LIMIT 1) \
                    FROM operator_message";
        let row = self.db().await?.query_one(read, &[]).await?;
        Ok(SendingState {
            waiting: count(&row, 0)?,
            failing: count(&row, 1)?,
            oldest: moment(&row, 2)?,
            given_up: count(&row, 3)?,
            problem: row.cell(4)?,
        })
    }

    async fn notices_prune(&self, before: Timestamp) -> Result<()> {
        let old = "DELETE FROM operator_message WHERE next_at IS NULL AND coalesce(sent_at, given_up_at) < $1";
        transact!(self, work => async {
            work.execute(old, &[&before.as_millis()]).await?;
            work.execute("DELETE FROM alert WHERE cleared_at < $1", &[&before.as_millis()]).await?;
            Ok(())
        }.await)
    }

    async fn pressure(&self, from: Timestamp, until: Timestamp, most: u32) -> Result<Pressure> {
        let db = self.snapshot().await?; // what is beyond and what is counted are of one moment
        let since = first_beyond(&db, from, until, most).await?.map_or(from, |at| at.plus_millis(1));
        let [held, rejected, approved] = [Status::Held, Status::Rejected, Status::Approved].map(codec::status_code);
        let read = format!(
            "SELECT s.name, c.received_at / {HOUR_MS}, count(*), max(c.uid::text)::uuid FROM site s JOIN comment c ON c.site = s.id \
             WHERE c.uid >= $1 AND c.received_at >= $2 AND c.received_at < $3 \
             AND (c.status IN ({held}, {rejected}) OR c.status = {approved} AND c.decided_by = {person}) GROUP BY 1, 2 ORDER BY 1, 2",
            person = codec::decided_by_code(DecidedBy::Person),
        );
        let mut sites = BTreeMap::<String, SitePressure>::new();
        let found = db.query(&read, &[&uid::first(since), &since.as_millis(), &until.as_millis()]).await?;
        for row in &found {
            let of_site = sites.entry(row.cell(0)?).or_default();
            of_site.hours.insert(row.cell(1)?, count(row, 2)?);
            of_site.latest = of_site.latest.max(row.cell(3)?);
        }
        Ok(Pressure { since, sites })
    }

    async fn decided_since(&self, since: Timestamp) -> Result<Decided> {
        let db = self.db().await?;
        let read = "SELECT uid, b FROM ruling WHERE at >= $1 AND undone_at IS NULL";
        let mut actions = HashMap::<Uuid, Action>::new();
        for row in &db.query(read, &[&since.as_millis()]).await? {
            let text: RulingText = codec::decode("a ruling", row.cell(1)?)?;
            actions.insert(row.cell(0)?, text.action);
        }
        let read = "SELECT ruling, status_before, decided_by_before FROM ruling_item WHERE ruling = ANY($1)";
        let rulings: Vec<Uuid> = actions.keys().copied().collect();
        let mut sum = Decided::default();
        for row in &db.query(read, &[&rulings]).await? {
            let Some(action) = actions.get(&row.cell::<Uuid>(0)?) else { continue };
            let before: Option<Status> = codec::status_of(row.cell::<i16>(1)?.into())?;
            let by: DecidedBy = codec::decided_by_of(row.cell::<i16>(2)?.into())?;
            decided(&mut sum, *action, before, by);
        }
        Ok(sum)
    }
}
