//! One person, as the store may know them.

/// What a person's requests are found by. Not to be shown or logged, and so without `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Their target as it is stored or was sent, in lower case.
    pub targets: Vec<String>,
    /// Their number as people write it, without what stands between digits.
    pub digits: Vec<String>,
    /// Their `reference_id`.
    pub reference_id: Option<String>,
}
