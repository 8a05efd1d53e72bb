//! What waits for a person: which of it to show, in which order, and the page with its counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::category::Category;
use super::comment::Article;
use super::decision::Record;
use super::people::Reach;
use super::readers::{ReaderView, ReportSeen};
use super::service::queues::Queues;
use super::time::Timestamp;

/// The queue's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueueSort {
    /// Most doubtful first.
    #[default]
    Priority,
    /// Longest waiting first.
    Oldest,
    /// Latest first.
    Newest,
}

/// What was known of an author when a comment of theirs came into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthorKind {
    /// None of the author's last [`AuthorKind::DEPTH`] comments on that site stood approved; or that could not be told.
    New,
    /// At least one did.
    Known,
}

impl AuthorKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::New, Self::Known];
    /// Comments of the author, before the one that is held, that are looked at.
    pub const DEPTH: usize = 64;

    /// The stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which held comments to show. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueFilter {
    /// Sites by name; empty for all.
    pub sites: Vec<String>,
    /// Whose verdict names that category.
    pub category: Option<Category>,
    /// That this signal hit (live or shadow).
    pub signal: Option<String>,
    /// Whose article stands in that section.
    pub section: Option<String>,
    /// In that language.
    pub lang: Option<String>,
    /// Under that article (the site's id).
    pub article: Option<String>,
    /// By that author (the site's id).
    pub author: Option<String>,
    /// Whose author was new, or known, when it came into the queue.
    pub author_kind: Option<AuthorKind>,
    /// Of that campaign.
    pub campaign: Option<Uuid>,
    /// Claimed by that person (e-mail), or `none`.
    pub assigned: Option<String>,
    /// That readers have reported, and nobody has answered them.
    pub reported: bool,
    /// Whose body, author's name or article's title holds these words, as [`super::search::Words`] cuts them.
    pub q: Option<String>,
    /// That waits in the queue of that name.
    pub queue: Option<String>,
    /// The queues that there are; items and counts are given theirs by these.
    pub queues: Arc<Queues>,
    /// One of these, at most a few hundred.
    pub uids: Option<Vec<Uuid>>,
    /// On which this person works.
    pub reach: Reach,
}

/// A held comment, as a moderator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueItem {
    /// The comment.
    pub record: Record,
    /// The article as known now.
    pub article: Article,
    /// Since when it waits.
    pub held_at: Timestamp,
    /// Its place: higher comes first.
    pub priority: f64,
    /// What was known of its author when it came into the queue.
    pub author_kind: AuthorKind,
    /// Who works on it, and until when the claim holds.
    pub claim: Option<Claim>,
    /// The campaign that it belongs to.
    pub campaign: Option<Uuid>,
    /// The name of the queue that it waits in, of those that were asked with.
    pub queue: Option<String>,
    /// How readers see it.
    pub readers: ReaderView,
    /// What readers said of it and nobody has answered yet, the latest few.
    pub reports: Vec<ReportSeen>,
}

/// A lease on a held comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who, by e-mail.
    pub by: String,
    /// Until when.
    pub until: Timestamp,
}

/// A page of the queue with true counts, derived from the rows. `held` and `oldest` are under the whole filter. Each `by_` is under the whole
/// filter except the condition that it offers a choice of, as in any faceted search: with `category` chosen, `by_category` goes on to say how many
/// there would be with another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueuePage {
    /// The items.
    pub items: Vec<QueueItem>,
    /// How many are held.
    pub held: u64,
    /// By site name.
    pub by_site: BTreeMap<String, u64>,
    /// By category; held for another cause than a score counts as `none`.
    pub by_category: BTreeMap<String, u64>,
    /// By signal that hit; one comment counts for each of its signals.
    pub by_signal: BTreeMap<String, u64>,
    /// By section of the article; what has none is left out.
    pub by_section: BTreeMap<String, u64>,
    /// By language; what has none that is known is left out.
    pub by_lang: BTreeMap<String, u64>,
    /// By what was known of the author.
    pub by_author_kind: BTreeMap<AuthorKind, u64>,
    /// By whoever claims it (e-mail); `none` for those that are free.
    pub by_assigned: BTreeMap<String, u64>,
    /// By campaign: those [`QueuePage::CAMPAIGNS`] of which most wait.
    pub by_campaign: BTreeMap<Uuid, u64>,
    /// By named queue: how many wait there, and since when the oldest does. Queues in which nothing waits are left out.
    pub by_queue: BTreeMap<String, QueueSum>,
    /// Members of campaigns within reach that stand approved and that nobody has looked at, whatever the filter; counted up to 10,000.
    pub rechecks: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
    /// Where to go on.
    pub next_cursor: Option<String>,
}

/// What waits in a named queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSum {
    /// How many.
    pub waiting: u64,
    /// Since when the oldest does.
    pub oldest: Timestamp,
}

impl QueueSum {
    /// Of so many more that wait, the oldest since that moment.
    pub fn add(sum: &mut Option<Self>, waiting: u64, oldest: Timestamp) {
        let Self { waiting: before, oldest: since } = sum.unwrap_or(Self { waiting: 0, oldest });
        *sum = Some(Self { waiting: before + waiting, oldest: since.min(oldest) });
    }
}

impl QueuePage {
    /// Campaigns that are counted.
    pub const CAMPAIGNS: usize = 50;
}
