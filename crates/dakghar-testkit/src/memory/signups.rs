//! Signups.

use async_trait::async_trait;
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::{SignupId, TenantId, Timestamp};
use dakghar_core::ports::{Saved, SignupStore, StoreError};

use super::{MemoryStore, first, page_of};

#[async_trait]
impl SignupStore for MemoryStore {
    async fn insert_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        self.with(|state| {
            let mut known = state.signups.values();
            if known.any(|known| known.id == signup.id || known.key == signup.key) {
                return Saved::Stale;
            }
            state.signups.insert(signup.id, signup.clone());
            Saved::Done
        })
    }

    async fn save_signup(&self, signup: &Signup) -> Result<Saved, StoreError> {
        self.with(|state| match state.signups.get_mut(&signup.id) {
            Some(stored) if stored.version == signup.version => {
                *stored = Signup {
                    version: signup.version + 1,
                    key: stored.key.clone(),
                    ..signup.clone()
                };
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_signup(&self, tenant_id: &TenantId, id: &SignupId) -> Result<Option<Signup>, StoreError> {
        self.with(|state| {
            let found = state.signups.get(id).cloned();
            found.filter(|signup| signup.tenant_id == *tenant_id)
        })
    }

    async fn find_signup_of_key(&self, key: &[u8]) -> Result<Option<Signup>, StoreError> {
        self.with(|state| {
            let mut all = state.signups.values();
            all.find(|signup| signup.key == key).cloned()
        })
    }

    async fn list_signups(
        &self,
        tenant_id: &TenantId,
        before: Option<SignupId>,
        limit: PageLimit,
    ) -> Result<Listed<Signup>, StoreError> {
        self.with(|state| {
            let own = state.signups.values().rev();
            let own = own.filter(|signup| signup.tenant_id == *tenant_id);
            let found = own.filter(|signup| before.is_none_or(|before| signup.id < before));
            page_of(found.cloned(), limit)
        })
    }

    async fn due_signups(&self, now: Timestamp, limit: u32) -> Result<Vec<Signup>, StoreError> {
        self.with(|state| {
            let is_due = |signup: &&Signup| signup.due_at().is_some_and(|at| at <= now);
            let mut due: Vec<Signup> = state.signups.values().filter(is_due).cloned().collect();
            due.sort_by_key(Signup::due_at);
            first(due.into_iter(), limit)
        })
    }
}
