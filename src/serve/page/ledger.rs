//! Uploads as a table: what became of each, and what can be done about it.

use chrono_tz::Tz;
use maud::{Markup, html};

use super::table::{self, Column};
use super::viewer::Viewer;
use super::{Page, show};
use crate::model::{FileCode, Upload, UploadStatus};

pub(super) fn table(page: &Page, viewer: &Viewer, uploads: &[Upload]) -> Markup {
    let zone = page.installation.time_zone;
    let rows = html! {
        @for upload in uploads {
            tr role="row" id={ "upload-" (upload.upload_id) } {
                td.when role="cell" data-label="Settled" {
                    @if let Some(at) = upload.settled_at { (show::time(at, zone)) } @else { span.muted { "open" } }
                }
                td.file role="cell" data-label="File" {
                    @match &upload.batch_id {
                        Some(batch_id) => a.name href={ "/batches/" (batch_id) } { (show::name(&upload.key)) },
                        None => span.name { (show::name(&upload.key)) },
                    }
                    span.under { (show::bytes(upload.size_bytes)) }
                }
                td role="cell" data-label="Status" { (show::status(upload.status.as_str())) }
                td.reason role="cell" data-label="What became of it" { (became(upload, zone)) }
                @if viewer.may_steer() { td.action role="cell" data-label="" { (requeue(upload)) } }
            }
        }
    };
    let names = ["Settled", "File", "Status", "What became of it"].into_iter().map(Column::Text);
    table::cards("cards", names.chain(viewer.may_steer().then_some(Column::Unseen("Action"))), &rows)
}

fn became(upload: &Upload, zone: Tz) -> Markup {
    let code = upload.error_code.as_deref().and_then(FileCode::parse);
    html! {
        @match (upload.status, &upload.batch_id, &upload.error_message) {
            (UploadStatus::Loaded, Some(batch_id), _) => p { "batch " a href={ "/batches/" (batch_id) } { (batch_id) } },
            // A suppression list, and what was made of it.
            (UploadStatus::Loaded, None, told) => p { (told.as_deref().unwrap_or("a suppression list")) },
            (_, _, Some(message)) => p.error { (message) },
            (UploadStatus::Waiting | UploadStatus::Claimed, _, None) => p.muted { "seen " (show::time(upload.seen_at, zone)) },
            (_, _, None) => p.error { "no reason is on record" },
        }
        @if let Some(code) = code { p.under { (code.mend()) } }
    }
}

/// For what came to nothing.
fn requeue(upload: &Upload) -> Markup {
    html! {
        @if matches!(upload.status, UploadStatus::Failed | UploadStatus::Rejected | UploadStatus::Gone) {
            form method="post" action="/uploads/requeue" {
                input type="hidden" name="upload_id" value=(upload.upload_id);
                button type="submit" { "Requeue" span.unseen { ": " (upload.key) } }
            }
        }
    }
}
