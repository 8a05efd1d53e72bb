//! What happened, in the order of time. Comments are read in pages; what happened to them later waits here until its time comes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use uuid::Uuid;

use crate::domain::comment::ExternalId;
use crate::domain::decision::{Action, Actor, Status};
use crate::domain::recordings::{Recorded, Revision};
use crate::domain::sanction::Sanction;
use crate::domain::site::SiteId;
use crate::domain::store::{HappeningKind, RulingCategory};
use crate::domain::time::Timestamp;

/// One thing that happened.
pub(super) enum What {
    /// A comment came, or was edited.
    Sent(Box<Sent>),
    /// A person decided about a comment.
    Ruled(Box<Ruled>),
    /// A person took a decision back.
    Undone { decision: Uuid, by: Actor },
    /// A sanction that was lifted gave a comment back: it was lifted with undo.
    GivenBack,
    /// A sanction began.
    Imposed(Box<Sanction>),
    /// It was lifted.
    Lifted { sanction: Uuid, by: String },
}

/// A revision of a comment.
pub(super) struct Sent {
    pub site: SiteId,
    pub uid: Uuid,
    pub number: u32,
    pub revision: Revision,
    /// What a person decided about it, if that stands now.
    pub person: Option<Action>,
    /// What it became when the sanction that had decided it was lifted.
    pub given_back: Option<Status>,
}

/// A decision, for one of its comments.
pub(super) struct Ruled {
    pub decision: Uuid,
    pub site: SiteId,
    pub id: ExternalId,
    pub action: Action,
    pub category: Option<RulingCategory>,
    pub by: Actor,
}

/// At the same millisecond comments come first, in the order in which they were stored; what a person answers to comes before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Sent,
    Ruled,
    Undone,
    Imposed,
    GivenBack,
    Lifted,
}

struct Event {
    at: Timestamp,
    rank: Rank,
    number: u64,
    what: What,
}

/// See the module.
#[derive(Default)]
pub(super) struct Due {
    events: BinaryHeap<Event>,
    pushed: u64,
    /// Reports of readers that held a comment: not replayed.
    pub reports: u32,
}

impl Due {
    /// A comment, with everything that happened to it.
    pub(super) fn add(&mut self, recorded: Recorded) {
        let Recorded { site, uid, standing, revisions, happenings, .. } = recorded;
        let person = match (standing.by_person, standing.status) {
            (true, Status::Approved) => Some(Action::Approve),
            (true, Status::Rejected) => Some(Action::Reject),
            _ => None,
        };
        let Some(id) = revisions.first().map(|first| first.comment.id.clone()) else { return };
        let lifted = happenings.iter().rfind(|happening| happening.kind == HappeningKind::Lifted);
        let given_back = lifted.map(|happening| happening.status);
        for happening in happenings {
            let (at, decision) = (happening.at, happening.decision);
            match (happening.kind, decision) {
                (HappeningKind::Decided, Some(decision)) => {
                    let action = if happening.status == Status::Approved { Action::Approve } else { Action::Reject };
                    let (id, category, by) = (id.clone(), happening.category, happening.by);
                    let ruled = Ruled { decision, site, id, action, category, by };
                    self.push(at, Rank::Ruled, What::Ruled(Box::new(ruled)));
                }
                (HappeningKind::Undone, Some(decision)) => {
                    self.push(at, Rank::Undone, What::Undone { decision, by: happening.by });
                }
                (HappeningKind::Lifted, _) => self.push(at, Rank::GivenBack, What::GivenBack),
                (HappeningKind::Reported, _) => self.reports += 1,
                (HappeningKind::Received | HappeningKind::Edited, _)
                | (HappeningKind::Decided | HappeningKind::Undone, None) => {}
            }
        }
        let last = revisions.len();
        for (number, revision) in (1..).zip(revisions) {
            let person = person.filter(|_| number as usize == last);
            let at = revision.at;
            let sent = Sent { site, uid, number, revision, person, given_back };
            self.push(at, Rank::Sent, What::Sent(Box::new(sent)));
        }
    }

    /// A sanction, with its end where somebody lifted it.
    pub(super) fn impose(&mut self, sanction: Sanction) {
        if let Some((at, by)) = sanction.lifted.clone() {
            self.push(at, Rank::Lifted, What::Lifted { sanction: sanction.uid, by });
        }
        self.push(sanction.at, Rank::Imposed, What::Imposed(Box::new(sanction)));
    }

    /// When the next thing happened.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.events.peek().map(|event| event.at)
    }

    /// The next thing.
    pub(super) fn next(&mut self) -> Option<(Timestamp, What)> {
        self.events.pop().map(|event| (event.at, event.what))
    }

    /// What the same decision, at the same moment, says of other comments.
    pub(super) fn rest_of(&mut self, decision: Uuid, at: Timestamp) -> Vec<Ruled> {
        let (mut rest, mut others) = (Vec::new(), Vec::new());
        while let Some(event) = self.events.peek()
            && (event.at, event.rank) == (at, Rank::Ruled)
        {
            let Some(event) = self.events.pop() else { break };
            match event.what {
                What::Ruled(ruled) if ruled.decision == decision => rest.push(*ruled),
                what => others.push(Event { what, ..event }),
            }
        }
        self.events.extend(others);
        rest
    }

    fn push(&mut self, at: Timestamp, rank: Rank, what: What) {
        self.pushed += 1;
        self.events.push(Event { at, rank, number: self.pushed, what });
    }
}

impl Event {
    const fn key(&self) -> (Timestamp, Rank, u64) {
        (self.at, self.rank, self.number)
    }
}

/// The earliest is the greatest, because the heap gives the greatest first.
impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Event {}
