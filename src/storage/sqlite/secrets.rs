//! Where a site's webhooks go, and the sealed secrets that go with them.

use rusqlite::{Connection, params};

use super::audit;
use crate::domain::decision::Actor;
use crate::domain::store::{Result, SecretKind, StoredSecrets};
use crate::domain::time::Timestamp;

/// Sets or takes away where webhooks go. A receiver that was gone is tried again. `false` when there is no such site.
pub(super) fn webhook_set(connection: &Connection, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
    let write = "UPDATE site SET webhook = ?2, webhook_gone_at = NULL WHERE name = ?1";
    let found = connection.prepare_cached(write)?.execute(params![site, url])? > 0;
    if found {
        // Not the address itself: it may hold a secret of the receiver.
        let detail = if url.is_some() { "set" } else { "none" };
        audit::add(connection, &Actor::Console, "site.webhook", site, detail, at)?;
    }
    Ok(found)
}

const COLUMNS: &str = "name, inbound_secret, inbound_before, inbound_before_until, webhook_secret, webhook_before, \
                       webhook_before_until, akismet_key, coral_secret, coral_before, coral_before_until";

pub(super) fn find(connection: &Connection, site: &str) -> Result<Option<StoredSecrets>> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM site WHERE name = ?1"))?;
    let mut rows = query.query([site])?;
    Ok(rows.next()?.map(read).transpose()?)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredSecrets>> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM site ORDER BY name"))?;
    let all = query.query_map([], read)?;
    Ok(all.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredSecrets> {
    let before = |secret: usize, until: usize| -> rusqlite::Result<_> {
        let (secret, until): (Option<Vec<u8>>, Option<i64>) = (row.get(secret)?, row.get(until)?);
        Ok(secret.zip(until.map(Timestamp::from_millis)))
    };
    Ok(StoredSecrets {
        site: row.get(0)?,
        inbound: row.get(1)?,
        inbound_before: before(2, 3)?,
        webhook: row.get(4)?,
        webhook_before: before(5, 6)?,
        akismet: row.get(7)?,
        coral: row.get(8)?,
        coral_before: before(9, 10)?,
    })
}

/// Replaces one secret; the one before stays valid for a time. `false` when there is no such site.
pub(super) fn rotate(
    connection: &Connection,
    site: &str,
    kind: SecretKind,
    sealed: &[u8],
    before_until: Timestamp,
    at: Timestamp,
) -> Result<bool> {
    let (write, action) = match kind {
        SecretKind::Inbound => (
            "UPDATE site SET inbound_before = inbound_secret, inbound_before_until = ?3, inbound_secret = ?2 WHERE name = ?1",
            "site.secret.inbound",
        ),
        SecretKind::Webhook => (
            "UPDATE site SET webhook_before = webhook_secret, webhook_before_until = ?3, webhook_secret = ?2 WHERE name = ?1",
            "site.secret.webhook",
        ),
        SecretKind::Coral => (
            "UPDATE site SET coral_before = coral_secret, coral_before_until = ?3, coral_secret = ?2 WHERE name = ?1",
            "site.secret.coral",
        ),
    };
    let found = connection.prepare_cached(write)?.execute(params![site, sealed, before_until.as_millis()])? > 0;
    if found {
        audit::add(connection, &Actor::Console, action, site, "", at)?;
    }
    Ok(found)
}

/// Writes secrets sealed anew, wherever what is stored is still what they were made from; says how many sites it wrote.
pub(super) fn reseal(connection: &Connection, sealed: &[(StoredSecrets, StoredSecrets)], at: Timestamp) -> Result<u64> {
    let write = "UPDATE site SET inbound_secret = ?2, inbound_before = ?3, webhook_secret = ?4, webhook_before = ?5, \
                 akismet_key = ?6, coral_secret = ?7, coral_before = ?8 WHERE name = ?1";
    let mut written = 0;
    for (from, to) in sealed {
        if find(connection, &from.site)?.as_ref() != Some(from) {
            continue;
        }
        let before = |secret: &Option<(Vec<u8>, Timestamp)>| secret.as_ref().map(|(sealed, _)| sealed.clone());
        written += connection.prepare_cached(write)?.execute(params![
            from.site,
            to.inbound,
            before(&to.inbound_before),
            to.webhook,
            before(&to.webhook_before),
            to.akismet,
            to.coral,
            before(&to.coral_before),
        ])?;
    }
    audit::add(connection, &Actor::Console, "secrets.reseal", "", &format!("{written} sites"), at)?;
    Ok(written as u64)
}
