//! What a real S3 server cannot be made to do: cut a body at a chosen byte, stall, refuse for ever. A server of a few
//! lines plays one object, `a.csv`, and answers each read as the test tells it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use batchdrop::bucket::{Bucket, BucketConfig, Error, ErrorKind};
use batchdrop::model::Object;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{only_object, read, told};

const CONTENT: &str = "reference_id,target\n1,+15125550101\n";
const MODIFIED: &str = "last-modified: Tue, 01 Apr 2025 12:00:00 GMT";

/// A bucket on a server that answers every listing and every read with the same text.
struct Scripted {
    config: BucketConfig,
    reads: Arc<AtomicUsize>,
    lists: Arc<AtomicUsize>,
    last_request: Arc<Mutex<String>>,
}

impl Scripted {
    /// A good listing; `answer` to every read.
    async fn reading(answer: impl Into<String>) -> Scripted {
        Scripted::start(listing(""), answer.into(), false).await
    }

    async fn start(list: String, read: String, hold_open: bool) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (reads, lists) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let last_request = Arc::new(Mutex::new(String::new()));
        let (count_reads, count_lists, asked) = (reads.clone(), lists.clone(), last_request.clone());
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let request = request_head(&mut connection).await;
                let is_list = request.contains("list-type=2");
                let (counter, answer) = if is_list { (&count_lists, &list) } else { (&count_reads, &read) };
                counter.fetch_add(1, SeqCst);
                *asked.lock().unwrap() = request;
                let _ = connection.write_all(answer.as_bytes()).await; // who asked may be gone
                if hold_open && !is_list {
                    tokio::spawn(async move {
                        let _ = connection.read(&mut [0]).await;
                    });
                }
            }
        });
        let config = BucketConfig {
            url: "s3://bucket".to_owned(),
            endpoint_url: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            force_path_style: true,
            ..Default::default()
        };
        Scripted { config, reads, lists, last_request }
    }

    async fn open(&self) -> (Bucket, Object) {
        let bucket = Bucket::open(&self.config).await.unwrap();
        let object = only_object(&bucket).await;
        (bucket, object)
    }

    async fn read_fails(&self) -> Error {
        let (bucket, object) = self.open().await;
        read(&bucket, &object).await.expect_err("not the whole object was read")
    }
}

async fn request_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn listing(more: &str) -> String {
    let size = CONTENT.len();
    let xml = format!(
        "<ListBucketResult>{more}<Contents><Key>a.csv</Key><LastModified>2025-04-01T12:00:00.123Z</LastModified>\
         <ETag>&quot;e1&quot;</ETag><Size>{size}</Size></Contents></ListBucketResult>"
    );
    answer("200 OK", "content-type: application/xml", &xml, xml.len())
}

/// An answer that announces a length, whatever its body is.
fn answer(status: &str, header: &str, body: &str, announced: usize) -> String {
    format!("HTTP/1.1 {status}\r\n{header}\r\ncontent-length: {announced}\r\nconnection: close\r\n\r\n{body}")
}

fn object(etag: &str, body: &str) -> String {
    answer("200 OK", &format!("etag: \"{etag}\"\r\n{MODIFIED}"), body, CONTENT.len())
}

fn refusal(status: &str, code: &str, message: &str) -> String {
    let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answer(status, "content-type: application/xml", &xml, xml.len())
}

#[tokio::test]
async fn a_read_asks_for_the_listed_version_only() {
    let server = Scripted::reading(object("e1", CONTENT)).await;
    let (bucket, listed) = server.open().await;
    assert_eq!(listed.version, "e1@1743508800");
    assert_eq!(read(&bucket, &listed).await.unwrap(), CONTENT.as_bytes());
    let request = server.last_request.lock().unwrap().to_lowercase();
    assert!(request.contains("\r\nif-match: \"e1\"\r\n"), "{request}");
}

#[tokio::test]
async fn a_body_cut_at_any_byte_is_never_a_whole_object() {
    for cut in 0..CONTENT.len() {
        let body = "x".repeat(cut);
        let error = Scripted::reading(object("e1", &body)).await.read_fails().await;
        assert_eq!(error.kind, ErrorKind::Transient, "cut at {cut}: {}", told(&error));
    }
}

#[tokio::test]
async fn an_answer_of_another_length_than_listed_is_never_the_object() {
    let short = answer("200 OK", &format!("etag: \"e1\"\r\n{MODIFIED}"), "short", 5);
    let error = Scripted::reading(short).await.read_fails().await;
    assert_eq!(error.kind, ErrorKind::Transient, "{}", told(&error));
    let unannounced = format!("HTTP/1.1 200 OK\r\netag: \"e1\"\r\n{MODIFIED}\r\nconnection: close\r\n\r\nshort");
    let error = Scripted::reading(unannounced).await.read_fails().await;
    assert_eq!(error.kind, ErrorKind::Transient, "{}", told(&error));
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let mut server = Scripted::start(listing(""), object("e1", "only this much"), true).await;
    server.config.stall_seconds = 1;
    let error = server.read_fails().await;
    assert_eq!(error.kind, ErrorKind::Transient);
    assert_eq!(told(&error), "too slow: the server brought 14 bytes in 1 s, and 14 of 35 in all, of a.csv");
}

#[tokio::test]
async fn a_server_that_ignores_if_match_does_not_pass_another_version_for_ours() {
    let error = Scripted::reading(object("e2", CONTENT)).await.read_fails().await;
    assert_eq!(error.kind, ErrorKind::Gone, "{}", told(&error));
    let later = object("e1", CONTENT).replace("12:00:00", "12:00:01");
    let error = Scripted::reading(later).await.read_fails().await;
    assert_eq!(error.kind, ErrorKind::Gone, "the same content, put once more: {}", told(&error));
}

#[tokio::test]
async fn a_server_that_always_says_slow_down_is_asked_three_times_and_then_later() {
    let server = Scripted::reading(refusal("503 Slow Down", "SlowDown", "Please reduce your request rate.")).await;
    let error = server.read_fails().await;
    assert_eq!(error.kind, ErrorKind::Transient);
    assert_eq!(told(&error), "cannot read a.csv: the server answered 503 SlowDown: Please reduce your request rate.");
    assert_eq!(server.reads.load(SeqCst), 3);

    let server = Scripted::start(refusal("503 Slow Down", "SlowDown", ""), String::new(), false).await;
    let error = Bucket::open(&server.config).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert_eq!(told(&error), "cannot list s3://bucket: the server answered 503 SlowDown");
    assert_eq!(server.lists.load(SeqCst), 3);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, kind) in [
        ("403 Forbidden", "AccessDenied", ErrorKind::Permanent),
        ("403 Forbidden", "InvalidObjectState", ErrorKind::Permanent),
        ("400 Bad Request", "KMS.DisabledException", ErrorKind::Permanent),
        ("401 Unauthorized", "Unauthorized", ErrorKind::Permanent),
        ("404 Not Found", "NoSuchBucket", ErrorKind::Permanent),
        ("301 Moved Permanently", "PermanentRedirect", ErrorKind::Permanent),
        ("404 Not Found", "NoSuchKey", ErrorKind::Gone),
        ("412 Precondition Failed", "PreconditionFailed", ErrorKind::Gone),
        ("429 Too Many Requests", "TooManyRequests", ErrorKind::Transient),
        ("400 Bad Request", "RequestTimeout", ErrorKind::Transient),
        ("500 Internal Server Error", "InternalError", ErrorKind::Transient),
    ] {
        let error = Scripted::reading(refusal(status, code, "Because.")).await.read_fails().await;
        let number = &status[..3];
        assert_eq!(told(&error), format!("cannot read a.csv: the server answered {number} {code}: Because."));
        assert_eq!(error.kind, kind, "{status} {code}");
    }
}

#[tokio::test]
async fn no_server_and_no_sense_are_transient() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut server = Scripted::reading("this is not HTTP\r\n\r\n").await;
    assert_eq!(server.read_fails().await.kind, ErrorKind::Transient);
    server.config.endpoint_url = Some(format!("http://{nobody}"));
    let error = Bucket::open(&server.config).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    let told = told(&error);
    assert!(told.starts_with("cannot list s3://bucket: ") && told.contains("Connection refused"), "{told}");
}

#[tokio::test]
async fn a_listing_that_breaks_off_without_a_way_on_is_no_end() {
    let list = listing("<IsTruncated>true</IsTruncated>");
    let server = Scripted::start(list, String::new(), false).await;
    let bucket = Bucket::open(&server.config).await.unwrap();
    assert_eq!(bucket.list(None).await.unwrap_err().kind, ErrorKind::Transient);
}

#[tokio::test]
async fn a_server_that_lists_no_versions_is_refused_and_not_taken_for_empty() {
    let list = listing("").replace("<ETag>&quot;e1&quot;</ETag>", "<Etag>&quot;e1&quot;</Etag>");
    let server = Scripted::start(list, String::new(), false).await;
    let error = Bucket::open(&server.config).await.unwrap().list(None).await.unwrap_err();
    assert_eq!(
        (error.kind, told(&error).as_str()),
        (ErrorKind::Permanent, "the server lists no ETag, size or time of a.csv")
    );
}

/// What a server answers to every request but a listing is what it answers to a write, a look and a deletion too.
#[tokio::test]
async fn what_cannot_be_written_moved_or_deleted_is_told() {
    for (status, code, kind, asked) in [
        ("403 Forbidden", "AccessDenied", ErrorKind::Permanent, 1),
        ("404 Not Found", "NoSuchBucket", ErrorKind::Permanent, 1),
        ("503 Slow Down", "SlowDown", ErrorKind::Transient, 3),
        ("500 Internal Server Error", "InternalError", ErrorKind::Transient, 3),
    ] {
        let server = Scripted::reading(refusal(status, code, "")).await;
        let bucket = Bucket::open(&server.config).await.unwrap();
        let pieces = stream::iter([Ok(Bytes::from_static(b"rejects"))]).boxed();
        let error = bucket.write("results/1/a.csv", "text/csv", pieces).await.unwrap_err();
        assert_eq!(told(&error), format!("cannot write results/1/a.csv: the server answered {} {code}", &status[..3]));
        assert_eq!((error.kind, server.reads.load(SeqCst)), (kind, asked), "{code}");
    }
    // A head has no body that could say more.
    let server = Scripted::reading("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let (bucket, object) = server.open().await;
    for error in [bucket.move_to(&object, "done/a.csv").await.unwrap_err(), bucket.delete(&object).await.unwrap_err()] {
        assert_eq!(told(&error), "cannot look at a.csv: the server answered 403");
        assert_eq!(error.kind, ErrorKind::Permanent);
    }
}
