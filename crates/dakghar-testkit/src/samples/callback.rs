//! How far endpoints are, what they have not taken, and attempts.

use std::time::Duration;

use dakghar_core::domain::callback::{
    Attempt, AttemptLog, CallEnd, CallbackException, CallbackFailure, CallbackProgress, EndpointBreaker,
    ExceptionState, LastAttempt, OpenBreaker, ReplayProgress, WaitingLine,
};
use dakghar_core::domain::{ConversationId, Endpoint, EndpointId, FeedEntry, Place, PlacedEntry, TenantId};
use dakghar_core::ports::IdGenerator as _;

use super::{IDS, at, endpoint, event, outbound, person, phone_number_id};

/// The progress of an endpoint to which nothing was delivered.
pub fn callback_progress(endpoint_id: EndpointId, tenant_id: TenantId) -> CallbackProgress {
    let kept = Endpoint {
        kept_under: endpoint_id,
        ..endpoint(tenant_id)
    };
    CallbackProgress::new(&kept, at(IDS.count()))
}

/// A progress in which every field has a value.
pub fn callback_progress_full(endpoint_id: EndpointId, tenant_id: TenantId) -> CallbackProgress {
    let open = OpenBreaker {
        since: at(IDS.count()),
        probe_at: at(IDS.count()),
        probes: 3,
    };
    CallbackProgress {
        after: Place::new(77),
        waiting: [1, 2]
            .map(|n| WaitingLine {
                conversation_id: ConversationId::of(&tenant_id, &phone_number_id(), &person(&n.to_string())),
                after: Place::new(50 + n),
                to: Place::new(1 << (40 + n)),
                entries: (1 << 35) + n,
            })
            .into(),
        breaker: EndpointBreaker::kept(12, Some(at(IDS.count())), Some(open)),
        not_before: Some(at(IDS.count())),
        delivered: 70,
        failed: 15,
        expired: 2,
        delivered_at: Some(at(IDS.count())),
        failed_at: Some(at(IDS.count())),
        replay: Some(ReplayProgress {
            id: IDS.replay_id(),
            at: Place::new(33),
            delivered: 30,
            failed: 4,
            ended_at: Some(at(IDS.count())),
        }),
        ..callback_progress(endpoint_id, tenant_id)
    }
}

/// An entry that waits for an earlier one of its conversation, and was not tried.
pub fn callback_exception(endpoint_id: EndpointId, tenant_id: TenantId, place: Place) -> CallbackException {
    let entry = FeedEntry::of_event(&event(tenant_id)).expect("it has a tenant");
    CallbackException {
        endpoint_id,
        placed: PlacedEntry { place, entry },
        conversation_id: None,
        state: ExceptionState::Behind,
        attempts: 0,
        since: at(IDS.count()),
        last: None,
        is_replay: false,
    }
}

/// An entry that was not taken and is tried again, in which every field has a value.
pub fn callback_exception_full(endpoint_id: EndpointId, tenant_id: TenantId, place: Place) -> CallbackException {
    let mut entry = FeedEntry::of_message(&outbound(tenant_id));
    entry.reported_at = Some(at(IDS.count()));
    CallbackException {
        placed: PlacedEntry { place, entry },
        conversation_id: Some(ConversationId::of(&tenant_id, &phone_number_id(), &person("1"))),
        state: ExceptionState::Retrying(at(IDS.count())),
        attempts: 5,
        last: Some(LastAttempt {
            at: at(IDS.count()),
            took: Duration::from_millis(30_001),
            end: CallEnd::Answered(503),
            answer: Some("busy, \"later\"\u{0}ü".to_owned()),
        }),
        is_replay: true,
        ..callback_exception(endpoint_id, tenant_id, place)
    }
}

/// A log of so many attempts, of which every second failed.
pub fn attempt_log(endpoint_id: EndpointId, tenant_id: TenantId, count: u64) -> AttemptLog {
    let attempt = |place| {
        let entry = FeedEntry::of_event(&event(tenant_id)).expect("it has a tenant");
        let has_failed = place % 2 == 0;
        Attempt {
            place: Place::new(place),
            entry_id: entry.id(),
            kind: entry.kind,
            number: u32::try_from(place).expect("a few"),
            at: at(IDS.count()),
            took: Duration::from_millis(place),
            end: if has_failed {
                CallEnd::Failed(CallbackFailure::Timeout)
            } else {
                CallEnd::Answered(204)
            },
            answer: has_failed.then(|| format!("answer {place}")),
            is_replay: place % 3 == 0,
        }
    };
    AttemptLog {
        id: IDS.attempt_log_id(),
        tenant_id,
        endpoint_id,
        at: at(IDS.count()),
        attempts: (1..=count).map(attempt).collect(),
    }
}
