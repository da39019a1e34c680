//! Suppression lists that are files in the bucket.

use batchdrop::model::{Upload, UploadStatus};

use super::{app as app_with, file, loaded, number, run, to_every_store};
use crate::support::app::{In, TestApp, To};

to_every_store! {
    a_list_needs_no_more_than_a_target_and_its_bad_rows_are_counted
    a_new_file_replaces_the_list_before_the_next_upload_is_judged
    an_upload_waits_for_a_list_that_was_never_loaded
    a_broken_file_leaves_the_list_in_force
    an_upload_waits_for_a_list_that_is_too_old
    a_file_that_was_written_earlier_replaces_nothing
    a_list_that_counts_everywhere_counts_for_its_kind
    addresses_of_a_list_are_compared_without_regard_to_case
}

const LIST: &str = "suppression = ['stop']\n[suppression.stop]\nfiles = 'lists/stop*.csv*'\nregion = 'US'";
const SKIPPED: &str = "SKIPPED: target: on the suppression list stop";

/// A list's file with these targets in its only column.
fn list(targets: &[&str]) -> String {
    format!("Phone\n{}\n", targets.join("\n"))
}

async fn upload_of(app: &TestApp, key: &str) -> Upload {
    let found = app.uploads().await.into_iter().find(|upload| upload.key == key);
    found.unwrap_or_else(|| panic!("no upload of {key}"))
}

async fn a_list_needs_no_more_than_a_target_and_its_bad_rows_are_counted(to: To) {
    let app = app_with(to, LIST).await;
    app.drop_file("lists/stop.csv", list(&["(512) 555-0101", "12", "5125550103", "+15125550101"])).await;
    let told = loaded(&app, "1.csv", &["A1 5125550101", "A2 5125550102", "A3 +15125550103"]).await;
    assert_eq!(told, [SKIPPED, "PENDING", SKIPPED]);

    let upload = upload_of(&app, "lists/stop.csv").await;
    assert_eq!((upload.status, upload.batch_id, upload.error_code), (UploadStatus::Loaded, None, None));
    let message = "suppression list stop: 2 targets in force; 1 row could not be used";
    assert_eq!(upload.error_message.as_deref(), Some(message));
    assert_eq!(app.batches().await.len(), 1, "a list is no batch");

    let shown = app.output(&["suppression", "list", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("one object");
    assert_eq!((&shown["name"], &shown["targets"], &shown["invalid_rows"]), (&"stop".into(), &2.into(), &1.into()));
    assert_eq!(shown["key"], "lists/stop.csv");
    assert!((0.0..60.0).contains(&shown["age_seconds"].as_f64().expect("an age")), "{shown}");
}

async fn a_new_file_replaces_the_list_before_the_next_upload_is_judged(to: To) {
    let app = app_with(to, LIST).await;
    app.drop_file("lists/stop.csv", list(&["5125550101", "5125550102"])).await;
    assert_eq!(loaded(&app, "1.csv", &["A1 5125550101"]).await, [SKIPPED]);
    // Both lie there when the worker comes.
    app.drop_file("lists/stop.csv", list(&["5125550102", "5125550103"])).await;
    let told = loaded(&app, "2.csv", &["A1 5125550101", "A2 5125550102", "A3 5125550103"]).await;
    assert_eq!(told, ["PENDING", SKIPPED, SKIPPED]);
}

async fn an_upload_waits_for_a_list_that_was_never_loaded(to: To) {
    let app = app_with(to, LIST).await;
    app.drop_file("1.csv", file(&["A1 5125550101", "A2 5125550102"])).await;
    assert_eq!(app.settle().await, 1, "trouble of ours is left");
    let waiting = upload_of(&app, "1.csv").await;
    assert_eq!((waiting.status, waiting.attempts), (UploadStatus::Waiting, 0));
    assert_eq!(waiting.error_code.as_deref(), Some("WAITS_FOR_LIST"));
    let message = "waits for the suppression list stop, which was never loaded";
    assert_eq!(waiting.error_message.as_deref(), Some(message));
    assert!(app.batches().await.is_empty());

    app.drop_file("lists/stop.csv", list(&["5125550101"])).await;
    assert_eq!(app.settle().await, 0);
    let batch = app.batch_of("1.csv").await;
    assert_eq!(["PENDING", "SKIPPED"].map(|status| batch.count(status)), [1, 1]);
    let upload = upload_of(&app, "1.csv").await;
    assert_eq!((upload.status, upload.error_code, upload.error_message), (UploadStatus::Loaded, None, None));
}

async fn a_broken_file_leaves_the_list_in_force(to: To) {
    let app = app_with(to, LIST).await;
    app.drop_file("lists/stop.csv", list(&["5125550101"])).await;
    assert_eq!(app.settle().await, 0);
    let bad_rows = (0..30).map(|_| "nobody").collect::<Vec<_>>();
    let broken = [
        ("lists/stop_1.csv", "name\nAnn\n".to_owned(), "MISSING_REQUIRED_FIELDS"),
        ("lists/stop_2.csv", "phone\n".to_owned(), "NO_DATA_ROWS"),
        ("lists/stop_3.csv", list(&[&["5125550102"], &bad_rows[..]].concat()), "TOO_MANY_INVALID"),
        ("lists/stop_4.csv", "%PDF-1.7 \n5125550102\n".to_owned(), "INVALID_FILE_FORMAT"),
    ];
    for (key, content, _) in &broken {
        app.drop_file(key, content).await;
    }
    app.drop_file("1.csv", file(&["A1 5125550101", "A2 5125550102"])).await;
    assert_eq!(app.settle().await, 3, "some upload must be mended");
    for (key, _, code) in broken {
        let upload = upload_of(&app, key).await;
        assert_eq!((upload.status, upload.error_code.as_deref()), (UploadStatus::Rejected, Some(code)), "{key}");
    }
    let batch = app.batch_of("1.csv").await;
    assert_eq!(["PENDING", "SKIPPED"].map(|status| batch.count(status)), [1, 1], "the list of before is in force");
    let lists = app.store.suppression_lists().await.expect("lists");
    assert_eq!((lists.len(), lists[0].targets, lists[0].key.as_str()), (1, 1, "lists/stop.csv"));
}

async fn an_upload_waits_for_a_list_that_is_too_old(to: To) {
    let app = app_with(to, &format!("{LIST}\nmax_age = '2d'")).await;
    app.drop_file("lists/stop.csv", list(&["5125550101"])).await;
    assert_eq!(app.settle().await, 0);
    run(&app, "update suppression_lists set loaded_at = {ago 1.99}").await;
    assert_eq!(loaded(&app, "1.csv", &["A1 5125550101"]).await, [SKIPPED]);
    run(&app, "update suppression_lists set loaded_at = {ago 2.01}").await;
    app.drop_file("2.csv", file(&["A2 5125550101"])).await;
    assert_eq!(app.settle().await, 1);
    let message = upload_of(&app, "2.csv").await.error_message;
    assert_eq!(message.as_deref(), Some("waits for the suppression list stop, which is too old: 48 hours"));
    app.drop_file("lists/stop.csv", list(&["5125550101", "5125550102"])).await;
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.batch_of("2.csv").await.count("SKIPPED"), 1);
}

async fn a_file_that_was_written_earlier_replaces_nothing(to: To) {
    let app = app_with(to, LIST).await;
    app.drop_file("lists/stop_new.csv", list(&["5125550101"])).await;
    assert_eq!(app.settle().await, 0);
    run(&app, "update uploads set modified_at = '2099-01-01T00:00:00.000Z'").await;
    app.drop_file("lists/stop_old.csv", list(&["5125550102"])).await;
    assert_eq!(loaded(&app, "1.csv", &["A1 5125550101", "A2 5125550102"]).await, [SKIPPED, "PENDING"]);
    let message = "suppression list stop: a file that was written later is loaded already";
    assert_eq!(upload_of(&app, "lists/stop_old.csv").await.error_message.as_deref(), Some(message));
}

async fn a_list_that_counts_everywhere_counts_for_its_kind(to: To) {
    let mut app = TestApp::new(In::Folder, to).await;
    let campaign = |name: &str, id: u32, channel: &str| {
        format!("[campaigns.{name}]\nid = {id}\nfiles = '{name}*.csv'\nchannel = '{channel}'\n")
    };
    let lists = "[suppression.stop]\neverywhere = true\nfiles = 'lists/stop.csv'\n\
                 [suppression.post]\neverywhere = true\nchannel = 'email'\nfiles = 'lists/post.csv'\n";
    app.configure(&(campaign("calls", 1, "voice") + &campaign("texts", 2, "sms") + lists));
    app.drop_file("lists/stop.csv", list(&["5125550101"])).await;
    // Nobody waits for the list of addresses, which is not there.
    assert_eq!(loaded(&app, "calls.csv", &["A1 5125550101"]).await, [SKIPPED]);
    assert_eq!(loaded(&app, "texts.csv", &["A1 5125550101", "A2 5125550102"]).await, [SKIPPED, "PENDING"]);
}

async fn addresses_of_a_list_are_compared_without_regard_to_case(to: To) {
    let settings =
        "channel = 'email'\nsuppression = ['stop']\n[suppression.stop]\nchannel = 'email'\nfiles = 'stop.csv'";
    let app = app_with(to, settings).await;
    app.drop_file("stop.csv", "id,email\n1,ZOÉ@example.com\n,Ann@example.com\n").await;
    assert_eq!(loaded(&app, "1.csv", &["A1 zoé@example.com", "A2 ANN@example.com"]).await, [SKIPPED, SKIPPED]);
}

#[tokio::test]
async fn a_list_in_s3_is_loaded_in_pieces() {
    let mut app = TestApp::new(In::S3, To::Postgres).await;
    app.configure(&format!("[campaigns.calls]\nid = 7\nfiles = '*.csv'\n{LIST}\n"));
    let targets: Vec<String> = (0..9_000).map(|at| number(100 + at % 9_000)).collect();
    app.drop_file("lists/stop.csv", list(&targets.iter().map(String::as_str).collect::<Vec<_>>())).await;
    app.drop_file("calls.csv", file(&["A1 5125550100", "A2 5125559099", "A3 5125559100"])).await;
    assert_eq!(app.settle().await, 0);
    let batch = app.batch_of("calls.csv").await;
    assert_eq!(["PENDING", "SKIPPED"].map(|status| batch.count(status)), [1, 2]);
    assert_eq!(app.store.suppression_lists().await.expect("lists")[0].targets, 9_000);
}
