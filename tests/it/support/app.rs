//! The product under test, spoken to in its own words: drop a file, settle, look at the batch.
//!
//! It is the real program, started as a person would start it, on a bucket and a store of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use batchdrop::model::{Batch, BatchQuery, Request, Upload, UploadQuery};
use batchdrop::store::{Store, StoreConfig};
use sqlx::Connection as _;

use super::postgres::fresh_database;
use super::s3::TestBucket;

/// How long is waited for what must come. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a test's files are dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum In {
    Folder,
    S3,
    /// S3 on the server that has queues.
    Aws,
}

/// Where a test's batches go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    Sqlite,
    Postgres,
}

/// One bucket, one store, and the program between them.
pub struct TestApp {
    pub store: Store,
    pub store_url: String,
    directory: tempfile::TempDir,
    bucket: Bucket,
    settings: BTreeMap<String, String>,
}

enum Bucket {
    Folder(PathBuf),
    S3(TestBucket),
}

impl TestApp {
    pub async fn new(dropped: In, to: To) -> TestApp {
        match to {
            To::Sqlite => TestApp::on_store(dropped, None).await,
            To::Postgres => TestApp::on_store(dropped, Some(fresh_database().await)).await,
        }
    }

    /// On the store with this address; `None` for a SQLite file of its own.
    pub async fn on_store(dropped: In, store_url: Option<String>) -> TestApp {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bucket = match dropped {
            In::Folder => {
                let path = directory.path().join("uploads");
                std::fs::create_dir(&path).expect("a folder");
                Bucket::Folder(path)
            }
            In::S3 => Bucket::S3(TestBucket::new().await),
            In::Aws => Bucket::S3(TestBucket::on_aws().await),
        };
        TestApp::between(bucket, store_url, directory).await
    }

    /// On a bucket that is there already.
    pub async fn in_bucket(bucket: TestBucket, to: To) -> TestApp {
        let store_url = match to {
            To::Sqlite => None,
            To::Postgres => Some(fresh_database().await),
        };
        TestApp::between(Bucket::S3(bucket), store_url, tempfile::tempdir().expect("a temporary directory")).await
    }

    async fn between(bucket: Bucket, store_url: Option<String>, directory: tempfile::TempDir) -> TestApp {
        let store_url =
            store_url.unwrap_or_else(|| format!("sqlite://{}", directory.path().join("batchdrop.db").display()));
        let store = Store::connect(&StoreConfig { url: store_url.clone(), max_connections: 4, ..Default::default() })
            .await
            .expect("a store");
        store.migrate().await.expect("a schema");
        let mut app = TestApp { store, store_url, directory, bucket, settings: BTreeMap::new() };
        // Tests drop whole files before they look; those that do not say so.
        app.set("BUCKET_SETTLE_MS", "0");
        app.set("WORKER_RETRY_MS", "20");
        app
    }

    /// Sets a configuration key for the programs started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(format!("BATCHDROP_{key}"), value.to_owned());
    }

    /// A configuration key that was set.
    pub fn setting(&self, key: &str) -> String {
        self.settings[&format!("BATCHDROP_{key}")].clone()
    }

    /// Gives the program a configuration file.
    pub fn configure(&mut self, toml: &str) {
        let path = self.directory.path().join("batchdrop.toml");
        std::fs::write(&path, toml).expect("a configuration file");
        self.set("CONFIG", path.to_str().expect("a path in UTF-8"));
    }

    pub async fn drop_file(&self, name: &str, content: impl AsRef<[u8]>) {
        match &self.bucket {
            // Written aside and moved in, as a careful sender does.
            Bucket::Folder(path) => {
                let aside = self.directory.path().join(format!("{}.aside", uuid::Uuid::new_v4()));
                std::fs::write(&aside, content).expect("a file");
                let path = path.join(name);
                std::fs::create_dir_all(path.parent().expect("in the bucket")).expect("a folder in the bucket");
                std::fs::rename(aside, path).expect("a file in the bucket");
            }
            Bucket::S3(bucket) => bucket.put(name, content.as_ref()).await,
        }
    }

    /// The bucket of an app that is on S3.
    pub fn bucket(&self) -> &TestBucket {
        match &self.bucket {
            Bucket::S3(bucket) => bucket,
            Bucket::Folder(path) => panic!("the test's bucket is the folder {}", path.display()),
        }
    }

    pub async fn drop_fixture(&self, path: &str) {
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).expect("a name");
        self.drop_file(name, fixture(path)).await;
    }

    /// What lies in the bucket under a key.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        match &self.bucket {
            Bucket::Folder(path) => std::fs::read(path.join(key)).ok(),
            Bucket::S3(bucket) => bucket.get(key).await,
        }
    }

    /// The keys of everything in the bucket, in order.
    pub async fn keys(&self) -> Vec<String> {
        match &self.bucket {
            Bucket::S3(bucket) => bucket.keys().await,
            Bucket::Folder(path) => {
                let (mut folders, mut keys) = (vec![path.clone()], Vec::new());
                while let Some(folder) = folders.pop() {
                    for entry in std::fs::read_dir(folder).expect("a folder") {
                        let entry = entry.expect("an entry").path();
                        if entry.is_dir() {
                            folders.push(entry);
                        } else {
                            let key = entry.strip_prefix(path).expect("below it").to_str().expect("a name in UTF-8");
                            keys.push(key.to_owned());
                        }
                    }
                }
                keys.sort();
                keys
            }
        }
    }

    /// Deletes what lies in the bucket under a key.
    pub async fn delete(&self, key: &str) {
        match &self.bucket {
            Bucket::Folder(path) => std::fs::remove_file(path.join(key)).expect("it was there"),
            Bucket::S3(bucket) => bucket.delete(key).await,
        }
    }

    /// The folder that is the bucket.
    pub fn folder(&self) -> &Path {
        match &self.bucket {
            Bucket::Folder(path) => path,
            Bucket::S3(_) => panic!("the bucket is no folder"),
        }
    }

    /// A batch's or an upload's receipt, found by the key that it must have.
    pub async fn receipt(&self, folder: &str, stem: &str) -> serde_json::Value {
        let key = format!("results/{folder}/{stem}.receipt.json");
        let text = self.get(&key).await.unwrap_or_else(|| panic!("no {key}"));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    /// Runs a statement of an operator's.
    pub async fn run_sql(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.store_url.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(&self.store_url).await.expect("the test's database");
            sqlx::query(sql).execute(&mut connection).await.expect("a statement");
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.store_url).await.expect("the test's database");
            sqlx::query(sql).execute(&mut connection).await.expect("a statement");
        }
    }

    /// The one number that a query of somebody else's gives.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.store_url.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(&self.store_url).await.expect("the test's database");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.store_url).await.expect("the test's database");
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
        }
    }

    /// The program, ready to be started with further arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// The same, in the place of another program that gives it a limit or a clock, and then becomes it.
    fn command_under(&self, starter: &[&str], arguments: &[&str]) -> Command {
        let words = [starter, &[env!("CARGO_BIN_EXE_batchdrop")], arguments].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(self.directory.path())
            .env("BATCHDROP_STORE_URL", &self.store_url)
            .env("BATCHDROP_LOG_LEVEL", "debug,sqlx=warn,aws=warn,hyper=warn")
            .env_remove("BATCHDROP_TEST_POSTGRES_URL")
            .stdin(Stdio::null());
        match &self.bucket {
            Bucket::Folder(path) => command.env("BATCHDROP_BUCKET_URL", path),
            Bucket::S3(bucket) => command
                .env("BATCHDROP_BUCKET_URL", format!("s3://{}", bucket.name))
                .env("BATCHDROP_BUCKET_ENDPOINT_URL", &bucket.endpoint)
                .env("BATCHDROP_BUCKET_FORCE_PATH_STYLE", "true"),
        };
        command.envs(&self.settings);
        command
    }

    /// Runs the program to its end.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// Lets a worker do all there is to do, and returns its exit code.
    pub async fn settle(&self) -> i32 {
        let output = self.output(&["run", "--once"]);
        let code = output.status.code();
        code.unwrap_or_else(|| panic!("killed: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Starts the program and leaves it running; it is killed with the returned guard.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_under(&[], arguments)
    }

    /// The same, by way of another program that becomes this one: `&["env", "A=B"]`.
    pub fn start_under(&self, starter: &[&str], arguments: &[&str]) -> Running {
        let log = self.directory.path().join(format!("{}.log", uuid::Uuid::new_v4()));
        let file = std::fs::File::create(&log).expect("a log");
        let child = self
            .command_under(starter, arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::from(file))
            .spawn()
            .expect("the program starts");
        Running { child, log }
    }

    /// The newest batch made of a file of this name.
    pub async fn batch_of(&self, file: &str) -> Batch {
        let batches = self.batches().await;
        let found = batches.into_iter().find(|batch| batch.upload_filename.as_deref() == Some(file));
        found.unwrap_or_else(|| panic!("no batch of {file}"))
    }

    /// All batches, the newest first.
    pub async fn batches(&self) -> Vec<Batch> {
        self.store.list_batches(&BatchQuery { limit: 1_000_000, ..Default::default() }).await.expect("batches")
    }

    pub async fn uploads(&self) -> Vec<Upload> {
        self.store.list_uploads(&UploadQuery { limit: 1_000_000, ..Default::default() }).await.expect("uploads")
    }

    /// How many of so many files are not settled yet, those included that no worker has seen.
    pub async fn uploads_to_settle(&self, files: usize) -> usize {
        files - self.uploads().await.iter().filter(|upload| upload.settled_at.is_some()).count()
    }

    pub async fn requests(&self, batch_id: &str) -> Vec<Request> {
        self.store.requests(batch_id, 0, 10_000_000).await.expect("requests")
    }

    /// Everything that the promises are about, in an order that does not depend on who loaded what when: the oracle's
    /// view. Batch ids are left out, since their order depends on it.
    pub async fn outcome(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for batch in self.batches().await {
            let file = batch.upload_filename.as_deref().unwrap_or_default();
            let (status, counts) = (batch.status.as_str(), &batch.status_counts);
            lines.push(format!("{file} {status} {counts:?} {:?} {:?}", batch.error_code, batch.sha256));
            for r in self.requests(&batch.batch_id).await {
                lines.push(format!(
                    "{file} {:08} {} {} {} {} {:?} {:?}",
                    r.row_number,
                    r.line,
                    r.reference_id,
                    r.target,
                    r.request_variables,
                    r.error_code,
                    r.duplicate_of_row
                ));
            }
        }
        for upload in self.uploads().await {
            lines.push(format!("upload {} {}", upload.key, upload.status.as_str()));
        }
        lines.sort();
        lines
    }

    /// Waits until the condition holds; panics after two minutes.
    pub async fn wait_until<F: Future<Output = bool>>(&self, what: &str, condition: impl Fn() -> F) {
        let deadline = Instant::now() + PATIENCE;
        while !condition().await {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A program that runs. Killed when dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill(2) on a child that was not waited for, and whose id therefore is still its own.
        let sent = unsafe { libc::kill(self.child.id() as i32, signal) };
        assert_eq!(sent, 0, "the program was gone before it got signal {signal}");
    }

    /// Waits for the end; panics after two minutes. `None` for one that was killed.
    pub fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of this process") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the program does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of this process").is_some()
    }

    /// The most memory that it has held so far, in bytes. It must still run.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has not ended");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes << 10
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Instantiates a case for every pair of bucket and store.
macro_rules! everywhere {
    ($($case:ident)*) => { $(mod $case {
        use super::*;
        #[tokio::test]
        async fn folder_to_sqlite() { super::$case(In::Folder, To::Sqlite).await }
        #[tokio::test]
        async fn folder_to_postgres() { super::$case(In::Folder, To::Postgres).await }
        #[tokio::test]
        async fn s3_to_sqlite() { super::$case(In::S3, To::Sqlite).await }
        #[tokio::test]
        async fn s3_to_postgres() { super::$case(In::S3, To::Postgres).await }
    })* };
}
pub(crate) use everywhere;

/// Instantiates a case for both stores. What the test itself serves answers while the program runs: hence the threads.
macro_rules! on_both_stores {
    ($($case:ident)*) => { $(mod $case {
        use crate::support::app::To;
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn on_sqlite() { super::$case(To::Sqlite).await }
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn on_postgres() { super::$case(To::Postgres).await }
    })* };
}
pub(crate) use on_both_stores;

/// The bytes of a file under `fixtures/`.
pub fn fixture(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A good file of so many rows; every 50th repeats the reference_id before it, every 70th has a bad number.
pub fn contacts(rows: usize, seed: usize) -> String {
    let mut text = String::from("reference_id,target,first_name,note\n");
    for row in 1..=rows {
        let id = if row % 50 == 0 { row - 1 } else { row };
        let target = if row % 70 == 0 { "12".to_owned() } else { format!("(512) 555-{:04}", 100 + row % 100) };
        text.push_str(&format!("S{seed}-{id},{target},Ana,\"row {row}, \"\"quoted\"\"\"\n"));
    }
    text
}
