//! What the Table Schema standard says of types and formats (datapackage.org/standard/table-schema, version 2),
//! one line a statement: a field, cells that it accepts, cells that it refuses.

use serde_json::{Value, json};

use super::said_of;

pub(super) type Case = (Value, &'static [&'static str], &'static [&'static str]);

pub(super) fn hold(cases: Vec<Case>) {
    for (field, accepted, refused) in cases {
        for cell in accepted {
            assert_eq!(said_of(&field, cell), None, "{field} accepts {cell:?}");
        }
        for cell in refused {
            assert!(said_of(&field, cell).is_some(), "{field} refuses {cell:?}");
        }
    }
}

#[test]
fn string() {
    hold(vec![
        (json!({ "type": "string" }), &["", "string", " x ", "é\n"], &[]),
        (
            json!({ "type": "string", "format": "email" }),
            &["name@example.com"],
            &["string", "http://example.com", "a@b"],
        ),
        (
            json!({ "type": "string", "format": "uri" }),
            &["http://example.com", "mailto:a@example.com", "urn:isbn:1", "https://[::1]/a?b=%20#c", "file:///a"],
            &[
                "string",
                "://no-scheme.test",
                "http://",
                "http://a b",
                "http://a/%2",
                "1a:b",
                "http:///a",
                "a:b#c#d",
                "a:",
            ],
        ),
        (
            json!({ "type": "string", "format": "binary" }),
            &["dGVzdA==", "dGVzdAo=", "dGVzdGVk"],
            &["string", "!!!!", "()()", "dGVzdA", "d===", "dG=zdA=="],
        ),
        (
            json!({ "type": "string", "format": "uuid" }),
            &["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
            &[
                "123e4567e89b12d3a456426614174000",
                "{123e4567-e89b-12d3-a456-426614174000}",
                "x",
                "123e4567-e89b-12d3-a456",
            ],
        ),
    ]);
}

#[test]
fn number() {
    hold(vec![
        (
            json!({ "type": "number" }),
            &[
                "-1.23",
                "12678967.543233",
                "+100000.00",
                "210",
                "000835",
                " 01 ",
                ".5",
                "5.",
                "1e3",
                "1E-3",
                "1.5E+10",
                "NaN",
                "nan",
                "INF",
                "-inf",
                "9999999999999999999999999999999999999999.1",
            ],
            &[
                "string",
                "1,000",
                "10+000.00",
                "--1",
                "+-1",
                "1e",
                "1e1.5",
                ".",
                "-",
                "+INF",
                "1 000",
                "0x10",
                "１",
                "1.2.3",
                "1_0",
            ],
        ),
        (
            json!({ "type": "number", "groupChar": "," }),
            &["1,000", "10,000,000.50", "1000", "1,000e2"],
            &[",100", "100,", "1,,000", "1.0,0", "-,1"],
        ),
        (
            json!({ "type": "number", "groupChar": "#", "decimalChar": "@" }),
            &["10#000@00", "10@50", "1#000"],
            &["10#000.00"],
        ),
        (
            json!({ "type": "number", "groupChar": ".", "decimalChar": "," }),
            &["10.000.000,00", "8.699,8"],
            &["1,000.5"],
        ),
        (json!({ "type": "number", "groupChar": " ", "decimalChar": "," }), &["10 000,00"], &["10 000.00"]),
        (json!({ "type": "number", "decimalChar": "," }), &["1,5"], &["1.234"]),
        (
            json!({ "type": "number", "bareNumber": false }),
            &[
                "95%",
                "€95",
                "EUR 95",
                "-12.3 €",
                "€-12.3",
                "€ -12.3",
                "-€12.3",
                "1000‰",
                "$10000.00",
                "95",
                "-INF",
                "Rs.95",
                ".5%",
            ],
            &["%", "string", "1€5", "A-1-5", "- € -5", "a-b5", "$10:000.00"],
        ),
        (
            json!({ "type": "number", "bareNumber": false, "groupChar": " ", "decimalChar": "," }),
            &["10 000,00 £", "10000,00 ₪", "1234."],
            &["1.234.", "10,000,00 £"],
        ),
    ]);
}

#[test]
fn integer() {
    hold(vec![
        (
            json!({ "type": "integer" }),
            &["1", "-5", "+7", "007", " 3 ", "123456789012345678901234567890"],
            &["1.0", "3.14", "1e3", "INF", "NaN", "one", "1,000", "- 1", "-"],
        ),
        (json!({ "type": "integer", "groupChar": "," }), &["100,000", "1,00,000"], &["100,000.0", "1,"]),
        (json!({ "type": "integer", "bareNumber": false }), &["95%", "EUR 95", "$-1"], &["9.5%", "%"]),
    ]);
}

#[test]
fn boolean() {
    hold(vec![
        (
            json!({ "type": "boolean" }),
            &["true", "True", "TRUE", "1", "false", "False", "FALSE", "0", " 1 "],
            &["tRUE", "yes", "YES", "f", "2", "t"],
        ),
        (json!({ "type": "boolean", "trueValues": ["yes"] }), &["yes", "false"], &["true", "no"]),
        (json!({ "type": "boolean", "trueValues": ["y"], "falseValues": ["n"] }), &["y", "n"], &["true", "0"]),
    ]);
}

#[test]
fn dates_and_times() {
    hold(vec![
        (
            json!({ "type": "date" }),
            &["2024-01-26", "2024-02-29", "0001-01-01"],
            &[
                "2023-02-29",
                "26/01/2024",
                "2024-1-26",
                "24-01-26",
                "2024-01-26T00:00:00",
                "0000-00-00",
                "20240126",
                "2024-01-32",
            ],
        ),
        (
            json!({ "type": "date", "format": "%d/%m/%y" }),
            &["21/11/06", "1/2/69"],
            &["21/11/2006", "32/1/06", "2006-11-21", "21/13/06"],
        ),
        (json!({ "type": "date", "format": "fmt:%d/%m/%y" }), &["21/11/06"], &["2006-11-21"]),
        (
            json!({ "type": "date", "format": "%A, %d %B %Y" }),
            &["Friday, 26 January 2024", "friday,  26 january 2024"],
            &["26 Jan 2024"],
        ),
        (
            json!({ "type": "time" }),
            &["15:00:00", "00:00:00", "23:59:59", "06:00:00Z", "06:00:00+01:00", "06:00:00.5"],
            &["24:00:00", "3:00:00", "15:00", "15:00:60", "06:00:00+1:00", "06:00:00."],
        ),
        (json!({ "type": "time", "format": "%I:%M %p" }), &["3:00 PM", "12:59 am"], &["13:00 PM", "0:00 AM", "3:00"]),
        (
            json!({ "type": "datetime" }),
            &[
                "2024-01-26T15:00:00",
                "2024-01-26T15:00:00.300-05:00",
                "2014-01-01T06:00:00Z",
                "2014-01-01T06:00:00+01:00",
                "2014-01-01T24:00:00",
                "12024-01-26T15:00:00",
                "-0044-03-15T12:00:00",
            ],
            &[
                "2014-01-01T06:00:00+1:00",
                "2014-01-01 06:00:00",
                "Mon 1st Jan 2014 9 am",
                "2014-01-01",
                "2014-01-01T24:00:01",
                "2014-01-01T24:00:00.5",
                "2014-01-01T06:00:00+15:00",
                "2014-01-01T06:00:00.",
                "2014-01-01T06:00:00Zz",
                "0000-01-01T00:00:00",
            ],
        ),
        (
            json!({ "type": "datetime", "format": "%d/%m/%Y %H:%M:%S" }),
            &["12/11/2018 09:15:32"],
            &["2018-11-12T09:15:32", "12/11/2018"],
        ),
        (
            json!({ "type": "datetime", "format": "%d/%m/%y %H:%M" }),
            &["21/11/06 16:30"],
            &["16:30 21/11/06", "21/11/06 24:30"],
        ),
        (
            json!({ "type": "datetime", "format": "%Y-%m-%dT%H:%M:%S.%f%z" }),
            &["2024-01-26T15:00:00.5+0100"],
            &["2024-01-26T15:00:00.5"],
        ),
        (
            json!({ "type": "year" }),
            &["2024", "2024Z", "0987"],
            &["24", "12024", "-2024", "02024", "0000", "2024.0", "next", "2024+1"],
        ),
        (
            json!({ "type": "yearmonth" }),
            &["2024-01", "2024-12Z"],
            &["2024-13", "2024-1", "2024-00", "01-2024", "2024", "2024-01-01"],
        ),
        (
            json!({ "type": "duration" }),
            &["P1Y10M3DT5H11M7S", "P1Y", "P1M", "PT1S", "-P1D", "PT0.123456789012S", "P0D", "PT36H"],
            &["P1M1Y", "P-1Y", "year", "P", "PT", "P1DT", "P1", "1Y", "PT1.5H", "P1.5D", "PT1D", "P1S", "P1Y1Y"],
        ),
    ]);
}

#[test]
fn places() {
    hold(vec![
        (
            json!({ "type": "geopoint" }),
            &["90.50, 45.50", "180,-90", "1e1,2"],
            &["181,90", "0,91", "3.14", "string", "1,2,3", "inf,1", "[1,2]"],
        ),
        (
            json!({ "type": "geopoint", "format": "array" }),
            &["[90.50, 45.50]", "[180, -90]"],
            &["180,90", "[181, 90]", "[1]", "[1,2,3]", r#"["1","2"]"#, "[1,2"],
        ),
        (
            json!({ "type": "geopoint", "format": "object" }),
            &[r#"{"lon": 90.50, "lat": 45.50}"#],
            &["[180, -90]", r#"{"lon": 180}"#, r#"{"lon": 181, "lat": 1}"#, r#"{"lon": 1, "lat": 1, "alt": 1}"#],
        ),
        (
            json!({ "type": "geojson" }),
            &[
                r#"{"type": "Point", "coordinates": [0, 0, 0]}"#,
                r#"{"type": "Feature", "geometry": null, "properties": {"a": "é"}}"#,
                r#"{"type": "LineString", "coordinates": [[0, 0], [1, 1]]}"#,
                r#"{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}"#,
                r#"{"type": "MultiPolygon", "coordinates": []}"#,
                r#"{"type": "GeometryCollection", "geometries": [{"type": "MultiPoint", "coordinates": [[0, 0]]}]}"#,
                r#"{"type": "FeatureCollection", "features": []}"#,
            ],
            &[
                "{}",
                "[]",
                "string",
                r#"{"type": "Point"}"#,
                r#"{"type": "Point", "coordinates": "x"}"#,
                r#"{"type": "Oval"}"#,
                r#"{"type": "Point", "coordinates": [0]}"#,
                r#"{"type": "Feature", "geometry": null}"#,
                r#"{"type": "LineString", "coordinates": [[0, 0]]}"#,
                r#"{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}"#,
                r#"{"type": "FeatureCollection", "features": [{"type": "Point", "coordinates": [0, 0]}]}"#,
            ],
        ),
        (
            json!({ "type": "geojson", "format": "topojson" }),
            &[
                r#"{"type": "LineString", "arcs": [42]}"#,
                r#"{"type": "Topology", "objects": {"a": {"type": "Point", "coordinates": [0, 0]}}, "arcs": []}"#,
                r#"{"type": "GeometryCollection", "geometries": [{"type": "MultiPoint", "coordinates": [[0, 0]]}]}"#,
            ],
            &[
                "{}",
                r#"{"type": "Topology", "arcs": []}"#,
                r#"{"type": "LineString", "coordinates": [[0, 0], [1, 1]]}"#,
                "x",
            ],
        ),
    ]);
}

#[test]
fn collections() {
    hold(vec![
        (json!({ "type": "object" }), &["{}", r#"{"a": [1]}"#], &["[]", "string", "1", r#""a""#, "{", "null"]),
        (json!({ "type": "array" }), &["[]", r#"["a", {}]"#], &["{}", "string", "1", "[1,]"]),
        (json!({ "type": "list" }), &["value1,value2", "one", ","], &[]),
        (json!({ "type": "list", "itemType": "integer" }), &["1,2", " 1, 2 ", "1"], &["1,a", "1,,2", "1;2", "1.5"]),
        (
            json!({ "type": "list", "itemType": "date", "delimiter": "; " }),
            &["2024-01-26; 2024-01-27"],
            &["2024-01-26,2024-01-27"],
        ),
        (json!({ "type": "list", "itemType": "boolean" }), &["true,0"], &["true,2"]),
        (json!({ "type": "any" }), &["1", "apple", "", "{"], &[]),
        (json!({}), &["1", "apple", ""], &[]),
    ]);
}
