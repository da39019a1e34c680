//! What is told and asked over HTTP: probes, metrics, and the API of the published client library.
//!
//! | path | answers | for |
//! |---|---|---|
//! | `/healthz` | 200 while the worker gives signs of life, else 503 | restarting it |
//! | `/readyz` | 200 when it has its bucket and its store, else 503 and what is missing | sending it traffic, alarms |
//! | `/metrics` | OpenMetrics text | Prometheus |
//! | `/api/v1/outbound/…` | batches, their results and rejects, uploads; see `api` | programs |
//! | `/`, and below | the page; see `page` | operators |
//! | `/openapi.json` | the API's description | whoever writes such a program |
//!
//! It serves from the first moment, also while the worker still waits for its servers. The probes are open to whoever
//! can reach the address, and so is the description; all else wants a token where there is one, see `access`. What
//! every answer has to go through, limits and headers, is in `guard`.

mod access;
mod api;
mod downloads;
mod guard;
mod origin;
mod page;
mod probes;
mod problem;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use axum::routing::get;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use access::Token;
pub use page::Installation;
use page::Page;

use crate::model::steering;
use crate::store::Store;
use crate::telemetry;
use access::Access;
use downloads::Downloads;
use problem::Problem;

/// Where and to whom it is served.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeConfig {
    /// Address and port, such as `127.0.0.1:8600`. Not set: nothing is served.
    pub listen: Option<SocketAddr>,
    /// What a client must show to read, as `Authorization: Bearer TOKEN` or `Syllable-API-Key: TOKEN`. This or the
    /// other token is needed on any other address than a loopback one. From the environment:
    /// `BATCHDROP_SERVE_READ_TOKEN`.
    pub read_token: Option<Token>,
    /// What a client must show to change something; it may read as well. From the environment:
    /// `BATCHDROP_SERVE_WRITE_TOKEN`.
    pub write_token: Option<Token>,
    /// `last_updated_by` of batches that are changed over HTTP, an e-mail address.
    pub identity: String,
    /// How many requests a client's address may make, probes left out.
    pub requests_a_second: NonZeroU32,
}

impl Default for ServeConfig {
    fn default() -> Self {
        ServeConfig {
            listen: None,
            read_token: None,
            write_token: None,
            identity: "api@localhost".to_owned(),
            requests_a_second: NonZeroU32::new(100).expect("more than none"),
        }
    }
}

impl ServeConfig {
    /// What is wrong with it, for the operator.
    pub fn problem(&self) -> Option<String> {
        let listen = self.listen?;
        for (name, token) in [("read", &self.read_token), ("write", &self.write_token)] {
            if token.as_ref().is_some_and(Token::is_short) {
                let shortest = Token::SHORTEST;
                return Some(format!("serve.{name}_token must have {shortest} characters or more, chosen at random"));
            }
        }
        if self.read_token.is_some() && self.read_token == self.write_token {
            return Some("serve.read_token and serve.write_token must differ: who may read could change things".into());
        }
        if steering::actor(&self.identity).is_err() {
            return Some("serve.identity must be an e-mail address; batches carry it as last_updated_by".into());
        }
        let is_open = self.read_token.is_none() && self.write_token.is_none();
        (is_open && !listen.ip().is_loopback()).then(|| {
            format!(
                "serve.listen is {listen}, which others can reach: set a token by BATCHDROP_SERVE_READ_TOKEN, or listen on \
                 127.0.0.1"
            )
        })
    }
}

/// What the answers are made of.
#[derive(Default)]
struct Shared {
    /// Set once, when the worker has opened its store: the store, and the bucket's name in the ledger.
    opened: OnceLock<(Store, String)>,
    downloads: Downloads,
}

impl Shared {
    /// The store and the bucket's name in the ledger, once both are open.
    fn opened(&self) -> Result<&(Store, String), Problem> {
        let why = "the bucket and the store are not both open yet; the worker's log tells which it waits for";
        self.opened.get().ok_or_else(|| Problem::unavailable(why))
    }

    fn store(&self) -> Result<&Store, Problem> {
        self.opened().map(|(store, _)| store)
    }
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
        let routes = routes(config, installation, &shared);
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
        let routes = self.routes.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(self.listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(error = telemetry::chain(&error), "no longer served");
        }
    }
}

fn routes(config: &ServeConfig, installation: Installation, shared: &Arc<Shared>) -> Router {
    let access = Arc::new(Access::new(config));
    let page = Page::new(shared.clone(), installation, access.clone());
    let (api, description) = api::routes(shared, &config.identity);
    let routes = Router::new()
        .route("/metrics", get(probes::scrape).with_state(shared.clone()))
        .merge(api)
        .layer(middleware::from_fn_with_state(access, access::need_token))
        .route("/openapi.json", get(description))
        .merge(page::routes(page))
        .fallback(async || Problem::not_found("there is nothing here; /openapi.json tells what there is"));
    let probes = Router::new()
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz).with_state(shared.clone()));
    guard::limited(routes, config.requests_a_second).merge(guard::headed(probes))
}
