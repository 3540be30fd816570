//! Crashes while a webhook is stored.

use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{Status, Tenant};
use dakghar_core::ports::{EventStore as _, MessageStore as _};

use crate::steps::{MINUTE, in_each_kind, in_world, number};
use crate::world::meta::Meta;
use crate::world::ports::at_once;
use crate::world::seen::Seen;
use crate::world::wire::{Call, Fate};
use crate::world::{Kind, World};

/// The messages that the tenant received from people.
fn received(world: &World) -> Vec<Seen> {
    let all = world.promises.all(&world.store);
    all.into_iter().filter(|seen| !seen.is_outbound()).collect()
}

/// Meta posts until somebody answers, and a new process begins after the crash.
fn post_and_start_again(world: &World, parts: Vec<WebhookPart>) {
    world.meta.post(world, parts);
    world.wire.executor.settle();
    assert_eq!(world.meta.posts_open(), 1, "nobody answered");
    world.idle_process();
    world.run_for(MINUTE * 5);
    assert_eq!(world.meta.posts_open(), 0, "it was posted again");
}

fn message_from_a_person(tenant: &Tenant) -> WebhookPart {
    WebhookPart::Message(Meta::inbound(&number(tenant), "919333333333", "wamid.inbound.1"))
}

#[test]
fn crash_between_storing_a_webhook_and_the_200_is_absorbed_by_every_write() {
    for call in [Call::Receive, Call::RecordEvents, Call::RecordStatuses] {
        in_each_kind(|world: &World| {
            let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
            world.send(&process);
            let report = Meta::report(&world.request(), EvidenceStatus::Delivered);
            let parts = vec![
                message_from_a_person(&tenant),
                WebhookPart::Status(report),
                WebhookPart::Other(Meta::news(&number(&tenant), "news")),
            ];
            world.wire.script(call, Fate::CrashesAfter);
            post_and_start_again(world, parts);
            assert!(!process.is_alive());

            assert_eq!(received(world).len(), 1, "after a crash at {call:?}");
            let seen = world.look(message);
            let delivered = seen.timeline().iter();
            let delivered = delivered.filter(|entry| entry.detail.as_deref() == Some("delivered"));
            assert_eq!((seen.status(), delivered.count()), (Status::Delivered, 1));
            let events = at_once(world.store.list(Some(&tenant.id), None, PageLimit::items(9)))
                .expect("no outage")
                .items;
            assert_eq!(events.len(), 1, "after a crash at {call:?}");
        });
    }
}

#[test]
fn crash_between_storing_a_received_message_and_moving_its_conversation_is_healed_by_the_repetition() {
    // Embedded, both are one transaction.
    in_world(Kind::Distributed, |world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let before = Meta::inbound(&number(&tenant), "919333333333", "wamid.inbound.0");
        world
            .receive(&process, vec![WebhookPart::Message(before)])
            .expect("received");
        let older = world.conversations(&tenant)[0].last_message_id;
        world.run_for(MINUTE * 5);
        world.wire.script(Call::MoveConversation, Fate::CrashesBefore);
        world.meta.post(world, vec![message_from_a_person(&tenant)]);
        world.wire.executor.settle();
        assert!(!process.is_alive());
        let messages = received(world);
        assert_eq!(messages.len(), 2, "the message is stored");
        let conversation = world.conversations(&tenant).remove(0);
        assert_eq!(conversation.last_message_id, older, "and its conversation an older one");

        world.idle_process();
        world.run_for(MINUTE * 5);
        assert_eq!(received(world), messages, "the repetition is stored no second time");
        let conversations = world.conversations(&tenant);
        let newest = messages.iter().map(|seen| seen.key().message_id).max();
        assert_eq!(conversations.len(), 1);
        assert_eq!(Some(conversations[0].last_message_id), newest);
        assert!(conversations[0].last_inbound_at > conversation.last_inbound_at);
    });
}

#[test]
fn crash_between_recording_a_failure_and_saving_its_message_is_healed_by_the_repetition() {
    for (call, fate) in [
        (Call::RecordStatuses, Fate::CrashesAfter),
        (Call::Query, Fate::CrashesAfter),
        (Call::Load, Fate::CrashesAfter),
        (Call::Save, Fate::CrashesBefore),
        (Call::Save, Fate::CrashesAfter),
    ] {
        in_each_kind(|world: &World| {
            let (process, _, message) = world.queued(UnknownOutcome::Fail);
            world.send(&process);
            world.promises.reported_failed(message, 1);
            let report = Meta::report(&world.request(), EvidenceStatus::Failed);
            world.wire.script(call, fate);
            post_and_start_again(world, vec![WebhookPart::Status(report)]);
            assert!(!process.is_alive());
            let stored = at_once(world.store.load(&[message])).remove(0).expect("no outage");
            let status = stored.map(|message| message.delivery.status);
            assert_eq!(status, Some(Status::Failed), "after a crash at {call:?}");
        });
    }
}
