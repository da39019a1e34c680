//! The formats of `string` fields.

use crate::rules::address::address;

/// What a string must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextForm {
    Any,
    Email,
    Uri,
    Binary,
    Uuid,
}

impl TextForm {
    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            TextForm::Any => true,
            TextForm::Email => address(text, &mut String::new()).is_some(),
            TextForm::Uri => is_uri(text),
            TextForm::Binary => is_base64(text),
            // With its hyphens; the library reads several more forms.
            TextForm::Uuid => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
        }
    }
}

/// RFC 3986: a scheme, a colon, and characters that may stand in a URI, others percent-encoded.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (address, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let has_host = address.strip_prefix("//").is_none_or(|after| {
        scheme.eq_ignore_ascii_case("file") || !after.is_empty() && !after.starts_with(['/', '?', ':'])
    });
    is_scheme && !rest.is_empty() && has_host && is_of_uri(address, b"[]") && is_of_uri(fragment, b"")
}

fn is_of_uri(text: &str, also: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_right = match byte {
            b'%' => {
                [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte) || also.contains(&byte),
        };
        if !is_right {
            return false;
        }
    }
    true
}

/// RFC 4648, with its padding.
fn is_base64(text: &str) -> bool {
    let data = text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(text);
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}
