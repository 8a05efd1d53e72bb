//! Sanctions: imposed, listed, lifted, and held ready for the way in.
//!
//! Those in force are kept in memory and looked up by hash: a comment costs no read. They are read again after every change here, and after
//! a few seconds for changes by other processes. What cannot be read is `Unavailable`, never "no sanction".

mod in_force;
mod order;
mod theirs;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::in_force::{REMEMBERED_TOLD_MS, Remembered};
use self::order::check;
pub use self::order::{Aim, AlsoReject, Order};
use super::in_flight::to_its_end;
use super::live::Live;
use super::outbox;
use super::standing::Listeners;
use crate::domain::comment::{Comment, Invalid};
use crate::domain::decision::{Action, Actor};
use crate::domain::known::Known;
use crate::domain::people::{Duty, Person};
use crate::domain::sanction::{Lifted, NewSanction, Sanction, SanctionFilter, Sentence, Target, TargetKind};
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{ListError, Page, PageRequest, Ruled, Ruling, Store, StoreError};
use crate::domain::time::Timestamp;

/// `[sanctions]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether bans may be hidden from the banned: sites are told to go on showing the comments to their author.
    pub shadow_bans: bool,
    /// Sanctions in force at once, at most: they are kept in memory.
    pub max_active: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { shadow_bans: false, max_active: 100_000 }
    }
}

/// A sanction just begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Imposed {
    /// The sanction.
    pub sanction: Sanction,
    /// What was rejected with it.
    pub ruled: Option<Ruled>,
    /// Whether there was more than it rejects or looks through at once.
    pub more: bool,
}

/// Why a sanction was not imposed, shown or lifted. Nothing was changed, except where the store cannot know.
#[derive(Debug, thiserror::Error)]
pub enum SanctionError {
    /// A part of the order cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such site, or it lies outside the person's reach.
    #[error("there is no site `{0}`")]
    NoSite(String),
    /// There is no such comment, or it lies outside the person's reach.
    #[error("there is no comment of that uid")]
    NoComment,
    /// A sanction reaches further than the person.
    #[error("{0}")]
    BeyondReach(&'static str),
    /// Shadow bans are off.
    #[error("shadow bans are off here: the operator may set sanctions.shadow_bans")]
    ShadowOff,
    /// As many are in force as may be.
    #[error("{0} sanctions are in force, and no more may be: lift some, or raise sanctions.max_active")]
    Full(usize),
    /// There is none of that id, or it lies outside the person's reach.
    #[error("no sanction of that id")]
    NotFound,
    /// It was lifted before.
    #[error("this sanction was lifted already")]
    AlreadyLifted,
    /// The store failed. Perhaps done: look again before asking again.
    #[error("the sanction could not be stored")]
    Store(#[from] StoreError),
}

/// See the module.
pub struct Sanctions {
    store: Arc<dyn Store>,
    listeners: Listeners,
    webhooks: Live<outbox::Config>,
    config: Live<Config>,
    key: [u8; 32],
    in_force: Remembered,
}

impl Sanctions {
    /// Joins the ports.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        listeners: Listeners,
        webhooks: impl Into<Live<outbox::Config>>,
        config: impl Into<Live<Config>>,
    ) -> Self {
        let key = store.target_key();
        let in_force = Remembered::of(Arc::clone(&store));
        Self { store, listeners, webhooks: webhooks.into(), config: config.into(), key, in_force }
    }

    /// The same where others tell of their changes, so that there is no need to look: whoever hears of one calls [`Self::renew`].
    #[must_use]
    pub fn hearing_of_changes(self) -> Self {
        Self { in_force: self.in_force.believed_for(REMEMBERED_TOLD_MS), ..self }
    }

    /// The same where nobody else changes them, so that only changes here are looked for.
    #[must_use]
    pub fn unshared(self) -> Self {
        Self { in_force: self.in_force.believed_for(i64::MAX), ..self }
    }

    /// What sanctions say about a comment.
    pub async fn sentence(&self, site: SiteId, comment: &Comment, now: Timestamp) -> Known<Option<Sentence>> {
        let in_force = match self.in_force.at(now).await {
            Ok(in_force) => in_force,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "sanctions could not be read");
                return Known::Unavailable("the sanctions could not be read from the store".to_owned());
            }
        };
        if in_force.count == 0 {
            return Known::Known(None);
        }
        let targets = Target::of(comment, site);
        let met = targets.iter().filter_map(|target| in_force.by_hash.get(&target.hash(&self.key))).flatten();
        let met = met.filter(|sanction| sanction.is_active(now) && sanction.site.is_none_or(|of| of == site));
        let sentence = Sentence::of(met);
        Known::Known(sentence.map(|found| Sentence { shadow: found.shadow && self.config.get().shadow_bans, ..found }))
    }

    /// Begins a sanction within a person's reach.
    ///
    /// # Errors
    /// [`SanctionError`].
    pub async fn impose(self: &Arc<Self>, order: Order, by: &Person, now: Timestamp) -> Result<Imposed, SanctionError> {
        let sites = self.store.sites().await?;
        let site = site_of(&order, &sites, by)?;
        if order.shadow && !self.config.get().shadow_bans {
            return Err(SanctionError::ShadowOff);
        }
        let value = match &order.aim {
            Aim::Value(value) => value.clone(),
            Aim::Of(uid) => self.value_of(*uid, order.kind, site, by).await?,
        };
        let target = Target::parse(order.kind, &value, site.map(|site| site.id))?;
        check(&order, &value, now)?;
        let active = self.in_force.at(now).await?.count;
        if active >= self.config.get().max_active {
            return Err(SanctionError::Full(active));
        }
        let chosen: Vec<&Site> = site.map_or_else(|| sites.iter().collect(), |site| vec![site]);
        let (items, more) = match order.also_reject {
            Some(also) => {
                let author = (order.kind == TargetKind::Author).then(|| value.clone());
                self.theirs(&chosen, &target, author, also, by, now).await?
            }
            None => (Vec::new(), false),
        };
        let also = (!items.is_empty()).then(|| Ruling {
            items,
            action: Action::Reject,
            category: None,
            reason: None,
            note: Some(match site {
                Some(_) => format!("With a sanction: {}", order.cause),
                // The cause is about other sites, too.
                None => "With a sanction on all sites".to_owned(),
            }),
            by: Actor::Person(by.email.clone()),
            at: now,
            reach: by.reach.clone(),
            tell_at: self.webhooks.get().tell_at(now),
        });
        let new = NewSanction {
            site: site.map(|site| site.id),
            measure: order.measure,
            kind: order.kind,
            hash: target.hash(&self.key),
            hint: target.hint(),
            cause: order.cause,
            shadow: order.shadow,
            by: Actor::Person(by.email.clone()),
            at: now,
            expires_at: order.expires_at,
            also,
        };
        let (this, email) = (Arc::clone(self), by.email.clone());
        to_its_end(async move {
            let (sanction, ruled) = this.store.sanction_add(new).await?;
            this.renew(now).await;
            if let Some(ruled) = &ruled {
                this.listeners.tell_all(ruled, &email, now).await;
            }
            Ok(Imposed { sanction, ruled, more })
        })
        .await
    }

    /// Ends a sanction; with `undo` also what it did, where nothing else has happened since.
    ///
    /// # Errors
    /// `NotFound`, `BeyondReach`, `AlreadyLifted`, `Store`.
    pub async fn lift(
        self: &Arc<Self>,
        uid: Uuid,
        undo: bool,
        by: &Person,
        now: Timestamp,
    ) -> Result<Lifted, SanctionError> {
        let sanction = self.find(uid, by).await?;
        may_sanction(by, sanction.site_name.as_deref())?;
        let (actor, tell_at) = (Actor::Person(by.email.clone()), self.webhooks.get().tell_at(now));
        let (this, email) = (Arc::clone(self), by.email.clone());
        to_its_end(async move {
            let lifted = this.store.sanction_lift(uid, undo, actor, now, tell_at).await?;
            let lifted = lifted.ok_or(SanctionError::AlreadyLifted)?;
            this.renew(now).await;
            for ruled in &lifted.restored {
                this.listeners.tell_all(ruled, &email, now).await;
            }
            Ok(lifted)
        })
        .await
    }

    /// Puts a sanction that was lifted in force again, until it would have ended anyway: the way back from lifting it.
    ///
    /// # Errors
    /// `NotFound`, `BeyondReach`, `Full`, `Store`.
    pub async fn resume(self: &Arc<Self>, uid: Uuid, by: &Person, now: Timestamp) -> Result<Sanction, SanctionError> {
        let sanction = self.find(uid, by).await?;
        may_sanction(by, sanction.site_name.as_deref())?;
        let active = self.in_force.at(now).await?.count;
        if active >= self.config.get().max_active {
            return Err(SanctionError::Full(active));
        }
        let (this, actor) = (Arc::clone(self), Actor::Person(by.email.clone()));
        to_its_end(async move {
            let resumed = this.store.sanction_resume(uid, actor, now).await?.ok_or(SanctionError::NotFound)?;
            this.renew(now).await;
            Ok(resumed)
        })
        .await
    }

    /// One sanction.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn find(&self, uid: Uuid, by: &Person) -> Result<Sanction, SanctionError> {
        let sanction = self.store.sanction_find(uid).await?.ok_or(SanctionError::NotFound)?;
        let is_seen = sanction.site_name.as_deref().is_none_or(|site| by.reach.covers_site(site));
        if is_seen { Ok(sanction) } else { Err(SanctionError::NotFound) }
    }

    /// Sanctions on a person's sites and on all, newest first; with `in_force` only those that are, or are not any more.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list(
        &self,
        site: Option<String>,
        in_force: Option<bool>,
        page: &PageRequest,
        by: &Person,
        now: Timestamp,
    ) -> Result<Page<Sanction>, ListError> {
        let (active_at, over_at) = (in_force == Some(true), in_force == Some(false));
        let (active_at, over_at) = (active_at.then_some(now), over_at.then_some(now));
        self.store.sanction_list(&SanctionFilter { reach: by.reach.clone(), site, active_at, over_at }, page).await
    }

    /// How many comments each of these has decided, and still answers for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn effects(&self, sanctions: &[Sanction]) -> Result<Vec<u64>, StoreError> {
        let numbers: Vec<i64> = sanctions.iter().map(|sanction| sanction.number).collect();
        self.store.sanction_effects(&numbers).await
    }

    /// What of a comment's author a sanction of that kind aims at, in words that [`Target::parse`] reads.
    async fn value_of(
        &self,
        uid: Uuid,
        kind: TargetKind,
        site: Option<&Site>,
        by: &Person,
    ) -> Result<String, SanctionError> {
        let place = self.store.comment_place(uid).await?.ok_or(SanctionError::NoComment)?;
        if !by.reach.covers(&place.site, place.section.as_deref(), place.lang.as_deref()) {
            return Err(SanctionError::NoComment);
        }
        let record = self.store.comment_by_uid(uid).await?.ok_or(SanctionError::NoComment)?;
        let author = &record.comment.author;
        let value = match kind {
            TargetKind::Author if site.is_some_and(|site| site.name != record.site) => {
                return Err(Invalid::new("target.of", "is a comment on another site").into());
            }
            TargetKind::Author => author.id.as_ref().map(ToString::to_string),
            TargetKind::EmailDomain => author.email.clone(),
            TargetKind::Network => author.ip.map(|ip| ip.to_string()),
            TargetKind::Host => return Err(Invalid::new("target.of", "may link to several hosts: name one").into()),
        };
        let missing = || Invalid::new("target.of", format!("does not say the author's {}", kind.name()));
        Ok(value.ok_or_else(missing)?)
    }

    /// After a change, here or elsewhere: whoever is answered finds it in force. When that fails, the next comment reads.
    pub(super) async fn renew(&self, now: Timestamp) {
        self.in_force.renew(now).await;
    }
}

/// The site of an order, if the person may sanction there; `None` for all.
fn site_of<'a>(order: &Order, sites: &'a [Site], by: &Person) -> Result<Option<&'a Site>, SanctionError> {
    let Some(name) = order.site.as_deref() else {
        may_sanction(by, None)?;
        return Ok(None);
    };
    let found = sites.iter().find(|site| *site.name == *name && by.reach.covers_site(name));
    let found = found.ok_or_else(|| SanctionError::NoSite(name.to_owned()))?;
    may_sanction(by, Some(name))?;
    Ok(Some(found))
}

/// Whether a person may sanction on a whole site, or (without one) on all.
///
/// # Errors
/// `BeyondReach`.
pub fn may_sanction(by: &Person, site: Option<&str>) -> Result<(), SanctionError> {
    match site {
        None if by.role.may(Duty::Operate) && by.reach.is_all() => Ok(()),
        None => Err(SanctionError::BeyondReach(
            "a sanction on all sites at once takes an operator who works on all of them; name a site",
        )),
        Some(site) if by.reach.covers_site(site) && by.reach.sections.is_none() && by.reach.langs.is_none() => Ok(()),
        Some(_) => Err(SanctionError::BeyondReach(
            "a sanction holds in every section and language of a site, and you work on some of them only",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::people::{Reach, Role};

    fn person(role: Role, reach: Reach) -> Person {
        Person { id: 1, email: "ann@work.example".to_owned(), role, reach }
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn nobody_sanctions_further_than_they_work() {
        let news = || Reach { sites: Some(list(&["news"])), ..Reach::ALL };
        let sport = || Reach { sections: Some(list(&["sport"])), ..Reach::ALL };
        let english = || Reach { langs: Some(list(&["en"])), ..Reach::ALL };
        for (name, role, reach, on_news, on_all) in [
            ("a moderator of everything", Role::Moderator, Reach::ALL, true, false),
            ("a moderator of the site", Role::Moderator, news(), true, false),
            ("a moderator of a section", Role::Moderator, sport(), false, false),
            ("a moderator of a language", Role::Moderator, english(), false, false),
            ("an operator", Role::Operator, Reach::ALL, true, true),
            ("an operator of the site", Role::Operator, news(), true, false),
            ("an admin", Role::Admin, Reach::ALL, true, true),
        ] {
            let by = person(role, reach);
            assert_eq!(may_sanction(&by, Some("news")).is_ok(), on_news, "{name}");
            assert_eq!(may_sanction(&by, None).is_ok(), on_all, "{name}");
            assert!(by.reach.sites.is_none() || may_sanction(&by, Some("blog")).is_err(), "{name}");
        }
    }
}
