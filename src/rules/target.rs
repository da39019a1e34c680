//! What a target is: a phone number in E.164, or an e-mail address.
//!
//! libphonenumber's rules decide what a phone number is. Before it is asked, three things are refused that it would
//! read kindly and wrongly: letters (it dials them), two numbers in a cell (it takes the first), and what a spreadsheet
//! makes of a long number (it drops the exponent).

use std::str::FromStr as _;

use email_address::{EmailAddress, Options};
use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region, ValidationError,
};

use super::nanp::Plain;
use crate::model::{Channel, RowCode};

/// Why a target cannot be used: the code and a text that does not quote it.
pub(super) type Refusal = (RowCode, &'static str);

/// Normalises the targets of one campaign.
pub(super) enum Targets {
    Phone(Region),
    Email,
}

impl Targets {
    /// # Errors
    /// A region that libphonenumber does not know.
    pub(super) fn new(channel: Channel, region: &str) -> Result<Self, String> {
        match channel {
            Channel::Email => Ok(Targets::Email),
            Channel::Voice | Channel::Sms => {
                // Any two letters make a region; the numbers of a country are known only of some.
                let parsed = Region::from_str(&region.to_ascii_uppercase()).ok();
                let known = parsed.filter(|&region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some());
                known.map(Targets::Phone).ok_or_else(|| {
                    format!("region = {region:?} is no country code that phone numbers are known for, such as US")
                })
            }
        }
    }

    /// Writes the normalised form of a trimmed, non-blank target into `out`.
    pub(super) fn normalise(&self, text: &str, out: &mut String) -> Result<(), Refusal> {
        match self {
            Targets::Phone(region) => phone(text, *region, out),
            Targets::Email => email(text, out),
        }
    }
}

/// By the short way where it is open, else by the library.
#[inline]
pub(super) fn phone(text: &str, region: Region, out: &mut String) -> Result<(), Refusal> {
    let plain = if region == Region::US { Plain::read(text) } else { None };
    match plain {
        Some(plain) if plain.is_known() => {
            plain.write(out);
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

pub(super) fn by_library(text: &str, region: Region, out: &mut String) -> Result<PhoneNumber, Refusal> {
    const MANY: Refusal = (RowCode::InvalidPhone, "target: more than one number; write one in a cell");
    let refused = |why| Err((RowCode::InvalidPhone, why));
    if is_spreadsheet_damage(text) {
        return refused(
            "target: shortened by a spreadsheet (like 1.5E+10); format the column as text and export again",
        );
    }
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
    if number.extension.is_some() {
        return refused("target: has an extension; write the number alone");
    }
    if !number.is_valid() {
        return Err((RowCode::InvalidPhone, reason(&number)));
    }
    out.push_str(&number.format_as(PhoneNumberFormat::E164));
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

/// One address that mail can be sent to over the internet: no name before it, no bare number, no host of an intranet.
pub(super) fn address(text: &str) -> Option<EmailAddress> {
    let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
    EmailAddress::parse_with_options(text, options).ok()
}

fn email(text: &str, out: &mut String) -> Result<(), Refusal> {
    let address = address(text)
        .ok_or((RowCode::InvalidEmail, "target: not an e-mail address; write one, such as name@example.com"))?;
    out.push_str(address.local_part());
    out.push('@');
    out.extend(address.domain().chars().flat_map(char::to_lowercase));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone_of(region: &str, text: &str) -> Result<String, &'static str> {
        let mut out = String::new();
        let targets = Targets::new(Channel::Voice, region).expect("a region");
        targets.normalise(text, &mut out).map(|()| out).map_err(|(code, why)| {
            assert_eq!(code, RowCode::InvalidPhone);
            why.strip_prefix("target: ").expect("names the field")
        })
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
            ("512-555-0142 ext 5", "has letters; write the number in digits"),
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
            assert!(Targets::new(Channel::Sms, unknown).is_err(), "{unknown}");
        }
        assert!(Targets::new(Channel::Email, "XX").is_ok(), "an e-mail campaign has no region");
    }

    #[test]
    fn addresses_are_checked_and_their_domain_folded() {
        let email_of = |text: &str| {
            let mut out = String::new();
            Targets::Email.normalise(text, &mut out).map(|()| out).map_err(|(code, _)| code)
        };
        assert_eq!(email_of("Ada.L@Example.COM"), Ok("Ada.L@example.com".to_owned()));
        for bad in
            ["ada", "ada@", "@example.com", "a b@example.com", "ada@example", "Ada <ada@example.com>", "a@b.c,d@e.f"]
        {
            assert_eq!(email_of(bad), Err(RowCode::InvalidEmail), "{bad}");
        }
    }
}
