//! Conversations.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bson::{RawDocument, RawDocumentBuf, doc, raw::cstr, rawdoc};
use dakghar_core::domain::conversation::{Conversation, ConversationTouch};
use dakghar_core::domain::ids::{ConversationId, TenantId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{ConversationStore, StoreError};

use super::MongoStore;
use super::collections::CONVERSATIONS;
use super::documents::{Unreadable, conversation, date};
use super::indexes::{BY_ID, CONVERSATION_LAST_MESSAGE};
use super::inserts::Inserted;
use super::reads::{Query, text};
use super::sharing::{SHARING_MAX, Sharing};
use super::updates::{RefusedStatement, chunk_lengths};

/// Among so many touched conversations at most one may have existed if the next are to be inserted without looking.
const NEW_PER_EXISTING: usize = 10;

#[async_trait]
impl ConversationStore for MongoStore {
    /// Inserts the conversations that do not exist, in one command, and moves the others forward in another: an upsert
    /// each would cost the server several times as much.
    async fn touch(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        let touches = newest(batch.iter());
        // The second time it finds what another process erased meanwhile.
        for look_first in [self.must_look(), true] {
            let existing = self.insert_missing(&touches, look_first).await?;
            if self.move_forward(&existing).await? {
                return Ok(());
            }
        }
        self.tell_of_strangers(&touches).await
    }

    async fn list(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: PageLimit,
    ) -> Result<Listed<Conversation>, StoreError> {
        let mut page = PageFill::new(limit);
        if page.is_full() {
            return Ok(page.end());
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
            .limit(limit.items.saturating_add(1));
        // All of them are small.
        for found in self
            .fetch_readable(&self.conversations, query, conversation::decode)
            .await?
        {
            if page.is_full() {
                return Ok(page.more());
            }
            page.push(found);
        }
        Ok(page.end())
    }

    async fn find(&self, tenant_id: &TenantId, id: &ConversationId) -> Result<Option<Conversation>, StoreError> {
        let filter = doc! { "_id": id.to_string(), "tenantId": tenant_id.to_string() };
        let query = Query::new(filter, BY_ID);
        self.fetch_one(&self.conversations, query, conversation::decode).await
    }
}

impl MongoStore {
    /// The first half of [`ConversationStore::touch`], for whoever does not know yet which of the messages are stored.
    /// Returns the conversations that did not exist before.
    pub(super) async fn open_conversations(
        &self,
        touches: impl Iterator<Item = &ConversationTouch>,
    ) -> Result<HashSet<ConversationId>, StoreError> {
        let touches = newest(touches);
        let mut opened: HashSet<ConversationId> = touches.iter().map(|touch| touch.id).collect();
        for existing in self.insert_missing(&touches, self.must_look()).await? {
            opened.remove(&existing.id);
        }
        Ok(opened)
    }

    /// The second half: moves conversations forward, nearly all of which exist.
    pub(super) async fn move_conversations(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        if self.move_forward(&newest(batch.iter())).await? {
            return Ok(());
        }
        self.touch(batch).await
    }

    /// Deletes conversations that were just opened by these touches, unless something else was said in them since.
    pub(super) async fn close_conversations(&self, touches: &[&ConversationTouch]) -> Result<(), StoreError> {
        let ids: Vec<_> = touches.iter().map(|touch| touch.id.to_string()).collect();
        let messages: Vec<_> = touches.iter().map(|touch| touch.message_id.to_string()).collect();
        let filter = doc! { "_id": { "$in": ids }, "lastMessage.id": { "$in": messages } };
        self.delete_by_ids(&self.conversations, filter).await.map(drop)
    }

    /// Where nearly all are new, as in a campaign, looking for them first is a round trip for nothing. Where many
    /// exist, finding that out by an insert costs the server four times as much as looking.
    fn must_look(&self) -> bool {
        !self.conversations_are_new.load(Ordering::Relaxed)
    }

    /// Returns the touches whose conversations exist. Repeating it changes nothing.
    async fn insert_missing<'a>(
        &self,
        touches: &[&'a ConversationTouch],
        look_first: bool,
    ) -> Result<Vec<&'a ConversationTouch>, StoreError> {
        let known = if look_first {
            self.known_conversations(touches).await?
        } else {
            HashSet::new()
        };
        let (mut existing, new): (Vec<&ConversationTouch>, Vec<&ConversationTouch>) =
            touches.iter().partition(|touch| known.contains(&touch.id.to_string()));
        let documents: Vec<RawDocumentBuf> = new.iter().map(|touch| conversation::encode(&touch.opening())).collect();
        let inserted = self.insert_all(&self.conversations, &documents).await;
        for (inserted, touch) in inserted.into_iter().zip(new) {
            match inserted {
                Inserted::Stored => {}
                // Nobody looked, another process created it at the same time, or it is touched in both directions.
                Inserted::Duplicate => existing.push(touch),
                Inserted::Unknown(error) | Inserted::Refused(error) => return Err(error),
            }
        }
        let are_new = existing.len() * NEW_PER_EXISTING < touches.len();
        self.conversations_are_new.store(are_new, Ordering::Relaxed);
        Ok(existing)
    }

    /// Tells of documents that have the id of a touched conversation and say that they belong to another tenant: they
    /// cannot be moved, and must not keep the others from moving.
    async fn tell_of_strangers(&self, touches: &[&ConversationTouch]) -> Result<(), StoreError> {
        let owners: HashMap<String, String> = touches
            .iter()
            .map(|touch| (touch.id.to_string(), touch.tenant_id.to_string()))
            .collect();
        let query = Query::new(doc! { "_id": { "$in": owners.keys().collect::<Vec<_>>() } }, BY_ID)
            .fields(doc! { "_id": 1, "tenantId": 1 });
        let stranger = |raw: &RawDocument| {
            let id = raw.get_str("_id").ok()?;
            let is_own = raw.get_str("tenantId").ok() == owners.get(id).map(String::as_str);
            (!is_own).then(|| Unreadable::field("conversation", id, "tenantId"))
        };
        let found = self.fetch(&self.conversations, query, stranger).await?;
        let mut strangers = found.into_iter().flatten().peekable();
        if strangers.peek().is_none() {
            let why = "conversations were created and erased at the same time";
            return Err(StoreError::Unavailable(why.to_owned()));
        }
        strangers.for_each(|stranger| stranger.tell());
        Ok(())
    }

    async fn known_conversations(&self, touches: &[&ConversationTouch]) -> Result<HashSet<String>, StoreError> {
        let ids: HashSet<String> = touches.iter().map(|touch| touch.id.to_string()).collect();
        let tenants: HashSet<String> = touches.iter().map(|touch| touch.tenant_id.to_string()).collect();
        let filter = doc! {
            "_id": { "$in": ids.into_iter().collect::<Vec<_>>() },
            "tenantId": { "$in": tenants.into_iter().collect::<Vec<_>>() },
        };
        let query = Query::new(filter, BY_ID).fields(doc! { "_id": 1 });
        let known = self.fetch_readable(&self.conversations, query, |raw| text(raw, "conversation", "_id"));
        Ok(known.await?.into_iter().collect())
    }

    /// Returns true when every conversation was there to be moved. One whose document does not allow it is told of.
    async fn move_forward(&self, touches: &[&ConversationTouch]) -> Result<bool, StoreError> {
        let (moved, refused) = self.move_sharing(touches, SHARING_MAX).await?;
        if refused.is_empty() {
            return Ok(moved == touches.len());
        }
        // A refused document ends its statement, and nobody looked at those behind it. Once more, each alone: moving one
        // again changes nothing.
        let (moved, refused) = self.move_sharing(touches, 1).await?;
        for unchangeable in &refused {
            unchangeable.tell();
        }
        Ok(moved + refused.len() == touches.len())
    }

    /// Moves conversations in statements for up to so many. Returns how many were there, and the first of each
    /// statement that a document of it refused.
    async fn move_sharing(
        &self,
        touches: &[&ConversationTouch],
        sharing_max: usize,
    ) -> Result<(usize, Vec<Unreadable>), StoreError> {
        let (inbound, outbound): (Vec<&ConversationTouch>, Vec<_>) =
            touches.iter().partition(|touch| touch.opens_window);
        let groups = inbound.chunks(sharing_max).map(|touches| (touches, true));
        let groups = groups.chain(outbound.chunks(sharing_max).map(|touches| (touches, false)));
        let (ids, statements): (Vec<ConversationId>, Vec<RawDocumentBuf>) = groups
            .map(|(touches, is_inbound)| (touches[0].id, statement(touches, is_inbound)))
            .unzip();
        let (mut matched, mut refused) = (0, Vec::new());
        let mut done = 0;
        for length in chunk_lengths(&statements) {
            let chunk = &statements[done..done + length];
            let reply = self
                .update_all(CONVERSATIONS, chunk)
                .await
                .map_err(|failure| failure.to_store_error())?;
            if let Some(error) = reply.unconfirmed {
                return Err(error);
            }
            for RefusedStatement { index, error } in reply.refused {
                let StoreError::Unreadable(why) = error else {
                    return Err(error);
                };
                let id = ids[done + index].to_string();
                refused.push(Unreadable::unchangeable("conversation", &id, why));
            }
            matched += reply.matched;
            done += length;
        }
        Ok((matched, refused))
    }
}

/// The newest touch of each conversation in each direction: a statement names a conversation once.
fn newest<'a>(batch: impl Iterator<Item = &'a ConversationTouch>) -> Vec<&'a ConversationTouch> {
    let mut newest: HashMap<_, &ConversationTouch> = HashMap::new();
    for touch in batch {
        let is_inbound = touch.opens_window;
        let known = newest.entry((touch.id, is_inbound)).or_insert(touch);
        if (known.at, known.message_id) < (touch.at, touch.message_id) {
            *known = touch;
        }
    }
    newest.into_values().collect()
}

/// Moves conversations forward. Documents compare field by field, so the newest message is the one with the latest
/// time, and among those of one millisecond the one with the greatest id, in whatever order they arrive.
fn statement(touches: &[&ConversationTouch], is_inbound: bool) -> RawDocumentBuf {
    let mut sharing = Sharing::default();
    for touch in touches {
        let newest = conversation::newest(touch.at, &touch.message_id);
        sharing.add_with_value(touch.id.to_string(), &touch.tenant_id, newest);
    }
    let mut moved = rawdoc! { "lastMessage": { "$max": ["$lastMessage", "$$newest"] } };
    if is_inbound {
        moved.append(
            cstr!("lastInboundAt"),
            rawdoc! { "$max": ["$lastInboundAt", "$$newest.at"] },
        );
    }
    let step = rawdoc! {
        "$replaceWith": {
            "$let": { "vars": { "newest": sharing.own_value() }, "in": { "$mergeObjects": ["$$ROOT", moved] } },
        },
    };
    rawdoc! { "q": sharing.filter(), "u": [step], "multi": true, "hint": BY_ID }
}
