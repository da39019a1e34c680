//! `forget`: one person's data is deleted, wherever it stands.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use clap::Args;

use super::OK;
use super::output::{Table, note};
use crate::bucket::After;
use crate::config::Config;
use crate::model::{Campaign, Person, steering};
use crate::rules;
use crate::store::{FoundRow, Searched, Store};
use crate::worker::{processed_key, rejects_key};

#[derive(Debug, Args)]
#[command(
    after_help = "The person's requests are emptied in every batch: reference_id, target and all other cells. Those
that are PENDING become CANCELED, so that nobody is contacted; no other count changes. The batch's
events tell of it, never of whom. Keys of unique_within that are theirs go too, so a later file may
have them contacted again: put them on a suppression list first.
Not found are: a file that is being loaded, a person in another column than target, and backups.
Files in the bucket are told and left: the one that was sent, and its rejects file.

With - the number or id is read from standard input, so that no history or list of processes has it.

Exit codes:
  0  done, or nobody was found
  1  trouble of ours; run it again
  2  wrong usage or configuration

Examples:
  batchdrop forget --target - --dry-run
  batchdrop forget --target - --campaign late_payments --reason 'request 4711' < number.txt
  batchdrop forget --reference-id C-1042"
)]
pub(super) struct ForgetArgs {
    /// Their phone number or e-mail address, as anybody would write it; - reads it from standard input
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true, required_unless_present = "reference_id")]
    target: Option<String>,
    /// Their id in the files; - reads it from standard input, behind the target where both are read
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    reference_id: Option<String>,
    /// Only in batches of this campaign
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Why, such as the number of their request: kept with the batch, and shown to whoever looks at it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who decides, as an e-mail address [default: worker.identity]
    #[arg(long, value_name = "ADDRESS")]
    by: Option<String>,
    /// Only tell where they are
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn forget(args: &ForgetArgs, config: &Config, store: &Store, json: bool) -> anyhow::Result<u8> {
    let target = said(args.target.as_deref(), "Number or address: ")?;
    let reference_id = said(args.reference_id.as_deref(), "Reference id: ")?;
    let by = steering::actor(args.by.as_deref().unwrap_or(&config.worker.identity)).map_err(anyhow::Error::msg)?;
    let campaign = args.campaign.as_deref();
    let mut campaigns = config.campaigns()?;
    if let Some(name) = campaign {
        campaigns.retain(|campaign| campaign.name == name);
    }
    let person = person(target.as_deref(), reference_id.as_deref(), &campaigns, campaign)?;
    let reason = args.reason.as_deref().map(steering::reason).transpose().map_err(anyhow::Error::msg)?.flatten();
    if reason.is_some_and(|reason| names(&person, reason)) {
        bail!("--reason tells who it is, and is kept: name the request by a number of its own");
    }

    let mut table = Table::new(&["BATCH_ID", "CAMPAIGN", "REQUESTS", "FILE", "REJECTS", "RESULT"], json);
    let mut rejects_told = false;
    for batch in store.searched(campaign).await? {
        let rows = store.find_person(&batch, &person).await?;
        if rows.is_empty() {
            continue;
        }
        let result = if args.dry_run { "found" } else { "forgotten" };
        if !args.dry_run {
            store.forget_rows(&batch, &rows, by, &told(rows.len(), reason)).await?;
        }
        let (file, rejects) = files(config, &batch, &rows);
        rejects_told |= rejects.is_some();
        let requests = rows.len();
        let cells = vec![
            batch.batch_id.clone(),
            batch.campaign_name.clone(),
            requests.to_string(),
            file.clone(),
            rejects.clone().unwrap_or_else(|| "-".to_owned()),
            result.to_owned(),
        ];
        let json = serde_json::json!({
            "batch_id": batch.batch_id, "campaign_name": batch.campaign_name, "requests": requests,
            "file": file, "rejects": rejects, "result": result,
        });
        table.row(cells, &json);
    }
    if !args.dry_run {
        store.forget_keys_of(&person, campaign).await?;
    }
    if table.is_empty() {
        note("Nobody was found. A file that is being loaded now is not looked into: try again when it is done.");
        return Ok(OK);
    }
    table.print();
    let and_rejects = if rejects_told { ", and the REJECTS" } else { "" };
    note(&format!(
        "In the bucket each FILE{and_rejects} may still lie and say what was sent: delete them there, all versions of them."
    ));
    Ok(OK)
}

/// The argument, or the next line of standard input in its place.
fn said(argument: Option<&str>, prompt: &str) -> anyhow::Result<Option<String>> {
    let Some("-") = argument else { return Ok(argument.map(|text| text.trim().to_owned())) };
    if std::io::stdin().is_terminal() {
        note(prompt);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("standard input cannot be read")?;
    let line = line.trim();
    if line.is_empty() {
        bail!("standard input says nobody: write the number or id there, on a line of its own");
    }
    Ok(Some(line.to_owned()))
}

fn person(
    target: Option<&str>,
    reference_id: Option<&str>,
    campaigns: &[Campaign],
    campaign: Option<&str>,
) -> anyhow::Result<Person> {
    if let (true, Some(name), Some(_)) = (campaigns.is_empty(), campaign, target) {
        bail!(
            "the configuration has no campaign {name} that would say how to read the number; see batchdrop config check"
        );
    }
    rules::person(target, reference_id, campaigns).map_err(anyhow::Error::msg)
}

/// Whether a text has the person's number, address or id in it.
fn names(person: &Person, text: &str) -> bool {
    let in_lower_case = text.to_lowercase();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    // A short id may be a part of any word.
    let mut words = text.split(|c: char| c.is_whitespace() || ",;:()".contains(c));
    person.targets.iter().any(|target| in_lower_case.contains(target.as_str()))
        || person.digits.iter().any(|number| digits.contains(number.as_str()))
        || person.reference_id.as_deref().is_some_and(|id| words.any(|word| word == id))
}

fn told(requests: usize, reason: Option<&str>) -> String {
    let requests = if requests == 1 { "1 request".to_owned() } else { format!("{requests} requests") };
    match reason {
        Some(reason) => format!("{requests}: {reason}"),
        None => requests,
    }
}

/// Where in the bucket the person may still be found: what was sent, and the rejects.
fn files(config: &Config, batch: &Searched, rows: &[FoundRow]) -> (String, Option<String>) {
    let ours = |key: String| format!("{}/{key}", batch.bucket);
    let name = batch.key.rsplit('/').next().unwrap_or_default();
    let moved = processed_key(&config.bucket, &batch.batch_id, name).filter(|_| config.bucket.after == After::Move);
    // A key has the bucket's prefix already.
    let place = batch.bucket.strip_prefix("s3://").and_then(|rest| rest.split('/').next());
    let place = place.map_or(batch.bucket.clone(), |bucket| format!("s3://{bucket}"));
    let was_rejected = rows.iter().any(|row| row.was_rejected);
    let rejects = rejects_key(&config.bucket, &batch.batch_id, name).filter(|_| was_rejected);
    (moved.map_or_else(|| format!("{place}/{}", batch.key), ours), rejects.map(ours))
}
