//! Events in the feeds of tenants that tell what has changed of a number at Meta.

use aws_lc_rs::digest;
use serde_json::json;

use super::drift::{Change, Drift};
use crate::domain::feed::NUMBER_CHANGED;
use crate::domain::ids::{EventId, PhoneNumberId, TenantId, WabaId};
use crate::domain::tenant::{PhoneNumber, Tenant};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{EventReason, WebhookEvent};

/// A number of which a change of a tenant tells that it is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberTold {
    tenant_id: TenantId,
    /// The version of the tenant before the change: whoever saves another change from it is refused.
    version: u64,
    phone_number_id: PhoneNumberId,
    waba_id: Option<WabaId>,
    changes: Vec<Change>,
}

impl NumberTold {
    /// Returns the numbers of which a change tells.
    pub fn of_change(before: &Tenant, after: &Tenant) -> Vec<Self> {
        let told = after.phone_numbers.iter().filter_map(|number| {
            let was = before.number(Some(&number.phone_number_id));
            let changes = changes(was, number);
            (!changes.is_empty()).then(|| Self {
                tenant_id: before.id,
                version: before.version,
                phone_number_id: number.phone_number_id.clone(),
                waba_id: number.waba_id.clone(),
                changes,
            })
        });
        told.collect()
    }

    /// Makes the event that tells of it.
    pub fn event(&self, id: EventId, now: Timestamp) -> WebhookEvent {
        let changes = self.changes.iter().map(|change| {
            json!({
                "kind": change.drift.as_str(),
                "before": change.before.as_deref(),
                "after": &*change.after,
                "advice": change.advice(),
            })
        });
        let raw = json!({
            "phoneNumberId": self.phone_number_id.as_str(),
            "changes": changes.collect::<Vec<_>>(),
        });
        let advice = self.changes.iter().find_map(Change::advice);
        WebhookEvent {
            id,
            tenant_id: Some(self.tenant_id),
            reason: EventReason::Number,
            field: NUMBER_CHANGED.into(),
            phone_number_id: Some(self.phone_number_id.clone()),
            waba_id: self.waba_id.clone(),
            problem: advice.map(Into::into),
            fingerprint: self.fingerprint(),
            raw: raw.to_string().into(),
            amends: None,
            received_at: now,
        }
    }

    /// The number.
    pub const fn number(&self) -> &PhoneNumberId {
        &self.phone_number_id
    }

    /// Its changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The kinds of what has changed.
    pub fn kinds(&self) -> impl Iterator<Item = Drift> {
        self.changes.iter().map(|change| change.drift)
    }

    /// Of this change alone, and of no event of Meta's.
    fn fingerprint(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"number");
        context.update(self.tenant_id.as_uuid().as_bytes());
        context.update(&self.version.to_be_bytes());
        context.update(self.phone_number_id.as_str().as_bytes());
        context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
    }
}

/// Returns the changes by a check. Those by others, from webhooks or a person, are not told here.
fn changes(before: Option<&PhoneNumber>, after: &PhoneNumber) -> Vec<Change> {
    let was = before.map(|number| &number.standing);
    let is = &after.standing;
    if is.checked_at.is_none() || was.is_some_and(|was| was.checked_at == is.checked_at) {
        return Vec::new();
    }
    let seen = is.seen.as_ref();
    let mut changes = seen.map_or_else(Vec::new, |seen| seen.changes(was.and_then(|was| was.seen.as_ref())));
    let account = before.and_then(|before| before.waba_id.as_ref());
    if let (Some(account), Some(known)) = (account, &after.waba_id)
        && account != known
    {
        changes.push(Change {
            drift: Drift::Account,
            before: Some(account.as_str().into()),
            after: known.as_str().into(),
        });
    }
    changes
}
