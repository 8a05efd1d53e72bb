//! What hosts look like: shorteners, addresses that are hardly worth a name, names made of keywords, names that imitate well-known ones.
//!
//! Looks only: whether a host is good or bad is for history to say. Nothing here asks the network.

use super::normalise::{imitated, is_latin, registrable};
use super::phrases;
use super::signal::repeated_link::is_popular;

/// Services that hide where a link leads. Compiled from public lists; those that host texts, and `t.co`, which rewrites whatever people paste, are
/// left out.
#[rustfmt::skip] // one a line would be a page and a half
const SHORTENERS: &[&str] = &[
    "1i1.me", "1url.cz", "2h.ae", "2ipe.tk", "2u4.us", "4ft.me", "adf.ly", "alturl.co", "an0n.me", "ano.gd",
    "ateffa.ms", "b54.in", "bbqr.me", "bit.do", "bit.ly", "bitly.co", "bitly.ws", "biturl.top", "bl.ink",
    "bom.so", "c.gle", "cek.li", "chilp.it", "clc.li", "clck.ru", "cli.re", "clickfrm.co", "corneey.co",
    "cort.as", "corta.co", "cpmlink.net", "crwl.it", "cutt.ly", "cutt.us", "dad.do", "did.li", "dub.sh",
    "eccl.es", "eit.tw", "fapme.pw", "fas.st", "fc.cx", "firsturl.de", "freest.at", "fwme.eu", "gestyy.co",
    "gg.gg", "goo.gl", "goo.io", "goo.su", "gt7.de", "gul.ly", "heylink.me", "hfg.cc", "home.s.id", "hop.cx",
    "ht.xyz", "huit.re", "hyperurl.co", "hypr.ink", "ibit.ly", "inx.inbox.lv", "inx.lv", "is.gd", "ity.im",
    "j.mp", "jl.ms", "just.as", "ky.to", "l.linklyhq.com", "l2u.su", "lil.ink", "lil.so", "lite.al", "ln.run",
    "loorg.de", "lstu.fr", "lvl.vn", "lyzo.io", "nblo.gs", "of1.shop", "oke.io", "onip.it", "ov.ms", "ow.ly",
    "owl.li", "owtf.co.uk", "p.ip.fi", "picsee.io", "posts.gle", "ppus.tk", "prephe.ro", "psee.io", "qil.su",
    "qoo.by", "qps.ru", "rb.gy", "rebrand.ly", "redirme.co", "rih.co", "rlu.ru", "rlys.nl", "rrsm.nl", "s.id",
    "schott.im", "sco.lt", "short-url.org", "shorte.st", "shorten.is", "shorturl.at", "shorturl.co",
    "shorturl.gg", "shrinke.me", "shrinkr.top", "shrtfly.co", "smarturl.it", "smsh.me", "sn.im", "snip.ly",
    "snipurl.co", "solo.to", "soo.gd", "stan.to", "stfly.me", "su0.ru", "surl.li", "swish.st", "t.cn", "t.ly",
    "taraa.xyz", "tgi.link", "tiggi.es", "tiny.cc", "tiny.dk", "tinyl.io", "tinylink.in", "tinyls.net",
    "tinyurl.co", "tinyurl.com", "tinyurl.mobi", "tlkm.my", "tny.im", "tnyhs.com", "to.ly", "tr.im", "u.to",
    "url.kn", "urlms.co", "urlr.be", "urlz.fr", "utiny.ml", "utka.su", "v.gd", "v.ht", "vk.co", "wi.cr",
    "wntdco.mx", "wts.la", "x.co", "xor.tw", "xtl.jp", "xurl.es", "xxs.yt", "xy2.eu", "xzy.cz", "yaplink.co",
    "ylink.pro", "yourls.org", "yourls.site", "yt.vu", "zo.ee", "zpr.io", "zzb.bz",
];

/// Suffixes under which names cost next to nothing, and which hardly anybody else uses: those that were given away, and those that spam reports
/// name first. Cheap ones that many honest sites stand under (`xyz`, `online`, `site`, `shop`, `club`, `info`) are not among them.
const CHEAP: &[&str] = &[
    "accountant",
    "autos",
    "bid",
    "boats",
    "bond",
    "buzz",
    "cf",
    "cfd",
    "click",
    "cricket",
    "cyou",
    "date",
    "faith",
    "ga",
    "gdn",
    "gq",
    "hair",
    "icu",
    "loan",
    "lol",
    "makeup",
    "men",
    "ml",
    "mom",
    "monster",
    "party",
    "pw",
    "quest",
    "racing",
    "rest",
    "review",
    "sbs",
    "skin",
    "tk",
    "top",
    "trade",
    "webcam",
    "win",
    "yachts",
];

/// Names that are imitated, by their first label.
const KNOWN: &[&str] = &[
    "aliexpress",
    "amazon",
    "apple",
    "binance",
    "blockchain",
    "coinbase",
    "discord",
    "dropbox",
    "facebook",
    "github",
    "gmail",
    "google",
    "icloud",
    "instagram",
    "linkedin",
    "metamask",
    "microsoft",
    "netflix",
    "outlook",
    "paypal",
    "roblox",
    "snapchat",
    "spotify",
    "steamcommunity",
    "steampowered",
    "telegram",
    "tiktok",
    "trustwallet",
    "twitch",
    "twitter",
    "walmart",
    "wellsfargo",
    "whatsapp",
    "wikipedia",
    "youtube",
];

/// Names that look like a known one and are words, or somebody's own.
const OWN_NAMES: &[&str] = &[
    "blockchains",
    "facebooks",
    "instagramm",
    "microsofts",
    "snapchats",
    "telegraf",
    "telegrama",
    "telegramm",
    "telegrams",
    "vikipedia",
    "wal-mart",
    "wikimedia",
    "wikipedie",
    "äpple",
];

/// Letters from which a known name is far enough from every word that one letter off is an imitation: `finance` is one off `binance`, `discard` one off
/// `discord`.
const LONG: usize = 8;

/// Sites on which people have pages of their own: an address below them is a person's home.
const PROFILES: &[&str] = &[
    "about.me",
    "behance.net",
    "blogger.com",
    "blogspot.com",
    "bsky.app",
    "deviantart.com",
    "disqus.com",
    "facebook.com",
    "flickr.com",
    "github.com",
    "gitlab.com",
    "goodreads.com",
    "google.com",
    "gravatar.com",
    "instagram.com",
    "keybase.io",
    "linkedin.com",
    "linktr.ee",
    "livejournal.com",
    "mastodon.social",
    "medium.com",
    "myspace.com",
    "ok.ru",
    "openid.net",
    "pinterest.com",
    "quora.com",
    "reddit.com",
    "soundcloud.com",
    "stackexchange.com",
    "stackoverflow.com",
    "substack.com",
    "threads.net",
    "tiktok.com",
    "tumblr.com",
    "twitch.tv",
    "twitter.com",
    "typepad.com",
    "vimeo.com",
    "vk.com",
    "wikipedia.org",
    "wordpress.com",
    "x.com",
    "xing.com",
    "yahoo.com",
    "youtube.com",
];

/// Whether a host hides where its addresses lead.
#[must_use]
pub fn is_shortener(host: &str) -> bool {
    SHORTENERS.binary_search(&host).is_ok() || SHORTENERS.binary_search(&registrable(host)).is_ok()
}

/// Whether a host's suffix is one of those that cost next to nothing.
#[must_use]
pub fn is_cheap(host: &str) -> bool {
    host.rsplit('.').next().is_some_and(|suffix| CHEAP.binary_search(&suffix).is_ok())
}

/// Whether people have pages of their own on a host.
#[must_use]
pub fn is_profile_site(host: &str) -> bool {
    PROFILES.binary_search(&registrable(host)).is_ok()
}

/// Whether a host, as [`super::normalise::Link`] has it, is an address of the network rather than a name.
#[must_use]
pub fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// Whether a name is made of the words by which it wants to be found: two words of trade, or four parts and more.
#[must_use]
pub fn is_stuffed(host: &str) -> bool {
    let name = label(registrable(host));
    if name.starts_with("xn--") {
        return false;
    }
    let dashes = name.matches('-').count();
    let trade = phrases::trade_words_in(name);
    trade >= 2 || dashes >= 4 || (dashes >= 2 && trade >= 1)
}

fn label(domain: &str) -> &str {
    domain.split('.').next().unwrap_or(domain)
}

/// The well-known name that a host imitates: with look-alike letters or digits, one letter off a long one, or by carrying it in front of another
/// domain (`paypal.com.example.org`). Domains that everybody links to imitate nobody by their own name.
#[must_use]
pub fn imitates(host: &str) -> Option<&'static str> {
    let domain = registrable(host);
    let name = label(domain);
    if let Some(before) = host.strip_suffix(domain)
        && let Some(known) = before.split('.').zip(before.split('.').skip(1)).find_map(|(name, suffix)| {
            let known = KNOWN.binary_search(&name).ok().map(|at| KNOWN[at])?;
            matches!(suffix, "com" | "net" | "org").then_some(known)
        })
    {
        return Some(known);
    }
    if is_profile_site(domain) || is_popular(domain) {
        return None;
    }
    let shown = shown(name);
    let is_known = |name: &str| KNOWN.binary_search(&name).ok().map(|at| KNOWN[at]);
    if is_known(name).is_some() || OWN_NAMES.contains(&shown.as_str()) {
        return None;
    }
    if let Some(known) = is_known(&skeleton(&shown, 'l')).or_else(|| is_known(&skeleton(&shown, 'i'))) {
        return Some(known);
    }
    if !name.is_ascii() || name.contains('-') {
        return None;
    }
    KNOWN.iter().find(|known| known.len() >= LONG && is_one_off(name.as_bytes(), known.as_bytes())).copied()
}

/// Whether one letter changed, added or left out, or two neighbours changing places, makes one name of the other.
fn is_one_off(a: &[u8], b: &[u8]) -> bool {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    match (&a[same..], &b[same..]) {
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([a, c, rest_a @ ..], [b, d, rest_b @ ..]) if a == d && c == b && rest_a == rest_b => true,
        ([_, a @ ..], b) if a == b => true,
        (a, [_, b @ ..]) => a == b,
        _ => false,
    }
}

/// Whether a name mixes Latin letters with those of another script that imitate them.
#[must_use]
pub fn mixes_scripts(host: &str) -> bool {
    host.split('.').filter(|label| label.starts_with("xn--")).any(|label| {
        let shown = shown(label);
        shown.chars().any(is_latin) && shown.chars().any(|c| !is_latin(c) && imitated(c).is_some())
    })
}

/// A label as browsers show it.
fn shown(label: &str) -> String {
    label.strip_prefix("xn--").and_then(punycode).unwrap_or_else(|| label.to_owned())
}

/// The Latin letters that a label reads like, with the letter that a `1` stands for.
fn skeleton(label: &str, one: char) -> String {
    let letters = label.chars().filter(|c| *c != '-').map(|c| match c {
        '1' => one,
        '5' => 's',
        'à'..='å' => 'a',
        '3' | 'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        '0' | 'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        c => imitated(c).unwrap_or(c),
    });
    letters.collect::<String>().replace("rn", "m").replace("vv", "w")
}

/// Decodes a label (RFC 3492). `None` when it is none; at most 63 characters, as DNS has it.
fn punycode(label: &str) -> Option<String> {
    const BASE: u32 = 36;
    if label.len() > 63 {
        return None;
    }
    let (basic, extended) = label.rsplit_once('-').unwrap_or(("", label));
    let mut out: Vec<char> = basic.chars().collect();
    let (mut code, mut at, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = extended.bytes();
    let mut first = true;
    while digits.len() > 0 {
        let (before, mut weight, mut k) = (at, 1_u32, BASE);
        loop {
            let digit = match digits.next()? {
                letter @ b'a'..=b'z' => u32::from(letter - b'a'),
                digit @ b'0'..=b'9' => u32::from(digit - b'0') + 26,
                _ => return None,
            };
            at = at.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            k += BASE;
        }
        let length = u32::try_from(out.len()).ok()? + 1;
        let mut delta = (at - before) / if first { 700 } else { 2 };
        delta += delta / length;
        let mut steps = 0;
        while delta > 455 {
            delta /= 35;
            steps += BASE;
        }
        bias = steps + 36 * delta / (delta + 38);
        first = false;
        code = code.checked_add(at / length)?;
        at %= length;
        out.insert(usize::try_from(at).ok()?, char::from_u32(code)?);
        at += 1;
    }
    Some(out.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn one_off_means_a_distance_of_one(a in "[ab]{0,5}", b in "[ab]{0,5}") {
            proptest::prop_assert_eq!(is_one_off(a.as_bytes(), b.as_bytes()), strsim::osa_distance(&a, &b) == 1);
        }
    }

    #[test]
    fn lists_are_sorted_for_the_search() {
        for list in [SHORTENERS, CHEAP, KNOWN, PROFILES] {
            assert!(list.is_sorted(), "{:?}", list.windows(2).find(|two| two[0] > two[1]));
        }
    }

    #[test]
    fn names_are_told_by_their_looks() {
        let cases: &[(&str, Option<&str>, bool)] = &[
            ("paypal.com", None, false),
            ("amazon.co.uk", None, false),
            ("paypa1.com", Some("paypal"), false),
            ("paypal.com.login.example", Some("paypal"), false),
            ("facebok.com", Some("facebook"), false),
            ("rnicrosoft.com", Some("microsoft"), false),
            ("xn--80ak6aa92e.com", Some("apple"), false),
            ("xn--pypal-4ve.com", Some("paypal"), true),
            ("xn--mnchen-3ya.de", None, false),
            ("xn--e1afmkfd.xn--p1ai", None, false),
            ("tweeter.com", None, false),
            ("wikimedia.org", None, false),
            ("commons.wikimedia.org", None, false),
            ("finance.yahoo.com", None, false),
            ("finance.example", None, false),
            ("telegraf.rs", None, false),
            ("telegramm.example", None, false),
            ("discard.email", None, false),
            ("wal-mart.com", None, false),
            ("xn--pple-koa.se", None, false),
            ("wikipedla.org", Some("wikipedia"), false),
            ("b1nance.com", Some("binance"), false),
            ("d1scord.com", Some("discord"), false),
            ("instagran.com", Some("instagram"), false),
            ("amazone.de", None, false),
            ("goggle.com", None, false),
            ("applet.org", None, false),
            ("github.io", None, false),
            ("youtuber.com", None, false),
            ("harbour.example", None, false),
        ];
        for (host, known, mixed) in cases {
            assert_eq!((imitates(host), mixes_scripts(host)), (*known, *mixed), "{host}");
        }
    }

    #[test]
    fn stuffed_names_are_told_from_long_ones() {
        let cases = [
            ("cheap-payday-loans.info", true),
            ("best-home-insurance-quotes.example", true),
            ("cheapviagraonline.com", true),
            ("free-energy-for-all-of-us.org", true),
            ("new-york-times.example", false),
            ("st-john-the-baptist.org.uk", false),
            ("travel.state.gov", false),
            ("stack-overflow.example", false),
            ("hotel-adler.de", false),
            ("shop.bbc.co.uk", false),
            ("scandinavian-studies.example", false),
            ("rust-lang.org", false),
        ];
        for (host, stuffed) in cases {
            assert_eq!(is_stuffed(host), stuffed, "{host}");
        }
    }

    #[test]
    fn what_is_no_punycode_is_left_alone() {
        for label in ["", "-", "a-", "99999999", "zzzzzzzzzzzz", "é", "a\u{0}b"] {
            let _ = punycode(label);
        }
        assert_eq!(punycode("mnchen-3ya").as_deref(), Some("münchen"));
        assert!(is_shortener("bit.ly") && is_shortener("www2.tinyurl.com") && !is_shortener("bbc.co.uk"));
        assert!(is_cheap("offer.top") && !is_cheap("topshop.com"));
        assert!(is_address("203.0.113.9") && is_address("2001:db8::1") && !is_address("203.example"));
    }
}
