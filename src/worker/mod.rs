//! The worker: watches a bucket, claims uploads, and takes each through its life.
//!
//! `watch` is the outer loop; its `slots` claim and work, `discovery` finds what was dropped, and `expected` misses what
//! was not. `intake` is one upload's life from top to bottom; `reading` is its half that runs on a thread of its own, fed
//! by `fetching`. Every upload that ends, ends in a [`Report`], said once. `answer` then tells the person who dropped it,
//! through the bucket, and `deliveries` other programs.

mod answer;
mod budget;
mod deliveries;
mod discovery;
mod expected;
mod fetching;
mod intake;
mod reading;
mod retention;
mod slots;
mod suppression;
mod tally;
mod watch;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::mpsc::UnboundedSender;

use crate::bucket::Bucket;
use crate::model::{Fault, FileCode, Object};
use crate::reader::Limits;
use crate::rules::{Lists, Router};
use crate::store::{self, Store};
use crate::telemetry::{self, Outcome};
use crate::webhook::Webhook;
pub use answer::{processed_key, receipt_name, rejects_file, rejects_key, rejects_name};
pub use budget::overtime;
pub use retention::{forget_old_keys, is_left};
pub use watch::{Mode, Stopped};

/// How the worker works.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Who the worker is, as an e-mail address: `last_updated_by` of the batches it makes.
    pub identity: String,
    /// IANA name of the time zone whose days batches are numbered by.
    pub time_zone: Tz,
    /// Uploads worked on at once. SQLite takes one. Of several, one is kept for small files.
    pub uploads_at_once: usize,
    /// How long a claim holds without a sign of life.
    pub lease_seconds: u64,
    /// How often an upload is tried before it becomes a FAILED batch with INTERNAL_ERROR.
    pub max_attempts: u32,
    /// The wait after a first failed attempt; four times as long after each further one, ten minutes at most.
    pub retry_ms: u64,
    /// How soon the bucket is listed again while files come.
    pub poll_ms: u64,
    /// The wait grows to this while none come. Not set: a folder is listed every `poll_ms` always, since that costs
    /// nothing, and S3 every two seconds.
    pub idle_poll_ms: Option<u64>,
    /// How often the bucket is listed where a queue tells of what is dropped: for what the queue lost.
    pub sweep_seconds: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        WorkerConfig {
            identity: "batchdrop@localhost".to_owned(),
            time_zone: Tz::UTC,
            uploads_at_once: 2,
            lease_seconds: 60,
            max_attempts: 8,
            retry_ms: 1000,
            poll_ms: 200,
            idle_poll_ms: None,
            sweep_seconds: 300,
        }
    }
}

impl WorkerConfig {
    /// How long a claim stands without being renewed.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
}

/// What became of an upload in the hands of this worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Its requests are published.
    Loaded {
        /// The batch.
        batch_id: String,
    },
    /// It is a FAILED batch.
    Failed {
        /// The batch.
        batch_id: String,
        /// Why.
        code: FileCode,
    },
    /// It is what a suppression list holds now.
    ListLoaded {
        /// What came of it, for a person.
        told: String,
    },
    /// No campaign takes it, or it cannot be used as a suppression list.
    Rejected {
        /// Why.
        fault: Fault,
    },
    /// It was deleted or replaced before it was read whole.
    Gone {
        /// What was seen.
        reason: String,
    },
    /// Trouble of ours; it will be tried again.
    PutOff {
        /// What went wrong.
        trouble: String,
    },
    /// Given back unworked, since the worker was asked to stop.
    GivenBack,
    /// Another worker took it over.
    Lost,
}

impl Ending {
    /// How it is counted: the outcome, and the code of the fault that it ended in.
    fn measured(&self) -> (Outcome, Option<FileCode>) {
        match self {
            Ending::Loaded { .. } => (Outcome::Loaded, None),
            Ending::Failed { code, .. } => (Outcome::Failed, Some(*code)),
            Ending::ListLoaded { .. } => (Outcome::ListLoaded, None),
            Ending::Rejected { fault } => (Outcome::Rejected, Some(fault.code)),
            Ending::Gone { .. } => (Outcome::Gone, None),
            Ending::PutOff { .. } => (Outcome::PutOff, None),
            Ending::GivenBack => (Outcome::GivenBack, None),
            Ending::Lost => (Outcome::Lost, None),
        }
    }
}

/// One upload, and what became of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The version that was worked on.
    pub object: Object,
    /// What became of it.
    pub ending: Ending,
}

/// What the worker tells whoever started it.
#[derive(Debug, Clone)]
pub enum News {
    /// An upload left this worker's hands.
    Upload(Report),
    /// For the first time, everything that lay in the bucket at the start has been worked on.
    Drained,
}

/// Everything that working on uploads takes. Shared by all of a worker's tasks; nothing in it changes.
pub struct Worker {
    /// Where files are dropped.
    pub bucket: Bucket,
    /// Where batches are kept.
    pub store: Store,
    /// The campaigns.
    pub router: Router,
    /// The suppression lists.
    pub lists: Lists,
    /// The programs that are told.
    pub webhooks: Vec<Webhook>,
    /// How much of a file is taken.
    pub limits: Limits,
    /// How old requests may get; `None` for any age.
    pub retention: Option<Duration>,
    /// How it works.
    pub config: WorkerConfig,
    /// Told of every upload that ends.
    pub news: UnboundedSender<News>,
}

/// How long what was put off rests after its so-manieth attempt: four times as long after each, and up to a quarter
/// more or less by chance, so that what failed together is not tried together again.
fn backoff(first: Duration, attempt: u32, longest: Duration) -> Duration {
    let chance = (uuid::Uuid::new_v4().as_u128() % 1000) as f64 / 1000.0;
    backoff_by(first, attempt, longest, chance)
}

fn backoff_by(first: Duration, attempt: u32, longest: Duration, chance: f64) -> Duration {
    let wait = first.saturating_mul(4u32.saturating_pow(attempt.saturating_sub(1).min(10)));
    wait.min(longest).mul_f64(0.75 + chance / 2.0)
}

/// Does the work; `None` where it panicked, which is a bug of ours. The worker goes on: of what the work shares with
/// others nothing is left half changed, since all of that stands in the store, whose open transaction is rolled back.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// Keeps a lease alive; returns only when it was lost.
async fn until_lost<F>(lease: Duration, renew: impl Fn() -> F)
where
    F: Future<Output = Result<(), store::Error>>,
{
    loop {
        tokio::time::sleep(lease / 3).await;
        match renew().await {
            Ok(()) => {}
            Err(error) if error.kind == store::ErrorKind::Fenced => return,
            // The fence decides in the end; a renewal that failed is only a greater risk of losing work.
            Err(error) => tracing::warn!(error = telemetry::chain(&error), "lease not renewed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_four_times_the_one_before_and_never_longer_than_the_longest() {
        let longest = Duration::from_secs(600);
        let seconds = |attempt, chance| backoff_by(Duration::from_secs(1), attempt, longest, chance).as_secs_f64();
        assert_eq!([1, 2, 3, 4, 5, 6, 1000].map(|attempt| seconds(attempt, 0.5)), [1., 4., 16., 64., 256., 600., 600.]);
        assert_eq!([0.0, 0.25, 0.75, 1.0].map(|chance| seconds(2, chance)), [3.0, 3.5, 4.5, 5.0]);
    }
}
