//! Tests of the whole product and of its edges, against real servers: run them with `tests/run`.

mod answers;
mod bucket;
mod check;
mod cli;
mod columns;
mod deploy;
mod expected;
mod faults;
mod faults_outside;
mod floors;
mod forget;
mod keys;
mod logs;
mod main_job;
mod notices;
mod purge;
mod read;
mod rows;
mod schedule;
mod serving;
mod soak;
mod steering;
mod store;
mod support;
mod traces;
mod webhooks;
