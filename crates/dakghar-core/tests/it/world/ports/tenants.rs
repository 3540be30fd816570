//! The tenants at the far end of the wire.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{KeyUse, PhoneNumberId, Tenant, TenantId, WabaId, WebhookEvent};
use dakghar_core::ports::{StoreError, TenantSaved, TenantStore};

use super::{Near, Shared, at_once};
use crate::world::wire::Call;

#[async_trait]
impl TenantStore for Near {
    async fn insert(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        let tenant = tenant.clone();
        let insert = move |shared: &Shared| at_once(TenantStore::insert(&*shared.store, &tenant));
        self.once(Call::SaveTenant, insert).await
    }

    async fn save(&self, tenant: &Tenant, told: &[WebhookEvent]) -> Result<TenantSaved, StoreError> {
        let (tenant, told) = (tenant.clone(), told.to_vec());
        let save = move |shared: &Shared| {
            let saved = at_once(TenantStore::save(&*shared.store, &tenant, &told))?;
            if saved == TenantSaved::Done {
                shared.promises.tenant_changed(&tenant);
            }
            Ok(saved)
        };
        self.once(Call::SaveTenant, save).await
    }

    async fn find_all(&self, ids: &[TenantId]) -> Vec<Result<Option<Tenant>, StoreError>> {
        let (asked, count) = (ids.to_vec(), ids.len());
        let find = move |shared: &Shared| {
            let mut found = at_once(TenantStore::find_all(&*shared.store, &asked));
            let unreadable = shared.unreadable.lock();
            for (id, found) in asked.iter().zip(&mut found).filter(|(id, _)| unreadable.contains(id)) {
                *found = Err(StoreError::Unreadable(format!("{id} is broken")));
            }
            Ok(found)
        };
        let found = self.once(Call::FindTenants, find).await;
        found.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn list(&self, before: Option<TenantId>, limit: PageLimit) -> Result<Listed<Tenant>, StoreError> {
        let list = move |shared: &Shared| at_once(TenantStore::list(&*shared.store, before, limit));
        self.once(Call::FindTenants, list).await
    }

    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Vec<Result<Option<TenantId>, StoreError>> {
        let (count, numbers) = (numbers.len(), numbers.to_vec());
        let find = move |shared: &Shared| Ok(at_once(shared.store.owners_of_numbers(&numbers)));
        let found = self.once(Call::Owners, find).await;
        found.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn past_owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Vec<TenantId>>, StoreError> {
        let numbers = numbers.to_vec();
        let find = move |shared: &Shared| at_once(shared.store.past_owners_of_numbers(&numbers));
        self.once(Call::Owners, find).await
    }

    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError> {
        let waba_id = waba_id.clone();
        let find = move |shared: &Shared| at_once(shared.store.owners_of_waba(&waba_id));
        self.once(Call::Owners, find).await
    }

    async fn note_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        let uses = uses.to_vec();
        let note = move |shared: &Shared| at_once(TenantStore::note_key_uses(&*shared.store, &uses));
        self.once(Call::SaveTenant, note).await
    }

    async fn remove(&self, id: &TenantId) -> Result<(), StoreError> {
        let id = *id;
        self.once(Call::SaveTenant, move |shared| {
            at_once(TenantStore::remove(&*shared.store, &id))
        })
        .await
    }
}
