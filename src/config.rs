//! The configuration: one TOML file, every key overridable by environment, unknown keys refused.
//!
//! One small struct per edge, each handed to its edge alone; only `cli` sees the whole. A key `store.url` is also
//! read from `BATCHDROP_STORE_URL`, and `campaigns.late_payments.hold` from `BATCHDROP_CAMPAIGNS_LATE_PAYMENTS_HOLD`.
//! Secrets belong into the environment, or come by the usual AWS chain.

mod campaign;
mod due;
mod duration;
mod environment;
mod format;
mod suppression;
#[cfg(test)]
mod tests;
mod unambiguous;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Table;

use crate::bucket::{After, BucketConfig};
use crate::model::{Campaign, Channel, SuppressionList, steering};
use crate::reader::Limits;
use crate::serve::ServeConfig;
use crate::store::StoreConfig;
use crate::telemetry::LogConfig;
use crate::webhook::{Webhook, WebhookConfig};
use crate::worker::WorkerConfig;
pub use campaign::CampaignConfig;
pub use duration::{duration_text, parse_duration};
pub use environment::ENVIRONMENT_PREFIX;
use environment::override_key;
pub use format::{Aliases, Told, are_named, told};
pub use suppression::SuppressionConfig;

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

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
