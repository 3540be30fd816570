//! Webhook events.

use dakghar_core::domain::{AmendedContent, Amendment, EventId, EventReason, TenantId, WebhookEvent};

use super::{IDS, at, phone_number_id, waba, wamid};
use crate::ids::uuid_of;

/// An event of a tenant with every field set.
pub fn event(tenant_id: TenantId) -> WebhookEvent {
    WebhookEvent {
        tenant_id: Some(tenant_id),
        reason: EventReason::Routed,
        field: "account_update".into(),
        phone_number_id: Some(phone_number_id()),
        waba_id: Some(waba("102290129340398")),
        problem: Some("statuses[0].id is missing".into()),
        raw: "{\"event\": \"VERIFIED_ACCOUNT\",\"n\":1.0}".into(),
        amends: Some(amendment("wamid.of", "wamid.by", 7, Some("{\"body\": \"\u{985}\"}"))),
        ..event_bare()
    }
}

/// An unrouted event of which next to nothing is known.
pub fn event_bare() -> WebhookEvent {
    let count = IDS.count();
    let mut fingerprint = [0; 32];
    fingerprint[24..].copy_from_slice(&count.to_be_bytes());
    WebhookEvent {
        id: EventId::from_uuid(uuid_of(count)),
        tenant_id: None,
        reason: EventReason::Malformed,
        field: "".into(),
        phone_number_id: None,
        waba_id: None,
        problem: None,
        raw: "not JSON \u{FFFD}".into(),
        amends: None,
        fingerprint,
        received_at: at(count),
    }
}

/// An edit of a message to this text, or without one a revocation.
pub fn amendment(of: &str, by: &str, ms: u64, text: Option<&str>) -> Amendment {
    Amendment {
        of: wamid(of),
        by: wamid(by),
        at: at(ms),
        content: text.map(|text| AmendedContent {
            kind: "text".into(),
            body: text.into(),
        }),
    }
}
