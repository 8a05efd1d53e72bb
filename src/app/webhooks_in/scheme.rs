//! How senders prove that a message is theirs: Standard Webhooks, an HMAC in a header of their own, or a shared token.
//!
//! Nothing of a message is parsed before it is believed. Signatures are compared in constant time, and the clock is looked at last: who cannot
//! sign need not know how it goes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::message::Message;
use crate::app::signature::{self, BadSignature, TOLERANCE_S};
use crate::domain::time::Timestamp;

/// The way in which a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Standard Webhooks.
    Standard,
    /// HMAC-SHA256 in a header.
    HmacSha256,
    /// The secret itself in a header.
    Token,
}

/// How the bytes of an HMAC are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal.
    #[default]
    Hex,
    /// Base64 with padding.
    Base64,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds since 1970.
    #[default]
    S,
    /// Milliseconds since 1970.
    Ms,
}

/// `[sources.signature]`: what is not said comes from the preset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignatureConfig {
    /// The scheme.
    pub scheme: Option<Scheme>,
    /// The header with the signature or token. Signatures may be several, with commas between.
    pub header: Option<String>,
    /// What stands before each signature, or before the token, as in `sha256=`.
    pub prefix: Option<String>,
    /// How signatures are written: `hex` or `base64`.
    pub encoding: Option<Encoding>,
    /// What is signed, made of `{body}`, `{timestamp}` and `{id}`; `{body}` when not said.
    pub signed: Option<String>,
    /// The header with the time.
    pub timestamp_header: Option<String>,
    /// What stands before the time among the parts of the signature's header, as in `t=`.
    pub timestamp_part: Option<String>,
    /// The unit of that time: `s` or `ms`.
    pub timestamp_unit: Option<Unit>,
    /// The header with the message's id; without one, the digest of the body (and time) is its id.
    pub id_header: Option<String>,
}

impl SignatureConfig {
    /// This, with `preset` where it says nothing.
    pub(super) fn over(self, preset: Self) -> Self {
        Self {
            scheme: self.scheme.or(preset.scheme),
            header: self.header.or(preset.header),
            prefix: self.prefix.or(preset.prefix),
            encoding: self.encoding.or(preset.encoding),
            signed: self.signed.or(preset.signed),
            timestamp_header: self.timestamp_header.or(preset.timestamp_header),
            timestamp_part: self.timestamp_part.or(preset.timestamp_part),
            timestamp_unit: self.timestamp_unit.or(preset.timestamp_unit),
            id_header: self.id_header.or(preset.id_header),
        }
    }
}

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A header is missing.
    #[error("{0}: is missing")]
    Missing(String),
    /// The message's id is none.
    #[error("webhook-id: must be 1 to 200 printable characters")]
    Id,
    /// Not signed as Standard Webhooks has it.
    #[error(transparent)]
    Standard(BadSignature),
    /// The time is no number.
    #[error("{0}: holds no time since 1970")]
    Time(String),
    /// The time is too far from ours.
    #[error("{0}: the time is more than 300 seconds from now")]
    Stale(String),
    /// No signature fits.
    #[error("{0}: no signature fits")]
    Wrong(String),
    /// Neither site nor source, or not of this site.
    #[error("source: this site has no source of that name")]
    Source,
}

/// A scheme, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signing {
    Standard,
    Hmac {
        header: String,
        prefix: String,
        encoding: Encoding,
        signed: Vec<Piece>,
        time: Option<(TimeAt, Unit)>,
        id_header: Option<String>,
    },
    Token {
        header: String,
        prefix: String,
        id_header: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimeAt {
    Header(String),
    Part(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Body,
    Timestamp,
    Id,
    Text(String),
}

impl Signing {
    /// Whether the settings describe a scheme.
    ///
    /// # Errors
    /// A clause for the operator.
    pub(super) fn new(config: &SignatureConfig) -> Result<Self, String> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let scheme = config.scheme.ok_or("signature.scheme is missing: standard, hmac-sha256 or token, or a preset")?;
        let header = || said(&config.header).ok_or_else(|| "signature.header is missing".to_owned());
        let prefix = config.prefix.clone().unwrap_or_default();
        let id_header = said(&config.id_header);
        let time = match (said(&config.timestamp_header), said(&config.timestamp_part)) {
            (Some(_), Some(_)) => return Err("signature.timestamp_header and timestamp_part are both set".to_owned()),
            (Some(header), None) => Some(TimeAt::Header(header)),
            (None, part) => part.map(TimeAt::Part),
        };
        match scheme {
            Scheme::Standard => Ok(Self::Standard),
            Scheme::Token => Ok(Self::Token { header: header()?, prefix, id_header }),
            Scheme::HmacSha256 => {
                let signed = pieces(&said(&config.signed).unwrap_or_else(|| "{body}".to_owned()));
                let count = |piece: &Piece| signed.iter().filter(|other| *other == piece).count();
                if count(&Piece::Body) != 1 {
                    return Err("signature.signed must hold {body} once".to_owned());
                }
                if time.is_some() != (count(&Piece::Timestamp) > 0) {
                    let problem = "signature.signed must hold {timestamp} when a time is sent, and only then: a time that is not signed proves nothing";
                    return Err(problem.to_owned());
                }
                if count(&Piece::Id) > 0 && id_header.is_none() {
                    return Err("signature.signed holds {id}, and signature.id_header is missing".to_owned());
                }
                let time = time.map(|at| (at, config.timestamp_unit.unwrap_or_default()));
                Ok(Self::Hmac {
                    header: header()?,
                    prefix,
                    encoding: config.encoding.unwrap_or_default(),
                    signed,
                    time,
                    id_header,
                })
            }
        }
    }

    /// The id of a message that one of `secrets` signed, and not long ago. Without an id of the sender's it is the digest of what was signed.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn verify(&self, secrets: &[String], message: &Message, now: Timestamp) -> Result<String, Refused> {
        let header =
            |name: &str| message.headers.get(name).map(str::trim).ok_or_else(|| Refused::Missing(name.to_owned()));
        match self {
            Self::Standard => {
                let id = header("webhook-id")?;
                let (timestamp, signatures) = (header("webhook-timestamp")?, header("webhook-signature")?);
                if !is_id(id) {
                    return Err(Refused::Id);
                }
                signature::verify(secrets, id, timestamp, signatures, &message.body, now).map_err(Refused::Standard)?;
                Ok(id.to_owned())
            }
            Self::Hmac { header: name, prefix, encoding, signed, time, id_header } => {
                let value = header(name)?;
                let parts: Vec<&str> = value.split(',').map(str::trim).collect();
                let sent_id = id_header.as_deref().map(header).transpose()?;
                let (time_name, time_sent) = match time {
                    None => ("", None),
                    Some((TimeAt::Header(name), _)) => (name.as_str(), Some(header(name)?)),
                    Some((TimeAt::Part(part), _)) => {
                        let found = parts.iter().find_map(|given| given.strip_prefix(part.as_str()));
                        (name.as_str(), Some(found.ok_or_else(|| Refused::Time(name.clone()))?))
                    }
                };
                let fits = |secret: &String| {
                    let expected = encoding.write(&mac(secret, signed, sent_id, time_sent, &message.body));
                    let mut given = parts.iter().filter_map(|part| part.strip_prefix(prefix.as_str()));
                    given.any(|given| encoding.is(given, &expected))
                };
                if !secrets.iter().any(fits) {
                    return Err(Refused::Wrong(name.clone()));
                }
                if let (Some((_, unit)), Some(sent)) = (time, time_sent) {
                    let number: i64 = sent.parse().map_err(|_| Refused::Time(time_name.to_owned()))?;
                    let seconds = if *unit == Unit::Ms { number.div_euclid(1_000) } else { number };
                    let off = now.as_millis().div_euclid(1_000).saturating_sub(seconds);
                    if off.saturating_abs() > TOLERANCE_S {
                        return Err(Refused::Stale(time_name.to_owned()));
                    }
                }
                Ok(id_of(sent_id, time_sent, message))
            }
            Self::Token { header: name, prefix, id_header } => {
                let value = header(name)?;
                let (before, token) = value.split_at_checked(prefix.len()).unwrap_or(("", value));
                let hashed = |text: &str| Sha256::digest(text.as_bytes());
                let fits = |secret: &String| bool::from(hashed(secret).ct_eq(hashed(token).as_slice()));
                let prefixed = before.eq_ignore_ascii_case(prefix); // as in `Bearer `
                if !(secrets.iter().any(fits) && prefixed) {
                    return Err(Refused::Wrong(name.clone()));
                }
                let sent_id = id_header.as_deref().map(header).transpose()?;
                Ok(id_of(sent_id, None, message))
            }
        }
    }
}

impl Encoding {
    fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex(bytes),
            Self::Base64 => STANDARD.encode(bytes),
        }
    }

    fn is(self, given: &str, expected: &str) -> bool {
        let given = if self == Self::Hex { given.to_ascii_lowercase() } else { given.to_owned() };
        given.as_bytes().ct_eq(expected.as_bytes()).into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `text` names a message: 1 to 200 printable characters.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control)
}

fn id_of(sent: Option<&str>, time: Option<&str>, message: &Message) -> String {
    if let Some(id) = sent.filter(|id| is_id(id)) {
        return id.to_owned();
    }
    // With the time, so that a sender may say the same thing again later; without one it cannot.
    format!("{}.{}", time.unwrap_or_default(), hex(&message.digest()))
}

fn mac(secret: &str, signed: &[Piece], id: Option<&str>, time: Option<&str>, body: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() }; // HMAC takes keys of any length
    for piece in signed {
        match piece {
            Piece::Body => mac.update(body),
            Piece::Timestamp => mac.update(time.unwrap_or_default().as_bytes()),
            Piece::Id => mac.update(id.unwrap_or_default().as_bytes()),
            Piece::Text(text) => mac.update(text.as_bytes()),
        }
    }
    mac.finalize().into_bytes().to_vec()
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let known = [("{body}", Piece::Body), ("{timestamp}", Piece::Timestamp), ("{id}", Piece::Id)];
        if let Some((name, piece)) = known.into_iter().find(|(name, _)| rest.starts_with(name)) {
            pieces.push(piece);
            rest = &rest[name.len()..];
            continue;
        }
        let end = rest.char_indices().skip(1).find(|(_, c)| *c == '{').map_or(rest.len(), |(at, _)| at);
        pieces.push(Piece::Text(rest[..end].to_owned()));
        rest = &rest[end..];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &str = r#"{"a":1}"#;
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn signing(toml: &str) -> Result<Signing, String> {
        Signing::new(&toml::from_str(toml).expect("settings"))
    }

    fn message(headers: &[(&str, &str)]) -> Message {
        Message { headers: headers.iter().copied().collect(), body: BODY.as_bytes().to_vec() }
    }

    fn written(encoding: Encoding, template: &str, time: &str) -> String {
        encoding.write(&mac("hush", &pieces(template), Some("m-1"), Some(time), BODY.as_bytes()))
    }

    #[test]
    fn hmac_is_what_others_compute() {
        // RFC 4231, test case 2.
        let found = mac("Jefe", &[Piece::Body], None, None, b"what do ya want for nothing?");
        assert_eq!(hex(&found), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn each_scheme_takes_what_it_describes_and_nothing_else() {
        let body = written(Encoding::Hex, "{body}", "");
        let base64 = written(Encoding::Base64, "{body}", "");
        let (now, late, ms) = ("1700000000", "1699999699", "1700000000000");
        let timed = written(Encoding::Hex, "v0:{timestamp}:{body}", now);
        let timed_late = written(Encoding::Hex, "v0:{timestamp}:{body}", late);
        let ghost = written(Encoding::Hex, "{body}{timestamp}", ms);
        let with_id = written(Encoding::Hex, "{id}.{body}", "");
        let plain = "scheme = 'hmac-sha256'\nheader = 'X-Sig'\nprefix = 'sha256='";
        let slack = "scheme = 'hmac-sha256'\nheader = 'X-Sig'\nprefix = 'v0='\nsigned = 'v0:{timestamp}:{body}'\ntimestamp_header = 'X-Time'";
        let part = "scheme = 'hmac-sha256'\nheader = 'X-Sig'\nprefix = 'sha256='\nsigned = '{body}{timestamp}'\ntimestamp_part = 't='\ntimestamp_unit = 'ms'";
        let ided = "scheme = 'hmac-sha256'\nheader = 'X-Sig'\nsigned = '{id}.{body}'\nid_header = 'X-Id'";
        let b64 = "scheme = 'hmac-sha256'\nheader = 'X-Sig'\nencoding = 'base64'";
        let bearer = "scheme = 'token'\nheader = 'Authorization'\nprefix = 'Bearer '";
        let token = "scheme = 'token'\nheader = 'X-Token'";
        let wrong = Err("X-Sig: no signature fits");
        let digest = format!(".{}", hex(&message(&[]).digest()));
        let timed_digest = format!("{now}{digest}");
        let ms_digest = format!("{ms}{digest}");
        let cases: &[(&str, &str, &[(&str, &str)], Result<&str, &str>)] = &[
            ("hex", plain, &[("x-sig", &format!("sha256={body}"))], Ok(&digest)),
            ("hex in capitals", plain, &[("X-SIG", &format!("sha256={}", body.to_uppercase()))], Ok(&digest)),
            ("one of several", plain, &[("x-sig", &format!("sha256=00, sha256={body}"))], Ok(&digest)),
            ("no header", plain, &[], Err("X-Sig: is missing")),
            ("no prefix", plain, &[("x-sig", &body)], wrong),
            ("a beginning", plain, &[("x-sig", &format!("sha256={}", &body[..40]))], wrong),
            ("nothing", plain, &[("x-sig", "")], wrong),
            ("another", plain, &[("x-sig", &format!("sha256={timed}"))], wrong),
            ("base64", b64, &[("x-sig", &base64)], Ok(&digest)),
            ("hex for base64", b64, &[("x-sig", &body)], wrong),
            ("a time", slack, &[("x-sig", &format!("v0={timed}")), ("x-time", now)], Ok(&timed_digest)),
            ("another time", slack, &[("x-sig", &format!("v0={timed}")), ("x-time", late)], wrong),
            ("no time", slack, &[("x-sig", &format!("v0={timed}"))], Err("X-Time: is missing")),
            (
                "late",
                slack,
                &[("x-sig", &format!("v0={timed_late}")), ("x-time", late)],
                Err("X-Time: the time is more than 300 seconds from now"),
            ),
            ("a part", part, &[("x-sig", &format!("sha256={ghost}, t={ms}"))], Ok(&ms_digest)),
            (
                "a part is missing",
                part,
                &[("x-sig", &format!("sha256={ghost}"))],
                Err("X-Sig: holds no time since 1970"),
            ),
            ("an id", ided, &[("x-sig", &with_id), ("x-id", "m-1")], Ok("m-1")),
            ("another id", ided, &[("x-sig", &with_id), ("x-id", "m-2")], wrong),
            ("bearer", bearer, &[("authorization", "bearer hush")], Ok(&digest)),
            ("no bearer", bearer, &[("authorization", "Basic hush")], Err("Authorization: no signature fits")),
            ("short", bearer, &[("authorization", "hush")], Err("Authorization: no signature fits")),
            ("token", token, &[("x-token", "hush")], Ok(&digest)),
            ("another token", token, &[("x-token", "hush!")], Err("X-Token: no signature fits")),
        ];
        for (name, settings, headers, expected) in cases {
            let signing = signing(settings).expect(name);
            let found = signing.verify(&["other".to_owned(), "hush".to_owned()], &message(headers), NOW);
            let found = found.map_err(|refused| refused.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), *expected, "{name}");
            assert!(signing.verify(&["other".to_owned()], &message(headers), NOW).is_err(), "{name}: another secret");
            assert!(signing.verify(&[], &message(headers), NOW).is_err(), "{name}: no secret");
        }
    }

    #[test]
    fn settings_that_prove_nothing_are_refused() {
        for (settings, expected) in [
            ("", "signature.scheme is missing"),
            ("scheme = 'token'", "signature.header is missing"),
            ("scheme = 'hmac-sha256'", "signature.header is missing"),
            ("scheme = 'hmac-sha256'\nheader = 'X'\nsigned = 'x'", "must hold {body} once"),
            (
                "scheme = 'hmac-sha256'\nheader = 'X'\ntimestamp_header = 'T'",
                "a time that is not signed proves nothing",
            ),
            ("scheme = 'hmac-sha256'\nheader = 'X'\nsigned = '{timestamp}{body}'", "must hold {timestamp}"),
            ("scheme = 'hmac-sha256'\nheader = 'X'\nsigned = '{id}{body}'", "id_header is missing"),
            ("scheme = 'hmac-sha256'\nheader = 'X'\ntimestamp_header = 'T'\ntimestamp_part = 't='", "both set"),
        ] {
            let refused = signing(settings).expect_err(settings);
            assert!(refused.contains(expected), "{settings}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics_and_none_is_believed_by_chance(value in "\\PC{0,60}", template in "\\PC{0,10}\\{body\\}\\PC{0,10}") {
            let config = SignatureConfig {
                scheme: Some(Scheme::HmacSha256),
                header: Some("x".to_owned()),
                prefix: Some("a=".to_owned()),
                signed: Some(template),
                ..SignatureConfig::default()
            };
            if let Ok(signing) = Signing::new(&config) {
                prop_assert!(signing.verify(&["hush".to_owned()], &message(&[("x", &value)]), NOW).is_err());
            }
            let token = Signing::Token { header: "x".to_owned(), prefix: "Béarer ".to_owned(), id_header: None };
            prop_assert!(token.verify(&["hush".to_owned()], &message(&[("x", &value)]), NOW).is_err());
        }
    }
}
