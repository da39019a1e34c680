//! The program itself, run as a person or a scheduler runs it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run of the program came to.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Exit code, standard output and standard error as one text, for a snapshot.
    pub fn transcript(&self) -> String {
        let mut text = format!("exit code {}\n{}", self.code, self.out);
        if !self.err.is_empty() {
            text.push_str("--- standard error\n");
            text.push_str(&self.err);
        }
        text.trim_end().to_owned()
    }

    /// Standard output as one JSON value a line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let value = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(value).collect()
    }
}

/// The program with nothing inherited: no configuration, no terminal, and `folder` as its current directory.
pub fn program(folder: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batchdrop"));
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

pub fn run(folder: impl AsRef<Path>, arguments: &[&str]) -> Ran {
    finished(program(&folder, arguments).output().expect("the program starts"))
}

pub fn finished(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// The repository's example files.
pub fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}
