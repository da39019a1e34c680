//! An operator steers batches from the command line: what is told, what is kept, and by which exit code.

use batchdrop::model::BatchStatus;
use serde_json::Value;

use crate::support::app::{In, TestApp, To, contacts};

/// Exit code, what is told on standard output, and on standard error.
fn told(app: &TestApp, arguments: &[&str]) -> (Option<i32>, String, String) {
    let ran = app.output(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (ran.status.code(), text(ran.stdout), text(ran.stderr))
}

#[tokio::test]
async fn batches_are_held_resumed_and_canceled_and_show_who_did_it() {
    for to in [To::Sqlite, To::Postgres] {
        let app = TestApp::new(In::Folder, to).await;
        app.drop_file("a.csv", contacts(20, 1)).await;
        app.drop_file("b.csv", "reference_id,target\nA,1\n").await;
        assert_eq!(app.settle().await, 3);
        let (good, failed) = (app.batch_of("a.csv").await.batch_id, app.batch_of("b.csv").await.batch_id);
        let by = ["--by", "ana@example.com", "--reason", "wrong amounts?"];

        let hold = [&["batches", "hold", &good][..], &by].concat();
        let (code, out, _) = told(&app, &hold);
        assert_eq!((code, out.contains("PAUSED") && out.contains("done")), (Some(0), true), "{out}");
        assert_eq!(app.batch_of("a.csv").await.status, BatchStatus::Paused);
        let (code, out, _) = told(&app, &hold);
        assert_eq!((code, out.contains("it was so already")), (Some(0), true), "{out}");
        assert_eq!(told(&app, &["batches", "resume", &good]).0, Some(0));

        let (code, _, error) = told(&app, &["batches", "cancel", &good]);
        assert_eq!((code, error.contains("say why")), (Some(1), true), "{error}");
        let (code, _, error) = told(&app, &["batches", "hold", &good, "--by", "ana"]);
        assert_eq!((code, error.contains("e-mail address")), (Some(1), true), "{error}");
        let cancel = [&["batches", "cancel", &good, &failed, "20250101.77", "--json"][..], &by].concat();
        let (code, out, _) = told(&app, &cancel);
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(code, Some(1), "two of the three could not be");
        assert_eq!(lines.iter().map(|line| line["done"] == true).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(lines[1]["status"], "FAILED");
        assert!(lines[2]["status"].is_null());

        let (_, shown, _) = told(&app, &["batches", "show", &good, "--json"]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let events: Vec<_> = shown["events"].as_array().expect("a list").iter().map(|event| &event["event"]).collect();
        assert_eq!(events, ["PUBLISHED", "HELD", "RESUMED", "CANCELED"]);
        assert_eq!(shown["events"][3]["actor"], "ana@example.com");
        let (_, shown, _) = told(&app, &["batches", "show", &good]);
        for word in ["EVENT", "HELD", "ana@example.com", "wrong amounts?", "batchdrop@localhost"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }

        // What was called off does not stand in the way of a correction.
        app.drop_file("a again.csv", contacts(20, 1)).await;
        app.settle().await;
        assert_eq!(app.batch_of("a again.csv").await.status, BatchStatus::Active);
    }
}

#[tokio::test]
async fn shells_and_manuals_know_every_command() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = told(&app, &["completions", shell]);
        assert_eq!((code, out.contains("suppression")), (Some(0), true), "{shell}");
    }
    let pages = tempfile::tempdir().expect("a directory");
    let place = pages.path().join("man1");
    assert_eq!(told(&app, &["man", place.to_str().expect("UTF-8")]).0, Some(0));
    let page = std::fs::read_to_string(place.join("batchdrop-batches-cancel.1")).expect("a page");
    assert!(page.contains("reason is required"), "{page}");
    assert!(place.join("batchdrop-run.1").exists());
}
