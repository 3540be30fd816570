//! The `biz_opaque_callback_data` that Dakghar sends with every message. It comes back in each status webhook. It names
//! the message and the attempt, under a MAC so that nobody else can make it.
//!
//! Form: `v2.<message id>.<attempt>.<tenant id>.<first 12 bytes of the HMAC, base64url>`; about 90 of Meta's 512
//! characters. It names its tenant, so that a status finds its message whoever has the number by then. Version 1 names no
//! tenant and is still read; it is tried against the tenants that may have sent it.

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
        let mac = URL_SAFE_NO_PAD.encode(mac(&self.current, Version::Two, key, phone_number_id, attempt));
        format!("v2.{}.{attempt}.{}.{mac}", key.message_id, key.tenant_id)
    }

    /// True if the data looks like ours and names no tenant: who sent it must be tried.
    pub fn names_no_tenant(text: &str) -> bool {
        text.starts_with("v1.")
    }

    /// Returns the message that data of our form names, whoever made it.
    pub fn named_message(text: &str) -> Option<MessageId> {
        let parts: Vec<&str> = text.split('.').take(6).collect();
        let (["v1", id, attempt, _] | ["v2", id, attempt, _, _]) = parts[..] else {
            return None;
        };
        attempt.parse::<u32>().ok()?;
        MessageId::parse(id).ok()
    }

    /// Returns the message and attempt in the data, if it is ours and was sent from this number. Data of version 1 is
    /// tried against these tenants only.
    pub fn verify(
        &self,
        text: &str,
        tenants: &[TenantId],
        phone_number_id: &PhoneNumberId,
    ) -> Option<(MessageKey, u32)> {
        let parts: Vec<&str> = text.split('.').take(6).collect();
        let (version, id, attempt, tenants, found) = match parts[..] {
            ["v1", id, attempt, mac] => (Version::One, id, attempt, tenants.to_vec(), mac),
            ["v2", id, attempt, tenant, mac] => (Version::Two, id, attempt, vec![TenantId::parse(tenant).ok()?], mac),
            _ => return None,
        };
        let message_id = MessageId::parse(id).ok()?;
        let attempt = attempt.parse().ok()?;
        let found = URL_SAFE_NO_PAD.decode(found).ok()?;
        let is_signed = |key: &MessageKey| {
            let is_signed_with = |secret: &hmac::Key| {
                let expected = mac(secret, version, key, phone_number_id, attempt);
                constant_time::verify_slices_are_equal(&found, &expected).is_ok()
            };
            is_signed_with(&self.current) || self.previous.as_ref().is_some_and(is_signed_with)
        };
        let mut keys = tenants
            .into_iter()
            .map(|tenant_id| MessageKey { tenant_id, message_id });
        keys.find(is_signed).map(|key| (key, attempt))
    }
}

/// The versions of the data.
#[derive(Clone, Copy)]
enum Version {
    One,
    Two,
}

fn mac(
    secret: &hmac::Key,
    version: Version,
    key: &MessageKey,
    phone_number_id: &PhoneNumberId,
    attempt: u32,
) -> [u8; MAC_BYTES] {
    let version = match version {
        Version::One => "",
        Version::Two => "v2|",
    };
    let signed = format!(
        "{version}{}|{phone_number_id}|{}|{attempt}",
        key.tenant_id, key.message_id
    );
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
        assert!(text.len() < 110, "{text}");
        for tried in [vec![], vec![other], vec![tenant, other]] {
            assert_eq!(
                signer.verify(&text, &tried, &number),
                Some((key, 2)),
                "it names its tenant"
            );
        }
        let stranger = PhoneNumberId::parse("112").expect("digits");
        assert_eq!(signer.verify(&text, &[tenant], &stranger), None);
        for forged in [
            text.replace(".2.", ".3."),
            text.replace(&tenant.to_string(), &other.to_string()),
            format!("{text}.x"),
            // The MAC of one version is none of the other.
            text.replace("v2.", "v1.").replace(&format!(".{tenant}"), ""),
        ] {
            assert_eq!(signer.verify(&forged, &[tenant, other], &number), None, "{forged}");
        }
        let after = |previous| OpaqueSigner::new(&[8; 32], previous);
        assert_eq!(after(None).verify(&text, &[tenant], &number), None);
        let changed = after(Some(&[7; 32]));
        assert_eq!(changed.verify(&text, &[tenant], &number), Some((key, 2)));
        assert_ne!(changed.sign(&key, &number, 2), text);
        for foreign in [
            "",
            "v1",
            "order-1234",
            "v1.x.1.y",
            "v2.a.b.c",
            "v2.a.1.b.c",
            "v3.a.1.b.c",
        ] {
            assert_eq!(signer.verify(foreign, &[tenant], &number), None, "{foreign}");
        }
    }

    #[test]
    fn data_of_version_1_is_found_among_the_tenants_that_may_have_sent_it() {
        let signer = OpaqueSigner::new(&[7; 32], None);
        let [sender, other] = [1, 2].map(|id| TenantId::from_uuid(Uuid::from_u128(id)));
        let number = PhoneNumberId::parse("111").expect("digits");
        let key = MessageKey {
            tenant_id: sender,
            message_id: MessageId::from_uuid(Uuid::from_u128(3)),
        };
        // As an earlier release made it.
        let text = "v1.msg_00000000000000000000000003.2.MAC";
        let mac = URL_SAFE_NO_PAD.encode(mac(&signer.current, Version::One, &key, &number, 2));
        let text = text.replace("MAC", &mac);
        assert_eq!(signer.verify(&text, &[other, sender], &number), Some((key, 2)));
        assert_eq!(signer.verify(&text, &[other], &number), None);
        assert_eq!(signer.verify(&text, &[], &number), None);
    }
}
