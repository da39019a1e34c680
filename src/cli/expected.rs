//! `expected`: the files that campaigns await, and those that did not come.

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};

use super::OK;
use super::output::{Table, note};
use crate::model::upload::base_name;
use crate::model::{ExpectedFile, ExpectedQuery, ExpectedStatus};
use crate::store::Store;

#[derive(Debug, Subcommand)]
pub(super) enum ExpectedCommand {
    /// List the times at which files are due, the last first: the next of each campaign, and what became of those
    /// before
    #[command(after_help = "Examples:
  batchdrop expected list
  batchdrop expected list --status MISSING --campaign late_payments
  batchdrop expected list --json | jq 'select(.missing_at)'")]
    List(ExpectedListArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExpectedListArgs {
    /// Only with this status
    #[arg(long, ignore_case = true, value_parser = ["EXPECTED", "LATE", "ARRIVED", "FAILED", "MISSING"])]
    status: Option<String>,
    /// Only of the campaign of this name
    #[arg(long)]
    campaign: Option<String>,
    /// How many at the most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn list(args: &ExpectedListArgs, store: &Store, json: bool) -> anyhow::Result<u8> {
    let asked = ExpectedQuery {
        status: args.status.as_deref().and_then(|word| ExpectedStatus::parse(&word.to_uppercase())),
        campaign_name: args.campaign.clone(),
        limit: args.limit,
        ..Default::default()
    };
    let header = &["CAMPAIGN", "DUE_AT", "STATUS", "ARRIVED_AT", "LATE_BY", "FILE", "BATCH_ID", "ERROR_MESSAGE"];
    let mut table = Table::new(header, json);
    for file in store.list_expected(&asked).await? {
        let dash = || "-".to_owned();
        let cells = vec![
            file.campaign_name.clone(),
            time(file.due_at),
            file.status.as_str().to_owned(),
            file.arrived_at.map_or_else(dash, time),
            file.late_by().map_or_else(dash, length),
            file.key.as_deref().map_or_else(dash, |key| base_name(key).to_owned()),
            file.batch_id.clone().unwrap_or_else(dash),
            message(&file),
        ];
        table.row(cells, &serde_json::to_value(&file)?);
    }
    match table.is_empty() {
        true => note("No file is expected. Campaigns with due = \"…\" expect theirs from their first run on."),
        false => table.print(),
    }
    Ok(OK)
}

fn message(file: &ExpectedFile) -> String {
    match (&file.error_message, file.status) {
        (Some(message), ExpectedStatus::Failed) => message.clone(),
        _ => String::new(),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `2d 3h`, `3h 5m`, `5m`, `40s`.
fn length(late: TimeDelta) -> String {
    let (days, hours, minutes) = (late.num_days(), late.num_hours() % 24, late.num_minutes() % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{}s", late.num_seconds()),
        (0, 0, _) => format!("{minutes}m"),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}
