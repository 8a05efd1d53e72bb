//! Who works here, and who did what.

use std::sync::Arc;

use crate::domain::decision::Actor;
use crate::domain::people::Person;
use crate::domain::store::{
    AuditCheck, AuditEntry, AuditFilter, AuditLine, ListError, Page, PageRequest, Result, Store,
};
use crate::domain::time::Timestamp;

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

    /// Whether every line of the record is there, in its place, and says what it said. Reads all of it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn check(&self) -> Result<AuditCheck> {
        self.store.audit_verify(None).await
    }

    /// Puts on record that the record is read as a whole.
    ///
    /// # Errors
    /// The store failed.
    pub async fn note_export(&self, by: &Person, format: &str, now: Timestamp) -> Result<()> {
        let (action, subject) = ("audit.export".to_owned(), format.to_owned());
        let by = Actor::Person(by.email.clone());
        self.store.audit_note(AuditEntry { by, action, subject, detail: String::new(), at: now }).await
    }

    /// Puts on record that the log has another level for a time.
    ///
    /// # Errors
    /// The store failed.
    pub async fn note_log_level(&self, by: &Person, level: &str, for_s: u32, now: Timestamp) -> Result<()> {
        let (action, subject, detail) = ("log.level".to_owned(), level.to_owned(), format!("for {for_s} s"));
        let by = Actor::Person(by.email.clone());
        self.store.audit_note(AuditEntry { by, action, subject, detail, at: now }).await
    }

    /// All open accounts.
    ///
    /// # Errors
    /// The store failed.
    pub async fn people(&self) -> Result<Vec<Person>> {
        self.store.people().await
    }
}
