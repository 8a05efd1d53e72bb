//! Messages that came by webhook, by the hash of their senders' ids: ids are as long as senders like.

use super::db::{Cells as _, number};
use super::work::Work;
use crate::domain::site::SiteId;
use crate::domain::store::{Delivery, Result};
use crate::domain::time::Timestamp;

/// Notes a message. Of several at once under one id, one is new.
pub(super) async fn note(work: &Work, site: SiteId, id: &str, body: [u8; 32], at: Timestamp) -> Result<Delivery> {
    let name = work.reader(site, id);
    let write = "INSERT INTO delivery (site, id, body, at) SELECT s.id, $2, $3, $4 FROM site s WHERE s.id = $1 FOR KEY SHARE \
                 ON CONFLICT (site, id) DO NOTHING";
    if work.execute(write, &[&number(site), &&name[..], &&body[..], &at.as_millis()]).await? > 0 {
        return Ok(Delivery::New);
    }
    let read = "SELECT body, done FROM delivery WHERE site = $1 AND id = $2";
    let known = work.query_opt(read, &[&number(site), &&name[..]]).await?;
    match known {
        Some(known) if known.cell::<&[u8]>(0)? == body => Ok(Delivery::Again { done: known.cell(1)? }),
        Some(_) => Ok(Delivery::Conflict),
        None => Ok(Delivery::New), // pruned just now, or its site is deleted: whoever acts on it finds that out
    }
}

/// Notes that what a message asked for was done.
pub(super) async fn done(work: &Work, site: SiteId, id: &str) -> Result<()> {
    let write = "UPDATE delivery SET done = true WHERE site = $1 AND id = $2";
    work.execute(write, &[&number(site), &&work.reader(site, id)[..]]).await?;
    Ok(())
}

/// Forgets messages noted before that moment, and says how many.
pub(super) async fn prune(work: &Work, before: Timestamp) -> Result<u64> {
    work.execute("DELETE FROM delivery WHERE at < $1", &[&before.as_millis()]).await
}
