//! Messages that go to one person, behind Meta's limit for a number and a person.

use std::collections::{HashMap, HashSet};

use crate::domain::{ConversationId, Message, MessageId, PhoneNumberId, Timestamp};
use crate::ports::{Pacer, PairAsk, QueueError};

/// Puts a message that Meta refused for its pair in front of the others that go to the person.
pub(super) async fn put_first(pacer: &dyn Pacer, message: &Message, now: Timestamp, until: Timestamp) {
    if let Some(pair) = message.accepted.conversation() {
        pacer.put_first(&ask(message, pair, now), until).await;
    }
}

/// Puts a message back in front whose turn it was and that may not go yet, if it was in a line.
pub(super) async fn put_back(pacer: &dyn Pacer, message: &Message, now: Timestamp, until: Timestamp) {
    if let Some(pair) = message.accepted.conversation() {
        pacer.put_back(&ask(message, pair, now), until).await;
    }
}

fn ask(message: &Message, conversation_id: ConversationId, now: Timestamp) -> PairAsk {
    PairAsk {
        phone_number_id: message.accepted.phone_number_id.clone(),
        conversation_id,
        message_id: message.accepted.id,
        now,
    }
}

/// The numbers among these that have lines.
pub(super) async fn numbers_with_lines(
    pacer: &dyn Pacer,
    numbers: HashSet<&PhoneNumberId>,
) -> Result<HashSet<PhoneNumberId>, QueueError> {
    let numbers: Vec<PhoneNumberId> = numbers.into_iter().cloned().collect();
    let have = pacer.have_lines(&numbers).await?;
    let lined = numbers.into_iter().zip(have).filter(|(_, has)| *has);
    Ok(lined.map(|(number, _)| number).collect())
}

/// Asks for each of these messages whether it is its turn. Returns those that must wait, and until when.
pub(super) async fn who_waits<'m>(
    pacer: &dyn Pacer,
    messages: impl Iterator<Item = &'m Message>,
    now: Timestamp,
) -> Result<HashMap<MessageId, Timestamp>, QueueError> {
    let asks: Vec<PairAsk> = messages
        .filter_map(|message| Some(ask(message, message.accepted.conversation()?, now)))
        .collect();
    if asks.is_empty() {
        return Ok(HashMap::new());
    }
    let turns = pacer.turns(&asks).await?;
    let waiting = asks.into_iter().zip(turns);
    Ok(waiting
        .filter_map(|(ask, until)| Some((ask.message_id, until?)))
        .collect())
}
