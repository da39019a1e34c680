//! What a message of a queue says about objects: S3's event notifications, as they come straight, through SNS, or
//! through EventBridge. Pure.
//!
//! An event is a hint: it names a key that may have something new, and is never believed beyond that. Nothing depends
//! on its order, on its size or ETag, or on its coming at all.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// These keys of the bucket were written, as the bucket spells them. None where it tells of other things only:
    /// deletions, other buckets, the test event that S3 sends when notifications are switched on.
    Written(Vec<String>),
    /// It is no event of S3's. Why, without quoting it.
    NotUnderstood(&'static str),
}

/// Reads a message about `bucket`.
pub(super) fn read(body: &str, bucket: &str) -> Told {
    let Ok(message) = serde_json::from_str::<Value>(body) else { return Told::NotUnderstood("it is no JSON") };
    event(&message, bucket, Wrapping::Allowed)
}

#[derive(PartialEq, Eq)]
enum Wrapping {
    Allowed,
    Done,
}

fn event(message: &Value, bucket: &str, wrapping: Wrapping) -> Told {
    if let Some(records) = message["Records"].as_array() {
        return of_records(records, bucket);
    }
    if message["Event"] == "s3:TestEvent" {
        return Told::Written(Vec::new());
    }
    if message["source"] == "aws.s3" {
        return of_event_bridge(message, bucket);
    }
    // SNS carries the event as a text, where it is not told to deliver raw messages.
    if message["Type"] == "Notification" && wrapping == Wrapping::Allowed {
        return match message["Message"].as_str().map(serde_json::from_str::<Value>) {
            Some(Ok(inner)) => event(&inner, bucket, Wrapping::Done),
            _ => Told::NotUnderstood("the notification of SNS carries no JSON"),
        };
    }
    Told::NotUnderstood("it is no event of S3's")
}

fn of_records(records: &[Value], bucket: &str) -> Told {
    let mut keys = Vec::new();
    for record in records {
        let (Some(name), Some(of_bucket), Some(key)) = (
            record["eventName"].as_str(),
            record["s3"]["bucket"]["name"].as_str(),
            record["s3"]["object"]["key"].as_str(),
        ) else {
            return Told::NotUnderstood("a record in it has no event name, bucket or key");
        };
        // Some servers write the name with the prefix that rules are written with.
        let is_written = name.strip_prefix("s3:").unwrap_or(name).starts_with("ObjectCreated:");
        if is_written && of_bucket == bucket {
            let Some(key) = decoded(key) else { return Told::NotUnderstood("a key in it is not text") };
            keys.push(key);
        }
    }
    Told::Written(keys)
}

fn of_event_bridge(message: &Value, bucket: &str) -> Told {
    let (Some(kind), Some(of_bucket), Some(key)) = (
        message["detail-type"].as_str(),
        message["detail"]["bucket"]["name"].as_str(),
        message["detail"]["object"]["key"].as_str(),
    ) else {
        return Told::NotUnderstood("the event of EventBridge has no kind, bucket or key");
    };
    let is_written = kind == "Object Created" && of_bucket == bucket;
    // EventBridge, unlike S3 itself, gives the key as it is.
    Told::Written(if is_written { vec![key.to_owned()] } else { Vec::new() })
}

/// S3 writes a key as a form does: `+` is a space, and `%2B` a plus. A listing that is asked for it does the same.
/// Decoded once; a key may well hold a `%41` of its own.
pub(super) fn decoded(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|key| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, bucket: &str, key: &str) -> Value {
        serde_json::json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name, "eventTime": "2025-04-01T08:00:00.000Z",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 7, "eTag": "d41d", "sequencer": "00A"}},
        })
    }

    fn message(records: &[Value]) -> String {
        serde_json::json!({ "Records": records }).to_string()
    }

    fn written(keys: &[&str]) -> Told {
        Told::Written(keys.iter().map(|&key| key.to_owned()).collect())
    }

    #[test]
    fn keys_are_decoded_once() {
        for (sent, key) in [
            ("a.csv", "a.csv"),
            ("in/coming/a.csv", "in/coming/a.csv"),
            ("in%2Fcoming%2Fa.csv", "in/coming/a.csv"),
            ("a+b.csv", "a b.csv"),
            ("a%2Bb.csv", "a+b.csv"),
            ("a%20b.csv", "a b.csv"),
            ("100%2541.csv", "100%41.csv"),
            ("Z%C3%BCrich.csv", "Zürich.csv"),
            ("%F0%9F%98%80.csv", "😀.csv"),
            ("..%2F..%2Fetc.csv", "../../etc.csv"),
            ("a%0Ab.csv", "a\nb.csv"),
        ] {
            let body = message(&[record("ObjectCreated:Put", "drop", sent)]);
            assert_eq!(read(&body, "drop"), written(&[key]), "{sent}");
        }
    }

    #[test]
    fn every_record_of_a_message_counts_and_only_what_was_written_to_this_bucket() {
        let body = message(&[
            record("ObjectCreated:Put", "drop", "a.csv"),
            record("ObjectCreated:CompleteMultipartUpload", "drop", "b.csv"),
            record("s3:ObjectCreated:Copy", "drop", "c.csv"),
            record("ObjectCreated:Put", "other", "d.csv"),
            record("ObjectRemoved:Delete", "drop", "e.csv"),
            record("ObjectCreated:Put", "drop", "a.csv"),
        ]);
        assert_eq!(read(&body, "drop"), written(&["a.csv", "b.csv", "c.csv", "a.csv"]));
        assert_eq!(read(&message(&[]), "drop"), written(&[]));
    }

    #[test]
    fn wrappings_are_taken_off() {
        let inner = message(&[record("ObjectCreated:Put", "drop", "a+b.csv")]);
        let by_sns =
            serde_json::json!({"Type": "Notification", "TopicArn": "arn:aws:sns:…", "Message": inner}).to_string();
        assert_eq!(read(&by_sns, "drop"), written(&["a b.csv"]));
        let twice = serde_json::json!({"Type": "Notification", "Message": by_sns}).to_string();
        assert!(matches!(read(&twice, "drop"), Told::NotUnderstood(_)));
        let bridge = |kind: &str, bucket: &str| {
            serde_json::json!({
                "version": "0", "source": "aws.s3", "detail-type": kind,
                "detail": {"bucket": {"name": bucket}, "object": {"key": "a+b%41.csv", "size": 7}},
            })
            .to_string()
        };
        assert_eq!(read(&bridge("Object Created", "drop"), "drop"), written(&["a+b%41.csv"]));
        assert_eq!(read(&bridge("Object Deleted", "drop"), "drop"), written(&[]));
        assert_eq!(read(&bridge("Object Created", "other"), "drop"), written(&[]));
    }

    #[test]
    fn a_test_event_is_understood_and_what_is_no_event_is_not() {
        let test =
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2025-04-01T08:00:00.000Z","Bucket":"drop"}"#;
        assert_eq!(read(test, "drop"), written(&[]));
        for body in [
            "",
            "hello",
            "{}",
            "[]",
            "null",
            r#"{"Records": [{"eventName": "ObjectCreated:Put"}]}"#,
            r#"{"Records": {"a": 1}}"#,
            r#"{"Type": "Notification", "Message": "hello"}"#,
            r#"{"Type": "Notification"}"#,
            r#"{"source": "aws.s3", "detail-type": "Object Created"}"#,
            r#"{"source": "aws.ec2", "detail": {}}"#,
        ] {
            assert!(matches!(read(body, "drop"), Told::NotUnderstood(_)), "{body}");
        }
        let not_text = message(&[record("ObjectCreated:Put", "drop", "%FF.csv")]);
        assert_eq!(read(&not_text, "drop"), Told::NotUnderstood("a key in it is not text"));
    }
}
