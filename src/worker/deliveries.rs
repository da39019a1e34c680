//! Delivering what webhooks are told, beside the work and never in its way.
//!
//! The messages stand in the store since the commit that they tell of. Each webhook has one slot that delivers to it, a
//! message at a time, so that a slow receiver delays itself alone. What was not taken is tried again, by whichever
//! worker comes first; a message may come more than once, and always with the same id.

use std::sync::Arc;
use std::time::Duration;

use super::watch::{IDLE, Run};
use super::{Worker, backoff};
use crate::model::{Event, Message};
use crate::store::ErrorKind;
use crate::telemetry::metrics;
use crate::webhook::{Undelivered, Webhook};
use crate::{fail_point, store, telemetry};

/// How long a message is tried for before it is given up.
const PATIENCE: Duration = Duration::from_secs(3 * 86_400);
/// The longest wait between two tries of one message.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What became of a message in the hands of this worker.
enum Delivery {
    Delivered,
    /// It will be tried again.
    PutOff,
    GivenUp,
    GivenBack,
    /// Another worker took it over.
    Lost,
}

impl Delivery {
    /// The word under which it is counted.
    fn word(&self) -> &'static str {
        match self {
            Delivery::Delivered => "delivered",
            Delivery::PutOff => "put_off",
            Delivery::GivenUp => "given_up",
            Delivery::GivenBack => "given_back",
            Delivery::Lost => "lost",
        }
    }
}

impl Worker {
    /// The webhooks that are to be told of this, by name.
    pub(super) fn webhooks_for(&self, event: Event, campaign: Option<&str>) -> Vec<String> {
        let wanting = self.webhooks.iter().filter(|webhook| webhook.wants(event, campaign));
        wanting.map(|webhook| webhook.name.clone()).collect()
    }
}

impl Run {
    /// One webhook's slot. Draining delivers what is due once all else is done; a receiver that does not take it then
    /// is left to the next run.
    pub(super) async fn deliver_to(self: Arc<Self>, webhook: Webhook) {
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            // Made before the question, so that what ends between the answer and the wait is not missed.
            let ending = self.endings.notified();
            let is_last_look = self.is_done();
            match self.deliver_next(&webhook).await {
                Ok(Some(Delivery::PutOff)) if self.mode.drains() => {
                    return self.leave_trouble();
                }
                // What else is due to it waits as well: it would only fail too.
                Ok(Some(Delivery::PutOff)) => _ = self.give_up(&mut failures).await,
                Ok(Some(_)) => failures = 0,
                Ok(None) if is_last_look => return,
                Ok(None) => tokio::select! {
                    () = ending => {}
                    () = self.sleep(IDLE) => {}
                },
                Err(error) => {
                    tracing::warn!(webhook = webhook.name, error = telemetry::chain(&error), "no message was claimed");
                    if self.give_up(&mut failures).await {
                        return;
                    }
                }
            }
        }
    }

    /// Tries one message; `None` where none is due.
    async fn deliver_next(&self, webhook: &Webhook) -> Result<Option<Delivery>, store::Error> {
        let store = &self.worker.store;
        // A try ends before its lease does.
        let lease = webhook.timeout + self.worker.config.lease();
        let Some(message) = store.claim_message(&webhook.name, lease).await? else { return Ok(None) };
        let tried = tokio::select! {
            tried = try_once(webhook, &message) => Some(tried),
            () = self.stop.cancelled() => None,
        };
        let ended = match &tried {
            Some(Ok(())) => store.end_message(&message, None).await.map(|()| Delivery::Delivered),
            Some(Err(Undelivered::Gone(why))) => {
                store.end_message(&message, Some(why)).await.map(|()| Delivery::GivenUp)
            }
            Some(Err(Undelivered::Trouble(trouble))) => {
                let first = Duration::from_millis(self.worker.config.retry_ms);
                let wait = backoff(first, message.attempt, LONGEST_WAIT);
                let given_up = store.put_off_message(&message, trouble, wait, PATIENCE).await;
                given_up.map(|given_up| if given_up { Delivery::GivenUp } else { Delivery::PutOff })
            }
            None => store.give_back_message(&message).await.map(|()| Delivery::GivenBack),
        };
        let delivery = match ended {
            Ok(delivery) => delivery,
            Err(error) if error.kind == ErrorKind::Fenced => Delivery::Lost,
            Err(error) => return Err(error),
        };
        metrics().told(delivery.word());
        let (name, message_id, tries) = (webhook.name.as_str(), message.message_id.as_str(), message.attempt);
        let error = match &tried {
            Some(Err(Undelivered::Gone(why) | Undelivered::Trouble(why))) => why.as_str(),
            _ => "",
        };
        match &delivery {
            Delivery::Delivered => tracing::debug!(webhook = name, message_id, "message delivered"),
            Delivery::PutOff => tracing::warn!(webhook = name, message_id, error, tries, "message put off"),
            Delivery::GivenUp => tracing::error!(webhook = name, message_id, error, tries, "message given up"),
            Delivery::GivenBack => tracing::info!(webhook = name, message_id, "message given back"),
            Delivery::Lost => tracing::warn!(webhook = name, message_id, "message taken over by another worker"),
        }
        Ok(Some(delivery))
    }
}

async fn try_once(webhook: &Webhook, message: &Message) -> Result<(), Undelivered> {
    fail_point::reach("tell", &message.event).map_err(Undelivered::Trouble)?;
    webhook.deliver(message).await?;
    fail_point::reach("told", &message.event).map_err(Undelivered::Trouble)
}
