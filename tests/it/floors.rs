//! The floors of the house: every module imports downward only. Read from the source, so that the house stays as its
//! plan says.

use std::path::{Path, PathBuf};

/// A module at the top of the crate, and which others it may import.
const FLOORS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("telemetry", &[]),
    ("fail_point", &[]),
    ("reader", &["model"]),
    ("rules", &["model"]),
    ("bucket", &["model", "telemetry"]),
    ("store", &["model", "telemetry"]),
    ("webhook", &["model"]),
    ("worker", &["model", "telemetry", "fail_point", "reader", "rules", "bucket", "store", "webhook"]),
    ("serve", &["model", "telemetry", "store", "worker"]),
    // The whole configuration is made of each room's own part.
    ("config", &["model", "telemetry", "reader", "bucket", "store", "webhook", "worker", "serve"]),
    (
        "cli",
        &[
            "model",
            "telemetry",
            "fail_point",
            "reader",
            "rules",
            "bucket",
            "store",
            "webhook",
            "worker",
            "serve",
            "config",
        ],
    ),
    ("main", &["cli", "telemetry"]),
    ("lib", &[]),
];

/// What stands outside of the crate and may not be named in a module.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "model",
        &[
            "tokio",
            "sqlx",
            "aws_",
            "std::fs",
            "std::net",
            "std::io",
            "SystemTime",
            "Instant::now",
            "Utc::now",
            "anyhow",
        ],
    ),
    ("reader", &["tokio", "sqlx", "aws_", "std::fs", "SystemTime", "Utc::now", "anyhow"]),
    ("rules", &["tokio", "sqlx", "aws_", "std::fs", "SystemTime", "Utc::now", "anyhow"]),
    // It names sqlx as a source of log lines.
    ("telemetry", &["tokio", "sqlx::", "aws_", "anyhow"]),
    ("bucket", &["sqlx", "anyhow"]),
    ("store", &["aws_", "anyhow"]),
    ("webhook", &["tokio", "sqlx", "aws_", "std::fs", "anyhow"]),
    ("worker", &["sqlx", "aws_", "anyhow"]),
    ("serve", &["aws_", "anyhow"]),
    ("config", &["tokio", "sqlx", "aws_", "anyhow"]),
];

/// What a file breaks, each with its line. `path` is relative to `src`.
fn broken(path: &str, source: &str) -> Vec<String> {
    let module = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == module) else {
        return vec![format!("src/{path}: no floor is known for `{module}`; add it to tests/it/floors.rs")];
    };
    // The tests of a pure module may read the fixtures.
    let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
    let forbidden = FORBIDDEN.iter().find(|(name, _)| *name == module && !is_test).map_or(&[][..], |(_, words)| words);
    let code = without_comments(source);
    let mut found = Vec::new();
    for (at, imported) in imports(&code) {
        if imported != module && !allowed.contains(&imported.as_str()) {
            found.push((line_of(&code, at), format!("`{module}` imports `{imported}`, which is not below it")));
        }
    }
    for word in forbidden {
        for (at, _) in code.match_indices(word) {
            let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if is_whole {
                found.push((line_of(&code, at), format!("`{module}` may not use `{word}`")));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(line, what)| format!("src/{path}:{line}: {what}")).collect()
}

/// Where the crate's modules are named, and which: `crate::a::…`, `crate::{a, b::c}`, and `batchdrop::a` in `main`.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::", "batchdrop::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                None => found.push((at, identifier(rest))),
                Some(group) => found.extend(names_of_group(group).into_iter().map(|name| (at, name))),
            }
        }
    }
    found
}

/// The first name of each part of `{a, b::{c, d}}`, the opening brace left off.
fn names_of_group(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut part) = (Vec::new(), 1, String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            names.push(identifier(part.trim()));
            part.clear();
        } else {
            part.push(c);
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The source with comments blanked, and lines kept as they are.
fn without_comments(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_module_imports_downward_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src);
    assert!(files.len() > 30, "the source was found");
    let mut all = Vec::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("readable");
        let path = file.strip_prefix(&src).expect("below src").to_str().expect("a name").to_owned();
        all.extend(broken(&path, &source));
    }
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}

#[test]
fn an_upward_or_sideways_import_is_found_with_its_line() {
    let cases: [(&str, &str, &[&str]); 10] = [
        (
            "model/x.rs",
            "// one\nuse crate::store::Store;",
            &["src/model/x.rs:2: `model` imports `store`, which is not below it"],
        ),
        (
            "rules/x.rs",
            "use crate::reader::Rows;",
            &["src/rules/x.rs:1: `rules` imports `reader`, which is not below it"],
        ),
        (
            "bucket/x.rs",
            "use crate::{\n    model::{Batch, Fault},\n    store::Store,\n};",
            &["src/bucket/x.rs:1: `bucket` imports `store`, which is not below it"],
        ),
        (
            "worker/x.rs",
            "fn f() {\n    crate::config::load()\n}",
            &["src/worker/x.rs:2: `worker` imports `config`, which is not below it"],
        ),
        (
            "serve/x.rs",
            "use crate::bucket::Bucket;",
            &["src/serve/x.rs:1: `serve` imports `bucket`, which is not below it"],
        ),
        ("model/x.rs", "let now = chrono::Utc::now();", &["src/model/x.rs:1: `model` may not use `Utc::now`"]),
        ("reader/x.rs", "use tokio::fs;", &["src/reader/x.rs:1: `reader` may not use `tokio`"]),
        ("worker/x.rs", "fn f() -> anyhow::Result<()> {}", &["src/worker/x.rs:1: `worker` may not use `anyhow`"]),
        ("attic.rs", "", &["src/attic.rs: no floor is known for `attic`; add it to tests/it/floors.rs"]),
        (
            "rules/x.rs",
            "/// See [`crate::reader::Rows`], tokio.\nuse crate::rules::Judge;\nuse crate::model::Row;",
            &[],
        ),
    ];
    for (path, source, expected) in cases {
        assert_eq!(broken(path, source), expected, "{source}");
    }
}
