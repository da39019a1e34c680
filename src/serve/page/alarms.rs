//! What an operator must look into: told on top of every page, with how it is known.

use std::time::Duration;

use maud::{Markup, html};

use super::{Page, show};
use crate::model::UploadStatus;
use crate::serve::probes::STUCK;
use crate::store::{Backlog, Error, Neglected};
use crate::telemetry::{metrics, progress};

/// Any worker takes over, within a second or two, what has lost its own: what is still there after this was found by
/// none.
const GRACE: Duration = Duration::from_secs(15);
/// So long may a file wait, though nobody works on any other.
const UNATTENDED: Duration = Duration::from_secs(60);
/// An upload in this worker's hands moves on more often than this, or is given up as trouble of the bucket or the
/// store.
const STILL: Duration = Duration::from_secs(120);
/// How many uploads are looked at.
const LOOKED_AT: u32 = 100;

/// One thing to look into.
pub(super) struct Alarm {
    what: String,
    why: String,
}

impl Alarm {
    pub(super) fn new(what: &str, why: String) -> Self {
        Alarm { what: what.to_owned(), why }
    }

    pub(super) fn show(&self) -> Markup {
        html! { div.alarm role="alert" { strong { (self.what) } " " span { (self.why) } } }
    }
}

/// Everything to look into now.
pub(super) async fn alarms(page: &Page, backlog: &Backlog) -> Result<Vec<Alarm>, Error> {
    let Ok((store, bucket)) = page.opened() else { return Ok(Vec::new()) };
    let neglected = store.neglected(bucket, GRACE, LOOKED_AT).await?;
    let mut alarms = Vec::new();
    if let Some(silent) = metrics().since_heartbeat().filter(|silent| *silent > STUCK) {
        alarms.push(Alarm {
            what: "This worker hangs.".to_owned(),
            why: format!(
                "It has given no sign of life for {}. Restart it; nothing is lost by that.",
                show::duration(silent)
            ),
        });
    }
    if !metrics().bucket_is_reachable() {
        alarms.push(Alarm {
            what: "The bucket is not seen.".to_owned(),
            why: "It could not be listed the last time, or not yet since the worker started. Nothing new is found meanwhile; the \
                  worker's log tells why."
                .to_owned(),
        });
    }
    alarms.extend(dead_letters(metrics().dead_letters_known()));
    alarms.extend(stalled(&neglected, |upload_id| progress::of(upload_id).is_some()));
    alarms.extend(still());
    alarms.extend(unattended(&neglected, backlog));
    Ok(alarms)
}

/// Messages of the queue that nobody could make use of.
fn dead_letters(count: u64) -> Option<Alarm> {
    let what = match count {
        0 => return None,
        1 => "1 dead letter.".to_owned(),
        _ => format!("{} dead letters.", show::grouped(count)),
    };
    Some(Alarm {
        what,
        why: "Messages that no worker could make use of lie in the dead-letter queue. No file is lost by that, since the bucket is \
              listed too. Look at them: either something else writes to the queue, or the store was away for long; then delete them."
            .to_owned(),
    })
}

/// An upload whose lease is over, and which nobody has taken over. One that is in this worker's own hands is not meant:
/// SQLite has one writer, so that a lease there cannot be renewed while a file is being loaded, and cannot be taken
/// either.
fn stalled(neglected: &[Neglected], is_ours: impl Fn(i64) -> bool) -> Option<Alarm> {
    let mut lapsed = neglected.iter().filter(|one| one.status == UploadStatus::Claimed && !is_ours(one.upload_id));
    let first = lapsed.next()?;
    let more = match lapsed.count() {
        0 => String::new(),
        1 => ", and one more".to_owned(),
        more => format!(", and {more} more"),
    };
    let worker = first.claimed_by.as_deref().unwrap_or("a worker");
    Some(Alarm {
        what: "A worker has stalled.".to_owned(),
        why: format!(
            "{worker} works on {}{more}, and its lease ran out {} ago: it has died, hangs, or has lost the store, and no other has \
             taken over, as the next idle one will. See whether the workers run, and have room.",
            first.key,
            show::duration(seconds(first)),
        ),
    })
}

/// An upload in this worker's hands that does not move.
fn still() -> Option<Alarm> {
    let still = progress::all().into_iter().filter(|one| one.still_for > STILL).max_by_key(|one| one.still_for)?;
    Some(Alarm {
        what: "An upload does not move.".to_owned(),
        why: format!(
            "This worker has read nothing more of upload {} for {}. It waits for its bucket, for its store, or for another load of \
             the same campaign; the worker's log tells of trouble.",
            still.upload_id,
            show::duration(still.still_for),
        ),
    })
}

/// Files that are due while nobody works on any.
fn unattended(neglected: &[Neglected], backlog: &Backlog) -> Option<Alarm> {
    let lapsed = neglected.iter().filter(|one| one.status == UploadStatus::Claimed).count() as u64;
    let longest = neglected.iter().find(|one| one.status == UploadStatus::Waiting)?;
    let waited = seconds(longest);
    (backlog.claimed <= lapsed && waited > UNATTENDED).then(|| Alarm {
        what: "Nobody takes what waits.".to_owned(),
        why: format!(
            "{} could have been worked on for {}, and no worker works on anything. See whether the workers run, and their logs.",
            longest.key,
            show::duration(waited),
        ),
    })
}

fn seconds(neglected: &Neglected) -> Duration {
    Duration::try_from_secs_f64(neglected.seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neglected(upload_id: i64, status: UploadStatus, seconds: f64) -> Neglected {
        let claimed_by = (status == UploadStatus::Claimed).then(|| "one@example.com".to_owned());
        Neglected { upload_id, key: format!("file{upload_id}.csv"), status, claimed_by, seconds }
    }

    fn backlog(waiting: u64, claimed: u64) -> Backlog {
        Backlog {
            waiting,
            held: 0,
            claimed,
            next_due_seconds: Some(0.0),
            oldest_waiting_seconds: None,
            answers_due: 0,
            messages_due: 0,
            fewest_tries: None,
        }
    }

    #[test]
    fn a_worker_has_stalled_when_its_lease_is_over_and_nobody_has_taken_over() {
        let lapsed = [neglected(7, UploadStatus::Claimed, 125.0), neglected(8, UploadStatus::Claimed, 20.0)];
        let alarm = stalled(&lapsed, |_| false).expect("an alarm");
        assert!(
            alarm
                .why
                .starts_with("one@example.com works on file7.csv, and one more, and its lease ran out 2 min 5 s ago"),
            "{}",
            alarm.why
        );
        assert!(stalled(&lapsed, |_| true).is_none(), "this worker's own");
        assert!(stalled(&[neglected(7, UploadStatus::Waiting, 125.0)], |_| false).is_none());
    }

    #[test]
    fn files_are_unattended_when_they_are_due_and_nobody_works() {
        let waits = [neglected(7, UploadStatus::Waiting, 61.0)];
        assert!(unattended(&waits, &backlog(1, 0)).is_some());
        assert!(unattended(&waits, &backlog(1, 1)).is_none(), "a worker is busy");
        assert!(unattended(&[neglected(7, UploadStatus::Waiting, 59.0)], &backlog(1, 0)).is_none(), "not long yet");
        let all = [neglected(6, UploadStatus::Claimed, 90.0), neglected(7, UploadStatus::Waiting, 61.0)];
        assert!(unattended(&all, &backlog(1, 1)).is_some(), "who works on the other has stalled");
    }
}
