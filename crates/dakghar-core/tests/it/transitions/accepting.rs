//! T1 and T2: acceptance.

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{HoldReason, Status};

use crate::steps::in_each_kind;
use crate::world::ports::queue::WINDOW;
use crate::world::{Kind, World};

#[test]
fn t01_an_accepted_message_is_queued_with_a_slot_and_a_way_back() {
    in_each_kind(|world: &World| {
        let (_, _, message) = world.queued(UnknownOutcome::Fail);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch(), seen.attempt()), (Status::Queued, 0, 0));
        assert_eq!(seen.slot_at(), Some(world.now()));
        let timer = (world.kind() == Kind::Distributed).then(|| world.now() + WINDOW);
        assert_eq!(seen.wake_at(), timer, "embedded, the table is the queue");
    });
}

#[test]
fn t02_a_message_accepted_during_a_pause_is_held() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.pause(&process, &tenant);
        let message = world.accept(&process, &tenant.id, "hello");
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Held);
        assert_eq!(seen.hold_reason(), Some(HoldReason::Paused));
        assert!(seen.wake_at().is_some(), "somebody looks whether the pause is over");
        assert!(world.redis.waiting().is_empty(), "it is in no queue");
    });
}
