//! What makes uploads known to the ledger: sweeps through the bucket's listing, and the bucket's notices of what is
//! dropped.
//!
//! The listing is the truth, and notices are hints: either alone finds every file, and both may run together. Nothing
//! here claims an upload or works on one; it enters what it sees in the ledger, and rings for the slots.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::watch::Run;
use super::{Worker, WorkerConfig};
use crate::bucket::{Bucket, Notice};
use crate::model::Object;
use crate::telemetry::metrics;
use crate::{bucket, store, telemetry};

/// The wait between listings of a bucket that nothing is dropped in, where each costs money.
const IDLE_REMOTE: Duration = Duration::from_secs(2);

/// Between two looks at the queue of dead letters.
const DEAD_LETTERS_LOOK: Duration = Duration::from_secs(60);

impl Worker {
    /// Lists the whole bucket once, page by page against the ledger.
    async fn sweep(&self, run: &Run) -> Result<Swept, SweepError> {
        let (mut after, mut swept) = (None, Swept::default());
        loop {
            let page = self.bucket.list(after.as_deref()).await.map_err(SweepError::Bucket)?;
            swept.new += self.announce(run, &page.objects).await.map_err(SweepError::Store)?;
            swept.unsettled.extend(page.unsettled);
            after = page.next;
            if after.is_none() || run.begins_nothing() {
                return Ok(swept);
            }
        }
    }

    /// Enters in the ledger what was seen, and wakes the slots if it is new.
    async fn announce(&self, run: &Run, objects: &[Object]) -> Result<u64, store::Error> {
        let new = self.enter(objects).await?;
        metrics().received(new);
        if new > 0 {
            run.arrivals.notify_waiters();
        }
        Ok(new)
    }
}

/// What a sweep saw.
#[derive(Default)]
struct Swept {
    /// Files that were not in the ledger.
    new: u64,
    /// The keys of files that are still being written.
    unsettled: Vec<String>,
}

/// How long to wait from one sweep to the next.
///
/// A listing costs, on S3 money too. So where a queue tells of files, sweeps only look for what it lost. Elsewhere the
/// wait doubles with each sweep that finds nothing, up to a limit; and never does sweeping take more than a fifth of
/// the time.
struct Pace {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

impl Pace {
    fn new(config: &WorkerConfig, bucket: &Bucket) -> Self {
        if bucket.has_queue() {
            let sweep = Duration::from_secs(config.sweep_seconds);
            return Pace { shortest: sweep, longest: sweep, next: sweep };
        }
        let shortest = Duration::from_millis(config.poll_ms);
        let idle = if bucket.is_remote() { IDLE_REMOTE } else { shortest };
        let longest = config.idle_poll_ms.map_or(idle, Duration::from_millis).max(shortest);
        Pace { shortest, longest, next: shortest }
    }

    fn after(&mut self, swept: &Swept, took: Duration) -> Duration {
        let is_idle = swept.new == 0 && swept.unsettled.is_empty();
        self.next = if is_idle { self.next.saturating_mul(2).min(self.longest) } else { self.shortest };
        self.next.max(took.saturating_mul(4))
    }
}

enum SweepError {
    Bucket(bucket::Error),
    Store(store::Error),
}

impl Run {
    /// Sweeps once, and has it known what the sweep tells of expected files.
    async fn look(&self) -> Result<Swept, SweepError> {
        let began_at = self.listing_begins().await.map_err(SweepError::Store)?;
        let swept = self.worker.sweep(self).await?;
        if let Some(began_at) = began_at.filter(|_| !self.begins_nothing()) {
            self.listing_ended(began_at, swept.unsettled.clone()).await.map_err(SweepError::Store)?;
        }
        if self.mode.drains() && swept.unsettled.is_empty() {
            // Before all is done, so that who is to be told is told by this run.
            self.judge(true).await.map_err(SweepError::Store)?;
        }
        Ok(swept)
    }

    pub(super) async fn discover(self: Arc<Self>) {
        let mut pace = Pace::new(&self.worker.config, &self.worker.bucket);
        let mut failures = 0;
        while !self.begins_nothing() {
            let start = Instant::now();
            match self.look().await {
                Ok(swept) => {
                    failures = 0;
                    if swept.unsettled.is_empty() {
                        self.discovered.store(true, Ordering::Release);
                        self.arrivals.notify_waiters();
                        if self.mode.drains() {
                            return;
                        }
                    }
                    tokio::select! {
                        () = self.sleep(pace.after(&swept, start.elapsed())) => {}
                        () = self.expecting.listing_wanted.notified() => {}
                        () = self.time_is_up.cancelled() => {}
                    }
                }
                Err(error) => {
                    let error = match &error {
                        SweepError::Bucket(error) => telemetry::chain(error),
                        SweepError::Store(error) => telemetry::chain(error),
                    };
                    tracing::warn!(error, "the bucket was not swept");
                    if self.give_up(&mut failures).await {
                        return;
                    }
                }
            }
        }
    }

    /// Enters what the bucket's notices tell of. A notice is taken back only when that has been committed; whatever
    /// goes wrong before leaves it to come again, and the sweeps find what is lost altogether.
    pub(super) async fn listen(self: Arc<Self>) {
        let bucket = &self.worker.bucket;
        let mut failures = 0;
        let mut dead_letters = DeadLetters::default();
        while !self.stop.is_cancelled() {
            // Both, so that no server that is silent holds up a stop.
            let heard = async {
                dead_letters.look(bucket).await;
                bucket.notices().await
            };
            let notices = tokio::select! {
                notices = heard => notices,
                () = self.stop.cancelled() => return,
            };
            match notices {
                Ok(notices) => {
                    failures = 0;
                    for notice in &notices {
                        self.heed(notice).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(error = telemetry::chain(&error), "no notice was received");
                    self.give_up(&mut failures).await;
                }
            }
        }
    }

    async fn heed(&self, notice: &Notice) {
        let message_id = notice.message_id();
        if let Some(why) = notice.not_understood {
            metrics().noticed("not_understood");
            if !notice.is_hopeless {
                tracing::warn!(message_id, why, "a message was not understood, and is left in the queue");
                return;
            }
            tracing::error!(
                message_id,
                why,
                "a message was not understood, and is dropped: no dead-letter queue takes it"
            );
        }
        let entered = match &notice.objects {
            Ok(objects) => self.worker.announce(self, objects).await.map_err(|error| telemetry::chain(&error)),
            Err(error) => Err(telemetry::chain(error)),
        };
        if let Err(error) = entered {
            metrics().noticed("error");
            tracing::warn!(message_id, error, "a notice was not heeded, and comes again");
            return;
        }
        if let Err(error) = self.worker.bucket.heeded(notice).await {
            metrics().noticed("error");
            tracing::warn!(message_id, error = telemetry::chain(&error), "a notice comes again, in vain");
        } else if notice.not_understood.is_none() {
            metrics().noticed("heeded");
        }
    }
}

/// What is known of the messages that nobody could make use of. They harm no file, since the bucket is listed too; but
/// somebody sends them, or something of ours was in trouble for long.
#[derive(Default)]
struct DeadLetters {
    looked_at: Option<Instant>,
    count: u64,
    is_refused: bool,
}

impl DeadLetters {
    /// Counts them anew, if that was not done just now.
    async fn look(&mut self, bucket: &Bucket) {
        if self.looked_at.is_some_and(|at| at.elapsed() < DEAD_LETTERS_LOOK) {
            return;
        }
        self.looked_at = Some(Instant::now());
        match bucket.dead_letters().await {
            Ok(count) => {
                let count = count.unwrap_or(0);
                if count > self.count {
                    tracing::warn!(count, "messages lie in the queue of dead letters");
                }
                metrics().dead_letters(count);
                (self.count, self.is_refused) = (count, false);
            }
            // Told once: where the right to ask is missing, it will be missing the next minute too.
            Err(error) if !self.is_refused => {
                self.is_refused = true;
                tracing::warn!(error = telemetry::chain(&error), "dead letters cannot be counted");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_slow_down_while_nothing_comes_and_never_take_most_of_the_time() {
        let (idle, found) = (Swept::default(), Swept { new: 1, unsettled: vec![] });
        let ms = Duration::from_millis;
        let mut pace = Pace { shortest: ms(200), longest: ms(1000), next: ms(200) };
        let waits: Vec<_> = [&idle, &idle, &idle, &idle, &found, &idle].map(|swept| pace.after(swept, ms(1))).into();
        assert_eq!(waits, [400, 800, 1000, 1000, 200, 400].map(ms));
        assert_eq!(pace.after(&found, ms(700)), ms(2800));
        assert_eq!(
            pace.after(&Swept { new: 0, unsettled: vec!["a.csv".to_owned()] }, ms(1)),
            ms(200),
            "a file that is being written is soon done"
        );
    }
}
