//! Bytes to rows. Pure and synchronous: no tokio, no database, no network; memory does not grow with the file.
//!
//! ```text
//! bytes ──▶ decode (BOM, UTF-16, what is no text at all) ──▶ UTF-8 ──▶ dialect (delimiter) ──▶ header ──▶ rows
//! ```
//!
//! What is wrong with the file is a [`Fault`]; what goes wrong in fetching it is the [`std::io::Error`] of the
//! source, handed on untouched so that it is never blamed on the sender.

mod decode;
mod dialect;
mod header;
mod rows;

use std::io::Read;

use crate::model::{Dialect, Fault, Header, Row};
pub use header::HeaderRules;

/// How much of a file is taken; beyond it is a `LIMIT_EXCEEDED` fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Columns of the header, and cells of a row.
    pub columns: usize,
    /// Bytes of one row, line breaks in quotes included.
    pub row_bytes: usize,
    /// Data rows.
    pub rows: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { columns: 2_000, row_bytes: 1 << 20, rows: 100_000_000 }
    }
}

/// Why reading stopped.
#[derive(Debug)]
pub enum ReadError {
    /// The sender's file cannot be used.
    Fault(Fault),
    /// The source of the bytes failed.
    Source(std::io::Error),
}

/// An open file: its dialect and header are known, its rows come one by one.
pub struct Rows<R> {
    /// How the file is written.
    pub dialect: Dialect,
    /// What its columns are.
    pub header: Header,
    source: std::marker::PhantomData<R>,
}

impl<R: Read> Rows<R> {
    /// Reads as much of the source as it takes to know the dialect and the header.
    pub fn open(_source: R, _rules: &HeaderRules, _limits: Limits) -> Result<Self, ReadError> {
        todo!()
    }

    /// The next data row; `None` after the last. The row borrows the reader's buffer until the next call.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        todo!()
    }
}
