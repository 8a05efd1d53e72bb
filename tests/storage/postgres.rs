//! The suite on PostgreSQL, and what this engine must do besides.
//!
//! Runs where `DOORWARD_TEST_POSTGRES` names a database that may be filled with schemas, one for each test: `scripts/test` starts one. Without
//! it these tests say that they were skipped; with `DOORWARD_POSTGRES=required` they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use doorward::domain::store::Store;
use doorward::storage::Config;
use doorward::storage::postgres::PostgresStore;
use tokio_postgres::NoTls;

use crate::suite::Engine;

/// Runs the suite where there is a database to run it on.
macro_rules! where_there_is_one {
    ($engine:ident, $test:expr) => {
        match Schema::new().await {
            Some($engine) => $test.await,
            None => skipped(),
        }
    };
}

crate::run_on_each!(engine => where_there_is_one);

/// A schema in the database, used by one test.
pub(crate) struct Schema {
    url: String,
}

pub(crate) fn skipped() {
    assert_ne!(
        std::env::var("DOORWARD_POSTGRES").as_deref(),
        Ok("required"),
        "DOORWARD_TEST_POSTGRES names no database, and one is required"
    );
    eprintln!("SKIPPED: DOORWARD_TEST_POSTGRES names no PostgreSQL database to test on (scripts/test starts one)");
}

impl Schema {
    /// A fresh one; `None` where there is no database.
    pub(crate) async fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("DOORWARD_TEST_POSTGRES").ok().filter(|url| !url.is_empty())?;
        let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let driven = tokio::spawn(connection);
        let make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
        client.batch_execute(&make).await.unwrap();
        drop(client);
        driven.await.unwrap().unwrap();
        Some(Self { url: format!("{url}?options=-csearch_path%3D{name}") })
    }

    pub(crate) fn config(&self) -> Config {
        Config { url: self.url.clone(), connections: 6, ..Config::default() }
    }
}

#[async_trait]
impl Engine for Schema {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&self.config()).await.unwrap())
    }

    /// The server has what was committed, whatever becomes of whoever asked for it: a crash leaves the same database.
    async fn crashed(&self) -> Box<dyn Engine> {
        Box::new(Self { url: self.url.clone() })
    }
}
