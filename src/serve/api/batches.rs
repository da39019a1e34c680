//! Batches: the list, and one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::parameters::{Asked, BatchId, Edge, instant, one_of, wrong};
use super::{Api, ListResponse};
use crate::model::{Batch, BatchOrder, BatchQuery, BatchStatus, Direction};
use crate::serve::problem::{ErrorDetail, HTTPValidationError, Problem, ValidationError};

/// What batches can be searched by.
#[derive(Debug, Clone, Copy, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
enum SearchField {
    BatchId,
    CampaignId,
    Status,
    ExpiresOn,
    LastUpdatedAt,
    CampaignName,
    UploadFilename,
    LastUpdatedBy,
}

const SEARCH_FIELDS: [(&str, SearchField); 8] = [
    ("batch_id", SearchField::BatchId),
    ("campaign_id", SearchField::CampaignId),
    ("status", SearchField::Status),
    ("expires_on", SearchField::ExpiresOn),
    ("last_updated_at", SearchField::LastUpdatedAt),
    ("campaign_name", SearchField::CampaignName),
    ("upload_filename", SearchField::UploadFilename),
    ("last_updated_by", SearchField::LastUpdatedBy),
];

/// The words of an order.
const ORDERS: [(&str, BatchOrder); 9] = [
    ("batch_id", BatchOrder::BatchId),
    ("campaign_id", BatchOrder::CampaignId),
    ("status", BatchOrder::Status),
    ("expires_on", BatchOrder::ExpiresOn),
    ("last_updated_at", BatchOrder::LastUpdatedAt),
    ("campaign_name", BatchOrder::CampaignName),
    ("upload_filename", BatchOrder::Filename),
    ("created_at", BatchOrder::CreatedAt),
    ("rows_read", BatchOrder::RowsRead),
];

const DIRECTIONS: [(&str, Direction); 2] = [("asc", Direction::Ascending), ("desc", Direction::Descending)];

/// List batches
///
/// The newest first, unless `order_by` says otherwise; with `order_by` alone, the least first. `search_fields` and
/// `search_field_values` belong together by their place, and a batch is listed when all of them hold: `upload_filename`
/// is a part of the name in any case, the others are compared whole.
#[utoipa::path(
    get,
    path = "/api/v1/outbound/batches",
    operation_id = "outbound_batch_list",
    tag = "outbound.batches",
    params(
        ("page" = inline(Option<u32>), Query, description = "Which page, from 0"),
        ("limit" = inline(Option<u32>), Query, description = "Batches on a page; 25 unless told", minimum = 1, maximum = 1000),
        ("search_fields" = inline(Option<Vec<SearchField>>), Query, description = "Fields that are searched"),
        ("search_field_values" = inline(Option<Vec<String>>), Query, description = "What is searched in each of them"),
        ("order_by" = inline(Option<BatchOrder>), Query, description = "The field by which they are ordered"),
        ("order_by_direction" = inline(Option<Direction>), Query, description = "Which end comes first"),
        ("start_datetime" = inline(Option<String>), Query, description = "Created then or later: a time, or a day"),
        ("end_datetime" = inline(Option<String>), Query, description = "Created before that time, or until the end of that day")
    ),
    responses(
        (status = 200, description = "A page of batches", body = ListResponse<Batch>),
        (status = 422, description = "A parameter that cannot be understood", body = HTTPValidationError)
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, asked: Asked) -> Result<Json<ListResponse<Batch>>, Problem> {
    let page = asked.page()?;
    let order = asked.word("order_by", &ORDERS)?;
    let direction = asked.word("order_by_direction", &DIRECTIONS)?;
    let mut query = BatchQuery {
        created_from: asked.instant("start_datetime", Edge::Begin)?,
        created_before: asked.instant("end_datetime", Edge::End)?,
        order: order.unwrap_or(BatchOrder::BatchId),
        direction: direction.unwrap_or(if order.is_some() { Direction::Ascending } else { Direction::Descending }),
        offset: page.offset(),
        limit: page.size,
        ..Default::default()
    };
    let (fields, values) = (asked.all("search_fields"), asked.all("search_field_values"));
    if fields.len() != values.len() {
        return Err(wrong("search_field_values", "there must be as many values as search_fields").into());
    }
    for (at, (field, value)) in fields.iter().zip(&values).enumerate() {
        if fields[..at].contains(field) {
            return Err(wrong("search_fields", "each field may be searched once").into());
        }
        search(&mut query, one_of("search_fields", field, &SEARCH_FIELDS)?, value)?;
    }
    let store = api.store()?;
    let (total, batches) = (store.count_batches(&query).await?, store.list_batches(&query).await?);
    Ok(Json(ListResponse::new(batches, page, total)))
}

fn search(query: &mut BatchQuery, field: SearchField, value: &str) -> Result<(), ValidationError> {
    let name = "search_field_values";
    let text = || Some(value.to_owned());
    match field {
        SearchField::BatchId => query.batch_id = text(),
        SearchField::CampaignName => query.campaign_name = text(),
        SearchField::UploadFilename => query.filename = text(),
        SearchField::LastUpdatedBy => query.last_updated_by = text(),
        SearchField::CampaignId => {
            let number = value.parse().map_err(|_| wrong(name, "a campaign_id is a whole number"))?;
            query.campaign_id = Some(number);
        }
        SearchField::Status => {
            let words = BatchStatus::ALL.map(|status| (status.as_str(), status));
            query.status = Some(one_of(name, value, &words)?);
        }
        SearchField::ExpiresOn => query.expires_on = Some(instant(name, value, Edge::Begin)?),
        SearchField::LastUpdatedAt => query.last_updated_at = Some(instant(name, value, Edge::Begin)?),
    }
    Ok(())
}

/// Get a batch
#[utoipa::path(
    get,
    path = "/api/v1/outbound/batches/{batch_id}",
    operation_id = "outbound_batch_get_by_id",
    tag = "outbound.batches",
    params(("batch_id" = String, Path, description = "Such as 20250401.2")),
    responses(
        (status = 200, description = "The batch", body = Batch),
        (status = 404, description = "There is no such batch", body = ErrorDetail)
    )
)]
pub(super) async fn get_by_id(State(api): State<Arc<Api>>, BatchId(id): BatchId) -> Result<Json<Batch>, Problem> {
    api.store()?.batch(&id).await?.map(Json).ok_or_else(Problem::no_such_batch)
}
