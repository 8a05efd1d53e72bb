//! Where a request really comes from, behind proxies.

use std::net::IpAddr;

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The client's address: the peer's, or, when the peer is a trusted proxy, the last address of `X-Forwarded-For` that is none, read from right to
/// left. `None` when a proxy that is not trusted stands between: then nobody knows.
pub(super) fn address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let forwarded = || request.headers().get_all("x-forwarded-for");
    if !is_trusted(&peer) {
        let proxied = forwarded().next().is_some() || request.headers().contains_key("forwarded");
        return (!proxied).then_some(peer);
    }
    let text: Vec<&str> = forwarded().filter_map(|value| value.to_str().ok()).collect();
    for part in text.iter().flat_map(|value| value.split(',')).rev() {
        let ip: IpAddr = part.trim().parse().ok()?;
        if !is_trusted(&ip.to_canonical()) {
            return Some(ip.to_canonical());
        }
    }
    Some(peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let cases: &[(&str, &[&str], Option<&str>)] = &[
            ("203.0.113.9", &[], Some("203.0.113.9")),
            ("203.0.113.9", &["127.0.0.1"], None),
            ("10.0.0.1", &["198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["127.0.0.1, 198.51.100.7, 10.0.0.2"], Some("198.51.100.7")),
            ("10.0.0.1", &["127.0.0.1", "198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["nonsense"], None),
            ("10.0.0.1", &[], Some("10.0.0.1")),
        ];
        for (peer, forwarded, expected) in cases {
            let mut request = TestRequest::default().peer_addr(format!("{peer}:1").parse().expect("an address"));
            for value in *forwarded {
                request = request.append_header(("X-Forwarded-For", *value));
            }
            let found = address(&request.to_http_request(), &trusted).map(|ip| ip.to_string());
            assert_eq!(found.as_deref(), *expected, "{peer} {forwarded:?}");
        }
    }
}
