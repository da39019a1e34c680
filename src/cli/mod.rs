//! The command line: one file a family of commands. The only place where the parts are wired together.
//!
//! Data goes to standard output, everything else to standard error. Exit codes are told in each command's help.

mod batches;
mod check;
mod excerpt;
mod explain;
mod output;
mod place;
mod run;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::rules::Router;
use crate::store::Store;
use crate::telemetry;

/// A command came to its end without trouble.
pub const OK: u8 = 0;
/// `check`: there are findings. Other commands: trouble of ours.
pub const FINDINGS_OR_TROUBLE: u8 = 1;
/// Wrong usage or configuration; `check`: trouble of ours too.
pub const USAGE: u8 = 2;
/// `run --once`: some upload became no loaded batch.
pub const SOME_FAILED: u8 = 3;

/// Drop a CSV in a bucket, get a batch.
#[derive(Debug, Parser)]
#[command(
    version,
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
    /// Look at batches
    #[command(subcommand)]
    Batches(batches::BatchesCommand),
    /// Look at the ledger of uploads
    #[command(subcommand)]
    Uploads(batches::UploadsCommand),
    /// Tell what a code means and how to mend it
    Explain(explain::ExplainArgs),
    /// Bring the store's schema up to this program's
    Migrate,
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the configuration, and tell which campaign takes which files
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
        let config = shared.load_config()?;
        telemetry::start(&config.log).map_err(anyhow::Error::msg)?;
        match &self.command {
            Command::Run(args) => run::run(args, config, shared.json).await,
            Command::Check(args) => check::check(args, &config, shared.json),
            Command::Batches(command) => batches::batches(command, &open_store(&config).await?, shared.json).await,
            Command::Uploads(command) => batches::uploads(command, &open_store(&config).await?, shared.json).await,
            Command::Explain(_) => Ok(OK), // done above, without a configuration
            Command::Migrate => migrate(&config).await,
            Command::Config(ConfigCommand::Check) => config_check(&config, shared.json),
        }
    }

    /// The exit code of a command that ended in trouble.
    pub fn code_of_trouble(&self) -> u8 {
        match self.command {
            Command::Check(_) | Command::Config(_) | Command::Explain(_) => USAGE,
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

fn router(config: &Config) -> anyhow::Result<Router> {
    let router = Router::new(config.campaigns()?)?;
    for campaign in router.campaigns() {
        crate::rules::check_campaign(campaign).map_err(|why| anyhow::anyhow!("campaigns.{}.{why}", campaign.name))?;
    }
    Ok(router)
}

async fn migrate(config: &Config) -> anyhow::Result<u8> {
    let store = open_store(config).await?;
    let applied = store.migrate().await.with_context(|| format!("store {}", config.store.shown_url()))?;
    match applied.len() {
        0 => println!("{}: up to date", config.store.shown_url()),
        _ => println!("{}: applied {}", config.store.shown_url(), applied.join(", ")),
    }
    Ok(OK)
}

fn config_check(config: &Config, json: bool) -> anyhow::Result<u8> {
    let router = router(config)?;
    let mut table = output::Table::new(&["ID", "CAMPAIGN", "FILES", "CHANNEL", "REGION", "UNIQUE", "HOLD"], json);
    for campaign in router.campaigns() {
        let channel = serde_json::to_value(campaign.channel)?;
        let unique = serde_json::to_value(&campaign.unique)?;
        let unique_text: Vec<_> = unique.as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
        table.row(
            vec![
                campaign.id.to_string(),
                campaign.name.clone(),
                campaign.files.clone(),
                channel.as_str().unwrap_or_default().to_owned(),
                campaign.region.clone(),
                unique_text.join(", "),
                if campaign.hold { "yes" } else { "no" }.to_owned(),
            ],
            &serde_json::json!({
                "id": campaign.id, "name": campaign.name, "files": campaign.files, "channel": channel,
                "region": campaign.region, "unique": unique, "hold": campaign.hold,
            }),
        );
    }
    table.print();
    eprintln!("The configuration is valid. Bucket {}, store {}.", config.bucket.url, config.store.shown_url());
    Ok(OK)
}
