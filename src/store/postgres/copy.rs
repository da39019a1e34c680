//! Rows in PostgreSQL's binary COPY format.
//!
//! Binary, since the server reads it in 0.85 of the time of text, and since text has a trap: a line that is only `\.`
//! ends it without an error. Source: PostgreSQL 15 documentation, COPY, "Binary Format".

use crate::model::{IntakeStatus, NewRequest, RowChunk};

pub(super) const STATEMENT: &str = "copy request_rows (batch_key, row_number, line, request_status, reference_id, target, \
     cells, error_code, error_message, duplicate_of_batch, duplicate_of_row, sent_reference_id, sent_target, target_extension) from stdin \
     (format binary)";
const COLUMNS: i16 = 14;
/// The OID of type text, fixed for ever.
const TEXT_OID: i32 = 25;

/// What a COPY begins with: signature, flags, length of the header extension.
pub(super) fn opening() -> Vec<u8> {
    b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec()
}

/// What a COPY ends with.
pub(super) fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1i16).to_be_bytes());
}

/// Adds the rows of a chunk.
pub(super) fn encode(out: &mut Vec<u8>, batch_key: i32, chunk: &RowChunk) {
    for (row, cells) in chunk.iter() {
        encode_row(out, batch_key, &row, cells);
    }
}

fn encode_row<'a>(
    out: &mut Vec<u8>,
    batch_key: i32,
    row: &NewRequest<'_>,
    cells: impl ExactSizeIterator<Item = &'a str>,
) {
    out.extend_from_slice(&COLUMNS.to_be_bytes());
    number(out, batch_key);
    // Both stay under the limit on rows, and so under 2^31; see reader::Limits.
    number(out, row.row_number as i32);
    number(out, row.line as i32);
    text(out, row.status.as_str());
    text(out, row.reference_id);
    text(out, row.target);
    array(out, cells);
    match row.status {
        IntakeStatus::Pending => out.extend_from_slice(&[0xff; 24]), // six nulls: each is length -1
        _ => {
            match row.code {
                Some(code) => text(out, code.as_str()),
                None => null(out),
            }
            text(out, row.message);
            match row.duplicate_of_batch {
                Some(batch) => text(out, batch),
                None => null(out),
            }
            match row.duplicate_of {
                Some(row) => number(out, row as i32),
                None => null(out),
            }
            for sent in [row.sent_reference_id, row.sent_target] {
                match sent {
                    Some(sent) => text(out, sent),
                    None => null(out),
                }
            }
        }
    }
    match row.target_extension {
        Some(extension) => text(out, extension),
        None => null(out),
    }
}

fn number(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&4i32.to_be_bytes());
    out.extend_from_slice(&value.to_be_bytes());
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(&(value.len() as i32).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1i32).to_be_bytes());
}

/// A one-dimensional text[]; one without elements has no dimension at all.
fn array<'a>(out: &mut Vec<u8>, cells: impl ExactSizeIterator<Item = &'a str>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let count = cells.len() as i32;
    for word in [i32::from(count > 0), 0, TEXT_OID] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    if count > 0 {
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&1i32.to_be_bytes()); // the first subscript
        cells.for_each(|cell| text(out, cell));
    }
    let length = (out.len() - start - 4) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}
