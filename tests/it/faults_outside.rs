//! What goes wrong outside of the worker: the object store, the queue, the file, its name.
//!
//! The table of all such faults, and of the test that each has, is `faults_outside/README.md`.

mod file;
mod keys;
mod object_store;
mod queue;
