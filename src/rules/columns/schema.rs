//! From a Table Schema's JSON to fields that can be held against cells; version 2 of the standard, and what version 1
//! had.
//!
//! Whatever could change what a cell may be is understood or refused; nothing is overlooked. What merely describes is
//! allowed: the names in [`object::DESCRIPTIVE`], and properties of the operator's own, which begin with `x-` or `_` or
//! have a colon (`dc:source`) in their name. A text about a refusal begins with its place, a JSON pointer.

use std::collections::HashSet;

use serde_json::Value;

use super::constraints;
use super::field::{Field, Kind, Rule};
use super::json::PointForm;
use super::number::NumberForm;
use super::object::Object;
use super::strptime::Pattern;
use super::text::TextForm;
use crate::model::name::fold;

/// A schema that has been understood.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) fields: Vec<Field>,
    /// How the file's columns must answer to the fields; `None` where the schema says nothing.
    pub(super) fields_match: Option<FieldsMatch>,
    /// The fields, by their place, whose values together must differ from row to row.
    pub(super) keys: Vec<Vec<usize>>,
}

/// The standard's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldsMatch {
    Exact,
    Equal,
    Subset,
    Superset,
    Partial,
}

/// # Errors
/// Where and why the schema cannot be used.
pub(super) fn read(descriptor: &Value) -> Result<Schema, String> {
    let root = Object::of("", descriptor)?;
    root.only(&["fields", "fieldsMatch", "foreignKeys", "missingValues", "primaryKey", "uniqueKeys"])?;
    if root.get("foreignKeys").is_some() {
        return root.wrong("foreignKeys", "is not supported: a file is judged by itself");
    }
    let missing = missing_values(&root)?.unwrap_or_else(|| vec![String::new()]);
    let Some(Value::Array(items)) = root.get("fields") else {
        return root.wrong("fields", "must be an array of fields");
    };
    if items.is_empty() {
        return root.wrong("fields", "must have at least one field");
    }
    let (mut fields, mut keys) = (Vec::<Field>::new(), Vec::new());
    for (at, item) in items.iter().enumerate() {
        let object = Object::of(&format!("/fields/{at}"), item)?;
        let (field, is_unique) = field(&object, &missing)?;
        if let Some(twin) = fields.iter().position(|other| other.folded == field.folded) {
            let why = format!("is the name of field {twin} too (case, spaces, '-', '.' and '_' make no difference)");
            return object.wrong("name", &why);
        }
        if is_unique {
            keys.push(vec![at]);
        }
        fields.push(field);
    }
    if let Some(value) = root.get("primaryKey") {
        let value = if value.is_string() { &Value::Array(vec![value.clone()]) } else { value };
        let key = key("/primaryKey", value, &fields)?;
        for &field in &key {
            fields[field].is_required = true;
        }
        keys.push(key);
    }
    match root.get("uniqueKeys") {
        None => {}
        Some(Value::Array(all)) if !all.is_empty() => {
            distinct("/uniqueKeys", all)?;
            for (at, value) in all.iter().enumerate() {
                keys.push(key(&format!("/uniqueKeys/{at}"), value, &fields)?);
            }
        }
        Some(_) => return root.wrong("uniqueKeys", "must be an array of arrays of field names"),
    }
    keys.sort();
    keys.dedup();
    Ok(Schema { fields_match: fields_match(&root)?, fields, keys })
}

fn fields_match(root: &Object<'_>) -> Result<Option<FieldsMatch>, String> {
    Ok(Some(match root.text("fieldsMatch")? {
        None => return Ok(None),
        Some("exact") => FieldsMatch::Exact,
        Some("equal") => FieldsMatch::Equal,
        Some("subset") => FieldsMatch::Subset,
        Some("superset") => FieldsMatch::Superset,
        Some("partial") => FieldsMatch::Partial,
        Some(_) => return root.wrong("fieldsMatch", "must be exact, equal, subset, superset or partial"),
    }))
}

fn key(at: &str, value: &Value, fields: &[Field]) -> Result<Vec<usize>, String> {
    let names = value.as_array().filter(|names| !names.is_empty());
    let names = names.ok_or_else(|| format!("{at}: must be an array of field names"))?;
    distinct(at, names)?;
    let mut key = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let place = fields.iter().position(|field| name.as_str() == Some(&field.name));
        let place = place.ok_or_else(|| format!("{at}/{number}: is no field of this schema"))?;
        if !fields[place].kind.is_comparable() {
            return Err(format!("{at}/{number}: lists of this type cannot be compared"));
        }
        key.push(place);
    }
    key.sort_unstable();
    Ok(key)
}

/// A field, and whether its values must differ.
fn field(object: &Object<'_>, missing: &[String]) -> Result<(Field, bool), String> {
    let Some(name) = object.text("name")?.filter(|name| !name.trim().is_empty()) else {
        return object.wrong("name", "must be the name of a column");
    };
    // Messages quote it, and are stored and shown.
    if name.chars().any(char::is_control) {
        return object.wrong("name", "must not have control characters");
    }
    let (kind, properties) = kind(object)?;
    let common = ["type", "format", "constraints", "missingValues"];
    let is_categorical = matches!(object.text("type")?, Some("string" | "integer"));
    let categories: &[&str] = if is_categorical { &["categories", "categoriesOrdered"] } else { &[] };
    object.only(&[&common, properties, categories].concat())?;

    let mut rules = Vec::new();
    let (mut is_required, mut is_unique) = (false, false);
    if let Some(value) = object.get("constraints") {
        let constraints = Object::of(&object.place("constraints"), value)?;
        is_required = constraints.flag("required")?.unwrap_or(false);
        is_unique = constraints.flag("unique")?.unwrap_or(false);
        if is_unique && !kind.is_comparable() {
            return constraints.wrong("unique", "lists of this type cannot be compared");
        }
        rules = constraints::of_field(&constraints, &kind)?;
    }
    if let Some(value) = object.get("categories") {
        let categories = Rule::OneOf(constraints::categories(&object.place("categories"), value, &kind)?);
        let listed = rules.iter().find_map(|rule| if let Rule::OneOf(listed) = rule { Some(listed) } else { None });
        let is_category = |text: &String| kind.read(text).is_some_and(|value| categories.is_kept(&value, &kind));
        if let Some(at) = listed.and_then(|listed| listed.iter().position(|text| !is_category(text))) {
            return Err(format!("{}/enum/{at}: is none of the categories", object.place("constraints")));
        }
        rules.push(categories);
    }
    object.flag("categoriesOrdered")?;
    let missing = missing_values(object)?.unwrap_or_else(|| missing.to_vec());
    Ok((Field { name: name.to_owned(), folded: fold(name), missing, is_required, kind, rules }, is_unique))
}

/// The kind, and the properties that go with its type alone.
fn kind(object: &Object<'_>) -> Result<(Kind, &'static [&'static str]), String> {
    let format = object.text("format")?.unwrap_or("default");
    // As version 0 wrote patterns.
    let format = format.strip_prefix("fmt:").unwrap_or(format);
    let of_formats = |known: &[&str]| match known.contains(&format) {
        true => Ok(()),
        false => object.wrong("format", &format!("is not known for this type; known are {}", known.join(", "))),
    };
    let moment = || match format {
        "default" => Ok(None),
        "any" => object.wrong("format", "any says nothing that could be checked; write a pattern, such as %d/%m/%Y"),
        _ => match Pattern::new(format) {
            Ok(pattern) => Ok(Some((pattern, format.to_owned()))),
            Err(why) => object.wrong("format", &format!("is no pattern: {why}")),
        },
    };
    // Version 1 took a field without a type for a string, so that a string's constraints may stand there.
    let untyped = (Kind::Text(TextForm::Any), &[][..]);
    let Some(name) = object.text("type")? else { return of_formats(&["default"]).map(|()| untyped) };
    let kind = match name {
        "string" => {
            of_formats(&["default", "email", "uri", "binary", "uuid"])?;
            let form = match format {
                "email" => TextForm::Email,
                "uri" => TextForm::Uri,
                "binary" => TextForm::Binary,
                "uuid" => TextForm::Uuid,
                _ => TextForm::Any,
            };
            return Ok((Kind::Text(form), &[]));
        }
        "date" => return Ok((Kind::Date(moment()?), &[])),
        "time" => return Ok((Kind::Time(moment()?), &[])),
        "datetime" => return Ok((Kind::DateTime(moment()?), &[])),
        "geopoint" => {
            of_formats(&["default", "array", "object"])?;
            let form = match format {
                "array" => PointForm::Array,
                "object" => PointForm::Object,
                _ => PointForm::Text,
            };
            return Ok((Kind::Point(form), &[]));
        }
        "geojson" => {
            of_formats(&["default", "topojson"])?;
            return Ok((Kind::GeoJson { is_topology: format == "topojson" }, &[]));
        }
        "any" => (Kind::Any, &[][..]),
        "number" => (Kind::Number(number_form(object, false)?), &["bareNumber", "decimalChar", "groupChar"][..]),
        "integer" => (Kind::Number(number_form(object, true)?), &["bareNumber", "groupChar"][..]),
        "boolean" => (boolean(object)?, &["falseValues", "trueValues"][..]),
        "year" => (Kind::Year, &[][..]),
        "yearmonth" => (Kind::YearMonth, &[][..]),
        "duration" => (Kind::Duration, &[][..]),
        "object" => (Kind::Object, &[][..]),
        "array" => (Kind::Array, &[][..]),
        "list" => (list(object)?, &["delimiter", "itemType"][..]),
        _ => {
            let known = "any, array, boolean, date, datetime, duration, geojson, geopoint, integer, list, number, object, string, \
                         time, year, yearmonth";
            return object.wrong("type", &format!("is not known; known are {known}"));
        }
    };
    of_formats(&["default"])?;
    Ok(kind)
}

fn number_form(object: &Object<'_>, is_whole: bool) -> Result<NumberForm, String> {
    let separator = |name: &str| match object.text(name)? {
        Some(text) if text.is_empty() || text.contains(|c: char| c.is_ascii_digit() || "+-eE".contains(c)) => {
            object.wrong(name, "must be what stands between digits: no digit, sign or E")
        }
        text => Ok(text.map(str::to_owned)),
    };
    let mut form = NumberForm::plain(is_whole);
    form.group_char = separator("groupChar")?;
    form.is_bare = object.flag("bareNumber")?.unwrap_or(true);
    if !is_whole {
        form.decimal_char = separator("decimalChar")?.unwrap_or(form.decimal_char);
        if form.group_char.as_ref() == Some(&form.decimal_char) {
            return object.wrong("groupChar", "must differ from the decimal character");
        }
    }
    Ok(form)
}

const YES: [&str; 4] = ["true", "True", "TRUE", "1"];
const NO: [&str; 4] = ["false", "False", "FALSE", "0"];

fn boolean(object: &Object<'_>) -> Result<Kind, String> {
    let words = |name: &str, default: [&str; 4]| match object.get(name) {
        None => Ok(default.map(str::to_owned).into()),
        Some(value) => texts(&object.place(name), value),
    };
    let (yes, no) = (words("trueValues", YES)?, words("falseValues", NO)?);
    if yes.iter().any(|word| no.contains(word)) {
        return object.wrong("trueValues", "has a value that is false too");
    }
    Ok(Kind::Boolean { yes, no })
}

fn list(object: &Object<'_>) -> Result<Kind, String> {
    let delimiter = object.text("delimiter")?.unwrap_or(",");
    if delimiter.is_empty() {
        return object.wrong("delimiter", "must not be empty");
    }
    let item_type = object.text("itemType")?.unwrap_or("string");
    let item = match item_type {
        "string" => Kind::Text(TextForm::Any),
        "integer" => Kind::Number(NumberForm::plain(true)),
        "number" => Kind::Number(NumberForm::plain(false)),
        "boolean" => Kind::Boolean { yes: YES.map(str::to_owned).into(), no: NO.map(str::to_owned).into() },
        "datetime" => Kind::DateTime(None),
        "date" => Kind::Date(None),
        "time" => Kind::Time(None),
        _ => return object.wrong("itemType", "must be string, integer, boolean, number, datetime, date or time"),
    };
    Ok(Kind::List { delimiter: delimiter.to_owned(), item: Box::new(item), item_type: item_type.to_owned() })
}

fn missing_values(object: &Object<'_>) -> Result<Option<Vec<String>>, String> {
    let Some(value) = object.get("missingValues") else { return Ok(None) };
    let place = object.place("missingValues");
    let Value::Array(items) = value else { return Err(format!("{place}: must be an array of texts")) };
    let text = |(at, item): (usize, &Value)| {
        item.as_str().map(str::to_owned).ok_or_else(|| format!("{place}/{at}: must be a text"))
    };
    labelled(&place, items)?.into_iter().enumerate().map(text).collect::<Result<_, _>>().map(Some)
}

/// The items themselves or, where they are objects such as `{"value": …, "label": …}`, their values.
pub(super) fn labelled<'a>(place: &str, items: &'a [Value]) -> Result<Vec<&'a Value>, String> {
    if !items.iter().any(Value::is_object) {
        return Ok(items.iter().collect());
    }
    let (mut values, mut seen, mut labels) = (Vec::new(), HashSet::new(), HashSet::new());
    for (at, item) in items.iter().enumerate() {
        let object = Object::of(&format!("{place}/{at}"), item)?;
        object.only(&["label", "value"])?;
        let Some(value) = object.get("value") else { return object.wrong("value", "is missing") };
        if !seen.insert(value) {
            return object.wrong("value", TWICE);
        }
        if object.text("label")?.is_some_and(|label| !labels.insert(label)) {
            return object.wrong("label", TWICE);
        }
        values.push(value);
    }
    Ok(values)
}

const TWICE: &str = "stands there twice";

/// The standard's lists repeat nothing; where one does, another value was meant.
pub(super) fn distinct(place: &str, items: &[Value]) -> Result<(), String> {
    let mut seen = HashSet::new();
    let twin = items.iter().position(|item| !seen.insert(item));
    twin.map_or(Ok(()), |at| Err(format!("{place}/{at}: {TWICE}")))
}

fn texts(place: &str, value: &Value) -> Result<Vec<String>, String> {
    let all = value.as_array().filter(|all| !all.is_empty());
    let all: Option<Vec<String>> =
        all.and_then(|all| all.iter().map(|text| text.as_str().map(str::to_owned)).collect());
    all.ok_or_else(|| format!("{place}: must be an array of texts"))
}
