//! The workflows of GitHub Actions, judged by their published schema; what they run is there.

use std::path::{Path, PathBuf};

use super::tool;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn workflows() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join(".github/workflows")).expect("workflows");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

fn judge(workflow: &Path) -> (i32, String) {
    let path = workflow.to_str().expect("a plain path");
    let judged = tool("check-jsonschema", &["--builtin-schema", "vendor.github-workflows", path], "");
    (judged.code, judged.out + &judged.err)
}

#[test]
fn workflows_are_what_github_understands() {
    let workflows = workflows();
    assert_eq!(workflows.len(), 2, "{workflows:?}");
    let directory = tempfile::tempdir().expect("a directory");
    for workflow in workflows {
        assert_eq!(judge(&workflow).0, 0, "{}", judge(&workflow).1);
        let text = std::fs::read_to_string(&workflow).expect("a workflow");
        for program in text.split([' ', '\n']).filter(|word| word.starts_with(".ci/") || word.starts_with("tests/")) {
            assert!(root().join(program).exists(), "{}: {program}", workflow.display());
        }
        let misspelt = directory.path().join(workflow.file_name().expect("a name"));
        std::fs::write(&misspelt, text.replace("runs-on: ubuntu-24.04", "run-on: ubuntu-24.04")).expect("written");
        assert_ne!(judge(&misspelt).0, 0, "the tool finds what is wrong");
    }
}
