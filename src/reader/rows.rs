//! An open file as a table: the names of its columns, then its data rows, numbered from 1 without a gap. Which column
//! plays which role is asked for apart, see [`Rows::header`].
//!
//! Promise: every row that has any content comes exactly once, in the order of the file. Rows of blank cells only
//! come too (they are judged like any other), unless nothing but such rows follows: spreadsheets write those below
//! the table. To know, they are held back; see [`Held`].

use std::collections::VecDeque;
use std::io::Read;

use super::decode::Text;
use super::grammar::{Grammar, is_quoted};
use super::records::{Record, Records, are_blank};
use super::{HeaderRules, Limits, ReadError};
use crate::model::{CellSpan, Dialect, Fault, FileCode, Format, Header, Problem, Row};

/// The most memory for rows that are held back.
const HELD_BYTES: usize = 1 << 20;

/// An open file: its dialect and its columns' names are known, its rows come one by one.
pub struct Rows<R> {
    /// How the file is written.
    pub dialect: Dialect,
    /// The names of its columns as they stand in the header, or as the campaign gives them; `column_1`, … where neither
    /// does.
    pub names: Vec<String>,
    /// The first cell of the header, from 0, whose quotes make no sense.
    pub broken_name: Option<usize>,
    /// Rows above the header were taken for a title, though the campaign does not tell of them.
    pub is_below_a_title: bool,
    /// The first line looks like the rows below it: the file may have no header, though the campaign does not say so.
    pub seems_headless: bool,
    /// Columns that count: those behind them have no name.
    named: usize,
    /// The row that the names were read from, until the one below it is asked for.
    top: Option<Record>,
    /// A first row that is data, since there is no header.
    first: Option<Record>,
    records: Records<R>,
    cell_bytes: usize,
    limit: u32,
    /// Rows handed out.
    count: u32,
    /// The values of the current row's cells that differ from their raw text.
    unescaped: String,
    held: Held,
    /// The row that came after the rows held back; while there is one, they are handed out before it.
    waiting: Option<Record>,
    /// A row that was held back and is handed out now, and its cells.
    held_row: String,
    held_cells: Vec<CellSpan>,
}

/// Where the next row is.
enum Next {
    Record(Record),
    /// In `held_row`, on this line.
    Held(u32),
}

impl<R: Read> Rows<R> {
    /// Reads as much of the source as it takes to know the dialect and the columns.
    pub fn open(source: R, format: &Format, limits: Limits) -> Result<Self, ReadError> {
        let mut records = Records::open(Text::open(source, format.encoding, limits.unpacked_bytes)?, format, limits)?;
        let format = records.told.clone();
        let record = loop {
            let Some(record) = records.next()? else {
                return Err(Fault::new(FileCode::EmptyFile, "it has nothing but blank space; export it again").into());
            };
            if records.blank(&record).is_none() {
                break record;
            }
        };
        let mut unescaped = String::new();
        let mut names = format.names.clone();
        let mut width = names.len();
        if format.header {
            let ((raw, cells), grammar) = records.row(&record)?;
            unescape(raw, cells, grammar, &mut unescaped);
            let row = Row { number: 0, line: record.line, raw, unescaped: &unescaped, cells, problem: None };
            if names.is_empty() {
                names = row.values().map(str::to_owned).collect();
            }
            width = names.len().max(cells.len());
        } else if names.is_empty() {
            names = numbered(records.width());
            width = names.len();
        }
        records.columns = Some(width);
        let header_line = format.header.then_some(record.line);
        let may_be_headless = format.header && !format.is_header_told && format.names.is_empty();
        let seems_headless = may_be_headless && records.seems_headless;
        Ok(Rows {
            dialect: Dialect { header_line, ..records.dialect() },
            named: width,
            names,
            is_below_a_title: records.is_below_a_title,
            broken_name: record.broken.filter(|_| format.header && format.names.is_empty()),
            seems_headless,
            top: seems_headless.then(|| record.clone()),
            first: (!format.header).then_some(record),
            records,
            limit: limits.rows,
            cell_bytes: limits.cell_bytes,
            count: 0,
            unescaped,
            held: Held::default(),
            waiting: None,
            held_row: String::new(),
            held_cells: Vec::new(),
        })
    }

    /// Takes the first row for data where it looks like that, and numbers the columns: for showing a file of which
    /// nothing is told. A batch is never loaded so, since nobody said which column is the target.
    pub fn number_columns(&mut self) {
        let Some(record) = self.top.take() else { return };
        self.records.cut_again(&record);
        self.names = numbered(self.names.len());
        self.dialect.header_line = None;
        self.first = Some(record);
    }

    /// Which column is the target, the reference_id, or a variable. From here on, blank cells below columns without a
    /// name at the right edge do not count.
    ///
    /// # Errors
    /// What is wrong with the header.
    pub fn header(&mut self, rules: &HeaderRules) -> Result<Header, Fault> {
        let line = self.dialect.header_line.unwrap_or(1);
        if let Some(column) = self.broken_name {
            let detail =
                "a quote in the header is never closed, or text follows it; write a quote inside a name twice (\"\")";
            return Err(Fault::at(FileCode::InvalidFileFormat, u64::from(line), Some(column + 1), detail));
        }
        let header = rules.read(self.names.iter().map(String::as_str), line)?;
        self.named = header.names.len();
        Ok(header)
    }

    /// The next data row; `None` after the last. The row borrows the reader's buffer until the next call.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        let Some(next) = self.advance()? else {
            if self.count == 0 {
                let detail = match self.dialect.header_line {
                    Some(line) => format!("there is no row below the header in line {line}"),
                    None => "there are no rows".to_owned(),
                };
                return Err(Fault::new(FileCode::NoDataRows, detail).into());
            }
            return Ok(None);
        };
        let line = match &next {
            Next::Record(record) => record.line,
            Next::Held(line) => *line,
        };
        if self.count == self.limit {
            let detail = format!(
                "there are more than {} data rows; split the file, or ask the operator to raise the limit",
                self.limit
            );
            return Err(Fault::at(FileCode::LimitExceeded, u64::from(line), None, detail).into());
        }

        let width = self.records.columns.unwrap_or_default();
        let ((raw, cells), grammar) = match &next {
            Next::Record(record) => self.records.row(record)?,
            Next::Held(_) => ((self.held_row.as_str(), &mut self.held_cells), &self.records.grammar),
        };
        if cells.len() > self.named && cells.len() <= width && are_blank(raw, &cells[self.named..]) {
            cells.truncate(self.named);
        }
        self.unescaped.clear();
        let mut problem = None;
        if let Next::Record(record) = &next {
            if record.has_escapes {
                unescape(raw, cells, grammar, &mut self.unescaped);
            }
            problem = record.broken.map(|column| Problem::Quotes { column });
        }
        if raw.len() > self.cell_bytes && problem.is_none() {
            let is_long = |cell: &CellSpan| (cell.end - cell.start) as usize > self.cell_bytes;
            problem = cells.iter().position(is_long).map(|column| Problem::TooLong { column, bytes: self.cell_bytes });
        }
        self.count += 1;
        Ok(Some(Row { number: self.count, line, raw, unescaped: &self.unescaped, cells, problem }))
    }

    /// Finds the next row to hand out.
    fn advance(&mut self) -> Result<Option<Next>, ReadError> {
        loop {
            if self.waiting.is_some() {
                if let Some(line) = self.held.take(&mut self.held_row) {
                    self.records.scan_again(&self.held_row, &mut self.held_cells);
                    return Ok(Some(Next::Held(line)));
                }
                return Ok(self.waiting.take().map(Next::Record));
            }
            self.top = None;
            if let Some(first) = self.first.take() {
                return Ok(Some(Next::Record(first)));
            }
            let Some(record) = self.records.next()? else {
                // What is held back now is below the table.
                return Ok(None);
            };
            match self.records.blank(&record) {
                None if self.held.runs.is_empty() => return Ok(Some(Next::Record(record))),
                Some(raw) if self.held.push(raw, &record) => {}
                _ => self.waiting = Some(record),
            }
        }
    }
}

/// Names for columns that have none.
fn numbered(columns: usize) -> Vec<String> {
    (1..=columns).map(|column| format!("column_{column}")).collect()
}

/// Rows of blank cells only, held back until it is known whether a row with content follows.
///
/// Equal rows on consecutive lines are kept as one with a count, so that a million of them take no more memory than
/// one. Should someone write so many different ones that they need more than [`HELD_BYTES`], which no spreadsheet
/// does, they are taken for data.
#[derive(Default)]
struct Held {
    runs: VecDeque<Run>,
    bytes: usize,
}

/// Equal rows, one below the other.
struct Run {
    raw: String,
    /// The line on which the first one starts.
    line: u32,
    /// How many lines each takes.
    lines: u32,
    count: u32,
}

impl Held {
    /// Takes in a row; false where there is no room for it.
    fn push(&mut self, raw: &str, record: &Record) -> bool {
        if let Some(run) = self.runs.back_mut() {
            let next_line = run.lines.checked_mul(run.count).and_then(|lines| run.line.checked_add(lines));
            if next_line == Some(record.line) && run.raw == raw {
                run.count += 1;
                return true;
            }
        }
        let needed = raw.len() + size_of::<Run>();
        if self.bytes + needed > HELD_BYTES {
            return false;
        }
        self.bytes += needed;
        let lines = record.last_line - record.line + 1;
        self.runs.push_back(Run { raw: raw.to_owned(), line: record.line, lines, count: 1 });
        true
    }

    /// Takes out the row held longest, and returns its line.
    fn take(&mut self, row: &mut String) -> Option<u32> {
        let run = self.runs.front_mut()?;
        let line = run.line;
        row.clone_from(&run.raw);
        run.line = run.line.saturating_add(run.lines);
        run.count -= 1;
        if run.count == 0 {
            self.bytes -= run.raw.len() + size_of::<Run>();
            self.runs.pop_front();
        }
        Some(line)
    }
}

/// Writes the values of the cells that differ from their raw text to `unescaped`, and has the cells point there.
fn unescape(raw: &str, cells: &mut [CellSpan], grammar: &Grammar, unescaped: &mut String) {
    for cell in cells.iter_mut().filter(|cell| cell.is_unescaped) {
        let start = unescaped.len() as u32;
        grammar.unescape(&raw[cell.start as usize..cell.end as usize], is_quoted(cell), unescaped);
        (cell.start, cell.end) = (start, unescaped.len() as u32);
    }
}
