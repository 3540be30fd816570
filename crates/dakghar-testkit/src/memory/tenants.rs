//! Tenants and their numbers.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{KeyUse, PhoneNumberId, Tenant, TenantId, WabaId, WebhookEvent};
use dakghar_core::ports::{StoreError, TenantSaved, TenantStore};

use super::{MemoryStore, State, page_of};

impl State {
    pub(super) fn owner_of(&self, number: &PhoneNumberId) -> Option<TenantId> {
        let mut tenants = self.tenants.values();
        tenants
            .find(|tenant| tenant.number(Some(number)).is_some())
            .map(|tenant| tenant.id)
    }

    /// Stores the tenant as it is, if its numbers are its own.
    fn put(&mut self, tenant: Tenant) -> TenantSaved {
        let mut numbers = tenant.phone_numbers.iter().map(|number| &number.phone_number_id);
        let taken = numbers.find(|number| self.owner_of(number).is_some_and(|owner| owner != tenant.id));
        if let Some(number) = taken {
            return TenantSaved::PhoneNumberTaken(number.clone());
        }
        self.tenants.insert(tenant.id, tenant);
        TenantSaved::Done
    }
}

#[async_trait]
impl TenantStore for MemoryStore {
    async fn insert(&self, tenant: &Tenant) -> Result<TenantSaved, StoreError> {
        self.with(|state| {
            if state.tenants.contains_key(&tenant.id) {
                return TenantSaved::Stale;
            }
            state.put(tenant.clone())
        })
    }

    async fn save(&self, tenant: &Tenant, told: &[WebhookEvent]) -> Result<TenantSaved, StoreError> {
        self.with(|state| {
            let stored = state.tenants.get(&tenant.id);
            if stored.is_none_or(|stored| stored.version != tenant.version) {
                return TenantSaved::Stale;
            }
            let saved = state.put(Tenant {
                version: tenant.version + 1,
                ..tenant.clone()
            });
            if saved == TenantSaved::Done {
                state.record_events(told);
            }
            saved
        })
    }

    async fn note_key_uses(&self, uses: &[KeyUse]) -> Result<(), StoreError> {
        self.with(|state| {
            for key_use in uses {
                let Some(tenant) = state.tenants.get_mut(&key_use.tenant_id) else {
                    continue;
                };
                for key in tenant.keys.iter_mut().filter(|key| key.id == key_use.key_id) {
                    key.last_used_at = key.last_used_at.max(Some(key_use.at));
                }
            }
        })
    }

    async fn find_all(&self, ids: &[TenantId]) -> Vec<Result<Option<Tenant>, StoreError>> {
        ids.iter()
            .map(|id| self.with(|state| state.tenants.get(id).cloned()))
            .collect()
    }

    async fn list(&self, before: Option<TenantId>, limit: PageLimit) -> Result<Listed<Tenant>, StoreError> {
        self.with(|state| {
            let newest_first = state.tenants.values().rev();
            let older = newest_first.filter(|tenant| before.is_none_or(|before| tenant.id < before));
            page_of(older.cloned(), limit)
        })
    }

    async fn owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Vec<Result<Option<TenantId>, StoreError>> {
        self.with_each(numbers, |state, number| state.owner_of(number))
    }

    async fn past_owners_of_numbers(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Vec<TenantId>>, StoreError> {
        self.with(|state| {
            let past_owners = |number: &PhoneNumberId| {
                let tenants = state.tenants.values();
                let gave_up = tenants.filter(|tenant| tenant.past_numbers.contains(number));
                gave_up.map(|tenant| tenant.id).collect()
            };
            numbers.iter().map(past_owners).collect()
        })
    }

    async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<TenantId>, StoreError> {
        self.with(|state| {
            let tenants = state.tenants.values();
            let owners = tenants.filter(|tenant| {
                let mut numbers = tenant.phone_numbers.iter();
                numbers.any(|number| number.waba_id.as_ref() == Some(waba_id))
            });
            owners.map(|tenant| tenant.id).collect()
        })
    }

    async fn remove(&self, id: &TenantId) -> Result<(), StoreError> {
        self.with(|state| {
            state.tenants.remove(id);
        })
    }
}
