//! `check`: a file read and judged exactly as the worker would, offline; nothing is written anywhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;

use super::excerpt::excerpt;
use super::output::{line, printable, thousands};
use super::{FINDINGS_OR_TROUBLE, OK};
use crate::config::Config;
use crate::model::{Campaign, Dialect, Fault, IntakeStatus, Row, Verdicts};
use crate::reader::{HeaderRules, Limits, ReadError, Rows};
use crate::rules::{Judge, Judgement, Router};

#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  clean: every row would be PENDING
  1  findings: a fault of a file, or rows that would not be PENDING
  2  wrong usage, or a file that cannot be opened

What the command cannot know without a store: whether the same content was loaded before.
Letters and digits of the rows it shows are masked but for the last four of the cell in question.

Examples:
  batchdrop check LATE_PAYMENTS_20250401.csv
  batchdrop check --config batchdrop.toml --campaign late_payments export.csv
  batchdrop check --json *.csv | jq .verdicts")]
pub(super) struct CheckArgs {
    /// Files to check
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge by the rules of this campaign, whatever the file's name
    #[arg(long)]
    campaign: Option<String>,
    /// Findings of each code that are shown; 0 shows all
    #[arg(long, default_value_t = 3)]
    limit: usize,
}

/// What is found in one file.
#[derive(Default)]
struct Checked {
    dialect: Option<Dialect>,
    columns: usize,
    verdicts: Verdicts,
    fault: Option<Fault>,
    findings: Vec<Finding>,
    /// How many findings of each code there are, shown or not.
    counts: BTreeMap<&'static str, u64>,
}

struct Finding {
    code: &'static str,
    status: IntakeStatus,
    message: String,
    row: u32,
    line: u32,
    /// Character column from 1.
    column: u32,
    /// The masked line and the caret line.
    excerpt: (String, String),
}

pub(super) fn check(args: &CheckArgs, config: &Config, json: bool) -> anyhow::Result<u8> {
    let router = super::router(config)?;
    let mut code = OK;
    for (at, path) in args.files.iter().enumerate() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let campaign = campaign(&router, args.campaign.as_deref(), name)?;
        let checked = match &campaign {
            Ok(campaign) => check_file(path, campaign, config.limits, args.limit)
                .with_context(|| format!("{}: cannot be read", path.display()))?,
            Err(fault) => Checked { fault: Some(fault.clone()), ..Checked::default() },
        };
        if checked.fault.is_some() || !checked.counts.is_empty() {
            code = FINDINGS_OR_TROUBLE;
        }
        let campaign = campaign.map(|campaign| campaign.name.as_str()).unwrap_or("-");
        if json {
            line(&as_json(path, campaign, &checked).to_string());
        } else {
            if at > 0 {
                line("");
            }
            show(path, campaign, &checked);
        }
    }
    Ok(code)
}

fn campaign<'r>(router: &'r Router, wanted: Option<&str>, name: &str) -> anyhow::Result<Result<&'r Campaign, Fault>> {
    match wanted {
        None => Ok(router.route(name)?),
        Some(wanted) => {
            let known = || router.campaigns().map(|campaign| campaign.name.as_str()).collect::<Vec<_>>().join(", ");
            let campaign =
                router.campaign(wanted).ok_or_else(|| anyhow!("--campaign {wanted}: known are {}", known()))?;
            Ok(Ok(campaign))
        }
    }
}

fn check_file(path: &Path, campaign: &Campaign, limits: Limits, limit: usize) -> anyhow::Result<Checked> {
    let file = File::open(path)?;
    let progress = progress(file.metadata()?.len());
    let mut checked = Checked::default();
    match judge_all(progress.wrap_read(file), campaign, limits, limit, &mut checked) {
        Ok(()) => {}
        Err(ReadError::Fault(fault)) => checked.fault = Some(fault),
        Err(ReadError::Source(error)) => return Err(error.into()),
    }
    progress.finish_and_clear();
    Ok(checked)
}

fn judge_all(
    source: impl Read,
    campaign: &Campaign,
    limits: Limits,
    limit: usize,
    checked: &mut Checked,
) -> Result<(), ReadError> {
    let mut rows = Rows::open(source, &HeaderRules::of(campaign.channel), limits)?;
    checked.dialect = Some(rows.dialect.clone());
    checked.columns = rows.header.names.len();
    let mut judge =
        Judge::new(campaign, rows.header.clone()).map_err(|why| ReadError::Source(std::io::Error::other(why)))?;
    while let Some(row) = rows.next_row()? {
        let judgement = judge.judge(&row);
        if let Some(code) = judgement.code {
            let count = checked.counts.entry(code.as_str()).or_default();
            *count += 1;
            if limit == 0 || *count <= limit as u64 {
                checked.findings.push(finding(code.as_str(), &row, &judgement));
            }
        }
        checked.verdicts = judge.verdicts();
    }
    judge.conclude().map(|_| ()).map_err(ReadError::Fault)
}

fn finding(code: &'static str, row: &Row<'_>, judgement: &Judgement<'_>) -> Finding {
    let (number, column) = judgement.column.and_then(|column| row.position(column)).unwrap_or((row.line, 1));
    let text = row.raw.split(['\n', '\r']).nth((number - row.line) as usize).unwrap_or(row.raw);
    let length = match judgement.column.and_then(|column| row.cells.get(column)) {
        Some(span) if !span.is_unescaped => row.raw[span.raw_start as usize..span.end as usize].chars().count(),
        Some(_) => 1,
        None => text.chars().count(),
    };
    Finding {
        code,
        status: judgement.status,
        message: judgement.message.clone().into_owned(),
        row: row.number,
        line: number,
        column,
        excerpt: excerpt(text, column as usize - 1, length),
    }
}

/// A bar for files that take a while, on a terminal.
fn progress(bytes: u64) -> indicatif::ProgressBar {
    if bytes < 32 << 20 || !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let style = indicatif::ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes} ({eta} left)");
    let bar = indicatif::ProgressBar::new(bytes);
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}

fn show(path: &Path, campaign: &str, checked: &Checked) {
    let name = printable(&path.display().to_string());
    let verdicts = &checked.verdicts;
    line(&format!("{name}  (campaign {campaign})"));
    if let Some(dialect) = &checked.dialect {
        line(&format!(
            "  {}, delimiter {}, {} columns, {} rows: {} PENDING, {} DUPLICATE, {} SKIPPED, {} INVALID",
            dialect.encoding,
            dialect.delimiter_text(),
            checked.columns,
            thousands(verdicts.total()),
            thousands(verdicts.pending),
            thousands(verdicts.duplicate),
            thousands(verdicts.skipped),
            thousands(verdicts.invalid)
        ));
    }
    if let Some(fault) = &checked.fault {
        show_fault(path, &name, fault);
    } else if checked.counts.is_empty() {
        line("  Clean: every row would be PENDING.");
    }
    for (&code, &count) in &checked.counts {
        let shown: Vec<_> = checked.findings.iter().filter(|finding| finding.code == code).collect();
        for finding in &shown {
            line("");
            let place = format!("{name}:{}:{}", finding.line, finding.column);
            line(&format!("{place}: {} {code}: {}", finding.status.as_str(), finding.message));
            show_excerpt(u64::from(finding.line), &finding.excerpt);
        }
        let more = count - shown.len() as u64;
        if more > 0 {
            line("");
            line(&format!("… and {} more {code} like this (--limit 0 shows all)", thousands(more)));
        }
    }
}

fn show_fault(path: &Path, name: &str, fault: &Fault) {
    line("");
    let Some(place) = fault.place else {
        line(&format!("{name}: FAILED {}: {}", fault.code, fault.message()));
        line(&format!("  {}", fault.code.mend()));
        return;
    };
    let found = line_of(path, place.line);
    let column = found.as_deref().and_then(|text| cell_start(text, place.column?)).unwrap_or(0);
    line(&format!("{name}:{}:{}: FAILED {}: {}", place.line, column + 1, fault.code, fault.message()));
    if let Some(text) = found {
        show_excerpt(place.line, &excerpt(&text, column, 1));
    }
    line(&format!("  {}", fault.code.mend()));
}

fn show_excerpt(number: u64, (text, pointer): &(String, String)) {
    line(&format!("{number:>7} | {text}"));
    line(&format!("        | {pointer}"));
}

/// A line of the file as text, for showing only. `None` where lines of text are not to be had.
fn line_of(path: &Path, number: u64) -> Option<String> {
    let mut reader = BufReader::new(File::open(path).ok()?);
    let mut bytes = Vec::new();
    for _ in 0..number {
        bytes.clear();
        if reader.by_ref().take(1 << 20).read_until(b'\n', &mut bytes).ok()? == 0 {
            return None;
        }
    }
    if bytes.contains(&0) {
        return None;
    }
    Some(String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']).to_owned())
}

/// Where the n-th cell (from 1) of a line begins, in characters. Good enough for a caret: the delimiter is the one that
/// occurs most, and quotes are followed within the line.
fn cell_start(text: &str, column: usize) -> Option<usize> {
    let delimiter = [',', ';', '\t', '|'].into_iter().max_by_key(|&d| text.matches(d).count())?;
    let (mut quoted, mut cell) = (false, 1);
    if column == 1 {
        return Some(0);
    }
    for (at, c) in text.chars().enumerate() {
        match c {
            '"' => quoted = !quoted,
            c if c == delimiter && !quoted => {
                cell += 1;
                if cell == column {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn as_json(path: &Path, campaign: &str, checked: &Checked) -> serde_json::Value {
    let findings: Vec<_> = checked
        .findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "code": finding.code, "status": finding.status.as_str(), "message": finding.message,
                "row": finding.row, "line": finding.line, "column": finding.column,
            })
        })
        .collect();
    let fault = checked.fault.as_ref().map(|fault| {
        serde_json::json!({
            "code": fault.code.as_str(), "message": fault.message(),
            "line": fault.place.map(|place| place.line), "column": fault.place.and_then(|place| place.column),
        })
    });
    serde_json::json!({
        "file": path.display().to_string(), "campaign": campaign, "fault": fault,
        "encoding": checked.dialect.as_ref().map(|dialect| dialect.encoding),
        "delimiter": checked.dialect.as_ref().map(Dialect::delimiter_text),
        "rows_read": checked.verdicts.total(), "verdicts": checked.verdicts, "counts": checked.counts,
        "findings": findings,
    })
}
