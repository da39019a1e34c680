//! The bytes of an upload as UTF-8 text: byte order marks taken off, UTF-16 decoded, what is no text refused.
//!
//! Promise: no character is ever replaced by U+FFFD. What cannot be decoded is passed on as bytes that are not
//! UTF-8, and the check of the row that they end up in names the place. Memory is the same for every size of file.

use std::io::{Chain, Cursor, ErrorKind, Read, Result as IoResult};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{ReadError, sniff};
use crate::model::{Fault, FileCode};

/// How much of a file is looked at to tell what it is.
const HEAD_BYTES: usize = 8 << 10;

/// What stands for a damaged UTF-16 character: a lone surrogate, encoded as if it were a character. It can come
/// from nothing else, since decoding makes valid UTF-8, and no UTF-8 check lets it through.
const DAMAGED: [u8; 3] = [0xED, 0xA0, 0x80];

/// A source, put together again with what was read of it to see what it is.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// An upload's text as UTF-8, not yet checked where the upload itself is UTF-8.
pub(super) struct Text<R> {
    pub encoding: &'static Encoding,
    bytes: Bytes<R>,
}

enum Bytes<R> {
    Utf8(Whole<R>),
    Utf16(Box<Utf16<Whole<R>>>),
}

impl<R: Read> Text<R> {
    /// Looks at the beginning of the source; what is no CSV by its content is a fault.
    pub fn open(mut source: R) -> Result<Self, ReadError> {
        let mut head = vec![0; HEAD_BYTES];
        let length = fill(&mut source, &mut head).map_err(ReadError::Source)?;
        head.truncate(length);
        if head.is_empty() {
            return Err(Fault::new(FileCode::EmptyFile, "it has 0 bytes; export it again").into());
        }

        let mark = Encoding::for_bom(&head);
        let found = match mark {
            _ if sniff::is_utf32(&head) => Some(sniff::unmarked("UTF-32")),
            Some((encoding, bytes)) => sniff::foreign_text(&encoding.decode_without_bom_handling(&head[bytes..]).0),
            None => sniff::foreign(&head),
        };
        if let Some(fault) = found {
            return Err(fault.into());
        }

        let (encoding, mark_bytes) = mark.unwrap_or((UTF_8, 0));
        let mut head = Cursor::new(head);
        head.set_position(mark_bytes as u64);
        let whole = head.chain(source);
        let bytes = if encoding == UTF_16LE || encoding == UTF_16BE {
            Bytes::Utf16(Box::new(Utf16::new(whole, encoding)))
        } else {
            Bytes::Utf8(whole)
        };
        Ok(Text { encoding, bytes })
    }

    /// Fills `into`; fewer bytes than it holds mean that the text has ended.
    pub fn fill(&mut self, into: &mut [u8]) -> IoResult<usize> {
        match &mut self.bytes {
            Bytes::Utf8(whole) => fill(whole, into),
            Bytes::Utf16(utf16) => fill(utf16.as_mut(), into),
        }
    }
}

/// Decodes UTF-16 piece by piece.
struct Utf16<R> {
    source: R,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of `output` has been handed on.
    handed_on: usize,
    is_done: bool,
}

impl<R: Read> Utf16<R> {
    fn new(source: R, encoding: &'static Encoding) -> Self {
        Utf16 {
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
            // Always enough for what is left: at most three bytes for two, and some to finish a split character.
            self.output.resize(decoded + input.len() * 2 + 16, 0);
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

impl<R: Read> Read for Utf16<R> {
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
        let mut text = Text::open(bytes).unwrap_or_else(|error| panic!("{error:?}"));
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
            assert_eq!(Text::open(&bytes[..]).ok().map(|text| text.encoding.name()), Some(name));
            assert_eq!(decoded(&bytes), text.as_bytes(), "{name}");
        }
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
        match Text::open(Failing(vec![reset(), ErrorKind::Interrupted.into()])).err() {
            Some(ReadError::Source(error)) => {
                assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ConnectionReset, "gone"));
            }
            other => panic!("{other:?}"),
        }
        assert!(Text::open(Failing(vec![ErrorKind::Interrupted.into()])).is_ok());
    }
}
