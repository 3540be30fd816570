//! Accepted messages: inserted in one command, each once under its idempotency key.

use std::collections::{BTreeMap, HashMap, HashSet};

use bson::{Document, RawDocument, doc};
use dakghar_core::domain::ids::{MessageId, TenantId};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::ports::{Acceptance, StoreError};

use crate::mongo::MongoStore;
use crate::mongo::documents::{Unreadable, message};
use crate::mongo::indexes::{BY_ID, MESSAGE_IDEMPOTENCY_KEY};
use crate::mongo::inserts::Inserted;
use crate::mongo::reads::{Query, text};

/// The first message under each tenant and idempotency key; one that cannot be read is an error of its own.
type FirstByKey = HashMap<(TenantId, String), Result<First, StoreError>>;

struct First {
    message_id: MessageId,
    status: Status,
    fingerprint: [u8; 32],
}

impl MongoStore {
    pub(super) async fn insert_messages(&self, messages: impl ExactSizeIterator<Item = &Message>) -> Vec<Inserted> {
        let mut documents = Vec::with_capacity(messages.len());
        // One that has no document costs only itself.
        let refused: Vec<Option<Inserted>> = messages
            .map(|message| match message::encode(message) {
                Ok(document) => {
                    documents.push(document);
                    None
                }
                Err(error) => Some(Inserted::Refused(error)),
            })
            .collect();
        let mut inserted = self.insert_all(&self.messages, &documents).await.into_iter();
        let answer = |refused: Option<Inserted>| refused.or_else(|| inserted.next());
        refused.into_iter().filter_map(answer).collect()
    }

    /// Looks up messages whose insert was refused as a duplicate, or was never answered.
    pub(super) async fn look_up_accepted(&self, unsettled: &[(&Message, Option<StoreError>)]) -> LookedUp {
        if unsettled.is_empty() {
            return LookedUp::default();
        }
        // Beyond a duplicate, an unanswered insert may have happened; a duplicate without a key is the same message.
        let by_id: Vec<MessageId> = unsettled
            .iter()
            .filter(|(message, unknown)| unknown.is_some() || message.accepted.idempotency.is_none())
            .map(|(message, _)| message.accepted.id)
            .collect();
        let limit = if by_id.is_empty() {
            self.options.read_timeout
        } else {
            self.options.reread_timeout
        };
        let looking = async {
            futures_util::join!(
                self.stored_ids(&by_id),
                self.first_by_key(unsettled.iter().map(|(message, _)| *message))
            )
        };
        let Ok((stored, first_by_key)) = tokio::time::timeout(limit, looking).await else {
            return LookedUp::default();
        };
        LookedUp {
            stored: stored.unwrap_or_default(),
            first_by_key: first_by_key.unwrap_or_default(),
        }
    }

    async fn stored_ids(&self, ids: &[MessageId]) -> Result<HashSet<MessageId>, StoreError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let wanted: Vec<_> = ids.iter().map(MessageId::to_string).collect();
        let query = Query::new(doc! { "_id": { "$in": wanted } }, BY_ID)
            .fields(doc! { "_id": 1 })
            .majority();
        let found = self.fetch_readable(&self.messages, query, message_id).await?;
        Ok(found.into_iter().collect())
    }

    async fn first_by_key(&self, messages: impl Iterator<Item = &Message>) -> Result<FirstByKey, StoreError> {
        let mut keys: BTreeMap<TenantId, Vec<&str>> = BTreeMap::new();
        for message in messages {
            if let Some(idempotency) = &message.accepted.idempotency {
                keys.entry(message.accepted.tenant_id)
                    .or_default()
                    .push(idempotency.key.as_str());
            }
        }
        let mut alternatives: Vec<Document> = keys
            .into_iter()
            .map(|(tenant_id, keys)| doc! { "tenantId": tenant_id.to_string(), "idempotencyKey": { "$in": keys } })
            .collect();
        let filter = match alternatives.len() {
            0 => return Ok(FirstByKey::new()),
            1 => alternatives.remove(0),
            _ => doc! { "$or": alternatives },
        };
        let query = Query::new(filter, MESSAGE_IDEMPOTENCY_KEY)
            .fields(doc! { "tenantId": 1, "idempotencyKey": 1, "fingerprint": 1, "status": 1 })
            .majority();
        self.fetch_each(&self.messages, query, tenant_and_key, first).await
    }
}

/// The findings about messages without a clear answer. None, when nothing could be found out.
#[derive(Default)]
pub(super) struct LookedUp {
    stored: HashSet<MessageId>,
    first_by_key: FirstByKey,
}

impl LookedUp {
    pub(super) fn answer(
        &self,
        message: &Message,
        otherwise: impl FnOnce() -> StoreError,
    ) -> Result<Acceptance, StoreError> {
        if self.stored.contains(&message.accepted.id) {
            return Ok(Acceptance::Stored);
        }
        let key = message
            .accepted
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.key.as_str().to_owned());
        let first = key.and_then(|key| self.first_by_key.get(&(message.accepted.tenant_id, key)));
        match first {
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(first)) if first.message_id == message.accepted.id => Ok(Acceptance::Stored),
            Some(Ok(first)) => Ok(Acceptance::Replay {
                message_id: first.message_id,
                status: first.status,
                fingerprint: first.fingerprint,
            }),
            None => Err(otherwise()),
        }
    }
}

pub(super) fn vanished(what: &str) -> StoreError {
    StoreError::Unavailable(format!(
        "{what} was found a moment ago, but not the message that has it"
    ))
}

pub(super) fn message_id(raw: &RawDocument) -> Result<MessageId, Unreadable> {
    let id = text(raw, "message", "_id")?;
    MessageId::parse(&id).map_err(|_| Unreadable::field("message", &id, "_id"))
}

fn tenant_and_key(raw: &RawDocument) -> Option<(TenantId, String)> {
    let tenant_id = TenantId::parse(raw.get_str("tenantId").ok()?).ok()?;
    Some((tenant_id, raw.get_str("idempotencyKey").ok()?.to_owned()))
}

fn first(raw: &RawDocument) -> Result<First, Unreadable> {
    let message_id = message_id(raw)?;
    let wrong = |field| Unreadable::field("message", &message_id.to_string(), field);
    let status = Status::parse(&text(raw, "message", "status")?).ok_or_else(|| wrong("status"))?;
    let fingerprint = raw.get_binary("fingerprint").map_err(|_| wrong("fingerprint"))?;
    let fingerprint = fingerprint.bytes.try_into().map_err(|_| wrong("fingerprint"))?;
    Ok(First {
        message_id,
        status,
        fingerprint,
    })
}
