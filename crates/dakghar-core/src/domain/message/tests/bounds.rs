//! A message tells people about itself, and keeps its times to the very bound.

use super::super::evidence::WAMIDS_MAX;
use super::*;
use crate::domain::listening::SIGN_EVERY;
use crate::domain::pacing::SLOT_TOLERANCE;

const SECOND: Duration = Duration::from_secs(1);

fn in_doubt(policy: UnknownOutcome) -> Message {
    let mut message = queued();
    message.accepted.unknown_outcome = policy;
    message.claim(START, &worker(), &timings()).expect("claimable");
    record(&mut message, START, &SendOutcome::Unknown { why: "reset".into() });
    message
}

fn last(message: &Message) -> &TimelineEntry {
    message.delivery.timeline.last().expect("an entry")
}

#[test]
fn a_failed_status_brings_its_error_and_no_other_does() {
    let error = SendError {
        code: Some(131_026),
        ..SendError::default()
    };
    for (told, kept) in [
        (EvidenceStatus::Failed, Some(error.clone())),
        (EvidenceStatus::Delivered, None),
    ] {
        let mut message = sending(START);
        record(&mut message, START, &accepted());
        let evidence = Evidence {
            error: Some(error.clone()),
            ..status(told, Some(1))
        };
        assert_eq!(message.merge_evidence(START, &evidence), Merged::Advanced);
        assert_eq!(message.delivery.error, kept, "{told:?}");
    }
}

#[test]
fn a_duplicate_is_confirmed_by_a_second_wamid_and_only_so_many_are_kept() {
    let mut message = sending(START);
    assert!(!message.is_duplicate_confirmed());
    record(&mut message, START, &accepted());
    assert!(!message.is_duplicate_confirmed());
    for n in 2..=WAMIDS_MAX + 2 {
        let evidence = Evidence {
            wamid: wamid(&format!("wamid.{n}")),
            ..status(EvidenceStatus::Delivered, Some(1))
        };
        message.merge_evidence(START, &evidence);
        assert!(message.is_duplicate_confirmed());
    }
    assert_eq!(message.delivery.wamids.len(), WAMIDS_MAX);
}

#[test]
fn a_call_that_went_wrong_says_why() {
    let mut not_sent = sending(START);
    let why: Arc<str> = "no route to the host".into();
    record(
        &mut not_sent,
        START,
        &SendOutcome::NotSent {
            cause: NotSentCause::Host,
            why: why.clone(),
        },
    );
    let entries = not_sent.delivery.timeline.iter();
    let told = entries.filter_map(|entry| Some(entry.error.as_ref()?.message.clone()));
    assert_eq!(told.collect::<Vec<_>>(), [why]);

    let doubted = in_doubt(UnknownOutcome::Fail);
    assert_eq!(last(&doubted).until, Some(START + timings().grace));
    assert_eq!(doubted.delivery.error.expect("an error").message, "reset".into());

    let mut taken_over = sending(START);
    let after_lease = START + timings().lease + timings().lease_margin;
    assert_eq!(taken_over.wake(after_lease, ALONE, None, &timings()), Woken::Changed);
    assert_eq!(
        taken_over.delivery.error.expect("an error").message,
        "the worker stopped during the call".into()
    );
}

#[test]
fn a_message_is_claimed_as_early_as_clocks_may_differ_and_no_earlier() {
    let mut message = queued();
    message.schedule(START, START + SLOT_TOLERANCE, None);
    assert_eq!(message.clone().claim(START, &worker(), &timings()), Ok(()));
    let slot_at = START + SLOT_TOLERANCE + Duration::from_millis(1);
    message.schedule(START, slot_at, None);
    assert_eq!(
        message.claim(START, &worker(), &timings()),
        Err(NotClaimable::TooEarly(slot_at))
    );
}

#[test]
fn a_long_wait_is_one_entry_for_each_reason() {
    let mut message = queued();
    let before = message.delivery.timeline.len();
    for n in 1..=3 {
        message.postpone(START, START + SECOND * n, "pace", None);
    }
    assert_eq!(message.delivery.timeline.len(), before + 1);
    assert_eq!(last(&message).until, Some(START + SECOND * 3));
    message.postpone(START, START + SECOND * 4, "slot", None);
    assert_eq!(message.delivery.timeline.len(), before + 2, "another reason");
    message.hold(START, HoldReason::Paused);
    message.delivery.status = Status::Queued;
    message.postpone(START, START + SECOND * 5, "slot", None);
    assert_eq!(
        message.delivery.timeline.len(),
        before + 4,
        "a wait after something else"
    );
    // An entry of another kind is kept, even if it has the same words.
    let paused = HoldReason::Paused.as_str();
    message.hold(START, HoldReason::Paused);
    message.delivery.status = Status::Queued;
    message.postpone(START, START + SECOND * 6, paused, None);
    assert_eq!(message.delivery.timeline.len(), before + 6);
}

#[test]
fn what_can_never_be_sent_is_given_up_before_a_call_only() {
    let mut message = queued();
    message.abandon(START, DeadReason::NumberRemoved);
    assert_eq!(
        (message.delivery.status, message.delivery.dead_reason),
        (Status::Dead, Some(DeadReason::NumberRemoved))
    );
    let mut under_way = sending(START);
    under_way.abandon(START, DeadReason::NumberRemoved);
    assert_eq!(under_way.delivery.status, Status::Sending);
}

#[test]
fn a_lease_that_still_runs_is_looked_at_again_when_it_is_over() {
    let mut message = sending(START);
    let around = Surroundings {
        watched: SECOND,
        ..ALONE
    };
    assert_eq!(
        message.wake(START + SECOND, around, None, &timings()),
        Woken::Rescheduled
    );
    assert_eq!(message.delivery.wake_at, Some(START + timings().lease));
}

#[test]
fn a_doubt_is_looked_at_each_grace_and_last_when_it_must_end() {
    let Timings { grace, doubt_max, .. } = timings();
    let mut message = in_doubt(UnknownOutcome::Auto);
    message.wake(START + grace, ALONE, None, &timings());
    assert_eq!(message.delivery.wake_at, Some(START + grace + grace));
    let near_the_end = START + doubt_max.checked_sub(SECOND).expect("longer");
    message.wake(near_the_end, ALONE, None, &timings());
    assert_eq!(message.delivery.wake_at, Some(START + doubt_max));
}

#[test]
fn a_doubt_that_nobody_looked_at_for_long_is_not_given_up_before_its_silence_is_known() {
    let Timings { grace, doubt_max, .. } = timings();
    let of = |silence| Surroundings { silence, ..ALONE };
    for (silence, status) in [
        (Silence::Telling, Status::Queued),
        (Silence::Unproven, Status::Dead),
        (Silence::Deaf, Status::Dead),
        // Nor is it waited for without end.
        (Silence::NotKnownYet, Status::Dead),
    ] {
        let mut message = in_doubt(UnknownOutcome::Auto);
        // Taken over by workers that were away all the time.
        let looked_at = START + doubt_max * 2;
        message.delivery.grace_until = Some(looked_at);
        message.wake(looked_at, of(Silence::NotKnownYet), None, &timings());
        assert_eq!(message.delivery.status, Status::InDoubt);
        let wake_at = message.delivery.wake_at.expect("a timer");
        assert!(wake_at <= looked_at + SIGN_EVERY, "{wake_at}");
        message.wake(looked_at + grace, of(silence), None, &timings());
        assert_eq!(message.delivery.status, status, "{silence:?}");
    }
}

#[test]
fn a_doubt_that_ends_when_the_message_expires_is_not_sent_again() {
    let after_grace = START + timings().grace;
    for (expires_at, status) in [(after_grace, Status::Dead), (after_grace + SECOND, Status::Queued)] {
        let mut message = in_doubt(UnknownOutcome::Resend);
        message.delivery.expires_at = Some(expires_at);
        message.wake(after_grace, ALONE, None, &timings());
        assert_eq!(message.delivery.status, status);
    }
}

#[test]
fn the_timeline_stays_short_and_keeps_what_matters() {
    let mut message = queued();
    message.merge_evidence(START, &status(EvidenceStatus::Sent, Some(0)));
    for n in 0..500 {
        message
            .delivery
            .note(TimelineEntry::new(START, TimelineEvent::Attempt).attempt(n));
    }
    assert_eq!(message.delivery.timeline.len(), TIMELINE_ENTRIES_MAX);
    assert_eq!(message.delivery.timeline[0].event, TimelineEvent::Accepted);
    let mut timeline = message.delivery.timeline.iter();
    assert!(timeline.any(|entry| entry.event == TimelineEvent::Status));
    assert_eq!(
        message.delivery.timeline.last().and_then(|entry| entry.attempt),
        Some(499)
    );
}
