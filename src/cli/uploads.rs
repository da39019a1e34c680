//! `uploads`: the ledger, as it is or for as long as one watches.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::OK;
use super::batches::{finish, time};
use super::output::{Table, json_text, note, thousands};
use crate::model::{Upload, UploadQuery, UploadStatus};
use crate::store::{ErrorKind, Store};

/// Between two looks of who watches.
const PAUSE: Duration = Duration::from_secs(1);
/// Uploads listed unless told, and those that are watched: a table to be redrawn has to fit on a screen.
const LISTED: u32 = 50;
const WATCHED: u32 = 20;
const MOST_WATCHED: u32 = 500;

const HEADER: [&str; 9] = ["ID", "KEY", "BYTES", "SEEN_AT", "STATUS", "TRIES", "BATCH_ID", "ANSWER", "ERROR_MESSAGE"];

#[derive(Debug, Subcommand)]
pub(super) enum UploadsCommand {
    /// List uploads, the newest first
    #[command(after_help = "Examples:
  batchdrop uploads list --status REJECTED
  batchdrop uploads list --json | jq .key
  batchdrop uploads list --watch
  batchdrop uploads list --watch --json | jq -r 'select(.status == \"FAILED\") | .key'")]
    List(UploadListArgs),
}

#[derive(Debug, Args)]
pub(super) struct UploadListArgs {
    /// Only with this status
    #[arg(long, ignore_case = true, value_parser = ["WAITING", "CLAIMED", "LOADED", "FAILED", "REJECTED", "GONE"])]
    status: Option<String>,
    /// Only of files with this in their key, in any case
    #[arg(long, value_name = "NAME")]
    file: Option<String>,
    /// How many at the most [default: 50; with --watch 20, and no more than 500]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on until Ctrl-C: redraw the table when something changes; with --json, write a line for each that changed
    #[arg(long)]
    watch: bool,
}

impl UploadListArgs {
    fn query(&self) -> UploadQuery {
        UploadQuery {
            status: self.status.as_deref().and_then(|word| UploadStatus::parse(&word.to_uppercase())),
            key: self.file.clone(),
            limit: match self.watch {
                true => self.limit.unwrap_or(WATCHED).min(MOST_WATCHED),
                false => self.limit.unwrap_or(LISTED),
            },
            ..Default::default()
        }
    }

    fn when_empty(&self) -> &'static str {
        match (&self.status, &self.file) {
            (None, None) => "No uploads have been seen yet.",
            _ => "No upload is like that.",
        }
    }
}

pub(super) async fn uploads(command: &UploadsCommand, store: &Store, json: bool) -> anyhow::Result<u8> {
    let UploadsCommand::List(args) = command;
    if args.watch {
        return watch(args, store, json).await;
    }
    let mut table = Table::new(&HEADER, json);
    for upload in store.list_uploads(&args.query()).await? {
        table.row(cells(&upload), &serde_json::to_value(&upload)?);
    }
    finish(&mut table, args.when_empty());
    Ok(OK)
}

/// Looks again and again, and tells what is new, until it is interrupted or nobody reads any more. A store that is away
/// for a while is waited for.
async fn watch(args: &UploadListArgs, store: &Store, json: bool) -> anyhow::Result<u8> {
    let mut told = Told { redraws: !json && std::io::stdout().is_terminal(), ..Told::default() };
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut is_away = false;
    loop {
        match store.list_uploads(&args.query()).await {
            Ok(uploads) => {
                is_away = false;
                let goes_on = if json { told.changes(&uploads)? } else { told.table(&uploads, args.when_empty()) };
                if !goes_on {
                    return Ok(OK);
                }
            }
            Err(error) if error.kind == ErrorKind::Transient => {
                if !std::mem::replace(&mut is_away, true) {
                    note("The store does not answer; trying on.");
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            _ = &mut interrupted => return Ok(OK),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// What a reader knows already.
#[derive(Default)]
struct Told {
    redraws: bool,
    lines: Vec<String>,
    uploads: BTreeMap<i64, String>,
}

impl Told {
    /// A line for each upload that is not as it was told last. Whether anybody reads it.
    fn changes(&mut self, uploads: &[Upload]) -> anyhow::Result<bool> {
        let mut goes_on = true;
        let known = std::mem::take(&mut self.uploads);
        // The oldest first, as things happen.
        for upload in uploads.iter().rev() {
            let text = json_text(&serde_json::to_value(upload)?);
            if known.get(&upload.upload_id) != Some(&text) {
                goes_on &= write(&format!("{text}\n"));
            }
            self.uploads.insert(upload.upload_id, text);
        }
        Ok(goes_on)
    }

    /// The whole table, where it is another than was told last. Whether anybody reads it.
    fn table(&mut self, uploads: &[Upload], when_empty: &str) -> bool {
        let mut table = Table::new(&HEADER, false);
        for upload in uploads {
            table.row(cells(upload), &serde_json::Value::Null);
        }
        let lines = if table.is_empty() { vec![when_empty.to_owned()] } else { table.take_lines() };
        if lines == self.lines {
            return true;
        }
        // Home, and clear what is below. What is no terminal gets one table below the other.
        let begin = match (self.redraws, self.lines.is_empty()) {
            (true, _) => "\x1b[H\x1b[J",
            (false, true) => "",
            (false, false) => "\n",
        };
        let text = format!("{begin}{}\n", lines.join("\n"));
        self.lines = lines;
        write(&text)
    }
}

fn write(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

fn cells(upload: &Upload) -> Vec<String> {
    vec![
        upload.upload_id.to_string(),
        upload.key.clone(),
        thousands(upload.size_bytes),
        time(upload.seen_at),
        upload.status.as_str().to_owned(),
        upload.attempts.to_string(),
        upload.batch_id.clone().unwrap_or_else(|| "-".to_owned()),
        answer(upload),
        upload.error_message.clone().unwrap_or_default(),
    ]
}

/// Whether the person who dropped the file has been told.
fn answer(upload: &Upload) -> String {
    match (&upload.answer_error, upload.answer_due_at, upload.answered_at) {
        (Some(error), Some(_), _) => format!("owed after {} tries: {error}", upload.answer_attempts),
        (None, Some(_), _) => "owed".to_owned(),
        (_, None, Some(_)) => "given".to_owned(),
        (_, None, None) => "-".to_owned(),
    }
}
