//! What tests share: the servers that `tests/run` starts, and the program itself.

pub mod program;
pub mod s3;
