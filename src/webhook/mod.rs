//! Webhooks: messages to other programs, over HTTP, signed. Edge.
//!
//! They follow the Standard Webhooks specification (standardwebhooks.com, version 1): the headers `webhook-id`,
//! `webhook-timestamp` and `webhook-signature`, and a body of `type`, `timestamp` and `data`. One call here is one try;
//! the store remembers what was told, and the worker tries again.

mod signature;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::SecondsFormat;
use reqwest::{StatusCode, Url, redirect};

use crate::model::{Event, Message};
use signature::Keys;
pub use signature::Secret;

/// One `[webhooks.NAME]` section.
#[derive(Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where messages are posted: `https://…`, or `http://…` in a network of one's own. May hold a secret: never
    /// printed.
    pub url: String,
    /// What it is told of; not set: everything.
    pub events: Option<Vec<Event>>,
    /// The campaigns that it is told of, by name; not set: all, and uploads that belong to none.
    pub campaigns: Option<Vec<String>>,
    /// What its messages are signed with. From the environment: `BATCHDROP_WEBHOOKS_NAME_SECRET`.
    pub secret: Option<Secret>,
    /// How long the receiver may take to answer; default 15.
    pub timeout_seconds: Option<u64>,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookConfig({:?}, {:?})", self.events, self.campaigns)
    }
}

/// One that messages go to. Cheap to clone.
#[derive(Clone)]
pub struct Webhook {
    /// Its configured name.
    pub name: String,
    /// How long a try takes at most.
    pub timeout: Duration,
    url: Url,
    events: Vec<Event>,
    campaigns: Option<Vec<String>>,
    keys: Keys,
    client: reqwest::Client,
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// It may be at another time.
    Trouble(String),
    /// The receiver wants none of it, now and for ever.
    Gone(String),
}

impl WebhookConfig {
    /// What is wrong with it, without a look at its secret, which only those need who deliver.
    pub fn problem(&self) -> Option<String> {
        let is_web = |url: Url| matches!(url.scheme(), "https" | "http") && url.has_host();
        if !self.url.parse().is_ok_and(is_web) {
            return Some("url must be an address such as \"https://example.com/hooks\"".to_owned());
        }
        if self.events.as_ref().is_some_and(Vec::is_empty) {
            return Some("events must name one event at least; leave it out for all of them".to_owned());
        }
        if self.timeout_seconds.is_some_and(|seconds| !(1..=60).contains(&seconds)) {
            return Some("timeout_seconds must lie between 1 and 60".to_owned());
        }
        None
    }
}

impl Webhook {
    /// The receiver of this section.
    ///
    /// # Errors
    /// Something is wrong with it; the text is for its operator.
    pub fn new(name: &str, config: &WebhookConfig) -> Result<Webhook, String> {
        if let Some(problem) = config.problem() {
            return Err(problem);
        }
        let secret = config.secret.as_ref().ok_or_else(|| {
            let variable = name.to_ascii_uppercase().replace('-', "_");
            format!("secret is not set: put it in BATCHDROP_WEBHOOKS_{variable}_SECRET; {}", Secret::FORM)
        })?;
        let timeout = Duration::from_secs(config.timeout_seconds.unwrap_or(15));
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("batchdrop/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("cannot be used: {}", told(error)))?;
        Ok(Webhook {
            name: name.to_owned(),
            timeout,
            url: config.url.parse().map_err(|_| "url is no address".to_owned())?,
            events: config.events.clone().unwrap_or_else(|| Event::ALL.to_vec()),
            campaigns: config.campaigns.clone(),
            keys: secret.keys()?,
            client,
        })
    }

    /// Whether it is to be told of this; `None`: of something that belongs to no campaign.
    pub fn wants(&self, event: Event, campaign: Option<&str>) -> bool {
        let is_its_campaign =
            |names: &Vec<String>| campaign.is_some_and(|name| names.iter().any(|known| known == name));
        self.events.contains(&event) && self.campaigns.as_ref().is_none_or(is_its_campaign)
    }

    /// Tries once to deliver a message. Any answer but a 2xx means that it is not delivered; a redirect is not
    /// followed.
    pub async fn deliver(&self, message: &Message) -> Result<(), Undelivered> {
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let body = body(message);
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &message.message_id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.keys.sign(&message.message_id, timestamp, &body))
            .body(body);
        match request.send().await.map(|response| response.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(StatusCode::GONE) => Err(Undelivered::Gone("the receiver answered 410 Gone".to_owned())),
            Ok(status) if status.is_redirection() => {
                Err(Undelivered::Trouble(format!("the receiver answered {status}; redirects are not followed")))
            }
            Ok(status) => Err(Undelivered::Trouble(format!("the receiver answered {status}"))),
            Err(error) => Err(Undelivered::Trouble(told(error))),
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.name)
    }
}

/// The same bytes in every try.
fn body(message: &Message) -> String {
    let at = message.created_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    format!(r#"{{"type":"{}","timestamp":"{at}","data":{}}}"#, message.event, message.data)
}

/// The error with its causes, without the address, which may hold a secret.
fn told(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "the receiver did not answer in time".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(secret: &str) -> WebhookConfig {
        WebhookConfig {
            url: "https://user:hidden@example.com/hooks?token=hidden".to_owned(),
            events: Some(vec![Event::BatchFailed, Event::UploadRejected]),
            campaigns: Some(vec!["late".to_owned()]),
            secret: Some(secret.parse().expect("any text")),
            timeout_seconds: None,
        }
    }

    #[test]
    fn a_webhook_is_told_of_its_events_and_campaigns_alone() {
        let mut config = config("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let webhook = Webhook::new("ops", &config).expect("valid");
        assert!(webhook.wants(Event::BatchFailed, Some("late")));
        assert!(!webhook.wants(Event::BatchLoaded, Some("late")) && !webhook.wants(Event::BatchFailed, Some("l")));
        assert!(!webhook.wants(Event::BatchFailed, None), "it belongs to no campaign");
        (config.events, config.campaigns) = (None, None);
        let webhook = Webhook::new("ops", &config).expect("valid");
        assert!(Event::ALL.into_iter().all(|event| webhook.wants(event, None) && webhook.wants(event, Some("x"))));
    }

    #[test]
    fn what_is_wrong_is_said_and_no_secret_is_shown() {
        let good = config("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let shown = format!("{good:?} {:?}", Webhook::new("ops", &good));
        assert!(!shown.contains("hidden") && !shown.contains("MfKQ"), "{shown}");
        let missing = WebhookConfig { secret: None, ..good.clone() };
        let why = Webhook::new("ops-team", &missing).expect_err("no secret");
        assert!(
            why.starts_with("secret is not set: put it in BATCHDROP_WEBHOOKS_OPS_TEAM_SECRET; it is whsec_"),
            "{why}"
        );
        for (url, expected) in [
            ("ftp://example.com", Some("url must be an address such as \"https://example.com/hooks\"")),
            ("example.com", Some("url must be an address such as \"https://example.com/hooks\"")),
            ("http://127.0.0.1:9/x", None),
        ] {
            let problem = WebhookConfig { url: url.to_owned(), ..good.clone() }.problem();
            assert_eq!(problem.as_deref(), expected, "{url}");
        }
    }
}
