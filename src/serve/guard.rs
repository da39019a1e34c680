//! What every request has to get through, whatever it asks for, and what every answer carries.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::Problem;

/// More than any request here has to say.
const LARGEST_BODY: usize = 64 << 10;
/// How long an answer may take to begin; one that streams may then last.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many clients are remembered before those that have been quiet are forgotten.
const CLIENTS: usize = 10_000;

/// For what each answer carries unless its maker says otherwise: it is taken for what it says it is, is kept by nobody
/// between, runs nothing, and stands in no other page.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The routes with limits and headers.
pub(super) fn limited(routes: Router, requests_a_second: NonZeroU32) -> Router {
    let pace = Arc::new(Pace::new(Quota::per_second(requests_a_second)));
    let routes = routes
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(answer_in_time))
        .layer(middleware::from_fn_with_state(pace, keep_pace));
    headed(routes)
}

/// The routes with headers.
pub(super) fn headed(routes: Router) -> Router {
    HEADERS
        .into_iter()
        .fold(routes, |routes, (name, value)| routes.layer(SetResponseHeaderLayer::if_not_present(name, value)))
}

async fn answer_in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(PATIENCE, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::unavailable("this took too long; try again later").into_response())
}

/// How fast each client may ask.
pub(super) struct Pace(DefaultKeyedRateLimiter<IpAddr>);

impl Pace {
    pub(super) fn new(quota: Quota) -> Pace {
        Pace(RateLimiter::keyed(quota))
    }

    /// Whether the client may ask now; else after how many seconds.
    pub(super) fn check(&self, client: IpAddr) -> Result<(), u64> {
        if self.0.len() > CLIENTS {
            self.0.retain_recent();
        }
        let too_soon = |until: governor::NotUntil<_>| until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        self.0.check_key(&one_client(client)).map_err(too_soon)
    }
}

/// With version 6, whoever has one address has 2^64 of them.
fn one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

async fn keep_pace(
    State(pace): State<Arc<Pace>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match pace.check(client.ip()) {
        Ok(()) => next.run(request).await,
        Err(seconds) => Problem::too_many("too many requests; ask less often", seconds).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_pace_of_its_own() {
        let pace = Pace::new(Quota::per_hour(NonZeroU32::new(2).expect("two")));
        let check = |client: &str| pace.check(client.parse().expect("an address"));
        assert_eq!((check("10.0.0.1"), check("::ffff:10.0.0.1")), (Ok(()), Ok(())), "one client, spelled in two ways");
        assert!(check("10.0.0.1").is_err_and(|seconds| seconds > 1));
        assert_eq!(check("10.0.0.2"), Ok(()));
        assert_eq!((check("2001:db8::1"), check("2001:db8::2")), (Ok(()), Ok(())));
        assert!(check("2001:db8:0:0:3::").is_err(), "one network, one client");
        assert_eq!(check("2001:db8:0:1::1"), Ok(()));
    }
}
