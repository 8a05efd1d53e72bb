//! Comments written for these tests, in the manner of the field, through the whole decision: precision and recall may not fall.
//!
//! `tests/corpus/comments.jsonl` holds them with their labels, `pages.json` the pages that they stand under. Genuine ones are expected to be
//! approved, the others to be held or rejected. What is pinned here is what the shipped model and the default settings reach; whoever makes
//! them better raises it, and nobody lowers it without saying why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward::app::evaluation::court::{Court, Heard};
use doorward::app::evaluation::rows::{Case, paced};
use doorward::classifier::written;
use doorward::config::Config;
use doorward::domain::comment::ArticleDraft;
use doorward::domain::decision::Action;
use doorward::domain::headline::is_common;
use doorward::domain::normalise::{fold_plain, words};
use doorward::domain::terms::Terms;
use doorward::startup;
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    page: String,
    label: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    url: Option<String>,
    body: String,
}

#[derive(Deserialize)]
struct PageText {
    title: String,
    text: String,
    tags: Vec<String>,
}

/// A court around the shipped model and the default settings; its past lies in the folder.
fn court() -> (Court, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let past = startup::empty_history(&folder.path().join("past.db")).expect("an empty past");
    let house = startup::house(&Config::default()).expect("the shipped model and the defaults are good");
    (Court::new(Arc::new(house), past), folder)
}

async fn judged() -> Vec<Heard> {
    let pages: BTreeMap<String, PageText> =
        serde_json::from_str(include_str!("corpus/pages.json")).expect("pages are JSON");
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in include_str!("corpus/comments.jsonl").lines().enumerate() {
        let Line { page, label, kind, author, url, body } = serde_json::from_str(line).expect("a line is a comment");
        let page = pages.get_key_value(&page).expect("a page that is there");
        let article = ArticleDraft {
            id: page.0.clone(),
            title: Some(page.1.title.clone()),
            text: Some(page.1.text.clone()),
            tags: Some(page.1.tags.clone()),
            ..ArticleDraft::default()
        };
        cases.push(Case {
            source: format!("{label} {}", kind.unwrap_or_default()),
            id: format!("{}", number + 1),
            body,
            article: Some(article),
            author: Some(format!("account {number}")),
            author_name: author,
            author_url: url,
            spam: Some(label == "spam"),
            abuse: Some(label == "abuse"),
            ..Case::default()
        });
    }
    paced(&mut cases, 600_000);
    let (mut court, _folder) = court();
    court.hear(cases).await.expect("every check could look")
}

// What depends on the model and is set anew with it: the spam caught, the genuine comments approved.

/// Of 53 advertisements, how many are held or rejected at least.
const SPAM_CAUGHT: usize = 48;
/// Of ten attacks, how many at least.
const ABUSE_CAUGHT: usize = 10;
/// Of 105 genuine comments, how many are approved at least.
const GENUINE_APPROVED: usize = 105;
/// Of those, how many are not rejected at least.
const GENUINE_NOT_REJECTED: usize = 105;

/// Each four content words in a row.
fn fours(text: &str) -> BTreeSet<Vec<String>> {
    let text = fold_plain(text).into_text();
    let all = words(&text).into_iter().map(|word| text[word.start as usize..word.end as usize].to_owned());
    let content: Vec<String> = all.filter(|word| word.len() > 1 && !is_common(word)).collect();
    content.windows(4).map(<[String]>::to_vec).collect()
}

#[test]
fn no_comment_shares_four_content_words_in_a_row_with_what_was_written_for_training() {
    let learned: BTreeSet<Vec<String>> = written::rows().iter().flat_map(|row| fours(&row.text)).collect();
    let shared: Vec<String> = include_str!("corpus/comments.jsonl")
        .lines()
        .enumerate()
        .flat_map(|(number, line)| {
            let line: Line = serde_json::from_str(line).expect("a line is a comment");
            let both: Vec<String> = fours(&line.body).intersection(&learned).map(|four| four.join(" ")).collect();
            both.into_iter().map(move |four| format!("line {}: {four}", number + 1))
        })
        .collect();
    assert!(shared.is_empty(), "reword them here, never there:\n{}", shared.join("\n"));
}

#[tokio::test]
async fn precision_and_recall_on_comments_written_for_it_do_not_fall() {
    let heard = judged().await;
    assert!(heard.len() >= 150);
    let caught = |heard: &&Heard| heard.action != Action::Approve;
    let is_genuine = |heard: &&Heard| heard.case.spam == Some(false) && heard.case.abuse == Some(false);
    let spam = heard.iter().filter(|heard| heard.case.spam == Some(true)).filter(caught).count();
    let abuse = heard.iter().filter(|heard| heard.case.abuse == Some(true)).filter(caught).count();
    let genuine = heard.iter().filter(is_genuine).filter(caught).count();
    let rejected = heard.iter().filter(is_genuine).filter(|heard| heard.action == Action::Reject).count();
    let wrong: Vec<String> = heard
        .iter()
        .filter(|heard| caught(heard) == is_genuine(heard))
        .map(|heard| {
            let Heard { case, action, scores, signals, .. } = heard;
            format!("line {} ({}): {action:?} {scores:?} {signals:?}", case.id, case.source.trim())
        })
        .collect();
    let said = format!(
        "spam caught {spam}, abuse caught {abuse}, genuine caught {genuine}, genuine rejected {rejected}\n{}",
        wrong.join("\n")
    );
    println!("{said}");
    assert!(spam >= SPAM_CAUGHT && abuse >= ABUSE_CAUGHT, "less is found: {said}");
    let all = heard.iter().filter(is_genuine).count();
    assert!(
        all - genuine >= GENUINE_APPROVED && all - rejected >= GENUINE_NOT_REJECTED,
        "more genuine comments wait: {said}"
    );
}

#[tokio::test]
async fn what_is_pasted_again_and_again_joins_a_campaign_as_at_intake() {
    let pasted = |at: usize| Case {
        source: "pasted".to_owned(),
        id: at.to_string(),
        body: "Sleepless owls of Larkham Moor finally photographed by a retired postman".to_owned(),
        article: Some(ArticleDraft { id: format!("page {at}"), ..ArticleDraft::default() }),
        author: Some(format!("account {at}")),
        ..Case::default()
    };
    let mut cases: Vec<Case> = (0..6).map(pasted).collect();
    paced(&mut cases, 600_000);
    let (mut court, _folder) = court();
    let heard = court.hear(cases).await.expect("every check could look");
    let joined = |heard: &Heard| heard.signals.iter().any(|signal| signal == "campaign");
    let joined: Vec<bool> = heard.iter().map(joined).collect();
    assert!(!joined[0] && joined[5], "{joined:?}");
}

#[test]
fn a_page_is_compared_by_meaning_as_at_intake() {
    let (mut court, _folder) = court();
    let article = ArticleDraft {
        id: "owls".to_owned(),
        title: Some("Owls return to the moor".to_owned()),
        text: Some("Birds of prey nest in the old barns again, and farmers are glad of it.".to_owned()),
        ..ArticleDraft::default()
    };
    let page = court.page(Some(&article)).expect("a page");
    let words = ["eagle", "feathers", "wildlife"];
    let (terms, gist) =
        (Terms::of(words.into_iter(), &court.house().background), court.house().embedding.gist(words.into_iter()));
    let likeness = page.likeness(&terms, &gist);
    assert!(likeness.cosine == 0.0 && likeness.gist > 0.1, "another vocabulary, the same subject: {likeness:?}");
}
