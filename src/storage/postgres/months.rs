//! Months of comments in partitions of their own: made before they are needed, dropped when their comments are too old to be kept.
//!
//! A uid is a UUID v7, so a month is a range of uids, and everything that is partitioned by them goes with its month at once. What else is kept
//! of these comments is deleted before, in steps that no lock outlives; whatever stops it, the next look goes on.

use time::{Date, Duration, Month, OffsetDateTime};

use super::PostgresStore;
use super::db::{Cells as _, Db};
use super::error;
use super::uid;
use super::work::{Work, transact};
use crate::domain::decision::Actor;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;

/// What is partitioned by months.
const PARTITIONED: [&str; 4] = ["comment", "revision", "happening", "search"];
/// What else is kept of a comment, in a column `comment`. Names are freed with it: a site may use them again.
const BESIDE: [&str; 13] = [
    "queue",
    "search_due",
    "moved",
    "ruling_item",
    "sanction_effect",
    "report",
    "vote",
    "pseudonym",
    "campaign_member",
    "outbox",
    "appeal",
    "label",
    "comment_name",
];
/// Months that there are partitions for, the present one included.
const AHEAD: u32 = 3;
/// Blocks of a table, of 8 KiB each, that one step looks through.
const STEP_BLOCKS: i64 = 4_096;
/// How far this machine's clock may be ahead of the database's before it is said, in milliseconds.
const CLOCKS_APART_MS: i64 = 60_000;
/// How long making or dropping a partition waits for whoever reads: comments wait behind it.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '2s'";

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

    /// As [`Self::months_make`]; also drops the months whose last comment is older than `retain_days`, with everything that is kept of their
    /// comments (0: none). Answers the months that went, as in `2026_08`. Comments that lie in no month's partition stay. May run on several
    /// nodes at once, and again.
    ///
    /// # Errors
    /// The store failed, or others kept a table busy: the next look goes on.
    pub(super) async fn months_keep(&self, now: Timestamp, retain_days: u32) -> Result<Vec<String>> {
        self.months_make(now).await?;
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
    async fn clock(&self) -> Result<Timestamp> {
        let read = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";
        Ok(Timestamp::from_millis(self.db().await?.query_one(read, &[]).await?.cell(0)?))
    }

    /// Nothing happens where it is there, or where comments of that month lie in the partition for the rest already: there they stay.
    async fn month_make(&self, month: MonthOf) -> Result<()> {
        let (first, next) = (uid::first(month.begin()), uid::first(month.next()?.begin()));
        for table in PARTITIONED {
            let name = format!("{table}_{}", month.name());
            let is_there = "SELECT to_regclass($1) IS NOT NULL";
            if self.db().await?.query_one(is_there, &[&name]).await?.cell(0)? {
                continue;
            }
            let make = format!("CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{first}') TO ('{next}')");
            let made: Result<()> = transact!(self, work => {
                work.batch(LOCK_WAIT).await?;
                work.batch(&make).await
            });
            match made {
                Err(error) if error::is_there_already(&error) => {}
                made => made?,
            }
        }
        Ok(())
    }

    async fn month_drop(&self, month: MonthOf, now: Timestamp) -> Result<()> {
        let (first, next) = (uid::first(month.begin()), uid::first(month.next()?.begin()));
        for table in BESIDE {
            let delete = format!("DELETE FROM {table} WHERE comment >= $1 AND comment < $2");
            self.step_through(table, &delete, first, next).await?;
        }
        // That there was one stays, as when a comment is erased.
        self.step_through(
            "sample",
            "UPDATE sample SET comment = NULL WHERE comment >= $1 AND comment < $2",
            first,
            next,
        )
        .await?;
        transact!(self, work => drop_partitions(&work, month, now).await)
    }

    /// Does `change` to a part of the table after the other, each in its own commit.
    async fn step_through(&self, table: &str, change: &str, first: uuid::Uuid, next: uuid::Uuid) -> Result<()> {
        let db = self.db().await?;
        let size = "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint";
        let blocks: i64 = db.query_one(size, &[&table]).await?.cell(0)?;
        let change = format!("{change} AND ctid >= $3::text::tid AND ctid < $4::text::tid");
        let mut from = 0;
        while from <= blocks {
            let to = from + STEP_BLOCKS;
            db.execute(&change, &[&first, &next, &format!("({from},0)"), &format!("({to},0)")]).await?;
            from = to;
        }
        Ok(())
    }
}

async fn drop_partitions(work: &Work, month: MonthOf, now: Timestamp) -> Result<()> {
    work.batch(LOCK_WAIT).await?;
    for table in PARTITIONED {
        work.batch(&format!("DROP TABLE IF EXISTS {table}_{}", month.name())).await?;
    }
    let rulings =
        "DELETE FROM ruling r WHERE at < $1 AND NOT EXISTS (SELECT FROM ruling_item i WHERE i.ruling = r.uid)";
    let end = month.next()?.begin().as_millis();
    work.execute(rulings, &[&end]).await?;
    let campaigns = "DELETE FROM campaign c WHERE last_at < $1 AND state <> 4 \
                     AND NOT EXISTS (SELECT FROM campaign_member m WHERE m.campaign = c.id)";
    work.execute(campaigns, &[&end]).await?;
    work.audit(&Actor::Console, "comments.expire", &month.name(), "", now);
    Ok(())
}

/// The months that have a partition.
async fn months(db: &Db) -> Result<Vec<MonthOf>> {
    let read = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                WHERE i.inhparent = 'comment'::regclass ORDER BY c.relname";
    let mut months = Vec::new();
    for row in db.query(read, &[]).await? {
        months.extend(MonthOf::named(row.cell::<&str>(0)?));
    }
    Ok(months)
}

/// A month of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MonthOf(Date);

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

    fn name(self) -> String {
        format!("{:04}_{:02}", self.0.year(), u8::from(self.0.month()))
    }

    /// Of a partition's name; `None` for the partition of the rest.
    fn named(partition: &str) -> Option<Self> {
        let (year, month) = partition.strip_prefix("comment_")?.split_once('_')?;
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
        assert_eq!(MonthOf::named("comment_2027_01"), Some(january));
        assert_eq!(MonthOf::named("comment_rest"), None);
    }
}
