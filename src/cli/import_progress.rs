//! How far an import is and how long it still takes, in one line that changes on a terminal, and in lines elsewhere.

use std::io::{IsTerminal as _, Write as _};

use super::move_progress::{ANEW, LOG_EVERY_MS, TERMINAL_EVERY_MS, duration};
use crate::domain::time::Timestamp;

/// See the module.
pub(super) struct Progress {
    is_terminal: bool,
    /// What is being done.
    doing: &'static str,
    begun: Timestamp,
    /// Entries that an earlier import brought: they took none of this one's time.
    before: u64,
    /// All entries, when it is known.
    total: Option<u64>,
    said: Timestamp,
}

impl Progress {
    /// For standard error.
    pub(super) fn new(doing: &'static str, total: Option<u64>, before: u64, now: Timestamp) -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), doing, begun: now, before, total, said: now }
    }

    /// Writes where it is, when it is time for that. Nobody may be there to read it, which stops nothing.
    pub(super) fn tell(&mut self, entries: u64, now: Timestamp) {
        let every = if self.is_terminal { TERMINAL_EVERY_MS } else { LOG_EVERY_MS };
        if now.millis_since(self.said) < every {
            return;
        }
        self.said = now;
        let line = self.line(entries, now);
        let mut out = std::io::stderr().lock();
        let _ = if self.is_terminal { write!(out, "{ANEW}{line}") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }

    /// Leaves the terminal's line to what comes next.
    pub(super) fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "{ANEW}");
        }
    }

    fn line(&self, entries: u64, now: Timestamp) -> String {
        let new = u128::from(entries.saturating_sub(self.before));
        // Clocks are set back now and then: then it looks slow for a while.
        let passed = u128::from(now.millis_since(self.begun).max(1));
        let rate = new * 1_000 / passed;
        let Some(total) = self.total else { return format!("{} {entries} entries, {rate} a second", self.doing) };
        let left = u128::from(total.saturating_sub(entries));
        let left = (left * passed).checked_div(new).map_or_else(|| "unknown".to_owned(), |ms| duration(ms / 1_000));
        format!("{} {entries} of {total} entries, {rate} a second, time left: {left}", self.doing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_import_brought_does_not_make_this_one_look_fast() {
        let at = Timestamp::from_millis;
        let progress = Progress::new("brought in", Some(200_000), 100_000, at(0));
        let line = progress.line(110_000, at(10_000));
        assert_eq!(line, "brought in 110000 of 200000 entries, 1000 a second, time left: 1 min 30 s");
        assert!(progress.line(100_000, at(5)).ends_with("time left: unknown"));
        let progress = Progress::new("looked at", None, 0, at(0));
        assert_eq!(progress.line(500, at(1_000)), "looked at 500 entries, 500 a second");
    }
}
