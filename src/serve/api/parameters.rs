//! What a request says: the parameters of its address, read one by one, so that what is wrong with one can be told by
//! its name and without quoting it. Parameters that are not known are overlooked.

use std::ops::RangeInclusive;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::serve::problem::{Problem, ValidationError};

/// How many items a page may have.
const PAGE_SIZES: RangeInclusive<u32> = 1..=1_000;
const PAGE_SIZE: u32 = 25;

/// The parameters of the query, as they came.
pub(super) struct Asked(Vec<(String, String)>);

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// From 0.
    pub(super) number: u32,
    /// Items on each.
    pub(super) size: u32,
}

impl Page {
    /// How many items come before it.
    pub(super) fn offset(self) -> u64 {
        u64::from(self.number) * u64::from(self.size)
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Asked, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = pairs.map_err(|_| wrong("", "the query cannot be read"))?;
        // No database can compare with it.
        match pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            true => Err(wrong("", "a NUL character cannot be asked for").into()),
            false => Ok(Asked(pairs)),
        }
    }
}

/// What is wrong with a parameter of the query.
pub(super) fn wrong(name: &str, message: impl Into<String>) -> ValidationError {
    ValidationError::new("query", name, message)
}

impl Asked {
    /// Every value of a parameter that may come several times.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a parameter that may come once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, ValidationError> {
        match self.all(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(wrong(name, "it may be given once")),
        }
    }

    /// A value out of a closed list, whose words are told where it is another.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, ValidationError> {
        self.one(name)?.map(|value| one_of(name, value, words)).transpose()
    }

    /// An instant: a date and time, or the day that begins or ends with it.
    pub(super) fn instant(&self, name: &str, day: Edge) -> Result<Option<DateTime<Utc>>, ValidationError> {
        self.one(name)?.map(|value| instant(name, value, day)).transpose()
    }

    pub(super) fn page(&self) -> Result<Page, ValidationError> {
        let number = self.number("page", 0..=i32::MAX.unsigned_abs())?.unwrap_or(0);
        let size = self.number("limit", PAGE_SIZES)?.unwrap_or(PAGE_SIZE);
        Ok(Page { number, size })
    }

    fn number(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ValidationError> {
        let told = || wrong(name, format!("it must be a whole number from {} to {}", range.start(), range.end()));
        let parse = |value: &str| value.parse().ok().filter(|number| range.contains(number)).ok_or_else(told);
        self.one(name)?.map(parse).transpose()
    }
}

/// The meaning of a word out of a closed list.
pub(super) fn one_of<T: Copy>(name: &str, value: &str, words: &[(&str, T)]) -> Result<T, ValidationError> {
    let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        wrong(name, format!("it must be one of {}", words.join(", ")))
    })
}

/// Which instant a day without a time stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Begin,
    End,
}

/// ISO 8601; without an offset it is UTC.
pub(super) fn instant(name: &str, value: &str, day: Edge) -> Result<DateTime<Utc>, ValidationError> {
    let with_offset = DateTime::parse_from_rfc3339(value).ok().map(|time| time.to_utc());
    let without = || value.replacen(' ', "T", 1).parse::<NaiveDateTime>().ok().map(|time| time.and_utc());
    let of_day = || {
        let date: NaiveDate = value.parse().ok()?;
        let date = if day == Edge::End { date.checked_add_days(Days::new(1))? } else { date };
        Some(date.and_time(NaiveTime::MIN).and_utc())
    };
    let years = NaiveDate::MIN..NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap_or(NaiveDate::MAX);
    with_offset
        .or_else(without)
        .or_else(of_day)
        .filter(|time| years.contains(&time.date_naive()) && time.date_naive().to_string().len() == 10)
        .ok_or_else(|| wrong(name, "it must be a time such as 2026-04-01T08:30:00Z, or a day such as 2026-04-01"))
}

/// The `batch_id` of a path. What cannot be one is not found.
pub(super) struct BatchId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for BatchId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<BatchId, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let is_id = |id: &String| id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        path.ok().map(|Path(id)| id).filter(is_id).map(BatchId).ok_or_else(Problem::no_such_batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_understood_as_programs_write_them() {
        let begin = |value| instant("x", value, Edge::Begin).map(|time| time.to_rfc3339()).map_err(|error| error.msg);
        for (value, expected) in [
            ("2026-04-01T08:30:00Z", "2026-04-01T08:30:00+00:00"),
            ("2026-04-01T08:30:00.123456+02:00", "2026-04-01T06:30:00.123456+00:00"),
            ("2026-04-01T08:30:00", "2026-04-01T08:30:00+00:00"),
            ("2026-04-01 08:30:00.5", "2026-04-01T08:30:00.500+00:00"),
            ("2026-04-01", "2026-04-01T00:00:00+00:00"),
        ] {
            assert_eq!(begin(value), Ok(expected.to_owned()), "{value}");
        }
        let end = instant("x", "2026-04-30", Edge::End).expect("a day");
        assert_eq!(end.to_rfc3339(), "2026-05-01T00:00:00+00:00", "the day is in it");
        for wrong in
            ["", "yesterday", "2026-02-30", "1700000000", "+12026-04-01", "-0001-01-01", "9999-12-31T23:00:00-05:00"]
        {
            assert!(begin(wrong).is_err(), "{wrong}");
        }
    }
}
