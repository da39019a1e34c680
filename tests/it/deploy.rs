//! What stands in `deploy/`, judged by the tools that run it.

mod aws;
mod monitoring;
mod probe;
mod systemd;
mod upgrade;
mod version;

/// The repository's `deploy` directory.
fn deploy() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}
