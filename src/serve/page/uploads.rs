//! The ledger: what is worked on, what waits, and what was refused.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Frame, Here};
use super::viewer::Viewer;
use super::{Page, Problem, show};
use crate::model::{FileCode, Upload};
use crate::store::Requeued;
use crate::telemetry::progress;

/// Uploads shown of each kind.
const SHOWN: u32 = 50;

pub(super) async fn list(State(page): State<Arc<Page>>, viewer: Viewer) -> Result<Response, Problem> {
    let frame = Frame::of(&page, &viewer).await?;
    let working = working(&frame).await?;
    let waiting = frame.store.uploads(Some("WAITING"), SHOWN).await?;
    let mut refused = Vec::new();
    for status in ["FAILED", "REJECTED", "GONE"] {
        refused.extend(frame.store.uploads(Some(status), SHOWN).await?);
    }
    refused.sort_by_key(|upload| std::cmp::Reverse(upload.settled_at));
    refused.truncate(SHOWN as usize);
    let is_quiet = frame.backlog.claimed == 0 && waiting.is_empty();
    let content = html! {
        h1 { "Uploads" }
        @if is_quiet {
            section aria-labelledby="open" {
                h2 #open { "Open" }
                div.empty.small { p { "Nothing waits, and nothing is being worked on." } }
            }
        }
        (working)
        @if !waiting.is_empty() { (waits(&page, &waiting)) }
        (refusals(&page, &viewer, &refused))
    };
    Ok(frame.show(Here::Uploads, "Uploads", &content).into_response())
}

/// What is being worked on, with how far it is; nothing where there is none.
pub(super) async fn working(frame: &Frame<'_>) -> Result<Markup, Problem> {
    if frame.backlog.claimed == 0 {
        return Ok(html! {});
    }
    let uploads = frame.store.uploads(Some("CLAIMED"), SHOWN).await?;
    Ok(html! {
        section.working aria-labelledby="working" {
            h2 #working { "Working" }
            ul.uploads { @for upload in &uploads { li id={ "upload-" (upload.upload_id) } { (progress(upload)) } } }
        }
    })
}

fn progress(upload: &Upload) -> Markup {
    let reached = progress::of(upload.upload_id);
    let share = reached.map(|reached| reached.bytes.min(upload.size_bytes) as f64 / upload.size_bytes.max(1) as f64);
    html! {
        div.row {
            span.key { (upload.key) }
            @if let Some(share) = share { span.share { (format!("{:.0} %", share * 100.0)) } }
        }
        @if let Some(share) = share {
            progress max="1" value=(format!("{share:.3}")) aria-label={ "Progress of " (upload.key) } {}
        }
        p.under {
            @match reached {
                Some(reached) if reached.bytes >= upload.size_bytes => {
                    "all " (show::bytes(upload.size_bytes)) " read, " (show::counted(reached.rows, "row", "rows")) " so far; being stored"
                }
                Some(reached) => {
                    (show::bytes(reached.bytes)) " of " (show::bytes(upload.size_bytes)) ", " (show::counted(reached.rows, "row", "rows")) " so far"
                    @if reached.still_for > Duration::from_secs(5) { ", nothing for " (show::duration(reached.still_for)) }
                }
                None => {
                    (show::bytes(upload.size_bytes)) ", in the hands of "
                    (upload.claimed_by.as_deref().unwrap_or("a worker"))
                    "; how far it is, the worker that has it tells"
                }
            }
        }
    }
}

fn waits(page: &Page, uploads: &[Upload]) -> Markup {
    let zone = page.installation.time_zone;
    html! {
        section aria-labelledby="waiting" {
            h2 #waiting { "Waiting" }
            ul.uploads {
                @for upload in uploads {
                    li id={ "upload-" (upload.upload_id) } {
                        div.row { span.key { (upload.key) } span.muted { (show::bytes(upload.size_bytes)) } }
                        p.under {
                            "seen " (show::time(upload.seen_at, zone))
                            @if upload.attempts > 0 { ", tried " (show::counted(u64::from(upload.attempts), "time", "times")) }
                            @if let (true, Some(at)) = (upload.error_message.is_some(), upload.available_at) { ", again at " (show::time(at, zone)) }
                        }
                        @if let Some(trouble) = &upload.error_message { p.error { (trouble) } }
                    }
                }
            }
        }
    }
}

fn refusals(page: &Page, viewer: &Viewer, uploads: &[Upload]) -> Markup {
    let zone = page.installation.time_zone;
    let ours =
        uploads.iter().filter(|upload| upload.error_code.as_deref() == Some(FileCode::InternalError.as_str())).count();
    html! {
        section aria-labelledby="refused" {
            h2 #refused { "Refused" }
            @if ours > 1 && viewer.may_steer() {
                form.all method="post" action="/uploads/requeue" {
                    input type="hidden" name="code" value=(FileCode::InternalError.as_str());
                    p { (ours) " of them met trouble of ours, and are not to blame. Once its cause is mended: " }
                    button type="submit" { "Requeue all of these" }
                }
            }
            @if uploads.is_empty() {
                div.empty.small { p { "Nothing was refused." } }
            } @else {
                table.cards role="table" {
                    thead role="rowgroup" {
                        tr role="row" {
                            @for name in ["Settled", "File", "Status", "Reason"] { th role="columnheader" scope="col" { (name) } }
                            @if viewer.may_steer() { th role="columnheader" scope="col" { span.unseen { "Action" } } }
                        }
                    }
                    tbody role="rowgroup" {
                        @for upload in uploads {
                            tr role="row" id={ "upload-" (upload.upload_id) } {
                                td.when role="cell" data-label="Settled" {
                                    @if let Some(at) = upload.settled_at { (show::time(at, zone)) }
                                }
                                td.file role="cell" data-label="File" {
                                    @match &upload.batch_id {
                                        Some(batch_id) => a href={ "/batches/" (batch_id) } { (show::file_name(&upload.key)) },
                                        None => span { (show::file_name(&upload.key)) },
                                    }
                                    span.under { (show::bytes(upload.size_bytes)) }
                                }
                                td role="cell" data-label="Status" { (show::status(upload.status.as_str())) }
                                td.reason role="cell" data-label="Reason" { (reason(upload)) }
                                @if viewer.may_steer() {
                                    td.action role="cell" data-label="" {
                                        form method="post" action="/uploads/requeue" {
                                            input type="hidden" name="upload_id" value=(upload.upload_id);
                                            button type="submit" { "Requeue" span.unseen { ": " (upload.key) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is wrong, and how to mend it.
fn reason(upload: &Upload) -> Markup {
    let code = upload.error_code.as_deref().and_then(FileCode::parse);
    html! {
        p.error { (upload.error_message.as_deref().unwrap_or("no reason is on record")) }
        @if let Some(code) = code { p.under { (code.mend()) } }
    }
}

/// Which uploads are to be worked on again: one, or all that came to nothing with a code.
#[derive(Deserialize)]
pub(super) struct Wish {
    upload_id: Option<i64>,
    code: Option<String>,
}

pub(super) async fn requeue(
    State(page): State<Arc<Page>>,
    viewer: Viewer,
    Form(wish): Form<Wish>,
) -> Result<Response, Problem> {
    viewer.steers()?;
    let (store, _) = page.opened()?;
    let code = wish.code.as_deref().and_then(FileCode::parse);
    let which = match (wish.upload_id, code) {
        (Some(id), _) => Requeued::Upload(id),
        (None, Some(code)) => Requeued::WithCode(code),
        (None, None) => return Err(Problem::Missing("No upload was named.")),
    };
    let requeued = store.requeue(&which).await?;
    if requeued.is_empty() {
        return Err(Problem::Missing("This upload is loaded, being worked on, or not in the ledger."));
    }
    Ok(Redirect::to("/uploads").into_response())
}
