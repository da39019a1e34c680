//! The style, the script and the icon: in the binary, and under addresses that change with their content, so that a
//! browser keeps them as long as it likes.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// One file that a page names.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    /// Where it is served.
    pub(super) path: String,
}

impl Asset {
    fn new(name: &'static str, kind: &'static str, text: &'static str) -> Asset {
        let hash: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Asset { name, kind, text, path: format!("/assets/{hash}/{name}") }
    }
}

pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page.css", "text/css; charset=utf-8", include_str!("page.css")));
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page.js", "text/javascript; charset=utf-8", include_str!("page.js")));
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_str!("icon.svg")));

/// The content of another version, which a page of another worker may ask for, is not kept: it gets this one's.
pub(super) async fn asset(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some(asset) = [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let is_this = asset.path.split('/').any(|part| part == hash);
    let keep = if is_this { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, keep)], asset.text).into_response()
}
