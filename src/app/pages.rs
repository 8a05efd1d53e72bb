//! Articles, prepared once and kept for the comments that follow.
//!
//! A cache over the store, keyed by site and article and bounded in bytes; what it lost it fetches again. It never holds what the store
//! does not: whoever changes an article says so when the store has it ([`Pages::stored`], [`Pages::forget`]), and a page that was read
//! or prepared before that is not kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::app::house::House;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::known::Known;
use crate::domain::relevance::Page;
use crate::domain::site::SiteId;
use crate::domain::store::Store;

/// Prepared pages.
pub struct Pages {
    store: Arc<dyn Store>,
    shelf: Mutex<Shelf>,
}

/// What is known of the page under a comment.
#[derive(Debug)]
pub struct PageKnown {
    /// The page as this comment shows it; `NotApplicable` when no more than its id was ever sent.
    pub page: Known<Arc<Page>>,
    /// What this comment brings that was not known before.
    pub news: Option<News>,
}

/// What a comment brings that was not known of its page.
#[derive(Debug)]
pub struct News {
    /// As sent. The store puts it over what it knows; the whole page would bring back what others replaced meanwhile.
    pub sent: Article,
    /// The page with it; `None` when the rest of the page could not be read.
    page: Option<Arc<Page>>,
    /// The shelf's count of changes when the page was looked at.
    changes: u64,
}

impl Pages {
    /// Keeps pages of about `max_bytes` together, over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, max_bytes: usize) -> Self {
        Self { store, shelf: Mutex::new(Shelf { max_bytes, ..Shelf::default() }) }
    }

    /// The page that `sent` names, with what `sent` adds to it. What it adds is kept by nobody until [`Self::stored`].
    pub async fn with(&self, site: SiteId, sent: &Article, house: &House) -> PageKnown {
        let (kept, changes) = self.shelf().look(site, &sent.id);
        let earlier = match kept {
            Some(page) => Some(page),
            None => match self.store.article_find(site, &sent.id).await {
                Ok(Some(article)) => {
                    let page = Arc::new(house.page(article));
                    self.shelf().put_unless_changed(site, &page, changes);
                    Some(page)
                }
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "article could not be read");
                    return unread(sent, changes, house);
                }
            },
        };
        let known = earlier.as_ref().map_or_else(|| Article::named(sent.id.clone()), |page| page.article.clone());
        let updated = known.updated_with(sent);
        if updated == known {
            return PageKnown { page: earlier.map_or(Known::NotApplicable, Known::Known), news: None };
        }
        let page = Arc::new(house.page(updated));
        let news = News { sent: sent.clone(), page: Some(Arc::clone(&page)), changes };
        PageKnown { page: Known::Known(page), news: Some(news) }
    }

    /// The store has what a comment brought.
    pub fn stored(&self, site: SiteId, news: &News) {
        self.shelf().changed(site, news);
    }

    /// The store has, or may have, something else of this article than before.
    pub fn forget(&self, site: SiteId, id: &ExternalId) {
        let mut shelf = self.shelf();
        shelf.changes += 1;
        shelf.remove(&(site, id.clone()));
    }

    /// Forgets all articles: nobody knows which of them changed.
    pub fn forget_all(&self) {
        self.shelf().clear();
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The page when the store cannot say what it knows: enough only when title, text and section all came with the comment, for a missing one may
/// be known. What came is to be stored all the same.
fn unread(sent: &Article, changes: u64, house: &House) -> PageKnown {
    let whole = sent.title.is_some() && sent.text.is_some() && sent.section.is_some();
    let page = match whole {
        true => Known::Known(Arc::new(house.page(sent.clone()))),
        false => Known::Unavailable("the article could not be read from the store".to_owned()),
    };
    let news = sent.has_details().then(|| News { sent: sent.clone(), page: None, changes });
    PageKnown { page, news }
}

/// What is kept. When the young half is full, the old one goes: pages are read in bursts, and what is missed is one read away.
#[derive(Default)]
struct Shelf {
    young: Half,
    old: Half,
    max_bytes: usize,
    /// Counts what was stored of any article: a page that was looked at before another change is not kept.
    changes: u64,
}

#[derive(Default)]
struct Half {
    pages: HashMap<Key, Arc<Page>>,
    bytes: usize,
}

type Key = (SiteId, ExternalId);

impl Shelf {
    fn look(&mut self, site: SiteId, id: &ExternalId) -> (Option<Arc<Page>>, u64) {
        let key = (site, id.clone());
        if let Some(page) = self.young.pages.get(&key) {
            return (Some(Arc::clone(page)), self.changes);
        }
        let page = self.old.remove(&key);
        if let Some(page) = &page {
            self.put(key, page);
        }
        (page, self.changes)
    }

    fn put(&mut self, key: Key, page: &Arc<Page>) {
        self.remove(&key);
        let bytes = size(page);
        if bytes > self.max_bytes / 2 {
            return; // it would drive out all others
        }
        if self.young.bytes + bytes > self.max_bytes / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        self.young.pages.insert(key, Arc::clone(page));
    }

    fn put_unless_changed(&mut self, site: SiteId, page: &Arc<Page>, changes: u64) {
        if self.changes == changes {
            self.put((site, page.article.id.clone()), page);
        }
    }

    /// Two that change one article may be stored in either order, and say so in either order: only what was looked at after every other
    /// change is the whole page, and only a kept page that shows the news already can stay.
    fn changed(&mut self, site: SiteId, news: &News) {
        let key = (site, news.sent.id.clone());
        let alone = self.changes == news.changes;
        self.changes += 1;
        match &news.page {
            Some(page) if alone => self.put(key, page),
            _ => {
                let shows = |page: &Arc<Page>| page.article.updated_with(&news.sent) == page.article;
                if !self.young.pages.get(&key).or_else(|| self.old.pages.get(&key)).is_some_and(shows) {
                    self.remove(&key);
                }
            }
        }
    }

    fn clear(&mut self) {
        self.changes += 1;
        (self.young, self.old) = (Half::default(), Half::default());
    }

    fn remove(&mut self, key: &Key) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

impl Half {
    fn remove(&mut self, key: &Key) -> Option<Arc<Page>> {
        let page = self.pages.remove(key)?;
        self.bytes -= size(&page);
        Some(page)
    }
}

/// About how many bytes a page takes: what its article holds three times (as sent, and its words once more in a table that has room to grow),
/// and what even an empty one costs.
fn size(page: &Page) -> usize {
    let Article { id, url, title, text, tags, section, lang } = &page.article;
    let held = [url, title, text, section, lang].into_iter().flatten().map(String::len).sum::<usize>();
    let tags = tags.iter().map(|tag| tag.len() + size_of::<String>()).sum::<usize>();
    let words = page.title_words.len() * size_of::<String>();
    1_024 + id.as_str().len() + words + 3 * (held + tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::relevance::Background;

    const SITE: SiteId = SiteId(1);

    fn article(id: &str) -> Article {
        Article::named(ExternalId::parse("id", id.to_owned()).unwrap())
    }

    fn titled(id: &str, title: &str) -> Article {
        Article { title: Some(title.to_owned()), ..article(id) }
    }

    fn page(article: Article) -> Arc<Page> {
        Arc::new(Page::new(article, &Background::default()))
    }

    fn news(article: Article, changes: u64) -> News {
        News { page: Some(page(article.clone())), sent: article, changes }
    }

    fn kept(shelf: &mut Shelf, id: &str) -> Option<String> {
        shelf.look(SITE, &article(id).id).0.and_then(|page| page.article.title.clone())
    }

    #[test]
    fn many_long_articles_stay_within_their_bytes() {
        let mut shelf = Shelf { max_bytes: 4_000_000, ..Shelf::default() };
        for at in 0..500 {
            let long = Article { text: Some("word ".repeat(10 * at)), ..titled(&at.to_string(), "Title") };
            shelf.put((SITE, long.id.clone()), &page(long));
            assert!(shelf.young.bytes + shelf.old.bytes <= shelf.max_bytes);
        }
        assert_eq!(kept(&mut shelf, "499").as_deref(), Some("Title"), "the latest is kept");
        assert_eq!(kept(&mut shelf, "0"), None, "the first made room");
        for at in 0..500 {
            shelf.remove(&(SITE, article(&at.to_string()).id));
        }
        assert_eq!((shelf.young.bytes, shelf.old.bytes), (0, 0), "bytes were counted twice, or not at all");
        let huge = Article { text: Some("word ".repeat(200_000)), ..article("huge") };
        shelf.put((SITE, huge.id.clone()), &page(huge));
        assert_eq!(shelf.young.bytes, 0, "one article takes all the room");
    }

    #[test]
    fn what_is_kept_is_what_the_store_has_in_whatever_order_changes_end() {
        let look = |shelf: &mut Shelf| shelf.look(SITE, &article("a").id).1;
        let new = || Shelf { max_bytes: 1_000_000, ..Shelf::default() };

        let mut shelf = new();
        let seen = look(&mut shelf);
        shelf.changed(SITE, &news(titled("a", "A"), seen));
        assert_eq!(kept(&mut shelf, "a").as_deref(), Some("A"), "alone");

        let (mut shelf, seen) = (new(), 0);
        shelf.changed(SITE, &news(titled("a", "B"), seen));
        shelf.changed(SITE, &news(titled("a", "A"), seen));
        assert_eq!(kept(&mut shelf, "a"), None, "which of two was stored last is not known");
        shelf.changed(SITE, &news(titled("a", "A"), seen));
        assert_eq!(kept(&mut shelf, "a"), None, "nor of three");

        let mut shelf = new();
        shelf.changed(SITE, &news(titled("a", "A"), 0));
        shelf.changed(SITE, &news(titled("a", "A"), 0));
        assert_eq!(kept(&mut shelf, "a").as_deref(), Some("A"), "two that bring the same");

        let mut shelf = new();
        let seen = look(&mut shelf);
        shelf.changed(SITE, &news(titled("a", "New"), seen));
        shelf.put_unless_changed(SITE, &page(titled("a", "Old")), seen);
        assert_eq!(kept(&mut shelf, "a").as_deref(), Some("New"), "read before the change, put after it");

        let mut shelf = new();
        shelf.changed(SITE, &News { page: None, ..news(titled("a", "Half"), 0) });
        assert_eq!(kept(&mut shelf, "a"), None, "not the whole page");
    }
}
