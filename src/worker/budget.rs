//! Draining within a time: when it is up nothing more is begun, and a while later what is still in hand is given back.
//!
//! So a scheduled run ends when its scheduler expects it to, also where files come faster than they are loaded, and
//! loses nothing: the ledger keeps what waits, and the next run takes it first.

use std::sync::Arc;
use std::time::Duration;

use super::watch::{Mode, Run};
use crate::model::Claim;

/// How much longer what was begun may take to be finished: a minute, or as long again where that is less.
pub fn overtime(within: Duration) -> Duration {
    within.min(Duration::from_secs(60))
}

impl Run {
    /// Ends draining in time.
    pub(super) async fn keep_within(self: Arc<Self>, within: Duration) {
        tokio::time::sleep(within).await;
        tracing::info!("the time is up: nothing more is begun");
        self.time_is_up.cancel();
        self.arrivals.notify_waiters();
        self.endings.notify_waiters();
        tokio::time::sleep(overtime(within)).await;
        tracing::warn!("the time is over: what is in hand is given back");
        self.stop.cancel();
    }

    /// Whether no upload is to be claimed and no page to be listed any more.
    pub(super) fn begins_nothing(&self) -> bool {
        self.stop.is_cancelled() || self.time_is_up.is_cancelled()
    }

    /// Told of an upload that was given back. One that had all of the time there is would be given back by each run:
    /// somebody has to give it more.
    pub(super) fn blame_time(&self, claim: &Claim, worked: Duration) {
        if let Mode::Drain { within: Some(within) } = self.mode
            && worked >= within
        {
            let (file, seconds) = (claim.object.key.as_str(), within.as_secs());
            tracing::error!(file, seconds, "upload not loaded in all of the time that there is; it needs more");
            self.leave_trouble();
        }
    }

    /// Looks at what draining left. An upload that waits for a list, or that was put off after the last look at what
    /// waits, is trouble. Told are those that there was no time for, which are none, where the time was up; and those in
    /// the hands of other workers.
    pub(super) async fn look_back(&self) -> (Option<u64>, u64) {
        let is_up = self.time_is_up.is_cancelled();
        let Ok(backlog) = self.worker.store.backlog(self.worker.bucket.name()).await else {
            self.leave_trouble(); // what cannot be asked for was not drained
            return (None, 0);
        };
        if backlog.held > 0 || (backlog.waiting > 0 && !is_up) {
            self.leave_trouble();
        }
        (is_up.then_some(backlog.waiting), backlog.claimed)
    }
}
