//! The port of callbacks, measured.

use async_trait::async_trait;
use dakghar_core::domain::callback::{Advance, AttemptLog, CallbackException, CallbackProgress};
use dakghar_core::domain::feed::Place;
use dakghar_core::domain::ids::{AttemptLogId, EndpointId, TenantId};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{CallbackStore, ExceptionsAsked, GoneEndpoints, Saved, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: CallbackStore> CallbackStore for MeasuredStore<S> {
    async fn progress(&self, endpoints: &[EndpointId]) -> Vec<Result<Option<CallbackProgress>, StoreError>> {
        self.measure(StoreCall::CallbacksProgress, self.inner.progress(endpoints))
            .await
    }

    async fn advance(&self, advances: &[Advance]) -> Vec<Result<Saved, StoreError>> {
        self.measure(StoreCall::CallbacksAdvance, self.inner.advance(advances))
            .await
    }

    async fn exceptions(
        &self,
        endpoint_id: &EndpointId,
        asked: ExceptionsAsked,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<CallbackException>, StoreError> {
        let listing = self.inner.exceptions(endpoint_id, asked, after, limit);
        self.measure(StoreCall::CallbacksExceptions, listing).await
    }

    async fn find_exceptions(
        &self,
        endpoint_id: &EndpointId,
        places: &[Place],
    ) -> Result<Vec<CallbackException>, StoreError> {
        let finding = self.inner.find_exceptions(endpoint_id, places);
        self.measure(StoreCall::CallbacksFind, finding).await
    }

    async fn count_exceptions(&self, endpoint_id: &EndpointId, asked: ExceptionsAsked) -> Result<u32, StoreError> {
        let counting = self.inner.count_exceptions(endpoint_id, asked);
        self.measure(StoreCall::CallbacksCount, counting).await
    }

    async fn attempts(
        &self,
        endpoint_id: &EndpointId,
        before: Option<AttemptLogId>,
        limit: PageLimit,
    ) -> Result<Listed<AttemptLog>, StoreError> {
        let listing = self.inner.attempts(endpoint_id, before, limit);
        self.measure(StoreCall::CallbacksAttempts, listing).await
    }

    async fn forget_attempts(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let forgetting = self.inner.forget_attempts(before, limit);
        self.measure(StoreCall::CallbacksForgetAttempts, forgetting).await
    }

    async fn gone_endpoints(&self, after: Option<EndpointId>, limit: u32) -> Result<GoneEndpoints, StoreError> {
        let looking = self.inner.gone_endpoints(after, limit);
        self.measure(StoreCall::CallbacksGone, looking).await
    }

    async fn forget_endpoint(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &EndpointId,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let forgetting = self.inner.forget_endpoint(tenant_id, endpoint_id, limit);
        self.measure(StoreCall::CallbacksForgetEndpoint, forgetting).await
    }
}
