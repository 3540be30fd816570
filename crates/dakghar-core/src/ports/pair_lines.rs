//! The lines of messages to one person, behind Meta's limit for a number and a person.
//!
//! They keep order, not messages. If they are lost, Meta says again that it is too much, and lines form anew.

use async_trait::async_trait;

use super::queue::QueueError;
use crate::domain::ids::{ConversationId, MessageId, PhoneNumberId};
use crate::domain::time::Timestamp;

/// A message that goes to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairAsk {
    /// The number that sends.
    pub phone_number_id: PhoneNumberId,
    /// The pair of the number and the person.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// The present.
    pub now: Timestamp,
}

/// The lines of every number, shared by all processes of an installation.
#[async_trait]
pub trait PairLines: Send + Sync {
    /// Returns for each number whether it has a line at all, which hardly any has.
    async fn have_lines(&self, numbers: &[PhoneNumberId]) -> Result<Vec<bool>, QueueError>;

    /// Asks for each message whether it may go now, in the order given. `None` if it may, which takes it out of its line;
    /// otherwise when it should come back.
    async fn turns(&self, asks: &[PairAsk]) -> Result<Vec<Option<Timestamp>>, QueueError>;

    /// Puts a message that comes back at `until` in front of its line, behind those alone that were accepted before it, or
    /// begins one with it. Best effort.
    async fn put_first(&self, ask: &PairAsk, until: Timestamp);

    /// The same for a message whose turn it was, and that comes back without having gone. Begins no line. Best effort.
    async fn put_back(&self, ask: &PairAsk, until: Timestamp);
}
