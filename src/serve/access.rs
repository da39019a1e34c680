//! Who may read: whoever shows the token, compared in constant time.

use std::fmt;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;

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

    /// Whether the client shows it.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let bearer = bearer.and_then(|value| {
            let (scheme, shown) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(shown)
        });
        let key = headers.get("syllable-api-key").map(|value| value.as_bytes());
        bearer.or(key).is_some_and(|shown| self.is(shown))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Lets a request through that shows the token, or where none is needed.
pub(super) async fn need_token(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    match token {
        Some(token) if !token.is_shown(request.headers()) => {
            let text = "show the token: Authorization: Bearer TOKEN\n";
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response()
        }
        _ => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_from_either_header_and_only_whole() {
        let token = Token("0123456789abcdef".to_owned());
        let shown = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header"));
            token.is_shown(&headers)
        };
        assert!(shown("authorization", "Bearer 0123456789abcdef"));
        assert!(shown("authorization", "bearer 0123456789abcdef"));
        assert!(shown("syllable-api-key", "0123456789abcdef"));
        for wrong in ["Bearer 0123456789abcde", "Bearer 0123456789abcdeff", "Bearer", "0123456789abcdef", "Basic 0123"]
        {
            assert!(!shown("authorization", wrong), "{wrong}");
        }
        assert!(!token.is_shown(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
