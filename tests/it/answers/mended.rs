//! The promise of the rejects file: mended and dropped again as it is, it becomes a batch of exactly these rows; what
//! is not mended is judged as it was. On files with every oddity that a cell, a header or a row may have.

use batchdrop::model::{Batch, BatchStatus, Request};
use csv::StringRecord;

use crate::support::app::{In, TestApp, To};
use crate::support::dice::Dice;

const FILES: u64 = 40;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const CELLS: [&str; 14] = [
    "",
    "Ada",
    "=1+1",
    "@x",
    "-5",
    "a, b; c",
    "say \"hi\"",
    "two\nlines",
    "tab\there",
    "Zoë 😀",
    " padded ",
    "0012",
    "'x'",
    "a|b",
];
const BAD_TARGETS: [&str; 6] = ["12", "", "words", "1.5E+10", " 5125550101 / 5125550102", "+1 555"];

/// A file of one good row at least, and others of all kinds.
fn odd_file(dice: &mut Dice) -> Vec<u8> {
    let delimiter = DELIMITERS[dice.roll(4) as usize];
    let mut names = vec!["Ref-ID".to_owned(), "Phone".to_owned()];
    for name in ["Given Name", "note; more", "Straße", "\"quoted\""].iter().take(dice.roll(5) as usize) {
        names.insert(dice.roll(names.len() as u64 + 1) as usize, (*name).to_owned());
    }
    let (reference_id, target) = (place_of(&names, "Ref-ID"), place_of(&names, "Phone"));
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(Vec::new());
    writer.write_record(&names).expect("a header");
    for number in 0..30 {
        let cell = |dice: &mut Dice| CELLS[dice.roll(CELLS.len() as u64) as usize].to_owned();
        let mut row: Vec<String> = names.iter().map(|_| cell(dice)).collect();
        row[reference_id] = format!("{}R{number}", " ".repeat(dice.roll(2) as usize));
        row[target] = format!("(512) 555-01{:02}", 10 + number);
        match dice.roll(if number == 0 { 1 } else { 8 }) {
            1 => row[target] = BAD_TARGETS[dice.roll(6) as usize].to_owned(),
            2 => row[reference_id] = " ".repeat(dice.roll(3) as usize),
            3 => row[reference_id] = "R0 ".to_owned(),
            4 => row.truncate(1 + dice.roll(row.len() as u64 - 1) as usize),
            5 => row.extend((0..=dice.roll(3)).map(|n| format!("more {n}"))),
            _ => {}
        }
        // A row of nothing may be no row at all.
        if row.iter().all(|cell| cell.trim().is_empty()) {
            row[0] = "x".to_owned();
        }
        writer.write_record(&row).expect("a row");
    }
    writer.into_inner().expect("bytes")
}

fn place_of(names: &[String], name: &str) -> usize {
    names.iter().position(|other| other == name).expect("it is there")
}

/// A rejects file as a person's tool reads it, told the delimiter.
struct Rejects {
    delimiter: u8,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rejects {
    fn read(bytes: &[u8], delimiter: u8) -> Rejects {
        let text = std::str::from_utf8(bytes).expect("UTF-8").strip_prefix('\u{feff}').expect("a byte order mark");
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
        let owned = |record: &StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let header = owned(reader.headers().expect("a header"));
        let rows = reader.records().map(|row| owned(&row.expect("a row"))).collect();
        Rejects { delimiter, header, rows }
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new().delimiter(self.delimiter).flexible(true).from_writer(Vec::new());
        writer.write_record(&self.header).expect("a header");
        self.rows.iter().for_each(|row| writer.write_record(row).expect("a row"));
        writer.into_inner().expect("bytes")
    }
}

fn delimiter(batch: &Batch) -> u8 {
    match batch.delimiter.as_deref().expect("it is known") {
        "\\t" => b'\t',
        other => other.as_bytes()[0],
    }
}

fn cells(request: &Request) -> Vec<(String, String)> {
    let variables = request.request_variables.as_object().expect("an object");
    variables.iter().map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect()
}

/// What makes a row the same, wherever it stands. Blank cells at the end of a row that is too short are not kept.
fn essence(request: &Request) -> (Option<&str>, &str, &str, Vec<(String, String)>) {
    let is_ragged = request.error_code.as_deref() == Some("CELL_COUNT");
    let cells = cells(request).into_iter().filter(|(_, value)| !is_ragged || !value.is_empty()).collect();
    (request.error_code.as_deref(), &request.reference_id, &request.target, cells)
}

async fn rejects_are_mended_and_dropped_again(to: To) {
    let mut app = TestApp::new(In::Folder, to).await;
    app.configure("[campaigns.odd]\nid = 1\nfiles = '*.csv'\nmax_invalid_percent = 100\n");
    let mut dice = Dice::new();
    for file in 0..FILES {
        app.drop_file(&format!("odd{file}.csv"), odd_file(&mut dice)).await;
    }
    app.settle().await;
    let mut checked = 0;
    for file in 0..FILES {
        let batch = app.batch_of(&format!("odd{file}.csv")).await;
        assert_eq!(batch.status, BatchStatus::Active, "file {file}: {:?}", batch.error_message);
        let key = format!("results/{}/odd{file}.rejects.csv", batch.batch_id);
        let Some(bytes) = app.get(&key).await else { continue };
        let mut rejects = Rejects::read(&bytes, delimiter(&batch));
        checked += rejects.rows.len() as u64;
        let (reference_id, target) = (place_of(&rejects.header, "Ref-ID"), place_of(&rejects.header, "Phone"));

        // Unmended: all bytes as they are, and one good row, without which the file as a whole would be refused.
        let mut good = vec![String::new(); rejects.header.len()];
        (good[reference_id], good[target]) = ("GOOD".to_owned(), "5125550199".to_owned());
        let good = Rejects { delimiter: rejects.delimiter, header: good, rows: Vec::new() }.write();
        app.drop_file(&format!("unmended{file}.csv"), [bytes, good].concat()).await;

        for (number, row) in rejects.rows.iter_mut().enumerate() {
            row.resize(rejects.header.len(), String::new());
            row[reference_id] = format!("M{number}");
            row[target] = format!("(512) 555-01{:02}", 10 + number);
        }
        app.drop_file(&format!("mended{file}.csv"), rejects.write()).await;
    }
    assert!(checked > FILES * 5, "{checked} rejects");
    assert_eq!(app.settle().await, 0, "every one of them is loaded");

    for file in 0..FILES {
        let requests = app.requests(&app.batch_of(&format!("odd{file}.csv")).await.batch_id).await;
        let rejected: Vec<_> = requests.iter().filter(|request| request.error_code.is_some()).collect();
        if rejected.is_empty() {
            continue;
        }
        let mended = app.batch_of(&format!("mended{file}.csv")).await;
        assert_eq!(mended.count("PENDING"), rejected.len() as u64, "file {file}: {:?}", mended.status_counts);
        assert_eq!(mended.rows_read, rejected.len() as u64);
        for (row, was) in app.requests(&mended.batch_id).await.iter().zip(&rejected) {
            let kept = cells(was).into_iter().filter(|(name, _)| !name.starts_with("_extra_"));
            let now = cells(row);
            for cell in kept {
                assert!(now.contains(&cell), "file {file}, row {}: {cell:?} is not in {now:?}", was.row_number);
            }
        }

        let unmended = app.batch_of(&format!("unmended{file}.csv")).await;
        let rows = app.requests(&unmended.batch_id).await;
        assert_eq!(rows.len(), rejected.len() + 1);
        for (row, was) in rows.iter().zip(&rejected) {
            // A repeat is one of another row, which stands in the other file; and quotes that made no sense are written
            // properly, so that they make sense now.
            if was.request_status == "INVALID" && was.error_code.as_deref() != Some("INVALID_VALUE") {
                assert_eq!(essence(row), essence(was), "file {file}, row {}", was.row_number);
            }
        }
    }
}

#[tokio::test]
async fn rejects_are_mended_and_dropped_again_with_sqlite() {
    rejects_are_mended_and_dropped_again(To::Sqlite).await;
}

#[tokio::test]
async fn rejects_are_mended_and_dropped_again_with_postgres() {
    rejects_are_mended_and_dropped_again(To::Postgres).await;
}

/// The campaign's own files have no header, other quotes, another encoding and lines above; the rejects file has not.
#[tokio::test]
async fn a_mended_file_is_read_as_we_wrote_it_whatever_the_campaign_tells_of_its_own_files() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.configure(
        "[campaigns.odd]\nid = 1\nfiles = '*.csv'\nmax_invalid_percent = 100\ndelimiter = '||'\nquote = \"'\"\n\
         newline = 'crlf'\nencoding = 'windows-1252'\nheader = false\nnames = ['ref', 'phone', 'name']\nskip_rows = 2\n\
         comment = '_'\n[campaigns.odd.aliases]\nreference_id = ['ref']\n",
    );
    let sent =
        b"a title\r\nof two lines\r\nA1||5125550101||Zo\xEB\r\nA2||12||'it''s \"her\", J\xFCrgen'\r\n_ a comment\r\n";
    app.drop_file("odd.csv", sent).await;
    assert_eq!(app.settle().await, 0);
    let batch = app.batch_of("odd.csv").await;
    assert_eq!(["PENDING", "INVALID"].map(|status| batch.count(status)), [1, 1], "{:?}", batch.error_message);

    let rejects = app.get(&format!("results/{}/odd.rejects.csv", batch.batch_id)).await.expect("a rejects file");
    let text = String::from_utf8(rejects).expect("UTF-8");
    assert!(text.contains("||A2||12||\"it's \"\"her\"\", Jürgen\"\n"), "{text}");
    app.drop_file("mended.csv", text.replace("||12||", "||(512) 555-0102||")).await;
    // A spreadsheet saved it again, with its own delimiter and line ends.
    let saved = text.replace("||12||", "||(512) 555-0103||").replace("||", ";").replace('\n', "\r\n");
    app.drop_file("saved.csv", saved.replace("A2", "A3")).await;
    assert_eq!(app.settle().await, 0);
    for (file, reference_id, target) in [("mended.csv", "A2", "+15125550102"), ("saved.csv", "A3", "+15125550103")] {
        let batch = app.batch_of(file).await;
        let rows = app.requests(&batch.batch_id).await;
        assert_eq!((rows.len(), rows[0].reference_id.as_str(), rows[0].target.as_str()), (1, reference_id, target));
        assert_eq!(rows[0].request_variables["name"], "it's \"her\", Jürgen");
        assert_eq!(rows[0].request_status, "PENDING");
    }
}
