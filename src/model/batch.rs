//! A batch: what one upload becomes.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::Dialect;

/// A batch's status. PENDING is never seen from outside: it lasts as long as the loading transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BatchStatus {
    /// Being loaded.
    Pending,
    /// Its PENDING requests may be contacted.
    Active,
    /// On hold: nobody is contacted.
    Paused,
    /// Its file had a fault (or we had an error that did not go away); it has no requests.
    Failed,
    /// Called off, with a reason.
    Canceled,
    /// Past `expires_on`.
    Expired,
}

impl BatchStatus {
    /// Every one.
    pub const ALL: [BatchStatus; 6] = {
        use BatchStatus::*;
        [Pending, Active, Paused, Failed, Canceled, Expired]
    };

    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            BatchStatus::Pending => "PENDING",
            BatchStatus::Active => "ACTIVE",
            BatchStatus::Paused => "PAUSED",
            BatchStatus::Failed => "FAILED",
            BatchStatus::Canceled => "CANCELED",
            BatchStatus::Expired => "EXPIRED",
        }
    }

    /// The status that a stored word stands for; `None` for a word that this version does not know.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// How many rows of a file came to each verdict at intake. Every data row counts exactly once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verdicts {
    /// To be contacted.
    pub pending: u64,
    /// Its key was already claimed.
    pub duplicate: u64,
    /// Usable, but policy forbids it.
    pub skipped: u64,
    /// Cannot be used.
    pub invalid: u64,
}

impl Verdicts {
    /// All rows judged.
    pub fn total(&self) -> u64 {
        self.pending + self.duplicate + self.skipped + self.invalid
    }

    /// Each count under its word of `request_status`.
    pub fn each(&self) -> [(&'static str, u64); 4] {
        [("PENDING", self.pending), ("DUPLICATE", self.duplicate), ("SKIPPED", self.skipped), ("INVALID", self.invalid)]
    }

    /// The counts under the words of `request_status`, zeros left out.
    pub fn by_status(&self) -> BTreeMap<String, u64> {
        self.each()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(status, count)| (status.to_owned(), count))
            .collect()
    }
}

/// Everything about a batch that is known before the store gives it its id and times.
#[derive(Debug, Clone)]
pub struct BatchDraft {
    /// The campaign's id.
    pub campaign_id: i32,
    /// The campaign's name.
    pub campaign_name: String,
    /// The object's base name.
    pub upload_filename: String,
    /// A date found in the file's name.
    pub filename_date: Option<NaiveDate>,
    /// The day of receipt in the configured time zone: the first half of `batch_id`.
    pub received_on: NaiveDate,
    /// Time from `created_at` to `expires_on`.
    pub expires_after: Option<Duration>,
    /// Publish as PAUSED instead of ACTIVE.
    pub hold: bool,
    /// Whether the same content may stand in another batch of the campaign.
    pub allow_repeats: bool,
    /// Who: the worker's configured identity, as an e-mail address.
    pub last_updated_by: String,
    /// Data rows read; for a failed file, those read until the fault was found.
    pub rows_read: u64,
    /// Bytes read from the bucket.
    pub bytes_read: u64,
    /// SHA-256 of the object's bytes in lower-case hex; `None` where it was not read to its end.
    pub sha256: Option<String>,
    /// `None` where the file was refused before its dialect was known.
    pub dialect: Option<Dialect>,
    /// The names of the columns other than reference_id and target, as spelled in the file, in its order:
    /// the keys of `request_variables`.
    pub variable_names: Vec<String>,
    /// All names of the header in the file's order; empty where it was not read.
    pub column_names: Vec<String>,
    /// Which of them is the reference_id, from 1.
    pub reference_column: Option<u32>,
    /// Which of them is the target, from 1.
    pub target_column: Option<u32>,
    /// The names of the webhooks that are told when the batch is published, or has failed.
    pub webhooks: Vec<String>,
}

/// How the columns of a batch's file stood in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentColumns {
    /// The names of all columns, in file order; empty where they are not known.
    pub names: Vec<String>,
    /// Which of them, from 1, is the reference_id.
    pub reference_id: Option<u32>,
    /// Which of them, from 1, is the target.
    pub target: Option<u32>,
    /// The keys of `request_variables`, in file order.
    pub variable_names: Vec<String>,
    /// The character between two cells, `\t` for a tab; `None` where it was not known.
    pub delimiter: Option<String>,
}

/// A batch as people and programs see it. The first block of fields has the names and meanings of the public SDK.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
#[schema(as = BatchDetails)]
pub struct Batch {
    /// `YYYYMMDD.N`; always text, `20250812.10` is not `20250812.1`.
    pub batch_id: String,
    /// The campaign's id.
    pub campaign_id: i32,
    /// When the batch expires.
    pub expires_on: Option<DateTime<Utc>>,
    /// On hold.
    pub paused: Option<bool>,
    /// Where the batch stands.
    pub status: BatchStatus,
    /// The object's base name.
    pub upload_filename: Option<String>,
    /// When it was published, or recorded as FAILED.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub last_updated_at: DateTime<Utc>,
    /// When it was canceled.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Why it was canceled.
    pub deleted_reason: Option<String>,
    /// Who changed it last.
    pub last_updated_by: String,
    /// Why the upload failed, for a person to act on.
    pub error_message: Option<String>,
    /// Counts of the batch's requests by status; empty for a FAILED one.
    pub status_counts: BTreeMap<String, u64>,

    /// The campaign's name.
    pub campaign_name: String,
    /// The ledger's number of the upload.
    pub upload_id: i64,
    /// The machine-readable side of `error_message`.
    pub error_code: Option<String>,
    /// Data rows read.
    pub rows_read: u64,
    /// Bytes read from the bucket.
    pub bytes_read: u64,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: Option<String>,
    /// The file's encoding.
    pub encoding: Option<String>,
    /// What stands between two cells, `\t` for a tab.
    pub delimiter: Option<String>,
    /// The character around cells; empty for none.
    pub quote: Option<String>,
    /// What makes a quote in quotes part of the cell: the quote itself where it is doubled; empty for none.
    pub quote_escape: Option<String>,
    /// `lf`, `crlf`, `cr` or `mixed`.
    pub newline: Option<String>,
    /// `gzip`, `zstd` or `zip`; `None` for a file sent as it is.
    pub compression: Option<String>,
    /// The line of the header; `None` where there is none.
    pub header_line: Option<u32>,
    /// A date found in the file's name.
    pub filename_date: Option<NaiveDate>,
    /// When the upload was first seen.
    pub seen_at: DateTime<Utc>,
    /// When the worker that made the batch claimed the upload.
    pub claimed_at: DateTime<Utc>,
    /// When its requests were deleted, since they had been kept for as long as they may be.
    pub purged_at: Option<DateTime<Utc>>,
}

impl Batch {
    /// The count of one status, 0 where no request has it.
    pub fn count(&self, status: &str) -> u64 {
        self.status_counts.get(status).copied().unwrap_or(0)
    }
}
