//! How those speak whom others call off-topic: a small output of its own, fitted on what people said of answers to questions.
//!
//! People voted whether an answer has to do with its question. Of each question an answer that has is taken with one of the same length that
//! has not, so that length is not learned; and only what a text's bearing shows, not its words, which are those of one forum. Questions are set
//! apart by [`part_of`].

use std::collections::BTreeMap;
use std::path::Path;

use super::data::{self, Row};
use super::evaluate::{Scored, auc};
use super::relevance_pairs::{bearing_of, logistic};
use super::train::Without;
use super::words::{Part, part_of};
use crate::domain::bearing::{self, Bearing};
use crate::domain::fit::{Found, Voice};

/// The labelled file.
const SOURCE: &str = "cqa_relevance";

/// Fits the voice, and says how well it tells answers to questions that it did not see: the area, and of how many pairs. `None` where the file is
/// not there or left out.
///
/// # Errors
/// The file cannot be read, or linfa fails.
pub fn fit(folder: &Path, without: &Without) -> anyhow::Result<Option<(Voice, f64, usize)>> {
    let path = folder.join(format!("{SOURCE}.jsonl"));
    if without.left_out(SOURCE) || !path.is_file() {
        return Ok(None);
    }
    let mut questions: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in data::read(&path)? {
        if let Some(question) = row.group.clone() {
            questions.entry(question).or_default().push(row);
        }
    }
    let (mut on, mut off, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (question, rows) in &questions {
        for pair in pairs(rows) {
            let [one, other] = pair.map(|row| bearing_of(&row.text));
            if part_of(SOURCE, question) == Part::Measured {
                kept.push([one, other]);
            } else {
                on.push(alone(one));
                off.push(alone(other));
            }
        }
    }
    if on.is_empty() {
        return Ok(None);
    }
    let line = logistic(&on, &off, true)?;
    let voice = Voice { intercept: -line.intercept, bearing: bearing::Weights(line.bearing.0.map(|weight| -weight)) };
    let scored: Vec<Scored> = kept
        .iter()
        .flat_map(|[on, off]| [(on, false), (off, true)])
        .map(|(bearing, is_off)| (f64::from(voice.log_odds(bearing)), is_off))
        .collect();
    Ok(Some((voice, auc(&scored), kept.len())))
}

/// A text of which nothing but its bearing is known.
fn alone(bearing: Bearing) -> Found {
    Found { page: None, thread: None, evidence: 0.0, bearing }
}

/// Each answer that has nothing to do with the question, with the one of nearest length that has: that one first.
fn pairs(rows: &[Row]) -> Vec<[&Row; 2]> {
    let labelled = |labels: &'static [&str]| {
        rows.iter().filter(move |row| row.label.as_deref().is_some_and(|label| labels.contains(&label)))
    };
    let length = |row: &Row| row.text.split_whitespace().count();
    let mut on: Vec<&Row> = labelled(&["on_topic"]).collect();
    let mut pairs = Vec::new();
    for off in labelled(&["off_topic", "dialogue"]) {
        let distance = |row: &Row| length(row).abs_diff(length(off));
        let Some(at) = (0..on.len()).min_by_key(|at| distance(on[*at])) else { break };
        if distance(on[at]) <= 3.max(length(off) / 5) {
            pairs.push([on.swap_remove(at), off]);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_voice_is_learned_of_pairs_of_one_length_and_of_no_question_that_is_measured() {
        let folder = tempfile::tempdir().expect("a folder");
        let line = |at: usize, label: &str, text: &str| {
            format!(r#"{{"id":"{at}-{label}","text":"{text}","label":"{label}","group":"q{}"}}"#, at / 2)
        };
        let lines: Vec<String> = (0..80)
            .flat_map(|at| {
                [
                    line(at, "on_topic", "the office at the corner opens in the morning"),
                    line(at, "off_topic", "lol you guys are so funny, are you not?"),
                    line(at, "on_topic", "yes"),
                ]
            })
            .collect();
        std::fs::write(folder.path().join("cqa_relevance.jsonl"), lines.join("\n")).expect("written");
        let (voice, area, pairs) = fit(folder.path(), &Without::default()).expect("fitted").expect("there is a file");
        let measured = (0..40).filter(|at| part_of(SOURCE, &format!("q{at}")) == Part::Measured).count();
        assert_eq!(pairs, 2 * measured);
        assert!(area > 0.99, "{area}");
        let of = |text: &str| voice.log_odds(&bearing_of(text));
        assert!(of("haha you are right, lol?") > of("the shop behind the station sells them"));
        let without = Without { sources: vec!["cqa".to_owned()], blog: 0 };
        assert!(fit(folder.path(), &without).expect("nothing is wrong").is_none());
    }
}
