//! The verdict on each row, and on the file as a whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::columns::{self, Columns};
use super::decision::Keys;
use super::target::{Normal, Targets};
use crate::model::{
    Campaign, Fault, FileCode, Header, IntakeStatus, KeyField, Known, Lookup, NewRequest, Problem, Questions, Row,
    RowChunk, RowCode, Verdicts,
};

/// The longest reference_id in bytes. PostgreSQL's index entries stop at 2,704.
const LONGEST_REFERENCE: usize = 1024;

/// Judges the rows of one file, in order.
pub struct Judge {
    header: Header,
    targets: Targets,
    /// The campaign's schema, where it has one.
    columns: Option<Columns>,
    keys: Keys,
    /// What must be looked up before usable rows are decided on.
    lookup: Option<Lookup>,
    /// What is known of other batches and lists where nobody can be asked.
    nothing: Known,
    max_invalid_percent: f64,
    max_invalid_from_rows: u64,
    verdicts: Verdicts,
    /// How many rows of each INVALID code, and the line of the first: what a failed file is told about.
    invalid: BTreeMap<&'static str, (u64, u32)>,
    /// The normalised target of the row being judged.
    target: Normal,
}

/// A judged row, and where to point when it is not PENDING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// The verdict.
    pub status: IntakeStatus,
    /// Why it is not PENDING.
    pub code: Option<RowCode>,
    /// The same for a person; empty for a PENDING row.
    pub message: Cow<'static, str>,
    /// The column (from 0) that the message is about.
    pub column: Option<usize>,
    /// The row that holds the key, for a DUPLICATE.
    pub duplicate_of: Option<u32>,
    /// Trimmed.
    pub reference_id: &'a str,
    /// Normalised; for an INVALID row, what the file said.
    pub target: &'a str,
    /// The extension behind the phone number; empty for none.
    pub target_extension: &'a str,
}

impl Judgement<'_> {
    /// The form in which a judged row goes to the store.
    pub fn to_request(&self, row: &Row<'_>) -> NewRequest<'_> {
        NewRequest {
            row_number: row.number,
            line: row.line,
            status: self.status,
            code: self.code,
            message: &self.message,
            duplicate_of: self.duplicate_of,
            duplicate_of_batch: None,
            reference_id: self.reference_id,
            target: self.target,
            target_extension: Some(self.target_extension).filter(|extension| !extension.is_empty()),
            sent_reference_id: None,
            sent_target: None,
        }
    }
}

/// What is wrong with a row, before it is counted.
struct Finding {
    code: RowCode,
    message: Cow<'static, str>,
    column: Option<usize>,
}

/// Whether rows of this campaign can be judged at all.
///
/// # Errors
/// The key and what is wrong with it.
pub fn check_campaign(campaign: &Campaign) -> Result<(), String> {
    Targets::of(campaign)?;
    campaign.schema.as_ref().map_or(Ok(()), columns::check)
}

/// The names of the fields of the campaign's schema, in its order.
///
/// # Errors
/// As [`check_campaign`].
pub fn schema_names(campaign: &Campaign) -> Result<Vec<String>, String> {
    campaign.schema.as_ref().map_or(Ok(Vec::new()), columns::names)
}

impl Judge {
    /// A judge for one file of a campaign.
    ///
    /// # Errors
    /// What [`check_campaign`] finds before any file does.
    pub fn new(campaign: &Campaign, header: Header) -> Result<Judge, String> {
        let schema = campaign.schema.as_ref();
        let columns = schema.map(|schema| Columns::new(schema, &header, &campaign.unique)).transpose()?;
        Ok(Judge {
            header,
            columns,
            targets: Targets::of(campaign)?,
            keys: Keys::new(campaign),
            lookup: campaign.lookup(),
            nothing: Known::default(),
            max_invalid_percent: campaign.max_invalid_percent,
            max_invalid_from_rows: campaign.max_invalid_from_rows,
            verdicts: Verdicts::default(),
            invalid: BTreeMap::new(),
            target: Normal::default(),
        })
    }

    /// Before the first row: whether the file has the columns that the campaign's schema wants.
    ///
    /// # Errors
    /// MISSING_REQUIRED_FIELDS, INVALID_FILE_FORMAT.
    pub fn fits(&self) -> Result<(), Fault> {
        self.columns.as_ref().map_or(Ok(()), |columns| columns.fits(&self.header))
    }

    /// How many rows came to each verdict so far.
    pub fn verdicts(&self) -> Verdicts {
        self.verdicts
    }

    /// The verdict on the next row by what the file alone can tell: of other batches and suppression lists nothing is
    /// known.
    pub fn judge<'a>(&'a mut self, row: &Row<'a>) -> Judgement<'a> {
        let (reference_id, sent_target) = self.key_cells(row);
        if let Err(finding) = self.usable(row, reference_id, sent_target) {
            return self.invalid(row, finding);
        }
        let Some(obstacle) = self.keys.claim(reference_id, &self.target.text, row.number, &self.nothing) else {
            self.verdicts.pending += 1;
            return self.candidate(reference_id);
        };
        self.verdicts.duplicate += 1;
        let decision = obstacle.decision();
        let column = match obstacle.field() {
            KeyField::ReferenceId => self.header.reference_id,
            KeyField::Target => self.header.target,
        };
        Judgement {
            status: decision.status,
            code: Some(decision.code),
            message: Cow::Owned(decision.message),
            column: Some(column),
            duplicate_of: decision.duplicate_of,
            ..self.candidate(reference_id)
        }
    }

    /// The first half of the verdict: INVALID, or PENDING until [`Judge::decide`] has been at the chunk that it goes
    /// to.
    pub fn assess<'a>(&'a mut self, row: &Row<'a>) -> Judgement<'a> {
        let (reference_id, sent_target) = self.key_cells(row);
        match self.usable(row, reference_id, sent_target) {
            Err(finding) => self.invalid(row, finding),
            Ok(()) => self.candidate(reference_id),
        }
    }

    /// What must be looked up before a chunk of assessed rows is decided on; `None` where the file alone tells.
    pub fn questions(&mut self, chunk: &RowChunk) -> Option<Questions> {
        let lookup = self.lookup.as_ref()?;
        let fields = lookup.scope.as_ref().map_or(&[][..], |scope| &scope.fields);
        let keys = &mut self.keys;
        let mut targets = || chunk.pending().map(|(_, _, target)| keys.compared(target).to_owned()).collect();
        let keys = fields.iter().map(|&field| match field {
            KeyField::ReferenceId => (field, chunk.pending().map(|(_, id, _)| id.to_owned()).collect()),
            KeyField::Target => (field, targets()),
        });
        let keys = keys.collect();
        Some(Questions { keys, targets: if lookup.lists.is_empty() { Vec::new() } else { targets() } })
    }

    /// The second half of the verdict: in the order of the file, each usable row of a chunk of assessed rows.
    pub fn decide(&mut self, chunk: &mut RowChunk, known: &Known) {
        let Judge { keys, verdicts, .. } = self;
        chunk.decide(|row, reference_id, target| {
            let Some(obstacle) = keys.claim(reference_id, target, row, known) else {
                verdicts.pending += 1;
                return None;
            };
            let decision = obstacle.decision();
            match decision.status {
                IntakeStatus::Skipped => verdicts.skipped += 1,
                _ => verdicts.duplicate += 1,
            }
            Some(decision)
        });
    }

    /// The trimmed reference_id and target, as sent.
    fn key_cells<'a>(&self, row: &Row<'a>) -> (&'a str, &'a str) {
        let cell = |column| row.get(column).unwrap_or_default().trim();
        (cell(self.header.reference_id), cell(self.header.target))
    }

    fn invalid<'a>(&mut self, row: &Row<'a>, finding: Finding) -> Judgement<'a> {
        self.verdicts.invalid += 1;
        let seen = self.invalid.entry(finding.code.as_str()).or_insert((0, row.line));
        seen.0 += 1;
        let Finding { code, message, column } = finding;
        let (reference_id, target) = self.key_cells(row);
        Judgement {
            status: IntakeStatus::Invalid,
            code: Some(code),
            message,
            column,
            duplicate_of: None,
            reference_id,
            target,
            target_extension: "",
        }
    }

    /// A row that nothing is in the way of.
    fn candidate<'a>(&'a self, reference_id: &'a str) -> Judgement<'a> {
        Judgement {
            status: IntakeStatus::Pending,
            code: None,
            message: Cow::Borrowed(""),
            column: None,
            duplicate_of: None,
            reference_id,
            target: &self.target.text,
            target_extension: &self.target.extension,
        }
    }

    /// Whether the row can be used at all; leaves its normalised target in `self.target`.
    fn usable(&mut self, row: &Row<'_>, reference_id: &str, target: &str) -> Result<(), Finding> {
        let width = self.header.names.len();
        let finding = |code, message, column| Err(Finding { code, message, column });
        match row.problem {
            None => {}
            Some(Problem::Quotes { column }) => {
                let message = format!(
                    "column {}: a quote is never closed, or text follows it; write a quote inside a cell twice (\"\")",
                    column + 1
                );
                return finding(RowCode::InvalidValue, Cow::Owned(message), Some(column));
            }
            Some(Problem::TooLong { column, bytes }) => {
                let message = format!("column {}: longer than {bytes} bytes", column + 1);
                return finding(RowCode::ValueTooLong, Cow::Owned(message), Some(column));
            }
        }
        if row.cells.len() != width {
            let cells = if row.cells.len() == 1 { "cell" } else { "cells" };
            let message = format!("{} {cells} where the header has {width}", row.cells.len());
            return finding(RowCode::CellCount, Cow::Owned(message), None);
        }
        let fields = [(target, "target", self.header.target), (reference_id, "reference_id", self.header.reference_id)];
        let required = self
            .header
            .required
            .iter()
            .map(|(name, column)| (row.get(*column).unwrap_or_default().trim(), name.as_str(), *column));
        for (value, name, column) in fields.into_iter().chain(required) {
            if value.is_empty() {
                let message = format!("{name}: blank, and required");
                return finding(RowCode::MissingValue, Cow::Owned(message), Some(column));
            }
        }
        if reference_id.len() > LONGEST_REFERENCE {
            let message = format!("reference_id: longer than {LONGEST_REFERENCE} bytes");
            return finding(RowCode::ValueTooLong, Cow::Owned(message), Some(self.header.reference_id));
        }
        // No database must decide this: PostgreSQL refuses the character, SQLite keeps it.
        if memchr::memchr(0, row.raw.as_bytes()).is_some() {
            let column = row.values().position(|value| value.contains('\0'));
            let message = "holds a NUL character, which cannot be stored; it is shown as ␀";
            return finding(RowCode::InvalidValue, Cow::Borrowed(message), column);
        }
        self.targets.normalise(target, &mut self.target).map_err(|(code, message)| Finding {
            code,
            message: Cow::Borrowed(message),
            column: Some(self.header.target),
        })?;
        let Some(columns) = &mut self.columns else { return Ok(()) };
        columns.check(row, &self.header).map_err(|((code, message), column)| Finding {
            code,
            message: Cow::Owned(message),
            column: Some(column),
        })
    }

    /// After the last row: whether the file as a whole is refused for its rows.
    ///
    /// # Errors
    /// NO_VALID_ROWS, TOO_MANY_INVALID.
    pub fn conclude(&self) -> Result<Verdicts, Fault> {
        let (invalid, total) = (self.verdicts.invalid, self.verdicts.total());
        if invalid == total {
            let none =
                if total == 1 { "the only row cannot".to_owned() } else { format!("none of the {total} rows can") };
            let detail = format!("{none} be used: {}", self.reasons());
            return Err(Fault::new(FileCode::NoValidRows, detail));
        }
        let percent = invalid as f64 * 100.0 / total as f64;
        if total >= self.max_invalid_from_rows && percent > self.max_invalid_percent {
            let detail = format!(
                "{invalid} of {total} rows cannot be used, more than {} %: {}",
                self.max_invalid_percent,
                self.reasons()
            );
            return Err(Fault::new(FileCode::TooManyInvalid, detail));
        }
        Ok(self.verdicts)
    }

    /// `9 INVALID_PHONE (first on line 4), 3 CELL_COUNT (first on line 8)`: the most frequent first.
    fn reasons(&self) -> String {
        let mut reasons: Vec<_> = self.invalid.iter().collect();
        reasons.sort_by_key(|(code, (count, _))| (std::cmp::Reverse(*count), **code));
        let texts: Vec<_> =
            reasons.iter().map(|(code, (count, line))| format!("{count} {code} (first on line {line})")).collect();
        texts.join(", ")
    }
}
