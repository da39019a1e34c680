//! Steering: what operators do to batches, what is kept of it, and that no sender takes what was called off.

use std::time::Duration;

use batchdrop::model::{Action, Batch, BatchDraft, BatchOrder, BatchQuery, BatchStatus, FileCode, Steered, Steering};
use batchdrop::store::{Published, Store};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::{Place, batch_id, claim_new, draft, load_new, pending, publish, some_rows};

every_store! {
    each_change_is_done_and_kept_as_an_event
    what_is_so_already_changes_nothing
    what_has_ended_is_not_steered
    a_wish_that_cannot_be_used_changes_nothing
    a_batch_expires_by_itself
    of_a_batch_that_is_not_active_no_request_can_be_taken
    a_cancel_waits_for_a_taking_under_way_and_the_next_finds_it_done
    once_a_cancel_is_told_nothing_more_is_taken
    of_two_operators_at_once_one_finds_what_the_other_did
    a_canceled_batch_holds_no_content
}

fn wish(action: Action, reason: &str) -> Steering {
    let reason = (!reason.is_empty()).then(|| reason.to_owned());
    Steering { action, by: "ana@example.com".to_owned(), reason }
}

async fn steer(store: &Store, id: &str, action: Action, reason: &str) -> Batch {
    match store.steer(id, &wish(action, reason)).await.unwrap() {
        Steered::Done(batch) => batch,
        other => panic!("{action:?}: {other:?}"),
    }
}

async fn refused(store: &Store, id: &str, action: Action) -> (BatchStatus, String) {
    match store.steer(id, &wish(action, "why")).await.unwrap() {
        Steered::Refused { status, why } => (status, why),
        other => panic!("{action:?}: {other:?}"),
    }
}

fn tomorrow() -> DateTime<Utc> {
    (Utc::now() + TimeDelta::days(1)).trunc_subsecs(3)
}

/// Lets the batch's time be over.
async fn expire(place: &Place, id: &str) {
    let sql = format!("update batches set expires_on = created_at where batch_id = '{id}'");
    assert_eq!(place.run(&sql).await.unwrap(), 1);
}

async fn each_change_is_done_and_kept_as_an_event(place: &Place) {
    let store = place.store().await;
    let (id, other) = (load_new(&store, "a.csv").await, load_new(&store, "b.csv").await);
    let published = store.batch(&id).await.unwrap().unwrap();
    let time = tomorrow();

    let held = steer(&store, &id, Action::Hold, "  the amounts look wrong ").await;
    assert_eq!((held.status, held.paused), (BatchStatus::Paused, Some(true)));
    assert_eq!((held.last_updated_by.as_str(), held.created_at), ("ana@example.com", published.created_at));
    assert!(held.last_updated_at >= published.last_updated_at);
    assert_eq!((held.deleted_at, held.deleted_reason, held.expires_on), (None, None, None));
    let resumed = steer(&store, &id, Action::Resume, "").await;
    assert_eq!((resumed.status, resumed.paused), (BatchStatus::Active, Some(false)));
    let ends = steer(&store, &id, Action::Expire(Some(time + TimeDelta::nanoseconds(999_999))), "").await;
    assert_eq!((ends.status, ends.expires_on), (BatchStatus::Active, Some(time)));
    assert_eq!(steer(&store, &id, Action::Hold, "").await.expires_on, Some(time), "it stays");
    let endless = steer(&store, &id, Action::Expire(None), "they asked for it").await;
    assert_eq!((endless.status, endless.expires_on), (BatchStatus::Paused, None));
    let canceled = steer(&store, &id, Action::Cancel, "wrong list; it's \"B\" 📞").await;
    assert_eq!((canceled.status, canceled.paused), (BatchStatus::Canceled, Some(false)));
    assert_eq!(canceled.deleted_at, Some(canceled.last_updated_at));
    assert_eq!(canceled.deleted_reason.as_deref(), Some("wrong list; it's \"B\" 📞"));
    assert_eq!(canceled.count("PENDING"), 3, "requests stay as they are");
    let read = store.batch(&id).await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&canceled).unwrap());

    let events = store.events(&id).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.sequence, e.event.as_str(), e.actor.as_deref().unwrap_or("-"), e.reason.as_deref(), e.expires_on))
        .collect();
    let ana = "ana@example.com";
    assert_eq!(
        told,
        [
            (0, "PUBLISHED", "worker@example.com", None, None),
            (1, "HELD", ana, Some("the amounts look wrong"), None),
            (2, "RESUMED", ana, None, None),
            (3, "EXPIRY_SET", ana, None, Some(time)),
            (4, "HELD", ana, None, None),
            (5, "EXPIRY_SET", ana, Some("they asked for it"), None),
            (6, "CANCELED", ana, Some("wrong list; it's \"B\" 📞"), None),
        ]
    );
    assert_eq!(events[0].at, published.created_at);
    assert_eq!((events[1].at, events[6].at), (held.last_updated_at, canceled.last_updated_at));
    assert!(events.is_sorted_by_key(|event| event.at));

    assert_eq!(store.events(&other).await.unwrap().len(), 1, "its neighbour's are its own");
    assert_eq!(store.events("20250812.9").await.unwrap(), []);
    let of_view = "select cast(count(*) as text) from batch_events";
    assert_eq!(place.texts(of_view).await, ["8"], "read without us");
}

async fn what_is_so_already_changes_nothing(place: &Place) {
    let store = place.store().await;
    let id = load_new(&store, "a.csv").await;
    let time = tomorrow();
    let again = async |action: Action| {
        let before = place.dump().await;
        match store.steer(&id, &wish(action, "again")).await.unwrap() {
            Steered::Unchanged(batch) => assert_eq!(batch.batch_id, id),
            other => panic!("{action:?}: {other:?}"),
        }
        assert_eq!(place.dump().await, before, "{action:?}");
    };
    again(Action::Resume).await;
    again(Action::Expire(None)).await;
    for action in [Action::Hold, Action::Expire(Some(time)), Action::Cancel] {
        steer(&store, &id, action, "once").await;
        again(action).await;
    }
}

async fn what_has_ended_is_not_steered(place: &Place) {
    let store = place.store().await;
    let (canceled, expired) = (load_new(&store, "a.csv").await, load_new(&store, "b.csv").await);
    steer(&store, &canceled, Action::Cancel, "by mistake").await;
    expire(place, &expired).await;
    let claim = claim_new(&store, "c.csv").await;
    let no_rows = draft("c.csv", &[]);
    let failed = store.fail(&claim, &no_rows, FileCode::EmptyFile, "Empty file").await.unwrap();
    let before = place.dump().await;
    for action in [Action::Hold, Action::Resume, Action::Cancel, Action::Expire(Some(tomorrow())), Action::Expire(None)]
    {
        for (id, status, why) in [
            (&canceled, BatchStatus::Canceled, "was CANCELED by ana@example.com; that is for good"),
            (&expired, BatchStatus::Expired, "is EXPIRED; that is for good"),
            (&failed, BatchStatus::Failed, "FAILED, and has no requests; that is for good"),
        ] {
            if (action, status) == (Action::Cancel, BatchStatus::Canceled) {
                continue; // it is so already
            }
            let (stands, told) = refused(&store, id, action).await;
            assert_eq!(stands, status, "{action:?}");
            assert!(told.contains(why) && told.contains(id.as_str()), "{told}");
        }
    }
    assert_eq!(place.dump().await, before);
    let events = store.events(&failed).await.unwrap();
    assert_eq!(
        (events.len(), events[0].event.as_str(), events[0].reason.as_deref()),
        (1, "FAILED", Some("Empty file"))
    );
}

async fn a_wish_that_cannot_be_used_changes_nothing(place: &Place) {
    let store = place.store().await;
    let id = load_new(&store, "a.csv").await;
    let before = place.dump().await;
    let told = async |wish: Steering| match store.steer(&id, &wish).await.unwrap() {
        Steered::Invalid { why } => why,
        other => panic!("{wish:?}: {other:?}"),
    };
    assert_eq!(told(wish(Action::Cancel, " \n")).await, "to cancel a batch, say why: a reason is required");
    let nobody = Steering { by: "ana".to_owned(), ..wish(Action::Hold, "") };
    assert_eq!(told(nobody).await, "who wants it must be given as an e-mail address");
    let past = Action::Expire(Some(Utc::now() - TimeDelta::hours(1)));
    assert_eq!(told(wish(past, "")).await, "the time to expire is over already; to end a batch now, cancel it");
    for id in ["20250812.2", "20250812.1 ", "", "'"] {
        let unknown = store.steer(id, &wish(Action::Hold, "")).await.unwrap();
        assert!(matches!(unknown, Steered::Unknown), "{id:?}: {unknown:?}");
    }
    assert_eq!(place.dump().await, before);
}

async fn a_batch_expires_by_itself(place: &Place) {
    let store = place.store().await;
    let (active, held) = (load_new(&store, "a.csv").await, load_new(&store, "b.csv").await);
    let later = load_new(&store, "c.csv").await;
    steer(&store, &held, Action::Hold, "").await;
    steer(&store, &later, Action::Expire(Some(tomorrow())), "").await;
    let statuses = "select batch_status from requests where row_number = 1 order by batch_id";
    assert_eq!(place.texts(statuses).await, ["ACTIVE", "PAUSED", "ACTIVE"]);
    for id in [&active, &held] {
        expire(place, id).await;
        let batch = store.batch(id).await.unwrap().unwrap();
        assert_eq!((batch.status, batch.paused), (BatchStatus::Expired, Some(false)));
        let events = store.events(id).await.unwrap();
        let last = events.last().unwrap();
        assert_eq!((last.event.as_str(), &last.actor, last.expires_on), ("EXPIRED", &None, batch.expires_on));
        assert_eq!((Some(last.at), last.sequence as usize), (batch.expires_on, events.len() - 1));
    }
    assert_eq!(place.texts(statuses).await, ["EXPIRED", "EXPIRED", "ACTIVE"]);
    for (status, expected) in [("EXPIRED", vec![&held, &active]), ("ACTIVE", vec![&later]), ("PAUSED", vec![])] {
        let query = BatchQuery { status: BatchStatus::parse(status), ..Default::default() };
        let page = store.list_batches(&query).await.unwrap();
        assert_eq!(page.iter().map(|batch| &batch.batch_id).collect::<Vec<_>>(), expected, "{status}");
        assert_eq!(store.count_batches(&query).await.unwrap(), expected.len() as u64, "{status}");
    }
    let by_status = BatchQuery { order: BatchOrder::Status, ..Default::default() };
    let page = store.list_batches(&by_status).await.unwrap();
    assert_eq!(page.iter().map(|batch| &batch.batch_id).collect::<Vec<_>>(), [&held, &active, &later]);
    assert_eq!(store.events(&active).await.unwrap().len(), 2);
}

/// Takes one request of a batch, as a sender that looks at nothing but the request; the row that it got.
fn take(id: &str, row: u32) -> String {
    format!(
        "update requests set request_status = 'INITIATED' where batch_id = '{id}' and row_number = {row} \
         and request_status = 'PENDING' returning reference_id"
    )
}

async fn counts(store: &Store, id: &str) -> Vec<(String, u64)> {
    store.batch(id).await.unwrap().unwrap().status_counts.into_iter().collect()
}

fn are(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect()
}

async fn of_a_batch_that_is_not_active_no_request_can_be_taken(place: &Place) {
    let store = place.store().await;
    let paused = load_new(&store, "a.csv").await;
    let (canceled, expired) = (load_new(&store, "b.csv").await, load_new(&store, "c.csv").await);
    for id in [&paused, &canceled, &expired] {
        assert_eq!(place.texts(&take(id, 1)).await, ["A1"], "it is ACTIVE");
    }
    steer(&store, &paused, Action::Hold, "").await;
    steer(&store, &canceled, Action::Cancel, "why").await;
    expire(place, &expired).await;
    for id in [&paused, &canceled, &expired] {
        assert_eq!(place.texts(&take(id, 2)).await, [""; 0]);
        let all = "update requests set request_status = 'COMPLETED' where request_status = 'PENDING'";
        place.run(all).await.unwrap();
        assert_eq!(counts(&store, id).await, are(&[("INITIATED", 1), ("PENDING", 2)]));
        // What is under way is reported.
        let report = format!(
            "update requests set request_status = 'COMPLETED', attempt_count = 1 \
             where batch_id = '{id}' and request_status = 'INITIATED' returning reference_id"
        );
        assert_eq!(place.texts(&report).await, ["A1"]);
        // To write off what nobody will contact is no taking.
        let write_off = format!(
            "update requests set request_status = 'CANCELED' where batch_id = '{id}' and row_number = 3 returning reference_id"
        );
        assert_eq!(place.texts(&write_off).await, ["A3"]);
        assert_eq!(counts(&store, id).await, are(&[("CANCELED", 1), ("COMPLETED", 1), ("PENDING", 1)]));
    }
    let open = "select batch_id from requests where request_status = 'PENDING' and batch_status = 'ACTIVE'";
    assert_eq!(place.texts(open).await, [""; 0], "one query tells a sender that there is nothing to do");
    steer(&store, &paused, Action::Resume, "").await;
    assert_eq!(place.texts(open).await, [paused.as_str()]);
    assert_eq!(place.texts(&take(&paused, 2)).await, ["A2"]);
    let moved = place.run("update requests set batch_status = 'ACTIVE'").await.unwrap_err().to_string();
    assert!(moved.contains("only request_status, sent_at and attempt_count may be changed"), "{moved}");
}

const A_WHILE: Duration = Duration::from_millis(300);

async fn a_cancel_waits_for_a_taking_under_way_and_the_next_finds_it_done(place: &Place) {
    let store = place.store().await;
    let id = load_new(&store, "a.csv").await;
    let (mut one, mut two) = (place.session().await, place.session().await);
    one.run(if place.is_sqlite() { "begin immediate" } else { "begin" }).await.unwrap();
    assert_eq!(one.texts(&take(&id, 1)).await.unwrap(), ["A1"]);
    let (operator, batch) = (store.clone(), id.clone());
    let mut canceling = tokio::spawn(async move { steer(&operator, &batch, Action::Cancel, "why").await });
    tokio::time::timeout(A_WHILE, &mut canceling).await.expect_err("the first may still change its mind");
    let next = take(&id, 2);
    let mut taking = tokio::spawn(async move { two.texts(&next).await.unwrap() });
    tokio::time::timeout(A_WHILE, &mut taking).await.expect_err("it queues up behind the cancel");
    assert_eq!(one.texts(&take(&id, 3)).await.unwrap(), ["A3"], "who has the turn keeps it");
    one.run("commit").await.unwrap();
    if place.is_sqlite() {
        // SQLite gives its lock to whoever asks at the right moment: either is right.
        let (batch, taken) = (canceling.await.unwrap(), taking.await.unwrap().len() as u64);
        assert_eq!(batch.status, BatchStatus::Canceled);
        let pending = 1 - taken;
        assert_eq!((batch.count("PENDING"), batch.count("INITIATED")), (pending, 3 - pending), "taken before it");
        assert_eq!(place.texts(&take(&id, 2)).await, [""; 0]);
    } else {
        assert_eq!(canceling.await.unwrap().status, BatchStatus::Canceled);
        assert_eq!(taking.await.unwrap(), [""; 0]);
        assert_eq!(counts(&store, &id).await, are(&[("INITIATED", 2), ("PENDING", 1)]));
    }
}

/// A batch of many rows.
async fn load_many(store: &Store, file: &str, rows: u32) -> String {
    let claim = claim_new(store, file).await;
    let rows: Vec<_> = (1..=rows).map(|row| pending(format!("A{row}"), &["Zoë", "10"])).collect();
    batch_id(publish(store, &claim, &draft(file, &rows), &rows).await.unwrap())
}

async fn once_a_cancel_is_told_nothing_more_is_taken(place: &Place) {
    let store = place.store().await;
    let (mut early, mut late) = (0, 0);
    for round in 0..12_u32 {
        let id = load_many(&store, &format!("{round}.csv"), 60).await;
        let mut senders = JoinSet::new();
        for sender in 0..2 {
            let (mut session, id) = (place.session().await, id.clone());
            senders.spawn(async move {
                let mut taken = 0;
                for row in (sender * 30 + 1)..=(sender * 30 + 30) {
                    taken += session.texts(&take(&id, row)).await.unwrap().len() as u64;
                }
                taken
            });
        }
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 2)).await;
        let told = steer(&store, &id, Action::Cancel, "why").await.count("INITIATED");
        let taken: u64 = senders.join_all().await.into_iter().sum();
        assert_eq!(counts(&store, &id).await.iter().map(|(_, count)| count).sum::<u64>(), 60);
        assert_eq!((told, taken), (store.batch(&id).await.unwrap().unwrap().count("INITIATED"), told), "round {round}");
        early += told;
        late += 60 - told;
    }
    assert!(early > 0 && late > 0, "{early} taken before, {late} too late: the rounds met none of the two");
}

async fn of_two_operators_at_once_one_finds_what_the_other_did(place: &Place) {
    let stores = [place.store().await, place.store().await];
    for round in 0..5 {
        let id = load_new(&stores[0], &format!("{round}.csv")).await;
        let mut operators = JoinSet::new();
        for (store, action) in stores.iter().cloned().zip([Action::Cancel, Action::Hold]) {
            let id = id.clone();
            operators.spawn(async move { (action, store.steer(&id, &wish(action, "why")).await.unwrap()) });
        }
        let hold_came_first =
            operators.join_all().await.into_iter().fold(None, |first, (action, steered)| match (action, steered) {
                (Action::Cancel, Steered::Done(_)) => first,
                (Action::Hold, Steered::Done(_)) => Some(true),
                (Action::Hold, Steered::Refused { status: BatchStatus::Canceled, .. }) => Some(false),
                other => panic!("{other:?}"),
            });
        let events: Vec<_> = stores[1].events(&id).await.unwrap().into_iter().map(|event| event.event).collect();
        let all = ["PUBLISHED", "HELD", "CANCELED"];
        let expected = if hold_came_first == Some(true) { &all[..] } else { &["PUBLISHED", "CANCELED"] };
        assert_eq!(events, expected);
        assert_eq!(stores[1].batch(&id).await.unwrap().unwrap().status, BatchStatus::Canceled);
    }
}

/// Of keys the same is shown in `tests/it/keys.rs`, by whole files.
async fn a_canceled_batch_holds_no_content(place: &Place) {
    let store = place.store().await;
    let first = load_new(&store, "a.csv").await;
    let again = async |file: &str| {
        let (claim, rows) = (claim_new(&store, file).await, some_rows());
        let draft = BatchDraft { sha256: Some("sha256 of a.csv".to_owned()), ..draft(file, &rows) };
        publish(&store, &claim, &draft, &rows).await.unwrap()
    };
    steer(&store, &first, Action::Hold, "").await;
    assert_eq!(again("b.csv").await, Published::Repeat { of_batch_id: first.clone() }, "PAUSED counts");
    expire(place, &first).await;
    assert_eq!(again("c.csv").await, Published::Repeat { of_batch_id: first.clone() }, "so does EXPIRED");
    let later = format!("update batches set expires_on = null where batch_id = '{first}'");
    place.run(&later).await.unwrap();
    steer(&store, &first, Action::Cancel, "why").await;
    let second = batch_id(again("d.csv").await);
    assert_eq!(again("e.csv").await, Published::Repeat { of_batch_id: second }, "the second counts");
}

#[tokio::test]
async fn a_stream_of_takers_does_not_keep_a_cancel_waiting_in_postgresql() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let id = load_many(&store, "a.csv", 1200).await;
    let mut senders = JoinSet::new();
    for sender in 0..3 {
        let (mut session, id) = (place.session().await, id.clone());
        senders.spawn(async move {
            for row in (sender * 400 + 1)..=(sender * 400 + 400) {
                session.run("begin").await.unwrap();
                let taken = session.texts(&take(&id, row)).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10 + u64::from(row % 7))).await;
                session.run("commit").await.unwrap();
                if taken.is_empty() {
                    return;
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let canceled = steer(&store, &id, Action::Cancel, "why").await;
    assert!(canceled.count("PENDING") > 600, "it came at the end only: {:?}", canceled.status_counts);
    senders.join_all().await;
    assert_eq!(store.batch(&id).await.unwrap().unwrap().status_counts, canceled.status_counts);
}

#[tokio::test]
async fn a_taker_of_an_old_snapshot_and_a_cancel_by_hand_exclude_each_other_too_in_postgresql() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let (id, other) = (load_new(&store, "a.csv").await, load_new(&store, "b.csv").await);
    let mut old = place.session().await;
    old.run("begin isolation level repeatable read").await.unwrap();
    assert_eq!(old.texts("select batch_status from requests limit 1").await.unwrap(), ["ACTIVE"]);
    steer(&store, &id, Action::Cancel, "why").await;
    let told = old.texts(&take(&id, 1)).await.unwrap_err().to_string();
    assert!(told.contains("could not serialize access"), "{told}");
    old.run("rollback").await.unwrap();

    old.run("begin").await.unwrap();
    old.run(&format!("update batches set status = 'PAUSED' where batch_id = '{other}'")).await.unwrap();
    let mut two = place.session().await;
    let next = take(&other, 2);
    let mut taking = tokio::spawn(async move { two.texts(&next).await.unwrap() });
    tokio::time::timeout(A_WHILE, &mut taking).await.expect_err("it waits to see whether this is meant");
    old.run("commit").await.unwrap();
    assert_eq!(taking.await.unwrap(), [""; 0]);
}
