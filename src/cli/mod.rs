//! The command line: one file a family of commands. The only place where the parts are wired together.
//!
//! Data goes to standard output, everything else to standard error. Exit codes are told in each command's help.

mod batches;
mod check;
mod excerpt;
mod expected;
mod explain;
mod forget;
mod output;
mod place;
mod probe;
mod purge;
mod read;
mod rejects;
mod requeue;
mod run;
mod shell;
mod steer;
mod template;
mod told;
mod uploads;
mod webhooks;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::rules::{Lists, Router};
use crate::store::Store;
use crate::telemetry;

/// A command came to its end without trouble.
pub const OK: u8 = 0;
/// `check`, `read`: there are findings. Other commands: trouble of ours.
pub const FINDINGS_OR_TROUBLE: u8 = 1;
/// Wrong usage or configuration; `check`, `read`: trouble of ours too.
pub const USAGE: u8 = 2;
/// `run --once`: some upload became no loaded batch.
pub const SOME_FAILED: u8 = 3;

/// Drop a CSV in a bucket, get a batch.
#[derive(Debug, Parser)]
#[command(
    version = env!("PROGRAM_VERSION"),
    about,
    max_term_width = 100,
    after_help = "Examples:
  batchdrop run fixtures/uploads            watch a folder, keep batches in ./batchdrop.db
  batchdrop run s3://uploads/calls --store postgres://app@db/calls
  batchdrop check LATE_PAYMENTS_20250401.csv
  batchdrop batches list --status FAILED
  batchdrop explain INVALID_PHONE

Every key of the configuration file can be set by environment: store.url is BATCHDROP_STORE_URL."
)]
pub struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Shared {
    /// Configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = "BATCHDROP_CONFIG")]
    config: Option<PathBuf>,
    /// Where batches are kept: sqlite://FILE or postgres://USER@HOST/DATABASE [config: store.url]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// Write data as JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load what is dropped in a bucket
    Run(run::RunArgs),
    /// Read files as the worker would, and write nothing
    Check(check::CheckArgs),
    /// Show files as they are read: plain CSV, whatever they were
    Read(read::ReadArgs),
    /// Look at batches, hold them, cancel them
    #[command(
        subcommand,
        after_help = "Examples:
  batchdrop batches list
  batchdrop batches show 20250401.2
  batchdrop batches hold 20250401.2 --reason 'wrong amounts?'"
    )]
    Batches(batches::BatchesCommand),
    /// Look at the ledger of uploads
    #[command(
        subcommand,
        after_help = "Example:
  batchdrop uploads list"
    )]
    Uploads(uploads::UploadsCommand),
    /// Look at the files that are due, and those that did not come
    #[command(
        subcommand,
        after_help = "Example:
  batchdrop expected list"
    )]
    Expected(expected::ExpectedCommand),
    /// Look at suppression lists
    #[command(
        subcommand,
        after_help = "Example:
  batchdrop suppression list"
    )]
    Suppression(batches::SuppressionCommand),
    /// Look at what other programs are told, and try it
    #[command(
        subcommand,
        after_help = "Examples:
  batchdrop webhooks list
  batchdrop webhooks test ops"
    )]
    Webhooks(webhooks::WebhooksCommand),
    /// Write the rows of a batch that were not loaded, for mending
    Rejects(rejects::RejectsArgs),
    /// Have uploads that came to nothing worked on again
    Requeue(requeue::RequeueArgs),
    /// Delete people's data that is old
    Purge(purge::PurgeArgs),
    /// Delete one person's data, wherever it stands
    Forget(forget::ForgetArgs),
    /// Tell what a code means and how to mend it
    Explain(explain::ExplainArgs),
    /// Write what a shell needs to complete commands and options
    Completions(shell::CompletionsArgs),
    /// Write the manual's pages
    Man(shell::ManArgs),
    /// Ask a running worker whether it lives
    Probe(probe::ProbeArgs),
    /// Bring the store's schema up to this program's
    #[command(after_help = "Exit codes:
  0  the schema is up to date
  1  trouble of ours; nothing was changed
  2  wrong usage or configuration

Example:
  batchdrop migrate --store postgres://app@db/calls")]
    Migrate,
    /// Look at the configuration
    #[command(
        subcommand,
        after_help = "Example:
  batchdrop config check --config batchdrop.toml"
    )]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the configuration, and tell which campaign takes which files
    #[command(after_help = "Exit codes:
  0  the configuration is valid
  2  it is not; the message says where

Example:
  batchdrop config check --config batchdrop.toml")]
    Check,
}

impl Cli {
    /// Runs the command; returns the exit code.
    ///
    /// # Errors
    /// Trouble of ours, or a configuration that cannot be used, with a text for the person at the keyboard.
    pub async fn execute(&self) -> anyhow::Result<u8> {
        let shared = &self.shared;
        if let Command::Explain(args) = &self.command {
            return explain::explain(args, shared.json);
        }
        match &self.command {
            Command::Completions(args) => return Ok(shell::completions(args)),
            Command::Man(args) => return shell::man(args),
            _ => {} // all others want a configuration
        }
        let config = shared.load_config()?;
        let with_traces = matches!(self.command, Command::Run(_));
        telemetry::start(&config.log, with_traces).map_err(ConfigError)?;
        match &self.command {
            Command::Run(args) => run::run(args, config, shared.json).await,
            Command::Check(args) => check::check(args, &config, shared.json),
            Command::Read(args) => read::read(args, &config, shared.json),
            Command::Batches(command) => {
                let identity = &config.worker.identity;
                batches::batches(command, identity, &existing_store(&config).await?, shared.json).await
            }
            Command::Uploads(command) => uploads::uploads(command, &existing_store(&config).await?, shared.json).await,
            Command::Expected(expected::ExpectedCommand::List(args)) => {
                expected::list(args, &existing_store(&config).await?, shared.json).await
            }
            Command::Requeue(args) => requeue::requeue(args, &existing_store(&config).await?, shared.json).await,
            Command::Purge(args) => purge::purge(args, &config, &existing_store(&config).await?, shared.json).await,
            Command::Forget(args) => forget::forget(args, &config, &existing_store(&config).await?, shared.json).await,
            Command::Suppression(command) => {
                batches::suppression(command, &existing_store(&config).await?, shared.json).await
            }
            Command::Webhooks(webhooks::WebhooksCommand::List(args)) => {
                webhooks::list(args, &existing_store(&config).await?, shared.json).await
            }
            Command::Webhooks(webhooks::WebhooksCommand::Test { name }) => webhooks::test(name, &config).await,
            Command::Rejects(args) => rejects::rejects(args, &existing_store(&config).await?).await,
            Command::Explain(_) | Command::Completions(_) | Command::Man(_) => Ok(OK), // done above
            Command::Probe(args) => probe::probe(args, &config).await,
            Command::Migrate => migrate(&config).await,
            Command::Config(ConfigCommand::Check) => config_check(&config, shared.config.is_some(), shared.json),
        }
    }

    /// Tells what went wrong, and returns the exit code.
    pub fn end_in_trouble(&self, trouble: &anyhow::Error) -> u8 {
        // The text of a configuration error shows the place, over several lines.
        let text = match trouble.downcast_ref::<ConfigError>() {
            Some(error) => error.to_string(),
            None => telemetry::chain(trouble.as_ref()),
        };
        output::note(&format!("error: {}", text.trim_end()));
        match self.command {
            _ if trouble.is::<ConfigError>() => USAGE,
            Command::Check(_) | Command::Read(_) | Command::Config(_) | Command::Explain(_) => USAGE,
            _ => FINDINGS_OR_TROUBLE,
        }
    }
}

impl Shared {
    fn load_config(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref(), std::env::vars())?;
        if let Some(url) = &self.store {
            config.store.url = url.clone();
        }
        Ok(config)
    }
}

async fn open_store(config: &Config) -> anyhow::Result<Store> {
    Store::connect(&config.store).await.with_context(|| format!("store {}", config.store.shown_url()))
}

/// The store for a command that only looks: SQLite would make an empty file where there is none.
async fn existing_store(config: &Config) -> anyhow::Result<Store> {
    let file = config.store.url.strip_prefix("sqlite://").and_then(|rest| rest.split('?').next());
    if file.is_some_and(|file| file != ":memory:" && !Path::new(file).exists()) {
        bail!(
            "store {}: there is no such file yet; batchdrop run makes it, and --store names another",
            config.store.shown_url()
        );
    }
    open_store(config).await
}

fn router(config: &Config) -> Result<Router, ConfigError> {
    let router = Router::new(config.campaigns()?).map_err(|error| ConfigError(error.to_string()))?;
    for campaign in router.campaigns() {
        crate::rules::check_campaign(campaign)
            .map_err(|why| ConfigError(format!("campaigns.{}.{why}", campaign.name)))?;
    }
    Ok(router)
}

fn lists(config: &Config) -> Result<Lists, ConfigError> {
    Lists::new(config.suppression_lists()?).map_err(|why| ConfigError(format!("suppression.{why}")))
}

async fn migrate(config: &Config) -> anyhow::Result<u8> {
    let store = open_store(config).await?;
    let applied = store.migrate().await.with_context(|| format!("store {}", config.store.shown_url()))?;
    match applied.len() {
        0 => output::line(&format!("{}: up to date", config.store.shown_url())),
        _ => output::line(&format!("{}: applied {}", config.store.shown_url(), applied.join(", "))),
    }
    Ok(OK)
}

/// No file is looked for where none is named: whoever has one should not believe that it was read.
fn config_check(config: &Config, from_file: bool, json: bool) -> anyhow::Result<u8> {
    let router = router(config)?;
    lists(config)?;
    config.webhooks()?;
    let mut table = output::Table::new(
        &[
            "ID",
            "CAMPAIGN",
            "FILES",
            "CHANNEL",
            "REGION",
            "EXTENSIONS",
            "UNIQUE",
            "UNIQUE WITHIN",
            "SUPPRESSION",
            "HOLD",
            "SCHEMA",
            "DUE",
            "READ AS",
        ],
        json,
    );
    for campaign in router.campaigns() {
        let channel = serde_json::to_value(campaign.channel)?;
        let due = campaign.due.as_ref().map(ToString::to_string);
        let schema = campaign.schema.as_ref().map(|schema| schema.file.as_str());
        let unique = serde_json::to_value(&campaign.unique)?;
        let unique_text: Vec<_> = unique.as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
        let extensions = serde_json::to_value(campaign.extensions)?;
        let unique_within = campaign.unique_within.map(crate::config::duration_text);
        let suppression =
            if campaign.suppression.is_empty() { "-".to_owned() } else { campaign.suppression.join(", ") };
        table.row(
            vec![
                campaign.id.to_string(),
                campaign.name.clone(),
                campaign.files.clone(),
                channel.as_str().unwrap_or_default().to_owned(),
                campaign.region.clone(),
                extensions.as_str().unwrap_or_default().to_owned(),
                unique_text.join(", "),
                unique_within.clone().unwrap_or_else(|| "-".to_owned()),
                suppression,
                if campaign.hold { "yes" } else { "no" }.to_owned(),
                schema.unwrap_or("-").to_owned(),
                due.clone().unwrap_or_else(|| "-".to_owned()),
                crate::config::told(&campaign.format),
            ],
            &serde_json::json!({
                "id": campaign.id, "name": campaign.name, "files": campaign.files, "channel": channel,
                "region": campaign.region, "extensions": extensions, "unique": unique,
                "unique_within": unique_within, "suppression": campaign.suppression, "hold": campaign.hold,
                "schema": schema,
                "due": due,
                "read_as": crate::config::told(&campaign.format),
            }),
        );
    }
    table.print();
    let (bucket, store) = (&config.bucket.url, config.store.shown_url());
    output::note(&format!("The configuration is valid. Bucket {}, store {}.", output::printable(bucket), store));
    if !from_file {
        output::note("No file was read, only the environment: name one by --config FILE or BATCHDROP_CONFIG.");
    }
    Ok(OK)
}
