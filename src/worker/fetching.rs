//! The way of a file's bytes from the bucket to the thread that reads them, and of what that says back.
//!
//! Both ways are bounded: whoever is slower holds the other back, and memory stays flat.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::intake::Halt;
use super::reading::{Interrupted, Reading, Said, read_and_judge};
use crate::bucket;
use crate::model::Campaign;
use crate::reader::{HeaderRules, Limits};
use crate::telemetry::progress::Progress;

/// Pieces of the object under way between the bucket and the reader.
const PIECES_UNDER_WAY: usize = 4;
/// Chunks of judged rows under way between the reader and the store.
const CHUNKS_UNDER_WAY: usize = 2;

/// The reading of one file on its way. Dropped, wherever its user ends: the fetching stops, and with it the reader.
pub(super) struct Reader {
    /// What the reading side says, in order; closed at its end.
    pub(super) said: mpsc::Receiver<Said>,
    result: JoinHandle<(Reading, Result<(), Interrupted>)>,
    _fetching: JoinSet<()>,
}

impl Reader {
    pub(super) fn start(
        body: bucket::Body,
        campaign: Campaign,
        rules: HeaderRules,
        limits: Limits,
        progress: Arc<Progress>,
    ) -> Self {
        let (bytes, received_bytes) = mpsc::channel(PIECES_UNDER_WAY);
        let (says, said) = mpsc::channel(CHUNKS_UNDER_WAY);
        let mut fetching = JoinSet::new();
        fetching.spawn(fetch(body, bytes));
        let result = tokio::task::spawn_blocking(move || {
            read_and_judge(received_bytes, &says, &campaign, &rules, limits, &progress)
        });
        Reader { said, result, _fetching: fetching }
    }

    /// After the last word: what was learnt of the file, and whether it was read to its end.
    pub(super) async fn end(self) -> Result<(Reading, Result<(), Halt>), Halt> {
        let ended = self.result.await;
        let (reading, result) = ended.map_err(|_| Halt::Trouble("the reader failed on this file (a bug)".into()))?;
        let result = result.map_err(|interrupted| match interrupted {
            Interrupted::Fault(fault) => Halt::Fault(fault),
            Interrupted::Bucket(error) => error.into(),
            Interrupted::Trouble(trouble) => Halt::Trouble(trouble),
            Interrupted::Abandoned => Halt::Stopped,
        });
        Ok((reading, result))
    }
}

/// Hands on the object's bytes until they end or nobody wants them.
async fn fetch(mut body: bucket::Body, bytes: mpsc::Sender<Result<Bytes, bucket::Error>>) {
    while let Some(piece) = body.next().await {
        if bytes.send(piece).await.is_err() {
            return;
        }
    }
}
