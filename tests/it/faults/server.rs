//! The PostgreSQL server itself restarts or crashes in the middle of the work, or has no room left: the worker lives,
//! and when the server is well again each file is one batch. Each test has a server of its own.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::{FILES, drop_files, outcome, undisturbed};
use crate::support::app::{In, Running, TestApp};
use crate::support::dice::Dice;
use crate::support::mount::SmallDisk;
use crate::support::own_postgres::{OwnPostgres, Stop};

async fn app_on(server: &OwnPostgres) -> TestApp {
    let mut app = TestApp::on_store(In::Folder, Some(server.url.clone())).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.set("WORKER_MAX_ATTEMPTS", "1000000");
    app
}

/// Waits until rows are on their way into the database; false where none are any more.
async fn is_loading(server: &OwnPostgres) -> bool {
    let mut operator = PgConnection::connect(&server.url).await.expect("the test's database");
    for _ in 0..200 {
        let copies =
            "select count(*) from pg_stat_activity where state = 'active' and query ilike 'copy request_rows%'";
        if sqlx::query_scalar::<_, i64>(copies).fetch_one(&mut operator).await.expect("it answers") > 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

async fn restarts_in_the_middle_of_the_work(how: Stop) {
    let expected = undisturbed().await;
    let mut dice = Dice::new();
    let mut server = OwnPostgres::start().await;
    let app = app_on(&server).await;
    drop_files(&app).await;
    let mut worker = app.start(&["run"]);
    let mut restarts = 0;
    while restarts < 10 && is_loading(&server).await {
        tokio::time::sleep(Duration::from_millis(dice.roll(40))).await;
        server.restart(how).await;
        restarts += 1;
    }
    assert!(restarts > 0, "nothing was under way: {}", worker.log());
    app.wait_until("all are settled", async || app.uploads_to_settle(FILES + 2).await == 0).await;
    assert!(!worker.has_ended(), "{}", worker.log());
    assert_eq!(outcome(&app).await, expected, "{restarts} restarts");
    app.wait_until("everybody is answered", async || {
        app.uploads().await.iter().all(|upload| upload.answered_at.is_some())
    })
    .await;
    println!("{restarts} restarts, {how:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_in_the_middle_of_the_work() {
    restarts_in_the_middle_of_the_work(Stop::Fast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_in_the_middle_of_the_work() {
    restarts_in_the_middle_of_the_work(Stop::Immediate).await;
}

/// Some 30 MiB in the database, and as many in its log of changes.
const ROWS: usize = 20_000;

async fn drop_large(app: &TestApp) -> Running {
    let note = "x".repeat(1_500); // stored as it is: only longer rows are packed
    let rows: String = (1..=ROWS).map(|row| format!("{row},+15125550100,{note}\n")).collect();
    app.drop_file("large.csv", format!("reference_id,target,note\n{rows}")).await;
    app.start(&["run"])
}

async fn loads_all_of_it(app: &TestApp, mut worker: Running) {
    app.wait_until("it is loaded", async || app.uploads_to_settle(1).await == 0).await;
    assert!(!worker.has_ended(), "{}", worker.log());
    let batch = app.batch_of("large.csv").await;
    assert_eq!((batch.error_message.as_deref(), batch.rows_read), (None, ROWS as u64));
    assert_eq!((app.batches().await.len(), app.requests(&batch.batch_id).await.len()), (1, ROWS));
}

/// The statement that finds no room fails, and the server lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_disk_is_full() {
    let disk = SmallDisk::new(40);
    let server = OwnPostgres::start_on(Some(disk.path()), None).await;
    let app = app_on(&server).await;
    let worker = drop_large(&app).await;
    app.wait_until("there is no room", async || worker.log().contains("No space left on device")).await;
    assert!(app.batches().await.is_empty(), "no half batch");
    disk.resize(1_000);
    loads_all_of_it(&app, worker).await;
}

/// What cannot be written ahead of a change ends the whole server: it cannot know any more what it has promised.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_of_changes_has_no_room() {
    let disk = SmallDisk::new(8);
    let mut server = OwnPostgres::start_on(None, Some(disk.path())).await;
    let app = app_on(&server).await;
    let worker = drop_large(&app).await;
    let is_down = async || server.log().contains("PANIC:") && worker.log().contains("WARN");
    app.wait_until("the server panics, and the worker notices", is_down).await;
    disk.resize(1_000);
    // It may be down, or about to panic again: an operator who has made room starts it anew.
    server.restart(Stop::Immediate).await;
    loads_all_of_it(&app, worker).await;
}
