//! What is told of parts is what policy would have said without them; counts, weeks and hints are of the comments that they say.

use std::collections::{BTreeMap, BTreeSet};

use super::hints::{HintKind, Seen, Together, hints};
use super::part::{Part, SANCTION, parts};
use super::tally::{Counting, IsoWeek, Tally};
use super::*;
use crate::domain::category::Category;
use crate::domain::decision::Cause;
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::policy::{Circumstances, Config, Moderation, Policy};
use crate::domain::rules::Marks;
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
    }
}

fn lens(rules: &[(&str, Told)]) -> Lens {
    let rules = rules.iter().map(|(id, told)| ((*id).to_owned(), told.clone())).collect();
    Lens { general: Thresholds::of(&config()), sites: BTreeMap::new(), rules }
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

#[test]
fn thresholds_of_today_are_corrected_by_what_the_verdict_shows() {
    let verdict = decide(&[hit("one", 2.0, Mode::Live)], Marks::NONE, Moderation::Post, &Allowance::Within);
    let mut today = lens(&[]);
    // Higher by now: the comment was held all the same, and by this score.
    today.general.hold = PerCategory::from_fn(|_| 0.99);
    today.general.reject = PerCategory::from_fn(|_| 0.995);
    assert_eq!(of(&parts(&verdict, DecidedBy::Policy, "news", &today), "one").otherwise, Some(Action::Approve));
    // Lower by now: what is approved was below.
    let passed = decide(&[hit("one", 0.2, Mode::Live)], Marks::NONE, Moderation::Post, &Allowance::Within);
    assert_eq!(passed.action, Action::Approve);
    today.general.hold = PerCategory::from_fn(|_| 0.01);
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
    let lens = lens(&[]);
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
    let live_since = rules.keys().map(|id| (id.clone(), now.plus_millis(-30 * DAY_MS))).collect();
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
    let seen = Seen {
        truths: &truths,
        rules: &rules,
        live_since: &live_since,
        together: &together,
        counted_since: now.plus_millis(-28 * DAY_MS),
        comments: 1_000,
        all_sites: true,
        now,
    };
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
        Seen { comments: 0, ..seen },
        Seen { counted_since: now.plus_millis(-3 * DAY_MS), ..seen },
        Seen { live_since: &BTreeMap::new(), ..seen },
    ] {
        assert!(hints(&seen).iter().all(|hint| hint.kind != HintKind::NeverFired));
    }
}
