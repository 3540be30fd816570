//! What tenants are told of their endpoints, as events that stand in their feeds.

use aws_lc_rs::digest;

use super::super::feed::{ENDPOINT_DISABLED, ENDPOINT_EVENTS_EXPIRED, Place};
use super::super::ids::EventId;
use super::super::time::Timestamp;
use super::super::webhook::{EventReason, WebhookEvent};
use super::{DisabledReason, Endpoint};

/// Something about an endpoint that its tenant is told. Each is one event, however often it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointTold {
    /// Dakghar has given it up.
    Disabled {
        /// Why.
        reason: DisabledReason,
        /// Since when.
        at: Timestamp,
    },
    /// Entries of the feed were erased by their age before it got them.
    EventsExpired {
        /// The place before them.
        after: Place,
        /// The earliest entry behind them that is still there.
        first: Place,
    },
}

impl EndpointTold {
    /// Makes the event that tells of it.
    pub fn event(self, endpoint: &Endpoint, id: EventId, now: Timestamp) -> WebhookEvent {
        let endpoint_id = endpoint.id;
        let (field, problem, raw) = match self {
            Self::Disabled { reason, at } => (
                ENDPOINT_DISABLED,
                reason.explanation(),
                format!(
                    r#"{{"endpointId":"{endpoint_id}","reason":"{}","disabledAt":"{at}"}}"#,
                    reason.as_str()
                ),
            ),
            Self::EventsExpired { after, first } => (
                ENDPOINT_EVENTS_EXPIRED,
                "Events were erased by their age before the endpoint took them.",
                format!(
                    r#"{{"endpointId":"{endpoint_id}","count":{},"from":"{}","to":"{}"}}"#,
                    expired(after, first),
                    after.plus(1),
                    first.before()
                ),
            ),
        };
        WebhookEvent {
            id,
            tenant_id: Some(endpoint.tenant_id),
            reason: EventReason::Endpoint,
            field: field.into(),
            phone_number_id: None,
            waba_id: None,
            problem: Some(problem.into()),
            fingerprint: fingerprint(endpoint, field, &raw),
            raw: raw.into(),
            amends: None,
            received_at: now,
        }
    }
}

/// The number of places between the two.
pub fn expired(after: Place, first: Place) -> u64 {
    first.number().saturating_sub(after.number() + 1)
}

/// The same whoever tells it and whenever, and of no event of Meta's.
fn fingerprint(endpoint: &Endpoint, field: &str, raw: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"endpoint");
    context.update(endpoint.tenant_id.as_uuid().as_bytes());
    context.update(field.as_bytes());
    context.update(raw.as_bytes());
    context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
}
