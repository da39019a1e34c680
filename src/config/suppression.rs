//! What a suppression list's section says.

use serde::Deserialize;

use super::{ConfigError, parse_duration};
use crate::model::{Campaign, Channel, SuppressionList};

/// One `[suppression.NAME]` section.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SuppressionConfig {
    /// Glob on the whole key of its files, such as `suppression/do_not_call*.csv*`; not set: a table that others fill.
    pub files: Option<String>,
    /// `voice` (default), `sms` or `email`: how targets are read.
    pub channel: Option<Channel>,
    /// Country of national phone numbers; default `US`.
    pub region: Option<String>,
    /// It counts for every campaign of its kind (phone or e-mail), named or not.
    pub everywhere: bool,
    /// Such as `"7d"`: uploads wait for a list that is older.
    pub max_age: Option<String>,
}

impl SuppressionConfig {
    pub(super) fn list(&self, name: &str) -> Result<SuppressionList, ConfigError> {
        let default = Campaign::default();
        let wrong = |key: &str, why: &str| Err(ConfigError(format!("suppression.{name}.{key} {why}")));
        let max_age = match self.max_age.as_deref().map(parse_duration) {
            Some(None) => return wrong("max_age", "must be a number and one of s, m, h, d, w, such as \"7d\""),
            Some(some) => some,
            None => None,
        };
        if max_age.is_some() && self.files.is_none() {
            return wrong("max_age", "needs files: nobody tells when others filled the table");
        }
        Ok(SuppressionList {
            name: name.to_owned(),
            files: self.files.clone(),
            channel: self.channel.unwrap_or(default.channel),
            region: self.region.clone().unwrap_or(default.region),
            max_age,
        })
    }
}
