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
    /// For each entry whether it is a beginning only.
    prefixes: Vec<bool>,
}

/// There were more places than are looked at: what else the text holds is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Places looked at in one text, so that a text made of nothing but listed words costs no more than a long one.
const MOST: usize = 10_000;

impl Words {
    /// Folds the entries as texts are folded.
    ///
    /// # Errors
    /// [`BadEntry`]: an empty one, or more than the automaton can hold.
    pub fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, BadEntry> {
        let (mut patterns, mut prefixes) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        for (at, entry) in entries.iter().enumerate() {
            let entry = entry.as_ref();
            let folded = fold_plain(entry.trim().trim_end_matches('*'));
            if folded.text().trim().is_empty() {
                return Err(BadEntry { at, problem: format!("the entry `{entry}` is empty") });
            }
            prefixes.push(entry.trim().ends_with('*'));
            patterns.push(folded.text().trim().to_owned());
        }
        let automaton = AhoCorasick::new(&patterns)
            .map_err(|error| BadEntry { at: entries.len().saturating_sub(1), problem: error.to_string() })?;
        Ok(Self { automaton, prefixes })
    }

    /// The entries that stand in folded text, with where; one may be found several times. Where places are left, the last thing said is
    /// [`TooMany`].
    pub fn find(&self, text: &str) -> impl Iterator<Item = Result<(usize, Range<usize>), TooMany>> {
        self.automaton.find_overlapping_iter(text).take(MOST + 1).enumerate().filter_map(move |(number, hit)| {
            if number == MOST {
                return Some(Err(TooMany));
            }
            let entry = hit.pattern().as_usize();
            let (before, found, after) = (&text[..hit.start()], &text[hit.start()..hit.end()], &text[hit.end()..]);
            let starts = is_boundary(before.chars().next_back(), found.chars().next());
            let ends = self.prefixes[entry] || is_boundary(found.chars().next_back(), after.chars().next());
            (starts && ends).then(|| Ok((entry, hit.range())))
        })
    }
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
    fn hosts_bring_everything_below_them_and_nothing_that_only_ends_alike() {
        let hosts = Hosts::new(&["https://Bad.example/x"]).expect("valid");
        assert_eq!(hosts.find("a.b.bad.example"), Some("bad.example"));
        assert_eq!((hosts.find("notbad.example"), hosts.find("example")), (None, None));
    }
}
