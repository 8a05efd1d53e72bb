//! What a moderator needs around one comment to decide about it: what it answers, who wrote it, where its links lead.

use std::collections::HashSet;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Desk, ReadError};
use crate::domain::history::LinkPast;
use crate::domain::known::Known;
use crate::domain::normalise::{Body, Link, LinkKind};
use crate::domain::people::Person;
use crate::domain::reads::Surroundings;
use crate::domain::signal::link_text::shown_domain;
use crate::domain::time::Timestamp;
use crate::domain::trace::LinkTrace;

/// Links that are shown.
const LINKS: usize = 20;

/// What stands around a comment, and where its links lead.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// What stands around it.
    pub around: Surroundings,
    /// Its distinct links, in order, at most 20.
    pub links: Vec<LinkChip>,
    /// Links of the comment that are not shown.
    pub links_left_out: usize,
}

/// A link, and what is known of where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LinkChip {
    /// The address as the checks see it. To be shown, never to be followed by itself.
    pub url: String,
    /// Its host.
    pub host: String,
    /// The registrable domain.
    pub domain: String,
    /// The text that carries the link, when it is not the address.
    pub text: Option<String>,
    /// The domain that this text shows, when it is another one than the link leads to.
    pub shows: Option<String>,
    /// Whether it was written so that machines should miss it.
    pub is_disguised: bool,
    /// What is remembered of the domain; null when that could not be told.
    pub past: Option<HostPast>,
}

/// What is remembered of links to a registrable domain, in other comments on all sites, within the window of `[history]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct HostPast {
    /// When it was first seen here.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_at: Option<Timestamp>,
    /// Other comments that link to it.
    pub uses: u32,
    /// Of those, with the very same address.
    pub same_address: u32,
    /// By how many authors; counted up to a bound.
    pub authors: u32,
    /// How many a person approved.
    pub approved_by_person: u32,
    /// How many a person rejected.
    pub rejected_by_person: u32,
    /// How many stand rejected, by whomever.
    pub rejected: u32,
}

impl HostPast {
    fn of(past: &LinkPast) -> Self {
        let domain = &past.domain;
        Self {
            first_at: domain.first_at,
            uses: domain.comments,
            same_address: past.url.comments,
            authors: domain.authors,
            approved_by_person: domain.approved_by_person,
            rejected_by_person: domain.rejected_by_person,
            rejected: domain.rejected,
        }
    }
}

impl Desk {
    /// What stands around a comment within a person's reach. Of other sites there are counts only.
    ///
    /// # Errors
    /// `NotFound`; the store failed.
    pub async fn context(&self, uid: Uuid, by: &Person, now: Timestamp) -> Result<Context, ReadError> {
        self.around(uid, by, true, now).await
    }

    /// The same without siblings and over fewer of the author's comments, for a card among many.
    ///
    /// # Errors
    /// As [`Self::context`].
    pub async fn card(&self, uid: Uuid, by: &Person, now: Timestamp) -> Result<Context, ReadError> {
        self.around(uid, by, false, now).await
    }

    async fn around(&self, uid: Uuid, by: &Person, whole: bool, now: Timestamp) -> Result<Context, ReadError> {
        let around =
            self.store.surroundings(uid, &by.reach, whole, now).await?.ok_or(ReadError::NotFound("comment"))?;
        let comment = &around.record.comment;
        let body = Body::read(&comment.body, comment.format);
        let pasts = match self.history.about(&around.trace, now).await.links {
            Known::Known(pasts) => pasts,
            Known::NotApplicable | Known::Unavailable(_) => Vec::new(),
        };
        let mut seen = HashSet::new();
        let distinct: Vec<&Link> = body.links.iter().filter(|link| seen.insert(link.url.as_str())).collect();
        let links_left_out = distinct.len().saturating_sub(LINKS);
        let links = distinct.into_iter().take(LINKS).map(|link| {
            let trace = LinkTrace::of(link);
            let past = around.trace.links.iter().zip(&pasts).find(|(known, _)| **known == trace);
            chip(link, past.map(|(_, past)| HostPast::of(past)))
        });
        let links = links.collect();
        Ok(Context { around, links, links_left_out })
    }
}

fn chip(link: &Link, past: Option<HostPast>) -> LinkChip {
    let shows = link.text.as_deref().and_then(shown_domain).filter(|shown| *shown != link.domain);
    LinkChip {
        url: link.url.clone(),
        host: link.host.clone(),
        domain: link.domain.clone(),
        text: link.text.clone(),
        shows,
        is_disguised: link.kind == LinkKind::Disguised,
        past,
    }
}
