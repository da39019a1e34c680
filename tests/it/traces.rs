//! Traces, as a collector receives them: one for each upload, with its stages, and nothing of a person in it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio_util::task::AbortOnDropHandle;

use crate::support::app::{In, TestApp, To, contacts};

/// What stands in for a collector: it keeps what it is sent.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Collector {
    async fn new(answer: StatusCode) -> Collector {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::<Mutex<Vec<_>>>::default();
        let keep = async move |State(kept): State<Arc<Mutex<Vec<_>>>>, headers: HeaderMap, body: Bytes| {
            kept.lock().expect("no panic").push((headers, body));
            answer
        };
        let routes = Router::new().route("/v1/traces", post(keep)).with_state(received.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Collector { url, received, _serving: AbortOnDropHandle::new(serving) }
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let received = self.received.lock().expect("no panic");
        let decoded = received.iter().map(|(_, body)| ExportTraceServiceRequest::decode(body.clone()));
        decoded.map(|request| request.expect("OTLP")).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

fn attribute<'all>(all: &'all [KeyValue], key: &str) -> Option<&'all Value> {
    all.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_ref()).and_then(|value| value.value.as_ref())
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_a_trace_with_its_stages() {
    for to in [To::Sqlite, To::Postgres] {
        let collector = Collector::new(StatusCode::OK).await;
        let app = TestApp::new(In::Folder, to).await;
        app.drop_file("contacts.csv", contacts(50, 1)).await;
        let mut command = app.command(&["run", "--once"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret").env("BATCHDROP_LOG_LEVEL", "error");
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        assert_eq!(output.expect("it starts").status.code(), Some(0));

        let requests = collector.requests();
        let resource = requests[0].resource_spans[0].resource.as_ref().expect("a resource");
        assert_eq!(attribute(&resource.attributes, "service.name"), Some(&text("batchdrop")));
        assert_eq!(collector.received.lock().expect("no panic")[0].0["x-key"], "secret");

        let spans = collector.spans();
        let uploads: Vec<&Span> = spans.iter().filter(|span| span.name == "upload").collect();
        let [upload] = uploads[..] else { panic!("{spans:?}") };
        let upload_id = app.uploads().await[0].upload_id;
        assert!(upload.parent_span_id.is_empty());
        assert_eq!(attribute(&upload.attributes, "upload_id"), Some(&Value::IntValue(upload_id)));
        assert_eq!(attribute(&upload.attributes, "campaign"), Some(&text("default")));
        let settled = upload.events.iter().find(|event| event.name == "batch loaded").expect("what became of it");
        assert_eq!(attribute(&settled.attributes, "rows"), Some(&Value::IntValue(50)));
        for stage in ["fetch", "load", "publish"] {
            let span = spans.iter().find(|span| span.name == stage).unwrap_or_else(|| panic!("no {stage}"));
            assert_eq!((&span.trace_id, &span.parent_span_id), (&upload.trace_id, &upload.span_id), "{stage}");
        }

        let requests = app.requests(&app.batch_of("contacts.csv").await.batch_id).await;
        let said = format!("{:?}", collector.requests());
        for request in requests {
            assert!(request.target.len() > 5 && !said.contains(&request.target), "a trace holds a number");
        }
    }
}

/// A collector that is away, or refuses, costs spans and a line in the log; the file is loaded all the same, and soon.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_in_trouble_costs_no_upload() {
    let refusing = Collector::new(StatusCode::FORBIDDEN).await;
    for url in [&refusing.url, "http://127.0.0.1:9"] {
        let app = TestApp::new(In::Folder, To::Sqlite).await;
        app.drop_file("contacts.csv", contacts(50, 1)).await;
        let mut command = app.command(&["run", "--once"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", url).env("BATCHDROP_LOG_LEVEL", "info");
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = tokio::time::timeout(Duration::from_secs(60), output).await.expect("it ends");
        let output = output.expect("no panic").expect("it starts");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(app.batch_of("contacts.csv").await.rows_read, 50);
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(log.contains("BatchSpanProcessor.ExportError"), "the log tells of it: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_none_is_refused_at_the_start() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    let mut command = app.command(&["run", "--once"]);
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url").output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{said}");
}
