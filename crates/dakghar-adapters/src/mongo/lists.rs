//! Lists of messages, newest first.
//!
//! Ids sort by the time they were made, so a range of `createdAt` is searched as a range of ids. A message whose id
//! tells another time than its `createdAt` carries a mark, and the marked ones are searched beside the others.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use dakghar_core::domain::ids::{MessageId, TenantId};
use dakghar_core::domain::message::{Direction, Message, Status};
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::ports::{ListStore, StoreError};
use mongodb::options::Hint;

use crate::stored::id_time::{IdRange, id_range};

use super::MongoStore;
use super::documents::{date, message};
use super::indexes::{
    MESSAGE_DEAD_LETTERS, MESSAGE_ID_TIME_OFF, MESSAGE_PEER, MESSAGE_PHONE_NUMBER, MESSAGE_STATUS, MESSAGE_TENANT,
    MESSAGE_TENANT_DEAD_LETTERS, MESSAGE_TYPE,
};
use super::reads::Query;

#[async_trait]
impl ListStore for MongoStore {
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        let statuses = statuses_of(query);
        if query.limit == 0 || statuses.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let filter = filter(tenant_id, query, statuses.as_deref());
        let index = index_for(query);
        let page = |filter, index| {
            let query = Query::new(filter, index).newest_first().limit(query.limit);
            self.fetch_readable(&self.messages, query, message::decode)
        };
        let Some(id_range) = id_range(query) else {
            return page(filter, index).await;
        };
        let mut ranged = filter.clone();
        narrow_ids(&mut ranged, &id_range);
        let mut marked = filter;
        marked.insert("idTimeOff", true);
        let (mut found, marked) = futures_util::try_join!(page(ranged, index), page(marked, MESSAGE_ID_TIME_OFF))?;
        if !marked.is_empty() {
            found.extend(marked);
            found.sort_unstable_by_key(|message| std::cmp::Reverse(message.accepted.id));
            found.dedup_by_key(|message| message.accepted.id);
            found.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        }
        Ok(found)
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut filter = doc! { "deadLetter": true };
        if let Some(tenant_id) = tenant_id {
            filter.insert("tenantId", tenant_id.to_string());
        }
        if let Some(before) = before {
            filter.insert("_id", doc! { "$lt": before.to_string() });
        }
        let index = if tenant_id.is_some() {
            MESSAGE_TENANT_DEAD_LETTERS
        } else {
            MESSAGE_DEAD_LETTERS
        };
        let query = Query::new(filter, index).newest_first().limit(limit);
        self.fetch_readable(&self.messages, query, message::decode).await
    }

    async fn count_unsettled(&self, tenant_id: &TenantId, limit: u32) -> Result<u32, StoreError> {
        if limit == 0 {
            return Ok(0);
        }
        let unsettled: Vec<_> = Status::ALL
            .iter()
            .filter(|status| status.is_unsettled())
            .map(|s| s.as_str())
            .collect();
        let filter = doc! { "tenantId": tenant_id.to_string(), "status": { "$in": unsettled } };
        let timeout = self.options.read_timeout;
        let count = self
            .messages
            .count_documents(filter)
            .limit(limit.into())
            .hint(Hint::Name(MESSAGE_STATUS.to_owned()))
            .max_time(timeout);
        let counted = self.bounded(timeout, async { count.await }).await;
        counted
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
            .map_err(|failure| failure.to_store_error())
    }
}

/// The statuses that may be in the list; `None` when all may. The direction is one of them: inbound messages have a
/// status of their own.
fn statuses_of(query: &MessageQuery) -> Option<Vec<Status>> {
    if query.status.is_none() && query.direction.is_none() {
        return None;
    }
    let fits = |status: &Status| {
        let direction = if *status == Status::Received {
            Direction::Inbound
        } else {
            Direction::Outbound
        };
        query.status.is_none_or(|wanted| wanted == *status) && query.direction.is_none_or(|wanted| wanted == direction)
    };
    Some(Status::ALL.into_iter().filter(fits).collect())
}

/// Everything but the range of ids that a range of times allows.
fn filter(tenant_id: &TenantId, query: &MessageQuery, statuses: Option<&[Status]>) -> Document {
    let mut filter = doc! { "tenantId": tenant_id.to_string() };
    if let Some(statuses) = statuses {
        let names: Vec<Bson> = statuses.iter().map(|status| status.as_str().into()).collect();
        filter.insert(
            "status",
            if names.len() == 1 {
                names[0].clone()
            } else {
                doc! { "$in": names }.into()
            },
        );
    }
    let equal = [
        ("type", query.kind.as_deref().map(str::to_owned)),
        ("peerId", query.peer_id.as_ref().map(|id| id.as_str().to_owned())),
        (
            "phoneNumberId",
            query.phone_number_id.as_ref().map(|id| id.as_str().to_owned()),
        ),
        ("conversationId", query.conversation_id.map(|id| id.to_string())),
    ];
    for (field, value) in equal {
        if let Some(value) = value {
            filter.insert(field, value);
        }
    }
    let mut created = Document::new();
    if let Some(since) = query.since {
        created.insert("$gte", date(since));
    }
    if let Some(until) = query.until {
        created.insert("$lt", date(until));
    }
    if !created.is_empty() {
        filter.insert("createdAt", created);
    }
    if let Some(before) = query.before {
        filter.insert("_id", doc! { "$lt": before.to_string() });
    }
    filter
}

/// The index of the most selective filter.
fn index_for(query: &MessageQuery) -> &'static str {
    if query.peer_id.is_some() {
        MESSAGE_PEER
    } else if query.status.is_some() {
        MESSAGE_STATUS
    } else if query.kind.is_some() {
        MESSAGE_TYPE
    } else if query.phone_number_id.is_some() {
        MESSAGE_PHONE_NUMBER
    } else if query.direction.is_some() {
        MESSAGE_STATUS
    } else {
        MESSAGE_TENANT
    }
}

fn narrow_ids(filter: &mut Document, range: &IdRange) {
    let mut bounds = filter
        .remove("_id")
        .and_then(|bounds| bounds.as_document().cloned())
        .unwrap_or_default();
    if let Some(from) = range.from {
        bounds.insert("$gte", from.to_string());
    }
    if let Some(to) = range.to {
        let to = to.to_string();
        let before = bounds
            .get_str("$lt")
            .ok()
            .filter(|before| *before < to.as_str())
            .map(str::to_owned);
        bounds.insert("$lt", before.unwrap_or(to));
    }
    if !bounds.is_empty() {
        filter.insert("_id", bounds);
    }
}
