//! A campaign: the configured rules that a file falls under, chosen by the file's name.

use std::sync::Arc;
use std::time::Duration;

use super::keys::{KeyScope, Lookup};
use super::{Format, Schedule};

/// How the people of a campaign are contacted; it decides what a valid target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Phone calls: targets are E.164 phone numbers.
    Voice,
    /// Text messages: targets are E.164 phone numbers.
    Sms,
    /// E-mail: targets are addresses.
    Email,
}

/// A field whose value may be claimed by one PENDING row only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyField {
    /// The sender's own id for the row.
    ReferenceId,
    /// The normalised phone number or address.
    Target,
}

/// What becomes of a phone number with an extension: the number alone may reach somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extensions {
    /// The extension is kept apart from the number, for whoever dials it.
    Keep,
    /// The row is INVALID.
    Refuse,
}

impl Extensions {
    /// What a campaign does that says nothing of them: a call goes on to an extension, a text message cannot.
    pub fn usual(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Extensions::Refuse,
            Channel::Voice | Channel::Email => Extensions::Keep,
        }
    }
}

/// What a campaign's cells must be, as its Table Schema file has it: read by the configuration, understood by the
/// rules.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSchema {
    /// The file's name as configured, for messages.
    pub file: String,
    /// The JSON in it.
    pub descriptor: Arc<serde_json::Value>,
}

impl KeyField {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyField::ReferenceId => "reference_id",
            KeyField::Target => "target",
        }
    }
}

/// One configured rule set.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    /// Stable number that batches carry; unique in the configuration, from 1 up.
    pub id: i32,
    /// The campaign's configured name, such as `late_payments`.
    pub name: String,
    /// Glob on an upload's base name, matched without regard to case.
    pub files: String,
    /// What a target is.
    pub channel: Channel,
    /// ISO 3166 code of the country that national phone numbers belong to.
    pub region: String,
    /// What becomes of a phone number with an extension.
    pub extensions: Extensions,
    /// New batches start PAUSED, and nobody is contacted until they are resumed.
    pub hold: bool,
    /// How long after `created_at` a batch expires; `None` means never.
    pub expires_after: Option<Duration>,
    /// The fields that repeats are judged by, in the order in which they are checked.
    pub unique: Vec<KeyField>,
    /// How far back the keys of the campaign's other batches count; `None`: within the file only.
    pub unique_within: Option<Duration>,
    /// The suppression lists whose targets are SKIPPED; of several that have a target, the first is named.
    pub suppression: Vec<String>,
    /// Whether the same content may become a batch again.
    pub allow_repeats: bool,
    /// A file fails when more than this share of its rows (percent, 0 to 100) is INVALID…
    pub max_invalid_percent: f64,
    /// …and it has at least this many rows.
    pub max_invalid_from_rows: u64,
    /// How its files are written.
    pub format: Format,
    /// What the cells must be.
    pub schema: Option<TableSchema>,
    /// When its files are due; `None`: they come when they come.
    pub due: Option<Schedule>,
}

impl Default for Campaign {
    /// The campaign that stands where no configuration file names one: id 1, every CSV file.
    fn default() -> Self {
        Campaign {
            id: 1,
            name: "default".to_owned(),
            files: "*.csv*".to_owned(),
            channel: Channel::Voice,
            region: "US".to_owned(),
            extensions: Extensions::Keep,
            hold: false,
            expires_after: None,
            unique: vec![KeyField::ReferenceId],
            unique_within: None,
            suppression: Vec::new(),
            allow_repeats: false,
            max_invalid_percent: 25.0,
            max_invalid_from_rows: 20,
            format: Format::default(),
            schema: None,
            due: None,
        }
    }
}

impl Campaign {
    /// Addresses count as the same whatever their case.
    pub fn folds_target_case(&self) -> bool {
        self.channel == Channel::Email
    }

    /// What must be asked of the store before rows can be judged; `None` for a campaign that looks at its file alone.
    pub fn lookup(&self) -> Option<Lookup> {
        let scope = self.unique_within.map(|window| KeyScope {
            campaign_id: self.id,
            fields: self.unique.clone(),
            window,
            folds_target_case: self.folds_target_case(),
        });
        let is_needed = scope.is_some() || !self.suppression.is_empty();
        is_needed.then(|| Lookup { scope, lists: self.suppression.clone() })
    }
}
