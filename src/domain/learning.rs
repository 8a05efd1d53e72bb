//! What people's decisions teach, and how it is kept: labels, what a site taught, the sample of automatic verdicts.
//!
//! A label is what a person said of a comment, and whose decision it came of. It holds no text: that is read from the comment for as long as
//! there is one, so erasing the comment takes the label along. Taking a decision back takes its labels back. Every label is kept with what
//! became of it, whether or not it taught anything.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::comment::{Article, NewComment};
use super::decision::{Action, Actor};
use super::site::SiteId;
use super::store::{Result, RulingCategory};
use super::time::Timestamp;

/// What a person's ruling says to the two outputs of the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// Whether it is spam; `None` when nothing was said of that.
    pub spam: Option<bool>,
    /// Whether it is abuse.
    pub abuse: Option<bool>,
}

impl Said {
    /// To approve says that it is neither. To reject it for spam or abuse says that it is that, and nothing of the other. What was rejected for
    /// another cause, or none, says nothing to either.
    #[must_use]
    pub const fn of(action: Action, category: Option<RulingCategory>) -> Self {
        match (action, category) {
            (Action::Approve, _) => Self { spam: Some(false), abuse: Some(false) },
            (Action::Reject, Some(RulingCategory::Spam)) => Self { spam: Some(true), abuse: None },
            (Action::Reject, Some(RulingCategory::Abuse)) => Self { spam: None, abuse: Some(true) },
            (Action::Reject, Some(RulingCategory::OffTopic | RulingCategory::Other) | None) | (Action::Hold, _) => {
                Self { spam: None, abuse: None }
            }
        }
    }

    /// Whether anything was said.
    #[must_use]
    pub const fn is_something(self) -> bool {
        self.spam.is_some() || self.abuse.is_some()
    }
}

/// What became of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It waits for a challenger that wins.
    Waiting,
    /// What is in force, or was, learned it.
    Learned,
    /// Its text is a copy of one that taught already, or somebody said otherwise of it later.
    Copy,
    /// Its category is none that a model judges.
    Category,
    /// It came with a sanction: that was about the author.
    Sanction,
    /// The site, or the installation, does not learn.
    Off,
    /// There are more, and later ones, than are learned from.
    Old,
    /// A person took what was learned of it out of force: it teaches nothing any more.
    SetAside,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Learned,
        Self::Copy,
        Self::Category,
        Self::Sanction,
        Self::Off,
        Self::Old,
        Self::SetAside,
    ];

    /// Its name in JSON and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Learned => "learned",
            Self::Copy => "copy",
            Self::Category => "category",
            Self::Sanction => "sanction",
            Self::Off => "off",
            Self::Old => "old",
            Self::SetAside => "set-aside",
        }
    }
}

/// A label in force, with what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Its number: later ones are higher.
    pub id: i64,
    /// The decision that it came of.
    pub decision: Uuid,
    /// What was said.
    pub said: Said,
    /// The revision that it was said of.
    pub comment: NewComment,
    /// What is known of its article.
    pub article: Option<Article>,
}

/// What a site taught, to be kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taught {
    /// Of spam and abuse: weights that are not zero, by index.
    pub weights: [Vec<(u32, f32)>; 2],
    /// Of spam and abuse: the labels that they come of, ascending.
    pub labels: [Vec<i64>; 2],
}

/// What a site taught, as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteModel {
    /// The site.
    pub site: SiteId,
    /// Counts the site's models, from 1; never used again.
    pub number: u32,
    /// The version of the model that it lies over.
    pub base: String,
    /// When it came into force.
    pub at: Timestamp,
    /// Weights and labels.
    pub taught: Taught,
}

/// What happened to a site's model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A challenger won, and is in force.
    Replaced,
    /// A challenger did not win.
    Refused,
    /// Labels of it were taken back or erased: it was learned anew without them.
    Relearned,
    /// It did worse than the shipped model, and was taken out of force.
    RolledBack,
    /// A person took it out of force, and put the one before it back.
    RolledBackByPerson,
    /// A person took it out of force, and the shipped model answers alone.
    Reset,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Replaced, Self::Refused, Self::Relearned, Self::RolledBack, Self::RolledBackByPerson, Self::Reset];

    /// Its name in JSON and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Refused => "refused",
            Self::Relearned => "relearned",
            Self::RolledBack => "rolled-back",
            Self::RolledBackByPerson => "rolled-back-by-person",
            Self::Reset => "reset",
        }
    }
}

/// A change, as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelChange {
    /// The site.
    pub site: SiteId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: ChangeKind,
    /// The model in force afterwards; none for the shipped one alone.
    pub number: Option<u32>,
    /// Who, when it was a person.
    pub by: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
    /// What was measured, as JSON.
    pub figures: serde_json::Value,
}

/// What the learner concluded of a site's labels: kept in one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// The site.
    pub site: SiteId,
    /// The number of what was in force when it was concluded; `None` for the shipped model alone.
    pub over: Option<u32>,
    /// How many changes of its labels were looked at.
    pub seen: u64,
    /// What became of labels, where that is new.
    pub fates: Vec<(i64, Fate)>,
    /// What is in force from now on.
    pub force: Force,
    /// The change, if it is one to be told.
    pub change: Option<(ChangeKind, String, serde_json::Value)>,
    /// When.
    pub at: Timestamp,
}

/// What is in force from now on.
#[derive(Debug, Clone, PartialEq)]
pub enum Force {
    /// What was.
    Same,
    /// This, over the model of that version.
    New(String, Taught),
    /// The shipped model alone.
    Base,
}

/// How a site's labels stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The site.
    pub site: SiteId,
    /// How many changes there were so far.
    pub changes: u64,
    /// How many of them were looked at.
    pub seen: u64,
}

/// A chance to be looked at by a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lot {
    /// How likely, 0.0 to 1.0.
    pub rate: f64,
    /// Of the site on this day, at most; days as in UTC.
    pub max_per_day: u32,
}

/// How often people agreed with one kind of automatic verdict on one site.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The site, by name.
    pub site: String,
    /// `Approve` or `Reject`.
    pub action: Action,
    /// Why it was rejected automatically; `None` for approvals, and where the cause was none of the categories.
    pub category: Option<String>,
    /// The model that answered then.
    pub model: String,
    /// Drawn and not decided yet.
    pub waiting: u32,
    /// Drawn and decided.
    pub decided: u32,
    /// Of those decided, what people decided otherwise.
    pub overturned: u32,
    /// Of those overturned, by the category that people gave; `none` where they gave none.
    pub overturned_as: std::collections::BTreeMap<String, u32>,
    /// When the first of them was drawn.
    pub since: Timestamp,
}

/// How many labels there are, by what became of them; those of decisions that were taken back count as `undone`.
pub type LabelCounts = std::collections::BTreeMap<String, u64>;

/// The part of the Store port that keeps what people teach.
#[async_trait]
pub trait Learning: Send + Sync {
    /// All sites that have or had labels, with how many changes of them there were, and were looked at.
    async fn labels_due(&self) -> Result<Vec<Due>>;
    /// The labels in force of a site that say something to a model, oldest first: of each comment the last.
    async fn label_ids(&self, site: SiteId) -> Result<Vec<i64>>;
    /// These labels, with what they are about. What was taken back or erased meanwhile is left out.
    async fn labels(&self, ids: &[i64]) -> Result<Vec<Label>>;
    /// How many labels a site has, by what became of them.
    async fn label_counts(&self, site: SiteId) -> Result<LabelCounts>;
    /// Keeps what was concluded, in one commit, and answers the number of a new model. `None` when a label that it learned is gone meanwhile, or
    /// something else is in force by now than it was concluded over (another node or a person was there before; what is damaged counts as
    /// nothing): nothing was kept, look again. Labels that came meanwhile stay due. A refusal like the last one replaces it.
    async fn conclude(&self, conclusion: Conclusion) -> Result<Option<Option<u32>>>;
    /// Models in force. What is damaged is left out, and logged.
    async fn site_models(&self) -> Result<Vec<SiteModel>>;
    /// The model in force on one site. What is damaged is none, and logged.
    async fn site_model(&self, site: SiteId) -> Result<Option<SiteModel>> {
        Ok(self.site_models().await?.into_iter().find(|model| model.site == site))
    }
    /// Takes a site's model out of force, in one commit with the record of who did what. With `to_before`, the one whose place it took comes back, as long
    /// as it lies over `base` and all its labels are in force; else the shipped model answers alone. Labels that are not in what
    /// answers then are set aside. `None` when none is in force.
    async fn site_model_end(
        &self,
        site: SiteId,
        to_before: bool,
        base: &str,
        by: Actor,
        at: Timestamp,
    ) -> Result<Option<Option<SiteModel>>>;
    /// What happened to a site's model, latest first, at most `most`.
    async fn model_changes(&self, site: SiteId, most: usize) -> Result<Vec<ModelChange>>;
    /// How often people agreed with automatic verdicts that were drawn.
    async fn agreements(&self) -> Result<Vec<Agreement>>;
}

/// Wilson's score interval at 95 % of a share of which `hits` of `trials` were seen ("Probable Inference", 1927): from, to.
#[must_use]
pub fn wilson(hits: u32, trials: u32) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    if trials == 0 {
        return [0.0, 1.0];
    }
    let (n, share) = (f64::from(trials), f64::from(hits) / f64::from(trials));
    let scale = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / scale;
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    [(middle - reach).max(0.0), (middle + reach).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_wilsons() {
        let close = |found: [f64; 2], wanted: [f64; 2]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 5e-4);
        assert!(close(wilson(0, 10), [0.0, 0.2775]), "{:?}", wilson(0, 10));
        assert!(close(wilson(8, 10), [0.4902, 0.9433]), "{:?}", wilson(8, 10));
        assert!(close(wilson(10, 10), [0.7225, 1.0]), "{:?}", wilson(10, 10));
        assert!(close(wilson(0, 0), [0.0, 1.0]));
    }

    #[test]
    fn what_a_ruling_says_to_the_models() {
        use RulingCategory::{Abuse, OffTopic, Other, Spam};
        let neither = (Some(false), Some(false));
        let cases: &[(&str, Action, Option<RulingCategory>, (Option<bool>, Option<bool>))] = &[
            ("approved", Action::Approve, None, neither),
            ("approved in spite of a category", Action::Approve, Some(Spam), neither),
            ("spam", Action::Reject, Some(Spam), (Some(true), None)),
            ("abuse", Action::Reject, Some(Abuse), (None, Some(true))),
            ("off-topic", Action::Reject, Some(OffTopic), (None, None)),
            ("another cause", Action::Reject, Some(Other), (None, None)),
            ("no cause given", Action::Reject, None, (None, None)),
        ];
        for (name, action, category, (spam, abuse)) in cases {
            assert_eq!(Said::of(*action, *category), Said { spam: *spam, abuse: *abuse }, "{name}");
        }
    }
}
