//! Clients of Perspective that read a description of the service before they call it.

use std::collections::{BTreeMap, BTreeSet};

use doorward::http::routes::table;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::document::references;
use crate::helpers::{TestApp, read};

const PATH: &str = "/$discovery/rest?version=v1alpha1";

fn asked(app: &TestApp, path: &str) -> RequestBuilder {
    app.client.get(format!("{}{path}", app.address))
}

async fn described(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    read(answer, &[200]).await
}

/// The error in Google's words, and its message.
async fn refused(answer: Response, code: u16, status: &str) -> String {
    let error = read(answer, &[code]).await["error"].clone();
    assert_eq!((&error["code"], &error["status"]), (&json!(code), &json!(status)));
    error["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_method_that_is_described_is_a_route_and_every_schema_one_of_the_reference() {
    let app = TestApp::spawn().await;
    let described = described(asked(&app, PATH)).await;
    let text = |field: &str| described[field].as_str().unwrap();
    assert_eq!(text("kind"), "discovery#restDescription");
    assert_eq!(text("id"), format!("{}:{}", text("name"), text("version")));
    let methods = described["resources"]["comments"]["methods"].as_object().unwrap();
    let routes: BTreeSet<String> = table()
        .iter()
        .filter(|entry| entry.path.starts_with("/v1alpha1/"))
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect();
    let named: BTreeSet<String> = methods
        .values()
        .map(|method| {
            let [verb, path] = ["httpMethod", "path"].map(|field| method[field].as_str().unwrap());
            assert_eq!(method["flatPath"], path);
            format!("{verb} /{}{path}", text("servicePath"))
        })
        .collect();
    assert_eq!(named, routes);
    let mut referred = BTreeSet::new();
    references(&described, &mut referred);
    let schemas = described["schemas"].as_object().unwrap();
    let known: BTreeSet<String> = schemas.keys().cloned().collect();
    assert_eq!(referred, known);

    // The same fields as in the reference, which is made from the code.
    let reference = read(app.request(Method::GET, "/openapi.json", "").send().await.unwrap(), &[200]).await;
    let same = BTreeMap::from([
        ("AnalyzeCommentRequest", "AnalyzeIn"),
        ("AnalyzeCommentResponse", "AnalyzeOut"),
        ("SuggestCommentScoreRequest", "SuggestIn"),
        ("SuggestCommentScoreResponse", "SuggestOut"),
        ("TextEntry", "TextEntry"),
        ("Context", "ContextIn"),
        ("ArticleAndParentComment", "ArticleIn"),
        ("AttributeParameters", "AttributeIn"),
        ("AttributeScores", "AttributeScoresOut"),
        ("SpanScore", "SpanScoreOut"),
        ("Score", "ScoreOut"),
    ]);
    let fields = |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    for (name, schema) in schemas {
        assert_eq!(schema["id"], name.as_str());
        let of_reference = &reference["components"]["schemas"][same[name.as_str()]];
        assert_eq!(fields(schema), fields(of_reference), "{name}");
    }
}

#[tokio::test]
async fn the_description_names_the_address_by_which_it_was_asked_for() {
    let app = TestApp::spawn().await;
    let by = async |request: RequestBuilder| {
        let described = described(request).await;
        assert_eq!(described["rootUrl"], described["baseUrl"]);
        described["rootUrl"].as_str().unwrap().to_owned()
    };
    assert_eq!(by(asked(&app, PATH)).await, format!("{}/", app.address));
    assert_eq!(by(asked(&app, "/%24discovery/rest")).await, format!("{}/", app.address), "some clients escape it");
    let named = asked(&app, PATH).header("host", "Comments.internal:8080");
    assert_eq!(by(named).await, "http://comments.internal:8080/");
    for host in ["evil.example/here", "user@evil.example", "evil.example?", "a b"] {
        let answer = asked(&app, PATH).header("host", host).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{host}");
        assert!(!answer.text().await.unwrap().contains("evil"), "{host}");
    }
    // Whether a client came to that proxy by https, nobody here knows.
    for (name, value) in [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https"), ("forwarded", "for=_x")] {
        let answer = asked(&app, PATH).header(name, value).send().await.unwrap();
        let message = refused(answer, 503, "UNAVAILABLE").await;
        assert!(message.contains("server.public_url"), "{message}");
    }
    for (public_url, expected) in [
        ("https://doorward.example", "https://doorward.example/"),
        ("https://news.example/comments/", "https://news.example/comments/"),
    ] {
        let app = TestApp::spawn_with(|config| config.server.public_url = public_url.to_owned()).await;
        let proxied = asked(&app, PATH).header("x-forwarded-for", "203.0.113.9").header("host", "evil.example");
        assert_eq!(by(proxied).await, expected);
    }
}

#[tokio::test]
async fn one_version_is_described_to_whoever_asks() {
    let app = TestApp::spawn().await;
    let first = described(asked(&app, PATH)).await;
    for path in ["/$discovery/rest", "/$discovery/rest?version=v1alpha1&key=nonsense&userIp=203.0.113.9&unknown"] {
        assert_eq!(described(asked(&app, path)).await, first, "{path}");
    }
    for version in ["v1", "v1alpha2", "", "V1ALPHA1"] {
        let answer = asked(&app, &format!("/$discovery/rest?version={version}")).send().await.unwrap();
        let message = refused(answer, 404, "NOT_FOUND").await;
        assert_eq!(message, "there is no other version than v1alpha1 here");
    }
    let posted = app.client.post(format!("{}{PATH}", app.address)).send().await.unwrap();
    assert_eq!(posted.status(), 405);
}
