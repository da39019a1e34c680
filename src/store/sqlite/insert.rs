//! Rows as INSERT statements. The table is kept in the order of its key, so the order in which rows are written does
//! not matter; but many rows a statement let SQLite append one after the other, where each statement has to find its
//! place.

use std::ops::Range;

use super::statement::{Locked, Statement, Value};
use crate::model::{IntakeStatus, NewRequest, RowChunk};
use crate::store::Error;

/// Rows a statement.
const ROWS: usize = 100;

/// The rows of a chunk as they are stored, in one arena. Rows to be contacted on a plain target are nearly all rows,
/// and have statements of their own with half the parameters.
#[derive(Default)]
pub(super) struct Encoded {
    text: String,
    pending: Vec<Entry>,
    others: Vec<(Entry, Verdict)>,
}

/// What every row has; texts are places in the arena.
struct Entry {
    row_number: u32,
    line: u32,
    reference_id: Range<usize>,
    target: Range<usize>,
    cells: Range<usize>,
}

/// What a row has that is not PENDING, or whose target has an extension.
struct Verdict {
    status: &'static str,
    code: Option<&'static str>,
    message: Option<Range<usize>>,
    duplicate_of: Option<u32>,
    duplicate_of_batch: Option<Range<usize>>,
    sent_reference_id: Option<Range<usize>>,
    sent_target: Option<Range<usize>>,
    target_extension: Option<Range<usize>>,
}

impl Encoded {
    pub(super) fn new(chunk: &RowChunk) -> Self {
        let mut encoded = Encoded::default();
        // A JSON array adds three bytes a cell, and hardly ever more.
        encoded.text.reserve(chunk.text_len() * 3 / 2);
        for (row, cells) in chunk.iter() {
            encoded.add(&row, cells);
        }
        encoded
    }

    fn add<'a>(&mut self, row: &NewRequest<'_>, cells: impl Iterator<Item = &'a str>) {
        let reference_id = self.push(row.reference_id);
        let target = self.push(row.target);
        let start = self.text.len();
        push_json_array(&mut self.text, cells);
        let cells = start..self.text.len();
        let entry = Entry { row_number: row.row_number, line: row.line, reference_id, target, cells };
        if row.status == IntakeStatus::Pending && row.target_extension.is_none() {
            self.pending.push(entry);
            return;
        }
        let message = (row.status != IntakeStatus::Pending).then(|| self.push(row.message));
        let code = row.code.map(|code| code.as_str());
        let verdict = Verdict {
            status: row.status.as_str(),
            code,
            message,
            duplicate_of: row.duplicate_of,
            duplicate_of_batch: row.duplicate_of_batch.map(|batch| self.push(batch)),
            sent_reference_id: row.sent_reference_id.map(|sent| self.push(sent)),
            sent_target: row.sent_target.map(|sent| self.push(sent)),
            target_extension: row.target_extension.map(|extension| self.push(extension)),
        };
        self.others.push((entry, verdict));
    }

    fn push(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    fn text(&self, place: &Range<usize>) -> Value<'_> {
        Value::Text(&self.text[place.clone()])
    }

    fn values(&self, batch_key: i32, entry: &Entry) -> [Value<'_>; 6] {
        [
            Value::Number(batch_key.into()),
            Value::Number(entry.row_number.into()),
            Value::Number(entry.line.into()),
            self.text(&entry.reference_id),
            self.text(&entry.target),
            self.text(&entry.cells),
        ]
    }

    fn values_of_verdict(&self, verdict: &Verdict) -> [Value<'_>; 8] {
        let or_null = |place: &Option<Range<usize>>| place.as_ref().map_or(Value::Null, |place| self.text(place));
        [
            Value::Text(verdict.status),
            verdict.code.map_or(Value::Null, Value::Text),
            or_null(&verdict.message),
            verdict.duplicate_of.map_or(Value::Null, |row| Value::Number(row.into())),
            or_null(&verdict.duplicate_of_batch),
            or_null(&verdict.sent_reference_id),
            or_null(&verdict.sent_target),
            or_null(&verdict.target_extension),
        ]
    }
}

/// The statements of one load.
pub(super) struct Inserts<'c> {
    batch_key: i32,
    many_pending: Statement<'c>,
    one_pending: Statement<'c>,
    one_other: Statement<'c>,
}

impl<'c> Inserts<'c> {
    pub(super) fn prepare(connection: &'c Locked<'_>, batch_key: i32) -> Result<Self, Error> {
        const PENDING: (&str, &str) = ("", "(?,?,?,?,?,?,'PENDING')");
        const OTHER: (&str, &str) = (
            ", error_code, error_message, duplicate_of_row, duplicate_of_batch, sent_reference_id, sent_target, \
             target_extension",
            "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        );
        Ok(Inserts {
            batch_key,
            many_pending: Statement::prepare(connection, &sql(PENDING, ROWS))?,
            one_pending: Statement::prepare(connection, &sql(PENDING, 1))?,
            one_other: Statement::prepare(connection, &sql(OTHER, 1))?,
        })
    }

    /// Writes the rows; returns how many were written.
    pub(super) fn write(&mut self, rows: &Encoded) -> Result<u64, Error> {
        let (mut written, mut values) = (0, Vec::with_capacity(6 * ROWS));
        let mut many = rows.pending.chunks_exact(ROWS);
        for entries in many.by_ref() {
            values.clear();
            values.extend(entries.iter().flat_map(|entry| rows.values(self.batch_key, entry)));
            written += self.many_pending.run(&values)?;
        }
        for entry in many.remainder() {
            written += self.one_pending.run(&rows.values(self.batch_key, entry))?;
        }
        for (entry, verdict) in &rows.others {
            values.clear();
            values.extend(rows.values(self.batch_key, entry));
            values.extend(rows.values_of_verdict(verdict));
            written += self.one_other.run(&values)?;
        }
        Ok(written)
    }
}

/// An INSERT of so many rows, with more columns than every row has. Parameters have no numbers: SQLite looks numbered
/// ones up one by one, through all of them.
fn sql((columns, row): (&str, &str), rows: usize) -> String {
    let rows = vec![row; rows].join(",");
    format!(
        "insert into request_rows (batch_key, row_number, line, reference_id, target, cells, request_status{columns}) \
         values {rows}"
    )
}

/// The cells as a JSON array of strings.
fn push_json_array<'a>(json: &mut String, cells: impl Iterator<Item = &'a str>) {
    json.push('[');
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            json.push(',');
        }
        push_json_string(json, cell);
    }
    json.push(']');
}
fn push_json_string(json: &mut String, text: &str) {
    let is_plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    json.push('"');
    if text.as_bytes().iter().all(is_plain) {
        json.push_str(text);
        json.push('"');
    } else {
        // Rare; serde_json knows the rules, and puts the quotes itself.
        json.pop();
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::push_json_array;

    #[test]
    fn cells_come_back_from_json() {
        let cells = ["", "plain", "say \"hi\"", "back\\slash", "two\nlines\t\u{1}", "Zoë 😀"];
        let mut json = String::new();
        push_json_array(&mut json, cells.into_iter());
        let back: Vec<String> = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!(back, cells);
        json.clear();
        push_json_array(&mut json, [].into_iter());
        assert_eq!(json, "[]");
    }
}
