//! Tests of the whole product and of its edges, against real servers: run them with `tests/run`.

mod bucket;
mod faults;
mod main_job;
mod store;
mod support;
