//! Rules over comments, rules that are refused, and rules that would be a burden.

use proptest::prelude::*;

use super::lists::{Kind, ListText};
use super::*;
use crate::domain::comment::{AuthorDraft, Format};
use crate::domain::history::{AuthorPast, Sightings};
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::policy::{Circumstances, Moderation, Policy};
use crate::domain::signal::testing::Case;
use crate::domain::signal::{Allowance, Field, LIST};

fn rule(when: &str) -> RuleConfig {
    RuleConfig {
        name: "it".to_owned(),
        when: when.to_owned(),
        then: Then { action: Some(Action::Hold), ..Then::default() },
        reason: "Because.".to_owned(),
        sites: Vec::new(),
        expires: None,
        mode: Mode::Live,
    }
}

fn lists() -> Lists {
    let list = |name: &str, kind, text: &str| ListText { name: name.to_owned(), kind, text: text.to_owned() };
    Lists::read(vec![
        list("coins", Kind::Words, "bitcoin\ndoge coin\nmemecoin*\n"),
        list("pills", Kind::Hosts, "pills.example\n"),
    ])
    .expect("valid")
}

fn refused(when: &str) -> BadRule {
    Rules::new(&[rule(when)], lists()).expect_err(when)
}

fn said_by(rules: &[RuleConfig], signals: &[Evaluated], case: &Case) -> Said {
    let rules = Rules::new(rules, lists()).unwrap_or_else(|error| panic!("{error}"));
    said_of(&rules, signals, case)
}

fn said_of(rules: &Rules, signals: &[Evaluated], case: &Case) -> Said {
    let ids: Vec<&str> = LIST.iter().map(|meta| meta.id).collect();
    let policy = Policy::new(crate::domain::policy::Config::default(), &ids).expect("the defaults are valid");
    let about = Circumstances {
        moderation: Moderation::Post,
        role: None,
        author: &Known::NotApplicable,
        allowance: &Allowance::Within,
        has_link: false,
        rules: Marks::NONE,
        hash: "h",
    };
    case.look(|context| rules.evaluate(&Subject::new(context, "news", signals, &ModelOutput::Off, &policy, &about)))
}

/// `Some` whether it hit, `None` when it does not apply; a failure is told.
fn truth(when: &str, case: &Case) -> Result<Option<bool>, String> {
    outcome(&said_by(&[rule(when)], &signals(), case))
}

fn outcome(said: &Said) -> Result<Option<bool>, String> {
    match said.outcomes.as_slice() {
        [] => Ok(Some(false)),
        [Evaluated { outcome: Outcome::Hit { .. }, .. }] => Ok(Some(true)),
        [Evaluated { outcome: Outcome::Unavailable { why }, .. }] => Err(why.clone()),
        _ => Ok(None),
    }
}

fn signals() -> Vec<Evaluated> {
    let of =
        |id: &'static str, outcome| Evaluated { id: id.into(), category: Category::Spam, mode: Mode::Shadow, outcome };
    vec![
        of("link-count", Outcome::Hit { weight: LogOdds::of(1.5), evidence: String::new(), spans: Vec::new() }),
        of("shouting", Outcome::Clear),
        of("burst", Outcome::Unavailable { why: "away".to_owned() }),
        of("form-behaviour", Outcome::NotApplicable),
    ]
}

/// A comment with a little of everything.
fn full() -> Case {
    let body = "Buy <b>BitCoin</b> at http://pills.example/now and read http://news.example/other";
    let past = AuthorPast { approved: 3, rejected: 1, ..AuthorPast::default() };
    Case::new(body)
        .html()
        .page_in("en", "The harbour", "A long story about the harbour and its boats.")
        .author(Known::Known(past))
        .past(|past| past.text = Known::Known(Sightings { comments: 4, rejected: 2, ..Sightings::default() }))
        .sent(|draft| {
            draft.article.section = Some("economy".to_owned());
            draft.article.tags = Some(vec!["harbour".to_owned(), "boats".to_owned()]);
            draft.typing_ms = Some(900);
            draft.author = Some(AuthorDraft {
                id: Some("u-1".to_owned()),
                name: Some("Doge Coin Fan".to_owned()),
                email: Some("anna@Mail.Example".to_owned()),
                url: Some("https://www.shop.example/x".to_owned()),
                role: Some("member".to_owned()),
                registered_at: Some("2026-11-18T11:00:00Z".to_owned()), // minutes before the tests' now
                ..AuthorDraft::default()
            });
        })
}

#[test]
fn rules_read_what_a_comment_is() {
    let cases: &[(&str, bool)] = &[
        ("true", true),
        ("comment.text.contains('BitCoin')", true),
        ("comment.text.contains('bitcoin')", false),
        ("comment.folded.contains('bitcoin')", true),
        ("comment.text.startsWith('Buy') && comment.text.endsWith('other')", true),
        ("comment.text.matches('(?i)b[i1]tco[i1]n')", true),
        ("comment.format == 'html' && comment.links == 2", true),
        ("comment.words < 5 || comment.chars > 1000", false),
        ("comment.typing_ms < 1000", true),
        ("!comment.is_reply", true),
        (
            "author.name == 'Doge Coin Fan' && author.email_domain == 'mail.example' && author.host == 'shop.example'",
            true,
        ),
        ("author.role in ['editor', 'member']", true),
        ("!(author.role in ['editor', 'member'])", false),
        ("author.staff", false),
        ("now - author.registered_at < duration('1h')", true),
        ("now > timestamp('2026-01-01T00:00:00Z') && now.getDayOfWeek() < 7 && now.getHours() < 24", true),
        ("article.section == 'economy' && 'boats' in article.tags && article.tags.size() == 2", true),
        ("article.title.lowerAscii().contains('harbour')", true),
        ("site == 'news'", true),
        ("links.exists(l, l.host == 'pills.example' && !l.own)", true),
        ("links.all(l, l.own)", false),
        ("links.exists_one(l, l.own)", true),
        ("links.filter(l, !l.own).size() == 1", true),
        ("'pills.example' in links.map(l, l.host)", true),
        ("links.exists(l, l.kind == 'bare' && l.seen == 0)", true),
        ("links.exists(l, l.host.inList('pills'))", true),
        ("comment.text.inList('coins')", true),
        ("author.name.inList('coins')", true),
        ("article.title.inList('coins')", false),
        ("lists.coins.size() == 2 && 'doge coin' in lists.coins", true),
        ("'pills.example' in lists.pills", true),
        ("signals['link-count'].hit && signals.link_count.weight > 1.0", true),
        ("signals.shouting.hit", false),
        ("signals.shouting.weight == 0.0", true),
        ("scores.spam > 0.05 && scores.spam < 0.5 && scores.abuse < 0.1", true),
        ("history.author.approved >= 3 && history.author.rejected * 3 <= history.author.approved", true),
        ("history.text.comments - history.text.rejected == 2", true),
        ("double(comment.links) / 2.0 == 1.0 && int(2.9) == 2 && 7 % 4 == 3 && -2 + 2 == 0", true),
        ("comment.links > 1 ? author.role == 'member' : false", true),
        ("has(author.role) && !has(author.user_agent) && has(comment.typing_ms)", true),
        ("size(comment.text) == comment.chars", true),
    ];
    for (when, expected) in cases {
        assert_eq!(truth(when, &full()), Ok(Some(*expected)), "{when}");
    }
}

#[test]
fn what_is_missing_is_neither_true_nor_false() {
    let bare = Case::new("hello there").by_nobody();
    for (when, expected) in [
        ("author.role == 'member'", None),
        ("author.role != 'member'", None),
        ("!(author.role == 'member')", None),
        ("author.role == 'member' || comment.words == 2", Some(true)),
        ("comment.words == 2 || author.role == 'member'", Some(true)),
        ("author.role == 'member' && comment.words == 3", Some(false)),
        ("comment.words == 2 && author.role == 'member'", None),
        ("has(author.role) && author.role == 'member'", Some(false)),
        ("history.author.approved == 0", None),
        ("signals.form_behaviour.hit", None),
        ("model.spam > 1.0", None),
        ("links.exists(l, l.text == 'x')", Some(false)),
    ] {
        assert_eq!(truth(when, &bare), Ok(expected), "{when}");
    }
}

#[test]
fn what_could_not_be_had_is_told_and_nothing_hides_it() {
    let away = full().past(|past| past.author = Known::Unavailable("the store is away".to_owned()));
    let away = away.author(Known::Unavailable("the store is away".to_owned()));
    for (when, expected) in [
        ("history.author.approved == 0", Err("the store is away".to_owned())),
        ("has(history.author.first_at)", Err("the store is away".to_owned())),
        ("history.author.approved == 0 || author.user_agent == 'x'", Err("the store is away".to_owned())),
        ("history.author.approved == 0 || comment.links == 2", Ok(Some(true))),
        ("signals.burst.hit", Err("away".to_owned())),
        ("comment.links / (comment.links - 2) > 1", Err("a division by zero".to_owned())),
        ("comment.links * 9223372036854775807 > 1", Err("a number became too large".to_owned())),
    ] {
        assert_eq!(truth(when, &away), expected, "{when}");
    }
}

#[test]
fn a_rule_that_cannot_be_meant_is_refused_with_its_place() {
    let cases: &[(&str, (usize, usize), &str)] = &[
        ("comment.txt == 'x'", (1, 9), "there is no `comment.txt`; did you mean `comment.text`?"),
        ("true &&\n  autor.role == 'x'", (2, 3), "there is no `autor.role`; did you mean `author.role`?"),
        ("comment.words > 1 && wrds > 2", (1, 22), "there is no `wrds`"),
        ("history.author.aproved > 1", (1, 16), "did you mean `history.author.approved`?"),
        ("history.author > 1", (1, 9), "is several things: history.author.approved"),
        ("links.exists(l, l.hots == 'x')", (1, 19), "a link has no `hots`; did you mean `host`?"),
        ("signals['link-cont'].hit", (1, 1), "there is no signal `link-cont`; did you mean `link_count`?"),
        ("signals.link_count.fired", (1, 20), "it has `hit` and `weight`"),
        ("comment.text.inList('coin')", (1, 21), "there is no list `coin` under [lists]; did you mean `coins`?"),
        ("lists.coin.size() > 1", (1, 1), "there is no list `coin`"),
        ("comment.text.conains('x')", (1, 14), "there is no function `conains`; did you mean `contains`?"),
        ("comment.text.contains()", (1, 14), "`contains` is written `x.contains(\"text\")`"),
        ("comment.words > 'x'", (1, 1), "an int cannot be compared with a string"),
        ("comment.words + 1.5 > 2.0", (1, 1), "mixes an int and a double"),
        ("comment.words", (1, 1), "a rule is a bool"),
        ("author.name && true", (1, 1), "is a string, and a bool is wanted"),
        ("comment.words > 1 && (", (1, 23), "is not the Common Expression Language"),
        ("comment.text.matches(author.name)", (1, 22), "a regular expression that stands in the rule"),
        ("comment.text.matches('(')", (1, 22), "is no regular expression"),
        ("duration('1 day') > duration('1h')", (1, 10), "is no duration"),
        ("timestamp('soon') > now", (1, 11), "not an RFC 3339 time"),
        ("{'a': 1}.size() == 1", (1, 1), "rules have no maps"),
        ("comment.text == null", (1, 17), "rules have no null"),
        ("1 / 0 == 1", (1, 5), "can never be worked out: a division by zero"),
        ("comment.words / 0 > 1", (1, 17), "can never be worked out: a division by zero"),
        ("comment.words % 0 == 1", (1, 17), "can never be worked out: a division by zero"),
        ("8 / 2 / (2 - 2) == comment.words", (1, 9), "can never be worked out: a division by zero"),
        ("0.0/0.0 == scores.spam", (1, 5), "can never be worked out: a division by zero"),
        ("author.staff ||\n  scores.spam / -0.0 > 1.0", (2, 17), "can never be worked out: a division by zero"),
        ("comment.words % 7 == 1 && wrds > 2", (1, 27), "there is no `wrds`"),
        ("links.map(l, l.domain) == links.map(l, l.host)", (1, 1), "cannot be compared"),
    ];
    for (when, (line, column), problem) in cases {
        let bad = refused(when);
        assert_eq!(bad.at.map(|(line, column, _)| (line, column)), Some((*line, *column)), "{when}: {bad}");
        assert!(bad.problem.contains(problem), "{when}: {bad}");
        assert!(bad.to_string().starts_with(&format!("rules: `it`: when: line {line}, column {column}: ")), "{bad}");
    }
}

#[test]
fn a_rule_that_can_never_be_true_is_refused() {
    for when in [
        "false",
        "1 > 2",
        "comment.words > 5 && comment.words < 3",
        "comment.words > 5 && comment.words < 6",
        "comment.words < 0",
        "scores.spam > 1.0",
        "comment.format == 'markdwon'",
        "comment.format in ['text', 'html'] && comment.format == 'markdown'",
        "author.role == 'a' && author.role == 'b'",
        "author.role == 'a' && author.role != 'a'",
        "author.role in ['a', 'b'] && !(author.role in ['a', 'b', 'c'])",
        "author.staff && !author.staff",
        "comment.words > 3 && author.staff && comment.words < 2",
        "(comment.words < 0) || (author.role == 'a' && author.role == 'b')",
        "links.exists(l, l.host == 'a.example' && l.host == 'b.example')",
        "author.role in []",
        "comment.text.size() < 0",
        "now.getHours() == 25",
        "now.getHours() > 23",
        "24 <= now.getHours()",
        "now.getHours() < 0",
        "now.getHours() > 5 && now.getHours() < 6",
        "now.getDayOfWeek() == 7",
    ] {
        assert!(refused(when).problem.starts_with("can never be true: "), "{when}: {}", refused(when));
    }
    for when in [
        "comment.words > 5 && comment.words < 7",
        "scores.spam >= 1.0",
        "author.role == 'a' || author.role == 'b'",
        "links.exists(l, l.host == 'a.example') && links.exists(l, l.host == 'b.example')",
        "comment.words >= 0 && comment.words <= 0",
        "comment.words / 2 > 0 && comment.words % 2 == 0 && 0 / 2 == 0",
        "scores.spam / 0.5 > 1.0",
        "now.getHours() == 23 || now.getHours() == 0",
        "now.getHours() >= 22 && now.getDayOfWeek() == 6",
        "now.getHours() != 25",
        "links.all(l, l.host == 'a' && l.host == 'b')", // of a comment without links
    ] {
        assert!(Rules::new(&[rule(when)], lists()).is_ok(), "{when}: {}", refused(when));
    }
}

#[test]
fn a_rule_that_would_be_a_burden_is_refused() {
    let deep = format!("{}true{}", "(".repeat(3_000), ")".repeat(900));
    let nots = format!("{}author.staff", "!".repeat(3_000));
    let long = format!("comment.text.contains('{}')", "x".repeat(SOURCE_BYTES_MAX));
    let chain = vec!["comment.text.matches('a.*b')"; 13].join(" && ");
    let gaps = ["comment.text.matches('buy.{0,50}now')"; 2].join(" && ");
    let cases = [
        (
            "a list within a list within a list",
            "links.exists(a, links.exists(b, links.exists(c, a.host + b.host == c.host)))",
            "costs too much",
        ),
        ("a list within a list", "links.exists(a, links.exists(b, a.host != b.host))", "costs too much"),
        ("the text once for each link", "links.all(l, comment.text.contains(l.host))", "costs too much"),
        ("a huge regular expression", r"comment.text.matches('(\\w{200}){200}')", "costs too much"),
        ("many regular expressions", chain.as_str(), "costs too much"),
        ("a counted gap", "comment.text.matches('buy.{0,500}now')", "costs too much"),
        ("two shorter ones", gaps.as_str(), "costs too much"),
        ("the text as an item of a list", "links.map(l, comment.text).exists(t, t.matches('a.*b'))", "costs too much"),
        (
            "the text on one of two lists",
            "(['a'] + links.map(l, comment.text)).exists(t, t.contains('b'))",
            "costs too much",
        ),
        (
            "the text in one of two branches",
            "(author.staff ? article.tags : links.map(l, comment.text)).exists(t, t.matches('a.*b'))",
            "costs too much",
        ),
        ("brackets", deep.as_str(), "nested deeper"),
        ("negations", nots.as_str(), "nested deeper"),
        ("a long one", long.as_str(), "at most 4000 are allowed"),
    ];
    for (name, when, problem) in cases {
        let bad = refused(when);
        assert!(bad.problem.contains(problem), "{name}: {bad}");
    }
    let many: Vec<RuleConfig> = (0..2_000)
        .map(|number| RuleConfig { name: format!("r-{number}"), ..rule("comment.text.matches('a.*b')") })
        .collect();
    let bad = Rules::new(&many, lists()).expect_err("too many of a dear kind");
    assert!(bad.problem.contains("cost too much together"), "{bad}");
}

#[test]
fn five_hundred_rules_about_words_of_all_scripts_are_taken_and_what_is_too_large_together_is_told() {
    let rules = |pattern: &str| -> Vec<RuleConfig> {
        let when = |number: usize| format!(r"author.name.matches('{pattern}x{number}')");
        (0..500).map(|number| RuleConfig { name: format!("r-{number}"), ..rule(&when(number)) }).collect()
    };
    Rules::new(&rules(r"\\w+"), lists()).expect("500 of them");
    let same: Vec<RuleConfig> = (0..500)
        .map(|number| RuleConfig { name: format!("r-{number}"), ..rule(r"author.name.matches('\\w+\\s\\w+')") })
        .collect();
    Rules::new(&same, lists()).expect("the same one takes its memory once");
    let bad = Rules::new(&rules(r"\\w+\\s\\w+"), lists()).expect_err("too much memory");
    assert!(bad.problem.contains("32 MiB") && bad.problem.contains(r"(?-u:\w)"), "{bad}");
    Rules::new(&rules(r"(?-u:\\w)+\\s(?-u:\\w)+"), lists()).expect("as the refusal says");
}

#[test]
fn a_chain_is_refused_before_a_parser_follows_it() {
    let thread = std::thread::Builder::new().stack_size(2 << 20); // as the service's own threads have
    let chains = thread.spawn(|| {
        for (part, by) in [("1", "+"), ("a", "."), ("1", "<"), ("1", " in "), ("a", "[0].")] {
            let when = vec![part; 3_900 / (part.len() + by.len())].join(by);
            assert!(refused(&when).problem.contains("is a chain longer than 60"), "{by}: {}", refused(&when));
        }
    });
    chains.expect("a thread").join().expect("no chain goes through the stack");
    let names = vec!["author.name == 'a'"; 100].join(" || ");
    assert!(Rules::new(&[rule(&names)], lists()).is_ok(), "{}", refused(&names));
}

#[test]
fn a_regular_expression_takes_time_in_proportion_to_the_text() {
    // With backtracking, each of these would not end within the age of the world.
    let body = format!("{}!", "a".repeat(60_000));
    let case = Case::new(&body);
    for when in [
        "comment.text.matches('^(a+)+$')",
        "comment.text.matches('^(a|aa)+$')",
        "comment.text.matches('(.*a){12}b')",
        "comment.text.matches('^(([a-z])+.)+[A-Z]([a-z])+$')",
    ] {
        assert_eq!(truth(when, &case), Ok(Some(false)), "{when}");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let then = |change: fn(&mut Then)| {
        let mut then = Then::default();
        change(&mut then);
        let bad = Rules::new(&[RuleConfig { then, ..rule("true") }], lists()).expect_err("cannot be done");
        format!("{}: {}", bad.key, bad.problem)
    };
    assert!(then(|_| {}).starts_with("then: does nothing"));
    assert!(then(|then| then.weight = Some(LogOdds::of(1.0))).starts_with("then.category: must say"));
    assert!(then(|then| then.tags = vec!["Not A Tag".to_owned()]).starts_with("then.tags"));
    let both = then(|then| (then.queue, then.action) = (Some("legal".to_owned()), Some(Action::Reject)));
    assert!(both.starts_with("then.queue: holds"), "{both}");
    for (change, key) in [
        (RuleConfig { name: "No Name".to_owned(), ..rule("true") }, "name"),
        (RuleConfig { reason: " ".to_owned(), ..rule("true") }, "reason"),
        (RuleConfig { sites: vec!["No Site".to_owned()], ..rule("true") }, "sites"),
    ] {
        assert_eq!(Rules::new(&[change], lists()).expect_err(key).key, key);
    }
    let twice = Rules::new(&[rule("true"), rule("true")], lists()).expect_err("twice");
    assert_eq!((twice.number, twice.key), (1, "name"));
}

#[test]
fn rules_are_asked_where_and_while_they_are_meant() {
    let hits = |change: fn(&mut RuleConfig)| {
        let mut rule = rule("true");
        change(&mut rule);
        !said_by(&[rule], &[], &full()).outcomes.is_empty()
    };
    let at = |text: &str| Some(Timestamp::parse(text).expect("a time"));
    assert!(hits(|rule| rule.sites = vec!["news".to_owned()]));
    assert!(!hits(|rule| rule.sites = vec!["blog".to_owned()]));
    assert!(!hits(|rule| rule.mode = Mode::Off));
    assert_eq!(at("2026-11-18T11:06:40Z").map(Timestamp::as_millis), Some(1_795_000_000_000));
    assert!(hits(|rule| rule.expires = Some(Timestamp::from_millis(1_795_000_000_001))));
    assert!(!hits(|rule| rule.expires = Some(Timestamp::from_millis(1_795_000_000_000))), "it has ended then");
}

#[test]
fn a_hit_says_why_and_what_it_found_and_where() {
    let said = said_by(&[rule("comment.text.inList('coins')")], &[], &full());
    let [Evaluated { id, outcome: Outcome::Hit { evidence, spans, .. }, .. }] = said.outcomes.as_slice() else {
        panic!("{said:?}")
    };
    assert_eq!((id.as_ref(), evidence.as_str()), ("rule:it", "Because. On the list `coins`: `bitcoin`, `doge coin`."));
    let fields: Vec<Field> = spans.iter().map(|span| span.field).collect();
    assert_eq!(fields, [Field::Body, Field::AuthorName]);
    assert_eq!((spans[0].start, spans[0].end), (7, 14), "within the markup");
}

#[test]
fn what_rules_do_is_told_apart_and_shadow_does_nothing() {
    let full_then = Then {
        category: Some(Category::Abuse),
        weight: Some(LogOdds::of(1.5)),
        action: Some(Action::Hold),
        tags: vec!["coins".to_owned()],
        queue: Some("finance".to_owned()),
    };
    let live = RuleConfig { then: full_then, ..rule("true") };
    let said = said_by(std::slice::from_ref(&live), &[], &full());
    let ids = |causes: &[Cause]| causes.iter().map(|cause| cause.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&said.marks.labels), ["tag:coins", "queue:finance"]);
    let [(cause, Action::Hold, Some(Category::Abuse))] = said.marks.floors.as_slice() else { panic!("{said:?}") };
    assert_eq!((cause.id.as_str(), cause.text.as_str()), ("rule:it", "Because."));
    assert_eq!((said.outcomes[0].category, said.outcomes[0].counted()), (Category::Abuse, LogOdds::of(1.5)));
    let shadow = said_by(&[RuleConfig { mode: Mode::Shadow, ..live }], &[], &full());
    assert_eq!((&shadow.marks, shadow.outcomes[0].counted()), (Marks::NONE, LogOdds::ZERO));
    let Outcome::Hit { evidence, .. } = &shadow.outcomes[0].outcome else { panic!("{shadow:?}") };
    let would = "Because. Live, it would hold the comment, hold it for the queue `finance`, tag it `coins`.";
    assert_eq!(evidence, would);
    let approve = Then { action: Some(Action::Approve), ..Then::default() };
    let said = said_by(&[RuleConfig { then: approve, ..rule("true") }], &[], &full());
    assert_eq!((ids(&said.marks.approvals), said.marks.floors.len()), (vec!["rule:it".to_owned()], 0));
}

#[test]
fn what_the_settings_and_the_manual_show_reaches_a_reader_of_whom_the_site_says_nothing() {
    for shown in [include_str!("../../../config.toml"), include_str!("../../../docs/rules.md")] {
        let written = shown.split_once("when = '").and_then(|(_, rest)| rest.split_once('\'')).expect("an example").0;
        assert_eq!(truth(written, &Case::new("buy bitcoin").by_nobody()), Ok(Some(true)), "{written}");
    }
}

#[test]
fn padding_with_listed_words_hides_none() {
    let lists = || {
        let words: String = (0..300).map(|number| format!("w{number}x\n")).collect();
        let text = format!("{words}an\nbad\n");
        Lists::read(vec![ListText { name: "words".to_owned(), kind: Kind::Words, text }]).expect("valid")
    };
    let truth = |when: &str, body: &str| {
        let rules = Rules::new(&[rule(when)], lists()).unwrap_or_else(|error| panic!("{error}"));
        outcome(&said_of(&rules, &[], &Case::new(body)))
    };
    let too_many = || Err("too many places to look at".to_owned());
    let inside = "banana".repeat(6_000); // holds an entry in no place where a word may begin
    for when in ["comment.text.inList('words')", "'bad' in lists.words", "lists.words.size() == 0"] {
        assert_eq!(truth(when, &format!("{inside} bad")), too_many(), "{when}");
    }
    assert_eq!(truth("comment.text.inList('words')", &format!("bad {inside}")), Ok(Some(true)));
    assert_eq!(truth("'bad' in lists.words", &format!("bad {inside}")), Ok(Some(true)));
    let repeated = format!("{} bad", "an ".repeat(1_000));
    assert_eq!(truth("'bad' in lists.words && lists.words.size() == 2", &repeated), Ok(Some(true)));
    let every: String = (0..300).map(|number| format!("w{number}x ")).collect();
    assert_eq!(truth("'bad' in lists.words", &format!("{every} bad")), too_many());
    assert_eq!(truth("lists.words.exists(entry, entry == 'w0x')", &every), Ok(Some(true)));
}

#[test]
fn links_beyond_those_looked_at_are_not_taken_for_good_ones() {
    let padding: String = (0..600).map(|number| format!("http://good.example/{number} ")).collect();
    let behind = Case::new(&format!("{padding} http://pills.example/"));
    for when in
        ["links.exists(l, l.host == 'pills.example')", "links.all(l, l.host == 'good.example')", "links.size() > 0"]
    {
        assert_eq!(truth(when, &behind), Err("too many links to look at".to_owned()), "{when}");
    }
    assert_eq!(truth("'pills.example' in lists.pills", &behind), Err("too many places to look at".to_owned()));
    let before = Case::new(&format!("http://pills.example/ {padding}"));
    for (when, expected) in [
        ("links.exists(l, l.host == 'pills.example')", true),
        ("links.all(l, l.host == 'good.example')", false),
        ("'pills.example' in lists.pills", true),
        ("comment.links == 601", true),
    ] {
        assert_eq!(self::truth(when, &before), Ok(Some(expected)), "{when}");
    }
}

#[test]
fn rules_say_what_the_language_says() {
    let case = Case::new("five words are in it").sent(|draft| draft.format = Some(Format::Text));
    for when in [
        "comment.words + 2 * 3 == 11",
        "comment.words - 1 - 1 == 3",
        "(comment.words + 2) * 3 % 5 == 1",
        "comment.words / 2 == 2 && -comment.words / 2 == -2 && -comment.words % 2 == -1",
        "comment.words > 3 && comment.words >= 5 && !(comment.words < 5) && comment.words <= 5",
        "comment.words > 5 || comment.text.contains('words') && comment.words != 4",
        "comment.text.startsWith('five') ? comment.words == 5 : comment.words == 6",
        "comment.words in [1, 3, 5]",
        "comment.text in ['five', 'words']",
        "[1, 2, 3].exists(x, x == comment.words - 2)",
        "[1, 2, 3].all(x, x < comment.words) && [5, 6].exists_one(x, x == comment.words)",
        "[1, 2, 3].filter(x, x > 1).size() == 2 && [1, 2].map(x, x * 2).exists(y, y == 4)",
        "comment.text.size() == 20 && size('äöü') == 3 && comment.text < 'six'",
        "1.5 + 2.5 == 4.0 && 7.0 / 2.0 == 3.5 && double(comment.words) == 5.0",
        "'a\\'b' == \"a'b\" && r'\\d' != 'd' && 0x10 == 16 && 1e3 == 1000.0",
    ] {
        let program = cel::Program::compile(when).expect(when);
        let mut context = cel::Context::default();
        let comment: std::collections::HashMap<String, cel::Value> = [
            ("words".to_owned(), cel::Value::from(5_i64)),
            ("text".to_owned(), cel::Value::from("five words are in it")),
        ]
        .into();
        context.add_variable_from_value("comment", comment);
        let theirs = matches!(program.execute(&context), Ok(cel::Value::Bool(true)));
        assert_eq!(truth(when, &case), Ok(Some(theirs)), "{when}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_written_is_a_rule_or_refused_within_it(parts in prop::collection::vec(prop::sample::select(&[
        "comment", ".", "text", "words", "links", "(", ")", "[", "]", "exists", "l", ",", "&&", "||", "!", "==", "<", "-", "1", "1.5", "'x'", "\"",
        "in", "?", ":", "signals", "hit", "size", "matches", "{", "}", "has", "\n", " ", "true", "ä", "'", "\\", "//", "lists", "coins", "inList", "null",
    ][..]), 0..16)) {
        let when = parts.concat();
        if let Err(bad) = Rules::new(&[rule(&when)], lists()) {
            let (_, _, at) = bad.at.expect("an expression is refused with its place");
            prop_assert!(when.is_char_boundary(at), "{when:?}: {bad}");
        }
    }
}
