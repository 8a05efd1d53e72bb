//! The queue's page: what a moderator sees of what waits, and what nobody else does.

use doorward::domain::people::{Reach, Role};
use doorward::domain::scores::Score;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary};

/// The page of that person.
async fn page(app: &TestApp, token: &str, path: &str) -> String {
    let answer = app.request(Method::GET, path, token).header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

/// The page's cards, each as its markup.
fn cards(page: &str) -> Vec<&str> {
    page.split("<article").skip(1).map(|rest| rest.split("</article>").next().unwrap()).collect()
}

async fn held(app: &TestApp, comment: &Value) -> Value {
    let held = app.comment(comment).await;
    assert_eq!(held["status"], "held", "{held}");
    app.clock.advance_ms(61_000);
    held
}

#[tokio::test]
async fn a_card_shows_who_what_where_and_why() {
    let app = TestApp::spawn().await;
    let mut comment = doubtful("d-1");
    comment["author"] = json!({"id": "u/1 ä", "name": "Anna", "url": "https://anna.example/", "role": "subscriber"});
    comment["body"] = json!("Grüße,\nbuy viagra at https://pills.example/cheap now");
    comment["parent_id"] = json!("c-0");
    app.comment(&ordinary("c-0")).await;
    let held = held(&app, &comment).await;
    let page = page(&app, &app.token, "/queue").await;
    let cards = cards(&page);
    let [card] = cards.as_slice() else { panic!("{page}") };
    let uid = held["uid"].as_str().unwrap();
    for (what, expected) in [
        ("its name", format!("data-uid=\"{uid}\" data-version=\"1\" data-site=\"news\"")),
        ("the author", "Anna".to_owned()),
        ("what the author is", "subscriber".to_owned()),
        ("the author's page", "href=\"/authors/news/u%2F1%20%C3%A4\"".to_owned()),
        ("evidence where it stands, after letters of two bytes", ">buy viagra</mark>".to_owned()),
        ("line ends", "Grüße,\n<mark".to_owned()),
        ("the link's host", "<b>pills.example</b>/cheap".to_owned()),
        ("the article", "Council approves cycle lanes".to_owned()),
        ("the article's page", format!("href=\"/articles/news/lanes?at={uid}\"")),
        ("what is answered", "In reply to <bdi>Anna</bdi>".to_owned()),
        ("the author's record", "first comment here".to_owned()),
        ("the link's past", "never seen before".to_owned()),
        ("the section", "news › city".to_owned()),
        ("a reason that filters", "href=\"/queue?signal=blocklist\"".to_owned()),
        ("the way to decide", "data-action=\"approve\" data-key=\"a f\"".to_owned()),
        ("the explanation", format!("href=\"/comments/{uid}\" data-key=\"e\"")),
    ] {
        assert!(card.contains(&expected), "{what}: {expected} is not in {card}");
    }
    assert!(!card.contains("href=\"https://"), "links of comments are never followed from here");
    let marked = card.split("<mark").nth(1).unwrap().split("data-why=\"").nth(1).unwrap();
    let why: usize = marked.split(['"', ' ']).next().unwrap().parse().unwrap();
    let reasons = card.split("<ol class=\"reasons\"").nth(1).unwrap();
    let reason = reasons.split("<li").nth(why + 1).unwrap();
    assert!(reason.contains("viagra"), "the mark says why: {reason}");
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let never = Score::new(1.0).unwrap();
    let app = TestApp::spawn_with(|config| {
        (config.policy.spam.reject, config.policy.abuse.reject, config.policy.off_topic.reject) = (never, never, never);
    })
    .await;
    let mut comment = doubtful("d-1");
    comment["author"] =
        json!({"id": "\"><script>", "name": "<img src=x onerror=alert(1)>", "url": "javascript:alert(1)"});
    comment["article"]["title"] = json!("</h2><script>alert(1)</script>");
    comment["article"]["section"] = json!("\" onclick=\"x");
    comment["body"] = json!("buy viagra \u{202e}<script>alert(1)</script> v\u{200b}iagra");
    held(&app, &comment).await;
    let page = page(&app, &app.token, "/queue").await;
    for hostile in ["<script>alert", "<img src=x", "\" onclick", "\u{202e}", "\u{200b}", "\"javascript:"] {
        assert!(!page.contains(hostile), "{hostile:?}");
    }
    assert!(page.contains(">U+202E</b>") && page.contains(">U+200B</b>"), "what is hidden is written out");
    assert!(!page.contains(" style=\"") && !page.contains(" onclick=\""), "the policy allows none");
}

#[tokio::test]
async fn filters_are_links_with_true_counts_and_the_rest_comes_by_cursor() {
    let app = TestApp::spawn().await;
    for at in 0..17 {
        held(&app, &doubtful(&format!("d-{at}"))).await;
    }
    let blog = app.another_site("blog").await;
    let other = app.request(Method::POST, "/v1/comments", &blog).json(&doubtful("b-1")).send().await.unwrap();
    assert_eq!(other.status(), 201);
    let first = page(&app, &app.token, "/queue?lang=en").await;
    assert!(first.contains("18 comments wait"), "{first}");
    let chip = "href=\"/queue?lang=en&#38;site=blog\">blog <span class=\"n\">1</span>";
    assert!(first.contains(chip), "{first}");
    assert_eq!(cards(&first).len(), 15);
    let next = first.split("data-next=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let rest = page(&app, &app.token, &format!("/queue/cards?{next}")).await;
    assert_eq!(cards(&rest).len(), 3);
    assert!(!rest.contains("<html") && !rest.contains("data-next"), "a fragment, and the last");
    let chosen = page(&app, &app.token, "/queue?site=blog").await;
    assert_eq!((cards(&chosen).len(), chosen.contains("1 comment waits")), (1, true));
    let found = page(&app, &app.token, "/queue?q=d-3").await;
    assert_eq!(cards(&found).len(), 1);
    let none = page(&app, &app.token, "/queue?q=nowhere").await;
    assert!(none.contains("Nothing that waits matches this") && cards(&none).is_empty());
    let uid = cards(&rest)[0].split("data-uid=\"").nth(1).unwrap().split('"').next().unwrap();
    let named =
        page(&app, &app.token, &format!("/queue/cards?uid={uid}&uid=01890000-0000-7000-8000-000000000000")).await;
    assert_eq!(cards(&named).len(), 1);
    let named = page(&app, &app.token, &format!("/queue/cards?uid={uid}&q=nowhere")).await;
    assert!(cards(&named).is_empty(), "named, and not what is looked for");
}

#[tokio::test]
async fn people_see_what_they_work_on_and_auditors_only_look() {
    let app = TestApp::spawn().await;
    let item = held(&app, &doubtful("d-1")).await;
    let uid = item["uid"].as_str().unwrap();
    app.another_site("blog").await;
    let blog = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let outside = app.person_within("blog@example.org", Role::Moderator, &blog).await;
    assert!(page(&app, &outside, "/queue").await.contains("Nothing waits for you"));
    assert!(!page(&app, &outside, &format!("/queue/cards?uid={uid}")).await.contains(uid));
    let auditor = app.person("auditor@example.org", Role::Auditor).await;
    let seen = page(&app, &auditor, "/queue").await;
    assert!(seen.contains(uid) && !seen.contains("data-action=\"approve\"") && !seen.contains("<dialog id=\"reject\""));
    assert!(page(&app, &app.token, "/queue").await.contains("<dialog id=\"reject\""));
}

#[tokio::test]
async fn what_happened_is_fetched_when_somebody_looks_and_long_texts_when_somebody_asks() {
    let app = TestApp::spawn().await;
    let mut comment = doubtful("d-1");
    comment["body"] = json!(format!("buy viagra d-1 {} the end", "and so on ".repeat(400)));
    let item = held(&app, &comment).await;
    let uid = item["uid"].as_str().unwrap();
    let short = page(&app, &app.token, "/queue").await;
    assert!(!short.contains("the end") && short.contains("more characters"));
    let whole = page(&app, &app.token, &format!("/queue/cards?uid={uid}&whole=true")).await;
    assert!(whole.contains("the end") && !whole.contains("more characters"));
    comment["body"] = json!("buy viagra d-1, edited");
    let edit = app.request(Method::PUT, "/v1/comments/d-1", &app.key).json(&comment).send().await.unwrap();
    assert_eq!(edit.status(), 200);
    let past = page(&app, &app.token, &format!("/queue/cards/{uid}/history")).await;
    let (edits, history) = past.split_once("data-part=\"h\"").unwrap();
    assert!(edits.contains("Edited:") && history.contains("Arrived:") && history.contains("news"), "{past}");
    assert!(page(&app, &app.token, "/queue").await.contains("edited once"));
    let version = app.review(Method::GET, "/v1/queue", None).await["items"][0]["version"].clone();
    let decision = json!({"items": [{"uid": uid, "seen_version": version}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&decision)).await;
    app.clock.advance_ms(300_000);
    let empty = page(&app, &app.token, "/queue").await;
    assert!(
        empty.contains("Nothing waits for you") && empty.contains("The last decision was made 5 min ago"),
        "{empty}"
    );
}

#[tokio::test]
async fn what_was_drawn_to_check_on_the_machine_looks_like_everything_else() {
    let app = TestApp::spawn_with(|config| config.sampling.rate = 1.0).await;
    let item = app.comment(&ordinary("c-1")).await;
    assert_eq!(item["status"], "approved");
    let page = page(&app, &app.token, "/queue").await;
    let cards = cards(&page);
    assert_eq!(cards.len(), 1);
    assert!(!cards[0].contains("approved") && !cards[0].contains("no category"), "{}", cards[0]);
}

#[tokio::test]
async fn the_page_is_light() {
    let app = TestApp::spawn().await;
    for at in 0..15 {
        let mut comment = doubtful(&format!("d-{at}"));
        comment["body"] = json!(format!(
            "buy viagra d-{at} at https://pills{at}.example/ {}",
            crate::helpers::talk(&format!("t-{at}"))
        ));
        held(&app, &comment).await;
    }
    let page = page(&app, &app.token, "/queue").await;
    let assets = page.split("/assets/").nth(1).unwrap().split('/').next().unwrap();
    let mut weight = page.len();
    for name in [
        "console.css",
        "console.js",
        "api.js",
        "html.js",
        "keys.js",
        "live.js",
        "say.js",
        "toast.js",
        "texts-en.js",
        "queue.js",
        "cards.js",
        "claim.js",
        "decide.js",
        "filter.js",
        "sanction.js",
        "select.js",
        "icon.svg",
    ] {
        let answer = app.request(Method::GET, &format!("/assets/{assets}/{name}"), "").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        weight += answer.bytes().await.unwrap().len();
    }
    assert!(weight <= 150_000, "{weight} bytes, {} of them the page", page.len());
}
