//! Reading a SQLite file table by table, in the order of each table's key.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, params_from_iter};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, Kind, Sum};
use super::tables::{Table, finish};
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::sqlite::source::Source;

/// Rows that are read together, and written in one commit.
pub(super) struct Batch {
    pub rows: Vec<Vec<Cell>>,
    /// Where to go on; `None` at the end.
    pub after: Option<Vec<u8>>,
}

/// A part of a key, as it is noted.
#[derive(Serialize, Deserialize)]
enum Part {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl rusqlite::ToSql for Part {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Number(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// The file, for one reader at a time.
#[derive(Clone)]
pub(super) struct Reader(Arc<Mutex<Source>>);

impl Reader {
    pub(super) fn new(source: Source) -> Self {
        Self(Arc::new(Mutex::new(source)))
    }

    /// Reads a table from where `after` says on, in batches, for as long as `each` says so. Blocks.
    pub(super) fn read(
        &self,
        table: &Table,
        after: Option<&[u8]>,
        rows_max: usize,
        mut each: impl FnMut(Batch) -> bool,
    ) -> Result<()> {
        let mut batch = Batch { rows: Vec::new(), after: None };
        let mut bytes = 0;
        let mut stopped = false;
        self.walk(table, after, |row, key| {
            if let Some(row) = row {
                bytes += row.iter().map(Cell::len).sum::<usize>();
                batch.rows.push(row);
            }
            if batch.rows.len() < rows_max && bytes < super::BATCH_BYTES {
                return Ok(true);
            }
            bytes = 0;
            batch.after = Some(key()?);
            stopped = !each(std::mem::replace(&mut batch, Batch { rows: Vec::new(), after: None }));
            Ok(!stopped)
        })?;
        if !stopped {
            each(batch);
        }
        Ok(())
    }

    /// How many rows of a table may be moved: quick, since nothing of them is read. Blocks.
    pub(super) fn count(&self, table: &Table) -> Result<u64> {
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(source.connection.query_row(&format!("SELECT count(*) FROM {}", table.from), [], |row| row.get(0))?)
    }

    /// Counts a table, and sums it up. Blocks.
    pub(super) fn sum(&self, table: &Table) -> Result<Sum> {
        let (mut sum, mut buffer) = (Sum::default(), Vec::new());
        self.walk(table, None, |row, _| {
            if let Some(row) = row {
                sum.add(table.name, &row, &mut buffer);
            }
            Ok(true)
        })?;
        Ok(sum)
    }

    /// Marks the file as moved to `place`, or takes the mark away. Blocks.
    pub(super) fn mark(&self, place: Option<&str>) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).mark(place)
    }

    /// What stands in `meta` under that name.
    pub(super) fn meta(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query = source.connection.prepare("SELECT value FROM meta WHERE name = ?1")?;
        let mut rows = query.query([name])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// The last number that a table's counter gave.
    pub(super) fn last_number(&self, table: &str) -> Result<i64> {
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query = source.connection.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?1")?;
        let mut rows = query.query([table])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?.unwrap_or(0))
    }

    /// Gives each row of a table, or `None` for one that is left behind, and its key.
    fn walk(
        &self,
        table: &Table,
        after: Option<&[u8]>,
        mut each: impl FnMut(Option<Vec<Cell>>, &dyn Fn() -> Result<Vec<u8>>) -> Result<bool>,
    ) -> Result<()> {
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after: Vec<Part> = after.map(key_of).transpose()?.unwrap_or_default();
        let read = query(table, !after.is_empty());
        let mut query = source.connection.prepare(&read)?;
        let mut rows = query.query(params_from_iter(&after))?;
        while let Some(row) = rows.next()? {
            let (cells, keys_at) = cells(&source, table, row)?;
            let cells = finish(&source.derived, table, cells)?;
            let key = || key_bytes(row, keys_at, table.keys.len());
            if !each(cells, &key)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn query(table: &Table, goes_on: bool) -> String {
    let keys = table.keys.join(", ");
    let columns: Vec<&str> = table.columns.iter().chain(table.extra).map(|column| column.source).collect();
    let marks = vec!["?"; table.keys.len()].join(", ");
    let condition = if goes_on { format!(" WHERE ({keys}) > ({marks})") } else { String::new() };
    format!("SELECT {}, {keys} FROM {}{condition} ORDER BY {keys}", columns.join(", "), table.from)
}

/// The values of a row, and where its key begins.
fn cells(source: &Source, table: &Table, row: &Row<'_>) -> Result<(Vec<Cell>, usize)> {
    let mut cells = Vec::with_capacity(table.columns.len() + table.extra.len());
    let mut at = 0;
    for column in table.columns.iter().chain(table.extra) {
        if column.kind == Kind::Comment {
            let number: Option<u32> = row.get(at)?;
            let received_at: Option<i64> = row.get(at + 1)?;
            let both = number.zip(received_at.map(Timestamp::from_millis));
            cells.push(both.map_or(Cell::Null, |(number, received_at)| Cell::Uid(source.uid(received_at, number))));
            at += 2;
        } else {
            let place = || format!("{}.{}", table.name, column.name);
            cells.push(Cell::of_sqlite(column.kind, row.get_ref(at)?, &place)?);
            at += 1;
        }
    }
    Ok((cells, at))
}

fn key_bytes(row: &Row<'_>, from: usize, parts: usize) -> Result<Vec<u8>> {
    let part = |at: usize| -> Result<Part> {
        match row.get_ref(at)? {
            ValueRef::Integer(number) => Ok(Part::Number(number)),
            ValueRef::Text(text) => Ok(Part::Text(String::from_utf8_lossy(text).into_owned())),
            ValueRef::Blob(bytes) => Ok(Part::Bytes(bytes.to_vec())),
            ValueRef::Null | ValueRef::Real(_) => Err(StoreError::Corrupt("a key that is none".to_owned())),
        }
    };
    let parts = (from..from + parts).map(part).collect::<Result<Vec<_>>>()?;
    postcard::to_stdvec(&parts).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn key_of(bytes: &[u8]) -> Result<Vec<Part>> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Corrupt(format!("where the move has got to: {error}")))
}
