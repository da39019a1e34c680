//! Answers in the ledger: who is owed one, who may give it, and what goes into it.

use std::collections::BTreeSet;
use std::time::Duration;

use batchdrop::model::{FileCode, IntakeStatus, OwedAnswer, RowCode, UploadStatus};
use batchdrop::store::{ErrorKind, Store};
use tokio::task::JoinSet;

use super::{
    BUCKET, HOUR, LEASE, Place, Row, an_hour_goes_by, assert_kind, claim_new, draft, load_new, only_upload, pending,
    publish, some_rows,
};

every_store! {
    whoever_dropped_a_file_is_owed_an_answer_once_it_is_settled
    an_answer_that_was_given_is_owed_no_more
    an_answer_is_given_by_one_worker_at_a_time
    a_worker_that_lost_an_answer_changes_nothing
    an_answer_put_off_waits_and_its_trouble_is_shown
    an_answer_given_back_is_claimed_at_once_and_the_try_does_not_count
    uploads_settled_before_the_migration_owe_nothing
    rejects_come_back_as_they_were_sent
    rejects_come_in_pages_in_the_order_of_the_file
}

async fn owed(store: &Store) -> Option<OwedAnswer> {
    store.claim_answer(BUCKET, LEASE).await.unwrap()
}

async fn whoever_dropped_a_file_is_owed_an_answer_once_it_is_settled(place: &Place) {
    let store = place.store().await;
    let waiting = claim_new(&store, "a.csv").await;
    assert!(owed(&store).await.is_none(), "not before");
    store.end(&waiting, UploadStatus::Gone, None, "deleted").await.unwrap();
    assert!(owed(&store).await.is_none(), "nobody is there to tell");

    let loaded = load_new(&store, "loaded.csv").await;
    let failing = claim_new(&store, "failed.csv").await;
    let failed = store.fail(&failing, &draft("failed.csv", &[]), FileCode::EmptyFile, "Empty file: …").await.unwrap();
    let rejected = claim_new(&store, "rejected.csv").await;
    store.end(&rejected, UploadStatus::Rejected, Some(FileCode::UnknownCampaign), "Unknown: …").await.unwrap();
    let backlog = store.backlog(BUCKET).await.unwrap();
    assert_eq!((backlog.waiting, backlog.answers_due, backlog.fewest_tries), (0, 3, Some(0)));
    assert!(store.claim_answer("s3://other", LEASE).await.unwrap().is_none());

    for (key, status, batch_id, code) in [
        ("loaded.csv", UploadStatus::Loaded, Some(loaded), None),
        ("failed.csv", UploadStatus::Failed, Some(failed), Some("EMPTY_FILE")),
        ("rejected.csv", UploadStatus::Rejected, None, Some("UNKNOWN_CAMPAIGN")),
    ] {
        let owed = owed(&store).await.expect("in the order in which they were settled");
        assert_eq!((owed.object.key.as_str(), owed.status, &owed.batch_id), (key, status, &batch_id));
        assert_eq!((owed.error_code.as_deref(), owed.attempt), (code, 1));
        assert!(owed.settled_at >= owed.seen_at);
    }
    let backlog = store.backlog(BUCKET).await.unwrap();
    assert_eq!((backlog.answers_due, backlog.fewest_tries), (0, None), "they are in somebody's hands");
}

async fn an_answer_that_was_given_is_owed_no_more(place: &Place) {
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    let owed_answer = owed(&store).await.unwrap();
    store.answered(&owed_answer).await.unwrap();
    let upload = only_upload(&store).await;
    assert_eq!((upload.answer_due_at, upload.answer_attempts, upload.answer_error), (None, 1, None));
    assert!(upload.answered_at.unwrap() >= upload.settled_at.unwrap());
    assert!(owed(&store).await.is_none());
    assert_kind(store.answered(&owed_answer).await, ErrorKind::Fenced, "it was given already");
}

async fn an_answer_is_given_by_one_worker_at_a_time(place: &Place) {
    let store = place.store().await;
    for n in 0..40 {
        load_new(&store, &format!("{n}.csv")).await;
    }
    let mut claiming = JoinSet::new();
    for _ in 0..8 {
        let store = place.connect().await;
        claiming.spawn(async move {
            let mut mine = Vec::new();
            while let Some(owed) = owed(&store).await {
                mine.push(owed.upload_id);
            }
            mine
        });
    }
    let claimed: Vec<_> = claiming.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), claimed.len(), "none twice");
    // One whose row another worker is claiming at that instant is passed over, and met again.
    let mut late = 0;
    while owed(&store).await.is_some() {
        late += 1;
    }
    assert_eq!(claimed.len() + late, 40);
}

async fn a_worker_that_lost_an_answer_changes_nothing(place: &Place) {
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    let stale = store.claim_answer(BUCKET, Duration::ZERO).await.unwrap().expect("it is owed");
    let current = owed(&store).await.expect("the lease is over");
    assert_eq!((current.upload_id, current.attempt), (stale.upload_id, 2));
    let before = place.dump().await;
    assert_kind(store.renew_answer(&stale, LEASE).await, ErrorKind::Fenced, "renew");
    assert_kind(store.give_back_answer(&stale).await, ErrorKind::Fenced, "give back");
    assert_kind(store.put_off_answer(&stale, "trouble", Duration::ZERO).await, ErrorKind::Fenced, "put off");
    assert_kind(store.answered(&stale).await, ErrorKind::Fenced, "answered");
    assert_eq!(place.dump().await, before);
    store.renew_answer(&current, LEASE).await.unwrap();
    store.answered(&current).await.unwrap();
}

async fn an_answer_put_off_waits_and_its_trouble_is_shown(place: &Place) {
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    let first = owed(&store).await.unwrap();
    store.put_off_answer(&first, "cannot write", HOUR).await.unwrap();
    assert!(owed(&store).await.is_none(), "it waits");
    let upload = only_upload(&store).await;
    assert_eq!((upload.answer_error.as_deref(), upload.answered_at), (Some("cannot write"), None));
    assert_eq!((upload.status, upload.error_message), (UploadStatus::Loaded, None), "the upload is not to blame");
    let backlog = store.backlog(BUCKET).await.unwrap();
    assert_eq!((backlog.answers_due, backlog.fewest_tries), (0, Some(1)));
    an_hour_goes_by(place, "answer_due_at").await;
    store.answered(&owed(&store).await.expect("the wait is over")).await.unwrap();
    assert_eq!(only_upload(&store).await.answer_error, None);
}

async fn an_answer_given_back_is_claimed_at_once_and_the_try_does_not_count(place: &Place) {
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    store.give_back_answer(&owed(&store).await.unwrap()).await.unwrap();
    assert_eq!(owed(&store).await.expect("at once").attempt, 1);
}

async fn uploads_settled_before_the_migration_owe_nothing(place: &Place) {
    let store = place.store().await;
    load_new(&store, "a.csv").await;
    // As the migration leaves them.
    place.run("update uploads set answer_due_at = null").await.unwrap();
    assert!(owed(&store).await.is_none());
    assert_eq!(store.backlog(BUCKET).await.unwrap().fewest_tries, None);
}

fn refused(reference_id: &str, target: &str, cells: &[&str]) -> Row {
    Row {
        status: IntakeStatus::Invalid,
        code: Some(RowCode::InvalidPhone),
        message: "target: too short",
        target: target.to_owned(),
        ..pending(reference_id, cells)
    }
}

async fn rejects_come_back_as_they_were_sent(place: &Place) {
    let store = place.store().await;
    let rows = vec![
        pending("A1", &["Zoë", "10"]),
        Row {
            status: IntakeStatus::Duplicate,
            code: Some(RowCode::DuplicateReference),
            message: "reference_id: the same as in row 1",
            duplicate_of: Some(1),
            sent_reference_id: Some(" A1"),
            sent_target: Some("(512) 555-0100"),
            ..pending("A1", &["\"Max\"", "1,\n2"])
        },
        Row { sent_target: Some(" 12"), ..refused("A3", "12", &["😀", "", "more"]) },
        refused("", "", &[]),
    ];
    let claim = claim_new(&store, "a.csv").await;
    publish(&store, &claim, &draft("a.csv", &rows), &rows).await.unwrap();
    let rejects = store.rejects("20250812.1", 0, 10).await.unwrap();
    let sent: Vec<_> = rejects
        .iter()
        .map(|r| (r.row_number, r.line, r.code.as_str(), r.reference_id.as_str(), r.target.as_str(), r.cells.clone()))
        .collect();
    let cells = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        sent,
        [
            (2, 4, "DUPLICATE_REFERENCE", " A1", "(512) 555-0100", cells(&["\"Max\"", "1,\n2"])),
            (3, 6, "INVALID_PHONE", "A3", " 12", cells(&["😀", "", "more"])),
            (4, 8, "INVALID_PHONE", "", "", cells(&[])),
        ]
    );
    assert_eq!(rejects[0].message, "reference_id: the same as in row 1");
    // What senders do later changes nothing about it.
    place.run("update requests set request_status = 'CANCELED' where row_number = 2").await.unwrap();
    assert_eq!(store.rejects("20250812.1", 0, 10).await.unwrap(), rejects);

    let columns = store.sent_columns("20250812.1").await.unwrap().expect("there is such a batch");
    assert_eq!((columns.variable_names, columns.delimiter.as_deref()), (cells(&["name", "amount"]), Some(",")));
    assert_eq!(columns.names, ["name", "ref.id", "Phone", "amount"]);
    assert_eq!((columns.reference_id, columns.target), (Some(2), Some(3)));
    assert_eq!(store.sent_columns("20250812.2").await.unwrap(), None);
}

async fn rejects_come_in_pages_in_the_order_of_the_file(place: &Place) {
    let store = place.store().await;
    let mut rows = some_rows();
    for n in 0..2_500 {
        rows.push(if n % 3 == 0 {
            pending(format!("P{n}"), &["", ""])
        } else {
            refused(&format!("R{n}"), "1", &["", ""])
        });
    }
    let claim = claim_new(&store, "a.csv").await;
    publish(&store, &claim, &draft("a.csv", &rows), &rows).await.unwrap();
    let (mut after, mut numbers) = (0, Vec::new());
    loop {
        let page = store.rejects("20250812.1", after, 400).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.row_number;
        assert!(page.len() <= 400);
        numbers.extend(page.into_iter().map(|reject| reject.row_number));
    }
    let expected: Vec<u32> = (0..2_500).filter(|n| n % 3 != 0).map(|n| n + 4).collect();
    assert_eq!(numbers, expected);
}
