//! Sending one e-mail, as a port: the network is outside.

use async_trait::async_trait;

/// An e-mail in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What stands before the `@` of its `Message-ID`: the same for every try.
    pub id: String,
    /// Whom it goes to; to whomever the settings name where nothing is said.
    pub to: Option<String>,
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// Its date, in seconds since 1970.
    pub at_s: i64,
}

/// Why an e-mail was not accepted. Both hold a sentence for operators, without the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The server refuses it, or its recipient, and will do so again.
    #[error("{0}")]
    Refused(String),
    /// The server was not reached, or is busy. It may have accepted it all the same.
    #[error("{0}")]
    Failed(String),
}

/// Who sends.
#[async_trait]
pub trait Mail: Send + Sync {
    /// Sends it once, within the time that is set.
    async fn send(&self, letter: Letter) -> Result<(), MailError>;
}
