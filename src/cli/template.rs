//! `check --schema-template`: an empty file with the header that a campaign wants, to hand to those who upload.

use crate::model::name::fold;
use crate::model::{Campaign, Format};
use crate::reader::HeaderRules;
use crate::rules::schema_names;

/// The columns of a file for this campaign: those that every file needs and those that the campaign requires, unless
/// the schema has them, and then the schema's fields in its order. Where the campaign names all columns itself, those.
pub(super) fn columns(campaign: &Campaign) -> Result<Vec<String>, String> {
    if !campaign.format.header {
        return Err("its files have no header line, so that there is none to hand out".to_owned());
    }
    if !campaign.format.names.is_empty() {
        return Ok(campaign.format.names.clone());
    }
    let fields = schema_names(campaign)?;
    let folded: Vec<String> = fields.iter().map(|name| fold(name)).collect();
    let rules = HeaderRules::of(campaign);
    // Of several other names nobody could tell which is meant.
    let is_named = |name: &str, aliases: &[String]| {
        folded.iter().any(|field| field == name) || folded.iter().filter(|field| aliases.contains(field)).count() == 1
    };
    let needed = [("reference_id", &rules.reference_aliases), ("target", &rules.target_aliases)];
    let needed = needed.iter().filter(|(name, aliases)| !is_named(name, aliases)).map(|(name, _)| (*name).to_owned());
    let required = rules.required.iter().filter(|name| !is_named(&fold(name), &[])).cloned();
    Ok(needed.chain(required).chain(fields.iter().cloned()).collect())
}

/// The header line, as the campaign's files are written.
pub(super) fn header(columns: &[String], format: &Format) -> String {
    let quote = format.quote.unwrap_or(Some(b'"')).map(|quote| char::from(quote).to_string());
    let delimiter = format.delimiter.as_deref().unwrap_or(",");
    let quoted = |name: &String| match &quote {
        // Whatever may be taken for a delimiter, so that nobody need guess.
        Some(quote) if name.contains([',', ';', '|', '\t']) || name.contains(delimiter) || name.contains(quote) => {
            format!("{quote}{}{quote}", name.replace(quote, &quote.repeat(2)))
        }
        _ => name.clone(),
    };
    columns.iter().map(quoted).collect::<Vec<_>>().join(delimiter)
}
