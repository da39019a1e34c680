//! The ledger: what is new, who may work on it, and what a worker that lost its claim can still do, which is nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use batchdrop::model::{Claim, FileCode, Object, Upload, UploadQuery, UploadStatus};
use batchdrop::store::{Backlog, ErrorKind, Outcome, Store};
use tokio::task::JoinSet;

use super::{
    BUCKET, HOUR, LEASE, Place, all_uploads, an_hour_goes_by, assert_kind, at_noon, batch_id, claim, claim_new, draft,
    load_new, object, only_upload, publish, record, some_rows, take_over,
};

every_store! {
    the_same_version_is_new_only_once
    a_new_version_and_another_bucket_are_new
    several_that_record_the_same_listing_enter_it_once
    keys_come_back_exactly_as_they_were_recorded
    the_oldest_is_claimed_first
    where_a_size_is_named_larger_ones_are_passed_over
    no_upload_is_claimed_twice_while_its_lease_lasts
    once_its_lease_is_over_an_upload_is_claimed_again
    a_renewed_lease_lasts_longer
    an_attempt_is_counted_before_the_work
    an_upload_given_back_is_claimed_at_once_and_its_attempt_does_not_count
    an_upload_put_off_waits_and_then_tells_its_trouble
    another_buckets_uploads_are_left_alone
    the_backlog_counts_what_is_open
    a_worker_that_lost_its_claim_changes_nothing
    a_worker_whose_upload_is_settled_changes_nothing
    an_upload_ends_without_a_batch
    the_outcome_is_told_to_the_claim_that_reached_it
}

async fn the_same_version_is_new_only_once(place: &Place) {
    let store = place.store().await;
    let listing = [object("a.csv", 0), object("b.csv", 1)];
    assert_eq!(store.record(BUCKET, &[]).await.unwrap(), 0);
    assert_eq!(store.record(BUCKET, &listing).await.unwrap(), 2);
    let before = place.dump().await;
    assert_eq!(store.record(BUCKET, &listing).await.unwrap(), 0);
    assert_eq!(place.dump().await, before);

    // The ledger never forgets: not even when it is settled.
    let settled = claim(&store).await.unwrap();
    store.end(&settled, UploadStatus::Gone, None, "deleted").await.unwrap();
    assert_eq!(store.record(BUCKET, &listing).await.unwrap(), 0);
    assert_eq!(claim(&store).await.unwrap().object.key, "b.csv");
    assert!(claim(&store).await.is_none());
}

async fn a_new_version_and_another_bucket_are_new(place: &Place) {
    let store = place.store().await;
    record(&store, "a.csv").await;
    let mut newer = object("a.csv", 60);
    newer.version = "etag-2".to_owned();
    let listing = [object("a.csv", 0), newer.clone(), object("b.csv", 0), object("b.csv", 0)];
    assert_eq!(store.record(BUCKET, &listing).await.unwrap(), 2, "each only once, in one listing too");
    assert_eq!(store.record("s3://other", &[object("a.csv", 0)]).await.unwrap(), 1);
    let versions: BTreeSet<_> = all_uploads(&store).await.into_iter().map(|u| (u.key, u.version)).collect();
    assert!(versions.contains(&("a.csv".to_owned(), newer.version)), "{versions:?}");
}

async fn several_that_record_the_same_listing_enter_it_once(place: &Place) {
    let listing: Vec<_> = (0..300).map(|n| object(&format!("{n}.csv"), n)).collect();
    let mut recording = JoinSet::new();
    for backwards in [false, true, false, true] {
        let store = place.store().await;
        let mut listing = listing.clone();
        if backwards {
            listing.reverse(); // two that lock rows in opposite order would stop each other
        }
        recording.spawn(async move { store.record(BUCKET, &listing).await.unwrap() });
    }
    let new: u64 = recording.join_all().await.into_iter().sum();
    let recorded = all_uploads(&place.store().await).await.len();
    assert_eq!((new, recorded), (300, 300));
}

async fn keys_come_back_exactly_as_they_were_recorded(place: &Place) {
    let store = place.store().await;
    let long = "x".repeat(1_024);
    let keys = [
        "it's \"quoted\".csv",
        "📞.csv",
        "new\nline\r\ttab.csv",
        "100%_%s.csv",
        "back\\slash\\u0041.csv",
        "é.csv",
        "e\u{301}.csv", // the same letter to the eye, another key
        "A.csv",
        "a.csv",
        " a.csv ",
        "; drop table uploads; --.csv",
        &long,
    ];
    let listing: Vec<_> = keys.iter().zip(0..).map(|(key, n)| object(key, n)).collect();
    assert_eq!(store.record(BUCKET, &listing).await.unwrap(), keys.len() as u64);
    assert_eq!(store.record(BUCKET, &listing).await.unwrap(), 0);
    for expected in &listing {
        assert_eq!(&claim(&store).await.unwrap().object, expected);
    }
    let listed: Vec<_> = all_uploads(&store).await.into_iter().rev().map(|upload| upload.key).collect();
    assert_eq!(listed, keys);
}

async fn the_oldest_is_claimed_first(place: &Place) {
    let store = place.store().await;
    // Within one listing by the bucket's time; what was seen in a later listing comes after, whatever its time.
    store.record(BUCKET, &[object("c", 30), object("a", 10), object("b", 20)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    store.record(BUCKET, &[object("d", -99)]).await.unwrap();
    let first = claim(&store).await.unwrap();
    assert_eq!(first.object.key, "a");
    // SQLite counts in milliseconds, and those are equal otherwise.
    tokio::time::sleep(Duration::from_millis(5)).await;
    store.retry(&first, "trouble", Duration::ZERO).await.unwrap();
    for key in ["b", "c", "d", "a"] {
        assert_eq!(claim(&store).await.unwrap().object.key, key);
    }
    assert!(claim(&store).await.is_none());
}

async fn where_a_size_is_named_larger_ones_are_passed_over(place: &Place) {
    let store = place.store().await;
    let sized = |key: &str, size, seconds| Object { size, ..object(key, seconds) };
    store.record(BUCKET, &[sized("large", 1001, 0), sized("small", 1000, 1), sized("next", 5, 2)]).await.unwrap();
    let taken = async |largest| store.claim(BUCKET, "worker-1", LEASE, largest).await.unwrap().map(|it| it.object.key);
    assert_eq!(taken(Some(1000)).await.as_deref(), Some("small"));
    assert_eq!(taken(Some(4)).await, None);
    assert_eq!(taken(None).await.as_deref(), Some("large"), "it has waited longest");
    assert_eq!(taken(Some(u64::MAX)).await.as_deref(), Some("next"));
}

async fn no_upload_is_claimed_twice_while_its_lease_lasts(place: &Place) {
    let listing: Vec<_> = (0..50).map(|n| object(&format!("{n}.csv"), n)).collect();
    place.store().await.record(BUCKET, &listing).await.unwrap();
    let mut working = JoinSet::new();
    for _ in 0..2 {
        let process = place.store().await;
        for _ in 0..4 {
            let store = process.clone();
            working.spawn(async move {
                let mut claims = vec![];
                while let Some(claim) = claim(&store).await {
                    claims.push(claim);
                }
                claims
            });
        }
    }
    let claims: Vec<Claim> = working.join_all().await.into_iter().flatten().collect();
    let keys: BTreeSet<_> = claims.iter().map(|claim| &claim.object.key).collect();
    let tokens: BTreeSet<_> = claims.iter().map(|claim| &claim.token).collect();
    assert_eq!((claims.len(), keys.len(), tokens.len()), (50, 50, 50));
    assert!(claims.iter().all(|claim| claim.attempt == 1));
}

async fn once_its_lease_is_over_an_upload_is_claimed_again(place: &Place) {
    let store = place.store().await;
    record(&store, "a.csv").await;
    let first = store.claim(BUCKET, "worker-1", HOUR, None).await.unwrap().unwrap();
    assert!(claim(&store).await.is_none(), "its lease lasts");
    an_hour_goes_by(place, "available_at").await;
    an_hour_goes_by(place, "claimed_at").await;
    let second = store.claim(BUCKET, "worker-2", LEASE, None).await.unwrap().expect("its lease is over");
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert!(!first.was_dropped, "it was new");
    assert_eq!(second.was_dropped, !place.is_sqlite(), "SQLite does not tell: there, nothing is worked on beside it");
    assert_ne!(first.token, second.token);
    assert_eq!((first.upload_id, first.object, first.seen_at), (second.upload_id, second.object, second.seen_at));
    let upload = only_upload(&store).await;
    assert_eq!((upload.claimed_by.as_deref(), upload.claimed_at), (Some("worker-2"), Some(second.claimed_at)));
    assert!(second.claimed_at >= first.claimed_at, "and not an hour before");
}

async fn a_renewed_lease_lasts_longer(place: &Place) {
    let store = place.store().await;
    record(&store, "a.csv").await;
    let held = store.claim(BUCKET, "worker-1", LEASE, None).await.unwrap().unwrap();
    store.renew(&held, LEASE + HOUR).await.unwrap();
    an_hour_goes_by(place, "available_at").await;
    assert!(claim(&store).await.is_none());
    // Counted from now, not added to what was left.
    store.renew(&held, Duration::ZERO).await.unwrap();
    assert_eq!(claim(&store).await.unwrap().attempt, 2);
}

async fn an_attempt_is_counted_before_the_work(place: &Place) {
    let store = place.store().await;
    record(&store, "kills its worker.csv").await;
    for attempt in 1..=4 {
        let claim = store.claim(BUCKET, "worker-1", Duration::ZERO, None).await.unwrap().unwrap();
        assert_eq!(claim.attempt, attempt);
        let upload = only_upload(&store).await;
        assert_eq!((upload.attempts, upload.status), (attempt, UploadStatus::Claimed));
    }
}

async fn an_upload_given_back_is_claimed_at_once_and_its_attempt_does_not_count(place: &Place) {
    let store = place.store().await;
    let first = claim_new(&store, "a.csv").await;
    store.give_back(&first).await.unwrap();
    let upload = only_upload(&store).await;
    assert_eq!((upload.attempts, upload.status, upload.settled_at), (0, UploadStatus::Waiting, None));
    let second = claim(&store).await.expect("at once");
    assert_eq!((second.attempt, second.last_trouble), (1, None));
    assert_ne!(second.token, first.token);
    assert_kind(store.give_back(&first).await, ErrorKind::Fenced, "it was given back already");
}

async fn an_upload_put_off_waits_and_then_tells_its_trouble(place: &Place) {
    let store = place.store().await;
    let first = claim_new(&store, "a.csv").await;
    store.retry(&first, "the bucket didn't answer", HOUR).await.unwrap();
    assert!(claim(&store).await.is_none(), "it waits");
    let upload = only_upload(&store).await;
    assert_eq!((upload.status, upload.attempts, upload.settled_at), (UploadStatus::Waiting, 1, None));
    assert_eq!(upload.error_code.as_deref(), Some("INTERNAL_ERROR"));
    assert_eq!(upload.error_message.as_deref(), Some("the bucket didn't answer"));
    an_hour_goes_by(place, "available_at").await;
    let second = claim(&store).await.expect("the wait is over");
    assert_eq!((second.attempt, second.last_trouble.as_deref()), (2, Some("the bucket didn't answer")));

    // Trouble that is over is not held against the upload.
    let rows = some_rows();
    publish(&store, &second, &draft("a.csv", &rows), &rows).await.unwrap();
    let upload = only_upload(&store).await;
    assert_eq!((upload.status, upload.error_code, upload.error_message), (UploadStatus::Loaded, None, None));
}

async fn another_buckets_uploads_are_left_alone(place: &Place) {
    let store = place.store().await;
    store.record("s3://other", &[object("a.csv", 0)]).await.unwrap();
    let before = place.dump().await;
    assert!(claim(&store).await.is_none());
    assert_eq!(
        store.backlog(BUCKET).await.unwrap(),
        Backlog {
            waiting: 0,
            held: 0,
            claimed: 0,
            next_due_seconds: None,
            oldest_waiting_seconds: None,
            answers_due: 0,
            messages_due: 0,
            fewest_tries: None
        }
    );
    assert_eq!(place.dump().await, before);
    assert!(store.claim("s3://other", "worker-1", LEASE, None).await.unwrap().is_some());
}

async fn the_backlog_counts_what_is_open(place: &Place) {
    let store = place.store().await;
    let listing: Vec<_> = (0..5).map(|n| object(&format!("{n}.csv"), n)).collect();
    store.record(BUCKET, &listing).await.unwrap();
    let settled = claim(&store).await.unwrap();
    store.end(&settled, UploadStatus::Gone, None, "deleted").await.unwrap();
    claim(&store).await.unwrap();
    let backlog = store.backlog(BUCKET).await.unwrap();
    assert_eq!((backlog.waiting, backlog.claimed), (3, 1));
    assert!(backlog.next_due_seconds.unwrap() <= 0.0, "{backlog:?}");
    assert!(backlog.oldest_waiting_seconds.unwrap() >= 0.0, "{backlog:?}");

    for _ in 0..3 {
        let claim = claim(&store).await.unwrap();
        store.retry(&claim, "trouble", Duration::from_secs(100)).await.unwrap();
    }
    let due = store.backlog(BUCKET).await.unwrap().next_due_seconds.unwrap();
    assert!((40.0..=100.0).contains(&due), "{due}");
}

/// Everything that a claim entitles to.
const ACTS: [&str; 8] =
    ["renew", "give_back", "retry", "end", "fail", "fail as a repeat", "publish", "publish nothing new"];

/// Tries it, and asserts that nobody noticed. `settled` is a content that is already in a batch, where there is one.
async fn assert_fenced(place: &Place, store: &Store, act: &str, stale: &Claim, settled: &str) {
    let rows = some_rows();
    let (own, known) = (draft("stale.csv", &rows), draft(settled, &rows));
    let before = place.dump().await;
    let result = match act {
        "renew" => store.renew(stale, LEASE).await,
        "give_back" => store.give_back(stale).await,
        "retry" => store.retry(stale, "trouble", Duration::ZERO).await,
        "end" => store.end(stale, UploadStatus::Gone, None, "deleted").await,
        "fail" => store.fail(stale, &own, FileCode::EmptyFile, "Empty file: …").await.map(drop),
        "fail as a repeat" => store.fail(stale, &known, FileCode::DuplicateFile, "Duplicate file: …").await.map(drop),
        "publish" => publish(store, stale, &own, &rows).await.map(drop),
        "publish nothing new" => publish(store, stale, &known, &rows).await.map(drop),
        other => panic!("{other}"),
    };
    assert_kind(result, ErrorKind::Fenced, act);
    assert_eq!(store.outcome(stale).await.unwrap(), None, "{act}");
    assert_eq!(place.dump().await, before, "{act}");
}

async fn a_worker_that_lost_its_claim_changes_nothing(place: &Place) {
    let (slow, quick) = (place.store().await, place.store().await);
    for (n, act) in ACTS.iter().enumerate() {
        let file = format!("{n}.csv");
        let (stale, current) = take_over(&quick, &file).await;
        assert_fenced(place, &slow, act, &stale, "nobody's").await;
        // And the worker that holds the claim now is not disturbed.
        quick.renew(&current, LEASE).await.unwrap();
        let rows = some_rows();
        batch_id(publish(&quick, &current, &draft(&file, &rows), &rows).await.unwrap());
    }
}

async fn a_worker_whose_upload_is_settled_changes_nothing(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    let (stale, current) = take_over(&store, "a.csv").await;
    batch_id(publish(&store, &current, &draft("a.csv", &rows), &rows).await.unwrap());
    for act in ACTS {
        assert_fenced(place, &store, act, &stale, "a.csv").await;
    }
    // Nor does the one that settled it, a second time; only the outcome is still its own.
    assert_kind(store.renew(&current, LEASE).await, ErrorKind::Fenced, "renew");
    assert_kind(store.give_back(&current).await, ErrorKind::Fenced, "give_back");
    assert_kind(publish(&store, &current, &draft("b.csv", &rows), &rows).await, ErrorKind::Fenced, "publish");
    assert_eq!(
        store.outcome(&current).await.unwrap(),
        Some(Outcome::Batch { batch_id: "20250812.1".to_owned(), failed: None })
    );
}

async fn an_upload_ends_without_a_batch(place: &Place) {
    let store = place.store().await;
    for (key, status, code, message) in [
        ("x.csv", UploadStatus::Rejected, Some(FileCode::UnknownCampaign), "Unknown campaign: no campaign takes it"),
        ("y.csv", UploadStatus::Gone, None, "deleted before it was read"),
    ] {
        let claim = claim_new(&store, key).await;
        store.end(&claim, status, code, message).await.unwrap();
        let upload =
            store.list_uploads(&UploadQuery { status: Some(status), ..Default::default() }).await.unwrap().remove(0);
        assert_eq!((upload.key.as_str(), upload.status, upload.batch_id), (key, status, None));
        assert_eq!(upload.error_code.as_deref(), code.map(FileCode::as_str));
        assert_eq!(upload.error_message.as_deref(), Some(message));
        assert!(upload.settled_at.unwrap() >= claim.claimed_at);
        assert_eq!(store.outcome(&claim).await.unwrap(), None);
    }
    assert_eq!(place.stored().await, 0, "no batch");
    assert!(claim(&store).await.is_none());
    let refused = |limit| store.refused_uploads(limit);
    let keys = |uploads: Vec<Upload>| uploads.into_iter().map(|upload| upload.key).collect::<Vec<_>>();
    assert_eq!(keys(refused(5).await.unwrap()), ["y.csv", "x.csv"], "the last first");
    load_new(&store, "z.csv").await;
    assert_eq!(keys(refused(1).await.unwrap()), ["y.csv"], "one that was loaded is none");
}

async fn the_outcome_is_told_to_the_claim_that_reached_it(place: &Place) {
    let store = place.store().await;
    let rows = some_rows();
    let (stale, current) = take_over(&store, "loaded.csv").await;
    assert_eq!(store.outcome(&current).await.unwrap(), None, "not yet");
    let loaded = batch_id(publish(&store, &current, &draft("loaded.csv", &rows), &rows).await.unwrap());
    let failing = claim_new(&store, "failed.csv").await;
    let failed = store.fail(&failing, &draft("failed.csv", &[]), FileCode::EmptyFile, "Empty file: …").await.unwrap();
    // Asked of another connection, since the one whose answer was lost is gone.
    let store = place.store().await;
    assert_eq!(store.outcome(&current).await.unwrap(), Some(Outcome::Batch { batch_id: loaded, failed: None }));
    assert_eq!(
        store.outcome(&failing).await.unwrap(),
        Some(Outcome::Batch { batch_id: failed, failed: Some(FileCode::EmptyFile) })
    );
    assert_eq!(store.outcome(&stale).await.unwrap(), None);

    let uploads: BTreeMap<_, _> = all_uploads(&store).await.into_iter().map(|u| (u.key.clone(), u)).collect();
    assert_eq!(uploads["loaded.csv"].modified_at, at_noon());
    assert_eq!(
        (uploads["loaded.csv"].status, uploads["failed.csv"].status),
        (UploadStatus::Loaded, UploadStatus::Failed)
    );
}
