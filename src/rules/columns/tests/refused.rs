//! Schemas that are refused at start-up, each with its place.

use serde_json::{Value, json};

use super::super::schema::read;

fn refusal(descriptor: &Value) -> String {
    read(descriptor).err().unwrap_or_else(|| panic!("{descriptor} is refused"))
}

fn of_field(properties: Value) -> Value {
    let mut field = properties;
    if field.get("name").is_none() {
        field["name"] = json!("f");
    }
    json!({ "fields": [field] })
}

#[test]
fn a_schema_says_nothing_that_is_overlooked() {
    let a = json!([{ "name": "a" }]);
    for (descriptor, why) in [
        (json!([]), "must be a JSON object with the fields of a Table Schema"),
        (json!({}), "/fields: must be an array of fields"),
        (json!({ "fields": [] }), "/fields: must have at least one field"),
        (json!({ "fields": ["a"] }), "/fields/0: must be an object"),
        (json!({ "fields": [{ "title": "A" }] }), "/fields/0/name: must be the name of a column"),
        (json!({ "fields": [{ "name": " " }] }), "/fields/0/name: must be the name of a column"),
        (json!({ "fields": [{ "name": "a\u{1b}" }] }), "/fields/0/name: must not have control characters"),
        (
            json!({ "fields": [{ "name": "Due Date" }, { "name": "due-date" }] }),
            "/fields/1/name: is the name of field 0 too (case, spaces, '-', '.' and '_' make no difference)",
        ),
        (
            json!({ "fields": a, "resources": [] }),
            "/resources: is not known here; known are fields, fieldsMatch, foreignKeys, missingValues, primaryKey, uniqueKeys",
        ),
        (
            json!({ "fields": a, "foreignKeys": [{ "fields": ["a"], "reference": { "fields": ["b"] } }] }),
            "/foreignKeys: is not supported: a file is judged by itself",
        ),
        (json!({ "fields": a, "fieldsMatch": ["exact"] }), "/fieldsMatch: must be a text"),
        (
            json!({ "fields": a, "fieldsMatch": "most" }),
            "/fieldsMatch: must be exact, equal, subset, superset or partial",
        ),
        (json!({ "fields": a, "primaryKey": "b" }), "/primaryKey/0: is no field of this schema"),
        (json!({ "fields": a, "primaryKey": [] }), "/primaryKey: must be an array of field names"),
        (json!({ "fields": a, "uniqueKeys": ["a"] }), "/uniqueKeys/0: must be an array of field names"),
        (json!({ "fields": a, "uniqueKeys": [] }), "/uniqueKeys: must be an array of arrays of field names"),
        (json!({ "fields": a, "missingValues": "" }), "/missingValues: must be an array of texts"),
        (json!({ "fields": a, "missingValues": ["", 0] }), "/missingValues/1: must be a text"),
        (json!({ "fields": a, "missingValues": [{ "label": "x" }] }), "/missingValues/0/value: is missing"),
        (
            json!({ "fields": a, "missingValues": [{ "value": "", "why": "x" }] }),
            "/missingValues/0/why: is not known here; known are label, value",
        ),
    ] {
        assert_eq!(refusal(&descriptor), why, "{descriptor}");
    }
}

#[test]
fn a_field_says_nothing_that_is_overlooked() {
    let constraint = |kind: &str, constraints: Value| json!({ "type": kind, "constraints": constraints });
    for (field, why) in [
        (
            json!({ "constrains": {} }),
            "constrains: is not known here; known are type, format, constraints, missingValues",
        ),
        (
            json!({ "type": "string", "a/b~": 1 }),
            "a~1b~0: is not known here; known are type, format, constraints, missingValues, categories, categoriesOrdered",
        ),
        (
            json!({ "type": "string", "groupChar": "," }),
            "groupChar: is not known here; known are type, format, constraints, missingValues, categories, categoriesOrdered",
        ),
        (
            json!({ "type": "text" }),
            "type: is not known; known are any, array, boolean, date, datetime, duration, geojson, geopoint, integer, list, number, \
             object, string, time, year, yearmonth",
        ),
        (json!({ "type": 1 }), "type: must be a text"),
        (
            json!({ "type": "string", "format": "wkt" }),
            "format: is not known for this type; known are default, email, uri, binary, uuid",
        ),
        (json!({ "type": "integer", "format": "hex" }), "format: is not known for this type; known are default"),
        (
            json!({ "type": "date", "format": "any" }),
            "format: any says nothing that could be checked; write a pattern, such as %d/%m/%Y",
        ),
        (
            json!({ "type": "date", "format": "YYYY/MM" }),
            "format: is no pattern: it is no pattern with %Y %y %m %B %b %d %j %A %a %H %I %p %M %S %f %z %%",
        ),
        (
            json!({ "type": "date", "format": "%x" }),
            "format: is no pattern: %x is not known; known are %Y %y %m %B %b %d %j %A %a %H %I %p %M %S %f %z %%",
        ),
        (json!({ "type": "date", "format": "%d%d" }), "format: is no pattern: %d stands twice"),
        (json!({ "type": "time", "format": "%I:%M" }), "format: is no pattern: %I and %p need each other"),
        (json!({ "type": "time", "format": "%H%" }), "format: is no pattern: it ends in %"),
        (
            json!({ "type": "number", "decimalChar": "" }),
            "decimalChar: must be what stands between digits: no digit, sign or E",
        ),
        (
            json!({ "type": "number", "groupChar": "1" }),
            "groupChar: must be what stands between digits: no digit, sign or E",
        ),
        (json!({ "type": "number", "groupChar": "." }), "groupChar: must differ from the decimal character"),
        (json!({ "type": "number", "bareNumber": "no" }), "bareNumber: must be true or false"),
        (json!({ "type": "boolean", "trueValues": "y" }), "trueValues: must be an array of texts"),
        (json!({ "type": "boolean", "trueValues": ["0"] }), "trueValues: has a value that is false too"),
        (
            json!({ "type": "list", "itemType": "year" }),
            "itemType: must be string, integer, boolean, number, datetime, date or time",
        ),
        (json!({ "type": "list", "delimiter": "" }), "delimiter: must not be empty"),
        (json!({ "constraints": [] }), "constraints: must be an object"),
        (constraint("array", json!({ "jsonSchema": {} })), "constraints/jsonSchema: is not supported"),
        (
            constraint("string", json!({ "maxlength": 3 })),
            "constraints/maxlength: is not known here; known are enum, exclusiveMaximum, exclusiveMinimum, maxLength, maximum, minLength, \
             minimum, pattern, required, unique",
        ),
        (constraint("string", json!({ "required": "yes" })), "constraints/required: must be true or false"),
        (
            constraint("integer", json!({ "minLength": 1 })),
            "constraints/minLength: goes with the types string, object, array and list only",
        ),
        (constraint("string", json!({ "maxLength": -1 })), "constraints/maxLength: must be a whole number from 0 up"),
        (
            constraint("string", json!({ "minimum": "a" })),
            "constraints/minimum: goes with numbers, dates, times, years and durations only",
        ),
        (
            constraint("date", json!({ "minimum": "soon" })),
            "constraints/minimum: is no value of the field's type and format",
        ),
        (
            constraint("integer", json!({ "maximum": 1.5 })),
            "constraints/maximum: is no value of the field's type and format",
        ),
        (
            constraint("number", json!({ "maximum": "NaN" })),
            "constraints/maximum: must be a number that others can be compared with",
        ),
        (
            constraint("number", json!({ "maximum": 1e17 })),
            "constraints/maximum: too large to be read exactly; write it as a text, in quotes",
        ),
        (constraint("integer", json!({ "pattern": "1+" })), "constraints/pattern: goes with the type string only"),
        (constraint("string", json!({ "pattern": "a(" })), "constraints/pattern: unclosed group"),
        (constraint("string", json!({ "enum": [] })), "constraints/enum: must be an array of values"),
        (
            constraint("integer", json!({ "enum": [1, "x"] })),
            "constraints/enum/1: is no value of the field's type and format",
        ),
        (
            constraint("string", json!({ "enum": [1] })),
            "constraints/enum/0: must be a text, in quotes, since that is what a cell is",
        ),
        (
            json!({ "type": "list", "itemType": "number", "constraints": { "unique": true } }),
            "constraints/unique: lists of this type cannot be compared",
        ),
        (
            json!({ "type": "integer", "categories": [{ "value": "x" }] }),
            "categories/0: is no value of the field's type and format",
        ),
        (
            json!({ "type": "string", "categories": ["a", "b"], "constraints": { "enum": ["a", "c"] } }),
            "constraints/enum/1: is none of the categories",
        ),
        (constraint("string", json!({ "enum": ["a", "b", "a"] })), "constraints/enum/2: stands there twice"),
        (json!({ "missingValues": [{ "value": "" }, { "value": "" }] }), "missingValues/1/value: stands there twice"),
        (constraint("any", json!({ "pattern": "a" })), "constraints/pattern: goes with the type string only"),
    ] {
        assert_eq!(refusal(&of_field(field.clone())), format!("/fields/0/{why}"), "{field}");
    }
}

#[test]
fn what_merely_describes_is_allowed() {
    let descriptor = json!({
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "title": "Late payments", "description": "…", "x-owner": "billing", "_note": 1, "dc:source": "CRM",
        "fields": [{
            "name": "a", "title": "A", "description": "…", "example": "x", "rdfType": "http://schema.org/name", "x-column": 3,
        }],
    });
    assert!(read(&descriptor).is_ok());
}
