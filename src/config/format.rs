//! The keys of a campaign that say how its files are written.

use serde::Deserialize;

use super::{CampaignConfig, ConfigError};
use crate::model::{Format, Newline};

/// `aliases.reference_id` and `aliases.target`: more names for the two columns that every file needs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aliases {
    /// More names for `reference_id`.
    pub reference_id: Vec<String>,
    /// More names for `target`.
    pub target: Vec<String>,
}

/// What is told of how files are written, as it is spelled in a configuration or on a command line. What is left out is
/// left as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// See [`Format::delimiter`].
    pub delimiter: Option<String>,
    /// See [`Format::quote`]; empty for none.
    pub quote: Option<String>,
    /// See [`Format::escape`]; empty for none.
    pub escape: Option<String>,
    /// See [`Format::newline`].
    pub newline: Option<Newline>,
    /// A label of the WHATWG.
    pub encoding: Option<String>,
    /// See [`Format::header`].
    pub header: Option<bool>,
    /// See [`Format::names`].
    pub names: Option<Vec<String>>,
    /// See [`Format::skip_rows`].
    pub skip_rows: Option<u32>,
    /// See [`Format::comment`].
    pub comment: Option<String>,
}

/// A key, and why what it says cannot be.
type Wrong = (&'static str, &'static str);

impl Told {
    /// Puts what is told in place of what `format` says.
    ///
    /// # Errors
    /// The key that says what cannot be, by itself or together with the others.
    pub fn over(self, mut format: Format) -> Result<Format, Wrong> {
        let breaks_lines = |text: &str| text.contains(['\n', '\r', '\0']);
        let character = |key: &'static str, text: &str| match text.as_bytes() {
            [] => Ok(None),
            [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | b' ' | 0) => Ok(Some(*byte)),
            _ => Err((key, "must be one ASCII character, or \"\" for none")),
        };
        if let Some(text) = self.delimiter {
            if !(1..=4).contains(&text.len()) || breaks_lines(&text) {
                return Err(("delimiter", "must be 1 to 4 bytes without a line break, such as \";\""));
            }
            format.delimiter = Some(text);
        }
        if let Some(text) = self.quote {
            format.quote = Some(character("quote", &text)?);
        }
        if let Some(text) = self.escape {
            format.escape = Some(character("escape", &text)?);
        }
        if let Some(label) = self.encoding {
            let encoding = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
            let wrong = ("encoding", "must be a label of the WHATWG, such as \"windows-1252\"");
            format.encoding = Some(encoding.ok_or(wrong)?.name());
        }
        if let Some(text) = self.comment {
            if text.is_empty() || text.len() > 16 || breaks_lines(&text) {
                return Err(("comment", "must be 1 to 16 bytes without a line break, such as \"#\""));
            }
            format.comment = Some(text);
        }
        if let Some(names) = self.names {
            if names.iter().any(|name| is_no_name(name)) {
                return Err(("names", NO_NAME));
            }
            format.names = names;
        }
        format.newline = self.newline.or(format.newline);
        format.skip_rows = self.skip_rows.unwrap_or(format.skip_rows);
        if let Some(header) = self.header {
            (format.header, format.is_header_told) = (header, true);
        }
        together(&format)?;
        Ok(format)
    }
}

/// What each key allows and all of them do not.
fn together(format: &Format) -> Result<(), Wrong> {
    let quote = format.quote.unwrap_or(Some(b'"'));
    if let Some(delimiter) = &format.delimiter {
        let is_part = |byte: Option<u8>| byte.is_some_and(|byte| delimiter.as_bytes().contains(&byte));
        if format.quote.is_some() && is_part(quote) {
            return Err(("quote", "must not be part of the delimiter"));
        }
        if is_part(quote) {
            return Err(("delimiter", "must not hold the quote; tell another quote, or \"\" for none"));
        }
        if is_part(format.escape.flatten()) {
            return Err(("escape", "must not be part of the delimiter"));
        }
    }
    if let Some(comment) = &format.comment {
        // It would hide rows whose first cell is blank, or in quotes.
        let delimiters: &[&str] = match &format.delimiter {
            Some(delimiter) => &[delimiter],
            None => &[",", ";", "\t", "|"],
        };
        let is_delimiter =
            delimiters.iter().any(|text| comment.starts_with(text) || text.starts_with(comment.as_str()));
        if is_delimiter || quote.is_some_and(|quote| comment.as_bytes().first() == Some(&quote)) {
            return Err(("comment", "must not begin as a row of the table does: with a delimiter or a quote"));
        }
    }
    Ok(())
}

const NO_NAME: &str = "must hold no blank name";

fn is_no_name(name: &str) -> bool {
    name.trim().is_empty() || name.contains('\0')
}

impl CampaignConfig {
    /// What the section says of its files; `campaign` is its name, for the text of a refusal.
    pub(super) fn format(&self, campaign: &str) -> Result<Format, ConfigError> {
        let wrong = |(key, why): Wrong| ConfigError(format!("campaigns.{campaign}.{key} {why}"));
        let told = Told {
            delimiter: self.delimiter.clone(),
            quote: self.quote.clone(),
            escape: self.escape.clone(),
            newline: self.newline,
            encoding: self.encoding.clone(),
            header: self.header,
            names: self.names.clone(),
            skip_rows: self.skip_rows,
            comment: self.comment.clone(),
        };
        let format = Format {
            reference_aliases: self.aliases.reference_id.clone(),
            target_aliases: self.aliases.target.clone(),
            required: self.required.clone(),
            ..Format::default()
        };
        for (key, list) in [
            ("required", &self.required),
            ("aliases.reference_id", &self.aliases.reference_id),
            ("aliases.target", &self.aliases.target),
        ] {
            if list.iter().any(|name| is_no_name(name)) {
                return Err(wrong((key, NO_NAME)));
            }
        }
        let format = told.over(format).map_err(wrong)?;
        are_named(&format).map_err(wrong)?;
        Ok(format)
    }
}

/// Whether columns without a header have names, as they must where their roles matter.
///
/// # Errors
/// What to tell.
pub fn are_named(format: &Format) -> Result<(), (&'static str, &'static str)> {
    match !format.header && format.names.is_empty() {
        true => Err(("names", "must name the columns where header = false")),
        false => Ok(()),
    }
}

/// What is told, for a person: `delimiter ";", header false`. Empty where all is left to the data.
pub fn told(format: &Format) -> String {
    let mut told = Vec::new();
    let quoted = |text: &str| format!("{text:?}");
    let character = |byte: Option<u8>| quoted(&byte.map(char::from).map(String::from).unwrap_or_default());
    let list = |names: &[String]| format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "));
    told.extend(format.delimiter.as_ref().map(|text| format!("delimiter {}", quoted(text))));
    told.extend(format.quote.map(|byte| format!("quote {}", character(byte))));
    told.extend(format.escape.map(|byte| format!("escape {}", character(byte))));
    told.extend(format.newline.map(|newline| format!("newline {}", newline.as_str())));
    told.extend(format.encoding.map(|name| format!("encoding {name}")));
    if !format.header {
        told.push("header false".to_owned());
    }
    if format.skip_rows > 0 {
        told.push(format!("skip_rows {}", format.skip_rows));
    }
    told.extend(format.comment.as_ref().map(|text| format!("comment {}", quoted(text))));
    for (key, names) in [
        ("names", &format.names),
        ("aliases.reference_id", &format.reference_aliases),
        ("aliases.target", &format.target_aliases),
        ("required", &format.required),
    ] {
        if !names.is_empty() {
            told.push(format!("{key} {}", list(names)));
        }
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn format(keys: &str) -> Result<Format, String> {
        let section = format!("id = 1\nfiles = 'x'\n{keys}");
        let config: CampaignConfig = toml::from_str(&section).map_err(|error| error.to_string())?;
        config.format("a").map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_is_read_and_shown() {
        assert_eq!(format(""), Ok(Format::default()));
        assert_eq!(told(&Format::default()), "");
        let all = format(
            "delimiter = '||'\nquote = \"'\"\nescape = '\\'\nnewline = 'crlf'\nencoding = 'latin1'\nheader = false\n\
             names = ['ref', 'Telefon']\nskip_rows = 2\ncomment = '#'\naliases.reference_id = ['ref']\n\
             aliases.target = ['Telefon']\nrequired = ['ref']",
        )
        .expect("valid");
        assert_eq!((all.quote, all.escape, all.newline), (Some(Some(b'\'')), Some(Some(b'\\')), Some(Newline::CrLf)));
        assert_eq!(
            told(&all),
            "delimiter \"||\", quote \"'\", escape \"\\\\\", newline crlf, encoding windows-1252, header false, \
             skip_rows 2, comment \"#\", names [\"ref\", \"Telefon\"], aliases.reference_id [\"ref\"], \
             aliases.target [\"Telefon\"], required [\"ref\"]"
        );
        let none = format("delimiter = \"\\t\"\nquote = ''\nescape = ''").expect("valid");
        assert_eq!((none.quote, none.escape), (Some(None), Some(None)));
        assert_eq!(told(&none), "delimiter \"\\t\", quote \"\", escape \"\"");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_the_name_of_its_key() {
        let cases = [
            ("delimiter = ''", "delimiter must be 1 to 4 bytes without a line break, such as \";\""),
            ("delimiter = 'abcde'", "delimiter must be 1 to 4 bytes without a line break, such as \";\""),
            ("delimiter = \"\\n\"", "delimiter must be 1 to 4 bytes without a line break, such as \";\""),
            ("quote = '«'", "quote must be one ASCII character, or \"\" for none"),
            ("escape = '\\\\'", "escape must be one ASCII character, or \"\" for none"),
            ("delimiter = '|'\nquote = '|'", "quote must not be part of the delimiter"),
            ("encoding = 'klingon'", "encoding must be a label of the WHATWG, such as \"windows-1252\""),
            ("encoding = 'iso-2022-kr'", "encoding must be a label of the WHATWG, such as \"windows-1252\""),
            ("delimiter = '\"'", "delimiter must not hold the quote; tell another quote, or \"\" for none"),
            ("delimiter = '\\'\nescape = '\\'", "escape must not be part of the delimiter"),
            ("comment = ';;'", "comment must not begin as a row of the table does: with a delimiter or a quote"),
            ("comment = '\"'", "comment must not begin as a row of the table does: with a delimiter or a quote"),
            (
                "delimiter = '#'\ncomment = '#'",
                "comment must not begin as a row of the table does: with a delimiter or a quote",
            ),
            ("header = false", "names must name the columns where header = false"),
            ("names = ['a', ' ']", "names must hold no blank name"),
            ("comment = ''", "comment must be 1 to 16 bytes without a line break, such as \"#\""),
        ];
        for (keys, expected) in cases {
            assert_eq!(format(keys).expect_err(keys), format!("campaigns.a.{expected}"));
        }
        assert!(format("newline = 'lfcr'").expect_err("no newline").contains("unknown variant `lfcr`"));
        assert!(format("aliases.phone = ['x']").expect_err("no such field").contains("unknown field `phone`"));
    }

    #[test]
    fn the_environment_reaches_these_keys_too() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "[campaigns.a]\nid = 1\nfiles = 'x'\naliases.target = ['a']").expect("writable");
        let variables = [
            ("BATCHDROP_CAMPAIGNS_A_DELIMITER", ";"),
            ("BATCHDROP_CAMPAIGNS_A_QUOTE", ""),
            ("BATCHDROP_CAMPAIGNS_A_SKIP_ROWS", "3"),
            ("BATCHDROP_CAMPAIGNS_A_ALIASES_REFERENCE_ID", "['Policy No']"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(Some(file.path()), variables).expect("valid");
        let format = config.campaigns().expect("valid").remove(0).format;
        assert_eq!((format.delimiter.as_deref(), format.quote, format.skip_rows), (Some(";"), Some(None), 3));
        assert_eq!((format.reference_aliases, format.target_aliases), (vec!["Policy No".into()], vec!["a".into()]));
    }
}
