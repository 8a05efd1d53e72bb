//! Deleting a site with everything that is its.

use uuid::Uuid;

use super::db::Cells as _;
use super::work::Work;
use crate::domain::decision::Actor;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// Comments go first: whoever changes something of a comment holds its row, so that what they wrote is there when its table's turn comes, and
/// nobody begins anew.
const TABLES: [&str; 26] = [
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
];

/// Deletes a site and everything of its comments. `false` when there is none of that name.
pub(super) async fn delete(work: &Work, name: &str, by: &Actor, at: Timestamp) -> Result<bool> {
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
    let emptied =
        "DELETE FROM ruling r WHERE uid = ANY ($1) AND NOT EXISTS (SELECT FROM ruling_item i WHERE i.ruling = r.uid)";
    work.execute(emptied, &[&rulings]).await?;
    let emptied = "DELETE FROM campaign c WHERE id = ANY ($1) AND state <> 4 \
                   AND NOT EXISTS (SELECT FROM campaign_member m WHERE m.campaign = c.id)";
    work.execute(emptied, &[&campaigns]).await?;
    work.execute("DELETE FROM site WHERE id = $1", &[&site]).await?;
    work.audit(by, "site.delete", name, "", at);
    Ok(true)
}
