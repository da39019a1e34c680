//! One row's cells, found in bytes that begin where the row begins.
//!
//! Promise: the answer depends on the row's bytes alone, not on how many more are there; so a row that is cut off
//! by the end of the buffer is scanned again from its beginning once there is more of it.

use memchr::{memchr, memchr2, memchr2_iter, memchr3};

use super::grammar::{Border, Grammar};
use crate::model::CellSpan;

/// How far the scan came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A whole row.
    Row {
        /// Bytes, without the line end.
        length: usize,
        /// Line breaks in quotes.
        breaks: u32,
        /// Some cell's value differs from its raw text.
        has_escapes: bool,
    },
    /// The bytes end before the row does; within quotes, if the cell that began at `open` opened some.
    Unfinished { open: Option<usize> },
    /// At this byte something stands between a closing quote and the next delimiter. The cell is the last one found.
    TextAfterQuote(usize),
    /// The row has more cells than it may have.
    TooManyCells,
}

/// Finds the cells of the row that `bytes` begin with; `is_all` says that nothing follows them in the file.
/// At least one byte is needed, and the first is no line break.
#[inline]
pub(super) fn scan(bytes: &[u8], is_all: bool, grammar: &Grammar, cells: &mut Vec<CellSpan>) -> Scan {
    cells.clear();
    match grammar.plain_delimiter() {
        Some(delimiter) => scan_plain(bytes, is_all, delimiter, grammar.cells, cells),
        None => scan_any(bytes, is_all, grammar, cells),
    }
}

/// The quick way: one byte between cells, doubled quotes, line ends of every kind.
fn scan_plain(bytes: &[u8], is_all: bool, delimiter: u8, most_cells: usize, cells: &mut Vec<CellSpan>) -> Scan {
    let (mut at, mut breaks, mut has_escapes) = (0, 0, false);
    loop {
        if cells.len() == most_cells {
            return Scan::TooManyCells;
        }
        let open = match bytes.get(at) {
            Some(b'"') => Some(at),
            Some(b' ') => padded_quote(bytes, at, delimiter),
            _ => None,
        };
        let after_cell = if let Some(open) = open {
            let Some(quoted) = quoted(bytes, open) else {
                return Scan::Unfinished { open: Some(at) };
            };
            breaks += line_breaks(&bytes[open..quoted.close]);
            has_escapes |= quoted.has_doubled;
            cells.push(span(at, open + 1, quoted.close, quoted.has_doubled));
            let padding =
                bytes[quoted.close + 1..].iter().take_while(|&&byte| matches!(byte, b' ' | b'\t') && byte != delimiter);
            quoted.close + 1 + padding.count()
        } else {
            let length = memchr3(delimiter, b'\n', b'\r', &bytes[at..]);
            let end = length.map_or(bytes.len(), |length| at + length);
            // Without an end in sight the cell may go on, and it counts only if nothing follows.
            cells.push(span(at, at, end, false));
            end
        };
        match bytes.get(after_cell) {
            Some(&byte) if byte == delimiter => at = after_cell + 1,
            Some(b'\n' | b'\r') => return Scan::Row { length: after_cell, breaks, has_escapes },
            Some(_) => return Scan::TextAfterQuote(after_cell),
            None if is_all => return Scan::Row { length: after_cell, breaks, has_escapes },
            None => return Scan::Unfinished { open: None },
        }
    }
}

/// The quote behind spaces, which some programs write after each delimiter: they are no part of the cell.
#[cold]
fn padded_quote(bytes: &[u8], at: usize, delimiter: u8) -> Option<usize> {
    let spaces = bytes[at..].iter().take_while(|&&byte| byte == b' ').count();
    (delimiter != b' ' && bytes.get(at + spaces) == Some(&b'"')).then_some(at + spaces)
}

/// The way of every other grammar.
fn scan_any(bytes: &[u8], is_all: bool, grammar: &Grammar, cells: &mut Vec<CellSpan>) -> Scan {
    let (mut at, mut has_escapes) = (0, false);
    // In other cells a row of every kind of line end has none.
    let mut may_have_breaks = grammar.newline.is_some() || grammar.escape.is_some();
    loop {
        if cells.len() == grammar.cells {
            return Scan::TooManyCells;
        }
        let cell = match opening_quote(bytes, at, is_all, grammar) {
            Some(open) => match quoted_end(bytes, open, grammar) {
                Some((close, is_escaped)) => {
                    may_have_breaks = true;
                    let end = behind_padding(bytes, close + 1, is_all, grammar);
                    Some((span(at, open + 1, close, is_escaped), end))
                }
                None => return Scan::Unfinished { open: Some(at) },
            },
            None => {
                unquoted_end(bytes, at, is_all, grammar).map(|(end, is_escaped)| (span(at, at, end, is_escaped), end))
            }
        };
        let Some((cell, after_cell)) = cell else { return Scan::Unfinished { open: None } };
        has_escapes |= cell.is_unescaped;
        cells.push(cell);
        match grammar.border(bytes, after_cell, is_all) {
            Border::Delimiter => at = after_cell + grammar.delimiter.len(),
            Border::None => return Scan::TextAfterQuote(after_cell),
            Border::Unknown => return Scan::Unfinished { open: None },
            Border::End if !is_all => return Scan::Unfinished { open: None },
            Border::End | Border::LineEnd => {
                let breaks = if may_have_breaks { line_breaks(&bytes[..after_cell]) } else { 0 };
                return Scan::Row { length: after_cell, breaks, has_escapes };
            }
        }
    }
}

/// The quote with which a cell begins, spaces before it not counted.
pub(super) fn opening_quote(bytes: &[u8], at: usize, is_all: bool, grammar: &Grammar) -> Option<usize> {
    let quote = grammar.quote?;
    let mut open = at;
    while bytes.get(open) == Some(&b' ') && grammar.border(bytes, open, is_all) == Border::None {
        open += 1;
    }
    (bytes.get(open) == Some(&quote)).then_some(open)
}

/// The quote that closes the one at `open`, and whether the value differs from the raw text. As the last byte it might
/// be the first of two; then the row goes on, and is scanned again.
pub(super) fn quoted_end(bytes: &[u8], open: usize, grammar: &Grammar) -> Option<(usize, bool)> {
    let (mut at, mut is_escaped) = (open + 1, false);
    let (quote, escape) = (bytes[open], grammar.escape.unwrap_or(bytes[open]));
    loop {
        at += memchr2(quote, escape, bytes.get(at..)?)?;
        let byte = bytes[at];
        let next = bytes.get(at + 1).copied();
        if Some(byte) == grammar.escape {
            let takes_next = grammar.is_escapable(next?);
            is_escaped |= takes_next;
            at += 1 + usize::from(takes_next);
        } else {
            if next != Some(byte) {
                return Some((at, is_escaped));
            }
            is_escaped = true;
            at += 2;
        }
    }
}

/// The first byte behind `at` that is no blank, or that is the beginning of a delimiter.
pub(super) fn behind_padding(bytes: &[u8], mut at: usize, is_all: bool, grammar: &Grammar) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t')) && grammar.border(bytes, at, is_all) == Border::None {
        at += 1;
    }
    at
}

/// Where a cell without quotes ends, and whether its value differs from the raw text; `None` where more bytes are
/// needed to tell.
pub(super) fn unquoted_end(bytes: &[u8], from: usize, is_all: bool, grammar: &Grammar) -> Option<(usize, bool)> {
    let (mut at, mut is_escaped) = (from, false);
    loop {
        at = next_special(bytes, at, grammar);
        match grammar.border(bytes, at, is_all) {
            Border::Unknown => return None,
            Border::End if !is_all => return None,
            Border::Delimiter | Border::LineEnd | Border::End => return Some((at, is_escaped)),
            Border::None => {}
        }
        if Some(bytes[at]) == grammar.escape {
            match bytes.get(at + 1) {
                None if !is_all => return None,
                Some(&next) if grammar.is_escapable(next) => {
                    is_escaped = true;
                    at += 1;
                }
                _ => {}
            }
        }
        at += 1;
    }
}

/// The next byte, from `at` on, that may mean something in a cell without quotes; the end where there is none.
#[inline]
fn next_special(bytes: &[u8], at: usize, grammar: &Grammar) -> usize {
    let rest = &bytes[at..];
    let first = grammar.delimiter.first().copied().unwrap_or(b'\n');
    let found = match grammar.escape {
        None => memchr3(first, b'\n', b'\r', rest),
        Some(escape) => rest.iter().position(|&byte| byte == first || byte == escape || byte == b'\n' || byte == b'\r'),
    };
    at + found.unwrap_or(rest.len())
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

pub(super) fn span(raw_start: usize, start: usize, end: usize, is_unescaped: bool) -> CellSpan {
    // Rows are shorter than 4 GiB: the limit on their bytes is kept below it.
    CellSpan { start: start as u32, end: end as u32, raw_start: raw_start as u32, is_unescaped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Format;

    fn plain(delimiter: u8) -> Grammar {
        let format = Format { delimiter: Some(char::from(delimiter).to_string()), ..Format::default() };
        Grammar::of(&format, 4)
    }

    /// The same grammar by both ways, which must agree.
    fn both(bytes: &[u8], is_all: bool, grammar: &Grammar) -> (Scan, Vec<CellSpan>) {
        let (mut cells, mut slow) = (Vec::new(), Vec::new());
        let scan = scan(bytes, is_all, grammar, &mut cells);
        assert_eq!(scan_any(bytes, is_all, grammar, &mut slow), scan, "{:?}", String::from_utf8_lossy(bytes));
        // An unfinished row's cells are not used.
        assert!(slow == cells || matches!(scan, Scan::Unfinished { .. }), "{:?}", String::from_utf8_lossy(bytes));
        (scan, cells)
    }

    fn cells(text: &str, delimiter: u8) -> (Scan, Vec<&str>) {
        let (scan, cells) = both(text.as_bytes(), true, &plain(delimiter));
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
            (" \"a,b\"", b',', 6, &["a,b"]),
            ("a,  \"b,\" ,\tc", b',', 12, &["a", "b,", "\tc"]),
            (" a, b ", b',', 6, &[" a", " b "]),
            (" \"a\"", b' ', 4, &["", "a"]),
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
        assert_eq!(cells("a,\"b\n", b',').0, Scan::Unfinished { open: Some(2) });
        assert_eq!(cells("a,\"b\"\"", b',').0, Scan::Unfinished { open: Some(2) });
        assert_eq!(cells("a,b,c,d,e", b',').0, Scan::TooManyCells);
    }

    #[test]
    fn a_row_cut_off_anywhere_is_unfinished() {
        let row = b"ab,\"c \"\"d\"\" \n\" ,e\n";
        let grammar = plain(b',');
        for length in 1..row.len() {
            let scan = both(&row[..length], false, &grammar).0;
            assert!(matches!(scan, Scan::Unfinished { .. }), "{length} bytes gave {scan:?}");
        }
        assert_eq!(both(row, false, &grammar).0, Scan::Row { length: row.len() - 1, breaks: 1, has_escapes: true });
    }

    #[test]
    fn line_breaks_of_every_kind_are_counted() {
        for (text, count) in [("", 0), ("\n", 1), ("\r\n", 1), ("\n\r", 2), ("a\rb\nc\r\n\r\n", 4), ("\r\r\n\n", 3)] {
            assert_eq!(line_breaks(text.as_bytes()), count, "{text:?}");
        }
    }
}
