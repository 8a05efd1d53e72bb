//! Sites, their keys, people and their tokens.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::errors::store_error;
use super::rulings::audit;
use super::writer::Work;
use crate::domain::decision::Actor;
use crate::domain::people::{Person, Role};
use crate::domain::site::{Scope, Site, SiteId};
use crate::domain::store::{CreateError, KeyHash, Result, SealedSecrets, SiteKey, StoreError};
use crate::domain::time::Timestamp;

type Created<T> = Result<std::result::Result<T, CreateError>>;

#[expect(clippy::too_many_arguments, reason = "one row of a table, each column once")]
pub(super) fn site_create(
    connection: &Connection,
    name: &str,
    url: Option<&str>,
    webhook: Option<&str>,
    key: &KeyHash,
    scopes: &[Scope],
    secrets: &SealedSecrets,
    at: Timestamp,
) -> Created<Site> {
    let sql = "INSERT INTO site (name, url, webhook, created_at, akismet_hash, akismet, inbound, webhook_secret) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
               ON CONFLICT (name) DO NOTHING RETURNING id";
    let values = params![name, url, webhook, at.as_millis(), secrets.akismet_hash, secrets.akismet, secrets.inbound, secrets.webhook];
    let id: Option<u32> = connection.query_row(sql, values, |row| row.get(0)).optional().map_err(store_error)?;
    let Some(id) = id else { return Ok(Err(CreateError::Exists(format!("the site {name}")))) };
    insert_key(connection, id, key, scopes, at)?;
    audit(connection, &Actor::Console, "site.create", name, "", at)?;
    Ok(Ok(Site { id: SiteId(id), name: name.into(), url: url.map(Arc::from), webhook: webhook.map(Arc::from), created_at: at }))
}

const SITE: &str = "s.id, s.name, s.url, s.webhook, s.created_at";

fn site(row: &Row<'_>) -> rusqlite::Result<Site> {
    let text = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.map(Arc::from));
    Ok(Site {
        id: SiteId(row.get(0)?),
        name: row.get::<_, String>(1)?.into(),
        url: text(2)?,
        webhook: text(3)?,
        created_at: Timestamp::from_millis(row.get(4)?),
    })
}

pub(super) fn sites(connection: &Connection) -> Result<Vec<Site>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {SITE} FROM site s ORDER BY s.name")).map_err(store_error)?;
    statement.query_map([], site).and_then(Iterator::collect).map_err(store_error)
}

pub(super) fn site_secrets(connection: &Connection, name: &str) -> Result<Option<SealedSecrets>> {
    connection
        .query_row("SELECT akismet_hash, inbound, webhook_secret, akismet FROM site WHERE name = ?", [name], |row| {
            Ok(SealedSecrets { akismet_hash: row.get(0)?, inbound: row.get(1)?, webhook: row.get(2)?, akismet: row.get(3)? })
        })
        .optional()
        .map_err(store_error)
}

pub(super) fn site_key_add(connection: &Connection, name: &str, key: &KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
    let Some(id) = site_id(connection, name)? else { return Ok(false) };
    insert_key(connection, id, key, scopes, at)?;
    audit(connection, &Actor::Console, "site.key", name, &names(scopes), at)?;
    Ok(true)
}

pub(super) fn site_key_rotate(connection: &Connection, name: &str, key: &KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
    let Some(id) = site_id(connection, name)? else { return Ok(false) };
    connection.execute("DELETE FROM site_key WHERE site = ?", [id]).map_err(store_error)?;
    insert_key(connection, id, key, scopes, at)?;
    audit(connection, &Actor::Console, "site.rotate", name, &names(scopes), at)?;
    Ok(true)
}

fn insert_key(connection: &Connection, site: u32, key: &KeyHash, scopes: &[Scope], at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO site_key (hash, site, scopes, created_at) VALUES (?, ?, ?, ?)";
    connection.execute(sql, params![key, site, names(scopes), at.as_millis()]).map(drop).map_err(store_error)
}

fn site_id(connection: &Connection, name: &str) -> Result<Option<u32>> {
    connection.query_row("SELECT id FROM site WHERE name = ?", [name], |row| row.get(0)).optional().map_err(store_error)
}

fn names(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",")
}

pub(super) fn site_delete(work: &mut Work<'_>, name: &str, by: &Actor, at: Timestamp) -> Result<bool> {
    let connection = work.connection;
    let Some(id) = site_id(connection, name)? else { return Ok(false) };
    for sql in [
        "DELETE FROM revision WHERE comment IN (SELECT id FROM comment WHERE site = ?)",
        "DELETE FROM happening WHERE comment IN (SELECT id FROM comment WHERE site = ?)",
        "DELETE FROM ruling_item WHERE comment IN (SELECT id FROM comment WHERE site = ?)",
        "DELETE FROM queue WHERE site = ?",
        // Rows stay as links of the chains that other sites' authors may share; their content goes.
        "UPDATE comment SET status = 3, content = zeroblob(16), trace = x'', subject = x'', verdict = x'' WHERE site = ?",
        "DELETE FROM article WHERE site = ?",
        "DELETE FROM site WHERE id = ?",
    ] {
        connection.execute(sql, [id]).map_err(store_error)?;
    }
    audit(connection, by, "site.delete", name, "", at)?;
    work.reload_index();
    Ok(true)
}

pub(super) fn site_key_find(connection: &Connection, key: &KeyHash) -> Result<Option<SiteKey>> {
    let sql = format!("SELECT {SITE}, k.scopes FROM site_key k JOIN site s ON s.id = k.site WHERE k.hash = ?");
    let found = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([key], |row| Ok((site(row)?, row.get::<_, String>(5)?))).optional())
        .map_err(store_error)?;
    Ok(found.map(|(site, scopes)| SiteKey {
        site: Arc::new(site),
        scopes: scopes.split(',').filter_map(Scope::from_name).collect(),
    }))
}

pub(super) fn person_create(connection: &Connection, email: &str, role: Role, password: &str, at: Timestamp) -> Created<Person> {
    let sql = "INSERT INTO person (email, role, password, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (email) DO NOTHING RETURNING id";
    let values = params![email, role.name(), password, at.as_millis()];
    let id: Option<u32> = connection.query_row(sql, values, |row| row.get(0)).optional().map_err(store_error)?;
    let Some(id) = id else { return Ok(Err(CreateError::Exists(format!("the user {email}")))) };
    audit(connection, &Actor::Console, "user.create", email, role.name(), at)?;
    Ok(Ok(Person { id, email: email.to_owned(), role }))
}

pub(super) fn person_reset(connection: &Connection, email: &str, password: &str, at: Timestamp) -> Result<bool> {
    let changed = connection.execute("UPDATE person SET password = ? WHERE email = ?", params![password, email]).map_err(store_error)?;
    if changed == 1 {
        audit(connection, &Actor::Console, "user.reset", email, "", at)?;
    }
    Ok(changed == 1)
}

pub(super) fn person_disable(connection: &Connection, email: &str, at: Timestamp) -> Result<bool> {
    let sql = "UPDATE person SET disabled_at = coalesce(disabled_at, ?) WHERE email = ?";
    let changed = connection.execute(sql, params![at.as_millis(), email]).map_err(store_error)?;
    if changed == 1 {
        let tokens = "DELETE FROM token WHERE person = (SELECT id FROM person WHERE email = ?)";
        connection.execute(tokens, [email]).map_err(store_error)?;
        audit(connection, &Actor::Console, "user.disable", email, "", at)?;
    }
    Ok(changed == 1)
}

pub(super) fn token_create(connection: &Connection, email: &str, token: &KeyHash, at: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO token (hash, person, created_at) SELECT ?, id, ? FROM person WHERE email = ? AND disabled_at IS NULL";
    let made = connection.execute(sql, params![token, at.as_millis(), email]).map_err(store_error)?;
    if made == 1 {
        audit(connection, &Actor::Console, "token.create", email, "", at)?;
    }
    Ok(made == 1)
}

pub(super) fn token_find(connection: &Connection, token: &KeyHash) -> Result<Option<Person>> {
    let sql = "SELECT p.id, p.email, p.role FROM token t JOIN person p ON p.id = t.person WHERE t.hash = ? AND p.disabled_at IS NULL";
    let found = connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.query_row([token], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))).optional()
        })
        .map_err(store_error)?;
    let Some((id, email, role)) = found else { return Ok(None) };
    let role = Role::from_name(&role).ok_or_else(|| StoreError::Corrupt(format!("a person has the role `{role}`")))?;
    Ok(Some(Person { id, email, role }))
}
