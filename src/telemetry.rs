//! What the worker says of itself while it works: logs, on standard error, metrics, and signs of life for systemd.
//!
//! A line's message can be read by itself; what one searches for stands in its fields. No phone number, address or
//! variable of a person is ever in either.

mod metrics;
pub mod progress;
pub mod systemd;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

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

/// Starts logging for the whole process.
///
/// # Errors
/// A filter that is none, with a text for the operator.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let on_terminal = std::io::stderr().is_terminal();
    let level = config.level.as_deref().unwrap_or(if on_terminal { "warn" } else { "info" });
    // PostgreSQL's notices ("already exists, skipping") come by way of sqlx; whoever wants them names sqlx in the filter.
    let filter =
        EnvFilter::try_new(format!("sqlx=warn,{level}")).map_err(|error| format!("log.level = {level:?}: {error}"))?;
    // The library that reads phone numbers writes each of them into its log.
    let silent = "rlibphonenumber=off".parse().map_err(|error| format!("log: {error}"))?;
    let filter = filter.add_directive(silent);
    let colours = on_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match config.format {
        LogFormat::Pretty => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(tell_of_panic));
    Ok(())
}

/// The message of a panic is left out: that of a text cut in the wrong place, for one, quotes the text, which is a person's.
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
