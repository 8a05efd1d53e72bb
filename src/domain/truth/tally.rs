//! Counting what parts of verdicts did, by what they are, by site and by week. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;

use super::hints::Together;
use super::part::{Part, parts};
use super::{Counts, Judged, Kind, Lens, Now, Truth, Week};
use crate::domain::decision::Action;
use crate::domain::reads::Share;
use crate::domain::rules::Told;
use crate::domain::signal::Mode;
use crate::domain::time::Timestamp;

/// Rules of one verdict of which pairs are counted: where more hit at once, which of them always do is no news.
const PAIRED_MAX: usize = 20;
/// Pairs that are counted.
const PAIRS_MAX: usize = 50_000;

/// A week by ISO 8601, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IsoWeek {
    year: i32,
    week: u8,
}

impl IsoWeek {
    /// The one that a moment lies in.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * 1_000_000);
        let (year, week, _) = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH).to_iso_week_date();
        Self { year, week }
    }
}

impl std::fmt::Display for IsoWeek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-W{:02}", self.year, self.week)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    fired: u32,
    decisive: u32,
    /// Of what it was decisive for, what people decided about.
    answered: u32,
    overturned: u32,
    /// Of what it hit, what people decided about.
    decided: u32,
    right: u32,
    last_at: Option<Timestamp>,
}

impl Sum {
    fn add(&mut self, part: &Part<'_>, judged: &Judged, counts: Counting) {
        if counts == Counting::Everything {
            self.fired += 1;
            self.decisive += u32::from(part.is_decisive());
        }
        self.last_at = self.last_at.max(Some(judged.at));
        let Some(person) = judged.person else { return };
        if let Some(says) = part.says {
            self.decided += 1;
            self.right += u32::from(says == person);
        }
        if let Some(is_overturned) = part.is_overturned_by(person, judged.verdict.action) {
            self.answered += 1;
            self.overturned += u32::from(is_overturned);
        }
    }

    fn counts(&self) -> Counts {
        Counts {
            fired: self.fired,
            decisive: self.decisive,
            overturned: Share::new(self.overturned, self.answered),
            precision: Share::new(self.right, self.decided),
            last_at: self.last_at,
        }
    }
}

/// What of a verdict is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// All of it.
    Everything,
    /// What people decided alone: of comments that lie further back than all are looked at.
    Decided,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    all: Sum,
    weeks: BTreeMap<(IsoWeek, Arc<str>), Sum>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    entries: BTreeMap<(String, bool), Entry>,
    /// How often each of the rules hit on what is counted whole, whatever its mode.
    alone: BTreeMap<String, u32>,
    pairs: BTreeMap<(String, String), u32>,
    /// Comments that were looked at.
    pub comments: u32,
    /// Of these, what people decided about.
    pub decided: u32,
}

impl Tally {
    /// Counts one verdict.
    pub fn add(&mut self, judged: &Judged, lens: &Lens, counting: Counting) {
        self.comments += u32::from(counting == Counting::Everything);
        self.decided += u32::from(judged.person.is_some());
        let week = (IsoWeek::of(judged.at), Arc::clone(&judged.site));
        let all = parts(&judged.verdict, judged.judged_by, &judged.site, lens);
        for part in &all {
            let key = (part.id.to_owned(), part.mode == Mode::Shadow);
            let entry = self.entries.entry(key).or_insert_with(|| Entry {
                kind: part.kind,
                all: Sum::default(),
                weeks: BTreeMap::new(),
            });
            entry.all.add(part, judged, counting);
            entry.weeks.entry(week.clone()).or_default().add(part, judged, counting);
        }
        if counting == Counting::Everything {
            self.pair(&all);
        }
    }

    fn pair(&mut self, all: &[Part<'_>]) {
        let rules: BTreeSet<&str> = all.iter().filter(|part| part.kind == Kind::Rule).map(|part| part.id).collect();
        for rule in &rules {
            *self.alone.entry((*rule).to_owned()).or_default() += 1;
        }
        if rules.len() > PAIRED_MAX {
            return;
        }
        for (at, first) in rules.iter().enumerate() {
            for second in rules.iter().skip(at + 1) {
                let key = ((*first).to_owned(), (*second).to_owned());
                if self.pairs.len() < PAIRS_MAX || self.pairs.contains_key(&key) {
                    *self.pairs.entry(key).or_default() += 1;
                }
            }
        }
    }

    /// Pairs of rules of which neither hit without the other.
    #[must_use]
    pub fn together(&self) -> Vec<Together> {
        let alone = |rule: &String| self.alone.get(rule).copied();
        let always = self
            .pairs
            .iter()
            .filter(|((first, second), count)| alone(first) == Some(**count) && alone(second) == Some(**count));
        always
            .map(|((first, second), count)| Together { rules: [first.clone(), second.clone()], hits: *count })
            .collect()
    }

    /// What was found: rules first, the busiest first, those of the settings that never hit among them.
    #[must_use]
    pub fn truths(&self, rules: &BTreeMap<String, Told>, now: Timestamp) -> Vec<Truth> {
        let mut truths: Vec<Truth> = self
            .entries
            .iter()
            .map(|((id, shadow), entry)| Truth {
                id: id.clone(),
                kind: entry.kind,
                mode: if *shadow { Mode::Shadow } else { Mode::Live },
                now: (entry.kind == Kind::Rule).then(|| standing(rules.get(id), now)),
                reason: rules.get(id).map(|told| told.reason.clone()),
                expires: rules.get(id).and_then(|told| told.expires),
                counts: entry.all.counts(),
                weeks: weeks(&entry.weeks),
            })
            .collect();
        for (id, told) in rules {
            let shadow = told.mode == Mode::Shadow;
            if self.entries.contains_key(&(id.clone(), shadow)) {
                continue;
            }
            truths.push(Truth {
                id: id.clone(),
                kind: Kind::Rule,
                mode: told.mode,
                now: Some(standing(Some(told), now)),
                reason: Some(told.reason.clone()),
                expires: told.expires,
                counts: Sum::default().counts(),
                weeks: Vec::new(),
            });
        }
        truths.sort_by(|a, b| {
            let busy = |truth: &Truth| (truth.counts.fired, truth.counts.precision.of);
            a.kind.cmp(&b.kind).then(busy(b).cmp(&busy(a))).then_with(|| a.id.cmp(&b.id))
        });
        truths
    }
}

fn weeks(of: &BTreeMap<(IsoWeek, Arc<str>), Sum>) -> Vec<Week> {
    let week = |((week, site), sum): (&(IsoWeek, Arc<str>), &Sum)| Week {
        site: site.to_string(),
        week: week.to_string(),
        counts: sum.counts(),
    };
    let mut weeks: Vec<Week> = of.iter().map(week).collect();
    weeks.sort_by(|a, b| b.week.cmp(&a.week).then_with(|| a.site.cmp(&b.site)));
    weeks
}

/// How a rule stands.
fn standing(told: Option<&Told>, now: Timestamp) -> Now {
    match told {
        None => Now::Gone,
        Some(told) if told.mode == Mode::Off => Now::Off,
        Some(told) if told.expires.is_some_and(|expires| expires <= now) => Now::Expired,
        Some(told) if told.mode == Mode::Shadow => Now::Shadow,
        Some(_) => Now::Live,
    }
}

/// What a person decided, for the counting: nothing where the comment waits again.
#[must_use]
pub fn word_of(status: crate::domain::decision::Status, by_person: bool) -> Option<Action> {
    use crate::domain::decision::Status;
    match (by_person, status) {
        (true, Status::Approved) => Some(Action::Approve),
        (true, Status::Rejected) => Some(Action::Reject),
        (true, Status::Held) | (false, _) => None,
    }
}
