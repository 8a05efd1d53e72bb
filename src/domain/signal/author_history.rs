//! # What became of this author's comments (`author-history`)
//!
//! - **Looks at:** how many of the author's earlier comments are approved, rejected or waiting now, and who
//!   decided. The author is known by account or e-mail.
//! - **Why:** people who were welcome usually are again, and those who were not, too.
//! - **Wrong when:** an account was sold or taken over, or an author was once treated unjustly: what the policy
//!   alone decided counts little, what a person decided counts more, and neither counts beyond a cap. Old history
//!   counts half.
//! - **Settings:** `[signals.author_history]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `approved_weight` (log-odds taken from `spam` for each doubling of approvals by people, default 0.5),
//!   `auto_weight` (the same for approvals by the policy, default 0.15), `max_good` (most that good history takes
//!   away, default 1.5), `rejected_weight` (log-odds added for each doubling of rejections by people, default 0.9),
//!   `max_bad` (most that bad history adds, default 2.5), `old_days` (days after which history counts half, default
//!   180).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::known::Known;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "author-history";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.author_history]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds taken away for each doubling of approvals by people.
    pub approved_weight: LogOdds,
    /// Log-odds taken away for each doubling of approvals by the policy.
    pub auto_weight: LogOdds,
    /// Most that good history takes away.
    pub max_good: LogOdds,
    /// Log-odds added for each doubling of rejections by people.
    pub rejected_weight: LogOdds,
    /// Most that bad history adds.
    pub max_bad: LogOdds,
    /// Days after which history counts half.
    pub old_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            approved_weight: LogOdds::of(0.5),
            auto_weight: LogOdds::of(0.15),
            max_good: LogOdds::of(1.5),
            rejected_weight: LogOdds::of(0.9),
            max_bad: LogOdds::of(2.5),
            old_days: 180,
        }
    }
}

struct Check(Config);

/// Makes the check.
///
/// # Errors
/// Never: any settings that serde reads will do.
pub fn new(config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    Ok(Check(config.clone()))
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, ctx: &Context<'_>) -> Outcome {
        let past = match &ctx.past.author {
            Known::Known(past) => past,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let config = &self.0;
        let doublings = |count: u32| f64::from(count.saturating_add(1)).log2();
        let auto_approved = past.approved.saturating_sub(past.approved_by_person);
        let auto_rejected = past.rejected.saturating_sub(past.rejected_by_person);
        let good = doublings(past.approved_by_person) * config.approved_weight.get()
            + doublings(auto_approved) * config.auto_weight.get();
        let bad = doublings(past.rejected_by_person) * config.rejected_weight.get()
            + doublings(auto_rejected) * config.rejected_weight.get() / 2.0;
        let age_ms = past.last_at.map_or(0, |last| ctx.now.millis_since(last));
        let fading = if age_ms > u64::from(config.old_days) * 86_400_000 { 0.5 } else { 1.0 };
        let weight = LogOdds::of(fading * (bad.min(config.max_bad.get()) - good.min(config.max_good.get())));
        if weight == LogOdds::ZERO {
            return Outcome::Clear;
        }
        let (approved, rejected, held) = (past.approved, past.rejected, past.held);
        let by_people = past.approved_by_person + past.rejected_by_person;
        Outcome::Hit {
            weight,
            evidence: format!(
                "Earlier comments of this author: {approved} approved, {rejected} rejected, {held} waiting; {by_people} of these decided by people."
            ),
            spans: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::AuthorPast;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn history_weighs_both_ways_and_within_bounds() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let past = |approved, by_person, rejected, rejected_by_person| AuthorPast {
            approved,
            approved_by_person: by_person,
            rejected,
            rejected_by_person,
            ..AuthorPast::default()
        };
        let of = |past: AuthorPast| weight(&check, &Case::new("hello").author(Known::Known(past)));
        assert!(of(past(0, 0, 0, 0)).abs() < 1e-9);
        assert!(of(past(3, 3, 0, 0)) < of(past(3, 0, 0, 0)), "people's approvals say more than the policy's");
        assert!(of(past(3, 0, 0, 0)) < 0.0);
        assert!(of(past(0, 0, 2, 2)) > of(past(0, 0, 2, 0)));
        assert!(of(past(1_000_000, 1_000_000, 0, 0)) >= -1.5);
        assert!(of(past(0, 0, 1_000_000, 1_000_000)) <= 2.5);
        let missing = Case::new("hello").author(Known::NotApplicable).outcome(&check);
        assert_eq!(missing, Outcome::NotApplicable);
        let away = Case::new("hello").author(Known::Unavailable("away".to_owned())).outcome(&check);
        assert_eq!(away, Outcome::Unavailable { why: "away".to_owned() });
    }
}
