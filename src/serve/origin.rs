//! Where a request comes from: what changes something must come from this page itself, and without tokens the page
//! answers to the names of this machine alone, so that a page of somebody else's cannot act or read in the browser of
//! whoever looks at both.

use axum::http::{HeaderMap, header};

/// Whether the browser says that one of this site's own pages sent it. `Sec-Fetch-Site` cannot be set by a page;
/// browsers leave it out where the site is had by plain http from another machine, and then `Origin` must name the host
/// that is spoken to.
pub(super) fn is_same(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = origin.and_then(|origin| origin.split_once("://")).map(|(_, named)| named);
    named.is_some() && named == host
}

/// Whether the browser spoke to this machine by one of the names that cannot be another's. A name of somebody else's
/// may be made to lead here.
pub(super) fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether whoever looks came by https, as the proxy before us says. Believed by mistake, it hides a cookie, and no
/// more.
pub(super) fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn what_changes_something_comes_from_this_site() {
        let is_same = |pairs: &[(&'static str, &'static str)]| is_same(&headers(pairs));
        assert!(is_same(&[("sec-fetch-site", "same-origin")]));
        assert!(is_same(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://calls.example"),
            ("host", "127.0.0.1:86")
        ]));
        assert!(is_same(&[("origin", "http://10.0.0.5:8600"), ("host", "10.0.0.5:8600")]));
        assert!(!is_same(&[]));
        assert!(!is_same(&[("host", "10.0.0.5:8600")]));
        assert!(!is_same(&[("origin", "null"), ("host", "null")]));
        assert!(!is_same(&[("origin", "http://10.0.0.5:8601"), ("host", "10.0.0.5:8600")]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(!is_same(&[("sec-fetch-site", site), ("origin", "http://a"), ("host", "a")]), "{site}");
        }
    }

    #[test]
    fn without_tokens_only_this_machine_s_own_names_are_answered() {
        let is_ours = |host| names_loopback(&headers(&[("host", host)]));
        for ours in ["127.0.0.1", "127.0.0.1:8600", "localhost:8600", "LOCALHOST", "[::1]:8600", "[::1]"] {
            assert!(is_ours(ours), "{ours}");
        }
        for others in ["evil.example:8600", "127.0.0.1.evil.example", "10.0.0.5:8600", "localhost.evil.example", ""] {
            assert!(!is_ours(others), "{others}");
        }
        assert!(!names_loopback(&HeaderMap::new()));
    }
}
