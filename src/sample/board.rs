//! The site's own comments: who wrote what where, what Doorward said about it, and who may see it.
//!
//! Pure: it is told what happened and says what changed. News of a comment counts only if its version is later than what is known, so that
//! an answer that arrives after a webhook puts nothing back.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

/// Comments kept at most; the oldest go.
const MAX_COMMENTS: usize = 2_000;
/// Answers upon answers that are followed to the top.
const MAX_DEPTH: usize = 100;

/// What a comment is to the site's readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Doorward has not answered yet.
    Waiting,
    /// Everybody sees it.
    Approved,
    /// A person will decide; its author sees it.
    Held,
    /// Its author sees that, nobody else sees anything.
    Rejected,
    /// It was erased.
    Erased,
}

impl State {
    /// As templates and styles name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Erased => "erased",
        }
    }
}

/// A comment that the site had before it was opened.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The site's name for it.
    pub id: String,
    /// Under which story.
    pub story: String,
    /// Which comment it answers.
    pub parent: Option<String>,
    /// Who wrote it.
    pub name: String,
    /// The text.
    pub body: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A comment, as the site keeps it.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) id: String,
    pub(super) story: String,
    pub(super) parent: Option<String>,
    /// Which paragraph of the story it is about, from 0.
    pub(super) paragraph: Option<usize>,
    /// Whose it is: the name in that reader's cookie.
    pub(super) reader: String,
    pub(super) name: String,
    pub(super) body: String,
    pub(super) at_ms: i64,
    pub(super) state: State,
    /// Its author is not to learn that nobody else sees it.
    pub(super) shadow: bool,
    /// Doorward's name for it.
    pub(super) uid: Option<String>,
    /// How much of what happened to it is known.
    pub(super) version: u64,
    pub(super) up: u32,
    pub(super) down: u32,
    /// What each reader last said, 1 or -1.
    pub(super) votes: BTreeMap<String, i8>,
    /// What became of the author's request to look again.
    pub(super) appeal: Option<Appeal>,
}

/// An author's request to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Appeal {
    /// As Doorward names it: `open`, `upheld`, `overturned`, `closed`.
    pub(super) state: String,
    /// What the author is told.
    pub(super) answer: Option<String>,
}

impl Comment {
    pub(super) fn earlier(earlier: Earlier) -> Self {
        let Earlier { id, story, parent, name, body, at_ms } = earlier;
        Self::new(id, story, parent, String::new(), name, body, at_ms)
    }

    pub(super) fn new(
        id: String,
        story: String,
        parent: Option<String>,
        reader: String,
        name: String,
        body: String,
        at_ms: i64,
    ) -> Self {
        Self {
            id,
            story,
            parent,
            paragraph: None,
            reader,
            name,
            body,
            at_ms,
            state: State::Waiting,
            shadow: false,
            uid: None,
            version: 0,
            up: 0,
            down: 0,
            votes: BTreeMap::new(),
            appeal: None,
        }
    }

    pub(super) fn is_of(&self, reader: &str) -> bool {
        !reader.is_empty() && self.reader == reader
    }

    /// Whether that reader sees it.
    pub(super) fn shows_to(&self, reader: &str) -> bool {
        match self.state {
            State::Approved if !self.shadow => true,
            State::Erased => false,
            _ => self.is_of(reader),
        }
    }
}

/// What Doorward says of a comment.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) uid: String,
    pub(super) version: u64,
    pub(super) state: State,
    pub(super) shadow: bool,
}

/// A comment and the answers to it that one reader sees.
pub(super) struct Thread<'a> {
    pub(super) root: &'a Comment,
    /// By time.
    pub(super) replies: Vec<&'a Comment>,
    /// When anything was last said in it.
    pub(super) last_ms: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Board {
    comments: BTreeMap<String, Comment>,
    order: VecDeque<String>,
}

impl Board {
    /// Keeps a comment; false when its id is taken.
    pub(super) fn add(&mut self, comment: Comment) -> bool {
        if self.comments.contains_key(&comment.id) {
            return false;
        }
        self.order.push_back(comment.id.clone());
        self.comments.insert(comment.id.clone(), comment);
        while self.order.len() > MAX_COMMENTS {
            let oldest = self.order.pop_front();
            oldest.and_then(|id| self.comments.remove(&id));
        }
        true
    }

    pub(super) fn find(&self, id: &str) -> Option<&Comment> {
        self.comments.get(id)
    }

    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Comment> {
        self.comments.get_mut(id)
    }

    /// How many have not been answered by Doorward.
    pub(super) fn waiting(&self) -> usize {
        self.comments.values().filter(|comment| comment.state == State::Waiting).count()
    }

    /// How many everybody sees under a story.
    pub(super) fn count(&self, story: &str) -> usize {
        self.comments.values().filter(|comment| comment.story == story && comment.shows_to("")).count()
    }

    /// Takes what Doorward says. None when it is no news, or about another comment of that id.
    pub(super) fn apply(&mut self, id: &str, news: News) -> Option<&Comment> {
        let comment = self.comments.get_mut(id)?;
        let is_other = comment.uid.as_ref().is_some_and(|uid| *uid != news.uid);
        if is_other || news.version <= comment.version || comment.state == State::Erased {
            return None;
        }
        comment.uid = Some(news.uid);
        comment.version = news.version;
        comment.state = news.state;
        comment.shadow = news.shadow;
        Some(comment)
    }

    /// Forgets what an erased comment said; its place stays, for what answered it.
    pub(super) fn erase(&mut self, id: &str, uid: &str) -> Option<&Comment> {
        let comment = self.comments.get_mut(id).filter(|comment| comment.uid.as_deref() == Some(uid))?;
        comment.state = State::Erased;
        comment.body.clear();
        comment.name.clear();
        Some(comment)
    }

    /// The comment at the top of the thread in which `id` stands.
    pub(super) fn root<'a>(&'a self, id: &'a str) -> &'a str {
        let mut at = id;
        for _ in 0..MAX_DEPTH {
            let parent = self.comments.get(at).and_then(|comment| comment.parent.as_deref());
            match parent.filter(|parent| self.comments.contains_key(*parent)) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at
    }

    /// What a reader sees under a story, the thread in which something was said last first.
    pub(super) fn threads(&self, story: &str, reader: &str) -> Vec<Thread<'_>> {
        let mut threads: BTreeMap<&str, Vec<&Comment>> = BTreeMap::new();
        let seen = self.comments.values().filter(|comment| comment.story == story && comment.shows_to(reader));
        for comment in seen {
            threads.entry(self.root(&comment.id)).or_default().push(comment);
        }
        let threads = threads.into_iter().filter_map(|(root, replies)| self.thread(root, replies));
        let mut threads: Vec<_> = threads.collect();
        threads.sort_by_key(|thread| std::cmp::Reverse(thread.last_ms));
        threads
    }

    fn thread<'a>(&'a self, root: &str, mut seen: Vec<&'a Comment>) -> Option<Thread<'a>> {
        let root = self.comments.get(root)?;
        let last_ms = seen.iter().map(|comment| comment.at_ms).max()?;
        seen.retain(|comment| comment.id != root.id);
        seen.sort_by_key(|comment| comment.at_ms);
        Some(Thread { root, replies: seen, last_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(id: &str, parent: Option<&str>, at_ms: i64) -> Comment {
        let text = str::to_owned;
        Comment::new(text(id), text("a"), parent.map(text), text("reader-1"), text("Ann"), text("Hello"), at_ms)
    }

    fn news(uid: &str, version: u64, state: State) -> News {
        News { uid: uid.to_owned(), version, state, shadow: false }
    }

    #[test]
    fn what_arrives_late_puts_nothing_back() {
        let mut board = Board::default();
        assert!(board.add(comment("c", None, 1)) && !board.add(comment("c", None, 1)));
        assert!(board.apply("c", news("u", 2, State::Approved)).is_some());
        assert!(board.apply("c", news("u", 1, State::Held)).is_none(), "the first answer, late");
        assert!(board.apply("c", news("u", 2, State::Approved)).is_none(), "again");
        assert!(board.apply("c", news("other", 9, State::Rejected)).is_none(), "another comment of that id");
        assert_eq!(board.find("c").unwrap().state, State::Approved);
    }

    #[test]
    fn who_sees_what() {
        for (state, author, others) in [
            (State::Waiting, true, false),
            (State::Approved, true, true),
            (State::Held, true, false),
            (State::Rejected, true, false),
            (State::Erased, false, false),
        ] {
            let comment = Comment { state, ..comment("c", None, 1) };
            assert_eq!((comment.shows_to("reader-1"), comment.shows_to("reader-2")), (author, others), "{state:?}");
            assert_eq!(comment.shows_to(""), others, "{state:?}");
        }
    }

    #[test]
    fn answers_stand_below_what_they_answer_and_last_said_comes_first() {
        let mut board = Board::default();
        for (id, parent, at) in
            [("a", None, 1), ("b", None, 2), ("a1", Some("a"), 3), ("a2", Some("a1"), 4), ("x", Some("unknown"), 0)]
        {
            board.add(Comment { state: State::Approved, ..comment(id, parent, at) });
        }
        let threads = board.threads("a", "");
        let seen: Vec<_> = threads.iter().map(|t| (t.root.id.as_str(), t.replies.len())).collect();
        assert_eq!(seen, [("a", 2), ("b", 0), ("x", 0)]);
        assert_eq!(board.root("a2"), "a");
    }

    #[test]
    fn no_more_is_kept_than_fits() {
        let mut board = Board::default();
        for n in 0..=MAX_COMMENTS {
            board.add(comment(&format!("c{n}"), None, 1));
        }
        assert!(board.find("c0").is_none() && board.find("c1").is_some());
    }
}
