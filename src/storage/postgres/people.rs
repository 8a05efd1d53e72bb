//! People and their tokens. Addresses are compared without regard to the case of ASCII letters, as on the other engine.

use tokio_postgres::Row;

use super::db::{Cells as _, Db};
use super::sessions;
use super::work::Work;
use crate::domain::decision::Actor;
use crate::domain::people::{Person, Reach, Role};
use crate::domain::store::{KeyHash, Result, StoreError, TokenKnown};
use crate::domain::time::Timestamp;

/// Whether the row of `person` is that of the address `$1`: the form of it that the index knows.
macro_rules! is_theirs {
    () => {
        "lower(email COLLATE \"C\") = lower($1 COLLATE \"C\")"
    };
}
pub(super) use is_theirs;

/// `None` when the address is taken.
pub(super) async fn create(
    work: &Work,
    email: &str,
    role: Role,
    reach: &Reach,
    password: &str,
    at: Timestamp,
) -> Result<Option<Person>> {
    let write = "INSERT INTO person (email, role, reach, password, created_at) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT DO NOTHING RETURNING id";
    let row = work.query_opt(write, &[&email, &role.name(), &reach_text(reach)?, &password, &at.as_millis()]).await?;
    let Some(row) = row else { return Ok(None) };
    work.audit(&Actor::Console, "person.create", email, &duties(role, reach)?, at);
    Ok(Some(Person { id: row.natural(0)?, email: email.to_owned(), role, reach: reach.clone() }))
}

/// All open accounts, by address.
pub(super) async fn all(db: &Db) -> Result<Vec<Person>> {
    let read =
        "SELECT id, email, role, reach FROM person WHERE disabled_at IS NULL ORDER BY lower(email COLLATE \"C\")";
    db.query(read, &[]).await?.iter().map(read_person).collect()
}

/// Sets role and reach. `false` when there is no such account, or it is closed.
pub(super) async fn change(work: &Work, email: &str, role: Role, reach: &Reach, at: Timestamp) -> Result<bool> {
    let write = concat!("UPDATE person SET role = $2, reach = $3 WHERE ", is_theirs!(), " AND disabled_at IS NULL");
    let found = work.execute(write, &[&email, &role.name(), &reach_text(reach)?]).await? > 0;
    if found {
        work.audit(&Actor::Console, "person.change", email, &duties(role, reach)?, at);
    }
    Ok(found)
}

/// Reads a row of `id, email, role, reach`.
pub(super) fn read_person(row: &Row) -> Result<Person> {
    let (role, reach): (&str, &str) = (row.cell(2)?, row.cell(3)?);
    Ok(Person {
        id: row.natural(0)?,
        email: row.cell(1)?,
        role: Role::from_name(role).ok_or_else(|| StoreError::Corrupt(format!("role {role}")))?,
        reach: serde_json::from_str(reach).map_err(|error| StoreError::Corrupt(format!("reach: {error}")))?,
    })
}

fn reach_text(reach: &Reach) -> Result<String> {
    serde_json::to_string(reach).map_err(|error| StoreError::Corrupt(format!("reach: {error}")))
}

/// Role and reach, for the record of who did what.
fn duties(role: Role, reach: &Reach) -> Result<String> {
    Ok(if reach.is_all() { role.name().to_owned() } else { format!("{} {}", role.name(), reach_text(reach)?) })
}

/// Sessions, the second factor and tokens go with the old password: whoever got hold of the account has none of them left. `false` when there is no such account.
pub(super) async fn reset(work: &Work, email: &str, password: &str, at: Timestamp) -> Result<bool> {
    let write = concat!("UPDATE person SET password = $2 WHERE ", is_theirs!());
    let found = work.execute(write, &[&email, &password]).await? > 0;
    if found {
        end_tokens(work, email).await?;
        sessions::end_all(work, email).await?;
        sessions::clear_totp(work, email).await?;
        work.audit(&Actor::Console, "person.reset", email, "", at);
    }
    Ok(found)
}

async fn end_tokens(work: &Work, email: &str) -> Result<()> {
    let tokens = concat!("DELETE FROM token WHERE person = (SELECT id FROM person WHERE ", is_theirs!(), ")");
    work.execute(tokens, &[&email]).await?;
    Ok(())
}

/// Closes an account; its tokens, sessions and claims go with it. `false` when there is no such account.
pub(super) async fn disable(work: &Work, email: &str, at: Timestamp) -> Result<bool> {
    let write = concat!("UPDATE person SET disabled_at = coalesce(disabled_at, $2) WHERE ", is_theirs!());
    let found = work.execute(write, &[&email, &at.as_millis()]).await? > 0;
    if found {
        end_tokens(work, email).await?;
        sessions::end_all(work, email).await?;
        let claims = "UPDATE queue SET claimed_by = NULL, claimed_until = NULL \
                      WHERE claimed_by IS NOT NULL AND lower(claimed_by COLLATE \"C\") = lower($1 COLLATE \"C\")";
        work.execute(claims, &[&email]).await?;
        work.audit(&Actor::Console, "person.disable", email, "", at);
    }
    Ok(found)
}

/// `false` when there is no such account, or it is closed.
pub(super) async fn token_create(work: &Work, email: &str, token: &KeyHash, at: Timestamp) -> Result<bool> {
    // Locked, so that an account which is being closed keeps no token behind.
    let read = concat!("SELECT id FROM person WHERE ", is_theirs!(), " AND disabled_at IS NULL FOR NO KEY UPDATE");
    let Some(person) = work.query_opt(read, &[&email]).await? else { return Ok(false) };
    let write = "INSERT INTO token (hash, person, created_at) VALUES ($1, $2, $3)";
    work.execute(write, &[&&token[..], &person.cell::<i32>(0)?, &at.as_millis()]).await?;
    work.audit(&Actor::Console, "token.create", email, "", at);
    Ok(true)
}

/// Tokens of an account, or of all, oldest first.
pub(super) async fn tokens(db: &Db, email: Option<&str>) -> Result<Vec<TokenKnown>> {
    // Sixteen hexadecimal digits of a token's hash name it.
    let read = concat!(
        "SELECT p.email, left(encode(t.hash, 'hex'), 16), t.created_at FROM token t JOIN person p ON p.id = t.person \
         WHERE $1::text IS NULL OR ",
        is_theirs!(),
        " ORDER BY t.created_at, t.hash"
    );
    let known = db.query(read, &[&email]).await?;
    let known = known.iter().map(|row| {
        Ok(TokenKnown { email: row.cell(0)?, id: row.cell(1)?, created_at: Timestamp::from_millis(row.cell(2)?) })
    });
    known.collect()
}

/// Ends a token. `false` unless exactly one of the account's tokens has that name.
pub(super) async fn token_revoke(work: &Work, email: &str, id: &str, at: Timestamp) -> Result<bool> {
    if id.len() < 4 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(false);
    }
    let read = concat!(
        "SELECT hash FROM token WHERE person = (SELECT id FROM person WHERE ",
        is_theirs!(),
        ") AND starts_with(encode(hash, 'hex'), lower($2)) FOR UPDATE"
    );
    let found = work.query(read, &[&email, &id]).await?;
    let [token] = &found[..] else { return Ok(false) };
    work.execute("DELETE FROM token WHERE hash = $1", &[&token.cell::<&[u8]>(0)?]).await?;
    work.audit(&Actor::Console, "token.revoke", email, id, at);
    Ok(true)
}

/// The person whom a token stands for.
pub(super) async fn token_find(db: &Db, token: &KeyHash) -> Result<Option<Person>> {
    let read = "SELECT p.id, p.email, p.role, p.reach FROM token t JOIN person p ON p.id = t.person \
                WHERE t.hash = $1 AND p.disabled_at IS NULL";
    db.query_opt(read, &[&&token[..]]).await?.as_ref().map(read_person).transpose()
}
