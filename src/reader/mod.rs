//! Bytes to rows. Pure and synchronous: no tokio, no database, no network; memory does not grow with the file.
//!
//! ```text
//! bytes ──▶ unpack (gzip, zstd, zip)
//!       ──▶ decode (byte order marks, encodings; sniff: what is no text at all) ──▶ UTF-8
//!       ──▶ records (whole rows in the buffer) ◀── dialect (its grammar), scan (a row's cells), mend (stray quotes)
//!       ──▶ rows (a table) ──▶ header (which column plays which role)
//! ```
//!
//! What is wrong with the file is a [`Fault`]; what goes wrong in fetching it is the [`std::io::Error`] of the
//! source, handed on untouched so that it is never blamed on the sender.

mod decode;
mod dialect;
mod grammar;
mod header;
mod kinds;
mod look;
mod mend;
mod records;
mod rows;
mod scan;
mod sniff;
#[cfg(test)]
mod tests;
mod unpack;

use crate::model::Fault;
pub use header::{HeaderRules, REJECTS_COLUMNS};
pub use rows::Rows;

/// How much of a file is taken; beyond it is a `LIMIT_EXCEEDED` fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Columns of the header, and cells of a row.
    pub columns: usize,
    /// Bytes of one row, line breaks in quotes included.
    pub row_bytes: usize,
    /// Bytes of one cell; a row with a longer one is INVALID.
    pub cell_bytes: usize,
    /// Data rows.
    pub rows: u32,
    /// Bytes of a packed file when it is unpacked.
    pub unpacked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            columns: 2_000,
            row_bytes: 1 << 20,
            cell_bytes: 256 << 10,
            rows: 100_000_000,
            unpacked_bytes: 64 << 30,
        }
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

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        ReadError::Fault(fault)
    }
}
