//! Who works here, and who did what.

use std::sync::Arc;

use crate::domain::people::Person;
use crate::domain::store::{AuditFilter, AuditLine, ListError, Page, PageRequest, Result, Store};

/// The way for whoever oversees.
pub struct Oversight {
    store: Arc<dyn Store>,
}

impl Oversight {
    /// Over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The record of who did what, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<AuditLine>, ListError> {
        self.store.audit_list(filter, page).await
    }

    /// All open accounts.
    ///
    /// # Errors
    /// The store failed.
    pub async fn people(&self) -> Result<Vec<Person>> {
        self.store.people().await
    }
}
