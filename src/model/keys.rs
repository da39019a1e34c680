//! Keys and targets as they are compared, and what the store knows of those that a run of rows has.

use std::collections::HashMap;
use std::time::Duration;

use super::campaign::KeyField;

/// What must be asked of the store before the rows of a campaign can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Which keys of other batches count.
    pub scope: Option<KeyScope>,
    /// The suppression lists that targets are looked for in, in the order in which they are named.
    pub lists: Vec<String>,
}

/// The keys of a campaign's other batches, as far as they count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScope {
    /// The campaign's id.
    pub campaign_id: i32,
    /// The campaign's `unique`.
    pub fields: Vec<KeyField>,
    /// How old a batch may be for its keys to count.
    pub window: Duration,
    /// Targets are addresses, and count as the same whatever their case.
    pub folds_target_case: bool,
}

/// The keys and targets of a run of rows, in the form in which they are compared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Questions {
    /// The keys of each field; none where other batches do not count.
    pub keys: Vec<(KeyField, Vec<String>)>,
    /// The targets; none where there is no suppression list.
    pub targets: Vec<String>,
}

impl Questions {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.keys.iter().all(|(_, keys)| keys.is_empty())
    }
}

/// The row of another batch that holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The batch.
    pub batch_id: String,
    /// The row in it.
    pub row_number: u32,
}

/// What the store answers to [`Questions`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Known {
    reference_ids: HashMap<String, Holder>,
    targets: HashMap<String, Holder>,
    suppressed: HashMap<String, String>,
}

impl Known {
    /// Takes down who holds a key. The first one told stands.
    pub fn hold(&mut self, field: KeyField, key: String, holder: Holder) {
        let held = match field {
            KeyField::ReferenceId => &mut self.reference_ids,
            KeyField::Target => &mut self.targets,
        };
        held.entry(key).or_insert(holder);
    }

    /// Takes down the list that a target is on. The first one told stands.
    pub fn suppress(&mut self, target: String, list: String) {
        self.suppressed.entry(target).or_insert(list);
    }

    /// The row of another batch that holds a key.
    pub fn holder(&self, field: KeyField, key: &str) -> Option<&Holder> {
        match field {
            KeyField::ReferenceId => self.reference_ids.get(key),
            KeyField::Target => self.targets.get(key),
        }
    }

    /// The list that a target is on.
    pub fn suppressing(&self, target: &str) -> Option<&str> {
        self.suppressed.get(target).map(String::as_str)
    }
}

/// Writes an address as it is compared: without regard to case. It is stored as sent.
pub fn fold_address(address: &str, out: &mut String) {
    out.clear();
    out.extend(address.chars().flat_map(char::to_lowercase));
}
