//! Lists of words and hosts that stand in files of their own, one entry a line.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::types::Missing;
use crate::domain::listed::{Hosts, TooMany, Words};
use crate::domain::normalise::{fold_plain, host_of};

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Words and phrases, found on the borders of words in folded text.
    Words,
    /// Hosts, each with everything below it.
    Hosts,
}

/// A list's text, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListText {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// The file's text.
    pub text: String,
}

/// A line of a list that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("list `{list}`, line {line}: {problem}")]
pub struct BadList {
    /// Which list.
    pub list: String,
    /// Which line, from 1.
    pub line: usize,
    /// One clause for the operator.
    pub problem: String,
}

/// Entries that a list may have.
pub const ENTRIES_MAX: usize = 200_000;
/// Bytes that an entry may have.
const ENTRY_BYTES_MAX: usize = 200;

/// A list, ready to be looked for.
#[derive(Debug, Clone)]
pub struct List {
    name: String,
    entries: Vec<Box<str>>,
    found: Found,
}

#[derive(Debug, Clone)]
enum Found {
    Words(Words),
    Hosts(Hosts),
}

impl List {
    fn read(given: &ListText) -> Result<Self, BadList> {
        let bad = |line: usize, problem: String| BadList { list: given.name.clone(), line, problem };
        let text = given.text.strip_prefix('\u{feff}').unwrap_or(&given.text);
        let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
        let lines: Vec<(&str, usize)> = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')).collect();
        if let Some((_, line)) = lines.get(ENTRIES_MAX) {
            return Err(bad(*line, format!("a list has at most {ENTRIES_MAX} entries")));
        }
        if let Some((_, line)) = lines.iter().find(|(entry, _)| entry.len() > ENTRY_BYTES_MAX) {
            return Err(bad(*line, format!("an entry has at most {ENTRY_BYTES_MAX} bytes")));
        }
        let entries: Vec<Box<str>> = lines.iter().map(|(entry, _)| Box::from(*entry)).collect();
        let found = match given.kind {
            Kind::Words => Words::new(&entries).map(Found::Words),
            Kind::Hosts => Hosts::new(&entries).map(Found::Hosts),
        };
        let found = found.map_err(|error| bad(lines.get(error.at).map_or(1, |(_, line)| *line), error.problem))?;
        Ok(Self { name: given.name.clone(), entries, found })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.found {
            Found::Words(_) => Kind::Words,
            Found::Hosts(_) => Kind::Hosts,
        }
    }

    /// How many entries it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing on it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its words that stand in folded text, with where.
    pub(super) fn words_in<'l>(
        &'l self,
        text: &str,
    ) -> impl Iterator<Item = Result<(&'l str, std::ops::Range<usize>), TooMany>> {
        let words = match &self.found {
            Found::Words(words) => Some(words),
            Found::Hosts(_) => None,
        };
        let found = words.into_iter().flat_map(move |words| words.find(text));
        found.filter_map(|found| match found {
            Ok((entry, range)) => Some(Ok((&**self.entries.get(entry)?, range))),
            Err(too_many) => Some(Err(too_many)),
        })
    }

    /// The host on it that `host` is, or lies under.
    pub(super) fn host(&self, host: &str) -> Option<&str> {
        match &self.found {
            Found::Words(_) => None,
            Found::Hosts(hosts) => hosts.find(host),
        }
    }
}

/// Why a list has no answer where not everything was looked at.
pub(super) fn too_many_places() -> Missing {
    Missing::failed("too many places to look at")
}

/// Whether a host is written as hosts are kept, as those of links are.
fn is_plain(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    host.bytes().all(plain) && !host.starts_with("www.")
}

/// All lists, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    lists: Vec<List>,
    digest: Option<[u8; 32]>,
}

impl Lists {
    /// Reads what the files hold.
    ///
    /// # Errors
    /// [`BadList`] with the line: an entry that is too long, empty or no host, or more entries than a list may have.
    pub fn read(mut given: Vec<ListText>) -> Result<Self, BadList> {
        given.sort_by(|a, b| a.name.cmp(&b.name));
        let mut digest = Sha256::new();
        for list in &given {
            for part in [list.name.as_str(), list.text.as_str()] {
                digest.update(part.len().to_le_bytes()); // or what ends here and what begins there could be moved
                digest.update(part);
            }
            digest.update([u8::from(list.kind == Kind::Hosts)]);
        }
        let digest = (!given.is_empty()).then(|| digest.finalize().into());
        let lists = given.iter().map(List::read).collect::<Result<_, _>>()?;
        Ok(Self { lists, digest })
    }

    /// The lists.
    #[must_use]
    pub fn all(&self) -> &[List] {
        &self.lists
    }

    /// Whether a text holds an entry of the list of that number, or is a host on it.
    ///
    /// # Errors
    /// [`Missing`]: none was found where not everything could be looked at.
    pub(super) fn holds(&self, number: u16, text: &str) -> Result<bool, Missing> {
        let Some(list) = self.lists.get(number as usize) else { return Ok(false) };
        match list.kind() {
            Kind::Words => match list.words_in(fold_plain(text).text()).next() {
                Some(Err(TooMany)) => Err(too_many_places()),
                found => Ok(found.is_some()),
            },
            Kind::Hosts if is_plain(text) => Ok(list.host(text).is_some()),
            Kind::Hosts => Ok(host_of(text).is_some_and(|host| list.host(&host).is_some())),
        }
    }

    /// The digest of everything on them; `None` where there are none.
    #[must_use]
    pub const fn digest(&self) -> Option<[u8; 32]> {
        self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(kind: Kind, text: &str) -> Result<Lists, BadList> {
        Lists::read(vec![ListText { name: "it".to_owned(), kind, text: text.to_owned() }])
    }

    #[test]
    fn a_file_is_one_entry_a_line_with_notes_between_them() {
        let lists = list(Kind::Words, "\u{feff}# coins\n\nBitcoin\n  doge coin \r\n").expect("valid");
        let all = &lists.all()[0];
        assert_eq!((all.len(), all.kind()), (2, Kind::Words));
        let found: Vec<&str> = all.words_in("buy bitcoin and doge coin").flatten().map(|(entry, _)| entry).collect();
        assert_eq!(found, ["Bitcoin", "doge coin"]);
        assert!(all.host("bitcoin").is_none());
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_line() {
        for (kind, text, line) in [
            (Kind::Words, "good\n# a note\n*\n", 3),
            (Kind::Hosts, "good.example\nno host\n", 2),
            (Kind::Words, &format!("good\n{}\n", "x".repeat(201)), 2),
        ] {
            let error = list(kind, text).expect_err(text);
            assert_eq!((error.list.as_str(), error.line), ("it", line), "{error}");
        }
    }

    #[test]
    fn the_digest_changes_with_whatever_is_on_a_list() {
        let digest = |kind, text| list(kind, text).expect("valid").digest();
        let one = digest(Kind::Words, "a.example");
        assert!(one.is_some() && one == digest(Kind::Words, "a.example"));
        assert!(one != digest(Kind::Words, "b.example") && one != digest(Kind::Hosts, "a.example"));
        assert_eq!(Lists::default().digest(), None);
    }
}
