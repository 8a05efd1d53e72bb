//! Which named queue each row waits in, asked once for all rows that are alike.

use std::collections::HashMap;

use rusqlite::Connection;

use super::super::shared::Shared;
use super::kept::Kept;
use super::orders::Alike;
use crate::domain::service::queues::{Queues, Waits};
use crate::domain::store::Result;
use crate::storage::waiting::category_of;

/// See the module.
pub(super) struct Named<'a> {
    connection: &'a Connection,
    shared: &'a Shared,
    kept: &'a Kept,
    queues: &'a Queues,
    known: HashMap<(u32, u8, u32, u32, u32), Option<usize>>,
}

impl<'a> Named<'a> {
    pub(super) fn new(connection: &'a Connection, shared: &'a Shared, kept: &'a Kept, queues: &'a Queues) -> Self {
        Self { connection, shared, kept, queues, known: HashMap::new() }
    }

    /// The place of their queue.
    pub(super) fn of(&mut self, alike: &Alike) -> Result<Option<usize>> {
        if self.queues.is_empty() {
            return Ok(None);
        }
        let key = (alike.site, alike.category, alike.signals, alike.section, alike.lang);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let kept = self.kept;
        let Some(site) = kept.site(alike.site) else { return Ok(None) };
        let queue = self.queues.of(&Waits {
            site: &self.shared.site_name(self.connection, site)?,
            category: category_of(alike.category.into()),
            signals: kept.signals.name(alike.signals).unwrap_or_default(),
            section: kept.sections.name(alike.section),
            lang: kept.langs.name(alike.lang),
        });
        self.known.insert(key, queue);
        Ok(queue)
    }
}
