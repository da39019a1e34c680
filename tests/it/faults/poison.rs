//! A file that kills its worker each time ends as INTERNAL_ERROR, and takes none of those worked on beside it with it.

use batchdrop::model::BatchStatus;

use crate::support::app::{In, TestApp, To, contacts};

const GOOD: usize = 8;
const ROWS: usize = 30_000;
const ATTEMPTS: u32 = 4;

/// The neighbours are large enough to be under way whenever the worker dies: without care, they would have used up
/// their attempts as soon as the one that is to blame.
#[tokio::test]
async fn a_file_that_kills_its_worker_takes_no_neighbour_with_it() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_LEASE_SECONDS", "2");
    app.set("WORKER_MAX_ATTEMPTS", &ATTEMPTS.to_string());
    app.set("WORKER_UPLOADS_AT_ONCE", "4");
    app.set("TEST_FAIL_POINT", "publish/bad.csv=abort");
    app.drop_file("bad.csv", contacts(ROWS / 10, 100)).await;
    for seed in 1..=GOOD {
        app.drop_file(&format!("good_{seed}.csv"), contacts(ROWS, seed)).await;
    }
    let mut deaths = 0;
    let mut worker = app.start(&["run"]);
    while app.uploads_to_settle(GOOD + 1).await > 0 {
        if worker.has_ended() {
            deaths += 1;
            assert!(deaths <= ATTEMPTS, "it dies of something else: {}", worker.log());
            worker = app.start(&["run"]);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(deaths, ATTEMPTS, "each attempt is made");
    let bad = app.batch_of("bad.csv").await;
    assert_eq!((bad.status, bad.error_code.as_deref()), (BatchStatus::Failed, Some("INTERNAL_ERROR")));
    assert!(app.requests(&bad.batch_id).await.is_empty());
    for seed in 1..=GOOD {
        let good = app.batch_of(&format!("good_{seed}.csv")).await;
        assert_eq!((good.status, good.rows_read), (BatchStatus::Active, ROWS as u64), "{:?}", good.error_message);
    }
    let dropped = app.uploads().await.iter().filter(|upload| upload.attempts > 1).count();
    assert!(dropped > 1, "no neighbour was under way when the worker died");
}
