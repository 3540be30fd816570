//! The world itself does what its tests rely on.

use std::time::Duration;

use dakghar_core::domain::Status;
use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;

use super::meta::{Answer, Meta};
use super::wire::{Call, Fate};
use super::{Kind, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_message_goes_out_and_its_statuses_come_in() {
    for kind in [Kind::Embedded, Kind::Distributed] {
        let world = World::new(kind);
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let message = world.accept(&process, &tenant.id, "hello");
        world.run_for(SECOND);
        assert_eq!(world.look(message).status(), Status::Sent);

        let (request, answer) = world.meta.requests().pop().expect("a request");
        assert_eq!((request.key, answer), (message, Answer::Accepts));
        let report = Meta::report(&request, EvidenceStatus::Delivered);
        world.meta.post(&world, vec![WebhookPart::Status(report)]);
        world.run_for(SECOND);
        assert_eq!(world.look(message).status(), Status::Delivered);
    }
}

#[test]
fn a_process_dies_where_the_script_says_and_another_one_takes_over() {
    let world = World::new(Kind::Distributed);
    let (first, second) = (world.process(), world.process());
    let tenant = world.tenant(&first, UnknownOutcome::Resend);
    world.wire.script(Call::Claim, Fate::CrashesAfter);
    let message = world.accept(&first, &tenant.id, "hello");
    world.run_for(SECOND);
    assert_eq!(world.look(message).status(), Status::Sending);
    assert_eq!(world.meta.requests().len(), 0);
    assert_ne!(first.is_alive(), second.is_alive());

    world.run_for(Duration::from_secs(52));
    assert_eq!(world.look(message).status(), Status::InDoubt);
    world.run_for(Duration::from_secs(125));
    assert_eq!(world.look(message).status(), Status::Sent);
    assert_eq!(world.meta.requests().len(), 1);
}

#[test]
fn a_test_can_take_every_step_of_the_worker() {
    let world = World::new(Kind::Embedded);
    let process = world.idle_process();
    let tenant = world.tenant(&process, UnknownOutcome::Fail);
    let message = world.accept(&process, &tenant.id, "hello");
    world.meta.script(Answer::Refuses(131_026));
    let worker = process.clone();
    world.block_on(async move {
        let jobs = worker.take().await.expect("jobs");
        let prepared = worker.prepare(jobs).await.expect("prepared");
        for claimed in worker.claim(prepared.sends).await {
            let mut ended = worker.call(claimed).await;
            worker.record(&mut ended).await.expect("recorded");
        }
    });
    assert_eq!(world.look(message).status(), Status::Failed);
}

#[test]
fn a_frozen_process_does_not_call_when_its_lease_may_be_over() {
    let world = World::new(Kind::Distributed);
    let process = world.idle_process();
    let tenant = world.tenant(&process, UnknownOutcome::Fail);
    let message = world.accept(&process, &tenant.id, "hello");
    world.run_for(SECOND);
    let worker = process.clone();
    let claimed = world.block_on(async move {
        let jobs = worker.take().await.expect("jobs");
        let prepared = worker.prepare(jobs).await.expect("prepared");
        worker.claim(prepared.sends).await.pop().expect("claimed")
    });
    world.wire.executor.freeze(process.life(), Duration::from_secs(41));
    world.run_for(Duration::from_secs(41));
    let worker = process.clone();
    world.block_on(async move {
        let mut ended = worker.call(claimed).await;
        worker.record(&mut ended).await.expect("recorded");
    });
    assert_eq!(world.look(message).status(), Status::Queued);
    assert_eq!(world.meta.requests().len(), 0);
}

#[test]
fn a_queue_that_lost_everything_is_filled_again() {
    let world = World::new(Kind::Distributed);
    let process = world.idle_process();
    let tenant = world.tenant(&process, UnknownOutcome::Fail);
    let message = world.accept(&process, &tenant.id, "hello");
    world.wire.executor.settle();
    assert_eq!(world.redis.waiting(), [(message, 0)]);
    world.redis.lose_everything();
    assert_eq!(world.redis.waiting(), []);
    let refilled = world.block_on(async move { process.refill().await });
    assert_eq!(refilled, Ok(1));
    assert_eq!(world.redis.waiting(), [(message, 0)]);
}

#[test]
fn what_a_process_was_sending_is_taken_over_at_the_next_start() {
    let world = World::new(Kind::Embedded);
    let first = world.process();
    let tenant = world.tenant(&first, UnknownOutcome::Fail);
    world.wire.script(Call::Claim, Fate::CrashesAfter);
    let message = world.accept(&first, &tenant.id, "hello");
    world.run_for(SECOND);
    let second = world.idle_process();
    assert_eq!(world.block_on(async move { second.take_over_orphans().await }), Ok(()));
    assert_eq!(world.look(message).status(), Status::InDoubt);

    let third = world.idle_process();
    world.run_for(Duration::from_secs(121));
    assert_eq!(world.block_on(async move { third.reconcile().await }), Ok(1));
    assert_eq!(world.look(message).status(), Status::Dead);
    assert!(!world.wire.calls().contains(&Call::Enqueue), "the table is the queue");
}
