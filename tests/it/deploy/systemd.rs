//! The units, judged by systemd's own tools, and what the program tells systemd.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::support::app::{In, TestApp, To};
use super::super::support::program::program;

const UNITS: [&str; 3] = ["batchdrop.service", "batchdrop-once.service", "batchdrop-once.timer"];
/// `systemd-analyze security` counts from 0 (locked up) to 10 (may do anything).
const EXPOSED_AT_MOST: f64 = 1.5;

/// The units in a directory of their own, with the program at the place where this test has it.
fn installed(directory: &Path, change: impl Fn(String) -> String) -> Vec<PathBuf> {
    let install = |name: &&str| {
        let unit = std::fs::read_to_string(super::deploy().join("systemd").join(name)).expect("a unit");
        let unit = change(unit.replace("/usr/local/bin/batchdrop", env!("CARGO_BIN_EXE_batchdrop")));
        let path = directory.join(name);
        std::fs::write(&path, unit).expect("written");
        path
    };
    UNITS.iter().map(install).collect()
}

/// What `systemd-analyze verify` finds. It only warns of a misspelt key, so its words count, not its exit code.
fn findings(units: &[PathBuf]) -> String {
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units).output();
    String::from_utf8_lossy(&verified.expect("systemd-analyze runs").stderr).into_owned()
}

#[test]
fn units_are_what_systemd_understands() {
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(findings(&installed(directory.path(), |unit| unit)), "");
    let misspelt = installed(directory.path(), |unit| unit.replace("WatchdogSec", "WatchdogSecs"));
    assert!(findings(&misspelt).contains("'WatchdogSecs'"), "the tool finds what is wrong");
}

#[test]
fn services_may_do_little() {
    let directory = tempfile::tempdir().expect("a directory");
    let units = installed(directory.path(), |unit| unit);
    for service in units.iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(service)
            .output()
            .expect("systemd-analyze runs");
        let text = String::from_utf8_lossy(&judged.stdout);
        let (_, score) = text.rsplit_once("Overall exposure level for ").expect("a score");
        let score = score.split_whitespace().nth(1).and_then(|score| score.parse::<f64>().ok()).expect("a number");
        println!("{}: {score}", service.display());
        assert!(score <= EXPOSED_AT_MOST, "{text}");
    }
}

/// The line is run as it stands, but for the places; what its sender must mend (3) is no failure of the unit.
#[tokio::test]
async fn a_run_by_the_timer_is_told_in_words_that_the_program_knows() {
    let unit = std::fs::read_to_string(super::deploy().join("systemd/batchdrop-once.service")).expect("a unit");
    let line = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).expect("a line of the unit");
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.configure("[campaigns.all]\nid = 1\nfiles = '*.csv'\n");
    let here = app.setting("CONFIG");
    let command = line("ExecStart=").replace("/etc/batchdrop/batchdrop.toml", &here);
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    app.drop_file("empty.csv", "").await;
    let ran = app.output(&words);
    assert_eq!(ran.status.code(), Some(3), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(line("SuccessExitStatus="), "3");
}

/// A running program, which does not outlive its test.
struct Service(Child);

impl Service {
    fn start(folder: &Path, socket: &str, arguments: &[&str]) -> Service {
        let mut command = program(folder, arguments);
        command.env("NOTIFY_SOCKET", socket).env("BATCHDROP_STORE_CONNECT_SECONDS", "1");
        Service(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts"))
    }

    /// Asks it to stop, and waits until it has: its exit code.
    fn stop(&mut self) -> Option<i32> {
        let id = libc::pid_t::try_from(self.0.id()).expect("a process id");
        // SAFETY: kill takes no memory of ours, and the process is a child that was not waited for.
        assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0);
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// The next thing that systemd is told.
fn next(systemd: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let length = systemd.recv(&mut buffer).expect("something is told in time");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// What systemd is told of a worker that is started, waits for work, and is stopped.
fn a_life(systemd: &UnixDatagram, socket: &str) {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(folder.path().join("uploads")).expect("created");
    systemd.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let mut service = Service::start(folder.path(), socket, &["run", "uploads"]);
    assert_eq!(next(systemd), "READY=1");
    assert_eq!(next(systemd), "WATCHDOG=1");
    assert_eq!(next(systemd), "WATCHDOG=1", "it goes on");
    assert_eq!(service.stop(), Some(0));
    let last = std::iter::repeat_with(|| next(systemd)).find(|told| told != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

#[test]
fn systemd_is_told_of_a_workers_life() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    a_life(&UnixDatagram::bind(&path).expect("bound"), path.to_str().expect("a plain path"));
}

#[test]
fn systemd_is_told_by_an_abstract_socket_too() {
    let name = format!("batchdrop-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("an address");
    a_life(&UnixDatagram::bind_addr(&address).expect("bound"), &format!("@{name}"));
}

#[test]
fn a_worker_without_its_store_is_not_ready() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let systemd = UnixDatagram::bind(&path).expect("bound");
    systemd.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let away = ["run", "--store", "postgres://nobody@127.0.0.1:1/none", "."];
    let mut service = Service::start(directory.path(), path.to_str().expect("a plain path"), &away);
    let mut log = BufReader::new(service.0.stderr.take().expect("piped"));
    let waits = log.by_ref().lines().map_while(Result::ok).any(|line| line.contains("not started yet"));
    assert!(waits, "it waits for its store");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(next(&systemd), "STOPPING=1", "and nothing before that");
}
