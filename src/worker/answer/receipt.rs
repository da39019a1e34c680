//! The receipt: what became of a file, for the person who dropped it and for their programs. It quotes no cell.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{Batch, FileCode, IntakeStatus, OwedAnswer, RowCode, UploadStatus, Verdicts};
use crate::store::Finding;

/// Raised when a field changes its meaning or goes; new fields do not raise it.
const VERSION: u32 = 1;

/// What became of the object itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(super) enum Source {
    /// It lies where it was dropped.
    Kept,
    /// It lies elsewhere in the bucket.
    Moved { key: String },
    /// It was deleted, as configured.
    Deleted,
    /// Somebody else deleted or replaced it meanwhile.
    Gone,
}

/// Everything that a receipt is made of.
pub(super) struct Facts<'a> {
    pub(super) owed: &'a OwedAnswer,
    /// `None` for a file that became no batch.
    pub(super) batch: Option<&'a Batch>,
    pub(super) findings: &'a [Finding],
    /// The base name of the rejects file, where there is one.
    pub(super) rejects: Option<&'a str>,
    pub(super) source: &'a Source,
}

#[derive(Serialize)]
struct Receipt<'a> {
    receipt_version: u32,
    status: UploadStatus,
    message: String,
    batch_id: Option<&'a str>,
    campaign_id: Option<i32>,
    campaign_name: Option<&'a str>,
    upload: Upload<'a>,
    rows_read: u64,
    status_counts: BTreeMap<String, u64>,
    findings: Vec<Found<'a>>,
    rejects: Option<&'a str>,
    error_code: Option<&'a str>,
    error_message: Option<&'a str>,
    source: &'a Source,
    expires_on: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct Upload<'a> {
    upload_id: i64,
    key: &'a str,
    version: &'a str,
    size_bytes: u64,
    sha256: Option<&'a str>,
    modified_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    settled_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Found<'a> {
    code: &'a str,
    status: &'static str,
    rows: u64,
    first_row: u64,
    first_line: u64,
    meaning: Option<&'static str>,
    mend: Option<&'static str>,
}

/// The receipt as JSON. The same facts give the same bytes.
pub(super) fn receipt(facts: &Facts<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let Facts { owed, batch, findings, rejects, source } = facts;
    let verdicts = verdicts(*batch, findings);
    let receipt = Receipt {
        receipt_version: VERSION,
        status: owed.status,
        message: message(owed, verdicts, *rejects),
        batch_id: owed.batch_id.as_deref(),
        campaign_id: batch.map(|batch| batch.campaign_id),
        campaign_name: batch.map(|batch| batch.campaign_name.as_str()),
        upload: Upload {
            upload_id: owed.upload_id,
            key: &owed.object.key,
            version: &owed.object.version,
            size_bytes: owed.object.size,
            sha256: batch.and_then(|batch| batch.sha256.as_deref()),
            modified_at: owed.object.modified,
            seen_at: owed.seen_at,
            settled_at: owed.settled_at,
        },
        rows_read: batch.map_or(0, |batch| batch.rows_read),
        status_counts: verdicts.by_status(),
        findings: findings.iter().map(found).collect(),
        rejects: *rejects,
        error_code: owed.error_code.as_deref(),
        error_message: owed.error_message.as_deref(),
        source,
        expires_on: batch.and_then(|batch| batch.expires_on),
    };
    let mut text = serde_json::to_vec_pretty(&receipt)?;
    text.push(b'\n');
    Ok(text)
}

fn found(finding: &Finding) -> Found<'_> {
    let code = RowCode::parse(&finding.error_code);
    Found {
        code: &finding.error_code,
        status: status_of(&finding.error_code).as_str(),
        rows: finding.requests,
        first_row: finding.first_row,
        first_line: finding.first_line,
        meaning: code.map(RowCode::meaning),
        mend: code.map(RowCode::mend),
    }
}

/// The counts at intake, which what senders have done since does not change.
fn verdicts(batch: Option<&Batch>, findings: &[Finding]) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let Some(batch) = batch.filter(|batch| batch.error_message.is_none()) else { return verdicts };
    for finding in findings {
        match status_of(&finding.error_code) {
            IntakeStatus::Duplicate => verdicts.duplicate += finding.requests,
            IntakeStatus::Skipped => verdicts.skipped += finding.requests,
            _ => verdicts.invalid += finding.requests,
        }
    }
    verdicts.pending = batch.rows_read.saturating_sub(verdicts.total());
    verdicts
}

fn status_of(code: &str) -> IntakeStatus {
    RowCode::parse(code).map_or(IntakeStatus::Invalid, RowCode::status)
}

/// What happened and what to do, for a person who reads nothing else.
fn message(owed: &OwedAnswer, verdicts: Verdicts, rejects: Option<&str>) -> String {
    let error = owed.error_message.as_deref().unwrap_or_default();
    match (owed.status, &owed.batch_id) {
        (UploadStatus::Loaded, Some(batch_id)) => loaded(batch_id, verdicts, rejects),
        (UploadStatus::Loaded, None) => ["The file was read.", error].join(" ").trim_end().to_owned(),
        _ => {
            let mend = owed.error_code.as_deref().and_then(FileCode::parse).map(FileCode::mend).unwrap_or_default();
            format!("Nothing was loaded. {}. {mend}", error.trim_end_matches('.')).trim_end().to_owned()
        }
    }
}

fn loaded(batch_id: &str, verdicts: Verdicts, rejects: Option<&str>) -> String {
    let total = verdicts.total();
    let Some(rejects) = rejects else {
        return format!("All {total} rows are loaded, as batch {batch_id}. There is nothing to do.");
    };
    let others: Vec<String> = [
        (verdicts.duplicate, "are repeats (DUPLICATE)"),
        (verdicts.skipped, "must not be contacted (SKIPPED)"),
        (verdicts.invalid, "cannot be used (INVALID)"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    let remedy = match verdicts.invalid {
        0 => "There is nothing to do.",
        _ => "Mend the INVALID ones there, delete the others, and drop that file; its first five columns may stay.",
    };
    format!(
        "{} of {total} rows are loaded, as batch {batch_id}; {}. These stand in {rejects}, each with its reason. {remedy}",
        verdicts.pending,
        others.join(", ")
    )
}
