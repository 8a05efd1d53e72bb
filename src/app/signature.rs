//! Signatures of webhooks, in and out: [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
//! symmetric (`v1`: HMAC-SHA256 over `id.timestamp.body`).
//!
//! The signing itself is the specification's own crate. Its `verify` reads the machine's clock; here the moment is given, so that nothing
//! but `startup` has a clock.

use standardwebhooks::Webhook;
use subtle::ConstantTimeEq as _;

use crate::domain::time::Timestamp;

/// Seconds that a message's time may be off, either way.
pub const TOLERANCE_S: i64 = 300;

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The secret is not base64.
    #[error("the secret is not `whsec_` and base64")]
    Secret,
    /// The body is not UTF-8.
    #[error("the body is not UTF-8")]
    Body,
    /// The time is no number of seconds since 1970.
    #[error("webhook-timestamp: is no number of seconds since 1970")]
    Time,
    /// The time is too far from ours.
    #[error("webhook-timestamp: is more than 300 seconds from now")]
    Stale,
    /// No signature fits.
    #[error("webhook-signature: no signature fits")]
    Wrong,
}

/// The value of `webhook-signature`: one signature for each secret, so that receivers may hold any of them.
///
/// # Errors
/// `Secret`, `Body`.
pub fn sign(secrets: &[String], id: &str, at: Timestamp, body: &str) -> Result<String, BadSignature> {
    let seconds = at.as_millis().div_euclid(1_000);
    let signatures: Result<Vec<_>, _> = secrets.iter().map(|secret| signature(secret, id, seconds, body)).collect();
    Ok(signatures?.join(" "))
}

/// The headers of a message that is signed now: receivers refuse old signatures.
///
/// # Errors
/// As for [`sign`].
pub fn headers(
    secrets: &[String],
    id: String,
    now: Timestamp,
    body: &str,
) -> Result<Vec<(&'static str, String)>, BadSignature> {
    let signature = sign(secrets, &id, now, body)?;
    let timestamp = now.as_millis().div_euclid(1_000).to_string();
    Ok(vec![("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)])
}

/// Whether one of `secrets` signed this message, and not long ago.
///
/// # Errors
/// [`BadSignature`].
pub fn verify(
    secrets: &[String],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), BadSignature> {
    let body = std::str::from_utf8(body).map_err(|_| BadSignature::Body)?;
    let seconds: i64 = timestamp.parse().map_err(|_| BadSignature::Time)?;
    for secret in secrets {
        let expected = signature(secret, id, seconds, body)?;
        if signatures.split(' ').any(|given| given.as_bytes().ct_eq(expected.as_bytes()).into()) {
            // Only now: who cannot sign need not know how our clock goes.
            let off = now.as_millis().div_euclid(1_000).saturating_sub(seconds);
            return if off.saturating_abs() <= TOLERANCE_S { Ok(()) } else { Err(BadSignature::Stale) };
        }
    }
    Err(BadSignature::Wrong)
}

fn signature(secret: &str, id: &str, seconds: i64, body: &str) -> Result<String, BadSignature> {
    let webhook = Webhook::new(secret).map_err(|_| BadSignature::Secret)?;
    webhook.sign(id, seconds, body.as_bytes()).map_err(|_| BadSignature::Body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &str = r#"{"test": 2432232314}"#;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn the_example_of_the_specification_is_signed_as_it_says() {
        // From its reference implementations' tests.
        let signed = sign(&[SECRET.to_owned()], "msg_p5jXN8AQM9LWM0D4loKWxJek", at(1_614_265_330), BODY);
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn what_is_not_signed_right_or_not_now_is_refused() {
        let both = [OTHER.to_owned(), SECRET.to_owned()];
        let signed = sign(&both, "m-1", at(1_000), BODY).unwrap();
        let check = |secrets: &[&str], id: &str, time: &str, signed: &str, body: &str, now: i64| {
            let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
            verify(&secrets, id, time, signed, body.as_bytes(), at(now))
        };
        for (name, secrets, id, time, body, now, expected) in [
            ("right", &[SECRET][..], "m-1", "1000", BODY, 1_000, Ok(())),
            ("right under the older of two secrets", &[OTHER, SECRET], "m-1", "1000", BODY, 1_000, Ok(())),
            ("just in time", &[SECRET], "m-1", "1000", BODY, 1_300, Ok(())),
            ("late", &[SECRET], "m-1", "1000", BODY, 1_301, Err(BadSignature::Stale)),
            ("early", &[SECRET], "m-1", "1000", BODY, 699, Err(BadSignature::Stale)),
            ("another id", &[SECRET], "m-2", "1000", BODY, 1_000, Err(BadSignature::Wrong)),
            ("another time", &[SECRET], "m-1", "1001", BODY, 1_000, Err(BadSignature::Wrong)),
            ("another body", &[SECRET], "m-1", "1000", "{}", 1_000, Err(BadSignature::Wrong)),
            ("no number", &[SECRET], "m-1", "soon", BODY, 1_000, Err(BadSignature::Time)),
            ("no secret", &["whsec_?"], "m-1", "1000", BODY, 1_000, Err(BadSignature::Secret)),
            ("no secrets", &[], "m-1", "1000", BODY, 1_000, Err(BadSignature::Wrong)),
        ] {
            assert_eq!(check(secrets, id, time, &signed, body, now), expected, "{name}");
        }
        assert_eq!(check(&[SECRET], "m-1", "1000", "", BODY, 1_000), Err(BadSignature::Wrong));
        assert_eq!(check(&[SECRET], "m-1", "1000", "v1, v2,x", BODY, 1_000), Err(BadSignature::Wrong));
    }
}
