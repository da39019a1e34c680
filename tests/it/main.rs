//! Tests of the whole product and of its edges, against real servers: run them with `tests/run`.

mod answers;
mod bucket;
mod check;
mod cli;
mod faults;
mod floors;
mod main_job;
mod rows;
mod store;
mod support;
