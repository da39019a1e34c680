//! An upload: one version of one object seen in the bucket, and its row in the ledger.

use chrono::{DateTime, Utc};

/// One version of one object, as the bucket lists it. (key, version) is its identity in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The object's full key, `/`-separated, exactly as the bucket spells it. Never used to build a path.
    pub key: String,
    /// What tells this version from any other under the same key; see [`crate::bucket`] for how each bucket makes it.
    pub version: String,
    /// Bytes.
    pub size: u64,
    /// When the bucket says that this version was written.
    pub modified: DateTime<Utc>,
}

impl Object {
    /// The last part of the key: the file's name as a person would say it.
    pub fn base_name(&self) -> &str {
        base_name(&self.key)
    }
}

/// The last part of a `/`-separated key.
pub fn base_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Where an upload is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum UploadStatus {
    /// Seen, and waiting for a worker (or for its next attempt).
    Waiting,
    /// A worker holds it under a lease.
    Claimed,
    /// It became a batch whose requests were published.
    Loaded,
    /// It became a FAILED batch.
    Failed,
    /// It became no batch: no campaign takes a file of its name.
    Rejected,
    /// The object was deleted or replaced before it could be read whole.
    Gone,
}

impl UploadStatus {
    /// Every one.
    pub const ALL: [UploadStatus; 6] = {
        use UploadStatus::*;
        [Waiting, Claimed, Loaded, Failed, Rejected, Gone]
    };

    /// The word stored in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            UploadStatus::Waiting => "WAITING",
            UploadStatus::Claimed => "CLAIMED",
            UploadStatus::Loaded => "LOADED",
            UploadStatus::Failed => "FAILED",
            UploadStatus::Rejected => "REJECTED",
            UploadStatus::Gone => "GONE",
        }
    }

    /// The status that a stored word stands for; `None` for a word that this version does not know.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// The right to work on one upload, until its lease ends or it is settled.
///
/// The token fences: every later write of this worker names it, so that one whose lease was taken over
/// changes nothing, however late it wakes.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The upload's id in the ledger.
    pub upload_id: i64,
    /// The version to read.
    pub object: Object,
    /// Random, new with every claim.
    pub token: String,
    /// How often the upload has been claimed, this time included.
    pub attempt: u32,
    /// When the version was first seen, by the database's clock: the day of receipt.
    pub seen_at: DateTime<Utc>,
    /// When this claim was made, by the database's clock.
    pub claimed_at: DateTime<Utc>,
    /// What went wrong on our side in the last attempt.
    pub last_trouble: Option<String>,
    /// Whether the last worker neither settled it nor gave it back before its lease ended: it may have died of this
    /// upload, or of one that it worked on beside. Told where uploads are worked on beside each other.
    pub was_dropped: bool,
}

/// One row of the ledger, for people and dashboards.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Upload {
    /// Number in the ledger.
    pub upload_id: i64,
    /// The bucket's address, without secrets.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The object's version.
    pub version: String,
    /// Bytes.
    pub size_bytes: u64,
    /// When the bucket says it was written.
    pub modified_at: DateTime<Utc>,
    /// When it was first seen.
    pub seen_at: DateTime<Utc>,
    /// Where it is on its way.
    pub status: UploadStatus,
    /// How often it was claimed.
    pub attempts: u32,
    /// The identity of the worker that claimed it last.
    pub claimed_by: Option<String>,
    /// When it was claimed last.
    pub claimed_at: Option<DateTime<Utc>>,
    /// WAITING: when its next attempt may start; CLAIMED: when the lease ends; `None` once settled.
    pub available_at: Option<DateTime<Utc>>,
    /// The batch it became, if it became one.
    pub batch_id: Option<String>,
    /// The code of what is wrong with it, where something is.
    pub error_code: Option<String>,
    /// What is wrong with it (a fault), or what last went wrong on our side (an error).
    pub error_message: Option<String>,
    /// When it was settled; `None` while it waits or is worked on.
    pub settled_at: Option<DateTime<Utc>>,
    /// When the next try to answer may start, or the lease of who is at it ends; `None` where nothing is owed.
    pub answer_due_at: Option<DateTime<Utc>>,
    /// How often an answer was tried.
    pub answer_attempts: u32,
    /// What went wrong in the last try to answer.
    pub answer_error: Option<String>,
    /// When the answer lay in the bucket.
    pub answered_at: Option<DateTime<Utc>>,
}

/// A settled upload whose sender is still to be told, and the right to do so until the lease ends.
#[derive(Debug, Clone)]
pub struct OwedAnswer {
    /// The upload's id in the ledger.
    pub upload_id: i64,
    /// The version that was loaded or refused.
    pub object: Object,
    /// LOADED, FAILED or REJECTED.
    pub status: UploadStatus,
    /// The batch it became, if it became one.
    pub batch_id: Option<String>,
    /// The code of what is wrong with it, where something is.
    pub error_code: Option<String>,
    /// What is wrong with it.
    pub error_message: Option<String>,
    /// When it was first seen.
    pub seen_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: DateTime<Utc>,
    /// Random, new with every claim.
    pub token: String,
    /// How often an answer was tried, this time included.
    pub attempt: u32,
}
