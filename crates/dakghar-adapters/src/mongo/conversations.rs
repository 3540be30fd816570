//! Conversations.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bson::{RawBson, RawDocument, RawDocumentBuf, doc, raw::cstr, rawdoc};
use dakghar_core::domain::conversation::{Conversation, ConversationTouch, WindowOpening};
use dakghar_core::domain::ids::{ConversationId, TenantId, WaId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{ConversationStore, StoreError};

use super::MongoStore;
use super::collections::CONVERSATIONS;
use super::documents::{Unreadable, conversation, date, to_raw};
use super::indexes::{BY_ID, CONVERSATION_ALSO, CONVERSATION_LAST_MESSAGE, CONVERSATION_PERSON};
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
        let touches = together(batch.iter());
        // The second time it finds what another process erased meanwhile.
        for look_first in [self.must_look(), true] {
            let existing = self.insert_missing(&touches, look_first).await?;
            if self.move_forward(&existing).await? {
                return Ok(());
            }
        }
        self.tell_of_strangers(&touches).await
    }

    async fn open_windows(&self, batch: &[WindowOpening]) -> Result<Vec<bool>, StoreError> {
        let mut known = Vec::with_capacity(batch.len());
        // Calls are few.
        for opening in batch {
            let id = opening.id.to_string();
            let statement = to_raw(&doc! {
                "q": { "_id": &id, "tenantId": opening.tenant_id.to_string() },
                "u": { "$max": { "lastInboundAt": date(opening.at) } },
                "hint": BY_ID,
            })?;
            let reply = self.update_all(CONVERSATIONS, &[statement]).await;
            let mut reply = reply.map_err(|failure| failure.to_store_error())?;
            known.push(
                match (reply.unconfirmed, reply.refused.pop().map(|refused| refused.error)) {
                    (None, None) => reply.matched > 0,
                    (None, Some(StoreError::Unreadable(why))) => {
                        Unreadable::unchangeable("conversation", &id, why).tell();
                        true
                    }
                    (Some(error), _) | (None, Some(error)) => return Err(error),
                },
            );
        }
        Ok(known)
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

    async fn of_people(&self, tenant_id: &TenantId, ids: &[WaId], limit: u32) -> Result<Vec<Conversation>, StoreError> {
        if ids.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = ids.iter().map(WaId::as_str).collect();
        let look = |field: &str, index| {
            let filter = doc! {
                "tenantId": tenant_id.to_string(), field: { "$in": &ids }, "kind": { "$exists": false },
            };
            let query = Query::new(filter, index).limit(limit);
            self.fetch_readable(&self.conversations, query, conversation::decode)
        };
        let (with_key, with_id) =
            futures_util::try_join!(look("waId", CONVERSATION_PERSON), look("also", CONVERSATION_ALSO))?;
        let found = with_key.into_iter().chain(with_id);
        let found: HashMap<ConversationId, Conversation> = found.map(|one| (one.id, one)).collect();
        Ok(found.into_values().take(limit as usize).collect())
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
        let touches = together(touches);
        let mut opened: HashSet<ConversationId> = touches.iter().map(|touch| touch.newest.id).collect();
        for existing in self.insert_missing(&touches, self.must_look()).await? {
            opened.remove(&existing.newest.id);
        }
        Ok(opened)
    }

    /// The second half: moves conversations forward, nearly all of which exist.
    pub(super) async fn move_conversations(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        if self
            .move_forward(&together(batch.iter()).iter().collect::<Vec<_>>())
            .await?
        {
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
        touches: &'a [Together],
        look_first: bool,
    ) -> Result<Vec<&'a Together>, StoreError> {
        let known = if look_first {
            self.known_conversations(touches).await?
        } else {
            HashSet::new()
        };
        let (mut existing, new): (Vec<&Together>, Vec<&Together>) = touches
            .iter()
            .partition(|touch| known.contains(&touch.newest.id.to_string()));
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
    async fn tell_of_strangers(&self, touches: &[Together]) -> Result<(), StoreError> {
        let owners: HashMap<String, String> = touches
            .iter()
            .map(|touch| (touch.newest.id.to_string(), touch.newest.tenant_id.to_string()))
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

    async fn known_conversations(&self, touches: &[Together]) -> Result<HashSet<String>, StoreError> {
        let ids: HashSet<String> = touches.iter().map(|touch| touch.newest.id.to_string()).collect();
        let tenants: HashSet<String> = touches.iter().map(|touch| touch.newest.tenant_id.to_string()).collect();
        let filter = doc! {
            "_id": { "$in": ids.into_iter().collect::<Vec<_>>() },
            "tenantId": { "$in": tenants.into_iter().collect::<Vec<_>>() },
        };
        let query = Query::new(filter, BY_ID).fields(doc! { "_id": 1 });
        let known = self.fetch_readable(&self.conversations, query, |raw| text(raw, "conversation", "_id"));
        Ok(known.await?.into_iter().collect())
    }

    /// Returns true when every conversation was there to be moved. One whose document does not allow it is told of.
    async fn move_forward(&self, touches: &[&Together]) -> Result<bool, StoreError> {
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
        touches: &[&Together],
        sharing_max: usize,
    ) -> Result<(usize, Vec<Unreadable>), StoreError> {
        let mut alike: BTreeMap<(bool, bool), Vec<&Together>> = BTreeMap::new();
        for touch in touches {
            let kind = (touch.newest.opens_window, touch.tells_of_person());
            alike.entry(kind).or_default().push(touch);
        }
        let groups = alike
            .iter()
            .flat_map(|(kind, touches)| touches.chunks(sharing_max).map(|touches| (touches, *kind)));
        let (ids, statements): (Vec<ConversationId>, Vec<RawDocumentBuf>) = groups
            .map(|(touches, kind)| (touches[0].newest.id, statement(touches, kind)))
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
            for RefusedStatement { index, error, .. } in reply.refused {
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

/// The touches of each conversation in each direction as one: a statement names a conversation once. It has the newest
/// message, the time of the first, and all that they say of the person.
fn together<'a>(batch: impl Iterator<Item = &'a ConversationTouch>) -> Vec<Together> {
    let mut together: HashMap<_, Together> = HashMap::new();
    for touch in batch {
        let known = together
            .entry((touch.id, touch.opens_window))
            .or_insert_with(|| Together {
                newest: touch.clone(),
                first_at: touch.at,
            });
        known.first_at = known.first_at.min(touch.at);
        if (known.newest.at, known.newest.message_id) < (touch.at, touch.message_id) {
            let before = std::mem::replace(&mut known.newest, touch.clone());
            known.newest.learn(&before);
        } else {
            known.newest.learn(touch);
        }
    }
    together.into_values().collect()
}

/// Touches of one conversation in one direction.
struct Together {
    newest: ConversationTouch,
    first_at: Timestamp,
}

impl Together {
    fn opening(&self) -> Conversation {
        Conversation {
            first_message_at: Some(self.first_at),
            ..self.newest.opening()
        }
    }

    /// True if it says more than that there is a message.
    const fn tells_of_person(&self) -> bool {
        !self.newest.also.is_empty() || self.newest.name.is_some()
    }
}

/// Moves conversations forward. Documents compare field by field, so the newest message is the one with the latest
/// time, and among those of one millisecond the one with the greatest id, in whatever order they arrive. A name likewise.
fn statement(touches: &[&Together], (is_inbound, tells): (bool, bool)) -> RawDocumentBuf {
    let mut sharing = Sharing::default();
    for Together { newest, first_at } in touches {
        let mut value = conversation::newest(newest.at, &newest.message_id);
        value.append(cstr!("first"), date(*first_at));
        if tells {
            value.append(cstr!("also"), conversation::ids(&newest.also));
            let name = newest.name.as_ref().map(conversation::name);
            value.append(cstr!("name"), name.map_or(RawBson::Null, RawBson::Document));
        }
        sharing.add_with_value(newest.id.to_string(), &newest.tenant_id, value);
    }
    // A conversation of an earlier build does not know its first message, and is older than those that do.
    let first = rawdoc! {
        "$cond": [
            { "$lt": ["$$own.first", "$firstMessageAt"] }, "$$own.first", { "$ifNull": ["$firstMessageAt", "$$REMOVE"] },
        ],
    };
    let mut moved = rawdoc! {
        "lastMessage": { "$max": ["$lastMessage", { "at": "$$own.at", "id": "$$own.id" }] },
        "firstMessageAt": first,
    };
    if is_inbound {
        moved.append(
            cstr!("lastInboundAt"),
            rawdoc! { "$max": ["$lastInboundAt", "$$own.at"] },
        );
    }
    if tells {
        let known = rawdoc! { "$ifNull": ["$also", []] };
        let all = rawdoc! { "$setUnion": [known, "$$own.also"] };
        // An array without anything would be in the index.
        let also = rawdoc! { "$cond": [{ "$eq": [all.clone(), []] }, "$$REMOVE", all] };
        moved.append(cstr!("also"), also);
        let name = rawdoc! { "$ifNull": [{ "$max": ["$name", "$$own.name"] }, "$$REMOVE"] };
        moved.append(cstr!("name"), name);
    }
    let step = rawdoc! {
        "$replaceWith": {
            "$let": { "vars": { "own": sharing.own_value() }, "in": { "$mergeObjects": ["$$ROOT", moved] } },
        },
    };
    rawdoc! { "q": sharing.filter(), "u": [step], "multi": true, "hint": BY_ID }
}
