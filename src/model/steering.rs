//! Steering a batch: what an operator may do to one, when it is allowed, and what is kept of it.

use chrono::{DateTime, SubsecRound as _, Utc};

use super::{Batch, BatchStatus};

/// What is to be done to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nobody is contacted until it is resumed.
    Hold,
    /// Its PENDING requests may be contacted again.
    Resume,
    /// Called off for good. Needs a reason.
    Cancel,
    /// It expires by itself at this time; `None`: never.
    Expire(Option<DateTime<Utc>>),
}

/// An operator's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    /// What is to be done.
    pub action: Action,
    /// Who wants it, as an e-mail address.
    pub by: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// What came of a wish.
#[derive(Debug, Clone)]
pub enum Steered {
    /// It was done; the batch as it is now.
    Done(Batch),
    /// It was so already: nothing was changed, and no event was written.
    Unchanged(Batch),
    /// Where the batch stands it cannot be done; nothing was changed.
    Refused {
        /// Where it stands.
        status: BatchStatus,
        /// For a person.
        why: String,
    },
    /// The wish itself cannot be used, whatever the batch.
    Invalid {
        /// For a person.
        why: String,
    },
    /// There is no such batch.
    Unknown,
}

/// One thing that happened to a batch.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BatchEvent {
    /// The batch.
    pub batch_id: String,
    /// Its place among the batch's events, from 0.
    pub sequence: u32,
    /// When.
    pub at: DateTime<Utc>,
    /// PUBLISHED or FAILED, then HELD, RESUMED, CANCELED, EXPIRY_SET, FORGOTTEN, EXPIRED.
    pub event: String,
    /// Who; `None` for EXPIRED, which is time's doing.
    pub actor: Option<String>,
    /// Why, as the actor said; for FAILED, the error_message.
    pub reason: Option<String>,
    /// EXPIRY_SET, EXPIRED: the time to expire; `None` where it was taken away.
    pub expires_on: Option<DateTime<Utc>>,
}

/// Characters that a reason may have.
const REASON: usize = 1_000;
/// Characters that an e-mail address may have.
const ADDRESS: usize = 254;

/// Who decides, as it is stored: without space around it.
///
/// # Errors
/// What is wrong with it, for whoever decides.
pub fn actor(by: &str) -> Result<&str, String> {
    let by = by.trim();
    let is_address = by.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    if !is_address || by.chars().count() > ADDRESS || by.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("who wants it must be given as an e-mail address".to_owned());
    }
    Ok(by)
}

/// Why, as it is stored: without space around it; `None` where nothing was said.
///
/// # Errors
/// What is wrong with it, for whoever decides.
pub fn reason(text: &str) -> Result<Option<&str>, String> {
    let text = text.trim();
    if text.chars().count() > REASON {
        return Err(format!("the reason is too long: {REASON} characters at the most"));
    }
    // PostgreSQL cannot keep it, and no screen needs it.
    if text.contains('\0') {
        return Err("the reason holds a NUL character".to_owned());
    }
    Ok((!text.is_empty()).then_some(text))
}

impl Steering {
    /// The wish as it is stored: space around texts left off, times no finer than both databases keep them.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wishes.
    pub fn checked(&self) -> Result<Steering, String> {
        let by = actor(&self.by)?;
        let reason = self.reason.as_deref().map(reason).transpose()?.flatten();
        if self.action == Action::Cancel && reason.is_none() {
            return Err("to cancel a batch, say why: a reason is required".to_owned());
        }
        let action = match self.action {
            Action::Expire(Some(time)) => Action::Expire(Some(time.trunc_subsecs(3))),
            action => action,
        };
        Ok(Steering { action, by: by.to_owned(), reason: reason.map(str::to_owned) })
    }
}

/// What an action means for a batch that stands somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It takes this status and this `expires_on`, and the event is written.
    Change {
        /// The new status.
        status: BatchStatus,
        /// The new `expires_on`.
        expires_on: Option<DateTime<Utc>>,
        /// The event's word.
        event: &'static str,
    },
    /// It is so already.
    Nothing,
    /// It is not allowed.
    Refuse,
}

impl Action {
    /// The rules: ACTIVE and PAUSED change into each other and into CANCELED; all others stay what they are.
    pub fn step(self, status: BatchStatus, expires_on: Option<DateTime<Utc>>) -> Step {
        use BatchStatus::{Active, Canceled, Paused};
        let change = |status, event| Step::Change { status, expires_on, event };
        match (self, status) {
            (Action::Hold, Paused) | (Action::Resume, Active) | (Action::Cancel, Canceled) => Step::Nothing,
            (_, status) if !matches!(status, Active | Paused) => Step::Refuse,
            (Action::Hold, _) => change(Paused, "HELD"),
            (Action::Resume, _) => change(Active, "RESUMED"),
            (Action::Cancel, _) => change(Canceled, "CANCELED"),
            (Action::Expire(time), _) if time == expires_on.map(|time| time.trunc_subsecs(3)) => Step::Nothing,
            (Action::Expire(time), status) => Step::Change { status, expires_on: time, event: "EXPIRY_SET" },
        }
    }
}

/// Why nothing more can be done to a batch.
pub fn refusal(batch: &Batch) -> String {
    let id = &batch.batch_id;
    let stands = match batch.status {
        BatchStatus::Failed => format!("batch {id} FAILED, and has no requests"),
        BatchStatus::Canceled => {
            format!("batch {id} was CANCELED by {}", batch.last_updated_by)
        }
        BatchStatus::Expired => format!("batch {id} is EXPIRED"),
        status => format!("batch {id} is {}", status.as_str()),
    };
    format!("{stands}; that is for good. Drop a corrected file: it becomes a new batch")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn only_active_and_paused_batches_move() {
        use BatchStatus::*;
        let at = time("2025-08-12T12:00:00Z");
        let moves = |action: Action| {
            [Pending, Active, Paused, Failed, Canceled, Expired].map(|status| match action.step(status, None) {
                Step::Change { status, event, .. } => format!("{} {event}", status.as_str()),
                other => format!("{other:?}"),
            })
        };
        let refuse = "Refuse";
        assert_eq!(moves(Action::Hold), [refuse, "PAUSED HELD", "Nothing", refuse, refuse, refuse]);
        assert_eq!(moves(Action::Resume), [refuse, "Nothing", "ACTIVE RESUMED", refuse, refuse, refuse]);
        assert_eq!(
            moves(Action::Cancel),
            [refuse, "CANCELED CANCELED", "CANCELED CANCELED", refuse, "Nothing", refuse]
        );
        let set = ["ACTIVE EXPIRY_SET", "PAUSED EXPIRY_SET"];
        assert_eq!(moves(Action::Expire(Some(at))), [refuse, set[0], set[1], refuse, refuse, refuse]);
        assert_eq!(moves(Action::Expire(None)), [refuse, "Nothing", "Nothing", refuse, refuse, refuse]);
    }

    #[test]
    fn an_expiry_changes_where_it_differs_and_nothing_else_changes_it() {
        let (one, two) = (time("2025-08-12T12:00:00.123456Z"), time("2025-08-13T12:00:00Z"));
        let expiry = |action: Action| match action.step(BatchStatus::Active, Some(one)) {
            Step::Change { expires_on, .. } => Some(expires_on),
            _ => None,
        };
        assert_eq!(expiry(Action::Hold), Some(Some(one)));
        assert_eq!(expiry(Action::Expire(Some(two))), Some(Some(two)));
        assert_eq!(expiry(Action::Expire(None)), Some(None));
        assert_eq!(expiry(Action::Expire(Some(time("2025-08-12T12:00:00.123Z")))), None, "what is shown, sent back");
    }

    #[test]
    fn a_wish_is_checked_before_it_is_tried() {
        let wish = |action, by: &str, reason: Option<&str>| {
            Steering { action, by: by.to_owned(), reason: reason.map(str::to_owned) }.checked()
        };
        for by in ["", " ", "ana", "ana@", "@example.com", "ana smith@example.com", "ana@example.com\n\u{1b}[2J@"] {
            assert_eq!(wish(Action::Hold, by, None), Err("who wants it must be given as an e-mail address".to_owned()));
        }
        for reason in [None, Some(""), Some(" \t\n")] {
            let told = wish(Action::Cancel, "ana@example.com", reason).expect_err("no reason");
            assert_eq!(told, "to cancel a batch, say why: a reason is required");
        }
        let long = "é".repeat(REASON + 1);
        assert!(wish(Action::Hold, "ana@example.com", Some(&long)).expect_err("long").contains("1000 characters"));
        assert!(wish(Action::Hold, "ana@example.com", Some("a\0b")).expect_err("NUL").contains("NUL"));
        let good = wish(Action::Cancel, " ana@example.com ", Some(" wrong amounts ")).expect("it is good");
        assert_eq!((good.by.as_str(), good.reason.as_deref()), ("ana@example.com", Some("wrong amounts")));
        assert_eq!(wish(Action::Resume, "ana@example.com", Some("  ")).expect("it is good").reason, None);
    }
}
