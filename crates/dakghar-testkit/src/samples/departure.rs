//! Departures.

use dakghar_core::domain::audit::Who;
use dakghar_core::domain::departure::{
    DepartingNumber, Departure, DepartureReason, DepartureState, DepartureStep, DepartureWishes, NewDeparture,
    QueuedWish, StepRecord, StepState,
};
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::{ApiKeyId, DepartureId, TenantId};

use super::{IDS, at, phone, send_error_full, waba};
use crate::ids::uuid_of;

/// A departure of a whole tenant, which has done nothing yet.
pub fn departure(tenant_id: TenantId) -> Departure {
    let count = IDS.count();
    let number = DepartingNumber {
        id: phone("106540352242922"),
        waba_id: Some(waba("102290129340398")),
        simulated: false,
    };
    let new = NewDeparture {
        id: DepartureId::from_uuid(uuid_of(count)),
        tenant_id,
        asked_by: Who::Cli,
        numbers: &[number],
        is_whole: true,
        wishes: DepartureWishes {
            queued: QueuedWish::Cancel,
            deregister: true,
            revoke: false,
            skip_export: false,
            keep_data: false,
            required: &[],
        },
    };
    Departure::new(&new, at(count))
}

/// A departure that is over.
pub fn departure_over(tenant_id: TenantId) -> Departure {
    Departure {
        state: DepartureState::Done,
        ended_at: Some(at(40)),
        ..departure(tenant_id)
    }
}

/// A departure with every field set, to something else than its default.
pub fn departure_full(tenant_id: TenantId) -> Departure {
    let step = |step, state| StepRecord {
        step,
        about: Some("106540352242922".into()),
        is_required: true,
        state,
        at: Some(at(5)),
        tries: 3,
        reason: Some(DepartureReason::Refused),
        note: Some("বই \"x\"".into()),
        error: Some(send_error_full()),
    };
    Departure {
        asked_by: Who::Operator(ApiKeyId::from_uuid(uuid_of(7))),
        numbers: Some(vec![phone("106540352242922"), phone("501")]),
        queued: QueuedWish::Send { until: at(900) },
        state: DepartureState::Stopped,
        steps: vec![
            step(DepartureStep::Unsubscribe, StepState::Failed),
            step(DepartureStep::Deregister, StepState::Pending),
        ],
        changed_at: Some(at(4)),
        cancelled: 17,
        exported_at: Some(at(6)),
        next_at: Some(at(8)),
        lease: Some(Lease {
            owner: "w\"1".into(),
            until: at(12),
        }),
        ended_at: Some(at(13)),
        ..departure(tenant_id)
    }
}
