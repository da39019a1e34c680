//! Names that XML, a path, a log or a longer key cannot hold.

use std::os::unix::ffi::OsStrExt as _;

use crate::support::app::{In, TestApp, To, contacts};

/// One key that XML cannot hold would make a whole page of the listing unreadable.
#[tokio::test]
async fn any_key_is_listed_read_and_answered() {
    let app = TestApp::new(In::S3, To::Sqlite).await;
    let keys = [
        "a\u{1}b.csv",
        "c\u{fffe}d.csv",
        "e\u{ffff}f.csv",
        "line\nbreak.csv",
        "plus + and %41 %2e%2e.csv",
        "&lt; <é> \"🦀\".csv",
    ];
    for (seed, key) in keys.iter().enumerate() {
        app.drop_file(key, contacts(3, seed)).await;
    }
    assert_eq!(app.settle().await, 0);
    for key in keys {
        let name = key.rsplit('/').next().expect("a name");
        let batch = app.batch_of(name).await;
        let stem = name.trim_end_matches(".csv").replace(['\u{1}', '\n', '\u{fffe}', '\u{ffff}'], "_");
        assert_eq!(app.receipt(&batch.batch_id, &stem).await["batch_id"], batch.batch_id, "{key:?}");
    }
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.uploads().await.len(), keys.len(), "each key means the same object every time");
}

/// Were any of these taken for a path, it would be another of them.
#[tokio::test]
async fn a_key_that_steps_up_means_its_own_object_and_leads_nowhere() {
    let mut app = TestApp::new(In::S3, To::Sqlite).await;
    app.set("BUCKET_AFTER", "move");
    let keys = ["up.csv", "../up.csv", "../../up.csv", "a/../up.csv", "./up.csv", "a/./up.csv", "a/%2e%2e/up.csv"];
    for (seed, key) in keys.iter().enumerate() {
        app.drop_file(key, contacts(3, seed)).await;
    }
    assert_eq!(app.settle().await, 0);
    assert_eq!(app.batches().await.len(), keys.len());
    for upload in app.uploads().await {
        let seed = keys.iter().position(|&key| key == upload.key).expect("a key that was put");
        let batch_id = upload.batch_id.expect("a batch");
        assert_eq!(app.requests(&batch_id).await[0].reference_id, format!("S{seed}-1"), "{}", upload.key);
        assert_eq!(app.receipt(&batch_id, "up").await["batch_id"], batch_id);
        let moved = app.get(&format!("processed/{batch_id}/up.csv")).await;
        assert_eq!(moved.as_deref(), Some(contacts(3, seed).as_bytes()), "{}", upload.key);
    }
    let left = app.keys().await;
    assert!(left.iter().all(|key| key.starts_with("results/") || key.starts_with("processed/")), "{left:?}");
}

#[tokio::test]
async fn a_name_that_fills_the_longest_key_is_moved_under_a_shorter_one() {
    let mut app = TestApp::new(In::S3, To::Sqlite).await;
    app.set("BUCKET_AFTER", "move");
    let key = format!("{}.csv", "x".repeat(1_020));
    app.drop_file(&key, contacts(3, 1)).await;
    assert_eq!(app.settle().await, 0);
    let batch = app.batch_of(&key).await;
    let moved = app.keys().await.into_iter().filter(|key| key.starts_with("processed/")).collect::<Vec<_>>();
    let [moved] = &moved[..] else { panic!("{moved:?}") };
    assert!(moved.starts_with(&format!("processed/{}/xxx", batch.batch_id)) && moved.ends_with(".csv"), "{moved}");
    assert_eq!(app.get(moved).await.as_deref(), Some(contacts(3, 1).as_bytes()));
    assert!(app.get(&key).await.is_none());
}

/// A large rejects file is written in parts, and the server tells its key in XML.
#[tokio::test]
async fn large_rejects_of_a_name_that_xml_cannot_hold_are_written() {
    let mut app = TestApp::new(In::S3, To::Sqlite).await;
    app.configure("[campaigns.all]\nid = 1\nfiles = '*.csv'\nmax_invalid_percent = 100.0\n");
    let mut file = String::from("reference_id,target,note\n0,+15125550101,\n");
    for row in 1..=900 {
        file.push_str(&format!("{row},12,{}\n", "x".repeat(10_000)));
    }
    app.drop_file("r\u{ffff}.csv", file).await;
    assert_eq!(app.settle().await, 0);
    let batch = app.batch_of("r\u{ffff}.csv").await;
    let rejects = app.get(&format!("results/{}/r_.rejects.csv", batch.batch_id)).await.expect("rejects");
    assert!(rejects.len() > 8 << 20, "written in parts: {}", rejects.len());
    assert_eq!(app.receipt(&batch.batch_id, "r_").await["batch_id"], batch.batch_id);
}

#[tokio::test]
async fn no_name_makes_a_line_of_its_own_in_the_log() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    app.drop_file("x\nforged line\u{1b}[31m/a\nforged line.csv", contacts(3, 1)).await;
    let not_text = std::ffi::OsStr::from_bytes(b"\xff.csv");
    std::fs::write(app.folder().join("x\nforged line\u{1b}[31m").join(not_text), "x").expect("a file");
    let output = app.output(&["run", "--once"]);
    let log = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(log.contains("a file's name is not UTF-8") && log.contains("batch loaded"), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("forged")) && !log.contains('\u{1b}'), "{log}");
}
