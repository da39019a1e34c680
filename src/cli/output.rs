//! Tables for people, JSON lines for programs; the same rows for both.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use comfy_table::{CellAlignment, ContentArrangement};

use crate::model::Batch;

/// So many rows are aligned with each other; then they are written, so that memory does not grow with their number.
const PIECE: usize = 1_000;

/// Rows under a header. With JSON asked for, each row is written at once as one object a line.
pub(super) struct Table {
    header: Vec<String>,
    inner: Option<comfy_table::Table>,
    rows: usize,
}

impl Table {
    pub(super) fn new(header: &[&str], json: bool) -> Self {
        let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
        let inner = (!json).then(|| piece(&header));
        Table { header, inner, rows: 0 }
    }

    pub(super) fn row(&mut self, cells: Vec<String>, json: &serde_json::Value) {
        self.rows += 1;
        match &mut self.inner {
            Some(table) => {
                // A file's name may hold anything: nothing of it may steer the terminal.
                table.add_row(cells.iter().map(|cell| printable(cell)));
            }
            None => json_line(json),
        }
        if self.rows.is_multiple_of(PIECE) {
            self.print();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Writes what has not been written, as a table for people, unless it has no rows; JSON is written already.
    pub(super) fn print(&mut self) {
        for text in self.take_lines() {
            line(&text);
        }
    }

    /// The lines of what has not been written, for people; then it counts as written.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        let Some(table) = self.inner.as_mut().filter(|table| !table.is_empty()) else { return Vec::new() };
        let text = std::mem::replace(table, piece(&self.header)).to_string();
        text.lines().map(|text| text.trim_end().to_owned()).collect()
    }
}

fn piece(header: &[String]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    // On a terminal, the widest columns are wrapped to fit; into a pipe, a row is a line.
    let arrangement =
        if std::io::stdout().is_terminal() { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
    table.set_content_arrangement(arrangement);
    for (column, name) in table.column_iter_mut().zip(header) {
        column.set_padding((0, 1));
        if is_number(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn is_number(name: &str) -> bool {
    matches!(
        name,
        "ID" | "ROWS" | "PENDING" | "DUPLICATE" | "SKIPPED" | "INVALID" | "BYTES" | "TRIES" | "COUNT" | "LINE"
    )
}

/// How a file was written; of what is nearly always the same, only what is not. `others` are quote, escape, newline and
/// compression.
pub(super) fn dialect(encoding: &str, delimiter: &str, others: [Option<&str>; 4], header_line: Option<u32>) -> String {
    let [quote, escape, newline, compression] = others;
    let mut text = format!("{encoding}, delimiter \"{delimiter}\"");
    let mut add = |name: &str, value: Option<&str>, usual: &[&str]| match value {
        None => {}
        Some(value) if usual.contains(&value) => {}
        Some("") => text.push_str(&format!(", no {name}")),
        Some(value) => text.push_str(&format!(", {name} {value}")),
    };
    add("quote", quote, &["\""]);
    add("escape", escape, &["\"", quote.unwrap_or_default()]);
    add("newline", newline, &["lf", "crlf"]);
    add("compression", compression, &[]);
    if let Some(line) = header_line.filter(|line| *line != 1) {
        text.push_str(&format!(", header in line {line}"));
    }
    text
}

/// The text with control characters made visible as `�`, so that it cannot move the cursor, set colours, or turn the
/// direction of reading.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Writes a value as one line of JSON. It loses nothing, and may end on a terminal all the same: what could steer that
/// is escaped, which JSON itself asks of the oldest control characters alone.
pub(super) fn json_line(value: &serde_json::Value) {
    line(&json_text(value));
}

/// The line without its end.
pub(super) fn json_text(value: &serde_json::Value) -> String {
    escaped(&value.to_string())
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // They stand in texts only, where an escape means the same; all of them have four digits.
        if steers(c) { text.push_str(&format!("\\u{:04x}", u32::from(c))) } else { text.push(c) }
    }
    text
}

/// Writes a line to standard output. A reader that went away (`| head`) is no trouble.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// The same to standard error, for what is no data.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// `9,412 PENDING + 310 DUPLICATE`: the parts of a number of rows, to be checked by eye.
pub(super) fn sum(counts: &BTreeMap<String, u64>) -> String {
    let intake = ["PENDING", "DUPLICATE", "SKIPPED", "INVALID"];
    let of_intake = intake.iter().filter_map(|status| counts.get_key_value(*status));
    // Later statuses are other people's.
    let others = counts.iter().filter(|(status, _)| !intake.contains(&status.as_str()));
    let parts: Vec<_> =
        of_intake.chain(others).map(|(status, count)| format!("{} {status}", thousands(*count))).collect();
    parts.join(" + ")
}

/// The header of tables of batches.
pub(super) const BATCH_HEADER: &[&str] =
    &["BATCH_ID", "FILE", "STATUS", "ROWS", "PENDING", "DUPLICATE", "SKIPPED", "INVALID", "ERROR_MESSAGE"];

/// A batch as a row of such a table.
pub(super) fn batch_row(batch: &Batch) -> Vec<String> {
    let mut cells = vec![
        batch.batch_id.clone(),
        batch.upload_filename.clone().unwrap_or_default(),
        batch.status.as_str().to_owned(),
        thousands(batch.rows_read),
    ];
    let failed = batch.error_message.is_some();
    cells.extend(
        ["PENDING", "DUPLICATE", "SKIPPED", "INVALID"]
            .map(|status| if failed { "-".to_owned() } else { thousands(batch.count(status)) }),
    );
    cells.push(batch.error_message.clone().unwrap_or_default());
    cells
}

/// `1,234,567`
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_names_cannot_steer_a_terminal() {
        assert_eq!([0, 12, 999, 1000, 1_234_567].map(thousands), ["0", "12", "999", "1,000", "1,234,567"]);
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(printable("vsc.\u{202e}x"), "vsc.\u{fffd}x");
    }

    #[test]
    fn json_keeps_every_character_and_steers_no_terminal() {
        let value = serde_json::json!({ "é\u{9b}31m": "vsc.\u{202e}x\u{1b}\n\"" });
        let json = escaped(&value.to_string());
        assert_eq!(json, r#"{"é\u009b31m":"vsc.\u202ex\u001b\n\""}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }
}
