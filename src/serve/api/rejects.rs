//! What of a batch was not loaded, as a CSV for mending: the same file that was written beside the upload.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};

use super::Api;
use super::parameters::{BatchId, no_such_batch};
use crate::serve::problem::{ErrorDetail, Problem};
use crate::telemetry;
use crate::worker::rejects_file;

/// Download the rejects of a batch
///
/// Each row that was not PENDING at intake with the reason and its columns as sent; a header alone where every row was loaded.
/// Mended and dropped again, it is a new upload.
#[utoipa::path(
    get,
    path = "/api/v1/outbound/batches/{batch_id}/rejects",
    operation_id = "outbound_batch_rejects",
    tag = "outbound.batches",
    params(("batch_id" = String, Path, description = "Such as 20250401.2")),
    responses(
        (status = 200, description = "The rows", body = String, content_type = "text/csv"),
        (status = 404, description = "There is no such batch", body = ErrorDetail),
        (status = 409, description = "The batch FAILED as a whole, and none of its rows is kept", body = ErrorDetail)
    )
)]
pub(super) async fn rejects(State(api): State<Arc<Api>>, BatchId(id): BatchId) -> Result<Response, Problem> {
    let (store, place) = (api.store()?, api.download()?);
    let batch = store.batch(&id).await?.ok_or_else(no_such_batch)?;
    if batch.error_message.is_some() {
        let why = "the batch FAILED as a whole, and none of its rows is kept; its error_message tells why";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    let columns = store.sent_columns(&id).await?.ok_or_else(no_such_batch)?;
    let mut pieces = rejects_file(store, &id, &columns);
    // Before the status is sent, so that a store that is away is told by it.
    let first = pieces.next().await.unwrap_or(Ok(Bytes::new()))?;
    let rest = pieces.inspect(move |piece| {
        let _held = &place; // until the last byte is sent
        if let Err(error) = piece {
            tracing::error!(error = telemetry::chain(error), "the rejects of a batch broke off");
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.rejects.csv\"")),
    ];
    Ok((headers, Body::from_stream(stream::once(async { Ok(first) }).chain(rest))).into_response())
}
