//! The stream: its commands, and what they answer.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult};

use super::entry::Entry;

/// Entries read at once at most.
pub(super) const BATCH: usize = 1_024;
/// How long a read waits for something to come.
const BLOCK: Duration = Duration::from_secs(1);
/// For an answer beyond that.
const GRACE: Duration = Duration::from_secs(2);

/// A place in the stream: milliseconds of Redis's clock, and a number within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place(u64, u64);

impl Place {
    /// Some milliseconds before.
    pub(super) const fn before(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms), 0)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ms, number) = text.split_once('-').ok_or(())?;
        Ok(Self(ms.parse().map_err(drop)?, number.parse().map_err(drop)?))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// Entries as Redis answers them: places, and what stands there.
type Rows = Vec<(String, Vec<Vec<u8>>)>;

/// The stream of everything that happens.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) key: String,
    pub(super) most: usize,
}

impl Stream {
    /// As many read at once as must come when something before them may have been cut off: so many are kept at least.
    pub(super) const fn many(&self) -> usize {
        if self.most / 2 < BATCH { self.most / 2 } else { BATCH }
    }

    /// Appends, all in their order.
    ///
    /// # Errors
    /// Whatever is wrong; perhaps some or all stand there.
    pub(super) async fn add(&self, mut connection: MultiplexedConnection, entries: &[Arc<Entry>]) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        for entry in entries {
            pipe.cmd("XADD").arg(&self.key).arg("MAXLEN").arg("~").arg(self.most).arg("*").arg("e").arg(entry.encode());
            pipe.ignore();
        }
        pipe.query_async(&mut connection).await
    }

    /// What comes after `place`; when nothing does and `waits`, what comes within a second. Entries that cannot be read have no content.
    ///
    /// # Errors
    /// Whatever is wrong.
    pub(super) async fn after(
        &self,
        connection: &mut MultiplexedConnection,
        place: Place,
        waits: bool,
    ) -> RedisResult<Vec<(Place, Option<Entry>)>> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(BATCH);
        if waits {
            read.arg("BLOCK").arg(BLOCK.as_millis().to_string());
        }
        read.arg("STREAMS").arg(&self.key).arg(place.to_string());
        let answer = tokio::time::timeout(BLOCK + GRACE, read.query_async::<Option<Vec<(String, Rows)>>>(connection));
        let answer = answer.await.map_err(|_| RedisError::from((ErrorKind::Io, "no answer to XREAD")))??;
        let rows = answer.unwrap_or_default().into_iter().flat_map(|(_, rows)| rows);
        rows.map(|(place, fields)| {
            let place = place.parse().map_err(|()| RedisError::from((ErrorKind::Parse, "no place in a stream")))?;
            Ok((place, fields.get(1).and_then(|bytes| Entry::decode(bytes))))
        })
        .collect()
    }

    /// The last place of all; the beginning of an empty stream.
    ///
    /// # Errors
    /// Whatever is wrong.
    pub(super) async fn last(&self, connection: &mut MultiplexedConnection) -> RedisResult<Place> {
        let mut read = redis::cmd("XREVRANGE");
        read.arg(&self.key).arg("+").arg("-").arg("COUNT").arg(1);
        let rows: Rows = read.query_async(connection).await?;
        Ok(rows.first().and_then(|(place, _)| place.parse().ok()).unwrap_or_default())
    }

    /// Whether something stands at `place`: what came after it is still there, too.
    ///
    /// # Errors
    /// Whatever is wrong.
    pub(super) async fn holds(&self, connection: &mut MultiplexedConnection, place: Place) -> RedisResult<bool> {
        let mut read = redis::cmd("XRANGE");
        read.arg(&self.key).arg(place.to_string()).arg(place.to_string());
        Ok(!read.query_async::<Rows>(connection).await?.is_empty())
    }
}
