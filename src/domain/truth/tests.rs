//! What is told of parts is what policy would have said without them; counts, weeks and hints are of the comments that they say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::hints::{HintKind, Seen, Together, Tried, hints};
use super::part::{Part, SANCTION, parts};
use super::tally::{Counting, IsoWeek, Tally};
use super::*;
use crate::domain::category::Category;
use crate::domain::decision::Cause;
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::policy::{Circumstances, Composite, Config, Fact, Group, Moderation, Policy};
use crate::domain::rules::Marks;
use crate::domain::rules::was::{TextId, Was};
use crate::domain::scores::LogOdds;
use crate::domain::signal::{Allowance, Evaluated, Outcome};

const DAY_MS: i64 = 86_400_000;

fn hit(id: &str, weight: f64, mode: Mode) -> Evaluated {
    let outcome = Outcome::Hit { weight: LogOdds::of(weight), evidence: String::new(), spans: Vec::new() };
    Evaluated { id: id.to_owned().into(), category: Category::Spam, mode, outcome }
}

fn cause(id: &str) -> Cause {
    Cause { id: id.to_owned(), text: format!("because of {id}") }
}

fn floor(id: &str, action: Action) -> (Cause, Action, Option<Category>) {
    (cause(id), action, Some(Category::Spam))
}

fn config() -> Config {
    let mut config = Config { composites: Vec::new(), ..Config::default() };
    config.spam.groups.clear();
    config
}

/// The verdict by the default policy, by which a spam score of 0.2 (log-odds -1.3863) holds.
fn decide(signals: &[Evaluated], rules: &Marks, moderation: Moderation, allowance: &Allowance) -> Verdict {
    let policy = Policy::new(config(), &["one", "two"]).expect("valid");
    let author = Known::NotApplicable;
    let about = Circumstances { moderation, role: None, author: &author, allowance, has_link: true, rules, hash: "h" };
    policy.decide(signals.to_vec(), ModelOutput::Off, &about)
}

fn rule(then: Option<Action>, weight: Option<f64>, mode: Mode) -> Told {
    Told {
        when: "true".to_owned(),
        action: then,
        routes: false,
        weight: weight.map(LogOdds::of),
        reason: "a reason".to_owned(),
        sites: BTreeSet::default(),
        expires: None,
        mode,
        text: TextId::numbered(1),
    }
}

fn set(rules: &[(&str, Told)]) -> Arc<RuleSet> {
    Arc::new(rules.iter().map(|(id, told)| ((*id).to_owned(), Was::from(told))).collect())
}

/// Through which verdicts are read that were made under these rules.
fn lens(rules: &[(&str, Told)]) -> Lens {
    let under = HashMap::from([("h".to_owned(), Some(set(rules)))]);
    let rules = rules.iter().map(|(id, told)| ((*id).to_owned(), told.clone())).collect();
    Lens { general: Measure::of(&config()), sites: BTreeMap::new(), rules, under }
}

fn of<'a>(parts: &'a [Part<'a>], id: &str) -> &'a Part<'a> {
    parts.iter().find(|part| part.id == id).unwrap_or_else(|| panic!("{id} is no part: {parts:?}"))
}

#[test]
fn without_a_part_the_verdict_is_what_policy_would_have_said_without_it() {
    let (hold, reject) = (Action::Hold, Action::Reject);
    let mut holds = Marks::default();
    holds.floors.push(floor("rule:holds", hold));
    let mut both = holds.clone();
    both.floors.push(floor("rule:rejects", reject));
    let mut approves = Marks::default();
    approves.approvals.push(cause("rule:approves"));
    let over = Allowance::Hold { policy: "per-ip".to_owned(), retry_after_ms: 0 };
    let live = |id, weight| hit(id, weight, Mode::Live);
    let cases: &[(&str, Vec<Evaluated>, &Marks, &Allowance)] = &[
        ("nothing is doubtful", vec![live("one", 0.1)], Marks::NONE, &Allowance::Within),
        ("one signal did it", vec![live("one", 2.0), live("two", 0.1)], Marks::NONE, &Allowance::Within),
        ("either would have", vec![live("one", 3.0), live("two", 3.0)], Marks::NONE, &Allowance::Within),
        ("it took both", vec![live("one", 0.6), live("two", 0.6)], Marks::NONE, &Allowance::Within),
        ("far over the cap", vec![live("one", 40.0), live("two", 40.0)], Marks::NONE, &Allowance::Within),
        ("one of them rejects", vec![live("one", 2.0), live("two", 6.0)], Marks::NONE, &Allowance::Within),
        ("one speaks for it", vec![live("one", 2.0), live("two", -3.0)], Marks::NONE, &Allowance::Within),
        ("a rule holds", vec![live("rule:holds", 0.0)], &holds, &Allowance::Within),
        (
            "a rule holds what a score would",
            vec![live("one", 2.0), live("rule:holds", 0.0)],
            &holds,
            &Allowance::Within,
        ),
        ("a rule that also weighs", vec![live("rule:holds", 3.0)], &holds, &Allowance::Within),
        ("two rules", vec![live("rule:holds", 0.0), live("rule:rejects", 0.0)], &both, &Allowance::Within),
        ("a rule approves", vec![live("one", 4.0), live("rule:approves", 0.0)], &approves, &Allowance::Within),
        ("a rule approves what nobody doubts", vec![live("rule:approves", 0.0)], &approves, &Allowance::Within),
        ("a limit holds", vec![live("one", 0.1)], Marks::NONE, &over),
        ("a limit and a rule hold", vec![live("rule:holds", 0.0)], &holds, &over),
    ];
    let lens = lens(&[
        ("rule:holds", rule(Some(hold), None, Mode::Live)),
        ("rule:rejects", rule(Some(reject), None, Mode::Live)),
        ("rule:approves", rule(Some(Action::Approve), None, Mode::Live)),
    ]);
    for (name, signals, marks, allowance) in cases {
        let verdict = decide(signals, marks, Moderation::Post, allowance);
        for part in parts(&verdict, DecidedBy::Policy, "news", &lens) {
            let rest: Vec<Evaluated> = signals.iter().filter(|signal| signal.id != part.id).cloned().collect();
            let mut marks = Marks::clone(marks);
            marks.floors.retain(|(cause, ..)| cause.id != part.id);
            marks.approvals.retain(|cause| cause.id != part.id);
            let allowance = if part.kind == Kind::Limit { &Allowance::Within } else { *allowance };
            let without = decide(&rest, &marks, Moderation::Post, allowance).action;
            let expected = (without != verdict.action).then_some(without);
            assert_eq!(part.otherwise, expected, "{name}: {} of {:?}", part.id, verdict.action);
        }
    }
}

#[test]
fn what_ran_in_shadow_is_told_as_if_it_were_live() {
    let (within, shadow) = (Allowance::Within, Mode::Shadow);
    let mut holds = Marks::default();
    holds.floors.push(floor("rule:holds", Action::Hold));
    let rules = [
        ("rule:hold", rule(Some(Action::Hold), None, shadow)),
        ("rule:reject", rule(Some(Action::Reject), None, shadow)),
        ("rule:approve", rule(Some(Action::Approve), None, shadow)),
        ("rule:weigh", rule(None, Some(3.0), shadow)),
        ("rule:mark", rule(None, None, shadow)),
        ("rule:route", Told { routes: true, ..rule(Some(Action::Hold), None, shadow) }),
        ("rule:holds", rule(Some(Action::Hold), None, Mode::Live)),
    ];
    let lens = lens(&rules);
    let doubtful = || hit("one", 2.0, Mode::Live);
    for (name, id, weight, others, mode, otherwise, says) in [
        ("holds what passes", "rule:hold", 0.0, vec![], Moderation::Post, Some(Action::Hold), Some(Action::Reject)),
        ("holds what is held", "rule:hold", 0.0, vec![doubtful()], Moderation::Post, None, Some(Action::Reject)),
        (
            "rejects it",
            "rule:reject",
            0.0,
            vec![doubtful()],
            Moderation::Post,
            Some(Action::Reject),
            Some(Action::Reject),
        ),
        (
            "approves it",
            "rule:approve",
            0.0,
            vec![doubtful()],
            Moderation::Post,
            Some(Action::Approve),
            Some(Action::Approve),
        ),
        (
            "approves over a mode",
            "rule:approve",
            0.0,
            vec![],
            Moderation::Pre,
            Some(Action::Approve),
            Some(Action::Approve),
        ),
        ("not over closing", "rule:approve", 0.0, vec![], Moderation::Closed, None, Some(Action::Approve)),
        ("weighs enough", "rule:weigh", 3.0, vec![], Moderation::Post, Some(Action::Hold), Some(Action::Reject)),
        (
            "weighs over the cap",
            "rule:weigh",
            3.0,
            vec![hit("one", 40.0, Mode::Live)],
            Moderation::Post,
            None,
            Some(Action::Reject),
        ),
        ("weighs too little", "one", 0.1, vec![], Moderation::Post, None, Some(Action::Reject)),
        ("marks alone", "rule:mark", 0.0, vec![], Moderation::Post, None, None),
        ("routes", "rule:route", 0.0, vec![], Moderation::Post, Some(Action::Hold), None),
    ] {
        let mut signals: Vec<Evaluated> = others;
        signals.push(hit(id, weight, shadow));
        let verdict = decide(&signals, Marks::NONE, mode, &within);
        let parts = parts(&verdict, DecidedBy::Policy, "news", &lens);
        let part = parts.iter().find(|part| part.id == id && part.mode == shadow).expect("it hit");
        assert_eq!((part.otherwise, part.says), (otherwise, says), "{name}");
    }
}

/// What policy says with these signals, under caps: one shared by `one` and `two`, one on everything, and rules of several.
fn decide_capped(signals: &[Evaluated], role: Option<&str>) -> (Config, Verdict) {
    let mut config = config();
    let group = Group { signals: vec!["one".to_owned(), "two".to_owned()], max: LogOdds::of(1.0) };
    config.spam.groups.insert("kin".to_owned(), group);
    let composite = |name: &str, any: &[&str], facts: Vec<Fact>, log_odds: f64, max: Option<f64>| Composite {
        name: name.to_owned(),
        category: Category::Spam,
        all: vec!["three".to_owned()],
        any: any.iter().map(|id| (*id).to_owned()).collect(),
        facts,
        log_odds: LogOdds::of(log_odds),
        max: max.map(LogOdds::of),
        text: "Together.".to_owned(),
    };
    config.composites = vec![
        composite("more", &["four"], vec![], 1.5, None),
        composite("linked", &["five"], vec![Fact::HasLink], 3.0, None),
    ];
    config.exemptions =
        vec![crate::domain::policy::Exemption { roles: vec!["editor".to_owned()], signals: vec!["*".to_owned()] }];
    let policy = Policy::new(config.clone(), &["one", "two", "three", "four", "five"]).expect("valid");
    let author = Known::NotApplicable;
    let allowance = &Allowance::Within;
    let about = Circumstances {
        moderation: Moderation::Post,
        role,
        author: &author,
        allowance,
        has_link: false,
        rules: Marks::NONE,
        hash: "h",
    };
    (config, policy.decide(signals.to_vec(), ModelOutput::Off, &about))
}

#[test]
fn what_ran_in_shadow_stands_under_the_caps_that_it_would_have_live() {
    let cases: &[(&str, &[(&str, f64)], (&str, f64))] = &[
        ("alone", &[], ("one", 0.9)),
        ("over the cap of its kin by itself", &[], ("one", 3.0)),
        ("its kin fills the cap nearly", &[("two", 0.9)], ("one", 3.0)),
        ("its kin fills the cap", &[("two", 2.5)], ("one", 3.0)),
        ("its kin is far over it", &[("two", 40.0)], ("one", 3.0)),
        ("another is no kin", &[("three", 0.9)], ("one", 0.9)),
        ("takes from its kin", &[("two", 2.5)], ("one", -2.0)),
        ("all together come to the cap", &[("three", 5.0)], ("four", 3.0)),
        ("all together are over it", &[("three", 9.0)], ("four", 3.0)),
        ("completes a rule", &[("three", 0.1)], ("four", 0.1)),
        ("a rule that asks for a link that is not there", &[("three", 0.1)], ("five", 0.1)),
        ("takes away", &[("three", 3.0)], ("five", -2.0)),
        ("takes away from what is over the cap", &[("three", 9.0)], ("five", -2.0)),
    ];
    for (name, others, (id, weight)) in cases {
        let mut signals: Vec<Evaluated> = others.iter().map(|(id, weight)| hit(id, *weight, Mode::Live)).collect();
        signals.push(hit(id, *weight, Mode::Shadow));
        let (config, verdict) = decide_capped(&signals, None);
        signals.last_mut().expect("one").mode = Mode::Live;
        let (_, live) = decide_capped(&signals, None);
        let shadow = verdict.signals.last().expect("one");
        let said = caps::scores_with(&verdict, &config, shadow, LogOdds::of(*weight));
        let expected = PerCategory::from_fn(|category| live.scores[category].get());
        let off = (said.spam - expected.spam).abs() + (said.abuse - expected.abuse).abs();
        assert!(off < 1e-9, "{name}: {said:?}, live {expected:?}");
        // And the decision that follows.
        let lens = Lens { general: Measure::of(&config), ..lens(&[]) };
        let all = parts(&verdict, DecidedBy::Policy, "news", &lens);
        let part = all.iter().find(|part| part.mode == Mode::Shadow).expect("it hit");
        assert_eq!(part.otherwise, (live.action != verdict.action).then_some(live.action), "{name}");
    }
    // For whom nothing counts, it would not count either: what did not count says so.
    let signals = [hit("one", 0.5, Mode::Live), hit("three", 3.0, Mode::Shadow)];
    let (config, verdict) = decide_capped(&signals, Some("editor"));
    let said = caps::scores_with(&verdict, &config, &verdict.signals[1], LogOdds::of(3.0));
    assert!((said.spam - verdict.scores.spam.get()).abs() < 1e-9);
}

#[test]
fn caps_of_today_are_corrected_by_what_the_verdict_shows() {
    let signals = [hit("two", 2.5, Mode::Live), hit("one", 3.0, Mode::Shadow)];
    let (mut config, verdict) = decide_capped(&signals, None);
    for today in [0.5, 5.0] {
        config.spam.groups.get_mut("kin").expect("a group").max = LogOdds::of(today);
        let said = caps::scores_with(&verdict, &config, &verdict.signals[1], LogOdds::of(3.0));
        assert!((said.spam - verdict.scores.spam.get()).abs() < 1e-9, "{today}: it was reached at 1.0");
    }
}

#[test]
fn thresholds_of_today_are_corrected_by_what_the_verdict_shows() {
    let verdict = decide(&[hit("one", 2.0, Mode::Live)], Marks::NONE, Moderation::Post, &Allowance::Within);
    let mut today = lens(&[]);
    // Higher by now: the comment was held all the same, and by this score.
    today.general.thresholds.hold = PerCategory::from_fn(|_| 0.99);
    today.general.thresholds.reject = PerCategory::from_fn(|_| 0.995);
    assert_eq!(of(&parts(&verdict, DecidedBy::Policy, "news", &today), "one").otherwise, Some(Action::Approve));
    // Lower by now: what is approved was below.
    let passed = decide(&[hit("one", 0.2, Mode::Live)], Marks::NONE, Moderation::Post, &Allowance::Within);
    assert_eq!(passed.action, Action::Approve);
    today.general.thresholds.hold = PerCategory::from_fn(|_| 0.01);
    assert_eq!(of(&parts(&passed, DecidedBy::Policy, "news", &today), "one").otherwise, None);
}

#[test]
fn a_rule_that_is_gone_is_told_by_what_became_of_the_comment() {
    let mut marks = Marks::default();
    marks.floors.push(floor("rule:gone", Action::Reject));
    let verdict = decide(&[hit("rule:gone", 0.0, Mode::Live)], &marks, Moderation::Post, &Allowance::Within);
    let nothing = lens(&[]);
    let found = parts(&verdict, DecidedBy::Policy, "news", &nothing);
    let gone = of(&found, "rule:gone");
    assert_eq!((gone.otherwise, gone.says), (Some(Action::Approve), Some(Action::Reject)));
    // What it did was to send the comment to somebody: the mark of the queue has its words.
    marks.labels.push(Cause { id: "queue:legal".to_owned(), ..cause("rule:gone") });
    let routed = decide(&[hit("rule:gone", 0.0, Mode::Live)], &marks, Moderation::Post, &Allowance::Within);
    assert_eq!(of(&parts(&routed, DecidedBy::Policy, "news", &nothing), "rule:gone").says, None);
}

#[test]
fn a_sanction_that_made_the_difference_is_decisive_and_nothing_else_is() {
    let mut verdict = decide(&[hit("one", 2.0, Mode::Live)], Marks::NONE, Moderation::Post, &Allowance::Within);
    verdict.causes.push(cause("sanction:0191d6f2"));
    verdict.action = Action::Reject;
    let lens = lens(&[]);
    let found = parts(&verdict, DecidedBy::Rule, "news", &lens);
    assert_eq!((of(&found, SANCTION).otherwise, of(&found, SANCTION).says), (Some(Action::Hold), Some(Action::Reject)));
    assert!(!of(&found, "one").is_decisive());
    assert_eq!(of(&found, SANCTION).is_overturned_by(Action::Approve, verdict.action), Some(true));
    // Where it changed nothing, it is not decisive.
    verdict.action = Action::Hold;
    let found = parts(&verdict, DecidedBy::Policy, "news", &lens);
    assert!(!of(&found, SANCTION).is_decisive() && of(&found, "one").is_decisive());
}

fn judged(signals: &[Evaluated], marks: &Marks, site: &str, days: i64, person: Option<Action>) -> Judged {
    Judged {
        place: 1,
        uid: Uuid::nil(),
        site: site.into(),
        at: Timestamp::from_millis(1_795_514_400_000 + days * DAY_MS), // 2026-11-24, a Tuesday
        verdict: decide(signals, marks, Moderation::Post, &Allowance::Within),
        judged_by: DecidedBy::Policy,
        person,
    }
}

#[test]
fn counts_are_by_mode_site_and_week_and_precision_is_of_what_people_decided() {
    let (yes, no) = (Some(Action::Reject), Some(Action::Approve));
    let lens =
        lens(&[("rule:pills", rule(None, Some(3.0), Mode::Live)), ("rule:quiet", rule(None, Some(1.0), Mode::Live))]);
    let live = [hit("rule:pills", 3.0, Mode::Live)];
    let shadow = [hit("rule:pills", 3.0, Mode::Shadow)];
    let more = [hit("rule:pills", 3.0, Mode::Live), hit("one", 3.0, Mode::Live)];
    let mut tally = Tally::default();
    for (signals, site, days, person) in [
        (&shadow[..], "news", -7, yes),
        (&shadow, "news", -7, None),
        (&live, "news", 0, yes),
        (&live, "news", 0, no),
        (&live, "blog", 1, yes),
        (&more, "blog", 5, yes), // either would have held it: decisive is neither
    ] {
        tally.add(&judged(signals, Marks::NONE, site, days, person), &lens, Counting::Everything);
    }
    // Further back, what people decided alone.
    tally.add(&judged(&live, Marks::NONE, "news", -14, no), &lens, Counting::Decided);
    assert_eq!((tally.comments, tally.decided), (6, 6));
    let now = Timestamp::from_millis(1_795_514_400_000 + 9 * DAY_MS);
    let truths = tally.truths(&lens.rules, now);
    let ids: Vec<_> = truths.iter().map(|truth| (truth.id.as_str(), truth.mode)).collect();
    assert_eq!(
        ids,
        [
            ("rule:pills", Mode::Live),
            ("rule:pills", Mode::Shadow),
            ("rule:quiet", Mode::Live), // it never hit, and is in the settings
            ("one", Mode::Live),
        ]
    );
    let pills = &truths[0];
    assert_eq!((pills.counts.fired, pills.counts.decisive), (4, 3));
    assert_eq!((pills.counts.overturned.n, pills.counts.overturned.of), (2, 4), "with the one further back");
    assert_eq!((pills.counts.precision.n, pills.counts.precision.of), (3, 5));
    let weeks: Vec<_> =
        pills.weeks.iter().map(|week| (week.week.as_str(), week.site.as_str(), week.counts.fired)).collect();
    assert_eq!(weeks, [("2026-W48", "blog", 2), ("2026-W48", "news", 2), ("2026-W46", "news", 0)]);
    assert_eq!(truths[1].counts.decisive, 2, "live, it would have held both");
    assert_eq!(truths[2].counts.last_at, None);
    assert_eq!((truths[3].kind, truths[3].counts.decisive), (Kind::Signal, 0));
}

/// The same verdict under other settings.
fn under(policy: &str, judged: Judged) -> Judged {
    Judged { verdict: Verdict { policy: policy.to_owned(), ..judged.verdict.clone() }, ..judged }
}

#[test]
fn what_people_said_of_an_earlier_text_of_a_rule_stands_apart() {
    let of = |text, mode, action| Told { text: TextId::numbered(text), ..rule(Some(action), None, mode) };
    let mut lens = lens(&[("rule:pills", of(2, Mode::Shadow, Action::Hold))]);
    lens.under.insert("before".to_owned(), Some(set(&[("rule:pills", of(1, Mode::Shadow, Action::Approve))])));
    lens.under.insert("away".to_owned(), None);
    let shadow = [hit("rule:pills", 0.0, Mode::Shadow)];
    let mut tally = Tally::default();
    for (policy, person) in [
        ("h", Some(Action::Approve)),
        ("h", None),
        ("before", Some(Action::Approve)),
        ("before", Some(Action::Approve)),
        ("away", Some(Action::Reject)),
    ] {
        tally.add(&under(policy, judged(&shadow, Marks::NONE, "news", 0, person)), &lens, Counting::Everything);
    }
    let truths = tally.truths(&lens.rules, Timestamp::from_millis(0));
    let told: Vec<_> = truths
        .iter()
        .map(|truth| {
            let (right, asked) = (truth.counts.precision, truth.asked.map(|asked| asked.comments));
            (truth.wording, truth.text.as_deref(), truth.counts.fired, (right.n, right.of), asked)
        })
        .collect();
    assert_eq!(
        told,
        [
            // Before, it approved: people agreed with that, and not with what it does now.
            (Some(Wording::Earlier), Some("0000000000000001"), 2, (2, 2), Some(2)),
            (Some(Wording::Current), Some("0000000000000002"), 2, (0, 1), Some(2)),
            (Some(Wording::Unknown), None, 1, (1, 1), None),
        ]
    );
    // Of a rule that is gone there is no text of today.
    let truths = tally.truths(&BTreeMap::new(), Timestamp::from_millis(0));
    let [gone] = truths.as_slice() else { panic!("{truths:?}") };
    assert_eq!((gone.wording, gone.now, gone.counts.fired), (None, Some(Now::Gone), 5));
    assert_eq!((gone.weeks.len(), gone.weeks[0].counts.fired), (1, 5));
}

#[test]
fn only_time_in_which_a_rule_was_asked_just_so_counts_for_its_silence() {
    let of = |text, mode| Told { text: TextId::numbered(text), ..rule(Some(Action::Hold), None, mode) };
    let (on, off) = (of(1, Mode::Live), of(1, Mode::Off));
    let elsewhere = Told { sites: BTreeSet::from(["blog".to_owned()]), ..on.clone() };
    let mut lens = lens(&[("rule:a", on.clone()), ("rule:elsewhere", elsewhere)]);
    for (policy, told) in [("off", off), ("shadow", of(1, Mode::Shadow)), ("other", of(2, Mode::Live))] {
        lens.under.insert(policy.to_owned(), Some(set(&[("rule:a", told)])));
    }
    // Settings that differ elsewhere: the rules are the same.
    lens.under.insert("same".to_owned(), Some(set(&[("rule:a", on)])));
    lens.under.insert("away".to_owned(), None);
    let tried = |days: &[(&str, i64)]| {
        let mut tally = Tally::default();
        for (policy, day) in days {
            tally.add(&under(policy, judged(&[], Marks::NONE, "news", *day, None)), &lens, Counting::Everything);
        }
        let tried = tally.tried(&lens.rules, judged(&[], Marks::NONE, "news", 0, None).at);
        assert_eq!(tried.get("rule:elsewhere"), None, "nothing came where it is asked");
        tried.get("rule:a").map_or((0, 0), |tried| (tried.millis / DAY_MS.unsigned_abs(), tried.asked.comments))
    };
    for (days, expected, why) in [
        (&[("h", -1), ("h", -9), ("h", -20)][..], (20, 3), "on all the while"),
        (
            &[("h", -1), ("off", -2), ("off", -19), ("h", -20)],
            (1, 2),
            "off from the day after it was made until the day before yesterday",
        ),
        (&[("h", -1), ("off", -3), ("same", -5), ("h", -12)], (8, 3), "on for a week, then off, then on"),
        (&[("h", -1), ("shadow", -3), ("h", -5)], (1, 2), "in shadow between"),
        (&[("h", -1), ("other", -3)], (1, 1), "it said something else"),
        (&[("h", -1), ("away", -3), ("h", -5)], (1, 2), "nobody knows what it said"),
        (&[("off", -1), ("h", -3), ("h", -5)], (2, 2), "off lately"),
        (&[], (0, 0), "nothing came"),
    ] {
        assert_eq!(tried(days), expected, "{why}");
    }
}

#[test]
fn weeks_of_more_sites_than_are_kept_apart_are_counted_in_all_and_that_is_told() {
    let lens = lens(&[]);
    let mut tally = Tally::default();
    let live = [hit("one", 3.0, Mode::Live)];
    let most = i64::try_from(tally::WEEKS_MAX).expect("small");
    let one = judged(&live, Marks::NONE, "news", 0, None);
    for n in 0..=most {
        let at = one.at.plus_millis(-n / 1_000 * DAY_MS);
        let judged = Judged { site: format!("site-{n}").into(), at, ..one.clone() };
        tally.add(&judged, &lens, Counting::Everything);
    }
    let truths = tally.truths(&lens.rules, Timestamp::from_millis(0));
    assert_eq!((truths[0].counts.fired, truths[0].weeks.len()), (u32::try_from(most + 1).unwrap(), tally::WEEKS_MAX));
    let first = one.at.plus_millis(-most / 1_000 * DAY_MS + 1);
    assert_eq!(tally.weeks_since(), Some(first));
}

#[test]
fn weeks_are_those_of_iso_8601() {
    for (day, week) in [
        ("2026-12-31T23:59:59Z", "2026-W53"),
        ("2027-01-01T00:00:00Z", "2026-W53"),
        ("2027-01-03T23:59:59Z", "2026-W53"),
        ("2027-01-04T00:00:00Z", "2027-W01"),
        ("2024-12-30T00:00:00Z", "2025-W01"),
    ] {
        assert_eq!(IsoWeek::of(Timestamp::parse(day).expect("a day")).to_string(), week, "{day}");
    }
}

#[test]
fn rules_that_always_hit_together_are_found_and_others_not() {
    let lens = lens(&["rule:a", "rule:b", "rule:c"].map(|id| (id, rule(None, Some(0.1), Mode::Live))));
    let mut tally = Tally::default();
    for others in [&["rule:b"][..], &["rule:b", "rule:c"]] {
        let mut signals = vec![hit("rule:a", 0.1, Mode::Live)];
        signals.extend(others.iter().map(|id| hit(id, 0.1, Mode::Shadow)));
        tally.add(&judged(&signals, Marks::NONE, "news", 0, None), &lens, Counting::Everything);
    }
    let together = Together { rules: ["rule:a".to_owned(), "rule:b".to_owned()], hits: 2 };
    assert_eq!(tally.together(), [together]);
}

#[test]
fn hints_are_for_what_an_operator_should_look_at() {
    let now = Timestamp::from_millis(100 * DAY_MS);
    let in_days = |days: i64| Some(now.plus_millis(days * DAY_MS));
    let (live, shadow) = (Mode::Live, Mode::Shadow);
    let holds = |mode, expires| Told { expires, ..rule(Some(Action::Hold), None, mode) };
    let rejects = |mode| rule(Some(Action::Reject), None, mode);
    // Name, rule, what people overturned of what, with what they agreed of what; what is hinted at.
    let cases: &[(&str, Told, (u32, u32), (u32, u32), Option<HintKind>)] = &[
        ("fine", holds(live, None), (1, 40), (39, 40), None),
        ("wrong", holds(live, None), (9, 10), (1, 10), Some(HintKind::MostlyOverturned)),
        ("two decisions say nothing", holds(live, None), (2, 2), (0, 2), None),
        ("as often as not", holds(live, None), (10, 20), (10, 20), None),
        ("off by now", holds(Mode::Off, None), (9, 10), (1, 10), None),
        ("good in shadow", holds(shadow, None), (0, 3), (30, 30), Some(HintKind::ReadyToGoLive)),
        ("too few in shadow", holds(shadow, None), (0, 0), (15, 15), None),
        ("half and half in shadow", holds(shadow, None), (0, 0), (20, 40), None),
        ("bad in shadow", holds(shadow, None), (0, 0), (2, 20), Some(HintKind::WouldBeOverturned)),
        ("would do harm", holds(shadow, None), (9, 10), (15, 25), Some(HintKind::WouldBeOverturned)),
        ("nobody would see what it rejects", rejects(shadow), (0, 0), (30, 30), None),
        ("sure enough to reject", rejects(shadow), (0, 0), (90, 90), Some(HintKind::ReadyToGoLive)),
        ("ends tomorrow", holds(live, in_days(1)), (0, 1), (1, 1), Some(HintKind::ExpiresSoon)),
        ("ends next week", holds(live, in_days(7)), (0, 1), (1, 1), None),
        ("ended", holds(live, in_days(-1)), (0, 1), (1, 1), Some(HintKind::Expired)),
        ("never hit", holds(live, None), (0, 0), (0, 0), Some(HintKind::NeverFired)),
        ("never hit in shadow", holds(shadow, None), (0, 0), (0, 0), None),
    ];
    let rules: BTreeMap<String, Told> =
        cases.iter().map(|(name, told, ..)| (format!("rule:{name}"), told.clone())).collect();
    let tried = |days: u64, comments| {
        let asked = Asked { comments, first_at: now.plus_millis(-30 * DAY_MS), last_at: now };
        let tried = Tried { millis: days * DAY_MS.unsigned_abs(), asked };
        rules.keys().map(|id| (id.clone(), tried)).collect::<BTreeMap<_, _>>()
    };
    let truths: Vec<Truth> = cases
        .iter()
        .map(|(name, told, overturned, precision, _)| Truth {
            id: format!("rule:{name}"),
            kind: Kind::Rule,
            mode: if told.mode == shadow { shadow } else { live },
            now: Some(match told.mode {
                Mode::Off => Now::Off,
                _ if told.expires.is_some_and(|at| at <= now) => Now::Expired,
                Mode::Shadow => Now::Shadow,
                Mode::Live => Now::Live,
            }),
            wording: Some(Wording::Current),
            text: None,
            asked: None,
            reason: None,
            expires: told.expires,
            counts: Counts {
                fired: precision.1,
                decisive: overturned.1,
                overturned: Share::new(overturned.0, overturned.1),
                precision: Share::new(precision.0, precision.1),
                last_at: (precision.1 > 0).then_some(now),
            },
            weeks: Vec::new(),
        })
        .collect();
    let together = [Together { rules: ["rule:fine".to_owned(), "rule:wrong".to_owned()], hits: 20 }];
    let seen =
        Seen { truths: &truths, rules: &rules, tried: &tried(28, 1_000), together: &together, all_sites: true, now };
    let found = hints(&seen);
    for (name, .., expected) in cases {
        let about = found.iter().find(|hint| hint.about == [format!("rule:{name}")]);
        assert_eq!(about.map(|hint| hint.kind), *expected, "{name}: {about:?}");
    }
    let both = found.iter().find(|hint| hint.kind == HintKind::AlwaysTogether).expect("a pair");
    assert_eq!((both.about.len(), both.hits), (2, Some(20)));
    assert!(found.is_sorted_by_key(|hint| hint.kind), "the most pressing first");
    // On some sites alone, in a time too short, or where nothing came, silence says nothing.
    for seen in [
        Seen { all_sites: false, ..seen },
        Seen { tried: &tried(28, 0), ..seen },
        Seen { tried: &tried(3, 1_000), ..seen },
        Seen { tried: &BTreeMap::new(), ..seen },
    ] {
        assert!(hints(&seen).iter().all(|hint| hint.kind != HintKind::NeverFired));
    }
    // What people said of an earlier text says nothing of this one, and neither does what may have been said of one.
    for wording in [Wording::Earlier, Wording::Unknown] {
        let truths: Vec<Truth> = truths.iter().map(|truth| Truth { wording: Some(wording), ..truth.clone() }).collect();
        let found = hints(&Seen { truths: &truths, ..seen });
        let by_decisions = |hint: &&hints::Hint| {
            matches!(hint.kind, HintKind::MostlyOverturned | HintKind::WouldBeOverturned | HintKind::ReadyToGoLive)
        };
        assert_eq!(found.iter().find(by_decisions), None, "{wording:?}");
        let never: Vec<&String> =
            found.iter().filter(|hint| hint.kind == HintKind::NeverFired).flat_map(|hint| &hint.about).collect();
        let expected: usize = if wording == Wording::Earlier { 7 } else { 1 };
        assert_eq!(never.len(), expected, "{wording:?}: {never:?}"); // live, unended, and asked all the while
    }
}
