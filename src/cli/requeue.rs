//! `requeue`: uploads that came to nothing are worked on again.

use anyhow::bail;
use clap::Args;

use super::output::{line, note};
use super::{FINDINGS_OR_TROUBLE, OK};
use crate::model::FileCode;
use crate::store::{Requeued, Store};

#[derive(Debug, Args)]
#[command(
    after_help = "A running worker takes them up at once; else the next run does. Attempts count from the beginning. An
upload that became a FAILED batch keeps that batch, and becomes a new one beside it. What is loaded is
never loaded again.

Exit codes:
  0  all that were named are waiting again
  1  some were not: they are loaded, being worked on, or not in the ledger; or trouble of ours
  2  wrong usage or configuration

Examples:
  batchdrop requeue 17 18
  batchdrop requeue --code INTERNAL_ERROR
  batchdrop uploads list --status FAILED"
)]
pub(super) struct RequeueArgs {
    /// Numbers of uploads in the ledger
    #[arg(required_unless_present = "code", conflicts_with = "code", value_name = "UPLOAD_ID")]
    uploads: Vec<i64>,
    /// All uploads that came to nothing with this error_code
    #[arg(long)]
    code: Option<String>,
}

pub(super) async fn requeue(args: &RequeueArgs, store: &Store, json: bool) -> anyhow::Result<u8> {
    let mut which: Vec<_> = args.uploads.iter().map(|&id| Requeued::Upload(id)).collect();
    if let Some(word) = &args.code {
        let Some(code) = FileCode::parse(&word.to_uppercase()) else {
            bail!("there is no code {word} of files; see batchdrop explain");
        };
        which.push(Requeued::WithCode(code));
    }
    let mut code = OK;
    for which in which {
        let requeued = store.requeue(&which).await?;
        match which {
            Requeued::Upload(id) if requeued.is_empty() => {
                note(&format!(
                    "upload {id} is loaded, being worked on, or not in the ledger; see batchdrop uploads list"
                ));
                code = FINDINGS_OR_TROUBLE;
            }
            Requeued::WithCode(code) if requeued.is_empty() => note(&format!("no upload came to nothing with {code}")),
            _ => {}
        }
        for id in requeued {
            line(&if json {
                format!(r#"{{"upload_id":{id},"status":"WAITING"}}"#)
            } else {
                format!("upload {id} waits")
            });
        }
    }
    Ok(code)
}
