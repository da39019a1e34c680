//! Tells systemd how the worker is, where it asks for that by `NOTIFY_SOCKET`; see `sd_notify(3)`. Elsewhere nothing is
//! told.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How long a service manager that is busy may hold us up.
const PATIENCE: Duration = Duration::from_secs(1);

/// The worker has its bucket and its store.
pub fn ready() {
    tell("READY=1");
}

/// The worker was asked to stop.
pub fn stopping() {
    tell("STOPPING=1");
}

/// A sign of life, which keeps the watchdog quiet.
pub fn alive() {
    tell("WATCHDOG=1");
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(error = super::chain(&error), state, "systemd was not told");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    sender.set_write_timeout(Some(PATIENCE))?;
    sender.send_to_addr(state.as_bytes(), &address(socket)?)?;
    Ok(())
}

/// A path, or a name that stands in no directory, which begins with `@`.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(socket)
}
