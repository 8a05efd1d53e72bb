//! An entry of a file, and what is taken of it: a comment as it is stored, or why it is left out. Pure: nothing of it depends on what was read before.

use xxhash_rust::xxh3::xxh3_128;

use crate::domain::comment::{Article, ArticleDraft, Author, Bounds, Draft, Invalid, NewComment};
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::learning::Said;
use crate::domain::normalise::{self, Body};
use crate::domain::store::{ContentHash, RulingCategory};
use crate::domain::time::Timestamp;

/// Before that, nobody commented on the web: 1990.
const EARLIEST: Timestamp = Timestamp::from_millis(631_152_000_000);
/// What a clock elsewhere may be ahead: a day.
const AHEAD_MS: i64 = 86_400_000;

/// What a comment was where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Approved,
    Pending,
    Spam,
    Deleted,
}

/// A comment as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub draft: Draft,
    pub status: Status,
    pub decided_by: DecidedBy,
    pub said: Said,
    pub at: Option<Timestamp>,
}

impl Found {
    /// What was shown is ham, what was called spam is that; what was deleted may have been deleted for anything.
    pub(super) fn of(draft: Draft, state: State, at: Option<Timestamp>) -> Self {
        let draft = Draft { created_at: at.map(|at| at.to_string()), ..draft };
        let (status, said) = match state {
            State::Approved => (Status::Approved, Said::of(Action::Approve, None)),
            State::Pending => (Status::Held, Said::default()),
            State::Spam => (Status::Rejected, Said::of(Action::Reject, Some(RulingCategory::Spam))),
            State::Deleted => (Status::Rejected, Said::default()),
        };
        Self { draft, status, decided_by: DecidedBy::Rule, said, at }
    }
}

/// An entry of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Read {
    Article(Box<ArticleDraft>),
    Comment(Box<Found>),
    Skipped(Why),
}

/// Why an entry is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error("a {0}, which is no comment")]
    NoComment(String),
    #[error("in the state `{0}`, which is not known")]
    State(String),
    #[error("stands under no article of this file")]
    NoArticle,
    #[error("a line that is longer than anything may be")]
    LongLine,
    #[error("{0}")]
    Line(String),
    #[error("holds no text")]
    NoText,
    #[error("without a date that can be read")]
    NoDate,
    #[error("dated {0}, which cannot be")]
    Impossible(Timestamp),
    #[error("older than `database.retain_days` keeps comments")]
    Expired,
    #[error("was waiting for a moderator")]
    Pending,
    #[error("{0}")]
    Invalid(Invalid),
}

impl Why {
    /// What it is counted as.
    pub(super) const fn class(&self) -> &'static str {
        match self {
            Self::NoComment(_) => "no comment (pingbacks and the like)",
            Self::State(_) => "in a state that is not known",
            Self::NoArticle => "under no article",
            Self::LongLine => "too long a line",
            Self::Line(_) => "not readable",
            Self::NoText => "without text",
            Self::NoDate => "without a date",
            Self::Impossible(_) => "with a date that cannot be",
            Self::Expired => "older than comments are kept",
            Self::Pending => "waiting for a moderator",
            Self::Invalid(_) => "over a bound, or not valid",
        }
    }

    /// What is said of it beside its place: nothing of what the file says, but for the names of kinds and states.
    pub(super) fn told(&self) -> String {
        let short = |name: &str| name.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
        match self {
            Self::NoComment(kind) => Self::NoComment(short(kind)).to_string(),
            Self::State(state) => Self::State(short(state)).to_string(),
            other => other.to_string(),
        }
    }
}

/// What is taken of a file, and how: nothing of it depends on what was read before.
#[derive(Debug, Clone)]
pub struct Sieve {
    /// Lengths.
    pub bounds: Bounds,
    /// Whether what waited for a moderator waits for one here; left out otherwise.
    pub with_pending: bool,
    /// Addresses of comments before that moment are left out: here they would have been replaced by now.
    pub addresses_from: Option<Timestamp>,
    /// Comments before that moment are too old to be kept.
    pub kept_from: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

/// What is taken.
pub(super) enum Taken {
    Article(Box<Article>),
    Comment(Box<Ready>),
    Skipped(Why),
}

/// A comment that is taken.
pub(super) struct Ready {
    pub new: NewComment,
    /// Of what the file says, addresses included: the same comment again is known by it.
    pub content: ContentHash,
    pub status: Status,
    pub decided_by: DecidedBy,
    pub said: Said,
    pub at: Timestamp,
    pub left_out: LeftOut,
}

/// What was left out of a comment that was taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LeftOut {
    pub fields: u64,
    pub addresses: bool,
}

impl Sieve {
    pub(super) fn take(&self, read: Read) -> Taken {
        match read {
            Read::Article(draft) => match shortened(*draft, &self.bounds).parse(&self.bounds) {
                Ok(article) => Taken::Article(Box::new(article)),
                Err(error) => Taken::Skipped(Why::Invalid(error)),
            },
            Read::Comment(found) => match self.take_comment(*found) {
                Ok(ready) => Taken::Comment(Box::new(ready)),
                Err(why) => Taken::Skipped(why),
            },
            Read::Skipped(why) => Taken::Skipped(why),
        }
    }

    fn take_comment(&self, found: Found) -> Result<Ready, Why> {
        let Found { mut draft, status, decided_by, said, at } = found;
        if status == Status::Held && !self.with_pending {
            return Err(Why::Pending);
        }
        let at = at.ok_or(Why::NoDate)?;
        if at < EARLIEST || at > self.now.plus_millis(AHEAD_MS) {
            return Err(Why::Impossible(at));
        }
        if self.kept_from.is_some_and(|from| at < from) {
            return Err(Why::Expired);
        }
        if draft.article.id.trim().is_empty() {
            return Err(Why::NoArticle);
        }
        if normalise::is_blank(&draft.body, draft.format.unwrap_or_default()) {
            return Err(Why::NoText);
        }
        let fields = without_what_does_not_fit(&mut draft, &self.bounds);
        let mut new = draft.parse(&self.bounds).map_err(Why::Invalid)?;
        let content = normalise::content_hash(&new);
        let mut left_out = LeftOut { fields, addresses: false };
        if self.addresses_from.is_some_and(|from| at < from) {
            let author = &new.author;
            left_out.addresses =
                author.ip.is_some() || author.email.is_some() || author.user_agent.is_some() || new.referrer.is_some();
            new.author = Author { ip: None, email: None, user_agent: None, ..new.author };
            new.referrer = None;
        }
        Ok(Ready { new, content, status, decided_by, said, at, left_out })
    }
}

/// An article whose text is too long is compared with by its beginning.
fn shortened(draft: ArticleDraft, bounds: &Bounds) -> ArticleDraft {
    let fits = |text: &String, max: usize| text.len() <= max && !text.contains('\0');
    let cut = |text: Option<String>, max: usize| text.map(|text| beginning(&text, max).to_owned());
    ArticleDraft {
        url: draft.url.filter(|url| fits(url, bounds.max_field_bytes)),
        title: cut(draft.title, bounds.max_title_bytes),
        text: cut(draft.text, bounds.max_article_bytes),
        tags: draft.tags.map(|tags| {
            tags.into_iter().filter(|tag| fits(tag, bounds.max_name_bytes)).take(bounds.max_tags).collect()
        }),
        section: draft.section.filter(|section| fits(section, bounds.max_name_bytes)),
        lang: draft.lang.filter(|lang| fits(lang, bounds.max_name_bytes)),
        id: draft.id,
    }
}

/// At most so many bytes of a text, without NUL.
fn beginning(text: &str, max: usize) -> &str {
    let text = text.split('\0').next().unwrap_or_default();
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A comment is not lost for a field beside it: one that is no valid one is left out, and counted.
fn without_what_does_not_fit(draft: &mut Draft, bounds: &Bounds) -> u64 {
    let mut count = 0;
    let mut keep = |field: &mut Option<String>, fits: &dyn Fn(&str) -> bool| {
        if let Some(text) = field.take_if(|text| text.trim().is_empty() || !fits(text)) {
            count += u64::from(!text.trim().is_empty());
        }
    };
    let within = |max: usize| move |text: &str| text.len() <= max && !text.contains('\0');
    let is_id = |text: &str| text.chars().count() <= 200 && !text.chars().any(char::is_control);
    let is_moment = |text: &str| Timestamp::parse(text).is_ok();
    keep(&mut draft.parent_id, &is_id);
    keep(&mut draft.created_at, &is_moment);
    keep(&mut draft.referrer, &within(bounds.max_field_bytes));
    if let Some(author) = &mut draft.author {
        keep(&mut author.id, &is_id);
        keep(&mut author.name, &within(bounds.max_name_bytes));
        keep(&mut author.email, &within(bounds.max_field_bytes));
        keep(&mut author.url, &within(bounds.max_field_bytes));
        keep(&mut author.ip, &|text| text.trim().parse::<std::net::IpAddr>().is_ok());
        keep(&mut author.user_agent, &within(bounds.max_field_bytes));
        keep(&mut author.role, &within(bounds.max_name_bytes));
        keep(&mut author.registered_at, &is_moment);
    }
    draft.article = shortened(std::mem::take(&mut draft.article), bounds);
    count
}

/// `2020-01-31 23:59:59`, in UTC; `None` for what is no moment, as the zeros of posts that were never published.
pub(super) fn moment_of_sql(text: &str) -> Option<Timestamp> {
    let (date, time) = text.trim().split_once(' ')?;
    Timestamp::parse(&format!("{date}T{time}Z")).ok()
}

pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A name as an id: one that is too long for that stands as its hash.
pub(super) fn id_of(name: String) -> String {
    if name.chars().count() <= 200 && !name.chars().any(char::is_control) {
        return name;
    }
    format!("hash-{:032x}", xxh3_128(name.as_bytes()))
}

/// What a reader sees of HTML.
pub(super) fn text_of_html(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return html.to_owned();
    }
    Body::read(html, crate::domain::comment::Format::Html).plain.text().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_databases_write_them() {
        let at = Timestamp::parse("2020-01-31T23:59:59Z").ok();
        assert_eq!(moment_of_sql(" 2020-01-31 23:59:59 "), at);
        for wrong in [
            "0000-00-00 00:00:00",
            "2020-02-30 00:00:00",
            "2020-01-31",
            "",
            "yesterday noon",
            "2020-01-31 23:59:59+01:00",
        ] {
            assert_eq!(moment_of_sql(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_that_are_too_long_for_ids_stand_as_their_hashes() {
        assert_eq!(id_of("https://blog.example/a".to_owned()), "https://blog.example/a");
        let long = format!("https://blog.example/{}", "a".repeat(200));
        let (one, other) = (id_of(long.clone()), id_of(format!("{long}b")));
        assert!(one != other && one.len() == 37 && one == id_of(long), "{one}");
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        assert_eq!(beginning("caf\u{e9}s", 4), "caf");
        assert_eq!(beginning("caf\u{e9}s", 5), "caf\u{e9}");
        assert_eq!(beginning("a\0b", 9), "a");
    }
}
