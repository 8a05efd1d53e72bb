//! What the engines share about appeals: how they are written.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::before::VerdictV1;
use super::codec;
use crate::domain::appeal::AppealState;
use crate::domain::decision::Verdict;
use crate::domain::store::StoreError;

/// What an appeal says, and the answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Words {
    pub text: Option<String>,
    pub verdict: Verdict,
    pub answer: Option<String>,
    pub answered_by: Option<String>,
    /// The ruling that an answer was, or that closed it: taking that back opens the appeal again.
    pub ruling: Option<Uuid>,
}

/// What they were in version 1.
#[derive(Deserialize)]
struct WordsV1 {
    text: Option<String>,
    verdict: VerdictV1,
    answer: Option<String>,
    answered_by: Option<String>,
    ruling: Option<Uuid>,
}

impl From<WordsV1> for Words {
    fn from(before: WordsV1) -> Self {
        let WordsV1 { text, verdict, answer, answered_by, ruling } = before;
        Self { text, verdict: verdict.into(), answer, answered_by, ruling }
    }
}

impl Words {
    /// Reads what either version wrote.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        codec::decode_judged::<Self, WordsV1>("an appeal", bytes)
    }

    /// As it is written.
    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        codec::encode_judged(self)
    }

    /// The same, with nothing said about the appeal yet.
    pub(super) fn unanswered(self) -> Self {
        Self { answer: None, answered_by: None, ruling: None, ..self }
    }
}

/// States in rows.
pub(super) const fn state_code(state: AppealState) -> i64 {
    match state {
        AppealState::Open => 0,
        AppealState::Upheld => 1,
        AppealState::Overturned => 2,
        AppealState::Closed => 3,
    }
}

/// The state of that code.
pub(super) fn state_of(code: i64) -> Result<AppealState, StoreError> {
    let found = AppealState::ALL.into_iter().find(|known| state_code(*known) == code);
    found.ok_or_else(|| StoreError::Corrupt("an appeal's state".to_owned()))
}
