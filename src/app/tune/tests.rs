//! Comments of a made-up town: what hits are worth there is known, and people decide by it.

use uuid::Uuid;

use super::sample::Ruled;
use super::*;
use crate::domain::comment::{Article, Author, ExternalId, Format, NewComment};
use crate::domain::decision::{Action, Actor, Cause, DecidedBy, Status, Verdict};
use crate::domain::history::Standing;
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::policy::{self, Circumstances, Moderation, Policy};
use crate::domain::recordings::{Recorded, Revision};
use crate::domain::rules::Marks;
use crate::domain::scores::LogOdds;
use crate::domain::signal::{Allowance, Evaluated, LIST, Mode, Outcome as Found};
use crate::domain::site::SiteId;
use crate::domain::store::{Happening, HappeningKind, RulingCategory};

const NEVER: Thresholds = Thresholds { hold: 0.5, reject: 1.0 };

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn ruled(action: Action, ms: i64) -> Ruled {
    Ruled { action, category: (action == Action::Reject).then_some(RulingCategory::Spam), at: at(ms) }
}

/// A verdict of signals that hit, as policy reaches it.
fn verdict(policy: &policy::Config, hits: &[(&'static str, f64)], model: f64) -> Verdict {
    let ids: Vec<&str> = LIST.iter().map(|meta| meta.id).collect();
    let signals = hits.iter().map(|(id, weight)| Evaluated {
        id: (*id).into(),
        category: LIST.iter().find(|meta| meta.id == *id).expect("a check").category,
        mode: Mode::Live,
        outcome: Found::Hit { weight: LogOdds::of(*weight), evidence: String::new(), spans: Vec::new() },
    });
    let mut decided = Policy::new(policy.clone(), &ids).expect("it works").decide(
        signals.collect(),
        ModelOutput::Off,
        &Circumstances {
            moderation: Moderation::Post,
            role: None,
            author: &Known::NotApplicable,
            allowance: &Allowance::Within,
            has_link: true,
            rules: &Marks::default(),
            hash: "p",
        },
    );
    // What the model says is as good in the prior.
    decided.prior[Category::Spam] = LogOdds::of(decided.prior[Category::Spam].get() + model);
    decided
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_precision_loss, reason = "53 bits of it")]
        let part = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        part
    }
}

/// What hits are worth in the town, and what the settings take them for. Disguises are no spam there, and begging is worse than thought.
const HITS: [(&str, f64, f64, f64); 4] = [
    ("disguised-text", 0.25, 2.0, 0.0),
    ("begging", 0.15, 1.0, 2.6),
    ("link-count", 0.2, 1.5, 1.5),
    ("author-url", 0.1, 0.8, 0.8),
];

/// So many comments from then on. People look at what is held, and at one in ten of the rest.
fn town(dice: &mut Dice, policy: &policy::Config, from: i64, count: i64, samples: &mut Samples) {
    for ms in from..from + count {
        let model = (dice.roll() - 0.5) * 4.0;
        let hits: Vec<_> = HITS.iter().filter(|(_, share, ..)| dice.roll() < *share).collect();
        let thought: Vec<(&'static str, f64)> = hits.iter().map(|(id, _, thought, _)| (*id, *thought)).collect();
        let verdict = verdict(policy, &thought, model);
        let worth: f64 = -2.2 + model + hits.iter().map(|(.., worth)| worth).sum::<f64>();
        let is_bad = dice.roll() < LogOdds::of(worth).probability().get();
        let looks = verdict.action == Action::Hold || dice.roll() < 0.1;
        let person = looks.then(|| ruled(if is_bad { Action::Reject } else { Action::Approve }, ms));
        samples.push(at(ms), &verdict, person, 0, &|_| false);
    }
}

fn policy(hold: f64) -> policy::Config {
    let mut policy = policy::Config::default();
    policy.spam.hold = crate::domain::scores::Score::new(hold).expect("a score");
    policy.spam.reject = crate::domain::scores::Score::new(1.0).expect("a score");
    policy
}

fn general(policy: &policy::Config) -> Ground {
    Ground { site: None, policy: policy.clone(), own: PerCategory::default() }
}

fn tuned(samples: Samples, policy: &policy::Config, aim: Aim, may_change: Option<&dyn Fn(&str) -> bool>) -> Proposal {
    propose(samples, &Wanted { aim, kept_out: 0.3, grounds: &[general(policy)], may_change })
}

const ANY: Aim = Aim { max_hold_rate: 1.0, max_miss_rate: 1.0 };

fn factor(proposal: &Proposal, signal: &str) -> Option<f64> {
    let weights = proposal.weights.as_ref()?;
    weights.signals.iter().find(|one| one.signal == signal).map(|one| one.factor)
}

#[test]
fn a_signal_that_people_overturn_weighs_less_and_one_that_they_follow_weighs_more() {
    let policy = policy(0.3);
    let mut samples = Samples::default();
    town(&mut Dice(7), &policy, 0, 8_000, &mut samples);
    let found = tuned(samples, &policy, ANY, Some(&|_| true));
    let of = |signal| factor(&found, signal).unwrap_or_else(|| panic!("{signal}: {:?}", found.weights));
    let (disguised, begging) = (of("disguised-text"), of("begging"));
    assert!(disguised < 0.6 && begging > 1.4, "{:?}", found.weights);
    for right in ["link-count", "author-url"] {
        assert!(factor(&found, right).is_none_or(|factor| (0.75..1.25).contains(&factor)), "{:?}", found.weights);
    }
    let weights = found.weights.expect("asked for");
    assert_eq!(weights.problem, None);
    for one in &weights.signals {
        assert!(one.interval[0] <= one.factor && one.factor <= one.interval[1], "{one:?}");
    }
    let [spam] = weights.checked.as_slice() else { panic!("{:?}", weights.checked) };
    assert!(spam.after < spam.before && spam.interval[1] < 0.0, "better on what was kept out, too: {spam:?}");
}

#[test]
fn without_evidence_nothing_changes_and_little_evidence_is_said_to_be_little() {
    let policy = policy(0.3);
    let none = tuned(Samples::default(), &policy, ANY, Some(&|_| true));
    let problem = none.weights.expect("asked for").problem.expect("refused");
    assert!(problem.contains("too little evidence: people rejected 0 comments and approved 0"), "{problem}");
    let mut few = Samples::default();
    town(&mut Dice(11), &policy, 0, 300, &mut few);
    let few = tuned(few, &policy, ANY, Some(&|_| true)).weights.expect("asked for");
    assert!(few.signals.is_empty() && few.problem.is_some_and(|problem| problem.contains("it takes 200, 30 of each")));
    // Where people agree with the weights, more of their decisions change nothing either.
    let mut right = Samples::default();
    let mut dice = Dice(13);
    for ms in 0..4_000 {
        let model = (dice.roll() - 0.5) * 4.0;
        let hits: Vec<_> =
            [("disguised-text", 1.0), ("begging", 1.5)].into_iter().filter(|_| dice.roll() < 0.3).collect();
        let verdict = verdict(&policy, &hits, model);
        let worth: f64 = -2.2 + model + hits.iter().map(|(_, weight)| weight).sum::<f64>();
        let is_bad = dice.roll() < LogOdds::of(worth).probability().get();
        right.push(
            at(ms),
            &verdict,
            Some(ruled(if is_bad { Action::Reject } else { Action::Approve }, ms)),
            0,
            &|_| false,
        );
    }
    let right = tuned(right, &policy, ANY, Some(&|_| true)).weights.expect("asked for");
    for one in &right.signals {
        assert!((0.8..1.2).contains(&one.factor), "{right:?}");
    }
    // What may not change does not.
    let mut samples = Samples::default();
    town(&mut Dice(7), &policy, 0, 8_000, &mut samples);
    let found = tuned(samples, &policy, ANY, Some(&|id| id != "disguised-text"));
    assert_eq!(factor(&found, "disguised-text"), None);
    assert_eq!(tuned(Samples::default(), &policy, ANY, None).weights, None);
}

#[test]
fn an_aim_is_held_on_later_decisions_that_nobody_had_seen() {
    let policy = policy(0.3);
    let mut dice = Dice(29);
    let mut samples = Samples::default();
    town(&mut dice, &policy, 0, 12_000, &mut samples);
    let aim = Aim { max_hold_rate: 0.35, max_miss_rate: 0.25 };
    let found = tuned(samples, &policy, aim, Some(&|_| true));
    assert!(found.reaches && found.holds_up, "{found:?}");
    assert!(found.weights.as_ref().is_some_and(|weights| !weights.signals.is_empty()), "{:?}", found.weights);
    // Another year, that began when the proposal was long made.
    let mut later = Samples::default();
    town(&mut dice, &policy, 20_000, 12_000, &mut later);
    let names = later.names();
    let factors: Vec<f64> = names.iter().map(|name| factor(&found, name).unwrap_or(1.0)).collect();
    let caps = [Caps::of(&policy, &names)];
    let scored: Vec<Scored> = later.list.iter().map(|sample| Scored::of(sample, &caps, &factors)).collect();
    let outcome = Outcome::of(&scored, &[Category::ALL.map(|category| found.after[category])]);
    assert!(is_reached(&judged(&outcome, aim, [Category::Spam].into_iter())), "{outcome:?}");
    // With thresholds alone more comments are stopped that people welcome.
    let mut samples = Samples::default();
    town(&mut Dice(29), &policy, 0, 12_000, &mut samples);
    let alone = tuned(samples, &policy, aim, None);
    let wrong = |proposal: &Proposal| proposal.kept_out[1].false_positives.rate.expect("measured");
    assert!(wrong(&found) < wrong(&alone), "{} and {}", wrong(&found), wrong(&alone));
}

#[test]
fn sums_are_those_that_policy_would_reach_under_other_weights() {
    let mut policy = policy(0.3);
    policy.spam.signals_max = LogOdds::of(4.0);
    let mut dice = Dice(3);
    for _ in 0..500 {
        let all = [
            "disguised-text",
            "begging",
            "flattery",
            "link-count",
            "link-text",
            "host-shape",
            "author-name",
            "author-url",
            "off-topic",
        ];
        let hits: Vec<(&'static str, f64)> = all
            .into_iter()
            .map(|id| (id, dice.roll(), dice.roll()))
            .filter(|(_, hits, _)| *hits < 0.5)
            .map(|(id, _, by)| (id, (by - 0.2) * 3.0))
            .collect();
        let factors = [0.0, 0.4, 1.0, 1.7, 3.0].map(|factor| factor * (0.5 + dice.roll()));
        let factor_of = |id: &str| factors[id.len() % 5];
        let heavier: Vec<_> =
            hits.iter().map(|(id, weight)| (*id, LogOdds::of(*weight).get() * factor_of(id))).collect();
        let (before, after) = (verdict(&policy, &hits, 0.5), verdict(&policy, &heavier, 0.5));
        // What combinations add hangs on signals that weigh more than nothing: those are not summed anew.
        let added =
            |verdict: &Verdict| verdict.adjustments.iter().filter(|one| one.id.starts_with("composite:")).count();
        if added(&before) != added(&after) {
            continue;
        }
        let mut samples = Samples::default();
        samples.push(at(0), &before, None, 0, &|_| false);
        let names = samples.names();
        let numbered: Vec<f64> = names.iter().map(|name| factor_of(name)).collect();
        let found = samples.list[0].reweighed(&Caps::of(&policy, &names), &numbered);
        let mut expected = Samples::default();
        expected.push(at(0), &after, None, 0, &|_| false);
        for category in Category::ALL {
            let (found, expected) = (found[category as usize], expected.list[0].sum(category));
            assert!((found - expected).abs() < 1e-3, "{found} and {expected}: {hits:?}, {before:?}");
        }
    }
}

#[test]
fn what_a_site_has_of_its_own_stays_and_teaches_nothing() {
    let policy = policy(0.3);
    let mut samples = Samples::default();
    let mut dice = Dice(7);
    town(&mut dice, &policy, 0, 4_000, &mut samples);
    for sample in &mut samples.list {
        for hit in &mut sample.hits {
            hit.is_own = true;
        }
    }
    let found = tuned(samples, &policy, ANY, Some(&|_| true));
    let problem = found.weights.expect("asked for").problem.expect("nothing is proposed");
    assert!(problem.contains("no signal hit 20 comments"), "{problem}");
}

fn scored(spam: f64, person: Option<Action>) -> Scored {
    Scored { scores: [spam, 0.0, 0.0], fixed: None, person, rejected_for: None, ground: 0 }
}

/// Of a hundred, those from 0.8 on are bad, and people looked at all from 0.6 on.
fn world() -> Samples {
    let mut samples = Samples::default();
    for ms in 0..1_000 {
        let score = f64::from(ms % 100) / 100.0;
        let person = match score {
            score if score >= 0.8 => Some(ruled(Action::Reject, ms.into())),
            score if score >= 0.6 => Some(ruled(Action::Approve, ms.into())),
            _ => None,
        };
        let mut verdict = verdict(&policy(0.5), &[], 0.0);
        verdict.prior[Category::Spam] = LogOdds::of((score.max(1e-6) / (1.0 - score)).ln());
        samples.push(at(i64::from(ms)), &verdict, person, 0, &|_| false);
    }
    samples
}

#[test]
fn an_aim_within_reach_is_reached_with_nothing_stopped_that_people_welcome() {
    let aim = Aim { max_hold_rate: 0.25, max_miss_rate: 0.005 };
    let policy = policy(0.6);
    let found = tuned(world(), &policy, aim, None);
    assert!((found.after.spam.hold - 0.8).abs() < 0.011, "{:?}", found.after.spam);
    assert!(found.reaches && found.holds_up, "{found:?}");
    assert_eq!((found.kept_out[1].false_positives.n, found.kept_out[0].false_positives.n), (0, 60));
    assert_eq!(found.kept_out_since, Some(at(700)));
    assert_eq!(found.after.abuse, found.before.abuse, "what makes no difference is not touched");
}

#[test]
fn an_aim_out_of_reach_is_said_to_be() {
    let aim = Aim { max_hold_rate: 0.1, max_miss_rate: 0.005 };
    let policy = policy(0.5);
    let found = tuned(world(), &policy, aim, None);
    assert!(!found.reaches && !found.holds_up, "{found:?}");
    let mut nobody = world();
    for sample in &mut nobody.list {
        sample.person = None;
    }
    assert!(!tuned(nobody, &policy, ANY, None).reaches);
    let none = tuned(Samples::default(), &policy, aim, None);
    assert!(!none.reaches && none.after == none.before);
}

#[test]
fn what_a_mode_or_a_limit_decided_stays_so() {
    let fixed = Scored { fixed: Some(Action::Hold), ..scored(0.1, None) };
    assert_eq!(fixed.fate(&[[NEVER; 3]]), Action::Hold);
    let strict = Thresholds { hold: 0.05, reject: 0.09 };
    assert_eq!(fixed.fate(&[[strict; 3]]), Action::Hold);
    assert_eq!(scored(0.1, None).fate(&[[strict, NEVER, NEVER]]), Action::Reject);
    let mut samples = Samples::default();
    let cause = Cause { id: "mode:pre".to_owned(), text: String::new() };
    samples.push(at(0), &Verdict { causes: vec![cause], ..verdict(&policy(0.5), &[], 0.0) }, None, 0, &|_| false);
    assert_eq!(samples.list[0].fixed, Some(Action::Approve));
    let tag = Cause { id: "tag:sport".to_owned(), text: String::new() };
    samples.push(at(1), &Verdict { causes: vec![tag], ..verdict(&policy(0.5), &[], 0.0) }, None, 0, &|_| false);
    assert_eq!(samples.list[1].fixed, None, "a tag decides nothing");
}

/// Adds comments of one score in a category, and what people decided about each so much later; to stand on a ground.
fn add(samples: &mut Samples, on: u16, category: Category, of: &[(i64, f64, Option<Action>)], later: i64) {
    for (ms, score, action) in of {
        let mut verdict = verdict(&policy(0.5), &[], 0.0);
        verdict.prior =
            PerCategory::from_fn(|one| LogOdds::of(if one == category { (score / (1.0 - score)).ln() } else { -6.0 }));
        let ruled = action.map(|action| Ruled {
            action,
            category: (action == Action::Reject).then_some(match category {
                Category::Spam => RulingCategory::Spam,
                Category::OffTopic => RulingCategory::OffTopic,
                Category::Abuse => RulingCategory::Abuse,
            }),
            at: at(ms + later),
        });
        samples.push(at(*ms), &verdict, ruled, on, &|_| false);
    }
}

/// Each kind so often, spread over the time.
fn spread(each: &[(usize, f64, Option<Action>)]) -> Vec<(i64, f64, Option<Action>)> {
    let mut ms = 0;
    let mut all = Vec::new();
    for round in 0..each.iter().map(|(times, ..)| *times).max().unwrap_or_default() {
        for (times, score, action) in each {
            if round < *times {
                all.push((ms, *score, *action));
            }
            ms += 1;
        }
    }
    all
}

#[test]
fn what_is_rare_is_not_given_up_for_what_is_common() {
    // Abuse is a fiftieth of what people reject, and most of what is held for it is welcome: without it the queue is shorter, and the share of
    // all that is missed is within what is wanted.
    let (yes, no) = (Some(Action::Approve), Some(Action::Reject));
    let town = |abuse: usize| {
        let mut samples = Samples::default();
        add(&mut samples, 0, Category::Spam, &spread(&[(2_000, 0.9, no), (2_000, 0.1, None)]), 0);
        let per_round = spread(&[(abuse, 0.6, no), (abuse * 5, 0.6, yes)]);
        add(&mut samples, 0, Category::Abuse, &per_round, 0);
        samples
    };
    let aim = Aim { max_hold_rate: 0.51, max_miss_rate: 0.1 };
    let mut policy = policy(0.5);
    policy.abuse.hold = crate::domain::scores::Score::new(0.5).expect("a score");
    let few = tuned(town(20), &policy, aim, None);
    assert_eq!(few.after.abuse, few.before.abuse, "{few:?}");
    let [one] = few.left_alone.iter().filter(|one| one.category == Category::Abuse).collect::<Vec<_>>()[..] else {
        panic!("{:?}", few.left_alone)
    };
    assert!(one.why.contains("people rejected 20 comments for it") && one.why.ends_with("It takes 35"), "{}", one.why);
    // Where enough is known, it is bounded by itself.
    let many = tuned(town(60), &policy, aim, None);
    assert_eq!(many.left_alone.iter().map(|one| one.category).collect::<Vec<_>>(), [Category::OffTopic]);
    assert!(many.after.abuse.hold <= 0.6, "{:?}", many.after.abuse);
    assert_eq!(many.searched[1].missed_of.abuse.n, 0, "{many:?}");
}

#[test]
fn another_category_does_not_let_go_of_what_too_little_is_known_of() {
    // Ten comments that people rejected as abuse are held for looking like spam a little, as are many that are welcome.
    let mut samples = Samples::default();
    let (yes, no) = (Some(Action::Approve), Some(Action::Reject));
    add(&mut samples, 0, Category::Spam, &spread(&[(400, 0.9, no), (400, 0.6, yes), (2_000, 0.1, None)]), 0);
    add(&mut samples, 0, Category::Spam, &spread(&[(10, 0.65, no)]), 0);
    for sample in samples.list.iter_mut().rev().take(10) {
        sample.rejected_for = Some(Category::Abuse);
    }
    let aim = Aim { max_hold_rate: 0.5, max_miss_rate: 0.05 };
    let found = tuned(samples, &policy(0.5), aim, None);
    assert_eq!(found.searched[1].false_positives.n, 0, "{:?}", found.after.spam);
    assert_eq!(found.searched[1].missed_of.abuse.n, 0);
}

#[test]
fn a_site_with_thresholds_of_its_own_is_judged_by_them_and_left_as_it_is() {
    let (yes, no) = (Some(Action::Approve), Some(Action::Reject));
    let mut samples = Samples::default();
    add(
        &mut samples,
        0,
        Category::Spam,
        &spread(&[(200, 0.9, no), (200, 0.6, yes), (200, 0.1, None), (200, 0.2, None), (200, 0.3, None)]),
        0,
    );
    // One site holds everything that is doubtful in the least; another inherits the threshold, and rejects earlier.
    add(&mut samples, 1, Category::Spam, &spread(&[(400, 0.3, no), (400, 0.3, yes)]), 0);
    add(&mut samples, 2, Category::Spam, &spread(&[(100, 0.85, no)]), 0);
    let general = general(&policy(0.5));
    let of = |site: &str, hold: f64, reject: f64, is_own: bool| {
        let mut policy = policy(hold);
        policy.spam.reject = crate::domain::scores::Score::new(reject).expect("a score");
        Ground { site: Some(site.to_owned()), policy, own: PerCategory { spam: is_own, ..PerCategory::default() } }
    };
    let grounds = [general, of("strict", 0.2, 1.0, true), of("early", 0.5, 0.7, false)];
    let aim = Aim { max_hold_rate: 0.25, max_miss_rate: 0.01 };
    let found = propose(samples, &Wanted { aim, kept_out: 0.3, grounds: &grounds, may_change: None });
    assert!(found.reaches && found.holds_up, "what one site holds is no matter of the general settings: {found:?}");
    assert_eq!(found.searched[1].false_positives.n, 0, "{:?}", found.after.spam);
    assert!(found.after.spam.hold <= 0.7, "it would be above the threshold to reject of a site that inherits it");
    let [strict] = found.apart.as_slice() else { panic!("{:?}", found.apart) };
    assert_eq!((strict.site.as_str(), strict.own.as_slice()), ("strict", &[Category::Spam][..]));
    assert_eq!(strict.outcome.map(|outcome| outcome.held.n), [800, 800], "by its own threshold, before and after");
    assert_eq!(found.searched[0].held.of + found.kept_out[0].held.of, 1_100);
}

#[test]
fn nothing_that_people_decided_after_the_first_comment_that_is_kept_out_has_a_part_in_the_proposal() {
    let (yes, no) = (Some(Action::Approve), Some(Action::Reject));
    let comments = spread(&[(300, 0.9, no), (300, 0.6, yes)]);
    let aim = Aim { max_hold_rate: 0.5, max_miss_rate: 0.01 };
    // Decided at once, the threshold lies between the two.
    let mut at_once = Samples::default();
    add(&mut at_once, 0, Category::Spam, &comments, 0);
    let at_once = tuned(at_once, &policy(0.5), aim, None);
    assert_eq!((at_once.searched[1].false_positives.n, at_once.decided_later), (0, 0), "{at_once:?}");
    // When all was decided afterwards, nobody could have known.
    let mut later = Samples::default();
    add(&mut later, 0, Category::Spam, &comments, 10_000);
    let later = tuned(later, &policy(0.5), aim, None);
    assert_eq!((later.after, later.decided_later), (later.before, 420));
    assert_eq!(later.searched[0].missed.of, 0);
    assert_eq!(later.kept_out[0].missed.of, 90, "what was kept out is measured by all that people decided");
}

#[test]
fn an_aim_is_said_to_be_met_where_the_interval_says_so_and_not_where_there_is_too_little() {
    let aim = Aim { max_hold_rate: 0.5, max_miss_rate: 0.05 };
    let answers = |rejected: u32, missed: u32| {
        let (yes, no) = (Action::Approve, Action::Reject);
        let spam = |score: f64, person| Scored { rejected_for: Some(Category::Spam), ..scored(score, Some(person)) };
        let bad = (0..rejected).map(|number| spam(if number < missed { 0.1 } else { 0.9 }, no));
        let all: Vec<Scored> = bad.chain((0..2_000).map(|_| scored(0.1, Some(yes)))).collect();
        let outcome = Outcome::of(&all, &[[NEVER; 3]]);
        judged(&outcome, aim, [Category::Spam, Category::Abuse].into_iter())
    };
    let of = |judged: &[Judged]| judged.iter().map(|one| one.answer).collect::<Vec<_>>();
    let (met, unsure, missed, unknown) = (Answer::Met, Answer::Unsure, Answer::Missed, Answer::Unknown);
    assert_eq!(of(&answers(500, 5)), [met, met, met, unknown]);
    assert_eq!(of(&answers(20, 0)), [met, unsure, unsure, unknown]);
    assert_eq!(of(&answers(500, 50)), [met, missed, missed, unknown]);
    assert_eq!(of(&answers(0, 0)), [met, unknown, unknown, unknown]);
    let is_so = |rejected, missed| is_reached(&answers(rejected, missed));
    assert!(is_so(500, 5) && is_so(20, 0) && !is_so(500, 26) && !is_so(0, 0));
}

/// A comment with what was said of its revisions, and what people did.
fn recorded(said: Vec<(i64, Verdict)>, standing: Status, happenings: Vec<Happening>) -> Recorded {
    let id = ExternalId::parse("id", "c".to_owned()).expect("an id");
    let comment = NewComment {
        id: id.clone(),
        article: Article::named(id),
        parent_id: None,
        author: Author::default(),
        body: String::new(),
        format: Format::Text,
        created_at: None,
        honeypot: None,
        typing_ms: None,
        referrer: None,
    };
    let revision = |(ms, verdict): (i64, Verdict)| {
        let (comment, decided_by) = (comment.clone(), DecidedBy::Policy);
        Revision { comment, verdict, status: Status::Held, decided_by, at: at(ms) }
    };
    Recorded {
        place: 1,
        site: SiteId(1),
        uid: Uuid::nil(),
        standing: Standing { status: standing, by_person: true },
        revisions: said.into_iter().map(revision).collect(),
        happenings,
    }
}

fn happening(kind: HappeningKind, ms: i64, decision: u128, category: RulingCategory) -> Happening {
    Happening {
        version: 2,
        kind,
        status: Status::Rejected,
        decided_by: DecidedBy::Person,
        decision: Some(Uuid::from_u128(decision)),
        category: Some(category),
        reason: None,
        note: None,
        by: Actor::Console,
        at: at(ms),
    }
}

#[test]
fn what_a_comment_was_rejected_for_is_what_the_decision_in_force_says() {
    use HappeningKind::{Decided, Undone};
    let said = || vec![(0, verdict(&policy(0.5), &[], 0.0))];
    let decided = happening(Decided, 10, 1, RulingCategory::Abuse);
    let then = happening(Decided, 20, 2, RulingCategory::Spam);
    let undone = happening(Undone, 30, 2, RulingCategory::Spam);
    let mut samples = Samples::default();
    samples.add(&recorded(said(), Status::Rejected, vec![decided.clone(), then.clone()]), 0, &|_| false);
    samples.add(&recorded(said(), Status::Rejected, vec![decided, then.clone(), undone.clone()]), 0, &|_| false);
    samples.add(&recorded(said(), Status::Rejected, vec![then, undone]), 0, &|_| false);
    let found: Vec<_> = samples.list.iter().map(|sample| (sample.rejected_for, sample.decided_at)).collect();
    let abuse = (Some(Category::Abuse), Some(at(10)));
    assert_eq!(found, [(Some(Category::Spam), Some(at(20))), abuse, (None, None)]);
}

#[test]
fn what_was_said_of_a_comment_after_people_decided_about_it_is_not_what_they_are_compared_with() {
    // What the site learned from the decision speaks in the later one.
    let said = || vec![(0, verdict(&policy(0.5), &[], 0.5)), (50, verdict(&policy(0.5), &[], 3.0))];
    let sums = |samples: &Samples| samples.list.iter().map(|sample| sample.sum(Category::Spam)).collect::<Vec<_>>();
    let mut samples = Samples::default();
    let early = happening(HappeningKind::Decided, 10, 1, RulingCategory::Spam);
    let late = happening(HappeningKind::Decided, 60, 1, RulingCategory::Spam);
    samples.add(&recorded(said(), Status::Rejected, vec![early]), 0, &|_| false);
    samples.add(&recorded(said(), Status::Rejected, vec![late]), 0, &|_| false);
    let of = |model: f64| LogOdds::of(policy(0.5).spam.prior.get() + model).get();
    assert_eq!(sums(&samples), [of(0.5), of(3.0)]);
    assert_eq!(samples.list.iter().map(|sample| sample.at).collect::<Vec<_>>(), [at(0), at(50)]);
}
