//! `batches` and `suppression`: what the store knows. Only hold, resume and cancel change something.

use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::OK;
use super::output::{BATCH_HEADER, Table, batch_row, json_line, line, note, printable, sum, thousands};
use super::steer::{SteerArgs, steer};
use crate::config::parse_duration;
use crate::model::{Action, Batch, BatchQuery, BatchStatus};
use crate::store::Store;

#[derive(Debug, Subcommand)]
pub(super) enum BatchesCommand {
    /// List batches, the newest first
    #[command(after_help = "Examples:
  batchdrop batches list --status FAILED --since 7d
  batchdrop batches list --file late_payments
  batchdrop batches list --json --limit 1 | jq -r .batch_id")]
    List(BatchListArgs),
    /// Show one batch: its sum, what was found in its rows, its times, who did what to it
    #[command(after_help = "Exit codes:
  0  shown
  1  there is no such batch, or trouble of ours
  2  wrong usage or configuration

Examples:
  batchdrop batches show 20250401.2")]
    Show {
        /// Such as 20250401.2
        batch_id: String,
    },
    /// Hold batches: nobody in them is contacted until they are resumed
    #[command(after_help = "Exit codes:
  0  done, or it was so already
  1  some batch could not be: there is none, or it is FAILED, CANCELED or EXPIRED; or trouble of ours
  2  wrong usage or configuration

Examples:
  batchdrop batches hold 20250401.2 --reason 'wrong amounts?' --by ana@example.com")]
    Hold(SteerArgs),
    /// Let batches go on that are on hold
    #[command(after_help = "Exit codes:
  0  done, or it was so already
  1  some batch could not be: there is none, or it is FAILED, CANCELED or EXPIRED; or trouble of ours
  2  wrong usage or configuration

Examples:
  batchdrop batches resume 20250401.2 20250401.3")]
    Resume(SteerArgs),
    /// Call batches off for good; a reason is required
    #[command(
        after_help = "What was not contacted yet never is. Keys and content of the batch do not count any more, so that a corrected
file goes through.

Exit codes:
  0  done, or it was so already
  1  some batch could not be: there is none, or it is FAILED, CANCELED or EXPIRED; or trouble of ours
  2  wrong usage or configuration

Examples:
  batchdrop batches cancel 20250401.2 --reason 'list of last month'"
    )]
    Cancel(SteerArgs),
}

#[derive(Debug, Args)]
pub(super) struct BatchListArgs {
    /// Only with this status
    #[arg(long, ignore_case = true, value_parser = ["ACTIVE", "PAUSED", "FAILED", "CANCELED", "EXPIRED"])]
    status: Option<String>,
    /// Only of the campaign with this name
    #[arg(long)]
    campaign: Option<String>,
    /// Only of files with this in their name, in any case
    #[arg(long, value_name = "NAME")]
    file: Option<String>,
    /// Only those made in the last 7d, 12h, 90m, …
    #[arg(long, value_name = "TIME", value_parser = a_while)]
    since: Option<Duration>,
    /// How many at the most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl BatchListArgs {
    fn query(&self) -> BatchQuery {
        BatchQuery {
            status: self.status.as_deref().and_then(|word| BatchStatus::parse(&word.to_uppercase())),
            campaign_name: self.campaign.clone(),
            filename: self.file.clone(),
            created_from: self.since.map(|since| Utc::now() - since),
            limit: self.limit,
            ..Default::default()
        }
    }

    fn is_filtered(&self) -> bool {
        self.status.is_some() || self.campaign.is_some() || self.file.is_some() || self.since.is_some()
    }
}

fn a_while(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "it must be a time such as 7d, 12h or 90m".to_owned())
}

#[derive(Debug, Subcommand)]
pub(super) enum SuppressionCommand {
    /// List the lists that were loaded from files, by name
    #[command(after_help = "Examples:
  batchdrop suppression list
  batchdrop suppression list --json | jq .age_seconds")]
    List,
}

pub(super) async fn suppression(command: &SuppressionCommand, store: &Store, json: bool) -> anyhow::Result<u8> {
    let SuppressionCommand::List = command;
    let mut table = Table::new(&["LIST", "TARGETS", "INVALID", "LOADED_AT", "HOURS_OLD", "FILE"], json);
    for list in store.suppression_lists().await? {
        let cells = vec![
            list.name.clone(),
            thousands(list.targets),
            thousands(list.invalid_rows),
            time(list.loaded_at),
            format!("{:.1}", list.age_seconds / 3600.0),
            list.key.clone(),
        ];
        table.row(cells, &serde_json::to_value(&list)?);
    }
    finish(&mut table, "No suppression list was loaded from a file.");
    Ok(OK)
}

pub(super) async fn batches(command: &BatchesCommand, identity: &str, store: &Store, json: bool) -> anyhow::Result<u8> {
    match command {
        BatchesCommand::Hold(args) => steer(args, Action::Hold, identity, store, json).await,
        BatchesCommand::Resume(args) => steer(args, Action::Resume, identity, store, json).await,
        BatchesCommand::Cancel(args) => steer(args, Action::Cancel, identity, store, json).await,
        BatchesCommand::List(args) => {
            let mut table = Table::new(BATCH_HEADER, json);
            for batch in store.list_batches(&args.query()).await? {
                table.row(batch_row(&batch), &serde_json::to_value(&batch)?);
            }
            let none =
                "No batches. Drop a file in the bucket while batchdrop runs, or check it first: batchdrop check FILE.";
            finish(&mut table, if args.is_filtered() { "No batch is like that." } else { none });
            Ok(OK)
        }
        BatchesCommand::Show { batch_id } => {
            let Some(batch) = store.batch(batch_id).await? else {
                bail!("there is no batch {batch_id}; see batchdrop batches list");
            };
            let findings = store.findings(batch_id).await?;
            let events = store.events(batch_id).await?;
            if json {
                let mut value = serde_json::to_value(&batch)?;
                value["findings"] = serde_json::to_value(&findings)?;
                value["events"] = serde_json::to_value(&events)?;
                json_line(&value);
                return Ok(OK);
            }
            describe(&batch);
            if let Some(purged_at) = batch.purged_at {
                line(&format!("Its requests were purged at {}.", time(purged_at)));
            }
            // What was published is told above; a history begins with what somebody did to it.
            if events.len() > 1 {
                line("");
                let mut table = Table::new(&["AT", "EVENT", "BY", "REASON"], false);
                for event in events {
                    let until = event.expires_on.map(|at| format!("expires {}", time(at)));
                    let cells = vec![
                        time(event.at),
                        event.event,
                        event.actor.unwrap_or_else(|| "-".to_owned()),
                        event.reason.or(until).unwrap_or_else(|| "-".to_owned()),
                    ];
                    table.row(cells, &serde_json::Value::Null);
                }
                table.print();
            }
            if !findings.is_empty() {
                line("");
                let mut table = Table::new(&["CODE", "COUNT", "LINE", "MEANING"], false);
                for finding in findings {
                    let meaning = super::explain::meaning(&finding.error_code).unwrap_or_default();
                    let cells = vec![
                        finding.error_code,
                        thousands(finding.requests),
                        finding.first_line.to_string(),
                        meaning.to_owned(),
                    ];
                    table.row(cells, &serde_json::Value::Null);
                }
                table.print();
                line("LINE is that of the first such row. See batchdrop explain CODE.");
            }
            Ok(OK)
        }
    }
}

fn dialect(batch: &Batch) -> Option<String> {
    let others = [&batch.quote, &batch.quote_escape, &batch.newline, &batch.compression].map(|text| text.as_deref());
    Some(super::output::dialect(batch.encoding.as_deref()?, batch.delimiter.as_deref()?, others, batch.header_line))
}

fn describe(batch: &Batch) {
    let mut rows: Vec<(&str, String)> = vec![
        ("batch_id", batch.batch_id.clone()),
        ("status", batch.status.as_str().to_owned()),
        ("upload_filename", batch.upload_filename.clone().unwrap_or_default()),
        ("campaign", format!("{} ({})", batch.campaign_name, batch.campaign_id)),
    ];
    if let Some(message) = &batch.error_message {
        rows.push(("error_message", message.clone()));
        rows.push(("error_code", batch.error_code.clone().unwrap_or_default()));
    } else {
        rows.push(("rows", format!("{} = {}", thousands(batch.rows_read), sum(&batch.status_counts))));
    }
    rows.extend(dialect(batch).map(|dialect| ("dialect", dialect)));
    rows.push(("bytes_read", thousands(batch.bytes_read)));
    rows.extend(batch.sha256.clone().map(|hash| ("sha256", hash)));
    rows.push(("upload_id", batch.upload_id.to_string()));
    rows.push(("seen_at", time(batch.seen_at)));
    rows.push(("claimed_at", time(batch.claimed_at)));
    rows.push(("created_at", time(batch.created_at)));
    rows.extend(batch.expires_on.map(|at| ("expires_on", time(at))));
    rows.push(("last_updated_at", format!("{} by {}", time(batch.last_updated_at), batch.last_updated_by)));
    for (name, value) in rows {
        line(&format!("{name:<16} {}", printable(&value)));
    }
}

pub(super) fn finish(table: &mut Table, when_empty: &str) {
    if table.is_empty() {
        note(when_empty);
    } else {
        table.print();
    }
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}
