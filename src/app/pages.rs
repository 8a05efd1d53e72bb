//! Articles, prepared once and kept for the comments that follow.
//!
//! A bounded cache over the store, keyed by site and article; what it lost it fetches again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::comment::{Article, ExternalId};
use crate::domain::known::Known;
use crate::domain::relevance::{Background, Page};
use crate::domain::site::SiteId;
use crate::domain::store::Store;

/// Prepared pages. When full, the older half goes: pages are read in bursts, and what is missed is one read away.
pub struct Pages {
    store: Arc<dyn Store>,
    capacity: usize,
    kept: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<(SiteId, ExternalId), Arc<Page>>,
    old: HashMap<(SiteId, ExternalId), Arc<Page>>,
}

/// What is known of the page under a comment.
#[derive(Debug)]
pub struct PageKnown {
    /// The page as known from now on; `NotApplicable` when no more than its id was ever sent.
    pub page: Known<Arc<Page>>,
    /// What the store is to remember, when this comment brought something new.
    pub update: Option<Article>,
}

impl Pages {
    /// Keeps at most `capacity` pages over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, capacity: usize) -> Self {
        Self { store, capacity: capacity.max(2), kept: Mutex::default() }
    }

    /// The page that `sent` names, with what `sent` adds to it. Changes nothing: [`Self::keep`] does, once stored.
    pub async fn with(&self, site: SiteId, sent: &Article, background: &Background) -> PageKnown {
        let earlier = match self.kept(site, &sent.id) {
            Some(page) => Some(page),
            None => match self.store.article_find(site, &sent.id).await {
                Ok(Some(article)) => Some(self.keep(site, Arc::new(Page::new(article, background)))),
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "article could not be read");
                    let page = if sent.has_details() {
                        Known::Known(Arc::new(Page::new(sent.clone(), background)))
                    } else {
                        Known::Unavailable("the article could not be read from the store".to_owned())
                    };
                    return PageKnown { page, update: sent.has_details().then(|| sent.clone()) };
                }
            },
        };
        let Some(earlier) = earlier else {
            if !sent.has_details() {
                return PageKnown { page: Known::NotApplicable, update: None };
            }
            let page = Arc::new(Page::new(sent.clone(), background));
            return PageKnown { page: Known::Known(page), update: Some(sent.clone()) };
        };
        let updated = earlier.article.updated_with(sent);
        if updated == earlier.article {
            return PageKnown { page: Known::Known(earlier), update: None };
        }
        let page = Arc::new(Page::new(updated.clone(), background));
        PageKnown { page: Known::Known(page), update: Some(updated) }
    }

    /// Keeps `page` for the comments that follow; answers it.
    pub fn keep(&self, site: SiteId, page: Arc<Page>) -> Arc<Page> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.young.len() >= self.capacity / 2 {
            kept.old = std::mem::take(&mut kept.young);
        }
        kept.young.insert((site, page.article.id.clone()), Arc::clone(&page));
        page
    }

    /// Forgets every page, as when the background statistics change.
    pub fn clear(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Generations::default();
    }

    fn kept(&self, site: SiteId, id: &ExternalId) -> Option<Arc<Page>> {
        let key = (site, id.clone());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = kept.young.get(&key) {
            return Some(Arc::clone(page));
        }
        let page = kept.old.remove(&key)?;
        kept.young.insert(key, Arc::clone(&page));
        Some(page)
    }
}
