//! The words of the product, as plain data: campaign, upload, batch, request, fault.
//!
//! No I/O and no clock: everything here can be built in a test by hand. All other modules speak
//! in these words, and this module imports none of them.

pub mod batch;
pub mod campaign;
pub mod fault;
pub mod request;
pub mod row;
pub mod upload;

pub use batch::{Batch, BatchDraft, BatchStatus, Dialect, SentColumns, Verdicts};
pub use campaign::{Campaign, Channel, KeyField};
pub use fault::{Fault, FileCode, RowCode};
pub use request::{IntakeStatus, NewRequest, Reject, Request, RowChunk};
pub use row::{CellSpan, Header, Row};
pub use upload::{Claim, Object, OwedAnswer, Upload, UploadStatus};
