//! The page in a real browser: headless Chromium, driven by the scripts in `browser/`, which say what they check.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::process::Stdio;

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::api::{WRITE_TOKEN, client};
use super::{TOKEN, serving};
use crate::support::app::{In, TestApp, To, contacts, fixture};

/// Runs a script on the page at this address to its good end, and does what it asks for on the way.
async fn play(script: &str, address: &str, more: &[&str], mut wish: impl AsyncFnMut(&str)) {
    let path = format!("{}/tests/it/serving/browser/{script}.py", env!("CARGO_MANIFEST_DIR"));
    let mut said = tempfile::tempfile().expect("a file");
    let mut player = client("python")
        .args([path.as_str(), &format!("http://{address}")])
        .args(more)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(said.try_clone().expect("a file"))
        .spawn()
        .expect("the script starts");
    let (mut answers, wishes) = (player.stdin.take().expect("piped"), player.stdout.take().expect("piped"));
    for line in BufReader::new(wishes).lines() {
        wish(&line.expect("UTF-8")).await;
        // A script that has failed meanwhile tells why below.
        let _ = answers.write_all(b"done\n");
    }
    let status = player.wait().expect("it ends");
    let mut why = String::new();
    said.rewind().and_then(|()| said.read_to_string(&mut why)).expect("what it said");
    assert!(status.success(), "{script}.py:\n{why}");
}

/// For scripts that ask for nothing.
async fn no_wish(wish: &str) {
    panic!("it asks for: {wish}");
}

async fn settled(app: &TestApp, files: usize) {
    app.wait_until("all is settled", || async { app.uploads_to_settle(files).await == 0 }).await;
}

async fn does(app: &TestApp, arguments: &[&str]) {
    let output = app.output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn every_page_is_accessible_light_and_dark_and_on_a_phone() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.configure(
        "[campaigns.a_campaign_whose_name_was_made_by_a_committee_and_says_all_that_it_is_about]
         id = 1\nfiles = '*.csv'\ndue = ['daily 09:00', 'daily 21:00']\n[campaigns.held]\nid = 2\nfiles = 'held*.csv'\nhold = true
         [campaigns.waits]\nid = 3\nfiles = 'waits*.csv'\nsuppression = ['stop']\n[suppression.stop]\nfiles = 'stop.txt'\n",
    );
    let (_running, address) = serving(&app).await;
    play("looks", &address, &[], async |_| {
        let good = fixture("uploads/LATE_PAYMENTS_20250401.csv");
        app.drop_file("good.csv", &good).await;
        settled(&app, 1).await;
        let long = format!("{}_of_head_office.csv", "A_name_with_many_parts_".repeat(8));
        for (file, content) in [
            ("resent.csv", good),
            ("held.csv", contacts(40, 1).into()),
            ("canceled.csv", contacts(40, 2).into()),
            ("purged.csv", contacts(400, 3).into()),
            (&long, contacts(3, 4).into()),
            (&format!("<img src=x>{}.csv", "x".repeat(200)), contacts(3, 5).into()),
            ("workbook.csv", fixture("faults/workbook.csv")),
            ("notes.txt", "x".into()),
            ("waits.csv", contacts(3, 6).into()),
        ] {
            app.drop_file(file, content).await;
        }
        // All but the one that waits.
        settled(&app, 9).await;
        let canceled = app.batch_of("canceled.csv").await.batch_id;
        does(&app, &["batches", "cancel", &canceled, "--reason", "the list of last month"]).await;
        let purged = app.batch_of("purged.csv").await.batch_id;
        app.wait_until("it is answered", || async { app.uploads().await.iter().all(|upload| upload.answer_due_at.is_none()) })
            .await;
        app.run_sql(&format!("update batches set created_at = '2020-01-02T03:04:05.678Z' where batch_id = '{purged}'")).await;
        app.run_sql(&format!(
            "update requests set request_status = 'COMPLETED' where request_status = 'PENDING' and batch_id = '{purged}'"
        ))
        .await;
        does(&app, &["purge", "--older-than", "90d"]).await;
    })
    .await;
}

async fn a_batch_is_steered_by_keyboard(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    app.drop_file("good.csv", contacts(100, 1)).await;
    let (_running, address) = serving(&app).await;
    settled(&app, 1).await;
    play("steers", &address, &[], no_wish).await;
    let batch = app.batch_of("good.csv").await;
    assert_eq!(batch.status.as_str(), "CANCELED");
    assert_eq!(batch.deleted_reason.as_deref(), Some("the list of last month"));
}

#[tokio::test]
async fn a_batch_is_steered_by_keyboard_on_sqlite() {
    a_batch_is_steered_by_keyboard(To::Sqlite).await;
}

#[tokio::test]
async fn a_batch_is_steered_by_keyboard_on_postgres() {
    a_batch_is_steered_by_keyboard(To::Postgres).await;
}

async fn what_happens_is_seen_without_a_reload(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    let (_running, address) = serving(&app).await;
    // In PostgreSQL, a load can be kept from its end for as long as one looks at it.
    let can_stall: &[&str] = if to == To::Postgres { &["may stall"] } else { &[] };
    let mut lock = None;
    play("lives", &address, can_stall, async |wish| match wish.split_once(' ').unwrap_or((wish, "")) {
        ("drop", file) => app.drop_file(file, contacts(100, file.bytes().map(usize::from).sum())).await,
        ("hold", file) => does(&app, &["batches", "hold", &app.batch_of(file).await.batch_id]).await,
        ("stall", _) => {
            let mut connection = PgConnection::connect(&app.store_url).await.expect("the test's database");
            connection.execute("begin; lock table request_rows in exclusive mode").await.expect("a lock");
            lock = Some(connection);
        }
        ("go", "on") => lock.take().expect("it was stalled").close().await.expect("the lock is gone"),
        other => panic!("it asks for {other:?}"),
    })
    .await;
}

#[tokio::test]
async fn what_happens_is_seen_without_a_reload_on_sqlite() {
    what_happens_is_seen_without_a_reload(To::Sqlite).await;
}

#[tokio::test]
async fn what_happens_is_seen_without_a_reload_on_postgres() {
    what_happens_is_seen_without_a_reload(To::Postgres).await;
}

async fn batches_are_found_by_the_form(to: To) {
    let mut app = TestApp::new(In::Folder, to).await;
    app.configure("[campaigns.plain]\nid = 1\nfiles = 'plain*.csv'\n[campaigns.named]\nid = 2\nfiles = 'named*.csv'\n");
    for number in 0..60 {
        app.drop_file(&format!("plain{number}.csv"), contacts(2, number)).await;
    }
    app.drop_file("named_good.csv", contacts(100, 60)).await;
    app.drop_file("named_bad.csv", "").await;
    let (_running, address) = serving(&app).await;
    settled(&app, 62).await;
    play("filters", &address, &[], no_wish).await;
}

#[tokio::test]
async fn batches_are_found_by_the_form_on_sqlite() {
    batches_are_found_by_the_form(To::Sqlite).await;
}

#[tokio::test]
async fn batches_are_found_by_the_form_on_postgres() {
    batches_are_found_by_the_form(To::Postgres).await;
}

#[tokio::test]
async fn one_logs_in_and_may_do_what_the_token_lets_one_do() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("SERVE_READ_TOKEN", TOKEN);
    app.set("SERVE_WRITE_TOKEN", WRITE_TOKEN);
    app.drop_file("good.csv", contacts(100, 1)).await;
    let (running, address) = serving(&app).await;
    settled(&app, 1).await;
    play("logs_in", &address, &[TOKEN, WRITE_TOKEN], no_wish).await;
    assert!(!running.log().contains(TOKEN) && !running.log().contains(WRITE_TOKEN));
}

async fn what_was_refused_is_requeued(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    let (_running, address) = serving(&app).await;
    // One after the other: whichever comes second is the repeat.
    for (files, file) in [(1, "good.csv"), (2, "again.csv")] {
        app.drop_file(file, contacts(100, 1)).await;
        settled(&app, files).await;
    }
    play("requeues", &address, &[], async |_| {
        does(&app, &["batches", "cancel", &app.batch_of("good.csv").await.batch_id, "--reason", "sent too early"])
            .await;
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_is_requeued_on_sqlite() {
    what_was_refused_is_requeued(To::Sqlite).await;
}

#[tokio::test]
async fn what_was_refused_is_requeued_on_postgres() {
    what_was_refused_is_requeued(To::Postgres).await;
}
