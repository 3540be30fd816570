//! Callbacks at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::callback::{Advance, AttemptLog, CallbackException, CallbackProgress};
use dakghar_core::domain::feed::Place;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{AttemptLogId, EndpointId, TenantId, Timestamp};
use dakghar_core::ports::{CallbackStore, ExceptionsAsked, GoneEndpoints, Saved, StoreError};

use super::{Near, at_once};
use crate::world::wire::Call;

#[async_trait]
impl CallbackStore for Near {
    async fn progress(&self, endpoints: &[EndpointId]) -> Vec<Result<Option<CallbackProgress>, StoreError>> {
        self.batch(Call::Query, endpoints.to_vec(), |shared, endpoint| {
            let mut found = at_once(shared.store.progress(&[endpoint]));
            found.remove(0).expect("no outage")
        })
        .await
    }

    async fn advance(&self, advances: &[Advance]) -> Vec<Result<Saved, StoreError>> {
        self.batch(Call::Advance, advances.to_vec(), |shared, advance| {
            let mut saved = at_once(shared.store.advance(&[advance]));
            saved.remove(0).expect("no outage")
        })
        .await
    }

    async fn exceptions(
        &self,
        endpoint_id: &EndpointId,
        asked: ExceptionsAsked,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<CallbackException>, StoreError> {
        let id = *endpoint_id;
        self.once(Call::Query, move |shared| {
            at_once(shared.store.exceptions(&id, asked, after, limit))
        })
        .await
    }

    async fn find_exceptions(
        &self,
        endpoint_id: &EndpointId,
        places: &[Place],
    ) -> Result<Vec<CallbackException>, StoreError> {
        let (id, places) = (*endpoint_id, places.to_vec());
        self.once(Call::Query, move |shared| {
            at_once(shared.store.find_exceptions(&id, &places))
        })
        .await
    }

    async fn count_exceptions(&self, endpoint_id: &EndpointId, asked: ExceptionsAsked) -> Result<u32, StoreError> {
        let id = *endpoint_id;
        self.once(Call::Query, move |shared| {
            at_once(shared.store.count_exceptions(&id, asked))
        })
        .await
    }

    async fn attempts(
        &self,
        endpoint_id: &EndpointId,
        before: Option<AttemptLogId>,
        limit: PageLimit,
    ) -> Result<Listed<AttemptLog>, StoreError> {
        let id = *endpoint_id;
        self.once(Call::Query, move |shared| {
            at_once(shared.store.attempts(&id, before, limit))
        })
        .await
    }

    async fn forget_attempts(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.once(Call::Query, move |shared| {
            at_once(shared.store.forget_attempts(before, limit))
        })
        .await
    }

    async fn gone_endpoints(&self, after: Option<EndpointId>, limit: u32) -> Result<GoneEndpoints, StoreError> {
        self.once(Call::Query, move |shared| {
            at_once(shared.store.gone_endpoints(after, limit))
        })
        .await
    }

    async fn forget_endpoint(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &EndpointId,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let (tenant_id, id) = (*tenant_id, *endpoint_id);
        self.once(Call::Query, move |shared| {
            at_once(shared.store.forget_endpoint(&tenant_id, &id, limit))
        })
        .await
    }
}
