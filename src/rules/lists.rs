//! From an object's key to the suppression list that it is a new version of.

use globset::{GlobBuilder, GlobMatcher};

use super::target::Targets;
use crate::model::SuppressionList;

/// The configured suppression lists.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    lists: Vec<(SuppressionList, Option<GlobMatcher>)>,
}

impl Lists {
    /// Prepares the lists.
    ///
    /// # Errors
    /// A pattern or a region that is none, with the list's name and the key.
    pub fn new(lists: Vec<SuppressionList>) -> Result<Lists, String> {
        let prepare = |list: SuppressionList| {
            Targets::of(&list.rules()).map_err(|why| format!("{}.{why}", list.name))?;
            let glob = list.files.as_deref().map(|files| GlobBuilder::new(files).case_insensitive(true).build());
            let matcher = glob
                .transpose()
                .map_err(|error| format!("{}.files is no valid pattern: {}", list.name, error.kind()))?;
            Ok((list, matcher.map(|glob| glob.compile_matcher())))
        };
        Ok(Lists { lists: lists.into_iter().map(prepare).collect::<Result<_, String>>()? })
    }

    /// The list that an object of this key is; of several that take it, the first by name.
    pub fn of(&self, key: &str) -> Option<&SuppressionList> {
        let takes = |matcher: &Option<GlobMatcher>| matcher.as_ref().is_some_and(|matcher| matcher.is_match(key));
        self.lists.iter().find(|(_, matcher)| takes(matcher)).map(|(list, _)| list)
    }

    /// Those of these names that are loaded from files.
    pub fn loaded<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a SuppressionList> {
        let lists = self.lists.iter().map(|(list, _)| list);
        lists.filter(|list| list.files.is_some() && names.contains(&list.name))
    }

    /// Whether no list is loaded from files.
    pub fn is_empty(&self) -> bool {
        self.lists.iter().all(|(list, _)| list.files.is_none())
    }
}
