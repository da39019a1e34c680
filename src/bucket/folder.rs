//! A bucket that is a local folder, with all its subfolders.
//!
//! Anyone may be writing into it at any time, by any means. So nothing is taken before it has held still, and what was
//! read counts only after the file has been found to be the same one, unchanged, at the end as at the start.

mod hints;
mod walk;
mod writing;

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::{self, JoinHandle};

use super::protocol::{Body, Page, Pieces, Protocol};
use super::written::is_upload;
use super::{Error, ErrorKind};
use crate::model::Object;
use hints::Hints;
use walk::{Ground, Walk};

/// As many objects as a page of S3's has.
const PAGE: usize = 1_000;
/// What is read at a time, and how many of these may wait for whoever parses them: 1 MiB a file.
const CHUNK: usize = 256 * 1024;
const CHUNKS_AHEAD: usize = 4;

/// A folder.
pub(super) struct Folder {
    address: String,
    listing: Arc<Listing>,
}

/// What the blocking thread needs that lists a page.
struct Listing {
    ground: Ground,
    /// The walk of the last page and the key it stopped at, so that the next page does not have to find the place
    /// again, which takes reading whole directories. Any other page starts a walk of its own: this is for speed only.
    paused: Mutex<Option<(String, Walk)>>,
    stillness: Mutex<Stillness>,
}

impl Folder {
    /// Opens a folder that exists.
    pub async fn open(path: PathBuf, own_prefixes: Vec<String>, settle: Duration) -> Result<Folder, Error> {
        let root = on_blocking_thread(move || existing_folder(&path)).await?;
        let Some(address) = root.to_str().map(str::to_owned) else {
            return Err(Error::permanent("a path that is not UTF-8; name another folder than", root.to_string_lossy()));
        };
        let listing = Listing {
            ground: Ground::new(root, own_prefixes, Hints::new(settle)),
            paused: Mutex::new(None),
            stillness: Mutex::new(Stillness::new(settle)),
        };
        Ok(Folder { address, listing: Arc::new(listing) })
    }

    /// The canonical path: the same folder has the same address, whatever it was called and wherever from.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits for files that their writers are done with, as the operating system tells it, and says what lies there
    /// now. For ever where it tells nothing. What cannot be looked at is left to the listing.
    pub async fn done(&self) -> Result<Vec<Object>, Error> {
        let paths = self.listing.ground.hints.wait().await;
        let listing = self.listing.clone();
        on_blocking_thread(move || Ok(paths.iter().filter_map(|path| listing.look(path)).collect())).await
    }
}

fn existing_folder(path: &Path) -> Result<PathBuf, Error> {
    let place = path.to_string_lossy();
    let root = match fs::canonicalize(path) {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::permanent("no such folder; create it, or name another:", place));
        }
        Err(error) => return Err(failed("cannot open the folder", &place, &error).caused_by(error)),
    };
    if !root.is_dir() {
        return Err(Error::permanent("a file and not a folder; name another:", place));
    }
    fs::read_dir(&root).map_err(|error| failed("cannot list", &place, &error).caused_by(error))?;
    Ok(root)
}

#[async_trait::async_trait]
impl Protocol for Folder {
    async fn list(&self, after: Option<&str>) -> Result<Page, Error> {
        let (listing, after) = (self.listing.clone(), after.map(str::to_owned));
        on_blocking_thread(move || listing.page(after.as_deref())).await
    }

    async fn read(&self, object: &Object) -> Result<Body, Error> {
        let path = path_of(&self.listing.ground.root, &object.key)?;
        let reading = Reading { path, object: object.clone() };
        let (reading, file) = on_blocking_thread(move || reading.open().map(|file| (reading, file))).await?;
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let reader = task::spawn_blocking(move || reading.send_all(file, &sender));
        Ok(body(chunks, reader))
    }

    async fn write(&self, key: &str, _content_type: &str, pieces: Pieces<'_>) -> Result<(), Error> {
        writing::write(path_of(&self.listing.ground.root, key)?, key, pieces).await
    }

    async fn move_to(&self, object: &Object, key: &str) -> Result<(), Error> {
        let root = &self.listing.ground.root;
        let (from, to) = (path_of(root, &object.key)?, path_of(root, key)?);
        let object = object.clone();
        on_blocking_thread(move || writing::move_file(&from, &to, &object)).await
    }

    async fn delete(&self, object: &Object) -> Result<(), Error> {
        let (path, object) = (path_of(&self.listing.ground.root, &object.key)?, object.clone());
        on_blocking_thread(move || writing::delete_file(&path, &object)).await
    }
}

impl Listing {
    /// What lies under a path, as a page would tell it; `None` where it is no upload.
    fn look(&self, path: &Path) -> Option<Object> {
        let key = path.strip_prefix(&self.ground.root).ok()?.to_str()?.to_owned();
        if !is_upload(&key, &self.ground.own_prefixes) {
            return None;
        }
        fs::metadata(path).ok().filter(Metadata::is_file).map(|metadata| object(key, &metadata))
    }

    fn page(&self, after: Option<&str>) -> Result<Page, Error> {
        let paused = lock(&self.paused).take();
        let mut walk = match (after, paused) {
            (None, _) => {
                lock(&self.stillness).new_sweep();
                Walk::start(&self.ground)?
            }
            (Some(after), Some((key, walk))) if key == after => walk,
            (Some(after), _) => Walk::start_after(&self.ground, after)?,
        };
        let mut page = Page::default();
        while let Some((key, metadata)) = walk.next(&self.ground)? {
            let object = object(key, &metadata);
            if !lock(&self.stillness).is_still(&object, SystemTime::now()) {
                page.unsettled.push(object.key);
                continue;
            }
            page.objects.push(object);
            if page.objects.len() == PAGE {
                page.next = page.objects.last().map(|object| object.key.clone());
                *lock(&self.paused) = page.next.clone().map(|key| (key, walk));
                break;
            }
        }
        Ok(page)
    }
}

/// What tells a file that is being written from one that is done: time without a change.
struct Stillness {
    settle: Duration,
    /// Counts the sweeps through the folder, for pruning.
    sweep: u64,
    /// The files that the clock cannot judge, because they were changed just now or, by that clock, in the future: the
    /// version that was seen, and when it was first. At most one entry a file; files that are gone drop out two sweeps
    /// later.
    watched: HashMap<String, Watched>,
}

struct Watched {
    version: String,
    since: Instant,
    sweep: u64,
}

impl Stillness {
    fn new(settle: Duration) -> Self {
        Stillness { settle, sweep: 0, watched: HashMap::new() }
    }

    fn new_sweep(&mut self) {
        let oldest_kept = self.sweep.saturating_sub(1);
        self.watched.retain(|_, watched| watched.sweep >= oldest_kept);
        self.sweep += 1;
    }

    /// Either it was last changed long enough ago, or we have been seeing the same version for long enough. The second
    /// is for clocks that disagree: a file server's that is ahead, or a copy that kept a date in the future.
    fn is_still(&mut self, object: &Object, now: SystemTime) -> bool {
        let age = now.duration_since(object.modified.into());
        if age.is_ok_and(|age| age >= self.settle) {
            self.watched.remove(&object.key);
            return true;
        }
        let (now, sweep) = (Instant::now(), self.sweep);
        match self.watched.get_mut(&object.key) {
            Some(watched) if watched.version == object.version => {
                watched.sweep = sweep;
                now.duration_since(watched.since) >= self.settle
            }
            _ => {
                let watched = Watched { version: object.version.clone(), since: now, sweep };
                self.watched.insert(object.key.clone(), watched);
                false
            }
        }
    }
}

/// One version of one file on its way from the disk.
struct Reading {
    path: PathBuf,
    object: Object,
}

impl Reading {
    fn open(&self) -> Result<File, Error> {
        // Asked before opening, since to open a pipe that now has the file's name would wait for a writer.
        let metadata = fs::metadata(&self.path).map_err(|error| self.failed(error))?;
        if !metadata.is_file() {
            return Err(Error::gone("replaced since it was listed:", &self.object.key));
        }
        let file = File::open(&self.path).map_err(|error| self.failed(error))?;
        let opened = file.metadata().map_err(|error| self.failed(error))?;
        if version(&opened) != self.object.version {
            return Err(Error::gone("replaced since it was listed:", &self.object.key));
        }
        Ok(file)
    }

    fn send_all(self, file: File, chunks: &mpsc::Sender<Result<Bytes, Error>>) {
        if let Err(error) = self.send_chunks(file, chunks) {
            // It fails only where nobody reads any more.
            let _ = chunks.blocking_send(Err(error));
        }
    }

    fn send_chunks(&self, mut file: File, chunks: &mpsc::Sender<Result<Bytes, Error>>) -> Result<(), Error> {
        let mut sent = 0;
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk).map_err(|error| self.failed(error))?;
            if chunk.is_empty() {
                break;
            }
            sent += chunk.len() as u64;
            if sent > self.object.size {
                return Err(self.changed()); // and may be growing for ever
            }
            if chunks.blocking_send(Ok(chunk.into())).is_err() {
                return Ok(()); // the reader went away
            }
        }
        // The bytes are one version's only if the file is that version still. One look at its name tells: what was
        // written into it shows in its size and time, and what was renamed over it has another inode, for ours is held
        // open.
        let now = fs::metadata(&self.path).map_err(|error| self.failed(error))?;
        let unchanged = sent == self.object.size && version(&now) == self.object.version;
        if unchanged { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        Error::gone("changed while it was read:", &self.object.key)
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::gone("deleted since it was listed:", &self.object.key).caused_by(error)
            }
            _ => failed("cannot read", &self.object.key, &error).caused_by(error),
        }
    }
}

/// The reading thread's chunks as a stream.
///
/// A closed channel alone is no end: it closes too when the thread panics, or is never run since the runtime shuts
/// down. So the stream ends only once the thread has returned.
fn body(chunks: mpsc::Receiver<Result<Bytes, Error>>, reader: JoinHandle<()>) -> Body {
    Box::pin(stream::unfold(Some((chunks, reader)), |state| async {
        let (mut chunks, reader) = state?;
        match chunks.recv().await {
            Some(Ok(chunk)) => Some((Ok(chunk), Some((chunks, reader)))),
            Some(Err(error)) => Some((Err(error), None)),
            None => reader.await.err().map(|error| (Err(thread_died(error)), None)),
        }
    }))
}

fn object(key: String, metadata: &Metadata) -> Object {
    // Before 1970 is before any clock's mistake that matters here.
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Object { key, version: version(metadata), size: metadata.len(), modified: DateTime::<Utc>::from(modified) }
}

fn version(metadata: &Metadata) -> String {
    let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    format!("{}-{nanoseconds}-{}", metadata.len(), metadata.ino())
}

/// The one place where a key becomes a path. Every key that we listed passes; one that could lead anywhere else (`..`,
/// a leading `/`, on some systems a backslash or a drive) never does, wherever it came from.
fn path_of(root: &Path, key: &str) -> Result<PathBuf, Error> {
    let mut path = root.to_owned();
    for part in key.split('/') {
        let mut components = Path::new(part).components();
        let plain =
            matches!((components.next(), components.next()), (Some(Component::Normal(name)), None) if name == part);
        if !plain || part.contains('\0') {
            return Err(Error::permanent("not the key of a file in this folder:", key.escape_default().to_string()));
        }
        path.push(part);
    }
    Ok(path)
}

/// An I/O error, by whether it may go away. Too many open files, a busy disk or a lost mount may.
fn failed(what: &str, place: &str, error: &io::Error) -> Error {
    use io::ErrorKind as Io;
    let kind = match error.kind() {
        Io::NotFound | Io::NotADirectory | Io::PermissionDenied | Io::InvalidInput | Io::InvalidFilename => {
            ErrorKind::Permanent
        }
        _ => ErrorKind::Transient,
    };
    Error::new(kind, what, place)
}

async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    task::spawn_blocking(work).await.unwrap_or_else(|error| Err(thread_died(error)))
}

/// What tokio says of a panic quotes that, so it is not passed on; the log has its place.
fn thread_died(_: task::JoinError) -> Error {
    Error::transient("a thread ended that was at work on", "the folder")
}

/// A panic elsewhere leaves these locks' contents whole: each is changed by one call that does not panic midway.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    #[tokio::test]
    async fn a_reading_thread_that_dies_is_no_end_of_the_file() {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let reader = task::spawn_blocking(move || {
            sender.blocking_send(Ok(Bytes::from_static(b"half of"))).expect("the test reads");
            panic!("as the test wants");
        });
        let outcome: Vec<_> = body(chunks, reader).map(|chunk| chunk.map_err(|error| error.kind)).collect().await;
        assert_eq!(outcome, [Ok(Bytes::from_static(b"half of")), Err(ErrorKind::Transient)]);
    }

    #[test]
    fn what_is_watched_is_forgotten_when_it_is_not_met_any_more() {
        let mut stillness = Stillness::new(Duration::from_secs(1));
        let modified = Utc::now();
        let object = Object { key: "a.csv".to_owned(), version: "1".to_owned(), size: 1, modified };
        stillness.new_sweep();
        assert!(!stillness.is_still(&object, modified.into()));
        stillness.new_sweep();
        assert_eq!(stillness.watched.len(), 1, "kept from one sweep to the next");
        stillness.new_sweep();
        stillness.new_sweep();
        assert!(stillness.watched.is_empty());
    }
}
