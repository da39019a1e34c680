//! Whether the worker lives, whether it is ready, and its metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::model::{self, ExpectedStatus};
use crate::telemetry::{ExpectedNow, Ledger, metrics};

/// A sign of life that is older than this means that the worker is stuck.
pub(super) const STUCK: Duration = Duration::from_secs(30);
/// How long the store may take to answer a probe or a scrape.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn healthz() -> Response {
    match metrics().since_heartbeat() {
        Some(silent) if silent > STUCK => {
            let text = format!("no sign of life of the worker for {} s\n", silent.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        _ => "ok\n".into_response(),
    }
}

pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let is_open = shared.opened.get().is_some();
    let missing = match (metrics().bucket_is_reachable(), shared.ledger().await.is_some()) {
        _ if !is_open => "the bucket and the store are not both open yet; the log tells which is waited for\n",
        (false, _) => "the bucket was not listed the last time, or not yet; the log tells why\n",
        (true, false) => "the store does not answer; the log tells why\n",
        (true, true) => return "ready\n".into_response(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, missing).into_response()
}

pub(super) async fn scrape(State(shared): State<Arc<Shared>>) -> Response {
    metrics().ledger(shared.ledger().await);
    if let Some(all) = shared.expected().await {
        let told = all.iter().map(|one| ExpectedNow {
            campaign: &one.campaign_name,
            status: one.status.map(ExpectedStatus::as_str),
            next_due: one.next_due_at.map(|at| at.timestamp_millis() as f64 / 1000.0),
        });
        metrics().expected(&told.collect::<Vec<_>>());
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics().text()).into_response()
}

impl Shared {
    /// Where expected files stand now; `None` where the store is not open, or does not answer in time.
    async fn expected(&self) -> Option<Vec<model::ExpectedNow>> {
        let (store, bucket) = self.opened.get()?;
        tokio::time::timeout(PATIENCE, store.expected_now(bucket)).await.ok()?.ok()
    }

    /// What the ledger counts now; `None` where the store is not open, or does not answer in time.
    async fn ledger(&self) -> Option<Ledger> {
        let (store, bucket) = self.opened.get()?;
        let backlog = tokio::time::timeout(PATIENCE, store.backlog(bucket)).await.ok()?.ok()?;
        Some(Ledger {
            waiting: backlog.waiting,
            held: backlog.held,
            claimed: backlog.claimed,
            answers_due: backlog.answers_due,
            messages_due: backlog.messages_due,
            oldest_waiting_seconds: backlog.oldest_waiting_seconds,
        })
    }
}
