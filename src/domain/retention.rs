//! How long whole comments are kept, by what became of them; and which of them are too old. Pure: whoever deletes them asks here.

use super::decision::{DecidedBy, Status};
use super::store::ErasedComment;
use super::time::Timestamp;

/// What became of a comment, as far as it decides how long the comment is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It stands approved, and no person said so.
    Approved,
    /// It stands rejected, and no person said so.
    Rejected,
    /// A person decided about it, either way.
    Decided,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Approved, Self::Rejected, Self::Decided];

    /// Its name in metrics and in the record of who did what.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Decided => "decided",
        }
    }

    /// That of a comment; `None` while it is held: nothing became of it yet.
    #[must_use]
    pub const fn of(status: Status, decided_by: DecidedBy) -> Option<Self> {
        match (status, decided_by) {
            (Status::Held, _) => None,
            (_, DecidedBy::Person) => Some(Self::Decided),
            (Status::Approved, _) => Some(Self::Approved),
            (Status::Rejected, _) => Some(Self::Rejected),
        }
    }
}

/// From before which moments comments are too old; `None` for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expiry {
    /// Those of [`Class::Approved`].
    pub approved: Option<Timestamp>,
    /// Those of [`Class::Rejected`].
    pub rejected: Option<Timestamp>,
    /// Those of [`Class::Decided`].
    pub decided: Option<Timestamp>,
}

impl Expiry {
    const fn of(&self, class: Class) -> Option<Timestamp> {
        match class {
            Class::Approved => self.approved,
            Class::Rejected => self.rejected,
            Class::Decided => self.decided,
        }
    }

    /// The class of a comment that is too old: to which nothing has happened since.
    #[must_use]
    pub fn due(&self, status: Status, decided_by: DecidedBy, updated_at: Timestamp) -> Option<Class> {
        Class::of(status, decided_by).filter(|class| self.of(*class).is_some_and(|before| updated_at < before))
    }

    /// No comment that came at or after that moment is too old; `None` where none ever is.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        Class::ALL.into_iter().filter_map(|class| self.of(class)).max()
    }

    /// The same by a clock that is behind by that.
    #[must_use]
    pub fn behind_ms(&self, ms: i64) -> Self {
        let behind = |before: Option<Timestamp>| before.map(|before| before.plus_millis(-ms));
        Self { approved: behind(self.approved), rejected: behind(self.rejected), decided: behind(self.decided) }
    }
}

/// What one step of deleting did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expired {
    /// Comments that were looked at.
    pub looked_at: u64,
    /// Comments that are no more.
    pub gone: Vec<(Class, ErasedComment)>,
    /// Where the next step goes on; `None` at the end.
    pub next: Option<String>,
}

impl Expired {
    /// How many of each class are gone, for the record of who did what.
    #[must_use]
    pub fn told(&self) -> String {
        let count = |class: Class| self.gone.iter().filter(|(of, _)| *of == class).count();
        Class::ALL.map(|class| format!("{} {}", count(class), class.name())).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_never_too_old_and_a_persons_word_has_a_time_of_its_own() {
        let at = Timestamp::from_millis;
        let expiry = Expiry { approved: None, rejected: Some(at(50)), decided: Some(at(10)) };
        let machine = DecidedBy::Policy;
        for (status, by, updated, class) in [
            (Status::Held, machine, 0, None),
            (Status::Held, DecidedBy::Person, 0, None),
            (Status::Approved, machine, 0, None),
            (Status::Approved, DecidedBy::Rule, 0, None),
            (Status::Rejected, machine, 49, Some(Class::Rejected)),
            (Status::Rejected, DecidedBy::Rule, 49, Some(Class::Rejected)),
            (Status::Rejected, machine, 50, None),
            (Status::Rejected, DecidedBy::Person, 10, None),
            (Status::Rejected, DecidedBy::Person, 9, Some(Class::Decided)),
            (Status::Approved, DecidedBy::Person, 9, Some(Class::Decided)),
        ] {
            assert_eq!(expiry.due(status, by, at(updated)), class, "{status:?} {by:?} {updated}");
        }
        assert_eq!((expiry.latest(), Expiry::default().latest()), (Some(at(50)), None));
        assert_eq!(expiry.behind_ms(5).rejected, Some(at(45)));
    }
}
