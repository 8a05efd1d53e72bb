//! A file that is read as a whole, to be moved elsewhere: nobody serves it or writes to it meanwhile. In the end it is marked as moved.

use std::fs::File;

use rusqlite::Connection;
use uuid::Uuid;

use super::error::OpenError;
use super::moved;
use super::open::{self, Whole};
use super::uid::Seal;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::Config;
use crate::storage::derived::Derived;

/// See the module.
pub(in crate::storage) struct Source {
    /// In one transaction: everything is as it was at one moment.
    pub connection: Connection,
    /// The secret of the database, and what is made from it.
    pub secret: [u8; 32],
    pub derived: Derived,
    seal: Seal,
    /// Nobody writes to the file as long as this is held, and it is not marked.
    guard: Connection,
    /// Nobody else serves the file as long as this is held.
    _lock: File,
}

impl Source {
    /// Blocks.
    pub(in crate::storage) fn open(config: &Config) -> std::result::Result<Self, OpenError> {
        let Whole { connection, guard, lock, secret } = open::whole(config)?;
        let derived = Derived::new(&secret);
        let seal = Seal::new(&derived.uid_key);
        Ok(Self { connection, secret, derived, seal, guard, _lock: lock })
    }

    /// Where everything was moved to, if it was. Blocks.
    pub(in crate::storage) fn moved_to(&self) -> Result<Option<String>> {
        Ok(moved::moved_to(&self.guard)?)
    }

    /// Marks the file as moved to `place`, or takes the mark away. Blocks.
    pub(in crate::storage) fn mark(&self, place: Option<&str>) -> Result<()> {
        Ok(open::mark(&self.guard, place)?)
    }

    /// The uid of the comment in that row.
    pub(in crate::storage) fn uid(&self, received_at: Timestamp, row: u32) -> Uuid {
        self.seal.uid(received_at, row)
    }
}
