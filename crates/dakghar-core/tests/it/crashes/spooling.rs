//! Crashes of a worker that was told an outcome while the store was away.

use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::{MessageKey, Status, Tenant};
use dakghar_core::ports::Erasure as _;

use crate::steps::{GRACE, LEASE, LEASE_MARGIN, MINUTE, REFUSED, RETRIED, SECOND, in_world};
use crate::world::meta::{Answer, Meta};
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

/// Tells the same story in a world with a spool.
fn in_a_world(story: impl Fn(&World)) {
    in_world(Kind::Distributed, story);
}

/// A worker is told an outcome that the store does not take. It keeps it, and dies.
fn kept(world: &World, policy: UnknownOutcome, answer: Answer) -> (Tenant, MessageKey) {
    let (process, tenant, message) = world.queued(policy);
    world.meta.script(answer);
    let claimed = world.claim(&process);
    let mut ended = world.call(&process, claimed);
    world.wire.script(Call::Save, Fate::FailsBefore);
    let worker = process.clone();
    let is_kept = world.step(async move {
        assert!(worker.record(&mut ended).await.is_err(), "the store is away");
        worker.spool(&ended).await
    });
    assert!(is_kept);
    process.dies();
    assert_eq!(world.look(message).status(), Status::Sending);
    (tenant, message)
}

/// Somebody starts and stores what was left behind.
fn replayed(world: &World) -> (Process, usize) {
    let process = world.idle_process();
    let replaying = process.clone();
    let count = world.step(async move { replaying.replay().await }).expect("replayed");
    (process, count)
}

/// What is on the disk of the machine.
fn on_disk(world: &World) -> usize {
    let parts = world.disk.parts();
    parts.iter().map(|part| world.disk.read(part).len()).sum()
}

#[test]
fn crash_between_keeping_an_outcome_and_storing_it_is_healed_by_the_spool() {
    in_a_world(|world: &World| {
        let (_, message) = kept(world, UnknownOutcome::Resend, Answer::Accepts);
        assert_eq!(on_disk(world), 1);
        let (_, count) = replayed(world);
        let seen = world.look(message);
        assert_eq!((count, seen.status(), seen.epoch()), (1, Status::Sent, 1));
        assert_eq!(seen.wamid(), Some(&Meta::wamid(message, 1)));
        assert_eq!(on_disk(world), 0, "and forgotten");
        world.process();
        world.run_for(LEASE * 2 + LEASE_MARGIN + GRACE + SECOND);
        assert_eq!((world.look(message), world.requests()), (seen, 1));
    });
}

#[test]
fn crash_before_an_outcome_is_kept_leaves_the_doubt_to_its_rules() {
    for fate in [Fate::FailsBefore, Fate::CrashesBefore] {
        in_a_world(|world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Fail);
            let claimed = world.claim(&process);
            let ended = world.call(&process, claimed);
            world.wire.script(Call::Spool, fate);
            let worker = process.clone();
            let mut asked = world
                .wire
                .executor
                .ask(process.life(), async move { worker.spool(&ended).await });
            world.wire.executor.settle();
            if fate == Fate::FailsBefore {
                assert_eq!(asked.try_recv(), Ok(Some(false)), "it is not kept");
            }
            process.dies();
            let (_, count) = replayed(world);
            assert_eq!((count, world.look(message).status()), (0, Status::Sending));
        });
    }
}

#[test]
fn crash_between_storing_what_was_left_behind_and_forgetting_it_stores_it_again_and_changes_nothing() {
    for answer in [
        Answer::Accepts,
        Answer::Refuses(REFUSED),
        Answer::Refuses(RETRIED),
        Answer::Unreachable,
    ] {
        in_a_world(|world: &World| {
            let (_, message) = kept(world, UnknownOutcome::Resend, answer);
            let process = world.idle_process();
            // Of the calls of a replay the fourth forgets: it lists, reads, loads and saves before.
            world.wire.script(Call::Spool, Fate::Works);
            world.wire.script(Call::Spool, Fate::Works);
            world.wire.script(Call::Spool, Fate::CrashesBefore);
            world.dies_of(&process, |process| async move { process.replay().await });
            let seen = world.look(message);
            assert_ne!(seen.status(), Status::Sending, "{answer:?}");
            assert_eq!(on_disk(world), 1);
            let (_, count) = replayed(world);
            assert_eq!((count, world.look(message)), (1, seen), "{answer:?}");
            assert_eq!(on_disk(world), 0);
        });
    }
}

#[test]
fn crash_between_storing_a_kept_outcome_live_and_forgetting_it_changes_nothing() {
    in_a_world(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let claimed = world.claim(&process);
        let mut ended = world.call(&process, claimed);
        let worker = process.clone();
        world.step(async move {
            assert!(worker.spool(&ended).await);
            worker.record(&mut ended).await.expect("the store is back");
        });
        process.dies();
        let seen = world.look(message);
        assert_eq!((seen.status(), on_disk(world)), (Status::Sent, 1));
        let (_, count) = replayed(world);
        assert_eq!((count, world.look(message)), (1, seen));
    });
}

/// Time enough for somebody else to take the message over, and for that one's policy.
fn taken_over(world: &World) -> Process {
    let other = world.process();
    world.run_for(LEASE * 2 + LEASE_MARGIN + SECOND * 2);
    other
}

#[test]
fn a_wamid_that_was_left_behind_settles_the_doubt_of_another_process() {
    in_a_world(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Resend);
        let claimed = world.claim(&process);
        let ended = world.call(&process, claimed);
        // Another machine takes it over: it does not see this disk.
        let worker = process.clone();
        assert!(world.step(async move { worker.spool(&ended).await }));
        let other = taken_over_elsewhere(world);
        assert_eq!(
            (world.look(message).status(), world.look(message).epoch()),
            (Status::InDoubt, 2)
        );
        process.dies();
        let (_, count) = replayed(world);
        let seen = world.look(message);
        assert_eq!((count, seen.status()), (1, Status::Sent));
        assert_eq!(seen.wamid(), Some(&Meta::wamid(message, 1)));
        other.dies();
        world.process();
        world.run_for(GRACE + MINUTE);
        assert_eq!(world.requests(), 1, "it is not sent again, whatever the policy");
    });
}

/// Takes over while the worker that keeps the outcome still lives, so that nothing is left behind.
fn taken_over_elsewhere(world: &World) -> Process {
    let other = world.idle_process();
    for wait in [LEASE + LEASE_MARGIN, LEASE] {
        world.reconcile_after(&other, wait + SECOND);
    }
    other
}

#[test]
fn a_refusal_that_was_left_behind_moves_no_message_that_was_claimed_again() {
    for answer in [Answer::Refuses(RETRIED), Answer::Refuses(REFUSED), Answer::Unreachable] {
        in_a_world(|world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Resend);
            world.meta.script(answer);
            let claimed = world.claim(&process);
            let ended = world.call(&process, claimed);
            let worker = process.clone();
            assert!(world.step(async move { worker.spool(&ended).await }));
            let other = taken_over_elsewhere(world);
            // After the grace it is sent again, and that call is under way when the old answer is replayed.
            world.reconcile_after(&other, GRACE + SECOND);
            world.run_for(SECOND * 2);
            let claimed = world.claim(&other);
            process.dies();
            let before = world.look(message);
            assert_eq!((before.status(), before.attempt()), (Status::Sending, 2), "{answer:?}");
            let (_, count) = replayed(world);
            assert_eq!((count, world.look(message)), (1, before), "{answer:?}");
            let ended = world.call(&other, claimed);
            world.record(&other, ended);
            assert_eq!(world.look(message).status(), Status::Sent);
        });
    }
}

#[test]
fn a_refusal_that_was_left_behind_is_worth_as_much_as_a_live_one() {
    for (answer, status) in [
        (Answer::Refuses(REFUSED), Status::Failed),
        (Answer::Refuses(RETRIED), Status::Queued),
        (Answer::Unreachable, Status::Queued),
        (Answer::Refuses(131_031), Status::Held),
    ] {
        in_a_world(|world: &World| {
            let (_, message) = kept(world, UnknownOutcome::Fail, answer);
            let (_, count) = replayed(world);
            assert_eq!((count, world.look(message).status()), (1, status), "{answer:?}");
            if status == Status::Queued {
                world.process();
                world.run_for(MINUTE * 2);
                let seen = world.look(message);
                assert_eq!((seen.status(), seen.attempt()), (Status::Sent, 2), "{answer:?}");
            }
        });
    }
}

#[test]
fn what_was_left_behind_about_an_erased_message_is_forgotten() {
    in_a_world(|world: &World| {
        let (tenant, _) = kept(world, UnknownOutcome::Fail, Answer::Accepts);
        at_once(world.store.erase(&tenant.id, 9)).expect("erased");
        let (_, count) = replayed(world);
        assert_eq!((count, on_disk(world)), (1, 0));
    });
}

#[test]
fn while_the_store_is_away_nothing_that_was_left_behind_is_forgotten() {
    in_a_world(|world: &World| {
        let (_, message) = kept(world, UnknownOutcome::Fail, Answer::Accepts);
        for call in [Call::Load, Call::Save] {
            let process = world.idle_process();
            world.wire.script(call, Fate::FailsBefore);
            let replaying = process.clone();
            assert!(world.step(async move { replaying.replay().await }).is_err(), "{call:?}");
            assert_eq!((world.look(message).status(), on_disk(world)), (Status::Sending, 1));
        }
        // By itself, without a restart, once the store is back.
        world.process();
        world.run_for(SECOND * 11);
        assert_eq!((world.look(message).status(), on_disk(world)), (Status::Sent, 0));
    });
}

#[test]
fn what_was_left_behind_about_an_unreadable_message_stays_until_it_can_be_read() {
    in_a_world(|world: &World| {
        let (_, message) = kept(world, UnknownOutcome::Fail, Answer::Accepts);
        world.unreadable_messages.lock().insert(message);
        for _ in 0..2 {
            replayed(world);
            assert_eq!((world.look(message).status(), on_disk(world)), (Status::Sending, 1));
        }
        world.unreadable_messages.lock().clear();
        replayed(world);
        assert_eq!((world.look(message).status(), on_disk(world)), (Status::Sent, 0));
    });
}

#[test]
fn a_status_that_comes_before_the_replay_is_not_undone_by_it() {
    in_a_world(|world: &World| {
        let (_, message) = kept(world, UnknownOutcome::Fail, Answer::Accepts);
        let other = world.idle_process();
        world.report(&other, &world.request(), EvidenceStatus::Delivered);
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Delivered);
        replayed(world);
        assert_eq!(world.look(message), seen);
    });
}

#[test]
fn a_worker_keeps_what_the_store_does_not_take_in_time_and_forgets_it_afterwards() {
    in_a_world(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        // The first save of the outcome hangs for up to two minutes, and its effect never comes.
        world.wire.script(Call::Save, Fate::HangsBefore);
        let message = world.accept(&process, &tenant.id, "hello");
        world.run_for(SECOND * 2);
        assert_eq!((world.look(message).status(), on_disk(world)), (Status::Sending, 1));
        process.dies();
        world.process();
        world.run_for(SECOND * 2);
        assert_eq!((world.look(message).status(), on_disk(world)), (Status::Sent, 0));

        let next = world.accept(&world.process(), &tenant.id, "again");
        world.run_for(SECOND * 2);
        assert_eq!((world.look(next).status(), on_disk(world)), (Status::Sent, 0));
        assert_eq!(world.requests(), 2);
    });
}

#[test]
fn a_process_that_lives_stores_what_it_keeps_by_itself_and_nobody_replays_it() {
    in_a_world(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let claimed = world.claim(&process);
        let ended = world.call(&process, claimed);
        let worker = process.clone();
        assert!(world.step(async move { worker.spool(&ended).await }));
        let (_, count) = replayed(world);
        assert_eq!((count, world.look(message).status()), (0, Status::Sending));
        let _other = taken_over(world);
    });
}
