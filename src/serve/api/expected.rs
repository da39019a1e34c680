//! Expected files: when campaigns' files are due, and what became of each.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::parameters::Asked;
use super::{Api, ListResponse};
use crate::model::{ExpectedFile, ExpectedQuery, ExpectedStatus};
use crate::serve::problem::{HTTPValidationError, Problem};

/// List expected files
///
/// One for each time at which a campaign's file is due, the last first: the next one of each campaign, and what became
/// of those before.
#[utoipa::path(
    get,
    path = "/api/v1/outbound/expected-files",
    operation_id = "outbound_expected_file_list",
    tag = "outbound.expected-files",
    params(
        ("page" = inline(Option<u32>), Query, description = "Which page, from 0"),
        ("limit" = inline(Option<u32>), Query, description = "Files on a page; 25 unless told", minimum = 1, maximum = 1000),
        ("status" = inline(Option<ExpectedStatus>), Query, description = "Where it stands"),
        ("campaign_name" = inline(Option<String>), Query, description = "The name of the campaign")
    ),
    responses(
        (status = 200, description = "A page of expected files", body = ListResponse<ExpectedFile>),
        (status = 422, description = "A parameter that cannot be understood", body = HTTPValidationError)
    )
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    asked: Asked,
) -> Result<Json<ListResponse<ExpectedFile>>, Problem> {
    let page = asked.page()?;
    let words = ExpectedStatus::ALL.map(|status| (status.as_str(), status));
    let query = ExpectedQuery {
        status: asked.word("status", &words)?,
        campaign_name: asked.one("campaign_name")?.map(str::to_owned),
        bucket: None,
        offset: page.offset(),
        limit: page.size,
    };
    let store = api.store()?;
    let (total, files) = (store.count_expected(&query).await?, store.list_expected(&query).await?);
    Ok(Json(ListResponse::new(files, page, total)))
}
