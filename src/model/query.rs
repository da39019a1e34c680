//! What may be asked of the lists of batches and uploads: filters, an order, a page. Faces fill it in; a store answers.
//!
//! What is `None` asks for nothing. Orders are a closed list, so that no text of a user ever becomes part of a
//! statement.

use chrono::{DateTime, Utc};

use super::{BatchStatus, UploadStatus};

/// Which batches, in which order, and which page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchQuery {
    /// Exactly this one.
    pub batch_id: Option<String>,
    /// The campaign's number.
    pub campaign_id: Option<i32>,
    /// The campaign's name, whole.
    pub campaign_name: Option<String>,
    /// Where it stands.
    pub status: Option<BatchStatus>,
    /// A part of the file's name; upper and lower case are the same (in SQLite, of ASCII letters only).
    pub filename: Option<String>,
    /// Who changed it last, whole.
    pub last_updated_by: Option<String>,
    /// Created then or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Created earlier than that.
    pub created_before: Option<DateTime<Utc>>,
    /// When it expires, to the instant.
    pub expires_on: Option<DateTime<Utc>>,
    /// When it changed last, to the instant.
    pub last_updated_at: Option<DateTime<Utc>>,
    /// By what they are ordered; the same there: by day and number.
    pub order: BatchOrder,
    /// Which end comes first. Batches without a value come last in both.
    pub direction: Direction,
    /// How many are passed over.
    pub offset: u64,
    /// How many are listed at most.
    pub limit: u32,
}

/// Every batch, the newest first.
impl Default for BatchQuery {
    fn default() -> Self {
        BatchQuery {
            batch_id: None,
            campaign_id: None,
            campaign_name: None,
            status: None,
            filename: None,
            last_updated_by: None,
            created_from: None,
            created_before: None,
            expires_on: None,
            last_updated_at: None,
            order: BatchOrder::BatchId,
            direction: Direction::Descending,
            offset: 0,
            limit: 25,
        }
    }
}

/// By what batches can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum BatchOrder {
    /// By day, then by number: the order in which they were made.
    BatchId,
    /// By the campaign's number.
    CampaignId,
    /// By the campaign's name.
    CampaignName,
    /// By the word of the status.
    Status,
    /// By the file's name.
    #[schema(rename = "upload_filename")]
    Filename,
    /// By the rows read.
    RowsRead,
    /// By when it was published or failed.
    CreatedAt,
    /// By when it changed last.
    LastUpdatedAt,
    /// By when it expires.
    ExpiresOn,
}

/// Which end of an order comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
pub enum Direction {
    /// The least first.
    #[schema(rename = "asc")]
    Ascending,
    /// The greatest first.
    #[schema(rename = "desc")]
    Descending,
}

/// Which uploads, and which page of them. The newest come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadQuery {
    /// Where it is on its way.
    pub status: Option<UploadStatus>,
    /// A part of the object's key; upper and lower case are the same (in SQLite, of ASCII letters only).
    pub key: Option<String>,
    /// How many are passed over.
    pub offset: u64,
    /// How many are listed at most.
    pub limit: u32,
}

/// Every upload.
impl Default for UploadQuery {
    fn default() -> Self {
        UploadQuery { status: None, key: None, offset: 0, limit: 25 }
    }
}

/// Which requests of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestQuery {
    /// Exactly this one.
    pub reference_id: Option<String>,
    /// Where they stand now; an open set of words.
    pub status: Option<String>,
}
