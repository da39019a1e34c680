//! The words of the product, as plain data: campaign, upload, batch, request, fault.
//!
//! No I/O and no clock: everything here can be built in a test by hand. All other modules speak
//! in these words, and this module imports none of them.

pub mod batch;
pub mod campaign;
pub mod expected;
pub mod fault;
pub mod format;
pub mod keys;
pub mod name;
pub mod person;
pub mod query;
pub mod request;
pub mod row;
pub mod schedule;
pub mod steering;
pub mod suppression;
pub mod upload;
pub mod webhook;

pub use batch::{Batch, BatchDraft, BatchStatus, SentColumns, Verdicts};
pub use campaign::{Campaign, Channel, Extensions, KeyField, TableSchema};
pub use expected::{Arrival, ExpectedFile, ExpectedNow, ExpectedQuery, ExpectedStatus, OpenExpected};
pub use fault::{Fault, FileCode, RowCode};
pub use format::{Dialect, Format, Newline};
pub use keys::{Holder, KeyScope, Known, Lookup, Questions, fold_address};
pub use person::Person;
pub use query::{BatchOrder, BatchQuery, Direction, RequestQuery, UploadQuery};
pub use request::{Decision, IntakeStatus, NewRequest, Reject, Request, RowChunk};
pub use row::{CellSpan, Header, Problem, Row};
pub use schedule::{DueTime, Occurrence, Schedule};
pub use steering::{Action, BatchEvent, Steered, Steering, Step, refusal};
pub use suppression::{ListState, SuppressionList};
pub use upload::{Claim, Object, OwedAnswer, Upload, UploadStatus};
pub use webhook::{Event, Message, MessageState};
