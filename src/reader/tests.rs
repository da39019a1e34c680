//! Whole files through the whole reader: the fixtures, and what no fixture is large enough for.

use std::io::Read;
use std::path::PathBuf;

use super::*;
use crate::model::{Campaign, Dialect, Format, Header, Newline, Problem};

mod corpora;
mod pollution;
mod properties;
mod scored;

/// A row, copied out of the reader's buffer.
#[derive(Debug, Clone, PartialEq)]
struct Copied {
    number: u32,
    line: u32,
    raw: String,
    values: Vec<String>,
    problem: Option<Problem>,
}

/// A file as it was read: to its end, or to its fault.
#[derive(Debug, PartialEq)]
struct File {
    opened: Option<(Dialect, Header)>,
    rows: Vec<Copied>,
    fault: Option<String>,
}

fn read(source: impl Read, limits: Limits) -> File {
    read_as(source, &Format::default(), limits)
}

fn read_as(source: impl Read, format: &Format, limits: Limits) -> File {
    let mut file = File { opened: None, rows: Vec::new(), fault: None };
    let read_all = || -> Result<(), ReadError> {
        let mut rows = Rows::open(source, format, limits)?;
        let rules = HeaderRules::of(&Campaign { format: format.clone(), ..Campaign::default() });
        file.opened = Some((rows.dialect.clone(), rows.header(&rules)?));
        while let Some(row) = rows.next_row()? {
            assert!(row.unescaped.len() <= row.raw.len(), "nothing is left of earlier rows");
            file.rows.push(Copied {
                number: row.number,
                line: row.line,
                raw: row.raw.to_owned(),
                values: row.values().map(str::to_owned).collect(),
                problem: row.problem,
            });
        }
        assert!(matches!(rows.next_row(), Ok(None)), "the end stays the end");
        Ok(())
    };
    match read_all() {
        Ok(()) => {}
        Err(ReadError::Fault(fault)) => file.fault = Some(fault.message()),
        Err(ReadError::Source(error)) => panic!("{error}"),
    }
    file
}

fn read_text(text: &str) -> File {
    read(text.as_bytes(), Limits::default())
}

fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dialect(encoding: &'static str, delimiter: u8, newline: &'static str) -> Dialect {
    Dialect { encoding, delimiter: char::from(delimiter).to_string(), newline, ..Dialect::standard() }
}

/// The values of each row, and the line it starts on.
fn table(file: &File) -> Vec<(u32, Vec<&str>)> {
    assert_eq!(file.fault, None);
    assert!((1..).zip(&file.rows).all(|(number, row)| row.number == number), "numbered from 1 without a gap");
    file.rows.iter().map(|row| (row.line, row.values.iter().map(String::as_str).collect())).collect()
}

#[test]
fn every_broken_fixture_has_its_fault_word_for_word() {
    const EXPORT: &str = "export the data again as CSV (UTF-8) from where it came from, and drop that file";
    const SAVE_AS: &str = "open it, choose Save As, pick \"CSV UTF-8\", and drop the file that this makes";
    const TARGET: &str = "target, phone or phone_number";
    const REFERENCE: &str = "reference_id, ref_id or reference";
    const OWN_NAME: &str = "give each its own (case, spaces, '-', '.' and '_' make no difference)";
    let cases = [
        ("empty", "Empty file: it has 0 bytes; export it again".to_owned()),
        ("only-bom", "Empty file: it has nothing but blank space; export it again".into()),
        ("only-blank-lines", "Empty file: it has nothing but blank space; export it again".into()),
        ("header-only", "No data rows: there is no row below the header in line 1".into()),
        ("workbook", format!("Invalid file format: this is an Excel workbook (.xlsx), not a CSV file; {SAVE_AS}")),
        (
            "old-excel",
            format!(
                "Invalid file format: this is an old Excel workbook (.xls) or another Office file, not a CSV file; {SAVE_AS}"
            ),
        ),
        ("pdf", format!("Invalid file format: this is a PDF document, not a CSV file; {EXPORT}")),
        ("png", format!("Invalid file format: this is a PNG image, not a CSV file; {EXPORT}")),
        ("html", format!("Invalid file format: this is an HTML page, not a CSV file; {EXPORT}")),
        ("json", format!("Invalid file format: this is JSON data, not a CSV file; {EXPORT}")),
        (
            "quote-in-header",
            "Invalid file format: line 1, column 3: a quote in the header is never closed, or text follows it; write a \
             quote inside a name twice (\"\")"
                .into(),
        ),
        ("binary", format!("Invalid file format: this is a binary file, not a CSV file; {EXPORT}")),
        (
            "missing-target",
            format!(
                "Missing required fields: target (the first line is the header and has 3 columns; \
                 name one column {TARGET})"
            ),
        ),
        (
            "missing-reference-id",
            format!(
                "Missing required fields: reference_id (the first line is the header and has 2 columns; \
                 name one column {REFERENCE})"
            ),
        ),
        (
            "missing-both",
            format!(
                "Missing required fields: target, reference_id (the first line is the header and has 4 columns; \
                 name one column {TARGET}, and one {REFERENCE})"
            ),
        ),
        ("duplicate-header", format!("Duplicate header: line 1: columns 3 and 4 have the same name; {OWN_NAME}")),
        (
            "duplicate-header-by-case",
            format!("Duplicate header: line 1: columns 3 and 4 have the same name; {OWN_NAME}"),
        ),
        (
            "unnamed-column",
            "Duplicate header: line 1, column 2: the column has no name; give it one, or leave it out".into(),
        ),
        (
            "ambiguous-header",
            "Ambiguous header: line 1: columns 2 and 3 may each be the target; \
             name the right one target, or leave the others out"
                .into(),
        ),
        (
            "latin1",
            "Invalid encoding: line 3, column 3: byte 0xEB is not UTF-8 (it looks like Windows-1252); \
             save the file as \"CSV UTF-8\" and drop it again"
                .into(),
        ),
        (
            "utf16-without-bom",
            "Invalid encoding: the file looks like UTF-16LE without a byte order mark; \
             save it as \"CSV UTF-8\" and drop it again"
                .into(),
        ),
    ];
    for (name, expected) in &cases {
        let file = read(&fixture(&format!("faults/{name}.csv"))[..], Limits::default());
        assert_eq!(file.fault.as_deref(), Some(expected.as_str()), "{name}");
    }
    // What is wrong with the others is for the rules to find.
    for (name, rows) in [("every-row-invalid", 5), ("too-many-invalid", 30)] {
        assert_eq!(table(&read(&fixture(&format!("faults/{name}.csv"))[..], Limits::default())).len(), rows, "{name}");
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/faults");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), cases.len() + 2, "every fixture is in the table");
}

#[test]
fn every_way_to_write_the_same_table_is_read_the_same() {
    let good = |name: &str| read(&fixture(&format!("good/{name}.csv"))[..], Limits::default());
    let plain = good("plain");
    let expected = [
        (2, vec!["A1", "(512) 555-0142", "Ana"]),
        (3, vec!["A2", "212-555-0187", "Zoë"]),
        (4, vec!["A3", "+13035550111", "José"]),
    ];
    assert_eq!(table(&plain), expected);
    let cases = [
        ("utf8-bom", "UTF-8", b','),
        ("utf16le-bom", "UTF-16LE", b','),
        ("utf16be-bom", "UTF-16BE", b','),
        ("crlf", "UTF-8", b','),
        ("cr", "UTF-8", b','),
        ("tabs", "UTF-8", b'\t'),
        ("pipes", "UTF-8", b'|'),
        ("semicolons", "UTF-8", b';'),
        ("trailing-blank-rows", "UTF-8", b','),
        ("no-last-newline", "UTF-8", b','),
    ];
    for (name, encoding, delimiter) in cases {
        let newline = if matches!(name, "cr" | "crlf") { name } else { "lf" };
        let file = good(name);
        assert_eq!(table(&file), expected, "{name}");
        assert_eq!(file.opened.map(|opened| opened.0), Some(dialect(encoding, delimiter, newline)), "{name}");
    }
    // An empty line moves the lines below it, and is no row.
    let mixed = good("mixed-newlines");
    assert_eq!(mixed.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 5]);
    assert!(mixed.rows.iter().zip(&plain.rows).all(|(mixed, plain)| mixed.values == plain.values));
}

#[test]
fn cells_keep_what_they_hold() {
    let good = |name: &str| read(&fixture(&format!("good/{name}.csv"))[..], Limits::default());
    let quotes = good("quotes-and-newlines");
    assert_eq!(
        table(&quotes),
        [
            (2, vec!["A1", "(512) 555-0142", "Ana \"the boss\" Castillo, Jr."]),
            (3, vec!["A2", "212-555-0187", "Zoë\nsecond line\r\nthird line"]),
            (6, vec!["A3", "+13035550111", "5\" José"]),
        ]
    );
    assert_eq!(quotes.rows[0].raw, "\"A1\",\"(512) 555-0142\",\"Ana \"\"the boss\"\" Castillo, Jr.\"");
    let names = |file: &File| table(file).into_iter().map(|(line, row)| (line, row[2].to_owned())).collect::<Vec<_>>();
    let named = |rows: &[(u32, &str)]| rows.iter().map(|&(line, name)| (line, name.to_owned())).collect::<Vec<_>>();
    assert_eq!(names(&good("backslash-dot")), named(&[(2, "before\n\\.\nafter"), (5, "\\N"), (6, "\\.")]));
    assert_eq!(names(&good("formulas")), named(&[(2, "=1+1"), (3, "+cmd"), (4, "-2"), (5, "@SUM(1)")]));
    let cells: Vec<usize> = good("ragged").rows.iter().map(|row| row.values.len()).collect();
    assert_eq!(cells, [3, 3, 3, 3, 3, 2, 5, 3, 3, 3, 3]);
}

#[test]
fn a_row_whose_quotes_make_no_sense_harms_no_other() {
    let reading = |name: &str| read(&fixture(&format!("reading/{name}.csv"))[..], Limits::default());
    let unclosed = reading("unclosed-quote");
    assert_eq!(
        table(&unclosed),
        [
            (2, vec!["A1", "(512) 555-0142", "Ana"]),
            (3, vec!["A2", "212-555-0187", "\"Zoë"]),
            (4, vec!["A3", "+13035550111", "José"]),
        ]
    );
    let problems = |file: &File| file.rows.iter().map(|row| row.problem).collect::<Vec<_>>();
    assert_eq!(problems(&unclosed), [None, Some(Problem::Quotes { column: 2 }), None]);
    let inside = reading("text-after-quote");
    assert_eq!(inside.rows[0].values[2], "Ana \"the boss\" Castillo");
    assert_eq!(problems(&inside), [Some(Problem::Quotes { column: 2 }), None]);
    let header = read_text("ref_id,phone,\"name\n1,2,3\n");
    assert_eq!(
        header.fault.as_deref(),
        Some(
            "Invalid file format: line 1, column 3: a quote in the header is never closed, or text follows it; \
             write a quote inside a name twice (\"\")"
        )
    );
}

/// Each is a letter or sign in one of the old encodings, and alone it is no UTF-8.
#[test]
fn every_byte_that_is_no_utf8_is_named_and_read_only_where_an_encoding_is_told() {
    let told = Format { encoding: Some("windows-1252"), ..Format::default() };
    for byte in 0x80..=0xFFu8 {
        let bytes = [&b"ref_id,phone,name\n1,2,Ana\n3,4,Jos"[..], &[byte], b" x\n5,6,Eva\n"].concat();
        let fault = read(&bytes[..], Limits::default()).fault.unwrap_or_default();
        let expected = format!("Invalid encoding: line 3, column 3: byte 0x{byte:02X} is not UTF-8");
        assert!(fault.starts_with(&expected), "{fault}");
        let file = read_as(&bytes[..], &told, Limits::default());
        let name = &table(&file)[1].1[2];
        let letter = name.strip_prefix("Jos").and_then(|rest| rest.strip_suffix(" x")).expect("one letter");
        assert!(letter.chars().count() == 1 && !letter.contains('\u{fffd}'), "0x{byte:02X} became {letter:?}");
    }
}

#[test]
fn a_quote_that_is_never_closed_in_a_large_file_fails_fast_and_names_its_line() {
    let long = format!("\"ref_id,phone\n{}", "1,2\n".repeat(10_000));
    let limits = Limits { row_bytes: 4_000, ..Limits::default() };
    let message = |line: u32, column: u32| {
        format!(
            "Invalid file format: line {line}, column {column}: the quote opened here is never closed, not within 4000 \
             bytes; close it, or write a quote inside a cell twice (\"\")"
        )
    };
    assert_eq!(read(long.as_bytes(), limits).fault, Some(message(1, 1)));
    // Below the header the rows that follow tell where the row should have ended…
    let rows = format!("ref_id,phone\n1,\"2\n{}", "1,2\n".repeat(10_000));
    let file = read(rows.as_bytes(), limits);
    assert_eq!(table(&file).len(), 10_001);
    assert_eq!(file.rows.iter().filter(|row| row.problem.is_some()).count(), 1);
    // …unless they are no rows of the table.
    let prose = format!("ref_id,phone\n1,2\n1,\"{}", "Dear all\n".repeat(10_000));
    assert_eq!(read(prose.as_bytes(), limits).fault, Some(message(3, 2)));
}

#[test]
fn a_packed_file_is_read_as_what_it_holds() {
    let plain = fixture("good/semicolons.csv");
    let expected = read(&plain[..], Limits::default());
    let (gzip, zstd, zip) =
        (unpack::tests::gzip(&plain), unpack::tests::zstd(&plain), unpack::tests::zip("a.csv", &plain));
    for (compression, packed) in [("gzip", &gzip), ("zstd", &zstd), ("zip", &zip)] {
        let file = read(&packed[..], Limits::default());
        assert_eq!((&file.rows, &file.fault), (&expected.rows, &None), "{compression}");
        assert_eq!(file.opened.unwrap().0.compression, Some(compression));
    }
    let limits = Limits { unpacked_bytes: 50, ..Limits::default() };
    let limit =
        "Limit exceeded: it unpacks to more than 50 bytes; split the file, or ask the operator to raise the limit";
    assert_eq!(read(&gzip[..], limits).fault.as_deref(), Some(limit));
    let nested = read(&unpack::tests::gzip(&zip)[..], Limits::default());
    assert_eq!(
        nested.fault.as_deref(),
        Some("Invalid file format: this is a zip archive, not a CSV file; unpack it and drop the CSV file itself")
    );
    assert_eq!(read(&fixture("reading/gzip.csv")[..], Limits::default()).opened.unwrap().0.compression, Some("gzip"));
}

#[test]
fn a_cell_over_its_limit_is_its_rows_problem() {
    let limits = Limits { cell_bytes: 5, ..Limits::default() };
    let file = read("ref_id,phone\n12345,\"123456\"\n12345,12345\n".as_bytes(), limits);
    assert_eq!(file.rows[0].problem, Some(Problem::TooLong { column: 1, bytes: 5 }));
    assert_eq!(file.rows[1].problem, None);
}

#[test]
fn uploads_of_a_first_run_are_read_as_their_readme_says() {
    let upload = |name: &str| read(&fixture(&format!("uploads/{name}.csv"))[..], Limits::default());
    assert_eq!(upload("LATE_PAYMENTS_20250401").rows.len(), 300);
    assert_eq!(fixture("uploads/LATE_PAYMENTS_20250401.csv"), fixture("uploads/LATE_PAYMENTS_20250401_RESENT.csv"));
    let reminders = upload("APPOINTMENT_REMINDERS_20250402");
    assert_eq!(table(&reminders).len(), 40);
    let (dialect, header) = reminders.opened.unwrap();
    assert_eq!((dialect.delimiter.as_str(), header.reference_id, header.target), (";", 0, 1));
    let failed = |name| upload(name).fault.unwrap_or_default();
    assert!(failed("WELCOME_CALLS_20250403").starts_with("Missing required fields: target (the first line"));
    assert!(failed("NEWSLETTER_20250404").starts_with("Invalid file format: this is an Excel workbook (.xlsx)"));
}

#[test]
fn blank_rows_count_in_the_middle_and_not_at_the_end() {
    let file =
        read_text("\n,,\n\"ref_id\",phone,\"x\"\n1,2,3\n,,\n\n,,\n,,\n\" \",\t\n4,5,6\n,,\n\n  \n\u{a0},\u{3000}\n");
    let empty = || vec!["", "", ""];
    assert_eq!(
        table(&file),
        [
            (4, vec!["1", "2", "3"]),
            (5, empty()),
            (7, empty()),
            (8, empty()),
            (9, vec![" ", "\t"]),
            (10, vec!["4", "5", "6"]),
        ]
    );
    assert_eq!(file.rows[4].raw, "\" \",\t");
    assert_eq!(
        read_text("\r\nref_id,phone\n,\n \n").fault.as_deref(),
        Some("No data rows: there is no row below the header in line 2")
    );
}

#[test]
fn blank_rows_that_would_take_much_memory_are_data() {
    let many: String = (0..3_000).map(|spaces| format!("{},\n", " ".repeat(spaces % 900))).collect();
    let file = read_text(&format!("ref_id,phone\n1,2\n{many}"));
    // Those beyond the room are held back again, since nothing follows.
    assert!((2..3_000).contains(&file.rows.len()));
    assert_eq!(table(&file).len(), file.rows.len());
    assert_eq!(table(&read_text(&format!("ref_id,phone\n1,2\n{}3,4\n", ",\n".repeat(100_000)))).len(), 100_002);
    assert_eq!(table(&read_text(&format!("ref_id,phone\n1,2\n{many}3,4\n"))).len(), 3_002);
    // The room is there again once the rows in it were handed out.
    let some: String = (0..1_800).map(|spaces| format!("{},\n", " ".repeat(spaces % 900))).collect();
    assert_eq!(table(&read_text(&format!("ref_id,phone\n1,2\n{some}3,4\n{some}"))).len(), 1_802);
}

#[test]
fn blank_cells_below_unnamed_columns_are_cut_off_and_others_stay() {
    let file = read_text("ref_id,phone,, \n1,2,,\n3,4,x,\n5,6,\n7,8\n9,10,,,\n");
    let cells: Vec<usize> = file.rows.iter().map(|row| row.values.len()).collect();
    assert_eq!(cells, [2, 4, 2, 2, 5]);
    assert_eq!(file.rows[0].raw, "1,2,,");
    assert_eq!(read_text("ref_id,phone\n1,2,\n").rows[0].values.len(), 3);
}

#[test]
fn limits_are_kept() {
    let limits = Limits { rows: 2, columns: 3, row_bytes: 20, ..Limits::default() };
    let fault = |text: &str| read(text.as_bytes(), limits).fault.unwrap_or_default();
    assert_eq!(fault("ref_id,phone\n1,2\n3,4\n,,\n,,\n"), "");
    assert_eq!(
        fault("ref_id,phone\n1,2\n\n3,4\n5,6\n"),
        "Limit exceeded: line 5: there are more than 2 data rows; \
         split the file, or ask the operator to raise the limit"
    );
    assert_eq!(
        fault("ref_id,phone,a,b\n1,2,3,4\n"),
        "Limit exceeded: line 1: the row has more than 3 columns; \
         leave out what is not needed, or ask the operator to raise the limit"
    );
    // A header that is too wide is known by its delimiter, whatever its names hold.
    for text in ["a 1,b 2,c 3,d 4\n1,2,3,4\n", "a:1;b:2;c:3;d:4\n1;2;3;4\n"] {
        assert!(fault(text).contains("more than 3 columns"), "{text}: {}", fault(text));
    }
    assert_eq!(
        fault("ref_id,phone,a_long_name\n"),
        "Limit exceeded: line 1: the row is longer than 20 bytes; \
         check that each row ends with a line break, or ask the operator to raise the limit"
    );
}

#[test]
fn a_row_longer_than_the_buffer_is_read_whole() {
    let long = "x".repeat(700_000);
    let file = read_text(&format!("ref_id,phone,note\n1,2,\"{long}\n\"\n3,4,{long}\n5,6,7\n"));
    assert_eq!(
        table(&file),
        [(2, vec!["1", "2", &format!("{long}\n")]), (4, vec!["3", "4", &long]), (5, vec!["5", "6", "7"])]
    );
}
