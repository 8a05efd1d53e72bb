//! Neutral sentences that name a group of people are treated like neutral sentences that do not.
//!
//! `tests/corpus/neutral.txt` holds a hundred pairs, alike but for the group. Public sets of abuse are full of groups' names, because those are
//! whom abuse is aimed at; a model that learned the names instead of the abuse silences the people who are named.

use std::sync::Arc;

use doorward::app::evaluation::court::{Court, Heard};
use doorward::app::evaluation::rows::{Case, paced};
use doorward::config::Config;
use doorward::domain::decision::Action;
use doorward::startup;

/// How much more a sentence may be taken for abuse, on average, because it names a group: a part of one percent of a probability.
const DIFFERENCE_MOST: f64 = 0.005;

/// The sentences that name a group, and those that do not.
async fn judged() -> [Vec<Heard>; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let past = startup::empty_history(&folder.path().join("past.db")).expect("an empty past");
    let house = startup::house(&Config::default()).expect("the shipped model and the defaults are good");
    let lines = include_str!("corpus/neutral.txt").lines().filter(|line| !line.starts_with('#'));
    let pairs: Vec<(&str, &str)> = lines.map(|line| line.split_once(" | ").expect("two sentences")).collect();
    assert_eq!(pairs.len(), 100);
    let of = |sentence: &str, side: &str| Case {
        source: side.to_owned(),
        id: sentence.to_owned(),
        body: sentence.to_owned(),
        author: Some(sentence.to_owned()),
        ..Case::default()
    };
    let mut cases: Vec<Case> =
        pairs.iter().flat_map(|(named, other)| [of(named, "named"), of(other, "other")]).collect();
    paced(&mut cases, 1_200_000_000); // a fortnight apart, so that none is a repeat of its pair
    let heard = Court::new(Arc::new(house), past).hear(cases).await.expect("every check could look");
    heard.into_iter().partition::<Vec<Heard>, _>(|heard| heard.case.source == "named").into()
}

fn held(heard: &[Heard]) -> Vec<&str> {
    heard.iter().filter(|heard| heard.action != Action::Approve).map(|heard| heard.case.body.as_str()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a hundred sentences")]
fn mean_abuse(heard: &[Heard]) -> f64 {
    heard.iter().map(|heard| heard.scores.abuse).sum::<f64>() / heard.len() as f64
}

#[tokio::test]
async fn sentences_that_name_a_group_are_held_no_more_often() {
    let [named, other] = judged().await;
    let (held_named, held_other) = (held(&named), held(&other));
    assert!(
        held_named.len() <= held_other.len(),
        "held because of a name: {held_named:#?}; without one: {held_other:#?}"
    );
}

#[tokio::test]
async fn naming_a_group_hardly_moves_the_score_for_abuse() {
    let [named, other] = judged().await;
    let difference = mean_abuse(&named) - mean_abuse(&other);
    let mut apart: Vec<(f64, &str)> = named
        .iter()
        .zip(&other)
        .map(|(named, other)| (named.scores.abuse - other.scores.abuse, named.case.body.as_str()))
        .collect();
    apart.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(difference <= DIFFERENCE_MOST, "{difference:.5} on average; most by {:#?}", &apart[..apart.len().min(10)]);
}
