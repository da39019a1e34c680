//! What a message is signed with, and its signature: `v1,` and the HMAC-SHA256 of `id.timestamp.body`, in base64.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What the operator and the receiver share. It is never printed.
#[derive(Clone, PartialEq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// How one is written, for messages.
    pub const FORM: &str =
        "it is whsec_ and 24 to 64 random bytes in base64, as of echo whsec_$(openssl rand -base64 32)";

    /// The keys in it: more than one, with spaces between, while it is being changed.
    pub(super) fn keys(&self) -> Result<Keys, String> {
        let keys = self.0.split_whitespace().map(|word| {
            let key = BASE64_STANDARD.decode(word.strip_prefix("whsec_")?).ok()?;
            (24..=64).contains(&key.len()).then_some(key)
        });
        match keys.collect::<Option<Vec<_>>>() {
            Some(keys) if !keys.is_empty() => Ok(Keys(keys)),
            _ => Err(format!("secret cannot be used; {}", Secret::FORM)),
        }
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Secret(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Keys to sign with.
#[derive(Clone)]
pub(super) struct Keys(Vec<Vec<u8>>);

impl Keys {
    /// A signature by each key, with spaces between: the receiver takes any that it can check.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let signatures = self.0.iter().filter_map(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?; // any length of key will do
            mac.update(signed.as_bytes());
            Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(secret: &str) -> Result<String, String> {
        let keys = Secret(secret.to_owned()).keys()?;
        Ok(keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#))
    }

    /// The example of the specification.
    #[test]
    fn a_signature_is_that_of_the_specification_and_each_key_gives_one() {
        let one = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        assert_eq!(one, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let two = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("two");
        assert!(two.starts_with(&format!("{one} v1,")) && !two.ends_with(&one), "{two}");
    }

    #[test]
    fn what_can_be_guessed_or_is_mistyped_is_no_secret() {
        for wrong in [
            "",
            "hunter2",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(sign(wrong).expect_err(wrong).starts_with("secret cannot be used; it is whsec_"));
        }
        assert_eq!(format!("{:?}", Secret("whsec_x".to_owned())), "Secret(…)");
    }
}
