//! T10 to T12: a lease runs out, and a message in doubt is given up or sent again.

use dakghar_core::domain::Status;
use dakghar_core::domain::message::{DeadReason, EvidenceStatus, TimelineEvent, UnknownOutcome};
use dakghar_core::domain::{MessageKey, Tenant};

use crate::steps::{GRACE, LEASE, LEASE_MARGIN, MINUTE, SECOND, almost, in_each_kind};
use crate::world::meta::Answer;
use crate::world::process::Process;
use crate::world::{Kind, World};

/// A message of which Meta said nothing.
fn in_doubt(world: &World, policy: UnknownOutcome) -> (Process, Tenant, MessageKey) {
    let (process, tenant, message) = world.queued(policy);
    world.send_and(&process, Answer::Silent);
    assert_eq!(world.look(message).status(), Status::InDoubt);
    (process, tenant, message)
}

#[test]
fn t10_a_message_whose_lease_ran_out_is_taken_over() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let _claimed = world.claim(&process);
        let before_its_end = almost(LEASE + LEASE_MARGIN);
        assert_eq!(world.reconcile_after(&process, before_its_end), 0);
        assert_eq!(world.look(message).status(), Status::Sending);

        assert_eq!(world.reconcile_after(&process, SECOND), 1);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::InDoubt, 2));
        assert!(seen.lease().is_none() && seen.maybe_sent());
        assert_eq!(seen.grace_until(), Some(world.now() + GRACE));
        assert!(seen.conversation().is_some());
    });
}

#[test]
fn t10_the_old_worker_records_nothing_but_the_evidence_that_meta_took_it() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let claimed = world.claim(&process);
        let ended = world.call(&process, claimed);
        world.reconcile_after(&process, LEASE + LEASE_MARGIN);
        world.record(&process, ended);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::Sent, 2));
        let events: Vec<TimelineEvent> = seen.timeline().iter().map(|entry| entry.event).collect();
        let expected = [TimelineEvent::Accepted, TimelineEvent::InDoubt, TimelineEvent::Status];
        assert_eq!(events, expected, "it is evidence, and not the outcome of an attempt");
        assert!(seen.status_seen_at().is_none(), "no webhook said so");
    });
}

#[test]
fn t10_the_old_worker_does_not_call_any_more() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let claimed = world.claim(&process);
        world.reconcile_after(&process, LEASE + LEASE_MARGIN);
        let ended = world.call(&process, claimed);
        assert_eq!(world.requests(), 0);
        world.record(&process, ended);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::InDoubt, 2));
    });
}

#[test]
fn t11_under_fail_a_message_in_doubt_is_dead_after_its_grace() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt(world, UnknownOutcome::Fail);
        assert_eq!(world.reconcile_after(&process, almost(GRACE)), 0);
        world.reconcile_after(&process, SECOND);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::Dead, 2));
        assert_eq!(seen.dead_reason(), Some(DeadReason::OutcomeUnknown));
        assert_eq!(seen.wake_at(), None);
        if world.kind() == Kind::Distributed {
            let shown = world.redis.waiting();
            assert_eq!(shown, [(message, seen.drive())], "the queue's tools show it");
        }
    });
}

#[test]
fn t11_under_auto_a_message_in_doubt_is_dead_when_no_statuses_come_for_long() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt(world, UnknownOutcome::Auto);
        for _ in 0..7 {
            assert_eq!(world.reconcile_after(&process, GRACE), 1);
            assert_eq!(world.look(message).status(), Status::InDoubt);
        }
        assert_eq!(world.reconcile_after(&process, MINUTE), 1, "after a quarter of an hour");
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Dead);
        assert_eq!(seen.dead_reason(), Some(DeadReason::OutcomeUnknown));
    });
}

#[test]
fn t11_a_message_in_doubt_without_further_attempts_is_dead() {
    in_each_kind(|world: &World| {
        let process = world.idle_process_with(|setup| setup.settings.attempts_max = 1);
        let tenant = world.tenant(&process, UnknownOutcome::Resend);
        let message = world.accept(&process, &tenant.id, "hello");
        world.send_and(&process, Answer::Silent);
        world.reconcile_after(&process, GRACE);
        assert_eq!(world.look(message).dead_reason(), Some(DeadReason::OutcomeUnknown));
    });
}

#[test]
fn t11_a_message_in_doubt_whose_time_is_over_is_dead() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Resend);
        let message = world.accept_until(&process, &tenant.id, MINUTE);
        world.send_and(&process, Answer::Silent);
        assert_eq!(world.reconcile_after(&process, MINUTE), 0, "its grace comes first");
        world.reconcile_after(&process, MINUTE);
        assert_eq!(world.look(message).dead_reason(), Some(DeadReason::OutcomeUnknown));
    });
}

#[test]
fn t12_under_resend_a_message_in_doubt_is_queued_again_after_its_grace() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt(world, UnknownOutcome::Resend);
        assert_eq!(world.reconcile_after(&process, almost(GRACE)), 0);
        world.reconcile_after(&process, SECOND);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch(), seen.drive()), (Status::Queued, 2, 1));
        assert_eq!(seen.slot_at(), Some(world.now()));
        assert!(seen.maybe_sent() && seen.grace_until().is_none());

        world.send(&process);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Sent, 2));
    });
}

#[test]
fn t12_under_auto_statuses_of_a_later_message_send_it_again() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = in_doubt(world, UnknownOutcome::Auto);
        world.run_for(SECOND);
        world.accept(&process, &tenant.id, "later");
        world.send(&process);
        world.reconcile_after(&process, GRACE);
        assert_eq!(world.look(message).status(), Status::InDoubt, "no status came yet");

        world.report(&process, &world.request(), EvidenceStatus::Delivered);
        world.reconcile_after(&process, GRACE);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::Queued, 2));
    });
}

#[test]
fn t12_under_auto_statuses_of_an_earlier_message_do_not_send_it_again() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Auto);
        world.send(&process);
        world.report(&process, &world.request(), EvidenceStatus::Delivered);
        world.run_for(SECOND);
        let message = world.accept(&process, &tenant.id, "in doubt");
        world.send_and(&process, Answer::Silent);
        world.reconcile_after(&process, GRACE);
        assert_eq!(world.look(message).status(), Status::InDoubt);
    });
}

#[test]
fn t12_under_auto_the_store_knows_of_statuses_that_another_process_took() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = in_doubt(world, UnknownOutcome::Auto);
        world.run_for(SECOND);
        world.accept(&process, &tenant.id, "later");
        world.send(&process);
        world.report(&process, &world.request(), EvidenceStatus::Delivered);
        let other = world.idle_process();
        world.reconcile_after(&other, GRACE);
        assert_eq!(world.look(message).status(), Status::Queued);
    });
}
