//! `webhooks`: what other programs are told, and a message to try one.

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::OK;
use super::output::{Table, line, note};
use crate::config::{Config, ConfigError};
use crate::model::{Message, MessageState};
use crate::store::Store;
use crate::webhook::{Undelivered, Webhook};

#[derive(Debug, Subcommand)]
pub(super) enum WebhooksCommand {
    /// List messages, the newest first: what is due, delivered, given up
    #[command(after_help = "Examples:
  batchdrop webhooks list --status GIVEN_UP
  batchdrop webhooks list --webhook ops --json | jq .error_message")]
    List(MessageListArgs),
    /// Send one message of the type webhook.test, signed as all others, and tell what the receiver says
    #[command(after_help = "Exit codes:
  0  the receiver took it
  1  it did not, or cannot be reached
  2  wrong usage or configuration

Example:
  BATCHDROP_WEBHOOKS_OPS_SECRET=whsec_… batchdrop webhooks test ops --config batchdrop.toml")]
    Test {
        /// The webhook's name in the configuration
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct MessageListArgs {
    /// Only with this status
    #[arg(long, ignore_case = true, value_parser = ["DUE", "DELIVERED", "GIVEN_UP"])]
    status: Option<String>,
    /// Only to the webhook of this name
    #[arg(long)]
    webhook: Option<String>,
    /// How many at the most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn list(args: &MessageListArgs, store: &Store, json: bool) -> anyhow::Result<u8> {
    let status = args.status.as_deref().map(str::to_uppercase);
    let header = &["WEBHOOK", "EVENT", "ABOUT", "STATUS", "TRIES", "CREATED_AT", "NEXT_TRY", "ERROR_MESSAGE"];
    let mut table = Table::new(header, json);
    for message in store.messages(status.as_deref(), args.webhook.as_deref(), args.limit).await? {
        let cells = vec![
            message.webhook.clone(),
            message.event.clone(),
            about(&message),
            message.status.clone(),
            message.attempts.to_string(),
            time(message.created_at),
            message.due_at.map_or_else(|| "-".to_owned(), time),
            message.error_message.clone().unwrap_or_default(),
        ];
        table.row(cells, &serde_json::to_value(&message)?);
    }
    match table.is_empty() {
        true => {
            note("No messages. They are written where [webhooks.NAME] is configured, for what happens from then on.")
        }
        false => table.print(),
    }
    Ok(OK)
}

fn about(message: &MessageState) -> String {
    match (&message.batch_id, message.upload_id, &message.campaign_name, message.expected_at) {
        (Some(batch_id), ..) => batch_id.clone(),
        (None, Some(upload_id), ..) => format!("upload {upload_id}"),
        (None, None, Some(campaign), Some(due_at)) => format!("{campaign}, due {}", time(due_at)),
        _ => "-".to_owned(),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(super) async fn test(name: &str, config: &Config) -> anyhow::Result<u8> {
    let Some(section) = config.webhooks.get(name) else {
        return Err(ConfigError(format!("there is no section [webhooks.{name}] in the configuration")).into());
    };
    let webhook = Webhook::new(name, section).map_err(|why| ConfigError(format!("webhooks.{name}.{why}")))?;
    let message = Message {
        message_id: format!("msg_{}", uuid::Uuid::new_v4().simple()),
        event: "webhook.test".to_owned(),
        data: r#"{"message":"a test; nothing happened"}"#.to_owned(),
        created_at: Utc::now(),
        token: String::new(),
        attempt: 1,
    };
    match webhook.deliver(&message).await {
        Ok(()) => line(&format!("webhook {name}: the receiver took {}", message.message_id)),
        Err(Undelivered::Trouble(why) | Undelivered::Gone(why)) => bail!("webhook {name}: not delivered: {why}"),
    }
    Ok(OK)
}
