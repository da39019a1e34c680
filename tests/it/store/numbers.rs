//! Batch ids: a counter for every day, without a gap, whoever counts at the same time.

use batchdrop::model::{BatchDraft, BatchQuery, BatchStatus, FileCode};
use batchdrop::store::{Published, Store};
use tokio::task::JoinSet;

use super::{
    Place, all_uploads, batch_id, claim, claim_new, day, draft, load_new, object, open_load, publish, some_rows,
    verdicts,
};

every_store! {
    numbers_count_from_1_every_day
    what_is_not_stored_takes_no_number
    twenty_at_once_are_given_1_to_20
    batches_are_listed_by_day_and_then_by_number
}

/// A FAILED batch, the cheapest kind.
async fn fail_new(store: &Store, file: &str, received_on: u32) -> String {
    let claim = claim_new(store, file).await;
    let draft = BatchDraft { received_on: day(received_on), ..draft(file, &[]) };
    store.fail(&claim, &draft, FileCode::EmptyFile, "Empty file: export it again").await.unwrap()
}

async fn numbers_count_from_1_every_day(place: &Place) {
    let store = place.store().await;
    assert_eq!(fail_new(&store, "a.csv", 12).await, "20250812.1");
    assert_eq!(fail_new(&store, "b.csv", 13).await, "20250813.1");
    assert_eq!(load_new(&store, "c.csv").await, "20250812.2", "FAILED ones count with the others");
    assert_eq!(fail_new(&store, "d.csv", 13).await, "20250813.2");
    assert_eq!(fail_new(&place.store().await, "e.csv", 12).await, "20250812.3", "another process counts on");
}

async fn what_is_not_stored_takes_no_number(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    assert_eq!(load_new(&store, "a.csv").await, "20250812.1");

    let claim = claim_new(&store, "b.csv").await;
    open_load(&store, &rows).await.discard().await.unwrap();
    let repeat = publish(&store, &claim, &draft("a.csv", &rows), &rows).await.unwrap();
    assert_eq!(repeat, Published::Repeat { of_batch_id: "20250812.1".to_owned() });
    let wrong = BatchDraft { rows_read: 99, ..draft("b.csv", &rows) };
    publish(&store, &claim, &wrong, &rows).await.unwrap_err();
    store.give_back(&claim).await.unwrap();
    publish(&store, &claim, &draft("b.csv", &rows), &rows).await.unwrap_err(); // fenced, after its number was drawn
    store.fail(&claim, &draft("b.csv", &[]), FileCode::EmptyFile, "Empty file: …").await.unwrap_err();

    let claim = super::claim(&store).await.unwrap();
    assert_eq!(batch_id(publish(&store, &claim, &draft("b.csv", &rows), &rows).await.unwrap()), "20250812.2");
    assert_eq!(place.texts("select cast(last_number as text) from batch_numbers").await, ["2"]);
}

async fn twenty_at_once_are_given_1_to_20(place: &Place) {
    let processes = [place.store().await, place.store().await];
    let listing: Vec<_> = (0..20).map(|n| object(&format!("{n}.csv"), n)).collect();
    processes[0].record(super::BUCKET, &listing).await.unwrap();
    let mut working = JoinSet::new();
    for n in 0..20 {
        let store = processes[n % 2].clone();
        let claim = claim(&store).await.unwrap();
        working.spawn(async move {
            let (file, rows) = (claim.object.base_name(), some_rows());
            if n % 4 < 2 {
                let message = "Empty file: export it again";
                return store.fail(&claim, &draft(file, &[]), FileCode::EmptyFile, message).await.unwrap();
            }
            let load = open_load(&store, &rows).await;
            batch_id(load.publish(&claim, &draft(file, &rows), verdicts(&rows)).await.unwrap())
        });
    }
    let mut ids = working.join_all().await;
    let mut expected: Vec<String> = (1..=20).map(|n| format!("20250812.{n}")).collect();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    for upload in all_uploads(&processes[0]).await {
        assert!(ids.contains(&upload.batch_id.unwrap()), "{}", upload.key);
    }
}

async fn batches_are_listed_by_day_and_then_by_number(place: &Place) {
    let store = place.store().await;
    fail_new(&store, "later day.csv", 13).await;
    for n in 1..=10 {
        fail_new(&store, &format!("{n}.csv"), 12).await;
    }
    load_new(&store, "11.csv").await;
    let ids = async |status, campaign: Option<&str>, limit| -> Vec<String> {
        let campaign_name = campaign.map(str::to_owned);
        let batches =
            store.list_batches(&BatchQuery { status, campaign_name, limit, ..Default::default() }).await.unwrap();
        batches.into_iter().map(|batch| batch.batch_id).collect()
    };
    let mut expected = vec!["20250813.1".to_owned()];
    expected.extend((1..=11).rev().map(|n| format!("20250812.{n}")));
    assert_eq!(ids(None, None, 100).await, expected, "the newest first; 10 comes after 9");
    assert_eq!(ids(None, Some("late_payments"), 3).await, expected[..3]);
    assert_eq!(ids(Some(BatchStatus::Active), None, 100).await, ["20250812.11"]);
    assert_eq!(ids(Some(BatchStatus::Failed), Some("late_payments"), 2).await, ["20250813.1", "20250812.10"]);
    assert_eq!(ids(None, Some("Late_Payments"), 100).await, [""; 0]);
}
