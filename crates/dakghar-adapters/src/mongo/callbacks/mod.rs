//! How far endpoints are, what they have not taken, and the attempts: a collection for each, all by the endpoint's id.

mod advancing;
mod gone;
mod ranges;
mod save;
mod together;

use std::collections::HashMap;

use async_trait::async_trait;
use bson::{Bson, RawDocument, doc};
use dakghar_core::domain::callback::{
    Advance, AttemptLog, CallbackException, CallbackProgress, EXCEPTIONS_MAX, exception_id,
};
use dakghar_core::domain::feed::Place;
use dakghar_core::domain::ids::{AttemptLogId, EndpointId, TenantId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit, Paged as _};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{CallbackStore, ExceptionsAsked, GoneEndpoints, Saved, StoreError};
use mongodb::options::Hint;

use super::MongoStore;
use super::documents::{callback, date, endpoint};
use super::indexes::{
    ATTEMPT_AT, ATTEMPT_TENANT, BY_ID, ENDPOINT_SEAT, EXCEPTION_DEAD, EXCEPTION_TENANT, PROGRESS_TENANT,
};
use super::pages::List;
use super::reads::{Query, text_id};
use ranges::{behind, in_state, range_of};

/// Endpoints of a tenant that are looked for at once.
const ENDPOINTS_AT_ONCE: u32 = 100;

#[async_trait]
impl CallbackStore for MongoStore {
    async fn progress(&self, endpoints: &[EndpointId]) -> Vec<Result<Option<CallbackProgress>, StoreError>> {
        if endpoints.is_empty() {
            return Vec::new();
        }
        let ids: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
        let query = Query::new(doc! { "_id": { "$in": &ids } }, BY_ID).majority();
        let found = self
            .fetch_each(&self.callback_progress, query, text_id, callback::decode_progress)
            .await;
        let found: HashMap<String, _> = match found {
            Ok(found) => found,
            Err(error) => return vec![Err(error); endpoints.len()],
        };
        ids.iter().map(|id| found.get(id).cloned().transpose()).collect()
    }

    async fn advance(&self, advances: &[Advance]) -> Vec<Result<Saved, StoreError>> {
        self.advance_all(advances).await
    }

    async fn exceptions(
        &self,
        endpoint_id: &EndpointId,
        asked: ExceptionsAsked,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<CallbackException>, StoreError> {
        if limit.items == 0 {
            return Ok(Listed::empty());
        }
        let from = exception_id(endpoint_id, after);
        let ids = doc! { "$gt": from, "$lt": behind(endpoint_id) };
        let (filter, index) = in_state(asked, ids);
        let order = match asked {
            ExceptionsAsked::Open => doc! { "deadAt": 1, "_id": 1 },
            ExceptionsAsked::Dead => doc! { "_id": 1 },
        };
        let query = Query::new(filter, index).sort(order).majority();
        let one_more = PageLimit {
            items: limit.items.saturating_add(1),
            ..limit
        };
        let found = self
            .fetch_within(&self.callback_exceptions, query, one_more, callback::decode_exception)
            .await?;
        let is_cut = found.iter().map(CallbackException::bytes).sum::<usize>() >= limit.bytes;
        let mut page = PageFill::new(limit);
        for exception in found {
            if page.is_full() {
                return Ok(page.more());
            }
            page.push(exception);
        }
        Ok(if is_cut { page.more() } else { page.end() })
    }

    async fn find_exceptions(
        &self,
        endpoint_id: &EndpointId,
        places: &[Place],
    ) -> Result<Vec<CallbackException>, StoreError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let ids = places.iter().map(|place| exception_id(endpoint_id, *place));
        let ids: Vec<String> = ids.collect();
        let query = Query::new(doc! { "_id": { "$in": ids } }, BY_ID)
            .sort(doc! { "_id": 1 })
            .majority();
        self.fetch_readable(&self.callback_exceptions, query, callback::decode_exception)
            .await
    }

    async fn count_exceptions(&self, endpoint_id: &EndpointId, asked: ExceptionsAsked) -> Result<u32, StoreError> {
        let (filter, index) = in_state(asked, range_of(endpoint_id));
        let timeout = self.options.read_timeout;
        let count = self.callback_exceptions.count_documents(filter).max_time(timeout);
        let count = count
            .hint(Hint::Name(index.to_owned()))
            .limit(u64::from(EXCEPTIONS_MAX));
        let counted = self.bounded(timeout, async { count.await }).await;
        counted
            .map(|count| u32::try_from(count).unwrap_or(EXCEPTIONS_MAX))
            .map_err(|failure| failure.to_store_error())
    }

    async fn attempts(
        &self,
        endpoint_id: &EndpointId,
        before: Option<AttemptLogId>,
        limit: PageLimit,
    ) -> Result<Listed<AttemptLog>, StoreError> {
        let list = List {
            from: Some(format!("{endpoint_id}/")),
            ..List::of(&self.callback_attempts, BY_ID, doc! {})
        };
        let before = before.map_or_else(|| behind(endpoint_id), |before| callback::log_id(endpoint_id, before));
        self.page(&list, Some(before), limit, callback::log_in, callback::decode_log)
            .await
    }

    async fn forget_attempts(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if limit == 0 {
            return Ok(0);
        }
        let before = doc! { "$lt": date(before) };
        // One that is replayed meanwhile is not dead any more, and stays.
        let dead = doc! { "deadAt": before.clone() };
        let exceptions = self.erase_from(&self.callback_exceptions, EXCEPTION_DEAD, dead, limit);
        let attempts = self.erase_from(&self.callback_attempts, ATTEMPT_AT, doc! { "at": before }, limit);
        Ok(exceptions.await? + attempts.await?)
    }

    async fn gone_endpoints(&self, after: Option<EndpointId>, limit: u32) -> Result<GoneEndpoints, StoreError> {
        self.look_for_gone(after, limit).await
    }

    async fn forget_endpoint(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &EndpointId,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.forget_of(tenant_id, &endpoint_id.to_string(), limit).await
    }
}

impl MongoStore {
    /// Deletes up to `limit` records of the callbacks of a tenant, also those that a crash left of endpoints that are gone.
    pub(super) async fn erase_callbacks(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        let owned = doc! { "tenantId": tenant_id.to_string() };
        let mut erased = 0;
        for (collection, index) in [
            (&self.callback_exceptions, EXCEPTION_TENANT),
            (&self.callback_attempts, ATTEMPT_TENANT),
            (&self.callback_progress, PROGRESS_TENANT),
        ] {
            let left = u64::from(limit).saturating_sub(erased);
            let Ok(left @ 1..) = u32::try_from(left) else { break };
            erased += self.erase_from(collection, index, owned.clone(), left).await?;
        }
        Ok(erased)
    }

    /// Returns the ids under which something of a tenant's endpoints is kept, in their order.
    pub(super) async fn endpoints_with_callbacks(&self, tenant_id: &TenantId) -> Result<Vec<String>, StoreError> {
        let owned = doc! { "tenantId": tenant_id.to_string() };
        let mut endpoints = Vec::new();
        // Before its progress is saved for the first time, an endpoint may have exceptions.
        for (collection, index, id) in [
            (
                &self.callback_progress,
                PROGRESS_TENANT,
                text_id as fn(&RawDocument) -> _,
            ),
            (&self.endpoints, ENDPOINT_SEAT, endpoint::kept_under),
        ] {
            let query = Query::new(owned.clone(), index)
                .limit(ENDPOINTS_AT_ONCE)
                .fields(doc! { "_id": 1, "keptUnder": 1 });
            endpoints.extend(self.fetch(collection, query, id).await?.into_iter().flatten());
        }
        endpoints.sort_unstable();
        endpoints.dedup();
        Ok(endpoints)
    }

    /// Deletes up to `limit` records of what is kept of an endpoint.
    async fn forget_of(&self, tenant_id: &TenantId, endpoint_id: &str, limit: u32) -> Result<u64, StoreError> {
        let range = doc! { "$gte": format!("{endpoint_id}/"), "$lt": format!("{endpoint_id}0") };
        let mut forgotten = 0;
        for (collection, ids) in [
            (&self.callback_exceptions, Bson::from(range.clone())),
            (&self.callback_attempts, range.into()),
            (&self.callback_progress, endpoint_id.into()),
        ] {
            let left = u64::from(limit).saturating_sub(forgotten);
            let Ok(left @ 1..) = u32::try_from(left) else { break };
            let owned = doc! { "_id": ids, "tenantId": tenant_id.to_string() };
            forgotten += self.erase_from(collection, BY_ID, owned, left).await?;
        }
        Ok(forgotten)
    }
}
