//! All batches, the newest first, with filters.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Frame, Here};
use super::paging::{PAGE, Paging, campaigns, choice, part_of_name};
use super::table::{self, Column};
use super::viewer::Viewer;
use super::{NoPage, Page, show, uploads};
use crate::model::{Batch, BatchQuery, BatchStatus};

const STATUSES: [&str; 5] = ["ACTIVE", "PAUSED", "FAILED", "CANCELED", "EXPIRED"];

/// What is looked for, as the form sends it: what is left blank does not count, and neither does what makes no sense.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    name: String,
    campaign: String,
    status: String,
    from: String,
    to: String,
    page: String,
}

impl Filter {
    fn paging(&self) -> Paging<'_> {
        let fields = vec![
            ("name", self.name.trim()),
            ("campaign", self.campaign.as_str()),
            ("status", &self.status),
            ("from", &self.from),
            ("to", &self.to),
        ];
        Paging { path: "/", fields, page: &self.page }
    }

    fn query(&self, zone: Tz) -> BatchQuery {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        BatchQuery {
            filename: given(self.name.trim()),
            campaign_name: given(&self.campaign),
            status: BatchStatus::parse(&self.status),
            created_from: day(&self.from).and_then(|day| beginning_of(day, zone)),
            created_before: day(&self.to).and_then(|day| beginning_of(day.succ_opt()?, zone)),
            offset: self.paging().offset(),
            limit: PAGE,
            ..BatchQuery::default()
        }
    }
}

/// The first moment of a day, which is not midnight everywhere on every day.
fn beginning_of(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let mut minutes = (0..24 * 60).step_by(15).filter_map(|minute| day.and_hms_opt(minute / 60, minute % 60, 0));
    minutes.find_map(|time| time.and_local_timezone(zone).earliest()).map(|time| time.to_utc())
}

pub(super) async fn list(
    State(page): State<Arc<Page>>,
    viewer: Viewer,
    Query(filter): Query<Filter>,
) -> Result<Response, NoPage> {
    let frame = Frame::of(&page, &viewer).await?;
    let query = filter.query(page.installation.time_zone);
    let (total, batches) = (frame.store.count_batches(&query).await?, frame.store.list_batches(&query).await?);
    let spoilt: Vec<&str> =
        batches.iter().filter(|batch| batch.count("INVALID") > 0).map(|batch| batch.batch_id.as_str()).collect();
    let first_invalid = frame.store.first_invalid(&spoilt).await?;
    let first_invalid: BTreeMap<String, (u32, String)> =
        first_invalid.into_iter().map(|first| (first.batch_id, (first.line, first.message))).collect();
    let is_empty = total == 0 && filter.paging().is_blank();
    let working = uploads::working(&frame).await?;
    let content = html! {
        h1 { "Batches" @if total > 0 { " " span.total { (show::grouped(total)) } } }
        (working)
        @if !is_empty { (form(&page, &filter)) }
        section #batches aria-label="Batches" {
            @if is_empty {
                (nothing_yet(frame.bucket))
            } @else if batches.is_empty() {
                div.empty { p { "No batch is like that." } p { a href="/" { "Show all batches" } } }
            } @else {
                (table(&page, &batches, &first_invalid))
                (filter.paging().links(total))
            }
        }
    };
    Ok(frame.show(Here::Batches, "Batches", &content).into_response())
}

fn form(page: &Page, filter: &Filter) -> Markup {
    let campaigns = campaigns(&page.installation.campaigns, &filter.campaign);
    let fields = html! {
        (part_of_name(&filter.name))
        (choice("campaign", "Campaign", "all", &campaigns, &filter.campaign))
        (choice("status", "Status", "all", &STATUSES, &filter.status))
        div.field { label for="from" { "From" } input #from type="date" name="from" value=(filter.from); }
        div.field { label for="to" { "To" } input #to type="date" name="to" value=(filter.to); }
    };
    filter.paging().form("Filter batches", "Filter", "Show all", &fields)
}

fn table(page: &Page, batches: &[Batch], first_invalid: &BTreeMap<String, (u32, String)>) -> Markup {
    let zone = page.installation.time_zone;
    let rows = html! {
        @for batch in batches {
            tr role="row" id={ "batch-" (batch.batch_id) } {
                td.when role="cell" data-label="Received" { (show::time(batch.seen_at, zone)) }
                td.file role="cell" data-label="File" {
                    a.name href={ "/batches/" (batch.batch_id) } { (show::name(batch.upload_filename.as_deref().unwrap_or("no name"))) }
                    span.under { (show::name(&batch.campaign_name)) }
                }
                td.id role="cell" data-label="Batch" { (batch.batch_id) }
                td role="cell" data-label="Status" { (show::status(batch.status.as_str())) }
                td.rows role="cell" data-label="Rows" { (rows(batch, first_invalid.get(&batch.batch_id))) }
                td.number role="cell" data-label="Took" { (show::between(batch.claimed_at, batch.created_at)) }
            }
        }
    };
    let names = ["Received", "File", "Batch", "Status", "Rows"].into_iter().map(Column::Text);
    table::cards("cards", names.chain([Column::Number("Took")]), &rows)
}

/// How a batch's rows came out, and the first thing that is wrong.
fn rows(batch: &Batch, first_invalid: Option<&(u32, String)>) -> Markup {
    html! {
        @if let Some(message) = &batch.error_message {
            p.error { (message) }
        } @else {
            (show::bar(&batch.status_counts))
            p.tally { b { (show::counted(batch.rows_read, "row", "rows")) } " " (show::counts(&batch.status_counts)) }
            @if let Some((line, message)) = first_invalid {
                p.error { "Line " (show::grouped(u64::from(*line))) ": " (message) }
            }
        }
    }
}

/// What to do when there is nothing to see.
fn nothing_yet(bucket: &str) -> Markup {
    html! {
        div.empty {
            h2 { "No batch yet" }
            p { "Drop a CSV file here, and it is a batch in a moment:" }
            @if bucket.starts_with("s3://") {
                pre tabindex="0" { "aws s3 cp FILE.csv " (bucket.trim_end_matches('/')) "/" }
            } @else {
                pre tabindex="0" { "cp FILE.csv " (bucket) "/" }
            }
            p { "See first what would become of it, offline and without a trace:" }
            pre tabindex="0" { "batchdrop check FILE.csv" }
            p.muted { "A file needs a header line with a column " code { "reference_id" } " and a column " code { "target" } ", or one of their other names." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_time_zone() {
        let days = Filter { from: "2025-03-30".into(), to: "2025-03-30".into(), ..Filter::default() };
        let query = days.query(Tz::Europe__Berlin);
        assert_eq!(query.created_from.map(|at| at.to_rfc3339()).as_deref(), Some("2025-03-29T23:00:00+00:00"));
        assert_eq!(query.created_before.map(|at| at.to_rfc3339()).as_deref(), Some("2025-03-30T22:00:00+00:00"));
        // In Beirut, that day began at one o'clock.
        let from = days.query(Tz::Asia__Beirut).created_from;
        assert_eq!(from.map(|at| at.to_rfc3339()).as_deref(), Some("2025-03-29T22:00:00+00:00"));
        let nonsense =
            Filter { from: "yesterday".into(), to: "2025-02-30".into(), status: "ODD".into(), ..Filter::default() };
        assert_eq!(nonsense.query(Tz::UTC), BatchQuery { limit: PAGE, ..BatchQuery::default() });
    }
}
