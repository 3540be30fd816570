//! Deleting what belongs to a tenant, a bounded piece at a time.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use bson::{RawDocument, doc};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{AgedPortion, ErasedPortion, Erasure, StoreError};

use super::MongoStore;
use super::documents::{SCHEMA_VERSION, Unreadable, date, timestamp};
use super::feed;
use super::indexes::{
    BY_ID, CONVERSATION_LAST_MESSAGE, ENDPOINT_SEAT, ERASURE_TENANT, EVENT_TENANT, MESSAGE_TENANT, REDRIVE_TENANT,
    SIGNUP_TENANT,
};
use super::reads::{Query, text_id};
use super::statuses::of_tenant;

/// Tenants that are looked for at once.
const CHECKED_AT_ONCE: usize = 1_000;
/// The id of the one document with the retention time.
const TIME: &str = "time";

#[async_trait]
impl Erasure for MongoStore {
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        let owned = doc! { "tenantId": tenant_id.to_string() };
        self.forget_walks(tenant_id).await?;
        let mut erased = self.erase_callbacks(tenant_id, limit).await?;
        let left = u64::from(limit).saturating_sub(erased);
        erased += self
            .erase_opt_outs(tenant_id, u32::try_from(left).unwrap_or(u32::MAX))
            .await?;
        for (collection, index, owned) in [
            (&self.statuses, BY_ID, of_tenant(tenant_id)),
            (&self.messages, MESSAGE_TENANT, owned.clone()),
            (&self.conversations, CONVERSATION_LAST_MESSAGE, owned.clone()),
            (&self.events, EVENT_TENANT, owned.clone()),
            (&self.redrives, REDRIVE_TENANT, owned.clone()),
            (&self.erasures, ERASURE_TENANT, owned.clone()),
            (&self.signups, SIGNUP_TENANT, owned.clone()),
            (&self.endpoints, ENDPOINT_SEAT, owned.clone()),
            (&self.feed, BY_ID, feed::of_tenant(tenant_id)),
            // Nearly always there are few.
            (&self.feed_arrivals, BY_ID, owned.clone()),
            (&self.feed_aside, BY_ID, owned),
        ] {
            let left = u64::from(limit).saturating_sub(erased);
            let Ok(left @ 1..) = u32::try_from(left) else { break };
            erased += self.erase_from(collection, index, owned, left).await?;
        }
        Ok(erased)
    }

    async fn left_behind(&self, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        let mut named: BTreeSet<String> = BTreeSet::new();
        for collection in [
            &self.callback_progress,
            &self.callback_exceptions,
            &self.callback_attempts,
        ] {
            let distinct = collection.distinct("tenantId", doc! {});
            let found = self.bounded(self.options.write_timeout, async { distinct.await }).await;
            let found = found.map_err(|failure| failure.to_store_error())?;
            named.extend(found.into_iter().filter_map(|id| id.as_str().map(str::to_owned)));
        }
        let named: Vec<String> = named.into_iter().collect();
        let mut left = Vec::new();
        for some in named.chunks(CHECKED_AT_ONCE) {
            let query = Query::new(doc! { "_id": { "$in": some } }, BY_ID).fields(doc! { "_id": 1 });
            let there: HashSet<String> = self
                .fetch(&self.tenants, query, text_id)
                .await?
                .into_iter()
                .flatten()
                .collect();
            let gone = some.iter().filter(|id| !there.contains(*id));
            left.extend(gone.filter_map(|id| TenantId::parse(id).ok()));
        }
        left.truncate(limit as usize);
        Ok(left)
    }

    async fn erase_aged(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        self.erase_aged_portion(portion).await
    }

    async fn retention_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = Query::new(doc! { "_id": TIME }, BY_ID).majority();
        let read = |raw: &RawDocument| {
            let at = raw.get_datetime("at").map(timestamp);
            at.map_err(|_| Unreadable::field("retention time", TIME, "at"))
        };
        self.fetch_one(&self.retention(), query, read).await
    }

    async fn keep_retention_time(&self, at: Timestamp) -> Result<(), StoreError> {
        let update = doc! { "$max": { "at": date(at) }, "$set": { "schemaVersion": SCHEMA_VERSION } };
        let retention = self.retention();
        let keep = retention.update_one(doc! { "_id": TIME }, update).upsert(true);
        match self.bounded(self.options.write_timeout, async { keep.await }).await {
            Ok(_) => Ok(()),
            // Two processes created the document at the same time, with times of the same clock.
            Err(failure) if failure.is_duplicate_key() => Ok(()),
            Err(failure) => Err(failure.to_store_error()),
        }
    }
}
