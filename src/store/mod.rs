//! The ledger, batches and requests, behind one facade: PostgreSQL for production, SQLite embedded. Edge.
//!
//! The methods are shaped by what a worker does with an upload (record, claim, load, fail, settle), and each change
//! of the ledger is fenced by the claim's token: a worker that lost its claim gets [`ErrorKind::Fenced`] and has
//! changed nothing. All times are the database's, so that workers' clocks do not matter.
//!
//! The statements lie in `*/queries/*.sql`, one file each, under the same names and with the same parameters for both
//! databases; `sql.rs` binds them once for both. Only loading rows is written twice, since that is where they differ.

// First, since their macros are used by the modules below them.
#[macro_use]
mod sql;
#[macro_use]
mod answers;
#[macro_use]
mod expecting;
#[macro_use]
mod forgetting;
#[macro_use]
mod keys;
#[macro_use]
mod listing;
#[macro_use]
mod lists;
#[macro_use]
mod purging;
#[macro_use]
mod steering;
#[macro_use]
mod watching;
#[macro_use]
mod webhooks;
mod error;
mod postgres;
mod protocol;
mod sqlite;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{
    Batch, BatchDraft, BatchEvent, BatchQuery, Claim, ExpectedFile, ExpectedNow, ExpectedQuery, ExpectedStatus,
    FileCode, KeyScope, Known, ListState, Lookup, Message, MessageState, Object, Occurrence, OpenExpected, OwedAnswer,
    Person, Questions, Reject, Request, RequestQuery, RowChunk, SentColumns, Steered, Steering, Upload, UploadQuery,
    UploadStatus, Verdicts,
};
pub use error::{Error, ErrorKind};
pub use protocol::{
    Backlog, DueForPurge, Finding, FirstInvalid, FoundRow, Neglected, Outcome, Published, PurgedPiece, Requeued,
    Searched,
};

/// Which database, and how it is used.
#[derive(Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `postgres://user:password@host/database` or `sqlite://path/to/file.db`. May hold a password: never printed.
    pub url: String,
    /// PostgreSQL: connections that one worker may hold.
    pub max_connections: u32,
    /// PostgreSQL: how long to wait for a connection, in seconds.
    pub connect_seconds: u64,
    /// PostgreSQL: how long a connection may go without a sign of life from the server's machine, in seconds.
    pub silent_seconds: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: "sqlite://batchdrop.db".to_owned(),
            max_connections: 8,
            connect_seconds: 15,
            silent_seconds: 120,
        }
    }
}

impl StoreConfig {
    /// The address for people: a password replaced by `***`.
    pub fn shown_url(&self) -> String {
        // What is no address may be a password typed in the wrong place.
        let Some((scheme, rest)) = self.url.split_once("://") else { return "***".to_owned() };
        let without_query = |place: &str| place.split('?').next().unwrap_or_default().to_owned();
        match rest.rsplit_once('@') {
            // All before the last @ may be secret but the name: a password may hold any character.
            Some((user, place)) => {
                let name = user.split([':', '/', '?']).next().unwrap_or_default();
                format!("{scheme}://{name}:***@{}", without_query(place))
            }
            // A password may stand in the query part too.
            None => format!("{scheme}://{}", without_query(rest)),
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreConfig({})", self.shown_url())
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn protocol::Protocol>,
}

impl Store {
    /// Connects; SQLite's file is created where there is none. The schema is not touched: see [`Store::migrate`].
    ///
    /// # Errors
    /// [`ErrorKind::Permanent`] for an address that is none, [`ErrorKind::Transient`] for a server that does not
    /// answer.
    pub async fn connect(config: &StoreConfig) -> Result<Store, Error> {
        let inner: Arc<dyn protocol::Protocol> = match config.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Arc::new(postgres::Postgres::connect(config).await?),
            Some("sqlite") => Arc::new(sqlite::Sqlite::connect(config).await?),
            _ => {
                return Err(Error::permanent(
                    "the store's address must begin with postgres:// or sqlite://; set store.url or BATCHDROP_STORE_URL",
                ));
            }
        };
        Ok(Store { inner })
    }

    /// Brings the schema up to this program's, under a lock so that several may call it at once; returns the names of
    /// the migrations that were applied.
    ///
    /// # Errors
    /// [`ErrorKind::Permanent`] where the schema is newer than this program.
    pub async fn migrate(&self) -> Result<Vec<String>, Error> {
        self.inner.migrate().await
    }

    /// Settings of the server by which it may lose what it has reported as stored, when its power fails; in words for
    /// its operator. SQLite is opened without any.
    pub async fn risks(&self) -> Result<Vec<String>, Error> {
        self.inner.risks().await
    }

    /// Enters what a listing showed; returns how many were new. Known versions are left as they are.
    pub async fn record(&self, bucket: &str, objects: &[Object]) -> Result<u64, Error> {
        if objects.is_empty() { Ok(0) } else { self.inner.record(bucket, objects).await }
    }

    /// Claims the upload of the bucket that has been available longest; `None` where there is none.
    /// Where `largest` is given, only uploads of at most so many bytes count. No two callers are given the same upload
    /// while its lease lasts.
    pub async fn claim(
        &self,
        bucket: &str,
        worker: &str,
        lease: Duration,
        largest: Option<u64>,
    ) -> Result<Option<Claim>, Error> {
        self.inner.claim(bucket, worker, lease, largest).await
    }

    /// Extends the lease, counted from now.
    pub async fn renew(&self, claim: &Claim, lease: Duration) -> Result<(), Error> {
        self.inner.renew(claim, lease).await
    }

    /// Gives the upload back unworked; another worker may claim it at once, and the attempt does not count.
    pub async fn give_back(&self, claim: &Claim) -> Result<(), Error> {
        self.inner.give_back(claim).await
    }

    /// Gives the upload back after trouble of ours, to be claimed again not before `wait` is over.
    pub async fn retry(&self, claim: &Claim, trouble: &str, wait: Duration) -> Result<(), Error> {
        self.inner.retry(claim, trouble, wait).await
    }

    /// Ends the upload without a batch, and tells no webhook: GONE, or LOADED for a suppression list; REJECTED, see
    /// [`Store::reject`].
    pub async fn end(
        &self,
        claim: &Claim,
        status: UploadStatus,
        code: Option<FileCode>,
        message: &str,
    ) -> Result<(), Error> {
        self.inner.end(claim, status, code, message).await
    }

    /// Ends the upload as REJECTED (no campaign takes it, or it cannot be used as a suppression list), and has these
    /// webhooks told.
    pub async fn reject(&self, claim: &Claim, code: FileCode, message: &str, webhooks: &[String]) -> Result<(), Error> {
        self.inner.reject(claim, code, message, webhooks).await
    }

    /// Ends the upload in a FAILED batch without requests; returns its `batch_id`.
    pub async fn fail(
        &self,
        claim: &Claim,
        draft: &BatchDraft,
        code: FileCode,
        message: &str,
    ) -> Result<String, Error> {
        self.inner.fail(claim, draft, code, message).await
    }

    /// How many uploads can be loaded at once: SQLite has one writer, and more would only let leases run out in its
    /// queue.
    pub fn max_loads(&self) -> usize {
        self.inner.max_loads()
    }

    /// Opens the transaction that an upload's requests are written in. Dropping the [`Load`] rolls it back.
    pub async fn begin_load(&self) -> Result<Load, Error> {
        Ok(Load { inner: self.inner.begin_load().await? })
    }

    /// The same for a campaign whose other batches' keys count: such loads take turns, and [`Load::publish`] then also
    /// keeps the keys of the rows that are PENDING. `None` while another load has the turn: ask again. The keys of
    /// batches that were loaded before the campaign had such a scope are brought in first.
    pub async fn begin_load_among(&self, claim: &Claim, scope: &KeyScope) -> Result<Option<Load>, Error> {
        Ok(self.inner.begin_load_among(claim, scope).await?.map(|inner| Load { inner }))
    }

    /// What other batches and suppression lists know of keys and targets, by what is committed. Whoever decides by it
    /// on keys has the turn of [`Store::begin_load_among`], or else others may claim the same keys meanwhile.
    pub async fn known(&self, lookup: &Lookup, questions: &Questions) -> Result<Known, Error> {
        self.inner.known(lookup, questions).await
    }

    /// Opens the transaction that a suppression list is replaced in: its targets of before are gone when it is
    /// published. `None`: the list is loaded from a file that was written later than the claim's. Loads of one list
    /// take turns here.
    pub async fn begin_list(&self, claim: &Claim, list: &str) -> Result<Option<ListLoad>, Error> {
        Ok(self.inner.begin_list(claim, list).await?.map(|inner| ListLoad { inner }))
    }

    /// Notes in the ledger which open uploads are files of which list.
    pub async fn name_lists(&self, bucket: &str, lists: &[(&Object, &str)]) -> Result<(), Error> {
        self.inner.name_lists(bucket, lists).await
    }

    /// One of these lists of which a file is still to be loaded.
    pub async fn waiting_list(&self, lists: &[&str]) -> Result<Option<String>, Error> {
        self.inner.waiting_list(lists).await
    }

    /// Gives the upload back since a suppression list is not there; the attempt does not count. See
    /// [`Store::wake_held`].
    pub async fn hold_off(&self, claim: &Claim, trouble: &str, wait: Duration) -> Result<(), Error> {
        self.inner.hold_off(claim, trouble, wait).await
    }

    /// Lets the uploads that wait for a list be claimed at once.
    pub async fn wake_held(&self, bucket: &str) -> Result<(), Error> {
        self.inner.wake_held(bucket).await
    }

    /// The suppression lists that were loaded from files, by name.
    pub async fn suppression_lists(&self) -> Result<Vec<ListState>, Error> {
        self.inner.suppression_lists().await
    }

    /// What this very claim came to, for a worker that lost the answer to its commit.
    pub async fn outcome(&self, claim: &Claim) -> Result<Option<Outcome>, Error> {
        self.inner.outcome(claim).await
    }

    /// Waits for statements under way and closes all connections; SQLite then folds its log into its file.
    pub async fn close(&self) {
        self.inner.close().await;
    }

    /// One batch.
    pub async fn batch(&self, batch_id: &str) -> Result<Option<Batch>, Error> {
        self.inner.batch(batch_id).await
    }

    /// One page of the batches that were asked for.
    pub async fn list_batches(&self, asked: &BatchQuery) -> Result<Vec<Batch>, Error> {
        self.inner.list_batches(asked).await
    }

    /// How many there are on all pages. It looks at every batch that the filters leave.
    pub async fn count_batches(&self, asked: &BatchQuery) -> Result<u64, Error> {
        self.inner.count_batches(asked).await
    }

    /// One page of the ledger's uploads that were asked for, the newest first.
    pub async fn list_uploads(&self, asked: &UploadQuery) -> Result<Vec<Upload>, Error> {
        self.inner.list_uploads(asked).await
    }

    /// How many there are on all pages. It looks at every upload that the filters leave.
    pub async fn count_uploads(&self, asked: &UploadQuery) -> Result<u64, Error> {
        self.inner.count_uploads(asked).await
    }

    /// The uploads that came to nothing (FAILED, REJECTED, GONE), those that were settled last first.
    pub async fn refused_uploads(&self, limit: u32) -> Result<Vec<Upload>, Error> {
        self.inner.refused_uploads(limit).await
    }

    /// One upload of the ledger.
    pub async fn upload(&self, upload_id: i64) -> Result<Option<Upload>, Error> {
        self.inner.upload(upload_id).await
    }

    /// Does to a batch what an operator wants, where that is allowed, and keeps it as an event, in one transaction.
    /// From then on no PENDING request of a batch that is not ACTIVE can be taken; takings under way are waited for.
    pub async fn steer(&self, batch_id: &str, steering: &Steering) -> Result<Steered, Error> {
        self.inner.steer(batch_id, steering).await
    }

    /// What happened to a batch, the oldest first; empty where there is no such batch.
    pub async fn events(&self, batch_id: &str) -> Result<Vec<BatchEvent>, Error> {
        self.inner.events(batch_id).await
    }

    /// Batches that were published longer ago than `age` and still have their requests, the oldest first.
    pub async fn due_for_purge(&self, age: Duration) -> Result<Vec<DueForPurge>, Error> {
        self.inner.due_for_purge(age).await
    }

    /// Deletes a piece of a batch's requests. To be called until it is done, by one or by several at once; whoever
    /// stops in between leaves the batch due.
    pub async fn purge_piece(&self, due: &DueForPurge) -> Result<PurgedPiece, Error> {
        self.inner.purge_piece(due).await
    }

    /// Campaigns of which keys are kept, as campaigns with `unique_within` have it.
    pub async fn campaigns_with_keys(&self) -> Result<Vec<i32>, Error> {
        self.inner.campaigns_with_keys().await
    }

    /// Forgets the keys of a campaign's batches that were published longer ago than `age`.
    pub async fn forget_keys(&self, campaign_id: i32, age: Duration) -> Result<(), Error> {
        self.inner.forget_keys(campaign_id, age).await
    }

    /// Takes the turn of a chore for so long; false where it is another worker's, or not due yet.
    pub async fn take_chore(&self, chore: &str, turn: Duration) -> Result<bool, Error> {
        self.inner.take_chore(chore, turn).await
    }

    /// Keeps the turn of a chore for so long from now; of no length, it is given back. To be called only by who has the
    /// turn.
    pub async fn keep_chore(&self, chore: &str, turn: Duration) -> Result<(), Error> {
        self.inner.keep_chore(chore, turn).await
    }

    /// The batches in which a person may be, the oldest first; of one campaign, where its name is given.
    pub async fn searched(&self, campaign: Option<&str>) -> Result<Vec<Searched>, Error> {
        self.inner.searched(campaign).await
    }

    /// A person's requests in a batch, in the order of the file.
    pub async fn find_person(&self, batch: &Searched, person: &Person) -> Result<Vec<FoundRow>, Error> {
        self.inner.find_person(batch, person).await
    }

    /// Empties these requests of all that they hold of a person, with the keys that they claimed, and adds FORGOTTEN to
    /// what happened to the batch. Those that were PENDING are CANCELED; else no count changes. Waits for who takes
    /// requests of the batch, as a cancel does. `reason` must not tell whose they are.
    pub async fn forget_rows(&self, batch: &Searched, rows: &[FoundRow], by: &str, reason: &str) -> Result<(), Error> {
        self.inner.forget_rows(batch, rows, by, reason).await
    }

    /// Forgets the keys by which a person is known beside requests; returns how many.
    pub async fn forget_keys_of(&self, person: &Person, campaign: Option<&str>) -> Result<u64, Error> {
        self.inner.forget_keys_of(person, campaign).await
    }

    /// Why the rows of a batch were not PENDING at intake, by code, the most frequent first.
    pub async fn findings(&self, batch_id: &str) -> Result<Vec<Finding>, Error> {
        self.inner.findings(batch_id).await
    }

    /// The requests of a batch with a `row_number` in `after+1 ..= after+limit`.
    pub async fn requests(&self, batch_id: &str, after: u32, limit: u32) -> Result<Vec<Request>, Error> {
        self.results(batch_id, &RequestQuery::default(), after, limit).await
    }

    /// Those requests of a batch that are asked for, of the ones with a `row_number` in `after+1 ..= after+limit`.
    pub async fn results(
        &self,
        batch_id: &str,
        asked: &RequestQuery,
        after: u32,
        limit: u32,
    ) -> Result<Vec<Request>, Error> {
        self.inner.results(batch_id, asked, after, limit).await
    }

    /// Has uploads that came to nothing worked on again; returns which. Loaded ones, and those being worked on, are
    /// left as they are.
    pub async fn requeue(&self, which: &Requeued) -> Result<Vec<i64>, Error> {
        self.inner.requeue(which).await
    }

    /// Claims the answer that has been owed longest to somebody who dropped a file in the bucket; `None` where none is
    /// due. No two callers are given the same one while its lease lasts.
    pub async fn claim_answer(&self, bucket: &str, lease: Duration) -> Result<Option<OwedAnswer>, Error> {
        self.inner.claim_answer(bucket, lease).await
    }

    /// Extends the lease on an answer, counted from now.
    pub async fn renew_answer(&self, owed: &OwedAnswer, lease: Duration) -> Result<(), Error> {
        self.inner.renew_answer(owed, lease).await
    }

    /// Gives an answer back; another worker may claim it at once, and the try does not count.
    pub async fn give_back_answer(&self, owed: &OwedAnswer) -> Result<(), Error> {
        self.inner.give_back_answer(owed).await
    }

    /// Gives an answer back after trouble of ours, to be claimed again not before `wait` is over.
    pub async fn put_off_answer(&self, owed: &OwedAnswer, trouble: &str, wait: Duration) -> Result<(), Error> {
        self.inner.put_off_answer(owed, trouble, wait).await
    }

    /// The answer lies in the bucket: nothing is owed any more.
    pub async fn answered(&self, owed: &OwedAnswer) -> Result<(), Error> {
        self.inner.answered(owed).await
    }

    /// How the columns of a batch's file were named and in which order they stood; `None` where there is no such batch.
    pub async fn sent_columns(&self, batch_id: &str) -> Result<Option<SentColumns>, Error> {
        self.inner.sent_columns(batch_id).await
    }

    /// The rows of a batch that were not PENDING at intake, as they were sent: so many of those behind row `after`.
    pub async fn rejects(&self, batch_id: &str, after: u32, limit: u32) -> Result<Vec<Reject>, Error> {
        self.inner.rejects(batch_id, after, limit).await
    }

    /// The uploads of a bucket that could have been claimed for longer than `grace`, and were not: so many, the longest
    /// first.
    pub async fn neglected(&self, bucket: &str, grace: Duration, limit: u32) -> Result<Vec<Neglected>, Error> {
        self.inner.neglected(bucket, grace, limit).await
    }

    /// The first INVALID row of each of these batches that has one.
    pub async fn first_invalid(&self, batch_ids: &[&str]) -> Result<Vec<FirstInvalid>, Error> {
        if batch_ids.is_empty() { Ok(Vec::new()) } else { self.inner.first_invalid(batch_ids).await }
    }

    /// The other batches of its campaign that were made of the same content as a batch, so many, the oldest first.
    pub async fn same_content(&self, batch_id: &str, limit: u32) -> Result<Vec<Batch>, Error> {
        self.inner.same_content(batch_id, limit).await
    }

    /// Replaces some of the changes that senders' reports made to the counts of requests by their sums, which changes
    /// no count; whether there may be more. See `queries/fold.sql`.
    pub async fn fold(&self) -> Result<bool, Error> {
        self.inner.fold().await
    }

    /// Claims the message that has been due longest to a webhook; `None` where none is. No two callers are given the
    /// same one while its lease lasts.
    pub async fn claim_message(&self, webhook: &str, lease: Duration) -> Result<Option<Message>, Error> {
        self.inner.claim_message(webhook, lease).await
    }

    /// Gives a message back; another worker may claim it at once, and the try does not count.
    pub async fn give_back_message(&self, message: &Message) -> Result<(), Error> {
        self.inner.give_back_message(message).await
    }

    /// Gives a message back that could not be delivered, to be claimed again not before `wait` is over; or gives it up,
    /// if `patience` is over since it was written, and then returns true.
    pub async fn put_off_message(
        &self,
        message: &Message,
        trouble: &str,
        wait: Duration,
        patience: Duration,
    ) -> Result<bool, Error> {
        self.inner.put_off_message(message, trouble, wait, patience).await
    }

    /// The message is delivered, or given up for the reason that is told.
    pub async fn end_message(&self, message: &Message, given_up: Option<&str>) -> Result<(), Error> {
        self.inner.end_message(message, given_up).await
    }

    /// What webhooks were told or are to be told, the newest first.
    pub async fn messages(
        &self,
        status: Option<&str>,
        webhook: Option<&str>,
        limit: u32,
    ) -> Result<Vec<MessageState>, Error> {
        self.inner.messages(status, webhook, limit).await
    }

    /// The database's clock.
    pub async fn clock(&self) -> Result<DateTime<Utc>, Error> {
        self.inner.clock().await
    }

    /// Notes that a complete listing of the bucket began then, so that what it did not show is known to have come
    /// later.
    pub async fn note_listing(&self, bucket: &str, began_at: DateTime<Utc>) -> Result<(), Error> {
        self.inner.note_listing(bucket, began_at).await
    }

    /// Enters a due time of a campaign, unless it is known.
    pub async fn expect(
        &self,
        bucket: &str,
        campaign_id: i32,
        campaign_name: &str,
        occurrence: &Occurrence,
    ) -> Result<(), Error> {
        self.inner.expect(bucket, campaign_id, campaign_name, occurrence).await
    }

    /// Takes a due time back of which nothing came.
    pub async fn no_longer_expect(&self, bucket: &str, campaign_id: i32, due_at: DateTime<Utc>) -> Result<(), Error> {
        self.inner.no_longer_expect(bucket, campaign_id, due_at).await
    }

    /// The due times of the last week and what was not decided before, in their order, with what has come for those
    /// that may still change.
    pub async fn open_expected(&self, bucket: &str) -> Result<Vec<OpenExpected>, Error> {
        self.inner.open_expected(bucket).await
    }

    /// The keys of all uploads of the bucket that are not settled, and when each was put there.
    pub async fn open_arrivals(&self, bucket: &str) -> Result<Vec<(String, DateTime<Utc>)>, Error> {
        self.inner.open_arrivals(bucket).await
    }

    /// Writes where the file of a due time stands, and what came for it; if it is missing, these webhooks are told.
    /// `false`: it has changed since it was looked at, and nothing was written. So of many workers one decides.
    pub async fn decide_expected(
        &self,
        bucket: &str,
        expected: &OpenExpected,
        status: ExpectedStatus,
        campaign_name: &str,
        webhooks: &[String],
    ) -> Result<bool, Error> {
        self.inner.decide_expected(bucket, expected, status, campaign_name, webhooks).await
    }

    /// One page of the due times that were asked for, the last first.
    pub async fn list_expected(&self, asked: &ExpectedQuery) -> Result<Vec<ExpectedFile>, Error> {
        self.inner.list_expected(asked).await
    }

    /// How many there are on all pages.
    pub async fn count_expected(&self, asked: &ExpectedQuery) -> Result<u64, Error> {
        self.inner.count_expected(asked).await
    }

    /// Where each campaign stands now whose files are expected.
    pub async fn expected_now(&self, bucket: &str) -> Result<Vec<ExpectedNow>, Error> {
        self.inner.expected_now(bucket).await
    }

    /// What is still to be done for a bucket.
    pub async fn backlog(&self, bucket: &str) -> Result<Backlog, Error> {
        self.inner.backlog(bucket).await
    }
}

/// One upload's requests on their way into the store, in a transaction of their own that nobody else can see into.
pub struct Load {
    inner: Box<dyn protocol::LoadProtocol>,
}

impl Load {
    /// Writes more rows. `Ok` does not mean that they are stored: only [`Load::publish`] says so.
    pub async fn rows(&mut self, chunk: &RowChunk) -> Result<(), Error> {
        self.inner.rows(chunk).await
    }

    /// Writes the batch, its counts and the ledger's word beside the rows, and commits all of it at once.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] where the claim was lost: nothing is stored. [`ErrorKind::Unknown`] where the answer to
    /// the commit was lost: ask [`Store::outcome`].
    pub async fn publish(self, claim: &Claim, draft: &BatchDraft, verdicts: Verdicts) -> Result<Published, Error> {
        self.inner.publish(claim, draft, verdicts).await
    }

    /// Rolls back, and waits until that is done.
    pub async fn discard(self) -> Result<(), Error> {
        self.inner.discard().await
    }
}

/// A suppression list's new targets on their way into the store, in a transaction of their own. Dropped, it rolls back.
pub struct ListLoad {
    inner: Box<dyn protocol::ListProtocol>,
}

impl ListLoad {
    /// Writes more targets, as they are compared.
    pub async fn targets(&mut self, targets: Vec<String>) -> Result<(), Error> {
        self.inner.targets(targets).await
    }

    /// Puts the new targets in force, ends the upload, and commits all of it at once; tells what came of it.
    pub async fn publish(self, claim: &Claim, verdicts: Verdicts) -> Result<String, Error> {
        self.inner.publish(claim, verdicts).await
    }

    /// Rolls back, and waits until that is done.
    pub async fn discard(self) -> Result<(), Error> {
        self.inner.discard().await
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

#[cfg(test)]
mod tests {
    use super::StoreConfig;

    #[test]
    fn a_password_is_never_shown() {
        let shown = |url: &str| StoreConfig { url: url.to_owned(), ..Default::default() }.shown_url();
        assert_eq!(shown("postgres://app:s3cret@db:5432/calls?sslmode=require"), "postgres://app:***@db:5432/calls");
        assert_eq!(shown("postgres://app:a@b@db/calls"), "postgres://app:***@db/calls");
        assert_eq!(shown("postgres://db/calls?password=x"), "postgres://db/calls");
        assert_eq!(shown("postgres://app:a/b?c@db/calls"), "postgres://app:***@db/calls");
        assert_eq!(shown("postgres:/app:s3cret@db/calls"), "***");
        assert_eq!(shown("sqlite://batchdrop.db"), "sqlite://batchdrop.db");
    }
}
