//! Several at once, kills, and turns: exactly one row of a campaign holds a key.

use std::collections::HashMap;
use std::time::Duration;

use batchdrop::model::UploadStatus;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{WINDOW, app, file, number, to_every_store};
use crate::support::app::{TestApp, To};

to_every_store! {
    workers_that_load_at_once_give_each_key_one_holder
    workers_that_are_killed_leave_each_key_one_holder
}

const FILES: u32 = 8;
const IDS: u32 = 6_000;

/// Files that share most of their ids, each with an order of its own.
async fn drop_overlapping_files(app: &TestApp) {
    for seed in 0..FILES {
        let mut rows = Vec::new();
        for at in 0..IDS {
            let id = (at * 7 + seed * 501) % (IDS + 500);
            rows.push(format!("K{id} {}", number(100 + at % 100)));
        }
        app.drop_file(&format!("calls_{seed}.csv"), file(&rows.iter().map(String::as_str).collect::<Vec<_>>())).await;
    }
}

/// Every key has exactly one row that is to be contacted, and each duplicate names the row that has its key.
async fn assert_one_holder_each(app: &TestApp) {
    let (mut holders, mut duplicates) = (HashMap::new(), Vec::new());
    for batch in app.batches().await {
        assert_eq!(batch.rows_read, u64::from(IDS), "{:?}", batch.error_message);
        for row in app.requests(&batch.batch_id).await {
            match row.request_status.as_str() {
                "PENDING" => {
                    let other = holders.insert(row.reference_id.clone(), (row.batch_id.clone(), row.row_number));
                    assert_eq!(other, None, "{} is held twice", row.reference_id);
                }
                "DUPLICATE" => duplicates.push(row),
                status => panic!("{status} {:?}", row.error_message),
            }
        }
    }
    assert_eq!(holders.len() + duplicates.len(), (FILES * IDS) as usize);
    assert!(holders.len() > IDS as usize && !duplicates.is_empty());
    for row in duplicates {
        let named = (row.duplicate_of_batch_id.unwrap_or_default(), row.duplicate_of_row.unwrap_or_default());
        assert_eq!(holders.get(&row.reference_id), Some(&named), "{}", row.reference_id);
    }
}

async fn all_settled(app: &TestApp) -> bool {
    let uploads = app.uploads().await;
    uploads.len() == FILES as usize && uploads.iter().all(|upload| upload.settled_at.is_some())
}

async fn workers_that_load_at_once_give_each_key_one_holder(to: To) {
    let app = app(to, WINDOW).await;
    drop_overlapping_files(&app).await;
    let mut workers: Vec<_> = (0..4).map(|_| app.start(&["run", "--once"])).collect(); // two loads each
    for worker in &mut workers {
        assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    }
    assert!(app.uploads().await.iter().all(|upload| upload.status == UploadStatus::Loaded && upload.attempts == 1));
    assert_one_holder_each(&app).await;
}

async fn workers_that_are_killed_leave_each_key_one_holder(to: To) {
    let seed = uuid::Uuid::new_v4().as_u128() as u64;
    println!("seed {seed}");
    let mut app = app(to, WINDOW).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.set("WORKER_MAX_ATTEMPTS", "1000");
    drop_overlapping_files(&app).await;
    let mut kills = 0;
    for round in 0..8 {
        let mut workers = [app.start(&["run"]), app.start(&["run"])];
        tokio::time::sleep(Duration::from_millis(60 + (seed >> (round * 8)) % 256)).await;
        for worker in &mut workers {
            worker.signal(libc::SIGKILL);
            worker.wait();
        }
        if all_settled(&app).await {
            break;
        }
        kills += 1;
    }
    assert!(kills > 0, "no worker was killed in the middle");
    let _worker = app.start(&["run"]);
    app.wait_until("all uploads are settled", async || all_settled(&app).await).await;
    assert_one_holder_each(&app).await;
}

/// Somebody else's load of campaign 7, as far as others can tell.
async fn take_the_turn(app: &TestApp) -> PgConnection {
    let mut other = PgConnection::connect(&app.store_url).await.expect("the server answers");
    other.execute("select pg_advisory_lock(1264, 7)").await.expect("the lock is free");
    other
}

async fn start_one_that_waits(app: &TestApp) -> crate::support::app::Running {
    app.drop_file("1.csv", file(&["A1 5125550101"])).await;
    let worker = app.start(&["run"]);
    app.wait_until("the upload is claimed", async || {
        app.uploads().await.first().is_some_and(|upload| upload.status == UploadStatus::Claimed)
    })
    .await;
    worker
}

#[tokio::test]
async fn who_waits_for_its_turn_keeps_its_claim() {
    let mut app = app(To::Postgres, WINDOW).await;
    app.set("WORKER_LEASE_SECONDS", "4");
    let other = take_the_turn(&app).await;
    let _waiting = start_one_that_waits(&app).await;
    let _second = app.start(&["run"]);
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    assert!(app.batches().await.is_empty(), "it is another's turn");
    drop(other);
    app.wait_until("it is loaded", async || !app.batches().await.is_empty()).await;
    assert_eq!(app.uploads().await[0].attempts, 1, "nobody took it over meanwhile");
}

#[tokio::test]
async fn who_waits_for_its_turn_hears_a_stop() {
    let mut app = app(To::Postgres, WINDOW).await;
    app.set("WORKER_LEASE_SECONDS", "3600"); // nothing else ends its wait
    let _other = take_the_turn(&app).await;
    let mut worker = start_one_that_waits(&app).await;
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(), Some(0), "{}", worker.log());
    assert_eq!(app.uploads().await[0].status, UploadStatus::Waiting, "given back");
}

/// A worker that stands still in the middle of a load has the turn; with its lease it loses that too.
#[tokio::test]
async fn a_frozen_worker_does_not_keep_the_turn() {
    let mut app = app(To::Postgres, WINDOW).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    let rows: Vec<String> = (0..100_000).map(|at| format!("F{at} {}", number(100 + at % 100))).collect();
    app.drop_file("big.csv", file(&rows.iter().map(String::as_str).collect::<Vec<_>>())).await;
    let frozen = app.start(&["run"]);
    let mut looking = PgConnection::connect(&app.store_url).await.expect("the server answers");
    let turn = "select count(*) from pg_locks where locktype = 'advisory' and classid = 1264 and granted";
    while sqlx::query_scalar::<_, i64>(turn).fetch_one(&mut looking).await.expect("a count") == 0 {
        assert!(app.batches().await.is_empty(), "the load was too fast to be met in the middle");
    }
    frozen.signal(libc::SIGSTOP);
    assert!(app.batches().await.is_empty(), "stopped in the middle");
    let _other = app.start(&["run"]);
    app.wait_until("another worker has loaded it", async || !app.batches().await.is_empty()).await;
    frozen.signal(libc::SIGCONT);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let batches = app.batches().await;
    assert_eq!((batches.len(), batches[0].count("PENDING")), (1, 100_000));
}
