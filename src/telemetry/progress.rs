//! How far the uploads in this process's hands are. Told to people who watch; nothing is decided by it.
//!
//! It is kept here and not in the ledger: on SQLite, nothing can be written there while a file is being loaded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

static UNDER_WAY: Mutex<BTreeMap<i64, Arc<Progress>>> = Mutex::new(BTreeMap::new());
/// Moments are counted from here, in milliseconds.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What has been read of one upload.
#[derive(Debug)]
pub struct Progress {
    rows: AtomicU64,
    bytes: AtomicU64,
    moved_at: AtomicU64,
}

impl Progress {
    /// So many data rows have been judged.
    pub fn rows(&self, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.moved_at.store(now(), Ordering::Relaxed);
    }

    /// So many bytes have come from the bucket.
    pub fn bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.moved_at.store(now(), Ordering::Relaxed);
    }
}

/// An upload is being read and stored; when this is dropped, it is not any more.
#[derive(Debug)]
pub struct UnderWay {
    upload_id: i64,
    progress: Arc<Progress>,
}

impl UnderWay {
    /// From now on.
    pub fn begin(upload_id: i64) -> UnderWay {
        let progress = Arc::new(Progress { rows: 0.into(), bytes: 0.into(), moved_at: now().into() });
        under_way().insert(upload_id, progress.clone());
        UnderWay { upload_id, progress }
    }

    /// Where those who read it tell how far they are.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way = under_way();
        // This process may have claimed it anew meanwhile, after it had lost it.
        if under_way.get(&self.upload_id).is_some_and(|progress| Arc::ptr_eq(progress, &self.progress)) {
            under_way.remove(&self.upload_id);
        }
    }
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Number in the ledger.
    pub upload_id: i64,
    /// Data rows judged, as of the last chunk.
    pub rows: u64,
    /// Bytes that came from the bucket.
    pub bytes: u64,
    /// Since when neither has grown.
    pub still_for: Duration,
}

/// How far an upload is; `None` where it is not in this process's hands.
pub fn of(upload_id: i64) -> Option<Reached> {
    under_way().get(&upload_id).map(|progress| reached(upload_id, progress))
}

/// How far all uploads in this process's hands are.
pub fn all() -> Vec<Reached> {
    under_way().iter().map(|(upload_id, progress)| reached(*upload_id, progress)).collect()
}

fn reached(upload_id: i64, progress: &Progress) -> Reached {
    Reached {
        upload_id,
        rows: progress.rows.load(Ordering::Relaxed),
        bytes: progress.bytes.load(Ordering::Relaxed),
        still_for: Duration::from_millis(now().saturating_sub(progress.moved_at.load(Ordering::Relaxed))),
    }
}

fn now() -> u64 {
    START.elapsed().as_millis() as u64
}

/// What a panic elsewhere may have left is whole: each entry is put in or taken out at once.
fn under_way() -> MutexGuard<'static, BTreeMap<i64, Arc<Progress>>> {
    UNDER_WAY.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_under_way_until_it_is_let_go() {
        let id = i64::MAX;
        assert_eq!(of(id), None);
        let under_way = UnderWay::begin(id);
        under_way.progress().bytes(500);
        under_way.progress().rows(7);
        let reached = of(id).expect("it is under way");
        assert_eq!((reached.rows, reached.bytes), (7, 500));
        let again = UnderWay::begin(id);
        drop(under_way);
        assert_eq!(of(id).map(|reached| reached.rows), Some(0), "the later one is still under way");
        drop(again);
        assert_eq!(of(id), None);
    }
}
