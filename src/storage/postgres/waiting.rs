//! What a row of the queue says of a comment, as far as the comment itself tells.

use super::shared::Shared;
use crate::domain::category::Category;
use crate::domain::signal::Outcome;
use crate::domain::site::SiteId;
use crate::storage::codec::Content;

/// See the module.
pub(super) struct Waiting<'a> {
    /// The category that led to it; 0 for none.
    pub category: i16,
    /// Signals that hit, parted by blanks: their ids hold none.
    pub signals: String,
    /// What the site sent with this comment; otherwise it is that of the article.
    pub section: Option<&'a str>,
    pub lang: Option<&'a str>,
    /// Keys by which all sites' comments are filtered.
    pub article: i64,
    pub author: i64,
    pub priority: f64,
}

impl<'a> Waiting<'a> {
    /// Of a comment that is held.
    pub(super) fn of(shared: &Shared, content: &'a Content) -> Self {
        let comment = &content.comment;
        let hits = content.verdict.signals.iter().filter(|signal| matches!(signal.outcome, Outcome::Hit { .. }));
        let author = comment.author.id.as_ref().map_or(0, |id| shared.hasher.account(SiteId(0), id.as_str()));
        Self {
            category: category_code(content.verdict.category),
            signals: hits.map(|signal| signal.id.as_ref()).collect::<Vec<_>>().join(" "),
            section: comment.article.section.as_deref(),
            lang: content.lang.as_deref(),
            article: shared.hasher.article(SiteId(0), comment.article.id.as_str()).cast_signed(),
            author: author.cast_signed(),
            priority: content.priority,
        }
    }
}

pub(super) const fn category_code(category: Option<Category>) -> i16 {
    match category {
        None => 0,
        Some(Category::Spam) => 1,
        Some(Category::OffTopic) => 2,
        Some(Category::Abuse) => 3,
    }
}
