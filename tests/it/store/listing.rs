//! Lists of batches and uploads: what is asked for, in the order that is asked for, page by page.

use batchdrop::model::{
    BatchDraft, BatchOrder, BatchQuery, BatchStatus, Direction, FileCode, UploadQuery, UploadStatus,
};
use batchdrop::store::Store;
use chrono::TimeDelta;

use super::{Place, batch_id, claim_new, day, draft, publish, record, some_rows};

every_store! {
    every_filter_of_batches_asks_for_those_that_it_names
    every_order_of_batches_goes_both_ways
    pages_of_batches_join_without_gap_or_overlap
    what_a_user_typed_is_only_ever_compared
    uploads_are_listed_by_status_and_name
}

/// Twelve batches of two days and two campaigns; the third of each day FAILED.
async fn fill(store: &Store) -> Vec<String> {
    let rows = some_rows();
    let mut ids = vec![];
    for n in 0..12 {
        let (name, campaign_id) = if n % 2 == 0 { ("late_payments", 7) } else { ("appointments", 8) };
        let file = format!("{}_{n:02}.csv", name.to_uppercase());
        let draft = BatchDraft {
            campaign_id,
            campaign_name: name.to_owned(),
            received_on: day(11 + n / 6),
            hold: n == 1,
            expires_after: (n == 4 || n == 5).then(|| std::time::Duration::from_secs(3600 * (10 - u64::from(n)))),
            last_updated_by: if n == 3 { "ana@example.com" } else { "worker@example.com" }.to_owned(),
            ..draft(&file, &rows)
        };
        let claim = claim_new(store, &file).await;
        ids.push(if n % 6 == 2 {
            store.fail(&claim, &draft, FileCode::NoValidRows, "No row can be used").await.unwrap()
        } else {
            batch_id(publish(store, &claim, &draft, &rows).await.unwrap())
        });
    }
    ids
}

/// The numbers of those that are listed, as `fill` counts them, and the total.
async fn listed(store: &Store, ids: &[String], query: &BatchQuery) -> (Vec<usize>, u64) {
    let page = store.list_batches(query).await.unwrap();
    let numbers = page.iter().map(|batch| ids.iter().position(|id| *id == batch.batch_id).unwrap());
    (numbers.collect(), store.count_batches(query).await.unwrap())
}

fn oldest_first() -> BatchQuery {
    BatchQuery { direction: Direction::Ascending, ..Default::default() }
}

async fn every_filter_of_batches_asks_for_those_that_it_names(place: &Place) {
    let store = place.store().await;
    let ids = fill(&store).await;
    let all = store.list_batches(&oldest_first()).await.unwrap();
    let (fourth, seventh) = (&all[4], &all[7]);
    assert_eq!(all[0].status_counts["PENDING"], 3, "a listed batch is told whole");

    let all = oldest_first;
    for (what, query, expected) in [
        ("nothing", all(), (0..12).collect()),
        ("batch_id", BatchQuery { batch_id: Some("20250812.1".into()), ..all() }, vec![6]),
        ("campaign_id", BatchQuery { campaign_id: Some(8), ..all() }, vec![1, 3, 5, 7, 9, 11]),
        ("campaign_name", BatchQuery { campaign_name: Some("late_payments".into()), ..all() }, vec![0, 2, 4, 6, 8, 10]),
        ("a part of a name", BatchQuery { campaign_name: Some("late".into()), ..all() }, vec![]),
        ("FAILED", BatchQuery { status: Some(BatchStatus::Failed), ..all() }, vec![2, 8]),
        ("PAUSED", BatchQuery { status: Some(BatchStatus::Paused), ..all() }, vec![1]),
        ("CANCELED", BatchQuery { status: Some(BatchStatus::Canceled), ..all() }, vec![]),
        ("filename", BatchQuery { filename: Some("payments_1".into()), ..all() }, vec![10]),
        ("last_updated_by", BatchQuery { last_updated_by: Some("ana@example.com".into()), ..all() }, vec![3]),
        ("created_from", BatchQuery { created_from: Some(seventh.created_at), ..all() }, (7..12).collect()),
        ("created_before", BatchQuery { created_before: Some(seventh.created_at), ..all() }, (0..7).collect()),
        ("expires_on", BatchQuery { expires_on: fourth.expires_on, ..all() }, vec![4]),
        ("last_updated_at", BatchQuery { last_updated_at: Some(seventh.last_updated_at), ..all() }, vec![7]),
        (
            "all of several",
            BatchQuery { campaign_id: Some(7), status: Some(BatchStatus::Active), filename: Some("0".into()), ..all() },
            vec![0, 4, 6, 10],
        ),
    ] {
        let total = expected.len() as u64;
        assert_eq!(listed(&store, &ids, &query).await, (expected, total), "{what}");
    }
    // Another place on earth says the same instant otherwise, and no filter is cut to the second.
    let just_before = seventh.created_at - TimeDelta::milliseconds(1);
    let query = BatchQuery { created_from: Some(just_before), created_before: Some(seventh.created_at), ..all() };
    assert!(!listed(&store, &ids, &query).await.0.contains(&7));
}

async fn every_order_of_batches_goes_both_ways(place: &Place) {
    let store = place.store().await;
    let ids = fill(&store).await;
    place.run(&format!("update batches set rows_read = 100 where batch_id = '{}'", ids[9])).await.unwrap();
    let later = if place.is_sqlite() { "'2100-01-01T00:00:00.000Z'" } else { "timestamptz '2100-01-01T00:00:00Z'" };
    place.run(&format!("update batches set last_updated_at = {later} where batch_id = '{}'", ids[5])).await.unwrap();

    let by_day: Vec<usize> = (0..12).collect();
    let moved = |first: &[usize], last: &[usize]| {
        let middle = by_day.iter().filter(|n| !first.contains(n) && !last.contains(n));
        first.iter().chain(middle).chain(last).copied().collect::<Vec<_>>()
    };
    let (even, odd) = ([0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]);
    for (order, ascending, unset) in [
        (BatchOrder::BatchId, by_day.clone(), 0),
        (BatchOrder::CampaignId, moved(&even, &odd), 0),
        (BatchOrder::CampaignName, moved(&odd, &even), 0),
        (BatchOrder::Filename, moved(&odd, &even), 0),
        (BatchOrder::Status, moved(&[], &[2, 8, 1]), 0),
        (BatchOrder::RowsRead, moved(&[], &[9]), 0),
        (BatchOrder::CreatedAt, by_day.clone(), 0),
        (BatchOrder::LastUpdatedAt, moved(&[], &[5]), 0),
        // The one that was made fifth expires an hour after the one that was made sixth. Ten never do.
        (BatchOrder::ExpiresOn, moved(&[5, 4], &[]), 10),
    ] {
        let query = BatchQuery { order, direction: Direction::Ascending, ..Default::default() };
        assert_eq!(listed(&store, &ids, &query).await.0, ascending, "{order:?}");
        let mut descending: Vec<usize> = ascending.into_iter().rev().collect();
        descending.rotate_left(unset); // those without a value stay behind the others
        let query = BatchQuery { direction: Direction::Descending, ..query };
        assert_eq!(listed(&store, &ids, &query).await.0, descending, "{order:?}, backwards");
    }
}

async fn pages_of_batches_join_without_gap_or_overlap(place: &Place) {
    let store = place.store().await;
    let ids = fill(&store).await;
    for order in [BatchOrder::BatchId, BatchOrder::Status] {
        let whole = listed(&store, &ids, &BatchQuery { order, ..Default::default() }).await.0;
        let mut joined = vec![];
        for offset in (0..15).step_by(5) {
            let (page, total) =
                listed(&store, &ids, &BatchQuery { order, offset, limit: 5, ..Default::default() }).await;
            assert_eq!(total, 12, "the total is that of all pages");
            joined.extend(page);
        }
        assert_eq!(joined, whole);
    }
    for offset in [12, u64::MAX] {
        let beyond = BatchQuery { offset, ..Default::default() };
        assert_eq!(listed(&store, &ids, &beyond).await, (vec![], 12));
    }
    let none = BatchQuery { limit: 0, ..Default::default() };
    assert_eq!(listed(&store, &ids, &none).await, (vec![], 12));
}

async fn what_a_user_typed_is_only_ever_compared(place: &Place) {
    let store = place.store().await;
    let ids = fill(&store).await;
    let before = place.dump().await;
    for typed in ["' or 1=1 --", "%", "_0", "\\", "$1", "'; drop table batches; --", "*.csv", "\u{1F4DE}"] {
        for query in [
            BatchQuery { filename: Some(typed.to_owned()), ..Default::default() },
            BatchQuery { campaign_name: Some(typed.to_owned()), ..Default::default() },
            BatchQuery { batch_id: Some(typed.to_owned()), ..Default::default() },
            BatchQuery { last_updated_by: Some(typed.to_owned()), ..Default::default() },
        ] {
            // A wildcard of SQL is an ordinary character: "_0" stands in the files' names.
            let expected = if query.filename.as_deref() == Some("_0") { 10 } else { 0 };
            assert_eq!(listed(&store, &ids, &query).await.1, expected, "{query:?}");
        }
    }
    assert_eq!(place.dump().await, before);
}

async fn uploads_are_listed_by_status_and_name(place: &Place) {
    let store = place.store().await;
    fill(&store).await;
    record(&store, "in/Late_payments_waiting.csv").await;
    let list = async |query: UploadQuery| {
        let page = store.list_uploads(&query).await.unwrap();
        let total = store.count_uploads(&query).await.unwrap();
        (page.into_iter().map(|upload| upload.upload_id).collect::<Vec<_>>(), total)
    };
    let of_status = |status| UploadQuery { status: Some(status), ..Default::default() };
    assert_eq!(list(UploadQuery::default()).await, ((1..=13).rev().collect(), 13));
    assert_eq!(list(of_status(UploadStatus::Failed)).await, (vec![9, 3], 2));
    assert_eq!(list(of_status(UploadStatus::Waiting)).await, (vec![13], 1));
    assert_eq!(list(of_status(UploadStatus::Gone)).await, (vec![], 0));
    let named = UploadQuery { key: Some("LATE_PAYMENTS_".into()), ..Default::default() };
    assert_eq!(list(named.clone()).await, (vec![13, 11, 9, 7, 5, 3, 1], 7));
    assert_eq!(list(UploadQuery { offset: 5, limit: 5, ..named.clone() }).await, (vec![3, 1], 7));
    assert_eq!(list(UploadQuery { status: Some(UploadStatus::Failed), ..named }).await, (vec![9, 3], 2));
    assert_eq!(list(UploadQuery { key: Some("%".into()), ..Default::default() }).await, (vec![], 0));
    let seventh = store.upload(7).await.unwrap().unwrap();
    assert_eq!((seventh.upload_id, seventh.status), (7, UploadStatus::Loaded));
    assert!(store.upload(14).await.unwrap().is_none());
}
