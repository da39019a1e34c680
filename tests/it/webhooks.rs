//! Webhooks: what happened is told, signed, at least once, whatever the receiver or the worker does; and loads never
//! wait for it.

use std::collections::BTreeSet;

use batchdrop::model::MessageState;

use super::support::app::{In, TestApp, To, contacts, on_both_stores};
use super::support::receiver::{Receiver, SECRET, check_signatures};

on_both_stores! {
    what_happened_is_told_with_the_facts_of_the_receipt
    a_worker_killed_after_the_commit_has_told_all_the_same
    what_is_not_taken_is_tried_again_under_the_same_id
    a_receiver_that_is_gone_or_fails_for_three_days_is_given_up
    a_receiver_that_never_answers_delays_no_load
    workers_share_the_messages
    a_run_for_a_scheduler_leaves_to_the_next_what_is_not_taken
}

/// A program that tells the receiver, of these events.
async fn app(to: To, receiver: &Receiver, more: &str) -> TestApp {
    let mut app = TestApp::new(In::Folder, to).await;
    app.configure(&format!(
        "[campaigns.late]\nid = 7\nfiles = '*.csv'\n[webhooks.ops]\nurl = '{}'\n{more}",
        receiver.url
    ));
    app.set("WEBHOOKS_OPS_SECRET", SECRET);
    app.set("WORKER_LEASE_SECONDS", "1");
    app
}

async fn messages(app: &TestApp) -> Vec<MessageState> {
    app.store.messages(None, None, 1_000).await.expect("messages")
}

async fn all_are(app: &TestApp, status: &str) -> bool {
    let messages = messages(app).await;
    !messages.is_empty() && messages.iter().all(|message| message.status == status)
}

async fn what_happened_is_told_with_the_facts_of_the_receipt(to: To) {
    let receiver = Receiver::new(&[]).await;
    let more = format!(
        "[webhooks.failures]\nurl = '{0}'\nevents = ['batch.failed']\n\
         [webhooks.others]\nurl = '{0}'\ncampaigns = ['other']\n[campaigns.other]\nid = 8\nfiles = 'other*.csv'\n",
        receiver.url
    );
    let mut app = app(to, &receiver, &more).await;
    app.set("WEBHOOKS_FAILURES_SECRET", SECRET);
    app.set("WEBHOOKS_OTHERS_SECRET", SECRET);
    app.drop_file("good.csv", contacts(100, 1)).await;
    app.drop_file("empty.csv", "").await;
    app.drop_file("notes.txt", "x").await;
    assert_eq!(app.settle().await, 3);

    let received = receiver.received();
    let mut events: Vec<String> = received.iter().map(|message| message.event()).collect();
    events.sort();
    assert_eq!(events, ["batch.failed", "batch.failed", "batch.loaded", "upload.rejected"]);
    check_signatures(&received, SECRET).expect("signed as specified");
    let mut forged = received.clone();
    forged[0].body.push(' ');
    assert!(check_signatures(&forged, SECRET).is_err(), "the check can fail");
    let ids: BTreeSet<&String> = received.iter().map(|message| &message.id).collect();
    assert_eq!(ids.len(), 4);

    let rejected = app.uploads().await.into_iter().find(|upload| upload.key == "notes.txt").expect("in the ledger");
    for (event, folder, stem, counts) in [
        (
            "batch.loaded",
            app.batch_of("good.csv").await.batch_id,
            "good",
            serde_json::json!({"PENDING": 97, "DUPLICATE": 2, "INVALID": 1}),
        ),
        ("batch.failed", app.batch_of("empty.csv").await.batch_id, "empty", serde_json::json!({})),
        ("upload.rejected", format!("rejected/{}", rejected.upload_id), "notes", serde_json::json!({})),
    ] {
        let told = received.iter().find(|message| message.event() == event).expect("told").json();
        let (receipt, data) = (app.receipt(&folder, stem).await, told["data"].clone());
        for field in ["status", "batch_id", "campaign_id", "campaign_name", "rows_read", "error_code", "error_message"]
        {
            assert_eq!(data[field], receipt[field], "{event}: {field}");
        }
        assert_eq!((&data["status_counts"], &receipt["status_counts"]), (&counts, &counts), "{event}");
        let upload = data["upload"].as_object().expect("an upload");
        assert_eq!(upload.len(), 7, "{event}");
        for (field, value) in upload {
            assert_eq!(value, &receipt["upload"][field], "{event}: {field}");
        }
        assert!(told["timestamp"].as_str().is_some_and(|at| at.ends_with('Z') && at.len() == 24), "{told}");
        assert!(!told.to_string().contains("555"), "nothing of a person: {told}");
    }
    assert!(all_are(&app, "DELIVERED").await);

    // What was done before a webhook was configured is told to nobody, and without one nothing is written.
    let mut quiet = TestApp::new(In::Folder, to).await;
    quiet.drop_file("good.csv", contacts(3, 1)).await;
    quiet.settle().await;
    assert_eq!(messages(&quiet).await, []);
    quiet.configure(&format!("[webhooks.ops]\nurl = '{}'", receiver.url));
    quiet.set("WEBHOOKS_OPS_SECRET", SECRET);
    quiet.settle().await;
    assert_eq!((messages(&quiet).await, receiver.received().len()), (vec![], 4));
}

async fn a_worker_killed_after_the_commit_has_told_all_the_same(to: To) {
    // Behind the commit; before the message is sent; behind the receiver's answer.
    for (step, comes) in [("published", 1), ("tell", 1), ("told", 2)] {
        let receiver = Receiver::new(&[]).await;
        let mut app = app(to, &receiver, "timeout_seconds = 1\n").await;
        app.drop_file("good.csv", contacts(3, 1)).await;
        app.set("TEST_FAIL_POINT", &format!("{step}=abort@1"));
        assert_eq!(app.start(&["run"]).wait(), None, "killed at {step}");
        app.set("TEST_FAIL_POINT", "none=error");
        let _running = app.start(&["run"]);
        app.wait_until("it is delivered", || all_are(&app, "DELIVERED")).await;
        let received = receiver.received();
        assert_eq!(received.len(), comes, "{step}");
        assert!(received.iter().all(|m| (&m.id, &m.body) == (&received[0].id, &received[0].body)), "the same again");
        assert_eq!(messages(&app).await[0].attempts, if step == "published" { 1 } else { 2 });
    }
}

async fn what_is_not_taken_is_tried_again_under_the_same_id(to: To) {
    let receiver = Receiver::new(&[500, 302, 404]).await;
    let app = app(to, &receiver, "").await;
    app.drop_file("good.csv", contacts(3, 1)).await;
    let running = app.start(&["run"]);
    app.wait_until("it is delivered", || all_are(&app, "DELIVERED")).await;
    let received = receiver.received();
    assert_eq!(received.len(), 4, "a redirect is not followed");
    assert!(received.iter().all(|m| (&m.id, &m.body) == (&received[0].id, &received[0].body)));
    check_signatures(&received, SECRET).expect("each is signed");
    assert_eq!((messages(&app).await[0].attempts, messages(&app).await[0].error_message.as_deref()), (4, None));
    let log = running.log();
    assert!(log.contains("the receiver answered 500 Internal Server Error"), "{log}");
    assert!(log.contains("the receiver answered 302 Found; redirects are not followed"), "{log}");
    assert!(!log.contains("hidden") && !log.contains("MfKQ"), "neither the address nor the secret: {log}");
}

async fn a_receiver_that_is_gone_or_fails_for_three_days_is_given_up(to: To) {
    let receiver = Receiver::new(&[410]).await;
    let app = app(to, &receiver, "").await;
    app.drop_file("good.csv", contacts(3, 1)).await;
    assert_eq!(app.settle().await, 0, "nothing is left to do");
    let gone = messages(&app).await.remove(0);
    assert_eq!(
        (gone.status.as_str(), gone.error_message.as_deref()),
        ("GIVEN_UP", Some("the receiver answered 410 Gone"))
    );

    let receiver = Receiver::new(&[503, 503, 503]).await;
    let app = self::app(to, &receiver, "").await;
    app.drop_file("good.csv", contacts(3, 1)).await;
    assert_eq!(app.settle().await, 1);
    for (time, status, code) in [("2.9", "DUE", 1), ("3.1", "GIVEN_UP", 0)] {
        let before = match to {
            To::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{time} days')"),
            To::Postgres => format!("now() - interval '{time} days'"),
        };
        receiver_fails_again(&app, &before).await;
        assert_eq!(app.settle().await, code);
        assert_eq!(messages(&app).await[0].status, status, "after {time} days");
    }
    assert_eq!(receiver.received().len(), 3);
    let listed = app.output(&["webhooks", "list", "--status", "given_up", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("one message");
    assert_eq!((&listed["webhook"], &listed["attempts"]), (&"ops".into(), &3.into()));
}

/// As if the message were that old, and its next try due.
async fn receiver_fails_again(app: &TestApp, before: &str) {
    app.run_sql(&format!("update webhook_messages set created_at = {before}, due_at = {before}")).await;
}

async fn a_receiver_that_never_answers_delays_no_load(to: To) {
    let receiver = Receiver::held(&[]).await;
    let mut app = app(to, &receiver, "timeout_seconds = 60\n").await;
    app.set("BUCKET_AFTER", "delete");
    let running = app.start(&["run"]);
    app.drop_file("first.csv", contacts(3, 0)).await;
    app.wait_until("the receiver has it in its hands", || async { receiver.received().len() == 1 }).await;
    for number in 1..=20 {
        app.drop_file(&format!("{number}.csv"), contacts(3, number)).await;
    }
    app.wait_until("all is loaded", || async { app.uploads_to_settle(21).await == 0 }).await;
    app.wait_until("all is answered", || async { app.keys().await.len() == 21 }).await;
    assert_eq!(receiver.received().len(), 1, "it has not answered yet");
    assert!(all_are(&app, "DUE").await);
    receiver.release();
    app.wait_until("all is delivered", || all_are(&app, "DELIVERED")).await;
    assert_eq!(receiver.received().len(), 21);
    drop(running);
}

async fn workers_share_the_messages(to: To) {
    let receiver = Receiver::held(&[]).await;
    let app = app(to, &receiver, "timeout_seconds = 60\n").await;
    let _workers = [app.start(&["run"]), app.start(&["run"])];
    for number in 1..=30 {
        app.drop_file(&format!("{number}.csv"), contacts(3, number)).await;
    }
    app.wait_until("both have one in their hands", || async { receiver.received().len() == 2 }).await;
    receiver.release();
    app.wait_until("all is delivered", || async {
        // In one look: a file that is loaded between two adds a message that nobody has delivered yet.
        let messages = messages(&app).await;
        messages.len() == 30 && messages.iter().all(|message| message.status == "DELIVERED")
    })
    .await;
    let received = receiver.received();
    let ids: BTreeSet<&String> = received.iter().map(|message| &message.id).collect();
    assert_eq!((received.len(), ids.len()), (30, 30), "each message came once");
}

async fn a_run_for_a_scheduler_leaves_to_the_next_what_is_not_taken(to: To) {
    let receiver = Receiver::new(&[500]).await;
    let app = app(to, &receiver, "").await;
    for number in 1..=3 {
        app.drop_file(&format!("{number}.csv"), contacts(3, number)).await;
    }
    assert_eq!(app.settle().await, 1, "trouble of ours is left");
    assert!(app.batches().await.len() == 3 && receiver.received().len() == 1, "all is loaded; one try was enough");
    app.run_sql("update webhook_messages set due_at = created_at").await;
    assert_eq!(app.settle().await, 0);
    assert!(all_are(&app, "DELIVERED").await && receiver.received().len() == 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_can_be_tried_and_wants_its_secret() {
    let receiver = Receiver::new(&[200, 401]).await;
    let mut app = app(To::Sqlite, &receiver, "").await;
    let tried = app.output(&["webhooks", "test", "ops"]);
    let said = String::from_utf8_lossy(&tried.stdout).into_owned();
    assert!(tried.status.success() && said.starts_with("webhook ops: the receiver took msg_"), "{said}");
    let received = receiver.received();
    check_signatures(&received, SECRET).expect("signed");
    assert_eq!(received[0].event(), "webhook.test");
    let refused = app.output(&["webhooks", "test", "ops"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.ends_with("error: webhook ops: not delivered: the receiver answered 401 Unauthorized\n"), "{said}");
    app.set("WEBHOOKS_OPS_SECRET", "hunter2");
    for arguments in [&["run", "--once"][..], &["config", "check"], &["webhooks", "test", "ops"]] {
        let refused = app.output(arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(
            said.contains("error: webhooks.ops.secret cannot be used; it is whsec_") && !said.contains("hunter2"),
            "{said}"
        );
    }
    // Who only looks needs no secret.
    assert!(app.output(&["webhooks", "list"]).status.success());
}
