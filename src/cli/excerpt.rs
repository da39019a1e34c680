//! A line of a file with a caret under a cell, for the person at the keyboard.
//!
//! Letters and digits are shown as `•`, but for the last four of the cell in question: enough to find the row and to see
//! what is wrong with its shape, too little to read a person's data over someone's shoulder or in a log of a build.

/// Characters shown of a long line.
const WIDTH: usize = 72;

/// The line and the caret line under it, both without indentation.
///
/// `column` counts characters from 0; `length` is the cell's, at least one caret is drawn.
pub(super) fn excerpt(line: &str, column: usize, length: usize) -> (String, String) {
    let characters: Vec<char> = line.chars().collect();
    let column = column.min(characters.len());
    let end = (column + length).min(characters.len());
    let mut masked: Vec<char> = characters.iter().map(|&c| mask(c)).collect();
    // The last four are shown, but never more than half of what there is.
    let visible = (0..end).rev().filter(|&at| at >= column && characters[at].is_alphanumeric());
    let shown = 4.min((column..end).filter(|&at| characters[at].is_alphanumeric()).count() / 2);
    for at in visible.take(shown) {
        masked[at] = characters[at];
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

fn mask(c: char) -> char {
    match c {
        c if c.is_alphanumeric() => '•',
        '\t' => '→',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn the_caret_stands_under_the_cell_and_data_stays_private() {
        let (text, pointer) = excerpt("ACC1,(512) 555-0142,María", 5, 14);
        assert_eq!(text, "••••,(•••) •••-0142,•••••");
        assert_eq!(pointer, "     ^^^^^^^^^^^^^^");
        assert_eq!(excerpt("A1,12,x", 3, 2), ("••,•2,•".into(), "   ^^".into()));
        assert_eq!(excerpt("A1,,x", 3, 0), ("••,,•".into(), "   ^".into()));
        assert_eq!(excerpt("", 0, 0), (String::new(), "^".into()));
    }

    #[test]
    fn a_long_line_is_shown_around_the_cell() {
        let line = format!("{},5125550142,{}", "x".repeat(200), "y".repeat(200));
        let (text, pointer) = excerpt(&line, 201, 10);
        assert!(text.starts_with('…') && text.ends_with('…') && text.chars().count() == 74, "{text}");
        let caret = pointer.find('^').expect("a caret");
        let under: String = text.chars().skip(caret).take(10).collect();
        assert_eq!(under, "••••••0142");
        assert_eq!(pointer.len(), caret + 10);
    }
}
