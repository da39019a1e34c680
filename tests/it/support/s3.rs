//! A fresh bucket on a server that `tests/run` starts: on the real S3 server, or on the one that plays AWS and so has
//! queues too.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use uuid::Uuid;

/// Where the real S3 server listens.
pub fn endpoint() -> String {
    variable("BATCHDROP_TEST_S3_ENDPOINT")
}

/// What `tests/run` tells.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/run, which starts the servers"))
}

/// A bucket that no other test knows of. It is not deleted: the whole server is, at the end of the run.
pub struct TestBucket {
    pub name: String,
    /// Where its server listens.
    pub endpoint: String,
    pub client: Client,
}

pub fn credentials() -> Credentials {
    Credentials::new(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), None, None, "tests")
}

impl TestBucket {
    pub async fn new() -> TestBucket {
        TestBucket::on(endpoint()).await
    }

    /// On the server that has queues.
    pub async fn on_aws() -> TestBucket {
        TestBucket::on(variable("BATCHDROP_TEST_AWS_ENDPOINT")).await
    }

    /// A bucket that somebody has made on the server at `endpoint`.
    pub fn existing(endpoint: String, name: String) -> TestBucket {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            // Not every server knows the newer checksums in a streamed PUT.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .build();
        TestBucket { name, endpoint, client: Client::from_conf(config) }
    }

    async fn on(endpoint: String) -> TestBucket {
        let bucket = TestBucket::existing(endpoint, format!("test-{}", Uuid::new_v4()));
        bucket.client.create_bucket().bucket(&bucket.name).send().await.expect("the test's bucket is created");
        bucket
    }

    pub async fn put(&self, key: &str, content: &[u8]) {
        let body = content.to_vec().into();
        self.client.put_object().bucket(&self.name).key(key).body(body).send().await.expect("the object is put");
    }

    pub async fn delete(&self, key: &str) {
        self.client.delete_object().bucket(&self.name).key(key).send().await.expect("the object is deleted");
    }

    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => Some(object.body.collect().await.expect("the whole object").into_bytes().to_vec()),
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => None,
            Err(error) => panic!("{key} is not read: {error:?}"),
        }
    }

    pub async fn content_type(&self, key: &str) -> Option<String> {
        let head = self.client.head_object().bucket(&self.name).key(key).send().await.expect("the object is there");
        head.content_type
    }

    /// All keys, in order; there are fewer than a page's.
    pub async fn keys(&self) -> Vec<String> {
        let page = self.client.list_objects_v2().bucket(&self.name).send().await.expect("a page");
        page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect()
    }

    /// Uploads in parts that were neither finished nor taken away.
    pub async fn unfinished(&self) -> usize {
        let list = self.client.list_multipart_uploads().bucket(&self.name).send().await.expect("a page");
        list.uploads().len()
    }
}
