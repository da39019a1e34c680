//! Expected files: the next of each campaign, and what became of those before.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::alarms::Alarm;
use super::layout::{Frame, Here};
use super::paging::{PAGE, Paging, campaigns, choice};
use super::table::{self, Column};
use super::viewer::Viewer;
use super::{NoPage, Page, show};
use crate::model::{ExpectedFile, ExpectedNow, ExpectedQuery, ExpectedStatus};

/// What is looked for, as the form sends it: what is left blank does not count, and neither does what makes no sense.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    campaign: String,
    status: String,
    page: String,
}

impl Filter {
    fn paging(&self) -> Paging<'_> {
        Paging {
            path: "/expected",
            fields: vec![("campaign", &self.campaign), ("status", &self.status)],
            page: &self.page,
        }
    }

    fn query(&self, bucket: &str) -> ExpectedQuery {
        ExpectedQuery {
            status: ExpectedStatus::parse(&self.status),
            campaign_name: (!self.campaign.is_empty()).then(|| self.campaign.clone()),
            bucket: Some(bucket.to_owned()),
            offset: self.paging().offset(),
            limit: PAGE,
        }
    }
}

/// Whether somebody should look after it.
pub(super) fn is_wanting(now: &ExpectedNow) -> bool {
    matches!(now.status, Some(ExpectedStatus::Late | ExpectedStatus::Missing | ExpectedStatus::Failed))
}

/// Tells on every page whose file is missing.
pub(super) fn alarm(all: &[ExpectedNow]) -> Option<Alarm> {
    let missing = all.iter().filter(|now| now.status == Some(ExpectedStatus::Missing));
    let names: Vec<&str> = missing.map(|now| now.campaign_name.as_str()).collect();
    let what = if names.len() > 1 { "Files are missing." } else { "A file is missing." };
    let why = format!(
        "Of {}: it was due, and did not come. Ask its sender; Expected tells since when. This stands until it comes, or the \
         next is waited for.",
        names.join(", ")
    );
    (!names.is_empty()).then(|| Alarm::new(what, why))
}

pub(super) async fn list(
    State(page): State<Arc<Page>>,
    viewer: Viewer,
    Query(filter): Query<Filter>,
) -> Result<Response, NoPage> {
    let frame = Frame::of(&page, &viewer).await?;
    let asked = filter.query(frame.bucket);
    let (total, files) = (frame.store.count_expected(&asked).await?, frame.store.list_expected(&asked).await?);
    let is_all = filter.paging().is_blank();
    let content = html! {
        h1 { "Expected files" @if total > 0 { " " span.total { (show::grouped(total)) } } }
        @if total > 0 || !is_all { (form(&page, &filter)) }
        section aria-label="Due times" {
            @if files.is_empty() && (total > 0 || !is_all) {
                div.empty.small { p { "No due time is like that." } }
            } @else if files.is_empty() {
                div.empty {
                    p { "No file is expected." }
                    p.small {
                        "A campaign says when its files are due, in its section of the configuration: "
                        code { "due = \"weekdays 09:00\"" }
                    }
                }
            } @else {
                (table(&page, &files))
                (filter.paging().links(total))
            }
        }
    };
    Ok(frame.show(Here::Expected, "Expected files", &content).into_response())
}

fn form(page: &Page, filter: &Filter) -> Markup {
    let campaigns = campaigns(&page.installation.campaigns, &filter.campaign);
    let fields = html! {
        (choice("campaign", "Campaign", "all", &campaigns, &filter.campaign))
        (choice("status", "Status", "all", &ExpectedStatus::ALL.map(ExpectedStatus::as_str), &filter.status))
    };
    filter.paging().form("Filter due times", "Filter", "Show all", &fields)
}

fn table(page: &Page, files: &[ExpectedFile]) -> Markup {
    let zone = page.installation.time_zone;
    let rows = html! {
        @for file in files {
            tr role="row" id={ "expected-" (file.campaign_id) "-" (file.due_at.timestamp()) } {
                td.when role="cell" data-label="Due" { (show::time(file.due_at, zone)) }
                td.file role="cell" data-label="Campaign" { (show::name(&file.campaign_name)) }
                td role="cell" data-label="Status" { (show::status(file.status.as_str())) }
                td.reason role="cell" data-label="What came" { (what_came(page, file)) }
            }
        }
    };
    table::cards("cards", ["Due", "Campaign", "Status", "What came"].map(Column::Text), &rows)
}

/// What came, when, by how much too late, and what is wrong with it; or what is to be known while nothing has come.
fn what_came(page: &Page, file: &ExpectedFile) -> Markup {
    let zone = page.installation.time_zone;
    html! {
        @match (file.status, &file.batch_id) {
            (ExpectedStatus::Expected, _) if file.due_at < chrono::Utc::now() => {
                "not judged yet"
                span.under { "a file for it waits or is being written, or the bucket was not listed since" }
            }
            (ExpectedStatus::Expected, _) => span.muted { "counts from " (show::time(file.opens_at, zone)) },
            (ExpectedStatus::Late, _) => {
                "nothing yet" span.under { "missing from " (show::time(file.missing_from, zone)) }
            }
            (_, Some(batch_id)) => {
                a href={ "/batches/" (batch_id) } { (show::name(file.key.as_deref().unwrap_or(batch_id))) }
            }
            _ => "nothing",
        }
        @if let Some(why) = &file.error_message { p.error { (why) } }
        @if let Some(at) = file.arrived_at {
            span.under {
                "came " (show::time(at, zone))
                @if let Some(late) = file.late_by() { ", " (show::duration(late.to_std().unwrap_or_default())) " late" }
            }
        }
        @if let Some(at) = file.missing_at { span.under { "found missing " (show::time(at, zone)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_misses_a_file_is_told_on_every_page() {
        let now = |name: &str, status| ExpectedNow { campaign_name: name.to_owned(), status, next_due_at: None };
        let all = [
            now("a", Some(ExpectedStatus::Missing)),
            now("b", Some(ExpectedStatus::Late)),
            now("c", Some(ExpectedStatus::Missing)),
            now("d", None),
        ];
        let told = alarm(&all).expect("an alarm").show().into_string();
        assert!(told.contains("Files are missing.") && told.contains("Of a, c: it was due"), "{told}");
        assert!(alarm(&all[1..2]).is_none() && is_wanting(&all[1]) && !is_wanting(&all[3]));
    }
}
