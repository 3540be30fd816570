//! Who delivers to an endpoint while processes come and go: never two of those who are quick enough to know each other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{Callbacks, EndpointsChanged};
use dakghar_core::domain::EndpointId;
use futures_util::FutureExt as _;

use super::*;
use crate::world::random::Random;

/// Tenants with an endpoint each.
const TENANTS: usize = 12;
/// The longest wait between two steps of a process.
const STEP_MAX: usize = 250;

/// A process that gives places and delivers.
struct Owner {
    process: Process,
    callbacks: Arc<Callbacks>,
    /// When it takes its next step.
    steps_at: Duration,
}

impl Owner {
    fn start(world: &World) -> Self {
        let process = world.idle_process();
        let callbacks = process.callbacks(Arc::new(Places));
        let steps_at = callbacks.uptime();
        Self {
            process,
            callbacks,
            steps_at,
        }
    }

    fn step(&mut self, world: &World, random: &mut Random) {
        let (process, now) = (self.process.clone(), self.callbacks.uptime());
        if self.steps_at <= now {
            self.steps_at = now + Duration::from_millis(random.below(STEP_MAX) as u64);
            world.step(async move { process.sequence().await });
        }
    }

    /// The news of endpoints that it got since this was last asked.
    fn changed(&self, world: &World) -> Option<EndpointsChanged> {
        let callbacks = self.callbacks.clone();
        world.step(async move { callbacks.changed().now_or_never() })
    }

    fn endpoints(&self, world: &World) -> BTreeSet<EndpointId> {
        let callbacks = self.callbacks.clone();
        let found = world.step(async move { callbacks.endpoints().await });
        found.expect("no outage").into_keys().collect()
    }
}

/// Lets time go on, and looks all the while that no endpoint has two owners.
fn go_on(world: &World, owners: &mut [Owner], random: &mut Random, pieces: u32, what: &str) {
    for _ in 0..pieces {
        for owner in &mut *owners {
            owner.step(world, random);
        }
        let owned: Vec<_> = owners.iter().map(|owner| owner.endpoints(world)).collect();
        let all: BTreeSet<_> = owned.iter().flatten().collect();
        let sum: usize = owned.iter().map(BTreeSet::len).sum();
        assert_eq!(all.len(), sum, "{what}: two deliver to the same endpoint: {owned:?}");
        world.run_for(Duration::from_millis(50));
    }
}

fn owned(world: &World, owners: &[Owner]) -> usize {
    owners.iter().map(|owner| owner.endpoints(world).len()).sum()
}

#[test]
fn who_begins_beside_others_delivers_nothing_that_another_one_does() {
    for seed in 0..20 {
        let world = World::of_seed(Kind::Distributed, seed, false);
        let mut random = Random::new(seed);
        let operator = world.idle_process();
        for number in 0..TENANTS {
            let number = format!("{number}");
            let tenant = world.tenant_with(&operator, &number, &format!("token-{number}"), UnknownOutcome::Fail);
            let endpoint = Endpoint {
                url: URL.to_owned(),
                ..samples::endpoint(tenant.id)
            };
            assert_eq!(
                at_once(world.store.insert_endpoint(&endpoint)),
                Ok(EndpointInserted::Done)
            );
        }

        // Both begin together, or nearly so.
        let mut owners = vec![Owner::start(&world)];
        let between = u32::try_from(random.below(3)).expect("few");
        go_on(&world, &mut owners, &mut random, between, "alone");
        owners.push(Owner::start(&world));
        go_on(&world, &mut owners, &mut random, 120, "two");
        assert_eq!(owned(&world, &owners), TENANTS, "each endpoint has its owner");

        // A third one begins beside those who have divided all between them.
        owners.push(Owner::start(&world));
        go_on(&world, &mut owners, &mut random, 120, "three");
        assert_eq!(owned(&world, &owners), TENANTS);
        assert!(!owners[2].endpoints(&world).is_empty(), "it has got its share");

        // What was the one's that leaves is taken over at once, and whoever delivers is told to look.
        for owner in &owners {
            owner.changed(&world);
        }
        let leaving = owners.remove(1);
        let process = leaving.process.clone();
        world.step(async move { process.leave().await }).expect("no outage");
        assert!(leaving.endpoints(&world).is_empty());
        go_on(&world, &mut owners, &mut random, 26, "one left");
        assert_eq!(owned(&world, &owners), TENANTS, "after a second and a step");
        for owner in &owners {
            assert_eq!(owner.changed(&world), Some(EndpointsChanged::Any));
        }
        owners.push(Owner::start(&world));
        go_on(&world, &mut owners, &mut random, 120, "another one began");
        assert_eq!(owned(&world, &owners), TENANTS);

        // What was the dead one's is taken over.
        let dead = owners.remove(0);
        world.wire.executor.end_life(dead.process.life());
        go_on(&world, &mut owners, &mut random, 160, "one died");
        assert_eq!(owned(&world, &owners), TENANTS);
    }
}
