//! The timers of messages: which are due, and which are held.

use async_trait::async_trait;
use bson::raw::cstr;
use bson::{RawArrayBuf, RawDocumentBuf, doc, rawdoc};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{DUE_BYTES_MAX, QueueEntry, StoreError, TimerStore};

use super::MongoStore;
use super::collections::MESSAGES;
use super::documents::{Unreadable, date, message};
use super::indexes::{BY_ID, MESSAGE_CHANGED, MESSAGE_STATUS, MESSAGE_TIMER};
use super::reads::{Query, text};
use super::updates::RefusedStatement;

/// Held messages that are woken in one command.
const WAKE_BATCH: u32 = 1_000;
/// The status of the messages that are woken.
const HELD: &str = Status::Held.as_str();
/// Sorts behind every id of a message.
const BEHIND_ALL_IDS: &str = "~";

#[async_trait]
impl TimerStore for MongoStore {
    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut filter = doc! { "wakeAt": { "$lte": date(until) } };
        if let Some(status) = status {
            filter.insert("status", status.as_str());
        }
        let query = Query::new(filter, MESSAGE_TIMER).sort(doc! { "wakeAt": 1 });
        let due = self
            .fetch_within(&self.messages, query, within(limit), message::decode)
            .await?;
        if !due.is_empty() {
            // A process may have been started on the empty database before the migration into it began.
            self.refuse_half_an_installation().await?;
        }
        Ok(due)
    }

    async fn ahead(&self, of: Timestamp, limit: u32) -> Result<Vec<Message>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        // Only what has a timer is in the index, and that is every message that is not settled.
        let filter = doc! { "updatedAt": { "$gt": date(of) }, "wakeAt": { "$gt": date(of) } };
        let query = Query::new(filter, MESSAGE_CHANGED);
        self.fetch_within(&self.messages, query, within(limit), message::decode)
            .await
    }

    async fn released(&self, until: Timestamp, limit: u32) -> Result<Vec<QueueEntry>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let filter = doc! {
            "wakeAt": { "$lte": date(until) }, "status": Status::Queued.as_str(), "enqueuedAt": { "$ne": null },
        };
        let query = Query::new(filter, MESSAGE_TIMER)
            .sort(doc! { "wakeAt": 1 })
            .fields(
                message::ENTRY_FIELDS
                    .iter()
                    .map(|field| ((*field).to_owned(), 1.into()))
                    .collect(),
            )
            .limit(limit);
        let released = self
            .fetch_readable(&self.messages, query, message::decode_entry)
            .await?;
        if !released.is_empty() {
            self.refuse_half_an_installation().await?;
        }
        Ok(released)
    }

    /// Woken in batches, so that a tenant with a million held messages does not hold up the server.
    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let waking = Waking {
            tenant_id,
            phone_number_id,
            at,
        };
        let mut woken = 0;
        // Text ids only: a document under another kind of id is no message, and whoever finds it due tells of it.
        let mut after = BEHIND_ALL_IDS.to_owned();
        loop {
            let mut held = doc! { "_id": { "$lt": &after }, "tenantId": tenant_id.to_string(), "status": HELD };
            if let Some(phone_number_id) = phone_number_id {
                held.insert("phoneNumberId", phone_number_id.as_str());
            }
            let query = Query::new(held, MESSAGE_STATUS)
                .newest_first()
                .limit(WAKE_BATCH)
                .fields(doc! { "_id": 1 });
            let ids = self
                .fetch_readable(&self.messages, query, |raw| text(raw, "message", "_id"))
                .await?;
            let Some(last) = ids.last().cloned() else {
                return Ok(woken);
            };
            woken += self.wake(&waking, &ids).await?;
            after = last;
        }
    }
}

const fn within(items: u32) -> PageLimit {
    PageLimit {
        bytes: DUE_BYTES_MAX,
        ..PageLimit::items(items)
    }
}

impl MongoStore {
    /// Wakes those of these messages that are still held. One whose document does not allow it is told of.
    async fn wake(&self, waking: &Waking<'_>, ids: &[String]) -> Result<u64, StoreError> {
        if let Some(woken) = self.wake_sharing(waking, ids, ids.len()).await? {
            return Ok(woken);
        }
        // A refused document ends its statement, and nobody looked at those behind it. Once more, each alone: waking one
        // again only raises its version again.
        let woken = self.wake_sharing(waking, ids, 1).await?;
        Ok(woken.unwrap_or_default())
    }

    /// Wakes messages in statements for so many. Returns `None` if a document refused a statement for several.
    async fn wake_sharing(
        &self,
        waking: &Waking<'_>,
        ids: &[String],
        sharing: usize,
    ) -> Result<Option<u64>, StoreError> {
        let groups: Vec<&[String]> = ids.chunks(sharing).collect();
        let statements: Vec<RawDocumentBuf> = groups.iter().map(|ids| waking.statement(ids)).collect();
        let reply = self
            .update_all(MESSAGES, &statements)
            .await
            .map_err(|failure| failure.to_store_error())?;
        if let Some(error) = reply.unconfirmed {
            return Err(error);
        }
        for RefusedStatement { index, error, .. } in reply.refused {
            let StoreError::Unreadable(why) = error else {
                return Err(error);
            };
            let [id] = groups[index] else { return Ok(None) };
            Unreadable::unchangeable("message", id, why).tell();
        }
        Ok(Some(u64::try_from(reply.matched).unwrap_or(u64::MAX)))
    }
}

/// Which held messages wake, and when they look again.
struct Waking<'a> {
    tenant_id: &'a TenantId,
    phone_number_id: Option<&'a PhoneNumberId>,
    at: Timestamp,
}

impl Waking<'_> {
    /// Wakes those of these messages that are held. The version is raised, so that whoever saves a message it read
    /// before does not undo the waking.
    fn statement(&self, ids: &[String]) -> RawDocumentBuf {
        let ids: RawArrayBuf = ids.iter().map(String::as_str).collect();
        let mut held = rawdoc! { "_id": { "$in": ids }, "tenantId": self.tenant_id.to_string(), "status": HELD };
        if let Some(phone_number_id) = self.phone_number_id {
            held.append(cstr!("phoneNumberId"), phone_number_id.as_str());
        }
        let update = rawdoc! {
            "$set": { "wakeAt": date(self.at) },
            "$max": { "updatedAt": date(self.at) },
            "$inc": { "version": 1_i64 },
        };
        rawdoc! { "q": held, "u": update, "multi": true, "hint": BY_ID }
    }
}
