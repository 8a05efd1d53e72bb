//! # Reported by readers (`reader-reports`)
//!
//! - **Looks at:** open reports of readers on a comment that is judged again after an edit, weighed by the readers'
//!   records as `[reports]` says.
//! - **Why:** an edit must not wash off what readers said.
//! - **Wrong when:** readers report what they disagree with. One report counts little, readers who were wrong
//!   before count less, and reports that weigh enough hold a comment by themselves already (`reports.hold_at`).
//! - **Settings:** `[signals.reader_reports]`, `mode` (`live`, `shadow` or `off`; default `live`), `weight`
//!   (log-odds added to `spam` when open reports weigh as much as one reader without record, default 0.7),
//!   `several_weight` (log-odds when they weigh as much as two, default 1.4).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::known::Known;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "reader-reports";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.reader_reports]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` when open reports weigh as much as one reader without record.
    pub weight: LogOdds,
    /// Log-odds when they weigh as much as two.
    pub several_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Live, weight: LogOdds::of(0.7), several_weight: LogOdds::of(1.4) }
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
        let view = match &ctx.past.readers {
            Known::Known(view) => view,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let weight = match view.weight {
            _ if view.reports == 0 => return Outcome::Clear,
            weight if weight >= 2.0 => self.0.several_weight,
            weight if weight >= 1.0 => self.0.weight,
            _ => return Outcome::Clear,
        };
        let evidence = format!("Open reports of readers: {}, weighing {:.1} together.", view.reports, view.weight);
        Outcome::Hit { weight, evidence, spans: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::readers::ReaderView;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn reports_count_by_their_weight() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let cases: &[(&str, u32, f64, u32, f64)] = &[
            ("none", 0, 0.0, 0, 0.0),
            ("one reader", 1, 1.0, 0, 0.7),
            ("two readers", 2, 2.0, 0, 1.4),
            ("one reader with a good record", 1, 2.4, 0, 1.4),
            ("readers who are usually wrong", 3, 0.6, 0, 0.0),
            ("one who was wrong once", 1, 0.67, 0, 0.0),
            ("votes against it are no reports", 0, 0.0, 9, 0.0),
            ("weight without reports", 0, 5.0, 0, 0.0),
        ];
        for (name, reports, weighs, down, expected) in cases {
            let view = ReaderView { reports: *reports, weight: *weighs, up: 0, down: *down };
            let case = Case::new("hello").past(|past| past.readers = Known::Known(view));
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
        assert_eq!(Case::new("hello").outcome(&check), Outcome::NotApplicable, "a new comment has none");
        let away = Case::new("hello").past(|past| past.readers = Known::Unavailable("away".to_owned())).outcome(&check);
        assert_eq!(away, Outcome::Unavailable { why: "away".to_owned() });
    }
}
