//! The bytes of an upload as UTF-8 text: byte order marks taken off, other encodings decoded, what is no text refused.
//!
//! Promise: no character is ever replaced by U+FFFD. What cannot be decoded is passed on as bytes that are not
//! UTF-8, and the check of the row that they end up in names the place. Memory is the same for every size of file.

use std::io::{Chain, Cursor, ErrorKind, Read, Result as IoResult};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::unpack::{Unpacked, read_error};
use super::{ReadError, sniff};
use crate::model::{Fault, FileCode};

/// How much of a file is looked at to tell what it is.
const HEAD_BYTES: usize = 8 << 10;

/// What stands for bytes that are no character of their encoding: a lone surrogate, encoded as if it were a character.
/// It can come from nothing else, since decoding makes valid UTF-8, and no UTF-8 check lets it through.
const DAMAGED: [u8; 3] = [0xED, 0xA0, 0x80];

/// A source, put together again with what was read of it to see what it is.
type Whole<R> = Chain<Cursor<Vec<u8>>, Unpacked<R>>;

/// An upload's text as UTF-8, not yet checked where the upload itself is UTF-8.
pub(super) struct Text<R> {
    pub encoding: &'static Encoding,
    /// What it was packed with.
    pub compression: Option<&'static str>,
    bytes: Bytes<R>,
}

enum Bytes<R> {
    Utf8(Whole<R>),
    Other(Box<Decoded<Whole<R>>>),
}

impl<R: Read> Text<R> {
    /// Looks at the beginning of the source; what is no CSV by its content is a fault. `told` is the encoding that the
    /// campaign names: it counts where there is no byte order mark.
    pub fn open(mut source: R, told: Option<&'static str>, unpacked_bytes: u64) -> Result<Self, ReadError> {
        let head = beginning(&mut source)?;
        let mut source = Unpacked::open(head, source, unpacked_bytes)?;
        let compression = source.compression();
        let head = beginning(&mut source)?;
        if head.is_empty() {
            return Err(Fault::new(FileCode::EmptyFile, "it has 0 bytes; export it again").into());
        }

        let mark = Encoding::for_bom(&head);
        let told = told.and_then(|name| Encoding::for_label(name.as_bytes())).filter(|encoding| *encoding != UTF_8);
        let found = match mark {
            _ if sniff::is_utf32(&head) => Some(sniff::unmarked("UTF-32")),
            Some((encoding, bytes)) => sniff::foreign_text(&encoding.decode_without_bom_handling(&head[bytes..]).0),
            None => match told {
                Some(encoding) => sniff::foreign_file(&head)
                    .or_else(|| sniff::foreign_text(&encoding.decode_without_bom_handling(&head).0)),
                None => sniff::foreign(&head),
            },
        };
        if let Some(fault) = found {
            return Err(fault.into());
        }

        let (encoding, mark_bytes) = mark.unwrap_or((told.unwrap_or(UTF_8), 0));
        let mut head = Cursor::new(head);
        head.set_position(mark_bytes as u64);
        let whole = head.chain(source);
        let bytes =
            if encoding == UTF_8 { Bytes::Utf8(whole) } else { Bytes::Other(Box::new(Decoded::new(whole, encoding))) };
        Ok(Text { encoding, compression, bytes })
    }

    /// Fills `into`; fewer bytes than it holds mean that the text has ended.
    pub fn fill(&mut self, into: &mut [u8]) -> IoResult<usize> {
        match &mut self.bytes {
            Bytes::Utf8(whole) => fill(whole, into),
            Bytes::Other(decoded) => fill(decoded.as_mut(), into),
        }
    }
}

/// Decodes another encoding piece by piece.
struct Decoded<R> {
    source: R,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of `output` has been handed on.
    handed_on: usize,
    is_done: bool,
}

impl<R: Read> Decoded<R> {
    fn new(source: R, encoding: &'static Encoding) -> Self {
        Decoded {
            source,
            decoder: encoding.new_decoder_without_bom_handling(),
            input: vec![0; 16 << 10],
            output: Vec::new(),
            handed_on: 0,
            is_done: false,
        }
    }

    /// Decodes the next piece of the source into `output`.
    fn decode(&mut self) -> IoResult<()> {
        let length = fill(&mut self.source, &mut self.input)?;
        self.is_done = length < self.input.len();
        self.output.clear();
        self.handed_on = 0;

        let mut input = &self.input[..length];
        loop {
            let decoded = self.output.len();
            // Always enough for what is left: at most three bytes for one, and some to finish a split character.
            self.output.resize(decoded + input.len() * 3 + 16, 0);
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(input, &mut self.output[decoded..], self.is_done);
            self.output.truncate(decoded + written);
            input = &input[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.output.extend_from_slice(&DAMAGED),
            }
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        while self.handed_on == self.output.len() {
            if self.is_done {
                return Ok(0);
            }
            self.decode()?;
        }
        let rest = &self.output[self.handed_on..];
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.handed_on += length;
        Ok(length)
    }
}

/// The first bytes of a source.
fn beginning(source: &mut impl Read) -> Result<Vec<u8>, ReadError> {
    let mut head = vec![0; HEAD_BYTES];
    let length = fill(source, &mut head).map_err(read_error)?;
    head.truncate(length);
    Ok(head)
}

/// Reads until `into` is full or the source has ended, so that the size of the source's pieces changes nothing.
fn fill(source: &mut impl Read, into: &mut [u8]) -> IoResult<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match source.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Vec<u8> {
        let mut text = Text::open(bytes, None, u64::MAX).unwrap_or_else(|error| panic!("{error:?}"));
        let mut all = vec![0; bytes.len() * 3];
        let length = text.fill(&mut all).unwrap();
        all.truncate(length);
        all
    }

    #[test]
    fn marks_are_taken_off_and_utf16_is_decoded() {
        let text = "reference_id,target\nÄ1,😀\n";
        let little = text.encode_utf16().flat_map(u16::to_le_bytes);
        let big = text.encode_utf16().flat_map(u16::to_be_bytes);
        let marked = |mark: &[u8], bytes: &mut dyn Iterator<Item = u8>| mark.iter().copied().chain(bytes).collect();
        let cases: [(&str, Vec<u8>); 4] = [
            ("UTF-8", text.into()),
            ("UTF-8", marked(b"\xEF\xBB\xBF", &mut text.bytes())),
            ("UTF-16LE", marked(b"\xFF\xFE", &mut little.into_iter())),
            ("UTF-16BE", marked(b"\xFE\xFF", &mut big.into_iter())),
        ];
        for (name, bytes) in cases {
            assert_eq!(Text::open(&bytes[..], None, u64::MAX).ok().map(|text| text.encoding.name()), Some(name));
            assert_eq!(decoded(&bytes), text.as_bytes(), "{name}");
        }
    }

    #[test]
    fn an_encoding_that_is_told_counts_where_there_is_no_mark() {
        let cases: [(&str, &[u8], &str, &str); 6] = [
            ("windows-1252", b"name\nJos\xE9 \x80\n", "windows-1252", "name\nJos\u{e9} \u{20ac}\n"),
            ("Shift_JIS", b"name\n\x83\x65\x83\x58\n", "Shift_JIS", "name\nテス\n"),
            ("utf-16le", b"a\0,\0b\0\n\0", "UTF-16LE", "a,b\n"),
            ("utf-16le", b"\xFF\xFEa\0,\0b\0\n\0", "UTF-16LE", "a,b\n"),
            ("windows-1252", b"\xEF\xBB\xBFna\xC3\xAFve\n", "UTF-8", "naïve\n"),
            ("utf-8", b"na\xC3\xAFve\n", "UTF-8", "naïve\n"),
        ];
        for (told, bytes, name, expected) in cases {
            let mut text = Text::open(bytes, Some(told), u64::MAX).unwrap_or_else(|error| panic!("{error:?}"));
            let mut all = vec![0; 100];
            let length = text.fill(&mut all).unwrap();
            assert_eq!((text.encoding.name(), &all[..length]), (name, expected.as_bytes()), "{told}");
        }
        let damaged = |bytes: &[u8]| {
            let mut all = vec![0; 100];
            let length = Text::open(bytes, Some("Shift_JIS"), u64::MAX).ok().unwrap().fill(&mut all).unwrap();
            all[..length].windows(3).any(|three| three == DAMAGED)
        };
        assert!(damaged(b"name\n\x83\n") && damaged(b"name\n\x83"));
    }

    #[test]
    fn utf16_longer_than_a_piece_keeps_every_character() {
        let text = "reference_id,target\n".to_owned() + &"a,😀é\n".repeat(20_000);
        let bytes: Vec<u8> = [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert!(decoded(&bytes) == text.as_bytes());
    }

    #[test]
    fn damaged_utf16_is_never_replaced() {
        for damage in [&b"a\0\x00\xD8b\0"[..], b"a\0\x00\xDC", b"a\0\x3D\xD8", b"a\0b"] {
            let bytes = [b"\xFF\xFE", damage].concat();
            let text = decoded(&bytes);
            assert!(text.windows(3).any(|three| three == DAMAGED), "{damage:?} became {text:?}");
        }
    }

    #[test]
    fn a_failing_source_is_no_fault_and_an_interrupted_one_is_asked_again() {
        struct Failing(Vec<std::io::Error>);
        impl Read for Failing {
            fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
                match self.0.pop() {
                    Some(error) => Err(error),
                    None => b"a,b\n".as_slice().read(into).map(|length| length.min(into.len())),
                }
            }
        }
        let reset = || std::io::Error::new(ErrorKind::ConnectionReset, "gone");
        match Text::open(Failing(vec![reset(), ErrorKind::Interrupted.into()]), None, u64::MAX).err() {
            Some(ReadError::Source(error)) => {
                assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ConnectionReset, "gone"));
            }
            other => panic!("{other:?}"),
        }
        assert!(Text::open(Failing(vec![ErrorKind::Interrupted.into()]), None, u64::MAX).is_ok());
    }
}
