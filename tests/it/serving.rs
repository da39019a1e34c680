//! What the worker tells over HTTP: metrics that count what happened, and probes that say what is missing.

mod api;
mod limits;
mod page;

use std::collections::BTreeSet;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::app::{In, Running, TestApp, To, contacts};

const TOKEN: &str = "a-token-for-this-test-alone";

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a sample, named with its labels.
    pub fn sample(&self, name: &str) -> f64 {
        let found = self.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {name} in\n{}", self.body)).parse().expect("a number")
    }
}

pub async fn get(address: &str, path: &str, header: &str) -> Answer {
    ask(address, "GET", path, header, "").await
}

async fn ask(address: &str, method: &str, path: &str, header: &str, body: &str) -> Answer {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the program listens");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n{body}");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Where the program says that it serves.
pub async fn address_of(app: &TestApp, running: &Running) -> String {
    let said =
        || running.log().split_once("Serving http://").and_then(|(_, rest)| Some(rest.split_once('/')?.0.to_owned()));
    app.wait_until("it serves", || async { said().is_some() }).await;
    said().expect("said just now")
}

/// The worker, once it has its bucket and its store, and where it serves.
pub async fn serving(app: &TestApp) -> (Running, String) {
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(app, &running).await;
    app.wait_until("it is ready", || async { get(&address, "/readyz", "").await.status == 200 }).await;
    (running, address)
}

async fn counts_what_happened(dropped: In, to: To) {
    let app = TestApp::new(dropped, to).await;
    app.drop_file("good.csv", contacts(100, 1)).await;
    app.drop_file("empty.csv", "").await;
    app.drop_file("notes.txt", "x").await;
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    app.wait_until("all is settled", || async { app.uploads_to_settle(3).await == 0 }).await;
    let receipt = format!("results/{}/good.receipt.json", app.batch_of("good.csv").await.batch_id);
    app.wait_until("it is answered", || async { app.get(&receipt).await.is_some() }).await;

    let ready = get(&address, "/readyz", "").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    assert_eq!(get(&address, "/healthz", "").await.status, 200);

    let metrics = get(&address, "/metrics", "").await;
    assert!(metrics.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", metrics.head);
    for (sample, expected) in [
        ("batchdrop_files_received_total", 3.0),
        ("batchdrop_files_processed_total{outcome=\"loaded\"}", 1.0),
        ("batchdrop_files_processed_total{outcome=\"failed\"}", 1.0),
        ("batchdrop_files_processed_total{outcome=\"rejected\"}", 1.0),
        ("batchdrop_files_processed_total{outcome=\"put_off\"}", 0.0),
        ("batchdrop_files_failed_total{code=\"EMPTY_FILE\"}", 1.0),
        ("batchdrop_files_failed_total{code=\"UNKNOWN_CAMPAIGN\"}", 1.0),
        ("batchdrop_files_failed_total{code=\"INTERNAL_ERROR\"}", 0.0),
        ("batchdrop_rows_total{status=\"PENDING\"}", 97.0),
        ("batchdrop_rows_total{status=\"DUPLICATE\"}", 2.0),
        ("batchdrop_rows_total{status=\"INVALID\"}", 1.0),
        ("batchdrop_rows_total{status=\"SKIPPED\"}", 0.0),
        ("batchdrop_stage_duration_seconds_count{stage=\"queue\"}", 3.0),
        ("batchdrop_stage_duration_seconds_count{stage=\"publish\"}", 1.0),
        ("batchdrop_file_size_bytes_count", 3.0),
        ("batchdrop_uploads_in_progress", 0.0),
        ("batchdrop_bucket_list_calls_total{result=\"error\"}", 0.0),
        ("batchdrop_lease_losses_total", 0.0),
        ("batchdrop_bucket_reachable", 1.0),
        ("batchdrop_store_reachable", 1.0),
        ("batchdrop_uploads_waiting", 0.0),
        ("batchdrop_oldest_waiting_seconds", 0.0),
        ("batchdrop_build_info{version=\"0.1.0\"}", 1.0),
    ] {
        assert_eq!(metrics.sample(sample), expected, "{sample}");
    }
    let listings = metrics.sample("batchdrop_bucket_list_calls_total{result=\"ok\"}");
    assert!(listings >= 1.0, "a listing found the files");
    let now = chrono::Utc::now().timestamp() as f64;
    for time in ["batchdrop_heartbeat_timestamp_seconds", "batchdrop_last_success_timestamp_seconds"] {
        assert!((now - metrics.sample(time)).abs() < 60.0, "{time}");
    }
    // A whole number, as sent or as stored: three digits alone may be of a time.
    for private in ["good.csv", "555-0", "5125550"] {
        assert!(!metrics.body.contains(private), "{private} in\n{}", metrics.body);
    }
}

#[tokio::test]
async fn metrics_count_what_happened_to_a_folder_on_sqlite() {
    counts_what_happened(In::Folder, To::Sqlite).await;
}

#[tokio::test]
async fn metrics_count_what_happened_to_s3_on_postgres() {
    counts_what_happened(In::S3, To::Postgres).await;
}

#[tokio::test]
async fn what_waits_is_counted_from_the_ledger() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.configure(
        "[campaigns.a]\nid = 1\nfiles = '*.csv'\nsuppression = ['stop']\n[suppression.stop]\nfiles = 'stop.txt'\n",
    );
    app.drop_file("held.csv", contacts(3, 1)).await;
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    app.wait_until("it is held", || async {
        get(&address, "/metrics", "").await.sample("batchdrop_uploads_held") == 1.0
    })
    .await;
    assert!(get(&address, "/metrics", "").await.sample("batchdrop_oldest_waiting_seconds") > 0.0);
}

#[tokio::test]
async fn while_the_store_is_away_it_lives_and_is_not_ready() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("STORE_CONNECT_SECONDS", "1");
    let running = app.start(&["run", "--listen", "127.0.0.1:0", "--store", "postgres://nobody@127.0.0.1:1/none"]);
    let address = address_of(&app, &running).await;
    assert_eq!(get(&address, "/healthz", "").await.status, 200);
    let ready = get(&address, "/readyz", "").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("the bucket and the store are not both open yet"), "{}", ready.body);
    assert_eq!(get(&address, "/metrics", "").await.sample("batchdrop_store_reachable"), 0.0);
}

#[tokio::test]
async fn a_worker_whose_bucket_went_away_is_not_ready() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    let (_running, address) = serving(&app).await;
    std::fs::rename(app.folder(), app.folder().with_extension("away")).expect("renamed");
    app.wait_until("it is not ready", || async { get(&address, "/readyz", "").await.status == 503 }).await;
    std::fs::rename(app.folder().with_extension("away"), app.folder()).expect("renamed back");
    app.wait_until("it is ready again", || async { get(&address, "/readyz", "").await.status == 200 }).await;
}

#[tokio::test]
async fn others_can_reach_it_only_with_a_token() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    let refused = app.output(&["run", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&refused.stderr), @"error: serve.listen is 0.0.0.0:0, which others can reach: set a token by BATCHDROP_SERVE_READ_TOKEN, or listen on 127.0.0.1");

    app.set("SERVE_READ_TOKEN", "short");
    let refused = app.output(&["run", "--listen", "0.0.0.0:0"]);
    insta::assert_snapshot!(String::from_utf8_lossy(&refused.stderr), @"error: serve.read_token must have 16 characters or more, chosen at random");

    app.set("SERVE_READ_TOKEN", TOKEN);
    let running = app.start(&["run", "--listen", "0.0.0.0:0"]);
    let address = address_of(&app, &running).await.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(get(&address, "/metrics", "").await.status, 401);
    assert_eq!(get(&address, "/metrics", "Authorization: Bearer something-else\r\n").await.status, 401);
    assert_eq!(get(&address, "/metrics", &format!("Authorization: Bearer {TOKEN}\r\n")).await.status, 200);
    assert_eq!(get(&address, "/metrics", &format!("Syllable-API-Key: {TOKEN}\r\n")).await.status, 200);
    assert_eq!(get(&address, "/healthz", "").await.status, 200, "probes show no token");
    assert!(!running.log().contains(TOKEN));
}

async fn the_page_shows_what_happened(dropped: In, to: To) {
    let app = TestApp::new(dropped, to).await;
    app.drop_file("good.csv", contacts(100, 1)).await;
    app.drop_file("empty.csv", "").await;
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    app.wait_until("all is settled", || async { app.uploads_to_settle(2).await == 0 }).await;
    let list = get(&address, "/", "").await;
    assert_eq!(list.status, 200);
    assert!(list.head.contains("content-security-policy: default-src 'none'; style-src 'self'; script-src 'self';"));
    for shown in ["<b>97</b> pending", "<b>2</b> duplicate", "<b>1</b> invalid", "Line 71: target:", "Empty file"] {
        assert!(list.body.contains(shown), "no {shown} in\n{}", list.body);
    }
    let batch = app.batch_of("good.csv").await.batch_id;
    let one = get(&address, &format!("/batches/{batch}"), "").await;
    assert!(one.body.contains("<b>100</b> rows") && one.body.contains("Published"), "{}", one.body);
    for private in ["5550101", "555-0101", "Ana"] {
        assert!(!one.body.contains(private), "{private} in\n{}", one.body);
    }
    assert_eq!(get(&address, "/batches/20010101.1", "").await.status, 404);
    assert!(get(&address, "/uploads", "").await.body.contains("empty."), "it was refused");
}

async fn post(address: &str, path: &str, header: &str, form: &str) -> Answer {
    let head = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{header}", form.len());
    ask(address, "POST", path, &head, form).await
}

async fn the_page_steers(dropped: In, to: To) {
    let app = TestApp::new(dropped, to).await;
    app.drop_file("good.csv", contacts(100, 1)).await;
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    app.wait_until("it is settled", || async { app.uploads_to_settle(1).await == 0 }).await;
    let path = format!("/batches/{}", app.batch_of("good.csv").await.batch_id);
    let (hold, cancel) = (format!("{path}/hold"), format!("{path}/cancel"));
    let ours = "Sec-Fetch-Site: same-origin\r\n";
    for elsewhere in ["", "Sec-Fetch-Site: cross-site\r\n", "Origin: http://evil.example\r\n"] {
        assert_eq!(post(&address, &hold, elsewhere, "reason=x").await.status, 403, "{elsewhere}");
    }
    assert_eq!(app.batch_of("good.csv").await.status.as_str(), "ACTIVE");
    assert_eq!(post(&address, &hold, ours, "reason=wrong+amounts").await.status, 303);
    let held = app.batch_of("good.csv").await;
    assert_eq!((held.status.as_str(), held.last_updated_by.as_str()), ("PAUSED", "batchdrop@localhost"));
    let shown = get(&address, &path, "").await.body;
    assert!(shown.contains("Held") && shown.contains("wrong amounts") && shown.contains("Resume"), "{shown}");
    let refused = post(&address, &cancel, ours, "reason=+").await;
    assert!(refused.status == 422 && refused.body.contains("a reason is required"), "{}", refused.body);
    assert_eq!(post(&address, &cancel, ours, "reason=over").await.status, 303);
    assert_eq!(app.batch_of("good.csv").await.status.as_str(), "CANCELED");
    assert_eq!(post(&address, &hold, ours, "").await.status, 409);
}

#[tokio::test]
async fn the_page_steers_on_sqlite() {
    the_page_steers(In::Folder, To::Sqlite).await;
}

#[tokio::test]
async fn the_page_steers_on_postgres() {
    the_page_steers(In::Folder, To::Postgres).await;
}

#[tokio::test]
async fn the_page_shows_what_happened_to_a_folder_on_sqlite() {
    the_page_shows_what_happened(In::Folder, To::Sqlite).await;
}

#[tokio::test]
async fn the_page_shows_what_happened_to_s3_on_postgres() {
    the_page_shows_what_happened(In::S3, To::Postgres).await;
}

#[tokio::test]
async fn the_page_wants_a_login_where_there_is_a_token() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("SERVE_READ_TOKEN", TOKEN);
    let (_running, address) = serving(&app).await;
    let sent_on = get(&address, "/uploads", "").await;
    assert_eq!(sent_on.status, 303);
    assert!(sent_on.head.contains("location: /login?next=%2Fuploads"), "{}", sent_on.head);
    assert_eq!(get(&address, "/login", "").await.status, 200);
    assert_eq!(get(&address, "/", "Cookie: batchdrop_session=9999999999.look.YWJj.AA\r\n").await.status, 303);
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = app.output(&["run", "--listen", &address]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.starts_with("error: serve.listen: cannot listen there: Address already in use"), "{said}");
}

/// The README lists every metric, and no other.
#[tokio::test]
async fn the_readme_lists_every_metric() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.configure("[campaigns.default]\nid = 1\nfiles = '*.csv*'\ndue = 'daily 09:00'\n");
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    let is_expected = async || get(&address, "/metrics", "").await.body.contains("batchdrop_expected_files{");
    app.wait_until("a file is expected", is_expected).await;
    let metrics = get(&address, "/metrics", "").await;
    let exported: BTreeSet<&str> = metrics
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    let readme = include_str!("../../README.md");
    let listed: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `batchdrop_")?.split_once('`'))
        .map(|(name, _)| name.split('{').next().unwrap_or(name))
        .map(|name| name.trim_end_matches("_total").trim_end_matches("_info"))
        .collect();
    let exported: BTreeSet<&str> = exported.into_iter().filter_map(|name| name.strip_prefix("batchdrop_")).collect();
    assert_eq!(listed, exported);
}
