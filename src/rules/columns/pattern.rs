//! Regular expressions of the `pattern` constraint.
//!
//! A Table Schema has those of XML Schema; people write, and other readers take, what most languages understand. Both
//! mean the same in nearly everything; what is particular to XML Schema is translated here (a class less another one),
//! or refused at start-up with a text, so that no pattern is taken for another one. A pattern is held against the whole
//! value, as XML Schema says. Matching takes time linear in the cell, whatever the pattern.

use regex::{Regex, RegexBuilder};

/// # Errors
/// What is wrong with the pattern.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    let build = |text: &str| RegexBuilder::new(text).crlf(true).build();
    // By itself first: behind a bracket too many, it would not be held against the whole value.
    build(&translated).map_err(|error| explained(&error))?;
    build(&format!(r"\A(?:{translated})\z")).map_err(|error| explained(&error))
}

fn explained(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        // The library draws the place over several lines, and says what it is on the last.
        _ => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    // Of each class that is open, one in the other, whether it begins with ^.
    let mut open: Vec<bool> = Vec::new();
    // Nothing of the open class has been read yet.
    let mut is_first = false;
    while let Some(c) = chars.next() {
        let was_first = std::mem::take(&mut is_first);
        let is_in_class = !open.is_empty();
        let is_subtraction = c == '-' && is_in_class && !was_first && chars.peek() == Some(&'[');
        match c {
            '\\' => {
                let escaped = chars.next().ok_or("it ends in a backslash")?;
                if matches!(escaped, 'i' | 'I' | 'c' | 'C') {
                    return Err(format!("\\{escaped} (the characters of XML names) is not supported; write them out"));
                }
                if matches!(escaped, 'p' | 'P') && chars.clone().take(3).eq("{Is".chars()) {
                    return Err("blocks of characters such as \\p{IsGreek} are not supported; write a range".to_owned());
                }
                out.extend(['\\', escaped]);
            }
            _ if is_subtraction || c == '[' && !is_in_class => {
                if is_subtraction {
                    // There ^ is for the first class alone, here it would be for what is left of it.
                    if open.last() == Some(&true) {
                        return Err("a class that begins with ^ cannot have another one taken from it".to_owned());
                    }
                    chars.next();
                    out.push_str("--");
                }
                out.push('[');
                let is_negated = chars.next_if_eq(&'^').is_some();
                if is_negated {
                    out.push('^');
                }
                open.push(is_negated);
                is_first = true;
            }
            '[' => return Err("write a bracket within brackets as \\[".to_owned()),
            // Two of them would be operators.
            '&' | '~' if is_in_class => out.extend(['\\', c]),
            '-' if is_in_class && chars.peek() == Some(&'-') => {
                return Err("write a hyphen within brackets as \\-".to_owned());
            }
            ']' if is_in_class && !was_first => {
                open.pop();
                out.push(']');
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_held_against_the_whole_value() {
        for (pattern, right, wrong) in [
            ("^a.*$", "apple", "orange"),
            ("a|b", "b", "ab"),
            ("[0-9]{3}", "123", "1234"),
            ("[a-z-[aeiou]]+", "xyz", "xaz"),
            ("[a-z-[^aeiou]]", "a", "b"),
            (r"[a&&b~~\]]+", "&~ab]", "c"),
            (r"\p{Lu}\p{L}*", "Élan", "élan"),
            (r"\d+", "42", "4 2"),
            ("a.b", "a-b", "a\nb"),
            ("a.b", "a\u{85}b", "a\rb"),
            ("[-a]+", "-a", "b"),
            ("(?i)yes", "YES", "no"),
        ] {
            let regex = compile(pattern).expect(pattern);
            assert!(regex.is_match(right), "{pattern}: {right}");
            assert!(!regex.is_match(wrong), "{pattern}: {wrong}");
        }
    }

    #[test]
    fn what_would_be_taken_for_something_else_is_refused() {
        for (pattern, why) in [
            ("(", "unclosed group"),
            ("a)(b", "unopened group"),
            (r"(a)\1", "backreferences are not supported"),
            ("(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
            (r"\i\c*", r"\i (the characters of XML names) is not supported; write them out"),
            (r"\p{IsGreek}", r"blocks of characters such as \p{IsGreek} are not supported; write a range"),
            ("[[:alpha:]]", r"write a bracket within brackets as \["),
            ("[^a-z-[aeiou]]", "a class that begins with ^ cannot have another one taken from it"),
            ("[a--b]", r"write a hyphen within brackets as \-"),
            ("a\\", "it ends in a backslash"),
            (r"(\w{1000}){1000}", "the pattern is too large"),
        ] {
            assert_eq!(compile(pattern).expect_err(pattern), why, "{pattern}");
        }
    }
}
