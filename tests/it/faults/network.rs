//! What happens on the way between the worker and PostgreSQL.

use std::time::Duration;

use batchdrop::model::UploadStatus;

use super::outcome;
use crate::support::app::{In, Running, TestApp, To, contacts};
use crate::support::proxy::{Fault, Proxy};

/// A large file, and what its worker needs so that trouble is over within a test.
async fn app_behind_a_proxy(rows: usize) -> (TestApp, Proxy) {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    let proxy = Proxy::before(&app.store_url).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.set("WORKER_MAX_ATTEMPTS", "1000");
    app.drop_file("large.csv", contacts(rows, 1)).await;
    (app, proxy)
}

async fn undisturbed(rows: usize) -> Vec<String> {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    app.drop_file("large.csv", contacts(rows, 1)).await;
    assert_eq!(app.settle().await, 0);
    outcome(&app).await
}

fn start_behind(proxy: &Proxy, app: &mut TestApp) -> Running {
    let direct = app.store_url.clone();
    app.set("STORE_URL", proxy.url());
    let worker = app.start(&["run"]);
    app.set("STORE_URL", &direct);
    worker
}

async fn loaded(app: &TestApp) {
    app.wait_until("it is loaded", async || {
        app.uploads().await.first().is_some_and(|upload| upload.status == UploadStatus::Loaded)
    })
    .await;
}

/// The connection breaks in the middle of a COPY, after its first byte or after a million.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_the_middle_of_a_copy() {
    const ROWS: usize = 20_000;
    let expected = undisturbed(ROWS).await;
    for bytes in [0, 1, 1_000, 100_000, 1_000_000] {
        let (mut app, proxy) = app_behind_a_proxy(ROWS).await;
        proxy.fail_once(Fault::Reset, &["copy request_rows"], bytes);
        let worker = start_behind(&proxy, &mut app);
        loaded(&app).await;
        assert!(proxy.has_failed(), "after {bytes} bytes");
        assert!(app.uploads().await[0].attempts > 1, "after {bytes} bytes: {}", worker.log());
        assert_eq!(outcome(&app).await, expected, "after {bytes} bytes");
    }
}

/// The batch is stored, but nobody says so: the worker reads it in the ledger, and loads nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_commit_is_lost() {
    let expected = undisturbed(70).await;
    let (mut app, proxy) = app_behind_a_proxy(70).await;
    proxy.fail_once(Fault::AnswerLost, &["copy request_rows", "COMMIT\0"], 0);
    let worker = start_behind(&proxy, &mut app);
    app.wait_until("the worker knows", async || worker.log().contains("batch loaded")).await;
    assert!(proxy.has_failed() && worker.log().contains("commit unanswered"), "{}", worker.log());
    assert_eq!(app.uploads().await[0].attempts, 1);
    assert_eq!(outcome(&app).await, expected);
}

/// The same with a suppression list, which is no batch.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_the_commit_of_a_list_is_lost() {
    let (mut app, proxy) = app_behind_a_proxy(70).await;
    app.configure(
        "[campaigns.a]\nid = 1\nfiles = 'l*.csv'\nsuppression = ['stop']\n[suppression.stop]\nfiles = 'stop.txt'\n",
    );
    app.drop_file("stop.txt", "phone\n+15125550101\n").await;
    proxy.fail_once(Fault::AnswerLost, &["insert into suppressed_targets", "COMMIT\0"], 0);
    let worker = start_behind(&proxy, &mut app);
    app.wait_until("the worker knows", async || worker.log().contains("suppression list stop: 1 targets in force"))
        .await;
    assert!(proxy.has_failed() && worker.log().contains("commit unanswered"), "{}", worker.log());
    app.wait_until("all is loaded", async || app.uploads_to_settle(2).await == 0).await;
    let list = app.uploads().await.into_iter().find(|upload| upload.key == "stop.txt").expect("in the ledger");
    assert_eq!((list.status, list.attempts), (UploadStatus::Loaded, 1));
    assert_eq!(app.batch_of("large.csv").await.count("SKIPPED"), 1);
}

/// Each answer takes longer than the lease: another worker takes the upload over, and the slow one changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_take_longer_than_the_lease() {
    const ROWS: usize = 20_000;
    let expected = undisturbed(ROWS).await;
    let (mut app, proxy) = app_behind_a_proxy(ROWS).await;
    app.set("WORKER_UPLOADS_AT_ONCE", "1");
    let slow = start_behind(&proxy, &mut app);
    app.wait_until("the upload is claimed", async || {
        app.uploads().await.first().is_some_and(|upload| upload.status == UploadStatus::Claimed)
    })
    .await;
    proxy.delay(Duration::from_millis(1_500));
    let _other = app.start(&["run"]);
    loaded(&app).await;
    app.wait_until("the slow one notices", async || slow.log().contains("taken over by another worker")).await;
    proxy.delay(Duration::ZERO);
    assert!(app.uploads().await[0].attempts > 1);
    assert_eq!(outcome(&app).await, expected);
}

/// The network goes dark in the middle of a COPY. The worker notices, and loads the file once there is light again.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent() {
    const ROWS: usize = 20_000;
    let expected = undisturbed(ROWS).await;
    let (mut app, proxy) = app_behind_a_proxy(ROWS).await;
    app.set("STORE_SILENT_SECONDS", "2");
    app.set("STORE_CONNECT_SECONDS", "1");
    proxy.fail_once(Fault::Silence, &["copy request_rows"], 100_000);
    let worker = start_behind(&proxy, &mut app);
    // It then fails to say so: no connection can be opened either.
    let gives_up = async || worker.log().contains("could not put an upload off");
    app.wait_until("the worker gives the connection up", gives_up).await;
    assert!(app.batches().await.is_empty());
    proxy.heal();
    loaded(&app).await;
    assert_eq!(outcome(&app).await, expected);
}
