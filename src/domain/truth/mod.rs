//! What each rule, check and limit does, and whether people agree with it: how often it hit, how often the verdict hung on it, and what people decided.
//!
//! Everything is told from frozen verdicts and from what people decided about the same comments; nothing is judged again, and nothing is counted while
//! comments come in. [`part`] takes one verdict apart, [`tally`] counts, [`hints`] says what an operator should look at. Whoever reads the verdicts keeps
//! the bounds, and says how far it got.

mod caps;
pub mod hints;
pub mod part;
pub mod tally;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use self::hints::Hint;
use super::category::PerCategory;
use super::decision::{Action, DecidedBy, Verdict};
use super::policy;
use super::reads::Share;
use super::rules::Told;
use super::rules::was::RuleSet;
use super::signal::Mode;
use super::store::Result;
use super::time::Timestamp;

/// What something is that has a part in verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RuleKind)]
pub enum Kind {
    /// A rule that an operator wrote.
    Rule,
    /// A check.
    Signal,
    /// A limit that held.
    Limit,
    /// What people decided about a campaign.
    Campaign,
    /// Bans and other sanctions, all of them together.
    Sanction,
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Rule, Self::Signal, Self::Limit, Self::Campaign, Self::Sanction];

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Signal => "signal",
            Self::Limit => "limit",
            Self::Campaign => "campaign",
            Self::Sanction => "sanction",
        }
    }
}

/// Scores from which a category holds and rejects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// At and above it the comment is held.
    pub hold: PerCategory<f64>,
    /// At and above it the comment is rejected; infinite where nothing is.
    pub reject: PerCategory<f64>,
}

impl Thresholds {
    /// As policy's settings say.
    #[must_use]
    pub fn of(config: &policy::Config) -> Self {
        let reject = |score: f64| if score < 1.0 { score } else { f64::INFINITY };
        Self {
            hold: PerCategory::from_fn(|category| config.category(category).hold.get()),
            reject: PerCategory::from_fn(|category| reject(config.category(category).reject.get())),
        }
    }
}

/// What decides on a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// From when scores hold and reject.
    pub thresholds: Thresholds,
    /// The caps under which signals stand.
    pub policy: Arc<policy::Config>,
}

impl Measure {
    /// As policy's settings say.
    #[must_use]
    pub fn of(config: &policy::Config) -> Self {
        Self { thresholds: Thresholds::of(config), policy: Arc::new(config.clone()) }
    }
}

/// What helps to read verdicts. A verdict says what it was made of, not by which thresholds, under which caps that were not reached, nor what a rule does besides adding a
/// weight. What rules did is told by the rules that were in force, where those are kept; today's settings stand in for everything else, corrected by what the verdict
/// itself shows ([`part::parts`]).
#[derive(Debug, Clone)]
pub struct Lens {
    /// Of sites that have nothing of their own.
    pub general: Measure,
    /// Of those that do, by name.
    pub sites: BTreeMap<Arc<str>, Measure>,
    /// The rules that are in the settings, by the id under which they stand in verdicts.
    pub rules: BTreeMap<String, Told>,
    /// The rules that were in force, by the name that verdicts have for the settings; none where it was looked for and is not kept.
    pub under: HashMap<String, Option<Arc<RuleSet>>>,
}

impl Lens {
    /// What decides on a site.
    #[must_use]
    pub fn measure(&self, site: &str) -> &Measure {
        self.sites.get(site).unwrap_or(&self.general)
    }

    /// The rules that were in force when a verdict was made; none where that is not known.
    #[must_use]
    pub fn rules_of(&self, verdict: &Verdict) -> Option<&Arc<RuleSet>> {
        self.under.get(&verdict.policy)?.as_ref()
    }
}

/// A frozen verdict, with what became of its comment.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Where the comment stands among all, to be asked for what is before it.
    pub place: u128,
    /// Our name for it.
    pub uid: Uuid,
    /// The site, by name.
    pub site: Arc<str>,
    /// When it came.
    pub at: Timestamp,
    /// The verdict on its latest text.
    pub verdict: Verdict,
    /// Who made it so when it was judged: a rule where a sanction made the difference.
    pub judged_by: DecidedBy,
    /// What a person decided about it, if that stands and it does not wait again.
    pub person: Option<Action>,
}

/// Which verdicts are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Of these sites, by name; of all, for `None`.
    pub sites: Option<Vec<String>>,
    /// Of comments that came at or after that moment.
    pub since: Timestamp,
    /// Of comments that came before that moment.
    pub until: Timestamp,
    /// Of those that stand before that place; from the latest on where nothing is said.
    pub before: Option<u128>,
    /// Only of those that a person decided about at some time.
    pub decided_only: bool,
    /// How many at most.
    pub most: usize,
}

/// A page of verdicts, latest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JudgedPage {
    /// The verdicts. Those that another system reached are not among them.
    pub items: Vec<Judged>,
    /// Rows that were looked at for them, those that are not asked for included.
    pub looked_at: u32,
    /// What to ask for next; `None` at the end.
    pub next: Option<u128>,
}

/// The part of the Store port that reads verdicts for being counted.
#[async_trait]
pub trait Verdicts: Send + Sync {
    /// The next page of frozen verdicts, latest first; erased comments are not among them. It looks at [`Wanted::most`] comments at most, so that a page
    /// may be short, or empty, and not the last.
    async fn verdicts(&self, wanted: &Wanted) -> Result<JudgedPage>;
}

/// How often something hit, how often the verdict hung on it, and what people decided about the same comments. Intervals are Wilson's at 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = RuleCounts)]
pub struct Counts {
    /// Comments on which it hit.
    pub fired: u32,
    /// Of these, on how many the verdict hung on it: without it, it would have been another. In shadow: with it, it would have been another.
    pub decisive: u32,
    /// Of what it was decisive for and people decided about, how much they decided against it.
    pub overturned: Share,
    /// Of everything that it hit and people decided about, how much they decided as it says. What it only marks or routes, it says nothing of.
    pub precision: Share,
    /// When it last hit.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_at: Option<Timestamp>,
}

/// The same on one site in one week.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RuleWeek)]
pub struct Week {
    /// The site.
    pub site: String,
    /// The week by ISO 8601, in UTC: `2026-W48`.
    pub week: String,
    /// What happened in it, by when comments came.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Whether something in the settings is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Now {
    /// It counts.
    Live,
    /// It is recorded, and does not count.
    Shadow,
    /// It is switched off.
    Off,
    /// Its time is over.
    Expired,
    /// It is not in the settings any more.
    Gone,
}

/// Which text of a rule something is told of. Rules are texts: what people decided about one says nothing of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RuleWording)]
pub enum Wording {
    /// What the settings say now.
    Current,
    /// What a rule of this name said before.
    Earlier,
    /// The settings of that time are not kept: it may have been either.
    Unknown,
}

/// One rule, check, limit, or kind of people's word, in one mode; of a rule, in one text.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Truth {
    /// As it stands in verdicts: `rule:coin-wave`, `link-count`, `limit:per-ip`, `campaign:rule`, `sanction`.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// In which mode it was when this was recorded: what hit in shadow and live is told of apart.
    pub mode: Mode,
    /// How a rule stands now; null for everything else.
    pub now: Option<Now>,
    /// Which text of a rule that is in the settings; null for everything else.
    pub wording: Option<Wording>,
    /// Names that text, by what it means: sixteen hexadecimal digits; null where it is not known, and for everything else.
    pub text: Option<String>,
    /// Comments of which such a text was asked in that mode, as far as every comment was looked at; null where that is not known.
    pub asked: Option<Asked>,
    /// What moderators read of a rule that is in the settings.
    pub reason: Option<String>,
    /// Until when such a rule is asked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// All in all.
    #[serde(flatten)]
    pub counts: Counts,
    /// By site and week, latest week first.
    pub weeks: Vec<Week>,
}

/// Comments of which a rule was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RuleAsked)]
pub struct Asked {
    /// How many.
    pub comments: u32,
    /// When the first of them came.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// When the last of them came.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RuleAccount)]
pub struct Account {
    /// Of comments that came at or after that moment.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// And before that one.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Comments whose verdicts were looked at.
    pub comments: u32,
    /// Of these, how many people decided about.
    pub decided: u32,
    /// From when on every comment was looked at: later than `since` where more came than are looked at. `fired` and `decisive` are of that time.
    #[schema(value_type = String, format = DateTime)]
    pub counted_since: Timestamp,
    /// From when on everything that people decided about was looked at. `overturned` and `precision` are of that time.
    #[schema(value_type = String, format = DateTime)]
    pub decided_since: Timestamp,
    /// From when on weeks are told of: later than `decided_since` where there are more sites, weeks and rules than are kept apart. What is further back is counted
    /// in all.
    #[schema(value_type = String, format = DateTime)]
    pub weeks_since: Timestamp,
    /// What an operator should look at.
    pub hints: Vec<Hint>,
    /// Rules first, the busiest first; rules in the settings that never hit are among them.
    pub items: Vec<Truth>,
}
