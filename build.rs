//! Tells the program from which commit it was built, and of what day that is: `batchdrop --version` says so.
//!
//! The same commit gives the same text whenever and wherever it is built: no clock is read. A build that has no git
//! beside it (an image, a source archive) is told by `BATCHDROP_COMMIT` and `SOURCE_DATE_EPOCH`, or says its version
//! alone. Builds for development do so too: they would be compiled anew after every commit, with all their tests.

use std::path::Path;
use std::process::Command;

/// What goes into the program, and would make it another than its commit's.
const SOURCES: [&str; 5] = ["src", "Cargo.toml", "Cargo.lock", "build.rs", ".cargo"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let told = |name: &str| {
        println!("cargo::rerun-if-env-changed={name}");
        std::env::var(name).ok().filter(|value| !value.is_empty())
    };
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = told("BATCHDROP_COMMIT").or_else(|| is_release.then(commit).flatten());
    let day = told("SOURCE_DATE_EPOCH").map(|seconds| day(&seconds));
    let day =
        day.or_else(|| is_release.then(|| git(&["show", "-s", "--date=format-local:%F", "--format=%cd"])).flatten());

    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo tells the version");
    let version = match (commit, day) {
        (Some(commit), Some(day)) => format!("{version} ({commit} {day})"),
        (Some(commit), None) => format!("{version} ({commit})"),
        (None, _) => version,
    };
    println!("cargo::rustc-env=PROGRAM_VERSION={version}");
}

/// The commit that is checked out, if this directory is a repository of its own and not a part of another's.
fn commit() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for name in ["HEAD", "packed-refs", &branch] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}"); // one that is not there would count as changed each time
        }
    }
    for path in SOURCES {
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let changed = if git(&status)?.is_empty() { "" } else { "-changed" };
    Some(commit + changed)
}

/// What git answers, without the line's end; `None` where there is no git, or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(arguments).env("TZ", "UTC").output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| text.trim_end().to_owned())
}

/// The day, in UTC, of so many seconds since 1970.
fn day(seconds: &str) -> String {
    let seconds: i64 = seconds.trim().parse().expect("SOURCE_DATE_EPOCH is a number of seconds");
    // Years are counted from March, so that a leap day is the last of its year, and in eras of 400, which are of one
    // length.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
