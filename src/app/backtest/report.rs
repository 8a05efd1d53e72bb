//! What a replay found, measured by what people decided.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Ask, Fate, Why};
use crate::domain::decision::{Action, Verdict};
use crate::domain::model::ModelOutput;
use crate::domain::reads::Share;
use crate::domain::time::Timestamp;

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// From when on comments were judged.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// The only site that is told about.
    pub site: Option<String>,
    /// The candidate's hash, as its verdicts name it; none when nothing was judged.
    pub policy: Option<String>,
    /// The candidate's model; none when nothing was judged, or without one.
    pub model: Option<String>,
    /// Comments and edits that were judged, and are told about.
    pub judged: u32,
    /// Of those, what people decided about: only these say whether a verdict was right.
    pub decided: u32,
    /// As recorded.
    pub before: Measures,
    /// Under the candidate.
    pub after: Measures,
    /// What differs.
    pub flips: Flips,
    /// Comments that were recalled, so that the past was known.
    pub recalled: u32,
    /// What could not be replayed.
    pub left_out: LeftOut,
}

/// What happened and was not replayed: how far the result is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// Reports of readers that made a comment wait.
    pub reports: u32,
    /// Edits, decisions and sanctions' ends that found nothing to apply to, such as what the candidate's limits had refused.
    pub aimless: u32,
}

/// How good verdicts are: shares with Wilson's interval at 95 %.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measures {
    /// Approved, of all that were judged.
    pub approved: Share,
    /// Held: what the queue has to carry.
    pub held: Share,
    /// Rejected.
    pub rejected: Share,
    /// Refused by a limit.
    pub refused: Share,
    /// Of what was not approved and people decided about, what they rejected.
    pub precision: Share,
    /// Of what people rejected, what was not approved.
    pub recall: Share,
    /// Of what people approved, what was not approved.
    pub false_positives: Share,
}

/// Verdicts that differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flips {
    /// How many, of all that were judged.
    pub all: Share,
    /// How many from what to what, as in `approve to hold`.
    pub kinds: BTreeMap<String, u32>,
    /// Those after which readers see what people approved, or do not see what people rejected.
    pub better: u32,
    /// The opposite.
    pub worse: u32,
    /// The first of them, a bounded number.
    pub listed: Vec<Flip>,
}

/// A verdict that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flip {
    /// Our name for the comment.
    pub uid: Uuid,
    /// Its page in the console, where that is known.
    pub link: Option<String>,
    /// The site.
    pub site: String,
    /// The site's name for it.
    pub id: String,
    /// Which revision.
    pub revision: u32,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// As recorded.
    pub before: Fate,
    /// Under the candidate.
    pub after: Fate,
    /// What a person decided.
    pub person: Option<Action>,
    /// What makes the difference, most important first.
    #[schema(value_type = Vec<String>)]
    pub why: Vec<Why>,
}

/// What a candidate must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// Held at most, of all.
    pub max_hold_rate: Option<f64>,
    /// Rejected at most, of all.
    pub max_reject_rate: Option<f64>,
    /// Not approved at most, of what people approved.
    pub max_false_positive_rate: Option<f64>,
    /// Right at least, of what was not approved.
    pub min_precision: Option<f64>,
    /// Not approved at least, of what people rejected.
    pub min_recall: Option<f64>,
    /// Verdicts that differ at most.
    pub max_flips: Option<u32>,
}

impl Bounds {
    /// A sentence for each that `report` breaks. What cannot be told is no good news.
    #[must_use]
    pub fn broken(&self, report: &Report) -> Vec<String> {
        let after = &report.after;
        let mut broken = Vec::new();
        let mut look = |name: &str, found: Share, bound: Option<f64>, at_most: bool| {
            let Some(bound) = bound else { return };
            let Some(rate) = found.rate else {
                broken.push(format!("{name} cannot be told: there is nothing to tell it by"));
                return;
            };
            if if at_most { rate > bound } else { rate < bound } {
                let wanted = if at_most { "at most" } else { "at least" };
                broken.push(format!("{name} is {:.2} %, {wanted} {:.2} % wanted", rate * 100.0, bound * 100.0));
            }
        };
        look("the share that is held", after.held, self.max_hold_rate, true);
        look("the share that is rejected", after.rejected, self.max_reject_rate, true);
        look("the false-positive rate", after.false_positives, self.max_false_positive_rate, true);
        look("precision", after.precision, self.min_precision, false);
        look("recall", after.recall, self.min_recall, false);
        if let Some(bound) = self.max_flips.filter(|bound| report.flips.all.n > *bound) {
            broken.push(format!("{} verdicts differ, at most {bound} wanted", report.flips.all.n));
        }
        broken
    }
}

/// One revision, judged twice.
pub(super) struct Twice<'a> {
    pub uid: Uuid,
    pub site: &'a str,
    pub id: &'a str,
    pub revision: u32,
    pub at: Timestamp,
    pub before: &'a Verdict,
    /// `Err` with the limit that refused it.
    pub after: Result<&'a Verdict, &'a str>,
    pub person: Option<Action>,
}

/// Counts as the replay goes on.
#[derive(Default)]
pub(super) struct Tally {
    before: Counts,
    after: Counts,
    kinds: BTreeMap<String, u32>,
    better: u32,
    worse: u32,
    listed: Vec<Flip>,
    policy: Option<String>,
    model: Option<String>,
}

#[derive(Default)]
struct Counts {
    /// By [`Fate`].
    fates: [u32; 4],
    /// By fate, what people approved.
    welcome: [u32; 4],
    /// By fate, what people rejected.
    unwelcome: [u32; 4],
}

impl Counts {
    fn add(&mut self, fate: Fate, person: Option<Action>) {
        self.fates[fate as usize] += 1;
        match person {
            Some(Action::Approve) => self.welcome[fate as usize] += 1,
            Some(Action::Reject) => self.unwelcome[fate as usize] += 1,
            Some(Action::Hold) | None => {}
        }
    }

    fn measures(&self) -> Measures {
        let all: u32 = self.fates.iter().sum();
        let stopped = |counts: &[u32; 4]| counts[1..].iter().sum::<u32>();
        let (welcome, unwelcome) = (self.welcome.iter().sum(), self.unwelcome.iter().sum());
        let (wrong, right) = (stopped(&self.welcome), stopped(&self.unwelcome));
        let of = |fate: Fate| Share::new(self.fates[fate as usize], all);
        Measures {
            approved: of(Fate::Approve),
            held: of(Fate::Hold),
            rejected: of(Fate::Reject),
            refused: of(Fate::Refuse),
            precision: Share::new(right, right + wrong),
            recall: Share::new(right, unwelcome),
            false_positives: Share::new(wrong, welcome),
        }
    }
}

impl Tally {
    /// Counts a revision that was judged twice.
    pub(super) fn add(&mut self, twice: &Twice<'_>, ask: &Ask) {
        let before = Fate::from(twice.before.action);
        let after = twice.after.map_or(Fate::Refuse, |verdict| verdict.action.into());
        self.before.add(before, twice.person);
        self.after.add(after, twice.person);
        if let Ok(verdict) = twice.after
            && self.policy.is_none()
        {
            self.policy = Some(verdict.policy.clone());
            if let ModelOutput::Scored { version, .. } = &verdict.model {
                self.model = Some(version.clone());
            }
        }
        if before == after {
            return;
        }
        let of_kind = self.kinds.entry(format!("{} to {}", before.name(), after.name())).or_default();
        *of_kind += 1;
        let is_listed = self.listed.len() < ask.listed
            && ask.listed_each.is_none_or(|most| usize::try_from(*of_kind).is_ok_and(|count| count <= most));
        if before.is_stopped() != after.is_stopped() {
            match (twice.person, after.is_stopped()) {
                (Some(Action::Approve), false) | (Some(Action::Reject), true) => self.better += 1,
                (Some(Action::Approve), true) | (Some(Action::Reject), false) => self.worse += 1,
                (Some(Action::Hold) | None, _) => {}
            }
        }
        if is_listed {
            let link = (!ask.console.is_empty()).then(|| format!("{}/comments/{}", ask.console, twice.uid));
            self.listed.push(Flip {
                uid: twice.uid,
                link,
                site: twice.site.to_owned(),
                id: twice.id.to_owned(),
                revision: twice.revision,
                at: twice.at,
                before,
                after,
                person: twice.person,
                why: match twice.after {
                    Ok(after) => Why::of(twice.before, after),
                    Err(limit) => vec![Why::Refused(limit.to_string())],
                },
            });
        }
    }

    /// All of it.
    pub(super) fn report(self, ask: &Ask, recalled: u32, left_out: LeftOut) -> Report {
        let (before, after) = (self.before.measures(), self.after.measures());
        let judged = self.after.fates.iter().sum();
        let differ = self.kinds.values().sum();
        Report {
            since: ask.since,
            until: ask.until,
            site: ask.site.clone(),
            policy: self.policy,
            model: self.model,
            judged,
            decided: after.recall.of + after.false_positives.of,
            before,
            after,
            flips: Flips {
                all: Share::new(differ, judged),
                kinds: self.kinds,
                better: self.better,
                worse: self.worse,
                listed: self.listed,
            },
            recalled,
            left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::category::PerCategory;
    use crate::domain::decision::Cause;

    fn ask() -> Ask {
        Ask {
            since: Timestamp::EPOCH,
            until: Timestamp::EPOCH,
            site: None,
            recalled_since: Timestamp::EPOCH,
            authors_since: Timestamp::EPOCH,
            author_depth: 50,
            listed: 2,
            listed_each: None,
            console: "https://mod.example".to_owned(),
        }
    }

    fn verdict(action: Action, causes: &[&str]) -> Verdict {
        Verdict {
            action,
            category: None,
            scores: PerCategory::default(),
            prior: PerCategory::default(),
            signals: Vec::new(),
            model: ModelOutput::Off,
            adjustments: Vec::new(),
            causes: causes.iter().map(|id| Cause { id: (*id).to_owned(), text: String::new() }).collect(),
            policy: "p".to_owned(),
        }
    }

    fn tally(rows: &[(Action, Result<Action, ()>, Option<Action>)]) -> Report {
        let mut tally = Tally::default();
        for (before, after, person) in rows {
            let before = verdict(*before, &[]);
            let after = after.map(|after| verdict(after, &[]));
            let after = after.as_ref().map_err(|()| "per-author");
            let twice = Twice {
                uid: Uuid::nil(),
                site: "news",
                id: "c-1",
                revision: 1,
                at: Timestamp::EPOCH,
                before: &before,
                after,
                person: *person,
            };
            tally.add(&twice, &ask());
        }
        tally.report(&ask(), 0, LeftOut::default())
    }

    #[test]
    fn verdicts_are_measured_by_what_people_decided() {
        use Action::{Approve, Hold, Reject};
        let report = tally(&[
            (Approve, Ok(Approve), None),
            (Approve, Ok(Hold), Some(Reject)),
            (Hold, Ok(Approve), Some(Approve)),
            (Hold, Ok(Reject), Some(Approve)),
            (Reject, Err(()), Some(Reject)),
            (Hold, Ok(Approve), Some(Reject)),
        ]);
        assert_eq!((report.judged, report.decided), (6, 5));
        let share = |share: Share| (share.n, share.of);
        assert_eq!((share(report.before.precision), share(report.after.precision)), ((2, 4), (2, 3)));
        assert_eq!((share(report.before.recall), share(report.after.recall)), ((2, 3), (2, 3)));
        assert_eq!((share(report.before.false_positives), share(report.after.false_positives)), ((2, 2), (1, 2)));
        assert_eq!((share(report.after.held), share(report.after.refused)), ((1, 6), (1, 6)));
        assert_eq!((share(report.flips.all), report.flips.better, report.flips.worse), ((5, 6), 2, 1));
        assert_eq!(report.flips.kinds["hold to approve"], 2);
        assert_eq!(report.flips.listed.len(), 2, "no more than are wanted");
        let link = format!("https://mod.example/comments/{}", Uuid::nil());
        assert_eq!(report.flips.listed[0].link.as_deref(), Some(link.as_str()));
    }

    #[test]
    fn bounds_that_nothing_speaks_for_are_broken() {
        let nobody_decided = tally(&[(Action::Approve, Ok(Action::Hold), None)]);
        let bounds =
            Bounds { max_hold_rate: Some(0.5), min_recall: Some(0.5), max_flips: Some(1), ..Bounds::default() };
        let broken = bounds.broken(&nobody_decided);
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(broken[0].contains("held is 100.00 %") && broken[1].contains("recall cannot be told"), "{broken:?}");
        let good = tally(&[
            (Action::Approve, Ok(Action::Approve), None),
            (Action::Hold, Ok(Action::Hold), Some(Action::Reject)),
        ]);
        assert!(bounds.broken(&good).is_empty());
    }

    #[test]
    fn what_differs_is_named() {
        let found = Why::of(&verdict(Action::Hold, &["mode:pre"]), &verdict(Action::Approve, &["limit:per-ip"]));
        assert_eq!(found, [Why::Gone("mode:pre".to_owned()), Why::New("limit:per-ip".to_owned())]);
        let same = verdict(Action::Hold, &[]);
        assert_eq!(Why::of(&same, &verdict(Action::Approve, &[])), [Why::Thresholds]);
    }
}
