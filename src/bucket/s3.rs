//! A bucket on S3, or on any server that speaks like it.
//!
//! Between a listing and a read, and during a read, an object can be replaced. So a read asks for the listed ETag,
//! which holds for the whole body: the server answers with that content or not at all. A body that ends before its
//! length is the network's fault, and never passes for the object.

mod body;
mod writing;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{ProvideCredentials, RequestChecksumCalculation, StalledStreamProtectionConfig};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{EncodingType, Object as Listed};

use super::aws::{self, failed};
use super::events::decoded;
use super::protocol::{Body, Page, Pieces, Protocol};
use super::written::is_upload;
use super::{BucketConfig, Error, ErrorKind};
use crate::model::Object;

/// An S3 bucket, from a prefix downward.
pub(super) struct S3 {
    client: Client,
    bucket: String,
    /// Empty, or ending in `/`.
    prefix: String,
    /// Counted from `prefix`.
    own_prefixes: Vec<String>,
    /// How long a read may bring nothing, or too little.
    patience: Duration,
}

impl S3 {
    /// Opens a bucket and proves that it can be listed.
    pub async fn open(config: &BucketConfig, bucket: String, prefix: String) -> Result<S3, Error> {
        let shared = aws::load(config, config.endpoint_url.as_deref()).await;
        let client_config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(config.force_path_style)
            // Not every server knows the newer checksums; those that need one are still given it.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            // What is read is watched by `body`, which bears no trickle: a byte a second is enough for the SDK.
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().download_enabled(false).build())
            .build();
        let s3 = S3 {
            client: Client::from_conf(client_config),
            bucket,
            prefix,
            own_prefixes: config.own_prefixes(),
            patience: Duration::from_secs(config.stall_seconds),
        };
        // The SDK says no more than "dispatch failure" of this, which is the commonest mistake of all.
        if let Some(credentials) = shared.credentials_provider()
            && let Err(error) = credentials.provide_credentials().await
        {
            let what = "no AWS credentials, in the environment or elsewhere in the usual AWS chain, to open";
            return Err(Error::permanent(what, s3.address()).caused_by(error));
        }
        s3.request_page(None, Some(1)).await?;
        Ok(s3)
    }

    /// `s3://bucket`, or `s3://bucket/prefix` without a slash at the end.
    pub fn address(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    /// What lies under a key now; `None` where nothing does, or nothing that can be an upload.
    pub async fn look(&self, key: &str) -> Result<Option<Object>, Error> {
        let is_ours = key.strip_prefix(&self.prefix).is_some_and(|rest| is_upload(rest, &self.own_prefixes));
        if !is_ours {
            return Ok(None);
        }
        let answer = self.client.head_object().bucket(&self.bucket).key(key).send().await;
        match answer.map_err(|error| failed("cannot look at", key.to_owned(), error)) {
            Ok(head) => {
                let error = || Error::permanent("the server tells no ETag, size or time of", key);
                looked_at(key, &head).map(Some).ok_or_else(error)
            }
            Err(error) if error.kind == ErrorKind::Gone => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bucket's own name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn request_page(&self, after: Option<&str>, max: Option<i32>) -> Result<ListObjectsV2Output, Error> {
        self.client
            .list_objects_v2()
            .bucket(&self.bucket)
            // A key may hold what XML cannot, and one such key would make the whole page unreadable.
            .encoding_type(EncodingType::Url)
            .set_prefix(Some(self.prefix.clone()).filter(|prefix| !prefix.is_empty()))
            .set_continuation_token(after.map(str::to_owned))
            .set_max_keys(max)
            .send()
            .await
            .map_err(|error| match failed("cannot list", self.address(), error) {
                // What is gone when there is nothing to list is not an object.
                error if error.kind == ErrorKind::Gone => Error { kind: ErrorKind::Permanent, ..error },
                error => error,
            })
    }

    /// What the listing says of an object; `None` where it can be no upload.
    fn object(&self, listed: &Listed, encoding: Option<&EncodingType>) -> Option<Result<Object, Error>> {
        let key = match encoding {
            // The SDK hands the keys on as the server wrote them.
            Some(EncodingType::Url) => decoded(listed.key()?),
            _ => listed.key().map(str::to_owned),
        };
        let Some(key) = key.as_deref() else {
            tracing::warn!(key = listed.key(), "an object's key is not UTF-8; rename it to have it loaded");
            return None;
        };
        if !is_upload(key.strip_prefix(&self.prefix)?, &self.own_prefixes) {
            return None;
        }
        // Left out without a word, every object of such a server's would be lost.
        let error = || Error::permanent("the server lists no ETag, size or time of", key);
        Some(described(key, listed).ok_or_else(error))
    }
}

fn described(key: &str, listed: &Listed) -> Option<Object> {
    object(key, listed.e_tag()?, listed.last_modified()?, listed.size()?)
}

fn looked_at(key: &str, head: &HeadObjectOutput) -> Option<Object> {
    object(key, head.e_tag()?, head.last_modified()?, head.content_length()?)
}

fn object(key: &str, etag: &str, modified: &DateTime, size: i64) -> Option<Object> {
    Some(Object {
        key: key.to_owned(),
        version: version(etag, modified),
        size: u64::try_from(size).ok()?,
        modified: chrono::DateTime::from_timestamp(modified.secs(), modified.subsec_nanos())?,
    })
}

#[async_trait::async_trait]
impl Protocol for S3 {
    async fn list(&self, after: Option<&str>) -> Result<Page, Error> {
        let output = self.request_page(after, None).await?;
        let truncated = output.is_truncated == Some(true);
        if truncated && output.next_continuation_token.is_none() {
            // Taken for the end, this would lose every later object without a word.
            return Err(Error::transient("the server says there is more, but not how to get it, in", self.address()));
        }
        Ok(Page {
            objects: output
                .contents()
                .iter()
                .filter_map(|listed| self.object(listed, output.encoding_type()))
                .collect::<Result<_, _>>()?,
            next: output.next_continuation_token.filter(|_| truncated),
            unsettled: Vec::new(), // an S3 object appears whole or not at all
        })
    }

    async fn read(&self, object: &Object) -> Result<Body, Error> {
        let etag = etag_of(object)?;
        let output = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&object.key)
            .if_match(etag)
            .send()
            .await
            .map_err(|error| failed("cannot read", object.key.clone(), error))?;
        // Asked again here, because the same content put once more has the same ETag, and because not every server that
        // takes If-Match heeds it.
        if answered_version(&output).as_ref() != Some(&object.version) {
            return Err(Error::gone("replaced since it was listed:", &object.key));
        }
        if output.content_length.and_then(|length| u64::try_from(length).ok()) != Some(object.size) {
            let what = format!("the server announces {:?} and not {} bytes of", output.content_length, object.size);
            return Err(Error::transient(what, &object.key));
        }
        Ok(body::body(output.body, object.clone(), self.patience))
    }

    async fn write(&self, key: &str, content_type: &str, pieces: Pieces<'_>) -> Result<(), Error> {
        self.put(&format!("{}{key}", self.prefix), content_type, pieces).await
    }

    async fn move_to(&self, object: &Object, key: &str) -> Result<(), Error> {
        self.copy_and_delete(object, &format!("{}{key}", self.prefix)).await
    }

    async fn delete(&self, object: &Object) -> Result<(), Error> {
        self.delete_version(object).await
    }
}

/// The ETag of a version of ours, in its quotes, as conditions take it.
fn etag_of(object: &Object) -> Result<String, Error> {
    match object.version.rsplit_once('@') {
        Some((etag, _)) => Ok(format!("\"{etag}\"")),
        None => Err(Error::permanent("no version of an S3 object's:", &object.key)),
    }
}

/// Only whole seconds: that is what the head of a read tells, where a listing tells milliseconds.
fn version(etag: &str, modified: &DateTime) -> String {
    format!("{}@{}", etag.trim_matches('"'), modified.secs())
}

fn answered_version(output: &GetObjectOutput) -> Option<String> {
    Some(version(output.e_tag()?, output.last_modified()?))
}
