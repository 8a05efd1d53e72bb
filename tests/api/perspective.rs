//! Clients of Perspective: scores of what is modelled and of nothing else, and what becomes of the scores that they suggest.

use std::io::Write;
use std::sync::{Arc, Mutex};

use doorward::domain::site::Scope;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::helpers::{TestApp, doubtful, ordinary, read, talk};

async fn call(app: &TestApp, method: &str, body: &Value) -> Response {
    let scopes: &[Scope] = if method == "analyze" { &[Scope::Post] } else { &[Scope::Feedback] };
    let url = format!("{}/v1alpha1/comments:{method}?key={}&alt=json", app.address, app.another_key(scopes).await);
    app.client.post(url).json(body).send().await.unwrap()
}

async fn analyze(app: &TestApp, body: &Value) -> Value {
    read(call(app, "analyze", body).await, &[200]).await
}

async fn suggest(app: &TestApp, body: &Value) {
    let answer = read(call(app, "suggestscore", body).await, &[200]).await;
    assert_eq!(answer.get("clientToken"), body.get("clientToken"));
}

fn asked(text: &str, attributes: &[&str]) -> Value {
    let attributes: Value =
        attributes.iter().map(|name| ((*name).to_owned(), json!({}))).collect::<serde_json::Map<_, _>>().into();
    json!({"comment": {"text": text}, "requestedAttributes": attributes})
}

/// As Coral sends what its moderators did.
fn coral(id: &str, text: &str, value: f64) -> Value {
    let entry = json!({"url": format!("https://news.example/s-1?commentID={id}"), "Coral_comment_id": id}).to_string();
    json!({"comment": {"text": text}, "context": {"entries": [{"text": entry}]},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": value}}}, "languages": ["en"],
        "communityId": "Coral:https://talk.news.example/", "clientToken": format!("comment:{id}")})
}

async fn listed(app: &TestApp) -> Vec<Value> {
    let list = app.request(Method::GET, "/v1/comments?limit=500", &app.key).send().await.unwrap();
    read(list, &[200]).await["items"].as_array().unwrap().clone()
}

async fn one(app: &TestApp, id: &str) -> Value {
    read(app.request(Method::GET, &format!("/v1/comments/{id}"), &app.key).send().await.unwrap(), &[200]).await
}

async fn history(app: &TestApp, comment: &Value) -> Vec<Value> {
    let path = format!("/v1/comments/by-uid/{}/explanation", comment["uid"].as_str().unwrap());
    app.review(Method::GET, &path, None).await["history"].as_array().unwrap().clone()
}

async fn waiting_labels(app: &TestApp) -> u64 {
    let sites = app.store.sites().await.unwrap();
    let site = sites.iter().find(|site| &*site.name == "news").unwrap();
    let counts = app.store.label_counts(site.id).await.unwrap();
    counts.values().sum()
}

#[tokio::test]
async fn scores_are_those_of_an_assessment_and_nothing_is_stored() {
    let app = TestApp::spawn().await;
    let text = "buy cheap viagra now, you idiot";
    let answer = analyze(&app, &asked(text, &["SPAM", "TOXICITY"])).await;
    let same = json!({"id": "perspective", "article": {"id": "perspective"}, "body": text});
    let verdict = read(app.post("/v1/assess", &same).await, &[200]).await["verdict"].clone();
    for (attribute, category) in [("SPAM", "spam"), ("TOXICITY", "abuse")] {
        let scores = &answer["attributeScores"][attribute];
        let whole = &scores["spanScores"];
        assert_eq!(scores["summaryScore"], json!({"value": verdict["scores"][category], "type": "PROBABILITY"}));
        assert_eq!(whole, &json!([{"begin": 0, "end": text.len(), "score": scores["summaryScore"]}]), "{attribute}");
    }
    let more = json!({"doNotStore": false, "clientToken": "t-1", "sessionId": "s", "communityId": "c", "languages": ["de"], "new": 1});
    let mut body = asked(text, &["SPAM"]);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = analyze(&app, &body).await;
    assert_eq!((&answer["clientToken"], &answer["languages"]), (&json!("t-1"), &json!(["de"])));
    assert_eq!(listed(&app).await, Vec::<Value>::new());
    let again = analyze(&app, &asked(text, &["SPAM"])).await;
    let first = analyze(&app, &asked(text, &["SPAM"])).await;
    assert_eq!(again, first, "to ask teaches nothing");
}

#[tokio::test]
async fn thresholds_leave_scores_out() {
    let app = TestApp::spawn().await;
    let mut body = asked(&talk("quiet"), &["SPAM", "TOXICITY"]);
    body["requestedAttributes"]["SPAM"] = json!({"scoreType": "PROBABILITY", "scoreThreshold": 0.0});
    body["requestedAttributes"]["TOXICITY"] = json!({"scoreThreshold": 1.0});
    let answer = analyze(&app, &body).await;
    let names: Vec<&String> = answer["attributeScores"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["SPAM"]);
    body["requestedAttributes"]["SPAM"]["scoreThreshold"] = json!(1.0);
    assert_eq!(analyze(&app, &body).await.get("attributeScores"), None, "as that service does");
}

#[tokio::test]
async fn parts_that_made_a_score_up_are_pointed_at_in_utf_16() {
    let app = TestApp::spawn().await;
    let text = "🎉🎉 Grüße! buy cheap viagra now";
    let mut body = asked(text, &["SPAM"]);
    body["spanAnnotations"] = json!(true);
    let answer = analyze(&app, &body).await;
    let units: Vec<u16> = text.encode_utf16().collect();
    let spans = answer["attributeScores"]["SPAM"]["spanScores"].as_array().unwrap();
    let shown: Vec<String> = spans
        .iter()
        .map(|span| {
            let at = |name: &str| usize::try_from(span[name].as_u64().unwrap()).unwrap();
            assert!((0.0..=1.0).contains(&span["score"]["value"].as_f64().unwrap()));
            String::from_utf16(&units[at("begin")..at("end")]).expect("no character is cut in two")
        })
        .collect();
    assert!(shown.iter().any(|part| part.contains("viagra") && part.len() < text.len()), "{shown:?}");
}

#[tokio::test]
async fn what_is_not_modelled_is_refused_by_name() {
    let app = TestApp::spawn().await;
    for (body, field, sentence) in [
        (
            asked("words", &["SPAM", "SEVERE_TOXICITY"]),
            "requestedAttributes.SEVERE_TOXICITY",
            "requestedAttributes.SEVERE_TOXICITY: is not modelled here; what is: SPAM, TOXICITY, OFF_TOPIC",
        ),
        (
            asked("words", &["OFF_TOPIC"]),
            "requestedAttributes.OFF_TOPIC",
            "requestedAttributes.OFF_TOPIC: needs the text of the article as context; without one, what is: SPAM, TOXICITY",
        ),
        (
            asked("words", &[]),
            "requestedAttributes",
            "requestedAttributes: must name some of: SPAM, TOXICITY, OFF_TOPIC",
        ),
        (asked("  ", &["SPAM"]), "comment.text", "comment.text: must not be empty or blank"),
    ] {
        let error = read(call(&app, "analyze", &body).await, &[400]).await["error"].clone();
        let found = (&error["code"], &error["status"], &error["message"]);
        assert_eq!(found, (&json!(400), &json!("INVALID_ARGUMENT"), &json!(sentence)));
        assert_eq!(error["details"][0]["fieldViolations"][0]["field"], field);
    }
    let unread = app.client.post(format!("{}/v1alpha1/comments:analyze?key={}", app.address, app.key)).body("{");
    let unread = read(unread.send().await.unwrap(), &[400]).await;
    assert_eq!(unread["error"]["status"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn what_is_too_large_is_refused_as_it_was_sent_and_before_anything_is_read_of_it() {
    let app = TestApp::spawn().await;
    let with = |text: &str, context: Value| {
        let mut body = asked(text, &["SPAM"]);
        body["attributeScores"] = json!({"SPAM": {"summaryScore": {"value": 1.0}}}); // of no meaning to the other method
        body["context"] = context;
        body
    };
    let phrases = |bytes: usize| "\u{fdfa}".repeat(bytes / 3);
    let half = json!({"text": "x".repeat(100_001)});
    let rows = [
        ("the text", with(&phrases(90_000), Value::Null), "comment.text", 90_000, 65_536),
        ("an entry", with("hello", json!({"entries": [{"text": phrases(900_000)}]})), "context", 900_000, 200_000),
        ("two entries", with("hello", json!({"entries": [half, half]})), "context", 200_002, 200_000),
        (
            "an entry and an article",
            with("hello", json!({"entries": [half], "articleAndParentComment": {"article": half}})),
            "context",
            200_002,
            200_000,
        ),
        (
            "markup that shows nothing",
            with("hello", json!({"entries": [{"text": "<p></p>".repeat(30_000), "type": "HTML"}]})),
            "context",
            210_000,
            200_000,
        ),
        (
            "what is no article",
            with("hello", json!({"entries": [{"text": format!("{{{}", " ".repeat(200_000))}]})),
            "context",
            200_001,
            200_000,
        ),
    ];
    for (name, body, field, bytes, most) in rows {
        for method in ["analyze", "suggestscore"] {
            let error = read(call(&app, method, &body).await, &[400]).await["error"].clone();
            assert_eq!(
                error["message"],
                format!("{field}: has {bytes} bytes, at most {most} are allowed"),
                "{name}: {method}"
            );
            assert_eq!(error["details"][0]["fieldViolations"][0]["field"], field, "{name}: {method}");
            assert_eq!(
                error["details"][1]["errorType"] == "COMMENT_TOO_LONG",
                field == "comment.text",
                "{name}: {method}"
            );
        }
    }
    assert_eq!(listed(&app).await, Vec::<Value>::new());
    let fits = with("hello", json!({"entries": [{"text": phrases(199_998)}]}));
    analyze(&app, &fits).await;
}

#[tokio::test]
async fn where_no_model_runs_no_score_of_abuse_is_made_up() {
    let app = TestApp::spawn_with(|config| config.model.enabled = false).await;
    let error =
        read(call(&app, "analyze", &asked("you idiot", &["SPAM", "TOXICITY"])).await, &[400]).await["error"].clone();
    assert_eq!(
        (&error["status"], &error["message"]),
        (
            &json!("INVALID_ARGUMENT"),
            &json!("requestedAttributes.TOXICITY: is not modelled here, where no model runs; what is: SPAM, OFF_TOPIC")
        )
    );
    let spam = analyze(&app, &asked("buy viagra now", &["SPAM"])).await;
    assert!(spam["attributeScores"]["SPAM"]["summaryScore"]["value"].as_f64().is_some());
}

#[tokio::test]
async fn off_topic_is_told_against_the_article_that_is_sent() {
    let app = TestApp::spawn().await;
    let article = "The council approved the cycle lanes along the river on Tuesday. The lanes connect the station with the harbour, and the \
        city will build bridges for bicycles over the two busy streets. Residents had asked for the lanes for years, the mayor said, and \
        the works will begin in spring, when the river is low. The council also voted on parking at the station.";
    let score = async |text: &str| {
        let mut body = asked(text, &["OFF_TOPIC"]);
        body["context"] = json!({"entries": [{"text": article}]});
        analyze(&app, &body).await["attributeScores"]["OFF_TOPIC"]["summaryScore"]["value"].as_f64().unwrap()
    };
    let on = score(
        "The lanes along the river are long overdue, and the bridges at the station will help everybody who cycles.",
    )
    .await;
    let off = score("Subscribe to my channel for daily horoscopes, lottery numbers, crypto signals and miracle diets that doctors hate.").await;
    assert!(off > on, "{off} > {on}");
}

#[tokio::test]
async fn keys_come_every_way_that_clients_send_them_and_problems_are_in_googles_words() {
    let app = TestApp::spawn().await;
    let body = asked("words and words", &["SPAM"]);
    let url = format!("{}/v1alpha1/comments:analyze", app.address);
    let escaped = format!("{}/v1alpha1/comments%3Aanalyze?key={}", app.address, app.key);
    assert_eq!(app.client.post(escaped).json(&body).send().await.unwrap().status(), 200);
    assert_eq!(app.client.post(&url).bearer_auth(&app.key).json(&body).send().await.unwrap().status(), 200);
    assert_eq!(
        app.client.post(&url).header("X-Goog-Api-Key", &app.key).json(&body).send().await.unwrap().status(),
        200
    );
    let reading = app.another_key(&[Scope::Read]).await;
    for (key, code, status) in [
        (String::new(), 401, "UNAUTHENTICATED"),
        ("?key=".to_owned(), 401, "UNAUTHENTICATED"),
        ("?key=nonsense".to_owned(), 401, "UNAUTHENTICATED"),
        (format!("?key={reading}"), 403, "PERMISSION_DENIED"),
        (format!("?key={}", app.token), 403, "PERMISSION_DENIED"),
    ] {
        let answer = app.client.post(format!("{url}{key}")).json(&body).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap());
        assert_eq!(challenge, (code == 401).then_some("Bearer realm=\"Doorward\""));
        let error = read(answer, &[code]).await["error"].clone();
        assert_eq!((&error["code"], &error["status"]), (&json!(code), &json!(status)), "{key}");
    }
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_generated_clients_send_along_makes_no_difference() {
    let app = TestApp::spawn().await;
    let body = json!({"comment": {"text": "buy cheap viagra now"}, "requestedAttributes": {"SPAM": {}}});
    let url = |query: &str| format!("{}/v1alpha1/comments:analyze?key={}{query}", app.address, app.key);
    let plain = read(app.client.post(url("")).json(&body).send().await.unwrap(), &[200]).await;
    let query = "&alt=json&prettyPrint=false&%24.xgafv=2&fields=attributeScores&quotaUser=me&trace=x&unknown";
    let request = app.client.post(url(query)).json(&body);
    let request = request.header("x-goog-api-client", "gdcl/2 gl-python/3").header("x-http-method-override", "GET");
    assert_eq!(read(request.send().await.unwrap(), &[200]).await, plain);
    let nulls = json!({"comment": {"text": "buy cheap viagra now", "type": null}, "requestedAttributes": {"SPAM": null},
        "context": null, "languages": null, "doNotStore": null, "spanAnnotations": null});
    assert_eq!(read(app.client.post(url("")).json(&nulls).send().await.unwrap(), &[200]).await, plain);

    let request = app.client.post(url("")).header("content-type", "application/json; charset=utf-8");
    let request = request.header("content-encoding", "gzip").body(zipped(body.to_string().as_bytes()));
    assert_eq!(read(request.send().await.unwrap(), &[200]).await, plain);
    let unknown = app.client.post(url("")).header("content-encoding", "br").body(body.to_string());
    read(unknown.send().await.unwrap(), &[415]).await;
    let bomb = app.client.post(url("")).header("content-encoding", "gzip").body(zipped(&vec![b' '; 2_000_000]));
    read(bomb.send().await.unwrap(), &[413]).await;
    let not_zipped = app.client.post(url("")).header("content-encoding", "gzip").body(body.to_string());
    let unread = read(not_zipped.send().await.unwrap(), &[400]).await;
    assert_eq!(unread["error"]["status"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn names_may_be_written_with_underscores() {
    let app = TestApp::spawn().await;
    let asked = json!({"comment": {"text": "buy cheap viagra now"}, "client_token": "t-1", "session_id": "s", "community_id": "c",
        "requested_attributes": {"SPAM": {"score_type": "PROBABILITY", "score_threshold": 1.0}, "TOXICITY": {"score_threshold": 0.0}},
        "context": {"article_and_parent_comment": {"article": {"text": "Trams."}}}, "do_not_store": true, "span_annotations": true});
    let answer = analyze(&app, &asked).await;
    let names: Vec<&String> = answer["attributeScores"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["TOXICITY"]);
    assert_eq!(answer["clientToken"], "t-1");
    let comment = app.comment(&ordinary("c-1")).await;
    let scores = json!({"SPAM": {"summary_score": {"value": 1.0}}});
    let suggested = json!({"comment": {"text": comment["body"]}, "client_token": "c-1", "attribute_scores": scores});
    read(call(&app, "suggestscore", &suggested).await, &[200]).await;
    assert_eq!(one(&app, "c-1").await["status"], "rejected");
}

#[tokio::test]
async fn errors_say_why_where_clients_look_for_it() {
    let app = TestApp::spawn().await;
    let call = async |key: &str, body: &str| {
        let url = format!("{}/v1alpha1/comments:analyze?key={key}", app.address);
        let answer = app.client.post(url).body(body.to_owned()).send().await.unwrap();
        read(answer, &[400, 401]).await["error"]["details"][0].clone()
    };
    assert_eq!(call("nonsense", "{}").await["reason"], "API_KEY_INVALID");
    assert_eq!(call(&app.key, "{}").await["fieldViolations"][0]["field"], "comment");
    let unread = call(&app.key, "").await;
    assert!(unread["fieldViolations"][0]["description"].as_str().unwrap().starts_with("not JSON"), "{unread}");
}

#[tokio::test]
async fn a_key_that_may_only_ask_for_scores_decides_nothing_and_is_told_how_to_get_one_that_may() {
    let app = TestApp::spawn().await;
    let held = app.comment(&doubtful("c-1")).await;
    let everything_else = app.another_key(&[Scope::Post, Scope::Read, Scope::Erase]).await;
    let url = format!("{}/v1alpha1/comments:suggestscore?key={everything_else}", app.address);
    let body = coral("c-1", held["body"].as_str().unwrap(), 0.0);
    let error = read(app.client.post(url).json(&body).send().await.unwrap(), &[403]).await["error"].clone();
    let sentence =
        "this key lacks the scope `feedback`; `doorward site key news --scopes post,feedback` makes one that has it";
    let found = (&error["code"], &error["status"], &error["message"]);
    assert_eq!(found, (&json!(403), &json!("PERMISSION_DENIED"), &json!(sentence)));
    assert_eq!(one(&app, "c-1").await, held);
}

/// What the service logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_key_in_the_address_is_told_to_nobody() {
    let log = Log::default();
    let writer = log.clone();
    // Everything that any part of the process says, at every level; of another test that says something meanwhile, too.
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other test of this program listens");
    let app = TestApp::spawn().await;
    let reading = app.another_key(&[Scope::Read]).await;
    let unknown = "dw_site_ThisKeyIsNobodys0123456789";
    let mut answers = String::new();
    for key in [app.key.as_str(), &reading, unknown] {
        for (path, body) in [
            ("/v1alpha1/comments:analyze", asked("words and words", &["SPAM"]).to_string()),
            ("/v1alpha1/comments:analyze", asked("words", &["INSULT"]).to_string()),
            ("/v1alpha1/comments:suggestscore", "{".to_owned()),
            ("/v1alpha1/comments:nothing", "{}".to_owned()),
        ] {
            let answer = app
                .client
                .post(format!("{}{path}?key={key}&x=%00", app.address))
                .body(body.clone())
                .send()
                .await
                .unwrap();
            answers += &format!("{:?}{}", answer.headers().clone(), answer.text().await.unwrap());
            let request = app.client.post(format!("{}{path}?key={key}", app.address)).header("accept", "text/html");
            let answer = request.body(body).send().await.unwrap();
            answers += &format!("{:?}{}", answer.headers().clone(), answer.text().await.unwrap());
        }
    }
    answers += &app.request(Method::GET, "/metrics", "").send().await.unwrap().text().await.unwrap();
    let said = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(said.contains("/v1alpha1/comments:analyze"), "what was asked is in the log");
    for key in [app.key.as_str(), &reading, unknown] {
        assert!(!said.contains(key), "a key is in the log: {}", said.lines().find(|line| line.contains(key)).unwrap());
        assert!(!answers.contains(key), "a key is in an answer");
    }
}

#[tokio::test]
async fn a_moderator_of_coral_decides_about_the_comment_that_is_here() {
    let app = TestApp::spawn().await;
    let held = app.comment(&doubtful("c-1")).await;
    assert_eq!(held["status"], "held");
    let text = held["body"].as_str().unwrap().to_owned();
    suggest(&app, &coral("c-1", &text, 0.0)).await;
    let now = one(&app, "c-1").await;
    assert_eq!((&now["status"], &now["decided_by"]), (&json!("approved"), &json!("person")));
    let happened = history(&app, &now).await;
    let last = happened.last().unwrap();
    assert_eq!((&last["kind"], &last["by"]), (&json!("decided"), &json!("news")), "it says who reported");
    assert_eq!(waiting_labels(&app).await, 1);
    suggest(&app, &coral("c-1", &text, 0.0)).await;
    assert_eq!(history(&app, &now).await.len(), happened.len(), "said again, it is known");
    suggest(&app, &coral("c-1", &text, 1.0)).await;
    let rejected = one(&app, "c-1").await;
    assert_eq!(rejected["status"], "rejected", "the site may change its mind");
    let last = history(&app, &rejected).await.pop().unwrap();
    assert_eq!(last["category"], "spam", "what it was stopped for here says more than the one attribute of the client");
    let queue = app.review(Method::GET, "/v1/queue", None).await;
    assert_eq!(queue["items"], json!([]));
}

#[tokio::test]
async fn a_person_here_outranks_what_is_suggested() {
    let app = TestApp::spawn().await;
    let held = app.comment(&doubtful("c-1")).await;
    let ask = json!({"items": [{"uid": held["uid"], "seen_version": held["version"]}], "action": "reject", "category": "spam"});
    app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    let before = one(&app, "c-1").await;
    suggest(&app, &coral("c-1", held["body"].as_str().unwrap(), 0.0)).await;
    assert_eq!(one(&app, "c-1").await, before);
}

#[tokio::test]
async fn a_decision_that_a_person_took_back_outranks_nothing() {
    let app = TestApp::spawn().await;
    let held = app.comment(&doubtful("c-1")).await;
    let text = held["body"].as_str().unwrap();
    suggest(&app, &coral("c-1", text, 1.0)).await;
    let now = one(&app, "c-1").await;
    let ask = json!({"items": [{"uid": now["uid"], "seen_version": now["version"]}], "action": "approve"});
    let decided = app.review(Method::POST, "/v1/decisions", Some(&ask)).await;
    suggest(&app, &coral("c-1", text, 1.0)).await;
    assert_eq!(one(&app, "c-1").await["status"], "approved", "a person's decision stands");
    let undo = format!("/v1/decisions/{}/undo", decided["decision"].as_str().unwrap());
    app.review(Method::POST, &undo, Some(&json!({}))).await;
    assert_eq!(one(&app, "c-1").await["status"], "rejected", "the site's own is in force again");
    suggest(&app, &coral("c-1", text, 0.0)).await;
    assert_eq!(one(&app, "c-1").await["status"], "approved", "and the site may change its mind");
}

#[tokio::test]
async fn a_comment_is_found_by_its_words_where_its_name_is_not_known() {
    let app = TestApp::spawn().await;
    let mut comment = ordinary("theirs");
    comment["article"]["url"] = json!("https://news.example/s-1");
    app.comment(&comment).await;
    app.comment(&ordinary("another")).await;
    suggest(&app, &coral("coral-id", comment["body"].as_str().unwrap(), 1.0)).await;
    assert_eq!(one(&app, "theirs").await["status"], "rejected");
    assert_eq!(one(&app, "another").await["status"], "approved");
    assert_eq!(listed(&app).await.len(), 2);
}

#[tokio::test]
async fn the_same_words_by_somebody_else_or_on_another_page_are_left_alone() {
    let app = TestApp::spawn().await;
    let body = talk("said twice");
    let of = |id: &str, author: &str, url: &str| json!({"id": id, "article": {"id": format!("at {url}"), "url": url}, "author": {"id": author}, "body": body});
    app.comment(&of("here", "ann", "https://news.example/s-1")).await;
    app.comment(&of("elsewhere", "ben", "https://news.example/s-2")).await;
    let status = async |id: &str| one(&app, id).await["status"].as_str().unwrap().to_owned();
    let before = status("elsewhere").await;
    suggest(&app, &coral("unknown", &body, 1.0)).await;
    assert_eq!((status("here").await, status("elsewhere").await), ("rejected".to_owned(), before.clone()));
    // Whose it is cannot be told: it is a label, and nobody's comment.
    suggest(&app, &coral("unknown", &body, 0.0)).await;
    let count = waiting_labels(&app).await;
    let now = status("here").await;
    let spam = json!({"comment": {"text": body}, "attributeScores": {"SPAM": {"summaryScore": {"value": 0.9}}}});
    for _ in 0..2 {
        suggest(&app, &spam).await;
        assert_eq!((status("here").await, status("elsewhere").await), (now.clone(), before.clone()));
        assert_eq!((listed(&app).await.len(), waiting_labels(&app).await), (3, count + 1));
    }
}

#[tokio::test]
async fn what_is_stored_of_a_suggestion_takes_no_name_away_from_the_site() {
    let app = TestApp::spawn().await;
    let spam = json!({"comment": {"text": "words of somebody else"}, "clientToken": "c-1",
        "attributeScores": {"SPAM": {"summaryScore": {"value": 0.9}}}});
    suggest(&app, &spam).await;
    let own = app.comment(&ordinary("c-1")).await;
    assert_eq!((&own["id"], listed(&app).await.len()), (&json!("c-1"), 2));
}

#[tokio::test]
async fn what_never_came_here_is_stored_to_be_learned_from() {
    let app = TestApp::spawn().await;
    suggest(&app, &coral("c-9", "You are all vermin and should be beaten", 1.0)).await;
    let stored = one(&app, "perspective:c-9").await;
    assert_eq!((&stored["status"], &stored["decided_by"]), (&json!("rejected"), &json!("person")));
    assert_eq!(stored["article_id"], "https://news.example/s-1");
    assert_eq!(waiting_labels(&app).await, 1);
    let spam =
        json!({"comment": {"text": talk("an example")}, "attributeScores": {"SPAM": {"summaryScore": {"value": 0.9}}}});
    suggest(&app, &spam).await;
    assert_eq!((listed(&app).await.len(), waiting_labels(&app).await), (2, 2));
    suggest(&app, &spam).await;
    assert_eq!((listed(&app).await.len(), waiting_labels(&app).await), (2, 2), "the same again is the same");
}

#[tokio::test]
async fn that_a_text_is_no_abuse_publishes_nothing_that_was_stopped_as_spam() {
    let app = TestApp::spawn().await;
    let held = app.comment(&doubtful("c-1")).await;
    assert_eq!(held["verdict"]["category"], "spam");
    let body =
        json!({"comment": {"text": held["body"]}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.0}}}});
    suggest(&app, &body).await;
    assert_eq!(one(&app, "c-1").await["status"], "held");
    let body =
        json!({"comment": {"text": held["body"]}, "attributeScores": {"SPAM": {"summaryScore": {"value": 0.0}}}});
    suggest(&app, &body).await;
    assert_eq!(one(&app, "c-1").await["status"], "approved");
}

#[tokio::test]
async fn that_a_text_is_no_abuse_publishes_nothing_that_waits_for_no_category() {
    let app = TestApp::spawn_with(|config| config.moderation = toml::from_str("mode = \"pre\"").unwrap()).await;
    let held = app.comment(&ordinary("c-1")).await;
    assert_eq!((&held["status"], &held["verdict"]["category"]), (&json!("held"), &json!(null)));
    let score = json!({"summaryScore": {"value": 0.0}});
    let scores = json!({"TOXICITY": score, "SPAM": score, "OFF_TOPIC": score});
    suggest(&app, &json!({"comment": {"text": held["body"]}, "attributeScores": scores, "clientToken": "c-1"})).await;
    assert_eq!(one(&app, "c-1").await["status"], "held", "the site's mode asks for a person");
}

#[tokio::test]
async fn suggested_scores_of_what_is_not_modelled_are_refused() {
    let app = TestApp::spawn().await;
    let body = json!({"comment": {"text": "words"}, "attributeScores": {"INSULT": {"summaryScore": {"value": 1.0}}}});
    let error = read(call(&app, "suggestscore", &body).await, &[400]).await["error"].clone();
    assert_eq!(error["details"][0]["fieldViolations"][0]["field"], "attributeScores.INSULT");
    assert_eq!(listed(&app).await, Vec::<Value>::new());
}
