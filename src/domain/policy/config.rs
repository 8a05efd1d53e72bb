//! `[policy]`: the settings, with what each category starts from.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::category::Category;
use crate::domain::scores::{LogOdds, Score};

/// `[policy]`: how evidence becomes a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[policy.spam]`.
    #[serde(deserialize_with = "spam_over_defaults")]
    pub spam: CategoryConfig,
    /// `[policy.off-topic]`.
    #[serde(rename = "off-topic", deserialize_with = "off_topic_over_defaults")]
    pub off_topic: CategoryConfig,
    /// `[policy.abuse]`.
    #[serde(deserialize_with = "abuse_over_defaults")]
    pub abuse: CategoryConfig,
    /// Whether a comment is held when a live check, the model or the limits were due and failed.
    pub hold_unavailable: bool,
    /// `[[policy.exemptions]]`: for whom signals do not count.
    pub exemptions: Vec<Exemption>,
    /// `[[policy.composites]]`: what signals say together.
    pub composites: Vec<Composite>,
}

/// `[policy.CATEGORY]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryConfig {
    /// Log-odds before anything is known: about the share of such comments among all.
    pub prior: LogOdds,
    /// Score from which a comment is held.
    pub hold: Score,
    /// Score from which a comment is rejected; 1.0 for never.
    pub reject: Score,
    /// Most that all live signals of the category may add together: several weak hints do not condemn.
    pub signals_max: LogOdds,
    /// Most that the model may add or take away.
    pub model_max: LogOdds,
    /// `[policy.CATEGORY.groups.NAME]`: signals that look at the same thing, and the most that they add together.
    pub groups: BTreeMap<String, Group>,
}

/// `[policy.CATEGORY.groups.NAME]`: kindred signals, which say one thing several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Which ones; each in one group of a category at most.
    pub signals: Vec<String>,
    /// Most that they may add together.
    pub max: LogOdds,
}

/// `[[policy.composites]]`: signals that together mean more, or no more, than the sum of them.
///
/// With `log_odds` it adds that amount when all of `all`, one of `any` (where there are some) and all `facts` are given. With `max` it bounds
/// what the signals named add together, however few of them hit: a bound that appeared with one more hit could make a verdict milder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    /// Its name: kebab-case, shown as `composite:NAME`.
    pub name: String,
    /// The category that it counts for.
    pub category: Category,
    /// Signals that must all hit.
    #[serde(default)]
    pub all: Vec<String>,
    /// Signals of which one must hit.
    #[serde(default)]
    pub any: Vec<String>,
    /// What else must be so.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Log-odds added, above 0.0; or 0.0 where `max` says what it does.
    #[serde(default)]
    pub log_odds: LogOdds,
    /// Most that the signals named may add together in its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<LogOdds>,
    /// One sentence for a moderator.
    pub text: String,
}

/// What a composite rule may ask for besides signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// Nothing by this author was approved before, or nobody was named.
    NewAuthor,
    /// The comment carries a link that leads elsewhere, and is not only quoted.
    HasLink,
}

/// `[[policy.exemptions]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// Authors with one of these roles, as the site sends them.
    pub roles: Vec<String>,
    /// Signals that do not count for them; `*` for all.
    pub signals: Vec<String>,
}

impl Default for CategoryConfig {
    fn default() -> Self {
        Self {
            prior: LogOdds::of(-2.2),
            hold: Score::new(0.5).unwrap_or_default(),
            reject: Score::new(0.97).unwrap_or_default(),
            signals_max: LogOdds::of(5.5),
            model_max: LogOdds::of(5.0),
            groups: BTreeMap::new(),
        }
    }
}

/// The groups of `[policy.spam]`.
fn spam_groups() -> BTreeMap<String, Group> {
    let of = |name: &str, signals: &[&str], max: f64| {
        let signals = signals.iter().map(|signal| (*signal).to_owned()).collect();
        (name.to_owned(), Group { signals, max: LogOdds::of(max) })
    };
    BTreeMap::from([
        of("author", &["author-name", "author-url"], 2.5),
        of("links", &["link-count", "link-text", "host-shape"], 3.2),
        of("pace", &["burst", "limit-reached"], 1.5),
        of("words", &["flattery", "begging", "job-or-crypto-bait", "contact-details", "shouting"], 4.0),
    ])
}

/// The composite rules.
fn composites() -> Vec<Composite> {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let of = |name: &str, all: &[&str], any: &[&str], facts: &[Fact], log_odds: f64, text: &str| Composite {
        name: name.to_owned(),
        category: Category::Spam,
        all: owned(all),
        any: owned(any),
        facts: facts.to_vec(),
        log_odds: LogOdds::of(log_odds),
        max: None,
        text: text.to_owned(),
    };
    let stranger_with_link = [Fact::NewAuthor, Fact::HasLink];
    vec![
        of(
            "praise-that-sells",
            &["flattery"],
            &["author-name", "author-url", "host-shape", "link-text"],
            &[],
            1.2,
            "Praise that would fit any page, beside a name, a homepage or a link that sells.",
        ),
        of(
            "bait-with-contact",
            &["job-or-crypto-bait"],
            &["contact-details", "host-shape"],
            &[],
            0.8,
            "Easy money or a miracle, and where to ask for it.",
        ),
        of(
            "contact-beside-the-point",
            &["contact-details"],
            &["off-topic", "unrelated-headline"],
            &[],
            1.0,
            "Contact details in a text that has nothing to do with the page.",
        ),
        of(
            "stranger-in-another-language",
            &["language-mismatch"],
            &[],
            &stranger_with_link,
            0.7, // readers from elsewhere cite sources too: it never holds alone
            "A first comment, in another language than the page, with a link.",
        ),
        of(
            "stranger-beside-the-point",
            &["off-topic"],
            &[],
            &stranger_with_link,
            0.8,
            "A first comment, with a link, that has nothing to do with the page.",
        ),
    ]
}

impl Config {
    /// The settings of a category.
    #[must_use]
    pub const fn category(&self, category: Category) -> &CategoryConfig {
        match category {
            Category::Spam => &self.spam,
            Category::OffTopic => &self.off_topic,
            Category::Abuse => &self.abuse,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let of = |prior: f64, hold: f64, reject: f64| CategoryConfig {
            prior: LogOdds::of(prior),
            hold: Score::new(hold).unwrap_or_default(),
            reject: Score::new(reject).unwrap_or_default(),
            ..CategoryConfig::default()
        };
        Self {
            // Three chances in ten are worth a person's look: a published advertisement costs more than a comment that waits. At two in ten the model
            // alone would hold one genuine comment in nine of sites that it never saw (blog_comments, cqa_relevance).
            spam: CategoryConfig { groups: spam_groups(), ..of(-2.2, 0.3, 0.99) },
            off_topic: of(-2.9, 0.5, 1.0),
            abuse: of(-3.1, 0.5, 0.98),
            hold_unavailable: true,
            exemptions: Vec::new(),
            composites: composites(),
        }
    }
}

/// What a file says of a category: the rest keeps that category's own defaults.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Given {
    prior: Option<LogOdds>,
    hold: Option<Score>,
    reject: Option<Score>,
    signals_max: Option<LogOdds>,
    model_max: Option<LogOdds>,
    groups: BTreeMap<String, Group>,
}

fn over<'de, D: Deserializer<'de>>(from: D, default: &CategoryConfig) -> Result<CategoryConfig, D::Error> {
    let given = Given::deserialize(from)?;
    Ok(CategoryConfig {
        prior: given.prior.unwrap_or(default.prior),
        hold: given.hold.unwrap_or(default.hold),
        reject: given.reject.unwrap_or(default.reject),
        signals_max: given.signals_max.unwrap_or(default.signals_max),
        model_max: given.model_max.unwrap_or(default.model_max),
        // By name: whoever changes one group keeps the others.
        groups: default.groups.clone().into_iter().chain(given.groups).collect(),
    })
}

fn spam_over_defaults<'de, D: Deserializer<'de>>(from: D) -> Result<CategoryConfig, D::Error> {
    over(from, &Config::default().spam)
}

fn off_topic_over_defaults<'de, D: Deserializer<'de>>(from: D) -> Result<CategoryConfig, D::Error> {
    over(from, &Config::default().off_topic)
}

fn abuse_over_defaults<'de, D: Deserializer<'de>>(from: D) -> Result<CategoryConfig, D::Error> {
    over(from, &Config::default().abuse)
}

/// A setting that policy cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy.{key}: {problem}")]
pub struct BadPolicy {
    /// The key under `[policy]`.
    pub key: String,
    /// One clause for the operator.
    pub problem: String,
}
