//! What kind of thing a cell seems to be, for telling a header from the rows below it and a right cut from a wrong one.
//! A guess by its form alone; what a value is worth is judged elsewhere.

/// What a cell looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Blank,
    /// Digits, with signs and separators as people write amounts and phone numbers.
    Number,
    /// Four digits that may be a year: a name of a column as well as a value.
    Year,
    Date,
    Time,
    Mail,
    /// `https://…`
    Address,
    Text,
}

impl Kind {
    /// Those that a header's names are not of; a column of years is one of numbers too.
    pub const TYPED: [Kind; 6] = [Kind::Year, Kind::Number, Kind::Date, Kind::Time, Kind::Mail, Kind::Address];

    /// Says more than that there is something.
    pub fn is_typed(self) -> bool {
        !matches!(self, Kind::Blank | Kind::Text)
    }
}

/// Judges the value of a cell, white space around it not counted.
pub(super) fn kind(value: &[u8]) -> Kind {
    let value = value.trim_ascii();
    let Some(&first) = value.first() else { return Kind::Blank };
    if first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'(' | b'.' | b'$') {
        return numeric(value);
    }
    if value.starts_with(b"http://") || value.starts_with(b"https://") {
        return Kind::Address;
    }
    if is_mail(value) { Kind::Mail } else { Kind::Text }
}

fn numeric(value: &[u8]) -> Kind {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_of = |others: &[u8]| value.iter().all(|byte| byte.is_ascii_digit() || others.contains(byte));
    if value.len() == 4 && digits == 4 && matches!(value[0], b'1' | b'2') {
        return Kind::Year;
    }
    let parts = |separator: u8| value.split(|byte| *byte == separator).count();
    let is_date = |text: &[u8]| {
        [b'-', b'/', b'.'].iter().any(|separator| {
            let parts: Vec<&[u8]> = text.split(|byte| byte == separator).collect();
            let is_part = |part: &&[u8]| matches!(part.len(), 1 | 2 | 4) && part.iter().all(u8::is_ascii_digit);
            parts.len() == 3 && parts.iter().all(is_part) && parts.iter().filter(|part| part.len() == 4).count() <= 1
        })
    };
    if is_date(value)
        || value.iter().position(|byte| matches!(byte, b'T' | b' ')).is_some_and(|at| is_date(&value[..at]))
    {
        return Kind::Date;
    }
    if digits >= 3 && is_of(b":.") && matches!(parts(b':'), 2 | 3) {
        return Kind::Time;
    }
    let is_number = digits > 0 && digits * 2 >= value.len() && is_of(b"+-.,()$% ");
    if is_number {
        return Kind::Number;
    }
    if is_mail(value) { Kind::Mail } else { Kind::Text }
}

fn is_mail(value: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', value) else { return false };
    let is_word = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(byte));
    let (name, domain) = (&value[..at], &value[at + 1..]);
    !name.is_empty() && is_word(name) && is_word(domain) && memchr::memrchr(b'.', domain).is_some_and(|dot| dot > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told() {
        let cases: [(&str, Kind); 22] = [
            ("", Kind::Blank),
            (" ", Kind::Blank),
            ("12", Kind::Number),
            ("-1,250.00", Kind::Number),
            ("$3.50", Kind::Number),
            ("+1 (512) 555-0142", Kind::Number),
            ("512-555-0142", Kind::Number),
            ("2024", Kind::Year),
            ("9024", Kind::Number),
            ("2024-05-01", Kind::Date),
            ("5/1/2024", Kind::Date),
            ("01.05.24", Kind::Date),
            ("2024-05-01T10:30:00Z", Kind::Date),
            ("10:30", Kind::Time),
            ("10:30:01.5", Kind::Time),
            ("ann@example.com", Kind::Mail),
            ("1a@example.com", Kind::Mail),
            ("https://example.com", Kind::Address),
            ("Ann", Kind::Text),
            ("3 Main Street", Kind::Text),
            ("-", Kind::Text),
            ("@", Kind::Text),
        ];
        for (value, expected) in cases {
            assert_eq!(kind(value.as_bytes()), expected, "{value:?}");
        }
    }
}
