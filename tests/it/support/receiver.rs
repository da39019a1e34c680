//! A program that webhooks go to: a real HTTP server that keeps what it was sent, and answers as it is told.

use std::collections::VecDeque;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One request, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn event(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

/// Stopped when dropped.
pub struct Receiver {
    pub url: String,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    /// What is answered next; 200 where nothing is left.
    answers: Mutex<VecDeque<u16>>,
    /// A request is answered when it gets a permit.
    permits: Semaphore,
}

impl Receiver {
    /// One that answers with these, and then 200.
    pub async fn new(answers: &[u16]) -> Receiver {
        let receiver = Receiver::held(answers).await;
        receiver.release();
        receiver
    }

    /// The same, and none of it before [`Receiver::release`].
    pub async fn held(answers: &[u16]) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks?token=hidden", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            answers: Mutex::new(answers.iter().copied().collect()),
            permits: Semaphore::new(0),
        });
        let routes = Router::new().fallback(receive).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Receiver { url, shared, _serving: AbortOnDropHandle::new(serving) }
    }

    pub fn release(&self) {
        self.shared.permits.add_permits(1_000_000);
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "application/json");
    shared.received.lock().expect("not poisoned").push(Received {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body,
    });
    shared.permits.acquire().await.expect("open").forget();
    let answer = shared.answers.lock().expect("not poisoned").pop_front().unwrap_or(200);
    let status = StatusCode::from_u16(answer).expect("a status");
    // Where a redirect would lead, were it followed: here again.
    (status, [("location", "/elsewhere")], "ok").into_response()
}

/// The check of the specification, written with nothing of what signs: Python's own library.
const CHECK: &str = r#"
import base64, hashlib, hmac, json, sys, time
given = json.load(sys.stdin)
key = base64.b64decode(given["secret"].removeprefix("whsec_"))
for message in given["messages"]:
    signed = "{id}.{timestamp}.{body}".format(**message).encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    signatures = [word.split(",", 1) for word in message["signature"].split(" ")]
    if not any(version == "v1" and hmac.compare_digest(value, expected) for version, value in signatures):
        sys.exit("wrong signature of " + message["id"])
    if abs(time.time() - int(message["timestamp"])) > 300:
        sys.exit("too old: " + message["id"])
"#;

/// What is wrong with the signatures, checked with this secret.
pub fn check_signatures(messages: &[Received], secret: &str) -> Result<(), String> {
    let messages: Vec<_> = messages
        .iter()
        .map(|m| serde_json::json!({"id": m.id, "timestamp": m.timestamp, "signature": m.signature, "body": m.body}))
        .collect();
    let mut python = Command::new("python3")
        .args(["-c", CHECK])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let given = serde_json::json!({"secret": secret, "messages": messages}).to_string();
    python.stdin.take().expect("piped").write_all(given.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}
