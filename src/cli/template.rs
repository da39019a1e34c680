//! `check --schema-template`: an empty file with the header that a campaign wants, to hand to those who upload.

use crate::model::Campaign;
use crate::model::name::fold;
use crate::reader::HeaderRules;
use crate::rules::schema_names;

/// The columns of a file for this campaign: those that every file needs, unless the schema has them under one of their
/// names, and then the schema's fields in its order.
pub(super) fn columns(campaign: &Campaign) -> Result<Vec<String>, String> {
    let fields = schema_names(campaign)?;
    let folded: Vec<String> = fields.iter().map(|name| fold(name)).collect();
    let rules = HeaderRules::of(campaign.channel);
    // Of several other names nobody could tell which is meant.
    let is_named = |name: &str, aliases: &[String]| {
        folded.iter().any(|field| field == name) || folded.iter().filter(|field| aliases.contains(field)).count() == 1
    };
    let needed = [("reference_id", &rules.reference_aliases), ("target", &rules.target_aliases)];
    let needed = needed.iter().filter(|(name, aliases)| !is_named(name, aliases)).map(|(name, _)| (*name).to_owned());
    Ok(needed.chain(fields).collect())
}

/// The header line as CSV.
pub(super) fn header(columns: &[String]) -> String {
    let quoted = |name: &String| match name.contains([',', ';', '|', '"']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.clone(),
    };
    columns.iter().map(quoted).collect::<Vec<_>>().join(",")
}
