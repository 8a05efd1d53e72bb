//! Quotation: an answer may repeat what readers see above it, and a sign in front of an advertisement hides nothing.

use serde_json::{Value, json};

use crate::helpers::{TestApp, signal};

const PASTED: &str = "Local Startup Claims Its Battery Charges in Ninety Seconds http://battery-news.example/story";

fn comment(id: &str, article: &str, body: &str) -> Value {
    json!({
        "id": id, "author": {"id": format!("u-{id}")}, "body": body,
        "article": {"id": article},
    })
}

#[tokio::test]
async fn an_answer_may_quote_what_stands_above_it() {
    let app = TestApp::spawn().await;
    let first = app.comment(&comment("first", "harbour bridge", PASTED)).await;
    assert_eq!(first["status"], "approved", "nobody knows it yet");
    assert_eq!(app.comment(&comment("second", "night buses", PASTED)).await["status"], "held");
    let mut answer = comment("answer", "harbour bridge", &format!("> {PASTED}\nWhat has that to do with us?"));
    answer["parent_id"] = json!("first");
    let answer = app.comment(&answer).await;
    assert_eq!(answer["status"], "approved", "{}", answer["verdict"]);
    let mut agreed = comment("agreed", "harbour bridge", &format!("> {PASTED}\n+1"));
    agreed["parent_id"] = json!("first");
    let agreed = app.comment(&agreed).await;
    assert_eq!(agreed["status"], "approved", "{}", agreed["verdict"]);
}

#[tokio::test]
async fn thanks_in_the_same_words_are_no_paste() {
    let app = TestApp::spawn().await;
    for (at, body) in
        ["Thank you so much for this video", "I really love this song so much, thank you"].into_iter().enumerate()
    {
        for n in 0..5 {
            let said = app.comment(&comment(&format!("{at}-{n}"), &format!("page {at}-{n}"), body)).await;
            assert_eq!(said["status"], "approved", "{body}, the {n}th: {}", said["verdict"]);
        }
        let advertised = format!("{body} http://cheap-watches.example/now");
        for n in 0..3 {
            app.comment(&comment(&format!("{at}-link-{n}"), &format!("page {at}-{n}"), &advertised)).await;
        }
        let held = app.comment(&comment(&format!("{at}-link"), &format!("other page {at}"), &advertised)).await;
        assert_ne!(held["status"], "approved", "{body} with a link: {}", held["verdict"]);
    }
}

#[tokio::test]
async fn quoting_what_nobody_sees_excuses_nothing() {
    let app = TestApp::spawn().await;
    app.comment(&comment("first", "harbour bridge", PASTED)).await;
    let held = app.comment(&comment("second", "night buses", PASTED)).await;
    assert_eq!(held["status"], "held");
    let mut answer =
        comment("third", "night buses", &format!("> {PASTED}\nI find this very interesting, thank you all for it."));
    answer["parent_id"] = json!("second"); // its parent waits in the queue
    let answer = app.comment(&answer).await;
    assert_eq!(answer["status"], "held", "{}", answer["verdict"]);
    assert!(signal(&answer, "unrelated-headline").is_some() && signal(&answer, "repeated-link").is_some());
}
