//! One row's cells, found in bytes that begin where the row begins.
//!
//! Promise: the answer depends on the row's bytes alone, not on how many more are there; so a row that is cut off
//! by the end of the buffer is scanned again from its beginning once there is more of it.

use memchr::{memchr, memchr2_iter, memchr3};

use crate::model::CellSpan;

/// What a row is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grammar {
    pub delimiter: u8,
    /// The most cells that a row may have.
    pub cells: usize,
}

/// How far the scan came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A whole row.
    Row {
        /// Bytes, without the line end.
        length: usize,
        /// Line breaks in quotes.
        breaks: u32,
        /// Some cell has doubled quotes.
        has_doubled: bool,
    },
    /// The bytes end before the row does; within a quote, if one opened at `open_quote`.
    Unfinished { open_quote: Option<usize> },
    /// At this byte something stands between a closing quote and the next delimiter.
    TextAfterQuote(usize),
    /// The row has more cells than it may have.
    TooManyCells,
}

/// Finds the cells of the row that `bytes` begin with; `is_all` says that nothing follows them in the file.
/// At least one byte is needed, and the first is no line break.
pub(super) fn scan(bytes: &[u8], is_all: bool, grammar: Grammar, cells: &mut Vec<CellSpan>) -> Scan {
    cells.clear();
    let (mut at, mut breaks, mut has_doubled) = (0, 0, false);
    loop {
        if cells.len() == grammar.cells {
            return Scan::TooManyCells;
        }
        let after_cell = if bytes.get(at) == Some(&b'"') {
            let Some(quoted) = quoted(bytes, at) else {
                return Scan::Unfinished { open_quote: Some(at) };
            };
            breaks += line_breaks(&bytes[at..quoted.close]);
            has_doubled |= quoted.has_doubled;
            cells.push(span(at, at + 1, quoted.close, quoted.has_doubled));
            let padding = bytes[quoted.close + 1..]
                .iter()
                .take_while(|&&byte| matches!(byte, b' ' | b'\t') && byte != grammar.delimiter);
            quoted.close + 1 + padding.count()
        } else {
            let length = memchr3(grammar.delimiter, b'\n', b'\r', &bytes[at..]);
            let end = length.map_or(bytes.len(), |length| at + length);
            // Without an end in sight the cell may go on, and it counts only if nothing follows.
            cells.push(span(at, at, end, false));
            end
        };
        match bytes.get(after_cell) {
            Some(&byte) if byte == grammar.delimiter => at = after_cell + 1,
            Some(b'\n' | b'\r') => return Scan::Row { length: after_cell, breaks, has_doubled },
            Some(_) => return Scan::TextAfterQuote(after_cell),
            None if is_all => return Scan::Row { length: after_cell, breaks, has_doubled },
            None => return Scan::Unfinished { open_quote: None },
        }
    }
}

/// Line breaks of every kind; CR LF is one.
pub(super) fn line_breaks(bytes: &[u8]) -> u32 {
    let is_second_half = |&at: &usize| bytes[at] == b'\n' && at > 0 && bytes[at - 1] == b'\r';
    memchr2_iter(b'\n', b'\r', bytes).filter(|at| !is_second_half(at)).count() as u32
}

struct Quoted {
    close: usize,
    has_doubled: bool,
}

/// The quote that closes the one at `open`. As the last byte it might be the first of two; then the row goes on, and
/// is scanned again.
fn quoted(bytes: &[u8], open: usize) -> Option<Quoted> {
    let (mut from, mut has_doubled) = (open + 1, false);
    loop {
        let close = from + memchr(b'"', &bytes[from..])?;
        match bytes.get(close + 1) {
            Some(b'"') => (from, has_doubled) = (close + 2, true),
            _ => return Some(Quoted { close, has_doubled }),
        }
    }
}

fn span(raw_start: usize, start: usize, end: usize, is_unescaped: bool) -> CellSpan {
    // Rows are shorter than 4 GiB: the limit on their bytes is kept below it.
    CellSpan { start: start as u32, end: end as u32, raw_start: raw_start as u32, is_unescaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str, delimiter: u8) -> (Scan, Vec<&str>) {
        let mut cells = Vec::new();
        let scan = scan(text.as_bytes(), true, Grammar { delimiter, cells: 4 }, &mut cells);
        (scan, cells.iter().map(|cell| &text[cell.start as usize..cell.end as usize]).collect())
    }

    #[test]
    fn cells_are_cut_where_the_standard_and_common_sense_say() {
        let cases: &[(&str, u8, usize, &[&str])] = &[
            ("a,b\nc", b',', 3, &["a", "b"]),
            ("a,b\r\n", b',', 3, &["a", "b"]),
            ("a\rb", b',', 1, &["a"]),
            ("a,", b',', 2, &["a", ""]),
            (",,", b',', 2, &["", "", ""]),
            ("a;b,c", b';', 5, &["a", "b,c"]),
            ("\"a,b\",c", b',', 7, &["a,b", "c"]),
            ("\"a\nb\r\nc\",d\n", b',', 10, &["a\nb\r\nc", "d"]),
            ("\"a\" \t,b", b',', 7, &["a", "b"]),
            ("\"a\"\tb", b'\t', 5, &["a", "b"]),
            ("\"\"", b',', 2, &[""]),
            ("\"\"\"\"", b',', 4, &["\"\""]),
            ("5\" pipe,\"x\"", b',', 11, &["5\" pipe", "x"]),
            (" \"a,b\"", b',', 6, &[" \"a", "b\""]),
            ("\\\"a,b", b',', 5, &["\\\"a", "b"]),
        ];
        for &(text, delimiter, expected, values) in cases {
            let (scan, found) = cells(text, delimiter);
            assert!(matches!(scan, Scan::Row { length, .. } if length == expected), "{text:?} gave {scan:?}");
            assert_eq!(found, values, "{text:?}");
        }
    }

    #[test]
    fn what_breaks_a_row_is_told_with_its_place() {
        assert_eq!(cells("a,\"b\"c,d", b',').0, Scan::TextAfterQuote(5));
        assert_eq!(cells("a,\"b\" c", b',').0, Scan::TextAfterQuote(6));
        assert_eq!(cells("a,\"b\n", b',').0, Scan::Unfinished { open_quote: Some(2) });
        assert_eq!(cells("a,\"b\"\"", b',').0, Scan::Unfinished { open_quote: Some(2) });
        assert_eq!(cells("a,b,c,d,e", b',').0, Scan::TooManyCells);
    }

    #[test]
    fn a_row_cut_off_anywhere_is_unfinished() {
        let row = b"ab,\"c \"\"d\"\" \n\" ,e\n";
        let grammar = Grammar { delimiter: b',', cells: 4 };
        for length in 1..row.len() {
            let scan = scan(&row[..length], false, grammar, &mut Vec::new());
            assert!(matches!(scan, Scan::Unfinished { .. }), "{length} bytes gave {scan:?}");
        }
        assert_eq!(
            scan(row, false, grammar, &mut Vec::new()),
            Scan::Row { length: row.len() - 1, breaks: 1, has_doubled: true }
        );
    }

    #[test]
    fn line_breaks_of_every_kind_are_counted() {
        for (text, count) in [("", 0), ("\n", 1), ("\r\n", 1), ("\n\r", 2), ("a\rb\nc\r\n\r\n", 4), ("\r\r\n\n", 3)] {
            assert_eq!(line_breaks(text.as_bytes()), count, "{text:?}");
        }
    }
}
