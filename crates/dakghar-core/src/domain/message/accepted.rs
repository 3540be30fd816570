//! The part of a message that sending never changes: the client's request, or the person's message.

use std::sync::Arc;

use super::super::conversation::ConversationKind;
use super::super::ids::{ConversationId, IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, WaId};
use super::super::pacing::Priority;
use super::super::time::Timestamp;
use super::super::trace::TraceContext;
use super::direction::Direction;
use super::origin::Origin;
use super::policy::UnknownOutcome;
use super::terms::Terms;

/// The client's key for a send, and the fingerprint of the request under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of the canonical request. It tells a repetition from a different message under the same key.
    pub fingerprint: [u8; 32],
}

/// The content of a message, exactly as the client or Meta wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Meta's name of the type: `text`, `template`, `image` …
    pub kind: Arc<str>,
    /// Meta's object of that type as JSON text, untouched. For an inbound message of no type, `null`.
    pub body: Arc<str>,
    /// Outbound: the other fields that go into Meta's envelope (`context`, `recipient_type` …) as a JSON object.
    /// Inbound: the whole message as received.
    pub envelope: Option<Arc<str>>,
    /// Inbound: what stood around the message in its webhook (see [`framed`](crate::domain::webhook::framed)); `None` if
    /// it was received before that was kept, or could not be kept.
    pub frame: Option<Arc<str>>,
    /// The time it was removed, because its tenant keeps contents no longer. Then only the type is left of it.
    pub removed_at: Option<Timestamp>,
}

/// Stands for a body that was removed: JSON, as every body.
pub const REMOVED_BODY: &str = "null";

impl Content {
    /// Removes all but the type.
    pub fn remove(&mut self, at: Timestamp) {
        self.body = REMOVED_BODY.into();
        self.envelope = None;
        self.frame = None;
        self.removed_at = Some(at);
    }
}

/// A message as it was accepted or received. Nothing changes it afterwards, but that its content may be removed, and its
/// client may come to know it by its gateway id.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// Our id.
    pub id: MessageId,
    /// The owner.
    pub tenant_id: TenantId,
    /// The business number that sends or received it.
    pub phone_number_id: PhoneNumberId,
    /// Its direction.
    pub direction: Direction,
    /// The person (or group) at the other end, as given: `+919111111111`. `None` if Meta hid it.
    pub peer: Option<Arc<str>>,
    /// The other end as a key: digits without `+`, or a business-scoped user id.
    pub peer_id: Option<WaId>,
    /// Its content.
    pub content: Content,
    /// Outbound: the client's idempotency key.
    pub idempotency: Option<Idempotency>,
    /// The client's own data, a flat JSON object as text.
    pub metadata: Option<Arc<str>>,
    /// The client's own `biz_opaque_callback_data`. Ours goes to Meta; this one goes back to the client.
    pub client_opaque: Option<Arc<str>>,
    /// Its order among the number's messages.
    pub priority: Priority,
    /// The policy for a call with an unknown outcome.
    pub unknown_outcome: UnknownOutcome,
    /// Calls that may count against it.
    pub attempts_max: u32,
    /// The time it was accepted or received.
    pub created_at: Timestamp,
    /// Where it was written.
    pub origin: Origin,
    /// What the other end is: a person or a group.
    pub conversation_kind: ConversationKind,
    /// Inbound, in a group: the person who wrote it, as given.
    pub sender: Option<Arc<str>>,
    /// Outbound: the conditions under which it may go out.
    pub terms: Terms,
    /// The span in which it was accepted or received, where traces are kept.
    pub trace: Option<TraceContext>,
    /// Outbound: true if its client was answered with its gateway id, and so knows none of Meta's. Never reset.
    pub by_gateway_id: bool,
}

impl Accepted {
    /// Returns the message's key: its id and its owner.
    pub const fn key(&self) -> MessageKey {
        MessageKey {
            tenant_id: self.tenant_id,
            message_id: self.id,
        }
    }

    /// Returns the conversation it belongs to, or will belong to after its first call; `None` if the other end is
    /// hidden.
    pub fn conversation(&self) -> Option<ConversationId> {
        let peer = self.peer_id.as_ref()?;
        Some(ConversationId::of(&self.tenant_id, &self.phone_number_id, peer))
    }
}
