//! E-mail addresses, of targets and of columns.

use email_address::{EmailAddress, Options};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// Writes an address that mail can be sent to over the internet in its normal form: its domain in lower case, and as
/// the domain name system has it (`bücher.example` is `xn--bcher-kva.example`). The part before it is its owner's
/// affair.
///
/// `email_address` knows what may stand before the @; of domains, names with `_` and bare IP addresses would pass it,
/// which `idna` and what follows refuse.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn email_of(text: &str) -> Option<String> {
        let mut out = String::new();
        address(text, &mut out).map(|()| out)
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
}
