//! `check`: a file read and judged exactly as the worker would, offline; nothing is written anywhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;

use super::excerpt::{Mark, excerpt};
use super::output::{json_line, line, note, printable, sum, thousands};
use super::place::{self, Spot};
use super::told::ToldArgs;
use super::{FINDINGS_OR_TROUBLE, OK, USAGE, template};
use crate::config::Config;
use crate::model::{BatchStatus, Campaign, Dialect, Fault, FileCode, Header, IntakeStatus, Row, Verdicts};
use crate::reader::{HeaderRules, Limits, ReadError, Rows};
use crate::rules::{Judge, Judgement, Router};
use crate::telemetry;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  clean: every row would be PENDING
  1  findings: a fault of a file, or rows that would not be PENDING
  2  wrong usage, or a file that cannot be read

What the command cannot know without a store: whether the same content was loaded before, and
what other batches (unique_within) and suppression lists hold.
Letters and digits of the rows it shows are masked, but for the last four of a target.
With --json, a file is one object: file, campaign, fault, encoding, delimiter, quote, quote_escape,
newline, compression, header_line, columns, would_be (the batch's status), rows_read, verdicts,
counts (of each code), findings. Lines, rows and columns count from 1; those of findings are characters.

Examples:
  batchdrop check LATE_PAYMENTS_20250401.csv
  batchdrop check --config batchdrop.toml --campaign late_payments export.csv
  batchdrop check --json *.csv | jq .verdicts
  batchdrop check --config batchdrop.toml --campaign late_payments --schema-template > empty.csv")]
pub(super) struct CheckArgs {
    /// Files to check
    #[arg(required_unless_present = "schema_template", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge by the rules of this campaign, whatever the file's name
    #[arg(long)]
    campaign: Option<String>,
    /// Write an empty file with the columns that the campaign wants, for those who upload
    #[arg(long, requires = "campaign", conflicts_with = "files")]
    schema_template: bool,
    /// Findings of each code that are shown; 0 shows all
    #[arg(long, default_value_t = 3)]
    limit: usize,
    #[command(flatten)]
    told: ToldArgs,
}

/// What is found in one file.
#[derive(Default)]
struct Checked {
    dialect: Option<Dialect>,
    columns: usize,
    /// What the columns are, once the header was understood.
    header: Option<Header>,
    /// The status that the batch would have; `None` for a file that no campaign takes.
    would_be: Option<BatchStatus>,
    verdicts: Verdicts,
    fault: Option<Fault>,
    /// Where the fault stands, if it stands anywhere.
    spot: Option<Spot>,
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
    if args.schema_template {
        let campaign = campaign(&router, args.campaign.as_deref(), "")?.map_err(|fault| anyhow!(fault))?;
        let columns = template::columns(campaign).map_err(|why| anyhow!(why))?;
        line(&if json {
            serde_json::json!({ "columns": columns }).to_string()
        } else {
            template::header(&columns, &campaign.format)
        });
        return Ok(OK);
    }
    let mut code = OK;
    let mut shown_before = false;
    for path in &args.files {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let campaign = match campaign(&router, args.campaign.as_deref(), name)? {
            Ok(campaign) => Ok(Campaign { format: args.told.over_named(&campaign.format)?, ..campaign.clone() }),
            Err(fault) => Err(fault),
        };
        let campaign = campaign.as_ref().map_err(Clone::clone);
        let checked = match check_file(path, &campaign, config.limits, args.limit) {
            Ok(checked) => checked,
            // The other files are still worth checking.
            Err(error) => {
                let file = path.display().to_string();
                note(&format!("error: {}: cannot be read: {}", printable(&file), telemetry::chain(error.as_ref())));
                code = USAGE;
                continue;
            }
        };
        let has_findings = checked.fault.is_some() || !checked.counts.is_empty();
        if has_findings && code == OK {
            code = FINDINGS_OR_TROUBLE;
        }
        let campaign = campaign.ok().map(|campaign| campaign.name.as_str());
        if json {
            json_line(&as_json(path, campaign, &checked));
        } else {
            if shown_before {
                line("");
            }
            show(path, campaign, &checked);
            shown_before = true;
        }
    }
    Ok(code)
}

pub(super) fn campaign<'r>(
    router: &'r Router,
    wanted: Option<&str>,
    name: &str,
) -> anyhow::Result<Result<&'r Campaign, Fault>> {
    match wanted {
        None => Ok(router.route(name)?),
        Some(wanted) => {
            let known = || router.campaigns().map(|campaign| campaign.name.as_str()).collect::<Vec<_>>().join(", ");
            let campaign = router
                .campaign(wanted)
                .ok_or_else(|| anyhow!("there is no campaign {wanted}; known are {}", known()))?;
            Ok(Ok(campaign))
        }
    }
}

fn check_file(
    path: &Path,
    campaign: &Result<&Campaign, Fault>,
    limits: Limits,
    limit: usize,
) -> anyhow::Result<Checked> {
    let file = File::open(path)?;
    let data = file.metadata()?;
    if data.is_dir() {
        bail!("it is a folder");
    }
    let mut checked = Checked::default();
    let campaign = match campaign {
        Ok(campaign) => campaign,
        Err(fault) => {
            checked.fault = Some(fault.clone());
            return Ok(checked);
        }
    };
    let progress = progress(data.len());
    let result = judge_all(progress.wrap_read(file), campaign, limits, limit, &mut checked);
    progress.finish_and_clear();
    checked.would_be = Some(match &result {
        Ok(()) if campaign.hold => BatchStatus::Paused,
        Ok(()) => BatchStatus::Active,
        Err(_) => BatchStatus::Failed,
    });
    match result {
        Ok(()) => {}
        Err(ReadError::Fault(fault)) => {
            checked.spot = place::find(path, &fault, checked.dialect.as_ref());
            checked.fault = Some(fault);
        }
        Err(ReadError::Source(error)) => return Err(error.into()),
    }
    Ok(checked)
}

fn judge_all(
    source: impl Read,
    campaign: &Campaign,
    limits: Limits,
    limit: usize,
    checked: &mut Checked,
) -> Result<(), ReadError> {
    let mut rows = Rows::open(source, &campaign.format, limits)?;
    checked.dialect = Some(rows.dialect.clone());
    checked.columns = rows.names.len();
    let header = rows.header(&HeaderRules::of(campaign))?;
    checked.columns = header.names.len();
    checked.header = Some(header.clone());
    let target = header.target;
    let mut judge = Judge::new(campaign, header).map_err(|why| ReadError::Source(std::io::Error::other(why)))?;
    judge.fits().map_err(ReadError::Fault)?;
    while let Some(row) = rows.next_row()? {
        let judgement = judge.judge(&row);
        if let Some(code) = judgement.code {
            let count = checked.counts.entry(code.as_str()).or_default();
            *count += 1;
            if limit == 0 || *count <= limit as u64 {
                checked.findings.push(finding(code.as_str(), &row, &judgement, target));
            }
        }
        checked.verdicts = judge.verdicts();
    }
    judge.conclude().map(|_| ()).map_err(ReadError::Fault)
}

fn finding(code: &'static str, row: &Row<'_>, judgement: &Judgement<'_>, target: usize) -> Finding {
    let cell = judgement.column.and_then(|column| row.cells.get(column));
    let start = cell.map_or(0, |cell| cell.raw_start as usize);
    let line_start = row.raw[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let text = row.raw[line_start..].split(['\n', '\r']).next().unwrap_or_default();
    let (number, column) = judgement.column.and_then(|column| row.position(column)).unwrap_or((row.line, 1));
    let length = match cell {
        // A quoted cell is marked with both its quotes.
        Some(cell) if !cell.is_unescaped => {
            let value = row.raw[start..cell.end as usize].chars().count();
            value + usize::from(cell.start > cell.raw_start)
        }
        Some(_) => 1,
        None => text.chars().count(),
    };
    let mark = Mark { column: column as usize - 1, length, is_target: judgement.column == Some(target) };
    Finding {
        code,
        status: judgement.status,
        message: judgement.message.clone().into_owned(),
        row: row.number,
        line: number,
        column,
        excerpt: excerpt(text, mark),
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

fn show(path: &Path, campaign: Option<&str>, checked: &Checked) {
    let name = printable(&path.display().to_string());
    match campaign {
        Some(campaign) => line(&format!("{name}  (campaign {campaign})")),
        None => line(&format!("{name}  (no campaign)")),
    }
    if let Some(dialect) = &checked.dialect {
        line(&format!("  {}, {}: {}", written(dialect), count(checked.columns as u64, "column"), rows(checked)));
    }
    if let Some(header) = &checked.header {
        line(&format!("  {}", roles(header)));
    }
    if let Some(fault) = &checked.fault {
        show_fault(&name, fault, checked.spot.as_ref());
    } else {
        line(&format!("  {}", outcome(checked)));
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

/// `reference_id is column 1 (Customer-ID), target column 2 (Mobile); 5 more become request_variables`
fn roles(header: &Header) -> String {
    let named = |column: usize| format!("column {} ({})", column + 1, printable(&header.names[column]));
    let more = match header.variables.len() {
        0 => String::new(),
        1 => "; 1 more becomes a request_variable".to_owned(),
        many => format!("; {many} more become request_variables"),
    };
    format!("reference_id is {}, target {}{more}", named(header.reference_id), named(header.target))
}

/// What the worker would make of a file without a fault.
fn outcome(checked: &Checked) -> String {
    let held = match checked.would_be {
        Some(BatchStatus::Paused) => ", once it is resumed",
        _ => "",
    };
    let status = checked.would_be.map_or("", BatchStatus::as_str);
    let pending = count(checked.verdicts.pending, "request");
    match checked.counts.is_empty() {
        true => format!("Clean: would be a batch, {status}: {pending} to contact{held}."),
        false => format!(
            "Would be a batch, {status}: {pending} to contact{held}; the other rows are kept with their reason."
        ),
    }
}

/// `300 rows = 286 PENDING + 8 DUPLICATE + 6 INVALID`, or how far a file was read that was not read to its end.
fn rows(checked: &Checked) -> String {
    let total = checked.verdicts.total();
    if checked.fault.as_ref().is_some_and(|fault| !is_of_rows(fault.code)) {
        return format!("{} before the fault", count(total, "row"));
    }
    if total == 0 {
        return "no rows".to_owned();
    }
    format!("{} = {}", count(total, "row"), sum(&checked.verdicts.by_status()))
}

fn written(dialect: &Dialect) -> String {
    let (quote, escape) = (dialect.quote_text(), dialect.escape_text());
    let others = [Some(quote.as_str()), Some(escape.as_str()), Some(dialect.newline), dialect.compression];
    super::output::dialect(dialect.encoding, &dialect.delimiter_text(), others, dialect.header_line)
}

fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Found when all rows had been read, and told in counts.
fn is_of_rows(code: FileCode) -> bool {
    matches!(code, FileCode::NoDataRows | FileCode::NoValidRows | FileCode::TooManyInvalid)
}

fn show_fault(name: &str, fault: &Fault, spot: Option<&Spot>) {
    line("");
    let place = match (fault.place, spot) {
        (Some(place), Some(spot)) => format!("{name}:{}:{}", place.line, spot.column + 1),
        (Some(place), None) => format!("{name}:{}", place.line),
        (None, _) => name.to_owned(),
    };
    line(&format!("{place}: FAILED {}: {}", fault.code, without_place(fault)));
    if let (Some(place), Some(spot)) = (fault.place, spot) {
        let mark = Mark { column: spot.column, length: spot.length, is_target: false };
        show_excerpt(place.line, &excerpt(&spot.text, mark));
    }
    // The others say in their own words what to do.
    if is_of_rows(fault.code) || fault.code == FileCode::UnknownCampaign {
        line(&format!("  {}", fault.code.mend()));
    }
}

/// What a fault says, less the place that it begins with: that stands before it already.
fn without_place(fault: &Fault) -> &str {
    let Some(place) = fault.place else { return &fault.detail };
    let detail = fault.detail.strip_prefix(&format!("line {}", place.line)).unwrap_or(&fault.detail);
    let detail = place.column.and_then(|column| detail.strip_prefix(&format!(", column {column}"))).unwrap_or(detail);
    detail.strip_prefix(": ").unwrap_or(detail)
}

fn show_excerpt(number: u64, (text, pointer): &(String, String)) {
    line(&format!("{number:>7} | {text}"));
    line(&format!("        | {pointer}"));
}

fn as_json(path: &Path, campaign: Option<&str>, checked: &Checked) -> serde_json::Value {
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
            "line": fault.place.map(|place| place.line),
            "column": checked.spot.as_ref().map(|spot| spot.column + 1),
        })
    });
    serde_json::json!({
        "file": path.display().to_string(), "campaign": campaign, "fault": fault,
        "encoding": checked.dialect.as_ref().map(|dialect| dialect.encoding),
        "delimiter": checked.dialect.as_ref().map(Dialect::delimiter_text),
        "quote": checked.dialect.as_ref().map(Dialect::quote_text),
        "quote_escape": checked.dialect.as_ref().map(Dialect::escape_text),
        "newline": checked.dialect.as_ref().map(|dialect| dialect.newline),
        "compression": checked.dialect.as_ref().and_then(|dialect| dialect.compression),
        "header_line": checked.dialect.as_ref().and_then(|dialect| dialect.header_line),
        // No names: the operator's other columns are their business, and may tell more than they should.
        "columns": checked.header.as_ref().map(|header| {
            serde_json::json!({
                "count": header.names.len(), "reference_id": header.reference_id + 1, "target": header.target + 1,
            })
        }),
        "would_be": checked.would_be.map(BatchStatus::as_str),
        "rows_read": checked.verdicts.total(), "verdicts": checked.verdicts, "counts": checked.counts,
        "findings": findings,
    })
}
