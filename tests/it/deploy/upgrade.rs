//! A rolling update: a newer program migrates the store while this one works on it.

use crate::support::app::{In, TestApp, To, contacts};

/// What migrations do: they add, and name nothing anew. Each table that a worker writes to gets a column.
const TABLES: [&str; 6] = ["uploads", "batch_numbers", "batches", "request_rows", "request_tally", "suppression_lists"];

async fn migrate_as_a_newer_program(app: &TestApp) {
    for table in TABLES {
        app.run_sql(&format!("alter table {table} add column of_a_later_program text")).await;
    }
    app.run_sql(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         select 9999, 'of a later program', success, checksum, execution_time from _sqlx_migrations where version = 1",
    )
    .await;
}

async fn an_old_worker_goes_on_and_is_not_started_again(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    app.drop_file("before.csv", contacts(100, 1)).await;
    let mut running = app.start(&["run"]);
    app.wait_until("the first is loaded", || async { app.uploads_to_settle(1).await == 0 }).await;
    migrate_as_a_newer_program(&app).await;

    app.drop_file("after.csv", contacts(200, 2)).await;
    app.wait_until("the second is loaded", || async { app.uploads_to_settle(2).await == 0 }).await;
    let batch = app.batch_of("after.csv").await;
    assert_eq!(batch.rows_read, 200, "{:?}", batch.error_message);
    let receipt = format!("results/{}/after.receipt.json", batch.batch_id);
    app.wait_until("it is answered", || async { app.get(&receipt).await.is_some() }).await;
    assert!(!running.log().contains("ERROR"), "{}", running.log());
    running.signal(libc::SIGTERM);
    assert_eq!(running.wait(), Some(0));

    // Started again, it cannot know what the newer schema means.
    let refused = app.output(&["run"]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    let text =
        "the database's schema (version 9999) is newer than this program; upgrade batchdrop, it changes nothing before";
    assert!(told.contains(text), "{told}");
}

#[tokio::test]
async fn an_old_worker_goes_on_after_a_newer_one_migrated_sqlite() {
    an_old_worker_goes_on_and_is_not_started_again(To::Sqlite).await;
}

#[tokio::test]
async fn an_old_worker_goes_on_after_a_newer_one_migrated_postgres() {
    an_old_worker_goes_on_and_is_not_started_again(To::Postgres).await;
}
