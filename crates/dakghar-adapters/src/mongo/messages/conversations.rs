//! Threads.

use std::collections::{HashMap, HashSet};

use bson::{RawArrayBuf, RawDocumentBuf, doc, rawdoc};
use dakghar_core::domain::conversation::{Conversation, ConversationTouch};
use dakghar_core::domain::ids::{ConversationId, TenantId};
use dakghar_core::domain::message::Direction;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::StoreError;

use crate::mongo::MongoStore;
use crate::mongo::collections::CONVERSATIONS;
use crate::mongo::documents::{conversation, date};
use crate::mongo::indexes::{BY_ID, CONVERSATION_LAST_MESSAGE};
use crate::mongo::inserts::Inserted;
use crate::mongo::reads::{Query, text};
use crate::mongo::updates::chunk_lengths;

/// Threads in one statement: the server looks for each document in the whole of it.
const SHARING_MAX: usize = 128;

impl MongoStore {
    /// Inserts the threads that do not exist, in one command, and moves the others forward in another: an upsert each
    /// would cost the server several times as much.
    pub(super) async fn touch_threads(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        let known = self.known_threads(batch).await?;
        let (mut existing, new): (Vec<&ConversationTouch>, Vec<&ConversationTouch>) =
            batch.iter().partition(|touch| known.contains(&touch.id.to_string()));
        let documents: Vec<RawDocumentBuf> = new
            .iter()
            .map(|touch| conversation::encode(&opened_by(touch)))
            .collect();
        for (inserted, touch) in self
            .insert_all(&self.conversations, &documents)
            .await
            .into_iter()
            .zip(new)
        {
            match inserted {
                Inserted::Stored => {}
                // Another process created it at the same time, or the batch names it twice.
                Inserted::Duplicate => existing.push(touch),
                // Touching again changes nothing, so the caller may repeat it.
                Inserted::Unknown(error) | Inserted::Refused(error) => return Err(error),
            }
        }
        self.move_forward(&existing).await
    }

    async fn known_threads(&self, batch: &[ConversationTouch]) -> Result<HashSet<String>, StoreError> {
        let ids: HashSet<String> = batch.iter().map(|touch| touch.id.to_string()).collect();
        let filter = doc! { "_id": { "$in": ids.into_iter().collect::<Vec<_>>() } };
        let query = Query::new(filter, BY_ID).fields(doc! { "_id": 1 });
        let known = self.fetch(&self.conversations, query, |raw| text(raw, "conversation", "_id"));
        Ok(known.await?.into_iter().collect())
    }

    async fn move_forward(&self, touches: &[&ConversationTouch]) -> Result<(), StoreError> {
        // Each statement names a thread once.
        let mut newest: HashMap<_, &ConversationTouch> = HashMap::new();
        for touch in touches {
            let is_inbound = touch.direction == Direction::Inbound;
            let known = newest.entry((touch.id, is_inbound)).or_insert(touch);
            if (known.at, known.message_id) < (touch.at, touch.message_id) {
                *known = touch;
            }
        }
        let (inbound, outbound): (Vec<&ConversationTouch>, Vec<_>) = newest
            .into_values()
            .partition(|touch| touch.direction == Direction::Inbound);
        let statements: Vec<RawDocumentBuf> = inbound
            .chunks(SHARING_MAX)
            .map(|touches| statement(touches, true))
            .chain(outbound.chunks(SHARING_MAX).map(|touches| statement(touches, false)))
            .collect();
        let mut left = statements.as_slice();
        for length in chunk_lengths(left) {
            let (chunk, after) = left.split_at(length);
            let reply = self
                .update_all(CONVERSATIONS, chunk)
                .await
                .map_err(|failure| failure.to_store_error())?;
            if let Some(error) = reply.unconfirmed {
                return Err(error);
            }
            if let Some(refused) = reply.refused.into_iter().next() {
                return Err(refused.error);
            }
            left = after;
        }
        Ok(())
    }

    pub(super) async fn list_threads(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut filter = doc! { "tenantId": tenant_id.to_string() };
        if let Some((at, id)) = before {
            filter.insert("lastMessage.at", doc! { "$lte": date(at) });
            filter.insert(
                "$or",
                vec![
                    doc! { "lastMessage.at": { "$lt": date(at) } },
                    doc! { "_id": { "$lt": id.to_string() } },
                ],
            );
        }
        let query = Query::new(filter, CONVERSATION_LAST_MESSAGE)
            .sort(doc! { "lastMessage.at": -1, "_id": -1 })
            .limit(limit);
        self.fetch(&self.conversations, query, conversation::decode).await
    }

    pub(super) async fn find_thread(
        &self,
        tenant_id: &TenantId,
        id: &ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let filter = doc! { "_id": id.to_string(), "tenantId": tenant_id.to_string() };
        let query = Query::new(filter, BY_ID).limit(1);
        Ok(self
            .fetch(&self.conversations, query, conversation::decode)
            .await?
            .pop())
    }
}

/// The thread that begins with this touch.
fn opened_by(touch: &ConversationTouch) -> Conversation {
    Conversation {
        id: touch.id,
        tenant_id: touch.tenant_id,
        phone_number_id: touch.phone_number_id.clone(),
        wa_id: touch.wa_id.clone(),
        last_message_id: touch.message_id,
        last_message_at: touch.at,
        last_inbound_at: (touch.direction == Direction::Inbound).then_some(touch.at),
    }
}

/// Moves threads forward. Documents compare field by field, so the newest message is the one with the latest time, and
/// among those of one millisecond the one with the greatest id, in whatever order they arrive.
fn statement(touches: &[&ConversationTouch], is_inbound: bool) -> RawDocumentBuf {
    let ids: RawArrayBuf = touches.iter().map(|touch| touch.id.to_string()).collect();
    let newest: RawArrayBuf = touches
        .iter()
        .map(|touch| conversation::newest(touch.at, &touch.message_id))
        .collect();
    let mut moved = rawdoc! { "lastMessage": { "$max": ["$lastMessage", "$$newest"] } };
    if is_inbound {
        moved.append(
            bson::raw::cstr!("lastInboundAt"),
            rawdoc! { "$max": ["$lastInboundAt", "$$newest.at"] },
        );
    }
    let own = rawdoc! {
        "$arrayElemAt": [{ "$literal": newest }, { "$indexOfArray": [{ "$literal": ids.clone() }, "$_id"] }]
    };
    rawdoc! {
        "q": { "_id": { "$in": ids } },
        "u": [{
            "$replaceWith": {
                "$let": { "vars": { "newest": own }, "in": { "$mergeObjects": ["$$ROOT", moved] } },
            },
        }],
        "multi": true,
        "hint": BY_ID,
    }
}
