//! Expected files: who was to send one, and did not.
//!
//! The due times of campaigns stand in the store before they come, so that a worker that was away knows which it has
//! slept through, and judges them now, in their order, by when files were put into the bucket. That something is not
//! there is said only after a complete listing that began when it should have been, and never while a file for it is
//! being written, waits or is worked on: what we are slow with, no sender is blamed for. All times are the database's;
//! of many workers, one decides.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::Worker;
use super::watch::{Mode, Run};
use crate::model::{Campaign, Event, ExpectedStatus, OpenExpected, Schedule};
use crate::telemetry::metrics;
use crate::{store, telemetry};

/// Between two looks at what came.
const LOOK: Duration = Duration::from_secs(1);
/// Between two notes of a listing: by so much may a file that kept an old date seem to have come too early.
const NOTE: Duration = Duration::from_secs(10);

/// What judging and listing tell each other.
#[derive(Default)]
pub(super) struct Expecting {
    /// The last complete listing of this worker.
    listing: Mutex<Option<Listing>>,
    /// Rung when something hangs on a listing that is still to begin; heard by the discovery.
    pub(super) listing_wanted: Notify,
}

#[derive(Clone)]
struct Listing {
    began_at: DateTime<Utc>,
    /// The keys of what was being written.
    writing: Vec<String>,
    noted: Instant,
}

impl Worker {
    /// The campaigns whose files are due at times.
    fn expecting(&self) -> impl Iterator<Item = (&Campaign, &Schedule)> {
        self.router.campaigns().filter_map(|campaign| Some((campaign, campaign.due.as_ref()?)))
    }

    /// Whether an object becomes a batch of this campaign, if it becomes one.
    fn is_for(&self, key: &str, campaign_id: i32) -> bool {
        let base_name = crate::model::upload::base_name(key);
        let route = || self.router.route(base_name).ok()?.ok();
        self.lists.of(key).is_none() && route().is_some_and(|campaign| campaign.id == campaign_id)
    }
}

impl Run {
    /// To be called before a listing begins; `None` where nothing hangs on it.
    pub(super) async fn listing_begins(&self) -> Result<Option<DateTime<Utc>>, store::Error> {
        match self.worker.expecting().next() {
            Some(_) => self.worker.store.clock().await.map(Some),
            None => Ok(None),
        }
    }

    /// The listing that began then is complete, and in the ledger but for what was being written.
    pub(super) async fn listing_ended(
        &self,
        began_at: DateTime<Utc>,
        writing: Vec<String>,
    ) -> Result<(), store::Error> {
        let noted = self.last_listing().map(|listing| listing.noted);
        let noted = match noted {
            Some(noted) if noted.elapsed() < NOTE && self.mode == Mode::Watch => noted,
            _ => {
                self.worker.store.note_listing(self.worker.bucket.name(), began_at).await?;
                Instant::now()
            }
        };
        let listing = Listing { began_at, writing, noted };
        *self.expecting.listing.lock().unwrap_or_else(PoisonError::into_inner) = Some(listing);
        Ok(())
    }

    fn last_listing(&self) -> Option<Listing> {
        self.expecting.listing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Judges for as long as the worker stays.
    pub(super) async fn judge_what_is_due(self: Arc<Self>) {
        let (mut failures, mut is_first) = (0, true);
        metrics().expect_files_of(self.worker.expecting().map(|(campaign, _)| campaign.name.as_str()));
        while !self.stop.is_cancelled() {
            match self.judge(is_first).await {
                Ok(()) if self.worker.expecting().next().is_none() => return,
                Ok(()) => {
                    (failures, is_first) = (0, false);
                    self.sleep(LOOK).await;
                }
                Err(error) => {
                    tracing::warn!(error = telemetry::chain(&error), "expected files were not looked after");
                    self.give_up(&mut failures).await;
                }
            }
        }
    }

    /// Enters the due times that come next, and writes what has become of the others. `is_first`: this worker has just
    /// started.
    pub(super) async fn judge(&self, is_first: bool) -> Result<(), store::Error> {
        let (worker, bucket) = (&self.worker, self.worker.bucket.name());
        // First: what this listing showed is in the ledger when the ledger is asked, and so what is there is found on
        // its way, or as a batch.
        let listing = self.last_listing();
        let now = worker.store.clock().await?;
        let mut known = worker.store.open_expected(bucket).await?;
        if self.plan(&known, now, is_first).await? {
            known = worker.store.open_expected(bucket).await?;
        }
        let mut open = Vec::new();
        if known.iter().any(|expected| expected.may_be_late(now)) {
            // In this order: what is settled between the two questions is found among the batches.
            open = worker.store.open_arrivals(bucket).await?;
            known = worker.store.open_expected(bucket).await?;
        }
        let listed_from = listing.as_ref().map(|listing| listing.began_at);
        let writing = listing.map(|listing| listing.writing).unwrap_or_default();
        for expected in known.iter().filter(|expected| expected.status != ExpectedStatus::Arrived) {
            let mut expecting = worker.expecting();
            let Some((campaign, schedule)) = expecting.find(|(campaign, _)| campaign.id == expected.campaign_id) else {
                continue; // another worker's
            };
            let is_open = open.iter().any(|(key, at)| expected.takes(*at) && worker.is_for(key, campaign.id));
            let is_written = expected.takes(now) && writing.iter().any(|key| worker.is_for(key, campaign.id));
            let status = expected.judge(listed_from, is_open || is_written);
            if status == expected.status && expected.is_as_on_record() {
                if expected.may_be_late(now) && listed_from.is_none_or(|from| !expected.is_told_by(from)) {
                    self.expecting.listing_wanted.notify_one();
                }
                continue;
            }
            // What is settled before its time must have a successor first: by that a worker that was away knows where
            // to go on.
            if expected.occurrence.due_at > now
                && let Some(next) = schedule.next(expected.occurrence.due_at)
            {
                worker.store.expect(bucket, campaign.id, &campaign.name, &next).await?;
            }
            self.decide(campaign, expected, status).await?;
        }
        Ok(())
    }

    /// Makes sure that each campaign's next due time stands in the store, and all since the last one that does; whether
    /// there was anything to do. Where none is awaited, the campaign's files are expected from now on.
    async fn plan(&self, known: &[OpenExpected], now: DateTime<Utc>, is_first: bool) -> Result<bool, store::Error> {
        let (store, bucket) = (&self.worker.store, self.worker.bucket.name());
        let mut has_changed = false;
        let is_awaited =
            |expected: &OpenExpected| matches!(expected.status, ExpectedStatus::Expected | ExpectedStatus::Late);
        for (campaign, schedule) in self.worker.expecting() {
            let mut last = None;
            for expected in known.iter().filter(|expected| expected.campaign_id == campaign.id) {
                let is_ahead = expected.occurrence.due_at > now;
                if is_ahead && is_awaited(expected) && !schedule.has(&expected.occurrence) {
                    store.no_longer_expect(bucket, campaign.id, expected.occurrence.due_at).await?;
                } else {
                    last = Some(expected);
                }
            }
            let last = last.filter(|expected| is_awaited(expected) || expected.occurrence.due_at > now);
            let mut behind = last.map_or(now, |expected| expected.occurrence.due_at);
            let mut is_awaiting = last.is_some_and(|expected| is_awaited(expected) && behind > now);
            while !is_awaiting && let Some(next) = schedule.next(behind) {
                store.expect(bucket, campaign.id, &campaign.name, &next).await?;
                has_changed = true;
                behind = next.due_at;
                is_awaiting = behind > now;
            }
        }
        // Once, so that workers of two configurations do not undo each other's work for long.
        if is_first {
            let ids: Vec<i32> = self.worker.expecting().map(|(campaign, _)| campaign.id).collect();
            for expected in known.iter().filter(|expected| is_awaited(expected) && !ids.contains(&expected.campaign_id))
            {
                store.no_longer_expect(bucket, expected.campaign_id, expected.occurrence.due_at).await?;
                has_changed = true;
            }
        }
        Ok(has_changed)
    }

    async fn decide(
        &self,
        campaign: &Campaign,
        expected: &OpenExpected,
        status: ExpectedStatus,
    ) -> Result<(), store::Error> {
        let (store, bucket, name) = (&self.worker.store, self.worker.bucket.name(), campaign.name.as_str());
        let webhooks = match status {
            ExpectedStatus::Missing => self.worker.webhooks_for(Event::FileMissing, Some(name)),
            _ => Vec::new(),
        };
        if !store.decide_expected(bucket, expected, status, name, &webhooks).await? {
            return Ok(()); // another worker was faster, and has told
        }
        let due_at = expected.occurrence.due_at.to_rfc3339();
        let batch_id = expected.arrival.as_ref().map(|arrival| arrival.batch_id.as_str());
        let is_late = expected.arrival.as_ref().is_some_and(|arrival| arrival.arrived_at > expected.occurrence.due_at);
        match status {
            ExpectedStatus::Missing => {
                metrics().missed(name);
                tracing::warn!(campaign = name, due_at, "expected file is missing");
            }
            ExpectedStatus::Late => tracing::info!(campaign = name, due_at, "expected file is late"),
            ExpectedStatus::Failed => {
                tracing::info!(campaign = name, due_at, batch_id, "expected file came, and failed");
            }
            ExpectedStatus::Arrived if is_late => {
                tracing::info!(campaign = name, due_at, batch_id, "expected file came late");
            }
            ExpectedStatus::Arrived | ExpectedStatus::Expected => {
                tracing::debug!(campaign = name, due_at, batch_id, "expected file came");
            }
        }
        Ok(())
    }
}
