//! One upload's life, from the claim to its end.
//!
//! ```text
//! claim ─▶ which campaign? ─▶ read, judge ─▶ load ─▶ publish ─▶ LOADED
//!              │ none             │ fault              │ repeat
//!              ▼                  ▼                    ▼
//!           REJECTED        FAILED batch         FAILED batch (DUPLICATE_FILE)
//! ```
//! A fault is the sender's and ends the upload. Trouble of ours puts it off, and after too many attempts ends it in a
//! FAILED batch with INTERNAL_ERROR. Nothing here can load an upload twice: whatever is written is written in one
//! transaction that ends with the fence of the claim.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span};

use super::fetching::Reader;
use super::reading::{Reading, Said};
use super::{Ending, Worker, backoff, unless_it_panics, until_lost};
use crate::model::{BatchDraft, Campaign, Claim, Event, Fault, FileCode, Header, KeyScope, Lookup, UploadStatus};
use crate::reader::HeaderRules;
use crate::rules::filename_date;
use crate::store::{self, ErrorKind, Load, Outcome, Published};
use crate::telemetry::progress::UnderWay;
use crate::telemetry::{self, Stage, metrics};
use crate::{bucket, fail_point};

/// How often a load looks whether another one of its campaign, whose keys count for it, has ended.
const TURN_LOOK: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How often the fate of a commit is asked for, a second apart, before the lease is left to run out.
const OUTCOME_QUESTIONS: u32 = 10;

/// Why a step did not lead to the next.
pub(super) enum Halt {
    /// The sender's file cannot be used.
    Fault(Fault),
    /// This version is no longer in the bucket.
    Gone(String),
    /// Trouble of ours.
    Trouble(String),
    /// The worker was asked to stop.
    Stopped,
    /// The claim is another worker's now.
    Lost,
    /// The answer to a commit was lost.
    Unknown(String),
}

impl From<store::Error> for Halt {
    fn from(error: store::Error) -> Self {
        match error.kind {
            ErrorKind::Fenced => Halt::Lost,
            ErrorKind::Unknown => Halt::Unknown(telemetry::chain(&error)),
            ErrorKind::Transient | ErrorKind::Permanent => Halt::Trouble(telemetry::chain(&error)),
        }
    }
}

impl From<bucket::Error> for Halt {
    fn from(error: bucket::Error) -> Self {
        match error.kind {
            bucket::ErrorKind::Gone => Halt::Gone(telemetry::chain(&error)),
            bucket::ErrorKind::Transient | bucket::ErrorKind::Permanent => Halt::Trouble(telemetry::chain(&error)),
        }
    }
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Batch { batch_id, failed: None } => Ending::Loaded { batch_id },
            Outcome::Batch { batch_id, failed: Some(code) } => Ending::Failed { batch_id, code },
            Outcome::List { told } => Ending::ListLoaded { told },
        }
    }
}

impl Worker {
    /// Takes a claimed upload to its end, or gives it up in a way that lets another attempt follow.
    ///
    /// The work starts when there is `room` for it, and holds that to its end. `reading` is what was learnt of the
    /// file.
    pub(super) async fn intake<R>(
        &self,
        claim: &Claim,
        room: impl Future<Output = R>,
        stop: &CancellationToken,
        reading: &mut Reading,
    ) -> Ending {
        let ending = self.end_of(claim, room, stop, reading).await;
        // Whatever became of a list's file: those that wait may look again.
        if self.lists.of(&claim.object.key).is_some()
            && let Err(error) = self.store.wake_held(self.bucket.name()).await
        {
            tracing::warn!(error = telemetry::chain(&error), "uploads that wait for a list look again later");
        }
        ending
    }

    async fn end_of<R>(
        &self,
        claim: &Claim,
        room: impl Future<Output = R>,
        stop: &CancellationToken,
        reading: &mut Reading,
    ) -> Ending {
        let lease = self.config.lease();
        let work = async {
            let _room = tokio::select! {
                room = room => room,
                () = stop.cancelled() => return Err(Halt::Stopped),
            };
            self.work_on(claim, stop, reading).await
        };
        let result = tokio::select! {
            result = unless_it_panics(work) => {
                result.unwrap_or_else(|| Err(Halt::Trouble("the worker failed on this file (a bug)".to_owned())))
            }
            () = until_lost(lease, || self.store.renew(claim, lease)) => Err(Halt::Lost),
        };
        let ended = match result {
            Ok(ending) => return ending,
            Err(Halt::Lost) => return self.lost_or_done(claim).await,
            Err(Halt::Unknown(trouble)) => return self.resolve(claim, trouble).await,
            Err(Halt::Stopped) => self.store.give_back(claim).await.map(|()| Ending::GivenBack),
            Err(Halt::Gone(reason)) => {
                let ended = self.store.end(claim, UploadStatus::Gone, None, &reason).await;
                ended.map(|()| Ending::Gone { reason })
            }
            Err(Halt::Trouble(trouble)) => {
                let wait = self.wait_before_next(claim.attempt);
                let noted = self.store.retry(claim, &trouble, wait).await;
                if let Err(error) = &noted
                    && error.kind != ErrorKind::Fenced
                {
                    // Told at least here; the ledger does not say it.
                    tracing::warn!(error = trouble, "not loaded");
                }
                noted.map(|()| Ending::PutOff { trouble })
            }
            // work_on ends faults itself; one that comes this far did so before its campaign was known.
            Err(Halt::Fault(fault)) => {
                let webhooks = self.webhooks_for(Event::UploadRejected, None);
                let ended = self.store.reject(claim, fault.code, &fault.message(), &webhooks).await;
                ended.map(|()| Ending::Rejected { fault })
            }
        };
        match ended {
            Ok(ending) => ending,
            Err(error) if error.kind == ErrorKind::Fenced => self.lost_or_done(claim).await,
            // The store does not take even this. The lease runs out, and then the upload is claimed again.
            Err(error) => Ending::PutOff { trouble: telemetry::chain(&error) },
        }
    }

    async fn work_on(&self, claim: &Claim, stop: &CancellationToken, reading: &mut Reading) -> Result<Ending, Halt> {
        let exhausted = (claim.attempt > self.config.max_attempts)
            .then(|| exhausted(self.config.max_attempts, claim.last_trouble.as_deref()));
        if let Some(list) = self.lists.of(&claim.object.key) {
            return match exhausted {
                Some(fault) => Err(Halt::Fault(fault)),
                None => self.take_list(claim, list, stop).await,
            };
        }
        let campaign = match (self.router.route(claim.object.base_name()), &exhausted) {
            (Ok(route), _) => route.map_err(Halt::Fault)?,
            // A batch needs a campaign; without one, this ends in the ledger alone.
            (Err(_), Some(fault)) => return Err(Halt::Fault(fault.clone())),
            (Err(error), None) => return Err(Halt::Trouble(error.to_string())),
        };
        tracing::Span::current().record("campaign", &campaign.name);
        if let Some(fault) = exhausted {
            return self.fail(claim, campaign, reading, fault).await;
        }
        if let Some(trouble) = self.missing_list(campaign).await? {
            return self.hold_off(claim, campaign, trouble).await;
        }
        reach("claimed", claim)?;
        match self.load(claim, campaign, stop, reading).await {
            Ok(Published::Batch { batch_id }) => Ok(Ending::Loaded { batch_id }),
            Ok(Published::Repeat { of_batch_id }) => {
                let detail = format!("batch {of_batch_id} of campaign {} has exactly this content", campaign.name);
                self.fail(claim, campaign, reading, Fault::new(FileCode::DuplicateFile, detail)).await
            }
            Err(Halt::Fault(fault)) => {
                // A file that was replaced while it was read may look faulty. Its sender is told nothing of a version
                // that is no longer there.
                drop(self.bucket.read(&claim.object).await?);
                self.fail(claim, campaign, reading, fault).await
            }
            Err(halt) => Err(halt),
        }
    }

    /// Reads, judges and publishes. `reading` tells what was learnt of the file, whatever the result.
    async fn load(
        &self,
        claim: &Claim,
        campaign: &Campaign,
        stop: &CancellationToken,
        reading: &mut Reading,
    ) -> Result<Published, Halt> {
        let start = Instant::now();
        let body = tokio::select! {
            body = self.bucket.read(&claim.object).instrument(info_span!("fetch")) => body?,
            () = stop.cancelled() => return Err(Halt::Stopped),
        };
        reach("opened", claim)?;
        let opened = Instant::now();
        metrics().took(Stage::Fetch, opened - start);
        let rules = HeaderRules::of(campaign);
        let under_way = UnderWay::begin(claim.upload_id);
        let mut reader = Reader::start(body, campaign.clone(), rules, self.limits, under_way.progress());
        let lookup = campaign.lookup();
        let mut load: Option<Load> = None;
        let fill = self.fill(&mut load, &mut reader, claim, lookup.as_ref(), stop);
        fill.instrument(info_span!("load")).await?;
        let (read, result) = reader.end().await?;
        *reading = read;
        if let Err(halt) = result {
            if let Some(load) = load {
                load.discard().await?;
            }
            return Err(halt);
        }
        let load = load.ok_or_else(|| Halt::Trouble("a file without rows came through the reader".into()))?;
        let draft = self.draft(claim, campaign, reading, Event::BatchLoaded);
        let loaded = Instant::now();
        metrics().took(Stage::Load, loaded - opened);
        reach("publish", claim)?;
        let published = load.publish(claim, &draft, reading.verdicts).instrument(info_span!("publish")).await?;
        reach("published", claim)?;
        metrics().took(Stage::Publish, loaded.elapsed());
        if let Published::Batch { .. } = published {
            for (status, rows) in reading.verdicts.each() {
                metrics().judged(status, rows);
            }
        }
        Ok(published)
    }

    /// Does what the reader asks for, until it has nothing more to say.
    async fn fill(
        &self,
        load: &mut Option<Load>,
        reader: &mut Reader,
        claim: &Claim,
        lookup: Option<&Lookup>,
        stop: &CancellationToken,
    ) -> Result<(), Halt> {
        loop {
            // A stop is heard between chunks; a publication that has begun is finished, it takes a moment.
            let step = tokio::select! {
                step = reader.said.recv() => step,
                () = stop.cancelled() => return Err(Halt::Stopped),
            };
            let Some(step) = step else { return Ok(()) };
            reach("rows", claim)?;
            self.take(step, load, claim, lookup, stop).await?;
        }
    }

    /// Does one thing that the reader asks for. The transaction is opened by the first that it says: a file with a
    /// fault in its header opens none.
    async fn take(
        &self,
        step: Said,
        load: &mut Option<Load>,
        claim: &Claim,
        lookup: Option<&Lookup>,
        stop: &CancellationToken,
    ) -> Result<(), Halt> {
        let load = match load {
            Some(load) => load,
            None => load.insert(tokio::select! {
                opened = self.open(claim, lookup.and_then(|lookup| lookup.scope.as_ref())) => opened?,
                () = stop.cancelled() => return Err(Halt::Stopped),
            }),
        };
        match (step, lookup) {
            // A database that takes no more, such as by a lock of somebody's, must not hold up a stop.
            (Said::Rows(chunk), _) => tokio::select! {
                taken = load.rows(&chunk) => taken?,
                () = stop.cancelled() => return Err(Halt::Stopped),
            },
            (Said::Question(questions, answer), Some(lookup)) => {
                let known = tokio::select! {
                    known = self.store.known(lookup, &questions) => known?,
                    () = stop.cancelled() => return Err(Halt::Stopped),
                };
                let _ = answer.send(known); // a reader that has ended says why in its result
            }
            (Said::Question(..), None) => {
                return Err(Halt::Trouble("a campaign without other batches or lists asked for them".into()));
            }
        }
        Ok(())
    }

    /// Loads whose keys count for each other take turns. One that waits holds no connection, and its lease is renewed.
    async fn open(&self, claim: &Claim, scope: Option<&KeyScope>) -> Result<Load, store::Error> {
        let Some(scope) = scope else { return self.store.begin_load().await };
        loop {
            if let Some(load) = self.store.begin_load_among(claim, scope).await? {
                return Ok(load);
            }
            tokio::time::sleep(TURN_LOOK).await;
        }
    }

    async fn fail(&self, claim: &Claim, campaign: &Campaign, reading: &Reading, fault: Fault) -> Result<Ending, Halt> {
        let draft = self.draft(claim, campaign, reading, Event::BatchFailed);
        let batch_id = self.store.fail(claim, &draft, fault.code, &fault.message()).await?;
        Ok(Ending::Failed { batch_id, code: fault.code })
    }

    fn draft(&self, claim: &Claim, campaign: &Campaign, reading: &Reading, event: Event) -> BatchDraft {
        let header = reading.header.as_ref();
        BatchDraft {
            campaign_id: campaign.id,
            campaign_name: campaign.name.clone(),
            upload_filename: claim.object.base_name().to_owned(),
            filename_date: filename_date(claim.object.base_name()),
            received_on: claim.seen_at.with_timezone(&self.config.time_zone).date_naive(),
            expires_after: campaign.expires_after,
            hold: campaign.hold,
            allow_repeats: campaign.allow_repeats,
            last_updated_by: self.config.identity.clone(),
            rows_read: reading.rows_read,
            bytes_read: reading.bytes_read,
            sha256: reading.sha256.clone(),
            dialect: reading.dialect.clone(),
            variable_names: header.map(Header::variable_names).unwrap_or_default(),
            column_names: header.map(|header| header.names.clone()).unwrap_or_default(),
            reference_column: header.map(|header| header.reference_id as u32 + 1),
            target_column: header.map(|header| header.target as u32 + 1),
            webhooks: self.webhooks_for(event, Some(&campaign.name)),
        }
    }

    /// A claim that no longer stands was taken over, or has just been settled by this very worker: a renewal, or a
    /// stop, may meet its own publication.
    async fn lost_or_done(&self, claim: &Claim) -> Ending {
        match self.store.outcome(claim).await {
            Ok(Some(outcome)) => outcome.into(),
            _ => Ending::Lost,
        }
    }

    /// The commit may or may not have taken place: the ledger knows.
    async fn resolve(&self, claim: &Claim, trouble: String) -> Ending {
        tracing::warn!(error = trouble, "commit unanswered; asking the ledger");
        for _ in 0..OUTCOME_QUESTIONS {
            match self.store.outcome(claim).await {
                Ok(Some(outcome)) => return outcome.into(),
                Ok(None) => {
                    let wait = self.wait_before_next(claim.attempt);
                    // Fenced here means that the commit came through between the two questions.
                    match self.store.retry(claim, &trouble, wait).await {
                        Ok(()) => return Ending::PutOff { trouble },
                        Err(error) if error.kind == ErrorKind::Fenced => {}
                        Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
        Ending::PutOff { trouble }
    }

    /// How long what was put off rests before it is tried again.
    pub(super) fn wait_before_next(&self, attempt: u32) -> Duration {
        backoff(Duration::from_millis(self.config.retry_ms), attempt, LONGEST_WAIT)
    }
}

fn reach(step: &str, claim: &Claim) -> Result<(), Halt> {
    fail_point::reach(step, &claim.object.key).map_err(Halt::Trouble)
}

fn exhausted(attempts: u32, last_trouble: Option<&str>) -> Fault {
    let trouble = last_trouble.unwrap_or("the worker stopped in the middle of it each time");
    let detail =
        format!("not loaded after {attempts} attempts; this is on our side, and the file may be fine ({trouble})");
    Fault::new(FileCode::InternalError, detail)
}
