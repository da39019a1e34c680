//! What only S3 can do: prefixes, keys that are refused, buckets that are not there.

use std::process::Command;

use batchdrop::bucket::{Bucket, BucketConfig, ErrorKind};

use super::{Place, keys, list, read, set, told};
use crate::support::s3::{TestBucket, endpoint};

/// A bucket on the real server.
pub struct S3Place(pub TestBucket);

impl S3Place {
    pub async fn new() -> Self {
        S3Place(TestBucket::new().await)
    }
}

#[async_trait::async_trait]
impl Place for S3Place {
    async fn put(&self, key: &str, content: &[u8]) {
        self.0.put(key, content).await;
    }

    async fn delete(&self, key: &str) {
        self.0.delete(key).await;
    }

    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.get(key).await
    }

    async fn leftovers(&self) -> usize {
        self.0.unfinished().await
    }

    fn config(&self) -> BucketConfig {
        s3_config(&self.0.name)
    }
}

fn s3_config(bucket: &str) -> BucketConfig {
    BucketConfig {
        url: format!("s3://{bucket}"),
        endpoint_url: Some(endpoint()),
        force_path_style: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn only_what_lies_under_the_prefix_is_listed() {
    let place = S3Place::new().await;
    for key in ["a.csv", "in/a.csv", "in/deep/a.csv", "in/results/1/a.csv", "in/.a.csv", "inner/a.csv", "in", "in/"] {
        place.put(key, b"x").await;
    }
    for url in [format!("s3://{}/in", place.0.name), format!("s3://{}/in/", place.0.name)] {
        let bucket = Bucket::open(&BucketConfig { url, ..place.config() }).await.unwrap();
        assert_eq!(keys(&bucket).await, set(["in/a.csv", "in/deep/a.csv"]), "with their full keys");
        assert_eq!(bucket.name(), format!("s3://{}/in", place.0.name));
        for object in list(&bucket).await {
            read(&bucket, &object).await.unwrap();
        }
    }
    assert_eq!(place.open().await.name(), format!("s3://{}", place.0.name));
}

#[tokio::test]
async fn keys_that_would_lead_elsewhere_in_a_folder_are_plain_keys_here() {
    let place = S3Place::new().await;
    let long = format!("{}.csv", "x".repeat(1_020));
    let odd = ["/lead.csv", "a//b.csv", "a/ /b.csv", "../up.csv", "a/../up.csv", "./up.csv", "up.csv", &long];
    for key in odd {
        place.put(key, key.as_bytes()).await;
    }
    let bucket = place.open().await;
    assert_eq!(keys(&bucket).await, set(odd));
    for object in list(&bucket).await {
        assert_eq!(read(&bucket, &object).await.unwrap(), object.key.as_bytes());
    }
}

#[tokio::test]
async fn a_missing_bucket_is_permanent() {
    let error = Bucket::open(&s3_config("there-is-none")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    let told = told(&error);
    assert!(told.starts_with("cannot list s3://there-is-none: the server answered 404 NoSuchBucket"), "{told}");
}

#[tokio::test]
async fn wrong_keys_are_permanent_and_never_shown() {
    // The keys come from the environment, which is the whole process's: so each case is a process of its own, which
    // runs this test again and finds its bucket in this variable.
    const BUCKET: &str = "BATCHDROP_TEST_WRONG_KEYS";
    if let Ok(bucket) = std::env::var(BUCKET) {
        let error = Bucket::open(&s3_config(&bucket)).await.unwrap_err();
        println!("{:?}, {}", error.kind, told(&error));
        return;
    }
    let bucket = S3Place::new().await.0.name;
    for (variable, value, answer) in [
        ("AWS_SECRET_ACCESS_KEY", "s3cret-and-wrong", "the server answered 403 SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "nobody", "the server answered 403 InvalidAccessKeyId"),
    ] {
        let expected = format!("Permanent, cannot list s3://{bucket}: {answer}");
        assert_told(
            Command::new(std::env::current_exe().unwrap()).env(BUCKET, &bucket).env(variable, value),
            &expected,
        );
    }
    let expected = format!(
        "Permanent, no AWS credentials, in the environment or elsewhere in the usual AWS chain, to open s3://{bucket}: "
    );
    let mut without = Command::new(std::env::current_exe().unwrap());
    without.env(BUCKET, &bucket).env("AWS_EC2_METADATA_DISABLED", "true");
    assert_told(without.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY"), &expected);
}

fn assert_told(command: &mut Command, expected: &str) {
    let test = "bucket::s3::wrong_keys_are_permanent_and_never_shown";
    let output = command.args(["--exact", test, "--nocapture"]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains(expected), "{expected:?} is not in {stdout}");
    assert!(!stdout.contains("s3cret-and-wrong"), "{stdout}");
}
