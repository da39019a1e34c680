//! Notices of what was dropped, from S3's notifications by way of a queue, or from a folder's system. They are hints:
//! whatever the queue loses, repeats or garbles, every file becomes one batch.

use std::time::{Duration, Instant};

use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use crate::serving::{address_of, get};
use crate::support::app::{In, Running, TestApp, To, contacts};
use crate::support::s3::credentials;

/// An app whose bucket tells a queue of what is written to it.
pub struct Told {
    pub app: TestApp,
    pub sqs: Client,
    pub url: String,
}

impl Told {
    pub async fn new(to: To) -> Told {
        let app = TestApp::new(In::Aws, to).await;
        let sqs = client(&app.bucket().endpoint);
        let created = sqs.create_queue().queue_name(&app.bucket().name).send().await.expect("the queue is created");
        let mut told = Told { app, sqs, url: created.queue_url.expect("an address") };
        told.app.set("BUCKET_QUEUE_URL", &told.url);
        // What the sweeps find is not to be credited to the notices.
        told.app.set("WORKER_SWEEP_SECONDS", "3600");
        told.notify(true).await;
        told
    }

    /// By a queue that is there already, and told of.
    pub fn by(app: TestApp, url: String) -> Told {
        Told { sqs: client(&app.bucket().endpoint), app, url }
    }

    pub async fn notify(&self, on: bool) {
        let queue = QueueConfiguration::builder().queue_arn(self.arn().await).events(Event::from("s3:ObjectCreated:*"));
        let queues = if on { vec![queue.build().expect("a rule")] } else { Vec::new() };
        let rules = NotificationConfiguration::builder().set_queue_configurations(Some(queues)).build();
        let bucket = self.app.bucket();
        let put = bucket.client.put_bucket_notification_configuration().bucket(&bucket.name);
        put.notification_configuration(rules).send().await.expect("notifications are switched");
    }

    async fn arn(&self) -> String {
        self.attribute(QueueAttributeName::QueueArn).await
    }

    async fn attribute(&self, name: QueueAttributeName) -> String {
        let asked = self.sqs.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = asked.send().await.expect("the queue answers");
        answer.attributes().and_then(|all| all.get(&name)).cloned().expect("the attribute")
    }

    /// How long a message is out of sight for others once it is received.
    pub async fn hide_messages_for(&self, seconds: u32) {
        let attributes = self.sqs.set_queue_attributes().queue_url(&self.url);
        let attributes = attributes.attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string());
        attributes.send().await.expect("the time is set");
    }

    /// What S3 would tell of a key of this bucket.
    pub fn event(&self, name: &str, key: &str) -> Value {
        event(name, &self.app.bucket().name, key)
    }

    pub async fn say(&self, message: &str) {
        self.sqs.send_message().queue_url(&self.url).message_body(message).send().await.expect("the message is sent");
    }

    /// Messages in the queue, those included that somebody has received and not deleted.
    pub async fn messages(&self) -> u32 {
        let mut count = 0;
        for name in
            [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible]
        {
            count += self.attribute(name).await.parse::<u32>().expect("a number");
        }
        count
    }

    /// Starts a worker and waits until its first sweep is over, so that whatever comes later comes by notice.
    pub async fn start(&self) -> Running {
        let running = self.app.start(&["run"]);
        self.app.drop_file("first.csv", contacts(3, 0)).await;
        self.app.wait_until("the first file is a batch", async || !self.app.batches().await.is_empty()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        running
    }

    pub async fn batches_become(&self, count: usize) {
        self.app.wait_until("the files are batches", async || self.app.batches().await.len() >= count).await;
    }

    pub async fn queue_empties(&self) {
        self.app.wait_until("the queue is empty", async || self.messages().await == 0).await;
    }
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials());
    Client::from_conf(config.build())
}

fn event(name: &str, bucket: &str, key: &str) -> Value {
    let object = serde_json::json!({"key": key, "size": 1, "eTag": "00000000000000000000000000000000"});
    serde_json::json!({"eventName": name, "s3": {"bucket": {"name": bucket}, "object": object}})
}

/// A message of these events.
pub fn records(events: &[Value]) -> String {
    serde_json::json!({ "Records": events }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_makes_a_batch_at_once_and_is_taken_back() {
    let told = Told::new(To::Postgres).await;
    let _worker = told.start().await;
    for (at, name) in ["a b+c.csv", "Zürich 😀.csv", "100%41.csv"].into_iter().enumerate() {
        let dropped = Instant::now();
        told.app.drop_file(name, contacts(100, at + 1)).await;
        told.batches_become(at + 2).await;
        println!("{name}: {:?} from the drop to the batch", dropped.elapsed());
        assert_eq!(told.app.batch_of(name).await.rows_read, 100);
    }
    told.queue_empties().await;
    assert_eq!(told.app.uploads().await.len(), 4, "one upload for each file, however often it was told of");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_repeat_come_late_or_tell_of_other_things_change_nothing() {
    let told = Told::new(To::Sqlite).await;
    let worker = told.start().await;
    let here = told.event("ObjectCreated:Put", "first.csv");
    let bodies = [
        records(&vec![here.clone(); 10]),
        records(std::slice::from_ref(&here)),
        records(&[told.event("ObjectRemoved:Delete", "first.csv"), here]),
        records(&[told.event("ObjectCreated:Put", "never-there.csv")]),
        records(&[told.event("ObjectCreated:Put", "results/20250401.1/first.receipt.json")]),
        records(&[told.event("ObjectCreated:Put", "half.csv.part")]),
        records(&[event("ObjectCreated:Put", "another", "first.csv")]),
        records(&[]),
        r#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}"#.to_owned(),
    ];
    for body in &bodies {
        told.say(body).await;
    }
    told.queue_empties().await;
    assert_eq!((told.app.uploads().await.len(), told.app.batches().await.len()), (1, 1));
    assert!(!worker.log().contains("WARN"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_understands_is_left_to_the_dead_letter_queue_and_stops_nobody() {
    let told = Told::new(To::Sqlite).await;
    let dead = told.sqs.create_queue().queue_name(format!("{}-dead", told.app.bucket().name)).send().await;
    let dead = dead.expect("the queue is created").queue_url.expect("an address");
    let arn = told.arn().await;
    let rule = format!(r#"{{"deadLetterTargetArn": "{arn}-dead", "maxReceiveCount": "2"}}"#);
    let attributes = told.sqs.set_queue_attributes().queue_url(&told.url);
    attributes.attributes(QueueAttributeName::RedrivePolicy, rule).send().await.expect("the rule is set");
    told.hide_messages_for(1).await;
    let worker = told.start().await;
    told.say("5125550142, not an event").await;
    told.app.drop_file("after.csv", contacts(10, 1)).await;
    told.batches_become(2).await;
    let dead_letters = async || {
        let received = told.sqs.receive_message().queue_url(&dead).visibility_timeout(0).send().await;
        received.expect("the queue answers").messages().len()
    };
    told.app.wait_until("the message is a dead letter", async || dead_letters().await == 1).await;
    assert!(worker.log().contains("not understood") && !worker.log().contains("5125550142"), "{}", worker.log());

    let looking = told.app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&told.app, &looking).await;
    told.app
        .wait_until("it is told in the metrics", async || {
            get(&address, "/metrics", "").await.body.contains("\nbatchdrop_queue_dead_letters 1\n")
        })
        .await;
    assert!(get(&address, "/", "").await.body.contains("1 dead letter."), "it is told on the page");
    assert!(looking.log().contains("messages lie in the queue of dead letters"), "{}", looking.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_dead_letter_queue_such_a_message_is_dropped_after_a_few_times() {
    let told = Told::new(To::Sqlite).await;
    told.hide_messages_for(0).await;
    let worker = told.start().await;
    told.say("{}").await;
    told.queue_empties().await;
    assert!(worker.log().contains("no dead-letter queue takes it"), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_notice_tells_of_is_found_by_the_sweep() {
    let mut told = Told::new(To::Sqlite).await;
    told.app.set("WORKER_SWEEP_SECONDS", "1");
    let _worker = told.start().await;
    told.notify(false).await;
    told.app.drop_file("untold.csv", contacts(10, 1)).await;
    told.batches_become(2).await;
    told.notify(true).await;
    told.app.drop_file("told.csv", contacts(10, 2)).await;
    told.batches_become(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_workers_on_one_queue_each_file_goes_to_one() {
    let told = Told::new(To::Postgres).await;
    let _first = told.start().await;
    let _others = [told.app.start(&["run"]), told.app.start(&["run"]), told.app.start(&["run"])];
    for seed in 1..=30 {
        told.app.drop_file(&format!("calls_{seed}.csv"), contacts(20, seed)).await;
    }
    told.batches_become(31).await;
    told.queue_empties().await;
    let batches = told.app.batches().await;
    assert!(batches.len() == 31 && batches.iter().all(|batch| batch.error_message.is_none()), "{batches:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_hardly_ever_listed_tells_of_what_is_dropped() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("WORKER_POLL_MS", "3600000");
    app.drop_file("in/first.csv", contacts(3, 0)).await;
    tokio::time::sleep(Duration::from_millis(500)).await; // it has held still when the only sweep comes
    let _worker = app.start(&["run"]);
    app.wait_until("the sweep's file is a batch", async || app.batches().await.len() == 1).await;
    app.drop_file("second.csv", contacts(3, 1)).await;
    app.drop_file("in/third.csv", contacts(3, 2)).await;
    app.wait_until("the files are batches", async || app.batches().await.len() == 3).await;
    assert_eq!(app.uploads().await.len(), 3, "no answer of ours came as an upload");
}
