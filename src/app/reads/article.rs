//! An article with what was said under it, and what lies behind one comment.

use uuid::Uuid;

use super::{Desk, ReadError};
use crate::domain::comment::{Article, ExternalId};
use crate::domain::decision::Record;
use crate::domain::people::Person;
use crate::domain::reads::{ArticleNumbers, Behind};
use crate::domain::site::Site;
use crate::domain::store::{CommentFilter, Page, PageRequest};

/// Pages among which a comment is looked for.
const PAGES: usize = 20;

/// An article as it is known, with a page of its comments.
#[derive(Debug, Clone, PartialEq)]
pub struct ArticlePage {
    /// As it is known; of what is not, only the id.
    pub article: Article,
    /// What became of the comments within the reach.
    pub numbers: ArticleNumbers,
    /// Comments within the reach, latest first.
    pub comments: Page<Record>,
    /// Whether a later page was skipped to find the comment that was asked for.
    pub is_further_back: bool,
}

impl Desk {
    /// An article with a page of its comments: the page that holds the comment `at`, when it is one of the latest twenty from where the page
    /// begins; otherwise the page itself.
    ///
    /// # Errors
    /// `NotFound` when neither the article nor a comment under it lies within the person's reach; [`crate::domain::store::ListError`].
    pub async fn article(
        &self,
        site: &Site,
        id: &ExternalId,
        at: Option<Uuid>,
        page: &PageRequest,
        by: &Person,
    ) -> Result<ArticlePage, ReadError> {
        let filter = CommentFilter {
            article: Some(id.to_string()),
            reach: by.reach.clone(),
            as_people_see: true,
            ..CommentFilter::default()
        };
        let first = self.store.comment_list(site.id, &filter, page).await?;
        let known = self.store.article_find(site.id, id).await?;
        let of_article =
            |article: &Article| by.reach.covers(&site.name, article.section.as_deref(), article.lang.as_deref());
        if first.items.is_empty() && first.next_cursor.is_none() && !known.as_ref().is_some_and(of_article) {
            return Err(ReadError::NotFound("article"));
        }
        let numbers = self.store.article_numbers(site.id, id, &by.reach).await?;
        let found = match at {
            Some(at) => self.page_of(site, &filter, page, &first, at).await?,
            None => None,
        };
        let is_further_back = found.is_some();
        let article = known.unwrap_or_else(|| Article::named(id.clone()));
        Ok(ArticlePage { article, numbers, comments: found.unwrap_or(first), is_further_back })
    }

    /// The later page that holds a comment, if it is not on the first one.
    async fn page_of(
        &self,
        site: &Site,
        filter: &CommentFilter,
        page: &PageRequest,
        first: &Page<Record>,
        at: Uuid,
    ) -> Result<Option<Page<Record>>, ReadError> {
        let holds = |page: &Page<Record>| page.items.iter().any(|record| record.uid == at);
        let mut cursor = first.next_cursor.clone().filter(|_| !holds(first));
        for _ in 0..PAGES {
            let Some(from) = cursor.take() else { break };
            let next = PageRequest { limit: page.limit, cursor: Some(from) };
            let next = self.store.comment_list(site.id, filter, &next).await?;
            if holds(&next) {
                return Ok(Some(next));
            }
            cursor = next.next_cursor;
        }
        Ok(None)
    }

    /// What lies behind a comment within a person's reach.
    ///
    /// # Errors
    /// `NotFound`; the store failed.
    pub async fn behind(&self, uid: Uuid, by: &Person) -> Result<Behind, ReadError> {
        self.store.behind(uid, &by.reach).await?.ok_or(ReadError::NotFound("comment"))
    }
}
