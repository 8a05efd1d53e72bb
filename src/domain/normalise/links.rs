//! Links: as markup, as addresses in the text, and disguised from machines.
//!
//! An address without a scheme counts when it starts with `www.`, or has a path, or ends in a suffix that people write addresses with
//! (`example.com`), so that `e.g.`, `file.txt`, `System.Net` and `ASP.NET` are no links. Disguises are read from the folded text, where
//! full-width letters and invisible characters are gone already: what linkify finds there and not in the plain text was disguised, and so
//! are `hxxp://`, `example dot com`, `example [.] com` and `www . example . com`.

use std::ops::Range;
use std::sync::LazyLock;

use linkify::{LinkFinder, LinkKind as Found};
use url::{Host, Url};

use super::html::Anchor;
use super::mapped::Mapped;

/// A link in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The address, normalised: scheme and host in lower case, default port, fragment and tracking parameters dropped.
    pub url: String,
    /// The host, in ASCII (punycode) and lower case, without a leading `www.`.
    pub host: String,
    /// The registrable domain by the Public Suffix List, or the host where there is none (an IP literal).
    pub domain: String,
    /// The text that carries the link, when it is not the address itself.
    pub text: Option<String>,
    /// Where it stands in the body as sent, in bytes.
    pub span: Range<usize>,
    /// How it was written.
    pub kind: LinkKind,
    /// Whether it carries a name before the host (`http://bank.example@elsewhere.example`), which `url` does not show.
    pub named_user: bool,
}

/// How a link was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// As markup around a text.
    Anchor,
    /// As an address in the text.
    Bare,
    /// So that machines should miss it: full-width letters, spaced-out or spelled-out dots.
    Disguised,
}

/// Links kept of one body; further ones are only counted.
pub const MAX_LINKS: usize = 500;

/// Suffixes with which an address without scheme, `www.` or path is taken for one. The rest of the list of suffixes has too many
/// words and file endings in it (`.net` is where talk about programming lives, so it needs one of the others).
const BARE_SUFFIXES: &[&str] = &[
    "com", "org", "info", "biz", "xyz", "online", "shop", "store", "site", "club", "top", "icu", "live", "pro", "app",
    "dev", "io", "co", "me", "tv", "be", "gl", "ly", "ru", "de", "fr", "it", "nl", "pl", "es", "eu", "uk", "us", "ca",
    "au", "in", "cn", "br", "ch", "at", "se", "cz", "ua", "tk", "ml", "ga", "cf", "gq", "pw", "cc", "ws", "to",
    "example",
];

/// Query parameters that say where a click came from; campaigns vary them.
const TRACKING: &[&str] = &["fbclid", "gclid", "mc_cid", "mc_eid", "igshid", "ref", "ref_src", "si", "feature"];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) kept: Vec<Link>,
    pub(super) total: usize,
}

/// All links of a body, in order of appearance.
pub(super) fn find(plain: &Mapped, folded: &Mapped, anchors: &[Anchor]) -> Links {
    let mut links = Links::default();
    for anchor in anchors {
        if let Some(target) = parse_target(&anchor.href) {
            let text = plain.text().get(anchor.text.clone()).unwrap_or_default().trim();
            let carries = !text.is_empty() && !same_address(text, &target);
            links.add(target, carries.then(|| text.to_owned()), anchor.span.clone(), LinkKind::Anchor);
        }
    }
    if might_hold_address(plain.text()) {
        for (range, written) in addresses(plain.text()) {
            if anchors.iter().any(|anchor| range.start < anchor.text.end && anchor.text.start < range.end) {
                continue; // the text of an anchor that is its own address
            }
            if let Some(target) = parse_bare(written) {
                let kind = if written.chars().any(super::is_invisible) { LinkKind::Disguised } else { LinkKind::Bare };
                links.add(target, None, plain.original(range), kind);
            }
        }
    }
    disguised(folded, &mut links);
    links.kept.sort_by_key(|link| (link.span.start, link.span.end));
    links
}

impl Links {
    fn add(&mut self, target: Target, text: Option<String>, span: Range<usize>, kind: LinkKind) {
        self.total += 1;
        if self.kept.len() < MAX_LINKS {
            let Target { url, host, domain, named_user } = target;
            self.kept.push(Link { url, host, domain, text, span, kind, named_user });
        }
    }

    fn covers(&self, span: &Range<usize>) -> bool {
        self.kept.iter().any(|link| span.start < link.span.end && link.span.start < span.end)
    }
}

/// Where a link leads.
struct Target {
    url: String,
    host: String,
    domain: String,
    named_user: bool,
}

/// The registrable domain of a host, or the host itself where there is none.
#[must_use]
pub fn registrable(host: &str) -> &str {
    if host.bytes().filter(|byte| *byte == b'.').count() <= 1 && !host.starts_with('.') {
        return host; // a name under a suffix, or a suffix: whole either way
    }
    psl::domain_str(host).unwrap_or(host)
}

/// The host of an address as sites and authors write it (scheme optional), in ASCII and lower case, without `www.`.
#[must_use]
pub fn host_of(address: &str) -> Option<String> {
    parse_target(address.trim())
        .or_else(|| parse_target(&format!("http://{}", address.trim())))
        .map(|target| target.host)
}

fn parse_target(href: &str) -> Option<Target> {
    let href = href.trim();
    let absolute = if href.starts_with("//") { format!("http:{href}") } else { href.to_owned() };
    let Ok(url) = Url::parse(&absolute) else {
        return parse_bare(href); // a relative address leads back to the site itself, unless it is one without a scheme
    };
    if !matches!(url.scheme(), "http" | "https") {
        return None; // `example.com:8080/x` parses as the scheme `example.com`
    }
    target(url)
}

/// An address in the text, with or without a scheme.
fn parse_bare(written: &str) -> Option<Target> {
    if written.contains("://") || written.starts_with("//") {
        return Url::parse(written).ok().filter(|url| matches!(url.scheme(), "http" | "https")).and_then(target);
    }
    let host_end = written.find(['/', '?', '#', ':']).unwrap_or(written.len());
    let host = &written[..host_end];
    let suffix = host.rsplit('.').next().unwrap_or_default().to_lowercase();
    let has_path = written.len() > host_end + 1 && written.as_bytes()[host_end] == b'/';
    let plain_host = !host.chars().any(|c| c.is_ascii_uppercase()) || host.chars().all(|c| !c.is_ascii_lowercase());
    let starts_www = host.len() > 4 && host.is_char_boundary(4) && host[..4].eq_ignore_ascii_case("www.");
    let known =
        psl::suffix(host.to_lowercase().as_bytes()).is_some_and(|suffix| suffix.is_known()) || suffix == "example";
    let taken = starts_www
        || (known && (has_path || (BARE_SUFFIXES.contains(&suffix.as_str()) && (plain_host || suffix == "com"))));
    if !taken || host.contains('@') {
        return None;
    }
    Url::parse(&format!("http://{written}")).ok().and_then(target)
}

fn target(mut url: Url) -> Option<Target> {
    url.set_fragment(None);
    let named_user = !url.username().is_empty() || url.password().is_some();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query().is_some() {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !name.starts_with("utm_") && !TRACKING.contains(&name.as_ref()))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if kept.is_empty() {
            url.set_query(None);
        } else {
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
    }
    let host = match url.host()? {
        Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let host = host.strip_prefix("www.").filter(|rest| rest.contains('.')).unwrap_or(&host).to_owned();
    if host.is_empty() {
        return None;
    }
    let domain = if matches!(url.host(), Some(Host::Domain(_))) { registrable(&host).to_owned() } else { host.clone() };
    // http and https, with or without `www.`, lead to the same page often enough; campaigns vary them.
    let rest = &url[url::Position::BeforePort..];
    Some(Target { url: format!("{host}{}", rest.trim_end_matches('/')), host, domain, named_user })
}

/// Whether an anchor's text is its own address.
fn same_address(text: &str, target: &Target) -> bool {
    parse_bare(text).or_else(|| parse_bare(&format!("http://{text}"))).is_some_and(|shown| shown.url == target.url)
}

/// A quick look, so that bodies without any address cost nothing more.
fn might_hold_address(text: &str) -> bool {
    text.contains("://")
        || text
            .as_bytes()
            .windows(3)
            .any(|three| three[1] == b'.' && three[2].is_ascii_alphanumeric() && !three[0].is_ascii_whitespace())
}

fn addresses(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    static FINDER: LazyLock<LinkFinder> = LazyLock::new(|| {
        let mut finder = LinkFinder::new();
        finder.kinds(&[Found::Url]).url_must_have_scheme(false);
        finder
    });
    FINDER.links(text).map(|link| {
        // BBCode and the like: `[url=http://x]text[/url]`
        let written = link.as_str();
        let literal = written.find("://[").and_then(|at| written[at..].find(']').map(|end| at + end + 1)).unwrap_or(0);
        let end = written[literal..].find(['[', ']', '<', '>', '|', '→']).map_or(written.len(), |end| literal + end);
        (link.start()..link.start() + end, &written[..end])
    })
}

/// Addresses that show only after folding, or are spelled out.
fn disguised(folded: &Mapped, links: &mut Links) {
    if links.total >= MAX_LINKS {
        return; // which of the folded ones are known already could not be told, and enough is known
    }
    let text = folded.text();
    if might_hold_address(text) {
        for (range, written) in addresses(text) {
            let span = folded.original(range);
            if !links.covers(&span)
                && let Some(target) = parse_bare(written)
            {
                links.add(target, None, span, LinkKind::Disguised);
            }
        }
    }
    for (range, written) in spelled_out(text) {
        let span = folded.original(range);
        if !links.covers(&span)
            && let Some(target) = parse_bare(&written)
        {
            links.add(target, None, span, LinkKind::Disguised);
        }
    }
}

/// Ways to write a dot without writing it.
const DOTS: &[&str] =
    &[" dot ", "[dot]", "(dot)", "{dot}", "[.]", "(.)", "{.}", " . ", " [dot] ", " (dot) ", " [.] ", " (.) "];

/// `hxxp://…`, `example dot com`, `example [.] com`, `www . example . com`.
pub(super) fn spelled_out(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let hidden = if text.contains("hxxp") { text } else { "" }; // asking whether it is there is much cheaper than where
    for (at, _) in hidden.match_indices("hxxp").take(MAX_LINKS) {
        // Up to the next one, so that all of them together are read once, however many follow each other without a blank.
        let rest = &text[at + 4..];
        let rest = &rest[..rest.find("hxxp").unwrap_or(rest.len())];
        let end = at + 4 + rest.find(char::is_whitespace).unwrap_or(rest.len());
        let written = text[at..end].replacen("hxxp", "http", 1).replace("[.]", ".").replace("[dot]", ".");
        found.push((at..end, written));
    }
    let spelled = text.contains("dot") || text.contains(" . ") || text.contains(['[', '(', '{']);
    for dot in DOTS.iter().filter(|dot| spelled && text.contains(**dot)) {
        for (at, _) in text.match_indices(dot).take(MAX_LINKS) {
            let (before, after) = (&text[..at], &text[at + dot.len()..]);
            let is_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            let start = before
                .rfind(|c| !is_host(c))
                .map_or(0, |last| last + before[last..].chars().next().map_or(1, char::len_utf8));
            let label_end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
            let (host, suffix) = (before[start..].trim(), &after[..label_end]);
            // ` dot ` and ` . ` between ordinary words end sentences; only suffixes that nobody writes as words count there.
            let sure = if dot.contains(['[', '(', '{']) {
                suffix == "net" || BARE_SUFFIXES.contains(&suffix)
            } else {
                matches!(suffix, "com" | "org" | "net" | "info" | "ru" | "xyz" | "biz")
            };
            if sure && host.len() >= 2 && host.chars().any(char::is_alphabetic) {
                let end = at + dot.len() + label_end;
                let host = if suffix == "net" { format!("www.{host}") } else { host.to_owned() };
                found.push((start..end, format!("{host}.{suffix}")));
            }
        }
    }
    found
}
