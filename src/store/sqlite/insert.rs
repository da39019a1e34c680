//! Rows as INSERT statements of many rows each: one row a statement would be ten times slower.
//!
//! Statements come in a few fixed sizes, so that each is prepared once for a connection and then found in its cache. Rows to
//! be contacted are nearly all rows, and have a form of their own with half the parameters; the order of rows within a
//! chunk does not matter, since the table is kept in the order of its key.

use std::sync::{Arc, LazyLock};

use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::model::request::Cells;
use crate::model::{IntakeStatus, NewRequest, RowChunk};

/// Rows a statement, the largest first. 500 rows of 10 parameters stay well under SQLite's limit of 32,766.
const SIZES: [usize; 4] = [500, 50, 7, 1];

/// One statement and its values.
pub(super) struct Insert {
    pub(super) statement: SqlStr,
    pub(super) values: SqliteArguments,
}

/// The statements for PENDING rows, and for all others, one a size.
static STATEMENTS: LazyLock<[[SqlStr; SIZES.len()]; 2]> =
    LazyLock::new(|| [true, false].map(|is_pending| SIZES.map(|rows| statement(is_pending, rows))));

/// An INSERT of so many rows. Parameters have no numbers: SQLite looks numbered ones up one by one, through all of them.
fn statement(is_pending: bool, rows: usize) -> SqlStr {
    let mut sql = String::from(
        "insert into request_rows (batch_key, row_number, line, reference_id, target, cells, request_status, error_code, \
         error_message, duplicate_of_row) values ",
    );
    let row = if is_pending { "(?,?,?,?,?,?,'PENDING',null,null,null)" } else { "(?,?,?,?,?,?,?,?,?,?)" };
    for at in 0..rows {
        sql.push_str(if at == 0 { "" } else { "," });
        sql.push_str(row);
    }
    AssertSqlSafe(sql).into_sql_str()
}

/// The statements that write a chunk.
pub(super) fn encode(batch_key: i32, chunk: &RowChunk) -> Result<Vec<Insert>, BoxDynError> {
    let (mut inserts, mut json) = (Vec::new(), String::new());
    for (statements, is_pending) in STATEMENTS.iter().zip([true, false]) {
        let wanted = || chunk.iter().filter(|(row, _)| (row.status == IntakeStatus::Pending) == is_pending);
        let (mut rows, mut left) = (wanted(), wanted().count());
        for (size, statement) in SIZES.iter().zip(statements) {
            while left >= *size {
                let mut values = SqliteArguments::default();
                values.reserve(size * 10, 0);
                for (row, cells) in rows.by_ref().take(*size) {
                    add(&mut values, batch_key, &row, cells, &mut json, is_pending)?;
                }
                inserts.push(Insert { statement: statement.clone(), values });
                left -= size;
            }
        }
    }
    Ok(inserts)
}

fn add(
    values: &mut SqliteArguments,
    batch_key: i32,
    row: &NewRequest<'_>,
    cells: Cells<'_>,
    json: &mut String,
    is_pending: bool,
) -> Result<(), BoxDynError> {
    values.add(batch_key)?;
    values.add(row.row_number)?;
    values.add(row.line)?;
    // Arc<str> is what a value is kept in: one allocation, where a String would take two.
    values.add(Arc::<str>::from(row.reference_id))?;
    values.add(Arc::<str>::from(row.target))?;
    json.clear();
    push_json_array(json, cells);
    values.add(Arc::<str>::from(json.as_str()))?;
    if !is_pending {
        values.add(row.status.as_str())?;
        values.add(row.code.map(|code| code.as_str()))?;
        values.add(Arc::<str>::from(row.message))?;
        values.add(row.duplicate_of)?;
    }
    Ok(())
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
