//! Files that are suppression lists, and campaign uploads that wait for one.
//!
//! A list's file is an upload like any other: seen, claimed, read and judged by the same hands. It becomes no batch:
//! its targets replace those of the version before, all at once. One that cannot be used leaves the list as it was.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fetching::Reader;
use super::intake::Halt;
use super::reading::Said;
use super::{Ending, Worker};
use crate::model::{Campaign, Channel, Claim, Object, SuppressionList, fold_address};
use crate::reader::HeaderRules;
use crate::store;
use crate::telemetry::progress::UnderWay;

/// How long an upload waits before its lists are looked at again, should nobody wake it.
const LIST_LOOK: Duration = Duration::from_secs(15);

impl Worker {
    /// Enters what a listing showed in the ledger; returns how many were new. Lists come first, and under their names,
    /// so that a campaign's upload finds that a list which was dropped before it is still to be loaded.
    pub(super) async fn enter(&self, objects: &[Object]) -> Result<u64, store::Error> {
        if self.lists.is_empty() {
            return self.store.record(self.bucket.name(), objects).await;
        }
        let (lists, others): (Vec<Object>, Vec<Object>) =
            objects.iter().cloned().partition(|object| self.lists.of(&object.key).is_some());
        let mut new = self.store.record(self.bucket.name(), &lists).await?;
        if new > 0 {
            let named = lists.iter().filter_map(|object| Some((object, self.lists.of(&object.key)?.name.as_str())));
            self.store.name_lists(self.bucket.name(), &named.collect::<Vec<_>>()).await?;
        }
        new += self.store.record(self.bucket.name(), &others).await?;
        Ok(new)
    }

    /// Why a campaign's upload must wait for a suppression list: nobody is contacted who may be on it.
    pub(super) async fn missing_list(&self, campaign: &Campaign) -> Result<Option<String>, store::Error> {
        let lists: Vec<&SuppressionList> = self.lists.loaded(&campaign.suppression).collect();
        if lists.is_empty() {
            return Ok(None);
        }
        let states = self.store.suppression_lists().await?;
        for list in &lists {
            let name = &list.name;
            let Some(state) = states.iter().find(|state| state.name == *name) else {
                return Ok(Some(format!("waits for the suppression list {name}, which was never loaded")));
            };
            if list.max_age.is_some_and(|age| state.age_seconds > age.as_secs_f64()) {
                let hours = (state.age_seconds / 3600.0).floor();
                return Ok(Some(format!("waits for the suppression list {name}, which is too old: {hours} hours")));
            }
        }
        let names: Vec<&str> = lists.iter().map(|list| list.name.as_str()).collect();
        let waiting = self.store.waiting_list(&names).await?;
        Ok(waiting.map(|name| format!("waits for the suppression list {name}, of which a new file is to be loaded")))
    }

    /// Puts an upload off until a list is there; the attempt does not count.
    pub(super) async fn hold_off(&self, claim: &Claim, campaign: &Campaign, trouble: String) -> Result<Ending, Halt> {
        self.store.hold_off(claim, &trouble, LIST_LOOK).await?;
        // The list may have come since it was looked for, and who loaded it found nobody to wake.
        if self.missing_list(campaign).await?.is_none() {
            self.store.wake_held(self.bucket.name()).await?;
        }
        Ok(Ending::PutOff { trouble })
    }

    /// Reads a list's file and puts its targets in the place of those before.
    pub(super) async fn take_list(
        &self,
        claim: &Claim,
        list: &SuppressionList,
        stop: &CancellationToken,
    ) -> Result<Ending, Halt> {
        let body = tokio::select! {
            body = self.bucket.read(&claim.object) => body?,
            () = stop.cancelled() => return Err(Halt::Stopped),
        };
        let under_way = UnderWay::begin(claim.upload_id);
        let rules = HeaderRules::of_list(list.channel);
        let mut reader = Reader::start(body, list.rules(), rules, self.limits, under_way.progress());
        let mut load = None;
        loop {
            let step = tokio::select! {
                step = reader.said.recv() => step,
                () = stop.cancelled() => return Err(Halt::Stopped),
            };
            let Some(Said::Rows(chunk)) = step else { break };
            if load.is_none() {
                let begun = tokio::select! {
                    begun = self.store.begin_list(claim, &list.name) => begun?,
                    () = stop.cancelled() => return Err(Halt::Stopped),
                };
                let Some(begun) = begun else {
                    let told =
                        format!("suppression list {}: a file that was written later is loaded already", list.name);
                    self.store.end(claim, crate::model::UploadStatus::Loaded, None, &told).await?;
                    return Ok(Ending::ListLoaded { told });
                };
                load = Some(begun);
            }
            if let Some(load) = &mut load {
                load.targets(chunk.pending().map(|(_, _, target)| compared(list.channel, target)).collect()).await?;
            }
        }
        let (reading, result) = reader.end().await?;
        if let Err(halt) = result {
            if let Some(load) = load {
                load.discard().await?;
            }
            // As with a batch: a version that was replaced while it was read is told of by nobody.
            if matches!(halt, Halt::Fault(_)) {
                drop(self.bucket.read(&claim.object).await?);
            }
            return Err(halt);
        }
        let load = load.ok_or_else(|| Halt::Trouble("a list without rows came through the reader".into()))?;
        let told = load.publish(claim, reading.verdicts).await?;
        Ok(Ending::ListLoaded { told })
    }
}

fn compared(channel: Channel, target: &str) -> String {
    if channel != Channel::Email {
        return target.to_owned();
    }
    let mut folded = String::new();
    fold_address(target, &mut folded);
    folded
}
