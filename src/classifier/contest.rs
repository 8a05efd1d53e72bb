//! Whether what a site taught is better than what is in force: champion against challenger, on labels that neither had learned.
//!
//! A challenger learns all labels in force, in the order of time, and is asked about each before it learns it: every one of its answers is
//! about something that it had not seen (Dawid, "Present position and potential developments", 1984: prequential). The champion is asked
//! about those that it did not learn. It is replaced when the challenger loses clearly less on them and is no harder on ham; with few labels
//! "clearly" is what resampling says (Efron, "Bootstrap methods", 1979).

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::online::{Learner, Lesson, Pace, teaching};

/// When a challenger is tried, and when it wins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Labels of each class that there must be.
    pub min_per_class: usize,
    /// Labels that the one in force did not learn that there must be.
    pub min_new: usize,
    /// The latest labels that it is measured on, at most.
    pub window: usize,
    /// Nats by which its loss for each label must be smaller.
    pub min_gain: f64,
    /// Log-odds from which a comment is held.
    pub hold: f64,
    /// Log-odds from which it is rejected.
    pub reject: f64,
}

/// How well somebody said what people say, over some labels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Labels.
    pub labels: u32,
    /// Mean logarithmic loss, in nats.
    pub loss: f64,
    /// Ham that would have been held, or rejected.
    pub ham_held: u32,
    /// Ham that would have been rejected.
    pub ham_rejected: u32,
    /// What should have been held, and would not have been.
    pub missed: u32,
}

impl Tally {
    /// Over log-odds with their labels.
    #[must_use]
    pub fn of(said: &[(f64, bool)], rules: &Rules) -> Self {
        let count = |is_wrong: &dyn Fn(f64, bool) -> bool| {
            let wrong = said.iter().filter(|(margin, label)| is_wrong(*margin, *label));
            u32::try_from(wrong.count()).unwrap_or(u32::MAX)
        };
        let labels = u32::try_from(said.len()).unwrap_or(u32::MAX);
        let sum: f64 = said.iter().map(|(margin, label)| loss(*margin, *label)).sum();
        Self {
            labels,
            loss: sum / f64::from(labels.max(1)),
            ham_held: count(&|margin, label| !label && margin >= rules.hold),
            ham_rejected: count(&|margin, label| !label && margin >= rules.reject),
            missed: count(&|margin, label| label && margin < rules.hold),
        }
    }

    /// Whether its false positives are no worse than `other`'s on the same labels: it rejects no more ham, and what it holds more of comes with
    /// [`FOUND_FOR_HELD`] finds each.
    #[must_use]
    pub const fn spares_ham(&self, other: &Self) -> bool {
        let held_more = self.ham_held.saturating_sub(other.ham_held);
        let found_more = other.missed.saturating_sub(self.missed);
        self.ham_rejected <= other.ham_rejected && held_more * FOUND_FOR_HELD <= found_more
    }

    /// Labels that it would have decided otherwise.
    #[must_use]
    pub const fn wrong(&self) -> u32 {
        self.ham_held + self.missed
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Labels that teach, by class: what the output does not look for, and what it does.
    pub teaching: [u32; 2],
    /// The base, on the latest labels.
    pub base: Tally,
    /// The challenger, on the same.
    pub challenger: Tally,
    /// The one in force, on those of the latest that it did not learn; the base where there is none.
    pub champion: Tally,
    /// The challenger, on the same.
    pub challenger_against_it: Tally,
    /// How often the challenger was no better than the one in force when these were drawn again and again.
    pub chance: f64,
}

/// Why the one in force stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Too few labels of a class.
    TooFew,
    /// Too few that the one in force did not learn.
    TooFewNew,
    /// It does not lose less, or not clearly.
    NotBetter,
    /// It would reject more ham, or hold more than what it finds is worth.
    HarderOnHam,
    /// It is worse than the base.
    WorseThanBase,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The challenger wins, with these weights.
    Wins(Vec<(u32, f32)>),
    /// It does not, for that reason.
    Refused(Refusal),
}

/// A contest, and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Contest {
    /// What was measured.
    pub figures: Figures,
    /// Who won.
    pub outcome: Outcome,
    /// For each lesson, whether it taught.
    pub taught: Vec<bool>,
}

/// Shares of resamplings in which the challenger may be no better and still wins.
const CHANCE_MAX: f64 = 0.1;
/// Finds that are worth one more piece of ham that waits for a person.
pub const FOUND_FOR_HELD: u32 = 5;
/// Resamplings.
const DRAWS: u64 = 400;

/// Has a challenger learn `lessons`, oldest first, and measures it. `champion` says what the one in force adds to each lesson's base, `None`
/// for lessons that it learned.
#[must_use]
pub fn contest(lessons: &[Lesson], champion: &[Option<f64>], pace: Pace, rules: &Rules) -> Contest {
    let taught = teaching(lessons);
    let mut learner = Learner::new(pace);
    let mut asked: Vec<Asked> = Vec::new();
    for ((lesson, champion), _) in lessons.iter().zip(champion).zip(&taught).filter(|(_, taught)| **taught) {
        asked.push(Asked {
            label: lesson.label,
            base: lesson.base,
            champion: champion.map(|added| lesson.base + added),
            challenger: lesson.base + learner.margin(&lesson.features),
        });
        learner.learn(lesson);
    }
    let figures = figures(&asked, rules);
    let outcome = match verdict(&figures, rules) {
        None => Outcome::Wins(learner.weights()),
        Some(refusal) => Outcome::Refused(refusal),
    };
    Contest { figures, outcome, taught }
}

/// What everybody said of a lesson, in log-odds.
struct Asked {
    label: bool,
    base: f64,
    champion: Option<f64>,
    challenger: f64,
}

fn figures(asked: &[Asked], rules: &Rules) -> Figures {
    let of = |label: bool| u32::try_from(asked.iter().filter(|one| one.label == label).count()).unwrap_or(u32::MAX);
    let latest = &asked[asked.len().saturating_sub(rules.window)..];
    let tally = |said: &dyn Fn(&Asked) -> Option<f64>| {
        let said: Vec<(f64, bool)> = latest.iter().filter_map(|one| Some((said(one)?, one.label))).collect();
        Tally::of(&said, rules)
    };
    let gains: Vec<f64> = latest
        .iter()
        .filter_map(|one| Some(loss(one.champion?, one.label) - loss(one.challenger, one.label)))
        .collect();
    Figures {
        teaching: [of(false), of(true)],
        base: tally(&|one| Some(one.base)),
        challenger: tally(&|one| Some(one.challenger)),
        champion: tally(&|one| one.champion),
        challenger_against_it: tally(&|one| one.champion.map(|_| one.challenger)),
        chance: chance(&gains),
    }
}

fn verdict(figures: &Figures, rules: &Rules) -> Option<Refusal> {
    let new = figures.champion.labels as usize;
    let Figures { base, challenger, champion, challenger_against_it: against, .. } = figures;
    if figures.teaching.iter().any(|count| (*count as usize) < rules.min_per_class) {
        Some(Refusal::TooFew)
    } else if new < rules.min_new {
        Some(Refusal::TooFewNew)
    } else if champion.loss - against.loss < rules.min_gain || figures.chance > CHANCE_MAX {
        Some(Refusal::NotBetter)
    } else if !against.spares_ham(champion) {
        Some(Refusal::HarderOnHam)
    } else if challenger.loss > base.loss || !challenger.spares_ham(base) {
        Some(Refusal::WorseThanBase)
    } else {
        None
    }
}

/// Whether what is in force has done worse than the base would have, on labels that it did not learn: log-odds of both, with the label,
/// oldest first. It does when it decides otherwise than people clearly more often: a sign test over what the two decide differently.
#[must_use]
pub fn falls_behind(said: &[(f64, f64, bool)], rules: &Rules) -> bool {
    let latest = &said[said.len().saturating_sub(rules.window)..];
    let (mut worse, mut better) = (0_u32, 0_u32);
    for (in_force, base, label) in latest {
        match ((*in_force >= rules.hold) == *label, (*base >= rules.hold) == *label) {
            (false, true) => worse += 1,
            (true, false) => better += 1,
            (true, true) | (false, false) => {}
        }
    }
    worse > better && sign_test(worse, better) <= CHANCE_MAX
}

/// The same over lessons, with what the one in force adds to each lesson's base, `None` for those that it learned. Copies of a text are one
/// throw of the coin, not many.
#[must_use]
pub fn falls_behind_on(lessons: &[Lesson], in_force: &[Option<f64>], rules: &Rules) -> bool {
    let taught = teaching(lessons);
    let asked = lessons.iter().zip(in_force).zip(&taught).filter(|(_, teaches)| **teaches);
    let said: Vec<(f64, f64, bool)> =
        asked.filter_map(|((lesson, added), _)| Some((lesson.base + (*added)?, lesson.base, lesson.label))).collect();
    falls_behind(&said, rules)
}

/// The chance of at least so many heads in so many throws of a fair coin.
fn sign_test(heads: u32, tails: u32) -> f64 {
    let throws = heads + tails;
    let mut term = 0.5_f64.powi(i32::try_from(throws).unwrap_or(i32::MAX));
    let mut sum = 0.0;
    for tail in 0..=tails {
        sum += term; // that exactly `tail` of them are tails
        term = term * f64::from(throws - tail) / f64::from(tail + 1);
    }
    sum
}

fn loss(margin: f64, label: bool) -> f64 {
    let signed = if label { margin } else { -margin };
    (1.0 + (-signed.clamp(-30.0, 30.0)).exp()).ln()
}

/// How often the mean of gains is not above zero when as many are drawn from them again and again. Drawn by hash: the same every time.
fn chance(gains: &[f64]) -> f64 {
    if gains.is_empty() {
        return 1.0;
    }
    let length = gains.len() as u64;
    let draw = |round: u64| -> f64 {
        let at = |number: u64| usize::try_from(xxh3_64_with_seed(&number.to_le_bytes(), round) % length).unwrap_or(0);
        (0..length).map(|number| gains[at(number)]).sum()
    };
    #[expect(clippy::cast_precision_loss, reason = "some hundred rounds")]
    let share = (0..DRAWS).filter(|round| draw(*round) <= 0.0).count() as f64 / DRAWS as f64;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { min_per_class: 5, min_new: 10, window: 100, min_gain: 0.01, hold: -1.4, reject: 3.5 };

    /// `positives` and as many others, by turns, with a word of their kind and one of their own.
    fn stream(pairs: u32, flip: impl Fn(u32) -> bool) -> Vec<Lesson> {
        let lesson = |number: u32, kind: u32| {
            let features =
                vec![(kind, 0.4), (kind + 2, 0.4), (100 + number, 0.4), (super::super::features::CONSTANT, 1.0)];
            let label = (kind == 1) != flip(number);
            Lesson { features, base: -3.0, prior: -3.0, label, exact: u64::from(number * 2 + kind), sketch: None }
        };
        (0..pairs).flat_map(|number| [lesson(number, 1), lesson(number, 2)]).collect()
    }

    fn refusal(lessons: &[Lesson], champion: &[Option<f64>]) -> Option<Refusal> {
        match contest(lessons, champion, Pace::default(), &RULES).outcome {
            Outcome::Wins(_) => None,
            Outcome::Refused(refusal) => Some(refusal),
        }
    }

    #[test]
    fn a_challenger_wins_only_with_enough_that_is_new_and_clearly_better() {
        let nothing = |lessons: &[Lesson]| vec![Some(0.0); lessons.len()];
        let few = stream(4, |_| false);
        assert_eq!(refusal(&few, &nothing(&few)), Some(Refusal::TooFew));
        let enough = stream(20, |_| false);
        assert_eq!(refusal(&enough, &nothing(&enough)), None);
        let learned: Vec<Option<f64>> = (0..40).map(|at| (at >= 35).then_some(0.0)).collect();
        assert_eq!(refusal(&enough, &learned), Some(Refusal::TooFewNew));
        let perfect: Vec<Option<f64>> =
            enough.iter().map(|lesson| Some(if lesson.label { 9.0 } else { -9.0 })).collect();
        assert_eq!(refusal(&enough, &perfect), Some(Refusal::NotBetter));
        let mut noise = stream(20, |number| number % 2 == 0);
        for lesson in &mut noise {
            lesson.base = 0.0; // of even chances there is nothing better to say
        }
        assert!(refusal(&noise, &nothing(&noise)).is_some(), "labels that say now this, now that");
    }

    #[test]
    fn ham_that_is_held_has_to_be_paid_for_and_none_is_rejected_more() {
        let tally = |ham_held, ham_rejected, missed| Tally { labels: 100, loss: 0.1, ham_held, ham_rejected, missed };
        let cases: &[(&str, Tally, bool)] = &[
            ("the same", tally(3, 0, 20), true),
            ("less of both", tally(1, 0, 10), true),
            ("one more for five finds", tally(4, 0, 15), true),
            ("one more for four finds", tally(4, 0, 16), false),
            ("one rejected", tally(3, 1, 0), false),
        ];
        for (name, challenger, expected) in cases {
            assert_eq!(challenger.spares_ham(&tally(3, 0, 20)), *expected, "{name}");
        }
    }

    #[test]
    fn what_does_worse_than_the_base_falls_behind() {
        let (held, passed) = (0.0, -5.0);
        let said = |worse: usize, better: usize| -> Vec<(f64, f64, bool)> {
            let one = |in_force, base| move |_| (in_force, base, true);
            (0..worse).map(one(passed, held)).chain((0..better).map(one(held, passed))).collect()
        };
        for (worse, better, behind) in
            [(0, 0, false), (3, 0, false), (4, 0, true), (5, 4, false), (12, 4, true), (4, 12, false)]
        {
            assert_eq!(falls_behind(&said(worse, better), &RULES), behind, "{worse} {better}");
        }
        let long_ago: Vec<_> = said(20, 0).into_iter().chain(std::iter::repeat_n((held, held, true), 100)).collect();
        assert!(!falls_behind(&long_ago, &RULES), "the latest labels count");
    }

    #[test]
    fn copies_do_not_count_twice_against_what_is_in_force() {
        let lesson = |exact| Lesson { features: Vec::new(), base: 0.0, prior: 0.0, label: true, exact, sketch: None };
        let missed = |lessons: &[Lesson]| falls_behind_on(lessons, &vec![Some(-5.0); lessons.len()], &RULES);
        assert!(!missed(&[7; 30].map(lesson)), "thirty copies of one");
        assert!(missed(&[1, 2, 3, 4].map(lesson)), "four that differ");
        assert!(!falls_behind_on(&[1, 2, 3, 4].map(lesson), &[None; 4], &RULES), "what it learned says nothing");
    }

    #[test]
    fn a_sign_test_is_that_of_the_textbook() {
        for (heads, tails, expected) in [(1, 0, 0.5), (4, 0, 0.0625), (9, 1, 11.0 / 1024.0), (5, 5, 638.0 / 1024.0)] {
            assert!((sign_test(heads, tails) - expected).abs() < 1e-12, "{heads} {tails}");
        }
    }

    #[test]
    fn what_copies_say_is_asked_once() {
        let mut lessons = stream(20, |_| false);
        lessons.extend(std::iter::repeat_n(lessons[0].clone(), 30));
        let found = contest(&lessons, &vec![Some(0.0); lessons.len()], Pace::default(), &RULES);
        assert_eq!(found.figures.teaching, [20, 20]);
        assert_eq!(found.taught.iter().filter(|taught| **taught).count(), 40);
    }
}
