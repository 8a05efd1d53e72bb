//! What Doorward said about the last comments: for the panel beside the page, which no real site would show its readers.

use std::collections::VecDeque;
use std::time::Duration;

use super::board::{Comment, State};
use super::doorward::{Answer, Signal};

/// Comments shown at most.
const MAX_SAID: usize = 12;
/// Characters of a comment that are shown.
const MAX_EXCERPT: usize = 110;

/// One comment in the panel.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) comment: String,
    pub(super) story: String,
    pub(super) name: String,
    pub(super) excerpt: String,
    pub(super) state: State,
    pub(super) version: u64,
    /// `policy`, `person` or `rule`; empty when there is no answer.
    pub(super) decided_by: String,
    pub(super) category: Option<String>,
    /// Name and probability of each category.
    pub(super) scores: Vec<(String, f64)>,
    /// Name and sentence of each check that found something or could not look.
    pub(super) signals: Vec<(String, String)>,
    /// How long the answer took.
    pub(super) took: Option<Duration>,
    pub(super) uid: Option<String>,
}

/// See the module. Latest first.
#[derive(Debug, Default)]
pub(super) struct Panel {
    said: VecDeque<Said>,
}

impl Panel {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Said> {
        self.said.iter()
    }

    /// A comment that was not sent yet.
    pub(super) fn posted(&mut self, comment: &Comment) {
        let mut excerpt: String = comment.body.chars().take(MAX_EXCERPT).collect();
        if excerpt.len() < comment.body.len() {
            excerpt.push('…');
        }
        self.said.push_front(Said {
            comment: comment.id.clone(),
            story: comment.story.clone(),
            name: comment.name.clone(),
            excerpt,
            state: State::Waiting,
            version: 0,
            decided_by: String::new(),
            category: None,
            scores: Vec::new(),
            signals: Vec::new(),
            took: None,
            uid: None,
        });
        self.said.truncate(MAX_SAID);
    }

    /// What Doorward answered to it, and how long that took.
    pub(super) fn answered(&mut self, answer: &Answer, took: Duration) {
        let Some(said) = self.find(&answer.id) else { return };
        said.took = Some(took);
        said.uid = Some(answer.uid.clone());
        said.category = answer.verdict.category.clone();
        said.scores = answer.verdict.scores.iter().map(|(name, score)| (name.clone(), *score)).collect();
        // What found something that counts, and what could not look; what merely tells of an author is for moderators.
        let counts =
            |signal: &&Signal| signal.mode == "live" && (signal.log_odds != 0.0 || signal.outcome == "unavailable");
        let sentence = |signal: &Signal| {
            let text = signal.evidence.clone().unwrap_or_default();
            (signal.id.clone(), if signal.outcome == "unavailable" { format!("could not look: {text}") } else { text })
        };
        said.signals = answer.verdict.signals.iter().filter(counts).map(sentence).collect();
    }

    /// What became of it.
    pub(super) fn decided(&mut self, id: &str, uid: &str, version: u64, state: State, by: &str) {
        let Some(said) = self.find(id).filter(|said| version > said.version) else { return };
        if said.uid.as_deref().is_some_and(|known| known != uid) {
            return;
        }
        said.version = version;
        said.state = state;
        said.decided_by = by.to_owned();
        said.uid = Some(uid.to_owned());
    }

    /// Doorward would not take it.
    pub(super) fn refused(&mut self, id: &str) {
        if let Some(said) = self.find(id) {
            said.state = State::Rejected;
            said.signals = vec![("refused".to_owned(), "Doorward would not take the comment in this form".to_owned())];
        }
    }

    fn find(&mut self, id: &str) -> Option<&mut Said> {
        self.said.iter_mut().find(|said| said.comment == id)
    }
}
