//! One field of a schema: what its cells must be, and what is said of one that is not.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex::Regex;

use super::json::{self, Point, PointForm};
use super::number::{Number, NumberForm};
use super::strptime::Pattern;
use super::text::TextForm;
use super::time::{self, Duration, Instant};
use crate::model::RowCode;

/// A field that can be held against cells.
#[derive(Debug)]
pub(super) struct Field {
    /// As the schema spells it.
    pub(super) name: String,
    /// As names are compared.
    pub(super) folded: String,
    /// The texts that stand for no value.
    pub(super) missing: Vec<String>,
    pub(super) is_required: bool,
    pub(super) kind: Kind,
    pub(super) rules: Vec<Rule>,
}

/// The type and how it is written. Of `Any`, nothing is known: not even that it has a length.
#[derive(Debug)]
pub(super) enum Kind {
    Any,
    Text(TextForm),
    Number(NumberForm),
    Boolean { yes: Vec<String>, no: Vec<String> },
    Date(Option<(Pattern, String)>),
    Time(Option<(Pattern, String)>),
    DateTime(Option<(Pattern, String)>),
    Year,
    YearMonth,
    Duration,
    Point(PointForm),
    GeoJson { is_topology: bool },
    Object,
    Array,
    List { delimiter: String, item: Box<Kind>, item_type: String },
}

/// A constraint. Values to compare with are kept as text that the kind reads, since what it reads borrows.
#[derive(Debug)]
pub(super) enum Rule {
    MinLength(u64),
    MaxLength(u64),
    Minimum(String),
    Maximum(String),
    ExclusiveMinimum(String),
    ExclusiveMaximum(String),
    Pattern { regex: Regex, text: String },
    OneOf(Vec<String>),
}

/// What a cell says.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(Number<'a>),
    Boolean(bool),
    Instant(Instant),
    Duration(Duration),
    Point(Point),
    Json(serde_json::Value),
    List { text: &'a str, items: usize },
}

/// The code and the text of what is wrong with a cell; the text does not quote it.
pub(super) type Broken = (RowCode, String);

impl Field {
    /// Whether the cell stands for no value. Blank space only is as good as nothing.
    pub(super) fn is_missing(&self, cell: &str) -> bool {
        let trimmed = cell.trim();
        let compared =
            if matches!(self.kind, Kind::Any | Kind::Text(_)) && !trimmed.is_empty() { cell } else { trimmed };
        self.missing.iter().any(|missing| missing == compared || missing == cell)
    }

    pub(super) fn check(&self, cell: &str) -> Result<(), Broken> {
        if self.is_missing(cell) {
            return match self.is_required {
                false => Ok(()),
                true if cell.trim().is_empty() => self.broken(RowCode::MissingValue, "blank, and required"),
                true => self.broken(RowCode::MissingValue, "says that a value is missing, and one is required"),
            };
        }
        let Some(value) = self.kind.read(cell) else {
            return self.broken(RowCode::InvalidValue, &format!("not {}", self.kind.described()));
        };
        for rule in &self.rules {
            if !rule.is_kept(&value, &self.kind) {
                let code = match rule {
                    Rule::MaxLength(_) => RowCode::ValueTooLong,
                    _ => RowCode::InvalidValue,
                };
                return self.broken(code, &rule.described(&self.kind));
            }
        }
        Ok(())
    }

    fn broken(&self, code: RowCode, why: &str) -> Result<(), Broken> {
        Err((code, format!("{}: {why}", self.name)))
    }
}

impl Kind {
    /// `None` for a text that is no value of this kind. White space around a value counts in text only.
    pub(super) fn read<'a>(&self, cell: &'a str) -> Option<Value<'a>> {
        let trimmed = cell.trim();
        let moment = |pattern: &Option<(Pattern, String)>, plain: fn(&str) -> Option<Instant>| match pattern {
            Some((pattern, _)) => pattern.read(trimmed).map(Value::Instant),
            None => plain(trimmed).map(Value::Instant),
        };
        match self {
            Kind::Any => Some(Value::Text(cell)),
            Kind::Text(form) => form.accepts(cell).then_some(Value::Text(cell)),
            Kind::Number(form) => form.read(trimmed).map(Value::Number),
            Kind::Boolean { yes, no } => {
                let is_of = |words: &[String]| words.iter().any(|word| word == trimmed);
                if is_of(yes) { Some(true) } else { is_of(no).then_some(false) }.map(Value::Boolean)
            }
            Kind::Date(pattern) => moment(pattern, time::date),
            Kind::Time(pattern) => moment(pattern, time::time),
            Kind::DateTime(pattern) => moment(pattern, time::date_time),
            Kind::Year => time::year(trimmed).map(Value::Instant),
            Kind::YearMonth => time::year_month(trimmed).map(Value::Instant),
            Kind::Duration => time::duration(trimmed).map(Value::Duration),
            Kind::Point(form) => json::point(*form, trimmed).map(Value::Point),
            Kind::GeoJson { is_topology } => {
                let value = serde_json::from_str(trimmed).ok()?;
                let is_right = if *is_topology { json::is_topojson(&value) } else { json::is_geojson(&value) };
                is_right.then_some(Value::Json(value))
            }
            Kind::Object => serde_json::from_str(trimmed).ok().filter(serde_json::Value::is_object).map(Value::Json),
            Kind::Array => serde_json::from_str(trimmed).ok().filter(serde_json::Value::is_array).map(Value::Json),
            Kind::List { delimiter, item, .. } => {
                let mut items = 0;
                for part in cell.split(delimiter.as_str()) {
                    item.read(part)?;
                    items += 1;
                }
                Some(Value::List { text: cell, items })
            }
        }
    }

    /// Whether two values have an order.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(
            self,
            Kind::Number(_)
                | Kind::Date(_)
                | Kind::Time(_)
                | Kind::DateTime(_)
                | Kind::Year
                | Kind::YearMonth
                | Kind::Duration
        )
    }

    /// Whether a value has a length.
    pub(super) fn has_length(&self) -> bool {
        matches!(self, Kind::Text(_) | Kind::Object | Kind::Array | Kind::List { .. })
    }

    /// Whether equal values can be told: a list is compared by its text, which says it all for lists of text only.
    pub(super) fn is_comparable(&self) -> bool {
        !matches!(self, Kind::List { item, .. } if !matches!(**item, Kind::Text(_)))
    }

    fn described(&self) -> Cow<'static, str> {
        let by = |what: &str, pattern: &Option<(Pattern, String)>, plain: &str| match pattern {
            Some((_, pattern)) => Cow::Owned(format!("{what}, written {}", shown(pattern))),
            None => Cow::Owned(format!("{what}, written {plain}")),
        };
        match self {
            Kind::Any | Kind::Text(TextForm::Any) => "text".into(),
            Kind::Text(TextForm::Email) => "an e-mail address, such as name@example.com".into(),
            Kind::Text(TextForm::Uri) => "a URI, such as https://example.com/a".into(),
            Kind::Text(TextForm::Binary) => "base64 text, such as dGVzdA==".into(),
            Kind::Text(TextForm::Uuid) => "a UUID, such as 123e4567-e89b-12d3-a456-426614174000".into(),
            Kind::Number(form) if form.is_whole => "a whole number, such as 42".into(),
            Kind::Number(form) => format!("a number, such as 42{}5", shown(&form.decimal_char)).into(),
            Kind::Boolean { yes, no } => format!("one of {}", listed(yes.iter().chain(no))).into(),
            Kind::Date(pattern) => by("a date", pattern, "YYYY-MM-DD"),
            Kind::Time(pattern) => by("a time", pattern, "hh:mm:ss"),
            Kind::DateTime(pattern) => by("a date and time", pattern, "YYYY-MM-DDThh:mm:ss"),
            Kind::Year => "a year, such as 2026".into(),
            Kind::YearMonth => "a year and month, such as 2026-01".into(),
            Kind::Duration => "a duration, such as P1DT12H".into(),
            Kind::Point(PointForm::Text) => "a point, written as longitude, latitude, such as 90.5, 45.5".into(),
            Kind::Point(PointForm::Array) => "a point, written as [longitude, latitude], such as [90.5, 45.5]".into(),
            Kind::Point(PointForm::Object) => r#"a point, such as {"lon": 90.5, "lat": 45.5}"#.into(),
            Kind::GeoJson { is_topology: false } => "a GeoJSON object".into(),
            Kind::GeoJson { is_topology: true } => "a TopoJSON object".into(),
            Kind::Object => r#"a JSON object, such as {"a": 1}"#.into(),
            Kind::Array => "a JSON array, such as [1, 2]".into(),
            Kind::List { delimiter, item_type, .. } => {
                format!("a list of {item_type} values with \"{}\" between them", shown(delimiter)).into()
            }
        }
    }
}

impl Rule {
    pub(super) fn is_kept(&self, value: &Value<'_>, kind: &Kind) -> bool {
        let against = |bound: &str| kind.read(bound).and_then(|bound| value.compare(&bound));
        match self {
            Rule::MinLength(least) => value.length() >= *least,
            Rule::MaxLength(most) => value.length() <= *most,
            Rule::Minimum(bound) => against(bound).is_some_and(Ordering::is_ge),
            Rule::Maximum(bound) => against(bound).is_some_and(Ordering::is_le),
            Rule::ExclusiveMinimum(bound) => against(bound).is_some_and(Ordering::is_gt),
            Rule::ExclusiveMaximum(bound) => against(bound).is_some_and(Ordering::is_lt),
            Rule::Pattern { regex, .. } => matches!(value, Value::Text(text) if regex.is_match(text)),
            Rule::OneOf(all) => all.iter().any(|one| kind.read(one).is_some_and(|one| value.equals(&one))),
        }
    }

    fn described(&self, kind: &Kind) -> String {
        let unit = if matches!(kind, Kind::Text(_)) { "characters" } else { "items" };
        let (more, less) = match kind {
            Kind::Number(_) => ("more", "less"),
            Kind::Duration => ("longer", "shorter"),
            _ => ("later", "earlier"),
        };
        match self {
            Rule::MinLength(least) => format!("fewer than {least} {unit}"),
            Rule::MaxLength(most) => format!("more than {most} {unit}"),
            Rule::Minimum(bound) => format!("must be {} or {more}", shown(bound)),
            Rule::Maximum(bound) => format!("must be {} or {less}", shown(bound)),
            Rule::ExclusiveMinimum(bound) => format!("must be {more} than {}", shown(bound)),
            Rule::ExclusiveMaximum(bound) => format!("must be {less} than {}", shown(bound)),
            Rule::Pattern { text, .. } => format!("must match the pattern {}", shown(text)),
            Rule::OneOf(all) => format!("must be one of {}", listed(all.iter())),
        }
    }
}

impl Value<'_> {
    /// Characters, items or members.
    fn length(&self) -> u64 {
        let length = match self {
            Value::Text(text) => text.chars().count(),
            Value::Json(serde_json::Value::Array(items)) => items.len(),
            Value::Json(serde_json::Value::Object(members)) => members.len(),
            Value::List { items, .. } => *items,
            _ => 0,
        };
        length as u64
    }

    /// `None` for values that have no order.
    pub(super) fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Number(mine), Value::Number(theirs)) => mine.compare(theirs),
            (Value::Instant(mine), Value::Instant(theirs)) => Some(mine.cmp(theirs)),
            (Value::Duration(mine), Value::Duration(theirs)) => mine.compare(theirs),
            _ => None,
        }
    }

    fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Value::Text(mine), Value::Text(theirs)) => mine == theirs,
            (Value::Boolean(mine), Value::Boolean(theirs)) => mine == theirs,
            (Value::Number(Number::Nan), Value::Number(Number::Nan)) => true,
            (Value::Point(mine), Value::Point(theirs)) => mine == theirs,
            (Value::Json(mine), Value::Json(theirs)) => mine == theirs,
            (Value::List { text: mine, .. }, Value::List { text: theirs, .. }) => mine == theirs,
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }

    /// Bytes that are the same for equal values of one field, and for them only.
    pub(super) fn write_key(&self, out: &mut Vec<u8>) {
        match self {
            Value::Text(text) | Value::List { text, .. } => out.extend(text.as_bytes()),
            Value::Number(number) => number.write_key(out),
            Value::Boolean(value) => out.push(u8::from(*value)),
            Value::Instant(instant) => {
                out.extend(instant.at.to_be_bytes());
                out.extend(instant.nanos.to_be_bytes());
            }
            Value::Duration(duration) => {
                out.extend(duration.months.to_be_bytes());
                out.extend(duration.nanos.to_be_bytes());
            }
            // Adding 0 makes one of both zeros.
            Value::Point((lon, lat)) => out.extend([lon + 0.0, lat + 0.0].iter().flat_map(|part| part.to_be_bytes())),
            Value::Json(value) => out.extend(value.to_string().into_bytes()),
        }
    }
}

/// How much of a text of the schema is told.
const SHOWN: usize = 100;

/// The operator's own words in a message, cut where they are long, and without what steers a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

pub(super) fn listed<'a>(all: impl Iterator<Item = &'a String> + Clone) -> String {
    const MOST: usize = 10;
    let mut texts: Vec<String> = all.clone().take(MOST).map(|one| shown(one)).collect();
    let more = all.count() - texts.len();
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    texts.join(", ")
}
