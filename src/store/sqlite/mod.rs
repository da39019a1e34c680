//! SQLite: one file, no server. There is one writer at a time, so one upload is loaded at a time.

use std::fmt::Write as _;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Pool, Row as _, SqlSafeStr as _, SqlStr, Transaction};

use super::protocol::{Backlog, Finding, LoadProtocol, Protocol, Published};
use super::sql::{batch_id, check_conservation, unsigned};
use super::{Error, StoreConfig};
use crate::model::{
    Batch, BatchDraft, BatchStatus, Claim, FileCode, Object, Request, RowChunk, Upload, UploadStatus, Verdicts,
};

type Db = sqlx::Sqlite;

ledger_sql!(Sqlite, "queries");

const MAX_LOADS: usize = 1;

/// IMMEDIATE: the write lock is taken at once. A transaction that began as a reader could fail on its first write.
const BEGIN: &str = "begin immediate";

const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "ledger, batches, requests", include_str!("migrations/0001_ledger_batches_requests.sql"))];

/// Rows in one INSERT: enough that the statement's own cost vanishes, few enough for its 10 parameters a row to stay
/// under SQLite's limit of 32,766.
const ROWS_A_STATEMENT: usize = 500;

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
    Ok(Box::new(SqliteLoad { transaction, batch_key, written: 0, full: insert_sql(ROWS_A_STATEMENT) }))
}

/// An INSERT of so many rows. Its text is made of numbers only.
fn insert_sql(rows: usize) -> SqlStr {
    let mut sql = String::from(
        "insert into request_rows (batch_key, row_number, line, request_status, reference_id, target, cells, error_code, \
         error_message, duplicate_of_row) values ",
    );
    for row in 0..rows {
        let separator = if row == 0 { "" } else { "," };
        // Writing into a String cannot fail.
        let _ = write!(sql, "{separator}(?,?,?,?,?,?,?,?,?,?)");
    }
    AssertSqlSafe(sql).into_sql_str()
}

struct SqliteLoad {
    transaction: Transaction<'static, Db>,
    batch_key: i32,
    written: u64,
    full: SqlStr,
}

#[async_trait::async_trait]
impl LoadProtocol for SqliteLoad {
    async fn rows(&mut self, chunk: &RowChunk) -> Result<(), Error> {
        let mut rows = chunk.iter();
        let mut left = chunk.len();
        while left > 0 {
            let count = left.min(ROWS_A_STATEMENT);
            // Only the full statement recurs; the rest of a chunk has any length and would fill the statement cache.
            let is_full = count == ROWS_A_STATEMENT;
            let sql = if is_full { self.full.clone() } else { insert_sql(count) };
            let mut insert = sqlx::query(sql).persistent(is_full);
            for (row, cells) in rows.by_ref().take(count) {
                insert = insert
                    .bind(self.batch_key)
                    .bind(row.row_number)
                    .bind(row.line)
                    .bind(row.status.as_str())
                    .bind(row.reference_id.to_owned())
                    .bind(row.target.to_owned())
                    .bind(json_array(cells))
                    .bind(row.code.map(|code| code.as_str()))
                    .bind(row.code.map(|_| row.message.to_owned()))
                    .bind(row.duplicate_of);
            }
            let done = insert.execute(&mut *self.transaction).await.map_err(Error::while_doing("take rows"))?;
            self.written += done.rows_affected();
            left -= count;
        }
        Ok(())
    }

    async fn publish(
        self: Box<Self>,
        claim: &Claim,
        draft: &BatchDraft,
        verdicts: Verdicts,
    ) -> Result<Published, Error> {
        let Self { transaction, batch_key, written, .. } = *self;
        publish(transaction, batch_key, written, claim, draft, verdicts).await
    }

    async fn discard(self: Box<Self>) -> Result<(), Error> {
        // SQLite may have rolled back by itself, as after a full disk; then there is nothing left to do.
        let _ = self.transaction.rollback().await;
        Ok(())
    }
}

/// The cells as a JSON array of strings.
fn json_array<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut json = String::with_capacity(128);
    json.push('[');
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            json.push(',');
        }
        push_json_string(&mut json, cell);
    }
    json.push(']');
    json
}

fn push_json_string(json: &mut String, text: &str) {
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    json.push('"');
    if text.as_bytes().iter().all(plain) {
        json.push_str(text);
        json.push('"');
    } else {
        // Rare; serde_json knows the rules, and puts the quotes itself.
        json.pop();
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::json_array;

    #[test]
    fn cells_come_back_from_json() {
        let cells = ["", "plain", "say \"hi\"", "back\\slash", "two\nlines\t\u{1}", "Zoë 😀"];
        let back: Vec<String> = serde_json::from_str(&json_array(cells.into_iter())).expect("valid JSON");
        assert_eq!(back, cells);
        assert_eq!(json_array([].into_iter()), "[]");
    }
}
