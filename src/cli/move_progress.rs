//! How far a move is and how long it still takes, in lines for whoever waits.

use std::io::{IsTerminal as _, Write as _};

use crate::domain::time::Timestamp;
use crate::storage::moving::Step;

/// Between two lines in a log, in milliseconds.
pub(super) const LOG_EVERY_MS: u64 = 10_000;
/// Between two changes of the line on a terminal, in milliseconds.
pub(super) const TERMINAL_EVERY_MS: u64 = 250;
/// Goes back to the beginning of a terminal's line, and clears it.
pub(super) const ANEW: &str = "\r\x1b[K";

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Stays.
    Lasting(String),
    /// Is out of date with the next one.
    Passing(String),
}

/// Rows that one of the two ways through everything has behind it.
#[derive(Debug, Clone, Copy)]
struct Way {
    begun: Timestamp,
    /// When it began: those of an earlier move, which took none of this one's time.
    before: u64,
    rows: u64,
}

/// See the module.
pub(super) struct Progress {
    is_terminal: bool,
    /// Rows at the source, at most.
    total: u64,
    copied: Way,
    compared: Option<Way>,
    /// Rows of the table that is being compared, and the ones of those before it.
    compared_before: u64,
    said: Timestamp,
}

impl Progress {
    /// For standard error.
    pub(super) fn new(now: Timestamp) -> Self {
        Self::to(std::io::stderr().is_terminal(), now)
    }

    const fn to(is_terminal: bool, now: Timestamp) -> Self {
        let copied = Way { begun: now, before: 0, rows: 0 };
        Self { is_terminal, total: 0, copied, compared: None, compared_before: 0, said: now }
    }

    /// Writes what there is to say. Nobody may be there to read it, which stops no move.
    pub(super) fn tell(&mut self, step: Step, now: Timestamp) {
        let anew = if self.is_terminal { ANEW } else { "" };
        let mut out = std::io::stderr().lock();
        for line in self.lines(step, now) {
            let _ = match line {
                Line::Passing(line) if self.is_terminal => write!(out, "{anew}{line}"),
                Line::Lasting(line) | Line::Passing(line) => writeln!(out, "{anew}{line}"),
            };
        }
        let _ = out.flush();
    }

    /// Leaves the terminal's line to what comes next.
    pub(super) fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "{ANEW}");
        }
    }

    fn lines(&mut self, step: Step, now: Timestamp) -> Vec<Line> {
        let (way, done) = match step {
            Step::Counted { rows, arrived } => {
                self.total = rows;
                self.copied = Way { begun: now, before: arrived, rows: arrived };
                let earlier = if arrived == 0 { String::new() } else { format!(", {arrived} of them moved before") };
                return vec![Line::Lasting(format!("at most {rows} rows to move{earlier}"))];
            }
            Step::Moved { table, rows, new, done } => {
                self.copied.rows += new;
                let done = done.then(|| format!("moved {table}: {rows} rows"));
                (self.copied.told("copied", self.total, now), done)
            }
            Step::Verified { table, rows, done } => {
                let way = self.compared.get_or_insert(Way { begun: now, before: 0, rows: 0 });
                way.rows = self.compared_before + rows;
                if done {
                    self.compared_before = way.rows;
                }
                let done = done.then(|| format!("read again {table}: {rows} rows"));
                // Now it is known how many rows there are.
                (way.told("compared", self.copied.rows, now), done)
            }
        };
        let mut lines: Vec<Line> = done.into_iter().map(Line::Lasting).collect();
        let every = if self.is_terminal { TERMINAL_EVERY_MS } else { LOG_EVERY_MS };
        // After a lasting line the terminal shows no passing one any more.
        if now.millis_since(self.said) >= every || (self.is_terminal && !lines.is_empty()) {
            self.said = now;
            lines.push(Line::Passing(way));
        }
        lines
    }
}

impl Way {
    fn told(&self, done: &str, total: u64, now: Timestamp) -> String {
        let total = total.max(self.rows);
        let (new, left) = (u128::from(self.rows - self.before), u128::from(total - self.rows));
        // Clocks are set back now and then: then it looks slow for a while.
        let passed = u128::from(now.millis_since(self.begun).max(1));
        let rate = new * 1_000 / passed;
        let remaining =
            (left * passed).checked_div(new).map_or_else(|| "unknown".to_owned(), |ms| duration(ms / 1_000));
        format!("{done} {} of {total} rows, {rate} rows/s, time left for this: {remaining}", self.rows)
    }
}

pub(super) fn duration(seconds: u128) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds} s"),
        (_, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn moved(rows: u64, new: u64, done: bool) -> Step {
        Step::Moved { table: "comment", rows, new, done }
    }

    #[test]
    fn a_log_has_a_line_every_ten_seconds_and_one_for_each_table() {
        let mut progress = Progress::to(false, at(0));
        let begun = progress.lines(Step::Counted { rows: 100_000, arrived: 0 }, at(0));
        assert_eq!(begun, [Line::Lasting("at most 100000 rows to move".to_owned())]);
        assert_eq!(progress.lines(moved(5_000, 5_000, false), at(9_999)), []);
        let line = "copied 10000 of 100000 rows, 1000 rows/s, time left for this: 1 min 30 s".to_owned();
        assert_eq!(progress.lines(moved(10_000, 5_000, false), at(10_000)), [Line::Passing(line)]);
        assert_eq!(progress.lines(moved(15_000, 5_000, false), at(15_000)), []);
        let line = "moved comment: 20000 rows".to_owned();
        assert_eq!(progress.lines(moved(20_000, 5_000, true), at(19_000)), [Line::Lasting(line)]);
    }

    #[test]
    fn rows_of_an_earlier_move_count_as_done_and_not_as_fast() {
        let mut progress = Progress::to(false, at(0));
        let _ = progress.lines(Step::Counted { rows: 100_000, arrived: 90_000 }, at(0));
        let line = "copied 91000 of 100000 rows, 100 rows/s, time left for this: 1 min 30 s".to_owned();
        assert_eq!(progress.lines(moved(91_000, 1_000, false), at(10_000)), [Line::Passing(line)]);
    }

    #[test]
    fn comparing_has_a_pace_of_its_own() {
        let mut progress = Progress::to(true, at(0));
        let _ = progress.lines(Step::Counted { rows: 500, arrived: 0 }, at(0));
        let _ = progress.lines(moved(400, 400, true), at(100_000));
        let step = |table, rows, done| Step::Verified { table, rows, done };
        let _ = progress.lines(step("audit", 100, true), at(200_000));
        let line = "compared 200 of 400 rows, 200 rows/s, time left for this: 1 s".to_owned();
        assert_eq!(progress.lines(step("comment", 100, false), at(201_000)), [Line::Passing(line)]);
        let lines = progress.lines(step("comment", 300, true), at(201_001));
        assert_eq!(lines[0], Line::Lasting("read again comment: 300 rows".to_owned()));
        assert!(matches!(&lines[1], Line::Passing(line) if line.starts_with("compared 400 of 400 rows")), "{lines:?}");
    }

    #[test]
    fn a_clock_that_is_set_back_and_more_rows_than_were_counted_are_no_trouble() {
        let mut progress = Progress::to(true, at(5_000));
        let _ = progress.lines(Step::Counted { rows: 10, arrived: 0 }, at(5_000));
        let lines = progress.lines(moved(20, 20, true), at(1_000));
        assert!(matches!(&lines[1], Line::Passing(line) if line.ends_with("time left for this: 0 s")), "{lines:?}");
        assert_eq!(duration(7_384), "2 h 3 min");
    }
}
