//! A clean contact list, spoiled in every way that people and programs spoil one, at every place where they can. Each
//! file must be read right, or what is wrong must be told: by a fault, or by a mark on the row. What is read otherwise
//! and not told is a silent damage, and there is none.

use super::*;
use crate::reader::unpack::tests::{gzip, zip, zstd};

pub type Table = Vec<Vec<String>>;

fn contacts() -> Table {
    let rows = [
        "reference_id|target|name|note|amount",
        "A1|+15125550142|Ana Lee|call after 5|120.50",
        "A2|+12125550187|Bo, Jr.|a \"big\" one|7",
        "A3|+13035550111|Zoë|two\nlines, here|0.99",
        "A4|+15125550143|O'Hara||1000",
        "A5|+15125550144|Max|x; y|12.00",
        "A6|+15125550145|Eve|\"quoted\"|3",
        "A7|+15125550146|Kim Ray|-|45",
        "A8|+15125550147|Al|ok|5",
    ];
    rows.iter().map(|row| row.split('|').map(str::to_owned).collect()).collect()
}

/// How a test writes a file.
#[derive(Debug, Clone)]
pub struct Written {
    pub delimiter: &'static str,
    pub quote: Option<char>,
    pub escape: Option<char>,
    pub newline: &'static str,
    pub quotes_all: bool,
}

const PLAIN: Written = Written { delimiter: ",", quote: Some('"'), escape: None, newline: "\n", quotes_all: false };

impl Written {
    pub fn text(&self, table: &Table) -> String {
        let row = |row: &Vec<String>| row.iter().map(|cell| self.cell(cell)).collect::<Vec<_>>().join(self.delimiter);
        table.iter().map(|cells| row(cells) + self.newline).collect()
    }

    pub fn cell(&self, value: &str) -> String {
        let special = |c: char| {
            matches!(c, '\n' | '\r') || self.delimiter.contains(c) || Some(c) == self.quote || Some(c) == self.escape
        };
        let escaped = |escapes: &dyn Fn(char) -> bool, with: char| -> String {
            value.chars().flat_map(|c| escapes(c).then_some(with).into_iter().chain([c])).collect()
        };
        match (self.quote, self.escape) {
            (Some(_), _) if !self.quotes_all && !value.contains(special) => value.to_owned(),
            (Some(quote), None) => format!("{quote}{}{quote}", escaped(&|c| c == quote, quote)),
            (Some(quote), Some(escape)) => {
                format!("{quote}{}{quote}", escaped(&|c| c == quote || c == escape, escape))
            }
            (None, Some(escape)) => {
                let ends = |c| matches!(c, '\n' | '\r') || self.delimiter.starts_with(c) || c == escape;
                escaped(&ends, escape)
            }
            (None, None) => value.to_owned(),
        }
    }

    pub fn told(&self) -> Format {
        let byte = |c: Option<char>| c.map(|c| c as u8);
        Format {
            delimiter: Some(self.delimiter.to_owned()),
            quote: Some(byte(self.quote)),
            escape: Some(byte(self.escape)),
            ..Format::default()
        }
    }
}

/// What became of a spoiled file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Right,
    /// The same, but for quotes that stay in a cell as characters, since nothing shows that they are none.
    Kept,
    /// All rows but some, and those are marked; or a fault.
    Told,
    Silent,
}

/// Compares cell by cell.
pub(super) fn outcome(file: &File, expected: &Table) -> Outcome {
    let Some((_, header)) = &file.opened else { return Outcome::Told };
    let same = |one: &str, other: &str| one.replace(['"', '\'', '`'], "") == other.replace(['"', '\'', '`'], "");
    let all_same = |one: &[String], other: &[String]| {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
    };
    if !all_same(&header.names, &expected[0]) {
        return Outcome::Silent;
    }
    let is_marked = |row: &&Copied| row.problem.is_some() || row.values.len() != expected[0].len();
    let mut rest = expected[1..].iter();
    let good: Vec<&Copied> = file.rows.iter().filter(|row| !is_marked(row)).collect();
    for row in &good {
        if !rest.any(|expected| all_same(&row.values, expected)) {
            return Outcome::Silent;
        }
    }
    if good.len() == expected.len() - 1 {
        let is_exact = good.iter().zip(&expected[1..]).all(|(row, expected)| row.values == *expected);
        return match file.rows.len() == good.len() && file.fault.is_none() {
            true if is_exact => Outcome::Right,
            true => Outcome::Kept,
            false => Outcome::Told,
        };
    }
    if file.fault.is_some() || file.rows.len() > good.len() { Outcome::Told } else { Outcome::Silent }
}

/// Counts outcomes under one heading.
struct Tally {
    name: &'static str,
    counts: [usize; 4],
}

impl Tally {
    fn new(name: &'static str) -> Self {
        Tally { name, counts: [0; 4] }
    }

    fn add(&mut self, bytes: &[u8], format: &Format, expected: &Table) {
        let file = read_as(bytes, format, Limits::default());
        let outcome = outcome(&file, expected);
        self.counts[outcome as usize] += 1;
        let text = String::from_utf8_lossy(bytes);
        assert_ne!(outcome, Outcome::Silent, "{}: {format:?}\n{text}\nwas read as {file:#?}", self.name);
    }

    /// Prints what there was, and checks how many were read right, of a hundred.
    fn end(self, right: usize) {
        let total: usize = self.counts.iter().sum();
        let [exact, kept, told, _] = self.counts;
        println!("{}: of {total}, {exact} read right, {kept} with a quote kept, {told} told", self.name);
        assert!(exact * 100 >= total * right, "{}: {:?}", self.name, self.counts);
    }
}

fn dialects() -> Vec<Written> {
    let mut all = Vec::new();
    for delimiter in [",", ";", "\t", "|", ":", "^", "~", " ", ", ", "||", "§"] {
        for (quote, escape) in [
            (Some('"'), None),
            (Some('"'), Some('\\')),
            (Some('\''), None),
            (Some('\''), Some('\\')),
            (None, Some('\\')),
        ] {
            for newline in ["\n", "\r\n", "\r"] {
                for quotes_all in [false, true] {
                    all.push(Written { delimiter, quote, escape, newline, quotes_all });
                }
            }
        }
    }
    all
}

#[test]
fn every_dialect_that_is_told_is_read_right() {
    let mut tally = Tally::new("told dialects");
    for written in dialects() {
        let text = written.text(&contacts());
        tally.add(text.as_bytes(), &written.told(), &contacts());
        let newline = match written.newline {
            "\n" => Newline::Lf,
            "\r" => Newline::Cr,
            _ => Newline::CrLf,
        };
        tally.add(text.as_bytes(), &Format { newline: Some(newline), ..written.told() }, &contacts());
        for packed in [gzip(text.as_bytes()), zstd(text.as_bytes()), zip("a.csv", text.as_bytes())] {
            tally.add(&packed, &written.told(), &contacts());
        }
        for label in ["windows-1252", "iso-8859-15", "utf-16le", "utf-16be", "macintosh"] {
            let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
            let bytes = match label {
                "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                _ => encoding.encode(&text).0.into_owned(),
            };
            tally.add(&bytes, &Format { encoding: Some(encoding.name()), ..written.told() }, &contacts());
        }
    }
    tally.end(100);
}

#[test]
fn every_dialect_that_is_not_told_is_read_right_or_told() {
    let mut tally = Tally::new("dialects, nothing told");
    for written in dialects() {
        let text = written.text(&contacts());
        for bytes in [
            text.clone().into_bytes(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
            [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
            gzip(text.as_bytes()),
        ] {
            tally.add(&bytes, &Format::default(), &contacts());
        }
    }
    // In a file without quotes nothing shows that those around a cell belong to it.
    tally.end(72);
}

#[test]
fn what_stands_above_the_header_is_left_out_where_it_is_told_or_evident() {
    let table = PLAIN.text(&contacts());
    let above =
        ["Contacts\n", "Contacts,,,,\n\n", "Contacts of May\nby Ann\n\n", "# made by hand\n", "Report:,May,2025\n"];
    let mut told = Tally::new("lines above, told");
    let mut untold = Tally::new("lines above, nothing told");
    for lines in above {
        let text = format!("{lines}{table}");
        let skip_rows = lines.matches('\n').count() as u32;
        told.add(text.as_bytes(), &Format { skip_rows, ..Format::default() }, &contacts());
        untold.add(text.as_bytes(), &Format::default(), &contacts());
    }
    told.end(100);
    untold.end(80);

    let mut comments = Tally::new("comments, told");
    let format = Format { comment: Some("#".to_owned()), ..Format::default() };
    let lines: Vec<&str> = table.split_inclusive('\n').collect();
    for place in [0, 1, 2, 3, lines.len()] {
        let text = [&lines[..place], &["# one, \"two\n"], &lines[place..]].concat().concat();
        comments.add(text.as_bytes(), &format, &contacts());
    }
    comments.end(100);
}

#[test]
fn a_header_that_is_missing_or_said_otherwise() {
    let rows = PLAIN.text(&contacts()[1..].to_vec());
    let format = Format { header: false, names: contacts().remove(0), ..Format::default() };
    let mut told = Tally::new("no header, names told");
    told.add(rows.as_bytes(), &format, &contacts());
    let other = rows.clone().replacen("A1", "x,y,z,a,b\nA1", 1);
    told.add(other.as_bytes(), &Format { header: true, ..format }, &contacts());
    told.end(100);
    let untold = read(rows.as_bytes(), Limits::default());
    assert!(untold.fault.unwrap().starts_with("Missing required fields: target, reference_id"));
}

#[test]
fn sep_above_the_header_names_the_delimiter() {
    for (line, delimiter) in [("sep=;", ";"), ("SEP=|", "|"), ("\"sep=^\"", "^")] {
        let written = Written { delimiter, newline: "\r\n", ..PLAIN };
        let text = format!("{line}\r\n{}", written.text(&contacts()));
        let file = read_text(&text);
        assert_eq!(outcome(&file, &contacts()), Outcome::Right, "{line}");
        assert_eq!((file.opened.unwrap().0.header_line, file.rows[0].line), (Some(2), 3));
    }
}

#[test]
fn one_cell_more_or_less_is_its_rows_alone() {
    let mut tally = Tally::new("ragged rows");
    for quotes_all in [false, true] {
        for row in 1..contacts().len() {
            for cell in 0..5 {
                let (mut less, mut more) = (contacts(), contacts());
                less[row].remove(cell);
                more[row].insert(cell, "x".to_owned());
                for table in [less, more] {
                    let text = Written { quotes_all, ..PLAIN }.text(&table);
                    let file = read_text(&text);
                    assert_eq!(outcome(&file, &contacts()), Outcome::Told, "{text}");
                    let good = file.rows.iter().filter(|row| row.values.len() == 5 && row.problem.is_none()).count();
                    assert_eq!(good, contacts().len() - 2, "{text}");
                    tally.add(text.as_bytes(), &PLAIN.told(), &contacts());
                }
            }
        }
    }
    tally.end(0);
}

#[test]
fn a_quote_too_many_or_too_few_anywhere_is_never_a_silent_damage() {
    let mut told = Tally::new("stray quotes, dialect told");
    let mut untold = Tally::new("stray quotes, nothing told");
    for quotes_all in [false, true] {
        let text = Written { quotes_all, ..PLAIN }.text(&contacts());
        let body = text.find('\n').unwrap() + 1;
        let mut spoiled: Vec<String> = Vec::new();
        for at in (body..text.len()).filter(|&at| text.is_char_boundary(at)) {
            spoiled.push(format!("{}\"{}", &text[..at], &text[at..]));
            if text[at..].starts_with('"') {
                spoiled.push(format!("{}{}", &text[..at], &text[at + 1..]));
            }
        }
        for text in spoiled {
            told.add(text.as_bytes(), &PLAIN.told(), &contacts());
            untold.add(text.as_bytes(), &Format::default(), &contacts());
            let file = read_text(&text);
            let good = file.rows.iter().filter(|row| row.values.len() == 5 && row.problem.is_none()).count();
            // The row itself, and where it holds a line break the rest of it.
            assert!(file.fault.is_none() && good + 3 >= contacts().len(), "{good} good rows of\n{text}");
        }
    }
    told.end(0);
    untold.end(0);
}
