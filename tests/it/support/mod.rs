//! What tests share: the servers that `tests/run` starts, and the product in its own words.

pub mod app;
pub mod dice;
pub mod postgres;
pub mod program;
pub mod s3;
