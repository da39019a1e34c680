//! `completions` and `man`: what shells and manuals know of the program, made from its own command line.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::{Cli, OK, output};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  batchdrop completions bash > /etc/bash_completion.d/batchdrop
  batchdrop completions zsh > ~/.zfunc/_batchdrop
  batchdrop completions fish > ~/.config/fish/completions/batchdrop.fish")]
pub(super) struct CompletionsArgs {
    /// Whose completions
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  batchdrop man /usr/local/share/man/man1
  batchdrop man . && man ./batchdrop-run.1")]
pub(super) struct ManArgs {
    /// Directory to write the pages into, one a command; made where it is not there
    directory: PathBuf,
}

pub(super) fn completions(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "batchdrop", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    OK
}

pub(super) fn man(args: &ManArgs) -> anyhow::Result<u8> {
    let place = || args.directory.display().to_string();
    std::fs::create_dir_all(&args.directory).with_context(place)?;
    clap_mangen::generate_to(Cli::command(), &args.directory).with_context(place)?;
    output::note(&format!("The pages are in {}.", output::printable(&place())));
    Ok(OK)
}
