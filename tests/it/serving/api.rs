//! The API, asked by the client library that it is made for, and by schemathesis, which goes by its description.

use std::process::Command;

use super::{TOKEN, address_of, get};
use crate::support::app::{In, Running, TestApp, To, contacts};

pub(super) const WRITE_TOKEN: &str = "another-token-that-may-write";

/// A program of the virtual environment that `tests/run` makes.
pub(super) fn client(program: &str) -> Command {
    let folder = std::env::var("BATCHDROP_TEST_CLIENTS").expect("BATCHDROP_TEST_CLIENTS is set by tests/run");
    Command::new(std::path::Path::new(&folder).join("bin").join(program))
}

fn succeeds(command: &mut Command) {
    let output = command.output().expect("the client starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
}

async fn serving(to: To) -> (TestApp, Running, String) {
    let mut app = TestApp::new(In::Folder, to).await;
    for (key, value) in [
        ("SERVE_READ_TOKEN", TOKEN),
        ("SERVE_WRITE_TOKEN", WRITE_TOKEN),
        ("SERVE_IDENTITY", "ops@example.com"),
        ("SERVE_REQUESTS_A_SECOND", "100000"),
    ] {
        app.set(key, value);
    }
    app.configure("[campaigns.default]\nid = 1\nfiles = '*.csv*'\ndue = ['daily 09:00', 'daily 21:00']\n");
    // More rows than a page of the results has.
    app.drop_file("good.csv", contacts(2_500, 1)).await;
    app.drop_file("empty.csv", "").await;
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    app.wait_until("all is settled", || async { app.uploads_to_settle(2).await == 0 }).await;
    (app, running, address)
}

async fn the_published_client_reads_and_steers(to: To) {
    let (app, running, address) = serving(to).await;
    let [good, failed] = [app.batch_of("good.csv").await.batch_id, app.batch_of("empty.csv").await.batch_id];
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/serving/client.py");
    let address = format!("http://{address}");
    succeeds(client("python").args([script, &address, TOKEN, WRITE_TOKEN, &good, &failed]));
    assert!(!running.log().contains(TOKEN) && !running.log().contains(WRITE_TOKEN));
}

#[tokio::test]
async fn the_published_client_reads_and_steers_on_sqlite() {
    the_published_client_reads_and_steers(To::Sqlite).await;
}

#[tokio::test]
async fn the_published_client_reads_and_steers_on_postgres() {
    the_published_client_reads_and_steers(To::Postgres).await;
}

/// Valid parameters may still not fit together, so that only those are not asked to be accepted.
#[tokio::test]
async fn the_description_holds() {
    let (_app, _running, address) = serving(To::Postgres).await;
    let folder = tempfile::tempdir().expect("a folder");
    succeeds(client("schemathesis").current_dir(folder.path()).args([
        "run",
        &format!("http://{address}/openapi.json"),
        "--header",
        &format!("Syllable-API-Key: {WRITE_TOKEN}"),
        "--seed=1",
        "--max-examples=20",
        "--checks=all",
        "--exclude-checks=positive_data_acceptance",
        "--no-color",
    ]));
}

#[tokio::test]
async fn uploads_and_rejects_are_read_and_a_strange_host_is_not_answered() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    app.drop_file("good.csv", contacts(100, 1)).await;
    app.drop_file("notes.txt", "x").await;
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    app.wait_until("all is settled", || async { app.uploads_to_settle(2).await == 0 }).await;
    let uploads = get(&address, "/api/v1/outbound/uploads?status=REJECTED&key=NOTES", "").await;
    assert!(
        uploads.body.contains("\"total_count\":1") && uploads.body.contains("UNKNOWN_CAMPAIGN"),
        "{}",
        uploads.body
    );
    let id = app.batch_of("good.csv").await.batch_id;
    let rejects = get(&address, &format!("/api/v1/outbound/batches/{id}/rejects"), "").await;
    assert!(rejects.head.contains("content-type: text/csv") && rejects.head.contains("nosniff"), "{}", rejects.head);
    assert!(rejects.body.contains("\n50,") && rejects.body.contains("DUPLICATE_REFERENCE"), "{}", rejects.body);
    let page = "/api/v1/outbound/batches";
    let port = address.rsplit(':').next().expect("a port");
    assert_eq!(get(&format!("localhost:{port}"), page, "").await.status, 200);
    assert_eq!(get(&address, page, "Origin: https://evil.example\r\n").await.status, 200, "which it cannot read");
}
