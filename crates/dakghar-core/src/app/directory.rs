//! Tenants as the hot paths see them: remembered for a moment, and read again together.
//!
//! What is needed at the same time is read at the same time: with ten thousand tenants at work nearly every request finds
//! that its own was forgotten. And what is in use is read again before it is forgotten, so that nobody waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::memory::Memory;
use crate::domain::tenant::SharedTenant;
use crate::domain::{PhoneNumberId, TenantId, WabaId};
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Rejected};
use crate::ports::{Clock, StoreError, TenantStore};

type Tenants = Memory<TenantId, SharedTenant>;
type Owners = Memory<PhoneNumberId, TenantId>;
/// What became of looking for one.
pub(super) type Found = Result<Option<SharedTenant>, StoreError>;
/// The owners of some numbers, in the order asked.
type FoundOwners = Result<Vec<Option<TenantId>>, StoreError>;

pub(super) struct Directory {
    store: Arc<dyn TenantStore>,
    tenants: Arc<Tenants>,
    owners: Arc<Owners>,
    /// What has to be read, joined like what has to be written.
    reads: GroupCommit<TenantId, Found>,
    owner_reads: GroupCommit<Vec<PhoneNumberId>, FoundOwners>,
}

impl Directory {
    /// Remembers what it reads for `ttl`. The futures carry the reads.
    pub(super) fn new(
        store: Arc<dyn TenantStore>,
        clock: &Arc<dyn Clock>,
        ttl: Duration,
        limits: Limits,
    ) -> (Self, [BoxFuture<()>; 2]) {
        let tenants = Arc::new(Tenants::new(clock.clone(), ttl));
        let owners = Arc::new(Owners::new(clock.clone(), ttl));
        let (reads, reading) = {
            let (store, tenants) = (store.clone(), tenants.clone());
            GroupCommit::new(limits, move |ids| read(store.clone(), tenants.clone(), ids))
        };
        let (owner_reads, reading_owners) = {
            let (store, owners) = (store.clone(), owners.clone());
            GroupCommit::new(limits, move |asks| read_owners(store.clone(), owners.clone(), asks))
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

    /// The tenant, unless there is none or it is being removed. What is not found is looked for again next time.
    pub(super) async fn find(&self, id: &TenantId) -> Found {
        let found = match self.tenants.get(id) {
            Some(remembered) => {
                if remembered.is_to_be_read_again {
                    self.reads.post(*id);
                }
                Some(remembered.value)
            }
            None => self.reads.submit(*id).await.map_err(unread).flatten()?,
        };
        Ok(found.filter(|tenant| tenant.removed_at.is_none()))
    }

    /// As [`Directory::find`], for many; names each once.
    pub(super) async fn find_all(&self, ids: impl IntoIterator<Item = TenantId>) -> HashMap<TenantId, Found> {
        let ids = distinct(ids.into_iter().collect());
        let found = join_all(ids.iter().map(|id| self.find(id))).await;
        ids.into_iter().zip(found).collect()
    }

    /// Whose numbers these are, in the order asked; an error of its own for an owner that cannot be read.
    pub(super) async fn owners(&self, numbers: &[PhoneNumberId]) -> Result<Vec<Found>, StoreError> {
        let mut owners = Vec::with_capacity(numbers.len());
        let (mut unknown, mut old) = (Vec::new(), Vec::new());
        for number in numbers {
            let owner = self.owners.get(number);
            match &owner {
                None => unknown.push(number.clone()),
                Some(remembered) if remembered.is_to_be_read_again => old.push(number.clone()),
                Some(_) => {}
            }
            owners.push(owner.map(|remembered| remembered.value));
        }
        if !old.is_empty() {
            self.owner_reads.post(old);
        }
        if !unknown.is_empty() {
            let found = self.owner_reads.submit(unknown).await.map_err(unread).flatten()?;
            let missing = owners.iter_mut().filter(|owner| owner.is_none());
            for (owner, found) in missing.zip(found) {
                *owner = found;
            }
        }
        let tenants = self.find_all(owners.iter().flatten().copied()).await;
        let tenant_of = |id| tenants.get(&id).cloned().unwrap_or(Ok(None));
        Ok(owners
            .into_iter()
            .map(|owner| owner.map_or(Ok(None), tenant_of))
            .collect())
    }

    /// The tenants with a number of this account, each found or with an error of its own.
    pub(super) async fn owners_of_waba(&self, waba_id: &WabaId) -> Result<Vec<Found>, StoreError> {
        let ids = distinct(self.store.owners_of_waba(waba_id).await?);
        Ok(join_all(ids.iter().map(|id| self.find(id))).await)
    }

    /// Makes sure that the next look at this tenant reads the store.
    pub(super) fn refresh(&self, id: &TenantId) {
        self.tenants.forget(id);
    }

    /// Forgets a tenant that this process changed.
    pub(super) fn forget(&self, tenant: &SharedTenant) {
        self.tenants.forget(&tenant.id);
        for number in &tenant.phone_numbers {
            self.owners.forget(&number.phone_number_id);
        }
    }
}

async fn read(store: Arc<dyn TenantStore>, tenants: Arc<Tenants>, asked: Vec<TenantId>) -> Vec<Found> {
    let reading = tenants.begin_reading();
    let ids = distinct(asked.clone());
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

/// Answers several asks with one look.
async fn read_owners(
    store: Arc<dyn TenantStore>,
    owners: Arc<Owners>,
    asks: Vec<Vec<PhoneNumberId>>,
) -> Vec<FoundOwners> {
    let reading = owners.begin_reading();
    let numbers = asks.concat();
    let found = match store.owners_of_numbers(&numbers).await {
        Ok(found) => found,
        Err(error) => return vec![Err(error); asks.len()],
    };
    let to_keep = numbers
        .into_iter()
        .zip(&found)
        .filter_map(|(number, owner)| Some((number, (*owner)?)));
    owners.keep(&reading, &to_keep.collect::<Vec<_>>());
    let mut found = found.into_iter();
    asks.iter()
        .map(|ask| Ok(found.by_ref().take(ask.len()).collect()))
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
