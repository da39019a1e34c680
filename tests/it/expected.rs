//! Expected files: who was to send one and did not is told, once, and nobody is blamed for what we were slow with.
//!
//! The times are moved, not the clock: of a due time that is expected for tomorrow, the row is put back by days, as if
//! it had been waited for since then.

use std::fs::File;

use ExpectedStatus::{Arrived, Expected, Failed, Missing};
use batchdrop::model::{ExpectedFile, ExpectedQuery, ExpectedStatus};
use chrono::{DateTime, TimeDelta, Utc};

use super::serving::{address_of, get, serving};
use super::support::app::{In, TestApp, To, contacts, on_both_stores};
use super::support::receiver::{Receiver, SECRET, check_signatures};

on_both_stores! {
    what_was_due_while_no_worker_ran_is_judged_by_when_files_were_put_there
    a_file_that_waits_for_us_is_not_missing
    workers_find_out_by_themselves_and_tell_once
    due_times_that_are_taken_back_are_never_missed
    a_file_that_is_being_written_is_not_missing
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_in_s3_comes_after_all() {
    let receiver = Receiver::new(&[]).await;
    let daily = Daily::between(In::S3, To::Postgres, &receiver, "").await;
    daily.app.settle().await;
    daily.days_go_by(1).await;
    assert_eq!(daily.app.settle().await, 0);
    assert_eq!(daily.standing().await, [(1, Expected), (0, Missing)]);
    daily.app.drop_file("late_1.csv", contacts(3, 1)).await;
    assert_eq!(daily.app.settle().await, 0);
    assert_eq!((daily.standing().await, receiver.received().len()), (vec![(1, Expected), (0, Arrived)], 1));
}

/// Due every day, two hours ago and in 22 hours; missing half an hour later.
struct Daily {
    app: TestApp,
    due_at: DateTime<Utc>,
}

impl Daily {
    async fn new(to: To, receiver: &Receiver, more: &str) -> Daily {
        Daily::between(In::Folder, to, receiver, more).await
    }

    async fn between(bucket: In, to: To, receiver: &Receiver, more: &str) -> Daily {
        let app = TestApp::new(bucket, to).await;
        let due_at = app.store.clock().await.expect("the time") - TimeDelta::hours(2);
        let due_at = due_at - TimeDelta::nanoseconds(due_at.timestamp_nanos_opt().expect("now") % 60_000_000_000);
        let mut daily = Daily { app, due_at };
        daily.configure(receiver, &format!("due = 'daily {}'", due_at.format("%H:%M")), more);
        daily.app.set("WEBHOOKS_OPS_SECRET", SECRET);
        daily
    }

    fn configure(&mut self, receiver: &Receiver, due: &str, more: &str) {
        self.app.configure(&format!(
            "[campaigns.late]\nid = 7\nfiles = 'late*.csv'\n{due}\n{more}\n\
             [campaigns.other]\nid = 8\nfiles = 'other*.csv'\n[webhooks.ops]\nurl = '{}'\nevents = ['file.missing']\n",
            receiver.url
        ));
    }

    /// As if all that is known had happened so many days ago.
    async fn days_go_by(&self, days: u32) {
        // Due times last: a worker that runs meanwhile must not take what has come for what comes next.
        for (table, columns) in [
            ("uploads", &["arrived_at"][..]),
            ("bucket_listings", &["began_at"]),
            ("expected_files", &["due_at", "opens_at", "missing_from", "closes_at", "expected_since"]),
        ] {
            let ago = |column: &&str| match self.app.store_url.starts_with("sqlite") {
                true => format!("{column} = strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-{days} days')"),
                false => format!("{column} = {column} - interval '{days} days'"),
            };
            let set = columns.iter().map(ago).collect::<Vec<_>>().join(", ");
            self.app.run_sql(&format!("update {table} set {set}")).await;
        }
    }

    /// Drops a file that keeps the date of before.
    async fn drop_of(&self, name: &str, content: &str, at: DateTime<Utc>) {
        let aside = tempfile::NamedTempFile::new_in(self.app.folder().parent().expect("a folder")).expect("a file");
        std::fs::write(aside.path(), content).expect("written");
        File::options().append(true).open(aside.path()).and_then(|file| file.set_modified(at.into())).expect("dated");
        std::fs::rename(aside.path(), self.app.folder().join(name)).expect("moved in");
    }

    async fn files(&self) -> Vec<ExpectedFile> {
        let asked = ExpectedQuery { limit: 100, ..Default::default() };
        self.app.store.list_expected(&asked).await.expect("expected files")
    }

    /// The days from today on which it is due, and where each stands, the last first.
    async fn standing(&self) -> Vec<(i64, ExpectedStatus)> {
        let files = self.files().await;
        files.iter().map(|file| ((file.due_at - self.due_at).num_hours() / 24, file.status)).collect()
    }
}

async fn what_was_due_while_no_worker_ran_is_judged_by_when_files_were_put_there(to: To) {
    let receiver = Receiver::new(&[]).await;
    let daily = Daily::new(to, &receiver, "").await;
    daily.drop_of("late_old.csv", &contacts(3, 0), daily.due_at - TimeDelta::minutes(5)).await;
    assert_eq!(daily.app.settle().await, 0);
    assert_eq!(daily.standing().await, [(1, Expected)], "what was due before it was expected is nobody's fault");

    daily.days_go_by(3).await; // it is expected since the day before yesterday
    let day = TimeDelta::days(1);
    daily.drop_of("late_1.csv", &contacts(3, 1), daily.due_at - day * 2 - TimeDelta::minutes(5)).await;
    daily.drop_of("other_1.csv", &contacts(3, 2), daily.due_at - day).await;
    assert_eq!(daily.app.settle().await, 0);
    assert_eq!(daily.standing().await, [(1, Expected), (0, Missing), (-1, Missing), (-2, Arrived)]);
    let file = daily.files().await.pop().expect("the first");
    assert_eq!((file.key.as_deref(), file.late_by(), file.missing_at), (Some("late_1.csv"), None, None));
    assert_eq!(file.batch_id, Some(daily.app.batch_of("late_1.csv").await.batch_id));
    let told: Vec<serde_json::Value> = receiver.received().iter().map(|message| message.json()).collect();
    check_signatures(&receiver.received(), SECRET).expect("signed");
    let due: Vec<&str> = told.iter().filter_map(|message| message["data"]["due_at"].as_str()).collect();
    let expected = [daily.due_at - day, daily.due_at];
    assert_eq!(due, expected.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)), "in their order");
    assert_eq!((&told[0]["type"], &told[0]["data"]["campaign_name"]), (&"file.missing".into(), &"late".into()));
    let listed = String::from_utf8(daily.app.output(&["webhooks", "list"]).stdout).expect("UTF-8");
    for at in expected {
        assert!(listed.contains(&at.format("late, due %Y-%m-%d %H:%M:00 UTC").to_string()), "{listed}");
    }

    // Today's comes after all: first one that is of no use, then another.
    daily.app.drop_file("late_2.csv", "").await;
    assert_eq!(daily.app.settle().await, 3);
    assert_eq!(daily.standing().await[1], (0, Failed));
    daily.app.drop_file("late_3.csv", contacts(3, 3)).await;
    assert_eq!(daily.app.settle().await, 0);
    assert_eq!(daily.standing().await, [(1, Expected), (0, Arrived), (-1, Missing), (-2, Arrived)]);
    let file = daily.files().await.remove(1);
    assert!(file.missing_at.is_some() && file.late_by() >= Some(TimeDelta::hours(2)), "{file:?}");
    assert_eq!(receiver.received().len(), 2, "each was told once");

    let listed = daily.app.output(&["expected", "list", "--status", "missing"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = format!("late     {} MISSING -          -       -    -", (daily.due_at - day).format("%F %T UTC"));
    assert_eq!(text.lines().nth(1), Some(line.as_str()), "{text}");

    let (_running, address) = serving(&daily.app).await;
    for (asked, shown) in [
        ("", 4),
        ("?status=MISSING", 1),
        ("?campaign=late&status=ARRIVED", 2),
        ("?campaign=other", 0),
        ("?page=2", 0),
        ("?status=nonsense", 4),
    ] {
        let page = get(&address, &format!("/expected{asked}"), "").await.body;
        assert_eq!(page.matches("id=\"expected-7-").count(), shown, "{asked}");
    }
}

async fn a_file_that_waits_for_us_is_not_missing(to: To) {
    let receiver = Receiver::new(&[]).await;
    let lists = "suppression = ['stop']\n[suppression.stop]\nfiles = 'stop.csv'";
    let daily = Daily::new(to, &receiver, lists).await;
    daily.app.settle().await;
    daily.days_go_by(1).await;
    daily.drop_of("late_1.csv", &contacts(3, 1), daily.due_at - TimeDelta::minutes(5)).await;
    assert_eq!(daily.app.settle().await, 1, "it waits for the list");
    assert_eq!(daily.standing().await, [(1, Expected), (0, Expected)]);
    daily.app.drop_file("stop.csv", "target\n(512) 555-0199\n").await;
    daily.app.settle().await;
    daily.app.settle().await;
    assert_eq!(daily.standing().await, [(1, Expected), (0, Arrived)]);
    assert_eq!((daily.files().await[1].late_by(), receiver.received().len()), (None, 0));
}

async fn workers_find_out_by_themselves_and_tell_once(to: To) {
    let receiver = Receiver::new(&[]).await;
    let mut daily = Daily::new(to, &receiver, "due_opens = '23h'").await;
    // After the first, a listing is made because something hangs on it, and files are found by the bucket's notices.
    daily.app.set("WORKER_POLL_MS", "3600000");
    let app = &daily.app;
    let started = app.store.clock().await.expect("the time");
    let first = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(app, &first).await;
    app.wait_until("it is expected", || async { daily.standing().await == [(1, Expected)] }).await;
    let listings = "select count(*) from bucket_listings";
    app.wait_until("a listing is noted", || async { app.number(listings).await == 1 }).await;
    // One that keeps its date came when it was moved in. It is the next one, and the one behind it is expected from
    // then on.
    daily.drop_of("late_1.csv", &contacts(3, 1), started - TimeDelta::days(400)).await;
    app.wait_until("it has arrived", || async { daily.standing().await == [(2, Expected), (1, Arrived)] }).await;
    let arrived_at = daily.files().await[1].arrived_at.expect("it has");
    assert!(arrived_at >= started - TimeDelta::seconds(1), "{arrived_at} is before {started}");

    let workers = [first, app.start(&["run"])];
    app.wait_until("the other one runs", || async { workers[1].log().contains("batchdrop 0.1.0: watching") }).await;
    daily.days_go_by(3).await;
    app.wait_until("what was due is missing", || async {
        daily.standing().await == [(1, Expected), (0, Missing), (-1, Missing), (-2, Arrived)]
    })
    .await;
    app.wait_until("it is told", || async { receiver.received().len() == 2 }).await;
    let listed = get(&address, "/api/v1/outbound/expected-files?status=MISSING&campaign_name=late&limit=1", "").await;
    let listed: serde_json::Value = serde_json::from_str(&listed.body).expect("JSON");
    let due_at = listed["items"][0]["due_at"].as_str().and_then(|at| at.parse().ok());
    assert_eq!((&listed["total_count"], due_at), (&2.into(), Some(daily.due_at)), "{listed}");
    let wrong = get(&address, "/api/v1/outbound/expected-files?status=GONE", "").await;
    assert!(wrong.status == 422 && wrong.body.contains("EXPECTED, LATE, ARRIVED, FAILED, MISSING"), "{}", wrong.body);
    let page = get(&address, "/expected", "").await;
    assert_eq!(page.body.matches("<span class=\"status bad\">MISSING</span>").count(), 2, "{}", page.body);
    let metrics = get(&address, "/metrics", "").await;
    for (status, expected) in [("missing", 0.0), ("expected", 1.0), ("late", 0.0), ("arrived", 0.0), ("failed", 0.0)] {
        let sample = format!("batchdrop_expected_files{{campaign=\"late\",status=\"{status}\"}}");
        assert_eq!(metrics.sample(&sample), expected, "the window of the next is open: {sample}");
    }
    let next_due = metrics.sample("batchdrop_expected_next_due_timestamp_seconds{campaign=\"late\"}");
    assert_eq!(next_due, (daily.due_at + TimeDelta::days(1)).timestamp() as f64);
    let found = metrics.sample("batchdrop_expected_files_missing_total{campaign=\"late\"}");
    assert_eq!(found, workers[0].log().matches("expected file is missing").count() as f64);
    app.drop_file("late_2.csv", contacts(3, 2)).await;
    app.wait_until("it has arrived", || async { daily.standing().await[1] == (1, Arrived) }).await;
    let ids: std::collections::BTreeSet<_> = receiver.received().into_iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), 2, "each was told once");
    let told = workers.iter().map(|worker| worker.log().matches("expected file is missing").count());
    assert_eq!(told.sum::<usize>(), 2, "by one of the two");
}

async fn due_times_that_are_taken_back_are_never_missed(to: To) {
    let receiver = Receiver::new(&[]).await;
    let mut daily = Daily::new(to, &receiver, "").await;
    daily.app.settle().await;
    let later = (daily.due_at + TimeDelta::hours(1)).format("%H:%M").to_string();
    daily.configure(&receiver, &format!("due = 'daily {later}'"), "");
    daily.app.settle().await;
    let due: Vec<_> = daily.files().await.iter().map(|file| file.due_at).collect();
    assert_eq!(due, [daily.due_at + TimeDelta::hours(25)], "the other is taken back");

    daily.configure(&receiver, "", "");
    daily.app.settle().await;
    assert_eq!(daily.files().await, []);
    daily.configure(&receiver, &format!("due = 'daily {later}'"), "");
    daily.app.settle().await;
    daily.configure(&receiver, "", "");
    daily.days_go_by(5).await;
    daily.app.settle().await;
    daily.configure(&receiver, &format!("due = 'daily {later}'"), "");
    daily.app.settle().await;
    assert_eq!(daily.standing().await, [(1, Expected)], "while it was not expected, nothing was missing");
    assert_eq!(receiver.received().len(), 0);
}

async fn a_file_that_is_being_written_is_not_missing(to: To) {
    let receiver = Receiver::new(&[]).await;
    let mut daily = Daily::new(to, &receiver, "").await;
    let due = format!("due = 'daily {}'", daily.due_at.format("%H:%M"));
    daily.app.configure(&format!(
        "[campaigns.late]\nid = 7\nfiles = 'late*.csv'\n{due}\n[campaigns.other]\nid = 8\nfiles = 'other*.csv'\n{due}\n\
         [webhooks.ops]\nurl = '{}'\n",
        receiver.url
    ));
    assert_eq!(daily.app.settle().await, 0);
    daily.days_go_by(1).await;
    daily.app.set("BUCKET_SETTLE_MS", "3600000");
    // Not moved in, and not closed: its writer goes on.
    let writing = File::create(daily.app.folder().join("late_1.csv")).expect("a file");
    std::io::Write::write_all(&mut &writing, contacts(3, 1).as_bytes()).expect("written");
    let _worker = daily.app.start(&["run"]);
    let of = async |campaign_id| {
        let files = daily.files().await.into_iter();
        files.filter(|file| file.campaign_id == campaign_id).map(|file| file.status).collect::<Vec<_>>()
    };
    daily.app.wait_until("the other is missing", || async { of(8).await == [Expected, Missing] }).await;
    assert_eq!(of(7).await, [Expected, Expected], "judged just before the other");
    // Its writer closes it and it has held still; it came before it was due.
    writing.set_modified((daily.due_at - TimeDelta::minutes(5)).into()).expect("dated");
    drop(writing);
    daily.app.wait_until("it has arrived", || async { of(7).await == [Expected, Arrived] }).await;
}
