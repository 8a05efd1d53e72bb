//! One site's learning without a store, a clock or a task: labels go in, and the house that answers comes out. It exists for measuring; what is
//! concluded of the labels is concluded by the same code as in the service.

use std::sync::Arc;

use uuid::Uuid;

use super::Config;
use super::lessons::{Concluded, Task};
use crate::app::house::House;
use crate::domain::comment::{Article, NewComment};
use crate::domain::learning::{ChangeKind, Force, Label, Said, SiteModel};
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;

/// A site that learns.
pub struct Pupil {
    /// The house as it came.
    house: Arc<House>,
    /// The house with what is in force of what was learned.
    taught: Arc<House>,
    config: Config,
    site: SiteId,
    labels: Vec<Label>,
    in_force: Option<Arc<SiteModel>>,
    /// Models so far: a number is never used again.
    count: u32,
}

impl Pupil {
    /// A site that has taught nothing yet.
    #[must_use]
    pub fn new(house: Arc<House>, site: SiteId, config: Config) -> Self {
        Self { taught: Arc::clone(&house), house, config, site, labels: Vec::new(), in_force: None, count: 0 }
    }

    /// What answers: the house with what is in force.
    #[must_use]
    pub const fn answering(&self) -> &Arc<House> {
        &self.taught
    }

    /// Labels so far.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.labels.len()
    }

    /// Keeps a label, as a decision would.
    pub fn hear(&mut self, comment: NewComment, article: Option<Article>, said: Said) {
        let id = i64::try_from(self.labels.len()).unwrap_or(i64::MAX);
        self.labels.push(Label { id, decision: Uuid::nil(), said, comment, article });
    }

    /// Learns and contests, as the service does when it looks; what happened and why, if anything did.
    pub fn learn(&mut self) -> Option<(ChangeKind, String)> {
        let classifier = self.house.classifier.clone()?;
        let Concluded { force, change, .. } = Task {
            house: Arc::clone(&self.house),
            classifier,
            config: self.config.clone(),
            site: self.site,
            site_name: Arc::from(""),
            labels: self.labels.clone(),
            old: Vec::new(),
            champion: self.in_force.clone(),
            is_stale: false,
        }
        .conclude();
        self.in_force = match force {
            Force::Same => self.in_force.take(),
            Force::Base => None,
            Force::New(base, taught) => {
                self.count += 1;
                let (number, at) = (self.count, Timestamp::from_millis(0));
                Some(Arc::new(SiteModel { site: self.site, number, base, at, taught }))
            }
        };
        let mut learned = (*self.house.learned).clone();
        if let Some(model) = &self.in_force {
            learned.insert(self.site, Arc::new(self.config.learned(model)));
        }
        self.taught = Arc::new(House { learned: Arc::new(learned), ..House::clone(&self.house) });
        change.map(|(kind, reason, _)| (kind, reason))
    }
}
