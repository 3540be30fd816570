//! Crashes while a message is accepted.

use std::time::Duration;

use dakghar_core::app::Outcome;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{ErrorCode, Status};
use dakghar_core::ports::Pacer as _;

use super::only_message;
use crate::steps::{MINUTE, SECOND, almost, code, in_each_kind, in_world, large_body, number};
use crate::world::ports::at_once;
use crate::world::process::Process;
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

/// One insert and all its repetitions.
const INSERTS: usize = 4;

/// The next inserts end like this.
fn inserts_end(world: &World, fate: Fate, count: usize) {
    for _ in 0..count {
        world.wire.script(Call::Accept, fate);
    }
}

/// How many inserts there were.
fn inserts(world: &World) -> usize {
    world.wire.calls().iter().filter(|call| **call == Call::Accept).count()
}

/// What became of so many inserts that were not confirmed.
fn repeated(process: &Process, result: &str) -> String {
    let text = process.exported();
    let start = format!("dakghar_inserts_repeated_total{{result=\"{result}\"}} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&start));
    found.expect("the series").to_owned()
}

#[test]
fn an_insert_without_an_answer_is_repeated_and_its_client_is_told_of_one_message() {
    use Fate::{FailsAfter, FailsBefore};
    for fates in [
        &[FailsBefore][..],
        &[FailsAfter],
        &[FailsAfter, FailsBefore, FailsAfter],
        &[FailsBefore, FailsBefore, FailsBefore],
    ] {
        in_each_kind(|world: &World| {
            let process = world.process();
            let tenant = world.tenant(&process, UnknownOutcome::Fail);
            for fate in fates {
                world.wire.script(Call::Accept, *fate);
            }
            let message = world.accept(&process, &tenant.id, "hello");
            assert_eq!(inserts(world), fates.len() + 1);
            assert_eq!(only_message(world), message);
            world.run_for(MINUTE * 2);
            assert_eq!(world.look(message).status(), Status::Sent);
            assert_eq!(world.requests(), 1);
            assert_eq!(repeated(&process, "stored"), "1");
        });
    }
}

#[test]
fn a_client_whose_insert_stays_without_an_answer_is_told_so_within_seconds() {
    in_world(Kind::Distributed, |world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        inserts_end(world, Fate::FailsBefore, 1);
        // For up to two minutes each.
        inserts_end(world, Fate::HangsAfter, INSERTS - 1);
        let begun = world.now();
        let (accepting, id) = (process.clone(), tenant.id);
        let answer = world.step(async move { accepting.accept(&id, &body("hello", ""), None).await });
        assert_eq!(code(&answer), Some(ErrorCode::StoreUnavailable));
        assert!(world.now().since(begun) <= SECOND * 5, "{:?}", world.now().since(begun));
        world.run_for(MINUTE * 3);
        assert_eq!(world.look(only_message(world)).status(), Status::Cancelled);
        assert_eq!(world.requests(), 0);
    });
}

#[test]
fn messages_of_a_bulk_without_an_answer_are_repeated_as_one_commit() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.wire.script(Call::Accept, Fate::FailsPartly);
        let bodies: Vec<String> = (0..50).map(|n| body(&format!("hello {n}"), "")).collect();
        let (accepting, id) = (process.clone(), tenant.id);
        let results = world.step(async move { accepting.accept_bulk(&id, &bodies).await });
        let results = results.expect("carried out");
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 50);
        assert_eq!(inserts(world), 2, "what was confirmed is not repeated");
        world.run_for(MINUTE * 2);
        let messages = world.promises.all(&world.store);
        assert_eq!((messages.len(), world.requests()), (50, 50));
        assert!(messages.iter().all(|message| message.status() == Status::Sent));
    });
}

#[test]
fn a_client_that_hangs_up_while_its_insert_is_repeated_changes_nothing() {
    let hang_up = |world: &World, process: &Process| {
        let tenant = world.tenant(process, UnknownOutcome::Fail);
        let client = world.wire.executor.begin_life();
        let (accepting, id) = (process.clone(), tenant.id);
        world.wire.executor.spawn(client, async move {
            let _ = accepting.accept(&id, &body("hello", ""), None).await;
        });
        world.run_for(Duration::from_millis(100));
        assert_eq!(inserts(world), 1);
        world.wire.executor.end_life(client);
        world.run_for(MINUTE * 2);
        world.look(only_message(world)).status()
    };
    in_each_kind(|world: &World| {
        let process = world.process();
        inserts_end(world, Fate::FailsBefore, 1);
        assert_eq!(hang_up(world, &process), Status::Sent);
        assert_eq!((inserts(world), world.requests()), (2, 1));
    });
    in_world(Kind::Distributed, |world: &World| {
        let process = world.process();
        inserts_end(world, Fate::FailsAfter, INSERTS);
        assert_eq!(hang_up(world, &process), Status::Cancelled);
        assert_eq!((inserts(world), world.requests()), (INSERTS, 0));
    });
}

#[test]
fn crash_between_an_insert_without_an_answer_and_its_repetition_is_healed_by_the_timer() {
    for fate in [Fate::CrashesBefore, Fate::CrashesAfter] {
        in_world(Kind::Distributed, |world: &World| {
            let (process, other) = (world.idle_process(), world.process());
            let tenant = world.tenant(&other, UnknownOutcome::Fail);
            world.wire.script(Call::Accept, Fate::FailsAfter);
            world.wire.script(Call::Accept, fate);
            let (accepting, id) = (process.clone(), tenant.id);
            let _never = world.wire.executor.ask(process.life(), async move {
                accepting.accept(&id, &body("hello", ""), None).await
            });
            world.run_for(SECOND * 2);
            assert!(!process.is_alive());
            let message = only_message(world);
            assert_eq!((world.look(message).status(), world.requests()), (Status::Queued, 0));
            world.run_for(MINUTE * 2);
            assert_eq!((world.look(message).status(), world.requests()), (Status::Sent, 1));
        });
    }
}

#[test]
fn more_than_may_wait_for_a_repetition_is_refused_at_once() {
    in_world(Kind::Distributed, |world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let large: Vec<String> = (0..9).map(|_| large_body("")).collect();
        let (accepting, id) = (process.clone(), tenant.id);
        inserts_end(world, Fate::FailsBefore, 1);
        let begun = world.now();
        // Nine megabytes, and eight may wait.
        let results = world.step(async move { accepting.accept_bulk(&id, &large).await });
        let results = results.expect("carried out");
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        assert!((1..9).contains(&accepted), "{accepted}");
        assert!(world.now().since(begun) < SECOND * 2, "after the first repetition");
        assert_eq!(repeated(&process, "stored"), accepted.to_string());
        assert_eq!(repeated(&process, "not_repeated"), (9 - accepted).to_string());
        assert_eq!(world.promises.all(&world.store).len(), accepted);
    });
}

#[test]
fn who_waits_for_metas_answer_is_told_of_an_error_only_if_nothing_is_sent() {
    in_world(Kind::Distributed, |world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let ask = || {
            let (process, id) = (process.clone(), tenant.id);
            world.step(async move { process.accept_and_wait(&id, &body("hello", "")).await })
        };
        inserts_end(world, Fate::FailsAfter, INSERTS - 1);
        let (accepted, outcome) = ask().expect("accepted by the last repetition");
        assert!(matches!(outcome, Some(Outcome::Taken { .. })), "{outcome:?}");
        assert_eq!(
            (accepted.message_id, world.requests()),
            (only_message(world).message_id, 1)
        );

        inserts_end(world, Fate::FailsAfter, INSERTS);
        assert_eq!(code(&ask()), Some(ErrorCode::StoreUnavailable));
        world.run_for(MINUTE * 2);
        let messages = world.promises.all(&world.store);
        let of = |status: Status| messages.iter().filter(|message| message.status() == status).count();
        assert_eq!((of(Status::Sent), of(Status::Cancelled)), (1, 1));
        assert_eq!(world.requests(), 1, "a repetition by the client would be the only one");
        assert_eq!(repeated(&process, "unconfirmed"), "1");
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
        inserts_end(world, Fate::FailsAfter, INSERTS);
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
        inserts_end(world, Fate::FailsAfter, INSERTS);
        assert!(code(&accept()).is_some());
        let retried = accept().expect("accepted");
        assert_eq!(retried.message_id, only_message(world).message_id);
        assert!(retried.duplicate);
        world.run_for(MINUTE * 2);
        assert_eq!(world.requests(), 1);
    });
}
