//! What a usable row is: SKIPPED, DUPLICATE, or PENDING with its keys claimed.

use super::duplicates::Claims;
use crate::model::{Campaign, Decision, Holder, IntakeStatus, KeyField, Known, RowCode, fold_address};

/// What keeps a usable row from being PENDING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle<'k> {
    /// The target is on this list.
    Suppressed(&'k str),
    /// An earlier row of the file holds the key.
    HeldHere(KeyField, u32),
    /// A row of another batch holds the key.
    HeldElsewhere(KeyField, &'k Holder),
}

impl Obstacle<'_> {
    /// The field that is in the way.
    pub(super) fn field(&self) -> KeyField {
        match *self {
            Obstacle::Suppressed(_) => KeyField::Target,
            Obstacle::HeldHere(field, _) | Obstacle::HeldElsewhere(field, _) => field,
        }
    }

    pub(super) fn decision(&self) -> Decision {
        let duplicate = |field: KeyField, row: u32, batch: Option<&str>| Decision {
            status: IntakeStatus::Duplicate,
            code: match field {
                KeyField::ReferenceId => RowCode::DuplicateReference,
                KeyField::Target => RowCode::DuplicateTarget,
            },
            message: match batch {
                None => format!("{}: the same as in row {row}", field.as_str()),
                Some(batch) => format!("{}: the same as in row {row} of batch {batch}", field.as_str()),
            },
            duplicate_of: Some(row),
            duplicate_of_batch: batch.map(str::to_owned),
        };
        match *self {
            Obstacle::Suppressed(list) => Decision {
                status: IntakeStatus::Skipped,
                code: RowCode::Suppressed,
                message: format!("target: on the suppression list {list}"),
                duplicate_of: None,
                duplicate_of_batch: None,
            },
            Obstacle::HeldHere(field, row) => duplicate(field, row, None),
            Obstacle::HeldElsewhere(field, holder) => duplicate(field, holder.row_number, Some(&holder.batch_id)),
        }
    }
}

/// The keys of one file.
pub(super) struct Keys {
    /// Addresses count as the same whatever their case; they are stored as sent.
    folds_target_case: bool,
    /// The keys of each field of the campaign's `unique`, in its order.
    claims: Vec<(KeyField, Claims)>,
    /// The target without regard to case, where the campaign compares so.
    folded: String,
}

impl Keys {
    pub(super) fn new(campaign: &Campaign) -> Self {
        Keys {
            folds_target_case: campaign.folds_target_case(),
            claims: campaign.unique.iter().map(|&field| (field, Claims::new())).collect(),
            folded: String::new(),
        }
    }

    /// The target as it is compared.
    pub(super) fn compared<'a>(&'a mut self, target: &'a str) -> &'a str {
        if !self.folds_target_case {
            return target;
        }
        fold_address(target, &mut self.folded);
        &self.folded
    }

    /// Claims the keys of the next usable row, all or none; else tells what is first in the way. Another batch's row
    /// stands before one of this file: it was there first.
    pub(super) fn claim<'k>(
        &mut self,
        reference_id: &str,
        target: &str,
        row: u32,
        known: &'k Known,
    ) -> Option<Obstacle<'k>> {
        if self.folds_target_case {
            fold_address(target, &mut self.folded);
        }
        let target = if self.folds_target_case { &self.folded } else { target };
        if let Some(list) = known.suppressing(target) {
            return Some(Obstacle::Suppressed(list));
        }
        let key = |field| match field {
            KeyField::ReferenceId => reference_id,
            KeyField::Target => target,
        };
        let held = self.claims.iter().find_map(|(field, claims)| {
            let key = key(*field);
            let elsewhere = known.holder(*field, key).map(|holder| Obstacle::HeldElsewhere(*field, holder));
            elsewhere.or_else(|| Some(Obstacle::HeldHere(*field, claims.holder(key.as_bytes())?)))
        });
        if held.is_none() {
            for (field, claims) in &mut self.claims {
                claims.claim(key(*field).as_bytes(), row);
            }
        }
        held
    }
}
