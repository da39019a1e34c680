//! Answers: what is written appears whole or not at all, what is moved or deleted is the version that was meant.

use std::io;

use batchdrop::bucket::{Bucket, BucketConfig, Error, ErrorKind, Pieces};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::s3::S3Place;
use super::{Place, keys, list, only_object, read, set, told};

every_bucket! {
    what_is_written_is_there_whole_and_never_listed
    keys_are_written_as_they_are_spelled
    an_object_is_replaced_at_once
    what_breaks_off_leaves_nothing
    a_version_is_moved_once
    a_version_is_deleted_once
    another_version_is_neither_moved_nor_deleted
    what_is_not_there_is_not_moved_and_counts_as_deleted
    objects_of_any_key_are_moved
}

fn pieces(content: &[u8], size: usize) -> Pieces<'static> {
    let pieces: Vec<_> = content.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

async fn write(bucket: &Bucket, key: &str, content: &[u8]) -> Result<(), Error> {
    bucket.write(key, "text/csv", pieces(content, 1 << 20)).await
}

fn some_bytes(count: u32) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn what_is_written_is_there_whole_and_never_listed(place: &dyn Place) {
    let bucket = place.open().await;
    // Less than a part, exactly one, exactly two, and a little more than two.
    let part = 8 << 20;
    for (n, size) in [0, 1, part - 1, part, 2 * part, 2 * part + 1].into_iter().enumerate() {
        let (key, content) = (format!("results/{n}/a.csv"), some_bytes(size));
        write(&bucket, &key, &content).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        assert!(place.get(&key).await.unwrap() == content, "{size}");
    }
    assert_eq!(list(&bucket).await, []);
    assert_eq!(place.leftovers().await, 0);
}

async fn keys_are_written_as_they_are_spelled(place: &dyn Place) {
    let bucket = place.open().await;
    for name in ["two  spaces", "a+b", "%41", "é", "📞", "#1?a=b&c", "<a>\"'", "back\\slash", "new\nline"] {
        let key = format!("results/20250401.2/{name}.csv");
        write(&bucket, &key, key.as_bytes()).await.unwrap_or_else(|error| panic!("{}", told(&error)));
        assert_eq!(place.get(&key).await.as_deref(), Some(key.as_bytes()), "{name}");
    }
}

async fn an_object_is_replaced_at_once(place: &dyn Place) {
    let bucket = place.open().await;
    for content in [&b"the first, which is longer"[..], b"the second", b"the second"] {
        write(&bucket, "results/1/a.json", content).await.unwrap();
        assert_eq!(place.get("results/1/a.json").await.as_deref(), Some(content));
    }
}

async fn what_breaks_off_leaves_nothing(place: &dyn Place) {
    let bucket = place.open().await;
    write(&bucket, "results/1/a.csv", b"of before").await.unwrap();
    for before in [0, 1, 20] {
        let good = (0..before).map(|_| Ok(Bytes::from(vec![b'x'; 1 << 20])));
        let broken = good.chain([Err(io::Error::other("the database went away"))]);
        let broken = stream::iter(broken.collect::<Vec<_>>()).boxed();
        let error = bucket.write("results/1/a.csv", "text/csv", broken).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient);
        assert_eq!(told(&error), "what is to be written could not be had: results/1/a.csv: the database went away");
        assert_eq!(place.get("results/1/a.csv").await.unwrap(), b"of before");
        assert_eq!(place.leftovers().await, 0, "after {before} MiB");
    }
}

async fn a_version_is_moved_once(place: &dyn Place) {
    place.put("in/a.csv", b"one").await;
    let bucket = place.open().await;
    let object = only_object(&bucket).await;
    for attempt in ["the first", "one that does not know of the first"] {
        bucket.move_to(&object, "processed/20250401.2/a.csv").await.unwrap_or_else(|error| panic!("{}", told(&error)));
        assert_eq!(place.get("processed/20250401.2/a.csv").await.as_deref(), Some(&b"one"[..]), "{attempt}");
        assert_eq!(place.get("in/a.csv").await, None, "{attempt}");
    }
    assert_eq!(list(&bucket).await, [], "what was moved is no upload");
    // What comes under the old name later is left alone by a late attempt.
    place.put("in/a.csv", b"another").await;
    bucket.move_to(&object, "processed/20250401.2/a.csv").await.unwrap();
    assert_eq!(place.get("processed/20250401.2/a.csv").await.as_deref(), Some(&b"one"[..]));
    assert_eq!(place.get("in/a.csv").await.as_deref(), Some(&b"another"[..]));
}

async fn a_version_is_deleted_once(place: &dyn Place) {
    place.put("a.csv", b"one").await;
    let bucket = place.open().await;
    let object = only_object(&bucket).await;
    bucket.delete(&object).await.unwrap_or_else(|error| panic!("{}", told(&error)));
    assert_eq!(place.get("a.csv").await, None);
    bucket.delete(&object).await.unwrap();
}

async fn another_version_is_neither_moved_nor_deleted(place: &dyn Place) {
    place.put("a.csv", b"one").await;
    let bucket = place.open().await;
    let object = only_object(&bucket).await;
    place.put("a.csv", b"two").await;
    assert_eq!(bucket.move_to(&object, "processed/1/a.csv").await.unwrap_err().kind, ErrorKind::Gone);
    assert_eq!(bucket.delete(&object).await.unwrap_err().kind, ErrorKind::Gone);
    assert_eq!(place.get("a.csv").await.as_deref(), Some(&b"two"[..]));
    assert_eq!(place.get("processed/1/a.csv").await, None);
}

async fn what_is_not_there_is_not_moved_and_counts_as_deleted(place: &dyn Place) {
    place.put("a.csv", b"one").await;
    let bucket = place.open().await;
    let object = only_object(&bucket).await;
    place.delete("a.csv").await;
    assert_eq!(bucket.move_to(&object, "processed/1/a.csv").await.unwrap_err().kind, ErrorKind::Gone);
    bucket.delete(&object).await.unwrap();
}

async fn objects_of_any_key_are_moved(place: &dyn Place) {
    let names =
        ["two  spaces.csv", "a+b.csv", "%41.csv", "é.csv", "📞.csv", "#1?a=b&c.csv", "new\nline.csv", "deep/er/x.csv"];
    for name in names {
        place.put(name, name.as_bytes()).await;
    }
    let bucket = place.open().await;
    for object in list(&bucket).await {
        let to = format!("processed/1/{}", object.base_name());
        bucket.move_to(&object, &to).await.unwrap_or_else(|error| panic!("{:?} {}", object.key, told(&error)));
        assert_eq!(place.get(&to).await.as_deref(), Some(object.key.as_bytes()));
    }
    assert_eq!(list(&bucket).await, []);
}

#[tokio::test]
async fn on_s3_a_prefix_holds_for_what_is_written_and_moved_too() {
    let place = S3Place::new().await;
    place.put("in/a.csv", b"one").await;
    let bucket =
        Bucket::open(&BucketConfig { url: format!("s3://{}/in", place.0.name), ..place.config() }).await.unwrap();
    let object = only_object(&bucket).await;
    write(&bucket, "results/1/a.csv", b"rejects").await.unwrap();
    bucket.move_to(&object, "processed/1/a.csv").await.unwrap();
    assert_eq!(place.0.keys().await, ["in/processed/1/a.csv", "in/results/1/a.csv"]);
    assert_eq!(place.0.content_type("in/results/1/a.csv").await.as_deref(), Some("text/csv"));
    assert_eq!(keys(&bucket).await, set([]));
}

#[tokio::test]
async fn on_s3_a_large_object_is_written_and_moved_in_parts() {
    let place = S3Place::new().await;
    let bucket = place.open().await;
    let content = some_bytes((64 << 20) + 5);
    write(&bucket, "in/large.csv", &content).await.unwrap();
    let object = only_object(&bucket).await;
    bucket.move_to(&object, "processed/1/large.csv").await.unwrap_or_else(|error| panic!("{}", told(&error)));
    assert!(place.get("processed/1/large.csv").await.unwrap() == content);
    assert_eq!(place.get("in/large.csv").await, None);
    assert_eq!(place.0.content_type("processed/1/large.csv").await.as_deref(), Some("text/csv"), "of the original");
    assert_eq!(place.leftovers().await, 0);
    // It has another ETag now; the move is known by where it lies.
    bucket.move_to(&object, "processed/1/large.csv").await.unwrap();
    assert!(read(&bucket, &object).await.is_err());
}
