//! The pages of campaigns, sanctions and appeals: what is shown to whom, and that nothing hostile becomes markup.

use doorward::domain::people::{Reach, Role};
use doorward::domain::scores::LogOdds;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read, talk};

/// A page as a browser gets it.
async fn page(app: &TestApp, token: &str, path: &str) -> String {
    let answer = app.request(Method::GET, path, token).header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let text = answer.text().await.unwrap();
    assert_allowed(&text);
    assert!(!text.contains('\u{202e}'), "what turns the text round does not reach a page");
    text
}

/// Nothing of a page is what its policy forbids.
fn assert_allowed(page: &str) {
    for forbidden in [" style=", " onclick=", " onload=", "<style", "javascript:", "<script>alert", "<img src=x"] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=\"/assets/").count());
}

const HEADLINE: &str = "Local Startup Claims Its Battery Charges in Ninety Seconds";

/// A comment of its own author under its own page.
fn under(id: &str, body: &str) -> Value {
    json!({
        "id": id, "body": body, "author": {"id": format!("u-{id}"), "name": "<b>Ann</b>"},
        "article": {"id": format!("page-{id}"), "url": format!("https://news.example/{id}"), "title": format!("Council <i>debates</i> {id}"),
            "text": talk(id), "section": "city", "lang": "en"},
    })
}

async fn unsuspecting() -> TestApp {
    TestApp::spawn_with(|config| {
        config.signals.unrelated_headline.foreign_weight = LogOdds::ZERO;
        config.signals.off_topic.mode = doorward::domain::signal::Mode::Off;
    })
    .await
}

/// A campaign of four, and its name.
async fn campaign(app: &TestApp) -> String {
    for at in 0..4 {
        let body = format!("{HEADLINE}\u{202e} http://battery-news.example/story");
        app.comment(&under(&format!("c-{at}"), &body)).await;
    }
    let found = app.review(Method::GET, "/v1/campaigns", None).await;
    found["items"][0]["id"].as_str().expect("it is recognised").to_owned()
}

#[tokio::test]
async fn the_list_of_campaigns_shows_what_they_share_and_how_many() {
    let app = unsuspecting().await;
    let none = page(&app, &app.token, "/campaigns").await;
    assert!(none.contains("No campaign here"), "an empty list says what would be there");
    let uid = campaign(&app).await;
    let shown = page(&app, &app.token, "/campaigns").await;
    assert!(shown.contains(&format!("data-campaign=\"{uid}\"")) && shown.contains(HEADLINE), "{shown}");
    for part in ["4 comments", "4 authors", "4 articles", "1 site", "to look at again", "<svg", "battery-news.example"]
    {
        assert!(shown.contains(part), "{part} is missing");
    }
    assert!(!shown.contains("href=\"http"), "no link leads to what spam advertises");
    assert!(page(&app, &app.token, "/campaigns?state=recheck").await.contains(&uid));
    for (state, path) in [("closed", "/campaigns?state=closed"), ("decided", "/campaigns?state=decided")] {
        assert!(!page(&app, &app.token, path).await.contains(&uid), "it is not {state}");
    }
    let wrong = app.request(Method::GET, "/campaigns?state=nonsense", &app.token).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let german = app.request(Method::GET, "/campaigns", &app.token).header("accept-language", "de").send();
    assert!(german.await.unwrap().text().await.unwrap().contains("4 Kommentare"));
}

#[tokio::test]
async fn a_campaigns_page_shows_members_and_how_to_decide_once() {
    let app = unsuspecting().await;
    app.another_site("blog").await;
    let uid = campaign(&app).await;
    let path = format!("/campaigns/{uid}");
    let shown = page(&app, &app.token, &path).await;
    assert!(shown.contains("data-size=\"4\""), "what is decided about is what was seen");
    assert_eq!(shown.matches("name=\"except\"").count(), 4, "each may be left out");
    assert!(shown.contains("<rect class=\""), "when they came is drawn");
    for action in ["approve", "spam", "off-topic", "close"] {
        assert!(shown.contains(&format!("data-action=\"{action}\"")), "{action}");
    }
    for key in ["a", "s", "t"] {
        assert!(
            shown.contains(&format!("data-key=\"{key}\"")) && shown.contains(&format!("<kbd>{key}</kbd>")),
            "{key}"
        );
    }
    assert!(!shown.contains("<i>") && !shown.contains("<b>Ann"), "titles and names are text");
    let rechecks = app.review(Method::GET, &format!("/v1/campaigns/{uid}"), None).await["counts"]["rechecks"].clone();
    let marked = shown.matches("class=\"card recheck\"").count();
    assert!(marked > 0 && json!(marked) == rechecks, "those that stand approved are marked: {marked} of {rechecks}");
    assert!(page(&app, &app.token, &format!("{path}?show=rejected")).await.contains("No such comment"));

    let auditor = app.person("auditor@example.org", Role::Auditor).await;
    let read_only = page(&app, &auditor, &path).await;
    assert!(!read_only.contains("data-action") && !read_only.contains("name=\"except\""), "who reads decides nothing");
    let elsewhere = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let outside = app.person_within("mod@blog.example", Role::Moderator, &elsewhere).await;
    assert!(!page(&app, &outside, "/campaigns").await.contains(HEADLINE));
    let hidden = app.request(Method::GET, &path, &outside).send().await.unwrap();
    assert_eq!(hidden.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_rejected_campaign_shows_until_when_its_rule_holds() {
    let app = unsuspecting().await;
    let uid = campaign(&app).await;
    let until = app.now().plus_millis(3 * 3_600_000).to_string();
    let ask = json!({"action": "reject", "category": "spam", "seen_size": 4, "future": true, "future_until": until});
    let done = app.review(Method::POST, &format!("/v1/campaigns/{uid}/decisions"), Some(&ask)).await;
    let path = format!("/campaigns/{uid}");
    let shown = page(&app, &app.token, &path).await;
    assert!(shown.contains("ends in 3 h") && shown.contains("data-action=\"end-rule\""), "{shown}");
    assert!(shown.contains(done["decision"].as_str().unwrap()), "and the way back from the decision");
    assert!(page(&app, &app.token, "/campaigns?state=decided").await.contains("ends in 3 h"));
    app.clock.advance_ms(3 * 3_600_000);
    let over = page(&app, &app.token, &path).await;
    assert!(!over.contains("ends in") && over.contains("data-action=\"set-rule\""), "it has ended by itself");
}

#[tokio::test]
async fn a_merged_campaign_leads_to_the_one_that_it_is_part_of() {
    let app = unsuspecting().await;
    let one = campaign(&app).await;
    for at in 0..4 {
        app.comment(&under(&format!("d-{at}"), &format!("{} http://shop.example/x", talk("other")))).await;
    }
    let all = app.review(Method::GET, "/v1/campaigns", None).await;
    let other = all["items"].as_array().unwrap().iter().find(|it| it["id"] != one.as_str()).expect("a second one");
    let other = other["id"].as_str().unwrap();
    let shown = page(&app, &app.token, &format!("/campaigns/{one}")).await;
    assert!(shown.contains(&format!("<option value=\"{other}\"")), "open ones are offered");
    app.review(Method::POST, &format!("/v1/campaigns/{one}/merge"), Some(&json!({"into": other}))).await;
    let merged = page(&app, &app.token, &format!("/campaigns/{one}")).await;
    assert!(merged.contains(&format!("href=\"/campaigns/{other}\"")) && !merged.contains("data-action=\"spam\""));
}

#[tokio::test]
async fn sanctions_show_what_they_decided_and_never_whom_they_aim_at() {
    let app = TestApp::spawn().await;
    assert!(page(&app, &app.token, "/sanctions").await.contains("No sanction here"));
    let mut comment = ordinary("c-1");
    comment["author"] = json!({"id": "secret-author", "name": "Anna", "ip": "203.0.113.77"});
    app.comment(&comment).await;
    let impose = async |target: Value, hours: Option<i64>| {
        let until = hours.map(|hours| app.now().plus_millis(hours * 3_600_000).to_string());
        let ask = json!({"site": "news", "target": target, "measure": "ban", "cause": "<script>alert(1)</script>", "expires_at": until});
        let answer = app.request(Method::POST, "/v1/sanctions", &app.token).json(&ask).send().await.unwrap();
        read(answer, &[201]).await["id"].as_str().unwrap().to_owned()
    };
    let on_author = impose(json!({"kind": "author", "value": "secret-author"}), None).await;
    let on_network = impose(json!({"kind": "network", "value": "203.0.113.0/24"}), Some(5)).await;
    let on_host = impose(json!({"kind": "host", "value": "shop.example"}), None).await;
    comment["id"] = json!("c-2");
    app.comment(&comment).await;
    let shown = page(&app, &app.token, "/sanctions").await;
    for uid in [&on_author, &on_network, &on_host] {
        assert!(shown.contains(&format!("data-sanction=\"{uid}\"")));
    }
    assert!(!shown.contains("secret-author") && !shown.contains("203.0.113"), "hashes show nothing");
    assert!(shown.contains("shop.example") && shown.contains("in 5 h"));
    let row = shown.split(&format!("data-sanction=\"{on_author}\"")).nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains("<td class=\"n\">1"), "it decided one comment: {row}");
    assert_eq!(shown.matches("data-action=\"lift-undo\"").count(), 3);

    app.review(Method::DELETE, &format!("/v1/sanctions/{on_author}?undo=true"), None).await;
    assert!(!page(&app, &app.token, "/sanctions").await.contains(&on_author), "it is not in force");
    let past = page(&app, &app.token, "/sanctions?show=past").await;
    assert!(past.contains(&on_author) && !past.contains(&on_host) && past.contains("lifted"));
    app.review(Method::POST, &format!("/v1/sanctions/{on_author}/resume"), None).await;
    assert!(page(&app, &app.token, "/sanctions").await.contains(&on_author), "the way back from lifting it");
    comment["id"] = json!("c-3");
    assert_eq!(app.comment(&comment).await["status"], "rejected");
    app.clock.advance_ms(5 * 3_600_000);
    let past = page(&app, &app.token, "/sanctions?show=past").await;
    assert!(past.contains(&on_network) && past.contains("ended"), "what has ended by itself is past, too");
}

#[tokio::test]
async fn the_form_for_sanctions_offers_what_somebody_may() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    let all = page(&app, &app.token, "/sanctions").await;
    assert!(all.contains("data-impose") && all.contains("<option>blog</option>"));
    let section = Reach { sections: Some(vec!["sport".to_owned()]), ..Reach::ALL };
    let part = app.person_within("mod@sport.example", Role::Moderator, &section).await;
    assert!(
        !page(&app, &part, "/sanctions").await.contains("data-impose"),
        "a sanction would reach further than they do"
    );
    let auditor = app.person("auditor@example.org", Role::Auditor).await;
    assert!(!page(&app, &auditor, "/sanctions").await.contains("data-impose"));
    let of = "01890000-0000-7000-8000-000000000001";
    let from = page(&app, &app.token, &format!("/sanctions?of={of}&kind=network")).await;
    assert!(from.contains(&format!("name=\"of\" value=\"{of}\"")) && from.contains("value=\"network\" selected"));
}

/// A rejected comment with an appeal against that.
async fn appealed(app: &TestApp, id: &str) -> String {
    let mut comment = doubtful(id);
    comment["body"] = json!(format!("{} \u{202e}gnp.exe", comment["body"].as_str().unwrap()));
    let comment = app.comment(&comment).await;
    let ruling = json!({"items": [{"uid": comment["uid"], "seen_version": comment["version"]}], "action": "reject", "category": "spam",
        "reason": "It sells something", "note": "third time"});
    app.review(Method::POST, "/v1/decisions", Some(&ruling)).await;
    app.clock.advance_ms(61_000);
    let words = json!({"text": "I meant the <script>alert(1)</script> pharmacy."});
    let answer = app.post(&format!("/v1/comments/{id}/appeals"), &words).await;
    read(answer, &[201]).await["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_appeal_shows_words_reasons_history_and_how_to_answer() {
    let app = TestApp::spawn().await;
    assert!(page(&app, &app.token, "/appeals").await.contains("No appeal here"));
    let uid = appealed(&app, "c-1").await;
    let shown = page(&app, &app.token, "/appeals").await;
    for part in [
        &format!("data-appeal=\"{uid}\""),
        "pharmacy.",
        "mod@example.org",
        "It sells something",
        "third time",
        "data-action=\"overturn\"",
        "data-action=\"uphold\"",
        "You rejected this comment yourself",
        "<mark",
        "U+202E",
    ] {
        assert!(shown.contains(part), "{part} is missing: {shown}");
    }
    let auditor = app.person("auditor@example.org", Role::Auditor).await;
    let read_only = page(&app, &auditor, "/appeals").await;
    assert!(read_only.contains(&uid) && !read_only.contains("data-action"));

    let answer = json!({"overturn": false, "answer": "It <b>stays</b>."});
    app.review(Method::POST, &format!("/v1/appeals/{uid}/answer"), Some(&answer)).await;
    assert!(!page(&app, &app.token, "/appeals").await.contains(&uid));
    let upheld = page(&app, &app.token, "/appeals?state=upheld").await;
    assert!(upheld.contains(&uid) && !upheld.contains("<b>stays") && !upheld.contains("data-action"));

    let mut again = doubtful("c-1");
    again["body"] = json!(format!("{} once more", again["body"].as_str().unwrap()));
    let edited = app.request(Method::PUT, "/v1/comments/c-1", &app.key).json(&again).send().await.unwrap();
    let edited = read(edited, &[200]).await;
    if edited["status"] != "rejected" {
        let items = json!([{"uid": edited["uid"], "seen_version": edited["version"]}]);
        app.review(Method::POST, "/v1/decisions", Some(&json!({"items": items, "action": "reject"}))).await;
    }
    read(app.post("/v1/comments/c-1/appeals", &json!({"text": "Again."})).await, &[201]).await;
    let second = page(&app, &app.token, "/appeals").await;
    assert!(second.contains("Earlier appeals") && second.contains("stays"), "what was answered before is there");
}

#[tokio::test]
async fn what_readers_reported_is_shown_with_their_words_and_weights() {
    let app = TestApp::spawn().await;
    app.another_site("blog").await;
    app.comment(&ordinary("c-1")).await;
    app.comment(&doubtful("c-2")).await;
    assert!(page(&app, &app.token, "/appeals?tab=reports").await.contains("Nothing that readers reported"));
    for reader in ["r-1", "r-2", "r-3"] {
        let body =
            json!({"reader_id": reader, "category": "abuse", "text": format!("<b>hurt</b> says {reader}s friend")});
        read(app.post("/v1/comments/c-1/reports", &body).await, &[201]).await;
    }
    let held = read(app.request(Method::GET, "/v1/comments/c-1", &app.key).send().await.unwrap(), &[200]).await;
    let shown = page(&app, &app.token, "/appeals?tab=reports").await;
    assert!(shown.contains(&format!(
        "data-report=\"{}\" data-version=\"{}\"",
        held["uid"].as_str().unwrap(),
        held["version"]
    )));
    assert_eq!(shown.matches("data-report=").count(), 1, "what was held for another reason is not among them");
    assert!(shown.contains("3 reports") && shown.contains("weigh 3.0 together") && shown.contains("weighs 1.0"));
    assert!(shown.contains("says r-1s friend") && !shown.contains("<b>hurt"));
    let elsewhere = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let outside = app.person_within("mod@blog.example", Role::Moderator, &elsewhere).await;
    assert!(!page(&app, &outside, "/appeals?tab=reports").await.contains("data-report="));
    let reported = app.review(Method::GET, "/v1/queue?reported=true", None).await;
    assert_eq!((&reported["items"][0]["id"], &reported["counts"]["held"]), (&json!("c-1"), &json!(1)));
}
