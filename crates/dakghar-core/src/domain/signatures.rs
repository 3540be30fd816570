//! Signatures of callbacks, over the very bytes that are sent.
//!
//! Two forms: that of the Standard Webhooks specification, and the one with which Meta signs its webhooks.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::secret::Secret;
use super::time::Timestamp;

/// The header with the id, which stays the same however often a callback is repeated.
pub const WEBHOOK_ID: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since the Unix epoch.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures of the Standard Webhooks specification.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// The header with Meta's signature.
pub const HUB_SIGNATURE: &str = "x-hub-signature-256";

/// The fewest and the most bytes of a secret of the Standard Webhooks specification.
pub const STANDARD_SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const STANDARD_SECRET_PREFIX: &str = "whsec_";

/// The text is no secret of the Standard Webhooks specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and 24 to 64 bytes in base64")]
pub struct InvalidStandardSecret;

/// A secret of the Standard Webhooks specification, ready to sign with.
pub struct StandardSecret(hmac::Key);

impl StandardSecret {
    /// Reads `whsec_` and 24 to 64 bytes in base64 with padding.
    pub fn parse(text: &Secret) -> Result<Self, InvalidStandardSecret> {
        let encoded = text.reveal().strip_prefix(STANDARD_SECRET_PREFIX);
        let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        let bytes = Zeroizing::new(decoded.ok_or(InvalidStandardSecret)?);
        if !STANDARD_SECRET_BYTES.contains(&bytes.len()) {
            return Err(InvalidStandardSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The text of a secret of these bytes, which should be random: 24 to 64 of them.
    pub fn text_of(bytes: &[u8]) -> Secret {
        let encoded = Zeroizing::new(STANDARD.encode(bytes));
        Secret::new(format!("{STANDARD_SECRET_PREFIX}{}", *encoded))
    }
}

/// The value of [`WEBHOOK_SIGNATURE`]: a signature by each secret, the newest first, so that a receiver that knows only
/// one of them is content while they are being rotated. `id` must not contain a dot, which ends it in what is signed.
pub fn standard_signature(id: &str, timestamp: &str, body: &[u8], secrets: &[StandardSecret]) -> String {
    let signature = |StandardSecret(key): &StandardSecret| {
        let mut signing = hmac::Context::with_key(key);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            signing.update(part);
        }
        format!("v1,{}", STANDARD.encode(signing.sign()))
    };
    secrets.iter().map(signature).collect::<Vec<_>>().join(" ")
}

/// The value of [`WEBHOOK_TIMESTAMP`].
pub fn standard_timestamp(at: Timestamp) -> String {
    at.as_millis().div_euclid(1_000).to_string()
}

/// The headers of the Standard Webhooks specification for an attempt at this time.
pub fn standard_headers(
    id: &str,
    at: Timestamp,
    body: &[u8],
    secrets: &[StandardSecret],
) -> [(&'static str, String); 3] {
    let timestamp = standard_timestamp(at);
    let signature = standard_signature(id, &timestamp, body, secrets);
    [
        (WEBHOOK_ID, id.to_owned()),
        (WEBHOOK_TIMESTAMP, timestamp),
        (WEBHOOK_SIGNATURE, signature),
    ]
}

/// The value of [`HUB_SIGNATURE`]. There is one at a time: receivers of Meta's webhooks read one.
pub fn hub_signature(body: &[u8], secret: &Secret) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> StandardSecret {
        StandardSecret::parse(&Secret::new(text)).expect("a secret")
    }

    /// The example of the specification, which every library of it carries in its tests.
    #[test]
    fn the_vector_of_the_specification() {
        let secrets = [secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
        let body = br#"{"test": 2432232314}"#;
        let signature = standard_signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body, &secrets);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let at = Timestamp::from_millis(1_614_265_330_999);
        let headers = standard_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body, &secrets);
        let [id, timestamp, signed] = headers;
        assert_eq!(id, (WEBHOOK_ID, "msg_p5jXN8AQM9LWM0D4loKWxJek".into()));
        assert_eq!(timestamp, (WEBHOOK_TIMESTAMP, "1614265330".into()));
        assert_eq!(signed, (WEBHOOK_SIGNATURE, signature));
    }

    /// RFC 4231, test case 2.
    #[test]
    fn the_vector_of_hmac_in_metas_form() {
        let signature = hub_signature(b"what do ya want for nothing?", &Secret::new("Jefe"));
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature, expected);
    }

    #[test]
    fn each_valid_secret_signs_for_itself() {
        let (old, new) = (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IQ==",
        );
        let sign = |secrets: &[StandardSecret]| standard_signature("id", "1", b"body", secrets);
        let both = sign(&[secret(new), secret(old)]);
        assert_eq!(both, format!("{} {}", sign(&[secret(new)]), sign(&[secret(old)])));
        assert_ne!(sign(&[secret(new)]), sign(&[secret(old)]));
    }

    #[test]
    fn every_byte_of_what_is_sent_counts() {
        let secrets = [secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
        let signed = standard_signature("id", "1", br#"{"a":1}"#, &secrets);
        for (id, at, body) in [
            ("ie", "1", r#"{"a":1}"#),
            ("id", "2", r#"{"a":1}"#),
            ("id", "1", r#"{"a": 1}"#),
            ("id", "1", "{\"a\":1}\n"),
        ] {
            assert_ne!(
                standard_signature(id, at, body.as_bytes(), &secrets),
                signed,
                "{id} {at} {body}"
            );
        }
        let key = Secret::new("key");
        assert_ne!(hub_signature(br#"{"a":1}"#, &key), hub_signature(br#"{"a": 1}"#, &key));
    }

    #[test]
    fn a_secret_is_of_the_form_of_the_specification() {
        for text in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La",
            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_Mf-Q9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(StandardSecret::parse(&Secret::new(text)).is_err(), "{text:?}");
        }
        for count in [24, 32, 64] {
            assert!(
                StandardSecret::parse(&StandardSecret::text_of(&vec![7; count])).is_ok(),
                "{count}"
            );
        }
        for count in [0, 23, 65] {
            assert!(
                StandardSecret::parse(&StandardSecret::text_of(&vec![7; count])).is_err(),
                "{count}"
            );
        }
    }
}
