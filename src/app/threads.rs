//! What was said under articles, kept for the comments that follow.
//!
//! A cache over the store of the latest approved comments of an article, as numbers and not as text, bounded in articles and in comments of
//! each. Whoever changes what stands approved says so when the store has it ([`Threads::judged`], [`Threads::changed`]). What is said of an
//! article while it is being read is put over what was read: where many write at once, something is always said.
//!
//! Among several nodes a new comment that stands approved is told by its name, and the others read it and no more ([`Threads::keep_hearing`]): where
//! many write to many nodes, nearly every comment would find its article changed, and read all of it again. Of every other change they hear the
//! article, and forget it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::app::house::{House, Meaning, Settings};
use crate::domain::comment::{Author, Comment, NewComment};
use crate::domain::decision::{Record, Status};
use crate::domain::known::Known;
use crate::domain::news::{Bulletin, News};
use crate::domain::normalise::Body;
use crate::domain::siblings::{Sibling, Siblings, Thread};
use crate::domain::site::SiteId;
use crate::domain::store::{CommentFilter, ListError, PageRequest, Store};
use crate::domain::trace::{self, Trace};

/// Articles of which threads are kept, in each of two halves: some forty megabytes when all of them are full.
const ARTICLES: usize = 1_000;

/// Comments of one article looked back over for as many authors as a thread keeps.
const ROWS: usize = 240;
/// Pages in which they are read, at most: a page may hold fewer than asked.
const PAGES: usize = 4;
/// What may be said of an article while it is read; more than that, and what was read is not kept.
const MISSED: usize = 1_000;

/// Between two times that other nodes are told what changed.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// Articles told of together: what is told at once has less than 8,000 bytes, and a number up to twenty digits.
const TOLD_TOGETHER: usize = 300;
/// Comments told of together: a uid has 36 characters more.
const SAID_TOGETHER: usize = 100;
/// Comments of other nodes that wait to be read, at most. Articles of more are forgotten, and read again when they are asked for.
const HEARD_MAX: usize = 4_096;

/// The latest approved comments of articles.
pub struct Threads {
    store: Arc<dyn Store>,
    shelf: Mutex<Shelf>,
    /// Where other nodes hear of changes.
    bulletin: Option<Arc<dyn Bulletin>>,
    /// What other nodes are to hear of.
    untold: Mutex<Untold>,
    /// What was heard of other nodes.
    heard: Notify,
}

/// What other nodes were not told yet.
#[derive(Default)]
struct Untold {
    /// Articles under which something changed.
    changed: BTreeSet<u64>,
    /// New comments, with their articles.
    said: Vec<(u64, Uuid)>,
}

/// A new comment of another node, under an article that is kept.
struct Heard {
    uid: Uuid,
    article: u64,
    /// Which [`Kept`] it goes into, and no other: one that was read later has it, or what became of it.
    number: u64,
}

/// When the young half is full, the old one goes, as with pages.
#[derive(Default)]
struct Shelf {
    young: HashMap<u64, Kept>,
    old: HashMap<u64, Kept>,
    /// Articles that are being read. Where something happened that only reading anew can show, those who read are forgotten here.
    reading: HashMap<u64, Reading>,
    /// Counts what was entered there.
    readings: u64,
    /// Which word vectors the threads are made of.
    words: u64,
    /// New comments of other nodes that are to be read.
    heard: Vec<Heard>,
}

/// An article that is being read from the store, and what was said of it since the first of its readers began.
struct Reading {
    number: u64,
    readers: usize,
    missed: Vec<Said>,
    /// New comments of other nodes: whoever reads may have been too early for them.
    elsewhere: Vec<Uuid>,
}

/// What became of a comment.
#[derive(Clone)]
enum Said {
    Approved(Box<Sibling>),
    Otherwise(u64),
}

/// One article's.
struct Kept {
    thread: Thread,
    site: SiteId,
    /// Of the reading that it is from.
    number: u64,
}

impl Threads {
    /// Keeps threads over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, shelf: Mutex::default(), bulletin: None, untold: Mutex::default(), heard: Notify::new() }
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
            self.tell_untold();
        }
    }

    /// Tells other nodes what changed and was not told yet.
    pub fn tell_untold(&self) {
        let Untold { changed, said } = std::mem::take(&mut *self.untold());
        let Some(bulletin) = &self.bulletin else { return };
        for comments in said.chunks(SAID_TOGETHER) {
            bulletin.tell(News::Said { comments: comments.to_vec() });
        }
        let changed: Vec<u64> = changed.into_iter().collect();
        for articles in changed.chunks(TOLD_TOGETHER) {
            bulletin.tell(News::Threads { articles: articles.to_vec() });
        }
    }

    /// Reads what other nodes have new, all that was heard of meanwhile together. For ever.
    pub async fn keep_hearing(&self, settings: &Settings) -> Infallible {
        loop {
            self.heard.notified().await;
            let heard = std::mem::take(&mut self.shelf().heard);
            self.hear(heard, &settings.current()).await;
        }
    }

    async fn hear(&self, heard: Vec<Heard>, house: &House) {
        for heard in heard.chunks(SAID_TOGETHER) {
            let uids: Vec<Uuid> = heard.iter().map(|one| one.uid).collect();
            let found = match self.store.comments_by_uid(&uids).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "comments of other nodes could not be read"
                    );
                    for one in heard {
                        self.shelf().remove(one.article);
                    }
                    continue;
                }
            };
            let found: HashMap<Uuid, Record> = found.into_iter().map(|record| (record.uid, record)).collect();
            for one in heard {
                // Of what became something else since there is other news.
                let is_as_told = |record: &&Record| record.status == Status::Approved && record.version == 1;
                let Some(record) = found.get(&one.uid).filter(is_as_told) else { continue };
                let Some(site) = self.shelf().waiting(one, house).map(|kept| kept.site) else { continue };
                let sibling = earlier(site, &record.comment, house);
                if let Some(kept) = self.shelf().waiting(one, house) {
                    kept.thread.add(sibling);
                }
            }
        }
    }

    /// New comments stand approved on another node.
    pub fn said_elsewhere(&self, comments: Vec<(u64, Uuid)>) {
        let mut shelf = self.shelf();
        for (article, uid) in comments {
            shelf.miss_elsewhere(article, uid);
            shelf.hear_of(article, uid);
        }
        self.heard.notify_one();
    }

    /// What stands approved under these articles was changed by another node.
    pub fn changed_elsewhere(&self, articles: &[u64]) {
        let mut shelf = self.shelf();
        for article in articles {
            shelf.remove(*article);
        }
    }

    /// Forgets everything: nobody knows what changed.
    pub fn forget_all(&self) {
        let mut shelf = self.shelf();
        *shelf = Shelf { words: shelf.words, readings: shelf.readings, ..Shelf::default() };
    }

    fn tell(&self, note: impl FnOnce(&mut Untold)) {
        if self.bulletin.is_some() {
            note(&mut self.untold());
        }
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands approved around a comment, without itself and what its author said; `NotApplicable` when nothing does.
    pub async fn around(&self, comment: &Comment, house: &House) -> Known<Arc<Siblings>> {
        let trace = &comment.trace;
        let reader = {
            let mut shelf = self.shelf();
            shelf.serve(house.embedding.version());
            if let Some(kept) = shelf.look(trace.article) {
                return known(kept.around(trace));
            }
            Reader { shelf: &self.shelf, heard: &self.heard, article: trace.article, number: shelf.read(trace.article) }
        };
        let article = comment.sent.article.id.as_str().to_owned();
        let filter =
            CommentFilter { status: Some(Status::Approved), article: Some(article), ..CommentFilter::default() };
        match self.read(trace.site, &filter, house).await {
            Ok(thread) => known(reader.keep(thread, trace)),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the comments of an article could not be read"
                );
                Known::Unavailable("the article's comments could not be read from the store".to_owned())
            }
        }
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
                if latest.len() < Thread::MAX && authors.insert(speaker(site, &record.comment).1) {
                    latest.push(earlier(site, &record.comment, house));
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

    /// The store has a comment with that record; `sibling` is how those that follow meet it.
    pub fn judged(&self, trace: &Trace, record: &Record, sibling: impl FnOnce() -> Sibling) {
        if record.version > 1 {
            return self.changed(trace); // what it said before may be on its way from another node
        }
        let is_approved = record.status == Status::Approved;
        if is_approved {
            self.tell(|untold| untold.said.push((trace.article, record.uid)));
        }
        let said = if is_approved { Said::Approved(Box::new(sibling())) } else { Said::Otherwise(trace.comment) };
        let mut shelf = self.shelf();
        shelf.miss(trace.article, &said);
        if let Some(kept) = shelf.look(trace.article) {
            kept.hear(said);
        }
    }

    /// A comment is, or may be, something else than before: what stands there is read again.
    pub fn changed(&self, trace: &Trace) {
        self.tell(|untold| _ = untold.changed.insert(trace.article));
        self.changed_elsewhere(&[trace.article]);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who reads an article from the store; leaves however that ends.
struct Reader<'a> {
    shelf: &'a Mutex<Shelf>,
    heard: &'a Notify,
    article: u64,
    number: u64,
}

impl Reader<'_> {
    /// Keeps what was read, with what was said meanwhile put over it; answers what stands around a comment.
    fn keep(self, thread: Thread, trace: &Trace) -> Option<Arc<Siblings>> {
        let mut kept = Kept { thread, site: trace.site, number: self.number };
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reading) = shelf.reading.get(&self.article).filter(|reading| reading.number == self.number) else {
            return kept.around(trace);
        };
        reading.missed.iter().for_each(|said| kept.hear(said.clone()));
        let around = kept.around(trace);
        let elsewhere = reading.elsewhere.clone();
        shelf.put(self.article, kept);
        for uid in elsewhere {
            shelf.hear_of(self.article, uid);
            self.heard.notify_one();
        }
        around
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = shelf.reading.get_mut(&self.article).filter(|reading| reading.number == self.number) {
            reading.readers -= 1;
            if reading.readers == 0 {
                shelf.reading.remove(&self.article);
            }
        }
    }
}

/// A comment as those that follow it meet it.
pub(in crate::app) fn sibling(comment: &Comment, meaning: &Meaning) -> Sibling {
    let trace = &comment.trace;
    let voice = voice(&comment.sent.author, trace.comment, trace.author);
    Sibling::new(trace.comment, voice, &meaning.terms, &meaning.gist)
}

/// The same of one that the store holds.
fn earlier(site: SiteId, sent: &NewComment, house: &House) -> Sibling {
    let (comment, voice) = speaker(site, sent);
    // Only what was said: its fingerprints and headlines are nobody's question here, and cost more.
    let meaning = house.meaning(&Body::read(&sent.body, sent.format));
    Sibling::new(comment, voice, &meaning.terms, &meaning.gist)
}

/// Which comment that is, and who speaks in it.
fn speaker(site: SiteId, sent: &NewComment) -> (u64, u64) {
    let (comment, author) = trace::identity(site, sent);
    (comment, voice(&sent.author, comment, author))
}

/// Who speaks: the author; where the site says nothing of authors, each comment for itself, or all of them would be one voice.
fn voice(said: &Author, comment: u64, author: u64) -> u64 {
    let named = said.id.is_some() || said.email.is_some() || said.ip.is_some() || said.name.is_some();
    if named { author } else { comment }
}

fn known(siblings: Option<Arc<Siblings>>) -> Known<Arc<Siblings>> {
    siblings.map_or(Known::NotApplicable, Known::Known)
}

impl Kept {
    fn hear(&mut self, said: Said) {
        match said {
            Said::Approved(sibling) => self.thread.add(*sibling),
            Said::Otherwise(comment) => self.thread.remove(comment),
        }
    }

    fn around(&self, trace: &Trace) -> Option<Arc<Siblings>> {
        self.thread.around(trace.comment, trace.author)
    }
}

impl Shelf {
    /// Forgets an article; what is being read of it is not kept.
    fn remove(&mut self, article: u64) {
        self.reading.remove(&article);
        self.young.remove(&article);
        self.old.remove(&article);
    }

    /// Another house has other word vectors: what was kept of the old ones cannot be compared.
    fn serve(&mut self, words: u64) {
        if self.words != words {
            *self = Self { words, readings: self.readings, ..Self::default() };
        }
    }

    /// Enters one more who reads an article.
    fn read(&mut self, article: u64) -> u64 {
        self.readings += 1;
        let first = Reading { number: self.readings, readers: 0, missed: Vec::new(), elsewhere: Vec::new() };
        let reading = self.reading.entry(article).or_insert(first);
        reading.readers += 1;
        reading.number
    }

    /// Tells those who read an article what they may have missed.
    fn miss(&mut self, article: u64, said: &Said) {
        let Some(reading) = self.reading.get_mut(&article) else { return };
        if reading.missed.len() < MISSED {
            reading.missed.push(said.clone());
        } else {
            self.reading.remove(&article);
        }
    }

    /// Tells those who read an article that another node has a new comment under it.
    fn miss_elsewhere(&mut self, article: u64, uid: Uuid) {
        let Some(reading) = self.reading.get_mut(&article) else { return };
        if reading.elsewhere.len() < MISSED {
            reading.elsewhere.push(uid);
        } else {
            self.reading.remove(&article);
        }
    }

    /// Has a new comment of another node read, if its article is kept.
    fn hear_of(&mut self, article: u64, uid: Uuid) {
        let Some(number) = self.kept(article).map(|kept| kept.number) else { return };
        if self.heard.len() < HEARD_MAX {
            self.heard.push(Heard { uid, article, number });
        } else {
            self.remove(article);
        }
    }

    /// What is kept of an article; that somebody looks at it makes it no younger.
    fn kept(&mut self, article: u64) -> Option<&mut Kept> {
        self.young.get_mut(&article).or_else(|| self.old.get_mut(&article))
    }

    /// Where a comment of another node goes, if it still goes anywhere.
    fn waiting(&mut self, heard: &Heard, house: &House) -> Option<&mut Kept> {
        if self.words != house.embedding.version() {
            return None; // what was kept of the old words goes with the next question
        }
        self.kept(heard.article).filter(|kept| kept.number == heard.number)
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
    use crate::domain::comment::{ArticleDraft, Bounds, Draft};
    use crate::domain::embedding::Gist;
    use crate::domain::normalise;
    use crate::domain::relevance::Background;
    use crate::domain::terms::Terms;

    #[test]
    fn articles_are_bounded_and_the_latest_stay() {
        let mut shelf = Shelf::default();
        for article in 0..10_000 {
            shelf.put(article, Kept { thread: Thread::default(), site: SiteId(1), number: 0 });
            assert!(shelf.look(0).is_some(), "what is asked for stays");
        }
        assert!(shelf.young.len() + shelf.old.len() <= 2 * ARTICLES);
        assert!(shelf.look(9_999).is_some() && shelf.look(5).is_none());
        shelf.serve(7);
        assert!(shelf.look(9_999).is_none(), "made of other word vectors");
    }

    fn spoken(comment: u64, author: u64) -> Sibling {
        let terms = Terms::of(["harbour", "bridge"].into_iter(), &Background::default());
        Sibling::new(comment, author, &terms, &Gist::default())
    }

    fn trace(article: u64) -> Trace {
        let page = ArticleDraft { id: "a".to_owned(), ..ArticleDraft::default() };
        let body = "What about the harbour bridge?".to_owned();
        let draft = Draft { id: "new".to_owned(), article: page, body, ..Draft::default() };
        let comment = normalise::normalise(SiteId(1), draft.parse(&Bounds::default()).unwrap(), false);
        Trace { article, ..comment.trace }
    }

    #[test]
    fn what_is_said_while_an_article_is_read_is_neither_lost_nor_a_reason_to_read_again() {
        let (shelf, heard) = (Mutex::new(Shelf::default()), Notify::new());
        let reader =
            |article| Reader { shelf: &shelf, heard: &heard, article, number: shelf.lock().unwrap().read(article) };
        let count = |around: Option<Arc<Siblings>>| around.map_or(0, |siblings| siblings.count);
        let read = || {
            let mut thread = Thread::default();
            thread.add(spoken(1, 1));
            thread.add(spoken(2, 2));
            thread
        };

        let (one, two) = (reader(7), reader(7));
        shelf.lock().unwrap().miss(7, &Said::Approved(Box::new(spoken(3, 3))));
        shelf.lock().unwrap().miss(7, &Said::Otherwise(1));
        assert_eq!(count(one.keep(read(), &trace(7))), 2, "without the first, with the third");
        assert_eq!(count(two.keep(read(), &trace(7))), 2);
        let mut held = shelf.lock().unwrap();
        assert_eq!(count(held.look(7).unwrap().around(&trace(7))), 2, "kept");
        assert!(held.reading.is_empty(), "nobody reads any more");
        drop(held);

        let (early, late) = (reader(8), {
            shelf.lock().unwrap().reading.remove(&8); // as a change does that only reading anew can show
            reader(8)
        });
        early.keep(read(), &trace(8));
        assert!(shelf.lock().unwrap().look(8).is_none(), "read before the change");
        late.keep(read(), &trace(8));
        assert!(shelf.lock().unwrap().look(8).is_some(), "read after it");

        let one = reader(10);
        shelf.lock().unwrap().miss_elsewhere(10, Uuid::from_u128(1));
        one.keep(read(), &trace(10));
        let waits = |held: &Shelf| held.heard.iter().map(|one| (one.article, one.uid.as_u128())).collect::<Vec<_>>();
        assert_eq!(waits(&shelf.lock().unwrap()), [(10, 1)], "what another node has is read by itself");
        shelf.lock().unwrap().hear_of(11, Uuid::from_u128(2));
        (0..HEARD_MAX).for_each(|_| shelf.lock().unwrap().hear_of(10, Uuid::from_u128(3)));
        assert!(shelf.lock().unwrap().look(10).is_none(), "too much of it: it is read again");
        assert_eq!(shelf.lock().unwrap().heard.len(), HEARD_MAX, "of what is not kept nothing waits");

        let spoilt = reader(9);
        (0..=MISSED).for_each(|_| shelf.lock().unwrap().miss(9, &Said::Otherwise(1)));
        spoilt.keep(read(), &trace(9));
        assert!(shelf.lock().unwrap().look(9).is_none(), "more was said than is remembered");
    }
}
