//! The store: one suite of promises, run against SQLite and against a real PostgreSQL; then what only a server can do
//! wrong.

use std::error::Error as _;
use std::time::Duration;

use batchdrop::model::{
    BatchDraft, Claim, Dialect, IntakeStatus, NewRequest, Object, RowChunk, RowCode, Upload, UploadQuery, Verdicts,
};
use batchdrop::store::{Error, ErrorKind, Load, Published, Store, StoreConfig};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool};
use tempfile::TempDir;

use crate::support::postgres::fresh_database;

/// Writes each promise out twice. First, since its users are the modules below it.
macro_rules! every_store {
    ($($promise:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $promise() { super::$promise(&crate::store::Place::sqlite()).await })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $promise() { super::$promise(&crate::store::Place::postgres().await).await })*
        }
    };
}

mod answers;
mod batches;
mod expecting;
mod ledger;
mod listing;
mod loading;
mod numbers;
mod plans;
mod roles;
mod schema;
mod senders;
mod server;
mod steering;
mod tally;

const BUCKET: &str = "s3://drop";
/// Longer than any test.
const LEASE: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);

/// An empty database without a schema: what a worker is given on its first day.
pub struct Place {
    url: String,
    pool: Pool,
    /// Removed with the file in it at the end of the test.
    _folder: Option<TempDir>,
}

/// Connections of other programs: a sender, a dashboard, an operator.
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Place {
    pub fn sqlite() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("store.db").to_str().unwrap());
        let options: SqliteConnectOptions = url.parse().unwrap();
        let options = options.create_if_missing(true).busy_timeout(Duration::from_secs(30));
        Place { url, pool: Pool::Sqlite(SqlitePoolOptions::new().connect_lazy_with(options)), _folder: Some(folder) }
    }

    pub async fn postgres() -> Place {
        let url = fresh_database().await;
        let pool = PgPoolOptions::new().max_connections(6).connect_lazy(&url).unwrap();
        Place { url, pool: Pool::Postgres(pool), _folder: None }
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.pool, Pool::Sqlite(_))
    }

    /// A store with connections of its own, as another process has them; the schema is left as it is.
    async fn connect(&self) -> Store {
        let config = StoreConfig { url: self.url.clone(), ..Default::default() };
        Store::connect(&config).await.expect("the store opens")
    }

    /// The same, as a worker begins: with the schema brought up to date.
    async fn store(&self) -> Store {
        let store = self.connect().await;
        store.migrate().await.expect("the schema is made");
        store
    }

    async fn session(&self) -> Session {
        match &self.pool {
            Pool::Sqlite(pool) => Session::Sqlite(pool.acquire().await.unwrap()),
            Pool::Postgres(pool) => Session::Postgres(pool.acquire().await.unwrap()),
        }
    }

    /// Runs a statement of another program; how many rows it changed.
    async fn run(&self, sql: &str) -> Result<u64, sqlx::Error> {
        self.session().await.run(sql).await
    }

    /// What a query of one text column gives.
    async fn texts(&self, sql: &str) -> Vec<String> {
        self.session().await.texts(sql).await.unwrap()
    }

    /// Everything stored, for a look before and after.
    async fn dump(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in [
            "uploads",
            "batch_numbers",
            "batches",
            "batch_changes",
            "request_rows",
            "request_tally",
            "unique_keys",
            "kept_keys",
            "purged_batches",
        ] {
            let row = if self.is_sqlite() {
                let columns = self.texts(&format!("select name from pragma_table_info('{table}')")).await;
                format!("json_array({})", columns.join(", "))
            } else {
                "to_jsonb(t)::text".to_owned()
            };
            rows.extend(self.texts(&format!("select '{table} ' || {row} from {table} as t order by 1")).await);
        }
        rows
    }

    /// How many rows of batches and requests lie in the tables, whatever the views show.
    async fn stored(&self) -> usize {
        self.dump().await.iter().filter(|row| !row.starts_with("uploads ")).count()
    }
}

/// One connection of another program.
enum Session {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Session {
    async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Session::Sqlite(connection) => sqlx::query(sql).execute(&mut **connection).await?.rows_affected(),
            Session::Postgres(connection) => sqlx::query(sql).execute(&mut **connection).await?.rows_affected(),
        })
    }

    async fn texts(&mut self, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Session::Sqlite(connection) => sqlx::query_scalar(sql).fetch_all(&mut **connection).await,
            Session::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(&mut **connection).await,
        }
    }
}

/// A judged row; its number and line follow from its place.
#[derive(Clone)]
struct Row {
    status: IntakeStatus,
    code: Option<RowCode>,
    message: &'static str,
    duplicate_of: Option<u32>,
    reference_id: String,
    target: String,
    sent_reference_id: Option<&'static str>,
    sent_target: Option<&'static str>,
    target_extension: Option<&'static str>,
    cells: Vec<String>,
}

fn pending(reference_id: impl Into<String>, cells: &[&str]) -> Row {
    Row {
        status: IntakeStatus::Pending,
        code: None,
        message: "",
        duplicate_of: None,
        reference_id: reference_id.into(),
        target: "+15125550100".to_owned(),
        sent_reference_id: None,
        sent_target: None,
        target_extension: None,
        cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
    }
}

/// The line that a row starts on: every row takes two.
fn line(row_number: u32) -> u32 {
    2 * row_number
}

fn chunks(rows: &[Row], rows_a_chunk: usize) -> Vec<RowChunk> {
    let mut chunks = Vec::new();
    let mut row_number = 0;
    for rows in rows.chunks(rows_a_chunk) {
        let mut chunk = RowChunk::default();
        for row in rows {
            row_number += 1;
            let request = NewRequest {
                row_number,
                line: line(row_number),
                status: row.status,
                code: row.code,
                message: row.message,
                duplicate_of: row.duplicate_of,
                duplicate_of_batch: None,
                reference_id: &row.reference_id,
                target: &row.target,
                sent_reference_id: row.sent_reference_id,
                sent_target: row.sent_target,
                target_extension: row.target_extension,
            };
            chunk.push(request, row.cells.iter().map(String::as_str));
        }
        chunks.push(chunk);
    }
    chunks
}

fn verdicts(rows: &[Row]) -> Verdicts {
    let count = |status| rows.iter().filter(|row| row.status == status).count() as u64;
    Verdicts {
        pending: count(IntakeStatus::Pending),
        duplicate: count(IntakeStatus::Duplicate),
        skipped: count(IntakeStatus::Skipped),
        invalid: count(IntakeStatus::Invalid),
    }
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 8, day).unwrap()
}

/// What a worker knows of a file of such rows. The content is the file name's own, unless a test says otherwise.
fn draft(file: &str, rows: &[Row]) -> BatchDraft {
    BatchDraft {
        campaign_id: 7,
        campaign_name: "late_payments".to_owned(),
        upload_filename: file.to_owned(),
        filename_date: None,
        received_on: day(12),
        expires_after: None,
        hold: false,
        allow_repeats: false,
        last_updated_by: "worker@example.com".to_owned(),
        rows_read: rows.len() as u64,
        bytes_read: 4_321,
        sha256: Some(format!("sha256 of {file}")),
        dialect: Some(Dialect::standard()),
        variable_names: vec!["name".to_owned(), "amount".to_owned()],
        column_names: ["name", "ref.id", "Phone", "amount"].map(str::to_owned).to_vec(),
        reference_column: Some(2),
        target_column: Some(3),
        webhooks: Vec::new(),
    }
}

fn some_rows() -> Vec<Row> {
    vec![pending("A1", &["Zoë", "10"]), pending("A2", &["Max", "20"]), pending("A3", &["", ""])]
}

fn at_noon() -> DateTime<Utc> {
    "2025-08-12T12:00:00Z".parse().unwrap()
}

/// An object as listed, written so many seconds after noon.
fn object(key: &str, seconds: i64) -> Object {
    let modified = at_noon() + TimeDelta::seconds(seconds);
    Object { key: key.to_owned(), version: "etag-1".to_owned(), size: 99, modified }
}

async fn record(store: &Store, key: &str) {
    assert_eq!(store.record(BUCKET, &[object(key, 0)]).await.unwrap(), 1, "{key} is new");
}

/// A claim on a new upload, where no other is waiting.
async fn claim_new(store: &Store, key: &str) -> Claim {
    record(store, key).await;
    let claim = claim(store).await.expect("the new upload can be claimed");
    assert_eq!(claim.object.key, key);
    claim
}

async fn claim(store: &Store) -> Option<Claim> {
    store.claim(BUCKET, "worker-1", LEASE, None).await.unwrap()
}

/// A claim whose lease is over, and the claim of the worker that took the upload over.
async fn take_over(store: &Store, key: &str) -> (Claim, Claim) {
    record(store, key).await;
    let stale = store.claim(BUCKET, "slow", Duration::ZERO, None).await.unwrap().expect("it is new");
    let current = store.claim(BUCKET, "quick", LEASE, None).await.unwrap().expect("its lease is over");
    assert_eq!((&stale.object, stale.upload_id), (&current.object, current.upload_id));
    (stale, current)
}

async fn open_load(store: &Store, rows: &[Row]) -> Load {
    let mut load = store.begin_load().await.unwrap();
    for chunk in chunks(rows, 2) {
        load.rows(&chunk).await.unwrap();
    }
    load
}

/// As if an hour had passed since a time of the ledger was set: no test hangs on how fast the machine is.
async fn an_hour_goes_by(place: &Place, column: &str) {
    let ago = match place.is_sqlite() {
        true => format!("strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '-1 hours')"),
        false => format!("{column} - interval '1 hour'"),
    };
    place.run(&format!("update uploads set {column} = {ago}")).await.unwrap();
}

async fn publish(store: &Store, claim: &Claim, draft: &BatchDraft, rows: &[Row]) -> Result<Published, Error> {
    open_load(store, rows).await.publish(claim, draft, verdicts(rows)).await
}

/// A batch of some rows from a new upload; its id.
async fn load_new(store: &Store, file: &str) -> String {
    let (claim, rows) = (claim_new(store, file).await, some_rows());
    batch_id(publish(store, &claim, &draft(file, &rows), &rows).await.unwrap())
}

fn batch_id(published: Published) -> String {
    match published {
        Published::Batch { batch_id } => batch_id,
        Published::Repeat { of_batch_id } => panic!("taken for a repeat of {of_batch_id}"),
    }
}

/// The whole ledger, the newest first.
async fn all_uploads(store: &Store) -> Vec<Upload> {
    store.list_uploads(&UploadQuery { limit: 1_000, ..Default::default() }).await.unwrap()
}

async fn only_upload(store: &Store) -> Upload {
    let mut uploads = all_uploads(store).await;
    assert_eq!(uploads.len(), 1, "{uploads:?}");
    uploads.remove(0)
}

/// The error and its causes, as a log shows them.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn assert_kind<T: std::fmt::Debug>(result: Result<T, Error>, kind: ErrorKind, what: &str) {
    match result {
        Ok(done) => panic!("{what}: done, {done:?}"),
        Err(error) => assert_eq!(error.kind, kind, "{what}: {}", told(&error)),
    }
}
