//! What the worker says of itself while it works: logs, on standard error, metrics, traces, and signs of life for
//! systemd.
//!
//! A line's message can be read by itself; what one searches for stands in its fields. No phone number, address or
//! variable of a person is ever in either.

mod metrics;
pub mod progress;
pub mod systemd;
mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

pub use metrics::{ExpectedNow, InProgress, Ledger, Metrics, Outcome, Stage, metrics};

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,batchdrop::bucket=debug`. Where it is not
    /// set: `warn` on a terminal, whose reader has the table before them, and `info` elsewhere.
    pub level: Option<String>,
    /// Lines for people or for machines.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { level: None, format: LogFormat::Pretty }
    }
}

/// Starts logging for the whole process, and traces where they are wanted of it. [`end`] ends them.
///
/// # Errors
/// A filter that is none, or a place for traces that is none, with a text for the operator.
pub fn start(config: &LogConfig, with_traces: bool) -> Result<(), String> {
    let on_terminal = std::io::stderr().is_terminal();
    let level = config.level.as_deref().unwrap_or(if on_terminal { "warn" } else { "info" });
    // PostgreSQL's notices ("already exists, skipping") come by way of sqlx; whoever wants them names sqlx in the
    // filter.
    let filter = EnvFilter::try_new(format!("sqlx=warn,opentelemetry_sdk=warn,opentelemetry_otlp=warn,{level}"))
        .map_err(|error| format!("log.level = {level:?}: {error}"))?;
    // The library that reads phone numbers writes each of them into its log.
    let silent = "rlibphonenumber=off".parse().map_err(|error| format!("log: {error}"))?;
    let filter = filter.add_directive(silent);
    let colours = on_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match config.format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // However little is logged, a trace is whole; and nothing is in it that libraries say.
    let of_ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO);
    let traces = if with_traces { traces::layer()? } else { None };
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces.with_filter(of_ours)).init();
    std::panic::set_hook(Box::new(tell_of_panic));
    Ok(())
}

/// Sends what is left of the traces; waits two seconds at most.
pub fn end() {
    traces::end();
}

/// The message of a panic is left out: that of a text cut in the wrong place, for one, quotes the text, which is a
/// person's.
fn tell_of_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
    let thread = std::thread::current();
    tracing::error!(place, thread = thread.name(), "a panic, which is a bug of this program");
}

/// An error with its causes, on one line: `cannot list s3://…: timed out: connect`.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat a cause in the text of what it caused.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.replace(['\n', '\r'], " ")
}
