//! What a role may do beside what its worker does: nothing is missing, and nothing is there that is never used.

use std::collections::BTreeSet;

use globset::GlobBuilder;
use serde_json::Value;

use crate::support::recorder::Call;

/// An action on something, both by IAM's names. In a policy, what it is on may be a pattern.
type Right = (String, String);

/// Panics where the policy and the calls do not say the same. `prefix` is where in the bucket the worker works, `queue`
/// the ARN of its queue, whose account and region all queues here have.
pub fn compare(policy: &Value, calls: &[Call], bucket: &str, prefix: &str, queue: &str) {
    let granted = granted(policy);
    let needed: BTreeSet<Right> = calls.iter().flat_map(|call| needed(call, queue)).collect();
    for (action, on) in &needed {
        let is_granted = granted.iter().any(|right| covers(right, action, on));
        assert!(is_granted, "the worker did what its role may not do: {action} on {on}");
    }
    for right in &granted {
        let is_used = needed.iter().any(|(action, on)| covers(right, action, on));
        assert!(is_used, "the role may do what no worker did: {} on {}", right.0, right.1);
    }
    // The one right that is on the whole bucket is for what is below the prefix.
    let condition = &statement_of(policy, "s3:ListBucket")["Condition"];
    assert_eq!(condition["StringLikeIfExists"]["s3:prefix"], format!("{prefix}*"));
    for listing in calls.iter().filter(|call| call.operation == "ListObjectsV2") {
        assert_eq!((listing.on.as_str(), listing.prefix.as_deref()), (bucket, Some(prefix)));
    }
}

/// What AWS's service authorization reference asks for an operation.
fn needed(call: &Call, queue: &str) -> Vec<Right> {
    let right = |action: &str, on: &str| (action.to_owned(), on.to_owned());
    let on = format!("arn:aws:s3:::{}", call.on);
    let source = || format!("arn:aws:s3:::{}", call.source.as_deref().expect("the source of a copy"));
    match call.operation.as_str() {
        "ListObjectsV2" => vec![right("s3:ListBucket", &on)],
        "GetObject" | "HeadObject" => vec![right("s3:GetObject", &on)],
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            vec![right("s3:PutObject", &on)]
        }
        "AbortMultipartUpload" => vec![right("s3:AbortMultipartUpload", &on)],
        "UploadPartCopy" => vec![right("s3:GetObject", &source()), right("s3:PutObject", &on)],
        // It takes the tags along where there are any.
        "CopyObject" => vec![
            right("s3:GetObject", &source()),
            right("s3:GetObjectTagging", &source()),
            right("s3:PutObject", &on),
            right("s3:PutObjectTagging", &on),
        ],
        "DeleteObject" => vec![right("s3:DeleteObject", &on)],
        name @ ("GetQueueAttributes" | "ReceiveMessage" | "DeleteMessage") => {
            let (account, _) = queue.rsplit_once(':').expect("an ARN");
            vec![right(&format!("sqs:{name}"), &format!("{account}:{}", call.on))]
        }
        name => panic!("no worker was known to call {name}: add the right that it needs here, and to the template"),
    }
}

fn granted(policy: &Value) -> Vec<Right> {
    let mut rights = Vec::new();
    for statement in statements(policy) {
        assert_eq!(statement["Effect"], "Allow");
        for action in texts(&statement["Action"]) {
            assert!(!action.contains('*'), "every action is named: {action}");
            rights.extend(texts(&statement["Resource"]).iter().map(|on| (action.clone(), on.clone())));
        }
    }
    rights
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().expect("statements")
}

fn statement_of<'a>(policy: &'a Value, action: &str) -> &'a Value {
    let mut all = statements(policy).iter();
    all.find(|statement| texts(&statement["Action"]).iter().any(|named| named == action))
        .expect("the action is granted")
}

/// One text, or several.
fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    value.as_array().map_or_else(|| vec![text(value)], |several| several.iter().map(text).collect())
}

fn covers((granted, pattern): &Right, action: &str, on: &str) -> bool {
    // IAM's star goes over slashes too.
    let pattern = GlobBuilder::new(pattern).literal_separator(false).build().expect("a pattern").compile_matcher();
    granted == action && pattern.is_match(on)
}
