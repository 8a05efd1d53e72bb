//! What learning is worth on a site that the model never saw: comments in the order of time, labels only for what a person would have seen.
//!
//! A comment is judged by what is in force at that moment. A person sees it when it is held, or when it is drawn into the sample; what they say
//! is learned as the service would learn it, contest and all. Then the rest is judged twice: by what was learned, and by the model as it came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::contest::{Outcome, Refusal, Rules, contest, falls_behind};
use super::delta::Delta;
use super::evaluate::{Measures, Scored, measure};
use super::online::{Lesson, Pace};

/// How a stream is run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Protocol {
    /// Decisions after which the rest is measured.
    pub decisions: usize,
    /// Share of the stream that is used for decisions at most, when there are fewer.
    pub learned_share: f64,
    /// Share of what nobody would have seen that is drawn for a person.
    pub sampled: f64,
    /// Share of labels that are wrong.
    pub wrong: f64,
    /// Log-odds from which a comment is held.
    pub hold: f64,
    /// Log-odds from which it is rejected.
    pub reject: f64,
    /// Decides what is drawn, and which labels are wrong.
    pub seed: u64,
}

impl Default for Protocol {
    /// With policy's thresholds for spam. Public streams are short: with a smaller sample, or a smaller share of them to learn from, most end
    /// before two hundred decisions.
    fn default() -> Self {
        let of = |score: f64| (score / (1.0 - score)).ln();
        Self { decisions: 200, learned_share: 0.7, sampled: 0.3, wrong: 0.0, hold: of(0.2), reject: of(0.97), seed: 1 }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Streamed {
    /// Comments before the rest.
    pub read: usize,
    /// Decisions among them.
    pub decided: usize,
    /// Challengers that won.
    pub replaced: usize,
    /// Challengers that were refused, by reason.
    pub refused: BTreeMap<Refusal, usize>,
    /// Times that what was learned was given up.
    pub rolled_back: usize,
    /// The rest by the model as it came; what would have been held is called positive.
    pub before: Measures,
    /// The rest by what was learned.
    pub after: Measures,
}

/// Runs `comments`, oldest first (labels as they are true; what has no date keeps its place in the file), as a new site. Pure: the same stream gives the same answer.
#[must_use]
pub(super) fn stream(comments: &[Lesson], pace: Pace, rules: &Rules, protocol: &Protocol) -> Streamed {
    let draw = |at: usize, purpose: u64| {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = xxh3_64_with_seed(&at.to_le_bytes(), protocol.seed.wrapping_add(purpose)) as f64 / u64::MAX as f64;
        share
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a count of comments"
    )]
    let most = (comments.len() as f64 * protocol.learned_share) as usize;
    let mut site = Site { delta: None, learned: 0, lessons: Vec::new(), said: Vec::new() };
    let (mut read, mut replaced, mut rolled_back) = (0, 0, 0);
    let mut refused: BTreeMap<Refusal, usize> = BTreeMap::new();
    for (at, comment) in comments.iter().enumerate().take(most) {
        if site.lessons.len() >= protocol.decisions {
            break;
        }
        read = at + 1;
        let score = site.score(comment);
        let is_held = score >= protocol.hold && score < protocol.reject;
        if !is_held && draw(at, 0x5a) >= protocol.sampled {
            continue;
        }
        let label = comment.label ^ (draw(at, 0xa5) < protocol.wrong);
        site.said.push((score, comment.base, label));
        site.lessons.push(Lesson { label, ..comment.clone() });
        if site.delta.is_some() && falls_behind(&site.said[site.learned..], rules) {
            (site.delta, site.learned) = (None, 0);
            rolled_back += 1;
        }
        if site.lessons.len().is_multiple_of((rules.min_new / 2).max(1)) {
            match site.contest(pace, rules) {
                None => replaced += 1,
                Some(refusal) => *refused.entry(refusal).or_default() += 1,
            }
        }
    }
    let rest = &comments[read..];
    let scored = |of: &dyn Fn(&Lesson) -> f64| {
        let scored: Vec<Scored> = rest.iter().map(|comment| (of(comment), comment.label)).collect();
        let probability = |(margin, label): &Scored| (1.0 / (1.0 + (-margin).exp()), *label);
        measure(&scored.iter().map(probability).collect::<Vec<_>>(), 1.0 / (1.0 + (-protocol.hold).exp()))
    };
    Streamed {
        read,
        decided: site.lessons.len(),
        replaced,
        refused,
        rolled_back,
        before: scored(&|comment| comment.base),
        after: scored(&|comment| site.score(comment)),
    }
}

/// A site on its way through the stream.
struct Site {
    delta: Option<Delta>,
    /// Lessons that it has learned: the first so many.
    learned: usize,
    lessons: Vec<Lesson>,
    /// What was in force said of each lesson when it came, and the base.
    said: Vec<(f64, f64, bool)>,
}

impl Site {
    fn score(&self, comment: &Lesson) -> f64 {
        comment.base + self.delta.as_ref().map_or(0.0, |delta| delta.margins(&comment.features)[0])
    }

    /// Why a challenger did not win.
    fn contest(&mut self, pace: Pace, rules: &Rules) -> Option<Refusal> {
        let added = |(at, lesson): (usize, &Lesson)| (at >= self.learned).then(|| self.score(lesson) - lesson.base);
        let champion: Vec<Option<f64>> = self.lessons.iter().enumerate().map(added).collect();
        match contest(&self.lessons, &champion, pace, rules).outcome {
            Outcome::Refused(refusal) => Some(refusal),
            Outcome::Wins(weights) => {
                self.delta = Some(Delta::new([&weights, &[]], pace.sum_max));
                self.learned = self.lessons.len();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::CONSTANT;
    use super::*;

    /// A site whose spam the model does not know: of three comments one, with a few words of its own among many.
    fn site(comments: u32) -> Vec<Lesson> {
        let lesson = |number: u32| {
            let label = number.is_multiple_of(3);
            let of = |salt: u32, from: u32, many: u32| {
                let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), u64::from(salt));
                (from + u32::try_from(hash % u64::from(many)).unwrap_or(0), 0.7)
            };
            let kind = if label { 10 } else { 40 };
            let mut features =
                vec![of(1, kind, 6), of(2, kind + 6, 6), of(3, 1_000, 400), of(4, 1_400, 400), (CONSTANT, 1.0)];
            features.dedup_by_key(|feature| feature.0);
            let base = if label && number.is_multiple_of(4) { 0.5 } else { -2.5 };
            Lesson { features, base, prior: -2.5, label, exact: u64::from(number), sketch: None }
        };
        (0..comments).map(lesson).collect()
    }

    fn rules(protocol: &Protocol) -> Rules {
        let (hold, reject) = (protocol.hold, protocol.reject);
        Rules { min_per_class: 10, min_new: 20, window: 100, min_gain: 0.01, hold, reject }
    }

    #[test]
    fn two_hundred_decisions_help_and_wrong_ones_among_them_do_no_harm() {
        for seed in 1..=3 {
            let protocol = Protocol { sampled: 0.3, seed, ..Protocol::default() };
            let right = stream(&site(900), Pace::default(), &rules(&protocol), &protocol);
            assert!(right.after.f1 > right.before.f1 + 0.1, "{right:#?}");
            assert!(right.replaced > 0 && right.decided <= 200);
            let protocol = Protocol { wrong: 0.1, ..protocol };
            let wrong = stream(&site(900), Pace::default(), &rules(&protocol), &protocol);
            assert!(wrong.after.f1 >= wrong.before.f1, "{wrong:#?}");
        }
    }

    #[test]
    fn what_was_learned_is_given_up_when_people_turn_round() {
        let protocol = Protocol { decisions: 900, learned_share: 0.95, sampled: 0.3, ..Protocol::default() };
        let mut comments = site(900);
        for comment in comments.iter_mut().skip(450) {
            comment.label = false; // what was spam is welcome now
        }
        let turned = stream(&comments, Pace::default(), &rules(&protocol), &protocol);
        assert!(turned.replaced > 0 && turned.rolled_back + turned.replaced > 1, "{turned:#?}");
        assert!(turned.after.false_positive_rate <= 0.2, "{turned:#?}");
    }
}
