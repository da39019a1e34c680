//! What only a server can do: plan badly, and go away in the middle.

use std::time::Duration;

use batchdrop::model::{IntakeStatus, RowCode};
use batchdrop::store::{ErrorKind, Load, Store};
use sqlx::AssertSqlSafe;
use tokio::net::TcpListener;

use super::{
    BUCKET, Place, Pool, Row, assert_kind, batch_id, chunks, claim_new, draft, load_new, object, open_load, pending,
    publish, some_rows, told, verdicts,
};

/// The plan of a statement with these parameters, as text.
async fn plan(place: &Place, sql: &'static str, token: &str) -> String {
    let Pool::Postgres(pool) = &place.pool else { panic!("of PostgreSQL only") };
    let explained = sqlx::query_scalar::<_, String>(AssertSqlSafe(format!("explain {sql}")));
    let explained = explained.bind(BUCKET).bind(token).bind("worker-1").bind(60.0).bind(Some(1_000_i64));
    explained.fetch_all(pool).await.unwrap().join("\n")
}

#[tokio::test]
async fn a_claim_reads_only_what_is_open() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let listing: Vec<_> = (0..5_010).map(|n| object(&format!("{n}.csv"), n)).collect();
    assert_eq!(store.record(BUCKET, &listing).await.unwrap(), 5_010);
    let settle = "update uploads set status = 'GONE', available_at = null, settled_at = now() where upload_id <= 5000";
    assert_eq!(place.run(settle).await.unwrap(), 5_000);
    place.run("analyze").await.unwrap();
    let plan = plan(&place, include_str!("../../../src/store/postgres/queries/claim.sql"), "token").await;
    assert!(plan.contains("uploads_open"), "{plan}");
    assert!(!plan.contains("Seq Scan on uploads"), "{plan}");
}

#[tokio::test]
async fn a_late_publication_does_not_hide_its_upload_from_others() {
    let place = Place::postgres().await;
    let store = place.store().await;
    store.record(BUCKET, &[object("a.csv", 0)]).await.unwrap();
    store.claim(BUCKET, "slow", Duration::ZERO, None).await.unwrap().unwrap();
    // As its batch's foreign key does, while the slow worker has not yet come to the fence.
    let mut slow = place.session().await;
    slow.run("begin").await.unwrap();
    slow.run("select from uploads for key share").await.unwrap();
    let claim = super::claim(&store).await.expect("its lease is over");
    assert_eq!(claim.attempt, 2);
    slow.run("rollback").await.unwrap();
}

/// One row, one reference_id and the findings of a batch are looked for in that batch alone, by its key.
#[tokio::test]
async fn a_batch_is_read_by_its_key() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let refused = Row {
        status: IntakeStatus::Invalid,
        code: Some(RowCode::InvalidPhone),
        message: "too short",
        ..pending("refused", &["", ""])
    };
    for batch in 1..=20 {
        let rows: Vec<Row> = (0..500)
            .map(|n| if n % 50 == 0 { refused.clone() } else { pending(format!("{batch}R{n}"), &["Zoë", "10"]) })
            .collect();
        let file = format!("{batch}.csv");
        let claim = claim_new(&store, &file).await;
        publish(&store, &claim, &draft(&file, &rows), &rows).await.unwrap();
    }
    place.run("analyze").await.unwrap();
    for (condition, index) in [
        ("row_number = 77", "request_rows_pkey"),
        ("reference_id = '1R321'", "request_rows_pkey"),
        ("error_code = 'INVALID_PHONE'", "request_rows_rejects"),
    ] {
        let plan =
            place.texts(&format!("explain select * from requests where batch_id = '20250812.1' and {condition}")).await;
        let plan = plan.join("\n");
        assert!(plan.contains(&format!("on {index} ")) || plan.contains(&format!("using {index} ")), "{plan}");
    }
    let found = "select reference_id from requests where batch_id = '20250812.1' and reference_id = '1R321'";
    assert_eq!(place.texts(found).await, ["1R321"]);
}

/// Page by page, each row is read once, also where the server has not had the time to gather statistics: if each page
/// collected all that are left, a file of millions of repeats would never be answered.
#[tokio::test]
async fn rejects_are_read_once_each_right_after_the_load() {
    const REJECTS: u32 = 50_000;
    const PAGE: u32 = 1_000;
    let place = Place::postgres().await;
    let store = place.store().await;
    let batch_id = load_new(&store, "a.csv").await;
    place.run("delete from request_rows").await.unwrap();
    let insert = format!(
        "insert into request_rows (batch_key, row_number, line, request_status, reference_id, target, cells, error_code, error_message)
         select batch_key, i, i + 1, 'DUPLICATE', 'A1', '+15125550100', array['Ana'], 'DUPLICATE_REFERENCE', 'the same'
         from batches, generate_series(1, {REJECTS}) as i"
    );
    place.run(&insert).await.unwrap();
    for after in (0..REJECTS).step_by(PAGE as usize) {
        let page = store.rejects(&batch_id, after, PAGE).await.unwrap();
        assert!(page.iter().map(|reject| reject.row_number).eq(after + 1..=after + PAGE));
    }
    store.close().await; // what its sessions have counted, they tell at their end
    let read = "select sum(idx_tup_read)::text from pg_stat_user_indexes where relname = 'request_rows'";
    let mut entries = 0;
    for _ in 0..100 {
        entries = place.texts(read).await[0].parse::<u32>().unwrap();
        if entries >= REJECTS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((REJECTS..2 * REJECTS).contains(&entries), "{entries} entries of an index were read");
}

/// Ends such of the stores' connections, and says how many.
async fn cut(place: &Place, such: &str) -> usize {
    // In two steps: in one, PostgreSQL may end a connection before it has looked at the other conditions.
    let cut = format!(
        "with such as materialized (select pid from pg_stat_activity where datname = current_database()
                                    and application_name = 'batchdrop' and {such})
         select 'cut' from such where pg_terminate_backend(pid)"
    );
    place.texts(&cut).await.len()
}

/// Ends the connection of the load that is under way, as an operator or a failing server does.
async fn cut_the_loading_connection(place: &Place) {
    for _ in 0..100 {
        if cut(place, "state <> 'idle' and query like 'copy request_rows%'").await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await; // the COPY has not begun yet
    }
    panic!("there is no load under way");
}

async fn load_under_way(store: &Store, place: &Place) -> Load {
    let load = open_load(store, &some_rows()).await;
    cut_the_loading_connection(place).await;
    load
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_load_is_transient_and_leaves_nothing() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let rows = some_rows();
    let claim = claim_new(&store, "a.csv").await;

    // Noticed when publishing…
    let load = load_under_way(&store, &place).await;
    let published = load.publish(&claim, &draft("a.csv", &rows), verdicts(&rows)).await;
    assert_kind(published, ErrorKind::Transient, "publish");
    assert_eq!((place.stored().await, store.outcome(&claim).await.unwrap()), (0, None));

    // …or at the next rows, in which case the load can still be put away in any manner.
    for way in ["drop", "discard", "publish", "rows"] {
        let mut load = load_under_way(&store, &place).await;
        let error = loop {
            match load.rows(&chunks(&rows, 3)[0]).await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind, ErrorKind::Transient, "{}", told(&error));
        match way {
            "drop" => drop(load),
            "discard" => load.discard().await.unwrap(),
            "publish" => drop(load.publish(&claim, &draft("a.csv", &rows), verdicts(&rows)).await.unwrap_err()),
            _ => drop(load.rows(&chunks(&rows, 3)[0]).await.unwrap_err()),
        }
        assert_eq!(place.stored().await, 0, "{way}");
    }

    // The claim still stands, and the upload is loaded after all; its batch is the first of the day.
    store.retry(&claim, "the connection was lost", Duration::ZERO).await.unwrap();
    let again = super::claim(&store).await.unwrap();
    assert_eq!((again.attempt, again.upload_id), (2, claim.upload_id));
    assert_eq!(batch_id(publish(&store, &again, &draft("a.csv", &rows), &rows).await.unwrap()), "20250812.1");
    assert_eq!(place.texts("select reference_id from requests").await.len(), 3);
}

#[tokio::test]
async fn a_worker_that_freezes_while_publishing_does_not_stop_the_others() {
    let place = Place::postgres().await;
    let slow_down = "do $$ begin execute format('alter database %I set idle_in_transaction_session_timeout = ''1s''',
                     current_database()); end $$"; // the store's own time, a minute, is long for a test
    place.run(slow_down).await.unwrap();
    let (frozen, other) = (place.store().await, place.store().await);
    let rows = some_rows();
    let claim = claim_new(&frozen, "a.csv").await;
    let load = open_load(&frozen, &rows).await;

    // It stops behind the day's number, in its last steps, and is never heard of again.
    let mut gate = place.session().await;
    gate.run("begin").await.unwrap();
    gate.run("lock table request_tally in exclusive mode").await.unwrap();
    let draft_of_a = draft("a.csv", &rows);
    let mut publishing = std::pin::pin!(load.publish(&claim, &draft_of_a, verdicts(&rows)));
    tokio::time::timeout(Duration::from_millis(500), &mut publishing).await.expect_err("the gate is closed");
    gate.run("rollback").await.unwrap();

    let loading = tokio::time::timeout(Duration::from_secs(20), load_new(&other, "b.csv"));
    assert_eq!(loading.await.expect("the day's counter is free again"), "20250812.1");
    // Awake at last, it learns that it was too late.
    assert_kind(publishing.await, ErrorKind::Transient, "publish");
    assert_eq!(frozen.outcome(&claim).await.unwrap(), None);
    assert_eq!(batch_id(publish(&frozen, &claim, &draft_of_a, &rows).await.unwrap()), "20250812.2");
}

#[tokio::test]
async fn a_discarded_load_that_was_cut_is_no_trouble() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let load = load_under_way(&store, &place).await;
    // Nothing is stored either way; only that it ends matters.
    let _ = tokio::time::timeout(Duration::from_secs(10), load.discard()).await.expect("it ends");
    load_new(&store, "a.csv").await;
}

#[tokio::test]
async fn idle_connections_that_were_cut_are_replaced() {
    let place = Place::postgres().await;
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    assert!(cut(&place, "state = 'idle'").await > 0);
    load_new(&store, "b.csv").await;
}

#[tokio::test]
async fn a_server_that_hangs_up_is_transient_and_a_wrong_address_permanent() {
    let connect = async |url: &str| {
        let config = batchdrop::store::StoreConfig { url: url.to_owned(), ..Default::default() };
        Store::connect(&config).await.map(drop)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs_up = format!("postgres://app:s3cret@{}/calls", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    for (url, kind) in [
        (hangs_up.as_str(), ErrorKind::Transient),
        ("postgres://app:s3cret@127.0.0.1:x/calls", ErrorKind::Permanent),
        ("mysql://app:s3cret@127.0.0.1/calls", ErrorKind::Permanent),
        ("", ErrorKind::Permanent),
    ] {
        let error = connect(url).await.unwrap_err();
        assert_eq!(error.kind, kind, "{url}: {}", told(&error));
        assert!(!told(&error).contains("s3cret"), "{}", told(&error));
    }
    let missing = place_beside(&Place::postgres().await.url);
    assert_kind(connect(&missing).await, ErrorKind::Permanent, "a database that is not there");
}

/// The address of a database of another name on the same server.
fn place_beside(url: &str) -> String {
    let (server, query) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = server.rsplit_once('/').unwrap();
    format!("{server}/there_is_none?{query}")
}
