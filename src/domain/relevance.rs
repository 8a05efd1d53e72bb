//! How much a text has to do with a page: TF-IDF against background statistics, with an evidence gate.

use super::comment::Article;

/// Document frequencies of words over many pages, shipped in `models/`.
#[derive(Debug, Clone, Default)]
pub struct Background;

/// An article, prepared once for being compared with many comments.
#[derive(Debug, Clone)]
pub struct Page {
    /// The article.
    pub article: Article,
}

impl Page {
    /// Prepares `article`.
    #[must_use]
    pub fn new(article: Article, _background: &Background) -> Self {
        Self { article }
    }
}
