//! Many workers at once, and workers whose clocks are wrong: one claim wins, and the database's clock alone measures
//! its lease.

use batchdrop::model::{Upload, UploadStatus};
use chrono::{TimeDelta, Utc};

use crate::support::app::{In, Running, TestApp, To, contacts};

const WORKERS: usize = 8;
const ROUNDS: usize = 10;

/// They stand still while the file is dropped, so that all of them meet it in the same instant.
#[tokio::test]
async fn eight_workers_meet_one_file_at_the_same_instant() {
    let app = TestApp::new(In::Folder, To::Postgres).await;
    let mut workers: Vec<_> = (0..WORKERS).map(|_| app.start(&["run"])).collect();
    for worker in &workers {
        app.wait_until("it watches", async || worker.log().contains("Ctrl-C stops")).await;
    }
    let alone = TestApp::new(In::Folder, To::Sqlite).await;
    let all = |signal| workers.iter().for_each(|worker: &Running| worker.signal(signal));
    for round in 1..=ROUNDS {
        all(libc::SIGSTOP);
        for app in [&app, &alone] {
            app.drop_file(&format!("round_{round}.csv"), contacts(200, round)).await;
        }
        all(libc::SIGCONT);
        app.wait_until("it is settled", async || app.uploads_to_settle(round).await == 0).await;
    }
    for worker in &mut workers {
        worker.signal(libc::SIGTERM);
        assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    }
    assert!(app.uploads().await.iter().all(|upload| upload.attempts == 1), "one claim wins");
    assert_eq!(alone.settle().await, 0);
    assert_eq!(app.outcome().await, alone.outcome().await);
}

/// A program's clock as it is told, such as `+25h`; the time that passes is as long as ever.
fn start_with_clock(app: &TestApp, clock: &str) -> Running {
    let library = ["x86_64", "aarch64"]
        .map(|machine| format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|library| std::path::Path::new(library).exists())
        .expect("Debian's libfaketime, which tests/run installs");
    let (preload, clock) = (format!("LD_PRELOAD={library}"), format!("FAKETIME={clock}"));
    app.start_under(&["env", &preload, &clock, "FAKETIME_DONT_FAKE_MONOTONIC=1"], &["run"])
}

async fn wait_until_loaded(app: &TestApp, name: &str) -> Upload {
    let found = async || app.uploads().await.into_iter().find(|upload| upload.key == name);
    app.wait_until("it is loaded", async || found().await.is_some_and(|it| it.status == UploadStatus::Loaded)).await;
    found().await.expect("in the ledger")
}

/// A worker that holds this file and is stopped in the middle of it.
async fn a_worker_stopped_with(app: &TestApp, name: &str) -> Running {
    app.drop_file(name, contacts(100_000, 1)).await;
    let holder = app.start(&["run"]);
    app.wait_until("it is claimed", async || {
        app.uploads().await.iter().any(|upload| upload.status == UploadStatus::Claimed)
    })
    .await;
    holder.signal(libc::SIGSTOP);
    holder
}

/// Days are the database's too: a file dropped today is a batch of today, whatever the worker takes today for.
async fn assert_days(app: &TestApp) {
    for batch in app.batches().await {
        let upload = app.uploads().await.into_iter().find(|upload| upload.batch_id.as_ref() == Some(&batch.batch_id));
        let seen_at = upload.expect("in the ledger").seen_at;
        assert!((Utc::now() - seen_at).abs() < TimeDelta::hours(1), "{seen_at}");
        assert!(batch.batch_id.starts_with(&seen_at.format("%Y%m%d.").to_string()), "{}, {seen_at}", batch.batch_id);
    }
}

#[tokio::test]
async fn a_worker_whose_clock_is_ahead_takes_no_lease_that_lasts() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_LEASE_SECONDS", "3600");
    let holder = a_worker_stopped_with(&app, "held.csv").await;
    let ahead = start_with_clock(&app, "+25h");
    // After the first of these it looks for another upload before it can find the second.
    for (seed, name) in [(2, "next.csv"), (3, "last.csv")] {
        app.drop_file(name, contacts(10, seed)).await;
        wait_until_loaded(&app, name).await;
    }
    let tomorrow = (Utc::now() + TimeDelta::hours(25)).format("%Y-%m-%d").to_string();
    assert!(ahead.log().contains(&tomorrow), "its clock is ahead: {}", ahead.log());
    let held = app.uploads().await.into_iter().find(|upload| upload.key == "held.csv").expect("in the ledger");
    assert_eq!((held.status, held.attempts), (UploadStatus::Claimed, 1));
    holder.signal(libc::SIGCONT);
    assert_eq!(wait_until_loaded(&app, "held.csv").await.attempts, 1);
    assert_days(&app).await;
}

#[tokio::test]
async fn a_worker_whose_clock_is_behind_takes_a_lease_that_is_over() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    let holder = a_worker_stopped_with(&app, "held.csv").await;
    holder.signal(libc::SIGKILL);
    let behind = start_with_clock(&app, "-25h");
    assert_eq!(wait_until_loaded(&app, "held.csv").await.attempts, 2);
    let yesterday = (Utc::now() - TimeDelta::hours(25)).format("%Y-%m-%d").to_string();
    assert!(behind.log().contains(&yesterday), "its clock is behind: {}", behind.log());
    assert_eq!(app.batch_of("held.csv").await.rows_read, 100_000);
    assert_days(&app).await;
}
