//! A backtest says what a service under the candidate would have said: the same comments, decisions and sanctions, at the same moments.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use doorward::app::backtest::{Ask, Fate, Report};
use doorward::app::limits::local::{Key, OnLimit};
use doorward::config::Config;
use doorward::domain::campaign::Later;
use doorward::domain::policy::Moderation;
use doorward::domain::rules::ListConfig;
use doorward::domain::rules::lists::Kind;
use doorward::domain::scores::LogOdds;
use doorward::domain::store::Store;
use doorward::domain::time::Timestamp;
use doorward::startup;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{START_MS, TestApp, doubtful, ordinary, read, talk};

const HEADLINE: &str = "Local Startup Claims Its Battery Charges in Ninety Seconds";

/// What happens, whoever answers.
pub(crate) enum Step {
    Later(i64),
    Comment(&'static str, Value),
    Edit(Value),
    /// Comments by id, what people decide, and what the decision is called.
    Decide(Vec<String>, &'static str, &'static str),
    Undo(&'static str),
    /// About the campaign of a comment.
    DecideCampaign(String, Value, &'static str),
    Sanction(&'static str, Value),
    Lift(&'static str, bool),
}

/// What was said of a revision: fate, and scores by category; none when it was refused.
type Said = BTreeMap<(String, u32), (Fate, Option<Value>)>;

/// A service that remembers how things are called there.
pub(crate) struct Played {
    pub(crate) app: TestApp,
    other_key: String,
    said: Said,
    named: BTreeMap<&'static str, Value>,
    conflicts: u32,
}

fn fate(answer: &Value) -> Fate {
    match answer["verdict"]["action"].as_str().unwrap() {
        "approve" => Fate::Approve,
        "hold" => Fate::Hold,
        "reject" => Fate::Reject,
        other => panic!("{other}"),
    }
}

impl Played {
    pub(crate) async fn spawn(change: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::spawn_with(change).await;
        let other_key = app.another_site("blog").await;
        Self { app, other_key, said: Said::new(), named: BTreeMap::new(), conflicts: 0 }
    }

    /// The comment as it is now; `None` when it was refused.
    async fn now(&self, id: &str) -> Option<Value> {
        let key = if id.starts_with("blog") { &self.other_key } else { &self.app.key };
        let answer = self.app.request(Method::GET, &format!("/v1/comments/{id}"), key).send().await.unwrap();
        if answer.status() == 404 { None } else { Some(read(answer, &[200]).await) }
    }

    fn hear(&mut self, id: &str, revision: u32, answer: &Value) {
        self.said.insert((id.to_owned(), revision), (fate(answer), Some(answer["verdict"]["scores"].clone())));
    }

    pub(crate) async fn play(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step).await;
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Later(ms) => self.app.clock.advance_ms(*ms),
            Step::Comment(site, body) => {
                let key = if *site == "blog" { self.other_key.clone() } else { self.app.key.clone() };
                let answer = self.app.request(Method::POST, "/v1/comments", &key).json(body).send().await.unwrap();
                let id = body["id"].as_str().unwrap();
                if answer.status() == 429 {
                    self.said.insert((id.to_owned(), 1), (Fate::Refuse, None));
                } else {
                    let answer = read(answer, &[201]).await;
                    self.hear(id, 1, &answer);
                }
            }
            Step::Edit(body) => {
                let id = body["id"].as_str().unwrap();
                let path = format!("/v1/comments/{id}");
                let answer = self.app.request(Method::PUT, &path, &self.app.key).json(body).send().await.unwrap();
                let answer = read(answer, &[200]).await;
                let revision = u32::try_from(answer["revision"].as_u64().unwrap()).unwrap();
                self.hear(id, revision, &answer);
            }
            Step::Decide(ids, action, name) => {
                let mut items = Vec::new();
                for id in ids {
                    if let Some(now) = self.now(id).await {
                        items.push(json!({"uid": now["uid"], "seen_version": now["version"]}));
                    }
                }
                let ask = json!({"items": items, "action": action, "category": "spam"});
                let decided = self.app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
                self.named.insert(name, decided["decision"].clone());
            }
            Step::Undo(name) => {
                let path = format!("/v1/decisions/{}/undo", self.named[name].as_str().unwrap());
                let answer = self.app.request(Method::POST, &path, &self.app.token).json(&json!({})).send().await;
                self.conflicts += u32::from(answer.unwrap().status() != 200);
            }
            Step::DecideCampaign(member, ask, name) => {
                let uid = self.now(member).await.unwrap()["uid"].clone();
                let campaign = self.campaign_of(&uid).await;
                let mut ask = ask.clone();
                ask["seen_size"] = campaign["size"].clone();
                let path = format!("/v1/campaigns/{}/decisions", campaign["id"].as_str().unwrap());
                let decided = self.app.review(Method::POST, &path, Some(&ask)).await;
                self.named.insert(name, decided["decision"].clone());
            }
            Step::Sanction(name, order) => {
                let answer =
                    self.app.request(Method::POST, "/v1/sanctions", &self.app.token).json(order).send().await.unwrap();
                self.named.insert(name, read(answer, &[201]).await["id"].clone());
            }
            Step::Lift(name, undo) => {
                let path = format!("/v1/sanctions/{}?undo={undo}", self.named[name].as_str().unwrap());
                self.app.review(Method::DELETE, &path, None).await;
            }
        }
    }

    async fn campaign_of(&self, uid: &Value) -> Value {
        let campaigns = self.app.review(Method::GET, "/v1/campaigns", None).await;
        for campaign in campaigns["items"].as_array().unwrap() {
            let path = format!("/v1/campaigns/{}?limit=500", campaign["id"].as_str().unwrap());
            let whole = self.app.review(Method::GET, &path, None).await;
            let members = whole["members"].as_array().unwrap();
            if members.iter().any(|member| member["comment"]["uid"] == *uid) {
                return campaign.clone();
            }
        }
        panic!("no campaign of {uid}: {campaigns}");
    }
}

/// Under its own page, by its own author.
fn under(id: &str, body: &str) -> Value {
    json!({
        "id": id, "body": body, "author": {"id": format!("u-{id}"), "name": "Ann"},
        "article": {"id": format!("page-{}", id.len() % 3), "title": "Council debates the harbour bridge", "text": "The council debated the harbour bridge and its traffic on Tuesday.", "section": "city", "lang": "en"},
    })
}

fn by(mut comment: Value, author: Value) -> Value {
    comment["author"] = author;
    comment
}

/// Three hundred comments of many kinds, and what people did meanwhile.
#[expect(clippy::too_many_lines, reason = "a story is told in one go")]
pub(crate) fn story() -> Vec<Step> {
    use Step::{Comment, Decide, DecideCampaign, Edit, Later, Lift, Sanction, Undo};
    let mut steps = Vec::new();
    let author =
        |name: &str| json!({"id": name, "name": name, "email": format!("{name}@mail.example"), "ip": "203.0.113.7"});
    let ban = |kind: &str, value: &str, measure: &str| json!({"site": "news", "target": {"kind": kind, "value": value}, "measure": measure, "cause": "advertising"});
    // Ordinary talk, some of it by people who come again, some in answer to others, some at the same moment.
    for at in 0..100 {
        let mut comment = ordinary(&format!("o-{at}"));
        if at % 3 == 0 {
            comment = by(comment, author(&format!("regular-{}", at % 4)));
        }
        if at % 7 == 5 {
            comment["parent_id"] = json!(format!("o-{}", at - 3));
        }
        if at % 11 == 4 {
            comment["article"] = json!({"id": "lanes"});
        }
        steps.push(Comment("news", comment));
        steps.push(Later([0, 1, 40_000, 700_000][at % 4]));
    }
    // What is held or rejected for what it says, and what people make of it.
    for at in 0..30 {
        steps.push(Comment("news", by(doubtful(&format!("d-{at}")), author(&format!("seller-{}", at % 5)))));
        steps.push(Later(30_000));
    }
    let ids = |prefix: &str, of: std::ops::Range<u32>| of.map(|at| format!("{prefix}-{at}")).collect::<Vec<_>>();
    steps.push(Decide(ids("d", 0..10), "reject", "first"));
    steps.push(Later(1_000));
    steps.push(Decide(ids("d", 10..16), "approve", "second"));
    steps.push(Later(1_000));
    steps.push(Decide(vec!["o-3".to_owned(), "o-6".to_owned(), "o-9".to_owned()], "reject", "third"));
    steps.push(Later(60_000));
    for at in 0..10 {
        steps.push(Comment("news", by(ordinary(&format!("n-{at}")), author(&format!("seller-{}", at % 5)))));
        steps.push(Later(50_000));
    }
    steps.push(Undo("first"));
    steps.push(Later(5));
    steps.push(Undo("third"));
    steps.push(Later(60_000));
    for at in 10..20 {
        steps.push(Comment("news", by(ordinary(&format!("n-{at}")), author(&format!("seller-{}", at % 5)))));
        steps.push(Later(20_000));
    }
    // One story told again and again, on two sites, with links that change.
    let forms = [
        HEADLINE.to_owned(),
        format!("{HEADLINE} http://battery-news.example/story"),
        format!("\u{1f680} {} \u{1f525}", HEADLINE.to_uppercase()),
        "Local startup claims its new battery charges in only ninety seconds".to_owned(),
        format!("{} Read http://battery-news.example/story?id=7 now", talk("filler")),
    ];
    for at in 0..25 {
        let site = if at % 4 == 3 { "blog" } else { "news" };
        steps.push(Comment(site, under(&format!("{site}-s-{at}"), &forms[at % forms.len()])));
        steps.push(Later(45_000));
        if at == 9 {
            let ask = json!({"action": "reject", "category": "spam"});
            steps.push(DecideCampaign("news-s-0".to_owned(), ask, "campaign"));
            steps.push(Later(45_000));
        }
    }
    // The same words by many, links to one place, and mark-up.
    for at in 0..20 {
        let body = match at % 4 {
            0 => format!("{} http://shop.example/{}", talk(&format!("w-{at}")), at % 3),
            1 => "My cousin was there too and says that it was the best day of the whole summer".to_owned(),
            2 => format!("<p>{} <a href='https://shop.example/'>here</a></p>", talk(&format!("w-{at}"))),
            _ => format!("I WANT THIS NOW {}", talk("same")),
        };
        let mut comment = under(&format!("w-{at}"), &body);
        comment["format"] = json!(if at % 4 == 2 { "html" } else { "text" });
        steps.push(Comment("news", comment));
        steps.push(Later(15_000));
    }
    // One who writes faster than people do, and an address that is refused under narrower limits.
    for at in 0..15 {
        steps.push(Comment("news", by(ordinary(&format!("f-{at}")), author("flood"))));
        steps.push(Later(900));
    }
    for at in 0..12 {
        let from = json!({"name": "nobody", "ip": "198.51.100.9"});
        steps.push(Comment("news", by(ordinary(&format!("i-{at}")), from)));
        steps.push(Later(1_200));
    }
    steps.push(Decide(ids("i", 0..12), "approve", "perhaps refused"));
    steps.push(Later(120_000));
    // Sanctions: a ban that is lifted with what it did, one that stays, and one of a host that makes people look.
    steps.push(Sanction("ban", ban("author", "regular-0", "ban")));
    steps.push(Later(10));
    steps.push(Sanction("host", ban("host", "shop.example", "premoderate")));
    steps.push(Later(10));
    for at in 0..16 {
        let comment = match at % 4 {
            0 | 1 => by(ordinary(&format!("b-{at}")), author(&format!("regular-{}", at % 2))),
            2 => under(&format!("b-{at}"), &format!("{} https://shop.example/x", talk(&format!("b-{at}")))),
            _ => by(doubtful(&format!("b-{at}")), author("regular-0")),
        };
        steps.push(Comment("news", comment));
        steps.push(Later(25_000));
    }
    steps.push(Lift("ban", true));
    steps.push(Later(10));
    steps.push(Sanction("allow", ban("author", "seller-1", "allow")));
    steps.push(Later(10));
    for at in 16..32 {
        let comment = match at % 4 {
            0 | 1 => by(ordinary(&format!("b-{at}")), author(&format!("regular-{}", at % 4))),
            2 => under(&format!("b-{at}"), &format!("{} https://shop.example/y", talk(&format!("b-{at}")))),
            _ => by(doubtful(&format!("b-{at}")), author("seller-1")),
        };
        steps.push(Comment("news", comment));
        steps.push(Later(25_000));
    }
    steps.push(Lift("host", false));
    steps.push(Later(10));
    // Edits, one of which comes after a person decided.
    for at in 0..8 {
        let mut comment = ordinary(&format!("o-{}", at * 5));
        comment["body"] = json!(format!("{} buy viagra http://pills.example/", talk(&format!("edit-{at}"))));
        if at % 2 == 0 {
            comment["body"] = json!(talk(&format!("edit-{at}")));
        }
        if (at * 5) % 3 == 0 {
            comment = by(comment, author(&format!("regular-{}", (at * 5) % 4)));
        }
        steps.push(Edit(comment));
        steps.push(Later(30_000));
    }
    // Days later, much of it once more.
    steps.push(Later(3 * 86_400_000));
    for at in 0..40 {
        let comment = match at % 5 {
            0 => by(ordinary(&format!("l-{at}")), author(&format!("regular-{}", at % 4))),
            1 => under(&format!("l-{at}"), &forms[at % forms.len()]),
            2 => by(doubtful(&format!("l-{at}")), author(&format!("seller-{}", at % 5))),
            3 => under(
                &format!("l-{at}"),
                "My cousin was there too and says that it was the best day of the whole summer",
            ),
            _ => ordinary(&format!("l-{at}")),
        };
        steps.push(Comment("news", comment));
        steps.push(Later(200_000));
        if at % 10 == 7 {
            let (action, name) = if at == 17 { ("reject", "late no") } else { ("approve", "late yes") };
            steps.push(Decide(vec![format!("l-{at}"), format!("l-{}", at - 5)], action, name));
            steps.push(Later(1_000));
        }
    }
    steps
}

/// As the service was when the comments came.
pub(crate) fn old(config: &mut Config) {
    config.learning.enabled = false; // what sites learn, they learn when there is time: a replay cannot know when
}

/// Of the comment alone, of what is known of its author by then, and of one site alone.
const RULES: &str = r#"
[[rules]]
name = "newcomers-with-links"
when = 'links.size() > 0 && history.author.approved < 2'
then = { weight = 0.7, category = "spam" }
reason = "Newcomers place links."
[[rules]]
name = "batteries"
when = 'comment.folded.contains("battery-news")'
then = { action = "hold", category = "off-topic" }
reason = "Batteries are talked about elsewhere."
sites = ["blog"]
[[rules]]
name = "meals"
when = 'comment.text.inList("meals")'
then = { action = "hold", category = "off-topic", weight = 3.0 }
reason = "Meals are talked about elsewhere."
[sites.blog.signals.link_count]
weight = 4.0
"#;

/// Changed in every way that makes a difference.
fn new(config: &mut Config) {
    old(config);
    config.policy.spam.hold = doorward::domain::scores::Score::new(0.3).unwrap();
    config.signals.link_count.max_hosts = 0;
    config.signals.link_count.weight = LogOdds::of(2.5);
    config.signals.duplicate_text.elsewhere_weight = LogOdds::of(4.0);
    config.campaigns.rejected = Later::Reject;
    config.trust.known_approved = 3;
    config.trust.known_days = 0;
    config.moderation.sites.insert(
        "blog".to_owned(),
        doorward::app::house::SiteModeration { mode: Some(Moderation::FirstComment), ..Default::default() },
    );
    let meals = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("meals-{}.txt", std::process::id()));
    std::fs::write(&meals, "dumpling\nnoodle # with an egg\n").unwrap();
    config.lists.insert("meals".to_owned(), ListConfig { file: meals, kind: Kind::Words });
    let rules = Config::parse(RULES, "").unwrap();
    (config.rules, config.sites) = (rules.rules, rules.sites);
    for policy in &mut config.limits.policies {
        if policy.key == Key::Author && policy.on_limit == OnLimit::Hold {
            policy.quota = 4.try_into().unwrap();
        }
        if policy.name == "per-ip" {
            policy.quota = 5.try_into().unwrap();
            policy.on_limit = OnLimit::Refuse;
        }
    }
}

fn candidate(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config.check().unwrap();
    config
}

fn ask(since: i64, until: Timestamp) -> Ask {
    let start = Timestamp::from_millis(START_MS);
    Ask {
        since: Timestamp::from_millis(since),
        until,
        site: None,
        recalled_since: start,
        authors_since: start,
        author_depth: 50,
        listed: 10_000,
        listed_each: None,
        console: String::new(),
    }
}

async fn backtest(store: &Arc<dyn Store>, candidate: &Config, ask: Ask) -> Report {
    let folder = tempfile::tempdir().unwrap();
    Box::pin(startup::backtest(store, candidate, folder.path(), false, ask, &mut |_| {})).await.unwrap()
}

/// As reports write it.
fn scores(before: &Value, after: &Value) -> Vec<String> {
    let differ = ["spam", "off-topic", "abuse"].into_iter().filter_map(|category| {
        let (from, to) = (before[category].as_f64().unwrap(), after[category].as_f64().unwrap());
        ((from - to).abs() >= 0.000_5).then(|| format!("{category} {from:.3} to {to:.3}"))
    });
    differ.collect()
}

/// What became otherwise: from what to what, and by which scores.
type Otherwise = BTreeMap<(String, u32), (Fate, Fate, Vec<String>)>;

/// What differs between two services to which the same was posted.
fn differing(recorded: &Said, again: &Said) -> Otherwise {
    let mut expected = BTreeMap::new();
    for (key, (before, old_scores)) in recorded {
        let (after, new_scores) = &again[key];
        if before != after {
            let scores = new_scores.as_ref().map_or_else(Vec::new, |new| scores(old_scores.as_ref().unwrap(), new));
            expected.insert(key.clone(), (*before, *after, scores));
        }
    }
    expected
}

/// Whether a report lists that, and nothing else.
fn assert_flips(report: &Report, expected: &Otherwise) {
    let found: Otherwise = report
        .flips
        .listed
        .iter()
        .map(|flip| {
            let is_score = |why: &String| ["spam 0", "off-topic 0", "abuse 0"].iter().any(|name| why.starts_with(name));
            let scores = flip.why.iter().map(ToString::to_string).filter(is_score).collect();
            ((flip.id.clone(), flip.revision), (flip.before, flip.after, scores))
        })
        .collect();
    for (key, expected) in expected {
        assert_eq!(found.get(key), Some(expected), "{key:?}");
    }
    let unexpected: Vec<_> = found.iter().filter(|(key, _)| !expected.contains_key(*key)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flips_are_those_of_posting_everything_again_under_the_candidate() {
    let steps = story();
    let (mut recorded, mut again) = (Played::spawn(old).await, Played::spawn(new).await);
    recorded.play(&steps).await;
    again.play(&steps).await;
    let until = recorded.app.now();
    let report = backtest(&recorded.app.store, &candidate(new), ask(START_MS, until)).await;

    assert!(recorded.said.len() > 290, "{} comments", recorded.said.len());
    assert_flips(&report, &differing(&recorded.said, &again.said));
    // The story is worth the trouble: every kind of change is in it.
    for kind in ["approve to hold", "hold to reject", "approve to refuse"] {
        assert!(report.flips.kinds.contains_key(kind), "{:?}", report.flips.kinds);
    }
    for rule in ["rule:newcomers-with-links", "rule:batteries", "rule:meals"] {
        let told = report.flips.listed.iter().any(|flip| flip.why.iter().any(|why| why.to_string().contains(rule)));
        assert!(told, "nothing is otherwise because of {rule}");
    }
    let count = |fate: Fate| u32::try_from(again.said.values().filter(|(said, _)| *said == fate).count()).unwrap();
    let after = &report.after;
    let told = [after.approved.n, after.held.n, after.rejected.n, after.refused.n];
    assert_eq!(told, [Fate::Approve, Fate::Hold, Fate::Reject, Fate::Refuse].map(count));
    assert_eq!(report.judged as usize, recorded.said.len());
    assert!(report.decided > 20 && report.recalled == 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_flips_under_the_settings_of_the_time_wherever_judging_begins() {
    let mut recorded = Played::spawn(old).await;
    let steps = story();
    recorded.play(&steps).await;
    let until = recorded.app.now();
    let whole = backtest(&recorded.app.store, &candidate(old), ask(START_MS, until)).await;
    assert_eq!(whole.flips.listed, []);
    assert_eq!(whole.before, whole.after);
    // What came before is recalled, not judged: the rest meets the same past.
    let all: i64 = steps.iter().map(|step| if let Step::Later(ms) = step { *ms } else { 0 }).sum();
    for part in [1, 2, 3, 5] {
        let since = START_MS + (all - 3 * 86_400_000) * part / 6;
        let rest = backtest(&recorded.app.store, &candidate(old), ask(since, until)).await;
        assert_eq!(rest.flips.listed, [], "from part {part} on");
        assert!(rest.recalled > 20 && rest.judged >= 40, "{} recalled, {} judged", rest.recalled, rest.judged);
    }
}

/// A site on which first comments wait, and people who come again after a season: nothing of theirs is recalled but what became of it.
fn seasons() -> Vec<Step> {
    use Step::{Comment, Decide, Later};
    let author = |n: usize| json!({"id": format!("regular-{n}"), "name": format!("Regular {n}")});
    let mut steps = Vec::new();
    for n in 0..8 {
        steps.push(Comment("news", by(ordinary(&format!("first-{n}")), author(n))));
        steps.push(Later(60_000));
    }
    let ids = |range: std::ops::Range<usize>| range.map(|n| format!("first-{n}")).collect::<Vec<_>>();
    steps.push(Decide(ids(0..4), "approve", "welcome"));
    steps.push(Decide(ids(4..6), "reject", "unwelcome"));
    steps.push(Later(90 * 86_400_000));
    for n in 0..20 {
        let mut comment = by(ordinary(&format!("again-{n}")), author(n % 10));
        if n % 3 == 1 {
            comment["body"] = json!(format!("{} http://shop.example/{n}", talk(&format!("again-{n}"))));
        }
        steps.push(Comment("news", comment));
        steps.push(Later(60_000));
        if n == 9 {
            steps.push(Decide(vec!["again-8".to_owned()], "approve", "new here"));
            steps.push(Later(1_000));
        }
    }
    steps
}

fn first_comments(config: &mut Config) {
    old(config);
    config.moderation.mode = Moderation::FirstComment;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authors_are_known_by_what_they_wrote_long_before_the_first_comment_that_is_recalled() {
    let mut recorded = Played::spawn(first_comments).await;
    recorded.play(&seasons()).await;
    let (store, until) = (&recorded.app.store, recorded.app.now());
    let settings = candidate(first_comments);
    let late = ask(START_MS + 80 * 86_400_000, until);
    let whole = startup::ask(&settings, late.since, until, "");
    assert!(whole.recalled_since > Timestamp::from_millis(START_MS + 86_400_000), "the season before is not recalled");
    assert!(whole.authors_since < Timestamp::from_millis(START_MS), "but its authors are");
    let report = backtest(store, &settings, whole.clone()).await;
    assert_eq!((report.flips.listed, report.judged, report.recalled), (Vec::new(), 20, 0));
    let (approved, held) = (report.after.approved.n, report.after.held.n);
    assert!(approved >= 6 && held >= 6, "{approved} approved, {held} held: both happen");
    // Whoever does not know them holds what they write.
    let strangers = Ask { authors_since: whole.recalled_since, ..whole };
    let report = backtest(store, &settings, strangers).await;
    assert!(report.flips.kinds.get("approve to hold").is_some_and(|count| *count >= 4), "{:?}", report.flips.kinds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flips_are_the_same_whichever_database_the_comments_were_recorded_in() {
    let Some(url) = a_schema().await else { return };
    let steps = story();
    let on_postgres = |config: &mut Config| {
        old(config);
        config.database.url = url.clone();
        config.database.connections = 6;
    };
    let (mut recorded, mut again) = (Played::spawn(on_postgres).await, Played::spawn(new).await);
    recorded.play(&steps).await;
    again.play(&steps).await;
    let until = recorded.app.now();
    let report = backtest(&recorded.app.store, &candidate(new), ask(START_MS, until)).await;
    let expected = differing(&recorded.said, &again.said);
    assert!(expected.len() > 30, "{} verdicts differ", expected.len());
    assert_flips(&report, &expected);
    let same = backtest(&recorded.app.store, &candidate(old), ask(START_MS + 4 * 3_600_000, until)).await;
    assert!(same.flips.listed.is_empty() && same.recalled > 20, "{:?}", same.flips.listed);
}

/// A schema of this test's own in a PostgreSQL database; `None`, loudly, where there is none and none is required.
#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "it says what it skips, and where the database is")]
async fn a_schema() -> Option<String> {
    let Some(url) = std::env::var("DOORWARD_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) else {
        let required = std::env::var("DOORWARD_POSTGRES").is_ok_and(|value| value == "required");
        assert!(!required, "DOORWARD_TEST_POSTGRES names no database, and one is required");
        eprintln!("SKIPPED: DOORWARD_TEST_POSTGRES names no PostgreSQL database to test on (scripts/test starts one)");
        return None;
    };
    let name = format!("backtest{}", std::process::id());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let driven = tokio::spawn(connection);
    let make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
    client.batch_execute(&make).await.unwrap();
    drop(client);
    driven.await.unwrap().unwrap();
    Some(format!("{url}?options=-csearch_path%3D{name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_site_is_told_about_and_what_it_shares_with_others_counts() {
    let mut recorded = Played::spawn(old).await;
    recorded.play(&story()).await;
    let until = recorded.app.now();
    let all = backtest(&recorded.app.store, &candidate(new), ask(START_MS, until)).await;
    let wanted = Ask { site: Some("blog".to_owned()), listed: 1, ..ask(START_MS, until) };
    let blog = backtest(&recorded.app.store, &candidate(new), wanted).await;
    let of_blog = all.flips.listed.iter().filter(|flip| flip.site == "blog").count();
    assert!(of_blog > 1 && blog.judged == 6, "{of_blog} of {}", blog.judged);
    assert_eq!((blog.flips.all.n as usize, blog.flips.listed.len()), (of_blog, 1));
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Ask { site: Some("nowhere".to_owned()), ..ask(START_MS, until) };
    let (settings, mut silent) = (candidate(new), |_| {});
    let refused = startup::backtest(&recorded.app.store, &settings, folder.path(), false, nowhere, &mut silent);
    assert!(format!("{:#}", Box::pin(refused).await.unwrap_err()).contains("there is no site `nowhere`"));
}

// The command line.

/// Settings over the service's database, and others to try.
pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn over(app: &TestApp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        let desk = Self { folder };
        let database = app.database().path().unwrap().to_owned();
        let server = "[server]\npublic_url = \"https://mod.example/\"\n";
        desk.write("config.toml", &format!("{server}[database]\nurl = \"sqlite:{database}\"\n"));
        desk
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Exit code, standard output, standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("--config").arg(self.folder.path().join("config.toml")).args(arguments);
        let output = command.current_dir(self.folder.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The same with the candidate on standard input.
    fn pipe(&self, candidate: &str, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("--config").arg(self.folder.path().join("config.toml")).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.current_dir(self.folder.path()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(candidate.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn backtest(&self, candidate: &str, more: &[&str]) -> (i32, String, String) {
        let always = ["backtest", "--candidate", candidate, "--since", "2026-11-24T00:00:00Z", "--scratch", "scratch"];
        self.run(&[&always, more].concat())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_flips_with_their_pages_and_ends_with_three_when_a_bound_is_broken() {
    let mut recorded = Played::spawn(old).await;
    recorded.play(&story()).await;
    let desk = Desk::over(&recorded.app);
    let strict = desk.write("strict.toml", "[policy.spam]\nhold = 0.03\n");
    let until = ["--until", "2026-12-24T00:00:00Z"];

    let (code, told, complaint) = desk.backtest(&strict, &[&until[..], &["--json"]].concat());
    assert_eq!(code, 0, "{complaint}");
    let report: Value = serde_json::from_str(&told).unwrap();
    let (flips, judged) = (&report["flips"], report["judged"].as_u64().unwrap());
    assert_eq!(usize::try_from(judged).unwrap(), recorded.said.len());
    assert!(flips["all"]["n"].as_u64().unwrap() > 0 && report["after"]["held"]["interval"][1].is_number(), "{report}");
    let link = flips["listed"][0]["link"].as_str().unwrap();
    assert_eq!(link, format!("https://mod.example/comments/{}", flips["listed"][0]["uid"].as_str().unwrap()));
    let found: Value = recorded.app.review(Method::GET, &format!("/v1{}/explanation", link_path(link)), None).await;
    assert_eq!(found["comment"]["id"], flips["listed"][0]["id"], "it names the recorded comment: {found}");

    let (code, told, complaint) = desk.backtest(&strict, &[&until[..], &["--max-flips", "0", "--list", "1"]].concat());
    assert_eq!(code, 3, "{complaint}");
    assert!(complaint.contains("verdicts differ, at most 0 wanted"), "{complaint}");
    assert!(
        told.contains("verdicts that differ: ") && told.contains(link) && told.contains(" more (--list)"),
        "{told}"
    );
    let kept = ["--max-hold-rate", "100%", "--min-recall", "0", "--site", "news"];
    assert_eq!(desk.backtest(&strict, &[&until[..], &kept].concat()).0, 0);

    let wrong = desk.write("wrong.toml", "[policy.spam]\nhodl = 0.1\n");
    let (code, _, complaint) = desk.backtest(&wrong, &until);
    assert!(code == 2 && complaint.contains("wrong.toml:2:1"), "{code}: {complaint}");
    assert_eq!(desk.backtest(&strict, &["--until", "yesterday"]).0, 2);
    let (code, _, complaint) = desk.backtest(&strict, &[&until[..], &["--site", "nowhere"]].concat());
    assert!(code == 1 && complaint.contains("there is no site `nowhere`"), "{code}: {complaint}");
    let left = std::fs::read_dir(desk.folder.path().join("scratch")).unwrap().count();
    assert_eq!(left, 0, "comments were left lying about");
    assert_eq!(recorded.app.comment(&ordinary("after")).await["status"], "approved", "the service goes on beside it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_may_come_through_a_pipe_and_names_files_beside_the_settings() {
    let mut recorded = Played::spawn(old).await;
    recorded.play(&seasons()[..8]).await;
    let desk = Desk::over(&recorded.app);
    desk.write("words.txt", "dumpling\n");
    let candidate = "[policy.spam]\nhold = 0.01\n[lists.meals]\nfile = \"words.txt\"\nkind = \"words\"\n";
    let file = desk.write("candidate.toml", candidate);
    let always =
        ["backtest", "--since", "2026-11-24T00:00:00Z", "--until", "2026-12-24T00:00:00Z", "--json", "--candidate"];
    let with = |named: &'static str| [&always[..], &[named]].concat();
    let flips = |told: &str| serde_json::from_str::<Value>(told).unwrap()["flips"].clone();
    let (code, told, complaint) = desk.run(&[&always[..], &[file.as_str()]].concat());
    assert_eq!(code, 0, "{complaint}");
    assert!(flips(&told)["all"]["n"].as_u64().unwrap() > 0, "{told}");
    let named = if cfg!(target_os = "linux") { vec!["-", "/dev/stdin"] } else { vec!["-"] };
    for name in named {
        let (code, piped, complaint) = desk.pipe(candidate, &with(name));
        assert_eq!((code, flips(&piped)), (0, flips(&told)), "{name}: {complaint}");
        let (code, _, complaint) = desk.pipe("[policy.spam]\nhodl = 1\n", &with(name));
        assert!(code == 2 && complaint.contains(&format!("{name}:2:1: unknown field `hodl`")), "{complaint}");
    }
    let (code, _, complaint) = desk.run(&with("/dev/zero"));
    assert!(code == 2 && complaint.contains("is no file"), "a device has no end: {complaint}");
}

/// `/comments/UID` as the API calls it.
fn link_path(link: &str) -> String {
    format!("/comments/by-uid/{}", link.rsplit('/').next().unwrap())
}
