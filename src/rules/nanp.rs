//! A short way for plain North American numbers: all that begin with +1, and in the United States and Canada those
//! without it. They are most of what campaigns there send.
//!
//! libphonenumber takes about 2 µs a number; here it is a tenth. The short way knows nothing by itself: it remembers
//! for which first six digits (area code and exchange) the library has called a number valid, and answers for further
//! numbers of that exchange. That is right for the United States and Canada, whose patterns all end in four free
//! digits, and for them only: Barbados and Jamaica give out parts of an exchange. The test at the end holds every
//! exchange of the installed version to it.
//!
//! Other countries have none: their numbers have several lengths, are given out in blocks of ten upwards, and what is
//! plain in one (a leading 0 in Italy) is not so in the next. A short way would be a second copy of their rules, to be
//! proved for each, and at 2 µs a number it is not the library that a load waits for.

use std::sync::atomic::{AtomicBool, Ordering};

use rlibphonenumber::{PhoneNumber, Region};

const AREAS: usize = 800; // 200 to 999
const EXCHANGES: usize = 1000;

/// Exchanges in which the library has called a number valid. Written by any judge, read by all; each entry only ever
/// turns true, and means the same whoever wrote it, so no order between them matters.
static VALID: [AtomicBool; AREAS * EXCHANGES] = [const { AtomicBool::new(false) }; AREAS * EXCHANGES];

/// The ten digits of a plain North American number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain([u8; 10]);

impl Plain {
    /// Reads ten digits, or eleven that begin with 1 (and may have a plus before it), among spaces, dots, hyphens and
    /// brackets. `None` for anything else, and in other regions for what does not begin with +1: the library must see
    /// it.
    #[inline]
    pub(super) fn read(text: &str, region: Region) -> Option<Plain> {
        let bytes = text.as_bytes();
        if !matches!(region, Region::US | Region::CA) && !bytes.starts_with(b"+1") {
            return None;
        }
        let rest = match bytes {
            [b'+', b'1', rest @ ..] | [b'1', rest @ ..] => rest,
            _ => bytes,
        };
        let (mut digits, mut count) = ([0; 10], 0);
        for &byte in rest {
            match byte {
                b'0'..=b'9' if count < 10 => {
                    digits[count] = byte;
                    count += 1;
                }
                b' ' | b'-' | b'.' | b'(' | b')' => {}
                _ => return None,
            }
        }
        // Neither an area code nor an exchange begins with 0 or 1; what does is the library's to explain.
        (count == 10 && digits[0] >= b'2' && digits[3] >= b'2').then_some(Plain(digits))
    }

    fn exchange(&self) -> &'static AtomicBool {
        let number = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        &VALID[(number(&self.0[..3]) - 200) * EXCHANGES + number(&self.0[3..6])]
    }

    /// Whether the library has called a number of this exchange valid.
    #[inline]
    pub(super) fn is_known(&self) -> bool {
        self.exchange().load(Ordering::Relaxed)
    }

    /// Remembers that the library has called this number valid, if that says something about its exchange.
    pub(super) fn remember(&self, number: &PhoneNumber) {
        if is_given_out_whole(number) {
            self.exchange().store(true, Ordering::Relaxed);
        }
    }

    /// Writes the number in E.164.
    #[inline]
    pub(super) fn write(&self, out: &mut String) {
        out.push_str("+1");
        out.push_str(std::str::from_utf8(&self.0).expect("digits are ASCII"));
    }
}

/// Whether the number's country gives out exchanges as a whole.
fn is_given_out_whole(number: &PhoneNumber) -> bool {
    matches!(number.get_region_code(), Some(Region::US | Region::CA))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::target::{Normal, by_library, phone};

    fn library(text: &str, region: Region) -> Option<(String, PhoneNumber)> {
        let mut out = Normal::default();
        by_library(text, region, &mut out).ok().map(|number| (out.text, number))
    }

    /// The ground on which the short way stands: where one number of an exchange is valid and remembered, all are.
    #[test]
    fn a_remembered_exchange_is_valid_as_a_whole() {
        let seed = uuid::Uuid::new_v4().as_u128() as u64;
        println!("seed {seed}");
        let mut state = seed | 1;
        for area in 200..1000 {
            for exchange in 200..1000 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let [a, b] = [state % 10_000, 9_999 - state % 10_000]
                    .map(|line| library(&format!("+1{area}{exchange}{line:04}"), Region::US));
                let is_remembered = |found: &Option<(String, PhoneNumber)>| {
                    found.as_ref().is_some_and(|(_, number)| is_given_out_whole(number))
                };
                if is_remembered(&a) || is_remembered(&b) {
                    assert!(a.is_some() && b.is_some(), "+1{area}{exchange} is valid in part, seed {seed}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever was remembered before, the short way and the library agree on every text, in any region. A third of
        /// the numbers lies in the islands that give out parts of an exchange.
        #[test]
        fn it_agrees_with_the_library(
            region in prop::sample::select(vec![
                Region::US, Region::US, Region::CA, Region::BB, Region::JM, Region::GB, Region::DE, Region::IT, Region::RU, Region::BR,
            ]),
            text in "[+]?1?[ -]?(246-?52[12]|876-?606)[0-9]{4}|[+]?[ (.-]{0,2}1?[ (.-]{0,2}[0-9]{3}[ ().-]{0,2}[0-9]{3}[ ().-]{0,2}[0-9]{4}[ ().-]{0,2}|[+0-9 ().-]{1,16}",
        ) {
            let (mut once, mut twice) = (Normal::default(), Normal::default());
            let text = text.trim();
            prop_assume!(!text.is_empty());
            let first = phone(text, region, &mut once);
            let second = phone(text, region, &mut twice);
            let expected = library(text, region).map(|(normalised, _)| normalised);
            prop_assert_eq!(first.is_ok().then_some(once.text), expected.clone());
            prop_assert_eq!(second.is_ok().then_some(twice.text), expected);
        }
    }
}
