//! Who is signed in to the console, and with what.

use async_trait::async_trait;

use super::PostgresStore;
use super::db::{Cells as _, Db, signed};
use super::people::{is_theirs, read_person};
use super::work::{Work, transact};
use crate::domain::decision::Actor;
use crate::domain::people::Person;
use crate::domain::session::{Credentials, LiveSession, NewSession, SessionKnown, Sessions};
use crate::domain::store::{KeyHash, Result};
use crate::domain::time::Timestamp;

/// Hexadecimal digits of a session's hash that name it.
const SESSION_ID: i32 = 16;

/// Ends all sessions of an account, by its address.
pub(super) async fn end_all(work: &Work, email: &str) -> Result<()> {
    let write = concat!("DELETE FROM session WHERE person = (SELECT id FROM person WHERE ", is_theirs!(), ")");
    work.execute(write, &[&email]).await?;
    Ok(())
}

/// Takes an account's second factor away, by its address.
pub(super) async fn clear_totp(work: &Work, email: &str) -> Result<()> {
    // The account first, as everybody else does, so that two do not wait for each other.
    work.execute(concat!("UPDATE person SET totp = NULL, totp_step = NULL WHERE ", is_theirs!()), &[&email]).await?;
    let codes = concat!("DELETE FROM recovery_code WHERE person = (SELECT id FROM person WHERE ", is_theirs!(), ")");
    work.execute(codes, &[&email]).await?;
    Ok(())
}

fn note(work: &Work, person: &Person, action: &str, at: Timestamp) {
    work.audit(&Actor::Person(person.email.clone()), action, &person.email, "", at);
}

async fn end_others(work: &Work, person: &Person, keep: &KeyHash) -> Result<()> {
    let write = "DELETE FROM session WHERE person = $1 AND hash <> $2";
    work.execute(write, &[&signed(person.id), &keep.as_slice()]).await?;
    Ok(())
}

async fn open(work: &Work, new: &NewSession) -> Result<bool> {
    work.execute("DELETE FROM session WHERE expires_at <= $1", &[&new.at.as_millis()]).await?;
    // Whoever closes the account or changes its password waits, and then ends this session with the others.
    let write = "INSERT INTO session (hash, person, created_at, seen_at, expires_at, agent, network) \
                 SELECT $1, id, $3, $3, $4, $5, $6 FROM person \
                 WHERE id = $2 AND disabled_at IS NULL AND password = $7 FOR SHARE";
    let made = work
        .execute(
            write,
            &[
                &new.hash.as_slice(),
                &signed(new.person.id),
                &new.at.as_millis(),
                &new.expires_at.as_millis(),
                &new.agent,
                &new.network,
                &new.password,
            ],
        )
        .await?
        > 0;
    if made {
        note(work, &new.person, "session.open", new.at);
    }
    Ok(made)
}

async fn find(db: &Db, hash: &KeyHash, seen_since: Timestamp, now: Timestamp) -> Result<Option<LiveSession>> {
    let read = "SELECT p.id, p.email, p.role, p.reach, s.seen_at, p.totp IS NOT NULL FROM session s JOIN person p ON p.id = s.person \
                WHERE s.hash = $1 AND s.expires_at > $2 AND s.seen_at >= $3 AND p.disabled_at IS NULL";
    let found = db.query_opt(read, &[&hash.as_slice(), &now.as_millis(), &seen_since.as_millis()]).await?;
    let Some(row) = found else { return Ok(None) };
    let seen_at = Timestamp::from_millis(row.cell(4)?);
    Ok(Some(LiveSession { person: read_person(&row)?, seen_at, has_totp: row.cell(5)? }))
}

async fn list(db: &Db, person: &Person, now: Timestamp) -> Result<Vec<SessionKnown>> {
    let read = "SELECT left(encode(hash, 'hex'), $2), created_at, seen_at, agent, network FROM session \
                WHERE person = $1 AND expires_at > $3 ORDER BY seen_at DESC, hash";
    let known = db.query(read, &[&signed(person.id), &SESSION_ID, &now.as_millis()]).await?;
    let read = |row: &tokio_postgres::Row| -> Result<SessionKnown> {
        Ok(SessionKnown {
            id: row.cell(0)?,
            created_at: Timestamp::from_millis(row.cell(1)?),
            seen_at: Timestamp::from_millis(row.cell(2)?),
            agent: row.cell(3)?,
            network: row.cell(4)?,
        })
    };
    known.iter().map(read).collect()
}

async fn credentials(db: &Db, email: &str) -> Result<Option<Credentials>> {
    let read = concat!(
        "SELECT id, email, role, reach, password, totp FROM person WHERE ",
        is_theirs!(),
        " AND disabled_at IS NULL"
    );
    let Some(row) = db.query_opt(read, &[&email]).await? else { return Ok(None) };
    Ok(Some(Credentials { person: read_person(&row)?, password: row.cell(4)?, totp: row.cell(5)? }))
}

async fn end(work: &Work, hash: &KeyHash, at: Timestamp) -> Result<bool> {
    let write = "DELETE FROM session s USING person p WHERE p.id = s.person AND s.hash = $1 \
                 RETURNING p.id, p.email, p.role, p.reach";
    let Some(row) = work.query_opt(write, &[&hash.as_slice()]).await? else { return Ok(false) };
    note(work, &read_person(&row)?, "session.end", at);
    Ok(true)
}

async fn revoke(work: &Work, person: &Person, id: &str, at: Timestamp) -> Result<bool> {
    if id.len() < 4 {
        return Ok(false);
    }
    let read = "SELECT hash FROM session WHERE person = $1 AND starts_with(encode(hash, 'hex'), $2) FOR UPDATE";
    let found = work.query(read, &[&signed(person.id), &id.to_ascii_lowercase()]).await?;
    let [row] = found.as_slice() else { return Ok(false) };
    work.execute("DELETE FROM session WHERE hash = $1", &[&row.cell::<&[u8]>(0)?]).await?;
    note(work, person, "session.end", at);
    Ok(true)
}

async fn change_password(work: &Work, person: &Person, password: &str, keep: &KeyHash, at: Timestamp) -> Result<()> {
    work.execute("UPDATE person SET password = $2 WHERE id = $1", &[&signed(person.id), &password]).await?;
    end_others(work, person, keep).await?;
    note(work, person, "person.password", at);
    Ok(())
}

async fn set_totp(
    work: &Work,
    person: &Person,
    (sealed, step): (&[u8], i64),
    recovery: &[KeyHash],
    keep: &KeyHash,
    at: Timestamp,
) -> Result<bool> {
    let id = signed(person.id);
    let write = "UPDATE person SET totp = $2, totp_step = $3 WHERE id = $1 AND totp IS NULL";
    if work.execute(write, &[&id, &sealed, &step]).await? == 0 {
        return Ok(false);
    }
    work.execute("DELETE FROM recovery_code WHERE person = $1", &[&id]).await?;
    let codes: Vec<&[u8]> = recovery.iter().map(KeyHash::as_slice).collect();
    let write = "INSERT INTO recovery_code (hash, person) SELECT code, $2 FROM unnest($1::bytea[]) AS new(code)";
    work.execute(write, &[&codes, &id]).await?;
    end_others(work, person, keep).await?;
    note(work, person, "person.totp.on", at);
    Ok(true)
}

#[async_trait]
impl Sessions for PostgresStore {
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>> {
        let db = self.db().await?;
        credentials(&db, email).await
    }

    async fn session_open(&self, new: NewSession) -> Result<bool> {
        transact!(self, work => open(&work, &new).await)
    }

    async fn session_find(&self, hash: &KeyHash, seen_since: Timestamp, now: Timestamp) -> Result<Option<LiveSession>> {
        let db = self.db().await?;
        find(&db, hash, seen_since, now).await
    }

    async fn session_seen(&self, hash: &KeyHash, at: Timestamp) -> Result<()> {
        let db = self.db().await?;
        let write = "UPDATE session SET seen_at = greatest(seen_at, $2) WHERE hash = $1";
        db.execute(write, &[&hash.as_slice(), &at.as_millis()]).await?;
        Ok(())
    }

    async fn session_end(&self, hash: &KeyHash, at: Timestamp) -> Result<bool> {
        transact!(self, work => end(&work, hash, at).await)
    }

    async fn sessions(&self, person: &Person, now: Timestamp) -> Result<Vec<SessionKnown>> {
        let db = self.db().await?;
        list(&db, person, now).await
    }

    async fn session_revoke(&self, person: &Person, id: &str, at: Timestamp) -> Result<bool> {
        transact!(self, work => revoke(&work, person, id, at).await)
    }

    async fn password_change(&self, person: &Person, password: &str, keep: &KeyHash, at: Timestamp) -> Result<()> {
        transact!(self, work => change_password(&work, person, password, keep, at).await)
    }

    async fn totp_use(&self, person: &Person, step: u64) -> Result<bool> {
        let db = self.db().await?;
        let write = "UPDATE person SET totp_step = $2 WHERE id = $1 AND (totp_step IS NULL OR totp_step < $2)";
        Ok(db.execute(write, &[&signed(person.id), &step_number(step)]).await? > 0)
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
        let factor = (sealed.as_slice(), step_number(step));
        transact!(self, work => set_totp(&work, person, factor, &recovery, keep, at).await)
    }

    async fn totp_clear(&self, person: &Person, at: Timestamp) -> Result<()> {
        transact!(self, work => {
            note(&work, person, "person.totp.off", at);
            clear_totp(&work, &person.email).await
        })
    }

    async fn recovery_use(&self, person: &Person, code: &KeyHash, at: Timestamp) -> Result<bool> {
        let write = "DELETE FROM recovery_code WHERE hash = $1 AND person = $2";
        transact!(self, work => {
            let found = work.execute(write, &[&code.as_slice(), &signed(person.id)]).await;
            if found.as_ref().is_ok_and(|found| *found > 0) {
                note(&work, person, "person.recovery", at);
            }
            found.map(|found| found > 0)
        })
    }

    async fn recovery_left(&self, person: &Person) -> Result<u64> {
        let db = self.db().await?;
        let count = db.query_one("SELECT count(*) FROM recovery_code WHERE person = $1", &[&signed(person.id)]).await?;
        Ok(u64::try_from(count.cell::<i64>(0)?).unwrap_or_default())
    }

    async fn totp_seeds(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let db = self.db().await?;
        let read = "SELECT email, totp FROM person WHERE totp IS NOT NULL ORDER BY lower(email COLLATE \"C\")";
        let seeds = db.query(read, &[]).await?;
        seeds.iter().map(|row| Ok((row.cell(0)?, row.cell(1)?))).collect()
    }

    async fn totp_reseal(&self, email: &str, from: &[u8], to: Vec<u8>) -> Result<bool> {
        let db = self.db().await?;
        let write = concat!("UPDATE person SET totp = $3 WHERE ", is_theirs!(), " AND totp = $2");
        Ok(db.execute(write, &[&email, &from, &to]).await? > 0)
    }
}

/// A step as a column holds it.
fn step_number(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
