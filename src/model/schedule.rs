//! When a campaign's files are due: wall-clock times of a time zone, as moments.
//!
//! Each due time has a window, and a file that is put into the bucket within it counts for that due time. The windows
//! follow each other without a gap, so that every file counts for exactly one. Daylight saving is as RFC 5545 has it: a
//! local time that does not exist is read by the offset before the change, so it moves on by as much as clocks do; of
//! one that exists twice the first is meant.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{
    DateTime, Datelike as _, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday,
};
use chrono::{Offset as _, TimeZone as _};
use chrono_tz::Tz;

/// How far is looked for another due time: longer than any chain of exceptions that somebody writes.
const HORIZON_DAYS: u64 = 3 * 366;

/// When a campaign's files are due.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The times, together.
    pub times: Vec<DueTime>,
    /// Whose wall clocks are meant.
    pub zone: Tz,
    /// Days on which nothing is due.
    pub except: BTreeSet<NaiveDate>,
    /// How long after it was due a file is late; then it is missing.
    pub grace: TimeDelta,
    /// How long before it is due a file counts; `None`: from half-way between the due time before and this one.
    pub opens: Option<TimeDelta>,
}

/// Such as `weekdays 09:00`.
#[derive(Debug, Clone, PartialEq)]
pub struct DueTime {
    days: DueDays,
    at: NaiveTime,
}

#[derive(Debug, Clone, PartialEq)]
enum DueDays {
    Daily,
    Of(Vec<Weekday>),
    Monthly(u32),
    MonthEnd,
}

/// One due time, and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// When the file is due.
    pub due_at: DateTime<Utc>,
    /// From when on a file counts for it.
    pub opens_at: DateTime<Utc>,
    /// From when on a file that is not there is missing.
    pub missing_from: DateTime<Utc>,
    /// From when on a file counts for the next one.
    pub closes_at: DateTime<Utc>,
}

impl DueTime {
    /// What a due time may look like, for whoever wrote another.
    pub const FORMS: &'static str =
        "\"daily 09:00\", \"weekdays 09:00\", \"mon,thu 06:30\", \"monthly 1 08:00\" or \"monthly last 08:00\"";

    /// Reads one as it is configured.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind the name of its key.
    pub fn parse(text: &str) -> Result<DueTime, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (days, at) = match words[..] {
            ["daily", at] => (DueDays::Daily, at),
            ["weekdays", at] => {
                (DueDays::Of(vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri]), at)
            }
            ["monthly", "last", at] => (DueDays::MonthEnd, at),
            ["monthly", day, at] => match day.parse() {
                Ok(day @ 1..=28) => (DueDays::Monthly(day), at),
                Ok(29..=31) => {
                    let why = "not every month has that day; write a day from 1 to 28, or \"last\"";
                    return Err(format!("cannot be {text:?}: {why}"));
                }
                _ => return Err(format!("cannot be {text:?}; write {}", Self::FORMS)),
            },
            [days, at] => {
                let days: Option<Vec<Weekday>> = days.split(',').map(weekday).collect();
                (DueDays::Of(days.ok_or_else(|| format!("cannot be {text:?}; write {}", Self::FORMS))?), at)
            }
            _ => return Err(format!("cannot be {text:?}; write {}", Self::FORMS)),
        };
        let at = NaiveTime::parse_from_str(at, "%H:%M")
            .map_err(|_| format!("cannot be {text:?}: the time of day is written from 00:00 to 23:59"))?;
        Ok(DueTime { days, at })
    }

    fn is_on(&self, day: NaiveDate) -> bool {
        match &self.days {
            DueDays::Daily => true,
            DueDays::Of(days) => days.contains(&day.weekday()),
            DueDays::Monthly(of_month) => day.day() == *of_month,
            DueDays::MonthEnd => day.succ_opt().is_none_or(|next| next.day() == 1),
        }
    }
}

/// The usual three letters alone.
fn weekday(name: &str) -> Option<Weekday> {
    if name.len() == 3 { name.parse().ok() } else { None }
}

impl fmt::Display for DueTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.days {
            DueDays::Daily => f.write_str("daily")?,
            DueDays::Of(days) => {
                let names: Vec<String> = days.iter().map(|day| day.to_string().to_lowercase()).collect();
                f.write_str(&names.join(","))?;
            }
            DueDays::Monthly(day) => write!(f, "monthly {day}")?,
            DueDays::MonthEnd => f.write_str("monthly last")?,
        }
        write!(f, " {}", self.at.format("%H:%M"))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for time in &self.times {
            write!(f, "{time}, ")?;
        }
        f.write_str(self.zone.name())
    }
}

impl Schedule {
    /// The first due time behind a moment; `None` where exceptions leave none in sight.
    pub fn next(&self, behind: DateTime<Utc>) -> Option<Occurrence> {
        self.window(self.due_after(behind)?)
    }

    /// Whether this moment is a due time of it, with the window that it has now.
    pub fn has(&self, occurrence: &Occurrence) -> bool {
        self.on_day(self.day_of(occurrence.due_at)).contains(&occurrence.due_at)
            && self.window(occurrence.due_at).as_ref() == Some(occurrence)
    }

    /// Two due times that follow each other within less than the grace, so that the one could still come in when the
    /// other is due.
    pub fn overlap(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        // Four years have every weekday, every month and a leap day: what follows each other so, does so there.
        let start = NaiveDate::from_ymd_opt(2024, 1, 1)?;
        let days = (0..4 * 366).filter_map(|days| start.checked_add_days(Days::new(days)));
        let all: BTreeSet<DateTime<Utc>> = days.flat_map(|day| self.on_day(day)).collect();
        all.iter()
            .zip(all.iter().skip(1))
            .map(|(one, next)| (*one, *next))
            .find(|(one, next)| *next - *one <= self.grace)
    }

    fn window(&self, due_at: DateTime<Utc>) -> Option<Occurrence> {
        let next = self.due_after(due_at)?;
        let opens_at = match self.due_before(due_at) {
            Some(before) => self.opens_between(before, due_at),
            None => due_at - self.opens.unwrap_or(TimeDelta::days(1)),
        };
        let closes_at = self.opens_between(due_at, next);
        Some(Occurrence { due_at, opens_at, missing_from: due_at + self.grace, closes_at })
    }

    /// Where the window of one ends and that of the next begins: not before the one is missing.
    fn opens_between(&self, one: DateTime<Utc>, next: DateTime<Utc>) -> DateTime<Utc> {
        let wished = match self.opens {
            Some(opens) => next - opens,
            None => one + (next - one) / 2,
        };
        wished.max(one + self.grace)
    }

    fn due_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // From the day before: a local time that does not exist may have moved on across midnight.
        let start = self.day_of(moment).checked_sub_days(Days::new(1))?;
        let mut days = (0..HORIZON_DAYS).filter_map(|days| start.checked_add_days(Days::new(days)));
        days.find_map(|day| self.on_day(day).into_iter().find(|due| *due > moment))
    }

    fn due_before(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let start = self.day_of(moment);
        let mut days = (0..HORIZON_DAYS).filter_map(|days| start.checked_sub_days(Days::new(days)));
        days.find_map(|day| self.on_day(day).into_iter().rev().find(|due| *due < moment))
    }

    fn day_of(&self, moment: DateTime<Utc>) -> NaiveDate {
        moment.with_timezone(&self.zone).date_naive()
    }

    /// What is due on a day, in order.
    fn on_day(&self, day: NaiveDate) -> Vec<DateTime<Utc>> {
        if self.except.contains(&day) {
            return Vec::new();
        }
        let times = self.times.iter().filter(|time| time.is_on(day));
        let all: BTreeSet<DateTime<Utc>> = times.map(|time| moment(self.zone, day.and_time(time.at))).collect();
        all.into_iter().collect()
    }
}

/// The moment at which wall clocks show this.
fn moment(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let offset = match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => offset.fix(),
        // The offset before the change, which lies a quarter of an hour to a day back.
        LocalResult::None => {
            let earlier = (1..=100).map(|quarters| local - TimeDelta::minutes(15 * quarters));
            let mut offsets = earlier.filter_map(|local| zone.offset_from_local_datetime(&local).latest());
            offsets.next().map_or(zone.offset_from_utc_datetime(&local).fix(), |offset| offset.fix())
        }
    };
    (local - offset).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(zone: &str, times: &[&str]) -> Schedule {
        Schedule {
            times: times.iter().map(|time| DueTime::parse(time).expect("valid")).collect(),
            zone: zone.parse().expect("a zone"),
            except: BTreeSet::new(),
            grace: TimeDelta::minutes(30),
            opens: None,
        }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    /// So many due times behind a moment, as wall clocks of the zone show them, with their offset.
    fn dues(schedule: &Schedule, behind: &str, count: usize) -> Vec<String> {
        let mut at = utc(behind);
        let mut dues = Vec::new();
        while dues.len() < count {
            at = schedule.next(at).expect("there is another").due_at;
            dues.push(at.with_timezone(&schedule.zone).format("%a %Y-%m-%d %H:%M %z").to_string());
        }
        dues
    }

    #[test]
    fn a_time_that_clocks_skip_moves_on_and_one_that_they_show_twice_is_the_first() {
        let berlin = schedule("Europe/Berlin", &["daily 02:30"]);
        assert_eq!(
            dues(&berlin, "2025-03-29T00:00:00Z", 3),
            ["Sat 2025-03-29 02:30 +0100", "Sun 2025-03-30 03:30 +0200", "Mon 2025-03-31 02:30 +0200"]
        );
        assert_eq!(
            dues(&berlin, "2025-10-25T00:00:00Z", 4),
            [
                "Sat 2025-10-25 02:30 +0200",
                "Sun 2025-10-26 02:30 +0200",
                "Mon 2025-10-27 02:30 +0100",
                "Tue 2025-10-28 02:30 +0100"
            ]
        );
        let new_york = schedule("America/New_York", &["daily 02:00", "sun 01:30"]);
        assert_eq!(
            dues(&new_york, "2025-03-09T06:00:00Z", 3),
            ["Sun 2025-03-09 01:30 -0500", "Sun 2025-03-09 03:00 -0400", "Mon 2025-03-10 02:00 -0400"]
        );
        assert_eq!(
            dues(&new_york, "2025-11-01T12:00:00Z", 3),
            ["Sun 2025-11-02 01:30 -0400", "Sun 2025-11-02 02:00 -0500", "Mon 2025-11-03 02:00 -0500"]
        );
        // What moves on to a time that is due as well is due once; a day that a zone left out moves on by a day.
        assert_eq!(
            dues(&schedule("America/New_York", &["daily 02:15", "daily 03:15"]), "2025-03-09T06:00:00Z", 2),
            ["Sun 2025-03-09 03:15 -0400", "Mon 2025-03-10 02:15 -0400"]
        );
        assert_eq!(
            dues(&schedule("Pacific/Apia", &["daily 09:00"]), "2011-12-29T00:00:00Z", 3),
            ["Thu 2011-12-29 09:00 -1000", "Sat 2011-12-31 09:00 +1400", "Sun 2012-01-01 09:00 +1400"]
        );
    }

    #[test]
    fn months_end_years_turn_and_holidays_are_left_out() {
        let month_end = schedule("UTC", &["monthly last 08:00"]);
        assert_eq!(
            dues(&month_end, "2023-12-31T07:59:59Z", 4),
            [
                "Sun 2023-12-31 08:00 +0000",
                "Wed 2024-01-31 08:00 +0000",
                "Thu 2024-02-29 08:00 +0000",
                "Sun 2024-03-31 08:00 +0000"
            ]
        );
        let first = schedule("UTC", &["monthly 1 08:00"]);
        assert_eq!(
            dues(&first, "2025-11-01T08:00:00Z", 2),
            ["Mon 2025-12-01 08:00 +0000", "Thu 2026-01-01 08:00 +0000"]
        );
        let mut weekdays = schedule("Europe/Berlin", &["weekdays 09:00"]);
        weekdays.except.extend(["2025-12-25", "2025-12-26", "2026-01-01"].map(|day| day.parse::<NaiveDate>().unwrap()));
        assert_eq!(
            dues(&weekdays, "2025-12-24T08:00:00Z", 4),
            [
                "Mon 2025-12-29 09:00 +0100",
                "Tue 2025-12-30 09:00 +0100",
                "Wed 2025-12-31 09:00 +0100",
                "Fri 2026-01-02 09:00 +0100"
            ]
        );
        let two = schedule("UTC", &["mon,thu 06:30"]);
        assert_eq!(dues(&two, "2025-12-29T06:30:00Z", 2), ["Thu 2026-01-01 06:30 +0000", "Mon 2026-01-05 06:30 +0000"]);
        // Every day is left out: nothing is due, and nobody looks for ever.
        let mut never = schedule("UTC", &["daily 06:30"]);
        let start: NaiveDate = "2025-01-01".parse().unwrap();
        never.except.extend((0..4000).filter_map(|days| start.checked_add_days(Days::new(days))));
        assert_eq!(never.next(utc("2025-01-02T00:00:00Z")), None);
    }

    #[test]
    fn windows_follow_each_other_without_a_gap() {
        let mut weekdays = schedule("Europe/Berlin", &["weekdays 09:00"]);
        let friday = weekdays.next(utc("2025-10-24T00:00:00Z")).expect("a Friday");
        assert_eq!(
            friday,
            Occurrence {
                due_at: utc("2025-10-24T07:00:00Z"),
                opens_at: utc("2025-10-23T19:00:00Z"),
                missing_from: utc("2025-10-24T07:30:00Z"),
                // Half-way to Monday, whose clocks were put back an hour.
                closes_at: utc("2025-10-25T19:30:00Z"),
            }
        );
        weekdays.opens = Some(TimeDelta::days(7));
        let friday = weekdays.next(utc("2025-10-24T00:00:00Z")).expect("a Friday");
        assert_eq!(friday.closes_at, friday.missing_from, "what comes then may well be meant for Monday");
        for (zone, opens) in [("Europe/Berlin", None), ("America/New_York", Some(TimeDelta::hours(2)))] {
            let mut schedule = schedule(zone, &["daily 02:30", "mon,thu 17:00", "monthly last 23:30"]);
            schedule.opens = opens;
            let mut one = schedule.next(utc("2023-12-20T00:00:00Z")).expect("a first");
            for _ in 0..1500 {
                let next = schedule.next(one.due_at).expect("a next");
                assert_eq!(one.closes_at, next.opens_at, "{one:?}");
                assert!(one.opens_at < one.due_at && one.missing_from <= one.closes_at, "{one:?}");
                assert!(schedule.has(&one));
                one = next;
            }
            let other = Occurrence { due_at: one.due_at + TimeDelta::minutes(1), ..one };
            assert!(!schedule.has(&other) && !schedule.has(&Occurrence { opens_at: one.due_at, ..one }));
        }
    }

    /// Told in another way: a clock on the wall that is looked at every quarter of an hour for two years.
    #[test]
    fn it_is_due_whenever_a_clock_on_the_wall_first_shows_the_time_or_would_have() {
        for zone in
            ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "UTC"]
        {
            let schedule =
                schedule(zone, &["daily 02:15", "weekdays 00:00", "sun 01:30", "fri 00:30", "monthly last 23:45"]);
            let quarter = TimeDelta::minutes(15);
            let is_due = |local: NaiveDateTime| {
                schedule.times.iter().any(|time| time.at == local.time() && time.is_on(local.date()))
            };
            let wall = |at: DateTime<Utc>| at.with_timezone(&schedule.zone).naive_local();
            let (mut at, end) = (utc("2024-01-01T00:00:00Z"), utc("2026-01-01T00:00:00Z"));
            let (mut expected, mut shown) = (BTreeSet::new(), BTreeSet::new());
            while at < end {
                let (before, now) = (wall(at - quarter), wall(at));
                if is_due(now) && shown.insert(now) {
                    expected.insert(at);
                }
                let mut skipped = before + quarter;
                while skipped < now {
                    if is_due(skipped) {
                        expected.insert(at + (skipped - before - quarter));
                    }
                    skipped += quarter;
                }
                at += quarter;
            }
            let mut found = BTreeSet::new();
            let mut next = schedule.due_after(utc("2023-12-31T23:59:59Z"));
            while let Some(due) = next.filter(|due| *due < end) {
                assert_eq!(schedule.due_before(schedule.due_after(due).expect("more")), Some(due), "{zone}");
                found.insert(due);
                next = schedule.due_after(due);
            }
            assert_eq!(found, expected, "{zone}");
            assert!(found.len() > 1300, "{zone}: {}", found.len());
        }
    }

    #[test]
    fn a_grace_must_end_before_the_next_is_due() {
        let mut twice = schedule("UTC", &["daily 09:00", "monthly 1 09:30"]);
        assert_eq!(twice.overlap(), Some((utc("2024-01-01T09:00:00Z"), utc("2024-01-01T09:30:00Z"))));
        twice.grace = TimeDelta::minutes(29);
        assert_eq!(twice.overlap(), None);
        // Clocks that are put forward bring 01:30 and 03:00 together.
        let mut night = schedule("Europe/Berlin", &["daily 01:30", "daily 03:00"]);
        night.grace = TimeDelta::minutes(45);
        assert_eq!(night.overlap(), Some((utc("2024-03-31T00:30:00Z"), utc("2024-03-31T01:00:00Z"))));
    }

    #[test]
    fn a_due_time_is_shown_as_it_can_be_written() {
        for text in ["daily 09:00", "mon,thu 06:30", "monthly 28 00:00", "monthly last 23:59"] {
            assert_eq!(DueTime::parse(text).expect("valid").to_string(), text);
        }
        let both = schedule("Europe/Berlin", &["Weekdays  09:00", "SAT 10:00"]);
        assert_eq!(both.to_string(), "mon,tue,wed,thu,fri 09:00, sat 10:00, Europe/Berlin");
        for wrong in
            ["", "daily", "09:00", "daily 9", "daily 24:00", "montag 09:00", "monthly 0 09:00", "mon thu 09:00"]
        {
            DueTime::parse(wrong).expect_err(wrong);
        }
        assert_eq!(
            DueTime::parse("monthly 31 09:00").expect_err("February"),
            "cannot be \"monthly 31 09:00\": not every month has that day; write a day from 1 to 28, or \"last\""
        );
    }
}
