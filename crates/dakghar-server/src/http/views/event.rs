//! Webhook events that are neither messages nor statuses we could place.

use dakghar_core::domain::told_time::told_at;
use dakghar_core::domain::{EventReason, PhoneNumberId, TenantId, Timestamp, WabaId, WebhookEvent};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::{delay_ms, names, raw_json};

/// A part of a webhook that is neither a message nor a status, kept as it came; or what Dakghar itself tells: of an endpoint,
/// with the reason `endpoint`, or that sending is held or is not held any more, with the reason `hold`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub(in crate::http) struct EventView {
    /// Our id.
    #[schema(example = "evt_01kamt5c8x7v3b9q2w4e6r8t0y")]
    id: String,
    /// Whom it belongs to; `null` when nobody could be found.
    tenant_id: Option<String>,
    /// Why it is kept as an event.
    #[schema(schema_with = reasons)]
    reason: &'static str,
    /// Meta's name of the field; empty when absent. Of what Dakghar tells, the kind of its entry in the feed.
    #[schema(example = "account_update")]
    field: String,
    /// The number it names.
    phone_number_id: Option<String>,
    /// The account it names.
    waba_id: Option<String>,
    /// What exactly was wrong with it, or with the endpoint; or why sending is held, and what ends it.
    problem: Option<String>,
    /// The part as received. `endpoint.disabled` has `endpointId`, `reason` (`gone` or `failing`) and `disabledAt`, and
    /// `endpoint.events_expired` has `endpointId`, `count`, and the places `from` and `to` of the feed.
    /// `sending.held` and `sending.released` have `phoneNumberId` (`null` for the whole tenant), the `reason` of the hold, and
    /// `since` when it was; `token.expires` has `phoneNumberId`, `expiresAt`, and the `days` within which that is; `number.changed` has `phoneNumberId`, and
    /// `changes`, each with its `kind`, how it was `before` and `after`, and `advice` if there is something to do. It is a string with its text when it was not JSON, or has more than 48 objects and arrays inside each other.
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
    /// When it happened, according to Meta; `null` where Meta does not say.
    reported_at: Option<String>,
    /// When it came.
    received_at: String,
    /// The milliseconds from the one to the other. Meta repeats for days what was not taken.
    delay_ms: Option<u64>,
}

fn reasons() -> ObjectBuilder {
    names(EventReason::ALL.map(EventReason::as_str))
}

impl From<&WebhookEvent> for EventView {
    fn from(event: &WebhookEvent) -> Self {
        let reported_at = told_at(&event.raw, event.received_at);
        Self {
            id: event.id.to_string(),
            tenant_id: event.tenant_id.as_ref().map(TenantId::to_string),
            reason: event.reason.as_str(),
            field: event.field.as_ref().to_owned(),
            phone_number_id: event.phone_number_id.as_ref().map(PhoneNumberId::to_string),
            waba_id: event.waba_id.as_ref().map(WabaId::to_string),
            problem: event.problem.as_deref().map(str::to_owned),
            payload: raw_json(&event.raw),
            reported_at: reported_at.as_ref().map(Timestamp::to_string),
            received_at: event.received_at.to_string(),
            delay_ms: reported_at.map(|at| delay_ms(event.received_at, at)),
        }
    }
}
