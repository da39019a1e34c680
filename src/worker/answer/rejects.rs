//! The rejects file: the rows of a batch that were not PENDING, with their columns as they were sent.
//!
//! Promise: mended and dropped again as it is, it is read as the file was; what is not mended is judged as it was
//! before. So cells are not tamed for spreadsheets: a cell that begins with `=` is the sender's own, and goes back as
//! it is.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::model::{IntakeStatus, Reject, RowCode, SentColumns};
use crate::reader::REJECTS_COLUMNS;
use crate::store::{Error, Store};

/// Rows of the first page; what they take decides about the next.
const FIRST_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 5_000;
/// What a page may take in memory, as near as the one before it tells.
const PAGE_BYTES: usize = 1 << 20;

/// The bytes of a batch's rejects file, in order. UTF-8 with a byte order mark, without which spreadsheets take it for
/// something else; with the delimiter of the file, so that it opens where that did.
pub fn rejects_file(store: &Store, batch_id: &str, columns: &SentColumns) -> BoxStream<'static, Result<Bytes, Error>> {
    let layout = Layout::new(columns);
    let (store, batch_id) = (store.clone(), batch_id.to_owned());
    let mut header = String::from("\u{feff}");
    layout.push_header(&mut header);
    let state = Some((header, 0, FIRST_PAGE));
    let rows = stream::unfold(state, move |state| {
        let (store, batch_id, layout) = (store.clone(), batch_id.clone(), layout.clone());
        async move {
            let (mut text, after, limit) = state?;
            let page = match store.rejects(&batch_id, after, limit).await {
                Ok(page) => page,
                Err(error) => return Some((Err(error), None)),
            };
            page.iter().for_each(|reject| layout.push_row(&mut text, reject));
            let next = page.last().map(|last| {
                let rows_that_fit = PAGE_BYTES / (text.len() / page.len() + 1);
                (String::new(), last.row_number, (rows_that_fit as u32).clamp(1, LARGEST_PAGE))
            });
            Some((Ok(Bytes::from(text)), next))
        }
    });
    rows.boxed()
}

/// The columns in the order of the file, without those that a rejects file brings itself.
#[derive(Clone)]
struct Layout {
    columns: Vec<(String, Source)>,
    variables: usize,
    delimiter: String,
}

/// Where a column's cells are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    ReferenceId,
    Target,
    Variable(usize),
}

impl Layout {
    fn new(sent: &SentColumns) -> Layout {
        let (mut columns, mut variables) = (Vec::new(), 0);
        for (number, name) in (1..).zip(&sent.names) {
            if sent.reference_id == Some(number) {
                columns.push((name.clone(), Source::ReferenceId));
            } else if sent.target == Some(number) {
                columns.push((name.clone(), Source::Target));
            } else if sent.variable_names.get(variables) == Some(name) {
                columns.push((name.clone(), Source::Variable(variables)));
                variables += 1;
            }
        }
        // A batch of a time when the order of its columns was not kept yet.
        if columns.len() != sent.variable_names.len() + 2 {
            columns = vec![("reference_id".into(), Source::ReferenceId), ("target".into(), Source::Target)];
            columns.extend((0..).zip(&sent.variable_names).map(|(at, name)| (name.clone(), Source::Variable(at))));
        }
        let delimiter = match sent.delimiter.as_deref() {
            None => ",",
            Some("\\t") => "\t",
            Some(delimiter) => delimiter,
        };
        Layout { columns, variables: sent.variable_names.len(), delimiter: delimiter.to_owned() }
    }

    fn push_header(&self, text: &mut String) {
        let names = self.columns.iter().map(|(name, _)| name.as_str());
        self.push_cells(text, REJECTS_COLUMNS.into_iter().chain(names));
    }

    fn push_row(&self, text: &mut String, reject: &Reject) {
        let status = RowCode::parse(&reject.code).map_or(IntakeStatus::Invalid, RowCode::status);
        let (row, line) = (reject.row_number.to_string(), reject.line.to_string());
        let ours = [&row, &line, status.as_str(), &reject.code, &reject.message];
        let columns = &self.columns[..self.columns_sent(reject)];
        let named = columns.iter().map(|(_, source)| value(reject, *source));
        // More cells than the header has names follow without one, and so are too many again.
        let more = reject.cells.iter().skip(self.variables).map(String::as_str);
        self.push_cells(text, ours.into_iter().chain(named).chain(more));
    }

    /// How many of the columns the row had cells for. A row with too few must not be filled up in silence: what it
    /// lacks may have stood in the middle. Where blank cells at its end were not kept, it gets as many as are known.
    fn columns_sent(&self, reject: &Reject) -> usize {
        let has_too_few = reject.cells.len() < self.variables
            || reject.cells.len() == self.variables && reject.code == RowCode::CellCount.as_str();
        if !has_too_few {
            return self.columns.len();
        }
        let was_sent = |(_, source): &(String, Source)| match source {
            Source::Variable(at) => *at < reject.cells.len(),
            _ => !value(reject, *source).is_empty(),
        };
        self.columns.iter().rposition(was_sent).map_or(0, |last| last + 1)
    }

    fn push_cells<'a>(&self, text: &mut String, cells: impl Iterator<Item = &'a str>) {
        for (at, cell) in cells.enumerate() {
            if at > 0 {
                text.push_str(&self.delimiter);
            }
            push_cell(text, cell);
        }
        text.push('\n');
    }
}

fn value(reject: &Reject, source: Source) -> &str {
    match source {
        Source::ReferenceId => &reject.reference_id,
        Source::Target => &reject.target,
        Source::Variable(at) => reject.cells.get(at).map_or("", String::as_str),
    }
}

/// Quotes whatever a reader that has to guess could take for more than text.
fn push_cell(text: &mut String, cell: &str) {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '+' | '.' | '@' | '(' | ')' | '=');
    if cell.chars().all(is_plain) && cell.trim() == cell {
        text.push_str(cell);
    } else {
        text.push('"');
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str], reference_id: u32, target: u32) -> SentColumns {
        let variable_names = (1..)
            .zip(names)
            .filter(|(at, name)| *at != reference_id && *at != target && !name.starts_with('_'))
            .map(|(_, name)| (*name).to_owned())
            .collect();
        SentColumns {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            reference_id: Some(reference_id),
            target: Some(target),
            variable_names,
            delimiter: Some(",".to_owned()),
        }
    }

    fn row(columns: &SentColumns, code: RowCode, reference_id: &str, target: &str, cells: &[&str]) -> String {
        let reject = Reject {
            row_number: 7,
            line: 9,
            code: code.as_str().to_owned(),
            message: "why".to_owned(),
            reference_id: reference_id.to_owned(),
            target: target.to_owned(),
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        };
        let mut text = String::new();
        Layout::new(columns).push_row(&mut text, &reject);
        text
    }

    #[test]
    fn columns_stand_as_they_were_sent() {
        let sent = columns(&["Name", "Ref-ID", "_row", "Mobile", "note"], 2, 4);
        let mut header = String::new();
        Layout::new(&sent).push_header(&mut header);
        assert_eq!(header, "_row,_line,_status,_code,_message,Name,Ref-ID,Mobile,note\n");
        assert_eq!(
            row(&sent, RowCode::InvalidPhone, " A1", "12", &["=1+1", "say \"hi\", twice"]),
            "7,9,INVALID,INVALID_PHONE,why,=1+1,\" A1\",12,\"say \"\"hi\"\", twice\"\n"
        );
        let semicolons = SentColumns { delimiter: Some(";".to_owned()), ..sent.clone() };
        assert_eq!(
            row(&semicolons, RowCode::DuplicateTarget, "A1", "12", &["x", "1,5"]),
            "7;9;DUPLICATE;DUPLICATE_TARGET;why;x;A1;12;\"1,5\"\n"
        );
        let of_before = SentColumns { names: vec![], reference_id: None, target: None, delimiter: None, ..sent };
        let mut header = String::new();
        Layout::new(&of_before).push_header(&mut header);
        assert_eq!(header, "_row,_line,_status,_code,_message,reference_id,target,Name,note\n");
        assert_eq!(
            row(&of_before, RowCode::Suppressed, "A1", "12", &["x", "y"]),
            "7,9,SKIPPED,SUPPRESSED,why,A1,12,x,y\n"
        );
    }

    #[test]
    fn a_row_with_too_few_or_too_many_cells_keeps_its_count() {
        let sent = columns(&["ref", "phone", "a", "b"], 1, 2);
        let ragged = |reference_id, target, cells: &[&str]| row(&sent, RowCode::CellCount, reference_id, target, cells);
        assert_eq!(ragged("A1", "12", &["x"]), "7,9,INVALID,CELL_COUNT,why,A1,12,x\n");
        assert_eq!(ragged("A1", "12", &[]), "7,9,INVALID,CELL_COUNT,why,A1,12\n");
        assert_eq!(ragged("A1", "", &[]), "7,9,INVALID,CELL_COUNT,why,A1\n");
        assert_eq!(ragged("A1", "12", &["x", "y", "", "z"]), "7,9,INVALID,CELL_COUNT,why,A1,12,x,y,,z\n");
        let at_the_end = columns(&["a", "ref", "phone"], 2, 3);
        assert_eq!(row(&at_the_end, RowCode::CellCount, "A1", "", &["x"]), "7,9,INVALID,CELL_COUNT,why,x,A1\n");
    }
}
