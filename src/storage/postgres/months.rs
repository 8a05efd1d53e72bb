//! Months of comments in partitions of their own: made before they are needed, dropped when their comments are too old to be kept.
//!
//! A uid is a UUID v7, so a month is a range of uids, and everything that is partitioned by them goes with its month at once. What else is kept
//! of these comments is deleted before, in steps that no lock outlives, and once more afterwards: what was written of them meanwhile. Whatever
//! stops it, the next look goes on.

use time::{Date, Duration, Month, OffsetDateTime};
use uuid::Uuid;

use super::db::{Cells as _, Db};
use super::error;
use super::uid;
use super::work::{Work, transact};
use super::{PostgresStore, campaigns, learning, patience};
use crate::domain::decision::Actor;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// What is partitioned by months.
pub(in crate::storage) const PARTITIONED: [&str; 4] = ["comment", "revision", "happening", "search"];
/// What else is kept of a comment, in a column `comment`; and labels and samples, of which more is to be done than to delete them.
const BESIDE: [&str; 10] = [
    "search_due",
    "moved",
    "ruling_item",
    "sanction_effect",
    "report",
    "vote",
    "pseudonym",
    "campaign_member",
    "imported",
    "akismet_callback",
];
/// Those of [`PARTITIONED`] whose rows may lie in the partition for the rest although the month has one: it was made while a comment's was there
/// already, and this table's was not.
const LATE: [&str; 3] = ["revision", "happening", "search"];
/// The same, where nothing may be missing as long as the comment is there. Names are last: as long as one is there, its comment is found or there
/// is none, and then a site may use it again. Letters stay: those that cannot be said any more are settled when their turn comes, and that a
/// comment was erased is to be said all the same.
const BESIDE_AFTER: [&str; 3] = ["queue", "appeal", "comment_name"];
/// Months that there are partitions for, the present one included.
const AHEAD: u32 = 3;
/// What names in `meta` of months begin with that were dropped.
const EXPIRED: &str = "expired_";
/// Blocks of a table, of 8 KiB each, that one step looks through.
const STEP_BLOCKS: i64 = 4_096;
/// How far this machine's clock may be ahead of the database's before it is said, in milliseconds.
const CLOCKS_APART_MS: i64 = 60_000;
/// How often a partition is tried to be made that somebody waits for.
const MAKING_ATTEMPTS: u32 = 5;
/// How long making or dropping a partition waits for whoever reads: comments wait behind it.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '2s'";
/// The same for each further table, while nobody can read or write the first: all of them together must not keep comments waiting until they are refused.
const LOCK_WAIT_MORE: &str = "SET LOCAL lock_timeout = '500ms'";

impl PostgresStore {
    /// Makes the partitions of the present month and of those that follow. May run on several nodes at once, and again.
    ///
    /// # Errors
    /// The store failed, or others kept a table busy: the next look goes on.
    pub(super) async fn months_make(&self, now: Timestamp) -> Result<()> {
        let mut month = MonthOf::of(now)?;
        for _ in 0..AHEAD {
            self.month_make(month).await?;
            month = month.next()?;
        }
        Ok(())
    }

    /// Makes the partitions of the months in which these moments lie, where there are none. Whoever reads may keep a table busy for a moment: then it is
    /// tried again.
    ///
    /// # Errors
    /// The store failed, or others kept a table busy all the time.
    pub(super) async fn months_of(&self, moments: impl Iterator<Item = Timestamp> + Send) -> Result<()> {
        let mut wanted = moments.map(MonthOf::of).collect::<Result<Vec<_>>>()?;
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let there = months(&self.db().await?).await?;
        for month in wanted.into_iter().filter(|month| !there.contains(month)) {
            let mut attempt = 1;
            while let Err(error) = self.month_make(month).await {
                if attempt == MAKING_ATTEMPTS {
                    return Err(error);
                }
                attempt += 1;
            }
        }
        Ok(())
    }

    /// As [`Self::months_make`]; also drops the months whose last comment is older than `retain_days`, with everything that is kept of their
    /// comments (0: none). Answers the months that went, as in `2026_08`. Comments that lie in no month's partition stay. May run on several
    /// nodes at once, and again.
    ///
    /// # Errors
    /// The store failed, or others kept a table busy: the next look goes on.
    pub(super) async fn months_keep(&self, now: Timestamp, retain_days: u32) -> Result<Vec<String>> {
        self.months_make(now).await?;
        for month in expired(&self.db().await?).await? {
            self.month_clear(month).await?; // it was dropped, and then something came in between
        }
        let mut gone = Vec::new();
        if retain_days > 0 {
            // One machine whose clock is ahead must not drop what the others still show: what goes is too old by the database's clock, too.
            let theirs = self.clock().await?;
            if now.as_millis() - theirs.as_millis() > CLOCKS_APART_MS {
                tracing::warn!(
                    ahead_s = (now.as_millis() - theirs.as_millis()) / 1_000,
                    "this machine's clock is ahead of the database's; what is too old goes by the database's"
                );
            }
            let oldest = now.min(theirs).plus_millis(-i64::from(retain_days) * 86_400_000);
            for month in months(&self.db().await?).await? {
                if month.next()?.begin() <= oldest {
                    self.month_drop(month, now).await?;
                    gone.push(month.name());
                }
            }
        }
        Ok(gone)
    }

    /// What time it is where the database is.
    pub(super) async fn clock(&self) -> Result<Timestamp> {
        let read = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";
        Ok(Timestamp::from_millis(self.db().await?.query_one(read, &[]).await?.cell(0)?))
    }

    /// Nothing happens where it is there, or where comments of that month lie in the partition for the rest already: there they stay.
    async fn month_make(&self, month: MonthOf) -> Result<()> {
        for table in PARTITIONED {
            let is_there = "SELECT to_regclass($1) IS NOT NULL";
            if self.db().await?.query_one(is_there, &[&month.partition(table)]).await?.cell(0)? {
                continue;
            }
            let make = month.making(table)?;
            let made: Result<()> = transact!(self, work => {
                work.batch(LOCK_WAIT).await?;
                work.batch(patience::AT_LENGTH).await?; // the partition for the rest is read through
                work.batch(&make).await
            });
            match made {
                Err(error) if error::is_there_already(&error) => {
                    if table == "comment" && error::is_in_the_rest(&error) {
                        tracing::warn!(
                            month = month.name(),
                            "comments of this month came before there was a partition for it: they stay in comment_rest, and are never dropped"
                        );
                    }
                }
                made => made?,
            }
        }
        Ok(())
    }

    async fn month_drop(&self, month: MonthOf, now: Timestamp) -> Result<()> {
        self.beside_clear(month, &BESIDE).await?;
        self.unlearn(month).await?;
        transact!(self, work => drop_partitions(&work, month, now).await)?;
        self.month_clear(month).await
    }

    /// What was written of comments of a month while it was dropped, and what had to stay until then.
    async fn month_clear(&self, month: MonthOf) -> Result<()> {
        self.beside_clear(month, &BESIDE).await?;
        self.unlearn(month).await?;
        for table in LATE {
            let rest = format!("{table}_rest");
            self.step_through(&rest, &format!("DELETE FROM {rest} WHERE comment >= $1 AND comment < $2"), month)
                .await?;
        }
        self.beside_clear(month, &BESIDE_AFTER).await?;
        // As when a comment is erased: what nobody looked at never will be, and that a person did look stays.
        let unseen = "DELETE FROM sample WHERE ruling IS NULL AND comment >= $1 AND comment < $2";
        self.step_through("sample", unseen, month).await?;
        let sample = "UPDATE sample SET comment = NULL WHERE comment >= $1 AND comment < $2";
        self.step_through("sample", sample, month).await?;
        let end = month.next()?.begin().as_millis();
        transact!(self, work => drop_rulings(&work, end).await)?;
        transact!(self, work => drop_campaigns(&work, end).await)?;
        self.db().await?.execute("DELETE FROM meta WHERE name = $1", &[&month.expired()]).await?;
        Ok(())
    }

    /// As when a comment is erased: its labels go, and each is a change that sites learn anew from. A model that learned one of them answers nothing
    /// after the next start of a node, so nobody may have to wait for the next decision until it is learned without.
    async fn unlearn(&self, month: MonthOf) -> Result<()> {
        let labels =
            learning::forget_all("comment >= $1 AND comment < $2 AND ctid >= $3::text::tid AND ctid < $4::text::tid");
        self.steps("label", &labels, month).await
    }

    async fn beside_clear(&self, month: MonthOf, tables: &[&str]) -> Result<()> {
        for table in tables {
            let delete = format!("DELETE FROM {table} WHERE comment >= $1 AND comment < $2");
            self.step_through(table, &delete, month).await?;
        }
        Ok(())
    }

    /// Does `change` to a part of the table after the other, each in its own commit.
    async fn step_through(&self, table: &str, change: &str, month: MonthOf) -> Result<()> {
        let change = format!("{change} AND ctid >= $3::text::tid AND ctid < $4::text::tid");
        self.steps(table, &change, month).await
    }

    /// The same of a statement that names the part itself.
    async fn steps(&self, table: &str, change: &str, month: MonthOf) -> Result<()> {
        let (first, next) = month.uids()?;
        let size = "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint";
        let blocks: i64 = self.db().await?.query_one(size, &[&table]).await?.cell(0)?;
        let mut from = 0;
        while from <= blocks {
            let to = from + STEP_BLOCKS;
            transact!(self, work => {
                work.batch(patience::AT_LENGTH).await?;
                work.execute(change, &[&first, &next, &format!("({from},0)"), &format!("({to},0)")]).await
            })?;
            from = to;
        }
        Ok(())
    }
}

/// Drops what is partitioned, with what nobody will be asked about any more.
async fn drop_partitions(work: &Work, month: MonthOf, now: Timestamp) -> Result<()> {
    work.batch(LOCK_WAIT).await?;
    // From this commit on it is known that what lies beside the month has to go, whatever happens to this process.
    let note = "INSERT INTO meta (name, value) VALUES ($1, '') ON CONFLICT (name) DO NOTHING";
    work.execute(note, &[&month.expired()]).await?;
    let is_there = "SELECT to_regclass($1) IS NOT NULL";
    if !work.query_one(is_there, &[&format!("comment_{}", month.name())]).await?.cell::<bool>(0)? {
        return Ok(()); // another node waited less long for its lock
    }
    for table in PARTITIONED {
        work.batch(&format!("DROP TABLE IF EXISTS {table}_{}; {LOCK_WAIT_MORE}", month.name())).await?;
    }
    work.batch(LOCK_WAIT).await?;
    let (first, next) = month.uids()?;
    let waiting = "DELETE FROM queue WHERE comment >= $1 AND comment < $2";
    let waiting = work.execute(waiting, &[&first, &next]).await?;
    let open = "DELETE FROM appeal WHERE state = 0 AND comment >= $1 AND comment < $2";
    let open = work.execute(open, &[&first, &next]).await?;
    let unanswered = format!("{waiting} waiting, {open} open appeals");
    work.audit(&Actor::Console, "comments.expire", &month.name(), &unanswered, now);
    Ok(())
}

/// Rulings until `end` of which no comment is left.
async fn drop_rulings(work: &Work, end: i64) -> Result<()> {
    work.batch(patience::AT_LENGTH).await?;
    let rulings =
        "DELETE FROM ruling r WHERE at < $1 AND NOT EXISTS (SELECT FROM ruling_item i WHERE i.ruling = r.uid)";
    work.execute(rulings, &[&end]).await?;
    Ok(())
}

/// Campaigns that nobody joined since `end` and that have no members left.
async fn drop_campaigns(work: &Work, end: i64) -> Result<()> {
    work.batch(patience::AT_LENGTH).await?;
    let read = "SELECT id FROM campaign c WHERE last_at < $1 AND state <> 4 \
                AND NOT EXISTS (SELECT FROM campaign_member m WHERE m.campaign = c.id)";
    let empty = work.query(read, &[&end]).await?;
    let empty = empty.iter().map(|row| row.cell(0)).collect::<Result<Vec<i64>>>()?;
    campaigns::drop_emptied(work, &empty).await
}

/// The months that were dropped, and beside which something may be left.
async fn expired(db: &Db) -> Result<Vec<MonthOf>> {
    let noted = db.query("SELECT name FROM meta WHERE starts_with(name, $1) ORDER BY name", &[&EXPIRED]).await?;
    let mut months = Vec::new();
    for row in noted {
        months.extend(MonthOf::named(EXPIRED, row.cell::<&str>(0)?));
    }
    Ok(months)
}

/// The months that have a partition.
async fn months(db: &Db) -> Result<Vec<MonthOf>> {
    let read = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                WHERE i.inhparent = 'comment'::regclass ORDER BY c.relname";
    let mut months = Vec::new();
    for row in db.query(read, &[]).await? {
        months.extend(MonthOf::named("comment_", row.cell::<&str>(0)?));
    }
    Ok(months)
}

/// A month of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::storage) struct MonthOf(Date);

impl MonthOf {
    fn of(at: Timestamp) -> Result<Self> {
        let at = OffsetDateTime::from_unix_timestamp(at.as_millis().div_euclid(1_000));
        let day = at.map_err(|error| StoreError::Unavailable(Box::new(error)))?.date();
        Self::first_day(day)
    }

    fn first_day(day: Date) -> Result<Self> {
        day.replace_day(1).map(Self).map_err(|error| StoreError::Unavailable(Box::new(error)))
    }

    fn next(self) -> Result<Self> {
        Self::first_day(self.0.saturating_add(Duration::days(31)))
    }

    fn begin(self) -> Timestamp {
        Timestamp::from_millis(self.0.midnight().assume_utc().unix_timestamp().saturating_mul(1_000))
    }

    /// In which a comment of that uid lies.
    pub(in crate::storage) fn of_uid(uid: Uuid) -> Result<Self> {
        let ms = i64::try_from(uid.as_u128() >> 80).unwrap_or(i64::MAX); // 48 bits are fewer
        Self::of(Timestamp::from_millis(ms))
    }

    /// What makes its partition of a table.
    pub(in crate::storage) fn making(self, table: &str) -> Result<String> {
        let (first, next) = (uid::first(self.begin()), uid::first(self.next()?.begin()));
        let name = self.partition(table);
        Ok(format!("CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{first}') TO ('{next}')"))
    }

    /// Its partition of a table.
    fn partition(self, table: &str) -> String {
        format!("{table}_{}", self.name())
    }

    fn name(self) -> String {
        format!("{:04}_{:02}", self.0.year(), u8::from(self.0.month()))
    }

    /// In `meta`, from its drop until nothing is left beside it.
    fn expired(self) -> String {
        format!("{EXPIRED}{}", self.name())
    }

    /// The first uid, and the first after it.
    fn uids(self) -> Result<(Uuid, Uuid)> {
        Ok((uid::first(self.begin()), uid::first(self.next()?.begin())))
    }

    /// Of a partition's name, as of any that begins with `prefix`; `None` for the partition of the rest.
    fn named(prefix: &str, partition: &str) -> Option<Self> {
        let (year, month) = partition.strip_prefix(prefix)?.split_once('_')?;
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        Date::from_calendar_date(year.parse().ok()?, month, 1).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_and_keep_their_names() {
        let november = MonthOf::of(Timestamp::parse("2026-11-30T23:59:59.999Z").unwrap()).unwrap();
        assert_eq!(november.name(), "2026_11");
        assert_eq!(november.begin(), Timestamp::parse("2026-11-01T00:00:00Z").unwrap());
        let january = november.next().unwrap().next().unwrap();
        assert_eq!(january.name(), "2027_01");
        assert_eq!(MonthOf::named("comment_", "comment_2027_01"), Some(january));
        assert_eq!(MonthOf::named("comment_", "comment_rest"), None);
        let last = uid::first(january.begin().plus_millis(-1));
        assert_eq!(MonthOf::of_uid(last).unwrap().name(), "2026_12");
        assert_eq!(MonthOf::of_uid(uid::first(january.begin())).unwrap(), january);
    }
}
