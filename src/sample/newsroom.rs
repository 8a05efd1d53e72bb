//! What the site keeps, under one lock, and what follows from news of a comment: who sees it, who is to hear of it, what the panel shows.

use super::board::{Board, Comment, News, State};
use super::doorward::Answer;
use super::events::Event;
use super::readers::{Notice, Readers};
use super::replay::Progress;
use super::said::Panel;

/// See the module.
pub(super) struct Newsroom {
    pub(super) board: Board,
    pub(super) readers: Readers,
    pub(super) panel: Panel,
    /// For each morning, how far it is.
    pub(super) replays: Vec<Progress>,
}

impl Newsroom {
    pub(super) fn new(mornings: usize) -> Self {
        Self {
            board: Board::default(),
            readers: Readers::default(),
            panel: Panel::default(),
            replays: vec![Progress::default(); mornings],
        }
    }

    /// Takes what Doorward says of a comment, whichever way it came, and returns what open pages are to hear.
    pub(super) fn apply(&mut self, answer: &Answer) -> Vec<Event> {
        self.panel.decided(&answer.id, &answer.uid, answer.version, answer.status, &answer.decided_by);
        self.news(&answer.id, answer.news())
    }

    fn news(&mut self, id: &str, news: News) -> Vec<Event> {
        let was_visible = self.board.find(id).is_some_and(|comment| comment.shows_to(""));
        let Some(comment) = self.board.apply(id, news).cloned() else { return vec![Event::Said] };
        let mut events = vec![self.event(&comment), Event::Said];
        if !was_visible && comment.shows_to("") {
            events.extend(self.notify(&comment));
        }
        events
    }

    /// Tells the readers who asked for it that a comment has become visible.
    fn notify(&mut self, comment: &Comment) -> Vec<Event> {
        let parent = comment.parent.as_deref().and_then(|parent| self.board.find(parent));
        let answered = parent.map(|parent| parent.reader.clone()).unwrap_or_default();
        let notice = |is_answer| Notice {
            comment: comment.id.clone(),
            story: comment.story.clone(),
            name: comment.name.clone(),
            is_answer,
        };
        let told = self.readers.tell(&comment.story, &comment.reader, &answered, notice);
        told.into_iter().map(|reader| Event::Notice { reader }).collect()
    }

    /// What open pages hear of a change of that comment.
    pub(super) fn event(&self, comment: &Comment) -> Event {
        Event::Comment {
            story: comment.story.clone(),
            root: self.board.root(&comment.id).to_owned(),
            count: self.board.count(&comment.story),
        }
    }

    /// Marks a comment as one that Doorward will not take.
    pub(super) fn refuse(&mut self, id: &str) -> Vec<Event> {
        let Some(comment) = self.board.find_mut(id).filter(|comment| comment.state == State::Waiting) else {
            return Vec::new();
        };
        comment.state = State::Rejected;
        let comment = comment.clone();
        self.panel.refused(id);
        vec![self.event(&comment), Event::Said]
    }
}
