use proptest::prelude::*;

use super::*;

/// Line, last line and text of every record, then the fault that ended it, if one did.
type Found = (Vec<(u32, u32, String, usize)>, Option<String>);

fn found(bytes: &[u8], limits: Limits, buffer: usize) -> Found {
    // A first line keeps the beginning from being taken for something else, and is not looked at.
    let file = [b"a,b\n", bytes].concat();
    let told = Format { delimiter: Some(",".to_owned()), ..Format::default() };
    let mut records = Records::with_buffer(
        Text::open(&file[..], None, u64::MAX).unwrap_or_else(|error| panic!("{error:?}")),
        &told,
        limits,
        buffer,
    )
    .unwrap_or_else(|error| panic!("{error:?}"));
    let mut found = Vec::new();
    loop {
        let next = records.next().and_then(|record| match record {
            None => Ok(None),
            Some(record) => {
                let ((text, cells), _) = records.row(&record)?;
                Ok(Some((record.line, record.last_line, text.to_owned(), cells.len())))
            }
        });
        match next {
            Ok(Some(record)) => found.push(record),
            Ok(None) => return (found, None),
            Err(ReadError::Fault(fault)) => return (found, Some(fault.message())),
            Err(ReadError::Source(error)) => panic!("{error}"),
        }
    }
}

const LIMITS: Limits = Limits { columns: 3, row_bytes: 12, cell_bytes: 12, rows: 1_000, unpacked_bytes: u64::MAX };

#[test]
fn lines_are_counted_over_every_kind_of_line_end() {
    let (records, fault) = found(b"\n1\r\n\r\n2,\"x\r\ny\"\r3\r\r\n\"4\n\r\"\n5", LIMITS, 256);
    let lines: Vec<(u32, u32)> = records.iter().skip(1).map(|record| (record.0, record.1)).collect();
    assert_eq!(fault, None);
    assert_eq!(lines, [(3, 3), (5, 6), (7, 7), (9, 11), (12, 12)]);
}

#[test]
fn faults_word_for_word() {
    let cases: [(&[u8], &str); 9] = [
        (
            b"1\n\"x\n2\n3\n4\n5\n6\n7\n",
            "Invalid file format: line 3, column 1: the quote opened here is never closed, not within 12 bytes; close \
             it, or write a quote inside a cell twice (\"\")",
        ),
        (
            b"\"1\n\",\"x\n2\n3\n4\n5\n6\n7",
            "Invalid file format: line 3, column 2: the quote opened here is never closed, not within 12 bytes; close \
             it, or write a quote inside a cell twice (\"\")",
        ),
        (
            b"1\n2\n1234567890123\n",
            "Limit exceeded: line 4: the row is longer than 12 bytes; check that each row ends with a line break, or \
             ask the operator to raise the limit",
        ),
        (
            b"1,2,3,4\n",
            "Limit exceeded: line 2: the row has more than 3 columns; leave out what is not needed, or ask \
             the operator to raise the limit",
        ),
        (
            b"1\nx,Jos\xE9,y\n",
            "Invalid encoding: line 3, column 2: byte 0xE9 is not UTF-8 (it looks like Windows-1252); save the file \
             as \"CSV UTF-8\" and drop it again",
        ),
        (
            b"\"1\n\x93a\x94\"",
            "Invalid encoding: line 3, column 1: byte 0x93 is not UTF-8 (it looks like Windows-1252); save the file \
             as \"CSV UTF-8\" and drop it again",
        ),
        (
            b"1,2\n\x83\x65\x83\x58\x83\n",
            "Invalid encoding: line 3, column 1: byte 0x83 is not UTF-8; save the file \
             as \"CSV UTF-8\" and drop it again",
        ),
        (
            b"\x93\xFA\x96\x7B\n",
            "Invalid encoding: line 2, column 1: byte 0x93 is not UTF-8; save the file \
             as \"CSV UTF-8\" and drop it again",
        ),
        (
            b"a\x81b\n",
            "Invalid encoding: line 2, column 1: byte 0x81 is not UTF-8; save the file \
             as \"CSV UTF-8\" and drop it again",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(found(bytes, LIMITS, 256).1.as_deref(), Some(expected));
    }
}

#[test]
fn a_row_as_long_as_the_limit_is_taken_whatever_ends_it() {
    for end in ["", "\n", "\r", "\r\n"] {
        let (records, fault) = found(format!("123456789012{end}").as_bytes(), LIMITS, 256);
        assert_eq!((records.len(), fault), (2, None), "{end:?}");
        let (records, fault) = found(format!("1234567890123{end}").as_bytes(), LIMITS, 256);
        assert_eq!((records.len(), fault.is_some()), (1, true), "{end:?}");
    }
}

#[test]
fn damaged_utf16_has_a_place() {
    let mut file = b"\xFF\xFE".to_vec();
    file.extend("a,b\n1,x".encode_utf16().flat_map(u16::to_le_bytes));
    file.extend(b"\x00\xD8\n\0");
    let mut records =
        Records::open(Text::open(&file[..], None, u64::MAX).ok().unwrap(), &Format::default(), Limits::default())
            .ok()
            .unwrap();
    records.next().ok().unwrap();
    let record = records.next().ok().flatten().unwrap();
    assert_eq!(
        records.row(&record).map(|_| ()).unwrap_err().message(),
        "Invalid encoding: line 2, column 2: a character is not valid UTF-16LE; save the file \
             as \"CSV UTF-8\" and drop it again"
    );
}

proptest! {
    /// The end of the buffer may fall on any byte, and finds the same as where all bytes are there at once.
    #[test]
    fn the_buffers_size_changes_nothing(
        bytes in proptest::collection::vec(proptest::sample::select(b",\"\n\rx\xC3\xA9".as_slice()), 0..60),
        buffer in 1_usize..20,
        row_bytes in 1_usize..40,
    ) {
        let limits = Limits { row_bytes: row_bytes.max(3), ..LIMITS };
        prop_assert_eq!(found(&bytes, limits, buffer), found(&bytes, limits, 1024));
    }
}
