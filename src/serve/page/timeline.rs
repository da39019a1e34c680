//! What happened to a batch, from the file in the bucket to the answer beside it, by whose doing.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{Page, show};
use crate::model::upload::base_name;
use crate::model::{Batch, BatchEvent, Upload};
use crate::worker::{receipt_name, rejects_name};

/// What is known of a batch beside itself.
pub(super) struct History {
    pub(super) events: Vec<BatchEvent>,
    pub(super) upload: Option<Upload>,
}

/// One thing that happened.
struct Step<'a> {
    at: DateTime<Utc>,
    what: &'a str,
    more: Markup,
}

pub(super) fn show(page: &Page, batch: &Batch, history: &History) -> Markup {
    let zone = page.installation.time_zone;
    let took = |from, to| html! { span.under { "after " (show::between(from, to)) } };
    let mut steps = vec![
        Step { at: batch.seen_at, what: "Seen in the bucket", more: html! {} },
        Step { at: batch.claimed_at, what: "Taken by a worker", more: took(batch.seen_at, batch.claimed_at) },
    ];
    for event in &history.events {
        let more = html! {
            @if event.sequence == 0 { (took(batch.claimed_at, batch.created_at)) }
            @if let Some(actor) = &event.actor { span.under { "by " (actor) } }
            @if let Some(until) = event.expires_on { @if event.event == "EXPIRY_SET" { span.under { "at " (show::time(until, zone)) } } }
            @if let (Some(reason), true) = (&event.reason, event.sequence > 0) { p.reason { (reason) } }
        };
        steps.push(Step { at: event.at, what: word_of(&event.event), more });
    }
    steps.extend(history.upload.as_ref().and_then(|upload| answered(page, batch, upload)));
    if let Some(at) = batch.purged_at {
        steps.push(Step { at, what: "Rows purged", more: html! {} });
    }
    steps.sort_by_key(|step| step.at); // stable: what happened at once stays in this order
    html! {
        section aria-labelledby="timeline" {
            h2 #timeline { "What happened" }
            ol.timeline.card {
                @for step in steps { li { span.what { (step.what) } (show::time(step.at, zone)) (step.more) } }
                @if let Some(upload) = &history.upload { (owed(page, upload)) }
            }
        }
    }
}

/// The answer to whoever dropped the file, and where it lies.
fn answered<'a>(page: &Page, batch: &Batch, upload: &Upload) -> Option<Step<'a>> {
    let (at, folder) = (upload.answered_at?, page.installation.results.as_deref()?);
    let file = base_name(&upload.key);
    let has_rejects = ["DUPLICATE", "SKIPPED", "INVALID"].into_iter().any(|status| batch.count(status) > 0);
    let more = html! {
        span.under.path { (show::name(&format!("{folder}{}/{}", batch.batch_id, receipt_name(file)))) }
        @if has_rejects { span.under.path { (show::name(&format!("{folder}{}/{}", batch.batch_id, rejects_name(file)))) } }
    };
    Some(Step { at, what: "Sender answered", more })
}

/// An answer that could not be given yet.
fn owed(page: &Page, upload: &Upload) -> Markup {
    html! {
        @if let (Some(due), Some(trouble)) = (upload.answer_due_at, &upload.answer_error) {
            li.open {
                span.what { "The sender's answer is owed" }
                p.error { (trouble) }
                span.under { "tried " (show::counted(u64::from(upload.answer_attempts), "time", "times")) ", again at " (show::time(due, page.installation.time_zone)) }
            }
        }
    }
}

/// An event of a batch, for people. The set may grow.
fn word_of(event: &str) -> &str {
    match event {
        "PUBLISHED" => "Published",
        "FAILED" => "Failed",
        "HELD" => "Held",
        "RESUMED" => "Resumed",
        "CANCELED" => "Canceled",
        "EXPIRY_SET" => "Expiry set",
        "FORGOTTEN" => "A person forgotten",
        "EXPIRED" => "Expired",
        other => other,
    }
}
