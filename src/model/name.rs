//! How columns' names are compared.

/// A name as it is compared: `Customer - ID` is `customer_id`. White space of any kind counts as a space.
pub fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for letter in name.trim().chars() {
        if letter.is_whitespace() || matches!(letter, '-' | '.' | '_') {
            if !folded.ends_with('_') {
                folded.push('_');
            }
        } else {
            folded.extend(letter.to_lowercase());
        }
    }
    folded
}
