//! Sites and their keys.

use std::sync::Arc;

use tokio_postgres::Row;

use super::db::{Cells as _, Db, number};
use super::work::Work;
use crate::domain::decision::Actor;
use crate::domain::site::{Scope, Site, SiteId};
use crate::domain::store::{KeyHash, Result, SealedSecrets, SiteKey};
use crate::domain::time::Timestamp;

pub(super) const SITE: &str = "s.id, s.name, s.url, s.webhook, s.created_at";

/// `None` when the name is taken.
#[expect(clippy::too_many_arguments, reason = "a site is created with everything that it will ever have")]
pub(super) async fn site_create(
    work: &Work,
    name: &str,
    url: Option<&str>,
    webhook: Option<&str>,
    key: &KeyHash,
    scopes: &[Scope],
    secrets: &SealedSecrets,
    at: Timestamp,
) -> Result<Option<Site>> {
    let write = "INSERT INTO site (name, url, webhook, created_at, akismet_hash, akismet_key, inbound_secret, webhook_secret) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING RETURNING id";
    let akismet_hash = &secrets.akismet_hash[..];
    let SealedSecrets { akismet, inbound, webhook: outbound, .. } = secrets;
    let created = work
        .query_opt(write, &[&name, &url, &webhook, &at.as_millis(), &akismet_hash, akismet, inbound, outbound])
        .await?;
    let Some(created) = created else { return Ok(None) };
    let id = created.site(0)?;
    key_insert(work, id, key, scopes, at).await?;
    work.audit(&Actor::Console, "site.create", name, &scope_names(scopes), at);
    Ok(Some(Site { id, name: name.into(), url: url.map(Into::into), webhook: webhook.map(Into::into), created_at: at }))
}

/// All sites, by name.
pub(super) async fn sites(db: &Db) -> Result<Vec<Site>> {
    let read = format!("SELECT {SITE} FROM site s ORDER BY s.name COLLATE \"C\"");
    db.query(&read, &[]).await?.iter().map(read_site).collect()
}

/// The number of the site of that name, which nobody deletes until `work` ends.
pub(super) async fn site_locked(work: &Work, name: &str) -> Result<Option<SiteId>> {
    let read = "SELECT id FROM site WHERE name = $1 FOR NO KEY UPDATE";
    work.query_opt(read, &[&name]).await?.map(|row| row.site(0)).transpose()
}

/// Adds a key. `false` when there is no such site.
pub(super) async fn key_add(work: &Work, site: &str, key: &KeyHash, scopes: &[Scope], at: Timestamp) -> Result<bool> {
    let Some(id) = site_locked(work, site).await? else { return Ok(false) };
    key_insert(work, id, key, scopes, at).await?;
    work.audit(&Actor::Console, "site.key.add", site, &scope_names(scopes), at);
    Ok(true)
}

/// Adds a key, and takes all others away. `false` when there is no such site.
pub(super) async fn key_rotate(
    work: &Work,
    site: &str,
    key: &KeyHash,
    scopes: &[Scope],
    at: Timestamp,
) -> Result<bool> {
    let Some(id) = site_locked(work, site).await? else { return Ok(false) };
    work.execute("DELETE FROM site_key WHERE site = $1", &[&number(id)]).await?;
    key_insert(work, id, key, scopes, at).await?;
    work.audit(&Actor::Console, "site.key.rotate", site, &scope_names(scopes), at);
    Ok(true)
}

/// The site that a bearer key opens.
pub(super) async fn key_find(db: &Db, key: &KeyHash) -> Result<Option<SiteKey>> {
    let read = format!("SELECT {SITE}, k.scopes FROM site_key k JOIN site s ON s.id = k.site WHERE k.hash = $1");
    let Some(found) = db.query_opt(&read, &[&&key[..]]).await? else { return Ok(None) };
    let scopes = found.cell::<&str>(5)?.split_ascii_whitespace().filter_map(Scope::from_name).collect();
    Ok(Some(SiteKey { site: Arc::new(read_site(&found)?), scopes }))
}

async fn key_insert(work: &Work, site: SiteId, key: &KeyHash, scopes: &[Scope], at: Timestamp) -> Result<()> {
    let write = "INSERT INTO site_key (hash, site, scopes, created_at) VALUES ($1, $2, $3, $4)";
    work.execute(write, &[&&key[..], &number(site), &scope_names(scopes), &at.as_millis()]).await?;
    Ok(())
}

fn scope_names(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

pub(super) fn read_site(row: &Row) -> Result<Site> {
    Ok(Site {
        id: row.site(0)?,
        name: row.cell::<&str>(1)?.into(),
        url: row.cell::<Option<&str>>(2)?.map(Into::into),
        webhook: row.cell::<Option<&str>>(3)?.map(Into::into),
        created_at: Timestamp::from_millis(row.cell(4)?),
    })
}
