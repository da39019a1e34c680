//! What is kept of people is deleted in time, and nothing else is: the real program on both stores.

use batchdrop::model::Batch;
use serde_json::Value;

use crate::serving::address_of;
use crate::support::app::{In, TestApp, To, contacts, on_both_stores};

/// More than one transaction deletes.
const ROWS: usize = 6_000;
const PURGE: [&str; 4] = ["purge", "--older-than", "90d", "--json"];

/// A batch of long ago with this many rows, and one of today.
async fn with_an_old_batch(to: To) -> (TestApp, Batch) {
    let app = TestApp::new(In::Folder, to).await;
    app.drop_file("old.csv", contacts(ROWS, 1)).await;
    assert_eq!(app.settle().await, 0);
    app.run_sql("update batches set created_at = '2020-01-02T03:04:05.678Z'").await;
    app.drop_file("new.csv", contacts(100, 2)).await;
    assert_eq!(app.settle().await, 0);
    let old = app.batch_of("old.csv").await;
    (app, old)
}

async fn finish(app: &TestApp, batch: &Batch) -> Batch {
    let id = &batch.batch_id;
    let finished = "update requests set request_status = 'COMPLETED' where request_status = 'PENDING' and batch_id";
    app.run_sql(&format!("{finished} = '{id}'")).await;
    app.batch_of("old.csv").await
}

/// Exit code and what is told.
fn purge(app: &TestApp, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let ran = app.output(&[&PURGE, more].concat());
    let lines = String::from_utf8(ran.stdout).expect("UTF-8");
    (ran.status.code(), lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}

async fn left(app: &TestApp, batch: &Batch) -> usize {
    app.requests(&batch.batch_id).await.len()
}

async fn only_what_is_old_and_finished_goes_and_the_batch_stays(to: To) {
    let (app, old) = with_an_old_batch(to).await;
    let (code, told) = purge(&app, &[]);
    assert_eq!((code, &told[0]["result"], told.len()), (Some(1), &Value::from("left"), 1));
    assert_eq!(left(&app, &old).await, ROWS, "people who may still be called are not forgotten in silence");

    let finished = finish(&app, &old).await;
    let (code, told) = purge(&app, &["--dry-run"]);
    assert_eq!((code, &told[0]["result"]), (Some(0), &Value::from("to be purged")));
    assert_eq!(left(&app, &old).await, ROWS);

    let uploads = app.uploads().await;
    let (code, told) = purge(&app, &[]);
    assert_eq!((code, &told[0]["result"], &told[0]["requests"]), (Some(0), &Value::from("purged"), &Value::from(ROWS)));
    assert_eq!(left(&app, &old).await, 0);
    assert_eq!(left(&app, &app.batch_of("new.csv").await).await, 100, "what is young is left alone");
    let after = app.batch_of("old.csv").await;
    assert_eq!((&after.status_counts, &after.sha256), (&finished.status_counts, &finished.sha256));
    assert_eq!(json(&app.uploads().await), json(&uploads), "the ledger never forgets");
    let shown = app.output(&["batches", "show", &old.batch_id, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert!(shown["purged_at"].is_string(), "{shown}");
    let rejects = app.output(&["rejects", &old.batch_id]);
    assert_eq!(rejects.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&rejects.stderr).contains("were purged at"));
    assert_eq!(purge(&app, &[]), (Some(0), Vec::new()), "it is done once");

    app.drop_file("old again.csv", contacts(ROWS, 1)).await;
    assert_eq!(app.settle().await, 3);
    assert_eq!(app.batch_of("old again.csv").await.error_code.as_deref(), Some("DUPLICATE_FILE"));
}

async fn what_may_still_be_contacted_goes_once_it_is_canceled_expired_or_asked_for(to: To) {
    let (app, old) = with_an_old_batch(to).await;
    let id = &old.batch_id;
    for (change, and_back) in [
        ("expires_on = '2020-02-02T00:00:00.000Z'", "expires_on = null"),
        (
            "status = 'CANCELED', deleted_at = created_at, deleted_reason = 'wrong list'",
            "status = 'ACTIVE', deleted_at = null, deleted_reason = null",
        ),
    ] {
        app.run_sql(&format!("update batches set {change} where batch_id = '{id}'")).await;
        assert_eq!(purge(&app, &["--dry-run"]).1[0]["result"], "to be purged", "{change}");
        app.run_sql(&format!("update batches set {and_back} where batch_id = '{id}'")).await;
    }
    app.run_sql("update requests set request_status = 'COMPLETED' where request_status = 'PENDING'").await;
    app.run_sql("update uploads set answer_due_at = '2020-01-02T03:04:05.678Z' where key = 'old.csv'").await;
    let (code, told) = purge(&app, &[]);
    assert_eq!((code, &told[0]["result"]), (Some(1), &Value::from("left, its answer is owed")));
    assert_eq!(purge(&app, &["--unfinished"]).0, Some(0));
    assert_eq!(left(&app, &old).await, 0);
}

async fn a_purge_that_is_killed_is_finished_by_the_next(to: To) {
    let (mut app, old) = with_an_old_batch(to).await;
    let finished = finish(&app, &old).await;
    app.set("TEST_FAIL_POINT", "purged_piece=abort");
    assert_eq!(purge(&app, &[]).0, None, "it died");
    let some = left(&app, &old).await;
    assert!(0 < some && some < ROWS, "{some}");
    assert_eq!(json(&app.batch_of("old.csv").await), json(&finished));
    app.set("TEST_FAIL_POINT", "never=abort");
    assert_eq!(purge(&app, &[]).0, Some(0));
    assert_eq!(left(&app, &old).await, 0);
    let after = app.batch_of("old.csv").await;
    assert!(after.purged_at.is_some());
    assert_eq!(json(&Batch { purged_at: None, ..after }), json(&finished));
}

async fn several_purges_a_worker_and_a_sender_do_not_disturb_each_other(to: To) {
    let (app, old) = with_an_old_batch(to).await;
    finish(&app, &old).await;
    let new = app.batch_of("new.csv").await.batch_id;
    app.drop_file("later.csv", contacts(1_000, 3)).await;
    let mut running = [app.start(&PURGE), app.start(&PURGE), app.start(&["run", "--once"])];
    for row in 1..=49 {
        let taken =
            format!("update requests set request_status = 'INITIATED' where batch_id = '{new}' and row_number = {row}");
        app.run_sql(&taken).await;
    }
    for program in &mut running {
        assert_eq!(program.wait(), Some(0), "{}", program.log());
    }
    assert_eq!(left(&app, &old).await, 0);
    assert_eq!(app.batch_of("new.csv").await.status_counts["INITIATED"], 49);
    assert_eq!(app.batch_of("later.csv").await.rows_read, 1_000);
}

/// With `[retention]` set nobody has to schedule it: one of the workers does, and what may still be contacted stays.
async fn workers_purge_by_themselves_one_at_a_time(to: To) {
    let (mut app, old) = with_an_old_batch(to).await;
    app.drop_file("unfinished.csv", contacts(50, 4)).await;
    assert_eq!(app.settle().await, 0);
    let unfinished = app.batch_of("unfinished.csv").await;
    app.run_sql(&format!(
        "update batches set created_at = '2020-01-02T03:04:05.678Z' where batch_id = '{}'",
        unfinished.batch_id
    ))
    .await;
    let finished = finish(&app, &old).await;
    app.set("RETENTION_REQUESTS", "90d");
    let mut workers: Vec<_> = (0..3).map(|_| app.start(&["run", "--listen", "127.0.0.1:0"])).collect();
    app.wait_until("it is purged", async || app.batch_of("old.csv").await.purged_at.is_some()).await;
    let told = |log: String| log.contains("old requests purged") && log.contains("old requests left");
    app.wait_until("it is told", async || workers.iter().any(|worker| told(worker.log()))).await;
    let mut purged = 0;
    for worker in &workers {
        let address = address_of(&app, worker).await;
        let text =
            reqwest::get(format!("http://{address}/metrics")).await.expect("it answers").text().await.expect("text");
        let line =
            text.lines().find_map(|line| line.strip_prefix("batchdrop_requests_purged_total ")).expect("a metric");
        purged += line.parse::<usize>().expect("a number");
        let api = format!("http://{address}/api/v1/outbound/batches/{}", old.batch_id);
        let text = reqwest::get(&api).await.expect("it answers").text().await.expect("text");
        let batch: Value = serde_json::from_str(&text).expect("JSON");
        assert!(batch["purged_at"].is_string(), "{batch}");
        let rejects = reqwest::get(format!("{api}/rejects")).await.expect("it answers");
        assert_eq!(rejects.status().as_u16(), 410, "an empty file would say that all rows were loaded");
    }
    assert_eq!(purged, ROWS, "each request was deleted by one of them");
    let tellers = workers.iter().filter(|worker| worker.log().contains("old requests purged")).count();
    assert_eq!(tellers, 1, "one of them has the turn");
    assert_eq!(left(&app, &old).await, 0);
    assert_eq!(app.batch_of("old.csv").await.status_counts, finished.status_counts);
    assert_eq!(left(&app, &unfinished).await, 50, "people who may still be called are not forgotten in silence");
    for worker in &mut workers {
        worker.signal(libc::SIGTERM);
        assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    }
}

/// The turn lasts an hour: that the next worker goes on at once means that it was given back.
async fn a_worker_that_is_stopped_in_a_purge_leaves_it_to_the_next(to: To) {
    let (mut app, old) = with_an_old_batch(to).await;
    finish(&app, &old).await;
    app.set("RETENTION_REQUESTS", "90d");
    let mut worker = app.start(&["run"]);
    app.wait_until("it has begun", async || left(&app, &old).await < ROWS).await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    let was_done = app.batch_of("old.csv").await.purged_at.is_some();
    assert_eq!(was_done, worker.log().contains("old requests purged"), "{}", worker.log());
    let _next = app.start(&["run"]);
    app.wait_until("it is done", async || app.batch_of("old.csv").await.purged_at.is_some()).await;
    assert_eq!(left(&app, &old).await, 0);
}

async fn keys_stay_for_as_long_as_they_count(to: To) {
    let campaign = |window: &str| format!("[campaigns.all]\nid = 1\nfiles = '*.csv'\nunique_within = '{window}'\n");
    let mut app = TestApp::new(In::Folder, to).await;
    app.configure(&(campaign("3600d") + "[retention]\nrequests = '90d'\n"));
    app.drop_file("old.csv", "reference_id,target\nA,5125550142\n").await;
    assert_eq!(app.settle().await, 0);
    app.run_sql("update batches set created_at = '2024-01-02T03:04:05.678Z'").await;
    assert_eq!(app.output(&["purge", "--unfinished"]).status.code(), Some(0));
    app.drop_file("again.csv", "reference_id,target\nA,5125550143\nB,5125550144\n").await;
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.batch_of("again.csv").await.status_counts["DUPLICATE"], 1);

    app.configure(&(campaign("200d") + "[retention]\nrequests = '90d'\n"));
    app.run_sql("update batches set created_at = '2024-01-02T03:04:05.678Z'").await;
    assert_eq!(app.output(&["purge", "--unfinished"]).status.code(), Some(0));
    assert_eq!(app.store.campaigns_with_keys().await.expect("campaigns"), Vec::<i32>::new());
}

on_both_stores! {
    only_what_is_old_and_finished_goes_and_the_batch_stays
    what_may_still_be_contacted_goes_once_it_is_canceled_expired_or_asked_for
    a_purge_that_is_killed_is_finished_by_the_next
    several_purges_a_worker_and_a_sender_do_not_disturb_each_other
    workers_purge_by_themselves_one_at_a_time
    a_worker_that_is_stopped_in_a_purge_leaves_it_to_the_next
    keys_stay_for_as_long_as_they_count
}
