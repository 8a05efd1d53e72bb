//! Coral's [external moderation phase](https://docs.coralproject.net/external-moderation-phases): Coral shows a comment before it publishes it, and waits
//! for an opinion.
//!
//! Coral takes a phase that fails, or takes too long, as one that has no opinion, and publishes. So whatever goes wrong here with a message that
//! may be Coral's is answered with "wait for a person": nothing becomes clean by failing. Only what is not signed with the site's secret is refused.
//!
//! Coral sends no id of the comment. A new one is named after who wrote what where, so that the same message soon again is the same comment; an edit
//! is taken for one of that author's comments in that place.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::message::Message;
use super::scheme::{Encoding, Piece, Signing};
use super::{NOBODY, Refused, WebhookError, WebhooksIn};
use crate::app::in_flight::to_its_end;
use crate::app::intake::{IntakeError, Taken, Turn};
use crate::app::limits::Route;
use crate::domain::category::Category;
use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Draft, ExternalId, Format, Invalid, NewComment};
use crate::domain::decision::{Record, Status};
use crate::domain::normalise::{fold_body, words};
use crate::domain::people::Reach;
use crate::domain::site::Site;
use crate::domain::store::{CommentFilter, ListError, PageRequest, StoreError};
use crate::domain::time::Timestamp;

/// The header with Coral's signatures.
pub const SIGNATURE: &str = "x-coral-signature";
/// What our names for Coral's comments begin with.
const NAMED: &str = "coral-";
/// For how long the same words of the same author in the same place are the same comment, in milliseconds; Coral asks again within seconds.
const AGAIN_MS: i64 = 120_000;
/// How often they may be comments of their own within that time, when each is edited before the next.
const NAMES_MOST: usize = 8;
/// An author's latest comments under a story, among which an edited one is looked for.
const LOOKED_AT: usize = 50;

/// What an edit has at least in common with the comment that it is of, of the words that both have together.
const ALIKE: f64 = 0.25;

/// What Coral is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// None: Coral's own rules decide.
    None,
    /// It is to wait for a person, perhaps because it looks like that.
    Hold(Option<Category>),
    /// It is not to be shown.
    Reject(Option<Category>),
}

/// What Coral sends. What is not named here is of no use to us.
#[derive(Debug, Deserialize)]
struct Shown {
    action: Step,
    comment: ShownComment,
    author: ShownAuthor,
    story: ShownStory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Step {
    New,
    Edit,
}

#[derive(Debug, Deserialize)]
struct ShownComment {
    body: String,
    #[serde(default, rename = "parentID")]
    parent_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ShownAuthor {
    id: String,
    #[serde(default)]
    role: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ShownStory {
    id: String,
    #[serde(default)]
    url: Option<String>,
}

/// Why there is no opinion.
#[derive(Debug, thiserror::Error)]
enum NoOpinion {
    #[error("not JSON as Coral sends it: {0}")]
    NotRead(#[from] serde_json::Error),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Unread(&'static str),
    #[error("not judged within {0} ms")]
    Late(u32),
}

impl NoOpinion {
    const fn label(&self) -> &'static str {
        match self {
            Self::NotRead(_) | Self::Invalid(_) | Self::Unread(_) => "unreadable",
            Self::Intake(IntakeError::RateLimited(_)) => "limited",
            Self::Intake(_) | Self::List(_) | Self::Store(_) => "unavailable",
            Self::Late(_) => "late",
        }
    }
}

/// Until when Coral waits for an opinion: it publishes what it hears nothing of.
#[derive(Debug, Clone, Copy)]
pub struct Until {
    /// That moment.
    pub at: tokio::time::Instant,
    ms: u32,
}

impl Until {
    /// What Coral is told then.
    #[must_use]
    pub fn late(self) -> Opinion {
        held("late", &NoOpinion::Late(self.ms))
    }
}

impl WebhooksIn {
    /// Until when a comment is to be read and judged that Coral begins to show now.
    #[must_use]
    pub fn coral_until(&self) -> Until {
        let ms = self.config.get().coral_deadline_ms;
        Until { at: tokio::time::Instant::now() + Duration::from_millis(ms.into()), ms }
    }

    /// Judges what Coral shows, and records it. `is_html` says how Coral writes bodies. What was begun is done to its end, although it takes longer than
    /// Coral is made to wait.
    ///
    /// # Errors
    /// [`Refused`]: it is not signed with the site's secret for Coral, or there is none.
    pub async fn coral(
        self: &Arc<Self>,
        site: &str,
        message: &Message,
        is_html: bool,
        until: Until,
        now: Timestamp,
    ) -> Result<Opinion, Refused> {
        let site = match tokio::time::timeout_at(until.at, self.believe_coral(site, message, now)).await {
            Ok(Ok(site)) => site,
            Ok(Err(WebhookError::Refused(refused))) => return Err(refused),
            // Whether it is Coral's cannot be told: "wait" tells nobody anything, and is right if it is.
            Ok(Err(error)) => return Ok(held("unavailable", &error)),
            Err(_) => return Ok(until.late()),
        };
        let (this, body) = (Arc::clone(self), message.body.clone());
        let judged = to_its_end(async move { this.judge_coral(&site, &body, is_html, now).await });
        match tokio::time::timeout_at(until.at, judged).await {
            Ok(Ok(taken)) => Ok(opinion(&taken.record)),
            Ok(Err(error)) => Ok(held(error.label(), &error)),
            Err(_) => Ok(until.late()),
        }
    }

    /// The site whose secret signed the message.
    async fn believe_coral(&self, site: &str, message: &Message, now: Timestamp) -> Result<Arc<Site>, WebhookError> {
        let known = self.known(site, now).await?;
        let valid = known.coral.iter().filter(|(_, end)| end.is_none_or(|end| now < end));
        let mut secrets: Vec<String> = valid.map(|(secret, _)| secret.clone()).collect();
        let is_somebody = !secrets.is_empty();
        if !is_somebody {
            secrets.push(NOBODY.to_owned()); // refused after as long as a wrong signature takes
        }
        let signing = Signing::Hmac {
            header: SIGNATURE.to_owned(),
            prefix: "sha256=".to_owned(),
            encoding: Encoding::Hex,
            signed: vec![Piece::Body],
            time: None,
            id_header: None,
        };
        signing.verify(&secrets, message, now)?;
        let site = known.site.clone().filter(|_| is_somebody);
        site.ok_or_else(|| Refused::Wrong(SIGNATURE.to_owned()).into()) // this secret is no secret
    }

    async fn judge_coral(
        self: &Arc<Self>,
        site: &Arc<Site>,
        body: &[u8],
        is_html: bool,
        now: Timestamp,
    ) -> Result<Taken, NoOpinion> {
        let shown: Shown = serde_json::from_slice(body)?;
        let step = shown.action;
        let new = shown.read(is_html, &self.settings.current().bounds)?;
        if step == Step::Edit
            && let Some(id) = self.edited(site, &new, now).await?
        {
            let edit = NewComment { id, ..new.clone() };
            match self.intake.edit(site, edit, Route::Comment, now).await {
                Err(IntakeError::NotFound) => {} // erased meanwhile
                edited => return Ok(edited?),
            }
        }
        // Asked again soon, Coral is told the same. Later it is another comment: else whoever got words past once could say them for ever, over limits
        // and after a ban. So it is for a comment that was edited since, which keeps its name.
        let is_over = |record: &Record| {
            record.status == Status::Approved && now.as_millis() - record.received_at.as_millis() > AGAIN_MS
        };
        let first = new.id.clone();
        let window = now.as_millis().div_euclid(AGAIN_MS);
        let before = again(&first, window - 1)?;
        let mut names = vec![first.clone()];
        if self.store.comment_find(site.id, &before).await?.is_some() {
            names.push(before);
        }
        names.push(again(&first, window)?);
        for number in 2..=NAMES_MOST {
            names.push(numbered(&again(&first, window)?, number)?);
        }
        for id in names {
            let named = NewComment { id, ..new.clone() };
            match self.intake.submit(site, named, Route::Comment, Turn::any(), now).await {
                Err(IntakeError::CommentExists) => {}
                Ok(taken) if taken.replayed && is_over(&taken.record) => {}
                submitted => return Ok(submitted?),
            }
        }
        Err(IntakeError::CommentExists.into())
    }

    /// Which comment an edit is of, of those of this author in this place. One that came to say the same just now: the message came before. Else the one
    /// that has most words in common, and enough of them, the latest of several; but none that is older than one that says the same: Coral lets a comment be
    /// edited for a short time, and an old one lends its words, and what was decided about them, to no other. Where there is none that is later, it
    /// was saved as it was. What is written anew is nobody's edit.
    async fn edited(&self, site: &Site, new: &NewComment, now: Timestamp) -> Result<Option<ExternalId>, ListError> {
        let filter = CommentFilter {
            article: Some(new.article.id.to_string()),
            author: new.author.id.as_ref().map(ToString::to_string),
            reach: Reach::ALL,
            ..CommentFilter::default()
        };
        let page = PageRequest { limit: LOOKED_AT, cursor: None };
        let page = self.store.comment_list(site.id, &filter, &page).await?;
        let is_one = |record: &&Record| {
            record.comment.parent_id == new.parent_id && record.comment.id.as_str().starts_with(NAMED)
        };
        let its = vocabulary(&new.body, new.format);
        let mut best: Option<(f64, &Record)> = None;
        for (later, record) in page.items.iter().filter(is_one).enumerate() {
            if record.comment.body == new.body {
                let is_again = now.as_millis() - record.updated_at.as_millis() <= AGAIN_MS;
                if is_again || later == 0 {
                    return Ok(Some(record.comment.id.clone()));
                }
                break; // the list begins with the latest
            }
            let likeness = likeness(&its, &vocabulary(&record.comment.body, record.comment.format));
            if likeness >= ALIKE && best.is_none_or(|(most, _)| likeness > most) {
                best = Some((likeness, record));
            }
        }
        Ok(best.map(|(_, record)| record.comment.id.clone()))
    }
}

impl Shown {
    fn read(self, is_html: bool, bounds: &Bounds) -> Result<NewComment, Invalid> {
        let Self { comment, author, story, .. } = self;
        let parent_id = comment.parent_id.filter(|id| !id.is_empty());
        let id = name(&story.id, &author.id, parent_id.as_deref(), &comment.body);
        let draft = Draft {
            id,
            article: ArticleDraft { id: story.id, url: story.url, ..ArticleDraft::default() },
            parent_id,
            author: Some(AuthorDraft {
                id: Some(author.id),
                role: author.role.as_deref().map(role),
                ..AuthorDraft::default()
            }),
            body: comment.body,
            format: Some(if is_html { Format::Html } else { Format::Text }),
            ..Draft::default()
        };
        draft.parse(bounds)
    }
}

/// Our name for a comment: the same for the same words of the same author in the same place.
fn name(story: &str, author: &str, parent: Option<&str>, body: &str) -> String {
    let mut digest = Sha256::new();
    for part in [story, author, parent.unwrap_or_default(), body] {
        digest.update((part.len() as u64).to_le_bytes()); // or parts could be shifted into each other
        digest.update(part.as_bytes());
    }
    let digest = digest.finalize();
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{NAMED}{hex}")
}

/// The name in a window of time, counted in [`AGAIN_MS`].
fn again(id: &ExternalId, window: i64) -> Result<ExternalId, Invalid> {
    ExternalId::parse("id", format!("{id}-at-{window}"))
}

fn numbered(id: &ExternalId, number: usize) -> Result<ExternalId, Invalid> {
    ExternalId::parse("id", format!("{id}-{number}"))
}

/// Coral's roles in the words of the settings: `trust.staff_roles` knows administrators by another name.
fn role(coral: &str) -> String {
    if coral == "ADMIN" { "administrator".to_owned() } else { coral.to_ascii_lowercase() }
}

fn vocabulary(body: &str, format: Format) -> HashSet<String> {
    let folded = fold_body(body, format);
    words(&folded).iter().map(|word| folded[word.start as usize..word.end as usize].to_owned()).collect()
}

/// What two have in common, of what they have together.
#[expect(clippy::cast_precision_loss, reason = "no comment has that many words")]
fn likeness(one: &HashSet<String>, other: &HashSet<String>) -> f64 {
    let common = one.intersection(other).count();
    let all = one.len() + other.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

/// What is made of a comment that was recorded, whoever decided about it.
fn opinion(record: &Record) -> Opinion {
    let category = record.verdict.category;
    match record.status {
        Status::Approved => Opinion::None,
        Status::Held => Opinion::Hold(category),
        Status::Rejected => Opinion::Reject(category),
    }
}

/// What Coral is told of a message that is not even looked at: to refuse it would publish the comment.
#[must_use]
pub fn unread(why: &'static str) -> Opinion {
    held("unreadable", &NoOpinion::Unread(why))
}

fn held(why: &'static str, error: &(dyn std::error::Error + 'static)) -> Opinion {
    metrics::counter!("doorward_coral_unjudged_total", "why" => why).increment(1);
    tracing::warn!(error, "a comment that Coral showed was not judged; Coral was told to hold it");
    Opinion::Hold(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_in_the_same_place_have_one_name_and_nothing_else_has_it() {
        let one = name("s", "a", None, "words");
        assert_eq!(one, name("s", "a", None, "words"));
        assert!(ExternalId::parse("id", one.clone()).is_ok());
        for (story, author, parent, body) in [
            ("s2", "a", None, "words"),
            ("s", "a2", None, "words"),
            ("s", "a", Some("p"), "words"),
            ("s", "a", None, "words!"),
            ("sa", "", None, "words"),
            ("s", "", Some("a"), "words"),
        ] {
            assert_ne!(one, name(story, author, parent, body), "{story} {author} {parent:?} {body}");
        }
    }

    #[test]
    fn roles_are_those_that_settings_name() {
        let known = ["ADMIN", "MODERATOR", "STAFF", "COMMENTER", "MEMBER"].map(role);
        assert_eq!(known, ["administrator", "moderator", "staff", "commenter", "member"]);
    }

    #[test]
    fn what_coral_may_add_is_no_harm_and_what_it_must_send_is_missed() {
        let read = |text: &str| serde_json::from_str::<Shown>(text).map(|shown| shown.comment.body);
        let whole = r#"{"action":"EDIT","comment":{"body":"b","parentID":null,"x":1},"author":{"id":"a","role":"STAFF"},
            "story":{"id":"s","url":"https://news.example/s"},"site":{"id":"x"},"tenantID":"t","tenantDomain":"d","more":[1]}"#;
        assert_eq!(read(whole).ok().as_deref(), Some("b"));
        for (from, to) in [("\"EDIT\"", "\"DELETE\""), ("\"body\":\"b\",", ""), ("\"id\":\"s\",", ""), ("\"b\"", "7")] {
            assert!(read(&whole.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }
}
