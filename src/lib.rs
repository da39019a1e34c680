//! Drop a CSV in a bucket, get a batch.

pub mod bucket;
pub mod model;
pub mod reader;
pub mod store;
