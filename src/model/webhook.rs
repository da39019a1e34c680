//! Webhooks: what other programs are told of, and the messages that tell them.

use chrono::{DateTime, Utc};

/// What a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Event {
    /// A batch was published.
    #[serde(rename = "batch.loaded")]
    BatchLoaded,
    /// An upload became a FAILED batch.
    #[serde(rename = "batch.failed")]
    BatchFailed,
    /// An upload became no batch.
    #[serde(rename = "upload.rejected")]
    UploadRejected,
    /// A campaign's file was due, and did not come.
    #[serde(rename = "file.missing")]
    FileMissing,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 4] = [Event::BatchLoaded, Event::BatchFailed, Event::UploadRejected, Event::FileMissing];

    /// The word in messages and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::BatchLoaded => "batch.loaded",
            Event::BatchFailed => "batch.failed",
            Event::UploadRejected => "upload.rejected",
            Event::FileMissing => "file.missing",
        }
    }
}

/// A message that is to be delivered, and the right to do so until the lease ends.
#[derive(Debug, Clone)]
pub struct Message {
    /// The same over all tries: by this the receiver knows a message that it has had already.
    pub message_id: String,
    /// A word of [`Event`].
    pub event: String,
    /// What is told, as a JSON object.
    pub data: String,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// Random, new with every claim.
    pub token: String,
    /// How often it was tried, this time included.
    pub attempt: u32,
}

/// A message and what became of it, for people.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct MessageState {
    /// The message's id.
    pub message_id: String,
    /// The name of the webhook that it goes to.
    pub webhook: String,
    /// A word of [`Event`].
    pub event: String,
    /// The upload that it tells of, if it tells of one.
    pub upload_id: Option<i64>,
    /// The batch that it tells of, if it tells of one.
    pub batch_id: Option<String>,
    /// The campaign, if one takes such files.
    pub campaign_name: Option<String>,
    /// When the file was due that it tells is missing.
    pub expected_at: Option<DateTime<Utc>>,
    /// DUE, DELIVERED or GIVEN_UP.
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// When the next try may start, or the lease of who is at it ends; `None` once it is at its end.
    pub due_at: Option<DateTime<Utc>>,
    /// What went wrong in the last try.
    pub error_message: Option<String>,
    /// When it was delivered or given up.
    pub ended_at: Option<DateTime<Utc>>,
}
