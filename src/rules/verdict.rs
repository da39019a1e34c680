//! The verdict on each row, and on the file as a whole.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::duplicates::Claims;
use super::target::Targets;
use crate::model::{
    Campaign, Channel, Fault, FileCode, Header, IntakeStatus, KeyField, NewRequest, Row, RowCode, Verdicts,
};

/// The longest reference_id in bytes. PostgreSQL's index entries stop at 2,704.
const LONGEST_REFERENCE: usize = 1024;

/// Judges the rows of one file, in order.
pub struct Judge {
    header: Header,
    targets: Targets,
    /// Addresses count as the same whatever their case; they are stored as sent.
    folds_target_case: bool,
    /// The keys of each field of the campaign's `unique`, in its order.
    claims: Vec<(KeyField, Claims)>,
    max_invalid_percent: f64,
    max_invalid_from_rows: u64,
    verdicts: Verdicts,
    /// How many rows of each INVALID code, and the line of the first: what a failed file is told about.
    invalid: BTreeMap<&'static str, (u64, u32)>,
    /// The normalised target of the row being judged.
    target: String,
    /// The same without regard to case, where the campaign compares so.
    folded: String,
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
            reference_id: self.reference_id,
            target: self.target,
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
    Targets::new(campaign.channel, &campaign.region).map(|_| ())
}

impl Judge {
    /// A judge for one file of a campaign.
    ///
    /// # Errors
    /// What [`check_campaign`] finds before any file does.
    pub fn new(campaign: &Campaign, header: Header) -> Result<Judge, String> {
        Ok(Judge {
            header,
            targets: Targets::new(campaign.channel, &campaign.region)?,
            folds_target_case: campaign.channel == Channel::Email,
            claims: campaign.unique.iter().map(|&field| (field, Claims::new())).collect(),
            max_invalid_percent: campaign.max_invalid_percent,
            max_invalid_from_rows: campaign.max_invalid_from_rows,
            verdicts: Verdicts::default(),
            invalid: BTreeMap::new(),
            target: String::new(),
            folded: String::new(),
        })
    }

    /// How many rows came to each verdict so far.
    pub fn verdicts(&self) -> Verdicts {
        self.verdicts
    }

    /// The verdict on the next row.
    pub fn judge<'a>(&'a mut self, row: &Row<'a>) -> Judgement<'a> {
        let reference_id = row.get(self.header.reference_id).unwrap_or_default().trim();
        let sent_target = row.get(self.header.target).unwrap_or_default().trim();
        if let Err(finding) = self.usable(row, reference_id, sent_target) {
            self.verdicts.invalid += 1;
            let seen = self.invalid.entry(finding.code.as_str()).or_insert((0, row.line));
            seen.0 += 1;
            let Finding { code, message, column } = finding;
            return Judgement {
                status: IntakeStatus::Invalid,
                code: Some(code),
                message,
                column,
                duplicate_of: None,
                reference_id,
                target: sent_target,
            };
        }
        if let Some((field, holder)) = self.claim(reference_id, row.number) {
            self.verdicts.duplicate += 1;
            let (code, column, name) = match field {
                KeyField::ReferenceId => (RowCode::DuplicateReference, self.header.reference_id, "reference_id"),
                KeyField::Target => (RowCode::DuplicateTarget, self.header.target, "target"),
            };
            return Judgement {
                status: IntakeStatus::Duplicate,
                code: Some(code),
                message: Cow::Owned(format!("{name}: the same as in row {holder}")),
                column: Some(column),
                duplicate_of: Some(holder),
                reference_id,
                target: &self.target,
            };
        }
        self.verdicts.pending += 1;
        Judgement {
            status: IntakeStatus::Pending,
            code: None,
            message: Cow::Borrowed(""),
            column: None,
            duplicate_of: None,
            reference_id,
            target: &self.target,
        }
    }

    /// Whether the row can be used at all; leaves its normalised target in `self.target`.
    fn usable(&mut self, row: &Row<'_>, reference_id: &str, target: &str) -> Result<(), Finding> {
        let width = self.header.names.len();
        let finding = |code, message, column| Err(Finding { code, message, column });
        if row.cells.len() != width {
            let message = format!("{} cells where the header has {width}", row.cells.len());
            return finding(RowCode::CellCount, Cow::Owned(message), None);
        }
        for (value, name, column) in
            [(target, "target", self.header.target), (reference_id, "reference_id", self.header.reference_id)]
        {
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
        self.target.clear();
        self.targets.normalise(target, &mut self.target).map_err(|(code, message)| Finding {
            code,
            message: Cow::Borrowed(message),
            column: Some(self.header.target),
        })
    }

    /// Claims the row's keys, all or none; else the first field whose key is taken, and the row that holds it.
    fn claim(&mut self, reference_id: &str, row: u32) -> Option<(KeyField, u32)> {
        if self.folds_target_case {
            self.folded.clear();
            self.folded.extend(self.target.chars().flat_map(char::to_lowercase));
        }
        let target = if self.folds_target_case { &self.folded } else { &self.target };
        let key = |field| match field {
            KeyField::ReferenceId => reference_id.as_bytes(),
            KeyField::Target => target.as_bytes(),
        };
        let taken = self.claims.iter().find_map(|(field, claims)| Some((*field, claims.holder(key(*field))?)));
        if taken.is_none() {
            for (field, claims) in &mut self.claims {
                claims.claim(key(*field), row);
            }
        }
        taken
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
