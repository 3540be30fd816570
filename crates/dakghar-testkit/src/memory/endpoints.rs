//! Endpoints of tenants.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Endpoint, EndpointId, TenantId};
use dakghar_core::ports::{EndpointInserted, EndpointStore, Saved, StoreError};

use super::{MemoryStore, State, page_of};

impl State {
    /// Stores an endpoint under its id, in its seat.
    pub(super) fn insert_endpoint(&mut self, endpoint: &Endpoint) -> EndpointInserted {
        if self.endpoints.contains_key(&endpoint.id) {
            return EndpointInserted::Stale;
        }
        let mut others = self.endpoints.values();
        if others.any(|other| (other.tenant_id, other.seat) == (endpoint.tenant_id, endpoint.seat)) {
            return EndpointInserted::SeatTaken;
        }
        self.endpoints.insert(endpoint.id, endpoint.clone());
        EndpointInserted::Done
    }
}

#[async_trait]
impl EndpointStore for MemoryStore {
    async fn insert_endpoint(&self, endpoint: &Endpoint) -> Result<EndpointInserted, StoreError> {
        self.with(|state| state.insert_endpoint(endpoint))
    }

    async fn save_endpoint(&self, endpoint: &Endpoint) -> Result<Saved, StoreError> {
        self.with(|state| match state.endpoints.get_mut(&endpoint.id) {
            Some(stored)
                if (stored.version, stored.tenant_id, stored.seat)
                    == (endpoint.version, endpoint.tenant_id, endpoint.seat) =>
            {
                *stored = Endpoint {
                    version: endpoint.version + 1,
                    ..endpoint.clone()
                };
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_endpoint(&self, tenant_id: &TenantId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        self.with(|state| {
            let found = state.endpoints.get(id);
            found.filter(|endpoint| endpoint.tenant_id == *tenant_id).cloned()
        })
    }

    async fn endpoints_of(&self, tenants: &[TenantId]) -> Result<Vec<Endpoint>, StoreError> {
        self.with(|state| {
            let all = state.endpoints.values();
            all.filter(|endpoint| tenants.contains(&endpoint.tenant_id))
                .cloned()
                .collect()
        })
    }

    async fn endpoints(&self, after: Option<EndpointId>, limit: PageLimit) -> Result<Listed<Endpoint>, StoreError> {
        self.with(|state| {
            let behind = state
                .endpoints
                .values()
                .filter(|endpoint| after.is_none_or(|after| endpoint.id > after));
            page_of(behind.cloned(), limit)
        })
    }

    async fn remove_endpoint(
        &self,
        tenant_id: &TenantId,
        id: &EndpointId,
        version: Option<u64>,
    ) -> Result<bool, StoreError> {
        self.with(|state| {
            let found = state.endpoints.get(id);
            let is_it = found.is_some_and(|found| {
                found.tenant_id == *tenant_id && version.is_none_or(|version| found.version == version)
            });
            is_it && state.endpoints.remove(id).is_some()
        })
    }
}
