//! `purge`: people's data is deleted once it has been kept for as long as it may be.

use anyhow::bail;
use clap::Args;

use super::output::{Table, note};
use super::{FINDINGS_OR_TROUBLE, OK};
use crate::config::{Config, parse_duration};
use crate::fail_point;
use crate::store::Store;
use crate::worker::{forget_old_keys, is_left};

#[derive(Debug, Args)]
#[command(
    after_help = "Deleted are the requests of batches that are older, with all that they hold of a person. The batch,
its counts, its SHA-256 and the ledger stay, so that the same file is still refused. Keys of
unique_within stay while they count.
A batch with requests that may still be contacted is left, and told: cancel it, let it expire, or
say --unfinished. So is one whose sender is still owed the answer, since that is made of the requests.
Files in the bucket are left to the bucket's own rules. It may be killed, and run beside workers, at
any time.
A worker that stays does this every hour by itself where retention.requests is set.

Exit codes:
  0  nothing is left that is older
  1  some batches were left since they are not finished; or trouble of ours
  2  wrong usage or configuration

Examples:
  batchdrop purge --older-than 90d --dry-run
  batchdrop purge --older-than 90d"
)]
pub(super) struct PurgeArgs {
    /// Such as 90d [config: retention.requests]
    #[arg(long, value_name = "TIME")]
    older_than: Option<String>,
    /// Only tell what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Delete also what may still be contacted
    #[arg(long)]
    unfinished: bool,
}

pub(super) async fn purge(args: &PurgeArgs, config: &Config, store: &Store, json: bool) -> anyhow::Result<u8> {
    let age = match (&args.older_than, config.retention.requests()?) {
        (Some(text), _) => parse_duration(text),
        (None, Some(age)) => Some(age),
        (None, None) => bail!("say how old data may get: --older-than 90d, or requests = \"90d\" under [retention]"),
    };
    let Some(age) = age else { bail!("--older-than must be a time such as 90d or 12h") };
    let mut table = Table::new(&["BATCH_ID", "REQUESTS", "UNFINISHED", "RESULT"], json);
    let mut left = 0;
    for due in store.due_for_purge(age).await? {
        let is_left = is_left(&due) && !args.unfinished;
        let result = match (is_left, args.dry_run) {
            (true, _) if due.unanswered => "left, its answer is owed",
            (true, _) => "left",
            (false, true) => "to be purged",
            (false, false) => {
                while !store.purge_piece(&due).await?.is_done {
                    fail_point::reach("purged_piece", &due.batch_id).map_err(anyhow::Error::msg)?;
                }
                "purged"
            }
        };
        left += usize::from(is_left);
        let cells = vec![due.batch_id.clone(), due.requests.to_string(), due.unfinished.to_string(), result.to_owned()];
        let told = serde_json::json!({
            "batch_id": due.batch_id, "requests": due.requests, "unfinished": due.unfinished,
            "unanswered": due.unanswered, "result": result,
        });
        table.row(cells, &told);
    }
    if !args.dry_run {
        forget_old_keys(store, &super::router(config)?, age).await?;
    }
    if table.is_empty() {
        note("No batch is that old and still has its requests.");
        return Ok(OK);
    }
    table.print();
    if left > 0 {
        note(&format!(
            "{left} left, to be contacted or answered yet: cancel them, wait for answers, or say --unfinished."
        ));
        return Ok(FINDINGS_OR_TROUBLE);
    }
    Ok(OK)
}
