//! What one candidate for a dialect makes of the beginning of a file: its rows, how far they agree, and what its
//! columns hold.

use super::grammar::{Grammar, QUOTE, is_quoted};
use super::kinds::{Kind, kind};
use super::mend::{Cut, Piece, cut};
use super::scan::Scan;
use crate::model::{CellSpan, Format};

/// Rows above the header that are looked for.
const MOST_ROWS_ABOVE: usize = 20;

/// The beginning of a file, and what is known of it beforehand.
pub(super) struct Sample<'a> {
    pub bytes: &'a [u8],
    pub is_all: bool,
    pub told: &'a Format,
    pub cells: usize,
}

/// What a candidate makes of the beginning.
pub(super) struct Look {
    pub grammar: Grammar,
    /// Rows that are not blank, those above the header not counted.
    pub rows: usize,
    /// Those of them that make sense and have as many cells as the header, itself counted.
    pub agreeing: usize,
    pub header_cells: usize,
    pub rows_above: usize,
    /// Columns of values with a name above them.
    pub named_values: usize,
    /// The first row has values where a header has names.
    pub seems_headless: bool,
    /// Bytes of values, in rows that agree, which are of the kind that their column is of: a right cut leaves values
    /// whole.
    pub typed_bytes: usize,
    /// Cells in quotes.
    pub quoted: usize,
    /// Some column has every cell that is not blank in quotes.
    pub has_quoted_column: bool,
    /// Every cell but a row's first begins with a space.
    pub is_padded: bool,
    /// Every second cell is empty: the delimiter stands twice between two cells.
    pub is_doubled: bool,
    /// Some column has a number in every row below the header.
    pub has_numbers: bool,
    /// Line ends of each kind behind rows: LF, CR LF, CR.
    line_ends: [usize; 3],
}

impl Look {
    pub fn newline(&self) -> &'static str {
        match self.line_ends {
            [_, 0, 0] => "lf",
            [0, _, 0] => "crlf",
            [0, 0, _] => "cr",
            _ => "mixed",
        }
    }
}

impl Sample<'_> {
    /// Cuts the beginning into rows.
    pub fn look(&self, grammar: Grammar) -> Look {
        let comment = self.told.comment.as_deref().unwrap_or_default().as_bytes();
        let (mut rest, mut cells, mut rows) = (self.bytes, Vec::new(), Vec::new());
        let mut columns = Columns::default();
        let mut line_ends = [0; 3];
        let mut cut_off = None;
        loop {
            let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            rest = &rest[blank..];
            if rest.is_empty() {
                break;
            }
            if !comment.is_empty() && rest.starts_with(comment) {
                rest = &rest[grammar.line_end(rest, 0).unwrap_or(rest.len())..];
                continue;
            }
            let width = rows.first().map(|row: &RowLook| row.cells);
            let piece =
                Piece { bytes: rest, is_all: self.is_all, is_at_limit: false, grammar: &grammar, columns: width };
            let cut = match cut(piece, &mut cells) {
                Ok(cut) => cut,
                Err(Scan::Unfinished { .. } | Scan::TooManyCells) => {
                    cut_off = Some(cells.len());
                    break;
                }
                Err(_) => break,
            };
            let row = &rest[..cut.length];
            if !is_blank(row) {
                rows.push(columns.add(row, &cells, &cut));
            }
            rest = &rest[cut.length..];
            match rest {
                [b'\r', b'\n', ..] => line_ends[1] += 1,
                [b'\n', ..] => line_ends[0] += 1,
                [b'\r', ..] => line_ends[2] += 1,
                _ => {}
            }
        }
        // A header that is longer than the beginning, or wider than is allowed, is judged by the part that was cut.
        if let (true, Some(cells)) = (rows.is_empty(), cut_off) {
            rows.push(RowLook { cells, filled: cells, is_broken: false, ..RowLook::default() });
        }

        let rows_above = self.rows_above(&rows);
        let rows = &rows[rows_above..];
        let header_cells = rows.first().map_or(0, |row| row.cells);
        let agreeing = || rows.iter().filter(|row| row.cells == header_cells && !row.is_broken);
        let kinds = kinds_of_columns(rows);
        let typed_bytes = |row: &RowLook| -> usize {
            let cells = row.kinds.iter().zip(&kinds).zip(&row.lengths);
            cells.filter(|((kind, column), _)| kind.is_typed() && kind == column).map(|(_, length)| length).sum()
        };
        let Columns { filled, in_quotes, .. } = &columns;
        Look {
            grammar,
            rows: rows.len(),
            agreeing: agreeing().count(),
            header_cells,
            rows_above,
            named_values: rows.first().map_or(0, |header| names_above_values(header, &kinds)),
            seems_headless: rows_above == 0 && seems_headless(rows, &kinds),
            typed_bytes: agreeing().skip(1).map(typed_bytes).sum(),
            quoted: columns.quoted,
            has_quoted_column: filled.iter().zip(in_quotes).any(|(all, quoted)| *all > 1 && all == quoted),
            is_padded: header_cells > 1 && !columns.has_unpadded,
            is_doubled: header_cells > 2 && !columns.has_undoubled,
            has_numbers: kinds.contains(&Kind::Number) || kinds.contains(&Kind::Year),
            line_ends,
        }
    }

    /// How many rows stand above the header: a title, an author, a date. Below them a table begins, of which nearly
    /// every row has as many cells as its first, all of them filled there.
    ///
    /// Rows with one cell that is not blank, as a title has, are told by that. One with more, and yet fewer than the
    /// table, may itself be the header, with a delimiter too few; so the row below must look like names, and not like
    /// values.
    fn rows_above(&self, rows: &[RowLook]) -> usize {
        if self.told.skip_rows > 0 || !self.told.header {
            return 0;
        }
        let table_below = |above: usize| {
            let table = rows.get(above..).filter(|table| table.len() > 2)?;
            let header = &table[0];
            let agreeing = table.iter().filter(|row| row.cells == header.cells).count();
            let is_table = header.filled == header.cells && header.cells > 1 && agreeing * 10 >= table.len() * 9;
            is_table.then_some(table)
        };
        let above = rows.iter().take_while(|row| row.filled <= 1).count();
        if above <= MOST_ROWS_ABOVE && table_below(above).is_some() {
            return above;
        }
        let has_names = |above: usize| {
            let Some(table) = table_below(above) else { return false };
            let is_other = |row: &RowLook| row.filled < table[0].cells;
            rows[..above].iter().all(is_other) && names_above_values(&table[0], &kinds_of_columns(table)) > 1
        };
        (1..=MOST_ROWS_ABOVE.min(rows.len())).find(|&above| has_names(above)).unwrap_or(0)
    }
}

/// The kind of each column below the first row: that of nearly all its cells that are not blank.
fn kinds_of_columns(rows: &[RowLook]) -> Vec<Kind> {
    let Some((first, below)) = rows.split_first() else { return Vec::new() };
    let kind_of = |column: usize| {
        let cells = || below.iter().filter(|row| row.cells == first.cells).map(|row| row.kinds[column]);
        let filled = cells().filter(|kind| *kind != Kind::Blank).count();
        // A number of four digits is one, even where it may be a year.
        let is = |kind: Kind, wanted: Kind| kind == wanted || (wanted, kind) == (Kind::Number, Kind::Year);
        let of = |wanted: Kind| cells().filter(|kind| is(*kind, wanted)).count();
        let is_of = |wanted: &Kind| filled > 0 && of(*wanted) * 10 >= filled * 9;
        Kind::TYPED.into_iter().find(is_of).unwrap_or(if filled > 0 { Kind::Text } else { Kind::Blank })
    };
    (0..first.kinds.len()).map(kind_of).collect()
}

/// Columns of values with a name above them.
fn names_above_values(header: &RowLook, kinds: &[Kind]) -> usize {
    header.kinds.iter().zip(kinds).filter(|(name, kind)| **name == Kind::Text && kind.is_typed()).count()
}

/// Whether the first row is data as well: values above values of the same kind, and no name above any. A short number
/// or a year alone may be a name.
fn seems_headless(rows: &[RowLook], kinds: &[Kind]) -> bool {
    let Some(first) = rows.first().filter(|first| first.cells > 1 && !first.is_broken) else { return false };
    if rows.len() == 1 {
        return first.kinds.iter().any(|kind| matches!(kind, Kind::Date | Kind::Time | Kind::Mail | Kind::Address));
    }
    let mut same = first.kinds.iter().zip(kinds).filter(|(first, kind)| first.is_typed() && first == kind);
    let mut values = same.clone().filter(|(first, _)| **first != Kind::Year);
    let has_values = values.any(|(first, _)| *first != Kind::Number) || first.has_long_number || same.nth(1).is_some();
    has_values && names_above_values(first, kinds) == 0
}

/// A row of the beginning.
#[derive(Default)]
struct RowLook {
    cells: usize,
    /// Cells that are not blank.
    filled: usize,
    is_broken: bool,
    /// What the values seem to be, and how many bytes they have.
    kinds: Vec<Kind>,
    lengths: Vec<usize>,
    /// Some number has more digits than a name has: that of a phone, say.
    has_long_number: bool,
}

/// What the cells of each column look like.
#[derive(Default)]
struct Columns {
    filled: Vec<usize>,
    in_quotes: Vec<usize>,
    quoted: usize,
    has_unpadded: bool,
    has_undoubled: bool,
}

impl Columns {
    fn add(&mut self, row: &[u8], cells: &[CellSpan], cut: &Cut) -> RowLook {
        let wider = cells.len().max(self.filled.len());
        for counts in [&mut self.filled, &mut self.in_quotes] {
            counts.resize(wider, 0);
        }
        self.has_undoubled |= cells.len().is_multiple_of(2);
        let mut look = RowLook { cells: cells.len(), is_broken: cut.broken.is_some(), ..RowLook::default() };
        for (column, cell) in cells.iter().enumerate() {
            let value = row[cell.start as usize..cell.end as usize].trim_ascii();
            let quoted = usize::from(is_quoted(cell) && cut.broken.is_none());
            self.quoted += quoted;
            self.has_unpadded |= column > 0 && row.get(cell.raw_start as usize) != Some(&b' ');
            self.has_undoubled |= column % 2 == 1 && cell.end > cell.raw_start;
            if !value.is_empty() {
                look.filled += 1;
                self.filled[column] += 1;
                self.in_quotes[column] += quoted;
            }
            look.kinds.push(kind(value));
            look.lengths.push(value.len());
            let is_number = look.kinds[column] == Kind::Number;
            look.has_long_number |= is_number && value.iter().filter(|byte| byte.is_ascii_digit()).count() >= 7;
        }
        look
    }
}

/// Nothing but white space, quotes and delimiters of any kind, as above the header of some exports.
pub(super) fn is_blank(row: &[u8]) -> bool {
    row.iter().all(|byte| byte.is_ascii_whitespace() || *byte == QUOTE || b",;|".contains(byte))
}
