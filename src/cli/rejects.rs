//! `rejects`: what of a batch was not loaded, from the store, for mending.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::StreamExt as _;

use super::OK;
use super::output::{note, printable};
use crate::store::Store;
use crate::worker::rejects_file;

#[derive(Debug, Args)]
#[command(
    after_help = "It is the file that the worker writes under the results prefix of the bucket, and is made from the store: the
file that was dropped need not be there any more.

Exit codes:
  0  written, or every row was loaded and there is nothing to write
  1  there is no such batch, it FAILED as a whole, or trouble of ours
  2  wrong usage or configuration

Examples:
  batchdrop rejects 20250401.2 > mend_me.csv
  batchdrop rejects 20250401.2 --output LATE_PAYMENTS_20250401.rejects.csv"
)]
pub(super) struct RejectsArgs {
    /// Such as 20250401.2
    batch_id: String,
    /// Write to this file instead of standard output; it must not be there yet
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn rejects(args: &RejectsArgs, store: &Store) -> anyhow::Result<u8> {
    let batch_id = &args.batch_id;
    let (Some(batch), Some(columns)) = (store.batch(batch_id).await?, store.sent_columns(batch_id).await?) else {
        bail!("there is no batch {batch_id}; see batchdrop batches list");
    };
    if let Some(message) = batch.error_message {
        bail!("batch {batch_id} FAILED as a whole, and none of its rows is kept: {}", printable(&message));
    }
    if let Some(time) = batch.purged_at {
        bail!("the requests of batch {batch_id} were purged at {}", time.format("%F %T UTC"));
    }
    if store.rejects(batch_id, 0, 1).await?.is_empty() {
        note(&format!("Every row of batch {batch_id} was loaded: there is nothing to write."));
        return Ok(OK);
    }
    let mut out: Box<dyn Write> = match &args.output {
        None => Box::new(std::io::stdout()),
        // A file of that name may be one that somebody is mending.
        Some(path) => {
            Box::new(File::create_new(path).with_context(|| format!("{} cannot be written", path.display()))?)
        }
    };
    let mut pieces = rejects_file(store, batch_id, &columns);
    while let Some(piece) = pieces.next().await {
        match out.write_all(&piece?) {
            // A reader that went away (`| head`) is no trouble.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(OK),
            written => written.context("the rejects could not be written")?,
        }
    }
    out.flush().context("the rejects could not be written")?;
    Ok(OK)
}
