//! How a file is written, judged from its beginning, as far as the campaign does not say it.
//!
//! For each candidate the beginning is cut into rows, and the one wins with which the most rows make sense and have as
//! many cells as the header; on a tie the one that leaves more values whole (numbers, dates, addresses), then the one
//! with more cells in the header, then the first of [`DELIMITERS`]. Other
//! quotes, an escape and rarer delimiters are looked at only where they may explain what the usual ones do not: a wrong
//! guess does more harm than a plain reading. Where none gives two cells, it is the comma.
//!
//! Rows count before header cells because a header alone misleads: `reference_id;target;name, first` has a comma
//! too, but only with the semicolon do the rows below agree with it.

use super::grammar::{Grammar, QUOTE};
use super::look::{Look, Sample};
use crate::model::Format;

/// The delimiters in use, the likeliest first.
const DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];

/// Delimiters that are seen too, and that are part of many cells otherwise: the whole beginning must agree on them, or
/// names above columns of values show that they are right.
const RARE_DELIMITERS: [&str; 4] = ["^", "~", ":", " "];

/// What was found.
pub(super) struct Found {
    pub grammar: Grammar,
    /// `lf`, `crlf`, `cr` or `mixed`.
    pub newline: &'static str,
    /// Rows above the header: a title, say.
    pub rows_above: usize,
    /// The first row looks like data.
    pub seems_headless: bool,
}

/// Judges by `beginning`; `is_all` says that it is the whole file.
pub(super) fn detect(beginning: &[u8], is_all: bool, told: &Format, cells: usize) -> Found {
    let sample = Sample { bytes: beginning, is_all, told, cells };
    // What is told to stand between cells means nothing else.
    let is_free = |byte: u8| told.delimiter.as_ref().is_none_or(|delimiter| !delimiter.as_bytes().contains(&byte));
    let quotes: &[u8] = if is_free(b'\'') { &[QUOTE, b'\''] } else { &[QUOTE] };
    let may_escape = is_free(b'\\') && beginning.contains(&b'\\');
    let escapes: &[Option<u8>] = if may_escape { &[None, Some(b'\\')] } else { &[None] };
    let mut best = sample.best(&DELIMITERS, &[QUOTE], &[None]);
    if !best.is_certain() || best.may_be_quoted_otherwise(beginning) {
        let other = sample.best(&DELIMITERS, quotes, escapes);
        if other.explains_more_than(&best) {
            best = other;
        }
    }
    if told.delimiter.is_none() && !best.is_good() {
        let rare = sample.best(&RARE_DELIMITERS, quotes, escapes);
        let is_table = rare.is_certain() || rare.is_good() && rare.is_evident();
        if is_table && rare.rows > 1 && (rare.grammar.delimiter != b" " || rare.has_numbers) {
            best = rare;
        }
    }
    if told.delimiter.is_none() && best.rows > 1 && best.grammar.delimiter != b" " {
        let single = best.grammar.delimiter.as_slice();
        let wider = if best.is_padded { [single, b" "].concat() } else { [single, single].concat() };
        if best.is_padded || best.is_doubled {
            best = sample.look(Grammar { delimiter: wider, ..best.grammar });
        }
    }
    let newline = told.newline.map_or(best.newline(), |newline| newline.as_str());
    Found { grammar: best.grammar, newline, rows_above: best.rows_above, seems_headless: best.seems_headless }
}

impl Look {
    /// A table with rows above its header must not beat one without, unless its header is evident: what stands there
    /// might be the header itself.
    fn score(&self) -> (bool, usize, usize, usize) {
        match self.header_cells {
            0 | 1 => (false, 0, 0, 0),
            cells => (self.is_good(), self.agreeing, self.typed_bytes, cells),
        }
    }

    /// Every row agrees with the header.
    fn is_certain(&self) -> bool {
        self.header_cells > 1 && self.rows_above == 0 && self.agreeing == self.rows
    }

    /// Nearly every row does; and where rows stand above the header, it is evident that it is one.
    fn is_good(&self) -> bool {
        let has_header = self.rows_above == 0 || self.is_evident();
        self.header_cells > 1 && has_header && self.agreeing * 10 >= self.rows * 9
    }

    /// Names stand above columns of values: what was cut so makes sense.
    fn is_evident(&self) -> bool {
        self.named_values > 1
    }

    /// Whether there are cells that begin and end with an apostrophe, and none in the usual quotes.
    fn may_be_quoted_otherwise(&self, bytes: &[u8]) -> bool {
        self.quoted == 0 && memchr::memmem::find_iter(bytes, b"'").take(2).count() == 2
    }

    /// Whether it makes sense of more rows; or, with another quote, of as many, and whole columns are in such quotes.
    fn explains_more_than(&self, usual: &Look) -> bool {
        let is_other_quote = self.grammar.quote != usual.grammar.quote;
        if !is_other_quote {
            return (self.score().0, self.agreeing) > (usual.score().0, usual.agreeing);
        }
        let has_better_columns = self.agreeing == usual.agreeing && self.has_quoted_column && usual.quoted == 0;
        let has_quotes = self.quoted > 1 || self.quoted == 1 && self.is_certain() && self.is_evident();
        has_quotes && self.is_good() && (self.agreeing > usual.agreeing || has_better_columns)
    }
}

impl Sample<'_> {
    /// The best of the candidates, of those that the campaign leaves open.
    fn best(&self, delimiters: &[&str], quotes: &[u8], escapes: &[Option<u8>]) -> Look {
        let usual = Grammar::of(self.told, self.cells);
        let mut best: Option<Look> = None;
        for quote in quotes {
            for escape in escapes {
                for delimiter in delimiters {
                    let mut grammar = usual.clone();
                    if self.told.delimiter.is_none() {
                        grammar.delimiter = delimiter.as_bytes().to_vec();
                    }
                    if self.told.quote.is_none() {
                        grammar.quote = Some(*quote);
                    }
                    if self.told.escape.is_none() {
                        grammar.escape = *escape;
                    }
                    let look = self.look(grammar);
                    let is_better = |best: &Look| match look.grammar.quote == best.grammar.quote {
                        true => look.score() > best.score(),
                        false => look.explains_more_than(best),
                    };
                    if best.as_ref().is_none_or(is_better) {
                        best = Some(look);
                    }
                }
            }
        }
        best.unwrap_or_else(|| self.look(usual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        detect(text.as_bytes(), true, &Format::default(), 100)
    }

    fn delimiter(text: &[u8], is_all: bool) -> String {
        String::from_utf8(detect(text, is_all, &Format::default(), 100).grammar.delimiter).unwrap()
    }

    #[test]
    fn the_delimiter_that_the_rows_agree_on_wins() {
        let cases = [
            ("reference_id,target\nA1,5125550142\n", ","),
            ("reference_id;target\nA1;5125550142\n", ";"),
            ("reference_id\ttarget\nA1\t5125550142\n", "\t"),
            ("reference_id|target\nA1|5125550142\n", "|"),
            // More commas than semicolons, but not in every row.
            ("reference_id;target;name, first, last\nA1;1;x\nA2;2;y\n", ";"),
            ("reference_id;target;amount\nA1;1;1,50\nA2;2;2,50\n", ";"),
            ("id;amount\n1;1,50\n2;2,50\n3;2,50\n4;2,50\n5;2,50;\n6;2,50\n7;2,50\n8;2,5\n9;2,5\n9;2,5\n9;2,5\n", ";"),
            // Delimiters in quotes do not count.
            ("\"a,b,c\";d\n\"1,2,3\";4\n", ";"),
            ("\"a\";\"b\"\n\"x,\ny,\n\";\"1\"\n", ";"),
            // Some ragged rows do not turn the tables.
            ("a,b,c|d\n1,2,3\n1,2\n1,2,3\n1,2,3\n", ","),
            // Blank lines and a blank row above the header.
            ("\n\r\n,,,\na;b\n1;2\n", ";"),
            // Only a header: more cells win.
            ("a,b;c;d", ";"),
            ("a,b;c", ","),
            ("reference_id", ","),
            ("", ","),
            ("\n\n", ","),
            // Both give two cells everywhere; one cuts dates and amounts apart.
            ("day;price,gross\n2024-05-01;1,50\n2024-05-02;2,50\n", ";"),
            ("sold;stock,total\n1,250;3,400\n1,350;3,500\n", ";"),
            ("day,hour;zone\n2024-05-01,10:30;x\n2024-05-02,11:30;y\n", ","),
            // The rarer ones, where all rows agree.
            ("id^phone^amount\n1^2^3,5\n4^5^6,5\n7^8^9,5\n0^1^2,5\n", "^"),
            ("id~phone\n1~2\n", "~"),
            ("id:phone\n1:2\n", ":"),
            ("id phone name\n1 2 Ann\n3 4 Bob\n", " "),
            ("id phone name\n1 2 Ann\n3 4 Bob Lee\n", ","),
            ("full name\nAnn Lee\nBob Ray\n", ","),
            ("time\n10:30\n11:30\n", ","),
            // A space behind every delimiter is part of it.
            ("id, phone, name\n1, 2, Ann\n3, 4, \n", ", "),
            ("id; phone; name\n1; 2; Ann\n", "; "),
            // So is a second one.
            ("id||phone||name\n1||2||\n3||||Bob\n", "||"),
            ("id|||name\n1|||Ann\n2||x|Bob\n", "|"),
            ("id, phone, name\n1, 2, Ann\n3,4,Bob\n", ","),
        ];
        for (text, expected) in cases {
            assert_eq!(delimiter(text.as_bytes(), true), expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_cut_off_by_the_end_of_the_beginning_does_not_count() {
        assert_eq!(delimiter(b"a;b,c;d\n1;2;3\n1;", false), ";");
        assert_eq!(delimiter(b"a;b;c,d", false), ";");
    }

    #[test]
    fn other_quotes_and_escapes_are_taken_where_they_explain_more() {
        let cases: [(&str, u8, Option<u8>); 10] = [
            ("a,b\n1,\"x\"\n", b'"', None),
            ("a,b\n1,'x, y'\n2,'z, y'\n", b'\'', None),
            ("a,b\n1,'x'\n2,'y'\n", b'"', None),
            ("'a','b'\n'1','x'\n'2','y'\n", b'\'', None),
            ("a,b\n1,O'Brien\n2,D'Arcy\n3,'t Hooft\n", b'"', None),
            ("a,b\n1,'x'\n2,y\n3,\"z, 'q'\"\n", b'"', None),
            ("a,b\n1,\"x \\\"y\\\" z\"\n2,b\n", b'"', Some(b'\\')),
            ("a,b\n1,\"x, \\\"\"\n2,b\n", b'"', Some(b'\\')),
            ("a,b\n1,C:\\\n2,\"D:\\x\"\n", b'"', None),
            ("a,b\n1,\"x \"\"y\"\"\"\n2,\\N\n", b'"', None),
        ];
        for (text, quote, escape) in cases {
            let grammar = found(text).grammar;
            assert_eq!((grammar.quote, grammar.escape), (Some(quote), escape), "{text:?}");
        }
    }

    #[test]
    fn a_title_above_the_table_is_told_from_a_header() {
        let cases = [
            ("Contacts of May\nid,phone\n1,2\n3,4\n", 1),
            ("Contacts,,\n\nby Ann,,\nid,phone,name\n1,2,a\n3,4,b\n", 2),
            ("Contacts of May\nid,phone\n1,2\n", 0),
            ("Contacts of May\nid,phone\n1,2\n3\n", 0),
            ("Contacts, May\nid,phone,name\n1,2,a\n3,4,b\n", 1),
            // It may be the header itself, with a delimiter too few: the row below has values.
            ("idphone,name\n1,2,a\n3,4,b\n5,6,c\n", 0),
            ("Contacts, May\nid,phone,name\nx,y,a\nz,w,b\n", 0),
            ("id\n1,2\n3,4\n5,\n", 1),
            ("id\n1\n2\n", 0),
        ];
        for (text, rows_above) in cases {
            assert_eq!(found(text).rows_above, rows_above, "{text:?}");
        }
    }

    #[test]
    fn a_row_of_values_is_told_from_a_header() {
        let cases = [
            ("2024-05-01,Ann\n2024-05-02,Bob\n", true),
            ("A1,(512) 555-0142,Ana\nA2,212-555-0187,Bo\n", true),
            ("1,2,x\n3,4,y\n", true),
            ("ann@example.com,Ann\n", true),
            ("day,name\n2024-05-02,Bob\n", false),
            ("name,2023,2024\nAnn,12,15\n", false),
            ("name,7\nAnn,12\n", false),
            ("name,2024-05-01\nAnn,3\nBob,4\n", false),
            ("name,city\nAnn,Bonn\n", false),
            ("5125550142\n5125550143\n", false),
        ];
        for (text, seems_headless) in cases {
            assert_eq!(found(text).seems_headless, seems_headless, "{text:?}");
        }
    }

    #[test]
    fn line_ends_are_named() {
        for (text, newline) in [("a,b", "lf"), ("a\r\nb", "crlf"), ("a,b\r1,2\r", "cr"), ("a\nb\r\n", "mixed")] {
            assert_eq!(found(text).newline, newline, "{text:?}");
        }
        assert_eq!(found("a,\"b\r\n\"\n").newline, "lf", "only between rows");
    }
}
