//! The environment's variables over the file's keys.

use toml::{Table, Value};

use super::ConfigError;

/// Prefix of the environment variables that override keys.
pub const ENVIRONMENT_PREFIX: &str = "BATCHDROP_";

/// Puts one environment variable into the table. Variables without our prefix are nobody's business here.
pub(super) fn override_key(table: &mut Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) else { return Ok(()) };
    // Set by those who test or start the program, not keys of it.
    if rest == "CONFIG" || rest.starts_with("TEST_") {
        return Ok(());
    }
    let rest = rest.to_ascii_lowercase();
    let unknown =
        || ConfigError(format!("{name} names no configuration key; keys are written like BATCHDROP_STORE_URL"));
    let (section, key) = rest.split_once('_').ok_or_else(unknown)?;
    let value = scalar(value);
    if ["campaigns", "suppression", "webhooks"].contains(&section) {
        let Some(Value::Table(named)) = table.get_mut(section) else { return Err(unknown()) };
        // The longest name first, so that `late_payments` is not taken for `late`.
        let mut names: Vec<String> = named.keys().cloned().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            let prefix = format!("{}_", name.to_ascii_lowercase().replace('-', "_"));
            if let (Some(key), Some(Value::Table(section))) = (key.strip_prefix(&prefix), named.get_mut(&name)) {
                match key.strip_prefix("aliases_") {
                    None => section.insert(key.to_owned(), value),
                    Some(field) => {
                        let aliases = section.entry("aliases").or_insert_with(|| Value::Table(Table::new()));
                        aliases.as_table_mut().ok_or_else(unknown)?.insert(field.to_owned(), value)
                    }
                };
                return Ok(());
            }
        }
        return Err(unknown());
    }
    if !["bucket", "store", "worker", "limits", "retention", "serve", "log"].contains(&section) {
        return Err(unknown());
    }
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    entry.as_table_mut().ok_or_else(unknown)?.insert(key.to_owned(), value);
    Ok(())
}

/// A number, a truth value or a list as TOML writes them; anything else is text as it stands.
fn scalar(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    match parsed {
        Some(value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}
