//! Rows to verdicts. Pure and synchronous.
//!
//! `routing` finds the campaign that a file's name belongs to. `verdict` judges one row after the other, by the first
//! rule that applies: INVALID, SKIPPED, DUPLICATE, else PENDING; it asks `target` what a phone number or address is,
//! `columns` whether the cells keep to the campaign's schema, and `duplicates` which keys are already claimed. Only PENDING rows claim keys, so that an invalid row never shadows a
//! later valid one. When all rows are judged, `verdict` also says whether the file as a whole must fail.

mod columns;
mod duplicates;
mod nanp;
mod routing;
mod target;
#[cfg(test)]
mod tests;
mod verdict;

pub use routing::{Router, RoutingError, filename_date};
pub use verdict::{Judge, Judgement, check_campaign, schema_names};
