//! Comments by hour, as stacked bars in an SVG's own units, coloured by classes. Pure.

use crate::domain::figures::{ByStatus, Hour};
use crate::domain::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;
/// Units from the foot of the picture to its top.
const HEIGHT: u64 = 240;
/// Units from one hour to the next.
const PITCH: u64 = 10;
/// Labels below the picture, at most.
const LABELS: usize = 5;

/// A part of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    pub y: u64,
    pub height: u64,
    /// A status's name.
    pub class: &'static str,
}

/// An hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub x: u64,
    /// When it began, in UTC: `11-24 10:00`.
    pub label: String,
    /// What arrived.
    pub hour: Hour,
    /// From the foot upwards; none for an hour in which nothing came.
    pub bars: Vec<Bar>,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HoursChart {
    pub width: u64,
    pub height: u64,
    /// Of a bar.
    pub bar: u64,
    /// One for each hour, whether something came in it or not, oldest first.
    pub columns: Vec<Column>,
    /// What the top of the picture stands for: even, and at least as many as came in any hour.
    pub top: u64,
    /// Of all hours.
    pub total: ByStatus,
    /// Below the picture, spread evenly from its beginning to its end.
    pub labels: Vec<String>,
}

/// Draws all hours that begin after `now` less `hours`, and the one that contains that moment.
pub(super) fn chart(counted: &[Hour], hours: u32, now: Timestamp) -> HoursChart {
    let hour_of = |at: Timestamp| at.as_millis().div_euclid(HOUR_MS);
    let last = hour_of(now);
    let first = last - i64::from(hours);
    let most = counted.iter().map(|hour| all(&hour.now)).max().unwrap_or(0);
    let top = even(most);
    let columns: Vec<Column> = (first..=last)
        .enumerate()
        .map(|(place, number)| {
            let at = Timestamp::from_millis(number * HOUR_MS);
            let found = counted.iter().find(|hour| hour_of(hour.at) == number);
            let hour = found.copied().unwrap_or(Hour { at, ..Hour::default() });
            Column { x: place as u64 * PITCH, label: label(at), hour, bars: bars(&hour.now, top) }
        })
        .collect();
    let total = columns.iter().fold(ByStatus::default(), |sum, column| ByStatus {
        approved: sum.approved + column.hour.now.approved,
        held: sum.held + column.hour.now.held,
        rejected: sum.rejected + column.hour.now.rejected,
    });
    let steps = LABELS.min(columns.len()).max(2) - 1;
    let labels = (0..=steps).map(|step| columns[step * (columns.len() - 1) / steps].label.clone()).collect();
    HoursChart { width: columns.len() as u64 * PITCH, height: HEIGHT, bar: PITCH * 4 / 5, columns, top, total, labels }
}

/// However they stand.
pub(super) fn all(counts: &ByStatus) -> u64 {
    u64::from(counts.approved) + u64::from(counts.held) + u64::from(counts.rejected)
}

/// The parts of a column. Heights come from sums, so that parts neither overlap nor leave gaps; what is there is always seen.
fn bars(counts: &ByStatus, top: u64) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut below = 0;
    for (count, class) in [(counts.approved, "approved"), (counts.held, "held"), (counts.rejected, "rejected")] {
        let (from, to) = (HEIGHT * below / top, HEIGHT * (below + u64::from(count)) / top);
        if count > 0 {
            let height = (to - from).max(1);
            bars.push(Bar { y: HEIGHT.saturating_sub(from + height), height, class });
        }
        below += u64::from(count);
    }
    bars
}

/// The smallest number that people like to read at an axis, of which half is one too.
fn even(most: u64) -> u64 {
    let mut ten = 1_u64;
    loop {
        if let Some(found) = [2, 4, 6, 8, 10].into_iter().map(|n| n * ten).find(|n| *n >= most) {
            return found;
        }
        ten *= 10; // of u32 sums: stays far from the end
    }
}

/// Month, day and hour, in UTC.
fn label(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(5..16).unwrap_or(&text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_514_400_000 + 600_000);

    fn hour(ago: i64, approved: u32, held: u32, rejected: u32) -> Hour {
        let begun = NOW.as_millis().div_euclid(HOUR_MS) - ago;
        let now = ByStatus { approved, held, rejected };
        Hour { at: Timestamp::from_millis(begun * HOUR_MS), now, first: ByStatus::default() }
    }

    #[test]
    fn every_hour_has_a_column_whether_something_came_or_not() {
        for hours in [1, 24, 48, 168] {
            let chart = chart(&[hour(1, 3, 0, 0)], hours, NOW);
            assert_eq!(chart.columns.len(), hours as usize + 1, "the hour that is cut at the beginning is there");
            assert_eq!(chart.columns.iter().filter(|column| column.bars.is_empty()).count(), hours as usize);
            assert!(chart.columns.iter().all(|column| column.x + chart.bar <= chart.width));
            assert_eq!(chart.labels.last(), Some(&chart.columns.last().unwrap().label));
        }
        let empty = chart(&[], 24, NOW);
        assert_eq!((empty.top, all(&empty.total), empty.columns.len()), (2, 0, 25));
    }

    #[test]
    fn heights_add_up_to_what_came() {
        let chart = chart(&[hour(2, 5, 2, 1), hour(0, 1, 1, 0)], 24, NOW);
        assert_eq!(chart.top, 8);
        let column = &chart.columns[22];
        assert_eq!(column.bars.iter().map(|bar| bar.height).sum::<u64>(), HEIGHT, "the fullest hour fills it");
        let mut foot = HEIGHT;
        for bar in &column.bars {
            assert_eq!(bar.y + bar.height, foot, "each stands on the one before");
            foot = bar.y;
        }
        assert_eq!(chart.columns[24].bars.iter().map(|bar| bar.height).sum::<u64>(), HEIGHT / 4, "two of eight");
        assert_eq!(chart.total, ByStatus { approved: 6, held: 3, rejected: 1 });
        assert_eq!(chart.columns[24].label, "11-24 10:00");
    }

    #[test]
    fn one_among_thousands_is_seen() {
        let chart = chart(&[hour(0, 90_000, 0, 1)], 1, NOW);
        assert_eq!(chart.top, 100_000);
        assert!(chart.columns[1].bars.iter().all(|bar| bar.height >= 1 && bar.y + bar.height <= HEIGHT));
    }
}
