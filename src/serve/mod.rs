//! What a worker tells over HTTP: whether it lives, whether it is ready, and its metrics. It only reads.
//!
//! | path | answers | for |
//! |---|---|---|
//! | `/healthz` | 200 while the worker gives signs of life, else 503 | restarting it |
//! | `/readyz` | 200 when it has its bucket and its store, else 503 and what is missing | sending it traffic, alarms |
//! | `/metrics` | OpenMetrics text | Prometheus |
//!
//! It serves from the first moment, also while the worker still waits for its servers. The probes are open to whoever can reach
//! the address; the metrics want the read token where there is one.

mod access;
mod page;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use access::Token;
pub use page::Installation;
use page::Page;

use crate::store::Store;
use crate::telemetry::{self, Ledger, metrics};

/// Where and to whom it is served.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeConfig {
    /// Address and port, such as `127.0.0.1:8600`. Not set: nothing is served.
    pub listen: Option<SocketAddr>,
    /// What a client must show to read, as `Authorization: Bearer TOKEN` or `Syllable-API-Key: TOKEN`. Needed on any other
    /// address than a loopback one. From the environment: `BATCHDROP_SERVE_READ_TOKEN`.
    pub read_token: Option<Token>,
}

impl ServeConfig {
    /// What is wrong with it, for the operator.
    pub fn problem(&self) -> Option<String> {
        let listen = self.listen?;
        if let Some(token) = &self.read_token {
            return token.is_short().then(|| {
                format!("serve.read_token must have {} characters or more, chosen at random", Token::SHORTEST)
            });
        }
        (!listen.ip().is_loopback()).then(|| {
            format!(
                "serve.listen is {listen}, which others can reach: set a token by BATCHDROP_SERVE_READ_TOKEN, or listen on \
                 127.0.0.1"
            )
        })
    }
}

/// A sign of life that is older than this means that the worker is stuck.
const STUCK: Duration = Duration::from_secs(30);
/// How long the store may take to answer a probe or a scrape.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the answers are made of.
#[derive(Default)]
struct Shared {
    /// Set once, when the worker has opened its store: the store, and the bucket's name in the ledger.
    opened: OnceLock<(Store, String)>,
}

/// A server that listens already, and has yet to serve.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    routes: Router,
}

/// Tells the server what the worker has opened.
pub struct Announcer(Arc<Shared>);

impl Announcer {
    /// The worker has its bucket, of this name, and its store.
    pub fn opened(&self, store: Store, bucket: &str) {
        let _ = self.0.opened.set((store, bucket.to_owned())); // the first is the only one
    }
}

impl Server {
    /// Listens; `None` where nothing is to be served.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn bind(config: &ServeConfig, installation: Installation) -> Result<Option<Server>, std::io::Error> {
        let Some(address) = config.listen else { return Ok(None) };
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/metrics", get(scrape))
            .layer(middleware::from_fn_with_state(config.read_token.clone(), access::need_token))
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .with_state(shared.clone())
            .merge(page::routes(Page {
                shared: shared.clone(),
                installation,
                read_token: config.read_token.clone(),
                write_token: None,
            }));
        Ok(Some(Server { listener, shared, routes }))
    }

    /// Where it listens: the port is the system's choice where 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// By which the worker tells what it has opened.
    pub fn announcer(&self) -> Announcer {
        Announcer(self.shared.clone())
    }

    /// Serves until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let served = axum::serve(self.listener, self.routes);
        if let Err(error) = served.with_graceful_shutdown(stop.cancelled_owned()).await {
            tracing::error!(error = telemetry::chain(&error), "no longer served");
        }
    }
}

async fn healthz() -> Response {
    match metrics().since_heartbeat() {
        Some(silent) if silent > STUCK => {
            let text = format!("no sign of life of the worker for {} s\n", silent.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        _ => "ok\n".into_response(),
    }
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    let is_open = shared.opened.get().is_some();
    let missing = match (metrics().bucket_is_reachable(), shared.ledger().await.is_some()) {
        _ if !is_open => "the bucket and the store are not both open yet; the log tells which is waited for\n",
        (false, _) => "the bucket was not listed the last time, or not yet; the log tells why\n",
        (true, false) => "the store does not answer; the log tells why\n",
        (true, true) => return "ready\n".into_response(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, missing).into_response()
}

async fn scrape(State(shared): State<Arc<Shared>>) -> Response {
    metrics().ledger(shared.ledger().await);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics().text()).into_response()
}

impl Shared {
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
