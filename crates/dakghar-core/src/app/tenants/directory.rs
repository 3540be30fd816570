//! Tenants as the hot paths see them: remembered for a moment, and read again in groups.
//!
//! Requests that miss at the same time share one read: with ten thousand tenants at work nearly every request misses. A
//! tenant in use is read again before it is forgotten, so that no request waits for it, and together with others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::recent::Recent;
use crate::domain::tenant::SharedTenant;
use crate::domain::{PhoneNumberId, Tenant, TenantId, WabaId};
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Rejected};
use crate::ports::{Clock, StoreError, TenantStore};

type Tenants = Recent<TenantId, SharedTenant>;
type Owners = Recent<PhoneNumberId, TenantId>;
/// The result of a search for a tenant.
pub(in crate::app) type Found = Result<Option<SharedTenant>, StoreError>;
/// The owners of some numbers, in the order asked. Each may fail on its own.
type FoundOwners = Vec<Result<Option<TenantId>, StoreError>>;

pub(in crate::app) struct Directory {
    store: Arc<dyn TenantStore>,
    tenants: Arc<Tenants>,
    owners: Arc<Owners>,
    /// Groups reads, as a group commit groups writes.
    reads: GroupCommit<TenantId, Found>,
    owner_reads: GroupCommit<Vec<PhoneNumberId>, FoundOwners>,
}

impl Directory {
    /// Makes a directory that remembers for `ttl`. The futures run the reads.
    pub(in crate::app) fn new(
        store: Arc<dyn TenantStore>,
        clock: &Arc<dyn Clock>,
        ttl: Duration,
        limits: &Limits,
    ) -> (Self, [BoxFuture<()>; 2]) {
        let tenants = Arc::new(Tenants::new(clock.clone(), ttl));
        let owners = Arc::new(Owners::new(clock.clone(), ttl));
        let (reads, reading) = {
            let (store, tenants) = (store.clone(), tenants.clone());
            GroupCommit::new(limits.clone(), move |ids| read(store.clone(), tenants.clone(), ids))
        };
        let (owner_reads, reading_owners) = {
            let (store, owners) = (store.clone(), owners.clone());
            GroupCommit::new(limits.clone(), move |asks| {
                read_owners(store.clone(), owners.clone(), asks)
            })
        };
        let directory = Self {
            store,
            tenants,
            owners,
            reads,
            owner_reads,
        };
        (directory, [reading, reading_owners])
    }

    /// Returns the tenant, unless there is none or it is being removed. A tenant that was not found is looked for again
    /// next time.
    pub(in crate::app) async fn find(&self, id: &TenantId) -> Found {
        match self.seen(id) {
            Some(tenant) => Ok(Some(tenant).filter(|tenant| tenant.removed_at.is_none())),
            None => self.read(id).await,
        }
    }

    /// Returns the tenant if it is remembered and not being removed.
    pub(in crate::app) fn remembered(&self, id: &TenantId) -> Option<SharedTenant> {
        self.seen(id).filter(|tenant| tenant.removed_at.is_none())
    }

    /// Does the same as [`Directory::find`], but reads the store also if the tenant is remembered.
    pub(in crate::app) async fn read(&self, id: &TenantId) -> Found {
        let found = self.reads.submit(*id).await.map_err(unread).flatten()?;
        Ok(found.filter(|tenant| tenant.removed_at.is_none()))
    }

    fn seen(&self, id: &TenantId) -> Option<SharedTenant> {
        let remembered = self.tenants.get(id)?;
        if remembered.is_to_be_read_again {
            self.reads.post(*id);
        }
        Some(remembered.value)
    }

    /// Does the same as [`Directory::find`] for many ids. The result names each once.
    pub(in crate::app) async fn find_all(&self, ids: impl IntoIterator<Item = TenantId>) -> HashMap<TenantId, Found> {
        let ids = distinct(ids.into_iter().collect());
        let found = join_all(ids.iter().map(|id| self.find(id))).await;
        ids.into_iter().zip(found).collect()
    }

    /// Returns the owners of these numbers, in the order asked. An owner that cannot be read is an error of its own.
    pub(in crate::app) async fn owners(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Found>, StoreError> {
        let mut owners = Vec::with_capacity(numbers.len());
        let (mut unknown, mut old) = (Vec::new(), Vec::new());
        for number in numbers {
            let owner = self.owners.get(number);
            match &owner {
                None => unknown.push(number.clone()),
                Some(remembered) if remembered.is_to_be_read_again => old.push(number.clone()),
                Some(_) => {}
            }
            owners.push(owner.map(|remembered| Ok(Some(remembered.value))));
        }
        if !old.is_empty() {
            self.owner_reads.post(old);
        }
        if !unknown.is_empty() {
            let found = self.owner_reads.submit(unknown).await.map_err(unread)?;
            let missing = owners.iter_mut().filter(|owner| owner.is_none());
            for (owner, found) in missing.zip(found) {
                *owner = Some(found);
            }
        }
        let owners = owners.into_iter().map(|owner| owner.unwrap_or(Ok(None)));
        let owners: FoundOwners = owners.collect();
        let tenants = self.find_all(owners.iter().flatten().flatten().copied()).await;
        let tenant_of = |id| tenants.get(&id).cloned().unwrap_or(Ok(None));
        let found = owners.into_iter().map(|owner| owner?.map_or(Ok(None), tenant_of));
        Ok(found.collect())
    }

    /// Returns the tenants that gave these numbers up, in the order asked.
    pub(in crate::app) async fn past_owners(
        &self,
        numbers: &[PhoneNumberId],
    ) -> Result<Vec<Vec<TenantId>>, StoreError> {
        self.store.past_owners_of_numbers(numbers).await
    }

    /// Returns the tenants with a number of this account. One that cannot be read is an error of its own.
    pub(in crate::app) async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<Found>, StoreError> {
        let ids = distinct(self.store.owners_of_waba(waba_id).await?);
        Ok(join_all(ids.iter().map(|id| self.find(id))).await)
    }

    /// Makes the next look at this tenant read the store.
    pub(in crate::app) fn refresh(&self, id: &TenantId) {
        self.tenants.forget(id);
    }

    /// Forgets a tenant that this process changed.
    pub(in crate::app) fn forget(&self, tenant: &Tenant) {
        self.tenants.forget(&tenant.id);
        for number in &tenant.phone_numbers {
            self.owners.forget(&number.phone_number_id);
        }
    }
}

async fn read(store: Arc<dyn TenantStore>, tenants: Arc<Tenants>, asked: Vec<TenantId>) -> Vec<Found> {
    let reading = tenants.begin_reading();
    let ids = distinct(asked.iter().copied().chain(tenants.take_along()).collect());
    let found = store.find_all(&ids).await.into_iter();
    let found: HashMap<TenantId, Found> = ids
        .into_iter()
        .zip(found.map(|tenant| tenant.map(|tenant| tenant.map(Arc::new))))
        .collect();
    let to_keep = found
        .iter()
        .filter_map(|(id, tenant)| Some((*id, tenant.clone().ok()??)));
    tenants.keep(&reading, &to_keep.collect::<Vec<_>>());
    asked
        .iter()
        .map(|id| found.get(id).cloned().unwrap_or(Ok(None)))
        .collect()
}

/// Reads the owners for several requests in one query.
async fn read_owners(
    store: Arc<dyn TenantStore>,
    owners: Arc<Owners>,
    asks: Vec<Vec<PhoneNumberId>>,
) -> Vec<FoundOwners> {
    let reading = owners.begin_reading();
    let mut numbers = asks.concat();
    numbers.extend(owners.take_along());
    let found = store.owners_of_numbers(&numbers).await;
    let to_keep = numbers
        .into_iter()
        .zip(&found)
        .filter_map(|(number, owner)| Some((number, owner.clone().ok()??)));
    owners.keep(&reading, &to_keep.collect::<Vec<_>>());
    let mut found = found.into_iter();
    asks.iter()
        .map(|ask| found.by_ref().take(ask.len()).collect())
        .collect()
}

fn distinct(mut ids: Vec<TenantId>) -> Vec<TenantId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn unread(rejected: Rejected) -> StoreError {
    StoreError::Unavailable(rejected.to_string())
}
