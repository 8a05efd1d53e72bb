//! The History port: what is known of the past when a comment is judged.
//!
//! A port of its own because several nodes must share it in microseconds (Redis) while the store may be slower. It is
//! asked once for each comment, before any check runs, so that checks stay pure. What it cannot tell it says is
//! [`Known::Unavailable`]; it never answers "nothing seen" instead.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::campaign::{CampaignPast, LazyStances, Membership, Turn};
use super::decision::Status;
use super::known::Known;
use super::readers::ReaderView;
use super::time::Timestamp;
use super::trace::Trace;

/// Everything the past says about one comment. Entries of `links` and `headlines` stand in the order of the trace's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastOf {
    /// For each link of the trace, earlier comments with the same address and with the same registrable domain.
    pub links: Known<Vec<LinkPast>>,
    /// Earlier comments with the same or nearly the same text.
    pub text: Known<Sightings>,
    /// For each headline of the trace, earlier comments that carried the same or a reworded one.
    pub headlines: Known<Vec<Sightings>>,
    /// What became of this author's earlier comments.
    pub author: Known<AuthorPast>,
    /// How fast comments came in just before.
    pub pace: Known<Pace>,
    /// What readers say of this comment, when it was there before and is judged again.
    pub readers: Known<ReaderView>,
    /// The campaign that it belongs to.
    pub campaign: Known<Option<Box<CampaignPast>>>,
}

/// How fast comments came in: how many in the last [`Pace::WINDOW_MS`], this one not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// By the same author (or address, where no author is named).
    pub by_author: u32,
    /// Under the same article.
    pub under_article: u32,
    /// Of those, by people of whom nothing was approved before.
    pub by_newcomers: u32,
}

impl Pace {
    /// Ten minutes.
    pub const WINDOW_MS: u64 = 600_000;
}

impl PastOf {
    /// A past in which nothing happened: every part is known and empty. For tests and for comments that come first.
    #[must_use]
    pub fn empty(trace: &Trace) -> Self {
        Self {
            links: Known::Known(vec![LinkPast::default(); trace.links.len()]),
            text: Known::Known(Sightings::default()),
            headlines: Known::Known(vec![Sightings::default(); trace.headlines.len()]),
            author: if trace.author_known { Known::Known(AuthorPast::default()) } else { Known::NotApplicable },
            pace: Known::Known(Pace::default()),
            readers: Known::NotApplicable,
            campaign: Known::Known(None),
        }
    }

    /// A past that could not be asked.
    #[must_use]
    pub fn unavailable(why: &str) -> Self {
        let why = || why.to_owned();
        Self {
            links: Known::Unavailable(why()),
            text: Known::Unavailable(why()),
            headlines: Known::Unavailable(why()),
            author: Known::Unavailable(why()),
            pace: Known::Unavailable(why()),
            readers: Known::NotApplicable,
            campaign: Known::Unavailable(why()),
        }
    }
}

/// The past of one link.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkPast {
    /// Comments with the very same address.
    pub url: Sightings,
    /// Comments with a link to the same registrable domain (those with the same address included).
    pub domain: Sightings,
}

/// Earlier comments that share something with the one being judged; that comment itself is never among them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sightings {
    /// How many comments, on all sites.
    pub comments: u32,
    /// How many of them by the same author.
    pub by_same_author: u32,
    /// How many distinct authors, this comment's not counted unless seen before; counted up to a bound.
    pub authors: u32,
    /// How many under another article than this comment's.
    pub under_other_articles: u32,
    /// How many distinct articles; counted up to a bound.
    pub articles: u32,
    /// How many distinct sites.
    pub sites: u32,
    /// How many a person, or the policy, has rejected since.
    pub rejected: u32,
    /// How many of these a person has rejected.
    pub rejected_by_person: u32,
    /// How many a person has approved since: what people let pass is no wave.
    pub approved_by_person: u32,
    /// How many distinct authors wrote those that a person rejected or approved; counted up to a bound.
    #[serde(default)]
    pub authors_decided: u32,
    /// How many stand approved under this comment's own article: what readers there can see, and quote.
    pub approved_here: u32,
    /// The first, when there is one.
    pub first_at: Option<Timestamp>,
    /// The last, when there is one.
    pub last_at: Option<Timestamp>,
    /// The latest few **of this comment's own site**, newest first: other sites' are counted, never named.
    pub recent: Vec<Sighting>,
}

impl Sightings {
    /// How many, by whom, where: one clause for a moderator. Comments of the same site are named, others counted.
    #[must_use]
    pub fn sentence(&self) -> String {
        let count = |count: u32, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let mut sentence = format!(
            "{} by {} under {}",
            count(self.comments, "comment", "comments"),
            count(self.authors, "author", "authors"),
            count(self.articles, "article", "articles"),
        );
        if self.sites > 1 {
            sentence += &format!(" on {} sites", self.sites);
        }
        if self.rejected > 0 {
            sentence += &format!(", {} of them rejected", self.rejected);
        }
        if !self.recent.is_empty() {
            let names: Vec<&str> = self.recent.iter().map(|sighting| &*sighting.comment_id).collect();
            sentence += &format!(" ({})", names.join(", "));
        }
        sentence
    }
}

/// One earlier comment, on the same site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The site's id for that comment.
    pub comment_id: Box<str>,
    /// Whether it stood under the same article.
    pub same_article: bool,
    /// When it arrived.
    pub at: Timestamp,
}

/// What became of an author's earlier comments on this site (over all sites, when known by e-mail alone).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorPast {
    /// Now approved.
    pub approved: u32,
    /// Now approved, decided by a person.
    pub approved_by_person: u32,
    /// Now rejected.
    pub rejected: u32,
    /// Now rejected, decided by a person.
    pub rejected_by_person: u32,
    /// Now waiting.
    pub held: u32,
    /// When the first one arrived, of those that were looked back over.
    pub first_at: Option<Timestamp>,
    /// When the last one arrived.
    pub last_at: Option<Timestamp>,
    /// Whether there may be more than were looked back over, so that the first of all arrived before `first_at`.
    pub goes_further_back: bool,
}

impl AuthorPast {
    /// Counts one more comment, which arrived at `at`.
    pub fn count(&mut self, at: Timestamp, standing: Standing) {
        let (of, by_person) = match standing.status {
            Status::Approved => (&mut self.approved, Some(&mut self.approved_by_person)),
            Status::Rejected => (&mut self.rejected, Some(&mut self.rejected_by_person)),
            Status::Held => (&mut self.held, None),
        };
        *of = of.saturating_add(1);
        if let Some(by_person) = by_person.filter(|_| standing.by_person) {
            *by_person = by_person.saturating_add(1);
        }
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }
}

/// A comment's state as far as history cares: told at intake, and whenever it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What the comment is now.
    pub status: Status,
    /// Whether a person said so.
    pub by_person: bool,
}

/// Who remembers.
#[async_trait]
pub trait History: Send + Sync {
    /// What is known of the past of `trace` at `now`, from what arrived before, within the window that is remembered; changes nothing.
    /// What became of those comments is told as it is now, not as it was at `now`: a replay sees later decisions.
    async fn about(&self, trace: &Trace, now: Timestamp) -> PastOf;

    /// What became of this author's earlier comments: the part of [`Self::about`] that limits need before the rest is asked. The
    /// comment itself is never one of them, whether it is new, edited or asked about once more.
    async fn author(&self, trace: &Trace, now: Timestamp) -> Known<AuthorPast>;

    /// Like [`Self::about`], and notes `trace` as seen at `now`, in one step: of two comments that carry the same
    /// link at the same moment, one sees the other, whichever of them read the clock first. The comment itself (by
    /// [`Trace::comment`]) never counts as its own past,
    /// however often it is sighted; sighting it again replaces what was noted before.
    async fn sight(&self, trace: &Trace, now: Timestamp) -> PastOf;

    /// Like [`Self::sight`], and lets the comment join the campaign that it belongs to, or recognises one with it, in the same step: of two
    /// that come at once and make one, both are in it. `stances` say what of the trace is no mark of a campaign; they are asked for only when
    /// something of it was seen before.
    async fn sight_in(&self, trace: &Trace, stances: &LazyStances<'_>, now: Timestamp) -> PastOf {
        let _ = stances;
        self.sight(trace, now).await
    }

    /// Which campaign a sighted comment belongs to, to be stored in the comment's own commit.
    async fn membership(&self, trace: &Trace, now: Timestamp) -> Option<Membership> {
        let _ = (trace, now);
        None
    }

    /// Tells what became of a campaign. Telling twice is harmless.
    async fn turned(&self, turn: Turn) {
        let _ = turn;
    }

    /// Tells what became of a sighted comment: at intake, by a decision, by an undo. Telling twice is harmless.
    async fn settle(&self, trace: &Trace, at: Timestamp, standing: Standing);

    /// Forgets a comment: it was not stored after all, or it was erased.
    async fn forget(&self, trace: &Trace);
}
