//! What nodes tell each other, one entry of the stream for each thing that happened.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::campaign::{Stances, Turn};
use crate::domain::history::Standing;
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

/// How entries are written: the first byte. What a later version writes is skipped, counted and logged.
const VERSION: u8 = 2;

/// Something that happened, and who says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Which process.
    pub(super) node: u64,
    /// Its how-manieth entry, from 1: they stand in this order, and one that stands there twice counts once.
    pub(super) number: u64,
    /// Whether it happened some time before, while it could not be told.
    pub(super) late: bool,
    /// When it happened, by its node's clock: news that is late does not undo what happened after it.
    pub(super) when: Timestamp,
    /// What.
    pub(super) event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    /// A comment was sighted.
    Sighted {
        /// Its fingerprints.
        trace: Box<Trace>,
        /// When.
        now: Timestamp,
        /// Whether nothing of its author was approved before: whoever sighted it had to know, and others need not look it up.
        newcomer: bool,
        /// How it carries what might be the mark of a campaign, when campaigns may be recognised with it. Only whoever has its text can tell.
        stances: Option<Stances>,
    },
    /// Something became of it.
    Settled {
        /// Which, and whose, by its trace.
        named: (u64, u64),
        /// When it arrived.
        at: Timestamp,
        /// What it is now.
        standing: Standing,
    },
    /// It is no more.
    Forgotten {
        /// Which, and whose, by its trace.
        named: (u64, u64),
    },
    /// A campaign changed.
    Turned(Turn),
    /// More happened than its node could keep while it could not tell: the store knows.
    Lost,
}

impl Entry {
    pub(super) fn encode(&self) -> Vec<u8> {
        // Writing to memory what is made of numbers, texts and lists cannot fail; what could not be written would be skipped.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        postcard::from_bytes(rest).ok()
    }

    /// What a campaign is named by that is recognised with it: the same wherever it is read, and not to be chosen from outside.
    pub(super) fn name(node: u64, number: u64) -> [u8; 10] {
        let mut hash = Sha256::new();
        hash.update(node.to_le_bytes());
        hash.update(number.to_le_bytes());
        let mut name = [0; 10];
        name.copy_from_slice(&hash.finalize()[..10]);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::{CampaignState, Stance};
    use crate::domain::decision::{Action, Status};
    use crate::domain::site::SiteId;
    use crate::domain::trace::{LinkTrace, TextTrace};

    #[test]
    fn what_is_written_is_read_and_what_is_not_ours_is_not() {
        let standing = Standing { status: Status::Held, by_person: false };
        let event = Event::Settled { named: (7, 9), at: Timestamp::from_millis(5), standing };
        let entry = Entry { node: u64::MAX, number: 3, late: true, when: Timestamp::from_millis(6), event };
        let bytes = entry.encode();
        assert_eq!(Entry::decode(&bytes), Some(entry));
        assert_eq!(Entry::decode(&bytes[..bytes.len() - 1]), None);
        for foreign in [&b""[..], b"\x01earlier", b"\x03later", b"\x02\xff\xff\xff", b"text"] {
            assert_eq!(Entry::decode(foreign), None);
        }
    }

    #[test]
    fn the_way_of_writing_has_another_number_when_it_changes() {
        let text = TextTrace { exact: 5, sketch: [6; 16], size: 7 };
        let trace = Trace {
            site: SiteId(1),
            comment: 2,
            comment_id: "c".into(),
            article: 3,
            author: 4,
            author_known: true,
            staff: false,
            links: vec![LinkTrace { url: 8, domain: 9 }],
            text: Some(text),
            headlines: vec![text],
            short: None,
        };
        let stances = Stances { text: Some(Stance::Quotes), links: vec![Stance::OnPage], ..Stances::default() };
        let now = Timestamp::from_millis(10);
        let turn = Turn {
            uid: uuid::Uuid::nil(),
            state: CampaignState::Merged,
            action: Some(Action::Reject),
            sites: Some(vec![SiteId(1)]),
            rule_until: Some(now),
            into: Some(uuid::Uuid::nil()),
        };
        let standing = Standing { status: Status::Rejected, by_person: true };
        let events = [
            Event::Sighted { trace: Box::new(trace), now, newcomer: true, stances: Some(stances) },
            Event::Settled { named: (1, 2), at: now, standing },
            Event::Forgotten { named: (1, 2) },
            Event::Turned(turn),
            Event::Lost,
        ];
        let entry = |event| Entry { node: 1, number: 2, late: false, when: now, event };
        let written: Vec<u8> = events.map(|event| entry(event).encode()).concat();
        // Nodes of the version before read what this one writes, and take it for something else, unless VERSION is another one.
        assert_eq!(
            (VERSION, xxhash_rust::xxh3::xxh3_64(&written)),
            (2, 7_989_352_568_786_174_713),
            "raise VERSION, and write the new digest here"
        );
    }

    #[test]
    fn names_differ_by_node_and_number() {
        let names = [Entry::name(1, 1), Entry::name(1, 2), Entry::name(2, 1)];
        assert_eq!(std::collections::BTreeSet::from(names).len(), 3);
    }
}
