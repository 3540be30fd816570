//! Tenants and their numbers.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::api_key::KeyUse;
use crate::domain::ids::{PhoneNumberId, TenantId, WabaId};
use crate::domain::page::{Listed, PageLimit};
use crate::domain::tenant::Tenant;
use crate::domain::webhook::WebhookEvent;

/// The result of saving a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantSaved {
    /// Durable, now under the next version.
    Done,
    /// Another writer saved first, or the tenant does not exist any more.
    Stale,
    /// This number belongs to another tenant.
    PhoneNumberTaken(PhoneNumberId),
}

/// Tenants and their numbers.
#[async_trait]
pub trait TenantStore: Send + Sync {
    /// Stores a new tenant (`version` 0) with its numbers. Returns `Stale` if the id exists.
    async fn insert(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError>;

    /// Saves a whole tenant, if `tenant.version` is still the stored one, and in the same transaction what is told of the
    /// change: events of this tenant with new fingerprints, with their entries in the feed. If the tenant is not saved,
    /// nothing is told.
    async fn save(&self, tenant: &Tenant, told: &[WebhookEvent]) -> Result<TenantSaved, StoreError>;

    /// Returns the tenants, also those under removal, in the order of the ids. A tenant that cannot be read is
    /// `Unreadable` on its own.
    async fn find_all(&self, ids: &[TenantId]) -> Vec<Result<Option<Tenant>, StoreError>>;

    /// Returns one tenant, also one under removal.
    async fn find(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        self.find_all(std::slice::from_ref(id)).await.pop().unwrap_or(Ok(None))
    }

    /// Returns tenants older than `before`, newest first.
    async fn list(&self, before: Option<TenantId>, limit: PageLimit) -> Result<Listed<Tenant>, StoreError>;

    /// Returns the owners of these numbers, in the order asked. An owner whose id cannot be read is `Unreadable` on its
    /// own.
    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Vec<Result<Option<TenantId>, StoreError>>;

    /// Returns the tenants that gave these numbers up, in the order asked. A tenant whose id cannot be read is left out.
    async fn past_owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Vec<TenantId>>, StoreError>;

    /// Returns the tenants that have a number of this account.
    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError>;

    /// Notes uses of keys, each only if it is later than what is noted. The version of a tenant does not change; of a tenant
    /// or a key that is not there nothing is noted. A save writes the uses that were read with its tenant, so one that is
    /// noted at the same moment may be lost.
    async fn note_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError>;

    /// Deletes the tenant itself, after its data was erased.
    async fn remove(&self, id: &TenantId) -> Result<(), StoreError>;
}
