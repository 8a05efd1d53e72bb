//! Where a site's webhooks go, and the sealed secrets that go with them.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::db::{Cells as _, Db};
use super::work::Work;
use crate::domain::decision::Actor;
use crate::domain::store::{Result, SecretKind, StoredSecrets};
use crate::domain::time::Timestamp;

/// Sets or takes away where webhooks go. A receiver that was gone is tried again. `false` when there is no such site.
pub(super) async fn webhook_set(work: &Work, site: &str, url: Option<&str>, at: Timestamp) -> Result<bool> {
    let write = "UPDATE site SET webhook = $2, webhook_gone_at = NULL WHERE name = $1";
    let found = work.execute(write, &[&site, &url]).await? > 0;
    if found {
        // Not the address itself: it may hold a secret of the receiver.
        work.audit(&Actor::Console, "site.webhook", site, if url.is_some() { "set" } else { "none" }, at);
    }
    Ok(found)
}

const COLUMNS: &str = "name, inbound_secret, inbound_before, inbound_before_until, webhook_secret, webhook_before, \
                       webhook_before_until, akismet_key, coral_secret, coral_before, coral_before_until";

pub(super) async fn find(db: &Db, site: &str) -> Result<Option<StoredSecrets>> {
    let found = db.query_opt(&format!("SELECT {COLUMNS} FROM site WHERE name = $1"), &[&site]).await?;
    found.as_ref().map(read).transpose()
}

pub(super) async fn all(db: &Db) -> Result<Vec<StoredSecrets>> {
    let all = db.query(&format!("SELECT {COLUMNS} FROM site ORDER BY name COLLATE \"C\""), &[]).await?;
    all.iter().map(read).collect()
}

fn read(row: &Row) -> Result<StoredSecrets> {
    let before = |secret: usize, until: usize| -> Result<_> {
        let (secret, until): (Option<Vec<u8>>, Option<i64>) = (row.cell(secret)?, row.cell(until)?);
        Ok(secret.zip(until.map(Timestamp::from_millis)))
    };
    Ok(StoredSecrets {
        site: row.cell(0)?,
        inbound: row.cell(1)?,
        inbound_before: before(2, 3)?,
        webhook: row.cell(4)?,
        webhook_before: before(5, 6)?,
        akismet: row.cell(7)?,
        coral: row.cell(8)?,
        coral_before: before(9, 10)?,
    })
}

/// Replaces one secret; the one before stays valid for a time. `false` when there is no such site.
pub(super) async fn rotate(
    work: &Work,
    site: &str,
    kind: SecretKind,
    sealed: &[u8],
    before_until: Timestamp,
    at: Timestamp,
) -> Result<bool> {
    let (write, action) = match kind {
        SecretKind::Inbound => (
            "UPDATE site SET inbound_before = inbound_secret, inbound_before_until = $3, inbound_secret = $2 WHERE name = $1",
            "site.secret.inbound",
        ),
        SecretKind::Webhook => (
            "UPDATE site SET webhook_before = webhook_secret, webhook_before_until = $3, webhook_secret = $2 WHERE name = $1",
            "site.secret.webhook",
        ),
        SecretKind::Coral => (
            "UPDATE site SET coral_before = coral_secret, coral_before_until = $3, coral_secret = $2 WHERE name = $1",
            "site.secret.coral",
        ),
    };
    let found = work.execute(write, &[&site, &sealed, &before_until.as_millis()]).await? > 0;
    if found {
        work.audit(&Actor::Console, action, site, "", at);
    }
    Ok(found)
}

/// Writes secrets sealed anew, wherever what is stored is still what they were made from; says how many sites it wrote.
pub(super) async fn reseal(work: &Work, sealed: &[(StoredSecrets, StoredSecrets)], at: Timestamp) -> Result<u64> {
    let lock = format!("SELECT {COLUMNS} FROM site WHERE name = ANY ($1) ORDER BY id FOR NO KEY UPDATE");
    let names: Vec<&str> = sealed.iter().map(|(from, _)| from.site.as_str()).collect();
    let stored = work.query(&lock, &[&names]).await?.iter().map(read).collect::<Result<Vec<_>>>()?;
    let write = "UPDATE site SET inbound_secret = $2, inbound_before = $3, webhook_secret = $4, webhook_before = $5, \
                 akismet_key = $6, coral_secret = $7, coral_before = $8 WHERE name = $1";
    let before = |secret: &Option<(Vec<u8>, Timestamp)>| secret.as_ref().map(|(sealed, _)| sealed.clone());
    let mut written = 0;
    for (from, to) in sealed.iter().filter(|(from, _)| stored.contains(from)) {
        let (inbound, webhook) = (before(&to.inbound_before), before(&to.webhook_before));
        let coral = before(&to.coral_before);
        let (site, akismet) = (&from.site, &to.akismet);
        let values: [&(dyn ToSql + Sync); 8] =
            [site, &to.inbound, &inbound, &to.webhook, &webhook, akismet, &to.coral, &coral];
        written += work.execute(write, &values).await?;
    }
    work.audit(&Actor::Console, "secrets.reseal", "", &format!("{written} sites"), at);
    Ok(written)
}
