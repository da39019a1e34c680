//! Trouble with the store. Ours, never the sender's.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::migrate::MigrateError;

/// What kind of trouble; it decides what the worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The claim is no longer ours; nothing was changed. Stop working on the upload.
    Fenced,
    /// The answer to a commit was lost: it may or may not have taken place.
    Unknown,
    /// It may go away: connection, lock, full disk, a server that restarts.
    Transient,
    /// It will not go away by itself: a wrong address, a missing right, a schema that does not fit.
    Permanent,
}

/// Trouble with the store.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What was tried, or what to do.
    pub what: String,
    /// The cause.
    #[source]
    pub source: Option<sqlx::Error>,
}

impl Error {
    pub(super) fn permanent(what: impl Into<String>) -> Self {
        Error { kind: ErrorKind::Permanent, what: what.into(), source: None }
    }

    pub(super) fn fenced() -> Self {
        let what = "the claim was lost to another worker; nothing was changed".to_owned();
        Error { kind: ErrorKind::Fenced, what, source: None }
    }

    pub(super) fn commit_unknown(source: sqlx::Error) -> Self {
        let what = "the answer to a commit was lost".to_owned();
        Error { kind: ErrorKind::Unknown, what, source: Some(source) }
    }

    /// What SQLite itself said, asked without sqlx.
    pub(super) fn sqlite(code: i32, message: String) -> Self {
        let kind = if is_transient(&code.to_string()) { ErrorKind::Transient } else { ErrorKind::Permanent };
        Error { kind, what: format!("the store could not take rows: {message} (SQLite's code {code})"), source: None }
    }

    /// Puts what was tried before a cause; for `map_err`.
    pub(super) fn while_doing(what: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        move |source| {
            if is_table_missing(&source) {
                return Error::permanent(
                    "the store has no tables of batchdrop yet; run batchdrop migrate, or batchdrop run",
                );
            }
            if code_of(&source).as_deref() == Some(ONLY_READS) {
                REFUSED_TO_WRITE.store(true, Ordering::Relaxed);
            }
            Error { kind: kind_of(&source), what: format!("the store could not {what}"), source: Some(source) }
        }
    }

    pub(super) fn migration(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                Error::permanent(format!(
                    "the database's schema (version {version}) is newer than this program; upgrade batchdrop, it changes nothing before"
                ))
            }
            MigrateError::VersionMismatch(version) => Error::permanent(format!(
                "migration {version} in the database is not the one that this program was built with"
            )),
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Error::while_doing("bring its schema up to date")(source)
            }
            other => Error::permanent(format!("the schema could not be brought up to date: {other}")),
        }
    }
}

/// PostgreSQL's SQLSTATE `read_only_sql_transaction`.
const ONLY_READS: &str = "25006";

/// Set by the first such error, and never taken back: where one server took another's place, that comes again.
static REFUSED_TO_WRITE: AtomicBool = AtomicBool::new(false);

/// Whether a database of this process has ever refused to write.
pub(super) fn has_refused_to_write() -> bool {
    REFUSED_TO_WRITE.load(Ordering::Relaxed)
}

/// The database's own word for what went wrong.
pub(super) fn code_of(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(|database| database.code())
}

fn is_table_missing(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    // PostgreSQL has a code for it, SQLite a text.
    database.code().as_deref() == Some("42P01") || database.message().starts_with("no such table")
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some(code) if is_transient(code) => ErrorKind::Transient,
            _ => ErrorKind::Permanent,
        },
        sqlx::Error::Configuration(_) | sqlx::Error::ColumnNotFound(_) | sqlx::Error::ColumnDecode { .. } => {
            ErrorKind::Permanent
        }
        // Io, Tls, Protocol (a server that is going down cuts its answers), pool time-outs, a crashed worker thread.
        _ => ErrorKind::Transient,
    }
}

/// PostgreSQL's SQLSTATE (five characters) or SQLite's extended result code (a number).
fn is_transient(code: &str) -> bool {
    if let Ok(number) = code.parse::<u32>()
        && code.len() < 5
    {
        // BUSY, LOCKED, NOMEM, IOERR, FULL, CANTOPEN: low byte of the extended code.
        return matches!(number & 0xff, 5 | 6 | 7 | 10 | 13 | 14);
    }
    // Connection, resources (disk, memory, connections), operator intervention, serialisation and deadlock,
    // read-only (a standby, or a disk that filled), idle for too long in a transaction, lock not available.
    ["08", "53", "57", "40", "58"].iter().any(|class| code.starts_with(class))
        || matches!(code, ONLY_READS | "25P03" | "55P03")
}

#[cfg(test)]
mod tests {
    use super::is_transient;

    #[test]
    fn transient_and_permanent_codes_are_told_apart() {
        for code in ["08006", "53100", "53300", "57P01", "40001", "40P01", "25006", "25P03", "5", "517", "13", "10"] {
            assert!(is_transient(code), "{code}");
        }
        for code in ["42P01", "42501", "23505", "28P01", "3D000", "22021", "1", "19", "8"] {
            assert!(!is_transient(code), "{code}");
        }
    }
}
