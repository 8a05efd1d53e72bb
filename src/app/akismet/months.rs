//! Months, as clients of Akismet's protocol name them: `2026-11`.

use crate::domain::time::Timestamp;

/// When a month begins, and when the next one does; `None` when it is no month.
#[must_use]
pub fn bounds(month: &str) -> Option<(Timestamp, Timestamp)> {
    Some((begin(month)?, begin(&next(month)?)?))
}

/// The month of a moment.
#[must_use]
pub fn of(at: Timestamp) -> String {
    at.to_string().chars().take(7).collect()
}

/// The latest `most` months up to that of `now`, oldest first, and none before that of `first`.
#[must_use]
pub fn latest(first: Timestamp, now: Timestamp, most: usize) -> Vec<String> {
    let first = of(first);
    let earlier = |month: &String| previous(month).filter(|month| *month >= first);
    let mut months: Vec<String> = std::iter::successors(Some(of(now)), earlier).take(most).collect();
    months.reverse();
    months
}

fn begin(month: &str) -> Option<Timestamp> {
    let is_month = month.len() == 7 && month.is_ascii();
    is_month.then(|| Timestamp::parse(&format!("{month}-01T00:00:00Z")).ok()).flatten()
}

fn parts(month: &str) -> Option<(u32, u32)> {
    let (year, month) = month.split_once('-')?;
    Some((year.parse().ok()?, month.parse().ok()?))
}

fn next(month: &str) -> Option<String> {
    let (year, month) = parts(month)?;
    Some(if month >= 12 { format!("{:04}-01", year + 1) } else { format!("{year:04}-{:02}", month + 1) })
}

fn previous(month: &str) -> Option<String> {
    let (year, month) = parts(month)?;
    Some(if month <= 1 { format!("{:04}-12", year.checked_sub(1)?) } else { format!("{year:04}-{:02}", month - 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other() {
        let at = |text: &str| Timestamp::parse(text).expect("a moment");
        assert_eq!(bounds("2026-12"), Some((at("2026-12-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))));
        for bad in ["", "2026", "2026-13", "2026-00", "26-11", "2026-1", "2026-11-01", "x026-11"] {
            assert_eq!(bounds(bad), None, "{bad}");
        }
        let now = at("2026-02-03T00:00:00Z");
        assert_eq!(latest(Timestamp::EPOCH, now, 3), ["2025-12", "2026-01", "2026-02"]);
        assert_eq!(latest(at("2026-01-31T00:00:00Z"), now, 9), ["2026-01", "2026-02"]);
    }
}
