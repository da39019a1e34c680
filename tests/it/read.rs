//! `batchdrop read`, run as it is: a file as it was understood, and what is wrong with it on standard error.

use tempfile::TempDir;

use crate::support::program::{Ran, fixtures, program, run};

fn dropped(name: &str, content: impl AsRef<[u8]>) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join(name), content).expect("written");
    folder
}

/// What becomes of every file that is not plain, with nothing told.
#[test]
fn every_fixture_is_read_as_its_readme_says() {
    let mut names: Vec<String> = std::fs::read_dir(fixtures().join("reading"))
        .expect("the folder of fixtures")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    let mut transcript = String::new();
    for name in names {
        let ran = run(fixtures(), &["read", &format!("reading/{name}")]);
        transcript.push_str(&format!("{name}: {}\n\n", ran.transcript()));
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("read_fixtures", transcript.trim_end());
    });
}

#[test]
fn what_is_read_is_read_the_same_again() {
    for folder in ["good", "uploads", "reading"] {
        for entry in std::fs::read_dir(fixtures().join(folder)).expect("the folder of fixtures") {
            let path = entry.expect("an entry").path().display().to_string();
            let once = run(fixtures(), &["read", &path]);
            if once.code == 0 {
                let again = run(dropped("again.csv", &once.out), &["read", "again.csv"]);
                assert_eq!((again.code, &again.out), (0, &once.out), "{path}");
            }
        }
    }
}

const CAMPAIGN: &str = "[campaigns.odd]\nid = 1\nfiles = 'ODD_*'\ndelimiter = '||'\nquote = \"'\"\nencoding = 'windows-1252'\n\
                        skip_rows = 1\ncomment = '%'\nheader = false\nnames = ['ref_id', 'phone', 'name']\nrequired = ['name']\n";

fn odd(arguments: &[&str]) -> Ran {
    let folder = dropped("ODD_1.csv", b"made by hand\n1||5125550142||'Jos\xE9 || x'\n% a comment\n2||5125550143||\n");
    std::fs::write(folder.path().join("batchdrop.toml"), CAMPAIGN).expect("written");
    run(&folder, &[&["--config", "batchdrop.toml"], arguments].concat())
}

#[test]
fn a_campaign_tells_how_its_files_are_written() {
    insta::assert_snapshot!(odd(&["read", "ODD_1.csv"]).transcript(), @r"
    exit code 0
    ref_id,phone,name
    1,5125550142,José || x
    2,5125550143,
    ");
    insta::assert_snapshot!(odd(&["check", "ODD_1.csv"]).transcript(), @r#"
    exit code 1
    ODD_1.csv  (campaign odd)
      windows-1252, delimiter "||", quote ', 3 columns: 2 rows = 1 PENDING + 1 INVALID
      reference_id is column 1 (ref_id), target column 2 (phone); 1 more becomes a request_variable
      Would be a batch, ACTIVE: 1 request to contact; the other rows are kept with their reason.

    ODD_1.csv:4:16: INVALID MISSING_VALUE: name: blank, and required
          4 | •||••••••••••||
            |                ^
    "#);
    insta::assert_snapshot!(odd(&["config", "check"]).transcript(), @r#"
    exit code 0
    ID CAMPAIGN FILES CHANNEL REGION EXTENSIONS UNIQUE       UNIQUE WITHIN SUPPRESSION HOLD SCHEMA DUE READ AS
     1 odd      ODD_* voice   US     keep       reference_id -             -           no   -      -   delimiter "||", quote "'", encoding windows-1252, header false, skip_rows 1, comment "%", names ["ref_id", "phone", "name"], required ["name"]
    --- standard error
    The configuration is valid. Bucket uploads, store sqlite://batchdrop.db.
    "#);
}

/// The same as options: of a file that no campaign takes, and in place of what a campaign says.
#[test]
fn options_tell_how_files_are_written() {
    let folder = dropped("a.csv", b"by hand\n1||5125550142||'Jos\xE9 || x'\n% a comment\n2||5125550143||\\|| y\n");
    let told = ["--delimiter", "||", "--quote", "'", "--escape", "\\", "--encoding", "latin1", "--skip-rows", "1"];
    let read =
        |more: &[&str]| run(&folder, &[&["read", "a.csv", "--comment", "%"], &told[..], more].concat()).transcript();
    insta::assert_snapshot!(read(&["--header", "false", "--names", "ref_id,phone,name"]), @r"
    exit code 0
    ref_id,phone,name
    1,5125550142,José || x
    2,5125550143,|| y
    ");
    insta::assert_snapshot!(read(&["--header", "false", "--newline", "lf"]), @r"
    exit code 0
    column_1,column_2,column_3
    1,5125550142,José || x
    2,5125550143,|| y
    ");
    insta::assert_snapshot!(read(&["--header", "true"]), @r"
    exit code 0
    1,5125550142,José || x
    2,5125550143,|| y
    ");
    let check = |more: &[&str]| run(&folder, &[&["check", "a.csv", "--comment", "%"], &told[..], more].concat());
    assert_eq!(check(&["--header", "false", "--names", "ref_id,phone,name"]).code, 0);
    insta::assert_snapshot!(check(&["--header", "false"]).transcript(), @r"
    exit code 2
    --- standard error
    error: --names must name the columns where header = false
    ");
    insta::assert_snapshot!(run(&folder, &["read", "a.csv", "--skip-rows", "1", "--comment", ","]).transcript(), @r"
    exit code 2
    --- standard error
    error: --comment must not begin as a row of the table does: with a delimiter or a quote
    ");
    insta::assert_snapshot!(odd(&["read", "ODD_1.csv", "--delimiter", "'"]).transcript(), @r"
    exit code 2
    --- standard error
    error: --quote must not be part of the delimiter
    ");
}

#[test]
fn json_is_one_object_a_row_under_names_of_their_own() {
    let folder = dropped("a.csv", "id,,id\n1,2,\"a\nb\"\n1\n1,2,3,4\n");
    insta::assert_snapshot!(run(&folder, &["read", "--json", "a.csv"]).transcript(), @r#"
    exit code 1
    {"id":"1","column_2":"2","id_2":"a\nb"}
    {"id":"1"}
    {"id":"1","column_2":"2","id_2":"3","_extra_1":"4"}
    --- standard error
    a.csv:4:1: 1 cell where the header has 3
    a.csv:5:1: 4 cells where the header has 3
    "#);
}

#[test]
fn a_fault_ends_the_file_and_not_what_was_read_before_it() {
    let folder = dropped("a.csv", b"id,name\n1,Ann\n2,Jos\xE9\n3,Bob\n");
    insta::assert_snapshot!(run(&folder, &["read", "a.csv", "nowhere.csv"]).transcript(), @r#"
    exit code 2
    id,name
    1,Ann
    --- standard error
    a.csv: Invalid encoding: line 3, column 2: byte 0xE9 is not UTF-8 (it looks like Windows-1252); save the file as "CSV UTF-8" and drop it again
    error: nowhere.csv: cannot be read: No such file or directory (os error 2)
    "#);
}

/// `batchdrop read … | head -1` is no trouble, and memory does not grow with the file.
#[test]
fn a_long_file_streams() {
    let rows: String = (0..400_000).map(|row| format!("A{row},+15125550142,Ana Castillo\n")).collect();
    let folder = dropped("a.csv", format!("reference_id,target,name\n{rows}"));
    let mut child = program(&folder, &["read", "a.csv"]).stdout(std::process::Stdio::piped()).spawn().expect("started");
    let mut first = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut out, &mut first).expect("a line");
    drop(out);
    assert_eq!(first, "reference_id,target,name\n");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}
