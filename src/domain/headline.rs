//! Finds the parts of a body that read like headlines of stories.
//!
//! The telltale spam of comment sections is a headline of another story, with a link or without. What reads like one: the text of a
//! link; a line, or the whole body, of five to twenty words that is written like a title; the words around a bare address. Being found
//! here accuses nobody: it is what history remembers, and [`super::signal::unrelated_headline`] weighs.

mod abroad;

use std::ops::Range;

use super::normalise::{Body, LinkKind};
use super::trace::{TextTrace, exact};

/// A part of a body that reads like a headline.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Where it stands, in bytes of the body as sent.
    pub span: Range<usize>,
    /// As it is read.
    pub text: String,
    /// Its folded words.
    pub words: Vec<String>,
    /// How much it reads like one.
    pub strength: Strength,
    /// Its fingerprints.
    pub trace: TextTrace,
}

/// How much a text reads like a headline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// It could be a sentence of anybody's; only its coming back under other articles means something.
    Weak,
    /// Written like a title.
    Title,
    /// The text of a link, or a title beside a link.
    Linked,
}

/// Words from which a text can be a headline.
const MIN_WORDS: usize = 5;
/// Words above which it is none.
const MAX_WORDS: usize = 24;
/// Content words from which its coming back can be told from chance.
const MIN_CONTENT: usize = 4;
/// Candidates answered of one body.
const MAX_CANDIDATES: usize = 16;

/// The parts of `body` that read like headlines, strongest first, at most 16; among equals the author's own before quoted ones, and else in
/// order of appearance. All of the body is looked at: what stands at its end would hide behind what stands before it.
#[must_use]
pub fn candidates(body: &Body) -> Vec<Candidate> {
    let anchors = body.links.iter().filter(|link| link.kind == LinkKind::Anchor);
    let mut likely: Vec<(Strength, Range<usize>, &str)> =
        anchors.filter_map(|link| Some((Strength::Linked, link.span.clone(), link.text.as_deref()?))).collect();
    let all = stretches(body.plain.text());
    for stretch in &all {
        let span = body.plain.original(stretch.start..stretch.start + stretch.text.len());
        let beside_link = body.links.iter().any(|link| is_near(&span, &link.span));
        let strength = match (is_title(stretch.text), beside_link) {
            (true, true) => Strength::Linked,
            (true, false) => Strength::Title,
            // Remembering every sentence of everybody would cost more than it finds, and people do say the same things:
            // what counts is the whole of a comment, what stands beside a link, and what ends like no sentence.
            (false, true) => Strength::Weak,
            (false, false) if all.len() == 1 || !stretch.ends_sentence => Strength::Weak,
            (false, false) => continue,
        };
        likely.push((strength, span, stretch.text));
    }
    likely.sort_by_key(|(strength, span, _)| (std::cmp::Reverse(*strength), body.is_quoted(span)));
    let mut found: Vec<Candidate> = Vec::new();
    for (strength, span, text) in likely {
        if found.len() >= MAX_CANDIDATES {
            break;
        }
        add(&mut found, text, span, strength);
    }
    found
}

fn add(found: &mut Vec<Candidate>, text: &str, span: Range<usize>, strength: Strength) {
    let folded = super::normalise::fold_plain(text);
    let ranges = super::normalise::words(folded.text());
    let words: Vec<String> =
        ranges.iter().map(|word| folded.text()[word.start as usize..word.end as usize].to_owned()).collect();
    let length = super::normalise::how_long(words.iter().map(String::as_str)).words;
    if !(MIN_WORDS..=MAX_WORDS).contains(&length) {
        return;
    }
    let abroad = is_abroad(&words);
    let says = |word: &&String| !(abroad && abroad::is_common(word));
    let content: Vec<&str> = words.iter().filter(says).map(|word| stem(word)).filter(|word| !is_common(word)).collect();
    if content.len() < MIN_CONTENT {
        return;
    }
    let Some(trace) = TextTrace::of_features(exact(words.iter().map(String::as_str)), content.into_iter()) else {
        return;
    };
    if found.iter().all(|earlier| earlier.trace.exact != trace.exact) {
        found.push(Candidate { span, text: text.to_owned(), words, strength, trace });
    }
}

/// Whether a text is clearly in another language whose common words are known here. They would count as content else, and two sentences of
/// German that share four of them would be the same story.
fn is_abroad(words: &[String]) -> bool {
    let votes = words.iter().filter(|word| abroad::tells(word)).count();
    votes >= 2 && votes > words.iter().filter(|word| is_common(word)).count()
}

/// A part of a text that may be a headline.
struct Stretch<'a> {
    /// Where it starts in the plain text.
    start: usize,
    text: &'a str,
    /// Whether it ends with a point, or another mark that ends sentences.
    ends_sentence: bool,
}

/// The stretches of a text that may be headlines, at most a thousand: lines, cut at addresses and at the ends of sentences.
fn stretches(plain: &str) -> Vec<Stretch<'_>> {
    let mut at = 0;
    let lines = plain.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    });
    lines.flat_map(|(at, line)| of_line(at, line)).take(1_000).collect()
}

fn of_line(line_start: usize, line: &str) -> Vec<Stretch<'_>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let may_hold_address = line.contains('/') || line.contains("www."); // asked once, and mostly answered by no
    for token in line.split_inclusive(char::is_whitespace) {
        let looks_like_address =
            || token.contains("://") || token.starts_with("www.") || token.contains('/') && token.contains('.');
        if may_hold_address && looks_like_address() {
            ranges.push(start..at);
            start = at + token.len();
        } else if ends_sentence(token.trim_end()) && !is_abbreviation(token.trim_end()) {
            ranges.push(start..at + token.len());
            start = at + token.len();
        }
        at += token.len();
    }
    ranges.push(start..line.len());
    let stretches = ranges.into_iter().map(|range| {
        let text = &line[range.clone()];
        let lead = text.len() - text.trim_start_matches(is_edge).len();
        let text = text.trim_matches(is_edge);
        Stretch { start: line_start + range.start + lead, text, ends_sentence: ends_sentence(text) }
    });
    stretches.filter(|stretch| !stretch.text.is_empty()).collect()
}

fn ends_sentence(text: &str) -> bool {
    text.ends_with(['.', '!', '?', '…', '。', '！', '？', '|', '»'])
}

fn is_edge(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '–' | '—' | '*' | '•' | '>' | '»' | '«' | ':' | '→' | '|' | '"' | '“' | '”' | '#')
}

/// `U.S.`, `Dr.`, `J.`: the point ends no sentence.
fn is_abbreviation(token: &str) -> bool {
    let letters = token.trim_end_matches('.');
    letters.contains('.') || letters.chars().count() <= 2
}

/// Whether a text is written like a title: most long words start with a capital, or all of it is capitals, and it does not talk in
/// the first or second person.
fn is_title(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).collect();
    if words.len() < MIN_WORDS - 1 || text.ends_with('.') && !text.ends_with("...") {
        return false;
    }
    let is_long = |word: &&&str| word.chars().filter(|c| c.is_alphabetic()).nth(3).is_some();
    let (mut long, mut upper) = (0, 0);
    for word in words.iter().filter(is_long) {
        long += 1;
        upper += usize::from(starts_upper(word));
    }
    if long < 3 || upper * 10 < long * 7 {
        return false; // nearly every sentence ends here, before its words are looked at one by one
    }
    let personal = |word: &&str| {
        let folded = word.to_lowercase();
        matches!(
            folded.trim_matches(|c: char| !c.is_alphanumeric()),
            "i" | "i'm" | "i've" | "my" | "me" | "you" | "your" | "we" | "our"
        )
    };
    words.iter().all(|word| starts_upper(word)) || !words.iter().any(personal)
}

fn starts_upper(word: &str) -> bool {
    word.chars().find(|c| c.is_alphanumeric()).is_some_and(|c| c.is_uppercase() || c.is_numeric())
}

/// Whether the span touches the link but for a few signs, or encloses it.
fn is_near(span: &Range<usize>, link: &Range<usize>) -> bool {
    const GAP: usize = 4;
    span.start <= link.end.saturating_add(GAP) && link.start <= span.end.saturating_add(GAP)
}

/// English inflection that rewording changes: plural and tense endings. Crude on purpose; both sides are treated alike.
fn stem(word: &str) -> &str {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.chars().count() >= 4
        {
            return stem;
        }
    }
    word
}

/// Words that say nothing about a story, in order; at most six bytes long.
const COMMON: &[&str] = &[
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "before", "but",
    "by", "can", "could", "did", "do", "does", "don't", "for", "from", "get", "got", "had", "has", "have", "he", "her",
    "here", "him", "his", "how", "i", "i'm", "if", "in", "into", "is", "it", "it's", "its", "just", "like", "me",
    "more", "most", "my", "no", "not", "now", "of", "off", "on", "one", "only", "or", "our", "out", "over", "said",
    "say", "says", "she", "should", "so", "some", "than", "that", "that's", "the", "their", "them", "then", "there",
    "these", "they", "this", "those", "to", "too", "up", "us", "very", "was", "we", "were", "what", "when", "where",
    "which", "who", "why", "will", "with", "would", "you", "your",
];

/// The same as numbers in the same order: every word of every comment is looked up here, some of them several times.
static COMMON_PACKED: [u64; COMMON.len()] = {
    let mut all = [0; COMMON.len()];
    let mut at = 0;
    while at < COMMON.len() {
        all[at] = packed(COMMON[at].as_bytes());
        at += 1;
    }
    all
};

/// Up to seven bytes as a number that sorts as they do, their count last.
const fn packed(word: &[u8]) -> u64 {
    let mut number = 0;
    let mut at = 0;
    while at < 7 {
        number = number << 8 | if at < word.len() { word[at] as u64 } else { 0 };
        at += 1;
    }
    number << 8 | word.len() as u64
}

/// Whether a word says nothing about a story.
#[must_use]
pub fn is_common(word: &str) -> bool {
    word.len() <= 6 && COMMON_PACKED.binary_search(&packed(word.as_bytes())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::Format;

    fn found(body: &str, format: Format) -> Vec<(String, Strength)> {
        let read = Body::read(body, format);
        candidates(&read)
            .into_iter()
            .map(|candidate| (body[candidate.span].trim().to_owned(), candidate.strength))
            .collect()
    }

    #[test]
    fn headlines_are_found_where_they_hide() {
        use Strength::{Linked, Title, Weak};
        let headline = "Harbour Museum Opens Its Doors After Ten Years";
        let cases: &[(&str, String, Format, Strength)] = &[
            ("the whole body", headline.to_owned(), Format::Text, Title),
            ("in lower case", headline.to_lowercase(), Format::Text, Weak),
            ("before a link", format!("{headline} http://x.example/a"), Format::Text, Linked),
            ("after a link", format!("http://x.example/a {headline}"), Format::Text, Linked),
            (
                "the text of a link",
                format!("Read <a href='http://x.example/a'>{headline}</a> now"),
                Format::Html,
                Linked,
            ),
            (
                "at the end of a long comment",
                format!("I walked there last week and it was closed, as always.\nNobody told us why.\n\n{headline}"),
                Format::Text,
                Title,
            ),
            (
                "behind a sentence",
                format!("I walked there last week and it was closed. {headline}"),
                Format::Text,
                Title,
            ),
        ];
        for (name, body, format, strength) in cases {
            let all = found(body, *format);
            let hit = all.iter().find(|(text, _)| text.to_lowercase().contains("harbour museum opens"));
            assert_eq!(hit.map(|(_, strength)| *strength), Some(*strength), "{name}: {all:?}");
        }
    }

    #[test]
    fn a_long_comment_hides_no_headline_at_its_end() {
        let wrapped: String = (0..40)
            .map(|at| format!("and then line number {at} of what I had to say about the matter, wrapped by\n"))
            .collect();
        let headlines =
            ["Harbour Museum Opens Its Doors After Ten Years", "Five Islands Where Houses Cost Less Than a Used Car"];
        let body = format!("{wrapped}\n{}\n{}", headlines[0], headlines[1]);
        let all = found(&body, Format::Text);
        assert_eq!(all.len(), MAX_CANDIDATES);
        assert_eq!([all[0].0.as_str(), all[1].0.as_str()], headlines);
    }

    #[test]
    fn own_headlines_come_before_quoted_ones() {
        let body =
            "> Harbour Museum Opens Its Doors After Ten Years\nFive Islands Where Houses Cost Less Than a Used Car";
        let all = found(body, Format::Text);
        assert!(all.len() == 2 && all[0].0.starts_with("Five Islands"), "{all:?}");
    }

    #[test]
    fn rewording_leaves_a_headline_similar() {
        let trace = |text: &str| candidates(&Body::read(text, Format::Text))[0].trace;
        let first = trace("Harbour Museum Opens Its Doors After Ten Years of Building");
        let reworded = trace("Harbour museum finally opens its doors after ten years of construction");
        let other = trace("City Council Approves New Cycle Lanes Along the River");
        assert!(first.similarity(&reworded) >= 0.4, "{}", first.similarity(&reworded));
        assert!(first.similarity(&other) <= 0.2, "{}", first.similarity(&other));
    }

    #[test]
    fn common_words_of_other_languages_make_no_two_sentences_alike() {
        let trace = |text: &str| candidates(&Body::read(text, Format::Text)).first().map(|found| found.trace);
        let cases: &[(&str, &str, &str)] = &[
            (
                "German",
                "Das ist doch nicht so wie ich mir die Brücke in der Stadt Hamburg vorgestellt habe",
                "Das ist doch nicht so wie der Fußball in den Schulen von Bayern gespielt wird",
            ),
            (
                "Portuguese",
                "Isso não é o que eles fizeram com a ponte velha da cidade de Braga",
                "Isso não é o que ele quer com os impostos do trabalho de cada pessoa",
            ),
        ];
        for (name, one, other) in cases {
            let (one, other) = (trace(one).expect(name), trace(other).expect(name));
            assert!(one.similarity(&other) <= 0.2, "{name}: {}", one.similarity(&other));
        }
        assert!(trace("Das ist ja nicht das was ich mir").is_none(), "nothing is left that says anything");
        let english = trace("Two Die as War Veteran Drives His Van Into a Bridge").expect("English");
        assert_eq!(english.size, 7, "English words that other languages have, too, say something in English");
    }

    #[test]
    fn talk_is_not_written_like_a_title() {
        for body in [
            "I think you are right about the harbour, we went there too.",
            "So when will the museum open its doors again?",
            "+1 to what Anna said about the old bridge",
        ] {
            assert!(found(body, Format::Text).iter().all(|(_, strength)| *strength == Strength::Weak), "{body}");
        }
    }
}
