//! The timers of messages: which are due, and which are held.

use async_trait::async_trait;
use bson::doc;
use dakghar_core::domain::ids::{PhoneNumberId, TenantId};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{StoreError, TimerStore};
use mongodb::options::Hint;

use super::MongoStore;
use super::documents::{date, message};
use super::indexes::{BY_ID, MESSAGE_STATUS, MESSAGE_TIMER};
use super::reads::{Query, text};

/// Held messages that are woken in one command.
const WAKE_BATCH: u32 = 1_000;
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
        let query = Query::new(filter, MESSAGE_TIMER)
            .sort(doc! { "wakeAt": 1 })
            .limit(limit);
        let due = self.fetch_readable(&self.messages, query, message::decode).await?;
        if !due.is_empty() {
            // A process may have been started on the empty database before the migration into it began.
            self.refuse_half_an_installation().await?;
        }
        Ok(due)
    }

    /// Woken in batches, so that a tenant with a million held messages does not hold up the server.
    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut held = doc! { "tenantId": tenant_id.to_string(), "status": Status::Held.as_str() };
        if let Some(phone_number_id) = phone_number_id {
            held.insert("phoneNumberId", phone_number_id.as_str());
        }
        let mut woken = 0;
        // Text ids only: a document under another kind of id is no message, and whoever finds it due tells of it.
        let mut after = BEHIND_ALL_IDS.to_owned();
        loop {
            let mut filter = held.clone();
            filter.insert("_id", doc! { "$lt": &after });
            let query = Query::new(filter, MESSAGE_STATUS)
                .newest_first()
                .limit(WAKE_BATCH)
                .fields(doc! { "_id": 1 });
            let ids = self
                .fetch_readable(&self.messages, query, |raw| text(raw, "message", "_id"))
                .await?;
            let Some(last) = ids.last().cloned() else {
                return Ok(woken);
            };
            let mut filter = held.clone();
            filter.insert("_id", doc! { "$in": ids });
            // One whose version is no number would refuse the command for all.
            filter.insert("version", doc! { "$type": "number" });
            // The version is raised, so that whoever saves a message it read before does not undo the waking.
            let update = self
                .messages
                .update_many(
                    filter,
                    doc! { "$set": { "wakeAt": date(at) }, "$inc": { "version": 1_i64 } },
                )
                .hint(Hint::Name(BY_ID.to_owned()));
            let updated = self.bounded(self.options.write_timeout, async { update.await }).await;
            woken += updated.map_err(|failure| failure.to_store_error())?.matched_count;
            after = last;
        }
    }
}
