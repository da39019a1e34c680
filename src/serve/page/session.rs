//! Who looks at the page: the cookie that a login sets.
//!
//! It holds no token but a name, what the name may do and until when, sealed by HMAC-SHA256 with the token that was
//! shown at the login. So every worker with the same tokens knows it, it ends with its token, and it lets nobody guess
//! the other one.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::serve::access::{Right, Token};

/// How long a login lasts.
pub(super) const LASTS_SECONDS: i64 = 12 * 3600;
const COOKIE: &str = "batchdrop_session";

/// The word of a right, in a cookie.
fn word_of(right: Right) -> &'static str {
    match right {
        Right::Read => "look",
        Right::Write => "steer",
    }
}

/// The `Set-Cookie` of a new session; `now` in seconds since 1970. It is sent to this site alone, from its own pages
/// alone, and where the page is had by https, by https alone.
pub(super) fn cookie(token: &Token, name: &str, may: Right, now: i64, is_https: bool) -> String {
    let claims = format!("{}.{}.{}", now + LASTS_SECONDS, word_of(may), BASE64_URL_SAFE_NO_PAD.encode(name));
    let seal = BASE64_URL_SAFE_NO_PAD.encode(mac(token, &claims).finalize().into_bytes());
    set(&format!("{claims}.{seal}"), LASTS_SECONDS, is_https)
}

/// The `Set-Cookie` that ends a session.
pub(super) fn no_cookie(is_https: bool) -> String {
    set("", 0, is_https)
}

fn set(value: &str, seconds: i64, is_https: bool) -> String {
    let secure = if is_https { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The name that logged in with this token, for this, and whose time is not over.
pub(super) fn name(headers: &HeaderMap, token: &Token, may: Right, now: i64) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| *key == COOKIE).find_map(|(_, value)| opened(value, token, may, now))
}

fn opened(value: &str, token: &Token, may: Right, now: i64) -> Option<String> {
    let (claims, seal) = value.rsplit_once('.')?;
    mac(token, claims).verify_slice(&BASE64_URL_SAFE_NO_PAD.decode(seal).ok()?).ok()?;
    let mut parts = claims.split('.');
    let (until, word, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_valid = until.parse::<i64>().ok()? > now && word == word_of(may);
    is_valid.then(|| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(name).ok()?).ok()).flatten()
}

fn mac(token: &Token, claims: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.secret()).expect("HMAC takes keys of any length");
    mac.update(b"batchdrop page session\0");
    mac.update(claims.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn token(text: &str) -> Token {
        serde_json::from_value(text.into()).expect("a token")
    }

    fn sent_back(set_cookie: &str) -> HeaderMap {
        let pair = set_cookie.split(';').next().expect("a pair");
        HeaderMap::from_iter([(header::COOKIE, format!("theme=dark; {pair}").parse().expect("a header"))])
    }

    #[test]
    fn a_session_is_known_by_its_token_alone_and_until_its_time_is_over() {
        let (write, read) = (token("the write token of a test"), token("the read token of a test"));
        let headers = sent_back(&cookie(&write, "ana@example.com", Right::Write, NOW, false));
        assert_eq!(name(&headers, &write, Right::Write, NOW).as_deref(), Some("ana@example.com"));
        assert_eq!(name(&headers, &write, Right::Write, NOW + LASTS_SECONDS - 1).as_deref(), Some("ana@example.com"));
        assert_eq!(name(&headers, &write, Right::Write, NOW + LASTS_SECONDS), None);
        assert_eq!(name(&headers, &write, Right::Read, NOW), None);
        assert_eq!(name(&headers, &read, Right::Write, NOW), None);
        assert_eq!(name(&HeaderMap::new(), &write, Right::Write, NOW), None);
    }

    #[test]
    fn a_session_that_was_touched_is_none() {
        let write = token("the write token of a test");
        let good = cookie(&write, "ana@example.com", Right::Read, NOW, false);
        assert!(name(&sent_back(&good), &write, Right::Read, NOW).is_some());
        for (from, to) in [("look", "steer"), (".", ""), (".Y", ".Z"), ("180004", "190004")] {
            let touched = good.replacen(from, to, 1);
            assert_ne!(touched, good, "{from}");
            assert!(name(&sent_back(&touched), &write, Right::Read, NOW).is_none(), "{from}");
            assert!(name(&sent_back(&touched), &write, Right::Write, NOW).is_none(), "{from}");
        }
        let cut = good.split(';').next().expect("a pair").trim_end_matches(|c: char| c != '.');
        assert!(name(&sent_back(cut), &write, Right::Read, NOW).is_none());
        for wrong in ["", "a.b.c", "1.look.é.é", "....."] {
            let headers = HeaderMap::from_iter([(
                header::COOKIE,
                header::HeaderValue::from_bytes(format!("{COOKIE}={wrong}").as_bytes()).expect("a header"),
            )]);
            assert!(name(&headers, &write, Right::Read, NOW).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_cookie_is_strict() {
        let write = token("the write token of a test");
        let set = cookie(&write, "ana@example.com", Right::Read, NOW, true);
        assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"), "{set}");
        assert!(!set.contains("token") && !set.contains("ana@"), "{set}");
        assert!(!cookie(&write, "ana@example.com", Right::Read, NOW, false).contains("Secure"));
    }
}
