//! The lists of the command line: what is asked for, and what is watched.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::app::{In, TestApp, To, contacts};

/// What a list command writes, as JSON.
fn listed(app: &TestApp, arguments: &[&str]) -> Vec<Value> {
    let output = app.output(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn texts(values: &[Value], field: &str) -> Vec<String> {
    values.iter().map(|value| value[field].as_str().expect("a text").to_owned()).collect()
}

async fn lists_are_filtered(to: To) {
    let mut app = TestApp::new(In::Folder, to).await;
    app.configure("[campaigns.late]\nid = 1\nfiles = 'late*.csv'\n[campaigns.rest]\nid = 2\nfiles = '*.csv'\n");
    for (at, file) in ["late_old.csv", "late_new.csv", "other.csv"].into_iter().enumerate() {
        app.drop_file(file, contacts(30, at)).await;
    }
    app.drop_file("empty.csv", "").await;
    app.drop_file("notes.txt", "x").await;
    assert_eq!(app.settle().await, 3);
    app.run_sql("update batches set created_at = '2020-01-02T03:04:05.678Z' where upload_filename = 'late_old.csv'")
        .await;

    let batches = |more: &[&str]| {
        let mut files = texts(&listed(&app, &[&["batches", "list"], more].concat()), "upload_filename");
        files.sort();
        files
    };
    assert_eq!(batches(&[]), ["empty.csv", "late_new.csv", "late_old.csv", "other.csv"]);
    assert_eq!(batches(&["--since", "7d"]), ["empty.csv", "late_new.csv", "other.csv"]);
    assert_eq!(batches(&["--file", "LATE_"]), ["late_new.csv", "late_old.csv"]);
    assert_eq!(batches(&["--campaign", "late", "--since", "12h"]), ["late_new.csv"]);
    assert_eq!(batches(&["--status", "failed"]), ["empty.csv"]);
    assert_eq!(batches(&["--limit", "1"]).len(), 1);

    let uploads = |more: &[&str]| texts(&listed(&app, &[&["uploads", "list"], more].concat()), "key");
    assert_eq!(uploads(&[]).len(), 5);
    assert_eq!(uploads(&["--status", "rejected"]), ["notes.txt"]);
    assert_eq!(uploads(&["--file", "OTHER"]), ["other.csv"]);

    let none = app.output(&["batches", "list", "--file", "nothing"]);
    assert_eq!(String::from_utf8_lossy(&none.stderr), "No batch is like that.\n");
    let wrong = app.output(&["batches", "list", "--since", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2));
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("it must be a time such as 7d, 12h or 90m"), "{told}");
}

#[tokio::test]
async fn lists_are_filtered_on_sqlite() {
    lists_are_filtered(To::Sqlite).await;
}

#[tokio::test]
async fn lists_are_filtered_on_postgres() {
    lists_are_filtered(To::Postgres).await;
}

/// The program that is watched with; killed when dropped.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who watches, from the first line on.
fn watch(app: &TestApp, more: &[&str]) -> (Watch, impl Iterator<Item = String>) {
    let mut child = app
        .command(&[&["uploads", "list", "--watch"], more].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    (Watch(child), lines.map(|line| line.expect("UTF-8")))
}

fn interrupt(watch: &mut Watch) -> Option<i32> {
    // SAFETY: kill(2) on a child that was not waited for, and whose id therefore is still its own.
    unsafe { libc::kill(watch.0.id() as i32, libc::SIGINT) };
    watch.0.wait().expect("it ends").code()
}

async fn who_watches_is_told_of_every_change_once(to: To) {
    let app = TestApp::new(In::Folder, to).await;
    app.drop_file("first.csv", contacts(30, 1)).await;
    app.drop_file("empty.csv", "").await;
    app.settle().await;
    let (mut watch, mut lines) = watch(&app, &["--json"]);
    let mut next = || serde_json::from_str::<Value>(&lines.next().expect("it goes on")).expect("JSON");
    let mut known: Vec<_> =
        [next(), next()].iter().map(|upload| upload["status"].as_str().unwrap().to_owned()).collect();
    known.sort();
    assert_eq!(known, ["FAILED", "LOADED"], "first what there is");

    app.drop_file("second.csv", contacts(30, 2)).await;
    app.settle().await;
    // It may have been seen on its way, and is told once for each state.
    let mut seen = vec![next()];
    while seen.last().is_some_and(|last| last["answered_at"].is_null()) {
        seen.push(next());
    }
    assert!(seen.iter().all(|upload| upload["key"] == "second.csv"), "{seen:?}");
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
    assert_eq!(interrupt(&mut watch), Some(0));
}

#[tokio::test]
async fn who_watches_is_told_of_every_change_once_on_sqlite() {
    who_watches_is_told_of_every_change_once(To::Sqlite).await;
}

#[tokio::test]
async fn who_watches_is_told_of_every_change_once_on_postgres() {
    who_watches_is_told_of_every_change_once(To::Postgres).await;
}

#[tokio::test]
async fn a_table_that_is_watched_is_told_again_when_it_changes() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    let (mut watch, mut lines) = watch(&app, &["--status", "LOADED"]);
    assert_eq!(lines.next().as_deref(), Some("No upload is like that."));
    app.drop_file("good.csv", contacts(30, 1)).await;
    app.settle().await;
    assert_eq!(lines.next().as_deref(), Some(""));
    assert!(lines.next().expect("a header").contains("ANSWER"));
    assert!(lines.next().expect("a row").contains("good.csv"));
    // Nobody reads any more: it ends by itself with the next change, and not as if something were wrong.
    drop(lines);
    app.drop_file("more.csv", contacts(30, 2)).await;
    app.settle().await;
    assert_eq!(watch.0.wait().expect("it ends").code(), Some(0));
}
