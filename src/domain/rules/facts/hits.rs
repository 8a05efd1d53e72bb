//! What one comment holds of a list of words or hosts: in its text, its links, and what its author is called by.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::lists::{Kind, List};
use super::super::types::{Text, Value};
use crate::domain::comment::Comment;
use crate::domain::listed::TooMany;
use crate::domain::normalise::{Mapped, fold_plain, host_of};
use crate::domain::signal::Field;

/// Entries of one list that are told of one comment, and places that are kept.
const HITS_MAX: usize = 200;

/// Where an entry of a list was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::domain::rules) struct ListHit<'a> {
    /// The entry.
    pub entry: &'a str,
    /// In which field; none for a link or a domain, which is no text.
    pub field: Field,
    /// Where, in bytes of the field as sent; empty where it stands in no text.
    pub range: Range<usize>,
}

/// What one comment holds of a list.
#[derive(Debug, Default)]
pub(in crate::domain::rules) struct Hits<'a> {
    /// The first of the places.
    pub places: Vec<ListHit<'a>>,
    /// The entries, each once.
    pub entries: BTreeSet<&'a str>,
    /// Whether one stands in the comment's text.
    pub(super) in_text: bool,
    /// Whether there may be more than was looked at.
    pub(super) is_cut: bool,
}

impl<'a> Hits<'a> {
    /// Looks through a comment for entries of a list.
    pub(super) fn of(list: &'a List, comment: &Comment) -> Self {
        let mut hits = Self::default();
        let author = &comment.sent.author;
        match list.kind() {
            Kind::Words => {
                hits.words(list, &comment.body.folded, Field::Body);
                if let Some(name) = &author.name {
                    hits.words(list, &fold_plain(name), Field::AuthorName);
                }
            }
            Kind::Hosts => {
                for link in &comment.body.links {
                    if let Some(entry) = list.host(&link.host) {
                        hits.add(entry, Field::Body, || link.span.clone());
                    }
                }
                hits.is_cut |= comment.body.links_total > comment.body.links.len();
                let homepage = author.url.as_deref().and_then(host_of);
                if let Some(entry) = homepage.as_deref().and_then(|host| list.host(host)) {
                    hits.add(entry, Field::AuthorUrl, || 0..author.url.as_ref().map_or(0, String::len));
                }
                let domain = author.email.as_deref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
                if let Some(entry) = domain.and_then(host_of).as_deref().and_then(|host| list.host(host)) {
                    hits.add(entry, Field::AuthorEmail, || 0..author.email.as_ref().map_or(0, String::len));
                }
            }
        }
        hits
    }

    fn add(&mut self, entry: &'a str, field: Field, range: impl FnOnce() -> Range<usize>) {
        self.in_text |= field == Field::Body;
        if self.places.len() < HITS_MAX {
            self.places.push(ListHit { entry, field, range: range() });
        }
        if self.entries.len() < HITS_MAX {
            self.entries.insert(entry);
        } else {
            self.is_cut |= !self.entries.contains(entry);
        }
    }

    fn words(&mut self, list: &'a List, folded: &Mapped, field: Field) {
        for found in list.words_in(folded.text()) {
            match found {
                Ok((entry, range)) => self.add(entry, field, || folded.original(range)),
                Err(TooMany) => self.is_cut = true,
            }
        }
    }

    pub(super) fn as_list(&self) -> Value<'a> {
        Value::List(self.entries.iter().map(|entry| Value::Text(Text::Borrowed(entry))).collect())
    }
}
