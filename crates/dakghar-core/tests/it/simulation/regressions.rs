//! What the simulation found, each as the few steps that it came down to.

use std::time::Duration;

use dakghar_core::domain::Status;
use dakghar_core::domain::message::UnknownOutcome;

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
