//! What policy promises.

use proptest::prelude::*;

use super::*;
use crate::domain::model::Term;

const WITHIN: Allowance = Allowance::Within;
const NOBODY: Known<AuthorPast> = Known::NotApplicable;

fn usual() -> Circumstances<'static> {
    Circumstances {
        moderation: Moderation::Post,
        role: None,
        author: &NOBODY,
        allowance: &WITHIN,
        has_link: false,
        rules: Marks::NONE,
        hash: "h",
    }
}

/// The defaults without the rules that name real signals.
fn plain() -> Config {
    let defaults = Config::default();
    let spam = CategoryConfig { groups: std::collections::BTreeMap::new(), ..defaults.spam };
    Config { spam, composites: Vec::new(), ..defaults }
}

fn policy() -> Policy {
    Policy::new(plain(), &["one", "two"]).expect("valid")
}

/// Spam signals `a` and `b` count 3.0 together at most; `a` with one of `c` and `d` adds 1.0; `c` and `d` count 2.5 together at most.
fn joined() -> Config {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let mut config = plain();
    let group = Group { signals: owned(&["a", "b"]), max: LogOdds::of(3.0) };
    config.spam.groups.insert("links".to_owned(), group);
    let rule = |name: &str, all: &[&str], any: &[&str]| Composite {
        name: name.to_owned(),
        category: Category::Spam,
        all: owned(all),
        any: owned(any),
        facts: Vec::new(),
        log_odds: LogOdds::ZERO,
        max: None,
        text: "A sentence.".to_owned(),
    };
    config.composites = vec![
        Composite { log_odds: LogOdds::of(1.0), ..rule("together", &["a"], &["c", "d"]) },
        Composite { max: Some(LogOdds::of(2.5)), ..rule("twice-told", &["c", "d"], &[]) },
        Composite {
            log_odds: LogOdds::of(0.5),
            facts: vec![Fact::NewAuthor, Fact::HasLink],
            ..rule("stranger", &["e"], &[])
        },
    ];
    config
}

const JOINED: [&str; 5] = ["a", "b", "c", "d", "e"];

fn joined_policy() -> Policy {
    Policy::new(joined(), &JOINED).expect("valid")
}

fn adjusted(hits: &[(&str, f64)], about: &Circumstances<'_>) -> Vec<(String, f64, Vec<String>)> {
    let signals = hits.iter().map(|(id, weight)| hit(id, Category::Spam, *weight)).collect();
    let verdict = joined_policy().decide(signals, ModelOutput::Off, about);
    let of = |one: Adjustment| (one.id, one.log_odds.get(), one.signals);
    verdict.adjustments.into_iter().map(of).collect()
}

#[test]
fn kindred_signals_share_a_cap_and_rules_add() {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let adjustment = |id: &str, amount: f64, of: &[&str]| (id.to_owned(), amount, owned(of));
    let cases = [
        ("within the cap", vec![("a", 1.0), ("b", 2.0)], vec![]),
        ("over it", vec![("a", 2.0), ("b", 2.5)], vec![adjustment("cap:links", -1.5, &["a", "b"])]),
        ("good and bad of one kind", vec![("a", 4.0), ("b", -1.0)], vec![]),
        (
            "a rule that one carries",
            vec![("a", 1.0), ("c", 0.5)],
            vec![adjustment("composite:together", 1.0, &["a", "c"])],
        ),
        (
            "a rule that two carry hangs on neither, and a cap of its own",
            vec![("a", 1.0), ("c", 1.5), ("d", 1.5)],
            vec![adjustment("composite:twice-told", -0.5, &["c", "d"]), adjustment("composite:together", 1.0, &["a"])],
        ),
        ("what speaks against it is no hit", vec![("a", -1.0), ("c", 0.5)], vec![]),
        ("a fact is missing", vec![("e", 0.3)], vec![]),
    ];
    for (name, hits, expected) in cases {
        assert_eq!(adjusted(&hits, &usual()), expected, "{name}");
    }
    let with_link = Circumstances { has_link: true, ..usual() };
    assert_eq!(adjusted(&[("e", 0.3)], &with_link), [adjustment("composite:stranger", 0.5, &["e"])]);
    let known = Known::Known(AuthorPast { approved: 3, ..AuthorPast::default() });
    let about = Circumstances { author: &known, ..with_link };
    assert_eq!(adjusted(&[("e", 0.3)], &about), [], "not the first comment of this author");
}

#[test]
fn rules_respect_exemptions_shadow_and_the_cap_on_everything() {
    let exemption = Exemption { roles: vec!["staff".to_owned()], signals: vec!["a".to_owned()] };
    let policy = Policy::new(Config { exemptions: vec![exemption], ..joined() }, &JOINED).expect("valid");
    let signals = vec![hit("a", Category::Spam, 9.0), hit("c", Category::Spam, 0.5)];
    let about = Circumstances { role: Some("staff"), ..usual() };
    let verdict = policy.decide(signals.clone(), ModelOutput::Off, &about);
    let ids: Vec<&str> = verdict.adjustments.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["exempt:a"], "what does not count is in no rule and under no cap");
    let mut shadowed = signals;
    shadowed[1].mode = Mode::Shadow;
    let verdict = policy.decide(shadowed, ModelOutput::Off, &usual());
    assert!(verdict.adjustments.iter().all(|one| one.id != "composite:together"));
    let mut many: Vec<Evaluated> = JOINED.iter().map(|id| hit(id, Category::Spam, 9.0)).collect();
    many.push(hit("a", Category::OffTopic, 1.0));
    let verdict = joined_policy().decide(many, ModelOutput::Off, &usual());
    assert!((shown_sum(&verdict, Category::Spam) - (-2.2 + 5.5)).abs() < 1e-9, "{:?}", verdict.adjustments);
}

#[test]
fn rules_that_cannot_work_are_refused() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = joined();
        change(&mut config);
        Policy::new(config, &JOINED).expect_err("refused").to_string()
    };
    let cases: [(&str, &dyn Fn(&mut Config)); 8] = [
        ("no signal `x`", &|config| config.composites[0].any.push("x".to_owned())),
        ("two rules", &|config| config.composites[1].name = "together".to_owned()),
        ("small letters", &|config| config.composites[0].name = "To gether".to_owned()),
        ("above 0.0", &|config| config.composites[0].log_odds = LogOdds::of(-1.0)),
        ("either adds", &|config| config.composites[1].log_odds = LogOdds::of(1.0)),
        ("a bound holds always", &|config| config.composites[1].facts.push(Fact::HasLink)),
        ("one cap for each", &|config| config.composites[1].any.push("a".to_owned())),
        ("sentence", &|config| config.composites[0].text = " ".to_owned()),
    ];
    for (said, change) in cases {
        let error = refused(change);
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn default_rules_name_checks_that_exist() {
    let ids: Vec<&str> = crate::domain::signal::LIST.iter().map(|meta| meta.id).collect();
    Policy::new(Config::default(), &ids).expect("the defaults are valid");
}

fn hit(id: &str, category: Category, weight: f64) -> Evaluated {
    let outcome = Outcome::Hit { weight: LogOdds::of(weight), evidence: String::new(), spans: Vec::new() };
    Evaluated { id: id.to_owned().into(), category, mode: Mode::Live, outcome }
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
        id: "one".into(),
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
    let lenient = Policy::new(Config { hold_unavailable: false, ..plain() }, &[]).expect("valid");
    let verdict = lenient.decide(vec![unavailable(Mode::Live)], ModelOutput::Off, &about);
    assert_eq!(verdict.action, Action::Approve);
}

#[test]
fn not_applicable_adds_nothing_and_never_holds() {
    let outcome = Outcome::NotApplicable;
    let signal = Evaluated { id: "one".into(), category: Category::Spam, mode: Mode::Live, outcome };
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
fn of_rules_the_stricter_wins_and_approval_lifts_scores_and_modes_alone() {
    type Row<'a> = (&'a str, Moderation, &'a Allowance, Marks, Action, Option<Category>, &'a [&'a str]);
    let cause = |id: &str| Cause { id: id.to_owned(), text: String::new() };
    let approves = Marks { approvals: vec![cause("rule:good")], ..Marks::default() };
    let with = |floor| Marks { floors: vec![(cause("rule:bad"), floor, Some(Category::Abuse))], ..approves.clone() };
    let limit = Allowance::Hold { policy: "per-author".to_owned(), retry_after_ms: 100 };
    let cases: &[Row<'_>] = &[
        ("what scores ask for", Moderation::Post, &WITHIN, approves.clone(), Action::Approve, None, &["rule:good"]),
        ("pre-moderation", Moderation::Pre, &WITHIN, approves.clone(), Action::Approve, None, &["rule:good"]),
        ("a first comment", Moderation::FirstComment, &WITHIN, approves.clone(), Action::Approve, None, &["rule:good"]),
        ("closed", Moderation::Closed, &WITHIN, approves.clone(), Action::Reject, None, &["mode:closed", "rule:good"]),
        ("a limit", Moderation::Post, &limit, approves.clone(), Action::Hold, None, &["limit:per-author", "rule:good"]),
        (
            "a rule that holds",
            Moderation::Post,
            &WITHIN,
            with(Action::Hold),
            Action::Hold,
            Some(Category::Abuse),
            &["rule:bad", "rule:good"],
        ),
        (
            "a rule that rejects",
            Moderation::Pre,
            &WITHIN,
            with(Action::Reject),
            Action::Reject,
            Some(Category::Abuse),
            &["rule:bad", "rule:good"],
        ),
    ];
    for (name, moderation, allowance, rules, action, category, causes) in cases {
        let about = Circumstances { moderation: *moderation, allowance, rules, ..usual() };
        let verdict = policy().decide(vec![hit("one", Category::Spam, 4.0)], ModelOutput::Off, &about);
        assert!(verdict.scores.spam > policy().of(Category::Spam).hold, "{name}: scores say what they said");
        assert_eq!((verdict.action, verdict.category), (*action, *category), "{name}");
        let ids: Vec<&str> = verdict.causes.iter().map(|cause| cause.id.as_str()).collect();
        assert_eq!(ids, *causes, "{name}");
    }
    let labels = Marks { labels: vec![cause("tag:coins")], ..Marks::default() };
    let verdict = policy().decide(vec![], ModelOutput::Off, &Circumstances { rules: &labels, ..usual() });
    assert_eq!((verdict.action, verdict.causes.len()), (Action::Approve, 1), "a tag sets nothing");
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
    let config = Config { exemptions: vec![exemption], ..plain() };
    let policy = Policy::new(config, &["one", "two"]).expect("valid");
    let signals = vec![hit("one", Category::Spam, 3.0), hit("two", Category::Spam, 0.4)];
    let about = Circumstances { role: Some("Staff"), ..usual() };
    let verdict = policy.decide(signals.clone(), ModelOutput::Off, &about);
    assert_eq!(verdict.action, Action::Approve);
    let adjustment = &verdict.adjustments[0];
    assert_eq!((adjustment.id.as_str(), adjustment.log_odds), ("exempt:one", LogOdds::of(-3.0)));
    assert_eq!((verdict.adjustments.len(), adjustment.category), (1, Category::Spam));
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
    let error = Policy::new(Config { spam, ..plain() }, &[]).expect_err("hold is above reject");
    assert_eq!(error.to_string(), "policy.spam.hold: must not be above `reject`");
    let exemption = Exemption { roles: vec![], signals: vec!["three".to_owned()] };
    let config = Config { exemptions: vec![exemption], ..plain() };
    assert_eq!(Policy::new(config, &["one"]).expect_err("unknown").problem, "there is no signal `three`");
}

prop_compose! {
    fn any_signal()(category in 0_usize..3, weight in -5.0..8.0_f64, live in any::<bool>(), name in 0_usize..5) -> Evaluated {
        let mut signal = hit(JOINED[name], Category::ALL[category], weight);
        signal.mode = if live { Mode::Live } else { Mode::Shadow };
        signal
    }
}

proptest! {
    #[test]
    fn the_shown_terms_add_up_to_the_score(signals in prop::collection::vec(any_signal(), 0..12), spam in -9.0..9.0_f64, abuse in -9.0..9.0_f64, has_link: bool) {
        let verdict = joined_policy().decide(signals, scored(spam, abuse), &Circumstances { has_link, ..usual() });
        for category in Category::ALL {
            let score = 1.0 / (1.0 + (-shown_sum(&verdict, category)).exp());
            prop_assert!((score - verdict.scores[category].get()).abs() < 1e-9);
        }
    }

    #[test]
    fn one_more_hit_never_makes_a_verdict_milder(signals in prop::collection::vec(any_signal(), 0..12), weight in 0.0..8.0_f64, category in 0_usize..3, name in 0_usize..5, has_link: bool) {
        let about = Circumstances { has_link, ..usual() };
        let before = joined_policy().decide(signals.clone(), ModelOutput::Off, &about);
        let mut more = signals;
        more.push(hit(JOINED[name], Category::ALL[category], weight));
        let after = joined_policy().decide(more, ModelOutput::Off, &about);
        prop_assert!(after.action >= before.action);
        for category in Category::ALL {
            prop_assert!(after.scores[category] >= before.scores[category]);
        }
    }

    #[test]
    fn without_a_signal_a_verdict_is_what_policy_would_have_said(weights in prop::collection::vec(-3.0..8.0_f64, 5), spam in -9.0..9.0_f64, left in 0_usize..5, has_link: bool) {
        prop_assume!(weights[left] > 0.0); // without what spoke against it, caps that were not reached would be, and the verdict names none
        let about = Circumstances { has_link, ..usual() };
        let signals: Vec<Evaluated> =
            JOINED.iter().zip(&weights).map(|(id, weight)| hit(id, Category::Spam, *weight)).collect();
        let verdict = joined_policy().decide(signals.clone(), scored(spam, 0.0), &about);
        let rest = signals.into_iter().filter(|signal| signal.id != JOINED[left]).collect();
        let without = joined_policy().decide(rest, scored(spam, 0.0), &about).scores.spam.get();
        let said = crate::domain::explain::total(&verdict, Category::Spam, Some(JOINED[left])).probability().get();
        prop_assert!((said - without).abs() < 1e-9, "{} {}", said, without);
    }
}

#[test]
fn no_composite_rule_of_the_defaults_holds_without_its_signals_weights() {
    let config = Config::default();
    for rule in config.composites.iter().filter(|rule| rule.all == ["language-mismatch"] || rule.all == ["off-topic"]) {
        let alone = config.spam.prior.get() + rule.log_odds.get();
        assert!(1.0 / (1.0 + (-alone).exp()) < config.spam.hold.get(), "{}", rule.name);
    }
}
