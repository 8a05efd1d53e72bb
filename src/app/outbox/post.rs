//! Sending one message, as a port: the network is outside.

use async_trait::async_trait;
use url::Url;

/// A message, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub url: Url,
    /// What goes with it, as in `webhook-id`.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON.
    pub body: String,
}

/// What the receiver answered. What it wrote into the body is nobody's business here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` as sent.
    pub retry_after: Option<String>,
}

/// Why there was no answer. Both hold a sentence for operators, without the address's path and query: they may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The address is one to which nothing is sent. Nothing was connected to.
    #[error("{0}")]
    Forbidden(String),
    /// The name was not found, nobody listened, or the answer did not come in time. The message may have arrived.
    #[error("{0}")]
    Failed(String),
}

/// Who sends.
#[async_trait]
pub trait Post: Send + Sync {
    /// Sends a message once, within the time that is set. Follows no redirect, and connects to no address but one that was checked.
    async fn post(&self, message: Message) -> Result<Answer, PostError>;
}
