//! A schema and a file: headers that will do and that will not, values that must differ, and what holds for any text.

mod published;
mod refused;
mod wording;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Columns;
use super::schema::{Schema, read};
use crate::model::{CellSpan, Header, KeyField, Row, TableSchema};

fn understood(descriptor: Value) -> Schema {
    read(&descriptor).unwrap_or_else(|why| panic!("{descriptor}: {why}"))
}

/// What is said of one cell of a field: `None` where nothing is wrong.
fn said_of(field: &Value, cell: &str) -> Option<String> {
    let mut field = field.clone();
    field["name"] = json!("f");
    let schema = understood(json!({ "fields": [field] }));
    schema.fields[0].check(cell).err().map(|(code, message)| format!("{} {message}", code.as_str()))
}

fn header(names: &[&str]) -> Header {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let variables = (2..names.len()).filter(|&column| names[column] != "_row").collect();
    Header { names, reference_id: 0, target: 1, variables, required: Vec::new() }
}

fn columns(descriptor: Value, names: &[&str], judged: &[KeyField]) -> Columns {
    let schema = TableSchema { file: "late.json".to_owned(), descriptor: Arc::new(descriptor) };
    Columns::new(&schema, &header(names), judged).unwrap_or_else(|why| panic!("{why}"))
}

/// What each row is told, with the column (from 0) that is pointed at.
fn told(descriptor: Value, names: &[&str], judged: &[KeyField], rows: &[&[&str]]) -> Vec<String> {
    let (mut columns, header) = (columns(descriptor, names, judged), header(names));
    let judge = |(number, cells): (u32, &&[&str])| {
        let (mut raw, mut spans) = (String::new(), Vec::new());
        for cell in *cells {
            let start = raw.len() as u32;
            raw.push_str(cell);
            spans.push(CellSpan { start, end: raw.len() as u32, raw_start: start, is_unescaped: false });
        }
        let row = Row { number, line: number + 1, raw: &raw, unescaped: "", cells: &spans, problem: None };
        match columns.check(&row, &header) {
            Ok(()) => String::new(),
            Err(((code, message), column)) => format!("{} {message} @{column}", code.as_str()),
        }
    };
    (1..).zip(rows).map(judge).collect()
}

#[test]
fn a_header_answers_to_the_schema_as_fields_match_says() {
    let fits = |rule: Option<&str>, names: &[&str]| {
        let mut descriptor = json!({ "fields": [
            { "name": "Reference ID" },
            { "name": "target" },
            { "name": "amount", "constraints": { "required": true } },
            { "name": "due-date" },
        ]});
        if let Some(rule) = rule {
            descriptor["fieldsMatch"] = json!(rule);
        }
        let fault = columns(descriptor, names, &[]).fits(&header(names)).err();
        fault.map_or_else(String::new, |fault| fault.message())
    };
    let all = ["customer_id", "phone", "Amount", "Due Date"];
    let (fewer, more) = (["id", "phone", "amount"], ["id", "phone", "amount", "due_date", "_row", "city"]);
    let (turned, without) = (["id", "phone", "due_date", "amount"], ["id", "phone", "due_date"]);
    for rule in [None, Some("exact"), Some("equal"), Some("subset"), Some("superset"), Some("partial")] {
        assert_eq!(fits(rule, &all), "", "{rule:?}");
        // What a rejects file added is not the sender's.
        assert_eq!(fits(rule, &["id", "phone", "amount", "due_date", "_row"]), "", "{rule:?}");
        let missing = fits(rule, &without);
        assert_eq!(
            missing, "Missing required fields: amount (required by the campaign's schema; add each as a column)",
            "{rule:?}"
        );
    }
    let missing = "Missing required fields: due-date (required by the campaign's schema; add each as a column)";
    let extra = "Invalid file format: column 6 is not one that the campaign's schema has; take it out \
                 (it has Reference ID, target, amount, due-date)";
    let order = "Invalid file format: column 3 should be amount; put the columns in the order \
                 Reference ID, target, amount, due-date";
    let expected = [
        (None, "", "", ""),
        (Some("exact"), missing, extra, order),
        (Some("equal"), missing, extra, ""),
        (Some("subset"), missing, "", ""),
        (Some("superset"), "", extra, ""),
        (Some("partial"), "", "", ""),
    ];
    for (rule, of_fewer, of_more, of_turned) in expected {
        assert_eq!((fits(rule, &fewer).as_str(), fits(rule, &more).as_str()), (of_fewer, of_more), "{rule:?}");
        assert_eq!(fits(rule, &turned), of_turned, "{rule:?}");
    }
    let descriptor = json!({ "fieldsMatch": "partial", "fields": [{ "name": "a" }, { "name": "b" }] });
    let fault = columns(descriptor, &fewer, &[]).fits(&header(&fewer)).expect_err("none of them");
    assert_eq!(
        fault.message(),
        "Missing required fields: at least one of a, b (required by the campaign's schema; add it as a column)"
    );
}

#[test]
fn cells_are_found_under_folded_names_and_under_the_names_of_their_roles() {
    let descriptor = json!({ "fields": [
        { "name": "target", "type": "string", "constraints": { "pattern": "\\+1[0-9]{10}" } },
        { "name": "due date", "type": "date" },
        { "name": "not in the file", "type": "integer" },
    ]});
    let rows: [&[&str]; 4] = [
        &["A1", " +15125550142 ", "2026-01-31"],
        &["A2", "5125550142", "2026-01-31"],
        &["A3", "+15125550142", "31.1.2026"],
        &["A4", "+15125550142", ""],
    ];
    assert_eq!(
        told(descriptor, &["id", "Mobile", "DUE-DATE"], &[], &rows),
        [
            "",
            r"INVALID_VALUE target: must match the pattern \+1[0-9]{10} @1",
            "INVALID_VALUE due date: not a date, written YYYY-MM-DD @2",
            ""
        ]
    );
}

#[test]
fn values_that_must_differ_do_by_what_they_mean() {
    let names = ["reference_id", "target", "n", "city"];
    let field = |unique: bool| json!({ "name": "n", "type": "number", "constraints": { "unique": unique } });
    let rows: [&[&str]; 6] = [
        &["A", "1", "1", "x"],
        &["B", "2", "1.00", "y"],
        &["C", "3", "", "x"],
        &["D", "4", "", "x"],
        &["E", "5", "two", "x"],
        &["F", "6", "2", "x"],
    ];
    let not = "INVALID_VALUE n: not a number, such as 42.5 @2";
    let same = "INVALID_VALUE n: the same as in row 1, and must differ from row to row @2";
    assert_eq!(told(json!({ "fields": [field(true)] }), &names, &[], &rows), ["", same, "", "", not, ""]);

    // A primary key is required too, and may be one name.
    let blank = "MISSING_VALUE n: blank, and required @2";
    let descriptor = json!({ "fields": [field(false)], "primaryKey": "n" });
    assert_eq!(told(descriptor, &names, &[], &rows), ["", same, blank, blank, not, ""]);

    // Fields together; rows where one is missing have no key.
    let descriptor = json!({ "fields": [field(false), { "name": "city" }], "uniqueKeys": [["city", "n"]] });
    assert_eq!(told(descriptor.clone(), &names, &[], &rows), ["", "", "", "", not, ""]);
    let rows: [&[&str]; 3] = [&["A", "1", "1", "x"], &["B", "2", "1.0", "x"], &["C", "3", "1", "xx"]];
    let both = "INVALID_VALUE n, city: the same as in row 1, and must differ from row to row @3";
    assert_eq!(told(descriptor, &names, &[], &rows), ["", both, ""]);
}

#[test]
fn what_the_campaign_judges_as_duplicate_the_schema_does_not_make_invalid() {
    let descriptor = json!({
        "fields": [
            { "name": "reference_id", "constraints": { "unique": true } },
            { "name": "target", "constraints": { "unique": true } },
        ],
        "primaryKey": ["reference_id"],
    });
    let rows: [&[&str]; 3] = [&["A", "1"], &["A", "2"], &["B", "1"]];
    let same = |field: &str, column: usize| {
        format!("INVALID_VALUE {field}: the same as in row 1, and must differ from row to row @{column}")
    };
    let told = |judged: &[KeyField]| told(descriptor.clone(), &["reference_id", "target"], judged, &rows);
    assert_eq!(told(&[KeyField::ReferenceId]), ["", "", &same("target", 1)]);
    assert_eq!(told(&[KeyField::Target]), ["", &same("reference_id", 0), ""]);
    assert_eq!(told(&[KeyField::Target, KeyField::ReferenceId]), ["", "", ""]);
}

#[test]
fn a_value_that_is_too_long_to_be_told_apart_is_refused() {
    let descriptor = json!({ "fields": [{ "name": "n", "constraints": { "unique": true } }] });
    let (fits, long) = ("x".repeat(4092), "x".repeat(4093));
    let rows: [&[&str]; 2] = [&["A", "1", &fits], &["B", "2", &long]];
    assert_eq!(
        told(descriptor, &["reference_id", "target", "n"], &[], &rows),
        ["", "VALUE_TOO_LONG n: too long for a value that must differ from row to row @2"]
    );
}

/// One field of every kind there is.
fn every_kind() -> Vec<Value> {
    let mut kinds: Vec<Value> =
        ["any", "array", "boolean", "duration", "integer", "number", "object", "year", "yearmonth"]
            .map(|name| json!({ "name": name, "type": name }))
            .into();
    for (name, formats) in [
        ("string", &["default", "email", "uri", "binary", "uuid"][..]),
        ("date", &["default", "%d.%m.%y", "%j %Y", "%A, %d %B %Y"]),
        ("time", &["default", "%I:%M %p", "%H%M%S.%f"]),
        ("datetime", &["default", "%Y-%m-%d %H:%M:%S%z", "%b %d %Y%%%H"]),
        ("geopoint", &["default", "array", "object"]),
        ("geojson", &["default", "topojson"]),
    ] {
        kinds.extend(formats.iter().map(|format| json!({ "name": "f", "type": name, "format": format })));
    }
    kinds.push(json!({ "name": "f", "type": "number", "bareNumber": false, "groupChar": " ", "decimalChar": "," }));
    kinds.push(json!({ "name": "f", "type": "number", "decimalChar": "é", "groupChar": "··" }));
    for item in ["string", "integer", "number", "boolean", "date", "time", "datetime"] {
        kinds.push(json!({ "name": "f", "type": "list", "itemType": item, "delimiter": "||" }));
    }
    kinds
}

#[test]
fn no_message_quotes_the_cell() {
    let mut fields = every_kind();
    let constraints =
        [json!({ "pattern": "a" }), json!({ "enum": ["a"] }), json!({ "maxLength": 1 }), json!({ "minLength": 99 })];
    fields.extend(constraints.map(|constraints| json!({ "name": "f", "constraints": constraints })));
    fields.push(json!({ "name": "f", "missingValues": ["QZ 77"], "constraints": { "required": true } }));
    let said: Vec<String> = fields.iter().filter_map(|field| said_of(field, "QZ 77")).collect();
    assert!(said.len() > 30, "{said:?}");
    assert!(said.iter().all(|said| !said.contains("QZ") && !said.contains("77")), "{said:?}");
}

proptest! {
    /// No text makes a rule panic; what is missing and not required is right; a text equals itself, and its key is its
    /// own.
    #[test]
    fn any_text_gets_a_verdict(
        text in "\\PC{0,12}|[-+0-9.eE:TZPYMDHS%, ]{0,16}|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.Z+-]{0,14})?|[\\[\\]{}\",:0-9a-z]{0,16}|\\p{Any}{0,6}",
    ) {
        for kind in every_kind() {
            let schema = understood(json!({ "fields": [kind] }));
            let field = &schema.fields[0];
            let verdict = field.check(&text);
            if text.trim().is_empty() {
                prop_assert_eq!(verdict, Ok(()));
                continue;
            }
            let value = field.kind.read(&text);
            prop_assert_eq!(verdict.is_ok(), value.is_some(), "{}", kind);
            if let (Some(value), Some(again)) = (value, field.kind.read(&text)) {
                let key = |value: &super::field::Value<'_>| { let mut key = Vec::new(); value.write_key(&mut key); key };
                prop_assert_eq!(key(&value), key(&again));
                if field.kind.is_ordered() && !text.to_lowercase().contains("nan") {
                    prop_assert_eq!(value.compare(&again), Some(std::cmp::Ordering::Equal), "{}", kind);
                }
            }
        }
    }

    /// A date that was written by a pattern is read by it, and stands where the same date stands in the standard form.
    #[test]
    fn dates_by_pattern_are_the_same_dates(days in -20_000..40_000i64, seconds in 0..86_400i64) {
        let moment = chrono::DateTime::from_timestamp(days * 86_400 + seconds, 0).expect("in range");
        let plain = understood(json!({ "fields": [{ "name": "f", "type": "datetime" }] }));
        let standard = moment.format("%Y-%m-%dT%H:%M:%S").to_string();
        for pattern in ["%d/%m/%Y %H:%M:%S", "%A, %d %B %Y %I:%M:%S %p", "%b%d%Y%H%M%S", "%Y-%jT%H:%M:%S%z", "%S:%M:%H %%%-d %m %Y"] {
            let written = moment.format(pattern).to_string();
            let pattern = pattern.replace("%-d", "%d");
            let by_pattern = understood(json!({ "fields": [{ "name": "f", "type": "datetime", "format": pattern }] }));
            let (Some(a), Some(b)) = (by_pattern.fields[0].kind.read(&written), plain.fields[0].kind.read(&standard)) else {
                return Err(TestCaseError::fail(format!("{pattern}: {written}")));
            };
            prop_assert_eq!(a.compare(&b), Some(std::cmp::Ordering::Equal), "{}", written);
        }
    }
}
