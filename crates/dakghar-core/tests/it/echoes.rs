//! Messages that the business wrote elsewhere, and those written in groups.

use std::time::Duration;

use dakghar_core::domain::message::{EvidenceStatus, Origin, ReportedStatus, SentStatus, UnknownOutcome};
use dakghar_core::domain::page::{MessageQuery, PageLimit};
use dakghar_core::domain::standing::Wave;
use dakghar_core::domain::webhook::{InboundMessage, WebhookPart};
use dakghar_core::domain::{Conversation, ConversationKind, Direction, ErrorCode, MessageKey, Status, Tenant};
use dakghar_core::ports::{ConversationStore as _, ListStore as _, MessageStore as _};
use dakghar_testkit::samples;

use crate::steps::{MINUTE, code, ignoring_expiry, in_each_kind, number};
use crate::world::World;
use crate::world::meta::Meta;
use crate::world::ports::at_once;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn echo(tenant: &Tenant, wamid: &str) -> InboundMessage {
    InboundMessage {
        origin: Origin::BusinessApp,
        status: ReportedStatus::Sent(SentStatus::Sent),
        ..Meta::inbound(&number(tenant), "919333333333", wamid)
    }
}

fn in_group(tenant: &Tenant, wamid: &str) -> InboundMessage {
    InboundMessage {
        conversation_kind: ConversationKind::Group,
        peer: Some("Y2Fw".into()),
        peer_id: Some(samples::person("Y2Fw")),
        sender: Some("919333333333".into()),
        ..Meta::inbound(&number(tenant), "Y2Fw", wamid)
    }
}

fn key_of(world: &World, tenant: &Tenant, wamid: &str) -> MessageKey {
    let listed = at_once(world.store.messages(
        &tenant.id,
        &MessageQuery {
            limit: PageLimit::items(99),
            ..MessageQuery::default()
        },
    ));
    let items = listed.expect("no outage").items;
    let mut found = items
        .iter()
        .filter(|message| message.delivery.wamid == Some(samples::wamid(wamid)));
    let key = found.next().expect("it is stored").key();
    assert!(found.next().is_none(), "it is stored once");
    key
}

fn conversations(world: &World, tenant: &Tenant) -> Vec<Conversation> {
    at_once(world.store.list(&tenant.id, None, PageLimit::items(99)))
        .expect("no outage")
        .items
}

#[test]
fn an_echo_is_outbound_and_sent_opens_no_window_and_is_stored_once() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let parts = vec![WebhookPart::Message(echo(&tenant, "wamid.e1"))];
        let receipt = world.receive(&process, parts.clone()).expect("received");
        assert_eq!((receipt.messages, receipt.echoes, receipt.duplicates), (0, 1, 0));
        let receipt = world.receive(&process, parts).expect("received");
        assert_eq!((receipt.messages, receipt.echoes, receipt.duplicates), (0, 0, 1));
        let seen = world.look(key_of(world, &tenant, "wamid.e1"));
        assert_eq!(seen.status(), Status::Sent);
        assert!(seen.is_outbound());
        let [conversation] = &conversations(world, &tenant)[..] else {
            panic!("one conversation")
        };
        assert_eq!(conversation.customer_service_window_until(), None);
        assert_eq!(conversation.wa_id.as_str(), "919333333333");
        // The person answers in the same conversation.
        let answer = Meta::inbound(&number(&tenant), "919333333333", "wamid.a1");
        world
            .receive(&process, vec![WebhookPart::Message(answer)])
            .expect("received");
        let [answered] = &conversations(world, &tenant)[..] else {
            panic!("one conversation")
        };
        assert_eq!(answered.id, conversation.id);
        assert!(answered.customer_service_window_until().is_some());
    });
}

#[test]
fn statuses_of_an_echo_are_merged_and_a_failure_makes_no_dead_letter() {
    in_each_kind(|world: &World| {
        let (process, tenant, ours) = world.queued(UnknownOutcome::Fail);
        world.send(&process);
        let mut report = Meta::report(&world.request(), EvidenceStatus::Failed);
        (report.opaque, report.wamid) = (None, samples::wamid("wamid.e1"));
        world
            .receive(&process, vec![WebhookPart::Message(echo(&tenant, "wamid.e1"))])
            .expect("received");
        let key = key_of(world, &tenant, "wamid.e1");
        let receive = |status| {
            let report = dakghar_core::domain::webhook::StatusReport {
                status,
                raw: format!("{} of an echo", status.as_str()).into(),
                ..report.clone()
            };
            let receipt = world
                .receive(&process, vec![WebhookPart::Status(report)])
                .expect("received");
            assert_eq!((receipt.statuses, receipt.unrouted), (1, 0));
            world.look(key).status()
        };
        assert_eq!(receive(EvidenceStatus::Failed), Status::Sent);
        let dead = at_once(world.store.dead_letters(Some(&tenant.id), None, PageLimit::items(9)));
        assert!(dead.expect("no outage").items.is_empty());
        let redriven = {
            let (process, id, message) = (process.clone(), tenant.id, key.message_id.to_string());
            world.step(async move { process.redrive(&id, &message, ignoring_expiry(true)).await })
        };
        assert_eq!(code(&redriven), Some(ErrorCode::NotRedrivable));
        let cancelled = {
            let (process, id, message) = (process.clone(), tenant.id, key.message_id.to_string());
            world.step(async move { process.cancel(&id, &message).await })
        };
        assert_eq!(code(&cancelled), Some(ErrorCode::NotCancellable));
        assert_eq!(receive(EvidenceStatus::Delivered), Status::Delivered);
        assert_eq!(receive(EvidenceStatus::Read), Status::Read);
        // It is no sign that statuses of our calls arrive, nor is anything waiting.
        let stored = at_once(world.store.load(&[key]))
            .remove(0)
            .expect("no outage")
            .expect("it is there");
        assert_eq!((stored.delivery.called_at, stored.delivery.wake_at), (None, None));
        let waiting = at_once(world.store.count_unsettled(&[(tenant.id, 9)])).expect("no outage");
        assert_eq!(waiting, [0]);
        assert_eq!(world.look(ours).status(), Status::Sent);
        world.run_for(MINUTE * 10);
        assert_eq!(world.look(key).status(), Status::Read);
    });
}

#[test]
fn a_history_opens_no_window_and_is_not_new() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let mut theirs = Meta::inbound(&number(&tenant), "919333333333", "wamid.h1");
        theirs.origin = Origin::History;
        theirs.sent_at = Some(world.now() - DAY * 3);
        let mut ours = theirs.clone();
        ours.wamid = samples::wamid("wamid.h2");
        ours.status = ReportedStatus::Sent(SentStatus::Read);
        let parts = vec![WebhookPart::Message(theirs.clone()), WebhookPart::Message(ours)];
        let receipt = world.receive(&process, parts.clone()).expect("received");
        assert_eq!((receipt.messages, receipt.echoes), (0, 2));
        let receipt = world.receive(&process, parts).expect("received");
        assert_eq!((receipt.echoes, receipt.duplicates), (0, 2));
        assert_eq!(
            world.look(key_of(world, &tenant, "wamid.h1")).status(),
            Status::Received
        );
        assert_eq!(world.look(key_of(world, &tenant, "wamid.h2")).status(), Status::Read);
        let [conversation] = &conversations(world, &tenant)[..] else {
            panic!("one conversation")
        };
        assert_eq!(conversation.customer_service_window_until(), None);
        assert_eq!(
            Some(conversation.last_message_at),
            theirs.sent_at,
            "it is not in front of today's"
        );
    });
}

#[test]
fn how_far_a_history_is_stays_with_its_number_and_a_repetition_counts_nothing() {
    use dakghar_core::ports::TenantStore as _;

    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let piece = |chunk: u32, progress: u32| {
            let mut part = Meta::news(&number(&tenant), &format!("piece {chunk}"));
            part.field = "history".into();
            part.waves = vec![Wave {
                phase: Some(0),
                chunk: Some(chunk),
                progress: Some(progress),
                messages: 10,
                is_declined: false,
            }];
            WebhookPart::Other(part)
        };
        for part in [piece(1, 30), piece(2, 100), piece(1, 30), piece(2, 100)] {
            world.receive(&process, vec![part]).expect("received");
        }
        let stored = at_once(world.store.find_all(&[tenant.id])).pop();
        let stored = stored.expect("an answer").expect("no outage").expect("it exists");
        let history = stored.phone_numbers[0].standing.history.clone().expect("it came");
        assert_eq!((history.progress, history.messages), (100, 20));
        assert!(history.finished_at.is_some());
    });
}

#[test]
fn a_group_is_one_conversation_for_both_directions_without_a_window() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        world
            .receive(&process, vec![WebhookPart::Message(in_group(&tenant, "wamid.g1"))])
            .expect("received");
        let body = r#"{"to":"Y2Fw","recipient_type":"group","type":"text","text":{"body":"answer"}}"#;
        let accepted = {
            let (process, id) = (process.clone(), tenant.id);
            world.step(async move { process.accept(&id, body, None).await })
        };
        accepted.expect("accepted");
        world.send(&process);
        let [conversation] = &conversations(world, &tenant)[..] else {
            panic!("one conversation")
        };
        assert_eq!(
            (conversation.kind, conversation.wa_id.as_str()),
            (ConversationKind::Group, "Y2Fw")
        );
        assert_eq!(conversation.customer_service_window_until(), None);
        let listed = at_once(world.store.messages(
            &tenant.id,
            &MessageQuery {
                limit: PageLimit::items(9),
                ..MessageQuery::default()
            },
        ));
        let listed = listed.expect("no outage").items;
        let seen: Vec<_> = listed
            .iter()
            .map(|message| {
                (
                    message.accepted.direction,
                    message.delivery.conversation_id,
                    message.accepted.sender.as_deref(),
                )
            })
            .collect();
        let id = Some(conversation.id);
        assert_eq!(
            seen,
            [
                (Direction::Outbound, id, None),
                (Direction::Inbound, id, Some("919333333333"))
            ]
        );
    });
}
