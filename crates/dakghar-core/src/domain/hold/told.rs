//! Events in the feeds of tenants that tell of their holds.

use aws_lc_rs::digest;
use serde_json::json;

use super::super::feed::{SENDING_HELD, SENDING_RELEASED};
use super::super::ids::{EventId, PhoneNumberId, TenantId};
use super::super::tenant::Tenant;
use super::super::time::Timestamp;
use super::super::webhook::{EventReason, WebhookEvent};
use super::Hold;

/// A hold that began, got another reason, or ended, in one change of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldTold {
    tenant_id: TenantId,
    /// The version of the tenant before the change: whoever saves another change from it is refused.
    version: u64,
    /// The number; `None` for the hold of the whole tenant.
    phone_number_id: Option<PhoneNumberId>,
    was: Option<Hold>,
    is: Option<Hold>,
}

impl HoldTold {
    /// Returns the holds of which a change of a tenant tells. That the next probe has another time is nothing new, and a
    /// number that the tenant gave up is not told of.
    pub fn of_change(before: &Tenant, after: &Tenant) -> Vec<Self> {
        let of = |number: Option<&PhoneNumberId>, was: Option<Hold>, is: Option<Hold>| {
            let reason = |hold: Option<Hold>| hold.map(|hold| hold.reason);
            (reason(was) != reason(is)).then(|| Self {
                tenant_id: before.id,
                version: before.version,
                phone_number_id: number.cloned(),
                was,
                is,
            })
        };
        let numbers = after.phone_numbers.iter().filter_map(|number| {
            let id = &number.phone_number_id;
            of(
                Some(id),
                before.number(Some(id)).and_then(|number| number.hold),
                number.hold,
            )
        });
        of(None, before.hold, after.hold).into_iter().chain(numbers).collect()
    }

    /// Makes the event that tells of it.
    pub fn event(&self, id: EventId, now: Timestamp) -> WebhookEvent {
        let (field, told) = match self.is {
            Some(hold) => (SENDING_HELD, Some(hold)),
            None => (SENDING_RELEASED, self.was),
        };
        let raw = json!({
            "phoneNumberId": self.phone_number_id.as_ref().map(PhoneNumberId::as_str),
            "reason": told.map(|hold| hold.reason.as_str()),
            "since": told.map(|hold| hold.since.to_string()),
        });
        WebhookEvent {
            id,
            tenant_id: Some(self.tenant_id),
            reason: EventReason::Hold,
            field: field.into(),
            phone_number_id: self.phone_number_id.clone(),
            waba_id: None,
            problem: self.is.map(|hold| hold.reason.explanation().into()),
            fingerprint: self.fingerprint(field),
            raw: raw.to_string().into(),
            amends: None,
            received_at: now,
        }
    }

    /// Of this change alone, and of no event of Meta's.
    fn fingerprint(&self, field: &str) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"hold");
        context.update(self.tenant_id.as_uuid().as_bytes());
        context.update(&self.version.to_be_bytes());
        context.update(field.as_bytes());
        context.update(
            self.phone_number_id
                .as_ref()
                .map_or("", PhoneNumberId::as_str)
                .as_bytes(),
        );
        context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
    }
}
