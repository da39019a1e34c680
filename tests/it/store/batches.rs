//! Whether an upload becomes a batch at all: the same content only once, faults as FAILED batches.

use std::sync::Arc;

use batchdrop::model::{BatchDraft, BatchQuery, BatchStatus, Claim, FileCode, UploadQuery, UploadStatus};
use batchdrop::store::{Published, Store};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{
    Place, batch_id, claim, claim_new, day, draft, load_new, object, only_upload, open_load, publish, some_rows,
    verdicts,
};

every_store! {
    the_same_content_is_a_repeat_under_any_name_and_day
    another_campaign_or_permission_makes_it_none
    content_that_is_not_known_is_no_repeat
    a_failed_batch_lets_its_correction_through
    a_canceled_batch_lets_its_correction_through
    of_two_that_publish_the_same_content_at_once_one_is_the_repeat
    a_repeat_ends_as_a_failed_batch
    a_faulty_file_becomes_a_failed_batch_without_requests
}

/// A draft of a file whose content is that of another.
fn same_content(file: &str, as_in: &str) -> BatchDraft {
    BatchDraft { upload_filename: file.to_owned(), ..draft(as_in, &some_rows()) }
}

async fn publish_new(store: &Store, draft: &BatchDraft) -> (Claim, Published) {
    let claim = claim_new(store, &draft.upload_filename).await;
    let published = publish(store, &claim, draft, &some_rows()).await.unwrap();
    (claim, published)
}

fn repeat_of(id: &str) -> Published {
    Published::Repeat { of_batch_id: id.to_owned() }
}

async fn the_same_content_is_a_repeat_under_any_name_and_day(place: &Place) {
    let store = place.store().await;
    let first = load_new(&store, "a.csv").await;
    let stored = place.stored().await;
    let next_day = BatchDraft { received_on: day(13), ..same_content("b.csv", "a.csv") };
    let paused = BatchDraft { hold: true, ..same_content("c.csv", "a.csv") };
    for draft in [same_content("d.csv", "a.csv"), next_day, paused] {
        let (claim, published) = publish_new(&store, &draft).await;
        assert_eq!(published, repeat_of(&first), "{}", draft.upload_filename);
        assert_eq!(place.stored().await, stored, "nothing was stored");
        store.renew(&claim, super::LEASE).await.expect("the upload is still to be settled");
    }
}

async fn another_campaign_or_permission_makes_it_none(place: &Place) {
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    let campaign = BatchDraft { campaign_id: 8, campaign_name: "other".into(), ..same_content("b.csv", "a.csv") };
    let allowed = BatchDraft { allow_repeats: true, ..same_content("c.csv", "a.csv") };
    let again = BatchDraft { upload_filename: "d.csv".into(), ..allowed.clone() };
    for (draft, id) in [(campaign, "20250812.2"), (allowed, "20250812.3"), (again, "20250812.4")] {
        let (_, published) = publish_new(&store, &draft).await;
        assert_eq!(batch_id(published), id);
        assert_eq!(store.requests(id, 0, 10).await.unwrap().len(), 3);
    }
    let (_, published) = publish_new(&store, &same_content("e.csv", "a.csv")).await;
    assert_eq!(published, repeat_of("20250812.1"), "the rule still stands for others");
}

async fn content_that_is_not_known_is_no_repeat(place: &Place) {
    let store = place.store().await;
    for file in ["a.csv", "b.csv"] {
        let unknown = BatchDraft { sha256: None, ..draft(file, &some_rows()) };
        batch_id(publish_new(&store, &unknown).await.1);
    }
}

async fn a_failed_batch_lets_its_correction_through(place: &Place) {
    let store = place.store().await;
    let claim = claim_new(&store, "a.csv").await;
    store.fail(&claim, &same_content("a.csv", "a.csv"), FileCode::InternalError, "Internal error: …").await.unwrap();
    let (_, published) = publish_new(&store, &same_content("b.csv", "a.csv")).await;
    assert_eq!(batch_id(published), "20250812.2");
    let (_, published) = publish_new(&store, &same_content("c.csv", "a.csv")).await;
    assert_eq!(published, repeat_of("20250812.2"), "not of the FAILED one");
}

async fn a_canceled_batch_lets_its_correction_through(place: &Place) {
    let store = place.store().await;
    let first = load_new(&store, "a.csv").await;
    let cancel = format!(
        "update batches set status = 'CANCELED', deleted_at = last_updated_at, deleted_reason = 'wrong amounts' \
         where batch_id = '{first}'"
    );
    assert_eq!(place.run(&cancel).await.unwrap(), 1);
    let batch = store.batch(&first).await.unwrap().unwrap();
    assert_eq!((batch.status, batch.deleted_at), (BatchStatus::Canceled, Some(batch.last_updated_at)));
    assert_eq!(batch.deleted_reason.as_deref(), Some("wrong amounts"));

    let (_, published) = publish_new(&store, &same_content("b.csv", "a.csv")).await;
    let second = batch_id(published);
    let (_, published) = publish_new(&store, &same_content("c.csv", "a.csv")).await;
    assert_eq!(published, repeat_of(&second), "not of the CANCELED one");

    let other = load_new(&store, "other.csv").await;
    let without_reason = format!("update batches set deleted_at = last_updated_at where batch_id = '{other}'");
    place.run(&without_reason).await.expect_err("a reason is required");
}

async fn of_two_that_publish_the_same_content_at_once_one_is_the_repeat(place: &Place) {
    let processes = [place.store().await, place.store().await];
    for round in 0..10 {
        let files = [format!("{round}a.csv"), format!("{round}b.csv")];
        processes[0].record(super::BUCKET, &[object(&files[0], 0), object(&files[1], 0)]).await.unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let mut publishing = JoinSet::new();
        for (n, store) in processes.iter().enumerate() {
            let (store, barrier) = (store.clone(), barrier.clone());
            let claim = claim(&store).await.unwrap();
            // On two days, so that they do not queue up for the day's number already.
            let draft = BatchDraft {
                received_on: day(12 + n as u32),
                ..same_content(claim.object.base_name(), &format!("content {round}"))
            };
            let is_sqlite = place.is_sqlite();
            publishing.spawn(async move {
                let rows = some_rows();
                if is_sqlite {
                    barrier.wait().await; // the second cannot open a load beside the first
                }
                let load = open_load(&store, &rows).await;
                if !is_sqlite {
                    barrier.wait().await;
                }
                load.publish(&claim, &draft, verdicts(&rows)).await.unwrap()
            });
        }
        let mut published = publishing.join_all().await;
        published.sort_by_key(|published| matches!(published, Published::Repeat { .. }));
        let [Published::Batch { batch_id }, Published::Repeat { of_batch_id }] = &published[..] else {
            panic!("{published:?}")
        };
        assert_eq!(batch_id, of_batch_id);
        assert_eq!(processes[0].count_batches(&BatchQuery::default()).await.unwrap(), round as u64 + 1);
        let requests = place.texts("select batch_id from requests").await.len();
        assert_eq!(requests, 3 * (round + 1), "nobody is contacted twice");
        // The other upload is still held, for its worker to settle as a repeat.
        let claimed = UploadQuery { status: Some(UploadStatus::Claimed), ..Default::default() };
        assert_eq!(processes[0].count_uploads(&claimed).await.unwrap(), round as u64 + 1);
    }
}

async fn a_repeat_ends_as_a_failed_batch(place: &Place) {
    let store = place.store().await;
    let first = load_new(&store, "a.csv").await;
    let draft = same_content("b.csv", "a.csv");
    let (claim, published) = publish_new(&store, &draft).await;
    assert_eq!(published, repeat_of(&first));
    let message = format!("Duplicate file: batch {first} has exactly this content");
    let id = store.fail(&claim, &draft, FileCode::DuplicateFile, &message).await.unwrap();
    let batch = store.batch(&id).await.unwrap().unwrap();
    assert_eq!((id.as_str(), batch.status, batch.sha256), ("20250812.2", BatchStatus::Failed, draft.sha256));
    assert_eq!(batch.error_message, Some(message));
    assert_eq!(store.batch(&first).await.unwrap().unwrap().status, BatchStatus::Active);
}

async fn a_faulty_file_becomes_a_failed_batch_without_requests(place: &Place) {
    let store = place.store().await;
    let claim = claim_new(&store, "a.csv").await;
    // The campaign's hold does not matter: there is nothing to hold.
    let draft = BatchDraft { hold: true, dialect: None, sha256: None, ..draft("a.csv", &some_rows()) };
    let message = "Missing required fields: target; it's \"not\" there\n📞";
    let id = store.fail(&claim, &draft, FileCode::MissingRequiredFields, message).await.unwrap();

    let batch = store.batch(&id).await.unwrap().unwrap();
    assert_eq!((batch.status, batch.paused), (BatchStatus::Failed, Some(false)));
    assert_eq!(batch.error_code.as_deref(), Some("MISSING_REQUIRED_FIELDS"));
    assert_eq!(batch.error_message.as_deref(), Some(message));
    assert!(batch.status_counts.is_empty());
    assert_eq!((batch.rows_read, batch.upload_id), (3, claim.upload_id));
    assert_eq!(place.texts("select cast(status_counts as text) from batch_details").await, ["{}"]);
    assert_eq!(store.requests(&id, 0, 10).await.unwrap().len(), 0);
    assert_eq!(store.findings(&id).await.unwrap(), []);

    let upload = only_upload(&store).await;
    assert_eq!((upload.status, upload.batch_id), (UploadStatus::Failed, Some(id)));
    assert_eq!(upload.error_code.as_deref(), Some("MISSING_REQUIRED_FIELDS"));
    assert_eq!(upload.error_message.as_deref(), Some(message));
    assert!(upload.settled_at.is_some());
    assert!(super::claim(&store).await.is_none());
}
