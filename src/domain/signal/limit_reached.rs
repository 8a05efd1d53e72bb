//! # Too many comments in a short time (`limit-reached`)
//!
//! - **Looks at:** what the rate limits said: whether this comment is over a policy that holds.
//! - **Why:** floods are written by machines, and by people in a temper; either way somebody should look before
//!   readers do.
//! - **Wrong when:** many people share one address (a school, a company, a proxy that is not in
//!   `server.trusted_proxies`), or an import sends years of comments at once (its own route, `/v1/comments/batch`,
//!   has its own policy).
//! - **Settings:** `[signals.limit_reached]`, `mode` (`live`, `shadow` or `off`; default `live`), `weight`
//!   (log-odds added to `spam`, default 0.0: a policy that holds does so by itself).

use serde::{Deserialize, Serialize};

use super::{Allowance, BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "limit-reached";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.limit_reached]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to the category.
    pub weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Live, weight: LogOdds::ZERO }
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
        match ctx.allowance {
            Allowance::Within => Outcome::Clear,
            Allowance::Off => Outcome::NotApplicable,
            Allowance::Unavailable(why) => Outcome::Unavailable { why: why.clone() },
            Allowance::Hold { policy, retry_after_ms } => Outcome::Hit {
                weight: self.0.weight,
                evidence: format!(
                    "Over the limit `{policy}`; it would let the next one through in {} s.",
                    retry_after_ms.div_ceil(1_000)
                ),
                spans: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signal::testing::Case;

    #[test]
    fn each_answer_of_the_limits_has_its_outcome() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let outcome = |allowance: Allowance| Case::new("hello").allowance(allowance).outcome(&check);
        assert_eq!(outcome(Allowance::Within), Outcome::Clear);
        assert_eq!(outcome(Allowance::Off), Outcome::NotApplicable);
        assert_eq!(outcome(Allowance::Unavailable("away".to_owned())), Outcome::Unavailable { why: "away".to_owned() });
        let held = outcome(Allowance::Hold { policy: "per-author".to_owned(), retry_after_ms: 1_500 });
        assert!(
            matches!(held, Outcome::Hit { evidence, .. } if evidence.contains("`per-author`") && evidence.contains("2 s"))
        );
    }
}
