//! Suppression lists: who is not to be contacted.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::campaign::{Campaign, Channel, KeyField};

/// One configured list.
#[derive(Debug, Clone, PartialEq)]
pub struct SuppressionList {
    /// Its name, which SKIPPED rows are told.
    pub name: String,
    /// Glob on the whole key of the files that the list is loaded from; `None` for a table that others fill.
    pub files: Option<String>,
    /// How targets in its files are read.
    pub channel: Channel,
    /// Country of national phone numbers in its files.
    pub region: String,
    /// The age from which it is too old to go by.
    pub max_age: Option<Duration>,
}

impl SuppressionList {
    /// The rules that its files are read and judged by: those of a campaign in which a target may stand once.
    pub fn rules(&self) -> Campaign {
        Campaign {
            name: self.name.clone(),
            channel: self.channel,
            region: self.region.clone(),
            unique: vec![KeyField::Target],
            ..Campaign::default()
        }
    }
}

/// How a list that is loaded from files stands.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ListState {
    /// Its name.
    pub name: String,
    /// Targets on it.
    pub targets: u64,
    /// Rows of its file that could not be used.
    pub invalid_rows: u64,
    /// When it was loaded.
    pub loaded_at: DateTime<Utc>,
    /// How long ago that was, by the database's clock.
    pub age_seconds: f64,
    /// The file that it was loaded from.
    pub key: String,
}
