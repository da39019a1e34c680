//! Writing to S3: small objects in one request, large ones in parts; moving is copying and deleting.
//!
//! A move or a delete is meant for one version. The object is looked at right before, the copy asks for the ETag, and
//! so does the deletion: AWS heeds that, a server that does not leaves the moment between the look and the deletion
//! open.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::{S3, etag_of, failed, version};
use crate::bucket::{Error, ErrorKind, Pieces};
use crate::model::Object;

/// What is larger than this is written in parts of this size: so much is in memory.
const PART: usize = 8 << 20;
/// What is larger than this is copied in parts, since a request for the whole might take longer than a request may.
const COPIED_AT_ONCE: u64 = 64 << 20;
/// S3's limit on the parts of an object.
const MOST_PARTS: u64 = 10_000;

/// A multipart upload under way.
struct Upload<'a> {
    key: &'a str,
    id: String,
    parts: Vec<CompletedPart>,
}

impl Upload<'_> {
    fn next_number(&self) -> i32 {
        self.parts.len() as i32 + 1
    }

    fn add(&mut self, etag: Option<String>) {
        let number = self.next_number();
        self.parts.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
    }
}

impl S3 {
    /// Writes an object under its full key.
    pub(super) async fn put(&self, key: &str, content_type: &str, mut pieces: Pieces<'_>) -> Result<(), Error> {
        let first = next_part(key, &mut pieces).await?;
        if first.len() < PART {
            let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type);
            let done = put.body(first.into()).send().await;
            return done.map(drop).map_err(|error| not_an_object(failed("cannot write", key.to_owned(), error)));
        }
        let mut upload = self.begin(key, Some(content_type)).await?;
        let written = self.put_parts(&mut upload, first, pieces).await;
        self.end(upload, written).await
    }

    async fn put_parts(&self, upload: &mut Upload<'_>, first: Bytes, mut pieces: Pieces<'_>) -> Result<(), Error> {
        let mut part = first;
        while !part.is_empty() {
            let is_last = part.len() < PART;
            let request = self.client.upload_part().bucket(&self.bucket).key(upload.key).upload_id(&upload.id);
            let request = request.part_number(upload.next_number()).body(part.into());
            let done = request.send().await.map_err(|error| failed("cannot write", upload.key.to_owned(), error))?;
            upload.add(done.e_tag);
            part = if is_last { Bytes::new() } else { next_part(upload.key, &mut pieces).await? };
        }
        Ok(())
    }

    async fn begin<'a>(&self, key: &'a str, content_type: Option<&str>) -> Result<Upload<'a>, Error> {
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let begun = request.set_content_type(content_type.map(str::to_owned)).send().await;
        let begun = begun.map_err(|error| not_an_object(failed("cannot write", key.to_owned(), error)))?;
        let id = begun.upload_id.ok_or_else(|| Error::transient("the server gives no number to the upload of", key))?;
        Ok(Upload { key, id, parts: Vec::new() })
    }

    /// Makes the parts an object, or takes them away: nobody sees them, but they would be paid for.
    async fn end(&self, upload: Upload<'_>, written: Result<(), Error>) -> Result<(), Error> {
        let Upload { key, id, parts } = upload;
        let completed = match written {
            Ok(()) => {
                let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
                let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(&id);
                let done = request.multipart_upload(parts).send().await;
                done.map(drop).map_err(|error| failed("cannot write", key.to_owned(), error))
            }
            Err(error) => Err(error),
        };
        if completed.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(&id);
            if let Err(error) = abort.send().await {
                tracing::warn!(key, %error, "the parts of an object that was not finished are left in the bucket");
            }
        }
        completed
    }

    /// See [`crate::bucket::Bucket::move_to`].
    pub(super) async fn copy_and_delete(&self, object: &Object, to: &str) -> Result<(), Error> {
        let Some(head) = self.head_of(object).await? else {
            // An earlier attempt may have moved it, and not have lived to tell.
            return match self.head(to).await? {
                Some(head) if head.content_length == i64::try_from(object.size).ok() => Ok(()),
                _ => Err(gone(object)),
            };
        };
        if object.size > COPIED_AT_ONCE {
            let mut upload = self.begin(to, head.content_type.as_deref()).await?;
            let copied = self.copy_parts(object, &mut upload).await;
            self.end(upload, copied).await?;
        } else {
            let request = self.client.copy_object().bucket(&self.bucket).key(to).copy_source(self.source(object));
            let done = request.copy_source_if_match(etag_of(object)?).send().await;
            done.map_err(|error| failed("cannot copy", object.key.clone(), error))?;
        }
        match self.delete_version(object).await {
            // It is where it belongs; what has taken its place meanwhile is an upload of its own.
            Err(error) if error.kind == ErrorKind::Gone => Ok(()),
            result => result,
        }
    }

    async fn copy_parts(&self, object: &Object, upload: &mut Upload<'_>) -> Result<(), Error> {
        let size = COPIED_AT_ONCE.max(object.size.div_ceil(MOST_PARTS));
        let mut start = 0;
        while start < object.size {
            let end = (start + size).min(object.size);
            let request = self.client.upload_part_copy().bucket(&self.bucket).key(upload.key).upload_id(&upload.id);
            let request = request.copy_source(self.source(object)).copy_source_if_match(etag_of(object)?);
            let request = request.part_number(upload.next_number());
            let request = request.copy_source_range(format!("bytes={start}-{}", end - 1)).customize();
            // Ceph's gateway asks for the length of a body that is none, which the SDK leaves out.
            let request = request.mutate_request(|request| _ = request.headers_mut().insert("content-length", "0"));
            let done = request.send().await;
            let done = done.map_err(|error| failed("cannot copy", object.key.clone(), error))?;
            upload.add(done.copy_part_result.and_then(|result| result.e_tag));
            start = end;
        }
        Ok(())
    }

    /// See [`crate::bucket::Bucket::delete`].
    pub(super) async fn delete_version(&self, object: &Object) -> Result<(), Error> {
        if self.head_of(object).await?.is_none() {
            return match self.head(&object.key).await? {
                None => Ok(()),
                Some(_) => Err(gone(object)),
            };
        }
        let delete = || self.client.delete_object().bucket(&self.bucket).key(&object.key);
        let done = match delete().if_match(etag_of(object)?).send().await {
            // A server that says that it does not know the condition.
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 501) => {
                delete().send().await
            }
            done => done,
        };
        match done.map_err(|error| failed("cannot delete", object.key.clone(), error)) {
            Err(error) if error.kind == ErrorKind::Gone => Err(gone(object).caused_by(error)),
            done => done.map(drop),
        }
    }

    /// The object's head, if it is this version still.
    async fn head_of(&self, object: &Object) -> Result<Option<HeadObjectOutput>, Error> {
        let is_version = |head: &HeadObjectOutput| match (head.e_tag(), head.last_modified()) {
            (Some(etag), Some(modified)) => version(etag, modified) == object.version,
            _ => false,
        };
        Ok(self.head(&object.key).await?.filter(is_version))
    }

    async fn head(&self, key: &str) -> Result<Option<HeadObjectOutput>, Error> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => Ok(Some(head)),
            Err(error) => match failed("cannot look at", key.to_owned(), error) {
                error if error.kind == ErrorKind::Gone => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The object as a header names it: percent-encoded, since a key may hold any character.
    fn source(&self, object: &Object) -> String {
        let mut source = format!("{}/", self.bucket);
        for byte in object.key.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => source.push(byte.into()),
                _ => source.push_str(&format!("%{byte:02X}")),
            }
        }
        source
    }
}

/// Takes pieces until there is enough for a part; less only at the end.
async fn next_part(key: &str, pieces: &mut Pieces<'_>) -> Result<Bytes, Error> {
    let mut part = BytesMut::new();
    while part.len() < PART {
        match pieces.next().await {
            Some(Ok(piece)) => part.extend_from_slice(&piece),
            Some(Err(error)) => {
                return Err(Error::transient("what is to be written could not be had:", key).caused_by(error));
            }
            None => break,
        }
    }
    Ok(part.freeze())
}

/// What is gone when something is written anew is not an object, but the bucket.
fn not_an_object(error: Error) -> Error {
    match error.kind {
        ErrorKind::Gone => Error { kind: ErrorKind::Permanent, ..error },
        _ => error,
    }
}

fn gone(object: &Object) -> Error {
    Error::gone("replaced or deleted since it was read:", &object.key)
}
