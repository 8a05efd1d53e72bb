//! Deleting a site with everything that is its.

use uuid::Uuid;

use super::db::{Cells as _, number};
use super::work::Work;
use super::{campaigns, patience};
use crate::domain::decision::Actor;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// Comments go first: whoever changes something of a comment holds its row, so that what they wrote is there when its table's turn comes, and
/// nobody begins anew.
const TABLES: [&str; 30] = [
    "comment",
    "comment_name",
    "queue",
    "search",
    "search_due",
    "revision",
    "happening",
    "moved",
    "ruling_item",
    "sanction_effect",
    "report",
    "vote",
    "pseudonym",
    "campaign_member",
    "campaign_wait",
    "article",
    "outbox",
    "delivery",
    "appeal",
    "author_note",
    "label",
    "learner",
    "site_model",
    "model_change",
    "sample",
    "sanction",
    "imported",
    "import_file",
    "akismet_callback",
    "erasure",
];

/// Keeps a site from being deleted until the end of this transaction, so that nothing written of it is left behind.
pub(super) async fn hold(work: &Work, site: SiteId) -> Result<()> {
    if work.exists("SELECT 1 FROM site WHERE id = $1 FOR KEY SHARE", &[&number(site)]).await? {
        Ok(())
    } else {
        Err(StoreError::Unavailable("the site is deleted".into()))
    }
}

/// Deletes a site and everything of its comments. `false` when there is none of that name.
pub(super) async fn delete(work: &Work, name: &str, by: &Actor, at: Timestamp) -> Result<bool> {
    work.batch(patience::AT_LENGTH).await?;
    // Locked before anything is looked for: comments on their way are written before, or find no site.
    let lock = "SELECT id FROM site WHERE name = $1 FOR UPDATE";
    let Some(found) = work.query_opt(lock, &[&name]).await? else { return Ok(false) };
    let site: i32 = found.cell(0)?;
    // Those of several sites stay for the others.
    let rulings = "SELECT coalesce(array_agg(DISTINCT ruling), '{}') FROM ruling_item WHERE site = $1";
    let rulings: Vec<Uuid> = work.query_one(rulings, &[&site]).await?.cell(0)?;
    let campaigns = "SELECT coalesce(array_agg(DISTINCT campaign), '{}') FROM campaign_member WHERE site = $1";
    let campaigns: Vec<i64> = work.query_one(campaigns, &[&site]).await?.cell(0)?;
    // Sent together, done in their order.
    let deletes: Vec<String> = TABLES.iter().map(|table| format!("DELETE FROM {table} WHERE site = {site}")).collect();
    work.batch(&deletes.join("; ")).await?;
    // Locked before it is asked whether anything is left of them: the other site may be deleted, or a comment of it join, right now.
    work.query("SELECT 1 FROM ruling WHERE uid = ANY ($1) ORDER BY uid FOR UPDATE", &[&rulings]).await?;
    let emptied =
        "DELETE FROM ruling r WHERE uid = ANY ($1) AND NOT EXISTS (SELECT FROM ruling_item i WHERE i.ruling = r.uid)";
    work.execute(emptied, &[&rulings]).await?;
    campaigns::drop_emptied(work, &campaigns).await?;
    work.execute("DELETE FROM site WHERE id = $1", &[&site]).await?;
    work.audit(by, "site.delete", name, "", at);
    Ok(true)
}
