//! What holds for any file: it is read back as written, and neither pieces nor line ends change anything.

use std::io::Read;

use proptest::prelude::*;
use proptest::sample::select;

use super::pollution::{Outcome, Written, outcome};
use super::{Copied, read, read_as};
use crate::model::{Format, Newline};
use crate::reader::Limits;

/// Hands out its bytes in pieces of one size.
struct InPieces<'a>(&'a [u8], usize);

impl Read for InPieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = into.len().min(self.1);
        self.0.read(&mut into[..length])
    }
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9 ,;|\t\"'\\\\.é😀-]{0,12}",
        1 => "[\"\r\n,;x]{0,6}",
        1 => any::<String>(),
    ]
}

/// Tables with a header and a last row that is not blank, so that every row counts.
fn tables() -> impl Strategy<Value = Vec<Vec<String>>> {
    (3_usize..6).prop_flat_map(|width| {
        let row = proptest::collection::vec(cell(), width);
        proptest::collection::vec(row, 0..12).prop_map(move |mut rows| {
            let mut header: Vec<String> = (3..=width).map(|column| format!("column {column}")).collect();
            header.splice(0..0, ["reference_id".to_owned(), "target".to_owned()]);
            rows.insert(0, header);
            rows.push(vec!["end".to_owned(); width]);
            rows
        })
    })
}

fn written(table: &[Vec<String>], delimiter: u8, line_end: csv::Terminator) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).terminator(line_end).from_writer(Vec::new());
    for row in table {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

/// Bytes that look like a file more often than chance would have them.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => select(vec![",", ";", "\"", "\"\"", "\n", "\r\n", "\r", " ", "a", "1", "é", ",,\n", "\0"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    let start =
        select(vec![&b"ref_id,phone\n"[..], b"", b"\xEF\xBB\xBF", b"\xFF\xFE", b"\xFE\xFF", b"ref_id;phone;\r\n"]);
    (start, proptest::collection::vec(piece, 0..60)).prop_map(|(start, pieces)| [start, &pieces.concat()].concat())
}

/// Any way to write a table that leaves no cell in doubt.
fn dialects() -> impl Strategy<Value = Written> {
    (
        select(vec![",", ";", "\t", "|", ":", "^", "~", " ", ", ", "||", "§", "<->"]),
        select(vec![
            (Some('"'), None),
            (Some('"'), Some('\\')),
            (Some('\''), None),
            (Some('`'), Some('\\')),
            (None, Some('\\')),
        ]),
        select(vec!["\n", "\r\n", "\r"]),
        any::<bool>(),
    )
        .prop_map(|(delimiter, (quote, escape), newline, quotes_all)| Written {
            delimiter,
            quote,
            escape,
            newline,
            quotes_all,
        })
}

/// A table as those who want people to be called write it.
fn contact_lists() -> impl Strategy<Value = Vec<Vec<String>>> {
    let amount = (0_u32..100_000).prop_map(|cents| format!("{}.{:02}", cents / 100, cents % 100));
    let name = select(vec![
        "Ana Lee",
        "O'Hara",
        "Bo, Jr.",
        "Zoë",
        "Kim \"K\" Ray",
        "D; Arcy",
        "x\ny",
        "",
        "'t Hooft",
        "5\" pipe",
    ]);
    let row = (name, amount, any::<u16>());
    proptest::collection::vec(row, 3..12).prop_map(|rows| {
        let header = ["reference_id", "target", "name", "amount"].map(str::to_owned).to_vec();
        let row = |(name, amount, number): (&str, String, u16)| {
            vec![format!("A{number}"), format!("+1512555{:04}", number % 10_000), name.to_owned(), amount]
        };
        std::iter::once(header).chain(rows.into_iter().map(row)).collect()
    })
}

proptest! {
    #[test]
    fn a_table_in_any_dialect_that_is_told_is_read_back_cell_by_cell(
        table in tables(),
        written in dialects(),
        tells_newline in any::<bool>(),
        encoding in select(vec!["UTF-8", "UTF-16LE", "UTF-16BE"]),
        piece in select(vec![1, 7, 64 << 10]),
    ) {
        let text = written.text(&table);
        let bytes: Vec<u8> = match encoding {
            "UTF-16LE" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => text.into_bytes(),
        };
        let newline = match written.newline {
            "\n" => Newline::Lf,
            "\r" => Newline::Cr,
            _ => Newline::CrLf,
        };
        let format = Format { encoding: Some(encoding), newline: tells_newline.then_some(newline), ..written.told() };
        let file = read_as(InPieces(&bytes, piece), &format, Limits::default());
        prop_assert_eq!(&file.fault, &None);
        let values: Vec<&Vec<String>> = file.rows.iter().map(|row| &row.values).collect();
        prop_assert_eq!(values, table[1..].iter().collect::<Vec<_>>());
        // A row whose cells all have quotes of another kind looks like one from another file, and is marked.
        let other = if written.quote == Some('"') { '\'' } else { '"' };
        let is_other = |row: &Copied| row.values.iter().all(|value| value.starts_with(other) || value.ends_with(other));
        prop_assert!(file.rows.iter().all(|row| row.problem.is_none() || written.quote.is_some() && is_other(row)));
    }

    #[test]
    fn a_contact_list_in_a_dialect_that_is_not_told_is_never_read_otherwise_in_silence(
        table in contact_lists(),
        written in dialects(),
    ) {
        let file = read(written.text(&table).as_bytes(), Limits::default());
        prop_assert_ne!(outcome(&file, &table), Outcome::Silent, "{:?}", file);
    }

    #[test]
    fn any_bytes_in_any_dialect_are_read_the_same_in_pieces_of_any_size(
        bytes in anything(),
        written in dialects(),
        newline in select(vec![None, Some(Newline::Lf), Some(Newline::CrLf), Some(Newline::Cr)]),
        (skip_rows, comment) in (0_u32..3, select(vec![None, Some("a"), Some(",;")])),
        tight in any::<bool>(),
    ) {
        let limits = if tight { Limits { columns: 4, row_bytes: 16, rows: 5, ..Limits::default() } } else { Limits::default() };
        let format = Format { newline, skip_rows, comment: comment.map(str::to_owned), ..written.told() };
        let whole = read_as(&bytes[..], &format, limits);
        for size in [1, 2, 3, 7] {
            prop_assert_eq!(&read_as(InPieces(&bytes, size), &format, limits), &whole);
        }
    }

    #[test]
    fn what_a_csv_writer_wrote_is_read_back_cell_by_cell(
        table in tables(),
        delimiter in select(b",;\t|".as_slice()),
        crlf in any::<bool>(),
    ) {
        let line_end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let file = read(&written(&table, delimiter, line_end)[..], Limits::default());
        prop_assert_eq!(&file.fault, &None);
        prop_assert_eq!(file.opened.unwrap().0, super::dialect("UTF-8", delimiter, if crlf { "crlf" } else { "lf" }));
        let values: Vec<&Vec<String>> = file.rows.iter().map(|row| &row.values).collect();
        prop_assert_eq!(values, table[1..].iter().collect::<Vec<_>>());
        prop_assert!((1..).zip(&file.rows).all(|(number, row)| row.number == number));
    }

    #[test]
    fn a_kind_of_line_end_changes_nothing(table in tables()) {
        let one_line = |text: &String| text.replace(['\r', '\n'], " ");
        let table: Vec<Vec<String>> = table.iter().map(|row| row.iter().map(one_line).collect()).collect();
        let lines = read(&written(&table, b',', csv::Terminator::Any(b'\n'))[..], Limits::default());
        for line_end in [csv::Terminator::CRLF, csv::Terminator::Any(b'\r')] {
            let other = read(&written(&table, b',', line_end)[..], Limits::default());
            prop_assert_eq!((&other.rows, &other.fault), (&lines.rows, &lines.fault));
            prop_assert_eq!(other.opened.map(|opened| opened.1), lines.opened.as_ref().map(|opened| opened.1.clone()));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_the_same_in_pieces_of_any_size(bytes in anything(), tight in any::<bool>()) {
        let limits = if tight { Limits { columns: 4, row_bytes: 16, rows: 5, ..Limits::default() } } else { Limits::default() };
        let whole = read(&bytes[..], limits);
        prop_assert!((1..).zip(&whole.rows).all(|(number, row)| row.number == number));
        prop_assert!(whole.rows.is_sorted_by(|one, next| one.line < next.line || one.raw.contains(['\n', '\r'])));
        for size in [1, 2, 3, 7, 64 << 10] {
            prop_assert_eq!(&read(InPieces(&bytes, size), limits), &whole);
        }
    }

    #[test]
    fn a_row_is_handed_on_as_sent_and_stands_on_its_line(bytes in anything()) {
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<&str> = text.trim_start_matches('\u{FEFF}').split('\n').collect();
        for row in read(text.as_bytes(), Limits::default()).rows {
            let first = row.raw.split('\n').next().unwrap_or_default();
            prop_assert_eq!(lines[row.line as usize - 1], first);
        }
    }
}
