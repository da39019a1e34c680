//! Changing a batch: hold and resume, when it expires, and calling it off.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FormRejection};
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use chrono::{DateTime, Utc};

use super::Api;
use super::parameters::{BatchId, Edge, instant};
use crate::model::{Action, Batch, Steering};
use crate::serve::problem::{ErrorDetail, HTTPValidationError, Problem, ValidationError, steered};

/// What of a batch is to be changed; what is left out stays as it is.
#[derive(Debug, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct CommunicationBatchUpdate {
    /// On hold: nobody is contacted. Null changes nothing.
    paused: Option<bool>,
    /// When the batch expires; null for never.
    #[schema(value_type = Option<DateTime<Utc>>)]
    #[serde(default)]
    expires_on: Change,
}

/// What is said of `expires_on`.
#[derive(Debug, Default)]
enum Change {
    #[default]
    None,
    To(Option<DateTime<Utc>>),
}

impl<'de> serde::Deserialize<'de> for Change {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Change, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let time = text.map(|text| instant("expires_on", &text, Edge::Begin)).transpose();
        time.map(Change::To).map_err(|error| serde::de::Error::custom(error.msg))
    }
}

/// Why a batch is called off.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes the form")]
struct BatchDelete {
    /// For those who look later; it must not be blank.
    #[schema(min_length = 1, max_length = 1000)]
    delete_reason: String,
}

/// Update a batch
///
/// Hold or resume it, or set when it expires. Where both are asked for, `paused` comes first, each by itself.
#[utoipa::path(
    put,
    path = "/api/v1/outbound/batches/{batch_id}",
    operation_id = "outbound_batch_update",
    tag = "outbound.batches",
    params(("batch_id" = String, Path, description = "Such as 20250401.2")),
    request_body = CommunicationBatchUpdate,
    responses(
        (status = 200, description = "The batch as it is now", body = Batch),
        (status = 400, description = "The body broke off", body = ErrorDetail),
        (status = 404, description = "There is no such batch", body = ErrorDetail),
        (status = 409, description = "The batch is FAILED, CANCELED or EXPIRED, for good", body = ErrorDetail),
        (status = 413, description = "The body is too large", body = ErrorDetail),
        (status = 415, description = "The body is no application/json", body = ErrorDetail),
        (status = 422, description = "The body cannot be understood", body = HTTPValidationError)
    )
)]
pub(super) async fn update(
    State(api): State<Arc<Api>>,
    BatchId(id): BatchId,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Batch>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the body as application/json"));
    }
    let body = body.map_err(|rejection| unreadable(rejection.status()))?;
    // What serde says may quote the body.
    let told =
        "it must be an object with paused (true or false), expires_on (a time or null), or both, and nothing else";
    let update: CommunicationBatchUpdate = match serde_json::from_slice(&body) {
        Ok(update) if body.trim_ascii_start().starts_with(b"{") => update,
        _ => return Err(ValidationError::new("body", "", told).into()),
    };
    let mut batch = None;
    if let Some(paused) = update.paused {
        batch = Some(steer(&api, &id, if paused { Action::Hold } else { Action::Resume }, None).await?);
    }
    if let Change::To(time) = update.expires_on {
        batch = Some(steer(&api, &id, Action::Expire(time), None).await?);
    }
    match batch {
        Some(batch) => Ok(Json(batch)),
        None => api.store()?.batch(&id).await?.map(Json).ok_or_else(Problem::no_such_batch),
    }
}

/// Delete a batch
///
/// It is called off for good, and stays to be seen as CANCELED, with the reason.
#[utoipa::path(
    delete,
    path = "/api/v1/outbound/batches/{batch_id}",
    operation_id = "outbound_batch_delete",
    tag = "outbound.batches",
    params(("batch_id" = String, Path, description = "Such as 20250401.2")),
    request_body(content = BatchDelete, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The batch as it is now", body = Batch),
        (status = 400, description = "The body broke off", body = ErrorDetail),
        (status = 404, description = "There is no such batch", body = ErrorDetail),
        (status = 409, description = "The batch is FAILED or EXPIRED, for good", body = ErrorDetail),
        (status = 413, description = "The body is too large", body = ErrorDetail),
        (status = 415, description = "The body is no form", body = ErrorDetail),
        (status = 422, description = "There is no reason, or it cannot be used", body = HTTPValidationError)
    )
)]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    BatchId(id): BatchId,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Result<Json<Batch>, Problem> {
    let Form(fields) = form.map_err(|rejection| unreadable(rejection.status()))?;
    let reason = match &fields[..] {
        [(name, reason)] if name == "delete_reason" => reason.clone(),
        _ => return Err(ValidationError::new("body", "delete_reason", "a reason is required, and nothing else").into()),
    };
    steer(&api, &id, Action::Cancel, Some(reason)).await.map(Json)
}

fn unreadable(status: StatusCode) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(status, "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(status, "send the body as application/x-www-form-urlencoded")
        }
        StatusCode::UNPROCESSABLE_ENTITY => ValidationError::new("body", "", "it cannot be read").into(),
        _ => Problem::new(StatusCode::BAD_REQUEST, "the body cannot be read"),
    }
}

async fn steer(api: &Api, batch_id: &str, action: Action, reason: Option<String>) -> Result<Batch, Problem> {
    let steering = Steering { action, by: api.identity.clone(), reason };
    let field = if action == Action::Cancel { "delete_reason" } else { "expires_on" };
    steered(api.store()?.steer(batch_id, &steering).await?, field)
}
