//! What stands in `deploy/`, judged by the tools that run it.

mod aws;
mod container;
mod kubernetes;
mod monitoring;
mod probe;
mod systemd;
mod upgrade;
mod version;
mod workflows;

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::program::{Ran, finished};

/// The repository's `deploy` directory.
fn deploy() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// Runs one of the programs that judge these files, with this on its standard input. The first to ask waits for all to
/// be installed.
fn tool(name: &str, arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tool"));
    command.arg(name).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("tests/tool starts");
    running.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    finished(running.wait_with_output().expect("it ends"))
}
