//! Writing into a PostgreSQL database, so that it can be stopped and gone on with after every commit.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio::task::JoinHandle;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Transaction};

use super::cell::{Cell, Kind, Sum};
use super::source::Batch;
use super::tables::{TABLES, Table};
use super::{MoveError, rights};
use crate::domain::store::{Result, StoreError};
use crate::storage::Config;
use crate::storage::postgres::error::is_there_already;
use crate::storage::postgres::months::{MonthOf, PARTITIONED};
use crate::storage::postgres::nodes::SERVING;
use crate::storage::postgres::open::{MOVING, to_move_into, up_to_date};

/// In `meta`, once a move is done: what it was from.
const MOVED: &str = "moved";
/// Rows that are read again between two words about it.
const SAID_ROWS: u64 = 2_000;
/// What those who move into one schema hold; several installations may share a database.
const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('doorward move ' || current_schema(), 0))";

/// How far a table has got.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub after: Option<Vec<u8>>,
    pub rows: u64,
    pub done: bool,
}

/// The database, held against anybody else who would move into it.
pub(super) struct Target {
    client: Client,
    driven: JoinHandle<()>,
    /// Months of which the partitions are there.
    months: BTreeSet<MonthOf>,
}

impl Target {
    /// Connects, makes the schema when it is missing, and marks the database as unfinished: from now on nobody serves it. What was moved into it
    /// before, from the same source, stays.
    pub(super) async fn open(config: &Config, secret: &[u8; 32], from: &[u8]) -> std::result::Result<Self, MoveError> {
        let (mut client, driven) = to_move_into(config).await?;
        if let Some(what) = rights::missing(&client).await.map_err(failed)? {
            return Err(MoveError::Rights(what));
        }
        up_to_date(&mut client).await?;
        let mut target = Self { client, driven, months: BTreeSet::new() };
        target.begin(secret, from).await?;
        Ok(target)
    }

    async fn begin(&mut self, secret: &[u8; 32], from: &[u8]) -> std::result::Result<(), MoveError> {
        let lock = self.client.query_one(LOCK, &[]).await.map_err(failed)?;
        if !lock.get::<_, bool>(0) {
            return Err(MoveError::Busy);
        }
        // Rows and how far they have got are lost together, if at all: nothing waits for the disk but the last commit.
        self.client.batch_execute("SET synchronous_commit = off").await.map_err(failed)?;
        match self.meta(MOVING).await?.as_deref() {
            Some(begun) if begun == from => {
                self.check_nobody_serves().await?;
                return self.check_columns().await;
            }
            Some(_) => return Err(MoveError::OtherMove),
            None => {}
        }
        if self.meta(MOVED).await?.as_deref() == Some(from) {
            return Err(MoveError::AlreadyMoved);
        }
        if let Some(table) = self.first_with_rows().await? {
            return Err(MoveError::NotEmpty(table));
        }
        self.check_nobody_serves().await?;
        self.check_columns().await?;
        let work = self.client.transaction().await.map_err(failed)?;
        let make = "CREATE TABLE move_progress (step text PRIMARY KEY, after bytea, rows bigint NOT NULL, done boolean NOT NULL)";
        work.batch_execute(make).await.map_err(failed)?;
        set_meta(&work, "secret", secret).await?;
        set_meta(&work, MOVING, from).await?;
        work.commit().await.map_err(failed)?;
        Ok(())
    }

    async fn meta(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = self.client.query_opt("SELECT value FROM meta WHERE name = $1", &[&name]).await?;
        Ok(found.map(|row| row.get(0)))
    }

    async fn first_with_rows(&self) -> Result<Option<&'static str>> {
        for table in names() {
            let has = format!("SELECT EXISTS (SELECT FROM {table})");
            if self.client.query_one(&has, &[]).await?.get(0) {
                return Ok(Some(table));
            }
        }
        Ok(None)
    }

    /// That nobody takes comments in here: whoever does has read another secret, and would write beside what arrives.
    async fn check_nobody_serves(&self) -> std::result::Result<(), MoveError> {
        let serving = self.client.query_opt(SERVING, &[]).await.map_err(failed)?;
        serving.map_or(Ok(()), |row| Err(MoveError::TargetServed(row.get(0))))
    }

    /// That every column is what is to be written into it.
    async fn check_columns(&self) -> std::result::Result<(), MoveError> {
        for table in TABLES {
            let read = self.client.prepare(&select(table)).await.map_err(failed)?;
            let wanted = table.columns.iter().map(|column| column.kind.at_destination());
            if !read.columns().iter().map(|column| column.type_().clone()).eq(wanted) {
                return Err(MoveError::Store(StoreError::Corrupt(format!("columns of {}", table.name))));
            }
        }
        Ok(())
    }

    /// How far the tables have got, by step.
    pub(super) async fn progress(&self) -> Result<HashMap<String, Progress>> {
        let rows = self.client.query("SELECT step, after, rows, done FROM move_progress", &[]).await?;
        let progress = rows.iter().map(|row| {
            let rows = row.get::<_, i64>(2).unsigned_abs();
            (row.get(0), Progress { after: row.get(1), rows, done: row.get(3) })
        });
        Ok(progress.collect())
    }

    /// Writes a batch and how far the table has got with it, in one commit.
    pub(super) async fn write(&mut self, table: &Table, batch: &Batch, progress: &mut Progress) -> Result<()> {
        if PARTITIONED.contains(&table.name) {
            self.make_room(&batch.rows).await?;
        }
        let work = self.client.transaction().await?;
        if !batch.rows.is_empty() {
            copy(&work, table, &batch.rows).await?;
        }
        if table.name == "comment" {
            due(&work, &batch.rows).await?;
        }
        progress.rows += batch.rows.len() as u64;
        progress.done = batch.after.is_none();
        progress.after.clone_from(&batch.after);
        let note = "INSERT INTO move_progress (step, after, rows, done) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (step) DO UPDATE SET after = excluded.after, rows = excluded.rows, done = excluded.done";
        let rows = i64::try_from(progress.rows).unwrap_or(i64::MAX);
        work.execute(note, &[&table.step, &progress.after, &rows, &progress.done]).await?;
        Ok(work.commit().await?)
    }

    /// Makes the partitions of the months in which these comments lie: what lies in the partition for the rest is never dropped with its month.
    async fn make_room(&mut self, rows: &[Vec<Cell>]) -> Result<()> {
        for row in rows {
            let [_, Cell::Uid(uid), ..] = row.as_slice() else { continue };
            let month = MonthOf::of_uid(*uid)?;
            if !self.months.insert(month) {
                continue;
            }
            for table in PARTITIONED {
                match self.client.batch_execute(&month.making(table)?).await.map_err(StoreError::from) {
                    Err(error) if is_there_already(&error) => {}
                    made => made?,
                }
            }
        }
        Ok(())
    }

    /// Writes a mark of the source.
    pub(super) async fn mark(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let work = self.client.transaction().await?;
        set_meta(&work, name, value).await?;
        Ok(work.commit().await?)
    }

    /// Counts a table, and sums it up; `so_far` hears now and then how many rows that were.
    pub(super) async fn sum(&self, table: &Table, so_far: &mut (dyn FnMut(u64) + Send)) -> Result<Sum> {
        let none: [&(dyn ToSql + Sync); 0] = [];
        let mut rows = pin!(self.client.query_raw(&select(table), none).await?);
        let (mut sum, mut buffer) = (Sum::default(), Vec::new());
        while let Some(row) = rows.try_next().await? {
            let kinds = table.columns.iter().enumerate();
            let cells =
                kinds.map(|(at, column)| Cell::of_postgres(column.kind, &row, at)).collect::<Result<Vec<_>>>()?;
            sum.add(table.name, &cells, &mut buffer);
            if sum.rows.is_multiple_of(SAID_ROWS) {
                so_far(sum.rows);
            }
        }
        Ok(sum)
    }

    /// Lets counters go on after the last numbers, gives up what the move needed, and lets the database be served.
    pub(super) async fn finish(
        self,
        from: &[u8],
        last_numbers: &[(&Table, i64)],
    ) -> std::result::Result<(), MoveError> {
        // A node that opened the database just before the move began says only afterwards that it is there.
        self.check_nobody_serves().await?;
        Ok(self.release(from, last_numbers).await?)
    }

    async fn release(mut self, from: &[u8], last_numbers: &[(&Table, i64)]) -> Result<()> {
        // Or the first questions are answered without knowing what is there.
        let all: Vec<&str> = names().into_iter().collect();
        self.client.batch_execute(&format!("ANALYZE {}", all.join(", "))).await?;
        self.client.batch_execute("SET synchronous_commit = on").await?;
        let work = self.client.transaction().await?;
        for (table, last) in last_numbers.iter().filter(|(_, last)| *last > 0) {
            let set = format!(
                "SELECT setval(pg_get_serial_sequence('{0}', 'id'), greatest($1, (SELECT max(id)::bigint FROM {0})))",
                table.name
            );
            work.execute(&set, &[last]).await?;
        }
        work.batch_execute("DROP TABLE move_progress").await?;
        work.execute("DELETE FROM meta WHERE name = $1", &[&MOVING]).await?;
        set_meta(&work, MOVED, from).await?;
        work.commit().await?;
        drop(self.client);
        let _ = self.driven.await; // it ends with its client
        Ok(())
    }
}

/// Each table of the destination once.
pub(super) fn names() -> BTreeSet<&'static str> {
    TABLES.iter().map(|table| table.name).collect()
}

fn failed(error: tokio_postgres::Error) -> MoveError {
    MoveError::Store(error.into())
}

fn columns(table: &Table) -> String {
    table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

fn select(table: &Table) -> String {
    format!("SELECT {} FROM {}", columns(table), table.name)
}

async fn copy(work: &Transaction<'_>, table: &Table, rows: &[Vec<Cell>]) -> Result<()> {
    let sink = work.copy_in(&format!("COPY {} ({}) FROM STDIN BINARY", table.name, columns(table))).await?;
    let types: Vec<Type> = table.columns.iter().map(|column| column.kind.at_destination()).collect();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for row in rows {
        let row: Vec<&(dyn ToSql + Sync)> = row.iter().map(|cell| cell as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&row).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// Comments' words are entered into the index by whoever serves the database.
async fn due(work: &Transaction<'_>, rows: &[Vec<Cell>]) -> Result<()> {
    let sink = work.copy_in("COPY search_due (site, comment) FROM STDIN BINARY").await?;
    let types = [Kind::Int.at_destination(), Kind::Uid.at_destination()];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for row in rows {
        let [site, uid, ..] = row.as_slice() else { continue };
        writer.as_mut().write(&[site, uid]).await?;
    }
    writer.finish().await?;
    Ok(())
}

async fn set_meta(work: &Transaction<'_>, name: &str, value: &[u8]) -> Result<()> {
    let write =
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    work.execute(write, &[&name, &value]).await?;
    Ok(())
}
