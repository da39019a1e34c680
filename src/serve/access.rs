//! Who may read and who may change things: whoever shows the token, compared in constant time.
//!
//! | tokens | reading | changing |
//! |---|---|---|
//! | none, on a loopback address only | whoever can reach it, by a loopback name | the same, and from no other site |
//! | read | who shows it | nobody |
//! | write | who shows it | who shows it |
//! | both | who shows either | who shows the write token |
//!
//! Where no token is asked for, a page of another site in the user's own browser could ask for the user. Its requests
//! name the site as `Origin`, or, where it has its name lead here (DNS rebinding), as `Host`: both are refused.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use super::problem::Problem;
use super::{ServeConfig, origin};

/// A secret that a client shows. It is never printed.
#[derive(Clone, PartialEq, serde::Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// What can be guessed is no token.
    pub(super) const SHORTEST: usize = 16;

    pub(super) fn is_short(&self) -> bool {
        self.0.len() < Self::SHORTEST
    }

    /// What seals are made with.
    pub(super) fn secret(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether this is it; how long that takes tells nothing of where the two differ.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        shown.ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    Write,
}

impl Right {
    fn needed_by(method: &Method) -> Right {
        if method.is_safe() { Right::Read } else { Right::Write }
    }
}

/// Which tokens give which right, for the API and for the page.
#[derive(Debug)]
pub(super) struct Access {
    read: Option<Token>,
    write: Option<Token>,
}

impl Access {
    pub(super) fn new(config: &ServeConfig) -> Access {
        Access { read: config.read_token.clone(), write: config.write_token.clone() }
    }

    /// Whether anybody who can reach it may do everything: without tokens, which is on a loopback address only.
    pub(super) fn is_open(&self) -> bool {
        self.read.is_none() && self.write.is_none()
    }

    /// The tokens, each with the right that it gives; what gives more comes first.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (&Token, Right)> {
        let write = self.write.iter().map(|token| (token, Right::Write));
        write.chain(self.read.iter().map(|token| (token, Right::Read)))
    }

    /// The token that is shown. Each is compared in any case, so that the time taken does not tell which one it was.
    pub(super) fn known(&self, shown: &[u8]) -> Option<(&Token, Right)> {
        let known: Vec<_> = self.tokens().filter(|(token, _)| token.is(shown)).collect();
        known.first().copied()
    }

    /// Whether it answers to the name by which it was asked: without tokens, to the names of this machine alone.
    pub(super) fn check_name(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if !self.is_open() || origin::names_loopback(headers) {
            return Ok(());
        }
        Err(Problem::forbidden(
            "without a token, ask by the name localhost or 127.0.0.1; or set BATCHDROP_SERVE_READ_TOKEN",
        ))
    }

    /// Whether a program's request with these headers may do it.
    fn check(&self, right: Right, headers: &HeaderMap) -> Result<(), Problem> {
        if right == Right::Write && !is_from_here(headers) {
            return Err(Problem::forbidden("pages of other sites may change nothing here"));
        }
        self.check_name(headers)?;
        if self.is_open() {
            return Ok(());
        }
        match (shown(headers).and_then(|shown| self.known(shown)), right) {
            (Some((_, Right::Write)), _) | (Some((_, Right::Read)), Right::Read) => Ok(()),
            (Some((_, Right::Read)), Right::Write) if self.write.is_none() => {
                Err(Problem::forbidden("nothing may be changed here: there is no BATCHDROP_SERVE_WRITE_TOKEN"))
            }
            (Some((_, Right::Read)), Right::Write) => {
                Err(Problem::forbidden("this token may only read; show the write token"))
            }
            (None, _) => Err(Problem::unauthorized()),
        }
    }
}

/// The token that a client shows, from either header.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, shown) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(shown)
    });
    bearer.or_else(|| headers.get("syllable-api-key").map(|value| value.as_bytes()))
}

/// Whether no page of another site has sent it. Programs name no site; a browser does, with all that changes something.
fn is_from_here(headers: &HeaderMap) -> bool {
    let names_a_site = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    !names_a_site || origin::is_same(headers)
}

/// Lets a request through that may do what its method does.
pub(super) async fn need_token(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.check(Right::needed_by(request.method()), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    const READ: &str = "0123456789abcdef";
    const WRITE: &str = "fedcba9876543210";

    /// The status of what stands in the way.
    fn check(read: Option<&str>, write: Option<&str>, right: Right, headers: &[(&'static str, &str)]) -> Option<u16> {
        let token = |text: Option<&str>| text.map(|text| Token(text.to_owned()));
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a header")));
        let access = Access { read: token(read), write: token(write) };
        let refused = access.check(right, &headers.collect());
        refused.err().map(|problem| problem.into_response().status().as_u16())
    }

    #[test]
    fn a_token_is_taken_from_either_header_and_only_whole() {
        let shown = |name, value: &str| check(Some(READ), None, Right::Read, &[(name, value)]);
        assert_eq!(shown("authorization", "Bearer 0123456789abcdef"), None);
        assert_eq!(shown("authorization", "bearer 0123456789abcdef"), None);
        assert_eq!(shown("syllable-api-key", "0123456789abcdef"), None);
        for wrong in ["Bearer 0123456789abcde", "Bearer 0123456789abcdeff", "Bearer", "0123456789abcdef", "Basic 0123"]
        {
            assert_eq!(shown("authorization", wrong), Some(401), "{wrong}");
        }
        assert_eq!(check(Some(READ), None, Right::Read, &[]), Some(401));
        assert_eq!(format!("{:?}", Token(READ.to_owned())), "Token(…)");
    }

    #[test]
    fn each_token_gives_its_right() {
        let key = |token| [("syllable-api-key", token)];
        for (read, write, shown, may_read, may_write) in [
            (Some(READ), None, READ, None, Some(403)),
            (Some(READ), None, WRITE, Some(401), Some(401)),
            (None, Some(WRITE), WRITE, None, None),
            (None, Some(WRITE), READ, Some(401), Some(401)),
            (Some(READ), Some(WRITE), READ, None, Some(403)),
            (Some(READ), Some(WRITE), WRITE, None, None),
        ] {
            let case = format!("{read:?} {write:?} {shown}");
            assert_eq!(check(read, write, Right::Read, &key(shown)), may_read, "{case}");
            assert_eq!(check(read, write, Right::Write, &key(shown)), may_write, "{case}");
        }
    }

    #[test]
    fn without_a_token_a_page_of_another_site_gets_nowhere() {
        let open = |right, headers: &[_]| check(None, None, right, headers);
        for host in ["localhost", "LOCALHOST:8600", "127.0.0.1:8600", "127.1.2.3", "[::1]:8600"] {
            assert_eq!(open(Right::Read, &[("host", host)]), None, "{host}");
            assert_eq!(open(Right::Write, &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8600", "10.0.0.1", "", "[::2]"] {
            assert_eq!(open(Right::Read, &[("host", host)]), Some(403), "{host}");
            assert_eq!(open(Right::Write, &[("host", host)]), Some(403), "{host}");
        }
        assert_eq!(open(Right::Read, &[]), Some(403), "no Host at all");
        let from = |origin| open(Right::Write, &[("host", "127.0.0.1:8600"), ("origin", origin)]);
        assert_eq!(from("http://127.0.0.1:8600"), None);
        for origin in ["https://evil.example", "http://127.0.0.1:8601", "http://127.0.0.1", "null", ""] {
            assert_eq!(from(origin), Some(403), "{origin}");
        }
        let with_token = [("host", "x.example"), ("origin", "https://evil.example"), ("syllable-api-key", WRITE)];
        assert_eq!(check(None, Some(WRITE), Right::Write, &with_token), Some(403));
    }
}
