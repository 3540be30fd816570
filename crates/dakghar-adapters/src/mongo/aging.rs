//! Erasing what is old, along the indexes from the oldest document on. What is found is deleted by its id and the same
//! conditions again: a document that has changed meanwhile stays.

use bson::{Bson, DateTime, Document, RawDocument, doc};
use dakghar_core::domain::amendment::KEPT_LONGER;
use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId};
use dakghar_core::domain::message::{DeadReason, LetterClass, Status};
use dakghar_core::ports::{Aged, AgedPortion, ErasedPortion, StoreError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::MongoStore;
use super::documents::date;
use super::feed;
use super::indexes::{
    BY_ID, CONVERSATION_LAST_MESSAGE, EVENT_TENANT, MESSAGE_PEER, MESSAGE_TENANT, MESSAGE_TENANT_DEAD_LETTERS,
};
use super::reads::Query;
use super::statuses::of_message;
use crate::stored::id_time::behind_ids_until;

/// Conversations whose messages are looked for at the same time.
const LOOKS_AT_ONCE: usize = 8;

/// A document that was looked at: its id, and whether it is old.
type Seen = (Option<String>, bool);

impl MongoStore {
    pub(super) async fn erase_aged_portion(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        if portion.limit == 0 {
            return Ok(ErasedPortion::default());
        }
        match (portion.kind, portion.tenant_id) {
            (Aged::Events, _) => self.erase_old_events(portion).await,
            (Aged::Messages, Some(tenant_id)) => self.erase_old_messages(&tenant_id, portion).await,
            (Aged::DeadLetters(class), Some(tenant_id)) => self.erase_old_letters(&tenant_id, class, portion).await,
            (Aged::Conversations, Some(tenant_id)) => self.erase_old_conversations(&tenant_id, portion).await,
            (Aged::Feed, Some(tenant_id)) => self.erase_old_chunks(&tenant_id, portion).await,
            (Aged::Written, _) => self.erase_written(portion).await,
            (Aged::Contents { removed_at }, Some(tenant_id)) => {
                self.remove_contents(&tenant_id, portion, removed_at).await
            }
            (_, None) => Ok(ErasedPortion::default()),
        }
    }

    async fn erase_old_messages(
        &self,
        tenant_id: &TenantId,
        portion: &AgedPortion,
    ) -> Result<ErasedPortion, StoreError> {
        let settled: Vec<&str> = Status::ALL
            .iter()
            .filter(|status| !status.is_unsettled() && !status.is_dead_letter())
            .map(|status| status.as_str())
            .collect();
        let is_meant = |raw: &RawDocument| raw.get_str("status").is_ok_and(|status| settled.contains(&status));
        let still = doc! { "status": { "$in": &settled } };
        self.erase_ended(tenant_id, (doc! {}, MESSAGE_TENANT, still), portion, is_meant)
            .await
    }

    /// Along the index of dead letters, which are few beside the other messages.
    async fn erase_old_letters(
        &self,
        tenant_id: &TenantId,
        class: LetterClass,
        portion: &AgedPortion,
    ) -> Result<ErasedPortion, StoreError> {
        let status = class.status();
        let is_meant = |raw: &RawDocument| {
            let reason = raw.get_str("deadReason").ok().and_then(DeadReason::parse);
            raw.get_str("status").is_ok_and(|found| found == status.as_str())
                && LetterClass::of(status, reason) == Some(class)
        };
        let filter = doc! { "deadLetter": true };
        let still = doc! { "status": status.as_str() };
        let selection = (filter, MESSAGE_TENANT_DEAD_LETTERS, still);
        self.erase_ended(tenant_id, selection, portion, is_meant).await
    }

    /// Deletes the messages of a filter that are meant and ended before the portion does, if `still` holds for them by then:
    /// one that was sent again and has ended anew changed later.
    async fn erase_ended(
        &self,
        tenant_id: &TenantId,
        (mut filter, index, mut still): (Document, &'static str, Document),
        portion: &AgedPortion,
        is_meant: impl Fn(&RawDocument) -> bool + Send + Sync,
    ) -> Result<ErasedPortion, StoreError> {
        let before = date(portion.before);
        let is_old = |raw: &RawDocument| is_meant(raw) && raw.get_datetime("updatedAt").is_ok_and(|at| at < before);
        let ids = doc! {
            "$gt": portion.from.clone().unwrap_or_default(), "$lt": behind_ids_until(portion.before),
        };
        filter.extend(doc! { "tenantId": tenant_id.to_string(), "_id": ids });
        let query = Query::new(filter, index)
            .sort(doc! { "_id": 1 })
            .limit(portion.limit)
            .fields(doc! { "_id": 1, "status": 1, "deadReason": 1, "updatedAt": 1 });
        let seen = self
            .fetch(&self.messages, query, |raw| (id_of(raw), is_old(raw)))
            .await?;
        still.insert("updatedAt", doc! { "$lt": before });
        let erased = self.erase_seen_messages(tenant_id, &seen, still).await?;
        Ok(ErasedPortion {
            erased,
            next: next_of(&seen, portion),
        })
    }

    /// Deletes the old ones among messages that were looked at, if this still holds for them.
    async fn erase_seen_messages(
        &self,
        tenant_id: &TenantId,
        seen: &[Seen],
        mut still: Document,
    ) -> Result<u64, StoreError> {
        let old = old_ids(seen);
        if old.is_empty() {
            return Ok(0);
        }
        still.insert("_id", doc! { "$in": &old });
        still.insert("tenantId", tenant_id.to_string());
        // First the reports, so that a crash leaves none behind. Only a dead letter can change meanwhile, and what was
        // reported on it is in its timeline.
        self.erase_statuses_of(tenant_id, &old).await?;
        self.delete_by_ids(&self.messages, still).await
    }

    pub(super) async fn erase_statuses_of(&self, tenant_id: &TenantId, messages: &[&str]) -> Result<(), StoreError> {
        let ids = messages.iter().filter_map(|id| MessageId::parse(id).ok());
        let ranges: Vec<Document> = ids
            .map(|message_id| {
                of_message(&MessageKey {
                    tenant_id: *tenant_id,
                    message_id,
                })
            })
            .collect();
        if ranges.is_empty() {
            return Ok(());
        }
        self.delete_by_ids(&self.statuses, doc! { "$or": ranges }).await?;
        Ok(())
    }

    async fn erase_old_events(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        let before = date(portion.before);
        let amendments_before = date(portion.before - KEPT_LONGER);
        let is_past = |raw: &RawDocument| raw.get_datetime("receivedAt").is_ok_and(|at| at < before);
        let is_old = |raw: &RawDocument| {
            let is_amendment = !matches!(raw.get("amends"), Ok(None));
            let before = if is_amendment { amendments_before } else { before };
            raw.get_datetime("receivedAt").is_ok_and(|at| at < before)
        };
        let tenant_id = portion.tenant_id.map_or(Bson::Null, |id| id.to_string().into());
        let filter = doc! { "tenantId": &tenant_id, "_id": { "$gt": portion.from.clone().unwrap_or_default() } };
        let query = Query::new(filter, EVENT_TENANT)
            .sort(doc! { "_id": 1 })
            .limit(portion.limit)
            .fields(doc! { "_id": 1, "receivedAt": 1, "amends.wamid": 1 });
        let read = |raw: &RawDocument| ((id_of(raw), is_old(raw)), is_past(raw));
        let (seen, past): (Vec<Seen>, Vec<bool>) = self.fetch(&self.events, query, read).await?.into_iter().unzip();
        let mut erased = 0;
        let old = old_ids(&seen);
        if !old.is_empty() {
            let filter = doc! { "_id": { "$in": old }, "tenantId": tenant_id, "receivedAt": { "$lt": before } };
            erased = self.delete_by_ids(&self.events, filter).await?;
        }
        // Ids are in the order of time.
        let is_through = past.last().is_none_or(|is_past| !is_past);
        Ok(ErasedPortion {
            erased,
            next: next_of(&seen, portion).filter(|_| !is_through),
        })
    }

    async fn erase_old_conversations(
        &self,
        tenant_id: &TenantId,
        portion: &AgedPortion,
    ) -> Result<ErasedPortion, StoreError> {
        let from: i64 = portion.from.as_deref().and_then(|from| from.parse().ok()).unwrap_or(0);
        let before = date(portion.before);
        let at = doc! { "$gte": DateTime::from_millis(from), "$lt": before };
        let query = Query::new(
            doc! { "tenantId": tenant_id.to_string(), "lastMessage.at": at },
            CONVERSATION_LAST_MESSAGE,
        )
        .sort(doc! { "lastMessage.at": 1, "_id": 1 })
        .limit(portion.limit)
        .fields(doc! { "_id": 1, "lastMessage.at": 1, "phoneNumberId": 1, "waId": 1 });
        let seen = self
            .fetch(&self.conversations, query, |raw| (last_at(raw), parts(raw)))
            .await?;
        let whole = seen.iter().filter_map(|(_, parts)| parts.clone());
        let looks = stream::iter(whole.collect::<Vec<_>>()).map(|(id, number, person)| async move {
            let has_message = self.has_message(tenant_id, &number, &person).await?;
            Ok::<_, StoreError>((!has_message).then_some(id))
        });
        let old: Vec<Option<String>> = looks.buffered(LOOKS_AT_ONCE).try_collect().await?;
        let old: Vec<String> = old.into_iter().flatten().collect();
        let mut erased = 0;
        if !old.is_empty() {
            let filter = doc! {
                "_id": { "$in": old }, "tenantId": tenant_id.to_string(), "lastMessage.at": { "$lt": before },
            };
            erased = self.delete_by_ids(&self.conversations, filter).await?;
        }
        let last = seen.iter().rev().find_map(|(at, _)| *at).unwrap_or(from);
        // It goes on with those of the same time, unless they alone are more than a portion.
        let next = if last == from { last.saturating_add(1) } else { last };
        let has_more = seen.len() >= portion.limit as usize;
        Ok(ErasedPortion {
            erased,
            next: has_more.then(|| next.to_string()),
        })
    }

    /// From the earliest chunk on, up to the first that is not old. The last chunk stays: the next place follows from it.
    async fn erase_old_chunks(&self, tenant_id: &TenantId, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        let before = date(portion.before);
        let query = Query::new(feed::of_tenant(tenant_id), BY_ID)
            .sort(doc! { "_id": 1 })
            .limit(portion.limit)
            .fields(doc! { "_id": 1, "at": 1 });
        let read = |raw: &RawDocument| (id_of(raw), raw.get_datetime("at").is_ok_and(|at| at < before));
        let mut seen = self.fetch(&self.feed, query, read).await?;
        let is_full = seen.len() >= portion.limit as usize;
        if !is_full {
            seen.pop();
        }
        let young = seen.iter().position(|(_, is_old)| !is_old);
        seen.truncate(young.unwrap_or(seen.len()));
        let old = old_ids(&seen);
        let mut erased = 0;
        if !old.is_empty() {
            erased = self.delete_by_ids(&self.feed, doc! { "_id": { "$in": old } }).await?;
        }
        Ok(ErasedPortion {
            erased,
            next: next_of(&seen, portion).filter(|_| is_full && young.is_none()),
        })
    }

    async fn has_message(&self, tenant_id: &TenantId, number: &str, person: &str) -> Result<bool, StoreError> {
        let filter = doc! { "tenantId": tenant_id.to_string(), "peerId": person, "phoneNumberId": number };
        let query = Query::new(filter, MESSAGE_PEER).limit(1).fields(doc! { "_id": 1 });
        Ok(!self.fetch(&self.messages, query, |_| ()).await?.is_empty())
    }
}

fn id_of(raw: &RawDocument) -> Option<String> {
    raw.get_str("_id").ok().map(str::to_owned)
}

fn last_at(raw: &RawDocument) -> Option<i64> {
    let last = raw.get_document("lastMessage").ok()?;
    last.get_datetime("at").ok().map(DateTime::timestamp_millis)
}

/// The id, the number and the person of a conversation that can be read so far.
fn parts(raw: &RawDocument) -> Option<(String, String, String)> {
    let text = |field| raw.get_str(field).ok().map(str::to_owned);
    Some((id_of(raw)?, text("phoneNumberId")?, text("waId")?))
}

fn old_ids(seen: &[Seen]) -> Vec<&str> {
    let old = seen.iter().filter(|(_, is_old)| *is_old);
    old.filter_map(|(id, _)| id.as_deref()).collect()
}

/// The last id of a portion that is full.
fn next_of(seen: &[Seen], portion: &AgedPortion) -> Option<String> {
    let is_full = seen.len() >= portion.limit as usize;
    let last = seen.iter().rev().find_map(|(id, _)| id.clone());
    last.filter(|_| is_full)
}
