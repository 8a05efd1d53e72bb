//! What older comments keep of addresses: hashes under a key that is replaced from time to time; and what was written about them, without any. The
//! same on every engine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use hmac::Mac as _;

use super::appealed::Words;
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
    clean(&mut verdict);
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

/// What was answered to an appeal, and the verdict that it was against, without addresses; `None` when there are none in it. What the author said stays
/// as they said it.
pub(super) fn appeal_without_addresses(words: &Words) -> Option<Words> {
    let answer = words.answer.as_deref().and_then(without_address);
    if answer.is_none() && !sentences(&words.verdict).any(names_address) {
        return None;
    }
    let mut words = words.clone();
    clean(&mut words.verdict);
    words.answer = answer.or(words.answer);
    Some(words)
}

fn clean(verdict: &mut Verdict) {
    for sentence in sentences_mut(verdict) {
        if let Some(without) = without_address(sentence) {
            *sentence = without;
        }
    }
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
    !places(text).is_empty()
}

/// The text with every address in it taken out; `None` when there is none. Sentences are about whoever wrote the comment, so that any address in them
/// is taken for one of theirs.
pub(super) fn without_address(text: &str) -> Option<String> {
    let mut without = String::new();
    let mut from = 0;
    for place in places(text) {
        without.push_str(&text[from..place.start]);
        without.push_str(GONE);
        from = place.end;
    }
    if from == 0 {
        return None;
    }
    without.push_str(&text[from..]);
    Some(without)
}

/// Where addresses stand in a text, in order, whatever they are glued to. What could be an address and something else is taken for an address: a word
/// too few in an old sentence is no loss.
fn places(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    mail_addresses(text, &mut found);
    new_addresses(text, &mut found);
    old_addresses(text, &mut found);
    found.sort_unstable_by_key(|place| place.start);
    found.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
    found
}

/// `ann@mail.example`, but not the `ann@` of a link, and no `package@18.2.0`.
fn mail_addresses(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices('@') {
        let is_in_name = |c: char| c.is_alphanumeric() || "._%+-'&~".contains(c);
        let name = text[..at].rsplit(|c| !is_in_name(c)).next().unwrap_or_default();
        let name = name.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '+');
        let is_in_host = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
        let host = text[at + 1..].split(|c| !is_in_host(c)).next().unwrap_or_default();
        let host = host.split("..").next().unwrap_or_default().trim_end_matches(['.', '-']);
        let begin = at - name.len();
        if !name.is_empty() && is_host(host) && !text[..begin].ends_with("//") {
            found.push(begin..at + 1 + host.len());
        }
    }
}

/// Whether mail can go there: a name of several parts whose last is one of letters, or a network address.
fn is_host(host: &str) -> bool {
    let Some((rest, last)) = host.rsplit_once('.') else { return false };
    let is_top = last.chars().count() > 1 && (last.chars().all(char::is_alphabetic) || last.starts_with("xn--"));
    (is_top && !rest.starts_with('.') && !rest.is_empty()) || host.parse::<Ipv4Addr>().is_ok()
}

/// `203.0.113.7`, with its port or with the size of its network; but no `1.2.3.4.5`, no `v1.2.3.4`, and not the host of a link, which is what a comment
/// leads to.
fn old_addresses(text: &str, found: &mut Vec<Range<usize>>) {
    /// Longer than any.
    const LONGEST: usize = 15;
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(begin) = bytes[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) {
        let run = bytes[begin..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        from = begin + run;
        let (before, run) = (&text[..begin], text[begin..from].trim_end_matches('.'));
        let is_version =
            before.strip_suffix(['v', 'V']).is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric()));
        if run.len() <= LONGEST && run.parse::<Ipv4Addr>().is_ok() && !is_version && !before.ends_with("//") {
            let end = begin + run.len();
            let after = &text[end..];
            let size = number_after(after, '/', 32).or_else(|| number_after(after, ':', u32::from(u16::MAX)));
            found.push(begin..end + size.unwrap_or(0));
        }
    }
}

/// `2001:db8::1`, with the size of its network. Of all that can be read as one only what may be somebody's: `::`, `::1`, `abc::def` and times are not.
fn new_addresses(text: &str, found: &mut Vec<Range<usize>>) {
    /// As long as any.
    const LONGEST: usize = 45;
    let bytes = text.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':' || *byte == b'.';
    let mut from = 0;
    while from < bytes.len() {
        if !may_begin(&bytes[from..]) {
            from += 1;
            continue;
        }
        let run = bytes[from..].iter().take(LONGEST).take_while(|byte| is_part(byte)).count();
        // What follows may be glued to it, or be the end of its sentence.
        let length = (2..=run).rev().find(|length| {
            text[from..from + length].parse::<Ipv6Addr>().is_ok_and(|address| may_be_somebodys(&address))
        });
        let Some(length) = length else {
            from += 1;
            continue;
        };
        let end = from + length;
        found.push(from..end + number_after(&text[end..], '/', 128).unwrap_or(0));
        from = end;
    }
}

/// Whether one that may be somebody's can begin so: all those do with four digits, but for two ways to write an older address.
fn may_begin(bytes: &[u8]) -> bool {
    let written = |with: &[u8]| bytes.len() > with.len() && bytes[..with.len()].eq_ignore_ascii_case(with);
    match bytes {
        [b'2' | b'3' | b'f' | b'F', b, c, d, b':', ..] => [b, c, d].iter().all(|byte| byte.is_ascii_hexdigit()),
        _ => written(b"::ffff:") || written(b"64:ff9b::"),
    }
}

/// Addresses that machines have in the internet or in their own network.
fn may_be_somebodys(address: &Ipv6Addr) -> bool {
    let first = address.segments()[0];
    (first & 0xe000) == 0x2000
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some()
        || first == 0x64
}

/// How long a number up to `most` is that follows, with the sign before it; none where more follows, as of another address.
fn number_after(text: &str, sign: char, most: u32) -> Option<usize> {
    let after = text.strip_prefix(sign)?;
    let (digits, rest) = after.split_at(after.bytes().take_while(u8::is_ascii_digit).count());
    if rest.starts_with(char::is_alphanumeric)
        || rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        return None;
    }
    digits.parse::<u32>().ok().filter(|number| *number <= most).map(|_| sign.len_utf8() + digits.len())
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
            // Glued to what stands before and after.
            ("IP:1.2.3.4", "IP:[address]"),
            ("IP1.2.3.4und weiter", "IP[address]und weiter"),
            ("ip/1.2.3.4/5.6.7.8;9.10.11.12", "ip/[address]/[address];[address]"),
            ("1.2.3.4-5.6.7.8…9.10.11.12...", "[address]-[address]…[address]..."),
            ("1.2.3.4_1.2.3.5(1.2.3.6)", "[address]_[address]([address])"),
            ("4.3.2.1.pool.example", "[address].pool.example"),
            ("from 1.2.3.4:8080/x", "from [address]/x"),
            ("1.2.3.4/99 and 1.2.3.4:99999", "[address]/99 and [address]:99999"),
            ("IPv6:2001:DB8:0:0:1::7,", "IPv6:[address],"),
            ("IP2001:db8::1und fe80::1%eth0", "IP[address]und [address]%eth0"),
            ("cafe2001:db8::1, node:2001:db8::1.", "cafe[address], node:[address]."),
            ("2001:db8::1.Then more", "[address].Then more"),
            ("::ffff:203.0.113.7 is 64:ff9b::cb00:7107", "[address] is [address]"),
            ("fd12:3456:789a:1::1/64", "[address]"),
            ("mailto:ann@mail.example?subject=x", "mailto:[address]?subject=x"),
            ("e-mail=ann@mail.example;o'neill@mail.example", "e-mail=[address];[address]"),
            ("@ann@mail.example, 'ann@mail.example'", "@[address], '[address]'"),
            ("write to ann@203.0.113.7.", "write to [address]."),
            ("(ann@mail.example)…bob@xn--l-0ga.xn--p1ai!", "([address])…[address]!"),
        ] {
            assert_eq!(without_address(sentence).as_deref(), Some(without));
            assert!(names_address(sentence) && !names_address(without), "{without}");
            assert_eq!(without_address(without), None, "again changes nothing");
        }
        for sentence in [
            "12 comments by this author within ten minutes.",
            "links to 3 hosts, allowed 2",
            "posted at 10:05:30, version 1.2.3, 4 of 10; see :: and std::mem?",
            "at 2026-11-29T10:05:30Z, 2026:11:29 10:05:30, 10::05",
            "version 1.2.3.4.5, v1.2.3.4, V10.0.0.1 and 300.1.2.3; 1..2.3.4; 01.02.03.04",
            "a::b, ::, ::1, abc::def, face::feed, 0::0, ::b, fade::1, de:ad:be:ef:00:01",
            "2001:db8 and 2001: a number",
            "@ann wrote to @ben, ann@host, react@18.2.0, node@18.x, x@1.0.rc1, a@.b, @@",
            "https://ann@mail.example/path and http://203.0.113.7/path",
            "...",
            "",
        ] {
            assert_eq!(without_address(sentence), None, "{sentence}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_left_names_nobody(text: String, ip: std::net::Ipv4Addr) {
            let _ = without_address(&text);
            let without = without_address(&format!("{text} {ip} {text}"));
            proptest::prop_assert!(without.is_some_and(|without| without_address(&without).is_none()));
        }
    }
}
