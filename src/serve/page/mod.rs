//! The page: what operators look at, and steer by. HTML made here, complete without scripts; a script only keeps it fresh.
//!
//! | path | |
//! |---|---|
//! | `/` | batches, with filters |
//! | `/batches/{batch_id}` | one batch |
//! | `/batches/{batch_id}/hold`, `resume`, `cancel` | what is done to it |
//! | `/expected` | when files are due, and what became of each |
//! | `/uploads` | what waits, is worked on, or was refused |
//! | `/login`, `/logout` | where there are tokens |
//! | `/assets/…` | style, script, icon: from the binary |
//!
//! Every page asks the store anew and keeps nothing. What is shown of a target is decided in `show`, and nowhere else.

mod alarms;
mod assets;
mod batch;
mod batches;
mod expected;
mod layout;
mod login;
mod session;
mod show;
mod steer;
mod uploads;
mod viewer;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono_tz::Tz;

use super::Shared;
use super::access::Token;
use super::origin;
use crate::store::{self, Store};
use crate::telemetry;

/// What the page tells of this installation.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Who the worker is, and who acts where nobody logs in.
    pub identity: String,
    /// Whose time is shown.
    pub time_zone: Tz,
    /// The campaigns' names, to filter by.
    pub campaigns: Vec<String>,
}

/// What the pages are made of.
pub(super) struct Page {
    pub(super) shared: Arc<Shared>,
    pub(super) installation: Installation,
    /// Lets one look.
    pub(super) read_token: Option<Token>,
    /// Lets one steer.
    pub(super) write_token: Option<Token>,
}

/// Only what the binary holds, from here; nothing written into a page is ever run.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes of the page.
pub(super) fn routes(page: Page) -> Router {
    let page = Arc::new(page);
    Router::new()
        .route("/", get(batches::list))
        .route("/batches/{batch_id}", get(batch::show))
        .route("/batches/{batch_id}/{action}", post(steer::steer))
        .route("/uploads", get(uploads::list))
        .route("/expected", get(expected::list))
        .route("/uploads/requeue", post(uploads::requeue))
        .route("/login", get(login::form).post(login::login))
        .route("/logout", post(login::logout))
        .layer(middleware::from_fn_with_state(page.clone(), guard))
        .route("/assets/{hash}/{name}", get(assets::asset))
        .with_state(page)
}

/// Turns away what comes from elsewhere, and says to browsers what they may do with what they get.
async fn guard(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if page.is_open() && !origin::names_loopback(headers) {
        let text =
            "Without a token, this page answers under http://127.0.0.1, http://[::1] and http://localhost alone.\n";
        (StatusCode::FORBIDDEN, text).into_response()
    } else if !changes_nothing && !origin::is_same(headers) {
        let text = "This was not sent by a form of this page. Programs use the API.\n";
        (StatusCode::FORBIDDEN, text).into_response()
    } else {
        next.run(request).await
    };
    // In place of the stricter ones that `serve::guard` gives to what says nothing; the others are left to it.
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    // With no-referrer, browsers would not tell the origin of our own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

impl Page {
    /// Whether anybody who can reach it may look and steer: only on a loopback address, and without tokens.
    fn is_open(&self) -> bool {
        self.read_token.is_none() && self.write_token.is_none()
    }

    /// The store, and the bucket's name in the ledger.
    fn opened(&self) -> Result<&(Store, String), Problem> {
        self.shared.opened.get().ok_or(Problem::Starting)
    }
}

/// Why there is no page to show.
enum Problem {
    /// The worker still waits for its bucket and its store.
    Starting,
    /// What was asked for is not there.
    Missing(&'static str),
    /// Whoever asks may only look.
    MayOnlyLook,
    /// The store did not answer.
    Store(store::Error),
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        Problem::Store(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Problem::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Starting",
                "The bucket and the store are not both open yet. The worker's log tells which it waits for; this page comes by itself.",
            ),
            Problem::Missing(what) => (StatusCode::NOT_FOUND, "Not here", what),
            Problem::MayOnlyLook => (
                StatusCode::FORBIDDEN,
                "You may only look",
                "You are logged in with the read token. Log out, and in again with the write token.",
            ),
            Problem::Store(error) => {
                tracing::warn!(error = telemetry::chain(&error), "a page could not be shown");
                let text = "The store does not answer. The worker's log tells why; this page tries again by itself.";
                (StatusCode::SERVICE_UNAVAILABLE, "No answer", text)
            }
        };
        (status, layout::plain(title, text)).into_response()
    }
}
