//! The program: parse the command, run it, exit with its code.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = batchdrop::cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let code = match runtime.block_on(cli.execute()) {
        Ok(code) => code,
        Err(error) => cli.end_in_trouble(&error),
    };
    batchdrop::telemetry::end();
    // Threads that read a file nobody wants any more are not waited for.
    runtime.shutdown_background();
    ExitCode::from(code)
}
