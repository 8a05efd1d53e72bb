//! What a classifier says about a comment, as the domain sees it: log-odds and the terms behind them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::category::Category;
use super::scores::LogOdds;

/// One term's share of a model's output, in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Term {
    /// The category that it speaks for or against.
    pub category: Category,
    /// The words or property, as in `subscribe` or `link to own page`.
    pub text: String,
    /// Its share.
    pub log_odds: LogOdds,
}

/// The classifier's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ModelOutput {
    /// It answered.
    Scored {
        /// Which model.
        version: String,
        /// Log-odds that it is spam, relative to the prior.
        spam: LogOdds,
        /// Log-odds that it is abuse, relative to the prior.
        abuse: LogOdds,
        /// The strongest terms for and against, strongest first, a bounded number.
        terms: Vec<Term>,
    },
    /// The operator runs without one.
    Off,
    /// It was due and failed.
    Unavailable {
        /// Why, for operators.
        why: String,
    },
}

impl ModelOutput {
    /// What the model adds to `category`.
    #[must_use]
    pub fn log_odds(&self, category: Category) -> LogOdds {
        match (self, category) {
            (Self::Scored { spam, .. }, Category::Spam) => *spam,
            (Self::Scored { abuse, .. }, Category::Abuse) => *abuse,
            (Self::Scored { .. } | Self::Off | Self::Unavailable { .. }, _) => LogOdds::ZERO,
        }
    }
}
