//! Rows whose quotes make no sense: text behind a closing quote, or a quote that is never closed.
//!
//! What a careful person with an editor would conclude: such a row ends where its line ends, and a quote that neither
//! opens nor closes a cell is a character like others. The cells before the first one in question keep their meaning.
//! Nothing is mended in silence: the row is marked, and its judge makes it INVALID. The rows below it are not touched.

use super::grammar::{Border, Grammar, is_quoted};
use super::scan::{Scan, behind_padding, line_breaks, opening_quote, quoted_end, scan, span, unquoted_end};
use crate::model::CellSpan;

/// How many lines below a quote that is still open at the limit must be rows of the table, for the quote to be the
/// fault of its row alone.
const LINES_OF_EVIDENCE: usize = 3;

/// A row that was cut, well or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes, without the line end.
    pub length: usize,
    /// Line breaks in quotes.
    pub breaks: u32,
    /// Some cell's value differs from its raw text.
    pub has_escapes: bool,
    /// The first cell, from 0, whose quotes make no sense.
    pub broken: Option<usize>,
}

/// Where a row begins, and what is known of it beforehand.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    /// From the row's first byte on, as much as has been read or may be looked at.
    pub bytes: &'a [u8],
    /// Nothing follows the bytes in the file.
    pub is_all: bool,
    /// A row may not be longer than the bytes.
    pub is_at_limit: bool,
    pub grammar: &'a Grammar,
    /// How many columns the table has, once that is known.
    pub columns: Option<usize>,
}

/// Cuts the row that a piece begins with.
///
/// # Errors
/// How far the scan came, where there is no sensible reading or more bytes are needed.
#[inline]
pub(super) fn cut(piece: Piece<'_>, cells: &mut Vec<CellSpan>) -> Result<Cut, Scan> {
    let Piece { bytes, is_all, grammar, columns, .. } = piece;
    match scan(bytes, is_all, grammar, cells) {
        Scan::Row { length, breaks, has_escapes } => {
            let cut = Cut { length, breaks, has_escapes, broken: torn(&bytes[..length], grammar, cells) };
            if breaks > 0 && columns.is_some_and(|columns| columns != cells.len()) {
                return Ok(apart(&bytes[..length], grammar, columns.unwrap_or_default(), cells).unwrap_or(cut));
            }
            Ok(cut)
        }
        unfinished @ Scan::Unfinished { open: None } => Err(unfinished),
        Scan::TooManyCells => Err(Scan::TooManyCells),
        broken => mend(piece, broken, cells),
    }
}

/// The cell in which a quoted value begins behind other text, and is torn by the delimiter in it: `a"b, c",d`, where
/// the delimiter before the quote got lost. A quote at the end of a word, as in `5" pipe`, begins nothing.
#[inline]
fn torn(row: &[u8], grammar: &Grammar, cells: &[CellSpan]) -> Option<usize> {
    let quote = grammar.quote?;
    if is_quoted_otherwise(row, quote, cells) {
        return Some(0);
    }
    memchr::memchr(quote, row)?;
    let value = |cell: &CellSpan| &row[cell.start as usize..cell.end as usize];
    let is_odd = |cell: &CellSpan| !is_quoted(cell) && memchr::memchr_iter(quote, value(cell)).count() % 2 == 1;
    let begins = |cell: &CellSpan| {
        let last = memchr::memrchr(quote, value(cell)).filter(|_| is_odd(cell));
        last.and_then(|last| value(cell).get(last + 1)).is_some_and(|next| !next.is_ascii_whitespace())
    };
    let stray = cells.iter().position(begins)?;
    let ends = |cell: &CellSpan| value(cell).ends_with(&[quote]) && is_odd(cell);
    cells[stray + 1..].iter().any(ends).then_some(stray)
}

/// Whether all cells stand in quotes of another kind than the file has, or are torn by a delimiter in such quotes: the
/// row was put in from elsewhere.
#[inline]
fn is_quoted_otherwise(row: &[u8], quote: u8, cells: &[CellSpan]) -> bool {
    let other = if quote == b'"' { b'\'' } else { b'"' };
    let value = |cell: &CellSpan| &row[cell.start as usize..cell.end as usize];
    let is_in_quotes = |cell: &&CellSpan| value(cell).len() > 1 && has_ends(value(cell), other) == 2;
    row.first() == Some(&other)
        && cells.iter().all(|cell| has_ends(value(cell), other) > 0)
        && cells.iter().filter(is_in_quotes).count() > 1
}

/// On how many of its ends a value has a byte.
fn has_ends(value: &[u8], byte: u8) -> usize {
    usize::from(value.first() == Some(&byte)) + usize::from(value.last() == Some(&byte))
}

#[cold]
fn mend(piece: Piece<'_>, broken: Scan, cells: &mut Vec<CellSpan>) -> Result<Cut, Scan> {
    let Piece { bytes, is_all, is_at_limit, grammar, columns } = piece;
    let start = match broken {
        Scan::TextAfterQuote(_) => cells.pop().map_or(0, |cell| cell.raw_start as usize),
        Scan::Unfinished { open: Some(start) } if is_all || is_at_limit => start,
        other => return Err(other),
    };
    let end = match grammar.line_end(bytes, start) {
        Some(end) => end,
        None if is_all => bytes.len(),
        None => return Err(Scan::Unfinished { open: None }),
    };
    let before = cells.len();
    let has_escapes = cells.iter().any(|cell| cell.is_unescaped);
    cut_line(&bytes[..end], start, grammar, columns, cells)?;
    if matches!(broken, Scan::Unfinished { .. }) && !is_all && !is_evident(&bytes[end..], grammar, columns, cells.len())
    {
        cells.truncate(before);
        return Err(broken);
    }
    let has_escapes = has_escapes || cells[before..].iter().any(|cell| cell.is_unescaped);
    Ok(Cut { length: end, breaks: line_breaks(&bytes[..end]), has_escapes, broken: Some(before) })
}

/// Whether the lines below are rows of the table, of which the one with the open quote has `cells`.
fn is_evident(below: &[u8], grammar: &Grammar, columns: Option<usize>, cells: usize) -> bool {
    // A header that cannot be read says nothing about the lines below it.
    if columns != Some(cells) {
        return false;
    }
    let (mut rest, mut found) = (below, Vec::new());
    for _ in 0..LINES_OF_EVIDENCE {
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        rest = &rest[blank..];
        let Some(end) = grammar.line_end(rest, 0) else { return false };
        if !matches!(scan(&rest[..end], true, grammar, &mut found), Scan::Row { .. }) || found.len() != cells {
            return false;
        }
        rest = &rest[end..];
    }
    true
}

/// Whether a row over several lines, with the wrong number of cells, is several rows that one stray quote holds
/// together: each of its lines then has as many cells as the table. The first line is the row.
#[cold]
fn apart(row: &[u8], grammar: &Grammar, columns: usize, cells: &mut Vec<CellSpan>) -> Option<Cut> {
    let is_over_lines = |cell: &CellSpan| line_breaks(&row[cell.raw_start as usize..cell.end as usize]) > 0;
    let stray = cells.iter().position(is_over_lines)?;
    let mut first = cells[..stray].to_vec();
    let start = cells[stray].raw_start as usize;
    let end = grammar.line_end(row, start)?;
    cut_line(&row[..end], start, grammar, Some(columns), &mut first).ok()?;
    if first.len() != columns {
        return None;
    }
    let mut rest = &row[end..];
    let mut below = Vec::new();
    loop {
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        rest = &rest[blank..];
        if rest.is_empty() {
            break;
        }
        let end = grammar.line_end(rest, 0).unwrap_or(rest.len());
        below.clear();
        cut_line(&rest[..end], 0, grammar, Some(columns), &mut below).ok()?;
        if below.len() != columns {
            return None;
        }
        rest = &rest[end..];
    }
    *cells = first;
    let has_escapes = cells.iter().any(|cell| cell.is_unescaped);
    Some(Cut { length: end, breaks: line_breaks(&row[..end]), has_escapes, broken: Some(stray) })
}

/// Cuts the rest of a line into cells, whatever its quotes look like. Of two readings of the cell at `from`, one that
/// gives as many cells as the table has is taken; else the one in which its quote opens it.
fn cut_line(
    line: &[u8],
    from: usize,
    grammar: &Grammar,
    columns: Option<usize>,
    cells: &mut Vec<CellSpan>,
) -> Result<(), Scan> {
    let before = cells.len();
    cut_from(line, from, true, grammar, cells)?;
    if columns.is_some_and(|columns| columns != cells.len()) {
        let mut literal = cells[..before].to_vec();
        cut_from(line, from, false, grammar, &mut literal)?;
        if columns == Some(literal.len()) {
            *cells = literal;
        }
    }
    Ok(())
}

fn cut_from(
    line: &[u8],
    from: usize,
    may_open: bool,
    grammar: &Grammar,
    cells: &mut Vec<CellSpan>,
) -> Result<(), Scan> {
    let (mut at, mut may_open) = (from, may_open);
    loop {
        if cells.len() == grammar.cells {
            return Err(Scan::TooManyCells);
        }
        let open = opening_quote(line, at, true, grammar).filter(|_| may_open);
        may_open = true;
        let closed = open.and_then(|open| Some((open, closing_quote(line, open, grammar)?)));
        let end = match closed {
            Some((open, (close, is_escaped))) => {
                cells.push(span(at, open + 1, close, is_escaped));
                behind_padding(line, close + 1, true, grammar)
            }
            None => {
                let (end, is_escaped) = unquoted_end(line, at, true, grammar).unwrap_or((line.len(), false));
                cells.push(span(at, at, end, is_escaped));
                end
            }
        };
        match grammar.border(line, end, true) {
            Border::Delimiter => at = end + grammar.delimiter.len(),
            _ => return Ok(()),
        }
    }
}

/// The quote that closes the one at `open` within the line: the first behind which the cell ends. One that stands
/// behind a delimiter, with text behind it, opens another cell: then there is none.
fn closing_quote(line: &[u8], open: usize, grammar: &Grammar) -> Option<(usize, bool)> {
    let ends = |at: usize| grammar.border(line, behind_padding(line, at, true, grammar), true) != Border::None;
    if let Some((close, is_escaped)) = quoted_end(line, open, grammar).filter(|&(close, _)| ends(close + 1)) {
        return Some((close, is_escaped));
    }
    let (mut at, mut is_escaped) = (open + 1, false);
    while at < line.len() {
        let next = line.get(at + 1).copied();
        if Some(line[at]) == grammar.escape && next.is_some_and(|next| grammar.is_escapable(next)) {
            is_escaped = true;
            at += 2;
            continue;
        }
        if Some(line[at]) == grammar.quote {
            if ends(at + 1) {
                return Some((at, is_escaped));
            }
            if next == Some(line[at]) {
                if ends(at + 2) {
                    return Some((at + 1, is_escaped));
                }
                is_escaped = true;
                at += 2;
                continue;
            }
            if line[..at].ends_with(&grammar.delimiter) {
                return None;
            }
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Format;

    /// Length, broken cell and values of the first row of a file of three columns.
    fn mended(text: &str) -> (usize, Option<usize>, Vec<String>) {
        let grammar = Grammar::of(&Format::default(), 10);
        let mut cells = Vec::new();
        let piece =
            Piece { bytes: text.as_bytes(), is_all: true, is_at_limit: false, grammar: &grammar, columns: Some(3) };
        let cut = cut(piece, &mut cells).unwrap_or_else(|scan| panic!("{scan:?}"));
        let values = cells.iter().map(|cell| {
            let (mut value, raw) = (String::new(), &text[cell.start as usize..cell.end as usize]);
            grammar.unescape(raw, crate::reader::grammar::is_quoted(cell), &mut value);
            if cell.is_unescaped { value } else { raw.to_owned() }
        });
        (cut.length, cut.broken, values.collect())
    }

    #[test]
    fn a_row_is_cut_as_a_person_would_cut_it() {
        let cases: &[(&str, usize, &[&str])] = &[
            // Quotes inside a quoted cell that are not doubled.
            ("1,\"Ana \"the boss\" Lee\",x\n2,b,c\n", 1, &["1", "Ana \"the boss\" Lee", "x"]),
            ("1,\"5\" pipe\",x\n2,b,c\n", 1, &["1", "5\" pipe", "x"]),
            ("1,\"a \"b\", c\",\"x\"\n2,b,c\n", 1, &["1", "a \"b", " c\"", "x"]),
            // Quotes around a part of a cell.
            ("1,\"Bob\" Smith,x\n2,b,c\n", 1, &["1", "\"Bob\" Smith", "x"]),
            ("1,\"Bob\" Smith,\"x\"\n2,b,c\n", 1, &["1", "\"Bob\" Smith", "x"]),
            // One quote too many at either end.
            ("1,\"\"Bob\",x\n2,b,c\n", 1, &["1", "\"Bob", "x"]),
            ("1,\"Bob\"\",x\n2,b,c\n", 1, &["1", "Bob\"", "x"]),
            ("\"1\",\"Bob\"\",\"x\"\n\"2\",\"b\",\"c\"\n", 1, &["1", "Bob\"", "x"]),
            // One too few, in a row of quoted cells and in one without.
            ("\"1\",\"Bob,\"x\"\n\"2\",\"b\",\"c\"\n", 1, &["1", "\"Bob", "x"]),
            ("1,\"Bob,x\n2,b,c\n", 1, &["1", "\"Bob", "x"]),
            ("1,b,\"x\n2,b,c\n", 2, &["1", "b", "\"x"]),
            ("1,\"Bob,x\n2,\"b\",c\n", 1, &["1", "\"Bob", "x"]),
            // A line break that was meant stays in the cells before it.
            ("\"1\n1\",\"Bob,x\n2,b,c\n", 1, &["1\n1", "\"Bob", "x"]),
            // One stray quote holds rows together, and another happens to end it.
            ("1,\"b,c\n2,b,c\"\n3,b,c\n", 1, &["1", "\"b", "c"]),
            // A delimiter lost before a quoted cell, and one inside it.
            ("'1','b','c'\n2,b,c\n", 0, &["'1'", "'b'", "'c'"]),
            ("'1','','b, b'\n2,b,c\n", 0, &["'1'", "''", "'b", " b'"]),
            ("1\"b, b\",c\n2,b,c\n", 0, &["1\"b", " b\"", "c"]),
        ];
        for &(text, broken, values) in cases {
            let (length, found, cells) = mended(text);
            assert_eq!(
                (found, cells),
                (Some(broken), values.iter().map(|&value| value.to_owned()).collect()),
                "{text:?}"
            );
            assert!(text[length..].starts_with('\n'), "{text:?} ends at {length}");
        }
    }

    #[test]
    fn what_makes_sense_is_left_alone() {
        for text in [
            "'1',b,'c'\n",
            "1,5\"x3,6\" b\n",
            "1,5\",6\"\n",
            "1,b\"c\",d\"\n",
            "1,\"b\nb\",c\n",
            "1,\"b\n2,b,c\n3\",c\n",
            "1,\"b\nb\"\n2,b,c\n",
            "1,b\"b,c\n",
            "1,b\"\n",
        ] {
            assert_eq!(mended(text).1, None, "{text:?}");
        }
    }

    #[test]
    fn a_quote_open_at_the_limit_is_its_rows_fault_only_where_rows_of_the_table_follow() {
        let grammar = Grammar::of(&Format::default(), 10);
        let cut = |text: &str, columns| {
            let piece = Piece { bytes: text.as_bytes(), is_all: false, is_at_limit: true, grammar: &grammar, columns };
            cut(piece, &mut Vec::new()).is_ok()
        };
        assert!(cut("1,\"b,c\n2,b,c\n3,b,c\n4,b,c\n5", Some(3)));
        assert!(!cut("1,\"b,c\n2,b,c\n3,b,c\n4,b,c\n5", None), "a header");
        assert!(!cut("1,\"b,c\nDear Bob,\nyours,\nAnn\n", Some(3)));
        assert!(!cut("1,\"b,c\n2,b,c\n3,b,c\n", Some(3)), "too few lines to tell");
        assert!(!cut("1,\"b\n2,b,c\n3,b,c\n4,b,c\n5", Some(3)), "not a row by itself");
    }
}
