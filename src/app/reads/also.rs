//! What else would come through with what would have let one comment through: whoever changes a setting should see that first.

use super::{Desk, ReadError};
use crate::domain::category::PerCategory;
use crate::domain::decision::Record;
use crate::domain::explain::WhatIf;
use crate::domain::people::Person;
use crate::domain::reads::AlsoLetsThrough;

impl Desk {
    /// What the smallest change that would have let the comment through would let through besides, within the person's reach; `None` where no
    /// single change would do. `record` is one that the person may see, as people see it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn also_lets_through(&self, record: &Record, by: &Person) -> Result<Option<AlsoLetsThrough>, ReadError> {
        let house = self.settings.current();
        let config = house.policy_of(&record.site).config();
        let hold = PerCategory::from_fn(|category| config.category(category).hold.get());
        let Some(what_if) = WhatIf::of(&record.verdict, hold) else { return Ok(None) };
        Ok(Some(self.store.also_lets_through(&what_if, record.uid, &by.reach).await?))
    }
}
