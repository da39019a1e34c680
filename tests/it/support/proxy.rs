//! A network between the worker and PostgreSQL that fails when a test wants it to.
//!
//! It carries bytes both ways, and knows of PostgreSQL only the texts that a client sends in clear.

use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Closed when dropped, with all that it carries.
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    carrier: tokio::task::JoinHandle<()>,
}

/// What goes wrong with a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Both ends see a reset.
    Reset,
    /// The server's next answer comes this far and no further; then the client sees a reset.
    AnswerLost,
    /// Not a packet comes through any more, on any connection, nor to open one: see [`Proxy::heal`].
    Silence,
}

/// When a connection fails: when its client has sent these texts, one after the other, and so many bytes more.
#[derive(Clone, Copy)]
struct Plan {
    fault: Fault,
    texts: &'static [&'static str],
    bytes: usize,
}

struct Shared {
    server: String,
    listener: TcpListener,
    /// Fulfilled once, by the connection that gets there first.
    plan: Mutex<Option<Plan>>,
    /// How long the server's bytes are under way.
    latency: watch::Sender<Duration>,
    is_silent: watch::Sender<bool>,
}

impl Proxy {
    /// In front of the server of this address.
    pub async fn before(store_url: &str) -> Proxy {
        let address: PgConnectOptions = store_url.parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            server: format!("{}:{}", address.get_host(), address.get_port()),
            listener,
            plan: Mutex::default(),
            latency: watch::Sender::new(Duration::ZERO),
            is_silent: watch::Sender::new(false),
        });
        let carrier = tokio::spawn({
            let shared = shared.clone();
            async move {
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((client, _)) = shared.listener.accept().await {
                    let shared = shared.clone();
                    connections.spawn(async move { shared.carry(client).await });
                }
            }
        });
        Proxy { url: address.host("127.0.0.1").port(port).to_url_lossy().to_string(), shared, carrier }
    }

    /// The store's address by way of this proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets the first connection fail that gets so far.
    pub fn fail_once(&self, fault: Fault, texts: &'static [&'static str], bytes: usize) {
        *self.shared.plan.lock().expect("no test panicked here") = Some(Plan { fault, texts, bytes });
    }

    /// Whether that has happened.
    pub fn has_failed(&self) -> bool {
        self.shared.plan.lock().expect("no test panicked here").is_none()
    }

    /// Lets each of the server's answers take this long from now on.
    pub fn delay(&self, latency: Duration) {
        self.shared.latency.send_replace(latency);
    }

    /// Connections can be opened again; those that were silent stay so.
    pub fn heal(&self) {
        attend(self.shared.listener.as_raw_fd());
        self.shared.is_silent.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Shared {
    async fn carry(&self, mut client: TcpStream) {
        let mut server = TcpStream::connect(&self.server).await.expect("PostgreSQL answers");
        let mut silence = self.is_silent.subscribe();
        let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut progress = Progress::default();
        loop {
            tokio::select! {
                () = async { drop(silence.wait_for(|is_silent| *is_silent).await) } => {
                    ignore(client.as_raw_fd());
                    std::future::pending::<()>().await;
                }
                read = client.read(&mut from_client) => {
                    let (Ok(count @ 1..), plan) = (read, *self.plan.lock().expect("no test panicked here")) else { return };
                    let bytes = &from_client[..count];
                    let Some((plan, passed)) = plan.and_then(|plan| Some((plan, progress.passes(&plan, bytes)?))) else {
                        if server.write_all(bytes).await.is_err() { return }
                        continue;
                    };
                    if self.plan.lock().expect("no test panicked here").take().is_none() { return }
                    let _ = server.write_all(&bytes[..passed]).await;
                    match plan.fault {
                        Fault::Reset => {
                            let _ = (client.set_zero_linger(), server.set_zero_linger());
                            return;
                        }
                        Fault::AnswerLost => {
                            let _ = server.read(&mut from_server).await;
                            let _ = client.set_zero_linger();
                            return;
                        }
                        Fault::Silence => {
                            ignore(self.listener.as_raw_fd());
                            self.is_silent.send_replace(true);
                        }
                    }
                }
                read = server.read(&mut from_server) => {
                    let Ok(count @ 1..) = read else { return };
                    let latency = *self.latency.borrow();
                    tokio::time::sleep(latency).await;
                    if client.write_all(&from_server[..count]).await.is_err() { return }
                }
            }
        }
    }
}

/// How far a connection's client has got in a plan.
#[derive(Default)]
struct Progress {
    /// What was sent since the last text that was found.
    since: Vec<u8>,
    found: usize,
}

impl Progress {
    /// How many of these bytes still pass before the connection fails; `None` where all of them do.
    fn passes(&mut self, plan: &Plan, bytes: &[u8]) -> Option<usize> {
        self.since.extend_from_slice(bytes);
        while let Some(text) = plan.texts.get(self.found) {
            let Some(at) = self.since.windows(text.len()).position(|window| window == text.as_bytes()) else {
                // The next bytes may complete it.
                let kept = self.since.len().min(text.len() - 1);
                self.since.drain(..self.since.len() - kept);
                return None;
            };
            self.since.drain(..at + text.len());
            self.found += 1;
        }
        let beyond = self.since.len().checked_sub(plan.bytes)?;
        Some(bytes.len().saturating_sub(beyond))
    }
}

/// The kernel throws away whatever arrives for this socket, unacknowledged, as if its network had gone: a filter that
/// keeps no byte of any packet.
fn ignore(socket: RawFd) {
    let mut nothing = libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    let filter = libc::sock_fprog { len: 1, filter: &raw mut nothing };
    set_socket_option(socket, libc::SO_ATTACH_FILTER, &filter);
}

/// Undoes [`ignore`].
fn attend(socket: RawFd) {
    set_socket_option(socket, libc::SO_DETACH_FILTER, &0);
}

fn set_socket_option<T>(socket: RawFd, option: i32, value: &T) {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is read during the call, as many bytes as it has, and what it points to lives as long.
    let done = unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, option, (&raw const *value).cast(), size) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}
