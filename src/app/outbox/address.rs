//! Which addresses a site may name for its webhooks, as far as their text tells. Where they lead is checked when connecting.

use url::Url;

/// Bytes of an address at most.
const MAX_BYTES: usize = 2_048;

/// Why an address cannot take webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It cannot be read.
    #[error("is not an address such as https://news.example/hooks")]
    Unreadable,
    /// It is longer than anybody's address.
    #[error("holds more than 2048 bytes")]
    TooLong,
    /// It is neither http nor https.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// It carries a user or a password: they would be stored in plain text, and messages are signed anyway.
    #[error("must not carry a user or a password")]
    Credentials,
    /// It carries a fragment, which no server ever sees.
    #[error("must not carry a fragment (#…)")]
    Fragment,
    /// A port below 1024 where no web server listens.
    #[error("names a port that is neither 80, 443 nor 1024 and above")]
    Port,
}

/// Reads an address.
///
/// # Errors
/// [`BadAddress`], a clause that follows the address.
pub fn parse(text: &str) -> Result<Url, BadAddress> {
    if text.len() > MAX_BYTES {
        return Err(BadAddress::TooLong);
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(BadAddress::Unreadable); // the parser would drop them in silence
    }
    let url = Url::parse(text).map_err(|_| BadAddress::Unreadable)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadAddress::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::Credentials);
    }
    if url.fragment().is_some() {
        return Err(BadAddress::Fragment);
    }
    // Mail, SSH and the like read what HTTP sends as commands of their own.
    if url.port().is_some_and(|port| port < 1_024 && port != 80 && port != 443) {
        return Err(BadAddress::Port);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_by_their_text() {
        for (text, expected) in [
            ("https://news.example/hooks?x=1", Ok("https://news.example/hooks?x=1")),
            ("http://news.example:8080", Ok("http://news.example:8080/")),
            ("http://news.example:443/", Ok("http://news.example:443/")),
            ("http://2130706433/", Ok("http://127.0.0.1/")), // refused when connecting, by what it leads to
            ("news.example", Err(BadAddress::Unreadable)),
            ("https://", Err(BadAddress::Unreadable)),
            ("https://news.example/\nx", Err(BadAddress::Unreadable)),
            ("ftp://news.example/", Err(BadAddress::Scheme)),
            ("file:///etc/passwd", Err(BadAddress::Scheme)),
            ("gopher://news.example/", Err(BadAddress::Scheme)),
            ("https://user@news.example/", Err(BadAddress::Credentials)),
            ("https://user:word@news.example/", Err(BadAddress::Credentials)),
            ("https://:word@news.example/", Err(BadAddress::Credentials)),
            ("https://news.example/#top", Err(BadAddress::Fragment)),
            ("http://news.example:25/", Err(BadAddress::Port)),
            ("http://news.example:0/", Err(BadAddress::Port)),
        ] {
            assert_eq!(parse(text).as_ref().map(Url::as_str).map_err(|error| *error), expected, "{text}");
        }
        assert_eq!(parse(&format!("https://news.example/{}", "x".repeat(2_048))), Err(BadAddress::TooLong));
    }
}
