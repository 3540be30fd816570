//! Receiving: every part is durable before the answer, and one POST does not spoil another.

use dakghar_core::domain::message::{EvidenceStatus, UnknownOutcome};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{ErrorCode, EventReason, MessageKey, Status, Tenant};
use dakghar_core::ports::EventStore as _;
use futures_util::future::join;

use crate::steps::{MINUTE, code, in_each_kind, number};
use crate::world::meta::Meta;
use crate::world::ports::at_once;
use crate::world::seen::Seen;
use crate::world::wire::{Call, Fate};
use crate::world::{APP, World};

fn received(world: &World) -> Vec<Seen> {
    let all = world.promises.all(&world.store);
    all.into_iter().filter(|seen| !seen.is_outbound()).collect()
}

fn inbound(tenant: &Tenant, wamid: &str) -> WebhookPart {
    WebhookPart::Message(Meta::inbound(&number(tenant), "919333333333", wamid))
}

fn news(tenant: &Tenant, text: &str) -> WebhookPart {
    WebhookPart::Other(Meta::news(&number(tenant), text))
}

pub fn events(world: &World, tenant: Option<&Tenant>) -> Vec<EventReason> {
    let listed = at_once(
        world
            .store
            .list(tenant.map(|tenant| &tenant.id), None, PageLimit::items(99)),
    );
    let listed = listed.expect("no outage");
    listed.items.iter().map(|event| event.reason).collect()
}

#[test]
fn every_part_is_durable_before_the_answer() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let report = Meta::report(&world.request(), EvidenceStatus::Delivered);
        let parts = vec![
            inbound(&tenant, "wamid.1"),
            WebhookPart::Status(report),
            news(&tenant, "news"),
        ];
        let receipt = world.receive(&process, parts).expect("received");
        assert_eq!((receipt.messages, receipt.statuses, receipt.events), (1, 1, 1));
        assert_eq!((receipt.unrouted, receipt.duplicates), (0, 0));
        assert_eq!(received(world).len(), 1);
        assert_eq!(world.look(message).status(), Status::Delivered);
        assert_eq!(events(world, Some(&tenant)), [EventReason::Routed]);
    });
}

#[test]
fn a_part_that_is_not_durable_makes_the_answer_an_error_whatever_became_of_the_others() {
    for call in [Call::Receive, Call::RecordStatuses, Call::RecordEvents, Call::Owners] {
        for fate in [Fate::FailsBefore, Fate::FailsAfter] {
            in_each_kind(|world: &World| {
                let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
                world.send(&process);
                let report = Meta::report(&world.request(), EvidenceStatus::Delivered);
                let parts = vec![
                    inbound(&tenant, "wamid.1"),
                    WebhookPart::Status(report),
                    news(&tenant, "news"),
                ];
                world.wire.script(call, fate);
                let first = world.receive(&process, parts.clone());
                assert_eq!(code(&first), Some(ErrorCode::StoreUnavailable), "{call:?} {fate:?}");

                world.receive(&process, parts).expect("posted again");
                assert_eq!(received(world).len(), 1, "{call:?} {fate:?}");
                assert_eq!(world.look(message).status(), Status::Delivered);
                assert_eq!(events(world, Some(&tenant)).len(), 1, "{call:?} {fate:?}");
            });
        }
    }
}

#[test]
fn a_message_that_comes_again_with_another_content_is_kept_beside_the_first() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Auto);
        let of = |raw: &str| {
            let mut inbound = Meta::inbound(&number(&tenant), "919333333333", "wamid.1");
            inbound.raw = raw.into();
            WebhookPart::Message(inbound)
        };
        let first = of(r#"{"id":"wamid.1","text":{"body":"hello"}}"#);
        let other = of(r#"{"id":"wamid.1","text":{"body":"hello!"}}"#);
        world.receive(&process, vec![first.clone()]).expect("received");
        // Word for word, in another order, and beside what is new.
        let reordered = of(r#"{"text": {"body": "hello"}, "id": "wamid.1"}"#);
        let again = vec![first.clone(), reordered, inbound(&tenant, "wamid.2")];
        world.receive(&process, again).expect("received");
        assert_eq!(events(world, Some(&tenant)), [], "it says nothing new");
        for _ in 0..2 {
            world
                .receive(&process, vec![other.clone(), first.clone()])
                .expect("received");
        }
        assert_eq!(events(world, Some(&tenant)), [EventReason::Corrected], "once");
        let listed = at_once(world.store.list(Some(&tenant.id), None, PageLimit::items(9))).expect("no outage");
        assert!(listed.items[0].raw.contains("hello!"), "{:?}", listed.items[0]);
        assert_eq!(received(world).len(), 2);
        // Not stored is not answered.
        let third = of(r#"{"id":"wamid.1","text":{"body":"bye"}}"#);
        for call in [Call::Load, Call::RecordEvents] {
            world.wire.script(call, Fate::FailsBefore);
            let failed = world.receive(&process, vec![third.clone()]);
            assert_eq!(code(&failed), Some(ErrorCode::StoreUnavailable), "{call:?}");
        }
        world.receive(&process, vec![third]).expect("posted again");
        assert_eq!(events(world, Some(&tenant)).len(), 2);
    });
}

#[test]
fn a_failure_that_is_not_saved_makes_the_answer_an_error() {
    for call in [Call::RecordStatuses, Call::Query, Call::Load, Call::Save] {
        for fate in [Fate::FailsBefore, Fate::FailsAfter] {
            in_each_kind(|world: &World| {
                let (process, _, message) = world.queued(UnknownOutcome::Fail);
                world.send(&process);
                world.promises.reported_failed(message, 1);
                let parts = vec![WebhookPart::Status(Meta::report(
                    &world.request(),
                    EvidenceStatus::Failed,
                ))];
                world.wire.script(call, fate);
                let first = world.receive(&process, parts.clone());
                assert_eq!(code(&first), Some(ErrorCode::StoreUnavailable), "{call:?} {fate:?}");
                world.receive(&process, parts).expect("posted again");
                assert_eq!(world.look(message).status(), Status::Failed);
            });
        }
    }
}

#[test]
fn statuses_of_more_messages_than_one_load_reads_are_all_durable_before_the_answer() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let messages: Vec<_> = (0..20).map(|_| world.accept_large(&process, &tenant.id, "")).collect();
        while world.requests() < messages.len() {
            world.run_for(MINUTE);
            let prepared = world.prepare(&process);
            for claimed in world.claim_prepared(&process, prepared) {
                let ended = world.call(&process, claimed);
                world.record(&process, ended);
            }
            world.reconcile(&process);
        }
        let report = |message: &MessageKey| Meta::report(&world.request_of(*message), EvidenceStatus::Failed);
        for message in &messages {
            world.promises.reported_failed(*message, 1);
        }
        let parts: Vec<_> = messages.iter().map(report).map(WebhookPart::Status).collect();
        let receipt = world.receive(&process, parts).expect("received");
        assert_eq!((receipt.statuses, receipt.unrouted), (20, 0));
        for message in messages {
            assert_eq!(world.look(message).status(), Status::Failed);
        }
    });
}

#[test]
fn an_orphaned_status_is_durable_before_the_answer() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let report = Meta::report(&world.request(), EvidenceStatus::Delivered);
        at_once(dakghar_core::ports::Erasure::erase(
            &*world.store,
            &message.tenant_id,
            9,
        ))
        .expect("erased");
        world.wire.script(Call::RecordEvents, Fate::FailsBefore);
        let first = world.receive(&process, vec![WebhookPart::Status(report.clone())]);
        assert_eq!(code(&first), Some(ErrorCode::StoreUnavailable));
        let receipt = world.receive(&process, vec![WebhookPart::Status(report)]);
        let receipt = receipt.expect("received");
        assert_eq!((receipt.statuses, receipt.unrouted), (0, 1));
        assert_eq!(events(world, Some(&tenant)), [EventReason::UnknownMessage]);
    });
}

#[test]
fn a_repeated_webhook_is_stored_once_and_its_conversation_is_that_of_the_first() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let parts = || vec![inbound(&tenant, "wamid.1"), news(&tenant, "news")];
        world.receive(&process, parts()).expect("received");
        let first = received(world);
        world.run_for(MINUTE * 5);

        let receipt = world.receive(&process, parts()).expect("received again");
        assert_eq!((receipt.messages, receipt.duplicates), (0, 1));
        assert_eq!(received(world), first);
        assert_eq!(events(world, Some(&tenant)).len(), 1);
        let conversations = world.conversations(&tenant);
        assert_eq!(conversations.len(), 1);
        assert_eq!(Some(conversations[0].id), first[0].conversation());
        assert_eq!(conversations[0].last_message_id, first[0].key().message_id);
    });
}

#[test]
fn a_message_that_comes_twice_in_one_webhook_is_stored_once() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let parts = vec![inbound(&tenant, "wamid.1"), inbound(&tenant, "wamid.1")];
        let receipt = world.receive(&process, parts).expect("received");
        assert_eq!((receipt.messages, receipt.duplicates), (1, 1));
        assert_eq!(received(world).len(), 1);
    });
}

#[test]
fn a_failed_merge_of_one_post_does_not_fail_another_post_in_the_same_commit() {
    in_each_kind(|world: &World| {
        let (process, tenant, message) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let report = Meta::report(&world.request(), EvidenceStatus::Delivered);
        // Known to the process, so that both POSTs come to the commit at the same time.
        world.receive(&process, vec![news(&tenant, "first")]).expect("received");
        let commits = || world.wire.calls().iter().filter(|call| **call == Call::Receive).count();
        let before = commits();
        world.wire.script(Call::RecordStatuses, Fate::FailsBefore);
        let posts = [
            vec![inbound(&tenant, "wamid.1"), WebhookPart::Status(report)],
            vec![inbound(&tenant, "wamid.2")],
        ];
        let [merging, other] = posts.map(|parts| world.meta.body(parts));
        let (one, two) = (process.clone(), process.clone());
        let (merging, other) = world.step(async move { join(one.receive(&merging), two.receive(&other)).await });
        assert_eq!(commits(), before + 1, "both are in one commit");
        assert_eq!(code(&merging), Some(ErrorCode::StoreUnavailable));
        assert_eq!(other.map(|receipt| receipt.messages), Ok(1));
        assert_eq!(world.look(message).status(), Status::Sent);
    });
}

#[test]
fn parts_of_several_posts_in_one_commit_are_answered_each_for_itself() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let first = vec![news(&tenant, "first"), inbound(&tenant, "wamid.3")];
        world.receive(&process, first).expect("received");
        world.wire.script(Call::RecordEvents, Fate::FailsBefore);
        let posts = [
            vec![
                inbound(&tenant, "wamid.1"),
                inbound(&tenant, "wamid.2"),
                news(&tenant, "second"),
            ],
            vec![inbound(&tenant, "wamid.3")],
        ];
        let [failing, other] = posts.map(|parts| world.meta.body(parts));
        let (one, two) = (process.clone(), process.clone());
        let (failing, other) = world.step(async move { join(one.receive(&failing), two.receive(&other)).await });
        assert_eq!(code(&failing), Some(ErrorCode::StoreUnavailable));
        let other = other.expect("received");
        assert_eq!(
            (other.messages, other.duplicates),
            (0, 1),
            "the new ones are not its own"
        );
        assert_eq!(received(world).len(), 3);
    });
}

#[test]
fn parts_that_belong_to_nobody_are_kept() {
    in_each_kind(|world: &World| {
        let (process, tenant, _) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let stranger = dakghar_testkit::samples::phone("999");
        let mut report = Meta::report(&world.request(), EvidenceStatus::Read);
        report.phone_number_id = stranger.clone();
        let parts = vec![
            WebhookPart::Message(Meta::inbound(&stranger, "919333333333", "wamid.1")),
            WebhookPart::Status(report),
            WebhookPart::Other(Meta::news(&stranger, "news")),
        ];
        let receipt = world.receive(&process, parts).expect("received");
        assert_eq!((receipt.messages, receipt.statuses, receipt.unrouted), (0, 0, 3));
        assert_eq!(events(world, None), [EventReason::UnknownNumber; 3]);
        assert_eq!(events(world, Some(&tenant)), []);
    });
}

#[test]
fn a_tenant_that_cannot_be_read_leaves_its_own_parts_to_the_next_post_and_spoils_no_other() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let broken = world.tenant_with(&process, "222", "token-2", UnknownOutcome::Fail);
        world.unreadable.lock().insert(broken.id);
        let parts = || {
            vec![
                inbound(&broken, "wamid.1"),
                news(&broken, "broken news"),
                inbound(&tenant, "wamid.2"),
                news(&tenant, "news"),
            ]
        };
        let answer = world.receive(&process, parts());
        assert_eq!(code(&answer), Some(ErrorCode::RecordUnreadable), "Meta posts it again");
        let stored = received(world);
        assert_eq!(stored.len(), 1, "everything else is stored");
        assert_eq!(stored[0].key().tenant_id, tenant.id);
        assert_eq!(events(world, Some(&tenant)), [EventReason::Routed]);

        world.unreadable.lock().clear();
        let receipt = world.receive(&process, parts()).expect("mended");
        assert_eq!((receipt.messages, receipt.duplicates), (1, 1));
        assert_eq!(received(world).len(), 2);
        assert_eq!(events(world, Some(&broken)), [EventReason::Routed]);
    });
}

#[test]
fn the_url_of_an_app_takes_its_own_and_of_another_app_nothing_is_kept() {
    in_each_kind(|world: &World| {
        let process = world.process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let post = |app: &'static str| {
            let (process, body) = (process.clone(), world.meta.body(vec![inbound(&tenant, "wamid.1")]));
            world.step(async move { process.receive_for(app, &body).await })
        };
        let verify = |app: &'static str| {
            let process = process.clone();
            world.step(async move { process.verify_for(app).await })
        };
        for other in ["77", "0222", ""] {
            assert_eq!(code(&post(other)), Some(ErrorCode::InvalidSignature), "{other}");
            assert_eq!(code(&verify(other)), Some(ErrorCode::VerificationFailed), "{other}");
        }
        assert_eq!(received(world).len(), 0);
        assert_eq!(post(APP).expect("received").messages, 1);
        assert_eq!(verify(APP), Ok("7".to_owned()));
        assert_eq!(received(world).len(), 1);
    });
}
