//! The state machine, transition by transition.

mod bounds;
mod doubt;
mod properties;
mod surroundings;

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::policy::STRIKES_MAX;
use super::*;
use crate::domain::graph_error::GraphRefusal;
use crate::domain::hold::{self, HoldReason};
use crate::domain::ids::{MessageId, PhoneNumberId, TenantId, WaId, Wamid};
use crate::domain::pacing::{RELEASE_CHECK, RELEASE_LEAD};
use crate::domain::time::{Present, Timestamp};

const START: Timestamp = Timestamp::from_millis(1_760_000_000_000);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const ALONE: Surroundings = Surroundings {
    hold: None,
    may_probe: false,
    silence: Silence::Unproven,
    is_orphaned: false,
    watched: Duration::from_secs(45),
};

fn timings() -> Timings {
    Timings::default()
}

fn wamid(text: &str) -> Wamid {
    Wamid::parse(text).expect("a wamid")
}

fn worker() -> Arc<str> {
    "worker".into()
}

pub(in crate::domain) fn queued() -> Message {
    let accepted = Accepted {
        id: MessageId::from_uuid(Uuid::from_u128(1)),
        tenant_id: TenantId::from_uuid(Uuid::from_u128(2)),
        phone_number_id: PhoneNumberId::parse("111").expect("digits"),
        direction: Direction::Outbound,
        peer: None,
        peer_id: Some(WaId::parse("919111111111").expect("digits")),
        content: Content {
            kind: "text".into(),
            body: "null".into(),
            envelope: None,
            frame: None,
            removed_at: None,
        },
        idempotency: None,
        metadata: None,
        client_opaque: None,
        priority: Priority::Normal,
        unknown_outcome: UnknownOutcome::Auto,
        attempts_max: ATTEMPTS_MAX_DEFAULT,
        created_at: START,
        origin: Origin::Client,
        terms: Terms::default(),
        trace: None,
        by_gateway_id: false,
        conversation_kind: crate::domain::ConversationKind::Person,
        sender: None,
    };
    let mut message = Message {
        accepted,
        delivery: Delivery::queued(START),
    };
    message
        .delivery
        .note(TimelineEntry::new(START, TimelineEvent::Accepted));
    message.schedule(START, START, None);
    message
}

fn sending(now: Timestamp) -> Message {
    let mut message = queued();
    message.claim(now, &worker(), &timings()).expect("claimable");
    message
}

fn accepted() -> SendOutcome {
    SendOutcome::Accepted {
        wamid: wamid("wamid.1"),
        known_as: Vec::new(),
        receipt: Receipt::default(),
    }
}

fn refused(code: i64, http_status: u16) -> SendOutcome {
    SendOutcome::Refused(GraphRefusal {
        http_status,
        code,
        subcode: None,
        message: "refused".into(),
        details: None,
        is_transient: None,
        retry_after: None,
        fbtrace_id: None,
    })
}

fn record(message: &mut Message, now: Timestamp, outcome: &SendOutcome) -> Recorded {
    message
        .record_outcome(message.delivery.epoch, now, outcome, &SendPolicy::default(), 1.0)
        .expect("held under this epoch")
}

fn status(status: EvidenceStatus, attempt: Option<u32>) -> Evidence {
    Evidence {
        status,
        wamid: wamid("wamid.1"),
        attempt,
        reported_at: None,
        error: None,
        by_webhook: true,
        participant: None,
    }
}

#[test]
fn a_claim_is_durable_as_sending_with_a_lease_that_outlives_the_call() {
    let message = sending(START);
    assert_eq!(
        (
            message.delivery.status,
            message.delivery.epoch,
            message.delivery.attempt
        ),
        (Status::Sending, 1, 1)
    );
    assert_eq!(
        message.delivery.lease.as_ref().map(|lease| lease.until),
        Some(START + timings().lease)
    );
    assert_eq!(
        message.delivery.wake_at,
        Some(START + timings().lease + timings().lease_margin)
    );
    assert!(timings().call_timeout + timings().lease_margin < timings().lease);
}

#[test]
fn nothing_is_claimed_twice_too_early_or_too_late() {
    let mut message = sending(START);
    assert_eq!(
        message.claim(START, &worker(), &timings()),
        Err(NotClaimable::NotQueued)
    );
    let mut early = queued();
    let slot = START + Duration::from_secs(9);
    early.schedule(START, slot, None);
    assert_eq!(
        early.claim(START, &worker(), &timings()),
        Err(NotClaimable::TooEarly(slot))
    );
    assert_eq!(early.claim(slot, &worker(), &timings()), Ok(()));
    let mut late = queued();
    late.delivery.expires_at = Some(START);
    assert_eq!(late.claim(START, &worker(), &timings()), Err(NotClaimable::Expired));
}

#[test]
fn a_message_that_moved_house_is_queued_by_its_timer() {
    let window = Some(Duration::from_secs(60));
    let far = Duration::from_secs(3_600);
    for (slot_at, wake_at) in [
        (Some(START), START - RELEASE_LEAD),
        (Some(START + far), START + far - RELEASE_LEAD),
        (None, START - RELEASE_LEAD),
    ] {
        let mut message = queued();
        message.delivery.slot_at = slot_at;
        message.arrive_unqueued();
        let arrived = message.clone();
        message.arrive_unqueued();
        assert_eq!(message, arrived, "repeating it changes nothing");
        assert_eq!(
            (message.delivery.wake_at, message.delivery.enqueued_at),
            (Some(wake_at), None)
        );
        let woken = message.wake(wake_at.max(START), ALONE, window, &timings());
        let expected = if slot_at.is_some() {
            Woken::Release
        } else {
            Woken::NeedsSlot
        };
        assert_eq!((woken, message.delivery.drive), (expected, 0));
    }
    let mut expiring = queued();
    expiring.delivery.expires_at = Some(START - far);
    expiring.arrive_unqueued();
    assert_eq!(expiring.delivery.wake_at, Some(START - far));
    assert_eq!(expiring.wake(START, ALONE, window, &timings()), Woken::Changed);
    assert_eq!(expiring.delivery.status, Status::Expired);

    let mut called = sending(START);
    called.arrive_unqueued();
    assert_eq!(called, sending(START), "what is not queued keeps its timer");
}

#[test]
fn outcomes_lead_where_the_protocol_says() {
    let unknown = SendOutcome::Unknown { why: "timeout".into() };
    let not_sent = |cause| SendOutcome::NotSent {
        cause,
        why: "connect".into(),
    };
    let turned_away = SendOutcome::TurnedAway {
        http_status: 403,
        why: "a page".into(),
    };
    let retry = |seconds| START + Duration::from_secs(seconds);
    for (outcome, status, recorded) in [
        (accepted(), Status::Sent, Recorded::Sent),
        (refused(131_026, 400), Status::Failed, Recorded::Failed),
        (refused(131_016, 503), Status::Queued, Recorded::Retry(retry(1))),
        (not_sent(NotSentCause::Host), Status::Queued, Recorded::Retry(retry(1))),
        (
            not_sent(NotSentCause::Worker),
            Status::Queued,
            Recorded::Retry(retry(1)),
        ),
        (
            not_sent(NotSentCause::Request),
            Status::Queued,
            Recorded::Retry(retry(1)),
        ),
        (turned_away, Status::Queued, Recorded::Retry(retry(1))),
        (refused(130_429, 400), Status::Queued, Recorded::SlowDown(retry(1))),
        (
            refused(80_007, 400),
            Status::Queued,
            Recorded::AllowanceSlowDown(retry(1)),
        ),
        (refused(4, 400), Status::Queued, Recorded::AllowanceSlowDown(retry(1))),
        (refused(131_000, 500), Status::Queued, Recorded::Retry(retry(1))),
        (unknown, Status::InDoubt, Recorded::InDoubt),
        (
            refused(190, 401),
            Status::Held,
            Recorded::Held(HoldReason::CredentialsInvalid),
        ),
        (
            refused(131_031, 403),
            Status::Held,
            Recorded::Held(HoldReason::AccountRestricted),
        ),
    ] {
        let mut message = sending(START);
        assert_eq!(record(&mut message, START, &outcome), recorded, "{outcome:?}");
        assert_eq!(message.delivery.status, status, "{outcome:?}");
        assert_eq!(message.delivery.lease, None);
    }
}

#[test]
fn five_attempts_then_dead() {
    let mut message = queued();
    let mut now = START;
    for attempt in 1..=5 {
        message.claim(now, &worker(), &timings()).expect("claimable");
        let recorded = record(&mut message, now, &refused(2, 503));
        if attempt < 5 {
            let Recorded::Retry(at) = recorded else {
                panic!("{recorded:?}")
            };
            assert_eq!(at.since(now), Duration::from_secs(1 << (attempt - 1)));
            now = at;
        } else {
            assert_eq!(recorded, Recorded::GaveUp);
        }
    }
    assert_eq!(
        (message.delivery.status, message.delivery.dead_reason),
        (Status::Dead, Some(DeadReason::AttemptsExhausted))
    );
}

#[test]
fn the_wait_is_exponential_capped_jittered_and_never_less_than_asked_for() {
    let policy = RetryPolicy::default();
    let seconds = Duration::from_secs;
    for (attempt, jitter, at_least, expected) in [
        (1, 1.0, None, seconds(1)),
        (2, 1.0, None, seconds(2)),
        (2, 0.5, None, seconds(1)),
        (9, 1.0, None, seconds(256)),
        (10, 1.0, None, seconds(300)),
        (4_000_000_000, 1.0, None, seconds(300)),
        (1, 0.0, None, seconds(0)),
        (1, 0.0, Some(seconds(42)), seconds(42)),
    ] {
        assert_eq!(policy.wait(attempt, jitter, at_least), expected, "{attempt} {jitter}");
    }
}

#[test]
fn a_simulated_message_is_delivered_with_its_outcome() {
    let mut message = sending(START);
    let outcome = SendOutcome::Accepted {
        wamid: wamid("wamid.mock.1"),
        known_as: Vec::new(),
        receipt: Receipt::default(),
    };
    assert_eq!(record(&mut message, START, &outcome), Recorded::Sent);
    assert_eq!(
        (message.delivery.status, message.delivery.wake_at),
        (Status::Delivered, None)
    );
    let told: Vec<_> = message
        .delivery
        .timeline
        .iter()
        .rev()
        .take(2)
        .map(|entry| entry.detail.as_deref())
        .collect();
    assert_eq!(told, [Some("delivered"), Some("sent")]);
}

#[test]
fn only_the_holder_of_the_epoch_records() {
    let mut message = sending(START);
    let epoch = message.delivery.epoch;
    let late = START + timings().lease + timings().lease_margin;
    assert_eq!(message.wake(late, ALONE, None, &timings()), Woken::Changed);
    assert_eq!(message.delivery.status, Status::InDoubt);
    let outcome = message.record_outcome(epoch, late, &accepted(), &SendPolicy::default(), 1.0);
    assert_eq!(outcome, Err(Fenced));
    assert_eq!(
        message.merge_evidence(late, &status(EvidenceStatus::Sent, Some(1))),
        Merged::Advanced
    );
    assert_eq!(message.delivery.status, Status::Sent);
}

#[test]
fn a_lease_of_a_process_that_is_gone_is_taken_over_at_once() {
    let mut message = sending(START);
    assert_eq!(
        message.wake(
            START,
            Surroundings {
                is_orphaned: true,
                ..ALONE
            },
            None,
            &timings()
        ),
        Woken::Changed
    );
    assert_eq!((message.delivery.status, message.delivery.epoch), (Status::InDoubt, 2));
}

#[test]
fn a_message_joins_its_conversation_when_something_is_known_about_its_first_call() {
    let mut sent = sending(START);
    assert_eq!(
        (sent.delivery.conversation_id, sent.conversation().is_some()),
        (None, true)
    );
    record(&mut sent, START, &accepted());
    assert_eq!(sent.delivery.conversation_id, sent.conversation());

    let mut reported = sending(START);
    reported.merge_evidence(START, &status(EvidenceStatus::Delivered, Some(1)));
    assert_eq!(reported.delivery.conversation_id, reported.conversation());

    let mut orphaned = sending(START);
    let around = Surroundings {
        is_orphaned: true,
        ..ALONE
    };
    orphaned.wake(START, around, None, &timings());
    assert_eq!(orphaned.delivery.conversation_id, orphaned.conversation());
}

#[test]
fn a_lease_is_taken_over_when_it_was_watched_for_its_length_and_not_by_the_time_in_it() {
    let mut message = sending(START);
    let late = START + Duration::from_hours(1);
    for watched in [Duration::ZERO, timings().lease.saturating_sub(Duration::from_millis(1))] {
        let around = Surroundings { watched, ..ALONE };
        assert_eq!(message.wake(late, around, None, &timings()), Woken::Rescheduled);
        assert_eq!((message.delivery.status, message.delivery.epoch), (Status::Sending, 1));
        assert_eq!(
            message.delivery.wake_at,
            Some(late + timings().lease.saturating_sub(watched))
        );
    }
    assert_eq!(message.wake(START, ALONE, None, &timings()), Woken::Changed);
    assert_eq!((message.delivery.status, message.delivery.epoch), (Status::InDoubt, 2));
}

/// A clock that was ahead by so much wrote this message, and the right one reads it.
fn brought_back(mut message: Message, ahead: Duration) -> Message {
    let right = Present::from(message.delivery.updated_at - ahead);
    let released = message.bring_back(right, Some(RELEASE_CHECK));
    assert_eq!(released, message.delivery.enqueued_at.is_some());
    assert!(!message.bring_back(right, Some(RELEASE_CHECK)), "once is enough");
    message
}

#[test]
fn times_that_a_clock_ahead_has_written_are_the_same_waits_from_now() {
    let wait = Duration::from_secs(30);
    for ahead in [MINUTE, HOUR, HOUR * 24] {
        let wrong = START + ahead;
        let mut message = queued();
        message.postpone(wrong, wrong + wait, "pace", Some(RELEASE_CHECK));
        let drive = message.delivery.drive;
        let message = brought_back(message, ahead);
        assert_eq!(message.delivery.slot_at, Some(START + wait));
        assert_eq!(message.delivery.wake_at, Some(START + wait + RELEASE_CHECK));
        assert_eq!(message.delivery.drive, drive + 1, "its job is late");

        let message = brought_back(sending(wrong), ahead);
        assert_eq!((message.delivery.status, message.delivery.epoch), (Status::Sending, 1));
        assert_eq!(
            message.delivery.wake_at,
            Some(START + timings().lease + timings().lease_margin)
        );

        let mut message = sending(wrong);
        let unknown = SendOutcome::Unknown { why: "silence".into() };
        record(&mut message, wrong, &unknown);
        let message = brought_back(message, ahead);
        assert_eq!(message.delivery.grace_until, Some(START + timings().grace));
        assert_eq!(message.delivery.wake_at, Some(START + timings().grace));
        assert_eq!(message.delivery.called_at, Some(START));

        let mut message = queued();
        message.delivery.expires_at = Some(START + wait);
        message.hold(wrong, HoldReason::CredentialsInvalid);
        let message = brought_back(message, ahead);
        assert!(message.delivery.wake_at <= Some(START + wait));
    }
}

#[test]
fn a_timer_that_a_clock_ahead_has_set_anew_is_brought_back() {
    let ahead = MINUTE * 3;
    let wrong = START + ahead;
    let around = Surroundings {
        watched: Duration::ZERO,
        hold: Some(HoldReason::CredentialsInvalid),
        ..ALONE
    };
    let mut held = queued();
    held.hold(START, HoldReason::CredentialsInvalid);
    let mut doubtful = sending(START);
    doubtful.accepted.unknown_outcome = UnknownOutcome::Auto;
    record(&mut doubtful, START, &SendOutcome::Unknown { why: "silence".into() });
    let waits = [
        (sending(START), timings().lease),
        (held, hold::HOLD_CHECK_MAX),
        (doubtful, timings().grace),
    ];
    for (mut message, wait) in waits {
        assert_eq!(message.wake(wrong, around, None, &timings()), Woken::Rescheduled);
        assert_eq!(message.delivery.wake_at, Some(wrong + wait));
        let message = brought_back(message, ahead);
        assert_eq!(message.delivery.wake_at, Some(START + wait));
    }
}

#[test]
fn a_date_that_the_client_named_does_not_move_with_a_clock() {
    let send_at = START + HOUR * 5;
    let mut message = queued();
    message.delivery.timeline[0].until = Some(send_at);
    message.delivery.updated_at = START + HOUR;
    message.schedule(START + HOUR, send_at, Some(RELEASE_CHECK));
    let message = brought_back(message, HOUR);
    assert_eq!(message.delivery.slot_at, Some(send_at));
}

#[test]
fn it_is_sent_when_the_wall_shows_the_time_to_send_and_expires_when_it_shows_the_expiry() {
    let date = START + MINUTE;
    let ahead = |wall| Present { now: wall + HOUR, wall };
    let mut message = queued();
    message.delivery.timeline[0].until = Some(date);
    message.schedule(START, date, None);
    let claimed = message.claim(ahead(START), &worker(), &timings());
    // The wall may be set right at any moment.
    let slot_at = START + HOUR + MINUTE / 6;
    assert_eq!(claimed, Err(NotClaimable::TooEarly(slot_at)));
    assert_eq!(message.claim(ahead(date), &worker(), &timings()), Ok(()));

    let mut message = queued();
    message.delivery.expires_at = Some(date);
    message.schedule(ahead(START), START + HOUR, Some(RELEASE_CHECK));
    assert_eq!(message.delivery.wake_at, Some(slot_at));
    message.wake(ahead(START), ALONE, Some(RELEASE_CHECK), &timings());
    assert_eq!(message.delivery.status, Status::Queued);
    assert_eq!(
        message.clone().claim(ahead(date), &worker(), &timings()),
        Err(NotClaimable::Expired)
    );
    message.wake(ahead(date), ALONE, Some(RELEASE_CHECK), &timings());
    assert_eq!(message.delivery.status, Status::Expired);
}

#[test]
fn panics_are_struck_and_the_fifth_is_poison() {
    let mut message = queued();
    for strike in 1..=STRIKES_MAX {
        assert_eq!(message.strike(START), strike == STRIKES_MAX);
    }
    assert_eq!(message.delivery.dead_reason, Some(DeadReason::Poison));
}

#[test]
fn a_hold_rests_resumes_and_expires() {
    let mut message = queued();
    message.hold(START, HoldReason::CredentialsInvalid);
    let check = message.delivery.wake_at.expect("looked at again");
    let still = Surroundings {
        hold: Some(HoldReason::CredentialsInvalid),
        ..ALONE
    };
    assert_eq!(message.wake(check, still, None, &timings()), Woken::Rescheduled);
    assert_eq!(
        message.wake(
            check,
            Surroundings {
                may_probe: true,
                ..still
            },
            None,
            &timings()
        ),
        Woken::NeedsSlot
    );
    assert_eq!(
        (message.delivery.status, message.delivery.hold_reason),
        (Status::Queued, None)
    );

    let mut paused = queued();
    paused.delivery.expires_at = Some(START + timings().grace);
    paused.hold(START, HoldReason::Paused);
    assert_eq!(paused.delivery.wake_at, Some(START + hold::PAUSE_CHECK));
    assert_eq!(
        paused.wake(START + timings().grace, ALONE, None, &timings()),
        Woken::Changed
    );
    assert_eq!(paused.delivery.status, Status::Expired);
}

#[test]
fn only_slots_within_the_window_are_queued() {
    let window = Some(Duration::from_secs(60));
    let mut message = queued();
    assert!(message.schedule(START, START + Duration::from_secs(59), window));
    let far = START + Duration::from_secs(600);
    assert!(!message.schedule(START, far, window));
    assert_eq!(message.delivery.wake_at, Some(far - RELEASE_LEAD));
    let drive = message.delivery.drive;
    assert_eq!(
        message.wake(far - RELEASE_LEAD, ALONE, window, &timings()),
        Woken::Release
    );
    assert_eq!(message.delivery.drive, drive, "its first job needs no other name");
    assert_eq!(
        message.wake(far + RELEASE_CHECK, ALONE, window, &timings()),
        Woken::Release
    );
    assert_eq!(
        message.delivery.drive,
        drive + 1,
        "a lost job comes back under another name"
    );
}
