//! What the operating system tells of a folder: which file was closed after writing, or renamed into place.
//!
//! These are hints, and the listing is the truth. They are lost where a queue of the kernel's overflows, where a
//! directory is younger than its watch, and altogether on network file systems and outside Linux; listing finds those
//! files all the same, once they have held still for the whole settling time.
//!
//! A writer may close a file and open it again to append, so a closed file too must hold still, for a third of that
//! time. A write that is seen meanwhile takes the hint back, and the next close gives a new one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::lock;

/// Files that may hold still at a time, and directories that are watched. What is beyond is left to the listing.
const FILES: usize = 10_000;
const DIRECTORIES: usize = 10_000;

/// The watch over a folder.
pub(super) struct Hints {
    /// `None` where the system gives no watch at all.
    watcher: Option<Mutex<RecommendedWatcher>>,
    seen: Arc<Seen>,
}

/// What the watching thread has seen and nobody has taken yet.
struct Seen {
    stillness: Duration,
    /// The files that a writer seems to be done with, and when they have held still for long enough.
    done: Mutex<HashMap<PathBuf, Instant>>,
    watched: Mutex<HashSet<PathBuf>>,
    rung: Notify,
}

impl Hints {
    pub fn new(settle: Duration) -> Hints {
        let seen = Arc::new(Seen {
            stillness: settle / 3,
            done: Mutex::default(),
            watched: Mutex::default(),
            rung: Notify::new(),
        });
        let heard = seen.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error loses hints, which the listing makes up for.
            if let Ok(event) = event {
                heard.hear(event);
            }
        });
        let watcher = watcher.inspect_err(not_watched).ok().map(Mutex::new);
        Hints { watcher, seen }
    }

    /// Watches a directory, without those in it. Watched already is done.
    pub fn watch(&self, directory: &Path) {
        let Some(watcher) = &self.watcher else { return };
        {
            let mut watched = lock(&self.seen.watched);
            // One that is refused is not asked for again either, until it is removed and made anew.
            if watched.len() >= DIRECTORIES || !watched.insert(directory.to_owned()) {
                return;
            }
        }
        if let Err(error) = lock(watcher).watch(directory, RecursiveMode::NonRecursive) {
            not_watched(&error);
        }
    }

    /// Waits for files that are done and have held still since.
    pub async fn wait(&self) -> Vec<PathBuf> {
        loop {
            // Made before the look, so that what is seen between the look and the wait is not missed.
            let rung = self.seen.rung.notified();
            let now = Instant::now();
            let next = {
                let mut done = lock(&self.seen.done);
                let due: Vec<PathBuf> = done.extract_if(|_, due| *due <= now).map(|(path, _)| path).collect();
                if !due.is_empty() {
                    return due;
                }
                done.values().min().copied()
            };
            match next {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => rung.await,
            }
        }
    }
}

impl Seen {
    fn hear(&self, event: Event) {
        let Some(path) = event.paths.into_iter().next() else { return };
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                let mut done = lock(&self.done);
                if done.len() < FILES || done.contains_key(&path) {
                    done.insert(path, Instant::now() + self.stillness);
                    self.rung.notify_one();
                }
            }
            EventKind::Modify(ModifyKind::Data(_)) => _ = lock(&self.done).remove(&path),
            EventKind::Remove(RemoveKind::Folder) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                // A directory that is made under this name anew is watched anew.
                lock(&self.watched).remove(&path);
            }
            _ => {}
        }
    }
}

fn not_watched(error: &notify::Error) {
    tracing::debug!(%error, "a directory is not watched; what is dropped in it is found by listing");
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));

    fn hear(hints: &Hints, kind: EventKind) {
        hints.seen.hear(Event::new(kind).add_path("a.csv".into()));
    }

    #[tokio::test]
    async fn a_file_that_is_opened_again_is_done_at_its_last_close() {
        let hints = Hints::new(Duration::ZERO);
        hear(&hints, CLOSED);
        hear(&hints, WRITTEN);
        let waited = tokio::time::timeout(Duration::from_millis(50), hints.wait()).await;
        assert!(waited.is_err(), "its writer is at it again");
        hear(&hints, CLOSED);
        assert_eq!(hints.wait().await, [PathBuf::from("a.csv")]);
    }

    #[test]
    fn a_flood_is_left_to_the_listing() {
        let hints = Hints::new(Duration::from_secs(1));
        for file in 0..FILES + 10 {
            hints.seen.hear(Event::new(CLOSED).add_path(format!("{file}.csv").into()));
        }
        assert_eq!(lock(&hints.seen.done).len(), FILES);
    }
}
