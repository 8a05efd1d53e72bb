//! Who is signed in to the console, and with what.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{SqliteStore, accounts, audit};
use crate::domain::decision::Actor;
use crate::domain::people::Person;
use crate::domain::session::{Credentials, LiveSession, NewSession, SessionKnown, Sessions};
use crate::domain::store::{KeyHash, Result};
use crate::domain::time::Timestamp;

/// Hexadecimal digits of a session's hash that name it.
const SESSION_ID: usize = 16;

/// Ends all sessions of an account, by its address.
pub(super) fn end_all(connection: &Connection, email: &str) -> Result<()> {
    let write = "DELETE FROM session WHERE person = (SELECT id FROM person WHERE email = ?1)";
    connection.prepare_cached(write)?.execute([email])?;
    Ok(())
}

/// Takes an account's second factor away, by its address.
pub(super) fn clear_totp(connection: &Connection, email: &str) -> Result<()> {
    let codes = "DELETE FROM recovery_code WHERE person = (SELECT id FROM person WHERE email = ?1)";
    connection.prepare_cached(codes)?.execute([email])?;
    let seed = "UPDATE person SET totp = NULL, totp_step = NULL WHERE email = ?1";
    connection.prepare_cached(seed)?.execute([email])?;
    Ok(())
}

fn note(connection: &Connection, person: &Person, action: &str, at: Timestamp) -> Result<()> {
    audit::add(connection, &Actor::Person(person.email.clone()), action, &person.email, "", at)
}

fn end_others(connection: &Connection, person: &Person, keep: &KeyHash) -> Result<()> {
    let write = "DELETE FROM session WHERE person = ?1 AND hash <> ?2";
    connection.prepare_cached(write)?.execute(params![person.id, keep])?;
    Ok(())
}

fn open(connection: &Connection, new: &NewSession) -> Result<bool> {
    let old = "DELETE FROM session WHERE expires_at <= ?1";
    connection.prepare_cached(old)?.execute([new.at.as_millis()])?;
    let write = "INSERT INTO session (hash, person, created_at, seen_at, expires_at, agent, network) \
                 SELECT ?1, id, ?3, ?3, ?4, ?5, ?6 FROM person \
                 WHERE id = ?2 AND disabled_at IS NULL AND password = ?7";
    let made = connection.prepare_cached(write)?.execute(params![
        new.hash,
        new.person.id,
        new.at.as_millis(),
        new.expires_at.as_millis(),
        new.agent,
        new.network,
        new.password,
    ])? > 0;
    if made {
        note(connection, &new.person, "session.open", new.at)?;
    }
    Ok(made)
}

fn find(connection: &Connection, hash: &KeyHash, seen_since: Timestamp, now: Timestamp) -> Result<Option<LiveSession>> {
    let read = "SELECT p.id, p.email, p.role, p.reach, s.seen_at, p.totp IS NOT NULL FROM session s JOIN person p ON p.id = s.person \
                WHERE s.hash = ?1 AND s.expires_at > ?2 AND s.seen_at >= ?3 AND p.disabled_at IS NULL";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query(params![hash, now.as_millis(), seen_since.as_millis()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let seen_at = Timestamp::from_millis(row.get(4)?);
    Ok(Some(LiveSession { person: accounts::read_person(row)?, seen_at, has_totp: row.get(5)? }))
}

fn list(connection: &Connection, person: &Person, now: Timestamp) -> Result<Vec<SessionKnown>> {
    let read = "SELECT substr(lower(hex(hash)), 1, ?2), created_at, seen_at, agent, network FROM session \
                WHERE person = ?1 AND expires_at > ?3 ORDER BY seen_at DESC, hash";
    let mut query = connection.prepare_cached(read)?;
    let known = query.query_map(params![person.id, SESSION_ID, now.as_millis()], |row| {
        Ok(SessionKnown {
            id: row.get(0)?,
            created_at: Timestamp::from_millis(row.get(1)?),
            seen_at: Timestamp::from_millis(row.get(2)?),
            agent: row.get(3)?,
            network: row.get(4)?,
        })
    })?;
    Ok(known.collect::<rusqlite::Result<_>>()?)
}

fn credentials(connection: &Connection, email: &str) -> Result<Option<Credentials>> {
    let read = "SELECT id, email, role, reach, password, totp FROM person WHERE email = ?1 AND disabled_at IS NULL";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([email])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Credentials { person: accounts::read_person(row)?, password: row.get(4)?, totp: row.get(5)? }))
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>> {
        let email = email.to_owned();
        self.readers.ask(move |connection| credentials(connection, &email)).await
    }

    async fn session_open(&self, new: NewSession) -> Result<bool> {
        self.writer.run(move |work| open(work.connection, &new)).await
    }

    async fn session_find(&self, hash: &KeyHash, seen_since: Timestamp, now: Timestamp) -> Result<Option<LiveSession>> {
        let hash = *hash;
        self.readers.ask(move |connection| find(connection, &hash, seen_since, now)).await
    }

    async fn session_seen(&self, hash: &KeyHash, at: Timestamp) -> Result<()> {
        let hash = *hash;
        let write = "UPDATE session SET seen_at = max(seen_at, ?2) WHERE hash = ?1";
        let seen = move |connection: &Connection| {
            connection.prepare_cached(write)?.execute(params![hash, at.as_millis()])?;
            Ok(())
        };
        self.writer.run(move |work| seen(work.connection)).await
    }

    async fn session_end(&self, hash: &KeyHash, at: Timestamp) -> Result<bool> {
        let hash = *hash;
        let end = move |connection: &Connection| {
            let read = "SELECT p.id, p.email, p.role, p.reach FROM session s JOIN person p ON p.id = s.person WHERE s.hash = ?1";
            let person = {
                let mut query = connection.prepare_cached(read)?;
                let mut rows = query.query([hash])?;
                rows.next()?.map(accounts::read_person).transpose()?
            };
            let Some(person) = person else { return Ok(false) };
            connection.prepare_cached("DELETE FROM session WHERE hash = ?1")?.execute([hash])?;
            note(connection, &person, "session.end", at)?;
            Ok(true)
        };
        self.writer.run(move |work| end(work.connection)).await
    }

    async fn sessions(&self, person: &Person, now: Timestamp) -> Result<Vec<SessionKnown>> {
        let person = person.clone();
        self.readers.ask(move |connection| list(connection, &person, now)).await
    }

    async fn session_revoke(&self, person: &Person, id: &str, at: Timestamp) -> Result<bool> {
        let (person, id) = (person.clone(), id.to_owned());
        let revoke = move |connection: &Connection| {
            let of = "person = ?1 AND substr(lower(hex(hash)), 1, length(?2)) = lower(?2)";
            let mut count = connection.prepare_cached(&format!("SELECT count(*) FROM session WHERE {of}"))?;
            if id.len() < 4 || count.query_row(params![person.id, id], |row| row.get::<_, i64>(0))? != 1 {
                return Ok(false);
            }
            connection.prepare_cached(&format!("DELETE FROM session WHERE {of}"))?.execute(params![person.id, id])?;
            note(connection, &person, "session.end", at)?;
            Ok(true)
        };
        self.writer.run(move |work| revoke(work.connection)).await
    }

    async fn password_change(&self, person: &Person, password: &str, keep: &KeyHash, at: Timestamp) -> Result<()> {
        let (person, password, keep) = (person.clone(), password.to_owned(), *keep);
        let change = move |connection: &Connection| {
            let write = "UPDATE person SET password = ?2 WHERE id = ?1";
            connection.prepare_cached(write)?.execute(params![person.id, password])?;
            end_others(connection, &person, &keep)?;
            note(connection, &person, "person.password", at)
        };
        self.writer.run(move |work| change(work.connection)).await
    }

    async fn totp_use(&self, person: &Person, step: u64) -> Result<bool> {
        let id = person.id;
        let write = "UPDATE person SET totp_step = ?2 WHERE id = ?1 AND (totp_step IS NULL OR totp_step < ?2)";
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.writer.run(move |work| Ok(work.connection.prepare_cached(write)?.execute(params![id, step])? > 0)).await
    }

    async fn totp_set(
        &self,
        person: &Person,
        sealed: Vec<u8>,
        step: u64,
        recovery: Vec<KeyHash>,
        keep: &KeyHash,
        at: Timestamp,
    ) -> Result<bool> {
        let (person, keep, step) = (person.clone(), *keep, i64::try_from(step).unwrap_or(i64::MAX));
        let set = move |connection: &Connection| {
            let write = "UPDATE person SET totp = ?2, totp_step = ?3 WHERE id = ?1 AND totp IS NULL";
            if connection.prepare_cached(write)?.execute(params![person.id, sealed, step])? == 0 {
                return Ok(false);
            }
            connection.prepare_cached("DELETE FROM recovery_code WHERE person = ?1")?.execute([person.id])?;
            for code in &recovery {
                let write = "INSERT INTO recovery_code (hash, person) VALUES (?1, ?2)";
                connection.prepare_cached(write)?.execute(params![code, person.id])?;
            }
            end_others(connection, &person, &keep)?;
            note(connection, &person, "person.totp.on", at)?;
            Ok(true)
        };
        self.writer.run(move |work| set(work.connection)).await
    }

    async fn totp_clear(&self, person: &Person, at: Timestamp) -> Result<()> {
        let person = person.clone();
        let clear = move |connection: &Connection| {
            clear_totp(connection, &person.email)?;
            note(connection, &person, "person.totp.off", at)
        };
        self.writer.run(move |work| clear(work.connection)).await
    }

    async fn recovery_use(&self, person: &Person, code: &KeyHash, at: Timestamp) -> Result<bool> {
        let (person, code) = (person.clone(), *code);
        let spend = move |connection: &Connection| {
            let write = "DELETE FROM recovery_code WHERE hash = ?1 AND person = ?2";
            let found = connection.prepare_cached(write)?.execute(params![code, person.id])? > 0;
            if found {
                note(connection, &person, "person.recovery", at)?;
            }
            Ok(found)
        };
        self.writer.run(move |work| spend(work.connection)).await
    }

    async fn recovery_left(&self, person: &Person) -> Result<u64> {
        let id = person.id;
        let read = "SELECT count(*) FROM recovery_code WHERE person = ?1";
        let count =
            move |connection: &Connection| Ok(connection.prepare_cached(read)?.query_row([id], |row| row.get(0))?);
        self.readers.ask(count).await
    }

    async fn totp_seeds(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let read = "SELECT email, totp FROM person WHERE totp IS NOT NULL ORDER BY email";
        let all = move |connection: &Connection| {
            let mut query = connection.prepare_cached(read)?;
            let seeds = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(seeds.collect::<rusqlite::Result<_>>()?)
        };
        self.readers.ask(all).await
    }

    async fn totp_reseal(&self, email: &str, from: &[u8], to: Vec<u8>) -> Result<bool> {
        let (email, from) = (email.to_owned(), from.to_vec());
        let write = "UPDATE person SET totp = ?3 WHERE email = ?1 AND totp = ?2";
        self.writer
            .run(move |work| Ok(work.connection.prepare_cached(write)?.execute(params![email, from, to])? > 0))
            .await
    }
}
