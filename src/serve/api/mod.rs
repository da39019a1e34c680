//! The API of the published client library, as far as it is about batches, and what is ours beside it: uploads and
//! rejects.
//!
//! What each call takes and gives stands at its handler, and is told from there in `/openapi.json`. Words and shapes
//! are the library's; every batch and request has more fields, which it overlooks.

mod batches;
mod expected;
mod parameters;
mod rejects;
mod results;
mod steering;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use utoipa::OpenApi as _;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, SecurityRequirement};
use utoipa::openapi::{Ref, ResponseBuilder, content::ContentBuilder, path::Operation};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::problem::{ErrorDetail, HTTPValidationError, Problem};
use crate::store::Store;

/// What the handlers need.
struct Api {
    shared: Arc<Shared>,
    /// Who changes what is changed here.
    identity: String,
}

impl Api {
    fn store(&self) -> Result<&Store, Problem> {
        self.shared.store()
    }
}

/// One page of a list.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
struct ListResponse<T> {
    /// The items of the page.
    items: Vec<T>,
    /// Which page it is, from 0.
    page: u32,
    /// How many items a page has at most.
    page_size: u32,
    /// How many pages there are.
    total_pages: u64,
    /// How many items there are on all pages.
    total_count: u64,
}

impl<T> ListResponse<T> {
    fn new(items: Vec<T>, page: parameters::Page, total_count: u64) -> Self {
        let total_pages = total_count.div_ceil(page.size.into());
        ListResponse { items, page: page.number, page_size: page.size, total_pages, total_count }
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "batchdrop",
        description = "Batches that were made of dropped files, their requests, and the ledger of uploads."
    ),
    components(schemas(ErrorDetail, HTTPValidationError)),
    tags(
        (name = "outbound.batches", description = "Batches, as in the published client library"),
        (name = "outbound.uploads", description = "The ledger: every file that was ever seen"),
        (name = "outbound.expected-files", description = "When campaigns' files are due, and what became of each")
    )
)]
struct Description;

/// The calls, and what answers with their description.
pub(super) fn routes(shared: &Arc<Shared>, identity: &str) -> (Router, MethodRouter) {
    let api = Arc::new(Api { shared: shared.clone(), identity: identity.to_owned() });
    let (routes, mut description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(batches::list))
        .routes(routes!(batches::get_by_id, steering::update, steering::delete))
        .routes(routes!(results::results))
        .routes(routes!(rejects::rejects))
        .routes(routes!(uploads::list))
        .routes(routes!(expected::list))
        .split_for_parts();
    complete(&mut description);
    let text: Arc<str> = description.to_json().unwrap_or_default().into();
    (routes.with_state(api), get(async move || described(&text)))
}

fn described(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_owned()).into_response()
}

/// What is the same for every call: which tokens it wants, and the answers of what stands before it.
fn complete(description: &mut OpenApi) {
    let mut security = vec![];
    if let Some(components) = &mut description.components {
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("Syllable-API-Key")));
        let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        for (name, scheme) in [("APIKeyHeader", key), ("Bearer", bearer)] {
            components.add_security_scheme(name, scheme);
            security.push(SecurityRequirement::new(name, [] as [&str; 0]));
        }
    }
    for path in description.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            operation.security = Some(security.clone());
            add_common_answers(operation);
        }
    }
}

fn add_common_answers(operation: &mut Operation) {
    for (status, told) in [
        ("401", "No token, or a wrong one"),
        ("403", "This token may not do that; or a page of another site asks"),
        ("429", "Too many requests or downloads; Retry-After tells when to ask again"),
        ("500", "Trouble of ours; the log tells which"),
        ("503", "The store is away; try again"),
    ] {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorDetail"))).build();
        let answer = ResponseBuilder::new().description(told).content("application/json", body).build();
        operation.responses.responses.insert(status.to_owned(), RefOr::T(answer));
    }
}
