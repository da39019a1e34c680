//! Dates, times, years, months and durations as XML Schema writes them.

use std::cmp::Ordering;

use chrono::{Datelike as _, NaiveDate};

/// A point on the field's own scale: seconds since 1970 for dates and date-times, since midnight for times; a count of
/// years or months. A date-time without a zone counts as UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant {
    pub(super) at: i64,
    pub(super) nanos: u32,
}

impl Instant {
    pub(super) fn of(date: NaiveDate, seconds: u32, nanos: u32) -> Instant {
        Instant { at: days_from_epoch(date) * DAY + i64::from(seconds), nanos }
    }
}

const DAY: i64 = 86_400;

/// What has not been read yet.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl Rest<'_> {
    pub(super) fn eat(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    /// A number of so many digits.
    pub(super) fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        let value = number.iter().try_fold(0u32, |sum, byte| {
            byte.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u32::from(byte - b'0')))?
        })?;
        self.0 = rest;
        Some(value)
    }

    /// All digits that follow, at least one.
    fn digits(&mut self) -> Option<&[u8]> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        (count > 0).then_some(digits)
    }

    /// The digits of a fraction as nanoseconds; further ones are overlooked.
    fn nanos(&mut self) -> Option<u32> {
        let digits = self.digits()?;
        Some((0..9).fold(0, |sum, at| sum * 10 + digits.get(at).map_or(0, |digit| u32::from(digit - b'0'))))
    }

    /// Four digits or more, in front of which a minus may stand. There is no year 0.
    fn year(&mut self) -> Option<i32> {
        let is_negative = self.eat(b'-').is_some();
        let digits = self.digits()?;
        if digits.len() < 4 || digits.len() > 4 && digits[0] == b'0' {
            return None;
        }
        let year: i32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (year != 0).then_some(if is_negative { -year } else { year })
    }

    fn year_month_day(&mut self) -> Option<NaiveDate> {
        let year = self.year()?;
        self.eat(b'-')?;
        let month = self.number(2)?;
        self.eat(b'-')?;
        NaiveDate::from_ymd_opt(year, month, self.number(2)?)
    }

    /// Seconds since midnight.
    fn clock(&mut self) -> Option<u32> {
        let hour = self.number(2)?;
        self.eat(b':')?;
        let minute = self.number(2)?;
        self.eat(b':')?;
        seconds_of_day(hour, minute, self.number(2)?)
    }

    /// Seconds east of UTC; 0 where there is no zone.
    fn zone(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.eat(b'Z').is_some() {
            return Some(0);
        }
        let sign = if self.eat(b'-').is_some() { -1 } else { self.eat(b'+').map(|()| 1)? };
        let hours = self.number(2)?;
        self.eat(b':')?;
        let minutes = self.number(2)?;
        let is_known = minutes < 60 && (hours < 14 || hours == 14 && minutes == 0);
        is_known.then(|| sign * i64::from(hours * 3600 + minutes * 60))
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

pub(super) fn seconds_of_day(hour: u32, minute: u32, second: u32) -> Option<u32> {
    (hour < 24 && minute < 60 && second < 60).then(|| hour * 3600 + minute * 60 + second)
}

/// `2024-01-26`
pub(super) fn date(text: &str) -> Option<Instant> {
    let mut rest = Rest(text.as_bytes());
    let date = rest.year_month_day()?;
    rest.end()?;
    (text.len() == 10).then(|| Instant::of(date, 0, 0))
}

/// `15:00:00`; with a fraction and a zone too, which version 1 of the standard allowed and other readers take.
pub(super) fn time(text: &str) -> Option<Instant> {
    let mut rest = Rest(text.as_bytes());
    let at = i64::from(rest.clock()?);
    let nanos = if rest.eat(b'.').is_some() { rest.nanos()? } else { 0 };
    let zone = rest.zone()?;
    rest.end()?;
    Some(Instant { at: at - zone, nanos })
}

/// `2024-01-26T15:00:00`, with a fraction and a zone if need be.
pub(super) fn date_time(text: &str) -> Option<Instant> {
    let mut rest = Rest(text.as_bytes());
    let date = rest.year_month_day()?;
    rest.eat(b'T')?;
    // Midnight may be written as the end of the day.
    let (seconds, mut nanos) = match rest.0.strip_prefix(b"24:00:00") {
        Some(after) => {
            rest.0 = after;
            (DAY as u32, 0)
        }
        None => (rest.clock()?, 0),
    };
    if rest.eat(b'.').is_some() {
        nanos = rest.nanos()?;
    }
    let zone = rest.zone()?;
    rest.end()?;
    if i64::from(seconds) == DAY && nanos > 0 {
        return None;
    }
    let local = Instant::of(date, seconds, nanos);
    Some(Instant { at: local.at - zone, ..local })
}

/// `2024`. XML Schema has longer and negative years too; in a file of today they are slips, and other readers refuse
/// them.
pub(super) fn year(text: &str) -> Option<Instant> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    rest.zone()?;
    rest.end()?;
    (year > 0).then(|| Instant { at: i64::from(year), nanos: 0 })
}

/// `2024-01`, the year as in [`year`].
pub(super) fn year_month(text: &str) -> Option<Instant> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    rest.eat(b'-')?;
    let month = rest.number(2)?;
    rest.zone()?;
    rest.end()?;
    (year > 0 && (1..=12).contains(&month)).then(|| Instant { at: i64::from(year * 12 + month), nanos: 0 })
}

/// Months, and what is shorter: one cannot be told in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duration {
    pub(super) months: i64,
    pub(super) nanos: i128,
}

/// `P1Y10M3DT5H11M7.5S`: each part may be left out, but not all.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = Rest(text.as_bytes());
    let sign = if rest.eat(b'-').is_some() { -1 } else { 1 };
    rest.eat(b'P')?;
    let (mut months, mut nanos) = (0i64, 0i128);
    // The letters that may still come, each with its size.
    let mut units: &[(u8, Unit)] = &[(b'Y', Unit::Months(12)), (b'M', Unit::Months(1)), (b'D', Unit::Seconds(DAY))];
    let mut parts_of_section = 0;
    let mut has_time = false;
    while rest.end().is_none() {
        if !has_time && rest.eat(b'T').is_some() {
            units = &[(b'H', Unit::Seconds(3600)), (b'M', Unit::Seconds(60)), (b'S', Unit::Seconds(1))];
            (has_time, parts_of_section) = (true, 0);
            continue;
        }
        let digits = rest.digits()?;
        // Twelve digits of years are longer than the world.
        let count: i64 = std::str::from_utf8(digits).ok()?.parse().ok().filter(|&count| count < 1_000_000_000_000)?;
        let fraction = if rest.eat(b'.').is_some() { Some(rest.nanos()?) } else { None };
        let (&letter, after) = rest.0.split_first()?;
        rest.0 = after;
        let at = units.iter().position(|(name, _)| *name == letter)?;
        match units[at].1 {
            Unit::Months(size) if fraction.is_none() => months += count * size,
            Unit::Seconds(size) if fraction.is_none() || letter == b'S' => {
                nanos += i128::from(count) * i128::from(size) * 1_000_000_000 + i128::from(fraction.unwrap_or(0));
            }
            _ => return None,
        }
        units = &units[at + 1..];
        parts_of_section += 1;
    }
    (parts_of_section > 0).then_some(Duration { months: sign * months, nanos: i128::from(sign) * nanos })
}

#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Seconds(i64),
}

impl Duration {
    /// XML Schema's order: one is longer than another where it is so from each of four days on. `P1M` and `P30D` have
    /// none.
    pub(super) fn compare(&self, other: &Duration) -> Option<Ordering> {
        let from = |start: i64| self.end_from(start).cmp(&other.end_from(start));
        let starts = [(1696, 9), (1697, 2), (1903, 3), (1903, 7)].map(|(year, month)| year * 12 + month - 1);
        let first = from(starts[0]);
        starts[1..].iter().all(|&start| from(start) == first).then_some(first)
    }

    /// Nanoseconds since 1970 when it is over that begins with this month (counted from the year 0).
    fn end_from(&self, start: i64) -> i128 {
        let month = start + self.months;
        i128::from(days_to_month(month) * DAY) * 1_000_000_000 + self.nanos
    }
}

/// Days from 1970 to the first of a month, which is counted from January of the year 0. For any year, unlike the
/// library's.
fn days_to_month(month: i64) -> i64 {
    // The calendar repeats itself every 400 years.
    let (cycles, within) = (month.div_euclid(4800), month.rem_euclid(4800));
    let date = NaiveDate::from_ymd_opt(2000 + (within / 12) as i32, (within % 12) as u32 + 1, 1);
    let date = date.expect("the first of a month between 2000 and 2399");
    days_from_epoch(date) + (cycles - 5) * 146_097
}

fn days_from_epoch(date: NaiveDate) -> i64 {
    const EPOCH: i64 = 719_163; // 1970-01-01, counted from 0001-01-01 as 1
    i64::from(date.num_days_from_ce()) - EPOCH
}
