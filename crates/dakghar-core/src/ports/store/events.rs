//! Webhook events kept as they came.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::amendment::Amendment;
use crate::domain::ids::{EventId, PhoneNumberId, TenantId, Wamid};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::webhook::WebhookEvent;

/// Webhook events that are neither messages nor statuses we could place.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Stores events in one commit. An event with a known fingerprint is absorbed; a new one that has a tenant gets its entry
    /// in the feed in the same transaction.
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError>;

    /// Returns the events of a tenant, newest first, older than `before`. With `None`, the unrouted ones.
    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: PageLimit,
    ) -> Result<Listed<WebhookEvent>, StoreError>;

    /// Returns events of a tenant by their ids, in that order. As [`MessageStore::load`](super::MessageStore::load) does, it
    /// reads within [`LOAD_BYTES_MAX`](super::LOAD_BYTES_MAX), and at least one.
    async fn find_events(&self, tenant_id: &TenantId, ids: &[EventId])
    -> Vec<Result<Option<WebhookEvent>, StoreError>>;

    /// Returns the amendments of these messages, in the order asked: of each the strongest first, at most `each`.
    async fn amendments(
        &self,
        tenant_id: &TenantId,
        messages: &[(PhoneNumberId, Wamid)],
        each: u32,
    ) -> Result<Vec<Vec<Amendment>>, StoreError>;
}
