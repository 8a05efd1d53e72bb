//! Members of campaigns with their comments, many at a time, and which of them lie within somebody's reach.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Row as Cell;

use super::super::batch;
use super::super::db::{Cells as _, Db, number, signed};
use super::super::rows::{self, Row};
use super::super::work::Work;
use super::{DecidedBy, Found};
use crate::domain::comment::Article;
use crate::domain::decision::{Record, Status};
use crate::domain::people::Reach;
use crate::domain::store::{Place, Result};
use crate::storage::codec;

/// A member whose comment is there.
pub(super) struct Joined {
    pub row: Row,
    /// The how-manieth it was to join.
    pub number: u32,
    /// Left out of a decision by a person who saw it.
    pub seen: bool,
    /// Whether the comment lies in the queue, held or drawn.
    pub waits: bool,
}

impl Joined {
    /// Reads [`columns`].
    fn read(cell: &Cell) -> Result<Self> {
        Ok(Self { row: Row::read(cell)?, number: cell.natural(13)?, seen: cell.cell(14)?, waits: cell.cell(15)? })
    }

    /// As people see it: somebody looks at what waits, and is not to be told which of it was drawn.
    pub(super) fn status(&self) -> Status {
        if self.waits { Status::Held } else { self.row.status }
    }

    /// Whether it stands approved and no person has looked at it.
    pub(super) fn is_unseen(&self) -> bool {
        !self.seen && self.status() == Status::Approved && self.row.decided_by != DecidedBy::Person
    }

    pub(super) async fn record(&self, db: &Db) -> Result<Record> {
        let name = db.site_name(db, self.row.site).await?;
        Ok(rows::record_named(name, &self.row, self.row.content()?, self.waits))
    }
}

/// Of `campaign_member m`, `comment c` and `queue q`, in this order.
fn columns() -> String {
    format!("{}, m.number, m.seen, q.comment IS NOT NULL", rows::COLUMNS)
}

const FROM: &str = "campaign_member m JOIN comment c ON c.site = m.site AND c.uid = m.comment \
                    LEFT JOIN queue q ON q.site = m.site AND q.comment = m.comment";

/// Which members to read.
pub(super) struct Wanted {
    /// Those that joined after the one of that number.
    pub after: u32,
    /// Of that status, as people see it.
    pub status: Option<Status>,
    /// That stand approved and that no person has looked at.
    pub recheck: bool,
    pub most: usize,
}

impl Wanted {
    /// The first so many.
    pub(super) const fn first(most: usize) -> Self {
        Self { after: 0, status: None, recheck: false, most }
    }
}

/// Members on these sites (`None` for all), by number.
pub(super) async fn read(db: &Db, campaign: i64, sites: Option<&[i32]>, wanted: &Wanted) -> Result<Vec<Joined>> {
    let read = format!(
        "SELECT {} FROM {FROM} WHERE m.campaign = $1 AND m.number > $2 AND ($3::integer[] IS NULL OR m.site = ANY ($3)) \
         AND ($4::smallint IS NULL OR CASE WHEN q.comment IS NOT NULL THEN 2 ELSE c.status END = $4) \
         AND (NOT $5 OR (c.status = 1 AND q.comment IS NULL AND c.decided_by <> 2 AND NOT m.seen)) \
         ORDER BY m.number LIMIT $6",
        columns()
    );
    let status = wanted.status.map(batch::status_code);
    let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
    let found = db.query(&read, &[&campaign, &signed(wanted.after), &sites, &status, &wanted.recheck, &most]).await?;
    found.iter().map(Joined::read).collect()
}

/// The first `most` members of each of these campaigns, on these sites, by campaign and number.
pub(super) async fn first_of_each(
    db: &Db,
    campaigns: &[i64],
    sites: Option<&[i32]>,
    most: usize,
) -> Result<Vec<(i64, Joined)>> {
    let read = format!(
        "SELECT {}, m.campaign FROM unnest($1::bigint[]) AS k (id) CROSS JOIN LATERAL \
         (SELECT m.* FROM campaign_member m WHERE m.campaign = k.id AND ($2::integer[] IS NULL OR m.site = ANY ($2)) \
         AND EXISTS (SELECT 1 FROM comment c WHERE c.site = m.site AND c.uid = m.comment) ORDER BY m.number LIMIT $3) m \
         JOIN comment c ON c.site = m.site AND c.uid = m.comment \
         LEFT JOIN queue q ON q.site = m.site AND q.comment = m.comment ORDER BY m.campaign, m.number",
        columns()
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let found = db.query(&read, &[&campaigns, &sites, &most]).await?;
    found.iter().map(|cell| Ok((cell.cell(16)?, Joined::read(cell)?))).collect()
}

/// Locks the comments of all members, in the order of uids, and then the campaign: now nobody joins or changes it. Answers what it is now, and
/// its members by number.
pub(super) async fn lock(work: &Work, found: &Found) -> Result<Option<(Found, Vec<Joined>)>> {
    let lock = "SELECT count(*) FROM (SELECT 1 FROM campaign_member m JOIN comment c ON c.site = m.site AND c.uid = m.comment \
                WHERE m.campaign = $1 ORDER BY c.uid FOR UPDATE OF c) locked";
    work.query_one(lock, &[&found.id]).await?;
    let Some(found) = super::by_uid_locked(work, found.uid).await? else { return Ok(None) };
    // Some may have joined while the campaign was not locked yet. What is locked already costs nothing to lock again.
    work.query_one(lock, &[&found.id]).await?;
    let members = read(work, found.id, None, &Wanted::first(usize::MAX)).await?;
    Ok(Some((found, members)))
}

/// The numbers of the sites that somebody works on; `None` for all.
pub(super) async fn sites_within(db: &Db, reach: &Reach) -> Result<Option<Vec<i32>>> {
    let Some(names) = &reach.sites else { return Ok(None) };
    let found = db.query("SELECT id FROM site WHERE name = ANY ($1)", &[names]).await?;
    found.iter().map(|row| row.cell(0)).collect::<Result<Vec<i32>>>().map(Some)
}

/// Which of these lie within that reach.
pub(super) async fn tell_within(db: &Db, members: Vec<Joined>, reach: &Reach) -> Result<Vec<(Joined, bool)>> {
    if reach.is_all() {
        return Ok(members.into_iter().map(|member| (member, true)).collect());
    }
    if reach.has_whole_sites() {
        let mut told = Vec::with_capacity(members.len());
        for member in members {
            let is_within = reach.covers_site(&db.site_name(db, member.row.site).await?);
            told.push((member, is_within));
        }
        return Ok(told);
    }
    let mut places = Vec::with_capacity(members.len());
    for member in &members {
        let content = member.row.content()?;
        let site = db.site_name(db, member.row.site).await?;
        places.push((
            Place { site, section: content.comment.article.section.clone(), lang: content.lang },
            content.comment.article.id,
        ));
    }
    // Where the comment does not say its section, the article may be known.
    let unknown: HashSet<(i32, &str)> = members
        .iter()
        .zip(&places)
        .filter(|(_, (place, _))| place.section.is_none())
        .map(|(member, (_, article))| (number(member.row.site), article.as_str()))
        .collect();
    let sections = sections(db, &unknown).await?;
    let within: Vec<bool> = members
        .iter()
        .zip(&places)
        .map(|(member, (place, article))| {
            let known = || sections.get(&(number(member.row.site), article.as_str().to_owned())).cloned();
            let section = place.section.clone().or_else(known);
            Place { section, ..place.clone() }.lies_within(reach)
        })
        .collect();
    Ok(members.into_iter().zip(within).collect())
}

async fn sections(db: &Db, of: &HashSet<(i32, &str)>) -> Result<HashMap<(i32, String), String>> {
    if of.is_empty() {
        return Ok(HashMap::new());
    }
    let (sites, names): (Vec<i32>, Vec<&str>) = of.iter().copied().unzip();
    let read = "SELECT a.site, a.name, a.b FROM unnest($1::integer[], $2::text[]) AS k (site, name) \
                JOIN article a ON a.site = k.site AND a.name = k.name";
    let mut sections = HashMap::new();
    for row in db.query(read, &[&sites, &names]).await? {
        let article: Article = codec::decode("an article", row.cell(2)?)?;
        if let Some(section) = article.section {
            sections.insert((row.cell(0)?, row.cell(1)?), section);
        }
    }
    Ok(sections)
}

/// How many members within reach, of all campaigns, stand approved and are to be looked at; ten thousand are looked at. Triggers keep `recheck`.
pub(super) async fn count_rechecks(db: &Db, reach: &Reach) -> Result<u64> {
    let sites = sites_within(db, reach).await?;
    let due = "SELECT r.site, r.comment FROM recheck r WHERE $1::integer[] IS NULL OR r.site = ANY ($1) LIMIT 10000";
    if reach.has_whole_sites() {
        let read = format!("SELECT count(*) FROM ({due}) due");
        return db.query_one(&read, &[&sites]).await?.cell::<i64>(0).map(i64::unsigned_abs);
    }
    let read = format!(
        "SELECT {} FROM ({due}) due JOIN campaign_member m ON m.site = due.site AND m.comment = due.comment \
         JOIN comment c ON c.site = m.site AND c.uid = m.comment \
         LEFT JOIN queue q ON q.site = m.site AND q.comment = m.comment",
        columns()
    );
    let found = db.query(&read, &[&sites]).await?;
    let members = found.iter().map(Joined::read).collect::<Result<Vec<_>>>()?;
    let told = tell_within(db, members, reach).await?;
    Ok(told.iter().filter(|(_, is_within)| *is_within).count() as u64)
}
