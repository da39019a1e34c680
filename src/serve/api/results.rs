//! The requests of a batch, as the client library calls them: results. They are sent as they are read, so that a
//! million of them take no more memory than a page.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;

use super::Api;
use super::parameters::{Asked, BatchId};
use crate::model::{BatchStatus, Request, RequestQuery};
use crate::serve::problem::{ErrorDetail, HTTPValidationError, Problem};
use crate::store::{Error, ErrorKind, Store};
use crate::telemetry;

/// Rows of the first page; what they take decides about the next.
const FIRST_PAGE: u32 = 100;
/// No more: where few rows are found, what they take tells little of the others.
const LARGEST_PAGE: u32 = 1_000;
/// What a page may take in memory, as near as the one before it tells.
const PAGE_BYTES: usize = 1 << 20;

/// One request, with all fields of the client library. Those that only a dialler knows are null.
#[derive(serde::Serialize, utoipa::ToSchema)]
struct CommunicationRequestResult {
    /// The sender's id, unique in the batch among rows that are not DUPLICATE, INVALID or SKIPPED.
    reference_id: String,
    /// Whom to contact: an E.164 number or an e-mail address; for an INVALID row, what the file said.
    target: String,
    /// Every other column under its header; all values are texts.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    request_variables: serde_json::Value,
    channel_manager_sid: Option<String>,
    /// When it was published.
    created_at: DateTime<Utc>,
    /// When it was sent, as its sender says.
    sent_at: Option<DateTime<Utc>>,
    /// How often it was tried, as its sender says.
    attempt_count: u32,
    session_id: Option<i64>,
    conversation_id: Option<i64>,
    /// PENDING, DUPLICATE, INVALID or SKIPPED at intake; then what its sender says.
    request_status: String,
    channel_manager_status: Option<String>,
    insights_status: Option<String>,
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    insights: Option<()>,
    line_type: Option<String>,
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    enrichment: Option<()>,
    /// Its place among the file's data rows, from 1.
    row_number: u32,
    /// The line on which the row starts.
    line: u32,
    /// Why it was not PENDING at intake.
    error_code: Option<String>,
    /// The same for a person.
    error_message: Option<String>,
    /// The batch of the row that holds its key.
    duplicate_of_batch_id: Option<String>,
    /// The row that holds its key.
    duplicate_of_row: Option<u32>,
    /// The extension behind the phone number.
    target_extension: Option<String>,
}

impl From<Request> for CommunicationRequestResult {
    fn from(request: Request) -> Self {
        CommunicationRequestResult {
            reference_id: request.reference_id,
            target: request.target,
            request_variables: request.request_variables,
            channel_manager_sid: None,
            created_at: request.created_at,
            sent_at: request.sent_at,
            attempt_count: request.attempt_count,
            session_id: None,
            conversation_id: None,
            request_status: request.request_status,
            channel_manager_status: None,
            insights_status: None,
            insights: None,
            line_type: None,
            enrichment: None,
            row_number: request.row_number,
            line: request.line,
            error_code: request.error_code,
            error_message: request.error_message,
            duplicate_of_batch_id: request.duplicate_of_batch_id,
            duplicate_of_row: request.duplicate_of_row,
            target_extension: request.target_extension,
        }
    }
}

/// Fetch the results of a batch
///
/// All its requests in the order of the file, or those with this `reference_id`, this status, or both. A connection
/// that breaks off before the closing bracket means trouble of ours in between: what came is not all.
#[utoipa::path(
    get,
    path = "/api/v1/outbound/batches/{batch_id}/results",
    operation_id = "outbound_batch_results",
    tag = "outbound.batches",
    params(
        ("batch_id" = String, Path, description = "Such as 20250401.2"),
        ("reference_id" = inline(Option<String>), Query, description = "Exactly this one"),
        ("status" = inline(Option<String>), Query, description = "With this request_status"),
        ("insights_status" = inline(Option<String>), Query, description = "No request has one: nothing is found")
    ),
    responses(
        (status = 200, description = "The requests", body = Vec<CommunicationRequestResult>),
        (status = 404, description = "There is no such batch", body = ErrorDetail),
        (status = 422, description = "A parameter that cannot be understood", body = HTTPValidationError)
    )
)]
pub(super) async fn results(
    State(api): State<Arc<Api>>,
    BatchId(batch_id): BatchId,
    asked: Asked,
) -> Result<Response, Problem> {
    let query = RequestQuery {
        reference_id: asked.one("reference_id")?.map(str::to_owned),
        status: asked.one("status")?.map(str::to_owned),
    };
    let has_none = asked.one("insights_status")?.is_some();
    let (store, place) = (api.store()?.clone(), api.shared.downloads.begin()?);
    let batch = store.batch(&batch_id).await?.ok_or_else(Problem::no_such_batch)?;
    let rows = if has_none || batch.status == BatchStatus::Failed { 0 } else { batch.rows_read };
    let mut pages =
        Pages { store, batch_id, query, rows, after: 0, limit: FIRST_PAGE, is_first: true, has_items: false };
    // Before the status is sent, so that a store that is away is told by it.
    let first = pages.next().await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(sent(first, pages, place))).into_response())
}

/// Page after page, while the client takes them.
fn sent(first: Bytes, pages: Pages, place: OwnedSemaphorePermit) -> impl Stream<Item = Result<Bytes, Error>> {
    let more = stream::unfold((Some(pages), place), async |(pages, place)| {
        let mut pages = pages.filter(|pages| !pages.is_over())?;
        match pages.next().await {
            Ok(text) => Some((Ok(text), (Some(pages), place))),
            Err(error) => {
                tracing::error!(error = telemetry::chain(&error), "the results of a batch broke off");
                Some((Err(error), (None, place)))
            }
        }
    });
    stream::once(async { Ok(first) }).chain(more)
}

fn not_json(error: serde_json::Error) -> Error {
    Error { kind: ErrorKind::Permanent, what: format!("a request cannot be written as JSON: {error}"), source: None }
}

/// Where the reading of a batch's requests is. Each page takes the same number of rows, found or not, by their key.
struct Pages {
    store: Store,
    batch_id: String,
    query: RequestQuery,
    /// How many rows there are.
    rows: u64,
    /// How many of them were read.
    after: u32,
    limit: u32,
    is_first: bool,
    /// Whether the list has begun to have items, which the next is parted from.
    has_items: bool,
}

impl Pages {
    fn is_over(&self) -> bool {
        !self.is_first && u64::from(self.after) >= self.rows
    }

    /// The text of the next page; that of the last closes the list.
    async fn next(&mut self) -> Result<Bytes, Error> {
        let mut text = Vec::from(if self.is_first { "[" } else { "" });
        if u64::from(self.after) < self.rows {
            let page = self.store.results(&self.batch_id, &self.query, self.after, self.limit).await?;
            let found = page.len();
            for request in page {
                if std::mem::replace(&mut self.has_items, true) {
                    text.push(b',');
                }
                serde_json::to_writer(&mut text, &CommunicationRequestResult::from(request)).map_err(not_json)?;
            }
            self.after = self.after.saturating_add(self.limit);
            let rows_that_fit = PAGE_BYTES / (text.len() / found.max(1) + 1);
            self.limit = (rows_that_fit as u32).clamp(1, LARGEST_PAGE);
        }
        self.is_first = false;
        if self.is_over() {
            text.push(b']');
        }
        Ok(text.into())
    }
}
