//! One connection out of the pool, whose statements are prepared once each.

use std::ops::Deref;
use std::sync::Arc;

use deadpool_postgres::Object;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Row, RowStream};

use super::shared::Shared;
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};

/// What a statement is given: `$1` first.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection to read with: each statement sees what was committed before it.
pub(super) struct Db {
    client: Object,
    pub shared: Arc<Shared>,
}

impl Db {
    pub(super) const fn new(client: Object, shared: Arc<Shared>) -> Self {
        Self { client, shared }
    }

    /// Prepares a statement, so that it is sent at once when it is used.
    pub(super) async fn prepare(&self, sql: &str) -> Result<()> {
        self.client.prepare_cached(sql).await?;
        Ok(())
    }

    /// All rows. Several of these awaited together are sent together.
    pub(super) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    /// The one row, or none; more than one is an error.
    pub(super) async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query_opt(&statement, params).await?)
    }

    /// The one row.
    pub(super) async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query_one(&statement, params).await?)
    }

    /// Whether there is a row.
    pub(super) async fn exists(&self, sql: &str, params: Params<'_>) -> Result<bool> {
        Ok(!self.query(sql, params).await?.is_empty())
    }

    /// How many rows it changed.
    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.execute(&statement, params).await?)
    }

    /// All rows, one after the other as they come: for more than should lie in memory.
    pub(super) async fn stream(&self, sql: &str, params: Params<'_>) -> Result<RowStream> {
        let statement = self.client.prepare_cached(sql).await?;
        Ok(self.client.query_raw(&statement, params.iter().copied()).await?)
    }

    /// Statements without parameters or answer.
    pub(super) async fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// The connection, to be closed instead of being given back.
    pub(super) fn detach(self) {
        drop(Object::take(self.client));
    }
}

impl Deref for Db {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// Reading columns: what does not fit is damage, and no panic.
pub(super) trait Cells {
    /// The column of that number.
    fn cell<'a, T: FromSql<'a>>(&'a self, at: usize) -> Result<T>;
    /// A column that holds a number which our own type has no sign for.
    fn natural(&self, at: usize) -> Result<u32>;
    /// The site of that column.
    fn site(&self, at: usize) -> Result<SiteId>;
}

impl Cells for Row {
    fn cell<'a, T: FromSql<'a>>(&'a self, at: usize) -> Result<T> {
        self.try_get(at).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    fn natural(&self, at: usize) -> Result<u32> {
        let number: i32 = self.cell(at)?;
        u32::try_from(number).map_err(|_| StoreError::Corrupt(format!("column {at}: {number} is negative")))
    }

    fn site(&self, at: usize) -> Result<SiteId> {
        self.natural(at).map(SiteId)
    }
}

/// A site as a column holds it.
pub(super) fn number(site: SiteId) -> i32 {
    signed(site.0)
}

/// A count as a column holds it: two thousand million and more are all the same.
pub(super) fn signed(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
