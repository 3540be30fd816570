//! T3 and T4: a due message is claimed, or gets a later slot.

use std::time::Duration;

use dakghar_core::app::Prepared;
use dakghar_core::domain::message::{TimelineEvent, UnknownOutcome};
use dakghar_core::domain::pacing::RELEASE_CHECK;
use dakghar_core::domain::{MessageKey, Status, TenantLimit, TenantLimits};
use dakghar_core::ports::Pacer as _;

use crate::steps::{LEASE, LEASE_MARGIN, MINUTE, SECOND, in_each_kind, in_world, number, waits_for};
use crate::world::ports::at_once;
use crate::world::process::{Process, owner};
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

#[test]
fn t03_a_queued_message_is_claimed_with_a_lease() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        let _claimed = world.claim(&process);
        let (seen, now) = (world.look(message), world.now());
        assert_eq!((seen.status(), seen.epoch(), seen.attempt()), (Status::Sending, 1, 1));
        assert_eq!(seen.lease(), Some((&owner(process.life()), now + LEASE)));
        assert_eq!(seen.called_at(), Some(now));
        assert_eq!(seen.wake_at(), Some(now + LEASE + LEASE_MARGIN));
        assert_eq!(world.requests(), 0, "the claim is durable before the call");
        let conversation = &world.conversations(&tenant)[0];
        assert_eq!(conversation.last_message_id, message.message_id);
    });
}

#[test]
fn t03_of_two_workers_with_a_job_of_the_message_one_claims_it() {
    in_world(Kind::Distributed, |world: &World| {
        let (first, _, message) = world.queued(UnknownOutcome::Fail);
        let second = world.idle_process();
        let of_first = world.prepare(&first);
        world.redis.lose_everything();
        assert_eq!(world.refill(&first), 1);
        let of_second = world.prepare(&second);
        assert_eq!((of_first.sends.len(), of_second.sends.len()), (1, 1));

        assert_eq!(world.claim_prepared(&second, of_second).len(), 1);
        assert_eq!(world.claim_prepared(&first, of_first).len(), 0);
        let seen = world.look(message);
        assert_eq!((seen.epoch(), seen.attempt()), (1, 1));
        assert_eq!(seen.lease().map(|(holder, _)| holder), Some(&owner(second.life())));
    });
}

#[test]
fn t03_a_claim_of_which_nobody_knows_is_not_followed_by_a_call() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let prepared = world.prepare(&process);
        world.wire.script(Call::Claim, Fate::FailsAfter);
        assert_eq!(world.claim_prepared(&process, prepared).len(), 0);
        assert_eq!(world.look(message).status(), Status::Sending, "until it is known");
    });
}

#[test]
fn t03_a_claim_that_was_not_confirmed_is_given_back_and_charged_to_nobody() {
    for fate in [Fate::FailsAfter, Fate::FailsBefore] {
        in_each_kind(|world: &World| {
            let process = world.process();
            let tenant = world.tenant(&process, UnknownOutcome::Fail);
            world.wire.script(Call::Claim, fate);
            let message = world.accept(&process, &tenant.id, "hello");
            world.run_for(MINUTE * 3);
            let seen = world.look(message);
            assert_eq!(seen.status(), Status::Sent, "{fate:?}");
            let mut events = seen.timeline().iter().map(|entry| entry.event);
            assert!(!events.any(|event| event == TimelineEvent::InDoubt), "{fate:?}");
            assert_eq!(world.requests(), 1, "{fate:?}");
        });
    }
}

#[test]
fn t04_a_message_that_the_pace_turns_away_gets_a_later_slot() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        let jobs = world.take(&process);
        let later = world.now() + SECOND * 10;
        at_once(world.pacer.pause_until(&number(&tenant), world.now(), later));
        let prepared = world.prepare_jobs(&process, jobs);
        assert_eq!((prepared.sends.len(), prepared.waiting.len()), (0, 0));
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.drive(), seen.attempt()), (Status::Queued, 1, 0));
        assert_eq!(seen.slot_at(), Some(later));
        assert_eq!(waits_for(&seen), Some("pace"));
        if world.kind() == Kind::Distributed {
            assert_eq!(seen.wake_at(), Some(later + RELEASE_CHECK));
            assert_eq!(world.redis.waiting().len(), 1, "under its new drive");
        }

        world.send(&process);
        assert_eq!(world.now(), later, "not before its slot");
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn t04_a_message_without_a_place_waits_for_a_moment_and_then_gets_a_later_slot() {
    in_each_kind(|world: &World| {
        let process = world.idle_process_with(|setup| setup.settings.calls_max = 1);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.accept(&process, &tenant.id, "first");
        let _under_way = world.claim(&process);
        let message = world.accept(&process, &tenant.id, "second");
        let prepared = world.prepare(&process);
        assert_eq!((prepared.sends.len(), prepared.waiting.len()), (0, 1));
        assert_eq!(world.look(message).drive(), 0, "nothing is written for a short wait");

        world.run_for(Duration::from_millis(200));
        let prepared = world.prepare_again(&process, prepared.waiting);
        assert_eq!((prepared.sends.len(), prepared.waiting.len()), (0, 0));
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.drive()), (Status::Queued, 1));
        assert_eq!(seen.slot_at(), Some(world.now() + Duration::from_millis(500)));
        assert_eq!(waits_for(&seen), Some("calls_under_way"));
    });
}

#[test]
fn t04_a_tenant_with_all_its_calls_under_way_waits_at_no_cost_and_others_send() {
    in_each_kind(|world: &World| {
        let process = world.idle_process_with(|setup| {
            setup.settings.tenant_limits = TenantLimits::default().with(TenantLimit::CallsUnderWay, 2);
        });
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let other = world.tenant_with(&process, "222222222222222", "token", UnknownOutcome::Fail);
        let messages: Vec<_> = (0..40).map(|_| world.accept(&process, &tenant.id, "hello")).collect();
        let others: Vec<_> = (0..2).map(|_| world.accept(&process, &other.id, "hello")).collect();
        let mut prepared = world.prepare(&process);
        for _ in 0..100 {
            if prepared.waiting.len() >= 32 {
                break;
            }
            // Slots come at the pace of the number.
            world.run_for(Duration::from_millis(50));
            let more = world.prepare(&process);
            prepared.sends.extend(more.sends);
            prepared.waiting.extend(more.waiting);
        }
        let under_way = world.claim_prepared(
            &process,
            Prepared {
                sends: prepared.sends,
                waiting: vec![],
            },
        );
        let claimed = |keys: &[MessageKey]| {
            let sending = keys.iter().filter(|key| world.look(**key).status() == Status::Sending);
            sending.count()
        };
        assert_eq!((claimed(&messages), claimed(&others)), (2, 2));

        // The others wait, for a moment here and then in the queue, and no attempt is charged.
        world.run_for(Duration::from_millis(200));
        let again = world.prepare_again(&process, prepared.waiting);
        assert_eq!(again.sends.len(), 0);
        for message in &messages[2..] {
            let seen = world.look(*message);
            assert_eq!((seen.status(), seen.attempt()), (Status::Queued, 0));
        }
        for claimed in under_way {
            let ended = world.call(&process, claimed);
            world.record(&process, ended);
        }
        world.run_for(MINUTE);
        let prepared = world.prepare(&process);
        assert_eq!(prepared.sends.len(), 2, "two more");
    });
}

#[test]
fn t03_a_worker_reads_no_more_messages_than_its_hand_holds_and_the_rest_when_calls_end() {
    const COUNT: usize = 45;
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        for n in 0..5 {
            let tenant = world.tenant_with(&process, &format!("22222222222222{n}"), "token", UnknownOutcome::Fail);
            for _ in 0..COUNT / 5 {
                world.accept_large(&process, &tenant.id, "");
            }
        }
        world.run_for(SECOND);
        let mut prepared = world.prepare(&process);
        let mut under_way = Vec::new();
        for _ in 0..6 {
            let sends = prepared.sends.len();
            assert!(sends <= 9, "{sends} of a megabyte in one load");
            under_way.extend(world.claim_prepared(
                &process,
                Prepared {
                    sends: prepared.sends,
                    waiting: vec![],
                },
            ));
            prepared = world.prepare_again(&process, prepared.waiting);
        }
        assert!((32..=40).contains(&under_way.len()), "{}", under_way.len());
        assert_eq!(prepared.sends.len(), 0, "the hand is full");
        assert_eq!(under_way.len() + prepared.waiting.len(), COUNT, "nothing is lost");
        for claimed in under_way {
            let ended = world.call(&process, claimed);
            world.record(&process, ended);
        }
        let mut sends = 0;
        while !prepared.waiting.is_empty() {
            prepared = world.prepare_again(&process, prepared.waiting);
            sends += prepared.sends.len();
            prepared.sends.clear();
        }
        assert!((5..=13).contains(&sends), "{sends}");
    });
}

#[test]
fn t04_the_calls_of_a_tenant_are_those_of_all_processes_for_as_long_as_these_live() {
    in_world(Kind::Distributed, |world: &World| {
        let limited = || {
            world.idle_process_with(|setup| {
                setup.settings.tenant_limits = TenantLimits::default().with(TenantLimit::CallsUnderWay, 1);
            })
        };
        let (first, second) = (limited(), limited());
        let tenant = world.tenant(&first, UnknownOutcome::Fail);
        world.accept(&first, &tenant.id, "one");
        let under_way = world.claim(&first);
        let tell = |process: &Process| {
            let process = process.clone();
            world.step(async move { process.tell_calls().await }).expect("told");
        };
        world.accept(&second, &tenant.id, "two");
        let finds_no_place = |process: &Process| {
            let prepared = world.prepare(process);
            assert_eq!((prepared.sends.len(), prepared.waiting.len()), (0, 1));
            world.run_for(Duration::from_millis(200));
            let again = world.prepare_again(process, prepared.waiting);
            assert_eq!((again.sends.len(), again.waiting.len()), (0, 0), "it is in the queue");
            world.run_for(SECOND);
        };
        for _ in 0..15 {
            finds_no_place(&second);
            tell(&first);
        }
        let ended = world.call(&first, under_way);
        world.record(&first, ended);
        tell(&first);
        world.run_for(SECOND);
        let prepared = world.prepare(&second);
        assert_eq!(prepared.sends.len(), 1, "its place was given back");

        // A process that dies is believed for ten seconds.
        let under_way = world.claim_prepared(&second, prepared);
        second.dies();
        world.accept(&first, &tenant.id, "three");
        world.run_for(SECOND * 9);
        finds_no_place(&first);
        assert_eq!(world.prepare(&first).sends.len(), 1);
        drop(under_way);
    });
}

#[test]
fn t04_a_message_that_waits_for_a_place_takes_the_next_one() {
    in_each_kind(|world: &World| {
        let process = world.idle_process_with(|setup| setup.settings.calls_max = 1);
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world.accept(&process, &tenant.id, "first");
        let under_way = world.claim(&process);
        let message = world.accept(&process, &tenant.id, "second");
        let prepared = world.prepare(&process);
        let ended = world.call(&process, under_way);
        let prepared = world.prepare_again(&process, prepared.waiting);
        assert_eq!(
            prepared.waiting.len(),
            1,
            "a call holds its place until its outcome is durable"
        );

        world.record(&process, ended);
        let prepared = world.prepare_again(&process, prepared.waiting);
        assert_eq!(world.claim_prepared(&process, prepared).len(), 1);
        assert_eq!(world.look(message).status(), Status::Sending);
    });
}

#[test]
fn t04_a_message_that_needs_the_key_service_while_it_is_away_waits_and_no_attempt_is_charged() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        world.wire.script(Call::OpenToken, Fate::FailsBefore);
        assert_eq!(world.prepare(&process).sends.len(), 0);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Queued, 0));
        assert_eq!(seen.slot_at(), Some(world.now() + SECOND * 15));
        assert_eq!(waits_for(&seen), Some("key_service_unavailable"));
    });
}

#[test]
fn t04_a_job_that_comes_before_the_slot_of_its_message_does_not_send_it() {
    in_world(Kind::Distributed, |world: &World| {
        let (first, _, message) = world.queued(UnknownOutcome::Fail);
        let second = world.idle_process();
        let early = world.take(&first);
        world.redis.lose_everything();
        world.refill(&first);
        world.wire.script(Call::OpenToken, Fate::FailsBefore);
        assert_eq!(world.prepare(&second).sends.len(), 0);
        let slot_at = world.look(message).slot_at();

        assert_eq!(world.prepare_jobs(&first, early).sends.len(), 0);
        let seen = world.look(message);
        assert_eq!(
            (seen.status(), seen.slot_at(), seen.drive()),
            (Status::Queued, slot_at, 2)
        );
        assert_eq!(waits_for(&seen), Some("slot"));
    });
}
