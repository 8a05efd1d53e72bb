//! Signing in to the console, and the part of the Store port that remembers who is.
//!
//! What opens something is stored as a hash, seeds of second factors sealed. What is said here of accounts holds for open ones only: of a closed
//! account there are no credentials and no sessions.

use async_trait::async_trait;

use super::people::Person;
use super::store::{KeyHash, Result};
use super::time::Timestamp;

/// What somebody who signs in is measured against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose.
    pub person: Person,
    /// The password as a PHC string (argon2id).
    pub password: String,
    /// The seed of the second factor, sealed; `None` for none.
    pub totp: Option<Vec<u8>>,
}

/// A session that begins.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// SHA-256 of its cookie.
    pub hash: KeyHash,
    /// Whose.
    pub person: Person,
    /// The password that was right, as stored: when it was changed since, the session does not begin.
    pub password: String,
    /// When.
    pub at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// What the browser says of itself, shortened.
    pub agent: String,
    /// The network it came from, as /24 or /48; empty when nobody knows.
    pub network: String,
}

/// A session in force.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSession {
    /// Whose.
    pub person: Person,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// Whether the account has a second factor.
    pub has_totp: bool,
}

/// A session, for whoever it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKnown {
    /// The beginning of its hash, in hexadecimal: what it is ended by.
    pub id: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// What the browser said of itself.
    pub agent: String,
    /// The network it came from.
    pub network: String,
}

/// Remembers who is signed in. Each method is one transaction; what changes an account is on the record of who did what.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// What an open account is opened with.
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>>;
    /// Begins a session, and forgets those that ended by themselves. `false` when the account is closed by now, or has another password.
    async fn session_open(&self, new: NewSession) -> Result<bool>;
    /// The session of that cookie, if it is neither over at `now` nor unseen since `seen_since`.
    async fn session_find(&self, hash: &KeyHash, seen_since: Timestamp, now: Timestamp) -> Result<Option<LiveSession>>;
    /// Notes that a session was seen.
    async fn session_seen(&self, hash: &KeyHash, at: Timestamp) -> Result<()>;
    /// Ends a session. `false` when there is none.
    async fn session_end(&self, hash: &KeyHash, at: Timestamp) -> Result<bool>;
    /// A person's sessions, latest seen first, those that are over left out.
    async fn sessions(&self, person: &Person, now: Timestamp) -> Result<Vec<SessionKnown>>;
    /// Ends the session of a person whose hash begins so. `false` unless there is exactly one.
    async fn session_revoke(&self, person: &Person, id: &str, at: Timestamp) -> Result<bool>;
    /// Sets a new password, and ends every session of the person but `keep`.
    async fn password_change(&self, person: &Person, password: &str, keep: &KeyHash, at: Timestamp) -> Result<()>;
    /// Uses a step of the second factor. `false` when it or a later one was used before: a code that was seen opens nothing.
    async fn totp_use(&self, person: &Person, step: u64) -> Result<bool>;
    /// Gives a person who has none (`false` for whoever has one) a second factor whose `step` is used, with recovery codes by hash in the place of all before, and ends every other session.
    async fn totp_set(
        &self,
        person: &Person,
        sealed: Vec<u8>,
        step: u64,
        recovery: Vec<KeyHash>,
        keep: &KeyHash,
        at: Timestamp,
    ) -> Result<bool>;
    /// Takes the second factor and its recovery codes away.
    async fn totp_clear(&self, person: &Person, at: Timestamp) -> Result<()>;
    /// Uses a recovery code up. `false` when there is none.
    async fn recovery_use(&self, person: &Person, code: &KeyHash, at: Timestamp) -> Result<bool>;
    /// Recovery codes that are left.
    async fn recovery_left(&self, person: &Person) -> Result<u64>;
    /// All sealed seeds, with the addresses of their accounts.
    async fn totp_seeds(&self) -> Result<Vec<(String, Vec<u8>)>>;
    /// Writes a seed sealed anew, where what is stored is still `from`. Says whether it did.
    async fn totp_reseal(&self, email: &str, from: &[u8], to: Vec<u8>) -> Result<bool>;
}
