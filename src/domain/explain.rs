//! What would have let a comment through: the smallest single change, computed from its frozen verdict.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::category::Category;
use super::decision::{Action, Verdict};
use super::scores::LogOdds;
use super::signal::{Evaluated, Mode, Outcome};

/// Kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// One signal had not fired.
    Signal,
    /// The model had said nothing.
    Model,
    /// One threshold had been higher.
    Threshold,
    /// Something besides the scores had been otherwise: a mode, a limit, a check that could not run.
    Cause,
}

/// A change that would have let a comment through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// What kind.
    pub kind: ChangeKind,
    /// Which signal, category or cause.
    pub id: String,
    /// One sentence.
    pub text: String,
}

/// The terms of a category, summed.
#[must_use]
pub fn total(verdict: &Verdict, category: Category, leave_out: Option<&str>) -> LogOdds {
    let of = |signal: &&Evaluated| signal.category == category && Some(signal.id.as_str()) != leave_out;
    let signals = verdict.signals.iter().filter(of).map(Evaluated::counted);
    let model = if leave_out == Some("model") { LogOdds::ZERO } else { verdict.model.log_odds(category) };
    // A cap takes away from what is over it; where something is left out, there may be nothing to take away any more.
    let adjusts = |id: &str| match leave_out {
        None => true,
        Some(left) => !id.starts_with("cap:") && id != format!("exempt:{left}"),
    };
    let adjustments = verdict.adjustments.iter().filter(|one| one.category == category && adjusts(&one.id));
    let terms = std::iter::once(verdict.prior[category]).chain(signals).chain([model]);
    terms.chain(adjustments.map(|one| one.log_odds)).sum()
}

/// The smallest single change that would have let the comment through, by the thresholds given (score to hold, for each category).
/// `None` when it was let through, or when no single change would do.
#[must_use]
pub fn smallest_change(verdict: &Verdict, hold: impl Fn(Category) -> f64) -> Option<Change> {
    if verdict.action == Action::Approve {
        return None;
    }
    let over: Vec<Category> =
        Category::ALL.into_iter().filter(|category| verdict.scores[*category].get() >= hold(*category)).collect();
    match (over.as_slice(), verdict.causes.as_slice()) {
        ([], [cause]) => {
            let text = format!("Without this it would have been approved: {}", cause.text);
            Some(Change { kind: ChangeKind::Cause, id: cause.id.clone(), text })
        }
        ([category], []) => Some(of_score(verdict, *category, hold(*category))),
        _ => None,
    }
}

fn of_score(verdict: &Verdict, category: Category, hold: f64) -> Change {
    let passes = |left_out: &str| total(verdict, category, Some(left_out)).probability().get() < hold;
    let counted = verdict.signals.iter().filter(|signal| {
        signal.category == category && signal.mode == Mode::Live && matches!(signal.outcome, Outcome::Hit { .. })
    });
    let enough = counted.filter(|signal| signal.counted() > LogOdds::ZERO && passes(&signal.id));
    let smallest = enough.min_by(|a, b| a.counted().get().total_cmp(&b.counted().get()));
    if let Some(signal) = smallest {
        let text =
            format!("Without the signal `{}` ({:+}) it would have been approved.", signal.id, signal.counted().get());
        return Change { kind: ChangeKind::Signal, id: signal.id.clone(), text };
    }
    if verdict.model.log_odds(category) > LogOdds::ZERO && passes("model") {
        let text =
            format!("Without the model ({:+}) it would have been approved.", verdict.model.log_odds(category).get());
        return Change { kind: ChangeKind::Model, id: category.name().to_owned(), text };
    }
    let score = verdict.scores[category].get();
    let text =
        format!("With policy.{}.hold above {score:.4} (it is {hold}) it would have been approved.", category.name());
    Change { kind: ChangeKind::Threshold, id: category.name().to_owned(), text }
}
