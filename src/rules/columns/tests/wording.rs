//! What is said of a cell that breaks a constraint, and whose missing values count.

use serde_json::{Value, json};

use super::said_of;

#[test]
fn a_field_has_its_own_missing_values() {
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
