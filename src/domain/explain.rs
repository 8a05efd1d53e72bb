//! What would have let a comment through: the smallest single change, computed from its frozen verdict.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::category::{Category, PerCategory};
use super::decision::{Action, Adjustment, Cause, Verdict};
use super::readers::ReaderView;
use super::rules::is_label;
use super::scores::LogOdds;
use super::signal::{Evaluated, Mode, Outcome};
use super::time::Timestamp;

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

/// What a place in the queue is told from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The place: higher comes first, 0.0 to 1.0.
    pub priority: f64,
    /// The category that it waits for, as people see it.
    pub category: Option<Category>,
    /// How readers see it.
    pub readers: ReaderView,
    /// Since when it waits.
    pub held_at: Timestamp,
}

/// Why a comment stands where it stands in the queue, in one short sentence. A place is the highest of its scores, or how urgent readers' reports
/// make it, whichever is more. `hold` is the threshold of a category now. Nothing here looks at the scores themselves: what was drawn to check on
/// the machine has a place by lot, and must read like everything else.
#[must_use]
pub fn place(standing: &Standing, hold: impl Fn(Category) -> f64, now: Timestamp) -> String {
    let Standing { priority, category, readers, held_at } = *standing;
    let mut parts = Vec::with_capacity(3);
    let reports = match readers.reports {
        1 => "1 report".to_owned(),
        reports => format!("{reports} reports"),
    };
    let by_reports = readers.reports > 0 && (readers.urgency() - priority).abs() < 1e-9;
    parts.push(match category {
        _ if by_reports => format!("at {priority:.2} by readers' reports"),
        None => format!("at {priority:.2}, held for another cause than a score"),
        Some(category) => {
            let over = priority - hold(category);
            let above = if over > 0.0 { format!(", {over:.2} above the threshold") } else { String::new() };
            format!("at {priority:.2} for {}{above}", category.name())
        }
    });
    if readers.reports > 0 {
        parts.push(reports);
    }
    parts.push(format!("waits {}", how_long(now.millis_since(held_at))));
    parts.join("; ")
}

fn how_long(millis: u64) -> String {
    let minutes = millis / 60_000;
    match minutes {
        0..60 => format!("{minutes} min"),
        60..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

/// The terms of a category, summed, with one of them (a signal's id, or `model`) left out: composite rules that hang on it go with it, and the
/// caps are as they are then. All of it is told from the verdict alone, whatever the settings say today.
#[must_use]
pub fn total(verdict: &Verdict, category: Category, leave_out: Option<&str>) -> LogOdds {
    let adjusted = |wanted: &dyn Fn(&Adjustment) -> bool| {
        let of = |one: &&Adjustment| one.category == category && wanted(one);
        verdict.adjustments.iter().filter(of).map(|one| one.log_odds.get()).sum::<f64>()
    };
    let counted = |wanted: &dyn Fn(&str) -> bool, left: Option<&str>| {
        let of =
            |signal: &&Evaluated| signal.category == category && left != Some(signal.id.as_ref()) && wanted(&signal.id);
        let counted: f64 = verdict.signals.iter().filter(of).map(|signal| signal.counted().get()).sum();
        let exempt = |one: &Adjustment| {
            one.id.strip_prefix("exempt:").is_some_and(|signal| left != Some(signal) && wanted(signal))
        };
        counted + adjusted(&exempt)
    };
    // A cap that was reached says how high it is: what is over it is cut again, from what is left.
    let capped = |kept: f64, all: f64, cut: f64| if cut < 0.0 { kept.min(all + cut) } else { kept };
    let signals = |left: Option<&str>| {
        let mut sum = counted(&|_| true, left);
        let mut shared: Vec<&Adjustment> = verdict.adjustments.iter().filter(|one| one.category == category).collect();
        shared.retain(|one| is_shared_cap(one));
        shared.dedup_by(|next, kept| next.id == kept.id);
        for cap in shared {
            let is_member = |id: &str| cap.signals.iter().any(|member| member == id);
            let cut = adjusted(&|one| is_shared_cap(one) && one.id == cap.id);
            let kept = counted(&is_member, left);
            sum += capped(kept, counted(&is_member, None), cut) - kept;
        }
        let stands =
            |one: &Adjustment| is_rule(one) && left.is_none_or(|left| one.signals.iter().all(|signal| signal != left));
        sum + adjusted(&stands)
    };
    let kept = signals(leave_out);
    let signals = capped(kept, signals(None), adjusted(&|one| one.id == "cap:signals"));
    let others = adjusted(&|one| {
        !one.id.starts_with("exempt:") && !one.id.starts_with("cap:") && !is_rule(one) && !is_shared_cap(one)
    });
    let model = if leave_out == Some("model") {
        0.0
    } else {
        verdict.model.log_odds(category).get() + adjusted(&|one| one.id == "cap:model")
    };
    LogOdds::of(verdict.prior[category].get() + signals + model + others)
}

/// A cap that kindred signals share.
fn is_shared_cap(one: &Adjustment) -> bool {
    let named = one.id.strip_prefix("cap:").is_some_and(|name| name != "signals" && name != "model");
    named || (one.id.starts_with("composite:") && one.log_odds < LogOdds::ZERO)
}

/// A composite rule that added something.
fn is_rule(one: &Adjustment) -> bool {
    one.id.starts_with("composite:") && one.log_odds >= LogOdds::ZERO
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
    let causes: Vec<&Cause> = verdict.causes.iter().filter(|cause| !is_label(cause)).collect();
    match (over.as_slice(), causes.as_slice()) {
        ([], [cause]) => {
            let text = format!("Without this it would have been approved: {}", cause.text);
            Some(Change { kind: ChangeKind::Cause, id: cause.id.clone(), text })
        }
        ([category], []) => Some(of_score(verdict, *category, hold(*category))),
        _ => None,
    }
}

/// A change that would have let one comment through, to be tried on others: on their frozen verdicts, nothing is judged again.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    change: Change,
    /// The scores from which policy holds, now.
    hold: PerCategory<f64>,
    /// Below and at which the category of a threshold's change would be let through.
    up_to: f64,
}

impl WhatIf {
    /// The smallest change that would have let the comment through; `None` as for [`smallest_change`].
    #[must_use]
    pub fn of(verdict: &Verdict, hold: PerCategory<f64>) -> Option<Self> {
        let change = smallest_change(verdict, |category| hold[category])?;
        let up_to = Category::from_name(&change.id).map_or(0.0, |category| verdict.scores[category].get());
        Some(Self { change, hold, up_to })
    }

    /// The change.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// Whether a comment that was held or rejected would have been approved by the same change. What policy approved anyway is none of them.
    #[must_use]
    pub fn lets_through(&self, verdict: &Verdict) -> bool {
        let id = self.change.id.as_str();
        let has_causes = verdict.causes.iter().any(|cause| !is_label(cause));
        let held_for_another = match self.change.kind {
            ChangeKind::Cause => verdict.causes.iter().any(|cause| cause.id != id && !is_label(cause)),
            ChangeKind::Signal | ChangeKind::Model | ChangeKind::Threshold => has_causes,
        };
        // What stands held for a cause alone, and does not have it, is no example of what the change does.
        let has_it = self.change.kind != ChangeKind::Cause || has_causes;
        let passes = |category: Category| match self.change.kind {
            ChangeKind::Signal => total(verdict, category, Some(id)).probability().get() < self.hold[category],
            ChangeKind::Model if category.name() == id => {
                total(verdict, category, Some("model")).probability().get() < self.hold[category]
            }
            ChangeKind::Threshold if category.name() == id => verdict.scores[category].get() <= self.up_to,
            ChangeKind::Cause | ChangeKind::Model | ChangeKind::Threshold => {
                verdict.scores[category].get() < self.hold[category]
            }
        };
        // By today's thresholds alone, without the change: that would be credited to what it does not do.
        let passes_anyway = !has_causes
            && Category::ALL.into_iter().all(|category| verdict.scores[category].get() < self.hold[category]);
        verdict.action != Action::Approve
            && !held_for_another
            && has_it
            && !passes_anyway
            && Category::ALL.into_iter().all(passes)
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
        return Change { kind: ChangeKind::Signal, id: signal.id.to_string(), text };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::known::Known;
    use crate::domain::model::ModelOutput;
    use crate::domain::policy::{Circumstances, Config, Moderation, Policy};
    use crate::domain::rules::Marks;
    use crate::domain::signal::Allowance;

    fn hit(id: &str, weight: f64) -> Evaluated {
        let outcome = Outcome::Hit { weight: LogOdds::of(weight), evidence: String::new(), spans: Vec::new() };
        Evaluated { id: id.to_owned().into(), category: Category::Spam, mode: Mode::Live, outcome }
    }

    fn scored(spam: f64) -> ModelOutput {
        let (version, terms) = ("test".to_owned(), Vec::new());
        ModelOutput::Scored { version, spam: LogOdds::of(spam), abuse: LogOdds::ZERO, terms }
    }

    /// The verdict by the default policy, by which a spam score of 0.2 (log-odds -1.3863) holds.
    fn verdict(signals: Vec<Evaluated>, model: ModelOutput) -> Verdict {
        verdict_of(signals, model, 5.0)
    }

    fn verdict_of(signals: Vec<Evaluated>, model: ModelOutput, model_max: f64) -> Verdict {
        let mut config = Config { composites: Vec::new(), ..Config::default() };
        config.spam.groups.clear();
        config.spam.model_max = LogOdds::of(model_max);
        let policy = Policy::new(config, &["one", "two"]).expect("valid");
        let (author, allowance) = (Known::NotApplicable, Allowance::Within);
        let about = Circumstances {
            moderation: Moderation::Post,
            role: None,
            author: &author,
            allowance: &allowance,
            has_link: true,
            rules: Marks::NONE,
            hash: "h",
        };
        policy.decide(signals, model, &about)
    }

    #[test]
    fn what_is_left_is_what_policy_would_have_said() {
        let cases: &[(&str, Vec<Evaluated>, ModelOutput)] = &[
            ("no cap", vec![hit("one", 1.0), hit("two", 0.5)], scored(1.0)),
            ("the signals' cap goes", vec![hit("one", 5.0), hit("two", 2.0)], scored(1.0)),
            ("the signals' cap stays", vec![hit("one", 9.0), hit("two", 8.0)], scored(-4.0)),
            ("far over it", vec![hit("one", 40.0), hit("two", 40.0)], ModelOutput::Off),
            ("the model's cap", vec![hit("one", 2.5)], scored(-9.0)),
            ("both caps", vec![hit("one", 9.0), hit("two", 8.0)], scored(9.0)),
        ];
        for (name, signals, model) in cases {
            let all = verdict(signals.clone(), model.clone());
            let said = |left: Option<&str>| total(&all, Category::Spam, left).probability();
            assert_eq!(said(None), all.scores.spam, "{name}");
            for left in ["one", "two"] {
                let rest = signals.iter().filter(|signal| signal.id != left).cloned().collect();
                assert_eq!(said(Some(left)), verdict(rest, model.clone()).scores.spam, "{name} without {left}");
            }
            let without = verdict(signals.clone(), ModelOutput::Off).scores.spam;
            assert_eq!(said(Some("model")), without, "{name} without the model");
        }
    }

    #[test]
    fn the_smallest_change_is_one_that_would_have_done() {
        let change = |signals, model, model_max| {
            let change =
                smallest_change(&verdict_of(signals, model, model_max), |_| 0.2).expect("a single change would do");
            (change.kind, change.id)
        };
        let signal = change(vec![hit("one", 2.0), hit("two", 0.5)], ModelOutput::Off, 5.0);
        assert_eq!(signal, (ChangeKind::Signal, "one".to_owned()));
        let model = change(vec![hit("one", 0.5)], scored(9.0), 5.0);
        assert_eq!(model, (ChangeKind::Model, "spam".to_owned()));
        // The model's cap stays when a signal goes: either of the two holds by itself.
        let neither = change(vec![hit("one", 2.0), hit("two", 2.0)], scored(-9.0), 1.0);
        assert_eq!(neither, (ChangeKind::Threshold, "spam".to_owned()));
    }

    #[test]
    fn a_change_is_tried_on_what_others_were_held_for() {
        let hold = PerCategory { spam: 0.2, off_topic: 0.9, abuse: 0.9 };
        let one = verdict(vec![hit("too-many-links", 3.0)], ModelOutput::Off);
        let what_if = WhatIf::of(&one, hold).expect("one signal did it");
        assert_eq!((what_if.change().kind, what_if.change().id.as_str()), (ChangeKind::Signal, "too-many-links"));
        let cause = Cause { id: "mode:pre".to_owned(), text: String::new() };
        for (name, other, passes) in [
            ("the same signal", verdict(vec![hit("too-many-links", 4.0)], ModelOutput::Off), true),
            ("another", verdict(vec![hit("shouting", 4.0)], ModelOutput::Off), false),
            ("both", verdict(vec![hit("too-many-links", 4.0), hit("shouting", 4.0)], ModelOutput::Off), false),
            ("approved anyway", verdict(vec![], ModelOutput::Off), false),
            ("for a cause too", Verdict { causes: vec![cause.clone()], ..one.clone() }, false),
        ] {
            assert_eq!(what_if.lets_through(&other), passes, "{name}");
        }
        let held = Verdict { action: Action::Hold, causes: vec![cause], ..verdict(vec![], ModelOutput::Off) };
        let what_if = WhatIf::of(&held, hold).expect("one cause did it");
        assert!(what_if.lets_through(&held) && !what_if.lets_through(&one));
        let scored = verdict(vec![], scored(3.0));
        let up_to = WhatIf {
            change: Change { kind: ChangeKind::Threshold, id: "spam".to_owned(), text: String::new() },
            hold,
            up_to: scored.scores[Category::Spam].get(),
        };
        assert!(up_to.lets_through(&scored));
        assert!(!up_to.lets_through(&verdict(vec![hit("shouting", 1.0)], super::tests::scored(3.0))));
    }

    #[test]
    fn a_place_is_told_in_one_sentence() {
        let standing = |priority, category, reports, weight, minutes: i64| Standing {
            priority,
            category,
            readers: ReaderView { reports, weight, up: 0, down: 0 },
            held_at: Timestamp::from_millis(-minutes * 60_000),
        };
        let spam = Some(Category::Spam);
        for (standing, told) in [
            (standing(0.48, spam, 3, 0.5, 125), "at 0.48 for spam, 0.18 above the threshold; 3 reports; waits 2 h"),
            (standing(0.25, spam, 0, 0.0, 5), "at 0.25 for spam; waits 5 min"),
            (standing(0.75, None, 1, 3.0, 2_880), "at 0.75 by readers' reports; 1 report; waits 2 days"),
            (standing(0.0, None, 0, 0.0, 0), "at 0.00, held for another cause than a score; waits 0 min"),
        ] {
            assert_eq!(place(&standing, |_| 0.3, Timestamp::EPOCH), told);
        }
    }
}
