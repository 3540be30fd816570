//! Messages.

use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::message::{
    ATTEMPTS_MAX_DEFAULT, Accepted, Content, DeadReason, Delivery, Idempotency, Origin, Priority, Receipt,
    ReportedStatus, SendError, SentStatus, Terms, TimelineEntry, TimelineEvent, UnknownOutcome,
};
use dakghar_core::domain::{
    ConversationId, ConversationKind, Direction, HoldReason, Message, MessageId, Status, TenantId, Timestamp,
};

use dakghar_core::ports::Save;

use super::{IDS, at, idempotency_key, person, phone_number_id, wamid};
use crate::ids::uuid_of;

/// An outbound text message, just accepted: queued, without a slot or a timer, without an idempotency key.
pub fn outbound(tenant_id: TenantId) -> Message {
    let (id, created_at) = next_id();
    let accepted = Accepted {
        id,
        tenant_id,
        phone_number_id: phone_number_id(),
        direction: Direction::Outbound,
        peer: Some("+919111111111".into()),
        peer_id: Some(person("919111111111")),
        content: Content {
            kind: "text".into(),
            body: r#"{"body":"Hello"}"#.into(),
            envelope: None,
            frame: None,
            removed_at: None,
        },
        idempotency: None,
        metadata: None,
        client_opaque: None,
        priority: Priority::Normal,
        unknown_outcome: UnknownOutcome::Auto,
        attempts_max: ATTEMPTS_MAX_DEFAULT,
        created_at,
        origin: Origin::Client,
        conversation_kind: ConversationKind::Person,
        sender: None,
        terms: Terms::default(),
        trace: None,
    };
    let mut delivery = Delivery::queued(created_at);
    delivery.timeline = vec![TimelineEntry::new(created_at, TimelineEvent::Accepted)];
    Message { accepted, delivery }
}

/// What a store is asked to save of these messages.
pub fn saves<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<Save> {
    messages.into_iter().map(Save::quiet).collect()
}

/// Changes a sample where it is made.
pub trait With: Sized {
    /// The same, changed by `change`.
    #[must_use]
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl With for Message {}

/// As [`outbound`], accepted under this idempotency key. The fingerprint is different for every sample.
pub fn with_key(tenant_id: TenantId, key: &str) -> Message {
    let mut message = outbound(tenant_id);
    message.accepted.idempotency = Some(Idempotency {
        key: idempotency_key(key),
        fingerprint: fingerprint_of(&message),
    });
    message
}

/// An outbound message with every field set, to something else than its default. No such message can exist; it
/// shows that no field is lost on the way.
#[expect(clippy::too_many_lines, reason = "every field of a message")]
pub fn outbound_full(tenant_id: TenantId) -> Message {
    let (id, created_at) = next_id();
    let peer_id = person("919222222222");
    let conversation_id = ConversationId::of(&tenant_id, &phone_number_id(), &peer_id);
    Message {
        accepted: Accepted {
            id,
            tenant_id,
            phone_number_id: phone_number_id(),
            direction: Direction::Outbound,
            peer: Some("+91 92222 22222".into()),
            peer_id: Some(peer_id),
            content: Content {
                kind: "template".into(),
                // Key order, spaces, escapes and the form of numbers must survive: this text is what the client signed.
                body: "{\"name\":\"order_update\", \"n\":1.0e2,\"a\\u0041\":\"ঢাকা 📮\",\"b\":null}".into(),
                envelope: Some(r#"{"recipient_type":"individual","context":{"message_id":"wamid.x"}}"#.into()),
                frame: None,
                removed_at: None,
            },
            idempotency: Some(Idempotency {
                key: idempotency_key("order 1234/~"),
                fingerprint: [0xfe; 32],
            }),
            metadata: Some(r#"{"order":"1234","n":1.50}"#.into()),
            client_opaque: Some("their own \u{1F4E6} data".into()),
            priority: Priority::Low,
            unknown_outcome: UnknownOutcome::Fail,
            attempts_max: 7,
            created_at,
            origin: Origin::Client,
            conversation_kind: ConversationKind::Group,
            sender: Some("+91 1".into()),
            terms: Terms {
                marketing: true,
                open_window: true,
            },
            trace: None,
        },
        delivery: Delivery {
            expires_at: Some(at(86_400_001)),
            status: Status::InDoubt,
            epoch: u64::from(u32::MAX) + 5,
            attempt: 4,
            attempts_refunded: 2,
            strikes: 3,
            lease: Some(Lease {
                owner: "worker-1".into(),
                until: at(45_003),
            }),
            called_at: Some(at(11_003)),
            maybe_sent: true,
            grace_until: Some(at(120_007)),
            slot_at: Some(at(10_009)),
            drive: 6,
            wake_at: Some(at(121_011)),
            enqueued_at: Some(at(9_013)),
            dead_reason: Some(DeadReason::OutcomeUnknown),
            hold_reason: Some(HoldReason::AccountRestricted),
            wamid: Some(wamid("wamid.FULL1")),
            wamids: vec![wamid("wamid.FULL1"), wamid("wamid.FULL2")],
            error: Some(send_error_full()),
            receipt: Some(Receipt {
                status: Some("held_for_quality_assessment".into()),
                wa_id: Some("8801711000000".into()),
                user_id: Some("BD.13491208655302741918".into()),
            }),
            status_seen_at: Some(at(12_017)),
            conversation_id: Some(conversation_id),
            timeline: vec![
                TimelineEntry::new(created_at, TimelineEvent::Accepted),
                TimelineEntry {
                    at: at(11_003),
                    event: TimelineEvent::Attempt,
                    attempt: Some(3),
                    detail: Some("refused: \"slow down\"".into()),
                    until: Some(at(13_000)),
                    error: Some(send_error_full()),
                },
                TimelineEntry::new(at(11_004), TimelineEvent::InDoubt).error(Some(SendError {
                    message: "connection closed".into(),
                    ..SendError::default()
                })),
            ],
            updated_at: at(12_019),
            version: 0,
        },
    }
}

/// An inbound text message that came in under this wamid.
pub fn inbound(tenant_id: TenantId, wamid_text: &str) -> Message {
    let Message { accepted, .. } = outbound(tenant_id);
    let peer_id = person("919333333333");
    let mut delivery = Delivery::received(accepted.created_at);
    delivery.wamid = Some(wamid(wamid_text));
    delivery.conversation_id = Some(ConversationId::of(&tenant_id, &accepted.phone_number_id, &peer_id));
    delivery.timeline = vec![TimelineEntry::new(accepted.created_at, TimelineEvent::Received)];
    let accepted = Accepted {
        direction: Direction::Inbound,
        peer: Some("919333333333".into()),
        peer_id: Some(peer_id),
        origin: Origin::Person,
        content: Content {
            kind: "text".into(),
            body: r#"{"body":"Hi!"}"#.into(),
            envelope: Some(r#"{"from":"919333333333","type":"text","text":{"body":"Hi!"}}"#.into()),
            frame: Some(
                r#"{"id":"900","changes":[{"field":"messages","value":{"contacts":[{"profile":{"name":"Asha"}}]}}]}"#
                    .into(),
            ),
            removed_at: None,
        },
        ..accepted
    };
    Message { accepted, delivery }
}

/// An inbound message of which Meta told as little as it can.
pub fn inbound_bare(tenant_id: TenantId, wamid_text: &str) -> Message {
    let Message { accepted, mut delivery } = inbound(tenant_id, wamid_text);
    delivery.conversation_id = None;
    delivery.timeline = Vec::new();
    let accepted = Accepted {
        peer: None,
        peer_id: None,
        content: Content {
            kind: "unknown".into(),
            body: "null".into(),
            envelope: None,
            frame: None,
            removed_at: None,
        },
        ..accepted
    };
    Message { accepted, delivery }
}

/// A message that the business typed in its app, reported under this wamid.
pub fn echo(tenant_id: TenantId, wamid_text: &str) -> Message {
    let Message { accepted, delivery } = inbound(tenant_id, wamid_text);
    let mut reported = Delivery::reported(
        ReportedStatus::Sent(SentStatus::Sent),
        wamid(wamid_text),
        accepted.created_at,
    );
    reported.conversation_id = delivery.conversation_id;
    reported.timeline = delivery.timeline;
    let accepted = Accepted {
        direction: Direction::Outbound,
        origin: Origin::BusinessApp,
        ..accepted
    };
    Message {
        accepted,
        delivery: reported,
    }
}

/// What Meta said, with every field.
pub fn send_error_full() -> SendError {
    SendError {
        code: Some(131_026),
        subcode: Some(-2_494_073),
        http_status: Some(400),
        message: "Message undeliverable".into(),
        details: Some("পৌঁছানো যায়নি".into()),
        fbtrace_id: Some("AbC123".into()),
    }
}

fn next_id() -> (MessageId, Timestamp) {
    let count = IDS.count();
    (MessageId::from_uuid(uuid_of(count)), at(count))
}

fn fingerprint_of(message: &Message) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    fingerprint[16..].copy_from_slice(message.accepted.id.as_uuid().as_bytes());
    fingerprint
}
