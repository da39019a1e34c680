//! A PostgreSQL server of a test's own, which it may restart, or leave without room. The one that `tests/run` starts is
//! shared.

use std::fs::{Permissions, set_permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use super::dice::Dice;

/// The server. Killed when dropped.
pub struct OwnPostgres {
    pub url: String,
    port: u16,
    /// Everything of the server's, but for what the test wants on a disk of its own.
    home: tempfile::TempDir,
    data: PathBuf,
    server: Child,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// It rolls back what is under way, and says good-bye.
    Fast,
    /// It just ends, and makes up for it when it starts again: the nearest there is to a crash.
    Immediate,
}

impl OwnPostgres {
    pub async fn start() -> OwnPostgres {
        OwnPostgres::start_on(None, None).await
    }

    /// With its tables, or its log of changes to them (WAL), on disks that the test brings along.
    pub async fn start_on(tables: Option<&Path>, wal: Option<&Path>) -> OwnPostgres {
        let home = tempfile::tempdir().expect("a temporary directory");
        // Root has the server run as the user postgres, who has to get in.
        set_permissions(home.path(), Permissions::from_mode(0o777)).expect("it is ours");
        let data = tables.unwrap_or(home.path()).join("data");
        let wal = wal.unwrap_or(home.path()).join("wal");
        let mut initdb = program("initdb", home.path());
        initdb.args(["-U", "test", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]);
        let output = initdb.arg("--wal-segsize=1").arg("-X").arg(wal).arg("-D").arg(&data).output();
        let output = output.expect("initdb runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let port = free_port();
        let server = serve(&data, home.path(), port);
        let url = format!("postgres://test@127.0.0.1:{port}/postgres");
        let mut own = OwnPostgres { url, port, home, data, server };
        own.be_up().await;
        own
    }

    pub async fn restart(&mut self, how: Stop) {
        let signal = match how {
            Stop::Fast => libc::SIGINT,
            Stop::Immediate => libc::SIGQUIT,
        };
        // SAFETY: kill(2) on a child that was not waited for, and whose id therefore is still its own.
        unsafe { libc::kill(self.server.id() as i32, signal) };
        self.server.wait().expect("a child of this process");
        self.be_up().await;
    }

    /// Waits until it answers; started again where it has ended.
    async fn be_up(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if self.server.try_wait().expect("a child of this process").is_some() {
                self.server = serve(&self.data, self.home.path(), self.port);
            }
            match PgConnection::connect(&self.url).await {
                Ok(connection) => return connection.close().await.expect("closed"),
                Err(error) => assert!(Instant::now() < deadline, "{error}: {}", self.log()),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // SAFETY: as above; of a child that was waited for, try_wait tells.
        if matches!(self.server.try_wait(), Ok(None)) {
            unsafe { libc::kill(self.server.id() as i32, libc::SIGQUIT) };
        }
        let _ = self.server.wait();
    }
}

fn serve(data: &Path, home: &Path, port: u16) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(home.join("log")).expect("a log");
    let mut server = program("postgres", home);
    server.arg("-D").arg(data).arg("-k").arg(home).args(["-p", &port.to_string()]);
    // Whether what is committed survives a power cut is not the matter here; that the log of changes grows, and is not
    // tidied up, is.
    for setting in ["listen_addresses=127.0.0.1", "fsync=off", "max_wal_size=1GB", "min_wal_size=2MB"] {
        server.args(["-c", setting]);
    }
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts")
}

/// One of the server's programs, which refuse to be run by root.
fn program(name: &str, home: &Path) -> Command {
    let path = programs().join(name);
    // SAFETY: geteuid(2) has no preconditions.
    let is_root = unsafe { libc::geteuid() } == 0;
    let mut command = Command::new(if is_root { Path::new("setpriv") } else { &path });
    if is_root {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(&path);
    }
    command.current_dir(home).env_remove("PGDATA");
    command
}

/// Where the newest version lies, on Debian; elsewhere they are found by their names.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    numbered.max().map(|(_, path)| path.join("bin")).unwrap_or_default()
}

/// Below the range from which the kernel gives out ports of its own: it has to stay free while the server restarts.
fn free_port() -> u16 {
    let mut dice = Dice::of(uuid::Uuid::new_v4().as_u128() as u64);
    (0..50)
        .map(|_| 20_000 + dice.roll(10_000) as u16)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("a free port")
}
