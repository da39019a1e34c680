//! What a campaign's section says.

use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::Deserialize;

use super::due::OneOrSeveral;
use super::unambiguous::Unambiguous;
use super::{Aliases, ConfigError, parse_duration};
use crate::model::{Campaign, Channel, Extensions, KeyField, Newline, TableSchema};

/// One `[campaigns.NAME]` section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignConfig {
    /// Number that batches carry, from 1 up; never given to another campaign later.
    pub id: i32,
    /// Glob on a file's base name, such as `LATE_PAYMENTS_*.csv*`.
    pub files: String,
    /// `voice` (default), `sms` or `email`.
    pub channel: Option<Channel>,
    /// Country of national phone numbers; default `US`.
    pub region: Option<String>,
    /// `keep` or `refuse`: what becomes of a phone number with an extension; default: kept for `voice`, refused for
    /// `sms`.
    pub extensions: Option<Extensions>,
    /// New batches wait for a person to resume them.
    pub hold: Option<bool>,
    /// Such as `"30d"` or `"12h"`; not set: batches never expire.
    pub expires_after: Option<String>,
    /// `["reference_id"]` by default; `"target"` may join.
    pub unique: Option<Vec<KeyField>>,
    /// Such as `"30d"`: the keys of the campaign's batches of that time count too. Not set: the file's own only.
    pub unique_within: Option<String>,
    /// Names of suppression lists.
    pub suppression: Option<Vec<String>>,
    /// Whether the same content may become a batch again.
    pub allow_repeats: Option<bool>,
    /// A file fails when more than this share of its rows, in percent, is INVALID; default 25.
    pub max_invalid_percent: Option<f64>,
    /// The share counts from this many rows up; default 20.
    pub max_invalid_from_rows: Option<u64>,
    /// What stands between two cells; default: told from the data.
    pub delimiter: Option<String>,
    /// The character around cells, `""` for none; default: told from the data.
    pub quote: Option<String>,
    /// The character that takes the next one's meaning away, `""` for none; default: told from the data.
    pub escape: Option<String>,
    /// What ends a row; default: each of them.
    pub newline: Option<Newline>,
    /// WHATWG label; default: UTF-8, or what the byte order mark says.
    pub encoding: Option<String>,
    /// Whether files have a header line; default true.
    pub header: Option<bool>,
    /// The columns' names, in place of the header's, or for files without one.
    pub names: Option<Vec<String>>,
    /// Lines at the top that are not read; default 0.
    pub skip_rows: Option<u32>,
    /// Rows that begin with this are not read.
    pub comment: Option<String>,
    /// More names for the columns that every file needs.
    #[serde(default)]
    pub aliases: Aliases,
    /// Other columns that must be there, and whose cells must not be blank.
    #[serde(default)]
    pub required: Vec<String>,
    /// When its files are due: one time or several, such as `"weekdays 09:00"`. Not set: nothing is expected.
    pub due: Option<OneOrSeveral>,
    /// IANA name of the time zone that `due` is in; default: `worker.time_zone`.
    pub due_zone: Option<String>,
    /// How long after it was due a file is late; then it is missing. Default `"30m"`.
    pub due_grace: Option<String>,
    /// How long before it is due a file counts; not set: from half-way between the due time before and this one.
    pub due_opens: Option<String>,
    /// Days on which nothing is due, such as `"2025-12-25"`.
    pub due_except: Option<Vec<String>>,
    /// A Table Schema that the cells must keep to: a JSON file, its path relative to the configuration file.
    pub schema: Option<String>,
    /// What stands in that file.
    #[serde(skip)]
    table_schema: Option<TableSchema>,
}

impl CampaignConfig {
    pub(super) fn campaign(&self, name: &str, zone: Tz) -> Result<Campaign, ConfigError> {
        let default = Campaign::default();
        let error = |key: &str, why: &str| ConfigError(format!("campaigns.{name}.{key} {why}"));
        let wrong = |key: &str, why: &str| Err(error(key, why));
        if self.id < 1 {
            return wrong("id", "must be 1 or more");
        }
        let unique = self.unique.clone().unwrap_or(default.unique);
        if unique.is_empty() || (unique.len() > 1 && unique[0] == unique[1]) || unique.len() > 2 {
            return wrong("unique", "must name reference_id, target, or each once");
        }
        let max_invalid_percent = self.max_invalid_percent.unwrap_or(default.max_invalid_percent);
        if !(0.0..=100.0).contains(&max_invalid_percent) {
            return wrong("max_invalid_percent", "must lie between 0 and 100");
        }
        let duration = |key: &str, text: Option<&str>| match text.map(parse_duration) {
            Some(None) => Err(error(key, "must be a number and one of s, m, h, d, w, such as \"30d\"")),
            Some(some) => Ok(some),
            None => Ok(None),
        };
        let expires_after = duration("expires_after", self.expires_after.as_deref())?;
        let unique_within = duration("unique_within", self.unique_within.as_deref())?;
        let suppression = self.suppression.clone().unwrap_or_default();
        let channel = self.channel.unwrap_or(default.channel);
        Ok(Campaign {
            id: self.id,
            name: name.to_owned(),
            files: self.files.clone(),
            channel,
            region: self.region.clone().unwrap_or(default.region),
            extensions: self.extensions.unwrap_or(Extensions::usual(channel)),
            hold: self.hold.unwrap_or(default.hold),
            expires_after,
            unique,
            unique_within,
            suppression,
            allow_repeats: self.allow_repeats.unwrap_or(default.allow_repeats),
            max_invalid_percent,
            max_invalid_from_rows: self.max_invalid_from_rows.unwrap_or(default.max_invalid_from_rows),
            format: self.format(name)?,
            schema: self.table_schema.clone(),
            due: self.due(name, zone)?,
        })
    }

    /// Reads the file of `schema`. What is in it, the rules judge.
    pub(super) fn read_schema(&mut self, name: &str, folder: &Path) -> Result<(), ConfigError> {
        let Some(file) = &self.schema else { return Ok(()) };
        let wrong = |why: String| ConfigError(format!("campaigns.{name}.schema: {file}: {why}"));
        let text =
            std::fs::read_to_string(folder.join(file)).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let Unambiguous(descriptor) =
            serde_json::from_str(&text).map_err(|error| wrong(format!("not JSON that can be used: {error}")))?;
        self.table_schema = Some(TableSchema { file: file.clone(), descriptor: Arc::new(descriptor) });
        Ok(())
    }
}
