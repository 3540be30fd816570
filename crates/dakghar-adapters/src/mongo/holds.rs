//! The hold of all sending, and what waits behind it.

use async_trait::async_trait;
use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use dakghar_core::domain::hold::{SendingHold, UnsettledCount};
use dakghar_core::domain::ids::{PhoneNumberId, TenantId};
use dakghar_core::domain::message::Status;
use dakghar_core::domain::time::{Present, Timestamp};
use dakghar_core::ports::{HoldStore, StoreError};
use futures_util::TryStreamExt as _;
use mongodb::Collection;
use mongodb::options::Hint;

use super::MongoStore;
use super::collections::HOLDS;
use super::documents::{date, timestamp};
use super::indexes::{BY_ID, MESSAGE_TIMER};
use super::reads::Query;

/// The id of the one document.
pub(super) const ID: &str = "sending";

#[async_trait]
impl HoldStore for MongoStore {
    async fn sending_hold(&self) -> Result<Option<SendingHold>, StoreError> {
        let query = Query::new(doc! { "_id": ID }, BY_ID).majority();
        let since = |raw: &RawDocument| match raw.get_datetime("since") {
            Ok(since) => timestamp(since),
            Err(_) => Timestamp::from_millis(0),
        };
        let mut found = self.fetch(&self.of_holds(), query, since).await?;
        Ok(found.pop().map(|since| SendingHold { since }))
    }

    async fn keep_sending_hold(&self, hold: Option<SendingHold>) -> Result<(), StoreError> {
        let (holds, one) = (self.of_holds(), doc! { "_id": ID });
        let Some(hold) = hold else {
            let end = holds.delete_one(one);
            let ended = self.bounded(self.options.write_timeout, async { end.await }).await;
            return ended.map(|_| ()).map_err(|failure| failure.to_store_error());
        };
        let fields = doc! { "schemaVersion": 1, "since": date(hold.since) };
        let begin = holds.update_one(one, doc! { "$set": fields }).upsert(true);
        let begun = self.bounded(self.options.write_timeout, async { begin.await }).await;
        begun.map(|_| ()).map_err(|failure| failure.to_store_error())
    }

    async fn unsettled_by_number(&self, present: Present, limit: u32) -> Result<Vec<UnsettledCount>, StoreError> {
        let unsettled: Vec<_> = Status::ALL
            .iter()
            .filter(|status| status.is_unsettled())
            .map(|status| status.as_str())
            .collect();
        let is_date = doc! { "$eq": [{ "$type": "$createdAt" }, "date"] };
        let count_if = |condition: Document| doc! { "$sum": { "$cond": [condition, 1_i64, 0_i64] } };
        let expired =
            doc! { "$and": [{ "$gt": ["$expiresAt", Bson::Null] }, { "$lte": ["$expiresAt", date(present.wall)] }] };
        // Whatever is not settled has a timer, and few messages have one.
        let pipeline = vec![
            doc! { "$match": { "wakeAt": { "$exists": true }, "status": { "$in": unsettled } } },
            doc! { "$group": {
                "_id": { "tenant": "$tenantId", "number": "$phoneNumberId", "status": "$status" },
                "messages": { "$sum": 1_i64 },
                "oldest": { "$min": { "$cond": [is_date, "$createdAt", Bson::Null] } },
                "later": count_if(doc! { "$gt": ["$slotAt", date(present.now)] }),
                "expired": count_if(expired),
            } },
            doc! { "$sort": { "messages": -1, "_id": 1 } },
            doc! { "$limit": i64::from(limit) },
        ];
        let timeout = self.options.read_timeout;
        let run = async {
            let counting = self
                .messages
                .aggregate(pipeline)
                .hint(Hint::Name(MESSAGE_TIMER.to_owned()))
                .max_time(timeout);
            let cursor = counting.await?;
            cursor.try_collect::<Vec<Document>>().await
        };
        let found = self.bounded(timeout, run).await;
        let found = found.map_err(|failure| failure.to_store_error())?;
        // What makes no sense is a message that its own readers tell of.
        Ok(found.iter().filter_map(count).collect())
    }
}

impl MongoStore {
    pub(super) fn of_holds(&self) -> Collection<RawDocumentBuf> {
        self.database.collection(HOLDS)
    }
}

fn count(document: &Document) -> Option<UnsettledCount> {
    let of = document.get_document("_id").ok()?;
    let number = |field| document.get_i64(field).ok().and_then(|count| u64::try_from(count).ok());
    Some(UnsettledCount {
        tenant_id: TenantId::parse(of.get_str("tenant").ok()?).ok()?,
        phone_number_id: PhoneNumberId::parse(of.get_str("number").ok()?).ok()?,
        status: Status::parse(of.get_str("status").ok()?)?,
        messages: number("messages")?,
        oldest: timestamp(*document.get_datetime("oldest").ok()?),
        later: number("later")?,
        expired: number("expired")?,
    })
}
