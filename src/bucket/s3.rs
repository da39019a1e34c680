//! A bucket on S3, or on any server that speaks like it.
//!
//! Between a listing and a read, and during a read, an object can be replaced. So a read asks for the listed ETag, which
//! holds for the whole body: the server answers with that content or not at all. A body that ends before its length is
//! the network's fault, and never passes for the object.

mod writing;

use std::fmt;
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{ProvideCredentials, RequestChecksumCalculation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::Object as Listed;
use futures_util::stream;

use super::protocol::{Body, Page, Pieces, Protocol};
use super::written::is_upload;
use super::{BucketConfig, Error, ErrorKind};
use crate::model::Object;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one attempt to get an answer's head, and a listing's body. An object's body may take as long as it likes, so long
/// as it flows: the SDK's protection against stalled streams, on by default, watches over that.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// The SDK's own retries, within seconds. The worker's, within minutes, come on top.
const ATTEMPTS: u32 = 3;

/// An S3 bucket, from a prefix downward.
pub(super) struct S3 {
    client: Client,
    bucket: String,
    /// Empty, or ending in `/`.
    prefix: String,
    /// Counted from `prefix`.
    own_prefixes: Vec<String>,
}

impl S3 {
    /// Opens a bucket and proves that it can be listed.
    pub async fn open(config: &BucketConfig, bucket: String, prefix: String) -> Result<S3, Error> {
        let region = RegionProviderChain::first_try(config.region.clone().map(Region::new))
            .or_default_provider()
            .or_else("us-east-1"); // which servers other than AWS's take, and AWS answers with the right one
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        if let Some(endpoint_url) = &config.endpoint_url {
            loader = loader.endpoint_url(endpoint_url);
        }
        let shared = loader.load().await;
        let client_config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(config.force_path_style)
            // Not every server knows the newer checksums; those that need one are still given it.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .build();
        let s3 = S3 { client: Client::from_conf(client_config), bucket, prefix, own_prefixes: config.own_prefixes() };
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

    async fn request_page(&self, after: Option<&str>, max: Option<i32>) -> Result<ListObjectsV2Output, Error> {
        // Without an encoding type: the SDK would hand us the keys still encoded.
        self.client
            .list_objects_v2()
            .bucket(&self.bucket)
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
    fn object(&self, listed: &Listed) -> Option<Result<Object, Error>> {
        let key = listed.key()?;
        if !is_upload(key.strip_prefix(&self.prefix)?, &self.own_prefixes) {
            return None;
        }
        // Left out without a word, every object of such a server's would be lost.
        let error = || Error::permanent("the server lists no ETag, size or time of", key);
        Some(described(key, listed).ok_or_else(error))
    }
}

fn described(key: &str, listed: &Listed) -> Option<Object> {
    let modified = listed.last_modified()?;
    Some(Object {
        key: key.to_owned(),
        version: version(listed.e_tag()?, modified),
        size: u64::try_from(listed.size()?).ok()?,
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
            objects: output.contents().iter().filter_map(|listed| self.object(listed)).collect::<Result<_, _>>()?,
            next: output.next_continuation_token.filter(|_| truncated),
            unsettled: 0, // an S3 object appears whole or not at all
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
        Ok(body(output.body, object.clone()))
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

/// The bytes as they arrive, counted.
fn body(bytes: ByteStream, object: Object) -> Body {
    Box::pin(stream::unfold(Some((bytes, object, 0)), |state| async {
        let (mut bytes, object, before) = state?;
        match bytes.next().await {
            Some(Ok(chunk)) => {
                let read = before + chunk.len() as u64;
                if read > object.size {
                    let what = format!("the server sends more than {} bytes of", object.size);
                    return Some((Err(Error::transient(what, &object.key)), None));
                }
                Some((Ok(chunk), Some((bytes, object, read))))
            }
            Some(Err(error)) => {
                let what = format!("the connection broke after {before} of {} bytes of", object.size);
                Some((Err(Error::transient(what, &object.key).caused_by(error)), None))
            }
            None if before < object.size => {
                let what = format!("the server sent only {before} of {} bytes of", object.size);
                Some((Err(Error::transient(what, &object.key)), None))
            }
            None => None,
        }
    }))
}

/// Only whole seconds: that is what the head of a read tells, where a listing tells milliseconds.
fn version(etag: &str, modified: &DateTime) -> String {
    format!("{}@{}", etag.trim_matches('"'), modified.secs())
}

fn answered_version(output: &GetObjectOutput) -> Option<String> {
    Some(version(output.e_tag()?, output.last_modified()?))
}

/// What the server answered, in one line: `403 SignatureDoesNotMatch: The request signature …`.
#[derive(Debug)]
struct Answer {
    status: u16,
    code: Option<String>,
    message: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(message) = self.message.as_ref().filter(|message| !message.is_empty()) {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Answer {}

impl Answer {
    fn kind(&self) -> ErrorKind {
        // The code first: S3 says 400 of what is a timeout, and 404 of a missing bucket as of a missing object.
        match (self.code.as_deref(), self.status) {
            (Some("PreconditionFailed"), _) | (_, 412) => ErrorKind::Gone,
            (Some("NoSuchBucket"), _) => ErrorKind::Permanent,
            (Some("NoSuchKey" | "NoSuchVersion"), _) | (_, 404) => ErrorKind::Gone,
            (Some("SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable" | "Throttling"), _) => {
                ErrorKind::Transient
            }
            (_, 408 | 409 | 425 | 429 | 500..) => ErrorKind::Transient,
            // No permission, unknown or wrong keys, an archived object (InvalidObjectState), the wrong region.
            _ => ErrorKind::Permanent,
        }
    }
}

/// Turns the SDK's error into ours. What the server answered is put in words; of all else the SDK's own chain of causes is
/// kept, which ends in something like "Connection refused".
fn failed<E>(what: &str, place: String, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let answer = match &error {
        SdkError::ServiceError(service) => Answer {
            status: service.raw().status().as_u16(),
            code: service.err().code().map(str::to_owned),
            message: service.err().message().map(str::to_owned),
        },
        // It could not even be sent: a bucket's name that is none, an endpoint that is no address.
        SdkError::ConstructionFailure(_) => return Error::permanent(what, place).caused_by(error),
        // No connection, no answer in time, or an answer that makes no sense.
        _ => return Error::transient(what, place).caused_by(error),
    };
    Error::new(answer.kind(), what, place).caused_by(answer)
}
