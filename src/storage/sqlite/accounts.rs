//! Sites, their keys, people and their tokens. Commands do this in a process of their own, beside a running `serve`.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::intake::WIPE_ROW;
use super::{audit, sessions};
use crate::domain::decision::Actor;
use crate::domain::people::{Person, Reach, Role};
use crate::domain::site::{Scope, Site, SiteId};
use crate::domain::store::{KeyHash, Result, SealedSecrets, SiteKey, StoreError, TokenKnown};
use crate::domain::time::Timestamp;

pub(super) const SITE: &str = "id, name, url, webhook, created_at";

/// What a site is created with.
pub(super) struct NewSite {
    pub name: String,
    pub url: Option<String>,
    pub webhook: Option<String>,
    pub key: KeyHash,
    pub scopes: Vec<Scope>,
    pub secrets: SealedSecrets,
}

/// `None` when the name is taken.
pub(super) fn site_create(connection: &Connection, new: &NewSite, at: Timestamp) -> Result<Option<Site>> {
    if site_id(connection, &new.name)?.is_some() {
        return Ok(None);
    }
    let write = "INSERT INTO site (name, url, webhook, created_at, akismet_hash, akismet_key, inbound_secret, webhook_secret) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let secrets = &new.secrets;
    connection.prepare_cached(write)?.execute(params![
        new.name,
        new.url,
        new.webhook,
        at.as_millis(),
        secrets.akismet_hash,
        secrets.akismet,
        secrets.inbound,
        secrets.webhook,
    ])?;
    key_insert(connection, connection.last_insert_rowid(), &new.key, &new.scopes, at)?;
    audit::add(connection, &Actor::Console, "site.create", &new.name, &scope_names(&new.scopes), at)?;
    site_by_name(connection, &new.name)
}

fn site_by_name(connection: &Connection, name: &str) -> Result<Option<Site>> {
    let mut query = connection.prepare_cached(&format!("SELECT {SITE} FROM site WHERE name = ?1"))?;
    Ok(query.query_row([name], read_site).optional()?)
}

/// All sites, by name.
pub(super) fn sites(connection: &Connection) -> Result<Vec<Site>> {
    let mut query = connection.prepare_cached(&format!("SELECT {SITE} FROM site ORDER BY name"))?;
    Ok(query.query_map([], read_site)?.collect::<rusqlite::Result<_>>()?)
}

/// Adds a key; with `alone`, takes all others away. `false` when there is no such site.
pub(super) fn key_add(
    connection: &Connection,
    site: &str,
    key: &KeyHash,
    scopes: &[Scope],
    alone: bool,
    at: Timestamp,
) -> Result<bool> {
    let Some(id) = site_id(connection, site)? else { return Ok(false) };
    if alone {
        connection.prepare_cached("DELETE FROM site_key WHERE site = ?1")?.execute([id])?;
    }
    key_insert(connection, id, key, scopes, at)?;
    let action = if alone { "site.key.rotate" } else { "site.key.add" };
    audit::add(connection, &Actor::Console, action, site, &scope_names(scopes), at)?;
    Ok(true)
}

/// The site that a bearer key opens.
pub(super) fn key_find(connection: &Connection, key: &KeyHash) -> Result<Option<SiteKey>> {
    let read = format!("SELECT {SITE}, k.scopes FROM site_key k JOIN site ON site.id = k.site WHERE k.hash = ?1");
    let read = read.replace("created_at", "site.created_at");
    let mut query = connection.prepare_cached(&read)?;
    let found = query.query_row([key], |row| Ok((read_site(row)?, row.get::<_, String>(5)?))).optional()?;
    let Some((site, scopes)) = found else { return Ok(None) };
    let scopes = scopes.split_ascii_whitespace().filter_map(Scope::from_name).collect();
    Ok(Some(SiteKey { site: std::sync::Arc::new(site), scopes }))
}

/// Deletes a site and everything of its comments but the numbers that keep other sites' chains whole.
pub(super) fn site_delete(connection: &Connection, name: &str, by: &Actor, at: Timestamp) -> Result<bool> {
    let Some(id) = site_id(connection, name)? else { return Ok(false) };
    let its = "IN (SELECT id FROM comment WHERE site = ?1)";
    for (table, column) in [
        ("content", "id"),
        ("queue", "id"),
        ("search", "rowid"),
        ("search_due", "id"),
        ("revision", "comment"),
        ("happening", "comment"),
        ("moved", "comment"),
        ("ruling_item", "comment"),
        ("sanction_effect", "comment"),
        ("report", "comment"),
        ("vote", "comment"),
        ("pseudonym", "comment"),
        ("campaign_member", "comment"),
        ("akismet_callback", "comment"),
    ] {
        connection.execute(&format!("DELETE FROM {table} WHERE {column} {its}"), [id])?;
    }
    connection
        .execute("DELETE FROM ruling WHERE NOT EXISTS (SELECT 1 FROM ruling_item WHERE ruling = ruling.id)", [])?;
    let empty = "DELETE FROM campaign WHERE state <> 4 AND NOT EXISTS (SELECT 1 FROM campaign_member WHERE campaign = campaign.id)";
    connection.execute(empty, [])?;
    for table in [
        "article",
        "outbox",
        "delivery",
        "appeal",
        "sanction",
        "author_note",
        "label",
        "learner",
        "site_model",
        "model_change",
        "sample",
        "campaign_wait",
        "imported",
        "import_file",
        "erasure",
    ] {
        connection.execute(&format!("DELETE FROM {table} WHERE site = ?1"), [id])?;
    }
    connection.execute(&format!("{WIPE_ROW} WHERE site = ?1"), [id])?;
    connection.execute("DELETE FROM site WHERE id = ?1", [id])?;
    audit::add(connection, by, "site.delete", name, "", at)?;
    Ok(true)
}

/// `None` when the address is taken.
pub(super) fn person_create(
    connection: &Connection,
    email: &str,
    role: Role,
    reach: &Reach,
    password: &str,
    at: Timestamp,
) -> Result<Option<Person>> {
    let write = "INSERT INTO person (email, role, reach, password, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let written = connection.prepare_cached(write)?.execute(params![
        email,
        role.name(),
        reach_text(reach)?,
        password,
        at.as_millis()
    ]);
    match written {
        Ok(_) => {}
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let id =
        u32::try_from(connection.last_insert_rowid()).map_err(|_| StoreError::Corrupt("too many people".to_owned()))?;
    audit::add(connection, &Actor::Console, "person.create", email, &duties(role, reach)?, at)?;
    Ok(Some(Person { id, email: email.to_owned(), role, reach: reach.clone() }))
}

/// All open accounts, by address.
pub(super) fn people(connection: &Connection) -> Result<Vec<Person>> {
    let read = "SELECT id, email, role, reach FROM person WHERE disabled_at IS NULL ORDER BY email";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([])?;
    let mut people = Vec::new();
    while let Some(row) = rows.next()? {
        people.push(read_person(row)?);
    }
    Ok(people)
}

/// Sets role and reach. `false` when there is no such account, or it is closed.
pub(super) fn person_change(
    connection: &Connection,
    email: &str,
    role: Role,
    reach: &Reach,
    at: Timestamp,
) -> Result<bool> {
    let write = "UPDATE person SET role = ?2, reach = ?3 WHERE email = ?1 AND disabled_at IS NULL";
    let found = connection.prepare_cached(write)?.execute(params![email, role.name(), reach_text(reach)?])? > 0;
    if found {
        audit::add(connection, &Actor::Console, "person.change", email, &duties(role, reach)?, at)?;
    }
    Ok(found)
}

pub(super) fn read_person(row: &rusqlite::Row<'_>) -> Result<Person> {
    let role: String = row.get(2)?;
    let reach: String = row.get(3)?;
    Ok(Person {
        id: row.get(0)?,
        email: row.get(1)?,
        role: Role::from_name(&role).ok_or_else(|| StoreError::Corrupt(format!("role {role}")))?,
        reach: serde_json::from_str(&reach).map_err(|error| StoreError::Corrupt(format!("reach: {error}")))?,
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
pub(super) fn person_reset(connection: &Connection, email: &str, password: &str, at: Timestamp) -> Result<bool> {
    let write = "UPDATE person SET password = ?2 WHERE email = ?1";
    let found = connection.prepare_cached(write)?.execute([email, password])? > 0;
    if found {
        end_tokens(connection, email)?;
        sessions::end_all(connection, email)?;
        sessions::clear_totp(connection, email)?;
        audit::add(connection, &Actor::Console, "person.reset", email, "", at)?;
    }
    Ok(found)
}

fn end_tokens(connection: &Connection, email: &str) -> Result<()> {
    let tokens = "DELETE FROM token WHERE person = (SELECT id FROM person WHERE email = ?1)";
    connection.prepare_cached(tokens)?.execute([email])?;
    Ok(())
}

/// Closes an account; its tokens, sessions and claims go with it. `false` when there is no such account.
pub(super) fn person_disable(connection: &Connection, email: &str, at: Timestamp) -> Result<bool> {
    let write = "UPDATE person SET disabled_at = coalesce(disabled_at, ?2) WHERE email = ?1";
    let found = connection.prepare_cached(write)?.execute(params![email, at.as_millis()])? > 0;
    if found {
        end_tokens(connection, email)?;
        sessions::end_all(connection, email)?;
        let claims = "UPDATE queue SET claimed_by = NULL, claimed_until = NULL WHERE claimed_by = ?1 COLLATE NOCASE";
        connection.prepare_cached(claims)?.execute([email])?;
        audit::add(connection, &Actor::Console, "person.disable", email, "", at)?;
    }
    Ok(found)
}

/// `false` when there is no such account, or it is closed.
pub(super) fn token_create(connection: &Connection, email: &str, token: &KeyHash, at: Timestamp) -> Result<bool> {
    let write = "INSERT INTO token (hash, person, created_at) \
                 SELECT ?2, id, ?3 FROM person WHERE email = ?1 AND disabled_at IS NULL";
    let found = connection.prepare_cached(write)?.execute(params![email, token, at.as_millis()])? > 0;
    if found {
        audit::add(connection, &Actor::Console, "token.create", email, "", at)?;
    }
    Ok(found)
}

/// Hexadecimal digits of a token's hash that name it.
const TOKEN_ID: usize = 16;

/// Tokens of an account, or of all, oldest first.
pub(super) fn tokens(connection: &Connection, email: Option<&str>) -> Result<Vec<TokenKnown>> {
    let read = "SELECT p.email, substr(lower(hex(t.hash)), 1, ?2), t.created_at FROM token t JOIN person p ON p.id = t.person \
                WHERE ?1 IS NULL OR p.email = ?1 ORDER BY t.created_at, t.hash";
    let mut query = connection.prepare_cached(read)?;
    let known = query.query_map(params![email, TOKEN_ID], |row| {
        Ok(TokenKnown { email: row.get(0)?, id: row.get(1)?, created_at: Timestamp::from_millis(row.get(2)?) })
    })?;
    Ok(known.collect::<rusqlite::Result<_>>()?)
}

/// Ends a token. `false` unless exactly one of the account's tokens has that name.
pub(super) fn token_revoke(connection: &Connection, email: &str, id: &str, at: Timestamp) -> Result<bool> {
    let of =
        "person = (SELECT id FROM person WHERE email = ?1) AND substr(lower(hex(hash)), 1, length(?2)) = lower(?2)";
    let mut count = connection.prepare_cached(&format!("SELECT count(*) FROM token WHERE {of}"))?;
    if id.len() < 4 || count.query_row([email, id], |row| row.get::<_, i64>(0))? != 1 {
        return Ok(false);
    }
    connection.prepare_cached(&format!("DELETE FROM token WHERE {of}"))?.execute([email, id])?;
    audit::add(connection, &Actor::Console, "token.revoke", email, id, at)?;
    Ok(true)
}

/// The person whom a token stands for.
pub(super) fn token_find(connection: &Connection, token: &KeyHash) -> Result<Option<Person>> {
    let read = "SELECT p.id, p.email, p.role, p.reach FROM token t JOIN person p ON p.id = t.person \
                WHERE t.hash = ?1 AND p.disabled_at IS NULL";
    let mut query = connection.prepare_cached(read)?;
    let mut rows = query.query([token])?;
    rows.next()?.map(read_person).transpose()
}

fn site_id(connection: &Connection, name: &str) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT id FROM site WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}

fn key_insert(connection: &Connection, site: i64, key: &KeyHash, scopes: &[Scope], at: Timestamp) -> Result<()> {
    let write = "INSERT INTO site_key (hash, site, scopes, created_at) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(write)?.execute(params![key, site, scope_names(scopes), at.as_millis()])?;
    Ok(())
}

fn scope_names(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

pub(super) fn read_site(row: &rusqlite::Row<'_>) -> rusqlite::Result<Site> {
    Ok(Site {
        id: SiteId(row.get(0)?),
        name: row.get::<_, String>(1)?.into(),
        url: row.get::<_, Option<String>>(2)?.map(Into::into),
        webhook: row.get::<_, Option<String>>(3)?.map(Into::into),
        created_at: Timestamp::from_millis(row.get(4)?),
    })
}
