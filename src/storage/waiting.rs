//! What the queue's row of a comment says of it: the same on every engine.

use super::codec::Content;
use super::derived::Derived;
use crate::domain::category::Category;
use crate::domain::decision::Status;
use crate::domain::rules::is_label;
use crate::domain::signal::Outcome;
use crate::domain::site::SiteId;
use crate::domain::store::AuthorKind;

/// See the module.
pub(super) struct Waiting<'a> {
    /// The category that led to it; 0 for none.
    pub category: i16,
    /// Signals and rules that hit, then tags and queues, parted by blanks: their ids hold none.
    pub signals: String,
    /// What the site sent with this comment; otherwise it is that of the article.
    pub section: Option<&'a str>,
    pub lang: Option<&'a str>,
    pub article: i64,
    /// Zero for no account.
    pub author: i64,
    pub priority: f64,
}

impl<'a> Waiting<'a> {
    /// Of a comment of that status. What was drawn lies there like what is held, by whatever can be seen of it.
    pub(super) fn of(derived: &Derived, site: SiteId, status: Status, content: &'a Content) -> Self {
        let comment = &content.comment;
        let drawn = status != Status::Held;
        let verdict = &content.verdict;
        let hits = verdict.signals.iter().filter(|signal| matches!(signal.outcome, Outcome::Hit { .. }));
        let labels = verdict.causes.iter().filter(|cause| is_label(cause)).map(|cause| cause.id.as_str());
        Self {
            category: category_code(if drawn { content.verdict.as_held().category } else { content.verdict.category }),
            signals: hits.map(|signal| signal.id.as_ref()).chain(labels).collect::<Vec<_>>().join(" "),
            section: comment.article.section.as_deref(),
            lang: content.lang.as_deref(),
            article: article_key(derived, comment.article.id.as_str()),
            author: comment.author.id.as_ref().map_or(0, |id| author_key(derived, id.as_str())),
            priority: if drawn { place_of_drawn(derived, site, content) } else { content.priority },
        }
    }
}

/// A drawn comment's place among what is held: by hash, since by its scores it would be known at once.
fn place_of_drawn(derived: &Derived, site: SiteId, content: &Content) -> f64 {
    let [_, place] = derived.lots(site, &format!("{}/{}", content.comment.id, content.hash.0));
    0.2 + 0.75 * place
}

/// Whatever its site.
pub(super) fn article_key(derived: &Derived, id: &str) -> i64 {
    derived.hasher.article(SiteId(0), id).cast_signed()
}

/// Whatever its site.
pub(super) fn author_key(derived: &Derived, id: &str) -> i64 {
    derived.hasher.account(SiteId(0), id).cast_signed()
}

pub(super) const fn category_code(category: Option<Category>) -> i16 {
    match category {
        None => 0,
        Some(Category::Spam) => 1,
        Some(Category::OffTopic) => 2,
        Some(Category::Abuse) => 3,
    }
}

/// The category of that code; none for none.
pub(super) fn category_of(code: i16) -> Option<Category> {
    Category::ALL.into_iter().find(|category| category_code(Some(*category)) == code)
}

pub(super) fn category_name(code: i16) -> &'static str {
    category_of(code).map_or("none", Category::name)
}

pub(super) const fn kind_of(known: bool) -> AuthorKind {
    if known { AuthorKind::Known } else { AuthorKind::New }
}
