//! How a comment speaks: shape and manner rather than words, which differ least from site to site.
//!
//! What depends on English grammar is only noted where enough English function words are: it would fire on every other language.

use super::handmade::{Found, Hand};
use super::lexicon::{lists_pair, lists_word};
use super::lists::{
    ARGUES, BEST, CALLS, FUNCTION, GROUP, HEDGES, ME, NEGATES, OFFERS, OTHERS, OURS, PAST, TEST, WANT, WE, YOU,
};
use crate::domain::normalise::Body;

/// What was heard of a comment's words, one after the other.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was heard")]
pub(super) struct Manner {
    function: usize,
    letters: usize,
    best: usize,
    testimony: usize,
    numbers: usize,
    long_number: bool,
    mixed: usize,
    listed: usize,
    listed_pairs: usize,
    before: Option<(u64, u64)>,
    /// How many words ago `we` or `I` was heard.
    we_ago: Option<usize>,
    we_offer: bool,
    asks_you: bool,
    if_you: bool,
    you_said: bool,
    starts_with_call: bool,
    heard: usize,
    asking: bool,
    conditional: bool,
}

impl Manner {
    /// Hears the next word.
    pub(super) fn hear(&mut self, word: &str, hash: u64, lists: u64) {
        let has = |list: u64| lists & list != 0;
        self.function += usize::from(has(FUNCTION));
        self.letters += word.len();
        self.best += usize::from(has(BEST));
        self.testimony += usize::from(has(TEST));
        let (mut digit, mut letter) = (false, false);
        for byte in word.bytes() {
            digit |= byte.is_ascii_digit();
            letter |= byte.is_ascii_alphabetic();
        }
        self.mixed += usize::from(digit && letter);
        self.numbers += usize::from(digit && !letter);
        self.long_number |= digit && !letter && word.len() >= 3;
        // Blocklists know names of groups of people. Whoever is named, it is no advertising, and no comment may stand out by whom it names.
        self.listed += usize::from(!has(GROUP) && lists_word(word));
        if let Some((before, before_lists)) = self.before {
            self.listed_pairs += usize::from((before_lists | lists) & GROUP == 0 && lists_pair(before, hash));
            self.asks_you |= self.asking && has(YOU);
            self.if_you |= self.conditional && has(YOU);
            self.you_said |= before_lists & YOU != 0 && (has(PAST | ARGUES) || matches!(word, "are" | "mean" | "say"));
        }
        self.we_ago = if has(ME) || word == "we" { Some(0) } else { self.we_ago.map(|ago| ago + 1) };
        self.we_offer |= has(OFFERS) && matches!(self.we_ago, Some(1 | 2));
        self.starts_with_call |= self.heard == 0 && has(CALLS);
        self.asking = matches!(word, "are" | "do" | "have" | "want" | "need" | "would" | "can");
        self.conditional = word == "if";
        self.before = Some((hash, lists));
        self.heard += 1;
    }

    /// Whether enough of the words are English function words to judge the manner of speech.
    pub(super) const fn is_english(&self, words: usize) -> bool {
        self.function * 12 >= words
    }

    /// Notes what was heard. `lists` are the lists that any word stands in.
    pub(super) fn tell(&self, words: usize, lists: u64, found: &mut Found) {
        let any = |list: u64| lists & list != 0;
        let english = self.is_english(words);
        found.when(Hand::ManySmallWords, words >= 8 && self.function * 100 > words * 52);
        found.when(Hand::LongWords, english && words >= 5 && self.letters * 10 > words * 56);
        found.when(Hand::WeAndYou, any(WE) && any(YOU));
        found.when(Hand::YouAndOffer, any(YOU) && any(OFFERS));
        found.when(Hand::WeOffer, self.we_offer);
        found.when(Hand::Superlatives, self.best >= 2);
        found.when(Hand::WantsYou, any(WANT) && any(YOU));
        found.when(Hand::IfYou, self.if_you);
        found.when(Hand::StartsWithCall, self.starts_with_call);
        found.when(Hand::MixedWords, self.mixed >= 1);
        found.when(Hand::Testimony, self.testimony >= 2);
        found.when(Hand::Number, self.long_number);
        found.when(Hand::ManyNumbers, self.numbers >= 3);
        found.when(Hand::NoFirstPerson, english && words >= 9 && !any(ME | OURS));
        found.when(Hand::Negation, any(NEGATES));
        found.when(Hand::Past, any(PAST));
        found.when(Hand::Hedge, any(HEDGES));
        found.when(Hand::SpeaksOfOthers, any(OTHERS));
        found.when(Hand::ListedWord, self.listed >= 1);
        found.when(Hand::ListedWords, self.listed >= 2);
        found.when(Hand::ManyListedWords, self.listed >= 4);
        found.when(Hand::SomeListed, self.listed * 12 > words);
        found.when(Hand::MostlyListed, self.listed * 5 > words);
        found.when(Hand::ListedPair, self.listed_pairs >= 1);
        found.when(Hand::ListedPairs, self.listed_pairs >= 2);
        found.when(Hand::AsksYou, self.asks_you);
        found.when(Hand::AnswersSomebody, self.you_said);
    }
}

/// What the visible text looks like.
pub(super) fn shape(body: &Body, words: usize, english: bool, found: &mut Found) {
    let plain = body.plain.text();
    let mut runs = Runs::default();
    let (mut repeated, mut ornaments, mut sentence, mut percent) = (false, false, false, false);
    let (mut before, mut row) = ('\0', 0_usize);
    for c in plain.chars() {
        row = if c == before { row + 1 } else { 1 };
        before = c;
        repeated |= row >= 3 && matches!(c, '!' | '?' | '*' | '~' | '=' | '_' | '-' | '$' | '#');
        sentence |= matches!(c, '.' | '!' | '?');
        percent |= c == '%';
        ornaments |= matches!(c, '|' | '►' | '★' | '✓' | '✔' | '→' | '➡' | '●' | '•' | '»' | '☎' | '✅');
        runs.read(c);
    }
    runs.read(' ');
    found.when(Hand::TitleCase, runs.words >= 5 && runs.title * 10 > runs.words * 4);
    found.when(Hand::AllTitleCase, runs.words >= 4 && runs.title * 4 > runs.words * 3);
    found.when(Hand::ShoutedWords, runs.shouted >= 2);
    found.when(Hand::RepeatedMarks, repeated);
    found.when(Hand::Ornaments, ornaments);
    found.when(Hand::Percent, percent);
    found.when(Hand::NoSentence, english && words >= 8 && !sentence);
    let folded = body.folded.text().trim_end_matches(|c: char| !c.is_alphanumeric() && c != '/');
    let last = folded.rsplit(char::is_whitespace).next().unwrap_or_default();
    found.when(
        Hand::EndsInLink,
        !last.is_empty() && body.links.last().is_some_and(|link| last.contains(link.host.as_str())),
    );
    let tail =
        folded.chars().rev().take_while(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '+'));
    found.when(Hand::EndsInTelephone, tail.filter(char::is_ascii_digit).take(9).count() == 9);
    let clock =
        ["24/7", "24 hours", "24hrs", "per day", "per week", "per month", "a day", "a week", "a month", "within 2"];
    found.when(Hand::RoundTheClock, clock.iter().any(|part| folded.contains(part)));
}

/// Runs of ASCII letters: how many begin with a capital, how many are shouted.
#[derive(Default)]
struct Runs {
    length: usize,
    capitals: usize,
    begins_with_capital: bool,
    words: usize,
    title: usize,
    shouted: usize,
}

impl Runs {
    fn read(&mut self, c: char) {
        if c.is_alphabetic() {
            let capital = c.is_ascii_uppercase();
            self.begins_with_capital |= self.length == 0 && capital;
            self.capitals += usize::from(capital);
            self.length += 1;
        } else if self.length > 0 {
            self.words += 1;
            self.title += usize::from(self.length > 1 && self.begins_with_capital && self.capitals == 1);
            self.shouted += usize::from(self.length > 3 && self.capitals == self.length);
            (self.length, self.capitals, self.begins_with_capital) = (0, 0, false);
        }
    }
}
