//! What older comments keep of addresses: hashes under a key that is replaced from time to time; and what was written about them, without any. The
//! same on every engine.

use std::net::{IpAddr, SocketAddr};

use hmac::Mac as _;

use super::codec::{Content, RulingText};
use super::derived::mac;
use crate::domain::comment::{Author, NewComment};
use crate::domain::decision::Verdict;
use crate::domain::signal::Outcome;
use crate::domain::store::StoreError;

/// What stands where an address stood in a sentence.
const GONE: &str = "[address]";

/// What stands for an author's addresses, sixteen bytes each.
pub(super) struct Pseudonym {
    pub ip: Option<Vec<u8>>,
    pub network: Option<Vec<u8>>,
    pub email: Option<Vec<u8>>,
}

impl Pseudonym {
    /// Under `key`; `None` where there is no address.
    pub(super) fn of(author: &Author, key: &[u8; 32]) -> Option<Self> {
        if author.ip.is_none() && author.email.is_none() {
            return None;
        }
        let network =
            |ip: IpAddr| ipnet::IpNet::new(ip, if ip.is_ipv4() { 24 } else { 48 }).map(|net| net.trunc().to_string());
        Some(Self {
            ip: author.ip.map(|ip| hash(key, "ip", &ip.to_string())),
            network: author.ip.and_then(|ip| network(ip).ok()).map(|network| hash(key, "network", &network)),
            email: author.email.as_deref().map(|email| hash(key, "email", &email.to_lowercase())),
        })
    }
}

/// What stands for somebody who was known by address alone: the fingerprint of an address can be found by trying them all.
pub(super) fn stranger(author: u64, key: &[u8; 32]) -> u64 {
    u64::from_le_bytes(hash(key, "author", &author.to_string())[..8].try_into().unwrap_or_default())
}

fn hash(key: &[u8; 32], kind: &str, text: &str) -> Vec<u8> {
    mac(key).chain_update(kind).chain_update([0]).chain_update(text).finalize().into_bytes()[..16].to_vec()
}

/// A key that nobody has: what is hashed under it can be compared with nothing.
pub(super) fn nobodys_key() -> Result<[u8; 32], StoreError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    Ok(key)
}

/// Whether it holds what is replaced or forgotten: addresses, and what the browser said of itself and of where it came from.
pub(super) fn has_addresses(content: &Content) -> bool {
    let (comment, author) = (&content.comment, &content.comment.author);
    author.ip.is_some()
        || author.email.is_some()
        || author.user_agent.is_some()
        || comment.referrer.is_some()
        || sentences(&content.verdict).any(names_address)
}

pub(super) fn without_addresses(content: Content) -> Content {
    let author = Author { ip: None, email: None, user_agent: None, ..content.comment.author };
    let mut verdict = content.verdict;
    for sentence in sentences_mut(&mut verdict) {
        if let Some(without) = without_address(sentence) {
            *sentence = without;
        }
    }
    Content { comment: NewComment { author, referrer: None, ..content.comment }, verdict, ..content }
}

/// What a person wrote of a decision, without addresses; `None` when there are none in it.
pub(super) fn ruling_without_addresses(ruling: &RulingText) -> Option<RulingText> {
    let without = |text: &Option<String>| text.as_deref().and_then(without_address);
    let (reason, note) = (without(&ruling.reason), without(&ruling.note));
    if reason.is_none() && note.is_none() {
        return None;
    }
    Some(RulingText {
        reason: reason.or_else(|| ruling.reason.clone()),
        note: note.or_else(|| ruling.note.clone()),
        ..ruling.clone()
    })
}

/// Everything in a verdict that somebody reads: a list that names a network is quoted there, and so is the cause of a sanction.
fn sentences(verdict: &Verdict) -> impl Iterator<Item = &str> {
    let signals = verdict.signals.iter().filter_map(|signal| match &signal.outcome {
        Outcome::Hit { evidence, .. } => Some(evidence.as_str()),
        Outcome::Unavailable { why } => Some(why.as_str()),
        Outcome::Clear | Outcome::NotApplicable => None,
    });
    let adjustments = verdict.adjustments.iter().map(|adjustment| adjustment.text.as_str());
    signals.chain(adjustments).chain(verdict.causes.iter().map(|cause| cause.text.as_str()))
}

fn sentences_mut(verdict: &mut Verdict) -> impl Iterator<Item = &mut String> {
    let signals = verdict.signals.iter_mut().filter_map(|signal| match &mut signal.outcome {
        Outcome::Hit { evidence, .. } => Some(evidence),
        Outcome::Unavailable { why } => Some(why),
        Outcome::Clear | Outcome::NotApplicable => None,
    });
    let adjustments = verdict.adjustments.iter_mut().map(|adjustment| &mut adjustment.text);
    signals.chain(adjustments).chain(verdict.causes.iter_mut().map(|cause| &mut cause.text))
}

fn names_address(text: &str) -> bool {
    words(text).any(|(_, word)| is_address(word))
}

/// The text with every address in it taken out; `None` when there is none. Sentences are about whoever wrote the comment, so that any address in them
/// is taken for one of theirs.
pub(super) fn without_address(text: &str) -> Option<String> {
    let mut without = String::new();
    let mut from = 0;
    for (at, word) in words(text) {
        if is_address(word) {
            without.push_str(&text[from..at]);
            without.push_str(GONE);
            from = at + word.len();
        }
    }
    if from == 0 {
        return None;
    }
    without.push_str(&text[from..]);
    Some(without)
}

/// What stands between spaces, quotes and brackets, without the punctuation around it; each with where it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c: char| c.is_whitespace() || "\"'`<>()[]{},;|=“”„‘’«»".contains(c);
    text.split(ends).filter_map(move |word| {
        let at = word.as_ptr().addr() - text.as_ptr().addr();
        let begun = word.trim_start_matches(['.', '!', '?']);
        let trimmed = begun.trim_end_matches(['.', '!', '?', ':']);
        // `2001:db8::` ends with what a sentence may end with.
        let whole = if begun.parse::<IpAddr>().is_ok() { begun } else { trimmed };
        (!whole.is_empty()).then_some((at + (word.len() - begun.len()), whole))
    })
}

fn is_address(word: &str) -> bool {
    if let Some((name, host)) = word.rsplit_once('@') {
        return !name.is_empty()
            && host.contains('.')
            && !word.contains('/')
            && host.chars().all(|c| c.is_alphanumeric() || ".-".contains(c));
    }
    word.contains(|c: char| c.is_ascii_hexdigit())
        && (word.parse::<IpAddr>().is_ok()
            || word.parse::<ipnet::IpNet>().is_ok()
            || word.parse::<SocketAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_sentences_and_nothing_else_is() {
        for (sentence, without) in [
            (
                "Sanction: ban of a network (/24): spam from 203.0.113.7.",
                "Sanction: ban of a network (/24): spam from [address].",
            ),
            ("On the list: `203.0.113.0/24`, `2001:db8::/48`.", "On the list: `[address]`, `[address]`."),
            (
                "Again [2001:db8::1], \"2001:db8::\" and 203.0.113.7:443!",
                "Again [[address]], \"[address]\" and [address]!",
            ),
            ("Ann.Other+x@mail.example: same as „ann@mail.example“", "[address]: same as „[address]“"),
            ("author.ip=203.0.113.7", "author.ip=[address]"),
            ("ärgerlich: öl@öl.example", "ärgerlich: [address]"),
        ] {
            assert_eq!(without_address(sentence).as_deref(), Some(without));
            assert!(names_address(sentence) && !names_address(without));
            assert_eq!(without_address(without), None, "again changes nothing");
        }
        for sentence in [
            "12 comments by this author within ten minutes.",
            "links to 3 hosts, allowed 2",
            "posted at 10:05:30, version 1.2.3, 4 of 10; see :: and std::mem?",
            "@ann wrote to @ben",
            "https://ann@mail.example/path",
            "",
        ] {
            assert_eq!(without_address(sentence), None, "{sentence}");
        }
    }
}
