//! The bytes of an object as they arrive: counted, since a body that ends early must not pass for the object; and
//! timed, since one that trickles would hold its slot and its lease for days.

use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, timeout};

use crate::bucket::{Body, Error};
use crate::model::Object;

/// What comes slower than this is given up: far below what any connection brings that is in order.
const LEAST_BYTES_A_SECOND: u64 = 1024;

/// The body of a version, which ends without an error only after all of its bytes. `patience` is how long the server
/// may bring nothing, or too little.
pub(super) fn body(bytes: ByteStream, object: Object, patience: Duration) -> Body {
    let arriving = Arriving { bytes, object, read: 0, patience, waited: Duration::ZERO, brought: 0 };
    Box::pin(stream::unfold(Some(arriving), |arriving| async {
        let mut arriving = arriving?;
        match arriving.next().await {
            Ok(Some(chunk)) => Some((Ok(chunk), Some(arriving))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Arriving {
    bytes: ByteStream,
    object: Object,
    read: u64,
    patience: Duration,
    /// How long this span of `patience` has lasted. Only waiting for the server counts, not what the reader takes
    /// meanwhile.
    waited: Duration,
    /// What came in it.
    brought: u64,
}

impl Arriving {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let (before, size, key) = (self.read, self.object.size, self.object.key.clone());
        match self.chunk().await? {
            Some(Ok(chunk)) => {
                self.read += chunk.len() as u64;
                if self.read > size {
                    return Err(Error::transient(format!("the server sends more than {size} bytes of"), key));
                }
                Ok(Some(chunk))
            }
            Some(Err(error)) => {
                let what = format!("the connection broke after {before} of {size} bytes of");
                Err(Error::transient(what, key).caused_by(error))
            }
            None if before < size => {
                Err(Error::transient(format!("the server sent only {before} of {size} bytes of"), key))
            }
            None => Ok(None),
        }
    }

    /// What comes next, unless it comes too slowly. What is there already is taken, however late it is.
    async fn chunk(&mut self) -> Result<Option<Result<Bytes, ByteStreamError>>, Error> {
        loop {
            let start = Instant::now();
            let next = timeout(self.patience.saturating_sub(self.waited), self.bytes.next()).await;
            self.waited += start.elapsed();
            if let Ok(next) = next {
                self.brought += next.as_ref().and_then(|chunk| chunk.as_ref().ok()).map_or(0, Bytes::len) as u64;
                return Ok(next);
            }
            let Object { key, size, .. } = &self.object;
            if self.brought < LEAST_BYTES_A_SECOND.saturating_mul(self.patience.as_secs()) {
                let (read, brought, seconds) = (self.read, self.brought, self.patience.as_secs());
                let what = format!(
                    "too slow: the server brought {brought} bytes in {seconds} s, and {read} of {size} in all, of"
                );
                return Err(Error::transient(what, key));
            }
            (self.waited, self.brought) = (Duration::ZERO, 0);
        }
    }
}
