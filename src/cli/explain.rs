//! `explain`: what a code means and how to mend it.

use anyhow::bail;
use clap::Args;

use super::OK;
use super::output::{Table, line};
use crate::model::{FileCode, RowCode};

#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  explained
  2  wrong usage, or no such code

Examples:
  batchdrop explain                  list all codes
  batchdrop explain INVALID_PHONE")]
pub(super) struct ExplainArgs {
    /// An error_code of a batch or a request; all of them are listed when it is left out
    code: Option<String>,
}

struct Entry {
    code: &'static str,
    about: &'static str,
    meaning: &'static str,
    mend: &'static str,
}

fn entries() -> impl Iterator<Item = Entry> {
    let files = FileCode::ALL.iter().map(|code| Entry {
        code: code.as_str(),
        about: "file",
        meaning: code.meaning(),
        mend: code.mend(),
    });
    let rows = RowCode::ALL.iter().map(|code| Entry {
        code: code.as_str(),
        about: "row",
        meaning: code.meaning(),
        mend: code.mend(),
    });
    files.chain(rows)
}

/// What a code means; `None` for a word that is no code.
pub(super) fn meaning(code: &str) -> Option<&'static str> {
    entries().find(|entry| entry.code == code).map(|entry| entry.meaning)
}

pub(super) fn explain(args: &ExplainArgs, json: bool) -> anyhow::Result<u8> {
    let value = |entry: &Entry| {
        serde_json::json!({
            "code": entry.code, "about": entry.about, "meaning": entry.meaning, "mend": entry.mend,
        })
    };
    let Some(wanted) = &args.code else {
        let mut table = Table::new(&["CODE", "OF A", "MEANING"], json);
        for entry in entries() {
            table.row([entry.code, entry.about, entry.meaning].map(str::to_owned).to_vec(), &value(&entry));
        }
        table.print();
        return Ok(OK);
    };
    let word = wanted.trim().to_uppercase().replace('-', "_");
    let Some(entry) = entries().find(|entry| entry.code == word) else {
        bail!("{wanted} is no code; batchdrop explain lists them all");
    };
    if json {
        line(&value(&entry).to_string());
    } else {
        line(&format!("{} (of a {})\n\n{}\n\nHow to mend it: {}", entry.code, entry.about, entry.meaning, entry.mend));
    }
    Ok(OK)
}
