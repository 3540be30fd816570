//! What is due, what is held, and whether statuses arrive.

use bson::{RawDocument, doc};
use dakghar_core::domain::ids::{MessageKey, PhoneNumberId, TenantId};
use dakghar_core::domain::message::{Message, Status};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::StoreError;
use mongodb::options::Hint;

use crate::mongo::MongoStore;
use crate::mongo::documents::{date, message};
use crate::mongo::indexes::{BY_ID, MESSAGE_PHONE_NUMBER, MESSAGE_STATUS, MESSAGE_TIMER};
use crate::mongo::reads::{Query, text};

/// Held messages that are woken in one command.
const WAKE_BATCH: u32 = 1_000;
/// How many of a number's next and of its newest messages are looked at for a status.
const STATUS_SAMPLE: u32 = 200;

impl MongoStore {
    pub(super) async fn due_messages(
        &self,
        until: Timestamp,
        status: Option<Status>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
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
    pub(super) async fn wake_held_messages(
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
        let mut after: Option<String> = None;
        loop {
            let mut filter = held.clone();
            if let Some(after) = &after {
                filter.insert("_id", doc! { "$lt": after });
            }
            let query = Query::new(filter, MESSAGE_STATUS)
                .newest_first()
                .limit(WAKE_BATCH)
                .fields(doc! { "_id": 1 });
            let ids = self
                .fetch(&self.messages, query, |raw| text(raw, "message", "_id"))
                .await?;
            let Some(last) = ids.last().cloned() else {
                return Ok(woken);
            };
            let mut filter = held.clone();
            filter.insert("_id", doc! { "$in": ids });
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
            after = Some(last);
        }
    }

    pub(super) async fn statuses_have_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        called_after: Timestamp,
    ) -> Result<bool, StoreError> {
        let of_number = doc! { "tenantId": message.tenant_id.to_string(), "phoneNumberId": phone_number_id.as_str() };
        let mut next = of_number.clone();
        next.insert("_id", doc! { "$gt": message.message_id.to_string() });
        let next = Query::new(next, MESSAGE_PHONE_NUMBER).sort(doc! { "_id": 1 });
        let newest = Query::new(of_number, MESSAGE_PHONE_NUMBER).newest_first();
        let proves = |raw: &RawDocument| {
            let called_at = raw.get_datetime("calledAt");
            Ok(called_at.is_ok_and(|at| at > date(called_after)) && raw.get_datetime("statusSeenAt").is_ok())
        };
        for query in [next, newest] {
            let query = query
                .limit(STATUS_SAMPLE)
                .fields(doc! { "_id": 0, "calledAt": 1, "statusSeenAt": 1 });
            if self.fetch(&self.messages, query, proves).await?.contains(&true) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
