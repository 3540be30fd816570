//! T10 to T12: a lease runs out, and a message in doubt is given up or sent again.

use dakghar_core::domain::Status;
use dakghar_core::domain::listening::{Heard, Listener};
use dakghar_core::domain::message::{DeadReason, EvidenceStatus, TimelineEvent, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{MessageKey, Tenant};
use dakghar_core::ports::ListenerStore as _;

use crate::steps::{GRACE, LEASE, LEASE_MARGIN, MINUTE, RETRIED, SECOND, almost, in_each_kind, in_world};
use crate::world::meta::{Answer, Meta};
use crate::world::ports::{UNREADABLE, at_once};
use crate::world::process::{Process, Setup};
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

/// A message of which Meta said nothing.
fn in_doubt(world: &World, policy: UnknownOutcome) -> (Process, Tenant, MessageKey) {
    let (process, tenant, message) = world.queued(policy);
    world.send_and(&process, Answer::Silent);
    assert_eq!(world.look(message).status(), Status::InDoubt);
    (process, tenant, message)
}

#[test]
fn t10_a_message_whose_lease_ran_out_is_taken_over() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let _claimed = world.claim(&process);
        let before_its_end = almost(LEASE + LEASE_MARGIN);
        assert_eq!(world.reconcile_after(&process, before_its_end), 0);
        assert_eq!(world.look(message).status(), Status::Sending);

        assert_eq!(world.reconcile_after(&process, SECOND), 1);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::InDoubt, 2));
        assert!(seen.lease().is_none() && seen.maybe_sent());
        assert_eq!(seen.grace_until(), Some(world.now() + GRACE));
        assert!(seen.conversation().is_some());
    });
}

#[test]
fn t10_the_old_worker_records_nothing_but_the_evidence_that_meta_took_it() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let claimed = world.claim(&process);
        let ended = world.call(&process, claimed);
        world.reconcile_after(&process, LEASE + LEASE_MARGIN);
        world.record(&process, ended);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::Sent, 2));
        let events: Vec<TimelineEvent> = seen.timeline().iter().map(|entry| entry.event).collect();
        let expected = [TimelineEvent::Accepted, TimelineEvent::InDoubt, TimelineEvent::Status];
        assert_eq!(events, expected, "it is evidence, and not the outcome of an attempt");
        assert!(seen.status_seen_at().is_none(), "no webhook said so");
    });
}

#[test]
fn t10_the_old_worker_does_not_call_any_more() {
    in_each_kind(|world: &World| {
        let (process, _, message) = world.queued(UnknownOutcome::Fail);
        let claimed = world.claim(&process);
        world.reconcile_after(&process, LEASE + LEASE_MARGIN);
        let ended = world.call(&process, claimed);
        assert_eq!(world.requests(), 0);
        world.record(&process, ended);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::InDoubt, 2));
    });
}

#[test]
fn t10_a_message_that_is_claimed_anew_is_watched_anew() {
    in_world(Kind::Distributed, |world: &World| {
        let (first, _, message) = world.queued(UnknownOutcome::Fail);
        world.promises.clocks_are_wrong();
        let setup = Setup {
            works_by_itself: false,
            ..world.setup()
        };
        // Its clock is ahead, so the time in a lease is over for it at once.
        let second = Process::start_with_clock(world, setup, 60 * 60 * 1000);
        world.meta.script(Answer::Refuses(RETRIED));
        let claimed = world.claim(&first);
        let ended = world.call(&first, claimed);
        assert_eq!(world.reconcile(&second), 1, "it begins to watch the lease");
        assert_eq!(
            (world.look(message).status(), world.look(message).epoch()),
            (Status::Sending, 1)
        );
        world.record(&first, ended);
        assert_eq!(world.look(message).status(), Status::Queued);
        world.run_for(LEASE + LEASE_MARGIN);
        let claimed = world.claim(&first);
        world.reconcile(&second);
        let seen = world.look(message);
        assert_eq!(
            (seen.status(), seen.epoch()),
            (Status::Sending, 2),
            "this lease has only begun"
        );
        let ended = world.call(&first, claimed);
        world.record(&first, ended);
        assert_eq!(world.look(message).status(), Status::Sent);
        assert_eq!(world.requests(), 2);
    });
}

#[test]
fn t11_under_fail_a_message_in_doubt_is_dead_after_its_grace() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt(world, UnknownOutcome::Fail);
        assert_eq!(world.reconcile_after(&process, almost(GRACE)), 0);
        world.reconcile_after(&process, SECOND);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::Dead, 2));
        assert_eq!(seen.dead_reason(), Some(DeadReason::OutcomeUnknown));
        assert_eq!(seen.wake_at(), None);
        if world.kind() == Kind::Distributed {
            let shown = world.redis.waiting();
            assert_eq!(shown, [(message, seen.drive())], "the queue's tools show it");
        }
    });
}

#[test]
fn t11_under_auto_a_message_in_doubt_is_dead_when_no_statuses_come_for_long() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt(world, UnknownOutcome::Auto);
        for _ in 0..7 {
            assert_eq!(world.reconcile_after(&process, GRACE), 1);
            assert_eq!(world.look(message).status(), Status::InDoubt);
        }
        assert_eq!(world.reconcile_after(&process, MINUTE), 1, "after a quarter of an hour");
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Dead);
        assert_eq!(seen.dead_reason(), Some(DeadReason::OutcomeUnknown));
    });
}

#[test]
fn t11_a_message_in_doubt_without_further_attempts_is_dead() {
    in_each_kind(|world: &World| {
        let process = world.idle_process_with(|setup| setup.settings.attempts_max = 1);
        let tenant = world.tenant(&process, UnknownOutcome::Resend);
        let message = world.accept(&process, &tenant.id, "hello");
        world.send_and(&process, Answer::Silent);
        world.reconcile_after(&process, GRACE);
        assert_eq!(world.look(message).dead_reason(), Some(DeadReason::OutcomeUnknown));
    });
}

#[test]
fn t11_a_message_in_doubt_whose_time_is_over_is_dead() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Resend);
        let message = world.accept_until(&process, &tenant.id, MINUTE);
        world.send_and(&process, Answer::Silent);
        assert_eq!(world.reconcile_after(&process, MINUTE), 0, "its grace comes first");
        world.reconcile_after(&process, MINUTE);
        assert_eq!(world.look(message).dead_reason(), Some(DeadReason::OutcomeUnknown));
    });
}

#[test]
fn t12_under_resend_a_message_in_doubt_is_queued_again_after_its_grace() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt(world, UnknownOutcome::Resend);
        assert_eq!(world.reconcile_after(&process, almost(GRACE)), 0);
        world.reconcile_after(&process, SECOND);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch(), seen.drive()), (Status::Queued, 2, 1));
        assert_eq!(seen.slot_at(), Some(world.now()));
        assert!(seen.maybe_sent() && seen.grace_until().is_none());

        world.send(&process);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Sent, 2));
    });
}

/// A message that Meta takes and reports on.
fn reported(world: &World, process: &Process, tenant: &Tenant) {
    world.accept(process, &tenant.id, "reported");
    world.send(process);
    world.report(process, &world.request(), EvidenceStatus::Delivered);
}

/// A message that Meta took and said nothing of, between two that it reported on.
fn in_doubt_among_reported(world: &World) -> (Process, Tenant, MessageKey) {
    let process = world.idle_process();
    let tenant = world.tenant(&process, UnknownOutcome::Auto);
    world.run_for(MINUTE);
    reported(world, &process, &tenant);
    world.run_for(SECOND);
    let message = world.accept(&process, &tenant.id, "in doubt");
    world.send_and(&process, Answer::AcceptsSilently);
    world.run_for(SECOND);
    reported(world, &process, &tenant);
    (process, tenant, message)
}

/// The last reason why the message waits.
fn waits_for(world: &World, message: MessageKey) -> Option<String> {
    let seen = world.look(message);
    let last = seen
        .timeline()
        .iter()
        .rfind(|entry| entry.event == TimelineEvent::Waiting)?;
    last.detail.as_deref().map(str::to_owned)
}

/// It is never sent again, ends as unknown, and says why it waits.
fn is_given_up(world: &World, process: &Process, message: MessageKey, reason: &str) {
    for _ in 0..8 {
        world.reconcile_after(process, GRACE);
        assert_ne!(world.look(message).status(), Status::Queued);
    }
    let seen = world.look(message);
    assert_eq!(seen.dead_reason(), Some(DeadReason::OutcomeUnknown));
    assert_eq!(waits_for(world, message).as_deref(), Some(reason));
    assert_eq!(seen.attempt(), 1);
}

const DEAF: &str = "webhooks_were_not_received";
const UNPROVEN: &str = "no_statuses_of_neighbouring_calls";

#[test]
fn t12_under_auto_statuses_of_calls_before_and_after_send_it_again() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt_among_reported(world);
        world.reconcile_after(&process, GRACE);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.epoch()), (Status::Queued, 2));
    });
}

#[test]
fn t12_under_auto_statuses_of_later_calls_alone_do_not_send_it_again() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto);
        world.run_for(MINUTE);
        let message = world.accept(&process, &tenant.id, "in doubt");
        world.send_and(&process, Answer::Silent);
        world.run_for(SECOND);
        reported(world, &process, &tenant);
        is_given_up(world, &process, message, UNPROVEN);
    });
}

#[test]
fn t12_under_auto_statuses_of_earlier_calls_alone_do_not_send_it_again() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto);
        world.run_for(MINUTE);
        reported(world, &process, &tenant);
        world.run_for(SECOND);
        let message = world.accept(&process, &tenant.id, "in doubt");
        world.send_and(&process, Answer::Silent);
        is_given_up(world, &process, message, UNPROVEN);
    });
}

#[test]
fn t12_under_auto_a_status_that_may_be_a_repetition_proves_nothing() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto);
        world.run_for(MINUTE);
        reported(world, &process, &tenant);
        world.run_for(SECOND);
        let message = world.accept(&process, &tenant.id, "in doubt");
        world.send_and(&process, Answer::Silent);
        world.run_for(SECOND);
        world.accept(&process, &tenant.id, "reported late");
        world.send(&process);
        world.run_for(MINUTE);
        world.report(&process, &world.request(), EvidenceStatus::Delivered);
        is_given_up(world, &process, message, UNPROVEN);
    });
}

#[test]
fn t12_under_auto_the_store_knows_of_statuses_that_another_process_took() {
    in_world(Kind::Distributed, |world: &World| {
        let other = world.idle_process();
        let (_, _, message) = in_doubt_among_reported(world);
        world.reconcile_after(&other, GRACE);
        assert_eq!(
            world.look(message).status(),
            Status::InDoubt,
            "the other may have refused something since"
        );
        world.reconcile_after(&other, SECOND * 6);
        assert_eq!(world.look(message).status(), Status::Queued);
    });
}

#[test]
fn t12_under_auto_a_refused_webhook_since_the_call_sends_nothing_again() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt_among_reported(world);
        let request = world.request();
        world.wire.script(Call::RecordStatuses, Fate::FailsBefore);
        let body = world
            .meta
            .body(vec![WebhookPart::Status(Meta::report(&request, EvidenceStatus::Read))]);
        let receiver = process.clone();
        assert!(
            world.step(async move { receiver.receive(&body).await }).is_err(),
            "it is refused"
        );
        is_given_up(world, &process, message, DEAF);
        // The status that was lost comes days later.
        world.run_for(MINUTE * 60 * 24 * 2);
        let lost = world.request_of(message);
        world.report(&process, &lost, EvidenceStatus::Delivered);
        assert_eq!(world.look(message).status(), Status::Delivered);
    });
}

#[test]
fn t12_under_auto_a_webhook_refused_before_the_call_does_not_matter() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let receiver = process.clone();
        world.run_for(MINUTE);
        drop(receiver.attend());
        world.run_for(SECOND * 2);
        let tenant = world.tenant(&process, UnknownOutcome::Auto);
        reported(world, &process, &tenant);
        world.run_for(SECOND);
        let message = world.accept(&process, &tenant.id, "in doubt");
        world.send_and(&process, Answer::Silent);
        world.run_for(SECOND);
        reported(world, &process, &tenant);
        world.reconcile_after(&process, GRACE);
        assert_eq!(world.look(message).status(), Status::Queued);
    });
}

#[test]
fn t12_under_auto_a_start_since_the_call_sends_nothing_again() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt_among_reported(world);
        process.dies();
        world.run_for(SECOND * 10);
        let next = world.idle_process();
        is_given_up(world, &next, message, DEAF);
    });
}

#[test]
fn t12_under_auto_a_refusal_that_could_not_be_stored_is_known_after_a_crash() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt_among_reported(world);
        drop(process.attend());
        process.dies();
        let next = world.idle_process();
        is_given_up(world, &next, message, DEAF);
    });
}

#[test]
fn t12_under_auto_a_death_beside_others_sends_nothing_again() {
    in_world(Kind::Distributed, |world: &World| {
        let other = world.idle_process();
        let (process, _, message) = in_doubt_among_reported(world);
        other.dies();
        is_given_up(world, &process, message, DEAF);
    });
}

#[test]
fn t12_under_auto_an_end_in_good_order_beside_others_sends_nothing_again() {
    in_world(Kind::Distributed, |world: &World| {
        let other = world.idle_process();
        let (process, _, message) = in_doubt_among_reported(world);
        world.end(&other);
        is_given_up(world, &process, message, DEAF);
    });
}

#[test]
fn t12_under_auto_an_unreadable_listener_sends_nothing_again_and_holds_up_nobody() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt_among_reported(world);
        let unreadable = Listener {
            process: UNREADABLE.into(),
            heard_until: world.now(),
            gap: None,
            has_ended: true,
        };
        at_once(world.store.keep_listener(&unreadable)).expect("no outage");
        let other = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Resend);
        let held_up = world.accept(&process, &other.id, "of another");
        world.send_and(&process, Answer::Silent);
        world.reconcile_after(&process, GRACE);
        assert_eq!(
            world.look(held_up).status(),
            Status::Queued,
            "another's timer is looked at"
        );
        is_given_up(world, &process, message, UNPROVEN);
        world.end(&process);
        world.idle_process();
    });
}

#[test]
fn t12_under_auto_a_start_ends_the_time_in_which_nobody_listened() {
    in_each_kind(|world: &World| {
        let before = world.idle_process();
        world.run_for(MINUTE);
        before.dies();
        // Others may call meanwhile, long after the death was noticed.
        world.run_for(MINUTE * 10);
        let called_at = world.now();
        world.run_for(MINUTE);
        let after = world.idle_process();
        world.run_for(MINUTE);
        let hearing = world.step(async move { after.hearing().await });
        assert_eq!(hearing.since(called_at, called_at), Heard::WithGaps);
        let now = world.now();
        assert_eq!(hearing.since(now, now), Heard::Throughout);
    });
}

#[test]
fn t12_under_auto_what_another_process_refused_sends_nothing_again() {
    in_world(Kind::Distributed, |world: &World| {
        let other = world.idle_process();
        let (process, _, message) = in_doubt_among_reported(world);
        drop(other.attend());
        is_given_up(world, &process, message, DEAF);
    });
}

#[test]
fn t12_under_auto_a_process_that_stood_still_sends_nothing_again() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt_among_reported(world);
        world.wire.executor.freeze(process.life(), SECOND * 12);
        world.run_for(SECOND * 13);
        is_given_up(world, &process, message, DEAF);
    });
}

#[test]
fn t12_under_auto_a_webhook_that_gets_no_answer_sends_nothing_again() {
    in_each_kind(|world: &World| {
        let (process, _, message) = in_doubt_among_reported(world);
        let attending = process.attend();
        world.run_for(SECOND * 10);
        is_given_up(world, &process, message, DEAF);
        drop(attending);
    });
}
