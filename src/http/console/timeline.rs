//! When comments came, as bars: whole numbers in an SVG's own units, coloured by classes. Pure.

use crate::domain::decision::Status;
use crate::domain::time::Timestamp;

/// Lengths of a step, in milliseconds: the shortest that needs no more columns than there are.
const STEPS_MS: [i64; 9] = [
    3_600_000,
    3 * 3_600_000,
    6 * 3_600_000,
    12 * 3_600_000,
    86_400_000,
    2 * 86_400_000,
    7 * 86_400_000,
    28 * 86_400_000,
    364 * 86_400_000,
];
/// Columns at least, so that what came within an hour is not one broad wall.
const COLUMNS_MIN: usize = 24;

/// A part of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    pub x: u64,
    pub y: u64,
    pub width: u64,
    pub height: u64,
    /// A status's name.
    pub class: &'static str,
}

/// A chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chart {
    /// Of the picture, in its own units.
    pub width: u64,
    /// Of the picture, in its own units.
    pub height: u64,
    /// What to draw.
    pub bars: Vec<Bar>,
    /// Comments shown.
    pub total: usize,
    /// Most comments in one step.
    pub most: u64,
    /// A step's length, in seconds.
    pub step_s: u64,
}

/// Draws arrivals, oldest first, in at most so many columns.
pub(super) fn chart(arrivals: &[(Timestamp, Status)], columns: usize, (width, height): (u64, u64)) -> Chart {
    let first = arrivals.first().map_or(0, |(at, _)| at.as_millis());
    let last = arrivals.last().map_or(0, |(at, _)| at.as_millis());
    let column = |at: i64, step: i64| usize::try_from(at.div_euclid(step) - first.div_euclid(step)).unwrap_or(0);
    let fits = |step: &i64| column(last, *step) < columns;
    let step = STEPS_MS.into_iter().find(fits).unwrap_or(STEPS_MS[STEPS_MS.len() - 1]);
    let used = (column(last, step) + 1).min(columns).max(COLUMNS_MIN.min(columns));
    let mut counts = vec![[0_u64; 3]; used];
    for (at, status) in arrivals {
        let place = match status {
            Status::Approved => 0,
            Status::Held => 1,
            Status::Rejected => 2,
        };
        counts[column(at.as_millis(), step).min(used - 1)][place] += 1;
    }
    let most = counts.iter().map(|column| column.iter().sum()).max().unwrap_or(0);
    let pitch = width / used as u64;
    let mut bars = Vec::new();
    for (at, column) in counts.iter().enumerate() {
        let mut below = 0;
        for (count, class) in column.iter().zip(["approved", "held", "rejected"]) {
            if *count == 0 {
                continue;
            }
            // From sums, so that parts of a column neither overlap nor leave gaps.
            let (from, to) = (height * below / most, height * (below + count) / most);
            let (x, height_of) = (at as u64 * pitch, (to - from).max(1));
            bars.push(Bar {
                x,
                y: height.saturating_sub(from + height_of),
                width: pitch * 4 / 5,
                height: height_of,
                class,
            });
            below += count;
        }
    }
    Chart { width, height, bars, total: arrivals.len(), most, step_s: step.unsigned_abs() / 1_000 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn drawn(hours: &[(i64, Status)], columns: usize) -> Chart {
        let arrivals: Vec<_> = hours.iter().map(|(at, status)| (Timestamp::from_millis(at * HOUR), *status)).collect();
        chart(&arrivals, columns, (720, 100))
    }

    #[test]
    fn columns_are_hours_while_there_is_room_for_them() {
        for (hours, columns, step_h) in
            [(0, 72, 1), (71, 72, 1), (72, 72, 3), (24 * 30, 72, 12), (24 * 400, 24, 28 * 24)]
        {
            let chart = drawn(&[(0, Status::Held), (hours, Status::Held)], columns);
            assert_eq!(chart.step_s, step_h * 3_600, "{hours} hours in {columns}");
            assert!(chart.bars.iter().all(|bar| bar.x + bar.width <= chart.width), "nothing is drawn outside");
        }
    }

    #[test]
    fn a_column_is_as_high_as_its_comments() {
        let one = |status| (0, status);
        let chart =
            drawn(&[one(Status::Approved), one(Status::Approved), one(Status::Held), one(Status::Rejected)], 24);
        let parts: Vec<_> = chart.bars.iter().map(|bar| (bar.class, bar.y, bar.height)).collect();
        assert_eq!(parts, [("approved", 50, 50), ("held", 25, 25), ("rejected", 0, 25)]);
        assert_eq!((chart.most, chart.total), (4, 4));
    }

    #[test]
    fn nothing_draws_nothing_and_ages_do_not_overflow() {
        assert!(drawn(&[], 24).bars.is_empty());
        let ages = drawn(&[(0, Status::Held), (24 * 365 * 60, Status::Held)], 24);
        assert_eq!(ages.bars.len(), 2);
    }
}
