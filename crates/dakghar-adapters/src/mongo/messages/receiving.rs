//! Received messages: inserted in one command, each once under its number and wamid.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bson::{RawDocument, doc};
use dakghar_core::domain::conversation::ConversationTouch;
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::ids::{ConversationId, MessageKey, TenantId};
use dakghar_core::domain::message::Message;
use dakghar_core::ports::{Received, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::documents::{Unreadable, message};
use crate::mongo::failure::Failure;
use crate::mongo::feed::{Keyed, Told};
use crate::mongo::indexes::MESSAGE_INBOUND_KEY;
use crate::mongo::inserts::Inserted;
use crate::mongo::reads::{Query, text, told};

use super::accepting::{message_id, vanished};

/// More than one in so many received messages was a repetition if the next are to be looked for before the insert.
const RECEIVED_PER_REPETITION: usize = 20;

/// The messages received before under these keys; `None` for one that cannot be read.
type ByKey = HashMap<String, Option<MessageKey>>;

impl MongoStore {
    pub(super) async fn settle_conversations(&self, left: &ConversationsLeft<'_>) -> Result<(), StoreError> {
        if !left.nobodys.is_empty() {
            self.close_conversations(&left.nobodys).await?;
        }
        if left.moved.is_empty() {
            return Ok(());
        }
        self.move_conversations(&left.moved).await
    }

    pub(super) async fn receive_messages(&self, batch: &[Message]) -> Vec<Result<Received, StoreError>> {
        // A repetition among the documents of an insert makes the server insert all of them once more, one by one.
        // While Meta repeats itself, as after an outage, looking first is cheaper; otherwise it is a round trip for
        // nothing.
        let known = if self.messages_repeat.load(Ordering::Relaxed) {
            self.received_before(batch.iter()).await.unwrap_or_default()
        } else {
            ByKey::new()
        };
        let mut new: Vec<&Message> = Vec::with_capacity(batch.len());
        let mut first_of: HashMap<String, usize> = HashMap::with_capacity(batch.len());
        // For each message the one that it repeats; or where it, or the first of its key, is among the new ones.
        let mut places = Vec::with_capacity(batch.len());
        for message in batch {
            let key = message::inbound_key(message);
            if let Some(first) = key.as_ref().and_then(|key| known.get(key)) {
                places.push(Err(*first));
                continue;
            }
            let next = new.len();
            let place = key.map_or(next, |key| *first_of.entry(key).or_insert(next));
            if place == next {
                new.push(message);
            }
            places.push(Ok((place, place == next)));
        }
        let received = self.insert_received(&new).await;
        let answers: Vec<_> = places
            .into_iter()
            .map(|place| match place {
                Err(first) => Ok(Received::Duplicate(first)),
                Ok((place, true)) => received[place].clone(),
                Ok((place, false)) => received[place].clone().map(|received| match received {
                    Received::New => Received::Duplicate(Some(new[place].key())),
                    known @ Received::Duplicate(_) => known,
                }),
            })
            .collect();
        let repeated = answers
            .iter()
            .filter(|answer| matches!(answer, Ok(Received::Duplicate(_))))
            .count();
        let do_repeat = repeated * RECEIVED_PER_REPETITION > batch.len();
        self.messages_repeat.store(do_repeat, Ordering::Relaxed);
        answers
    }

    /// Inserts messages of different keys.
    async fn insert_received(&self, messages: &[&Message]) -> Vec<Result<Received, StoreError>> {
        let inserted = self.insert_received_documents(messages).await;
        let unsettled = inserted
            .iter()
            .zip(messages)
            .filter(|(inserted, _)| matches!(inserted, Inserted::Duplicate | Inserted::Unknown(_)))
            .map(|(_, message)| *message);
        let found = self.received_before(unsettled).await;
        let settle = |message: &Message, otherwise: StoreError| {
            let found = found.as_ref().map_err(Clone::clone)?;
            let first = message::inbound_key(message).and_then(|key| found.get(&key));
            match first.ok_or(otherwise)? {
                Some(first) if *first == message.key() => Ok(Received::New),
                first => Ok(Received::Duplicate(*first)),
            }
        };
        inserted
            .into_iter()
            .zip(messages)
            .map(|(inserted, message)| match inserted {
                Inserted::Stored => Ok(Received::New),
                Inserted::Duplicate => settle(message, vanished("a duplicate inbound key")),
                Inserted::Refused(error) => Err(error),
                Inserted::Unknown(error) => settle(message, error),
            })
            .collect()
    }

    /// Inserts messages with what is told of them.
    async fn insert_received_documents(&self, messages: &[&Message]) -> Vec<Inserted> {
        let mut records = Vec::with_capacity(messages.len());
        // One that has no document costs only itself.
        let refused: Vec<Option<Inserted>> = (messages.iter())
            .map(|received| match message::encode(received) {
                Ok(document) => {
                    records.push(Told {
                        document,
                        entry: Some(FeedEntry::of_message(received)),
                    });
                    None
                }
                Err(error) => Some(Inserted::Refused(error)),
            })
            .collect();
        let keyed = Keyed {
            collection: &self.messages,
            field: "inboundKey",
            index: MESSAGE_INBOUND_KEY,
        };
        let mut inserted = self.insert_told(keyed, &records, false).await.into_iter();
        let answer = |refused: Option<Inserted>| refused.or_else(|| inserted.next());
        refused.into_iter().filter_map(answer).collect()
    }

    /// The messages received for good under the keys of these.
    async fn received_before(&self, messages: impl Iterator<Item = &Message>) -> Result<ByKey, StoreError> {
        let keys: Vec<String> = messages.filter_map(message::inbound_key).collect();
        if keys.is_empty() {
            return Ok(ByKey::new());
        }
        // Only what a majority has: whoever is told of a repetition does not send it again.
        let query = Query::new(doc! { "inboundKey": { "$in": keys } }, MESSAGE_INBOUND_KEY)
            .fields(doc! { "inboundKey": 1, "tenantId": 1 })
            .majority();
        let reading = self.fetch_readable(&self.messages, query, |raw| {
            Ok((text(raw, "message", "inboundKey")?, told(message_key(raw)).ok()))
        });
        match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(found) => Ok(found?.into_iter().collect()),
            Err(_) => Err(Failure::TimedOut(self.options.reread_timeout).to_store_error()),
        }
    }
}

/// The conversations still to be moved or closed, now that it is known which messages the store has.
#[derive(Default)]
pub(super) struct ConversationsLeft<'a> {
    moved: Vec<ConversationTouch>,
    /// Opened for nothing but repetitions of what another tenant has received.
    nobodys: Vec<&'a ConversationTouch>,
}

/// A conversation that was opened is as it should be, unless it was under a repetition.
pub(super) fn conversations_left<'a>(
    touches: &'a [Option<ConversationTouch>],
    opened: &HashSet<ConversationId>,
    received: &[Result<Received, StoreError>],
) -> ConversationsLeft<'a> {
    let mut left = ConversationsLeft::default();
    let mut kept = HashSet::new();
    for (touch, received) in touches.iter().zip(received) {
        let Some(touch) = touch else { continue };
        let is_opened = opened.contains(&touch.id);
        let moved = match received {
            Ok(received) => received.touch(touch.clone()),
            // Posted again, and then known.
            Err(_) => {
                kept.insert(touch.id);
                continue;
            }
        };
        match moved {
            Some(_) if is_opened && *received == Ok(Received::New) => _ = kept.insert(touch.id),
            Some(mut moved) => {
                kept.insert(touch.id);
                if is_opened {
                    // Opened under an id that is no message's, which only a later touch replaces.
                    moved.at = moved.at + Duration::from_millis(1);
                }
                left.moved.push(moved);
            }
            None if is_opened => left.nobodys.push(touch),
            None => {}
        }
    }
    left.nobodys.retain(|touch| !kept.contains(&touch.id));
    left
}

fn message_key(raw: &RawDocument) -> Result<MessageKey, Unreadable> {
    let message_id = message_id(raw)?;
    let tenant_id = text(raw, "message", "tenantId")?;
    let tenant_id =
        TenantId::parse(&tenant_id).map_err(|_| Unreadable::field("message", &message_id.to_string(), "tenantId"))?;
    Ok(MessageKey { tenant_id, message_id })
}
