//! Redrives, and the dead letters that they look through.

use async_trait::async_trait;
use dakghar_core::domain::message::DeadLetter;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::redrive::Redrive;
use dakghar_core::domain::{MessageId, RedriveId, TenantId, Timestamp};
use dakghar_core::ports::{RedriveStore, Saved, StoreError};

use super::{MemoryStore, first, page_of};

#[async_trait]
impl RedriveStore for MemoryStore {
    async fn insert_redrive(&self, redrive: &Redrive) -> Result<(), StoreError> {
        self.with(|state| {
            state.redrives.entry(redrive.id).or_insert_with(|| redrive.clone());
        })
    }

    async fn save_redrive(&self, redrive: &Redrive) -> Result<Saved, StoreError> {
        self.with(|state| match state.redrives.get_mut(&redrive.id) {
            Some(stored) if stored.version == redrive.version => {
                *stored = Redrive {
                    version: redrive.version + 1,
                    ..redrive.clone()
                };
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_redrive(&self, id: &RedriveId) -> Result<Option<Redrive>, StoreError> {
        self.with(|state| state.redrives.get(id).cloned())
    }

    async fn list_redrives(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<RedriveId>,
        limit: PageLimit,
    ) -> Result<Listed<Redrive>, StoreError> {
        self.with(|state| {
            let found = state
                .redrives
                .values()
                .rev()
                .filter(|redrive| tenant_id.is_none() || redrive.tenant_id.as_ref() == tenant_id)
                .filter(|redrive| before.is_none_or(|before| redrive.id < before));
            page_of(found.cloned(), limit)
        })
    }

    async fn count_open_redrives(&self, tenant_id: Option<&TenantId>) -> Result<u32, StoreError> {
        self.with(|state| {
            let of_owner = state
                .redrives
                .values()
                .filter(|redrive| redrive.tenant_id.as_ref() == tenant_id);
            u32::try_from(of_owner.filter(|redrive| redrive.status.is_open()).count()).unwrap_or(u32::MAX)
        })
    }

    async fn due_redrives(&self, limit: u32) -> Result<Vec<Redrive>, StoreError> {
        self.with(|state| {
            let mut due: Vec<Redrive> = state
                .redrives
                .values()
                .filter(|redrive| redrive.needs_work())
                .cloned()
                .collect();
            due.sort_by_key(|redrive| redrive.updated_at);
            first(due.into_iter(), limit)
        })
    }

    async fn forget_redrives(&self, before: Timestamp) -> Result<(), StoreError> {
        self.with(|state| {
            let is_kept =
                |redrive: &Redrive| redrive.status.is_open() || redrive.needs_work() || redrive.updated_at >= before;
            state.redrives.retain(|_, redrive| is_kept(redrive));
        })
    }

    async fn look_through(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Listed<DeadLetter>, StoreError> {
        self.with(|state| {
            let found = state
                .messages
                .values()
                .rev()
                .filter(|message| tenant_id.is_none_or(|tenant_id| message.accepted.tenant_id == *tenant_id))
                .filter(|message| before.is_none_or(|before| message.accepted.id < before));
            page_of(found.filter_map(DeadLetter::of), PageLimit::items(limit))
        })
    }
}
