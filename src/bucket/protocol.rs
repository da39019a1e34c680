//! What every bucket must be able to do. Private: callers use [`super::Bucket`].

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::Error;
use crate::model::Object;

/// One page of a listing.
#[derive(Debug, Default)]
pub struct Page {
    /// What can be taken now.
    pub objects: Vec<Object>,
    /// The keys of what is there too and still being written; look again soon.
    pub unsettled: Vec<String>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<String>,
}

/// The bytes of one version, in order.
///
/// A stream that ends without an error has given the whole version and nothing else: an implementation checks
/// the length, and that the version was not replaced while it was read, before it ends the stream.
pub type Body = BoxStream<'static, Result<Bytes, Error>>;

/// What is to be written, in order. An error of the stream, which is whoever's who makes the pieces, ends the writing,
/// and nothing appears.
pub type Pieces<'a> = BoxStream<'a, std::io::Result<Bytes>>;

/// A bucket's implementation.
#[async_trait::async_trait]
pub(super) trait Protocol: Send + Sync {
    /// See [`super::Bucket::list`].
    async fn list(&self, after: Option<&str>) -> Result<Page, Error>;

    /// See [`super::Bucket::read`].
    async fn read(&self, object: &Object) -> Result<Body, Error>;

    /// See [`super::Bucket::write`].
    async fn write(&self, key: &str, content_type: &str, pieces: Pieces<'_>) -> Result<(), Error>;

    /// See [`super::Bucket::move_to`].
    async fn move_to(&self, object: &Object, key: &str) -> Result<(), Error>;

    /// See [`super::Bucket::delete`].
    async fn delete(&self, object: &Object) -> Result<(), Error>;
}
