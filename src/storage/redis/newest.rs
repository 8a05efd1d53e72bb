//! What happened last to each comment and each campaign: for news that comes late, and must not undo what came after it.
//!
//! The order of the stream is that in which nodes told. What a node could not tell when it happened stands behind what happened later; when it
//! is told, whoever reads it goes by the nodes' clocks, which agree within a second or two. What is told in time is never held back.

use std::collections::HashMap;

use uuid::Uuid;

use super::entry::{Entry, Event};
use crate::domain::time::Timestamp;

/// Things remembered in one of two generations: more than wait to be told on one node at most.
const THINGS_MAX: usize = 60_000;
/// For a comment that was sighted to be stored, in milliseconds; what was sighted earlier is in a store that is read now, or nowhere.
pub(super) const STORED_MS: i64 = 60_000;
/// For clocks that differ, in milliseconds: what was told earlier is in a store that is read now.
const CLOCKS_MS: i64 = 5_000;

/// What something may happen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Thing {
    Comment(u64),
    Campaign(Uuid),
}

/// When what happened last.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    sighted: Option<Timestamp>,
    /// Or turned.
    settled: Option<Timestamp>,
    forgotten: Option<Timestamp>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Newest {
    /// Two generations: when the young one is full, the old one goes.
    young: HashMap<Thing, Last>,
    old: HashMap<Thing, Last>,
    /// When it was begun to read everything from the store, last.
    store_read: Option<Timestamp>,
}

impl Newest {
    pub(super) fn new(store_read: Option<Timestamp>) -> Self {
        Self { store_read, ..Self::default() }
    }

    /// Everything that had happened by then is known from the store.
    pub(super) const fn store_was_read(&mut self, begun: Timestamp) {
        self.store_read = Some(begun);
    }

    /// Whether something that happened later is known already, when this comes late: then it is to be passed over.
    pub(super) fn is_past(&self, entry: &Entry) -> bool {
        let Some(thing) = thing(&entry.event) else { return false };
        let last = self.last(thing);
        let when = Some(entry.when);
        let is_read = |ms: i64| self.store_read.is_some_and(|read| entry.when < read.plus_millis(-ms));
        match entry.event {
            Event::Sighted { .. } => last.forgotten >= when || last.sighted > when || is_read(STORED_MS),
            Event::Settled { .. } => last.forgotten >= when || last.settled > when || is_read(CLOCKS_MS),
            Event::Turned(_) => last.settled > when || is_read(CLOCKS_MS),
            // The store is not asked: to forget what was sent anew is the lesser harm.
            Event::Forgotten { .. } => last.sighted > when,
            Event::Lost => false,
        }
    }

    /// Notes that something is known now.
    pub(super) fn note(&mut self, entry: &Entry) {
        let Some(thing) = thing(&entry.event) else { return };
        let mut last = self.last(thing);
        let which = match entry.event {
            Event::Sighted { .. } => &mut last.sighted,
            Event::Settled { .. } | Event::Turned(_) => &mut last.settled,
            Event::Forgotten { .. } => &mut last.forgotten,
            Event::Lost => return,
        };
        *which = (*which).max(Some(entry.when));
        if self.young.len() >= THINGS_MAX && !self.young.contains_key(&thing) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(thing, last);
    }

    fn last(&self, thing: Thing) -> Last {
        self.young.get(&thing).or_else(|| self.old.get(&thing)).copied().unwrap_or_default()
    }
}

const fn thing(event: &Event) -> Option<Thing> {
    match event {
        Event::Sighted { trace, .. } => Some(Thing::Comment(trace.comment)),
        Event::Settled { named: (comment, _), .. } | Event::Forgotten { named: (comment, _) } => {
            Some(Thing::Comment(*comment))
        }
        Event::Turned(turn) => Some(Thing::Campaign(turn.uid)),
        Event::Lost => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::{CampaignState, Turn};
    use crate::domain::decision::Status;
    use crate::domain::history::Standing;
    use crate::domain::site::SiteId;
    use crate::domain::trace::Trace;

    const NOON: i64 = 1_795_000_000_000;

    fn entry(event: Event, second: i64) -> Entry {
        Entry { node: 1, number: 1, late: true, when: Timestamp::from_millis(NOON + second * 1_000), event }
    }

    fn sighted(comment: u64) -> Event {
        let trace = Trace {
            site: SiteId(1),
            comment,
            comment_id: "c".into(),
            article: 3,
            author: 4,
            author_known: true,
            staff: false,
            links: Vec::new(),
            text: None,
            headlines: Vec::new(),
            short: None,
        };
        Event::Sighted { trace: Box::new(trace), now: Timestamp::from_millis(0), newcomer: false, stances: None }
    }

    fn settled(comment: u64) -> Event {
        let standing = Standing { status: Status::Rejected, by_person: true };
        Event::Settled { named: (comment, 4), at: Timestamp::from_millis(0), standing }
    }

    fn forgotten(comment: u64) -> Event {
        Event::Forgotten { named: (comment, 4) }
    }

    fn turned(uid: u128) -> Event {
        let uid = Uuid::from_u128(uid);
        let state = CampaignState::Decided;
        Event::Turned(Turn { uid, state, action: None, sites: None, rule_until: None, into: None })
    }

    #[test]
    fn what_happened_before_what_is_known_is_past() {
        let mut newest = Newest::new(None);
        for (event, second) in [(sighted(1), 10), (settled(1), 20), (forgotten(2), 30), (turned(1), 40)] {
            newest.note(&entry(event, second));
        }
        newest.note(&entry(turned(1), 35)); // told in time by a clock that is behind
        let cases = [
            ("a text that an edit replaced", sighted(1), 9, true),
            ("an edit", sighted(1), 11, false),
            ("an older decision", settled(1), 19, true),
            ("the same", settled(1), 20, false),
            ("a newer one", settled(1), 21, false),
            ("what was erased since", sighted(2), 29, true),
            ("what was erased in that moment", sighted(2), 30, true),
            ("what was sent anew", sighted(2), 31, false),
            ("a decision on what was erased since", settled(2), 29, true),
            ("an erasure before it was sent anew", forgotten(1), 9, true),
            ("an erasure", forgotten(1), 11, false),
            ("an older turn", turned(1), 39, true),
            ("a newer turn", turned(1), 41, false),
            ("another campaign", turned(2), 1, false),
            ("another comment", settled(3), 1, false),
        ];
        for (name, event, second, is_past) in cases {
            assert_eq!(newest.is_past(&entry(event, second)), is_past, "{name}");
        }
    }

    #[test]
    fn what_is_in_the_store_that_was_read_is_past_and_erasures_never_are() {
        let mut newest = Newest::new(None);
        newest.store_was_read(Timestamp::from_millis(NOON));
        let cases = [
            (sighted(1), -61, true),
            (sighted(1), -59, false),
            (settled(1), -6, true),
            (settled(1), -4, false),
            (turned(1), -6, true),
            (turned(1), -4, false),
            (forgotten(1), -3_600, false),
        ];
        for (event, second, is_past) in cases {
            let entry = entry(event, second);
            assert_eq!(newest.is_past(&entry), is_past, "{entry:?}");
        }
    }

    #[test]
    fn no_more_is_remembered_than_fits_and_the_latest_is() {
        let mut newest = Newest::new(None);
        let most = THINGS_MAX as u64 * 3;
        for comment in 0..most {
            newest.note(&entry(forgotten(comment), 5));
            assert!(newest.young.len() + newest.old.len() <= 2 * THINGS_MAX);
        }
        for comment in most - THINGS_MAX as u64..most {
            assert!(newest.is_past(&entry(sighted(comment), 4)), "{comment}");
        }
    }
}
