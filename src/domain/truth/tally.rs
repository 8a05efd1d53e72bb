//! Counting what parts of verdicts did, by what they are, by site and by week. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;

use super::hints::{Together, Tried};
use super::part::{Part, parts};
use super::{Asked, Counts, Judged, Kind, Lens, Now, Truth, Week, Wording};
use crate::domain::decision::Action;
use crate::domain::reads::Share;
use crate::domain::rules::Told;
use crate::domain::rules::was::{RuleSet, TextId, Was};
use crate::domain::signal::Mode;
use crate::domain::time::Timestamp;

/// Rules of one verdict of which pairs are counted: where more hit at once, which of them always do is no news.
const PAIRED_MAX: usize = 20;
/// Pairs that are counted.
const PAIRS_MAX: usize = 50_000;
/// Weeks of sites that are told of, of everything together: some 15 MB of JSON.
pub const WEEKS_MAX: usize = 50_000;
/// Changes from one set of rules to another that are followed back. Nodes that differ for long change with every comment.
const RUNS_MAX: usize = 100_000;

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

    fn join(&mut self, other: &Self) {
        self.fired += other.fired;
        self.decisive += other.decisive;
        self.answered += other.answered;
        self.overturned += other.overturned;
        self.decided += other.decided;
        self.right += other.right;
        self.last_at = self.last_at.max(other.last_at);
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

impl Entry {
    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            all: Sum { fired: 0, decisive: 0, answered: 0, overturned: 0, decided: 0, right: 0, last_at: None },
            weeks: BTreeMap::new(),
        }
    }

    fn join(&mut self, other: &Self) {
        self.all.join(&other.all);
        for (week, sum) in &other.weeks {
            self.weeks.entry(week.clone()).or_default().join(sum);
        }
    }
}

/// What is told of by itself: something, whether it ran in shadow, and in which text, as far as that is known.
type Key = (String, bool, Option<TextId>);

/// Comments that came one after the other under the same rules, none where those are not known.
#[derive(Debug)]
struct Run {
    rules: Option<Arc<RuleSet>>,
    from: Timestamp,
    to: Timestamp,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    entries: BTreeMap<Key, Entry>,
    /// Weeks of sites in `entries`.
    cells: usize,
    /// From when on weeks are told of, where not everything could be kept apart.
    weeks_since: Option<Timestamp>,
    /// How often each of the rules hit, in today's text, on what is counted whole, whatever its mode.
    alone: BTreeMap<String, u32>,
    pairs: BTreeMap<(String, String), u32>,
    /// Comments of each site under each set of rules, by where the set lies.
    asked: BTreeMap<(usize, Arc<str>), (Arc<RuleSet>, Asked)>,
    /// What is counted whole, latest first.
    runs: Vec<Run>,
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
            let key = (part.id.to_owned(), part.mode == Mode::Shadow, part.text);
            let entry = self.entries.entry(key).or_insert_with(|| Entry::of(part.kind));
            entry.all.add(part, judged, counting);
            match entry.weeks.get_mut(&week) {
                Some(sum) => sum.add(part, judged, counting),
                None if self.cells < WEEKS_MAX => {
                    self.cells += 1;
                    entry.weeks.entry(week.clone()).or_default().add(part, judged, counting);
                }
                None => {
                    self.weeks_since.get_or_insert(judged.at.plus_millis(1));
                }
            }
        }
        if counting == Counting::Everything {
            self.pair(&all, lens);
            self.ask(judged, lens);
        }
    }

    /// Which rules were asked.
    fn ask(&mut self, judged: &Judged, lens: &Lens) {
        let rules = lens.rules_of(&judged.verdict);
        if let Some(rules) = rules {
            let place = (Arc::as_ptr(rules) as usize, Arc::clone(&judged.site));
            let new = || (Arc::clone(rules), Asked { comments: 0, first_at: judged.at, last_at: judged.at });
            let (_, asked) = self.asked.entry(place).or_insert_with(new);
            asked.comments += 1;
            (asked.first_at, asked.last_at) = (asked.first_at.min(judged.at), asked.last_at.max(judged.at));
        }
        let rules = rules.filter(|_| self.runs.len() < RUNS_MAX); // what is further back is not known
        match self.runs.last_mut() {
            Some(run) if is_same(run.rules.as_ref(), rules) => {
                (run.from, run.to) = (run.from.min(judged.at), run.to.max(judged.at));
            }
            _ => self.runs.push(Run { rules: rules.cloned(), from: judged.at, to: judged.at }),
        }
    }

    /// From when on weeks are told of, where that is not everything.
    #[must_use]
    pub const fn weeks_since(&self) -> Option<Timestamp> {
        self.weeks_since
    }

    fn pair(&mut self, all: &[Part<'_>], lens: &Lens) {
        let is_todays =
            |part: &&Part<'_>| part.text.is_some() && part.text == lens.rules.get(part.id).map(|told| told.text);
        let rules: BTreeSet<&str> = all.iter().filter(is_todays).map(|part| part.id).collect();
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
        let asked = self.asked();
        let mut truths: Vec<Truth> = Vec::with_capacity(self.entries.len() + rules.len());
        // Of a rule that is gone there is no text that the others were before: what it did is told in one.
        let mut gone: BTreeMap<(&str, bool), Entry> = BTreeMap::new();
        for ((id, shadow, text), entry) in &self.entries {
            let told = rules.get(id);
            if entry.kind == Kind::Rule && told.is_none() {
                gone.entry((id, *shadow)).or_insert_with(|| Entry::of(entry.kind)).join(entry);
                continue;
            }
            let mode = if *shadow { Mode::Shadow } else { Mode::Live };
            let truth = truth(id, mode, entry, told, now);
            let Some(told) = told else {
                truths.push(truth);
                continue;
            };
            let wording = match text {
                Some(text) if *text == told.text => Wording::Current,
                Some(_) => Wording::Earlier,
                None => Wording::Unknown,
            };
            let asked = text.and_then(|text| asked.get(&(id.as_str(), *shadow, text)).copied());
            truths.push(Truth { wording: Some(wording), text: text.map(|text| text.to_string()), asked, ..truth });
        }
        truths.extend(
            gone.iter().map(|((id, shadow), entry)| {
                truth(id, if *shadow { Mode::Shadow } else { Mode::Live }, entry, None, now)
            }),
        );
        for (id, told) in rules {
            let shadow = told.mode == Mode::Shadow;
            if self.entries.contains_key(&(id.clone(), shadow, Some(told.text))) {
                continue;
            }
            let (wording, text) = (Some(Wording::Current), Some(told.text.to_string()));
            let asked = asked.get(&(id.as_str(), shadow, told.text)).copied();
            let nothing = truth(id, told.mode, &Entry::of(Kind::Rule), Some(told), now);
            truths.push(Truth { wording, text, asked, ..nothing });
        }
        truths.sort_by(|a, b| {
            let busy = |truth: &Truth| (truth.counts.fired, truth.counts.precision.of);
            let by_name = || a.id.cmp(&b.id).then(a.wording.cmp(&b.wording));
            a.kind.cmp(&b.kind).then(busy(b).cmp(&busy(a))).then_with(by_name)
        });
        truths
    }

    /// Of how many comments each text of each rule was asked, live and in shadow.
    fn asked(&self) -> BTreeMap<(&str, bool, TextId), Asked> {
        let mut all: BTreeMap<(&str, bool, TextId), Asked> = BTreeMap::new();
        for ((_, site), (rules, of)) in &self.asked {
            for (id, was) in rules.iter().filter(|(_, was)| was.is_asked(site, of.first_at)) {
                let asked = all.entry((id, was.mode == Mode::Shadow, was.text)).or_insert(Asked { comments: 0, ..*of });
                asked.comments += of.comments;
                (asked.first_at, asked.last_at) = (asked.first_at.min(of.first_at), asked.last_at.max(of.last_at));
            }
        }
        all
    }

    /// How long live rules were asked live, as they are now, and of how many comments: time in which a rule was off, in shadow or another, and time of which that is not
    /// known, does not count.
    #[must_use]
    pub fn tried(&self, rules: &BTreeMap<String, Told>, until: Timestamp) -> BTreeMap<String, Tried> {
        let asked = self.asked();
        let live = rules.iter().filter(|(_, told)| told.mode == Mode::Live);
        let tried = live.filter_map(|(id, told)| {
            let asked = *asked.get(&(id.as_str(), false, told.text))?;
            let was_asked = |was: &Was| was.mode == Mode::Live && was.text == told.text;
            let mut millis = 0;
            // The stretch that is gone through, backwards: where it begins and ends, as far as is known.
            let mut stretch: Option<(Timestamp, Timestamp)> = Some((until, until));
            let mut close = |stretch: &mut Option<(Timestamp, Timestamp)>| {
                millis += stretch.take().map_or(0, |(from, to)| to.millis_since(from));
            };
            for run in &self.runs {
                let was = run.rules.as_ref().and_then(|rules| rules.get(id)).filter(|was| was_asked(was));
                match was {
                    None => close(&mut stretch),
                    Some(was) => {
                        let to = was.expires.map_or(run.to, |expires| expires.min(run.to));
                        stretch = Some((run.from, stretch.map_or(to, |(_, to)| to)));
                    }
                }
            }
            close(&mut stretch);
            Some((id.clone(), Tried { millis, asked }))
        });
        tried.collect()
    }
}

fn is_same(one: Option<&Arc<RuleSet>>, other: Option<&Arc<RuleSet>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// What an entry says, of whatever it is.
fn truth(id: &str, mode: Mode, entry: &Entry, told: Option<&Told>, now: Timestamp) -> Truth {
    Truth {
        id: id.to_owned(),
        kind: entry.kind,
        mode,
        now: (entry.kind == Kind::Rule).then(|| standing(told, now)),
        wording: None,
        text: None,
        asked: None,
        reason: told.map(|told| told.reason.clone()),
        expires: told.and_then(|told| told.expires),
        counts: entry.all.counts(),
        weeks: weeks(&entry.weeks),
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
