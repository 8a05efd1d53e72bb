//! Working hours: `[working_hours]`, and what time it is when only they count.
//!
//! Time is counted as it passes: on the day on which clocks go forward, a window over that hour is an hour shorter. Rules of time zones are those
//! that the program was built with, so that every node counts the same, whatever is installed beside it.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Minutes of a day on the clock.
const DAY_MIN: u16 = 24 * 60;
/// Days that are looked at, at most: four years, of which no ten weeks are without work.
const DAYS_MAX: usize = 1_500;
/// Holidays at most.
const HOLIDAYS_MAX: usize = 366;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// All of them, Monday first.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];
}

/// `[working_hours]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The time zone by its name, as in `Europe/Berlin`.
    pub time_zone: String,
    /// Days on which people work.
    pub days: Vec<Day>,
    /// When work begins, as `HH:MM`.
    pub from: String,
    /// When it ends, as `HH:MM`; `24:00` for the end of the day.
    pub to: String,
    /// Days on which nobody works, as `YYYY-MM-DD`.
    pub holidays: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            days: Day::ALL.to_vec(),
            from: "00:00".to_owned(),
            to: "24:00".to_owned(),
            holidays: Vec::new(),
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Hours {
    zone: TimeZone,
    days: [bool; 7],
    from: u16,
    to: u16,
    holidays: BTreeSet<Date>,
}

impl Default for Hours {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, days: [true; 7], from: 0, to: DAY_MIN, holidays: BTreeSet::new() }
    }
}

impl Hours {
    /// Reads the settings.
    ///
    /// # Errors
    /// A sentence for the operator that names the setting.
    pub fn new(config: &Config) -> Result<Self, String> {
        let wrong = |key: &str, problem: &str| Err(format!("working_hours.{key}: {problem}"));
        let Ok(zone) = jiff::tz::db().get(&config.time_zone) else {
            return wrong(
                "time_zone",
                &format!("`{}` is no name of a time zone, as Europe/Berlin is", config.time_zone),
            );
        };
        let clock = |key: &str, text: &str| {
            minutes(text).ok_or_else(|| format!("working_hours.{key}: `{text}` is no time of day as 09:00 is"))
        };
        let (from, to) = (clock("from", &config.from)?, clock("to", &config.to)?);
        if from >= to {
            return wrong("to", "must be later than `from` on the same day; 24:00 is its end");
        }
        let mut days = [false; 7];
        for day in &config.days {
            days[*day as usize] = true;
        }
        if days == [false; 7] {
            return wrong("days", "somebody has to work on one of them");
        }
        if config.holidays.len() > HOLIDAYS_MAX {
            return wrong(
                "holidays",
                &format!("has {} days, at most {HOLIDAYS_MAX} are allowed", config.holidays.len()),
            );
        }
        let mut holidays = BTreeSet::new();
        for text in &config.holidays {
            let Some(date) = date(text) else {
                return wrong("holidays", &format!("`{text}` is no day as 2026-12-25 is"));
            };
            holidays.insert(date);
        }
        Ok(Self { zone, days, from, to, holidays })
    }

    /// Minutes of a week without holidays.
    #[must_use]
    pub fn minutes_a_week(&self) -> u64 {
        let days = self.days.iter().filter(|works| **works).count() as u64;
        days * u64::from(self.to - self.from)
    }

    /// When so many minutes of working hours have passed since `start`. The end of a day is still that day.
    #[must_use]
    pub fn due(&self, start: Timestamp, minutes: u32) -> Timestamp {
        let mut left = i64::from(minutes) * 60_000;
        if self.is_always() {
            return start.plus_millis(left);
        }
        let mut last = start;
        for (from, to) in self.windows(start) {
            let has = to.as_millis() - from.as_millis();
            if left <= has {
                return from.plus_millis(left);
            }
            left -= has;
            last = to;
        }
        last.plus_millis(left)
    }

    /// Milliseconds of working hours between two moments; zero when the second is the earlier one.
    #[must_use]
    pub fn worked_ms(&self, start: Timestamp, end: Timestamp) -> u64 {
        if self.is_always() {
            return end.millis_since(start);
        }
        let before_end = self.windows(start).take_while(|(from, _)| *from < end);
        before_end.map(|(from, to)| to.min(end).millis_since(from)).sum()
    }

    /// The day and the hour that it is there, as `2026-11-29` and `0..24`; `None` for moments that no calendar has.
    #[must_use]
    pub fn day_and_hour(&self, at: Timestamp) -> Option<(String, u8)> {
        let there = self.zone.to_datetime(moment(at)?);
        Some((there.date().to_string(), u8::try_from(there.hour()).ok()?))
    }

    /// The time there, as `2026-11-29 09:30`; the moment itself where no calendar has it.
    #[must_use]
    pub fn shown(&self, at: Timestamp) -> String {
        let Some(moment) = moment(at) else { return at.to_string() };
        let there = self.zone.to_datetime(moment);
        format!("{} {:02}:{:02}", there.date(), there.hour(), there.minute())
    }

    /// The name of the time zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Whether all time is working time.
    fn is_always(&self) -> bool {
        self.days == [true; 7] && self.from == 0 && self.to == DAY_MIN && self.holidays.is_empty()
    }

    /// Spans in which people work, from `start` on, in order. None overlap: where a calendar left out a whole day, they would.
    fn windows(&self, start: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let first = moment(start).map(|moment| self.zone.to_datetime(moment).date());
        let first = first.map(|date| date.yesterday().unwrap_or(date));
        let days = std::iter::successors(first, |date| date.tomorrow().ok());
        let mut reached = start;
        days.take(DAYS_MAX).filter_map(move |date| {
            let (from, to) = self.window(date)?;
            let from = from.max(reached);
            (from < to).then(|| {
                reached = to;
                (from, to)
            })
        })
    }

    /// When people work on that day.
    fn window(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        let works = self.days[usize::from(day_of(date.weekday()))] && !self.holidays.contains(&date);
        if !works {
            return None;
        }
        Some((self.moment_of(date, self.from)?, self.moment_of(date, self.to)?))
    }

    /// The moment at which clocks there show that. What they leave out is later by what they leave out; what they show twice is the first of both.
    fn moment_of(&self, date: Date, minutes: u16) -> Option<Timestamp> {
        let (date, minutes) = if minutes == DAY_MIN { (date.tomorrow().ok()?, 0) } else { (date, minutes) };
        let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
        let shown = date.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
        Some(Timestamp::from_millis(self.zone.to_timestamp(shown).ok()?.as_millisecond()))
    }
}

fn moment(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(at.as_millis()).ok()
}

const fn day_of(weekday: Weekday) -> u8 {
    match weekday {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

/// `HH:MM` in minutes.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number =
        |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?;
    let (hours, minutes): (u16, u16) = (number(hours)?, number(minutes)?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY_MIN).then_some(all)
}

/// `YYYY-MM-DD`.
fn date(text: &str) -> Option<Date> {
    let date: Date = (text.len() == 10).then(|| text.parse().ok())??;
    Some(date)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn config(zone: &str, days: &[Day], from: &str, to: &str) -> Config {
        Config {
            time_zone: zone.to_owned(),
            days: days.to_vec(),
            from: from.to_owned(),
            to: to.to_owned(),
            holidays: vec!["2026-12-25".to_owned(), "2027-01-01".to_owned()],
        }
    }

    fn hours(zone: &str, days: &[Day], from: &str, to: &str) -> Hours {
        Hours::new(&config(zone, days, from, to)).unwrap()
    }

    /// Monday to Friday, nine to five, in Berlin (UTC+1 in winter, UTC+2 in summer).
    fn office() -> Hours {
        hours("Europe/Berlin", &Day::ALL[..5], "09:00", "17:00")
    }

    #[test]
    fn due_is_when_that_much_work_has_passed() {
        let around = Hours::default();
        let night = hours("Europe/Berlin", &Day::ALL, "00:00", "24:00");
        let early = hours("Europe/Berlin", &Day::ALL, "01:00", "04:00");
        let within = hours("Europe/Berlin", &Day::ALL, "02:15", "02:45");
        let apia = hours("Pacific/Apia", &Day::ALL, "09:00", "17:00");
        for (case, hours, held, minutes, due) in [
            ("around the clock", &around, "2026-11-28T23:50:00Z", 30, "2026-11-29T00:20:00Z"),
            ("within a day", &office(), "2026-11-27T08:00:00Z", 60, "2026-11-27T09:00:00Z"),
            ("the end of a day is that day", &office(), "2026-11-27T15:00:00Z", 60, "2026-11-27T16:00:00Z"),
            ("over a weekend", &office(), "2026-11-27T15:30:00Z", 60, "2026-11-30T08:30:00Z"),
            ("after hours", &office(), "2026-11-26T20:00:00Z", 60, "2026-11-27T09:00:00Z"),
            ("before hours", &office(), "2026-11-27T03:00:00Z", 60, "2026-11-27T09:00:00Z"),
            ("on a Saturday", &office(), "2026-11-28T12:00:00Z", 1, "2026-11-30T08:01:00Z"),
            ("over several days", &office(), "2026-11-23T08:00:00Z", 3 * 480 + 1, "2026-11-26T08:01:00Z"),
            ("over Christmas and its weekend", &office(), "2026-12-24T15:30:00Z", 60, "2026-12-28T08:30:00Z"),
            ("on a holiday", &office(), "2027-01-01T09:00:00Z", 30, "2027-01-04T08:30:00Z"),
            ("over the change to summer", &office(), "2026-03-27T15:30:00Z", 60, "2026-03-30T07:30:00Z"),
            ("over the change to winter", &office(), "2026-10-23T14:30:00Z", 60, "2026-10-26T08:30:00Z"),
            ("a day of 23 hours", &night, "2026-03-28T23:00:00Z", 23 * 60, "2026-03-29T22:00:00Z"),
            ("a day of 25 hours", &night, "2026-10-24T22:00:00Z", 25 * 60, "2026-10-25T23:00:00Z"),
            ("an hour that clocks leave out", &early, "2026-03-29T00:00:00Z", 121, "2026-03-29T23:01:00Z"),
            ("an hour that clocks show twice", &early, "2026-10-24T23:00:00Z", 240, "2026-10-25T03:00:00Z"),
            ("a window that clocks leave out", &within, "2026-03-29T00:30:00Z", 30, "2026-03-29T01:45:00Z"),
            ("a day that a calendar left out", &apia, "2011-12-30T02:00:00Z", 8 * 60 + 60, "2011-12-31T03:00:00Z"),
        ] {
            assert_eq!(hours.due(at(held), minutes), at(due), "{case}");
        }
    }

    #[test]
    fn work_between_two_moments_leaves_out_when_nobody_works() {
        for (case, from, to, minutes) in [
            ("a weekend", "2026-11-27T15:30:00Z", "2026-11-30T08:30:00Z", 60),
            ("a night", "2026-11-26T17:00:00Z", "2026-11-27T07:00:00Z", 0),
            ("a week", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z", 5 * 480),
            ("Christmas week", "2026-12-21T00:00:00Z", "2026-12-28T00:00:00Z", 4 * 480),
            ("backwards", "2026-11-30T08:30:00Z", "2026-11-27T15:30:00Z", 0),
        ] {
            assert_eq!(office().worked_ms(at(from), at(to)), minutes * 60_000, "{case}");
        }
    }

    #[test]
    fn the_day_and_the_hour_are_those_of_the_zone() {
        let shown = |text: &str| office().day_and_hour(at(text)).unwrap();
        assert_eq!(shown("2026-11-28T23:10:00Z"), ("2026-11-29".to_owned(), 0));
        assert_eq!(shown("2026-07-01T21:59:00Z"), ("2026-07-01".to_owned(), 23));
        assert_eq!(office().shown(at("2026-11-28T23:10:00Z")), "2026-11-29 00:10");
        assert_eq!(office().zone(), "Europe/Berlin");
        assert_eq!(office().day_and_hour(Timestamp::from_millis(i64::MAX)), None);
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let week = &Day::ALL;
        for (wrong, problem) in [
            (
                config("Berlin", week, "09:00", "17:00"),
                "working_hours.time_zone: `Berlin` is no name of a time zone, as Europe/Berlin is",
            ),
            (config("UTC", &[], "09:00", "17:00"), "working_hours.days: somebody has to work on one of them"),
            (config("UTC", week, "9:00", "17:00"), "working_hours.from: `9:00` is no time of day as 09:00 is"),
            (config("UTC", week, "09:00", "24:01"), "working_hours.to: `24:01` is no time of day as 09:00 is"),
            (config("UTC", week, "09:60", "17:00"), "working_hours.from: `09:60` is no time of day as 09:00 is"),
            (
                config("UTC", week, "22:00", "06:00"),
                "working_hours.to: must be later than `from` on the same day; 24:00 is its end",
            ),
            (
                Config { holidays: vec!["2026-02-30".to_owned()], ..Config::default() },
                "working_hours.holidays: `2026-02-30` is no day as 2026-12-25 is",
            ),
        ] {
            assert_eq!(Hours::new(&wrong).map(|_| ()), Err(problem.to_owned()));
        }
    }

    fn some_hours() -> impl Strategy<Value = Hours> {
        let zones =
            ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"];
        let days = prop::collection::vec(prop::sample::select(Day::ALL.to_vec()), 1..7);
        (prop::sample::select(zones.to_vec()), days, 0..1_380_u16, 60..1_440_u16).prop_map(
            |(zone, days, from, long)| {
                let to = (from + long).min(1_440);
                let clock = |all: u16| format!("{:02}:{:02}", all / 60, all % 60);
                hours(zone, &days, &clock(from), &clock(to))
            },
        )
    }

    proptest! {
        #[test]
        fn between_arriving_and_being_due_lies_exactly_the_level(
            hours in some_hours(), start in 1_700_000_000_000_i64..1_900_000_000_000, minutes in 1..3_000_u32,
        ) {
            let start = Timestamp::from_millis(start);
            let due = hours.due(start, minutes);
            prop_assert!(due > start);
            prop_assert_eq!(hours.worked_ms(start, due), u64::from(minutes) * 60_000);
        }

        #[test]
        fn who_came_first_is_due_first_and_a_longer_level_is_never_sooner(
            hours in some_hours(), start in 1_700_000_000_000_i64..1_900_000_000_000, later in 0..2_000_000_000_i64,
            minutes in 1..3_000_u32, more in 0..600_u32,
        ) {
            let first = Timestamp::from_millis(start);
            prop_assert!(hours.due(first, minutes) <= hours.due(first.plus_millis(later), minutes));
            prop_assert!(hours.due(first, minutes) <= hours.due(first, minutes + more));
        }

        #[test]
        fn work_adds_up_and_is_never_more_than_time(
            hours in some_hours(), start in 1_700_000_000_000_i64..1_900_000_000_000,
            first in 0..1_000_000_000_i64, second in 0..1_000_000_000_i64,
        ) {
            let a = Timestamp::from_millis(start);
            let (b, c) = (a.plus_millis(first), a.plus_millis(first + second));
            prop_assert_eq!(hours.worked_ms(a, b) + hours.worked_ms(b, c), hours.worked_ms(a, c));
            prop_assert!(hours.worked_ms(a, c) <= c.millis_since(a));
        }

        #[test]
        fn no_moment_makes_it_fail(hours in some_hours(), start in any::<i64>(), end in any::<i64>(), minutes in any::<u32>()) {
            let (start, end) = (Timestamp::from_millis(start), Timestamp::from_millis(end));
            prop_assert!(hours.due(start, minutes) >= start);
            let _ = hours.worked_ms(start, end);
        }
    }
}
