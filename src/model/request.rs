//! A request: what one data row of the file becomes; and the compact form in which rows travel to the store.

use chrono::{DateTime, Utc};

use super::fault::RowCode;

/// The verdict on a row at intake. Later statuses are other people's, and an open set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntakeStatus {
    /// To be contacted.
    Pending,
    /// Its key was already claimed.
    Duplicate,
    /// Usable, but policy forbids it.
    Skipped,
    /// Cannot be used.
    Invalid,
}

impl IntakeStatus {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            IntakeStatus::Pending => "PENDING",
            IntakeStatus::Duplicate => "DUPLICATE",
            IntakeStatus::Skipped => "SKIPPED",
            IntakeStatus::Invalid => "INVALID",
        }
    }
}

/// One judged row on its way to the store. Text is borrowed; it lives in the reader's buffer or in a [`RowChunk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRequest<'a> {
    /// Counts the file's data rows from 1.
    pub row_number: u32,
    /// The line on which the row starts, from 1.
    pub line: u32,
    /// The verdict.
    pub status: IntakeStatus,
    /// Why it is not PENDING.
    pub code: Option<RowCode>,
    /// The same for a person; empty for a PENDING row. Never holds what the cell said.
    pub message: &'a str,
    /// The row that holds the key, for a DUPLICATE.
    pub duplicate_of: Option<u32>,
    /// The batch of that row, where it is another one.
    pub duplicate_of_batch: Option<&'a str>,
    /// Trimmed; empty where the file gave none.
    pub reference_id: &'a str,
    /// Normalised; for an INVALID row, what the file said.
    pub target: &'a str,
    /// The extension behind the phone number, where the file gave one.
    pub target_extension: Option<&'a str>,
    /// What the file said, of a row that is not PENDING, where it differs from `reference_id`.
    pub sent_reference_id: Option<&'a str>,
    /// The same of `target`.
    pub sent_target: Option<&'a str>,
}

impl<'a> NewRequest<'a> {
    /// Keeps what the file said beside what is stored, where that differs: should the row not be PENDING in the end, it
    /// goes back to its sender.
    pub fn as_sent(self, reference_id: Option<&'a str>, target: Option<&'a str>) -> Self {
        NewRequest {
            sent_reference_id: reference_id.filter(|sent| *sent != self.reference_id),
            sent_target: target.filter(|sent| *sent != self.target),
            ..self
        }
    }
}

/// What a usable row is after all, where it is not PENDING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// SKIPPED or DUPLICATE.
    pub status: IntakeStatus,
    /// Why.
    pub code: RowCode,
    /// The same for a person.
    pub message: String,
    /// The row that holds the key.
    pub duplicate_of: Option<u32>,
    /// Its batch, where it is another one.
    pub duplicate_of_batch: Option<String>,
}

/// A run of judged rows in one arena: no allocation a row, so that a million rows cost a few buffers.
///
/// All text of a row stands end to end in `text`: message, reference_id, target, the cells of the other columns, what
/// was sent where it differs, and the target's extension. What is decided later (a message, the id of another batch) is
/// added at the end of all.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RowChunk {
    text: String,
    rows: Vec<RowEntry>,
    /// For every cell of every row, where it ends in `text`.
    cell_ends: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RowEntry {
    row_number: u32,
    line: u32,
    status: IntakeStatus,
    code: Option<RowCode>,
    duplicate_of: Option<u32>,
    message_start: u32,
    message_end: u32,
    /// An empty one is none.
    batch_end: u32,
    reference_start: u32,
    reference_end: u32,
    target_end: u32,
    cells_start: u32,
    cells_end: u32,
    /// Empty ones are none: what was sent empty is stored empty.
    sent_start: u32,
    sent_reference_end: u32,
    sent_target_end: u32,
    /// An empty one is none.
    extension_end: u32,
}

impl RowEntry {
    fn key_texts<'t>(&self, text: &'t str) -> (&'t str, &'t str) {
        let [start, middle, end] = [self.reference_start, self.reference_end, self.target_end].map(|at| at as usize);
        (&text[start..middle], &text[middle..end])
    }
}

impl RowChunk {
    /// Adds one row; `cells` are the values of the columns other than reference_id and target, in file order.
    pub fn push<'c>(&mut self, row: NewRequest<'_>, cells: impl IntoIterator<Item = &'c str>) {
        let message_start = self.end();
        self.text.push_str(row.message);
        let message_end = self.end();
        self.text.push_str(row.duplicate_of_batch.unwrap_or_default());
        let batch_end = self.end();
        self.text.push_str(row.reference_id);
        let reference_end = self.end();
        self.text.push_str(row.target);
        let target_end = self.end();
        let cells_start = self.cell_ends.len() as u32;
        for cell in cells {
            self.text.push_str(cell);
            self.cell_ends.push(self.text.len() as u32);
        }
        let sent_start = self.end();
        self.text.push_str(row.sent_reference_id.unwrap_or_default());
        let sent_reference_end = self.end();
        self.text.push_str(row.sent_target.unwrap_or_default());
        let sent_target_end = self.end();
        self.text.push_str(row.target_extension.unwrap_or_default());
        self.rows.push(RowEntry {
            row_number: row.row_number,
            line: row.line,
            status: row.status,
            code: row.code,
            duplicate_of: row.duplicate_of,
            message_start,
            message_end,
            batch_end,
            reference_start: batch_end,
            reference_end,
            target_end,
            cells_start,
            cells_end: self.cell_ends.len() as u32,
            sent_start,
            sent_reference_end,
            sent_target_end,
            extension_end: self.end(),
        });
    }

    /// The PENDING rows: row number, reference_id, target.
    pub fn pending(&self) -> impl Iterator<Item = (u32, &str, &str)> {
        self.rows.iter().filter(|entry| entry.status == IntakeStatus::Pending).map(|entry| {
            let (reference_id, target) = entry.key_texts(&self.text);
            (entry.row_number, reference_id, target)
        })
    }

    /// Decides in order on the rows that are PENDING so far, by row number, reference_id and target; `None` leaves one
    /// so.
    pub fn decide(&mut self, mut decide: impl FnMut(u32, &str, &str) -> Option<Decision>) {
        for entry in &mut self.rows {
            if entry.status != IntakeStatus::Pending {
                continue;
            }
            let (reference_id, target) = entry.key_texts(&self.text);
            let Some(decision) = decide(entry.row_number, reference_id, target) else { continue };
            entry.status = decision.status;
            entry.code = Some(decision.code);
            entry.duplicate_of = decision.duplicate_of;
            entry.message_start = self.text.len() as u32;
            self.text.push_str(&decision.message);
            entry.message_end = self.text.len() as u32;
            self.text.push_str(decision.duplicate_of_batch.as_deref().unwrap_or_default());
            entry.batch_end = self.text.len() as u32;
        }
    }

    fn end(&self) -> u32 {
        // A chunk is closed long before 4 GiB: a row's size is limited, and so is a chunk's (see worker::intake).
        self.text.len() as u32
    }

    /// Bytes of text held.
    pub fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Rows held.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row is held.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Forgets the rows and keeps the memory, for the next run.
    pub fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.cell_ends.clear();
    }

    /// The rows in order, each with its cells.
    pub fn iter(&self) -> impl Iterator<Item = (NewRequest<'_>, Cells<'_>)> {
        self.rows.iter().map(move |entry| {
            let text = |from: u32, to: u32| &self.text[from as usize..to as usize];
            // Only rows that go back to their sender keep what was sent.
            let given = |from: u32, to: u32| (to > from).then(|| text(from, to));
            let sent = |from: u32, to: u32| given(from, to).filter(|_| entry.status != IntakeStatus::Pending);
            let request = NewRequest {
                row_number: entry.row_number,
                line: entry.line,
                status: entry.status,
                code: entry.code,
                message: text(entry.message_start, entry.message_end),
                duplicate_of: entry.duplicate_of,
                duplicate_of_batch: given(entry.message_end, entry.batch_end),
                reference_id: text(entry.reference_start, entry.reference_end),
                target: text(entry.reference_end, entry.target_end),
                target_extension: given(entry.sent_target_end, entry.extension_end),
                sent_reference_id: sent(entry.sent_start, entry.sent_reference_end),
                sent_target: sent(entry.sent_reference_end, entry.sent_target_end),
            };
            let ends = &self.cell_ends[entry.cells_start as usize..entry.cells_end as usize];
            (request, Cells { text: &self.text, start: entry.target_end, ends })
        })
    }
}

/// The cells of one row of a [`RowChunk`].
#[derive(Debug, Clone)]
pub struct Cells<'a> {
    text: &'a str,
    start: u32,
    ends: &'a [u32],
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (&end, rest) = self.ends.split_first()?;
        let cell = &self.text[self.start as usize..end as usize];
        self.start = end;
        self.ends = rest;
        Some(cell)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ends.len(), Some(self.ends.len()))
    }
}

impl ExactSizeIterator for Cells<'_> {}

/// A stored request as people and programs see it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Request {
    /// The batch it belongs to.
    pub batch_id: String,
    /// Its place among the file's data rows, from 1.
    pub row_number: u32,
    /// The line on which the row starts.
    pub line: u32,
    /// The sender's id.
    pub reference_id: String,
    /// Whom to contact. Private: screens show the last four characters.
    pub target: String,
    /// The extension behind the phone number, where the file gave one. Private.
    pub target_extension: Option<String>,
    /// Every other column under its header. Private.
    pub request_variables: serde_json::Value,
    /// An open set.
    pub request_status: String,
    /// Why it is not PENDING.
    pub error_code: Option<String>,
    /// The same for a person.
    pub error_message: Option<String>,
    /// The batch of the row that holds the key.
    pub duplicate_of_batch_id: Option<String>,
    /// The row that holds the key.
    pub duplicate_of_row: Option<u32>,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When it was sent, as its sender says.
    pub sent_at: Option<DateTime<Utc>>,
    /// How often it was tried, as its sender says.
    pub attempt_count: u32,
}

/// A stored row that was not PENDING at intake, with its cells as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its place among the file's data rows, from 1.
    pub row_number: u32,
    /// The line on which the row starts.
    pub line: u32,
    /// Why.
    pub code: String,
    /// The same for a person.
    pub message: String,
    /// Blank where the file gave none.
    pub reference_id: String,
    /// Blank where the file gave none.
    pub target: String,
    /// The cells of the other columns, in file order; as many as the row had.
    pub cells: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_gives_back_what_was_pushed() {
        let row = NewRequest {
            row_number: 7,
            line: 9,
            status: IntakeStatus::Duplicate,
            code: Some(RowCode::DuplicateReference),
            message: "why",
            duplicate_of: Some(3),
            duplicate_of_batch: Some("20250812.10"),
            reference_id: "A1",
            target: "+15125550100",
            target_extension: None,
            sent_reference_id: None,
            sent_target: Some("(512) 555-0100"),
        };
        let rows = [
            (NewRequest { row_number: 6, sent_target: None, ..row }, vec![]),
            (row, vec!["Zoë", "", "x"]),
            (NewRequest { row_number: 8, sent_reference_id: Some(" A1 "), sent_target: Some(" "), ..row }, vec!["y"]),
            (NewRequest { row_number: 9, target_extension: Some("45"), ..row }, vec!["z"]),
            (NewRequest { row_number: 10, sent_target: None, ..row }, vec![]),
        ];
        let mut chunk = RowChunk::default();
        for round in 0..2 {
            for (row, cells) in &rows {
                chunk.push(*row, cells.iter().copied());
            }
            let back: Vec<_> = chunk.iter().map(|(row, cells)| (row, cells.collect::<Vec<_>>())).collect();
            assert_eq!(back, rows, "in round {round}");
            chunk.clear();
            assert!(chunk.is_empty() && chunk.text_len() == 0);
        }
    }

    #[test]
    fn what_was_sent_is_kept_only_where_it_differs() {
        let row = NewRequest {
            row_number: 1,
            line: 2,
            status: IntakeStatus::Duplicate,
            code: None,
            message: "",
            duplicate_of: None,
            duplicate_of_batch: None,
            reference_id: "A1",
            target: "+15125550100",
            target_extension: None,
            sent_reference_id: None,
            sent_target: None,
        };
        let sent = row.as_sent(Some("A1"), Some("5125550100"));
        assert_eq!((sent.sent_reference_id, sent.sent_target), (None, Some("5125550100")));
    }
}
