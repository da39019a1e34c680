//! The page: what operators look at, and steer by. HTML made here, complete without scripts; a script only keeps it
//! fresh.
//!
//! | path | |
//! |---|---|
//! | `/` | batches, with filters |
//! | `/batches/{batch_id}` | one batch |
//! | `/batches/{batch_id}/hold`, `resume`, `cancel` | what is done to it |
//! | `/batches/{batch_id}/rejects.csv` | its rows that were not loaded, to mend |
//! | `/expected` | when files are due, and what became of each |
//! | `/uploads` | what waits, is worked on, was refused, or is looked for |
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
mod ledger;
mod login;
mod paging;
mod session;
mod show;
mod steer;
mod table;
mod timeline;
mod uploads;
mod viewer;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono_tz::Tz;
use governor::Quota;

use super::Shared;
use super::access::Access;
use super::guard::Pace;
use super::origin;
use super::problem::Problem;
use crate::store::Store;

/// Tries to log in that a client's address has, of which one comes back every six seconds.
const LOGINS_A_MINUTE: NonZeroU32 = NonZeroU32::new(10).expect("more than none");

/// What the page tells of this installation.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Who the worker is, and who acts where nobody logs in.
    pub identity: String,
    /// Whose time is shown.
    pub time_zone: Tz,
    /// The campaigns' names, to filter by.
    pub campaigns: Vec<String>,
    /// Under what answers are written in the bucket, such as `results/`; `None` where they are switched off.
    pub results: Option<String>,
}

/// What the pages are made of.
pub(super) struct Page {
    shared: Arc<Shared>,
    installation: Installation,
    access: Arc<Access>,
    logins: Pace,
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
        .route("/batches/{batch_id}/rejects.csv", get(batch::rejects))
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
    let is_ours = request.method().is_safe() || origin::is_same(headers);
    let mut response = match page.access.check_name(headers) {
        Err(problem) => NoPage(problem).into_response(),
        Ok(()) if !is_ours => {
            let why = "this was not sent by a form of this page; programs use the API";
            NoPage(Problem::forbidden(why)).into_response()
        }
        Ok(()) => next.run(request).await,
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
    pub(super) fn new(shared: Arc<Shared>, installation: Installation, access: Arc<Access>) -> Page {
        Page { shared, installation, access, logins: Pace::new(Quota::per_minute(LOGINS_A_MINUTE)) }
    }

    /// The store, and the bucket's name in the ledger.
    fn opened(&self) -> Result<&(Store, String), Problem> {
        self.shared.opened()
    }
}

/// Why there is no page to show, told by one.
struct NoPage(Problem);

impl<P: Into<Problem>> From<P> for NoPage {
    fn from(problem: P) -> Self {
        NoPage(problem.into())
    }
}

impl IntoResponse for NoPage {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let (title, comes_by_itself) = match status {
            StatusCode::NOT_FOUND => ("Not here", false),
            StatusCode::FORBIDDEN => ("Not allowed", false),
            StatusCode::SERVICE_UNAVAILABLE => ("Not now", true),
            StatusCode::TOO_MANY_REQUESTS => ("Too much at a time", false),
            _ => ("No answer", false),
        };
        self.0.with_body(layout::plain(title, &sentence(&self.0.text()), comes_by_itself))
    }
}

/// What a problem says, as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
