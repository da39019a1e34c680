//! A campaign's Table Schema, from the configuration to what a person and the store are told.

use serde_json::json;
use tempfile::TempDir;

use crate::support::program::{Ran, finished, fixtures, run};

fn check(arguments: &[&str]) -> Ran {
    let mut all = vec!["check", "--config", "batchdrop.toml"];
    all.extend(arguments);
    run(fixtures().join("columns"), &all)
}

#[test]
fn a_file_that_keeps_to_the_schema_is_clean() {
    insta::assert_snapshot!(check(&["good.csv"]).transcript(), @r#"
    exit code 0
    good.csv  (campaign late_payments)
      UTF-8, delimiter ",", 9 columns: 4 rows = 4 PENDING
      reference_id is column 1 (Reference ID), target column 2 (phone); 7 more become request_variables
      Clean: would be a batch, ACTIVE: 4 requests to contact.
    "#);
}

#[test]
fn each_broken_cell_is_told_by_column_and_what_would_be_right() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("columns_broken_cells", check(&["--limit", "0", "broken-cells.csv"]).transcript());
    });
}

#[test]
fn a_column_that_the_schema_requires_must_be_there() {
    insta::assert_snapshot!(check(&["missing-column.csv"]).transcript(), @r#"
    exit code 1
    missing-column.csv  (campaign late_payments)
      UTF-8, delimiter ",", 3 columns: 0 rows before the fault
      reference_id is column 1 (reference_id), target column 2 (target); 1 more becomes a request_variable

    missing-column.csv: FAILED MISSING_REQUIRED_FIELDS: first_name (required by the campaign's schema; add each as a column)
    "#);
}

/// The worker judges by the same rules, and an INVALID row claims no key: row 15 has the reference_id and invoice of
/// row 3.
#[test]
fn the_worker_judges_as_check_does() {
    let folder = TempDir::new().expect("a folder");
    let uploads = folder.path().join("uploads");
    std::fs::create_dir(&uploads).expect("a folder");
    for name in ["broken-cells.csv", "missing-column.csv"] {
        std::fs::copy(fixtures().join("columns").join(name), uploads.join(name)).expect("copied");
    }
    let config = fixtures().join("columns/batchdrop.toml").display().to_string();
    let ran = run(&folder, &["run", "--once", "--config", &config, "uploads"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let batches = run(&folder, &["batches", "list", "--config", &config, "--json"]).json();
    let of = |name: &str| batches.iter().find(|batch| batch["upload_filename"] == name).expect("a batch").clone();
    assert_eq!(
        of("missing-column.csv")["error_message"],
        "Missing required fields: first_name (required by the campaign's schema; add each as a column)"
    );
    let loaded = of("broken-cells.csv");
    let checked = check(&["--json", "--limit", "0", "broken-cells.csv"]).json().remove(0);
    let counts = json!({ "PENDING": 3, "DUPLICATE": 1, "INVALID": 11 });
    assert_eq!((&loaded["status"], &loaded["status_counts"]), (&json!("ACTIVE"), &counts));
    for (status, count) in counts.as_object().expect("an object") {
        assert_eq!(&checked["verdicts"][status.to_lowercase()], count, "{status}");
    }
}

/// A header that a schema's author and an uploader can both begin with.
#[test]
fn a_template_has_every_column_once_and_is_itself_a_good_header() {
    let template = |schema: serde_json::Value, channel: &str| {
        let folder = TempDir::new().expect("a folder");
        std::fs::create_dir(folder.path().join("conf")).expect("a folder");
        std::fs::write(folder.path().join("conf/s.json"), schema.to_string()).expect("written");
        let text = format!("[campaigns.a]\nid = 1\nfiles = '*.csv'\nchannel = '{channel}'\nschema = 's.json'\n");
        std::fs::write(folder.path().join("conf/b.toml"), text).expect("written");
        let arguments = ["check", "--config", "conf/b.toml", "--campaign", "a", "--schema-template"];
        let ran = run(&folder, &arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        // With a row that says nothing wrong, it is a clean file.
        let names = run(&folder, &[&arguments[..], &["--json"]].concat()).json().remove(0);
        let names = names["columns"].as_array().expect("a list").clone();
        assert_eq!(names.len(), csv::Reader::from_reader(ran.out.as_bytes()).headers().expect("a header").len());
        let cells: Vec<&str> = names
            .iter()
            .map(|name| match name.as_str() {
                Some("target" | "Phone") => "5125550142",
                Some("email") => "a@example.com",
                _ => "1",
            })
            .collect();
        std::fs::write(folder.path().join("x.csv"), format!("{}{}\n", ran.out, cells.join(","))).expect("written");
        let checked = run(&folder, &["check", "--config", "conf/b.toml", "x.csv"]);
        assert_eq!(checked.code, 0, "{}", checked.transcript());
        ran.out
    };
    let fields =
        |names: &[&str]| json!({ "fields": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() });
    assert_eq!(
        template(fields(&["Due, date", "a \"b\""]), "voice"),
        "reference_id,target,\"Due, date\",\"a \"\"b\"\"\"\n"
    );
    assert_eq!(template(fields(&["n", "Phone", "Customer-ID"]), "sms"), "n,Phone,Customer-ID\n");
    assert_eq!(template(fields(&["phone", "mobile", "target", "n"]), "voice"), "reference_id,phone,mobile,target,n\n");
    assert_eq!(template(fields(&["phone", "mobile"]), "voice"), "reference_id,target,phone,mobile\n");
    assert_eq!(template(fields(&["phone", "email"]), "email"), "reference_id,phone,email\n");
    let plain = run(fixtures(), &["check", "--campaign", "default", "--schema-template"]);
    assert_eq!((plain.code, plain.out.as_str()), (0, "reference_id,target\n"));
    let nameless = run(fixtures(), &["check", "--schema-template"]);
    assert_eq!(nameless.code, 2, "{}", nameless.out);
}

#[test]
fn a_schema_that_cannot_be_used_is_refused_with_its_place_by_every_command() {
    let folder = TempDir::new().expect("a folder");
    let config = "[campaigns.a]\nid = 1\nfiles = '*.csv'\nschema = 's.json'\n";
    std::fs::write(folder.path().join("b.toml"), config).expect("written");
    std::fs::create_dir(folder.path().join("uploads")).expect("a folder");
    let told = |schema: Option<&str>| {
        if let Some(schema) = schema {
            std::fs::write(folder.path().join("s.json"), schema).expect("written");
        }
        let ran = run(&folder, &["config", "check", "--config", "b.toml"]);
        for command in [&["run", "--once", "uploads"][..], &["check", "x.csv"]] {
            let other = run(&folder, &[command, &["--config", "b.toml"]].concat());
            assert_eq!((other.code, &other.err), (2, &ran.err), "{command:?}");
        }
        ran.transcript()
    };
    let transcripts = [
        told(None),
        told(Some("{")),
        told(Some(r#"{ "fields": [{ "name": "a", "type": "date", "type": "year" }] }"#)),
        told(Some(r#"{ "fields": [{ "name": "a", "constraints": { "requird": true } }] }"#)),
        told(Some(r#"{ "fields": [{ "name": "a", "type": "integer", "constraints": { "minimum": "x" } }] }"#)),
    ];
    insta::assert_snapshot!(transcripts.join("\n"), @r#"
    exit code 2
    --- standard error
    error: campaigns.a.schema: s.json: cannot be read: No such file or directory (os error 2)
    exit code 2
    --- standard error
    error: campaigns.a.schema: s.json: not JSON that can be used: EOF while parsing an object at line 1 column 1
    exit code 2
    --- standard error
    error: campaigns.a.schema: s.json: not JSON that can be used: "type" stands twice in one object at line 1 column 60
    exit code 2
    --- standard error
    error: campaigns.a.schema: s.json: /fields/0/constraints/requird: is not known here; known are enum, exclusiveMaximum, exclusiveMinimum, maxLength, maximum, minLength, minimum, pattern, required, unique
    exit code 2
    --- standard error
    error: campaigns.a.schema: s.json: /fields/0/constraints/minimum: is no value of the field's type and format
    "#);
}

/// A cell that the published library's own tests have.
#[derive(serde::Deserialize)]
struct PublicCase {
    field: serde_json::Value,
    value: String,
    good: bool,
}

impl PublicCase {
    /// What is refused when the program starts, since it says nothing that could be checked: any date, and what is no pattern.
    fn is_refused_at_the_start(&self) -> bool {
        let of_time = ["date", "datetime", "time"].contains(&self.field["type"].as_str().unwrap_or_default());
        of_time && ["any", "invalid"].contains(&self.field["format"].as_str().unwrap_or_default())
    }
}

fn public_cases() -> Vec<PublicCase> {
    let clients = std::env::var("BATCHDROP_TEST_CLIENTS").expect("BATCHDROP_TEST_CLIENTS is set by tests/run");
    let script = fixtures().join("../tests/it/columns/public_cases.py");
    let output = std::process::Command::new("python3").arg(script).arg(format!("{clients}/tableschema")).output();
    let output = finished(output.expect("python3 starts"));
    assert_eq!(output.code, 0, "{}", output.err);
    output.json().into_iter().map(|case| serde_json::from_value(case).expect("a case")).collect()
}

#[test]
fn public_cases_of_table_schema_come_out_as_published() {
    let (refused, judged): (Vec<_>, Vec<_>) = public_cases().into_iter().partition(PublicCase::is_refused_at_the_start);
    assert!(judged.len() > 120 && refused.len() > 5, "{} and {} cases", judged.len(), refused.len());
    let folder = TempDir::new().expect("a temporary folder");
    let write = |name: String, content: String| std::fs::write(folder.path().join(name), content).expect("a file");
    let told = |campaigns: &str, files: &[String]| {
        write("batchdrop.toml".to_owned(), campaigns.to_owned());
        let mut all = vec!["check", "--config", "batchdrop.toml", "--json"];
        all.extend(files.iter().map(String::as_str));
        run(folder.path(), &all)
    };
    let campaign = |number: usize, case: &PublicCase| {
        let schema = json!({ "fields": [case.field], "fieldsMatch": "subset" });
        write(format!("c{number}.json"), schema.to_string());
        // Rows that are right in any case keep the file from failing for the share of those that are not.
        let mut rows = csv::Writer::from_writer(Vec::new());
        rows.write_record(["reference_id", "target", "f"]).expect("in memory");
        for row in 0..9 {
            let value = if row == 0 { &case.value } else { "" };
            rows.write_record([&row.to_string(), &format!("+1512555010{row}"), value]).expect("in memory");
        }
        let rows = rows.into_inner().expect("in memory");
        write(format!("c{number}.csv"), String::from_utf8(rows).expect("UTF-8"));
        format!("[campaigns.c{number}]\nid = {}\nfiles = 'c{number}.csv'\nschema = 'c{number}.json'\n", number + 1)
    };

    let campaigns: String = judged.iter().enumerate().map(|(number, case)| campaign(number, case)).collect();
    let files: Vec<String> = (0..judged.len()).map(|number| format!("c{number}.csv")).collect();
    let verdicts = told(&campaigns, &files).json();
    assert_eq!(verdicts.len(), judged.len());
    for (case, verdict) in judged.iter().zip(&verdicts) {
        assert!(verdict["fault"].is_null(), "{verdict}");
        assert_eq!(verdict["verdicts"]["invalid"] == 0, case.good, "{} {:?}", case.field, case.value);
    }
    for case in &refused {
        assert_eq!(told(&campaign(0, case), &["c0.csv".to_owned()]).code, 2, "{} is refused", case.field);
    }
}
