//! Exactly once, whatever happens to the workers: nothing is lost, nothing is doubled.
//!
//! The oracle is the same files loaded without a disturbance. Seeds are printed, so that a failure can be seen again.
//! The table of all such faults, and of the test that each has, is `faults/README.md`.

mod database;
mod network;
mod poison;
mod process;
mod server;
mod steps;
mod trouble;
mod workers;

use std::time::Duration;

use batchdrop::model::{BatchStatus, UploadStatus};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use crate::support::app::{In, TestApp, To, contacts};
use crate::support::dice::Dice;

const FILES: usize = 6;

/// Files large enough that a kill finds a worker in the middle of one.
async fn drop_files(app: &TestApp) {
    for seed in 1..=FILES {
        app.drop_file(&format!("calls_{seed}.csv"), contacts(4_000 * seed, seed)).await;
    }
    app.drop_file("broken.csv", "reference_id,phone\n\"never closed,1\n").await;
    app.drop_file("calls_1_again.csv", contacts(4_000, 1)).await;
}

/// What becomes of the files when nothing goes wrong. The repeat and its original may change places between runs with
/// several workers, so their names are folded.
async fn outcome(app: &TestApp) -> Vec<String> {
    let mut lines: Vec<_> =
        app.outcome().await.into_iter().map(|line| line.replace("calls_1_again", "calls_1")).collect();
    lines.sort();
    lines
}

async fn undisturbed() -> Vec<String> {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    drop_files(&app).await;
    assert_eq!(app.settle().await, 3);
    outcome(&app).await
}

const FEW: usize = 4;

/// As many as it takes to meet every step: loaded, repeated, of no use, with rows that go back.
async fn drop_few(app: &TestApp) {
    app.drop_file("calls_1.csv", contacts(70, 1)).await;
    app.drop_file("calls_1_again.csv", contacts(70, 1)).await;
    app.drop_file("calls_2.csv", contacts(140, 2)).await;
    app.drop_file("broken.csv", "reference_id,phone\n\"never closed,1\n").await;
}

async fn undisturbed_few() -> Vec<String> {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    drop_few(&app).await;
    assert_eq!(app.settle().await, 3);
    outcome(&app).await
}

async fn killed_at_any_moment(to: To) {
    let expected = undisturbed().await;
    let mut dice = Dice::new();
    let mut app = TestApp::new(In::Folder, to).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.set("WORKER_MAX_ATTEMPTS", "1000");
    drop_files(&app).await;
    let mut kills = 0;
    for _ in 0..12 {
        let mut worker = app.start(&["run", "--once"]);
        tokio::time::sleep(Duration::from_millis(10 + dice.roll(250))).await;
        if worker.has_ended() {
            break;
        }
        worker.signal(libc::SIGKILL);
        worker.wait();
        kills += 1;
    }
    assert!(kills > 0, "the worker was never killed in the middle");
    // Leases of the killed run out while this one waits: draining leaves them to their holder, watching does not.
    let _worker = app.start(&["run"]);
    app.wait_until("all uploads are settled", async || {
        let uploads = app.uploads().await;
        uploads.len() == FILES + 2 && uploads.iter().all(|upload| upload.settled_at.is_some())
    })
    .await;
    assert_eq!(outcome(&app).await, expected);
    app.wait_until("everybody is answered", async || {
        app.uploads().await.iter().all(|upload| upload.answered_at.is_some())
    })
    .await;
    for batch in app.batches().await {
        let stem = batch.upload_filename.as_deref().and_then(|name| name.strip_suffix(".csv")).expect("a CSV");
        let receipt = app.receipt(&batch.batch_id, stem).await;
        assert_eq!(receipt["batch_id"], batch.batch_id);
        let rejects = app.get(&format!("results/{}/{stem}.rejects.csv", batch.batch_id)).await.unwrap_or_default();
        let rejected = batch.rows_read - batch.count("PENDING");
        let lines = String::from_utf8(rejects).expect("UTF-8").lines().count() as u64;
        assert_eq!(lines, if batch.error_message.is_none() { rejected + 1 } else { 0 }, "{stem}");
    }
}

#[tokio::test]
async fn killed_at_any_moment_with_sqlite() {
    killed_at_any_moment(To::Sqlite).await;
}

#[tokio::test]
async fn killed_at_any_moment_with_postgres() {
    killed_at_any_moment(To::Postgres).await;
}

#[tokio::test]
async fn several_workers_share_the_work() {
    let expected = undisturbed().await;
    let app = TestApp::new(In::Folder, To::Postgres).await;
    drop_files(&app).await;
    let mut workers: Vec<_> = (0..4).map(|_| app.start(&["run", "--once"])).collect();
    for worker in &mut workers {
        // 0 where another worker met the files with faults, 3 where this one did.
        assert!(matches!(worker.wait(), Some(0 | 3)), "{}", worker.log());
    }
    assert_eq!(outcome(&app).await, expected);
    let numbers: std::collections::BTreeSet<_> = app.batches().await.into_iter().map(|batch| batch.batch_id).collect();
    assert_eq!(numbers.len(), FILES + 2);
}

async fn asked_to_stop(to: To, signal: i32) {
    let mut app = TestApp::new(In::Folder, to).await;
    app.set("WORKER_LEASE_SECONDS", "3600");
    app.drop_file("large.csv", contacts(150_000, 1)).await;
    let mut worker = app.start(&["run"]);
    app.wait_until("the upload is claimed", async || {
        app.uploads().await.iter().any(|upload| upload.status == UploadStatus::Claimed)
    })
    .await;
    worker.signal(signal);
    assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    let upload = app.uploads().await.remove(0);
    if upload.status == UploadStatus::Loaded {
        return; // it was faster; that is the other half of the promise
    }
    assert_eq!((upload.status, upload.attempts), (UploadStatus::Waiting, 0), "given back, and nothing counted");
    assert!(app.batches().await.is_empty());
    assert_eq!(app.settle().await, 0, "the next worker takes it at once, though the lease was an hour");
    assert_eq!(app.batch_of("large.csv").await.rows_read, 150_000);
}

#[tokio::test]
async fn sigterm_gives_the_upload_back_with_postgres() {
    asked_to_stop(To::Postgres, libc::SIGTERM).await;
}

#[tokio::test]
async fn sigint_gives_the_upload_back_with_sqlite() {
    asked_to_stop(To::Sqlite, libc::SIGINT).await;
}

/// A worker that stood still beyond its lease wakes up to find its upload loaded by another, and changes nothing.
#[tokio::test]
async fn a_stopped_worker_is_fenced() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.drop_file("large.csv", contacts(100_000, 1)).await;
    let sleeper = app.start(&["run"]);
    app.wait_until("the upload is claimed", async || {
        app.uploads().await.iter().any(|upload| upload.status == UploadStatus::Claimed)
    })
    .await;
    sleeper.signal(libc::SIGSTOP);
    let _other = app.start(&["run"]);
    app.wait_until("another worker loads it", async || app.uploads().await[0].status == UploadStatus::Loaded).await;
    let before = app.outcome().await;
    sleeper.signal(libc::SIGCONT);
    app.wait_until("the sleeper notices", async || {
        sleeper.log().contains("taken over by another worker") || sleeper.log().contains("batch loaded")
    })
    .await;
    assert_eq!(app.outcome().await, before);
    assert_eq!(app.batches().await.len(), 1);
    assert_eq!(app.batch_of("large.csv").await.rows_read, 100_000);
}

/// Trouble of ours is retried, then visible, and never blamed on the sender; when it is gone, the next file is fine.
#[tokio::test]
async fn trouble_that_stays_becomes_internal_error() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_MAX_ATTEMPTS", "3");
    let mut database = PgConnection::connect(&app.store_url).await.expect("the test's database");
    database
        .execute("alter table request_rows add constraint trouble check (row_number < 0) not valid")
        .await
        .expect("a constraint");
    app.drop_file("a.csv", contacts(3, 1)).await;
    assert_eq!(app.settle().await, 1, "trouble of ours");
    let batch = app.batch_of("a.csv").await;
    assert_eq!((batch.status, batch.error_code.as_deref()), (BatchStatus::Failed, Some("INTERNAL_ERROR")));
    let message = batch.error_message.expect("a message");
    assert!(message.starts_with("Internal error: not loaded after 3 attempts; this is on our side"), "{message}");
    assert!(!message.contains("555"), "no data of a person: {message}");
    assert_eq!(app.uploads().await[0].attempts, 4, "the last claim only settles it");
    database.execute("alter table request_rows drop constraint trouble").await.expect("gone");
    app.drop_file("b.csv", contacts(3, 1)).await;
    assert_eq!(app.settle().await, 0, "the same content goes through, since the first batch FAILED");

    let requeue = |arguments: &[&str]| app.output(&[&["requeue"], arguments].concat()).status.code();
    assert_eq!(requeue(&["--code", "internal_error"]), Some(0));
    assert_eq!(app.settle().await, 3, "by now its content is another batch");
    let batches: Vec<_> = app.batches().await.into_iter().map(|batch| batch.error_code).collect();
    assert_eq!(batches, [Some("DUPLICATE_FILE".to_owned()), None, Some("INTERNAL_ERROR".to_owned())]);
    let loaded = app.uploads().await.into_iter().find(|upload| upload.key == "b.csv").expect("in the ledger");
    assert_eq!(requeue(&[&loaded.upload_id.to_string()]), Some(1), "what is loaded is never loaded again");
    assert_eq!(requeue(&["4711"]), Some(1));
    assert_eq!(requeue(&[]), Some(2));
}

/// A requeued file is read again, by the rules that hold then.
#[tokio::test]
async fn a_file_that_was_refused_goes_through_once_the_rules_take_it() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("LIMITS_ROWS", "2");
    app.drop_file("a.csv", contacts(3, 1)).await;
    app.drop_file("b.txt", contacts(3, 2)).await;
    assert_eq!(app.settle().await, 3);
    app.set("LIMITS_ROWS", "3");
    app.configure("[campaigns.all]\nid = 1\nfiles = '*'\n");
    assert_eq!(app.settle().await, 0, "by itself, nothing is read twice");
    assert_eq!(app.output(&["requeue", "1", "2"]).status.code(), Some(0));
    assert_eq!(app.settle().await, 0);
    let mut files: Vec<_> =
        app.batches().await.into_iter().map(|batch| (batch.upload_filename, batch.error_code)).collect();
    files.sort();
    let file = |name: &str, code: Option<&str>| (Some(name.to_owned()), code.map(str::to_owned));
    assert_eq!(files, [file("a.csv", None), file("a.csv", Some("LIMIT_EXCEEDED")), file("b.txt", None)]);
}

/// A worker that stays waits for its database, and starts as soon as it is there; one that drains says so and ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_a_database_that_is_away_at_the_start() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.drop_file("a.csv", contacts(3, 1)).await;
    let address: sqlx::postgres::PgConnectOptions = app.store_url.parse().expect("an address");
    let real = format!("{}:{}", address.get_host(), address.get_port());
    // A port that nobody listens on yet.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    app.set("STORE_URL", address.clone().host("127.0.0.1").port(port).to_url_lossy().as_str());
    app.set("STORE_CONNECT_SECONDS", "1");
    assert_eq!(app.settle().await, 1);
    let mut stopped = app.start(&["run"]);
    let mut worker = app.start(&["run"]);
    for running in [&stopped, &worker] {
        app.wait_until("it says what it waits for", async || running.log().contains("not started yet")).await;
    }
    stopped.signal(libc::SIGTERM);
    assert_eq!(stopped.wait(), Some(0), "while it waits, it can be stopped");

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is still free");
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let mut there = tokio::net::TcpStream::connect(&real).await.expect("PostgreSQL answers");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut here, &mut there).await });
        }
    });
    app.wait_until("the file is a batch", async || app.batches().await.len() == 1).await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(0));
}

/// A configuration that does not say where a file belongs is ours to mend: no batch, and no blame.
#[tokio::test]
async fn a_tie_between_campaigns_ends_in_the_ledger() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("WORKER_MAX_ATTEMPTS", "2");
    app.configure("[campaigns.a]\nid = 1\nfiles = '*A.csv'\n[campaigns.b]\nid = 2\nfiles = 'B*.csv'\n");
    app.drop_file("BA.csv", contacts(3, 1)).await;
    assert_eq!(app.settle().await, 1);
    let upload = app.uploads().await.remove(0);
    assert_eq!((upload.status, upload.error_code.as_deref()), (UploadStatus::Rejected, Some("INTERNAL_ERROR")));
    assert!(upload.error_message.expect("a message").contains("campaigns a and b match file names equally well"));
}

/// Deleted after it was listed: the upload ends as gone, with its reason, and the next file is loaded.
#[tokio::test]
async fn a_file_that_vanishes_is_gone() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    app.drop_file("gone.csv", contacts(3, 1)).await;
    // Listed by a worker that has no time to work: its claim is given back at once.
    let mut database = sqlx::SqliteConnection::connect(&app.store_url).await.expect("the test's database");
    app.settle().await;
    database
        .execute("update uploads set status = 'WAITING', version = '1-1-1', available_at = seen_at, settled_at = null; delete from request_tally; delete from request_rows; delete from batches")
        .await
        .expect("as if a version had been listed that is no longer there");
    app.drop_file("next.csv", contacts(4, 1)).await;
    assert_eq!(app.settle().await, 0, "a deleted file is nobody's fault");
    let gone = app.uploads().await.into_iter().find(|upload| upload.version == "1-1-1").expect("in the ledger");
    assert_eq!(gone.status, UploadStatus::Gone);
    assert!(gone.error_message.is_some(), "with its reason");
    assert_eq!(app.batch_of("next.csv").await.rows_read, 4);
}
