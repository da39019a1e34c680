//! Dates and times by a pattern such as `%d/%m/%Y %H:%M`, as Python and C read them.
//!
//! Numbers may have fewer digits than their field (`5` is a `%d`), white space stands for any white space, letters
//! match whatever their case. What the place or the person decides (`%c`, `%x`, `%X`, names of zones) and numbers of
//! weeks are refused at start-up. What a pattern leaves out is that of 1900-01-01 00:00:00.

use chrono::NaiveDate;

use super::time::{Instant, Rest, seconds_of_day};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const KNOWN: &str = "%Y %y %m %B %b %d %j %A %a %H %I %p %M %S %f %z %%";

/// A pattern that can be read by.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, Copy)]
enum Part {
    Space,
    Letter(char),
    Field(char),
}

/// What has been read of a date.
#[derive(Debug, Clone, Copy)]
struct Found {
    year: i32,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    hour: u32,
    /// On a clock of twelve hours.
    half_hour: Option<u32>,
    is_afternoon: bool,
    minute: u32,
    second: u32,
    nanos: u32,
    zone: i64,
}

impl Pattern {
    /// # Errors
    /// A directive that is not known, or stands twice; or none at all.
    pub(super) fn new(pattern: &str) -> Result<Pattern, String> {
        let mut parts = Vec::new();
        let mut seen = String::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => match chars.next() {
                    Some('%') => parts.push(Part::Letter('%')),
                    Some(field) if KNOWN.contains(&format!("%{field}")) && field != ' ' => {
                        if seen.contains(field) {
                            return Err(format!("%{field} stands twice"));
                        }
                        seen.push(field);
                        parts.push(Part::Field(field));
                    }
                    Some(field) => return Err(format!("%{field} is not known; known are {KNOWN}")),
                    None => return Err("it ends in %".to_owned()),
                },
                _ if c.is_whitespace() => {
                    if !matches!(parts.last(), Some(Part::Space)) {
                        parts.push(Part::Space);
                    }
                }
                _ => parts.push(Part::Letter(c)),
            }
        }
        if seen.is_empty() {
            return Err(format!("it is no pattern with {KNOWN}"));
        }
        if seen.contains('I') != seen.contains('p') {
            return Err("%I and %p need each other".to_owned());
        }
        Ok(Pattern(parts))
    }

    pub(super) fn read(&self, text: &str) -> Option<Instant> {
        let nothing = Found {
            year: 1900,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            half_hour: None,
            is_afternoon: false,
            minute: 0,
            second: 0,
            nanos: 0,
            zone: 0,
        };
        read(&self.0, text, nothing)
    }
}

/// Reads the text by the parts. A number is taken as long as can be, and shorter where the rest does not fit then.
fn read(parts: &[Part], text: &str, found: Found) -> Option<Instant> {
    let Some((part, parts)) = parts.split_first() else {
        return if text.is_empty() { found.instant() } else { None };
    };
    match *part {
        Part::Space => {
            let rest = text.trim_start();
            if rest.len() == text.len() { None } else { read(parts, rest, found) }
        }
        Part::Letter(letter) => {
            let mut chars = text.chars();
            let c = chars.next()?;
            let is_same = c == letter || c.to_lowercase().eq(letter.to_lowercase());
            if is_same { read(parts, chars.as_str(), found) } else { None }
        }
        Part::Field(field) => {
            let named = |names: &[&str], length: usize| {
                names.iter().zip(1u32..).find_map(|(name, number)| {
                    let name = &name[..length.min(name.len())];
                    let head = text.get(..name.len())?;
                    head.eq_ignore_ascii_case(name).then(|| (number, &text[name.len()..]))
                })
            };
            let name = match field {
                'B' => Some(named(&MONTHS, usize::MAX)),
                'b' => Some(named(&MONTHS, 3)),
                'A' => Some(named(&DAYS, usize::MAX)),
                'a' => Some(named(&DAYS, 3)),
                'p' => Some(named(&["AM", "PM"], 2)),
                _ => None,
            };
            if let Some(name) = name {
                let (number, rest) = name?;
                return read(parts, rest, found.with(field, number, 0)?);
            }
            if field == 'z' {
                let (zone, rest) = zone(text)?;
                return read(parts, rest, Found { zone, ..found });
            }
            let (least, most) = match field {
                'Y' => (4, 4),
                'y' => (2, 2),
                'f' => (1, 6),
                'j' => (1, 3),
                _ => (1, 2),
            };
            (least..=most).rev().find_map(|digits| {
                let mut rest = Rest(text.as_bytes());
                let number = rest.number(digits)?;
                read(parts, &text[digits..], found.with(field, number, digits as u32)?)
            })
        }
    }
}

/// `Z`, `+0100`, `+01:00`
fn zone(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let mut rest = Rest(text.as_bytes());
    let sign = if rest.eat(b'-').is_some() { -1 } else { rest.eat(b'+').map(|()| 1)? };
    let hours = rest.number(2)?;
    rest.eat(b':').unwrap_or_default();
    let minutes = rest.number(2)?;
    let seconds = seconds_of_day(hours, minutes, 0)?;
    Some((sign * i64::from(seconds), &text[text.len() - rest.0.len()..]))
}

impl Found {
    /// With one more field; `None` where it is out of its range. `digits` is how many the number was written in.
    fn with(mut self, field: char, number: u32, digits: u32) -> Option<Found> {
        match field {
            'Y' if number > 0 => self.year = number as i32,
            'Y' => return None,
            // As POSIX has it.
            'y' => self.year = number as i32 + if number < 69 { 2000 } else { 1900 },
            'm' | 'B' | 'b' => self.month = number,
            'd' => self.day = number,
            'j' => self.day_of_year = Some(number),
            'H' => self.hour = number,
            'I' if (1..=12).contains(&number) => self.half_hour = Some(number % 12),
            'I' => return None,
            'p' => self.is_afternoon = number == 2,
            'M' => self.minute = number,
            'S' => self.second = number,
            'f' => self.nanos = number * 10u32.pow(9 - digits),
            // The name of the day says nothing that the date does not.
            _ => {}
        }
        Some(self)
    }

    fn instant(self) -> Option<Instant> {
        let date = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(self.year, day),
            None => NaiveDate::from_ymd_opt(self.year, self.month, self.day),
        };
        let hour = self.half_hour.map_or(self.hour, |hour| hour + if self.is_afternoon { 12 } else { 0 });
        let local = Instant::of(date?, seconds_of_day(hour, self.minute, self.second)?, self.nanos);
        Some(Instant { at: local.at - self.zone, ..local })
    }
}
