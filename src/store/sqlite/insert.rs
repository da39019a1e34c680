//! Rows as INSERT statements of many rows each: one row a statement would be ten times slower.
//!
//! Rows to be contacted are nearly all rows, and have a statement of their own with half the parameters; the order in which
//! rows are written does not matter, since the table is kept in the order of its key.

use std::sync::{Arc, LazyLock};

use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::model::{IntakeStatus, NewRequest, RowChunk};

/// Rows a statement. Each statement is a journey to SQLite's thread and back; 12 parameters for each of so many rows stay
/// under SQLite's limit of 32,766.
const ROWS: usize = 1000;

/// The full statements, which recur: prepared once for a connection, and then found in its cache.
static FULL: LazyLock<[SqlStr; 2]> = LazyLock::new(|| [statement(true, ROWS), statement(false, ROWS)]);

/// One statement and its values.
pub(super) struct Insert {
    pub(super) statement: SqlStr,
    pub(super) values: SqliteArguments,
    /// Whether the statement is worth keeping prepared.
    pub(super) recurs: bool,
}

/// Gathers the rows of one batch into statements.
pub(super) struct Encoder {
    batch_key: i32,
    pending: Gathered,
    others: Gathered,
    /// Reused for each row.
    json: String,
}

/// The values of rows that do not fill a statement yet.
#[derive(Default)]
struct Gathered {
    values: SqliteArguments,
    rows: usize,
}

impl Encoder {
    pub(super) fn new(batch_key: i32) -> Self {
        Encoder { batch_key, pending: Gathered::default(), others: Gathered::default(), json: String::new() }
    }

    /// Adds the rows of a chunk; gives the statements that are full.
    pub(super) fn encode(&mut self, chunk: &RowChunk) -> Result<Vec<Insert>, BoxDynError> {
        let mut inserts = Vec::new();
        for (row, cells) in chunk.iter() {
            let (gathered, full) = match row.status {
                IntakeStatus::Pending => (&mut self.pending, &FULL[0]),
                _ => (&mut self.others, &FULL[1]),
            };
            if gathered.rows == 0 {
                gathered.values.reserve(ROWS * 12, 0);
            }
            self.json.clear();
            push_json_array(&mut self.json, cells);
            add(&mut gathered.values, self.batch_key, &row, &self.json)?;
            gathered.rows += 1;
            if gathered.rows == ROWS {
                let values = std::mem::take(gathered).values;
                inserts.push(Insert { statement: full.clone(), values, recurs: true });
            }
        }
        Ok(inserts)
    }

    /// The statements for what is left.
    pub(super) fn finish(self) -> Vec<Insert> {
        let left = [(true, self.pending), (false, self.others)].into_iter().filter(|(_, gathered)| gathered.rows > 0);
        left.map(|(is_pending, Gathered { values, rows })| Insert {
            statement: statement(is_pending, rows),
            values,
            recurs: false,
        })
        .collect()
    }
}

/// An INSERT of so many rows. Parameters have no numbers: SQLite looks numbered ones up one by one, through all of them.
fn statement(is_pending: bool, rows: usize) -> SqlStr {
    let mut sql = String::from(
        "insert into request_rows (batch_key, row_number, line, reference_id, target, cells, request_status, error_code, \
         error_message, duplicate_of_row, sent_reference_id, sent_target) values ",
    );
    let row = match is_pending {
        true => "(?,?,?,?,?,?,'PENDING',null,null,null,null,null)",
        false => "(?,?,?,?,?,?,?,?,?,?,?,?)",
    };
    for at in 0..rows {
        sql.push_str(if at == 0 { "" } else { "," });
        sql.push_str(row);
    }
    AssertSqlSafe(sql).into_sql_str()
}

fn add(values: &mut SqliteArguments, batch_key: i32, row: &NewRequest<'_>, cells: &str) -> Result<(), BoxDynError> {
    values.add(batch_key)?;
    values.add(row.row_number)?;
    values.add(row.line)?;
    // Arc<str> is what a value is kept in: one allocation, where a String would take two.
    values.add(Arc::<str>::from(row.reference_id))?;
    values.add(Arc::<str>::from(row.target))?;
    values.add(Arc::<str>::from(cells))?;
    if row.status != IntakeStatus::Pending {
        values.add(row.status.as_str())?;
        values.add(row.code.map(|code| code.as_str()))?;
        values.add(Arc::<str>::from(row.message))?;
        values.add(row.duplicate_of)?;
        values.add(row.sent_reference_id.map(Arc::<str>::from))?;
        values.add(row.sent_target.map(Arc::<str>::from))?;
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
