//! `[policy]`: the settings, with what each category starts from.

use serde::{Deserialize, Deserializer, Serialize};

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
            // One chance in five is worth a person's look: a published advertisement costs more than a comment that waits.
            spam: of(-2.2, 0.2, 0.97),
            off_topic: of(-2.9, 0.5, 1.0),
            abuse: of(-3.1, 0.5, 0.98),
            hold_unavailable: true,
            exemptions: Vec::new(),
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
}

fn over<'de, D: Deserializer<'de>>(from: D, default: &CategoryConfig) -> Result<CategoryConfig, D::Error> {
    let given = Given::deserialize(from)?;
    Ok(CategoryConfig {
        prior: given.prior.unwrap_or(default.prior),
        hold: given.hold.unwrap_or(default.hold),
        reject: given.reject.unwrap_or(default.reject),
        signals_max: given.signals_max.unwrap_or(default.signals_max),
        model_max: given.model_max.unwrap_or(default.model_max),
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
