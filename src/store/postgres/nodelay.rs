//! Small packets are sent at once.
//!
//! sqlx 0.9.0 leaves TCP's habit of holding a small packet back until the one before it has been acknowledged, which the other
//! side puts off too: the end of every COPY waited 40 ms, and a worker loaded 40 small files a second instead of
//! hundreds. sqlx's issue 4335; mended after 0.9.0, so that this file can go with the next release.
//!
//! sqlx keeps its socket to itself. So the option is set on all of this process's TCP sockets, none of which is worse off for it.

use std::ffi::c_int;

/// Sets TCP_NODELAY on every TCP socket that is open. What is none is left as it is.
pub(super) fn send_at_once() {
    let Ok(descriptors) = std::fs::read_dir("/dev/fd") else { return };
    for descriptor in descriptors.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<c_int>().ok()) {
        let on: c_int = 1;
        // SAFETY: `on` is read during the call, as many bytes as it has. The number may by now be that of another file, or of
        // none: the kernel answers with an error, or sets on another TCP socket what is set on all of them.
        unsafe {
            libc::setsockopt(
                descriptor,
                libc::IPPROTO_TCP,
                libc::TCP_NODELAY,
                (&raw const on).cast(),
                size_of::<c_int>() as libc::socklen_t,
            );
        }
    }
}
