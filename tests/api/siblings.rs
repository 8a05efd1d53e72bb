//! What readers said under an article is context for those who come after them, as long as it stands.

use std::sync::Arc;
use std::time::Duration;

use doorward::app::house::House;
use doorward::app::threads::Threads;
use doorward::domain::comment::{Bounds, Comment, Draft};
use doorward::domain::normalise::normalise;
use doorward::domain::siblings::Siblings;
use doorward::domain::site::{Scope, SiteId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, signal};

const SAID: [&str; 6] = [
    "The cycle lanes along the river were overdue, I ride to the station every day",
    "Two million for lanes and the parking spaces at the harbour are gone",
    "Shopkeepers complain, but cyclists are customers too",
    "The council should have asked the shops near the river first",
    "Finally a safe way to ride from the station to the harbour with children",
    "Forty parking spaces lost for a handful of cyclists, thank you council",
];
const ADVERT: &str = "Genuine leather handbags and replica watches shipped worldwide within three days, satisfaction guaranteed or money \
                      returned, designer brands, perfumes and sunglasses for ladies: http://bags.example/";

fn by(id: &str, body: &str) -> Value {
    json!({"id": id, "article": {"id": "lanes"}, "author": {"id": format!("u-{id}")}, "body": body})
}

/// The log-odds that `off-topic` adds to an advertisement, which is not stored; `None` when it adds nothing.
async fn off_topic(app: &TestApp, id: &str) -> Option<f64> {
    let answer = app.post("/v1/assess", &by(id, ADVERT)).await;
    let answer: Value = answer.json().await.unwrap();
    signal(&answer, "off-topic").and_then(|signal| signal["log_odds"].as_f64())
}

#[tokio::test]
async fn a_page_of_which_only_the_id_is_known_is_judged_by_what_stands_under_it() {
    let app = TestApp::spawn().await;
    assert_eq!(off_topic(&app, "x-0").await, None, "nothing to compare with");
    let mut said = Vec::new();
    for (number, body) in SAID.iter().enumerate() {
        let comment = app.comment(&by(&format!("c-{number}"), body)).await;
        assert_eq!(comment["status"], "approved", "{comment}");
        said.push(comment);
    }
    assert!(off_topic(&app, "x-1").await.is_some_and(|weight| weight > 2.0), "others talk about something else");
    let items: Vec<Value> =
        said[..3].iter().map(|comment| json!({"uid": comment["uid"], "seen_version": comment["version"]})).collect();
    let ruled = app
        .review(Method::POST, "/v1/decisions", Some(&json!({"items": items, "action": "reject", "category": "spam"})))
        .await;
    assert_eq!(off_topic(&app, "x-2").await, None, "what was rejected says nothing any more: {ruled}");
    let undo = format!("/v1/decisions/{}/undo", ruled["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, None).await;
    assert!(off_topic(&app, "x-3").await.is_some(), "it stands again");
    let key = app.another_key(&[Scope::Erase]).await;
    for number in 0..2 {
        let erased = app.request(Method::DELETE, &format!("/v1/comments/c-{number}"), &key).send().await.unwrap();
        assert_eq!(erased.status(), 204);
    }
    assert_eq!(off_topic(&app, "x-4").await, None, "erased");
}

#[tokio::test]
async fn one_author_does_not_become_the_subject_of_a_page() {
    let app = TestApp::spawn().await;
    for (number, body) in SAID.iter().enumerate() {
        let mut comment = by(&format!("c-{number}"), body);
        comment["author"]["id"] = json!("u-1");
        app.comment(&comment).await;
        app.clock.advance_ms(61_000);
    }
    assert_eq!(off_topic(&app, "x-1").await, None, "one voice is not enough");
}

#[tokio::test]
async fn one_authors_flood_does_not_push_the_others_out() {
    const WHO: [&str; 6] = ["My sister", "Our teacher", "A colleague", "The baker", "Somebody", "My uncle"];
    const DID: [&str; 5] =
        ["walked to the station", "took the ferry", "stayed at home", "rode to school", "missed the bus"];
    let app = TestApp::spawn().await;
    for (number, body) in SAID.iter().enumerate() {
        app.comment(&by(&format!("c-{number}"), body)).await;
    }
    let mut last = Value::Null;
    for number in 0..30 {
        let body = format!("{} {} on day {number}", WHO[number % 6], DID[number / 6]);
        let mut comment = by(&format!("f-{number}"), &body);
        comment["author"]["id"] = json!("u-flood");
        app.clock.advance_ms(1_200_000);
        last = app.comment(&comment).await;
        assert_eq!(last["status"], "approved", "{last}");
    }
    let items = json!([{"uid": last["uid"], "seen_version": last["version"]}]);
    let ruling = json!({"items": items, "action": "reject", "category": "spam"});
    app.review(Method::POST, "/v1/decisions", Some(&ruling)).await; // what stands there is read again
    assert!(off_topic(&app, "x-1").await.is_some(), "the others are still heard");
}

#[tokio::test]
async fn where_no_author_is_named_each_comment_speaks_for_itself() {
    let app = TestApp::spawn().await;
    for (number, body) in SAID.iter().enumerate() {
        let comment = json!({"id": format!("c-{number}"), "article": {"id": "lanes"}, "body": body});
        let comment = app.comment(&comment).await;
        assert_eq!(comment["status"], "approved", "{comment}");
    }
    assert!(off_topic(&app, "x-1").await.is_some());
}

#[tokio::test]
async fn a_link_to_the_page_itself_makes_nobody_a_stranger_with_a_link() {
    let app = TestApp::spawn().await;
    let rule = async |id: &str, link: &str| {
        let body = format!(
            "No creo que el puente est\u{e9} listo este a\u{f1}o, pero ya veremos qu\u{e9} pasa con los plazos {link}"
        );
        let article = json!({"id": "lanes", "url": "http://news.example/lanes", "lang": "en", "title": "Bridge closed until spring"});
        let comment = json!({"id": id, "article": article, "author": {"id": format!("u-{id}")}, "body": body});
        let answer: Value = app.post("/v1/assess", &comment).await.json().await.unwrap();
        answer.to_string().contains("stranger-in-another-language")
    };
    assert!(rule("x-1", "http://elsewhere.example/plan").await);
    assert!(!rule("x-2", "http://news.example/plan").await);
}

/// Another node over the same database, which hears only what it is told.
struct Elsewhere {
    threads: Threads,
    house: Arc<House>,
    asks: Comment,
}

impl Elsewhere {
    fn beside(app: &TestApp, site: SiteId) -> Self {
        let draft: Draft = serde_json::from_value(by("asks", "What do the shops near the river say now?")).unwrap();
        let asks = normalise(site, draft.parse(&Bounds::default()).unwrap(), false);
        Self { threads: Threads::new(Arc::clone(&app.state.store)), house: app.state.settings.current(), asks }
    }

    async fn around(&self) -> Option<Arc<Siblings>> {
        self.threads.around(&self.asks, &self.house).await.get().cloned()
    }

    /// What it remembers once it has heard of these.
    async fn hears(&self, app: &TestApp, comments: &[&Value], count: u32) -> Option<Arc<Siblings>> {
        let uid = |comment: &&Value| (self.asks.trace.article, comment["uid"].as_str().unwrap().parse().unwrap());
        self.threads.said_elsewhere(comments.iter().map(uid).collect());
        let heard = async {
            loop {
                match self.around().await {
                    Some(siblings) if siblings.count == count => return Some(siblings),
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::select! {
            never = self.threads.keep_hearing(&app.state.settings) => match never {},
            heard = tokio::time::timeout(Duration::from_mins(1), heard) => heard.expect("it is heard of"),
        }
    }
}

#[tokio::test]
async fn a_comment_that_another_node_took_is_read_by_itself_and_joins_what_is_remembered() {
    let app = TestApp::spawn().await;
    let say = async |number: usize| app.comment(&by(&format!("c-{number}"), SAID[number])).await;
    let first = say(0).await;
    say(1).await;
    let site = app.state.store.sites().await.unwrap()[0].id;
    let node = Elsewhere::beside(&app, site);
    assert_eq!(node.around().await.unwrap().count, 2);
    let third = say(2).await;
    assert_eq!(node.around().await.unwrap().count, 2, "nobody told it");
    let heard = node.hears(&app, &[&third, &third], 3).await;
    assert_eq!(heard, Elsewhere::beside(&app, site).around().await, "as if all had been read");
    // What is not approved any more does not join, and of what is forgotten nothing is remembered by halves.
    let (fourth, fifth) = (say(3).await, say(4).await);
    let items = json!([{"uid": fourth["uid"], "seen_version": fourth["version"]}]);
    app.review(Method::POST, "/v1/decisions", Some(&json!({"items": items, "action": "reject", "category": "spam"})))
        .await;
    node.hears(&app, &[&fourth, &fifth], 4).await;
    // It reads no more than what it hears of: an erased comment that it was not told of is still remembered.
    let key = app.another_key(&[Scope::Erase]).await;
    let erased = app.request(Method::DELETE, "/v1/comments/c-0", &key).send().await.unwrap();
    assert_eq!(erased.status(), 204, "{first}");
    let sixth = say(5).await;
    node.hears(&app, &[&sixth], 5).await;
    node.threads.said_elsewhere(vec![(node.asks.trace.article, sixth["uid"].as_str().unwrap().parse().unwrap())]);
    node.threads.changed_elsewhere(&[node.asks.trace.article]);
    assert_eq!(node.hears(&app, &[], 4).await, Elsewhere::beside(&app, site).around().await, "read anew");
}
