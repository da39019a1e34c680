//! A prepared statement, driven directly: the one unsafe corner of the house.
//!
//! The library that everything else goes through copies each value twice and hands it to a thread of its own. For a
//! load of a million rows that costs as much as SQLite's own work. Here the values are lent to SQLite for the time of
//! one call.
//!
//! Source of what is promised below: sqlite.org, C-language interface, `sqlite3_bind_text`, `sqlite3_step`,
//! `sqlite3_reset`.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

use crate::store::Error;

/// A value for a parameter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(i64),
    Text(&'a str),
    Null,
}

/// A prepared statement that returns no rows.
pub(super) struct Statement<'c> {
    /// Not null, and finalized by drop alone.
    statement: NonNull<ffi::sqlite3_stmt>,
    /// The connection, which is locked for us and open for as long as `'c`.
    connection: NonNull<ffi::sqlite3>,
    parameters: usize,
    _connection: PhantomData<&'c ()>,
}

impl<'c> Statement<'c> {
    /// Prepares a statement on a connection that is locked for as long as `'c`.
    pub(super) fn prepare(handle: &'c Locked<'_>, sql: &str) -> Result<Self, Error> {
        let length = c_int::try_from(sql.len()).map_err(|_| Error::permanent("a statement is too long"))?;
        let mut statement = ptr::null_mut();
        // SAFETY: the connection is open and nobody else's while it is locked; the text is read during the call, as
        // many bytes as it has.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                handle.0.as_ptr(),
                sql.as_ptr().cast(),
                length,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &raw mut statement,
                ptr::null_mut(),
            )
        };
        let Some(statement) = NonNull::new(statement) else { return Err(failed(handle.0, code)) };
        // SAFETY: it was prepared a moment ago.
        let parameters = unsafe { ffi::sqlite3_bind_parameter_count(statement.as_ptr()) };
        Ok(Statement { statement, connection: handle.0, parameters: parameters as usize, _connection: PhantomData })
    }

    /// Runs the statement with a value for each of its parameters; returns how many rows it changed.
    ///
    /// # Panics
    /// When the values are not as many as the parameters.
    pub(super) fn run(&mut self, values: &[Value<'_>]) -> Result<u64, Error> {
        assert_eq!(values.len(), self.parameters, "a value for each parameter");
        let statement = self.statement.as_ptr();
        for (at, value) in (1..).zip(values) {
            // SAFETY: the statement is live and reset. SQLITE_STATIC lends a text until it is bound anew: SQLite reads
            // it in `step` below only, during which `values` is borrowed; afterwards the statement is reset, and is
            // never stepped again before all of its parameters are bound anew, since there are as many values as
            // parameters.
            let code = unsafe {
                match *value {
                    Value::Number(number) => ffi::sqlite3_bind_int64(statement, at, number),
                    Value::Text(text) => ffi::sqlite3_bind_text64(
                        statement,
                        at,
                        text.as_ptr().cast(),
                        text.len() as u64,
                        ffi::SQLITE_STATIC(),
                        ffi::SQLITE_UTF8 as u8,
                    ),
                    Value::Null => ffi::sqlite3_bind_null(statement, at),
                }
            };
            if code != ffi::SQLITE_OK {
                return Err(failed(self.connection, code));
            }
        }
        // SAFETY: the statement is live, all of its parameters are bound, and the texts outlive this call. Its error is
        // read before the reset, which would repeat it.
        let (code, changed) = unsafe {
            let code = ffi::sqlite3_step(statement);
            (code, ffi::sqlite3_changes64(self.connection.as_ptr()))
        };
        let result = match code {
            ffi::SQLITE_DONE => Ok(changed as u64),
            code => Err(failed(self.connection, code)),
        };
        // SAFETY: the statement is live.
        unsafe { ffi::sqlite3_reset(statement) };
        result
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: it is live, and nothing uses it after this; its connection is open still, for `'c` lasts.
        unsafe { ffi::sqlite3_finalize(self.statement.as_ptr()) };
    }
}

/// A connection that sqlx leaves to us, and touches no more until this is gone.
pub(super) struct Locked<'h>(NonNull<ffi::sqlite3>, PhantomData<&'h ()>);

impl<'h> Locked<'h> {
    pub(super) fn new(handle: &'h mut LockedSqliteHandle<'_>) -> Self {
        Locked(handle.as_raw_handle(), PhantomData)
    }
}

/// What SQLite says of the call that failed last on this connection. Its texts name tables and columns, never a value.
fn failed(connection: NonNull<ffi::sqlite3>, code: c_int) -> Error {
    // SAFETY: the connection is open; the text belongs to it and is copied before anything else is called.
    let (extended, message) = unsafe {
        let message = ffi::sqlite3_errmsg(connection.as_ptr());
        let message = if message.is_null() { None } else { Some(CStr::from_ptr(message)) };
        let message = message.map(|text| text.to_string_lossy().into_owned());
        (ffi::sqlite3_extended_errcode(connection.as_ptr()), message)
    };
    // Misuse sets no code on the connection.
    let code = if extended & 0xff == code & 0xff { extended } else { code };
    Error::sqlite(code, message.unwrap_or_default())
}
