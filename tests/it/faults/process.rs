//! The worker is stopped, is killed, panics, or lacks what a process needs: nothing is lost, nothing is doubled, and
//! what it says holds nothing of a person.

use std::time::Duration;

use batchdrop::model::{BatchStatus, UploadStatus};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{FILES, drop_files, outcome, undisturbed};
use crate::support::app::{In, TestApp, To, contacts};
use crate::support::dice::Dice;

async fn is_claimed(app: &TestApp) -> bool {
    app.uploads().await.iter().any(|upload| upload.status == UploadStatus::Claimed)
}

/// The lease was an hour: that another has it means that it was given back.
async fn gives_it_to_a_worker_that_waits(signal: i32) {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_LEASE_SECONDS", "3600");
    app.set("WORKER_IDENTITY", "first@example.com");
    app.drop_file("large.csv", contacts(100_000, 1)).await;
    let mut first = app.start(&["run"]);
    app.wait_until("the first has it", async || is_claimed(&app).await).await;
    app.set("WORKER_IDENTITY", "second@example.com");
    let second = app.start(&["run"]);
    app.wait_until("the second watches", async || second.log().contains("Ctrl-C stops")).await;
    first.signal(signal);
    assert_eq!(first.wait(), Some(0), "{}", first.log());
    assert!(first.log().contains("upload given back"), "it was faster than the second: {}", first.log());
    app.wait_until("the second loads it", async || app.uploads().await[0].status == UploadStatus::Loaded).await;
    let upload = app.uploads().await.remove(0);
    assert_eq!((upload.attempts, upload.claimed_by.as_deref()), (1, Some("second@example.com")));
    assert_eq!(app.batch_of("large.csv").await.rows_read, 100_000);
}

/// Whoever drains beside a dead worker is told why a file is not there yet, and when it will be.
#[tokio::test]
async fn a_run_beside_a_worker_that_died_tells_what_that_held() {
    for to in [To::Sqlite, To::Postgres] {
        let mut app = TestApp::new(In::Folder, to).await;
        app.drop_file("contacts.csv", contacts(10, 1)).await;
        app.set("TEST_FAIL_POINT", "publish=abort");
        assert_ne!(app.output(&["run", "--once"]).status.code(), Some(0));
        app.set("TEST_FAIL_POINT", "never=abort");
        let output = app.output(&["run", "--once"]);
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = "1 upload is in the hands of another worker. Should that have died, a run after 1m takes over.";
        assert!(said.contains(expected), "{said}");
        app.set("WORKER_LEASE_SECONDS", "1");
        app.run_sql("update uploads set available_at = seen_at").await;
        let output = app.output(&["run", "--once"]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("in the hands of"));
        assert_eq!(app.batch_of("contacts.csv").await.rows_read, 10);
    }
}

#[tokio::test]
async fn sigterm_gives_the_upload_to_a_worker_that_waits() {
    gives_it_to_a_worker_that_waits(libc::SIGTERM).await;
}

#[tokio::test]
async fn sigint_gives_the_upload_to_a_worker_that_waits() {
    gives_it_to_a_worker_that_waits(libc::SIGINT).await;
}

/// All that is in work, and not only one: whoever comes next starts on them at once, though the lease was an hour.
#[tokio::test]
async fn sigterm_gives_back_all_that_is_in_work() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_LEASE_SECONDS", "3600");
    app.set("WORKER_UPLOADS_AT_ONCE", "3");
    for seed in 1..=3 {
        app.drop_file(&format!("large_{seed}.csv"), contacts(100_000, seed)).await;
    }
    // None can be published: the server has them wait in the middle of their rows, and these are too many to be on
    // their way all at once.
    let mut operator = PgConnection::connect(&app.store_url).await.expect("the test's database");
    operator.execute("begin; lock table request_rows in exclusive mode").await.expect("a lock");
    let mut worker = app.start(&["run"]);
    let all_are = async |status| {
        let uploads = app.uploads().await;
        uploads.len() == 3 && uploads.iter().all(|upload| upload.status == status)
    };
    app.wait_until("all are claimed", async || all_are(UploadStatus::Claimed).await).await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    assert!(all_are(UploadStatus::Waiting).await, "{}", worker.log());
    assert!(app.uploads().await.iter().all(|upload| upload.attempts == 0), "nothing counted");
    operator.close().await.expect("the lock is gone");
    assert_eq!(app.settle().await, 0);
    assert!(app.batches().await.iter().all(|batch| batch.rows_read == 100_000));
    assert!(all_are(UploadStatus::Loaded).await);
}

/// Asked to stop, and not given the time.
async fn stopped_without_time(to: To, last: i32) {
    let mut dice = Dice::new();
    let mut app = TestApp::new(In::Folder, to).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.set("WORKER_MAX_ATTEMPTS", "1000");
    drop_files(&app).await;
    for _ in 0..6 {
        let mut worker = app.start(&["run"]);
        tokio::time::sleep(Duration::from_millis(50 + dice.roll(300))).await;
        worker.signal(libc::SIGTERM);
        tokio::time::sleep(Duration::from_millis(dice.roll(20))).await;
        worker.signal(last);
        // Before it heeds signals, at its start, it is killed by SIGTERM as any process is.
        let code = worker.wait();
        assert!(matches!(code, None | Some(0 | 143)), "{code:?}: {}", worker.log());
    }
    let _worker = app.start(&["run"]);
    app.wait_until("all are settled", async || app.uploads_to_settle(FILES + 2).await == 0).await;
    assert_eq!(outcome(&app).await, undisturbed().await);
}

#[tokio::test]
async fn sigterm_twice() {
    stopped_without_time(To::Sqlite, libc::SIGTERM).await;
    stopped_without_time(To::Postgres, libc::SIGTERM).await;
}

#[tokio::test]
async fn sigterm_and_then_sigkill() {
    stopped_without_time(To::Sqlite, libc::SIGKILL).await;
    stopped_without_time(To::Postgres, libc::SIGKILL).await;
}

/// From far too few open files to enough: it refuses to start, or tries again what it could not do.
async fn too_many_open_files(to: To, limits: &[u32]) {
    let mut app = TestApp::new(In::Folder, to).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.set("WORKER_MAX_ATTEMPTS", "1000");
    app.set("WORKER_RETRY_MS", "1");
    drop_files(&app).await;
    let mut told = 0;
    for limit in limits {
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        let mut worker = app.start_under(&["sh", "-c", &script, "sh"], &["run"]);
        let mut ended = None;
        for _ in 0..150 {
            ended = worker.has_ended().then(|| worker.wait());
            if ended.is_some() || app.uploads_to_settle(FILES + 2).await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        told += u32::from(worker.log().contains("Too many open files"));
        if let Some(code) = ended {
            assert!(matches!(code, Some(1 | 2)), "a refusal at the start: {code:?}, {}", worker.log());
            assert!(worker.log().contains("error: "), "{}", worker.log());
        } else {
            worker.signal(libc::SIGTERM);
            // Signals that it cannot open a file for kill it, as any process.
            assert!(matches!(worker.wait(), None | Some(0 | 1)), "{}", worker.log());
        }
    }
    assert!(told > 0, "no limit was low enough");
    let _worker = app.start(&["run"]);
    app.wait_until("all are settled", async || app.uploads_to_settle(FILES + 2).await == 0).await;
    assert_eq!(outcome(&app).await, undisturbed().await);
}

#[tokio::test]
async fn too_many_open_files_with_sqlite() {
    too_many_open_files(To::Sqlite, &[8, 14, 16, 18, 32]).await;
}

#[tokio::test]
async fn too_many_open_files_with_postgres() {
    too_many_open_files(To::Postgres, &[8, 11, 12, 13, 14, 32]).await;
}

/// A process that gets no more memory ends at once; what it began, the next one does.
#[tokio::test]
async fn no_more_memory() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.drop_file("large.csv", contacts(100_000, 1)).await;
    let mut died = 0;
    for kilobytes in [200_000, 350_000, 450_000] {
        let script = format!("ulimit -v {kilobytes}; exec \"$@\"");
        let mut worker = app.start_under(&["sh", "-c", &script, "sh"], &["run", "--once"]);
        died += u32::from(worker.wait() != Some(0));
        assert!(app.batches().await.iter().all(|batch| batch.rows_read == 100_000), "{}", worker.log());
    }
    assert!(died > 0, "no limit was low enough");
    let _worker = app.start(&["run"]);
    app.wait_until("it is loaded", async || app.uploads_to_settle(1).await == 0).await;
    let batch = app.batch_of("large.csv").await;
    assert_eq!((app.batches().await.len(), batch.status, batch.rows_read), (1, BatchStatus::Active, 100_000));
}

/// The message of a panic may quote what it failed on, which is a person's.
#[tokio::test]
async fn of_a_panic_only_the_place_is_logged() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("WORKER_MAX_ATTEMPTS", "1");
    app.drop_file("a.csv", contacts(3, 1)).await;
    for place in ["read", "publish"] {
        app.set("TEST_FAIL_POINT", &format!("{place}=panic"));
        let output = app.output(&["run", "--once"]);
        assert_eq!(output.status.code(), Some(1));
        let log = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(log.contains("place=\"src/fail_point.rs:"), "{log}");
        assert!(!log.contains("fail point"), "the message of the panic: {log}");
        assert_eq!(app.output(&["requeue", "--code", "INTERNAL_ERROR"]).status.code(), Some(0));
    }
    let messages: Vec<_> = app.batches().await.into_iter().map(|batch| batch.error_message).collect();
    assert!(messages.iter().flatten().all(|message| !message.contains("fail point")), "{messages:?}");
}

/// An answer is written aside before it gets its name; whoever answers in the place of one that was killed clears that
/// away.
#[tokio::test]
async fn what_a_killed_worker_wrote_aside_is_cleared_away() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    let repeats = "R,(512) 555-0100,the same again\n".repeat(200_000);
    app.drop_file("a.csv", format!("reference_id,target,note\n{repeats}")).await;
    let mut worker = app.start(&["run"]);
    let is_aside = |key: &String| key.ends_with(".part");
    app.wait_until("it is killed while it writes", async || {
        if !app.keys().await.iter().any(is_aside) {
            return false;
        }
        worker.signal(libc::SIGSTOP);
        let is_there = app.keys().await.iter().any(is_aside);
        worker.signal(if is_there { libc::SIGKILL } else { libc::SIGCONT });
        is_there
    })
    .await;
    assert_eq!(worker.wait(), None);
    assert!(app.keys().await.iter().any(is_aside), "it was left");
    let _worker = app.start(&["run"]);
    app.wait_until("it is answered", async || app.uploads().await[0].answered_at.is_some()).await;
    let keys = app.keys().await;
    assert!(!keys.iter().any(is_aside), "{keys:?}");
    assert_eq!(keys.iter().filter(|key| key.starts_with("results/")).count(), 2, "{keys:?}");
}
