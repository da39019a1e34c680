//! The options that tell how files are written, under the names of a campaign's keys and in place of what it says.

use clap::Args;

use crate::config::{ConfigError, Told, are_named};
use crate::model::{Format, Newline};

#[derive(Debug, Args)]
#[command(next_help_heading = "How the files are written, in place of what their campaign says")]
pub(super) struct ToldArgs {
    /// What stands between cells: 1 to 4 bytes; \t is a tab
    #[arg(long, value_name = "TEXT")]
    delimiter: Option<String>,
    /// The character around cells; "" for none
    #[arg(long, value_name = "CHAR")]
    quote: Option<String>,
    /// The character that takes the next one's meaning away; "" for none
    #[arg(long, value_name = "CHAR")]
    escape: Option<String>,
    /// What ends a row
    #[arg(long, value_name = "lf|crlf|cr", value_parser = newline)]
    newline: Option<Newline>,
    /// A label of the WHATWG, such as windows-1252
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
    /// Whether there is a header line
    #[arg(long, value_name = "true|false")]
    header: Option<bool>,
    /// The columns' names, with commas between them, in place of the header's or for files without one
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    names: Option<Vec<String>>,
    /// Lines at the top that are not read
    #[arg(long, value_name = "N")]
    skip_rows: Option<u32>,
    /// Rows that begin with this are not read
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

fn newline(text: &str) -> Result<Newline, String> {
    let all = [Newline::Lf, Newline::CrLf, Newline::Cr];
    all.into_iter().find(|newline| newline.as_str() == text).ok_or_else(|| "it is lf, crlf or cr".to_owned())
}

impl ToldArgs {
    /// What is told on top of `format`.
    ///
    /// # Errors
    /// The option that makes no sense.
    pub fn over(&self, format: Format) -> Result<Format, ConfigError> {
        let told = Told {
            delimiter: self.delimiter.as_ref().map(|text| text.replace("\\t", "\t")),
            quote: self.quote.clone(),
            escape: self.escape.clone(),
            newline: self.newline,
            encoding: self.encoding.clone(),
            header: self.header,
            names: self.names.clone(),
            skip_rows: self.skip_rows,
            comment: self.comment.clone(),
        };
        told.over(format).map_err(wrong)
    }

    /// The same for files that are judged, whose columns need names.
    pub fn over_named(&self, format: &Format) -> Result<Format, ConfigError> {
        let format = self.over(format.clone())?;
        are_named(&format).map_err(wrong)?;
        Ok(format)
    }
}

fn wrong((key, why): (&str, &str)) -> ConfigError {
    ConfigError(format!("--{} {why}", key.replace('_', "-")))
}
