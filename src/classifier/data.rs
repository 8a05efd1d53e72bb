//! Labelled comments: JSON lines as public data sets come, each file with its own words for labels.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::written;
use crate::domain::comment::{ArticleDraft, Bounds, Comment, Draft};
use crate::domain::normalise::normalise;
use crate::domain::site::SiteId;

/// One line of a file.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// The text.
    pub text: String,
    /// Its label, in the file's own words.
    #[serde(default)]
    pub label: Option<String>,
    /// A second reading of the label, where there is one: it counts.
    #[serde(default)]
    pub clean_label: Option<String>,
    /// The page's title.
    #[serde(default)]
    pub title: Option<String>,
    /// The page's text.
    #[serde(default)]
    pub article: Option<String>,
    /// The article, video or question.
    #[serde(default)]
    pub group: Option<String>,
    /// The rule that it was judged by, where a file has several.
    #[serde(default)]
    pub rule: Option<String>,
    /// The comment that it answers.
    #[serde(default)]
    pub context: Option<String>,
}

/// What a label means for the two outputs; `None` where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Whether it is spam.
    pub spam: Option<bool>,
    /// Whether it is abuse.
    pub abuse: Option<bool>,
}

/// What a row of the file `source` (its name without ending) is.
#[must_use]
pub fn target(source: &str, row: &Row) -> Option<Target> {
    let label = row.clean_label.as_deref().or(row.label.as_deref())?;
    let (spam, abuse) = match (source, label) {
        ("reddit_rules", _) if row.rule.as_deref().is_some_and(|rule| rule != "advertising") => return None,
        (_, "spam") => (Some(true), None),
        (_, "toxic" | "OFFENSE" | "offensive" | "hate") => (None, Some(true)),
        ("davidson_hate", "neither")
        | ("wiki_toxic" | "toxic_sample_cc0" | "offcombr_pt" | "germeval21_de", "ok")
        | ("cqa_relevance", "on_topic")
        | (_, "OTHER" | "none" | "ham" | "ham_published" | "neutral") => (Some(false), Some(false)),
        _ => return None,
    };
    Some(Target { spam, abuse })
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, or a line is not JSON with `id` and `text`.
pub fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let row = |(at, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), at + 1))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(row).collect()
}

/// What is learned from a source: the lines of its file, or what was written for training, which has none.
///
/// # Errors
/// As [`read`].
pub fn learned(folder: &Path, source: &str) -> anyhow::Result<Vec<Row>> {
    match source {
        written::NAME => Ok(written::rows()),
        name => read(&folder.join(format!("{name}.jsonl"))),
    }
}

/// The name of a file without folder and ending.
#[must_use]
pub fn source(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A row's text as a comment, as a site would post it; `None` when no site could (blank).
#[must_use]
pub fn comment(row: &Row) -> Option<Comment> {
    let article = ArticleDraft { id: "page".to_owned(), ..ArticleDraft::default() };
    let body: String = row.text.replace('\0', " ").chars().take(20_000).collect();
    let draft = Draft { id: "row".to_owned(), article, body, ..Draft::default() };
    Some(normalise(SiteId(0), draft.parse(&Bounds { max_comment_bytes: 100_000, ..Bounds::default() }).ok()?, false))
}

/// Whether a row belongs to the share `part` of `parts`, by its group (or itself, where it has none): the same on every machine.
#[must_use]
pub fn is_in_part(source: &str, row: &Row, part: u64, parts: u64) -> bool {
    group_hash(source, row) % parts == part
}

/// A hash of a row's group.
#[must_use]
pub fn group_hash(source: &str, row: &Row) -> u64 {
    xxh3_64(format!("{source}/{}", row.group.as_ref().unwrap_or(&row.id)).as_bytes())
}

/// Rows whose folded text was not seen before: public data sets repeat themselves, within and across files.
pub fn distinct(rows: Vec<Row>, seen: &mut BTreeSet<u64>) -> Vec<Row> {
    let key = |row: &Row| xxh3_64(crate::domain::normalise::fold_plain(&row.text).text().trim().as_bytes());
    rows.into_iter().filter(|row| seen.insert(key(row))).collect()
}
