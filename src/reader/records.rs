//! The rows of a text one after another, each whole in the buffer: empty lines skipped, lines counted, limits kept.
//!
//! Promise: memory is the buffer, which grows for a long row only and up to the limit on a row's bytes; and what is
//! found does not depend on where the buffer or the source's pieces end.

use std::io::Read;
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8};

use super::decode::Text;
use super::dialect;
use super::scan::{Grammar, Scan, line_breaks, scan};
use super::{Limits, ReadError};
use crate::model::{CellSpan, Dialect, Fault, FileCode};

/// The buffer to begin with.
const BUFFER_BYTES: usize = 256 << 10;

/// How much of the file is looked at to tell the delimiter.
const BEGINNING_BYTES: usize = 64 << 10;

/// Where a row stands in the buffer and in the file.
#[derive(Debug, Clone)]
pub(super) struct Record {
    bytes: Range<usize>,
    /// The line on which it starts.
    pub line: u32,
    /// The line on which it ends.
    pub last_line: u32,
    /// Some cell has doubled quotes.
    pub has_doubled: bool,
}

/// A text being cut into rows.
pub(super) struct Records<R> {
    text: Text<R>,
    grammar: Grammar,
    row_bytes: usize,
    buffer: Vec<u8>,
    /// The part of the buffer that is read from the text and not yet cut into rows.
    unread: Range<usize>,
    /// The text has ended: nothing follows what is in the buffer.
    is_all: bool,
    /// The line on which the first unread byte stands.
    line: u32,
    /// The byte before it was a CR, so that an LF belongs to the same line end.
    is_after_cr: bool,
    /// The cells of the record found last.
    cells: Vec<CellSpan>,
}

impl<R: Read> Records<R> {
    /// Tells the delimiter from the beginning of the text.
    pub fn open(text: Text<R>, limits: Limits) -> Result<Self, ReadError> {
        Self::with_buffer(text, limits, BUFFER_BYTES)
    }

    fn with_buffer(text: Text<R>, limits: Limits, bytes: usize) -> Result<Self, ReadError> {
        let mut records = Records {
            text,
            grammar: Grammar { delimiter: b',', cells: limits.columns },
            // Cells count their bytes in 32 bits.
            row_bytes: limits.row_bytes.min(u32::MAX as usize - 1),
            buffer: vec![0; bytes],
            unread: 0..0,
            is_all: false,
            line: 1,
            is_after_cr: false,
            cells: Vec::new(),
        };
        records.read_on()?;
        let beginning = &records.buffer[..records.unread.end.min(BEGINNING_BYTES)];
        let is_whole_file = records.is_all && beginning.len() == records.unread.end;
        records.grammar.delimiter = dialect::delimiter(beginning, is_whole_file);
        Ok(records)
    }

    pub fn dialect(&self) -> Dialect {
        Dialect {
            encoding: self.text.encoding.name(),
            delimiter: char::from(self.grammar.delimiter).to_string(),
            ..Dialect::standard()
        }
    }

    /// The next row that has any byte. It stays in the buffer until the next call.
    pub fn next(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            if self.skip_line_ends() {
                // The limit and one byte more, so that the answer is the same however much has been read.
                let window = self.unread.start..self.unread.end.min(self.unread.start + self.row_bytes + 1);
                let is_all = self.is_all && window.end == self.unread.end;
                match scan(&self.buffer[window.clone()], is_all, self.grammar, &mut self.cells) {
                    Scan::Row { length, breaks, has_doubled } if length <= self.row_bytes => {
                        let bytes = window.start..window.start + length;
                        let last_line = self.line.saturating_add(breaks);
                        let record = Record { bytes, line: self.line, last_line, has_doubled };
                        self.unread.start += length;
                        self.line = last_line;
                        return Ok(Some(record));
                    }
                    Scan::Unfinished { .. } if !is_all && window.len() <= self.row_bytes => {}
                    broken => return Err(self.fault(&broken, window).into()),
                }
            } else if self.is_all {
                return Ok(None);
            }
            self.read_on()?;
        }
    }

    /// A record's text and cells; a fault where it is not UTF-8.
    pub fn text(&mut self, record: &Record) -> Result<(&str, &mut Vec<CellSpan>), Fault> {
        let bytes = &self.buffer[record.bytes.clone()];
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok((text, &mut self.cells)),
            Err(error) => Err(not_text(bytes, error.valid_up_to(), record.line, &self.cells, self.text.encoding)),
        }
    }

    /// The text of a record that has blank cells only.
    pub fn blank(&self, record: &Record) -> Option<&str> {
        let bytes = &self.buffer[record.bytes.clone()];
        let first = *bytes.first()?;
        // Settles it for nearly every row. White space beyond ASCII begins with a byte beyond ASCII.
        let may_be_blank =
            first == self.grammar.delimiter || first == b'"' || first.is_ascii_whitespace() || !first.is_ascii();
        if !may_be_blank {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        are_blank(text, &self.cells).then_some(text)
    }

    /// Finds the cells of a row that stood in the buffer once.
    pub fn scan_again(&self, row: &str, cells: &mut Vec<CellSpan>) {
        scan(row.as_bytes(), true, self.grammar, cells);
    }

    /// Goes on to the first byte that is no line end; false where none has been read yet.
    fn skip_line_ends(&mut self) -> bool {
        while let Some(byte) = self.buffer[self.unread.clone()].first() {
            match byte {
                b'\n' if self.is_after_cr => self.is_after_cr = false,
                b'\n' => self.line = self.line.saturating_add(1),
                b'\r' => {
                    self.line = self.line.saturating_add(1);
                    self.is_after_cr = true;
                }
                _ => {
                    self.is_after_cr = false;
                    return true;
                }
            }
            self.unread.start += 1;
        }
        false
    }

    /// Moves what is unread to the front and fills the rest of the buffer, a larger one if a row fills it all.
    fn read_on(&mut self) -> Result<(), ReadError> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        if self.unread.end == self.buffer.len() {
            let larger = self.buffer.len().saturating_mul(2).min(self.row_bytes + 1);
            self.buffer.resize(larger, 0);
        }
        let free = &mut self.buffer[self.unread.end..];
        let length = self.text.fill(free).map_err(ReadError::Source)?;
        self.is_all = length < free.len();
        self.unread.end += length;
        Ok(())
    }

    /// What to say of a row that cannot be used, of which `window` is as much as may be looked at.
    fn fault(&self, broken: &Scan, window: Range<usize>) -> Fault {
        let row = &self.buffer[window];
        let line_at = |at: usize| u64::from(self.line) + u64::from(line_breaks(&row[..at]));
        let is_too_long = row.len() > self.row_bytes;
        let (line, bytes) = (u64::from(self.line), self.row_bytes);
        match *broken {
            Scan::TextAfterQuote(at) => {
                let detail = "text follows a closing quote; write a quote inside a cell twice (\"\")";
                // The cell that the quote closed has been counted already.
                Fault::at(FileCode::InvalidFileFormat, line_at(at), Some(self.cells.len()), detail)
            }
            Scan::Unfinished { open_quote: Some(at) } => {
                let how =
                    if is_too_long { format!("still open after {bytes} bytes") } else { "never closed".to_owned() };
                let detail =
                    format!("the quote opened here is {how}; close it, or write a quote inside a cell twice (\"\")");
                Fault::at(FileCode::InvalidFileFormat, line_at(at), Some(self.cells.len() + 1), detail)
            }
            Scan::TooManyCells => {
                let detail = format!(
                    "the row has more than {} columns; leave out what is not needed, or ask the operator to raise \
                     the limit",
                    self.grammar.cells
                );
                Fault::at(FileCode::LimitExceeded, line, None, detail)
            }
            Scan::Row { .. } | Scan::Unfinished { open_quote: None } => {
                let detail = format!(
                    "the row is longer than {bytes} bytes; check that each row ends with a line break, or ask the \
                     operator to raise the limit"
                );
                Fault::at(FileCode::LimitExceeded, line, None, detail)
            }
        }
    }
}

/// Whether there is nothing but white space in the cells. One with doubled quotes is not blank.
pub(super) fn are_blank(raw: &str, cells: &[CellSpan]) -> bool {
    cells.iter().all(|cell| raw[cell.start as usize..cell.end as usize].trim().is_empty())
}

/// The fault of a row with a byte, `at`, that is not UTF-8.
fn not_text(row: &[u8], at: usize, line: u32, cells: &[CellSpan], encoding: &'static Encoding) -> Fault {
    let line = u64::from(line) + u64::from(line_breaks(&row[..at]));
    let column = cells.iter().filter(|cell| cell.raw_start as usize <= at).count();
    let what = if encoding == UTF_8 {
        let hint = if looks_like_windows_1252(row, at) { " (it looks like Windows-1252)" } else { "" };
        format!("byte 0x{:02X} is not UTF-8{hint}", row[at])
    } else {
        format!("a character is not valid {}", encoding.name())
    };
    let detail = format!("{what}; save the file as \"CSV UTF-8\" and drop it again");
    Fault::at(FileCode::InvalidEncoding, line, Some(column), detail)
}

/// A letter, quotation mark, dash or sign of Windows-1252 between ASCII ones: in most other encodings that are not
/// UTF-8 such bytes come in pairs or rows, and begin with others.
fn looks_like_windows_1252(row: &[u8], at: usize) -> bool {
    let is_ascii = |at: usize| row.get(at).is_none_or(u8::is_ascii);
    let is_usual = matches!(row[at], 0x80 | 0x85 | 0x91..=0x97 | 0x99 | 0xA0..=0xFF);
    is_usual && is_ascii(at.wrapping_sub(1)) && is_ascii(at + 1)
}

#[cfg(test)]
mod tests;
