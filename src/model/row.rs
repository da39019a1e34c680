//! A row of a file as the reader hands it on: text borrowed from the reader's buffer, nothing copied.

/// What a file's header says about its columns. All numbers count from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The names as spelled in the file, trimmed. Unnamed columns at the right edge are not counted.
    pub names: Vec<String>,
    /// Which column is the reference_id.
    pub reference_id: usize,
    /// Which column is the target.
    pub target: usize,
    /// The columns that become `request_variables`, in file order.
    pub variables: Vec<usize>,
    /// Other columns whose cells must not be blank, under the names that the campaign gives them.
    pub required: Vec<(String, usize)>,
}

impl Header {
    /// The keys of `request_variables`, in file order.
    pub fn variable_names(&self) -> Vec<String> {
        self.variables.iter().map(|&column| self.names[column].clone()).collect()
    }
}

/// Where one cell's value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellSpan {
    /// First byte of the value, in `raw` or, for an unescaped cell, in `unescaped`.
    pub start: u32,
    /// The byte after the value's last.
    pub end: u32,
    /// First byte of the cell in `raw`, an opening quote included.
    pub raw_start: u32,
    /// The value differs from the raw text (doubled quotes were halved, escapes taken off).
    pub is_unescaped: bool,
}

/// One data row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Counts data rows from 1.
    pub number: u32,
    /// The line on which it starts, from 1.
    pub line: u32,
    /// The row as sent, without its line end.
    pub raw: &'a str,
    /// The values of the cells that differ from their raw text, end to end.
    pub unescaped: &'a str,
    /// The cells, as many as the row has, which may differ from the header's count.
    pub cells: &'a [CellSpan],
    /// Why the row cannot be used, whatever its cells say.
    pub problem: Option<Problem>,
}

/// What is wrong with a row as it is written. Columns count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Text follows a closing quote, or a quote is never closed. The row was cut by the best guess, and its line end.
    Quotes {
        /// The first cell in question.
        column: usize,
    },
    /// A cell is longer than this installation takes.
    TooLong {
        /// Which.
        column: usize,
        /// How long it may be.
        bytes: usize,
    },
}

impl<'a> Row<'a> {
    /// The value of a cell; `None` where the row has no such cell.
    #[inline]
    pub fn get(&self, column: usize) -> Option<&'a str> {
        self.cells.get(column).map(|span| self.value(*span))
    }

    /// All values in file order.
    pub fn values(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let row = *self;
        self.cells.iter().map(move |span| row.value(*span))
    }

    #[inline]
    fn value(&self, span: CellSpan) -> &'a str {
        let text = if span.is_unescaped { self.unescaped } else { self.raw };
        &text[span.start as usize..span.end as usize]
    }

    /// Line and character column (both from 1) at which a cell begins in the file.
    pub fn position(&self, column: usize) -> Option<(u32, u32)> {
        let before = &self.raw[..self.cells.get(column)?.raw_start as usize];
        let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let lines = before.replace("\r\n", "\n").matches(['\n', '\r']).count() as u32;
        Some((self.line + lines, before[line_start..].chars().count() as u32 + 1))
    }
}
