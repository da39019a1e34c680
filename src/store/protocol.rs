//! What every store must be able to do. Private: callers use [`super::Store`], where each method's promise is told.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Error;
use crate::model::{
    Batch, BatchDraft, BatchEvent, BatchQuery, Claim, ExpectedFile, ExpectedNow, ExpectedQuery, ExpectedStatus,
    FileCode, KeyScope, Known, ListState, Lookup, Message, MessageState, Object, Occurrence, OpenExpected, OwedAnswer,
    Person, Questions, Reject, Request, RequestQuery, RowChunk, SentColumns, Steered, Steering, Upload, UploadQuery,
    UploadStatus, Verdicts,
};

/// What came of publishing a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// It is a batch now.
    Batch {
        /// Its id.
        batch_id: String,
    },
    /// The same content already stands in another batch of the campaign; nothing was stored.
    Repeat {
        /// The other batch.
        of_batch_id: String,
    },
}

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A batch.
    Batch {
        /// Its id.
        batch_id: String,
        /// Of a FAILED one: why.
        failed: Option<FileCode>,
    },
    /// No batch, since the upload is a suppression list's file.
    List {
        /// What came of it, for a person.
        told: String,
    },
}

/// The open uploads of a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// Waiting for a worker, or for their next attempt.
    pub waiting: u64,
    /// Waiting for a suppression list.
    pub held: u64,
    /// Being worked on, by any worker.
    pub claimed: u64,
    /// When the next of both becomes available; zero or less is now. `None` where there is none.
    pub next_due_seconds: Option<f64>,
    /// How long ago the one that waits longest was first seen; `None` where none waits.
    pub oldest_waiting_seconds: Option<f64>,
    /// Answers that can be claimed now.
    pub answers_due: u64,
    /// Messages that webhooks are still to be told, now or later; of any bucket.
    pub messages_due: u64,
    /// How often the answer was tried, of those owed and in nobody's hands, that was tried least; `None` where there is
    /// none.
    pub fewest_tries: Option<u32>,
}

/// Which uploads are to be worked on again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requeued {
    /// The one with this number in the ledger.
    Upload(i64),
    /// All that came to nothing with this `error_code`.
    WithCode(FileCode),
}

/// A batch that is old and still has its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueForPurge {
    pub(super) batch_key: i32,
    /// Its id.
    pub batch_id: String,
    /// How many requests it was published with.
    pub requests: u64,
    /// How many of them may still be contacted.
    pub unfinished: u64,
    /// Its sender is still owed the answer that is made of them.
    pub unanswered: bool,
}

/// What one step of a purge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgedPiece {
    /// Requests that were deleted.
    pub deleted: u64,
    /// None is left of the batch, and that is noted.
    pub is_done: bool,
}

/// A batch in which a person may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched {
    pub(super) batch_key: i32,
    /// Its id.
    pub batch_id: String,
    /// Its campaign.
    pub campaign_name: String,
    /// The bucket that the object lay in of which it was made.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// A request of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRow {
    /// Which one of the batch.
    pub row_number: u32,
    /// It was not PENDING at intake, and so stands in the rejects file.
    pub was_rejected: bool,
}

/// An open upload that nobody takes care of, though it could be claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct Neglected {
    /// Number in the ledger.
    pub upload_id: i64,
    /// The object's key.
    pub key: String,
    /// WAITING: it is due. CLAIMED: its lease is over.
    pub status: UploadStatus,
    /// Who claimed it last.
    pub claimed_by: Option<String>,
    /// For how long it could have been claimed.
    pub seconds: f64,
}

/// The first row of a batch that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstInvalid {
    /// The batch.
    pub batch_id: String,
    /// The line that the row starts on.
    pub line: u32,
    /// What is wrong with it.
    pub message: String,
}

/// One reason for which rows of a batch were not PENDING.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// A row code.
    pub error_code: String,
    /// How many rows.
    pub requests: u64,
    /// The first of them.
    pub first_row: u64,
    /// The line that it starts on.
    pub first_line: u64,
}

#[async_trait::async_trait]
pub(super) trait Protocol:
    Answers
    + Expecting
    + Listing
    + SteeringProtocol
    + PurgingProtocol
    + ForgettingProtocol
    + Watching
    + Webhooks
    + Send
    + Sync
{
    async fn migrate(&self) -> Result<Vec<String>, Error>;
    async fn risks(&self) -> Result<Vec<String>, Error>;
    async fn record(&self, bucket: &str, objects: &[Object]) -> Result<u64, Error>;
    async fn claim(
        &self,
        bucket: &str,
        worker: &str,
        lease: Duration,
        largest: Option<u64>,
    ) -> Result<Option<Claim>, Error>;
    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<(), Error>;
    async fn give_back(&self, claim: &Claim) -> Result<(), Error>;
    async fn retry(&self, claim: &Claim, trouble: &str, wait: Duration) -> Result<(), Error>;
    async fn end(
        &self,
        claim: &Claim,
        status: UploadStatus,
        code: Option<FileCode>,
        message: &str,
    ) -> Result<(), Error>;
    async fn fail(&self, claim: &Claim, draft: &BatchDraft, code: FileCode, message: &str) -> Result<String, Error>;
    fn max_loads(&self) -> usize;
    async fn begin_load(&self) -> Result<Box<dyn LoadProtocol>, Error>;
    async fn begin_load_among(&self, claim: &Claim, scope: &KeyScope) -> Result<Option<Box<dyn LoadProtocol>>, Error>;
    async fn begin_list(&self, claim: &Claim, list: &str) -> Result<Option<Box<dyn ListProtocol>>, Error>;
    async fn name_lists(&self, bucket: &str, lists: &[(&Object, &str)]) -> Result<(), Error>;
    async fn waiting_list(&self, lists: &[&str]) -> Result<Option<String>, Error>;
    async fn hold_off(&self, claim: &Claim, trouble: &str, wait: Duration) -> Result<(), Error>;
    async fn wake_held(&self, bucket: &str) -> Result<(), Error>;
    async fn suppression_lists(&self) -> Result<Vec<ListState>, Error>;
    async fn known(&self, lookup: &Lookup, questions: &Questions) -> Result<Known, Error>;
    async fn close(&self);
    async fn outcome(&self, claim: &Claim) -> Result<Option<Outcome>, Error>;
    async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, Error>;
    async fn findings(&self, batch_id: &str) -> Result<Vec<Finding>, Error>;
    async fn results(
        &self,
        batch_id: &str,
        asked: &RequestQuery,
        after: u32,
        limit: u32,
    ) -> Result<Vec<Request>, Error>;
    async fn requeue(&self, which: &Requeued) -> Result<Vec<i64>, Error>;
    async fn fold(&self) -> Result<bool, Error>;
    async fn backlog(&self, bucket: &str) -> Result<Backlog, Error>;
}

/// The part that is about lists of batches and uploads.
#[async_trait::async_trait]
pub(super) trait Listing {
    async fn list_batches(&self, asked: &BatchQuery) -> Result<Vec<Batch>, Error>;
    async fn count_batches(&self, asked: &BatchQuery) -> Result<u64, Error>;
    async fn list_uploads(&self, asked: &UploadQuery) -> Result<Vec<Upload>, Error>;
    async fn count_uploads(&self, asked: &UploadQuery) -> Result<u64, Error>;
    async fn refused_uploads(&self, limit: u32) -> Result<Vec<Upload>, Error>;
    async fn upload(&self, upload_id: i64) -> Result<Option<Upload>, Error>;
}

/// The part that is about expected files.
#[async_trait::async_trait]
pub(super) trait Expecting {
    async fn clock(&self) -> Result<DateTime<Utc>, Error>;
    async fn note_listing(&self, bucket: &str, began_at: DateTime<Utc>) -> Result<(), Error>;
    async fn expect(
        &self,
        bucket: &str,
        campaign_id: i32,
        campaign_name: &str,
        occurrence: &Occurrence,
    ) -> Result<(), Error>;
    async fn no_longer_expect(&self, bucket: &str, campaign_id: i32, due_at: DateTime<Utc>) -> Result<(), Error>;
    async fn open_expected(&self, bucket: &str) -> Result<Vec<OpenExpected>, Error>;
    async fn open_arrivals(&self, bucket: &str) -> Result<Vec<(String, DateTime<Utc>)>, Error>;
    async fn decide_expected(
        &self,
        bucket: &str,
        expected: &OpenExpected,
        status: ExpectedStatus,
        campaign_name: &str,
        webhooks: &[String],
    ) -> Result<bool, Error>;
    async fn list_expected(&self, asked: &ExpectedQuery) -> Result<Vec<ExpectedFile>, Error>;
    async fn count_expected(&self, asked: &ExpectedQuery) -> Result<u64, Error>;
    async fn expected_now(&self, bucket: &str) -> Result<Vec<ExpectedNow>, Error>;
}

/// See [`super::ListLoad`].
#[async_trait::async_trait]
pub(super) trait ListProtocol: Send {
    async fn targets(&mut self, targets: Vec<String>) -> Result<(), Error>;
    async fn publish(self: Box<Self>, claim: &Claim, verdicts: Verdicts) -> Result<String, Error>;
    async fn discard(self: Box<Self>) -> Result<(), Error>;
}

/// The part that is about webhooks.
#[async_trait::async_trait]
pub(super) trait Webhooks {
    async fn reject(&self, claim: &Claim, code: FileCode, message: &str, webhooks: &[String]) -> Result<(), Error>;
    async fn claim_message(&self, webhook: &str, lease: Duration) -> Result<Option<Message>, Error>;
    async fn give_back_message(&self, message: &Message) -> Result<(), Error>;
    async fn put_off_message(
        &self,
        message: &Message,
        trouble: &str,
        wait: Duration,
        patience: Duration,
    ) -> Result<bool, Error>;
    async fn end_message(&self, message: &Message, given_up: Option<&str>) -> Result<(), Error>;
    async fn messages(
        &self,
        status: Option<&str>,
        webhook: Option<&str>,
        limit: u32,
    ) -> Result<Vec<MessageState>, Error>;
}

/// The part that is about answers.
#[async_trait::async_trait]
pub(super) trait Answers {
    async fn claim_answer(&self, bucket: &str, lease: Duration) -> Result<Option<OwedAnswer>, Error>;
    async fn renew_answer(&self, owed: &OwedAnswer, lease: Duration) -> Result<(), Error>;
    async fn give_back_answer(&self, owed: &OwedAnswer) -> Result<(), Error>;
    async fn put_off_answer(&self, owed: &OwedAnswer, trouble: &str, wait: Duration) -> Result<(), Error>;
    async fn answered(&self, owed: &OwedAnswer) -> Result<(), Error>;
    async fn sent_columns(&self, batch_id: &str) -> Result<Option<SentColumns>, Error>;
    async fn rejects(&self, batch_id: &str, after: u32, limit: u32) -> Result<Vec<Reject>, Error>;
}

/// The part that operators use.
#[async_trait::async_trait]
pub(super) trait SteeringProtocol {
    async fn steer(&self, batch_id: &str, steering: &Steering) -> Result<Steered, Error>;
    async fn events(&self, batch_id: &str) -> Result<Vec<BatchEvent>, Error>;
}

/// The part that ends what is kept of people.
#[async_trait::async_trait]
pub(super) trait PurgingProtocol {
    async fn due_for_purge(&self, age: Duration) -> Result<Vec<DueForPurge>, Error>;
    async fn purge_piece(&self, due: &DueForPurge) -> Result<PurgedPiece, Error>;
    async fn campaigns_with_keys(&self) -> Result<Vec<i32>, Error>;
    async fn forget_keys(&self, campaign_id: i32, age: Duration) -> Result<(), Error>;
    async fn take_chore(&self, chore: &str, turn: Duration) -> Result<bool, Error>;
    async fn keep_chore(&self, chore: &str, turn: Duration) -> Result<(), Error>;
}

/// The part that forgets one person.
#[async_trait::async_trait]
pub(super) trait ForgettingProtocol {
    async fn searched(&self, campaign: Option<&str>) -> Result<Vec<Searched>, Error>;
    async fn find_person(&self, batch: &Searched, person: &Person) -> Result<Vec<FoundRow>, Error>;
    async fn forget_rows(&self, batch: &Searched, rows: &[FoundRow], by: &str, reason: &str) -> Result<(), Error>;
    async fn forget_keys_of(&self, person: &Person, campaign: Option<&str>) -> Result<u64, Error>;
}

/// The part that people who watch ask.
#[async_trait::async_trait]
pub(super) trait Watching {
    async fn neglected(&self, bucket: &str, grace: Duration, limit: u32) -> Result<Vec<Neglected>, Error>;
    async fn first_invalid(&self, batch_ids: &[&str]) -> Result<Vec<FirstInvalid>, Error>;
    async fn same_content(&self, batch_id: &str, limit: u32) -> Result<Vec<Batch>, Error>;
}

/// See [`super::Load`].
#[async_trait::async_trait]
pub(super) trait LoadProtocol: Send {
    async fn rows(&mut self, chunk: &RowChunk) -> Result<(), Error>;
    async fn publish(
        self: Box<Self>,
        claim: &Claim,
        draft: &BatchDraft,
        verdicts: Verdicts,
    ) -> Result<Published, Error>;
    async fn discard(self: Box<Self>) -> Result<(), Error>;
}
