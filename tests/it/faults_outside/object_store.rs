//! An object store that misbehaves, and the whole worker on it. The oracle is the same files in a folder.

use std::time::Duration;

use batchdrop::model::{BatchStatus, Upload, UploadStatus};

use crate::support::app::{In, TestApp, To, contacts};
use crate::support::fake_s3::{Answer, Asked, FakeS3, read};

/// An app whose bucket is the server's.
async fn app_on(server: &FakeS3, to: To) -> TestApp {
    let mut app = TestApp::new(In::Folder, to).await;
    app.set("BUCKET_URL", "s3://bucket");
    app.set("BUCKET_ENDPOINT_URL", &format!("http://{}", server.address));
    app.set("BUCKET_FORCE_PATH_STYLE", "true");
    app
}

/// What becomes of the files when nothing goes wrong.
async fn undisturbed(files: &[(&str, String)]) -> Vec<String> {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    for (name, content) in files {
        app.drop_file(name, content).await;
    }
    assert_eq!(app.settle().await, 0);
    app.outcome().await
}

async fn upload(app: &TestApp, key: &str) -> Upload {
    app.uploads().await.into_iter().find(|upload| upload.key == key).unwrap_or_else(|| panic!("no upload {key}"))
}

/// Each became a FAILED batch without rows, whose message blames nobody and has the reason.
async fn assert_internal_error(app: &TestApp, file: &str, reason: &str) {
    let batch = app.batch_of(file).await;
    assert_eq!((batch.status, batch.error_code.as_deref()), (BatchStatus::Failed, Some("INTERNAL_ERROR")), "{file}");
    let message = batch.error_message.unwrap_or_default();
    assert!(message.contains("this is on our side") && message.contains(reason), "{file}: {message}");
    assert!(app.requests(&batch.batch_id).await.is_empty(), "{file}");
}

async fn refusals_that_pass_cost_nothing_but_time(to: To) {
    let files = [1, 2, 3, 4].map(|seed| (["a.csv", "b.csv", "c.csv", "d.csv"][seed - 1], contacts(20 * seed, seed)));
    let server = FakeS3::start().await;
    for (name, content) in &files {
        server.put(name, content);
    }
    let app = app_on(&server, to).await;
    // What comes of each: the client asks three times, but not after 429; then the worker puts the upload off.
    server.will(Asked::List, [Answer::Refused(503, "SlowDown"), Answer::Refused(500, "InternalError")]);
    server.will(read("a.csv"), vec![Answer::Refused(503, "SlowDown"); 2]);
    server.will(read("b.csv"), vec![Answer::Refused(500, "InternalError"); 4]);
    server.will(read("c.csv"), vec![Answer::Refused(429, "TooManyRequests"); 2]);
    assert_eq!(app.settle().await, 0);
    assert_eq!(server.unsaid(), 0, "every refusal was met");
    assert_eq!(app.outcome().await, undisturbed(&files).await);
    for (key, attempts) in [("a.csv", 1), ("b.csv", 2), ("c.csv", 3), ("d.csv", 1)] {
        assert_eq!(upload(&app, key).await.attempts, attempts, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_pass_cost_nothing_but_time_with_sqlite() {
    refusals_that_pass_cost_nothing_but_time(To::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_pass_cost_nothing_but_time_with_postgres() {
    refusals_that_pass_cost_nothing_but_time(To::Postgres).await;
}

/// At the start, and while it watches.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_a_bucket_that_cannot_be_listed() {
    let server = FakeS3::start().await;
    server.put("a.csv", contacts(3, 1));
    let app = app_on(&server, To::Sqlite).await;
    server.will(Asked::List, vec![Answer::Refused(503, "SlowDown"); 4]);
    let mut worker = app.start(&["run"]);
    app.wait_until("it says what it waits for", async || worker.log().contains("not started yet")).await;
    app.wait_until("the first file is a batch", async || app.batches().await.len() == 1).await;
    server.will(Asked::List, vec![Answer::Refused(500, "InternalError"); 4]);
    app.wait_until("it says what it waits for", async || worker.log().contains("the bucket was not swept")).await;
    server.put("b.csv", contacts(4, 2));
    app.wait_until("the second file is a batch", async || app.batches().await.len() == 2).await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(0), "{}", worker.log());
}

/// A name that does not resolve, and a server that knows no TLS: whoever drains learns of it, whoever stays waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_an_endpoint_that_cannot_be_reached() {
    let server = FakeS3::start().await;
    let mut app = app_on(&server, To::Sqlite).await;
    // Longer than a name can be, so that no name server is asked.
    let nobody = format!("http://{}.invalid", "x".repeat(64));
    let plain = format!("https://{}", server.address);
    for (endpoint, cause) in [(nobody, "dns error"), (plain, "InvalidContentType")] {
        app.set("BUCKET_ENDPOINT_URL", &endpoint);
        let drained = app.output(&["run", "--once"]);
        let told = String::from_utf8_lossy(&drained.stderr).into_owned();
        assert_eq!(drained.status.code(), Some(1), "{told}");
        assert!(told.contains("cannot list s3://bucket") && told.contains(cause), "{told}");
        let mut worker = app.start(&["run"]);
        app.wait_until("it says what it waits for", async || worker.log().contains("not started yet")).await;
        worker.signal(libc::SIGTERM);
        assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    }
}

/// Each file is cut at another byte under the right length: once, and every time.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_cut_at_any_byte_never_becomes_a_batch_of_fewer_rows() {
    let content = "reference_id,target,note\n1,+15125550101,é\n2,+15125550102,\"a \"\"b\"\"\nc\"\n3,+15125550103,🦀\n";
    let server = FakeS3::start().await;
    for cut in 0..content.len() {
        for (name, is_always) in [(format!("once_{cut}.csv"), false), (format!("always_{cut}.csv"), true)] {
            server.put(&name, content);
            match is_always {
                false => server.will(read(&name), [Answer::Cut(cut)]),
                true => server.always(read(&name), Answer::Cut(cut)),
            }
        }
    }
    server.put("whole.csv", content);
    let mut app = app_on(&server, To::Sqlite).await;
    app.set("WORKER_MAX_ATTEMPTS", "2");
    app.configure("[campaigns.all]\nid = 1\nfiles = '*.csv'\nallow_repeats = true\n");
    assert_eq!(app.settle().await, 1, "trouble of ours is left");
    let whole = app.requests(&app.batch_of("whole.csv").await.batch_id).await;
    assert_eq!(whole.iter().map(|request| request.row_number).collect::<Vec<_>>(), [1, 2, 3]);
    for cut in 0..content.len() {
        let once = format!("once_{cut}.csv");
        let batch = app.batch_of(&once).await;
        assert_eq!((batch.status, batch.rows_read), (BatchStatus::Active, 3), "{once}");
        let rows = app.requests(&batch.batch_id).await;
        let same = |(a, b): (&batchdrop::model::Request, &batchdrop::model::Request)| {
            (a.row_number, &a.target, &a.request_variables) == (b.row_number, &b.target, &b.request_variables)
        };
        assert!(rows.len() == 3 && rows.iter().zip(&whole).all(same), "{once}: {rows:?}");
        assert_eq!(upload(&app, &once).await.attempts, 2, "{once}");
        assert_internal_error(&app, &format!("always_{cut}.csv"), &format!("after {cut} of {}", content.len())).await;
    }
    assert_eq!(app.batches().await.len(), 2 * content.len() + 1);
}

/// What was listed ends as gone, at its first reading or at a later one; what took its place is an upload of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_replaced_or_deleted_after_the_listing_is_gone_and_harms_no_other() {
    let server = FakeS3::start().await;
    let (old, new) = (|seed| contacts(30, seed), |seed| contacts(30, seed).replace("Ana", "Eva").into_bytes());
    let scripts = [
        ("replaced.csv", vec![Answer::Replaced(new(1))]),
        ("swapped.csv", vec![Answer::Swapped(new(2))]),
        ("cut_replaced.csv", vec![Answer::Cut(700), Answer::Replaced(new(3))]),
        ("deleted.csv", vec![Answer::Deleted]),
        ("cut_deleted.csv", vec![Answer::Cut(700), Answer::Deleted]),
    ];
    for (seed, (key, script)) in (1..).zip(&scripts) {
        server.put(key, old(seed));
        server.will(read(key), script.clone());
    }
    let neighbours = [("a.csv", old(8)), ("z.csv", old(9))];
    for (name, content) in &neighbours {
        server.put(name, content);
    }
    let app = app_on(&server, To::Sqlite).await;
    assert_eq!(app.settle().await, 0, "nobody's fault");
    let mut expected = undisturbed(&neighbours).await;
    for (key, _) in &scripts {
        let gone = upload(&app, key).await;
        assert!(gone.error_message.is_some(), "{key} has its reason");
        expected.push(format!("upload {key} {}", UploadStatus::Gone.as_str()));
    }
    expected.sort();
    assert_eq!(app.outcome().await, expected);

    assert_eq!(app.settle().await, 0);
    assert_eq!(app.batches().await.len(), 5);
    for key in ["replaced.csv", "swapped.csv", "cut_replaced.csv"] {
        let rows = app.requests(&app.batch_of(key).await.batch_id).await;
        let is_new = rows.iter().all(|row| row.request_variables.to_string().contains("Eva"));
        assert!(rows.len() == 30 && is_new, "{key}: the new version, whole");
    }
    assert_eq!(server.unsaid(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_fails_alone_and_says_why() {
    let server = FakeS3::start().await;
    let refusals = [
        ("forbidden.csv", 403, "AccessDenied"),
        ("key_disabled.csv", 400, "KMS.DisabledException"),
        ("archived.csv", 403, "InvalidObjectState"),
    ];
    for (seed, (key, status, code)) in (1..).zip(refusals) {
        server.put(key, contacts(5, seed));
        server.always(read(key), Answer::Refused(status, code));
    }
    let neighbours = [("a.csv", contacts(8, 8)), ("z.csv", contacts(9, 9))];
    for (name, content) in &neighbours {
        server.put(name, content);
    }
    let mut app = app_on(&server, To::Postgres).await;
    app.set("WORKER_MAX_ATTEMPTS", "3");
    assert_eq!(app.settle().await, 1, "trouble of ours is left");
    for (key, status, code) in refusals {
        assert_internal_error(&app, key, "not loaded after 3 attempts").await;
        assert_internal_error(&app, key, &format!("the server answered {status} {code}")).await;
    }
    let mut others = app.outcome().await;
    others.retain(|line| !refusals.iter().any(|(key, ..)| line.contains(key)));
    assert_eq!(others, undisturbed(&neighbours).await);
}

/// A byte a second would hold a slot and its lease for days. What flows, though slowly, is read to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_or_stalls_is_given_up_and_one_that_flows_is_not() {
    let server = FakeS3::start().await;
    let files = [
        ("trickles.csv", contacts(2, 1)),
        ("stalls.csv", contacts(3, 2)),
        ("flows.csv", contacts(2_000, 3)),
        ("z.csv", contacts(4, 4)),
    ];
    for (name, content) in &files {
        server.put(name, content);
    }
    server.will(read("trickles.csv"), [Answer::Slow(1, Duration::from_secs(1))]);
    server.will(read("stalls.csv"), [Answer::Slow(100, Duration::from_secs(60))]);
    server.will(read("flows.csv"), [Answer::Slow(2_000, Duration::from_millis(50))]);
    server.put("never.csv", contacts(5, 5));
    server.always(read("never.csv"), Answer::Slow(1, Duration::from_secs(1)));
    let mut app = app_on(&server, To::Sqlite).await;
    app.set("BUCKET_STALL_SECONDS", "2");
    app.set("WORKER_MAX_ATTEMPTS", "2");
    assert_eq!(app.settle().await, 1, "trouble of ours is left");
    assert_internal_error(&app, "never.csv", "too slow: the server brought").await;
    for (key, attempts) in [("trickles.csv", 2), ("stalls.csv", 2), ("flows.csv", 1), ("z.csv", 1)] {
        assert_eq!(upload(&app, key).await.attempts, attempts, "{key}");
    }
    let mut others = app.outcome().await;
    others.retain(|line| !line.contains("never.csv"));
    assert_eq!(others, undisturbed(&files).await);
}

/// Whoever scheduled it must learn that a file still waits for its next attempt.
#[tokio::test]
async fn draining_that_leaves_an_upload_waiting_does_not_end_with_0() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.set("WORKER_RETRY_MS", "3600000");
    app.run_sql("alter table request_rows add constraint trouble check (row_number < 0) not valid").await;
    app.drop_file("a.csv", contacts(3, 1)).await;
    let mut worker = app.start(&["run", "--once"]);
    app.wait_until("the upload is put off", async || {
        let uploads = app.uploads().await;
        uploads.iter().any(|upload| upload.status == UploadStatus::Waiting && upload.attempts == 1)
    })
    .await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(1), "{}", worker.log());
}
