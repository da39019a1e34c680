//! Who asks, and what they may do.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::Utc;

use super::{Page, session};
use crate::serve::access::Right;
use crate::serve::problem::Problem;

/// Whoever asked for a page, and may at least look.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    /// As whom they act.
    pub(super) name: String,
    may: Right,
    /// They can log out.
    pub(super) is_logged_in: bool,
}

impl Viewer {
    pub(super) fn may_steer(&self) -> bool {
        self.may == Right::Write
    }

    /// # Errors
    /// They may only look.
    pub(super) fn steers(&self) -> Result<(), Problem> {
        let why =
            "you are logged in with the read token, and may only look; log out, and in again with the write token";
        if self.may_steer() { Ok(()) } else { Err(Problem::forbidden(why)) }
    }
}

impl FromRequestParts<Arc<Page>> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, page: &Arc<Page>) -> Result<Viewer, Response> {
        if page.access.is_open() {
            return Ok(Viewer { name: page.installation.identity.clone(), may: Right::Write, is_logged_in: false });
        }
        let now = Utc::now().timestamp();
        for (token, may) in page.access.tokens() {
            if let Some(name) = session::name(&parts.headers, token, may, now) {
                return Ok(Viewer { name, may, is_logged_in: true });
            }
        }
        let wanted = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let wanted = percent_encoding::utf8_percent_encode(wanted, percent_encoding::NON_ALPHANUMERIC);
        Err(Redirect::to(&format!("/login?next={wanted}")).into_response())
    }
}
