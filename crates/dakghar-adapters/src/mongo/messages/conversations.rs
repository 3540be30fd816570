//! Threads.

use bson::{RawDocumentBuf, doc, rawdoc};
use dakghar_core::domain::conversation::{Conversation, ConversationTouch};
use dakghar_core::domain::ids::{ConversationId, TenantId};
use dakghar_core::domain::message::Direction;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::StoreError;

use crate::mongo::MongoStore;
use crate::mongo::collections::CONVERSATIONS;
use crate::mongo::documents::{SCHEMA_VERSION, conversation, date};
use crate::mongo::failure::DUPLICATE_KEY;
use crate::mongo::indexes::{BY_ID, CONVERSATION_LAST_MESSAGE};
use crate::mongo::reads::Query;
use crate::mongo::updates::chunk_lengths;

impl MongoStore {
    pub(super) async fn touch_threads(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        let statements: Vec<_> = batch.iter().map(statement).collect();
        let mut left = statements.as_slice();
        for length in chunk_lengths(left) {
            let (chunk, after) = left.split_at(length);
            let collided = self.touch_chunk(chunk).await?;
            if !collided.is_empty() && !self.touch_chunk(&collided).await?.is_empty() {
                return Err(StoreError::Corrupt(
                    "a conversation cannot be created: its id is taken".to_owned(),
                ));
            }
            left = after;
        }
        Ok(())
    }

    /// Answers the statements that must be executed again: two processes created the same thread at the same time,
    /// and the second one's statement finds it there the next time.
    async fn touch_chunk(&self, statements: &[RawDocumentBuf]) -> Result<Vec<RawDocumentBuf>, StoreError> {
        let reply = self
            .update_all(CONVERSATIONS, statements)
            .await
            .map_err(|failure| failure.to_store_error())?;
        if let Some(error) = reply.unconfirmed {
            return Err(error);
        }
        let mut collided = Vec::new();
        for refused in reply.refused {
            if refused.code != DUPLICATE_KEY {
                return Err(refused.error);
            }
            collided.push(statements[refused.index].clone());
        }
        Ok(collided)
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

/// Creates the thread or moves it forward. Documents compare field by field, so the newest message is the one with
/// the latest time, and among those of one millisecond the one with the greatest id, in whatever order they arrive.
fn statement(touch: &ConversationTouch) -> RawDocumentBuf {
    let mut newest = rawdoc! { "lastMessage": { "at": date(touch.at), "id": touch.message_id.to_string() } };
    if touch.direction == Direction::Inbound {
        newest.append(bson::raw::cstr!("lastInboundAt"), date(touch.at));
    }
    rawdoc! {
        "q": { "_id": touch.id.to_string(), "tenantId": touch.tenant_id.to_string() },
        "u": {
            "$max": newest,
            "$setOnInsert": {
                "schemaVersion": SCHEMA_VERSION,
                "phoneNumberId": touch.phone_number_id.as_str(),
                "waId": touch.wa_id.as_str(),
            },
        },
        "upsert": true,
        "hint": BY_ID,
    }
}
