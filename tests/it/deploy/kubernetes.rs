//! The resources, rendered as `kubectl` does, judged by the schemas that Kubernetes, KEDA and the Prometheus operator
//! publish.

use serde_json::Value;

use super::{deploy, tool};
use crate::support::app::{In, TestApp, To};
use crate::support::program::{Ran, run};

const OVERLAYS: [&str; 3] = ["worker", "worker-scaled", "scheduled"];

fn rendered(overlay: &str) -> String {
    let overlay = deploy().join("kubernetes/overlays").join(overlay);
    let rendered = tool("kubectl", &["kustomize", overlay.to_str().expect("a plain path")], "");
    assert_eq!(rendered.code, 0, "{}", rendered.err);
    rendered.out
}

fn judge(resources: &str) -> Ran {
    tool("python3", &[concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/deploy/manifests.py")], resources)
}

/// Every value under this key, however deep.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|field| all(field, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

#[test]
fn resources_are_what_kubernetes_understands() {
    for overlay in OVERLAYS {
        let judged = judge(&rendered(overlay));
        assert_eq!(judged.code, 0, "{overlay}: {}", judged.err);
        let resources: Value = serde_json::from_str(&judged.out).expect("JSON");
        let mut pods = Vec::new();
        all(&resources, "template", &mut pods);
        let pods: Vec<_> = pods.into_iter().filter(|template| template["spec"]["containers"].is_array()).collect();
        assert_eq!(pods.len(), 1, "{overlay}");
        // A Service in the namespace would become variables that are no settings, and the program would refuse them.
        assert_eq!(pods[0]["spec"]["enableServiceLinks"], false);
        assert_eq!(pods[0]["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pods[0]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
        assert_ne!(pods[0]["spec"]["volumes"][0]["configMap"]["name"], "batchdrop", "named by its content");
        for key in ["selector", "podSelector"] {
            let mut selectors = Vec::new();
            all(&resources, key, &mut selectors);
            let empty = selectors.iter().any(|selector| selector.as_object().is_some_and(|fields| fields.is_empty()));
            assert!(!empty, "{overlay}: an empty {key} means every pod of the namespace");
        }
    }
}

#[test]
fn what_is_misspelt_is_found() {
    for (overlay, right, wrong) in [
        ("scheduled", "concurrencyPolicy: Forbid", "concurrencyPolicies: Forbid"),
        ("worker-scaled", "maxReplicaCount: 6", "maxReplicas: 6"),
        ("worker-scaled", "interval: 15s", "intervall: 15s"),
    ] {
        let resources = rendered(overlay);
        assert!(resources.contains(right), "{right}");
        let judged = judge(&resources.replace(right, wrong));
        assert_eq!(judged.code, 1, "{wrong}: {}", judged.err);
    }
}

#[test]
fn the_settings_are_valid() {
    let settings = deploy().join("kubernetes/base/batchdrop.toml");
    let checked = run(deploy(), &["config", "check", "--config", settings.to_str().expect("a plain path")]);
    assert_eq!(checked.code, 0, "{}", checked.err);
}

/// A file that its sender must mend is no failed Job, and nothing that another try mends.
#[tokio::test]
async fn a_scheduled_run_is_told_in_words_that_the_program_knows() {
    let resources: Value = serde_json::from_str(&judge(&rendered("scheduled")).out).expect("JSON");
    let mut arguments = Vec::new();
    all(&resources, "args", &mut arguments);
    let arguments: Vec<&str> = arguments[0].as_array().expect("arguments").iter().filter_map(Value::as_str).collect();
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    let settings = std::fs::read_to_string(deploy().join("kubernetes/base/batchdrop.toml")).expect("the settings");
    app.configure(&settings);
    let here = app.setting("CONFIG");
    let arguments: Vec<&str> =
        arguments.into_iter().map(|word| if word.starts_with("/etc/") { here.as_str() } else { word }).collect();
    app.drop_file("LATE_PAYMENTS_1.csv", "").await;
    let ran = app.output(&arguments);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(app.batch_of("LATE_PAYMENTS_1.csv").await.error_code.as_deref(), Some("EMPTY_FILE"));
}

#[tokio::test]
async fn workers_are_counted_by_what_can_be_worked_on() {
    let judged = judge(&rendered("worker-scaled"));
    let resources: Value = serde_json::from_str(&judged.out).expect("JSON");
    let mut queries = Vec::new();
    all(&resources, "query", &mut queries);
    let query = queries[0].as_str().expect("a query");

    let app = TestApp::new(In::Folder, To::Postgres).await;
    app.drop_file("empty.csv", "").await;
    assert_eq!(app.settle().await, 3);
    let due = async || app.number(query).await;
    assert_eq!(due().await, 0, "a file that failed is no work");
    let again = app.output(&["requeue", "--code", "EMPTY_FILE"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(due().await, 1, "until it is to be worked on again");
}
