//! Finding comments by their words.
//!
//! A comment is its set of words: of the body as a reader sees it, the author's name and the article's title, folded and cut as for every other
//! check (by script). Where a script writes without blanks, each character is a word, and so is each pair of neighbours, so that what is looked for
//! is found only where its characters stand together, pair by pair. A question is words, never a syntax: what has no letter or digit is a blank.

use std::ops::Range;

use async_trait::async_trait;

use super::comment::NewComment;
use super::decision::{Record, Status};
use super::normalise::{fold_body, fold_plain, is_unspaced, words};
use super::people::Reach;
use super::store::{ListError, Page, PageRequest, Result};

/// Bytes of a word that count: what is longer is cut there.
const WORD_BYTES: usize = 64;

/// Words of a question that count.
const TERMS_MAX: usize = 16;

/// Letters that the last word of a question has at least when it stands for all words that begin so.
const PREFIX_LETTERS: usize = 3;

/// The words of one comment, each once: one text and where each word stands in it, because they are found for every comment that is entered.
#[derive(Debug, Clone, Default)]
pub struct Words {
    text: String,
    /// In the order of their bytes, each word once.
    ranges: Vec<Range<usize>>,
}

impl Words {
    /// Of a comment under an article of that title.
    #[must_use]
    pub fn of(comment: &NewComment, title: Option<&str>) -> Self {
        let body = fold_body(&comment.body, comment.format);
        let mut found = Self { text: String::with_capacity(body.len()), ranges: Vec::new() };
        cut(&body, |word, _| found.add(word));
        for text in [comment.author.name.as_deref(), title].into_iter().flatten() {
            cut(fold_plain(text).text(), |word, _| found.add(word));
        }
        let Self { text, mut ranges } = found;
        ranges.sort_unstable_by(|a, b| text[a.clone()].cmp(&text[b.clone()]));
        ranges.dedup_by(|a, b| text[a.clone()] == text[b.clone()]);
        Self { text, ranges }
    }

    fn add(&mut self, word: &str) {
        let start = self.text.len();
        plain(word, &mut self.text);
        self.ranges.push(start..self.text.len());
    }

    /// In the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.ranges.iter().map(|range| &self.text[range.clone()])
    }

    /// Whether all of the question's terms are among them.
    #[must_use]
    pub fn answer(&self, question: &Question) -> bool {
        !question.terms.is_empty() && question.terms.iter().all(|term| self.have(term))
    }

    fn have(&self, term: &Term) -> bool {
        let at = self.ranges.partition_point(|range| self.text[range.clone()] < *term.word);
        let next = self.ranges.get(at).map(|range| &self.text[range.clone()]);
        next.is_some_and(|next| if term.is_prefix { next.starts_with(&term.word) } else { next == term.word })
    }
}

/// One word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The word, folded: letters and digits only.
    pub word: String,
    /// Whether every word that begins so will do.
    pub is_prefix: bool,
}

/// What is looked for: comments that have all of it. Without a term, nothing is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// At most sixteen; further words are not looked at.
    pub terms: Vec<Term>,
}

impl Question {
    /// Reads what somebody typed. The last word, when it has three letters or more and nothing follows it, stands for all words that begin so.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let folded = fold_plain(text);
        let mut cut_words: Vec<(String, Cut)> = Vec::new();
        cut(folded.text(), |word, cut| {
            let mut kept = String::new();
            plain(word, &mut kept);
            cut_words.push((kept, cut));
        });
        let is_open = text.chars().next_back().is_some_and(char::is_alphanumeric);
        let last = cut_words.len().saturating_sub(1);
        let mut terms: Vec<Term> = Vec::new();
        for (at, (word, cut)) in cut_words.into_iter().enumerate() {
            // Characters that stand in a pair are looked for with their neighbours.
            if cut == Cut::Paired {
                continue;
            }
            let is_prefix = at == last && is_open && cut == Cut::Spaced && word.chars().count() >= PREFIX_LETTERS;
            let term = Term { word, is_prefix };
            if terms.len() < TERMS_MAX && !terms.contains(&term) {
                terms.push(term);
            }
        }
        Self { terms }
    }
}

/// How a word was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Between blanks, or a character that stands alone.
    Spaced,
    /// A character with a neighbour of its kind.
    Paired,
    /// A character of a script without blanks, alone or with its neighbour.
    Unspaced,
}

/// Calls `each` with every word as it stands there: see [`plain`].
fn cut(folded: &str, mut each: impl FnMut(&str, Cut)) {
    let ranges = words(folded);
    let text = |range: &Range<u32>| &folded[range.start as usize..range.end as usize];
    let unspaced = |range: &Range<u32>| text(range).starts_with(is_unspaced);
    for (at, range) in ranges.iter().enumerate() {
        if !unspaced(range) {
            each(text(range), Cut::Spaced);
            continue;
        }
        let joins = |other: Option<&Range<u32>>, touches: bool| touches && other.is_some_and(unspaced);
        let before = at.checked_sub(1).and_then(|at| ranges.get(at));
        let after = ranges.get(at + 1);
        let has_before = joins(before, before.is_some_and(|before| before.end == range.start));
        let has_after = joins(after, after.is_some_and(|after| after.start == range.end));
        each(text(range), if has_before || has_after { Cut::Paired } else { Cut::Unspaced });
        if has_after && let Some(after) = after {
            each(&folded[range.start as usize..after.end as usize], Cut::Unspaced);
        }
    }
}

/// Appends a word without the apostrophes inside, and not without end.
fn plain(word: &str, to: &mut String) {
    let start = to.len();
    to.extend(word.chars().filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric()));
    to.truncate(to.floor_char_boundary(start + WORD_BYTES));
}

/// Which comments to find. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchFilter {
    /// With these words.
    pub question: Question,
    /// Of that site, by name.
    pub site: Option<String>,
    /// Of that status, as people see it: what waits for a person is held.
    pub status: Option<Status>,
    /// By that author (the site's id).
    pub author: Option<String>,
    /// On which the person who asks works.
    pub reach: Reach,
}

/// How far the index has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Indexed {
    /// Comments that were entered, entered anew, or taken out.
    pub entered: u64,
    /// Whether there is more to do at once.
    pub more: bool,
    /// Whether the store has so much else to do that the next call should wait a little longer.
    pub is_busy: bool,
}

/// Remembers words. The index lies beside the comments and is filled after their commit, so an engine keeps a mark of how far it has got and looks
/// directly at what lies behind it. (On PostgreSQL: a table of `tsvector` made of [`Words`], with a GIN index, beside the comments.)
#[async_trait]
pub trait Search {
    /// Comments with these words, newest first. Nothing that is stored is missed, whether the index has reached it or not, and nothing is found by
    /// words that an edit or an erasure took away. A page may hold fewer items than asked and still go on: what is looked at for one is bounded.
    async fn comment_search(
        &self,
        filter: &SearchFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError>;
    /// Enters at most `most` comments that came or changed since the last call, on any process; begins anew where the last one ended, and with an
    /// empty index goes through everything that is stored. Again is harmless.
    async fn search_index(&self, most: usize) -> Result<Indexed>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::{Article, Author, ExternalId, Format};

    fn comment(body: &str) -> NewComment {
        NewComment {
            id: ExternalId::parse("id", "c-1".to_owned()).unwrap(),
            article: Article::named(ExternalId::parse("id", "a-1".to_owned()).unwrap()),
            parent_id: None,
            author: Author { name: Some("Zoë O'Neill".to_owned()), ..Author::default() },
            body: body.to_owned(),
            format: Format::Text,
            created_at: None,
            honeypot: None,
            typing_ms: None,
            referrer: None,
        }
    }

    #[test]
    fn questions_find_what_people_expect() {
        let cases: &[(&str, &str, bool)] = &[
            ("The bridge, again!", "bridge", true),
            ("The bridge, again!", "BRIDGE again", true),
            ("The bridge, again!", "bri", true),
            ("The bridge, again!", "br", false),
            ("The bridge, again!", "bri again", false),
            ("The bridge, again!", "bri ", false),
            ("The bridge, again!", "ridge", false),
            ("Don't panic", "dont panic", true),
            ("Don't panic", "don't", true),
            ("anything", "o'neill", true),
            ("anything", "harbour", true),
            ("anything", "harbours", false),
            ("anything", "", false),
            ("anything", "\"*(:^ -", false),
            ("one OR two", "three OR one", false),
            ("市议会想关闭旧桥", "旧桥", true),
            ("市议会想关闭旧桥", "桥", true),
            ("市议会想关闭旧桥", "桥旧", false),
            ("市议会想关闭旧桥", "议会想", true),
            ("古い橋を修理のために", "修理", true),
            ("ขอบคุณที่แบ่งปัน", "ขอบคุณ", true),
            ("ขอบคุณที่แบ่งปัน", "คุขอบ", false),
            ("정말 좋은 글", "좋은", true),
            ("用rust写的", "rust 写的", true),
        ];
        for (body, question, found) in cases {
            let words = Words::of(&comment(body), Some("News from the harbour"));
            assert_eq!(words.answer(&Question::read(question)), *found, "{question} in {body}: {words:?}");
        }
    }

    #[test]
    fn questions_are_bounded() {
        let long: String = (0..100).map(|n| format!("word{n} ")).collect();
        assert_eq!(Question::read(&long).terms.len(), TERMS_MAX);
        assert_eq!(Question::read(&"x".repeat(10_000)).terms[0].word.len(), WORD_BYTES);
    }
}
