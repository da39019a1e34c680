//! Any bytes through reader and rules: nothing panics, rows are numbered without a gap and judged once each, and where
//! pieces end changes nothing.
#![no_main]

use std::io::Read;

use batchdrop::model::{Campaign, Format, Newline};
use batchdrop::reader::{HeaderRules, Limits, ReadError, Rows};
use batchdrop::rules::Judge;
use libfuzzer_sys::fuzz_target;

/// Hands out its bytes in pieces of one size.
struct InPieces<'a>(&'a [u8], usize);

impl Read for InPieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = into.len().min(self.1);
        self.0.read(&mut into[..length])
    }
}

/// The last two bytes pick what the campaign tells, so that every grammar is met, and so that any file is a seed as it
/// stands.
fn campaign(choice: u16) -> Campaign {
    let pick = |shift: u8, count: usize| usize::from(choice >> shift) % count;
    let names = ["ref_id", "phone", "name"].map(str::to_owned).to_vec();
    let format = Format {
        delimiter: [None, Some(";"), Some("||"), Some(", ")][pick(0, 4)].map(str::to_owned),
        quote: [None, Some(Some(b'\'')), Some(None), Some(Some(b'"'))][pick(2, 4)],
        escape: [None, Some(Some(b'\\'))][pick(4, 2)],
        newline: [None, Some(Newline::CrLf)][pick(5, 2)],
        encoding: [None, Some("windows-1252")][pick(6, 2)],
        skip_rows: pick(7, 2) as u32,
        header: pick(8, 4) != 1,
        names: if pick(8, 4) == 0 { Vec::new() } else { names },
        comment: [None, Some("#")][pick(10, 2)].map(str::to_owned),
        ..Format::default()
    };
    Campaign { format, ..Campaign::default() }
}

/// Every row as (number, line, cells), the verdicts' sum, and the fault that ended it.
fn read(source: impl Read, campaign: &Campaign, limits: Limits) -> (Vec<(u32, u32, Vec<String>)>, Option<String>) {
    let mut all = Vec::new();
    let read_all = || -> Result<(), ReadError> {
        let mut rows = Rows::open(source, &campaign.format, limits)?;
        let header = rows.header(&HeaderRules::of(campaign))?;
        let mut judge = Judge::new(campaign, header).expect("a campaign that can be judged");
        while let Some(row) = rows.next_row()? {
            judge.judge(&row);
            all.push((row.number, row.line, row.values().map(str::to_owned).collect()));
            assert_eq!(judge.verdicts().total(), all.len() as u64, "every row has one verdict");
            assert_eq!(row.number as usize, all.len(), "rows are numbered without a gap");
        }
        Ok(())
    };
    let fault = match read_all() {
        Ok(()) => None,
        Err(ReadError::Fault(fault)) => Some(fault.message()),
        Err(ReadError::Source(error)) => panic!("bytes in memory do not fail: {error}"),
    };
    (all, fault)
}

/// The file as it is shown, whatever its columns mean: the names, and the lines and cells of its rows.
fn shown(source: impl Read, format: &Format, limits: Limits) -> (Vec<String>, Vec<(u32, Vec<String>)>) {
    let (mut names, mut all) = (Vec::new(), Vec::new());
    let mut show = || -> Result<(), ReadError> {
        let mut rows = Rows::open(source, format, limits)?;
        rows.number_columns();
        names.clone_from(&rows.names);
        while let Some(row) = rows.next_row()? {
            all.push((row.line, row.values().map(str::to_owned).collect()));
        }
        Ok(())
    };
    if let Err(ReadError::Source(error)) = show() {
        panic!("bytes in memory do not fail: {error}");
    }
    (names, all)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((bytes, choice)) = bytes.split_last_chunk() else { return };
    let campaign = campaign(u16::from_le_bytes(*choice));
    let limits = Limits { columns: 64, row_bytes: 4096, cell_bytes: 512, unpacked_bytes: 1 << 20, ..Limits::default() };
    let whole = read(bytes, &campaign, limits);
    let all = shown(bytes, &campaign.format, limits);
    for size in [1, 7, 4096] {
        assert_eq!(read(InPieces(bytes, size), &campaign, limits), whole);
        assert_eq!(shown(InPieces(bytes, size), &campaign.format, limits), all);
    }
});
