//! Where a request really comes from, behind proxies.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The client's address: the peer's, or, when the peer is a trusted proxy, the last address of `X-Forwarded-For` that is none, read from right to
/// left; when all are trusted, the first. `None` when a proxy that is not trusted stands between, or a trusted one does not say for whom it
/// asks, or not so that it can be read: then nobody knows.
pub(super) fn address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let forwarded = || request.headers().get_all("x-forwarded-for");
    if !is_trusted(&peer) {
        let proxied = forwarded().next().is_some() || request.headers().contains_key("forwarded");
        return (!proxied).then_some(peer);
    }
    let text: Vec<&str> = forwarded().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    let mut first = None;
    for part in text.iter().flat_map(|value| value.split(',')).rev() {
        let ip = part.trim().parse::<IpAddr>().ok()?.to_canonical();
        if !is_trusted(&ip) {
            return Some(ip);
        }
        first = Some(ip);
    }
    first
}

/// How many requests of people in a row from one address mean that everybody seems to come from it.
const SUSPICIOUS: u32 = 100;

/// Requests after which it is said again.
const SAID_EVERY: u32 = 10_000;

/// Whether everybody seems to come from one address, as behind a proxy that is not trusted: then limits and bans would take all for one.
#[derive(Debug, Default)]
pub struct Addresses(Mutex<Run>);

#[derive(Debug, Default)]
struct Run {
    address: Option<IpAddr>,
    length: u32,
    proxied: bool,
    /// Whether the metrics name it.
    told: bool,
}

/// Requests of people in a row that came through a proxy which is not trusted.
fn untrusted(proxy: IpAddr) -> metrics::Gauge {
    metrics::gauge!("doorward_untrusted_proxy_requests", "address" => proxy.to_string())
}

impl Addresses {
    /// Notes where a request of a person came from. Says so in the log when they come in a row from one address, through a proxy that is not
    /// `trusted`: at the hundredth, and again from time to time.
    pub(super) fn note(&self, request: &HttpRequest, trusted: &[IpNet]) {
        let Some(peer) = request.peer_addr().map(|peer| peer.ip().to_canonical()) else { return };
        let proxied = request.headers().contains_key("x-forwarded-for") || request.headers().contains_key("forwarded");
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if run.address != Some(peer) || run.proxied != proxied {
            if let Some(before) = run.address.filter(|_| run.told) {
                untrusted(before).set(0);
            }
            *run = Run { address: Some(peer), length: 0, proxied, told: false };
        }
        run.length = run.length.saturating_add(1);
        let is_strange = proxied && run.length >= SUSPICIOUS && !trusted.iter().any(|net| net.contains(&peer));
        if is_strange {
            untrusted(peer).set(run.length);
            run.told = true;
        }
        if is_strange && run.length % SAID_EVERY == SUSPICIOUS {
            tracing::warn!(
                "the last 100 requests of people came from 1 address, {peer}, which is a proxy: set server.trusted_proxies"
            );
        }
    }

    /// The proxy that everybody seems to come from, while it is not trusted.
    pub(super) fn suspect(&self, trusted: &[IpNet]) -> Option<IpAddr> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = run.address.filter(|_| run.proxied && run.length >= SUSPICIOUS)?;
        (!trusted.iter().any(|net| net.contains(&address))).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    #[test]
    fn a_proxy_that_everybody_comes_through_is_noticed() {
        let request = |peer: &str, forwarded: bool| {
            let request = TestRequest::default().peer_addr(format!("{peer}:1").parse().expect("an address"));
            let request = if forwarded { request.append_header(("X-Forwarded-For", "203.0.113.9")) } else { request };
            request.to_http_request()
        };
        let addresses = Addresses::default();
        (0..200).for_each(|_| addresses.note(&request("10.0.0.1", false), &[]));
        assert_eq!(addresses.suspect(&[]), None, "one person without a proxy");
        (0..100).for_each(|_| addresses.note(&request("10.0.0.1", true), &[]));
        assert_eq!(addresses.suspect(&[]), Some("10.0.0.1".parse().expect("an address")));
        assert_eq!(addresses.suspect(&["10.0.0.0/8".parse().expect("a network")]), None, "it is trusted");
        addresses.note(&request("10.0.0.2", true), &[]);
        assert_eq!(addresses.suspect(&[]), None);
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let cases: &[(&str, &[&[u8]], Option<&str>)] = &[
            ("203.0.113.9", &[], Some("203.0.113.9")),
            ("203.0.113.9", &[b"127.0.0.1"], None),
            ("10.0.0.1", &[b"198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &[b"127.0.0.1, 198.51.100.7, 10.0.0.2"], Some("198.51.100.7")),
            ("10.0.0.1", &[b"127.0.0.1", b"198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &[b"nonsense"], None),
            ("10.0.0.1", &[], None),
            ("10.0.0.1", &[b""], None),
            ("10.0.0.1", &[b"\xff198.51.100.7"], None),
            ("10.0.0.1", &[b"\xff", b"127.0.0.1"], None),
            ("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
        ];
        for (peer, forwarded, expected) in cases {
            let mut request = TestRequest::default().peer_addr(format!("{peer}:1").parse().expect("an address"));
            for value in *forwarded {
                let value = HeaderValue::from_bytes(value).expect("bytes that a header may hold");
                request = request.append_header(("X-Forwarded-For", value));
            }
            let found = address(&request.to_http_request(), &trusted).map(|ip| ip.to_string());
            let forwarded: Vec<_> = forwarded.iter().map(|value| value.escape_ascii().to_string()).collect();
            assert_eq!(found.as_deref(), *expected, "{peer} {forwarded:?}");
        }
    }
}
