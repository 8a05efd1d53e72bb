//! Comments as sites send them: parsed once, within their bounds, valid from then on.
//!
//! [`Draft`] is the wire form (CONTRACT: `POST /v1/comments`); [`NewComment`] is what it becomes when it is valid;
//! [`Comment`] adds the normalised body. Nothing later looks at a draft again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::headline::Candidate;
use super::normalise::{Body, is_blank};
use super::time::Timestamp;
use super::trace::Trace;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain text.
    #[default]
    Text,
    /// An HTML fragment, hostile until proven otherwise.
    Html,
    /// CommonMark, raw HTML included.
    Markdown,
}

/// A comment as a site sends it, before anything was checked. Unknown fields are ignored.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Draft {
    /// The site's own name for the comment: 1 to 200 printable characters.
    pub id: String,
    /// The page that it stands under.
    pub article: ArticleDraft,
    /// The comment that this one answers.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub author: Option<AuthorDraft>,
    /// What was written, as it was written.
    pub body: String,
    /// How the body is written; plain text when absent.
    #[serde(default)]
    pub format: Option<Format>,
    /// When the author sent it, RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// A field that people do not see and bots fill in.
    #[serde(default)]
    pub honeypot: Option<String>,
    /// Milliseconds from opening the form to sending it.
    #[serde(default)]
    pub typing_ms: Option<u64>,
    /// The page that the browser named as its referrer.
    #[serde(default)]
    pub referrer: Option<String>,
}

/// A page, as a site sends it with a comment or on its own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct ArticleDraft {
    /// The site's own name for the page: 1 to 200 printable characters.
    pub id: String,
    /// Its address.
    #[serde(default)]
    pub url: Option<String>,
    /// Its title.
    #[serde(default)]
    pub title: Option<String>,
    /// Its text, without markup.
    #[serde(default)]
    pub text: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// The section that it appears in.
    #[serde(default)]
    pub section: Option<String>,
    /// Its language, as in `en` or `pt-BR`.
    #[serde(default)]
    pub lang: Option<String>,
}

/// Whoever wrote a comment, as a site knows them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct AuthorDraft {
    /// The site's own name for the account.
    #[serde(default)]
    pub id: Option<String>,
    /// The name shown to readers.
    #[serde(default)]
    pub name: Option<String>,
    /// An e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// A homepage.
    #[serde(default)]
    pub url: Option<String>,
    /// The address that the comment came from.
    #[serde(default)]
    pub ip: Option<String>,
    /// The browser's own description.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// What this person is to the site: `staff` and the like may be exempted in the settings.
    #[serde(default)]
    pub role: Option<String>,
    /// When the account was made, RFC 3339.
    #[serde(default)]
    pub registered_at: Option<String>,
}

/// How large each part may be. Lengths are in bytes of UTF-8 unless they say characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// The body of a comment.
    pub max_comment_bytes: usize,
    /// An article's title.
    pub max_title_bytes: usize,
    /// An article's text.
    pub max_article_bytes: usize,
    /// Tags of one article.
    pub max_tags: usize,
    /// Names, sections, languages, roles, tags: each.
    pub max_name_bytes: usize,
    /// Addresses, e-mail addresses, user agents, referrers, honeypots: each.
    pub max_field_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_comment_bytes: 65_536,
            max_title_bytes: 2_000,
            max_article_bytes: 200_000,
            max_tags: 100,
            max_name_bytes: 500,
            max_field_bytes: 4_000,
        }
    }
}

/// Why a draft is no comment: which field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    /// The field's path, as in `author.ip`.
    pub field: &'static str,
    /// One clause for the site's developer, as in `must not be empty`.
    pub problem: String,
}

impl Invalid {
    /// `field` is wrong because of `problem`.
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// A site's own name for a comment or an article: 1 to 200 printable characters, spaces allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExternalId(Box<str>);

impl ExternalId {
    /// Takes `text` as an id; `field` is named when it is none.
    ///
    /// # Errors
    /// [`Invalid`] when empty, longer than 200 characters, or holding control characters.
    pub fn parse(field: &'static str, text: String) -> Result<Self, Invalid> {
        let characters = text.chars().count();
        if text.trim().is_empty() {
            return Err(Invalid::new(field, "must not be empty"));
        }
        if characters > 200 {
            return Err(Invalid::new(field, format!("has {characters} characters, at most 200 are allowed")));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new(field, "must hold printable characters only"));
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// The id as the site wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ExternalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A page, within its bounds. Fields that the site did not send are `None`; tags that it did not send are empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// The site's own name for the page.
    pub id: ExternalId,
    /// Its address.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its text, without markup.
    pub text: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The section that it appears in.
    pub section: Option<String>,
    /// Its language, as in `en`.
    pub lang: Option<String>,
}

impl Article {
    /// An article of which only the id is known.
    #[must_use]
    pub fn named(id: ExternalId) -> Self {
        Self { id, url: None, title: None, text: None, tags: Vec::new(), section: None, lang: None }
    }

    /// Whether anything but the id is known.
    #[must_use]
    pub fn has_details(&self) -> bool {
        self.title.is_some()
            || self.text.is_some()
            || !self.tags.is_empty()
            || self.url.is_some()
            || self.section.is_some()
            || self.lang.is_some()
    }

    /// What is known of the page after `newer` arrived: each field that `newer` carries replaces the older one.
    #[must_use]
    pub fn updated_with(&self, newer: &Self) -> Self {
        let or = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
        Self {
            id: newer.id.clone(),
            url: or(&newer.url, &self.url),
            title: or(&newer.title, &self.title),
            text: or(&newer.text, &self.text),
            tags: if newer.tags.is_empty() { self.tags.clone() } else { newer.tags.clone() },
            section: or(&newer.section, &self.section),
            lang: or(&newer.lang, &self.lang),
        }
    }
}

/// Whoever wrote a comment. Fields that the site did not send are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The site's own name for the account.
    pub id: Option<ExternalId>,
    /// The name shown to readers.
    pub name: Option<String>,
    /// An e-mail address, as sent.
    pub email: Option<String>,
    /// A homepage.
    pub url: Option<String>,
    /// The address that the comment came from.
    pub ip: Option<std::net::IpAddr>,
    /// The browser's own description.
    pub user_agent: Option<String>,
    /// What this person is to the site.
    pub role: Option<String>,
    /// When the account was made.
    pub registered_at: Option<Timestamp>,
}

/// A comment as sent, every field within its bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewComment {
    /// The site's own name for it.
    pub id: ExternalId,
    /// The page that it stands under, with whatever the site sent of it this time.
    pub article: Article,
    /// The comment that it answers.
    pub parent_id: Option<ExternalId>,
    /// Who wrote it.
    pub author: Author,
    /// What was written, byte for byte.
    pub body: String,
    /// How the body is written.
    pub format: Format,
    /// When the author sent it, by the site's clock.
    pub created_at: Option<Timestamp>,
    /// What a hidden field held; `Some("")` when the site has one and it stayed empty.
    pub honeypot: Option<String>,
    /// Milliseconds from opening the form to sending it.
    pub typing_ms: Option<u64>,
    /// The referrer.
    pub referrer: Option<String>,
}

impl Draft {
    /// Checks every field against `bounds`.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is wrong. Empty strings in optional fields count as absent (except the
    /// honeypot, where empty is what a person leaves); a NUL anywhere, or a body that shows nothing but
    /// blanks once its markup is gone, is an error.
    pub fn parse(self, bounds: &Bounds) -> Result<NewComment, Invalid> {
        let author = self.author.unwrap_or_default();
        let (body, format) = (self.body, self.format.unwrap_or_default());
        check("body", &body, bounds.max_comment_bytes)?;
        if is_blank(&body, format) {
            return Err(Invalid::new("body", "must not be empty or blank"));
        }
        if let Some(honeypot) = &self.honeypot {
            check("honeypot", honeypot, bounds.max_field_bytes)?;
        }
        Ok(NewComment {
            id: ExternalId::parse("id", self.id)?,
            article: self.article.parse(bounds)?,
            parent_id: present(self.parent_id).map(|id| ExternalId::parse("parent_id", id)).transpose()?,
            author: author.parse(bounds)?,
            body,
            format,
            created_at: moment("created_at", self.created_at)?,
            honeypot: self.honeypot,
            typing_ms: self.typing_ms,
            referrer: optional("referrer", self.referrer, bounds.max_field_bytes)?,
        })
    }
}

impl ArticleDraft {
    /// Checks every field against `bounds`.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is wrong.
    pub fn parse(self, bounds: &Bounds) -> Result<Article, Invalid> {
        let tags = self.tags.unwrap_or_default();
        if tags.len() > bounds.max_tags {
            let problem = format!("has {} entries, at most {} are allowed", tags.len(), bounds.max_tags);
            return Err(Invalid::new("article.tags", problem));
        }
        let tags: Vec<String> = tags.into_iter().filter(|tag| !tag.trim().is_empty()).collect();
        for tag in &tags {
            check("article.tags", tag, bounds.max_name_bytes)?;
        }
        Ok(Article {
            id: ExternalId::parse("article.id", self.id)?,
            url: optional("article.url", self.url, bounds.max_field_bytes)?,
            title: optional("article.title", self.title, bounds.max_title_bytes)?,
            text: optional("article.text", self.text, bounds.max_article_bytes)?,
            tags,
            section: optional("article.section", self.section, bounds.max_name_bytes)?,
            lang: optional("article.lang", self.lang, bounds.max_name_bytes)?,
        })
    }
}

impl AuthorDraft {
    fn parse(self, bounds: &Bounds) -> Result<Author, Invalid> {
        let ip = optional("author.ip", self.ip, bounds.max_field_bytes)?
            .map(|ip| ip.trim().parse().map_err(|_| Invalid::new("author.ip", "is no IPv4 or IPv6 address")))
            .transpose()?;
        Ok(Author {
            id: present(self.id).map(|id| ExternalId::parse("author.id", id)).transpose()?,
            name: optional("author.name", self.name, bounds.max_name_bytes)?,
            email: optional("author.email", self.email, bounds.max_field_bytes)?,
            url: optional("author.url", self.url, bounds.max_field_bytes)?,
            ip,
            user_agent: optional("author.user_agent", self.user_agent, bounds.max_field_bytes)?,
            role: optional("author.role", self.role, bounds.max_name_bytes)?,
            registered_at: moment("author.registered_at", self.registered_at)?,
        })
    }
}

/// An empty string in an optional field counts as absent.
fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn optional(field: &'static str, text: Option<String>, max_bytes: usize) -> Result<Option<String>, Invalid> {
    let text = present(text);
    if let Some(text) = &text {
        check(field, text, max_bytes)?;
    }
    Ok(text)
}

fn moment(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, Invalid> {
    present(text).map(|text| Timestamp::parse(&text).map_err(|problem| Invalid::new(field, problem))).transpose()
}

fn check(field: &'static str, text: &str, max_bytes: usize) -> Result<(), Invalid> {
    if text.len() > max_bytes {
        return Err(Invalid::new(field, format!("has {} bytes, at most {max_bytes} are allowed", text.len())));
    }
    if text.contains('\0') {
        return Err(Invalid::new(field, "must not contain NUL"));
    }
    Ok(())
}

/// A comment on its way through the house: as sent, as read, and as the past may know it.
#[derive(Debug, Clone)]
pub struct Comment {
    /// What the site sent.
    pub sent: NewComment,
    /// The body, reduced to text and links.
    pub body: Body,
    /// The parts of the body that read like headlines, strongest first: the trace's first, in its order.
    pub headlines: Vec<Candidate>,
    /// The fingerprints by which the past is asked about it.
    pub trace: Trace,
}
