//! Every metric of the worker: its name, unit, labels and help, in this one place.
//!
//! Names are Prometheus's: base units, `_total` on what only grows. A label holds a word of a closed list, or the name
//! of a campaign whose files are expected; never a file, a batch or anything of a person's; each of its words is
//! exported from the start, as zero, so that an alert on a rate sees the first event. What is counted is what this
//! process did since it started. The gauges of the ledger are the same from every worker on the same store and bucket:
//! take one of them, not their sum.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

/// A gauge of seconds, or of a time in seconds since 1970.
type Seconds = Gauge<f64, AtomicU64>;

/// Words of `outcome` in [`Metrics::files_processed`]; see [`Outcome`].
const OUTCOMES: [Outcome; 8] = [
    Outcome::Loaded,
    Outcome::Failed,
    Outcome::Rejected,
    Outcome::ListLoaded,
    Outcome::Gone,
    Outcome::PutOff,
    Outcome::GivenBack,
    Outcome::Lost,
];

/// In what an upload left a worker's hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its requests are published.
    Loaded,
    /// It is a FAILED batch.
    Failed,
    /// No campaign takes it.
    Rejected,
    /// It is what a suppression list holds now.
    ListLoaded,
    /// It was deleted or replaced before it was read whole.
    Gone,
    /// Trouble of ours; it is tried again.
    PutOff,
    /// Given back on a stop.
    GivenBack,
    /// Taken over by another worker.
    Lost,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Loaded => "loaded",
            Outcome::Failed => "failed",
            Outcome::Rejected => "rejected",
            Outcome::ListLoaded => "list_loaded",
            Outcome::Gone => "gone",
            Outcome::PutOff => "put_off",
            Outcome::GivenBack => "given_back",
            Outcome::Lost => "lost",
        }
    }
}

const STAGES: [Stage; 4] = [Stage::Queue, Stage::Fetch, Stage::Load, Stage::Publish];

/// A stage of an upload's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the ledger's first sight of it to the claim.
    Queue,
    /// From the request to the bucket to its answer: the object is open.
    Fetch,
    /// From there to the last row: fetched, read, judged and sent to the store, all at once.
    Load,
    /// The commit, with the fence and the counters.
    Publish,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Stage::Queue => "queue",
            Stage::Fetch => "fetch",
            Stage::Load => "load",
            Stage::Publish => "publish",
        }
    }
}

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CampaignLabel {
    campaign: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExpectedLabel {
    campaign: String,
    status: &'static str,
}

/// Words of `status` in [`Metrics::expected_files`].
const EXPECTED: [&str; 5] = ["expected", "late", "arrived", "failed", "missing"];

/// Ten milliseconds to some three hours: a small file's commit and a huge file's load.
#[derive(Clone)]
struct StageBuckets;

impl MetricConstructor<Histogram> for StageBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.01, 4.0, 11))
    }
}

/// The process's metrics. All of it may be used from any thread.
pub struct Metrics {
    registry: Registry,
    files_received: Counter,
    files_processed: Family<OutcomeLabel, Counter>,
    files_failed: Family<CodeLabel, Counter>,
    rows: Family<StatusLabel, Counter>,
    stage_duration: Family<StageLabel, Histogram, StageBuckets>,
    file_size: Histogram,
    in_progress: Gauge,
    list_calls: Family<ResultLabel, Counter>,
    lease_losses: Counter,
    answers: Family<OutcomeLabel, Counter>,
    webhook_deliveries: Family<OutcomeLabel, Counter>,
    notices: Family<ResultLabel, Counter>,
    dead_letters: Gauge,
    requests_purged: Counter,
    last_success: Seconds,
    heartbeat: Seconds,
    bucket_reachable: Gauge,
    store_reachable: Gauge,
    waiting: Gauge,
    held: Gauge,
    claimed: Gauge,
    oldest_waiting: Seconds,
    answers_due: Gauge,
    messages_due: Gauge,
    expected_files: Family<ExpectedLabel, Gauge>,
    expected_next_due: Family<CampaignLabel, Seconds>,
    expected_missing: Family<CampaignLabel, Counter>,
    /// The campaigns that the two gauges tell of.
    expecting: Mutex<BTreeSet<String>>,
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

/// Registers metrics as they are made, so that each stands with its name and help.
struct Builder(Registry);

impl Builder {
    fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    fn add_with_unit<M: Metric + Clone>(&mut self, name: &str, unit: Unit, help: &str, metric: M) -> M {
        self.0.register_with_unit(name, help, unit, metric.clone());
        metric
    }
}

impl Metrics {
    fn new() -> Metrics {
        let mut all = Builder(Registry::with_prefix("batchdrop"));
        all.0.register("build", "The program that runs", Info::new([("version", env!("PROGRAM_VERSION"))]));
        let metrics = Metrics {
            files_received: all.add("files_received", "Uploads that were entered in the ledger", Counter::default()),
            files_processed: all.add(
                "files_processed",
                "Uploads that left this worker's hands, by what became of them",
                Family::default(),
            ),
            files_failed: all.add("files_failed", "Uploads that failed or were rejected, by error_code", Family::default()),
            rows: all.add("rows", "Data rows of loaded files, by the verdict at intake", Family::default()),
            stage_duration: all.add_with_unit(
                "stage_duration",
                Unit::Seconds,
                "How long the stages of an upload took: queue (seen to claimed), fetch (opened), load (read, judged, sent), \
                 publish (committed)",
                Family::new_with_constructor(StageBuckets),
            ),
            file_size: all.add_with_unit(
                "file_size",
                Unit::Bytes,
                "Sizes of the files that were taken into work, as they lie in the bucket",
                Histogram::new(exponential_buckets(1024.0, 8.0, 8)),
            ),
            in_progress: all.add("uploads_in_progress", "Uploads that this worker works on now", Gauge::default()),
            list_calls: all.add(
                "bucket_list_calls",
                "Requests to the bucket for one page of its listing; S3 charges for each",
                Family::default(),
            ),
            lease_losses: all.add(
                "lease_losses",
                "Uploads that another worker took over from this one: it was too slow, or frozen",
                Counter::default(),
            ),
            answers: all.add("answers", "Tries to answer an upload (receipt, rejects), by outcome", Family::default()),
            webhook_deliveries: all.add(
                "webhook_deliveries",
                "Tries to deliver a message to a webhook, by outcome",
                Family::default(),
            ),
            notices: all.add(
                "notices",
                "Notices of what was dropped (messages of a queue, closed files of a folder), by what came of them",
                Family::default(),
            ),
            dead_letters: all.add(
                "queue_dead_letters",
                "Messages in the dead-letter queue of the bucket's queue, by SQS's own estimate, looked at every minute; 0 also \
                 where there is none or it may not be asked, which the log tells",
                Gauge::default(),
            ),
            requests_purged: all.add(
                "requests_purged",
                "Requests that this worker deleted since they had been kept for as long as they may be",
                Counter::default(),
            ),
            last_success: all.add_with_unit(
                "last_success_timestamp",
                Unit::Seconds,
                "When this worker last published a batch, in seconds since 1970; 0 for not yet",
                Seconds::default(),
            ),
            heartbeat: all.add_with_unit(
                "heartbeat_timestamp",
                Unit::Seconds,
                "When this worker last gave a sign of life, in seconds since 1970",
                Seconds::default(),
            ),
            bucket_reachable: all.add(
                "bucket_reachable",
                "1 when the last listing of the bucket succeeded, 0 when it failed or there was none yet",
                Gauge::default(),
            ),
            store_reachable: all.add(
                "store_reachable",
                "1 when the store answered when these metrics were asked for, else 0",
                Gauge::default(),
            ),
            waiting: all.add(
                "uploads_waiting",
                "Of the ledger: uploads that wait for a worker or for their next attempt",
                Gauge::default(),
            ),
            held: all.add("uploads_held", "Of the ledger: uploads that wait for a suppression list", Gauge::default()),
            claimed: all.add("uploads_claimed", "Of the ledger: uploads that any worker works on", Gauge::default()),
            oldest_waiting: all.add_with_unit(
                "oldest_waiting",
                Unit::Seconds,
                "Of the ledger: how long ago the upload that waits longest was first seen; 0 where none waits",
                Seconds::default(),
            ),
            answers_due: all.add("answers_due", "Of the ledger: answers that can be given now", Gauge::default()),
            messages_due: all.add(
                "webhook_messages_due",
                "Of the store: messages that webhooks are still to be told, now or later",
                Gauge::default(),
            ),
            expected_files: all.add(
                "expected_files",
                "Of the store: 1 where the file stands that is expected of a campaign now: expected, late, arrived, failed or \
                 missing; else 0",
                Family::default(),
            ),
            expected_next_due: all.add_with_unit(
                "expected_next_due_timestamp",
                Unit::Seconds,
                "Of the store: when the next file of a campaign is due, in seconds since 1970",
                Family::default(),
            ),
            expected_missing: all.add(
                "expected_files_missing",
                "Expected files that this worker found missing, by campaign",
                Family::default(),
            ),
            expecting: Mutex::default(),
            registry: all.0,
        };
        metrics.export_zeros();
        metrics
    }

    fn export_zeros(&self) {
        for outcome in OUTCOMES.map(Outcome::word) {
            drop(self.files_processed.get_or_create(&OutcomeLabel { outcome }));
        }
        for status in ["PENDING", "DUPLICATE", "SKIPPED", "INVALID"] {
            drop(self.rows.get_or_create(&StatusLabel { status }));
        }
        for stage in STAGES.map(Stage::word) {
            drop(self.stage_duration.get_or_create(&StageLabel { stage }));
        }
        for result in ["ok", "error"] {
            drop(self.list_calls.get_or_create(&ResultLabel { result }));
        }
        for outcome in ["given", "put_off", "given_back", "lost"] {
            drop(self.answers.get_or_create(&OutcomeLabel { outcome }));
        }
        for outcome in ["delivered", "put_off", "given_up", "given_back", "lost"] {
            drop(self.webhook_deliveries.get_or_create(&OutcomeLabel { outcome }));
        }
        for result in ["heeded", "not_understood", "error"] {
            drop(self.notices.get_or_create(&ResultLabel { result }));
        }
    }

    /// Exports a zero for each code that a file can fail with.
    pub fn expect_codes(&self, codes: impl IntoIterator<Item = &'static str>) {
        for code in codes {
            drop(self.files_failed.get_or_create(&CodeLabel { code }));
        }
    }

    /// Exports a zero for each campaign whose files are expected.
    pub fn expect_files_of<'a>(&self, campaigns: impl IntoIterator<Item = &'a str>) {
        for campaign in campaigns {
            drop(self.expected_missing.get_or_create(&CampaignLabel { campaign: campaign.to_owned() }));
        }
    }

    /// An expected file was found missing.
    pub fn missed(&self, campaign: &str) {
        self.expected_missing.get_or_create(&CampaignLabel { campaign: campaign.to_owned() }).inc();
    }

    /// Takes over what the store says of expected files now.
    pub fn expected(&self, all: &[ExpectedNow<'_>]) {
        let mut told = self.expecting.lock().unwrap_or_else(PoisonError::into_inner);
        let now: BTreeSet<String> = all.iter().map(|one| one.campaign.to_owned()).collect();
        for campaign in told.difference(&now) {
            for status in EXPECTED {
                self.expected_files.remove(&ExpectedLabel { campaign: campaign.clone(), status });
            }
            self.expected_next_due.remove(&CampaignLabel { campaign: campaign.clone() });
        }
        for one in all {
            for status in EXPECTED {
                let label = ExpectedLabel { campaign: one.campaign.to_owned(), status };
                let is_it = one.status.is_some_and(|word| word.eq_ignore_ascii_case(status));
                self.expected_files.get_or_create(&label).set(is_it.into());
            }
            if let Some(seconds) = one.next_due {
                let label = CampaignLabel { campaign: one.campaign.to_owned() };
                self.expected_next_due.get_or_create(&label).set(seconds);
            }
        }
        *told = now;
    }

    /// Uploads were entered in the ledger.
    pub fn received(&self, uploads: u64) {
        self.files_received.inc_by(uploads);
    }

    /// An upload of `bytes` is taken into work, after `queued` in the ledger. The work lasts as long as what this
    /// returns.
    #[must_use]
    pub fn begin(&self, bytes: u64, queued: Duration) -> InProgress {
        self.file_size.observe(bytes as f64);
        self.took(Stage::Queue, queued);
        self.in_progress.inc();
        InProgress(())
    }

    /// An upload left this worker's hands; `code` where a fault ended it.
    pub fn processed(&self, outcome: Outcome, code: Option<&'static str>) {
        self.files_processed.get_or_create(&OutcomeLabel { outcome: outcome.word() }).inc();
        if let Some(code) = code {
            self.files_failed.get_or_create(&CodeLabel { code }).inc();
        }
        match outcome {
            Outcome::Loaded => _ = self.last_success.set(now()),
            Outcome::Lost => _ = self.lease_losses.inc(),
            _ => {}
        }
    }

    /// Rows of a file that was loaded came to this verdict, a word of `request_status`.
    pub fn judged(&self, status: &'static str, rows: u64) {
        self.rows.get_or_create(&StatusLabel { status }).inc_by(rows);
    }

    /// A stage was passed.
    pub fn took(&self, stage: Stage, time: Duration) {
        self.stage_duration.get_or_create(&StageLabel { stage: stage.word() }).observe(time.as_secs_f64());
    }

    /// One page of the bucket's listing was asked for.
    pub fn listed(&self, is_ok: bool) {
        self.list_calls.get_or_create(&ResultLabel { result: if is_ok { "ok" } else { "error" } }).inc();
        self.bucket_reachable.set(is_ok.into());
    }

    /// An answer was tried: `given`, `put_off`, `given_back` or `lost`.
    pub fn answered(&self, outcome: &'static str) {
        self.answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// A webhook's message was tried: `delivered`, `put_off`, `given_up`, `given_back` or `lost`.
    pub fn told(&self, outcome: &'static str) {
        self.webhook_deliveries.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// A notice was dealt with: `heeded`, `not_understood`, or `error` where a message of the queue comes again.
    pub fn noticed(&self, result: &'static str) {
        self.notices.get_or_create(&ResultLabel { result }).inc();
    }

    /// So many messages lie in the queue of dead letters.
    pub fn dead_letters(&self, count: u64) {
        self.dead_letters.set(signed(count));
    }

    /// How many messages lay in the queue of dead letters when it was last looked at.
    pub fn dead_letters_known(&self) -> u64 {
        self.dead_letters.get().unsigned_abs()
    }

    /// Old requests were deleted.
    pub fn purged(&self, requests: u64) {
        self.requests_purged.inc_by(requests);
    }

    /// The worker lives.
    pub fn beat(&self) {
        self.heartbeat.set(now());
    }

    /// How long ago the worker last gave a sign of life; `None` before its first.
    pub fn since_heartbeat(&self) -> Option<Duration> {
        let last = self.heartbeat.get();
        (last > 0.0).then(|| Duration::try_from_secs_f64(now() - last).unwrap_or_default())
    }

    /// Whether the last listing of the bucket succeeded.
    pub fn bucket_is_reachable(&self) -> bool {
        self.bucket_reachable.get() == 1
    }

    /// Takes over what the ledger says now; `None` where the store did not answer.
    pub fn ledger(&self, ledger: Option<Ledger>) {
        self.store_reachable.set(ledger.is_some().into());
        // What was last known stays: a store that is away is no empty queue.
        if let Some(ledger) = ledger {
            self.waiting.set(signed(ledger.waiting));
            self.held.set(signed(ledger.held));
            self.claimed.set(signed(ledger.claimed));
            self.answers_due.set(signed(ledger.answers_due));
            self.messages_due.set(signed(ledger.messages_due));
            self.oldest_waiting.set(ledger.oldest_waiting_seconds.unwrap_or(0.0).max(0.0));
        }
    }

    /// All metrics in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A String takes every write.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Where the file stands that is expected of a campaign now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedNow<'a> {
    /// The campaign's name.
    pub campaign: &'a str,
    /// A word of its status; `None` before the first can come.
    pub status: Option<&'static str>,
    /// When the next is due, in seconds since 1970.
    pub next_due: Option<f64>,
}

/// The open uploads, as the ledger counts them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ledger {
    /// Waiting for a worker, or for their next attempt.
    pub waiting: u64,
    /// Waiting for a suppression list.
    pub held: u64,
    /// Being worked on, by any worker.
    pub claimed: u64,
    /// Answers that can be given now.
    pub answers_due: u64,
    /// Messages that webhooks are still to be told.
    pub messages_due: u64,
    /// Age of the one that waits longest.
    pub oldest_waiting_seconds: Option<f64>,
}

/// An upload is being worked on, however that ends.
pub struct InProgress(());

impl Drop for InProgress {
    fn drop(&mut self) {
        metrics().in_progress.dec();
    }
}

/// For a person's eye and a difference of minutes; nothing is decided by this clock.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
