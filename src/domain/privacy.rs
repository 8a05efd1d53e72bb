//! What is kept so that less is kept: the key of addresses' hashes, how far hashing has got, and who was erased, so that a backup which still has them
//! can be made to forget them again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::store::Result;
use super::time::Timestamp;

/// What an entry of the list of the erased stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErasedKind {
    /// A comment, by its uid.
    Comment,
    /// Whoever read, reported, voted, and was written about in notes, by the site's id for them.
    Reader,
    /// Whom sanctions aimed at, by the site's id for them.
    Target,
}

impl ErasedKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Comment, Self::Reader, Self::Target];

    /// As it is stored.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Comment => 1,
            Self::Reader => 2,
            Self::Target => 3,
        }
    }

    /// The one that is stored so.
    #[must_use]
    pub fn of_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// That something was erased. It says of what only a hash, under a key that never leaves its database: whoever has the list alone can find out nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Its number in this database; 0 where it comes from another.
    #[serde(skip)]
    pub number: i64,
    /// What it stands for.
    pub kind: ErasedKind,
    /// The site, by name.
    pub site: String,
    /// The hash, in hexadecimal when it is written out.
    #[serde(with = "hexadecimal")]
    pub hash: Vec<u8>,
    /// When it was erased last.
    pub at: Timestamp,
}

/// What came of erasing again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ErasedAgain {
    /// Entries that this database did not know.
    pub unknown: u64,
    /// Comments that were there again, and are gone again.
    pub comments: u64,
    /// The same of reports, votes, notes and sanctions.
    pub others: u64,
    /// A node that began to serve the database meanwhile, by name: it stopped there, or had just ended, and the node may remember what is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_by: Option<String>,
}

/// How far addresses have been replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressesLeft {
    /// When the oldest came of what was not looked at yet, comments and what people wrote alike; `None` when there is nothing.
    pub oldest: Option<Timestamp>,
}

/// The part of the Store port that keeps less.
#[async_trait]
pub trait Privacy: Send + Sync {
    /// The key of addresses' hashes, sealed by whoever put it there; as versions before this one left it, it is not.
    async fn address_key(&self) -> Result<Option<Vec<u8>>>;
    /// Puts `to` in the place of `from`, of which nothing is left; `false` when something else is there by now.
    async fn address_key_set(&self, from: Option<Vec<u8>>, to: Vec<u8>) -> Result<bool>;
    /// Forgets that key; `false` when something else is there by now, or nothing.
    async fn address_key_forget(&self, key: Vec<u8>) -> Result<bool>;
    /// How far addresses have been replaced. Cheap.
    async fn addresses_left(&self) -> Result<AddressesLeft>;
    /// What was erased, by number, after that one; at most `most`.
    async fn erasures(&self, after: i64, most: usize) -> Result<Vec<Erasure>>;
    /// Erases what the list names and this database has again, because it was restored to what it was before; entries that it knows already, of that
    /// moment or a later one, are left alone, and so is what came of somebody after they were erased. Sites are not told: they have been. In transactions of some thousand comments; again is harmless, and goes
    /// on where it was stopped. Nobody may take comments meanwhile who remembers what is erased: it stops when somebody begins to.
    async fn erase_again(&self, list: Vec<Erasure>, at: Timestamp) -> Result<ErasedAgain>;
    /// Forgets entries from before that moment, and says how many.
    async fn erasures_forget(&self, before: Timestamp) -> Result<u64>;
}

mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(2) || digits.is_empty() || digits.len() > 128 {
            return Err(D::Error::custom("a hash is pairs of hexadecimal digits"));
        }
        let pair = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
        bytes.ok_or_else(|| D::Error::custom("a hash is pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_and_is_read_back() {
        let at = Timestamp::from_millis(1_795_514_400_000);
        let entry =
            Erasure { number: 7, kind: ErasedKind::Reader, site: "news".to_owned(), hash: vec![0, 0xab, 255], at };
        let line = serde_json::to_string(&entry).unwrap();
        assert_eq!(line, r#"{"kind":"reader","site":"news","hash":"00abff","at":"2026-11-24T10:00:00Z"}"#);
        assert_eq!(serde_json::from_str::<Erasure>(&line).unwrap(), Erasure { number: 0, ..entry });
        for wrong in [line.replace("00abff", "0ab"), line.replace("00abff", "zz"), line.replace("reader", "author")] {
            assert!(serde_json::from_str::<Erasure>(&wrong).is_err(), "{wrong}");
        }
        assert_eq!(ErasedKind::ALL.map(|kind| ErasedKind::of_code(kind.code())), ErasedKind::ALL.map(Some));
    }
}
