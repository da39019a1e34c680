//! Expected files: what became of the files that a campaign's due times call for.

use chrono::{DateTime, Utc};

use super::schedule::Occurrence;

/// Where the file of one due time stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExpectedStatus {
    /// It is not due yet, or it was not looked for since it was.
    Expected,
    /// It was due, and is not there.
    Late,
    /// It is there, as a batch.
    Arrived,
    /// What came became a FAILED batch, and nothing better came.
    Failed,
    /// Its grace is over, and nothing came.
    Missing,
}

impl ExpectedStatus {
    /// Every one.
    pub const ALL: [ExpectedStatus; 5] = {
        use ExpectedStatus::*;
        [Expected, Late, Arrived, Failed, Missing]
    };

    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            ExpectedStatus::Expected => "EXPECTED",
            ExpectedStatus::Late => "LATE",
            ExpectedStatus::Arrived => "ARRIVED",
            ExpectedStatus::Failed => "FAILED",
            ExpectedStatus::Missing => "MISSING",
        }
    }

    /// The status that a stored word stands for; `None` for a word that this version does not know.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A due time as it is on record, and what has come for it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenExpected {
    /// The campaign.
    pub campaign_id: i32,
    /// The due time and its window.
    pub occurrence: Occurrence,
    /// The status on record.
    pub status: ExpectedStatus,
    /// The batch on record.
    pub known_batch_id: Option<String>,
    /// What came: the first good batch, else the last that failed.
    pub arrival: Option<Arrival>,
}

/// A file that came within a window, and became a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The upload.
    pub upload_id: i64,
    /// The batch.
    pub batch_id: String,
    /// When it was put into the bucket.
    pub arrived_at: DateTime<Utc>,
    /// Whether it is a FAILED batch.
    pub is_failed: bool,
}

impl OpenExpected {
    /// What is to be said of it now. `listed_from`: when the last complete listing of the bucket began, if there was
    /// one; what is in the bucket by then is on its way, or has arrived. `is_on_its_way`: a file for it is there that
    /// is no batch yet.
    pub fn judge(&self, listed_from: Option<DateTime<Utc>>, is_on_its_way: bool) -> ExpectedStatus {
        let was_looked_for = |from: DateTime<Utc>| listed_from.is_some_and(|listed| listed >= from);
        match &self.arrival {
            Some(arrival) if arrival.is_failed => ExpectedStatus::Failed,
            Some(_) => ExpectedStatus::Arrived,
            None if is_on_its_way || self.waits_from().is_none() => self.status,
            None if was_looked_for(self.occurrence.missing_from) => ExpectedStatus::Missing,
            None if was_looked_for(self.occurrence.due_at) => ExpectedStatus::Late,
            None => self.status,
        }
    }

    /// Whether it matters for the judgement what is listed, and what is on its way.
    pub fn may_be_late(&self, now: DateTime<Utc>) -> bool {
        self.arrival.is_none() && self.waits_from().is_some_and(|from| now >= from)
    }

    /// When it is told to be late, or missing, if nothing comes.
    fn waits_from(&self) -> Option<DateTime<Utc>> {
        match self.status {
            ExpectedStatus::Expected => Some(self.occurrence.due_at),
            ExpectedStatus::Late => Some(self.occurrence.missing_from),
            _ => None,
        }
    }

    /// Whether a complete listing that began then tells what is now to be told of it.
    pub fn is_told_by(&self, listed_from: DateTime<Utc>) -> bool {
        self.waits_from().is_some_and(|from| listed_from >= from)
    }

    /// Whether what came is the batch on record; or nothing came, as is on record.
    pub fn is_as_on_record(&self) -> bool {
        self.arrival.as_ref().map(|arrival| &arrival.batch_id) == self.known_batch_id.as_ref()
    }

    /// Whether a file that was put into the bucket then counts for it.
    pub fn takes(&self, arrived_at: DateTime<Utc>) -> bool {
        (self.occurrence.opens_at..self.occurrence.closes_at).contains(&arrived_at)
    }
}

/// A due time, and what became of it, for people.
#[derive(Debug, Clone, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct ExpectedFile {
    /// The bucket that it is expected in.
    pub bucket: String,
    /// The campaign.
    pub campaign_id: i32,
    /// Its name.
    pub campaign_name: String,
    /// When the file is due.
    pub due_at: DateTime<Utc>,
    /// From when on a file counts for it.
    pub opens_at: DateTime<Utc>,
    /// When a file that is not there is no longer late, but missing.
    pub missing_from: DateTime<Utc>,
    /// From when on a file counts for the next due time.
    pub closes_at: DateTime<Utc>,
    /// Where it stands.
    pub status: ExpectedStatus,
    /// The upload that came.
    pub upload_id: Option<i64>,
    /// The key of what came.
    pub key: Option<String>,
    /// The batch that it became.
    pub batch_id: Option<String>,
    /// When it was put into the bucket; later than `due_at`: it was late.
    pub arrived_at: Option<DateTime<Utc>>,
    /// When it was found to be missing; stays when it comes after all.
    pub missing_at: Option<DateTime<Utc>>,
    /// Since when it has been expected.
    pub expected_since: DateTime<Utc>,
    /// FAILED: the code of what is wrong with what came.
    pub error_code: Option<String>,
    /// FAILED: what is wrong with it.
    pub error_message: Option<String>,
}

impl ExpectedFile {
    /// By how much it came late; `None` where it came in time, or not yet.
    pub fn late_by(&self) -> Option<chrono::TimeDelta> {
        self.arrived_at.map(|at| at - self.due_at).filter(|late| *late > chrono::TimeDelta::zero())
    }
}

/// Which due times, and which page of them. The last come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedQuery {
    /// Where they stand.
    pub status: Option<ExpectedStatus>,
    /// The campaign's name.
    pub campaign_name: Option<String>,
    /// The bucket; `None`: every one.
    pub bucket: Option<String>,
    /// How many are passed over.
    pub offset: u64,
    /// How many are listed at most.
    pub limit: u32,
}

/// Where a campaign stands whose files are expected.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedNow {
    /// The campaign.
    pub campaign_name: String,
    /// Where the due time stands for which files count now; `None` before the first.
    pub status: Option<ExpectedStatus>,
    /// When the next is due.
    pub next_due_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2025-10-24T{text}:00Z").parse().expect("a time")
    }

    /// Due at nine, missing from half past.
    fn open(status: ExpectedStatus, arrival: Option<Arrival>) -> OpenExpected {
        let occurrence = Occurrence {
            due_at: at("09:00"),
            opens_at: at("06:00"),
            missing_from: at("09:30"),
            closes_at: at("12:00"),
        };
        OpenExpected { campaign_id: 7, occurrence, status, known_batch_id: None, arrival }
    }

    #[test]
    fn what_is_not_there_is_late_and_then_missing_by_a_listing_that_began_thereafter() {
        use ExpectedStatus::*;
        for (before, listed_from, after) in [
            (Expected, None, Expected),
            (Expected, Some("08:59"), Expected),
            (Expected, Some("09:00"), Late),
            (Late, Some("09:29"), Late),
            (Late, Some("09:30"), Missing),
            (Expected, Some("11:00"), Missing),
            (Missing, None, Missing),
            (Arrived, Some("11:00"), Arrived),
        ] {
            let listed_from = listed_from.map(at);
            assert_eq!(open(before, None).judge(listed_from, false), after, "{before:?}, {listed_from:?}");
            assert_eq!(open(before, None).judge(listed_from, true), before, "a file is on its way");
        }
    }

    #[test]
    fn a_batch_ends_the_wait_and_a_failed_one_is_told_as_such() {
        let arrival =
            |is_failed| Arrival { upload_id: 1, batch_id: "20251024.1".to_owned(), arrived_at: at("09:45"), is_failed };
        for before in [ExpectedStatus::Expected, ExpectedStatus::Late, ExpectedStatus::Failed, ExpectedStatus::Missing]
        {
            for listed_from in [None, Some(at("11:00"))] {
                let judged = |is_failed| open(before, Some(arrival(is_failed))).judge(listed_from, true);
                assert_eq!((judged(false), judged(true)), (ExpectedStatus::Arrived, ExpectedStatus::Failed));
            }
        }
    }

    #[test]
    fn a_listing_is_wanted_when_something_hangs_on_it() {
        use ExpectedStatus::*;
        let wanted = |status, time| open(status, None).may_be_late(at(time));
        assert!(
            !wanted(Expected, "08:59") && wanted(Expected, "09:00") && !wanted(Late, "09:29") && wanted(Late, "09:30")
        );
        assert!(!wanted(Missing, "11:00") && !wanted(Failed, "11:00"));
        let open = open(Expected, None);
        assert!(
            open.takes(at("06:00")) && open.takes(at("11:59")) && !open.takes(at("12:00")) && !open.takes(at("05:59"))
        );
    }
}
