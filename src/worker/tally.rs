//! Folding of counts: what senders report is counted as changes, which the worker replaces by their sums, so that
//! `status_counts` are read quickly however much was reported. No sum changes by it, and nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::watch::Run;
use crate::telemetry;

/// Between two looks for changes.
const LOOK: Duration = Duration::from_secs(1);

impl Run {
    /// Folds for as long as the worker stays.
    pub(super) async fn keep_counts_short(self: Arc<Self>) {
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            if self.shorten_counts().await {
                failures = 0;
                self.sleep(LOOK).await;
            } else {
                self.give_up(&mut failures).await;
            }
        }
    }

    /// Folds all that is there; false after trouble, which harms nothing.
    pub(super) async fn shorten_counts(&self) -> bool {
        while !self.stop.is_cancelled() {
            match self.worker.store.fold().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let error = telemetry::chain(&error);
                    tracing::warn!(error, "counts were not folded; they are right all the same, and folded later");
                    return false;
                }
            }
        }
        true
    }
}
