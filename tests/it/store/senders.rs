//! Others: whoever contacts people takes requests and reports on them through the view `requests`.

use std::time::Duration;

use batchdrop::model::Batch;

use super::{Place, load_new};

every_store! {
    what_a_sender_reports_is_told_and_counted
    a_status_that_nobody_has_heard_of_is_taken
    many_reports_in_one_statement_are_counted
    of_a_request_nothing_else_can_be_changed
    of_two_senders_that_take_a_request_at_once_one_gets_it
}

async fn batch(place: &Place, id: &str) -> Batch {
    place.store().await.batch(id).await.unwrap().unwrap()
}

fn counts(batch: &Batch) -> Vec<(&str, u64)> {
    batch.status_counts.iter().map(|(status, count)| (status.as_str(), *count)).collect()
}

async fn what_a_sender_reports_is_told_and_counted(place: &Place) {
    let store = place.store().await;
    let (id, other) = (load_new(&store, "a.csv").await, load_new(&store, "b.csv").await);
    let report = |row: u32, change: &str| {
        let sql = format!("update requests set {change} where batch_id = '{id}' and row_number = {row}");
        async move { place.run(&sql).await.unwrap() }
    };
    report(2, "request_status = 'COMPLETED', sent_at = '2025-08-12T10:00:00Z', attempt_count = 2").await;
    assert_eq!(counts(&batch(place, &id).await), [("COMPLETED", 1), ("PENDING", 2)]);
    report(1, "request_status = 'INITIATED'").await;
    report(1, "request_status = 'FAILED', attempt_count = 1").await;
    report(3, "attempt_count = 5").await; // moves no count
    report(3, "request_status = 'PENDING'").await;
    assert_eq!(counts(&batch(place, &id).await), [("COMPLETED", 1), ("FAILED", 1), ("PENDING", 1)]);
    assert_eq!(counts(&batch(place, &other).await), [("PENDING", 3)], "its neighbour's stay");

    let requests = store.requests(&id, 0, 10).await.unwrap();
    let reported: Vec<_> = requests.iter().map(|r| (r.request_status.as_str(), r.sent_at, r.attempt_count)).collect();
    let ten = "2025-08-12T10:00:00Z".parse().unwrap();
    assert_eq!(reported, [("FAILED", None, 1), ("COMPLETED", Some(ten), 2), ("PENDING", None, 5)]);
    assert_eq!(requests[1].reference_id, "A2");
    assert_eq!(requests[1].request_variables["name"], "Max");
}

async fn a_status_that_nobody_has_heard_of_is_taken(place: &Place) {
    let id = load_new(&place.store().await, "a.csv").await;
    place.run("update requests set request_status = 'LEFT_VOICEMAIL' where row_number = 1").await.unwrap();
    assert_eq!(counts(&batch(place, &id).await), [("LEFT_VOICEMAIL", 1), ("PENDING", 2)]);
    assert_eq!(place.store().await.requests(&id, 0, 1).await.unwrap()[0].request_status, "LEFT_VOICEMAIL");
}

async fn many_reports_in_one_statement_are_counted(place: &Place) {
    let store = place.store().await;
    let (one, two) = (load_new(&store, "a.csv").await, load_new(&store, "b.csv").await);
    place.run("update requests set request_status = 'CANCELED' where reference_id <> 'A2'").await.unwrap();
    for id in [&one, &two] {
        assert_eq!(counts(&batch(place, id).await), [("CANCELED", 2), ("PENDING", 1)]);
    }
    place.run("update requests set request_status = 'CANCELED'").await.unwrap();
    assert_eq!(counts(&batch(place, &one).await), [("CANCELED", 3)], "no zeros");
}

async fn of_a_request_nothing_else_can_be_changed(place: &Place) {
    load_new(&place.store().await, "a.csv").await;
    let before = place.dump().await;
    for change in [
        "target = '+15125550199'",
        "target_extension = '5'",
        "reference_id = 'B1'",
        "batch_id = '20250812.2'",
        "row_number = row_number + 10",
        "error_message = 'x'",
        "request_status = 'COMPLETED', target = '+15125550199'", // what is allowed does not carry the rest along
    ] {
        let refused = place.run(&format!("update requests set {change}")).await;
        let told = refused.expect_err(change).to_string();
        assert!(told.contains("only request_status, sent_at and attempt_count may be changed"), "{change}: {told}");
        assert_eq!(place.dump().await, before, "{change}");
    }
    place.run("delete from requests").await.expect_err("nor deleted");
    assert_eq!(place.dump().await, before);
    // Programs that write every column of a row back are let through.
    place.run("update requests set target = target, sent_at = '2025-08-12T10:00:00Z'").await.unwrap();
    assert_ne!(place.dump().await, before);
}

/// Both saw it PENDING. `returning` tells on both databases who got it; PostgreSQL also counts it in its answer.
const TAKE: &str = "update requests set request_status = 'INITIATED' \
    where batch_id = '20250812.1' and row_number = 2 and request_status = 'PENDING' returning reference_id";

async fn of_two_senders_that_take_a_request_at_once_one_gets_it(place: &Place) {
    let id = load_new(&place.store().await, "a.csv").await;
    let (mut one, mut two) = (place.session().await, place.session().await);
    one.run(if place.is_sqlite() { "begin immediate" } else { "begin" }).await.unwrap();
    assert_eq!(one.texts(TAKE).await.unwrap(), ["A2"]);
    let mut waiting = tokio::spawn(async move { two.texts(TAKE).await.unwrap() });
    tokio::time::timeout(Duration::from_millis(300), &mut waiting).await.expect_err("it waits for the first");
    one.run("commit").await.unwrap();
    assert_eq!(waiting.await.unwrap(), [""; 0], "and finds that it was too late");
    assert_eq!(counts(&batch(place, &id).await), [("INITIATED", 1), ("PENDING", 2)]);
}

#[tokio::test]
async fn postgresql_also_counts_who_got_it() {
    let place = Place::postgres().await;
    let id = load_new(&place.store().await, "a.csv").await;
    let take = TAKE.replace(" returning reference_id", "");
    let (mut one, mut two) = (place.session().await, place.session().await);
    one.run("begin").await.unwrap();
    assert_eq!(one.run(&take).await.unwrap(), 1);
    let waiting = tokio::spawn(async move { two.run(&take).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.run("commit").await.unwrap();
    assert_eq!(waiting.await.unwrap(), 0);
    assert_eq!(counts(&batch(&place, &id).await), [("INITIATED", 1), ("PENDING", 2)]);
}

#[tokio::test]
async fn senders_on_one_batch_do_not_wait_for_each_other_in_postgresql() {
    let place = Place::postgres().await;
    let id = load_new(&place.store().await, "a.csv").await;
    let (mut one, mut two) = (place.session().await, place.session().await);
    for (session, row) in [(&mut one, 1), (&mut two, 2)] {
        session.run("begin").await.unwrap();
        let report = format!("update requests set request_status = 'COMPLETED' where row_number = {row}");
        let reporting = tokio::time::timeout(Duration::from_secs(5), session.run(&report));
        assert_eq!(reporting.await.expect("the batch's counts are no lock").unwrap(), 1);
    }
    one.run("commit").await.unwrap();
    two.run("rollback").await.unwrap();
    assert_eq!(counts(&batch(&place, &id).await), [("COMPLETED", 1), ("PENDING", 2)]);
}
