//! How far endpoints are, and what they have not taken.

use async_trait::async_trait;

use super::{Saved, StoreError};
#[cfg(doc)]
use crate::domain::callback::EXCEPTIONS_MAX;
use crate::domain::callback::{Advance, AttemptLog, CallbackException, CallbackProgress, ExceptionState};
use crate::domain::feed::Place;
use crate::domain::ids::{AttemptLogId, EndpointId, TenantId};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::time::Timestamp;

/// Exceptions that are not dead and those that are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionsAsked {
    /// Those that are still tried, or wait for one that is.
    Open,
    /// Dead callbacks.
    Dead,
}

impl ExceptionsAsked {
    /// True for an exception in this state.
    pub const fn includes(self, state: ExceptionState) -> bool {
        matches!(state, ExceptionState::Dead) == matches!(self, Self::Dead)
    }
}

/// Endpoints that are gone, and of which something is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoneEndpoints {
    /// They, with their tenants.
    pub found: Vec<(TenantId, EndpointId)>,
    /// Behind this one there may be more.
    pub next: Option<EndpointId>,
}

/// The progress of endpoints, their exceptions and their attempts.
#[async_trait]
pub trait CallbackStore: Send + Sync {
    /// Returns the progress of each of these endpoints; `None` for one that never had any.
    async fn progress(&self, endpoints: &[EndpointId]) -> Vec<Result<Option<CallbackProgress>, StoreError>>;

    /// Writes each of these down, if the version of its progress is still the stored one; the version is then one higher.
    /// `Stale` means that nothing was written: whoever saved in between knows all exceptions that are stored, and no other. It
    /// is also the answer to a repetition of a save of which the answer was lost: whoever gets it reads the progress again. An
    /// endpoint that was forgotten does not come back by a save of what was read before.
    ///
    /// The place, the exceptions and their ends are durable together. Attempts may be missing after a crash, or an error.
    async fn advance(&self, advances: &[Advance]) -> Vec<Result<Saved, StoreError>>;

    /// Returns exceptions of an endpoint behind `after`, in the order of the places. One that cannot be read is left out.
    async fn exceptions(
        &self,
        endpoint_id: &EndpointId,
        asked: ExceptionsAsked,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<CallbackException>, StoreError>;

    /// Returns those of these exceptions that are there and can be read.
    async fn find_exceptions(
        &self,
        endpoint_id: &EndpointId,
        places: &[Place],
    ) -> Result<Vec<CallbackException>, StoreError>;

    /// Returns how many exceptions an endpoint has, up to [`EXCEPTIONS_MAX`].
    async fn count_exceptions(&self, endpoint_id: &EndpointId, asked: ExceptionsAsked) -> Result<u32, StoreError>;

    /// Returns logs of attempts noted before `before`, the latest first. One that cannot be read is left out.
    async fn attempts(
        &self,
        endpoint_id: &EndpointId,
        before: Option<AttemptLogId>,
        limit: PageLimit,
    ) -> Result<Listed<AttemptLog>, StoreError>;

    /// Deletes logs of attempts, and dead callbacks whose last attempt was, before this time; at most `limit` of each.
    /// Returns how many were deleted.
    async fn forget_attempts(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Looks through the next `limit` endpoints behind `after` of which a progress or exceptions are kept, and returns those that
    /// no endpoint of their tenant keeps there any more. One that cannot be read is not gone.
    async fn gone_endpoints(&self, after: Option<EndpointId>, limit: u32) -> Result<GoneEndpoints, StoreError>;

    /// Deletes what is kept of an endpoint of this tenant, the progress last, at most `limit` records. Returns how many were deleted: none once nothing is
    /// left.
    async fn forget_endpoint(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &EndpointId,
        limit: u32,
    ) -> Result<u64, StoreError>;
}
