//! Tenants as the hot paths see them: read from the store at most once per interval, however many requests need one.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::domain::tenant::SharedTenant;
use crate::domain::{PhoneNumberId, TenantId, WabaId};
use crate::ports::{StoreError, TenantStore};

/// Tenants remembered at a time.
const TENANTS_MAX: u64 = 100_000;

pub(super) struct Directory {
    store: Arc<dyn TenantStore>,
    tenants: Cache<TenantId, SharedTenant>,
    owners: Cache<PhoneNumberId, TenantId>,
}

impl Directory {
    pub(super) fn new(store: Arc<dyn TenantStore>, ttl: Duration) -> Self {
        Self {
            store,
            tenants: Cache::builder().max_capacity(TENANTS_MAX).time_to_live(ttl).build(),
            owners: Cache::builder().max_capacity(TENANTS_MAX).time_to_live(ttl).build(),
        }
    }

    /// The tenant, unless there is none or it is being removed. What is not found is looked for again next time.
    pub(super) async fn find(&self, id: &TenantId) -> Result<Option<SharedTenant>, StoreError> {
        let found = self
            .tenants
            .try_get_with(*id, async {
                match self.store.find(id).await {
                    Ok(Some(tenant)) => Ok(Arc::new(tenant)),
                    Ok(None) => Err(None),
                    Err(error) => Err(Some(error)),
                }
            })
            .await;
        match found {
            Ok(tenant) => Ok(Some(tenant).filter(|tenant| tenant.removed_at.is_none())),
            Err(error) => (*error).clone().map_or(Ok(None), Err),
        }
    }

    /// Whose numbers these are, in the order asked.
    pub(super) async fn owners(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Option<SharedTenant>>, StoreError> {
        let mut owners = Vec::with_capacity(numbers.len());
        let mut unknown = Vec::new();
        for number in numbers {
            let owner = self.owners.get(number).await;
            if owner.is_none() {
                unknown.push(number.clone());
            }
            owners.push(owner);
        }
        if !unknown.is_empty() {
            let mut found = self.store.owners_of_numbers(&unknown).await?.into_iter();
            for (number, owner) in numbers.iter().zip(&mut owners).filter(|(_, owner)| owner.is_none()) {
                *owner = found.next().flatten();
                if let Some(owner) = owner {
                    self.owners.insert(number.clone(), *owner).await;
                }
            }
        }
        let mut tenants = Vec::with_capacity(owners.len());
        for owner in owners {
            tenants.push(match owner {
                Some(id) => self.find(&id).await?,
                None => None,
            });
        }
        Ok(tenants)
    }

    /// The tenants with a number of this account.
    pub(super) async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<SharedTenant>, StoreError> {
        let mut tenants = Vec::new();
        for id in self.store.owners_of_waba(waba_id).await? {
            tenants.extend(self.find(&id).await?);
        }
        Ok(tenants)
    }

    /// Makes sure that the next look at this tenant reads the store.
    pub(super) async fn refresh(&self, id: &TenantId) {
        self.tenants.invalidate(id).await;
    }

    /// Forgets a tenant that this process changed.
    pub(super) async fn forget(&self, tenant: &SharedTenant) {
        self.tenants.invalidate(&tenant.id).await;
        for number in &tenant.phone_numbers {
            self.owners.invalidate(&number.phone_number_id).await;
        }
    }
}
