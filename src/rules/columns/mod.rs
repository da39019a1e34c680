//! The campaign's rules for columns: a Frictionless Table Schema held against a file's header and its cells.
//!
//! `schema` understands the JSON by help of `object` and `constraints`, or refuses it with the place; `field` judges a
//! cell, by help of `number`, `time`, `strptime`, `text`, `pattern` and `json`. Here a schema meets a file: which
//! column is which field, whether the header will do, and whether values that must differ do. A good cell costs no
//! allocation (but for JSON, points and addresses).

mod constraints;
mod field;
mod json;
mod number;
mod object;
mod pattern;
mod schema;
mod strptime;
#[cfg(test)]
mod tests;
mod text;
mod time;

use field::{Broken, listed};
use schema::{FieldsMatch, Schema};

use super::duplicates::Claims;
use crate::model::name::fold;
use crate::model::{Fault, FileCode, Header, KeyField, Row, RowCode, TableSchema};

/// The schema of a campaign, and how one file answers to it.
pub(super) struct Columns {
    schema: Schema,
    /// For each field its column; `None` where the file has none.
    columns: Vec<Option<usize>>,
    keys: Vec<Key>,
}

/// Fields whose values together must differ from row to row.
struct Key {
    /// Their places in the schema.
    fields: Vec<usize>,
    claims: Claims,
    /// The key of the row being judged; empty where it has none.
    bytes: Vec<u8>,
}

/// What a cell's rule was broken by, and in which column.
pub(super) type Finding = (Broken, usize);

/// Whether a schema can be used at all.
///
/// # Errors
/// The file, the place in it, and why not.
pub(super) fn check(schema: &TableSchema) -> Result<(), String> {
    read(schema).map(|_| ())
}

/// The names of the schema's fields, in its order.
///
/// # Errors
/// As [`check`].
pub(super) fn names(schema: &TableSchema) -> Result<Vec<String>, String> {
    Ok(read(schema)?.fields.into_iter().map(|field| field.name).collect())
}

fn read(schema: &TableSchema) -> Result<Schema, String> {
    schema::read(&schema.descriptor).map_err(|why| format!("schema: {}: {why}", schema.file))
}

impl Columns {
    /// `judged` are the fields whose repeats are DUPLICATE by the campaign's own rule; the schema need not say so
    /// again.
    ///
    /// # Errors
    /// As [`check`].
    pub(super) fn new(schema: &TableSchema, header: &Header, judged: &[KeyField]) -> Result<Columns, String> {
        let schema = read(schema)?;
        let folded: Vec<String> = header.names.iter().map(|name| fold(name)).collect();
        let column = |name: &str| match name {
            "reference_id" => Some(header.reference_id),
            "target" => Some(header.target),
            _ => folded.iter().position(|folded| folded == name),
        };
        let columns: Vec<Option<usize>> = schema.fields.iter().map(|field| column(&field.folded)).collect();
        let is_judged = |fields: &[usize]| {
            judged.iter().any(|key| {
                let column = match key {
                    KeyField::ReferenceId => header.reference_id,
                    KeyField::Target => header.target,
                };
                fields.iter().all(|&field| columns[field] == Some(column))
            })
        };
        let keys = schema.keys.iter().filter(|fields| !is_judged(fields));
        let keys =
            keys.map(|fields| Key { fields: fields.clone(), claims: Claims::new(), bytes: Vec::new() }).collect();
        Ok(Columns { schema, columns, keys })
    }

    /// Whether the file's columns are those that the schema wants. The schema's names may be told, the file's may not.
    ///
    /// # Errors
    /// MISSING_REQUIRED_FIELDS; INVALID_FILE_FORMAT for columns that are too many or in another order.
    pub(super) fn fits(&self, header: &Header) -> Result<(), Fault> {
        use FieldsMatch::{Equal, Exact, Partial, Subset, Superset};
        let rule = self.schema.fields_match;
        let wants_all = matches!(rule, Some(Exact | Equal | Subset));
        let fields = || self.schema.fields.iter().zip(&self.columns);
        let missing: Vec<&String> = fields()
            .filter(|(field, column)| column.is_none() && (wants_all || field.is_required))
            .map(|(field, _)| &field.name)
            .collect();
        if !missing.is_empty() {
            let detail =
                format!("{} (required by the campaign's schema; add each as a column)", listed(missing.into_iter()));
            return Err(Fault::new(FileCode::MissingRequiredFields, detail));
        }
        let names = || listed(self.schema.fields.iter().map(|field| &field.name));
        if rule == Some(Partial) && self.columns.iter().all(Option::is_none) {
            let detail = format!("at least one of {} (required by the campaign's schema; add it as a column)", names());
            return Err(Fault::new(FileCode::MissingRequiredFields, detail));
        }
        if !matches!(rule, Some(Exact | Equal | Superset)) {
            return Ok(());
        }
        // Those that a rejects file added are not the sender's.
        let is_sent = |column: &usize| {
            *column == header.reference_id || *column == header.target || header.variables.contains(column)
        };
        let sent: Vec<usize> = (0..header.names.len()).filter(is_sent).collect();
        let wrong = |column: usize, why: String| {
            let detail = format!("column {} {why}", column + 1);
            Err(Fault::new(FileCode::InvalidFileFormat, detail))
        };
        if let Some(&extra) = sent.iter().find(|&&column| !self.columns.contains(&Some(column))) {
            return wrong(
                extra,
                format!("is not one that the campaign's schema has; take it out (it has {})", names()),
            );
        }
        if rule == Some(Exact) {
            let unlike = fields().zip(&sent).find(|((_, wanted), sent)| **wanted != Some(**sent));
            if let Some(((field, _), &column)) = unlike {
                let why = format!("should be {}; put the columns in the order {}", field.name, names());
                return wrong(column, why);
            }
        }
        Ok(())
    }

    /// Judges the cells of a row that has as many as the header. A row that passes claims the values that must differ.
    pub(super) fn check(&mut self, row: &Row<'_>, header: &Header) -> Result<(), Finding> {
        for (field, column) in self.schema.fields.iter().zip(&self.columns) {
            let Some(column) = *column else { continue };
            field.check(cell(row, column, header)).map_err(|broken| (broken, column))?;
        }
        for key in &mut self.keys {
            key.read(row, header, &self.schema, &self.columns)?;
        }
        for key in &mut self.keys {
            if !key.bytes.is_empty() {
                key.claims.claim(&key.bytes, row.number);
            }
        }
        Ok(())
    }
}

impl Key {
    /// Reads the row's key, which must not be claimed yet. Rows where one of the values is missing have none.
    fn read(
        &mut self,
        row: &Row<'_>,
        header: &Header,
        schema: &Schema,
        columns: &[Option<usize>],
    ) -> Result<(), Finding> {
        self.bytes.clear();
        let mut last = 0;
        for &place in &self.fields {
            let field = &schema.fields[place];
            let column = columns[place];
            let cell = column.map(|column| cell(row, column, header)).filter(|cell| !field.is_missing(cell));
            let (Some(column), Some(cell)) = (column, cell) else {
                self.bytes.clear();
                return Ok(());
            };
            // The length first, so that no two pairs run together to the same bytes.
            let start = self.bytes.len();
            self.bytes.extend([0; 4]);
            if let Some(value) = field.kind.read(cell) {
                value.write_key(&mut self.bytes);
            }
            let length = (self.bytes.len() - start) as u32;
            self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
            last = column;
        }
        let names = || listed(self.fields.iter().map(|&field| &schema.fields[field].name));
        if self.bytes.len() > Claims::LONGEST_KEY {
            let why = format!("{}: too long for a value that must differ from row to row", names());
            return Err(((RowCode::ValueTooLong, why), last));
        }
        if let Some(holder) = self.claims.holder(&self.bytes) {
            let why = format!("{}: the same as in row {holder}, and must differ from row to row", names());
            return Err(((RowCode::InvalidValue, why), last));
        }
        Ok(())
    }
}

/// The cell as it is judged: a reference_id and a target are used without the space around them.
fn cell<'a>(row: &Row<'a>, column: usize, header: &Header) -> &'a str {
    let cell = row.get(column).unwrap_or_default();
    if column == header.reference_id || column == header.target { cell.trim() } else { cell }
}
