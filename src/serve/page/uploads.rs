//! Uploads: what is worked on, what waits, what was refused, and whatever else is looked for in the ledger.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Frame, Here};
use super::paging::{PAGE, Paging, choice, part_of_name};
use super::viewer::Viewer;
use super::{NoPage, Page, ledger, show};
use crate::model::{FileCode, Upload, UploadQuery, UploadStatus};
use crate::serve::problem::Problem;
use crate::store::Requeued;
use crate::telemetry::progress;

/// Uploads shown of each kind.
const SHOWN: u32 = 50;

/// What is looked for, as the form sends it: what is left blank does not count, and neither does what makes no sense.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    name: String,
    status: String,
    page: String,
}

impl Filter {
    fn paging(&self) -> Paging<'_> {
        Paging {
            path: "/uploads",
            fields: vec![("name", self.name.trim()), ("status", &self.status)],
            page: &self.page,
        }
    }

    fn query(&self) -> UploadQuery {
        let name = self.name.trim();
        UploadQuery {
            status: UploadStatus::parse(&self.status),
            key: (!name.is_empty()).then(|| name.to_owned()),
            offset: self.paging().offset(),
            limit: PAGE,
        }
    }
}

/// What is to be looked after, or what is looked for.
pub(super) async fn list(
    State(page): State<Arc<Page>>,
    viewer: Viewer,
    Query(filter): Query<Filter>,
) -> Result<Response, NoPage> {
    let frame = Frame::of(&page, &viewer).await?;
    let shown = if filter.paging().is_blank() {
        open_and_refused(&page, &viewer, &frame).await?
    } else {
        found(&page, &viewer, &frame, &filter).await?
    };
    let content = html! { h1 { "Uploads" } (form(&filter)) (shown) };
    Ok(frame.show(Here::Uploads, "Uploads", &content).into_response())
}

fn form(filter: &Filter) -> Markup {
    let fields = html! {
        (part_of_name(&filter.name))
        (choice("status", "Status", "open and refused", &UploadStatus::ALL.map(UploadStatus::as_str), &filter.status))
    };
    filter.paging().form("Find uploads", "Find", "Open and refused", &fields)
}

async fn found(page: &Page, viewer: &Viewer, frame: &Frame<'_>, filter: &Filter) -> Result<Markup, NoPage> {
    let query = filter.query();
    let (total, uploads) = (frame.store.count_uploads(&query).await?, frame.store.list_uploads(&query).await?);
    Ok(html! {
        section aria-labelledby="found" {
            h2 #found { "Found" @if total > 0 { " " span.total { (show::grouped(total)) } } }
            @if uploads.is_empty() {
                div.empty.small { p { "No upload is like that." } }
            } @else {
                (ledger::table(page, viewer, &uploads))
                (filter.paging().links(total))
            }
        }
    })
}

async fn open_and_refused(page: &Page, viewer: &Viewer, frame: &Frame<'_>) -> Result<Markup, NoPage> {
    let working = working(frame).await?;
    let waiting = frame.store.list_uploads(&newest(UploadStatus::Waiting)).await?;
    let refused = frame.store.refused_uploads(SHOWN).await?;
    let is_quiet = frame.backlog.claimed == 0 && waiting.is_empty();
    Ok(html! {
        @if is_quiet {
            section aria-labelledby="open" {
                h2 #open { "Open" }
                div.empty.small { p { "Nothing waits, and nothing is being worked on." } }
            }
        }
        (working)
        @if !waiting.is_empty() { (waits(page, &waiting)) }
        (refusals(page, viewer, &refused))
    })
}

fn newest(status: UploadStatus) -> UploadQuery {
    UploadQuery { status: Some(status), limit: SHOWN, ..UploadQuery::default() }
}

/// What is being worked on, with how far it is; nothing where there is none.
pub(super) async fn working(frame: &Frame<'_>) -> Result<Markup, NoPage> {
    if frame.backlog.claimed == 0 {
        return Ok(html! {});
    }
    let uploads = frame.store.list_uploads(&newest(UploadStatus::Claimed)).await?;
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
                (ledger::table(page, viewer, uploads))
            }
        }
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
) -> Result<Response, NoPage> {
    viewer.steers()?;
    let (store, _) = page.opened()?;
    let code = wish.code.as_deref().and_then(FileCode::parse);
    let which = match (wish.upload_id, code) {
        (Some(id), _) => Requeued::Upload(id),
        (None, Some(code)) => Requeued::WithCode(code),
        (None, None) => return Err(Problem::not_found("no upload was named").into()),
    };
    let requeued = store.requeue(&which).await?;
    if requeued.is_empty() {
        return Err(Problem::not_found("this upload is loaded, being worked on, or not in the ledger").into());
    }
    Ok(Redirect::to("/uploads").into_response())
}
