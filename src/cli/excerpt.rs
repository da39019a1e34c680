//! A line of the file with a caret under a cell, for the person at the keyboard.
//!
//! Letters and digits are shown as `•`, but for the last four of a target: enough to find the row and to see what is
//! wrong with its shape, too little to read a person's data over someone's shoulder or in a log of a build.

/// Characters shown of a long line.
const WIDTH: usize = 72;

/// What in a line is meant. Both counts are of characters, the first from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) column: usize,
    /// At least one caret is drawn.
    pub(super) length: usize,
    /// It is a target, of which the last four letters and digits may be seen.
    pub(super) is_target: bool,
}

/// The line and the caret line under it, both without indentation.
pub(super) fn excerpt(line: &str, mark: Mark) -> (String, String) {
    let characters: Vec<char> = line.chars().collect();
    let column = mark.column.min(characters.len());
    let end = (column + mark.length).min(characters.len());
    let mut masked: Vec<char> = characters.iter().map(|&c| mask(c)).collect();
    if mark.is_target {
        // The last four are shown, but never more than half of what there is.
        let meant: Vec<usize> = (column..end).filter(|&at| characters[at].is_alphanumeric()).collect();
        for &at in meant.iter().rev().take(4.min(meant.len() / 2)) {
            // Others may be two columns wide, and would shift the caret.
            if characters[at].is_ascii() {
                masked[at] = characters[at];
            }
        }
    }
    // A window around the cell.
    let from = if end <= WIDTH { 0 } else { column.saturating_sub(12) };
    let to = masked.len().min(from + WIDTH);
    let (left, right) = (if from > 0 { "…" } else { "" }, if to < masked.len() { "…" } else { "" });
    let text: String = masked[from..to].iter().collect();
    let carets = end.min(to).saturating_sub(column).max(1);
    let pointer = format!("{}{}", " ".repeat(left.chars().count() + column - from), "^".repeat(carets));
    (format!("{left}{text}{right}"), pointer)
}

/// Every character becomes one that is a column wide, so that the caret stands under what it means, whatever accents,
/// emoji or changes of direction stand before it.
fn mask(c: char) -> char {
    match c {
        '\t' => '→',
        ' ' => ' ',
        c if c.is_ascii_punctuation() => c,
        c if c.is_control() || c == '\u{fffd}' => '\u{fffd}',
        _ => '•',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(line: &str, column: usize, length: usize) -> (String, String) {
        excerpt(line, Mark { column, length, is_target: true })
    }

    #[test]
    fn the_caret_stands_under_the_cell_and_data_stays_private() {
        let (text, pointer) = target("ACC1,(512) 555-0142,María", 5, 14);
        assert_eq!(text, "••••,(•••) •••-0142,•••••");
        assert_eq!(pointer, "     ^^^^^^^^^^^^^^");
        assert_eq!(target("A1,12,x", 3, 2), ("••,•2,•".into(), "   ^^".into()));
        assert_eq!(target("A1,,x", 3, 0), ("••,,•".into(), "   ^".into()));
        assert_eq!(target("", 0, 0), (String::new(), "^".into()));
        let other = Mark { column: 0, length: 7, is_target: false };
        assert_eq!(excerpt("A1,12,x", other), ("••,••,•".into(), "^^^^^^^".into()));
    }

    #[test]
    fn every_character_takes_one_column() {
        let (text, pointer) = target("e\u{301}😀你\t\u{202e},５１２５５５０１４２", 7, 10);
        assert_eq!(text, "••••→•,••••••••••");
        assert_eq!(pointer, "       ^^^^^^^^^^");
    }

    #[test]
    fn a_long_line_is_shown_around_the_cell() {
        let line = format!("{},5125550142,{}", "x".repeat(200), "y".repeat(200));
        let (text, pointer) = target(&line, 201, 10);
        assert!(text.starts_with('…') && text.ends_with('…') && text.chars().count() == 74, "{text}");
        let caret = pointer.find('^').expect("a caret");
        let under: String = text.chars().skip(caret).take(10).collect();
        assert_eq!(under, "••••••0142");
        assert_eq!(pointer.len(), caret + 10);
    }
}
