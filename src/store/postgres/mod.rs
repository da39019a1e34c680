//! PostgreSQL: requests come in by binary COPY, inside the transaction that publishes them.

mod copy;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _, Pool, Row as _, Transaction};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::protocol::{Backlog, Finding, LoadProtocol, Protocol, Published};
use super::sql::{batch_id, check_conservation, unsigned};
use super::{Error, StoreConfig};
use crate::model::{
    Batch, BatchDraft, BatchStatus, Claim, FileCode, Object, Request, RowChunk, Upload, UploadStatus, Verdicts,
};

type Db = sqlx::Postgres;

ledger_sql!(Postgres, "queries");

const MAX_LOADS: usize = usize::MAX;

const BEGIN: &str = "begin";

const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "ledger, batches, requests", include_str!("migrations/0001_ledger_batches_requests.sql"))];

/// A worker that freezes, or whose machine dies, between the rows and the commit holds the day's counter, and with it
/// everybody's publications. The statements there follow each other at once; while rows come in, this clock stands.
/// A time that the server's operator has set is kept.
const GUARD: &str = "select set_config('idle_in_transaction_session_timeout', '60s', false) \
     where current_setting('idle_in_transaction_session_timeout') = '0'";

/// Encoded chunks under way between encoding and the socket; each is as large as a chunk of rows.
const CHUNKS_UNDER_WAY: usize = 2;

pub(super) struct Postgres {
    /// One pool for both: PostgreSQL's readers never wait for its writers.
    writer: Pool<Db>,
    reader: Pool<Db>,
}

impl Postgres {
    pub(super) async fn connect(config: &StoreConfig) -> Result<Self, Error> {
        let options: PgConnectOptions = config.url.parse().map_err(Error::while_doing("read its own address"))?;
        let options = options.application_name("batchdrop").disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(Duration::from_secs(15))
            .after_connect(|connection, _| Box::pin(async { connection.execute(GUARD).await.map(|_| ()) }))
            .connect_with(options)
            .await
            .map_err(Error::while_doing("reach PostgreSQL"))?;
        Ok(Postgres { writer: pool.clone(), reader: pool })
    }
}

async fn begin(pool: &Pool<Db>) -> Result<Transaction<'static, Db>, Error> {
    pool.begin_with(BEGIN).await.map_err(Error::while_doing("begin a transaction"))
}

async fn begin_load(pool: &Pool<Db>) -> Result<Box<dyn LoadProtocol>, Error> {
    let mut transaction = begin(pool).await?;
    let batch_key = new_key(&mut transaction).await?;
    let (chunks, received) = mpsc::channel(CHUNKS_UNDER_WAY);
    let copying = tokio::spawn(copy_rows(transaction, received));
    Ok(Box::new(PostgresLoad { batch_key, chunks, copying: Some(copying), buffer: copy::opening() }))
}

enum Step {
    Bytes(Vec<u8>),
    /// All rows were given. A channel that closes without this word is a load that was given up.
    End,
}

/// What a copying task ends with: the transaction and its rows; `None` where it was given up.
type Copied = Result<Option<(Transaction<'static, Db>, u64)>, Error>;

/// A COPY under way. A task of its own sends, so that rows are encoded while PostgreSQL takes those before them.
struct PostgresLoad {
    batch_key: i32,
    chunks: mpsc::Sender<Step>,
    /// `None` once `rows` has handed out the error that it ended with: a task's result can be had only once.
    copying: Option<JoinHandle<Copied>>,
    /// Encoded and not yet sent: at first, the opening of the COPY.
    buffer: Vec<u8>,
}

async fn copy_rows(mut transaction: Transaction<'static, Db>, mut received: mpsc::Receiver<Step>) -> Copied {
    let failed = || Error::while_doing("take rows");
    let mut copy = transaction.copy_in_raw(copy::STATEMENT).await.map_err(failed())?;
    while let Some(step) = received.recv().await {
        match step {
            Step::Bytes(bytes) => copy.send(bytes).await.map(|_| ()).map_err(failed())?,
            Step::End => {
                let written = copy.finish().await.map_err(failed())?;
                return Ok(Some((transaction, written)));
            }
        }
    }
    copy.abort("given up").await.map_err(failed())?;
    transaction.rollback().await.map_err(Error::while_doing("roll back"))?;
    Ok(None)
}

impl PostgresLoad {
    /// Ends the copying task and gives its result; `Ok(None)` where it was given up, or had failed before.
    async fn finish(self) -> Copied {
        drop(self.chunks);
        let Some(copying) = self.copying else { return Ok(None) };
        copying.await.map_err(|panic| Error::permanent(format!("the copying task ended: {panic}")))?
    }
}

#[async_trait::async_trait]
impl LoadProtocol for PostgresLoad {
    async fn rows(&mut self, chunk: &RowChunk) -> Result<(), Error> {
        copy::encode(&mut self.buffer, self.batch_key, chunk);
        let spare = Vec::with_capacity(self.buffer.len() + self.buffer.len() / 8);
        let bytes = std::mem::replace(&mut self.buffer, spare);
        if self.chunks.send(Step::Bytes(bytes)).await.is_ok() {
            return Ok(());
        }
        // The task has ended with an error; it is there to be read, once.
        let Some(copying) = self.copying.take() else { return Err(Error::permanent("the load has failed already")) };
        match copying.await {
            Ok(Err(error)) => Err(error),
            _ => Err(Error::permanent("the copying task ended early")),
        }
    }

    async fn publish(
        mut self: Box<Self>,
        claim: &Claim,
        draft: &BatchDraft,
        verdicts: Verdicts,
    ) -> Result<Published, Error> {
        copy::close(&mut self.buffer);
        let bytes = std::mem::take(&mut self.buffer);
        let batch_key = self.batch_key;
        // A task that has ended does not take these; its error is read below.
        let _ = self.chunks.send(Step::Bytes(bytes)).await;
        let _ = self.chunks.send(Step::End).await;
        let (transaction, written) =
            self.finish().await?.ok_or_else(|| Error::permanent("a load that failed cannot be published"))?;
        publish(transaction, batch_key, written, claim, draft, verdicts).await
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        self.finish().await.map(|_| ())
    }
}
