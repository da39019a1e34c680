//! `batchdrop check`, run as it is, on every fixture: what a person reads who asks whether their file is fine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Ran, fixtures, program, run};

/// Every file of a folder of fixtures, as paths relative to all of them.
fn files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(fixtures().join(folder)).expect("the folder of fixtures");
    let files = entries.map(|entry| entry.expect("an entry")).filter(|entry| entry.path().is_file());
    let names = files.map(|entry| entry.file_name().into_string().expect("a name"));
    let paths: BTreeSet<String> = names.map(|name| format!("{folder}/{name}")).collect();
    paths.into_iter().collect()
}

/// A file of its own in a folder of its own.
fn dropped(name: &str, content: impl AsRef<[u8]>) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join(name), content).expect("written");
    folder
}

/// Every file below a folder, with its size and time.
fn listing(folder: &Path) -> BTreeMap<std::path::PathBuf, (u64, SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(listing(&path));
        } else {
            let data = path.metadata().expect("its size and time");
            all.insert(path, (data.len(), data.modified().expect("a time")));
        }
    }
    all
}

/// Of `fixtures/reading`; the others are as good as plain ones.
const READ_WITH_FINDINGS: [&str; 7] =
    ["gzip-cut-off", "no-header", "stray-quote", "text-after-quote", "unclosed-quote", "windows-1252", "zip-of-two"];

#[test]
fn every_fixture_reads_well_and_nothing_is_written() {
    let before = listing(&fixtures());
    for folder in ["faults", "good", "reading", "uploads"] {
        let mut transcript = String::new();
        for file in files(folder) {
            let ran = run(fixtures(), &["check", &file]);
            assert_eq!(ran.err, "", "{file}");
            let expected = match folder {
                "good" if file != "good/ragged.csv" => 0,
                "uploads" if file.contains("REMINDERS") => 0,
                "reading" if !READ_WITH_FINDINGS.iter().any(|name| file.contains(name)) => 0,
                _ => 1,
            };
            assert_eq!(ran.code, expected, "{file}");
            transcript.push_str(&format!("{}\n", ran.out));
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("check_{folder}"), transcript.trim_end());
        });
    }
    assert_eq!(listing(&fixtures()), before);
}

#[test]
fn it_writes_nothing_where_it_runs() {
    let folder = TempDir::new().expect("a folder");
    let file = fixtures().join("uploads/LATE_PAYMENTS_20250401.csv").display().to_string();
    for arguments in [&["check", &file][..], &["check", "--json", &file]] {
        assert_eq!(run(&folder, arguments).code, 1);
    }
    assert!(listing(folder.path()).is_empty(), "{:?}", listing(folder.path()));
}

#[test]
fn json_is_one_object_a_file_with_every_field() {
    for folder in ["faults", "good", "uploads"] {
        let files = files(folder);
        let mut arguments = vec!["check", "--json", "--limit", "0"];
        arguments.extend(files.iter().map(String::as_str));
        let ran = run(fixtures(), &arguments);
        assert_eq!((ran.code, ran.err.as_str()), (1, ""));
        let values = ran.json();
        assert_eq!(values.len(), files.len());
        for (value, file) in values.iter().zip(&files) {
            let fields: BTreeSet<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
            let expected = [
                "campaign",
                "columns",
                "compression",
                "counts",
                "delimiter",
                "encoding",
                "fault",
                "file",
                "findings",
                "header_line",
                "newline",
                "quote",
                "quote_escape",
                "rows_read",
                "verdicts",
                "would_be",
            ];
            assert_eq!(fields, BTreeSet::from(expected), "{file}");
            assert_eq!(value["file"], json!(file));
            assert_eq!(value["campaign"], "default");
            assert_eq!(value["fault"].is_null(), folder == "good" || value["rows_read"].as_u64() > Some(30), "{file}");
            let verdicts = value["verdicts"].as_object().expect("an object");
            let total: u64 = verdicts.values().map(|count| count.as_u64().expect("a count")).sum();
            assert_eq!(value["rows_read"], json!(total), "{file}: every row is accounted for");
            let counted: u64 = value["counts"].as_object().expect("an object").values().filter_map(Value::as_u64).sum();
            let findings = value["findings"].as_array().expect("a list");
            assert_eq!(findings.len() as u64, counted, "{file}: --limit 0 tells all");
            for finding in findings {
                for number in ["row", "line", "column"] {
                    assert!(finding[number].as_u64() > Some(0), "{file}: {finding}");
                }
                for text in ["code", "status", "message"] {
                    assert!(finding[text].as_str().is_some_and(|text| !text.is_empty()), "{file}: {finding}");
                }
            }
        }
    }
}

#[test]
fn json_points_at_the_same_place_as_the_text() {
    let fault = |file: &str| run(fixtures(), &["check", "--json", file]).json().remove(0)["fault"].clone();
    assert_eq!(
        fault("faults/latin1.csv"),
        json!({
            "code": "INVALID_ENCODING", "line": 3, "column": 19,
            "message": "Invalid encoding: line 3, column 3: byte 0xEB is not UTF-8 (it looks like Windows-1252); \
                        save the file as \"CSV UTF-8\" and drop it again",
        })
    );
    let nowhere = fault("faults/pdf.csv");
    assert_eq!((&nowhere["line"], &nowhere["column"]), (&Value::Null, &Value::Null));
}

#[test]
fn limit_says_how_many_are_shown_and_how_many_are_not() {
    let shown = |limit: &str| {
        let ran = run(fixtures(), &["check", "--limit", limit, "faults/too-many-invalid.csv"]);
        let more = ran.out.lines().find(|line| line.starts_with('…')).unwrap_or_default().to_owned();
        (ran.out.matches(": INVALID INVALID_PHONE").count(), more)
    };
    assert_eq!(shown("1"), (1, "… and 11 more INVALID_PHONE like this (--limit 0 shows all)".to_owned()));
    assert_eq!(shown("11"), (11, "… and 1 more INVALID_PHONE like this (--limit 0 shows all)".to_owned()));
    assert_eq!(shown("12"), (12, String::new()));
    assert_eq!(shown("0"), (12, String::new()));
}

const TWO_CAMPAIGNS: &str = "[campaigns.late_payments]\nid = 7\nfiles = 'LATE_*.csv'\n\
                             [campaigns.london]\nid = 8\nfiles = 'LONDON_*.csv'\nregion = 'GB'\n";

#[test]
fn a_campaign_is_told_by_the_name_of_the_file_or_by_option() {
    let folder = dropped("export.csv", "reference_id,target\nA1,020 7946 0018\n");
    std::fs::write(folder.path().join("batchdrop.toml"), TWO_CAMPAIGNS).expect("written");
    let check = |arguments: &[&str]| {
        let mut all = vec!["check", "--config", "batchdrop.toml", "export.csv"];
        all.extend(arguments);
        run(&folder, &all)
    };
    insta::assert_snapshot!(check(&[]).transcript(), @r"
    exit code 1
    export.csv  (no campaign)

    export.csv: FAILED UNKNOWN_CAMPAIGN: no campaign takes a file of this name; names are taken that match LATE_*.csv, LONDON_*.csv
      Check the spelling of the file's name, or ask the operator which names the campaigns take.
    ");
    insta::assert_snapshot!(check(&["--campaign", "london"]).transcript(), @r#"
    exit code 0
    export.csv  (campaign london)
      UTF-8, delimiter ",", 2 columns: 1 row = 1 PENDING
      reference_id is column 1 (reference_id), target column 2 (target)
      Clean: would be a batch, ACTIVE: 1 request to contact.
    "#);
    insta::assert_snapshot!(check(&["--campaign", "late_payments"]).transcript(), @r#"
    exit code 1
    export.csv  (campaign late_payments)
      UTF-8, delimiter ",", 2 columns: 1 row = 1 INVALID
      reference_id is column 1 (reference_id), target column 2 (target)

    export.csv: FAILED NO_VALID_ROWS: the only row cannot be used: 1 INVALID_PHONE (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    export.csv:2:4: INVALID INVALID_PHONE: target: too long
          2 | ••,••• •••• 0018
            |    ^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(check(&["--campaign", "paris"]).transcript(), @r"
    exit code 2
    --- standard error
    error: there is no campaign paris; known are late_payments, london
    ");
    let value = check(&["--json"]).json().remove(0);
    assert_eq!((&value["campaign"], &value["fault"]["code"]), (&Value::Null, &json!("UNKNOWN_CAMPAIGN")));
}

#[test]
fn a_file_that_cannot_be_read_is_no_finding_and_stops_nothing() {
    let folder = dropped("good.csv", "reference_id,target\nA1,+15125550142\n");
    insta::assert_snapshot!(run(&folder, &["check", "nowhere.csv", "good.csv"]).transcript(), @r#"
    exit code 2
    good.csv  (campaign default)
      UTF-8, delimiter ",", 2 columns: 1 row = 1 PENDING
      reference_id is column 1 (reference_id), target column 2 (target)
      Clean: would be a batch, ACTIVE: 1 request to contact.
    --- standard error
    error: nowhere.csv: cannot be read: No such file or directory (os error 2)
    "#);
    for missing in [&["check", "nowhere.csv"][..], &["check", "nowhere.txt"], &["check", "."]] {
        assert_eq!(run(&folder, missing).code, 2, "{missing:?}");
    }
    for usage in [&["check"][..], &["check", "--limit", "x", "good.csv"], &["check", "--frobnicate", "good.csv"]] {
        let ran = run(&folder, usage);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{usage:?}");
        assert!(ran.err.contains("--help"), "{}", ran.err);
    }
}

#[test]
fn the_caret_stands_under_what_is_meant() {
    let folder = TempDir::new().expect("a folder");
    let shown = |content: &[u8]| {
        std::fs::write(folder.path().join("x.csv"), content).expect("written");
        let out = run(&folder, &["check", "x.csv"]).out;
        // From the first finding on.
        out.split_once("\n\n").map(|(_, found)| found.trim_end().to_owned()).unwrap_or(out)
    };
    // Behind characters of several bytes, an emoji of two columns, and a letter whose accent is a character of its own.
    insta::assert_snapshot!(shown("reference_id,note,target\nA1,Zoë 😀 e\u{301}你,555-0142\n".as_bytes()), @r"
    x.csv: FAILED NO_VALID_ROWS: the only row cannot be used: 1 INVALID_PHONE (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    x.csv:2:14: INVALID INVALID_PHONE: target: too short; the area code is missing
          2 | ••,••• • •••,•••-•142
            |              ^^^^^^^^
    ");
    // Behind a quoted cell with line breaks, of every kind.
    insta::assert_snapshot!(shown(b"reference_id,note,target\nA1,\"one\r\ntwo\rthree\nfour\",\"555-0142\",\n"), @r#"
    x.csv: FAILED NO_VALID_ROWS: the only row cannot be used: 1 CELL_COUNT (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    x.csv:2:1: INVALID CELL_COUNT: 4 cells where the header has 3
          2 | ••,"•••
            | ^^^^^^^
    "#);
    insta::assert_snapshot!(shown(b"reference_id,note,target\nA1,\"one\r\ntwo\rthree\nfour\",\"555-0142\"\n"), @r#"
    x.csv: FAILED NO_VALID_ROWS: the only row cannot be used: 1 INVALID_PHONE (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    x.csv:5:7: INVALID INVALID_PHONE: target: too short; the area code is missing
          5 | ••••","•••-•142"
            |       ^^^^^^^^^^
    "#);
    // Behind tabs, which are shown as one character.
    insta::assert_snapshot!(shown(b"reference_id\ttarget\tnote\nA1\t555-0142\tx\n"), @r"
    x.csv: FAILED NO_VALID_ROWS: the only row cannot be used: 1 INVALID_PHONE (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    x.csv:2:4: INVALID INVALID_PHONE: target: too short; the area code is missing
          2 | ••→•••-•142→•
            |    ^^^^^^^^
    ");
    // In a row that began on another line.
    insta::assert_snapshot!(shown(b"reference_id,target,note\nA1,+15125550142,\"one\ntwo\xEB\"\n"), @r#"
    x.csv:3:4: FAILED INVALID_ENCODING: byte 0xEB is not UTF-8 (it looks like Windows-1252); save the file as "CSV UTF-8" and drop it again
          3 | •••�"
            |    ^
    "#);
    insta::assert_snapshot!(shown(b"reference_id,target,note\rA1,+15125550142,\"one\rtwo\" three\r"), @r#"
    x.csv: FAILED NO_VALID_ROWS: none of the 2 rows can be used: 1 CELL_COUNT (first on line 3), 1 INVALID_VALUE (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    x.csv:3:1: INVALID CELL_COUNT: 1 cell where the header has 3
          3 | •••" •••••
            | ^^^^^^^^^^

    x.csv:2:17: INVALID INVALID_VALUE: column 3: a quote is never closed, or text follows it; write a quote inside a cell twice ("")
          2 | ••,+•••••••••••,"•••
            |                 ^^^^
    "#);
    // In UTF-16, behind a byte order mark.
    let text = "reference_id,target,note\r\nA1,+15125550142,\"Zoë\" x\r\n".encode_utf16().flat_map(u16::to_le_bytes);
    insta::assert_snapshot!(shown(&[0xFF, 0xFE].into_iter().chain(text).collect::<Vec<u8>>()), @r#"
    x.csv: FAILED NO_VALID_ROWS: the only row cannot be used: 1 INVALID_VALUE (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    x.csv:2:17: INVALID INVALID_VALUE: column 3: a quote is never closed, or text follows it; write a quote inside a cell twice ("")
          2 | ••,+•••••••••••,"•••" •
            |                 ^^^^^^^
    "#);
    // Far to the right.
    let wide = format!("reference_id,note,target\nA1,{},555-0142\n", "x".repeat(300));
    insta::assert_snapshot!(shown(wide.as_bytes()), @r"
    x.csv: FAILED NO_VALID_ROWS: the only row cannot be used: 1 INVALID_PHONE (first on line 2)
      Look at what the message counts; most often the wrong column is named target.

    x.csv:2:305: INVALID INVALID_PHONE: target: too short; the area code is missing
          2 | …•••••••••••,•••-•142
            |              ^^^^^^^^
    ");
}

/// Every cell holds letters and digits of its own; none may come out but the last four of a target.
#[test]
fn nothing_of_a_person_is_shown_but_the_last_four_of_a_target() {
    let rows = [
        "QZREF1,867-5309,QZNAME2,QZCITY3",                // too short a number
        "QZREF1,(512) 867-5309 QZMORE4,QZNAME2,QZCITY3",  // letters in a number
        "QZREF1,+1 512 867 5309,QZNAME2",                 // a cell too few
        "QZREF1,+1 512 867 5309,QZNAME2,QZCITY3,QZMORE4", // a cell too many
        ",+1 512 867 5309,QZNAME2,QZCITY3",               // no reference_id
        "QZDUP6,+1 512 867 5309,QZNAME2,QZCITY3",
        "QZDUP6,+1 512 867 5309,QZNAME2,QZCITY3",   // the same again
        "QZREF5,+1 512 867 5309,QZN\0AME2,QZCITY3", // what cannot be stored
    ];
    let long = format!("{},+1 512 867 5309,QZNAME2,QZCITY3", "QZVAST".repeat(300));
    let header = "reference_id,target,QZNAME2,QZCITY3";
    let files: Vec<Vec<u8>> = vec![
        format!("{header}\n{}\n{long}\n", rows.join("\n")).into_bytes(),
        format!("{}\n", rows[5..].join("\n")).into_bytes(), // no header
        format!("{header}\n{}\nQZREF1,8675309,\"QZNAME2\" QZMORE4,QZCITY3\n", rows[5]).into_bytes(),
        format!("{header}\nQZREF1,8675309,\"QZNAME2,QZCITY3\n").into_bytes(),
        [format!("{header}\nQZREF1,8675309,QZNAME2").as_bytes(), b"\xEB,QZCITY3\n"].concat(),
        "reference_id,target,QZNAME2,QZNAME2\n".into(),
        "reference_id,phone,mobile,QZNAME2\n".into(),
        format!("reference_id,target,\"QZNAME2,QZCITY3\n{}\n", rows[5]).into_bytes(), // a stray quote in the header
    ];
    let folder = TempDir::new().expect("a folder");
    let mut codes = BTreeSet::new();
    for (number, content) in files.iter().enumerate() {
        std::fs::write(folder.path().join("x.csv"), content).expect("written");
        for json in [false, true] {
            let arguments = if json {
                &["check", "--limit", "0", "--json", "x.csv"][..]
            } else {
                &["check", "--limit", "0", "x.csv"]
            };
            let mut command = program(&folder, arguments);
            command.env("BATCHDROP_LOG_LEVEL", "trace");
            let Ran { code, out, err } = crate::support::program::finished(command.output().expect("it starts"));
            assert_eq!(code, 1, "{err}");
            let all = out.clone() + &err;
            // Neither a whole one, however it is spelled, nor its beginning or its end.
            let bare: String = all.chars().filter(|c| c.is_alphanumeric()).collect();
            for secret in ["QZ", "REF1", "REF5", "NAME2", "CITY3", "DUP6", "VAST", "512867", "8675"] {
                assert!(!bare.contains(secret), "file {number}: {secret} in\n{all}");
            }
            // The end of a target: no more than four letters and digits of a line.
            for line in all.lines().filter(|line| line.contains(" | ")) {
                let shown =
                    line.split(" | ").nth(1).unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).count();
                assert!(shown <= 4, "file {number}: {line}");
            }
            if json {
                assert!(!all.contains("5309"), "{all}");
                let value: Value = serde_json::from_str(&out).expect("JSON");
                codes.extend(value["fault"]["code"].as_str().map(str::to_owned));
                codes.extend(value["counts"].as_object().expect("counts").keys().cloned());
            }
        }
    }
    let met = [
        "AMBIGUOUS_HEADER",
        "CELL_COUNT",
        "DUPLICATE_HEADER",
        "DUPLICATE_REFERENCE",
        "INVALID_ENCODING",
        "INVALID_FILE_FORMAT",
        "INVALID_PHONE",
        "INVALID_VALUE",
        "MISSING_REQUIRED_FIELDS",
        "MISSING_VALUE",
        "NO_VALID_ROWS",
        "VALUE_TOO_LONG",
    ];
    assert_eq!(codes, met.map(str::to_owned).into(), "every way in which a cell could come out has been taken");
}
