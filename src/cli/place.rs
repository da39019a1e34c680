//! Where the fault of a whole file stands: the line as text, and the characters in it to point at.
//!
//! A fault names a line and a cell, and the reader keeps nothing of what it refused. So the file is read once more, up
//! to that line, with an eye on quotes alone: a row may have begun some lines above.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read as _, Result as IoResult};
use std::path::Path;

use crate::model::fault::Place;
use crate::model::{Dialect, Fault, FileCode};

/// More of one row is not looked at.
const MOST_BYTES: usize = 64 << 20;

/// A line, and what in it is meant. Both counts are of characters, the first from 0.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) text: String,
    pub(super) column: usize,
    pub(super) length: usize,
}

/// Finds the place of a fault. `None` where there is none, or where the file cannot be read again.
pub(super) fn find(path: &Path, fault: &Fault, dialect: Option<&Dialect>) -> Option<Spot> {
    let place = fault.place?;
    let delimiter = dialect.and_then(|dialect| dialect.delimiter.bytes().next());
    let told = dialect.and_then(|dialect| encoding_rs::Encoding::for_label(dialect.encoding.as_bytes()));
    let mut source = BufReader::new(File::open(path).ok()?);
    let head = source.fill_buf().ok()?;
    // What is packed has no line to show.
    if [&b"\x1F\x8B"[..], b"\x28\xB5\x2F\xFD", b"PK\x03\x04"].iter().any(|magic| head.starts_with(magic)) {
        return None;
    }
    let mark = encoding_rs::Encoding::for_bom(head);
    match mark.or_else(|| told.map(|encoding| (encoding, 0))) {
        Some((encoding, _)) if encoding != encoding_rs::UTF_8 => {
            let mut bytes = Vec::new();
            source.take(MOST_BYTES as u64).read_to_end(&mut bytes).ok()?;
            let text = encoding.decode(&bytes).0.into_owned();
            spot(Cursor::new(text.into_bytes()), fault.code, place, delimiter)
        }
        _ => {
            source.consume(mark.map_or(0, |(_, bytes)| bytes));
            spot(source, fault.code, place, delimiter)
        }
    }
}

fn spot(mut source: impl BufRead, code: FileCode, place: Place, delimiter: Option<u8>) -> Option<Spot> {
    let mut delimiter = delimiter;
    let mut row = OpenRow::default();
    for _ in 1..place.line {
        next_line(&mut source, &mut row.bytes).ok()?;
        let delimiter = *delimiter.get_or_insert_with(|| most_frequent(&row.bytes));
        row.follow(delimiter);
        if row.state != State::Quoted {
            row = OpenRow::default();
        }
    }
    let line_start = row.bytes.len();
    next_line(&mut source, &mut row.bytes).ok()?;
    row.follow(delimiter.unwrap_or_else(|| most_frequent(&row.bytes)));
    let line = &row.bytes[line_start..];
    let text = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();

    let Some(cell) = place.column else {
        let length = text.chars().count();
        return Some(Spot { text, column: 0, length });
    };
    let cell_start = row.cells.get(cell - 1).copied().unwrap_or(line_start);
    let at = match code {
        FileCode::InvalidEncoding => match std::str::from_utf8(&row.bytes) {
            Err(error) => error.valid_up_to(),
            // Decoded from UTF-16, where a broken character has become this one.
            Ok(text) => text[line_start..].find('\u{fffd}').map_or(cell_start, |at| line_start + at),
        },
        FileCode::InvalidFileFormat => row.text_after_quote.unwrap_or(cell_start),
        _ => cell_start,
    };
    let before = row.bytes.get(line_start..at).unwrap_or_default();
    Some(Spot { text, column: String::from_utf8_lossy(before).chars().count(), length: 1 })
}

/// A row as far as it has been read.
#[derive(Default)]
struct OpenRow {
    bytes: Vec<u8>,
    /// How much of it has been followed.
    followed: usize,
    state: State,
    /// Where each cell begins.
    cells: Vec<usize>,
    /// The first byte that stands between a closing quote and the next delimiter.
    text_after_quote: Option<usize>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    CellStart,
    Unquoted,
    Quoted,
    /// After a quote in a quoted cell: its end, or the first of two.
    Closed,
}

impl OpenRow {
    fn follow(&mut self, delimiter: u8) {
        for at in self.followed..self.bytes.len() {
            let byte = self.bytes[at];
            if self.state == State::CellStart {
                self.cells.push(at);
            }
            let is_padding = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            self.state = match (self.state, byte) {
                (State::Quoted, b'"') => State::Closed,
                (State::Quoted, _) => State::Quoted,
                (_, byte) if byte == delimiter => State::CellStart,
                (State::CellStart | State::Closed, b'"') => State::Quoted,
                (State::Closed, _) if is_padding => State::Closed,
                (State::Closed, _) => {
                    self.text_after_quote.get_or_insert(at);
                    State::Unquoted
                }
                (State::CellStart | State::Unquoted, _) => State::Unquoted,
            };
        }
        self.followed = self.bytes.len();
    }
}

/// The delimiter of a header that could not be read: the one that occurs most.
fn most_frequent(line: &[u8]) -> u8 {
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    // The last of several that are as frequent wins.
    *b"|\t;,".iter().max_by_key(|&&delimiter| count(delimiter)).unwrap_or(&b',')
}

/// Appends the next line with its end: LF, CR LF or CR.
fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> IoResult<()> {
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() || line.len() > MOST_BYTES {
            return Ok(());
        }
        let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
            let length = bytes.len();
            line.extend_from_slice(bytes);
            source.consume(length);
            continue;
        };
        let is_cr = bytes[end] == b'\r';
        line.extend_from_slice(&bytes[..=end]);
        source.consume(end + 1);
        if is_cr && source.fill_buf()?.first() == Some(&b'\n') {
            line.push(b'\n');
            source.consume(1);
        }
        return Ok(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: FileCode, text: &[u8], line: u64, column: Option<usize>) -> (String, usize, usize) {
        let spot = spot(text, code, Place { line, column }, None).expect("a spot");
        (spot.text, spot.column, spot.length)
    }

    #[test]
    fn a_row_that_began_lines_above_is_followed() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("id,phone,note{end}Ä1,\"a,\"\"{end}b\",\"ü\" x{end}").into_bytes();
            let expected = ("b\",\"ü\" x".to_owned(), 7, 1);
            assert_eq!(found(FileCode::InvalidFileFormat, &text, 3, Some(3)), expected, "{end:?}");
        }
        assert_eq!(found(FileCode::InvalidFileFormat, b"a\tb\nc\t\"d, e\nf", 2, Some(2)), ("c\t\"d, e".into(), 2, 1));
    }

    #[test]
    fn a_byte_that_is_no_text_is_pointed_at() {
        let text = b"a,b\n1,\"x\n\xC3\xA9, y\xEB z\"\n";
        assert_eq!(found(FileCode::InvalidEncoding, text, 3, Some(2)), ("é, y\u{fffd} z\"".into(), 4, 1));
        assert_eq!(found(FileCode::LimitExceeded, text, 1, None), ("a,b".into(), 0, 3));
        assert_eq!(found(FileCode::LimitExceeded, text, 9, Some(1)), (String::new(), 0, 1));
    }
}
