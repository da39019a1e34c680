//! What tests share: the servers that `tests/run` starts, and the product in its own words.

pub mod app;
pub mod dice;
pub mod fake_s3;
pub mod mount;
pub mod own_postgres;
pub mod postgres;
pub mod program;
pub mod proxy;
pub mod receiver;
pub mod recorder;
pub mod s3;
