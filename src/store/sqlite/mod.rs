//! SQLite: one file, no server. There is one writer at a time, so one upload is loaded at a time.

mod insert;

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Pool, Row as _, Transaction};

use super::protocol::{Answers, Backlog, Finding, LoadProtocol, Protocol, Published};
use super::sql::{batch_id, check_conservation, unsigned};
use super::writing::{Pieces, Writing, Written};
use super::{Error, StoreConfig};
use crate::model::{
    Batch, BatchDraft, BatchStatus, Claim, FileCode, Object, OwedAnswer, Reject, Request, RowChunk, SentColumns,
    Upload, UploadStatus, Verdicts,
};
use insert::{Encoder, Insert};

type Db = sqlx::Sqlite;

ledger_sql!(Sqlite, "queries");
answers_sql!(Sqlite, "queries");

const MAX_LOADS: usize = 1;

/// IMMEDIATE: the write lock is taken at once. A transaction that began as a reader could fail on its first write.
const BEGIN: &str = "begin immediate";

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "ledger, batches, requests", include_str!("migrations/0001_ledger_batches_requests.sql")),
    (4, "answers", include_str!("migrations/0004_answers.sql")),
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
            .pragma("cache_size", "-16384")
            .disable_statement_logging();
        let open = |connections, wait| {
            SqlitePoolOptions::new().max_connections(connections).acquire_timeout(wait).connect_with(options.clone())
        };
        let failed = || Error::while_doing("open SQLite's file");
        // Whoever waits for the writer waits as long as a load may take.
        let writer = open(1, Duration::from_secs(24 * 3600)).await.map_err(failed())?;
        let reader = open(4, Duration::from_secs(30)).await.map_err(failed())?;
        Ok(Sqlite { writer, reader })
    }
}

async fn begin(pool: &Pool<Db>) -> Result<Transaction<'static, Db>, Error> {
    pool.begin_with(BEGIN).await.map_err(Error::while_doing("begin a transaction"))
}

async fn begin_load(pool: &Pool<Db>) -> Result<Box<dyn LoadProtocol>, Error> {
    let mut transaction = begin(pool).await?;
    let batch_key = new_key(&mut transaction).await?;
    let writing = Writing::start(|pieces| insert_rows(transaction, pieces));
    Ok(Box::new(SqliteLoad { batch_key, encoder: Encoder::new(batch_key), writing }))
}

struct SqliteLoad {
    batch_key: i32,
    encoder: Encoder,
    writing: Writing<Insert, Db>,
}

async fn insert_rows(mut transaction: Transaction<'static, Db>, mut pieces: Pieces<Insert>) -> Written<Db> {
    let mut written = 0;
    while let Some(Insert { statement, values, recurs }) = pieces.next().await {
        let insert = sqlx::query_with(statement, values).persistent(recurs);
        let done = insert.execute(&mut *transaction).await.map_err(Error::while_doing("take rows"))?;
        written += done.rows_affected();
    }
    if pieces.were_all_given() {
        return Ok(Some((transaction, written)));
    }
    // SQLite may have rolled back by itself, as after a full disk; then there is nothing left to do.
    let _ = transaction.rollback().await;
    Ok(None)
}

#[async_trait::async_trait]
impl LoadProtocol for SqliteLoad {
    async fn rows(&mut self, chunk: &RowChunk) -> Result<(), Error> {
        let inserts = self.encoder.encode(chunk);
        for insert in inserts.map_err(|error| Error::permanent(format!("rows could not be encoded: {error}")))? {
            self.writing.send(insert).await?;
        }
        Ok(())
    }

    async fn publish(
        self: Box<Self>,
        claim: &Claim,
        draft: &BatchDraft,
        verdicts: Verdicts,
    ) -> Result<Published, Error> {
        let Self { batch_key, encoder, mut writing } = *self;
        for insert in encoder.finish() {
            writing.send(insert).await?;
        }
        let (transaction, written) = writing.end().await?;
        publish(transaction, batch_key, written, claim, draft, verdicts).await
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        self.writing.give_up().await
    }
}
