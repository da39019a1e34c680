//! `batches hold`, `resume`, `cancel`: what an operator decides of a batch, and who it was that did.

use clap::Args;

use super::output::{Table, note};
use super::{FINDINGS_OR_TROUBLE, OK};
use crate::model::{Action, Steered, Steering};
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct SteerArgs {
    /// Such as 20250401.2; several are steered one after the other
    #[arg(required = true)]
    batch_id: Vec<String>,
    /// Why: kept with the batch, and shown to whoever looks at it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who decides, as an e-mail address [default: worker.identity]
    #[arg(long, value_name = "ADDRESS")]
    by: Option<String>,
}

/// Steers each of the batches; the code is that of trouble where one of them could not be.
pub(super) async fn steer(
    args: &SteerArgs,
    action: Action,
    identity: &str,
    store: &Store,
    json: bool,
) -> anyhow::Result<u8> {
    let by = args.by.as_deref().unwrap_or(identity).to_owned();
    let wish = Steering { action, by, reason: args.reason.clone() };
    let mut table = Table::new(&["BATCH_ID", "STATUS", "RESULT"], json);
    let mut code = OK;
    for batch_id in &args.batch_id {
        let (is_done, status, result) = match store.steer(batch_id, &wish).await? {
            Steered::Done(batch) => (true, Some(batch.status), "done".to_owned()),
            Steered::Unchanged(batch) => (true, Some(batch.status), "it was so already".to_owned()),
            Steered::Refused { status, why } => (false, Some(status), format!("refused: {why}")),
            Steered::Unknown => (false, None, "there is no such batch; see batchdrop batches list".to_owned()),
            Steered::Invalid { why } => anyhow::bail!(why), // said of the first: nothing was steered
        };
        if !is_done {
            code = FINDINGS_OR_TROUBLE;
        }
        let status = status.map(|status| status.as_str());
        let told = serde_json::json!({ "batch_id": batch_id, "status": status, "done": is_done, "result": result });
        table.row(vec![batch_id.clone(), status.unwrap_or("-").to_owned(), result], &told);
    }
    table.print();
    if code != OK {
        note("What could not be done was left as it is.");
    }
    Ok(code)
}
