//! Which addresses are connected to: public ones, and those that the operator allows in `webhooks.allow_hosts`.
//!
//! Whoever may set a webhook's address could otherwise make this service speak to what only it can reach: metadata services of clouds,
//! databases on the same machine, neighbours behind the same firewall. A name is judged by what it resolves to at the moment of connecting, and
//! the addresses that were judged are the ones that are connected to; so it gains nothing by resolving to something else later.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Nothing is sent there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} leads to {what}, to which webhooks go only when `webhooks.allow_hosts` names it")]
pub struct Forbidden {
    /// The host as it stands in the address.
    host: String,
    /// The address and what it is.
    what: String,
}

/// An entry of `webhooks.allow_hosts` that allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("webhooks.allow_hosts: `{0}` is no host name, address or network")]
pub struct BadHost(String);

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    names: HashSet<String>,
    networks: Vec<IpNet>,
}

impl Guard {
    /// Public addresses, and `allowed`: names (whatever they resolve to), addresses and networks (whatever name leads there).
    ///
    /// # Errors
    /// [`BadHost`].
    pub fn new(allowed: &[String]) -> Result<Self, BadHost> {
        let mut guard = Self::default();
        for entry in allowed {
            let text = entry.trim();
            if let Ok(network) = text.parse::<IpNet>() {
                guard.networks.push(network);
            } else if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
                guard.networks.push(address.into());
            } else {
                match Host::parse(text) {
                    Ok(Host::Domain(name)) if !text.is_empty() => guard.names.insert(plain(&name)),
                    _ => return Err(BadHost(entry.clone())),
                };
            }
        }
        Ok(guard)
    }

    /// Whether an address that names its host by number may be connected to. Names are judged when they are resolved.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        // The parser has already read decimal, octal, hexadecimal, short and full-width forms as the number that they mean.
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(&address.to_string(), address.into()),
            Some(Host::Ipv6(address)) => self.check_address(&format!("[{address}]"), address.into()),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(Forbidden { host: "the address".to_owned(), what: "no host".to_owned() }),
        }
    }

    /// Whether `address`, to which `host` leads, may be connected to.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        let Some(kind) = not_public(address) else { return Ok(()) };
        let same = [Some(address), embedded(address).map(IpAddr::V4)];
        let allowed = |address: &IpAddr| self.networks.iter().any(|network| network.contains(address));
        if self.names.contains(&plain(host)) || same.iter().flatten().any(allowed) {
            return Ok(());
        }
        let what = if host.trim_matches(['[', ']']) == address.to_string() {
            kind.to_owned()
        } else {
            format!("{address}, {kind}")
        };
        Err(Forbidden { host: host.to_owned(), what })
    }
}

/// A name as it is compared: without the dot at its end, in lower case.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// IPv4 networks that are not the public internet (IANA's registry of special purposes).
const NOT_PUBLIC_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "no address of a host (0.0.0.0/8)"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "an address of a carrier's own network"),
    (v4(127, 0, 0, 0, 8), "this machine itself"),
    (v4(169, 254, 0, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "a reserved address"),
    (v4(192, 0, 2, 0, 24), "an address for documentation"),
    (v4(192, 88, 99, 0, 24), "a relay's address"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "an address for measurements"),
    (v4(198, 51, 100, 0, 24), "an address for documentation"),
    (v4(203, 0, 113, 0, 24), "an address for documentation"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
];

/// What of the public IPv6 space (2000::/3) is not the public internet.
const NOT_PUBLIC_V6: &[(Ipv6Net, &str)] = &[
    (v6(0x2001, 0, 23), "a reserved or tunnelled (Teredo) address"),
    (v6(0x2001, 0x0db8, 32), "an address for documentation"),
    (v6(0x2002, 0, 16), "a tunnelled (6to4) address"),
    (v6(0x3fff, 0, 20), "an address for documentation"),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// What an address is when it is not a public one.
fn not_public(address: IpAddr) -> Option<&'static str> {
    match (address, embedded(address)) {
        (IpAddr::V4(v4), _) | (_, Some(v4)) => {
            NOT_PUBLIC_V4.iter().find(|(network, _)| network.contains(&v4)).map(|(_, kind)| *kind)
        }
        (IpAddr::V6(v6), None) => not_public_v6(v6),
    }
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, ..] = address.segments();
    match first {
        _ if address.is_loopback() => Some("this machine itself"),
        _ if address.is_unspecified() => Some("no address of a host (::)"),
        0x2000..=0x3fff => NOT_PUBLIC_V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, kind)| *kind),
        0xfc00..=0xfdff => Some("a private address"),
        0xfe80..=0xfebf => Some("a link-local address"),
        0xff00..=0xffff => Some("a multicast address"),
        // Everything else is not given out: IPv4-compatible, site-local, NAT64 of a local kind, and what nobody uses yet.
        _ => Some("a reserved address"),
    }
}

/// The IPv4 address for which an IPv6 one only stands: IPv4-mapped, or translated by the well-known NAT64 prefix.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let nat64 = v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    #[expect(clippy::cast_possible_truncation, reason = "the last 32 bits are meant")]
    let last = v6.to_bits() as u32;
    v6.to_ipv4_mapped().or_else(|| nat64.then(|| Ipv4Addr::from_bits(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        let allowed: Vec<String> = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        Guard::new(&allowed).unwrap()
    }

    #[test]
    fn hosts_by_number_are_judged_by_the_address_that_they_mean() {
        for (name, host, public) in [
            ("public", "93.184.215.14", true),
            ("public IPv6", "[2606:4700::6810:85e5]", true),
            ("public, mapped into IPv6", "[::ffff:93.184.215.14]", true),
            ("public, translated by NAT64", "[64:ff9b::5db8:d70e]", true),
            ("loopback", "127.0.0.1", false),
            ("loopback, elsewhere in its network", "127.8.9.10", false),
            ("loopback, decimal", "2130706433", false),
            ("loopback, hexadecimal", "0x7f000001", false),
            ("loopback, octal", "0177.0.0.1", false),
            ("loopback, octal as one number", "017700000001", false),
            ("loopback, short", "127.1", false),
            ("loopback, mixed", "0x7f.1", false),
            ("loopback, with a dot at its end", "127.0.0.1.", false),
            ("loopback, full-width digits", "１２７.０.０.１", false),
            ("loopback, percent-encoded", "%31%32%37.0.0.1", false),
            ("unspecified", "0.0.0.0", false),
            ("unspecified, short", "0", false),
            ("this network", "0.1.2.3", false),
            ("private 10", "10.0.0.1", false),
            ("private 172", "172.16.0.1", false),
            ("private 172, its end", "172.31.255.255", false),
            ("not private", "172.32.0.1", true),
            ("private 192", "192.168.1.1", false),
            ("carrier", "100.64.0.1", false),
            ("carrier, its end", "100.127.255.255", false),
            ("not carrier", "100.128.0.1", true),
            ("link-local: metadata of clouds", "169.254.169.254", false),
            ("metadata, decimal", "2852039166", false),
            ("protocol assignments", "192.0.0.192", false),
            ("documentation", "203.0.113.7", false),
            ("6to4 relay", "192.88.99.1", false),
            ("measurements", "198.19.0.1", false),
            ("multicast", "224.0.0.1", false),
            ("reserved", "240.0.0.1", false),
            ("broadcast", "255.255.255.255", false),
            ("IPv6 loopback", "[::1]", false),
            ("IPv6 loopback in full", "[0:0:0:0:0:0:0:1]", false),
            ("IPv6 unspecified", "[::]", false),
            ("IPv4-mapped loopback", "[::ffff:127.0.0.1]", false),
            ("IPv4-mapped metadata in hexadecimal", "[::ffff:a9fe:a9fe]", false),
            ("IPv4-compatible loopback", "[::127.0.0.1]", false),
            ("IPv4-translated", "[::ffff:0:127.0.0.1]", false),
            ("NAT64 of loopback", "[64:ff9b::7f00:1]", false),
            ("NAT64 of a private address", "[64:ff9b::10.0.0.1]", false),
            ("NAT64 of a local kind", "[64:ff9b:1::1]", false),
            ("6to4 of loopback", "[2002:7f00:1::]", false),
            ("Teredo", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", false),
            ("ORCHID", "[2001:20::1]", false),
            ("IPv6 documentation", "[2001:db8::1]", false),
            ("newer IPv6 documentation", "[3fff::1]", false),
            ("unique local", "[fd00::1]", false),
            ("unique local: metadata of a cloud", "[fd00:ec2::254]", false),
            ("IPv6 link-local", "[fe80::1]", false),
            ("site-local", "[fec0::1]", false),
            ("IPv6 multicast", "[ff02::1]", false),
            ("segment routing", "[5f00::1]", false),
            ("discard", "[100::1]", false),
        ] {
            let url = Url::parse(&format!("http://{host}/hook")).unwrap();
            assert!(!matches!(url.host(), Some(Host::Domain(_))), "{name}: {host} was read as a name");
            assert_eq!(guard(&[]).check(&url).is_ok(), public, "{name}: {host}");
        }
    }

    #[test]
    fn operators_allow_by_name_address_or_network() {
        let check = |allowed: &[&str], host: &str, address: &str| {
            guard(allowed).check_address(host, address.parse().unwrap()).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["hooks.internal"], "hooks.internal", "10.0.0.5"), Ok(()));
        assert_eq!(check(&["Hooks.Internal."], "hooks.internal", "10.0.0.5"), Ok(()));
        assert_eq!(check(&["10.0.0.0/8"], "anything.example", "10.0.0.5"), Ok(()));
        assert_eq!(check(&["127.0.0.1"], "127.0.0.1", "127.0.0.1"), Ok(()));
        assert_eq!(check(&["127.0.0.1"], "[::ffff:127.0.0.1]", "::ffff:127.0.0.1"), Ok(()));
        assert_eq!(check(&["[::1]"], "[::1]", "::1"), Ok(()));
        for (allowed, host, address) in [
            (&["hooks.internal"][..], "other.internal", "10.0.0.5"),
            (&["hooks.internal"], "x.hooks.internal", "10.0.0.5"),
            (&["127.0.0.1"], "127.0.0.2", "127.0.0.2"),
            (&["127.0.0.1"], "[::1]", "::1"),
            (&["10.0.0.0/8"], "192.168.0.1", "192.168.0.1"),
        ] {
            assert!(check(allowed, host, address).is_err(), "{host} by {allowed:?}");
        }
        assert_eq!(
            check(&[], "hooks.example", "10.0.0.5"),
            Err("hooks.example leads to 10.0.0.5, a private address, to which webhooks go only when `webhooks.allow_hosts` names it".to_owned())
        );
        for bad in ["", "http://x", "10.0.0.0/40", "a b"] {
            assert!(Guard::new(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }
}
