//! The commands around the worker, run as they are: what a person or a scheduler sees of them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Ran, fixtures, program, run};

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

/// A folder in which the example uploads have been loaded, and how that went.
fn loaded() -> (TempDir, Ran) {
    let folder = folder();
    let uploads = folder.path().join("uploads");
    std::fs::create_dir(&uploads).expect("a folder");
    for entry in std::fs::read_dir(fixtures().join("uploads")).expect("the examples") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue; // answers to somebody who tried the example
        }
        let copy = uploads.join(path.file_name().expect("a name"));
        std::fs::copy(&path, &copy).expect("copied");
        // All of one age, and still: uploads are claimed oldest first, and a busy machine copies one later than
        // another.
        let file = std::fs::File::options().write(true).open(&copy).expect("the copy");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_743_500_000)).expect("an age");
    }
    let ran = run(&folder, &["run", "--once", "uploads"]);
    (folder, ran)
}

/// The text with times, days and hashes replaced by what they are.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let shapes = [
            ("dddd-dd-dd dd:dd:dd.ddd UTC", "YYYY-MM-DD hh:mm:ss.mmm UTC"),
            ("dddd-dd-ddTdd:dd:dd.ddddddZ", "YYYY-MM-DDThh:mm:ss.uuuuuuZ"),
            ("20dddddd.d", "YYYYMMDD.#"),
        ];
        let fits = |shape: &str| {
            rest.len() >= shape.len()
                && shape.bytes().zip(rest.bytes()).all(|(s, c)| if s == b'd' { c.is_ascii_digit() } else { s == c })
        };
        match shapes.iter().find(|(shape, _)| fits(shape)) {
            Some((shape, name)) => {
                let (found, after) = rest.split_at(shape.len());
                // The counter of a batch stays: it is the same in every run.
                out.push_str(&name.replace('#', &found[found.len() - 1..]));
                rest = after;
            }
            None => {
                let first = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(&rest[..first]);
                rest = &rest[first..];
            }
        }
    }
    out
}

#[test]
fn explain_lists_every_code_and_tells_what_to_do_about_each() {
    let list = run(folder(), &["explain"]);
    assert_eq!((list.code, list.err.as_str()), (0, ""));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("cli_explain", list.out.trim_end());
    });
    let entries = run(folder(), &["explain", "--json"]).json();
    assert_eq!(entries.len(), list.out.lines().count() - 1);
    for entry in entries {
        let text = |field: &str| entry[field].as_str().expect("a text").to_owned();
        let one = run(folder(), &["explain", &text("code").to_lowercase().replace('_', "-")]);
        assert_eq!(one.code, 0);
        let expected = format!(
            "{} (of a {})\n\n{}\n\nHow to mend it: {}\n",
            text("code"),
            text("about"),
            text("meaning"),
            text("mend")
        );
        assert_eq!(one.out, expected);
        assert!(text("meaning").ends_with('.') && text("mend").ends_with('.'), "{expected}");
    }
    insta::assert_snapshot!(run(folder(), &["explain", "OOPS"]).transcript(), @r"
    exit code 2
    --- standard error
    error: OOPS is no code; batchdrop explain lists them all
    ");
}

#[test]
fn help_has_an_example_and_its_own_exit_codes() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("cli_help", run(folder(), &["--help"]).out.trim_end());
    });
    let commands: [(&[&str], bool); 15] = [
        (&["suppression", "list"], false),
        (&["run"], true),
        (&["check"], true),
        (&["batches"], false),
        (&["batches", "list"], false),
        (&["batches", "show"], true),
        (&["uploads"], false),
        (&["uploads", "list"], false),
        (&["rejects"], true),
        (&["purge"], true),
        (&["forget"], true),
        (&["explain"], true),
        (&["migrate"], true),
        (&["config"], false),
        (&["config", "check"], true),
    ];
    for (command, has_own_codes) in commands {
        let help = run(folder(), &[command, &["--help"]].concat());
        assert_eq!(help.code, 0, "{command:?}");
        assert!(help.out.contains("\nExample"), "{command:?}:\n{}", help.out);
        let example = format!("  batchdrop {}", command.join(" "));
        assert!(help.out.contains(&example), "{command:?}:\n{}", help.out);
        assert_eq!(help.out.contains("\nExit codes:\n  0  "), has_own_codes, "{command:?}");
    }
}

#[test]
fn rejects_are_written_for_mending() {
    let (folder, ran) = loaded();
    assert_eq!(ran.code, 3, "{}", ran.err);
    let batches = run(&folder, &["batches", "list", "--json"]).json();
    let id_of = |file: &str| {
        let batch = batches.iter().find(|batch| batch["upload_filename"] == file).expect("its batch");
        batch["batch_id"].as_str().expect("a text").to_owned()
    };
    let late = id_of("LATE_PAYMENTS_20250401.csv");
    std::fs::remove_dir_all(folder.path().join("uploads")).expect("the files are gone");
    let printed = run(&folder, &["rejects", &late]);
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    let header = "\u{feff}_row,_line,_status,_code,_message,reference_id,target,";
    assert!(printed.out.starts_with(header), "{}", printed.out);
    assert_eq!((printed.out.matches(",INVALID,").count(), printed.out.matches(",DUPLICATE,").count()), (6, 8));

    let written = run(&folder, &["rejects", &late, "--output", "mend.csv"]);
    assert_eq!((written.code, written.out.as_str(), written.err.as_str()), (0, "", ""));
    assert_eq!(std::fs::read_to_string(folder.path().join("mend.csv")).expect("it is there"), printed.out);
    insta::assert_snapshot!(run(&folder, &["rejects", &late, "-o", "mend.csv"]).transcript(), @r"
    exit code 1
    --- standard error
    error: mend.csv cannot be written: File exists (os error 17)
    ");

    let good = id_of("APPOINTMENT_REMINDERS_20250402.csv");
    let nothing = run(&folder, &["rejects", &good, "-o", "none.csv"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (0, ""));
    assert_eq!(nothing.err, format!("Every row of batch {good} was loaded: there is nothing to write.\n"));
    assert!(!folder.path().join("none.csv").exists());

    let failed = id_of("WELCOME_CALLS_20250403.csv");
    let refused = run(&folder, &["rejects", &failed]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    let expected =
        format!("error: batch {failed} FAILED as a whole, and none of its rows is kept: Missing required fields");
    assert!(refused.err.starts_with(&expected), "{}", refused.err);
    insta::assert_snapshot!(run(&folder, &["rejects", "20200101.1"]).transcript(), @r"
    exit code 1
    --- standard error
    error: there is no batch 20200101.1; see batchdrop batches list
    ");
}

/// `config check` on a configuration file of this text.
fn config_check(text: &str) -> Ran {
    let folder = folder();
    std::fs::write(folder.path().join("batchdrop.toml"), text).expect("written");
    run(&folder, &["config", "check", "--config", "batchdrop.toml"])
}

#[test]
fn config_check_shows_a_good_configuration() {
    insta::assert_snapshot!(run(folder(), &["config", "check"]).transcript(), @r"
    exit code 0
    ID CAMPAIGN FILES  CHANNEL REGION EXTENSIONS UNIQUE       UNIQUE WITHIN SUPPRESSION HOLD SCHEMA DUE READ AS
     1 default  *.csv* voice   US     keep       reference_id -             -           no   -      -
    --- standard error
    The configuration is valid. Bucket uploads, store sqlite://batchdrop.db.
    No file was read, only the environment: name one by --config FILE or BATCHDROP_CONFIG.
    ");
    let good = "[store]\nurl = 'postgres://app:hunter2@db/calls'\n\
                [campaigns.late_payments]\nid = 7\nfiles = 'LATE_PAYMENTS_*.csv*'\nhold = true\n\
                unique = ['reference_id', 'target']\nunique_within = '30d'\nsuppression = ['stop']\n\
                due = 'mon,thu 06:30'\ndue_zone = 'America/Chicago'\n\
                [campaigns.news]\nid = 8\nfiles = 'NEWS_*.csv'\nchannel = 'email'\n\
                [campaigns.london]\nid = 9\nfiles = 'LONDON_*.csv'\nchannel = 'sms'\nregion = 'GB'\nextensions = 'refuse'\n\
                [suppression.stop]\n[suppression.bulk]\neverywhere = true\n";
    insta::assert_snapshot!(config_check(good).transcript(), @r"
    exit code 0
    ID CAMPAIGN      FILES                CHANNEL REGION EXTENSIONS UNIQUE               UNIQUE WITHIN SUPPRESSION HOLD SCHEMA DUE                            READ AS
     7 late_payments LATE_PAYMENTS_*.csv* voice   US     keep       reference_id, target 30d           stop, bulk  yes  -      mon,thu 06:30, America/Chicago
     9 london        LONDON_*.csv         sms     GB     refuse     reference_id         -             bulk        no   -      -
     8 news          NEWS_*.csv           email   US     keep       reference_id         -             -           no   -      -
    --- standard error
    The configuration is valid. Bucket uploads, store postgres://app:***@db/calls.
    ");
}

#[test]
fn config_check_says_what_is_wrong_and_where() {
    insta::assert_snapshot!(config_check("[store]\nurl = 'sqlite://x.db'\npool = 3\n").transcript(), @r"
    exit code 2
    --- standard error
    error: batchdrop.toml: TOML parse error at line 3, column 1
      |
    3 | pool = 3
      | ^^^^
    unknown field `pool`, expected one of `url`, `max_connections`, `connect_seconds`, `silent_seconds`
    ");
    let same_id = "[campaigns.a]\nid = 1\nfiles = 'A*'\n[campaigns.b]\nid = 1\nfiles = 'B*'\n";
    insta::assert_snapshot!(config_check(same_id).transcript(), @r"
    exit code 2
    --- standard error
    error: campaigns a and b have the same id
    ");
    let same_files = "[campaigns.a]\nid = 1\nfiles = 'A*.csv'\n[campaigns.b]\nid = 2\nfiles = 'a*.CSV'\n";
    insta::assert_snapshot!(config_check(same_files).transcript(), @r"
    exit code 2
    --- standard error
    error: campaigns a and b match file names equally well; make one of their `files` patterns more specific
    ");
    let bad_region = "[campaigns.a]\nid = 1\nfiles = 'A*'\nregion = 'Texas'\n";
    insta::assert_snapshot!(config_check(bad_region).transcript(), @r#"
    exit code 2
    --- standard error
    error: campaigns.a.region = "Texas" is no country code that phone numbers are known for, such as US
    "#);
    insta::assert_snapshot!(run(folder(), &["config", "check", "--config", "no.toml"]).transcript(), @r"
    exit code 2
    --- standard error
    error: no.toml: cannot be read: No such file or directory (os error 2)
    ");
}

/// A configuration that cannot be used is the same mistake whatever the command.
#[test]
fn a_bad_configuration_ends_every_command_with_2() {
    let folder = folder();
    std::fs::write(folder.path().join("bad.toml"), "[campaigns.a]\nid = 1\nfiles = 'A*'\nregion = 'Texas'\n")
        .expect("written");
    std::fs::create_dir(folder.path().join("uploads")).expect("a folder");
    for command in [&["run", "--once", "uploads"][..], &["check", "x.csv"], &["config", "check"]] {
        let ran = run(&folder, &[command, &["--config", "bad.toml"]].concat());
        assert_eq!(ran.code, 2, "{command:?}: {}", ran.err);
    }
    for command in [&["batches", "list"][..], &["uploads", "list"], &["migrate"]] {
        assert_eq!(run(&folder, &[command, &["--config", "no.toml"]].concat()).code, 2, "{command:?}");
    }
    assert_eq!(run(&folder, &["batches", "list", "--status", "LOST"]).code, 2);
}

#[test]
fn migrate_says_what_it_did_and_the_second_time_that_nothing_was_to_do() {
    let folder = folder();
    insta::assert_snapshot!(run(&folder, &["migrate"]).transcript(), @r"
    exit code 0
    sqlite://batchdrop.db: applied 0001 ledger, batches, requests, 0002 dialect, 0003 keys, suppression, 0004 answers, 0005 extensions, 0006 steering, 0007 webhooks, 0009 same content, 0010 tally, 0012 purge, 0013 expected files, 0014 expected open, 0015 retention, 0016 refused uploads
    ");
    insta::assert_snapshot!(run(&folder, &["migrate"]).transcript(), @r"
    exit code 0
    sqlite://batchdrop.db: up to date
    ");
}

#[test]
fn what_is_empty_says_so_and_what_is_missing_is_not_made() {
    let folder = folder();
    insta::assert_snapshot!(run(&folder, &["batches", "list"]).transcript(), @r"
    exit code 1
    --- standard error
    error: store sqlite://batchdrop.db: there is no such file yet; batchdrop run makes it, and --store names another
    ");
    assert!(std::fs::read_dir(folder.path()).expect("readable").next().is_none(), "looking makes no file");
    assert_eq!(run(&folder, &["migrate"]).code, 0);
    insta::assert_snapshot!(run(&folder, &["batches", "list"]).transcript(), @r"
    exit code 0
    --- standard error
    No batches. Drop a file in the bucket while batchdrop runs, or check it first: batchdrop check FILE.
    ");
    insta::assert_snapshot!(run(&folder, &["uploads", "list"]).transcript(), @r"
    exit code 0
    --- standard error
    No uploads have been seen yet.
    ");
    insta::assert_snapshot!(run(&folder, &["batches", "show", "20250401.9"]).transcript(), @r"
    exit code 1
    --- standard error
    error: there is no batch 20250401.9; see batchdrop batches list
    ");
    let json = run(&folder, &["batches", "list", "--json"]);
    assert_eq!((json.code, json.out.as_str()), (0, ""));
}

#[test]
fn what_was_loaded_is_shown() {
    let (folder, ran) = loaded();
    assert_eq!(ran.code, 3, "{}", ran.err);
    let shown = |arguments: &[&str]| timeless(&run(&folder, arguments).transcript());
    let batches = run(&folder, &["batches", "list", "--json"]).json();
    let id = |file: &str| {
        let batch = batches.iter().find(|batch| batch["upload_filename"] == file).expect("its batch");
        batch["batch_id"].as_str().expect("a text").to_owned()
    };
    let late = id("LATE_PAYMENTS_20250401.csv");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("cli_run_once", timeless(&ran.out));
        insta::assert_snapshot!("cli_batches_list", shown(&["batches", "list"]));
        insta::assert_snapshot!("cli_batches_failed", shown(&["batches", "list", "--status", "failed", "--limit", "1"]));
        insta::assert_snapshot!("cli_batches_show", shown(&["batches", "show", &late]));
        insta::assert_snapshot!("cli_batches_show_failed", shown(&["batches", "show", &id("NEWSLETTER_20250404.csv")]));
        insta::assert_snapshot!("cli_uploads_list", shown(&["uploads", "list"]));
    });
    let again = run(&folder, &["run", "--once", "uploads"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""));
    assert!(again.err.contains("Nothing new"), "{}", again.err);
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| timeless(text).starts_with("YYYY-MM-DDThh:mm:ss") || text.ends_with('Z'))
}

#[test]
fn a_batch_as_json_has_the_fields_of_the_public_sdk() {
    let (folder, _) = loaded();
    let batches = run(&folder, &["batches", "list", "--json"]).json();
    assert_eq!(batches.len(), 5);
    for batch in &batches {
        let or_null = |field: &str, is: &dyn Fn(&Value) -> bool| batch[field].is_null() || is(&batch[field]);
        let (id, counter) = batch["batch_id"].as_str().and_then(|id| id.split_once('.')).expect("YYYYMMDD.N");
        assert!(id.len() == 8 && counter.parse::<u32>().is_ok(), "{batch}");
        assert!(batch["campaign_id"].is_i64() || batch["campaign_id"].is_u64());
        assert!(or_null("expires_on", &is_time));
        assert!(or_null("paused", &Value::is_boolean));
        assert!(["ACTIVE", "FAILED"].contains(&batch["status"].as_str().expect("a text")));
        assert!(or_null("upload_filename", &Value::is_string));
        assert!(is_time(&batch["created_at"]) && is_time(&batch["last_updated_at"]), "{batch}");
        assert!(or_null("deleted_at", &is_time) && or_null("deleted_reason", &Value::is_string));
        assert!(batch["last_updated_by"].as_str().is_some_and(|who| who.contains('@')));
        let counts = batch["status_counts"].as_object().expect("a map");
        let total: u64 = counts.values().map(|count| count.as_u64().expect("a count")).sum();
        if batch["status"] == "FAILED" {
            assert!(counts.is_empty() && batch["error_message"].is_string() && batch["error_code"].is_string());
        } else {
            assert!(batch["error_message"].is_null());
            assert_eq!(batch["rows_read"].as_u64(), Some(total));
        }
        for field in [
            "campaign_name",
            "upload_id",
            "bytes_read",
            "sha256",
            "encoding",
            "delimiter",
            "quote",
            "quote_escape",
            "newline",
            "compression",
            "header_line",
            "seen_at",
            "claimed_at",
            "purged_at",
        ] {
            assert!(batch.get(field).is_some(), "{field} in {batch}");
        }
    }
    let id = batches.iter().find(|batch| batch["rows_read"] == 300).expect("the large one")["batch_id"].clone();
    let shown = run(&folder, &["batches", "show", "--json", id.as_str().expect("a text")]).json();
    assert_eq!(shown.len(), 1);
    assert!(shown[0]["findings"].is_array());
    for upload in run(&folder, &["uploads", "list", "--json"]).json() {
        assert!(upload["upload_id"].is_u64() && upload["key"].is_string() && upload["size_bytes"].is_u64());
        assert!(["LOADED", "FAILED"].contains(&upload["status"].as_str().expect("a text")), "{upload}");
        assert!(is_time(&upload["seen_at"]) && is_time(&upload["settled_at"]) && is_time(&upload["modified_at"]));
    }
}

/// `batchdrop … | head -1`, on both streams: the reader goes away, and nobody hears of it.
#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let (folder, _) = loaded();
    let many = fixtures().join("uploads/LATE_PAYMENTS_20250401.csv").display().to_string();
    let files = vec![many.as_str(); 200];
    let commands: [Vec<&str>; 4] = [
        [&["check", "--limit", "0"], files.as_slice()].concat(),
        vec!["batches", "list"],
        vec!["explain"],
        vec!["config", "check"],
    ];
    for command in commands {
        let mut child = program(&folder, &command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut first = String::new();
        BufReader::with_capacity(64, child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
        let output = child.wait_with_output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!first.is_empty() && !err.contains("panicked"), "{command:?}: {err}");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{command:?}: {:?}", output.status);
    }
    let mut child = program(&folder, &["config", "check"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn the_name_of_a_file_cannot_steer_the_terminal() {
    let name = "\u{1b}[31mred\nline\u{202e}vsc.csv";
    let folder = folder();
    let uploads = folder.path().join("uploads");
    std::fs::create_dir(&uploads).expect("a folder");
    std::fs::write(uploads.join(name), "reference_id,target\nA1,+15125550142\n").expect("written");
    let path = Path::new("uploads").join(name).display().to_string();
    let missing = format!("{path}x");
    for command in [
        &["check", &path][..],
        &["check", "--json", &path],
        &["check", &missing],
        &["run", "--once", "uploads"],
        &["batches", "list"],
        &["batches", "list", "--json"],
        &["uploads", "list"],
    ] {
        let ran = run(&folder, command);
        let all = ran.out + &ran.err;
        assert!(!all.contains('\u{1b}'), "{command:?}: {all:?}");
        assert!(!all.contains("red\nline"), "{command:?}: {all:?}");
    }
}

#[test]
fn a_password_is_never_printed() {
    let secret = "hunter2hunter2";
    let addresses = [
        format!("postgres://app:{secret}@127.0.0.1:1/calls"),
        format!("postgres://app:{secret}@127.0.0.1:port/calls"),
        format!("postgres://app:{secret}@no-such-host.invalid/calls"),
        format!("postgres://127.0.0.1:1/calls?user=app&password={secret}"),
        format!("mysql://app:{secret}@127.0.0.1/calls"),
    ];
    let folder = folder();
    std::fs::create_dir(folder.path().join("uploads")).expect("a folder");
    let started: Vec<_> = addresses
        .iter()
        .flat_map(|address| [("migrate", address), ("run", address)])
        .map(|(command, address)| {
            let arguments = if command == "run" { vec!["run", "--once", "uploads"] } else { vec![command] };
            let mut program = program(&folder, &arguments);
            // By option it would stand in the list of processes; by environment it should be given.
            program.env("BATCHDROP_STORE_URL", address).env("BATCHDROP_LOG_LEVEL", "trace");
            let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
            (command, address, child)
        })
        .collect();
    for (command, address, child) in started {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(1), "{command} {address}");
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8_lossy(&all);
        assert!(all.contains("error: store "), "{command}: {all}");
        assert!(!all.contains(secret), "{command} with {address}:\n{all}");
    }
}
