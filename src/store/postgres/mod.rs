//! PostgreSQL: requests come in by binary COPY, inside the transaction that publishes them.

mod copy;
mod sockets;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Pool, Row as _, Transaction};

use super::keys::KEYS_A_PIECE;
use super::protocol::{
    Answers, Backlog, DueForPurge, Finding, ForgettingProtocol, FoundRow, ListProtocol, Listing, LoadProtocol, Outcome,
    Protocol, Published, PurgedPiece, PurgingProtocol, Requeued, Searched, SteeringProtocol, Webhooks,
};
use super::sql::{batch_id, check_conservation, unsigned};
use super::writing::{Pieces, Writing, Written};
use super::{Error, StoreConfig, error};
use crate::model::{
    Action, Batch, BatchDraft, BatchEvent, BatchOrder, BatchQuery, BatchStatus, Claim, Direction, Event, FileCode,
    Holder, KeyField, KeyScope, Known, ListState, Lookup, Message, MessageState, Object, OwedAnswer, Person, Questions,
    Reject, Request, RequestQuery, RowChunk, SentColumns, Steered, Steering, Step, Upload, UploadQuery, UploadStatus,
    Verdicts, fold_address, refusal,
};

type Db = sqlx::Postgres;

ledger_sql!(Postgres, "queries");
keys_sql!();
lists_sql!();
answers_sql!(Postgres);
listing_sql!(Postgres);
steering_sql!(Postgres);
purging_sql!(Postgres);
forgetting_sql!(Postgres);
watching_sql!(Postgres);
expecting_sql!(Postgres);
webhooks_sql!(Postgres);

const MAX_LOADS: usize = usize::MAX;

const BEGIN: &str = "begin";

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

/// A worker that freezes, or whose machine dies, between the rows and the commit holds the day's counter, and with it
/// everybody's publications. The statements there follow each other at once; while rows come in, this clock stands.
/// A time that the server's operator has set is kept.
const GUARD: &str = "select set_config('idle_in_transaction_session_timeout', '60s', false) \
     where current_setting('idle_in_transaction_session_timeout') = '0'";

/// What is read here is read by an index, in its order, a page at a time. Of a batch that was loaded just now the
/// server has no statistics, takes its rows for few, and would rather collect all that are left and sort them, again
/// for each page: of ten million rejects that takes hours.
const IN_ORDER: &str = "set enable_bitmapscan = off";

/// What a session was opened with lasts as long as it does: one that was opened on a standby, or while the operator let
/// the database only read, goes on refusing to write when a new one would not. Once one has, each is asked before it is
/// used; until then the question would only cost time.
async fn can_write(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if !error::has_refused_to_write() {
        return Ok(true);
    }
    let row = connection.fetch_one("show transaction_read_only").await?;
    Ok(row.try_get::<&str, _>(0)? == "off")
}

pub(super) struct Postgres {
    /// One pool for both: PostgreSQL's readers never wait for its writers.
    writer: Pool<Db>,
    reader: Pool<Db>,
}

impl Postgres {
    pub(super) async fn connect(config: &StoreConfig) -> Result<Self, Error> {
        let options: PgConnectOptions = config.url.parse().map_err(Error::while_doing("read its own address"))?;
        let options = options.application_name("batchdrop").disable_statement_logging();
        let patience = Duration::from_secs(config.connect_seconds);
        let (port, silent_seconds) = (options.get_port(), config.silent_seconds);
        // A first connection by itself: the pool would say of a server that refuses only that time ran out.
        let first = tokio::time::timeout(patience, options.connect());
        let first =
            first.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(Error::while_doing("reach PostgreSQL"))?;
        first.close().await.map_err(Error::while_doing("reach PostgreSQL"))?;
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(patience)
            .after_connect(move |connection, _| {
                sockets::set_options(port, silent_seconds);
                Box::pin(async {
                    connection.execute(GUARD).await?;
                    connection.execute(IN_ORDER).await.map(|_| ())
                })
            })
            .before_acquire(|connection, _| Box::pin(can_write(connection)))
            .connect_lazy_with(options);
        Ok(Postgres { writer: pool.clone(), reader: pool })
    }
}

async fn risks(pool: &Pool<Db>) -> Result<Vec<String>, Error> {
    let off: Vec<String> = sqlx::query_scalar(query_file!("risks"))
        .fetch_all(pool)
        .await
        .map_err(Error::while_doing("read the settings of its server"))?;
    let told = |setting| {
        format!(
            "PostgreSQL runs with {setting} = off: after a power cut, files that were told to be loaded may be missing"
        )
    };
    Ok(off.into_iter().map(told).collect())
}

/// Changes of the tally that are folded at once: a transaction of some milliseconds.
const CHANGES_A_FOLD: i64 = 10_000;

async fn fold(pool: &Pool<Db>) -> Result<bool, Error> {
    let folded: i64 = sqlx::query_scalar(query_file!("fold"))
        .bind(CHANGES_A_FOLD)
        .fetch_one(pool)
        .await
        .map_err(Error::while_doing("fold counts"))?;
    Ok(folded == CHANGES_A_FOLD)
}

async fn begin(pool: &Pool<Db>) -> Result<Transaction<'static, Db>, Error> {
    pool.begin_with(BEGIN).await.map_err(Error::while_doing("begin a transaction"))
}

async fn steer_turn(transaction: &mut Transaction<'static, Db>, batch_id: &str) -> Result<(), Error> {
    let turn = sqlx::query(query_file!("steer_turn")).bind(batch_id).execute(&mut **transaction).await;
    turn.map(|_| ()).map_err(|error| match error::code_of(&error) {
        Some(code) if code == "55P03" => {
            let what =
                "steer a batch: a program that takes its requests keeps a transaction open; end that, and try again";
            Error::while_doing(what)(error)
        }
        _ => Error::while_doing("steer a batch")(error),
    })
}

async fn begin_load(pool: &Pool<Db>) -> Result<Box<dyn LoadProtocol>, Error> {
    start(begin(pool).await?, None).await
}

/// A turn is a lock that ends with the transaction; whoever does not get it lets its connection go.
async fn begin_load_among(
    pool: &Pool<Db>,
    claim: &Claim,
    scope: &KeyScope,
) -> Result<Option<Box<dyn LoadProtocol>>, Error> {
    let failed = || Error::while_doing("take a campaign's turn");
    loop {
        let mut transaction = begin(pool).await?;
        let sign = sqlx::query(query_file!("keys_sign")).bind(&claim.token);
        sign.execute(&mut *transaction).await.map_err(failed())?;
        let turn = sqlx::query_scalar(query_file!("keys_turn")).bind(scope.campaign_id);
        if !turn.fetch_one(&mut *transaction).await.map_err(failed())? {
            let unfreeze = sqlx::query(query_file!("keys_unfreeze")).bind(scope.campaign_id);
            unfreeze.execute(&mut *transaction).await.map_err(failed())?;
            transaction.rollback().await.map_err(failed())?;
            return Ok(None);
        }
        if !align_keys(&mut transaction, scope).await? {
            return start(transaction, Some(scope.clone())).await.map(Some);
        }
        // Others' connections look keys up: they must see these.
        transaction.commit().await.map_err(failed())?;
    }
}

async fn start(
    mut transaction: Transaction<'static, Db>,
    scope: Option<KeyScope>,
) -> Result<Box<dyn LoadProtocol>, Error> {
    let batch_key = new_key(&mut transaction).await?;
    let writing = Writing::start(|pieces| copy_rows(transaction, pieces));
    Ok(Box::new(PostgresLoad { batch_key, scope, writing, buffer: copy::opening() }))
}

/// A COPY under way.
struct PostgresLoad {
    batch_key: i32,
    /// Whose keys are kept at the end.
    scope: Option<KeyScope>,
    writing: Writing<Vec<u8>, Db>,
    /// Encoded and not yet sent: at first, the opening of the COPY.
    buffer: Vec<u8>,
}

async fn copy_rows(mut transaction: Transaction<'static, Db>, mut pieces: Pieces<Vec<u8>>) -> Written<Db> {
    let failed = || Error::while_doing("take rows");
    let mut copy = transaction.copy_in_raw(copy::STATEMENT).await.map_err(failed())?;
    while let Some(bytes) = pieces.next().await {
        copy.send(bytes).await.map_err(failed())?;
    }
    if pieces.were_all_given() {
        let written = copy.finish().await.map_err(failed())?;
        return Ok(Some((transaction, written)));
    }
    copy.abort("given up").await.map_err(failed())?;
    transaction.rollback().await.map_err(Error::while_doing("roll back"))?;
    Ok(None)
}

#[async_trait::async_trait]
impl LoadProtocol for PostgresLoad {
    async fn rows(&mut self, chunk: &RowChunk) -> Result<(), Error> {
        copy::encode(&mut self.buffer, self.batch_key, chunk);
        let spare = Vec::with_capacity(self.buffer.len() + self.buffer.len() / 8);
        self.writing.send(std::mem::replace(&mut self.buffer, spare)).await
    }

    async fn publish(
        self: Box<Self>,
        claim: &Claim,
        draft: &BatchDraft,
        verdicts: Verdicts,
    ) -> Result<Published, Error> {
        let Self { batch_key, scope, mut writing, mut buffer } = *self;
        copy::close(&mut buffer);
        writing.send(buffer).await?;
        let (transaction, written) = writing.end().await?;
        publish(transaction, batch_key, written, scope.as_ref(), claim, draft, verdicts).await
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        self.writing.give_up().await
    }
}
