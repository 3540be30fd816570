//! How far endpoints are, and what they have not taken.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use dakghar_core::domain::callback::{Advance, AttemptLog, CallbackException, CallbackProgress, EXCEPTIONS_MAX};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{AttemptLogId, EndpointId, Place, TenantId, Timestamp};
use dakghar_core::ports::{CallbackStore, ExceptionsAsked, GoneEndpoints, Saved, StoreError};

use super::{MemoryStore, page_of};

/// What is kept of callbacks.
#[derive(Default)]
pub(super) struct Callbacks {
    pub(super) progress: BTreeMap<EndpointId, CallbackProgress>,
    pub(super) exceptions: BTreeMap<(EndpointId, Place), CallbackException>,
    pub(super) attempts: BTreeMap<(EndpointId, AttemptLogId), AttemptLog>,
}

impl Callbacks {
    /// Forgets what is kept of a tenant, as far as `is_erased` says so.
    pub(super) fn erase(&mut self, mut is_erased: impl FnMut(TenantId) -> bool) {
        self.exceptions
            .retain(|_, exception| !is_erased(exception.placed.entry.tenant_id));
        self.attempts.retain(|_, log| !is_erased(log.tenant_id));
        self.progress.retain(|_, progress| !is_erased(progress.tenant_id));
    }

    /// The tenants of whom something is kept.
    pub(super) fn tenants(&self) -> BTreeSet<TenantId> {
        let of_progress = self.progress.values().map(|progress| progress.tenant_id);
        let of_exceptions = self
            .exceptions
            .values()
            .map(|exception| exception.placed.entry.tenant_id);
        let of_attempts = self.attempts.values().map(|log| log.tenant_id);
        of_progress.chain(of_exceptions).chain(of_attempts).collect()
    }

    fn advance(&mut self, advance: &Advance) -> Saved {
        let progress = &advance.progress;
        let stored = self
            .progress
            .get(&progress.endpoint_id)
            .map_or(0, |stored| stored.version);
        if stored != progress.version {
            return Saved::Stale;
        }
        for exception in &advance.exceptions {
            let key = (exception.endpoint_id, exception.placed.place);
            self.exceptions.insert(key, exception.clone());
        }
        for place in &advance.over {
            self.exceptions.remove(&(progress.endpoint_id, *place));
        }
        if let Some(log) = &advance.attempts {
            self.attempts.insert((log.endpoint_id, log.id), log.clone());
        }
        let saved = CallbackProgress {
            version: progress.version + 1,
            ..progress.clone()
        };
        self.progress.insert(progress.endpoint_id, saved);
        Saved::Done
    }

    fn exceptions_of(&self, endpoint_id: EndpointId) -> impl Iterator<Item = &CallbackException> {
        let of_endpoint = (endpoint_id, Place::START)..=(endpoint_id, Place::new(u64::MAX));
        self.exceptions.range(of_endpoint).map(|(_, exception)| exception)
    }
}

#[async_trait]
impl CallbackStore for MemoryStore {
    async fn progress(&self, endpoints: &[EndpointId]) -> Vec<Result<Option<CallbackProgress>, StoreError>> {
        let of = |endpoint: &EndpointId| self.with(|state| state.callbacks.progress.get(endpoint).cloned());
        endpoints.iter().map(of).collect()
    }

    async fn advance(&self, advances: &[Advance]) -> Vec<Result<Saved, StoreError>> {
        let all = advances.iter();
        all.map(|advance| self.with(|state| state.callbacks.advance(advance)))
            .collect()
    }

    async fn exceptions(
        &self,
        endpoint_id: &EndpointId,
        asked: ExceptionsAsked,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<CallbackException>, StoreError> {
        self.with(|state| {
            let found = state.callbacks.exceptions_of(*endpoint_id);
            let asked = found.filter(|exception| exception.placed.place > after && asked.includes(exception.state));
            page_of(asked.cloned(), limit)
        })
    }

    async fn find_exceptions(
        &self,
        endpoint_id: &EndpointId,
        places: &[Place],
    ) -> Result<Vec<CallbackException>, StoreError> {
        self.with(|state| {
            let all = places.iter();
            let found = all.filter_map(|place| state.callbacks.exceptions.get(&(*endpoint_id, *place)));
            found.cloned().collect()
        })
    }

    async fn count_exceptions(&self, endpoint_id: &EndpointId, asked: ExceptionsAsked) -> Result<u32, StoreError> {
        self.with(|state| {
            let of_endpoint = state.callbacks.exceptions_of(*endpoint_id);
            let count = of_endpoint.filter(|exception| asked.includes(exception.state)).count();
            u32::try_from(count).unwrap_or(u32::MAX).min(EXCEPTIONS_MAX)
        })
    }

    async fn attempts(
        &self,
        endpoint_id: &EndpointId,
        before: Option<AttemptLogId>,
        limit: PageLimit,
    ) -> Result<Listed<AttemptLog>, StoreError> {
        self.with(|state| {
            let of_endpoint = state.callbacks.attempts.values().rev();
            let found = of_endpoint
                .filter(|log| log.endpoint_id == *endpoint_id && before.is_none_or(|before| log.id < before));
            page_of(found.cloned(), limit)
        })
    }

    async fn forget_attempts(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.with(|state| {
            let Callbacks {
                exceptions, attempts, ..
            } = &mut state.callbacks;
            let is_old = |exception: &CallbackException| exception.dead_at().is_some_and(|at| at < before);
            let dead = exceptions.iter().filter(|(_, exception)| is_old(exception));
            let dead: Vec<_> = dead.map(|(key, _)| *key).take(limit as usize).collect();
            let old = attempts.iter().filter(|(_, log)| log.at < before);
            let old: Vec<_> = old.map(|(key, _)| *key).take(limit as usize).collect();
            exceptions.retain(|key, _| !dead.contains(key));
            attempts.retain(|key, _| !old.contains(key));
            (dead.len() + old.len()) as u64
        })
    }

    async fn gone_endpoints(&self, after: Option<EndpointId>, limit: u32) -> Result<GoneEndpoints, StoreError> {
        self.with(|state| {
            let Callbacks {
                progress, exceptions, ..
            } = &state.callbacks;
            let of_progress = progress.values().map(|kept| (kept.endpoint_id, kept.tenant_id));
            let of_exceptions = exceptions
                .values()
                .map(|kept| (kept.endpoint_id, kept.placed.entry.tenant_id));
            let kept: BTreeMap<EndpointId, TenantId> = of_progress.chain(of_exceptions).collect();
            let behind = kept.into_iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
            let looked: Vec<_> = behind.take(limit as usize).collect();
            let is_gone = |id: &EndpointId| state.endpoints.values().all(|endpoint| endpoint.kept_under != *id);
            GoneEndpoints {
                next: looked.last().map(|(id, _)| *id),
                found: (looked.into_iter().filter(|(id, _)| is_gone(id)))
                    .map(|(id, tenant_id)| (tenant_id, id))
                    .collect(),
            }
        })
    }

    async fn forget_endpoint(
        &self,
        tenant_id: &TenantId,
        endpoint_id: &EndpointId,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.with(|state| {
            let all = &mut state.callbacks;
            let mut left = limit;
            // The progress goes last, as in the other stores.
            all.exceptions.retain(|(endpoint, _), kept| {
                endpoint != endpoint_id || kept.placed.entry.tenant_id != *tenant_id || !takes(&mut left)
            });
            all.attempts.retain(|_, kept| {
                kept.endpoint_id != *endpoint_id || kept.tenant_id != *tenant_id || !takes(&mut left)
            });
            all.progress.retain(|_, kept| {
                kept.endpoint_id != *endpoint_id || kept.tenant_id != *tenant_id || !takes(&mut left)
            });
            u64::from(limit - left)
        })
    }
}

/// Takes one of what is left, if there is any.
const fn takes(left: &mut u32) -> bool {
    let has_one = *left > 0;
    *left = left.saturating_sub(1);
    has_one
}
