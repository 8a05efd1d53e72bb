//! What a foreign message says, in our words: where each field of a comment stands in it, and which of its events mean what.
//!
//! A message is hostile until it is signed and careless after that: whatever is not there, or is of another kind, is named with its place
//! and the field that wanted it. Nothing here panics, whatever the bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::Headers;
use crate::domain::comment::{ArticleDraft, AuthorDraft, Draft, Format};
use crate::domain::time::Timestamp;

/// Every field that can be mapped.
pub(super) const FIELDS: &[&str] = &[
    "id",
    "article.id",
    "article.url",
    "article.title",
    "article.text",
    "article.tags",
    "article.section",
    "article.lang",
    "parent_id",
    "author.id",
    "author.name",
    "author.email",
    "author.url",
    "author.ip",
    "author.user_agent",
    "author.role",
    "author.registered_at",
    "body",
    "format",
    "created_at",
    "honeypot",
    "typing_ms",
    "referrer",
];

/// One or several, as it is easier to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    /// All of them, in their order.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// `[sources.event]`: which messages mean what. Without `from`, every message is a new comment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventConfig {
    /// Where the event stands; of several places, what is found is joined with dots.
    pub from: OneOrMany,
    /// Events that bring a new comment.
    pub create: Vec<String>,
    /// Events that bring a comment's new text.
    pub update: Vec<String>,
    /// Events after which a comment is erased.
    pub delete: Vec<String>,
    /// Events that tell of an article.
    pub article: Vec<String>,
    /// Events that are none of our business; `*` for all that are not listed elsewhere.
    pub ignore: Vec<String>,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Update,
    Delete,
    Article,
    Ignore,
}

impl EventConfig {
    pub(super) fn listed(&self) -> [(Kind, &[String]); 5] {
        [
            (Kind::Create, &self.create),
            (Kind::Update, &self.update),
            (Kind::Delete, &self.delete),
            (Kind::Article, &self.article),
            (Kind::Ignore, &self.ignore),
        ]
    }
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the body: RFC 6901.
    Pointer(String),
    /// In a header.
    Header(String),
    /// Nowhere: it is always this.
    Constant(String),
}

impl Place {
    /// # Errors
    /// A clause for the operator.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(constant) = text.strip_prefix("value:") {
            return Ok(Self::Constant(constant.to_owned()));
        }
        if let Some(header) = text.strip_prefix("header:").map(str::trim).filter(|name| !name.is_empty()) {
            return Ok(Self::Header(header.to_owned()));
        }
        let escapes_well = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if text.starts_with('/') && escapes_well {
            return Ok(Self::Pointer(text.to_owned()));
        }
        Err(format!("`{text}` is no place: write /json/pointer (RFC 6901), header:NAME or value:CONSTANT"))
    }

    fn find<'a>(&'a self, body: &'a Value, headers: &'a Headers) -> Option<Found<'a>> {
        match self {
            Self::Pointer(pointer) => body.pointer(pointer).filter(|value| !value.is_null()).map(Found::Json),
            Self::Header(name) => headers.get(name).map(Found::Text),
            Self::Constant(text) => Some(Found::Text(text)),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pointer(pointer) => f.write_str(pointer),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Constant(text) => write!(f, "value:{text}"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Found<'a> {
    Json(&'a Value),
    Text(&'a str),
}

/// A field that a message does not fill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Unmapped {
    /// Our field, as in `article.id`.
    pub field: String,
    /// Where it was looked for, and what is wrong there.
    pub problem: String,
}

/// Where every field stands, and which events mean what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) event_from: Vec<Place>,
    pub(super) event: EventConfig,
    pub(super) fields: BTreeMap<&'static str, Vec<Place>>,
}

impl Mapping {
    /// What the message is about.
    pub(super) fn kind(&self, body: &Value, headers: &Headers) -> Result<Kind, Unmapped> {
        if self.event_from.is_empty() {
            return Ok(Kind::Create);
        }
        let mut parts = Vec::new();
        for place in &self.event_from {
            if let Some(found) = place.find(body, headers) {
                parts.push(text("event", place, found)?);
            }
        }
        let event = parts.join(".");
        let listed = |name: &str| {
            let has = |(_, events): &(Kind, &[String])| events.iter().any(|listed| listed == name);
            self.event.listed().into_iter().find(has).map(|(kind, _)| kind)
        };
        listed(&event).or_else(|| listed("*")).ok_or_else(|| Unmapped {
            field: "event".to_owned(),
            problem: format!("{} is `{}`, which is not listed", joined(&self.event_from), clipped(&event)),
        })
    }

    /// The comment, still unchecked.
    pub(super) fn draft(&self, body: &Value, headers: &Headers) -> Result<Draft, Unmapped> {
        let text = |field| self.text(field, body, headers);
        let time = |field| self.time(field, body, headers);
        Ok(Draft {
            id: self.id(body, headers)?,
            article: self.article(body, headers)?,
            parent_id: text("parent_id")?,
            author: Some(AuthorDraft {
                id: text("author.id")?,
                name: text("author.name")?,
                email: text("author.email")?,
                url: text("author.url")?,
                ip: text("author.ip")?,
                user_agent: text("author.user_agent")?,
                role: text("author.role")?,
                registered_at: time("author.registered_at")?,
            }),
            body: self.required("body", body, headers)?,
            format: self.format(body, headers)?,
            created_at: time("created_at")?,
            honeypot: text("honeypot")?,
            typing_ms: self.number("typing_ms", body, headers)?,
            referrer: text("referrer")?,
        })
    }

    /// The comment's id alone.
    pub(super) fn id(&self, body: &Value, headers: &Headers) -> Result<String, Unmapped> {
        self.required("id", body, headers)
    }

    /// The article, still unchecked.
    pub(super) fn article(&self, body: &Value, headers: &Headers) -> Result<ArticleDraft, Unmapped> {
        let text = |field| self.text(field, body, headers);
        Ok(ArticleDraft {
            id: self.required("article.id", body, headers)?,
            url: text("article.url")?,
            title: text("article.title")?,
            text: text("article.text")?,
            tags: self.texts("article.tags", body, headers)?,
            section: text("article.section")?,
            lang: text("article.lang")?,
        })
    }

    /// Where a field is looked for, in words; `None` when nowhere.
    pub(super) fn place_of(&self, field: &str) -> Option<String> {
        self.fields.get(field).map(|places| joined(places))
    }

    fn find<'a>(&'a self, field: &str, body: &'a Value, headers: &'a Headers) -> Option<(&'a Place, Found<'a>)> {
        self.fields.get(field)?.iter().find_map(|place| Some((place, place.find(body, headers)?)))
    }

    fn text(&self, field: &'static str, body: &Value, headers: &Headers) -> Result<Option<String>, Unmapped> {
        self.find(field, body, headers).map(|(place, found)| text(field, place, found)).transpose()
    }

    fn required(&self, field: &'static str, body: &Value, headers: &Headers) -> Result<String, Unmapped> {
        let places = self.place_of(field).unwrap_or_default();
        self.text(field, body, headers)?
            .ok_or_else(|| Unmapped { field: field.to_owned(), problem: format!("there is nothing at {places}") })
    }

    fn texts(&self, field: &'static str, body: &Value, headers: &Headers) -> Result<Option<Vec<String>>, Unmapped> {
        match self.find(field, body, headers) {
            None => Ok(None),
            Some((place, Found::Json(Value::Array(all)))) => {
                all.iter().map(|one| text(field, place, Found::Json(one))).collect::<Result<_, _>>().map(Some)
            }
            Some((place, one)) => text(field, place, one).map(|one| Some(vec![one])),
        }
    }

    fn number(&self, field: &'static str, body: &Value, headers: &Headers) -> Result<Option<u64>, Unmapped> {
        let Some((place, found)) = self.find(field, body, headers) else { return Ok(None) };
        let number = text(field, place, found)?.parse();
        number.map(Some).map_err(|_| wrong(field, place, "holds no whole number"))
    }

    /// RFC 3339 as it is; a number counts as seconds since 1970, or as milliseconds when it is too large for that.
    fn time(&self, field: &'static str, body: &Value, headers: &Headers) -> Result<Option<String>, Unmapped> {
        const MOST_SECONDS: i64 = 100_000_000_000;
        match self.find(field, body, headers) {
            Some((_, Found::Json(Value::Number(number)))) if number.is_i64() => {
                let number = number.as_i64().unwrap_or_default();
                let ms = if number.saturating_abs() < MOST_SECONDS { number * 1_000 } else { number };
                Ok(Some(Timestamp::from_millis(ms).to_string()))
            }
            Some((place, found)) => text(field, place, found).map(Some),
            None => Ok(None),
        }
    }

    fn format(&self, body: &Value, headers: &Headers) -> Result<Option<Format>, Unmapped> {
        let Some((place, found)) = self.find("format", body, headers) else { return Ok(None) };
        match text("format", place, found)?.as_str() {
            "text" => Ok(Some(Format::Text)),
            "html" => Ok(Some(Format::Html)),
            "markdown" => Ok(Some(Format::Markdown)),
            _ => Err(wrong("format", place, "is neither text, html nor markdown")),
        }
    }
}

/// A value as text: whole numbers are written out, which is what ids in foreign databases are.
fn text(field: &str, place: &Place, found: Found<'_>) -> Result<String, Unmapped> {
    let value = match found {
        Found::Text(text) => return Ok(text.to_owned()),
        Found::Json(value) => value,
    };
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        // Two ids that are too large would become the same number.
        Value::Number(_) => Err(wrong(field, place, "holds a number that is broken or too large")),
        Value::Bool(_) => Err(wrong(field, place, "holds true or false, not text")),
        Value::Array(_) => Err(wrong(field, place, "holds a list, not text")),
        Value::Object(_) => Err(wrong(field, place, "holds an object, not text")),
        Value::Null => Err(wrong(field, place, "holds null, not text")),
    }
}

fn wrong(field: &str, place: &Place, problem: &str) -> Unmapped {
    Unmapped { field: field.to_owned(), problem: format!("{place} {problem}") }
}

pub(super) fn joined(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn clipped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
