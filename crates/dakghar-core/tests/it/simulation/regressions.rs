//! What the simulation found, each as the few steps that it came down to.

use std::time::Duration;

use dakghar_core::app::ClaimedSend;
use dakghar_core::domain::Status;
use dakghar_core::domain::message::{TimelineEvent, UnknownOutcome};

use crate::world::process::Process;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World, body};

/// A worker found a message expired, and a client cancelled it before that was stored. The job ended as the one of an
/// expired message.
#[test]
fn the_job_of_a_message_that_was_cancelled_meanwhile_does_not_end_as_expired() {
    let world = World::new(Kind::Distributed);
    let (worker, gateway) = (world.idle_process(), world.idle_process());
    let tenant = world.tenant(&worker, UnknownOutcome::Fail).id;
    let expires_at = world.wire.executor.now() + Duration::from_secs(1);
    let request = body("hello", &format!(r#","expiresAt":"{expires_at}""#));
    let client = gateway.clone();
    let accepted = world.block_on(async move { client.accept(&tenant, &request, None).await });
    let id = accepted.expect("accepted").message_id.to_string();
    world.run_for(Duration::from_secs(2));

    world.wire.script(Call::Pace, Fate::FreezesAfter);
    let (life, worker) = (worker.life(), worker.clone());
    let working = world.wire.executor.ask(life, async move {
        let jobs = worker.take().await.expect("jobs");
        worker.prepare(jobs).await.expect("prepared").sends.len()
    });
    world.wire.executor.settle();
    let cancelled = world.block_on(async move { gateway.cancel(&tenant, &id).await });
    assert_eq!(cancelled.expect("cancelled").status(), Status::Cancelled);
    world.wire.executor.thaw(life);
    assert_eq!(world.block_on(working), Ok(0));
    world.run_for(Duration::from_secs(1));
}

/// A worker was told that Meta has the message when another one had already claimed it again, and the store failed while
/// it kept that as evidence. Asked once more, it recorded the outcome of its own call as the one of the other's.
#[test]
fn a_worker_that_was_fenced_stays_so_when_the_store_fails() {
    let world = World::new(Kind::Distributed);
    let (first, second) = (world.idle_process(), world.idle_process());
    let tenant = world.tenant(&first, UnknownOutcome::Resend).id;
    let message = world.accept(&first, &tenant, "hello");
    world.run_for(Duration::from_secs(1));
    let claimed = world.block_on(claim(first.clone()));
    let mut ended = world.block_on({
        let first = first.clone();
        async move { first.call(claimed).await }
    });
    // The second process sees the lease when it seems to be over, and watches it for its length.
    for seconds in [51, 46, 121] {
        world.run_for(Duration::from_secs(seconds));
        let second = second.clone();
        assert_eq!(world.block_on(async move { second.reconcile().await }), Ok(1));
    }
    world.run_for(Duration::from_secs(1));
    let again = world.block_on(claim(second));
    assert_eq!(world.look(message).attempt(), 2);

    world.wire.script(Call::Load, Fate::Works);
    world.wire.script(Call::Load, Fate::FailsBefore);
    let results = world.block_on(async move { [first.record(&mut ended).await, first.record(&mut ended).await] });
    assert!(results[0].is_err());
    assert_eq!(results[1], Ok(()));
    let last = world.look(message).timeline().last().cloned().expect("an entry");
    assert_eq!((last.event, last.attempt), (TimelineEvent::Status, Some(1)));
    drop(again);
    world.run_for(Duration::from_secs(1));
}

/// Takes the steps of a worker up to the claim of one message.
async fn claim(worker: Process) -> ClaimedSend {
    let jobs = worker.take().await.expect("jobs");
    let prepared = worker.prepare(jobs).await.expect("prepared");
    worker.claim(prepared.sends).await.pop().expect("claimed")
}
