//! SQLite: one file, no server. There is one writer at a time, so one upload is loaded at a time.

mod insert;
mod statement;

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Pool, Row as _, Transaction};

use super::keys::KEYS_A_PIECE;
use super::protocol::{
    Answers, Backlog, DueForPurge, Finding, ForgettingProtocol, FoundRow, ListProtocol, Listing, LoadProtocol, Outcome,
    Protocol, Published, PurgedPiece, PurgingProtocol, Requeued, Searched, SteeringProtocol, Webhooks,
};
use super::sql::{batch_id, check_conservation, unsigned};
use super::writing::{Pieces, Writing, Written};
use super::{Error, StoreConfig};
use crate::model::{
    Action, Batch, BatchDraft, BatchEvent, BatchOrder, BatchQuery, BatchStatus, Claim, Direction, Event, FileCode,
    Holder, KeyField, KeyScope, Known, ListState, Lookup, Message, MessageState, Object, OwedAnswer, Person, Questions,
    Reject, Request, RequestQuery, RowChunk, SentColumns, Steered, Steering, Step, Upload, UploadQuery, UploadStatus,
    Verdicts, fold_address, refusal,
};
use insert::{Encoded, Inserts};
use statement::Locked;

type Db = sqlx::Sqlite;

ledger_sql!(Sqlite, "queries");
keys_sql!();
lists_sql!();
answers_sql!(Sqlite);
listing_sql!(Sqlite);
steering_sql!(Sqlite);
purging_sql!(Sqlite);
forgetting_sql!(Sqlite);
watching_sql!(Sqlite);
expecting_sql!(Sqlite);
webhooks_sql!(Sqlite);

const MAX_LOADS: usize = 1;

/// IMMEDIATE: the write lock is taken at once. A transaction that began as a reader could fail on its first write.
const BEGIN: &str = "begin immediate";

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "ledger, batches, requests", include_str!("migrations/0001_ledger_batches_requests.sql")),
    (2, "dialect", include_str!("migrations/0002_dialect.sql")),
    (3, "keys, suppression", include_str!("migrations/0003_keys_suppression.sql")),
    (4, "answers", include_str!("migrations/0004_answers.sql")),
    (5, "extensions", include_str!("migrations/0005_extensions.sql")),
    (6, "steering", include_str!("migrations/0006_steering.sql")),
    (7, "webhooks", include_str!("migrations/0007_webhooks.sql")),
    (9, "same content", include_str!("migrations/0009_same_content.sql")),
    (10, "tally", include_str!("migrations/0010_tally.sql")),
    (12, "purge", include_str!("migrations/0012_purge.sql")),
    (13, "expected files", include_str!("migrations/0013_expected_files.sql")),
    (14, "expected open", include_str!("migrations/0014_expected_open.sql")),
    (15, "retention", include_str!("migrations/0015_retention.sql")),
    (16, "refused uploads", include_str!("migrations/0016_refused_uploads.sql")),
];

pub(super) struct Sqlite {
    /// One connection: whoever writes waits for it here, in order, and not in SQLite's busy loop.
    writer: Pool<Db>,
    /// Readers see the last commit while a load is under way.
    reader: Pool<Db>,
}

impl Sqlite {
    pub(super) async fn connect(config: &StoreConfig) -> Result<Self, Error> {
        let options: SqliteConnectOptions = config.url.parse().map_err(Error::while_doing("read its own address"))?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: what was reported as loaded is on disk, a power cut included.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .foreign_keys(true)
            .disable_statement_logging();
        // The cache is KiB of each connection: together they are what a load takes beside its keys.
        let open = |connections, wait, cache| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(wait)
                // SQLite rolls back by itself when a disk is full. sqlx then still takes the transaction for an open
                // one, and such a connection could never begin another.
                .after_release(|connection, _| {
                    Box::pin(async move {
                        connection.ping().await?; // behind the roll-back that a dropped transaction has asked for
                        Ok(!connection.is_in_transaction())
                    })
                })
                .connect_with(options.clone().pragma("cache_size", cache))
        };
        let failed = || Error::while_doing("open SQLite's file");
        // Whoever waits for the writer waits as long as a load may take.
        let writer = open(1, Duration::from_secs(24 * 3600), "-16384").await.map_err(failed())?;
        let reader = open(4, Duration::from_secs(30), "-4096").await.map_err(failed())?;
        Ok(Sqlite { writer, reader })
    }
}

/// What SQLite promises is set where it is opened.
async fn risks(_pool: &Pool<Db>) -> Result<Vec<String>, Error> {
    Ok(Vec::new())
}

/// Counts are kept in place here.
async fn fold(_pool: &Pool<Db>) -> Result<bool, Error> {
    Ok(false)
}

async fn begin(pool: &Pool<Db>) -> Result<Transaction<'static, Db>, Error> {
    pool.begin_with(BEGIN).await.map_err(Error::while_doing("begin a transaction"))
}

/// There is one writer: nobody takes requests meanwhile.
async fn steer_turn(_transaction: &mut Transaction<'static, Db>, _batch_id: &str) -> Result<(), Error> {
    Ok(())
}

async fn begin_load(pool: &Pool<Db>) -> Result<Box<dyn LoadProtocol>, Error> {
    start(begin(pool).await?, None).await
}

/// There is one writer: whoever writes has the turn.
async fn begin_load_among(
    pool: &Pool<Db>,
    _claim: &Claim,
    scope: &KeyScope,
) -> Result<Option<Box<dyn LoadProtocol>>, Error> {
    loop {
        let mut transaction = begin(pool).await?;
        if !align_keys(&mut transaction, scope).await? {
            return start(transaction, Some(scope.clone())).await.map(Some);
        }
        // Other connections look keys up: they must see these.
        transaction.commit().await.map_err(Error::while_doing("bring keys in line"))?;
    }
}

async fn start(
    mut transaction: Transaction<'static, Db>,
    scope: Option<KeyScope>,
) -> Result<Box<dyn LoadProtocol>, Error> {
    let batch_key = new_key(&mut transaction).await?;
    let writing = Writing::start_blocking(move |pieces| insert_rows(transaction, batch_key, pieces));
    Ok(Box::new(SqliteLoad { batch_key, scope, writing }))
}

struct SqliteLoad {
    batch_key: i32,
    /// Whose keys are kept at the end.
    scope: Option<KeyScope>,
    writing: Writing<Encoded, Db>,
}

/// On a thread of its own, for it never waits for anything but rows.
fn insert_rows(mut transaction: Transaction<'static, Db>, batch_key: i32, mut pieces: Pieces<Encoded>) -> Written<Db> {
    let runtime = tokio::runtime::Handle::current();
    let failed = || Error::while_doing("take rows");
    let mut written = 0;
    {
        let mut handle = runtime.block_on(transaction.lock_handle()).map_err(failed())?;
        let connection = Locked::new(&mut handle);
        let mut inserts = Inserts::prepare(&connection, batch_key)?;
        while let Some(rows) = pieces.blocking_next() {
            written += inserts.write(&rows)?;
        }
    }
    if pieces.were_all_given() {
        return Ok(Some((transaction, written)));
    }
    // SQLite may have rolled back by itself, as after a full disk; then there is nothing left to do.
    let _ = runtime.block_on(transaction.rollback());
    Ok(None)
}

#[async_trait::async_trait]
impl LoadProtocol for SqliteLoad {
    async fn rows(&mut self, chunk: &RowChunk) -> Result<(), Error> {
        self.writing.send(Encoded::new(chunk)).await
    }

    async fn publish(
        self: Box<Self>,
        claim: &Claim,
        draft: &BatchDraft,
        verdicts: Verdicts,
    ) -> Result<Published, Error> {
        let Self { batch_key, scope, writing } = *self;
        let (transaction, written) = writing.end().await?;
        publish(transaction, batch_key, written, scope.as_ref(), claim, draft, verdicts).await
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        self.writing.give_up().await
    }
}
