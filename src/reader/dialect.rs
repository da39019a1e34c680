//! Which character stands between two cells, judged from the beginning of the file.
//!
//! For each candidate the beginning is cut into rows. The header must then have more than one cell; of those
//! candidates the one wins with which the most rows have as many cells as the header. On a tie the one with more
//! cells in the header wins, then the first of [`DELIMITERS`]. Where none gives two cells, it is the comma.
//!
//! Rows count before header cells because a header alone misleads: `reference_id;target;name, first` has a comma
//! too, but only with the semicolon do the rows below agree with it.

use super::scan::{Grammar, Scan, scan};

/// The delimiters in use, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Judges by `beginning`; `is_all` says that it is the whole file.
pub(super) fn delimiter(beginning: &[u8], is_all: bool) -> u8 {
    let mut best = (DELIMITERS[0], (0, 0));
    for delimiter in DELIMITERS {
        let score = score(beginning, is_all, delimiter);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

/// How many rows agree with the header, the header itself counted, and how many cells it has.
fn score(beginning: &[u8], is_all: bool, delimiter: u8) -> (usize, usize) {
    let grammar = Grammar { delimiter, cells: usize::MAX };
    let mut cells = Vec::new();
    let (mut rest, mut agreeing, mut header_cells) = (beginning, 0, 0);
    loop {
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        rest = &rest[blank..];
        if rest.is_empty() {
            break;
        }
        let Scan::Row { length, .. } = scan(rest, is_all, grammar, &mut cells) else {
            // A header longer than the beginning is judged by the part that is there.
            if header_cells == 0 {
                (header_cells, agreeing) = (cells.len(), 1);
            }
            break;
        };
        if !is_blank(&rest[..length]) {
            if header_cells == 0 {
                header_cells = cells.len();
            }
            agreeing += usize::from(cells.len() == header_cells);
        }
        rest = &rest[length..];
    }
    if header_cells > 1 { (agreeing, header_cells) } else { (0, 0) }
}

/// Nothing but white space, quotes and delimiters of any kind, as above the header of some exports.
fn is_blank(row: &[u8]) -> bool {
    row.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'"' || DELIMITERS.contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_that_the_rows_agree_on_wins() {
        let cases = [
            ("reference_id,target\nA1,5125550142\n", b','),
            ("reference_id;target\nA1;5125550142\n", b';'),
            ("reference_id\ttarget\nA1\t5125550142\n", b'\t'),
            ("reference_id|target\nA1|5125550142\n", b'|'),
            // More commas than semicolons, but not in every row.
            ("reference_id;target;name, first, last\nA1;1;x\nA2;2;y\n", b';'),
            ("reference_id;target;amount\nA1;1;1,50\nA2;2;2,50\n", b';'),
            // Delimiters in quotes do not count.
            ("\"a,b,c\";d\n\"1,2,3\";4\n", b';'),
            ("\"a\";\"b\"\n\"x,\ny,\n\";\"1\"\n", b';'),
            // Some ragged rows do not turn the tables.
            ("a,b,c|d\n1,2,3\n1,2\n1,2,3\n1,2,3\n", b','),
            // Blank lines and a blank row above the header.
            ("\n\r\n,,,\na;b\n1;2\n", b';'),
            // Only a header: more cells win.
            ("a,b;c;d", b';'),
            ("a,b;c", b','),
            ("reference_id", b','),
            ("", b','),
            ("\n\n", b','),
        ];
        for (text, expected) in cases {
            assert_eq!(char::from(delimiter(text.as_bytes(), true)), char::from(expected), "{text:?}");
        }
    }

    #[test]
    fn a_row_cut_off_by_the_end_of_the_beginning_does_not_count() {
        assert_eq!(delimiter(b"a;b,c;d\n1;2;3\n1;", false), b';');
        assert_eq!(delimiter(b"a;b;c,d", false), b';');
    }
}
