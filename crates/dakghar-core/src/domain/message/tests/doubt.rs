//! Calls whose outcome is unknown, and messages that are sent again.

use super::*;

const CONFIRMED: RedriveOptions = RedriveOptions {
    confirm_duplicate_risk: true,
    ignore_expiry: false,
};

#[test]
fn doubt_ends_by_policy() {
    let in_doubt = |policy| {
        let mut message = queued();
        message.accepted.unknown_outcome = policy;
        message.claim(START, &worker(), &timings()).expect("claimable");
        record(&mut message, START, &SendOutcome::Unknown { why: "reset".into() });
        message
    };
    let after_grace = START + timings().grace;
    let flow = Surroundings {
        silence: Silence::Telling,
        ..ALONE
    };
    let after_all = START + timings().doubt_max;
    for (policy, now, around, woken, status) in [
        (
            UnknownOutcome::Resend,
            after_grace,
            ALONE,
            Woken::NeedsSlot,
            Status::Queued,
        ),
        (UnknownOutcome::Fail, after_grace, ALONE, Woken::Changed, Status::Dead),
        (
            UnknownOutcome::Auto,
            after_grace,
            flow,
            Woken::NeedsSlot,
            Status::Queued,
        ),
        (
            UnknownOutcome::Auto,
            after_grace,
            ALONE,
            Woken::Rescheduled,
            Status::InDoubt,
        ),
        (UnknownOutcome::Auto, after_all, ALONE, Woken::Changed, Status::Dead),
        (
            UnknownOutcome::Resend,
            START,
            ALONE,
            Woken::Rescheduled,
            Status::InDoubt,
        ),
    ] {
        let mut message = in_doubt(policy);
        assert_eq!(message.wake(now, around, None, &timings()), woken, "{policy:?}");
        assert_eq!(message.delivery.status, status, "{policy:?}");
        if status == Status::Dead {
            assert_eq!(message.delivery.dead_reason, Some(DeadReason::OutcomeUnknown));
        }
    }
}

#[test]
fn a_doubt_that_is_given_up_at_the_first_look_says_why_too() {
    for (silence, reason) in [
        (Silence::Deaf, Some("webhooks_were_not_received")),
        (Silence::Unproven, Some("no_statuses_of_neighbouring_calls")),
        (Silence::NotKnownYet, None),
    ] {
        let mut message = queued();
        message.accepted.unknown_outcome = UnknownOutcome::Auto;
        message.claim(START, &worker(), &timings()).expect("claimable");
        record(&mut message, START, &SendOutcome::Unknown { why: "reset".into() });
        let around = Surroundings { silence, ..ALONE };
        message.wake(START + timings().doubt_max, around, None, &timings());
        assert_eq!(message.delivery.status, Status::Dead);
        let waits: Vec<_> = message
            .delivery
            .timeline
            .iter()
            .filter(|entry| entry.event == TimelineEvent::Waiting)
            .map(|entry| entry.detail.as_deref())
            .collect();
        assert_eq!(waits, reason.map(Some).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_may_have_been_sent_is_not_cancelled_and_not_sent_again_by_accident() {
    let mut message = sending(START);
    message.accepted.unknown_outcome = UnknownOutcome::Resend;
    record(&mut message, START, &SendOutcome::Unknown { why: "reset".into() });
    message.wake(START + timings().grace, ALONE, None, &timings());
    assert_eq!(message.delivery.status, Status::Queued);
    assert!(!message.cancel(START + timings().grace));
    message.expire(START + timings().grace);
    assert_eq!(
        (message.delivery.status, message.delivery.dead_reason),
        (Status::Dead, Some(DeadReason::OutcomeUnknown))
    );
    assert_eq!(
        message.redrive(START + timings().grace, RedriveOptions::default()),
        Err(NotRedrivable::DuplicateRisk)
    );
    assert_eq!(message.redrive(START + timings().grace, CONFIRMED), Ok(()));
}

#[test]
fn a_redriven_message_starts_afresh_and_old_reports_do_not_end_it() {
    let mut message = sending(START);
    record(&mut message, START, &refused(131_026, 400));
    assert_eq!(message.redrive(START, RedriveOptions::default()), Ok(()));
    assert_eq!(
        (
            message.delivery.status,
            message.delivery.attempts_counted(),
            message.delivery.error.clone()
        ),
        (Status::Queued, 0, None)
    );
    for late in [EvidenceStatus::Sent, EvidenceStatus::Failed] {
        assert_eq!(message.merge_evidence(START, &status(late, Some(1))), Merged::Noted);
        assert_eq!(message.delivery.status, Status::Queued);
    }
    assert_eq!(
        message.merge_evidence(START, &status(EvidenceStatus::Delivered, Some(1))),
        Merged::Advanced
    );
    assert_eq!(message.delivery.status, Status::Delivered);
}

#[test]
fn a_failed_call_does_not_say_that_the_one_before_did_not_arrive() {
    let mut message = sending(START);
    message.accepted.unknown_outcome = UnknownOutcome::Resend;
    record(&mut message, START, &SendOutcome::Unknown { why: "reset".into() });
    let later = START + timings().grace;
    message.wake(later, ALONE, None, &timings());
    message.schedule(later, later, None);
    message.claim(later, &worker(), &timings()).expect("claimable");
    assert_eq!(record(&mut message, later, &refused(131_047, 400)), Recorded::Failed);
    assert_eq!(
        message.redrive(later, RedriveOptions::default()),
        Err(NotRedrivable::DuplicateRisk)
    );
    assert_eq!(message.redrive(later, CONFIRMED), Ok(()));

    // There was only one call, and Meta reports that it failed.
    let mut alone = sending(START);
    record(&mut alone, START, &SendOutcome::Unknown { why: "reset".into() });
    alone.merge_evidence(START, &status(EvidenceStatus::Failed, Some(1)));
    assert_eq!(alone.delivery.status, Status::Failed);
    assert_eq!(alone.redrive(START, RedriveOptions::default()), Ok(()));
}

#[test]
fn the_wamid_is_that_of_the_call_that_counts() {
    let mut message = sending(START);
    record(&mut message, START, &accepted());
    message.merge_evidence(START, &status(EvidenceStatus::Failed, Some(1)));
    message.redrive(START, RedriveOptions::default()).expect("it failed");
    message.schedule(START, START, None);
    message.claim(START, &worker(), &timings()).expect("claimable");
    let second = SendOutcome::Accepted {
        wamid: wamid("wamid.2"),
        known_as: Vec::new(),
        receipt: Receipt::default(),
    };
    record(&mut message, START, &second);
    assert_eq!(message.delivery.wamid, Some(wamid("wamid.2")));
    assert_eq!(message.delivery.wamids, [wamid("wamid.1"), wamid("wamid.2")]);
    // A repeated report on the first call, without the number of the call.
    message.merge_evidence(START, &status(EvidenceStatus::Failed, None));
    assert_eq!(message.delivery.status, Status::Sent);

    // The report arrives before the answer to the call.
    message.merge_evidence(START, &status(EvidenceStatus::Failed, Some(2)));
    message.redrive(START, RedriveOptions::default()).expect("it failed");
    message.schedule(START, START, None);
    message.claim(START, &worker(), &timings()).expect("claimable");
    let third = Evidence {
        wamid: wamid("wamid.3"),
        ..status(EvidenceStatus::Delivered, Some(3))
    };
    assert_eq!(message.merge_evidence(START, &third), Merged::Advanced);
    assert_eq!(message.delivery.wamid, Some(wamid("wamid.3")));
}

#[test]
fn a_time_to_send_outlasts_a_hold() {
    let tomorrow = START + Duration::from_secs(86_400);
    let mut message = queued();
    message.schedule(START, tomorrow, None);
    message.hold(START, HoldReason::Paused);
    assert_eq!(message.wake(START, ALONE, None, &timings()), Woken::NeedsSlot);
    assert_eq!(message.delivery.slot_at, Some(tomorrow));

    let mut due = queued();
    due.hold(START, HoldReason::Paused);
    assert_eq!(due.delivery.slot_at, None);
}
