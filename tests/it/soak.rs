//! The long run: workers killed at random, again and again, under thousands of files of all kinds; and while it lasts
//! somebody who contacts people reads what is published.
//!
//! A short run of it is a test like any other. The long one has a line of its own in the README. The seed is printed,
//! and `BATCHDROP_TEST_SOAK_SEED` repeats it; the files are the same then, and the moments of the kills as far as a
//! machine repeats itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use batchdrop::model::{Batch, BatchQuery, BatchStatus};

use crate::support::app::{In, Running, TestApp, To, contacts};
use crate::support::dice::Dice;

/// How much of it.
struct Size {
    files: usize,
    kills: usize,
    workers: usize,
}

const SHORT: Size = Size { files: 150, kills: 15, workers: 2 };
const LONG: Size = Size { files: 10_000, kills: 500, workers: 2 };

/// The name and the content of file number `at`: mostly small, some large, some of no use.
fn file(dice: &mut Dice, at: usize) -> (String, String) {
    let content = match dice.roll(20) {
        0 => "reference_id,phone\n\"never closed,1\n".to_owned() + &contacts(dice.roll(20) as usize, at),
        1 => "reference_id,name\n1,Ana\n".to_owned() + &"x,y\n".repeat(at % 50),
        2 => contacts(2_000 + dice.roll(3_000) as usize, at),
        _ => contacts(1 + dice.roll(60) as usize, at),
    };
    (format!("soak_{at:05}.csv"), content)
}

async fn drop_files(app: &TestApp, seed: u64, files: usize) {
    let mut dice = Dice::of(seed);
    for at in 0..files {
        let (name, content) = file(&mut dice, at);
        app.drop_file(&name, content).await;
    }
}

/// Stands in for whoever contacts people: remembers what each batch looked like when it first saw it, rows and all.
#[derive(Default)]
struct Sender {
    seen: BTreeMap<String, String>,
}

impl Sender {
    async fn look(&mut self, app: &TestApp, newest: u32) {
        let active = BatchQuery { status: Some(BatchStatus::Active), limit: newest, ..Default::default() };
        for batch in app.store.list_batches(&active).await.expect("batches") {
            if let Entry::Vacant(new) = self.seen.entry(batch.batch_id.clone()) {
                new.insert(whole(app, &batch).await);
            }
        }
    }

    /// Nothing that was seen has changed or vanished.
    async fn look_again(&self, app: &TestApp) {
        for (batch_id, first) in &self.seen {
            let batch = app.store.batch(batch_id).await.expect("the store answers").expect("what was seen is there");
            assert!(whole(app, &batch).await == *first, "batch {batch_id} is not what it was");
        }
    }
}

/// A batch with all its rows, as text; it was published whole, or this panics.
async fn whole(app: &TestApp, batch: &Batch) -> String {
    assert_eq!(batch.status, BatchStatus::Active);
    let rows = app.requests(&batch.batch_id).await;
    assert_eq!(rows.len() as u64, batch.rows_read, "batch {} is seen in part", batch.batch_id);
    assert!((1..).zip(&rows).all(|(number, row)| row.row_number == number), "batch {}", batch.batch_id);
    format!("{batch:?} {rows:?}")
}

async fn soak(to: To, size: Size) {
    let seed = match std::env::var("BATCHDROP_TEST_SOAK_SEED") {
        Ok(seed) => seed.parse().expect("BATCHDROP_TEST_SOAK_SEED is a number"),
        Err(_) => uuid::Uuid::new_v4().as_u128() as u64,
    };
    println!("seed {seed}");
    let undisturbed = TestApp::new(In::Folder, To::Sqlite).await;
    drop_files(&undisturbed, seed, size.files).await;
    assert_eq!(undisturbed.settle().await, 3, "some files are of no use");
    let expected = undisturbed.outcome().await;

    let mut app = TestApp::new(In::Folder, to).await;
    app.set("WORKER_LEASE_SECONDS", "1");
    app.set("WORKER_MAX_ATTEMPTS", "1000000");
    let (mut dice, mut sender) = (Dice::of(seed ^ 1), Sender::default());
    let mut workers: Vec<Option<Running>> = (0..size.workers).map(|_| None).collect();
    let (mut kills, mut dropped) = (0, 0);
    let mut names = Dice::of(seed);
    while kills < size.kills {
        // Files keep coming while workers die.
        let share = (size.files * (kills + 1)).div_ceil(size.kills);
        while dropped < share.min(size.files) {
            let (name, content) = file(&mut names, dropped);
            app.drop_file(&name, content).await;
            dropped += 1;
        }
        let at = dice.roll(workers.len() as u64) as usize;
        if let Some(mut worker) = workers[at].take() {
            assert!(!worker.has_ended(), "{}", worker.log());
            worker.signal(libc::SIGKILL);
            worker.wait();
            kills += 1;
        }
        workers[at] = Some(app.start(&["run"]));
        tokio::time::sleep(Duration::from_millis(dice.roll(300))).await;
        sender.look(&app, 20).await;
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60 + size.files as u64 / 10);
    loop {
        let backlog = app.uploads_to_settle(size.files).await;
        if backlog == 0 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{backlog} uploads are not settled");
        tokio::time::sleep(Duration::from_millis(200)).await;
        sender.look(&app, 20).await;
    }
    drop(workers);
    let found = app.outcome().await;
    let differing = expected.iter().zip(&found).find(|(expected, found)| expected != found);
    assert_eq!(differing, None, "the first line that differs from the undisturbed run");
    assert_eq!(found.len(), expected.len());
    sender.look_again(&app).await;
    println!(
        "{kills} kills, {} files, {} batches seen on the way: nothing lost, nothing doubled",
        size.files,
        sender.seen.len()
    );
}

#[tokio::test]
async fn a_short_soak_with_sqlite() {
    soak(To::Sqlite, SHORT).await;
}

#[tokio::test]
async fn a_short_soak_with_postgres() {
    soak(To::Postgres, SHORT).await;
}

#[tokio::test]
#[ignore = "takes many minutes; has a line of its own in the README"]
async fn a_long_soak_with_sqlite() {
    soak(To::Sqlite, LONG).await;
}

#[tokio::test]
#[ignore = "takes many minutes; has a line of its own in the README"]
async fn a_long_soak_with_postgres() {
    soak(To::Postgres, LONG).await;
}
