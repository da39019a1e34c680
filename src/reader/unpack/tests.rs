use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::*;

/// How a zip's member is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Stored,
    Deflated,
    /// The sizes stand behind the data.
    Streamed,
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    zipped(&[(name, bytes, Form::Deflated)])
}

fn zipped(members: &[(&str, &[u8], Form)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for &(name, bytes, form) in members {
        let data = match form {
            Form::Stored => bytes.to_vec(),
            Form::Deflated | Form::Streamed => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
        };
        let mut crc = Crc::new();
        crc.update(bytes);
        let told = [crc.sum(), data.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
        let (flags, method) = match form {
            Form::Stored => (0u16, 0u16),
            Form::Deflated => (0, 8),
            Form::Streamed => (8, 8),
        };
        let is_streamed = matches!(form, Form::Streamed);
        let fields = |sizes: &[u8]| {
            let length = (name.len() as u16).to_le_bytes();
            [&[20, 0], &flags.to_le_bytes()[..], &method.to_le_bytes(), &[0; 4], sizes, &length, &[0, 0]].concat()
        };
        let local = fields(if is_streamed { &[0; 12] } else { &told });
        archive.extend([b"PK\x03\x04", &local[..], name.as_bytes(), &data].concat());
        if is_streamed {
            archive.extend([b"PK\x07\x08", &told[..]].concat());
        }
        directory.extend([b"PK\x01\x02\x14\0", &fields(&told)[..], &[0; 14], name.as_bytes()].concat());
    }
    archive.extend(directory);
    archive.extend([b"PK\x05\x06", [0; 18].as_slice()].concat());
    archive
}

/// Hands out one byte at a time, then fails if it is to.
struct Slow<'a>(&'a [u8], bool);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        if self.0.is_empty() && self.1 {
            return Err(Error::new(ErrorKind::ConnectionReset, "gone"));
        }
        let length = into.len().min(1);
        self.0.read(&mut into[..length])
    }
}

fn unpacked(source: impl Read, limit: u64) -> Result<Vec<u8>, String> {
    let text = |error| match read_error(error) {
        ReadError::Fault(fault) => fault.message(),
        ReadError::Source(error) => format!("source: {error}"),
    };
    let mut source = source;
    let mut head = vec![0; 4];
    let mut length = 0;
    while length < head.len() {
        match source.read(&mut head[length..]).map_err(text)? {
            0 => break,
            more => length += more,
        }
    }
    head.truncate(length);
    let mut all = Vec::new();
    let mut unpacked = Unpacked::open(head, source, limit).map_err(|error| match error {
        ReadError::Fault(fault) => fault.message(),
        ReadError::Source(error) => format!("source: {error}"),
    })?;
    unpacked.read_to_end(&mut all).map_err(text)?;
    Ok(all)
}

fn text() -> Vec<u8> {
    (0..2_000).flat_map(|row| format!("A{row},+1512555{row:04},Ana {}\n", row * 7919 % 1000).into_bytes()).collect()
}

fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let text = text();
    let (one, two) = text.split_at(1_000);
    vec![
        ("gzip", gzip(&text)),
        ("gzip", [gzip(one), gzip(two)].concat()),
        ("zstd", zstd(&text)),
        ("zstd", [zstd(one), zstd(two)].concat()),
        ("zip", zipped(&[("a.csv", &text, Form::Stored)])),
        ("zip", zipped(&[("a.csv", &text, Form::Deflated)])),
        ("zip", zipped(&[("folder/a.csv", &text, Form::Streamed)])),
    ]
}

#[test]
fn every_kind_is_unpacked_however_its_bytes_come() {
    for (kind, archive) in archives() {
        assert!(unpacked(&archive[..], u64::MAX) == Ok(text()), "{kind}");
        assert!(unpacked(Slow(&archive, false), u64::MAX) == Ok(text()), "{kind} in pieces");
    }
    assert_eq!(unpacked(&b"plain"[..], 1), Ok(b"plain".to_vec()));
}

#[test]
fn what_is_cut_off_damaged_or_followed_by_more_is_a_fault_and_never_fewer_rows() {
    for (kind, archive) in archives() {
        let expected = format!(
            "Unpacking failed: the {kind} archive is damaged or was cut off, or something else follows it; pack the CSV \
             again, or send it as it is"
        );
        let lengths = (4..60).chain((60..archive.len()).step_by(97)).chain(archive.len() - 30..archive.len());
        for length in lengths {
            match unpacked(&archive[..length], u64::MAX) {
                Err(message) => assert_eq!(message, expected, "{kind}, {length} bytes"),
                // Several members: one that is whole may end here, as the file then does.
                Ok(all) => assert!(kind != "zip" && all.len() == 1_000, "{kind}, {length} bytes"),
            }
        }
        let junk = [&archive[..], b"junk"].concat();
        assert_eq!(unpacked(&junk[..], u64::MAX), Err(expected.clone()), "{kind}");
        let mut damaged = archive.clone();
        damaged[archive.len() / 2] ^= 0x55;
        assert_eq!(unpacked(&damaged[..], u64::MAX), Err(expected), "{kind}");
    }
}

#[test]
fn the_sources_own_error_is_handed_on() {
    for (kind, archive) in archives() {
        for length in [5, 40, 600] {
            assert_eq!(unpacked(Slow(&archive[..length], true), u64::MAX), Err("source: gone".to_owned()), "{kind}");
        }
    }
}

#[test]
fn the_limit_holds_for_what_comes_out() {
    for (kind, archive) in archives() {
        let size = text().len() as u64;
        assert!(unpacked(&archive[..], size).is_ok(), "{kind}");
        assert_eq!(
            unpacked(&archive[..], size - 1),
            Err(format!(
                "Limit exceeded: it unpacks to more than {} bytes; split the file, or ask the operator to raise the limit",
                size - 1
            )),
            "{kind}"
        );
    }
    // A thousand times as large as it was sent: memory is the window, and the limit ends it.
    let bomb = gzip(&vec![b'a'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    assert!(unpacked(&bomb[..], 1 << 20).is_err_and(|message| message.starts_with("Limit exceeded")));
}

#[test]
fn a_zip_holds_one_file_that_can_be_read() {
    let fault = |archive: &[u8]| unpacked(archive, u64::MAX).unwrap_err();
    for form in [Form::Stored, Form::Deflated, Form::Streamed] {
        assert_eq!(
            fault(&zipped(&[("a.csv", b"a,b\n", form), ("b.csv", b"a,b\n", Form::Stored)])),
            "Unpacking failed: the zip archive holds several files; it must hold one CSV file and nothing else; pack the CSV \
             again, or send it as it is"
        );
    }
    assert!(fault(&zipped(&[("folder/", b"", Form::Stored)])).contains("holds a folder"));
    let mut locked = zip("a.csv", b"a,b\n");
    locked[6] |= 1;
    assert!(fault(&locked).contains("has a password"));
    let mut rare = zip("a.csv", b"a,b\n");
    rare[8] = 12;
    assert!(fault(&rare).contains("packed in a way that is not read"));
    let workbook = zip("[Content_Types].xml", b"<Types/>");
    assert!(fault_of_whole_file(&workbook).contains("an Excel workbook"));
}

fn fault_of_whole_file(archive: &[u8]) -> String {
    match Unpacked::open(archive.to_vec(), &b""[..], u64::MAX) {
        Err(ReadError::Fault(fault)) => fault.message(),
        _ => String::new(),
    }
}
