//! A message as it arrived: headers and bytes, nothing parsed.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// The headers of a message, found whatever their case. Of one that came more than once, the first counts.
#[derive(Debug, Clone, Default)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The value of a header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut all = BTreeMap::new();
        for (name, value) in headers {
            all.entry(name.as_ref().to_ascii_lowercase()).or_insert_with(|| value.into());
        }
        Self(all)
    }
}

/// A message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Its headers.
    pub headers: Headers,
    /// Its body, byte for byte.
    pub body: Vec<u8>,
}

impl Message {
    /// SHA-256 of the body.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.body).into()
    }
}
