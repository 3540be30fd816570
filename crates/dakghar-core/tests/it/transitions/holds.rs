//! T16: held, and sent when the hold is over.

use dakghar_core::app::is_posted_by_meta;
use dakghar_core::domain::message::{EvidenceStatus, SendError, UnknownOutcome};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{
    Actor, EventReason, FeedEntry, HoldReason, MessageKey, PhoneNumberId, Status, Tenant, WebhookEvent,
};
use dakghar_core::ports::{EventStore, TenantStore as _};
use serde_json::{Value, json};

use std::time::Duration;

use crate::steps::{MINUTE, SECOND, in_each_kind};
use crate::world::World;
use crate::world::meta::{ACCOUNT_RESTRICTED, Answer, Meta, TOKEN_REFUSED};
use crate::world::ports::at_once;
use crate::world::process::Process;
use crate::world::wire::{Call, Fate};

/// Why the only number of the tenant is on hold.
fn hold_of_number(world: &World, tenant: &Tenant) -> Option<HoldReason> {
    let stored = at_once(world.store.find_all(&[tenant.id])).pop();
    let stored = stored.expect("an answer").expect("no outage").expect("it exists");
    stored.phone_numbers[0].hold.map(|hold| hold.reason)
}

/// The holds that the tenant is told of, oldest first: the kind of the entry, the number, and the reason.
fn told(world: &World, tenant: &Tenant) -> Vec<(String, Value, Value)> {
    let events = EventStore::list(&*world.store, Some(&tenant.id), None, PageLimit::items(100));
    let events = at_once(events).expect("no outage").items;
    let of_holds = events.iter().rev().filter(|event| event.reason == EventReason::Hold);
    let read = |event: &WebhookEvent| {
        let entry = FeedEntry::of_event(event).expect("it has a tenant");
        assert!(!is_posted_by_meta(&entry), "{entry:?}");
        let said: Value = serde_json::from_str(&event.raw).expect("JSON");
        let number = event.phone_number_id.as_ref().map(PhoneNumberId::as_str);
        assert_eq!(said["phoneNumberId"].as_str(), number);
        let kind = entry.kind.as_str().to_owned();
        (kind, said["phoneNumberId"].clone(), said["reason"].clone())
    };
    of_holds.map(read).collect()
}

/// A message that a worker found during a pause.
fn held_by_worker(world: &World) -> (Process, Tenant, MessageKey) {
    let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
    let jobs = world.take(&process);
    world.pause(&process, &tenant);
    assert_eq!(world.prepare_jobs(&process, jobs).sends.len(), 0);
    (process, tenant, message)
}

#[test]
fn t16_a_pause_holds_a_queued_message_and_its_end_queues_it_again() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = held_by_worker(world);
        let seen = world.look(message);
        assert_eq!((seen.status(), seen.attempt()), (Status::Held, 0));
        assert_eq!(seen.hold_reason(), Some(HoldReason::Paused));
        assert_eq!(seen.wake_at(), Some(world.now() + SECOND * 5));
        assert!(world.redis.waiting().is_empty());

        world.resume(&process, &tenant).expect("resumed");
        assert_eq!(
            world.look(message).wake_at(),
            Some(world.now()),
            "whoever resumes wakes it"
        );
        world.reconcile(&process);
        let seen = world.look(message);
        assert_eq!(
            (seen.status(), seen.hold_reason(), seen.drive()),
            (Status::Queued, None, 1)
        );
        world.send(&process);
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn a_hold_is_told_when_it_begins_when_its_reason_changes_and_when_it_ends() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        let number = json!(tenant.phone_numbers[0].phone_number_id.as_str());
        world.send_and(&process, Answer::Refuses(ACCOUNT_RESTRICTED));
        let mut expected = vec![("sending.held".to_owned(), number.clone(), json!("account_restricted"))];
        assert_eq!(told(world, &tenant), expected);
        // A probe that is refused moves the time of the next one, which is nothing new.
        world.run_for(MINUTE * 61);
        world.accept(&process, &tenant.id, "probe");
        world.send_and(&process, Answer::Refuses(ACCOUNT_RESTRICTED));
        assert_eq!(told(world, &tenant), expected);

        for _ in 0..2 {
            world.pause(&process, &tenant);
        }
        expected.push(("sending.held".to_owned(), Value::Null, json!("paused")));
        assert_eq!(told(world, &tenant), expected, "paused twice, told once");
        for _ in 0..2 {
            world.resume(&process, &tenant).expect("resumed");
        }
        expected.push(("sending.released".to_owned(), Value::Null, json!("paused")));
        expected.push(("sending.released".to_owned(), number, json!("account_restricted")));
        assert_eq!(told(world, &tenant), expected);
    });
}

#[test]
fn a_pause_that_is_asked_for_again_stays_as_it_began() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        let number = tenant.phone_numbers[0].phone_number_id.clone();
        let holds = || {
            let stored = at_once(world.store.find_all(&[tenant.id])).pop();
            let stored = stored.expect("an answer").expect("no outage").expect("it exists");
            [stored.hold, stored.phone_numbers[0].hold].map(|hold| hold.expect("a hold"))
        };
        let pause = |by| {
            for of in [None, Some(number.as_str().to_owned())] {
                let (process, id) = (process.clone(), tenant.id);
                let paused = world.step(async move { process.pause(&id, of.as_deref(), by).await });
                paused.expect("paused");
            }
        };
        pause(Actor::Tenant);
        let first = holds();
        world.run_for(MINUTE);
        pause(Actor::Tenant);
        assert_eq!(holds(), first);
        let of_tenant = told(world, &tenant);
        assert_eq!(of_tenant.len(), 2, "{of_tenant:?}");

        world.run_for(MINUTE);
        pause(Actor::Operator);
        let taken_over = holds();
        for (hold, before) in taken_over.iter().zip(first) {
            assert_eq!(hold.reason, HoldReason::PausedByOperator);
            assert!(hold.since > before.since);
        }
        assert_eq!(told(world, &tenant).len(), 4, "it is told of who holds it now");
        world.run_for(MINUTE);
        for by in [Actor::Operator, Actor::Tenant] {
            pause(by);
            assert_eq!((holds(), told(world, &tenant).len()), (taken_over, 4));
        }
    });
}

#[test]
fn t16_the_reconciler_finds_that_a_pause_is_over() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = held_by_worker(world);
        assert_eq!(world.reconcile_after(&process, SECOND * 5), 1);
        let seen = world.look(message);
        assert_eq!(seen.status(), Status::Held, "it is not over yet");
        assert_eq!(seen.wake_at(), Some(world.now() + MINUTE * 10));

        world.wire.script(Call::WakeHeld, Fate::FailsBefore);
        assert!(world.resume(&process, &tenant).is_err());
        assert_eq!(world.look(message).wake_at(), seen.wake_at(), "nobody wakes it");
        assert_eq!(world.reconcile_after(&process, MINUTE * 10), 1);
        assert_eq!(world.look(message).status(), Status::Queued);
    });
}

#[test]
fn t16_the_reconciler_does_not_judge_a_hold_by_what_it_remembers() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = held_by_worker(world);
        world.run_for(SECOND * 5);
        // Another process resumes in the very moment in which this one still remembers the pause.
        let remembered = world.accept(&process, &tenant.id, "remembers the tenant");
        assert_eq!(world.look(remembered).status(), Status::Held);
        let other = world.idle_process();
        world.resume(&other, &tenant).expect("resumed");
        world.reconcile(&process);
        assert_eq!(world.look(message).status(), Status::Queued);
    });
}

#[test]
fn t16_a_refused_token_holds_its_message_and_after_three_the_number() {
    in_each_kind(|world: &World| {
        let (process, tenant, first) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::Refuses(TOKEN_REFUSED));
        let seen = world.look(first);
        assert_eq!(
            (seen.status(), seen.attempt(), seen.attempts_counted()),
            (Status::Held, 1, 0)
        );
        assert_eq!(seen.hold_reason(), Some(HoldReason::CredentialsInvalid));
        assert_eq!(hold_of_number(world, &tenant), None, "one refusal is not certain");

        for text in ["second", "third"] {
            world.accept(&process, &tenant.id, text);
            world.send_and(&process, Answer::Refuses(TOKEN_REFUSED));
        }
        assert_eq!(hold_of_number(world, &tenant), Some(HoldReason::CredentialsInvalid));
        let fourth = world.accept(&process, &tenant.id, "fourth");
        assert_eq!(world.prepare(&process).sends.len(), 0);
        assert_eq!(world.look(fourth).status(), Status::Held);
        assert_eq!(world.requests(), 3, "Meta is not asked a fourth time");
    });
}

#[test]
fn t16_a_refusal_of_a_token_that_was_replaced_says_nothing_about_the_new_one() {
    in_each_kind(|world: &World| {
        let (process, tenant, first) = world.queued(UnknownOutcome::Fail);
        let messages = [
            first,
            world.accept(&process, &tenant.id, "second"),
            world.accept(&process, &tenant.id, "third"),
        ];
        let mut claimed = Vec::new();
        for _ in 0..messages.len() {
            claimed.push(world.claim(&process));
        }
        world.replace_token(&process, &tenant, "newer");
        for claimed in claimed {
            world.meta.script(Answer::Refuses(TOKEN_REFUSED));
            let ended = world.call(&process, claimed);
            world.record(&process, ended);
        }
        assert_eq!(hold_of_number(world, &tenant), None);
        world.reconcile(&process);
        assert_eq!(
            messages.map(|message| world.look(message).status()),
            [Status::Queued; 3]
        );
        for _ in 0..messages.len() {
            world.send(&process);
            assert_eq!(world.request().token, "newer");
        }
        assert_eq!(messages.map(|message| world.look(message).status()), [Status::Sent; 3]);
    });
}

#[test]
fn t16_a_success_with_a_token_that_was_replaced_does_not_end_the_hold_of_the_new_one() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        let old = world.claim(&process);
        world.replace_token(&process, &tenant, "newer");
        for text in ["second", "third", "fourth"] {
            world.accept(&process, &tenant.id, text);
            world.send_and(&process, Answer::Refuses(TOKEN_REFUSED));
        }
        assert_eq!(hold_of_number(world, &tenant), Some(HoldReason::CredentialsInvalid));
        let ended = world.call(&process, old);
        world.record(&process, ended);
        assert_eq!(hold_of_number(world, &tenant), Some(HoldReason::CredentialsInvalid));
    });
}

#[test]
fn t16_a_restricted_account_holds_the_number_until_a_probe_goes_through() {
    in_each_kind(|world: &World| {
        let (process, tenant, first) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::Refuses(ACCOUNT_RESTRICTED));
        assert_eq!(world.look(first).hold_reason(), Some(HoldReason::AccountRestricted));
        assert_eq!(hold_of_number(world, &tenant), Some(HoldReason::AccountRestricted));

        let second = world.accept(&process, &tenant.id, "second");
        assert_eq!(world.prepare(&process).sends.len(), 0);
        world.reconcile_after(&process, MINUTE * 50);
        assert_eq!(
            world.look(first).status(),
            Status::Held,
            "the next probe is after an hour"
        );

        world.reconcile_after(&process, MINUTE * 10);
        let queued = [first, second].map(|message| world.look(message).status());
        assert_eq!(queued, [Status::Queued; 2], "any of them may be the probe");
        let prepared = world.prepare(&process);
        assert_eq!(prepared.sends.len(), 1, "and one of them is");
        let claimed = world.claim_prepared(&process, prepared).remove(0);
        let ended = world.call(&process, claimed);
        world.record(&process, ended);
        assert_eq!(hold_of_number(world, &tenant), None);

        world.reconcile(&process);
        world.send(&process);
        let sent = [first, second].map(|message| world.look(message).status());
        assert_eq!(sent, [Status::Sent; 2]);
    });
}

#[test]
fn t16_a_probe_that_is_refused_leaves_the_number_on_hold() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.send_and(&process, Answer::Refuses(ACCOUNT_RESTRICTED));
        world.reconcile_after(&process, MINUTE * 60);
        world.send_and(&process, Answer::Refuses(ACCOUNT_RESTRICTED));
        assert_eq!(world.look(message).status(), Status::Held);
        assert_eq!(hold_of_number(world, &tenant), Some(HoldReason::AccountRestricted));
        world.accept(&process, &tenant.id, "no probe");
        assert_eq!(world.prepare(&process).sends.len(), 0, "the next probe is in an hour");
    });
}

/// Meta took a message, and reports later, with this code, that it failed; it happened so long ago.
fn hold_after_report(world: &World, code: i64, ago: Duration) -> Option<HoldReason> {
    let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
    world.send(&process);
    world.promises.reported_failed(message, 1);
    let mut report = Meta::report(&world.request(), EvidenceStatus::Failed);
    report.error = Some(SendError {
        code: Some(code),
        ..SendError::default()
    });
    report.reported_at = Some(world.now() - ago);
    world
        .receive(&process, vec![WebhookPart::Status(report)])
        .expect("received");
    assert_eq!(world.look(message).status(), Status::Failed);
    hold_of_number(world, &tenant)
}

#[test]
fn t16_a_restriction_that_comes_as_a_status_holds_the_number_like_an_answer() {
    for code in [131_042, 131_031, 368, 131_048] {
        in_each_kind(|world: &World| {
            let hold = hold_after_report(world, code, SECOND);
            assert_eq!(hold, Some(HoldReason::AccountRestricted), "{code}");
        });
    }
    for code in [131_026, 131_049, 190] {
        in_each_kind(|world: &World| assert_eq!(hold_after_report(world, code, SECOND), None, "{code}"));
    }
}

#[test]
fn t16_a_restriction_that_is_reported_hours_later_holds_nothing() {
    in_each_kind(|world: &World| assert_eq!(hold_after_report(world, 131_042, MINUTE * 120), None));
}

#[test]
fn t16_a_status_whose_hold_cannot_be_stored_is_posted_again() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        world.promises.reported_failed(message, 1);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Failed);
        report.error = Some(SendError {
            code: Some(ACCOUNT_RESTRICTED),
            ..SendError::default()
        });
        let parts = || vec![WebhookPart::Status(report.clone())];
        world.wire.script(Call::SaveTenant, Fate::FailsBefore);
        assert!(world.receive(&process, parts()).is_err());
        assert_eq!(hold_of_number(world, &tenant), None);
        world.receive(&process, parts()).expect("received");
        assert_eq!(hold_of_number(world, &tenant), Some(HoldReason::AccountRestricted));
    });
}
