//! The bucket: one suite of promises, run against a folder and against a real S3 server; then what only one of the two
//! can do wrong.

/// Writes each promise out twice. First, since its users are the modules below it.
macro_rules! every_bucket {
    ($($promise:ident)*) => {
        mod in_a_folder {
            $(#[tokio::test] async fn $promise() { super::$promise(&crate::bucket::folder::FolderPlace::new()).await })*
        }
        mod on_s3 {
            $(#[tokio::test] async fn $promise() { super::$promise(&crate::bucket::s3::S3Place::new().await).await })*
        }
    };
}

mod folder;
mod s3;
mod scripted;
mod writing;

use std::collections::BTreeSet;
use std::error::Error as _;

use batchdrop::bucket::{Bucket, BucketConfig, Error, ErrorKind};
use batchdrop::model::Object;
use futures_util::{StreamExt, stream};

/// A place to drop files in: what a sender does, and how our side is told of it.
#[async_trait::async_trait]
trait Place: Sync {
    async fn put(&self, key: &str, content: &[u8]);
    async fn delete(&self, key: &str);
    /// What lies under a key, as its finder sees it.
    async fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// How much lies there that is no whole object: half-written files, parts of an upload.
    async fn leftovers(&self) -> usize;
    fn config(&self) -> BucketConfig;

    async fn open(&self) -> Bucket {
        Bucket::open(&self.config()).await.expect("the bucket opens")
    }
}

/// Everything in the bucket, page by page.
async fn list(bucket: &Bucket) -> Vec<Object> {
    let mut objects = Vec::new();
    let mut after = None;
    loop {
        let page = bucket.list(after.as_deref()).await.expect("a page");
        assert!(page.objects.len() <= 1_000);
        objects.extend(page.objects);
        after = page.next;
        if after.is_none() {
            return objects;
        }
    }
}

async fn keys(bucket: &Bucket) -> BTreeSet<String> {
    list(bucket).await.into_iter().map(|object| object.key).collect()
}

async fn only_object(bucket: &Bucket) -> Object {
    let mut objects = list(bucket).await;
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

async fn read(bucket: &Bucket, object: &Object) -> Result<Vec<u8>, Error> {
    let mut body = bucket.read(object).await?;
    let mut content = Vec::new();
    while let Some(chunk) = body.next().await {
        content.extend_from_slice(&chunk?);
    }
    Ok(content)
}

/// The error and its causes, as a log shows them.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn set<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.into_iter().map(str::to_owned).collect()
}

every_bucket! {
    an_empty_bucket_lists_nothing
    keys_come_back_exactly_as_they_were_put
    what_is_no_upload_is_not_listed
    more_than_a_page_is_listed_without_loss_or_repeat
    contents_come_back_byte_for_byte
    a_version_stays_until_the_content_changes
    a_replaced_object_is_gone
    a_deleted_object_is_gone
    readers_of_one_object_do_not_disturb_each_other
}

async fn an_empty_bucket_lists_nothing(place: &dyn Place) {
    let page = place.open().await.list(None).await.unwrap();
    assert_eq!((page.objects, page.unsettled.len(), page.next), (vec![], 0, None));
}

async fn keys_come_back_exactly_as_they_were_put(place: &dyn Place) {
    let keys_put = [
        "plain.csv",
        "two  spaces.csv",
        "a+b.csv",
        "%41.csv",
        "%2e%2e/up.csv",
        "100%.csv",
        "é.csv",
        "e\u{301}.csv", // the same letter to the eye, another name
        "📞.csv",
        "#1.csv",
        "a&b=c?d.csv",
        "<a>\"'.csv",
        "back\\slash.csv",
        "new\nline.csv",
        "2025/04/01/deep.csv",
        "2025/04/deep.csv",
    ];
    for key in keys_put {
        place.put(key, key.as_bytes()).await;
    }
    let bucket = place.open().await;
    assert_eq!(keys(&bucket).await, set(keys_put));
    for object in list(&bucket).await {
        assert_eq!(read(&bucket, &object).await.unwrap(), object.key.as_bytes(), "{}", object.key);
        assert_eq!(object.size, object.key.len() as u64);
    }
}

async fn what_is_no_upload_is_not_listed(place: &dyn Place) {
    for key in ["a.csv", "results.csv", "deep/results/a.csv"] {
        place.put(key, b"an upload").await;
    }
    for key in [".a.csv", ".git/a.csv", "deep/.hidden/a.csv", "a.csv.tmp", "A.PART", "results/1/a.receipt.json"] {
        place.put(key, b"none").await;
    }
    assert_eq!(keys(&place.open().await).await, set(["a.csv", "results.csv", "deep/results/a.csv"]));

    place.put("results/1/a.csv", b"an upload where nothing is ours").await;
    let config = BucketConfig { results_prefix: String::new(), ..place.config() };
    let without_results = Bucket::open(&config).await.unwrap();
    assert_eq!(keys(&without_results).await, set(["a.csv", "results.csv", "deep/results/a.csv", "results/1/a.csv"]));
}

async fn more_than_a_page_is_listed_without_loss_or_repeat(place: &dyn Place) {
    let put: BTreeSet<String> = (0..1_005).map(|n| format!("{}/{}/{n}.csv", n % 3, n % 7)).collect();
    stream::iter(&put).for_each_concurrent(32, |key| place.put(key, b"x")).await;

    let bucket = place.open().await;
    let first = bucket.list(None).await.unwrap();
    assert_eq!(first.objects.len(), 1_000);
    let next = first.next.expect("there is more");
    // A worker that was started anew, and one that goes on, find the same rest.
    for bucket in [place.open().await, bucket] {
        let rest = bucket.list(Some(&next)).await.unwrap();
        assert_eq!((rest.objects.len(), rest.next), (5, None));
        let listed: BTreeSet<String> = first.objects.iter().chain(&rest.objects).map(|o| o.key.clone()).collect();
        assert_eq!(listed, put);
    }
}

async fn contents_come_back_byte_for_byte(place: &dyn Place) {
    let five_megabytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (key, content) in [("empty.csv", &[][..]), ("one.csv", b"\n"), ("large.csv", &five_megabytes)] {
        place.put(key, content).await;
    }
    let bucket = place.open().await;
    for object in list(&bucket).await {
        let content = read(&bucket, &object).await.unwrap();
        let expected = match object.key.as_str() {
            "empty.csv" => &[][..],
            "one.csv" => b"\n",
            _ => &five_megabytes,
        };
        assert!(content == expected, "{}: {} bytes", object.key, content.len());
    }
}

async fn a_version_stays_until_the_content_changes(place: &dyn Place) {
    place.put("a.csv", b"one").await;
    let bucket = place.open().await;
    let first = only_object(&bucket).await;
    assert_eq!(only_object(&bucket).await, first);
    assert_eq!(only_object(&place.open().await).await, first, "another worker sees the same version");
    assert_eq!(bucket.name(), place.open().await.name());

    place.put("a.csv", b"two").await;
    let second = only_object(&bucket).await;
    assert_ne!(second.version, first.version);
    assert_eq!(read(&bucket, &second).await.unwrap(), b"two");
}

async fn a_replaced_object_is_gone(place: &dyn Place) {
    place.put("a.csv", b"one").await;
    let bucket = place.open().await;
    let listed = only_object(&bucket).await;
    place.put("a.csv", b"two").await;
    let error = read(&bucket, &listed).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Gone, "{}", told(&error));
}

async fn a_deleted_object_is_gone(place: &dyn Place) {
    place.put("a.csv", b"one").await;
    let bucket = place.open().await;
    let listed = only_object(&bucket).await;
    place.delete("a.csv").await;
    let error = read(&bucket, &listed).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Gone, "{}", told(&error));
    assert_eq!(list(&bucket).await, []);
}

async fn readers_of_one_object_do_not_disturb_each_other(place: &dyn Place) {
    let content = vec![b'x'; 3_000_000];
    place.put("a.csv", &content).await;
    let bucket = place.open().await;
    let object = only_object(&bucket).await;
    let mut given_up = bucket.read(&object).await.unwrap();
    given_up.next().await.unwrap().unwrap();
    let (one, two) = tokio::join!(read(&bucket, &object), read(&bucket, &object));
    assert!(one.unwrap() == content && two.unwrap() == content);
    drop(given_up);
    assert!(read(&bucket, &object).await.unwrap() == content);
}
