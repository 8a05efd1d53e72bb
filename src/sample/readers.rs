//! Readers of the site: the name in a cookie, of what they want to hear, and what they have not read yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;
use uuid::Uuid;

/// Readers remembered at most; whoever came first goes first.
const MAX_READERS: usize = 1_000;
/// Notices kept for one reader.
const MAX_NOTICES: usize = 20;
/// What a reader's name in the cookie begins with.
const PREFIX: &str = "reader-";

/// Of which comments a reader wants to hear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Notify {
    /// None.
    #[default]
    None,
    /// Answers to the reader's own.
    Replies,
    /// All new ones under that story.
    All,
}

impl Notify {
    /// As the form names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Replies => "replies",
            Self::All => "all",
        }
    }
}

/// A comment that has become visible, for a reader who wanted to hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) comment: String,
    pub(super) story: String,
    pub(super) name: String,
    /// Whether it answers this reader.
    pub(super) is_answer: bool,
}

/// One reader.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The name last used in the form.
    pub(super) name: String,
    /// By story.
    pub(super) wants: BTreeMap<String, Notify>,
    pub(super) notices: VecDeque<Notice>,
    /// Comments that this reader has reported.
    pub(super) reported: BTreeSet<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Readers {
    known: BTreeMap<String, Reader>,
    order: VecDeque<String>,
}

impl Readers {
    pub(super) fn find(&self, id: &str) -> Option<&Reader> {
        self.known.get(id)
    }

    /// The reader of that name, made when unknown.
    pub(super) fn entry(&mut self, id: &str) -> &mut Reader {
        if !self.known.contains_key(id) {
            self.order.push_back(id.to_owned());
            if self.order.len() > MAX_READERS {
                let first = self.order.pop_front();
                first.and_then(|first| self.known.remove(&first));
            }
        }
        self.known.entry(id.to_owned()).or_default()
    }

    /// Keeps a notice for each reader who wants to hear of a comment under `story` by `author` that answers `answered`; returns who they are.
    pub(super) fn tell(
        &mut self,
        story: &str,
        author: &str,
        answered: &str,
        notice: impl Fn(bool) -> Notice,
    ) -> Vec<String> {
        let mut told = Vec::new();
        for (id, reader) in self.known.iter_mut().filter(|(id, _)| *id != author) {
            let is_answer = id == answered;
            let wants = match reader.wants.get(story).copied().unwrap_or_default() {
                Notify::None => false,
                Notify::Replies => is_answer,
                Notify::All => true,
            };
            if wants {
                reader.notices.push_front(notice(is_answer));
                reader.notices.truncate(MAX_NOTICES);
                told.push(id.clone());
            }
        }
        told
    }
}

/// A name for a reader who has none.
pub(super) fn new_reader() -> String {
    format!("{PREFIX}{}", Uuid::new_v4().simple())
}

/// Whether a cookie's value is a name that this site gave.
pub(super) fn is_reader(id: &str) -> bool {
    id.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 32 && Uuid::try_parse(rest).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_hear_what_they_asked_for() {
        let mut readers = Readers::default();
        for (id, wants) in [("none", Notify::None), ("replies", Notify::Replies), ("all", Notify::All)] {
            readers.entry(id).wants.insert("a".to_owned(), wants);
        }
        let text = str::to_owned;
        let notice = |is_answer| Notice { comment: text("c"), story: text("a"), name: text("Ann"), is_answer };
        assert_eq!(readers.tell("a", "someone", "", notice), ["all"]);
        assert_eq!(readers.tell("a", "someone", "replies", notice), ["all", "replies"]);
        assert_eq!(readers.tell("a", "all", "none", notice), [""; 0], "nobody hears of an own comment");
        assert_eq!(readers.tell("b", "someone", "replies", notice), [""; 0], "another story");
        assert!(readers.find("replies").unwrap().notices[0].is_answer);
    }

    #[test]
    fn only_names_that_the_site_gave_are_readers() {
        assert!(is_reader(&new_reader()));
        for other in
            ["", "reader-", "reader-1", "u-101", "reader-00000000-0000-0000-0000-000000000000", "reader-<script>"]
        {
            assert!(!is_reader(other), "{other}");
        }
    }
}
