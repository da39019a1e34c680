//! `read`: a file exactly as the reader takes it, as plain CSV or JSON. Nothing is judged, nothing written anywhere.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::output::{note, printable, thousands};
use super::told::ToldArgs;
use super::{FINDINGS_OR_TROUBLE, OK, USAGE};
use crate::config::Config;
use crate::model::{Fault, Format, Problem, Row};
use crate::reader::{Limits, ReadError, Rows};
use crate::telemetry;

/// Rows told of that are not as they should be; the others are counted.
const MOST_NOTES: u64 = 20;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  read to its end; every row has as many cells as the header, and quotes that make sense
  1  a fault of a file, or rows of which standard error says what is wrong with them
  2  wrong usage, or a file that cannot be read

The output is UTF-8 with commas, LF, and quotes only where they are needed; line ends in cells are kept.
With --json, a row is one object: its cells under their columns' names. A second column of the same name
is NAME_2, one without a name column_N, and the cells beyond the header's are _extra_1, _extra_2, …
The data is not masked: it is the file's.

Examples:
  batchdrop read export.csv | head
  batchdrop read --delimiter ';' --encoding windows-1252 --header false export.csv
  batchdrop read --config batchdrop.toml --campaign late_payments export.csv > plain.csv")]
pub(super) struct ReadArgs {
    /// Files to read
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read as this campaign says, whatever the file's name
    #[arg(long)]
    campaign: Option<String>,
    #[command(flatten)]
    told: ToldArgs,
}

/// Why a file was not written out to its end.
enum Ended {
    Fault(Fault),
    Trouble(anyhow::Error),
    /// Whoever read the output went away.
    Unread,
}

impl From<ReadError> for Ended {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Fault(fault) => Ended::Fault(fault),
            ReadError::Source(error) => Ended::Trouble(error.into()),
        }
    }
}

impl From<std::io::Error> for Ended {
    /// Of the output; the input's come as [`ReadError`].
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Ended::Unread } else { Ended::Trouble(error.into()) }
    }
}

pub(super) fn read(args: &ReadArgs, config: &Config, json: bool) -> anyhow::Result<u8> {
    let router = super::router(config)?;
    let mut out = BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
    let mut code = OK;
    for path in &args.files {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // A file that no campaign takes can be read all the same.
        let campaign = super::check::campaign(&router, args.campaign.as_deref(), name)?;
        let format = args.told.over(campaign.map(|campaign| campaign.format.clone()).unwrap_or_default())?;
        let mut notes = Notes { file: printable(&path.display().to_string()), count: 0 };
        match write_out(path, &format, config.limits, json, &mut out, &mut notes) {
            Ok(()) => {}
            Err(Ended::Fault(fault)) => {
                out.flush().or_else(pipe_closed)?;
                notes.fault(&fault);
            }
            Err(Ended::Trouble(error)) => {
                note(&format!("error: {}: cannot be read: {}", notes.file, telemetry::chain(error.as_ref())));
                code = USAGE;
            }
            Err(Ended::Unread) => return Ok(OK),
        }
        if notes.count > MOST_NOTES {
            note(&format!("{}: … and {} more like these", notes.file, thousands(notes.count - MOST_NOTES)));
        }
        if notes.count > 0 && code == OK {
            code = FINDINGS_OR_TROUBLE;
        }
    }
    out.flush().or_else(pipe_closed)?;
    Ok(code)
}

fn pipe_closed(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

fn write_out(
    path: &Path,
    format: &Format,
    limits: Limits,
    json: bool,
    out: &mut impl Write,
    notes: &mut Notes,
) -> Result<(), Ended> {
    let file = open(path).map_err(Ended::Trouble)?;
    let mut rows = Rows::open(file, format, limits)?;
    let header_line = rows.dialect.header_line;
    if rows.seems_headless {
        rows.number_columns();
        let text =
            "there seems to be no header, so the columns are numbered; tell their names, or that there is a header";
        notes.say(header_line.unwrap_or(1), 1, text);
    }
    if let Some(line) = rows.dialect.header_line.filter(|_| rows.is_below_a_title) {
        notes.say(line, 1, "the header is taken to be here; the lines above it are not read");
    }
    if let Some(column) = rows.broken_name {
        notes.say(header_line.unwrap_or(1), 1, &quotes(column));
    }
    let names = rows.names.clone();
    let keys = if json { keys(&names) } else { Vec::new() };
    if !json {
        write_csv(out, names.iter().map(String::as_str))?;
    }
    while let Some(row) = rows.next_row()? {
        tell(&row, names.len(), notes);
        if json {
            write_json(out, &keys, &row)?;
        } else {
            write_csv(out, row.values())?;
        }
    }
    Ok(())
}

fn open(path: &Path) -> anyhow::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        bail!("it is a folder");
    }
    Ok(file)
}

/// What is wrong with a row as it is written.
fn tell(row: &Row<'_>, columns: usize, notes: &mut Notes) {
    let problem = match row.problem {
        Some(Problem::Quotes { column }) => Some((column, quotes(column))),
        Some(Problem::TooLong { column, bytes }) => {
            Some((column, format!("column {}: longer than {bytes} bytes", column + 1)))
        }
        None => None,
    };
    if let Some((column, text)) = problem {
        let (line, character) = row.position(column).unwrap_or((row.line, 1));
        notes.say(line, character, &text);
    } else if row.cells.len() != columns {
        let cells = row.cells.len();
        let noun = if cells == 1 { "cell" } else { "cells" };
        notes.say(row.line, 1, &format!("{cells} {noun} where the header has {columns}"));
    }
}

fn quotes(column: usize) -> String {
    format!("column {}: a quote is never closed, or text follows it; the line was cut as well as it can be", column + 1)
}

/// What is said of a file on standard error.
struct Notes {
    file: String,
    count: u64,
}

impl Notes {
    fn say(&mut self, line: u32, column: u32, text: &str) {
        self.count += 1;
        if self.count <= MOST_NOTES {
            note(&format!("{}:{line}:{column}: {text}", self.file));
        }
    }

    fn fault(&mut self, fault: &Fault) {
        self.count += 1;
        note(&format!("{}: {}", self.file, fault.message()));
    }
}

/// One row with commas and LF, in quotes what needs them.
fn write_csv<'a>(out: &mut impl Write, cells: impl Iterator<Item = &'a str>) -> std::io::Result<()> {
    let (mut count, mut length) = (0, 0);
    for cell in cells {
        if count > 0 {
            out.write_all(b",")?;
        }
        count += 1;
        length += cell.len();
        let needs_quotes = cell.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
        if !needs_quotes {
            out.write_all(cell.as_bytes())?;
            continue;
        }
        for (index, part) in cell.split('"').enumerate() {
            out.write_all(if index == 0 { b"\"" } else { b"\"\"" })?;
            out.write_all(part.as_bytes())?;
        }
        out.write_all(b"\"")?;
    }
    // A row of one empty cell would be an empty line, which is no row.
    out.write_all(if count == 1 && length == 0 { b"\"\"\n" } else { b"\n" })
}

fn write_json(out: &mut impl Write, keys: &[String], row: &Row<'_>) -> std::io::Result<()> {
    let mut separator = "{";
    for (column, value) in row.values().enumerate() {
        let extra = || format!("_extra_{}", column + 1 - keys.len());
        let key = keys.get(column).cloned().unwrap_or_else(extra);
        write!(out, "{separator}{}:{}", serde_json::Value::from(key), serde_json::Value::from(value))?;
        separator = ",";
    }
    out.write_all(b"}\n")
}

/// The columns' names, each made one of its own.
fn keys(names: &[String]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::with_capacity(names.len());
    for (column, name) in (1..).zip(names) {
        let name = name.trim();
        let plain = if name.is_empty() { format!("column_{column}") } else { name.to_owned() };
        let mut key = plain.clone();
        let mut next = 2;
        while keys.contains(&key) {
            key = format!("{plain}_{next}");
            next += 1;
        }
        keys.push(key);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_in_quotes_where_they_need_them() {
        let csv = |cells: &[&str]| {
            let mut out = Vec::new();
            write_csv(&mut out, cells.iter().copied()).expect("written");
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(csv(&["a", "b;c", " d "]), "a,b;c, d \n");
        assert_eq!(csv(&["a,b", "5\"", "x\r\ny", "\""]), "\"a,b\",\"5\"\"\",\"x\r\ny\",\"\"\"\"\n");
        assert_eq!((csv(&[""]), csv(&["", ""])), ("\"\"\n".to_owned(), ",\n".to_owned()));
    }

    #[test]
    fn every_column_has_a_key_of_its_own() {
        let names = ["a", "", "a ", "a_2", "column_2"].map(str::to_owned);
        assert_eq!(keys(&names), ["a", "column_2", "a_2", "a_2_2", "column_2_2"]);
    }
}
