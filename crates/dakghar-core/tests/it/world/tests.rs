//! The world itself does what its tests rely on.

use std::time::Duration;

use dakghar_core::app::ClaimedSend;
use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{Actor, MessageKey, Status, TenantId};
use dakghar_core::ports::{Job, JobKey};

use super::meta::{Answer, Meta};
use super::process::{Process, Setup};
use super::wire::{Call, Fate};
use super::{Kind, World, body};

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

    world.run_for(Duration::from_secs(45 + 52));
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

const HOUR_MS: i64 = 3_600_000;

/// A message that this process has claimed, and that waits for its call.
fn claimed(world: &World, process: &Process, policy: UnknownOutcome) -> (MessageKey, ClaimedSend) {
    let tenant = world.tenant(process, policy);
    let message = world.accept(process, &tenant.id, "hello");
    world.run_for(SECOND);
    let worker = process.clone();
    let claimed = world.block_on(async move {
        let jobs = worker.take().await.expect("jobs");
        let prepared = worker.prepare(jobs).await.expect("prepared");
        worker.claim(prepared.sends).await.pop().expect("claimed")
    });
    (message, claimed)
}

#[test]
fn a_worker_whose_clock_is_set_back_does_not_call_when_its_lease_may_be_over() {
    let world = World::new(Kind::Distributed);
    let process = world.idle_process();
    let (message, claimed) = claimed(&world, &process, UnknownOutcome::Fail);
    world.promises.clocks_are_wrong();
    world.walls.set(process.life(), -HOUR_MS);
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
fn a_process_whose_clock_is_ahead_does_not_take_over_what_another_one_is_sending() {
    let world = World::new(Kind::Distributed);
    let first = world.idle_process();
    let (message, claimed) = claimed(&world, &first, UnknownOutcome::Resend);
    world.promises.clocks_are_wrong();
    let setup = world.setup();
    let second = Process::start_with_clock(&world, setup, HOUR_MS);
    world.run_for(Duration::from_secs(30));
    assert!(second.is_alive());
    assert_eq!(
        (world.look(message).status(), world.look(message).epoch()),
        (Status::Sending, 1)
    );
    world.block_on(async move {
        let mut ended = first.call(claimed).await;
        first.record(&mut ended).await.expect("recorded");
    });
    world.run_for(Duration::from_secs(600));
    assert_eq!(world.look(message).status(), Status::Sent);
    assert_eq!(world.meta.requests().len(), 1);
}

#[test]
fn what_a_process_was_sending_is_taken_over_also_if_it_was_killed_while_its_clock_was_ahead() {
    for kind in [Kind::Embedded, Kind::Distributed] {
        let world = World::new(kind);
        world.promises.clocks_are_wrong();
        let ahead = Process::start_with_clock(&world, world.setup(), 24 * HOUR_MS);
        let tenant = world.tenant(&ahead, UnknownOutcome::Fail);
        world.wire.script(Call::Claim, Fate::CrashesAfter);
        let message = world.accept(&ahead, &tenant.id, "hello");
        world.run_for(SECOND);
        assert_eq!(world.look(message).status(), Status::Sending);
        let _next = world.process();
        world.run_for(if kind == Kind::Embedded { SECOND } else { SECOND * 120 });
        assert_eq!(world.look(message).status(), Status::InDoubt, "{kind:?}");
        world.run_for(SECOND * 125);
        assert_eq!(world.look(message).status(), Status::Dead, "{kind:?}");
    }
}

#[test]
fn what_a_clock_ahead_has_scheduled_goes_out_after_the_next_start() {
    for kind in [Kind::Embedded, Kind::Distributed] {
        let world = World::new(kind);
        world.promises.clocks_are_wrong();
        let ahead = Process::start_with_clock(
            &world,
            Setup {
                works_by_itself: false,
                ..world.setup()
            },
            HOUR_MS,
        );
        let tenant = world.tenant(&ahead, UnknownOutcome::Fail);
        let old = world.accept(&ahead, &tenant.id, "old");
        world.run_for(SECOND);
        world.wire.executor.end_life(ahead.life());
        let next = world.process();
        let new = world.accept(&next, &tenant.id, "new");
        world.run_for(SECOND * 20);
        for message in [old, new] {
            assert_eq!(world.look(message).status(), Status::Sent, "{kind:?}");
        }
    }
}

/// A process whose clock is an hour ahead, and the last of many messages that it accepted, whose slot is a while later.
fn accepted_ahead(world: &World) -> (Process, TenantId, MessageKey) {
    world.promises.clocks_are_wrong();
    let idle = Setup {
        works_by_itself: false,
        ..world.setup()
    };
    let ahead = Process::start_with_clock(world, idle, HOUR_MS);
    let tenant = world.tenant(&ahead, UnknownOutcome::Fail).id;
    let accepted: Vec<MessageKey> = (0..200).map(|_| world.accept(&ahead, &tenant, "hello")).collect();
    (ahead, tenant, accepted[199])
}

/// Has the process prepare this message only. Nothing may come of it.
fn prepare(world: &World, process: &Process, message: MessageKey) {
    let (job, _finished) = Job::new(JobKey::Send(message), world.look(message).drive());
    let process = process.clone();
    let sends = world.block_on(async move { process.prepare(vec![job]).await.map(|prepared| prepared.sends.len()) });
    assert_eq!(sends, Ok(0));
}

fn slot_is_near(world: &World, message: MessageKey) -> bool {
    let slot_at = world.look(message).slot_at();
    slot_at.is_some_and(|slot_at| slot_at <= world.now() + SECOND * 10)
}

/// Its job comes before anybody has looked for what was written ahead.
#[test]
fn a_message_of_a_clock_ahead_is_brought_back_when_its_job_comes_first() {
    let world = World::new(Kind::Distributed);
    let (ahead, _, message) = accepted_ahead(&world);
    world.wire.executor.end_life(ahead.life());
    prepare(&world, &world.idle_process(), message);
    assert!(slot_is_near(&world, message), "{:?}", world.look(message));
}

/// Its timer is set by somebody before anybody has looked for what was written ahead.
#[test]
fn a_message_of_a_clock_ahead_is_brought_back_when_its_timer_comes_first() {
    let world = World::new(Kind::Distributed);
    let (ahead, tenant, message) = accepted_ahead(&world);
    let pausing = ahead.clone();
    let paused = world.block_on(async move { pausing.pause(&tenant, None, Actor::Tenant).await });
    assert_eq!(paused, Ok(()));
    prepare(&world, &ahead, message);
    assert_eq!(world.look(message).status(), Status::Held);
    world.wire.executor.end_life(ahead.life());
    let next = world.idle_process();
    world.block_on(async move {
        next.resume(&tenant, None, Actor::Tenant).await.expect("resumed");
        for _ in 0..2 {
            next.reconcile().await.expect("reconciled");
        }
    });
    assert_eq!(world.look(message).status(), Status::Queued);
    assert!(slot_is_near(&world, message), "{:?}", world.look(message));
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    for kind in [Kind::Embedded, Kind::Distributed] {
        let world = World::new(kind);
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.promises.clocks_are_wrong();
        for back in [1, 60, 24 * 60] {
            world.walls.set(process.life(), -back * HOUR_MS / 60);
            let message = world.accept(&process, &tenant.id, "hello");
            world.run_for(SECOND * 3);
            assert_eq!(world.look(message).status(), Status::Sent, "{kind:?} {back}");
        }
    }
}

#[test]
fn a_message_for_later_does_not_reserve_the_time_until_then_when_its_hold_ends() {
    let world = World::new(Kind::Embedded);
    let process = world.process();
    let tenant = world.tenant(&process, UnknownOutcome::Fail);
    let (pausing, tenant_id) = (process.clone(), tenant.id);
    let paused = world.block_on(async move { pausing.pause(&tenant_id, None, Actor::Tenant).await });
    assert_eq!(paused, Ok(()));
    let send_at = world.now() + Duration::from_hours(5);
    let (sending, text) = (process.clone(), body("later", &format!(r#","sendAt":"{send_at}""#)));
    world
        .block_on(async move { sending.accept(&tenant_id, &text, None).await })
        .expect("accepted");
    let resuming = process.clone();
    let resumed = world.block_on(async move { resuming.resume(&tenant_id, None, Actor::Tenant).await });
    assert_eq!(resumed, Ok(()));
    world.run_for(SECOND * 10);
    let message = world.accept(&process, &tenant.id, "now");
    world.run_for(SECOND * 3);
    assert_eq!(world.look(message).status(), Status::Sent);
}
