//! Doorward's own: a line of JSON for each article and each comment, articles first (docs/import.md). What `doorward export` writes is what is read here.

use std::io::BufRead;

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
        Self { lines: Counted::new(inner, MAX_LINE_BYTES), line: Vec::new() }
    }
}

impl<R: BufRead + Send> Source for Ndjson<R> {
    fn next(&mut self) -> Result<Option<(Place, Read)>, Broken> {
        loop {
            let place = self.lines.place();
            let read = self.lines.line(&mut self.line).map_err(|error| Broken::new(place, error.to_string()))?;
            let Some(fits) = read else { return Ok(None) };
            if !fits {
                return Ok(Some((place, Read::Skipped(Why::LongLine))));
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = match serde_json::from_slice(&self.line) {
                Ok(line) => line,
                Err(error) => return Ok(Some((place, Read::Skipped(Why::Line(without_content(&error)))))),
            };
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
                    return Ok(Some((place, Read::Skipped(Why::Line("neither article nor comment".to_owned())))));
                }
            }
        }
    }
}

/// What is wrong with a line, without quoting what it says: reports are shown to others.
pub(super) fn without_content(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Io | Category::Syntax => "no JSON",
        Category::Data => "a field is missing, or is not what it should be",
        Category::Eof => "JSON that is cut off",
    };
    format!("{what}, column {}", error.column())
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
