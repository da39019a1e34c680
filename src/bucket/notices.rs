//! Notices of what was dropped. In an S3 bucket they are the messages of its queue, and for each key they name, what
//! lies there now.
//!
//! What a message says of an object is not used: it may be old, or out of order. The bucket is asked, and answers as
//! its listing would, so that the ledger knows the version by the same name whichever of the two saw it first.

use std::sync::Arc;

use futures_util::future::join_all;

use super::queue::{Message, Queue};
use super::s3::S3;
use super::{BucketConfig, Error, events::Told};
use crate::model::Object;

/// How often a message that nobody understands is received before it is dropped, where the queue has no rule for such.
const PATIENCE: u32 = 5;

/// A message of the queue, and what it led to.
#[derive(Debug)]
pub struct Notice {
    /// What lies under the keys that it names; empty where nothing does that could be an upload. An error leaves the
    /// notice to come again.
    pub objects: Result<Vec<Object>, Error>,
    /// Why nobody understands the message. It is not to be taken back, unless `is_hopeless`.
    pub not_understood: Option<&'static str>,
    /// It will not be understood the next time either, and the queue has no dead-letter queue that would take it.
    pub is_hopeless: bool,
    /// `None` where a folder tells: there is nothing to take back.
    message: Option<Message>,
}

impl Notice {
    /// What a folder tells of.
    pub(super) fn of(objects: Vec<Object>) -> Notice {
        Notice { objects: Ok(objects), not_understood: None, is_hopeless: false, message: None }
    }

    /// The queue's own name for the message.
    pub fn message_id(&self) -> Option<&str> {
        self.message.as_ref().map(|message| message.id.as_str())
    }
}

/// An S3 bucket's queue.
pub(super) struct Notices {
    queue: Queue,
    s3: Arc<S3>,
}

impl Notices {
    pub async fn open(config: &BucketConfig, url: &str, s3: Arc<S3>) -> Result<Notices, Error> {
        Ok(Notices { queue: Queue::open(config, url.to_owned(), s3.bucket().to_owned()).await?, s3 })
    }

    pub async fn wait(&self) -> Result<Vec<Notice>, Error> {
        let messages = self.queue.receive().await?;
        // At once: a question takes some milliseconds, and the messages will not be ours for ever.
        Ok(join_all(messages.into_iter().map(|message| self.look_into(message))).await)
    }

    pub async fn heeded(&self, notice: &Notice) -> Result<(), Error> {
        match &notice.message {
            Some(message) => self.queue.delete(message).await,
            None => Ok(()),
        }
    }

    pub async fn dead_letters(&self) -> Result<Option<u64>, Error> {
        self.queue.dead_letters().await
    }

    async fn look_into(&self, message: Message) -> Notice {
        let (objects, not_understood) = match &message.told {
            Told::Written(keys) => (self.objects(keys).await, None),
            Told::NotUnderstood(why) => (Ok(Vec::new()), Some(*why)),
        };
        let is_hopeless = not_understood.is_some()
            && message.received >= PATIENCE
            && self.queue.dead_letter_queue().await.is_ok_and(|queue| queue.is_none());
        Notice { objects, not_understood, is_hopeless, message: Some(message) }
    }

    async fn objects(&self, keys: &[String]) -> Result<Vec<Object>, Error> {
        let mut keys: Vec<&String> = keys.iter().collect();
        keys.sort();
        keys.dedup();
        let looks = join_all(keys.into_iter().map(|key| self.s3.look(key))).await;
        looks.into_iter().filter_map(Result::transpose).collect()
    }
}
