//! What all calls to AWS share: where they go and how long they may take, and what an answer means.

use std::fmt;
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::{BucketConfig, Error, ErrorKind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one attempt to get an answer's head, and a listing's body. An object's body may take as long as it likes, so
/// long as it flows: `s3::body` watches over that.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// The SDK's own retries, within seconds. The worker's, within minutes, come on top.
const ATTEMPTS: u32 = 3;

/// Time limits, retries, region and credentials (the usual AWS chain) for calls to a server.
pub(super) async fn load(config: &BucketConfig, endpoint_url: Option<&str>) -> SdkConfig {
    let region = RegionProviderChain::first_try(config.region.clone().map(Region::new))
        .or_default_provider()
        .or_else("us-east-1"); // which servers other than AWS's take, and AWS answers with the right one
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .timeout_config(timeouts(ATTEMPT_TIMEOUT))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Some(endpoint_url) = endpoint_url {
        loader = loader.endpoint_url(endpoint_url);
    }
    loader.load().await
}

pub(super) fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(attempt).build()
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

/// Turns the SDK's error into ours. What the server answered is put in words; of all else the SDK's own chain of causes
/// is kept, which ends in something like "Connection refused".
pub(super) fn failed<E>(what: &str, place: String, error: SdkError<E>) -> Error
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
