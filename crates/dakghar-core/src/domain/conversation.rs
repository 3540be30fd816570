//! The conversation between a business number and a person.

use std::time::Duration;

use aws_lc_rs::digest;
use uuid::Uuid;

use super::ids::{ConversationId, MessageId, PersonId, PhoneNumberId, TenantId, WaId};
use super::person_name::PersonName;
use super::time::Timestamp;

/// The time after a person's last message or call in which free-form messages may be sent to them.
pub const CUSTOMER_SERVICE_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Further ids of a person that are taken from one message. Meta names four at most.
pub const ALSO_MAX: usize = 16;

/// What the other end of a conversation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConversationKind {
    /// One person.
    #[default]
    Person,
    /// A group. Nobody in it opens a customer service window for it.
    Group,
}

impl ConversationKind {
    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Group => "group",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Person, Self::Group]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Returns the kind as the stores keep it; `None` for a person.
    pub fn stored(self) -> Option<&'static str> {
        (self != Self::Person).then(|| self.as_str())
    }
}

/// The conversation between one of the tenant's numbers and one person or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Derived from the number and the person.
    pub id: ConversationId,
    /// The owner.
    pub tenant_id: TenantId,
    /// The business number.
    pub phone_number_id: PhoneNumberId,
    /// What the other end is.
    pub kind: ConversationKind,
    /// The person or the group.
    pub wa_id: WaId,
    /// The newest message, in either direction.
    pub last_message_id: MessageId,
    /// The time of that message.
    pub last_message_at: Timestamp,
    /// The time of the person's last message or call.
    pub last_inbound_at: Option<Timestamp>,
    /// The time of the first message; `None` if it was before such times were kept.
    pub first_message_at: Option<Timestamp>,
    /// Further ids of the person, in their order and each once: Meta named them with a message of this conversation.
    pub also: Vec<WaId>,
    /// How the person is called.
    pub name: Option<PersonName>,
}

impl Conversation {
    /// Returns the ids of the other end: its key and the further ones.
    pub fn ids(&self) -> impl Iterator<Item = &WaId> {
        std::iter::once(&self.wa_id).chain(&self.also)
    }

    /// Returns its place in a list, in which the one with the newest message is first.
    pub const fn position(&self) -> (Timestamp, ConversationId) {
        (self.last_message_at, self.id)
    }

    /// Returns the id of the person whose first conversation it is.
    pub const fn person_id(&self) -> PersonId {
        PersonId::from_uuid(*self.id.as_uuid())
    }

    /// Returns the time until which free-form messages may be sent; `None` if the person never wrote or
    /// called.
    pub fn customer_service_window_until(&self) -> Option<Timestamp> {
        self.last_inbound_at.map(|at| at + CUSTOMER_SERVICE_WINDOW)
    }
}

impl ConversationId {
    /// Returns the id of the conversation between a number and a person. The same pair always has the same id.
    pub fn of(tenant_id: &TenantId, phone_number_id: &PhoneNumberId, wa_id: &WaId) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [
            tenant_id.as_uuid().as_bytes().as_slice(),
            phone_number_id.as_str().as_bytes(),
            b"/",
            wa_id.as_str().as_bytes(),
        ] {
            context.update(part);
        }
        let hash = context.finish();
        let bytes: [u8; 16] = hash.as_ref()[..16].try_into().expect("SHA-256 is longer than 16 bytes");
        Self::from_uuid(Uuid::from_bytes(bytes))
    }
}

/// A message in a conversation: creates the conversation, or moves its newest message forward. Applying it twice, or
/// late, is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationTouch {
    /// The conversation.
    pub id: ConversationId,
    /// The owner.
    pub tenant_id: TenantId,
    /// The business number.
    pub phone_number_id: PhoneNumberId,
    /// What the other end is.
    pub kind: ConversationKind,
    /// The person or the group.
    pub wa_id: WaId,
    /// The message.
    pub message_id: MessageId,
    /// The time of the message.
    pub at: Timestamp,
    /// True if it opens the customer service window: a message that the person wrote. A notice of Meta's about the
    /// person opens none, nor does a message in a group or of the history.
    pub opens_window: bool,
    /// Further ids of the person that Meta named with the message.
    pub also: Vec<WaId>,
    /// How the person is called, if Meta told it with the message.
    pub name: Option<PersonName>,
}

/// A person opened the window of a conversation without a message: with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowOpening {
    /// The owner.
    pub tenant_id: TenantId,
    /// The conversation.
    pub id: ConversationId,
    /// The time of the call.
    pub at: Timestamp,
}

impl ConversationTouch {
    /// Adds what another touch says of the same person.
    pub fn learn(&mut self, other: &Self) {
        self.also.extend(other.also.iter().cloned());
        self.also.sort_unstable();
        self.also.dedup();
        self.name = self.name.take().max(other.name.clone());
    }

    /// Returns the conversation as this touch creates it.
    pub fn opening(&self) -> Conversation {
        Conversation {
            id: self.id,
            tenant_id: self.tenant_id,
            phone_number_id: self.phone_number_id.clone(),
            kind: self.kind,
            wa_id: self.wa_id.clone(),
            last_message_id: self.message_id,
            last_message_at: self.at,
            last_inbound_at: self.opens_window.then_some(self.at),
            first_message_at: Some(self.at),
            also: self.also.clone(),
            name: self.name.clone(),
        }
    }
}
