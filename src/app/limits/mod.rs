//! The limiter port: how many comments who may send. In process (governor), or shared by several nodes (Redis).

pub mod local;
mod policies;
pub mod shared;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::app::house::Settings;
use crate::domain::signal::Allowance;
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;

/// What somebody wants to do; each policy names those that it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// `POST /v1/comments` and edits.
    Comment,
    /// A line of `POST /v1/comments/batch`.
    Batch,
    /// `POST /v1/assess`.
    Assess,
    /// `POST /v1/comments/{id}/reports`; `author` is the reader.
    Report,
    /// `POST /v1/comments/{id}/votes`; `author` is the reader.
    Vote,
    /// `POST /v1/comments/{id}/appeals`.
    Appeal,
    /// A comment that came by signed webhook, or its edit. Policies that count `comment` count it too.
    Webhook,
    /// A comment that came by Akismet's protocol. Policies that count `comment` count it too.
    Akismet,
    /// What a site says of a comment by Akismet's protocol: `submit-spam`, `submit-ham`.
    #[serde(rename = "akismet-report")]
    AkismetReport,
    /// A question of Akismet's protocol about an account: `get-stats`, `key-sites` and so on.
    #[serde(rename = "akismet-account")]
    AkismetAccount,
    /// An Akismet key that opened nothing lately for whoever sends it, and may be a guess; `ip` is the client's.
    #[serde(rename = "akismet-key")]
    AkismetKey,
    /// A comment of which nothing was known before somebody said what it is. No policy counts it: whoever works through a day's spam is no flood.
    #[serde(skip)]
    Feedback,
    /// An attempt to sign in to the console; its limits are not settings.
    #[serde(skip)]
    SignIn,
}

impl Route {
    /// Whether a policy that names this route counts `other`.
    #[must_use]
    pub fn counts(self, other: Self) -> bool {
        self == other || (self == Self::Comment && matches!(other, Self::Webhook | Self::Akismet))
    }

    /// Whether there is a comment that could wait for a person.
    #[must_use]
    pub fn holds(self) -> bool {
        match self {
            Self::Comment | Self::Batch | Self::Assess | Self::Webhook | Self::Akismet | Self::Feedback => true,
            Self::Report
            | Self::Vote
            | Self::Appeal
            | Self::SignIn
            | Self::AkismetReport
            | Self::AkismetAccount
            | Self::AkismetKey => false,
        }
    }

    /// Whether nobody at the site reads the answer, so that the site has to be told.
    #[must_use]
    pub fn tells(self) -> bool {
        self == Self::Webhook
    }
}

/// How far an author is trusted; policies may be wider for some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Nothing good is known yet.
    New,
    /// Long approved: as many approved comments and days as the settings ask, nothing rejected lately.
    Known,
    /// One of the site's own people, by role.
    Staff,
}

/// Who asks for what.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The site.
    pub site: SiteId,
    /// What they want to do.
    pub route: Route,
    /// How far they are trusted.
    pub tier: Tier,
    /// Where from; keyed by /32 or /64, networks by /24 or /48.
    pub ip: Option<IpAddr>,
    /// The author's account.
    pub author: Option<&'a str>,
    /// The author's e-mail address.
    pub email: Option<&'a str>,
}

/// Refused: over a policy with `on_limit = "refuse"`. Nothing was consumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("over the limit `{policy}`: {quota} in {window_s} s")]
pub struct RateLimited {
    /// The policy's name.
    pub policy: String,
    /// How many it lets through in a window.
    pub quota: u32,
    /// The window, in seconds.
    pub window_s: u64,
    /// Milliseconds until it would let such a comment through.
    pub retry_after_ms: u64,
}

/// A limit in force, and how many it limits now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct LimitState {
    /// The policy's name.
    pub policy: String,
    /// How many it lets through in a window.
    pub quota: u32,
    /// The window, in seconds.
    pub window_s: u32,
    /// Keys that are counted now.
    pub counted: usize,
    /// Keys of which nothing more is let through now.
    pub limited: usize,
}

/// Who counts.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Checks every policy that applies, and consumes from all of them together only if none refuses. Over a policy
    /// with `on_limit = "hold"` the answer is [`Allowance::Hold`] (the comment is stored and queued).
    ///
    /// # Errors
    /// [`RateLimited`] for the refusing policy with the longest wait; nothing was consumed.
    async fn take(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited>;

    /// The limits in force and how many they limit now; empty when there are none, or that cannot be told.
    fn state(&self, now: Timestamp) -> Vec<LimitState> {
        let _ = now;
        Vec::new()
    }
}

/// Limits nothing: for whoever judges without anything being sent.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

#[async_trait]
impl Limiter for Unlimited {
    async fn take(&self, _: &Subject<'_>, _: Timestamp) -> Result<Allowance, RateLimited> {
        Ok(Allowance::Off)
    }
}

/// The limits of the configuration in force, whichever that is by then.
pub struct InForce(pub Arc<Settings>);

#[async_trait]
impl Limiter for InForce {
    async fn take(&self, subject: &Subject<'_>, now: Timestamp) -> Result<Allowance, RateLimited> {
        let house = self.0.current();
        house.limits.take(subject, now).await
    }

    fn state(&self, now: Timestamp) -> Vec<LimitState> {
        self.0.current().limits.state(now)
    }
}
