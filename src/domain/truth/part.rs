//! What each part of a frozen verdict did: whether the verdict hung on it, and what a person who agrees with it decides. Pure.
//!
//! A verdict says every term of its scores, and what else set the action ([`crate::domain::decision::Cause`]); without a part it is summed up again, caps and
//! composite rules as [`explain::total`] has them. What a rule did besides adding a weight is told by the rules that were in force, and where those are not kept, by
//! today's. Thresholds are today's, corrected where the verdict's own action shows that they were others, and so are caps for what ran in shadow ([`super::caps`]).
//! What a mode would have held that a rule approved stays untold: such a rule may have been decisive more often than it is counted.

use super::caps;
use super::{Kind, Lens, Thresholds};
use crate::domain::category::{Category, PerCategory};
use crate::domain::decision::{Action, DecidedBy, Verdict};
use crate::domain::explain;
use crate::domain::policy;
use crate::domain::rules::was::TextId;
use crate::domain::rules::{QUEUE, RULE, is_label};
use crate::domain::scores::LogOdds;
use crate::domain::signal::{Evaluated, Mode, Outcome};

/// Stands for all sanctions together.
pub const SANCTION: &str = "sanction";

/// Something that hit.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    /// As it stands in the verdict; [`SANCTION`] for every sanction.
    pub id: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Whether it counted.
    pub mode: Mode,
    /// What a rule said then; none where that is not known, and of everything else.
    pub text: Option<TextId>,
    /// What a person who agrees with it decides; none of what only marks or routes.
    pub says: Option<Action>,
    /// What the verdict would have been without it (in shadow: with it), where that is another.
    pub otherwise: Option<Action>,
}

impl Part<'_> {
    /// Whether the verdict hung on it.
    #[must_use]
    pub const fn is_decisive(&self) -> bool {
        self.otherwise.is_some()
    }

    /// Whether a person agrees with what it was decisive for; none where it was not, or speaks for nothing. `action` is the verdict's.
    #[must_use]
    pub fn is_overturned_by(&self, person: Action, action: Action) -> Option<bool> {
        let otherwise = self.otherwise?;
        self.says?;
        let (before, after) = if self.mode == Mode::Shadow { (action, otherwise) } else { (otherwise, action) };
        Some(person == if after > before { Action::Approve } else { Action::Reject })
    }
}

/// Everything that hit in a verdict, in the order in which it stands there.
#[must_use]
pub fn parts<'a>(verdict: &'a Verdict, judged_by: DecidedBy, site: &str, lens: &Lens) -> Vec<Part<'a>> {
    let measure = lens.measure(site);
    let frozen = Frozen::of(verdict, judged_by, &measure.thresholds, &measure.policy, lens);
    let hits = verdict.signals.iter().filter(|signal| matches!(signal.outcome, Outcome::Hit { .. }));
    let mut parts: Vec<Part<'a>> = hits.filter_map(|signal| frozen.signal(signal, lens)).collect();
    for cause in &verdict.causes {
        let Some(kind) = kind_of(&cause.id) else { continue };
        let id = if kind == Kind::Sanction { SANCTION } else { cause.id.as_str() };
        let otherwise = frozen.without_cause(&cause.id, kind).filter(|action| *action != verdict.action);
        // Of a sanction nothing but what it did says whether it is for or against the author.
        let says = match otherwise {
            Some(otherwise) if verdict.action < otherwise => Some(Action::Approve),
            None if kind == Kind::Sanction => None,
            Some(_) | None => Some(Action::Reject),
        };
        parts.push(Part { id, kind, mode: Mode::Live, text: None, says, otherwise });
    }
    parts
}

/// What a cause is, if it is something that is counted: what modes ask for and what could not be had is nobody's rule, and rules stand among the signals.
fn kind_of(id: &str) -> Option<Kind> {
    let is = |prefix: &str| id.starts_with(prefix);
    match () {
        () if is("limit:") => Some(Kind::Limit),
        () if is("campaign:") => Some(Kind::Campaign),
        () if is("sanction:") || is("shadow-ban:") => Some(Kind::Sanction),
        () => None,
    }
}

/// A verdict, with what it does not say of itself.
struct Frozen<'a> {
    verdict: &'a Verdict,
    thresholds: Thresholds,
    policy: &'a policy::Config,
    /// What set the action besides the scores, with the mildest action that it allows.
    floors: Vec<(&'a str, Action)>,
    /// What approved, whatever the scores were.
    approvals: Vec<&'a str>,
    /// Whether a sanction decided over all of it.
    sanctioned: bool,
}

impl<'a> Frozen<'a> {
    fn of(
        verdict: &'a Verdict,
        judged_by: DecidedBy,
        thresholds: &Thresholds,
        policy: &'a policy::Config,
        lens: &Lens,
    ) -> Self {
        let mut frozen = Self {
            verdict,
            thresholds: *thresholds,
            policy,
            floors: Vec::new(),
            approvals: Vec::new(),
            sanctioned: judged_by == DecidedBy::Rule,
        };
        for cause in verdict.causes.iter().filter(|cause| !is_label(cause)) {
            let id = cause.id.as_str();
            match action_of(id, verdict, lens) {
                Some(Action::Approve) => frozen.approvals.push(id),
                Some(floor) => frozen.floors.push((id, floor)),
                None => {}
            }
        }
        frozen.correct();
        frozen
    }

    /// Moves thresholds to where the verdict shows that they were.
    fn correct(&mut self) {
        if self.sanctioned || !self.approvals.is_empty() {
            return; // then the action says nothing of the scores
        }
        let forced = self.floors.iter().map(|(_, floor)| *floor).max().unwrap_or(Action::Approve);
        let by_score = self.verdict.action > forced;
        for category in Category::ALL {
            let score = self.verdict.scores[category].get();
            let led = by_score && self.verdict.category == Some(category);
            let (hold, reject) = (&mut self.thresholds.hold[category], &mut self.thresholds.reject[category]);
            match self.verdict.action {
                Action::Approve => {
                    *hold = above(*hold, score);
                    *reject = above(*reject, score);
                }
                Action::Hold => {
                    *reject = above(*reject, score);
                    *hold = if led { hold.min(score) } else { *hold };
                }
                Action::Reject => *reject = if led { reject.min(score) } else { *reject },
            }
        }
    }

    /// What these scores ask for.
    fn by_score(&self, scores: &PerCategory<f64>) -> Action {
        let asked = Category::ALL.into_iter().map(|category| match scores[category] {
            score if score >= self.thresholds.reject[category] => Action::Reject,
            score if score >= self.thresholds.hold[category] => Action::Hold,
            _ => Action::Approve,
        });
        asked.max().unwrap_or(Action::Approve)
    }

    fn scores(&self) -> PerCategory<f64> {
        PerCategory::from_fn(|category| self.verdict.scores[category].get())
    }

    /// What policy makes of these scores, without one cause.
    fn action(&self, scores: &PerCategory<f64>, without: Option<&str>) -> Action {
        let is_left = |id: &str| without != Some(id);
        let approved = self.approvals.iter().any(|id| is_left(id));
        let by_score = if approved { Action::Approve } else { self.by_score(scores) };
        let floors = self.floors.iter().filter(|(id, _)| is_left(id)).map(|(_, floor)| *floor);
        floors.fold(by_score, Action::max)
    }

    /// The same where something more approves: what modes ask for is taken back with it.
    fn action_if_approved(&self) -> Action {
        let is_mode = |id: &str| id == "mode:pre" || id == "mode:first-comment";
        let floors = self.floors.iter().filter(|(id, _)| !is_mode(id)).map(|(_, floor)| *floor);
        floors.fold(Action::Approve, Action::max)
    }

    fn without_cause(&self, id: &str, kind: Kind) -> Option<Action> {
        match kind {
            // Whether a sanction made the difference was recorded with the verdict.
            Kind::Sanction if !self.sanctioned => None,
            Kind::Sanction => Some(self.action(&self.scores(), None)),
            _ if self.sanctioned => None,
            _ => Some(self.action(&self.scores(), Some(id))),
        }
    }

    fn signal<'s>(&self, signal: &'s Evaluated, lens: &Lens) -> Option<Part<'s>> {
        let Outcome::Hit { weight, .. } = &signal.outcome else { return None };
        let id = signal.id.as_ref();
        let is_rule = id.starts_with(RULE);
        let told = did(id, self.verdict, lens).filter(|_| is_rule);
        let is_cause = || self.verdict.causes.iter().any(|cause| cause.id == id);
        let action = match signal.mode {
            Mode::Shadow => told.and_then(|(action, _)| action),
            Mode::Live | Mode::Off if is_rule && is_cause() => action_of(id, self.verdict, lens),
            Mode::Live | Mode::Off => None,
        };
        let routes = told.map_or_else(|| is_rule && self.is_routed_by(id), |(_, routes)| routes);
        let says = match action {
            _ if routes => None,
            Some(Action::Approve) => Some(Action::Approve),
            Some(_) => Some(Action::Reject),
            None if *weight > LogOdds::ZERO => Some(Action::Reject),
            None if *weight < LogOdds::ZERO => Some(Action::Approve),
            None => None,
        };
        let otherwise = match signal.mode {
            _ if self.sanctioned => None,
            Mode::Shadow => Some(self.with(signal, *weight, action)),
            Mode::Live | Mode::Off => Some(self.without(signal, *weight)),
        };
        let otherwise = otherwise.filter(|otherwise| *otherwise != self.verdict.action);
        let kind = if is_rule { Kind::Rule } else { Kind::Signal };
        let text = lens.rules_of(self.verdict).filter(|_| is_rule).and_then(|rules| rules.get(id)).map(|was| was.text);
        Some(Part { id, kind, mode: signal.mode, text, says, otherwise })
    }

    fn without(&self, signal: &Evaluated, weight: LogOdds) -> Action {
        let mut scores = self.scores();
        if weight != LogOdds::ZERO {
            let total = explain::total(self.verdict, signal.category, Some(&signal.id));
            scores[signal.category] = total.probability().get();
        }
        self.action(&scores, Some(&signal.id))
    }

    /// With something that ran in shadow.
    fn with(&self, signal: &Evaluated, weight: LogOdds, action: Option<Action>) -> Action {
        if action == Some(Action::Approve) {
            return self.action_if_approved();
        }
        let scores = caps::scores_with(self.verdict, self.policy, signal, weight);
        self.action(&scores, None).max(action.unwrap_or(Action::Approve))
    }

    /// Whether a rule that is gone from the settings sent the comment to a queue: the mark of a queue has the rule's words.
    fn is_routed_by(&self, rule: &str) -> bool {
        let Some(cause) = self.verdict.causes.iter().find(|cause| cause.id == rule) else { return false };
        self.verdict.causes.iter().any(|mark| mark.id.starts_with(QUEUE) && mark.text == cause.text)
    }
}

/// A threshold that lies above a score, no higher than it must.
fn above(threshold: f64, score: f64) -> f64 {
    if threshold > score { threshold } else { score.next_up() }
}

/// What a rule did besides adding a weight, and whether it said no more than where a comment belongs: as it was then, where that is known, or as it is now.
fn did(id: &str, verdict: &Verdict, lens: &Lens) -> Option<(Option<Action>, bool)> {
    let then = lens.rules_of(verdict).and_then(|rules| rules.get(id)).map(|was| (was.action, was.routes));
    then.or_else(|| lens.rules.get(id).map(|told| (told.action, told.routes)))
}

/// What a cause asks for: an action that the verdict has at least, or that approves it. Of a rule of which nothing is known any more it is told by what
/// became of the comment.
fn action_of(id: &str, verdict: &Verdict, lens: &Lens) -> Option<Action> {
    if id.starts_with(RULE) {
        return Some(did(id, verdict, lens).and_then(|(action, _)| action).unwrap_or(verdict.action));
    }
    match id {
        "mode:closed" | "campaign:rule" => Some(Action::Reject),
        // Held at least; where the settings say so, rejected.
        "campaign:rejected" => Some(verdict.action),
        _ if kind_of(id) == Some(Kind::Sanction) => None,
        _ => Some(Action::Hold),
    }
}
