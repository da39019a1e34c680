//! What a file is when it is no CSV, told by its content and never by its name.
//!
//! Promise: a file that could be a CSV is let through. A wrong refusal turns a good file away, while a wrong
//! admission ends in a fault about the header anyway; so each test here asks for what no header begins with.

use memchr::memmem;

use crate::model::{Fault, FileCode};

/// How to get from what was sent to a CSV.
#[derive(Clone, Copy)]
enum Way {
    SaveAs,
    Unpack,
    Export,
}

use Way::{Export, SaveAs, Unpack};

/// What files of each kind begin with. Archives are refused where they lie in another one, or hold nothing.
const SIGNATURES: &[(&[u8], &str, Way)] = &[
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel workbook (.xls) or another Office file", SaveAs),
    (b"%PDF-", "a PDF document", Export),
    (b"\x89PNG\r\n\x1A\n", "a PNG image", Export),
    (b"\xFF\xD8\xFF", "a JPEG image", Export),
    (b"GIF87a", "a GIF image", Export),
    (b"GIF89a", "a GIF image", Export),
    (b"{\\rtf", "an RTF document", Export),
    (b"SQLite format 3\0", "an SQLite database", Export),
    // The fourth byte alone would refuse a header such as PAR1_score; a real one goes on in binary.
    (b"PAR1\x15", "a Parquet file", Export),
    (b"\x1F\x8B", "a gzip archive", Unpack),
    (b"\x28\xB5\x2F\xFD", "a zstd archive", Unpack),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", Unpack),
    (b"\xFD7zXZ\0", "an xz archive", Unpack),
    (b"BZh91AY&SY", "a bzip2 archive", Unpack),
    (b"Rar!\x1A\x07", "a RAR archive", Unpack),
    (b"PK\x03\x04", "a zip archive", Unpack),
    (b"PK\x05\x06", "a zip archive", Unpack),
];

/// What the names of a zip archive's first members tell.
const ZIP_MEMBERS: &[(&[u8], &str, Way)] = &[
    (b"application/vnd.oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)", SaveAs),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file", Export),
    (b"xl/", "an Excel workbook (.xlsx)", SaveAs),
    (b"word/", "a Word document (.docx)", Export),
    (b"ppt/", "a PowerPoint presentation (.pptx)", Export),
    (b"[Content_Types].xml", "an Excel workbook (.xlsx)", SaveAs),
];

/// The fault of a file without a byte order mark that is no CSV by its first bytes.
pub(super) fn foreign(head: &[u8]) -> Option<Fault> {
    if let Some(fault) = foreign_file(head) {
        return Some(fault);
    }
    if let Some(encoding) = utf16_without_mark(head) {
        return Some(unmarked(encoding));
    }
    markup(head).or_else(|| binary(head))
}

/// The fault of a file that begins as files of some other kind do.
pub(super) fn foreign_file(head: &[u8]) -> Option<Fault> {
    if let Some(&(_, what, way)) = SIGNATURES.iter().find(|(signature, ..)| head.starts_with(signature)) {
        return Some(not_csv(what, way));
    }
    None
}

/// The fault of a zip archive that is a document: what its first member is called tells, and then the others' names.
pub(super) fn document(head: &[u8]) -> Option<Fault> {
    const FIRST: [&[u8]; 7] = [b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"word/", b"ppt/", b"mimetype"];
    let first = head.get(30..)?;
    if !FIRST.iter().any(|name| first.starts_with(name)) {
        return None;
    }
    let member = ZIP_MEMBERS.iter().find(|(name, ..)| memmem::find(head, name).is_some());
    let (_, what, way) = member.copied().unwrap_or((b"", "an Office document", Export));
    Some(not_csv(what, way))
}

/// The same for the text behind a byte order mark.
pub(super) fn foreign_text(text: &str) -> Option<Fault> {
    markup(text.as_bytes()).or_else(|| binary(text.as_bytes()))
}

/// Whether the file begins with a byte order mark of UTF-32; that of UTF-32LE begins like the one of UTF-16LE.
pub(super) fn is_utf32(head: &[u8]) -> bool {
    head.starts_with(b"\xFF\xFE\0\0") || head.starts_with(b"\0\0\xFE\xFF")
}

/// The fault of text in an encoding that is not read.
pub(super) fn unmarked(encoding: &str) -> Fault {
    Fault::new(
        FileCode::InvalidEncoding,
        format!("the file looks like {encoding}; save it as \"CSV UTF-8\" and drop it again"),
    )
}

fn not_csv(what: &str, way: Way) -> Fault {
    let way = match way {
        SaveAs => "open it, choose Save As, pick \"CSV UTF-8\", and drop the file that this makes",
        Unpack => "unpack it and drop the CSV file itself",
        Export => "export the data again as CSV (UTF-8) from where it came from, and drop that file",
    };
    Fault::new(FileCode::InvalidFileFormat, format!("this is {what}, not a CSV file; {way}"))
}

/// HTML, XML and JSON: text, but no table.
fn markup(head: &[u8]) -> Option<Fault> {
    let head = head.trim_ascii_start();
    let begins = |word: &str| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    if ["<!doctype html", "<html", "<head", "<body", "<table"].into_iter().any(begins) {
        return Some(not_csv("an HTML page", Export));
    }
    if begins("<?xml") {
        return Some(not_csv("an XML document", Export));
    }
    is_json(head).then(|| not_csv("JSON data", Export))
}

/// An object or an array of objects, texts or arrays. A bracket alone may begin a header, such as `[id],[phone]`.
fn is_json(head: &[u8]) -> bool {
    let Some((&first, rest)) = head.split_first() else { return false };
    let second = rest.trim_ascii_start().first();
    match first {
        b'{' => matches!(second, Some(b'"' | b'}')),
        b'[' => matches!(second, Some(b'{' | b'"' | b'[')),
        _ => false,
    }
}

/// The encoding when nearly every other byte is NUL, as in UTF-16 text of mostly Latin letters.
fn utf16_without_mark(head: &[u8]) -> Option<&'static str> {
    let pairs = head.len() / 2;
    let nuls = |from: usize| head.iter().skip(from).step_by(2).take(pairs).filter(|&&byte| byte == 0).count();
    let (even, odd) = (nuls(0), nuls(1));
    let mostly = |many: usize, few: usize| pairs >= 2 && many * 10 >= pairs * 7 && few * 10 <= pairs;
    if mostly(odd, even) {
        return Some("UTF-16LE without a byte order mark");
    }
    mostly(even, odd).then_some("UTF-16BE without a byte order mark")
}

/// More control characters than text has. A stray one is a matter for its row.
fn binary(head: &[u8]) -> Option<Fault> {
    let is_control = |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C);
    let controls = head.iter().filter(|&&byte| is_control(byte)).count();
    (controls >= 4 && controls * 20 > head.len()).then(|| not_csv("a binary file", Export))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVE_AS: &str = "open it, choose Save As, pick \"CSV UTF-8\", and drop the file that this makes";
    const UNPACK: &str = "unpack it and drop the CSV file itself";
    const EXPORT: &str = "export the data again as CSV (UTF-8) from where it came from, and drop that file";

    #[test]
    fn what_is_no_csv_is_named() {
        let cases: Vec<(Vec<u8>, &str, &str)> = vec![
            (b"PK\x03\x04\x14\0\0\0".into(), "a zip archive", UNPACK),
            (b"PK\x05\x06\0\0\0\0".into(), "a zip archive", UNPACK),
            (b"\x1F\x8B\x08\0\0\0\0\0".into(), "a gzip archive", UNPACK),
            (b"\x28\xB5\x2F\xFD\x24\x10".into(), "a zstd archive", UNPACK),
            (b"7z\xBC\xAF\x27\x1C\0\x04".into(), "a 7z archive", UNPACK),
            (b"%PDF-1.7\n%\xE2\xE3".into(), "a PDF document", EXPORT),
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF".into(), "a JPEG image", EXPORT),
            (b"GIF89a\x01\0\x01\0".into(), "a GIF image", EXPORT),
            (b"{\\rtf1\\ansi a,b}".into(), "an RTF document", EXPORT),
            (b"SQLite format 3\0\x10\0".into(), "an SQLite database", EXPORT),
            (b"PAR1\x15\x04\x15\x10".into(), "a Parquet file", EXPORT),
            (b"\n <!DOCTYPE HTML PUBLIC>".into(), "an HTML page", EXPORT),
            (b"<Html lang=en>".into(), "an HTML page", EXPORT),
            (b"<?xml version=\"1.0\"?>".into(), "an XML document", EXPORT),
            (b"[\n  {\"a\": 1}]".into(), "JSON data", EXPORT),
            (b" {\"a\": 1}".into(), "JSON data", EXPORT),
            (b"[\"a\", 1]".into(), "JSON data", EXPORT),
            (b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0".into(), "a binary file", EXPORT),
        ];
        for (head, what, way) in cases {
            let message = foreign(&head).map(|fault| fault.message());
            assert_eq!(message, Some(format!("Invalid file format: this is {what}, not a CSV file; {way}")));
        }
    }

    #[test]
    fn a_zip_that_is_a_document_is_named() {
        let zip = |members: &str| [b"PK\x03\x04", [0; 26].as_slice(), members.as_bytes()].concat();
        let cases = [
            ("[Content_Types].xml", "an Excel workbook (.xlsx)", SAVE_AS),
            ("_rels/.rels xl/workbook.xml", "an Excel workbook (.xlsx)", SAVE_AS),
            ("[Content_Types].xml word/document.xml", "a Word document (.docx)", EXPORT),
            ("mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK", "an OpenDocument spreadsheet (.ods)", SAVE_AS),
        ];
        for (members, what, way) in cases {
            let message = document(&zip(members)).map(|fault| fault.message());
            assert_eq!(message, Some(format!("Invalid file format: this is {what}, not a CSV file; {way}")));
        }
        assert_eq!(document(&zip("contacts.csv reference_id,target,xl/a")), None);
    }

    #[test]
    fn utf16_without_a_mark_is_named() {
        let text = "reference_id,target\nA1,+15125550142\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (head, name) in [(little, "UTF-16LE"), (big, "UTF-16BE")] {
            let fault = foreign(&head).unwrap();
            assert_eq!(
                fault.message(),
                format!(
                    "Invalid encoding: the file looks like {name} without a byte order mark; save it as \"CSV UTF-8\" \
                     and drop it again"
                )
            );
        }
    }

    #[test]
    fn what_may_be_a_csv_is_let_through() {
        let heads: [&[u8]; 12] = [
            b"reference_id,target\nA1,+15125550142\n",
            b"[reference_id],[target]\n",
            b"[reference_id]\n[1]\n",
            b"{id},{phone}\n",
            b"<id>;<phone>\n",
            b"PAR1_score,reference_id,target\n",
            b"PK,reference_id,target\n",
            b"GIF,reference_id\n",
            b"%PDF,reference_id\n",
            b"reference_id,target\nA\0,1\n",
            b"a,b\n\0",
            b"r\xE9f\xE9rence,t\xE9l\xE9phone\n",
        ];
        for head in heads {
            assert_eq!(foreign(head), None, "{:?}", String::from_utf8_lossy(head));
        }
    }
}
