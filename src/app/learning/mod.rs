//! What people's decisions teach: labels gather, challengers are tried against what is in force, and what wins answers from then on.
//!
//! Decisions write labels in their own commit; nothing here stands in their way. A task looks for sites whose labels changed, learns off the hot
//! path, and keeps what it concluded in one commit, unless a label that was learned is gone meanwhile. What is learned depends on the labels in force alone,
//! so a decision that is taken back is gone from it.

mod lessons;
mod pupil;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use self::lessons::{Concluded, Task};
pub use self::pupil::Pupil;
use crate::app::clock::Clock;
use crate::app::house::Settings;
use crate::app::live::Live;
use crate::app::way::{begin, step};
use crate::classifier::contest::Rules;
use crate::classifier::delta::{Delta, Learned};
use crate::classifier::model::Header;
use crate::classifier::online::Pace;
use crate::domain::decision::Actor;
use crate::domain::learning::{
    Agreement, ChangeKind, Conclusion, Due, Fate, Force, LabelCounts, ModelChange, SiteModel, Taught,
};
use crate::domain::people::{Person, Reach};
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{Store, StoreError};
use crate::domain::time::Timestamp;

/// Between two looks for labels that changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Labels read at once, so that others get to read meanwhile.
const READ_AT_ONCE: usize = 250;
/// Changes of a site's model that are shown.
const CHANGES_SHOWN: usize = 50;

/// `[learning]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether sites learn from decisions. What was learned is out of force while they do not.
    pub enabled: bool,
    /// Seconds between two trainings of one site. Taking back what was learned does not wait for it.
    pub interval_s: u32,
    /// Labels of each class that a site must have.
    pub min_per_class: usize,
    /// Labels that what is in force did not learn that there must be.
    pub min_new: usize,
    /// The latest labels that a challenger is measured on, at most.
    pub window: usize,
    /// Nats by which its loss for each of them must be smaller.
    pub min_gain: f64,
    /// The latest labels of a site that are learned from, at most.
    pub max_labels: usize,
    /// Log-odds by which one label moves its own comment, at most.
    pub step_max: f64,
    /// Log-odds by which all of them move any comment, at most.
    pub sum_max: f64,
    /// `[learning.sites.NAME]`.
    pub sites: BTreeMap<String, SiteConfig>,
}

/// `[learning.sites.NAME]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteConfig {
    /// Whether this site learns.
    pub enabled: bool,
}

impl Default for SiteConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Config {
    fn default() -> Self {
        let pace = Pace::default();
        Self {
            enabled: true,
            interval_s: 60,
            min_per_class: 10,
            min_new: 20,
            window: 100,
            min_gain: 0.01,
            max_labels: 4_000,
            step_max: pace.step_max,
            sum_max: pace.sum_max,
            sites: BTreeMap::new(),
        }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("learning.{0}: {1}")]
pub struct BadLearning(&'static str, &'static str);

impl Config {
    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadLearning`], naming the key.
    pub fn check(&self) -> Result<(), BadLearning> {
        for (key, count) in [("min_per_class", self.min_per_class), ("min_new", self.min_new), ("window", self.window)]
        {
            if count == 0 {
                return Err(BadLearning(key, "must be at least 1"));
            }
        }
        if self.window < self.min_new {
            return Err(BadLearning("window", "must not be below `min_new`"));
        }
        if !(self.min_new..=20_000).contains(&self.max_labels) {
            return Err(BadLearning("max_labels", "must lie between `min_new` and 20000"));
        }
        for (key, bound) in [("step_max", self.step_max), ("sum_max", self.sum_max)] {
            if !(bound > 0.0 && bound <= 10.0) {
                return Err(BadLearning(key, "must lie above 0.0, up to 10.0"));
            }
        }
        if !(self.min_gain >= 0.0 && self.min_gain.is_finite()) {
            return Err(BadLearning("min_gain", "must be a number, 0.0 or more"));
        }
        Ok(())
    }

    /// Whether a site learns.
    #[must_use]
    pub fn learns(&self, site: &str) -> bool {
        self.enabled && self.sites.get(site).is_none_or(|site| site.enabled)
    }

    fn pace(&self) -> Pace {
        Pace { step_max: self.step_max, sum_max: self.sum_max, ..Pace::default() }
    }

    /// What a site taught, ready to answer.
    fn learned(&self, model: &SiteModel) -> Learned {
        let Taught { weights: [spam, abuse], .. } = &model.taught;
        let delta = Delta::new([spam, abuse], self.sum_max);
        Learned { base: model.base.clone(), number: model.number, delta }
    }

    /// Of an output with that score to hold and to reject.
    fn rules(&self, hold: f64, reject: f64) -> Rules {
        let log_odds = |score: f64| (score / (1.0 - score)).ln();
        Rules {
            min_per_class: self.min_per_class,
            min_new: self.min_new,
            window: self.window,
            min_gain: self.min_gain,
            hold: log_odds(hold),
            reject: log_odds(reject),
        }
    }
}

/// Why a site's model was not taken out of force.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    /// There is no such site, or the person does not work there.
    #[error("there is no site `{0}`")]
    NoSite(String),
    /// The shipped model answers alone there.
    #[error("nothing that was learned is in force on this site")]
    NothingInForce,
    /// The store failed.
    #[error("what was learned could not be changed")]
    Store(#[from] StoreError),
}

/// A site's model and its labels, for people.
#[derive(Debug, Clone)]
pub struct SiteView {
    /// The site.
    pub site: Site,
    /// Whether it learns.
    pub learns: bool,
    /// What answers there: the shipped model's version, with the number of what was learned over it.
    pub version: String,
    /// What is in force, if anything is.
    pub in_force: Option<Arc<SiteModel>>,
    /// Labels by what became of them.
    pub labels: LabelCounts,
    /// What happened, latest first.
    pub changes: Vec<ModelChange>,
}

/// The model that was shipped, for people.
#[derive(Debug, Clone)]
pub struct Shipped {
    /// Its version.
    pub version: String,
    /// What it says of itself.
    pub header: Header,
}

/// What the learner knows of a site between two looks.
#[derive(Default)]
struct Known {
    in_force: Option<Arc<SiteModel>>,
    /// When it was last trained.
    tried_at: Option<Timestamp>,
    /// What became of labels, as the store has it.
    fates: HashMap<i64, Fate>,
}

/// What became of a conclusion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Concluding {
    /// It was kept, and another model answers.
    Other,
    /// It was kept, and what answered before answers.
    Same,
    /// A label that was learned is gone meanwhile, or something else is in force: nothing was kept.
    Discarded,
}

/// Whether all labels that a model learned are among those in force, ascending.
fn is_whole(model: &SiteModel, ids: &[i64]) -> bool {
    model.taught.labels.iter().flatten().all(|id| ids.binary_search(id).is_ok())
}

/// Learns.
pub struct Learning {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    config: Live<Config>,
    sites: Mutex<HashMap<SiteId, Known>>,
    /// One look at a time: two would learn the same twice.
    looking: tokio::sync::Mutex<()>,
}

impl Learning {
    /// Over `store`; what was learned before is put in force.
    ///
    /// # Errors
    /// The store failed.
    pub async fn start(
        store: Arc<dyn Store>,
        settings: Arc<Settings>,
        config: impl Into<Live<Config>>,
    ) -> Result<Self, StoreError> {
        let config = config.into();
        let this = Self { store, settings, config, sites: Mutex::default(), looking: tokio::sync::Mutex::default() };
        this.reload().await?;
        Ok(this)
    }

    /// Puts in force what the store has of all sites, whoever changed it.
    ///
    /// # Errors
    /// The store failed. What was in force before may still be.
    pub async fn reload(&self) -> Result<(), StoreError> {
        let names: HashMap<SiteId, Site> = self.store.sites().await?.into_iter().map(|site| (site.id, site)).collect();
        let models = self.store.site_models().await?;
        let mut over: Vec<SiteId> = self.known().keys().copied().collect();
        over.retain(|site| models.iter().all(|model| model.site != *site));
        for site in over {
            self.put_in_force(site, None);
        }
        for model in models {
            self.take(names.get(&model.site), model).await?;
        }
        self.count();
        Ok(())
    }

    /// Puts in force what the store has of one site, whoever changed it.
    ///
    /// # Errors
    /// The store failed. What was in force before still is.
    pub async fn reload_site(&self, site: SiteId) -> Result<(), StoreError> {
        match self.store.site_model(site).await? {
            None => self.put_in_force(site, None),
            Some(model) => {
                let sites = self.store.sites().await?;
                self.take(sites.iter().find(|one| one.id == site), model).await?;
                self.count();
            }
        }
        Ok(())
    }

    /// Takes what the store says is in force on a site.
    async fn take(&self, site: Option<&Site>, model: SiteModel) -> Result<(), StoreError> {
        let learns = site.is_some_and(|site| self.config.get().learns(&site.name));
        let is_whole = is_whole(&model, &self.store.label_ids(model.site).await?);
        let model = Arc::new(model);
        self.known().entry(model.site).or_default().in_force = Some(Arc::clone(&model));
        // A decision may have been taken back just before: then nothing answers until it was learned anew.
        let answers = learns && is_whole && Some(&model.base) == self.base().as_ref();
        let learned = answers.then(|| Arc::new(self.config.get().learned(&model)));
        self.settings.teach(model.site, learned.as_ref());
        Ok(())
    }

    /// Looks for labels that changed, from time to time, for as long as it is awaited.
    pub async fn keep_learning(&self, clock: &dyn Clock) -> Infallible {
        // Somebody else may have learned meanwhile: what became of labels is not what it was.
        self.known().values_mut().for_each(|known| known.fates.clear());
        loop {
            if let Err(error) = self.look(clock.now()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "nobody could say which labels changed; tried again later"
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Learns wherever labels changed; how many sites have another model now. A site whose labels cannot be learned from is logged, and keeps
    /// none of the others waiting.
    ///
    /// # Errors
    /// The store could not say which sites there are.
    pub async fn look(&self, now: Timestamp) -> Result<usize, StoreError> {
        let _alone = self.looking.lock().await;
        let due = self.store.labels_due().await?;
        let mut changed = 0;
        if due.is_empty() {
            return Ok(0);
        }
        let sites: HashMap<SiteId, Site> = self.store.sites().await?.into_iter().map(|site| (site.id, site)).collect();
        for due in due {
            let Some(site) = sites.get(&due.site) else { continue };
            if due.changes == due.seen && !self.is_stale(due.site) {
                continue;
            }
            match self.learn(site, due, now).await {
                Ok(is_other) => changed += usize::from(is_other),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    site = &*site.name,
                    "a site's labels could not be learned from; tried again later"
                ),
            }
        }
        Ok(changed)
    }

    /// Learns a site's labels; whether another model answers there now.
    async fn learn(&self, site: &Site, due: Due, now: Timestamp) -> Result<bool, StoreError> {
        let mut ids = self.store.label_ids(site.id).await?;
        let conclusion = Conclusion {
            site: site.id,
            over: self.in_force(site.id).map(|model| model.number),
            seen: due.changes,
            fates: Vec::new(),
            force: Force::Same,
            change: None,
            at: now,
        };
        self.prune(site.id, &ids);
        if !self.config.get().learns(&site.name) {
            let champion = self.in_force(site.id);
            let is_broken = champion.is_some_and(|model| !is_whole(&model, &ids));
            let fates = self.news(site.id, ids.into_iter().map(|id| (id, Fate::Off)));
            // It answers nothing here, and would be back with the setting: what was taken back along with it.
            let ended = match (is_broken, self.is_stale(site.id)) {
                (true, _) => Some((ChangeKind::Relearned, "decisions that it had learned were taken back or erased")),
                (false, true) => Some((ChangeKind::RolledBack, "what was learned lies over another model")),
                (false, false) => None,
            };
            let force = if ended.is_some() { Force::Base } else { Force::Same };
            let change = ended.map(|(kind, reason)| {
                (kind, format!("{reason}; the site does not learn"), serde_json::Value::Object(serde_json::Map::new()))
            });
            let concluded = self.conclude(Conclusion { fates, force, change, ..conclusion }).await?;
            return Ok(concluded == Concluding::Other);
        }
        let house = self.settings.current();
        let Some(classifier) = house.classifier.clone() else { return Ok(false) };
        let champion = self.in_force(site.id);
        let is_stale = champion.as_ref().is_some_and(|model| model.base != classifier.version());
        let champion = champion.filter(|_| !is_stale);
        let is_broken = champion.as_ref().is_some_and(|model| !is_whole(model, &ids));
        let waits = self.known().get(&site.id).and_then(|known| known.tried_at);
        let is_early = waits.is_some_and(|at| now.millis_since(at) < u64::from(self.config.get().interval_s) * 1_000);
        if is_early && !is_broken {
            return Ok(false);
        }
        let way =
            begin!(None, "training", doorward.site = &*site.name, doorward.labels = Empty, doorward.outcome = Empty);
        let training = async {
            let old: Vec<i64> = ids.drain(..ids.len().saturating_sub(self.config.get().max_labels)).collect();
            let mut labels = Vec::with_capacity(ids.len());
            // What is in force may have learned what is too old by now: it is there to be learned again if a part of it goes.
            let learned = champion.iter().flat_map(|model| model.taught.labels.iter().flatten().copied());
            let mut wanted: Vec<i64> = learned.filter(|id| old.binary_search(id).is_ok()).chain(ids).collect();
            wanted.sort_unstable();
            wanted.dedup();
            for part in wanted.chunks(READ_AT_ONCE) {
                labels.extend(self.store.labels(part).instrument(step!("labels")).await?);
            }
            Span::current().record("doorward.labels", i64::try_from(labels.len()).unwrap_or(i64::MAX));
            self.known().entry(site.id).or_default().tried_at = Some(now);
            let config = Config::clone(&self.config.get());
            let (site_name, old_ones) = (Arc::clone(&site.name), old.clone());
            let task =
                Task { house, classifier, config, site: site.id, site_name, labels, old: old_ones, champion, is_stale };
            let step = step!("train");
            let concluded = tokio::task::spawn_blocking(move || step.in_scope(|| task.conclude())).await;
            let Concluded { fates, force, change } =
                concluded.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
            let old = old.into_iter().filter(|id| !fates.contains_key(id)).map(|id| (id, Fate::Old));
            let fates = self.news(site.id, old.collect::<Vec<_>>().into_iter().chain(fates.clone()));
            let outcome = change.as_ref().map_or("same", |(kind, ..)| kind.name());
            let conclusion = Conclusion { fates, force, change, ..conclusion };
            let concluded = self.conclude(conclusion).instrument(step!("conclude")).await?;
            let is_discarded = concluded == Concluding::Discarded;
            Span::current().record("doorward.outcome", if is_discarded { "discarded" } else { outcome });
            if is_discarded {
                self.known().entry(site.id).or_default().tried_at = waits; // nothing came of it: the next look may try at once
            }
            Ok(concluded == Concluding::Other)
        };
        training.instrument(way).await
    }

    /// Keeps what was concluded and puts it in force. Where a label that was learned is gone meanwhile, or another model in force, nothing is kept
    /// and it is still due; the next look begins with what the store has by then.
    async fn conclude(&self, conclusion: Conclusion) -> Result<Concluding, StoreError> {
        let (site, at) = (conclusion.site, conclusion.at);
        let (force, fates) = (conclusion.force.clone(), conclusion.fates.clone());
        let kind = conclusion.change.as_ref().map(|(kind, ..)| *kind);
        let Some(number) = self.store.conclude(conclusion).await? else {
            self.known().entry(site).or_default().fates.clear();
            self.reload_site(site).await?;
            return Ok(Concluding::Discarded);
        };
        if let Some(kind) = kind {
            metrics::counter!("doorward_model_changes_total", "kind" => kind.name()).increment(1);
        }
        self.known().entry(site).or_default().fates.extend(fates);
        let model = match (force, number) {
            (Force::Same, _) => return Ok(Concluding::Same),
            (Force::New(base, taught), Some(number)) => Some(SiteModel { site, number, base, at, taught }),
            (Force::New(..), None) | (Force::Base, _) => None,
        };
        self.put_in_force(site, model);
        Ok(Concluding::Other)
    }

    fn put_in_force(&self, site: SiteId, model: Option<SiteModel>) {
        let model = model.map(Arc::new);
        let learned = model.as_ref().map(|model| Arc::new(self.config.get().learned(model)));
        self.settings.teach(site, learned.as_ref());
        self.known().entry(site).or_default().in_force = model;
        self.count();
    }

    /// Those fates that the store does not know yet.
    fn news(&self, site: SiteId, fates: impl Iterator<Item = (i64, Fate)>) -> Vec<(i64, Fate)> {
        let known = self.known();
        let known = known.get(&site).map(|known| &known.fates);
        fates.filter(|(id, fate)| known.and_then(|known| known.get(id)) != Some(fate)).collect()
    }

    /// Forgets what became of labels that are no more.
    fn prune(&self, site: SiteId, ids: &[i64]) {
        if let Some(known) = self.known().get_mut(&site) {
            known.fates.retain(|id, _| ids.binary_search(id).is_ok());
        }
    }

    /// Whether what a site taught lies over another model than the one that answers. Without any model it waits for one.
    fn is_stale(&self, site: SiteId) -> bool {
        let Some(base) = self.base() else { return false };
        self.in_force(site).is_some_and(|model| model.base != base)
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of sites")]
    fn count(&self) {
        metrics::gauge!("doorward_site_models").set(self.settings.current().learned.len() as f64);
    }

    fn base(&self) -> Option<String> {
        self.settings.current().classifier.as_ref().map(|classifier| classifier.version().to_owned())
    }

    fn in_force(&self, site: SiteId) -> Option<Arc<SiteModel>> {
        self.known().get(&site).and_then(|known| known.in_force.clone())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SiteId, Known>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a site's model out of force for a person. With `to_before` the one before it comes back, if there is one whose labels are all in
    /// force. Labels that are not in what answers then teach nothing from now on: what is learned again comes of later decisions.
    ///
    /// # Errors
    /// `NoSite`, `NothingInForce`, `Store`.
    pub async fn end(
        &self,
        name: &str,
        to_before: bool,
        by: &Person,
        now: Timestamp,
    ) -> Result<SiteView, LearningError> {
        let sites = self.store.sites().await?;
        let site = sites.into_iter().find(|site| *site.name == *name && by.reach.covers_site(name));
        let site = site.ok_or_else(|| LearningError::NoSite(name.to_owned()))?;
        let _alone = self.looking.lock().await; // nothing that is learned just now is to come after it
        let base = self.base().unwrap_or_default();
        let ended = self.store.site_model_end(site.id, to_before, &base, Actor::Person(by.email.clone()), now).await?;
        let before = ended.ok_or(LearningError::NothingInForce)?;
        let kind = if to_before { ChangeKind::RolledBackByPerson } else { ChangeKind::Reset };
        metrics::counter!("doorward_model_changes_total", "kind" => kind.name()).increment(1);
        self.known().entry(site.id).or_default().fates.clear();
        self.put_in_force(site.id, before);
        Ok(self.view(site).await?)
    }

    /// The shipped model; `None` when the operator runs without one.
    #[must_use]
    pub fn shipped(&self) -> Option<Shipped> {
        let house = self.settings.current();
        let classifier = house.classifier.as_ref()?;
        Some(Shipped { version: classifier.version().to_owned(), header: classifier.header().clone() })
    }

    /// What answers on each site within a reach, and how it came to that.
    ///
    /// # Errors
    /// The store failed.
    pub async fn views(&self, reach: &Reach) -> Result<Vec<SiteView>, StoreError> {
        let mut views = Vec::new();
        for site in self.store.sites().await?.into_iter().filter(|site| reach.covers_site(&site.name)) {
            views.push(self.view(site).await?);
        }
        Ok(views)
    }

    async fn view(&self, site: Site) -> Result<SiteView, StoreError> {
        let base = self.base().unwrap_or_else(|| "none".to_owned());
        let learned = self.settings.current().learned.get(&site.id).map(|learned| learned.version());
        Ok(SiteView {
            learns: self.config.get().learns(&site.name),
            version: learned.clone().unwrap_or(base),
            in_force: self.in_force(site.id).filter(|_| learned.is_some()),
            labels: self.store.label_counts(site.id).await?,
            changes: self.store.model_changes(site.id, CHANGES_SHOWN).await?,
            site,
        })
    }

    /// How often people agreed with automatic verdicts that were drawn, on sites within a reach.
    ///
    /// # Errors
    /// The store failed.
    pub async fn agreements(&self, reach: &Reach) -> Result<Vec<Agreement>, StoreError> {
        let all = self.store.agreements().await?;
        Ok(all.into_iter().filter(|agreement| reach.covers_site(&agreement.site)).collect())
    }
}
