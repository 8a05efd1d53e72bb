//! What readers say of comments: reports and votes, each once per reader.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::comment::ExternalId;
use super::decision::{Record, Status};
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

/// Upheld reports, each on another comment, from which a reader weighs more than one without record.
pub const TRUSTED_FROM: u32 = 3;
/// Reports on one comment that count for their readers when they are upheld: the first ones. Names of readers cost nothing, and without a
/// bound one comment that is certain to be rejected would make any number of them trusted.
pub const CREDITED_MAX: u32 = 3;

/// `[reports]`: from when readers' reports have a comment looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sum of weights of open reports from which an approved comment is held; 0.0 for never. A reader without record weighs 1.0.
    pub hold_at: f64,
    /// Most that one reader weighs, however good the record.
    pub weight_max: f64,
    /// Comments of one site that readers may have held within an hour without anybody among them whom people agreed with several times before.
    /// Names of readers cost nothing: without a bound, whoever makes up enough of them could hold everything.
    pub strangers_max: u32,
}

/// A setting that reports cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reports.{key}: {problem}")]
pub struct BadReports {
    key: &'static str,
    problem: &'static str,
}

impl Default for Config {
    fn default() -> Self {
        Self { hold_at: 3.0, weight_max: 3.0, strangers_max: 20 }
    }
}

impl Config {
    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadReports`]: a weight that is no number, or below what it must be.
    pub fn check(&self) -> std::result::Result<(), BadReports> {
        let is_at_least = |value: f64, least: f64| value.is_finite() && value >= least;
        if !is_at_least(self.hold_at, 0.0) {
            return Err(BadReports { key: "hold_at", problem: "must be 0.0 or more" });
        }
        if !is_at_least(self.weight_max, 1.0) {
            return Err(BadReports {
                key: "weight_max",
                problem: "must be 1.0 or more: what a reader without record weighs",
            });
        }
        Ok(())
    }

    /// What a reader's report weighs: 1.0 without a record, more when people agreed [several times](TRUSTED_FROM), next to nothing when they
    /// never did. Twice the expected share of upheld reports under a uniform prior (Laplace's rule of succession), so that a few reports say
    /// little.
    #[must_use]
    pub fn weight(&self, upheld: u32, dismissed: u32) -> f64 {
        let most = if upheld < TRUSTED_FROM { 1.0 } else { self.weight_max };
        let (upheld, dismissed) = (f64::from(upheld), f64::from(dismissed));
        let share = (upheld + 1.0) / (upheld + dismissed + 2.0);
        // Who was right often counts for more than one person; who was wrong often hardly counts.
        (2.0 * share * (1.0 + (upheld - dismissed).max(0.0) / 10.0)).min(most)
    }
}

/// How readers see a comment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default, ToSchema)]
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

impl ReaderView {
    /// How early what readers object to is looked at: a place in the queue, 0.0 to 1.0.
    #[must_use]
    pub fn urgency(&self) -> f64 {
        self.weight / (self.weight + 1.0)
    }
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// Our name for the comment.
    pub uid: uuid::Uuid,
    /// How readers see the comment now.
    pub view: ReaderView,
    /// Whether this reader had reported it before; then the report replaced the earlier one.
    pub again: bool,
    /// What the comment is now.
    pub status: Status,
    /// The comment, when the reports have it held now.
    pub held: Option<(Box<Record>, Box<Trace>)>,
    /// Whether nobody among those who reported it had been agreed with several times before.
    pub by_strangers: bool,
}

/// A report as moderators see it: not by whom.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportSeen {
    /// What the reader finds wrong.
    pub category: Option<RulingCategory>,
    /// In the reader's words.
    pub text: Option<String>,
    /// What it weighs, by the reader's record.
    pub weight: f64,
    /// When.
    pub at: Timestamp,
}

/// What became of a vote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Voted {
    /// How readers see the comment now.
    pub view: ReaderView,
    /// Whether this reader had voted before; then the vote replaced the earlier one.
    pub again: bool,
}

/// The part of the Store port that keeps what readers say.
#[async_trait]
pub trait Readers: Send + Sync {
    /// Notes a report, weighed by the reader's record, and holds the comment when that is enough, in one commit. `None` when there is no
    /// such comment. What a person approved stays approved; the report is kept. Without `strangers`, readers of whom none has a good record
    /// hold nothing.
    async fn report(
        &self,
        site: SiteId,
        comment: &ExternalId,
        report: NewReport,
        config: Config,
        strangers: bool,
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
    ) -> Result<Option<Voted>>;
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
        assert!(config.weight(5, 0) > config.weight(3, 0) && config.weight(3, 0) > 1.0);
        assert!((config.weight(TRUSTED_FROM - 1, 0) - 1.0).abs() < 1e-9, "once or twice may be chance, or arranged");
        assert!(config.weight(1, 3) < 1.0, "who is wrong more often weighs less from the first on");
        assert!(config.weight(0, 5) < config.weight(0, 1) && config.weight(0, 1) < 1.0);
        assert!(config.weight(0, 30) < 0.1);
        assert!(config.weight(1_000, 0) <= config.weight_max);
        // Whoever people agreed with more often than not is told from everybody else by this.
        assert!(config.weight(7, 7) <= 1.0 && config.weight(8, 7) > 1.0);
    }

    #[test]
    fn weights_that_cannot_work_are_refused() {
        let of = |hold_at, weight_max| Config { hold_at, weight_max, ..Config::default() }.check().is_ok();
        assert!(of(0.0, 1.0) && of(3.0, 3.0));
        assert!(!of(-1.0, 3.0) && !of(f64::NAN, 3.0) && !of(3.0, 0.5) && !of(3.0, f64::INFINITY));
    }
}
