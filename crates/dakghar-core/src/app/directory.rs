//! Tenants as the hot paths see them: read from the store at most once per interval, however many requests need one,
//! and those that are needed at the same time together: with ten thousand tenants at work nearly every request finds
//! that its own was forgotten.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use moka::future::Cache;

use crate::domain::tenant::{SharedTenant, Tenant};
use crate::domain::{PhoneNumberId, TenantId, WabaId};
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Rejected};
use crate::ports::{StoreError, TenantStore};

/// Tenants remembered at a time.
const TENANTS_MAX: u64 = 100_000;

/// The owners of some numbers, in the order asked.
type Owners = Result<Vec<Option<TenantId>>, StoreError>;

pub(super) struct Directory {
    store: Arc<dyn TenantStore>,
    tenants: Cache<TenantId, SharedTenant>,
    owners: Cache<PhoneNumberId, TenantId>,
    /// What has to be read, joined like what has to be written.
    reads: GroupCommit<TenantId, Result<Option<Tenant>, StoreError>>,
    owner_reads: GroupCommit<Vec<PhoneNumberId>, Owners>,
}

impl Directory {
    /// The futures carry the reads.
    pub(super) fn new(store: Arc<dyn TenantStore>, ttl: Duration, limits: Limits) -> (Self, [BoxFuture<()>; 2]) {
        let (reads, reading) = {
            let store = store.clone();
            GroupCommit::new(limits, move |ids: Vec<TenantId>| {
                let store = store.clone();
                async move { store.find_all(&ids).await }
            })
        };
        let (owner_reads, reading_owners) = {
            let store = store.clone();
            GroupCommit::new(limits, move |asks| owners_of_all(store.clone(), asks))
        };
        let directory = Self {
            store,
            tenants: Cache::builder().max_capacity(TENANTS_MAX).time_to_live(ttl).build(),
            owners: Cache::builder().max_capacity(TENANTS_MAX).time_to_live(ttl).build(),
            reads,
            owner_reads,
        };
        (directory, [reading, reading_owners])
    }

    /// The tenant, unless there is none or it is being removed. What is not found is looked for again next time.
    pub(super) async fn find(&self, id: &TenantId) -> Result<Option<SharedTenant>, StoreError> {
        let found = self
            .tenants
            .try_get_with(*id, async {
                match self.reads.submit(*id).await.map_err(unread).flatten() {
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

    /// As [`Directory::find`], for many; names each once.
    pub(super) async fn find_all(
        &self,
        ids: impl IntoIterator<Item = TenantId>,
    ) -> HashMap<TenantId, Result<Option<SharedTenant>, StoreError>> {
        let mut ids: Vec<TenantId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let found = join_all(ids.iter().map(|id| self.find(id))).await;
        ids.into_iter().zip(found).collect()
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
            let found = self.owner_reads.submit(unknown).await.map_err(unread).flatten()?;
            let mut found = found.into_iter();
            for (number, owner) in numbers.iter().zip(&mut owners).filter(|(_, owner)| owner.is_none()) {
                *owner = found.next().flatten();
                if let Some(owner) = owner {
                    self.owners.insert(number.clone(), *owner).await;
                }
            }
        }
        let tenants = self.find_all(owners.iter().flatten().copied()).await;
        owners
            .into_iter()
            .map(|owner| owner.map_or(Ok(None), |id| tenants.get(&id).cloned().unwrap_or(Ok(None))))
            .collect()
    }

    /// The tenants with a number of this account.
    pub(super) async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<SharedTenant>, StoreError> {
        let ids = self.store.owners_of_waba(waba_id).await?;
        let mut tenants = self.find_all(ids.iter().copied()).await;
        let found = ids.iter().filter_map(|id| tenants.remove(id)?.transpose());
        found.collect()
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

/// Answers several asks with one look.
async fn owners_of_all(store: Arc<dyn TenantStore>, asks: Vec<Vec<PhoneNumberId>>) -> Vec<Owners> {
    match store.owners_of_numbers(&asks.concat()).await {
        Ok(owners) => {
            let mut owners = owners.into_iter();
            let mut answer = |ask: &Vec<PhoneNumberId>| Ok(owners.by_ref().take(ask.len()).collect());
            asks.iter().map(&mut answer).collect()
        }
        Err(error) => vec![Err(error); asks.len()],
    }
}

fn unread(rejected: Rejected) -> StoreError {
    StoreError::Unavailable(rejected.to_string())
}
