//! What is known of one author on one site.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::super::db::{Cells as _, Db, number};
use super::super::sanctions;
use super::super::seen::{self, Known, Seen};
use super::linked::{self, Marks};
use super::{By, notes, numbers};
use crate::domain::comment::ExternalId;
use crate::domain::people::Reach;
use crate::domain::reads::{AuthorProfile, NameUsed, ReportsGiven};
use crate::domain::sanction::{Sanction, Target, TargetKind};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;

/// An author's comments that are counted.
const COUNTED: i64 = 10_000;
/// Of those, comments whose names and addresses are looked at.
const READ: i64 = 200;
/// The author's waiting appeals that are looked at.
const APPEALS: i64 = 2_000;

pub(super) async fn profile(
    db: &Db,
    site: SiteId,
    author: &ExternalId,
    reach: &Reach,
    now: Timestamp,
) -> Result<AuthorProfile> {
    let by = By::Account(db.hasher.account(site, author.as_str()));
    let reader = db.reader(site, author.as_str());
    let (numbers, open_appeals, reports, notes, sanctions) = tokio::try_join!(
        numbers(db, site, by, None, COUNTED, now),
        open_appeals(db, site, by, reach),
        reports(db, site, &reader),
        notes::list(db, &reader),
        sanctions(db, site, author, now),
    )?;
    let mut profile = AuthorProfile { numbers, sanctions, open_appeals, reports, notes, ..AuthorProfile::default() };
    let read = format!(
        "SELECT {}, p.network, p.email FROM comment c LEFT JOIN pseudonym p ON p.site = c.site AND p.comment = c.uid \
         WHERE c.site = $1 AND {} ORDER BY c.uid DESC LIMIT $3",
        seen::columns(),
        by.condition()
    );
    let (mut marks, mut names, mut is_latest) = (Marks::default(), BTreeMap::<String, u32>::new(), true);
    let rows = db.query(&read, &[&number(site), &by.key(), &READ]).await?;
    let theirs = rows.iter().map(Seen::read).collect::<Result<Vec<_>>>()?;
    let mut known = Known::default();
    if !reach.is_all() {
        known.learn_seen(db, &theirs).await?;
    }
    for (row, seen) in rows.iter().zip(theirs) {
        let is_seen = known.lies_within(site, &seen.content, reach);
        let sent = seen.content.comment;
        if let Some(used) = sent.author.name.as_ref().filter(|_| is_seen) {
            *names.entry(used.clone()).or_default() += 1;
        }
        if is_latest {
            profile.role.clone_from(&sent.author.role);
            profile.registered_at = sent.author.registered_at;
            is_latest = false;
        }
        marks.take(&sent, row.cell(seen::COLUMNS)?, row.cell(seen::COLUMNS + 1)?);
    }
    profile.names = names.into_iter().map(|(name, comments)| NameUsed { name, comments }).collect();
    profile.names.sort_by_key(|used| std::cmp::Reverse(used.comments));
    profile.linked = linked::search(db, site, author, reach, marks, now).await?;
    Ok(profile)
}

/// Those in force that aim at the author.
async fn sanctions(db: &Db, site: SiteId, author: &ExternalId, now: Timestamp) -> Result<Vec<Sanction>> {
    let Ok(target) = Target::parse(TargetKind::Author, author.as_str(), Some(site)) else { return Ok(Vec::new()) };
    let all = sanctions::of_hash(db, &target.hash(&db.target_key)).await?;
    Ok(all.into_iter().filter(|sanction| sanction.is_active(now)).collect())
}

async fn open_appeals(db: &Db, site: SiteId, by: By, reach: &Reach) -> Result<Vec<Uuid>> {
    let read = format!(
        "SELECT {}, a.uid FROM appeal a JOIN comment c ON c.site = a.site AND c.uid = a.comment \
         WHERE a.state = 0 AND a.site = $1 AND {} ORDER BY a.at, a.id LIMIT $3",
        seen::columns(),
        by.condition()
    );
    let found = db.query(&read, &[&number(site), &by.key(), &APPEALS]).await?;
    let appealed = found.iter().map(Seen::read).collect::<Result<Vec<_>>>()?;
    let mut known = Known::default();
    known.learn_seen(db, &appealed).await?;
    let within = found.iter().zip(&appealed).filter(|(_, seen)| known.lies_within(site, &seen.content, reach));
    within.map(|(row, _)| row.cell(seen::COLUMNS)).collect()
}

async fn reports(db: &Db, site: SiteId, reader: &[u8; 16]) -> Result<ReportsGiven> {
    let read = "SELECT count(*), count(*) FILTER (WHERE outcome = 0), count(*) FILTER (WHERE outcome = 1), \
                count(*) FILTER (WHERE outcome = 2), count(*) FILTER (WHERE outcome = 1 AND credit) FROM report \
                WHERE site = $1 AND reader = $2";
    let row = db.query_one(read, &[&number(site), &reader.as_slice()]).await?;
    let count = |at: usize| -> Result<u32> { Ok(u32::try_from(row.cell::<i64>(at)?).unwrap_or(u32::MAX)) };
    Ok(ReportsGiven { given: count(0)?, open: count(1)?, upheld: count(2)?, dismissed: count(3)?, credited: count(4)? })
}
