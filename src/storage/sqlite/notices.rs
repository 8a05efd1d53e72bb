//! Alerts, and messages to operators.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::SqliteStore;
use super::writer::Work;
use super::{rows, start};
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::notices::{
    Alert, AlertKind, Channel, Decided, Message, Notices, SeenMessage, Sending, SendingState, TakenMessage,
};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::waves::{HOUR_MS, Pressure, SitePressure};
use crate::storage::codec::{self, RulingText};
use crate::storage::moderated::decided;

/// What a message is read from.
const MESSAGE: &str = "name, channel, event, subject, text, data, made_at, attempts, recipient";

fn put(connection: &Connection, messages: &[Message]) -> Result<usize> {
    let write = "INSERT INTO operator_message (name, channel, event, subject, text, data, made_at, next_at, recipient) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8) ON CONFLICT (name) DO NOTHING";
    let mut count = 0;
    for Message { key, channel, recipient, event, subject, text, data, made_at } in messages {
        let params = params![key, channel.name(), event, subject, text, data, made_at.as_millis(), recipient];
        count += connection.prepare_cached(write)?.execute(params)?;
    }
    Ok(count)
}

fn channel(name: &str) -> Result<Channel> {
    Channel::named(name).ok_or_else(|| StoreError::Corrupt(format!("a message that goes by {name}")))
}

/// Reads a row of [`MESSAGE`].
fn message(row: &rusqlite::Row<'_>) -> Result<TakenMessage> {
    let message = Message {
        key: row.get(0)?,
        channel: channel(&row.get::<_, String>(1)?)?,
        recipient: row.get(8)?,
        event: row.get(2)?,
        subject: row.get(3)?,
        text: row.get(4)?,
        data: row.get(5)?,
        made_at: Timestamp::from_millis(row.get(6)?),
    };
    Ok(TakenMessage { message, attempts: row.get(7)? })
}

fn moment(row: &rusqlite::Row<'_>, at: usize) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis))
}

/// How sending goes.
pub(super) fn state(connection: &Connection) -> Result<SendingState> {
    let read = "SELECT count(*), count(problem), min(made_at) FROM operator_message WHERE next_at IS NOT NULL";
    let (waiting, failing, oldest): (u64, u64, Option<i64>) =
        connection.prepare_cached(read)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let read = "SELECT count(*) FROM operator_message WHERE given_up_at IS NOT NULL";
    let given_up = connection.prepare_cached(read)?.query_row([], |row| row.get(0))?;
    let read =
        "SELECT problem FROM operator_message WHERE problem IS NOT NULL AND sent_at IS NULL ORDER BY id DESC LIMIT 1";
    let problem = connection.prepare_cached(read)?.query_row([], |row| row.get(0)).optional()?;
    Ok(SendingState { waiting, failing, oldest: oldest.map(Timestamp::from_millis), given_up, problem })
}

/// When the latest comment came that lies beyond the latest `most` of those that came from `from` on and before `until`, in rows from `first` on; none
/// where there are no more than that. Rows are gone through in the order in which they were stored, latest first, run by run of those that can have any;
/// of what is stored in another order, as imports are, a moment too late may be told, and never one too early.
fn first_beyond(
    connection: &Connection,
    first: i64,
    from: Timestamp,
    until: Timestamp,
    most: u32,
) -> Result<Option<Timestamp>> {
    let last: i64 =
        connection.prepare_cached("SELECT coalesce(max(id), 0) FROM comment")?.query_row([], |row| row.get(0))?;
    if last - first < i64::from(most) {
        return Ok(None); // there are not so many rows
    }
    let (from, until) = (from.as_millis(), until.as_millis());
    let run = i64::from(start::RUN);
    let read = "SELECT w FROM key_run WHERE last_at >= ?1 ORDER BY w DESC";
    let written: i64 =
        connection.prepare_cached("SELECT coalesce(max(w) + 1, 0) FROM key_run")?.query_row([], |row| row.get(0))?;
    let mut query = connection.prepare_cached(read)?;
    let runs = query.query_map([from], |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut left = i64::from(most);
    // What is in no run yet comes first.
    for (low, high) in std::iter::once((written * run, last)).chain(runs.into_iter().map(|w| (w * run, (w + 1) * run)))
    {
        let of = "FROM comment WHERE id > ?1 AND id <= ?2 AND received_at >= ?3 AND received_at < ?4";
        let there: i64 = connection
            .prepare_cached(&format!("SELECT count(*) {of}"))?
            .query_row(params![low, high, from, until], |row| row.get(0))?;
        if there <= left {
            left -= there;
            continue;
        }
        let read = format!("SELECT id {of} ORDER BY id DESC LIMIT 1 OFFSET ?5");
        let beyond: i64 =
            connection.prepare_cached(&read)?.query_row(params![low, high, from, until, left], |row| row.get(0))?;
        let read = format!("SELECT max(received_at) {of}");
        let here: i64 =
            connection.prepare_cached(&read)?.query_row(params![low, beyond, from, until], |row| row.get(0))?;
        let read = "SELECT max(last_at) FROM key_run WHERE w < ?1";
        let earlier: Option<i64> = connection.prepare_cached(read)?.query_row([low / run], |row| row.get(0))?;
        let latest = earlier.map_or(here, |earlier| here.max(earlier.min(until - 1)));
        return Ok(Some(Timestamp::from_millis(latest)));
    }
    Ok(None)
}

#[async_trait]
impl Notices for SqliteStore {
    async fn alerts(&self) -> Result<Vec<Alert>> {
        let read = |connection: &Connection| -> Result<_> {
            let read = "SELECT kind, about, facts, raised_at, told_at, cleared_at FROM alert \
                        ORDER BY cleared_at IS NOT NULL, raised_at DESC, kind, about";
            let mut query = connection.prepare_cached(read)?;
            let mut rows = query.query([])?;
            let mut alerts = Vec::new();
            while let Some(row) = rows.next()? {
                let kind: String = row.get(0)?;
                let kind = AlertKind::named(&kind);
                let Some(kind) = kind else { continue }; // of a version after this one
                alerts.push(Alert {
                    kind,
                    about: row.get(1)?,
                    facts: row.get(2)?,
                    raised_at: Timestamp::from_millis(row.get(3)?),
                    told_at: moment(row, 4)?,
                    cleared_at: moment(row, 5)?,
                });
            }
            Ok(alerts)
        };
        self.readers.ask(read).await
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
        let (about, facts, messages) = (about.to_owned(), facts.to_owned(), messages.to_vec());
        let raise = move |work: &mut Work<'_>| -> Result<bool> {
            let write = "INSERT INTO alert (kind, about, facts, raised_at, told_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                         ON CONFLICT (kind, about) DO UPDATE SET facts = excluded.facts, raised_at = excluded.raised_at, \
                         told_at = coalesce(excluded.told_at, alert.told_at), cleared_at = NULL WHERE alert.cleared_at IS NOT NULL";
            let params = params![kind.name(), about, facts, at.as_millis(), told.then_some(at.as_millis())];
            let is_new = work.connection.prepare_cached(write)?.execute(params)? > 0;
            if is_new {
                put(work.connection, &messages)?;
            }
            Ok(is_new)
        };
        self.writer.run(raise).await
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
        let (about, facts, messages) = (about.to_owned(), facts.to_owned(), messages.to_vec());
        let tell = move |work: &mut Work<'_>| -> Result<bool> {
            let write = "UPDATE alert SET facts = ?3, told_at = ?5 \
                         WHERE kind = ?1 AND about = ?2 AND cleared_at IS NULL AND told_at IS ?4";
            let params = params![kind.name(), about, facts, before.map(Timestamp::as_millis), at.as_millis()];
            let is_told = work.connection.prepare_cached(write)?.execute(params)? > 0;
            if is_told {
                put(work.connection, &messages)?;
            }
            Ok(is_told)
        };
        self.writer.run(tell).await
    }

    async fn alert_clear(&self, kind: AlertKind, about: &str, at: Timestamp, messages: &[Message]) -> Result<bool> {
        let (about, messages) = (about.to_owned(), messages.to_vec());
        let clear = move |work: &mut Work<'_>| -> Result<bool> {
            let write = "UPDATE alert SET cleared_at = ?3 WHERE kind = ?1 AND about = ?2 AND cleared_at IS NULL";
            let params = params![kind.name(), about, at.as_millis()];
            let is_over = work.connection.prepare_cached(write)?.execute(params)? > 0;
            if is_over {
                put(work.connection, &messages)?;
            }
            Ok(is_over)
        };
        self.writer.run(clear).await
    }

    async fn messages_put(&self, messages: &[Message]) -> Result<usize> {
        let messages = messages.to_vec();
        self.writer.run(move |work: &mut Work<'_>| put(work.connection, &messages)).await
    }

    async fn message_is_known(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        let read = move |connection: &Connection| -> Result<_> {
            Ok(connection.prepare_cached("SELECT 1 FROM operator_message WHERE name = ?1")?.exists([&key])?)
        };
        self.readers.ask(read).await
    }

    async fn messages_take(&self, now: Timestamp, until: Timestamp, most: usize) -> Result<Vec<TakenMessage>> {
        let take = move |work: &mut Work<'_>| -> Result<Vec<TakenMessage>> {
            let write = format!(
                "UPDATE operator_message SET attempts = attempts + 1, next_at = ?2 WHERE id IN \
                 (SELECT id FROM operator_message WHERE next_at <= ?1 ORDER BY id LIMIT ?3) RETURNING {MESSAGE}, id"
            );
            let mut query = work.connection.prepare_cached(&write)?;
            let mut rows = query.query(params![now.as_millis(), until.as_millis(), most])?;
            let mut taken = Vec::new();
            while let Some(row) = rows.next()? {
                taken.push((row.get::<_, i64>(9)?, message(row)?));
            }
            taken.sort_by_key(|(id, _)| *id); // what is returned comes in any order
            Ok(taken.into_iter().map(|(_, message)| message).collect())
        };
        self.writer.run(take).await
    }

    async fn message_settle(&self, key: &str, sending: &Sending) -> Result<()> {
        let (key, sending) = (key.to_owned(), sending.clone());
        let settle = move |work: &mut Work<'_>| -> Result<()> {
            let (next, sent, given_up, problem) = match &sending {
                Sending::Sent { at } => (None, Some(at), None, None),
                Sending::Again { at, problem } => (Some(at), None, None, Some(problem)),
                Sending::GivenUp { at, problem } => (None, None, Some(at), Some(problem)),
            };
            let ms = |at: Option<&Timestamp>| at.map(|at| at.as_millis());
            let write = "UPDATE operator_message SET next_at = ?2, sent_at = ?3, given_up_at = ?4, problem = coalesce(?5, problem) \
                         WHERE name = ?1 AND sent_at IS NULL";
            let params = params![key, ms(next), ms(sent), ms(given_up), problem];
            work.connection.prepare_cached(write)?.execute(params)?;
            Ok(())
        };
        self.writer.run(settle).await
    }

    async fn messages_lately(&self, most: usize) -> Result<Vec<SeenMessage>> {
        let read = move |connection: &Connection| -> Result<_> {
            let read = format!(
                "SELECT {MESSAGE}, next_at, sent_at, given_up_at, problem FROM operator_message ORDER BY id DESC LIMIT ?1"
            );
            let mut query = connection.prepare_cached(&read)?;
            let mut rows = query.query([most])?;
            let mut seen = Vec::new();
            while let Some(row) = rows.next()? {
                let TakenMessage { message, attempts } = message(row)?;
                seen.push(SeenMessage {
                    message,
                    attempts,
                    next_at: moment(row, 9)?,
                    sent_at: moment(row, 10)?,
                    given_up_at: moment(row, 11)?,
                    problem: row.get(12)?,
                });
            }
            Ok(seen)
        };
        self.readers.ask(read).await
    }

    async fn messages_state(&self) -> Result<SendingState> {
        self.readers.ask(state).await
    }

    async fn notices_prune(&self, before: Timestamp) -> Result<()> {
        let prune = move |work: &mut Work<'_>| -> Result<()> {
            let before = [before.as_millis()];
            let old = "DELETE FROM operator_message WHERE next_at IS NULL AND coalesce(sent_at, given_up_at) < ?1";
            work.connection.prepare_cached(old)?.execute(before)?;
            work.connection.prepare_cached("DELETE FROM alert WHERE cleared_at < ?1")?.execute(before)?;
            Ok(())
        };
        self.writer.run(prune).await
    }

    async fn pressure(&self, from: Timestamp, until: Timestamp, most: u32) -> Result<Pressure> {
        let shared = Arc::clone(&self.shared);
        let read = move |connection: &Connection| -> Result<_> {
            let first = i64::from(start::first_row_since(connection, from.as_millis())?);
            let beyond = first_beyond(connection, first, from, until, most)?;
            let since = beyond.map_or(from, |at| at.plus_millis(1));
            let read = "SELECT site, received_at / ?4, count(*), max(id) FROM comment \
                        WHERE id >= ?1 AND received_at >= ?2 AND received_at < ?3 AND (status IN (?5, ?6) OR status = ?7 AND decided_by = ?8) \
                        GROUP BY 1, 2";
            let of = [Status::Held, Status::Rejected, Status::Approved].map(codec::status_code);
            let person = codec::decided_by_code(DecidedBy::Person);
            let mut query = connection.prepare_cached(read)?;
            let (since_ms, until_ms) = (since.as_millis(), until.as_millis());
            let mut rows = query.query(params![first, since_ms, until_ms, HOUR_MS, of[0], of[1], of[2], person])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let (hour, count, last): (i64, u64, u32) = (row.get(1)?, row.get(2)?, row.get(3)?);
                found.push((SiteId(row.get(0)?), hour, count, last));
            }
            let (mut sites, mut latest) = (BTreeMap::<String, SitePressure>::new(), HashMap::<SiteId, u32>::new());
            for (site, hour, count, last) in found {
                let of_site = sites.entry(shared.site_name(connection, site)?.to_string()).or_default();
                of_site.hours.insert(hour, count);
                let known = latest.entry(site).or_default();
                if last > *known {
                    *known = last;
                    of_site.latest = rows::row(connection, last)?.map(|row| row.uid(&shared));
                }
            }
            Ok(Pressure { since, sites })
        };
        self.readers.ask(read).await
    }

    async fn decided_since(&self, since: Timestamp) -> Result<Decided> {
        let read = move |connection: &Connection| -> Result<_> {
            let read = "SELECT item.ruling, ruling.b, item.status_before, item.decided_by_before FROM ruling \
                        JOIN ruling_item item ON item.ruling = ruling.id WHERE ruling.at >= ?1 AND ruling.undone_at IS NULL";
            let mut query = connection.prepare_cached(read)?;
            let mut rows = query.query([since.as_millis()])?;
            let (mut actions, mut sum) = (HashMap::<i64, Action>::new(), Decided::default());
            while let Some(row) = rows.next()? {
                let ruling = row.get(0)?;
                let action = if let Some(action) = actions.get(&ruling) {
                    *action
                } else {
                    let text: RulingText = codec::decode("a ruling", row.get_ref(1)?.as_blob().unwrap_or_default())?;
                    actions.insert(ruling, text.action);
                    text.action
                };
                let before: Option<Status> = codec::status_of(row.get(2)?)?;
                let by: DecidedBy = codec::decided_by_of(row.get(3)?)?;
                decided(&mut sum, action, before, by);
            }
            Ok(sum)
        };
        self.readers.ask(read).await
    }
}
