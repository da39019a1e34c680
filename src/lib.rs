//! Drop a CSV in a bucket, get a batch.

pub mod bucket;
pub mod cli;
pub mod config;
pub mod model;
pub mod reader;
pub mod rules;
pub mod store;
pub mod telemetry;
pub mod worker;
