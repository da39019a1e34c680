//! One person is forgotten, and nobody else: the real program on both stores.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::app::{In, TestApp, To, on_both_stores};
use crate::support::program::{Ran, finished};

const CAMPAIGNS: &str = "
[campaigns.late]
id = 1
files = 'late*.csv'
unique_within = '30d'
unique = ['reference_id', 'target']
max_invalid_percent = 100
[campaigns.news]
id = 2
files = 'news*.csv'
channel = 'email'
";
/// In every way in which a file may have them: used, repeated, with cells missing, and as somebody else's number.
const LATE: &str = "reference_id,target,first_name,note\n\
    A-1,(512) 555-0142,Marguerite,calls at 9\n\
    A-1,512-555-0142,Marguerite,again\n\
    A-2,512.555.0142,Marguerite\n\
    B-1,(512) 555-0143,Bert,\n\
    B-2,12,Bert,\n\
    B-3,(512) 555-0144,Bea,friend of 5125550142\n";
const NEWS: &str = "reference_id,email,first_name\nN-1,Marguerite@Example.com,Marguerite\nN-2,bert@example.com,Bert\n";

async fn with_a_person(to: To) -> TestApp {
    let mut app = TestApp::new(In::Folder, to).await;
    app.configure(CAMPAIGNS);
    app.drop_file("late_1.csv", LATE).await;
    assert_eq!(app.settle().await, 0);
    app.drop_file("news_1.csv", NEWS).await;
    // A DUPLICATE, whose key the first batch holds.
    app.drop_file("late_2.csv", "reference_id,target,first_name,note\nZ-2,5125550142,M,\nB-9,5125550145,Bo,\n").await;
    assert_eq!(app.settle().await, 0);
    app
}

/// Runs it with this on standard input.
fn forget(app: &TestApp, arguments: &[&str], input: &str) -> Ran {
    let mut command = app.command(&[&["forget", "--json"], arguments].concat());
    let mut running =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    running.stdin.take().expect("piped").write_all(input.as_bytes()).unwrap_or_default(); // it may not ask
    let ran = finished(running.wait_with_output().expect("it ends"));
    for secret in ["5550142", "555-0142", "Marguerite", "marguerite"] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{}{}", ran.out, ran.err);
    }
    ran
}

/// How many stored rows say something of them anywhere but in somebody else's note.
async fn traces(app: &TestApp, said: &str) -> i64 {
    let columns = ["reference_id", "target", "cells", "sent_target", "sent_reference_id", "target_extension"];
    let anywhere = columns.map(|column| format!("coalesce(cast({column} as text), '')")).join(" || ' ' || ");
    let keys = app.number(&format!("select count(*) from unique_keys where key like '%{said}%'")).await;
    let rows =
        format!("select count(*) from request_rows where {anywhere} like '%{said}%' and reference_id not like 'B-%'");
    keys + app.number(&rows).await
}

async fn everybody_else(app: &TestApp) -> BTreeSet<String> {
    let lines = app.outcome().await.into_iter();
    lines.filter(|line| ["Bert", "Bea", "Bo", "upload "].iter().any(|other| line.contains(other))).collect()
}

fn batches_of(ran: &Ran) -> Vec<(String, u64)> {
    let told = |line: &Value| {
        let file = line["file"].as_str().expect("where it lies");
        (file.rsplit('/').next().expect("a name").to_owned(), line["requests"].as_u64().expect("a number"))
    };
    ran.json().iter().map(told).collect()
}

async fn every_trace_goes_and_counts_stay_right(to: To) {
    let app = with_a_person(to).await;
    let (before, others) = (app.batch_of("late_1.csv").await, everybody_else(&app).await);
    assert!(traces(&app, "5550142").await > 3);

    let only_told = forget(&app, &["--target", "-", "--dry-run"], "512 555 0142\n");
    assert_eq!(only_told.code, 0, "{}", only_told.err);
    let found = [("late_1.csv".to_owned(), 3), ("late_2.csv".to_owned(), 1)];
    assert_eq!(batches_of(&only_told), found);
    assert_eq!(app.batch_of("late_1.csv").await.status_counts, before.status_counts);

    let done =
        forget(&app, &["--target", "-", "--reason", "request 4711", "--by", "ana@example.com"], "+15125550142\n");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(batches_of(&done), found);
    for told in
        [&done.json()[0]["file"], &done.json()[0]["rejects"], &done.json()[1]["file"], &done.json()[1]["rejects"]]
    {
        assert!(std::path::Path::new(told.as_str().expect("a path")).exists(), "what is told of lies there: {told}");
    }
    assert_eq!(traces(&app, "5550142").await, 0);
    assert_eq!(traces(&app, "Marguerite").await, 1, "the address is another one's as far as is known");
    assert_eq!(everybody_else(&app).await, others);

    let after = app.batch_of("late_1.csv").await;
    let mut expected = before.status_counts.clone();
    *expected.get_mut("PENDING").expect("counted") -= 1;
    expected.insert("CANCELED".to_owned(), 1);
    assert_eq!(after.status_counts, expected);
    assert_eq!((after.rows_read, after.status_counts.values().sum()), (before.rows_read, before.rows_read));
    let first = app.requests(&after.batch_id).await.remove(0);
    assert_eq!((first.request_status.as_str(), first.target.as_str()), ("CANCELED", ""));
    assert_eq!(first.request_variables, serde_json::json!({"first_name": "", "note": ""}));

    let shown = app.output(&["batches", "show", &after.batch_id, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let event = &shown["events"][1];
    assert_eq!((&event["event"], &event["actor"]), (&Value::from("FORGOTTEN"), &Value::from("ana@example.com")));
    assert_eq!(event["reason"], "3 requests: request 4711");
    assert_eq!(app.output(&["batches", "hold", &after.batch_id]).status.code(), Some(0), "it can be steered as before");

    let again = forget(&app, &["--target", "-"], "+15125550142\n");
    assert_eq!((again.code, again.out.as_str()), (0, ""));
    assert!(again.err.contains("Nobody was found"), "{}", again.err);
    // Their keys are gone too: only a suppression list keeps them from being contacted.
    app.drop_file("late_3.csv", "reference_id,target,first_name,note\nA-1,5125550142,M,\n").await;
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.batch_of("late_3.csv").await.count("PENDING"), 1);
}

async fn a_person_is_found_by_id_by_address_and_in_one_campaign_alone(to: To) {
    let app = with_a_person(to).await;
    let by_id = forget(&app, &["--reference-id", "A-2"], "");
    assert_eq!(batches_of(&by_id), [("late_1.csv".to_owned(), 1)]);
    let by_address = forget(&app, &["--target", "-"], "marguerite@EXAMPLE.com");
    assert_eq!(batches_of(&by_address), [("news_1.csv".to_owned(), 1)]);
    let elsewhere = forget(&app, &["--target", "-", "--campaign", "news"], "5125550142");
    assert_eq!(elsewhere.code, 1, "no number is read there: {}", elsewhere.err);
    let by_both = forget(&app, &["--target", "-", "--reference-id", "-", "--campaign", "late"], "5125550142\nB-1\n");
    assert_eq!(batches_of(&by_both), [("late_1.csv".to_owned(), 3), ("late_2.csv".to_owned(), 1)]);
    assert_eq!(traces(&app, "5550142").await + traces(&app, "Marguerite").await, 0);
}

/// Whoever is just being taken for contacting is either taken before, and emptied then, or never.
async fn nobody_is_taken_once_forgotten(to: To) {
    let app = with_a_person(to).await;
    let batch = app.batch_of("late_1.csv").await.batch_id;
    assert_eq!(forget(&app, &["--target", "-"], "5125550142").code, 0);
    let take = format!(
        "update requests set request_status = 'INITIATED' where batch_id = '{batch}' and request_status = 'PENDING'"
    );
    app.run_sql(&take).await;
    let taken = app.requests(&batch).await;
    let taken: Vec<&str> = taken
        .iter()
        .filter(|request| request.request_status == "INITIATED")
        .map(|taken| taken.reference_id.as_str())
        .collect();
    assert_eq!(taken, ["B-1", "B-3"]);
}

#[tokio::test]
async fn what_would_name_the_person_or_take_another_is_refused() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.configure("[campaigns.a]\nid = 1\nfiles = 'a*'\n[campaigns.b]\nid = 2\nfiles = 'b*'\nregion = 'DE'\n");
    app.drop_file("a.csv", "reference_id,target\n1,2125550142\n").await;
    assert_eq!(app.settle().await, 0);
    for (arguments, code, why) in [
        (&[][..], 2, "--target"),
        (&["--target", "-"], 1, "another number in another campaign"),
        (&["--target", "-", "--campaign", "a", "--reason", "asked by 212-555-0142"], 1, "--reason tells who it is"),
        (&["--target", "-", "--campaign", "c"], 1, "no campaign c"),
        (&["--target", "-", "--campaign", "a", "--by", "me"], 1, "who wants it must be given as an e-mail address"),
        (&["--target", "-", "--campaign", "a", "--by", "me@"], 1, "who wants it must be given as an e-mail address"),
        (&["--target", "-", "--campaign", "a", "--reason", &"r".repeat(1_001)], 1, "the reason is too long"),
    ] {
        let ran = forget(&app, arguments, "2125550142");
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    let ran = forget(&app, &["--target", "-"], "");
    assert!(ran.err.contains("standard input says nobody"), "{}", ran.err);
    assert_eq!(app.requests(&app.batch_of("a.csv").await.batch_id).await[0].target, "+12125550142");
}

on_both_stores! {
    every_trace_goes_and_counts_stay_right
    a_person_is_found_by_id_by_address_and_in_one_campaign_alone
    nobody_is_taken_once_forgotten
}
