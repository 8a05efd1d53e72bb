//! What policy promises.

use proptest::prelude::*;

use super::*;
use crate::domain::model::Term;

const WITHIN: Allowance = Allowance::Within;
const NOBODY: Known<AuthorPast> = Known::NotApplicable;

fn usual() -> Circumstances<'static> {
    Circumstances { moderation: Moderation::Post, role: None, author: &NOBODY, allowance: &WITHIN, hash: "h" }
}

fn policy() -> Policy {
    Policy::new(Config::default(), &["one", "two"]).expect("the defaults are valid")
}

fn hit(id: &str, category: Category, weight: f64) -> Evaluated {
    let outcome = Outcome::Hit { weight: LogOdds::of(weight), evidence: String::new(), spans: Vec::new() };
    Evaluated { id: id.to_owned(), category, mode: Mode::Live, outcome }
}

fn scored(spam: f64, abuse: f64) -> ModelOutput {
    let terms = vec![Term { category: Category::Spam, text: "subscribe".to_owned(), log_odds: LogOdds::of(spam) }];
    ModelOutput::Scored { version: "test".to_owned(), spam: LogOdds::of(spam), abuse: LogOdds::of(abuse), terms }
}

/// What a reader of the verdict adds up.
fn shown_sum(verdict: &Verdict, category: Category) -> f64 {
    let signals = verdict.signals.iter().filter(|signal| signal.category == category);
    let adjustments = verdict.adjustments.iter().filter(|adjustment| adjustment.category == category);
    verdict.prior[category].get()
        + signals.map(|signal| signal.counted().get()).sum::<f64>()
        + verdict.model.log_odds(category).get()
        + adjustments.map(|adjustment| adjustment.log_odds.get()).sum::<f64>()
}

#[test]
fn evidence_becomes_the_expected_action() {
    let cases: &[(&str, Vec<Evaluated>, ModelOutput, Action, Option<Category>)] = &[
        ("nothing found", vec![], ModelOutput::Off, Action::Approve, None),
        ("a hint", vec![hit("one", Category::Spam, 0.7)], ModelOutput::Off, Action::Approve, None),
        ("enough to ask", vec![hit("one", Category::Spam, 2.5)], ModelOutput::Off, Action::Hold, Some(Category::Spam)),
        ("certain", vec![hit("one", Category::Spam, 6.0)], scored(3.0, 0.0), Action::Reject, Some(Category::Spam)),
        (
            "off-topic is never rejected",
            vec![hit("one", Category::OffTopic, 20.0)],
            ModelOutput::Off,
            Action::Hold,
            Some(Category::OffTopic),
        ),
        ("the model alone may ask", vec![], scored(0.0, 4.0), Action::Hold, Some(Category::Abuse)),
        (
            "the worse category is named",
            vec![hit("one", Category::OffTopic, 3.0)],
            scored(4.5, 0.0),
            Action::Hold,
            Some(Category::Spam),
        ),
        (
            "good history outweighs",
            vec![hit("one", Category::Spam, 2.5), hit("two", Category::Spam, -2.0)],
            ModelOutput::Off,
            Action::Approve,
            None,
        ),
    ];
    for (name, signals, model, action, category) in cases {
        let verdict = policy().decide(signals.clone(), model.clone(), &usual());
        assert_eq!((verdict.action, verdict.category), (*action, *category), "{name}: {:?}", verdict.scores);
    }
}

#[test]
fn shadow_signals_are_recorded_and_do_not_count() {
    let mut signal = hit("one", Category::Spam, 9.0);
    signal.mode = Mode::Shadow;
    let verdict = policy().decide(vec![signal], ModelOutput::Off, &usual());
    assert_eq!(verdict.action, Action::Approve);
    assert_eq!(verdict.signals.len(), 1);
}

#[test]
fn what_could_not_be_told_is_held_and_says_why() {
    let unavailable = |mode| Evaluated {
        id: "one".to_owned(),
        category: Category::Spam,
        mode,
        outcome: Outcome::Unavailable { why: "the history is away".to_owned() },
    };
    let verdict = policy().decide(vec![unavailable(Mode::Live)], ModelOutput::Off, &usual());
    assert_eq!((verdict.action, verdict.category), (Action::Hold, None));
    assert_eq!(verdict.causes[0].id, "unavailable:one");
    let verdict = policy().decide(vec![unavailable(Mode::Shadow)], ModelOutput::Off, &usual());
    assert_eq!(verdict.action, Action::Approve, "a check in shadow mode holds nothing");
    let down = ModelOutput::Unavailable { why: "damaged".to_owned() };
    assert_eq!(policy().decide(vec![], down, &usual()).causes[0].id, "unavailable:model");
    let limits = Allowance::Unavailable("away".to_owned());
    let about = Circumstances { allowance: &limits, ..usual() };
    assert_eq!(policy().decide(vec![], ModelOutput::Off, &about).causes[0].id, "unavailable:limits");
    let lenient = Policy::new(Config { hold_unavailable: false, ..Config::default() }, &[]).expect("valid");
    let verdict = lenient.decide(vec![unavailable(Mode::Live)], ModelOutput::Off, &about);
    assert_eq!(verdict.action, Action::Approve);
}

#[test]
fn not_applicable_adds_nothing_and_never_holds() {
    let outcome = Outcome::NotApplicable;
    let signal = Evaluated { id: "one".to_owned(), category: Category::Spam, mode: Mode::Live, outcome };
    let verdict = policy().decide(vec![signal], ModelOutput::Off, &usual());
    assert_eq!((verdict.action, verdict.causes.len()), (Action::Approve, 0));
    assert_eq!(verdict.scores.spam, verdict.prior.spam.probability());
}

#[test]
fn moderation_modes_set_the_mildest_action() {
    let known = |approved| Known::Known(AuthorPast { approved, ..AuthorPast::default() });
    let away = Known::Unavailable("away".to_owned());
    let cases: &[(&str, Moderation, Known<AuthorPast>, Action)] = &[
        ("post", Moderation::Post, Known::NotApplicable, Action::Approve),
        ("pre", Moderation::Pre, known(50), Action::Hold),
        ("closed", Moderation::Closed, known(50), Action::Reject),
        ("first comment of an author", Moderation::FirstComment, known(0), Action::Hold),
        ("second comment of an author", Moderation::FirstComment, known(1), Action::Approve),
        ("nobody named", Moderation::FirstComment, Known::NotApplicable, Action::Hold),
        ("author could not be looked up", Moderation::FirstComment, away, Action::Hold),
    ];
    for (name, moderation, author, action) in cases {
        let about = Circumstances { moderation: *moderation, author, ..usual() };
        let verdict = policy().decide(vec![], ModelOutput::Off, &about);
        assert_eq!((verdict.action, verdict.category), (*action, None), "{name}");
    }
    let about = Circumstances { moderation: Moderation::Pre, ..usual() };
    let verdict = policy().decide(vec![hit("one", Category::Spam, 6.0)], scored(5.0, 0.0), &about);
    assert_eq!(verdict.action, Action::Reject, "a mode never makes a verdict milder");
}

#[test]
fn a_comment_over_a_limit_is_held_by_name() {
    let allowance = Allowance::Hold { policy: "per-author".to_owned(), retry_after_ms: 100 };
    let verdict = policy().decide(vec![], ModelOutput::Off, &Circumstances { allowance: &allowance, ..usual() });
    assert_eq!((verdict.action, verdict.causes[0].id.as_str()), (Action::Hold, "limit:per-author"));
}

#[test]
fn exemptions_take_back_exactly_what_the_signal_added() {
    let exemption = Exemption { roles: vec!["staff".to_owned()], signals: vec!["one".to_owned()] };
    let config = Config { exemptions: vec![exemption], ..Config::default() };
    let policy = Policy::new(config, &["one", "two"]).expect("valid");
    let signals = vec![hit("one", Category::Spam, 3.0), hit("two", Category::Spam, 0.4)];
    let about = Circumstances { role: Some("Staff"), ..usual() };
    let verdict = policy.decide(signals.clone(), ModelOutput::Off, &about);
    assert_eq!(verdict.action, Action::Approve);
    assert_eq!(
        verdict.adjustments,
        [Adjustment { id: "exempt:one".to_owned(), category: Category::Spam, log_odds: LogOdds::of(-3.0) }]
    );
    let about = Circumstances { role: Some("member"), ..usual() };
    assert_eq!(policy.decide(signals, ModelOutput::Off, &about).action, Action::Hold);
}

#[test]
fn the_cap_holds_however_much_is_over_it() {
    let signals =
        vec![hit("one", Category::Spam, 40.0), hit("two", Category::Spam, 40.0), hit("one", Category::Spam, 0.25)];
    let verdict = policy().decide(signals, ModelOutput::Off, &usual());
    let capped = LogOdds::of(-2.2 + 5.5).probability();
    assert_eq!((verdict.action, verdict.scores.spam), (Action::Hold, capped));
    assert!((shown_sum(&verdict, Category::Spam) - 3.3).abs() < 1e-9);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let spam = CategoryConfig { hold: Score::new(0.99).expect("valid"), ..CategoryConfig::default() };
    let error = Policy::new(Config { spam, ..Config::default() }, &[]).expect_err("hold is above reject");
    assert_eq!(error.to_string(), "policy.spam.hold: must not be above `reject`");
    let exemption = Exemption { roles: vec![], signals: vec!["three".to_owned()] };
    let config = Config { exemptions: vec![exemption], ..Config::default() };
    assert_eq!(Policy::new(config, &["one"]).expect_err("unknown").problem, "there is no signal `three`");
}

prop_compose! {
    fn any_signal()(category in 0_usize..3, weight in -5.0..8.0_f64, live in any::<bool>(), name in 0..2) -> Evaluated {
        let mut signal = hit(["one", "two"][usize::try_from(name).unwrap_or(0)], Category::ALL[category], weight);
        signal.mode = if live { Mode::Live } else { Mode::Shadow };
        signal
    }
}

proptest! {
    #[test]
    fn the_shown_terms_add_up_to_the_score(signals in prop::collection::vec(any_signal(), 0..12), spam in -9.0..9.0_f64, abuse in -9.0..9.0_f64) {
        let verdict = policy().decide(signals, scored(spam, abuse), &usual());
        for category in Category::ALL {
            let score = 1.0 / (1.0 + (-shown_sum(&verdict, category)).exp());
            prop_assert!((score - verdict.scores[category].get()).abs() < 1e-9);
        }
    }

    #[test]
    fn one_more_hit_never_makes_a_verdict_milder(signals in prop::collection::vec(any_signal(), 0..12), weight in 0.0..8.0_f64, category in 0_usize..3) {
        let before = policy().decide(signals.clone(), ModelOutput::Off, &usual());
        let mut more = signals;
        more.push(hit("one", Category::ALL[category], weight));
        let after = policy().decide(more, ModelOutput::Off, &usual());
        prop_assert!(after.action >= before.action);
    }
}
