//! "I could not tell" as a type.

use serde::{Deserialize, Serialize};

/// A piece of context that a check looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Known<T> {
    /// It is known.
    Known(T),
    /// The site did not send what it is made of: nothing to know, nobody's fault.
    NotApplicable,
    /// It was due and could not be had. The sentence says why, for operators; policy holds the comment by default.
    Unavailable(String),
}

impl<T> Known<T> {
    /// The value, if there is one.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotApplicable | Self::Unavailable(_) => None,
        }
    }

    /// The same state with the value borrowed.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Self::Known(value) => Known::Known(value),
            Self::NotApplicable => Known::NotApplicable,
            Self::Unavailable(why) => Known::Unavailable(why.clone()),
        }
    }
}
