//! What is sent as a stream: how much of it at a time, and what of a batch was not loaded, for programs and for people.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::problem::Problem;
use crate::telemetry;
use crate::worker::rejects_file;

/// Results and rejects that are being sent at a time: each has a page of rows in memory.
const AT_A_TIME: usize = 16;

/// The places for those that are being sent.
pub(super) struct Downloads(Arc<Semaphore>);

impl Default for Downloads {
    fn default() -> Self {
        Downloads(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Downloads {
    /// A place, to be held until the last byte is sent.
    pub(super) fn begin(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let too_many = |_| Problem::too_many("too many downloads at a time; try again when one has ended", 5);
        self.0.clone().try_acquire_owned().map_err(too_many)
    }
}

/// The rows of a batch that were not loaded, as a CSV for mending: the same file that was written beside the upload.
pub(super) async fn rejects(shared: &Shared, batch_id: &str) -> Result<Response, Problem> {
    let (store, place) = (shared.store()?, shared.downloads.begin()?);
    let batch = store.batch(batch_id).await?.ok_or_else(Problem::no_such_batch)?;
    if batch.error_message.is_some() {
        let why = "the batch FAILED as a whole, and none of its rows is kept; its error_message tells why";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    if let Some(at) = batch.purged_at {
        let why = format!("the requests of the batch were purged at {}", at.format("%F %T UTC"));
        return Err(Problem::new(StatusCode::GONE, why));
    }
    let columns = store.sent_columns(batch_id).await?.ok_or_else(Problem::no_such_batch)?;
    let mut pieces = rejects_file(store, batch_id, &columns);
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
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.rejects.csv\"", batch.batch_id)),
    ];
    Ok((headers, Body::from_stream(stream::once(async { Ok(first) }).chain(rest))).into_response())
}
