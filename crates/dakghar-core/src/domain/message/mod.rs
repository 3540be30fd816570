//! A message and the protocol that carries it: what is fixed at acceptance, and what delivery changes.
//!
//! The fields are plain data. Every change goes through the methods in [`lifecycle`] (what we do) and [`evidence`]
//! (what Meta tells us); a store only keeps the result, and only if nobody else saved in between.

pub mod evidence;
pub mod lifecycle;
pub mod status;
pub mod timeline;

use std::sync::Arc;

use super::ids::{ConversationId, IdempotencyKey, MessageId, MessageKey, PhoneNumberId, TenantId, WaId, Wamid};
use super::time::Timestamp;

pub use evidence::{Evidence, EvidenceStatus, Merged};
pub use lifecycle::{DeadReason, RetryPolicy, SendOutcome, SendPolicy, Timings, Woken};
pub use status::{Rank, Status};
pub use timeline::{SendError, TimelineEntry, TimelineEvent};

/// Calls to Meta that may count against a message before it is given up. The seed's five.
pub const ATTEMPTS_MAX_DEFAULT: u32 = 5;
/// Entries a timeline keeps; past that the oldest after the first are dropped.
pub const TIMELINE_ENTRIES_MAX: usize = 64;
/// Different wamids remembered for one message (more than one only after a duplicate send).
pub const WAMIDS_MAX: usize = 4;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the business to a person.
    Outbound,
    /// From a person to the business.
    Inbound,
}

impl Direction {
    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Outbound, Self::Inbound]
            .into_iter()
            .find(|direction| direction.as_str() == text)
    }
}

/// Which of a number's messages goes first when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// One-time codes: does not queue behind the number's other messages.
    High,
    /// Everything else.
    #[default]
    Normal,
    /// Broadcasts: queues in a lane of its own.
    Low,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text)
    }
}

/// What to do when nobody can say whether Meta took a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum UnknownOutcome {
    /// Send again only when statuses of later messages prove that this one's silence means something.
    #[default]
    Auto,
    /// Send again after the grace: at least once.
    Resend,
    /// Give up after the grace: at most once.
    Fail,
}

impl UnknownOutcome {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Resend, Self::Fail];

    /// The name used in requests, answers and the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Resend => "resend",
            Self::Fail => "fail",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}

/// The client's key for a send, and what was sent under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// SHA-256 of the canonical request, to tell a repetition from a different message under the same key.
    pub fingerprint: [u8; 32],
}

/// What a message says, exactly as the client or Meta wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Meta's name of the type: `text`, `template`, `image` …
    pub kind: Arc<str>,
    /// Meta's object of that type as JSON text, untouched. For an inbound message of no type, `null`.
    pub body: Arc<str>,
    /// Outbound: the other fields that go into Meta's envelope (`context`, `recipient_type` …) as a JSON object.
    /// Inbound: the whole message as received.
    pub envelope: Option<Arc<str>>,
}

/// A message in either direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    // Fixed at acceptance.
    /// Our id.
    pub id: MessageId,
    /// The owner.
    pub tenant_id: TenantId,
    /// The business number it goes out from or came in on.
    pub phone_number_id: PhoneNumberId,
    /// Which way it goes.
    pub direction: Direction,
    /// The person (or group) at the other end, as given: `+919111111111`. `None` when Meta hid it.
    pub peer: Option<Arc<str>>,
    /// The other end as a key: digits without `+`, or a business-scoped user id.
    pub peer_id: Option<WaId>,
    /// What it says.
    pub content: Content,
    /// Outbound: the client's idempotency key.
    pub idempotency: Option<Idempotency>,
    /// The client's own data, a flat JSON object as text.
    pub metadata: Option<Arc<str>>,
    /// The client's own `biz_opaque_callback_data`; ours goes to Meta, this goes back to the client.
    pub client_opaque: Option<Arc<str>>,
    /// Which of the number's messages goes first.
    pub priority: Priority,
    /// What to do when the outcome of a call is unknown.
    pub unknown_outcome: UnknownOutcome,
    /// Calls that may count against it.
    pub attempts_max: u32,
    /// When it was accepted or received.
    pub created_at: Timestamp,

    // Changed by delivery.
    /// No call starts after this. Taken away when somebody sends it again on purpose.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub status: Status,
    /// Fencing token: raised by every claim, takeover, resolution and redrive; never lowered.
    pub epoch: u64,
    /// Calls to Meta authorised so far. The number of the latest is part of what we send to Meta.
    pub attempt: u32,
    /// Calls that do not count against `attempts_max`, because Meta only asked us to slow down or to fix the token.
    pub attempts_refunded: u32,
    /// Poison detector: crashes and panics before a claim.
    pub strikes: u32,
    /// Who may be calling Meta for it now.
    pub lease: Option<Lease>,
    /// When the latest call was authorised.
    pub called_at: Option<Timestamp>,
    /// A call with an unknown outcome exists. Sticky.
    pub maybe_sent: bool,
    /// Until when we wait for evidence of an unknown outcome.
    pub grace_until: Option<Timestamp>,
    /// When it may be sent.
    pub slot_at: Option<Timestamp>,
    /// How many times it was put into the queue again; part of the queue's job id.
    pub drive: u32,
    /// The only timer: when the reconciler must look at it. `None` when nothing remains to be done.
    pub wake_at: Option<Timestamp>,
    /// When it was last put into the queue under its present drive.
    pub enqueued_at: Option<Timestamp>,
    /// Why it was given up, if it was.
    pub dead_reason: Option<DeadReason>,
    /// Why it is held, if it is.
    pub hold_reason: Option<super::tenant::HoldReason>,
    /// Meta's id: the sent one, or the received one.
    pub wamid: Option<Wamid>,
    /// Every wamid that Meta ever gave this message.
    pub wamids: Vec<Wamid>,
    /// The latest refusal or failure.
    pub error: Option<SendError>,
    /// When a status webhook about it first arrived: proof that the number's statuses flow.
    pub status_seen_at: Option<Timestamp>,
    /// The thread it belongs to; set when the first call's outcome is known, or when it is received.
    pub conversation_id: Option<ConversationId>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

/// The right to call Meta for a message, for a limited time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which worker process.
    pub owner: Arc<str>,
    /// Until when, by the store's clock.
    pub until: Timestamp,
}

impl Message {
    /// A queued outbound message that says nothing yet: the start of every new one. The ids, the number and the
    /// content must be set.
    pub fn blank(now: Timestamp) -> Self {
        Self {
            id: MessageId::from_uuid(uuid::Uuid::nil()),
            tenant_id: TenantId::from_uuid(uuid::Uuid::nil()),
            phone_number_id: PhoneNumberId::parse("0").expect("a digit"),
            direction: Direction::Outbound,
            peer: None,
            peer_id: None,
            content: Content {
                kind: "text".into(),
                body: "null".into(),
                envelope: None,
            },
            idempotency: None,
            metadata: None,
            client_opaque: None,
            priority: Priority::Normal,
            unknown_outcome: UnknownOutcome::Auto,
            attempts_max: ATTEMPTS_MAX_DEFAULT,
            expires_at: None,
            created_at: now,
            status: Status::Queued,
            epoch: 0,
            attempt: 0,
            attempts_refunded: 0,
            strikes: 0,
            lease: None,
            called_at: None,
            maybe_sent: false,
            grace_until: None,
            slot_at: None,
            drive: 0,
            wake_at: None,
            enqueued_at: None,
            dead_reason: None,
            hold_reason: None,
            wamid: None,
            wamids: Vec::new(),
            error: None,
            status_seen_at: None,
            conversation_id: None,
            timeline: Vec::new(),
            updated_at: now,
            version: 0,
        }
    }

    /// The message and its owner.
    pub const fn key(&self) -> MessageKey {
        MessageKey {
            tenant_id: self.tenant_id,
            message_id: self.id,
        }
    }

    /// The thread it belongs to, or will belong to once it was called for; `None` when the other end is hidden.
    pub fn thread(&self) -> Option<ConversationId> {
        let peer = self.peer_id.as_ref()?;
        Some(ConversationId::of(&self.tenant_id, &self.phone_number_id, peer))
    }

    /// Calls that count against `attempts_max`.
    pub const fn attempts_counted(&self) -> u32 {
        self.attempt.saturating_sub(self.attempts_refunded)
    }
}

#[cfg(test)]
mod tests;
