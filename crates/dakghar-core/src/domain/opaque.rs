//! The `biz_opaque_callback_data` that Dakghar sends with every message. It comes back in each status webhook. It names
//! the message and the attempt, under a MAC so that nobody else can make it.
//!
//! Form: `v1.<message id>.<attempt>.<first 12 bytes of the HMAC, base64url>`; about 60 of Meta's 512 characters.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ids::{MessageId, MessageKey, PhoneNumberId, TenantId};

const MAC_BYTES: usize = 12;

/// Signs and checks callback data. The key never leaves the process.
pub struct OpaqueSigner {
    current: hmac::Key,
    previous: Option<hmac::Key>,
}

impl OpaqueSigner {
    /// Makes a signer with this secret, 32 bytes. Data signed with the previous secret is still accepted.
    pub fn new(secret: &[u8], previous: Option<&[u8]>) -> Self {
        let key = |secret: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            current: key(secret),
            previous: previous.map(key),
        }
    }

    /// Returns the callback data of one attempt.
    pub fn sign(&self, key: &MessageKey, phone_number_id: &PhoneNumberId, attempt: u32) -> String {
        let mac = URL_SAFE_NO_PAD.encode(mac(&self.current, key, phone_number_id, attempt));
        format!("v1.{}.{attempt}.{mac}", key.message_id)
    }

    /// Returns the message and attempt in the data, if it is ours and was sent from this number of this tenant.
    pub fn verify(
        &self,
        text: &str,
        tenant_id: TenantId,
        phone_number_id: &PhoneNumberId,
    ) -> Option<(MessageKey, u32)> {
        let mut parts = text.split('.');
        let (Some("v1"), Some(id), Some(attempt), Some(found), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let key = MessageKey {
            tenant_id,
            message_id: MessageId::parse(id).ok()?,
        };
        let attempt = attempt.parse().ok()?;
        let found = URL_SAFE_NO_PAD.decode(found).ok()?;
        let is_signed_with = |secret: &hmac::Key| {
            let expected = mac(secret, &key, phone_number_id, attempt);
            constant_time::verify_slices_are_equal(&found, &expected).is_ok()
        };
        let is_ours = is_signed_with(&self.current) || self.previous.as_ref().is_some_and(is_signed_with);
        is_ours.then_some((key, attempt))
    }
}

fn mac(secret: &hmac::Key, key: &MessageKey, phone_number_id: &PhoneNumberId, attempt: u32) -> [u8; MAC_BYTES] {
    let signed = format!("{}|{phone_number_id}|{}|{attempt}", key.tenant_id, key.message_id);
    let tag = hmac::sign(secret, signed.as_bytes());
    tag.as_ref()[..MAC_BYTES]
        .try_into()
        .expect("SHA-256 is longer than 12 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn only_the_same_tenant_and_number_can_use_it() {
        let signer = OpaqueSigner::new(&[7; 32], None);
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let other = TenantId::from_uuid(Uuid::from_u128(2));
        let number = PhoneNumberId::parse("111").expect("digits");
        let key = MessageKey {
            tenant_id: tenant,
            message_id: MessageId::from_uuid(Uuid::from_u128(3)),
        };
        let text = signer.sign(&key, &number, 2);
        assert!(text.len() < 70, "{text}");
        assert_eq!(signer.verify(&text, tenant, &number), Some((key, 2)));
        assert_eq!(signer.verify(&text, other, &number), None);
        assert_eq!(
            signer.verify(&text, tenant, &PhoneNumberId::parse("112").expect("digits")),
            None
        );
        assert_eq!(signer.verify(&text.replace(".2.", ".3."), tenant, &number), None);
        let after = |previous| OpaqueSigner::new(&[8; 32], previous);
        assert_eq!(after(None).verify(&text, tenant, &number), None);
        let changed = after(Some(&[7; 32]));
        assert_eq!(changed.verify(&text, tenant, &number), Some((key, 2)));
        assert_ne!(changed.sign(&key, &number, 2), text);
        for foreign in ["", "v1", "order-1234", "v1.x.1.y", "v2.a.b.c"] {
            assert_eq!(signer.verify(foreign, tenant, &number), None, "{foreign}");
        }
    }
}
