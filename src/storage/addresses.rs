//! What older comments keep of addresses: hashes under a key that is replaced from time to time. The same on every engine.

use std::net::IpAddr;

use hmac::Mac as _;

use super::codec::Content;
use super::derived::mac;
use crate::domain::comment::{Author, NewComment};

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

/// Whether it holds what is replaced or forgotten: addresses, and what the browser said of itself and of where it came from.
pub(super) const fn has_addresses(content: &Content) -> bool {
    let (comment, author) = (&content.comment, &content.comment.author);
    author.ip.is_some() || author.email.is_some() || author.user_agent.is_some() || comment.referrer.is_some()
}

pub(super) fn without_addresses(content: Content) -> Content {
    let author = Author { ip: None, email: None, user_agent: None, ..content.comment.author };
    Content { comment: NewComment { author, referrer: None, ..content.comment }, ..content }
}
