//! What can be wrong with what a sender sent: the closed lists of codes, and what each means.
//!
//! A [`Fault`] is the sender's and is never retried. Trouble of ours is an error type of the edge where it
//! happened; the one code it ends in, after all attempts, is [`FileCode::InternalError`].
//! No text made here or from these codes quotes what a cell or a header said: that is a person's data.

use std::fmt;

use super::request::IntakeStatus;

/// Declares a closed list of codes once: variant, word, heading, meaning and remedy together.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal $heading:literal $meaning:literal $mend:literal)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $(#[doc = $meaning] $variant,)* }

        impl $name {
            /// Every code, in the order of the contract.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The stable, machine-readable word.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The code that a stored word stands for; `None` for a word that this version does not know.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == word)
            }

            /// What an error message with this code begins with.
            pub fn heading(self) -> &'static str {
                match self { $($name::$variant => $heading,)* }
            }

            /// What the code means.
            pub fn meaning(self) -> &'static str {
                match self { $($name::$variant => $meaning,)* }
            }

            /// What to do about it.
            pub fn mend(self) -> &'static str {
                match self { $($name::$variant => $mend,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// Why a whole file cannot be used. The word is stored as `error_code` beside the batch's `error_message`.
    FileCode {
        InvalidFileFormat "INVALID_FILE_FORMAT" "Invalid file format"
            "The file is not a CSV file that can be read to its end."
            "Open it where it was made and save it as CSV (comma or semicolon separated, UTF-8). For a quote that is never closed, look at the line that the message names."
        MissingRequiredFields "MISSING_REQUIRED_FIELDS" "Missing required fields"
            "The header has no column for a field that every row needs."
            "Name one column reference_id (or ref_id, account_number, …) and one target (or phone, mobile, …; email for e-mail campaigns), add any other that the message names, and keep the header as the first line."
        EmptyFile "EMPTY_FILE" "Empty file"
            "The file has no content."
            "Export it again; an upload that broke off, or a query without a result, leaves an empty file."
        NoDataRows "NO_DATA_ROWS" "No data rows"
            "The file has a header and no row below it."
            "Export it again with its rows. If there is nobody to contact, send no file."
        InvalidEncoding "INVALID_ENCODING" "Invalid encoding"
            "The file's bytes are not text in the encoding that it should have."
            "In Excel that is Save As, file type \"CSV UTF-8 (comma delimited)\". Where the sender cannot, the operator may name the campaign's encoding in its configuration."
        DuplicateHeader "DUPLICATE_HEADER" "Duplicate header"
            "Two columns have the same name, or one has none. Case, spaces around a name, and space, '-', '.' and '_' within it make no difference."
            "Give every column a name of its own in the first line."
        AmbiguousHeader "AMBIGUOUS_HEADER" "Ambiguous header"
            "More than one column could be the target or the reference_id."
            "Name the right one exactly target (or reference_id), or leave the others out."
        LimitExceeded "LIMIT_EXCEEDED" "Limit exceeded"
            "The file is larger, in the way that the message says, than this installation takes."
            "Split the file, or ask the operator to raise the limit."
        UnpackFailed "UNPACK_FAILED" "Unpacking failed"
            "The file is compressed and cannot be unpacked."
            "Compress it again, or send the CSV itself."
        BadFilename "BAD_FILENAME" "Bad file name"
            "The file's name does not say what its campaign needs it to say."
            "Rename the file as the campaign's owner asks, and drop it again."
        UnknownCampaign "UNKNOWN_CAMPAIGN" "Unknown campaign"
            "No campaign takes a file of this name."
            "Check the spelling of the file's name, or ask the operator which names the campaigns take."
        DuplicateFile "DUPLICATE_FILE" "Duplicate file"
            "A file with exactly this content is already a batch of the campaign, and nobody is to be contacted twice."
            "Nothing to do if it was sent twice by mistake. To send it again on purpose, cancel the earlier batch first, or have the campaign allow repeats."
        TooManyInvalid "TOO_MANY_INVALID" "Too many invalid rows"
            "So many rows cannot be used that the file itself is probably wrong, such as shifted columns."
            "Mend the rows that the message counts (batchdrop check FILE lists them), and drop the file again."
        NoValidRows "NO_VALID_ROWS" "No valid rows"
            "Not one row can be used."
            "Look at what the message counts; most often the wrong column is named target."
        InternalError "INTERNAL_ERROR" "Internal error"
            "Something on our side kept failing. The file is not to blame."
            "Operators: see the worker's log, mend the cause, and have the file worked on again; it is safe to requeue. Senders: nothing to do."
    }
}

codes! {
    /// Why one row is not PENDING. The word is stored as the request's `error_code`.
    RowCode {
        MissingValue "MISSING_VALUE" "Missing value"
            "A required cell is blank."
            "Fill the cell in the column that the message names."
        CellCount "CELL_COUNT" "Wrong number of cells"
            "The row has more or fewer cells than the header."
            "Put quotes around a cell that holds the delimiter, and check for a missing or an extra delimiter."
        InvalidPhone "INVALID_PHONE" "Invalid phone number"
            "The target is not one valid phone number."
            "Write one number a cell, such as +15125550142 or (512) 555-0142, and format the column as text in a spreadsheet."
        InvalidEmail "INVALID_EMAIL" "Invalid e-mail address"
            "The target is not one valid e-mail address."
            "Write one address a cell, such as name@example.com."
        InvalidValue "INVALID_VALUE" "Invalid value"
            "A cell breaks a rule for its column, holds a character that cannot be stored, or has quotes that make no sense."
            "Change the cell that the message names. A quote inside a cell is written twice (\"\"), and the cell stands in quotes."
        ValueTooLong "VALUE_TOO_LONG" "Value too long"
            "A cell is longer than it may be."
            "Shorten the cell that the message names."
        DuplicateReference "DUPLICATE_REFERENCE" "Duplicate reference_id"
            "An earlier row has the same reference_id."
            "Nothing to do if the row is a repeat. If it is another contact, give it a reference_id of its own."
        DuplicateTarget "DUPLICATE_TARGET" "Duplicate target"
            "An earlier row has the same target, compared in its normalised form."
            "Nothing to do if the row is a repeat. A campaign's configuration says whether targets must differ."
        Suppressed "SUPPRESSED" "Suppressed"
            "The target is on a suppression list and must not be contacted."
            "Nothing to do; ask the list's owner if it is wrong."
    }
}

impl RowCode {
    /// The verdict that a row with this code came to.
    pub fn status(self) -> IntakeStatus {
        match self {
            RowCode::DuplicateReference | RowCode::DuplicateTarget => IntakeStatus::Duplicate,
            RowCode::Suppressed => IntakeStatus::Skipped,
            _ => IntakeStatus::Invalid,
        }
    }
}

/// Something wrong with a file as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub code: FileCode,
    /// What exactly, and what to do; the place (line, column) first where there is one. No heading.
    pub detail: String,
    /// Where, for those who can show it.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// Column of the table, from 1; `None` for the line as a whole.
    pub column: Option<usize>,
}

impl Fault {
    /// A fault of the file as a whole.
    pub fn new(code: FileCode, detail: impl Into<String>) -> Self {
        Fault { code, detail: detail.into(), place: None }
    }

    /// A fault at a place; `detail` is put behind it.
    pub fn at(code: FileCode, line: u64, column: Option<usize>, detail: impl fmt::Display) -> Self {
        let detail = match column {
            Some(column) => format!("line {line}, column {column}: {detail}"),
            None => format!("line {line}: {detail}"),
        };
        Fault { code, detail, place: Some(Place { line, column }) }
    }

    /// The text that is stored as `error_message`: the code's heading, a colon, the detail.
    pub fn message(&self) -> String {
        format!("{}: {}", self.code.heading(), self.detail)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.heading(), self.detail)
    }
}

impl std::error::Error for Fault {}
