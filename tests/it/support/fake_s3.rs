//! A server that plays S3, and misbehaves as a test tells it: what a real one cannot be made to do.
//!
//! It lists, reads and writes the objects of one bucket. Each kind of request has a script; where that has ended, and
//! from the start where there is none, the answer is the right one.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    List,
    /// Of the object with this key.
    Read(String),
}

/// What comes in place of the right answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, and S3's word for it.
    Refused(u16, &'static str),
    /// The right head, only so many bytes of the body, and the end of the connection.
    Cut(usize),
    /// The right answer, but its body so many bytes at a time, with a pause behind each.
    Slow(usize, Duration),
    /// Other content has taken the object's place; the answer heeds the version that was asked for.
    Replaced(Vec<u8>),
    /// Other content has taken the object's place, and is sent whatever version was asked for.
    Swapped(Vec<u8>),
    /// The object is deleted just before.
    Deleted,
}

/// The first byte of what a client says that wants TLS.
const TLS_HANDSHAKE: [u8; 1] = [22];

/// A server of one bucket. It answers on the test's own runtime, which needs a thread beside the test's:
/// `#[tokio::test(flavor = "multi_thread")]`.
pub struct FakeS3 {
    /// Where it listens, as `127.0.0.1:PORT`.
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    scripts: BTreeMap<Asked, VecDeque<Answer>>,
    always: BTreeMap<Asked, Answer>,
    /// How often something was put: each later object is a second younger.
    puts: i64,
}

#[derive(Clone)]
struct Stored {
    etag: String,
    modified: DateTime<Utc>,
    content: Vec<u8>,
}

impl FakeS3 {
    pub async fn start() -> FakeS3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let server = FakeS3 { address, state: state.clone() };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let state = state.clone();
                // Who asked may be gone before the end of the answer.
                tokio::spawn(async move { serve(connection, &state).await.unwrap_or_default() });
            }
        });
        server
    }

    pub fn put(&self, key: &str, content: impl AsRef<[u8]>) {
        self.state().put(key, content.as_ref());
    }

    /// Scripts the next answers, each for one request.
    pub fn will(&self, asked: Asked, answers: impl IntoIterator<Item = Answer>) {
        self.state().scripts.entry(asked).or_default().extend(answers);
    }

    /// Scripts every answer that no other script has.
    pub fn always(&self, asked: Asked, answer: Answer) {
        self.state().always.insert(asked, answer);
    }

    /// How many scripted answers have not been given yet.
    pub fn unsaid(&self) -> usize {
        self.state().scripts.values().map(VecDeque::len).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }
}

pub fn read(key: &str) -> Asked {
    Asked::Read(key.to_owned())
}

impl State {
    fn put(&mut self, key: &str, content: &[u8]) {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        self.puts += 1;
        let modified = DateTime::from_timestamp(1_743_508_800, 0).expect("a time") + TimeDelta::seconds(self.puts);
        let etag = format!("\"{:016x}\"", hasher.finish());
        self.objects.insert(key.to_owned(), Stored { etag, modified, content: content.to_vec() });
    }

    fn next_answer(&mut self, asked: &Asked) -> Option<Answer> {
        let scripted = self.scripts.get_mut(asked).and_then(VecDeque::pop_front);
        scripted.or_else(|| self.always.get(asked).cloned())
    }

    fn listing(&self) -> Vec<u8> {
        let mut xml = String::from("<ListBucketResult>");
        for (key, Stored { etag, modified, content }) in &self.objects {
            let (size, modified) = (content.len(), modified.format("%Y-%m-%dT%H:%M:%S.000Z"));
            xml.push_str(&format!(
                "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag>\
                 <Size>{size}</Size></Contents>"
            ));
        }
        (xml + "</ListBucketResult>").into_bytes()
    }
}

/// How an answer is sent: a head, the body that it announces, and what becomes of that on its way.
struct Sent {
    head: String,
    body: Vec<u8>,
    at_once: usize,
    pause: Duration,
}

impl Sent {
    fn new(status: u16, headers: &str, body: Vec<u8>) -> Sent {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} .\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
        Sent { head, at_once: length.max(1), body, pause: Duration::ZERO }
    }

    fn refused(status: u16, code: &str) -> Sent {
        let xml = format!("<Error><Code>{code}</Code><Message>As the test has it.</Message></Error>");
        Sent::new(status, "content-type: application/xml\r\n", xml.into_bytes())
    }
}

async fn serve(mut connection: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut head = vec![connection.read_u8().await?];
    if head == TLS_HANDSHAKE {
        return connection.write_all(b"HTTP/1.1 400 .\r\n\r\nthis is no TLS server").await;
    }
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut content = vec![0; length];
    connection.read_exact(&mut content).await?;
    let sent = answer(&mut state.lock().expect("no panic"), &head, &content);
    connection.write_all(sent.head.as_bytes()).await?;
    for piece in sent.body.chunks(sent.at_once) {
        connection.write_all(piece).await?;
        tokio::time::sleep(sent.pause).await;
    }
    connection.shutdown().await
}

fn answer(state: &mut State, head: &str, content: &[u8]) -> Sent {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_bucket, key)| key);
    let asked = if query.contains("list-type=2") { Asked::List } else { read(key) };
    match (method, &asked) {
        ("GET", _) => {}
        ("PUT", _) => {
            state.put(key, content);
            return Sent::new(200, &format!("etag: {}\r\n", state.objects[key].etag), Vec::new());
        }
        _ => return Sent::refused(501, "NotImplemented"),
    }
    let script = state.next_answer(&asked);
    let mut wanted = header(head, "if-match");
    match &script {
        Some(Answer::Refused(status, code)) => return Sent::refused(*status, code),
        Some(Answer::Replaced(content)) => state.put(key, content),
        Some(Answer::Swapped(content)) => {
            state.put(key, content);
            wanted = None;
        }
        Some(Answer::Deleted) => _ = state.objects.remove(key),
        Some(Answer::Cut(_) | Answer::Slow(..)) | None => {}
    }
    let mut sent = match (&asked, state.objects.get(key)) {
        (Asked::List, _) => Sent::new(200, "content-type: application/xml\r\n", state.listing()),
        (Asked::Read(_), None) => Sent::refused(404, "NoSuchKey"),
        (Asked::Read(_), Some(stored)) if wanted.is_some_and(|wanted| wanted != stored.etag) => {
            Sent::refused(412, "PreconditionFailed")
        }
        (Asked::Read(_), Some(Stored { etag, modified, content })) => {
            let modified = modified.format("%a, %d %b %Y %H:%M:%S GMT");
            Sent::new(200, &format!("etag: {etag}\r\nlast-modified: {modified}\r\n"), content.clone())
        }
    };
    match script {
        Some(Answer::Cut(length)) => sent.body.truncate(length),
        Some(Answer::Slow(at_once, pause)) => (sent.at_once, sent.pause) = (at_once, pause),
        _ => {}
    }
    sent
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
