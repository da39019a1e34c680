//! Messages that come many times, in any order, too late to be taken back, or whose deletion fails.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::types::MessageSystemAttributeName;
use batchdrop::model::{Upload, UploadStatus};
use futures_util::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::notices::{Told, records};
use crate::support::app::{To, contacts};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_told_fifty_times_at_once_and_again_weeks_later_is_one_batch() {
    let told = Told::new(To::Postgres).await;
    let _workers = [told.start().await, told.app.start(&["run"]), told.app.start(&["run"])];
    told.notify(false).await;
    told.app.drop_file("often.csv", contacts(200, 1)).await;
    let message = records(&[told.event("ObjectCreated:Put", "often.csv")]);
    for when in ["at once", "once the batch exists", "weeks later"] {
        if when == "weeks later" {
            let sql = "update uploads set seen_at = seen_at - interval '60 days', \
                       claimed_at = claimed_at - interval '60 days', settled_at = settled_at - interval '60 days'";
            told.app.run_sql(sql).await;
        }
        join_all((0..50).map(|_| told.say(&message))).await;
        told.batches_become(2).await;
        told.queue_empties().await;
        assert_eq!(told.app.uploads().await.len(), 2, "{when}");
        assert_eq!(told.app.batches().await.len(), 2, "{when}");
    }
    assert_eq!(told.app.batch_of("often.csv").await.rows_read, 200);
}

/// What is done to a key, one after another, and what S3 would tell of it.
const CHANGES: [(Option<usize>, &str); 4] = [
    (Some(1), "ObjectCreated:Put"),
    (Some(2), "ObjectCreated:Put"),
    (None, "ObjectRemoved:Delete"),
    (Some(3), "ObjectCreated:Put"),
];

/// Every order in which four events can come: the new version before the old one, the deletion before the creation, and
/// so on.
fn orders() -> Vec<[usize; 4]> {
    let digits = |number: usize| [number / 64, number / 16 % 4, number / 4 % 4, number % 4];
    let is_order = |order: &[usize; 4]| (0..4).all(|event| order.contains(&event));
    (0..256).map(digits).filter(is_order).collect()
}

/// What a key held after a change becomes a batch if an event then tells of anything written; which version, it does
/// not decide. What no event tells of in time is the sweep's to find.
#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_of_four_events_each_version_is_one_batch_or_never_was_seen() {
    let told = Told::new(To::Sqlite).await;
    let worker = told.start().await;
    told.notify(false).await;
    let orders = orders();
    assert_eq!(orders.len(), 24);
    let key = |at: usize| format!("order_{at:02}.csv");
    let rows = |at: usize, version: usize| contacts(version, 10 * at + version);
    for (now, (version, _)) in CHANGES.into_iter().enumerate() {
        join_all((0..24).map(async |at| match version {
            Some(version) => told.app.drop_file(&key(at), rows(at, version)).await,
            None => told.app.delete(&key(at)).await,
        }))
        .await;
        let message = |at: usize| {
            let told_of = orders[at][now];
            let mut event = told.event(CHANGES[told_of].1, &key(at));
            event["s3"]["object"]["sequencer"] = format!("{told_of:016X}").into();
            records(&[event])
        };
        join_all((0..24).map(async |at| told.say(&message(at)).await)).await;
        told.queue_empties().await;
        told.app.wait_until("all that is known is loaded", async || told.app.uploads().await.iter().all(settled)).await;
    }
    drop(worker);
    let versions = async |at: usize| {
        let mut versions: Vec<_> = told.app.batches().await;
        versions.retain(|batch| batch.upload_filename.as_deref() == Some(&key(at)));
        assert!(versions.iter().all(|batch| batch.error_message.is_none()), "{versions:?}");
        let mut versions: Vec<_> = versions.iter().map(|batch| batch.rows_read as usize).collect();
        versions.sort_unstable();
        versions
    };
    let expected = |at: usize| -> Vec<usize> {
        let is_told = |now: usize| CHANGES[orders[at][now]].1.starts_with("ObjectCreated");
        (0..4).filter(|&now| is_told(now)).filter_map(|now| CHANGES[now].0).collect()
    };
    for (at, order) in orders.iter().enumerate() {
        assert_eq!(versions(at).await, expected(at), "{order:?}");
    }
    assert_eq!(told.app.settle().await, 0);
    for (at, order) in orders.iter().enumerate() {
        let mut expected = expected(at);
        if !expected.contains(&3) {
            expected.push(3);
        }
        assert_eq!(versions(at).await, expected, "after a sweep, {order:?}");
    }
}

fn settled(upload: &Upload) -> bool {
    upload.settled_at.is_some()
}

/// Nobody writes to the table until the connection is closed.
async fn locked(told: &Told, lock: &'static str) -> PgConnection {
    let mut connection = PgConnection::connect(&told.app.store_url).await.expect("the test's database");
    connection.execute(lock).await.expect("a lock");
    connection
}

async fn upload_of(told: &Told, key: &str) -> Option<Upload> {
    told.app.uploads().await.into_iter().find(|upload| upload.key == key)
}

/// A message is taken back when its file stands in the ledger, so that loading may last as long as it will.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_outlasts_its_message_is_not_told_of_again() {
    let told = Told::new(To::Postgres).await;
    told.hide_messages_for(1).await;
    let _workers = [told.start().await, told.app.start(&["run"])];
    let lock = locked(&told, "begin; lock table request_rows in exclusive mode").await;
    told.app.drop_file("slow.csv", contacts(50, 1)).await;
    let is_claimed =
        async || upload_of(&told, "slow.csv").await.is_some_and(|upload| upload.status == UploadStatus::Claimed);
    told.app.wait_until("the upload is claimed", is_claimed).await;
    told.queue_empties().await;
    // Longer than a message that was not taken back would have been hidden.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(is_claimed().await, "it is still being loaded");
    assert_eq!(told.messages().await, 0);
    lock.close().await.expect("the lock is gone");
    told.batches_become(2).await;
    assert_eq!(told.app.batch_of("slow.csv").await.rows_read, 50);
    assert_eq!(upload_of(&told, "slow.csv").await.expect("in the ledger").attempts, 1);
    assert_eq!(told.app.uploads().await.len(), 2);
}

/// Where the ledger itself is slow, a second worker receives the message before the first could take it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_two_workers_hold_at_once_is_one_batch() {
    let told = Told::new(To::Postgres).await;
    told.hide_messages_for(1).await;
    let workers = [told.start().await, told.app.start(&["run"])];
    told.queue_empties().await;
    let lock = locked(&told, "begin; lock table uploads in exclusive mode").await;
    told.app.drop_file("slow.csv", contacts(50, 1)).await;
    let looks = Cell::new(0);
    told.app
        .wait_until("the message was received twice, our own looks not counted", async || {
            let received = times_received(&told).await;
            looks.set(looks.get() + u32::from(received.is_some()));
            received.is_some_and(|times| times >= looks.get() + 2)
        })
        .await;
    lock.close().await.expect("the lock is gone");
    told.batches_become(2).await;
    told.queue_empties().await;
    assert_eq!((told.app.uploads().await.len(), told.app.batches().await.len()), (2, 2));
    assert_eq!(upload_of(&told, "slow.csv").await.expect("in the ledger").attempts, 1);
    for worker in workers {
        assert!(!worker.log().contains("ERROR"), "{}", worker.log());
    }
}

/// How often the message in the queue was received, this look included; `None` while it is hidden.
async fn times_received(told: &Told) -> Option<u32> {
    let ask = told.sqs.receive_message().queue_url(&told.url).visibility_timeout(0);
    let ask = ask.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
    let messages = ask.send().await.expect("the queue answers").messages.unwrap_or_default();
    let count = messages.first()?.attributes()?.get(&MessageSystemAttributeName::ApproximateReceiveCount)?;
    count.parse().ok()
}

/// How the queue takes a deletion.
#[derive(Clone, Copy, PartialEq)]
enum Deletion {
    Done,
    Refused,
    /// It is done, and the answer never arrives.
    Unanswered,
}

/// A queue that misbehaves: the real one, with a server before it that passes everything on but deletions.
struct Misbehaving {
    url: String,
    deletion: Arc<Mutex<Deletion>>,
    asked: Arc<AtomicUsize>,
}

impl Misbehaving {
    async fn before(queue_url: &str, deletion: Deletion) -> Misbehaving {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let queue = queue_url.split('/').nth(2).expect("an authority").to_owned();
        let url = queue_url.replacen(&queue, &address, 1);
        let (deletion, asked) = (Arc::new(Mutex::new(deletion)), Arc::new(AtomicUsize::new(0)));
        let (how, count) = (deletion.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (queue, how, count) = (queue.clone(), how.clone(), count.clone());
                // Who asked may be gone.
                tokio::spawn(async move { pass_on(client, &queue, &how, &count).await });
            }
        });
        Misbehaving { url, deletion, asked }
    }
}

/// Passes one request on, and closes the connection.
async fn pass_on(
    mut client: TcpStream,
    queue: &str,
    how: &Mutex<Deletion>,
    count: &AtomicUsize,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let lines = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = lines.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body).await?;
    let deletes = lines.contains("amazonsqs.deletemessage");
    let deletion = if deletes { *how.lock().expect("a lock") } else { Deletion::Done };
    count.fetch_add(usize::from(deletes), SeqCst);
    if deletion == Deletion::Refused {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return client.write_all(answer).await;
    }
    let mut server = TcpStream::connect(queue).await?;
    server.write_all(&head[..head.len() - 2]).await?;
    server.write_all(b"connection: close\r\n\r\n").await?;
    server.write_all(&body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if deletion == Deletion::Unanswered {
        return Ok(());
    }
    client.write_all(&answer).await
}

async fn deletions_fail(deletion: Deletion) {
    let mut told = Told::new(To::Sqlite).await;
    told.hide_messages_for(1).await;
    let queue = Misbehaving::before(&told.url, deletion).await;
    told.app.set("BUCKET_QUEUE_URL", &queue.url);
    let worker = told.start().await;
    told.app.drop_file("a.csv", contacts(20, 1)).await;
    told.batches_become(2).await;
    let failed = async || worker.log().matches("a notice comes again, in vain").count();
    if deletion == Deletion::Refused {
        told.app.wait_until("one of the two messages comes again", async || failed().await >= 3).await;
        assert_ne!(told.messages().await, 0);
        *queue.deletion.lock().expect("a lock") = Deletion::Done;
    } else {
        told.app.wait_until("it is said", async || failed().await >= 1).await;
    }
    told.queue_empties().await;
    assert!(queue.asked.load(SeqCst) > 2, "asked again");
    assert_eq!((told.app.uploads().await.len(), told.app.batches().await.len()), (2, 2));
    assert_eq!(told.app.batch_of("a.csv").await.rows_read, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_deletion_is_refused_comes_again_in_vain() {
    deletions_fail(Deletion::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_never_answered_does_no_harm() {
    deletions_fail(Deletion::Unanswered).await;
}
