//! What tests share: the servers that `tests/run` starts.

pub mod postgres;
pub mod s3;
