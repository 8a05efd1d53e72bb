//! Sanctions: imposed, listed, lifted, and held ready for the way in.
//!
//! Those in force are kept in memory and looked up by hash: a comment costs no read. They are read again after every change here, and after
//! a few seconds for changes by other processes. What cannot be read is `Unavailable`, never "no sanction".

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::in_flight::to_its_end;
use super::live::Live;
use super::outbox;
use super::standing::Listeners;
use crate::domain::comment::{Comment, Invalid};
use crate::domain::decision::{Action, Actor, DecidedBy, Record, Status};
use crate::domain::known::Known;
use crate::domain::normalise;
use crate::domain::people::{Duty, Person};
use crate::domain::sanction::{
    Lifted, Measure, NewSanction, Sanction, SanctionFilter, Sentence, Target, TargetHash, TargetKind,
};
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{
    self, CommentFilter, ListError, Page, PageRequest, QueueFilter, QueueSort, Ruled, Ruling, Seen, Store, StoreError,
};
use crate::domain::time::Timestamp;

/// How long what was read is believed, in milliseconds: a command beside the service may change it.
const REMEMBERED_MS: i64 = 3_000;
/// The same where changes are told: for what is told and does not arrive.
const REMEMBERED_TOLD_MS: i64 = 60_000;
/// Comments that a new sanction rejects at most.
const REJECTED_MAX: usize = 1_000;
/// Comments looked through for those, in the queue and among the approved ones each.
const SEARCHED_MAX: usize = 20_000;
/// Characters of a cause.
const CAUSE_MAX: usize = 500;
/// Hours that a new sanction looks back over.
const HOURS_MAX: u32 = 720;

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

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// On which site; `None` on all.
    pub site: Option<String>,
    /// What kind of thing it aims at.
    pub kind: TargetKind,
    /// Which one.
    pub aim: Aim,
    /// What it does.
    pub measure: Measure,
    /// Why.
    pub cause: String,
    /// Whether the banned one should go on seeing their own comments.
    pub shadow: bool,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// What of theirs is rejected at once.
    pub also_reject: Option<AlsoReject>,
}

/// What a sanction aims at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// This.
    Value(String),
    /// Whoever wrote that comment: people need not see an address to sanction it.
    Of(Uuid),
}

/// Which comments a new ban rejects, besides those to come. What a person approved stays approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlsoReject {
    /// What waits in the queue.
    pub held: bool,
    /// What was approved in the last so many hours.
    pub approved_hours: u32,
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

/// Sanctions in force, as of one moment.
struct InForce {
    by_hash: HashMap<TargetHash, Vec<Sanction>>,
    count: usize,
    read_at: Timestamp,
}

/// See the module.
pub struct Sanctions {
    store: Arc<dyn Store>,
    listeners: Listeners,
    webhooks: Live<outbox::Config>,
    config: Live<Config>,
    key: [u8; 32],
    remembered_ms: i64,
    known: Mutex<Option<Arc<InForce>>>,
    reading: tokio::sync::Mutex<()>,
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
        Self {
            store,
            listeners,
            webhooks: webhooks.into(),
            config: config.into(),
            key,
            remembered_ms: REMEMBERED_MS,
            known: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// The same where others tell of their changes, so that there is no need to look: whoever hears of one calls [`Self::renew`].
    #[must_use]
    pub fn hearing_of_changes(self) -> Self {
        Self { remembered_ms: REMEMBERED_TOLD_MS, ..self }
    }

    /// The same where nobody else changes them, so that only changes here are looked for.
    #[must_use]
    pub fn unshared(self) -> Self {
        Self { remembered_ms: i64::MAX, ..self }
    }

    /// What sanctions say about a comment.
    pub async fn sentence(&self, site: SiteId, comment: &Comment, now: Timestamp) -> Known<Option<Sentence>> {
        let in_force = match self.in_force(now).await {
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
        let active = self.in_force(now).await?.count;
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
        let active = self.in_force(now).await?.count;
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

    /// What of theirs waits, and what of it was approved lately; and whether there may be more.
    async fn theirs(
        &self,
        sites: &[&Site],
        target: &Target,
        author: Option<String>,
        also: AlsoReject,
        by: &Person,
        now: Timestamp,
    ) -> Result<(Vec<Seen>, bool), SanctionError> {
        let mut search = Search { target, found: Vec::new(), looked: 0 };
        let mut more = false;
        if also.held {
            let filter = QueueFilter {
                sites: sites.iter().map(|site| site.name.to_string()).collect(),
                author: author.clone(),
                reach: by.reach.clone(),
                ..QueueFilter::default()
            };
            let mut page = PageRequest { limit: 500, cursor: None };
            loop {
                let queue = self.store.queue(&filter, QueueSort::Newest, &page, now).await.map_err(unlisted)?;
                for item in &queue.items {
                    search.look_at(&item.record, sites);
                }
                page.cursor = queue.next_cursor;
                if page.cursor.is_none() || search.is_over() {
                    break;
                }
            }
            more |= page.cursor.is_some();
        }
        if also.approved_hours == 0 {
            return Ok((search.found, more));
        }
        search.looked = 0;
        let since = now.plus_millis(-i64::from(also.approved_hours) * 3_600_000);
        let filter = CommentFilter {
            status: Some(Status::Approved),
            author,
            updated_since: Some(since),
            article: None,
            reach: by.reach.clone(),
            as_people_see: false,
        };
        for site in sites {
            let mut page = PageRequest { limit: 500, cursor: None };
            loop {
                let listed = self.store.comment_list(site.id, &filter, &page).await.map_err(unlisted)?;
                for record in listed.items.iter().filter(|record| record.decided_by != DecidedBy::Person) {
                    search.look_at(record, &[*site]);
                }
                page.cursor = listed.next_cursor;
                if page.cursor.is_none() || search.is_over() {
                    break;
                }
            }
            more |= page.cursor.is_some();
        }
        Ok((search.found, more))
    }

    async fn in_force(&self, now: Timestamp) -> store::Result<Arc<InForce>> {
        if let Some(known) = self.known(now) {
            return Ok(known);
        }
        let _one_reads = self.reading.lock().await;
        if let Some(known) = self.known(now) {
            return Ok(known);
        }
        self.read(now).await
    }

    fn known(&self, now: Timestamp) -> Option<Arc<InForce>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests read the clock before they come here: one that is a little earlier than the last read is no reason to read again.
        let is_fresh = |read_at: Timestamp| {
            now < read_at.plus_millis(self.remembered_ms) && now > read_at.plus_millis(-self.remembered_ms)
        };
        known.as_ref().filter(|known| is_fresh(known.read_at)).map(Arc::clone)
    }

    /// After a change, here or elsewhere: whoever is answered finds it in force. When that fails, the next comment reads.
    pub(super) async fn renew(&self, now: Timestamp) {
        let _one_reads = self.reading.lock().await; // a read that began before the change must not end after this one
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Err(error) = self.read(now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "sanctions could not be read");
        }
    }

    async fn read(&self, now: Timestamp) -> store::Result<Arc<InForce>> {
        let all = self.store.sanctions_active(now).await?;
        let mut in_force = InForce { by_hash: HashMap::new(), count: all.len(), read_at: now };
        for sanction in all {
            in_force.by_hash.entry(sanction.hash).or_default().push(sanction);
        }
        let in_force = Arc::new(in_force);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&in_force));
        Ok(in_force)
    }
}

/// Looks for comments that a target stands for.
struct Search<'a> {
    target: &'a Target,
    found: Vec<Seen>,
    looked: usize,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.looked >= SEARCHED_MAX || self.found.len() >= REJECTED_MAX
    }

    fn look_at(&mut self, record: &Record, sites: &[&Site]) {
        let Some(site) = sites.iter().find(|site| site.name == record.site) else { return };
        self.looked += 1;
        if self.found.len() >= REJECTED_MAX {
            return;
        }
        let targets = match self.target.kind {
            TargetKind::Host => Target::of(&normalise::normalise(site.id, record.comment.clone(), false), site.id),
            TargetKind::Author | TargetKind::EmailDomain | TargetKind::Network => {
                Target::of_author(&record.comment.author, site.id)
            }
        };
        let seen = Seen { uid: record.uid, seen_version: record.version };
        if targets.contains(self.target) && !self.found.contains(&seen) {
            self.found.push(seen);
        }
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

fn check(order: &Order, value: &str, now: Timestamp) -> Result<(), Invalid> {
    let cause = order.cause.trim();
    let characters = cause.chars().count();
    if characters == 0 || characters > CAUSE_MAX || cause.chars().any(char::is_control) {
        return Err(Invalid::new("cause", format!("must be 1 to {CAUSE_MAX} printable characters")));
    }
    // The target is hashed so that lists and logs do not show it; the cause is shown.
    let is_personal = matches!(order.kind, TargetKind::Author | TargetKind::Network);
    if is_personal && value.chars().count() >= 4 && cause.to_lowercase().contains(&value.trim().to_lowercase()) {
        return Err(Invalid::new("cause", "must not repeat what the sanction aims at: that is stored as a hash only"));
    }
    if order.expires_at.is_some_and(|until| until <= now) {
        return Err(Invalid::new("expires_at", "must lie in the future"));
    }
    if order.shadow && order.measure != Measure::Ban {
        return Err(Invalid::new("shadow", "goes with a ban only"));
    }
    match order.also_reject {
        Some(_) if order.measure != Measure::Ban => Err(Invalid::new("also_reject", "goes with a ban only")),
        Some(also) if also.approved_hours > HOURS_MAX => {
            Err(Invalid::new("also_reject.approved_hours", format!("must be at most {HOURS_MAX}")))
        }
        _ => Ok(()),
    }
}

fn unlisted(error: ListError) -> SanctionError {
    match error {
        ListError::Store(error) => SanctionError::Store(error),
        ListError::BadCursor => {
            SanctionError::Store(StoreError::Corrupt("the store refused its own cursor".to_owned()))
        }
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

    #[test]
    fn orders_are_checked() {
        let order = |change: fn(&mut Order)| {
            let mut order = Order {
                site: None,
                kind: TargetKind::Network,
                aim: Aim::Value("203.0.113.9".to_owned()),
                measure: Measure::Ban,
                cause: "advertising".to_owned(),
                shadow: false,
                expires_at: None,
                also_reject: None,
            };
            change(&mut order);
            check(&order, "203.0.113.9", Timestamp::from_millis(1_000)).map_err(|error| error.field)
        };
        assert_eq!(order(|_| {}), Ok(()));
        assert_eq!(order(|order| order.cause = "  ".to_owned()), Err("cause"));
        assert_eq!(order(|order| order.cause = "x".repeat(501)), Err("cause"));
        assert_eq!(order(|order| order.cause = "spam from 203.0.113.9 again".to_owned()), Err("cause"));
        assert_eq!(order(|order| order.expires_at = Some(Timestamp::from_millis(1_000))), Err("expires_at"));
        assert_eq!(order(|order| order.expires_at = Some(Timestamp::from_millis(1_001))), Ok(()));
        let milder = |order: &mut Order| order.measure = Measure::Premoderate;
        assert_eq!(order(milder), Ok(()));
        assert_eq!(
            order(|order| {
                order.measure = Measure::Allow;
                order.shadow = true;
            }),
            Err("shadow")
        );
        let all = AlsoReject { held: true, approved_hours: 721 };
        assert_eq!(all.approved_hours, HOURS_MAX + 1);
        assert_eq!(
            order(|order| order.also_reject = Some(AlsoReject { held: true, approved_hours: 721 })),
            Err("also_reject.approved_hours")
        );
        assert_eq!(
            order(|order| {
                order.measure = Measure::Allow;
                order.also_reject = Some(AlsoReject { held: true, approved_hours: 0 });
            }),
            Err("also_reject")
        );
    }
}
