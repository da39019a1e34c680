//! An open file: its header, then its data rows, numbered from 1 without a gap.
//!
//! Promise: every row that has any content comes exactly once, in the order of the file. Rows of blank cells only
//! come too (they are judged like any other), unless nothing but such rows follows: spreadsheets write those below
//! the table. To know, they are held back; see [`Held`].

use std::collections::VecDeque;
use std::io::Read;

use super::decode::Text;
use super::records::{Record, Records, are_blank};
use super::{HeaderRules, Limits, ReadError};
use crate::model::{CellSpan, Dialect, Fault, FileCode, Header, Row};

/// The most memory for rows that are held back.
const HELD_BYTES: usize = 1 << 20;

/// An open file: its dialect and header are known, its rows come one by one.
pub struct Rows<R> {
    /// How the file is written.
    pub dialect: Dialect,
    /// What its columns are.
    pub header: Header,
    header_line: u32,
    /// The header's cells, with the unnamed ones at the right edge.
    header_width: usize,
    records: Records<R>,
    limit: u32,
    /// Rows handed out.
    count: u32,
    /// The values of the current row's cells that had doubled quotes.
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
    /// Reads as much of the source as it takes to know the dialect and the header.
    pub fn open(source: R, rules: &HeaderRules, limits: Limits) -> Result<Self, ReadError> {
        let mut records = Records::open(Text::open(source)?, limits)?;
        let mut unescaped = String::new();
        let record = loop {
            let Some(record) = records.next()? else {
                return Err(Fault::new(FileCode::EmptyFile, "it has nothing but blank space; export it again").into());
            };
            if records.blank(&record).is_none() {
                break record;
            }
        };
        let (raw, cells) = records.text(&record)?;
        unescape(raw, cells, &mut unescaped);
        let row = Row { number: 0, line: record.line, raw, unescaped: &unescaped, cells };
        let header = rules.read(row.values(), record.line)?;
        let header_width = cells.len();
        Ok(Rows {
            dialect: records.dialect(),
            header,
            header_line: record.line,
            header_width,
            records,
            limit: limits.rows,
            count: 0,
            unescaped,
            held: Held::default(),
            waiting: None,
            held_row: String::new(),
            held_cells: Vec::new(),
        })
    }

    /// The next data row; `None` after the last. The row borrows the reader's buffer until the next call.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        let Some(next) = self.advance()? else {
            if self.count == 0 {
                let detail = format!("there is no row below the header in line {}", self.header_line);
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

        let (raw, cells) = match &next {
            Next::Record(record) => self.records.text(record)?,
            Next::Held(_) => (self.held_row.as_str(), &mut self.held_cells),
        };
        let named = self.header.names.len();
        if cells.len() > named && cells.len() <= self.header_width && are_blank(raw, &cells[named..]) {
            cells.truncate(named);
        }
        self.unescaped.clear();
        if matches!(&next, Next::Record(record) if record.has_doubled) {
            unescape(raw, cells, &mut self.unescaped);
        }
        self.count += 1;
        Ok(Some(Row { number: self.count, line, raw, unescaped: &self.unescaped, cells }))
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

/// Writes the values of the cells that have doubled quotes to `unescaped`, and has the cells point there.
fn unescape(raw: &str, cells: &mut [CellSpan], unescaped: &mut String) {
    for cell in cells.iter_mut().filter(|cell| cell.is_unescaped) {
        let value = &raw[cell.start as usize..cell.end as usize];
        cell.start = unescaped.len() as u32;
        for (index, part) in value.split("\"\"").enumerate() {
            if index > 0 {
                unescaped.push('"');
            }
            unescaped.push_str(part);
        }
        cell.end = unescaped.len() as u32;
    }
}
