//! Where files come from and answers go: a local folder or an S3 bucket, behind one facade. Edge.
//!
//! A bucket lists what lies in it and reads one version of one object as a stream; it knows nothing of the
//! ledger, of campaigns or of CSV. Listing is the truth about what exists: it comes in pages, in no order
//! that anyone may rely on, and leaves out what is never an upload (see [`BucketConfig::is_upload`]).
//! What is written appears whole or not at all; what is moved or deleted is one version, and no other.
//!
//! # What tells one version from another
//! | bucket | version |
//! |---|---|
//! | folder | size, modification time in nanoseconds, inode |
//! | S3 | ETag and last-modified in seconds, both of which a listing and a read give alike |

mod aws;
mod events;
mod folder;
mod notices;
mod protocol;
mod queue;
mod s3;
mod written;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Object;
use crate::telemetry::metrics;
pub use notices::Notice;
pub use protocol::{Body, Page, Pieces};
pub use written::After;

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
    /// Where answers are written; keys under this prefix are ours and never uploads. Empty: no answers.
    pub results_prefix: String,
    /// What becomes of an object that is loaded.
    pub after: After,
    /// Where loaded objects are moved; keys under this prefix are never uploads.
    pub processed_prefix: String,
    /// S3 only: the SQS queue that the bucket's notifications go to, `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    /// Not set: files are found by listing alone.
    pub queue_url: Option<String>,
    /// S3 only: a read that brings nothing for so long, or less than 1 KiB a second over so long, is given up and tried
    /// again.
    pub stall_seconds: u64,
    /// Folder only: how long, in milliseconds, a file must hold still before it is taken; a third of it suffices where
    /// the system tells that its writer has closed it.
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
            after: After::Keep,
            processed_prefix: "processed/".to_owned(),
            queue_url: None,
            stall_seconds: 20,
            settle_ms: 300,
        }
    }
}

/// A bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    name: Arc<str>,
    inner: Arc<dyn protocol::Protocol>,
    notices: Source,
    config: Arc<BucketConfig>,
}

/// Where notices come from.
#[derive(Clone)]
enum Source {
    None,
    Queue(Arc<notices::Notices>),
    Folder(Arc<folder::Folder>),
}

impl Bucket {
    /// Opens the bucket that the configuration names, and proves that it can be listed.
    ///
    /// # Errors
    /// A folder that does not exist, an address that is none, or an S3 bucket that does not answer.
    pub async fn open(config: &BucketConfig) -> Result<Bucket, Error> {
        let mut notices = Source::None;
        let (name, inner): (_, Arc<dyn protocol::Protocol>) = match Address::parse(&config.url)? {
            Address::S3 { bucket, prefix } => {
                let s3 = Arc::new(s3::S3::open(config, bucket, prefix).await?);
                if let Some(url) = &config.queue_url {
                    notices = Source::Queue(Arc::new(notices::Notices::open(config, url, s3.clone()).await?));
                }
                (s3.address().into(), s3)
            }
            Address::Folder(path) if config.queue_url.is_some() => {
                let what = "bucket.queue_url is for S3 buckets; leave it out for the folder";
                return Err(Error::permanent(what, path.to_string_lossy()));
            }
            Address::Folder(path) => {
                let settle = Duration::from_millis(config.settle_ms);
                let folder = Arc::new(folder::Folder::open(path, config.own_prefixes(), settle).await?);
                notices = Source::Folder(folder.clone());
                (folder.address().into(), folder)
            }
        };
        Ok(Bucket { name, inner, notices, config: Arc::new(config.clone()) })
    }

    /// How it was configured.
    pub fn config(&self) -> &BucketConfig {
        &self.config
    }

    /// The bucket's address, under which the ledger knows it: no secrets, and the same for every worker.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One page of what lies in the bucket. `after` is the last page's [`Page::next`], `None` for the first.
    pub async fn list(&self, after: Option<&str>) -> Result<Page, Error> {
        let page = self.inner.list(after).await;
        metrics().listed(page.is_ok());
        page
    }

    /// Starts to read exactly this version.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] where it was deleted or replaced since.
    pub async fn read(&self, object: &Object) -> Result<Body, Error> {
        self.inner.read(object).await
    }

    /// Whether it lies on another machine, where each listing costs time and money.
    pub fn is_remote(&self) -> bool {
        self.name.starts_with("s3://")
    }

    /// Whether a queue tells of what is dropped, and keeps what it tells, so that the bucket need be listed but rarely.
    pub fn has_queue(&self) -> bool {
        matches!(self.notices, Source::Queue(_))
    }

    /// Waits for notices of what was dropped; a queue gives an empty answer after some seconds without any, and where
    /// nothing tells of it this waits for ever. A folder tells once, and the listing finds what is lost. Each message
    /// of a queue comes again until it is taken back by [`Bucket::heeded`].
    pub async fn notices(&self) -> Result<Vec<Notice>, Error> {
        match &self.notices {
            Source::Queue(notices) => notices.wait().await,
            Source::Folder(folder) => Ok(vec![Notice::of(folder.done().await?)]),
            Source::None => std::future::pending().await,
        }
    }

    /// Takes a notice off the queue, once all that it tells of is known to the ledger.
    pub async fn heeded(&self, notice: &Notice) -> Result<(), Error> {
        match &self.notices {
            Source::Queue(notices) => notices.heeded(notice).await,
            Source::Folder(_) | Source::None => Ok(()),
        }
    }

    /// How many messages nobody could make use of, as its dead-letter queue counts them; `None` where there is no such
    /// queue.
    pub async fn dead_letters(&self) -> Result<Option<u64>, Error> {
        match &self.notices {
            Source::Queue(notices) => notices.dead_letters().await,
            Source::Folder(_) | Source::None => Ok(None),
        }
    }

    /// Writes an object of ours, whole or not at all; one that has the key already is replaced. The key is counted from
    /// the bucket's root (a folder's own path, an S3 prefix), as the configured prefixes are.
    pub async fn write(&self, key: &str, content_type: &str, pieces: Pieces<'_>) -> Result<(), Error> {
        self.inner.write(key, content_type, pieces).await
    }

    /// Moves exactly this version to another key, which is counted from the bucket's root. Done already is done.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] where the version was deleted or replaced since, and does not lie under the other key
    /// either. Something put in its place in the very moment of the move may still be moved with it: see the README.
    pub async fn move_to(&self, object: &Object, key: &str) -> Result<(), Error> {
        self.inner.move_to(object, key).await
    }

    /// Deletes exactly this version. Deleted already is done.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] where another version has taken its place, which stays.
    pub async fn delete(&self, object: &Object) -> Result<(), Error> {
        self.inner.delete(object).await
    }
}

/// What a configured bucket address means.
#[derive(Debug, PartialEq)]
enum Address {
    Folder(PathBuf),
    /// The prefix is empty, or ends in `/`: it names a folder, not the start of a name.
    S3 {
        bucket: String,
        prefix: String,
    },
}

impl Address {
    fn parse(url: &str) -> Result<Address, Error> {
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(Error::permanent(
                    "no bucket is named; write s3://bucket or s3://bucket/prefix instead of",
                    url,
                ));
            }
            let prefix = match prefix.trim_matches('/') {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            };
            return Ok(Address::S3 { bucket: bucket.to_owned(), prefix });
        }
        if let Some(path) = url.strip_prefix("file://") {
            if !path.starts_with('/') {
                return Err(Error::permanent("no absolute path; write file:///path instead of", url));
            }
            return Ok(Address::Folder(PathBuf::from(path)));
        }
        if url.is_empty() || url.contains("://") {
            let what = "not a bucket's address; name a folder's path, file:///path or s3://bucket/prefix instead of";
            return Err(Error::permanent(what, if url.is_empty() { "an empty text" } else { url }));
        }
        Ok(Address::Folder(PathBuf::from(url)))
    }
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

impl Error {
    fn new(kind: ErrorKind, what: impl Into<String>, place: impl Into<String>) -> Self {
        Error { kind, what: what.into(), place: place.into(), source: None }
    }

    fn gone(what: impl Into<String>, place: impl Into<String>) -> Self {
        Error::new(ErrorKind::Gone, what, place)
    }

    fn transient(what: impl Into<String>, place: impl Into<String>) -> Self {
        Error::new(ErrorKind::Transient, what, place)
    }

    fn permanent(what: impl Into<String>, place: impl Into<String>) -> Self {
        Error::new(ErrorKind::Permanent, what, place)
    }

    fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_folder_or_s3() {
        let s3 = |bucket: &str, prefix: &str| Address::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        for (url, address) in [
            ("uploads", Address::Folder("uploads".into())),
            ("/srv/up loads", Address::Folder("/srv/up loads".into())),
            ("file:///srv/uploads", Address::Folder("/srv/uploads".into())),
            ("s3://drop", s3("drop", "")),
            ("s3://drop/", s3("drop", "")),
            ("s3://drop/in/coming", s3("drop", "in/coming/")),
            ("s3://drop/in/coming/", s3("drop", "in/coming/")),
        ] {
            assert_eq!(Address::parse(url).unwrap(), address, "{url}");
        }
    }

    #[test]
    fn a_wrong_address_is_answered_with_a_right_one() {
        for (url, text) in [
            (
                "",
                "not a bucket's address; name a folder's path, file:///path or s3://bucket/prefix instead of an empty text",
            ),
            (
                "gs://drop",
                "not a bucket's address; name a folder's path, file:///path or s3://bucket/prefix instead of gs://drop",
            ),
            ("s3:///in", "no bucket is named; write s3://bucket or s3://bucket/prefix instead of s3:///in"),
            ("file://srv", "no absolute path; write file:///path instead of file://srv"),
        ] {
            let error = Address::parse(url).unwrap_err();
            assert_eq!((error.kind, error.to_string().as_str()), (ErrorKind::Permanent, text));
        }
    }
}
