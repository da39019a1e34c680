//! Trouble of ours with one file: it ends as INTERNAL_ERROR, and stops nobody.

use batchdrop::model::BatchStatus;

use crate::support::app::{In, TestApp, To, contacts};

/// The worker lives, the file that it fails on is tried so many times, and its neighbours are loaded.
async fn fails_alone(place: &str, action: &str) {
    for to in [To::Sqlite, To::Postgres] {
        let mut app = TestApp::new(In::Folder, to).await;
        app.configure("[campaigns.bad]\nid = 1\nfiles = 'bad*'\n[campaigns.good]\nid = 2\nfiles = 'good*'\n");
        app.set("WORKER_MAX_ATTEMPTS", "2");
        app.set("TEST_FAIL_POINT", &format!("{place}={action}"));
        for name in ["good_1.csv", "bad.csv", "good_2.csv"] {
            app.drop_file(name, contacts(50, name.len() + usize::from(name == "good_2.csv"))).await;
        }
        assert_eq!(app.settle().await, 1, "trouble of ours");
        let batch = app.batch_of("bad.csv").await;
        assert_eq!((batch.status, batch.error_code.as_deref()), (BatchStatus::Failed, Some("INTERNAL_ERROR")));
        let message = batch.error_message.expect("a message");
        assert!(message.contains("not loaded after 2 attempts"), "{message}");
        assert!(app.requests(&batch.batch_id).await.is_empty());
        for name in ["good_1.csv", "good_2.csv"] {
            assert_eq!(app.batch_of(name).await.status, BatchStatus::Active, "{place} {action} {to:?}");
        }
        assert!(app.uploads().await.iter().all(|upload| upload.answered_at.is_some()), "everybody is answered");
    }
}

#[tokio::test]
async fn a_panic_of_the_reader() {
    fails_alone("read/bad", "panic").await;
}

#[tokio::test]
async fn a_panic_beside_the_reader() {
    for step in ["claimed", "opened", "rows", "publish"] {
        fails_alone(&format!("{step}/bad.csv"), "panic").await;
    }
}

#[tokio::test]
async fn an_error_that_stays() {
    fails_alone("publish/bad.csv", "error").await;
}

/// The file is loaded, whatever happened to the answer: it is tried again.
#[tokio::test]
async fn a_panic_while_answering_is_tried_again() {
    for to in [To::Sqlite, To::Postgres] {
        let mut app = TestApp::new(In::Folder, to).await;
        app.set("TEST_FAIL_POINT", "rejects=panic@1");
        app.drop_file("a.csv", contacts(70, 1)).await;
        assert_eq!(app.settle().await, 0);
        let batch = app.batch_of("a.csv").await;
        assert_eq!(app.receipt(&batch.batch_id, "a").await["batch_id"], batch.batch_id);
    }
}

/// A file that kills its worker each time ends, since attempts are counted before the work.
#[tokio::test]
async fn a_file_that_kills_its_worker() {
    for to in [To::Sqlite, To::Postgres] {
        let mut app = TestApp::new(In::Folder, to).await;
        app.set("WORKER_LEASE_SECONDS", "1");
        app.set("WORKER_MAX_ATTEMPTS", "2");
        app.set("WORKER_UPLOADS_AT_ONCE", "1");
        app.set("TEST_FAIL_POINT", "rows/bad.csv=abort");
        app.drop_file("bad.csv", contacts(50, 1)).await;
        for _ in 0..2 {
            let mut worker = app.start(&["run"]);
            assert_eq!(worker.wait(), None, "it died: {}", worker.log());
        }
        app.drop_file("good.csv", contacts(50, 2)).await;
        let _worker = app.start(&["run"]);
        app.wait_until("both are settled", async || app.uploads_to_settle(2).await == 0).await;
        let batch = app.batch_of("bad.csv").await;
        assert_eq!((batch.status, batch.error_code.as_deref()), (BatchStatus::Failed, Some("INTERNAL_ERROR")));
        assert_eq!(app.batch_of("good.csv").await.status, BatchStatus::Active);
    }
}
