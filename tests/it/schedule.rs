//! Runs that a scheduler starts: they end in time, may overlap, and lose nothing. The real program on both stores.
//!
//! The oracle is the same files loaded by one run that has all the time it wants.

use std::time::Duration;

use batchdrop::model::UploadStatus;

use crate::support::app::{In, TestApp, To, contacts, on_both_stores};
use crate::support::fake_s3::{Answer, FakeS3, read};
use crate::support::program::{Ran, finished};

/// The first in the listing, and far from fetched when the others could be loaded ten times over.
const SLOW: &str = "a_slow.csv";
const OTHERS: [&str; 3] = ["b.csv", "c.csv", "d.csv"];

fn files() -> Vec<(&'static str, String)> {
    let others = OTHERS.iter().enumerate().map(|(seed, name)| (*name, contacts(60, seed + 2)));
    [(SLOW, contacts(3_000, 1))].into_iter().chain(others).collect()
}

/// An app that works on one upload at a time, whose first is fetched in so many pieces with so long a pause behind
/// each.
async fn with_a_slow_file(to: To, pieces: usize, pause: Duration) -> (TestApp, FakeS3) {
    let server = FakeS3::start().await;
    for (name, content) in &files() {
        server.put(name, content);
    }
    let length = files()[0].1.len();
    server.will(read(SLOW), [Answer::Slow(length.div_ceil(pieces), pause)]);
    let mut app = TestApp::new(In::Folder, to).await;
    app.set("BUCKET_URL", "s3://bucket");
    app.set("BUCKET_ENDPOINT_URL", &format!("http://{}", server.address));
    app.set("BUCKET_FORCE_PATH_STYLE", "true");
    app.set("WORKER_UPLOADS_AT_ONCE", "1");
    app.set("WORKER_LEASE_SECONDS", "3600");
    (app, server)
}

fn run_for(app: &TestApp, time: &str) -> Ran {
    finished(app.output(&["run", "--once", "--for", time]))
}

async fn status_of(app: &TestApp, name: &str) -> UploadStatus {
    let found = app.uploads().await.into_iter().find(|upload| upload.key == name);
    found.unwrap_or_else(|| panic!("{name} is not in the ledger")).status
}

/// A run that may take what it needs.
async fn undisturbed() -> Vec<String> {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    for (name, content) in files() {
        app.drop_file(name, content).await;
    }
    assert_eq!(app.settle().await, 0);
    app.outcome().await
}

async fn what_was_begun_in_time_is_finished_and_the_rest_is_the_next_runs(to: To) {
    // The time is up after 4 s, the file fetched after 6, and 8 s are over when it would be given back.
    let (app, _server) = with_a_slow_file(to, 30, Duration::from_millis(200)).await;
    let ran = run_for(&app, "4s");
    assert_eq!(ran.code, 0, "what is left is no trouble: {}", ran.err);
    assert!(ran.err.contains("The time was up; 3 uploads are left to the next run."), "{}", ran.err);
    assert!(ran.out.contains(SLOW), "what was loaded is shown: {}", ran.out);
    assert_eq!(status_of(&app, SLOW).await, UploadStatus::Loaded);
    for name in OTHERS {
        assert_eq!(status_of(&app, name).await, UploadStatus::Waiting, "{name} was begun when the time was up");
    }
    let receipt = app.uploads().await.into_iter().find(|upload| upload.key == SLOW).expect("in the ledger");
    assert!(receipt.answered_at.is_some(), "who dropped it is answered by the same run");
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.outcome().await, undisturbed().await);
}

async fn what_takes_longer_is_given_back_and_is_the_next_runs(to: To) {
    let (app, _server) = with_a_slow_file(to, 1_000, Duration::from_millis(200)).await;
    let ran = run_for(&app, "1s");
    assert_eq!(ran.code, 1, "with so little time it would never be loaded: {}", ran.err);
    assert!(ran.err.contains("upload not loaded in all of the time that there is"), "{}", ran.err);
    assert!(ran.err.contains("The time was up; 4 uploads are left to the next run."), "{}", ran.err);
    assert_eq!(app.batches().await.len(), 0, "nothing of it is to be seen");
    assert!(app.uploads().await.iter().all(|upload| upload.attempts == 0), "nothing was counted as a failed attempt");
    assert_eq!(app.settle().await, 0, "the next run takes it at once, though the lease was an hour");
    assert_eq!(app.outcome().await, undisturbed().await);
}

async fn a_run_that_is_done_before_does_not_wait(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    app.drop_file("a.csv", contacts(40, 1)).await;
    app.drop_file("b.csv", "").await;
    let ran = run_for(&app, "2h");
    assert_eq!(ran.code, 3, "some file failed: {}", ran.err);
    assert!(!ran.err.contains("time was up"), "{}", ran.err);
    app.drop_file("c.csv", "").await;
    let accepted = finished(app.output(&["run", "--once", "--accept-faults"]));
    assert_eq!(accepted.code, 0, "the sender's to mend: {}", accepted.err);
    assert!(accepted.out.contains("FAILED"), "it is shown all the same: {}", accepted.out);
}

/// Two schedulers, or a run that lasts longer than the time between two: what is loaded twice at once is loaded once.
async fn two_runs_that_overlap_do_no_harm(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    let alone = TestApp::new(In::Folder, to).await;
    for seed in 0..20 {
        for app in [&app, &alone] {
            app.drop_file(&format!("calls_{seed:02}.csv"), contacts(40, seed)).await;
        }
    }
    let mut running = [app.start(&["run", "--once"]), app.start(&["run", "--once", "--for", "10m"])];
    for run in &mut running {
        assert_eq!(run.wait(), Some(0), "{}", run.log());
    }
    assert_eq!(alone.settle().await, 0);
    assert_eq!(app.outcome().await, alone.outcome().await);
}

/// Runs with far too little time, one after the other and two at once, come to the same in the end.
async fn short_runs_one_after_the_other_load_every_row_once(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    let alone = TestApp::new(In::Folder, to).await;
    for seed in 1..=8 {
        for app in [&app, &alone] {
            app.drop_file(&format!("calls_{seed}.csv"), contacts(8_000, seed)).await;
        }
    }
    let mut rounds = 0;
    while app.uploads_to_settle(8).await > 0 {
        rounds += 1;
        assert!(rounds < 60, "no end in sight");
        let mut running = [app.start(&["run", "--once", "--for", "1s"]), app.start(&["run", "--once", "--for", "1s"])];
        for run in &mut running {
            assert!(matches!(run.wait(), Some(0 | 1)), "{}", run.log());
        }
    }
    assert_eq!(app.settle().await, 0);
    assert_eq!(alone.settle().await, 0);
    assert_eq!(app.outcome().await, alone.outcome().await);
}

#[tokio::test]
async fn a_time_without_an_end_of_its_own_or_without_sense_is_refused() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    for (arguments, why) in [
        (&["run", "--for", "10m"][..], "--for is for a run that ends by itself: say run --once --for 10m"),
        (&["run", "--once", "--for", "soon"], "--for must be a time such as 90s, 10m or 2h"),
        (&["run", "--once", "--for", "0s"], "--for must be a time such as 90s, 10m or 2h"),
    ] {
        let ran = finished(app.output(arguments));
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}

on_both_stores! {
    what_was_begun_in_time_is_finished_and_the_rest_is_the_next_runs
    what_takes_longer_is_given_back_and_is_the_next_runs
    a_run_that_is_done_before_does_not_wait
    two_runs_that_overlap_do_no_harm
    short_runs_one_after_the_other_load_every_row_once
}
