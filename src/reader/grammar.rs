//! What a row is made of: what stands between cells and around them, and what ends the row.

use crate::model::{CellSpan, Format, Newline};

/// The usual quote. A doubled one within quotes is part of the cell.
pub(super) const QUOTE: u8 = b'"';

/// How rows are cut into cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grammar {
    pub delimiter: Vec<u8>,
    pub quote: Option<u8>,
    /// Takes the next byte's meaning away. `None`: only a doubled quote stands for one.
    pub escape: Option<u8>,
    /// `None`: LF, CR LF and CR all end a row.
    pub newline: Option<Newline>,
    /// The most cells that a row may have.
    pub cells: usize,
}

/// What stands at a place where a cell may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    Delimiter,
    LineEnd,
    /// The bytes end here.
    End,
    /// Something else: the cell goes on.
    None,
    /// The next bytes decide.
    Unknown,
}

impl Grammar {
    /// What a campaign says, and the usual where it says nothing.
    pub fn of(format: &Format, cells: usize) -> Self {
        Grammar {
            delimiter: format.delimiter.as_ref().map_or(b",".to_vec(), |delimiter| delimiter.clone().into_bytes()),
            quote: format.quote.unwrap_or(Some(QUOTE)),
            // A quote that escapes itself is a doubled one.
            escape: format.escape.flatten().filter(|escape| Some(*escape) != format.quote.unwrap_or(Some(QUOTE))),
            newline: format.newline,
            cells,
        }
    }

    /// The delimiter of the grammar that nearly all files have, which has a quick way of its own.
    #[inline]
    pub fn plain_delimiter(&self) -> Option<u8> {
        match self.delimiter[..] {
            [delimiter] if self.quote == Some(QUOTE) && self.escape.is_none() && self.newline.is_none() => {
                Some(delimiter)
            }
            _ => None,
        }
    }

    /// What begins at `at`; `is_all` says that nothing follows the bytes.
    pub fn border(&self, bytes: &[u8], at: usize, is_all: bool) -> Border {
        let rest = &bytes[at..];
        let Some(&first) = rest.first() else { return Border::End };
        if rest.starts_with(&self.delimiter) {
            return Border::Delimiter;
        }
        if !is_all && self.delimiter.starts_with(rest) {
            return Border::Unknown;
        }
        let ends = match self.newline {
            None => matches!(first, b'\n' | b'\r'),
            Some(Newline::Lf) => first == b'\n',
            Some(Newline::Cr) => first == b'\r',
            Some(Newline::CrLf) if rest == b"\r" && !is_all => return Border::Unknown,
            Some(Newline::CrLf) => rest.starts_with(b"\r\n"),
        };
        if ends { Border::LineEnd } else { Border::None }
    }

    /// Where the line that holds `from` ends, quotes not looked at.
    pub fn line_end(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = &bytes[from..];
        let length = match self.newline {
            None => memchr::memchr2(b'\n', b'\r', rest),
            Some(Newline::Lf) => memchr::memchr(b'\n', rest),
            Some(Newline::Cr) => memchr::memchr(b'\r', rest),
            Some(Newline::CrLf) => memchr::memmem::find(rest, b"\r\n"),
        };
        length.map(|length| from + length)
    }

    /// Whether a byte behind the escape loses its meaning. Before any other, the escape is a character like others: a
    /// path such as `C:\temp` stays whole.
    pub fn is_escapable(&self, byte: u8) -> bool {
        matches!(byte, b'\n' | b'\r')
            || Some(byte) == self.quote
            || Some(byte) == self.escape
            || self.delimiter.first() == Some(&byte)
    }

    /// Appends the value of a cell whose raw text is `raw`.
    pub fn unescape(&self, raw: &str, is_quoted: bool, value: &mut String) {
        let bytes = raw.as_bytes();
        let (mut copied, mut at) = (0, 0);
        while at + 1 < bytes.len() {
            let is_doubled = is_quoted && Some(bytes[at]) == self.quote && bytes[at + 1] == bytes[at];
            let is_escaped = Some(bytes[at]) == self.escape && self.is_escapable(bytes[at + 1]);
            if is_doubled || is_escaped {
                value.push_str(&raw[copied..at]);
                copied = at + 1;
                at += 2;
            } else {
                at += 1;
            }
        }
        value.push_str(&raw[copied..]);
    }
}

/// A cell without quotes begins where its value does.
pub(super) fn is_quoted(cell: &CellSpan) -> bool {
    cell.start > cell.raw_start
}
