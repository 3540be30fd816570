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
    /// Stores events in one commit. An event with a known fingerprint is absorbed.
    async fn record(&self, batch: &[WebhookEvent]) -> Result<(), StoreError>;

    /// Returns the events of a tenant, newest first, older than `before`. With `None`, the unrouted ones.
    async fn list(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<EventId>,
        limit: PageLimit,
    ) -> Result<Listed<WebhookEvent>, StoreError>;

    /// Returns the amendments of these messages, in the order asked: of each the strongest first, at most `each`.
    async fn amendments(
        &self,
        tenant_id: &TenantId,
        messages: &[(PhoneNumberId, Wamid)],
        each: u32,
    ) -> Result<Vec<Vec<Amendment>>, StoreError>;
}
