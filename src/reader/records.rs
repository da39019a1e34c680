//! The rows of a text one after another, each whole in the buffer: empty lines skipped, lines counted, limits kept.
//!
//! Promise: memory is the buffer, which grows for a long row only and up to the limit on a row's bytes; and what is
//! found does not depend on where the buffer or the source's pieces end.

use std::io::Read;
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8};

use super::decode::Text;
use super::grammar::Grammar;
use super::mend::{Piece, cut};
use super::scan::{Scan, line_breaks, scan};
use super::unpack::read_error;
use super::{Limits, ReadError};
use super::{dialect, header, look};
use crate::model::{CellSpan, Dialect, Fault, FileCode, Format, Newline};

/// The buffer to begin with.
const BUFFER_BYTES: usize = 256 << 10;

/// How much of the file is looked at to tell its dialect.
const BEGINNING_BYTES: usize = 64 << 10;

/// Where a row stands in the buffer and in the file.
#[derive(Debug, Clone)]
pub(super) struct Record {
    bytes: Range<usize>,
    /// The line on which it starts.
    pub line: u32,
    /// The line on which it ends.
    pub last_line: u32,
    /// Some cell's value differs from its raw text.
    pub has_escapes: bool,
    /// The first cell, from 0, whose quotes make no sense.
    pub broken: Option<usize>,
}

/// A row's text, and where its cells are in it.
pub(super) type RawRow<'a> = (&'a str, &'a mut Vec<CellSpan>);

/// A text being cut into rows.
pub(super) struct Records<R> {
    text: Text<R>,
    /// What is told of the file beforehand: by the campaign, unless it is a rejects file of ours.
    pub told: Format,
    pub grammar: Grammar,
    newline: &'static str,
    /// Rows at the beginning were taken for a title above the header.
    pub is_below_a_title: bool,
    /// The first row looks like data.
    pub seems_headless: bool,
    /// Rows that begin with these bytes are not read; empty where there are none such.
    comment: Vec<u8>,
    /// How many cells a row of the table has, once the header is known.
    pub columns: Option<usize>,
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
    /// The rest of the line is not read.
    is_in_comment: bool,
    /// The cells of the record found last.
    cells: Vec<CellSpan>,
}

impl<R: Read> Records<R> {
    /// Tells the dialect by the beginning of the text, as far as the campaign does not. Lines above the header are
    /// behind it then.
    pub fn open(text: Text<R>, format: &Format, limits: Limits) -> Result<Self, ReadError> {
        Self::with_buffer(text, format, limits, BUFFER_BYTES)
    }

    fn with_buffer(text: Text<R>, format: &Format, limits: Limits, bytes: usize) -> Result<Self, ReadError> {
        let mut records = Records {
            text,
            told: format.clone(),
            grammar: Grammar::of(format, limits.columns),
            newline: "lf",
            is_below_a_title: false,
            seems_headless: false,
            comment: format.comment.clone().unwrap_or_default().into_bytes(),
            columns: None,
            // Cells count their bytes in 32 bits.
            row_bytes: limits.row_bytes.min(u32::MAX as usize - 1),
            buffer: vec![0; bytes],
            unread: 0..0,
            is_all: false,
            line: 1,
            is_after_cr: false,
            is_in_comment: false,
            cells: Vec::new(),
        };
        records.read_on()?;
        if let Some(told) = header::rejects_format(&records.buffer[records.unread.clone()], format) {
            records.comment.clear();
            records.told = told;
        }
        let format = &records.told.clone();
        let mut told = format.clone();
        if let Some(delimiter) = records.delimiter_line(format) {
            told.delimiter = Some(delimiter);
            records.skip_line()?;
        }
        for _ in 0..format.skip_rows {
            records.skip_line()?;
        }
        if format.skip_rows > 0 {
            records.read_on()?;
        }

        let end = records.unread.end.min(records.unread.start + BEGINNING_BYTES);
        let is_whole_file = records.is_all && end == records.unread.end;
        let beginning = &records.buffer[records.unread.start..end];
        let found = dialect::detect(beginning, is_whole_file, &told, limits.columns);
        records.grammar = found.grammar;
        records.newline = found.newline;
        records.is_below_a_title = found.rows_above > 0;
        records.seems_headless = found.seems_headless;
        let mut above = found.rows_above;
        while above > 0 {
            let Some(record) = records.next()? else { break };
            above -= usize::from(!look::is_blank(&records.buffer[record.bytes]));
        }
        Ok(records)
    }

    /// How the file is written, but for its header.
    pub fn dialect(&self) -> Dialect {
        let grammar = &self.grammar;
        Dialect {
            encoding: self.text.encoding.name(),
            delimiter: String::from_utf8_lossy(&grammar.delimiter).into_owned(),
            quote: grammar.quote,
            escape: grammar.escape.or(grammar.quote),
            newline: self.newline,
            compression: self.text.compression,
            header_line: None,
        }
    }

    /// The delimiter that Excel's `sep=;` above the header names, unless the campaign says what stands there.
    fn delimiter_line(&self, format: &Format) -> Option<String> {
        let is_told = format.delimiter.is_some() || format.skip_rows > 0 || !format.header;
        let line = &self.buffer[self.unread.clone()];
        let line = &line[..line.iter().take(16).position(|byte| matches!(byte, b'\n' | b'\r'))?];
        let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
        match (is_told, line) {
            (false, [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter]) if delimiter.is_ascii() => {
                Some(char::from(*delimiter).to_string())
            }
            _ => None,
        }
    }

    /// The next row that has any byte. It stays in the buffer until the next call.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            if self.is_in_comment {
                self.is_in_comment = !self.leave_line();
            }
            if !self.is_in_comment && self.skip_line_ends() {
                match self.begins_comment() {
                    Some(false) => {}
                    Some(true) => {
                        self.is_in_comment = true;
                        continue;
                    }
                    None => {
                        self.read_on()?;
                        continue;
                    }
                }
                // The limit and one byte more, so that the answer is the same however much has been read.
                let window = self.unread.start..self.unread.end.min(self.unread.start + self.row_bytes + 1);
                let is_at_limit = window.len() > self.row_bytes;
                let is_all = self.is_all && !is_at_limit;
                let bytes = &self.buffer[window.clone()];
                let piece = Piece { bytes, is_all, is_at_limit, grammar: &self.grammar, columns: self.columns };
                match cut(piece, &mut self.cells) {
                    Ok(cut) if cut.length <= self.row_bytes => {
                        let bytes = window.start..window.start + cut.length;
                        let last_line = self.line.saturating_add(cut.breaks);
                        let (has_escapes, broken) = (cut.has_escapes, cut.broken);
                        let record = Record { bytes, line: self.line, last_line, has_escapes, broken };
                        self.unread.start += cut.length;
                        self.line = last_line;
                        return Ok(Some(record));
                    }
                    Err(Scan::Unfinished { .. }) if !is_all && !is_at_limit => {}
                    Ok(_) => return Err(self.fault(&Scan::Unfinished { open: None }, window).into()),
                    Err(broken) => return Err(self.fault(&broken, window).into()),
                }
            } else if self.is_all {
                return Ok(None);
            }
            self.read_on()?;
        }
    }

    /// A record's text and cells, and what they were cut by; a fault where it is not UTF-8.
    pub fn row(&mut self, record: &Record) -> Result<(RawRow<'_>, &Grammar), Fault> {
        let bytes = &self.buffer[record.bytes.clone()];
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(((text, &mut self.cells), &self.grammar)),
            Err(error) => Err(not_text(bytes, error.valid_up_to(), record.line, &self.cells, self.text.encoding)),
        }
    }

    /// The text of a record that has blank cells only.
    pub fn blank(&self, record: &Record) -> Option<&str> {
        let bytes = &self.buffer[record.bytes.clone()];
        let first = *bytes.first()?;
        // Settles it for nearly every row. White space beyond ASCII begins with a byte beyond ASCII.
        let may_be_blank = self.grammar.delimiter.first() == Some(&first)
            || Some(first) == self.grammar.quote
            || first.is_ascii_whitespace()
            || !first.is_ascii();
        if !may_be_blank {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        are_blank(text, &self.cells).then_some(text)
    }

    /// How many cells the record found last has.
    pub fn width(&self) -> usize {
        self.cells.len()
    }

    /// Finds the cells of a record once more, where they were made to point elsewhere.
    pub fn cut_again(&mut self, record: &Record) {
        scan(&self.buffer[record.bytes.clone()], true, &self.grammar, &mut self.cells);
    }

    /// Finds the cells of a row that stood in the buffer once.
    pub fn scan_again(&self, row: &str, cells: &mut Vec<CellSpan>) {
        scan(row.as_bytes(), true, &self.grammar, cells);
    }

    /// Goes on to the first byte that is no line end; false where none has been read yet.
    #[inline]
    fn skip_line_ends(&mut self) -> bool {
        if self.grammar.newline.is_some() {
            return self.skip_told_line_ends();
        }
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

    /// The same where the campaign says which line end its files have: others are data.
    fn skip_told_line_ends(&mut self) -> bool {
        let end: &[u8] = match self.grammar.newline {
            Some(Newline::Cr) => b"\r",
            Some(Newline::CrLf) => b"\r\n",
            _ => b"\n",
        };
        loop {
            let unread = &self.buffer[self.unread.clone()];
            if unread.starts_with(end) {
                self.line = self.line.saturating_add(1);
                self.unread.start += end.len();
            } else {
                return !unread.is_empty() && (self.is_all || !end.starts_with(unread));
            }
        }
    }

    /// Whether what is unread begins a comment; `None` where more bytes are needed to tell.
    #[inline]
    fn begins_comment(&self) -> Option<bool> {
        if self.comment.is_empty() {
            return Some(false);
        }
        let unread = &self.buffer[self.unread.clone()];
        let is_cut_off = self.comment.len() > unread.len() && self.comment.starts_with(unread);
        let may_go_on = !self.is_all && unread.len() <= self.row_bytes;
        if is_cut_off && may_go_on { None } else { Some(unread.starts_with(&self.comment)) }
    }

    /// Goes on to the end of the line; false where it has not been read yet.
    fn leave_line(&mut self) -> bool {
        let unread = &self.buffer[self.unread.clone()];
        let end = self.grammar.line_end(unread, 0);
        // A CR at the end may be the first half of the line end that is looked for.
        let is_half = end.is_none() && unread.ends_with(b"\r") && self.grammar.newline == Some(Newline::CrLf);
        let length = end.unwrap_or(unread.len() - usize::from(is_half && !self.is_all));
        self.line = self.line.saturating_add(line_breaks(&unread[..length]));
        self.unread.start += length;
        end.is_some()
    }

    /// Goes on behind the next line end of any kind.
    fn skip_line(&mut self) -> Result<(), ReadError> {
        loop {
            let unread = &self.buffer[self.unread.clone()];
            if self.is_after_cr && !unread.is_empty() {
                self.is_after_cr = false;
                self.unread.start += usize::from(unread[0] == b'\n');
                continue;
            }
            if let Some(end) = memchr::memchr2(b'\n', b'\r', unread) {
                self.is_after_cr = unread[end] == b'\r';
                self.line = self.line.saturating_add(1);
                self.unread.start += end + 1;
                return Ok(());
            }
            self.unread.start = self.unread.end;
            if self.is_all {
                return Ok(());
            }
            self.read_on()?;
        }
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
        let length = self.text.fill(free).map_err(read_error)?;
        self.is_all = length < free.len();
        self.unread.end += length;
        Ok(())
    }

    /// What to say of a row that cannot be used, of which `window` is as much as may be looked at.
    fn fault(&self, broken: &Scan, window: Range<usize>) -> Fault {
        let row = &self.buffer[window];
        let line_at = |at: usize| u64::from(self.line) + u64::from(line_breaks(&row[..at]));
        let (line, bytes) = (u64::from(self.line), self.row_bytes);
        match *broken {
            Scan::Unfinished { open: Some(at) } => {
                let detail = format!(
                    "the quote opened here is never closed, not within {bytes} bytes; close it, or write a quote inside \
                     a cell twice (\"\")"
                );
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
            Scan::Row { .. } | Scan::TextAfterQuote(_) | Scan::Unfinished { open: None } => {
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
