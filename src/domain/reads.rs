//! What people read beside the queue: what stands around a comment, what is known of its author, a page with its thread.
//!
//! A port of its own, because none of it decides anything. Every read is bounded, by the reach of whoever asks and in how many rows it looks
//! at; where the bound was met, the answer says so. What lies outside the reach is at most counted.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::category::Category;
use super::comment::ExternalId;
use super::decision::{Action, DecidedBy, Record, Status};
use super::explain::WhatIf;
use super::figures::Figures;
use super::history::{AuthorPast, Standing};
use super::learning::wilson;
use super::people::Reach;
use super::sanction::Sanction;
use super::site::SiteId;
use super::store::Result;
use super::time::Timestamp;
use super::trace::Trace;

/// How many comments are what now. What waits for a person counts as held, drawn or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct StatusCounts {
    /// Shown to readers.
    pub approved: u32,
    /// Waiting for a person.
    pub held: u32,
    /// Not shown.
    pub rejected: u32,
    /// Of those approved, by a person.
    pub approved_by_person: u32,
    /// Of those rejected, by a person.
    pub rejected_by_person: u32,
}

impl StatusCounts {
    /// StatusCounts one more.
    pub fn add(&mut self, standing: Standing) {
        let (of, by_person) = match standing.status {
            Status::Approved => (&mut self.approved, Some(&mut self.approved_by_person)),
            Status::Rejected => (&mut self.rejected, Some(&mut self.rejected_by_person)),
            Status::Held => (&mut self.held, None),
        };
        *of += 1;
        if let Some(by_person) = by_person.filter(|_| standing.by_person) {
            *by_person += 1;
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.approved + self.held + self.rejected
    }
}

/// An author's history in numbers, on one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct AuthorNumbers {
    /// All comments looked at.
    pub all: StatusCounts,
    /// Those of the last 30 days.
    pub last_30_days: StatusCounts,
    /// When the first of those looked at arrived.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_at: Option<Timestamp>,
    /// When the last arrived.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_at: Option<Timestamp>,
    /// Whether there may be older comments than were looked at: then the numbers are of the latest ones.
    pub goes_further_back: bool,
}

impl AuthorNumbers {
    /// Thirty days, in milliseconds.
    pub const RECENT_MS: u64 = 30 * 86_400_000;

    /// StatusCounts one more comment, received at `at`.
    pub fn count(&mut self, at: Timestamp, standing: Standing, now: Timestamp) {
        self.all.add(standing);
        if now.millis_since(at) <= Self::RECENT_MS {
            self.last_30_days.add(standing);
        }
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }

    /// The same as limits and modes see it.
    #[must_use]
    pub const fn past(&self) -> AuthorPast {
        AuthorPast {
            approved: self.all.approved,
            approved_by_person: self.all.approved_by_person,
            rejected: self.all.rejected,
            rejected_by_person: self.all.rejected_by_person,
            held: self.all.held,
            first_at: self.first_at,
            last_at: self.last_at,
            goes_further_back: self.goes_further_back,
        }
    }
}

/// A comment at a glance, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Glimpse {
    /// Our name for it.
    pub uid: Uuid,
    /// The site's.
    pub id: String,
    /// The site's id of the article.
    pub article_id: String,
    /// The site's id of the author.
    pub author_id: Option<String>,
    /// The author's name as shown to readers.
    pub author_name: Option<String>,
    /// The site's id of the comment that it answers.
    pub parent_id: Option<String>,
    /// The beginning of the text as sent, at most [`Glimpse::CHARS`] characters: hostile, like all of it.
    pub snippet: String,
    /// Whether the text goes on.
    pub is_cut: bool,
    /// What it is now.
    pub status: Status,
    /// Who decided that.
    pub decided_by: DecidedBy,
    /// What policy concluded of the latest revision.
    pub action: Action,
    /// The category that led to it.
    pub category: Option<Category>,
    /// When it arrived.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
}

impl Glimpse {
    /// Characters of the text that are shown.
    pub const CHARS: usize = 280;

    /// Of a record; what waits is held.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let record = record.as_people_see();
        let comment = &record.comment;
        let end = comment.body.char_indices().nth(Self::CHARS).map(|(at, _)| at);
        Self {
            uid: record.uid,
            id: comment.id.to_string(),
            article_id: comment.article.id.to_string(),
            author_id: comment.author.id.as_ref().map(ToString::to_string),
            author_name: comment.author.name.clone(),
            parent_id: comment.parent_id.as_ref().map(ToString::to_string),
            snippet: comment.body[..end.unwrap_or(comment.body.len())].to_owned(),
            is_cut: end.is_some(),
            status: record.status,
            decided_by: record.decided_by,
            action: record.verdict.action,
            category: record.verdict.category,
            received_at: record.received_at,
        }
    }
}

/// What stands around a comment.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// The comment.
    pub record: Record,
    /// Its fingerprints.
    pub trace: Trace,
    /// What it answers, and what that answers, nearest first; it ends where the site sent no more, or at what lies outside the reach.
    pub ancestors: Vec<Glimpse>,
    /// Comments that answer the same, or stand as it does under the same article, just before it: oldest first.
    pub before: Vec<Glimpse>,
    /// The same just after it.
    pub after: Vec<Glimpse>,
    /// What became of the author's other comments on this site; `None` for who cannot be recognised.
    pub author: Option<AuthorNumbers>,
}

/// A part of a whole, with what that says of the share to expect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// How many.
    pub n: u32,
    /// Of how many.
    pub of: u32,
    /// The one by the other, 0.0 to 1.0; null of none.
    pub rate: Option<f64>,
    /// Wilson's interval at 95 %: from, to.
    pub interval: [f64; 2],
}

impl Share {
    /// `n` of `of`.
    #[must_use]
    pub fn new(n: u32, of: u32) -> Self {
        let rate = (of > 0).then(|| f64::from(n) / f64::from(of));
        Self { n, of, rate, interval: wilson(n, of) }
    }
}

/// A name that an author used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NameUsed {
    /// The name as shown to readers.
    pub name: String,
    /// In how many of the comments looked at.
    pub comments: u32,
}

/// What an author reported as a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ReportsGiven {
    /// Reports on comments that are still there.
    pub given: u32,
    /// Not answered yet.
    pub open: u32,
    /// People agreed.
    pub upheld: u32,
    /// People did not.
    pub dismissed: u32,
    /// Of those upheld, how many count for the reader: what waited or was rejected already is no find.
    pub credited: u32,
}

/// What a colleague noted about an author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuthorNote {
    /// Our name for it.
    pub id: Uuid,
    /// In a colleague's words.
    pub text: String,
    /// Who, by e-mail.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What became of a wish to take a note away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteRemoval {
    /// It is gone.
    Removed,
    /// It is a colleague's.
    NotYours,
    /// There is none.
    Missing,
}

/// Another account of the same site that wrote from where this author wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LinkedAccount {
    /// The site's name for it.
    pub author_id: String,
    /// Whether it used the same network (IPv4 by /24, IPv6 by /48). Many people may share one.
    pub same_network: bool,
    /// Whether it used the same e-mail address.
    pub same_email: bool,
    /// In how many comments.
    pub comments: u32,
    /// What became of all of its comments on the site.
    pub numbers: AuthorNumbers,
}

/// Other accounts of the same site that wrote from where an author wrote, as far back as addresses or their hashes can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct LinkedAccounts {
    /// The accounts, most comments first, at most 20.
    pub accounts: Vec<LinkedAccount>,
    /// Accounts beyond these.
    pub more: u32,
    /// Comments from there that lie outside the reach: counted only.
    pub outside: u32,
    /// How many of the site's comments were looked at, latest first.
    pub looked_at: u32,
}

/// What is known of an author on one site.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuthorProfile {
    /// What became of the comments.
    pub numbers: AuthorNumbers,
    /// Names used in those of the latest comments that lie within the reach, most used first.
    pub names: Vec<NameUsed>,
    /// The role that the site sent last.
    pub role: Option<String>,
    /// When the account was made, as the site said last.
    pub registered_at: Option<Timestamp>,
    /// Sanctions in force that aim at the author.
    pub sanctions: Vec<Sanction>,
    /// Appeals that wait, oldest first.
    pub open_appeals: Vec<Uuid>,
    /// What they reported as a reader.
    pub reports: ReportsGiven,
    /// What colleagues noted, latest first, at most 200: all of them, whoever may see which.
    pub notes: Vec<AuthorNote>,
    /// Who else wrote from there.
    pub linked: LinkedAccounts,
}

/// What else a change would let through, of the latest comments that policy held or rejected.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct AlsoLetsThrough {
    /// Comments that were looked at, latest first: those within the reach that policy did not approve, at most 5,000.
    pub looked_at: u32,
    /// How many of them the same change would have let through.
    pub comments: u32,
    /// Of those, how many a person rejected: letting them through would have been a mistake.
    pub rejected_by_people: u32,
    /// How many a person approved.
    pub approved_by_people: u32,
    /// The latest of them.
    pub examples: Vec<Glimpse>,
}

impl AlsoLetsThrough {
    /// Examples at most.
    pub const EXAMPLES: usize = 10;
    /// Verdicts that are looked at.
    pub const LOOKED_AT: u32 = 5_000;
}

/// What a comment said before it was edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierText {
    /// Which revision, from 1.
    pub revision: u32,
    /// The text as it was sent: hostile, like all of it.
    pub body: String,
}

/// What lies behind a comment besides its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Behind {
    /// The campaign that it belongs to.
    pub campaign: Option<Uuid>,
    /// Its earlier revisions, oldest first, at most the latest [`Behind::REVISIONS`].
    pub earlier: Vec<EarlierText>,
}

impl Behind {
    /// Earlier revisions at most.
    pub const REVISIONS: u32 = 20;
}

/// What became of the comments under an article, within a reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ArticleNumbers {
    /// Of those looked at.
    pub counts: StatusCounts,
    /// Whether there may be older comments than were looked at: then the numbers are of the latest ones.
    pub goes_further_back: bool,
}

/// Who reads for people.
#[async_trait]
pub trait Reads: Send + Sync {
    /// What stands around a comment; `None` when there is none, or it lies outside the reach.
    /// Without `whole`, as a card among many shows it: no siblings, and the author's numbers over their latest hundred comments.
    async fn surroundings(&self, uid: Uuid, reach: &Reach, whole: bool, now: Timestamp)
    -> Result<Option<Surroundings>>;
    /// What lies behind a comment; `None` when there is none, or it lies outside the reach.
    async fn behind(&self, uid: Uuid, reach: &Reach) -> Result<Option<Behind>>;
    /// What became of the comments under an article that lie within the reach.
    async fn article_numbers(&self, site: SiteId, article: &ExternalId, reach: &Reach) -> Result<ArticleNumbers>;
    /// What is known of an author on a site. Numbers are of the whole site; what is named lies within the reach.
    async fn author_profile(
        &self,
        site: SiteId,
        author: &ExternalId,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<AuthorProfile>;
    /// How moderation goes on these sites (all, for `None`): comments received since `since`, and what people decided.
    async fn figures(&self, sites: Option<&[String]>, since: Timestamp, now: Timestamp) -> Result<Figures>;
    /// When a person last decided about something within that reach, of the latest hundred decisions that stand; `None` when that cannot be told.
    async fn last_decided(&self, reach: &Reach) -> Result<Option<Timestamp>>;
    /// What else a change would let through than `but`, told from frozen verdicts.
    async fn also_lets_through(&self, what_if: &WhatIf, but: Uuid, reach: &Reach) -> Result<AlsoLetsThrough>;
    /// Notes something about an author, on record without the author's name.
    async fn author_note_add(
        &self,
        site: SiteId,
        author: &ExternalId,
        text: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<AuthorNote>;
    /// Takes a note about that author away: one's own, or with `any` a colleague's.
    async fn author_note_remove(
        &self,
        site: SiteId,
        author: &ExternalId,
        note: Uuid,
        by: &str,
        any: bool,
        at: Timestamp,
    ) -> Result<NoteRemoval>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_adds_up_and_recent_is_thirty_days() {
        let now = Timestamp::from_millis(100 * 86_400_000);
        let ago = |days: i64| now.plus_millis(-days * 86_400_000);
        let by = |status, by_person| Standing { status, by_person };
        let mut numbers = AuthorNumbers::default();
        numbers.count(ago(40), by(Status::Rejected, true), now);
        numbers.count(ago(30), by(Status::Approved, false), now);
        numbers.count(ago(1), by(Status::Held, false), now);
        let last = StatusCounts { approved: 1, held: 1, ..StatusCounts::default() };
        assert_eq!(numbers.last_30_days, last);
        assert_eq!(numbers.all, StatusCounts { rejected: 1, rejected_by_person: 1, ..last });
        assert_eq!((numbers.all.total(), numbers.first_at, numbers.last_at), (3, Some(ago(40)), Some(ago(1))));
    }
}
