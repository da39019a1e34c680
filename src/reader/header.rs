/// Which names make a column the reference_id or the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRules {
    /// Other names for `reference_id`.
    pub reference_aliases: Vec<String>,
    /// Other names for `target`.
    pub target_aliases: Vec<String>,
}
