//! Which columns the first line names, and which of them are the target and the reference_id.
//!
//! Promise: no message quotes a name. In a file without a header the first line is a person's data.

use crate::model::fault::Place;
use crate::model::name::fold;
use crate::model::{Campaign, Channel, Fault, FileCode, Format, Header};

/// The columns that a rejects file has before the sender's own; it may be mended and dropped as it is.
pub const REJECTS_COLUMNS: [&str; 5] = ["_row", "_line", "_status", "_code", "_message"];

/// How a rejects file of ours that comes back is written, as a campaign would tell it: with the delimiter that stands
/// between its first names, and otherwise as we write it, or as a spreadsheet saved it again. `None` for any other
/// file.
///
/// What the campaign tells of its own files (other quotes, no header, lines to skip) does not hold for it.
pub(super) fn rejects_format(beginning: &[u8], campaign: &Format) -> Option<Format> {
    let [row, line] = [REJECTS_COLUMNS[0], REJECTS_COLUMNS[1]];
    let text = beginning.strip_prefix(b"\"").unwrap_or(beginning).strip_prefix(row.as_bytes())?;
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let length = memchr::memmem::find(text.get(..line.len() + 5).unwrap_or(text), line.as_bytes())?;
    let delimiter = text[..length].strip_suffix(b"\"").unwrap_or(&text[..length]);
    let delimiter = std::str::from_utf8(delimiter).ok().filter(|delimiter| (1..=4).contains(&delimiter.len()))?;
    Some(Format {
        delimiter: Some(delimiter.to_owned()),
        quote: Some(Some(b'"')),
        escape: Some(None),
        reference_aliases: campaign.reference_aliases.clone(),
        target_aliases: campaign.target_aliases.clone(),
        required: campaign.required.clone(),
        ..Format::default()
    })
}

const REFERENCE_ALIASES: [&str; 7] =
    ["ref_id", "reference", "external_id", "contact_id", "customer_id", "account_number", "record_id"];

const PHONE_ALIASES: [&str; 9] = [
    "phone",
    "phone_number",
    "telephone",
    "mobile",
    "mobile_number",
    "cell",
    "cell_phone",
    "contact_number",
    "number1",
];

const EMAIL_ALIASES: [&str; 3] = ["email", "email_address", "e_mail"];

/// Which names make a column the reference_id or the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRules {
    /// Other names for `reference_id`.
    pub reference_aliases: Vec<String>,
    /// Other names for `target`.
    pub target_aliases: Vec<String>,
    /// Columns that must be there beside these two.
    pub required: Vec<String>,
    /// The target is all that counts, and stands for the reference_id too: a suppression list.
    pub is_list: bool,
}

impl HeaderRules {
    /// The names for a campaign: those for its channel, and its own.
    pub fn of(campaign: &Campaign) -> Self {
        let mut rules = Self::of_channel(campaign.channel);
        rules.reference_aliases.extend_from_slice(&campaign.format.reference_aliases);
        rules.target_aliases.extend_from_slice(&campaign.format.target_aliases);
        rules.required.clone_from(&campaign.format.required);
        rules
    }

    /// The names for a suppression list, which needs no reference_id.
    pub fn of_list(channel: Channel) -> Self {
        HeaderRules { is_list: true, ..Self::of_channel(channel) }
    }

    fn of_channel(channel: Channel) -> Self {
        match channel {
            Channel::Voice | Channel::Sms => Self::phone(),
            Channel::Email => Self::email(),
        }
    }

    /// The names for campaigns that call or text.
    pub fn phone() -> Self {
        Self::with_targets(&PHONE_ALIASES)
    }

    /// The names for campaigns that send e-mail.
    pub fn email() -> Self {
        Self::with_targets(&EMAIL_ALIASES)
    }

    fn with_targets(targets: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        HeaderRules {
            reference_aliases: owned(&REFERENCE_ALIASES),
            target_aliases: owned(targets),
            required: Vec::new(),
            is_list: false,
        }
    }

    /// Reads the header on `line` from its cells, of which at least one is not blank.
    pub(super) fn read<'a>(&self, cells: impl Iterator<Item = &'a str>, line: u32) -> Result<Header, Fault> {
        let mut names: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
        // Spreadsheets write delimiters for columns that were used once.
        let named = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        names.truncate(named);
        let folded: Vec<String> = names.iter().map(|name| fold(name)).collect();

        let line = u64::from(line);
        let targets = columns(&folded, "target", &self.target_aliases);
        let references = match self.is_list {
            true => targets.clone(),
            false => columns(&folded, "reference_id", &self.reference_aliases),
        };
        let place = |name: &String| folded.iter().position(|folded| *folded == fold(name));
        if targets.is_empty() || references.is_empty() || self.required.iter().any(|name| place(name).is_none()) {
            let others = self.required.iter().filter(|name| place(name).is_none()).map(String::as_str).collect();
            let no_reference = references.is_empty() && !self.is_list;
            return Err(self.missing(targets.is_empty(), no_reference, others, names.len(), line));
        }
        let required = self.required.iter().filter_map(|name| Some((name.clone(), place(name)?))).collect();
        each_has_its_own_name(&folded, line)?;
        if let Some(column) = names.iter().position(|name| name.contains('\0')) {
            let detail = "the column's name holds a NUL byte; export the file again as \"CSV UTF-8\"";
            return Err(Fault::at(FileCode::InvalidFileFormat, line, Some(column + 1), detail));
        }
        let target = only(&targets, "target", line)?;
        let reference_id = only(&references, "reference_id", line)?;

        let is_variable = |&column: &usize| {
            column != target && column != reference_id && !REJECTS_COLUMNS.contains(&folded[column].as_str())
        };
        let variables = (0..names.len()).filter(is_variable).collect();
        Ok(Header { names, reference_id, target, variables, required })
    }

    /// The text begins with the missing fields, the target first, so that it can be told from its beginning.
    fn missing(&self, target: bool, reference_id: bool, others: Vec<&str>, columns: usize, line: u64) -> Fault {
        let missing =
            [("target", target, &self.target_aliases), ("reference_id", reference_id, &self.reference_aliases)];
        let missing = || missing.iter().filter(|(_, is_missing, _)| *is_missing);
        let fields: Vec<&str> = missing().map(|(field, ..)| *field).chain(others.iter().copied()).collect();
        let remedies: Vec<String> = missing()
            .map(|(field, _, aliases)| choice(field, aliases))
            .chain(others.iter().map(|&name| name.to_owned()))
            .collect();

        let line_text = if line == 1 { "the first line".to_owned() } else { format!("line {line}") };
        let columns_text = match columns {
            1 => "1 column; put a comma, semicolon, tab or | between columns, and".to_owned(),
            _ => format!("{columns} columns;"),
        };
        let detail = format!(
            "{} ({line_text} is the header and has {columns_text} name one column {})",
            fields.join(", "),
            remedies.join(", and one ")
        );
        Fault { code: FileCode::MissingRequiredFields, detail, place: Some(Place { line, column: None }) }
    }
}

/// A field's name and its first aliases: `target, phone or phone_number`.
fn choice(field: &str, aliases: &[String]) -> String {
    let names: Vec<&str> = [field].into_iter().chain(aliases.iter().map(String::as_str)).take(3).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => field.to_owned(),
    }
}

/// The columns that may be a field, from 0: those with its own name, or else those with an alias.
fn columns(folded: &[String], field: &str, aliases: &[String]) -> Vec<usize> {
    let named = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..folded.len()).filter(|&column| is_wanted(&folded[column])).collect()
    };
    let own = named(&|name| name == field);
    if !own.is_empty() {
        return own;
    }
    let aliases: Vec<String> = aliases.iter().map(|alias| fold(alias)).collect();
    named(&|name| aliases.iter().any(|alias| alias == name))
}

fn only(columns: &[usize], field: &str, line: u64) -> Result<usize, Fault> {
    if let [column] = columns {
        return Ok(*column);
    }
    let numbers: Vec<String> = columns.iter().map(|column| (column + 1).to_string()).collect();
    let (last, rest) = numbers.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
    let detail = format!(
        "columns {} and {last} may each be the {field}; name the right one {field}, or leave the others out",
        rest.join(", ")
    );
    Err(Fault::at(FileCode::AmbiguousHeader, line, None, detail))
}

fn each_has_its_own_name(folded: &[String], line: u64) -> Result<(), Fault> {
    let mut seen = std::collections::HashMap::new();
    for (column, name) in (1..).zip(folded) {
        if name.is_empty() {
            let detail = "the column has no name; give it one, or leave it out";
            return Err(Fault::at(FileCode::DuplicateHeader, line, Some(column), detail));
        }
        if let Some(first) = seen.insert(name, column) {
            let detail = format!(
                "columns {first} and {column} have the same name; give each its own \
                 (case, spaces, '-', '.' and '_' make no difference)"
            );
            return Err(Fault::at(FileCode::DuplicateHeader, line, None, detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str]) -> Result<Header, Fault> {
        HeaderRules::phone().read(cells.iter().copied(), 1)
    }

    fn message(cells: &[&str]) -> String {
        read(cells).map_or_else(|fault| fault.message(), |header| format!("{header:?}"))
    }

    #[test]
    fn the_fields_are_found_under_their_own_names_and_under_aliases() {
        let cases: [(&[&str], usize, usize, &[&str]); 9] = [
            (&["reference_id", "target", "name"], 0, 1, &["name"]),
            (&["Name", "TARGET", "Reference-ID"], 2, 1, &["Name"]),
            (&[" Customer - ID ", "Mobile.Number"], 0, 1, &[]),
            (&["account_number", "cell__phone"], 0, 1, &[]),
            (&["Account\nNumber", "Cell\u{a0}Phone"], 0, 1, &[]),
            // The field's own name wins over every alias, which becomes a variable.
            (&["ref_id", "reference_id", "phone", "target", "mobile"], 1, 3, &["ref_id", "phone", "mobile"]),
            // What a rejects file adds is dropped in any case, but not what merely looks like it.
            (&["_row", "_line", "_status", "_code", "_MESSAGE", "reference_id", "target", "_Row."], 5, 6, &["_Row."]),
            (&["reference_id", "target", "STRASSE", "É.t é"], 0, 1, &["STRASSE", "É.t é"]),
            (&["reference_id", "target", "", " ", ""], 0, 1, &[]),
        ];
        for (cells, reference_id, target, variables) in cases {
            let header = read(cells).unwrap_or_else(|fault| panic!("{cells:?}: {fault}"));
            assert_eq!((header.reference_id, header.target), (reference_id, target), "{cells:?}");
            assert_eq!(header.variable_names(), variables, "{cells:?}");
        }
        let email = HeaderRules::email();
        assert_eq!(
            email.read(["phone", "E-Mail", "Email Address", "id"].into_iter(), 1).unwrap_err().code,
            FileCode::MissingRequiredFields
        );
        assert_eq!(email.read(["phone", "Email Address", "ref.id"].into_iter(), 1).map(|header| header.target), Ok(1));
    }

    #[test]
    fn a_campaigns_own_names_and_required_columns_count() {
        let mut campaign = Campaign { channel: Channel::Email, ..Campaign::default() };
        campaign.format.reference_aliases = vec!["Policy No".to_owned()];
        campaign.format.target_aliases = vec!["Correo".to_owned()];
        campaign.format.required = vec!["Due Date".to_owned(), "amount".to_owned()];
        let rules = HeaderRules::of(&campaign);
        let read = |cells: &[&str]| rules.read(cells.iter().copied(), 1);
        let header = read(&["correo", "policy_no", "AMOUNT", "due-date"]).unwrap();
        assert_eq!((header.target, header.reference_id), (0, 1));
        assert_eq!(header.required, [("Due Date".to_owned(), 3), ("amount".to_owned(), 2)]);
        assert_eq!(read(&["E-Mail", "ref_id", "amount", "due date"]).map(|header| header.target), Ok(0));
        assert_eq!(
            read(&["E-Mail", "name", "amount"]).unwrap_err().message(),
            "Missing required fields: reference_id, Due Date (the first line is the header and has 3 columns; \
             name one column reference_id, ref_id or reference, and one Due Date)"
        );
    }

    #[test]
    fn a_rejects_file_is_known_by_its_first_names() {
        let campaign = Format { quote: Some(Some(b'\'')), header: false, skip_rows: 3, ..Format::default() };
        for (beginning, delimiter) in [
            ("_row,_line,_status,_code,_message,ref,phone\n", ","),
            ("_row;_line;_status", ";"),
            ("\"_row\";\"_line\";\"_status\"", ";"),
            ("_row\t_line", "\t"),
            ("_row||_line", "||"),
            ("_row, _line", ", "),
        ] {
            let format = rejects_format(beginning.as_bytes(), &campaign).expect(beginning);
            assert_eq!((format.delimiter.as_deref(), format.header, format.skip_rows), (Some(delimiter), true, 0));
            assert_eq!(format.quote, Some(Some(b'"')));
        }
        for other in
            ["", "_row", "_row,", "_row_line", "_row,name,_line", "row,_line", "x\n_row,_line", "_row,,,,,_line"]
        {
            assert_eq!(rejects_format(other.as_bytes(), &campaign), None, "{other}");
        }
    }

    #[test]
    fn faults_name_columns_by_number_and_quote_nothing() {
        let cases: [(&[&str], &str); 10] = [
            (
                &["reference_id", "name"],
                "Missing required fields: target (the first line is the header and has 2 columns; \
                 name one column target, phone or phone_number)",
            ),
            (
                &["phone", "name", "city"],
                "Missing required fields: reference_id (the first line is the header and has 3 columns; \
                 name one column reference_id, ref_id or reference)",
            ),
            (
                &["ACC1", "5125550142"],
                "Missing required fields: target, reference_id (the first line is the header and has 2 columns; \
                 name one column target, phone or phone_number, and one reference_id, ref_id or reference)",
            ),
            (
                &["reference_id target"],
                "Missing required fields: target, reference_id (the first line is the header and has 1 column; \
                 put a comma, semicolon, tab or | between columns, and \
                 name one column target, phone or phone_number, and one reference_id, ref_id or reference)",
            ),
            (
                &["reference_id", "Phone", "x", "phone "],
                "Duplicate header: line 1: columns 2 and 4 have the same name; give each its own \
                 (case, spaces, '-', '.' and '_' make no difference)",
            ),
            (
                &["reference_id", "target", "Due Date", "due-date"],
                "Duplicate header: line 1: columns 3 and 4 have the same name; give each its own \
                 (case, spaces, '-', '.' and '_' make no difference)",
            ),
            (
                &["reference_id", "", "target"],
                "Duplicate header: line 1, column 2: the column has no name; give it one, or leave it out",
            ),
            (
                &["reference_id", "phone", "Mobile"],
                "Ambiguous header: line 1: columns 2 and 3 may each be the target; \
                 name the right one target, or leave the others out",
            ),
            (
                &["customer_id", "contact_id", "x", "ref id", "target"],
                "Ambiguous header: line 1: columns 1, 2 and 4 may each be the reference_id; \
                 name the right one reference_id, or leave the others out",
            ),
            (
                &["reference_id", "target", "a\0b"],
                "Invalid file format: line 1, column 3: the column's name holds a NUL byte; \
                 export the file again as \"CSV UTF-8\"",
            ),
        ];
        for (cells, expected) in cases {
            assert_eq!(message(cells), expected);
        }
        let below = HeaderRules::email().read(["a", "b"].into_iter(), 3).unwrap_err();
        assert_eq!(
            below.message(),
            "Missing required fields: target, reference_id (line 3 is the header and has 2 columns; \
             name one column target, email or email_address, and one reference_id, ref_id or reference)"
        );
        assert_eq!(below.place, Some(Place { line: 3, column: None }));
    }
}
