//! A history that is one of several with the same content: told of everything in an order that all agree on.
//!
//! What one node's own comments and what others' do to the memory differs in two things only. Whose record in the store is older than the
//! telling is known for this node's own comments alone; of others' the author's record is read again. And what another node is about to
//! store of a campaign is not for this one to store.

use super::super::campaigns::Recognise;
use super::{Asked, MemoryHistory};
use crate::domain::campaign::{LazyStances, Turn};
use crate::domain::history::{AuthorPast, PastOf, Standing};
use crate::domain::known::Known;
use crate::domain::store;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

/// A comment that was sighted, here or elsewhere.
#[derive(Clone, Copy)]
pub(in crate::storage) struct Sighted<'a> {
    /// Its fingerprints.
    pub(in crate::storage) trace: &'a Trace,
    /// When.
    pub(in crate::storage) now: Timestamp,
    /// Whether nothing of its author was approved before.
    pub(in crate::storage) newcomer: bool,
    /// With how it carries what might be the mark of a campaign, when campaigns may be recognised with it.
    pub(in crate::storage) stances: Option<&'a LazyStances<'a>>,
    /// What a campaign is named by that this comment makes.
    pub(in crate::storage) name: [u8; 10],
}

impl Sighted<'_> {
    fn asked(&self) -> Asked<'_> {
        self.stances.map_or(Asked::Noting, |stances| Asked::Joining(stances, Recognise::As(self.name)))
    }
}

impl MemoryHistory {
    /// A comment that was sighted here, of whose author this is known: what the past says of it.
    pub(in crate::storage) fn sighted_here(&self, sighted: Sighted<'_>, author: Known<AuthorPast>) -> PastOf {
        let (trace, now) = (sighted.trace, sighted.now);
        self.state().ask(trace, now, self.oldest(now), (author, sighted.newcomer), sighted.asked())
    }

    /// A comment that was sighted elsewhere, or here when the order could not be waited for.
    pub(in crate::storage) fn sighted_elsewhere(&self, sighted: Sighted<'_>) {
        let (trace, now) = (sighted.trace, sighted.now);
        let mut state = self.state();
        let author = (Known::NotApplicable, sighted.newcomer);
        state.ask(trace, now, self.oldest(now), author, sighted.asked());
        // It takes along what is new about its campaign, as a comment of our own does; so that we need not.
        let super::State { recall, campaigns, .. } = &mut *state;
        let _ = campaigns.membership(recall, trace.comment, now);
        state.reread(trace.author);
    }

    /// What became of a comment of this node's own.
    pub(in crate::storage) fn settled_here(&self, named: (u64, u64), at: Timestamp, standing: Standing) {
        self.state().settle(named, at, standing);
    }

    /// What became of a comment, told by whoever settled it. What is `late` was told to nobody when it happened, and does not undo what a
    /// person has said meanwhile.
    pub(in crate::storage) fn settled_elsewhere(
        &self,
        (comment, author): (u64, u64),
        at: Timestamp,
        standing: Standing,
        late: bool,
    ) {
        let mut state = self.state();
        let known = state.recall.standing_of(comment);
        if late && !standing.by_person && known.is_some_and(|known| known.by_person) {
            return;
        }
        state.settle((comment, author), at, standing);
        state.reread(author);
    }

    /// A comment is forgotten.
    pub(in crate::storage) fn forgotten(&self, comment: u64, author: u64) {
        self.state().forget(comment, author);
    }

    /// A campaign changed.
    pub(in crate::storage) fn turned_now(&self, turn: Turn) {
        self.state().campaigns.turned(turn);
    }

    /// Forgets everything, and knows what the store remembers instead.
    ///
    /// # Errors
    /// The store could not be read; nothing changed.
    pub(in crate::storage) async fn read_anew(&self, now: Timestamp) -> store::Result<()> {
        let campaigns = self.state().campaigns.config().clone();
        let store = std::sync::Arc::clone(&self.store);
        let anew = Self::rebuild_with(self.config.clone(), campaigns.clone(), store, now).await?;
        let mut other = super::State::empty(&self.config, campaigns);
        std::mem::swap(&mut other, &mut *anew.state());
        let mut state = self.state();
        other.read_anew = state.read_anew + 1;
        *state = other;
        Ok(())
    }
}
