//! What is on its way to sites and what could not be delivered, for the people who look after it.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::decision::Actor;
use crate::domain::outbox::{Letter, LetterFilter};
use crate::domain::people::Reach;
use crate::domain::store::{AuditEntry, ListError, Page, PageRequest, Result, Store};
use crate::domain::time::Timestamp;

/// Which dead letters to send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// These.
    These(Vec<Uuid>),
    /// All of one site.
    Site(String),
    /// All.
    All,
}

/// See the module.
pub struct Letters {
    store: Arc<dyn Store>,
}

impl Letters {
    /// Over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Letters of the sites within reach, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list(
        &self,
        site: Option<String>,
        dead: bool,
        reach: &Reach,
        page: &PageRequest,
    ) -> std::result::Result<Page<Letter>, ListError> {
        let filter = LetterFilter { site, dead, ids: None, within: reach.sites.clone() };
        self.store.outbox_list(&filter, page).await
    }

    /// Puts dead letters of the sites within reach back on their way, and says how many.
    ///
    /// # Errors
    /// The store failed. Perhaps they are on their way: again is harmless.
    pub async fn resend(&self, which: Again, reach: &Reach, by: Actor, now: Timestamp) -> Result<u64> {
        let (site, ids) = match which {
            Again::These(ids) => (None, Some(ids)),
            Again::Site(site) => (Some(site), None),
            Again::All => (None, None),
        };
        let filter = LetterFilter { site, dead: true, ids, within: reach.sites.clone() };
        let sent = self.store.outbox_resend(&filter, now).await?;
        if sent > 0 {
            let subject = filter.site.unwrap_or_default();
            let letters = if sent == 1 { "letter" } else { "letters" };
            let detail = format!("{sent} {letters}");
            let entry = AuditEntry { by, action: "outbox.resend".to_owned(), subject, detail, at: now };
            self.store.audit_note(entry).await?;
        }
        Ok(sent)
    }
}
