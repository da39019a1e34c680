//! Trouble that is not over when the worker ends.

use batchdrop::model::UploadStatus;

use crate::support::app::{In, TestApp, To, contacts};

/// Whoever scheduled it must learn that a file still waits for its next attempt.
#[tokio::test]
async fn draining_that_leaves_an_upload_waiting_does_not_end_with_0() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_RETRY_MS", "3600000");
    app.run_sql("alter table request_rows add constraint trouble check (row_number < 0) not valid").await;
    app.drop_file("a.csv", contacts(3, 1)).await;
    let mut worker = app.start(&["run", "--once"]);
    app.wait_until("the upload is put off", async || {
        let uploads = app.uploads().await;
        uploads.iter().any(|upload| upload.status == UploadStatus::Waiting && upload.attempts == 1)
    })
    .await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(1), "{}", worker.log());
}
