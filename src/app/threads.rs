//! What was said under articles, kept for the comments that follow.
//!
//! A cache over the store of the latest approved comments of an article, as numbers and not as text, bounded in articles and in comments of
//! each. Whoever changes what stands approved says so when the store has it ([`Threads::judged`], [`Threads::changed`]); what was read before
//! that is not kept.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::app::house::House;
use crate::domain::comment::Comment;
use crate::domain::decision::{Record, Status};
use crate::domain::known::Known;
use crate::domain::news::{Bulletin, News};
use crate::domain::normalise;
use crate::domain::siblings::{Sibling, Siblings, Thread};
use crate::domain::site::SiteId;
use crate::domain::store::{CommentFilter, ListError, PageRequest, Store};
use crate::domain::terms::Terms;
use crate::domain::trace::Trace;

/// Articles of which threads are kept, in each of two halves: some ten megabytes when all of them are full.
const ARTICLES: usize = 1_000;

/// Comments of one article looked back over for as many authors as a thread keeps.
const ROWS: usize = 240;
/// Pages in which they are read, at most: a page may hold fewer than asked.
const PAGES: usize = 4;

/// Between two times that other nodes are told what changed.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// Articles told of together: what is told at once has less than 8,000 bytes, and a number up to twenty digits.
const TOLD_TOGETHER: usize = 300;

/// The latest approved comments of articles.
pub struct Threads {
    store: Arc<dyn Store>,
    shelf: Mutex<Shelf>,
    /// Where other nodes hear of changes.
    bulletin: Option<Arc<dyn Bulletin>>,
    /// Articles that other nodes are to hear of.
    untold: Mutex<BTreeSet<u64>>,
}

/// When the young half is full, the old one goes, as with pages.
#[derive(Default)]
struct Shelf {
    young: HashMap<u64, Kept>,
    old: HashMap<u64, Kept>,
    /// Counts changes, so that what was read before one is not kept after it.
    changes: u64,
    /// Which word vectors the threads are made of.
    words: u64,
}

#[derive(Default)]
struct Kept {
    thread: Thread,
    /// The summary as strangers meet it, once somebody asked.
    all: Option<Option<Arc<Siblings>>>,
}

impl Threads {
    /// Keeps threads over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, shelf: Mutex::new(Shelf::default()), bulletin: None, untold: Mutex::default() }
    }

    /// The same, telling other nodes; whoever does this runs [`Self::keep_telling`].
    #[must_use]
    pub fn telling(self, bulletin: Arc<dyn Bulletin>) -> Self {
        Self { bulletin: Some(bulletin), ..self }
    }

    /// Tells other nodes from time to time what changed, all of it together: it changes with every comment that is approved. For ever.
    pub async fn keep_telling(&self) -> Infallible {
        loop {
            tokio::time::sleep(TOLD_EVERY).await;
            let articles: Vec<u64> = std::mem::take(&mut *self.untold()).into_iter().collect();
            for articles in articles.chunks(TOLD_TOGETHER) {
                if let Some(bulletin) = &self.bulletin {
                    bulletin.tell(News::Threads { articles: articles.to_vec() });
                }
            }
        }
    }

    /// What stands approved under these articles was changed by another node.
    pub fn changed_elsewhere(&self, articles: &[u64]) {
        let mut shelf = self.shelf();
        shelf.changes += 1;
        for article in articles {
            shelf.remove(*article);
        }
    }

    /// Forgets everything: nobody knows what changed.
    pub fn forget_all(&self) {
        let mut shelf = self.shelf();
        *shelf = Shelf { words: shelf.words, changes: shelf.changes + 1, ..Shelf::default() };
    }

    fn tell(&self, article: u64) {
        if self.bulletin.is_some() {
            self.untold().insert(article);
        }
    }

    fn untold(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands approved around a comment, without itself and what its author said; `NotApplicable` when nothing does.
    pub async fn around(&self, comment: &Comment, house: &House) -> Known<Arc<Siblings>> {
        let trace = &comment.trace;
        let changes = {
            let mut shelf = self.shelf();
            shelf.serve(house.embedding.version());
            if let Some(kept) = shelf.look(trace.article) {
                return known(kept.around(trace));
            }
            shelf.changes
        };
        let article = comment.sent.article.id.as_str().to_owned();
        let filter =
            CommentFilter { status: Some(Status::Approved), article: Some(article), ..CommentFilter::default() };
        let mut kept = match self.read(trace.site, &filter, house).await {
            Ok(thread) => Kept { thread, all: None },
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the comments of an article could not be read"
                );
                return Known::Unavailable("the article's comments could not be read from the store".to_owned());
            }
        };
        let around = kept.around(trace);
        let mut shelf = self.shelf();
        if shelf.changes == changes {
            shelf.put(trace.article, kept);
        }
        known(around)
    }

    /// The latest comment of each of the latest authors, looking back over at most [`ROWS`]: one author's flood does not push the others out.
    async fn read(&self, site: SiteId, filter: &CommentFilter, house: &House) -> Result<Thread, ListError> {
        let mut latest: Vec<Sibling> = Vec::with_capacity(Thread::MAX);
        let mut authors = HashSet::new();
        let (mut rows, mut cursor) = (0, None);
        for _ in 0..PAGES {
            if rows >= ROWS || latest.len() >= Thread::MAX {
                break;
            }
            let request = PageRequest { limit: if rows == 0 { Thread::MAX } else { ROWS - rows }, cursor };
            let page = self.store.comment_list(site, filter, &request).await?;
            rows += page.items.len();
            for record in page.items {
                let earlier = normalise::normalise(site, record.comment, false);
                if latest.len() < Thread::MAX && authors.insert(voice(&earlier)) {
                    latest.push(sibling(&earlier, house));
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let mut thread = Thread::default();
        latest.into_iter().rev().for_each(|sibling| thread.add(sibling));
        Ok(thread)
    }

    /// The store has a comment with that status.
    pub fn judged(&self, comment: &Comment, record: &Record, house: &House) {
        let sibling = (record.status == Status::Approved).then(|| sibling(comment, house));
        if sibling.is_some() || record.version > 1 {
            self.tell(comment.trace.article);
        }
        let mut shelf = self.shelf();
        shelf.changes += 1;
        if let Some(kept) = shelf.look(comment.trace.article) {
            kept.all = None;
            match sibling {
                Some(sibling) => kept.thread.add(sibling),
                None => kept.thread.remove(comment.trace.comment),
            }
        }
    }

    /// A comment is, or may be, something else than before: what stands there is read again.
    pub fn changed(&self, trace: &Trace) {
        self.tell(trace.article);
        self.changed_elsewhere(&[trace.article]);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A comment as those that follow it meet it.
pub(in crate::app) fn sibling(comment: &Comment, house: &House) -> Sibling {
    let terms = Terms::of(comment.body.words(), &house.background);
    let gist = house.embedding.gist(comment.body.words());
    Sibling::new(comment.trace.comment, voice(comment), &terms, &gist)
}

/// Who speaks: the author; where the site says nothing of authors, each comment for itself, or all of them would be one voice.
fn voice(comment: &Comment) -> u64 {
    let author = &comment.sent.author;
    let named = author.id.is_some() || author.email.is_some() || author.ip.is_some() || author.name.is_some();
    if named { comment.trace.author } else { comment.trace.comment }
}

fn known(siblings: Option<Arc<Siblings>>) -> Known<Arc<Siblings>> {
    siblings.map_or(Known::NotApplicable, Known::Known)
}

impl Kept {
    fn around(&mut self, trace: &Trace) -> Option<Arc<Siblings>> {
        if !self.thread.is_strange_to(trace.comment, trace.author) {
            return self.thread.around(trace.comment, trace.author).map(Arc::new);
        }
        let all = || self.thread.around(trace.comment, trace.author).map(Arc::new);
        self.all.get_or_insert_with(all).clone()
    }
}

impl Shelf {
    fn remove(&mut self, article: u64) {
        self.young.remove(&article);
        self.old.remove(&article);
    }

    /// Another house has other word vectors: what was kept of the old ones cannot be compared.
    fn serve(&mut self, words: u64) {
        if self.words != words {
            *self = Self { words, changes: self.changes + 1, ..Self::default() };
        }
    }

    fn look(&mut self, article: u64) -> Option<&mut Kept> {
        if let Some(kept) = self.old.remove(&article) {
            self.put(article, kept);
        }
        self.young.get_mut(&article)
    }

    fn put(&mut self, article: u64, kept: Kept) {
        if self.young.len() >= ARTICLES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(article, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_are_bounded_and_the_latest_stay() {
        let mut shelf = Shelf::default();
        for article in 0..10_000 {
            shelf.put(article, Kept::default());
            assert!(shelf.look(0).is_some(), "what is asked for stays");
        }
        assert!(shelf.young.len() + shelf.old.len() <= 2 * ARTICLES);
        assert!(shelf.look(9_999).is_some() && shelf.look(5).is_none());
        shelf.serve(7);
        assert!(shelf.look(9_999).is_none(), "made of other word vectors");
    }
}
