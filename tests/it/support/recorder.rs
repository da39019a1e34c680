//! An AWS server seen from between it and its client: what is called, and on what.

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;

/// A call of S3's or SQS's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// By AWS's name for it.
    pub operation: String,
    /// `bucket/key` or `bucket` on S3; the queue's name on SQS.
    pub on: String,
    /// What a copy is taken of, as `bucket/key`.
    pub source: Option<String>,
    /// Of a listing: the prefix that is asked for.
    pub prefix: Option<String>,
}

/// Passes calls on and remembers them. It works on the test's own runtime, which needs a thread beside the test's.
pub struct Recorder {
    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub address: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    client: reqwest::Client,
    calls: Mutex<Vec<Call>>,
    refused: Mutex<Vec<&'static str>>,
}

impl Recorder {
    pub async fn before(server: &str) -> Recorder {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let client = reqwest::Client::new();
        let shared = Shared { server: server.to_owned(), client, calls: Mutex::default(), refused: Mutex::default() };
        let shared = Arc::new(shared);
        let router = axum::Router::new().fallback(pass_on).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Recorder { address, shared }
    }

    /// Refuses the next call of this name, in a way that its client does not try again by itself.
    pub fn refuse_once(&self, operation: &'static str) {
        self.shared.refused.lock().expect("no panic").push(operation);
    }

    /// Calls that are still to be refused.
    pub fn to_be_refused(&self) -> Vec<&'static str> {
        self.shared.refused.lock().expect("no panic").clone()
    }

    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().expect("no panic").clone()
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole request");
    let call = call(&head.method, head.uri.path(), head.uri.query().unwrap_or_default(), &head.headers, &body);
    let operation = call.operation.clone();
    shared.calls.lock().expect("no panic").push(call);
    {
        let mut refused = shared.refused.lock().expect("no panic");
        if let Some(at) = refused.iter().position(|name| *name == operation) {
            refused.remove(at);
            let xml = "<Error><Code>InvalidRequest</Code><Message>As the test has it.</Message></Error>";
            return answer(StatusCode::BAD_REQUEST, HeaderMap::new(), xml.into());
        }
    }
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let passed = shared.client.request(head.method, format!("{}{target}", shared.server));
    let answered = passed.headers(head.headers).body(body).send().await.expect("the server answers");
    let (status, mut headers) = (answered.status(), answered.headers().clone());
    headers.remove("transfer-encoding");
    headers.remove("connection");
    answer(status, headers, answered.bytes().await.expect("a whole answer"))
}

fn answer(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn call(method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Call {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(decoded);
    let asked = |name: &str| {
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
    };
    if let Some(target) = header("x-amz-target") {
        let operation = target.trim_start_matches("AmazonSQS.").to_owned();
        let asked: serde_json::Value = serde_json::from_slice(body).expect("SQS is asked by JSON");
        let queue = asked["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).expect("a queue");
        return Call { operation, on: queue.to_owned(), source: None, prefix: None };
    }
    let operation = match (method, asked("x-id")) {
        (_, Some(name)) => name,
        (&Method::GET, None) if asked("list-type").is_some() => "ListObjectsV2".to_owned(),
        (&Method::HEAD, None) => "HeadObject".to_owned(),
        (&Method::POST, None) if asked("uploads").is_some() => "CreateMultipartUpload".to_owned(),
        (&Method::POST, None) if asked("uploadId").is_some() => "CompleteMultipartUpload".to_owned(),
        _ => panic!("an unknown call: {method} {path}?{query}"),
    };
    let on = decoded(path).trim_matches('/').to_owned();
    Call { operation, on, source: header("x-amz-copy-source"), prefix: asked("prefix") }
}
