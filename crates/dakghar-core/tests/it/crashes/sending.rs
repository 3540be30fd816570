//! Crashes of a worker.

use std::time::Duration;

use dakghar_core::domain::message::{DeadReason, EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::{MessageKey, Status, Tenant};

use crate::steps::{GRACE, LEASE, LEASE_MARGIN, MINUTE, SECOND, almost, in_each_kind, in_world};
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

/// A worker dies at this call, and somebody goes on: another process, or the next start of the only one.
pub(super) fn dies_at(world: &World, policy: UnknownOutcome, call: Call, fate: Fate) -> (Process, Tenant, MessageKey) {
    let (process, tenant, message) = world.queued(policy);
    let jobs = world.take(&process);
    world.wire.script(call, fate);
    world.dies_of(&process, |process| async move {
        let prepared = process.prepare(jobs).await.expect("prepared");
        for claimed in process.claim(prepared.sends).await {
            let mut ended = process.call(claimed).await;
            process.record(&mut ended).await.expect("recorded");
        }
    });
    (world.process(), tenant, message)
}

/// The time until somebody looks at a message of a worker that died.
fn until_taken_over(world: &World) -> Duration {
    match world.kind() {
        // At its next start.
        Kind::Embedded => SECOND,
        // Another process sees it when it seems to be over, and watches it for its length.
        Kind::Distributed => LEASE + LEASE_MARGIN + LEASE + SECOND * 2,
    }
}

#[test]
fn crash_between_taking_the_job_and_claim_is_healed_by_the_timer_under_a_new_job_name() {
    for (call, fate) in [(Call::Load, Fate::CrashesAfter), (Call::Claim, Fate::CrashesBefore)] {
        in_world(Kind::Distributed, |world: &World| {
            let (_, _, message) = dies_at(world, UnknownOutcome::Fail, call, fate);
            world.run_for(almost(MINUTE));
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.drive(), seen.attempt()), (Status::Queued, 0, 0));
            world.run_for(SECOND * 3);
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.drive(), seen.attempt()), (Status::Sent, 1, 1));
            // The queue gives the old job to somebody too.
            world.run_for(MINUTE);
            assert_eq!(world.requests(), 1);
        });
    }
}

#[test]
fn crash_while_jobs_are_taken_is_healed_by_the_timer() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.wire.script(Call::Take, Fate::CrashesAfter);
        world.dies_of(&process, |process| async move { process.take().await });
        world.process();
        world.run_for(MINUTE + SECOND);
        assert_eq!(world.look(message).status(), Status::Sent);
        world.run_for(MINUTE);
        assert_eq!(world.requests(), 1);
    });
}

#[test]
fn crash_between_taking_the_job_and_claim_is_healed_by_the_table_that_is_the_queue() {
    in_world(Kind::Embedded, |world: &World| {
        let (_, _, message) = dies_at(world, UnknownOutcome::Fail, Call::Claim, Fate::CrashesBefore);
        assert_eq!(world.look(message).status(), Status::Queued);
        world.run_for(SECOND);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.drive(), seen.attempt()), (Status::Sent, 0, 1));
    });
}

#[test]
fn crash_between_claim_and_call_is_taken_over_and_decided_by_policy() {
    in_each_kind(|world: &World| {
        let (_, _, message) = dies_at(world, UnknownOutcome::Resend, Call::Claim, Fate::CrashesAfter);
        assert_eq!((world.look(message).status(), world.requests()), (Status::Sending, 0));
        if world.kind() == Kind::Distributed {
            world.run_for(almost(LEASE + LEASE_MARGIN + LEASE));
            assert_eq!(
                world.look(message).status(),
                Status::Sending,
                "not before its lease is over"
            );
            world.run_for(SECOND * 4);
        } else {
            world.run_for(SECOND);
        }
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::InDoubt, 2));

        world.run_for(GRACE + SECOND);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Sent, 2));
        assert_eq!(world.requests(), 1, "the first call never began");
    });
}

#[test]
fn crash_between_claim_and_call_is_taken_over_and_given_up_by_policy() {
    in_each_kind(|world: &World| {
        let (_, _, message) = dies_at(world, UnknownOutcome::Fail, Call::Claim, Fate::CrashesAfter);
        world.run_for(until_taken_over(world) + GRACE + SECOND);
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Dead);
        assert_eq!(seen.dead_reason(), Some(DeadReason::OutcomeUnknown));
        assert_eq!(world.requests(), 0);
    });
}

#[test]
fn crash_between_call_and_outcome_is_taken_over_and_told_by_the_webhook() {
    in_each_kind(|world: &World| {
        let (next, _, message) = dies_at(world, UnknownOutcome::Resend, Call::Save, Fate::CrashesBefore);
        assert_eq!((world.look(message).status(), world.requests()), (Status::Sending, 1));
        world.run_for(until_taken_over(world));
        assert_eq!(world.look(message).status(), Status::InDoubt);
        assert_eq!(world.look(message).wamid(), None);

        world.report(&next, &world.request(), EvidenceStatus::Sent);
        assert_eq!(world.look(message).status(), Status::Sent);
        world.run_for(GRACE * 2);
        assert_eq!(world.requests(), 1, "it is not sent again");
    });
}

#[test]
fn crash_between_call_and_outcome_is_told_by_a_webhook_that_comes_before_the_end_of_the_lease() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Resend);
        let claimed = world.claim(&process);
        let ended = world.call(&process, claimed);
        world.wire.executor.end_life(process.life());
        drop(ended);
        let other = world.idle_process();
        world.report(&other, &world.request(), EvidenceStatus::Delivered);
        assert_eq!(world.look(message).status(), Status::Delivered);

        world.process();
        world.run_for(LEASE + LEASE_MARGIN + GRACE);
        let seen = world.look(message);
        assert_eq!(
            (seen.status(), seen.epoch()),
            (Status::Delivered, 1),
            "nobody takes it over"
        );
        assert_eq!(world.requests(), 1);
    });
}

#[test]
fn crash_after_the_outcome_was_stored_leaves_nothing_to_heal() {
    in_each_kind(|world: &World| {
        let (_, _, message) = dies_at(world, UnknownOutcome::Resend, Call::Save, Fate::CrashesAfter);
        let sent = world.look(message);
        assert_eq!(sent.status(), Status::Sent);
        world.run_for(MINUTE * 4);
        assert_eq!(world.look(message), sent, "its job came back and changed nothing");
        assert_eq!(world.requests(), 1);
    });
}

#[test]
fn crash_between_touch_of_the_conversation_and_claim_is_harmless() {
    in_each_kind(|world: &World| {
        let (_, tenant, message) = dies_at(world, UnknownOutcome::Fail, Call::Claim, Fate::CrashesBefore);
        assert_eq!(world.look(message).status(), Status::Queued);
        let touched = world.conversations(&tenant);
        assert!(touched.len() <= 1, "at most a conversation without a new message");

        world.run_for(MINUTE + SECOND);
        let seen = world.look(message);
        let after = world.conversations(&tenant);
        assert_eq!((seen.status(), seen.conversation()), (Status::Sent, Some(after[0].id)));
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].last_message_id, message.message_id);
    });
}

#[test]
fn crash_between_claim_and_touch_of_the_conversation_hides_no_message() {
    in_each_kind(|world: &World| {
        let (_, tenant, message) = dies_at(world, UnknownOutcome::Fail, Call::Touch, Fate::CrashesBefore);
        assert_eq!(world.conversations(&tenant).len(), 0);
        assert_eq!(world.look(message).status(), Status::Sending, "it was claimed");
        world.run_for(MINUTE * 4);
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Dead, "nobody knows that it was never called");
        let after = world.conversations(&tenant);
        assert_eq!((after.len(), seen.conversation()), (1, Some(after[0].id)));
        assert_eq!((after[0].last_message_id, world.requests()), (message.message_id, 0));
    });
}

#[test]
fn a_message_whose_conversation_was_not_touched_is_not_called_for_and_goes_out_later() {
    in_each_kind(|world: &World| {
        let (_, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.wire.script(Call::Touch, Fate::FailsBefore);
        world.process();
        world.run_for(MINUTE + SECOND);
        let seen = world.look(message);
        let after = world.conversations(&tenant);
        assert_eq!((seen.status(), seen.conversation()), (Status::Sent, Some(after[0].id)));
        assert_eq!(
            (seen.attempts_counted(), world.requests()),
            (1, 1),
            "no attempt is charged"
        );
    });
}
