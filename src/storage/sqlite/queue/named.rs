//! Which named queue each row waits in, asked once for all rows that are alike.

use std::collections::HashMap;

use rusqlite::Connection;

use super::super::shared::Shared;
use super::kept::{Entry, Kept};
use crate::domain::service::queues::{Queues, Waits};
use crate::domain::store::Result;
use crate::storage::waiting::category_of;

/// See the module.
pub(super) struct Named<'a> {
    queues: &'a Queues,
    known: HashMap<(u32, u8, u32, u32, u32), Option<usize>>,
}

impl<'a> Named<'a> {
    pub(super) fn new(queues: &'a Queues) -> Self {
        Self { queues, known: HashMap::new() }
    }

    /// The place of its queue.
    pub(super) fn of(
        &mut self,
        connection: &Connection,
        shared: &Shared,
        kept: &Kept,
        entry: &Entry,
    ) -> Result<Option<usize>> {
        if self.queues.is_empty() {
            return Ok(None);
        }
        let alike = (entry.site, entry.category, entry.signals, entry.section, entry.lang);
        if let Some(known) = self.known.get(&alike) {
            return Ok(*known);
        }
        let Some(site) = kept.site(entry.site) else { return Ok(None) };
        let queue = self.queues.of(&Waits {
            site: &shared.site_name(connection, site)?,
            category: category_of(entry.category.into()),
            signals: kept.signals.name(entry.signals).unwrap_or_default(),
            section: kept.sections.name(entry.section),
            lang: kept.langs.name(entry.lang),
        });
        self.known.insert(alike, queue);
        Ok(queue)
    }
}
