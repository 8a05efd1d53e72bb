//! What readers say of comments: reports and votes, each once per reader.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::comment::ExternalId;
use super::decision::Record;
use super::site::SiteId;
use super::store::{Result, RulingCategory};
use super::time::Timestamp;
use super::trace::Trace;

/// A reader's flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport {
    /// The site's name for the reader.
    pub reader: ExternalId,
    /// What the reader finds wrong.
    pub category: Option<RulingCategory>,
    /// In the reader's words.
    pub text: Option<String>,
}

/// `[reports]`: from when readers' reports have a comment looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sum of weights of open reports from which an approved comment is held; 0.0 for never. A reader without record weighs 1.0.
    pub hold_at: f64,
    /// Most that one reader weighs, however good the record.
    pub weight_max: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { hold_at: 3.0, weight_max: 3.0 }
    }
}

impl Config {
    /// What a reader's report weighs: 1.0 without a record, more when people agreed before, next to nothing when they never did. Twice the
    /// expected share of upheld reports under a uniform prior (Laplace's rule of succession), so that a few reports say little.
    #[must_use]
    pub fn weight(&self, upheld: u32, dismissed: u32) -> f64 {
        let (upheld, dismissed) = (f64::from(upheld), f64::from(dismissed));
        let share = (upheld + 1.0) / (upheld + dismissed + 2.0);
        // Who was right often counts for more than one person; who was wrong often hardly counts.
        (2.0 * share * (1.0 + (upheld - dismissed).max(0.0) / 10.0)).min(self.weight_max)
    }
}

/// How readers see a comment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default, ToSchema)]
pub struct ReaderView {
    /// Open reports.
    pub reports: u32,
    /// What they weigh together.
    pub weight: f64,
    /// Votes for it.
    pub up: u32,
    /// Votes against it.
    pub down: u32,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// How readers see the comment now.
    pub view: ReaderView,
    /// Whether this reader had reported it before; then the report replaced the earlier one.
    pub again: bool,
    /// The comment, when the reports have it held now.
    pub held: Option<(Box<Record>, Box<Trace>)>,
}

/// The part of the Store port that keeps what readers say.
#[async_trait]
pub trait Readers: Send + Sync {
    /// Notes a report, weighed by the reader's record, and holds the comment when that is enough, in one commit. `None` when there is no
    /// such comment. What a person approved stays approved; the report is kept.
    async fn report(
        &self,
        site: SiteId,
        comment: &ExternalId,
        report: NewReport,
        config: Config,
        at: Timestamp,
    ) -> Result<Option<Reported>>;
    /// Notes a vote: 1, -1, or 0 to take it back. `None` when there is no such comment.
    async fn vote(
        &self,
        site: SiteId,
        comment: &ExternalId,
        reader: &ExternalId,
        value: i8,
        at: Timestamp,
    ) -> Result<Option<ReaderView>>;
    /// How readers see a comment; nothing when there is none.
    async fn reader_view(&self, comment: uuid::Uuid) -> Result<ReaderView>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_weighs_by_the_readers_record() {
        let config = Config::default();
        assert!((config.weight(0, 0) - 1.0).abs() < 1e-9);
        assert!(config.weight(5, 0) > config.weight(1, 0) && config.weight(1, 0) > 1.0);
        assert!(config.weight(0, 5) < config.weight(0, 1) && config.weight(0, 1) < 1.0);
        assert!(config.weight(0, 30) < 0.1);
        assert!(config.weight(1_000, 0) <= config.weight_max);
    }
}
