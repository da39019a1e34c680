//! The outer loop: discover, claim, bound, drain, stop.
//!
//! `discovery` enters what lies in the bucket in the ledger. A fixed number of slots claim from the ledger and work, as many
//! on uploads as on answers, and one for each webhook. They know of each other through the ledger alone, and so does any other
//! worker on the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard, Notify, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::answer::Answered;
use super::expected::Expecting;
use super::reading::Reading;
use super::{Ending, News, Report, Worker};
use crate::model::{Claim, FileCode};
use crate::telemetry::metrics;
use crate::{store, telemetry};

/// When the worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// When it is asked to.
    Watch,
    /// When nothing is left to do.
    Drain {
        /// Nothing more is begun after so long; what was begun may take [`overtime`](super::overtime) longer.
        within: Option<Duration>,
    },
}

impl Mode {
    pub(super) fn drains(self) -> bool {
        matches!(self, Mode::Drain { .. })
    }
}

/// How the worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Uploads that their senders must mend: those that became FAILED batches, or no batch.
    pub faulty: u64,
    /// Whether trouble of ours is left: something could not be listed, claimed or worked on.
    pub troubled: bool,
    /// Uploads that are left to the next run, where the time was up before everything was done.
    pub left: Option<u64>,
}

/// How often in a row draining may meet trouble in the same place before it gives up.
const DRAIN_PATIENCE: u32 = 5;
/// How often each answer is tried before draining leaves it, as trouble of ours, to the next run.
const DRAIN_TRIES: u32 = 3;
/// How long an idle slot sleeps before it looks by itself: for retries that are due and leases that ran out.
pub(super) const IDLE: Duration = Duration::from_secs(1);

/// From this attempt on, an upload that a worker died with is worked on alone. So a file that kills its worker takes two attempts
/// of its neighbours at most; and after one restart, which ends many leases at once, everything goes on in parallel.
const ALONE_FROM: u32 = 3;

/// An upload of more bytes than this, as stored, is a large one: it may take seconds, or hours. While all slots but one work on
/// large ones, the last takes none, so that small ones never wait for several of them.
const LARGE: u64 = 32 << 20;

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// What the tasks of one run tell each other.
pub(super) struct Run {
    pub(super) worker: Arc<Worker>,
    pub(super) mode: Mode,
    pub(super) stop: CancellationToken,
    /// Cancelled when the time to drain within is over: then no upload is claimed any more, and no page listed.
    pub(super) time_is_up: CancellationToken,
    /// Set when the first listing is complete and holds no file that is still being written; read by the slots.
    pub(super) discovered: AtomicBool,
    /// Rung by the discovery for each new upload; heard by idle slots for uploads.
    pub(super) arrivals: Notify,
    /// Rung for each upload that ends; heard by idle slots for answers and for webhooks.
    pub(super) endings: Notify,
    /// What is known for judging whether files are late.
    pub(super) expecting: Expecting,
    /// Held by the slot that claims an upload, until there is room for it: others claim none meanwhile.
    turn: Mutex<()>,
    /// Read by each slot that works on an upload beside others; written by one that works alone.
    beside: RwLock<()>,
    /// How many slots work on uploads.
    slots: usize,
    /// How many of them work on large ones; raised by the slot that has the turn.
    large: AtomicUsize,
    /// Read by each slot from before it claims until its work is done; written by one that looks whether nothing is left to do.
    /// So what a neighbour claims and puts off again cannot slip past that look.
    hands: RwLock<()>,
    /// Set once, by the slot that first finds nothing left to do; read by the others.
    drained: AtomicBool,
    faulty: AtomicU64,
    troubled: AtomicBool,
}

impl Worker {
    /// Works until the mode says that it is done, or until `stop` is cancelled; then every upload in hand is finished
    /// or given back before this returns.
    pub async fn run(self: &Arc<Self>, mode: Mode, stop: CancellationToken) -> Stopped {
        let run = Arc::new(Run {
            worker: self.clone(),
            mode,
            stop,
            time_is_up: CancellationToken::new(),
            discovered: AtomicBool::new(false),
            arrivals: Notify::new(),
            endings: Notify::new(),
            expecting: Expecting::default(),
            turn: Mutex::new(()),
            beside: RwLock::new(()),
            slots: self.config.uploads_at_once.min(self.store.max_loads()),
            large: AtomicUsize::new(0),
            hands: RwLock::new(()),
            drained: AtomicBool::new(false),
            faulty: AtomicU64::new(0),
            troubled: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(run.clone().discover());
        let beating = AbortOnDropHandle::new(tokio::spawn(beat()));
        let keeping_time = match mode {
            Mode::Drain { within: Some(within) } => {
                Some(AbortOnDropHandle::new(tokio::spawn(run.clone().keep_within(within))))
            }
            _ => None,
        };
        // Draining lists everything, and folds at its end; notices are left to a worker that stays.
        if mode == Mode::Watch {
            tasks.spawn(run.clone().listen());
            tasks.spawn(run.clone().keep_counts_short());
            tasks.spawn(run.clone().judge_what_is_due());
            if let Some(age) = self.retention {
                tasks.spawn(run.clone().keep_retention(age));
            }
        }
        for _ in 0..run.slots {
            tasks.spawn(run.clone().slot(Work::Uploads));
            tasks.spawn(run.clone().slot(Work::Answers));
        }
        for webhook in &self.webhooks {
            tasks.spawn(run.clone().deliver_to(webhook.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            if ended.is_err() {
                // A panic is a bug of ours; the others go on, and the upload's lease runs out.
                tracing::error!("a task of the worker failed");
                run.leave_trouble();
            }
        }
        drop(keeping_time);
        let mut left = None;
        if mode.drains() {
            run.shorten_counts().await;
            // What was worked on may have failed since.
            if let Err(error) = run.judge(false).await {
                tracing::warn!(error = telemetry::chain(&error), "expected files were not looked after");
                run.leave_trouble();
            }
            left = run.look_back().await;
        }
        drop(beating);
        Stopped { faulty: run.faulty.load(Ordering::Relaxed), troubled: run.troubled.load(Ordering::Relaxed), left }
    }
}

/// Shows that the worker's tasks get their turns. That an upload makes progress is told by its lease.
async fn beat() {
    loop {
        metrics().beat();
        telemetry::systemd::alive();
        tokio::time::sleep(BEAT).await;
    }
}

/// What a slot does.
#[derive(Clone, Copy)]
enum Work {
    Uploads,
    Answers,
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
    async fn slot(self: Arc<Self>, work: Work) {
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
        let turn = self.turn.lock().await;
        if self.begins_nothing() {
            return Ok(false);
        }
        let (bucket, config) = (worker.bucket.name(), &worker.config);
        let claim = worker.store.claim(bucket, &config.identity, config.lease(), self.largest()).await?;
        let Some(claim) = claim else { return Ok(false) };
        let _large = (claim.object.size > LARGE).then(|| Counted::one_more(&self.large));
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

    /// The largest upload that may be claimed now; `None` for any.
    fn largest(&self) -> Option<u64> {
        let is_last = self.large.load(Ordering::Acquire) + 1 == self.slots;
        (is_last && self.slots > 1).then_some(LARGE)
    }

    /// Waits until the upload may be worked on. The turn to claim is given on only then: a neighbour that is claimed before has
    /// its room already, and one that would be claimed while this works alone would lose an attempt if the worker dies.
    async fn room_for<'run>(&'run self, claim: &Claim, turn: MutexGuard<'run, ()>) -> Room<'run> {
        if claim.was_dropped && claim.attempt >= ALONE_FROM.min(self.worker.config.max_attempts) {
            tracing::info!(file = claim.object.key, attempt = claim.attempt, "worked on alone: a worker ended with it");
            return Room::Alone { _turn: turn, _no_others: self.beside.write().await };
        }
        Room::Beside { _others: self.beside.read().await }
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

    pub(super) fn is_done(&self) -> bool {
        self.mode.drains() && self.drained.load(Ordering::Acquire)
    }

    fn say_drained(&self) {
        if !self.drained.swap(true, Ordering::AcqRel) {
            if !self.time_is_up.is_cancelled() {
                let _ = self.worker.news.send(News::Drained); // nobody need listen
            }
            self.arrivals.notify_waiters();
            self.endings.notify_waiters();
        }
    }

    /// Whether no upload waits, not even for a later attempt. What other workers hold is theirs. Draining waits for answers
    /// too, but not for those that keep failing; once its time is up, for answers alone. Of this worker's slots, the last one to
    /// stop working finds out.
    async fn nothing_waits(&self) -> bool {
        if self.drained.load(Ordering::Acquire) {
            return false; // said already; no need to ask
        }
        let Ok(_empty_hands) = self.hands.try_write() else { return false };
        let Ok(backlog) = self.worker.store.backlog(self.worker.bucket.name()).await else { return false };
        if self.mode == Mode::Watch || (backlog.waiting > 0 && !self.time_is_up.is_cancelled()) {
            return backlog.waiting == 0;
        }
        match backlog.fewest_tries {
            _ if backlog.answers_due > 0 => false,
            None => true,
            Some(tries) if tries < DRAIN_TRIES => false,
            Some(_) => {
                self.leave_trouble();
                true
            }
        }
    }

    /// Waits after trouble; true when draining has met it too often.
    pub(super) async fn give_up(&self, failures: &mut u32) -> bool {
        *failures += 1;
        if self.mode.drains() && *failures >= DRAIN_PATIENCE {
            self.leave_trouble();
            // The others must not wait for what will not come.
            self.stop.cancel();
            return true;
        }
        self.sleep(Duration::from_millis(250).saturating_mul(2u32.saturating_pow((*failures).min(7)))).await;
        false
    }

    pub(super) async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Trouble of ours is left, and the exit code will say so.
    pub(super) fn leave_trouble(&self) {
        self.troubled.store(true, Ordering::Relaxed);
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
