//! Expected files: what came for which due time, and that each is decided once.

use batchdrop::model::{
    ExpectedFile, ExpectedNow, ExpectedQuery, ExpectedStatus, FileCode, Object, Occurrence, OpenExpected,
};
use batchdrop::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::{BUCKET, LEASE, Place, at_noon, claim, draft, load_new, object};

every_store! {
    a_file_arrived_when_it_was_written_but_not_before_a_listing_that_did_not_show_it
    the_first_good_batch_within_the_window_is_what_came_and_else_the_last_that_failed
    of_many_workers_one_decides_and_webhooks_are_told_by_it
    what_comes_after_all_keeps_when_it_was_missing
    only_what_nothing_came_of_is_taken_back
    due_times_are_listed_page_by_page_and_counted_as_they_stand_now
}

const CAMPAIGN: i32 = 7;

/// Due at noon, missing at half past, with a window from six to six.
fn noon() -> Occurrence {
    let due_at = at_noon();
    let hours = TimeDelta::hours;
    Occurrence {
        due_at,
        opens_at: due_at - hours(6),
        missing_from: due_at + TimeDelta::minutes(30),
        closes_at: due_at + hours(6),
    }
}

fn later(occurrence: Occurrence, time: TimeDelta) -> Occurrence {
    Occurrence {
        due_at: occurrence.due_at + time,
        opens_at: occurrence.opens_at + time,
        missing_from: occurrence.missing_from + time,
        closes_at: occurrence.closes_at + time,
    }
}

async fn expect(store: &Store, occurrence: Occurrence) {
    store.expect(BUCKET, CAMPAIGN, "late_payments", &occurrence).await.unwrap();
}

async fn only_expected(store: &Store) -> OpenExpected {
    let mut open = store.open_expected(BUCKET).await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    open.remove(0)
}

async fn listed(store: &Store) -> Vec<ExpectedFile> {
    store.list_expected(&ExpectedQuery { limit: 100, ..Default::default() }).await.unwrap()
}

async fn decide(store: &Store, expected: &OpenExpected, status: ExpectedStatus) -> bool {
    store.decide_expected(BUCKET, expected, status, "late_payments", &["ops".to_owned()]).await.unwrap()
}

/// A FAILED batch of a file that was written so many seconds after noon.
async fn fail_new(store: &Store, file: &str, seconds: i64) -> String {
    store.record(BUCKET, &[object(file, seconds)]).await.unwrap();
    let claim = claim(store).await.expect("it is new");
    store.fail(&claim, &draft(file, &[]), FileCode::EmptyFile, "Empty file: …").await.unwrap()
}

async fn a_file_arrived_when_it_was_written_but_not_before_a_listing_that_did_not_show_it(place: &Place) {
    let store = place.store().await;
    let arrived = async |key: &str, modified: DateTime<Utc>| {
        let object = Object { key: key.to_owned(), version: "1".to_owned(), size: 1, modified };
        store.record(BUCKET, &[object]).await.unwrap();
        let open = store.open_arrivals(BUCKET).await.unwrap();
        open.into_iter().find(|(known, _)| known == key).expect("it is open").1
    };
    assert_eq!(arrived("unlisted.csv", at_noon()).await, at_noon());
    let began = at_noon() + TimeDelta::days(3);
    store.note_listing(BUCKET, began).await.unwrap();
    store.note_listing(BUCKET, at_noon()).await.unwrap(); // of a slow worker
    store.note_listing("s3://other", began + TimeDelta::days(1)).await.unwrap();
    assert_eq!(arrived("moved.csv", at_noon()).await, began, "moved in with the date that it had");
    assert_eq!(arrived("new.csv", began + TimeDelta::hours(1)).await, began + TimeDelta::hours(1));
    let now = store.clock().await.unwrap();
    let ahead = arrived("ahead.csv", now + TimeDelta::days(30)).await;
    assert!((now..now + TimeDelta::hours(1)).contains(&ahead), "a clock that is ahead is not believed: {ahead}");
}

async fn the_first_good_batch_within_the_window_is_what_came_and_else_the_last_that_failed(place: &Place) {
    let store = place.store().await;
    expect(&store, noon()).await;
    assert_eq!(only_expected(&store).await.arrival, None);
    fail_new(&store, "yesterday.csv", -6 * 3600 - 1).await;
    fail_new(&store, "evening.csv", 6 * 3600).await;
    assert_eq!(only_expected(&store).await.arrival, None, "outside of the window");
    fail_new(&store, "first.csv", -60).await;
    let failed = fail_new(&store, "second.csv", -120).await;
    let arrival = only_expected(&store).await.arrival.expect("something came");
    assert_eq!((arrival.batch_id, arrival.is_failed), (failed, true), "the last that failed");

    let good = load_new(&store, "good.csv").await;
    load_new(&store, "again.csv").await;
    let arrival = only_expected(&store).await.arrival.expect("something came");
    assert_eq!((arrival.batch_id, arrival.is_failed, arrival.arrived_at), (good, false, at_noon()));
    assert_eq!(store.open_expected("s3://other").await.unwrap(), []);
    // Neither those of another campaign nor of another bucket count.
    store.expect(BUCKET, 8, "other", &noon()).await.unwrap();
    store.expect("s3://other", CAMPAIGN, "late_payments", &noon()).await.unwrap();
    assert_eq!(store.open_expected("s3://other").await.unwrap()[0].arrival, None);
    let others = store.open_expected(BUCKET).await.unwrap();
    assert_eq!(others.iter().find(|expected| expected.campaign_id == 8).expect("expected").arrival, None);
}

async fn of_many_workers_one_decides_and_webhooks_are_told_by_it(place: &Place) {
    let store = place.store().await;
    let mut deciding = JoinSet::new();
    expect(&store, noon()).await;
    let seen = only_expected(&store).await;
    for _ in 0..8 {
        let (worker, seen) = (place.connect().await, seen.clone());
        deciding.spawn(async move {
            expect(&worker, noon()).await;
            decide(&worker, &seen, ExpectedStatus::Missing).await
        });
    }
    let decided = deciding.join_all().await;
    assert_eq!(decided.iter().filter(|decided| **decided).count(), 1, "{decided:?}");
    let messages = store.messages(None, None, 100).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].event.as_str(), messages[0].webhook.as_str()), ("file.missing", "ops"));
    let message = store.claim_message("ops", LEASE).await.unwrap().expect("it is due");
    let data: serde_json::Value = serde_json::from_str(&message.data).unwrap();
    let missing_at = listed(&store).await[0].missing_at.expect("it is missing");
    assert_eq!(
        data,
        serde_json::json!({
            "status": "MISSING", "campaign_id": 7, "campaign_name": "late_payments",
            "due_at": "2025-08-12T12:00:00.000Z", "opens_at": "2025-08-12T06:00:00.000Z",
            "missing_from": "2025-08-12T12:30:00.000Z",
            "missing_at": missing_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        })
    );
}

async fn what_comes_after_all_keeps_when_it_was_missing(place: &Place) {
    let store = place.store().await;
    expect(&store, noon()).await;
    let seen = only_expected(&store).await;
    assert!(decide(&store, &seen, ExpectedStatus::Late).await);
    assert!(!decide(&store, &seen, ExpectedStatus::Missing).await, "it has changed since it was seen");
    assert!(decide(&store, &only_expected(&store).await, ExpectedStatus::Missing).await);
    let missing_at = listed(&store).await[0].missing_at;
    assert!(missing_at.is_some());

    let failed = fail_new(&store, "empty.csv", 3600).await;
    // As a worker of before the upgrade enters it.
    place.run("update uploads set arrived_at = null").await.unwrap();
    place.run("update expected_files set closes_at = '2999-01-01T00:00:00.000Z'").await.unwrap();
    assert!(decide(&store, &only_expected(&store).await, ExpectedStatus::Failed).await);
    let file = listed(&store).await.remove(0);
    assert_eq!((file.status, file.missing_at, &file.batch_id), (ExpectedStatus::Failed, missing_at, &Some(failed)));
    assert_eq!((file.key.as_deref(), file.error_code.as_deref()), (Some("empty.csv"), Some("EMPTY_FILE")));
    assert_eq!(file.late_by(), Some(TimeDelta::hours(1)));

    let good = load_new(&store, "good.csv").await;
    assert!(decide(&store, &only_expected(&store).await, ExpectedStatus::Arrived).await);
    let file = listed(&store).await.remove(0);
    assert_eq!((file.status, file.missing_at, &file.batch_id), (ExpectedStatus::Arrived, missing_at, &Some(good)));
    assert_eq!((&file.error_code, file.late_by()), (&None, None));
    assert_eq!(store.messages(None, None, 100).await.unwrap().len(), 1, "told once that it was missing");
}

async fn only_what_nothing_came_of_is_taken_back(place: &Place) {
    let store = place.store().await;
    let tomorrow = later(noon(), TimeDelta::days(1));
    expect(&store, noon()).await;
    expect(&store, tomorrow).await;
    expect(&store, tomorrow).await;
    let [first, second] = store.open_expected(BUCKET).await.unwrap().try_into().expect("two");
    assert_eq!((first.occurrence, second.occurrence), (noon(), tomorrow));
    decide(&store, &first, ExpectedStatus::Missing).await;
    for occurrence in [noon(), tomorrow] {
        store.no_longer_expect(BUCKET, CAMPAIGN, occurrence.due_at).await.unwrap();
    }
    assert_eq!(listed(&store).await.iter().map(|file| file.status).collect::<Vec<_>>(), [ExpectedStatus::Missing]);
}

async fn due_times_are_listed_page_by_page_and_counted_as_they_stand_now(place: &Place) {
    let store = place.store().await;
    for day in 0..5 {
        expect(&store, later(noon(), TimeDelta::days(day))).await;
    }
    store.expect(BUCKET, 8, "other", &noon()).await.unwrap();
    for expected in
        store.open_expected(BUCKET).await.unwrap().iter().filter(|expected| expected.campaign_id == 7).take(2)
    {
        decide(&store, expected, ExpectedStatus::Missing).await;
    }
    let asked = |status, campaign: Option<&str>, offset, limit| ExpectedQuery {
        status,
        campaign_name: campaign.map(str::to_owned),
        bucket: Some(BUCKET.to_owned()),
        offset,
        limit,
    };
    let missing = Some(ExpectedStatus::Missing);
    for (query, total, days) in [
        (asked(None, None, 0, 3), 6, vec![16, 15, 14]),
        (asked(None, None, 3, 3), 6, vec![13, 12, 12]),
        (asked(missing, None, 0, 3), 2, vec![13, 12]),
        (asked(missing, Some("other"), 0, 3), 0, vec![]),
        (asked(None, Some("other"), 0, 3), 1, vec![12]),
        (ExpectedQuery { bucket: Some("s3://other".to_owned()), ..asked(None, None, 0, 3) }, 0, vec![]),
    ] {
        let files = store.list_expected(&query).await.unwrap();
        let found: Vec<u32> = files.iter().map(|file| chrono::Datelike::day(&file.due_at)).collect();
        assert_eq!((store.count_expected(&query).await.unwrap(), found), (total, days), "{query:?}");
    }

    assert_eq!(store.expected_now(BUCKET).await.unwrap(), [], "all of it is long over");
    let now = store.clock().await.unwrap();
    let hour = TimeDelta::hours(1);
    let current =
        Occurrence { due_at: now - hour, opens_at: now - hour * 2, missing_from: now - hour, closes_at: now + hour };
    let next = later(current, hour * 3);
    expect(&store, current).await;
    expect(&store, next).await;
    store.expect(BUCKET, 8, "other", &next).await.unwrap();
    let open = store.open_expected(BUCKET).await.unwrap();
    let seen =
        open.iter().find(|expected| expected.occurrence.closes_at == current.closes_at).expect("the current one");
    decide(&store, seen, ExpectedStatus::Missing).await;
    let told = store.expected_now(BUCKET).await.unwrap();
    let names: Vec<(&str, Option<ExpectedStatus>)> =
        told.iter().map(|ExpectedNow { campaign_name, status, .. }| (campaign_name.as_str(), *status)).collect();
    assert_eq!(names, [("late_payments", Some(ExpectedStatus::Missing)), ("other", None)]);
    assert!(told.iter().all(|now| now.next_due_at == Some(next.due_at)), "{told:?}");
}
