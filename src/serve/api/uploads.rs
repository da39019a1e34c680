//! The ledger: every file that was ever seen, and what became of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::parameters::Asked;
use super::{Api, ListResponse};
use crate::model::{Upload, UploadQuery, UploadStatus};
use crate::serve::problem::{HTTPValidationError, Problem};

/// List uploads
///
/// The newest first. Files that became no batch are here, with the reason.
#[utoipa::path(
    get,
    path = "/api/v1/outbound/uploads",
    operation_id = "outbound_upload_list",
    tag = "outbound.uploads",
    params(
        ("page" = inline(Option<u32>), Query, description = "Which page, from 0"),
        ("limit" = inline(Option<u32>), Query, description = "Uploads on a page; 25 unless told", minimum = 1, maximum = 1000),
        ("status" = inline(Option<UploadStatus>), Query, description = "Where it is on its way"),
        ("key" = inline(Option<String>), Query, description = "A part of the object's key, in any case")
    ),
    responses(
        (status = 200, description = "A page of uploads", body = ListResponse<Upload>),
        (status = 422, description = "A parameter that cannot be understood", body = HTTPValidationError)
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, asked: Asked) -> Result<Json<ListResponse<Upload>>, Problem> {
    let page = asked.page()?;
    let words = UploadStatus::ALL.map(|status| (status.as_str(), status));
    let query = UploadQuery {
        status: asked.word("status", &words)?,
        key: asked.one("key")?.map(str::to_owned),
        offset: page.offset(),
        limit: page.size,
    };
    let store = api.store()?;
    let (total, uploads) = (store.count_uploads(&query).await?, store.list_uploads(&query).await?);
    Ok(Json(ListResponse::new(uploads, page, total)))
}
