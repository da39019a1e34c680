//! The slots of a worker: each claims an upload, or an answer that is owed, sees it to its end, and says what became of
//! it.
//!
//! So many files are in hand at once as there are slots, and never more. Those for uploads claim in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::answer::Answered;
use super::reading::Reading;
use super::watch::{IDLE, Run};
use super::{Ending, News, Report};
use crate::model::{Claim, FileCode};
use crate::telemetry::metrics;
use crate::{store, telemetry};

/// From this attempt on, an upload that a worker died with is worked on alone. So a file that kills its worker takes
/// two attempts of its neighbours at most; and after one restart, which ends many leases at once, everything goes on in
/// parallel.
const ALONE_FROM: u32 = 3;

/// An upload of more bytes than this, as stored, is a large one: it may take seconds, or hours. While all slots but one
/// work on large ones, the last takes none, so that small ones never wait for several of them.
const LARGE: u64 = 32 << 20;

/// What a slot does.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Uploads,
    Answers,
}

/// What the slots for uploads know of each other.
pub(super) struct Slots {
    /// How many there are.
    pub(super) count: usize,
    /// Held by the one that claims an upload, until there is room for it: others claim none meanwhile.
    turn: Mutex<()>,
    /// Read by each that works on an upload beside others; written by one that works alone.
    beside: RwLock<()>,
    /// How many work on large uploads; raised by the one that has the turn.
    large: AtomicUsize,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Slots { count, turn: Mutex::new(()), beside: RwLock::new(()), large: AtomicUsize::new(0) }
    }

    /// The largest upload that may be claimed now; `None` for any.
    fn largest(&self) -> Option<u64> {
        let is_last = self.large.load(Ordering::Acquire) + 1 == self.count;
        (is_last && self.count > 1).then_some(LARGE)
    }
}

/// What a slot holds while it works on an upload; let go when that ends.
enum Room<'run> {
    Beside { _others: RwLockReadGuard<'run, ()> },
    Alone { _turn: MutexGuard<'run, ()>, _no_others: RwLockWriteGuard<'run, ()> },
}

/// Counts as one, as long as it lives.
struct Counted<'run>(&'run AtomicUsize);

impl<'run> Counted<'run> {
    fn one_more(count: &'run AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Run {
    pub(super) async fn slot(self: Arc<Self>, work: Work) {
        let rung = match work {
            Work::Uploads => &self.arrivals,
            Work::Answers => &self.endings,
        };
        let mut failures = 0;
        while !self.stop.is_cancelled() && !self.is_done() {
            // Made before the question, so that what arrives between the answer and the wait is not missed.
            let arrival = rung.notified();
            let discovered = self.discovered.load(Ordering::Acquire) || self.time_is_up.is_cancelled();
            let hand = self.hands.read().await;
            let worked = match work {
                Work::Uploads => self.take_upload().await,
                Work::Answers => self.give_answer().await,
            };
            drop(hand);
            match worked {
                Ok(true) => failures = 0,
                Ok(false) => {
                    failures = 0;
                    if discovered && self.nothing_waits().await {
                        self.say_drained();
                    } else {
                        tokio::select! {
                            () = arrival => {}
                            () = self.sleep(IDLE) => {}
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(error = telemetry::chain(&error), "nothing was claimed");
                    if self.give_up(&mut failures).await {
                        return;
                    }
                }
            }
        }
    }

    /// Works on one upload; false where none can be claimed.
    async fn take_upload(&self) -> Result<bool, store::Error> {
        let worker = &self.worker;
        let turn = self.slots.turn.lock().await;
        if self.begins_nothing() {
            return Ok(false);
        }
        let (bucket, config) = (worker.bucket.name(), &worker.config);
        let claim = worker.store.claim(bucket, &config.identity, config.lease(), self.slots.largest()).await?;
        let Some(claim) = claim else { return Ok(false) };
        let _large = (claim.object.size > LARGE).then(|| Counted::one_more(&self.slots.large));
        let queued = (claim.claimed_at - claim.seen_at).to_std().unwrap_or_default();
        let in_progress = metrics().begin(claim.object.size, queued);
        // On lines of every level, so that what is logged of one upload can be put together.
        let span =
            tracing::error_span!("upload", upload_id = claim.upload_id, attempt = claim.attempt, campaign = Empty);
        let (start, mut reading) = (Instant::now(), Reading::default());
        let work = worker.intake(&claim, self.room_for(&claim, turn), &self.stop, &mut reading);
        let ending = work.instrument(span.clone()).await;
        let took = start.elapsed();
        drop(in_progress);
        self.endings.notify_waiters();
        if ending == Ending::GivenBack {
            self.blame_time(&claim, took);
        }
        let report = Report { object: claim.object, ending };
        span.in_scope(|| self.tell(report, &reading, queued, took));
        Ok(true)
    }

    /// Waits until the upload may be worked on. The turn to claim is given on only then: a neighbour that is claimed
    /// before has its room already, and one that would be claimed while this works alone would lose an attempt if the
    /// worker dies.
    async fn room_for<'run>(&'run self, claim: &Claim, turn: MutexGuard<'run, ()>) -> Room<'run> {
        if claim.was_dropped && claim.attempt >= ALONE_FROM.min(self.worker.config.max_attempts) {
            tracing::info!(file = claim.object.key, attempt = claim.attempt, "worked on alone: a worker ended with it");
            return Room::Alone { _turn: turn, _no_others: self.slots.beside.write().await };
        }
        Room::Beside { _others: self.slots.beside.read().await }
    }

    /// Gives one answer; false where none is due.
    async fn give_answer(&self) -> Result<bool, store::Error> {
        let worker = &self.worker;
        let owed = worker.store.claim_answer(worker.bucket.name(), worker.config.lease()).await?;
        let Some(owed) = owed else { return Ok(false) };
        let span = tracing::error_span!("answer", upload_id = owed.upload_id, attempt = owed.attempt);
        let answered = worker.answer(&owed, &self.stop).instrument(span.clone()).await;
        metrics().answered(answered.word());
        let file = owed.object.key.as_str();
        span.in_scope(|| match answered {
            Answered::Given => tracing::debug!(file, "answer given"),
            Answered::PutOff { trouble } => {
                tracing::warn!(file, error = trouble, "answer put off; the file itself is settled");
            }
            Answered::GivenBack => tracing::info!(file, "answer given back"),
            Answered::Lost => tracing::warn!(file, "answer taken over by another worker"),
        });
        Ok(true)
    }

    fn count_fault(&self, code: FileCode) {
        match code {
            FileCode::InternalError => self.leave_trouble(),
            _ => _ = self.faulty.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Says once what became of an upload. The key is a file's name, chosen by its sender; nothing of its content.
    fn tell(&self, report: Report, reading: &Reading, queued: Duration, took: Duration) {
        let file = report.object.key.as_str();
        // Signed, since traces know no other numbers.
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (rows, bytes) = (count(reading.rows_read), count(reading.bytes_read));
        let (queued_ms, took_ms) = (queued.as_millis() as i64, took.as_millis() as i64);
        let (outcome, code) = report.ending.measured();
        metrics().processed(outcome, code.map(FileCode::as_str));
        match &report.ending {
            Ending::Loaded { batch_id } => {
                let [pending, duplicate, skipped, invalid] = reading.verdicts.each().map(|(_, rows)| count(rows));
                tracing::info!(
                    file,
                    batch_id,
                    rows,
                    pending,
                    duplicate,
                    skipped,
                    invalid,
                    bytes,
                    queued_ms,
                    took_ms,
                    "batch loaded"
                );
            }
            Ending::Failed { batch_id, code } => {
                self.count_fault(*code);
                tracing::info!(file, batch_id, %code, rows, bytes, queued_ms, took_ms, "batch failed");
            }
            Ending::Rejected { fault } => {
                self.count_fault(fault.code);
                tracing::info!(file, code = %fault.code, "upload rejected");
            }
            Ending::ListLoaded { told } => tracing::info!(file, told, "suppression list loaded"),
            Ending::Gone { reason } => tracing::info!(file, reason, "upload gone"),
            Ending::PutOff { trouble } => tracing::warn!(file, error = trouble, "upload put off"),
            Ending::GivenBack => tracing::info!(file, "upload given back"),
            Ending::Lost => tracing::warn!(file, "upload taken over by another worker"),
        }
        let _ = self.worker.news.send(News::Upload(report)); // nobody need listen
    }
}
