//! Three mornings that can be replayed: comments written for it, posted one after the other the way every comment is.

use std::sync::Arc;

use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::Site;
use super::board::Comment;
use super::doorward::Author;
use super::events::Event;
use super::post::{self, Written};
use super::views;

const MORNINGS: &str = include_str!("mornings.json");
const DAY_MS: i64 = 86_400_000;

/// A morning.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Morning {
    /// Its name in addresses.
    pub id: String,
    /// Its name on the button.
    pub title: String,
    /// What it shows, in one sentence.
    pub says: String,
    /// What was said, in order.
    pub comments: Vec<Line>,
}

/// A comment of a morning.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Who said it.
    pub name: String,
    /// That reader's account.
    pub author: String,
    /// From where.
    pub ip: String,
    /// Days since the account was made.
    pub registered_days: i64,
    /// Under which story.
    pub story: String,
    /// The text.
    pub body: String,
    /// Milliseconds spent typing it.
    pub typing_ms: u64,
    /// Which comment of that morning it answers, from 0.
    pub answers: Option<usize>,
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) done: usize,
    pub(super) runs: bool,
}

/// All mornings.
///
/// # Errors
/// The embedded file cannot be read: a test would have said so.
pub fn mornings() -> Result<Vec<Morning>, serde_json::Error> {
    serde_json::from_str(MORNINGS)
}

/// Starts a morning; false when there is none of that name, or it runs already.
pub(super) fn start(site: &Arc<Site>, id: &str) -> bool {
    let Some(at) = site.mornings.iter().position(|morning| morning.id == id) else { return false };
    {
        let mut room = site.room();
        if room.replays[at].runs {
            return false;
        }
        room.replays[at] = Progress { done: 0, runs: true };
    }
    tokio::spawn(run(Arc::clone(site), at));
    true
}

async fn run(site: Arc<Site>, at: usize) {
    let morning = &site.mornings[at];
    let run = Uuid::new_v4().simple().to_string();
    let id = |n: usize| format!("{}-{}-{n:02}", morning.id, &run[..8]);
    let mut ticks = interval(site.pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let of = morning.comments.len();
    for (n, line) in morning.comments.iter().enumerate() {
        ticks.tick().await;
        let now = (site.now)();
        let (comment, written) = line.comment(id(n), line.answers.map(id), now);
        post::post(&site, comment, &written).await;
        let progress = Progress { done: n + 1, runs: n + 1 < of };
        site.room().replays[at] = progress;
        site.events.tell([Event::Replay { id: morning.id.clone(), done: progress.done, of, runs: progress.runs }]);
    }
}

impl Line {
    fn comment(&self, id: String, parent: Option<String>, now_ms: i64) -> (Comment, Written) {
        let Self { name, author, ip, registered_days, story, body, typing_ms, .. } = self.clone();
        let author_sent = Author {
            id: author.clone(),
            name: name.clone(),
            ip: Some(ip),
            role: Some("member".to_owned()),
            registered_at: Some(views::rfc3339(now_ms - registered_days * DAY_MS)),
            user_agent: None,
        };
        let written = Written { author: author_sent, typing_ms: Some(typing_ms), ..Written::default() };
        (Comment::new(id, story, parent, author, name, body, now_ms), written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mornings_hold_together() {
        let stories: Vec<_> = crate::sample::stories().unwrap().into_iter().map(|story| story.id).collect();
        let mornings = mornings().unwrap();
        assert_eq!(mornings.iter().map(|m| m.comments.len()).collect::<Vec<_>>(), [25, 20, 15]);
        for morning in mornings {
            for (n, line) in morning.comments.iter().enumerate() {
                assert!(stories.contains(&line.story), "{}", line.body);
                let answered = line.answers.map(|answers| &morning.comments[..n][answers]);
                assert!(answered.is_none_or(|answered| answered.story == line.story), "{}", line.body);
            }
        }
    }
}
