//! The image and the trial, judged by linters and published schemas; no container engine is needed.

use std::process::Command;

use super::{deploy, tool};
use crate::support::program::{finished, fixtures};

#[test]
fn the_images_recipe_has_nothing_to_be_said_against() {
    let recipe = deploy().join("Dockerfile");
    let judged = tool("hadolint", &[recipe.to_str().expect("a plain path")], "");
    assert_eq!((judged.code, judged.out.as_str()), (0, ""), "{}", judged.err);
    let text = std::fs::read_to_string(recipe).expect("the recipe");
    let spoilt = tool("hadolint", &["-"], &text.replace("WORKDIR /build", "WORKDIR build"));
    assert!(spoilt.out.contains("DL3000"), "the tool finds what is wrong: {}{}", spoilt.out, spoilt.err);
}

#[test]
fn the_trial_is_what_compose_understands() {
    let file = deploy().join("compose.yaml");
    let judge = |path: &std::path::Path| {
        let path = path.to_str().expect("a plain path");
        tool("check-jsonschema", &["--builtin-schema", "vendor.compose-spec", path], "")
    };
    let judged = judge(&file);
    assert_eq!(judged.code, 0, "{}{}", judged.out, judged.err);
    let text = std::fs::read_to_string(&file).expect("the trial");
    let directory = tempfile::tempdir().expect("a directory");
    let misspelt = directory.path().join("compose.yaml");
    std::fs::write(&misspelt, text.replace("read_only", "readonly")).expect("written");
    assert_ne!(judge(&misspelt).code, 0, "the tool finds what is wrong");

    // What it mounts is there.
    let mounts = text.split(['"', ' ', '\n']).filter_map(|word| word.split_once(":/"));
    let mounted: Vec<_> = mounts.map(|(from, _)| from).filter(|from| from.starts_with('.')).collect();
    assert_eq!(mounted.len(), 4, "{mounted:?}");
    for from in mounted {
        assert!(deploy().join(from).exists(), "{from}");
    }
}

#[test]
fn the_trials_worker_is_set_up_with_settings_that_there_are() {
    let text = std::fs::read_to_string(deploy().join("compose.yaml")).expect("the trial");
    let mut program = Command::new(env!("CARGO_BIN_EXE_batchdrop"));
    program.args(["config", "check"]).current_dir(fixtures()).env_clear();
    let settings =
        text.lines().filter_map(|line| line.trim().split_once(": ")).filter(|(key, _)| key.starts_with("BATCHDROP_"));
    let settings: Vec<_> = settings.map(|(key, value)| (key, value.trim_matches('"'))).collect();
    assert_eq!(settings.len(), 6, "{settings:?}");
    let checked = finished(program.envs(settings).output().expect("the program starts"));
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.err.contains("Bucket s3://uploads, store postgres://batchdrop:"), "{}", checked.err);
}
