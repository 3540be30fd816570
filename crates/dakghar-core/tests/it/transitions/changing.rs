//! T14, T15, T17 and T18: cancelled, expired, given up as poison, sent again by an operator.

use dakghar_core::domain::message::{DeadReason, UnknownOutcome};
use dakghar_core::domain::{ErrorCode, MessageKey, Status};

use crate::steps::{GRACE, MINUTE, REFUSED, SECOND, code, in_each_kind};
use crate::world::meta::Answer;
use crate::world::process::Process;
use crate::world::{Kind, World};

/// A message that may have been sent, and is queued again.
fn queued_after_doubt(world: &World, expires: &str) -> (Process, MessageKey) {
    let process = world.idle_process();
    let tenant = world.tenant(&process, UnknownOutcome::Resend);
    let message = world.accept_with(&process, &tenant.id, expires);
    world.send_and(&process, Answer::Silent);
    world.reconcile_after(&process, GRACE);
    assert_eq!(world.look(message).status(), Status::Queued);
    (process, message)
}

#[test]
fn t14_a_queued_message_is_cancelled() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let jobs = world.take(&process);
        let cancelled = world.cancel(&process, message).expect("cancelled");
        assert_eq!((cancelled.status(), cancelled.wake_at()), (Status::Cancelled, None));
        assert_eq!(world.look(message), cancelled);
        assert_eq!(world.prepare_jobs(&process, jobs).sends.len(), 0);
        assert!(world.cancel(&process, message).is_ok(), "cancelling it twice is fine");
        assert_eq!(world.look(message).version(), cancelled.version());
    });
}

#[test]
fn t14_a_message_that_is_cancelled_after_it_was_prepared_is_not_sent() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let prepared = world.prepare(&process);
        world.cancel(&process, message).expect("cancelled");
        assert_eq!(world.claim_prepared(&process, prepared).len(), 0);
        assert_eq!(world.look(message).status(), Status::Cancelled);
    });
}

#[test]
fn t14_a_held_message_is_cancelled() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.pause(&process, &tenant);
        let message = world.accept(&process, &tenant.id, "hello");
        let cancelled = world.cancel(&process, message).expect("cancelled");
        assert_eq!((cancelled.status(), cancelled.hold_reason()), (Status::Cancelled, None));
    });
}

#[test]
fn t14_a_message_is_not_cancelled_after_a_call_that_may_have_delivered_it() {
    in_each_kind(|world: &World| {
        let (process, message) = queued_after_doubt(world, "");
        let refused = world.cancel(&process, message);
        assert_eq!(code(&refused), Some(ErrorCode::NotCancellable), "it is queued again");
        let claimed = world.claim(&process);
        let refused = world.cancel(&process, message);
        assert_eq!(code(&refused), Some(ErrorCode::NotCancellable), "it is sending");
        let ended = world.call(&process, claimed);
        world.record(&process, ended);
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn t15_the_timer_expires_a_queued_message() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let message = world.accept_until(&process, &tenant.id, SECOND * 30);
        assert_eq!(world.reconcile_after(&process, SECOND * 29), 0);
        assert_eq!(world.reconcile_after(&process, SECOND), 1);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.wake_at()), (Status::Expired, None));
    });
}

#[test]
fn t15_the_worker_expires_a_queued_message() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let message = world.accept_until(&process, &tenant.id, SECOND * 30);
        let jobs = world.take(&process);
        world.run_for(SECOND * 30);
        assert_eq!(world.prepare_jobs(&process, jobs).sends.len(), 0);
        assert_eq!(world.look(message).status(), Status::Expired);
    });
}

#[test]
fn t15_the_timer_expires_a_held_message() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.pause(&process, &tenant);
        let message = world.accept_until(&process, &tenant.id, SECOND * 3);
        assert_eq!(world.look(message).status(), Status::Held);
        assert_eq!(world.reconcile_after(&process, SECOND * 3), 1);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.hold_reason()), (Status::Expired, None));
    });
}

#[test]
fn t15_a_message_that_may_have_been_sent_does_not_expire_but_is_dead() {
    in_each_kind(|world: &World| {
        let expires = format!(r#","expiresAt":"{}""#, world.now() + GRACE + SECOND * 5);
        let (process, message) = queued_after_doubt(world, &expires);
        world.reconcile_after(&process, SECOND * 5);
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Dead);
        assert_eq!(seen.dead_reason(), Some(DeadReason::OutcomeUnknown));
    });
}

#[test]
fn t17_a_queued_message_that_crashed_five_preparations_is_dead() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        for strikes in 1..=4 {
            world.strike(&process, message);
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.strikes()), (Status::Queued, strikes));
        }
        world.strike(&process, message);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.wake_at()), (Status::Dead, None));
        assert_eq!(seen.dead_reason(), Some(DeadReason::Poison));
        if world.kind() == Kind::Distributed {
            let shown = (message, seen.drive());
            assert!(world.redis.waiting().contains(&shown), "the queue's tools show it");
        }
    });
}

#[test]
fn t17_a_held_message_that_crashed_five_preparations_is_dead() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.pause(&process, &tenant);
        let message = world.accept(&process, &tenant.id, "hello");
        (0..5).for_each(|_| world.strike(&process, message));
        assert_eq!(world.look(message).dead_reason(), Some(DeadReason::Poison));
    });
}

#[test]
fn t17_a_message_that_is_under_way_is_not_given_up_as_poison() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let _claimed = world.claim(&process);
        (0..5).for_each(|_| world.strike(&process, message));
        assert_eq!(world.look(message).status(), Status::Sending);
    });
}

#[test]
fn t18_a_failed_message_is_sent_again() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::Refuses(REFUSED));
        let redriven = world.redrive(&process, message, false).expect("redriven");
        assert_eq!(
            (redriven.status(), redriven.epoch(), redriven.drive()),
            (Status::Queued, 2, 1)
        );
        assert_eq!((redriven.attempt(), redriven.attempts_counted()), (1, 0));
        assert_eq!(redriven.error_code(), None);

        world.send(&process);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Sent, 2));
    });
}

#[test]
fn t18_an_expired_message_is_sent_again_without_its_old_expiry_when_that_is_asked_for() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let message = world.accept_until(&process, &tenant.id, SECOND * 30);
        world.reconcile_after(&process, MINUTE);
        assert_eq!(world.look(message).status(), Status::Expired);
        let expired = world.look(message);
        let refused = world.redrive_plainly(&process, message);
        assert_eq!(code(&refused), Some(ErrorCode::MessageExpired));
        assert_eq!(world.look(message), expired, "nothing is written");
        let redriven = world.redrive(&process, message, false).expect("redriven");
        assert_eq!(redriven.expires_at(), None);
        world.send(&process);
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn t18_a_date_that_is_ahead_holds_for_a_message_that_is_sent_again() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let message = world.accept_until(&process, &tenant.id, MINUTE);
        let expires_at = world.look(message).expires_at();
        assert!(expires_at.is_some());
        world.send_and(&process, Answer::Refuses(REFUSED));
        let redriven = world.redrive_plainly(&process, message).expect("redriven");
        assert_eq!(redriven.expires_at(), expires_at);
        world.send_and(&process, Answer::Refuses(REFUSED));
        // Also for whoever ignores dates that are over.
        let redriven = world.redrive(&process, message, false).expect("redriven");
        assert_eq!(redriven.expires_at(), expires_at);
        world.reconcile_after(&process, MINUTE);
        assert_eq!(world.look(message).status(), Status::Expired, "no call starts after it");
        assert_eq!(world.requests(), 2);
    });
}

#[test]
fn t18_a_dead_message_whose_date_is_over_is_sent_again_only_when_that_is_asked_for() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let message = world.accept_until(&process, &tenant.id, MINUTE);
        world.send_and(&process, Answer::Refuses(REFUSED));
        world.run_for(MINUTE);
        let refused = world.redrive_plainly(&process, message);
        assert_eq!(code(&refused), Some(ErrorCode::MessageExpired));
        assert_eq!(world.look(message).status(), Status::Failed);
        world.redrive(&process, message, false).expect("redriven");
        world.send(&process);
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn t18_a_dead_message_that_may_have_been_delivered_is_sent_again_when_that_is_confirmed() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::AcceptsSilently);
        world.reconcile_after(&process, GRACE);
        let dead = world.look(message);
        assert_eq!(dead.status(), Status::Dead);
        let refused = world.redrive(&process, message, false);
        assert_eq!(code(&refused), Some(ErrorCode::DuplicateRiskUnconfirmed));
        assert_eq!(world.look(message), dead, "nothing is written");

        let redriven = world.redrive(&process, message, true).expect("redriven");
        assert_eq!((redriven.status(), redriven.dead_reason()), (Status::Queued, None));
        assert!(redriven.maybe_sent(), "for ever");
        world.send(&process);
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn t18_a_message_that_is_no_dead_letter_is_not_sent_again() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let refused = world.redrive(&process, message, false);
        assert_eq!(code(&refused), Some(ErrorCode::NotRedrivable), "it is queued");
        world.send(&process);
        let refused = world.redrive(&process, message, true);
        assert_eq!(code(&refused), Some(ErrorCode::NotRedrivable), "it is sent");
        assert_eq!(world.requests(), 1);
    });
}
