//! Alert rules and dashboard: unit tests of the rules, and a real Prometheus that scrapes a real worker, so that
//! nothing in either names a metric that is not there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::super::serving::address_of;
use super::super::support::app::{In, TestApp, To, contacts};

const TOKEN: &str = "a-token-for-prometheus-alone";

fn promtool(arguments: &[&str]) -> (bool, String) {
    let ran = Command::new("promtool").args(arguments).current_dir(super::deploy().join("prometheus")).output();
    let ran = ran.expect("promtool runs: tests/run brings it");
    (ran.status.success(), format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(super::deploy().join(path)).expect("it lies in deploy/")
}

#[test]
fn prometheus_understands_configuration_and_rules() {
    let (is_good, told) = promtool(&["check", "config", "prometheus.yml"]);
    assert!(is_good, "{told}");
}

#[test]
fn every_rule_tells_what_it_must_and_keeps_quiet_else() {
    let (is_good, told) = promtool(&["test", "rules", "alerts.test.yaml"]);
    assert!(is_good, "{told}");
    let (rules, cases) = (text("prometheus/alerts.yaml"), text("prometheus/alerts.test.yaml"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 15, "{alerts:?}");
    for alert in alerts {
        assert!(cases.contains(&format!("{{alertname=\"{alert}\"}}")), "no case has {alert} stand");
    }
}

#[test]
fn grafana_knows_everything_in_the_dashboard() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let judge = |dashboard: &Path| {
        let python = root.join("target/grafana-sdk/bin/python");
        let ran = Command::new(python).arg(root.join("tests/it/deploy/dashboard.py")).arg(dashboard).output();
        let ran = ran.expect("Python runs: tests/run makes its environment");
        (
            ran.status.success(),
            format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)),
        )
    };
    let (is_good, told) = judge(&super::deploy().join("grafana/batchdrop.json"));
    assert!(is_good, "{told}");
    let directory = tempfile::tempdir().expect("a directory");
    let misspelt = directory.path().join("misspelt.json");
    std::fs::write(&misspelt, text("grafana/batchdrop.json").replace("legendFormat", "legendFormt")).expect("written");
    let (is_good, told) = judge(&misspelt);
    assert!(!is_good && told.contains("targets[0].legendFormt: not known"), "{told}");
}

/// A Prometheus of this test's own.
struct Prometheus {
    child: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    /// On the files of `deploy/`, but for where the worker is, how it is asked for its token, and the times.
    fn start(worker: &str) -> Prometheus {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).to_str().expect("a plain path").to_owned();
        let mut configuration = text("prometheus/prometheus.yml");
        for (of_the_file, here) in [
            ("127.0.0.1:8600", worker),
            ("# authorization:", "authorization:"),
            (
                "#   credentials_file: /etc/prometheus/batchdrop.token",
                &format!("  credentials_file: {}", path("token")),
            ),
            ("_interval: 15s", "_interval: 2s"),
            ("scrape_timeout: 10s", "scrape_timeout: 2s"),
        ] {
            assert!(configuration.contains(of_the_file), "{of_the_file}");
            configuration = configuration.replace(of_the_file, here);
        }
        std::fs::write(path("prometheus.yml"), configuration).expect("written");
        std::fs::write(path("alerts.yaml"), text("prometheus/alerts.yaml")).expect("written");
        std::fs::write(path("token"), TOKEN).expect("written");
        // It cannot choose a port itself and tell.
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus starts: tests/run brings it");
        Prometheus { child, address, _directory: directory }
    }

    /// What its API says; `None` while it does not answer yet.
    async fn ask(&self, path: &str) -> Option<Value> {
        let answer = reqwest::get(format!("http://{}/api/v1/{path}", self.address)).await.ok()?;
        let answer: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        Some(answer["data"].clone())
    }

    /// How many series an expression gives.
    async fn series(&self, expression: &str) -> usize {
        let data = self.ask(&format!("query?query={}", utf8_percent_encode(expression, NON_ALPHANUMERIC))).await;
        data.and_then(|data| data["result"].as_array().map(Vec::len)).unwrap_or(0)
    }

    async fn rules(&self) -> Vec<Value> {
        let data = self.ask("rules").await.unwrap_or_default();
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The expressions of all panels, as Grafana asks them.
fn panel_expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions = targets.map(|target| target["expr"].as_str().expect("an expression").to_owned());
    let asked =
        |text: String| text.replace("$job", "batchdrop").replace("$instance", ".*").replace("$__rate_interval", "1m");
    expressions.map(asked).collect()
}

#[tokio::test]
async fn a_scraped_worker_gives_every_rule_and_panel_its_metrics() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("SERVE_READ_TOKEN", TOKEN);
    let due = (chrono::Utc::now() + chrono::TimeDelta::hours(6)).format("%H:%M");
    app.configure(&format!("[campaigns.default]\nid = 1\nfiles = '*.csv*'\ndue = 'daily {due}'\n"));
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let prometheus = Prometheus::start(&address_of(&app, &running).await);
    app.wait_until("it is scraped", async || prometheus.series("batchdrop_store_reachable == 1").await == 1).await;
    // What happens after the first scrape is a rise that the second one sees.
    app.drop_file("good.csv", contacts(100, 1)).await;
    app.drop_file("empty.csv", "").await;
    app.drop_file("notes.txt", "x").await;
    let failures = "sum(increase(batchdrop_files_failed_total[1m])) > 1";
    app.wait_until("what happened is scraped", async || prometheus.series(failures).await == 1).await;
    app.wait_until("every rule was evaluated", async || {
        let rules = prometheus.rules().await;
        !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok")
    })
    .await;

    let rules = prometheus.rules().await;
    for rule in &rules {
        assert_eq!(rule["state"], "inactive", "nothing is wrong: {rule}");
        let is_told = |word: &str| rule["annotations"][word].as_str().is_some_and(|text| text.len() > 20);
        assert!(is_told("summary") && is_told("runbook"), "{rule}");
        assert!(["critical", "warning", "info"].iter().any(|word| rule["labels"]["severity"] == *word), "{rule}");
    }

    let dashboard = text("grafana/batchdrop.json");
    let panels = panel_expressions(&serde_json::from_str(&dashboard).expect("JSON"));
    assert!(panels.len() > 20, "{panels:?}");
    for expression in &panels {
        assert_ne!(prometheus.series(expression).await, 0, "nothing is shown of {expression}");
    }

    let queries: String = rules.iter().map(|rule| rule["query"].to_string()).collect();
    let pattern = regex::Regex::new("batchdrop_[a-z_]+").expect("a pattern");
    let everything = format!("{queries} {dashboard}");
    let named: BTreeSet<&str> = pattern.find_iter(&everything).map(|found| found.as_str()).collect();
    for name in named {
        assert_ne!(prometheus.series(name).await, 0, "there is no {name}");
    }

    let names = prometheus.ask("label/__name__/values").await.expect("it answers");
    let names: Vec<&str> = names.as_array().expect("names").iter().filter_map(Value::as_str).collect();
    let ours: BTreeSet<&str> = names
        .into_iter()
        .filter(|name| name.starts_with("batchdrop_"))
        .map(|name| ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name))
        .collect();
    assert!(ours.len() > 15, "{ours:?}");
    for name in ours {
        assert!(dashboard.contains(name), "no panel shows {name}");
    }
}
