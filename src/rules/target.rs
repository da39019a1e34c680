//! What a target is: a phone number in E.164, or an e-mail address.
//!
//! libphonenumber's rules decide what a phone number is. Before it is asked, three things are refused that it would
//! read kindly and wrongly: letters (it dials them), two numbers in a cell (it takes the first), and what a spreadsheet
//! makes of a long number (it drops the exponent). An extension is taken off first, for E.164 has no place for it.
//!
//! Two ports of it to Rust were compared in November 2026 on 47,371 texts (example numbers of every region and type,
//! with digits changed, added and dropped, in three spellings, and junk), with a third port, to Python, as the judge
//! (`phonenumbers` 9.0.43). `rlibphonenumber` 2.2.15, with the numbering plans of 9.0.42, differed on 3, all one
//! Romanian number, at 1.5 µs a text; `phonenumber` 0.3.10, with those of 9.0.33, differed on 714, at 29 µs.

use std::str::FromStr as _;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region, ValidationError,
};

use super::address::address;
use super::nanp::Plain;
use crate::model::{Campaign, Channel, Extensions, RowCode};

/// Why a target cannot be used: the code and a text that does not quote it.
pub(super) type Refusal = (RowCode, &'static str);

/// A target in its normal form.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Normal {
    /// The number in E.164, or the address.
    pub(super) text: String,
    /// The digits of the number's extension; empty for none.
    pub(super) extension: String,
}

/// Normalises the targets of one campaign.
pub(super) enum Targets {
    Phone(Region, Extensions),
    Email,
}

impl Targets {
    /// # Errors
    /// A region that libphonenumber does not know.
    pub(super) fn of(campaign: &Campaign) -> Result<Self, String> {
        Self::new(campaign.channel, &campaign.region, campaign.extensions)
    }

    /// # Errors
    /// As [`Targets::of`].
    pub(super) fn new(channel: Channel, region: &str, extensions: Extensions) -> Result<Self, String> {
        match channel {
            Channel::Email => Ok(Targets::Email),
            Channel::Voice | Channel::Sms => {
                // Any two letters make a region; the numbers of a country are known only of some.
                let parsed = Region::from_str(&region.to_ascii_uppercase()).ok();
                let known = parsed.filter(|&region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some());
                known.map(|region| Targets::Phone(region, extensions)).ok_or_else(|| {
                    format!("region = {region:?} is no country code that phone numbers are known for, such as US")
                })
            }
        }
    }

    /// Puts the normalised form of a trimmed, non-blank target in the place of what is in `out`.
    pub(super) fn normalise(&self, text: &str, out: &mut Normal) -> Result<(), Refusal> {
        out.text.clear();
        out.extension.clear();
        match self {
            Targets::Phone(region, extensions) => {
                phone(text, *region, out)?;
                if *extensions == Extensions::Refuse && !out.extension.is_empty() {
                    return Err((RowCode::InvalidPhone, EXTENSION));
                }
                Ok(())
            }
            Targets::Email => address(text, &mut out.text).ok_or((RowCode::InvalidEmail, NO_ADDRESS)),
        }
    }
}

const EXTENSION: &str = "target: has an extension; write the number alone, and the extension in a column of its own";
const NO_ADDRESS: &str = "target: not an e-mail address; write one, such as name@example.com";

/// By the short way where it is open, else by the library.
#[inline]
pub(super) fn phone(text: &str, region: Region, out: &mut Normal) -> Result<(), Refusal> {
    let plain = Plain::read(text, region);
    match plain {
        Some(plain) if plain.is_known() => {
            plain.write(&mut out.text);
            Ok(())
        }
        _ => {
            let number = by_library(text, region, out)?;
            if let Some(plain) = plain {
                plain.remember(&number);
            }
            Ok(())
        }
    }
}

pub(super) fn by_library(text: &str, region: Region, out: &mut Normal) -> Result<PhoneNumber, Refusal> {
    const MANY: Refusal = (RowCode::InvalidPhone, "target: more than one number; write one in a cell");
    let refused = |why| Err((RowCode::InvalidPhone, why));
    if is_spreadsheet_damage(text) {
        return refused(
            "target: shortened by a spreadsheet (like 1.5E+10); format the column as text and export again",
        );
    }
    let (text, extension) = split_extension(text).unwrap_or((text, ""));
    // Only with digits on both sides does a separator part two numbers: `n/a` is none.
    let separator = [',', ';', '/', '&', '|', '\n', '\r'];
    let has_separator = text.contains(separator);
    if has_separator && text.split(separator).filter(|part| part.contains(char::is_numeric)).count() > 1
        || text.rfind('+').is_some_and(|at| at > 1)
    {
        return Err(MANY);
    }
    if text.chars().any(char::is_alphabetic) {
        return refused("target: has letters; write the number in digits");
    }
    if has_separator {
        return refused("target: not a phone number");
    }
    let international;
    let number = match text.strip_prefix("00") {
        // No country code begins with 0.
        Some(rest) if !rest.trim_start_matches(|c: char| !c.is_numeric()).starts_with('0') => {
            international = format!("+{rest}");
            international.as_str()
        }
        _ => text,
    };
    let number = match PHONE_NUMBER_UTIL.parse(number, Some(region)) {
        Ok(number) => number,
        Err(ParseError::InvalidCountryCode) => return refused("target: unknown country code"),
        Err(ParseError::TooShortAfterIdd | ParseError::TooShortNsn) => return refused("target: too short"),
        Err(ParseError::TooLongNsn) => return refused("target: too long"),
        Err(ParseError::NotANumber(_)) => return refused("target: not a phone number"),
    };
    if !number.is_valid() {
        return Err((RowCode::InvalidPhone, reason(&number)));
    }
    // In a spelling that only the library knows.
    match number.extension.as_deref() {
        Some(_) if !extension.is_empty() => return refused("target: more than one extension; write one"),
        Some(other) => out.extension.push_str(other),
        None => out.extension.push_str(extension),
    }
    out.text.push_str(&number.format_as(PhoneNumberFormat::E164));
    Ok(number)
}

fn reason(number: &PhoneNumber) -> &'static str {
    match number.is_possible_with_reason() {
        Err(ValidationError::TooShort) => "target: too short",
        Err(ValidationError::TooLong) => "target: too long",
        Err(ValidationError::InvalidCountryCode) => "target: unknown country code",
        Err(ValidationError::InvalidLength) => "target: wrong number of digits for its country",
        Ok(NumberLengthType::IsPossibleLocalOnly) => "target: too short; the area code is missing",
        Ok(_) => "target: no number in use; check the area code and the digits after it",
    }
}

/// `1.51256E+10`: what remains of a number that a spreadsheet took for a quantity.
fn is_spreadsheet_damage(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else { return false };
    let digits = |part: &str, allowed: &[char]| {
        part.chars().any(|c| c.is_ascii_digit()) && part.chars().all(|c| c.is_ascii_digit() || allowed.contains(&c))
    };
    digits(mantissa, &['.', ',']) && digits(exponent.trim_start_matches(['+', '-']), &[])
}

/// A number and the extension that it ends in, as people write it: `x5`, `ext. 5`, `;ext=5`, `#5`, `(ext 5)`.
fn split_extension(text: &str) -> Option<(&str, &str)> {
    let (text, in_brackets) = text.strip_suffix(')').map_or((text, false), |text| (text, true));
    let text = text.trim_end_matches('#');
    let before = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let extension = &text[before.len()..];
    // Longer ones are numbers of their own.
    if !(1..=7).contains(&extension.len()) {
        return None;
    }
    let before = before.trim_end_matches([' ', '\u{a0}', '.', ':', '=']);
    let number = ["extension", "extn", "ext", "xtn", "x", "#", "доб", "anexo"].iter().find_map(|mark| {
        let at = before.len().checked_sub(mark.len())?;
        let (number, end) = before.split_at_checked(at)?;
        (end == *mark || end.eq_ignore_ascii_case(mark)).then_some(number)
    })?;
    let number = if in_brackets { number.strip_suffix('(')? } else { number };
    let number = number.trim_end_matches([' ', '\u{a0}', '\t', ',', ';']);
    (number.contains(char::is_numeric) && !number.contains(char::is_alphabetic)).then_some((number, extension))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn targets(channel: Channel, region: &str) -> Result<Targets, String> {
        Targets::new(channel, region, Extensions::Keep)
    }

    fn normal(targets: &Targets, text: &str) -> Result<Normal, &'static str> {
        let mut out = Normal { text: "of before".to_owned(), extension: "7".to_owned() };
        targets.normalise(text, &mut out).map(|()| out).map_err(|(code, why)| {
            assert_eq!(code, RowCode::InvalidPhone);
            why.strip_prefix("target: ").expect("names the field")
        })
    }

    fn phone_of(region: &str, text: &str) -> Result<String, &'static str> {
        let normal = normal(&targets(Channel::Voice, region).expect("a region"), text)?;
        assert_eq!(normal.extension, "", "{text}");
        Ok(normal.text)
    }

    #[test]
    fn the_same_number_in_any_form_is_the_same() {
        for text in [
            "+15125550142",
            "5125550142",
            "(512) 555-0142",
            "512.555.0142",
            "1-512-555-0142",
            "+1 (512) 555 0142",
            "0015125550142",
            "512 555 0142",
            "１５１２５５５０１４２",
        ] {
            assert_eq!(phone_of("US", text), Ok("+15125550142".to_owned()), "{text}");
        }
        assert_eq!(phone_of("us", "+44 20 7946 0018"), Ok("+442079460018".to_owned()));
        assert_eq!(phone_of("GB", "020 7946 0018"), Ok("+442079460018".to_owned()));
        assert_eq!(phone_of("DE", "0049 30 901820"), Ok("+4930901820".to_owned()));
    }

    #[test]
    fn what_is_no_number_is_told_apart() {
        for (text, why) in [
            ("555-0142", "too short; the area code is missing"),
            ("12345", "too short"),
            ("+1512555014299", "too long"),
            ("+999 12345678", "unknown country code"),
            ("1.51256E+10", "shortened by a spreadsheet (like 1.5E+10); format the column as text and export again"),
            ("1,5E10", "shortened by a spreadsheet (like 1.5E+10); format the column as text and export again"),
            ("800-FLOWERS", "has letters; write the number in digits"),
            ("call Ann x5", "has letters; write the number in digits"),
            ("512-555-0142 x 5125550143", "has letters; write the number in digits"),
            ("512-555-0142 (home)", "has letters; write the number in digits"),
            ("5125550142 / 5125550143", "more than one number; write one in a cell"),
            ("5125550142;5125550143", "more than one number; write one in a cell"),
            ("+15125550142 +15125550143", "more than one number; write one in a cell"),
            ("n/a", "has letters; write the number in digits"),
            ("5125550142;", "not a phone number"),
            ("000-000-0000", "no number in use; check the area code and the digits after it"),
            ("111-111-1111", "no number in use; check the area code and the digits after it"),
            ("---", "not a phone number"),
            ("😀", "not a phone number"),
        ] {
            assert_eq!(phone_of("US", text), Err(why), "{text}");
        }
        for unknown in ["XX", "AQ", "001", "Texas", ""] {
            assert!(targets(Channel::Sms, unknown).is_err(), "{unknown}");
        }
        assert!(targets(Channel::Email, "XX").is_ok(), "an e-mail campaign has no region");
    }

    #[test]
    fn an_extension_is_kept_apart_or_refused_and_never_dropped() {
        let keep = targets(Channel::Voice, "US").expect("a region");
        let refuse = Targets::new(Channel::Voice, "US", Extensions::Refuse).expect("a region");
        for (written, extension) in [
            (" x5", "5"),
            ("x5", "5"),
            (" X 123", "123"),
            (" ext. 45", "45"),
            (" Ext: 5", "5"),
            (", ext 0045", "0045"),
            (" extension 1234567", "1234567"),
            (";ext=5", "5"),
            (" #5", "5"),
            (" x5#", "5"),
            (" (ext. 5)", "5"),
            (" доб. 5", "5"),
            // Known to the library alone.
            (" ~5", "5"),
        ] {
            for (number, normalised) in [
                ("512-555-0142", "+15125550142"),
                ("+1 212 555 0123", "+12125550123"),
                ("+44 20 7946 0018", "+442079460018"),
                ("(512) 555-0142", "+15125550142"),
            ] {
                let text = format!("{number}{written}");
                let expected = Normal { text: normalised.to_owned(), extension: extension.to_owned() };
                assert_eq!(normal(&keep, &text), Ok(expected), "{text}");
                let why = "has an extension; write the number alone, and the extension in a column of its own";
                assert_eq!(normal(&refuse, &text), Err(why), "{text}");
            }
        }
        for (text, why) in [
            ("512-555-0142 #5 #6", "more than one extension; write one"),
            ("512-555-0142 x5 x6", "has letters; write the number in digits"),
            ("512-555-0142 x5)", "has letters; write the number in digits"),
            ("512-555-0142 x12345678", "has letters; write the number in digits"),
            ("512-555-0142, 512-555-0143 x5", "more than one number; write one in a cell"),
            ("555-0142 x5", "too short; the area code is missing"),
        ] {
            assert_eq!(normal(&keep, text), Err(why), "{text}");
        }
    }

    proptest! {
        /// A normal form is its own; what one campaign stored, another reads as the same.
        #[test]
        fn normalising_twice_changes_nothing(
            number in "[+]?[0-9 ().-]{4,18}( ?(x|#|ext\\.? ?)[0-9]{1,7})?|(\\+|00)(1|44|49|39|55|7)[0-9]{7,12}|\\PC{0,12}",
            address in "[a-zA-Z.+é]{1,8}@[a-zA-Zäß.-]{1,10}\\.[a-zA-Zé]{1,4}|\\PC{0,6}@\\PC{0,8}",
        ) {
            for (targets, text) in [
                (targets(Channel::Sms, "US").expect("a region"), &number),
                (targets(Channel::Voice, "IT").expect("a region"), &number),
                (Targets::Email, &address),
            ] {
                let (mut once, mut twice) = (Normal::default(), Normal::default());
                if targets.normalise(text.trim(), &mut once).is_ok() {
                    prop_assert_eq!(targets.normalise(&once.text, &mut twice), Ok(()), "{}", text);
                    prop_assert_eq!(once.text, twice.text);
                }
            }
        }
    }
}
