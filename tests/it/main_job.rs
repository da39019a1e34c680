//! The main job, end to end: drop a CSV in a bucket, get a batch. The real program on real parts.

use batchdrop::model::{BatchStatus, UploadStatus};
use chrono::{NaiveDate, Utc};
use serde_json::json;

use crate::support::app::{In, TestApp, To, contacts, everywhere, fixture};

async fn the_newcomers_folder_becomes_batches(dropped: In, to: To) {
    let app = TestApp::new(dropped, to).await;
    for file in [
        "LATE_PAYMENTS_20250401.csv",
        "APPOINTMENT_REMINDERS_20250402.csv",
        "WELCOME_CALLS_20250403.csv",
        "NEWSLETTER_20250404.csv",
    ] {
        app.drop_fixture(&format!("uploads/{file}")).await;
    }
    assert_eq!(app.settle().await, 3, "two files fail");

    let late = app.batch_of("LATE_PAYMENTS_20250401.csv").await;
    assert_eq!(late.status, BatchStatus::Active);
    assert_eq!(late.paused, Some(false));
    assert_eq!(
        (late.rows_read, late.count("PENDING"), late.count("DUPLICATE"), late.count("INVALID")),
        (300, 286, 8, 6)
    );
    assert_eq!(late.filename_date, NaiveDate::from_ymd_opt(2025, 4, 1));
    assert_eq!((late.encoding.as_deref(), late.delimiter.as_deref()), (Some("UTF-8"), Some(",")));
    assert_eq!(late.last_updated_by, "batchdrop@localhost");
    assert!(late.batch_id.starts_with(&Utc::now().format("%Y%m").to_string()), "{}", late.batch_id);
    assert_eq!(late.bytes_read, fixture("uploads/LATE_PAYMENTS_20250401.csv").len() as u64);

    let requests = app.requests(&late.batch_id).await;
    assert_eq!(requests.len(), 300);
    assert!(requests.iter().enumerate().all(|(at, request)| request.row_number as usize == at + 1));
    let pending: std::collections::HashSet<_> =
        requests.iter().filter(|r| r.request_status == "PENDING").map(|r| &r.reference_id).collect();
    assert_eq!(pending.len(), 286, "a reference_id is unique among the rows to be contacted");
    for duplicate in requests.iter().filter(|r| r.request_status == "DUPLICATE") {
        let holder = &requests[duplicate.duplicate_of_row.expect("a holder") as usize - 1];
        assert_eq!((&holder.reference_id, holder.request_status.as_str()), (&duplicate.reference_id, "PENDING"));
        assert_eq!(duplicate.duplicate_of_batch_id.as_deref(), Some(late.batch_id.as_str()));
    }
    for request in requests.iter().filter(|r| r.request_status != "INVALID") {
        assert!(request.target.starts_with('+') && request.target[1..].bytes().all(|b| b.is_ascii_digit()));
    }
    let codes: std::collections::BTreeSet<_> =
        requests.iter().filter(|r| r.request_status == "INVALID").filter_map(|r| r.error_code.as_deref()).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["CELL_COUNT", "INVALID_PHONE", "MISSING_VALUE"]);

    let failed = app.batch_of("WELCOME_CALLS_20250403.csv").await;
    assert_eq!(failed.status, BatchStatus::Failed);
    assert!(failed.status_counts.is_empty() && app.requests(&failed.batch_id).await.is_empty());
    let message = failed.error_message.expect("a FAILED batch says why");
    assert!(message.starts_with("Missing required fields: target"), "{message}");

    assert_eq!(app.settle().await, 0, "what was seen is not new");
    assert_eq!((app.batches().await.len(), app.uploads().await.len()), (4, 4));
}

everywhere! {
    the_newcomers_folder_becomes_batches
    content_and_name_decide_what_is_new
    every_way_to_write_a_file_is_read_alike
    a_packed_or_oddly_written_file_is_loaded_and_its_dialect_kept
}

async fn content_and_name_decide_what_is_new(dropped: In, to: To) {
    let app = TestApp::new(dropped, to).await;
    app.drop_file("A.csv", contacts(5, 1)).await;
    assert_eq!(app.settle().await, 0);
    let first = app.batch_of("A.csv").await;

    // The same name with other content is another upload and another batch.
    app.drop_file("A.csv", contacts(6, 1)).await;
    assert_eq!(app.settle().await, 0);
    let second = app.batch_of("A.csv").await;
    assert_ne!(first.batch_id, second.batch_id);
    assert_eq!((first.rows_read, second.rows_read), (5, 6));

    // The same content under another name is refused, and names the batch that has it.
    app.drop_file("B.csv", contacts(5, 1)).await;
    assert_eq!(app.settle().await, 3);
    let repeat = app.batch_of("B.csv").await;
    assert_eq!(repeat.error_code.as_deref(), Some("DUPLICATE_FILE"));
    let expected = format!("Duplicate file: batch {} of campaign default has exactly this content", first.batch_id);
    assert_eq!(repeat.error_message, Some(expected));
    assert_eq!(repeat.rows_read, 5);

    // A file whose first batch FAILED goes through once it is mended, and so does one that is dropped again unmended.
    app.drop_file("C.csv", "reference_id,phone\n").await;
    assert_eq!(app.settle().await, 3);
    app.drop_file("D.csv", "reference_id,phone\n").await;
    assert_eq!(app.settle().await, 3);
    assert_eq!(app.batch_of("D.csv").await.error_code.as_deref(), Some("NO_DATA_ROWS"), "not a repeat of a failed one");
}

async fn a_packed_or_oddly_written_file_is_loaded_and_its_dialect_kept(dropped: In, to: To) {
    let app = TestApp::new(dropped, to).await;
    // Name, delimiter, quote, escape, compression, line of the header.
    let cases = [
        ("apostrophes", ",", "'", "'", None, 1),
        ("backslash-quotes", ",", "\"", "\\", None, 1),
        ("carets", "^", "\"", "\"", None, 1),
        ("comma-and-space", ", ", "\"", "\"", None, 1),
        ("double-bars", "||", "\"", "\"", None, 1),
        ("gzip", ",", "\"", "\"", Some("gzip"), 1),
        ("zip", ",", "\"", "\"", Some("zip"), 1),
        ("sep-line", ";", "\"", "\"", None, 2),
        ("title-above", ",", "\"", "\"", None, 4),
        ("unclosed-quote", ",", "\"", "\"", None, 1),
    ];
    for (name, ..) in cases {
        app.drop_fixture(&format!("reading/{name}.csv")).await;
    }
    app.settle().await;
    for (name, delimiter, quote, escape, compression, header_line) in cases {
        let batch = app.batch_of(&format!("{name}.csv")).await;
        assert_eq!((batch.status, batch.rows_read), (BatchStatus::Active, 3), "{name}: {:?}", batch.error_message);
        let dialect = (batch.delimiter.as_deref(), batch.quote.as_deref(), batch.quote_escape.as_deref());
        assert_eq!(dialect, (Some(delimiter), Some(quote), Some(escape)), "{name}");
        assert_eq!((batch.compression.as_deref(), batch.header_line), (compression, Some(header_line)), "{name}");
        let requests = app.requests(&batch.batch_id).await;
        let targets: Vec<&str> = requests.iter().map(|request| request.target.as_str()).collect();
        if name == "unclosed-quote" {
            assert_eq!(requests[1].error_code.as_deref(), Some("INVALID_VALUE"));
            assert_eq!(batch.count("PENDING"), 2);
        } else {
            assert_eq!(targets, ["+15125550142", "+12125550187", "+13035550111"], "{name}");
        }
    }
}

async fn every_way_to_write_a_file_is_read_alike(dropped: In, to: To) {
    let app = TestApp::new(dropped, to).await;
    let names = [
        "plain",
        "utf8-bom",
        "utf16le-bom",
        "utf16be-bom",
        "crlf",
        "cr",
        "mixed-newlines",
        "no-last-newline",
        "backslash-dot",
        "formulas",
        "quotes-and-newlines",
        "ragged",
    ];
    for name in names {
        app.drop_fixture(&format!("good/{name}.csv")).await;
    }
    app.settle().await;
    for name in names {
        let batch = app.batch_of(&format!("{name}.csv")).await;
        let repeats = batch.error_code.as_deref() == Some("DUPLICATE_FILE");
        assert!(batch.status == BatchStatus::Active || repeats, "{name}: {:?}", batch.error_message);
    }
    let dotted = app.batch_of("backslash-dot.csv").await;
    assert_eq!(dotted.rows_read, app.requests(&dotted.batch_id).await.len() as u64);
    let plain = app.batch_of("plain.csv").await;
    let expected: Vec<_> =
        app.requests(&plain.batch_id).await.into_iter().map(|r| (r.reference_id, r.target)).collect();
    for name in ["utf16le-bom", "utf16be-bom", "crlf", "cr", "mixed-newlines"] {
        let batch = app.batch_of(&format!("{name}.csv")).await;
        let rows: Vec<_> =
            app.requests(&batch.batch_id).await.into_iter().map(|r| (r.reference_id, r.target)).collect();
        assert_eq!(rows.len(), batch.rows_read as usize, "{name}");
        assert!(
            !rows.is_empty() && rows.iter().all(|(id, target)| !id.is_empty() && target.starts_with('+')),
            "{name}"
        );
    }
    assert!(!expected.is_empty());
}

/// Every fixture of a fault ends in a FAILED batch with its text, and harms no other file; the same on both stores.
#[tokio::test]
async fn every_fault_ends_in_its_error_message() {
    let mut texts = Vec::new();
    for to in [To::Sqlite, To::Postgres] {
        let app = TestApp::new(In::Folder, to).await;
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/faults");
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .expect("fixtures")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        for name in &names {
            app.drop_fixture(&format!("faults/{name}")).await;
        }
        app.drop_fixture("good/plain.csv").await;
        assert_eq!(app.settle().await, 3);
        assert_eq!(app.batch_of("plain.csv").await.status, BatchStatus::Active, "a bad file fails alone");
        let mut lines = Vec::new();
        for name in &names {
            let batch = app.batch_of(name).await;
            assert_eq!(batch.status, BatchStatus::Failed, "{name}");
            assert!(app.requests(&batch.batch_id).await.is_empty(), "{name}");
            let (code, message) = (batch.error_code.expect("a code"), batch.error_message.expect("a message"));
            lines.push(format!("{name}\n  {code}\n  {message}"));
        }
        texts.push(lines.join("\n"));
    }
    assert_eq!(texts[0], texts[1], "both stores hold the same");
    insta::assert_snapshot!("error_messages", texts[0]);
}

/// What cannot be stored in one database is judged the same for both.
#[tokio::test]
async fn odd_values_are_the_same_in_both_stores() {
    let long = "R".repeat(1025);
    let file = format!(
        "ref_id,phone,note\nN\0L,5125550101,a\nA1,5125550102,\"nul\0here\"\n{long},5125550103,c\n\u{7f}\u{1},5125550104,\\.\nA2,5125550105,\\N\nA3,5125550106,😀\u{fffd}\nA4,5125550107\nA5,5125550108,x,extra,more\n"
    );
    let mut outcomes = Vec::new();
    for to in [To::Sqlite, To::Postgres] {
        let mut app = TestApp::new(In::Folder, to).await;
        app.configure("[campaigns.odd]\nid = 4\nfiles = '*.csv'\nmax_invalid_percent = 100\n");
        app.drop_file("odd.csv", &file).await;
        assert_eq!(app.settle().await, 0);
        let batch = app.batch_of("odd.csv").await;
        let rows = app.requests(&batch.batch_id).await;
        let codes: Vec<_> = rows.iter().map(|row| row.error_code.as_deref().unwrap_or("-")).collect();
        assert_eq!(
            codes,
            ["INVALID_VALUE", "INVALID_VALUE", "VALUE_TOO_LONG", "-", "-", "-", "CELL_COUNT", "CELL_COUNT"]
        );
        assert_eq!(rows[1].request_variables, json!({"note": "nul␀here"}));
        assert_eq!(rows[3].request_variables, json!({"note": "\\."}));
        assert_eq!(rows[6].request_variables, json!({}));
        assert_eq!(rows[7].request_variables, json!({"note": "x", "_extra_1": "extra", "_extra_2": "more"}));
        outcomes.push(app.outcome().await);
    }
    assert_eq!(outcomes[0], outcomes[1]);
}

#[tokio::test]
async fn campaigns_decide_by_name_what_becomes_of_a_file() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.configure(
        "[worker]\nidentity = 'ops@example.com'\ntime_zone = 'Pacific/Kiritimati'\n\
         [campaigns.late]\nid = 7\nfiles = 'LATE_*.csv*'\nhold = true\nexpires_after = '30d'\n\
         [campaigns.letters]\nid = 8\nfiles = 'letters*.csv'\nchannel = 'email'\nunique = ['reference_id', 'target']\n\
         [campaigns.again]\nid = 9\nfiles = 'again*.csv'\nallow_repeats = true\n",
    );
    app.drop_file("late_fees.CSV", contacts(3, 1)).await;
    app.drop_file("letters.csv", "id;reference;e-mail_address;email\n").await;
    app.drop_file("letters2.csv", "reference,email\n1,Ada@Example.com\n2,ADA@example.com\n3,no\n4,b@example.com\n")
        .await;
    app.drop_file("other.csv", contacts(3, 1)).await;
    app.drop_file("again1.csv", contacts(3, 1)).await;
    app.drop_file("again2.csv", contacts(3, 1)).await;
    assert_eq!(app.settle().await, 3);

    let late = app.batch_of("late_fees.CSV").await;
    assert_eq!((late.status, late.paused, late.campaign_id), (BatchStatus::Paused, Some(true), 7));
    assert_eq!(late.expires_on, Some(late.created_at + chrono::TimeDelta::days(30)));
    assert_eq!(late.last_updated_by, "ops@example.com");
    // Fourteen hours ahead of UTC: on most hours of a day, tomorrow.
    let there = (late.seen_at + chrono::TimeDelta::hours(14)).format("%Y%m%d").to_string();
    assert!(late.batch_id.starts_with(&there), "{} {there}", late.batch_id);

    let letters = app.batch_of("letters2.csv").await;
    let rows = app.requests(&letters.batch_id).await;
    let verdicts: Vec<_> =
        rows.iter().map(|row| (row.request_status.as_str(), row.error_code.as_deref(), row.target.as_str())).collect();
    assert_eq!(
        verdicts,
        [
            ("PENDING", None, "Ada@example.com"),
            ("DUPLICATE", Some("DUPLICATE_TARGET"), "ADA@example.com"),
            ("INVALID", Some("INVALID_EMAIL"), "no"),
            ("PENDING", None, "b@example.com"),
        ]
    );
    assert_eq!(
        (app.batch_of("again1.csv").await.status, app.batch_of("again2.csv").await.status),
        (BatchStatus::Active, BatchStatus::Active)
    );

    let uploads = app.uploads().await;
    let rejected = uploads.iter().find(|upload| upload.key == "other.csv").expect("in the ledger");
    assert_eq!((rejected.status, rejected.error_code.as_deref()), (UploadStatus::Rejected, Some("UNKNOWN_CAMPAIGN")));
    assert!(app.batches().await.iter().all(|batch| batch.upload_filename.as_deref() != Some("other.csv")));
}

#[tokio::test]
async fn a_file_copied_in_while_it_runs_becomes_a_batch() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("BUCKET_SETTLE_MS", "300");
    let mut worker = app.start(&["run"]);
    for file in ["first.csv", "second.csv"] {
        app.drop_file(file, contacts(3, file.len())).await;
        app.wait_until("the file is a batch", async || {
            app.uploads().await.iter().any(|upload| upload.key == file && upload.status == UploadStatus::Loaded)
        })
        .await;
    }
    worker.signal(libc::SIGINT);
    assert_eq!(worker.wait(), Some(0));
}
