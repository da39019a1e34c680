//! An SQS queue of S3's event notifications.
//!
//! A message is deleted only after everything that it tells of stands in the ledger; from then on the ledger sees to
//! it, and the message has nothing left to say. A worker that dies before that leaves the message to be delivered
//! again, which does no harm. A message that nobody understands is left to the queue's own rule for such (its
//! dead-letter queue), and what lies there is counted.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use super::aws::{self, failed};
use super::events::{self, Told};
use super::{BucketConfig, Error};

/// How long SQS holds the question while there is nothing to say; twenty seconds is its most.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Of SQS's most.
const MESSAGES: i32 = 10;

/// The queue that a bucket's notifications are sent to.
pub(super) struct Queue {
    client: Client,
    url: String,
    bucket: String,
}

/// A message that was received and not yet deleted.
#[derive(Debug)]
pub(super) struct Message {
    /// What it tells of.
    pub told: Told,
    /// SQS's own name for it, for logs.
    pub id: String,
    /// How often it was received, this time included.
    pub received: u32,
    /// What deletes it, until it is delivered anew.
    pub handle: String,
}

impl Queue {
    /// Opens the queue and proves that it answers.
    pub async fn open(config: &BucketConfig, url: String, bucket: String) -> Result<Queue, Error> {
        // The queue's address tells its server, which is not the bucket's.
        let authority_end = url.match_indices('/').nth(2).map(|(at, _)| at);
        let Some(endpoint) = authority_end.filter(|_| url.starts_with("http")).map(|end| &url[..end]) else {
            let what = "not a queue's address, which looks like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME:";
            return Err(Error::permanent(what, url));
        };
        let shared = aws::load(config, Some(endpoint)).await;
        // A long poll is answered when it is over.
        let timeouts = aws::timeouts(LONG_POLL + aws::ATTEMPT_TIMEOUT);
        let config = aws_sdk_sqs::config::Builder::from(&shared).timeout_config(timeouts).build();
        let queue = Queue { client: Client::from_conf(config), url, bucket };
        queue.attribute(&queue.url, QueueAttributeName::RedrivePolicy).await?;
        Ok(queue)
    }

    /// The address of the queue for messages that are received in vain too often; `None`: they come for ever.
    pub async fn dead_letter_queue(&self) -> Result<Option<String>, Error> {
        let policy = self.attribute(&self.url, QueueAttributeName::RedrivePolicy).await?;
        let unclear = || Error::permanent("the redrive policy is none that SQS would give, of the queue", &self.url);
        policy.map(|policy| beside(&self.url, &policy).ok_or_else(unclear)).transpose()
    }

    /// How many messages lie in that queue, by SQS's own estimate; `None` where there is none.
    pub async fn dead_letters(&self) -> Result<Option<u64>, Error> {
        let Some(url) = self.dead_letter_queue().await? else { return Ok(None) };
        let count = self.attribute(&url, QueueAttributeName::ApproximateNumberOfMessages).await?;
        Ok(count.and_then(|count| count.parse().ok()))
    }

    async fn attribute(&self, url: &str, name: QueueAttributeName) -> Result<Option<String>, Error> {
        let asked = self.client.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await;
        let answer = asked.map_err(|error| failed("cannot ask the queue", url.to_owned(), error))?;
        Ok(answer.attributes.and_then(|mut all| all.remove(&name)))
    }

    /// Waits for messages; none after twenty seconds without any.
    pub async fn receive(&self) -> Result<Vec<Message>, Error> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(MESSAGES)
            .wait_time_seconds(LONG_POLL.as_secs() as i32)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| failed("cannot receive from the queue", self.url.clone(), error))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        let read = |message: aws_sdk_sqs::types::Message| {
            let count = |all: std::collections::HashMap<_, String>| {
                all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()
            };
            Some(Message {
                told: events::read(message.body.as_deref().unwrap_or_default(), &self.bucket),
                id: message.message_id.unwrap_or_default(),
                received: message.attributes.and_then(count).unwrap_or(1),
                handle: message.receipt_handle?,
            })
        };
        Ok(messages.filter_map(read).collect())
    }

    /// Deletes a message. One whose handle has run out is delivered again, and tells nothing new then.
    pub async fn delete(&self, message: &Message) -> Result<(), Error> {
        let deleted = self.client.delete_message().queue_url(&self.url).receipt_handle(&message.handle).send().await;
        deleted.map(|_| ()).map_err(|error| failed("cannot delete from the queue", self.url.clone(), error))
    }
}

/// The address of the queue that a redrive policy names: SQS has it in the same account and region, and so it differs
/// from the address of its source in the name alone.
fn beside(url: &str, policy: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let (_, name) = policy["deadLetterTargetArn"].as_str()?.rsplit_once(':')?;
    Some(format!("{}/{name}", url.trim_end_matches('/').rsplit_once('/')?.0))
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn dead_letters_lie_beside_their_queue() {
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:4711:calls-dead","maxReceiveCount":5}"#;
        let url = "https://sqs.eu-central-1.amazonaws.com/4711/calls";
        assert_eq!(beside(url, policy).as_deref(), Some("https://sqs.eu-central-1.amazonaws.com/4711/calls-dead"));
        assert_eq!(beside(url, "{}"), None);
        assert_eq!(beside(url, ""), None);
    }
}
