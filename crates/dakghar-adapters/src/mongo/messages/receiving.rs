//! Received messages: inserted in one command, each once under its number and wamid.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use bson::doc;
use dakghar_core::domain::message::Message;
use dakghar_core::ports::{Received, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::documents::message;
use crate::mongo::indexes::MESSAGE_INBOUND_KEY;
use crate::mongo::inserts::Inserted;
use crate::mongo::reads::{Query, text};

/// More than one in so many received messages was a repetition if the next are to be looked for before the insert.
const RECEIVED_PER_REPETITION: usize = 20;

/// The ids of received messages, by their keys.
type ByKey = HashMap<String, String>;

impl MongoStore {
    pub(super) async fn receive_messages(&self, batch: &[Message]) -> Vec<Result<Received, StoreError>> {
        // A repetition among the documents of an insert makes the server insert all of them once more, one by one. While
        // Meta repeats itself, as after an outage, looking first is cheaper; otherwise it is a round trip for nothing.
        let known = if self.messages_repeat.load(Ordering::Relaxed) {
            self.look_up_received(batch.iter()).await
        } else {
            ByKey::new()
        };
        let mut new: Vec<&Message> = Vec::with_capacity(batch.len());
        let mut first_of: HashMap<String, usize> = HashMap::with_capacity(batch.len());
        // Where each message is among the new ones, or the first of its key is; nowhere when it is known.
        let mut places = Vec::with_capacity(batch.len());
        for message in batch {
            let key = message::inbound_key(message);
            if key.as_ref().is_some_and(|key| known.contains_key(key)) {
                places.push(None);
                continue;
            }
            let next = new.len();
            let place = key.map_or(next, |key| *first_of.entry(key).or_insert(next));
            if place == next {
                new.push(message);
            }
            places.push(Some((place, place == next)));
        }
        let received = self.insert_received(&new).await;
        let answers: Vec<_> = places
            .into_iter()
            .map(|place| match place {
                None => Ok(Received::Duplicate),
                Some((place, true)) => received[place].clone(),
                Some((place, false)) => received[place].clone().map(|_| Received::Duplicate),
            })
            .collect();
        let repeated = answers
            .iter()
            .filter(|answer| **answer == Ok(Received::Duplicate))
            .count();
        let do_repeat = repeated * RECEIVED_PER_REPETITION > batch.len();
        self.messages_repeat.store(do_repeat, Ordering::Relaxed);
        answers
    }

    /// Inserts messages of different keys.
    async fn insert_received(&self, messages: &[&Message]) -> Vec<Result<Received, StoreError>> {
        let inserted = self.insert_messages(messages.iter().copied()).await;
        let unknown: Vec<&Message> = inserted
            .iter()
            .zip(messages)
            .filter(|(inserted, _)| matches!(inserted, Inserted::Unknown(_)))
            .map(|(_, message)| *message)
            .collect();
        let owners = self.look_up_received(unknown.into_iter()).await;
        inserted
            .into_iter()
            .zip(messages)
            .map(|(inserted, message)| match inserted {
                Inserted::Stored => Ok(Received::New),
                Inserted::Duplicate => Ok(Received::Duplicate),
                Inserted::Refused(error) => Err(error),
                Inserted::Unknown(error) => {
                    let owner = message::inbound_key(message).and_then(|key| owners.get(&key));
                    let id = message.id.to_string();
                    owner.ok_or(error).map(|owner| {
                        if *owner == id {
                            Received::New
                        } else {
                            Received::Duplicate
                        }
                    })
                }
            })
            .collect()
    }

    /// What was received for good under the keys of these messages; nothing when that could not be found out.
    async fn look_up_received(&self, messages: impl Iterator<Item = &Message>) -> ByKey {
        let keys: Vec<String> = messages.filter_map(message::inbound_key).collect();
        if keys.is_empty() {
            return ByKey::new();
        }
        // Only what a majority has: whoever is told of a repetition does not send it again.
        let query = Query::new(doc! { "inboundKey": { "$in": keys } }, MESSAGE_INBOUND_KEY)
            .fields(doc! { "inboundKey": 1 })
            .majority();
        let reading = self.fetch(&self.messages, query, |raw| {
            Ok((text(raw, "message", "inboundKey")?, text(raw, "message", "_id")?))
        });
        match tokio::time::timeout(self.options.reread_timeout, reading).await {
            Ok(Ok(found)) => found.into_iter().collect(),
            _ => ByKey::new(),
        }
    }
}
