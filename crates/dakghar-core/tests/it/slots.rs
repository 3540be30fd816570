//! Slots that are not used after all are given back: what could not be stored costs its number no time.

use dakghar_core::domain::message::{Priority, UnknownOutcome};
use dakghar_core::domain::{Status, Tenant};
use dakghar_core::ports::{Job, JobKey, Pacer as _, SlotAsk};
use std::time::Duration;

use crate::steps::{SECOND, code, in_each_kind, number};
use crate::world::ports::at_once;
use crate::world::wire::{Call, Fate};
use crate::world::{World, body};

/// Each slot that is not given back would cost the number a second.
const FAILURES: u32 = 50;

/// How long another message of the number would wait for its slot.
fn backlog(world: &World, tenant: &Tenant) -> Duration {
    let ask = SlotAsk {
        phone_number_id: number(tenant),
        level: 1.0,
        priority: Priority::Normal,
        not_before: world.now(),
    };
    let slots = at_once(world.pacer.reserve(std::slice::from_ref(&ask))).expect("a slot");
    at_once(world.pacer.refund(&[ask]));
    slots[0].since(world.now())
}

#[test]
fn a_message_that_wakes_and_cannot_be_stored_gives_its_slot_back() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.slow_down(&process, &tenant);
        world.pause(&process, &tenant);
        let message = world.accept(&process, &tenant.id, "hello");
        world.resume(&process, &tenant).expect("resumed");
        for _ in 0..FAILURES {
            world.wire.script(Call::Save, Fate::FailsBefore);
            let waking = process.clone();
            let failed = world.step(async move { waking.reconcile().await });
            assert!(failed.is_err());
        }
        assert_eq!(world.look(message).status(), Status::Held);
        let backlog = backlog(world, &tenant);
        assert!(backlog <= SECOND * 2, "{backlog:?}");
        world.reconcile(&process);
        assert_eq!(world.look(message).status(), Status::Queued);
    });
}

#[test]
fn a_message_that_is_put_off_and_cannot_be_stored_gives_its_slot_back() {
    in_each_kind(|world: &World| {
        let process = world.idle_process_with(|setup| setup.settings.calls_max = 1);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.slow_down(&process, &tenant);
        world.accept(&process, &tenant.id, "first");
        let _under_way = world.claim(&process);
        let message = world.accept(&process, &tenant.id, "second");
        world.run_for(SECOND * 3);
        for _ in 0..FAILURES {
            let (job, _ended) = Job::new(JobKey::Send(message), 0);
            let prepared = world.prepare_jobs(&process, vec![job]);
            assert_eq!(prepared.waiting.len(), 1, "for a moment it waits for a place");
            world.run_for(Duration::from_millis(200));
            world.wire.script(Call::Save, Fate::FailsBefore);
            let prepared = world.prepare_again(&process, prepared.waiting);
            assert_eq!((prepared.sends.len(), prepared.waiting.len()), (0, 0));
            assert_eq!(world.look(message).drive(), 0, "nothing was stored");
        }
        let backlog = backlog(world, &tenant);
        assert!(backlog <= SECOND * 2, "{backlog:?}");
    });
}

#[test]
fn a_message_that_cannot_be_accepted_gives_its_slot_back() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.slow_down(&process, &tenant);
        // Those of a number with a backlog are stored with their slots.
        for _ in 0..5 {
            world.accept(&process, &tenant.id, "hello");
        }
        let before = backlog(world, &tenant);
        assert!(before >= SECOND * 3, "{before:?}");
        // The insert and its repetitions.
        for _ in 0..4 {
            world.wire.script(Call::Accept, Fate::FailsBefore);
        }
        let bodies = vec![body("hello", ""); FAILURES as usize];
        let (accepting, id) = (process.clone(), tenant.id);
        let refused = world.step(async move { accepting.accept_bulk(&id, &bodies).await });
        assert!(
            refused
                .expect("carried out")
                .iter()
                .all(|result| code(result).is_some())
        );
        let after = backlog(world, &tenant);
        assert!(after <= before + SECOND, "{before:?} and {after:?}");
    });
}
