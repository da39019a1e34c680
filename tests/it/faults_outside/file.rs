//! Files that are too large, too long or too wide, or that last; and headers made to steer whoever shows them.
//!
//! How much memory a file takes is compared with what a smaller one takes in the same store: a worker that held the
//! large one, or a part that grows with it, would be far beyond.

use std::io::Write as _;

use batchdrop::model::{Batch, BatchStatus, UploadStatus};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::app::{In, TestApp, To, contacts};

const MIB: u64 = 1 << 20;
const HEADER: &str = "reference_id,target,note\n";

/// Has one file loaded or refused, and answered, by a worker of its own; returns its batch and the worker's peak
/// memory.
async fn taken_with(to: To, settings: &[(&str, &str)], name: &str, content: impl AsRef<[u8]>) -> (Batch, u64) {
    let mut app = TestApp::new(In::Folder, to).await;
    for (key, value) in settings {
        app.set(key, value);
    }
    app.drop_file(name, content).await;
    let worker = app.start(&["run"]);
    app.wait_until("the file is answered", async || {
        app.uploads().await.first().is_some_and(|upload| upload.answered_at.is_some())
    })
    .await;
    let peak = worker.peak_memory();
    let batch = app.batch_of(name).await;
    println!("{name} {to:?}: {} MiB, {} rows, {} bytes read", peak / MIB, batch.rows_read, batch.bytes_read);
    (batch, peak)
}

async fn taken(to: To, name: &str, content: impl AsRef<[u8]>) -> (Batch, u64) {
    taken_with(to, &[], name, content).await
}

/// What a file takes that is nothing to speak of.
async fn peak_of_a_small_file(to: To) -> u64 {
    taken(to, "small.csv", rows(100, |row| row, "x")).await.1
}

/// A file of so many rows, whose ids are made of their numbers.
fn rows(count: u32, id: impl Fn(u32) -> u32, note: &str) -> String {
    let mut text = String::from(HEADER);
    for row in 1..=count {
        text.push_str(&format!("ACCOUNT-{:08},+15125550{:03},{note}\n", id(row), 100 + row % 100));
    }
    text
}

fn assert_refused(batch: &Batch, message: &str) {
    assert_eq!((batch.status, batch.count("PENDING")), (BatchStatus::Failed, 0));
    let told = batch.error_message.as_deref().expect("a message");
    assert!(told.starts_with(message), "{told}");
}

/// Both are refused at the limit of a row: neither is read to its end, nor held.
#[tokio::test]
async fn rows_without_an_end_are_refused_at_the_limit_of_a_row() {
    let small = peak_of_a_small_file(To::Sqlite).await;
    let never_closed = format!("\"{HEADER}{}", "1,+15125550101,some text\n".repeat(3_000_000));
    let one_line = format!("{HEADER}1,+15125550101,{}", "x".repeat(200 << 20));
    let one_cell = format!("{HEADER}1,+15125550101,\"{}\"\n", "x, ".repeat(70 << 20));
    for (name, content, message) in [
        (
            "never_closed.csv",
            never_closed,
            "Invalid file format: line 1, column 1: the quote opened here is never closed, not within 1048576 bytes",
        ),
        ("one_line.csv", one_line, "Limit exceeded: line 2: the row is longer than 1048576 bytes"),
        ("one_cell.csv", one_cell, "Limit exceeded: line 2: the row is longer than 1048576 bytes"),
    ] {
        let (batch, peak) = taken(To::Sqlite, name, content).await;
        assert_refused(&batch, message);
        assert!(batch.bytes_read < 8 * MIB, "{name}: read on to byte {}", batch.bytes_read);
        assert!(peak < small + 24 * MIB, "{name}: {peak} bytes, and {small} for a small file");
    }
}

/// Members of gzip, of which each unpacks to a thousand times its size.
fn bomb(header: &str, member: &[u8], members: usize) -> Vec<u8> {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    [gzip(header.as_bytes()), gzip(member).repeat(members)].concat()
}

#[tokio::test]
async fn a_bomb_is_refused_at_the_limit_of_what_it_unpacks_to() {
    let small = peak_of_a_small_file(To::Sqlite).await;
    let rows = format!("1,+15125550101,{}\n", "x".repeat(32_000)).repeat(512);
    for (name, member, message) in [
        ("rows.csv.gz", rows.into_bytes(), "Limit exceeded: it unpacks to more than 67108864 bytes"),
        ("one_line.csv.gz", vec![b'x'; 16 << 20], "Limit exceeded: line 2: the row is longer than 1048576 bytes"),
    ] {
        let packed = bomb(HEADER, &member, 640);
        let unpacked = 640 * member.len() as u64;
        assert!(unpacked > 10_000_000_000 && packed.len() as u64 * 800 < unpacked, "{} bytes", packed.len());
        let settings = [("LIMITS_UNPACKED_BYTES", "67108864")];
        let (batch, peak) = taken_with(To::Sqlite, &settings, name, packed).await;
        assert_refused(&batch, message);
        // Less than what is unpacked; SQLite's cache is in it.
        assert!(peak < small + 40 * MIB, "{name}: {peak} bytes, and {small} for a small file");
    }
}

/// Of good rows only the keys are remembered, of repeats not even those, and their rejects are written as they are
/// read. Even the smaller file is large enough to fill SQLite's caches, which are of a fixed size.
async fn four_times_the_rows_take_no_more(to: To) {
    let note = "x".repeat(2_000);
    let distinct = |count| rows(count, |row| row, &note);
    let repeats = |count| rows(count, |_| 7, &note);
    for (name, content, pending) in [
        ("distinct.csv", [distinct(10_000), distinct(40_000)], [10_000, 40_000]),
        ("repeats.csv", [repeats(10_000), repeats(40_000)], [1, 1]),
    ] {
        let more_bytes = (content[1].len() - content[0].len()) as u64;
        let [(small, small_peak), (large, large_peak)] =
            [taken(to, name, &content[0]).await, taken(to, name, &content[1]).await];
        for (batch, pending, count) in [(small, pending[0], 10_000), (large, pending[1], 40_000)] {
            assert_eq!((batch.error_message.as_deref(), batch.rows_read), (None, count));
            assert_eq!((batch.count("PENDING"), batch.count("DUPLICATE")), (pending, count - pending));
        }
        assert!(
            large_peak < small_peak + more_bytes / 3,
            "{name}: {large_peak} bytes, {small_peak} for a file that is {more_bytes} bytes smaller"
        );
    }
}

#[tokio::test]
async fn memory_is_flat_however_many_rows_there_are_with_sqlite() {
    four_times_the_rows_take_no_more(To::Sqlite).await;
}

#[tokio::test]
async fn memory_is_flat_however_many_rows_there_are_with_postgres() {
    four_times_the_rows_take_no_more(To::Postgres).await;
}

/// A table of a database stops at fewer columns than a file may have.
#[tokio::test]
async fn as_many_columns_as_are_allowed_are_stored_and_one_more_is_refused() {
    let wide = |columns: usize| {
        let (mut names, mut cells) = (String::from("reference_id,target"), String::from("1,+15125550101"));
        for column in 3..=columns {
            names.push_str(&format!(",column_{column}"));
            cells.push_str(&format!(",cell_{column}"));
        }
        format!("{names}\n{cells}\n")
    };
    for to in [To::Sqlite, To::Postgres] {
        let app = TestApp::new(In::Folder, to).await;
        app.drop_file("wide.csv", wide(2_000)).await;
        app.drop_file("too_wide.csv", wide(2_001)).await;
        app.drop_file("long_header.csv", format!("reference_id,target,{}\n1,2,3\n", "x".repeat(1 << 20))).await;
        assert_eq!(app.settle().await, 3);
        let loaded = app.batch_of("wide.csv").await;
        let variables = app.requests(&loaded.batch_id).await.remove(0).request_variables;
        assert_eq!(
            (variables.as_object().map(|all| all.len()), &variables["column_2000"]),
            (Some(1_998), &"cell_2000".into())
        );
        let too_wide = "Limit exceeded: line 1: the row has more than 2000 columns";
        assert_refused(&app.batch_of("too_wide.csv").await, too_wide);
        let too_long = "Limit exceeded: line 1: the row is longer than 1048576 bytes";
        assert_refused(&app.batch_of("long_header.csv").await, too_long);
    }
}

/// A load that lasts, here since it is another's turn in its campaign for as long as the test wants, holds one slot
/// only.
#[tokio::test]
async fn small_files_do_not_wait_for_one_that_lasts() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.configure(
        "[campaigns.lasting]\nid = 7\nfiles = 'lasting.csv'\nunique_within = '30d'\n\
         [campaigns.small]\nid = 8\nfiles = 'small_*.csv'\n",
    );
    let mut turn = PgConnection::connect(&app.store_url).await.expect("the test's database");
    turn.execute("select pg_advisory_lock(1264, 7)").await.expect("the lock is free");
    app.drop_file("lasting.csv", contacts(10, 0)).await;
    let _worker = app.start(&["run"]);
    let lasting = async || app.uploads().await.into_iter().find(|upload| upload.key == "lasting.csv");
    let is_claimed = async || lasting().await.is_some_and(|upload| upload.status == UploadStatus::Claimed);
    app.wait_until("it is claimed", is_claimed).await;
    for seed in 1..=30 {
        app.drop_file(&format!("small_{seed}.csv"), contacts(10, seed)).await;
    }
    app.wait_until("the small ones are loaded", async || app.batches().await.len() == 30).await;
    assert!(is_claimed().await, "the other one is still at work");
    turn.close().await.expect("its turn has come");
    app.wait_until("it is loaded too", async || app.batches().await.len() == 31).await;
}

/// As many large ones as there are slots, and each lasts as long as the test wants: one slot is kept for what is
/// smaller.
#[tokio::test]
async fn small_files_do_not_wait_for_as_many_large_ones_as_there_are_slots() {
    let mut app = TestApp::new(In::Folder, To::Postgres).await;
    app.configure(
        "[campaigns.large]\nid = 7\nfiles = 'large_*.csv'\nunique_within = '30d'\n\
         [campaigns.small]\nid = 8\nfiles = 'small_*.csv'\n",
    );
    app.set("WORKER_UPLOADS_AT_ONCE", "2");
    let mut turn = PgConnection::connect(&app.store_url).await.expect("the test's database");
    turn.execute("select pg_advisory_lock(1264, 7)").await.expect("the lock is free");
    for file in 1..=2 {
        let large = rows(175, |row| 1_000 * file + row, &"x".repeat(200_000));
        assert!(large.len() as u64 > 32 * MIB);
        app.drop_file(&format!("large_{file}.csv"), large).await;
    }
    let _worker = app.start(&["run"]);
    let of = async |status| app.uploads().await.into_iter().filter(|upload| upload.status == status).count();
    app.wait_until("one is claimed", async || of(UploadStatus::Claimed).await == 1).await;
    for seed in 1..=30 {
        app.drop_file(&format!("small_{seed}.csv"), contacts(10, seed)).await;
    }
    app.wait_until("the small ones are loaded", async || app.batches().await.len() == 30).await;
    assert_eq!((of(UploadStatus::Claimed).await, of(UploadStatus::Waiting).await), (1, 1), "the large ones are not");
    turn.close().await.expect("their turn has come");
    app.wait_until("they are loaded too", async || app.batches().await.len() == 32).await;
}

/// They are stored and given back as they were sent, and nobody is shown them raw.
#[tokio::test]
async fn headers_that_steer_a_terminal_a_browser_or_a_database_are_names_like_any_other() {
    let names = [
        "\u{1b}[31mred\u{7}",
        "<script>alert(1)</script>",
        "x'); drop table request_rows; --",
        "$1 {} %s",
        "=cmd|' /C calc'!A0",
        "line\nbreak",
    ];
    for to in [To::Sqlite, To::Postgres] {
        let app = TestApp::new(In::Folder, to).await;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut write = |first: [&str; 2]| writer.write_record(first.iter().chain(&names)).expect("a row");
        write(["reference_id", "target"]);
        write(["1", "+15125550101"]);
        write(["2", "12"]);
        app.drop_file("a.csv", writer.into_inner().expect("all rows")).await;
        let output = app.output(&["run", "--once"]);
        assert_eq!(output.status.code(), Some(0));
        let log = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!log.contains('\u{1b}') && !names.iter().any(|name| log.contains(name)), "{log}");

        let batch = app.batch_of("a.csv").await;
        let requests = app.requests(&batch.batch_id).await;
        assert_eq!(requests.len(), 2);
        for request in &requests {
            let variables = serde_json::to_value(&request.request_variables).expect("JSON");
            let expected = names.iter().map(|&name| (name.to_owned(), name.into())).collect();
            assert_eq!(variables, serde_json::Value::Object(expected), "{to:?}");
        }
        let rejects = app.get(&format!("results/{}/a.rejects.csv", batch.batch_id)).await.expect("rejects");
        let mut rejects = csv::Reader::from_reader(&rejects[..]);
        assert_eq!(rejects.headers().expect("a header").iter().skip(7).collect::<Vec<_>>(), names);
        for arguments in [["batches", "show", &batch.batch_id], ["batches", "list", "--json"]] {
            let output = app.output(&arguments);
            assert!(output.status.success() && !output.stdout.contains(&0x1b), "{arguments:?}");
        }
    }
}
