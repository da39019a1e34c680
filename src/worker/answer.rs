//! The answer to the person who dropped a file, once it is settled.
//!
//! ```text
//! settled ─▶ rejects file (if any row was not PENDING) ─▶ the object: kept, moved or deleted ─▶ receipt ─▶ answered
//! ```
//! The ledger has kept since the commit that an answer is owed, so nothing here can have a file loaded twice, and a
//! crash only delays it. Each step can be done again with the same result. The receipt comes last: whoever finds it
//! finds the rejects complete. An object that cannot be moved does not hold the receipt up; the answer is then tried
//! again.

mod receipt;
mod rejects;

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{Worker, unless_it_panics, until_lost};
use crate::bucket::{self, After, BucketConfig, Pieces};
use crate::model::{Batch, OwedAnswer, UploadStatus};
use crate::store::{self, ErrorKind, Finding};
use crate::{fail_point, telemetry};
use receipt::{Facts, Source};
pub use rejects::rejects_file;

/// What became of an answer in the hands of this worker.
pub(super) enum Answered {
    Given,
    /// Trouble of ours; it will be tried again.
    PutOff {
        trouble: String,
    },
    GivenBack,
    /// Another worker took it over.
    Lost,
}

impl Answered {
    /// The word under which it is counted.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Answered::Given => "given",
            Answered::PutOff { .. } => "put_off",
            Answered::GivenBack => "given_back",
            Answered::Lost => "lost",
        }
    }
}

/// Why an answer was not given.
struct Trouble(String);

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Trouble(telemetry::chain(&error))
    }
}

impl From<bucket::Error> for Trouble {
    fn from(error: bucket::Error) -> Self {
        Trouble(telemetry::chain(&error))
    }
}

fn reach(step: &str, owed: &OwedAnswer) -> Result<(), Trouble> {
    fail_point::reach(step, &owed.object.key).map_err(Trouble)
}

impl Worker {
    /// Gives a claimed answer, or gives it up in a way that lets another try follow.
    pub(super) async fn answer(&self, owed: &OwedAnswer, stop: &CancellationToken) -> Answered {
        let lease = self.config.lease();
        let given = tokio::select! {
            given = unless_it_panics(self.give(owed, stop)) => {
                given.unwrap_or_else(|| Err(Trouble("the worker failed on this answer (a bug)".to_owned())))
            }
            () = until_lost(lease, || self.store.renew_answer(owed, lease)) => return Answered::Lost,
        };
        let (ended, answered) = match given {
            Ok(()) => (self.store.answered(owed).await, Answered::Given),
            Err(_) if stop.is_cancelled() => (self.store.give_back_answer(owed).await, Answered::GivenBack),
            Err(Trouble(trouble)) => {
                let wait = self.wait_before_next(owed.attempt);
                (self.store.put_off_answer(owed, &trouble, wait).await, Answered::PutOff { trouble })
            }
        };
        match ended {
            Ok(()) => answered,
            Err(error) if error.kind == ErrorKind::Fenced => Answered::Lost,
            // The store does not take even this. The lease runs out, and then the answer is claimed again.
            Err(error) => Answered::PutOff { trouble: telemetry::chain(&error) },
        }
    }

    async fn give(&self, owed: &OwedAnswer, stop: &CancellationToken) -> Result<(), Trouble> {
        let (batch, findings) = match &owed.batch_id {
            Some(batch_id) => (self.store.batch(batch_id).await?, self.store.findings(batch_id).await?),
            None => (None, Vec::new()),
        };
        let rejects = match &batch {
            Some(batch) if !findings.is_empty() => self.write_rejects(owed, batch, stop).await?,
            _ => None,
        };
        reach("rejects", owed)?;
        let (source, moving) = match self.put_away(owed).await {
            Ok(source) => (source, Ok(())),
            Err(error) => (Source::Kept, Err(error)),
        };
        self.write_receipt(owed, batch.as_ref(), &findings, rejects.as_deref(), &source).await?;
        reach("answered", owed)?;
        Ok(moving?)
    }

    /// Returns the base name; `None` where answers are switched off.
    async fn write_rejects(
        &self,
        owed: &OwedAnswer,
        batch: &Batch,
        stop: &CancellationToken,
    ) -> Result<Option<String>, Trouble> {
        let key = rejects_key(self.bucket.config(), &batch.batch_id, owed.object.base_name());
        let Some(key) = key else { return Ok(None) };
        let columns = self.store.sent_columns(&batch.batch_id).await?;
        let columns = columns.ok_or_else(|| Trouble("the batch is not in the store any more".into()))?;
        let stop = stop.clone();
        let pieces = rejects_file(&self.store, &batch.batch_id, &columns).map(move |piece| match piece {
            // The writing ends by itself then, and cleans up.
            _ if stop.is_cancelled() => Err(io::Error::other("the worker was asked to stop")),
            Ok(piece) => Ok(piece),
            Err(error) => Err(io::Error::other(error)),
        });
        self.bucket.write(&key, "text/csv; charset=utf-8", pieces.boxed()).await?;
        Ok(key.rsplit('/').next().map(str::to_owned))
    }

    /// Keeps, moves or deletes the object. Only one that is loaded is moved or deleted: any other can be mended where
    /// it lies, or be worked on again once the configuration is.
    async fn put_away(&self, owed: &OwedAnswer) -> Result<Source, bucket::Error> {
        let (UploadStatus::Loaded, Some(batch_id)) = (owed.status, &owed.batch_id) else { return Ok(Source::Kept) };
        let (object, config) = (&owed.object, self.bucket.config());
        let (put_away, source) = match config.after {
            After::Keep => return Ok(Source::Kept),
            After::Delete => (self.bucket.delete(object).await, Source::Deleted),
            After::Move => {
                let key = processed_key(config, batch_id, object.base_name());
                let Some(key) = key else { return Ok(Source::Kept) };
                (self.bucket.move_to(object, &key).await, Source::Moved { key })
            }
        };
        match put_away {
            Ok(()) => Ok(source),
            Err(error) if error.kind == bucket::ErrorKind::Gone => Ok(Source::Gone),
            Err(error) => Err(error),
        }
    }

    async fn write_receipt(
        &self,
        owed: &OwedAnswer,
        batch: Option<&Batch>,
        findings: &[Finding],
        rejects: Option<&str>,
        source: &Source,
    ) -> Result<(), Trouble> {
        let name = receipt_name(owed.object.base_name());
        let Some(key) = self.bucket.config().result_key(&format!("{}/{name}", folder(owed))) else { return Ok(()) };
        let text = receipt::receipt(&Facts { owed, batch, findings, rejects, source });
        let text = text.map_err(|error| Trouble(format!("the receipt cannot be written as JSON: {error}")))?;
        let pieces: Pieces<'_> = stream::iter([Ok(Bytes::from(text))]).boxed();
        Ok(self.bucket.write(&key, "application/json", pieces).await?)
    }
}

/// Where the rejects of a batch are written to, made of a file of this name; `None` where answers are switched off.
pub fn rejects_key(config: &BucketConfig, batch_id: &str, base_name: &str) -> Option<String> {
    config.result_key(&format!("{batch_id}/{}", rejects_name(base_name)))
}

/// Where a loaded object of this name is moved to, if it is.
pub fn processed_key(config: &BucketConfig, batch_id: &str, base_name: &str) -> Option<String> {
    config.processed_key(&format!("{batch_id}/{}", moved_name(base_name)))
}

/// The folder of an upload's answer: its batch's, or one of its own.
fn folder(owed: &OwedAnswer) -> String {
    match (&owed.batch_id, owed.status) {
        (Some(batch_id), _) => batch_id.clone(),
        // A suppression list.
        (None, UploadStatus::Loaded) => format!("lists/{}", owed.upload_id),
        (None, _) => format!("rejected/{}", owed.upload_id),
    }
}

/// The name of the receipt of a file, in the folder of its batch.
pub fn receipt_name(base_name: &str) -> String {
    format!("{}.receipt.json", stem(base_name))
}

/// The name of the file with its rows that were not loaded, beside it.
pub fn rejects_name(base_name: &str) -> String {
    format!("{}.rejects.csv", stem(base_name))
}

/// The bytes that a name in a folder may have.
const LONGEST_IN_A_FOLDER: usize = 255;
/// Those that are kept of a longer one, since something is put behind it.
const LONGEST: usize = 200;

/// A file's name without what says that it is a CSV, packed or not, so that the rejects' name falls under the same
/// campaign: `a` of `a.csv.gz`, and of `a.rejects.csv` too, which otherwise grew with each round.
fn stem(base_name: &str) -> String {
    let endings: [&[&str]; 3] = [&[".gz", ".zst", ".zip"], &[".csv", ".tsv", ".txt"], &[".rejects"]];
    let mut stem = base_name;
    for group in endings {
        stem = group.iter().find_map(|ending| without(stem, ending)).unwrap_or(stem);
    }
    kept(&stem[..stem.floor_char_boundary(LONGEST)])
}

/// The name under which a loaded object is put away. On S3 a name alone may fill a whole key, and then leaves no room
/// for the folder: of such a one the middle is left out. It stays unique, since its folder is its batch's own.
fn moved_name(base_name: &str) -> String {
    if base_name.len() <= LONGEST_IN_A_FOLDER {
        return kept(base_name);
    }
    let end = base_name.ceil_char_boundary(base_name.len() - (LONGEST_IN_A_FOLDER - LONGEST - 3));
    kept(&format!("{}...{}", &base_name[..base_name.floor_char_boundary(LONGEST)], &base_name[end..]))
}

/// The name with `_` for what no XML can hold: S3 tells the key of an object written in parts in XML, and an answer
/// that cannot be read passes for no answer.
fn kept(name: &str) -> String {
    let is_never_in_xml = |c: char| matches!(c, '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    name.replace(is_never_in_xml, "_")
}

/// The name without the ending, whatever its case, if something is left.
fn without<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let (rest, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    (!rest.is_empty() && end.eq_ignore_ascii_case(ending)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::{moved_name, stem};

    #[test]
    fn a_stem_is_the_name_without_what_says_that_it_is_a_csv() {
        for (name, expected) in [
            ("LATE_PAYMENTS_20250401.csv", "LATE_PAYMENTS_20250401"),
            ("a.CSV.GZ", "a"),
            ("a.csv.2025", "a.csv.2025"),
            ("a.rejects.csv", "a"),
            ("a.b.txt", "a.b"),
            ("no_ending", "no_ending"),
            ("é.csv", "é"),
            (".csv", ".csv"),
            ("a\nb\u{ffff}c.csv", "a_b_c"),
        ] {
            assert_eq!(stem(name), expected);
        }
        let long = format!("{}.csv", "é".repeat(125));
        assert_eq!(stem(&long), "é".repeat(100));
    }

    #[test]
    fn a_name_that_fills_a_key_is_shortened_and_keeps_its_ending() {
        assert_eq!(moved_name("a.csv.gz"), "a.csv.gz");
        assert_eq!(moved_name(&"x".repeat(255)), "x".repeat(255));
        let name = moved_name(&format!("{}.csv", "é".repeat(510)));
        assert!(name.len() <= 255 && name.starts_with('é') && name.ends_with(".csv"), "{name}");
        assert_eq!(moved_name("a\u{fffe}.csv"), "a_.csv");
    }
}
