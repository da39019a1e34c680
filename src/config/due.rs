//! When a campaign's files are due, as its section says it.

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde::Deserialize;

use super::{CampaignConfig, ConfigError, parse_duration};
use crate::model::{DueTime, Schedule};

/// One text, or a list of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a due time such as \"weekdays 09:00\", or a list of them")]
pub enum OneOrSeveral {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl OneOrSeveral {
    fn all(&self) -> &[String] {
        match self {
            OneOrSeveral::One(text) => std::slice::from_ref(text),
            OneOrSeveral::Several(texts) => texts,
        }
    }
}

/// So long a file is late where nothing is said.
const USUAL_GRACE: TimeDelta = TimeDelta::minutes(30);

impl CampaignConfig {
    /// When its files are due; `campaign` is its name, for the text of a refusal, and `zone` the time zone where it
    /// names none.
    pub(super) fn due(&self, campaign: &str, zone: Tz) -> Result<Option<Schedule>, ConfigError> {
        let wrong = |key: &str, why: String| ConfigError(format!("campaigns.{campaign}.{key} {why}"));
        let Some(due) = &self.due else {
            let others = [
                ("due_zone", self.due_zone.is_some()),
                ("due_grace", self.due_grace.is_some()),
                ("due_opens", self.due_opens.is_some()),
                ("due_except", self.due_except.is_some()),
            ];
            return match others.iter().find(|(_, is_set)| *is_set) {
                Some((key, _)) => Err(wrong(key, format!("needs due: write {}", DueTime::FORMS))),
                None => Ok(None),
            };
        };
        let times: Result<Vec<_>, _> = due.all().iter().map(|text| DueTime::parse(text)).collect();
        let times = times.map_err(|why| wrong("due", why))?;
        if times.is_empty() {
            return Err(wrong("due", format!("must name one time at least; write {}", DueTime::FORMS)));
        }
        let zone = match &self.due_zone {
            None => zone,
            Some(name) => name.parse().map_err(|_| {
                wrong("due_zone", format!("cannot be {name:?}; write an IANA name such as \"Europe/Berlin\""))
            })?,
        };
        let duration = |key: &str, text: &Option<String>| match text.as_deref().map(parse_duration) {
            Some(None) => Err(wrong(key, "must be a number and one of s, m, h, d, w, such as \"30m\"".to_owned())),
            Some(Some(duration)) => Ok(TimeDelta::from_std(duration).ok()),
            None => Ok(None),
        };
        let grace = duration("due_grace", &self.due_grace)?.unwrap_or(USUAL_GRACE);
        let opens = duration("due_opens", &self.due_opens)?;
        let days = self.due_except.iter().flatten().map(|text| {
            let why = || wrong("due_except", format!("cannot have {text:?}; write days such as \"2025-12-25\""));
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| why())
        });
        let schedule = Schedule { times, zone, except: days.collect::<Result<_, _>>()?, grace, opens };
        if let Some((one, next)) = schedule.overlap() {
            let (one, next) = (one.with_timezone(&zone), next.with_timezone(&zone));
            let why = format!(
                "must be shorter than the time between two due times, such as {} and {}",
                one.format("%Y-%m-%d %H:%M"),
                next.format("%H:%M on %Y-%m-%d")
            );
            return Err(wrong("due_grace", why));
        }
        Ok(Some(schedule))
    }
}
