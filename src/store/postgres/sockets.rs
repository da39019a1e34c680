//! What sqlx leaves undone on the TCP sockets of its connections: small packets go out at once, and a server that has
//! gone silent is noticed.
//!
//! sqlx 0.9.0 leaves TCP's habit of holding a small packet back until the one before it has been acknowledged, which
//! the other side puts off too: the end of every COPY waited 40 ms, and a worker loaded 40 small files a second instead
//! of hundreds. sqlx's issue 4335; mended after 0.9.0.
//!
//! A server whose machine or network dies sends nothing, not even that it is gone; a statement would wait for its
//! answer for hours. So the kernel asks the other end's kernel whether it is there, and ends the connection where it is
//! not. A server that only takes its time for an answer, as under a lock, is there; one that takes no more of the data
//! for so long is given up too.
//!
//! sqlx keeps its sockets to itself. So the options are set on all sockets that are connected to a port of the server's
//! number.

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::FromRawFd as _;

/// Sets the options on every TCP socket that is connected to this port. What is none is left as it is.
pub(super) fn set_options(port: u16, silent_seconds: u32) {
    let Ok(descriptors) = std::fs::read_dir("/dev/fd") else { return };
    for descriptor in descriptors.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<c_int>().ok()) {
        // SAFETY: it is never closed by this value. The number may by now be that of another file, or of none: then the
        // kernel says that nobody is connected to it, or it is another connection to the server, which is set alike.
        let socket = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(descriptor) });
        if !socket.peer_addr().is_ok_and(|peer| peer.port() == port) {
            continue;
        }
        let _ = socket.set_nodelay(true);
        notice_silence(descriptor, silent_seconds);
    }
}

/// An end that owes an acknowledgement, of data or of a question that is asked when nothing else is sent, is given up.
#[cfg(target_os = "linux")]
fn notice_silence(descriptor: c_int, seconds: u32) {
    let milliseconds = c_int::try_from(u64::from(seconds) * 1000).unwrap_or(c_int::MAX);
    // The first question after half of the time, and some more in the other half; the kernel takes no more than 32767.
    let (first, next) = ((seconds / 2).clamp(1, 32_767), (seconds / 8).clamp(1, 32_767));
    for (level, option, value) in [
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, first.cast_signed()),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, next.cast_signed()),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, milliseconds),
    ] {
        // SAFETY: `value` is read during the call, as many bytes as it has. Of the number, see above.
        unsafe {
            let (value, size) = ((&raw const value).cast(), size_of::<c_int>() as libc::socklen_t);
            libc::setsockopt(descriptor, level, option, value, size);
        }
    }
}

/// Elsewhere the kernel's own times hold.
#[cfg(not(target_os = "linux"))]
fn notice_silence(_descriptor: c_int, _seconds: u32) {}
