//! The configuration: one TOML file, every key overridable by environment, unknown keys refused.
//!
//! One small struct per edge, each handed to its edge alone; only `cli` sees the whole. A key `store.url` is also
//! read from `BATCHDROP_STORE_URL`, and `campaigns.late_payments.hold` from `BATCHDROP_CAMPAIGNS_LATE_PAYMENTS_HOLD`.
//! Secrets belong into the environment, or come by the usual AWS chain.

mod due;
mod format;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;
use toml::{Table, Value};

use crate::bucket::{After, BucketConfig};
use crate::model::{Campaign, Channel, Extensions, KeyField, Newline, SuppressionList, TableSchema, steering};
use crate::reader::Limits;
use crate::serve::ServeConfig;
use crate::store::StoreConfig;
use crate::telemetry::LogConfig;
use crate::webhook::{Webhook, WebhookConfig};
use crate::worker::WorkerConfig;
pub use format::{Aliases, Told, are_named, told};

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
    /// What is told over HTTP, and where.
    pub serve: ServeConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// How long people's data is kept.
    pub retention: RetentionConfig,
    /// The rule sets, by name. None at all: one campaign, id 1, that takes every CSV file.
    pub campaigns: BTreeMap<String, CampaignConfig>,
    /// The suppression lists, by name.
    pub suppression: BTreeMap<String, SuppressionConfig>,
    /// The programs that are told what happened, by name.
    pub webhooks: BTreeMap<String, WebhookConfig>,
}

/// The `[retention]` section.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Such as `"90d"`: how old requests may get. Not set: they are kept, and `purge` has to be told.
    pub requests: Option<String>,
}

impl RetentionConfig {
    /// How old requests may be.
    pub fn requests(&self) -> Result<Option<Duration>, ConfigError> {
        let read = |text: &String| {
            let why = "retention.requests must be a time such as \"90d\" or \"12h\", ten years at most";
            parse_duration(text).ok_or_else(|| ConfigError(why.to_owned()))
        };
        self.requests.as_ref().map(read).transpose()
    }
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
    pub due: Option<due::OneOrSeveral>,
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

/// One `[suppression.NAME]` section.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SuppressionConfig {
    /// Glob on the whole key of its files, such as `suppression/do_not_call*.csv*`; not set: a table that others fill.
    pub files: Option<String>,
    /// `voice` (default), `sms` or `email`: how targets are read.
    pub channel: Option<Channel>,
    /// Country of national phone numbers; default `US`.
    pub region: Option<String>,
    /// It counts for every campaign of its kind (phone or e-mail), named or not.
    pub everywhere: bool,
    /// Such as `"7d"`: uploads wait for a list that is older.
    pub max_age: Option<String>,
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
        let mut config: Config =
            table.try_into().map_err(|error| ConfigError(format!("configuration: {}", one_line(&error))))?;
        let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
        for (name, campaign) in &mut config.campaigns {
            campaign.read_schema(name, folder)?;
        }
        config.check()?;
        Ok(config)
    }

    /// The campaigns; where none is configured, the one that takes every CSV file.
    pub fn campaigns(&self) -> Result<Vec<Campaign>, ConfigError> {
        let mut campaigns = vec![Campaign::default()];
        if !self.campaigns.is_empty() {
            campaigns = self
                .campaigns
                .iter()
                .map(|(name, section)| section.campaign(name, self.worker.time_zone))
                .collect::<Result<_, _>>()?;
        }
        for campaign in &mut campaigns {
            self.add_lists(campaign)?;
        }
        Ok(campaigns)
    }

    /// The suppression lists.
    pub fn suppression_lists(&self) -> Result<Vec<SuppressionList>, ConfigError> {
        self.suppression.iter().map(|(name, section)| section.list(name)).collect()
    }

    /// The webhooks, with their secrets, as whoever delivers needs them.
    pub fn webhooks(&self) -> Result<Vec<Webhook>, ConfigError> {
        let webhooks = self.webhooks.iter().map(|(name, section)| {
            Webhook::new(name, section).map_err(|why| ConfigError(format!("webhooks.{name}.{why}")))
        });
        webhooks.collect()
    }

    fn check_webhooks(&self) -> Result<(), ConfigError> {
        let campaigns = self.campaigns()?;
        for (name, section) in &self.webhooks {
            let wrong = |why: &str| Err(ConfigError(format!("webhooks.{name}.{why}")));
            if let Some(problem) = section.problem() {
                return wrong(&problem);
            }
            let is_unknown = |name: &&String| campaigns.iter().all(|campaign| campaign.name != **name);
            if let Some(unknown) = section.campaigns.iter().flatten().find(is_unknown) {
                return wrong(&format!("campaigns names {unknown:?}, and there is no such campaign"));
            }
        }
        Ok(())
    }

    /// Behind the lists that a campaign names come those that count everywhere.
    fn add_lists(&self, campaign: &mut Campaign) -> Result<(), ConfigError> {
        let is_email = |channel: Option<Channel>| channel == Some(Channel::Email);
        let is_for_email = is_email(Some(campaign.channel));
        for name in &campaign.suppression {
            let wrong = |why: &str| Err(ConfigError(format!("campaigns.{}.suppression {why}", campaign.name)));
            match self.suppression.get(name) {
                None => return wrong(&format!("names {name:?}, and there is no section [suppression.{name}]")),
                Some(list) if is_email(list.channel) != is_for_email => {
                    return wrong(&format!("names {name:?}, whose targets are of another channel"));
                }
                Some(_) => {}
            }
        }
        for (name, list) in &self.suppression {
            if list.everywhere && is_email(list.channel) == is_for_email && !campaign.suppression.contains(name) {
                campaign.suppression.push(name.clone());
            }
        }
        Ok(())
    }

    /// Whether loads could hold all connections, and each wait for one more.
    fn looks_up_too_much(&self) -> Result<bool, ConfigError> {
        let looks_up = self.campaigns()?.iter().any(|campaign| campaign.lookup().is_some());
        let is_shared = self.store.url.starts_with("postgres");
        Ok(looks_up && is_shared && self.store.max_connections as usize <= self.worker.uploads_at_once)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if let Some(problem) = self.serve.problem() {
            return Err(ConfigError(problem));
        }
        self.campaigns()?;
        self.suppression_lists()?;
        self.retention.requests()?;
        self.check_webhooks()?;
        if steering::actor(&self.worker.identity).is_err() {
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
            ("bucket.stall_seconds", self.bucket.stall_seconds),
            ("worker.uploads_at_once", self.worker.uploads_at_once as u64),
            ("worker.lease_seconds", self.worker.lease_seconds),
            ("worker.max_attempts", u64::from(self.worker.max_attempts)),
            ("worker.poll_ms", self.worker.poll_ms),
            ("worker.sweep_seconds", self.worker.sweep_seconds),
            ("store.connect_seconds", self.store.connect_seconds),
            ("store.silent_seconds", u64::from(self.store.silent_seconds)),
            ("store.max_connections", u64::from(self.store.max_connections)),
            ("limits.columns", self.limits.columns as u64),
            ("limits.row_bytes", self.limits.row_bytes as u64),
            ("limits.cell_bytes", self.limits.cell_bytes as u64),
            ("limits.rows", u64::from(self.limits.rows)),
            ("limits.unpacked_bytes", self.limits.unpacked_bytes),
        ];
        match at_least_one.iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(ConfigError(format!("{key} must be at least 1"))),
            // Row and line numbers are stored as signed 32-bit numbers.
            None if self.limits.rows > 2_000_000_000 => {
                Err(ConfigError("limits.rows must be at most 2000000000".into()))
            }
            None if self.looks_up_too_much()? => Err(ConfigError(
                "store.max_connections must be more than worker.uploads_at_once: campaigns with unique_within or suppression \
                 look things up while they load"
                    .into(),
            )),
            None if self.limits.row_bytes > 64 << 20 => {
                Err(ConfigError("limits.row_bytes must be at most 67108864 (64 MiB)".into()))
            }
            None => Ok(()),
        }
    }
}

impl CampaignConfig {
    fn campaign(&self, name: &str, zone: Tz) -> Result<Campaign, ConfigError> {
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
    fn read_schema(&mut self, name: &str, folder: &Path) -> Result<(), ConfigError> {
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

/// JSON in which no object has a name twice: of such a pair a plain reading keeps the last, in silence.
struct Unambiguous(serde_json::Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Unambiguous)
    }
}

struct UnambiguousVisitor;

impl<'de> serde::de::Visitor<'de> for UnambiguousVisitor {
    type Value = serde_json::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(serde_json::Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut all = serde_json::Map::new();
        while let Some((name, Unambiguous(value))) = entries.next_entry::<String, _>()? {
            if all.contains_key(&name) {
                return Err(serde::de::Error::custom(format_args!("{name:?} stands twice in one object")));
            }
            all.insert(name, value);
        }
        Ok(all.into())
    }
}

impl SuppressionConfig {
    fn list(&self, name: &str) -> Result<SuppressionList, ConfigError> {
        let default = Campaign::default();
        let wrong = |key: &str, why: &str| Err(ConfigError(format!("suppression.{name}.{key} {why}")));
        let max_age = match self.max_age.as_deref().map(parse_duration) {
            Some(None) => return wrong("max_age", "must be a number and one of s, m, h, d, w, such as \"7d\""),
            Some(some) => some,
            None => None,
        };
        if max_age.is_some() && self.files.is_none() {
            return wrong("max_age", "needs files: nobody tells when others filled the table");
        }
        Ok(SuppressionList {
            name: name.to_owned(),
            files: self.files.clone(),
            channel: self.channel.unwrap_or(default.channel),
            region: self.region.clone().unwrap_or(default.region),
            max_age,
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

/// The same the other way round, in the largest unit that gives a whole number.
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60)];
    match units.iter().find(|(_, length)| seconds.is_multiple_of(*length)) {
        Some((unit, length)) => format!("{}{unit}", seconds / length),
        None => format!("{seconds}s"),
    }
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
    if ["campaigns", "suppression", "webhooks"].contains(&section) {
        let Some(Value::Table(named)) = table.get_mut(section) else { return Err(unknown()) };
        // The longest name first, so that `late_payments` is not taken for `late`.
        let mut names: Vec<String> = named.keys().cloned().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            let prefix = format!("{}_", name.to_ascii_lowercase().replace('-', "_"));
            if let (Some(key), Some(Value::Table(section))) = (key.strip_prefix(&prefix), named.get_mut(&name)) {
                match key.strip_prefix("aliases_") {
                    None => section.insert(key.to_owned(), value),
                    Some(field) => {
                        let aliases = section.entry("aliases").or_insert_with(|| Value::Table(Table::new()));
                        aliases.as_table_mut().ok_or_else(unknown)?.insert(field.to_owned(), value)
                    }
                };
                return Ok(());
            }
        }
        return Err(unknown());
    }
    if !["bucket", "store", "worker", "limits", "retention", "serve", "log"].contains(&section) {
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
    fn due_times_are_in_the_zone_of_the_campaign_or_else_of_the_worker() {
        let text = "[worker]\ntime_zone = 'Europe/Berlin'\n[campaigns.a]\nid = 1\nfiles = 'a*'\ndue = 'weekdays 09:00'\n\
                    due_except = ['2025-12-25']\n[campaigns.b]\nid = 2\nfiles = 'b*'\ndue_zone = 'Asia/Tokyo'\ndue_opens = '2h'";
        let variables = [("BATCHDROP_CAMPAIGNS_B_DUE", "['daily 09:00', 'sun 18:00']")];
        let campaigns = load(text, &variables).expect("valid").campaigns().expect("valid");
        let [a, b] = [0, 1].map(|at| campaigns[at].due.clone().expect("due times"));
        assert_eq!(a.to_string(), "mon,tue,wed,thu,fri 09:00, Europe/Berlin");
        assert_eq!(b.to_string(), "daily 09:00, sun 18:00, Asia/Tokyo");
        assert_eq!((a.grace, a.except.len(), a.opens), (chrono::TimeDelta::minutes(30), 1, None));
        assert_eq!(b.opens, Some(chrono::TimeDelta::hours(2)));
    }

    #[test]
    fn a_text_message_reaches_no_extension() {
        let text = "[campaigns.a]\nid = 1\nfiles = 'a*'\n[campaigns.b]\nid = 2\nfiles = 'b*'\nchannel = 'sms'\n\
                    [campaigns.c]\nid = 3\nfiles = 'c*'\nchannel = 'sms'\nextensions = 'keep'";
        let campaigns = load(text, &[]).expect("valid").campaigns().expect("valid");
        let extensions: Vec<_> = campaigns.iter().map(|campaign| campaign.extensions).collect();
        assert_eq!(extensions, [Extensions::Keep, Extensions::Refuse, Extensions::Keep]);
    }

    #[test]
    fn each_section_can_be_set_by_environment() {
        let variables = [
            ("BATCHDROP_BUCKET_URL", "elsewhere"),
            ("BATCHDROP_STORE_URL", "sqlite://other.db"),
            ("BATCHDROP_WORKER_IDENTITY", "ana@example.com"),
            ("BATCHDROP_LIMITS_ROWS", "7"),
            ("BATCHDROP_RETENTION_REQUESTS", "90d"),
            ("BATCHDROP_SERVE_IDENTITY", "api@example.com"),
            ("BATCHDROP_LOG_LEVEL", "debug"),
        ];
        let config = load("", &variables).expect("valid");
        assert_eq!((config.bucket.url.as_str(), config.store.url.as_str()), ("elsewhere", "sqlite://other.db"));
        assert_eq!((config.worker.identity.as_str(), config.limits.rows), ("ana@example.com", 7));
        assert_eq!(config.retention.requests().expect("valid"), Some(Duration::from_secs(90 * 86_400)));
        assert_eq!((config.serve.identity.as_str(), config.log.level.as_deref()), ("api@example.com", Some("debug")));
    }

    #[test]
    fn a_duration_is_shown_as_it_can_be_written() {
        for text in ["45s", "90m", "12h", "30d", "2w"] {
            assert_eq!(parse_duration(text).map(duration_text).as_deref(), Some(text));
        }
        assert_eq!(duration_text(Duration::from_secs(86_400)), "1d");
    }

    #[test]
    fn lists_that_count_everywhere_come_behind_those_that_are_named() {
        let text = "[campaigns.a]\nid = 1\nfiles = 'a*'\nunique_within = '30d'\nsuppression = ['c']\n\
                    [campaigns.b]\nid = 2\nfiles = 'b*'\nchannel = 'email'\n\
                    [suppression.a]\neverywhere = true\n[suppression.b]\n[suppression.c]\neverywhere = true\nfiles = 'c.csv'\n";
        let config = load(text, &[("BATCHDROP_SUPPRESSION_C_MAX_AGE", "7d")]).expect("valid");
        let campaigns = config.campaigns().expect("valid");
        assert_eq!(campaigns[0].unique_within, Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(
            (&campaigns[0].suppression, &campaigns[1].suppression),
            (&vec!["c".to_owned(), "a".into()], &vec![])
        );
        let lists = config.suppression_lists().expect("valid");
        assert_eq!(lists[2].max_age, Some(Duration::from_secs(7 * 86_400)));
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        insta::assert_snapshot!(load("[store]\nurll = 'x'\n", &[]).expect_err("unknown key"), @r"
        FILE: TOML parse error at line 2, column 1
          |
        2 | urll = 'x'
          | ^^^^
        unknown field `urll`, expected one of `url`, `max_connections`, `connect_seconds`, `silent_seconds`
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
            ("[bucket]\nstall_seconds = 0", &[], "bucket.stall_seconds must be at least 1"),
            ("[campaigns.a]\nid = 0\nfiles = 'x'", &[], "campaigns.a.id must be 1 or more"),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\nexpires_after = '3 moons'",
                &[],
                "campaigns.a.expires_after must be a number and one of s, m, h, d, w, such as \"30d\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\nunique_within = '30'",
                &[],
                "campaigns.a.unique_within must be a number and one of s, m, h, d, w, such as \"30d\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\nsuppression = ['stop']",
                &[],
                "campaigns.a.suppression names \"stop\", and there is no section [suppression.stop]",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\nsuppression = ['stop']\n[suppression.stop]\nchannel = 'email'",
                &[],
                "campaigns.a.suppression names \"stop\", whose targets are of another channel",
            ),
            (
                "[store]\nurl = 'postgres://h/d'\n[campaigns.a]\nid = 1\nfiles = 'x'\nunique_within = '1d'",
                &[("BATCHDROP_WORKER_UPLOADS_AT_ONCE", "8")],
                "store.max_connections must be more than worker.uploads_at_once: campaigns with unique_within or suppression \
                 look things up while they load",
            ),
            (
                "[suppression.stop]\nmax_age = '7d'",
                &[],
                "suppression.stop.max_age needs files: nobody tells when others filled the table",
            ),
            (
                "[webhooks.ops]\nurl = 'https://example.com'\ncampaigns = ['a']",
                &[],
                "webhooks.ops.campaigns names \"a\", and there is no such campaign",
            ),
            (
                "[webhooks.ops]\nurl = 'https://example.com'",
                &[("BATCHDROP_WEBHOOKS_OPS_EVENTS", "[]")],
                "webhooks.ops.events must name one event at least; leave it out for all of them",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'every day at nine'",
                &[],
                "campaigns.a.due cannot be \"every day at nine\"; write \"daily 09:00\", \"weekdays 09:00\", \"mon,thu 06:30\", \
                 \"monthly 1 08:00\" or \"monthly last 08:00\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = ['daily 09:00', 'daily 25:00']",
                &[],
                "campaigns.a.due cannot be \"daily 25:00\": the time of day is written from 00:00 to 23:59",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = []",
                &[],
                "campaigns.a.due must name one time at least; write \"daily 09:00\", \"weekdays 09:00\", \"mon,thu 06:30\", \
                 \"monthly 1 08:00\" or \"monthly last 08:00\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'daily 09:00'",
                &[("BATCHDROP_CAMPAIGNS_A_DUE_ZONE", "Berlin")],
                "campaigns.a.due_zone cannot be \"Berlin\"; write an IANA name such as \"Europe/Berlin\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'daily 09:00'\ndue_grace = 'short'",
                &[],
                "campaigns.a.due_grace must be a number and one of s, m, h, d, w, such as \"30m\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = ['daily 09:00', 'mon 11:00']\ndue_grace = '2h'",
                &[],
                "campaigns.a.due_grace must be shorter than the time between two due times, such as 2024-01-01 09:00 and 11:00 \
                 on 2024-01-01",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'daily 09:00'\ndue_except = ['25.12.2025']",
                &[],
                "campaigns.a.due_except cannot have \"25.12.2025\"; write days such as \"2025-12-25\"",
            ),
            (
                "[campaigns.a]\nid = 1\nfiles = 'x'\ndue_grace = '2h'",
                &[],
                "campaigns.a.due_grace needs due: write \"daily 09:00\", \"weekdays 09:00\", \"mon,thu 06:30\", \"monthly 1 08:00\" \
                 or \"monthly last 08:00\"",
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
