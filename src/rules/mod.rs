//! Rows to verdicts. Pure and synchronous.
//!
//! `routing` finds the campaign that a file's name belongs to, `lists` the suppression list. `verdict` judges one row
//! after the other, by the first rule that applies: INVALID, SKIPPED, DUPLICATE, else PENDING. Whether a row can be
//! used, the row tells; it asks `target` what a phone number or address is, and `columns` whether the cells keep to the
//! campaign's schema. What a usable row is, `decision` says, for a run of rows at a time, so that what the store knows
//! of them can be looked up before; `duplicates` keeps which keys are already claimed. Only PENDING rows claim keys, so
//! that an invalid row never shadows a later valid one. When all rows are judged, `verdict` also says whether the file
//! as a whole must fail.

mod address;
mod columns;
mod decision;
mod duplicates;
mod lists;
mod nanp;
mod person;
mod routing;
mod target;
#[cfg(test)]
mod tests;
mod verdict;

pub use lists::Lists;
pub use person::person;
pub use routing::{Router, RoutingError, filename_date};
pub use verdict::{Judge, Judgement, check_campaign, schema_names};
