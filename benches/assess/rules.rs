//! What rules add to a comment: some and many of them, as operators write them, and long lists of words.
//!
//! All rules are asked, and nearly none hits, as it is in life. Each kind of rule is written with other numbers and words each time, so that no two are alike; what they name
//! is looked up once for all.

use std::hint::black_box;

use criterion::Criterion;
use doorward::app::house::House;
use doorward::domain::comment::Comment;
use doorward::domain::decision::Verdict;
use doorward::domain::policy::{Circumstances, Moderation};
use doorward::domain::relevance::Page;
use doorward::domain::rules::lists::{Kind, ListText, Lists};
use doorward::domain::rules::{Marks, RuleConfig, Rules, Subject, Then};
use doorward::domain::scores::LogOdds;
use doorward::domain::signal::{Allowance, Mode};

use super::parts::Setting;

/// Rule number `at`: one of ten kinds.
fn rule(at: usize) -> RuleConfig {
    let when = match at % 10 {
        0 => format!("comment.folded.contains(\"wave number {at}\") && history.author.approved == 0"),
        1 => {
            format!("links.exists(l, l.host == \"shop-{at}.example\") || author.email_domain == \"mail-{at}.example\"")
        }
        2 => format!("comment.words < {} && comment.links > {} && !author.staff", at % 7 + 2, at % 3 + 1),
        3 => {
            format!("author.role in [\"guest-{at}\", \"visitor-{at}\"] && comment.text.matches(\"(?i)code[ -]?{at}\")")
        }
        4 => {
            format!("scores.spam > 0.{} && signals.link_count.hit && article.section == \"section-{at}\"", at % 9 + 90)
        }
        5 => format!("now - author.registered_at < duration(\"{}m\") && comment.typing_ms < {}", at % 50 + 1, at + 500),
        6 => format!("history.text.comments > {} && history.text.rejected * 2 > history.text.comments", at % 40 + 5),
        7 => format!("author.name.startsWith(\"Seller {at}\") || author.host == \"seller-{at}.example\""),
        8 => format!(
            "comment.lang == \"x{at}\" || (has(author.user_agent) && author.user_agent.contains(\"Bot/{at}.\"))"
        ),
        _ => format!("links.filter(l, !l.own && l.domain_seen > {}).size() > 1 && comment.is_reply", at % 20),
    };
    RuleConfig {
        name: format!("rule-{at}"),
        when,
        then: Then {
            category: Some(doorward::domain::category::Category::Spam),
            weight: Some(LogOdds::of(1.0)),
            ..Then::default()
        },
        reason: "As measured.".to_owned(),
        sites: Vec::new(),
        expires: None,
        mode: Mode::Live,
    }
}

fn words(count: usize) -> Lists {
    // Of eight letters that differ from the first on, so that no beginning tells them all apart from the text.
    let letter = |at: usize, place: u32| char::from(b"etaoinshrdlucmfw"[(at.wrapping_mul(40_503) >> (2 * place)) % 16]);
    let word = |at: usize| (0..8).map(|place| letter(at + 1, place)).collect::<String>();
    let text: String = (0..count).map(|at| format!("{}{at}\n", word(at))).collect();
    Lists::read(vec![ListText { name: "words".to_owned(), kind: Kind::Words, text }]).expect("a list")
}

pub(crate) fn rules(criterion: &mut Criterion, house: &House, one: &Comment, page: &Page, verdict: &Verdict) {
    let setting = Setting::new(house, one, page);
    let context = setting.context();
    let about = Circumstances {
        moderation: Moderation::Post,
        role: None,
        author: &setting.past.author,
        allowance: &Allowance::Within,
        has_link: true,
        rules: Marks::NONE,
        hash: "0123456789abcdef",
    };
    let mut measure = |name: &str, rules: &Rules| {
        criterion.bench_function(name, |bench| {
            bench.iter(|| {
                let subject = Subject::new(&context, "news", &verdict.signals, &verdict.model, &house.policy, &about);
                black_box(rules.evaluate(&subject))
            });
        });
    };
    for count in [1, 50, 500, 5_000] {
        let configs: Vec<RuleConfig> = (0..count).map(rule).collect();
        match Rules::new(&configs, Lists::default()) {
            Ok(rules) => measure(&format!("rules: {count}"), &rules),
            Err(refused) => assert!(count > 500, "{refused}"), // as many as that cost too much together
        }
    }
    for count in [5_000, 100_000] {
        let named = RuleConfig { when: "comment.text.inList(\"words\")".to_owned(), ..rule(0) };
        let rules = Rules::new(&[named], words(count)).expect("a rule");
        measure(&format!("rules: a list of {count} words"), &rules);
    }
}
