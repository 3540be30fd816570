//! T5 to T9: a call ended, and its outcome is recorded.

use dakghar_core::domain::Status;
use dakghar_core::domain::message::{DeadReason, UnknownOutcome};
use dakghar_core::domain::pacing::{Admission, Priority};
use dakghar_core::ports::{Pacer as _, SlotAsk};

use crate::steps::{GRACE, MINUTE, REFUSED, RETRIED, SECOND, in_each_kind, number, waits_for};
use crate::world::World;
use crate::world::meta::{Answer, Meta};
use crate::world::ports::at_once;
use crate::world::seen::Seen;

/// Nothing is left of the way to Meta.
fn has_left_the_send_path(seen: &Seen) -> bool {
    seen.lease().is_none() && seen.wake_at().is_none() && seen.slot_at().is_none()
}

#[test]
fn t05_a_message_that_meta_took_is_sent() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::Sent, 1));
        assert_eq!(seen.wamid(), Some(&Meta::wamid(message, 1)));
        assert!(has_left_the_send_path(&seen));
        assert!(seen.conversation().is_some());
    });
}

#[test]
fn t06_a_message_that_meta_refused_for_good_has_failed() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::Refuses(REFUSED));
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.error_code()), (Status::Failed, Some(REFUSED)));
        assert!(has_left_the_send_path(&seen));
        assert!(!seen.maybe_sent());
    });
}

#[test]
fn t07_a_message_that_meta_may_take_later_is_queued_again() {
    // Meta's answer, and the attempts that count after it.
    let answers = [
        (Answer::Refuses(RETRIED), 1),
        (Answer::Refuses(131_000), 1),
        (Answer::Refuses(999_999), 1),
        (Answer::TurnedAway, 1),
        (Answer::Unreachable, 0),
        (Answer::Refuses(130_429), 0),
        (Answer::Refuses(131_056), 0),
    ];
    for (answer, counted) in answers {
        in_each_kind(|world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Fail);
            world.send_and(&process, answer);
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.epoch(), seen.attempt()), (Status::Queued, 1, 1));
            assert_eq!((seen.attempts_counted(), seen.drive()), (counted, 1), "{answer:?}");
            let slot_at = seen.slot_at().expect("a slot");
            assert!(world.now() < slot_at && !seen.maybe_sent());

            world.send(&process);
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.attempt()), (Status::Sent, 2), "{answer:?}");
            assert_eq!(world.now(), slot_at);
        });
    }
}

#[test]
fn t07_a_number_that_sends_too_fast_slows_down_as_a_whole() {
    in_each_kind(|world: &World| {
        let (process, tenant, refused) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::Refuses(130_429));
        let until = world.look(refused).slot_at().expect("a slot");
        world.accept(&process, &tenant.id, "other");
        world.take(&process);
        assert_eq!(world.now(), until, "no message of the number is due before");
    });
}

#[test]
fn t08_a_message_without_further_attempts_is_dead() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        for attempt in 1..=5 {
            assert_eq!(world.look(message).status(), Status::Queued, "before attempt {attempt}");
            world.send_and(&process, Answer::Refuses(RETRIED));
        }
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Dead, 5));
        assert_eq!(seen.dead_reason(), Some(DeadReason::AttemptsExhausted));
        assert!(has_left_the_send_path(&seen));
    });
}

#[test]
fn t08_a_message_that_meta_asks_to_slow_down_for_a_day_is_dead() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        for _ in 0..12_000 {
            world.meta.script(Answer::Refuses(130_429));
        }
        let message = world.accept(&process, &tenant.id, "hello");
        world.run_for(MINUTE * 60 * 23);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempts_counted()), (Status::Queued, 0));
        assert!(seen.attempt() > 100);
        world.run_for(MINUTE * 80);
        assert_eq!(world.look(message).dead_reason(), Some(DeadReason::AttemptsExhausted));
    });
}

#[test]
fn t08_a_message_without_time_for_another_attempt_is_expired() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let message = world.accept_until(&process, &tenant.id, SECOND * 30);
        // Meta asks for a minute.
        world.send_and(&process, Answer::Refuses(131_057));
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Expired, 1));
        assert!(has_left_the_send_path(&seen));
    });
}

#[test]
fn t09_a_call_without_a_verdict_leaves_its_message_in_doubt() {
    let answers = [(Answer::Silent, GRACE), (Answer::AcceptsSilently, GRACE)];
    for (answer, grace) in answers {
        in_each_kind(|world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Resend);
            world.send_and(&process, answer);
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.epoch()), (Status::InDoubt, 1), "{answer:?}");
            assert!(seen.maybe_sent() && seen.lease().is_none());
            assert_eq!(seen.grace_until(), Some(world.now() + grace), "{answer:?}");
            assert_eq!(seen.wake_at(), seen.grace_until());
        });
    }
}

#[test]
fn t07_those_to_the_same_person_go_behind_one_that_meta_slows_down() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let first = world.accept(&process, &tenant.id, "first");
        world.send_and(&process, Answer::Refuses(131_056));
        let opens_at = world.look(first).slot_at().expect("a slot");
        let second = world.accept(&process, &tenant.id, "second");
        let third = world.accept(&process, &tenant.id, "third");
        // Their slots come before the first one's.
        world.run_for(SECOND);
        let prepared = world.prepare(&process);
        assert_eq!((prepared.sends.len(), prepared.waiting.len()), (0, 0), "both wait");
        for (behind, message) in [(1, second), (2, third)] {
            let seen = world.look(message);
            assert_eq!((seen.status(), seen.attempt()), (Status::Queued, 0));
            assert_eq!(seen.slot_at(), Some(opens_at + SECOND * 6 * behind));
            assert_eq!(waits_for(&seen), Some("pair_pace"));
        }

        for (behind, message) in [(0, first), (1, second), (2, third)] {
            world.send(&process);
            assert_eq!(world.now(), opens_at + SECOND * 6 * behind);
            assert_eq!(world.look(message).status(), Status::Sent);
        }
    });
}

#[test]
fn t07_numbers_of_an_account_rest_together_when_its_allowance_is_used_up() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let refused = world.tenant_in(&process, "9001", "111");
        let beside = world.tenant_in(&process, "9001", "222");
        let other = world.tenant_in(&process, "9002", "333");
        let first = world.accept(&process, &refused.id, "first");
        world.send_and(&process, Answer::Refuses(80_007));
        assert_eq!(world.look(first).attempts_counted(), 0);
        let waits = world.accept(&process, &beside.id, "waits");
        let goes = world.accept(&process, &other.id, "goes");
        // Until their slots come.
        world.run_for(SECOND);
        let prepared = world.prepare(&process);
        assert_eq!((prepared.sends.len(), prepared.waiting.len()), (1, 0));
        assert_eq!(world.look(goes).attempt(), 0, "it is about to go");
        let seen = world.look(waits);
        assert_eq!(
            (seen.status(), waits_for(&seen)),
            (Status::Queued, Some("meta_allowance"))
        );

        world.run_for(MINUTE);
        let prepared = world.prepare(&process);
        assert!(prepared.sends.len() >= 2, "both go when the rest is over");
    });
}

#[test]
fn t07_a_number_whose_account_or_app_rests_keeps_its_own_pace() {
    for (code, keeps_it) in [(80_007, true), (4, true), (130_429, false)] {
        in_each_kind(|world: &World| {
            let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
            world.send_and(&process, Answer::Refuses(code));
            assert_eq!(waits_for(&world.look(message)), Some("slow_down"));
            world.run_for(SECOND / 4);
            let ask = SlotAsk {
                phone_number_id: number(&tenant),
                level: 80.0,
                priority: Priority::Normal,
                not_before: world.now(),
            };
            let admitted = at_once(world.pacer.admit(&[ask])).expect("a pace");
            assert_eq!(admitted == [Admission::Go], keeps_it, "{code}: {admitted:?}");
        });
    }
}

#[test]
fn t07_where_the_app_is_not_known_only_the_numbers_of_the_tenant_rest() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let refused = world.tenant_in(&process, "9001", "111");
        let other = world.tenant_in(&process, "9001", "222");
        world.accept(&process, &refused.id, "first");
        world.send_and(&process, Answer::Refuses(4));
        let waits = world.accept(&process, &refused.id, "waits");
        world.accept(&process, &other.id, "goes");
        world.run_for(SECOND);
        let prepared = world.prepare(&process);
        assert_eq!(prepared.sends.len(), 1, "nobody else's");
        assert_eq!(waits_for(&world.look(waits)), Some("meta_allowance"));
    });
}
