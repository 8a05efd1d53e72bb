//! The history of one node: in memory over the store, bounded, rebuilt on start.
//!
//! Links and texts are remembered here alone (what left the window is forgotten); authors are a cache over the store. At the default sizes
//! a full memory takes about 110 MB: some 120 bytes a comment with an id of 36, 55 a link and 220 a text (a short text is one, beside or in
//! place of the whole).

mod ordered;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub(in crate::storage) use self::ordered::Sighted;
use super::campaigns::{Campaigns, Recognise, Shown};
use super::pace::Paces;
use super::recall::{Before, Recall, Window};
use crate::domain::campaign::{self, LazyStances, Membership, Stances, Turn};
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
    paces: Paces,
    campaigns: Campaigns,
    /// Two generations: when the young one is full, the old one goes.
    authors: HashMap<u64, AuthorEntry>,
    authors_old: HashMap<u64, AuthorEntry>,
    /// The recall's order when a record last changed, by the author's hash in so many places: what was read from the store before may be
    /// older than the change. Authors who share a place make each other be read again, no more.
    changed: Vec<u64>,
    /// How often everything was read from the store anew: orders before and after have nothing to do with each other.
    read_anew: u64,
}

/// Members of one campaign that are read on start: how many there are is known less exactly beyond.
const MEMBERS_REMEMBERED: u32 = 1_000;

/// How a comment is asked about.
#[derive(Clone, Copy)]
enum Asked<'a> {
    /// It leaves no mark.
    Only,
    /// It is noted.
    Noting,
    /// It is noted, and campaigns are recognised with it.
    Joining(&'a LazyStances<'a>, Recognise),
}

/// Places of [`State::changed`].
const PLACES: usize = 4_096;

/// Everything that an author wrote: it answers for new comments only, since what it holds of an older one could not be taken out again.
#[derive(Clone)]
struct AuthorEntry {
    past: AuthorPast,
    /// The recall's order when it had been loaded: what was noted later is not part of it yet.
    loaded: u64,
}

/// Which of an author's earlier comments are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AsOf {
    /// All that is known.
    Now,
    /// Those that had arrived at the moment asked about.
    Then,
}

impl MemoryHistory {
    /// An empty history over `store`.
    #[must_use]
    pub fn new(config: Config, store: Arc<dyn Store>) -> Self {
        Self::with_campaigns(config, campaign::Config::default(), store)
    }

    /// An empty history that recognises campaigns as `campaigns` says.
    #[must_use]
    pub fn with_campaigns(config: Config, campaigns: campaign::Config, store: Arc<dyn Store>) -> Self {
        let state = Mutex::new(State::empty(&config, campaigns));
        Self { config, store, state }
    }

    /// A history that knows what the store remembers of the window before `now`.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn rebuild(config: Config, store: Arc<dyn Store>, now: Timestamp) -> store::Result<Arc<Self>> {
        Self::rebuild_with(config, campaign::Config::default(), store, now).await
    }

    /// Like [`Self::rebuild`], with the campaigns that the store remembers, and others recognised as `campaigns` says.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn rebuild_with(
        config: Config,
        campaigns: campaign::Config,
        store: Arc<dyn Store>,
        now: Timestamp,
    ) -> store::Result<Arc<Self>> {
        let days = |days: u32| now.plus_millis(-i64::from(days) * 86_400_000);
        let (since, decided_since) = (days(campaigns.window_days), days(campaigns.remember_days));
        let most = campaigns.max_campaigns;
        let history = Arc::new(Self::with_campaigns(config, campaigns, Arc::clone(&store)));
        let noting = Arc::clone(&history);
        let each = Box::new(move |earlier: Remembered| {
            noting.state().recall.note(&earlier.trace, earlier.received_at, Some(earlier.standing));
        });
        store.remembered(history.oldest(now), history.config.max_comments, each).await?;
        let kept = store.campaigns_remembered(since, decided_since, most, MEMBERS_REMEMBERED).await?;
        let mut state = history.state();
        for campaign in kept {
            let State { recall, campaigns, .. } = &mut *state;
            campaigns.restore(recall, campaign);
        }
        drop(state);
        Ok(history)
    }

    fn oldest(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(-i64::from(self.config.window_days) * 86_400_000)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, trace: &Trace, now: Timestamp, author: Known<AuthorPast>, asked: Asked<'_>) -> PastOf {
        let newcomer = is_newcomer(&author);
        self.state().ask(trace, now, self.oldest(now), (author, newcomer), asked)
    }

    async fn author_past(&self, trace: &Trace, now: Timestamp, as_of: AsOf) -> Known<AuthorPast> {
        if !trace.author_known {
            return Known::NotApplicable;
        }
        match self.read_author(trace, now, as_of).await {
            Ok(past) => Known::Known(past),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an author's past could not be read");
                Known::Unavailable("the author's earlier comments could not be read from the store".to_owned())
            }
        }
    }

    async fn read_author(&self, trace: &Trace, now: Timestamp, as_of: AsOf) -> store::Result<AuthorPast> {
        // The clocks of requests in flight differ a little, and what is known now is known whatever they said.
        let before = now.plus_millis(if as_of == AsOf::Now { 60_000 } else { 1 });
        let read = || self.store.author_past(trace, before, self.config.author_depth);
        // A new comment costs nothing here: stores know which names were not there a moment ago.
        if self.store.comment_is_stored(trace.site, &trace.comment_id).await? {
            return Ok(self.marked(read().await?)); // an edit, or asked about again: seldom, and the store leaves the comment itself out
        }
        let started = {
            let mut state = self.state();
            if let Some(entry) = state.author(trace.author, self.config.max_authors) {
                let holds_later = entry.past.last_at.is_some_and(|last| last > now);
                if as_of == AsOf::Now || !holds_later {
                    return Ok(entry.past.clone());
                }
            }
            (state.recall.order(), state.read_anew)
        };
        let past = self.marked(read().await?);
        let mut state = self.state();
        // A moment that others have left behind says nothing about now.
        if as_of == AsOf::Now && state.changed[place(trace.author)] <= started.0 && state.read_anew == started.1 {
            let entry = AuthorEntry { past: past.clone(), loaded: state.recall.order() };
            state.keep_author(trace.author, entry, self.config.max_authors);
        }
        Ok(past)
    }

    fn marked(&self, mut past: AuthorPast) -> AuthorPast {
        let counted = u64::from(past.approved) + u64::from(past.rejected) + u64::from(past.held);
        past.goes_further_back = counted >= self.config.author_depth as u64;
        past
    }
}

#[async_trait]
impl History for MemoryHistory {
    async fn about(&self, trace: &Trace, now: Timestamp) -> PastOf {
        let author = self.author_past(trace, now, AsOf::Then).await;
        self.ask(trace, now, author, Asked::Only)
    }

    async fn author(&self, trace: &Trace, now: Timestamp) -> Known<AuthorPast> {
        self.author_past(trace, now, AsOf::Now).await
    }

    async fn sight(&self, trace: &Trace, now: Timestamp) -> PastOf {
        let author = self.author_past(trace, now, AsOf::Now).await;
        self.ask(trace, now, author, Asked::Noting)
    }

    async fn sight_in(&self, trace: &Trace, stances: &LazyStances<'_>, now: Timestamp) -> PastOf {
        let author = self.author_past(trace, now, AsOf::Now).await;
        self.ask(trace, now, author, Asked::Joining(stances, Recognise::Named))
    }

    async fn membership(&self, trace: &Trace, now: Timestamp) -> Option<Membership> {
        let mut state = self.state();
        let State { recall, campaigns, .. } = &mut *state;
        campaigns.membership(recall, trace.comment, now)
    }

    async fn turned(&self, turn: Turn) {
        self.state().campaigns.turned(turn);
    }

    async fn settle(&self, trace: &Trace, at: Timestamp, standing: Standing) {
        self.state().settle((trace.comment, trace.author), at, standing);
    }

    async fn forget(&self, trace: &Trace) {
        self.state().forget(trace.comment, trace.author);
    }
}

/// Whether nothing of an author was approved before.
pub(in crate::storage) fn is_newcomer(author: &Known<AuthorPast>) -> bool {
    author.get().is_none_or(|past| past.approved == 0)
}

impl State {
    fn empty(config: &Config, campaigns: campaign::Config) -> Self {
        Self {
            recall: Recall::new(config.max_comments, config.max_links, config.max_texts),
            paces: Paces::new(),
            campaigns: Campaigns::new(campaigns),
            authors: HashMap::new(),
            authors_old: HashMap::new(),
            changed: vec![0; PLACES],
            read_anew: 0,
        }
    }

    /// What the past says of a comment, which is noted unless it is only asked about. What is known of its author is passed on; a newcomer is
    /// somebody of whom nothing was approved before.
    fn ask(
        &mut self,
        trace: &Trace,
        now: Timestamp,
        oldest: Timestamp,
        (author, newcomer): (Known<AuthorPast>, bool),
        asked: Asked<'_>,
    ) -> PastOf {
        let pace = self.paces.look(trace.author, trace.article, now);
        let note = !matches!(asked, Asked::Only);
        let recall = &mut self.recall;
        let within = Window { from: oldest, to: (!note).then_some(now) };
        let headline = |one| recall.headline_past(trace, one, within);
        let mut past = PastOf {
            links: Known::Known(trace.links.iter().map(|link| recall.link_past(trace, *link, within)).collect()),
            text: match &trace.text {
                Some(text) => Known::Known(recall.text_past(trace, text, within)),
                None => Known::NotApplicable,
            },
            headlines: Known::Known(trace.headlines.iter().map(headline).collect()),
            author,
            pace: Known::Known(pace),
            readers: Known::NotApplicable,
            campaign: Known::Known(None),
        };
        let short = recall.short_past(trace, within);
        let mut left = None;
        if note {
            let Self { recall, campaigns, .. } = &mut *self;
            left = campaigns.leave(recall, trace.comment);
            recall.expire(within.from);
            match recall.note(trace, now, None) {
                Some(before) if before.author != trace.author => {
                    self.reread(before.author);
                    self.reread(trace.author);
                }
                Some(_) => {} // an edit, or a repeat: no further comment
                None if trace.staff => {}
                None => self.paces.note(trace.author, trace.article, newcomer, now),
            }
        }
        let Self { recall, campaigns, .. } = &mut *self;
        let shown = Shown { past: &past, short: short.as_ref() };
        let campaign = match asked {
            Asked::Only => campaigns.about(recall, trace, shown, now),
            Asked::Noting => campaigns.join(recall, trace, &Stances::default, shown, now, Recognise::Not),
            Asked::Joining(stances, named) => campaigns.join(recall, trace, stances, shown, now, named),
        };
        campaigns.drop_empty(left);
        if campaign.is_some() {
            campaigns.excuse(trace, &mut past, now);
        }
        past.campaign = Known::Known(campaign.map(Box::new));
        past
    }

    fn settle(&mut self, (comment, author): (u64, u64), at: Timestamp, standing: Standing) {
        let before = self.recall.settle(comment, standing);
        let Self { recall, campaigns, .. } = &mut *self;
        campaigns.settled(recall, comment, before.as_ref().and_then(|before| before.standing), standing);
        self.count_author(author, at, before.as_ref(), standing);
    }

    fn forget(&mut self, comment: u64, author: u64) {
        let Self { recall, campaigns, .. } = &mut *self;
        let left = campaigns.leave(recall, comment);
        campaigns.drop_empty(left);
        let before = self.recall.forget(comment);
        self.reread(author);
        if let Some(before) = before {
            self.reread(before.author);
        }
    }

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

    /// Lets an author's record be read from the store again.
    fn reread(&mut self, author: u64) {
        self.authors.remove(&author);
        self.authors_old.remove(&author);
        self.touch(author);
    }

    fn touch(&mut self, author: u64) {
        self.changed[place(author)] = self.recall.next_order();
    }

    /// Brings the author's record up to date, or lets it be read again where that cannot be told: only a comment that was sighted
    /// after the record had been loaded, and stands for the first time, is surely no part of it yet.
    fn count_author(&mut self, author: u64, at: Timestamp, before: Option<&Before>, after: Standing) {
        let Some(before) = before else {
            return self.reread(author); // too old to be remembered
        };
        if let Some(owner) = before.moved_from {
            self.reread(owner);
            return self.reread(author);
        }
        if before.standing == Some(after) {
            return; // told twice
        }
        let entry = self.authors.get_mut(&author).or_else(|| self.authors_old.get_mut(&author));
        match entry {
            Some(entry) if before.standing.is_none() && before.order > entry.loaded => {
                entry.past.count(at, after);
                self.touch(author);
            }
            _ => self.reread(author),
        }
    }
}

/// Where of [`State::changed`] an author's changes are kept.
fn place(author: u64) -> usize {
    usize::try_from(author % PLACES as u64).unwrap_or(0)
}
