//! What of a batch was not loaded, as a CSV for mending.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::Api;
use super::parameters::BatchId;
use crate::serve::downloads;
use crate::serve::problem::{ErrorDetail, Problem};

/// Download the rejects of a batch
///
/// Each row that was not PENDING at intake with the reason and its columns as sent; a header alone where every row was
/// loaded. Mended and dropped again, it is a new upload.
#[utoipa::path(
    get,
    path = "/api/v1/outbound/batches/{batch_id}/rejects",
    operation_id = "outbound_batch_rejects",
    tag = "outbound.batches",
    params(("batch_id" = String, Path, description = "Such as 20250401.2")),
    responses(
        (status = 200, description = "The rows", body = String, content_type = "text/csv"),
        (status = 404, description = "There is no such batch", body = ErrorDetail),
        (status = 409, description = "The batch FAILED as a whole, and none of its rows is kept", body = ErrorDetail),
        (status = 410, description = "The batch's requests were purged", body = ErrorDetail)
    )
)]
pub(super) async fn rejects(State(api): State<Arc<Api>>, BatchId(id): BatchId) -> Result<Response, Problem> {
    downloads::rejects(&api.shared, &id).await
}
