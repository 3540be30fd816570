//! Endpoints of tenants. The one index beside that of the ids is of a tenant's seats: it finds those of a tenant, and makes
//! their number a limit.

use async_trait::async_trait;
use bson::{Document, doc};
use dakghar_core::domain::endpoint::Endpoint;
use dakghar_core::domain::ids::{EndpointId, TenantId};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit};
use dakghar_core::ports::{EndpointInserted, EndpointStore, Saved, StoreError};

use super::MongoStore;
use super::documents::{counter, endpoint};
use super::indexes::{BY_ID, ENDPOINT_SEAT};
use super::inserts::Inserted;
use super::reads::Query;

#[async_trait]
impl EndpointStore for MongoStore {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<EndpointInserted, StoreError> {
        let document = endpoint::encode(endpoint, endpoint.version)?;
        match self.insert_all(&self.endpoints, &[document]).await.pop() {
            Some(Inserted::Refused(error)) => Err(error),
            Some(Inserted::Unknown(error)) => match self.find_endpoint(&endpoint.tenant_id, &endpoint.id).await {
                Ok(Some(stored)) if stored == *endpoint => Ok(EndpointInserted::Done),
                Ok(Some(_)) => Ok(EndpointInserted::Stale),
                _ => Err(error),
            },
            Some(Inserted::Duplicate) => {
                let query = Query::new(doc! { "_id": endpoint.id.to_string() }, BY_ID);
                let known = self.fetch(&self.endpoints, query.majority(), |_| ()).await?;
                Ok(match known[..] {
                    [] => EndpointInserted::SeatTaken,
                    _ => EndpointInserted::Stale,
                })
            }
            Some(Inserted::Stored) | None => Ok(EndpointInserted::Done),
        }
    }

    async fn save_endpoint(&self, endpoint: &Endpoint) -> Result<Saved, StoreError> {
        let document = endpoint::encode(endpoint, endpoint.version + 1)?;
        let mut as_read = of_tenant(&endpoint.tenant_id, &endpoint.id);
        as_read.extend(doc! { "seat": i64::from(endpoint.seat), "version": counter(endpoint.version) });
        // A save whose answer is lost is not looked up: whoever asked for it asks again.
        let replace = self.endpoints.replace_one(as_read, document);
        let replaced = self.bounded(self.options.write_timeout, async { replace.await }).await;
        match replaced.map_err(|failure| failure.to_store_error())?.matched_count {
            0 => Ok(Saved::Stale),
            _ => Ok(Saved::Done),
        }
    }

    async fn find_endpoint(&self, tenant_id: &TenantId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        let query = Query::new(of_tenant(tenant_id, id), BY_ID).majority();
        self.fetch_one(&self.endpoints, query, endpoint::decode).await
    }

    async fn endpoints_of(&self, tenants: &[TenantId]) -> Result<Vec<Endpoint>, StoreError> {
        let tenants: Vec<String> = tenants.iter().map(ToString::to_string).collect();
        if tenants.is_empty() {
            return Ok(Vec::new());
        }
        let query = Query::new(doc! { "tenantId": { "$in": tenants } }, ENDPOINT_SEAT).majority();
        let mut found = self.fetch_readable(&self.endpoints, query, endpoint::decode).await?;
        found.sort_by_key(|endpoint| endpoint.id);
        Ok(found)
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: PageLimit) -> Result<Listed<Endpoint>, StoreError> {
        let after = after.map(|after| after.to_string()).unwrap_or_default();
        let query = Query::new(doc! { "_id": { "$gt": after } }, BY_ID)
            .sort(doc! { "_id": 1 })
            .majority();
        let found = self
            .fetch_within(&self.endpoints, query, limit, endpoint::decode)
            .await?;
        let mut page = PageFill::new(limit);
        for endpoint in found {
            page.push(endpoint);
        }
        Ok(if page.is_full() { page.more() } else { page.end() })
    }

    async fn remove_endpoint(
        &self,
        tenant_id: &TenantId,
        id: &EndpointId,
        version: Option<u64>,
    ) -> Result<bool, StoreError> {
        let mut filter = of_tenant(tenant_id, id);
        if let Some(version) = version {
            filter.insert("version", counter(version));
        }
        let remove = self.endpoints.delete_one(filter);
        let removed = self.bounded(self.options.write_timeout, async { remove.await }).await;
        let removed = removed.map_err(|failure| failure.to_store_error())?;
        Ok(removed.deleted_count > 0)
    }
}

fn of_tenant(tenant_id: &TenantId, id: &EndpointId) -> Document {
    doc! { "_id": id.to_string(), "tenantId": tenant_id.to_string() }
}
