//! A comment's way to Doorward: kept first, sent then, and sent again while nobody answers. Doorward knows a repeat by its id.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Site;
use super::board::Comment;
use super::doorward::{Author, Trouble};
use super::events::Event;
use super::stories::Story;

/// Attempts for one comment; with the pauses between them about a quarter of an hour.
const MAX_ATTEMPTS: u32 = 36;
/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(30);
/// Comments that may wait to be sent; beyond, the form says to come back later.
const MAX_WAITING: usize = 200;

/// What the site knows of how a comment was written.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    pub(super) author: Author,
    /// What was in the field that people do not see.
    pub(super) honeypot: String,
    /// Milliseconds from the form's opening to its sending, if it says when it was opened.
    pub(super) typing_ms: Option<u64>,
    pub(super) referrer: Option<String>,
}

/// What became of a comment that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Posted {
    /// It is kept.
    Kept,
    /// There is one of that name.
    Known,
    /// Too many wait already.
    Full,
}

/// Keeps a comment, sends it, and follows the answer. Returns after the first attempt.
pub(super) async fn post(site: &Arc<Site>, comment: Comment, written: &Written) -> Posted {
    let Some(story) = site.story(&comment.story) else { return Posted::Known };
    let body = body(&comment, story, written, (site.now)());
    {
        let mut room = site.room();
        if room.board.waiting() >= MAX_WAITING {
            return Posted::Full;
        }
        if !room.board.add(comment.clone()) {
            return Posted::Known;
        }
        room.panel.posted(&comment);
        let event = room.event(&comment);
        site.events.tell([event, Event::Said]);
    }
    if send(site, &comment.id, &body).await == Sent::Again {
        tokio::spawn(send_again(Arc::clone(site), comment.id, body));
    }
    Posted::Kept
}

#[derive(Debug, PartialEq, Eq)]
enum Sent {
    Done,
    Again,
}

async fn send(site: &Site, id: &str, body: &Value) -> Sent {
    let begun = Instant::now();
    let answer = site.doorward.comment(body).await;
    let took = begun.elapsed();
    let mut room = site.room();
    match answer {
        Ok(answer) => {
            room.panel.answered(&answer, took);
            let events = room.apply(&answer);
            site.events.tell(events);
            Sent::Done
        }
        Err(Trouble::Later) => Sent::Again,
        Err(refused @ Trouble::Refused(_)) => {
            tracing::warn!(comment = id, error = %refused, "a comment of the sample site was not taken");
            let events = room.refuse(id);
            site.events.tell(events);
            Sent::Done
        }
    }
}

async fn send_again(site: Arc<Site>, id: String, body: Value) {
    let mut pause = site.again;
    for _ in 1..MAX_ATTEMPTS {
        sleep(pause).await;
        if send(&site, &id, &body).await == Sent::Done {
            return;
        }
        pause = (pause * 2).min(LONGEST);
    }
    tracing::warn!(comment = id, "given up: Doorward did not answer; the comment stays with its author");
}

/// As `POST /v1/comments` takes it.
fn body(comment: &Comment, story: &Story, written: &Written, now_ms: i64) -> Value {
    json!({
        "id": comment.id,
        "article": {
            "id": story.id,
            "url": story.url(),
            "title": story.headline,
            "text": story.text(),
            "tags": story.tags,
            "section": story.section_id(),
            "lang": "en",
        },
        "parent_id": comment.parent,
        "author": written.author,
        "body": comment.body,
        "format": "text",
        "created_at": super::views::rfc3339(now_ms),
        "honeypot": written.honeypot,
        "typing_ms": written.typing_ms,
        "referrer": written.referrer,
    })
}

/// Asks Doorward what the comments of earlier runs are now, as soon as it answers.
pub(super) async fn catch_up(site: Arc<Site>) {
    let mut pause = site.again;
    let mut cursor = None;
    for _ in 0..MAX_ATTEMPTS {
        match site.doorward.page(cursor.as_deref()).await {
            Ok((answers, next)) => {
                let events: Vec<_> = {
                    let mut room = site.room();
                    answers.iter().flat_map(|answer| room.apply(answer)).collect()
                };
                site.events.tell(events.into_iter().filter(|event| matches!(event, Event::Comment { .. })));
                if next.is_none() {
                    return;
                }
                cursor = next;
            }
            Err(error) => {
                tracing::debug!(%error, "the sample site waits for Doorward");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
            }
        }
    }
}
