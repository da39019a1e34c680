//! The keys of a campaign that say how its files are written.

use serde::Deserialize;

use super::{CampaignConfig, ConfigError};
use crate::model::Format;

/// `aliases.reference_id` and `aliases.target`: more names for the two columns that every file needs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aliases {
    /// More names for `reference_id`.
    pub reference_id: Vec<String>,
    /// More names for `target`.
    pub target: Vec<String>,
}

impl CampaignConfig {
    /// What the section says of its files; `campaign` is its name, for the text of a refusal.
    pub(super) fn format(&self, campaign: &str) -> Result<Format, ConfigError> {
        let wrong = |key: &str, why: &str| ConfigError(format!("campaigns.{campaign}.{key} {why}"));
        let breaks_lines = |text: &str| text.contains(['\n', '\r', '\0']);

        let delimiter = self.delimiter.clone();
        if delimiter.as_ref().is_some_and(|text| !(1..=4).contains(&text.len()) || breaks_lines(text)) {
            return Err(wrong("delimiter", "must be 1 to 4 bytes without a line break, such as \";\""));
        }
        let character = |key: &str, text: &Option<String>| match text.as_deref().map(str::as_bytes) {
            None => Ok(None),
            Some([]) => Ok(Some(None)),
            Some([byte]) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | b' ') => Ok(Some(Some(*byte))),
            Some(_) => Err(wrong(key, "must be one ASCII character, or \"\" for none")),
        };
        let (quote, escape) = (character("quote", &self.quote)?, character("escape", &self.escape)?);
        for (key, byte) in [("quote", quote), ("escape", escape)] {
            if let (Some(Some(byte)), Some(delimiter)) = (byte, &delimiter)
                && delimiter.as_bytes().contains(&byte)
            {
                return Err(wrong(key, "must not be part of the delimiter"));
            }
        }
        let encoding = match self.encoding.as_deref() {
            None => None,
            Some(label) => match encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()) {
                Some(encoding) => Some(encoding.name()),
                None => return Err(wrong("encoding", "must be a label of the WHATWG, such as \"windows-1252\"")),
            },
        };
        let header = self.header.unwrap_or(true);
        let names = self.names.clone().unwrap_or_default();
        if !header && names.is_empty() {
            return Err(wrong("names", "must name the columns where header = false"));
        }
        if self.comment.as_ref().is_some_and(|text| text.is_empty() || text.len() > 16 || breaks_lines(text)) {
            return Err(wrong("comment", "must be 1 to 16 bytes without a line break, such as \"#\""));
        }
        for (key, list) in [
            ("names", &names),
            ("required", &self.required),
            ("aliases.reference_id", &self.aliases.reference_id),
            ("aliases.target", &self.aliases.target),
        ] {
            if list.iter().any(|name| name.trim().is_empty() || name.contains('\0')) {
                return Err(wrong(key, "must hold no blank name"));
            }
        }
        Ok(Format {
            delimiter,
            quote,
            escape,
            newline: self.newline,
            encoding,
            header,
            names,
            skip_rows: self.skip_rows.unwrap_or(0),
            comment: self.comment.clone(),
            reference_aliases: self.aliases.reference_id.clone(),
            target_aliases: self.aliases.target.clone(),
            required: self.required.clone(),
        })
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
    use crate::model::Newline;

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
