//! The CloudFormation template: judged by cfn-lint, deployed to a server that plays AWS, and the worker run on what it
//! made. What the worker's role may do is compared with every call that the worker makes.

mod rights;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::notices::{Told, records};
use crate::support::app::{TestApp, To, contacts};
use crate::support::recorder::Recorder;
use crate::support::s3::{TestBucket, variable};

/// Where CloudFormation says that queues are.
const SQS: &str = "https://sqs.us-east-1.amazonaws.com";
/// What is larger is written in parts.
const PART: usize = 8 << 20;
/// What is larger is copied in parts.
const COPIED_AT_ONCE: usize = 64 << 20;

fn template() -> std::path::PathBuf {
    super::deploy().join("aws/batchdrop.yaml")
}

/// One of the tools that `tests/run` installs.
fn tool(name: &str) -> Command {
    Command::new(Path::new(&variable("BATCHDROP_TEST_AWS_TOOLS")).join(name))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn lint(template: &Path) -> Output {
    tool("cfn-lint").arg("--template").arg(template).output().expect("cfn-lint runs")
}

#[test]
fn the_template_is_clean() {
    let judged = lint(&template());
    assert!(judged.status.success(), "{}", told(&judged));
    let directory = tempfile::tempdir().expect("a directory");
    let broken = directory.path().join("broken.yaml");
    let text = std::fs::read_to_string(template()).expect("the template");
    std::fs::write(&broken, text.replace("maxReceiveCount", "maxReceives")).expect("written");
    let judged = told(&lint(&broken));
    assert!(judged.contains("maxReceives"), "the tool finds what is wrong: {judged}");
}

/// A server that plays AWS, with all services that the template names, and nothing in it. Killed when dropped.
struct Aws {
    server: Child,
    endpoint: String,
}

impl Aws {
    fn start() -> Aws {
        let mut command = tool("moto_server");
        let mut server =
            command.args(["-H", "127.0.0.1", "-p", "0"]).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut log = BufReader::new(server.stderr.take().expect("piped"));
        let lines = log.by_ref().lines().map_while(Result::ok);
        let endpoint = lines.filter_map(|line| Some(line.split_once(" * Running on ")?.1.to_owned())).next();
        // Its log goes on, and must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Aws { server, endpoint: endpoint.expect("it tells where it listens") }
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.server.kill(); // it may have ended
        let _ = self.server.wait();
    }
}

/// A deployed stack with uploads under a prefix of its bucket, and a worker's app on it. What the worker asks of AWS is
/// recorded.
struct Stack {
    told: Told,
    recorder: Recorder,
    name: String,
    /// As `aws.py` tells it.
    made: Value,
}

impl Stack {
    async fn deploy(aws: &Aws, after: &str, to: To) -> Stack {
        let name = format!("drop-{}", Uuid::new_v4().simple());
        let deployed = tool("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/deploy/aws.py"))
            .args([aws.endpoint.as_str(), template().to_str().expect("a plain path"), &name])
            .args([format!("BucketName={name}"), format!("After={after}")])
            .args(["KeyPrefix=calls/", "Image=batchdrop", "Schedule=rate(15 minutes)"])
            .output()
            .expect("python runs");
        assert!(deployed.status.success(), "{}", told(&deployed));
        let made: Value = serde_json::from_slice(&deployed.stdout).expect("JSON");
        let recorder = Recorder::before(&aws.endpoint).await;
        let mut app = TestApp::in_bucket(TestBucket::existing(aws.endpoint.clone(), name.clone()), to).await;
        app.set("BUCKET_ENDPOINT_URL", &recorder.address);
        // What the container is given. Its secret, the store's address, comes from the test.
        for (key, value) in made["environment"].as_object().expect("an environment") {
            let value = value.as_str().expect("text").replace(SQS, &recorder.address);
            app.set(key.strip_prefix("BATCHDROP_").expect("a setting of ours"), &value);
        }
        app.configure("[campaigns.all]\nid = 1\nfiles = '*.csv*'\nmax_invalid_percent = 100\n");
        let url = made["outputs"]["Queue"].as_str().expect("an address").replace(SQS, &aws.endpoint);
        Stack { told: Told::by(app, url), recorder, name, made }
    }

    /// Panics where the worker's role and what the worker did are not the same.
    fn compare_rights(&self) {
        let queue = self.made["queue"]["QueueArn"].as_str().expect("a name");
        rights::compare(&self.made["policy"], &self.recorder.calls(), &self.name, "calls/", queue);
    }

    async fn uploads_are_answered(&self, count: usize) {
        let answered = async || {
            let uploads = self.told.app.uploads().await;
            uploads.iter().filter(|upload| upload.answered_at.is_some()).count() == count
        };
        self.told.app.wait_until("the uploads are answered", answered).await;
    }

    /// Lets a worker do everything that has to do with S3 and SQS.
    async fn live(&self, after: &str) {
        let app = &self.told.app;
        let mut worker = app.start(&words(&self.made["command"]));
        app.drop_file("calls/small.csv", contacts(100, 1)).await;
        self.uploads_are_answered(1).await;
        // Told of, but taken away by somebody since.
        self.told.say(&records(&[self.told.event("ObjectCreated:Put", "calls/gone.csv")])).await;
        // Written in parts, and copied in parts where it is moved; both are broken off once.
        self.recorder.refuse_once("UploadPart");
        let mut large = half_invalid(2 * PART + PART / 2);
        if after == "move" {
            self.recorder.refuse_once("UploadPartCopy");
            // Empty lines are no rows.
            large.push_str(&"\n".repeat(COPIED_AT_ONCE + PART - large.len()));
        }
        app.drop_file("calls/large.csv", large).await;
        self.uploads_are_answered(2).await;
        assert!(self.recorder.to_be_refused().is_empty(), "{:?}", self.recorder.to_be_refused());
        self.told.queue_empties().await;
        worker.signal(libc::SIGTERM);
        assert_eq!(worker.wait(), Some(0), "{}", worker.log());

        app.drop_file("calls/later.csv", contacts(100, 2)).await;
        app.drop_file("elsewhere/not-ours.csv", contacts(100, 3)).await;
        let ran = app.output(&words(&self.made["scheduled"][0]["containerOverrides"][0]["command"]));
        assert_eq!(ran.status.code(), Some(0), "{}", told(&ran));
        self.uploads_are_answered(3).await;
    }
}

fn words(command: &Value) -> Vec<&str> {
    command.as_array().expect("a command").iter().map(|word| word.as_str().expect("a word")).collect()
}

/// A file of this size, whose every other row is answered as INVALID.
fn half_invalid(size: usize) -> String {
    let wide = "x".repeat(200_000);
    let mut text = String::from("reference_id,target,a,b,c,d\n");
    while text.len() < size {
        let row = text.len();
        text.push_str(&format!("L{row},5125550142,{wide},,,\nM{row},none,{wide},{wide},{wide},{wide}\n"));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_template_makes_is_what_a_worker_needs_and_its_role_may_do_nothing_else() {
    let aws = Aws::start();
    let stack = Stack::deploy(&aws, "move", To::Postgres).await;
    let (bucket, queue) = (&stack.made["bucket"], &stack.made["queue"]);
    assert_eq!(bucket["encryption"], "AES256");
    let blocked = bucket["public_access_blocked"].as_object().expect("settings");
    assert!(blocked.len() == 4 && blocked.values().all(|on| on == true), "{blocked:?}");
    assert_eq!(bucket["versioning"], "Enabled");
    assert_eq!(bucket["lifecycle"][0]["Prefix"], "calls/results/");
    assert_eq!(bucket["lifecycle"][0]["Expiration"], json!({"Days": 90}));
    let redrive: Value = serde_json::from_str(queue["RedrivePolicy"].as_str().expect("a rule")).expect("JSON");
    assert_eq!(redrive["maxReceiveCount"], 5);
    let dead_letters = stack.made["outputs"]["DeadLetters"].as_str().expect("a queue").rsplit('/').next();
    assert!(redrive["deadLetterTargetArn"].as_str().expect("a queue").ends_with(dead_letters.expect("a name")));
    assert_eq!(stack.made["schedules"], json!(["rate(15 minutes)"]));
    let scheduled = &stack.made["scheduled"][0]["containerOverrides"][0]["command"];
    assert_eq!(scheduled, &json!(["run", "--once", "--for", "10m", "--accept-faults"]));

    stack.live("move").await;
    let app = &stack.told.app;
    let large = app.batch_of("large.csv").await;
    assert_eq!(large.status_counts["PENDING"], large.status_counts["INVALID"]);
    assert_eq!(app.batches().await.len(), 3, "nothing is taken from beside the prefix");
    let keys = app.keys().await;
    for key in [
        format!("calls/processed/{}/large.csv", large.batch_id),
        format!("calls/results/{}/large.rejects.csv", large.batch_id),
    ] {
        assert!(keys.contains(&key), "{key} of {keys:?}");
    }
    assert_eq!(app.bucket().unfinished().await, 0, "what was broken off was taken away");
    stack.compare_rights();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_keeps_or_deletes_what_is_loaded_has_only_the_rights_for_that() {
    let aws = Aws::start();
    for after in ["keep", "delete"] {
        let stack = Stack::deploy(&aws, after, To::Sqlite).await;
        stack.live(after).await;
        assert_eq!(stack.told.app.keys().await.contains(&"calls/large.csv".to_owned()), after == "keep");
        stack.compare_rights();
    }
}
