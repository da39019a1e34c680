//! Reading and judging a file: the half of an upload's life that costs CPU.
//!
//! It runs on a thread of its own, between two bounded channels: bytes come in as the bucket gives them, chunks of
//! judged rows go out as fast as the store takes them. Whichever side is slower holds the other back, so memory stays
//! flat. Where other batches or suppression lists count, a chunk's keys go out first, as one question, and the answer
//! is waited for.

use std::io::Read;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::oneshot;

use crate::model::{Campaign, Dialect, Fault, Header, Known, NewRequest, Questions, RowChunk, Verdicts};
use crate::reader::{HeaderRules, Limits, ReadError, Rows};
use crate::rules::Judge;
use crate::telemetry::progress::Progress;
use crate::{bucket, fail_point};

/// A chunk is handed on when it holds this much text…
const CHUNK_BYTES: usize = 256 * 1024;
/// …or this many rows.
const CHUNK_ROWS: usize = 4096;

/// What is known of a file when reading it has ended, well or not.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) dialect: Option<Dialect>,
    pub(super) header: Option<Header>,
    /// Data rows read, judged to the end or not.
    pub(super) rows_read: u64,
    pub(super) verdicts: Verdicts,
    pub(super) bytes_read: u64,
    /// Only where the file was read to its end.
    pub(super) sha256: Option<String>,
}

/// What the reader says to the side that has the store.
pub(super) enum Said {
    /// The next judged rows.
    Rows(RowChunk),
    /// What the store must be asked before the next rows can be judged. No answer means that reading shall end.
    Question(Questions, oneshot::Sender<Known>),
}

/// Why reading ended before the file did.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// The sender's file cannot be used.
    Fault(Fault),
    /// The bucket failed.
    Bucket(bucket::Error),
    /// Trouble of ours that is not the bucket's.
    Trouble(String),
    /// The other side went away: the worker stops, or the store failed.
    Abandoned,
}

/// Reads all of a file, judges its rows, and hands them on in chunks.
pub(super) fn read_and_judge(
    bytes: Receiver<Result<Bytes, bucket::Error>>,
    said: &Sender<Said>,
    campaign: &Campaign,
    rules: &HeaderRules,
    limits: Limits,
    progress: &Progress,
) -> (Reading, Result<(), Interrupted>) {
    if let Err(trouble) = fail_point::reach("read", &campaign.name) {
        return (Reading::default(), Err(Interrupted::Trouble(trouble)));
    }
    let mut source = Source { bytes, current: Bytes::new(), hash: Sha256::new(), count: 0, failed: None, progress };
    let mut reading = Reading::default();
    let result = judge_rows(&mut source, said, campaign, rules, limits, &mut reading);
    reading.bytes_read = source.count;
    let result = result.map_err(|error| match error {
        ReadOr::Read(ReadError::Fault(fault)) => Interrupted::Fault(fault),
        // The source hands on nothing but the bucket's errors; the error itself waits there.
        ReadOr::Read(ReadError::Source(error)) => match source.failed.take() {
            Some(error) => Interrupted::Bucket(error),
            None => Interrupted::Trouble(format!("the file could not be read: {error}")),
        },
        ReadOr::Interrupted(interrupted) => interrupted,
    });
    if result.is_ok() || matches!(result, Err(Interrupted::Fault(_))) && source.is_at_end() {
        reading.sha256 = Some(hex(&source.hash.finalize()));
    }
    (reading, result)
}

enum ReadOr {
    Read(ReadError),
    Interrupted(Interrupted),
}

impl From<ReadError> for ReadOr {
    fn from(error: ReadError) -> Self {
        ReadOr::Read(error)
    }
}

fn judge_rows(
    source: &mut Source<'_>,
    said: &Sender<Said>,
    campaign: &Campaign,
    rules: &HeaderRules,
    limits: Limits,
    reading: &mut Reading,
) -> Result<(), ReadOr> {
    let progress = source.progress;
    let mut rows = Rows::open(source, &campaign.format, limits)?;
    reading.dialect = Some(rows.dialect.clone());
    let header = rows.header(rules).map_err(ReadError::Fault)?;
    reading.header = Some(header.clone());
    let variables = header.variables.clone();
    let width = header.names.len();
    let (reference_id, target) = (header.reference_id, header.target);
    let mut judge =
        Judge::new(campaign, header).map_err(|trouble| ReadOr::Interrupted(Interrupted::Trouble(trouble)))?;
    judge.fits().map_err(ReadError::Fault)?;
    let mut chunk = RowChunk::default();
    while let Some(row) = rows.next_row()? {
        let judgement = judge.assess(&row);
        // The cells beyond the header's last column are kept too: nothing that was sent is lost.
        let columns = variables.iter().copied().chain(width..row.cells.len());
        let cells = columns.filter_map(|column| row.get(column));
        let request = judgement.to_request(&row).as_sent(row.get(reference_id), row.get(target));
        if memchr::memchr(0, row.raw.as_bytes()).is_none() {
            chunk.push(request, cells);
        } else {
            push_without_nul(&mut chunk, &request, cells);
        }
        if chunk.text_len() >= CHUNK_BYTES || chunk.len() >= CHUNK_ROWS {
            decide(&mut judge, &mut chunk, said)?;
            hand_on(said, Said::Rows(std::mem::take(&mut chunk)))?;
            progress.rows(u64::from(row.number));
        }
        reading.rows_read = u64::from(row.number);
    }
    decide(&mut judge, &mut chunk, said)?;
    reading.verdicts = judge.conclude().map_err(ReadError::Fault)?;
    if !chunk.is_empty() {
        hand_on(said, Said::Rows(chunk))?;
    }
    Ok(())
}

/// The second half of the verdict on a chunk's rows.
fn decide(judge: &mut Judge, chunk: &mut RowChunk, said: &Sender<Said>) -> Result<(), ReadOr> {
    let mut known = Known::default();
    if let Some(questions) = judge.questions(chunk).filter(|questions| !questions.is_empty()) {
        let (answer, answered) = oneshot::channel();
        hand_on(said, Said::Question(questions, answer))?;
        known = answered.blocking_recv().map_err(|_| ReadOr::Interrupted(Interrupted::Abandoned))?;
    }
    judge.decide(chunk, &known);
    Ok(())
}

fn hand_on(said: &Sender<Said>, what: Said) -> Result<(), ReadOr> {
    said.blocking_send(what).map_err(|_| ReadOr::Interrupted(Interrupted::Abandoned))
}

/// A NUL character cannot be stored; its row is INVALID, and is kept with the character's picture instead.
fn push_without_nul<'a>(chunk: &mut RowChunk, request: &NewRequest<'_>, cells: impl Iterator<Item = &'a str>) {
    let cells: Vec<String> = cells.map(|cell| cell.replace('\0', "␀")).collect();
    let (reference_id, target) = (request.reference_id.replace('\0', "␀"), request.target.replace('\0', "␀"));
    let sent_reference_id = request.sent_reference_id.map(|sent| sent.replace('\0', "␀"));
    let sent_target = request.sent_target.map(|sent| sent.replace('\0', "␀"));
    let request = NewRequest {
        reference_id: &reference_id,
        target: &target,
        sent_reference_id: sent_reference_id.as_deref(),
        sent_target: sent_target.as_deref(),
        ..*request
    };
    chunk.push(request, cells.iter().map(String::as_str));
}

/// The bytes of the object as a plain reader, counted and hashed on their way.
struct Source<'p> {
    bytes: Receiver<Result<Bytes, bucket::Error>>,
    current: Bytes,
    hash: Sha256,
    count: u64,
    failed: Option<bucket::Error>,
    progress: &'p Progress,
}

impl Source<'_> {
    /// Whether everything was taken and the bucket confirmed the end.
    fn is_at_end(&mut self) -> bool {
        self.current.is_empty() && self.failed.is_none() && self.bytes.blocking_recv().is_none()
    }
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() {
            match self.bytes.blocking_recv() {
                Some(Ok(bytes)) => {
                    self.hash.update(&bytes);
                    self.count += bytes.len() as u64;
                    self.progress.bytes(self.count);
                    self.current = bytes;
                }
                Some(Err(error)) => {
                    self.failed = Some(error);
                    return Err(std::io::Error::other("the bucket failed"));
                }
                None => return Ok(0),
            }
        }
        let length = out.len().min(self.current.len());
        out[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
