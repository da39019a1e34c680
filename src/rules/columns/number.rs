//! Numbers as a Table Schema writes them, compared digit by digit: exact at any length, and nothing is copied.

use std::cmp::Ordering;

/// How a field writes its numbers.
#[derive(Debug)]
pub(super) struct NumberForm {
    /// No fraction, exponent or special value.
    pub(super) is_whole: bool,
    pub(super) decimal_char: String,
    pub(super) group_char: Option<String>,
    /// False: text around the number, such as a currency, is overlooked.
    pub(super) is_bare: bool,
}

/// What a cell's number is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number<'a> {
    Nan,
    Infinite { is_negative: bool },
    Finite(Decimal<'a>),
}

/// Digits where they stand in the cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal<'a> {
    is_negative: bool,
    /// May hold group characters.
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl NumberForm {
    /// A form without anything special about it.
    pub(super) fn plain(is_whole: bool) -> Self {
        NumberForm { is_whole, decimal_char: ".".to_owned(), group_char: None, is_bare: true }
    }

    pub(super) fn read<'a>(&self, text: &'a str) -> Option<Number<'a>> {
        let text = text.trim();
        if !self.is_whole {
            if text.eq_ignore_ascii_case("NaN") {
                return Some(Number::Nan);
            }
            if text.eq_ignore_ascii_case("INF") || text.eq_ignore_ascii_case("-INF") {
                return Some(Number::Infinite { is_negative: text.starts_with('-') });
            }
        }
        let (is_negative, rest) = if self.is_bare { signed(text) } else { self.stripped(text)? };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) if !self.is_whole => (&rest[..at], exponent(&rest[at + 1..])?),
            _ => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once(self.decimal_char.as_str()) {
            Some(parts) if !self.is_whole => parts,
            _ => (mantissa, ""),
        };
        let is_written_well = self.is_grouped_well(whole)
            && fraction.bytes().all(|byte| byte.is_ascii_digit())
            && !(whole.is_empty() && fraction.is_empty());
        is_written_well.then_some(Number::Finite(Decimal { is_negative, whole, fraction, exponent }))
    }

    /// Digits, and group characters between digits only.
    fn is_grouped_well(&self, whole: &str) -> bool {
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match &self.group_char {
            Some(group) if whole.contains(group.as_str()) => {
                whole.split(group.as_str()).all(|part| !part.is_empty() && is_digits(part))
            }
            _ => is_digits(whole),
        }
    }

    /// The number in `€ -12.3` or `95%`, and whether it is negative. A minus belongs to it where the number or the
    /// whole text begins; anywhere else nobody can say what it means.
    fn stripped<'a>(&self, text: &'a str) -> Option<(bool, &'a str)> {
        let is_digit = |c: char| c.is_ascii_digit();
        let (mut start, last) = (text.find(is_digit)?, text.rfind(is_digit)?);
        if let Some(before) = text[..start].strip_suffix(self.decimal_char.as_str()) {
            // `.5`, but not `Rs.95`.
            if !self.is_whole && !before.ends_with(char::is_alphabetic) {
                start = before.len();
            }
        }
        let before = text[..start].trim();
        let is_negative = before.starts_with('-') || before.ends_with('-');
        let is_clear = before.matches(['-', '+']).count() <= 1
            && (before.find(['-', '+']).is_none_or(|at| at == 0 || at + 1 == before.len()));
        is_clear.then_some((is_negative, &text[start..=last]))
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Larger exponents than anybody means count as this.
const LARGEST_EXPONENT: i64 = 1 << 40;

fn exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = signed(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().unwrap_or(LARGEST_EXPONENT).min(LARGEST_EXPONENT);
    Some(if is_negative { -value } else { value })
}

impl<'a> Decimal<'a> {
    fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.whole.bytes().chain(self.fraction.bytes()).filter(u8::is_ascii_digit)
    }

    /// The power of ten of the first digit that is not 0; `None` for zero.
    fn power(&self) -> Option<i64> {
        let leading = self.digits().position(|digit| digit != b'0')? as i64;
        let whole = self.whole.bytes().filter(u8::is_ascii_digit).count() as i64;
        Some(whole - 1 - leading + self.exponent)
    }

    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.power(), self.is_negative) {
            (None, _) => 0,
            (Some(_), true) => -1,
            (Some(_), false) => 1,
        }
    }

    fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        if by_sign.is_ne() || self.sign() == 0 {
            return by_sign;
        }
        let by_size = self.power().cmp(&other.power()).then_with(|| {
            let mut mine = self.digits().skip_while(|&digit| digit == b'0');
            let mut theirs = other.digits().skip_while(|&digit| digit == b'0');
            loop {
                match (mine.next(), theirs.next()) {
                    (None, None) => return Ordering::Equal,
                    (a, b) => match a.unwrap_or(b'0').cmp(&b.unwrap_or(b'0')) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        });
        if self.is_negative { by_size.reverse() } else { by_size }
    }
}

impl Number<'_> {
    /// `None` where one of the two is no number.
    pub(super) fn compare(&self, other: &Number<'_>) -> Option<Ordering> {
        // How far from a finite number: -1, 0 or 1.
        let reach = |number: &Number<'_>| match number {
            Number::Nan => None,
            Number::Infinite { is_negative: true } => Some(-1),
            Number::Infinite { is_negative: false } => Some(1),
            Number::Finite(_) => Some(0),
        };
        match (self, other) {
            (Number::Finite(mine), Number::Finite(theirs)) => Some(mine.compare(theirs)),
            _ => Some(reach(self)?.cmp(&reach(other)?)),
        }
    }

    /// Bytes that are the same for equal numbers, and for them only.
    pub(super) fn write_key(&self, out: &mut Vec<u8>) {
        match self {
            Number::Nan => out.push(b'n'),
            Number::Infinite { is_negative } => out.extend([b'i', u8::from(*is_negative)]),
            Number::Finite(decimal) => {
                let Some(power) = decimal.power() else { return out.push(b'0') };
                out.push(if decimal.is_negative { b'-' } else { b'+' });
                out.extend(power.to_be_bytes());
                let start = out.len();
                out.extend(decimal.digits().skip_while(|&digit| digit == b'0'));
                let kept = out[start..].iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
                out.truncate(start + kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: &Number<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        number.write_key(&mut out);
        out
    }

    #[test]
    fn numbers_compare_by_what_they_mean() {
        let form = NumberForm { group_char: Some(",".to_owned()), ..NumberForm::plain(false) };
        let compare = |a: &str, b: &str| form.read(a).expect(a).compare(&form.read(b).expect(b));
        for (a, b) in [
            ("-INF", "-1e400"),
            ("-2", "-1.5"),
            ("-0.1", "0"),
            ("0", "1e-999999999999999999999"),
            ("9", "10"),
            ("1,999", "2000"),
            ("100000000000000000000000000000000001", "100000000000000000000000000000000002"),
            ("1e400", "INF"),
        ] {
            assert_eq!(compare(a, b), Some(Ordering::Less), "{a} {b}");
            assert_eq!(compare(b, a), Some(Ordering::Greater), "{a} {b}");
            assert_ne!(key(&form.read(a).expect(a)), key(&form.read(b).expect(b)));
        }
        for (a, b) in [("1", "+1.000"), ("0", "-0.00"), ("1,500", "1.5E3"), (".5", "5e-1"), ("100", "1e2")] {
            assert_eq!(compare(a, b), Some(Ordering::Equal), "{a} {b}");
            assert_eq!(key(&form.read(a).expect(a)), key(&form.read(b).expect(b)));
        }
        assert_eq!(compare("NaN", "NaN"), None);
    }

    proptest! {
        /// Held against 128-bit arithmetic.
        #[test]
        fn they_compare_like_integers(a in any::<i64>(), b in any::<i64>(), zeros in 0..5usize, shift in 0..9u32) {
            let form = NumberForm::plain(false);
            // a written with a fraction of `shift` digits, b with an exponent.
            let scale = 10i128.pow(shift);
            let (sign, size) = (if a < 0 { "-" } else { "" }, i128::from(a).unsigned_abs());
            let first = format!("{sign}{}{}.{:0width$}", "0".repeat(zeros), size / scale as u128, size % scale as u128, width = shift as usize);
            let second = format!("{b}e-{shift}");
            let (first, second) = (form.read(&first).expect("a number"), form.read(&second).expect("a number"));
            prop_assert_eq!(first.compare(&second), Some(a.cmp(&b)));
            prop_assert_eq!(key(&first) == key(&second), a == b);
        }
    }
}
