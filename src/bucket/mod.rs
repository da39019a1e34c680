//! Where files come from: a local folder or an S3 bucket, behind one facade. Edge.
//!
//! A bucket lists what lies in it and reads one version of one object as a stream; it knows nothing of the
//! ledger, of campaigns or of CSV. Listing is the truth about what exists: it comes in pages, in no order
//! that anyone may rely on, and leaves out what is never an upload (see [`is_upload`]).
//!
//! # What tells one version from another
//! | bucket | version |
//! |---|---|
//! | folder | size, modification time in nanoseconds, inode |
//! | S3 | ETag and last-modified in seconds, both of which a listing and a read give alike |

mod folder;
mod protocol;
mod s3;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Object;
pub use protocol::{Body, Page};

/// Which bucket, and how it is reached.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BucketConfig {
    /// A folder's path, or `s3://bucket/prefix`.
    pub url: String,
    /// Another S3 server than AWS's own, such as `http://127.0.0.1:9000`.
    pub endpoint_url: Option<String>,
    /// The AWS region; the usual AWS chain where it is not set.
    pub region: Option<String>,
    /// Put the bucket's name into the path instead of the host name, as many other S3 servers need it.
    pub force_path_style: bool,
    /// Keys under this prefix are ours and never uploads.
    pub results_prefix: String,
    /// Folder only: how long, in milliseconds, a file must hold still before it is taken.
    pub settle_ms: u64,
}

impl Default for BucketConfig {
    fn default() -> Self {
        BucketConfig {
            url: "uploads".to_owned(),
            endpoint_url: None,
            region: None,
            force_path_style: false,
            results_prefix: "results/".to_owned(),
            settle_ms: 300,
        }
    }
}

/// A bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    name: Arc<str>,
    inner: Arc<dyn protocol::Protocol>,
}

impl Bucket {
    /// Opens the bucket that the configuration names, and proves that it can be listed.
    ///
    /// # Errors
    /// A folder that does not exist, an address that is none, or an S3 bucket that does not answer.
    pub async fn open(config: &BucketConfig) -> Result<Bucket, Error> {
        let _settle = Duration::from_millis(config.settle_ms);
        todo!()
    }

    /// The bucket's address, under which the ledger knows it: no secrets, and the same for every worker.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One page of what lies in the bucket. `after` is the last page's [`Page::next`], `None` for the first.
    pub async fn list(&self, after: Option<&str>) -> Result<Page, Error> {
        self.inner.list(after).await
    }

    /// Starts to read exactly this version.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] where it was deleted or replaced since.
    pub async fn read(&self, object: &Object) -> Result<Body, Error> {
        self.inner.read(object).await
    }
}

/// Whether an object of this key can be an upload: no folder marker, no dotfile, no `*.tmp` or `*.part`,
/// nothing under the results prefix.
pub fn is_upload(key: &str, results_prefix: &str) -> bool {
    todo!("{key} {results_prefix}")
}

/// What kind of trouble; it decides what the worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// This version is no longer there: deleted, or replaced by another. Not retried.
    Gone,
    /// It may go away: network, throttling, a server's own trouble. Retried.
    Transient,
    /// It will not go away by itself: no permission, no such bucket, a wrong address. Retried too, since people mend
    /// such things, and shown at once.
    Permanent,
}

/// Trouble with the bucket. Ours, never the sender's.
#[derive(Debug, thiserror::Error)]
#[error("{what} {place}")]
pub struct Error {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What was tried and how it ended, such as `cannot list`.
    pub what: String,
    /// The bucket's address or the object's key.
    pub place: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}
