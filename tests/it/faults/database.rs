//! What happens to the database, and not to the worker.

use std::time::Duration;

use batchdrop::model::{Object, UploadStatus};
use batchdrop::store::ErrorKind;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::support::app::{In, TestApp, To, contacts};
use crate::support::mount::SmallDisk;

async fn app_on(disk: &SmallDisk) -> TestApp {
    TestApp::on_store(In::Folder, Some(format!("sqlite://{}/batchdrop.db", disk.path().display()))).await
}

/// The disk under SQLite fills. Once there is room, the same worker goes on, and loads all of it.
async fn full_with(rows: usize, trouble: &str) {
    let disk = SmallDisk::new(4);
    let mut app = app_on(&disk).await;
    app.set("WORKER_MAX_ATTEMPTS", "1000000");
    app.set("WORKER_LEASE_SECONDS", "1");
    app.drop_file("large.csv", contacts(rows, 1)).await;
    let worker = app.start(&["run"]);
    app.wait_until("the disk is full", async || worker.log().contains(trouble)).await;
    assert!(worker.log().contains("database or disk is full"), "{}", worker.log());
    assert!(app.batches().await.is_empty(), "no half batch");
    disk.resize(200);
    app.drop_file("small.csv", contacts(70, 2)).await;
    app.wait_until("both are settled", async || app.uploads_to_settle(2).await == 0).await;
    let batch = app.batch_of("large.csv").await;
    assert_eq!((batch.rows_read, app.requests(&batch.batch_id).await.len()), (rows as u64, rows));
    assert_eq!(app.batch_of("small.csv").await.rows_read, 70);
    assert_eq!(app.batches().await.len(), 2);
}

/// SQLite holds so many rows in memory until the commit.
#[tokio::test]
async fn a_disk_that_is_full_at_the_commit() {
    full_with(50_000, "commit unanswered").await;
}

/// So many it has to write before, and by itself rolls back the transaction that it cannot write.
#[tokio::test]
async fn a_disk_that_is_full_in_the_middle_of_a_load() {
    full_with(250_000, "could not take rows").await;
}

/// Nobody works on what was not written down as claimed: SQLite gives the row out before it finds that the disk is
/// full.
#[tokio::test]
async fn a_claim_that_finds_no_room_is_none() {
    let disk = SmallDisk::new(4);
    let store = app_on(&disk).await.store;
    let lease = Duration::from_secs(600);
    let object = Object { key: "a.csv".into(), version: "1".into(), size: 9, modified: chrono::Utc::now() };
    store.record("bucket", &[object]).await.expect("recorded");

    disk.fill();
    let error = store.claim("bucket", "worker", lease, None).await.expect_err("there is no room");
    assert_eq!(error.kind, ErrorKind::Transient);
    disk.resize(8);
    let claim = store.claim("bucket", "worker", lease, None).await.expect("there is room").expect("it waits");
    assert_eq!(claim.attempt, 1);
    store.end(&claim, UploadStatus::Rejected, None, "of no use").await.expect("ended");

    disk.fill();
    let error = store.claim_answer("bucket", lease).await.expect_err("there is no room");
    assert_eq!(error.kind, ErrorKind::Transient);
    disk.resize(16);
    let owed = store.claim_answer("bucket", lease).await.expect("there is room").expect("it is owed");
    assert_eq!(owed.attempt, 1);
}

/// As a disk that fills, a failover or an operator makes it. Sessions keep what they began with: those that could write
/// are ended, and those that could not are left.
async fn let_write(app: &TestApp, lets: bool) {
    let options: PgConnectOptions = app.store_url.parse().expect("an address");
    let name = options.get_database().expect("a database of its own").to_owned();
    let mut operator = options
        .application_name("operator")
        .options([("default_transaction_read_only", "off")])
        .connect()
        .await
        .expect("the test's database");
    let read_only = if lets { "off" } else { "on" };
    let set = format!("alter database {name} set default_transaction_read_only = {read_only}");
    sqlx::query(AssertSqlSafe(set)).execute(&mut operator).await.expect("set");
    if !lets {
        let end = "select pg_terminate_backend(pid, 10000) from pg_stat_activity \
                   where datname = current_database() and application_name = 'batchdrop'";
        sqlx::query(end).execute(&mut operator).await.expect("ended");
    }
    operator.close().await.expect("closed");
}

/// A worker does not go on with sessions that were opened while the database only read, and which would last for ten
/// minutes: nobody ends them when it writes again.
#[tokio::test]
async fn a_database_that_only_reads_for_a_while() {
    let app = TestApp::new(In::Folder, To::Postgres).await;
    let worker = app.start(&["run"]);
    app.drop_file("before.csv", contacts(70, 1)).await;
    app.wait_until("it is loaded", async || app.batches().await.len() == 1).await;
    let_write(&app, false).await;
    app.drop_file("meanwhile.csv", contacts(70, 2)).await;
    app.wait_until("the worker notices", async || worker.log().contains("read-only transaction")).await;
    let_write(&app, true).await;
    app.wait_until("it goes on", async || app.batches().await.len() == 2).await;
    for file in ["before.csv", "meanwhile.csv"] {
        let batch = app.batch_of(file).await;
        assert_eq!((batch.rows_read, app.requests(&batch.batch_id).await.len()), (70, 70));
    }
}

/// `tests/run` starts a PostgreSQL that may lose what it has stored; whoever runs so is told.
#[tokio::test]
async fn settings_by_which_a_power_cut_loses_files_are_told() {
    let app = TestApp::new(In::Folder, To::Postgres).await;
    app.run_sql(
        "do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$",
    )
    .await;
    let told = String::from_utf8(app.output(&["run", "--once"]).stderr).expect("UTF-8");
    assert!(told.contains("PostgreSQL runs with synchronous_commit = off: after a power cut"), "{told}");
    app.run_sql(
        "do $$ begin execute format('alter database %I set synchronous_commit = on', current_database()); end $$",
    )
    .await;
    let told = String::from_utf8(app.output(&["run", "--once"]).stderr).expect("UTF-8");
    assert!(!told.contains("synchronous_commit"), "{told}");

    let app = TestApp::new(In::Folder, To::Sqlite).await;
    assert!(app.store.risks().await.expect("asked").is_empty());
}
