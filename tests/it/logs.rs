//! What the log says of an upload: one line when it is settled, with what a person or a machine wants to know of it.

use serde_json::{Value, json};

use crate::support::app::{In, TestApp, To};

const FILE: &str = "reference_id,target,first_name\n\
    A1,+15125550101,Ana\n\
    A1,+15125550102,Ben\n\
    A3,12,Cleo\n\
    A4,+15125550104,Dan\n";

/// The lines of a worker that drains the folder.
async fn lines_of(app: &mut TestApp) -> Vec<Value> {
    app.set("LOG_FORMAT", "json");
    app.set("LOG_LEVEL", "info");
    let output = app.output(&["run", "--once"]);
    let log = String::from_utf8(output.stderr).expect("the log is UTF-8");
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn of_file<'log>(lines: &'log [Value], file: &str) -> Vec<&'log Value> {
    lines.iter().filter(|line| line["file"] == file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_one_line_with_its_numbers() {
    for to in [To::Sqlite, To::Postgres] {
        let mut app = TestApp::new(In::Folder, to).await;
        app.configure("[campaigns.late_payments]\nid = 7\nfiles = '*.csv'\nregion = 'US'\n");
        app.drop_file("good.csv", FILE).await;
        app.drop_file("wrong.csv", "name,age\nAna,31\n").await;
        let lines = lines_of(&mut app).await;

        let loaded = of_file(&lines, "good.csv");
        assert_eq!(loaded.len(), 1, "{lines:?}");
        let line = loaded[0];
        assert_eq!((&line["level"], &line["message"]), (&json!("INFO"), &json!("batch loaded")));
        assert_eq!(line["batch_id"], app.batch_of("good.csv").await.batch_id);
        let numbers = ["rows", "pending", "duplicate", "skipped", "invalid", "bytes"].map(|name| line[name].as_u64());
        assert_eq!(numbers, [4, 2, 1, 0, 1, FILE.len() as u64].map(Some));
        assert!(line["queued_ms"].is_u64() && line["took_ms"].is_u64(), "{line}");
        let upload = app.uploads().await.into_iter().find(|upload| upload.key == "good.csv");
        let upload_id = upload.expect("it is in the ledger").upload_id;
        assert_eq!(
            line["span"],
            json!({"name": "upload", "upload_id": upload_id, "attempt": 1, "campaign": "late_payments"})
        );

        let failed = of_file(&lines, "wrong.csv");
        assert_eq!(failed.len(), 1, "{lines:?}");
        assert_eq!(
            (&failed[0]["message"], &failed[0]["code"]),
            (&json!("batch failed"), &json!("MISSING_REQUIRED_FIELDS"))
        );
        assert_eq!(failed[0]["batch_id"], app.batch_of("wrong.csv").await.batch_id);
    }
}
