//! Endpoints of tenants.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::endpoint::Endpoint;
use crate::domain::ids::{EndpointId, TenantId};
use crate::domain::page::{Listed, PageLimit};

/// The result of storing a new endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointInserted {
    /// Durable, under the version that it has.
    Done,
    /// There is an endpoint of this id.
    Stale,
    /// Another endpoint of the tenant has this seat, also if it cannot be read.
    SeatTaken,
}

/// Endpoints of tenants. They are erased with their tenant.
#[async_trait]
pub trait EndpointStore: Send + Sync {
    /// Stores a new endpoint, in a seat that no other one of its tenant has. Seats make a limit that no
    /// two writers at once can pass.
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<EndpointInserted, StoreError>;

    /// Saves a whole endpoint, if version, tenant and seat are still the stored ones. The caller raises its own copy's version by one after `Done`.
    async fn save_endpoint(&self, endpoint: &Endpoint) -> Result<Saved, StoreError>;

    /// Returns one endpoint of this tenant.
    async fn find_endpoint(&self, tenant_id: &TenantId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError>;

    /// Returns the endpoints of these tenants, at most 20 of each, in the order of the ids.
    async fn endpoints_of(&self, tenants: &[TenantId]) -> Result<Vec<Endpoint>, StoreError>;

    /// Returns endpoints of all tenants behind `after`, in the order of the ids. For the processes that deliver.
    async fn endpoints(&self, after: Option<EndpointId>, limit: PageLimit) -> Result<Listed<Endpoint>, StoreError>;

    /// Deletes an endpoint of this tenant; with a version only if that is still the stored one. Returns false if there
    /// was none such.
    async fn remove_endpoint(
        &self,
        tenant_id: &TenantId,
        id: &EndpointId,
        version: Option<u64>,
    ) -> Result<bool, StoreError>;
}
