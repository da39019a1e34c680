//! The constraints of a field, from their JSON.

use serde_json::Value;

use super::field::{Kind, Rule};
use super::object::Object;
use super::pattern;
use super::schema::{distinct, labelled};

pub(super) fn of_field(constraints: &Object<'_>, kind: &Kind) -> Result<Vec<Rule>, String> {
    if constraints.get("jsonSchema").is_some() {
        return constraints.wrong("jsonSchema", "is not supported");
    }
    constraints.only_of(&[
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxLength",
        "maximum",
        "minLength",
        "minimum",
        "pattern",
        "required",
        "unique",
    ])?;
    let mut rules = Vec::new();
    for (name, rule) in [("minLength", Rule::MinLength as fn(u64) -> Rule), ("maxLength", Rule::MaxLength)] {
        let Some(value) = constraints.get(name) else { continue };
        if !kind.has_length() {
            return constraints.wrong(name, "goes with the types string, object, array and list only");
        }
        let Some(length) = value.as_u64() else { return constraints.wrong(name, "must be a whole number from 0 up") };
        rules.push(rule(length));
    }
    let bounds = [
        ("minimum", Rule::Minimum as fn(String) -> Rule),
        ("maximum", Rule::Maximum),
        ("exclusiveMinimum", Rule::ExclusiveMinimum),
        ("exclusiveMaximum", Rule::ExclusiveMaximum),
    ];
    for (name, rule) in bounds {
        let Some(value) = constraints.get(name) else { continue };
        if !kind.is_ordered() {
            return constraints.wrong(name, "goes with numbers, dates, times, years and durations only");
        }
        let bound = text_of(&constraints.place(name), value, kind)?;
        if kind.read(&bound).is_some_and(|value| value.compare(&value).is_none()) {
            return constraints.wrong(name, "must be a number that others can be compared with");
        }
        rules.push(rule(bound));
    }
    if let Some(text) = constraints.text("pattern")? {
        if !matches!(kind, Kind::Text(_)) {
            return constraints.wrong("pattern", "goes with the type string only");
        }
        match pattern::compile(text) {
            Ok(regex) => rules.push(Rule::Pattern { regex, text: text.to_owned() }),
            Err(why) => return constraints.wrong("pattern", &why),
        }
    }
    if let Some(value) = constraints.get("enum") {
        let place = constraints.place("enum");
        let values = value.as_array().filter(|values| !values.is_empty());
        let values = values.ok_or_else(|| format!("{place}: must be an array of values"))?;
        if !kind.is_comparable() {
            return Err(format!("{place}: lists of this type cannot be compared"));
        }
        distinct(&place, values)?;
        let texts = values.iter().enumerate().map(|(at, value)| text_of(&format!("{place}/{at}"), value, kind));
        rules.push(Rule::OneOf(texts.collect::<Result<_, _>>()?));
    }
    Ok(rules)
}

/// The values that a field with categories may have.
pub(super) fn categories(place: &str, value: &Value, kind: &Kind) -> Result<Vec<String>, String> {
    let items = value.as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| format!("{place}: must be an array of values"))?;
    let texts = labelled(place, items)?;
    distinct(place, items)?;
    texts.into_iter().enumerate().map(|(at, value)| text_of(&format!("{place}/{at}"), value, kind)).collect()
}

/// A value in a constraint as a cell would write it. JSON has its own way to write some of them.
fn text_of(place: &str, value: &Value, kind: &Kind) -> Result<String, String> {
    // Beyond this, the JSON reader rounds.
    const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
    let text = match (value, kind) {
        (Value::String(text), _) => Some(text.clone()),
        (Value::Number(number), Kind::Number(form)) => {
            if number.is_f64() && number.as_f64().is_none_or(|value| value.abs() >= LARGEST_EXACT) {
                return Err(format!("{place}: too large to be read exactly; write it as a text, in quotes"));
            }
            Some(number.to_string().replace('.', &form.decimal_char))
        }
        (Value::Number(number), Kind::Year) => number.as_u64().map(|year| format!("{year:04}")),
        (Value::Bool(value), Kind::Boolean { yes, no }) => if *value { yes } else { no }.first().cloned(),
        (Value::Array(_) | Value::Object(_), Kind::Array | Kind::Object | Kind::GeoJson { .. } | Kind::Point(_)) => {
            Some(value.to_string())
        }
        (Value::Number(_) | Value::Bool(_), Kind::Any | Kind::Text(_)) => {
            return Err(format!("{place}: must be a text, in quotes, since that is what a cell is"));
        }
        _ => None,
    };
    let text = text.filter(|text| kind.read(text).is_some());
    text.ok_or_else(|| format!("{place}: is no value of the field's type and format"))
}
