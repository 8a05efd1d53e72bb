//! What rules do and whether people agree, for whoever oversees whole sites.

use super::{Desk, ReadError};
use crate::app::truth::{self, Ask, COUNTED_MAX, DECIDED_MAX, Hits, PATIENCE, Which};
use crate::domain::people::Person;
use crate::domain::rules::Told;
use crate::domain::time::Timestamp;
use crate::domain::truth::Account;

/// Which time, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesAsked {
    /// On that site alone, by name.
    pub site: Option<String>,
    /// Of comments that came at or after that moment.
    pub since: Timestamp,
    /// And before that one.
    pub until: Timestamp,
}

impl Desk {
    /// What rules, checks and limits did on the sites within reach, and what people decided.
    ///
    /// # Errors
    /// There is no such site within reach; the store failed.
    pub async fn rules(&self, asked: &RulesAsked, by: &Person, now: Timestamp) -> Result<Account, ReadError> {
        let ask = self.ask(asked, by).await?;
        let _turn = self.counting.acquire().await; // only fails when it is closed, which nobody does
        let lens = truth::lens(&self.settings.current());
        Ok(truth::account(&*self.store, lens, &ask, now).await?)
    }

    /// The comments that one of them hit, from before that place.
    ///
    /// # Errors
    /// As [`Self::rules`].
    pub async fn rule_hits(
        &self,
        asked: &RulesAsked,
        (id, which): (&str, Which),
        before: Option<u128>,
        most: usize,
        by: &Person,
    ) -> Result<Hits, ReadError> {
        let ask = self.ask(asked, by).await?;
        let _turn = self.counting.acquire().await; // only fails when it is closed, which nobody does
        let lens = truth::lens(&self.settings.current());
        Ok(truth::hits(&*self.store, lens, &ask, id, which, before, most).await?)
    }

    /// What a rule in the settings says; `None` for what is no rule, not there any more, or for none of the sites within reach.
    #[must_use]
    pub fn rule(&self, id: &str, by: &Person) -> Option<Told> {
        let house = self.settings.current();
        let told = house.rules.told().find(|(known, _)| *known == id).map(|(_, told)| told)?;
        let is_within = told.sites.is_empty() || told.sites.iter().any(|site| by.reach.covers_site(site));
        is_within.then(|| told.clone())
    }

    async fn ask(&self, asked: &RulesAsked, by: &Person) -> Result<Ask, ReadError> {
        let site = asked.site.as_deref();
        let sites = truth::sites_of(by, site).ok_or(ReadError::NotFound("site"))?;
        if let Some(site) = site
            && !self.store.sites().await?.iter().any(|known| *known.name == *site)
        {
            return Err(ReadError::NotFound("site"));
        }
        let (since, until) = (asked.since, asked.until);
        let patience = Some(PATIENCE);
        Ok(Ask { sites, since, until, counted_max: COUNTED_MAX, decided_max: DECIDED_MAX, patience })
    }
}
