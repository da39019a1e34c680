//! What the standard says of constraints and missing values, and what is said of a cell that breaks one.

use serde_json::{Value, json};

use super::said_of;
use super::specification::hold;

#[test]
fn constraints() {
    let of = |kind: &str, constraints: Value| json!({ "type": kind, "constraints": constraints });
    hold(vec![
        (of("string", json!({ "required": true })), &["x"], &["", "  "]),
        (of("integer", json!({ "required": false })), &["", "  ", "1"], &["x"]),
        (of("string", json!({ "minLength": 5 })), &["apple", "éééée", ""], &["plum"]),
        (of("string", json!({ "maxLength": 5 })), &["apple", "ééééé"], &["grapefruit"]),
        (of("array", json!({ "minLength": 2, "maxLength": 3 })), &["[1,2]", "[1,2,3]"], &["[1]", "[1,2,3,4]"]),
        (of("object", json!({ "maxLength": 1 })), &["{}", r#"{"a":1}"#], &[r#"{"a":1,"b":2}"#]),
        (of("list", json!({ "minLength": 2 })), &["a,b"], &["ab"]),
        (of("integer", json!({ "minimum": 100 })), &["100", "+0100"], &["50", "-100"]),
        (of("integer", json!({ "maximum": "100" })), &["100", "-5"], &["150"]),
        (of("integer", json!({ "exclusiveMinimum": 0 })), &["1"], &["0", "-0", "-1"]),
        (of("integer", json!({ "exclusiveMaximum": 150 })), &["100", "149"], &["150"]),
        (
            of("number", json!({ "minimum": 0.1, "maximum": 1e3 })),
            &["0.1", "1000.00", ".5"],
            &["0.0999", "1000.001", "NaN", "INF"],
        ),
        (
            json!({ "type": "number", "decimalChar": ",", "groupChar": ".", "constraints": { "minimum": 1.5, "maximum": "1.000,5" } }),
            &["1,5", "1.000,5"],
            &["1,4", "1.000,6"],
        ),
        (of("date", json!({ "minimum": "2024-01-26" })), &["2024-01-26", "2024-02-01"], &["2024-01-25"]),
        (
            json!({ "type": "date", "format": "%d.%m.%Y", "constraints": { "maximum": "26.01.2024" } }),
            &["26.01.2024", "31.12.2023"],
            &["27.01.2024"],
        ),
        (of("time", json!({ "exclusiveMaximum": "17:00:00" })), &["16:59:59"], &["17:00:00"]),
        (
            of("datetime", json!({ "minimum": "2024-01-26T15:00:00Z" })),
            &["2024-01-26T15:00:00", "2024-01-26T10:00:00-05:00", "2024-01-26T15:00:00.001"],
            &["2024-01-26T14:59:59.999", "2024-01-26T15:00:00+00:01"],
        ),
        (of("year", json!({ "minimum": 2000, "maximum": "2030" })), &["2000", "2030"], &["1999", "2031", "-2010"]),
        (of("yearmonth", json!({ "minimum": "2024-11" })), &["2024-11", "2025-01"], &["2024-10"]),
        (
            of("duration", json!({ "minimum": "P1M", "maximum": "P1Y" })),
            &["P1M", "P32D", "P12M", "P364D"],
            // Whether 28 to 31 days are a month depends on the month.
            &["P31D", "P28D", "P27D", "P13M", "P367D", "-P2M"],
        ),
        (of("string", json!({ "pattern": "^a.*$" })), &["apple"], &["orange", "xa"]),
        (of("string", json!({ "pattern": "[A-Z]{3}" })), &["ABC"], &["ABCD", "xABC"]),
        (of("string", json!({ "enum": ["apple"] })), &["apple"], &["orange", "Apple", "apple "]),
        (of("integer", json!({ "enum": [1, "2"] })), &["1", "01", "2"], &["3"]),
        (of("number", json!({ "enum": ["1.50", "NaN"] })), &["1.5", "15e-1", "nan"], &["1.51"]),
        (of("boolean", json!({ "enum": [true] })), &["true", "1"], &["false"]),
        (of("date", json!({ "enum": ["2024-01-26"] })), &["2024-01-26"], &["2024-01-27"]),
        (of("object", json!({ "enum": [{ "a": 1, "b": 2 }] })), &[r#"{"b": 2, "a": 1}"#], &[r#"{"a": 1}"#]),
        (of("geopoint", json!({ "enum": ["90.5,45"] })), &["90.50, 45.0"], &["90,45"]),
        // All of several constraints.
        (
            of("string", json!({ "minLength": 2, "pattern": "a+", "enum": ["a", "aa", "ab"] })),
            &["aa"],
            &["a", "ab", "aaa"],
        ),
        (json!({ "type": "string", "categories": ["apple", "orange"] }), &["apple"], &["banana"]),
        (
            json!({ "type": "integer", "categoriesOrdered": true, "categories": [{ "value": 0, "label": "apple" }, { "value": 1 }] }),
            &["0", "1"],
            &["2", "apple"],
        ),
    ]);
}

#[test]
fn missing_values_come_before_types_and_a_field_has_its_own() {
    hold(vec![
        (json!({ "type": "integer", "missingValues": ["NA", ""] }), &["NA", "", " NA ", "1"], &["na", "-"]),
        (json!({ "type": "integer", "missingValues": ["-"] }), &["-", "1"], &["", " "]),
        (json!({ "type": "integer", "missingValues": [] }), &["1"], &[""]),
        (
            json!({ "type": "integer", "missingValues": [{ "value": "-99", "label": "refused" }] }),
            &["-99"],
            &["", "refused"],
        ),
        (json!({ "missingValues": ["NA"], "constraints": { "required": true } }), &["", "x", " NA"], &["NA"]),
    ]);
    let schema = super::understood(json!({
        "fields": [{ "name": "a", "type": "year" }, { "name": "b", "type": "year", "missingValues": ["-"] }],
        "missingValues": ["", "NA"],
    }));
    let accepted = |field: usize| ["", "NA", "-"].map(|cell| schema.fields[field].check(cell).is_ok());
    assert_eq!((accepted(0), accepted(1)), ([true, true, false], [false, false, true]));
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    let of = |kind: &str, constraints: Value| json!({ "type": kind, "constraints": constraints });
    let many: Vec<String> = (0..12).map(|number| format!("v{number}")).collect();
    for (field, cell, said) in [
        (of("string", json!({ "required": true })), " ", "MISSING_VALUE f: blank, and required"),
        (
            json!({ "missingValues": ["NA"], "constraints": { "required": true } }),
            "NA",
            "MISSING_VALUE f: says that a value is missing, and one is required",
        ),
        (of("string", json!({ "maxLength": 3 })), "abcd", "VALUE_TOO_LONG f: more than 3 characters"),
        (of("array", json!({ "minLength": 3 })), "[]", "INVALID_VALUE f: fewer than 3 items"),
        (of("integer", json!({ "minimum": 1 })), "0", "INVALID_VALUE f: must be 1 or more"),
        (of("number", json!({ "exclusiveMaximum": 1.5 })), "2", "INVALID_VALUE f: must be less than 1.5"),
        (of("date", json!({ "minimum": "2024-01-26" })), "2024-01-25", "INVALID_VALUE f: must be 2024-01-26 or later"),
        (of("string", json!({ "pattern": "A+\u{7}" })), "x", "INVALID_VALUE f: must match the pattern A+\u{fffd}"),
        (
            of("string", json!({ "enum": many })),
            "x",
            "INVALID_VALUE f: must be one of v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, 2 more",
        ),
        (json!({ "type": "integer" }), "x", "INVALID_VALUE f: not a whole number, such as 42"),
        (json!({ "type": "number", "decimalChar": "," }), "x", "INVALID_VALUE f: not a number, such as 42,5"),
        (json!({ "type": "date", "format": "%d.%m.%Y" }), "x", "INVALID_VALUE f: not a date, written %d.%m.%Y"),
        (
            json!({ "type": "boolean", "trueValues": ["y"], "falseValues": ["n"] }),
            "x",
            "INVALID_VALUE f: not one of y, n",
        ),
        (
            json!({ "type": "list", "itemType": "integer" }),
            "x",
            "INVALID_VALUE f: not a list of integer values with \",\" between them",
        ),
    ] {
        assert_eq!(said_of(&field, cell).as_deref(), Some(said), "{field}");
    }
}
