//! Doorward's own: a line of JSON for each article and each comment, articles first (docs/import.md). What `doorward export` writes is what is read here.

use std::io::BufRead;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::lines::Counted;
use super::{Broken, Found, Place, Read, Source, Why};
use crate::domain::comment::{Article, ArticleDraft, Draft, ExternalId, Format};
use crate::domain::decision::{DecidedBy, Status};
use crate::domain::imports::Exported;
use crate::domain::learning::Said;
use crate::domain::time::Timestamp;

/// One line at most: an article of 200,000 bytes of text, each of them escaped, with room.
pub(super) const MAX_LINE_BYTES: u64 = 4 << 20;
/// The version that is written, and read.
const VERSION: u32 = 1;

/// See the module.
pub(super) struct Ndjson<R> {
    lines: Counted<R>,
    line: Vec<u8>,
    /// Whether a line was one of an export, if perhaps one with a mistake in it.
    begun: bool,
    /// The lines before that, and the first of them.
    foreign: u64,
    first: Option<(Place, Why)>,
}

/// Any line.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    doorward_export: Option<u32>,
    #[serde(default)]
    article: Option<ArticleDraft>,
    #[serde(default)]
    comment: Option<Draft>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    decided_by: Option<DecidedBy>,
    #[serde(default)]
    received_at: Option<Timestamp>,
    #[serde(default)]
    label: Option<LabelIn>,
}

#[derive(Deserialize)]
struct LabelIn {
    #[serde(default)]
    spam: Option<bool>,
    #[serde(default)]
    abuse: Option<bool>,
}

impl<R: BufRead> Ndjson<R> {
    pub(super) fn new(inner: R) -> Self {
        let lines = Counted::new(inner, MAX_LINE_BYTES);
        Self { lines, line: Vec::new(), begun: false, foreign: 0, first: None }
    }

    /// A line that says nothing that an export says.
    fn foreign(&mut self, place: Place, why: Why) -> (Place, Read) {
        self.foreign += 1;
        self.first.get_or_insert_with(|| (place, why.clone()));
        (place, Read::Skipped(why))
    }

    /// The end, unless nothing was of an export: then it is another file, and whoever named it has to be told.
    fn end(&self) -> Result<Option<(Place, Read)>, Broken> {
        match &self.first {
            _ if self.begun => Ok(None),
            None => Err(Broken::new(Place::Start, "is empty")),
            Some((place, why)) => {
                let count = self.foreign;
                let why = format!(
                    "is no export of Doorward: none of its {count} lines is one of those; {place}: {}",
                    why.told()
                );
                Err(Broken::new(Place::Start, why))
            }
        }
    }
}

impl<R: BufRead + Send> Source for Ndjson<R> {
    fn next(&mut self) -> Result<Option<(Place, Read)>, Broken> {
        loop {
            let place = self.lines.place();
            let read = self.lines.line(&mut self.line).map_err(|error| Broken::new(place, error.to_string()))?;
            let Some(fits) = read else { return self.end() };
            if !fits {
                return Ok(Some(self.foreign(place, Why::LongLine)));
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = match of_line(&self.line) {
                Ok(line) => line,
                Err(wrong) if wrong.names_a_field => {
                    self.begun = true;
                    return Ok(Some((place, Read::Skipped(Why::Line(wrong.told)))));
                }
                Err(wrong) => return Ok(Some(self.foreign(place, Why::Line(wrong.told)))),
            };
            if line.doorward_export.is_some() || line.article.is_some() || line.comment.is_some() {
                self.begun = true;
            }
            match line {
                Line { doorward_export: Some(VERSION), .. } => {}
                Line { doorward_export: Some(other), .. } => {
                    return Err(Broken::new(place, format!("is an export of version {other}; {VERSION} is known")));
                }
                Line { article: Some(article), comment: None, .. } => {
                    return Ok(Some((place, Read::Article(Box::new(article)))));
                }
                Line { comment: Some(draft), status, decided_by, received_at, label, .. } => {
                    let sent_at = draft.created_at.as_deref().and_then(|at| Timestamp::parse(at).ok());
                    let said = label.map_or_else(Said::default, |label| Said { spam: label.spam, abuse: label.abuse });
                    return Ok(Some((
                        place,
                        Read::Comment(Box::new(Found {
                            draft,
                            status: status.unwrap_or(Status::Approved),
                            decided_by: decided_by.unwrap_or(DecidedBy::Rule),
                            said,
                            at: received_at.or(sent_at),
                        })),
                    )));
                }
                Line { .. } => {
                    return Ok(Some(self.foreign(place, Why::Line("neither article nor comment".to_owned()))));
                }
            }
        }
    }
}

/// Why a line could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongLine {
    /// One clause that quotes nothing of what the line says: reports are shown to others.
    pub told: String,
    /// Whether it is a mistake in a field that is known.
    pub names_a_field: bool,
}

/// Reads a line of JSON.
pub(super) fn of_line<T: DeserializeOwned>(line: &[u8]) -> Result<T, WrongLine> {
    use serde_json::error::Category;
    // What stands where a word of a list should is called a mistake in JSON by serde_json, though it may be none.
    let is_json = || serde_json::from_slice::<IgnoredAny>(line).is_ok();
    serde_json::from_slice(line).map_err(|error| {
        let (what, names_a_field) = match error.classify() {
            Category::Eof => ("JSON that is cut off".to_owned(), false),
            Category::Io | Category::Syntax if !is_json() => ("no JSON".to_owned(), false),
            Category::Io | Category::Syntax | Category::Data => match wrong_field::<T>(line) {
                Some(what) => (what, true),
                None => ("a field is missing, or is not what it should be".to_owned(), false),
            },
        };
        WrongLine { told: format!("{what}, column {}", error.column()), names_a_field }
    })
}

/// What is wrong with which field. The line is read a second time for it, since keeping the path costs lines that are right as much as the others. Only
/// names of fields that are known are in such a path: what stands in others is looked at by nobody.
fn wrong_field<T: DeserializeOwned>(line: &[u8]) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let error = serde_path_to_error::deserialize::<_, T>(&mut reader).err()?;
    let path = Some(error.path().to_string()).filter(|path| path != ".");
    let message = error.inner().to_string();
    // Serde names the field itself here, and the path names what it is missing from.
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match (path, missing) {
        (Some(path), Some(field)) => Some(format!("the field `{path}.{field}` is missing")),
        (None, Some(field)) => Some(format!("the field `{field}` is missing")),
        (Some(path), None) => Some(format!("the field `{path}` is not what it should be")),
        (None, None) => None,
    }
}

/// The first line of an export.
#[must_use]
pub fn first_line() -> String {
    format!("{{\"doorward_export\":{VERSION}}}")
}

/// An article's line.
///
/// # Errors
/// Never: it holds nothing that JSON cannot.
pub fn article_line(article: &Article) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Out<'a> {
        article: ArticleOut<'a>,
    }
    serde_json::to_string(&Out { article: ArticleOut::of(article) })
}

/// A comment's line.
///
/// # Errors
/// Never: it holds nothing that JSON cannot.
pub fn comment_line(exported: &Exported) -> serde_json::Result<String> {
    let Exported { comment, status, decided_by, received_at, said } = exported;
    let author = &comment.author;
    let author = AuthorOut {
        id: author.id.as_ref().map(ExternalId::as_str),
        name: author.name.as_deref(),
        email: author.email.as_deref(),
        url: author.url.as_deref(),
        ip: author.ip.map(|ip| ip.to_string()),
        user_agent: author.user_agent.as_deref(),
        role: author.role.as_deref(),
        registered_at: author.registered_at,
    };
    serde_json::to_string(&Out {
        comment: CommentOut {
            id: comment.id.as_str(),
            article: ArticleOut::of(&comment.article),
            parent_id: comment.parent_id.as_ref().map(ExternalId::as_str),
            author,
            body: &comment.body,
            format: comment.format,
            created_at: comment.created_at,
            honeypot: comment.honeypot.as_deref(),
            typing_ms: comment.typing_ms,
            referrer: comment.referrer.as_deref(),
        },
        status: *status,
        decided_by: *decided_by,
        received_at: *received_at,
        label: said.is_something().then_some(LabelOut { spam: said.spam, abuse: said.abuse }),
    })
}

#[derive(Serialize)]
struct Out<'a> {
    comment: CommentOut<'a>,
    status: Status,
    decided_by: DecidedBy,
    received_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<LabelOut>,
}

#[derive(Serialize)]
struct LabelOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    spam: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abuse: Option<bool>,
}

#[derive(Serialize)]
struct CommentOut<'a> {
    id: &'a str,
    article: ArticleOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    author: AuthorOut<'a>,
    body: &'a str,
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    honeypot: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<&'a str>,
}

#[derive(Serialize)]
struct AuthorOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct ArticleOut<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<&'a str>,
}

impl<'a> ArticleOut<'a> {
    fn of(article: &'a Article) -> Self {
        Self {
            id: article.id.as_str(),
            url: article.url.as_deref(),
            title: article.title.as_deref(),
            text: article.text.as_deref(),
            tags: &article.tags,
            section: article.section.as_deref(),
            lang: article.lang.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left out of a file, and whether it ends as an export does.
    fn read(file: &str) -> (Vec<String>, Result<(), String>) {
        let mut source = Ndjson::new(file.as_bytes());
        let mut left_out = Vec::new();
        loop {
            match source.next() {
                Ok(Some((_, Read::Skipped(why)))) => left_out.push(why.told()),
                Ok(Some(_)) => {}
                Ok(None) => return (left_out, Ok(())),
                Err(broken) => return (left_out, Err(broken.to_string())),
            }
        }
    }

    #[test]
    fn a_line_that_is_wrong_is_told_with_its_field_and_nothing_of_what_it_says() {
        let comment = r#""comment":{"id":"c","article":{"id":"a"},"body":"b"}"#;
        let cases = [
            (r#""status":"secret""#, "the field `status` is not what it should be"),
            (r#""status":5"#, "the field `status` is not what it should be"),
            (r#""decided_by":"secret""#, "the field `decided_by` is not what it should be"),
            (r#""received_at":"secret""#, "the field `received_at` is not what it should be"),
            (r#""label":{"spam":"secret"}"#, "the field `label.spam` is not what it should be"),
            (r#""label":"secret""#, "the field `label` is not what it should be"),
            (r#""article":{"id":"a","tags":[5]}"#, "the field `article.tags[0]` is not what it should be"),
            (r#""article":{"secret":5}"#, "the field `article.id` is missing"),
            (r#""secret":"secret""#, ""),
        ];
        for (field, expected) in cases {
            let (left_out, end) = read(&format!("{{{comment},{field}}}\n"));
            assert_eq!(end, Ok(()), "{field}");
            match (expected, left_out.as_slice()) {
                ("", []) => {}
                (_, [told]) => {
                    assert!(!expected.is_empty() && told.starts_with(&format!("{expected}, column ")), "{told}");
                    assert!(!told.contains("secret"), "{told}");
                }
                _ => panic!("{field}: {left_out:?}"),
            }
        }
    }

    #[test]
    fn a_file_of_which_no_line_is_one_of_an_export_is_none() {
        let version = first_line();
        let article = r#"{"article":{"id":"a"}}"#;
        let cases: &[(&str, String, usize, Option<&str>)] = &[
            ("nothing in it", version.clone(), 0, None),
            ("something else in it", format!("{version}\nhello\n"), 1, None),
            ("one line is enough", format!("hello\n{article}\nhello\n"), 2, None),
            ("a mistake", r#"{"article":{}}"#.to_owned(), 1, None),
            ("a byte order mark", format!("\u{feff}{article}\n"), 0, None),
            (
                "text",
                "# Hello\n\nworld\n".to_owned(),
                2,
                Some("none of its 2 lines is one of those; line 1 (byte 0): no JSON"),
            ),
            ("other JSON", "{\"a\":1}\n5\n".to_owned(), 2, Some("line 1 (byte 0): neither article nor comment")),
            ("blank lines", "\n\n".to_owned(), 0, Some("the file: is empty")),
        ];
        for (name, file, count, problem) in cases {
            let (left_out, end) = read(file);
            assert_eq!(left_out.len(), *count, "{name}: {left_out:?}");
            match (problem, end) {
                (None, end) => assert_eq!(end, Ok(()), "{name}"),
                (Some(problem), Err(told)) => assert!(told.contains(problem), "{name}: {told}"),
                (Some(_), Ok(())) => panic!("{name}: it was taken for an export"),
            }
        }
    }
}
