//! What tests share: the servers that `tests/run` starts.

pub mod s3;
