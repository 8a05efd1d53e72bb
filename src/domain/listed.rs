//! Words and hosts that an operator lists: found in folded text on the borders of words, and among hosts with everything below them.

use std::collections::HashSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::normalise::{fold_plain, host_of, is_unspaced};

/// An entry that cannot be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadEntry {
    /// Its place in what was given, from 0.
    pub at: usize,
    /// One clause for the operator.
    pub problem: String,
}

/// Words and phrases. One that ends in `*` is the beginning of words.
#[derive(Debug, Clone)]
pub struct Words {
    automaton: AhoCorasick,
    /// What the automaton looks for, in its order, padding left out.
    listed: Vec<Listed>,
    /// Patterns that stand before those, and are found in no text.
    padding: usize,
}

/// One of the patterns that are looked for.
#[derive(Debug, Clone, Copy)]
struct Listed {
    /// The first entry that says this.
    entry: usize,
    /// Whether it is a beginning only.
    is_prefix: bool,
}

/// There were more places than are looked at: what else the text holds is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Places looked at in one text, so that a text made of nothing but listed words costs no more than a long one.
const MOST: usize = 10_000;

/// Bytes of all entries, times how many of them end in one another: the automaton notes at each of its states every entry that ends there, and has no
/// more notes than that. Words and phrases end in few others; of two hundred thousand that end in `a`, `aa`, `aaa` and so on the notes would fill the
/// memory.
const ENDS_MAX: usize = 1 << 28;

/// Entries up to which there is no padding: what it saves is a few milliseconds there, and it costs a class of bytes more.
const UNPADDED: usize = 1_000;

/// Bytes of entries for one of padding.
const PADDING: usize = 64;

/// Stands in no UTF-8, so nothing that holds it is found in a text.
const NEVER: u8 = 0xff;

impl Words {
    /// Folds the entries as texts are folded. Of those that fold to the same the first is kept.
    ///
    /// # Errors
    /// [`BadEntry`]: an empty one, too many that end in one another, or more than the automaton can hold.
    pub fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, BadEntry> {
        let (mut patterns, mut listed) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        let mut known: HashSet<(Box<str>, bool)> = HashSet::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let entry = entry.as_ref();
            let folded = fold_plain(entry.trim().trim_end_matches('*'));
            let pattern: Box<str> = Box::from(folded.text().trim());
            if pattern.is_empty() {
                return Err(BadEntry { at, problem: format!("the entry `{entry}` is empty") });
            }
            let is_prefix = entry.trim().ends_with('*');
            if known.insert((pattern.clone(), is_prefix)) {
                listed.push(Listed { entry: at, is_prefix });
                patterns.push(pattern);
            }
        }
        drop(known);
        let bytes: usize = patterns.iter().map(|pattern| pattern.len()).sum();
        if let Some((last, depth)) = most_in_one_another(&patterns)
            && bytes.saturating_mul(depth) > ENDS_MAX
        {
            let problem = format!(
                "`{}` and the entries that it ends in are {depth}, too many for so long a list",
                patterns[last]
            );
            return Err(BadEntry { at: listed[last].entry, problem });
        }
        let padding = padding(patterns.len(), bytes);
        let all = padding.as_deref().into_iter().chain(patterns.iter().map(|pattern| pattern.as_bytes()));
        let automaton = AhoCorasick::new(all)
            .map_err(|error| BadEntry { at: entries.len().saturating_sub(1), problem: error.to_string() })?;
        Ok(Self { automaton, listed, padding: usize::from(padding.is_some()) })
    }

    /// The entries that stand in folded text, with where; one may be found several times. Where places are left, the last thing said is
    /// [`TooMany`].
    pub fn find(&self, text: &str) -> impl Iterator<Item = Result<(usize, Range<usize>), TooMany>> {
        self.automaton.find_overlapping_iter(text).take(MOST + 1).enumerate().filter_map(move |(number, hit)| {
            if number == MOST {
                return Some(Err(TooMany));
            }
            let Listed { entry, is_prefix } = *self.listed.get(hit.pattern().as_usize().checked_sub(self.padding)?)?;
            let (before, found, after) = (&text[..hit.start()], &text[hit.start()..hit.end()], &text[hit.end()..]);
            let starts = is_boundary(before.chars().next_back(), found.chars().next());
            let ends = is_prefix || is_boundary(found.chars().next_back(), after.chars().next());
            (starts && ends).then(|| Ok((entry, hit.range())))
        })
    }
}

/// What goes into the automaton before a long list.
///
/// When it is built, it moves its states so that those at which an entry ends come first: each of these in turn changes places with the first of the
/// others, as many places back as there are others so far. Then it follows each state through all its moves (`Remapper::remap` of aho-corasick
/// 1.1.5), so that states which moved many times in one round cost their number squared: `w0`, `w1` and so on to `w199999`, of which nearly every
/// state ends an entry, took more than a minute. One pattern of n bytes at the front puts n states before all of them at which nothing ends: each move
/// then goes n places back or more, and no round has more than all states divided by n.
fn padding(patterns: usize, bytes: usize) -> Option<Vec<u8>> {
    (patterns > UNPADDED).then(|| vec![NEVER; bytes / PADDING + 1])
}

/// The pattern that ends in most others, with how many these are, itself counted. At no place of a text do more than these end.
fn most_in_one_another(patterns: &[Box<str>]) -> Option<(usize, usize)> {
    let backwards = |at: usize| patterns[at].bytes().rev();
    let mut order: Vec<usize> = (0..patterns.len()).collect();
    order.sort_unstable_by(|a, b| backwards(*a).cmp(backwards(*b)));
    // Read backwards, whatever a pattern ends in comes before it, with nothing in between but what ends in that, too.
    let mut within: Vec<usize> = Vec::new();
    let mut most: Option<(usize, usize)> = None;
    for at in order {
        while within.last().is_some_and(|last| !patterns[at].ends_with(&*patterns[*last])) {
            within.pop();
        }
        within.push(at);
        if most.is_none_or(|(_, depth)| within.len() > depth) {
            most = Some((at, within.len()));
        }
    }
    most
}

/// Hosts, each with everything below it.
#[derive(Debug, Clone, Default)]
pub struct Hosts(HashSet<Box<str>>);

impl Hosts {
    /// Reads the entries as addresses are read.
    ///
    /// # Errors
    /// [`BadEntry`]: one that is no host.
    pub fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, BadEntry> {
        let host = |(at, entry): (usize, &T)| {
            let entry = entry.as_ref();
            let host = host_of(entry.trim());
            host.map(String::into_boxed_str).ok_or_else(|| BadEntry { at, problem: format!("`{entry}` is no host") })
        };
        entries.iter().enumerate().map(host).collect::<Result<_, _>>().map(Self)
    }

    /// The listed host that `host` is, or lies under.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<&str> {
        let mut rest = host;
        loop {
            if let Some(listed) = self.0.get(rest) {
                return Some(listed);
            }
            rest = rest.split_once('.')?.1;
        }
    }
}

/// Whether a word may end between the two characters: one of them is no letter, or belongs to a script that writes without blanks.
fn is_boundary(before: Option<char>, after: Option<char>) -> bool {
    let ends_here = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() || is_unspaced(c));
    ends_here(before) || ends_here(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_cannot_be_looked_for_is_named_with_its_place() {
        assert_eq!(Words::new(&["good", " * "]).expect_err("empty").at, 1);
        assert_eq!(Hosts::new(&["good.example", "no host"]).expect_err("no host").at, 1);
    }

    #[test]
    fn a_text_with_more_places_than_are_looked_at_says_so_whatever_stands_behind_them() {
        let words = Words::new(&["an", "bad"]).expect("valid");
        let few = format!("{} bad", "banana".repeat(MOST / 2 - 1));
        assert_eq!(words.find(&few).map(|found| found.map(|(entry, _)| entry)).collect::<Vec<_>>(), [Ok(1)]);
        let many = format!("{} bad", "banana".repeat(MOST));
        assert_eq!(words.find(&many).collect::<Vec<_>>(), [Err(TooMany)]);
    }

    #[test]
    fn of_entries_that_fold_to_the_same_the_first_is_found_and_a_beginning_is_another() {
        let words = Words::new(&["Bad", "bad ", "b\u{200b}ad", "bad*", "BAD*"]).expect("valid");
        let found: Vec<usize> = words.find("bad").flatten().map(|(entry, _)| entry).collect();
        assert_eq!(found, [0, 3]);
        let found: Vec<usize> = words.find("badly").flatten().map(|(entry, _)| entry).collect();
        assert_eq!(found, [3]);
    }

    #[test]
    fn two_hundred_thousand_entries_are_built_and_found_whether_they_are_the_same_or_begin_alike() {
        let words = Words::new(&vec!["same"; 200_000]).expect("valid");
        assert_eq!(words.find("the same").collect::<Vec<_>>(), [Ok((0, 4..8))]);
        let entries: Vec<String> = (0..200_000).map(|number| format!("w{number}*")).collect();
        let words = Words::new(&entries).expect("valid");
        let found: Vec<(usize, Range<usize>)> = words.find("xw1 w1999990, w200000").flatten().collect();
        let expected = [(1, 4..6), (19, 4..7), (199, 4..8), (1_999, 4..9), (19_999, 4..10), (199_999, 4..11)];
        let later = [(2, 14..16), (20, 14..17), (200, 14..18), (2_000, 14..19), (20_000, 14..20)];
        assert_eq!(found, [&expected[..], &later[..]].concat());
    }

    #[test]
    fn a_long_list_finds_what_a_short_one_does() {
        let entries: Vec<String> = (0..=UNPADDED).map(|number| format!("word{number}")).collect();
        let long = Words::new(&entries).expect("valid");
        let short = Words::new(&entries[..UNPADDED]).expect("valid");
        assert_eq!((short.padding, long.padding), (0, 1));
        let text = "word7 word77, word777 sword7 word7777";
        assert_eq!(long.find(text).collect::<Vec<_>>(), short.find(text).collect::<Vec<_>>());
        assert_eq!(long.find(text).count(), 3);
    }

    #[test]
    fn entries_that_end_in_one_another_are_counted_and_a_long_list_of_them_is_refused() {
        let boxed = |words: &[&str]| words.iter().map(|word| Box::from(*word)).collect::<Vec<Box<str>>>();
        let cases: &[(&[&str], Option<(usize, usize)>)] = &[
            (&[], None),
            (&["loan"], Some((0, 1))),
            (&["payday loan", "loan", "best payday loan", "an", "ban"], Some((2, 4))),
        ];
        for (words, most) in cases {
            assert_eq!(most_in_one_another(&boxed(words)), *most, "{words:?}");
        }
        let nested = (1..=190).map(|count| "a".repeat(count));
        let entries: Vec<String> =
            nested.chain((0..10_000).map(|number| format!("{number:05}{}", "a".repeat(190)))).collect();
        let refused = Words::new(&entries).expect_err("it would fill the memory");
        assert!((190..10_190).contains(&refused.at) && refused.problem.contains("are 191, too many"), "{refused:?}");
    }

    #[test]
    fn hosts_bring_everything_below_them_and_nothing_that_only_ends_alike() {
        let hosts = Hosts::new(&["https://Bad.example/x"]).expect("valid");
        assert_eq!(hosts.find("a.b.bad.example"), Some("bad.example"));
        assert_eq!((hosts.find("notbad.example"), hosts.find("example")), (None, None));
    }
}
