//! Traces, sent as OTLP over HTTP to a collector: one for each upload, with its stages.
//!
//! They are switched on and steered by the variables that OpenTelemetry gives to all programs, and by nothing of ours:
//! `OTEL_EXPORTER_OTLP_ENDPOINT` says where they go, `OTEL_EXPORTER_OTLP_HEADERS` holds secrets, `OTEL_TRACES_SAMPLER`
//! how many are kept. Source: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

/// How long the end of the program waits for the last spans to be taken.
const LAST_SPANS: Duration = Duration::from_secs(2);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Whether the operator wants traces.
fn are_wanted() -> bool {
    let disabled = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    !disabled && (is_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") || is_set("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

/// What turns spans into traces; `None` where nobody wants them.
///
/// # Errors
/// A variable of OpenTelemetry's that makes no sense, with a text for the operator.
pub(super) fn layer<S>() -> Result<Option<OpenTelemetryLayer<S, Tracer>>, String>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    if !are_wanted() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder().with_http().build();
    let exporter = exporter.map_err(|error| format!("traces cannot be sent: {}", super::chain(&error)))?;
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("PROGRAM_VERSION")));
    if !is_set("OTEL_SERVICE_NAME") {
        resource = resource.with_service_name("batchdrop");
    }
    // Its thread sends what has gathered; a collector that is away costs spans, never an upload.
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let tracer = provider.tracer("batchdrop");
    let _ = PROVIDER.set(provider); // logging is started once
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    Ok(Some(layer.with_location(false).with_threads(false).with_tracked_inactivity(false)))
}

/// Sends what is left; at the end of the program.
pub(super) fn end() {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.shutdown_with_timeout(LAST_SPANS)
    {
        tracing::warn!(error = super::chain(&error), "the last spans were not sent");
    }
}
