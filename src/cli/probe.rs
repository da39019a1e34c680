//! `probe`: asks a running worker whether it lives, where nothing else is there to ask: in an image without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{OK, output};
use crate::config::{Config, ConfigError};

/// What takes longer is no answer: the worker's own checks end after two seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// The probes answer with a line.
const LONGEST_ANSWER: u64 = 4096;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  the worker lives; with --ready: it has its bucket and its store
  1  it does not, or does not answer; the message says what it said
  2  wrong usage or configuration

Examples:
  batchdrop probe                             of serve.listen, or BATCHDROP_SERVE_LISTEN
  batchdrop probe --ready --listen 127.0.0.1:8600")]
pub(super) struct ProbeArgs {
    /// Where the worker serves [config: serve.listen]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Ask whether it is ready, not only whether it lives
    #[arg(long)]
    ready: bool,
}

pub(super) async fn probe(args: &ProbeArgs, config: &Config) -> anyhow::Result<u8> {
    let Some(listen) = args.listen.or(config.serve.listen) else {
        bail!(ConfigError("serve.listen is not set: there is nothing to ask; name an address by --listen".to_owned()));
    };
    let (address, path) = (reachable(listen), if args.ready { "/readyz" } else { "/healthz" });
    let asked = tokio::time::timeout(PATIENCE, ask(address, path)).await;
    let answer = asked
        .with_context(|| format!("{address} did not answer within {} s", PATIENCE.as_secs()))?
        .with_context(|| format!("{address} does not answer"))?;
    let status = answer.split_whitespace().nth(1);
    let told = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    if status != Some("200") {
        bail!("{address}{path}: {}", output::printable(if told.is_empty() { "no answer of a worker" } else { told }));
    }
    output::line(told);
    Ok(OK)
}

/// Where one of this machine asks what listens on every address.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// One request by HTTP 1.0, whose answer ends where the connection does. No proxy of the environment comes between.
async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
