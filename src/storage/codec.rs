//! How stored things are written as bytes: one version byte, then postcard.
//!
//! Postcard writes fields in order, without names: compact, but a field added, moved or retyped anywhere below makes
//! old rows unreadable. The tests hold bytes written by every version so far. When one fails because a type changed,
//! keep the type of before as a struct here, read the old version through it, and write the next version.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::before::{ContentV1, TraceV1};
use super::damage::left_out;
use crate::domain::comment::NewComment;
use crate::domain::decision::{Action, Actor, DecidedBy, Status, Verdict};
use crate::domain::rules::was::RuleSet;
use crate::domain::store::{ContentHash, HappeningKind, RulingCategory, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;

const VERSION: u8 = 1;
/// The version of what holds a verdict: its adjustments say more than those of version 1.
const VERDICT_VERSION: u8 = 2;
/// The version of traces: those of version 1 had no fingerprint of short texts.
const TRACE_VERSION: u8 = 2;

/// First bytes of what a later version of this program may have written, perhaps while nodes are upgraded. Formats change rarely: a byte beyond is
/// damage.
const LATER: std::ops::RangeInclusive<u8> = VERSION + 1..=VERSION + 3;

/// What a comment says and what was concluded from it: one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    pub hash: ContentHash,
    /// Without the article's title, text and tags: those are in the article's own row.
    pub comment: NewComment,
    pub verdict: Verdict,
    /// What it became when it was judged; what it is now is in the comment's row.
    pub status: Status,
    pub decided_by: DecidedBy,
    pub priority: f64,
    pub lang: Option<String>,
    pub at: Timestamp,
}

/// A happening, without what its row or its ruling tell already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Happened {
    pub kind: HappeningKind,
    pub status: Status,
    pub decided_by: DecidedBy,
    pub by: Actor,
}

/// A ruling, without its items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RulingText {
    pub action: Action,
    pub category: Option<RulingCategory>,
    pub reason: Option<String>,
    pub note: Option<String>,
    pub by: Actor,
}

/// Writes `value`.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(1_024); // most comments and verdicts fit: measured 900 bytes
    bytes.push(VERSION);
    postcard::to_extend(value, bytes).map_err(|error| StoreError::Corrupt(format!("cannot be written: {error}")))
}

/// What is stored of a ruling, without the words that are perhaps about a comment that goes. Of a damaged one nobody knows which these are: nothing is
/// left of it, and its row stays as unreadable as it was. `name` names it there.
///
/// # Errors
/// `Unavailable`: [`is_later`]; that version can.
pub(super) fn without_words(name: &dyn Display, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    if is_later(bytes) {
        return Err(StoreError::Unavailable(format!("{name} was written by a later version, which reads it").into()));
    }
    match left_out("decisions", name, decode("a ruling", bytes))? {
        Some(text) => encode(&RulingText { reason: None, note: None, ..text }),
        None => Ok(Vec::new()),
    }
}

/// Whether a later version seems to have written what is stored.
pub(super) fn is_later(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|version| LATER.contains(version))
}

/// Writes what holds a verdict.
pub(super) fn encode_judged<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    encode_as(VERDICT_VERSION, value)
}

/// Writes a trace.
pub(super) fn encode_trace(trace: &Trace) -> Result<Vec<u8>, StoreError> {
    encode_as(TRACE_VERSION, trace)
}

fn encode_as<T: Serialize>(written: u8, value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = encode(value)?;
    if let Some(version) = bytes.first_mut() {
        *version = written;
    }
    Ok(bytes)
}

/// Writes a set of rules, and names it by what it says.
pub(super) fn encode_rules(rules: &RuleSet) -> Result<(String, Vec<u8>), StoreError> {
    let bytes = encode(rules)?;
    let name = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok((name, bytes))
}

/// Reads a trace, whichever version wrote it.
pub(super) fn decode_trace(what: &str, bytes: &[u8]) -> Result<Trace, StoreError> {
    match bytes.split_first() {
        Some((&TRACE_VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
        }
        _ => decode::<TraceV1>(what, bytes).map(Trace::from),
    }
}

/// Reads what holds a verdict, whichever version wrote it; `Before` is what it was in version 1, and `what` names it when that fails.
pub(super) fn decode_judged<T, Before>(what: &str, bytes: &[u8]) -> Result<T, StoreError>
where
    T: DeserializeOwned + From<Before>,
    Before: DeserializeOwned,
{
    match bytes.split_first() {
        Some((&VERDICT_VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
        }
        _ => decode::<Before>(what, bytes).map(T::from),
    }
}

/// Reads one revision.
pub(super) fn decode_content(what: &str, bytes: &[u8]) -> Result<Content, StoreError> {
    decode_judged::<Content, ContentV1>(what, bytes)
}

/// Reads of a revision what was sent: it stands before the verdict in every version, and verdicts are most of the bytes.
pub(super) fn decode_sent(what: &str, bytes: &[u8]) -> Result<NewComment, StoreError> {
    decode_hashed(what, bytes).map(|(_, sent)| sent)
}

/// The same, with the hash that stands before it.
pub(super) fn decode_hashed(what: &str, bytes: &[u8]) -> Result<(ContentHash, NewComment), StoreError> {
    match bytes.split_first() {
        Some((&(VERSION | VERDICT_VERSION), rest)) => {
            let read = postcard::take_from_bytes::<(ContentHash, NewComment)>(rest);
            read.map(|(read, _)| read).map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
        }
        _ => decode_content(what, bytes).map(|content| (content.hash, content.comment)), // says what is wrong
    }
}

/// Reads what [`encode`] wrote; `what` names it when that fails.
pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
        }
        Some((version, _)) => Err(StoreError::Corrupt(format!("{what}: version {version} is not known to this build"))),
        None => Err(StoreError::Corrupt(format!("{what}: is empty"))),
    }
}

/// Statuses in rows; 0 stands for an erased comment.
pub(super) const fn status_code(status: Status) -> i64 {
    match status {
        Status::Approved => 1,
        Status::Held => 2,
        Status::Rejected => 3,
    }
}

/// The status of that code; `None` for an erased comment.
pub(super) fn status_of(code: i64) -> Result<Option<Status>, StoreError> {
    match code {
        0 => Ok(None),
        1 => Ok(Some(Status::Approved)),
        2 => Ok(Some(Status::Held)),
        3 => Ok(Some(Status::Rejected)),
        _ => Err(StoreError::Corrupt(format!("status {code}"))),
    }
}

pub(super) const fn decided_by_code(by: DecidedBy) -> i64 {
    match by {
        DecidedBy::Policy => 1,
        DecidedBy::Person => 2,
        DecidedBy::Rule => 3,
    }
}

pub(super) fn decided_by_of(code: i64) -> Result<DecidedBy, StoreError> {
    match code {
        1 => Ok(DecidedBy::Policy),
        2 => Ok(DecidedBy::Person),
        3 => Ok(DecidedBy::Rule),
        _ => Err(StoreError::Corrupt(format!("decided by {code}"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn happened() -> Happened {
        let by = Actor::Person("ann@example.org".to_owned());
        Happened { kind: HappeningKind::Undone, status: Status::Held, decided_by: DecidedBy::Policy, by }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = encode(&happened()).unwrap();
        assert_eq!(decode::<Happened>("a happening", &bytes).unwrap(), happened());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let mut later = encode(&happened()).unwrap();
        later[0] = VERSION + 1;
        for (bytes, why) in
            [(&later[..], "version 2"), (&[][..], "empty"), (&later[..1], "version 2"), (&[VERSION][..], "")]
        {
            let error = decode::<Happened>("a happening", bytes).unwrap_err().to_string();
            assert!(error.contains("a happening") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn codes_name_what_they_stand_for() {
        for status in [Status::Approved, Status::Held, Status::Rejected] {
            assert_eq!(status_of(status_code(status)).unwrap(), Some(status));
        }
        assert_eq!(status_of(0).unwrap(), None);
        assert!(status_of(4).is_err());
        for by in [DecidedBy::Policy, DecidedBy::Person, DecidedBy::Rule] {
            assert_eq!(decided_by_of(decided_by_code(by)).unwrap(), by);
        }
        assert!(decided_by_of(0).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let versioned = [&[VERSION][..], &bytes].concat();
            let _ = decode_content("a comment", &versioned);
            let _ = decode_content("a comment", &[&[VERDICT_VERSION][..], &bytes].concat());
            let _ = decode_trace("a trace", &versioned);
            let _ = decode_trace("a trace", &[&[TRACE_VERSION][..], &bytes].concat());
            let _ = decode::<RulingText>("a ruling", &versioned);
        }
    }
}
