//! Campaigns over HTTP: recognised, joined, decided once, taken back.

use doorward::config::Config;
use doorward::domain::people::{Reach, Role};
use doorward::domain::scores::LogOdds;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{TestApp, assert_adds_up, ordinary, read, signal, talk};

const HEADLINE: &str = "Local Startup Claims Its Battery Charges in Ninety Seconds";

/// One story in five forms.
fn forms() -> [String; 5] {
    [
        HEADLINE.to_owned(),
        format!("{HEADLINE} http://battery-news.example/story"),
        format!("\u{1f680}\u{1f680} {} \u{1f525}", HEADLINE.to_uppercase()),
        "Local startup claims its new battery charges in only ninety seconds".to_owned(),
        format!("> {HEADLINE}\nhttps://www.battery-news.example/story?utm_source=feed&fbclid=9"),
    ]
}

/// A comment of its own author under its own page, which is about something else.
fn under(id: &str, body: &str) -> Value {
    let subject = talk(id);
    json!({
        "id": id, "body": body, "author": {"id": format!("u-{id}"), "name": "Ann"},
        "article": {"id": format!("page-{id}"), "url": format!("https://news.example/{id}"), "title": format!("Council debates {id}"), "text": subject, "section": "city", "lang": "en"},
    })
}

async fn campaigns(app: &TestApp, query: &str) -> Vec<Value> {
    let page = app.review(Method::GET, &format!("/v1/campaigns{query}"), None).await;
    page["items"].as_array().unwrap().clone()
}

async fn only(app: &TestApp) -> Value {
    let mut all = campaigns(app, "").await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn whole(app: &TestApp, id: &Value, query: &str) -> Value {
    app.review(Method::GET, &format!("/v1/campaigns/{}{query}", id.as_str().unwrap()), None).await
}

fn names(members: &Value) -> Vec<&str> {
    members.as_array().unwrap().iter().map(|member| member["comment"]["id"].as_str().unwrap()).collect()
}

async fn decide(app: &TestApp, campaign: &Value, ask: Value) -> Value {
    let path = format!("/v1/campaigns/{}/decisions", campaign["id"].as_str().unwrap());
    app.review(Method::POST, &path, Some(&ask)).await
}

/// A service that thinks nothing of a foreign headline that it sees for the first time.
async fn unsuspecting(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::spawn_with(|config| {
        config.signals.unrelated_headline.foreign_weight = LogOdds::ZERO;
        change(config);
    })
    .await
}

async fn tell_the_story(app: &TestApp) -> Vec<Value> {
    let mut answers = Vec::new();
    for (at, body) in forms().iter().enumerate() {
        answers.push(app.comment(&under(&format!("s-{at}"), body)).await);
        app.clock.advance_ms(60_000);
    }
    answers
}

#[tokio::test]
async fn five_forms_of_one_story_are_one_campaign() {
    let app = TestApp::spawn().await;
    let answers = tell_the_story(&app).await;
    let campaign = only(&app).await;
    assert_eq!((&campaign["state"], &campaign["size"]), (&json!("open"), &json!(5)));
    let counts = &campaign["counts"];
    assert_eq!((&counts["comments"], &counts["authors"], &counts["articles"]), (&json!(5), &json!(5), &json!(5)));
    assert!(campaign["kinds"].as_array().unwrap().contains(&json!("headline")), "{campaign}");
    let text = campaign["text"].as_str().unwrap().to_lowercase();
    assert!(text.contains("battery charges in ninety seconds"), "{text}");
    for answer in &answers[2..] {
        let hit = signal(answer, "campaign").unwrap_or_else(|| panic!("{}", answer["verdict"]));
        assert!(hit["evidence"].as_str().unwrap().contains(campaign["id"].as_str().unwrap()), "{hit}");
        assert_adds_up(&answer["verdict"]);
    }
    let found = whole(&app, &campaign["id"], "").await;
    assert_eq!(names(&found["members"]), ["s-0", "s-1", "s-2", "s-3", "s-4"]);
}

#[tokio::test]
async fn a_short_advert_in_five_disguises_is_one_campaign() {
    let app = TestApp::spawn().await;
    let disguises = [
        "Cheap concert tickets on my profile",
        "CHEAP concert tickets, on my profile!!! 4711",
        "C h e a p concert tickets on my profile \u{1f525}",
        "cheap\u{1f39f}concert\u{1f39f}tickets on my profil",
        "Cheeeap c0ncert tick\u{200b}ets on my profile Dave",
    ];
    for (at, body) in disguises.iter().enumerate() {
        app.comment(&under(&format!("s-{at}"), body)).await;
        app.clock.advance_ms(60_000);
    }
    let campaign = only(&app).await;
    assert_eq!(
        (&campaign["state"], &campaign["size"], &campaign["kinds"]),
        (&json!("open"), &json!(5), &json!(["text"]))
    );
    assert_eq!(campaign["text"], disguises[0]);
    let later = app.comment(&under("later", "cheap concert tickets on my profile :) 12")).await;
    assert!(signal(&later, "campaign").is_some(), "{}", later["verdict"]);
    // Rejected once, the seventh is held whatever it looks like.
    decide(&app, &campaign, json!({"action": "reject", "category": "spam", "seen_size": 6})).await;
    let seventh = app.comment(&under("seventh", "Cheap concert ticketz on my profile")).await;
    let causes = seventh["verdict"]["causes"].as_array().unwrap();
    assert!(causes.iter().any(|cause| cause["id"] == "campaign:rejected"), "{}", seventh["verdict"]);
}

#[tokio::test]
async fn thirty_people_who_say_thanks_are_none() {
    let app = TestApp::spawn().await;
    let thanks = [
        "Great article, thanks!",
        "Thanks for sharing this",
        "first!",
        "lol",
        "me too",
        "Thank you so much, well written",
    ];
    for at in 0..30 {
        app.comment(&under(&format!("t-{at}"), thanks[at % thanks.len()])).await;
        app.clock.advance_ms(60_000);
    }
    assert!(campaigns(&app, "").await.is_empty());
}

#[tokio::test]
async fn members_that_stand_approved_are_brought_up_and_stay_as_they_are() {
    let app = unsuspecting(|_| {}).await;
    let answers = tell_the_story(&app).await;
    assert_eq!(answers[0]["status"], "approved", "nobody could know: {}", answers[0]["verdict"]);
    let campaign = only(&app).await;
    assert!(campaign["counts"]["rechecks"].as_u64().unwrap() >= 1);
    assert_eq!(campaigns(&app, "?recheck=true&state=open").await.len(), 1);
    let queue = app.review(Method::GET, "/v1/queue", None).await;
    assert_eq!(queue["counts"]["rechecks"], campaign["counts"]["rechecks"]);
    let found = whole(&app, &campaign["id"], "?recheck=true").await;
    assert_eq!(names(&found["members"])[0], "s-0");
    let theirs = app.request(Method::GET, "/v1/comments/s-0", &app.key).send().await.unwrap();
    let theirs = read(theirs, &[200]).await;
    assert_eq!((&theirs["status"], &theirs["version"]), (&json!("approved"), &json!(1)), "the site notices nothing");
    // Somebody looks at it alone and lets it pass: then it needs no look any more.
    let ask = json!({"items": [{"uid": theirs["uid"], "seen_version": 1}], "action": "approve"});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    let found = whole(&app, &campaign["id"], "?recheck=true").await;
    assert!(!names(&found["members"]).contains(&"s-0"));
}

#[tokio::test]
async fn the_queue_names_the_campaign_and_filters_by_it() {
    let app = TestApp::spawn().await;
    tell_the_story(&app).await;
    app.comment(&crate::helpers::doubtful("d-1")).await;
    let campaign = only(&app).await;
    let id = campaign["id"].as_str().unwrap();
    let of = app.review(Method::GET, &format!("/v1/queue?campaign={id}"), None).await;
    let held = campaign["counts"]["held"].as_u64().unwrap();
    assert_eq!((of["counts"]["held"].as_u64().unwrap(), held > 0), (held, true));
    assert!(of["items"].as_array().unwrap().iter().all(|item| item["campaign"] == *id));
    let all = app.review(Method::GET, "/v1/queue", None).await;
    assert!(all["items"].as_array().unwrap().iter().any(|item| item["campaign"].is_null()));
    for none in ["nonsense", "00000000-0000-7000-8000-000000000000"] {
        let none = app.review(Method::GET, &format!("/v1/queue?campaign={none}"), None).await;
        assert_eq!((&none["items"], &none["counts"]["held"]), (&json!([]), &json!(0)));
    }
}

#[tokio::test]
async fn deciding_once_decides_all_and_condemns_later_ones_until_it_is_undone() {
    let app = TestApp::spawn().await;
    tell_the_story(&app).await;
    let campaign = only(&app).await;
    let done = decide(&app, &campaign, json!({"action": "reject", "category": "spam", "seen_size": 5})).await;
    assert_eq!((done["applied"].as_array().unwrap().len(), &done["state"]), (5, &json!("decided")));
    let found = whole(&app, &campaign["id"], "?status=rejected").await;
    assert_eq!(names(&found["members"]).len(), 5);
    // Praise that would pass anywhere, with the story at its end.
    let later = app.comment(&under("later", &format!("{} \n\n{HEADLINE}", talk("of something")))).await;
    assert_eq!(later["status"], "held", "{}", later["verdict"]);
    let causes = later["verdict"]["causes"].as_array().unwrap();
    assert!(causes.iter().any(|cause| cause["id"] == "campaign:rejected"), "{causes:?}");
    assert_adds_up(&later["verdict"]);
    let undo = format!("/v1/decisions/{}/undo", done["decision"].as_str().unwrap());
    let undone = app.review(Method::POST, &undo, None).await;
    assert_eq!(undone["applied"].as_array().unwrap().len(), 5);
    let campaign = only(&app).await;
    assert_eq!((&campaign["state"], &campaign["action"], &campaign["size"]), (&json!("open"), &json!(null), &json!(6)));
    let after = app.comment(&under("after", &format!("{} \n\n{HEADLINE}", talk("quite different")))).await;
    let causes = after["verdict"]["causes"].as_array().unwrap();
    assert!(causes.iter().all(|cause| cause["id"] != "campaign:rejected"), "{causes:?}");
}

#[tokio::test]
async fn an_operator_may_have_later_members_rejected() {
    let app = TestApp::spawn_with(|config| config.campaigns.rejected = doorward::domain::campaign::Later::Reject).await;
    tell_the_story(&app).await;
    let campaign = only(&app).await;
    decide(&app, &campaign, json!({"action": "reject", "seen_size": 5})).await;
    assert_eq!(app.comment(&under("later", HEADLINE)).await["status"], "rejected");
}

#[tokio::test]
async fn what_people_approved_as_a_whole_is_excused_from_then_on() {
    let app = TestApp::spawn().await;
    let slogan = "We the tenants of the old harbour want our laundry room back before the winter comes";
    for at in 0..3 {
        app.comment(&under(&format!("t-{at}"), slogan)).await;
    }
    let campaign = only(&app).await;
    decide(&app, &campaign, json!({"action": "approve", "seen_size": 3})).await;
    for at in 3..9 {
        let answer = app.comment(&under(&format!("t-{at}"), slogan)).await;
        assert_eq!(answer["status"], "approved", "{}", answer["verdict"]);
        assert_adds_up(&answer["verdict"]);
    }
    let pills = app.comment(&under("t-9", &format!("{slogan} buy viagra"))).await;
    assert_eq!(pills["status"], "held", "it excuses nothing else: {}", pills["verdict"]);
}

#[tokio::test]
async fn who_joined_since_is_reported_and_not_decided_about() {
    let app = TestApp::spawn().await;
    tell_the_story(&app).await;
    let seen = only(&app).await;
    let late = app.comment(&under("late", HEADLINE)).await;
    let done = decide(&app, &seen, json!({"action": "reject", "seen_size": seen["size"]})).await;
    assert_eq!(done["later"], json!([late["uid"]]));
    let theirs = app.request(Method::GET, "/v1/comments/late", &app.key).send().await.unwrap();
    assert_eq!(read(theirs, &[200]).await["status"], late["status"]);
    let done = decide(&app, &seen, json!({"action": "reject", "seen_size": seen["size"], "future": true})).await;
    assert_eq!(done["applied"], json!([late["uid"]]));
}

#[tokio::test]
async fn whatever_joins_is_rejected_for_as_long_as_a_person_said() {
    let app = unsuspecting(|_| {}).await;
    tell_the_story(&app).await;
    let seen = only(&app).await;
    let hours = |hours: i64| app.now().plus_millis(hours * 3_600_000).to_string();
    let path = format!("/v1/campaigns/{}/decisions", seen["id"].as_str().unwrap());
    for (until, future, action) in [
        (hours(24 * 31), true, "reject"),
        (hours(-1), true, "reject"),
        (hours(1), false, "reject"),
        (hours(1), true, "approve"),
        ("tomorrow".to_owned(), true, "reject"),
    ] {
        let ask = json!({"action": action, "seen_size": seen["size"], "future": future, "future_until": until});
        let answer = app.request(Method::POST, &path, &app.token).json(&ask).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{ask}");
    }
    let ask = json!({"action": "reject", "category": "spam", "seen_size": seen["size"], "future": true, "future_until": hours(2)});
    let done = decide(&app, &seen, ask).await;
    assert_eq!((&done["state"], &done["future_until"]), (&json!("decided"), &json!(hours(2))));
    let causes = |comment: &Value| comment["verdict"]["causes"].to_string();
    let during = app.comment(&under("during", &forms()[0])).await;
    assert_eq!(during["status"], "rejected");
    assert!(causes(&during).contains("campaign:rule"));
    app.clock.advance_ms(2 * 3_600_000);
    let after = app.comment(&under("after", &forms()[0])).await;
    assert_ne!(after["status"], "approved");
    assert!(!causes(&after).contains("campaign:rule"), "it has ended by itself");
    let rule = path.replace("/decisions", "/rule");
    let until = hours(5);
    let again = app.review(Method::PUT, &rule, Some(&json!({"until": until}))).await;
    assert_eq!(again["future_until"], json!(until));
    assert!(causes(&app.comment(&under("more", &forms()[0])).await).contains("campaign:rule"));
    assert_eq!(app.review(Method::DELETE, &rule, None).await["future_until"], Value::Null);
    assert!(!causes(&app.comment(&under("last", &forms()[0])).await).contains("campaign:rule"), "ended early");
    app.review(Method::POST, &format!("/v1/decisions/{}/undo", done["decision"].as_str().unwrap()), None).await;
    assert_eq!(app.comment(&under("free", &forms()[0])).await["verdict"]["causes"].to_string().find("campaign:"), None);
}

#[tokio::test]
async fn whoever_works_on_a_section_joins_no_campaigns() {
    let app = unsuspecting(|_| {}).await;
    for story in ["one", "two"] {
        for n in 0..3 {
            let mut pasted = under(&format!("{story}-{n}"), &talk(story));
            pasted["article"]["section"] = json!("city");
            app.comment(&pasted).await;
        }
    }
    let both = campaigns(&app, "").await;
    assert_eq!(both.len(), 2);
    let city = Reach { sections: Some(vec!["city".to_owned()]), ..Reach::ALL };
    let token = app.person_within("city@example.org", Role::Moderator, &city).await;
    let path = format!("/v1/campaigns/{}/merge", both[0]["id"].as_str().unwrap());
    let ask = json!({"into": both[1]["id"]});
    let answer = app.request(Method::POST, &path, &token).json(&ask).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "what joins later may stand in other sections");
    app.review(Method::POST, &path, Some(&ask)).await;
}

#[tokio::test]
async fn a_rule_without_a_moment_holds_for_a_day() {
    let app = unsuspecting(|_| {}).await;
    tell_the_story(&app).await;
    let seen = only(&app).await;
    let done = decide(&app, &seen, json!({"action": "reject", "seen_size": seen["size"], "future": true})).await;
    assert_eq!(done["future_until"], json!(app.now().plus_millis(86_400_000).to_string()));
    assert_eq!(only(&app).await["future_until"], done["future_until"]);
}

#[tokio::test]
async fn quotations_standard_replies_and_genuine_links_form_none() {
    let app = TestApp::spawn().await;
    let sentence = "the lanes along the river connect the station with the harbour";
    for at in 0..5 {
        // Words of the page itself, and an answer to what readers see there.
        let mut quoting = ordinary(&format!("q-{at}"));
        quoting["body"] = json!(sentence);
        app.comment(&quoting).await;
        let mut reply = ordinary(&format!("r-{at}"));
        reply["body"] = json!(format!("> {sentence}\n{}", talk(&format!("reply {at}"))));
        app.comment(&reply).await;
        let mut staff =
            under(&format!("m-{at}"), "Please keep to the topic of the article, and read the rules of this house");
        staff["author"]["role"] = json!("moderator");
        app.comment(&staff).await;
        let own = format!("{} https://news.example/about", talk(&format!("own {at}")));
        app.comment(&under(&format!("o-{at}"), &own)).await;
        let article = format!("{} https://en.wikipedia.org/wiki/Bridge_{at}", talk(&format!("wiki {at}")));
        app.comment(&under(&format!("w-{at}"), &article)).await;
        let video = format!("{} https://www.youtube.com/watch?v=abcdef", talk(&format!("video {at}")));
        app.comment(&under(&format!("v-{at}"), &video)).await;
        let mut twice = ordinary(&format!("d-{at}"));
        (twice["author"]["id"], twice["body"]) = (json!("same"), json!(talk("posted by mistake")));
        app.comment(&twice).await;
    }
    assert_eq!(campaigns(&app, "").await, [] as [Value; 0]);
}

#[tokio::test]
async fn three_hundred_ordinary_comments_form_none() {
    let app = TestApp::spawn_with(|config| config.limits.enabled = false).await;
    let all: Vec<Value> = (0..300)
        .map(|at| {
            let mut comment = under(&format!("t-{at}"), &talk(&format!("ordinary {at}")));
            comment["article"] = json!({"id": format!("page-{}", at % 15)});
            comment["author"] = json!({"id": format!("reader-{}", at % 60)});
            comment
        })
        .collect();
    for chunk in all.chunks(50) {
        app.batch(chunk).await;
    }
    assert_eq!(campaigns(&app, "").await, [] as [Value; 0]);
}

#[tokio::test]
async fn of_a_batch_that_comes_at_once_one_campaign_is_made() {
    let app = TestApp::spawn_with(|config| config.limits.enabled = false).await;
    let all: Vec<Value> = (0..60).map(|at| under(&format!("b-{at}"), HEADLINE)).collect();
    let (one, other) = all.split_at(30);
    tokio::join!(app.batch(one), app.batch(other));
    let campaign = only(&app).await;
    assert_eq!((&campaign["size"], &campaign["counts"]["comments"]), (&json!(60), &json!(60)));
}

#[tokio::test]
async fn an_erased_member_leaves() {
    let app = TestApp::spawn().await;
    tell_the_story(&app).await;
    let campaign = only(&app).await;
    let key = app.another_key(&doorward::domain::site::Scope::ALL).await;
    let gone = app.request(Method::DELETE, "/v1/comments/s-0", &key).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let found = whole(&app, &campaign["id"], "").await;
    assert_eq!((names(&found["members"]).len(), &found["counts"]["comments"]), (4, &json!(4)));
    for at in 1..5 {
        app.request(Method::DELETE, &format!("/v1/comments/s-{at}"), &key).send().await.unwrap();
    }
    assert_eq!(campaigns(&app, "").await, [] as [Value; 0]);
}

#[tokio::test]
async fn other_sites_are_counted_and_decided_about_by_those_who_work_there() {
    let app = TestApp::spawn().await;
    let blog = app.another_site("blog").await;
    for (at, body) in forms().iter().enumerate() {
        let key = if at < 3 { &app.key } else { &blog };
        let answer = app.request(Method::POST, "/v1/comments", key).json(&under(&format!("s-{at}"), body)).send().await;
        read(answer.unwrap(), &[201]).await;
    }
    let reach = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    let token = app.person_within("blog@example.org", Role::Moderator, &reach).await;
    let ask = async |method: Method, path: &str, body: Option<Value>| {
        let request = app.request(method, path, &token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        request.send().await.unwrap()
    };
    let seen = read(ask(Method::GET, "/v1/campaigns", None).await, &[200]).await["items"][0].clone();
    let id = seen["id"].as_str().unwrap();
    assert_eq!((&seen["counts"]["comments"], &seen["counts"]["sites"]), (&json!(5), &json!(2)));
    for (site, expected) in [("blog", 1), ("news", 0)] {
        let page = read(ask(Method::GET, &format!("/v1/campaigns?site={site}"), None).await, &[200]).await;
        assert_eq!(page["items"].as_array().unwrap().len(), expected, "{site}: whom else it hits is not told");
    }
    let found = read(ask(Method::GET, &format!("/v1/campaigns/{id}"), None).await, &[200]).await;
    assert_eq!(names(&found["members"]), ["s-3", "s-4"]);
    let closing = ask(Method::POST, &format!("/v1/campaigns/{id}/close"), None).await;
    assert_eq!(closing.status(), StatusCode::FORBIDDEN);
    let body = json!({"action": "reject", "seen_size": 5});
    let done = ask(Method::POST, &format!("/v1/campaigns/{id}/decisions"), Some(body)).await;
    let done = read(done, &[200]).await;
    assert_eq!(
        (done["applied"].as_array().unwrap().len(), &done["outside"], &done["state"]),
        (2, &json!(3), &json!("open"))
    );
    let hits: String = found["members"].to_string();
    assert!(!hits.contains("s-0") && !hits.contains("u-s-1"), "other sites' comments are never named: {hits}");
}

#[tokio::test]
async fn closing_ends_it_and_refuses_what_comes_after() {
    let app = TestApp::spawn().await;
    tell_the_story(&app).await;
    let campaign = only(&app).await;
    let id = campaign["id"].as_str().unwrap();
    app.review(Method::POST, &format!("/v1/campaigns/{id}/close"), None).await;
    app.comment(&under("after", HEADLINE)).await;
    let closed = only(&app).await;
    assert_eq!((&closed["state"], &closed["size"]), (&json!("closed"), &json!(5)));
    let refused = app.request(Method::POST, &format!("/v1/campaigns/{id}/decisions"), &app.token);
    let refused = refused.json(&json!({"action": "reject", "seen_size": 5})).send().await.unwrap();
    let problem = read(refused, &[409]).await;
    assert_eq!(problem["type"], "/problems/campaign-over");
    let invalid = app.request(Method::POST, &format!("/v1/campaigns/{id}/decisions"), &app.token);
    let invalid = invalid.json(&json!({"action": "hold", "seen_size": 5})).send().await.unwrap();
    assert_eq!(read(invalid, &[422]).await["field"], "action");
}

#[tokio::test]
async fn whoever_watches_hears_of_it() {
    let app = TestApp::spawn().await;
    let mut stream = app.request(Method::GET, "/v1/events", &app.token).send().await.unwrap();
    let mut heard = String::new();
    let mut posted = false;
    while !heard.contains("event: campaign.changed") {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        heard += &String::from_utf8_lossy(&chunk);
        if heard.contains("event: hello") && !posted {
            posted = true;
            for at in 0..5 {
                app.comment(&under(&format!("s-{at}"), HEADLINE)).await;
            }
            let campaign = only(&app).await;
            decide(&app, &campaign, json!({"action": "reject", "seen_size": 5})).await;
        }
    }
    for name in ["campaign.recognised", "campaign.grew"] {
        assert!(heard.contains(&format!("event: {name}\n")), "{name}: {heard}");
    }
    assert_eq!(heard.matches("event: campaign.recognised").count(), 1, "once for each place");
}

#[tokio::test]
async fn assessing_tells_of_the_campaign_and_joins_none() {
    let app = TestApp::spawn().await;
    tell_the_story(&app).await;
    let verdict = read(app.post("/v1/assess", &under("asked", HEADLINE)).await, &[200]).await;
    assert!(signal(&verdict, "campaign").is_some(), "{verdict}");
    assert_eq!(only(&app).await["size"], 5);
}

#[tokio::test]
async fn a_member_that_was_drawn_is_held_to_people() {
    let app = unsuspecting(|config| config.sampling.rate = 1.0).await;
    let answers = tell_the_story(&app).await;
    assert_eq!(answers[0]["status"], "approved", "{}", answers[0]["verdict"]);
    let campaign = only(&app).await;
    let counts = &campaign["counts"];
    assert_eq!((&counts["held"], &counts["approved"], &counts["rechecks"]), (&json!(5), &json!(0), &json!(0)));
    let found = whole(&app, &campaign["id"], "?status=held").await;
    assert_eq!(names(&found["members"]).len(), 5);
    for member in found["members"].as_array().unwrap() {
        let comment = &member["comment"];
        assert_eq!((&comment["status"], &comment["verdict"]["action"]), (&json!("held"), &json!("hold")));
        assert_eq!(member["recheck"], false);
    }
    for none in ["?status=approved", "?recheck=true"] {
        assert_eq!(names(&whole(&app, &campaign["id"], none).await["members"]), [""; 0], "{none}");
    }
}
