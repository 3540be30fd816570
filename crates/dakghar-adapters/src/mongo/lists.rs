//! Lists of messages, newest first.
//!
//! Ids sort by the time they were made, so a range of `createdAt` is searched as a range of ids. A message whose id
//! tells another time than its `createdAt` carries a mark, and the marked ones are searched beside the others.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use dakghar_core::domain::ids::{MessageId, TenantId};
use dakghar_core::domain::message::{Direction, Message, Status};
use dakghar_core::domain::page::{Listed, MessageQuery, PageLimit};
use dakghar_core::ports::{ListStore, StoreError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::options::Hint;

use crate::stored::id_time::{IdRange, id_range};

use super::MongoStore;
use super::documents::{date, message};
use super::indexes::{
    MESSAGE_DEAD_LETTERS, MESSAGE_ID_TIME_OFF, MESSAGE_PEER, MESSAGE_PHONE_NUMBER, MESSAGE_STATUS, MESSAGE_TENANT,
    MESSAGE_TENANT_DEAD_LETTERS, MESSAGE_TYPE,
};
use super::pages::List;

/// Tenants that are counted at the same time.
const COUNTS_AT_ONCE: usize = 8;

#[async_trait]
impl ListStore for MongoStore {
    async fn messages(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Listed<Message>, StoreError> {
        let statuses = statuses_of(query);
        if query.limit.items == 0 || statuses.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Listed::empty());
        }
        let filter = filter(tenant_id, query, statuses.as_deref());
        let before = query.before.map(|before| before.to_string());
        let page = |list, before| async move { self.messages_page(&list, before, query.limit).await };
        let Some(IdRange { from, to }) = id_range(query) else {
            return page(self.messages_along(index_for(query), filter), before).await;
        };
        let mut ranged = self.messages_along(index_for(query), filter.clone());
        ranged.from = from.map(|from| from.to_string());
        let to = to.map(|to| to.to_string());
        let ranged_before = match (&before, to) {
            (Some(before), Some(to)) => Some(to.min(before.clone())),
            (before, to) => to.or_else(|| before.clone()),
        };
        let mut marked = filter;
        marked.insert("idTimeOff", true);
        let marked = self.messages_along((MESSAGE_ID_TIME_OFF, "idTimeOff"), marked);
        let (ranged, marked) = futures_util::try_join!(page(ranged, ranged_before), page(marked, before))?;
        Ok(ranged.merge(marked, query.limit))
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError> {
        let mut filter = doc! { "deadLetter": true };
        let index = if let Some(tenant_id) = tenant_id {
            filter.insert("tenantId", tenant_id.to_string());
            MESSAGE_TENANT_DEAD_LETTERS
        } else {
            MESSAGE_DEAD_LETTERS
        };
        let list = self.messages_along((index, "deadLetter"), filter);
        self.messages_page(&list, before.map(|before| before.to_string()), limit)
            .await
    }

    async fn count_unsettled(&self, tenants: &[(TenantId, u32)]) -> Result<Vec<u32>, StoreError> {
        // One command counts up to one bound only. An index answers each.
        let counting = |(tenant_id, limit)| self.count_unsettled_of(tenant_id, limit);
        let counts = stream::iter(tenants.to_vec()).map(counting);
        counts.buffered(COUNTS_AT_ONCE).try_collect().await
    }
}

impl MongoStore {
    async fn count_unsettled_of(&self, tenant_id: TenantId, limit: u32) -> Result<u32, StoreError> {
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

    /// The messages that `filter` matches, along an index of this name and of this field behind the tenant's.
    fn messages_along(&self, (index, field): (&'static str, &'static str), mut filters: Document) -> List<'_> {
        let mut along = Document::new();
        for field in ["tenantId", field] {
            if let Some(value) = filters.remove(field) {
                along.insert(field, value);
            }
        }
        List {
            // A range of times is one of ids already, unless the ids tell other times.
            is_sparse: index == MESSAGE_ID_TIME_OFF || filters.keys().any(|field| field != "createdAt"),
            filters,
            ..List::of(&self.messages, index, along)
        }
    }

    async fn messages_page(
        &self,
        list: &List<'_>,
        before: Option<String>,
        limit: PageLimit,
    ) -> Result<Listed<Message>, StoreError> {
        let parse = |id: &str| MessageId::parse(id).ok();
        self.page(list, before, limit, parse, message::decode).await
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
        query.status.is_none_or(|wanted| wanted.stored_as().contains(status))
            && query.direction.is_none_or(|wanted| wanted == direction)
    };
    Some(Status::ALL.into_iter().filter(fits).collect())
}

/// Everything but the range of ids.
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
    filter
}

/// The index of the most selective filter, and its field.
fn index_for(query: &MessageQuery) -> (&'static str, &'static str) {
    if query.peer_id.is_some() {
        (MESSAGE_PEER, "peerId")
    } else if query.status.is_some() {
        (MESSAGE_STATUS, "status")
    } else if query.kind.is_some() {
        (MESSAGE_TYPE, "type")
    } else if query.phone_number_id.is_some() {
        (MESSAGE_PHONE_NUMBER, "phoneNumberId")
    } else if query.direction.is_some() {
        (MESSAGE_STATUS, "status")
    } else {
        (MESSAGE_TENANT, "tenantId")
    }
}
