//! Limits over all nodes: one script for all that count somebody, in one step.
//!
//! GCRA in whole nanoseconds. A key holds when the last of what was taken will be due, as seconds and nanoseconds apart: in one number they
//! would not survive a script, whose numbers are exact to 2^53, which is 104 days of nanoseconds. Only the difference from now is one number;
//! for windows below 104 days every result is exact. Keys go by themselves when they are back at their full allowance.
//!
//! What is due further ahead than a whole allowance was noted by a clock that was ahead of this one, as before a failover to a server whose clock is
//! behind: it counts as a whole allowance that was taken now, and is noted as such. So nobody waits for that clock to be reached again, and nobody has
//! anything anew: whoever had taken all waits for as long as they would have, whoever had taken some for no longer than that.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;
use redis::aio::MultiplexedConnection;

use super::config::Whose;
use super::link::Link;
use crate::domain::shared::{Away, Cell, Tally};
use crate::domain::time::Timestamp;

/// Milliseconds that keys outlive their time by when nodes' own clocks are gone by: one may be behind another, and that much earlier is no clock that
/// was set back.
const SLACK_MS: u64 = 60_000;

static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local s, n, slack = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if s < 0 then
  local time = redis.call('TIME')
  s, n = tonumber(time[1]), tonumber(time[2]) * 1000
end
local kept = redis.call('MGET', unpack(KEYS))
local waits, ahead, refused, set_back = {}, {}, false, {}
for i = 1, #KEYS do
  local due = 0
  if kept[i] then
    local dot = string.find(kept[i], '.', 1, true)
    due = (tonumber(string.sub(kept[i], 1, dot - 1)) - s) * 1e9 + tonumber(string.sub(kept[i], dot + 1)) - n
    if due < 0 then due = 0 end
    local whole = tonumber(ARGV[3 * i + 1]) + tonumber(ARGV[3 * i + 2])
    if due > whole + slack * 1e6 then due, set_back[i] = whole, true end
  end
  local wait = due - tonumber(ARGV[3 * i + 2])
  if wait < 0 then wait = 0 end
  ahead[i], waits[i] = due, wait
  if wait > 0 and ARGV[3 * i + 3] == '1' then refused = true end
end
for i = 1, #KEYS do
  local taken = not refused and waits[i] == 0
  if taken or set_back[i] then
    local due = ahead[i]
    if taken then due = due + tonumber(ARGV[3 * i + 1]) end
    local seconds = math.floor((n + due) / 1e9)
    local value = string.format('%d.%d', s + seconds, n + due - seconds * 1e9)
    redis.call('SET', KEYS[i], value, 'PX', math.ceil(due / 1e6) + slack)
  end
end
return waits",
    )
});

#[async_trait]
impl Tally for Link {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Vec<u64>, Away> {
        let mut taking = TAKE.prepare_invoke();
        match self.config.clock {
            Whose::Redis => taking.arg(-1).arg(0).arg(0),
            Whose::Node => {
                let ms = now.as_millis().max(0);
                taking.arg(ms / 1_000).arg(ms % 1_000 * 1_000_000).arg(SLACK_MS)
            }
        };
        for cell in cells {
            taking.key(self.key(&format!("limit:{}:{}", cell.limit, hex(&cell.key))));
            let period = u64::try_from(cell.period.as_nanos()).unwrap_or(u64::MAX);
            let ahead = period.saturating_mul(u64::from(cell.burst.saturating_sub(1)));
            taking.arg(period).arg(ahead).arg(u8::from(cell.refuses));
        }
        let work = async move |mut connection: MultiplexedConnection| taking.invoke_async(&mut connection).await;
        let waits: Vec<u64> = self.ask(work).await?;
        if waits.len() == cells.len() { Ok(waits) } else { Err(Away) }
    }

    fn nodes(&self) -> u32 {
        Self::nodes(self)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The port that limits ask.
pub(super) fn tally(link: &Arc<Link>) -> Arc<dyn Tally> {
    Arc::<Link>::clone(link)
}
