//! The telltale case: one headline pasted under thirty articles by ten authors among three hundred ordinary comments, in several
//! forms.

use serde_json::{Value, json};

use crate::helpers::{TestApp, signal};

const HEADLINE: &str = "Local Startup Claims Its Battery Charges in Ninety Seconds";
const SECOND: &str = "Five Islands Where Houses Cost Less Than a Used Car";
/// The same story told again: a word or two changed each time.
const REWORDED: &[&str] = &[
    "Local Startup Claims Its Battery Charges in Ninety Seconds",
    "Local Startup Says Its Battery Charges in Just Ninety Seconds",
    "A Local Startup Claims New Battery Charges in Ninety Seconds",
    "Local startup claims its battery charges in only ninety seconds",
    "Local Startup Claims Its New Battery Charges in 90 Seconds",
    "This Local Startup Claims Its Battery Charges In Ninety Seconds!",
];
const SUBJECTS: &[&str] = &[
    "cycle lanes",
    "school lunches",
    "harbour bridge",
    "library hours",
    "tram tickets",
    "market square",
    "swimming pool",
    "night buses",
    "city budget",
    "museum wing",
    "river flood",
    "town orchestra",
    "hospital beds",
    "road works",
    "football ground",
];

/// Ordinary talk, by sixty people.
fn talk(at: usize) -> Value {
    let article = at % SUBJECTS.len();
    let body = format!("{} So much for the {}.", crate::helpers::talk(&format!("talk {at}")), SUBJECTS[article]);
    json!({"id": format!("talk-{at}"), "article": page(article), "author": {"id": format!("reader-{}", at % 60)}, "body": body})
}

fn page(at: usize) -> Value {
    let subject = SUBJECTS[at % SUBJECTS.len()];
    json!({
        "id": format!("page-{at}"), "url": format!("https://news.example/page-{at}"), "title": format!("Council debates the {subject} again"),
        "text": format!("On Tuesday the council debated the {subject}. Members of all parties spoke about the {subject}, the costs and the time that building would take."),
    })
}

/// The campaign's comment number `at` of a form.
fn pasted(form: usize, at: usize) -> Value {
    let body = match form {
        1 => format!("{HEADLINE} http://battery-news.example/story"),
        2 => HEADLINE.to_owned(),
        3 => format!("{HEADLINE} http://host-{at}.example/{at}"),
        4 => REWORDED[at % REWORDED.len()].to_owned(),
        6 => format!("> {HEADLINE} http://battery-news.example/story"),
        7 => format!("{}\n\n{HEADLINE}\n{SECOND}", wrapped(at)),
        _ => format!("{}\n\n{HEADLINE}\n{SECOND}", talk(1_000 + at * 31)["body"].as_str().unwrap()),
    };
    json!({"id": format!("paste-{at}"), "article": page(at), "author": {"id": format!("paster-{}", at % 10)}, "body": body})
}

/// A long comment as mail programs send it: no line longer than 72 letters, each of which could be a headline by its length.
fn wrapped(at: usize) -> String {
    let long: Vec<String> =
        (0..9).map(|part| talk(2_000 + at * 31 + part * 977)["body"].as_str().unwrap().to_owned()).collect();
    let mut lines = vec![String::new()];
    for word in long.join(" ").split(' ') {
        let last = lines.last_mut().unwrap();
        if last.len() + word.len() >= 72 {
            lines.push(word.to_owned());
        } else {
            *last = format!("{last} {word}").trim_start().to_owned();
        }
    }
    lines.join("\n")
}

async fn run(form: usize) -> Vec<(Value, Value)> {
    let app = TestApp::spawn().await;
    let mut sent = Vec::new();
    for at in 0..300 {
        sent.push(talk(at));
        if at % 10 == 5 {
            sent.push(pasted(form, at / 10));
        }
    }
    let mut answers = Vec::new();
    for chunk in sent.chunks(50) {
        answers.extend(app.batch(chunk).await);
        app.clock.advance_ms(600_000);
    }
    sent.into_iter().zip(answers).collect()
}

fn is_pasted(comment: &Value) -> bool {
    comment["id"].as_str().unwrap().starts_with("paste-")
}

fn assert_talk_is_left_alone(answers: &[(Value, Value)]) {
    let held: Vec<&Value> = answers
        .iter()
        .filter(|(sent, answer)| !is_pasted(sent) && answer["status"] != "approved")
        .map(|(_, answer)| answer)
        .collect();
    assert!(held.is_empty(), "{} of 300 ordinary comments are held, as {}", held.len(), held[0]);
}

async fn assert_held_from(form: usize, first: usize) {
    let answers = run(form).await;
    assert_talk_is_left_alone(&answers);
    let pasted: Vec<&Value> = answers.iter().filter(|(sent, _)| is_pasted(sent)).map(|(_, answer)| answer).collect();
    assert_eq!(pasted.len(), 30);
    for (at, answer) in pasted.iter().enumerate().skip(first - 1) {
        assert_eq!(answer["status"], "held", "appearance {} of form {form}: {}", at + 1, answer["verdict"]);
        let hit =
            signal(answer, "unrelated-headline").unwrap_or_else(|| panic!("appearance {} of form {form}", at + 1));
        let evidence = hit["evidence"].as_str().unwrap();
        assert!(evidence.contains("paste-"), "the earlier ones are not named: {evidence}");
    }
}

#[tokio::test]
async fn a_headline_with_the_same_link_is_held_from_the_second_on() {
    assert_held_from(1, 2).await;
}

#[tokio::test]
async fn a_headline_without_a_link_is_held_from_the_second_on() {
    assert_held_from(2, 2).await;
}

#[tokio::test]
async fn a_headline_with_another_host_each_time_is_held_from_the_second_on() {
    assert_held_from(3, 2).await;
}

#[tokio::test]
async fn a_reworded_headline_is_held_from_the_third_on() {
    assert_held_from(4, 3).await;
}

#[tokio::test]
async fn two_headlines_at_the_end_of_a_long_genuine_comment_are_shown() {
    assert_headlines_are_shown(5).await;
}

#[tokio::test]
async fn two_headlines_at_the_end_of_a_wrapped_comment_are_shown() {
    assert_headlines_are_shown(7).await;
}

#[tokio::test]
async fn a_headline_behind_a_quotation_mark_is_held_from_the_second_on() {
    assert_held_from(6, 2).await;
}

async fn assert_headlines_are_shown(form: usize) {
    let answers = run(form).await;
    assert_talk_is_left_alone(&answers);
    let pasted = answers.iter().filter(|(sent, _)| is_pasted(sent));
    for (at, (_, answer)) in pasted.enumerate().skip(1) {
        let hit = signal(answer, "unrelated-headline")
            .unwrap_or_else(|| panic!("appearance {}: {}", at + 1, answer["verdict"]));
        assert!(
            hit["evidence"].as_str().unwrap().contains("paste-") && !hit["spans"].as_array().unwrap().is_empty(),
            "{hit}"
        );
    }
}
