//! Counts by status are right at every look, while senders report and workers fold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use batchdrop::store::Store;
use tokio::task::JoinSet;

use super::{Place, batch_id, claim_new, draft, load_new, pending, publish};
use crate::support::app::{In, TestApp, To, contacts};
use crate::support::dice::Dice;

every_store! {
    counts_are_right_at_every_look_while_senders_report_and_workers_fold
    folding_changes_no_count
}

const ROWS: u64 = 40;
const SENDERS: u64 = 3;
const REPORTS: u32 = 60;

/// What is shown, and what there is: in one statement, so that both are of one moment.
fn look(place: &Place) -> String {
    let object = if place.is_sqlite() { "json_group_object" } else { "jsonb_object_agg" };
    let text = if place.is_sqlite() { "" } else { "::text" };
    format!(
        "select status_counts{text} || ' ' || (select {object}(request_status, requests){text}
         from (select request_status, count(*) as requests from requests r where r.batch_id = b.batch_id
               group by request_status order by request_status) as counted)
         from batch_details b order by batch_id"
    )
}

/// Both halves as maps; they must be the same.
fn assert_right(looked: &[String]) {
    for line in looked {
        let (shown, counted) = line.split_once("} {").expect("two objects");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&format!("{shown}}}")), read(&format!("{{{counted}")), "what is shown, and what there is");
    }
}

/// Reports on one row, on several, or on none after all.
async fn report(mut session: super::Session, is_sqlite: bool, batches: Arc<[String]>) {
    let mut dice = Dice::new();
    for _ in 0..REPORTS {
        let batch = &batches[dice.roll(batches.len() as u64) as usize];
        let status = ["INITIATED", "CONNECTED", "COMPLETED", "FAILED", "PENDING"][dice.roll(5) as usize];
        let first = dice.roll(ROWS) + 1;
        let last = first + dice.roll(4);
        session.run(if is_sqlite { "begin immediate" } else { "begin" }).await.unwrap();
        let sql = format!(
            "update requests set request_status = '{status}' where batch_id = '{batch}' and row_number between {first} and {last}"
        );
        // Of two senders that take the same rows from both ends, PostgreSQL sends one away.
        let is_done = session.run(&sql).await.is_ok() && dice.roll(5) > 0;
        session.run(if is_done { "commit" } else { "rollback" }).await.unwrap();
    }
}

/// Folds as a worker does, only all the time.
async fn fold(store: Store, ended: Arc<AtomicBool>) {
    while !ended.load(Ordering::Relaxed) {
        store.fold().await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// The same in small pieces, as if there were very many changes.
async fn fold_little(mut session: super::Session, ended: Arc<AtomicBool>) {
    let sql = include_str!("../../../src/store/postgres/queries/fold.sql").replace("limit $1", "limit 3");
    let sql = sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    while !ended.load(Ordering::Relaxed) {
        session.run(&sql).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn counts_are_right_at_every_look_while_senders_report_and_workers_fold(place: &Place) {
    let store = place.store().await;
    let rows: Vec<_> = (1..=ROWS).map(|row| pending(format!("A{row}"), &["Zoë", "10"])).collect();
    let mut batches = vec![];
    for file in ["a.csv", "b.csv"] {
        let claim = claim_new(&store, file).await;
        batches.push(batch_id(publish(&store, &claim, &draft(file, &rows), &rows).await.unwrap()));
    }
    let batches: Arc<[String]> = batches.into();
    let ended = Arc::new(AtomicBool::new(false));
    let (mut senders, mut workers) = (JoinSet::new(), JoinSet::new());
    for _ in 0..SENDERS {
        senders.spawn(report(place.session().await, place.is_sqlite(), batches.clone()));
    }
    for _ in 0..2 {
        workers.spawn(fold(place.connect().await, ended.clone()));
    }
    if !place.is_sqlite() {
        workers.spawn(fold_little(place.session().await, ended.clone()));
    }
    let (mut reader, look) = (place.session().await, look(place));
    let mut looks = 0;
    while !senders.is_empty() {
        assert_right(&reader.texts(&look).await.unwrap());
        looks += 1;
        while let Some(ended) = senders.try_join_next() {
            ended.unwrap();
        }
    }
    assert!(looks > 20, "only {looks} looks");
    ended.store(true, Ordering::Relaxed);
    workers.join_all().await;
    while store.fold().await.unwrap() {}
    let looked = reader.texts(&look).await.unwrap();
    assert_right(&looked);
    assert!(looked.len() == 2 && looked.iter().any(|line| line.contains("COMPLETED")), "{looked:?}");
    // Nothing is left but one row a batch and status.
    let rest = if place.is_sqlite() { "requests < 0" } else { "not folded or change < 0" };
    assert_eq!(place.texts(&format!("select request_status from request_tally where {rest}")).await, [""; 0]);
}

async fn folding_changes_no_count(place: &Place) {
    let store = place.store().await;
    let id = load_new(&store, "a.csv").await;
    for change in
        ["request_status = 'COMPLETED' where row_number = 1", "request_status = 'FAILED' where row_number <> 2"]
    {
        place.run(&format!("update requests set {change}")).await.unwrap();
        let before = store.batch(&id).await.unwrap().unwrap().status_counts;
        assert!(!store.fold().await.unwrap(), "so few are folded at once");
        assert_eq!(store.batch(&id).await.unwrap().unwrap().status_counts, before);
    }
    let counts = store.batch(&id).await.unwrap().unwrap().status_counts;
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("FAILED".to_owned(), 2), ("PENDING".to_owned(), 1)]);
}

/// How many changes are not folded.
async fn changes(app: &TestApp) -> i64 {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(&app.store_url).await.unwrap();
    let count = sqlx::query_scalar("select count(*) from request_tally where not folded");
    count.fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn a_worker_folds_what_senders_report_whether_it_stays_or_not() {
    let app = TestApp::new(In::Folder, To::Postgres).await;
    app.drop_file("a.csv", contacts(100, 1)).await;
    app.settle().await;
    let running = app.start(&["run"]);
    app.run_sql("update requests set request_status = 'INITIATED' where request_status = 'PENDING'").await;
    app.wait_until("it is folded", async || changes(&app).await == 0).await;
    drop(running);

    app.run_sql("update requests set request_status = 'COMPLETED' where request_status = 'INITIATED'").await;
    assert!(changes(&app).await > 100);
    app.settle().await;
    assert_eq!(changes(&app).await, 0);
    assert_eq!(app.batch_of("a.csv").await.status_counts.get("COMPLETED"), Some(&97));
}

#[tokio::test]
async fn senders_do_not_wait_for_a_worker_that_folds_in_postgresql() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let id = load_new(&store, "a.csv").await;
    place.run("update requests set request_status = 'INITIATED'").await.unwrap();
    let (mut worker, mut sender) = (place.session().await, place.session().await);
    worker.run("begin").await.unwrap();
    let fold = include_str!("../../../src/store/postgres/queries/fold.sql").replace("limit $1", "limit 1000");
    let fold = fold.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    worker.run(&fold).await.unwrap();
    let report = sender.run("update requests set request_status = 'COMPLETED' where row_number = 1");
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), report).await.expect("it does not wait").unwrap(), 1);
    worker.run("commit").await.unwrap();
    assert!(!store.fold().await.unwrap());
    let counts = store.batch(&id).await.unwrap().unwrap().status_counts;
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("COMPLETED".to_owned(), 1), ("INITIATED".to_owned(), 2)]);
}
