//! The history of one node: in memory over the store, bounded, rebuilt on start.
//!
//! Links and texts are remembered here alone (what left the window is forgotten); authors are a cache over the store. At the default sizes
//! a full memory takes about 150 MB: some 90 bytes a comment, 70 a link and 250 a text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::recall::{Before, Recall};
use crate::domain::decision::Status;
use crate::domain::history::{AuthorPast, History, PastOf, Standing};
use crate::domain::known::Known;
use crate::domain::store::{self, Remembered, Store};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

/// `[history]`: what is remembered of the past, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Days after which links, texts and headlines are forgotten.
    pub window_days: u32,
    /// Comments remembered at most.
    pub max_comments: usize,
    /// Links remembered at most.
    pub max_links: usize,
    /// Texts and headlines remembered at most, together.
    pub max_texts: usize,
    /// Authors kept in memory at most; others are looked up in the store again.
    pub max_authors: usize,
    /// Comments of an author that are looked back over.
    pub author_depth: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window_days: 30,
            max_comments: 250_000,
            max_links: 250_000,
            max_texts: 300_000,
            max_authors: 100_000,
            author_depth: 50,
        }
    }
}

/// A history in memory.
pub struct MemoryHistory {
    config: Config,
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

struct State {
    recall: Recall,
    /// Two generations: when the young one is full, the old one goes.
    authors: HashMap<u64, AuthorEntry>,
    authors_old: HashMap<u64, AuthorEntry>,
}

#[derive(Clone)]
struct AuthorEntry {
    past: AuthorPast,
    /// The recall's order when it was loaded: what was noted later is not part of it yet.
    loaded: u64,
}

impl MemoryHistory {
    /// An empty history over `store`.
    #[must_use]
    pub fn new(config: Config, store: Arc<dyn Store>) -> Self {
        let recall = Recall::new(config.max_comments, config.max_links, config.max_texts);
        let state = State { recall, authors: HashMap::new(), authors_old: HashMap::new() };
        Self { config, store, state: Mutex::new(state) }
    }

    /// A history that knows what the store remembers of the window before `now`.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn rebuild(config: Config, store: Arc<dyn Store>, now: Timestamp) -> store::Result<Arc<Self>> {
        let history = Arc::new(Self::new(config, Arc::clone(&store)));
        let noting = Arc::clone(&history);
        let each = Box::new(move |earlier: Remembered| {
            noting.state().recall.note(&earlier.trace, earlier.received_at, Some(earlier.standing));
        });
        store.remembered(history.oldest(now), history.config.max_comments, each).await?;
        Ok(history)
    }

    fn oldest(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(-i64::from(self.config.window_days) * 86_400_000)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, trace: &Trace, now: Timestamp, author: Known<AuthorPast>, note: bool) -> PastOf {
        let mut state = self.state();
        let recall = &mut state.recall;
        let past = PastOf {
            links: Known::Known(trace.links.iter().map(|link| recall.link_past(trace, *link, now)).collect()),
            text: match &trace.text {
                Some(text) => Known::Known(recall.text_past(trace, text, now)),
                None => Known::NotApplicable,
            },
            headlines: Known::Known(trace.headlines.iter().map(|one| recall.headline_past(trace, one, now)).collect()),
            author,
        };
        if note {
            recall.expire(self.oldest(now));
            recall.note(trace, now, None);
        }
        past
    }
}

#[async_trait]
impl History for MemoryHistory {
    async fn about(&self, trace: &Trace, now: Timestamp) -> PastOf {
        let author = self.author(trace, now).await;
        self.ask(trace, now, author, false)
    }

    async fn author(&self, trace: &Trace, now: Timestamp) -> Known<AuthorPast> {
        if !trace.author_known {
            return Known::NotApplicable;
        }
        let loaded = {
            let mut state = self.state();
            if let Some(entry) = state.author(trace.author, self.config.max_authors) {
                return Known::Known(entry.past.clone());
            }
            state.recall.order()
        };
        match self.store.author_past(trace, now, self.config.author_depth).await {
            Ok(past) => {
                let entry = AuthorEntry { past: past.clone(), loaded };
                self.state().keep_author(trace.author, entry, self.config.max_authors);
                Known::Known(past)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an author's past could not be read");
                Known::Unavailable("the author's earlier comments could not be read from the store".to_owned())
            }
        }
    }

    async fn sight(&self, trace: &Trace, now: Timestamp) -> PastOf {
        let author = self.author(trace, now).await;
        self.ask(trace, now, author, true)
    }

    async fn settle(&self, trace: &Trace, at: Timestamp, standing: Standing) {
        let mut state = self.state();
        let before = state.recall.settle(trace.comment, standing);
        state.count_author(trace, at, before, Some(standing));
    }

    async fn forget(&self, trace: &Trace) {
        let mut state = self.state();
        let before = state.recall.forget(trace.comment);
        state.count_author(trace, Timestamp::EPOCH, before, None);
    }
}

impl State {
    fn author(&mut self, author: u64, max: usize) -> Option<&AuthorEntry> {
        if !self.authors.contains_key(&author) {
            let entry = self.authors_old.remove(&author)?;
            self.keep_author(author, entry, max);
        }
        self.authors.get(&author)
    }

    fn keep_author(&mut self, author: u64, entry: AuthorEntry, max: usize) {
        if self.authors.len() >= max / 2 {
            self.authors_old = std::mem::take(&mut self.authors);
        }
        self.authors.insert(author, entry);
    }

    fn forget_author(&mut self, author: u64) {
        self.authors.remove(&author);
        self.authors_old.remove(&author);
    }

    /// Brings the author's record up to date, or lets it be read again where that cannot be told.
    fn count_author(&mut self, trace: &Trace, at: Timestamp, before: Option<Before>, after: Option<Standing>) {
        let Some(before) = before else {
            return self.forget_author(trace.author); // too old to be remembered
        };
        let Some(entry) = self.authors.get_mut(&trace.author).or_else(|| self.authors_old.get_mut(&trace.author))
        else {
            return;
        };
        if before.standing.is_none() && before.order <= entry.loaded {
            // Loaded between sighting and settling: it may or may not be part of what was loaded.
            return self.forget_author(trace.author);
        }
        let past = &mut entry.past;
        if let Some(standing) = before.standing {
            change(past, standing, |count| count.saturating_sub(1));
        }
        if let Some(standing) = after {
            change(past, standing, |count| count.saturating_add(1));
            past.first_at = Some(past.first_at.map_or(at, |first| first.min(at)));
            past.last_at = Some(past.last_at.map_or(at, |last| last.max(at)));
        }
    }
}

fn change(past: &mut AuthorPast, standing: Standing, by: impl Fn(u32) -> u32) {
    match standing.status {
        Status::Approved => {
            past.approved = by(past.approved);
            if standing.by_person {
                past.approved_by_person = by(past.approved_by_person);
            }
        }
        Status::Rejected => {
            past.rejected = by(past.rejected);
            if standing.by_person {
                past.rejected_by_person = by(past.rejected_by_person);
            }
        }
        Status::Held => past.held = by(past.held),
    }
}
