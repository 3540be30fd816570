//! Events in the feeds of tenants that tell that an access token ends.

use aws_lc_rs::digest;
use serde_json::json;

use crate::domain::feed::TOKEN_EXPIRES;
use crate::domain::ids::{EventId, PhoneNumberId, TenantId};
use crate::domain::tenant::Tenant;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{EventReason, WebhookEvent};

/// An access token of which a change of a tenant tells that it ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTold {
    tenant_id: TenantId,
    /// The version of the tenant before the change: whoever saves another change from it is refused.
    version: u64,
    phone_number_id: PhoneNumberId,
    expires_at: Timestamp,
    days: u32,
}

impl TokenTold {
    /// Returns the tokens of which a change tells.
    pub fn of_change(before: &Tenant, after: &Tenant) -> Vec<Self> {
        let told = after.phone_numbers.iter().filter_map(|number| {
            let known = number.token.as_ref()?;
            let (days, expires_at) = (known.warned_days?, known.expires_at()?);
            let was = before.number(Some(&number.phone_number_id));
            let was = was.and_then(|number| number.token.as_ref());
            let is_old = was.is_some_and(|was| was.warned_days == Some(days) && was.expires_at() == Some(expires_at));
            (!is_old).then(|| Self {
                tenant_id: before.id,
                version: before.version,
                phone_number_id: number.phone_number_id.clone(),
                expires_at,
                days,
            })
        });
        told.collect()
    }

    /// Makes the event that tells of it.
    pub fn event(&self, id: EventId, now: Timestamp) -> WebhookEvent {
        let raw = json!({
            "phoneNumberId": self.phone_number_id.as_str(),
            "expiresAt": self.expires_at.to_string(),
            "days": self.days,
        });
        WebhookEvent {
            id,
            tenant_id: Some(self.tenant_id),
            reason: EventReason::Token,
            field: TOKEN_EXPIRES.into(),
            phone_number_id: Some(self.phone_number_id.clone()),
            waba_id: None,
            problem: Some("the access token of the number ends soon; replace it".into()),
            fingerprint: self.fingerprint(),
            raw: raw.to_string().into(),
            amends: None,
            received_at: now,
        }
    }

    /// Of this change alone, and of no event of Meta's.
    fn fingerprint(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"token");
        context.update(self.tenant_id.as_uuid().as_bytes());
        context.update(&self.version.to_be_bytes());
        context.update(self.phone_number_id.as_str().as_bytes());
        context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
    }
}
