//! Drop a CSV in a bucket, get a batch: clean, deduplicated, accounted for.
//!
//! # The story
//! ```text
//!              bucket ──────────▶ reader ─────▶ rules ──────▶ store
//!          a file is dropped     it is read   it is judged   it is stored, once
//!                 │                                             │
//!                 └──────▶ uploads: the ledger ◀────────────────┘
//!                          what was seen, claimed, loaded, refused, answered
//! ```
//! The answer goes back the same way: a receipt, and what was not loaded, into the bucket that the file was dropped in.
//!
//! Data flows one way, in bounded chunks: memory does not grow with the file. One upload becomes one batch, one data
//! row one request; whatever is written for an upload is written in one transaction, fenced by the worker's claim.
//!
//! # The floors
//! A module imports from floors below its own, never from its own or above; a test keeps it so.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 4 | [`cli`], [`config`] | wire the parts together; only they see the whole configuration |
//! | 3 | [`serve`] | probes, metrics, the API and the page over HTTP |
//! | 2 | [`worker`] | one upload's life, and the loop around it |
//! | 1 | [`reader`], [`rules`] | pure and synchronous: bytes to rows, rows to verdicts |
//! | 1 | [`bucket`], [`store`], [`webhook`] | the edges: folder and S3, PostgreSQL and SQLite, other programs |
//! | 0 | [`model`], [`telemetry`], `fail_point` | the words; what is logged and measured; where a test lets us fail |
//!
//! # What can go wrong
//! Two families, never mixed. A [`model::Fault`] is the sender's: it becomes the batch's `error_message` and is never
//! retried. An error type of an edge ([`bucket::Error`], [`store::Error`]) is ours: it is retried, and never blamed on
//! the sender.

pub mod bucket;
pub mod cli;
pub mod config;
mod fail_point;
pub mod model;
pub mod reader;
pub mod rules;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod webhook;
pub mod worker;
