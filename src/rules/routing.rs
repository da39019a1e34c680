//! From a file's name to its campaign.

use chrono::NaiveDate;
use globset::{GlobBuilder, GlobMatcher};

use crate::model::{Campaign, Fault, FileCode};

/// The configured campaigns, ready to be asked for the one that takes a file.
#[derive(Debug, Clone)]
pub struct Router {
    routes: Vec<Route>,
}

#[derive(Debug, Clone)]
struct Route {
    campaign: Campaign,
    matcher: GlobMatcher,
    /// How many characters of the glob stand for themselves: the more, the more specific.
    literals: usize,
}

/// A configuration that does not say clearly where a file belongs. The operator's to mend, never the sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoutingError {
    /// Not a glob.
    #[error("campaign {campaign}: files = {files:?} is no valid pattern: {reason}")]
    BadGlob {
        /// The campaign's name.
        campaign: String,
        /// The pattern.
        files: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two campaigns with one id.
    #[error("campaigns {0} and {1} have the same id")]
    SameId(String, String),
    /// Two campaigns match a name equally well.
    #[error("campaigns {0} and {1} match file names equally well; make one of their `files` patterns more specific")]
    Tie(String, String),
    /// No campaign at all.
    #[error("no campaign is configured; add one, or run without a configuration file")]
    Empty,
}

impl Router {
    /// Prepares the campaigns.
    ///
    /// # Errors
    /// A pattern that is none, an id used twice, the same pattern used twice.
    pub fn new(campaigns: Vec<Campaign>) -> Result<Router, RoutingError> {
        let mut routes: Vec<Route> = Vec::with_capacity(campaigns.len());
        for campaign in campaigns {
            let glob = GlobBuilder::new(&campaign.files).case_insensitive(true).build();
            let matcher = glob
                .map_err(|error| RoutingError::BadGlob {
                    campaign: campaign.name.clone(),
                    files: campaign.files.clone(),
                    reason: error.kind().to_string(),
                })?
                .compile_matcher();
            for other in &routes {
                let names = || (other.campaign.name.clone(), campaign.name.clone());
                if other.campaign.id == campaign.id {
                    let (a, b) = names();
                    return Err(RoutingError::SameId(a, b));
                }
                if other.campaign.files.eq_ignore_ascii_case(&campaign.files) {
                    let (a, b) = names();
                    return Err(RoutingError::Tie(a, b));
                }
            }
            routes.push(Route { literals: literals(&campaign.files), matcher, campaign });
        }
        if routes.is_empty() { Err(RoutingError::Empty) } else { Ok(Router { routes }) }
    }

    /// The campaign of a file with this base name: the most specific match.
    ///
    /// # Errors
    /// Outer: two campaigns match equally well, a configuration error that shows only now. Inner: no campaign
    /// matches, which is the sender's fault.
    pub fn route(&self, base_name: &str) -> Result<Result<&Campaign, Fault>, RoutingError> {
        let mut best: Option<&Route> = None;
        let mut rival: Option<&Route> = None;
        for route in self.routes.iter().filter(|route| route.matcher.is_match(base_name)) {
            match best {
                Some(other) if other.literals == route.literals => rival = Some(route),
                Some(other) if other.literals > route.literals => {}
                _ => (best, rival) = (Some(route), None),
            }
        }
        match (best, rival) {
            (Some(a), Some(b)) => Err(RoutingError::Tie(a.campaign.name.clone(), b.campaign.name.clone())),
            (Some(route), None) => Ok(Ok(&route.campaign)),
            (None, _) => Ok(Err(Fault::new(
                FileCode::UnknownCampaign,
                format!("no campaign takes a file of this name; names are taken that match {}", self.patterns()),
            ))),
        }
    }

    /// The campaign of this name.
    pub fn campaign(&self, name: &str) -> Option<&Campaign> {
        self.campaigns().find(|campaign| campaign.name == name)
    }

    /// All campaigns, in configured order.
    pub fn campaigns(&self) -> impl Iterator<Item = &Campaign> {
        self.routes.iter().map(|route| &route.campaign)
    }

    fn patterns(&self) -> String {
        let patterns: Vec<_> = self.campaigns().map(|campaign| campaign.files.as_str()).collect();
        patterns.join(", ")
    }
}

/// How many characters of a glob stand for themselves.
fn literals(glob: &str) -> usize {
    let mut count = 0;
    let mut chars = glob.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' => {}
            // A class or a set of alternatives stands for one of several, and counts as one.
            '[' => {
                chars.by_ref().find(|&c| c == ']');
                count += 1;
            }
            '{' => {
                chars.by_ref().find(|&c| c == '}');
                count += 1;
            }
            '\\' => count += usize::from(chars.next().is_some()),
            _ => count += 1,
        }
    }
    count
}

/// The first date in a file's name, written 20250401, 2025-04-01 or 2025_04_01, not part of a longer number.
pub fn filename_date(base_name: &str) -> Option<NaiveDate> {
    let bytes = base_name.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).filter(|&at| digit(at) && (at == 0 || !digit(at - 1))).find_map(|at| {
        let separator = bytes.get(at + 4).copied().filter(|byte| matches!(byte, b'-' | b'_'));
        let (month_at, day_at) = if separator.is_some() { (at + 5, at + 8) } else { (at + 4, at + 6) };
        if digit(day_at + 2) || (separator.is_some() && bytes.get(at + 7).copied() != separator) {
            return None;
        }
        let number = |from: usize, to: usize| base_name.get(from..to)?.parse::<u32>().ok();
        NaiveDate::from_ymd_opt(
            number(at, at + 4)? as i32,
            number(month_at, month_at + 2)?,
            number(day_at, day_at + 2)?,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(id: i32, name: &str, files: &str) -> Campaign {
        Campaign { id, name: name.to_owned(), files: files.to_owned(), ..Campaign::default() }
    }

    #[test]
    fn the_most_specific_match_wins_without_regard_to_case() {
        let router = Router::new(vec![
            campaign(1, "all", "*.csv*"),
            campaign(2, "late", "LATE_*.csv*"),
            campaign(3, "late-payments", "LATE_PAYMENTS_*.csv*"),
        ]);
        let router = router.expect("valid");
        let name = |file: &str| router.route(file).expect("no tie").map(|campaign| campaign.name.as_str());
        assert_eq!(name("LATE_PAYMENTS_20250401.csv"), Ok("late-payments"));
        assert_eq!(name("late_payments_20250401.CSV.gz"), Ok("late-payments"));
        assert_eq!(name("LATE_FEES.csv"), Ok("late"));
        assert_eq!(name("x.csv"), Ok("all"));
        let fault = name("x.txt").expect_err("no campaign");
        assert_eq!(
            fault.message(),
            "Unknown campaign: no campaign takes a file of this name; names are taken that match *.csv*, LATE_*.csv*, LATE_PAYMENTS_*.csv*"
        );
    }

    #[test]
    fn what_is_not_clear_is_a_configuration_error() {
        let router = |campaigns| Router::new(campaigns).map(|_| ());
        assert_eq!(router(vec![]), Err(RoutingError::Empty));
        assert!(matches!(router(vec![campaign(1, "a", "[")]), Err(RoutingError::BadGlob { .. })));
        let two =
            |ids: (i32, i32), files: (&str, &str)| vec![campaign(ids.0, "a", files.0), campaign(ids.1, "b", files.1)];
        assert_eq!(router(two((1, 1), ("x", "y"))), Err(RoutingError::SameId("a".into(), "b".into())));
        assert_eq!(router(two((1, 2), ("x*", "X*"))), Err(RoutingError::Tie("a".into(), "b".into())));
        let router = Router::new(two((1, 2), ("*A.csv", "B*.csv"))).expect("each is fine by itself");
        assert_eq!(router.route("BA.csv"), Err(RoutingError::Tie("a".into(), "b".into())));
    }

    #[test]
    fn a_date_in_the_name_is_found() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d);
        assert_eq!(filename_date("LATE_PAYMENTS_20250401.csv"), day(2025, 4, 1));
        assert_eq!(filename_date("2025-04-30 calls.csv"), day(2025, 4, 30));
        assert_eq!(filename_date("calls_2025_12_01.csv"), day(2025, 12, 1));
        for none in ["calls.csv", "20251301.csv", "120250401.csv", "202504011.csv", "2025-04_01.csv", "é2025", ""] {
            assert_eq!(filename_date(none), None, "{none}");
        }
    }
}
