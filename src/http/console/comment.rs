//! A comment as pages show it: its text in pieces, with what evidence points at marked and what nobody would see made visible. The text is
//! whatever somebody sent: it becomes text of the page and nothing else, and no link that can be followed by accident.

use std::collections::BTreeSet;

use url::Url;
use uuid::Uuid;

use super::marks::is_hidden;
use super::texts::Texts;
use crate::domain::category::Category;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::decision::{Record, Verdict};
use crate::domain::model::ModelOutput;
use crate::domain::scores::LogOdds;
use crate::domain::signal::{Field, Mode, Outcome};
use crate::domain::time::Timestamp;

/// Spans marked in one text at most: a text that is nothing but evidence is read without marks as well.
const SPANS_MAX: usize = 200;

/// A piece of a text. All of them one after the other are the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// What is written there; of a character that cannot be seen its name, as in `U+202E`.
    pub text: String,
    /// What is said about it.
    pub reason: Option<String>,
    /// Whether it stands for characters that cannot be seen.
    pub is_hidden: bool,
}

/// Cuts a text at the ends of spans: first byte, one past the last, and what is said about them. Spans may overlap, lie outside or cut
/// characters: then they are widened to whole ones. Characters that cannot be seen, or that turn others round, become their names.
pub(super) fn segments(text: &str, spans: &[(usize, usize, &str)]) -> Vec<Segment> {
    let spans: Vec<(usize, usize, &str)> = spans
        .iter()
        .filter(|(start, end, _)| start < end)
        .take(SPANS_MAX)
        .map(|(start, end, reason)| (text.floor_char_boundary(*start), text.ceil_char_boundary(*end), *reason))
        .filter(|(start, end, _)| start < end)
        .collect();
    let mut cuts: BTreeSet<usize> = spans.iter().flat_map(|(start, end, _)| [*start, *end]).collect();
    cuts.extend([0, text.len()]);
    let cuts: Vec<usize> = cuts.into_iter().collect();
    let mut segments = Vec::new();
    for (start, end) in cuts.iter().zip(cuts.iter().skip(1)) {
        let mut reasons: Vec<&str> = Vec::new();
        for (from, to, reason) in &spans {
            if from <= start && end <= to && !reasons.contains(reason) {
                reasons.push(reason);
            }
        }
        let reason = (!reasons.is_empty()).then(|| reasons.join(" · "));
        reveal(&text[*start..*end], reason.as_deref(), &mut segments);
    }
    segments
}

/// Adds a piece, with what cannot be seen in pieces of their own.
fn reveal(piece: &str, reason: Option<&str>, segments: &mut Vec<Segment>) {
    let mut add = |text: String, is_hidden| {
        if !text.is_empty() {
            segments.push(Segment { text, reason: reason.map(str::to_owned), is_hidden });
        }
    };
    let characters: Vec<char> = piece.chars().collect();
    let mut seen = String::new();
    let mut at = 0;
    while at < characters.len() {
        let character = characters[at];
        let before = at.checked_sub(1).map(|at| characters[at]);
        if !is_hidden(before, character, characters.get(at + 1).copied()) {
            seen.push(character);
            at += 1;
            continue;
        }
        add(std::mem::take(&mut seen), false);
        let times = characters[at..].iter().take_while(|next| **next == character).count();
        let name = format!("U+{:04X}", u32::from(character));
        add(if times > 1 { format!("{name}\u{d7}{times}") } else { name }, true);
        at += times;
    }
    add(seen, false);
}

/// A text in one piece, with the characters that nobody would see named.
pub(super) fn revealed(text: &str) -> String {
    segments(text, &[]).into_iter().map(|segment| segment.text).collect()
}

/// Something that led to a verdict.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reason {
    /// Which check or rule.
    pub id: String,
    /// What it adds, in log-odds and as people read it; none for what set the action by itself.
    pub amount: Option<String>,
    /// The category that it counts for, where there is one: a class of the page.
    pub category: &'static str,
    /// One sentence.
    pub text: String,
}

/// A comment as a card shows it.
#[derive(Debug, Clone)]
pub(super) struct CommentView {
    /// Our name for it.
    pub uid: Uuid,
    /// Its version on the page.
    pub version: u32,
    /// The site.
    pub site: String,
    /// Who wrote it, as shown to readers, or as the site calls them.
    pub author: Option<String>,
    /// The article's title, or what the site calls it.
    pub article: String,
    /// Where the article lies, to be read: host and path.
    pub place: Option<String>,
    /// What it is now: a class of the page.
    pub status: &'static str,
    /// The same in words.
    pub status_text: &'static str,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The text.
    pub segments: Vec<Segment>,
    /// What led to the verdict, the weightiest first.
    pub reasons: Vec<Reason>,
    /// Scores that count, by category: its name as a class, in words, and the score in per cent.
    pub scores: Vec<(&'static str, &'static str, String)>,
}

impl CommentView {
    /// As people see it, under a verdict that need not be the latest one.
    pub(super) fn of(record: &Record, article: Option<&Article>, verdict: &Verdict, t: &'static Texts) -> Self {
        let record = &record.as_people_see();
        let article = article.unwrap_or(&record.comment.article);
        let author = &record.comment.author;
        let mut spans: Vec<(usize, usize, &str)> = Vec::new();
        for signal in &verdict.signals {
            let Outcome::Hit { evidence, spans: of, .. } = &signal.outcome else { continue };
            let body = of.iter().filter(|span| span.field == Field::Body && signal.mode == Mode::Live);
            spans.extend(body.map(|span| (span.start as usize, span.end as usize, evidence.as_str())));
        }
        let scores = Category::ALL.into_iter().map(|category| {
            let score = t.percent(verdict.scores[category].get());
            (category.name(), word_of_category(t, category), score)
        });
        Self {
            uid: record.uid,
            version: record.version,
            site: record.site.to_string(),
            author: author.name.as_deref().or(author.id.as_ref().map(ExternalId::as_str)).map(revealed),
            article: revealed(article.title.as_deref().unwrap_or(article.id.as_str())),
            place: article.url.as_deref().and_then(place_of),
            status: record.status.name(),
            status_text: t.say(match record.status.name() {
                "approved" => "status.approved",
                "held" => "status.held",
                _ => "status.rejected",
            }),
            received_at: record.received_at,
            segments: segments(&record.comment.body, &spans),
            reasons: reasons(verdict, t),
            scores: scores.collect(),
        }
    }
}

pub(super) fn word_of_category(t: &'static Texts, category: Category) -> &'static str {
    t.say(match category {
        Category::Spam => "category.spam",
        Category::OffTopic => "category.off-topic",
        Category::Abuse => "category.abuse",
    })
}

/// Host and path of an address, to be read and not followed.
pub(super) fn place_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let text = format!("{host}{}", url.path());
    Some(revealed(&text.chars().take(120).collect::<String>()))
}

fn reasons(verdict: &Verdict, t: &Texts) -> Vec<Reason> {
    let cause = |id: &str, text: &str| Reason { id: id.to_owned(), amount: None, category: "", text: text.to_owned() };
    let mut reasons: Vec<Reason> = verdict.causes.iter().map(|it| cause(&it.id, &it.text)).collect();
    let mut weighed: Vec<(f64, Reason)> = Vec::new();
    for signal in verdict.signals.iter().filter(|signal| signal.mode == Mode::Live) {
        match &signal.outcome {
            Outcome::Hit { weight, evidence, .. } => {
                let amount = (*weight != LogOdds::ZERO).then(|| t.signed(weight.get()));
                let (id, text) = (signal.id.to_string(), evidence.clone());
                weighed.push((weight.get().abs(), Reason { id, amount, category: signal.category.name(), text }));
            }
            Outcome::Unavailable { why } => reasons.push(cause(&signal.id, why)),
            Outcome::Clear | Outcome::NotApplicable => {}
        }
    }
    if let ModelOutput::Scored { spam, abuse, .. } = &verdict.model {
        for (category, amount) in [(Category::Spam, spam.get()), (Category::Abuse, abuse.get())] {
            if amount > 0.0 {
                let text = t.say("comment.model").to_owned();
                let amount_text = Some(t.signed(amount));
                weighed.push((
                    amount,
                    Reason { id: "model".to_owned(), amount: amount_text, category: category.name(), text },
                ));
            }
        }
    }
    weighed.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    reasons.extend(weighed.into_iter().map(|(_, reason)| reason));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, spans: &[(usize, usize, &str)]) -> Vec<(String, Option<String>)> {
        segments(text, spans).into_iter().map(|it| (it.text, it.reason)).collect()
    }

    #[test]
    fn spans_are_marked_whatever_they_are() {
        let plain = |text: &str| (text.to_owned(), None);
        let marked = |text: &str, reason: &str| (text.to_owned(), Some(reason.to_owned()));
        for (name, text, spans, expected) in [
            ("none", "abc", &[][..], vec![plain("abc")]),
            ("empty text", "", &[(0, 4, "x")], vec![]),
            ("one", "abc", &[(1, 2, "x")], vec![plain("a"), marked("b", "x"), plain("c")]),
            (
                "overlapping",
                "abcd",
                &[(0, 3, "x"), (1, 4, "y")],
                vec![marked("a", "x"), marked("bc", "x · y"), marked("d", "y")],
            ),
            ("the same twice", "abc", &[(0, 3, "x"), (0, 3, "x")], vec![marked("abc", "x")]),
            ("inside a character", "aä", &[(2, 2, "e"), (2, 3, "x")], vec![plain("a"), marked("ä", "x")]),
            ("beyond the end", "abc", &[(2, 99, "x"), (50, 60, "y")], vec![plain("ab"), marked("c", "x")]),
            ("the wrong way round", "abc", &[(2, 1, "x")], vec![plain("abc")]),
        ] {
            assert_eq!(written(text, spans), expected, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        for (text, expected) in [
            ("a\u{202e}b", &["a", "U+202E", "b"][..]),
            ("f\u{200b}\u{200b}\u{200b}ree", &["f", "U+200B\u{d7}3", "ree"]),
            ("f\u{200d}ree", &["f", "U+200D", "ree"]),
            ("\u{1f469}\u{200d}\u{1f4bb} works", &["\u{1f469}\u{200d}\u{1f4bb} works"]),
            ("می\u{200c}خواهم", &["می\u{200c}خواهم"]),
            ("one\r\ntwo\tthree", &["one\r\ntwo\tthree"]),
            ("bell\u{7}", &["bell", "U+0007"]),
        ] {
            let found: Vec<String> = segments(text, &[]).into_iter().map(|it| it.text).collect();
            assert_eq!(found, expected, "{text:?}");
        }
        assert_eq!(revealed("a\u{202e}b"), "aU+202Eb");
        assert!(segments("a\u{202e}", &[(0, 4, "x")]).iter().all(|it| it.reason.is_some()));
    }
}
