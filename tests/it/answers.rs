//! The answer to the person who dropped a file: receipts, rejects, and what becomes of the file itself. The real
//! program on real parts.

mod mended;

use std::fs;

use batchdrop::model::UploadStatus;
use serde_json::{Value, json};

use crate::support::app::{In, TestApp, To, contacts, everywhere};

everywhere! {
    whoever_drops_a_file_is_told_what_became_of_it
    a_loaded_file_is_moved_and_any_other_stays
    a_loaded_file_is_deleted_and_any_other_stays
    an_answer_that_broke_off_is_finished_by_another_worker
}

const CAMPAIGN: &str = "[campaigns.late]\nid = 7\nfiles = 'LATE_*.csv*'\nexpires_after = '30d'\n";

async fn whoever_drops_a_file_is_told_what_became_of_it(dropped: In, to: To) {
    let mut app = TestApp::new(dropped, to).await;
    app.configure(CAMPAIGN);
    app.drop_fixture("uploads/LATE_PAYMENTS_20250401.csv").await;
    app.drop_file("LATE_all good.csv", contacts(3, 9)).await;
    app.drop_file("LATE_broken.csv", "name\nAda\n").await;
    app.drop_file("other.csv", contacts(3, 1)).await;
    assert_eq!(app.settle().await, 3);

    let late = app.batch_of("LATE_PAYMENTS_20250401.csv").await;
    let receipt = app.receipt(&late.batch_id, "LATE_PAYMENTS_20250401").await;
    assert_eq!(receipt["receipt_version"], 1);
    assert_eq!((&receipt["status"], &receipt["batch_id"]), (&json!("LOADED"), &json!(late.batch_id)));
    assert_eq!((&receipt["campaign_id"], &receipt["campaign_name"]), (&json!(7), &json!("late")));
    assert_eq!(receipt["rows_read"], 300);
    assert_eq!(receipt["status_counts"], json!({"PENDING": 286, "DUPLICATE": 8, "INVALID": 6}));
    assert_eq!(receipt["rejects"], "LATE_PAYMENTS_20250401.rejects.csv");
    assert_eq!(receipt["source"], json!({"status": "kept"}));
    assert_eq!(receipt["upload"]["key"], "LATE_PAYMENTS_20250401.csv");
    assert_eq!(receipt["upload"]["sha256"], json!(late.sha256));
    assert_eq!((&receipt["error_code"], &receipt["error_message"]), (&Value::Null, &Value::Null));
    assert_eq!(
        receipt["message"],
        format!(
            "286 of 300 rows are loaded, as batch {}; 8 are repeats (DUPLICATE), 6 cannot be used (INVALID). These stand \
             in LATE_PAYMENTS_20250401.rejects.csv, each with its reason. Mend the INVALID ones there, delete the others, \
             and drop that file; its first five columns may stay.",
            late.batch_id
        )
    );
    let first = &receipt["findings"][0];
    assert_eq!(
        (&first["code"], &first["status"], &first["rows"]),
        (&json!("DUPLICATE_REFERENCE"), &json!("DUPLICATE"), &json!(8))
    );
    assert!(first["first_line"].as_u64() > Some(1) && first["mend"].is_string(), "{first}");
    let mut without_examples = receipt.clone();
    without_examples["findings"]
        .as_array_mut()
        .expect("a list")
        .iter_mut()
        .for_each(|finding| finding["mend"] = Value::Null);
    // Its version is made of the time, which may look like anything.
    without_examples["upload"] = Value::Null;
    for number in ["555-01", "55501", "555 01", "555.01"] {
        assert!(!without_examples.to_string().contains(number), "a phone number: {without_examples}");
    }

    let rejects = app.get(&format!("results/{}/LATE_PAYMENTS_20250401.rejects.csv", late.batch_id)).await;
    let rejects = String::from_utf8(rejects.expect("rejects")).expect("UTF-8");
    assert!(
        rejects.starts_with("\u{feff}_row,_line,_status,_code,_message,reference_id,target,"),
        "{}",
        rejects.lines().next().unwrap_or_default()
    );
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).from_reader(rejects.trim_start_matches('\u{feff}').as_bytes());
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 14);
    let requests = app.requests(&late.batch_id).await;
    let mut as_sent = 0;
    let national = |number: &str| number.chars().filter(char::is_ascii_digit).rev().take(10).collect::<String>();
    for row in rows {
        let request = &requests[row[0].parse::<usize>().expect("a number") - 1];
        assert_eq!((&row[1], &row[2]), (request.line.to_string().as_str(), request.request_status.as_str()));
        assert_eq!((Some(&row[3]), Some(&row[4])), (request.error_code.as_deref(), request.error_message.as_deref()));
        if row[2] == *"DUPLICATE" {
            assert_eq!(national(&row[6]), national(&request.target));
            as_sent += usize::from(row[6] != *request.target);
        }
    }

    assert_eq!(as_sent, 8, "repeats stand as they were sent, not as they are stored");

    let good = app.batch_of("LATE_all good.csv").await;
    let receipt = app.receipt(&good.batch_id, "LATE_all good").await;
    assert_eq!((&receipt["rejects"], &receipt["findings"]), (&Value::Null, &json!([])));
    let expected = format!("All 3 rows are loaded, as batch {}. There is nothing to do.", good.batch_id);
    assert_eq!(receipt["message"], expected);

    let broken = app.batch_of("LATE_broken.csv").await;
    let receipt = app.receipt(&broken.batch_id, "LATE_broken").await;
    assert_eq!((&receipt["status"], &receipt["status_counts"]), (&json!("FAILED"), &json!({})));
    assert_eq!(receipt["error_code"], "MISSING_REQUIRED_FIELDS");
    let message = receipt["message"].as_str().expect("a text");
    assert!(message.starts_with("Nothing was loaded. Missing required fields: target, reference_id ("), "{message}");
    assert!(message.ends_with("keep the header as the first line."), "{message}");

    let uploads = app.uploads().await;
    let other = uploads.iter().find(|upload| upload.key == "other.csv").expect("in the ledger");
    let receipt = app.receipt(&format!("rejected/{}", other.upload_id), "other").await;
    assert_eq!((&receipt["status"], &receipt["batch_id"]), (&json!("REJECTED"), &Value::Null));
    assert_eq!(receipt["error_code"], "UNKNOWN_CAMPAIGN");

    assert_eq!(app.keys().await.iter().filter(|key| key.starts_with("results/")).count(), 5, "and nothing else");
    assert!(uploads.iter().all(|upload| upload.answered_at.is_some() && upload.answer_due_at.is_none()), "{uploads:?}");
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.uploads().await.len(), 4, "answers are no uploads");
}

async fn drop_one_of_each(app: &TestApp) {
    app.drop_file("LATE_good.csv", contacts(80, 1)).await;
    app.drop_file("LATE_bad.csv", "name\nAda\n").await;
    app.drop_file("other.csv", contacts(3, 2)).await;
    assert_eq!(app.settle().await, 3);
}

/// What lies outside the results.
async fn others(app: &TestApp) -> Vec<String> {
    app.keys().await.into_iter().filter(|key| !key.starts_with("results/")).collect()
}

async fn a_loaded_file_is_moved_and_any_other_stays(dropped: In, to: To) {
    let mut app = TestApp::new(dropped, to).await;
    app.configure(&format!("[bucket]\nafter = 'move'\nprocessed_prefix = 'done'\n{CAMPAIGN}"));
    drop_one_of_each(&app).await;
    let good = app.batch_of("LATE_good.csv").await.batch_id;
    let moved = format!("done/{good}/LATE_good.csv");
    assert_eq!(others(&app).await, ["LATE_bad.csv", &moved, "other.csv"]);
    assert_eq!(app.get(&moved).await.expect("it is there"), contacts(80, 1).as_bytes());
    let receipt = app.receipt(&good, "LATE_good").await;
    assert_eq!(receipt["source"], json!({"status": "moved", "key": moved}));
    let bad = app.batch_of("LATE_bad.csv").await.batch_id;
    assert_eq!(app.receipt(&bad, "LATE_bad").await["source"], json!({"status": "kept"}));

    // The way is free for the next one of that name.
    app.drop_file("LATE_good.csv", contacts(5, 3)).await;
    assert_eq!(app.settle().await, 0);
    assert_eq!((app.batches().await.len(), app.uploads().await.len()), (3, 4));
}

async fn a_loaded_file_is_deleted_and_any_other_stays(dropped: In, to: To) {
    let mut app = TestApp::new(dropped, to).await;
    app.configure(&format!("[bucket]\nafter = 'delete'\n{CAMPAIGN}"));
    drop_one_of_each(&app).await;
    assert_eq!(others(&app).await, ["LATE_bad.csv", "other.csv"]);
    let good = app.batch_of("LATE_good.csv").await;
    assert_eq!(app.receipt(&good.batch_id, "LATE_good").await["source"], json!({"status": "deleted"}));
    assert_eq!(app.settle().await, 0);
    // Its rejects are written from the store: the file is not needed for them.
    let rejects = app.output(&["rejects", &good.batch_id]);
    assert_eq!(rejects.status.code(), Some(0));
    let written = app.get(&format!("results/{}/LATE_good.rejects.csv", good.batch_id)).await;
    assert_eq!(Some(rejects.stdout), written);
}

/// A worker that was killed in the middle of an answer leaves a lease, and perhaps the rejects without the receipt.
async fn an_answer_that_broke_off_is_finished_by_another_worker(dropped: In, to: To) {
    let mut app = TestApp::new(dropped, to).await;
    app.set("BUCKET_AFTER", "move");
    app.drop_file("a.csv", contacts(80, 1)).await;
    assert_eq!(app.settle().await, 0);
    let keys = app.keys().await;
    assert_eq!(keys.len(), 3, "{keys:?}");
    let mut before = Vec::new();
    for key in &keys {
        before.push(app.get(key).await);
    }
    // As at each moment: nothing written yet, the rejects half as long, moved but no receipt, all but the ledger's
    // word.
    let rejects = keys.iter().find(|key| key.ends_with(".rejects.csv")).expect("rejects");
    let receipt = keys.iter().find(|key| key.ends_with(".receipt.json")).expect("a receipt");
    for lost in [vec![rejects, receipt], vec![receipt], vec![]] {
        for key in lost {
            app.delete(key).await;
        }
        app.run_sql("update uploads set answered_at = null, answer_token = 'dead', answer_due_at = settled_at").await;
        assert_eq!(app.settle().await, 0);
        let mut after = Vec::new();
        for key in &keys {
            after.push(app.get(key).await);
        }
        assert!(after == before, "the same keys with the same content");
        assert_eq!(app.keys().await, keys);
        assert!(app.uploads().await[0].answered_at.is_some());
    }
    assert_eq!((app.batches().await.len(), app.uploads().await.len()), (1, 1));
}

/// What cannot be written is trouble of ours: visible, tried again, and never a reason to load twice.
#[tokio::test]
async fn a_bucket_that_cannot_be_written_to_holds_no_loading_up() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    // A file in the place of the folder; a test may run as root, whom permissions do not stop.
    fs::write(app.folder().join("results"), "in the way").expect("a file");
    app.drop_file("a.csv", contacts(80, 1)).await;
    app.drop_file("b.csv", contacts(10, 2)).await;
    let output = app.output(&["run", "--once"]);
    assert_eq!(output.status.code(), Some(1), "trouble of ours is left");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("answer put off; the file itself is settled"), "{log}");
    assert!(log.contains("cannot write results/"), "{log}");
    let loaded = app.uploads().await.into_iter().filter(|upload| upload.status == UploadStatus::Loaded);
    for upload in loaded {
        assert!(upload.answer_attempts >= 3, "{upload:?}");
        assert!(upload.answer_error.as_deref().expect("its reason").contains("cannot write results/"));
        assert!(upload.answer_due_at.is_some() && upload.answered_at.is_none() && upload.error_message.is_none());
    }
    let shown = String::from_utf8(app.output(&["uploads", "list"]).stdout).expect("UTF-8");
    assert!(shown.contains(" tries: cannot write results/"), "{shown}");

    fs::remove_file(app.folder().join("results")).expect("gone");
    app.run_sql("update uploads set answer_due_at = settled_at").await;
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.batches().await.len(), 2, "nothing is loaded twice");
    assert!(app.uploads().await.iter().all(|upload| upload.answered_at.is_some() && upload.answer_error.is_none()));
    let answers = app.keys().await.into_iter().filter(|key| key.starts_with("results/2")).count();
    assert_eq!(answers, 3, "two receipts, one rejects file");
}

#[tokio::test]
async fn a_file_that_cannot_be_moved_is_told_of_and_not_loaded_again() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("BUCKET_AFTER", "move");
    fs::write(app.folder().join("processed"), "in the way").expect("a file");
    app.drop_file("a.csv", contacts(5, 1)).await;
    assert_eq!(app.settle().await, 1);
    let batch_id = app.batch_of("a.csv").await.batch_id;
    assert_eq!(app.receipt(&batch_id, "a").await["source"], json!({"status": "kept"}), "the receipt does not wait");
    assert_eq!(app.settle().await, 1, "still");
    assert_eq!(app.batches().await.len(), 1);

    fs::remove_file(app.folder().join("processed")).expect("gone");
    app.run_sql("update uploads set answer_due_at = settled_at where answered_at is null").await;
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.receipt(&batch_id, "a").await["source"]["status"], "moved");
    assert_eq!(app.batches().await.len(), 1);
}

#[tokio::test]
async fn answers_can_be_switched_off() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("BUCKET_RESULTS_PREFIX", "");
    app.drop_file("a.csv", contacts(80, 1)).await;
    app.drop_file("b.csv", "name\nAda\n").await;
    assert_eq!(app.settle().await, 3);
    assert_eq!(app.keys().await, ["a.csv", "b.csv"]);
    app.set("BUCKET_RESULTS_PREFIX", "results/");
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.keys().await, ["a.csv", "b.csv"], "nobody is told later");
    app.drop_file("c.csv", contacts(80, 2)).await;
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.keys().await.len(), 5, "a receipt and a rejects file");
    app.set("BUCKET_RESULTS_PREFIX", "");
    assert_eq!(app.settle().await, 0, "what was answered before is no upload now");
    assert_eq!(app.uploads().await.len(), 3);
}

/// What the sender of calls did since changes nothing about what was read.
#[tokio::test]
async fn a_late_receipt_tells_of_the_intake() {
    let app = TestApp::new(In::Folder, To::Postgres).await;
    app.drop_file("a.csv", contacts(80, 1)).await;
    assert_eq!(app.settle().await, 0);
    let batch_id = app.batch_of("a.csv").await.batch_id;
    let before = app.receipt(&batch_id, "a").await;
    app.run_sql("update requests set request_status = 'COMPLETED' where request_status in ('PENDING', 'DUPLICATE')")
        .await;
    app.run_sql("update uploads set answer_due_at = settled_at").await;
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.receipt(&batch_id, "a").await, before);
    let rejects = app.get(&format!("results/{batch_id}/a.rejects.csv")).await.expect("rejects");
    assert!(!String::from_utf8_lossy(&rejects).contains("COMPLETED"));
}

/// Whenever the stop comes: the answer is given whole, or given back at once, and nothing half-written stays behind.
#[tokio::test]
async fn a_worker_that_is_asked_to_stop_gives_the_answer_back() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.configure(
        "[worker]\nlease_seconds = 3600\n[campaigns.all]\nid = 1\nfiles = '*.csv'\nmax_invalid_percent = 100\n",
    );
    let mut file = String::from("reference_id,target,note\nGOOD,5125550101,\n");
    (0..150_000).for_each(|n| file.push_str(&format!("R{n},12,\"what stands here, makes the file longer\"\n")));
    app.drop_file("large.csv", &file).await;
    let mut worker = app.start(&["run"]);
    app.wait_until("the answer is begun", async || {
        app.uploads().await.iter().any(|upload| upload.answer_attempts == 1)
    })
    .await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    let upload = app.uploads().await.remove(0);
    let given_back = upload.answered_at.is_none();
    println!("given back: {given_back}");
    if given_back {
        assert_eq!((upload.answer_attempts, upload.answer_error), (0, None), "and nothing counted");
    }
    assert!(app.keys().await.iter().all(|key| !key.ends_with(".part")), "{:?}", app.keys().await);
    assert_eq!(app.settle().await, 0, "the next worker takes it at once, though the lease was an hour");
    let batch_id = app.batch_of("large.csv").await.batch_id;
    let rejects = app.get(&format!("results/{batch_id}/large.rejects.csv")).await.expect("rejects");
    assert_eq!(String::from_utf8(rejects).expect("UTF-8").lines().count(), 150_001);
    assert_eq!(app.receipt(&batch_id, "large").await["status_counts"], json!({"PENDING": 1, "INVALID": 150_000}));
}
