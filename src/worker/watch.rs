//! The outer loop: everything that a worker does at once is started, bounded, drained and stopped here.
//!
//! `discovery` enters what lies in the bucket in the ledger. A fixed number of `slots` claim from the ledger and work,
//! as many on uploads as on answers, and one for each webhook. They know of each other through the ledger alone, and so
//! does any other worker on the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, RwLock};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::expected::Expecting;
use super::slots::{Slots, Work};
use super::{News, Worker};
use crate::telemetry;
use crate::telemetry::metrics;

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
    /// Uploads that other workers hold, alive or not; told of draining alone.
    pub elsewhere: u64,
}

/// How often in a row draining may meet trouble in the same place before it gives up.
const DRAIN_PATIENCE: u32 = 5;
/// How often each answer is tried before draining leaves it, as trouble of ours, to the next run.
const DRAIN_TRIES: u32 = 3;
/// How long an idle slot sleeps before it looks by itself: for retries that are due and leases that ran out.
pub(super) const IDLE: Duration = Duration::from_secs(1);

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
    /// What the slots for uploads know of each other.
    pub(super) slots: Slots,
    /// Read by each slot from before it claims until its work is done; written by one that looks whether nothing is
    /// left to do. So what a neighbour claims and puts off again cannot slip past that look.
    pub(super) hands: RwLock<()>,
    /// Set once, by the slot that first finds nothing left to do; read by the others.
    drained: AtomicBool,
    pub(super) faulty: AtomicU64,
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
            slots: Slots::new(self.config.uploads_at_once.min(self.store.max_loads())),
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
        for _ in 0..run.slots.count {
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
        let (mut left, mut elsewhere) = (None, 0);
        if mode.drains() {
            run.shorten_counts().await;
            // What was worked on may have failed since.
            if let Err(error) = run.judge(false).await {
                tracing::warn!(error = telemetry::chain(&error), "expected files were not looked after");
                run.leave_trouble();
            }
            (left, elsewhere) = run.look_back().await;
        }
        drop(beating);
        let (faulty, troubled) = (run.faulty.load(Ordering::Relaxed), run.troubled.load(Ordering::Relaxed));
        Stopped { faulty, troubled, left, elsewhere }
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

impl Run {
    pub(super) fn is_done(&self) -> bool {
        self.mode.drains() && self.drained.load(Ordering::Acquire)
    }

    pub(super) fn say_drained(&self) {
        if !self.drained.swap(true, Ordering::AcqRel) {
            if !self.time_is_up.is_cancelled() {
                let _ = self.worker.news.send(News::Drained); // nobody need listen
            }
            self.arrivals.notify_waiters();
            self.endings.notify_waiters();
        }
    }

    /// Whether no upload waits, not even for a later attempt. What other workers hold is theirs. Draining waits for
    /// answers too, but not for those that keep failing; once its time is up, for answers alone. Of this worker's
    /// slots, the last one to stop working finds out.
    pub(super) async fn nothing_waits(&self) -> bool {
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
}
