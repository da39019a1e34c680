//! A JSON object that knows where it stands, and refuses what nobody understands.

use serde_json::{Map, Value};

/// Properties that say nothing about what a cell may be.
const DESCRIPTIVE: [&str; 16] = [
    "$schema",
    "contributors",
    "created",
    "description",
    "example",
    "examples",
    "homepage",
    "id",
    "image",
    "keywords",
    "licenses",
    "name",
    "rdfType",
    "sources",
    "title",
    "version",
];

/// A JSON object, and where it stands.
pub(super) struct Object<'a> {
    at: String,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(super) fn of(at: &str, value: &'a Value) -> Result<Self, String> {
        let members = value.as_object().ok_or_else(|| match at {
            "" => "must be a JSON object with the fields of a Table Schema".to_owned(),
            _ => format!("{at}: must be an object"),
        })?;
        Ok(Object { at: at.to_owned(), members })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name)
    }

    pub(super) fn place(&self, name: &str) -> String {
        format!("{}/{}", self.at, name.replace('~', "~0").replace('/', "~1"))
    }

    pub(super) fn wrong<T>(&self, name: &str, why: &str) -> Result<T, String> {
        Err(format!("{}: {why}", self.place(name)))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.wrong(name, "must be a text"),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => self.wrong(name, "must be true or false"),
        }
    }

    /// Refuses properties that are neither these nor mere description.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), String> {
        let is_description = |name: &str| {
            DESCRIPTIVE.contains(&name) || name.starts_with("x-") || name.starts_with('_') || name.contains(':')
        };
        self.none_but(known, &is_description)
    }

    /// Refuses properties that are not these.
    pub(super) fn only_of(&self, known: &[&str]) -> Result<(), String> {
        self.none_but(known, &|_| false)
    }

    fn none_but(&self, known: &[&str], is_description: &dyn Fn(&str) -> bool) -> Result<(), String> {
        let unknown = self.members.keys().find(|name| !known.contains(&name.as_str()) && !is_description(name));
        match unknown {
            None => Ok(()),
            Some(name) => self.wrong(name, &format!("is not known here; known are {}", known.join(", "))),
        }
    }
}
