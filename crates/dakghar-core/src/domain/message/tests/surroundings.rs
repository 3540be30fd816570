//! Faults of the surroundings: they cost the message nothing, and each is counted by itself.

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn unreachable_host() -> SendOutcome {
    SendOutcome::NotSent {
        cause: NotSentCause::Host,
        why: "connection refused".into(),
    }
}

/// Claims the message when it may go, and records this outcome of its call.
fn send(message: &mut Message, now: Timestamp, outcome: &SendOutcome) -> Recorded {
    message.claim(now, &worker(), &timings()).expect("claimable");
    record(message, now, outcome)
}

/// Puts a held message back into the queue.
fn resume(message: &mut Message, now: Timestamp) {
    let around = Surroundings {
        may_probe: true,
        ..ALONE
    };
    assert_eq!(message.wake(now, around, None, &timings()), Woken::NeedsSlot);
    message.schedule(now, now, None);
}

/// Has Meta ask to slow down until it is given up, and returns the time.
fn slow_down_until_dead(message: &mut Message, mut now: Timestamp) -> Timestamp {
    loop {
        match send(message, now, &refused(130_429, 400)) {
            Recorded::SlowDown(at) => now = at,
            Recorded::GaveUp => return now,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_call_of_which_no_byte_left_is_no_attempt() {
    let mut message = queued();
    let mut now = START;
    for _ in 0..500 {
        let Recorded::Retry(at) = send(&mut message, now, &unreachable_host()) else {
            panic!("given up")
        };
        now = at;
    }
    assert_eq!(
        (message.delivery.attempt, message.delivery.attempts_counted()),
        (500, 0)
    );
    assert!(
        !message.delivery.maybe_sent && message.cancel(now),
        "nothing can have arrived"
    );
}

#[test]
fn a_message_that_cannot_be_written_is_given_up_after_five_attempts() {
    let mut message = queued();
    let unwritable = SendOutcome::NotSent {
        cause: NotSentCause::Request,
        why: "no body".into(),
    };
    let mut now = START;
    while let Recorded::Retry(at) = send(&mut message, now, &unwritable) {
        now = at;
    }
    assert_eq!((message.delivery.status, message.delivery.attempt), (Status::Dead, 5));
}

#[test]
fn what_something_in_between_refuses_is_tried_five_times_and_never_in_doubt() {
    let mut message = queued();
    let turned_away = SendOutcome::TurnedAway {
        http_status: 403,
        why: "a page".into(),
    };
    let mut now = START;
    while let Recorded::Retry(at) = send(&mut message, now, &turned_away) {
        assert!(!message.delivery.maybe_sent);
        now = at;
    }
    assert_eq!(message.delivery.dead_reason, Some(DeadReason::AttemptsExhausted));
    assert_eq!(message.delivery.attempt, 5);
    assert_eq!(
        message.delivery.error.as_ref().and_then(|error| error.http_status),
        Some(403)
    );
}

#[test]
fn an_unreachable_host_does_not_outlast_the_time_of_a_message() {
    let mut message = queued();
    message.delivery.expires_at = Some(START + Duration::from_secs(30));
    let mut now = START;
    while let Recorded::Retry(at) = send(&mut message, now, &unreachable_host()) {
        now = at;
    }
    assert_eq!(message.delivery.status, Status::Expired);
}

#[test]
fn refused_tokens_and_slow_downs_are_counted_apart() {
    let mut message = queued();
    for probe in 0..21 {
        let now = START + Duration::from_secs(600 * probe);
        let held = Recorded::Held(HoldReason::CredentialsInvalid);
        assert_eq!(send(&mut message, now, &refused(190, 401)), held);
        resume(&mut message, now + Duration::from_secs(60));
    }
    let now = START + Duration::from_secs(600 * 21);
    let first_wait = Recorded::SlowDown(now + Duration::from_secs(1));
    assert_eq!(
        send(&mut message, now, &refused(130_429, 400)),
        first_wait,
        "as for the first"
    );
    let now = now + Duration::from_secs(1);
    let first_wait = Recorded::Retry(now + Duration::from_secs(1));
    assert_eq!(send(&mut message, now, &unreachable_host()), first_wait);
    let now = now + Duration::from_secs(1);
    let first_wait = Recorded::Retry(now + Duration::from_secs(1));
    assert_eq!(send(&mut message, now, &refused(131_000, 500)), first_wait);
    assert_eq!(message.delivery.attempts_counted(), 1, "only the last is an attempt");
}

#[test]
fn a_number_that_is_too_fast_waits_longer_each_time_and_fifteen_seconds_at_most() {
    let mut message = queued();
    let mut now = START;
    let too_fast = refused(130_429, 400);
    let mut waits = Vec::new();
    for _ in 0..7 {
        let Recorded::SlowDown(at) = send(&mut message, now, &too_fast) else {
            panic!("another outcome")
        };
        waits.push(at.since(now).as_secs());
        now = at;
    }
    assert_eq!(waits, [1, 2, 4, 8, 15, 15, 15]);
    let mut named = too_fast;
    if let SendOutcome::Refused(refusal) = &mut named {
        refusal.retry_after = Some(Duration::from_secs(60));
    }
    let meant = Recorded::SlowDown(now + Duration::from_secs(60));
    assert_eq!(send(&mut message, now, &named), meant, "Meta named it");
}

#[test]
fn slow_downs_end_a_message_a_day_after_the_first_however_many_they_are() {
    let mut message = queued();
    let first = START + Duration::from_secs(3600);
    let ended = slow_down_until_dead(&mut message, first);
    assert_eq!(message.delivery.dead_reason, Some(DeadReason::AttemptsExhausted));
    assert_eq!(message.delivery.attempts_counted(), 0);
    let age = ended.since(first);
    assert!(DAY <= age && age < DAY + Duration::from_secs(400), "{age:?}");
    assert!(message.delivery.attempt > 200);
}

#[test]
fn a_message_that_waited_for_days_is_not_ended_by_its_first_slow_down() {
    let mut message = queued();
    let now = START + 3 * DAY;
    assert!(matches!(
        send(&mut message, now, &refused(131_056, 400)),
        Recorded::PairSlowDown(_)
    ));
}

#[test]
fn a_redriven_message_may_be_slowed_down_for_another_day() {
    let mut message = queued();
    let ended = slow_down_until_dead(&mut message, START);
    assert_eq!(message.redrive(ended, RedriveOptions::default()), Ok(()));
    message.schedule(ended, ended, None);
    let again = slow_down_until_dead(&mut message, ended);
    assert!(again.since(ended) >= DAY);
}

#[test]
fn a_message_says_what_it_waits_for_and_until_when() {
    let said = |message: &Message| message.wait().map(|wait| (wait.reason.to_owned(), wait.until));
    let mut message = queued();
    assert_eq!(said(&message), Some(("turn".to_owned(), message.delivery.slot_at)));
    let until = START + Duration::from_secs(30);
    message.postpone(START, until, "pace", None);
    assert_eq!(said(&message), Some(("pace".to_owned(), Some(until))));
    let Recorded::SlowDown(at) = send(&mut message, until, &refused(130_429, 400)) else {
        panic!("another outcome")
    };
    assert_eq!(said(&message), Some(("slow_down".to_owned(), Some(at))));
    let lost = SendOutcome::Unknown { why: "lost".into() };
    assert_eq!(send(&mut message, at, &lost), Recorded::InDoubt);
    assert_eq!(
        said(&message),
        Some(("evidence".to_owned(), message.delivery.grace_until))
    );
    let mut message = queued();
    message.hold(START, HoldReason::Paused);
    assert_eq!(said(&message), Some(("hold".to_owned(), None)));
    let mut message = queued();
    send(&mut message, START, &accepted());
    assert_eq!(said(&message), None);
}
