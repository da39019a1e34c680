//! From what a person's target is called to how the store may have it.

use rlibphonenumber::PhoneNumberFormat;

use super::target::{Normal, Targets, by_library};
use crate::model::{Campaign, Person, fold_address};

/// Finds out how the target and the id of one person may be stored, by the campaigns' own rules.
///
/// # Errors
/// A target that none of them can read, or that they read as different ones; in words that do not quote it.
pub fn person(
    target: Option<&str>,
    reference_id: Option<&str>,
    campaigns: &[Campaign],
) -> Result<Person, &'static str> {
    let mut person = Person { targets: Vec::new(), digits: Vec::new(), reference_id: reference_id.map(str::to_owned) };
    let Some(text) = target else { return Ok(person) };
    let mut read: Option<String> = None;
    for campaign in campaigns {
        let Ok(targets) = Targets::of(campaign) else { continue };
        let mut normal = Normal::default();
        if targets.normalise(text, &mut normal).is_err() {
            continue;
        }
        if read.as_ref().is_some_and(|other| *other != normal.text) {
            return Err(
                "the target is another number in another campaign: write it with + and its country code, or name \
                        its --campaign",
            );
        }
        if let Targets::Phone(region, _) = targets
            && let Ok(number) = by_library(&normal.text, region, &mut Normal::default())
        {
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let international = digits(&normal.text);
            let national = digits(&number.format_as(PhoneNumberFormat::National));
            person.digits.extend(["", "00", "011"].map(|dialed| format!("{dialed}{international}")));
            person.digits.push(national.trim_start_matches('0').to_owned());
            person.digits.push(national);
        }
        read = Some(normal.text);
    }
    let read = read.ok_or("no campaign reads the target as a phone number or an e-mail address")?;
    for spelled in [read.as_str(), text] {
        let mut folded = String::new();
        fold_address(spelled, &mut folded);
        person.targets.extend([spelled.to_ascii_lowercase(), folded]);
    }
    for spellings in [&mut person.targets, &mut person.digits] {
        spellings.sort();
        spellings.dedup();
    }
    Ok(person)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Channel;

    fn campaign(channel: Channel, region: &str) -> Campaign {
        Campaign { channel, region: region.to_owned(), ..Campaign::default() }
    }

    #[test]
    fn a_number_is_found_however_it_was_written() {
        let (us, mail) = (campaign(Channel::Voice, "US"), campaign(Channel::Email, "US"));
        let found = person(Some("(512) 555-0142"), None, &[us.clone(), mail.clone()]).expect("a number");
        assert_eq!(found.targets, ["(512) 555-0142", "+15125550142"]);
        assert_eq!(found.digits, ["0015125550142", "01115125550142", "15125550142", "5125550142"]);
        let found = person(Some("+49 30 901820"), None, &[us]).expect("a number");
        assert!(found.digits.contains(&"030901820".to_owned()) && found.digits.contains(&"30901820".to_owned()));
        let found = person(Some("Ada.L@Example.com"), Some("C-1"), &[mail]).expect("an address");
        assert_eq!(found.targets, ["ada.l@example.com"]);
        assert_eq!((found.digits.len(), found.reference_id.as_deref()), (0, Some("C-1")));
    }

    #[test]
    fn what_may_be_somebody_else_is_refused() {
        let (us, de) = (campaign(Channel::Voice, "US"), campaign(Channel::Sms, "DE"));
        let refusal = |text, campaigns: &[Campaign]| person(Some(text), None, campaigns).err().expect("refused");
        assert!(refusal("2125550142", &[us.clone(), de]).contains("another number in another campaign"));
        assert!(refusal("12", &[us]).contains("no campaign reads"));
    }
}
