//! Departures, as both stores keep them: one text, JSON. Nothing secret is in it.

use dakghar_core::domain::audit::Who;
use dakghar_core::domain::departure::{
    Departure, DepartureReason, DepartureState, DepartureStep, QueuedWish, StepRecord, StepState,
};
use dakghar_core::domain::ids::{DepartureId, PhoneNumberId, TenantId};
use dakghar_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::lease::{LeaseFields, lease, lease_fields};
use super::send_error::{ErrorFields, error, error_fields};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DepartureFields {
    id: String,
    tenant_id: String,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_key: Option<String>,
    /// Absent where the tenant leaves as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    numbers: Option<Vec<String>>,
    /// Absent where what is queued is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    send_until: Option<i64>,
    state: String,
    steps: Vec<StepFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed_at: Option<i64>,
    #[serde(default)]
    cancelled: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exported_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseFields>,
    created_at: i64,
    updated_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct StepFields {
    step: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(default)]
    tries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorFields>,
}

/// Returns the text of a departure. Its version is kept beside it.
pub(crate) fn text_of(departure: &Departure) -> String {
    let ids = |numbers: &Vec<PhoneNumberId>| numbers.iter().map(ToString::to_string).collect();
    let fields = DepartureFields {
        id: departure.id.to_string(),
        tenant_id: departure.tenant_id.to_string(),
        by: departure.asked_by.kind().to_owned(),
        by_key: departure.asked_by.key().map(|key| key.to_string()),
        numbers: departure.numbers.as_ref().map(ids),
        send_until: match departure.queued {
            QueuedWish::Send { until } => Some(until.as_millis()),
            QueuedWish::Cancel => None,
        },
        state: departure.state.as_str().to_owned(),
        steps: departure.steps.iter().map(step_fields).collect(),
        changed_at: departure.changed_at.map(Timestamp::as_millis),
        cancelled: departure.cancelled,
        exported_at: departure.exported_at.map(Timestamp::as_millis),
        next_at: departure.next_at.map(Timestamp::as_millis),
        lease: departure.lease.as_ref().map(lease_fields),
        created_at: departure.created_at.as_millis(),
        updated_at: departure.updated_at.as_millis(),
        ended_at: departure.ended_at.map(Timestamp::as_millis),
    };
    serde_json::to_string(&fields).expect("texts and numbers become JSON")
}

/// Reads the text of a departure that is kept under this version; `None` if it cannot be understood.
pub(crate) fn parse(text: &str, version: u64) -> Option<Departure> {
    let fields: DepartureFields = serde_json::from_str(text).ok()?;
    let numbers = match fields.numbers {
        Some(ids) => Some(numbers(&ids)?),
        None => None,
    };
    Some(Departure {
        id: DepartureId::parse(&fields.id).ok()?,
        tenant_id: TenantId::parse(&fields.tenant_id).ok()?,
        asked_by: Who::parse(&fields.by, fields.by_key.as_deref())?,
        numbers,
        queued: match fields.send_until {
            Some(until) => QueuedWish::Send {
                until: Timestamp::from_millis(until),
            },
            None => QueuedWish::Cancel,
        },
        state: DepartureState::parse(&fields.state)?,
        steps: fields.steps.into_iter().map(step).collect::<Option<_>>()?,
        changed_at: fields.changed_at.map(Timestamp::from_millis),
        cancelled: fields.cancelled,
        exported_at: fields.exported_at.map(Timestamp::from_millis),
        next_at: fields.next_at.map(Timestamp::from_millis),
        lease: fields.lease.map(lease),
        created_at: Timestamp::from_millis(fields.created_at),
        updated_at: Timestamp::from_millis(fields.updated_at),
        ended_at: fields.ended_at.map(Timestamp::from_millis),
        version,
    })
}

fn numbers(ids: &[String]) -> Option<Vec<PhoneNumberId>> {
    ids.iter().map(|id| PhoneNumberId::parse(id).ok()).collect()
}

fn step_fields(record: &StepRecord) -> StepFields {
    StepFields {
        step: record.step.as_str().to_owned(),
        about: record.about.as_deref().map(str::to_owned),
        required: record.is_required,
        state: record.state.as_str().to_owned(),
        at: record.at.map(Timestamp::as_millis),
        tries: record.tries,
        reason: record.reason.map(|reason| reason.as_str().to_owned()),
        note: record.note.as_deref().map(str::to_owned),
        error: record.error.as_ref().map(error_fields),
    }
}

fn step(fields: StepFields) -> Option<StepRecord> {
    Some(StepRecord {
        step: DepartureStep::parse(&fields.step)?,
        about: fields.about.map(Into::into),
        is_required: fields.required,
        state: StepState::parse(&fields.state)?,
        at: fields.at.map(Timestamp::from_millis),
        tries: fields.tries,
        reason: match fields.reason {
            Some(name) => Some(DepartureReason::parse(&name)?),
            None => None,
        },
        note: fields.note.map(Into::into),
        error: fields.error.map(error),
    })
}
