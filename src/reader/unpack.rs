//! What was packed before it was sent: gzip, zstd, and a zip with one CSV in it, told by content and never by name.
//!
//! Promise: bytes go through in pieces, front to back. Nothing is ever whole in memory, whatever it unpacks to, and the
//! limit on unpacked bytes is kept. Damage, and anything behind the end, is a fault; what the source itself has to say
//! stays the source's error.

use std::io::{BufRead, BufReader, Chain, Cursor, Error, ErrorKind, Read, Result as IoResult};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Crc;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{ReadError, sniff};
use crate::model::{Fault, FileCode};

/// A source, put together again with what was read of it to see what it is.
pub(super) type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

type Input<R> = BufReader<Guarded<Whole<R>>>;

/// The bytes of a file, unpacked where they were packed.
pub(super) enum Unpacked<R> {
    Plain(Whole<R>),
    Packed(Box<Packed<R>>),
}

/// A packed file, and how much of it has been unpacked.
pub(super) struct Packed<R> {
    method: Method<R>,
    name: &'static str,
    limit: u64,
    count: u64,
    failure: Failure,
}

enum Method<R> {
    Gzip(MultiGzDecoder<Input<R>>),
    Zstd(Zstd<R>),
    Zip(Member<R>),
}

/// Why unpacking stopped, inside an [`Error`]; anything else is the source's own.
#[derive(Debug)]
struct Stopped(Fault);

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Stopped {}

/// The source, whose own error is kept apart from what a decoder makes of it.
pub(super) struct Guarded<R> {
    source: R,
    failure: Failure,
}

/// The error that the source failed with.
type Failure = Arc<Mutex<Option<Error>>>;

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        self.source.read(into).map_err(|error| {
            if error.kind() == ErrorKind::Interrupted {
                return error;
            }
            let placeholder = Error::new(error.kind(), "the source failed");
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            placeholder
        })
    }
}

/// What an error of reading means: the fault that unpacking found, or the source's own error.
pub(super) fn read_error(error: Error) -> ReadError {
    match error.downcast::<Stopped>() {
        Ok(stopped) => ReadError::Fault(stopped.0),
        Err(error) => ReadError::Source(error),
    }
}

/// What a decoder says of bad bytes is the file's fault; what the source says is handed on.
fn explained(error: Error, failure: &Failure, name: &str) -> Error {
    if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return error;
    }
    if error.get_ref().is_some_and(|inner| inner.is::<Stopped>()) {
        return error;
    }
    stop(failed(&format!("the {name} archive is damaged or was cut off, or something else follows it")))
}

fn failed(detail: &str) -> Fault {
    Fault::new(FileCode::UnpackFailed, format!("{detail}; pack the CSV again, or send it as it is"))
}

fn stop(fault: Fault) -> Error {
    Error::other(Stopped(fault))
}

impl<R: Read> Unpacked<R> {
    /// `head` is what has been read of the source already.
    pub fn open(head: Vec<u8>, source: R, limit: u64) -> Result<Self, ReadError> {
        let kind = match head[..] {
            [0x1F, 0x8B, ..] => "gzip",
            [0x28, 0xB5, 0x2F, 0xFD, ..] => "zstd",
            [b'P', b'K', 3, 4, ..] => "zip",
            _ => return Ok(Unpacked::Plain(Cursor::new(head).chain(source))),
        };
        if kind == "zip"
            && let Some(fault) = sniff::document(&head)
        {
            return Err(fault.into());
        }
        let failure = Failure::default();
        let guarded = Guarded { source: Cursor::new(head).chain(source), failure: failure.clone() };
        let mut input = BufReader::with_capacity(64 << 10, guarded);
        let method = match kind {
            "gzip" => Method::Gzip(MultiGzDecoder::new(input)),
            "zstd" => Method::Zstd(Zstd::new(input)),
            _ => {
                let header =
                    LocalHeader::read(&mut input).map_err(|error| read_error(explained(error, &failure, kind)))?;
                Method::Zip(header.of(input))
            }
        };
        Ok(Unpacked::Packed(Box::new(Packed { method, name: kind, limit, count: 0, failure })))
    }

    /// `gzip`, `zstd` or `zip`.
    pub fn compression(&self) -> Option<&'static str> {
        match self {
            Unpacked::Plain(_) => None,
            Unpacked::Packed(packed) => Some(packed.name),
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        match self {
            Unpacked::Plain(whole) => whole.read(into),
            Unpacked::Packed(packed) => packed.read(into),
        }
    }
}

impl<R: Read> Packed<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        let result = match &mut self.method {
            Method::Gzip(gzip) => gzip.read(into),
            Method::Zstd(zstd) => zstd.read(into),
            Method::Zip(member) => member.read(into),
        };
        let length = result.map_err(|error| explained(error, &self.failure, self.name))?;
        self.count += length as u64;
        if self.count > self.limit {
            let detail = format!(
                "it unpacks to more than {} bytes; split the file, or ask the operator to raise the limit",
                self.limit
            );
            return Err(stop(Fault::new(FileCode::LimitExceeded, detail)));
        }
        Ok(length)
    }
}

/// Frames of zstd, one after another.
struct Zstd<R> {
    input: Input<R>,
    decoder: Box<FrameDecoder>,
    is_in_frame: bool,
}

/// The most memory for what a frame may refer back to.
const ZSTD_WINDOW_BYTES: u64 = 64 << 20;

impl<R: Read> Zstd<R> {
    fn new(input: Input<R>) -> Self {
        let mut decoder = Box::new(FrameDecoder::new());
        decoder.set_max_window_size(ZSTD_WINDOW_BYTES);
        Zstd { input, decoder, is_in_frame: false }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        while !into.is_empty() {
            if !self.is_in_frame {
                if self.input.fill_buf()?.is_empty() {
                    break;
                }
                self.decoder.reset(&mut self.input).map_err(Error::other)?;
                self.is_in_frame = true;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(into);
            }
            if !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(Error::other)?;
                continue;
            }
            let told = self.decoder.get_checksum_from_data();
            if told.is_some() && told != self.decoder.get_calculated_checksum() {
                return Err(Error::other("the checksum is wrong"));
            }
            self.is_in_frame = false;
        }
        Ok(0)
    }
}

/// The one member of a zip, as its local header describes it.
struct LocalHeader {
    is_deflated: bool,
    /// `None` where the sizes stand behind the data.
    sizes: Option<(u32, u64, u64)>,
}

/// Sizes too large for the header stand in an extra field.
fn zip64_sizes(mut extra: &[u8], packed: u32, unpacked: u32) -> (u64, u64) {
    while let [a, b, c, d, rest @ ..] = extra {
        let (id, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
        if id == 1 && packed == u32::MAX && unpacked == u32::MAX && rest.len() >= 16 && length >= 16 {
            let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| rest[at + index]));
            return (number(8), number(0));
        }
        extra = rest.get(length..).unwrap_or_default();
    }
    (u64::from(packed), u64::from(unpacked))
}

/// The one member of a zip being read.
struct Member<R> {
    data: Data<R>,
    sizes: Option<(u32, u64, u64)>,
    crc: Crc,
    is_done: bool,
}

enum Data<R> {
    Deflated(DeflateDecoder<Input<R>>),
    Stored(std::io::Take<Input<R>>),
    Nothing,
}

impl LocalHeader {
    fn read(input: &mut impl Read) -> IoResult<LocalHeader> {
        let mut header = [0; 30];
        input.read_exact(&mut header)?;
        let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let mut name = vec![0; usize::from(short(26))];
        input.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(short(28))];
        input.read_exact(&mut extra)?;

        let (flags, method) = (short(6), short(8));
        if flags & 1 != 0 {
            return Err(stop(failed("the zip archive has a password")));
        }
        if name.ends_with(b"/") {
            return Err(stop(failed("the zip archive holds a folder; it must hold one CSV file and nothing else")));
        }
        if !matches!(method, 0 | 8) {
            return Err(stop(failed(
                "the zip archive is packed in a way that is not read (only stored and deflated are)",
            )));
        }
        let sizes = (flags & 8 == 0).then(|| {
            let (packed, unpacked) = zip64_sizes(&extra, long(18), long(22));
            (long(14), packed, unpacked)
        });
        if method == 0 && sizes.is_none() {
            return Err(stop(failed("the zip archive does not say how long its member is")));
        }
        Ok(LocalHeader { is_deflated: method == 8, sizes })
    }
    fn of<R: Read>(self, input: Input<R>) -> Member<R> {
        let data = match (self.is_deflated, self.sizes) {
            (false, Some((_, packed, _))) => Data::Stored(input.take(packed)),
            _ => Data::Deflated(DeflateDecoder::new(input)),
        };
        Member { data, sizes: self.sizes, crc: Crc::new(), is_done: false }
    }
}

impl<R: Read> Read for Member<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        if self.is_done || into.is_empty() {
            return Ok(0);
        }
        let length = match &mut self.data {
            Data::Deflated(data) => data.read(into)?,
            Data::Stored(data) => data.read(into)?,
            Data::Nothing => 0,
        };
        self.crc.update(&into[..length]);
        if length == 0 {
            self.finish()?;
        }
        Ok(length)
    }
}

impl<R: Read> Member<R> {
    /// Behind the member: it must be whole, and the last.
    fn finish(&mut self) -> IoResult<()> {
        self.is_done = true;
        let (mut input, packed) = match std::mem::replace(&mut self.data, Data::Nothing) {
            Data::Deflated(data) => {
                let packed = data.total_in();
                (data.into_inner(), Some(packed))
            }
            Data::Stored(data) if data.limit() == 0 => (data.into_inner(), None),
            _ => return Err(Error::other("cut off")),
        };
        let unpacked = u64::from(self.crc.amount());
        // The count of Crc wraps at 32 bits.
        let is_right = |(crc, packed_size, size): (u32, u64, u64)| {
            crc == self.crc.sum() && packed.is_none_or(|packed| packed == packed_size) && size as u32 == unpacked as u32
        };
        let mut signature = [0; 4];
        input.read_exact(&mut signature)?;
        match self.sizes {
            Some(sizes) if !is_right(sizes) => return Err(Error::other("the checksum is wrong")),
            Some(_) => {}
            None => {
                let crc = if signature == *b"PK\x07\x08" { four(&mut input)? } else { signature };
                if u32::from_le_bytes(crc) != self.crc.sum() {
                    return Err(Error::other("the checksum is wrong"));
                }
                // Two sizes of four bytes each, or of eight in large archives; the directory follows.
                signature = behind_sizes(&mut input)?;
            }
        }
        if signature == *b"PK\x03\x04" {
            return Err(stop(failed(
                "the zip archive holds several files; it must hold one CSV file and nothing else",
            )));
        }
        if signature != *b"PK\x01\x02" {
            return Err(Error::other("no directory"));
        }
        ends_properly(&mut input)
    }
}

fn four(input: &mut impl Read) -> IoResult<[u8; 4]> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes).map(|()| bytes)
}

/// Reads the sizes behind a member, and the signature behind them.
fn behind_sizes(input: &mut impl Read) -> IoResult<[u8; 4]> {
    four(input)?;
    four(input)?;
    let next = four(input)?;
    if next.starts_with(b"PK") {
        return Ok(next);
    }
    four(input)?;
    four(input)
}

/// The directory is short for one member. It must be whole; whatever was cut off, its end is missing.
fn ends_properly(input: &mut impl Read) -> IoResult<()> {
    let mut tail = Vec::new();
    input.take(256 << 10).read_to_end(&mut tail)?;
    // The end record is 22 bytes, and a comment of the length that its last two say.
    let end = memchr::memmem::rfind(&tail, b"PK\x05\x06").and_then(|at| tail.get(at..));
    let is_whole =
        end.is_some_and(|end| end.len() >= 22 && end.len() == 22 + usize::from(u16::from_le_bytes([end[20], end[21]])));
    if is_whole { Ok(()) } else { Err(Error::other("no end")) }
}

#[cfg(test)]
pub(super) mod tests;
