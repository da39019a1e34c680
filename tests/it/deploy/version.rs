//! What `batchdrop --version` says of where it comes from: `build.rs`, run as cargo runs it.

use std::path::Path;
use std::process::Command;

/// The build script, compiled on its own, with the sources that it looks at beside it.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Tree {
        let directory = tempfile::tempdir().expect("a directory");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut compiler = Command::new(rustc);
        compiler.args(["--edition", "2024", "-o"]).arg(directory.path().join("script")).arg(script);
        assert!(compiler.status().expect("rustc runs").success());
        let tree = Tree(directory);
        std::fs::create_dir(tree.path().join("src")).expect("created");
        tree.write("src/main.rs", "fn main() {}");
        tree
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path().join(name), content).expect("written");
    }

    /// As of one who knows nothing of the machine's own settings.
    fn git(&self, arguments: &[&str]) -> String {
        let ran = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b.example"])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_COMMITTER_DATE", "2026-03-01T00:30:00+02:00")
            .output()
            .expect("git runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).expect("text").trim().to_owned()
    }

    fn commit(&self) -> String {
        self.git(&["init", "-q"]);
        self.git(&["add", "src"]);
        self.git(&["commit", "-q", "-m", "a"]);
        self.git(&["rev-parse", "--short=12", "HEAD"])
    }

    fn version(&self, profile: &str, told: &[(&str, &str)]) -> String {
        self.version_in(self.path(), profile, told)
    }

    fn version_in(&self, directory: &Path, profile: &str, told: &[(&str, &str)]) -> String {
        let mut script = Command::new(self.path().join("script"));
        script.current_dir(directory).env("CARGO_PKG_VERSION", "0.1.0").env("PROFILE", profile);
        // Temporary directories may lie in somebody's repository.
        script.env("GIT_CEILING_DIRECTORIES", std::env::temp_dir()).env("TZ", "Asia/Tokyo");
        let ran =
            script.env_remove("BATCHDROP_COMMIT").env_remove("SOURCE_DATE_EPOCH").envs(told.iter().copied()).output();
        let said = String::from_utf8(ran.expect("the script runs").stdout).expect("text");
        said.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=PROGRAM_VERSION=")).expect("told").to_owned()
    }
}

#[test]
fn a_release_names_its_commit_and_the_day_of_it() {
    let tree = Tree::new();
    let commit = tree.commit();
    assert_eq!(tree.version("release", &[]), format!("0.1.0 ({commit} 2026-02-28)"), "in UTC, whatever the zone");
    assert_eq!(tree.version("debug", &[]), "0.1.0", "or every commit would have all tests compiled anew");
    tree.write("notes.txt", "nothing that goes into the program");
    assert_eq!(tree.version("release", &[]), format!("0.1.0 ({commit} 2026-02-28)"));
    tree.write("src/main.rs", "fn main() { println!() }");
    assert_eq!(tree.version("release", &[]), format!("0.1.0 ({commit}-changed 2026-02-28)"));
}

#[test]
fn a_release_built_without_git_says_what_it_is_told() {
    let tree = Tree::new();
    assert_eq!(tree.version("release", &[]), "0.1.0");
    let told = [("BATCHDROP_COMMIT", "abc"), ("SOURCE_DATE_EPOCH", "951782400")];
    assert_eq!(tree.version("release", &told), "0.1.0 (abc 2000-02-29)");
    assert_eq!(tree.version("release", &[("BATCHDROP_COMMIT", ""), ("SOURCE_DATE_EPOCH", "")]), "0.1.0", "left empty");
}

#[test]
fn sources_inside_another_repository_do_not_name_its_commit() {
    let tree = Tree::new();
    tree.commit();
    assert_eq!(tree.version_in(&tree.path().join("src"), "release", &[]), "0.1.0");
}
