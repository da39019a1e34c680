//! What lies in a bucket because we put it there, and is therefore never an upload; and what becomes of uploads.

use super::BucketConfig;
use crate::model::upload::base_name;

/// What becomes of an object that is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// It stays where it is.
    Keep,
    /// It is moved under the processed prefix.
    Move,
    /// It is deleted.
    Delete,
}

impl BucketConfig {
    /// The key of an answer, such as `results/20250401.2/a.receipt.json`; `None` where answers are switched off.
    pub fn result_key(&self, rest: &str) -> Option<String> {
        under(&self.results_prefix, rest)
    }

    /// The key that a loaded object is moved to; `None` where no prefix is set.
    pub fn processed_key(&self, rest: &str) -> Option<String> {
        under(&self.processed_prefix, rest)
    }

    /// The prefixes that are ours, without slashes around them.
    pub(super) fn own_prefixes(&self) -> Vec<String> {
        let prefixes = [&self.results_prefix, &self.processed_prefix];
        prefixes
            .iter()
            .map(|prefix| prefix.trim_matches('/'))
            .filter(|prefix| !prefix.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Whether an object of this key, counted from the bucket's root, can be an upload: no folder marker, no dotfile
    /// and nothing in a hidden folder, whose name starts with a dot, no `*.tmp` or `*.part`, nothing under a prefix of
    /// ours, and nothing in a folder that is called like a batch, which we made under a prefix of before.
    pub fn is_upload(&self, key: &str) -> bool {
        is_upload(key, &self.own_prefixes())
    }
}

fn under(prefix: &str, rest: &str) -> Option<String> {
    let prefix = prefix.trim_matches('/');
    (!prefix.is_empty()).then(|| format!("{prefix}/{rest}"))
}

/// See [`BucketConfig::is_upload`].
pub(super) fn is_upload(key: &str, own_prefixes: &[String]) -> bool {
    let base_name = base_name(key);
    if base_name.is_empty() || base_name.starts_with('.') || key.split('/').any(is_hidden) {
        return false;
    }
    let base_name = base_name.to_ascii_lowercase();
    if base_name.ends_with(".tmp") || base_name.ends_with(".part") {
        return false;
    }
    // What was answered or moved under a prefix of before must not come back as an upload when the configuration
    // changes: people would be contacted again.
    if base_name.ends_with(".receipt.json") || key.split('/').rev().skip(1).any(is_batch_id) {
        return false;
    }
    // Of whole parts: under the prefix `results` lies `results/a.csv`, but not `results_2025.csv`.
    !own_prefixes.iter().any(|own| key.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('/')))
}

/// Whether a folder is hidden. Only a folder's path can step up or stay by `..` and `.`; in a key of S3's they are
/// parts of a name like any other, and hide nothing.
fn is_hidden(part: &str) -> bool {
    part.starts_with('.') && !matches!(part, "." | "..")
}

/// Whether a folder is called as a batch is: `20250401.2`.
fn is_batch_id(part: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    part.split_once('.').is_some_and(|(day, number)| day.len() == 8 && is_number(day) && is_number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_upload(key: &str, results_prefix: &str) -> bool {
        BucketConfig { results_prefix: results_prefix.to_owned(), ..Default::default() }.is_upload(key)
    }

    #[test]
    fn files_that_people_drop_are_uploads() {
        for key in [
            "a.csv",
            "A.CSV",
            "no_ending",
            "2025/04/a.csv",
            "a b+%41é.csv",
            "a.tmp.csv",
            "x.part/a.csv",
            "~a.csv",
            "a//b.csv",
            "../a.csv",
            "./a.csv",
            "a/../b.csv",
        ] {
            assert!(is_upload(key, "results/"), "{key}");
        }
    }

    #[test]
    fn markers_dotfiles_and_unfinished_files_are_not() {
        let keys = ["", "/", "folder/", "a/b/", ".a.csv", ".hidden/a.csv", "a/.hidden/b.csv", "a/...", "a/..", "a/."];
        for key in keys.into_iter().chain(["a.tmp", "A.TMP", "a.csv.Part", "folder/a.part", ".tmp"]) {
            assert!(!is_upload(key, "results/"), "{key}");
        }
    }

    #[test]
    fn what_lies_under_the_results_prefix_is_ours() {
        for prefix in ["results/", "results", "/results/"] {
            assert!(!is_upload("results/20250812.1/a.receipt.json", prefix), "{prefix}");
            assert!(is_upload("results.csv", prefix), "{prefix}");
            assert!(is_upload("results_2025/a.csv", prefix), "{prefix}");
            assert!(is_upload("2025/results/a.csv", prefix), "{prefix}");
        }
        assert!(!is_upload("out/results/a.csv", "out/results"));
        assert!(is_upload("results/a.csv", ""), "switched off");
        for of_before in
            ["results/20250812.1/a.rejects.csv", "old/20250812.10/a.csv", "results/rejected/7/a.receipt.json"]
        {
            assert!(!is_upload(of_before, "") && !is_upload(of_before, "elsewhere"), "{of_before}");
        }
        assert!(is_upload("20250812/a.csv", "") && is_upload("2025081.2/a.csv", "") && is_upload("20250812.1", ""));
        assert!(!is_upload("processed/20250812.1/a.csv", "results/"));
        assert!(is_upload("processed.csv", "results/"));
    }

    #[test]
    fn keys_of_ours_lie_under_the_prefix_however_it_is_written() {
        for prefix in ["out/results", "/out/results/", "out/results/"] {
            let config = BucketConfig { results_prefix: prefix.to_owned(), ..Default::default() };
            assert_eq!(config.result_key("1/a.json").as_deref(), Some("out/results/1/a.json"));
            assert!(!config.is_upload("out/results/1/a.json"));
        }
        assert_eq!(BucketConfig { results_prefix: "/".to_owned(), ..Default::default() }.result_key("a"), None);
    }
}
