//! One batch: the sum of its rows, why some were not loaded, what it was made of, and what happened to it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::layout::{Frame, Here};
use super::table::{self, Column};
use super::timeline::{self, History};
use super::viewer::Viewer;
use super::{NoPage, Page, show, steer};
use crate::model::{Batch, FileCode, Reject, Request, RowCode};
use crate::serve::downloads;
use crate::serve::problem::Problem;
use crate::store::Finding;

/// Rows shown of those that were not loaded, and of all.
const REJECTS: u32 = 10;
const FIRST_ROWS: u32 = 5;
/// Other batches shown with the same content.
const SAME: u32 = 20;

/// The rows that were not loaded, for mending, to whoever may look.
pub(super) async fn rejects(
    State(page): State<Arc<Page>>,
    _viewer: Viewer,
    Path(batch_id): Path<String>,
) -> Result<Response, NoPage> {
    Ok(downloads::rejects(&page.shared, &batch_id).await?)
}

pub(super) async fn show(
    State(page): State<Arc<Page>>,
    viewer: Viewer,
    Path(batch_id): Path<String>,
) -> Result<Response, NoPage> {
    let frame = Frame::of(&page, &viewer).await?;
    let content = content(&page, &viewer, &frame, &batch_id, None).await?;
    Ok(frame.show(Here::Batch, &batch_id, &content).into_response())
}

/// The content of the page, with what is wrong with what was wished, if something is.
pub(super) async fn content(
    page: &Page,
    viewer: &Viewer,
    frame: &Frame<'_>,
    batch_id: &str,
    wrong: Option<&str>,
) -> Result<Markup, NoPage> {
    let store = frame.store;
    let batch = store.batch(batch_id).await?.ok_or_else(Problem::no_such_batch)?;
    let findings = store.findings(batch_id).await?;
    let rejects = store.rejects(batch_id, 0, REJECTS).await?;
    let rows = store.requests(batch_id, 0, FIRST_ROWS).await?;
    let same = store.same_content(batch_id, SAME).await?;
    let history = History { events: store.events(batch_id).await?, upload: store.upload(batch.upload_id).await? };
    let zone = page.installation.time_zone;
    Ok(html! {
        p.crumbs { a href="/" { "Batches" } }
        h1 { (show::name(batch.upload_filename.as_deref().unwrap_or("no name"))) }
        p.subtitle {
            (show::status(batch.status.as_str())) " "
            span { "batch " b { (batch.batch_id) } } " "
            span { "campaign " a href={ "/?campaign=" (batch.campaign_name) } { (show::name(&batch.campaign_name)) } }
        }
        @if let Some(wrong) = wrong { div.refusal role="alert" { (wrong) } }
        div.columns {
            div.main {
                (outcome(&batch))
                @if let Some(at) = batch.purged_at {
                    section.card aria-labelledby="purged" {
                        h2 #purged { "Its rows are purged" }
                        p { "They were deleted on " (show::time(at, zone)) ", having been kept for as long as they may be. The numbers stay." }
                    }
                }
                @if !findings.is_empty() { (reasons(&findings)) }
                @if !rejects.is_empty() { (not_loaded(&batch, &rejects)) }
                @if !rows.is_empty() { (first_rows(&rows)) }
            }
            div.side {
                @if viewer.may_steer() { (steer::forms(&batch)) }
                (timeline::show(page, &batch, &history))
                (facts(&batch))
                @if !same.is_empty() { (others(&batch, &same, zone)) }
            }
        }
    })
}

/// The sum, or why there is none.
fn outcome(batch: &Batch) -> Markup {
    html! {
        section.card.outcome aria-label="Outcome" {
            @if let Some(message) = &batch.error_message {
                p.error { strong { (message) } }
                @if let Some(code) = batch.error_code.as_deref().and_then(FileCode::parse) { p { (code.mend()) } }
                p.muted { "No row of this file was loaded, and nobody is contacted by it." }
            } @else {
                (show::sum(batch.rows_read, &batch.status_counts))
                (show::bar(&batch.status_counts))
            }
        }
    }
}

fn reasons(findings: &[Finding]) -> Markup {
    html! {
        section aria-labelledby="reasons" {
            h2 #reasons { "Why rows were not loaded" }
            ul.uploads.reasons {
                @for finding in findings {
                    @let code = RowCode::parse(&finding.error_code);
                    li id={ "reason-" (finding.error_code) } {
                        div.row {
                            span.key { @match code { Some(code) => (code.heading()), None => (finding.error_code) } }
                            span { b { (show::grouped(finding.requests)) } " from line " (show::grouped(finding.first_line)) }
                        }
                        @if let Some(code) = code { p.under { (code.meaning()) " " (code.mend()) } }
                    }
                }
            }
        }
    }
}

/// Some of the rows that were not loaded: enough to see what is wrong, too little to see who.
fn not_loaded(batch: &Batch, rejects: &[Reject]) -> Markup {
    let all: u64 = ["DUPLICATE", "SKIPPED", "INVALID"].into_iter().map(|status| batch.count(status)).sum();
    let rows = html! {
        @for reject in rejects {
            tr role="row" id={ "reject-" (reject.row_number) } {
                td.number role="cell" data-label="Line" { (show::grouped(u64::from(reject.line))) }
                td role="cell" data-label="Target" { (show::target(&reject.target)) }
                td.wide role="cell" data-label="What is wrong" { (reject.message) }
            }
        }
    };
    html! {
        section aria-labelledby="rejects" {
            div.row.head {
                h2 #rejects { "Rows not loaded" }
                a.button href={ "/batches/" (batch.batch_id) "/rejects.csv" } download { "Download " (if all == 1 { "it" } else { "all" }) ", to mend" }
            }
            (table::cards("cards plain", [Column::Number("Line"), Column::Text("Target"), Column::Text("What is wrong")], &rows))
            @if all > rejects.len() as u64 { p.muted.more { "The first " (rejects.len()) " of " (show::grouped(all)) "." } }
        }
    }
}

fn first_rows(rows: &[Request]) -> Markup {
    let variables = rows.iter().filter_map(|row| row.request_variables.as_object()).map(|object| object.len()).max();
    let variables = variables.unwrap_or(0);
    let rows = html! {
        @for row in rows {
            tr role="row" id={ "row-" (row.row_number) } {
                td.number role="cell" data-label="Line" { (show::grouped(u64::from(row.line))) }
                td role="cell" data-label="Target" { (show::target(&row.target)) }
                td role="cell" data-label="Status" { (show::request_status(&row.request_status)) }
            }
        }
    };
    html! {
        section aria-labelledby="rows" {
            h2 #rows { "The first rows, as they were read" }
            (table::cards("cards plain", [Column::Number("Line"), Column::Text("Target"), Column::Text("Status")], &rows))
            @if variables > 0 { p.muted.more { "Each has " (show::counted(variables as u64, "variable", "variables")) ", not shown here." } }
        }
    }
}

fn facts(batch: &Batch) -> Markup {
    let named = |text: &Option<String>, none: &str| match text.as_deref() {
        None => None,
        Some("") => Some(none.to_owned()),
        Some(text) => Some(text.to_owned()),
    };
    let delimiter = batch.delimiter.as_deref().map(|delimiter| match delimiter {
        "," => "comma".to_owned(),
        ";" => "semicolon".to_owned(),
        "\\t" => "tab".to_owned(),
        "|" => "vertical bar".to_owned(),
        other => other.to_owned(),
    });
    let facts = [
        ("Encoding", named(&batch.encoding, "")),
        ("Delimiter", delimiter),
        ("Quote", named(&batch.quote, "none")),
        ("Quote within", named(&batch.quote_escape, "none")),
        ("Line ends", batch.newline.as_deref().map(str::to_uppercase)),
        ("Packed", batch.compression.clone()),
        ("Header", batch.header_line.map(|line| format!("line {line}"))),
        ("Size", Some(show::bytes(batch.bytes_read))),
        ("Date in the name", batch.filename_date.map(|date| date.to_string())),
        ("Upload", Some(show::grouped(batch.upload_id.unsigned_abs()))),
    ];
    html! {
        section aria-labelledby="facts" {
            h2 #facts { "The file" }
            dl.facts.card {
                @for (name, value) in facts {
                    @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
                }
                @if let Some(hash) = &batch.sha256 { div.whole { dt { "SHA-256" } dd { code { (hash) } } } }
            }
        }
    }
}

/// The same content, in other batches.
fn others(batch: &Batch, others: &[Batch], zone: Tz) -> Markup {
    html! {
        section aria-labelledby="same" {
            h2 #same { "The same content" }
            ul.uploads {
                @for other in others {
                    li id={ "same-" (other.batch_id) } {
                        div.row {
                            a href={ "/batches/" (other.batch_id) } { (other.batch_id) }
                            (show::status(other.status.as_str()))
                        }
                        p.under {
                            @if other.upload_filename != batch.upload_filename { (other.upload_filename.as_deref().unwrap_or("no name")) ", " }
                            (show::time(other.created_at, zone))
                        }
                    }
                }
            }
        }
    }
}
