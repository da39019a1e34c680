//! What a target is: a phone number in E.164, or an e-mail address.
//!
//! libphonenumber's rules decide what a phone number is. Before it is asked, three things are refused that it would
//! read kindly and wrongly: letters (it dials them), two numbers in a cell (it takes the first), and what a spreadsheet
//! makes of a long number (it drops the exponent).
//!
//! Two ports of it to Rust were compared in November 2026 on 47,371 texts (example numbers of every region and type, with
//! digits changed, added and dropped, in three spellings, and junk), with a third port, to Python, as the judge
//! (`phonenumbers` 9.0.43). `rlibphonenumber` 2.2.15, with the numbering plans of 9.0.42, differed on 3, all one Romanian
//! number, at 1.5 µs a text; `phonenumber` 0.3.10, with those of 9.0.33, differed on 714, at 29 µs.

use std::str::FromStr as _;

use email_address::{EmailAddress, Options};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
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
    let plain = Plain::read(text, region);
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
    if has_extension(text) {
        return refused("target: has an extension; write the number alone, and the extension in a column of its own");
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
    // In a spelling that only the library knows.
    if number.extension.is_some() {
        return refused("target: has an extension; write the number alone, and the extension in a column of its own");
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

/// Whether a number ends in an extension, as people write them: `x5`, `ext. 5`, `;ext=5`, `#5`.
fn has_extension(text: &str) -> bool {
    let before = text.trim_end_matches('#').trim_end_matches(|c: char| c.is_ascii_digit());
    // Longer ones are numbers of their own.
    if !(1..=7).contains(&(text.trim_end_matches('#').len() - before.len())) {
        return false;
    }
    let before = before.trim_end_matches([' ', '\u{a0}', '.', ':', '=']);
    let number = ["extension", "extn", "ext", "xtn", "x", "#", "доб", "anexo"].iter().find_map(|mark| {
        let at = before.len().checked_sub(mark.len())?;
        let (number, end) = before.split_at_checked(at)?;
        (end == *mark || end.eq_ignore_ascii_case(mark)).then_some(number)
    });
    number.is_some_and(|number| number.contains(char::is_numeric) && !number.contains(char::is_alphabetic))
}

/// Writes an address that mail can be sent to over the internet in its normal form: its domain in lower case, and as the
/// domain name system has it (`bücher.example` is `xn--bcher-kva.example`). The part before it is its owner's affair.
///
/// `email_address` knows what may stand before the @; of domains, names with `_` and bare IP addresses would pass it, which
/// `idna` and what follows refuse.
pub(super) fn address(text: &str, out: &mut String) -> Option<()> {
    let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
    let address = EmailAddress::parse_with_options(text, options).ok()?;
    let domain = address.domain().as_bytes();
    let domain = Uts46::new().to_ascii(domain, AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify).ok()?;
    let is_bare_number = domain.rsplit('.').next().is_none_or(|top| top.bytes().all(|byte| byte.is_ascii_digit()));
    let local = address.local_part();
    if is_bare_number || local.len() + 1 + domain.len() > LONGEST_ADDRESS {
        return None;
    }
    out.extend([local, "@", &domain]);
    Some(())
}

/// RFC 5321's path of 256 bytes, less its angle brackets.
const LONGEST_ADDRESS: usize = 254;

fn email(text: &str, out: &mut String) -> Result<(), Refusal> {
    const NONE: Refusal = (RowCode::InvalidEmail, "target: not an e-mail address; write one, such as name@example.com");
    address(text, out).ok_or(NONE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            assert!(Targets::new(Channel::Sms, unknown).is_err(), "{unknown}");
        }
        assert!(Targets::new(Channel::Email, "XX").is_ok(), "an e-mail campaign has no region");
    }

    #[test]
    fn an_extension_is_not_dropped_but_told() {
        for extension in [
            " x5",
            "x5",
            " X 123",
            " ext. 5",
            " Ext: 5",
            ", ext 5",
            " extension 1234",
            ";ext=5",
            " #5",
            " x5#",
            " доб. 5",
        ] {
            for number in ["512-555-0142", "+44 20 7946 0018", "(512) 555-0142"] {
                let why = "has an extension; write the number alone, and the extension in a column of its own";
                assert_eq!(phone_of("US", &format!("{number}{extension}")), Err(why), "{number}{extension}");
            }
        }
    }

    fn email_of(text: &str) -> Option<String> {
        let mut out = String::new();
        let refused = Targets::Email.normalise(text, &mut out).err();
        assert!(refused.is_none_or(|(code, _)| code == RowCode::InvalidEmail), "{text}");
        refused.is_none().then_some(out)
    }

    #[test]
    fn addresses_are_checked_and_their_domain_folded() {
        let long_local = format!("{}@example.com", "a".repeat(64));
        let long_label = format!("a@{}.com", "b".repeat(63));
        // 64 + 1 + 189 is 254, the most that can be delivered to.
        let longest = format!("{}@{}.{}.{}.com", "a".repeat(64), "b".repeat(61), "c".repeat(61), "d".repeat(61));
        assert_eq!(longest.len(), 254);
        for (text, expected) in [
            ("Ada.L@Example.COM", "Ada.L@example.com"),
            ("ada+late@mail.example.co.uk", "ada+late@mail.example.co.uk"),
            ("o'brien_x-y@example.com", "o'brien_x-y@example.com"),
            ("a@1.example", "a@1.example"),
            ("\"ada l\"@example.com", "\"ada l\"@example.com"),
            ("zoë@example.com", "zoë@example.com"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("A@BÜCHER.example", "A@xn--bcher-kva.example"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            (&long_local, &long_local),
            (&long_label, &long_label),
            (&longest, &longest),
        ] {
            assert_eq!(email_of(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("a@{}.com", "b".repeat(64));
        let too_long = format!("{}@{}.{}.{}.comm", "a".repeat(64), "b".repeat(61), "c".repeat(61), "d".repeat(61));
        for bad in [
            "ada",
            "ada@",
            "@example.com",
            "a b@example.com",
            "a@exa mple.com",
            "ada@example",
            "ada@localhost",
            "Ada <ada@example.com>",
            "<ada@example.com>",
            "mailto:ada@example.com",
            "a@b.c,d@e.f",
            "a@b.c;d@e.f",
            "a@b.c d@e.f",
            "a@b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a.@example.com",
            "a@example..com",
            "a@.example.com",
            "a@example.com.",
            "a@-example.com",
            "a@example-.com",
            "a@exa_mple.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@example.123",
            "\"ada@example.com",
            "a\n@example.com",
            "a@example.com\nb@example.com",
            "n/a",
            &long_local,
            &long_label,
            &too_long,
        ] {
            assert_eq!(email_of(bad), None, "{bad}");
        }
    }

    proptest! {
        /// A normal form is its own; what one campaign stored, another reads as the same.
        #[test]
        fn normalising_twice_changes_nothing(
            number in "[+]?[0-9 ().-]{4,18}|(\\+|00)(1|44|49|39|55|7)[0-9]{7,12}|\\PC{0,12}",
            address in "[a-zA-Z.+é]{1,8}@[a-zA-Zäß.-]{1,10}\\.[a-zA-Zé]{1,4}|\\PC{0,6}@\\PC{0,8}",
        ) {
            for (targets, text) in [
                (Targets::new(Channel::Sms, "US").expect("a region"), &number),
                (Targets::new(Channel::Voice, "IT").expect("a region"), &number),
                (Targets::Email, &address),
            ] {
                let (mut once, mut twice) = (String::new(), String::new());
                if targets.normalise(text.trim(), &mut once).is_ok() {
                    prop_assert_eq!(targets.normalise(&once, &mut twice), Ok(()), "{}", text);
                    prop_assert_eq!(once, twice);
                }
            }
        }
    }
}
