//! The chain in the record of who did what, the same on every engine.
//!
//! Each line holds the SHA-256 of itself and of the line before (as in a hash chain, Haber and Stornetta 1991), so that a line changed,
//! dropped or swapped behind the store's back breaks every hash after it. The number and the hash of the last line also stand in `meta`:
//! without them lines could be dropped from the end unseen. The next line goes on from there, and not from the last line that is found: so
//! what is missing at the end stays missing, and a hash or an end that was changed stays wrong, however much is written after it. Lines older
//! than the chain have no hash of their own; the first that has one covers them all.

use sha2::{Digest as _, Sha256};

use crate::domain::decision::Actor;
use crate::domain::store::{AuditCheck, Result, StoreError};
use crate::domain::time::Timestamp;

/// The last line's number and hash, in `meta`.
pub(super) const HEAD: &str = "audit_head";
/// The first line that has a hash, in `meta`: from there on, none may lack one.
pub(super) const FROM: &str = "audit_from";
pub(super) type Hash = [u8; 32];
/// What stands before the first line.
pub(super) const NOTHING: Hash = [0; 32];

/// Who, as two columns hold it.
pub(super) const fn names(by: &Actor) -> (&str, &str) {
    match by {
        Actor::Site(name) => ("site", name.as_str()),
        Actor::Person(email) => ("person", email.as_str()),
        Actor::Console => ("console", ""),
    }
}

/// Who, from these columns.
pub(super) fn actor(kind: &str, name: String) -> Result<Actor> {
    match kind {
        "site" => Ok(Actor::Site(name)),
        "person" => Ok(Actor::Person(name)),
        "console" => Ok(Actor::Console),
        other => Err(StoreError::Corrupt(format!("actor {other}"))),
    }
}

/// The hash of a line: its texts are actor, name, action, subject and detail.
pub(super) fn chained(before: &Hash, number: i64, at: Timestamp, texts: &[&str]) -> Hash {
    let mut digest = Sha256::new_with_prefix(before);
    digest.update(number.to_le_bytes());
    digest.update(at.as_millis().to_le_bytes());
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes()); // so that no text can be cut elsewhere
        digest.update(text);
    }
    digest.finalize().into()
}

pub(super) fn head_bytes(number: i64, hash: &Hash) -> Vec<u8> {
    [&number.to_le_bytes()[..], hash].concat()
}

pub(super) fn head_of(bytes: &[u8]) -> Option<(i64, Hash)> {
    let (number, hash) = bytes.split_first_chunk::<8>()?;
    Some((i64::from_le_bytes(*number), hash.try_into().ok()?))
}

pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether every line is there, in its place, and says what it said; and whether a hash that is known was ever the end of them. All lines are
/// given to [`Check::line`], oldest first.
pub(super) struct Check {
    known: Option<Hash>,
    met: bool,
    begun: bool,
    from: i64,
    lines: u64,
    last: i64,
    head: Hash,
    is_chained: bool,
}

impl Check {
    /// `begun` is what stands under [`FROM`].
    pub(super) fn new(known: Option<Hash>, begun: Option<&[u8]>) -> Self {
        Self {
            known,
            met: known.is_none_or(|known| known == NOTHING),
            begun: begun.is_some(),
            from: begun.and_then(|bytes| bytes.try_into().ok()).map_or(i64::MAX, i64::from_le_bytes),
            lines: 0,
            last: 0,
            head: NOTHING,
            is_chained: false,
        }
    }

    /// The next line; what is wrong with it.
    pub(super) fn line(
        &mut self,
        number: i64,
        at: Timestamp,
        texts: &[&str],
        written: Option<Hash>,
    ) -> Option<AuditCheck> {
        let broken = |line, problem: &str| Some(AuditCheck::Broken { line, problem: problem.to_owned() });
        let expected = chained(&self.head, number, at, texts);
        if number != self.last + 1 {
            return broken(self.last + 1, "is missing");
        }
        match written {
            Some(written) if written != expected => {
                return broken(number, "or one before it does not say what it said");
            }
            None if self.is_chained || number >= self.from => return broken(number, "has lost its hash"),
            _ => {}
        }
        (self.lines, self.last, self.head) = (self.lines + 1, number, expected);
        self.is_chained = self.is_chained || written.is_some();
        self.met = self.met || self.known == Some(expected);
        None
    }

    /// After the last line; `head` is what stands under [`HEAD`].
    pub(super) fn end(self, head: Option<&[u8]>) -> AuditCheck {
        let problem = match head.map(head_of) {
            Some(Some((number, _))) if number > self.last => Some((self.last + 1, "is missing")),
            Some(Some(kept)) if kept == (self.last, self.head) => None,
            Some(_) => Some((self.last, "is not the last that was written")),
            None if self.is_chained || self.begun => {
                Some((self.last, "is not known to be the last: the end was taken away"))
            }
            None => None, // nothing was written since there is a chain
        };
        let (lines, head) = (self.lines, hex(&self.head));
        match problem {
            Some((line, problem)) => AuditCheck::Broken { line, problem: problem.to_owned() },
            None if !self.met => AuditCheck::Another { lines, head },
            None => AuditCheck::Whole { lines, head },
        }
    }
}
