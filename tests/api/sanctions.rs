use std::sync::Arc;

use doorward::app::clock::Clock as _;
use doorward::app::events::Events;
use doorward::app::sanctions::Sanctions;
use doorward::app::standing::Listeners;
use doorward::domain::comment::{Bounds, Draft};
use doorward::domain::known::Known;
use doorward::domain::normalise::normalise;
use doorward::domain::people::{Reach, Role};
use doorward::domain::site::SiteId;
use doorward::domain::store::Store;
use doorward::domain::time::Timestamp;
use doorward::storage::memory::history::{Config as HistoryConfig, MemoryHistory};
use doorward::storage::sqlite::SqliteStore;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read};

fn ban(kind: &str, value: &str) -> Value {
    json!({"site": "news", "target": {"kind": kind, "value": value}, "measure": "ban", "cause": "advertising"})
}

/// By somebody whom the test also knows by other things than a name.
fn by(id: &str, author: &str) -> Value {
    let mut comment = ordinary(id);
    comment["author"] =
        json!({"id": author, "name": "Anna", "email": format!("{author}@mail.example"), "ip": "203.0.113.77"});
    comment
}

async fn impose(app: &TestApp, body: &Value) -> Value {
    let answer = app.request(Method::POST, "/v1/sanctions", &app.token).json(body).send().await.unwrap();
    read(answer, &[201]).await
}

async fn refused(app: &TestApp, token: &str, body: &Value, status: u16) -> Value {
    let answer = app.request(Method::POST, "/v1/sanctions", token).json(body).send().await.unwrap();
    read(answer, &[status]).await
}

async fn lift(app: &TestApp, sanction: &Value, undo: bool) -> Value {
    let path = format!("/v1/sanctions/{}?undo={undo}", sanction["id"].as_str().unwrap());
    app.review(Method::DELETE, &path, None).await
}

async fn status(app: &TestApp, id: &str) -> Value {
    let answer = app.request(Method::GET, &format!("/v1/comments/{id}"), &app.key).send().await.unwrap();
    read(answer, &[200]).await["status"].clone()
}

#[tokio::test]
async fn a_ban_rejects_from_the_next_comment_on_and_its_undo_takes_that_back() {
    let app = TestApp::spawn().await;
    assert_eq!(app.comment(&by("c-1", "anna")).await["status"], "approved");
    let sanction = impose(&app, &ban("author", "anna")).await;
    assert_eq!((&sanction["active"], &sanction["target"]["hint"]), (&json!(true), &json!("an author")));
    let banned = app.comment(&by("c-2", "anna")).await;
    assert_eq!((&banned["status"], &banned["decided_by"]), (&json!("rejected"), &json!("rule")));
    let cause = &banned["verdict"]["causes"][0];
    assert_eq!(cause["id"], format!("sanction:{}", sanction["id"].as_str().unwrap()));
    assert!(cause["text"].as_str().unwrap().contains("advertising"), "{cause}");
    assert!(banned.get("shadow").is_none());
    let mut held = doubtful("c-3");
    held["author"]["id"] = json!("anna");
    assert_eq!(app.comment(&held).await["status"], "rejected");
    assert_eq!(app.comment(&by("c-4", "bert")).await["status"], "approved", "others are not touched");
    assert_eq!(status(&app, "c-1").await, "approved", "what was there stays");
    let assessed = read(app.post("/v1/assess", &by("c-9", "anna")).await, &[200]).await;
    assert_eq!(assessed["verdict"]["action"], "reject");

    let lifted = lift(&app, &sanction, true).await;
    assert_eq!((&lifted["active"], &lifted["lifted_by"]), (&json!(false), &json!("mod@example.org")));
    assert_eq!((lifted["restored"].as_array().unwrap().len(), &lifted["left_alone"]), (2, &json!([])));
    assert_eq!((status(&app, "c-2").await, status(&app, "c-3").await), (json!("approved"), json!("held")));
    let queue = app.review(Method::GET, "/v1/queue", None).await;
    assert!(queue["items"][0]["priority"].as_f64().unwrap() > 0.0, "it waits where it would have waited");
    assert_eq!(app.comment(&by("c-5", "anna")).await["status"], "approved");
    let path = format!("/v1/sanctions/{}", sanction["id"].as_str().unwrap());
    let again = app.request(Method::DELETE, &path, &app.token).send().await.unwrap();
    assert_eq!(read(again, &[409]).await["type"], "/problems/sanction-lifted");
}

#[tokio::test]
async fn lifting_one_ban_publishes_nothing_that_another_forbids() {
    let app = TestApp::spawn().await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let linking = |id: &str| {
        let mut comment = ordinary(id);
        comment["author"] = json!({"id": format!("u-{id}"), "url": "https://shop.example/"});
        comment
    };
    let everywhere = json!({"target": {"kind": "host", "value": "shop.example"}, "measure": "ban", "cause": "spam"});
    let lift_all = async |sanction: &Value| {
        let path = format!("/v1/sanctions/{}?undo=true", sanction["id"].as_str().unwrap());
        read(app.request(Method::DELETE, &path, &operator).send().await.unwrap(), &[200]).await
    };
    // In either order, whichever of the two decided the comment.
    let all = refused(&app, &operator, &everywhere, 201).await;
    let here = impose(&app, &ban("host", "shop.example")).await;
    let comment = app.comment(&linking("c-1")).await;
    assert_eq!(comment["status"], "rejected");
    let lifted = lift(&app, &here, true).await;
    assert_eq!((&lifted["restored"], &lifted["left_alone"]), (&json!([]), &json!([comment["uid"]])));
    assert_eq!(status(&app, "c-1").await, "rejected", "the ban on all sites is in force");
    assert_eq!(lift_all(&all).await["restored"], json!([comment["uid"]]));
    assert_eq!(status(&app, "c-1").await, "approved");

    let all = refused(&app, &operator, &everywhere, 201).await;
    let here = impose(&app, &ban("host", "shop.example")).await;
    app.comment(&linking("c-2")).await;
    lift_all(&all).await;
    assert_eq!(status(&app, "c-2").await, "rejected");
    lift(&app, &here, true).await;
    assert_eq!(status(&app, "c-2").await, "approved", "nothing forbids it any more");

    // One that is milder, and began later.
    let here = impose(&app, &ban("host", "shop.example")).await;
    app.comment(&linking("c-3")).await;
    let mut milder = ban("host", "shop.example");
    milder["measure"] = json!("premoderate");
    let milder = impose(&app, &milder).await;
    lift(&app, &here, true).await;
    assert_eq!(status(&app, "c-3").await, "held");
    lift(&app, &milder, true).await;
    assert_eq!(status(&app, "c-3").await, "approved");
}

#[tokio::test]
async fn a_sanction_on_one_site_leaves_the_others_alone() {
    let app = TestApp::spawn().await;
    let other = app.another_site("blog").await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let there = async |id: &str| {
        let answer = app.request(Method::POST, "/v1/comments", &other).json(&by(id, "anna")).send().await.unwrap();
        read(answer, &[201]).await
    };
    for (kind, value) in
        [("author", "anna"), ("email-domain", "mail.example"), ("network", "203.0.113.0/24"), ("host", "shop.example")]
    {
        let sanction = impose(&app, &ban(kind, value)).await;
        let mut comment = by(&format!("here-{kind}"), "anna");
        comment["author"]["url"] = json!("https://www.shop.example/anna");
        assert_eq!(app.comment(&comment).await["status"], "rejected", "{kind}");
        assert_eq!(there(&format!("there-{kind}")).await["status"], "approved", "{kind}");
        lift(&app, &sanction, false).await;
    }
    let everywhere =
        json!({"target": {"kind": "network", "value": "203.0.113.77"}, "measure": "ban", "cause": "spam on blog"});
    let sanction = refused(&app, &operator, &everywhere, 201).await;
    assert_eq!((&sanction["site"], &sanction["target"]["hint"]), (&Value::Null, &json!("a network (/32)")));
    assert_eq!(app.comment(&by("here", "bert")).await["status"], "rejected");
    let told = there("there").await;
    assert_eq!(told["status"], "rejected");
    let text = told["verdict"]["causes"][0]["text"].as_str().unwrap();
    assert!(!text.contains("spam on blog"), "what was said about one site is not for the others: {text}");
}

#[tokio::test]
async fn why_and_by_whom_all_sites_are_sanctioned_is_for_those_who_work_on_all() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let reach = Reach { sites: Some(vec!["news".to_owned()]), ..Reach::ALL };
    let part = app.person_within("news@example.org", Role::Moderator, &reach).await;
    let mut waiting = doubtful("c-1");
    waiting["author"]["url"] = json!("https://shop.example/");
    let waiting = app.comment(&waiting).await;
    assert_eq!(waiting["status"], "held");
    let order = json!({"target": {"kind": "host", "value": "shop.example"}, "measure": "ban", "cause": "rows on the blog",
        "also_reject": {"held": true}});
    let sanction = refused(&app, &operator, &order, 201).await;
    assert_eq!(sanction["also_rejected"], json!([waiting["uid"]]));
    assert_eq!((&sanction["cause"], &sanction["by"]), (&json!("rows on the blog"), &json!("op@example.org")));
    impose(&app, &ban("host", "other.example")).await;

    let ask =
        async |path: &str, token: &str| read(app.request(Method::GET, path, token).send().await.unwrap(), &[200]).await;
    let path = format!("/v1/sanctions/{}", sanction["id"].as_str().unwrap());
    assert_eq!(ask(&path, &app.token).await["cause"], "rows on the blog", "whoever works on all sites reads it");
    let one = ask(&path, &part).await;
    assert_eq!((&one["cause"], &one["by"], &one["site"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(one["target"]["hint"], "shop.example", "that there is one is shown");
    let list = ask("/v1/sanctions", &part).await;
    assert_eq!(
        (&list["items"][0]["cause"], &list["items"][0]["by"]),
        (&json!("advertising"), &json!("mod@example.org"))
    );
    assert_eq!((&list["items"][1]["cause"], &list["items"][1]["by"]), (&Value::Null, &Value::Null));
    let explained = ask(&format!("/v1/comments/by-uid/{}/explanation", waiting["uid"].as_str().unwrap()), &part).await;
    assert_eq!(explained["history"][1]["status"], "rejected");
    assert!(!explained.to_string().contains("rows on the blog"), "{explained}");
    let lifted = app.request(Method::DELETE, &path, &operator).send().await.unwrap();
    assert_eq!(read(lifted, &[200]).await["lifted_by"], "op@example.org");
    assert_eq!(ask(&path, &part).await["lifted_by"], Value::Null);
}

#[tokio::test]
async fn measures_do_what_they_are_for() {
    let app = TestApp::spawn_with(|config| {
        config.moderation = toml::from_str("[sites.news.sections]\nclosed = \"closed\"\nquiet = \"pre\"").unwrap();
    })
    .await;
    let of = |measure: &str, author: &str| json!({"site": "news", "target": {"kind": "author", "value": author}, "measure": measure, "cause": "known to us"});
    impose(&app, &of("premoderate", "anna")).await;
    impose(&app, &of("allow", "bert")).await;
    let held = app.comment(&by("c-1", "anna")).await;
    assert_eq!((&held["status"], &held["decided_by"]), (&json!("held"), &json!("rule")));
    let mut trusted = doubtful("c-2");
    trusted["author"]["id"] = json!("bert");
    let trusted = app.comment(&trusted).await;
    assert_eq!((&trusted["status"], &trusted["decided_by"]), (&json!("approved"), &json!("rule")));
    for (id, section, expected) in [("c-3", "quiet", "approved"), ("c-4", "closed", "rejected")] {
        let mut comment = by(id, "bert");
        comment["article"] = json!({"id": section, "title": "A page", "section": section});
        assert_eq!(app.comment(&comment).await["status"], expected, "{section}");
    }
    // Of several sanctions the most specific counts.
    impose(&app, &ban("network", "203.0.113.77")).await;
    assert_eq!(app.comment(&by("c-5", "bert")).await["status"], "approved");
    assert_eq!(app.comment(&by("c-6", "carl")).await["status"], "rejected");
}

#[tokio::test]
async fn sanctions_end_by_themselves() {
    let app = TestApp::spawn().await;
    let mut short = ban("author", "anna");
    short["expires_at"] = json!("2026-11-24T10:05:00Z");
    let sanction = impose(&app, &short).await;
    assert_eq!(app.comment(&by("c-1", "anna")).await["status"], "rejected");
    app.clock.advance_ms(299_999);
    assert_eq!(app.comment(&by("c-2", "anna")).await["status"], "rejected");
    app.clock.advance_ms(1);
    assert_eq!(app.comment(&by("c-3", "anna")).await["status"], "approved");
    let list = app.review(Method::GET, "/v1/sanctions?active=true", None).await;
    assert_eq!(list["items"], json!([]));
    let path = format!("/v1/sanctions/{}", sanction["id"].as_str().unwrap());
    assert_eq!(app.review(Method::GET, &path, None).await["active"], false);
    assert_eq!(lift(&app, &sanction, true).await["restored"].as_array().unwrap().len(), 2, "what it did can be undone");
}

#[tokio::test]
async fn a_ban_can_reject_what_is_there_and_its_undo_takes_that_back() {
    let app = TestApp::spawn().await;
    let spam = |id: &str| {
        let mut comment = doubtful(id);
        comment["author"] = json!({"id": format!("u-{id}"), "url": "https://shop.example/"});
        comment
    };
    app.comment(&spam("c-1")).await;
    let mut old = by("c-2", "old");
    old["author"]["url"] = json!("https://deals.shop.example/");
    app.comment(&old).await;
    app.clock.advance_ms(3 * 3_600_000);
    let mut late = by("c-3", "late");
    late["author"]["url"] = json!("https://deals.shop.example/");
    app.comment(&late).await;
    let mut linking = ordinary("c-4");
    linking["body"] =
        json!("I wrote about the lanes along the river and the harbour at https://shop.example/lanes yesterday.");
    let linking = app.comment(&linking).await;
    let kept = app.comment(&spam("c-5")).await;
    let decision = json!({"items": [{"uid": kept["uid"], "seen_version": 1}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    app.comment(&doubtful("c-6")).await;
    let mut order = ban("host", "shop.example");
    order["also_reject"] = json!({"held": true, "approved_hours": 2});
    let sanction = impose(&app, &order).await;
    let linking_was = linking["status"].clone();
    assert_eq!((sanction["also_rejected"].as_array().unwrap().len(), &sanction["more"]), (3, &json!(false)));
    let all = async || {
        let mut all = Vec::new();
        for id in ["c-1", "c-2", "c-3", "c-4", "c-5", "c-6"] {
            all.push(status(&app, id).await.as_str().unwrap().to_owned());
        }
        all
    };
    assert_eq!(
        all().await,
        ["rejected", "approved", "rejected", "rejected", "approved", "held"],
        "neither what is older, nor what a person approved, nor what is others'"
    );
    let lifted = lift(&app, &sanction, true).await;
    assert_eq!(lifted["restored"].as_array().unwrap().len(), 3);
    assert_eq!(all().await, ["held", "approved", "approved", linking_was.as_str().unwrap(), "approved", "held"]);
}

#[tokio::test]
async fn lifting_takes_back_what_is_left_of_a_decision() {
    let app = TestApp::spawn().await;
    let in_section = |section: &str| {
        let mut comment = by(section, "anna");
        comment["article"] = json!({"id": section, "title": "A page", "section": section});
        comment
    };
    let sport = app.comment(&in_section("sport")).await;
    let city = app.comment(&in_section("city")).await;
    let other = app.comment(&in_section("other")).await;
    let mut order = ban("author", "anna");
    order["also_reject"] = json!({"approved_hours": 2});
    let sanction = impose(&app, &order).await;
    assert_eq!(sanction["also_rejected"].as_array().unwrap().len(), 3);
    let reach = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
    let of_sport = app.person_within("sport@example.org", Role::Moderator, &reach).await;
    let undo = format!("/v1/decisions/{}/undo", sanction["decision"].as_str().unwrap());
    let undone = read(app.request(Method::POST, &undo, &of_sport).send().await.unwrap(), &[200]).await;
    assert!(undone.to_string().contains(sport["uid"].as_str().unwrap()), "{undone}");
    let again = json!({"items": [{"uid": other["uid"], "seen_version": 2}], "action": "reject"});
    app.review(Method::POST, "/v1/decisions", Some(&again)).await;
    let lifted = lift(&app, &sanction, true).await;
    assert_eq!((&lifted["restored"], &lifted["left_alone"]), (&json!([city["uid"]]), &json!([other["uid"]])));
    assert_eq!((status(&app, "sport").await, status(&app, "city").await), (json!("approved"), json!("approved")));
    assert_eq!(status(&app, "other").await, "rejected");
}

#[tokio::test]
async fn a_sanction_can_aim_at_whoever_wrote_a_comment() {
    let app = TestApp::spawn().await;
    let comment = app.comment(&by("c-1", "anna")).await;
    let of = |kind: &str| json!({"site": "news", "target": {"kind": kind, "of": comment["uid"]}, "measure": "ban", "cause": "advertising"});
    for kind in ["author", "email-domain", "network"] {
        let sanction = impose(&app, &of(kind)).await;
        assert_eq!(app.comment(&by(&format!("c-{kind}"), "anna")).await["status"], "rejected", "{kind}");
        lift(&app, &sanction, false).await;
    }
    assert_eq!(refused(&app, &app.token, &of("host"), 422).await["field"], "target.of");
    app.comment(&json!({"id": "c-0", "article": {"id": "lanes"}, "body": "Who am I?"})).await;
    let nobody = read(app.request(Method::GET, "/v1/comments/c-0", &app.key).send().await.unwrap(), &[200]).await;
    let nobody =
        json!({"site": "news", "target": {"kind": "network", "of": nobody["uid"]}, "measure": "ban", "cause": "x"});
    assert_eq!(refused(&app, &app.token, &nobody, 422).await["field"], "target.of");
    let unknown = json!({"site": "news", "target": {"kind": "author", "of": "01890000-0000-7000-8000-000000000000"}, "measure": "ban", "cause": "x"});
    refused(&app, &app.token, &unknown, 404).await;
}

#[tokio::test]
async fn nobody_sanctions_further_than_they_work() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    let list = |name: &str| Some(vec![name.to_owned()]);
    let of_site =
        app.person_within("site@example.org", Role::Moderator, &Reach { sites: list("blog"), ..Reach::ALL }).await;
    let of_section = app
        .person_within("section@example.org", Role::Moderator, &Reach { sections: list("city"), ..Reach::ALL })
        .await;
    let operator = app.person("op@example.org", Role::Operator).await;
    let order = |site: &str| {
        let mut order = ban("email-domain", "mail.example");
        order["site"] = if site.is_empty() { Value::Null } else { json!(site) };
        order
    };
    for (name, token, site, expected) in [
        ("a moderator, a site", &app.token, "news", 201),
        ("a moderator, everywhere", &app.token, "", 403),
        ("a moderator of another site", &of_site, "news", 404),
        ("a moderator of that site", &of_site, "blog", 201),
        ("a moderator of a section", &of_section, "news", 403),
        ("an operator, everywhere", &operator, "", 201),
        ("no such site", &operator, "none", 404),
    ] {
        let answer = app.request(Method::POST, "/v1/sanctions", token).json(&order(site)).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{name}");
    }
    let seen = async |token: &str, query: &str| {
        let answer = app.request(Method::GET, &format!("/v1/sanctions{query}"), token).send().await.unwrap();
        let page = read(answer, &[200]).await;
        page["items"].as_array().unwrap().iter().map(|one| one["site"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(seen(&operator, "").await, [Value::Null, json!("blog"), json!("news")]);
    assert_eq!(seen(&of_site, "").await, [Value::Null, json!("blog")], "those that hold on all sites hold on theirs");
    assert_eq!(seen(&of_site, "?site=news").await, Vec::<Value>::new());
    let page = read(app.request(Method::GET, "/v1/sanctions?limit=2", &operator).send().await.unwrap(), &[200]).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(seen(&operator, &format!("?limit=2&cursor={cursor}")).await, [json!("news")]);
    let uid = |at: usize| page["items"][at]["id"].as_str().unwrap().to_owned();
    let (everywhere, on_blog) = (uid(0), uid(1));
    for (name, token, id, expected) in [
        ("a moderator, one that holds everywhere", &app.token, &everywhere, 403),
        ("a moderator of a section", &of_section, &on_blog, 403),
        ("a moderator of that site", &of_site, &on_blog, 200),
        ("an operator", &operator, &everywhere, 200),
    ] {
        let answer = app.request(Method::DELETE, &format!("/v1/sanctions/{id}"), token).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_shadow_ban_takes_the_operators_word_and_tells_the_site() {
    let mut order = ban("author", "anna");
    order["shadow"] = json!(true);
    let app = TestApp::spawn().await;
    let off = refused(&app, &app.token, &order, 403).await;
    assert!(off["detail"].as_str().unwrap().contains("sanctions.shadow_bans"), "{off}");
    drop(app);
    let app = TestApp::spawn_with(|config| config.sanctions.shadow_bans = true).await;
    let sanction = impose(&app, &order).await;
    let banned = app.comment(&by("c-1", "anna")).await;
    assert_eq!((&banned["status"], &banned["shadow"]), (&json!("rejected"), &json!(true)));
    assert!(banned["verdict"]["causes"][0]["id"].as_str().unwrap().starts_with("shadow-ban:"));
    let again = app.comment(&by("c-1", "anna")).await;
    assert_eq!(again["shadow"], true, "the answer to a repeat says the same");
    assert!(app.comment(&by("c-2", "bert")).await.get("shadow").is_none());
    let noted = app.audit().await;
    assert!(noted.iter().any(|line| line.action == "sanction" && line.detail.contains("shadow")), "{noted:?}");
    lift(&app, &sanction, true).await;
    let found = read(app.request(Method::GET, "/v1/comments/c-1", &app.key).send().await.unwrap(), &[200]).await;
    assert_eq!((&found["status"], found.get("shadow")), (&json!("approved"), None));
}

#[tokio::test]
async fn what_a_sanction_aims_at_is_never_shown_or_kept() {
    let app = TestApp::spawn().await;
    let (author, address) = ("very-secret-author", "198.51.100.213");
    let mut all = String::new();
    for (kind, value) in [("author", author), ("network", address)] {
        let sanction = impose(&app, &ban(kind, value)).await;
        all += &sanction.to_string();
        all += &lift(&app, &sanction, true).await.to_string();
        let mut telling = ban(kind, value);
        telling["cause"] = json!(format!("it was {value}"));
        assert_eq!(refused(&app, &app.token, &telling, 422).await["field"], "cause");
    }
    all += &app.review(Method::GET, "/v1/sanctions", None).await.to_string();
    all += &format!("{:?}", app.audit().await);
    let bytes = app.database_bytes();
    for word in [author, address] {
        assert!(!all.contains(word), "{word} is shown");
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} is in the database");
    }
}

#[tokio::test]
async fn orders_that_cannot_be_are_refused_with_the_field() {
    let app = TestApp::spawn_with(|config| config.sanctions.max_active = 1).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut order = ban("author", "anna");
        change(&mut order);
        order
    };
    for (order, field) in [
        (with(&|order| order["cause"] = json!(" ")), "cause"),
        (with(&|order| drop(order.as_object_mut().unwrap().remove("cause"))), "cause"),
        (with(&|order| order["expires_at"] = json!("2026-11-24T10:00:00Z")), "expires_at"),
        (with(&|order| order["expires_at"] = json!("soon")), "expires_at"),
        (with(&|order| order["expire_at"] = json!("2027-11-24T10:00:00Z")), "expire_at"),
        (with(&|order| order["measure"] = json!("hang")), "measure"),
        (with(&|order| order["target"] = json!({"kind": "network", "value": "10.0.0.0/8"})), "target.value"),
        (with(&|order| order["target"] = json!({"kind": "host", "value": "not a host"})), "target.value"),
        (with(&|order| order["target"] = json!({"kind": "planet", "value": "x"})), "target.kind"),
        (with(&|order| order["target"] = json!({"kind": "host"})), "target"),
        (with(&|order| order["target"]["value"] = json!("a\u{0}b")), "target.value"),
        (with(&|order| order["also_reject"] = json!({"approved_hours": 721})), "also_reject.approved_hours"),
        (
            with(&|order| {
                order["measure"] = json!("allow");
                order["also_reject"] = json!({"held": true});
            }),
            "also_reject",
        ),
    ] {
        assert_eq!(refused(&app, &app.token, &order, 422).await["field"], field, "{order}");
    }
    impose(&app, &ban("author", "anna")).await;
    let full = refused(&app, &app.token, &ban("author", "bert"), 409).await;
    assert_eq!(full["type"], "/problems/too-many-sanctions");
    for query in ["active=perhaps", "limit=0", "cursor=nonsense"] {
        let answer = app.request(Method::GET, &format!("/v1/sanctions?{query}"), &app.token).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{query}");
    }
}

#[tokio::test]
async fn what_another_process_changes_is_noticed_within_seconds() {
    let app = TestApp::spawn().await;
    let sanction = impose(&app, &ban("author", "anna")).await;
    let uid = sanction["id"].as_str().unwrap().parse().unwrap();
    let (by_command, now) = (doorward::domain::decision::Actor::Console, app.clock.now());
    app.store.sanction_lift(uid, false, by_command, now, now).await.unwrap().unwrap();
    app.clock.advance_ms(3_000);
    assert_eq!(app.comment(&by("c-1", "anna")).await["status"], "approved");
}

#[tokio::test]
async fn a_batch_and_an_edit_meet_sanctions_too() {
    let app = TestApp::spawn().await;
    app.comment(&by("c-1", "anna")).await;
    let sanction = impose(&app, &ban("author", "anna")).await;
    let answers = app.batch(&[by("b-1", "anna"), by("b-2", "bert")]).await;
    assert_eq!((&answers[0]["status"], &answers[1]["status"]), (&json!("rejected"), &json!("approved")));
    let mut edit = by("c-1", "anna");
    edit["body"] = json!(crate::helpers::talk("another text"));
    let edited = app.request(Method::PUT, "/v1/comments/c-1", &app.key).json(&edit).send().await.unwrap();
    assert_eq!(read(edited, &[200]).await["status"], "rejected");
    lift(&app, &sanction, true).await;
    assert_eq!((status(&app, "c-1").await, status(&app, "b-1").await), (json!("approved"), json!("approved")));
}

#[tokio::test]
async fn a_lifted_sanction_leaves_the_authors_record_as_it_was() {
    let app = TestApp::spawn().await;
    let sanction = impose(&app, &ban("author", "anna")).await;
    for at in 0..6 {
        app.comment(&by(&format!("c-{at}"), "anna")).await;
        app.clock.advance_ms(61_000);
    }
    lift(&app, &sanction, true).await;
    let after = app.comment(&by("c-9", "anna")).await;
    let record = crate::helpers::signal(&after, "author-history").expect("six approved comments");
    assert!(record["log_odds"].as_f64().unwrap() < 0.0, "{record}");
}

#[tokio::test]
async fn sanctions_that_cannot_be_read_are_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let config = doorward::storage::Config::sqlite(&folder.path().join("doorward.db"));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_serving(&config).unwrap());
    let history = Arc::new(MemoryHistory::new(HistoryConfig::default(), Arc::clone(&store)));
    let events = Arc::new(Events::new(Arc::clone(&store), doorward::app::events::Config::default(), 1));
    let threads = Arc::new(doorward::app::threads::Threads::new(Arc::clone(&store)));
    let listeners = Listeners { history, events, threads };
    let (webhooks, config) = (doorward::app::outbox::Config::default(), doorward::app::sanctions::Config::default());
    let sanctions = Sanctions::new(Arc::clone(&store), listeners, webhooks, config);
    let draft: Draft = serde_json::from_value(ordinary("c-1")).unwrap();
    let comment = normalise(SiteId(1), draft.parse(&Bounds::default()).unwrap(), false);
    let now = |ms: i64| Timestamp::from_millis(crate::helpers::START_MS + ms);
    assert_eq!(sanctions.sentence(SiteId(1), &comment, now(0)).await, Known::Known(None));
    store.close().await;
    assert_eq!(sanctions.sentence(SiteId(1), &comment, now(2_999)).await, Known::Known(None), "for three seconds");
    let after = sanctions.sentence(SiteId(1), &comment, now(3_000)).await;
    assert!(matches!(after, Known::Unavailable(_)), "{after:?}");
}
