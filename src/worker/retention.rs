//! Retention: requests are deleted once they have been kept for as long as they may be.
//!
//! One of all workers looks every hour, beside its other work and never in its way: it rests for as long as each piece
//! took. What may still be contacted or answered is left, and told. Whoever is stopped or killed leaves the rest to the
//! next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::watch::Run;
use crate::fail_point;
use crate::rules::Router;
use crate::store::{self, DueForPurge, Store};
use crate::telemetry::{self, metrics};

/// The chore's name in the store.
const PURGE: &str = "PURGE";
/// From one look to the next, of all workers together.
const EVERY: Duration = Duration::from_secs(3600);
/// How often a worker asks whether it is to look.
const ASK: Duration = Duration::from_secs(30);

/// Whether requests stay though they are old: somebody may still be about to contact them, or their sender is owed the
/// answer.
pub fn is_left(due: &DueForPurge) -> bool {
    due.unfinished > 0 || due.unanswered
}

/// Of each campaign, forgets the keys that neither count any more nor are young enough to be kept.
///
/// # Errors
/// Those of the store.
pub async fn forget_old_keys(store: &Store, router: &Router, age: Duration) -> Result<(), store::Error> {
    for id in store.campaigns_with_keys().await? {
        let campaign = router.campaigns().find(|campaign| campaign.id == id);
        let window = campaign.and_then(|campaign| campaign.unique_within);
        store.forget_keys(id, window.unwrap_or_default().max(age)).await?;
    }
    Ok(())
}

impl Run {
    /// Deletes what is older than `age`, for as long as the worker stays.
    pub(super) async fn keep_retention(self: Arc<Self>, age: Duration) {
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            let done = match self.worker.store.take_chore(PURGE, EVERY).await {
                Ok(true) => self.purge(age).await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {
                    failures = 0;
                    self.sleep(ASK).await;
                }
                Err(error) => {
                    tracing::warn!(error = telemetry::chain(&error), "old requests were not purged");
                    self.give_up(&mut failures).await;
                }
            }
        }
    }

    /// The turn is kept for as long as it takes. After a stop it is given back, and after trouble: the next has no hour
    /// to wait.
    async fn purge(&self, age: Duration) -> Result<(), store::Error> {
        let store = &self.worker.store;
        let purged = self.purge_all(age).await;
        if purged.is_err() || self.stop.is_cancelled() {
            store.keep_chore(PURGE, Duration::ZERO).await?;
        }
        purged
    }

    async fn purge_all(&self, age: Duration) -> Result<(), store::Error> {
        let store = &self.worker.store;
        let (mut batches, mut requests, mut left) = (0_u64, 0_u64, 0_u64);
        for due in store.due_for_purge(age).await? {
            if is_left(&due) {
                left += 1;
                continue;
            }
            loop {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                let start = Instant::now();
                let piece = store.purge_piece(&due).await?;
                metrics().purged(piece.deleted);
                requests += piece.deleted;
                if piece.is_done {
                    break;
                }
                store.keep_chore(PURGE, EVERY).await?;
                // Only a test says anything else than to go on.
                let _ = fail_point::reach("purged_piece", &due.batch_id);
                self.sleep(start.elapsed()).await;
            }
            batches += 1;
        }
        forget_old_keys(store, &self.worker.router, age).await?;
        if batches > 0 {
            tracing::info!(batches, requests, "old requests purged");
        }
        if left > 0 {
            tracing::info!(batches = left, "old requests left: they may still be contacted, or are yet to be answered");
        }
        Ok(())
    }
}
