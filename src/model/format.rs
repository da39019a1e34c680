//! How files are written: what a campaign says about it beforehand, and how a file turned out to be.

/// What a campaign says about its files. What it leaves open (`None`, or an empty list) is told from the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// What stands between two cells: 1 to 4 bytes of UTF-8.
    pub delimiter: Option<String>,
    /// The ASCII character around cells; `Some(None)` says that there is none.
    pub quote: Option<Option<u8>>,
    /// The ASCII character that takes the next one's meaning away; `Some(None)` says that there is none, and a quote in
    /// quotes is doubled.
    pub escape: Option<Option<u8>>,
    /// What ends a row; `None` takes every kind, and all of them in one file.
    pub newline: Option<Newline>,
    /// WHATWG name of the encoding. A byte order mark in the file counts more.
    pub encoding: Option<&'static str>,
    /// Whether the file has a header line.
    pub header: bool,
    /// The campaign says so itself, so that nobody need guess.
    pub is_header_told: bool,
    /// The columns' names, in place of those in the header line, or for a file without one.
    pub names: Vec<String>,
    /// Lines at the top that are not read.
    pub skip_rows: u32,
    /// Rows that begin with this are not read, wherever they stand.
    pub comment: Option<String>,
    /// More names for `reference_id`.
    pub reference_aliases: Vec<String>,
    /// More names for `target`.
    pub target_aliases: Vec<String>,
    /// Columns, beside the two, that must be there, and whose cells must not be blank.
    pub required: Vec<String>,
}

impl Default for Format {
    /// A file with a header, and all else told from the data.
    fn default() -> Self {
        Format {
            delimiter: None,
            quote: None,
            escape: None,
            newline: None,
            encoding: None,
            header: true,
            is_header_told: false,
            names: Vec::new(),
            skip_rows: 0,
            comment: None,
            reference_aliases: Vec::new(),
            target_aliases: Vec::new(),
            required: Vec::new(),
        }
    }
}

/// What ends a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Newline {
    /// `\n`.
    Lf,
    /// `\r\n`.
    CrLf,
    /// `\r`.
    Cr,
}

impl Newline {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Newline::Lf => "lf",
            Newline::CrLf => "crlf",
            Newline::Cr => "cr",
        }
    }
}

/// How a file turned out to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// WHATWG name of the encoding, such as `UTF-8` or `UTF-16LE`.
    pub encoding: &'static str,
    /// What stands between two cells.
    pub delimiter: String,
    /// The character around cells; `None` where there is none.
    pub quote: Option<u8>,
    /// What makes a quote in quotes part of the cell: the quote itself where it is doubled.
    pub escape: Option<u8>,
    /// `lf`, `crlf`, `cr`, or `mixed` where the beginning of the file has several.
    pub newline: &'static str,
    /// `gzip`, `zstd` or `zip`.
    pub compression: Option<&'static str>,
    /// The line of the header, from 1; `None` where there is none.
    pub header_line: Option<u32>,
}

impl Dialect {
    /// Commas, quotes that are doubled, LF, UTF-8, and the header in the first line.
    pub fn standard() -> Self {
        Dialect {
            encoding: "UTF-8",
            delimiter: ",".to_owned(),
            quote: Some(b'"'),
            escape: Some(b'"'),
            newline: "lf",
            compression: None,
            header_line: Some(1),
        }
    }

    /// The delimiter as text, `\t` for a tab.
    pub fn delimiter_text(&self) -> String {
        self.delimiter.replace('\t', "\\t")
    }

    /// The quote as text; empty for none.
    pub fn quote_text(&self) -> String {
        character(self.quote)
    }

    /// The escape as text; empty for none.
    pub fn escape_text(&self) -> String {
        character(self.escape)
    }
}

fn character(byte: Option<u8>) -> String {
    byte.map(|byte| byte.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\"))
        .unwrap_or_default()
}
