//! Labelled lines as comments that a site could have posted: body, page, parent, author, moment.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::classifier::data::{self, Row, Target};
use crate::domain::comment::ArticleDraft;
use crate::domain::normalise::fold_plain;
use crate::domain::siblings::Thread;
use crate::domain::time::Timestamp;

/// A comment to be judged, with what is known of it.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// The file that it comes from.
    pub source: String,
    /// Its id there.
    pub id: String,
    /// What it belongs together with.
    pub group: u64,
    /// The text.
    pub body: String,
    /// The page; `None` when nothing is known of it.
    pub article: Option<ArticleDraft>,
    /// Who wrote it: the account.
    pub author: Option<String>,
    /// The name shown to readers.
    pub author_name: Option<String>,
    /// The author's homepage.
    pub author_url: Option<String>,
    /// The comment that it answers.
    pub parent: Option<String>,
    /// What stood around it; `None` for what was approved there before it.
    pub thread: Option<Arc<Thread>>,
    /// When it was written.
    pub at: Option<Timestamp>,
    /// Whether it is spam; `None` when nobody says.
    pub spam: Option<bool>,
    /// Whether it is abuse; `None` when nobody says.
    pub abuse: Option<bool>,
    /// How many people called it off-topic, where people were asked.
    pub off_topic_votes: Option<f64>,
}

/// What a line may carry besides a [`Row`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct More {
    author: Option<String>,
    date: Option<String>,
    context: Option<String>,
    tags: Option<serde_json::Value>,
    non_relevant_votes: Option<f64>,
}

/// Reads a labelled file; lines that nobody could post are left out.
///
/// # Errors
/// It cannot be read, or a line is not JSON with `id` and `text`.
pub fn read(path: &Path) -> anyhow::Result<Vec<Case>> {
    let source = data::source(path);
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let mut cases = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}:{}", path.display(), at + 1);
        let row: Row = serde_json::from_str(line).with_context(place)?;
        let more: More = serde_json::from_str(line).with_context(place)?;
        if !row.text.trim().is_empty() {
            cases.push(case(&source, &row, more));
        }
    }
    Ok(cases)
}

fn case(source: &str, row: &Row, more: More) -> Case {
    let Target { spam, abuse } = target(source, row);
    let known = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let (title, text) = (known(&row.title), known(&row.article));
    let name = row.group.as_ref().or(row.title.as_ref()).map_or_else(|| "page".to_owned(), |name| key(name));
    let article = (title.is_some() || text.is_some()).then(|| ArticleDraft {
        id: name,
        title: title.map(|title| cut(&title, 1_900)),
        text: text.map(|text| cut(&text, 20_000)),
        tags: more.tags.map(|tags| self::tags(&tags)),
        ..ArticleDraft::default()
    });
    Case {
        source: source.to_owned(),
        id: row.id.clone(),
        group: data::group_hash(source, row),
        body: cut(&row.text.replace('\0', " "), 60_000),
        article,
        author: known(&more.author),
        author_name: None, // the sets hold pseudonyms
        author_url: None,
        parent: known(&more.context),
        thread: None,
        at: more.date.as_deref().and_then(moment),
        spam,
        abuse,
        off_topic_votes: more.non_relevant_votes,
    }
}

/// What a label means, in the words of the sets that only measure, too.
fn target(source: &str, row: &Row) -> Target {
    let label = row.clean_label.as_deref().or(row.label.as_deref());
    let abuse = |abuse| Target { spam: None, abuse: Some(abuse) };
    match (source, label) {
        ("olid", Some("OFF")) | ("stormfront_hate", Some("hate")) | ("ucc_news_comments", Some("unhealthy")) => {
            abuse(true)
        }
        ("olid", Some("NOT")) | ("stormfront_hate", Some("noHate")) | ("ucc_news_comments", Some("healthy")) => {
            abuse(false)
        }
        _ => data::target(source, row).unwrap_or(Target { spam: None, abuse: None }),
    }
}

/// Tags as a list, or as the list that somebody wrote into a string.
fn tags(value: &serde_json::Value) -> Vec<String> {
    let all: Vec<String> = match value {
        serde_json::Value::Array(list) => list.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
        serde_json::Value::String(text) => {
            text.split(',').map(|tag| tag.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()).collect()
        }
        _ => Vec::new(),
    };
    all.into_iter().filter(|tag| !tag.is_empty() && tag.len() < 400).take(50).collect()
}

/// Dates as the sets write them: with a blank or a `T`, with a zone or (then UTC) without.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim().replacen(' ', "T", 1);
    Timestamp::parse(&text).or_else(|_| Timestamp::parse(&format!("{text}Z"))).ok()
}

/// A name of any length and kind as an id.
#[must_use]
pub fn key(name: &str) -> String {
    format!("{:016x}", xxh3_64(name.as_bytes()))
}

/// What two copies of a text share: its folded letters.
#[must_use]
pub fn fold_key(text: &str) -> u64 {
    xxh3_64(fold_plain(text).text().trim().as_bytes())
}

/// Cases whose folded text was not seen before.
#[must_use]
pub fn distinct(cases: Vec<Case>) -> Vec<Case> {
    let mut seen = std::collections::HashSet::new();
    cases.into_iter().filter(|case| seen.insert(fold_key(&case.body))).collect()
}

/// In the order of time, where every one has a moment; as they stand in their file, a minute apart, where not.
#[must_use]
pub fn in_order(mut cases: Vec<Case>) -> Vec<Case> {
    if cases.iter().all(|case| case.at.is_some()) {
        cases.sort_by_key(|case| case.at);
    } else {
        paced(&mut cases, 60_000);
    }
    cases
}

/// The first moment of comments whose own is not known.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// One comment every `ms` milliseconds.
pub fn paced(cases: &mut [Case], ms: i64) {
    for (case, number) in cases.iter_mut().zip(0_i64..) {
        case.at = Some(START.plus_millis(number * ms));
    }
}

/// Pages with title and text, by id.
///
/// # Errors
/// The file cannot be read.
pub fn pages(path: &Path) -> anyhow::Result<HashMap<String, ArticleDraft>> {
    let page = |row: Row| {
        let article = ArticleDraft {
            id: key(&row.id),
            title: row.title.map(|title| cut(&title, 1_900)),
            text: Some(cut(&row.text, 20_000)),
            ..ArticleDraft::default()
        };
        (row.id, article)
    };
    Ok(data::read(path)?.into_iter().map(page).collect())
}

/// The blog's comments under their posts, of which the articles' file knows the text.
///
/// # Errors
/// A file cannot be read.
pub fn blog(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let pages = pages(&folder.join("blog_articles.jsonl"))?;
    let by_key: HashMap<String, ArticleDraft> = pages.into_values().map(|page| (page.id.clone(), page)).collect();
    let mut cases = read(&folder.join("blog_comments.jsonl"))?;
    for case in &mut cases {
        if let Some(page) = case.article.as_ref().and_then(|article| by_key.get(&article.id)) {
            case.article = Some(page.clone());
        }
    }
    Ok(cases)
}

/// The beginning of a text, at most so many bytes.
fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str, lines: &str) -> Vec<Case> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(format!("{file}.jsonl"));
        std::fs::write(&path, lines).expect("written");
        read(&path).expect("read")
    }

    #[test]
    fn a_line_is_what_a_site_could_have_posted() {
        let line = r#"{"id":"a","text":"Nice bridge","label":"spam","title":"The bridge","article":"It opens.","group":"g","author":"anna","date":"2007-07-05 19:33:25-07:00","context":"Is it?","tags":"['bridge', 'walks']"}"#;
        let cases = of("set", &format!("{line}\n\n{{\"id\":\"b\",\"text\":\" \"}}\n"));
        assert_eq!(cases.len(), 1, "nobody can post a blank");
        let case = &cases[0];
        let article = case.article.as_ref().expect("a page");
        assert_eq!((article.title.as_deref(), article.text.as_deref()), (Some("The bridge"), Some("It opens.")));
        assert_eq!(article.tags.as_deref(), Some(&["bridge".to_owned(), "walks".to_owned()][..]));
        assert_eq!((case.author.as_deref(), case.parent.as_deref()), (Some("anna"), Some("Is it?")));
        assert_eq!((case.spam, case.abuse), (Some(true), None));
        assert_eq!(case.at.expect("a moment").to_string(), "2007-07-06T02:33:25Z");
    }

    #[test]
    fn labels_of_the_sets_that_only_measure_are_understood() {
        let cases: &[(&str, &str, Option<bool>)] = &[
            ("olid", "OFF", Some(true)),
            ("olid", "NOT", Some(false)),
            ("stormfront_hate", "noHate", Some(false)),
            ("ucc_news_comments", "unhealthy", Some(true)),
            ("germeval18_de", "OFFENSE", Some(true)),
            ("stormfront_hate", "idk/skip", None),
        ];
        for (file, label, expected) in cases {
            let found = of(file, &format!("{{\"id\":\"a\",\"text\":\"words\",\"label\":\"{label}\"}}"));
            assert_eq!(found[0].abuse, *expected, "{file} {label}");
        }
    }

    #[test]
    fn order_is_that_of_time_where_all_have_one() {
        let line =
            |id: &str, date: &str| format!("{{\"id\":\"{id}\",\"text\":\"words of {id}\",\"date\":\"{date}\"}}\n");
        let ids = |cases: Vec<Case>| in_order(cases).into_iter().map(|case| case.id).collect::<Vec<_>>();
        let dated = line("late", "2013-11-08T00:00:00") + &line("early", "2013-11-07 00:00:00");
        assert_eq!(ids(of("set", &dated)), ["early", "late"]);
        assert_eq!(ids(of("set", &(dated + &line("undated", "")))), ["late", "early", "undated"]);
    }

    #[test]
    fn copies_are_left_out() {
        let cases = of("set", "{\"id\":\"a\",\"text\":\"Hello there\"}\n{\"id\":\"b\",\"text\":\" hello THERE \"}\n");
        assert_eq!(distinct(cases).len(), 1);
    }
}
