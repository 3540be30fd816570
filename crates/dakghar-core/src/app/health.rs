//! The state of the store and the queue.

use std::sync::Arc;

use super::failed_requests::FailedRequests;
use super::installation::SecretsWatch;
use super::sending::Host;
use crate::domain::breaker::Open;
use crate::domain::{ErrorCode, Timestamp};
use crate::metrics::{Lane, Metrics};
use crate::ports::{Clock, DueWork, Queue, QueueError, StoreError, StoreHealth};
use crate::vault::Vault;

/// Asks the store and the queue.
pub struct Health {
    pub(super) store: Arc<dyn StoreHealth>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) host: Host,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) failed_requests: Arc<FailedRequests>,
    pub(super) vault: Arc<Vault>,
    pub(super) secrets: SecretsWatch,
}

impl Health {
    /// Returns since when this process cannot reach Meta, and when it tries again; `None` while it can.
    pub fn meta_unreachable(&self) -> Option<Open> {
        self.host.unreachable()
    }

    /// Returns since when a key service cannot be used, and when it is tried again; `None` while all can.
    pub fn key_service_away(&self) -> Option<Open> {
        self.vault.key_service_away()
    }

    /// Lets the key services do what is due, and looks whether the secrets of the installation are still the same. To be
    /// called every second.
    pub async fn look_at_keys(&self) {
        self.vault.look().await;
        self.secrets.look().await;
    }

    /// Why this process cannot go on, if only another one can.
    pub fn stopped(&self) -> Option<String> {
        self.store.stopped().or_else(|| self.secrets.stopped())
    }

    /// Checks that the store can be used now. The error text says what is wrong. Takes as long as it hangs.
    pub async fn check_store(&self) -> Result<(), String> {
        let checked = self.store.ping().await;
        if let Err(error @ StoreError::Full(_)) = &checked
            && self.store_full_since().is_none()
            && self.failed_requests.note(ErrorCode::StoreFull)
        {
            tracing::error!(%error, "the store is full: it refuses writes, reads go on");
        }
        checked.map_err(|error| error.to_string())
    }

    /// Since when the store refuses writes because it is full; `None` while it does not. Returns from memory.
    pub fn store_full_since(&self) -> Option<Timestamp> {
        self.failed_requests.store_full_since()
    }

    /// The requests that failed for the surroundings.
    pub const fn failed_requests(&self) -> &Arc<FailedRequests> {
        &self.failed_requests
    }

    /// Checks that the queue can be used now. The error text says what is wrong.
    pub async fn check_queue(&self) -> Result<(), String> {
        self.queue.ping().await.map_err(|error| error.to_string())
    }

    /// Counts what is due and not called yet, and measures for how long. While the queue does not tell, the last
    /// measure stays.
    pub async fn measure_queue(&self) -> Result<(), QueueError> {
        self.metrics.tenants.rank(self.clock.uptime());
        let due = self.queue.due_work().await?;
        let now = self.clock.now();
        for DueWork {
            priority,
            count,
            oldest_slot_at,
        } in due
        {
            let lane = Lane::from(priority);
            let age = oldest_slot_at.map_or(0, |slot_at| now.since(slot_at).as_secs());
            self.metrics
                .queue_due
                .of(lane)
                .set(i64::try_from(count).unwrap_or(i64::MAX));
            self.metrics
                .queue_age
                .of(lane)
                .set(i64::try_from(age).unwrap_or(i64::MAX));
        }
        Ok(())
    }
}
