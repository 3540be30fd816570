//! Crashes while a message is accepted.

use dakghar_core::domain::Status;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::ports::Pacer as _;

use super::only_message;
use crate::steps::{MINUTE, SECOND, almost, code, in_each_kind, in_world, number};
use crate::world::ports::at_once;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World, body};

#[test]
fn crash_between_slot_and_insert_leaves_an_unused_slot_and_nothing_to_heal() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        // A backlog, of which the process learns by the first message.
        let backlog_until = world.now() + SECOND * 30;
        at_once(world.pacer.pause_until(&number(&tenant), world.now(), backlog_until));
        world.accept(&process, &tenant.id, "first");
        world.wire.executor.settle();
        let paced = || world.wire.calls().iter().filter(|call| **call == Call::Pace).count();
        let paced_before = paced();
        world.wire.script(Call::Accept, Fate::CrashesBefore);
        let id = tenant.id;
        world.dies_of(&process, |process| async move {
            process.accept(&id, &body("lost", ""), None).await
        });
        assert_eq!(paced(), paced_before + 1, "its slot was reserved before");
        only_message(world);

        let next = world.process();
        let message = world.accept(&next, &tenant.id, "next");
        world.run_for(SECOND * 29);
        assert_eq!(world.requests(), 0);
        world.run_for(SECOND * 2);
        assert_eq!(world.requests(), 2, "nobody waits for the unused slot");
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn crash_between_insert_and_slot_is_healed_by_the_timer() {
    in_world(Kind::Distributed, |world: &World| {
        heals_what_is_in_no_queue(world, Call::Accept, Fate::CrashesAfter);
        let calls = world.wire.calls();
        let before = calls.iter().take_while(|call| **call != Call::Accept);
        let paced = before.filter(|call| **call == Call::Pace).count();
        assert_eq!(paced, 1, "the registration's; no slot was reserved before");
    });
}

#[test]
fn crash_between_slot_and_queue_is_healed_by_the_timer() {
    in_world(Kind::Distributed, |world: &World| {
        heals_what_is_in_no_queue(world, Call::Enqueue, Fate::CrashesBefore);
    });
}

/// A message is stored and in no queue: its timer brings it back, a minute after its slot.
fn heals_what_is_in_no_queue(world: &World, call: Call, fate: Fate) {
    let (process, other) = (world.idle_process(), world.process());
    let tenant = world.tenant(&process, UnknownOutcome::Fail);
    world.wire.script(call, fate);
    let id = tenant.id;
    // It may be answered: the answer needs neither slot nor queue.
    let _answered = world.wire.executor.ask(process.life(), async move {
        process.accept(&id, &body("hello", ""), None).await
    });
    world.run_for(SECOND);
    let message = only_message(world);
    let seen = world.look(message);
    assert_eq!((seen.status(), seen.drive()), (Status::Queued, 0));
    assert!(world.redis.waiting().is_empty());
    assert!(other.is_alive());

    world.run_for(almost(almost(MINUTE)));
    assert_eq!(world.requests(), 0);
    world.run_for(SECOND * 2);
    let seen = world.look(message);
    assert_eq!((seen.status(), seen.drive()), (Status::Sent, 1), "under a new job name");
    assert_eq!(world.requests(), 1);
}

#[test]
fn crash_after_insert_is_healed_by_the_table_that_is_the_queue() {
    in_world(Kind::Embedded, |world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.wire.script(Call::Accept, Fate::CrashesAfter);
        let id = tenant.id;
        world.dies_of(&process, |process| async move {
            process.accept(&id, &body("hello", ""), None).await
        });
        let message = only_message(world);
        assert_eq!(world.look(message).status(), Status::Queued);

        world.process();
        world.run_for(SECOND);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.drive()), (Status::Sent, 0), "without any timer");
    });
}

#[test]
fn crash_between_insert_and_202_is_healed_by_the_retry_under_the_same_key() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.wire.script(Call::Accept, Fate::CrashesAfter);
        let id = tenant.id;
        world.dies_of(&process, |process| async move {
            process.accept(&id, &body("hello", ""), Some("order-1")).await
        });
        let message = only_message(world);

        let next = world.process();
        let (retry, conflict) = (next.clone(), next.clone());
        let retried = world.step(async move { retry.accept(&id, &body("hello", ""), Some("order-1")).await });
        let retried = retried.expect("accepted");
        assert_eq!((retried.message_id, retried.duplicate), (message.message_id, true));
        let other = world.step(async move { conflict.accept(&id, &body("other", ""), Some("order-1")).await });
        assert!(code(&other).is_some(), "the key is that of another message");
        world.run_for(MINUTE * 2);
        assert_eq!(only_message(world), message);
        assert_eq!(world.requests(), 1);
    });
}

#[test]
fn an_insert_that_looks_failed_is_taken_back_if_nobody_can_find_it_again() {
    in_world(Kind::Distributed, |world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let accept = || {
            let (process, id) = (process.clone(), tenant.id);
            world.step(async move { process.accept(&id, &body("hello", ""), None).await })
        };
        world.wire.script(Call::Accept, Fate::FailsAfter);
        assert!(code(&accept()).is_some());
        let first = only_message(world);
        let again = accept().expect("accepted");
        assert_ne!(again.message_id, first.message_id);
        world.run_for(MINUTE * 2);
        assert_eq!(world.look(first).status(), Status::Cancelled);
        assert_eq!(world.requests(), 1, "the client sent it once more");
    });
}

#[test]
fn an_insert_that_looks_failed_is_healed_by_the_retry_under_the_same_key() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let accept = || {
            let (process, id) = (process.clone(), tenant.id);
            world.step(async move { process.accept(&id, &body("hello", ""), Some("order-1")).await })
        };
        world.wire.script(Call::Accept, Fate::FailsAfter);
        assert!(code(&accept()).is_some());
        let retried = accept().expect("accepted");
        assert_eq!(retried.message_id, only_message(world).message_id);
        assert!(retried.duplicate);
        world.run_for(MINUTE * 2);
        assert_eq!(world.requests(), 1);
    });
}
