//! The configuration: one TOML file, every key overridable by environment, unknown keys refused.
//!
//! One small struct per edge, each handed to its edge alone; only `cli` sees the whole. A key `store.url` is also
//! read from `BATCHDROP_STORE_URL`, and `campaigns.late_payments.hold` from `BATCHDROP_CAMPAIGNS_LATE_PAYMENTS_HOLD`.
//! Secrets belong into the environment, or come by the usual AWS chain.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

use crate::bucket::{After, BucketConfig};
use crate::model::{Campaign, Channel, KeyField};
use crate::reader::Limits;
use crate::store::StoreConfig;
use crate::telemetry::LogConfig;
use crate::worker::WorkerConfig;

/// Prefix of the environment variables that override keys.
pub const ENVIRONMENT_PREFIX: &str = "BATCHDROP_";

/// Everything that can be configured.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where files are dropped.
    pub bucket: BucketConfig,
    /// Where batches are kept.
    pub store: StoreConfig,
    /// How the worker works.
    pub worker: WorkerConfig,
    /// How much of a file is taken.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: LogConfig,
    /// The rule sets, by name. None at all: one campaign, id 1, that takes every CSV file.
    pub campaigns: BTreeMap<String, CampaignConfig>,
}

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
    /// New batches wait for a person to resume them.
    pub hold: Option<bool>,
    /// Such as `"30d"` or `"12h"`; not set: batches never expire.
    pub expires_after: Option<String>,
    /// `["reference_id"]` by default; `"target"` may join.
    pub unique: Option<Vec<KeyField>>,
    /// Whether the same content may become a batch again.
    pub allow_repeats: Option<bool>,
    /// A file fails when more than this share of its rows, in percent, is INVALID; default 25.
    pub max_invalid_percent: Option<f64>,
    /// The share counts from this many rows up; default 20.
    pub max_invalid_from_rows: Option<u64>,
}

/// A configuration that cannot be used. The text says where and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl Config {
    /// Reads the file, if one is named, and then the variables (name, value) over it.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, has unknown keys or values of the wrong kind.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let mut table = match file {
            None => Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| ConfigError(format!("{}: cannot be read: {error}", path.display())))?;
                // Once by itself first: toml points at line and column only while it has the text at hand.
                toml::from_str::<Config>(&text).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
                text.parse().map_err(|error| ConfigError(format!("{}: {error}", path.display())))?
            }
        };
        for (name, value) in variables {
            override_key(&mut table, &name, &value)?;
        }
        let config: Config =
            table.try_into().map_err(|error| ConfigError(format!("configuration: {}", one_line(&error))))?;
        config.check()?;
        Ok(config)
    }

    /// The campaigns; where none is configured, the one that takes every CSV file.
    pub fn campaigns(&self) -> Result<Vec<Campaign>, ConfigError> {
        if self.campaigns.is_empty() {
            return Ok(vec![Campaign::default()]);
        }
        self.campaigns.iter().map(|(name, section)| section.campaign(name)).collect()
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.campaigns()?;
        if !self.worker.identity.contains('@') {
            return Err(ConfigError(
                "worker.identity must be an e-mail address; batches carry it as last_updated_by".into(),
            ));
        }
        if self.bucket.after == After::Move && self.bucket.processed_key("").is_none() {
            return Err(ConfigError(
                "bucket.processed_prefix must name a folder where bucket.after is \"move\"".into(),
            ));
        }
        let at_least_one = [
            ("worker.uploads_at_once", self.worker.uploads_at_once as u64),
            ("worker.lease_seconds", self.worker.lease_seconds),
            ("worker.max_attempts", u64::from(self.worker.max_attempts)),
            ("worker.poll_ms", self.worker.poll_ms),
            ("store.max_connections", u64::from(self.store.max_connections)),
            ("limits.columns", self.limits.columns as u64),
            ("limits.row_bytes", self.limits.row_bytes as u64),
            ("limits.rows", u64::from(self.limits.rows)),
        ];
        match at_least_one.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(ConfigError(format!("{key} must be at least 1"))),
            // Row and line numbers are stored as signed 32-bit numbers.
            None if self.limits.rows > 2_000_000_000 => {
                Err(ConfigError("limits.rows must be at most 2000000000".into()))
            }
            None if self.limits.row_bytes > 64 << 20 => {
                Err(ConfigError("limits.row_bytes must be at most 67108864 (64 MiB)".into()))
            }
            None => Ok(()),
        }
    }
}

impl CampaignConfig {
    fn campaign(&self, name: &str) -> Result<Campaign, ConfigError> {
        let default = Campaign::default();
        let wrong = |key: &str, why: &str| Err(ConfigError(format!("campaigns.{name}.{key} {why}")));
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
        let expires_after = match self.expires_after.as_deref().map(parse_duration) {
            Some(None) => return wrong("expires_after", "must be a number and one of s, m, h, d, w, such as \"30d\""),
            Some(some) => some,
            None => None,
        };
        Ok(Campaign {
            id: self.id,
            name: name.to_owned(),
            files: self.files.clone(),
            channel: self.channel.unwrap_or(default.channel),
            region: self.region.clone().unwrap_or(default.region),
            hold: self.hold.unwrap_or(default.hold),
            expires_after,
            unique,
            allow_repeats: self.allow_repeats.unwrap_or(default.allow_repeats),
            max_invalid_percent,
            max_invalid_from_rows: self.max_invalid_from_rows.unwrap_or(default.max_invalid_from_rows),
        })
    }
}

/// `30d`, `12h`, `90m`, `45s`, `2w`; at most ten years.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let number: u64 = text[..text.len() - unit.len_utf8()].trim().parse().ok()?;
    let total = number.checked_mul(seconds)?;
    (total > 0 && total <= 3660 * 86_400).then(|| Duration::from_secs(total))
}

/// Puts one environment variable into the table. Variables without our prefix are nobody's business here.
fn override_key(table: &mut Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) else { return Ok(()) };
    // Set by those who test or start the program, not keys of it.
    if rest == "CONFIG" || rest.starts_with("TEST_") {
        return Ok(());
    }
    let rest = rest.to_ascii_lowercase();
    let unknown =
        || ConfigError(format!("{name} names no configuration key; keys are written like BATCHDROP_STORE_URL"));
    let (section, key) = rest.split_once('_').ok_or_else(unknown)?;
    let value = scalar(value);
    if section == "campaigns" {
        let Some(Value::Table(campaigns)) = table.get_mut("campaigns") else { return Err(unknown()) };
        // The longest name first, so that `late_payments` is not taken for `late`.
        let mut names: Vec<String> = campaigns.keys().cloned().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for campaign in names {
            let prefix = format!("{}_", campaign.to_ascii_lowercase().replace('-', "_"));
            if let (Some(key), Some(Value::Table(section))) = (key.strip_prefix(&prefix), campaigns.get_mut(&campaign))
            {
                section.insert(key.to_owned(), value);
                return Ok(());
            }
        }
        return Err(unknown());
    }
    if !["bucket", "store", "worker", "limits", "log"].contains(&section) {
        return Err(unknown());
    }
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    entry.as_table_mut().ok_or_else(unknown)?.insert(key.to_owned(), value);
    Ok(())
}

/// A number, a truth value or a list as TOML writes them; anything else is text as it stands.
fn scalar(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    match parsed {
        Some(value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("writable");
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let name = file.path().display().to_string();
        Config::load(Some(file.path()), variables).map_err(|error| error.to_string().replace(&name, "FILE"))
    }

    #[test]
    fn nothing_configured_is_one_campaign_that_takes_every_csv() {
        let config = load("", &[]).expect("valid");
        assert_eq!(config, Config::default());
        assert_eq!(config.campaigns().expect("valid"), [Campaign::default()]);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let text = "[store]\nurl = 'sqlite://a.db'\n[campaigns.late]\nid = 1\nfiles = 'L*'\n[campaigns.late_payments]\nid = 2\nfiles = 'LP*'";
        let variables = [
            ("BATCHDROP_STORE_URL", "postgres://h/d"),
            ("BATCHDROP_WORKER_UPLOADS_AT_ONCE", "7"),
            ("BATCHDROP_CAMPAIGNS_LATE_PAYMENTS_HOLD", "true"),
            ("BATCHDROP_CAMPAIGNS_LATE_EXPIRES_AFTER", "30d"),
            ("BATCHDROP_CAMPAIGNS_LATE_UNIQUE", "['reference_id', 'target']"),
            ("HOME", "/"),
        ];
        let config = load(text, &variables).expect("valid");
        assert_eq!((config.store.url.as_str(), config.worker.uploads_at_once), ("postgres://h/d", 7));
        let campaigns = config.campaigns().expect("valid");
        assert_eq!((campaigns[0].hold, campaigns[1].hold), (false, true));
        assert_eq!(campaigns[0].expires_after, Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(campaigns[0].unique, [KeyField::ReferenceId, KeyField::Target]);
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        insta::assert_snapshot!(load("[store]\nurll = 'x'\n", &[]).expect_err("unknown key"), @r"
        FILE: TOML parse error at line 2, column 1
          |
        2 | urll = 'x'
          | ^^^^
        unknown field `urll`, expected `url` or `max_connections`
        ");
        for (text, variables, expected) in [
            (
                "",
                &[("BATCHDROP_STOER_URL", "x")][..],
                "BATCHDROP_STOER_URL names no configuration key; keys are written like BATCHDROP_STORE_URL",
            ),
            (
                "",
                &[("BATCHDROP_CAMPAIGNS_X_ID", "1")],
                "BATCHDROP_CAMPAIGNS_X_ID names no configuration key; keys are written like BATCHDROP_STORE_URL",
            ),
            (
                "",
                &[("BATCHDROP_WORKER_IDENTITY", "bob")],
                "worker.identity must be an e-mail address; batches carry it as last_updated_by",
            ),
            (
                "[bucket]\nafter = 'move'\nprocessed_prefix = '/'",
                &[],
                "bucket.processed_prefix must name a folder where bucket.after is \"move\"",
            ),
            ("", &[("BATCHDROP_LIMITS_ROWS", "0")], "limits.rows must be at least 1"),
            ("[campaigns.a]\nid = 0\nfiles = 'x'", &[], "campaigns.a.id must be 1 or more"),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\nexpires_after = '3 moons'",
                &[],
                "campaigns.a.expires_after must be a number and one of s, m, h, d, w, such as \"30d\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\nunique = []",
                &[],
                "campaigns.a.unique must name reference_id, target, or each once",
            ),
        ] {
            assert_eq!(load(text, variables).expect_err(expected), expected);
        }
    }
}
